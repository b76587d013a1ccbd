"""The solutions of chapter 01 against the reference, hand calculations,
and scikit-learn's kernels.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.metrics.pairwise import rbf_kernel

from attnlib import reference as ref
from attnlib.exercises import psychology


def test_softmax_by_hand_and_as_the_reference():
    assert_allclose(
        psychology.softmax.reference_solution(np.array([0.0, np.log(3)])), [0.25, 0.75]
    )
    scores = 400 * np.random.default_rng(0).normal(size=(3, 4, 5))
    assert_allclose(psychology.softmax.reference_solution(scores), ref.softmax(scores))


def test_masked_softmax_is_the_reference():
    rng = np.random.default_rng(0)
    scores, mask = 30 * rng.normal(size=(20, 5)), rng.random((20, 5)) < 0.5
    mask[0] = False
    assert_allclose(
        psychology.masked_softmax.reference_solution(scores, mask),
        ref.softmax(scores, mask),
    )


def test_temperature_by_hand():
    assert_allclose(
        psychology.temperature.reference_solution(np.array([0.0, 2 * np.log(3)]), 2.0),
        [0.25, 0.75],
    )
    assert_allclose(
        psychology.temperature.reference_solution(np.array([0.0, 1.0]), 1e9), [0.5, 0.5]
    )


def test_kernel_regression_is_the_ratio_of_kernels_where_that_is_finite():
    rng = np.random.default_rng(0)
    query, keys, values = rng.normal(size=4), rng.normal(size=6), rng.normal(size=6)
    kernel = rbf_kernel(query[:, None], keys[:, None], gamma=1 / (2 * 0.7**2))
    expected = kernel @ values / kernel.sum(1)
    assert_allclose(
        psychology.kernel_regression.reference_solution(query, keys, values, 0.7),
        expected,
    )
    assert psychology.kernel_regression.reference_solution(
        np.array([1e3]), keys, values, 0.7
    ) == pytest.approx(values[keys.argmax()])
