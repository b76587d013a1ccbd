"""Every misbehaviour on every exercise in a real kernel. (Minutes; not in `make test`.)"""

import pytest
from learners import MISBEHAVIOURS
from test_exercises import EXERCISES
from test_learners import cell, rights, run_cells


@pytest.mark.parametrize(
    "place", range(len(EXERCISES)), ids=[exercise.id for exercise in EXERCISES]
)
def test_exercise_in_a_kernel_survives_misbehaving_code(place):
    pairs = [cell(EXERCISES[place], code, expected) for code, expected in MISBEHAVIOURS]
    assert run_cells([*pairs, *rights([EXERCISES[place]])]) == len(MISBEHAVIOURS) + 1
