"""What source code says about an answer: whether it is still the stub that the exercise
gave, and what a cell defines.
"""

import ast
import dis
import inspect
import textwrap
import types


def is_class(value):
    """Whether it is a class, without asking the value itself, as isinstance does."""
    return issubclass(type(value), type)


def is_stub(submission):
    """Whether nothing has been written yet: the body is a docstring, ``...``, ``pass``,
    ``return``, or ``raise NotImplementedError``, and nothing else. Of a class, the body
    of its ``call``.
    """
    if is_class(submission):
        owner = next((c for c in submission.__mro__ if "call" in vars(c)), None)
        if owner is None or owner.__module__.startswith("keras."):
            return True
        return is_stub(vars(owner)["call"])
    if type(submission) not in (types.FunctionType, types.MethodType):
        return False
    definition = syntax_tree(submission.__code__)
    if definition is None:
        return _steps(submission) == _steps(_empty_function)
    if isinstance(definition, ast.Lambda):
        return _is_none(definition.body)
    return all(map(_does_nothing, definition.body))


def syntax_tree(code):
    """The definition that ``code`` was compiled from, or None where its source cannot
    be had: for example, where it was made by ``exec``.

    The code is asked for and not the function, because a function made by
    ``functools.wraps`` would give the source of the one that it wraps.
    """
    try:
        source = textwrap.dedent(inspect.getsource(code))
        nodes = list(ast.walk(ast.parse(source)))
    except Exception:  # no source, or a part of an expression that cannot be parsed
        return None
    if code.co_name == "<lambda>":
        lambdas = [node for node in nodes if isinstance(node, ast.Lambda)]
        return lambdas[0] if len(lambdas) == 1 else None
    functions = (node for node in nodes if isinstance(node, ast.FunctionDef))
    return next((node for node in functions if node.name == code.co_name), None)


def defined_names(source):
    """The functions and classes that source code defines, outside of others."""
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError):
        return []
    return [
        node.name for node in body if isinstance(node, (ast.FunctionDef, ast.ClassDef))
    ]


def _does_nothing(statement):
    """Whether a statement is one of those that a stub consists of."""
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Constant)  # a docstring, or `...`
    if isinstance(statement, ast.Return):
        return statement.value is None or _is_none(statement.value)
    if isinstance(statement, ast.Raise):
        error = statement.exc
        error = error.func if isinstance(error, ast.Call) else error
        return isinstance(error, ast.Name) and error.id == "NotImplementedError"
    return isinstance(statement, ast.Pass)


def _is_none(expression):
    return isinstance(expression, ast.Constant) and expression.value is None


def _empty_function():
    pass


def _steps(function):
    """The instructions of a function, without the names of any version of Python: they
    are compared with those of an empty function.
    """
    return [
        (step.opname, step.argval)
        for step in dis.get_instructions(function)
        if step.opname != "NOP"
    ]
