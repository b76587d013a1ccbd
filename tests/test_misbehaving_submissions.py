"""Whatever a reader writes into an exercise: one plain message, the kernel lives, and
the next check works.

Each misbehavior of tests/misbehaving_submissions.py is tried on the first exercise of
each chapter here, and once in a real kernel; on every exercise in tests/weekly.
"""

import functools
import inspect
import os
import random
import re
import subprocess
import sys
import threading
import time
import types
import warnings

import misbehaving_submissions
import nbformat
import numpy as np
import pytest
from jupyter_client.manager import start_new_kernel
from misbehaving_submissions import MISBEHAVIORS
from nbclient import NotebookClient
from test_exercises import EXERCISES, every_exercise, first_of_each_chapter

from attnlib import reference
from attnlib.checking import sandbox
from attnlib.checking.exercise import Exercise
from attnlib.exercises import bahdanau

PLAIN = bahdanau.alignment_error_rate  # a quick one, to see that the next check works


def notebook_state():
    """What a check must leave as it was."""
    return (
        sys.stdout,
        sys.stderr,
        sys.getrecursionlimit(),
        np.exp,
        np.linalg.norm,
        reference.softmax,
        np.geterr(),
        np.get_printoptions(),
        random.getstate(),
        np.random.get_state()[1].tolist(),
        os.getcwd(),
        list(warnings.filters),
        threading.active_count(),
    )


def submission_of(code):
    return eval(code, vars(misbehaving_submissions)) if isinstance(code, str) else code


@pytest.mark.filterwarnings("ignore")
@first_of_each_chapter
def test_exercise_survives_misbehaving_code(exercise, monkeypatch, capsys):
    before = notebook_state()
    for code, expected in MISBEHAVIORS:
        monkeypatch.setattr(
            Exercise, "time_limit", 0.1 if "0.1 seconds" in expected else 20
        )
        result = exercise.check(submission_of(code))
        assert not result.passed
        message = repr(result)
        assert message.startswith(f"Not yet: {exercise.name}.\n"), code
        assert re.search(expected, message), f"{code}: {message[:500]}"
        assert len(message) < 20_000
        while (
            code is misbehaving_submissions.starts_a_thread
            and threading.active_count() > before[-1]
        ):
            time.sleep(0.05)
        assert notebook_state() == before, code
        monkeypatch.setattr(Exercise, "time_limit", 20)
        assert PLAIN.check(PLAIN.reference_solution).passed, code
    assert capsys.readouterr() == ("", "")
    assert exercise.check(exercise.reference_solution).passed


# Nearly right results


def spoiled(result):
    """(what was done, result) of every way to return the right numbers as the wrong
    thing.
    """
    if isinstance(result, tuple):
        for index, part in enumerate(result):
            for how, other in spoiled(part):
                yield how, (*result[:index], other, *result[index + 1 :])
        yield "one part more", (*result, 0)
        yield "one part less", result[:-1]
        yield "as a dict", dict(enumerate(result))
    elif isinstance(result, np.ndarray):
        yield "as a list", result.tolist()
        yield "an axis more", result[None]
        yield "one row less", result[:-1]
        yield "as strings", result.astype(str)
        yield "as objects", result.astype(object)
        yield "as complex numbers", result.astype(complex)
        yield (
            "as floats" if result.dtype.kind != "f" else "as ints",
            result.astype("fi"[result.dtype.kind == "f"]),
        )
        if result.dtype.kind == "f":
            yield "in half precision", result.astype("float16")
            yield "as NaN", result * np.nan
            yield (
                "one NaN",
                np.where(
                    np.arange(result.size).reshape(result.shape) == result.size - 1,
                    np.nan,
                    result,
                ),
            )
    elif isinstance(result, (float, int)):
        yield "as a string", str(result)
        yield "in a list", [result]
        yield "as an array of one", np.array([result])
        if result != result:
            yield "as zero", 0.0
        else:
            yield "as NaN", float("nan")
            yield "as infinity", float("inf")
    elif isinstance(result, list):
        yield "as a tuple", tuple(result)
        yield "as an array", np.array(result)
        yield "one item more", [*result, 0]
        yield "one item less", result[:-1] if result else [0]
    yield "as None", None
    yield "as the function itself", spoiled
    yield "as an instance", types.SimpleNamespace(value=result)


@every_exercise
def test_exercise_refuses_the_right_numbers_as_the_wrong_thing(exercise):
    cases = exercise._fresh_cases()
    first = cases[0][1]
    half = any(
        isinstance(argument, np.ndarray) and argument.dtype == np.float16
        for _, arguments in cases
        for argument in arguments
    )
    for number, (how, _) in enumerate(spoiled(exercise.reference_solution(*first))):
        if how == "in half precision" and half:
            continue  # an exercise on half precision accepts it

        def submission(*arguments, number=number):
            others = [
                other for _, other in spoiled(exercise.reference_solution(*arguments))
            ]
            return others[min(number, len(others) - 1)]

        result = exercise.check(submission)
        assert not result.passed and result.attempted, how
        what, *_ = result.message.removeprefix(
            f"Not yet: {exercise.name}.\n"
        ).splitlines()
        assert 10 < len(what) < 400 and "Traceback" not in result.message, (
            result.message
        )


@every_exercise
def test_exercise_refuses_tensors_of_tensorflow(exercise):
    tf = pytest.importorskip("tensorflow")

    def to_tensor(part):
        is_number = isinstance(part, (np.ndarray, float, int))
        return tf.constant(part) if is_number else tf.zeros(1)

    def submission(*arguments):
        result = exercise.reference_solution(*arguments)
        if isinstance(result, tuple):
            return tuple(map(to_tensor, result))
        return to_tensor(result)

    result = exercise.check(submission)
    assert re.search(
        "got a tensorflow EagerTensor|drawn on ax|a tensorflow EagerTensor",
        result.message,
    ), result


@every_exercise
def test_exercise_passes_every_kind_of_callable(exercise):
    """As a method, an object that can be called, a partial, a decorated function, a
    lambda.
    """

    class Object:
        def __call__(self, *arguments):
            return exercise.reference_solution(*arguments)

        def method(self, *arguments):
            return exercise.reference_solution(*arguments)

    @functools.wraps(exercise.reference_solution)
    def decorated(*arguments):
        return exercise.reference_solution(*arguments)

    for submission in (
        Object(),
        Object().method,
        functools.partial(exercise.reference_solution),
        decorated,
        lambda *a: exercise.reference_solution(*a),
    ):
        assert exercise.check(submission).passed, submission


# In a real kernel


def cell(exercise, code, expected):
    """(source, pattern) of a cell that defines the code and checks it."""
    module, name = exercise.id.split(".")
    source, call = (
        ("", code)
        if isinstance(code, str)
        else (f"{inspect.getsource(code)}\n", code.__name__)
    )
    seconds = 0.1 if "0.1 seconds" in expected else 20
    check = f"exercises.{module}.{name}.check({call})"
    return f"{source}Exercise.time_limit = {seconds}\n{check}", expected


def cells():
    """A cell for each misbehavior, the exercises taken in turn; then each exercise,
    solved.
    """
    for index, (code, expected) in enumerate(MISBEHAVIORS):
        yield cell(EXERCISES[index % len(EXERCISES)], code, expected)
    yield from solution_cells(EXERCISES)


def solution_cells(exercises):
    for exercise in exercises:
        name = f"exercises.{exercise.id}"
        check = f"{name}.check({name}.reference_solution)"
        yield f"Exercise.time_limit = 20\n{check}", "^Passed: "


def run_cells(pairs):
    """Run the cells in one kernel and compare what each shows with its pattern. Returns
    how many there were.
    """
    names = ", ".join(sorted({exercise.id.split(".")[0] for exercise in EXERCISES}))
    helpers = "\n".join(
        inspect.getsource(getattr(misbehaving_submissions, name))
        for name in ("Callable", "AnswersEverything", "returns_none")
    )
    first = f"""
import functools, os, random, sys, threading, time, types as ex, warnings
import numpy as np
from attnlib import exercises, reference
from attnlib.exercises import {names}
from attnlib.checking.exercise import Exercise
{helpers}
""".strip()
    pairs = list(pairs)
    sources = [first, *(source for source, _ in pairs)]
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in sources]
    )
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute(
        stderr=subprocess.DEVNULL
    )
    for run, (source, expected) in zip(notebook.cells[1:], pairs, strict=True):
        assert (
            len(run.outputs) == 1 and run.outputs[0].output_type == "execute_result"
        ), (source, run.outputs)
        shown = run.outputs[0].data["text/plain"]
        assert re.search(expected, shown), (source, shown[:500])
    return len(pairs)


def test_checks_in_a_kernel_survive_misbehaving_code():
    assert run_cells(cells()) == len(MISBEHAVIORS) + len(EXERCISES)


@pytest.fixture
def kernel():
    manager, client = start_new_kernel(kernel_name="python3", stderr=subprocess.DEVNULL)
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def test_interrupt_ends_a_check_in_one_native_call(kernel):
    """One call into compiled code cannot be stopped by the check: it says so, and
    Interrupt is the way out.
    """
    manager, client = kernel
    run_cell = functools.partial(client.execute_interactive, timeout=60)
    run_cell("import time")
    run_cell("from attnlib.exercises import bahdanau as ex")
    run_cell("from attnlib.checking.exercise import Exercise")
    run_cell("Exercise.time_limit = 0.1")
    shown = []

    def on_output(message):
        shown.append(
            message["content"].get("text")
            or message["content"].get("data", {}).get("text/plain", "")
        )
        if "Press Interrupt" in shown[-1]:
            manager.interrupt_kernel()

    started = time.monotonic()
    run_cell(
        "ex.alignment_error_rate.check(lambda *arguments: time.sleep(40))",
        output_hook=on_output,
    )
    assert time.monotonic() - started < 30
    text = "".join(shown)
    assert (
        "Still running after 2 seconds" in text
        and "Press Interrupt (the square)" in text
    )
    assert re.search(
        "Not yet: alignment_error_rate.\n(Interrupted|Your code was still running)",
        text,
    ), text
    del shown[:]
    run_cell(
        "ex.alignment_error_rate.check(ex.alignment_error_rate.reference_solution)",
        output_hook=on_output,
    )
    assert "Passed: alignment_error_rate" in "".join(shown)


def test_sandbox_docstring_says_what_still_ends_a_kernel():
    run = subprocess.run(
        [
            sys.executable,
            "-c",
            (
                "import os\nfrom attnlib.exercises import bahdanau as ex\n"
                "ex.alignment_error_rate.check(lambda *arguments: os._exit(7))"
            ),
        ],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 7
    assert "`os._exit`" in sandbox.__doc__
