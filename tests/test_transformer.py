"""The Transformer: its attention against Keras's, its gradients against differences,
its cache against none, its masks and positions against what they are for, and what it
refuses.
"""

import numpy as np
import pytest
import toy_task
from numpy.testing import assert_allclose, assert_array_equal

from attnlib import transformer
from attnlib.backend import keras, tf
from attnlib.transformer import MultiHeadAttention, Options, Transformer, WarmUp
from attnlib.vocabulary import Vocabulary

POSITIONS = transformer.POSITIONS
RANDOM = np.random.default_rng(0)


def variant(**options):
    """A model for ``toy_task``, untrained, whose outputs vary."""
    return toy_task.transformer(seed=2, scale=0.6, **options)


@pytest.fixture(scope="module")
def model():
    return variant()


def arrays(model, pairs=toy_task.PAIRS[:6]):
    """(source, decoder_inputs) and target, padded."""
    return model.batches(pairs, len(pairs), False)[0]


def normal(*shape):
    return RANDOM.normal(size=shape).astype("float32")


# Attention, against Keras's own


def attend(layer, query, words, mask):
    keys, values = layer.keys_and_values(words)
    output, weights = layer(query, keys, values, mask[:, None])
    return output.numpy(), weights.numpy()


@pytest.mark.parametrize("heads", [1, 2, 6])
def test_attention_equals_that_of_keras(heads):
    query, words = normal(3, 4, 12), normal(3, 5, 12)
    mask = RANDOM.random((3, 4, 5)) < 0.6
    mask[0, 1] = False  # nothing to attend to
    mask[1, :, 3:] = False  # padding
    ours = MultiHeadAttention(12, heads)
    theirs = keras.layers.MultiHeadAttention(heads, 12 // heads, use_bias=False)
    theirs.build(query.shape, words.shape)
    theirs.set_weights(
        [
            w.numpy().reshape(theirs_w.shape)
            for w, theirs_w in zip(ours.weights, theirs.weights, strict=True)
        ]
    )
    output, weights = attend(ours, query, words, mask)
    expected, expected_weights = theirs(
        query, words, attention_mask=mask, return_attention_scores=True
    )
    assert_allclose(output, expected, atol=1e-5)
    assert_allclose(weights, expected_weights, atol=1e-5)
    assert (weights[0, :, 1] == 0).all() and (output[0, 1] == 0).all()


def test_attention_by_hand():
    """Scores 2 and 0 at width 4: weights e / (e + 1) and 1 / (e + 1)."""
    layer = MultiHeadAttention(4, 1)
    layer.set_weights([np.eye(4)] * 4)
    query = np.array([[[1.0, 1, 0, 0]]])
    words = np.array([[[1.0, 1, 0, 0], [0, 0, 3, 0]]])
    output, weights = attend(layer, query, words, np.ones((1, 1, 2), bool))
    assert_allclose(weights[0, 0, 0], [0.7310586, 0.2689414], atol=1e-6)
    assert_allclose(output[0, 0], [0.7310586, 0.7310586, 0.8068243, 0], atol=1e-6)


def test_large_scores_do_not_overflow():
    layer = MultiHeadAttention(4, 2)
    words = 1e4 * normal(1, 3, 4)
    output, weights = attend(layer, words, words, np.ones((1, 3, 3), bool))
    assert np.isfinite(output).all()
    assert_allclose(weights.sum(-1), 1, rtol=1e-5)


# Positions


def test_sinusoidal_positions_by_hand():
    encoding = transformer.sinusoidal_positions(np.arange(3), 4)
    expected = [[0, 1, 0, 1], [0.8414710, 0.5403023, 0.0099998, 0.9999500]]
    assert_allclose(encoding[:2], expected, atol=1e-6)
    assert_allclose(encoding[2, 2:], [np.sin(0.02), np.cos(0.02)], atol=1e-6)


def test_embedded_words_are_scaled_and_have_their_positions(model):
    """Vectors times the root of their 8 numbers, plus the encoding of the position."""
    token_ids = np.array([[4, 3]], np.int32)
    got = model.embed(token_ids, model.source_embedding, None, before=1)
    words = model.source_embedding.embeddings.numpy()[[4, 3]]
    encoding = transformer.sinusoidal_positions(np.array([1, 2]), 8)
    assert_allclose(got[0], words * 8**0.5 + encoding, atol=1e-5)


def test_rotated_products_depend_on_the_distance_alone():
    query, key = normal(1, 1, 1, 6), normal(1, 1, 1, 6)

    def product(at, of):
        rotated = (
            transformer.rotate(query, np.array([at])),
            transformer.rotate(key, np.array([of])),
        )
        return float(tf.reduce_sum(rotated[0] * rotated[1]))

    assert product(2, 5) == pytest.approx(product(40, 43), abs=1e-4)
    assert product(7, 7) == pytest.approx(float((query * key).sum()), abs=1e-5)
    assert abs(product(2, 5) - product(2, 6)) > 1e-3


def test_rotation_by_hand():
    """A pair of wavelength 2 pi turns one radian per position."""
    turned = transformer.rotate(np.array([[[[1.0, 0.0]]]]), np.array([2]))
    assert_allclose(turned[0, 0, 0], [np.cos(2), np.sin(2)], atol=1e-6)


def test_alibi_by_hand():
    """Two heads: slopes 1/16 and 1/256 per word of distance."""
    bias = transformer.alibi(np.array([3]), np.arange(4), 2)
    assert_allclose(bias[0, 0], [-3 / 16, -2 / 16, -1 / 16, 0])
    assert_allclose(bias[1, 0], [-3 / 256, -2 / 256, -1 / 256, 0])


@pytest.mark.parametrize("positions", POSITIONS)
def test_only_without_positions_the_order_of_the_source_is_lost(positions):
    model = variant(positions=positions)
    source = np.array([[3, 4, 5, 6]], np.int32)
    order = [2, 0, 3, 1]
    words = model.encode_source(source)[0].numpy()
    shuffled = model.encode_source(source[:, order])[0].numpy()
    same = np.allclose(words[:, order], shuffled, atol=1e-5)
    assert same == (positions == "none")


@pytest.mark.parametrize("positions", ["rotary", "alibi"])
def test_relative_positions_see_no_shift(positions):
    """Padding before a sentence moves every word, and changes no word's vector."""
    model = variant(positions=positions)
    source = np.array([[3, 4, 5, 6]], np.int32)
    moved = np.array([[0, 0, 0, 3, 4, 5, 6]], np.int32)
    assert_allclose(
        model.encode_source(moved)[0][:, 3:],
        model.encode_source(source)[0],
        atol=1e-5,
    )
    sinusoidal = variant()
    before = sinusoidal.encode_source(source)[0].numpy()
    after = sinusoidal.encode_source(moved)[0][:, 3:].numpy()
    assert abs(before - after).max() > 0.01


# Masks


def changed(model, place, length=6):
    """Which words' logits change with the decoder input at ``place``: booleans."""
    source = np.array([[3, 4, 5]], np.int32)
    inputs = np.array([[1] + [3, 4, 5, 6, 3, 4, 5][: length - 1]], np.int32)
    other = inputs.copy()
    other[0, place] = 5 if inputs[0, place] != 5 else 6
    change = abs(model((source, inputs)) - model((source, other))).numpy()
    return (change > 1e-6).any(-1)[0]


def test_words_see_the_words_before_them_alone(model):
    for place in range(1, 6):
        assert_array_equal(changed(model, place), np.arange(6) >= place)


def test_without_the_causal_mask_words_see_the_answer():
    assert changed(variant(causal=False), 4).all()


def test_window_limits_how_far_a_block_sees():
    """Two blocks with a window of 1 see two words back."""
    seen = changed(variant(window=1, layers=2), 2, length=8)
    assert_array_equal(seen, [False, False, True, True, True, False, False, False])


def test_padding_changes_nothing(model):
    (source, inputs), _ = arrays(model)
    more = np.pad(source, ((0, 0), (0, 3)))
    longer = np.pad(inputs, ((0, 0), (0, 2)))
    got = model((more, longer))[:, : inputs.shape[1]]
    assert_allclose(got, model((source, inputs)), atol=1e-5)
    one = model((source[:1, :2], inputs[:1]))
    padded = np.where(np.arange(source.shape[1]) < 2, source[:1], Vocabulary.pad)
    assert_allclose(model((padded, inputs[:1])), one, atol=1e-5)


# Blocks


def test_post_norm_normalizes_what_leaves_a_block():
    words = variant(norm="post").encode_source(np.array([[3, 4, 5]], np.int32))[0]
    assert_allclose(tf.reduce_mean(words, -1), np.zeros((1, 3)), atol=1e-5)
    assert_allclose(tf.math.reduce_std(words, -1), np.ones((1, 3)), atol=0.05)


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_block_of_zeros_passes_its_input_on_only_with_residuals(norm):
    for residual in (True, False):
        block = transformer.EncoderBlock(
            Options(units=4, heads=2, norm=norm, residual=residual)
        )
        for weight in block.weights:
            if len(weight.shape) == 2:
                weight.assign(tf.zeros_like(weight))
        words = np.array([[[1.0, -1, 1, -1], [3, 3, 3, 3]]], "float32")
        got = block(words, np.ones((1, 2), bool))[0].numpy()
        if not residual:
            expected = np.zeros((2, 4))
        elif norm == "pre":
            expected = words[0]
        else:  # normalized twice, with 0.001 added to the variance
            expected = np.stack([words[0, 0] / 1.001**0.5 / (1 / 1.001 + 1e-3) ** 0.5])
            expected = np.concatenate([expected, np.zeros((1, 4))])
        assert_allclose(got, expected, atol=1e-5)


@pytest.mark.parametrize("positions", POSITIONS)
@pytest.mark.parametrize("norm", ["pre", "post"])
def test_gradients_equal_finite_differences(positions, norm):
    model = variant(positions=positions, norm=norm, layers=1, dtype="float64")
    (source, inputs), target = arrays(model, toy_task.PAIRS[:2])

    def loss():
        logits = model((source, inputs))
        nats = keras.ops.sparse_categorical_crossentropy(target, logits, True)
        return tf.reduce_sum(tf.where(target > 0, nats, 0))

    with tf.GradientTape() as tape:
        value = loss()
    gradients = tape.gradient(value, model.trainable_variables)
    for weight, gradient in zip(model.trainable_variables, gradients, strict=True):
        direction = RANDOM.normal(size=weight.shape)
        before = tf.identity(weight)
        slope = float(tf.reduce_sum(tf.convert_to_tensor(gradient) * direction))
        values = []
        for step in (1e-5, -1e-5):
            weight.assign(before + step * direction)
            values.append(float(loss()))
        weight.assign(before)
        assert slope == pytest.approx((values[0] - values[1]) / 2e-5, abs=1e-5)


# Generation with a cache: searches with and without are compared in test_search.py


@pytest.mark.parametrize(
    "options",
    [
        *({"positions": name} for name in POSITIONS),
        {"norm": "post"},
        {"window": 2},
        {"residual": False},
    ],
    ids=str,
)
def test_cached_steps_equal_one_pass(options):
    model = variant(**options)
    (source, inputs), _ = arrays(model)
    state, memory = model.encode(source)
    expected = model((source, inputs)).numpy()
    for t in range(inputs.shape[1]):
        state, logits, _ = model.decode_step(state, inputs[:, t], memory)
        real = inputs[:, t] != Vocabulary.pad
        assert_allclose(logits[real], expected[real, t], atol=1e-4)
    assert state[0][0].shape == (6, 2, inputs.shape[1], 4)


def test_translations_have_the_weights_of_every_head(model):
    sources = toy_task.SOURCES[:5]
    for width in (1, 2):
        translations = model.translate(sources, beam_width=width, verbose=0)
        for source, t in zip(sources, translations, strict=True):
            limit = 2 * len(source) + 10
            rows = len(t.tokens) + (len(t.tokens) < limit)
            assert t.head_weights.shape == (2, 2, rows, len(source))
            assert_allclose(t.head_weights.sum(-1), 1, atol=1e-5)
            assert_allclose(t.weights, t.head_weights.mean((0, 1)), atol=1e-6)
            assert t.text == " ".join(t.tokens)
            if t.tokens:
                forced = model.align([(source, t.tokens)], heads=True)[0]
                assert_allclose(t.head_weights, forced[:, :, :rows], atol=1e-5)


def test_align_gives_the_mean_of_the_heads(model):
    pairs = toy_task.PAIRS[:9]
    mean, heads = model.align(pairs, batch_size=4), model.align(pairs, heads=True)
    for (source, target), row, each in zip(pairs, mean, heads, strict=True):
        assert row.shape == (len(target) + 1, len(source))
        assert_allclose(row, each.mean((0, 1)), atol=1e-5)
        assert_allclose(row.sum(1), 1, atol=1e-5)


# Training


def test_learning_rate_rises_then_falls_with_the_root():
    rate = WarmUp(0.4, 4)
    got = [float(rate(step)) for step in (0, 1, 3, 15)]
    assert_allclose(got, [0.1, 0.2, 0.4, 0.2], rtol=1e-6)
    assert float(WarmUp(**rate.get_config())(15)) == pytest.approx(0.2)


@pytest.fixture(scope="module")
def trained():
    pairs = toy_task.pairs(600, seed=1)
    model = toy_task.transformer(pairs=pairs, units=16, learning_rate=5e-3)
    history = model.fit(pairs, epochs=20, batch_size=32, verbose=0)
    return model, history.history["loss"]


def test_small_model_learns_to_write_capitals(trained):
    model, losses = trained
    pairs = toy_task.pairs(50, seed=9)
    translations = model.translate([source for source, _ in pairs], verbose=0)
    hits = [t.tokens == y for t, (_, y) in zip(translations, pairs, strict=True)]
    assert np.mean(hits) > 0.9
    assert losses[-1] < 0.3 * losses[0]
    loss, accuracy = model.evaluate(pairs)
    assert loss < 0.3 and accuracy > 0.9


def test_saved_model_translates_alike_and_goes_on_training(trained, tmp_path):
    model, _ = trained
    model.save(tmp_path / "model.keras")
    loaded = Transformer.load(tmp_path / "model.keras")
    sources = toy_task.SOURCES[:8]
    for a, b in zip(
        model.translate(sources, verbose=0),
        loaded.translate(sources, verbose=0),
        strict=True,
    ):
        assert a.tokens == b.tokens
        assert_allclose(a.head_weights, b.head_weights, atol=1e-6)
    pairs = toy_task.pairs(64, seed=3)
    weights = model.get_weights()
    a = model.fit(pairs, verbose=0).history["loss"]
    b = loaded.fit(pairs, verbose=0).history["loss"]
    assert_allclose(a, b, rtol=1e-5)
    assert int(loaded.optimizer.iterations) == int(model.optimizer.iterations)
    model.set_weights(weights)


def test_options_and_frozen_parts_are_saved(tmp_path):
    options = {"positions": "learned", "norm": "post", "window": 3, "layers": 1}
    model = variant(**options, dropout=0.2, causal=False, residual=False)
    model.encoder_blocks[0].attention.trainable = False
    model.save(tmp_path / "model.keras")
    loaded = Transformer.load(tmp_path / "model.keras")
    assert loaded.options == model.options
    assert not loaded.encoder_blocks[0].attention.trainable
    assert loaded.decoder_blocks[0].attention.trainable
    (source, inputs), _ = arrays(model)
    assert_allclose(model((source, inputs)), loaded((source, inputs)), atol=1e-6)


def test_exported_model_gives_the_same_logits(model, tmp_path):
    (source, inputs), _ = arrays(model)
    model.export(tmp_path / "exported", verbose=False)
    loaded = tf.saved_model.load(tmp_path / "exported")
    served = loaded.serve((source, inputs))
    assert_allclose(served, model((source, inputs)), atol=1e-5)


def test_half_precision_is_close_and_finite():
    model = variant(dtype="mixed_float16")
    whole = variant()
    (source, inputs), _ = arrays(model)
    assert_allclose(model((source, inputs)), whole((source, inputs)), atol=0.1)
    assert len(model.translate(toy_task.SOURCES[:3], verbose=0)) == 3


def test_dropout_acts_in_training_alone():
    model = variant(dropout=0.5)
    inputs, _ = arrays(model)
    assert_array_equal(model(inputs), model(inputs))
    keras.utils.set_random_seed(0)
    assert abs(model(inputs, training=True) - model(inputs)).numpy().max() > 0.1


# What is refused


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"units": 10, "heads": 4},
            "units should be a multiple of heads, so that each head gets as many, got"
            " units=10 and heads=4",
        ),
        (
            {"positions": "sinus"},
            "positions should be one of 'sinusoidal', 'learned', 'rotary', 'alibi',"
            " 'none', got 'sinus'",
        ),
        ({"norm": "both"}, "norm should be one of 'pre', 'post', got 'both'"),
        ({"heads": 0}, "heads should be an integer of 1 or more, got 0"),
        ({"window": 0}, "window should be an integer of 1 or more, got 0"),
        (
            {"units": 9, "heads": 3},
            "units should be even with positions='sinusoidal', got 9",
        ),
        (
            {"units": 6, "heads": 2, "positions": "rotary"},
            "units / heads should be even with positions='rotary', got 3",
        ),
        (
            {"max_source_len": 9},
            "max_source_len should go with positions='learned', got"
            " positions='sinusoidal'",
        ),
    ],
)
def test_wrong_option_is_refused(options, message):
    with pytest.raises(ValueError) as raised:
        Options(**options)
    assert str(raised.value) == message


def test_unknown_option_is_refused():
    with pytest.raises((TypeError, ValueError), match="attention"):
        Transformer.for_pairs(toy_task.PAIRS, attention="additive")


def test_learned_positions_refuse_what_they_do_not_reach():
    model = variant(positions="learned")
    assert model.options.max_source_len == 6 and model.options.max_target_len == 7
    message = "sentence 0 should have at most 6 tokens, which is this model's"
    with pytest.raises(ValueError, match=message):
        model.translate([list("abcdabc")], verbose=0)
    message = "target 1 should have at most 6 tokens, one fewer than this model's"
    with pytest.raises(ValueError, match=message):
        model.fit([(["a"], ["B"]), (["a"], list("ABCDABC"))], verbose=0)
    bias = np.zeros(len(model.target_vocabulary))
    bias[Vocabulary.end] = -1e9  # it never ends by itself
    model.output_layer.bias.assign(bias)
    assert len(model.translate([list("abcdab")], verbose=0)[0].tokens) == 7


def test_empty_source_is_refused(model):
    with pytest.raises(ValueError, match="sentence 1 should have at least one token"):
        model.translate([["a"], []])
