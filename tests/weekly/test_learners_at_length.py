"""Every misbehaviour on every exercise in a real kernel. (Minutes; not in `make test`.)"""

import pytest
from learners import MISBEHAVIOURS
from test_exercises import EXERCISES
from test_learners import cell, rights, run_cells


@pytest.mark.parametrize("exercise", EXERCISES)
def test_exercise_in_a_kernel_survives_misbehaving_code(exercise):
    pairs = [cell(exercise, code, expected) for code, expected in MISBEHAVIOURS]
    assert run_cells([*pairs, *rights([exercise])]) == len(MISBEHAVIOURS) + 1
