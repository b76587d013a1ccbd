"""Encoder and decoder against the same equations in NumPy, one sentence at a time."""

import numpy as np
import pytest
import toy_task
from numpy.testing import assert_allclose, assert_array_equal

from attnlib import reference
from attnlib.backend import keras, tf

MODELS = {
    "additive": {},
    "additive, one direction": {"bidirectional": False, "units": 7},
    "none": {"attention": "none"},
    "none, one direction": {"attention": "none", "bidirectional": False, "units": 7},
    "first state": {"attention": "none", "context": "first_state"},
    "first state, one direction": {
        "attention": "none",
        "context": "first_state",
        "bidirectional": False,
        "units": 7,
    },
}
options = pytest.mark.parametrize("options", MODELS.values(), ids=MODELS.keys())


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def gru(cell, x, h):
    """One step of Keras's GRU with reset_after=True: its z is 1 minus the paper's."""
    kernel, recurrent, (bias, recurrent_bias) = cell.get_weights()
    xz, xr, xh = np.split(x @ kernel + bias, 3)
    hz, hr, hh = np.split(h @ recurrent + recurrent_bias, 3)
    z, r = sigmoid(xz + hz), sigmoid(xr + hr)
    return z * h + (1 - z) * np.tanh(xh + r * hh)


def run_gru(cell, words):
    """All states of a GRU over `words` (source_len, dim)."""
    states = [np.zeros(cell.units)]
    for word in words:
        states.append(gru(cell, word, states[-1]))
    return np.array(states[1:])


def dense(layer, x):
    kernel, bias = layer.get_weights()
    return x @ kernel + bias


def encode(model, source):
    """s_0, annotations h_j and final state of one sentence."""
    words = model.source_embedding.get_weights()[0][source]
    if model.options.bidirectional:
        forward = run_gru(model.encoder.forward_layer.cell, words)
        backward = run_gru(model.encoder.backward_layer.cell, words[::-1])[::-1]
        annotations = np.concatenate([forward, backward], -1)
        final = np.concatenate([forward[-1], backward[0]])
        first_word = backward[0]
    else:
        annotations = run_gru(model.encoder.cell, words)
        final = first_word = annotations[-1]
    s_0 = np.tanh(
        dense(
            model.decoder.first_state,
            first_word if model.has_attention else final,
        )
    )
    return s_0, annotations, final


def logits(model, source, before):
    """Logits (target_len, vocabulary) and attention weights, of one pair."""
    state, annotations, final = encode(model, source)
    outputs, alphas = [], []
    for word in model.target_embedding.get_weights()[0][before]:
        context = final
        if model.options.context == "first_state":
            context = []
        elif model.has_attention:
            scores = reference.additive_scores(
                state[None, None],
                annotations[None],
                *model.decoder.attention.get_weights(),
            )
            context, weights = (
                x[0, 0] for x in reference.attend(scores, annotations[None])
            )
            alphas.append(weights)
        state = gru(model.decoder.cell, np.concatenate([word, context]), state)
        outputs.append(
            dense(model.output_layer, np.concatenate([state, context, word]))
        )
    return np.array(outputs), np.array(alphas)


def token_ids(model, pairs):
    source = model.source_vocabulary.encode([source for source, _ in pairs])
    return source, model.target_vocabulary.encode(
        [target for _, target in pairs], start=True
    )


@options
def test_model_equals_the_equations_in_numpy(options):
    model = toy_task.model(scale=0.7, **options)
    pairs = toy_task.PAIRS[::6]
    assert len({len(source) for source, _ in pairs}) > 2
    source, before = token_ids(model, pairs)
    got, weights = model((source, before), return_weights=True)
    for i, (words, _) in enumerate(pairs):
        expected, alphas = logits(model, source[i, : len(words)], before[i])
        assert_allclose(got[i], expected, atol=1e-5)
        if not model.has_attention:
            assert weights is None
        else:
            assert_allclose(weights[i, :, : len(words)], alphas, atol=1e-5)
            assert_array_equal(
                weights[i, :, len(words) :],
                np.zeros((len(before[i]), source.shape[1] - len(words))),
            )


@options
def test_encoder_padding_does_not_change_its_states(options):
    model = toy_task.model(scale=0.7, **options)
    source, _ = token_ids(model, toy_task.PAIRS[::6])
    longer = np.pad(source, ((0, 0), (0, 5)))
    (state, memory), (padded_state, padded) = model.encode(source), model.encode(longer)
    assert_array_equal(state, padded_state)
    if not model.has_attention:
        assert_array_equal(memory["context"], padded["context"])
    else:
        assert_array_equal(padded["mask"], longer != 0)
        for i, length in enumerate((source != 0).sum(1)):
            assert_array_equal(
                memory["values"][i, :length], padded["values"][i, :length]
            )


def test_decoder_initial_state_comes_from_the_backward_state_at_the_first_word():
    model = toy_task.model(scale=0.7)
    source, _ = token_ids(model, [(["a", "b", "c"], ["A"]), (["b"], ["B"])])
    state, memory = model.encode(source)
    backward_at_first_word = memory["values"].numpy()[
        :, 0, 4:
    ]  # units 8: the second half is the backward GRU's
    assert_allclose(
        state,
        np.tanh(dense(model.decoder.first_state, backward_at_first_word)),
        rtol=1e-5,
    )


def test_decoder_without_attention_gets_the_final_state_at_every_step():
    model = toy_task.model(scale=0.7, attention="none")
    source, before = token_ids(model, [(["a", "b", "c"], ["A", "B"])])
    state, memory = model.encode(source)
    _, _, final = encode(model, source[0])
    assert_allclose(memory["context"][0], final, atol=1e-6)
    features, weights = model.decoder.unroll(
        state, model.target_embedding(before), memory, return_weights=True
    )
    assert weights is None
    for step in range(3):  # features are [s_i; c; y_{i-1}]
        assert_array_equal(features[0, step, 8:16], memory["context"][0])
    assert [w.path for w in model.decoder.weights if "attention" in w.path] == []


def test_decoder_with_the_context_in_its_first_state_gets_it_in_no_step():
    model = toy_task.model(scale=0.7, attention="none", context="first_state")
    source, before = token_ids(model, [(["a", "b", "c"], ["A", "B"])])
    state, memory = model.encode(source)
    assert memory["context"].shape == (1, 0)
    with tf.GradientTape() as tape:
        tape.watch(state)
        logits = model.output_layer(
            model.decoder.unroll(state, model.target_embedding(before), memory)[0]
        )
    assert_allclose(logits, model((source, before)), atol=1e-6)
    assert np.any(tape.gradient(logits, state))
    # Of two sources, the same first state: nothing else tells them apart.
    other, of_other = model.encode(source[:, ::-1])
    assert not np.allclose(other, state)
    features, _ = model.decoder.unroll(state, model.target_embedding(before), of_other)
    assert_allclose(model.output_layer(features), logits, atol=1e-6)
    assert model.decoder.feature_dim == 8 + 4  # s_i and the embedded word


@options
def test_decoder_unroll_equals_its_steps(options):
    model = toy_task.model(scale=0.7, **options)
    source, before = token_ids(model, toy_task.PAIRS[:4])
    state, memory = model.encode(source)
    words = model.target_embedding(before)
    features, weights = model.decoder.unroll(state, words, memory, return_weights=True)
    for step in range(before.shape[1]):
        state, feature, alpha = model.decoder.step(state, words[:, step], memory)
        assert_allclose(features[:, step], feature, atol=1e-6)
        if weights is not None:
            assert_allclose(weights[:, step], alpha, atol=1e-6)
        else:
            assert alpha is None


@options
def test_model_more_padding_changes_nothing(options):
    model = toy_task.model(scale=0.7, **options)
    source, before = token_ids(model, toy_task.PAIRS[::12])
    padded = model((np.pad(source, ((0, 0), (0, 3))), np.pad(before, ((0, 0), (0, 2)))))
    assert_allclose(padded[:, : before.shape[1]], model((source, before)), atol=1e-6)
    one_by_one = [
        model((source[i : i + 1], before[i : i + 1])) for i in range(len(source))
    ]
    assert_allclose(np.concatenate(one_by_one), model((source, before)), atol=1e-5)


def test_model_gradients_reach_every_weight():
    model = toy_task.model()
    source, before = token_ids(model, toy_task.PAIRS[:4])
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(model((source, before)) ** 2)
    gradients = tape.gradient(total, model.trainable_variables)
    assert (
        len(gradients) == 18
    )  # embeddings 2, encoder 6, cell 3, s_0 2, attention 3, output layer 2
    for gradient, variable in zip(gradients, model.trainable_variables, strict=True):
        assert np.any(keras.ops.convert_to_numpy(tf.convert_to_tensor(gradient))), (
            variable.path
        )
