"""Every misbehavior on every exercise in a real kernel. (Minutes; not in `make test`.)"""

import pytest
from misbehaving_submissions import MISBEHAVIORS
from test_exercises import EXERCISES
from test_misbehaving_submissions import cell, rights, run_cells


@pytest.mark.parametrize(
    "place", range(len(EXERCISES)), ids=[exercise.id for exercise in EXERCISES]
)
def test_exercise_in_a_kernel_survives_misbehaving_code(place):
    pairs = [cell(EXERCISES[place], code, expected) for code, expected in MISBEHAVIORS]
    assert run_cells([*pairs, *rights([EXERCISES[place]])]) == len(MISBEHAVIORS) + 1
