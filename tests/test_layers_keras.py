"""The layers among Keras's own: masks that are carried along, functional models, fit,
saving, and bad arguments.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from attnlib import reference
from attnlib.backend import keras, tf
from attnlib.layers import (
    AdditiveAttention,
    AttentionPooling,
    LocalAttention,
    LuongAttention,
)

QUERY = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")
VALUES = np.random.default_rng(1).normal(size=(2, 5, 6)).astype("float32")
MASK = np.array([[True, True, True, True, True], [True, False, True, False, False]])
SOURCE = np.array([[4, 2, 3, 0, 0], [1, 0, 0, 0, 0]])  # 0 is padding
TARGET = np.array([[1, 2, 0], [3, 0, 0]])


@keras.saving.register_keras_serializable("tests")
class MaskOf(keras.layers.Layer):
    """Gives back the mask that Keras carries along with its input, as floats; all -1
    where there is none.
    """

    def __init__(self, **options):
        super().__init__(**options)
        self.supports_masking = True

    def call(self, x, mask=None):
        return -tf.ones(tf.shape(x)[:2]) if mask is None else tf.cast(mask, "float32")


def expected(layer, query, values, mask):
    weights = reference.additive_scores(query, values, *layer.get_weights())
    return reference.attend(weights, values, mask)


def model(explicit):
    """Source and target token IDs in; context, weights, and the masks that they carry
    out.
    """
    target, source = (
        keras.Input((None,), dtype="int32"),
        keras.Input((None,), dtype="int32"),
    )
    inputs = [target, source]
    query = keras.layers.Embedding(5, 4, mask_zero=True, name="target_words")(target)
    values = keras.layers.Embedding(5, 6, mask_zero=True, name="source_words")(source)
    options = {}
    if explicit:
        inputs.append(keras.Input((None,), dtype="bool"))
        options["mask"] = inputs[-1]
    context, weights = AdditiveAttention(7, name="attention")(query, values, **options)
    return keras.Model(inputs, [context, weights, MaskOf()(context), MaskOf()(weights)])


def check(model, outputs, mask):
    query, values = (
        model.get_layer(name).get_weights()[0][token_ids]
        for name, token_ids in (("target_words", TARGET), ("source_words", SOURCE))
    )
    context, weights = expected(model.get_layer("attention"), query, values, mask)
    assert_allclose(outputs[0], context, atol=1e-6)
    assert_allclose(outputs[1], weights, atol=1e-6)
    assert_array_equal(outputs[2], TARGET != 0)  # the context keeps the query's mask
    assert_array_equal(outputs[3], np.full((2, 3), -1))  # the weights have none


@pytest.mark.parametrize(
    "explicit", [False, True], ids=["filled in by Keras", "explicit"]
)
def test_layer_in_a_functional_model(explicit, tmp_path):
    ours = model(explicit)
    arguments, mask = [TARGET, SOURCE], SOURCE != 0
    if explicit:
        mask = np.array(
            [[False, True, True, True, False], [True, True, False, False, False]]
        )
        arguments.append(mask)
    check(ours, ours(arguments), mask)
    check(ours, tf.function(ours)([tf.constant(a) for a in arguments]), mask)
    check(ours, ours.predict(arguments, verbose=0), mask)

    ours.compile("adam", loss=["mse", None, None, None])
    before = ours.get_layer("attention").get_weights()
    goal = np.ones((2, 3, 6), "float32")
    losses = ours.fit(arguments, [goal, None, None, None], epochs=2, verbose=0).history[
        "loss"
    ]
    assert np.isfinite(losses).all()
    assert all(
        np.any(a != b)
        for a, b in zip(before, ours.get_layer("attention").get_weights(), strict=True)
    )

    ours.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    check(again, again(arguments), mask)
    for a, b in zip(
        ours.predict(arguments, verbose=0),
        again.predict(arguments, verbose=0),
        strict=True,
    ):
        assert_array_equal(a, b)


def test_layer_after_a_masked_embedding():
    words = keras.layers.Embedding(5, 6, mask_zero=True)
    layer = AdditiveAttention(7)
    context, weights = layer(QUERY, words(SOURCE))
    values = words.get_weights()[0][SOURCE]
    for got, want in zip(
        (context, weights), expected(layer, QUERY, values, SOURCE != 0), strict=True
    ):
        assert_allclose(got, want, atol=1e-6)


def test_layer_explicit_mask_wins_over_the_one_that_keras_carries():
    values = keras.layers.Embedding(5, 6, mask_zero=True)(SOURCE)
    layer = AdditiveAttention(7)
    plain = tf.constant(values.numpy())  # without the carried mask
    for options in ({"mask": MASK}, {"mask": MASK, "values_mask": SOURCE != 0}):
        assert_array_equal(
            layer(QUERY, values, **options)[1], layer(QUERY, plain, mask=MASK)[1]
        )
    assert_array_equal(
        layer(QUERY, plain, values_mask=MASK)[1], layer(QUERY, plain, mask=MASK)[1]
    )
    assert_array_equal(layer(QUERY, plain, MASK)[1], layer(QUERY, plain, mask=MASK)[1])


def test_layer_query_mask_does_not_change_the_result():
    layer = AdditiveAttention(7)
    masked = layer(
        QUERY, VALUES, mask=MASK, query_mask=np.array([[True, False, False]] * 2)
    )
    for got, want in zip(masked, layer(QUERY, VALUES, mask=MASK), strict=True):
        assert_array_equal(got, want)


def test_layer_compute_mask_is_the_query_mask_and_none():
    layer = AdditiveAttention(7)
    query_mask = tf.constant([[True, False, True]])
    context_mask, weights_mask = layer.compute_mask(QUERY, query_mask)
    assert context_mask is query_mask and weights_mask is None
    assert tuple(layer.compute_mask(QUERY, None)) == (None, None)
    assert layer.supports_masking


@pytest.mark.parametrize(
    "mask", [MASK, MASK.tolist(), tf.constant(MASK)], ids=["array", "list", "tensor"]
)
def test_layer_takes_masks_of_all_kinds(mask):
    layer = AdditiveAttention(7)
    weights = layer(QUERY, VALUES, mask=mask)[1]
    assert_allclose(weights, expected(layer, QUERY, VALUES, MASK)[1], atol=1e-6)


def test_layer_mask_stays_boolean_in_half_precision():
    layer = AdditiveAttention(7, dtype="mixed_bfloat16")
    weights = layer(QUERY, VALUES, mask=MASK)[1]
    assert_array_equal(weights.numpy()[1, :, [1, 3, 4]], np.zeros((3, 3)))


def test_layer_from_config():
    layer = AdditiveAttention(np.int64(7), name="align", dtype="float64")
    again = AdditiveAttention.from_config(layer.get_config())
    assert (again.units, again.name, again.dtype) == (7, "align", "float64")
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(layer)
    )
    assert type(again) is AdditiveAttention and again.units == 7


# What was set on a layer survives get_config and a saved model

SET = {
    "name": {"name": "align"},
    "frozen": {"trainable": False},
    "half precision": {"dtype": "mixed_bfloat16"},
    "policy object": {"dtype": keras.DTypePolicy("mixed_float16")},
    "all": {"name": "align", "trainable": False, "dtype": "float64"},
}
MAKERS = {
    "additive": lambda **options: AdditiveAttention(7, **options),
    "concat": lambda **options: LuongAttention("concat", units=3, **options),
    "location": lambda **options: LuongAttention(
        "location", max_source_len=8, **options
    ),
    "local": lambda **options: LocalAttention(
        half_width=2, center="monotonic", **options
    ),
    "pooling": lambda **options: AttentionPooling(4, **options),
}


def settings(layer):
    """Everything that can be set on a layer, and what follows from it."""
    config = layer.get_config()
    policy = layer.dtype_policy.name
    trainable = layer.trainable, len(layer.trainable_weights)
    return layer.name, trainable, policy, layer.compute_dtype, config


def called(layer, query, values):
    if isinstance(layer, AttentionPooling):
        return layer(values)
    return layer(query, values)


def model_of(layer):
    query, values = keras.Input((None, 4)), keras.Input((None, 6))
    inputs = [values] if isinstance(layer, AttentionPooling) else [query, values]
    return keras.Model(inputs, called(layer, query, values))


@pytest.mark.parametrize("options", SET.values(), ids=SET)
@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_layer_config_keeps_what_was_set(make, options):
    layer = make(**options)
    again = type(layer).from_config(layer.get_config())
    serialized = keras.saving.serialize_keras_object(layer)
    third = keras.saving.deserialize_keras_object(serialized)
    for each in (layer, again, third):
        called(each, QUERY, VALUES)
    assert type(third) is type(layer)
    assert settings(again) == settings(third) == settings(layer)
    for name, value in options.items():
        name = "dtype_policy" if name == "dtype" else name
        assert getattr(getattr(again, name), "name", getattr(again, name)) in (
            value,
            getattr(value, "name", value),
        )


@pytest.mark.parametrize("options", SET.values(), ids=SET)
@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_layer_in_a_saved_model_keeps_what_was_set(make, options, tmp_path):
    layer = make(**options)
    model = model_of(layer)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras").get_layer(layer.name)
    assert again is not layer
    assert settings(again) == settings(layer)


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_layer_frozen_after_it_was_built_stays_frozen(make, tmp_path):
    layer = make()
    model = model_of(layer)
    layer.trainable = False
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert not again.get_layer(layer.name).trainable
    assert again.trainable_weights == []
    assert len(again.get_layer(layer.name).weights) > 0


# Bad arguments


@pytest.mark.parametrize("units", [0, -1, 2.5, 8.0, "8", True, None])
def test_layer_refuses_units(units):
    error = ValueError if type(units) is int else TypeError
    with pytest.raises(error) as raised:
        AdditiveAttention(units)
    assert (
        str(raised.value) == f"units should be an integer of 1 or more, got {units!r}"
    )


@pytest.mark.parametrize(
    "query, values, error, message",
    [
        (
            QUERY[0],
            VALUES,
            ValueError,
            r"query should have shape \(batch, target_len, query_dim\), got \(3, 4\)",
        ),
        (
            QUERY,
            VALUES[0],
            ValueError,
            r"values should have shape \(batch, source_len, value_dim\), got \(5, 6\)",
        ),
        (
            QUERY[:1],
            VALUES,
            ValueError,
            r"same number of sentences, got shapes \(1, 3, 4\) and \(2, 5, 6\)",
        ),
        (
            QUERY[..., :3],
            VALUES,
            ValueError,
            r"query should have a last axis of size 4, .* got shape \(2, 3, 3\)",
        ),
        (
            QUERY,
            VALUES[..., :3],
            ValueError,
            r"values should have a last axis of size 6, .* got shape \(2, 5, 3\)",
        ),
        (QUERY.astype(int), VALUES, TypeError, "query should hold floats, got int64"),
        (
            QUERY,
            VALUES.astype("int32"),
            TypeError,
            "values should hold floats, got int32",
        ),
        (
            QUERY.tolist(),
            VALUES,
            TypeError,
            "query should be a tensor or an array, got a list",
        ),
        (
            QUERY,
            None,
            TypeError,
            r"should be called as context, weights = layer\(query, values, mask=mask\)"
            ".* got no values",
        ),
        (
            QUERY,
            VALUES.tolist(),
            TypeError,
            "values should be a tensor or an array, got a list",
        ),
    ],
)
def test_layer_refuses_query_and_values_that_do_not_fit(query, values, error, message):
    layer = AdditiveAttention(7)
    layer(QUERY, VALUES)
    with pytest.raises(error, match=message):
        layer(query, values)


@pytest.mark.parametrize(
    "mask, error, message",
    [
        (
            MASK[:, :4],
            ValueError,
            r"mask should have shape \(batch, source_len\) = \(2, 5\), got \(2, 4\)",
        ),
        (
            MASK[:1],
            ValueError,
            r"mask should have shape \(batch, source_len\) = \(2, 5\), got \(1, 5\)",
        ),
        (
            MASK[0],
            ValueError,
            r"mask should have shape \(batch, source_len\) = \(2, 5\), got \(5,\)",
        ),
        (
            np.ones((2, 3, 5), bool),
            ValueError,
            r"\(batch, source_len\) = \(2, 5\), got \(2, 3, 5\)",
        ),
        (
            MASK.astype("int64"),
            TypeError,
            "mask should be boolean, True = may be attended to, got int64",
        ),
        (
            MASK.astype("float32").tolist(),
            TypeError,
            "mask should be boolean, .* got float32",
        ),
        (tf.cast(MASK, "int32"), TypeError, "mask should be boolean, .* got int32"),
    ],
)
def test_layer_refuses_masks_that_do_not_fit(mask, error, message):
    for keyword in ("mask", "values_mask"):
        if keyword == "mask" or hasattr(mask, "dtype"):
            with pytest.raises(error, match=message):
                AdditiveAttention(7)(QUERY, VALUES, **{keyword: mask})


def test_layer_refuses_bad_shapes_before_it_makes_weights():
    layer = AdditiveAttention(7)
    with pytest.raises(ValueError, match="query should have shape"):
        layer(QUERY[:, :, 0], VALUES)
    with pytest.raises(
        TypeError, match="mask should be boolean, True = may be attended to, got int32"
    ):
        layer(
            keras.Input((None, 4)),
            keras.Input((None, 6)),
            mask=keras.Input((None,), dtype="int32"),
        )
    assert not layer.built
    layer(QUERY, VALUES)


@pytest.mark.parametrize("shape", [(2, 5, 6), (2, 4, 7), (2, 1, 7), (1, 5, 7), (5, 7)])
def test_layer_refuses_keys_that_are_no_projection(shape):
    layer = AdditiveAttention(7)
    with pytest.raises(ValueError) as raised:
        layer(QUERY, VALUES, keys=np.ones(shape, "float32"))
    expected = (
        "keys should be project(values), (batch, source_len, units) = (2, 5, 7), got"
        f" shape {shape}"
    )
    assert expected in str(raised.value)


def test_layer_project_needs_weights_and_the_right_dimension():
    layer = AdditiveAttention(7)
    with pytest.raises(
        ValueError,
        match=(
            "project needs the layer's weights: call the layer once, or build it,"
            " before"
        ),
    ):
        layer.project(VALUES)
    layer(QUERY, VALUES)
    with pytest.raises(
        ValueError,
        match=(
            r"values should have a last axis of size 6, as the layer was built, got"
            r" shape \(2, 5, 4\)"
        ),
    ):
        layer.project(VALUES[..., :4])
