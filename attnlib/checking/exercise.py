"""An exercise: one solution, its cases, and its known mistakes in; check, hint, and
solution out.

An exercise is its solution, a plain function under a decorator::

    @exercise(softmax_cases, hints=["Subtract each row's maximum first."])
    def softmax(scores):
        \"""weights_j = exp(e_j) / sum_k exp(e_k), over the last axis.\"""
        ...

    @softmax.known_mistake("Your weights sum to one over the first axis.")
    def over_the_first_axis(scores):
        ...

``softmax_cases(rng)`` yields (title, arguments) pairs; small ones first, because a
message shows the first that fails. The expected values are the solution's own, so the
tests compare each solution with something independent.
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
    """Turn a solution into an ``Exercise``; a decorator.

    Parameters
    ----------
    cases : function
        Takes a ``numpy.random.Generator`` and yields (title, tuple of arguments).
    hints : list of str
        One or more hints, the gentlest first; text in backticks becomes code.
    returns : tuple of str
        The names of the parts, where the solution returns a tuple.
    extract : function, optional
        Takes (result, \\*arguments) and returns the value to compare, where that is not
        the result itself but, for example, what it drew. It may raise
        ``sandbox.CheckFailed`` with a sentence for the reader.
    cleanup : function, optional
        Called after a call that had to be stopped, for what a library then has left
        half done.

    Returns
    -------
    function
        A decorator that takes the solution and returns an ``Exercise``.
    """
    return lambda solution: Exercise(solution, cases, hints, returns, extract, cleanup)


class Exercise:
    """One exercise: ``check(your_function)``, ``hint()``, and ``solution()``.

    Parameters
    ----------
    reference_solution : function or class
        The solution. Its name and docstring become those of the exercise.
    cases, hints, returns, extract, cleanup
        As for ``exercise``.

    Attributes
    ----------
    reference_solution : function or class
        The solution, as it was given.
    known_mistakes : list of tuple (str, function)
        The message and the code of each known wrong answer.
    starter : function or None
        The faulty code that the reader's cell starts with, if it does.
    starter_source : str
        The source of that code.
    time_limit : float
        Seconds that one call of the submission may take, shared by all exercises.
    """

    time_limit = 5  # the time limit in seconds per call: it ends an infinite loop
    starter = None

    def __init__(
        self, reference_solution, cases, hints, returns=(), extract=None, cleanup=None
    ):
        self.name = reference_solution.__name__
        self.__doc__ = reference_solution.__doc__
        self.reference_solution = reference_solution
        self.cases = cases
        self.hints = hints
        self.returns = returns
        self.extract = extract
        self.cleanup = cleanup
        self.known_mistakes = []

    def __repr__(self):
        return f"Exercise {self.name}: .check({self.name}), .hint(), .solution()"

    def known_mistake(self, message):
        """Add a known wrong answer; a decorator.

        Parameters
        ----------
        message : str
            What to say to a reader whose results equal those of this wrong answer.

        Returns
        -------
        function
            A decorator that returns the wrong answer as it was.
        """

        def add(mistake):
            self.known_mistakes.append((message, mistake))
            return mistake

        return add

    def starter_code(self, symptom):
        """Add the faulty code that the reader's cell starts with; a decorator.

        It is a known mistake, has the name of the exercise, and leaves that name to the
        exercise.

        Parameters
        ----------
        symptom : str
            How one notices the bug, as a sentence.

        Returns
        -------
        function
            A decorator that returns the exercise.
        """

        def add(starter):
            self.starter = starter
            self.known_mistake(f"The bug is still there. {symptom}")(starter)
            return self

        return add

    def check(self, submission=_NOTHING):
        """Check a submission on small inputs; it raises nothing.

        Parameters
        ----------
        submission : function or class
            The reader's answer: a function, or a class where the solution is one.

        Returns
        -------
        CheckResult
            Whether it passed, and what is wrong if it did not.
        """
        wants_class = isinstance(self.reference_solution, type)
        if not callable(submission) or isinstance(submission, type) != wants_class:
            return self._not_yet(
                f"check needs the {'class' if wants_class else 'function'} itself: "
                f"write check({self.name}), with nothing after the name."
            )
        patched = isolation.patched_function()
        if patched:
            owner = "attnlib" if patched.startswith("ref.") else "NumPy"
            return self._not_yet(
                f"{patched} is no longer {owner}'s own function. Restart the kernel "
                "and run the cells again."
            )
        if _is_stub(submission):
            return self._not_attempted()
        counts = self._argument_counts
        outcome = sandbox.run(
            lambda: self._signature_problem(submission, counts),
            submission,
            self.time_limit,
        )
        if outcome.problem or outcome.result:
            return self._not_yet(outcome.problem or outcome.result)
        return self._check_cases(submission)

    def hint(self):
        """Show the hints, folded, one after the other.

        Returns
        -------
        Folded
            JupyterLab and the page show it folded; ``print()`` shows it in a terminal.
        """
        parts = []
        for number, text in enumerate(self.hints, start=1):
            escaped = html.escape(text, quote=False)
            body = re.sub(r"`(.+?)`", r"<code>\1</code>", escaped)
            title = f"Show hint {number}" if len(self.hints) > 1 else "Show a hint"
            parts.append((title, f"<p>{body}</p>"))
        return Folded(f"Hint for {self.name}", parts, "\n".join(self.hints))

    def solution(self):
        """Show one solution, folded.

        Returns
        -------
        Folded
            JupyterLab and the page show it folded; ``print()`` shows it in a terminal.
        """
        part = (f"Show a solution of {self.name}", _highlighted(self.source))
        return Folded(f"Solution of {self.name}", [part], self.source)

    @functools.cached_property
    def source(self):
        """The source of the solution, without its decorator."""
        return source_of(self.reference_solution)

    @functools.cached_property
    def starter_source(self):
        """The source of the code that the reader's cell starts with."""
        return source_of(self.starter)

    @functools.cached_property
    def _expected(self):
        return [
            sandbox.plain(self._call(self.reference_solution, args))
            for _, args in self._fresh_cases()
        ]

    @functools.cached_property
    def _argument_counts(self):
        return {len(args) for _, args in self._fresh_cases()}

    @functools.cached_property
    def _mistake_outcomes(self):
        return [
            (message, self._outcomes(mistake, time_limit=60))
            for message, mistake in self.known_mistakes
        ]

    def _call(self, submission, args):
        """The value to compare: the submission's result, or what ``extract`` makes of
        it.
        """
        result = submission(*args)
        if self.extract is None or result is Ellipsis:
            return result
        return self.extract(result, *args)

    def _fresh_cases(self):
        return list(self.cases(np.random.default_rng(0)))

    def _outcomes(self, submission, time_limit):
        """What the submission does in each case, up to the first that it does not
        finish in time.
        """
        outcomes = []
        for _, args in self._fresh_cases():
            call = functools.partial(self._call, submission, args)
            outcome = sandbox.run(call, submission, time_limit)
            outcome.args_after = [
                None if callable(arg) else sandbox.plain(arg) for arg in args
            ]
            outcomes.append(outcome)
            if outcome.timed_out:
                if self.cleanup is not None:
                    self.cleanup()
                break
        return outcomes

    def _check_cases(self, submission):
        outcomes = self._outcomes(submission, self.time_limit)
        cases = self._fresh_cases()
        for index, outcome in enumerate(outcomes):
            title, args = cases[index]
            if not outcome.attempted or outcome.result is Ellipsis:
                return self._not_attempted()
            expected = self._expected[index]
            problem = (
                outcome.problem
                or self._changed_argument(outcome, args)
                or self._difference(expected, outcome.result)
            )
            if problem:
                inputs = dict(zip(self._parameters, args, strict=False))
                message = (
                    self._diagnosis(index, outcomes)
                    + problem
                    + _inputs_in_words(title, inputs)
                    + (f"\nIt printed:\n{outcome.printed}" if outcome.printed else "")
                )
                return self._not_yet(
                    message, inputs=inputs, expected=expected, got=outcome.result
                )
        return CheckResult(f"Passed: {self.name}, {len(cases)} cases.", passed=True)

    def _difference(self, expected, got):
        if not isinstance(expected, tuple) or not self.returns:
            return compare.difference(expected, got)
        names = " and ".join([", ".join(self.returns[:-1]), self.returns[-1]])
        if not isinstance(got, (tuple, list)) or len(got) != len(expected):
            return f"Return {len(expected)} values, {names}; got {compare.kind(got)}."
        problems = map(compare.difference, expected, got, self.returns)
        return next(filter(None, problems), None)

    def _diagnosis(self, index, outcomes):
        """The message of the known mistake that does the same in case ``index``, and in
        most others; or nothing.
        """
        alike = [
            (sum(map(_same_outcome, outcomes, mistake_outcomes)), message)
            for message, mistake_outcomes in self._mistake_outcomes
            if _same_outcome(outcomes[index], mistake_outcomes[index])
        ]
        if not alike:
            return ""
        _, message = max(alike, key=lambda pair: pair[0])
        return textwrap.fill(message, 88) + "\n"

    def _changed_argument(self, outcome, args):
        both = zip(self._parameters, args, outcome.args_after, strict=False)
        for name, before, after in both:
            if not callable(before) and not compare.equal(sandbox.plain(before), after):
                return (
                    f"Your function changes its argument {name} in place. "
                    "Work on a copy."
                )
        return None

    @property
    def _parameters(self):
        return list(inspect.signature(self.reference_solution).parameters)

    def _signature_problem(self, submission, counts):
        wanted = inspect.signature(self.reference_solution)
        try:
            own = inspect.signature(submission)
        except ValueError:  # some compiled functions have no signature
            return None
        names, own_names = list(wanted.parameters), list(own.parameters)
        problem = f"Your function should take {wanted}, but it takes {own}."
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
    """What a check found; it is shown as its message.

    Attributes
    ----------
    message : str
        What is wrong, or that the submission passed.
    passed, attempted : bool
        Whether the submission is right, and whether it is more than a stub.
    inputs : dict or None
        The arguments of the case that failed, by name.
    expected, got
        The solution's result in that case, and the submission's.
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
        self.message = message
        self.passed = passed
        self.attempted = attempted
        self.inputs = inputs
        self.expected = expected
        self.got = got

    def __repr__(self):
        return self.message


class Folded:
    """Text that is folded in the page and in JupyterLab; ``str()`` gives the text."""

    def __init__(self, title, parts, text):
        self.title = title
        self.parts = parts
        self.text = text

    def _repr_html_(self):
        style = "list-style: revert; cursor: pointer"  # JupyterLab hides the triangle
        return "\n".join(
            f'<details><summary style="{style}">{summary}</summary>\n{body}\n</details>'
            for summary, body in self.parts
        )

    def __repr__(self):
        return f"{self.title} (folded; print it to read it here)"

    def __str__(self):
        return self.text


def source_of(function):
    """The source of a function or a class without decorators, from its ``def`` or
    ``class`` on.
    """
    source = textwrap.dedent(inspect.getsource(function))
    definition = ast.parse(source).body[0]
    return "\n".join(source.splitlines()[definition.lineno - 1 : definition.end_lineno])


def _highlighted(source):
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    return highlight(source, PythonLexer(), HtmlFormatter()).strip()


def _inputs_in_words(title, inputs):
    lines = [
        f"\n  {name} = {compare.show(sandbox.plain(value))}"
        for name, value in inputs.items()
    ]
    return f"\nInput: {title}{''.join(lines)}"


def _same_outcome(one, other):
    """Whether two outcomes are the same: equal results, or the same problem."""
    if one.problem and other.problem:
        return one.problem.split("\n")[0] == other.problem.split("\n")[0]
    if one.problem or other.problem:
        return False
    return compare.equal(one.result, other.result)


# Stubs


def _is_stub(submission):
    """Whether nothing has been written yet: the body is a docstring, ``...``, ``pass``,
    ``return``, or ``raise NotImplementedError``, and nothing else. Of a class, the body
    of its ``call``.
    """
    if isinstance(submission, type):
        owner = next((c for c in submission.__mro__ if "call" in vars(c)), None)
        if owner is None or owner.__module__.startswith("keras."):
            return True
        return _is_stub(vars(owner)["call"])
    if not isinstance(submission, (types.FunctionType, types.MethodType)):
        return False
    definition = _syntax_tree(submission.__code__)
    if definition is None:
        return _steps(submission) == _steps(_empty_function)
    if isinstance(definition, ast.Lambda):
        return _is_none(definition.body)
    return all(map(_does_nothing, definition.body))


def _syntax_tree(code):
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
