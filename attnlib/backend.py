"""The one module that imports TensorFlow, and imports it quietly.

TensorFlow's C++ side writes to file descriptor 2 while it is imported, past any Python
setting, and its lines carry process IDs. Descriptor 2 points at the null device during
the import, and only during the import. A notebook that starts with ``from
attnlib.backend import keras, tf`` therefore shows none of these lines.

TensorFlow is an extra of attnlib, so that installing attnlib where a TensorFlow is
already there adds no second one. Where there is none, the import says how to get it.
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

# The lower bounds of pyproject.toml. pip does not see to that of TensorFlow where
# attnlib is installed without the extra.
LOWEST = {"tensorflow": (2, 19), "keras": (3, 12)}


def _import_quietly():
    sys.stderr.flush()
    try:
        saved = os.dup(2)
    except OSError:  # no descriptor 2, as under pythonw
        import tensorflow

        return tensorflow
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 2)
        os.close(null)
        import tensorflow
    finally:
        os.dup2(saved, 2)
        os.close(saved)
    return tensorflow


def _import_tensorflow():
    try:
        return _import_quietly()
    except ModuleNotFoundError as error:
        if error.name != "tensorflow":  # TensorFlow is there, but incomplete
            raise
    command = f'pip install "{_wanted("tensorflow", ">=")}"'
    raise ModuleNotFoundError(
        "attnlib's layers and models run on TensorFlow, which is not installed here."
        f" Install it with: {command}",
        name="tensorflow",
    )


def _wanted(name, relation=" "):
    return f"{name}{relation}{'.'.join(map(str, LOWEST[name]))}"


def _check_version(module):
    """ImportError if `module` is older than attnlib can use."""
    name = module.__name__
    version = tuple(int(part) for part in module.__version__.split(".")[:2])
    if version < LOWEST[name]:
        raise ImportError(
            f"attnlib runs on {_wanted(name)} or newer, got {module.__version__}."
            f' Install it with: pip install --upgrade "{_wanted(name, ">=")}", then'
            " restart the kernel"
        )


if os.environ["KERAS_BACKEND"] != "tensorflow":
    raise ImportError(
        "KERAS_BACKEND should be 'tensorflow', which attnlib runs on, got"
        f" {os.environ['KERAS_BACKEND']!r}"
    )

tf = _import_tensorflow()

import keras  # noqa: E402  (after TensorFlow, so that its import is quiet too)

# Keras may have been imported before, with a backend from elsewhere, such as
# ~/.keras/keras.json.
if keras.config.backend() != "tensorflow":
    raise ImportError(
        "Keras's backend should be 'tensorflow', which attnlib runs on, got Keras"
        f" loaded with {keras.config.backend()!r}"
    )

_check_version(tf)
_check_version(keras)

__all__ = ["keras", "scan", "tf"]


def scan(step, state, inputs):
    """Run a recurrence as one loop in the graph.

    For each t, ``state, output = step(state, inputs[:, t])``.

    Parameters
    ----------
    step : callable
        Takes a state and a tensor (batch, dim). Returns a new state of the same shapes
        and an output, a tensor (batch, …) or a nest of them.
    state : tensor or nest of tensors
        The initial state.
    inputs : tensor, shape (batch, time, dim)

    Returns
    -------
    state : tensor or nest of tensors
        The final state.
    outputs : tensor or nest of tensors
        Each output stacked over time: (batch, time, …).
    """
    inputs = tf.transpose(inputs, (1, 0, 2))  # (time, batch, dim)
    time = tf.shape(inputs)[0]
    # Read through a TensorArray: the gradient of plain slicing would build an array the
    # size of the whole input at every step.
    steps = tf.TensorArray(inputs.dtype, time, element_shape=inputs.shape[1:])
    steps = steps.unstack(inputs)
    outputs = tf.nest.map_structure(
        lambda spec: tf.TensorArray(spec.dtype, time, element_shape=spec.shape),
        _output_spec(step, state, inputs[0]),
    )

    def body(t, state, outputs):
        state, output = step(state, steps.read(t))
        outputs = tf.nest.map_structure(
            lambda array, value: array.write(t, value), outputs, output
        )
        return t + 1, state, outputs

    _, state, outputs = tf.while_loop(
        lambda t, *_: t < time, body, (0, state, outputs), maximum_iterations=time
    )
    return state, tf.nest.map_structure(_stack_over_time, outputs)


def _output_spec(step, state, x):
    """Shapes and dtypes of the output of `step`, from one abstract call, which computes
    nothing.
    """
    arguments = tf.nest.map_structure(
        lambda tensor: tf.TensorSpec(tensor.shape, tensor.dtype), (state, x)
    )
    traced = tf.function(step, autograph=False).get_concrete_function(*arguments)
    _, spec = traced.structured_outputs
    return spec


def _stack_over_time(array):
    output = array.stack()  # (time, batch, …)
    axes = (1, 0, *range(2, len(output.shape)))
    return tf.transpose(output, axes)  # (batch, time, …)
