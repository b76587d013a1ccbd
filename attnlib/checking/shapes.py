"""Which arrays did not fit: the shapes of those in the expression that raised an error.

NumPy's own message names a "core dimension" and two sizes. Here the expression is taken
from the submission's source, by the position that the traceback has for it, and its
operands are computed once more, but only where that runs no code of the submission.
"""

import ast
import linecache

import numpy as np

_OPERATIONS = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.MatMult: np.matmul,
}
_ARRAY = np.ndarray


def in_words(entry):
    """ "where query has shape (2, 3, 4) and keys.T has shape (4, 5, 2)", on a line of
    its own; or nothing.

    entry: the entry of the traceback whose expression failed.
    """
    try:
        operands = _operands(_expression(entry))
        values = {
            ast.unparse(operand): _value_of(operand, entry.tb_frame.f_locals)
            for operand in operands
        }
    except Exception:  # no source, no position, or an operand that does not fit either
        return ""
    texts = [
        f"{name} has shape {value.shape}"
        for name, value in values.items()
        if type(value) is _ARRAY
    ]
    return "\n  where " + " and ".join(texts) if len(texts) > 1 else ""


def _expression(entry):
    """The syntax tree of the expression that failed."""
    code = entry.tb_frame.f_code
    first, last, start, end = list(code.co_positions())[entry.tb_lasti // 2]
    lines = [
        linecache.getline(code.co_filename, number).encode()
        for number in range(first, last + 1)
    ]
    lines[-1] = lines[-1][:end]
    lines[0] = lines[0][start:]
    return ast.parse(b"(" + b"".join(lines) + b")", mode="eval").body


def _operands(expression):
    """The two sides of an operation, or the arguments of a call."""
    if type(expression) is ast.BinOp:
        return [expression.left, expression.right]
    operands = []
    for argument in expression.args:
        is_list = type(argument) in (ast.List, ast.Tuple)
        operands += argument.elts if is_list else [argument]
    return operands


def _value_of(expression, variables):
    """The value of an expression made of arrays, numbers, indices, and transposes; None
    for any other, which may run the submission's own code.
    """
    match expression:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            value = variables.get(name)
            return value if type(value) in (_ARRAY, int, float) else None
        case ast.BinOp(left=left, op=operator, right=right):
            sides = _value_of(left, variables), _value_of(right, variables)
            known = sides[0] is not None and sides[1] is not None
            return _OPERATIONS[type(operator)](*sides) if known else None
        case ast.Attribute(value=inner, attr="T"):
            value = _value_of(inner, variables)
            return value.T if type(value) is _ARRAY else None
        case ast.Subscript(value=inner, slice=index):
            value = _value_of(inner, variables)
            return value[_index(index)] if type(value) is _ARRAY else None
        case ast.Call(func=ast.Attribute(value=inner, attr=name), args=arguments):
            value = _value_of(inner, variables)
            axes = [_value_of(argument, variables) for argument in arguments]
            known = type(value) is _ARRAY and name in ("swapaxes", "transpose")
            return getattr(value, name)(*axes) if known else None
    return None


class _Index:
    def __getitem__(self, index):
        return index


def _index(expression):
    """An index such as ``:, None, -1``, if it is made of constants alone."""
    if any(type(node) in (ast.Name, ast.Call) for node in ast.walk(expression)):
        raise ValueError("the index has to be made of constants")
    index = ast.Subscript(ast.Name("_"), expression, ast.Load())
    return eval(ast.unparse(index), {"_": _Index()})
