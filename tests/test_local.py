"""LocalAttention: the gathered window against full scoring in the reference, the
paper's details, and what it costs.
"""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from layer_oracles import (
    assert_gradients_equal_finite_differences,
    built,
    random_inputs,
    reference_outputs,
    sentence_lengths,
)
from numpy.testing import assert_allclose, assert_array_equal

from attnlib import reference
from attnlib.backend import keras, tf
from attnlib.decoders import scatter_to_source
from attnlib.layers import LocalAttention, LuongAttention

MASK = np.array([[True] * 7, [True, False, True, True, False, False, False]])
LENGTHS = np.array([7, 4])  # one past the last True
SCORES, CENTERS = ("dot", "general", "concat"), ("monotonic", "predictive")
KINDS = list(itertools.product(SCORES, CENTERS))


def local_inputs(batch=2, target_len=3, source_len=7, dim=4, dtype="float32"):
    return random_inputs(batch, target_len, source_len, dim, dim, dtype)


def local(score="general", center="predictive", half_width=2, dim=4, **options):
    """A layer with random weights."""
    return built(LocalAttention(score, center, half_width, **options), dim, dim)


class GivenCenters(LocalAttention):
    """Local attention around centers that are given."""

    def centers(self, query, lengths, start=0):
        return tf.constant(self.given)


def given_centers(centers, half_width, **options):
    layer = GivenCenters("general", "monotonic", half_width, **options)
    layer.given = np.asarray(centers, "float32")
    return built(layer, 4, 4)


def test_sentence_lengths_are_those_of_the_masks():
    assert_array_equal(sentence_lengths(MASK), LENGTHS)


def assert_local_outputs_equal(got, expected, source_len, tolerance=1e-5):
    context, weights, positions = got
    weights = scatter_one_by_one(weights, positions, source_len)
    assert_allclose(context, expected[0], atol=tolerance)
    assert_allclose(weights, expected[1], atol=tolerance)


def scatter_one_by_one(weights, positions, source_len):
    """Weights over the whole source."""
    scattered = np.zeros((*weights.shape[:2], source_len))
    for b, t, w in np.ndindex(*weights.shape):
        if 0 <= positions[b, t, w] < source_len:
            scattered[b, t, positions[b, t, w]] += weights[b, t, w]
        else:
            assert weights[b, t, w] == 0
    return scattered


# Against the reference


@pytest.mark.parametrize("gaussian", [None, True, False])
@pytest.mark.parametrize("score, center", KINDS)
def test_local_equals_the_reference(score, center, gaussian):
    query, values = local_inputs()
    layer = local(score, center, gaussian=gaussian)
    assert layer.gaussian == (center == "predictive" if gaussian is None else gaussian)
    for mask in (MASK, None):
        assert_local_outputs_equal(
            layer(query, values, mask=mask),
            reference_outputs(layer, query, values, mask),
            7,
        )


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_local_window_is_full_scoring_with_a_mask(data):
    batch, target_len, source_len, half_width = (
        data.draw(st.integers(1, n)) for n in (3, 3, 9, 12)
    )
    query, values = local_inputs(batch, target_len, source_len)
    margin = half_width + 2
    low, high = -margin, source_len + margin
    # TensorFlow has no subnormal numbers.
    floats = st.floats(low, high, width=32, allow_subnormal=False)
    anywhere = floats | st.integers(low, high)
    centers = data.draw(arrays(np.float32, (batch, target_len), elements=anywhere))
    everything = st.just(np.ones((batch, source_len), bool))
    mask = data.draw(arrays(bool, (batch, source_len)) | everything)
    gaussian = data.draw(st.booleans())
    layer = given_centers(centers, half_width, gaussian=gaussian)
    context, weights, positions = layer(query, values, mask=mask)
    offsets = np.arange(-half_width, half_width + 1)
    assert_array_equal(positions, np.floor(centers).astype(int)[:, :, None] + offsets)
    (w,) = layer.get_weights()
    expected = reference.local_attend(
        query,
        values,
        values,
        centers,
        half_width,
        lambda query, keys: reference.general_scores(query, keys, w),
        mask,
        gaussian,
    )
    assert_local_outputs_equal((context, weights, positions), expected, source_len)
    assert (tf.reduce_sum(weights, -1).numpy() <= 1 + 1e-5).all()
    scattered = scatter_to_source(weights, positions, source_len)
    assert_allclose(scattered, expected[1], atol=1e-5)


@pytest.mark.parametrize(
    "score, center",
    [("general", "predictive"), ("concat", "predictive"), ("dot", "monotonic")],
)
def test_local_gradients_equal_finite_differences_of_the_reference(score, center):
    query, values = local_inputs(target_len=2, dim=3, dtype="float64")
    layer = local(score, center, dim=3, dtype="float64", gaussian=True)
    assert_gradients_equal_finite_differences(layer, query, values, MASK, step=1e-6)


# The details, one by one


def centers_of(layer, query, values, **options):
    """The middle of each window."""
    return layer(query, values, **options)[2].numpy()[:, :, layer.half_width]


def test_local_predicted_center_is_a_share_of_the_true_length():
    query, values = local_inputs()
    layer = local()
    w, w_p, _ = layer.get_weights()
    layer.set_weights([w, w_p, np.zeros(4)])  # v_p = 0: sigmoid(0) = 1/2
    assert_array_equal(centers_of(layer, query, values), np.full((2, 3), 3))  # ⌊7/2⌋
    # Sentence 1 ends with its last True, at 3: neither the padded length nor the number
    # of Trues counts.
    assert_array_equal(centers_of(layer, query, values, mask=MASK), [[3] * 3, [2] * 3])


def test_local_predicted_center_spans_the_sentence_from_its_first_word_to_its_last():
    query, values = local_inputs()
    layer = local()
    w, w_p, v_p = layer.get_weights()
    for sign, expected in ((-1, [0, 0]), (1, [6, 3])):
        # tanh saturates at 1, v_p sums to 8: sigmoid(8) = 0.9997, still below 1.
        layer.set_weights([w, np.eye(4) * 100, np.full(4, 2.0) * sign])
        assert_array_equal(
            centers_of(layer, abs(query) + 1, values, mask=MASK)[:, 0], expected
        )


def test_local_predicted_center_is_that_of_the_authors_code_counted_from_0():
    query, values = local_inputs()
    layer = local(half_width=1)
    _, w_p, v_p = layer.get_weights()
    share = 1 / (1 + np.exp(-np.tanh(query @ w_p) @ v_p))  # (batch, target_len)
    # Their srcLen counts the end token too; sentence 1 has 4 words.
    with_end = np.array([[7], [4]]) + 1
    from_1 = share * (with_end - 1) + 1
    centers = layer.centers(tf.constant(query), np.array([7, 4]))
    assert_allclose(centers, from_1 - 1, rtol=1e-5)
    # So the end token, at position S from 0, is never the middle of a window, and no
    # position at S or beyond has weight.
    _, weights, positions = layer(query, values, mask=MASK)
    assert (np.floor(centers) < [[7], [4]]).all()
    assert (
        weights.numpy()[positions.numpy() >= np.array([7, 4])[:, None, None]] == 0
    ).all()


def test_local_window_is_that_of_the_floor_and_the_gaussian_that_of_the_center():
    query, values = local_inputs(1, 2)
    layer = given_centers([[2.9, 3.0]], 1, gaussian=True)
    layer.set_weights([np.zeros((4, 4))])  # all scores alike
    _, weights, positions = layer(query, values)
    assert_array_equal(positions, [[[1, 2, 3], [2, 3, 4]]])
    distances = np.array([[[-1.9, -0.9, 0.1], [-1, 0, 1]]])
    assert_allclose(weights, np.exp(-2 * distances**2) / 3, rtol=1e-5)  # sigma = 1/2


def test_local_monotonic_center_is_clamped_to_the_last_word():
    query, values = local_inputs(target_len=9)
    layer = local(center="monotonic")
    centers = centers_of(layer, query, values, mask=MASK)
    assert_array_equal(
        centers, [[0, 1, 2, 3, 4, 5, 6, 6, 6], [0, 1, 2, 3, 3, 3, 3, 3, 3]]
    )
    assert_array_equal(
        centers_of(layer, query, values, mask=MASK, start=5)[:, :3],
        [[5, 6, 6], [3, 3, 3]],
    )
    # So no window is empty.
    assert (layer(query, values, mask=MASK)[1].numpy().sum(-1) > 0.999).all()


def test_local_positions_outside_the_sentence_take_no_part_in_the_softmax():
    query, values = local_inputs(target_len=1)
    layer = local(center="monotonic")
    layer.set_weights([np.zeros((4, 4))])
    _, weights, positions = layer(query, values, mask=MASK)
    assert_array_equal(positions[0, 0], [-2, -1, 0, 1, 2])
    third = 1 / 3
    assert_allclose(
        weights[:, 0], [[0, 0, third, third, third], [0, 0, 0.5, 0, 0.5]], rtol=1e-6
    )


def test_local_gaussian_comes_after_the_softmax_and_is_not_normalized():
    query, values = local_inputs()
    with_it, without = (
        local(gaussian=gaussian)(query, values) for gaussian in (True, False)
    )
    assert_array_equal(with_it[2], without[2])
    assert_allclose(tf.reduce_sum(without[1], -1), np.ones((2, 3)), rtol=1e-5)
    assert (tf.reduce_sum(with_it[1], -1).numpy() < 0.9).all()
    share, positions = (with_it[1] / without[1]).numpy(), with_it[2].numpy()
    inside = (positions >= 0) & (positions < 7)
    centers = local().centers(query, np.array([7, 7])).numpy()[:, :, None]
    assert_allclose(
        share[inside], np.exp(-2 * ((positions - centers) / 2) ** 2)[inside], rtol=1e-4
    )


@pytest.mark.parametrize("score", SCORES)
def test_local_center_weights_learn_through_the_gaussian_alone(score):
    query, values = local_inputs()
    for gaussian in (True, False):
        layer = local(score, gaussian=gaussian)
        with tf.GradientTape() as tape:
            context, weights, _ = layer(query, values, mask=MASK)
            total = tf.reduce_sum(context**2) + tf.reduce_sum(weights**2)
        gradients = tape.gradient(total, [layer.w_p, layer.v_p])
        if gaussian:
            assert all(np.abs(gradient).max() > 1e-3 for gradient in gradients)
        else:
            assert gradients == [None, None]


def test_local_fully_masked_sentence_gives_zeros_and_finite_gradients():
    query, values = map(tf.constant, local_inputs())
    mask = np.array([[False] * 7, [True] * 7])
    for center in CENTERS:
        layer = local(center=center)
        with tf.GradientTape() as tape:
            tape.watch([query, values])
            context, weights, _ = layer(query, values, mask=mask)
            total = tf.reduce_sum(context**2) + tf.reduce_sum(weights**2)
        assert_array_equal(context[0], np.zeros((3, 4)))
        assert_array_equal(weights[0], np.zeros((3, 5)))
        assert np.any(context[1])
        for gradient in tape.gradient(
            total, [query, values, *layer.trainable_variables]
        ):
            assert np.isfinite(gradient).all()


@pytest.mark.parametrize("padding", [0.0, 1e3, -1e30])
@pytest.mark.parametrize("center", CENTERS)
def test_local_more_padding_changes_nothing(center, padding):
    query, values = local_inputs()
    layer = local(center=center)
    longer = np.pad(values, ((0, 0), (0, 9), (0, 0)), constant_values=padding)
    padded = layer(query, longer, mask=np.pad(MASK, ((0, 0), (0, 9))))
    for got, expected in zip(padded, layer(query, values, mask=MASK), strict=True):
        assert_allclose(got, expected, rtol=1e-6)


def test_local_source_of_one_word_and_of_none():
    query, values = local_inputs(source_len=1)
    for center in CENTERS:
        layer = local(center=center, gaussian=False)
        assert_allclose(layer(query, values)[0], np.repeat(values, 3, 1), rtol=1e-6)
        context, weights, _ = layer(query, values[:, :0], mask=np.zeros((2, 0), bool))
        assert not np.any(context) and not np.any(weights)


@pytest.mark.parametrize("score, center", KINDS)
def test_local_step_by_step_equals_all_at_once(score, center):
    query, values = local_inputs(target_len=6)
    layer = local(score, center)
    expected = layer(query, values, mask=MASK)
    keys = layer.project(values)
    for start in (lambda t: t, lambda t: np.array([t, t]), tf.constant):
        steps = [
            layer(query[:, t : t + 1], values, mask=MASK, keys=keys, start=start(t))
            for t in range(6)
        ]
        for got, whole in zip(zip(*steps, strict=True), expected, strict=True):
            assert_allclose(np.concatenate(got, 1), whole, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "mixed_bfloat16", "float64"])
def test_local_positions_are_exact_in_every_precision(dtype):
    query, values = local_inputs(1, 2, 6000, dtype="float64")
    layer = local(center="monotonic", dtype=dtype)
    # float16 has no 5001.
    context, weights, positions = layer(query, values, start=5001)
    assert_array_equal(positions[0, :, 2], [5001, 5002])
    assert context.dtype == weights.dtype == dtype.removeprefix("mixed_")
    expected = reference_outputs(layer, query, values, start=5001)
    assert_allclose(
        tf.cast(context, "float64"),
        expected[0],
        atol={"float64": 1e-12}.get(dtype, 0.1),
    )


# What it costs


def tensors_of(graph):
    """Every tensor of a graph and of the functions it calls."""
    for function in (
        graph,
        *(graph._get_function(name).graph for name in graph._functions),
    ):
        for operation in function.get_operations():
            yield from operation.outputs


def largest(layer, query, values, mask):
    """Most elements of one tensor in the graph of the layer and its gradients, apart
    from those like `values`.
    """

    @tf.function
    def forward_and_backward(query, values, mask):
        with tf.GradientTape() as tape:
            tape.watch([query, values])
            context, weights = layer(query, values, mask=mask)[:2]
            total = tf.reduce_sum(context**2) + tf.reduce_sum(weights**2)
        return (
            context,
            weights,
            tape.gradient(total, [query, values, *layer.trainable_variables]),
        )

    graph = forward_and_backward.get_concrete_function(
        *map(tf.constant, (query, values, mask))
    ).graph
    shapes = {tensor.shape for tensor in tensors_of(graph)}
    assert len(shapes) > 5
    unknown = [shape for shape in shapes if not shape.is_fully_defined()]
    sizes = [shape.num_elements() for shape in shapes if shape.is_fully_defined()]
    return max(size for size in sizes if size != values.size), unknown


@pytest.mark.parametrize("score, center", KINDS)
def test_local_nothing_of_target_by_source_exists_forward_or_backward(score, center):
    batch, target_len, source_len, dim = 2, 7, 1009, 4
    query, values = local_inputs(batch, target_len, source_len, dim)
    mask = np.ones((batch, source_len), bool)
    size, unknown = largest(local(score, center), query, values, mask)
    # (batch, source_len, dim) is allowed, as the gradient to values; what is larger
    # would be target by source.
    assert (
        size
        <= max(batch * source_len, batch * target_len * 5 * dim)
        < batch * target_len * source_len
    )
    assert all(len(shape) < 2 for shape in unknown if shape.rank is not None), unknown
    full = LuongAttention(score)
    full(query, values)
    # So the test can fail.
    assert largest(full, query, values, mask)[0] >= batch * target_len * source_len


# Among Keras's layers


def test_local_in_a_functional_model(tmp_path):
    target, source = (
        keras.Input((None,), dtype="int32"),
        keras.Input((None,), dtype="int32"),
    )
    query = keras.layers.Embedding(5, 4, mask_zero=True)(target)
    values = keras.layers.Embedding(5, 4, mask_zero=True)(source)
    outputs = LocalAttention("concat", half_width=2, name="attention")(query, values)
    model = keras.Model([target, source], outputs)
    token_ids = (
        np.array([[1, 2, 0], [3, 0, 0]]),
        np.array([[4, 2, 3, 0, 0], [1, 0, 0, 0, 0]]),
    )
    context, weights, positions = model(token_ids)
    assert weights.shape == positions.shape == (2, 3, 5) and context.shape == (2, 3, 4)
    whole = scatter_to_source(weights, positions, 5).numpy()
    assert (
        not whole[0, :, 3:].any() and not whole[1, :, 1:].any() and whole[:, :, 0].all()
    )
    model.compile("adam", loss=["mse", None, None])
    before = model.get_layer("attention").get_weights()
    model.fit(token_ids, [np.ones((2, 3, 4)), None, None], verbose=0)
    assert all(
        np.any(a != b)
        for a, b in zip(before, model.get_layer("attention").get_weights(), strict=True)
    )
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    for a, b in zip(model(token_ids), again(token_ids), strict=True):
        assert_array_equal(a, b)


def test_local_compute_mask_is_the_query_mask_and_none():
    query_mask = tf.constant([[True, False, True]])
    context_mask, weights_mask, positions_mask = local().compute_mask(None, query_mask)
    assert (
        context_mask is query_mask and weights_mask is None and positions_mask is None
    )


def test_local_from_config():
    layer = LocalAttention(
        "concat", "monotonic", 3, gaussian=True, units=5, name="window"
    )
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(layer)
    )
    for name in (
        "score",
        "center",
        "half_width",
        "gaussian",
        "units",
        "concat_identity",
        "name",
    ):
        assert getattr(again, name) == getattr(layer, name)


# Bad arguments


@pytest.mark.parametrize("half_width", [0, -1, 2.5, 2.0, True, None, "2"])
def test_local_refuses_half_width(half_width):
    error = ValueError if type(half_width) is int else TypeError
    with pytest.raises(error) as raised:
        LocalAttention(half_width=half_width)
    expected = f"half_width should be an integer of 1 or more, got {half_width!r}"
    assert str(raised.value) == expected


@pytest.mark.parametrize("score", ["location", "additive", None])
def test_local_refuses_unknown_scores(score):
    message = f"score should be one of 'dot', 'general', 'concat', got {score!r}"
    with pytest.raises(ValueError, match=message):
        LocalAttention(score)


@pytest.mark.parametrize("center", ["local-m", "middle", None])
def test_local_refuses_unknown_centers(center):
    message = f"center should be one of 'monotonic', 'predictive', got {center!r}"
    with pytest.raises(ValueError, match=message):
        LocalAttention(center=center)


def test_local_dot_refuses_two_dimensions():
    query, values = local_inputs()
    with pytest.raises(
        ValueError,
        match=(
            "query and values should have one dimension for score='dot', got 4 and 3;"
            " score='general' takes any"
        ),
    ):
        LocalAttention("dot")(query, values[..., :3])


def test_local_refuses_shapes_that_do_not_fit():
    query, values = local_inputs()
    layer = local()
    with pytest.raises(
        ValueError,
        match=r"query should have a last axis of size 4, .* got shape \(2, 3, 3\)",
    ):
        layer(query[..., :3], values)
    with pytest.raises(
        ValueError,
        match=r"values should have a last axis of size 4, .* got shape \(2, 7, 3\)",
    ):
        layer(query, values[..., :3])
    with pytest.raises(
        ValueError,
        match=r"mask should have shape \(batch, source_len\) = \(2, 7\), got \(2, 6\)",
    ):
        layer(query, values, mask=MASK[:, :6])
    with pytest.raises(
        ValueError,
        match=(
            r"keys should be project\(values\), .* = \(2, 7, 4\), got shape \(2, 7, 3\)"
        ),
    ):
        layer(query, values, keys=values[..., :3])
