"""LuongAttention: each score against the NumPy reference, Keras's own layers, and
finite differences; masks and bad arguments.
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

from attnlib import reference, scores
from attnlib.backend import keras, tf
from attnlib.layers import LuongAttention

MASK = np.array([[True, True, True, True, True], [True, False, True, False, False]])
SCORES = ("dot", "general", "concat", "location")


def luong(score, query_dim=4, value_dim=6, **options):
    """A layer with random weights; dot takes query and values of one dimension."""
    if score == "location":
        options.setdefault("max_source_len", 8)
    value_dim = query_dim if score == "dot" else value_dim
    return built(LuongAttention(score, **options), query_dim, value_dim)


def luong_case(score, **options):
    """A layer, and a query and values for it."""
    query, values = random_inputs(**options)
    return luong(score), query, values[..., :4] if score == "dot" else values


@pytest.mark.parametrize("mask", [None, MASK], ids=["all", "masked"])
@pytest.mark.parametrize("score", SCORES)
def test_luong_equals_the_reference(score, mask):
    layer, query, values = luong_case(score)
    assert_outputs_equal(
        layer(query, values, mask=mask),
        reference_outputs(layer, query, values, mask),
    )
    names = {"dot": [], "general": ["w"], "concat": ["w", "v"], "location": ["w"]}
    assert [w.name for w in layer.weights] == names[score]


@pytest.mark.parametrize("mask", [None, MASK], ids=["all", "masked"])
def test_luong_dot_equals_keras_attention(mask):
    layer, query, values = luong_case("dot")
    theirs = keras.layers.Attention()(
        [query, values], mask=[None, mask], return_attention_scores=True
    )
    assert_outputs_equal(layer(query, values, mask=mask), theirs)


@pytest.mark.parametrize("mask", [None, MASK], ids=["all", "masked"])
def test_luong_general_equals_keras_attention_behind_one_dense_layer(mask):
    layer, query, values = luong_case("general")
    dense = keras.layers.Dense(6, use_bias=False)
    dense.build(query.shape)
    dense.set_weights(layer.get_weights())
    theirs = keras.layers.Attention()(
        [dense(query), values], mask=[None, mask], return_attention_scores=True
    )
    assert_outputs_equal(layer(query, values, mask=mask), theirs)


def test_luong_concat_equals_keras_additive_attention_behind_two_dense_layers():
    layer, query, values = luong_case("concat")
    w, v = layer.get_weights()
    theirs = keras.layers.AdditiveAttention()
    projected = [
        tf.constant(query @ w[:4]),
        tf.constant(values),
        tf.constant(values @ w[4:]),
    ]  # query, value, key
    theirs.build([x.shape for x in projected])
    theirs.set_weights([v])
    expected = theirs(projected, mask=[None, MASK, None], return_attention_scores=True)
    assert_outputs_equal(layer(query, values, mask=MASK), expected)


def test_luong_concat_identity_is_concat_with_its_source_half_the_identity():
    query, values = random_inputs()
    layer = luong("concat", concat_identity=True)
    w, v = layer.get_weights()
    assert w.shape == (4, 6) and layer.project(values) is values
    scores = reference.concat_scores(query, values, np.concatenate([w, np.eye(6)]), v)
    assert_outputs_equal(
        layer(query, values, mask=MASK), reference.attend(scores, values, MASK)
    )


def test_luong_location_ignores_the_words_and_uses_the_first_scores():
    layer, query, values = luong_case("location")
    _, weights = layer(query, values)
    assert_array_equal(layer(query, values + 1)[1], weights)
    w = layer.get_weights()[0]
    assert_allclose(weights, reference.softmax((query @ w)[:, :, :5]), rtol=1e-4)


@pytest.mark.parametrize("score", SCORES)
def test_luong_gradients_equal_finite_differences_of_the_reference(score):
    query, values = random_inputs(
        target_len=2, source_len=4, query_dim=3, value_dim=3, dtype="float64"
    )
    layer = luong(score, 3, 3, dtype="float64")
    assert_gradients_equal_finite_differences(layer, query, values, MASK[:, :4])


@pytest.mark.parametrize("score", SCORES)
def test_luong_fully_masked_row_and_padding(score):
    layer, query, values = luong_case(score)
    mask = np.array([[False] * 5, [True] * 5])
    context, weights = layer(query, values, mask=mask)
    assert_array_equal(context[0], np.zeros_like(context[0]))
    assert_array_equal(weights[0], np.zeros((3, 5)))
    assert_allclose(tf.reduce_sum(weights[1], -1), np.ones(3), rtol=1e-6)
    longer = np.pad(values, ((0, 0), (0, 3), (0, 0)), constant_values=1e30)
    padded = layer(query, longer, mask=np.pad(mask, ((0, 0), (0, 3))))
    assert_outputs_equal((padded[0], padded[1][:, :, :5]), (context, weights))


@pytest.mark.parametrize("score", SCORES)
def test_luong_step_by_step_equals_all_at_once(score):
    layer, query, values = luong_case(score)
    keys = layer.project(values)
    steps = [layer(query[:, t : t + 1], values, mask=MASK, keys=keys) for t in range(3)]
    whole = layer(query, values, mask=MASK)
    assert_outputs_equal(
        [tf.concat(parts, 1) for parts in zip(*steps, strict=True)], whole
    )


def test_luong_concat_keys_are_projected_once_per_sentence():
    layer, query, values = luong_case("concat")
    assert_allclose(
        layer.project(values), values @ layer.get_weights()[0][4:], atol=1e-5
    )
    assert not np.allclose(
        layer(query, values, keys=layer.project(values) + 1)[1], layer(query, values)[1]
    )
    for score in ("dot", "general", "location"):
        assert (
            luong(score).project(values[..., :4] if score == "dot" else values)
            is not None
        )


def test_scores_equal_the_reference_over_a_window_of_each_query():
    query, values = random_inputs()
    window = np.stack(
        [values[:, t : t + 3] for t in range(3)], 1
    )  # (batch, target_len, 3, 6)
    rng = np.random.default_rng(2)
    for name, shapes in (
        ("general", [(4, 6)]),
        ("concat", [(10, 7), 7]),
        ("additive", [(4, 7), (6, 7), 7]),
    ):
        w = [rng.normal(size=shape).astype("float32") for shape in shapes]
        ours, theirs = (
            getattr(scores, f"{name}_scores"),
            getattr(reference, f"{name}_scores"),
        )
        for t in range(3):
            expected = theirs(query[:, t : t + 1], window[:, t], *w)
            assert_allclose(
                ours(query, window, *map(tf.constant, w))[:, t : t + 1],
                expected,
                atol=1e-5,
            )


@pytest.mark.parametrize("score", SCORES)
def test_luong_in_a_functional_model(score, tmp_path):
    target, source = (
        keras.Input((None,), dtype="int32"),
        keras.Input((None,), dtype="int32"),
    )
    query = keras.layers.Embedding(5, 4, mask_zero=True)(target)
    values = keras.layers.Embedding(5, 4, mask_zero=True)(source)
    options = {"max_source_len": 5} if score == "location" else {}
    context, weights = LuongAttention(score, name="attention", **options)(query, values)
    model = keras.Model([target, source], [context, weights])
    tokens = (
        np.array([[1, 2, 0], [3, 0, 0]]),
        np.array([[4, 2, 3, 0, 0], [1, 0, 0, 0, 0]]),
    )
    weights = model(tokens)[1].numpy()
    assert not weights[0, :, 3:].any() and not weights[1, :, 1:].any()
    assert_allclose(weights.sum(-1), np.ones((2, 3)), rtol=1e-6)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert_array_equal(again(tokens)[1], weights)


def test_luong_from_config():
    for options in (
        {"score": "concat", "units": 5},
        {"score": "location", "max_source_len": 9},
        {"score": "dot"},
    ):
        layer = LuongAttention(**options)
        again = keras.saving.deserialize_keras_object(
            keras.saving.serialize_keras_object(layer)
        )
        for name in ("score", "units", "max_source_len", "concat_identity", "name"):
            assert getattr(again, name) == getattr(layer, name)


# Bad arguments


def test_luong_refuses_unknown_scores():
    for score in ("additive", "Dot", None):
        with pytest.raises(
            ValueError,
            match=(
                "score should be one of 'dot', 'general', 'concat', 'location', got"
                f" {score!r}"
            ),
        ):
            LuongAttention(score)


def test_luong_dot_refuses_two_dimensions():
    query, values = random_inputs()
    with pytest.raises(
        ValueError,
        match=(
            "query and values should have one dimension for score='dot', got 4 and 6;"
            " score='general' takes any"
        ),
    ):
        LuongAttention("dot")(query, values)


def test_luong_location_refuses_longer_sources():
    query, values = random_inputs()
    with pytest.raises(
        ValueError,
        match="source_len should be at most max_source_len, 4, got 5",
    ):
        LuongAttention("location", max_source_len=4)(query, values)
    layer = LuongAttention("location", max_source_len=4)
    any_length = [tf.TensorSpec((2, None, dim), tf.float32) for dim in (4, 6)]
    attend = tf.function(layer, input_signature=any_length)
    assert attend(query, values[:, :4])[1].shape == (2, 3, 4)
    with pytest.raises(
        tf.errors.InvalidArgumentError,
        match="source_len should be at most max_source_len, 4, got a longer source",
    ):
        attend(query, values)
    for wrong, error in ((None, TypeError), (0, ValueError), (2.5, TypeError)):
        with pytest.raises(
            error,
            match=(
                "max_source_len, which score='location' needs, should be an integer of"
                f" 1 or more, got {wrong}"
            ),
        ):
            LuongAttention("location", max_source_len=wrong)


def test_luong_concat_refuses_units():
    for units, error in ((0, ValueError), (2.5, TypeError), ("8", TypeError)):
        with pytest.raises(
            error, match=f"units should be an integer of 1 or more, got {units!r}"
        ):
            LuongAttention("concat", units=units)
    with pytest.raises(
        ValueError,
        match="units should be the dimension of values with concat_identity, 6, got 5",
    ):
        LuongAttention("concat", units=5, concat_identity=True)(*random_inputs())


@pytest.mark.parametrize("score", SCORES)
def test_luong_refuses_shapes_that_do_not_fit(score):
    layer, query, values = luong_case(score)
    value_dim = values.shape[-1]
    with pytest.raises(
        ValueError,
        match=r"query should have a last axis of size 4, .* got shape \(2, 3, 3\)",
    ):
        layer(query[..., :3], values)
    with pytest.raises(
        ValueError,
        match=(
            rf"values should have a last axis of size {value_dim}, as the layer was"
            r" built, got shape \(2, 5, 3\)"
        ),
    ):
        layer(query, values[..., :3])
    with pytest.raises(
        ValueError,
        match=r"mask should have shape \(batch, source_len\) = \(2, 5\), got \(2, 4\)",
    ):
        layer(query, values, mask=MASK[:, :4])
    with pytest.raises(
        ValueError, match=r"keys should be project\(values\), .* got shape \(2, 4, 6\)"
    ):
        layer(query, values, keys=np.ones((2, 4, 6), "float32"))
    with pytest.raises(ValueError, match="project needs the layer's weights"):
        LuongAttention("general").project(values)
