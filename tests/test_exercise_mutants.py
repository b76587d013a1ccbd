"""Do the checks notice small mistakes? Each solution is changed at one point, in every
way of tests/mutation.py.

A mutant that gives other results than the solution, on the exercise's cases drawn with
other seeds or on harder inputs, must be refused; at least 95 % of them have to be, and
every one that is not is in ACCEPTED with the reason.

Here, this is asked of the first exercise of each chapter, and of every exercise in
tests/weekly/test_exercises_at_length.py. With -rP, pytest prints the counts.
"""

import functools
import resource

import numpy as np
import psutil
import pytest
from mutation import harder, mutants
from test_exercises import first_of_each_chapter

from attnlib import reference as ref
from attnlib.checking import sandbox
from attnlib.checking.exercise import Exercise

SEEDS = (1, 2, 3)
TIME_LIMIT = 0.5  # seconds per call; a mutant may be an infinite loop
LONG = 20  # for the solution, which ends, on a busy machine too

# Exercise -> {mutant: why its different results are not a mistake, or cannot be told
# from those of the solution}.
ACCEPTED = {}


MEMORY = 4 * 2**30  # bytes, beyond what the process has; a mutant may want any number


@pytest.fixture(autouse=True)
def limited_memory():
    """A mutant that asks for too much gets a MemoryError, as a wrong result."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    most = psutil.Process().memory_info().vms + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def inputs(exercise):
    """Arguments to compare on, made anew in each call: the cases of other seeds, and
    the same made harder.
    """
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        for _, args in exercise.cases(np.random.default_rng(seed)):
            yield args
        for _, args in exercise.cases(np.random.default_rng(seed)):
            has_array = any(isinstance(value, np.ndarray) for value in args)
            if exercise.extract is None and has_array:
                yield harder(args, rng)


def outcome(exercise, submission, args, time_limit=TIME_LIMIT):
    return sandbox.run(
        functools.partial(exercise._call, submission, args), submission, time_limit
    )


def changes_results(exercise, mutant, right):
    """Whether a mutant differs from the right results on any of the inputs that the
    solution has a result for.
    """
    for expected, args in zip(right, inputs(exercise), strict=True):
        if expected.problem is None:
            got = outcome(exercise, mutant, args)
            differs = got.problem or exercise._difference(expected.result, got.result)
            if differs and not got.timed_out:  # a busy machine may be why
                return True
    return False


def namespace(exercise):
    """What the solution's text may use."""
    if not isinstance(exercise.reference_solution, type):
        return {"np": np, "ref": ref}
    from attnlib.backend import keras

    return {"np": np, "ref": ref, "keras": keras}


@functools.cache
def count_mutants(exercise):
    """(number refused, descriptions of those that pass though their results differ,
    descriptions of those whose results do not differ).
    """
    right = [
        outcome(exercise, exercise.reference_solution, args, LONG)
        for args in inputs(exercise)
    ]
    assert sum(result.problem is None for result in right) >= 0.6 * len(right)
    refused, missed, equal = 0, [], []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Exercise, "time_limit", TIME_LIMIT)
        for description, mutant in mutants(exercise.source, namespace(exercise)):
            if not exercise.check(mutant).passed:
                refused += 1
            elif changes_results(exercise, mutant, right):
                missed.append(description)
            else:
                equal.append(description)
    return refused, missed, equal


@pytest.mark.filterwarnings("ignore")
@first_of_each_chapter
def test_exercise_refuses_mutants_of_its_solution(exercise):
    refused, missed, equal = count_mutants(exercise)
    print(
        f"{exercise.name}: {refused} mutants refused, {len(missed)} pass: {missed}; "
        f"{len(equal)} equal: {equal}"
    )
    assert refused >= 10
    assert set(missed) == set(ACCEPTED.get(exercise.name, {}))
    assert len(missed) <= 0.05 * (refused + len(missed))
