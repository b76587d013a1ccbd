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
import copy
import functools
import html
import inspect
import itertools
import re
import textwrap
import warnings

import numpy as np

from attnlib.checking import compare, isolation, sandbox, stubs

_NOTHING = object()
WIDTH = 88  # characters in a line of a message
NOT_TINY = 6  # numbers in a result: that many do not agree by coincidence


def exercise(cases, hints, returns=(), extract=None, cleanup=None, batch=()):
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
    batch : tuple of str
        The names of the parameters whose first axis is the batch: where a batch fails,
        the message shows one sentence of it that fails alone.

    Returns
    -------
    function
        A decorator that takes the solution and returns an ``Exercise``.
    """
    return lambda solution: Exercise(
        solution, cases, hints, returns, extract, cleanup, batch
    )


class Exercise:
    """One exercise: ``check(your_function)``, ``hint()``, and ``solution()``.

    Parameters
    ----------
    reference_solution : function or class
        The solution. Its name and docstring become those of the exercise.
    cases, hints, returns, extract, cleanup, batch
        As for ``exercise``.

    Attributes
    ----------
    reference_solution : function or class
        The solution, as it was given.
    known_mistakes : list of tuple (str, function)
        The message and the code of each known wrong answer. A message that occurs
        several times is one mistake in several spellings.
    starter : function or None
        The faulty code that the reader's cell starts with, if it does.
    starter_source : str
        The source of that code.
    time_limit : float
        Seconds that one call of the submission may take, shared by all exercises. A
        whole check may take four times as long.
    """

    time_limit = 5  # the time limit in seconds per call: it ends an infinite loop
    starter = None

    def __init__(
        self,
        reference_solution,
        cases,
        hints,
        returns=(),
        extract=None,
        cleanup=None,
        batch=(),
    ):
        self.name = reference_solution.__name__
        self.__doc__ = reference_solution.__doc__
        self.reference_solution = reference_solution
        self.cases = cases
        self.hints = hints
        self.returns = returns
        self.extract = extract
        self.cleanup = cleanup
        self.batch = batch
        self.known_mistakes = []

    def __repr__(self):
        return f"Exercise {self.name}: .check({self.name}), .hint(), .solution()"

    def known_mistake(self, message):
        """Add a known wrong answer; a decorator.

        Parameters
        ----------
        message : str
            What to say to a reader whose results equal those of this wrong answer in
            every case where it is wrong: two cases or more, or one whose result holds
            six numbers or more.

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
        try:
            with isolation.restore():
                return self._check(submission)
        except KeyboardInterrupt:
            return self._not_yet(sandbox.INTERRUPTED)
        except Exception as error:
            return self._not_yet(
                f"The check itself failed ({type(error).__name__}: "
                f"{sandbox.text_of(error)}). That may not be the fault of your answer: "
                "please report it."
            )

    def _check(self, submission):
        wants_class = stubs.is_class(self.reference_solution)
        if not callable(submission) or stubs.is_class(submission) != wants_class:
            return self._not_yet(
                f"check needs the {'class' if wants_class else 'function'} itself: "
                f"write check({self.name}), with nothing after the name."
            )
        patched = isolation.patched_name()
        if patched:
            return self._not_yet(
                f"{patched} is no longer what it was when attnlib was imported. "
                "Restart Python and run the cells again: in Jupyter, restart the "
                "kernel; in the pages of the book, reload the page."
            )
        if stubs.is_stub(submission):
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

    def check_in(self, namespace, source):
        """Check what the code of a cell has left under the exercise's name.

        Parameters
        ----------
        namespace : dict
            The variables after the code has run.
        source : str
            The code, which tells what it defines instead, if it does not define that.

        Returns
        -------
        CheckResult
            As from ``check``.
        """
        if self.name in namespace:
            return self.check(namespace[self.name])
        kind = "class" if stubs.is_class(self.reference_solution) else "function"
        own = stubs.defined_names(source)
        instead = f"; it defines {' and '.join(own)}" if own else ""
        return self._not_yet(
            f"Your code should define a {kind} called {self.name}{instead}."
        )

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
        return [self._expected_of(args) for _, args in self._fresh_cases()]

    def _expected_of(self, args):
        with isolation.restore():
            return sandbox.plain(self._call(self.reference_solution, args))

    @functools.cached_property
    def _argument_counts(self):
        return {len(args) for _, args in self._fresh_cases()}

    @functools.cached_property
    def _mistakes(self):
        return [_Mistake(self, *mistake) for mistake in self.known_mistakes]

    def _call(self, submission, args):
        """The value to compare: the submission's result, or what ``extract`` makes of
        it.
        """
        result = submission(*args)
        if self.extract is None or result is Ellipsis:
            return result
        try:
            return self.extract(result, *args)
        except sandbox.CheckFailed:
            raise
        except Exception as error:
            if sandbox.frame_of(error, submission) is not None:
                raise
            raise sandbox.CheckFailed(
                f"The check could not use your result ({type(error).__name__}: "
                f"{sandbox.text_of(error)})."
            ) from error

    def _fresh_cases(self):
        return list(self.cases(np.random.default_rng(0)))

    def _fresh_case(self, index):
        """One case, made anew, and no case after it."""
        cases = self.cases(np.random.default_rng(0))
        return next(itertools.islice(cases, index, None))

    def _outcome(self, submission, args, time_limit):
        """What the submission does with ``args``."""
        call = functools.partial(self._call, submission, args)
        outcome = sandbox.run(call, submission, time_limit)
        outcome.args_after = [
            None if callable(arg) else sandbox.plain(arg) for arg in args
        ]
        if outcome.timed_out and self.cleanup is not None:
            self.cleanup()
        return outcome

    def _check_cases(self, submission):
        expected, cases = self._expected, self._fresh_cases()
        clock, printed = _Clock(self.time_limit), ""

        def run(args):
            outcome = self._outcome(submission, args, clock.limit())
            clock.spend(outcome)
            return outcome

        for index, (title, args) in enumerate(cases):
            is_last_call = clock.limit() < self.time_limit
            outcome = run(args)
            if outcome.timed_out and is_last_call:
                return self._not_yet(
                    f"After {clock.seconds:g} seconds, your code has finished "
                    f"{index} of {len(cases)} small cases. "
                    "Is there a loop that is much too long?"
                )
            if outcome.interrupted:
                return self._not_yet(outcome.problem)
            if not outcome.attempted or outcome.result is Ellipsis:
                return self._not_attempted()
            _, before = self._fresh_case(index)
            problem = self._problem(expected[index], outcome, before)
            if problem:
                failure = _Failure(title, before, expected[index], outcome, problem)
                diagnosis = self._diagnosis(index, failure, run, clock)
                failure = self._shrunk(failure, run, clock)
                return self._refused(failure, diagnosis)
            printed = printed or outcome.printed
        words = f"\nIt printed, the first time:\n{printed}" if printed else ""
        passed = f"Passed: {self.name}, {len(cases)} cases."
        return CheckResult(passed + words, passed=True)

    def _problem(self, expected, outcome, before):
        """What is wrong with an outcome, in words, or None; before: the arguments as
        they were.
        """
        return (
            outcome.problem
            or self._changed_argument(outcome, before)
            or self._difference(expected, outcome.result)
        )

    def _refused(self, failure, diagnosis):
        problem, printed = failure.problem, failure.outcome.printed
        if failure.outcome.is_finding:
            problem = "\n".join(
                textwrap.fill(line, WIDTH) for line in problem.split("\n")
            )
        if diagnosis and diagnosis != problem:
            problem = textwrap.fill(diagnosis, WIDTH) + "\n" + problem
        inputs = dict(zip(self._parameters, failure.args, strict=False))
        return self._not_yet(
            problem
            + _inputs_in_words(failure.title, inputs, _is_about_shapes(failure))
            + (f"\nIt printed:\n{printed}" if printed else ""),
            inputs=inputs,
            expected=failure.expected,
            got=failure.outcome.result,
        )

    def _difference(self, expected, got):
        if not isinstance(expected, tuple) or not self.returns:
            return compare.difference(expected, got)
        names = " and ".join([", ".join(self.returns[:-1]), self.returns[-1]])
        if not isinstance(got, (tuple, list)) or len(got) != len(expected):
            several = isinstance(got, (tuple, list)) and len(got) != 1
            kind = f"{len(got)} values" if several else compare.kind(got)
            return f"Return {len(expected)} values, {names}; got {kind}."
        problems = map(compare.difference, expected, got, self.returns)
        return next(filter(None, problems), None)

    def _diagnosis(self, index, failure, run, clock):
        """The message of the known mistake that explains the failure in case ``index``,
        or None.

        Its values are wrong there, and the submission gives the same as the mistake in
        every case where that is wrong. The submission is called again only for cases
        that are needed to tell that.
        """
        outcome = failure.outcome
        changed = self._changed_argument(outcome, failure.args)
        if outcome.is_finding or outcome.is_final or changed:
            return None
        outcomes = {index: outcome}

        def agrees(mistake, case):
            if case not in outcomes and not clock.is_over:
                _, args = self._fresh_case(case)
                outcomes[case] = run(args)
            return case in outcomes and self._same(
                mistake.outcome(case), outcomes[case]
            )

        candidates = [
            mistake
            for mistake in self._mistakes
            if agrees(mistake, index)
            and index in mistake.wrong_in
            and mistake.counts
            and (
                mistake.has_values
                or _words(mistake.outcome(index).problem) == _words(outcome.problem)
            )
            and all(agrees(mistake, case) for case in mistake.wrong_in)
        ]
        if not candidates:
            return None
        return max(candidates, key=lambda mistake: len(mistake.wrong_in)).message

    def _same(self, one, other):
        """Whether two outcomes are the same: equal results, or the same problem; of
        an error, its kind, because its words depend on how the code is written.
        """
        if one.problem and other.problem:
            return _first_words(one.problem) == _first_words(other.problem)
        if one.problem or other.problem:
            return False
        unsupported = sandbox.UnsupportedValue
        if isinstance(one.result, unsupported) or isinstance(other.result, unsupported):
            return compare.equal(one.result, other.result)
        return self._difference(one.result, other.result) is None

    def _shrunk(self, failure, run, clock):
        """The same failure for one sentence of the batch, where one fails alone."""
        places = [i for i, name in enumerate(self._parameters) if name in self.batch]
        args = failure.args
        size = len(args[places[0]]) if places and not failure.outcome.is_final else 1
        for sentence in self._sentences(size, args) if size > 1 else ():

            def alone(sentence=sentence):
                cut = slice(sentence, sentence + 1)
                return tuple(
                    copy.deepcopy(arg[cut] if i in places and arg is not None else arg)
                    for i, arg in enumerate(args)
                )

            if clock.is_over:
                break
            outcome = run(alone())
            expected = self._expected_of(alone())
            problem = self._problem(expected, outcome, alone())
            if problem and not outcome.is_final:
                title = f"{failure.title}; only sentence {sentence + 1} of {size}"
                return _Failure(title, alone(), expected, outcome, problem)
        return failure

    @staticmethod
    def _sentences(size, args):
        """The places in a batch, those without any word last: what an answer does with
        an empty sentence says little about its other mistakes.
        """
        masks = [a for a in args if isinstance(a, np.ndarray) and a.dtype == bool]
        masks = [mask for mask in masks if len(mask) == size]
        return sorted(range(size), key=lambda i: not all(m[i].any() for m in masks))

    def _changed_argument(self, outcome, args):
        if outcome.problem:
            return None
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
    try:
        from pygments import highlight
        from pygments.formatters import HtmlFormatter
        from pygments.lexers import PythonLexer
    except ModuleNotFoundError:  # in a web page
        return f"<pre>{html.escape(source)}</pre>"
    return highlight(source, PythonLexer(), HtmlFormatter()).strip()


def _inputs_in_words(title, inputs, by_shape):
    """The title of a case and its inputs, each on a line; ``by_shape``: an array that
    needs more than a line of the page is shown by its shape.
    """
    lines = []
    for name, value in inputs.items():
        line = f"  {name} = {compare.show(sandbox.plain(value))}"
        if by_shape and isinstance(value, np.ndarray) and len(line) > WIDTH:
            line = f"  {name} = {compare.kind(value)}"
        lines.append(f"\n{line}")
    return f"\nInput: {title}{''.join(lines)}"


def _is_about_shapes(failure):
    """Whether no number of the inputs helps to understand what is wrong: arrays did not
    fit, or the result has another shape.
    """
    problem = failure.problem
    if problem.startswith("Your code raised "):
        return "shape" in problem or "dimension" in problem
    first_line = problem.split("\n")[0]
    return " should have shape " in first_line and first_line.endswith(".")


def _words(problem):
    """The words of an error, without the axis, which depends on how it is written."""
    return re.sub(r" for axis .*", "", (problem or "").split("\n")[0])


def _first_words(problem):
    line = problem.split("\n")[0]
    return line.split(":")[0] if line.startswith("Your code raised ") else line


class _Failure:
    """A case that failed: its title, its arguments as they were, what was expected, the
    Outcome, and the problem in words.
    """

    def __init__(self, title, args, expected, outcome, problem):
        self.title = title
        self.args = args
        self.expected = expected
        self.outcome = outcome
        self.problem = problem


class _Mistake:
    """A known mistake, and what it does in the cases of its exercise, once it is asked
    for: most mistakes differ from an answer in the first case that is looked at.
    """

    def __init__(self, owner, message, function):
        self.owner = owner
        self.message = message
        self.function = function
        self.outcomes = {}

    def outcome(self, case):
        """Its Outcome in a case. It is code of ours, so no watchdog is needed."""
        if case not in self.outcomes:
            _, args = self.owner._fresh_case(case)
            call = functools.partial(self.owner._call, self.function, args)
            with isolation.restore(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self.outcomes[case] = sandbox.describe(call, self.function)
        return self.outcomes[case]

    @functools.cached_property
    def wrong_in(self):
        """The cases in which it differs from the right answer."""
        expected = self.owner._expected
        return [
            case
            for case in range(len(expected))
            if self.outcome(case).problem
            or self.owner._difference(expected[case], self.outcome(case).result)
        ]

    @property
    def has_values(self):
        """Whether it gives wrong values at all, and not only errors: an error of the
        same kind may have another reason.
        """
        return any(not self.outcome(case).problem for case in self.wrong_in)

    @property
    def counts(self):
        """Whether these are enough to recognize it by."""
        expected = self.owner._expected
        sizes = [compare.count(expected[case]) for case in self.wrong_in]
        return len(sizes) > 1 or sum(sizes) >= NOT_TINY


class _Clock:
    """The time that a whole check may take: four calls of ``time_limit`` seconds, not
    counting imports.
    """

    def __init__(self, time_limit):
        self.time_limit = time_limit
        self.seconds = self.left = 4 * time_limit

    @property
    def is_over(self):
        return self.left <= 0

    def limit(self):
        """The seconds that the next call may take."""
        return min(self.time_limit, max(self.left, 0.01))

    def spend(self, outcome):
        """Count what a call has taken; after one that was stopped, no other follows."""
        self.left = 0 if outcome.is_final else self.left - outcome.seconds
