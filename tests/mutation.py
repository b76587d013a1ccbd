"""Small mistakes, made from a solution's own source: each mutant has one change."""

import ast
import copy
import itertools

import numpy as np

OPERATORS = {
    ast.Add: [ast.Sub],
    ast.Sub: [ast.Add],
    ast.Mult: [ast.Div],
    ast.Div: [ast.Mult],
    ast.Pow: [ast.Mult],
    ast.MatMult: [ast.Mult],
    ast.BitAnd: [ast.BitOr],
    ast.BitOr: [ast.BitAnd],
    ast.Lt: [ast.LtE, ast.Gt],
    ast.LtE: [ast.Lt, ast.GtE],
    ast.Gt: [ast.GtE, ast.Lt],
    ast.GtE: [ast.Gt, ast.LtE],
    ast.Eq: [ast.NotEq],
    ast.NotEq: [ast.Eq],
    ast.Is: [ast.IsNot],
    ast.IsNot: [ast.Is],
    ast.And: [ast.Or],
    ast.Or: [ast.And],
}
OTHERS = {
    "max": "min",
    "min": "max",
    "sum": "mean",
    "mean": "sum",
    "argmax": "argmin",
    "exp": "exp2",
    "log": "log2",
    "tanh": "sin",
    "floor": "ceil",
    "maximum": "minimum",
    "triu": "tril",
    "tril": "triu",
    "sin": "cos",
    "cos": "sin",
    "zeros": "ones",
    "ones": "zeros",
    "set_xticks": "set_yticks",
    "set_yticks": "set_xticks",
}


def mutants(source, namespace):
    """(description, object) of every mutant of the source of a function or a class; the
    names in `namespace` are available to it.
    """
    tree = ast.parse(source)
    for definition in ast.walk(tree):
        if isinstance(
            definition, (ast.FunctionDef, ast.ClassDef)
        ) and ast.get_docstring(definition):
            definition.body = definition.body[1:]
    name, seen = tree.body[0].name, {ast.unparse(tree)}
    positions = list(_nodes(tree))
    for position, (node, names) in enumerate(positions):
        for replacement in _replacements(node, names):
            changed = copy.deepcopy(tree)
            target = next(itertools.islice(_nodes(changed), position, None))[0]
            text = ast.unparse(
                ast.fix_missing_locations(
                    _Replace(target, copy.deepcopy(replacement)).visit(changed)
                )
            )
            if text in seen:
                continue
            seen.add(text)
            made = dict(namespace)
            try:
                exec(compile(text, f"<mutant of {name}>", "exec"), made)
            except SyntaxError:
                continue
            yield f"{ast.unparse(node)} -> {ast.unparse(replacement)}", made[name]


def _nodes(tree):
    """Each node, with the names that its function knows: parameters and local
    variables.
    """

    def walk(node, names):
        if isinstance(node, ast.FunctionDef):
            stored = (
                n.id
                for n in ast.walk(node)
                if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
            )
            names = list(
                dict.fromkeys(
                    [*(a.arg for a in node.args.args if a.arg != "self"), *stored]
                )
            )
        yield node, names
        for child in ast.iter_child_nodes(node):
            yield from walk(child, names)

    yield from walk(tree, [])


def _replacements(node, names):
    """What may replace `node`, each a small mistake."""
    if isinstance(node, ast.BinOp):
        yield from (node.left, node.right)  # a factor or a term dropped
        yield ast.BinOp(node.right, node.op, node.left)
        yield ast.UnaryOp(ast.USub(), node)
        for operator in OPERATORS.get(type(node.op), ()):
            yield ast.BinOp(node.left, operator(), node.right)
    elif isinstance(node, ast.UnaryOp):
        yield node.operand
    elif isinstance(node, ast.Compare):
        for index, operator in enumerate(node.ops):
            for other in OPERATORS.get(type(operator), ()):
                yield ast.Compare(
                    node.left,
                    [*node.ops[:index], other(), *node.ops[index + 1 :]],
                    node.comparators,
                )
    elif isinstance(node, ast.BoolOp):
        yield ast.BoolOp(OPERATORS[type(node.op)][0](), node.values)
        yield from node.values
    elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
        yield from (
            ast.Constant(node.value + 1),
            ast.Constant(node.value - 1),
            ast.Constant(-node.value),
        )
    elif isinstance(node, ast.Constant) and type(node.value) is bool:
        yield ast.Constant(not node.value)
    elif (
        isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and "->" in node.value
    ):
        yield from map(ast.Constant, _other_einsums(node.value))
    elif isinstance(node, ast.Call):
        yield from _other_calls(node)
    elif isinstance(node, ast.Attribute) and node.attr == "T":
        yield node.value
    elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
        yield node.value
    elif isinstance(node, ast.Slice):
        for lower, upper in (
            (None, node.upper),
            (node.lower, None),
            (node.upper, node.lower),
        ):
            yield ast.Slice(lower, upper, node.step)
        for bound in filter(None, (node.lower, node.upper)):
            if not isinstance(bound, ast.Constant):
                one_more = ast.BinOp(bound, ast.Add(), ast.Constant(1))
                yield ast.Slice(
                    *(one_more if b is bound else b for b in (node.lower, node.upper)),
                    node.step,
                )
    elif isinstance(node, ast.IfExp):
        yield from (node.body, node.orelse)
    elif isinstance(node, ast.If):
        yield from (
            ast.If(ast.Constant(value), node.body, node.orelse)
            for value in (True, False)
        )
    elif (
        isinstance(node, ast.Tuple)
        and isinstance(node.ctx, ast.Load)
        and len(node.elts) > 1
    ):
        yield ast.Tuple([node.elts[1], node.elts[0], *node.elts[2:]], ast.Load())
    elif isinstance(node, ast.Break):
        yield ast.Continue()
    elif (
        isinstance(node, ast.Name)
        and isinstance(node.ctx, ast.Load)
        and node.id in names
    ):
        yield from (ast.Name(name, ast.Load()) for name in names if name != node.id)
        yield ast.UnaryOp(ast.USub(), node)
        if node.id == "mask":
            yield from (
                ast.parse(text, mode="eval").body
                for text in ("np.ones_like(mask)", "~mask")
            )
    if isinstance(node, (ast.Assign, ast.AugAssign, ast.Expr, ast.Break)):
        yield ast.Pass()


def _other_calls(node):
    """A call left out, with fewer or other arguments, or of another function."""
    yield from node.args[:1]
    if isinstance(node.func, ast.Attribute) and not _is_module(node.func.value):
        yield node.func.value  # a method left out: transpose, max
    if len(node.args) > 1:
        yield ast.Call(
            node.func, [node.args[1], node.args[0], *node.args[2:]], node.keywords
        )
    for index in range(len(node.keywords)):
        yield ast.Call(
            node.func, node.args, node.keywords[:index] + node.keywords[index + 1 :]
        )
    name = getattr(node.func, "attr", getattr(node.func, "id", None))
    if name in OTHERS:
        attribute = isinstance(node.func, ast.Attribute)
        other = (
            ast.Attribute(node.func.value, OTHERS[name], ast.Load())
            if attribute
            else ast.Name(OTHERS[name])
        )
        yield ast.Call(other, node.args, node.keywords)
    if name in ("arange", "range"):  # one step more, one less
        for operator in (ast.Add(), ast.Sub()):
            for index, argument in enumerate(node.args):
                shifted = ast.BinOp(argument, operator, ast.Constant(1))
                yield ast.Call(
                    node.func,
                    [*node.args[:index], shifted, *node.args[index + 1 :]],
                    node.keywords,
                )


def _is_module(node):
    """np, ref, ops and the like, whose functions need their argument."""
    return ast.unparse(node).split(".")[0] in ("np", "ref", "ops", "keras")


def _other_einsums(text):
    """The subscripts with two letters of one operand, or of the result, swapped."""
    parts = text.replace("->", ",").split(",")
    for index, part in enumerate(parts):
        for i, j in itertools.combinations(range(len(part)), 2):
            letters = list(part)
            letters[i], letters[j] = letters[j], letters[i]
            *operands, result = [*parts[:index], "".join(letters), *parts[index + 1 :]]
            yield f"{','.join(operands)}->{result}"


class _Replace(ast.NodeTransformer):
    """Replaces `target` by `replacement`."""

    def __init__(self, target, replacement):
        self.target, self.replacement = target, replacement

    def visit(self, node):
        return self.replacement if node is self.target else self.generic_visit(node)


# Inputs on which a mutant is compared with its solution, beyond those of the check


def harder(arguments, rng):
    """The same arguments with other numbers: floats of other sizes, row by row, and
    other masks.
    """

    floats = [v for v in arguments if isinstance(v, np.ndarray) and v.dtype.kind == "f"]
    spoiled = not all(np.isfinite(value).all() for value in floats)  # at padding

    def changed(value):
        if not isinstance(value, np.ndarray) or value.size == 0:
            return value
        if value.dtype == bool:
            return value if spoiled else rng.random(value.shape) < 0.6
        if value.dtype.kind != "f":
            return value
        rows = (-1, *[1] * (value.ndim - 1))
        size = 10.0 ** rng.integers(-1, 3, len(value)).reshape(rows)
        return value * size + rng.normal(size=len(value)).reshape(
            rows
        ) * 10.0 ** rng.integers(0, 5)

    return tuple(map(changed, arguments))
