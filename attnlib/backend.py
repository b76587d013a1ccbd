"""The one place where TensorFlow is imported, and quieted.

TensorFlow's C++ side writes to file descriptor 2 while it is imported, past any Python
setting, and its lines
carry process ids: descriptor 2 points at the null device during the import, and at the
import alone.
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")


def _import_quietly():
    sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:  # no descriptor 2, as under pythonw
        import tensorflow

        return tensorflow
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 2)
        os.close(null)
        import tensorflow
    finally:
        os.dup2(kept, 2)
        os.close(kept)
    return tensorflow


if os.environ["KERAS_BACKEND"] != "tensorflow":
    raise ImportError(
        "attnlib runs on Keras' tensorflow backend, KERAS_BACKEND is"
        f" {os.environ['KERAS_BACKEND']!r}"
    )

tf = _import_quietly()

import keras  # noqa: E402  (after TensorFlow, so that its import is quiet too)

if (
    keras.config.backend() != "tensorflow"
):  # loaded before, as another file or ~/.keras/keras.json had it
    raise ImportError(
        "attnlib runs on Keras' tensorflow backend, Keras is loaded with"
        f" {keras.config.backend()!r}"
    )

__all__ = ["keras", "scan", "tf"]


def scan(step, state, inputs):
    """A recurrence as one compiled loop: for each t, ``state, output = step(state,
    inputs[:, t])``.

    state: a tensor, or any nest of them. inputs: (batch, time, dim). step returns a new
    state of the same shapes and an output, a tensor (batch, …) or a nest of them.
    Returns (last state, outputs), each output stacked over time: (batch, time, …).
    """
    inputs = tf.transpose(inputs, (1, 0, 2))  # (time, batch, dim)
    time = tf.shape(inputs)[0]
    # Read through a TensorArray: the gradient of plain slicing would build an array of
    # the whole input a step.
    steps = tf.TensorArray(inputs.dtype, time, element_shape=inputs.shape[1:]).unstack(
        inputs
    )
    # One abstract call tells what step returns, without computing anything.
    spec = tf.nest.map_structure(
        lambda x: tf.TensorSpec(x.shape, x.dtype), (state, inputs[0])
    )
    _, output_spec = (
        tf.function(step, autograph=False)
        .get_concrete_function(*spec)
        .structured_outputs
    )
    arrays = tf.nest.map_structure(
        lambda s: tf.TensorArray(s.dtype, time, element_shape=s.shape), output_spec
    )

    def body(t, state, arrays):
        state, output = step(state, steps.read(t))
        return (
            t + 1,
            state,
            tf.nest.map_structure(
                lambda array, value: array.write(t, value), arrays, output
            ),
        )

    _, state, arrays = tf.while_loop(
        lambda t, *_: t < time, body, (0, state, arrays), maximum_iterations=time
    )

    def stack(array):
        output = array.stack()  # (time, batch, …)
        return tf.transpose(output, (1, 0, *range(2, len(output.shape))))

    return state, tf.nest.map_structure(stack, arrays)
