"""AttentionPooling: against the oracle, the additive score and finite differences;
masks, saving and bad arguments.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from attnlib import reference as ref
from attnlib.backend import keras, tf
from attnlib.layers import AttentionPooling

MASK = np.array([[True] * 5, [True, True, False, True, False]])


def case(dtype="float32"):
    return np.random.default_rng(0).normal(size=(2, 5, 3)).astype(dtype)


def built(**options):
    layer = AttentionPooling(4, **options)
    layer.build((None, None, 3))
    rng = np.random.default_rng(1)
    layer.set_weights([rng.normal(size=w.shape) for w in layer.weights])
    return layer


def oracle(values, weights, mask=None):
    scores = ref.pooling_scores(values, *weights)[:, None]  # (batch, 1, source_len)
    context, alpha = ref.attend(scores, values, mask)
    return context[:, 0], alpha[:, 0]


def test_pooling_scores_by_hand():
    # tanh(1 * 2 + 0.5) = tanh(2.5), times 3
    assert_allclose(
        ref.pooling_scores([[[1.0]]], [[2.0]], [0.5], [3.0]), [[3 * np.tanh(2.5)]]
    )


def test_pooling_scores_are_additive_scores_of_a_constant_query():
    values, (w, b, v) = case("float64"), built().get_weights()
    query = np.broadcast_to(
        b, (2, 1, 4)
    )  # W_a is the identity: the bias is all that the query adds
    additive = ref.additive_scores(query, values, np.eye(4), w, v)
    assert_allclose(ref.pooling_scores(values, w, b, v), additive[:, 0], rtol=1e-6)


@pytest.mark.parametrize("mask", [None, MASK])
def test_layer_equals_the_oracle(mask):
    layer, values = built(), case()
    for one, other in zip(
        layer(values, mask=mask), oracle(values, layer.get_weights(), mask), strict=True
    ):
        assert_allclose(one, other, atol=1e-5)


def test_layer_gradients_equal_finite_differences_of_the_oracle():
    layer, values = built(dtype="float64"), case("float64")
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(values, mask=MASK)[0] ** 2)
    gradients = tape.gradient(loss, layer.trainable_variables)
    weights = layer.get_weights()
    for which, gradient in enumerate(gradients):
        for place in np.ndindex(weights[which].shape):
            ends = []
            for step in (1e-6, -1e-6):
                moved = [w.copy() for w in weights]
                moved[which][place] += step
                ends.append((oracle(values, moved, MASK)[0] ** 2).sum())
            assert gradient.numpy()[place] == pytest.approx(
                (ends[0] - ends[1]) / 2e-6, abs=1e-5
            )


def test_padding_changes_nothing_and_nothing_gets_zeros():
    layer, values = built(), case()
    context, weights = layer(values, mask=MASK)
    padded = np.concatenate([values, np.full((2, 3, 3), 9, "float32")], 1)
    more = np.concatenate([MASK, np.zeros((2, 3), bool)], 1)
    assert_allclose(layer(padded, mask=more)[0], context, atol=1e-6)
    assert_array_equal(weights[1][~MASK[1]], [0, 0])
    context, weights = layer(values, mask=np.zeros((2, 5), bool))
    assert_array_equal(context, np.zeros((2, 3)))
    assert_array_equal(weights, np.zeros((2, 5)))


def test_layer_takes_the_mask_that_keras_carries_and_trains_and_comes_back(tmp_path):
    tokens = keras.Input((None,), dtype="int32")
    states = keras.layers.Embedding(9, 3, mask_zero=True)(tokens)
    context, weights = AttentionPooling(4)(states)
    model = keras.Model(tokens, [keras.layers.Dense(1)(context), weights])
    numbers = np.array([[3, 4, 5, 0, 0], [1, 2, 3, 4, 5]])
    assert_array_equal(model(numbers)[1][0, 3:], [0, 0])
    trained = keras.Model(tokens, model.outputs[0])
    trained.compile("adam", "mse")
    trained.fit(numbers, np.ones((2, 1)), verbose=0)
    model.save(tmp_path / "pooling.keras")
    again = keras.saving.load_model(tmp_path / "pooling.keras")
    for one, other in zip(again(numbers), model(numbers), strict=True):
        assert_array_equal(one, other)


def test_layer_refuses_what_does_not_fit():
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
        built()(case(), mask=np.ones((2, 4), bool))
    with pytest.raises(TypeError, match="values should hold floats, got int64"):
        AttentionPooling(4)(np.zeros((2, 5, 3), int))
    with pytest.raises(
        TypeError, match="values should be a tensor or an array, got a list"
    ):
        AttentionPooling(4)([[[1.0]]])
    with pytest.raises(TypeError, match="mask should be boolean"):
        built()(case(), mask=np.ones((2, 5), "float32"))
    with pytest.raises(ValueError, match="values should be 3 wide"):
        built()(np.zeros((2, 5, 7), "float32"))
    with pytest.raises(
        ValueError, match="units should be a whole number of 1 or more, got 0"
    ):
        AttentionPooling(0)
