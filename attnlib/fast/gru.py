"""A GRU over whole sequences, with its gradient written out: what Keras' GRU computes,
from the same weights.

The way back holds only what a step needs of the step behind it; the gradients to
kernels, biases and inputs stand behind the loop, as one product each. Notation as in
Keras: s_t = z s_{t-1} + (1 - z) n, n = tanh(x_t W_n + b_n + r (s_{t-1} U_n + c_n)).
Both loops run as TensorFlow's operations, one by one, or compiled by XLA, which joins
them.
"""

from attnlib.backend import keras, tf
from attnlib.fast.xla import xla


@keras.saving.register_keras_serializable("attnlib")
class FastGRU(keras.layers.GRU):
    """``keras.layers.GRU`` with its default activations and biases. A masked step keeps
    the state before it, which is its output too, or zero within ``Bidirectional``, as
    in Keras.

    shapes: of what XLA compiles in training; None, as it is at first, for TensorFlow's
    operations.
    """

    compiled = False

    def inner_loop(self, sequences, initial_state, mask, training=False):
        (state,) = tf.nest.flatten(initial_state)
        inputs = tf.transpose(sequences, (1, 0, 2))  # (time, batch, dim)
        padding = (
            None
            if mask is None
            else tf.cast(~tf.transpose(mask)[:, :, None], inputs.dtype)
        )  # (time, batch, 1)
        if self.go_backwards:  # as in Keras, the outputs stay in the order read
            inputs, padding = inputs[::-1], None if padding is None else padding[::-1]
        states = gru(inputs, state, self.cell, padding, self.compiled and training)
        outputs = (
            states * (1 - padding)
            if self.zero_output_for_mask and padding is not None
            else states
        )
        return states[-1], tf.transpose(outputs, (1, 0, 2)), [states[-1]]


def gru(inputs, state, cell, padding=None, compiled=False):
    """The states (time, batch, units) of a ``GRUCell`` that reads inputs (time, batch,
    dim) from `state` on.

    padding: (time, batch, 1), 1.0 where the state stays as it is. compiled: as for
    `FastGRU`.
    """
    if padding is None:
        padding = tf.zeros_like(inputs[:, :1, :1])
    weights = (
        tf.convert_to_tensor(x) for x in (cell.kernel, cell.recurrent_kernel, cell.bias)
    )
    return (compiled_recurrence if compiled else recurrence)(
        inputs, state, padding, *weights
    )


def room(time, dtype, *widths):
    """Arrays over time of (batch, width), to be written a step at a time."""
    return [tf.TensorArray(dtype, time, element_shape=(None, w)) for w in widths]


def flat(array):
    """(time, batch, width) as (time * batch, width)."""
    return tf.reshape(array, (-1, array.shape[-1]))


def gates(given, h):
    """A GRU's z and r side by side, its n, and what r is multiplied with, from x_t W +
    b and s_{t-1} U + c.
    """
    units = given.shape[-1] // 3
    zr = tf.sigmoid(given[:, : 2 * units] + h[:, : 2 * units])
    h = h[:, 2 * units :]
    return zr, tf.tanh(given[:, 2 * units :] + zr[:, units:] * h), h


def forward(inputs, first, padding, kernel, recurrent, bias):
    """inputs: x_t, (time, batch, dim). first: s_0. padding: (time, batch, 1). kernel,
    recurrent: W and U. bias: of both, (2, 3 * units).

    Returns, each (time, batch, units): s_t, z, r, n, and what r is multiplied with.
    """
    units, time = first.shape[-1], tf.shape(inputs)[0]

    def body(t, s, kept):
        # A product a step, though one for all would do: XLA would join inputs[t] with
        # what follows, and be slow at it.
        zr, n, h = gates(inputs[t] @ kernel + bias[0], s @ recurrent + bias[1])
        z, r = tf.maximum(zr[:, :units], padding[t]), zr[:, units:]
        s = z * s + (1 - z) * n
        return (
            t + 1,
            s,
            [array.write(t, y) for array, y in zip(kept, (s, z, r, n, h), strict=True)],
        )

    kept = room(time, inputs.dtype, *5 * [units])
    *_, kept = tf.while_loop(lambda t, *_: t < time, body, (0, first, kept))
    return [array.stack() for array in kept]


def backward(above, before, kept, recurrent):
    """The gradients that come back through time, from those to s_t. before: s_{t-1}.
    kept: as `forward` returned it.

    Returns those to x_t W, to s_{t-1} U, both over time, and to s_0.
    """

    def back(t, ds, found):
        s, (z, r, n, h) = before[t], (array[t] for array in kept)
        ds += above[t]
        dn = (
            ds * (1 - z) * (1 - n * n)
        )  # of what stands within each function, from here on
        dz, dr = ds * (s - n) * z * (1 - z), dn * h * r * (1 - r)
        dx, dh = tf.concat([dz, dr, dn], 1), tf.concat([dz, dr, dn * r], 1)
        ds = ds * z + tf.matmul(dh, recurrent, transpose_b=True)
        return (
            t - 1,
            ds,
            [array.write(t, y) for array, y in zip(found, (dx, dh), strict=True)],
        )

    time, units = tf.shape(above)[0], before.shape[-1]
    found = room(time, above.dtype, 3 * units, 3 * units)
    _, ds, found = tf.while_loop(
        lambda t, *_: t >= 0, back, (time - 1, tf.zeros_like(above[0]), found)
    )
    return *(array.stack() for array in found), ds


def differentiable(forward, backward):
    """`forward` for `gru`: s_t, with their gradient."""

    @tf.custom_gradient
    def recurrence(inputs, first, padding, kernel, recurrent, bias):
        states, *kept = forward(inputs, first, padding, kernel, recurrent, bias)

        def gradient(above):
            before = tf.concat([first[None], states[:-1]], 0)
            dx, dh, ds = backward(above, before, kept, recurrent)
            return (
                tf.tensordot(dx, kernel, [[2], [1]]),
                ds,
                None,
                tf.matmul(flat(inputs), flat(dx), transpose_a=True),
                tf.matmul(flat(before), flat(dh), transpose_a=True),
                tf.stack([tf.reduce_sum(dx, (0, 1)), tf.reduce_sum(dh, (0, 1))]),
            )

        return states, gradient

    return recurrence


recurrence, compiled_recurrence = (
    differentiable(forward, backward),
    differentiable(xla(forward), xla(backward)),
)
