"""AdditiveAttention: against the NumPy reference, Keras's own layer, and finite
differences.
"""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from layer_oracles import (
    assert_gradients_equal_finite_differences,
    assert_outputs_equal,
    built,
    random_inputs,
    reference_outputs,
)
from numpy.testing import assert_allclose, assert_array_equal

from attnlib import reference, scores
from attnlib.backend import keras, tf
from attnlib.layers import AdditiveAttention

MASK = np.array([[True, True, True, True, True], [True, False, True, False, False]])


def additive(query_dim=4, value_dim=6, units=7, **options):
    return built(AdditiveAttention(units, **options), query_dim, value_dim)


@pytest.mark.parametrize("mask", [None, MASK], ids=["all", "masked"])
def test_additive_equals_the_reference(mask):
    query, values = random_inputs()
    layer = additive()
    assert_outputs_equal(
        layer(query, values, mask=mask), reference_outputs(layer, query, values, mask)
    )
    assert [w.name for w in layer.weights] == ["w_query", "w_keys", "v"]


@pytest.mark.parametrize("mask", [None, MASK], ids=["all", "masked"])
def test_additive_equals_keras_additive_attention_behind_two_dense_layers(mask):
    query, values = random_inputs()
    layer = additive()
    w_query, w_keys, v = layer.get_weights()
    projected = []
    for tensor, weight in ((query, w_query), (values, w_keys)):
        dense = keras.layers.Dense(7, use_bias=False)
        dense.build(tensor.shape)
        dense.set_weights([weight])
        projected.append(dense(tensor))
    theirs = keras.layers.AdditiveAttention()
    theirs.build([projected[0].shape, values.shape, projected[1].shape])
    theirs.set_weights([v])
    inputs = [
        projected[0],
        tf.constant(values),
        projected[1],
    ]  # in Keras's order: query, value, key
    expected = theirs(inputs, mask=[None, mask, None], return_attention_scores=True)
    assert_outputs_equal(layer(query, values, mask=mask), expected)


def test_additive_gradients_equal_finite_differences_of_the_reference():
    query, values = random_inputs(
        target_len=2, source_len=4, query_dim=3, value_dim=3, dtype="float64"
    )
    layer = additive(3, 3, units=4, dtype="float64")
    assert_gradients_equal_finite_differences(layer, query, values, MASK[:, :4])


def test_additive_fully_masked_row_gives_zeros_and_finite_gradients():
    query, values = map(tf.constant, random_inputs())
    layer = additive()
    mask = np.array([[False] * 5, [True] * 5])
    with tf.GradientTape() as tape:
        tape.watch([query, values])
        context, weights = layer(query, values, mask=mask)
        total = tf.reduce_sum(context**2) + tf.reduce_sum(weights**2)
    assert_array_equal(context[0], np.zeros((3, 6)))
    assert_array_equal(weights[0], np.zeros((3, 5)))
    assert_allclose(tf.reduce_sum(weights[1], -1), np.ones(3), rtol=1e-6)
    for gradient in tape.gradient(total, [query, values, *layer.trainable_variables]):
        assert np.isfinite(gradient).all() and np.any(gradient)


@pytest.mark.parametrize("padding", [0.0, 1e3, -1e30])
def test_additive_more_padding_changes_nothing(padding):
    query, values = random_inputs()
    layer = additive()
    context, weights = layer(query, values, mask=MASK)
    longer = np.pad(values, ((0, 0), (0, 4), (0, 0)), constant_values=padding)
    padded = layer(query, longer, mask=np.pad(MASK, ((0, 0), (0, 4))))
    assert_allclose(padded[0], context, rtol=1e-6)
    assert_allclose(padded[1][:, :, :5], weights, rtol=1e-6)
    assert_array_equal(padded[1][:, :, 5:], np.zeros((2, 3, 4)))


def test_additive_permuting_the_source_permutes_the_weights():
    query, values = random_inputs()
    layer = additive()
    order = [3, 0, 4, 2, 1]
    context, weights = layer(query, values, mask=MASK)
    permuted = layer(query, values[:, order], mask=MASK[:, order])
    assert_outputs_equal(permuted, (context, weights.numpy()[:, :, order]))
    assert np.ptp(weights[0]) > 0.1  # not all alike


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_additive_equals_the_reference_at_any_shape(data):
    batch, target_len, source_len, query_dim, value_dim, units = (
        data.draw(st.integers(1, 4)) for _ in range(6)
    )
    query, values = random_inputs(batch, target_len, source_len, query_dim, value_dim)
    mask = data.draw(arrays(bool, (batch, source_len)))
    layer = additive(query_dim, value_dim, units)
    context, weights = layer(query, values, mask=mask)
    assert_outputs_equal(
        (context, weights), reference_outputs(layer, query, values, mask)
    )
    sums = np.repeat(mask.any(1)[:, None], target_len, 1)
    assert_allclose(tf.reduce_sum(weights, -1), sums, atol=1e-6)
    assert (weights.numpy()[np.repeat(~mask[:, None], target_len, 1)] == 0).all()


@pytest.mark.parametrize(
    "batch, source_len", [(1, 1), (2, 1), (1, 5), (2, 0), (1, 5000)]
)
def test_additive_short_and_long_sources(batch, source_len):
    query, values = random_inputs(batch, source_len=source_len)
    layer = additive()
    mask = np.ones((batch, source_len), bool)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for got in (layer(query, values), layer(query, values, mask=mask)):
            assert_outputs_equal(got, reference_outputs(layer, query, values))


def test_additive_batch_equals_one_by_one():
    query, values = random_inputs()
    layer = additive()
    one_by_one = [
        layer(query[i : i + 1], values[i : i + 1], mask=MASK[i : i + 1])
        for i in range(2)
    ]
    assert_outputs_equal(
        layer(query, values, mask=MASK),
        [np.concatenate(parts) for parts in zip(*one_by_one, strict=True)],
    )


@pytest.mark.parametrize(
    "dtype, weights_in, tolerance",
    [
        ("float16", "float16", 2e-2),
        ("bfloat16", "bfloat16", 1e-1),
        ("float32", "float32", 1e-5),
        ("float64", "float64", 1e-12),
        ("mixed_float16", "float32", 2e-2),
        ("mixed_bfloat16", "float32", 1e-1),
    ],
)
def test_additive_dtypes(dtype, weights_in, tolerance):
    query, values = random_inputs(dtype="float64")
    layer = additive(dtype=dtype)
    context, weights = layer(query, values, mask=MASK)
    assert context.dtype == weights.dtype == dtype.removeprefix("mixed_")
    assert {w.dtype for w in layer.weights} == {weights_in}
    outputs = [tf.cast(out, "float64") for out in (context, weights)]
    assert_outputs_equal(
        outputs,
        reference_outputs(layer, query, values, MASK),
        atol=tolerance,
        rtol=tolerance,
    )


def test_additive_large_finite_inputs_give_no_nan():
    query, values = random_inputs()
    layer = additive()
    for scale in (1e4, 1e15, 1e30):
        got = layer(query * np.float32(scale), values * np.float32(scale), mask=MASK)
        assert all(np.isfinite(out).all() for out in got)
        assert_allclose(tf.reduce_sum(got[1], -1), np.ones((2, 3)), rtol=1e-5)


def test_additive_keys_are_projected_once_per_sentence():
    query, values = random_inputs()
    layer = additive()
    keys = layer.project(values)
    assert_allclose(keys, values @ layer.get_weights()[1], rtol=1e-5, atol=1e-5)
    assert_outputs_equal(
        layer(query, values, mask=MASK, keys=keys),
        layer(query, values, mask=MASK),
        atol=0,
        rtol=1e-6,
    )
    assert not np.allclose(
        layer(query, values, keys=keys + 1)[1], layer(query, values)[1]
    )


# The pure functions below the layer


def test_additive_scores_equal_the_reference():
    query, values = random_inputs()
    w = additive().get_weights()
    expected = reference.additive_scores(query, values, *w)
    assert_allclose(
        scores.additive_scores(query, values, *w), expected, rtol=1e-5, atol=1e-5
    )
    assert_allclose(
        scores.additive_scores(query, values @ w[1], w[0], None, w[2]),
        expected,
        rtol=1e-5,
        atol=1e-5,
    )
    assert_outputs_equal(
        scores.attend(tf.constant(expected), values, MASK),
        reference.attend(expected, values, MASK),
    )


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_softmax_equals_the_reference(dtype):
    given_scores = np.array(
        [[-6e4, -6e4, 1000.0], [100, 100, 99], [-1000, 0, 0], [1, 2, 3]]
    )
    mask = np.array(
        [
            [True, True, False],
            [True, True, True],
            [True, False, False],
            [False, False, False],
        ]
    )
    expected = reference.softmax(given_scores, mask)
    got = scores.softmax(tf.cast(given_scores, dtype), mask)
    assert got.dtype == ("float64" if dtype == "float64" else "float32")
    assert_allclose(got, expected, atol=1e-6)
    assert_allclose(
        scores.softmax(given_scores), reference.softmax(given_scores), atol=1e-6
    )
    hidden = np.where(mask, given_scores, np.nan)
    assert_allclose(scores.softmax(tf.cast(hidden, dtype), mask), expected, atol=1e-6)
