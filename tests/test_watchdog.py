"""The watchdog of a Python without threads, run where there are some: it needs only
Python 3.12. tests/test_engine.py runs it in the Python of the page.
"""

import sys
import time

import misbehaving_submissions as misbehaving
import numpy as np
import pytest

from attnlib.checking import exercise, sandbox
from attnlib.checking.exercise import Exercise

pytestmark = pytest.mark.skipif(
    sys.version_info < (3, 12),
    reason="the watchdog of the page needs sys.monitoring, which is new in Python 3.12",
)
TOOL = sandbox._TimeLimitByEvents.TOOL


@exercise.exercise(lambda rng: [("a number", (np.ones(2),))], hints=["Add."])
def plus_one(numbers):
    """numbers + 1."""
    return numbers + 1


@pytest.fixture(autouse=True)
def watchdog(monkeypatch):
    """The checks of this file have the page's watchdog and little time, and the
    interpreter's events are free again afterward.
    """
    monkeypatch.setattr(sandbox, "_time_limit", sandbox._TimeLimitByEvents)
    monkeypatch.setattr(Exercise, "time_limit", 0.2)
    yield
    assert sys.monitoring.get_tool(TOOL) is None


@pytest.mark.parametrize(
    "loop",
    [
        misbehaving.loops,
        misbehaving.loops_under_except,
        misbehaving.loops_under_bare_except,
        misbehaving.loops_in_a_generator,
    ],
)
def test_events_stop_an_infinite_loop(loop):
    started = time.monotonic()
    result = plus_one.check(loop)
    assert "still running after 0.2 seconds and was stopped" in result.message
    assert 0.2 <= time.monotonic() - started < 5
    assert plus_one.check(plus_one.reference_solution).passed


def test_events_stop_a_loop_of_calls():
    def loops(numbers):
        return list(map(lambda number: number + 1, iter(int, 1)))

    assert "still running after 0.2 seconds" in plus_one.check(loops).message


def test_events_leave_a_quick_answer_alone():
    def counts(numbers):
        return numbers + sum(1 for _ in range(1000)) / 1000

    assert plus_one.check(counts).passed


def test_events_do_not_count_the_time_of_an_import(tmp_path, monkeypatch):
    module = "import time\nfor _ in range(10):\n    time.sleep(0.1)\n"
    (tmp_path / "slow_module_of_events.py").write_text(module)
    monkeypatch.syspath_prepend(str(tmp_path))

    def imports(numbers):
        import slow_module_of_events  # noqa: F401

        return numbers + 1

    assert plus_one.check(imports).passed


def test_events_stop_a_loop_after_an_import(tmp_path, monkeypatch):
    (tmp_path / "quick_module_of_events.py").write_text("import time\ntime.sleep(0.3)")
    monkeypatch.syspath_prepend(str(tmp_path))

    def imports(numbers):
        import quick_module_of_events  # noqa: F401

        while True:
            pass

    assert "still running after 0.2 seconds" in plus_one.check(imports).message


def test_events_of_a_check_within_a_check_end_with_the_outer_one():
    def asks(numbers):
        inner = plus_one.check(plus_one.reference_solution)
        while inner.passed:
            pass

    assert "still running after 0.2 seconds" in plus_one.check(asks).message


def test_events_survive_a_submission_that_frees_them():
    def frees(numbers):
        sys.monitoring.set_events(TOOL, 0)
        sys.monitoring.free_tool_id(TOOL)
        return numbers + 1

    assert plus_one.check(frees).passed


def test_events_give_the_messages_of_threads(monkeypatch):
    submissions = [
        *(misbehaving.raises, misbehaving.exits, misbehaving.recurses),
        *(misbehaving.interrupts, misbehaving.floods, misbehaving.returns_nan),
    ]
    monkeypatch.setattr(Exercise, "time_limit", 20)
    by_events = [plus_one.check(each).message for each in submissions]
    monkeypatch.setattr(sandbox, "_time_limit", sandbox._TimeLimitByThread)
    assert [plus_one.check(each).message for each in submissions] == by_events
