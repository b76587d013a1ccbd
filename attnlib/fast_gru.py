"""A GRU over whole sequences, with its gradient written out: what Keras' GRU computes, from the same weights.

The loop holds only what a step needs of the step before. What all steps share stands outside it, as one product each:
inputs times kernel before the loop, the gradients to kernels, biases and inputs behind it. Notation as in Keras:
s_t = z s_{t-1} + (1 - z) n, n = tanh(x_t W_n + b_n + r (s_{t-1} U_n + c_n)).
"""

from attnlib.backend import keras, tf


@keras.saving.register_keras_serializable("attnlib")
class FastGRU(keras.layers.GRU):
    """``keras.layers.GRU`` with its default activations and biases. A masked step keeps the state before it, which is
    its output too, or zero within ``Bidirectional``, as in Keras."""

    def inner_loop(self, sequences, initial_state, mask, training=False):
        (state,) = tf.nest.flatten(initial_state)
        inputs = tf.transpose(sequences, (1, 0, 2))  # (time, batch, dim)
        padding = None if mask is None else tf.cast(~tf.transpose(mask)[:, :, None], inputs.dtype)  # (time, batch, 1)
        if self.go_backwards:  # as in Keras, the outputs stay in the order read
            inputs, padding = inputs[::-1], None if padding is None else padding[::-1]
        states = gru(inputs, state, self.cell, padding)
        outputs = states * (1 - padding) if self.zero_output_for_mask and padding is not None else states
        return states[-1], tf.transpose(outputs, (1, 0, 2)), [states[-1]]


def gru(inputs, state, cell, padding=None):
    """The states (time, batch, units) of a ``GRUCell`` that reads inputs (time, batch, dim) from `state` on.

    padding: (time, batch, 1), 1.0 where the state stays as it is.
    """
    bias = tf.convert_to_tensor(cell.bias)
    inputs = tf.tensordot(inputs, tf.convert_to_tensor(cell.kernel), 1) + bias[0]  # (time, batch, 3 * units)
    if padding is None:
        padding = tf.zeros_like(inputs[:, :1, :1])
    return recurrence(inputs, state, padding, tf.convert_to_tensor(cell.recurrent_kernel), bias[1])


def rows(array):
    """An array over time, to be read a step at a time."""
    return tf.TensorArray(array.dtype, tf.shape(array)[0], element_shape=array.shape[1:]).unstack(array)


def room(time, dtype, *widths):
    """Arrays over time of (batch, width), to be written a step at a time and read later."""
    return [tf.TensorArray(dtype, time, element_shape=(None, w), clear_after_read=False) for w in widths]


@tf.custom_gradient
def recurrence(inputs, first, padding, kernel, bias):
    """inputs: x_t W + b, (time, batch, 3 * units). first: s_0. kernel, bias: U and c. Returns s_1 … s_time."""
    units, time = first.shape[-1], tf.shape(inputs)[0]
    x, padded = rows(inputs), rows(padding)

    def body(t, s, kept):
        given, h = x.read(t), s @ kernel + bias  # both (batch, 3 * units): z, r, n
        zr = tf.sigmoid(given[:, : 2 * units] + h[:, : 2 * units])
        z, r, h = tf.maximum(zr[:, :units], padded.read(t)), zr[:, units:], h[:, 2 * units :]
        n = tf.tanh(given[:, 2 * units :] + r * h)
        s = z * s + (1 - z) * n
        return t + 1, s, [array.write(t, y) for array, y in zip(kept, (s, z, r, n, h), strict=True)]

    steps = dict(maximum_iterations=time)
    kept = room(time, inputs.dtype, *5 * [units])
    *_, kept = tf.while_loop(lambda t, *_: t < time, body, (0, first, kept), **steps)
    states, (_, *gates) = kept[0].stack(), kept

    def gradient(upstream):
        before = tf.concat([first[None], states[:-1]], 0)
        s_before, above = rows(before), rows(upstream)

        def back(t, ds, found):
            s, (z, r, n, h) = s_before.read(t), (gate.read(t) for gate in gates)
            ds += above.read(t)
            dn = ds * (1 - z) * (1 - n * n)  # of what stands within each function, from here on
            dz, dr = ds * (s - n) * z * (1 - z), dn * h * r * (1 - r)
            dx, dh = tf.concat([dz, dr, dn], 1), tf.concat([dz, dr, dn * r], 1)
            ds = ds * z + tf.matmul(dh, kernel, transpose_b=True)
            return t - 1, ds, [array.write(t, y) for array, y in zip(found, (dx, dh), strict=True)]

        found = room(time, inputs.dtype, 3 * units, 3 * units)
        _, ds, found = tf.while_loop(lambda t, *_: t >= 0, back, (time - 1, tf.zeros_like(first), found), **steps)
        dx, dh = (array.stack() for array in found)
        flat = lambda y: tf.reshape(y, (-1, y.shape[-1]))  # noqa: E731
        dkernel = tf.matmul(flat(before), flat(dh), transpose_a=True)
        return dx, ds, None, dkernel, tf.reduce_sum(dh, (0, 1))

    return states, gradient
