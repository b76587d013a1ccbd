"""Every experiment in its quick size."""

import pytest
import test_experiments


@pytest.mark.parametrize("name", test_experiments.NAMES)
def test_experiment_quick_run_writes_a_result_of_the_committed_form(name, tmp_path):
    quick_run = (
        test_experiments.test_experiment_quick_run_writes_a_result_of_the_committed_form
    )
    quick_run(name, tmp_path)
