"""The compiled decoder steps against the plain ones, one after the other."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from attnlib import fast
from attnlib.backend import tf
from attnlib.decoders import BahdanauDecoder, FixedContextDecoder
from attnlib.fast import xla

pytestmark = pytest.mark.skipif(
    not xla.available(), reason="this TensorFlow has no XLA for the processor"
)


@pytest.fixture(scope="module")
def compiled():
    loops = xla.TrainingLoops()
    loops.shapes = xla.CompiledShapes(4)
    return loops


@pytest.fixture(scope="module", params=[1.0, 4.0], ids=["small weights", "saturated"])
def case(request):
    """A decoder, and what it decodes: three sentences of different lengths, the last
    of them with nothing to attend to.
    """
    random = np.random.default_rng(0)
    decoder = BahdanauDecoder(4)
    decoder.build(embedding_dim=2, value_dim=6, final_dims=[3, 3])
    weights = [random.normal(0, request.param, w.shape) for w in decoder.get_weights()]
    decoder.set_weights(weights)

    def draw(*shape):
        return tf.constant(random.normal(size=shape), tf.float32)

    mask = tf.constant([[True] * 5, [True, True, True, False, False], [False] * 5])
    inputs = draw(3, 4), draw(3, 7, 2), draw(3, 5, 6)  # state, words, annotations
    return decoder, inputs, mask, draw(3, 7, 4 + 6 + 2)


def results(case, unroll):
    """Features, and gradients of states, words, annotations, and every weight."""
    decoder, inputs, mask, upstream = case

    @tf.function(autograph=False)
    def run(state, words, annotations):
        with tf.GradientTape() as tape:
            tape.watch([state, words, annotations])
            memory = decoder.prepare_memory(annotations, None, mask)
            features = unroll(state, words, memory)
            loss = tf.reduce_sum(features * upstream)
        weights = decoder.cell.trainable_variables
        weights = weights + decoder.attention.trainable_variables
        return features, tape.gradient(loss, [state, words, annotations, *weights])

    return [x.numpy() for x in tf.nest.flatten(run(*inputs))]


def step_by_step(decoder):
    """Through ``decoder.step``, which Keras and TensorFlow differentiate."""

    def unroll(state, words, memory):
        features = []
        for word in tf.unstack(words, axis=1):
            state, feature, _ = decoder.step(state, word, memory)
            features.append(feature)
        return tf.stack(features, 1)

    return unroll


def test_unroll_bahdanau_equals_the_plain_steps(case, compiled):
    decoder = case[0]
    expected = results(case, step_by_step(decoder))
    with compiled:
        ways = [
            results(case, lambda *x: fast.unroll_bahdanau(decoder, *x)),
            results(case, lambda *x: decoder.unroll(*x)[0]),
        ]
    ways.append(results(case, lambda *x: decoder.unroll(*x)[0]))  # the plain loop
    for got in ways:
        assert len(got) == len(expected) == 10
        for a, b in zip(got, expected, strict=True):
            assert np.abs(b).max() > 1e-3
            assert_allclose(a, b, rtol=2e-5, atol=2e-6 * np.abs(b).max())


def test_decoder_takes_the_fast_form_unless_weights_are_wanted(
    case, compiled, monkeypatch
):
    decoder, (state, words, annotations), mask, _ = case
    memory, taken = decoder.prepare_memory(annotations, None, mask), []
    unroll = fast.unroll_bahdanau
    monkeypatch.setattr(
        fast, "unroll_bahdanau", lambda *args: taken.append(1) or unroll(*args)
    )
    with compiled:
        features, weights = decoder.unroll(state, words, memory)
        assert weights is None and taken == [1]
        again, weights = decoder.unroll(state, words, memory, return_weights=True)
    assert weights.shape == (3, 7, 5) and taken == [1]
    assert_allclose(again, features, rtol=1e-5, atol=1e-6)


def test_unroll_bahdanau_declines(case, compiled):
    decoder, (state, words, annotations), mask, _ = case
    memory = decoder.prepare_memory(annotations, None, mask)
    assert fast.unroll_bahdanau(decoder, state, words, memory) is None
    with compiled:
        assert fast.unroll_bahdanau(FixedContextDecoder(4), state, words, {}) is None
        half = tf.cast(words, tf.float16)
        assert fast.unroll_bahdanau(decoder, state, half, memory) is None
