"""What takes long, asked of every exercise: `make test` asks it of the first of each
chapter. About fifteen minutes.

    python -m pytest tests/weekly/test_exercises_at_length.py -k NAME -rP

takes one exercise and prints how many mutants of its solution the check refuses.
"""

import pytest
import test_checking_guard
import test_exercise_demands
import test_exercise_mutants
import test_misbehaving_submissions
from test_exercise_mutants import (
    count_mutants,
    limited_memory,  # noqa: F401  (a fixture that every test uses)
)
from test_exercises import ALL_EXERCISES, EXERCISES, every_exercise

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize("exercise", ALL_EXERCISES)
def test_exercise_refuses_mutants_of_its_solution(exercise):
    test_exercise_mutants.test_exercise_refuses_mutants_of_its_solution(exercise)


def test_exercises_refuse_mutants_over_all():
    """Over all exercises; counts them itself where the tests above have not run."""
    counts = [count_mutants(param.values[0]) for param in ALL_EXERCISES]
    refused = sum(number for number, _, _ in counts)
    missed = sum(len(descriptions) for _, descriptions, _ in counts)
    print(
        f"{len(counts)} exercises: {refused + missed} mutants change results, "
        f"{refused} of them are refused"
    )
    assert refused / (refused + missed) >= 0.95


@every_exercise
def test_known_mistake_in_single_precision_is_named_too(exercise):
    test_exercise_demands.test_known_mistake_in_single_precision_is_named_too(exercise)


@every_exercise
def test_exercise_survives_misbehaving_code(exercise, monkeypatch, capsys):
    test_misbehaving_submissions.test_exercise_survives_misbehaving_code(
        exercise, monkeypatch, capsys
    )


@pytest.mark.parametrize("change", test_checking_guard.SETTINGS)
def test_every_solution_passes_under_every_setting(change):
    test_checking_guard.test_solutions_pass_under_every_setting(change, EXERCISES)
