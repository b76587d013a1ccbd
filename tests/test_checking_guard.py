"""What a check keeps: the reader's interrupt, the notebook's settings, and everything
that an answer may change.
"""

import builtins
import gc
import itertools
import math
import os
import random
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
import warnings

import numpy as np
import pytest
from test_exercises import SAMPLE

from attnlib.checking import exercise, sandbox
from attnlib.checking.exercise import Exercise
from attnlib.exercises import bahdanau, psychology


def cases(rng):
    for number in (1.0, 2.0, 3.0, 4.0):
        yield f"number {number:g}", (np.array([number, 0.0]),)


@exercise.exercise(cases, hints=["Add."])
def plus_one(numbers):
    """numbers + 1."""
    return numbers + 1


@plus_one.known_mistake("You add 2.")
def plus_two(numbers):
    return numbers + 2


@plus_one.known_mistake("You subtract.")
def minus_one(numbers):
    return numbers - 1


@plus_one.known_mistake("You double.")
def double(numbers):
    return 2 * numbers


RIGHT = plus_one.reference_solution


# Interrupts and time


def test_interrupt_ends_the_check():
    calls = []

    def interrupted(numbers):
        calls.append(1)
        raise KeyboardInterrupt

    result = plus_one.check(interrupted)
    assert len(calls) == 1
    assert result.message == f"Not yet: plus_one.\n{sandbox.INTERRUPTED}"


def test_interrupt_in_a_later_case_ends_the_check():
    calls = []

    def later(numbers):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return numbers + 1

    assert sandbox.INTERRUPTED in plus_one.check(later).message
    assert len(calls) == 2


def test_interrupt_while_a_diagnosis_is_looked_for_ends_the_calls():
    calls = []

    def later(numbers):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return numbers + 2

    message = plus_one.check(later).message
    assert len(calls) == 2 and "You add 2." not in message


def test_interrupt_by_a_real_signal_ends_the_check():
    def sends(numbers):
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(10**9):
            pass

    started = time.monotonic()
    assert sandbox.INTERRUPTED in plus_one.check(sends).message
    assert time.monotonic() - started < Exercise.time_limit


def test_interrupt_of_the_check_itself_raises_nothing(monkeypatch):
    def interrupt(submission):
        raise KeyboardInterrupt

    monkeypatch.setattr(exercise.stubs, "is_stub", interrupt)
    assert sandbox.INTERRUPTED in plus_one.check(RIGHT).message


def test_check_as_a_whole_has_a_time_budget(monkeypatch):
    monkeypatch.setattr(Exercise, "time_limit", 0.1)

    @exercise.exercise(
        lambda rng: (("again", (np.ones(2),)) for _ in range(50)), hints=["-"]
    )
    def plus(numbers):
        """numbers + 1."""
        return numbers + 1

    calls = []

    def slow(numbers):
        calls.append(1)
        time.sleep(0.05)
        return numbers + 1

    result = plus.check(slow)
    assert 3 <= len(calls) <= 9
    assert "After 0.4 seconds, your code has finished" in result.message
    found = re.search(r"finished (\d+) of 50 small cases", result.message)
    assert int(found[1]) in (len(calls) - 1, len(calls))


def test_loop_after_the_first_failure_is_run_once_at_most(monkeypatch):
    monkeypatch.setattr(Exercise, "time_limit", 0.2)
    calls = []

    def loops_later(numbers):
        calls.append(1)
        while numbers[0] > 1:
            pass
        return numbers + 2

    message = plus_one.check(loops_later).message
    assert len(calls) == 2 and "You add 2." not in message
    assert "expected  [2, 1]" in message


# Settings that an earlier cell has made


def set_keras_policy():
    keras = pytest.importorskip("keras")
    keras.config.set_dtype_policy("mixed_float16")
    return lambda: keras.config.set_dtype_policy("float32")


def set_keras_floatx():
    keras = pytest.importorskip("keras")
    keras.config.set_floatx("float64")
    return lambda: keras.config.set_floatx("float32")


def set_keras_image_format():
    keras = pytest.importorskip("keras")
    keras.config.set_image_data_format("channels_first")
    return lambda: keras.config.set_image_data_format("channels_last")


def set_keras_epsilon():
    keras = pytest.importorskip("keras")
    keras.config.set_epsilon(0.5)
    return lambda: keras.config.set_epsilon(1e-7)


def set_eager_functions():
    tf = pytest.importorskip("tensorflow")
    tf.config.run_functions_eagerly(True)
    return lambda: tf.config.run_functions_eagerly(False)


def set_numpy_errors():
    saved = np.seterr(all="raise")
    return lambda: np.seterr(**saved)


def set_numpy_error_call():
    saved, call = np.seterr(all="call"), np.seterrcall(lambda *a: 1 / 0)
    return lambda: (np.seterr(**saved), np.seterrcall(call))


def set_numpy_printing():
    saved = np.get_printoptions()
    np.set_printoptions(precision=1, threshold=2, legacy="1.13")
    return lambda: np.set_printoptions(**saved)


def set_numpy_buffer():
    saved = np.getbufsize()
    np.setbufsize(16)
    return lambda: np.setbufsize(saved)


def set_warnings():
    saved = warnings.filters[:]
    warnings.simplefilter("error")
    return lambda: warnings.filters.__setitem__(slice(None), saved)


def set_recursion_limit():
    saved = sys.getrecursionlimit()
    depth, frame = 0, sys._getframe()
    while frame is not None:
        depth, frame = depth + 1, frame.f_back
    sys.setrecursionlimit(depth + 25)
    return lambda: sys.setrecursionlimit(saved)


def set_matplotlib_style():
    matplotlib = pytest.importorskip("matplotlib")
    saved = dict(matplotlib.rcParams)
    matplotlib.rcParams.update({"image.cmap": "binary", "xtick.bottom": False})
    matplotlib.rcParams["axes.facecolor"] = "black"
    return lambda: dict.update(matplotlib.rcParams, saved)


SETTINGS = [
    set_keras_policy,
    set_keras_floatx,
    set_keras_image_format,
    set_keras_epsilon,
    set_eager_functions,
    set_numpy_errors,
    set_numpy_error_call,
    set_numpy_printing,
    set_numpy_buffer,
    set_warnings,
    set_recursion_limit,
    set_matplotlib_style,
]


def fresh(checked):
    """A copy of the exercise that has computed no expected value yet."""
    copy = Exercise(
        checked.reference_solution,
        checked.cases,
        checked.hints,
        checked.returns,
        checked.extract,
        checked.cleanup,
        checked.batch,
    )
    copy.known_mistakes = checked.known_mistakes
    return copy


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("change", SETTINGS)
def test_solutions_pass_under_every_setting(change, exercises=SAMPLE):
    exercises = [fresh(param.values[0]) for param in exercises]
    put_back = change()
    try:
        before = settings()
        results = [each.check(each.reference_solution) for each in exercises]
        after = settings()
    finally:
        put_back()
    assert [result.message for result in results if not result.passed] == []
    assert after == before


def settings():
    keras = sys.modules.get("keras")
    policy = keras.config.dtype_policy().name if keras else None
    return (
        np.geterr(),
        np.geterrcall(),
        np.get_printoptions(),
        np.getbufsize(),
        list(warnings.filters),
        sys.getrecursionlimit(),
        policy,
        keras and keras.config.floatx(),
    )


def test_keras_layer_is_judged_alike_under_another_policy():
    keras = pytest.importorskip("keras")
    from attnlib.exercises import sentiment

    layer = fresh(sentiment.AttentionLayer)
    keras.config.set_dtype_policy("mixed_float16")
    try:
        result = layer.check(layer.reference_solution)
        assert keras.config.dtype_policy().name == "mixed_float16"
    finally:
        keras.config.set_dtype_policy("float32")
    assert result.passed, result


# What an answer changes


def changes_infinity(numbers):
    np.inf = 0
    return numbers + 1


def changes_pi(numbers):
    math.pi = 3
    return numbers + 1


def changes_isclose(numbers):
    math.isclose = lambda *a, **k: True
    return numbers + 1


def deletes_print(numbers):
    del builtins.print
    return numbers + 1


def deletes_length(numbers):
    del builtins.len
    return numbers + 1


def deletes_exceptions(numbers):
    del builtins.BaseException, builtins.Exception, builtins.isinstance
    raise ValueError


def empties_builtins(numbers):
    keep = builtins.__import__
    vars(builtins).clear()
    builtins.__import__ = keep
    return numbers + 1


def changes_sum(numbers):
    builtins.sum = max
    return numbers + 1


def changes_newaxis(numbers):
    np.newaxis = 0
    return numbers + 1


def changes_random(numbers):
    np.random.default_rng = None
    random.random = lambda: 0.5
    return numbers + 1


def changes_sleep(numbers):
    time.monotonic = lambda: 0.0
    return numbers + 1


def changes_chain(numbers):
    itertools.chain = None
    return numbers + 1


@pytest.mark.parametrize(
    ("submission", "name"),
    [
        (changes_infinity, "np.inf"),
        (changes_pi, "math.pi"),
        (changes_isclose, "math.isclose"),
        (deletes_print, "builtins.print"),
        (deletes_length, "builtins.len"),
        (deletes_exceptions, "builtins."),
        (empties_builtins, "builtins."),
        (changes_sum, "builtins.sum"),
        (changes_newaxis, "np.newaxis"),
        (changes_random, "np.random.default_rng"),
        (changes_sleep, "time.monotonic"),
        (changes_chain, "itertools.chain"),
    ],
)
def test_changed_names_are_put_back_and_refused(submission, name):
    kept = [dict(vars(m)) for m in (np, np.random, math, builtins, random, time)]
    message = plus_one.check(submission).message
    assert f"Your code changed {name}" in message
    assert "It has been put back." in message
    after = [dict(vars(m)) for m in (np, np.random, math, builtins, random, time)]
    for one, other in zip(kept, after, strict=True):
        assert all(other.get(key) is value for key, value in one.items())
    assert plus_one.check(RIGHT).passed
    assert psychology.masked_softmax.check(
        psychology.masked_softmax.reference_solution
    ).passed


def sets_an_alarm(numbers):
    signal.alarm(1)
    time.sleep(3)
    return numbers + 1


def ignores_interrupts(numbers):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return numbers + 1


def sets_a_trace(numbers):
    sys.settrace(lambda *a: None)
    sys.setprofile(lambda *a: None)
    return numbers + 1


def changes_paths(numbers):
    search_path = sys.path
    search_path.clear()
    sys.argv.append("more")
    os.environ["ATTNLIB_DATA"] = "elsewhere"
    return numbers + 1


def removes_modules(numbers):
    del sys.modules["numpy"]
    sys.modules["math"] = None
    return numbers + 1


def stops_collecting(numbers):
    gc.disable()
    return numbers + 1


def changes_hooks(numbers):
    sys.excepthook = sys.displayhook = None
    threading.excepthook = None
    return numbers + 1


def state():
    return (
        signal.getsignal(signal.SIGINT),
        signal.getsignal(signal.SIGALRM),
        signal.getitimer(signal.ITIMER_REAL),
        sys.gettrace(),
        sys.getprofile(),
        list(sys.path),
        list(sys.argv),
        dict(os.environ),
        sys.modules["numpy"],
        sys.modules["math"],
        gc.isenabled(),
        sys.excepthook,
        sys.displayhook,
        threading.excepthook,
    )


@pytest.mark.parametrize(
    "submission",
    [
        sets_an_alarm,
        ignores_interrupts,
        sets_a_trace,
        changes_paths,
        removes_modules,
        stops_collecting,
        changes_hooks,
    ],
)
def test_state_of_the_process_is_put_back(submission):
    before = state()
    result = plus_one.check(submission)
    assert state() == before
    if submission is sets_an_alarm:
        assert "raised TimeoutError: an alarm" in result.message
    else:
        assert result.passed, result
    assert plus_one.check(RIGHT).passed


class RaisesOnClass:
    @property
    def __class__(self):
        raise ValueError("no class")

    def __call__(self, numbers):
        return numbers + 1


class RaisesOnEverything:
    def __getattribute__(self, name):
        raise RuntimeError(f"no {name}")

    def __call__(self, numbers):
        return numbers + 1


class Meta(type):
    def __instancecheck__(cls, instance):
        raise ValueError

    def __getattribute__(cls, name):
        raise ValueError


class OfMeta(metaclass=Meta):
    pass


HANDED_IN = {
    "raises on class": RaisesOnClass(),
    "raises on everything": RaisesOnEverything(),
    "of a metaclass": OfMeta,
    "object": object(),
    "ellipsis": ...,
    "list": [],
}


@pytest.mark.parametrize("name", HANDED_IN)
@pytest.mark.parametrize("checked", [plus_one, bahdanau.alignment_error_rate])
def test_no_object_makes_check_raise(name, checked):
    result = checked.check(HANDED_IN[name])
    assert result.message.splitlines()[0] in (
        f"Not yet: {checked.name}.",
        f"Passed: {checked.name}, 4 cases.",
    )


RETURNED = {
    "raises on class": RaisesOnClass,
    "raises on everything": RaisesOnEverything,
    "of a metaclass": lambda: OfMeta,
}


@pytest.mark.parametrize("name", RETURNED)
def test_no_result_makes_check_raise(name):
    result = plus_one.check(lambda numbers: RETURNED[name]())
    assert result.message.startswith("Not yet: plus_one.\n")
    assert "The check itself failed" not in result.message


def test_check_that_fails_itself_says_so(monkeypatch):
    def broken(submission):
        raise ZeroDivisionError("a fault of ours")

    monkeypatch.setattr(exercise.stubs, "is_stub", broken)
    assert plus_one.check(RIGHT).message == (
        "Not yet: plus_one.\n"
        "The check itself failed (ZeroDivisionError: a fault of ours). That may not be "
        "the fault of your answer: please report it."
    )


# Imports


def run_in_a_new_process(code):
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.mark.parametrize("module", ["keras", "tensorflow", "sklearn.linear_model"])
def test_first_import_inside_an_answer_is_no_loop(module):
    said = run_in_a_new_process(
        f"""
        from attnlib.checking.exercise import Exercise
        from attnlib.exercises import psychology
        Exercise.time_limit = 0.5
        def softmax(scores):
            import {module}
            return psychology.softmax.reference_solution(scores)
        print(psychology.softmax.check(softmax))
        """
    )
    assert "Passed: softmax" in said


def test_time_of_an_import_does_not_count(tmp_path, monkeypatch):
    (tmp_path / "slow_module.py").write_text("import time\ntime.sleep(1)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(Exercise, "time_limit", 0.4)

    def imports(numbers):
        import slow_module  # noqa: F401

        for _ in range(10):  # time enough to be stopped, if the import counted
            time.sleep(0.01)
        return numbers + 1

    assert plus_one.check(imports).passed


def test_loop_after_an_import_is_still_stopped(tmp_path, monkeypatch):
    (tmp_path / "another_slow_module.py").write_text("import time\ntime.sleep(0.5)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(Exercise, "time_limit", 0.2)

    def imports(numbers):
        import another_slow_module  # noqa: F401

        while True:
            pass

    assert "still running after 0.2 seconds" in plus_one.check(imports).message


def test_docstring_promises_only_what_holds():
    for name in ("os._exit", "sum(itertools.repeat(0))", "interpreter's lock"):
        assert name in sandbox.__doc__
