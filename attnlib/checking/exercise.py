"""The machine behind every exercise: one solution, its cases and its known wrong
answers in; check, hint, solution out.

An exercise is its solution, a plain function under a decorator:

    @exercise(softmax_cases, hints=["Subtract each row's maximum first."])
    def softmax(scores):
        \"""weights_j = exp(e_j) / sum_k exp(e_k), over the last axis.\"""
        ...

    @softmax.known_mistake("Your weights sum to one over the first axis, not over the
    last.") def over_the_first_axis(scores):
        ...

`softmax_cases(rng)` yields (title, arguments) pairs; small ones first, since a message
shows the first that fails. Expected values are the solution's own, so the tests compare
each solution with something independent.
"""

import ast
import dis
import functools
import html
import inspect
import re
import textwrap
import types

import numpy as np

from attnlib.checking import compare, isolation, sandbox

_NOTHING = object()


def exercise(cases, hints, returns=(), extract=None, cleanup=None):
    """Decorator that turns a solution into an Exercise.

    cases: function of a numpy Generator that yields (title, tuple of arguments).
    hints: one or more strings, the gentlest first; `backticks` become code.
    returns: names of the parts where the solution returns a tuple.
    extract: function (result, *arguments) -> value to compare, where that is not the
    result itself but, say, what it
        drew; it may raise sandbox.CheckFailed with a sentence for the learner.
    cleanup: function to call after a call that had to be stopped: what a library then
    has left half done.
    """
    return lambda solution: Exercise(solution, cases, hints, returns, extract, cleanup)


class Exercise:
    """One exercise: `check(your_function)`, `hint()`, `solution()`.

    For authors and tests: `reference_solution`; `known_mistakes`, a list of (message,
    function); `cases(rng)`; and, where the learner's cell starts with faulty code, that
    code: `starter`, a function, and `starter_source`.
    """

    seconds = 5  # for one call of the learner's code
    starter = None

    def __init__(
        self, reference_solution, cases, hints, returns=(), extract=None, cleanup=None
    ):
        self.name, self.reference_solution, self.cases, self.hints, self.returns = (
            reference_solution.__name__,
            reference_solution,
            cases,
            hints,
            returns,
        )
        self.extract, self.cleanup, self.known_mistakes = extract, cleanup, []
        self.__doc__ = reference_solution.__doc__

    def __repr__(self):
        return f"Exercise {self.name}: .check({self.name}), .hint(), .solution()"

    def known_mistake(self, message):
        """Decorator: a known wrong answer, and what to say to a learner whose results
        equal its results.
        """

        def add(function):
            self.known_mistakes.append((message, function))
            return function

        return add

    def starter_code(self, symptom):
        """Decorator: the faulty code that the learner's cell starts with, and by what
        one notices it, as a sentence.

        It is a known wrong answer, bears the exercise's name, and leaves that name to
        the exercise.
        """

        def add(function):
            self.starter = function
            self.known_mistake(f"The bug is still there. {symptom}")(function)
            return self

        return add

    def check(self, attempt=_NOTHING):
        """Try a learner's function on small inputs. Returns a CheckResult; raises
        nothing.
        """
        if not callable(attempt) or isinstance(attempt, type) != isinstance(
            self.reference_solution, type
        ):
            call = f"check({self.name})"
            return self._not_yet(
                f"check wants the thing itself: write {call}, with nothing after the"
                " name."
            )
        replaced = isolation.replaced()
        if replaced:
            owner = "attnlib" if replaced.startswith("ref.") else "numpy"
            return self._not_yet(
                f"{replaced} is no longer {owner}'s own. Restart the kernel and run the"
                " cells again."
            )
        if _is_stub(attempt):
            return self._not_attempted()
        counts = self._argument_counts
        outcome = sandbox.run(
            lambda: self._signature_problem(attempt, counts), attempt, self.seconds
        )
        if outcome.problem or outcome.value:
            return self._not_yet(outcome.problem or outcome.value)
        return self._judge(attempt)

    def hint(self):
        """The hints, collapsed, one after the other; print() shows them in a terminal."""
        parts = []
        for number, text in enumerate(self.hints, start=1):
            body = re.sub(
                r"`(.+?)`", r"<code>\1</code>", html.escape(text, quote=False)
            )
            parts.append(
                (
                    f"Show hint {number}" if len(self.hints) > 1 else "Show a hint",
                    f"<p>{body}</p>",
                )
            )
        return Hidden(f"Hint for {self.name}", parts, "\n".join(self.hints))

    def solution(self):
        """One solution, collapsed; print() shows it in a terminal."""
        return Hidden(
            f"Solution of {self.name}",
            [(f"Show a solution of {self.name}", _highlighted(self.source))],
            self.source,
        )

    @functools.cached_property
    def source(self):
        """The solution's source, without its decorator."""
        return source_of(self.reference_solution)

    @functools.cached_property
    def starter_source(self):
        """The source of the code that the learner's cell starts with."""
        return source_of(self.starter)

    @functools.cached_property
    def _expected(self):
        return [
            sandbox.plain(self._result(self.reference_solution, arguments))
            for _, arguments in self._fresh_cases()
        ]

    @functools.cached_property
    def _argument_counts(self):
        return {len(arguments) for _, arguments in self._fresh_cases()}

    @functools.cached_property
    def _wrong_outcomes(self):
        return [
            (message, self._outcomes(function, seconds=60))
            for message, function in self.known_mistakes
        ]

    def _result(self, function, arguments):
        result = function(*arguments)
        return (
            result
            if self.extract is None or result is Ellipsis
            else self.extract(result, *arguments)
        )

    def _fresh_cases(self):
        return list(self.cases(np.random.default_rng(0)))

    def _outcomes(self, function, seconds):
        """What `function` does on each case, up to the first that it does not finish in
        time.
        """
        outcomes = []
        for _, arguments in self._fresh_cases():
            call = functools.partial(self._result, function, arguments)
            outcome = sandbox.run(call, function, seconds)
            outcome.arguments = [
                None if callable(a) else sandbox.plain(a) for a in arguments
            ]
            outcomes.append(outcome)
            if outcome.timed_out:
                if self.cleanup is not None:
                    self.cleanup()
                break
        return outcomes

    def _judge(self, attempt):
        expected, outcomes = self._expected, self._outcomes(attempt, self.seconds)
        for index, (outcome, (title, arguments)) in enumerate(
            zip(outcomes, self._fresh_cases(), strict=False)
        ):
            if not outcome.attempted or outcome.value is Ellipsis:
                return self._not_attempted()
            found = outcome.problem or self._changed(outcome, arguments)
            found = found or self._difference(expected[index], outcome.value)
            if found:
                found = self._diagnosis(index, outcomes) + found
                inputs = dict(zip(self._parameters, arguments, strict=False))
                shown = "".join(
                    f"\n  {name} = {compare.show(sandbox.plain(value))}"
                    for name, value in inputs.items()
                )
                printed = f"\nIt printed:\n{outcome.printed}" if outcome.printed else ""
                message = f"{found}\nInput: {title}{shown}{printed}"
                return self._not_yet(
                    message, inputs=inputs, expected=expected[index], got=outcome.value
                )
        return CheckResult(f"Passed: {self.name}, {len(expected)} cases.", passed=True)

    def _difference(self, expected, got):
        if isinstance(expected, tuple) and self.returns:
            names = " and ".join([", ".join(self.returns[:-1]), self.returns[-1]])
            if not isinstance(got, (tuple, list)) or len(got) != len(expected):
                return (
                    f"Return {len(expected)} things, {names}; got {compare.kind(got)}."
                )
            found = (
                compare.difference(e, g, name)
                for e, g, name in zip(expected, got, self.returns, strict=True)
            )
            return next(filter(None, found), None)
        return compare.difference(expected, got)

    def _diagnosis(self, index, outcomes):
        """The message of the known wrong answer that does the same on case `index`, and
        on most others; or nothing.
        """
        alike = [
            (sum(map(_alike, outcomes, wrong)), message)
            for message, wrong in self._wrong_outcomes
            if _alike(outcomes[index], wrong[index])
        ]
        return (
            textwrap.fill(max(alike, key=lambda pair: pair[0])[1], 88) + "\n"
            if alike
            else ""
        )

    def _changed(self, outcome, arguments):
        for name, now, before in zip(
            self._parameters, outcome.arguments, arguments, strict=False
        ):
            if not callable(before) and not compare.same(sandbox.plain(before), now):
                return (
                    f"Your function changes its argument {name} in place. Work on a"
                    " copy."
                )
        return None

    @property
    def _parameters(self):
        return list(inspect.signature(self.reference_solution).parameters)

    def _signature_problem(self, attempt, counts):
        wanted = inspect.signature(self.reference_solution)
        try:
            own = inspect.signature(attempt)
        except ValueError:  # some compiled functions tell no signature
            return None
        names, own_names = list(wanted.parameters), list(own.parameters)
        problem = f"Your function should take {wanted}, it takes {own}."
        if sorted(names) == sorted(own_names) and names != own_names:
            return problem
        for count in counts:
            try:
                own.bind(*range(count))
            except TypeError:
                return problem
        return None

    def _not_attempted(self):
        return CheckResult(f"Not attempted yet: {self.name}.", attempted=False)

    def _not_yet(self, message, **details):
        return CheckResult(f"Not yet: {self.name}.\n{message}", **details)


class CheckResult:
    """What a check found. Shown as `message`; `inputs` (a dict), `expected` and `got`
    hold the case that failed.
    """

    def __init__(
        self,
        message,
        passed=False,
        attempted=True,
        inputs=None,
        expected=None,
        got=None,
    ):
        self.message, self.passed, self.attempted = message, passed, attempted
        self.inputs, self.expected, self.got = inputs, expected, got

    def __repr__(self):
        return self.message


class Hidden:
    """Text behind a fold: collapsed HTML in the page and in JupyterLab; str() gives the
    text itself.
    """

    def __init__(self, title, parts, text):
        self.title, self.parts, self.text = title, parts, text

    def _repr_html_(self):
        style = (  # else JupyterLab takes the triangle away
            "list-style: revert; cursor: pointer"
        )
        return "\n".join(
            f'<details><summary style="{style}">{summary}</summary>\n{body}\n</details>'
            for summary, body in self.parts
        )

    def __repr__(self):
        return f"{self.title} (folded; print it to read it here)"

    def __str__(self):
        return self.text


def source_of(function):
    """A function's or a class' source without decorators, starting at its `def` or
    `class`.
    """
    source = textwrap.dedent(inspect.getsource(function))
    definition = ast.parse(source).body[0]
    return "\n".join(source.splitlines()[definition.lineno - 1 : definition.end_lineno])


def _highlighted(source):
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    return highlight(source, PythonLexer(), HtmlFormatter()).strip()


def _alike(one, other):
    """Whether two outcomes are the same: equal values, or the same problem."""
    if one.problem or other.problem:
        return (
            bool(one.problem and other.problem)
            and one.problem.split("\n")[0] == other.problem.split("\n")[0]
        )
    return compare.same(one.value, other.value)


def _is_stub(function):
    """Whether a function's body is a docstring, `...` or `pass` and nothing else; of a
    class, that of its `call`.
    """
    if isinstance(function, type):
        owner = next((c for c in function.__mro__ if "call" in vars(c)), None)
        return (
            owner is None
            or owner.__module__.startswith("keras.")
            or _is_stub(vars(owner)["call"])
        )
    if not isinstance(function, (types.FunctionType, types.MethodType)):
        return False
    steps = [
        step
        for step in dis.get_instructions(function)
        if step.opname not in ("RESUME", "NOP")
    ]
    return all(
        step.opname in ("LOAD_CONST", "RETURN_VALUE", "RETURN_CONST")
        and step.argval is None
        for step in steps
    )
