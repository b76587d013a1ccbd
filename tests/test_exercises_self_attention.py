"""The solutions of chapter 07 against Keras, and against numbers worked by hand."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from attnlib.exercises import self_attention


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def test_scaled_dot_product_attention_by_hand_as_the_chapter_gives_it():
    query = np.array([[[1.0, 1, 0, 0]]])
    keys = np.array([[[2.0, 0, 0, 0], [0, 0, 5, 0]]])
    context, weights = self_attention.scaled_dot_product_attention.reference_solution(
        query, keys, keys, np.ones((1, 1, 2), bool)
    )
    assert_allclose(weights, [[[math.e / (math.e + 1), 1 / (math.e + 1)]]])
    assert_allclose(context, [[[2 * math.e / (math.e + 1), 0, 5 / (math.e + 1), 0]]])


def test_scaled_dot_product_attention_equals_keras(rng):
    import keras

    query, keys, values = (
        rng.normal(size=shape) for shape in ((2, 4, 6), (2, 5, 6), (2, 5, 3))
    )
    mask = np.tril(np.ones((2, 4, 5), bool))
    context, weights = self_attention.scaled_dot_product_attention.reference_solution(
        query, keys, values, mask
    )
    layer = keras.layers.Attention(
        score_mode="dot"
    )  # which takes no mask of pairs, but a causal one
    given, of = layer(
        [query / math.sqrt(6), values, keys],
        use_causal_mask=True,
        return_attention_scores=True,
    )
    assert_allclose(context, given, atol=1e-5)
    assert_allclose(weights, of, atol=1e-5)


def test_causal_mask_by_hand_as_the_chapter_gives_it():
    result = self_attention.causal_mask.reference_solution(
        np.array([[True, True, True], [True, True, False]])
    )
    assert_array_equal(result[0], [[1, 0, 0], [1, 1, 0], [1, 1, 1]])
    assert_array_equal(result[1], [[1, 0, 0], [1, 1, 0], [1, 1, 0]])


def test_multi_head_attention_equals_keras(rng):
    import keras

    query, values = rng.normal(size=(2, 4, 6)), rng.normal(size=(2, 5, 6))
    mask = np.arange(5) < np.array([[5], [3]])
    layer = keras.layers.MultiHeadAttention(num_heads=3, key_dim=2, use_bias=False)
    layer.build(query.shape, values.shape)
    result = self_attention.multi_head_attention.reference_solution(
        query, values, *(w.numpy() for w in layer.weights), mask
    )
    assert_allclose(
        result, layer(query, values, attention_mask=mask[:, None, :]), atol=1e-5
    )


def test_sinusoidal_positions_by_hand():
    result = self_attention.sinusoidal_positions.reference_solution(3, 4)
    assert_allclose(result[0], [0, 1, 0, 1])
    assert_allclose(
        result[2], [math.sin(2), math.cos(2), math.sin(2 / 100), math.cos(2 / 100)]
    )
