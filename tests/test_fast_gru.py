"""The compiled GRU against Keras's own: outputs, states, and every gradient."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from attnlib.backend import keras, tf
from attnlib.fast import xla
from attnlib.fast.gru import run_gru
from attnlib.seq2seq import EncoderGRU

LENGTHS = np.array([5, 1, 3, 4])
needs_xla = pytest.mark.skipif(
    not xla.available(), reason="this TensorFlow has no XLA for the processor"
)


@pytest.fixture
def compiled():
    """A context in which loops are compiled, in batches of 4 and lengths of 8."""
    loops = xla.TrainingLoops()
    loops.shapes = xla.CompiledShapes(4)
    return loops


def results(layer, sequences, mask, upstream, initial_state=None):
    """Outputs, last states, and gradients of a sum over both."""
    inputs = [tf.Variable(sequences)]
    if initial_state is not None:
        inputs.append(tf.Variable(initial_state))

    @tf.function(autograph=False)
    def run():
        with tf.GradientTape() as tape:
            words, *state = map(tf.convert_to_tensor, inputs)
            state = {"initial_state": state[0]} if state else {}
            outputs, *states = layer(words, mask=mask, training=True, **state)
            loss = tf.reduce_sum(outputs * upstream)
            loss += sum(tf.reduce_sum(s * s) for s in states)
        variables = inputs + layer.trainable_variables
        return outputs, states, tape.gradient(loss, variables)

    return [x.numpy() for x in tf.nest.flatten(run())]


@needs_xla
@pytest.mark.parametrize("masked", [True, False], ids=["masked", "unmasked"])
@pytest.mark.parametrize("kind", ["forward", "backward", "bidirectional"])
def test_encoder_gru_equals_that_of_keras(kind, masked, compiled):
    random = np.random.default_rng(1)
    layers = [
        make(
            3,
            return_sequences=True,
            return_state=True,
            go_backwards=kind == "backward",
        )
        for make in (EncoderGRU, keras.layers.GRU)
    ]
    if kind == "bidirectional":
        layers = [keras.layers.Bidirectional(layer) for layer in layers]
    units = 6 if kind == "bidirectional" else 3
    sequences = random.normal(size=(4, 5, 2)).astype(np.float32)
    upstream = random.normal(size=(4, 5, units)).astype(np.float32)
    mask = tf.constant(np.arange(5) < LENGTHS[:, None]) if masked else None
    weights = [random.normal(size=w.shape) for w in built(layers[1]).get_weights()]
    for layer in layers:
        built(layer).set_weights(weights)
    # Before a first real step Keras outputs zeros, and ours the initial state: that is
    # compared only where there is no such step.
    compared = kind != "bidirectional" and not (masked and kind == "backward")
    state = random.normal(size=(4, 3)).astype(np.float32) if compared else None
    for initial_state in (None, state):
        with compiled:
            got = results(layers[0], sequences, mask, upstream, initial_state)
        expected = results(layers[1], sequences, mask, upstream, initial_state)
        assert len(got) == len(expected) >= 6
        for a, b in zip(got, expected, strict=True):
            assert_allclose(a, b, rtol=1e-5, atol=2e-6)


def built(layer):
    layer.build((4, 5, 2))
    return layer


@needs_xla
def test_run_gru_keeps_the_state_where_it_is_masked(compiled):
    layer = built(EncoderGRU(2))
    words = tf.ones((1, 3, 2))
    state = tf.constant([[0.3, -0.2]])
    with compiled:
        last, outputs, _ = run_gru(
            layer, words, state, tf.constant([[True, False, False]])
        )
    expected = layer.cell(words[:, 0], [state])[0]
    assert np.abs(outputs[:, 0] - state).max() > 0.01
    assert_allclose(outputs[:, 0], expected, rtol=1e-6)
    assert (outputs[:, 1] == outputs[:, 0]).numpy().all()
    assert (last == outputs[:, 2]).numpy().all()


@needs_xla
def test_run_gru_declines_outside_of_training_and_other_precisions(compiled):
    layer = built(EncoderGRU(2))
    words, state = tf.ones((1, 3, 2)), tf.zeros((1, 2))
    assert run_gru(layer, words, state, None) is None
    with compiled:
        halves = tf.cast(words, tf.float16), tf.cast(state, tf.float16)
        assert run_gru(layer, *halves, None) is None
        assert run_gru(layer, words, state, None) is not None
