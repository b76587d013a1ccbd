"""The layers called as Keras's own attention layers are, and their shapes without a
call.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from attnlib.backend import keras, tf
from attnlib.layers import (
    AdditiveAttention,
    AttentionPooling,
    LocalAttention,
    LuongAttention,
)

RNG = np.random.default_rng(0)
QUERY = RNG.normal(size=(2, 3, 6)).astype("float32")
VALUES = RNG.normal(size=(2, 5, 6)).astype("float32")
MASK = np.array([[True, True, False, True, True], [True, False, True, False, False]])
QUERY_MASK = np.array([[True, True, True], [True, False, False]])
LAYERS = {
    "additive": lambda **options: AdditiveAttention(7, **options),
    "dot": lambda **options: LuongAttention("dot", **options),
    "concat": lambda **options: LuongAttention("concat", **options),
    "location": lambda **options: LuongAttention(
        "location", max_source_len=8, **options
    ),
    "local": lambda **options: LocalAttention(half_width=1, **options),
}
FORM = (
    "layer(query, values, mask=mask) or layer([query, values], mask=[query_mask, mask])"
)

every_layer = pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)


def assert_equal(got, expected):
    assert type(got) is type(expected) is tuple
    for one, other in zip(got, expected, strict=True):
        assert_array_equal(one, other)


# ---------------------------------------------------------------- inputs as one list


@every_layer
def test_layer_takes_a_list_of_inputs(make):
    layer = make()
    expected = layer(QUERY, VALUES)
    assert_equal(layer([QUERY, VALUES]), expected)
    assert_equal(layer((QUERY, VALUES)), expected)
    assert_equal(layer([QUERY, VALUES, VALUES]), expected)
    assert_equal(layer([tf.constant(QUERY), tf.constant(VALUES)]), expected)


@every_layer
def test_layer_is_built_by_a_call_with_a_list(make):
    layer = make()
    layer([QUERY, VALUES])
    assert layer.built
    other = make()
    other.build([QUERY.shape, VALUES.shape])
    assert [w.shape for w in other.weights] == [w.shape for w in layer.weights]


def test_layer_gives_what_keras_gives_for_one_call():
    """Dot attention is the one score that both have, without weights."""
    inputs, masks = [QUERY, VALUES], [None, MASK]
    options = {"mask": masks, "return_attention_scores": True}
    ours = LuongAttention("dot")(inputs, **options)
    theirs = keras.layers.Attention()(inputs, **options)
    for one, other in zip(ours, theirs, strict=True):
        assert_allclose(one, other, atol=1e-6)


def test_layer_takes_the_same_tensor_as_all_three_inputs():
    layer = LuongAttention("dot")
    assert_equal(layer([VALUES, VALUES, VALUES]), layer(VALUES, VALUES))


def test_layer_refuses_a_third_input_of_its_own():
    layer = AdditiveAttention(7)
    layer(QUERY, VALUES)
    keys = VALUES + 1
    with pytest.raises(ValueError) as raised:
        layer([QUERY, VALUES, keys])
    message = str(raised.value)
    assert message.startswith("the third input should be the second one")
    assert "layer(query, values, keys=layer.project(keys)) scores other keys" in message
    # The form that the message shows works: weights of the keys, context of the values.
    context, weights = layer(QUERY, VALUES, keys=layer.project(keys))
    assert_array_equal(weights, layer(QUERY, keys)[1])
    assert_allclose(context, weights @ VALUES, atol=1e-6)


@pytest.mark.parametrize(
    "arguments, options, got",
    [
        (([QUERY],), {}, "a list of 1 inputs"),
        (([QUERY, VALUES, VALUES, VALUES],), {}, "a list of 4 inputs"),
        (([],), {}, "a list of 0 inputs"),
        ((np.stack([VALUES, VALUES]),), {}, "no values"),
        ((), {"inputs": [QUERY, VALUES]}, "no query"),
        ((), {"values": VALUES}, "no query"),
        (([QUERY, VALUES], MASK), {"mask": MASK}, "a list of inputs and values beside"),
        ((QUERY, VALUES), {"mask": [None]}, "a list of 1 masks"),
        ((QUERY, VALUES), {"mask": [None] * 4}, "a list of 4 masks"),
        ((QUERY, VALUES), {"value_mask": MASK}, "the argument value_mask, which it"),
        ((QUERY, VALUES), {"attention_mask": MASK}, "the argument attention_mask"),
        ((QUERY, VALUES), {"use_causal_mask": True}, "the argument use_causal_mask"),
        ((QUERY, VALUES), {"start": 1}, "the argument start, which it does not have"),
    ],
)
def test_layer_refuses_other_forms_and_shows_those_that_work(arguments, options, got):
    layer = AdditiveAttention(7)
    with pytest.raises(TypeError) as raised:
        layer(*arguments, **options)
    message = str(raised.value)
    assert f"AdditiveAttention should be called as context, weights = {FORM}" in message
    assert f", got {got}" in message
    assert not layer.built


# ---------------------------------------------------------------- masks


@every_layer
@pytest.mark.parametrize(
    "masks",
    [
        [None, MASK],
        (None, MASK),
        [QUERY_MASK, MASK],
        [None, MASK, None],
        [QUERY_MASK, MASK, MASK],
        [None, MASK.tolist()],
        [QUERY_MASK.tolist(), MASK.tolist()],
        [None, tf.constant(MASK)],
    ],
    ids=lambda masks: "-".join(type(mask).__name__ for mask in masks),
)
def test_layer_takes_one_mask_per_input(make, masks):
    layer = make()
    expected = layer(QUERY, VALUES, mask=MASK)
    assert not np.array_equal(expected[1], layer(QUERY, VALUES)[1])
    assert_equal(layer([QUERY, VALUES], mask=masks), expected)
    assert_equal(layer([QUERY, VALUES], masks), expected)
    assert_equal(layer(QUERY, VALUES, mask=masks), expected)


@every_layer
def test_layer_takes_masks_that_are_none(make):
    layer = make()
    expected = layer(QUERY, VALUES)
    assert_equal(layer([QUERY, VALUES], mask=[None, None]), expected)
    assert_equal(layer([QUERY, VALUES], mask=[QUERY_MASK, None]), expected)
    assert_equal(layer([QUERY, VALUES], mask=None), expected)


@every_layer
def test_layer_takes_the_source_mask_alone_beside_a_list(make):
    layer = make()
    expected = layer(QUERY, VALUES, mask=MASK)
    for mask in (MASK, MASK.tolist(), list(MASK), list(tf.constant(MASK))):
        assert_equal(layer([QUERY, VALUES], mask=mask), expected)


def test_layer_mask_of_three_sentences_as_a_list_is_one_mask():
    """Neither two nor three rows of a mask are taken for masks of inputs."""
    for batch in (2, 3):
        query, values = np.ones((batch, 2, 6), "f"), np.ones((batch, 5, 6), "f")
        mask = [[True, False, True, True, False]] * batch
        layer = LuongAttention("dot")
        assert_allclose(
            layer(query, values, mask=mask)[1],
            np.broadcast_to(np.array(mask[0]) / 3, (batch, 2, 5)),
            atol=1e-6,
        )


@pytest.mark.parametrize(
    "explicit",
    [{"mask": [QUERY_MASK, MASK]}, {"query_mask": QUERY_MASK, "mask": MASK}],
    ids=["list", "keyword"],
)
@every_layer
def test_layer_passes_the_query_mask_on_with_the_context(make, explicit):
    context, *others = make()(QUERY, VALUES, **explicit)
    pooled = keras.layers.GlobalAveragePooling1D()(context)
    for row, mask, got in zip(context.numpy(), QUERY_MASK, pooled, strict=True):
        assert_allclose(got, row[mask].mean(axis=0), atol=1e-6)
    assert all(getattr(other, "_keras_mask", None) is None for other in others)


def test_layer_refuses_a_third_mask_of_its_own():
    with pytest.raises(ValueError, match="third mask should be None or the second one"):
        AdditiveAttention(7)([QUERY, VALUES], mask=[None, MASK, ~MASK])


@pytest.mark.parametrize(
    "mask, error, message",
    [
        (MASK, ValueError, r"\(batch, target_len\) = \(2, 3\), got \(2, 5\)"),
        (QUERY_MASK[None], ValueError, r"= \(2, 3\), got \(1, 2, 3\)"),
        (QUERY_MASK.astype(int), TypeError, "query_mask should be boolean, .* int64"),
    ],
)
def test_layer_refuses_a_query_mask_that_does_not_fit(mask, error, message):
    with pytest.raises(error, match=message):
        AdditiveAttention(7)([QUERY, VALUES], mask=[mask, MASK])


# ---------------------------------------------------------------- what is returned


@every_layer
def test_layer_returns_the_context_alone_when_no_scores_are_wanted(make):
    layer = make()
    context = layer(QUERY, VALUES)[0]
    for inputs in ([[QUERY, VALUES]], [QUERY, VALUES]):
        got = layer(*inputs, return_attention_scores=False)
        assert_array_equal(got, context)


@pytest.mark.parametrize("name", ["additive", "dot", "concat", "location"])
def test_layer_returns_context_and_weights_when_scores_are_wanted(name):
    layer = LAYERS[name]()
    expected = layer(QUERY, VALUES, mask=MASK)
    got = layer([QUERY, VALUES], mask=[None, MASK], return_attention_scores=True)
    assert_equal(got, expected)


def test_local_attention_says_that_it_returns_positions_too():
    with pytest.raises(TypeError) as raised:
        LAYERS["local"]()([QUERY, VALUES], return_attention_scores=True)
    message = str(raised.value)
    assert f"called as context, weights, positions = {FORM}, got" in message
    assert message.endswith("return_attention_scores=True, which asks for two outputs")


@every_layer
@pytest.mark.parametrize("training", [None, False, True])
def test_layer_takes_training_and_the_defaults_of_keras(make, training):
    layer = make()
    got = layer([QUERY, VALUES], training=training, use_causal_mask=False)
    assert_equal(got, layer(QUERY, VALUES))


def test_pooling_returns_the_context_alone_when_no_scores_are_wanted():
    layer = AttentionPooling(4)
    context, weights = layer(VALUES, mask=MASK, return_attention_scores=True)
    assert_equal((context, weights), layer(VALUES, mask=MASK))
    got = layer(VALUES, mask=MASK, return_attention_scores=False)
    assert_array_equal(got, context)


# ---------------------------------------------------------------- within a model


@every_layer
@pytest.mark.parametrize("masks", ["none", "source", "both"])
def test_layer_in_keras_form_in_a_model_that_is_saved(make, masks, tmp_path):
    query, values = keras.Input((None, 6)), keras.Input((None, 6))
    inputs, arguments, options = [query, values], [QUERY, VALUES], {}
    if masks != "none":
        source_mask = keras.Input((None,), dtype="bool")
        inputs, arguments = [*inputs, source_mask], [*arguments, MASK]
        options["mask"] = [None, source_mask]
    if masks == "both":
        query_mask = keras.Input((None,), dtype="bool")
        inputs, arguments = [*inputs, query_mask], [*arguments, QUERY_MASK]
        options["mask"][0] = query_mask
    layer = make()
    context = layer([query, values], return_attention_scores=False, **options)
    output = keras.layers.GlobalAveragePooling1D()(context)  # it heeds the query's mask
    model = keras.Model(inputs, output)

    expected = layer(QUERY, VALUES, mask=None if masks == "none" else MASK)[0].numpy()
    kept = QUERY_MASK if masks == "both" else np.ones_like(QUERY_MASK)
    expected = [
        row[mask].mean(axis=0) for row, mask in zip(expected, kept, strict=True)
    ]
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    for each in (model, again):
        assert_allclose(each(arguments), expected, atol=1e-6)
        assert_allclose(each.predict(arguments, verbose=0), expected, atol=1e-6)


@every_layer
def test_layer_in_keras_form_takes_the_masks_that_keras_carries(make):
    words = np.array([[4, 2, 3, 0, 0], [1, 0, 0, 0, 0]])
    embedding = keras.layers.Embedding(5, 6, mask_zero=True)
    layer = make()
    carried = layer([embedding(words[:, :3]), embedding(words)])
    plain = embedding.get_weights()[0]
    assert_equal(carried, layer(plain[words[:, :3]], plain[words], mask=words != 0))
    assert_array_equal(carried[0]._keras_mask, words[:, :3] != 0)


def test_layer_in_keras_form_in_a_compiled_function():
    layer = AdditiveAttention(7)
    expected = layer(QUERY, VALUES, mask=MASK)
    call = tf.function(lambda q, v, m: layer([q, v], mask=[None, m]))
    for one, other in zip(call(QUERY, VALUES, MASK), expected, strict=True):
        assert_allclose(one, other, atol=1e-6)


# ---------------------------------------------------------------- shapes without a call


@every_layer
def test_layer_output_shape_is_that_of_a_call(make):
    layer = make()
    shapes = layer.compute_output_shape(QUERY.shape, VALUES.shape)
    assert not layer.built
    assert shapes == layer.compute_output_shape([QUERY.shape, VALUES.shape])
    assert shapes == tuple(tuple(each.shape) for each in layer(QUERY, VALUES))


@every_layer
def test_layer_output_shape_is_that_of_a_symbolic_call(make):
    shapes = [(None, None, 6), (None, None, 6)]
    if make is LAYERS["location"]:
        shapes[1] = (None, 5, 6)
    layer = make()
    symbolic = layer(*(keras.Input(shape[1:]) for shape in shapes))
    assert layer.compute_output_shape(*shapes) == tuple(o.shape for o in symbolic)


@every_layer
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "float64"])
def test_layer_output_spec_is_that_of_a_call(make, policy):
    layer = make(dtype=policy)
    query = keras.KerasTensor(QUERY.shape, dtype=layer.compute_dtype)
    values = keras.KerasTensor(VALUES.shape, dtype=layer.compute_dtype)
    mask = keras.KerasTensor(MASK.shape, dtype="bool")
    for arguments, options in (
        ((query, values), {}),
        (([query, values],), {}),
        (([query, values],), {"mask": [None, mask]}),
        ((query, values), {"mask": mask}),
    ):
        specs = layer.compute_output_spec(*arguments, **options)
        outputs = layer(QUERY, VALUES)
        assert [(s.shape, s.dtype) for s in specs] == [
            (tuple(o.shape), keras.backend.standardize_dtype(o.dtype)) for o in outputs
        ]
        alone = layer.compute_output_spec(
            *arguments, **options, return_attention_scores=False
        )
        assert (alone.shape, alone.dtype) == (specs[0].shape, specs[0].dtype)


def test_layer_output_spec_heeds_the_shapes_of_the_inputs():
    layer = LuongAttention("location", max_source_len=4)
    with pytest.raises(ValueError, match="at most max_source_len, 4, got 5"):
        layer(keras.Input((3, 6)), keras.Input((5, 6)))


def test_pooling_shapes_are_known_without_a_call():
    layer = AttentionPooling(8)
    assert layer.compute_output_shape((None, 5, 6)) == (None, 6)
    assert not layer.built
    mask = keras.KerasTensor((2, 5), dtype="bool")
    spec = layer.compute_output_spec(keras.KerasTensor((2, 5, 6)), mask)
    assert (spec.shape, spec.dtype) == ((2, 6), "float32")
    symbolic = layer(keras.Input((5, 6)))
    assert [output.shape for output in symbolic] == [(None, 6), (None, 5)]


# ---------------------------------------------------------------- TimeDistributed

DOCUMENTS = RNG.normal(size=(2, 4, 5, 6)).astype("float32")  # 4 sentences each
DOCUMENT_MASK = RNG.random((2, 4, 5)) < 0.6


def pooled(layer, mask=None):
    """Each sentence pooled by itself, (batch, sentences, value_dim)."""
    masks = [None] * 4 if mask is None else mask.swapaxes(0, 1)
    sentences = zip(DOCUMENTS.swapaxes(0, 1), masks, strict=True)
    return np.stack([layer(*sentence)[0] for sentence in sentences], axis=1)


def test_time_distributed_pooling_pools_every_sentence():
    layer = AttentionPooling(8)
    documents = keras.layers.TimeDistributed(layer)(DOCUMENTS)
    assert_allclose(documents, pooled(layer), atol=1e-6)


def test_time_distributed_pooling_takes_a_mask():
    layer = AttentionPooling(8)
    distributed = keras.layers.TimeDistributed(layer)
    got = distributed(DOCUMENTS, mask=tf.constant(DOCUMENT_MASK))
    assert_allclose(got, pooled(layer, DOCUMENT_MASK), atol=1e-6)


@pytest.mark.parametrize("sentences", [4, None])
def test_time_distributed_pooling_in_a_model_that_learns(sentences, tmp_path):
    inputs = keras.Input((sentences, 5, 6))
    outputs = keras.layers.TimeDistributed(AttentionPooling(8))(inputs)
    assert outputs.shape == (None, sentences, 6)
    model = keras.Model(inputs, keras.layers.Dense(1)(outputs))
    model.compile("sgd", "mse")
    before = model.get_weights()
    model.fit(DOCUMENTS, np.ones((2, 4, 1)), verbose=0)
    assert all(np.any(a != b) for a, b in zip(before, model.get_weights(), strict=True))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert_allclose(again(DOCUMENTS), model(DOCUMENTS), atol=1e-6)
    layer = again.layers[1].layer
    assert type(layer) is AttentionPooling
    assert_allclose(again.layers[1](DOCUMENTS), pooled(layer), atol=1e-6)
