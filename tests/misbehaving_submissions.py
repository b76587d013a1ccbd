"""Submissions that misbehave, and what a check has to say about them: for the tests of
the checks, here and in a kernel.

MISBEHAVIORS: pairs (code, pattern of the message); the code is a function, or an
expression in terms of this module. Where the message names 0.1 seconds, the check waits
no longer than that.
"""

import functools
import os
import random
import sys
import threading
import time
import types as ex  # noqa: F401 (a module, as in check(ex))
import warnings

import numpy as np

from attnlib import reference


def raises(*arguments):
    raise KeyError("mine")


def returns_none(*arguments):
    arguments = list(arguments)


def returns_list(*arguments):
    return [[1.0], "x", None]


def returns_nan(*arguments):
    return np.full((2, 3, 4, 5), np.nan)


def returns_objects(*arguments):
    return np.array([None, 1], dtype=object)


def returns_itself(*arguments):
    return returns_itself


def returns_a_huge_list(*arguments):
    return list(range(10**6))


def returns_a_list_in_itself(*arguments):
    nest = []
    nest.append(nest)
    return nest


def is_a_generator(*arguments):
    yield arguments


async def is_a_coroutine(*arguments):
    return arguments


def returns_a_tensor(*arguments):
    class Tensor:
        """Stands for another framework's array; nobody may call its methods after the
        check.
        """

        __module__, __hash__ = "torch", None

        def __eq__(self, other):
            raise AssertionError

        __repr__ = __array__ = __len__ = __iter__ = __eq__

    return Tensor()


def loops(*arguments):
    while True:
        pass


def loops_under_except(*arguments):
    while True:
        try:
            time.sleep(0.001)
        except Exception:
            pass


def loops_under_bare_except(*arguments):
    while True:
        try:
            while True:
                time.sleep(0.001)
        except:  # noqa: E722
            continue


def loops_in_a_generator(*arguments):
    def numbers():
        while True:
            try:
                yield 1
            except BaseException:
                pass

    return sum(number for number in numbers())


def exits(*arguments):
    sys.exit("bye")


def interrupts(*arguments):
    raise KeyboardInterrupt


def raises_a_base_exception(*arguments):
    raise GeneratorExit


def recurses(*arguments):
    return recurses(*arguments)


def raises_a_bad_exception(*arguments):
    class Bad(Exception):
        def __str__(self):
            raise ValueError

    raise Bad


def raises_a_long_message(*arguments):
    raise ValueError("x" * 10**6)


def floods(*arguments):
    print("flood " * 500_000)
    raise ValueError("after the flood")


def floods_stderr(*arguments):
    for _ in range(50_000):
        sys.stderr.write("flood\n")
    warnings.warn("look here", stacklevel=1)
    raise ValueError("after the flood")


def patches_numpy(*arguments):
    np.exp = np.tanh
    np.linalg.norm = None


def closes_stdout(*arguments):
    sys.stdout.close()
    sys.stdout = None
    raise ValueError("closed")


def changes_settings(*arguments):
    np.seterr(all="raise")
    np.set_printoptions(precision=1)
    sys.setrecursionlimit(5000)
    raise ValueError("changed")


def takes_nothing():
    return 1


def takes_too_much(a, b, c, d, e, f, g, h, i, j, x, y, z):  # more than any exercise
    return 1


def warns(*arguments):
    warnings.warn("look here", stacklevel=1)
    raise ValueError("after the warning")


def runs_out_of_memory(*arguments):
    return np.ones(10**15)


def returns_a_huge_array(*arguments):
    return np.zeros(10**6)


def returns_a_subclass(*arguments):
    return np.ma.masked_array([1.0])


async def is_an_asynchronous_generator(*arguments):
    yield arguments


def raises_stop_iteration(*arguments):
    return next(iter([]))


def starts_a_thread(*arguments):
    def works():
        for _ in range(25):
            time.sleep(0.02)

    threading.Thread(target=works, daemon=True).start()


def patches_the_reference(*arguments):
    reference.softmax = None


def draws_from_the_global_generators(*arguments):
    np.random.seed(1)
    random.seed(1)
    raise ValueError(f"drew {np.random.rand() + random.random():.0f}")


def moves_away(*arguments):
    os.chdir(os.path.abspath(os.sep))
    warnings.simplefilter("error")
    raise ValueError("moved")


class Callable:
    answer = None

    def __call__(self, *arguments):
        return self.answer


class AnswersEverything:
    """Its every attribute is a question to itself, without end."""

    def __call__(self, *arguments):
        return self.answer

    def __getattr__(self, name):
        return getattr(self, name + "_")


@functools.lru_cache
def is_cached(*arguments):
    return None


MISBEHAVIORS = [
    (
        raises,
        r"Your code raised KeyError: 'mine'\n"
        r"  in line \d+ of your cell: raise KeyError\(\"mine\"\)",
    ),
    (returns_none, r"got None|drawn on ax"),
    (returns_list, r"got 3 values|got a list|got +\[\[1\], 'x', None\]|drawn on ax"),
    (
        returns_nan,
        r"got an array of shape \(2, 3, 4, 5\)|"
        r"should have shape .*, got \(2, 3, 4, 5\)|drawn on ax",
    ),
    (returns_objects, r"got an array of dtype object|drawn on ax"),
    (returns_itself, r"got the function returns_itself|drawn on ax"),
    (returns_a_huge_list, r"got a list of 1,000,000 items|drawn on ax"),
    (returns_a_list_in_itself, r"got a list|got +\[\[|drawn on ax"),
    (
        is_a_generator,
        r"got a generator \(it uses yield instead of return\)|drawn on ax",
    ),
    (
        is_a_coroutine,
        r"got a coroutine \(it is defined with async def instead of def\)"
        r"|drawn on ax",
    ),
    (returns_a_tensor, r"got a torch Tensor|drawn on ax"),
    (
        loops,
        r"still running after 0.1 seconds and was stopped. Is there an infinite loop\?",
    ),
    (loops_under_except, "still running after 0.1 seconds"),
    (loops_under_bare_except, "still running after 0.1 seconds"),
    (loops_in_a_generator, "still running after 0.1 seconds"),
    (exits, r"asked Python to exit \(sys.exit, exit, or quit\). Use return instead."),
    (interrupts, "Interrupted. Your code had not finished."),
    (raises_a_base_exception, "Your code raised GeneratorExit."),
    (recurses, r"calls itself endlessly \(RecursionError\)"),
    (raises_a_bad_exception, r"raised Bad: \(its message cannot be read\)"),
    (raises_a_long_message, r"raised ValueError: x{300} \.\.\.\n"),
    (
        floods,
        r"after the flood(?s:.*)It printed:\n(flood ){1666}floo\n"
        r"\.\.\. and 2,990,001 more characters",
    ),
    (floods_stderr, r"after the flood(?s:.*)It printed:\n(flood\n){1000}"),
    (
        patches_numpy,
        r"Your code changed np\.exp\. It has been put back\.",
    ),
    (closes_stdout, "raised ValueError: closed"),
    (changes_settings, "raised ValueError: changed"),
    (takes_nothing, r"Your function should take \(.*\), but it takes \(\)\."),
    (takes_too_much, r"Your function should take \(.*\), but it takes \(a, b, "),
    (warns, "raised ValueError: after the warning"),
    (runs_out_of_memory, "MemoryError: Unable to allocate"),
    (returns_a_huge_array, r"got an array of shape \(1000000,\)|drawn on ax"),
    (returns_a_subclass, "got a numpy MaskedArray|drawn on ax"),
    (
        is_an_asynchronous_generator,
        r"got a coroutine \(it is defined with async def instead of def\)"
        r"|drawn on ax",
    ),
    (raises_stop_iteration, "raised StopIteration"),
    (
        starts_a_thread,
        r"started a thread that is still running\. "
        r"Restart the kernel to end it\.|drawn on ax",
    ),
    (
        patches_the_reference,
        r"Your code changed ref\.softmax\. It has been put back\.",
    ),
    (draws_from_the_global_generators, "raised ValueError: drew 1"),
    (moves_away, "raised ValueError: moved"),
    (is_cached, r"raised TypeError: unhashable type|got None|drawn on ax"),
    ("Callable()", "got None|drawn on ax"),
    ("AnswersEverything()", r"RecursionError|got None|drawn on ax"),
    ("Callable().__call__", "got None|drawn on ax"),
    ("functools.partial(returns_none)", "got None|drawn on ax"),
    (
        "np.frompyfunc(returns_none, 1, 1)",
        r"Your function should take|raised \w*(Type|Value)Error|dtype object|got None",
    ),
    ("lambda *arguments: 1 / 0", "raised ZeroDivisionError: division by zero"),
    ("int", "check needs the (function|class) itself"),
    ("3", r"check needs the (function|class) itself: write check\("),
    ("None", "check needs the (function|class) itself"),
    ("ex", "check needs the (function|class) itself"),
]
