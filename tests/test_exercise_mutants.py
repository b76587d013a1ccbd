"""Do the checks see small mistakes? Each solution is changed in one place, in every way below, and put to its check.

A mutant that gives other results than the solution on any of many random inputs must be refused; at least 95 % of them
have to be, and every one that is not stands in ACCEPTED with the reason.
"""

import ast
import copy
import functools

import numpy as np
from test_exercises import every_exercise

from attnlib import reference as ref
from attnlib.exercises import sandbox
from attnlib.exercises.machine import Exercise

SEEDS = (1, 2, 3)
SECONDS = 1  # for one call; a mutant may loop for ever

OPERATORS = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
METHODS = {"max": "min", "sum": "mean", "mean": "sum", "argmax": "argmin", "exp": "exp2", "log": "log2", "tanh": "sin"}

ACCEPTED = {}


def replacements(node, parameters):
    """What may stand in the place of `node`, each a small mistake."""
    if isinstance(node, ast.BinOp):
        yield from (node.left, node.right)
        if type(node.op) in OPERATORS:
            yield ast.BinOp(node.left, OPERATORS[type(node.op)](), node.right)
    elif isinstance(node, ast.UnaryOp):
        yield node.operand
    elif isinstance(node, ast.Compare):
        for place, operator in enumerate(node.ops):
            if type(operator) in OPERATORS:
                operators = [*node.ops[:place], OPERATORS[type(operator)](), *node.ops[place + 1 :]]
                yield ast.Compare(node.left, operators, node.comparators)
    elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
        yield from (ast.Constant(node.value + 1), ast.Constant(node.value - 1))
    elif isinstance(node, ast.Constant) and type(node.value) is bool:
        yield ast.Constant(not node.value)
    elif isinstance(node, ast.Call):
        if node.args:
            yield node.args[0]
        for place in range(len(node.keywords)):
            yield ast.Call(node.func, node.args, node.keywords[:place] + node.keywords[place + 1 :])
        if isinstance(node.func, ast.Attribute) and node.func.attr in METHODS:
            other = ast.Attribute(node.func.value, METHODS[node.func.attr], ast.Load())
            yield ast.Call(other, node.args, node.keywords)
    elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from (node.body, node.orelse)
    elif isinstance(node, ast.If):
        yield from (ast.If(ast.Constant(value), node.body, node.orelse) for value in (True, False))
    elif isinstance(node, ast.Tuple) and isinstance(node.ctx, ast.Load) and len(node.elts) > 1:
        yield ast.Tuple([node.elts[1], node.elts[0], *node.elts[2:]], ast.Load())
    elif isinstance(node, ast.Break):
        yield ast.Continue()
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in parameters:
        yield ast.Name(parameters[(parameters.index(node.id) + 1) % len(parameters)], ast.Load())
        if node.id == "mask":
            yield ast.parse("np.ones_like(mask)", mode="eval").body
    if isinstance(node, (ast.Assign, ast.AugAssign, ast.Expr, ast.Break)):
        yield ast.Pass()


def mutants(source):
    """(description, function) of every mutant of a function's source."""
    tree = ast.parse(source)
    definition = tree.body[0]
    parameters = [argument.arg for argument in definition.args.args]
    definition.body = definition.body[1:]  # without the docstring
    seen = {ast.unparse(tree)}
    for place, node in enumerate(ast.walk(tree)):
        for replacement in replacements(node, parameters):
            changed = copy.deepcopy(tree)
            target = list(ast.walk(changed))[place]
            text = ast.unparse(ast.fix_missing_locations(Replace(target, copy.deepcopy(replacement)).visit(changed)))
            if text in seen:
                continue
            seen.add(text)
            namespace = {"np": np, "ref": ref}
            try:
                exec(compile(text, f"<mutant of {definition.name}>", "exec"), namespace)
            except SyntaxError:
                continue
            yield f"{ast.unparse(node)} -> {ast.unparse(replacement)}", namespace[definition.name]


class Replace(ast.NodeTransformer):
    """Puts `replacement` in the place of `target`."""

    def __init__(self, target, replacement):
        self.target, self.replacement = target, replacement

    def visit(self, node):
        return self.replacement if node is self.target else self.generic_visit(node)


def changes_results(exercise, mutant):
    """Whether a mutant differs from the solution on any case of any seed."""
    for seed in SEEDS:
        cases = [list(exercise.cases(np.random.default_rng(seed))) for _ in range(2)]
        for (_, ours), (_, theirs) in zip(*cases, strict=True):
            expected = sandbox.plain(exercise._result(exercise.solve, ours))
            outcome = sandbox.run(functools.partial(exercise._result, mutant, theirs), mutant, SECONDS)
            if outcome.problem or exercise._difference(expected, outcome.value):
                return True
    return False


@every_exercise
def test_exercise_refuses_mutants_of_its_solution(exercise, monkeypatch):
    monkeypatch.setattr(Exercise, "seconds", SECONDS)
    made, equal, missed = 0, [], []
    for description, mutant in mutants(exercise.source):
        if not exercise.check(mutant).passed:
            made += 1
        elif changes_results(exercise, mutant):
            made += 1
            missed.append(description)
        else:
            equal.append(description)
    print(f"{exercise.name}: {made} mutants change results, {len(missed)} of them pass: {missed}. Equal: {equal}")
    assert made >= 10
    assert set(missed) <= set(ACCEPTED.get(exercise.name, {}))
    assert len(missed) <= 0.05 * made
