"""All steps of the decoder with their gradient written out against the plain steps, one
after the other.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from attnlib import fast_bahdanau
from attnlib.backend import tf
from attnlib.decoders import BahdanauDecoder
from attnlib.fast.xla import available


@pytest.fixture(scope="module", params=[1.0, 4.0], ids=["small weights", "saturated"])
def given(request):
    """A decoder, and what it decodes: three sentences of different lengths, the last
    without anything to attend to.
    """
    random = np.random.default_rng(0)
    decoder = BahdanauDecoder(4)
    decoder.build(word_dim=2, value_dim=6, final_dim=3)
    decoder.set_weights(
        [random.normal(0, request.param, w.shape) for w in decoder.get_weights()]
    )
    draw = lambda *shape: tf.constant(random.normal(size=shape), tf.float32)  # noqa: E731
    mask = tf.constant([[True] * 5, [True, True, True, False, False], [False] * 5])
    return (
        decoder,
        draw(3, 4),
        draw(3, 7, 2),
        draw(3, 5, 6),
        mask,
        draw(3, 7, 4 + 6 + 2),
    )


def results(given, run):
    """Features, and the gradients to states, words, annotations and every weight."""
    decoder, state, words, annotations, mask, upstream = given

    @tf.function(autograph=False)
    def step(state, words, annotations):
        with tf.GradientTape() as tape:
            tape.watch([state, words, annotations])
            features = run(state, words, decoder.memory(annotations, None, mask))
            loss = tf.reduce_sum(features * upstream)
        weights = (
            decoder.cell.trainable_variables + decoder.attention.trainable_variables
        )
        return features, tape.gradient(loss, [state, words, annotations, *weights])

    return [x.numpy() for x in tf.nest.flatten(step(state, words, annotations))]


def plain(decoder):
    """Step by step through ``decoder.step``, which Keras and TensorFlow differentiate."""

    def run(state, words, memory):
        features = []
        for word in tf.unstack(words, axis=1):
            state, feature, _ = decoder.step(state, word, memory)
            features.append(feature)
        return tf.stack(features, 1)

    return run


def test_fast_steps_equal_the_plain_ones(given):
    decoder = given[0]
    expected = results(given, plain(decoder))
    ways = [lambda *x: fast_bahdanau.run(decoder, *x), lambda *x: decoder.run(*x)[0]]
    if available():
        ways += [
            lambda *x: fast_bahdanau.run(decoder, *x, compiled=True),
            lambda *x: decoder.run(*x, compiled=True)[0],
        ]
    for run in ways:
        found = results(given, run)
        assert len(found) == len(expected) == 10
        for a, b in zip(found, expected, strict=True):
            assert np.abs(b).max() > 1e-3
            assert_allclose(a, b, rtol=2e-5, atol=2e-6 * np.abs(b).max())


def test_decoder_takes_the_fast_way_unless_weights_are_wanted(given, monkeypatch):
    decoder, state, words, annotations, mask, _ = given
    memory, taken = decoder.memory(annotations, None, mask), []
    run = fast_bahdanau.run
    monkeypatch.setattr(fast_bahdanau, "run", lambda *x: taken.append(1) or run(*x))
    features, weights = decoder.run(state, words, memory)
    assert weights is None and taken == [1]
    again, weights = decoder.run(state, words, memory, return_weights=True)
    assert weights.shape == (3, 7, 5) and taken == [1]
    assert_allclose(again, features, rtol=1e-5, atol=1e-6)
