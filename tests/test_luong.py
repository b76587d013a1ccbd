"""LuongAttention: each score against the oracle, Keras' own layers and finite
differences; masks and bad arguments.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from attnlib import reference, scores
from attnlib.backend import keras, tf
from attnlib.layers import LuongAttention

MASK = np.array([[True, True, True, True, True], [True, False, True, False, False]])
SCORES = ("dot", "general", "concat", "location")


def case(
    batch=2,
    target_len=3,
    source_len=5,
    query_dim=4,
    value_dim=6,
    dtype="float32",
    seed=0,
):
    rng = np.random.default_rng(seed)
    shapes = (batch, target_len, query_dim), (batch, source_len, value_dim)
    return [rng.normal(size=shape).astype(dtype) for shape in shapes]


def built(score, query_dim=4, value_dim=6, seed=0, **options):
    """A layer with random weights of its own; dot takes query and values of one width."""
    if score == "location":
        options.setdefault("max_source_len", 8)
    layer = LuongAttention(score, **options)
    layer.build(
        (None, None, query_dim),
        (None, None, query_dim if score == "dot" else value_dim),
    )
    rng = np.random.default_rng(seed)
    layer.set_weights([rng.normal(size=w.shape) for w in layer.weights])
    return layer


def case_of(score, **options):
    """A layer, and a query and values for it."""
    query, values = case(**options)
    return built(score), query, values[..., :4] if score == "dot" else values


def oracle(score, query, values, weights, mask=None):
    query, values = np.asarray(query, float), np.asarray(values, float)
    found = {
        "dot": reference.dot_scores,
        "general": lambda query, keys: reference.general_scores(query, keys, *weights),
        "concat": lambda query, keys: reference.concat_scores(query, keys, *weights),
        "location": lambda query, keys: reference.location_scores(query, *weights)[
            :, :, : keys.shape[1]
        ],
    }[score](query, values)
    return reference.attend(found, values, mask)


def assert_equal(got, expected, **tolerance):
    assert len(got) == len(expected) == 2
    for a, b in zip(got, expected, strict=True):
        assert a.shape == b.shape
        assert_allclose(a, b, **{"atol": 1e-5, "rtol": 1e-5, **tolerance})


@pytest.mark.parametrize("mask", [None, MASK], ids=["all", "masked"])
@pytest.mark.parametrize("score", SCORES)
def test_layer_equals_the_oracle(score, mask):
    layer, query, values = case_of(score)
    assert_equal(
        layer(query, values, mask=mask),
        oracle(score, query, values, layer.get_weights(), mask),
    )
    names = {"dot": [], "general": ["w"], "concat": ["w", "v"], "location": ["w"]}
    assert [w.name for w in layer.weights] == names[score]


@pytest.mark.parametrize("mask", [None, MASK], ids=["all", "masked"])
def test_dot_equals_keras_attention(mask):
    layer, query, values = case_of("dot")
    theirs = keras.layers.Attention()(
        [query, values], mask=[None, mask], return_attention_scores=True
    )
    assert_equal(layer(query, values, mask=mask), theirs)


@pytest.mark.parametrize("mask", [None, MASK], ids=["all", "masked"])
def test_general_equals_keras_attention_behind_one_dense_layer(mask):
    layer, query, values = case_of("general")
    dense = keras.layers.Dense(6, use_bias=False)
    dense.build(query.shape)
    dense.set_weights(layer.get_weights())
    theirs = keras.layers.Attention()(
        [dense(query), values], mask=[None, mask], return_attention_scores=True
    )
    assert_equal(layer(query, values, mask=mask), theirs)


def test_concat_equals_keras_additive_attention_behind_two_dense_layers():
    layer, query, values = case_of("concat")
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
    assert_equal(layer(query, values, mask=MASK), expected)


def test_concat_identity_is_concat_with_its_source_half_the_identity():
    query, values = case()
    layer = built("concat", concat_identity=True)
    w, v = layer.get_weights()
    assert w.shape == (4, 6) and layer.project(values) is values
    whole = np.concatenate([w, np.eye(6)])
    assert_equal(
        layer(query, values, mask=MASK),
        oracle("concat", query, values, [whole, v], MASK),
    )


def test_location_looks_at_no_word_and_uses_the_first_scores():
    layer, query, values = case_of("location")
    _, weights = layer(query, values)
    assert_array_equal(layer(query, values + 1)[1], weights)
    w = layer.get_weights()[0]
    assert_allclose(weights, reference.softmax((query @ w)[:, :, :5]), rtol=1e-4)


@pytest.mark.parametrize("score", SCORES)
def test_layer_gradients_equal_finite_differences_of_the_oracle(score):
    query, values = case(
        target_len=2, source_len=4, query_dim=3, value_dim=3, dtype="float64"
    )
    layer = built(score, 3, 3, dtype="float64")
    mask = MASK[:, :4]
    rng = np.random.default_rng(1)
    pull = [
        rng.normal(size=shape) for shape in ((2, 2, 3), (2, 2, 4))
    ]  # on context and on weights
    inputs = [tf.constant(query), tf.constant(values)]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        total = sum(
            tf.reduce_sum(out * p)
            for out, p in zip(layer(*inputs, mask=mask), pull, strict=True)
        )
    gradients = tape.gradient(total, [*inputs, *layer.trainable_variables])
    arguments = [query, values, *map(np.array, layer.get_weights())]

    def expected_total():
        outputs = oracle(score, *arguments[:2], arguments[2:], mask)
        return sum(np.sum(out * p) for out, p in zip(outputs, pull, strict=True))

    for argument, gradient in zip(arguments, gradients, strict=True):
        slopes = np.empty_like(argument)
        for place in np.ndindex(argument.shape):
            kept, ends = argument[place], []
            for argument[place] in (kept - 1e-5, kept + 1e-5):
                ends.append(expected_total())
            argument[place] = kept
            slopes[place] = (ends[1] - ends[0]) / 2e-5
        assert_allclose(gradient, slopes, atol=1e-8)


@pytest.mark.parametrize("score", SCORES)
def test_layer_fully_masked_row_and_padding(score):
    layer, query, values = case_of(score)
    mask = np.array([[False] * 5, [True] * 5])
    context, weights = layer(query, values, mask=mask)
    assert_array_equal(context[0], np.zeros_like(context[0]))
    assert_array_equal(weights[0], np.zeros((3, 5)))
    assert_allclose(tf.reduce_sum(weights[1], -1), np.ones(3), rtol=1e-6)
    longer = np.pad(values, ((0, 0), (0, 3), (0, 0)), constant_values=1e30)
    padded = layer(query, longer, mask=np.pad(mask, ((0, 0), (0, 3))))
    assert_equal((padded[0], padded[1][:, :, :5]), (context, weights))


@pytest.mark.parametrize("score", SCORES)
def test_step_by_step_equals_all_at_once(score):
    layer, query, values = case_of(score)
    keys = layer.project(values)
    steps = [layer(query[:, t : t + 1], values, mask=MASK, keys=keys) for t in range(3)]
    whole = layer(query, values, mask=MASK)
    assert_equal([tf.concat(parts, 1) for parts in zip(*steps, strict=True)], whole)


def test_concat_keys_are_projected_once_a_sentence():
    layer, query, values = case_of("concat")
    assert_allclose(
        layer.project(values), values @ layer.get_weights()[0][4:], atol=1e-5
    )
    assert not np.allclose(
        layer(query, values, keys=layer.project(values) + 1)[1], layer(query, values)[1]
    )
    for score in ("dot", "general", "location"):
        assert (
            built(score).project(values[..., :4] if score == "dot" else values)
            is not None
        )


def test_scores_functions_equal_the_oracle_over_a_window_of_each_query():
    query, values = case()
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
def test_layer_in_a_functional_model(score, tmp_path):
    target, source = (
        keras.Input((None,), dtype="int32"),
        keras.Input((None,), dtype="int32"),
    )
    query = keras.layers.Embedding(5, 4, mask_zero=True)(target)
    values = keras.layers.Embedding(5, 4, mask_zero=True)(source)
    options = {"max_source_len": 5} if score == "location" else {}
    context, weights = LuongAttention(score, name="attention", **options)(query, values)
    model = keras.Model([target, source], [context, weights])
    numbers = (
        np.array([[1, 2, 0], [3, 0, 0]]),
        np.array([[4, 2, 3, 0, 0], [1, 0, 0, 0, 0]]),
    )
    found = model(numbers)[1].numpy()
    assert not found[0, :, 3:].any() and not found[1, :, 1:].any()
    assert_allclose(found.sum(-1), np.ones((2, 3)), rtol=1e-6)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert_array_equal(again(numbers)[1], found)


def test_layer_from_config():
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


def test_layer_refuses_unknown_scores():
    for score in ("additive", "Dot", None):
        with pytest.raises(
            ValueError,
            match=(
                f"score should be one of dot, general, concat, location, got {score!r}"
            ),
        ):
            LuongAttention(score)


def test_dot_refuses_two_widths():
    query, values = case()
    with pytest.raises(
        ValueError,
        match=(
            "score='dot' needs query and values of one width, got 4 and 6; score='gener"
        ),
    ):
        LuongAttention("dot")(query, values)


def test_location_refuses_longer_sources():
    query, values = case()
    with pytest.raises(
        ValueError,
        match=(
            "built for sources of 4 positions at most, got 5; give a larger"
            " max_source_l"
        ),
    ):
        LuongAttention("location", max_source_len=4)(query, values)
    layer = LuongAttention("location", max_source_len=4)
    any_length = [tf.TensorSpec((2, None, dim), tf.float32) for dim in (4, 6)]
    attend = tf.function(layer, input_signature=any_length)
    assert attend(query, values[:, :4])[1].shape == (2, 3, 4)
    with pytest.raises(
        tf.errors.InvalidArgumentError,
        match="built for sources of 4 positions at most, got a longer",
    ):
        attend(query, values)
    for wrong in (None, 0, 2.5):
        with pytest.raises(
            ValueError,
            match=(
                "score='location' needs, should be a whole number of 1 or more, got"
                f" {wrong}"
            ),
        ):
            LuongAttention("location", max_source_len=wrong)


def test_concat_refuses_units():
    for units in (0, 2.5, "8"):
        with pytest.raises(
            ValueError,
            match=f"units should be a whole number of 1 or more, got {units!r}",
        ):
            LuongAttention("concat", units=units)
    with pytest.raises(
        ValueError,
        match="with concat_identity units should be the width of values, 6, got 5",
    ):
        LuongAttention("concat", units=5, concat_identity=True)(*case())


@pytest.mark.parametrize("score", SCORES)
def test_layer_refuses_shapes_that_do_not_fit(score):
    layer, query, values = case_of(score)
    width = values.shape[-1]
    with pytest.raises(
        ValueError,
        match=r"query should be 4 wide, as the layer was built, got shape \(2, 3, 3\)",
    ):
        layer(query[..., :3], values)
    with pytest.raises(
        ValueError,
        match=(
            rf"values should be {width} wide, as the layer was built, got .*\(2, 5, 3\)"
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
