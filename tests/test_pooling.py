"""AttentionPooling: against the NumPy reference, the additive score, and finite
differences; masks, saving, and bad arguments.
"""

import numpy as np
import pytest
from layer_oracles import (
    assert_gradients_equal_finite_differences,
    assert_outputs_equal,
    built,
    random_inputs,
    reference_outputs,
)
from numpy.testing import assert_allclose, assert_array_equal

from attnlib import reference as ref
from attnlib.backend import keras
from attnlib.layers import AttentionPooling

MASK = np.array([[True] * 5, [True, True, False, True, False]])


def pooling_case(dtype="float32"):
    """A layer with random weights, and values for it."""
    layer = built(AttentionPooling(4, dtype=dtype), value_dim=3)
    _, values = random_inputs(value_dim=3, dtype=dtype)
    return layer, values


def first_query(outputs):
    """Context and weights without the axis of the one query."""
    context, weights = outputs
    return context[:, 0], weights[:, 0]


def test_pooling_scores_by_hand():
    # tanh(1 * 2 + 0.5) = tanh(2.5), times 3
    assert_allclose(
        ref.pooling_scores([[[1.0]]], [[2.0]], [0.5], [3.0]), [[3 * np.tanh(2.5)]]
    )


def test_pooling_scores_are_additive_scores_of_a_constant_query():
    layer, values = pooling_case("float64")
    w, b, v = layer.get_weights()
    # W_a is the identity, so the query adds the bias.
    query = np.broadcast_to(b, (2, 1, 4))
    additive = ref.additive_scores(query, values, np.eye(4), w, v)
    assert_allclose(ref.pooling_scores(values, w, b, v), additive[:, 0], rtol=1e-6)


@pytest.mark.parametrize("mask", [None, MASK], ids=["all", "masked"])
def test_pooling_equals_the_reference(mask):
    layer, values = pooling_case()
    assert_outputs_equal(
        layer(values, mask=mask),
        first_query(reference_outputs(layer, None, values, mask)),
    )


def test_pooling_gradients_equal_finite_differences_of_the_reference():
    layer, values = pooling_case("float64")
    no_query = np.zeros((2, 0, 3))
    assert_gradients_equal_finite_differences(layer, no_query, values, MASK)


def test_pooling_padding_changes_nothing_and_nothing_gets_zeros():
    layer, values = pooling_case()
    context, weights = layer(values, mask=MASK)
    padded = np.concatenate([values, np.full((2, 3, 3), 9, "float32")], 1)
    more = np.concatenate([MASK, np.zeros((2, 3), bool)], 1)
    assert_allclose(layer(padded, mask=more)[0], context, atol=1e-6)
    assert_array_equal(weights[1][~MASK[1]], [0, 0])
    context, weights = layer(values, mask=np.zeros((2, 5), bool))
    assert_array_equal(context, np.zeros((2, 3)))
    assert_array_equal(weights, np.zeros((2, 5)))


def test_pooling_in_a_functional_model(tmp_path):
    tokens = keras.Input((None,), dtype="int32")
    states = keras.layers.Embedding(9, 3, mask_zero=True)(tokens)
    context, weights = AttentionPooling(4)(states)
    model = keras.Model(tokens, [keras.layers.Dense(1)(context), weights])
    token_ids = np.array([[3, 4, 5, 0, 0], [1, 2, 3, 4, 5]])
    assert_array_equal(model(token_ids)[1][0, 3:], [0, 0])
    trained = keras.Model(tokens, model.outputs[0])
    trained.compile("adam", "mse")
    trained.fit(token_ids, np.ones((2, 1)), verbose=0)
    model.save(tmp_path / "pooling.keras")
    again = keras.saving.load_model(tmp_path / "pooling.keras")
    for one, other in zip(again(token_ids), model(token_ids), strict=True):
        assert_array_equal(one, other)


def test_pooling_refuses_what_does_not_fit():
    layer, values = pooling_case()
    with pytest.raises(
        ValueError,
        match=(
            r"values should have shape \(batch, source_len, value_dim\), got \(2, 3\)"
        ),
    ):
        AttentionPooling(4)(np.zeros((2, 3), "float32"))
    with pytest.raises(
        ValueError,
        match=r"mask should have shape \(batch, source_len\) = \(2, 5\), got \(2, 4\)",
    ):
        layer(values, mask=np.ones((2, 4), bool))
    with pytest.raises(TypeError, match="values should hold floats, got int64"):
        AttentionPooling(4)(np.zeros((2, 5, 3), int))
    with pytest.raises(
        TypeError, match="values should be a tensor or an array, got a list"
    ):
        AttentionPooling(4)([[[1.0]]])
    with pytest.raises(TypeError, match="mask should be boolean"):
        layer(values, mask=np.ones((2, 5), "float32"))
    with pytest.raises(
        ValueError,
        match="values should have a last axis of size 3, .* got shape .2, 5, 7.",
    ):
        layer(np.zeros((2, 5, 7), "float32"))
    with pytest.raises(
        ValueError, match="units should be an integer of 1 or more, got 0"
    ):
        AttentionPooling(0)
