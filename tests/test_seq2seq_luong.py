"""Seq2Seq with Luong's attention: the computation path, one product against a loop,
learning, decoding, saving.
"""

import dataclasses

import numpy as np
import pytest
import toy_task
from numpy.testing import assert_allclose, assert_array_equal

from attnlib import metrics, reference
from attnlib.backend import keras, tf
from attnlib.decoders import DECODERS, LuongDecoder
from attnlib.seq2seq import Options, Seq2Seq

LUONG = [name for name, decoder in DECODERS.items() if decoder is LuongDecoder]
BOTH = [(attention, feeding) for attention in LUONG for feeding in (False, True)]
PAIRS = toy_task.pairs(40, shortest=2, longest=6)


def small(attention, seed=0, **options):
    keras.utils.set_random_seed(seed)
    if attention.startswith("local"):
        options["half_width"] = 2
    return Seq2Seq.for_pairs(
        PAIRS, attention=attention, units=8, embedding_dim=4, **options
    )


def batch(model, n=3):
    """A batch with padding in it: (source, target before)."""
    (source, before), _ = model.batches(PAIRS[:n], n, False)[0]
    return tf.constant(source), tf.constant(before)


@pytest.mark.parametrize("attention, feeding", BOTH)
def test_step_by_step_equals_all_at_once(attention, feeding):
    model = small(attention, input_feeding=feeding)
    source, before = batch(model)
    logits, weights = model((source, before), return_weights=True)
    assert weights.shape == (*before.shape, source.shape[1])
    assert model((source, before)).shape == logits.shape
    state, memory = model.encode(source)
    for t in range(before.shape[1]):
        state, features, step_weights = model.decoder.step(
            state, model.target_embedding(before[:, t]), memory
        )
        assert_allclose(model.output_layer(features), logits[:, t], atol=1e-5)
        assert_allclose(step_weights, weights[:, t], atol=1e-6)


@pytest.mark.parametrize(
    "attention", ["general", "location"]
)  # a content-based score, and the other kind
def test_shift_of_footnote_14_takes_the_step_that_reads_a_word(attention):
    model = small(attention)
    pairs = PAIRS[:5]
    for (source, target), weights in zip(pairs, model.align(pairs), strict=True):
        state, memory = model.encode(
            tf.constant(model.source_vocabulary.encode([source]))
        )
        words = model.target_vocabulary.encode([target], start=True)[
            0
        ]  # <start>, the words, <end>
        # Entry t: where the step looked that reads words[t] and writes words[t + 1].
        looked = []
        for t in range(len(target) + 1):
            state, _, step = model.decoder.step(
                state, model.target_embedding(words[None, t]), memory
            )
            looked.append(int(np.argmax(step)))
        assert metrics.links(weights, rows=range(len(target))) == {
            (t, looked[t]) for t in range(len(target))
        }
        shifted = metrics.links(weights, shift=1, rows=range(len(target)))
        assert shifted == {(t, looked[t + 1]) for t in range(len(target))}


@pytest.mark.parametrize("feeding", [False, True])
def test_path_is_that_of_the_paper(feeding):
    model = small("general", input_feeding=feeding)
    source, before = batch(model)
    state, memory = model.encode(source)
    logits, weights = model((source, before), return_weights=True)
    values, mask = memory["values"].numpy(), source.numpy() != 0
    w = model.decoder.attention.get_weights()[0]
    w_c = model.decoder.combine.get_weights()[0]
    h, fed = state["h"], tf.zeros_like(state["h"])
    for t in range(before.shape[1]):
        word = model.target_embedding(before[:, t])
        h, _ = model.decoder.cell(tf.concat([word, fed], -1) if feeding else word, [h])
        query = h.numpy()[:, None]  # the current state
        context, expected = reference.attend(
            reference.general_scores(query, values, w), values, mask
        )
        attentional = np.tanh(np.concatenate([context, query], -1)[:, 0] @ w_c)  # eq. 5
        assert_allclose(weights[:, t], expected[:, 0], atol=1e-5)
        assert_allclose(logits[:, t], model.output_layer(attentional), atol=1e-5)
        fed = tf.constant(attentional)
    assert model.decoder.cell.kernel.shape[0] == 4 + 8 * feeding


def test_initial_state_is_that_of_the_encoder_or_zeros():
    for attention in ("none", "additive", "general"):
        given, cut = small(attention), small(attention, initial_state="zeros")
        states = [
            tf.nest.flatten(model.encode(batch(model)[0])[0])[0].numpy()
            for model in (given, cut)
        ]
        assert (
            states[0].any()
            and not states[1].any()
            and states[0].shape == states[1].shape
        )
        assert cut(batch(cut)).shape == given(batch(given)).shape
    given = small("dot")
    first, memory = given.encode(batch(given)[0])
    forward, backward = np.split(first["h"].numpy(), 2, -1)
    annotations = memory["values"].numpy()
    last = (batch(given)[0].numpy() != 0).sum(1) - 1
    assert_allclose(forward, annotations[np.arange(3), last, :4], atol=1e-6)
    assert_allclose(backward, annotations[:, 0, 4:], atol=1e-6)
    assert (
        small("additive", initial_state="zeros").count_params()
        == small("additive").count_params() - 4 * 8 - 8
    )


def test_local_monotonic_looks_around_the_step_it_is_at():
    model = small("local-m")
    source, before = batch(model)
    weights = model((source, before), return_weights=True)[1].numpy()
    for b, length in enumerate((source.numpy() != 0).sum(1)):
        for t in range(before.shape[1]):
            center = min(t, length - 1)
            expected = [
                abs(s - center) <= 2 and s < length for s in range(source.shape[1])
            ]
            assert_array_equal(weights[b, t] > 0, expected)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_reversed_source_is_read_backwards_and_positions_are_mirrored(bidirectional):
    model = small("local-m", reverse_source=True, bidirectional=bidirectional)
    source = batch(model)[0].numpy()
    state, memory = model.encode(tf.constant(source))
    for b, row in enumerate(source):
        row = row[row != 0]
        annotations, *finals = model.encoder(model.source_embedding(row[None, ::-1]))
        assert_allclose(
            memory["values"][b, : len(row)], annotations[0, ::-1], atol=1e-6
        )
        assert_allclose(state["h"][b], tf.concat(finals, -1)[0], atol=1e-6)
    translation = model.translate([[*"abcdab"]], max_length=6, verbose=0)[0]
    assert (translation.weights[0] > 0).tolist() == [
        True,
        True,
        True,
        False,
        False,
        False,
    ]  # around the first word


def test_dropout_is_for_training_alone(monkeypatch):
    model, plain = small("general", dropout=0.5), small("general")
    inputs = batch(model)
    plain.set_weights([w.numpy() for w in model.trainable_variables])
    assert_array_equal(model(inputs), plain(inputs))
    assert_array_equal(plain(inputs, training=True), plain(inputs))
    trained = model(inputs, training=True).numpy()
    assert np.abs(trained - model(inputs)).max() > 1e-3
    assert np.abs(trained - model(inputs, training=True)).max() > 1e-3
    seen, call = [], model.dropout_layer.call
    monkeypatch.setattr(
        model.dropout_layer,
        "call",
        lambda x, training=False: seen.append(x.shape) or call(x, training),
    )
    model(inputs, training=True)
    assert seen == [
        (*inputs[0].shape, 4),
        (*inputs[1].shape, 4),
        (*inputs[1].shape, 8),
    ]  # words, and the last layer
    with pytest.raises(ValueError, match="rate"):
        small("general", dropout=1.5)


@pytest.mark.parametrize("attention", LUONG)
def test_model_learns_translates_aligns_and_comes_back(attention, tmp_path):
    keras.utils.set_random_seed(0)
    feeding = attention in ("dot", "location", "local-m")
    options = {
        "units": 16,
        "embedding_dim": 8,
        "bidirectional": False,
        "input_feeding": feeding,
    }
    if attention.startswith("local"):
        options["half_width"] = 2
    train, test = toy_task.pairs(300), toy_task.pairs(12, seed=1)
    model = Seq2Seq.for_pairs(train, attention=attention, learning_rate=2e-2, **options)
    losses = model.fit(train, epochs=8, batch_size=32, verbose=0).history["loss"]
    assert losses[-1] < losses[0] / 2
    found = model.translate([source for source, _ in test], verbose=0)
    aligned = model.align(
        [
            (source, t.tokens or ["A"])
            for (source, _), t in zip(test, found, strict=True)
        ]
    )
    for (source, _), translation, weights in zip(test, found, aligned, strict=True):
        assert translation.weights.shape[1] == len(source)
        if translation.tokens:  # the decoder wrote what it is now given
            assert_allclose(
                weights[: len(translation.weights)], translation.weights, atol=1e-5
            )
    model.save(tmp_path / "model.keras")
    again = Seq2Seq.load(tmp_path / "model.keras")
    assert again.get_config() == model.get_config()
    numbers = [np.array([[3, 4, 0]]), np.array([[1, 4, 3]])]
    assert_array_equal(again(numbers), model(numbers))


@pytest.mark.parametrize("attention, feeding", [("local-m", True), ("local-p", False)])
def test_beams_carry_state_and_weights_along(attention, feeding):
    model = small(attention, input_feeding=feeding)
    sentences = [[*"abcd"], [*"dc"]]
    found = model.translate(sentences, beam_width=3, max_length=4, verbose=0)
    aligned = model.align(
        [
            (source, t.tokens or ["A"])
            for source, t in zip(sentences, found, strict=True)
        ]
    )
    for translation, weights in zip(found, aligned, strict=True):
        assert len(translation.weights) >= len(translation.tokens) > 0
        assert_allclose(
            weights[: len(translation.weights)], translation.weights, atol=1e-5
        )


# location


def test_location_has_a_longest_source():
    longest = max(len(source) for source, _ in PAIRS)
    model = small("location")
    assert (
        model.max_source_len == longest == 6
        and small("location", max_source_len=9).max_source_len == 9
    )
    longer = [*"abcdabc"]
    message = (
        "sentence 1 should have at most 6 tokens, which is this model's max_source_len,"
        " got 7"
    )
    for refused in (
        lambda: model.translate([["a"], longer], verbose=0),
        lambda: model.fit([PAIRS[0], (longer, ["A"])], verbose=0),
        lambda: model.align([PAIRS[0], (longer, ["A"])]),
        lambda: model.evaluate([PAIRS[0], (longer, ["A"])]),
    ):
        with pytest.raises(ValueError, match=message):
            refused()
    with pytest.raises(
        TypeError,
        match="max_source_len, which score='location' needs, should be an integer",
    ):
        Seq2Seq(model.source_vocabulary, model.target_vocabulary, attention="location")


# Options


def test_config_holds_every_option():
    options = {
        "attention": "local-p",
        "units": 6,
        "embedding_dim": 3,
        "bidirectional": False,
        "input_feeding": True,
        "initial_state": "zeros",
        "dropout": 0.1,
        "reverse_source": True,
        "half_width": 4,
        "score": "concat",
        "gaussian": False,
        "max_source_len": None,
        "concat_identity": True,
        "context": "every_step",
    }
    assert set(options) == {field.name for field in dataclasses.fields(Options)}
    model = Seq2Seq.for_pairs(PAIRS, **options)
    config = Seq2Seq.from_config(model.get_config()).get_config()
    assert {name: config[name] for name in options} == options
    layer = model.decoder.attention
    assert (layer.score, layer.center, layer.half_width, layer.gaussian) == (
        "concat",
        "predictive",
        4,
        False,
    )
    assert layer.concat_identity and layer.w.shape == (6, 6)


@pytest.mark.parametrize(
    "options, message",
    [
        (
            {"attention": "luong"},
            "attention should be one of 'none', .*, 'local-p', got 'luong'",
        ),
        (
            {"initial_state": "zero"},
            "initial_state should be one of 'encoder', 'zeros', got 'zero'",
        ),
        (
            {"attention": "additive", "input_feeding": True},
            (
                "input_feeding should go with one of dot, .*, local-p, got"
                " attention='additive'"
            ),
        ),
        (
            {"attention": "none", "input_feeding": True},
            "input_feeding should go with one of dot, .*, got attention='none'",
        ),
        (
            {"attention": "local-p", "half_width": 0},
            "half_width should be an integer of 1 or more, got 0",
        ),
        (
            {"attention": "local-m", "score": "location"},
            "score should be one of 'dot', 'general', 'concat', got 'location'",
        ),
    ],
)
def test_model_refuses_options(options, message):
    with pytest.raises(ValueError, match=message):
        Seq2Seq.for_pairs(PAIRS, **options)
