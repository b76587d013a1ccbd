"""Every misbehavior on every exercise in a real kernel: minutes, not in `make test`."""

import pytest
from misbehaving_submissions import MISBEHAVIORS
from test_exercises import EXERCISES
from test_misbehaving_submissions import cell, run_cells, solution_cells


@pytest.mark.parametrize(
    "index", range(len(EXERCISES)), ids=[exercise.id for exercise in EXERCISES]
)
def test_exercise_in_a_kernel_survives_misbehaving_code(index):
    pairs = [cell(EXERCISES[index], code, expected) for code, expected in MISBEHAVIORS]
    assert (
        run_cells([*pairs, *solution_cells([EXERCISES[index]])])
        == len(MISBEHAVIORS) + 1
    )
