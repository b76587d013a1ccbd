"""The GRU with its gradient written out against Keras' own: outputs, states and every
gradient.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from attnlib.backend import keras, tf
from attnlib.fast.gru import FastGRU, gru
from attnlib.fast.xla import available

LENGTHS = np.array([5, 1, 3, 4])


def results(layer, sequences, mask, upstream, initial_state=None):
    """Outputs, last state, and the gradients to sequences, initial state and weights of
    a sum over both.
    """
    variables = [tf.Variable(sequences)] + (
        [] if initial_state is None else [tf.Variable(initial_state)]
    )

    @tf.function(autograph=False)
    def run():
        with tf.GradientTape() as tape:
            state = (
                {}
                if initial_state is None
                else {"initial_state": tf.convert_to_tensor(variables[1])}
            )
            outputs, *states = layer(
                tf.convert_to_tensor(variables[0]), mask=mask, training=True, **state
            )
            loss = tf.reduce_sum(outputs * upstream) + sum(
                tf.reduce_sum(s * s) for s in states
            )
        return (
            outputs,
            states,
            tape.gradient(loss, variables + layer.trainable_variables),
        )

    return [x.numpy() for x in tf.nest.flatten(run())]


@pytest.mark.parametrize("compiled", [False, True], ids=["", "compiled"])
@pytest.mark.parametrize("masked", [True, False], ids=["masked", ""])
@pytest.mark.parametrize("kind", ["forwards", "backwards", "both ways"])
def test_fast_gru_equals_that_of_keras(kind, masked, compiled):
    if compiled and not available():
        pytest.skip("this TensorFlow has no XLA for the processor")
    random = np.random.default_rng(1)
    options = {
        "return_sequences": True,
        "return_state": True,
        "go_backwards": kind == "backwards",
    }
    layers = [make(3, **options) for make in (FastGRU, keras.layers.GRU)]
    layers[0].compiled = compiled
    if kind == "both ways":
        layers = [keras.layers.Bidirectional(layer) for layer in layers]
        layers[0].forward_layer.compiled = layers[0].backward_layer.compiled = compiled
    sequences = random.normal(size=(4, 5, 2)).astype(np.float32)
    upstream = random.normal(size=(4, 5, 6 if kind == "both ways" else 3)).astype(
        np.float32
    )
    mask = tf.constant(np.arange(5) < LENGTHS[:, None]) if masked else None
    for layer in layers:
        layer.build(sequences.shape)
    layers[1].set_weights(
        [random.normal(size=w.shape) for w in layers[1].get_weights()]
    )
    layers[0].set_weights(layers[1].get_weights())
    # Before a first real step Keras gives zeros, here the initial state goes on: not
    # compared.
    compared = kind != "both ways" and not (masked and kind == "backwards")
    state = random.normal(size=(4, 3)).astype(np.float32) if compared else None
    for initial_state in (None, state):
        found, expected = (
            results(layer, sequences, mask, upstream, initial_state) for layer in layers
        )
        assert len(found) == len(expected) >= 6
        for a, b in zip(found, expected, strict=True):
            assert_allclose(a, b, rtol=1e-5, atol=2e-6)


def test_gru_keeps_the_state_where_it_is_padded():
    cell = keras.layers.GRUCell(2)
    cell.build((None, 1))
    inputs, state = tf.ones((3, 1, 1)), tf.constant([[0.3, -0.2]])
    padding = tf.constant([0.0, 1.0, 1.0])[:, None, None]
    states = gru(inputs, state, cell, padding).numpy()
    expected = cell(inputs[0], [state])[0]
    assert abs(states[0] - state.numpy()).max() > 0.01
    assert_allclose(states[0], expected, rtol=1e-6)
    assert (states[1] == states[0]).all() and (states[2] == states[0]).all()
