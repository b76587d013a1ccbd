"""Do the checks see small mistakes? Each solution is changed in one place, in every way
of tests/mutation.py.

A mutant that gives other results than the solution, on the exercise's cases drawn with
other seeds or on harder inputs, must be refused; at least 95 % of them have to be, and
every one that is not stands in ACCEPTED with the reason.

    python -m pytest tests/test_exercise_mutants.py -rP        also prints the counts
"""

import functools

import numpy as np
import pytest
from mutation import harder, mutants
from test_exercises import ALL_EXERCISES

from attnlib import reference as ref
from attnlib.checking import sandbox
from attnlib.checking.exercise import Exercise

SEEDS = (1, 2, 3)
SECONDS = 0.5  # for one call; a mutant may loop for ever

# Exercise -> {mutant: why its other results are no mistake, or cannot be told from the
# solution's}.
ACCEPTED = {}
COUNTS = {}


def inputs(exercise):
    """Arguments to compare on, anew at each call: the cases of other seeds, and the
    same made harder.
    """
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        for _, arguments in exercise.cases(np.random.default_rng(seed)):
            yield arguments
        for _, arguments in exercise.cases(np.random.default_rng(seed)):
            if exercise.observe is None and any(
                isinstance(value, np.ndarray) for value in arguments
            ):
                yield harder(arguments, rng)


def outcome(exercise, function, arguments):
    return sandbox.run(
        functools.partial(exercise._result, function, arguments), function, SECONDS
    )


def changes_results(exercise, mutant, right):
    """Whether a mutant differs from the right results on any of the inputs that the
    solution has a result for.
    """
    for expected, arguments in zip(right, inputs(exercise), strict=True):
        if expected.problem is None:
            found = outcome(exercise, mutant, arguments)
            different = found.problem or exercise._difference(
                expected.value, found.value
            )
            if different and not found.timed_out:  # that may be the machine's doing
                return True
    return False


def namespace(exercise):
    """What the solution's text may use."""
    if not isinstance(exercise.reference_solution, type):
        return {"np": np, "ref": ref}
    from attnlib.backend import keras

    return {"np": np, "ref": ref, "keras": keras}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("exercise", ALL_EXERCISES)
def test_exercise_refuses_mutants_of_its_solution(exercise, monkeypatch):
    monkeypatch.setattr(Exercise, "seconds", SECONDS)
    right = [
        outcome(exercise, exercise.reference_solution, arguments)
        for arguments in inputs(exercise)
    ]
    assert sum(result.problem is None for result in right) >= 0.6 * len(right)
    refused, equal, missed = 0, [], []
    for description, mutant in mutants(exercise.source, namespace(exercise)):
        if not exercise.check(mutant).passed:
            refused += 1
        elif changes_results(exercise, mutant, right):
            missed.append(description)
        else:
            equal.append(description)
    COUNTS[exercise.name] = refused, len(missed), len(equal)
    print(
        f"{exercise.name}: {refused} mutants refused, {len(missed)} pass: {missed};"
        f" {len(equal)} equal: {equal}"
    )
    assert refused >= 20
    assert set(missed) == set(ACCEPTED.get(exercise.name, {}))
    assert len(missed) <= 0.05 * (refused + len(missed))


def test_mutants_of_every_exercise_counted():
    """Over all exercises that were tried in this run."""
    assert COUNTS, "run the whole file: this counts what the tests before it found"
    refused, missed, _ = np.sum(list(COUNTS.values()), axis=0)
    print(
        f"{len(COUNTS)} exercises: {refused + missed} mutants change results, {refused}"
        " of them are refused"
    )
    assert refused / (refused + missed) >= 0.95
