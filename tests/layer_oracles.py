"""What an attention layer should return: the NumPy reference with the layer's own
weights, and gradients by finite differences.
"""

import numpy as np
from numpy.testing import assert_allclose

from attnlib import reference
from attnlib.backend import tf
from attnlib.decoders import scatter_to_source
from attnlib.layers import AdditiveAttention, AttentionPooling, LocalAttention


def random_inputs(
    batch=2,
    target_len=3,
    source_len=5,
    query_dim=4,
    value_dim=6,
    dtype="float32",
    seed=0,
):
    """Random query and values, all axes of different sizes."""
    rng = np.random.default_rng(seed)
    shapes = (batch, target_len, query_dim), (batch, source_len, value_dim)
    return [rng.normal(size=shape).astype(dtype) for shape in shapes]


def built(layer, query_dim=4, value_dim=6, seed=0):
    """`layer` with random weights, larger than an initializer would make them."""
    shapes = [(None, None, query_dim), (None, None, value_dim)]
    if isinstance(layer, AttentionPooling):
        shapes = shapes[1:]
    layer.build(*shapes)
    rng = np.random.default_rng(seed)
    layer.set_weights([rng.normal(size=w.shape) for w in layer.weights])
    return layer


def outputs(layer, query, values, mask=None, **options):
    """Context and weights of any layer, the weights over the whole source; those of
    pooling as of one query.
    """
    if isinstance(layer, AttentionPooling):
        context, weights = layer(values, mask=mask)
        return context[:, None], weights[:, None]
    if isinstance(layer, LocalAttention):
        context, weights, positions = layer(query, values, mask=mask, **options)
        return context, scatter_to_source(weights, positions, values.shape[1])
    return layer(query, values, mask=mask, **options)


def reference_scores(layer, query, keys, weights):
    """The reference's scores, (batch, target_len, source_len), with `weights`."""
    if isinstance(layer, AttentionPooling):
        return reference.pooling_scores(keys, *weights)[:, None]
    if isinstance(layer, AdditiveAttention):
        return reference.additive_scores(query, keys, *weights)
    if layer.score == "dot":
        return reference.dot_scores(query, keys)
    if layer.score == "general":
        return reference.general_scores(query, keys, weights[0])
    if layer.score == "location":
        return reference.location_scores(query, *weights)[:, :, : keys.shape[1]]
    w, v = weights[:2]
    if layer.concat_identity:
        w = np.concatenate([w, np.eye(keys.shape[2])])
    return reference.concat_scores(query, keys, w, v)


def sentence_lengths(mask):
    """One past the last True of each sentence, (batch,)."""
    return np.array([max(np.flatnonzero(row), default=-1) + 1 for row in mask])


def reference_centers(layer, query, lengths, weights, start=0):
    """The centers of local attention, (batch, target_len): eq. 9 for local-p."""
    lengths = np.asarray(lengths, float)[:, None]
    if layer.center == "monotonic":
        times = start + np.arange(query.shape[1])
        return np.minimum(times, np.maximum(lengths - 1, 0))
    w_p, v_p = weights[-2:]
    return lengths / (1 + np.exp(-np.tanh(query @ w_p) @ v_p))


def reference_outputs(layer, query, values, mask=None, weights=None, start=0):
    """The reference's context and weights over the whole source, in float64, with the
    layer's own weights if none are given.
    """
    query = None if query is None else np.asarray(query, float)
    values = np.asarray(values, float)
    if weights is None:
        weights = [np.asarray(w, float) for w in layer.get_weights()]
    if not isinstance(layer, LocalAttention):
        scores = reference_scores(layer, query, values, weights)
        return reference.attend(scores, values, mask)
    everything = np.ones(values.shape[:2], bool)
    lengths = sentence_lengths(everything if mask is None else mask)
    return reference.local_attend(
        query,
        values,
        values,
        reference_centers(layer, query, lengths, weights, start),
        layer.half_width,
        lambda query, keys: reference_scores(layer, query, keys, weights),
        mask,
        layer.gaussian,
    )


def assert_outputs_equal(got, expected, **tolerance):
    """Context and weights are equal, in shape too."""
    assert len(got) == len(expected) == 2
    for one, other in zip(got, expected, strict=True):
        assert one.shape == other.shape
        assert_allclose(one, other, **{"atol": 1e-5, "rtol": 1e-5, **tolerance})


def assert_gradients_equal_finite_differences(layer, query, values, mask, step=1e-5):
    """The layer's gradients, to its inputs and its weights, are the slopes of the
    reference. A random linear function of context and weights is differentiated.
    """
    rng = np.random.default_rng(1)
    inputs = [tf.constant(query), tf.constant(values)]
    expected = reference_outputs(layer, query, values, mask)
    factors = [rng.normal(size=output.shape) for output in expected]

    with tf.GradientTape() as tape:
        tape.watch(inputs)
        both = zip(outputs(layer, *inputs, mask=mask), factors, strict=True)
        total = sum(tf.reduce_sum(output * factor) for output, factor in both)
    gradients = tape.gradient(total, [*inputs, *layer.trainable_variables])

    arguments = [query, values, *map(np.array, layer.get_weights())]

    def reference_total():
        query, values, *weights = arguments
        both = reference_outputs(layer, query, values, mask, weights)
        return sum(np.sum(o * f) for o, f in zip(both, factors, strict=True))

    for argument, gradient in zip(arguments, gradients, strict=True):
        slopes = finite_differences(reference_total, argument, step)
        if gradient is None:  # pooling has no query
            gradient = np.zeros_like(argument)
        assert_allclose(gradient, slopes, atol=1e-7)


def finite_differences(function, argument, step):
    """The central difference of `function` for each entry of `argument`, an array that
    it reads.
    """
    slopes = np.empty_like(argument)
    for index in np.ndindex(argument.shape):
        saved = argument[index]
        argument[index] = saved + step
        above = function()
        argument[index] = saved - step
        below = function()
        argument[index] = saved
        slopes[index] = (above - below) / (2 * step)
    return slopes
