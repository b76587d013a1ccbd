"""How exercises are checked, on toy exercises: messages, folds, stubs, and the time
limit of the sandbox.
"""

import functools
import gc
import subprocess
import sys
import textwrap
import threading
import time

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

from attnlib.checking import compare, exercise, sandbox
from attnlib.exercises import bahdanau


def toy_cases(rng):
    yield "two numbers", (np.array([1.0, 3.0]), 2)
    yield "random numbers", (rng.normal(size=30), 5)


@exercise.exercise(
    toy_cases, hints=["Use `numbers + 1`.", "a < b & c"], returns=("scaled", "total")
)
def scale(numbers, factor=1):
    """Multiply and add up."""
    return numbers * factor, float(numbers.sum())


@scale.known_mistake("You divide.")
def divides(numbers, factor=1):
    return numbers / factor, float(numbers.sum())


@scale.known_mistake("You divide, and the total is of the scaled numbers.")
def divides_both(numbers, factor=1):
    return numbers / factor, float((numbers / factor).sum())


@exercise.exercise(toy_cases, hints=["Two lines are in the wrong order."])
def shifted(numbers, by):
    """numbers + by, largest last."""
    return np.sort(numbers + by)


@shifted.starter_code("The last number is not the largest.")
def shifted(numbers, by):
    return numbers[::-1] + by


# Messages


def test_check_names_the_case_the_input_and_both_values():
    result = scale.check(lambda numbers, factor: (numbers * factor, 7.0))
    assert repr(result) == (
        "Not yet: scale.\n"
        "total:\n"
        "  expected  4\n"
        "  got       7\n"
        "Input: two numbers\n"
        "  numbers = [1, 3]\n"
        "  factor = 2"
    )
    assert result.inputs["factor"] == 2
    assert result.expected[1] == 4
    assert result.got[1] == 7


def test_check_shows_large_arrays_by_their_first_difference():
    def wrong_later(numbers, factor):
        scaled = numbers * factor
        if len(scaled) > 10:
            scaled[7:9] = 0.5
        return scaled, float(numbers.sum())

    message = repr(scale.check(wrong_later))
    assert "scaled: 2 of 30 numbers differ, the first at [7]:\n  expected  " in message
    assert message.endswith(
        "\n  got       0.5\n"
        "Input: random numbers\n"
        "  numbers = an array of shape (30,)\n"
        "  factor = 5"
    )


def test_check_takes_the_known_mistake_that_agrees_most():
    assert repr(scale.check(divides)).startswith(
        "Not yet: scale.\nYou divide.\nscaled:\n  expected  [2, 6]\n"
    )
    assert repr(scale.check(divides_both)).startswith(
        "Not yet: scale.\nYou divide, and the total"
    )


def test_starter_code_is_detected_by_its_symptom():
    assert isinstance(shifted, exercise.Exercise)
    assert shifted.check(shifted.reference_solution).passed
    assert repr(shifted.check(shifted.starter)).startswith(
        "Not yet: shifted.\n"
        "The bug is still there. The last number is not the largest.\n"
    )
    assert shifted.starter_source == (
        "def shifted(numbers, by):\n    return numbers[::-1] + by"
    )
    assert shifted.source.endswith("np.sort(numbers + by)")
    assert scale.starter is None


@pytest.mark.parametrize(
    ("submission", "expected"),
    [
        (
            lambda n, f: n,
            "Return 2 values, scaled and total; got an array of shape (2,).",
        ),
        (
            lambda n, f: (n, 1.0, 2.0),
            "Return 2 values, scaled and total; got 3 values.",
        ),
        (
            lambda n, f: {}.get(f),
            "Return 2 values, scaled and total; got None "
            "(is return missing, or not always reached?).",
        ),
        (
            lambda n, f: ((n * f).tolist(), n.sum()),
            "scaled should be a NumPy array of shape (2,), got a list.",
        ),
        (
            lambda n, f: ((n * f)[None], n.sum()),
            "scaled should have shape (2,), got (1, 2).",
        ),
        (
            lambda n, f: ((n * f).astype(int), n.sum()),
            "scaled should have dtype float64, got int64.",
        ),
        (
            lambda n, f: ((n * f).astype("float16"), n.sum()),
            "scaled should have dtype float64, got float16.",
        ),
        (
            lambda n, f: (n * np.nan, n.sum()),
            "scaled (your result holds NaN):\n"
            "  expected  [2, 6]\n"
            "  got       [nan, nan]",
        ),
        (
            lambda n, f: (n * f, str(n.sum())),
            "total should be one number (float), got a str.",
        ),
        (lambda n, f: (n * f, True), "total should be one number (float), got a bool."),
        (
            lambda n, f: (n * f, n),
            "total should be one number (float), got an array of shape (2,).",
        ),
        (lambda n, f: (n * f, 4.0001), "total:\n  expected  4\n  got       4.0001"),
        (lambda n, f: (n * f, 4.00005), "total:\n  expected  4.0\n  got       4.00005"),
    ],
)
def test_check_says_what_kind_of_result_is_wanted(submission, expected):
    assert repr(scale.check(submission)).startswith(
        f"Not yet: scale.\n{expected}\nInput: "
    )


def test_check_accepts_other_precisions_and_scalars():
    assert scale.check(lambda n, f: ((n * f).astype("float32"), n.sum())).passed
    assert scale.check(lambda n, f: (n * f, np.array(n.sum()))).passed
    assert scale.check(lambda *a, **k: scale.reference_solution(*a, **k)).passed


def test_check_says_which_signature_is_wanted():
    assert repr(scale.check(lambda numbers: 1)) == (
        "Not yet: scale.\n"
        "Your function should take (numbers, factor=1), but it takes (numbers)."
    )
    assert "it takes (factor, numbers)." in repr(scale.check(lambda factor, numbers: 1))
    assert repr(scale.check()) == (
        "Not yet: scale.\n"
        "check needs the function itself: "
        "write check(scale), with nothing after the name."
    )


def test_check_shows_a_dict_of_parameters_by_their_shapes():
    parameters = {"w": np.ones((2, 3)), "gru": (np.ones(2), 0.5), "name": "a"}

    @exercise.exercise(lambda rng: [("parameters", (parameters,))], hints=["1"])
    def one(parameters):
        return 1

    message = one.check(lambda parameters: 2).message
    shown = "{'w': shape (2, 3), 'gru': (shape (2,), 0.5), 'name': 'a'}"
    assert f"  parameters = {shown}" in message


def test_check_shows_what_was_printed_where_it_fails_or_else_first():
    def talks(numbers, factor):
        print("hello", numbers.sum())
        return numbers * factor, 0.0

    assert repr(scale.check(talks)).endswith("factor = 2\nIt printed:\nhello 4.0")

    def talks_and_is_right(numbers, factor):
        print("hello", numbers.sum())
        return scale.reference_solution(numbers, factor)

    assert repr(scale.check(talks_and_is_right)) == (
        "Passed: scale, 2 cases.\nIt printed, the first time:\nhello 4.0"
    )


def test_check_in_takes_what_the_code_defines_under_the_name():
    right = {"scale": scale.reference_solution}
    assert scale.check_in(right, "").passed
    assert not scale.check_in({"scale": lambda numbers, factor: 0}, "").passed


@pytest.mark.parametrize(
    ("source", "instead"),
    [
        ("x = 1", ""),
        ("def scalar(numbers): ...", "; it defines scalar"),
        ("class Scale: ...\ndef scaled(): ...", "; it defines Scale and scaled"),
    ],
)
def test_check_in_says_what_the_code_defines_instead(source, instead):
    result = scale.check_in({"other": 1}, source)
    assert result.attempted and not result.passed
    assert result.message == (
        f"Not yet: scale.\nYour code should define a function called scale{instead}."
    )


@pytest.mark.parametrize(
    ("expected", "got", "message"),
    [
        (3, 3.0, "The result should be an integer (int), got a float."),
        (3, np.int32(3), None),
        (3, 4, "The result:\n  expected  3\n  got       4"),
        (float("nan"), float("nan"), None),
        (float("nan"), 0.0, "The result:\n  expected  nan\n  got       0"),
        (1.0, float("inf"), "The result:\n  expected  1\n  got       inf"),
        (
            [1, 2],
            [1],
            "The result should have 2 items, got 1:\n"
            "  expected  [1, 2]\n"
            "  got       [1]",
        ),
        ([1, 2], (1, 2), "The result should be a list, got a tuple."),
        ([1, 2], [1, "2"], "The result:\n  expected  [1, 2]\n  got       [1, '2']"),
        ("a", "b", "The result:\n  expected  'a'\n  got       'b'"),
        ({(0, 1)}, {(1, 0)}, "The result:\n  expected  {(0, 1)}\n  got       {(1, 0)}"),
        ({"A": 1}, {"A": 2}, "A:\n  expected  1\n  got       2"),
        (
            np.array([True, False]),
            np.array([True, True]),
            "The result:\n  expected  [True, False]\n  got       [True, True]",
        ),
        (
            np.array([1, 2]),
            np.array([1.0, 2.0]),
            "The result should have dtype int64, got float64.",
        ),
        (
            np.array([1.0, 2e6]),
            np.array([1.0, 1e-5]),
            "The result:\n  expected  [1, 2e+06]\n  got       [1, 1e-05]",
        ),
    ],
)
def test_difference_says_what_differs(expected, got, message):
    assert compare.difference(expected, sandbox.plain(got)) == message


# Stubs: nothing has been written yet


def unchanged(function):
    return function


def stub_of_a_docstring(numbers, factor=1):
    """Multiply and add up."""


def stub_with_comments(numbers, factor=1):
    # Multiply the numbers,
    # then add them up.
    ...  # your code


def stub_that_passes(numbers, factor=1):
    pass


def stub_that_returns(numbers, factor=1):
    """Multiply and add up."""
    return


def stub_that_returns_none(numbers, factor=1):
    return None


def stub_that_raises(numbers, factor=1):
    """Multiply and add up."""
    raise NotImplementedError


def stub_that_raises_with_a_message(numbers, factor=1):
    raise NotImplementedError("write me")


@unchanged
@unchanged
def decorated_stub(numbers, factor=1):
    """Multiply and add up."""
    ...


def nested_stub():
    def scale(numbers, factor=1):
        """Multiply
        and add up."""

    return scale


class Stubs:
    def method(self, numbers, factor=1):
        """Multiply and add up."""


STUBS = [
    stub_of_a_docstring,
    stub_with_comments,
    stub_that_passes,
    stub_that_returns,
    stub_that_returns_none,
    stub_that_raises,
    stub_that_raises_with_a_message,
    decorated_stub,
    nested_stub(),
    Stubs().method,
    lambda numbers, factor=1: None,
]


@pytest.mark.parametrize("stub", STUBS, ids=lambda stub: stub.__qualname__)
def test_stub_is_recognized_by_its_syntax_tree(stub, monkeypatch):
    monkeypatch.setattr(exercise.stubs, "_steps", None)  # opcodes are not needed
    assert exercise.stubs.is_stub(stub)
    result = scale.check(stub)
    assert repr(result) == "Not attempted yet: scale."
    assert not result.attempted and not result.passed


def first_line_only(numbers, factor=1):
    """Multiply and add up."""
    total = numbers.sum()  # noqa: F841


def returns_a_constant(numbers, factor=1):
    return 0


def raises_another_error(numbers, factor=1):
    raise ValueError


def two_lambdas_on_a_line():
    return (lambda numbers, factor=1: None, lambda numbers, factor=1: 0)[1]


@functools.wraps(stub_of_a_docstring)
def wraps_a_stub(numbers, factor=1):
    return numbers.sum()


@pytest.mark.parametrize(
    "submission",
    [
        first_line_only,
        returns_a_constant,
        raises_another_error,
        two_lambdas_on_a_line(),
        wraps_a_stub,
        lambda numbers, factor=1: 0,
    ],
)
def test_begun_submission_is_no_stub(submission):
    result = scale.check(submission)
    assert result.attempted and repr(result).startswith("Not yet: scale.\n")


@pytest.mark.parametrize(
    ("body", "is_stub"),
    [
        ("...", True),
        ("pass", True),
        ("'''What to do.'''", True),
        ("'''What to do.'''; return", True),
        ("return None", True),
        ("return 0", False),
        ("return numbers", False),
        ("total = None", False),
        ("return [n for n in numbers]", False),
    ],
)
def test_stub_without_source_is_recognized_by_its_instructions(body, is_stub):
    namespace = {}
    exec(f"def scale(numbers, factor=1): {body}", namespace)
    assert exercise.stubs.syntax_tree(namespace["scale"].__code__) is None
    assert scale.check(namespace["scale"]).attempted is not is_stub


# Hints and solutions


def test_hint_is_folded_and_escaped():
    hint = scale.hint()
    summary = '<details><summary style="list-style: revert; cursor: pointer">'
    assert hint._repr_html_() == (
        f"{summary}Show hint 1</summary>\n"
        "<p>Use <code>numbers + 1</code>.</p>\n"
        "</details>\n"
        f"{summary}Show hint 2</summary>\n"
        "<p>a &lt; b &amp; c</p>\n"
        "</details>"
    )
    assert repr(hint) == "Hint for scale (folded; print it to read it here)"
    assert str(hint) == "Use `numbers + 1`.\na < b & c"


def test_solution_is_folded_and_shows_its_source_without_decorator():
    solution = scale.solution()
    html = solution._repr_html_()
    assert (
        html.startswith("<details><summary ")
        and 'Show a solution of scale</summary>\n<div class="highlight">' in html
    )
    assert "numbers" not in repr(solution)
    assert str(solution) == textwrap.dedent('''\
        def scale(numbers, factor=1):
            """Multiply and add up."""
            return numbers * factor, float(numbers.sum())''')


def test_exercise_repr_says_what_can_be_done():
    assert repr(scale) == "Exercise scale: .check(scale), .hint(), .solution()"


# The time limit


def swallow(work):
    while True:
        try:
            work()
        except BaseException:
            pass


def spin():
    while True:
        pass


class Context:
    def __enter__(self):
        pass

    def __exit__(self, *error):
        return True


def swallowed_by_context():
    while True:
        with Context():
            spin()


def swallowed_twice():
    while True:
        try:
            swallow(spin)
        except BaseException:
            for _ in range(3):
                pass


def swallowed_by_finally():
    for _ in iter(int, 1):
        try:
            time.sleep(0.01)
        finally:
            continue  # noqa: B012


def raising_and_swallowing():
    def fail():
        raise ValueError

    swallow(fail)


LOOPS = {
    "a loop": spin,
    "sleep, swallowed": lambda: swallow(lambda: time.sleep(0.05)),
    "a loop, swallowed": lambda: swallow(spin),
    "swallowed twice": swallowed_twice,
    "swallowed by a context": swallowed_by_context,
    "swallowed by finally": swallowed_by_finally,
    "raises and swallows": raising_and_swallowing,
    "prints": lambda: swallow(lambda: print("x" * 1000)),
}


@pytest.mark.parametrize("name", LOOPS)
def test_run_stops_loops(name):
    before = threading.active_count()
    started = time.monotonic()
    outcome = sandbox.run(LOOPS[name], LOOPS[name], 0.1)
    assert outcome.timed_out
    assert (
        outcome.problem
        == "Your code was still running after 0.1 seconds and was stopped. "
        "Is there an infinite loop?"
    )
    assert time.monotonic() - started < 5 and threading.active_count() == before
    spent = sum(range(1000))  # nothing pending is left to be raised here
    assert spent == 499500


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_run_stops_last_words_too():
    def leaves_a_generator():
        def stubborn():
            try:
                yield 1
            finally:
                spin()

        return next(stubborn())

    started = time.monotonic()
    sandbox.run(leaves_a_generator, leaves_a_generator, 0.1)
    gc.collect()
    assert time.monotonic() - started < 5


def test_run_never_lets_the_last_exception_escape():
    """Calls that end at the very moment the time is up, many times over: which of the
    two comes first is chance, and each has one outcome.
    """
    for number in range(300):
        outcome = sandbox.run(
            lambda: time.sleep(0.0005) or "ended", None, 0.0003 + number % 7 * 0.0001
        )
        stopped = (None, True) if outcome.timed_out else ("ended", False)
        assert (outcome.result, outcome.timed_out) == stopped
        assert (outcome.problem is not None) == outcome.timed_out


def test_run_waits_for_an_import_to_end(tmp_path, monkeypatch):
    (tmp_path / "slow_to_import.py").write_text(
        "import time\nfor _ in range(40): time.sleep(0.01)\nready = True\n"
    )
    monkeypatch.syspath_prepend(tmp_path)

    def imports():
        import slow_to_import

        spin()
        return slow_to_import

    assert sandbox.run(imports, imports, 0.1).timed_out
    assert sys.modules["slow_to_import"].ready


def test_run_leaves_the_interpreter_fit_for_a_profiler():
    """A flag left up after a stop makes CPython 3.11 hang under a profiler."""
    code = """
import cProfile, time
from attnlib.checking import sandbox
sandbox.run(lambda: 1, None, 5)
sandbox.run(lambda: time.sleep(0.2), None, 0.1)
profile = cProfile.Profile()
profile.enable()
sandbox.run(lambda: 1, None, 5)
profile.disable()
print("fit")
"""
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30
    )
    assert run.stdout == "fit\n", run.stderr


def test_run_says_when_compiled_code_cannot_be_stopped(capsys):
    outcome = sandbox.run(lambda: time.sleep(2.6), None, 0.1)
    assert outcome.timed_out
    assert capsys.readouterr().out == (
        "Still running after 2 seconds, in an import or in one call into compiled "
        "code, which cannot be stopped from here. Press Interrupt (the square); "
        "if that does not help, restart the kernel.\n"
    )


def test_run_works_in_another_thread():
    outcomes = []
    thread = threading.Thread(
        target=lambda: outcomes.append(sandbox.run(spin, spin, 0.1))
    )
    thread.start()
    thread.join(10)
    assert outcomes[0].timed_out


def test_run_of_a_check_within_a_check():
    def asks_itself(numbers, factor):
        return scale.check(scale.reference_solution).passed, 1.0

    assert "scaled should be a NumPy array of shape (2,), got a bool." in repr(
        scale.check(asks_itself)
    )


def test_plain_copies_and_refuses_what_could_act():
    array = np.ones(3)
    copied = sandbox.plain((array, [1, np.float32(0.5)], {"a": {1, 2}}, np.array(4)))
    assert copied[0] is not array and copied[1:] == ([1, 0.5], {"a": {1, 2}}, 4)
    for value, what in [
        (iter([]), "a list_iterator"),
        (np.ma.masked_array([1]), "a numpy MaskedArray"),
        (np.zeros(200_000), "an array of shape (200000,)"),
        (np.array([print]), "an array of dtype object"),
        (print, "the function print"),
        (object(), "an object"),
    ]:
        assert sandbox.plain(value).description == what


# In a real kernel


def test_check_in_a_kernel_survives_exit_and_input():
    """In a kernel, exit() raises nothing and would end it, and input() has nobody to
    ask; an infinite loop leaves the kernel usable.
    """
    cells = [
        """
from attnlib.checking.exercise import Exercise
from attnlib.exercises.bahdanau import alignment_error_rate
""",
        """
def leaves(links, sure, possible):
    exit()
alignment_error_rate.check(leaves)
""",
        """
def asks(links, sure, possible):
    return input()
alignment_error_rate.check(asks)
""",
        """
Exercise.time_limit = 0.3
def spins(links, sure, possible):
    while True:
        try: pass
        except BaseException: pass
alignment_error_rate.check(spins)
""",
        """
def fails(links, sure, possible):
    a = 1
    return a / 0
alignment_error_rate.check(fails)
""",
        """
def stub(links, sure, possible):
    # 1 - ...
    ...
alignment_error_rate.check(stub)
""",
        """
Exercise.time_limit = 5
alignment_error_rate.check(alignment_error_rate.reference_solution)
""",
        "print('alive')",
    ]
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source.strip()) for source in cells]
    )
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute(
        stderr=subprocess.DEVNULL
    )
    texts = [
        cell.outputs[0].get("text") or cell.outputs[0].data["text/plain"]
        for cell in notebook.cells[1:]
    ]
    assert "asked Python to exit" in texts[0]
    assert "Your code raised StdinNotImplementedError" in texts[1]
    assert "still running after 0.3 seconds" in texts[2]
    assert (
        "raised ZeroDivisionError: division by zero\n"
        "  in line 3 of your cell: return a / 0\n"
    ) in texts[3]
    count = len(bahdanau.alignment_error_rate._fresh_cases())
    assert texts[4:] == [
        "Not attempted yet: alignment_error_rate.",
        f"Passed: alignment_error_rate, {count} cases.",
        "alive\n",
    ]
