"""A GRU over a whole sequence, compiled, with its gradient written out.

It computes what Keras's GRU computes (reset_after=True), from the same weights, and
from here on in its notation. For each step t, with input x_t and state s_{t-1}::

    a = x_t W + b           (batch, 3 * units): a_z, a_r, and a_n side by side
    h = s_{t-1} U + c       (batch, 3 * units): h_z, h_r, and h_n
    z = sigmoid(a_z + h_z)  the update gate
    r = sigmoid(a_r + h_r)  the reset gate
    n = tanh(a_n + r h_n)   the candidate state
    s_t = z s_{t-1} + (1 - z) n

``dx`` is the gradient of the loss with respect to x. The loops hold only what a step
needs of its neighbor; gradients of weights follow behind them, as one product each.
"""

from attnlib.backend import tf
from attnlib.fast import xla


def run_gru(layer, inputs, state, mask):
    """What ``keras.layers.GRU.inner_loop`` returns, or None where it is not compiled.

    layer: a ``keras.layers.GRU`` with the default activations and biases.
    inputs: (batch, time, dim). mask: (batch, time), or None. A masked step keeps the
    state; its output is the state too, or zero within ``Bidirectional``.
    """
    shapes = xla.active_shapes()
    if shapes is None or inputs.dtype != tf.float32:
        return None
    time = tf.shape(inputs)[1]
    inputs = tf.transpose(inputs, (1, 0, 2))  # (time, batch, dim)
    keep = tf.zeros_like(inputs[:, :, :1])  # (time, batch, 1), 1 keeps the state
    if mask is not None:
        keep = tf.cast(~tf.transpose(mask)[:, :, None], inputs.dtype)
    if layer.go_backwards:  # as in Keras, outputs are in the order that was read
        inputs, keep = inputs[::-1], keep[::-1]
    inputs = xla.pad_to(inputs, 0, shapes.length)
    keep = xla.pad_to(keep, 0, shapes.length, value=1)
    cell = layer.cell
    parameters = (cell.kernel, cell.recurrent_kernel, cell.bias)
    (states,) = xla.in_halves(
        lambda *half: [recurrence(*half, *map(tf.convert_to_tensor, parameters))],
        shapes,
        (1, 0, 1),
        inputs,
        state,
        keep,
    )
    last = states[-1]  # (batch, units); padded steps have kept it
    outputs = states * (1 - keep) if layer.zero_output_for_mask else states
    outputs = tf.transpose(outputs[:time], (1, 0, 2))  # (batch, time, units)
    return last, outputs, [last]


def gates(a, h):
    """[z, r] side by side, n, and h_n, from a and h."""
    units = a.shape[-1] // 3
    zr = tf.sigmoid(a[:, : 2 * units] + h[:, : 2 * units])
    h_n = h[:, 2 * units :]
    r = zr[:, units:]
    n = tf.tanh(a[:, 2 * units :] + r * h_n)
    return zr, n, h_n


def gates_backward(ds, s_before, zr, n, h_n):
    """da and dh, both (batch, 3 * units), from ds_t."""
    units = n.shape[-1]
    z, r = zr[:, :units], zr[:, units:]
    # s_t = z s_{t-1} + (1 - z) n, so dL/dn = (1 - z) ds; tanh' = 1 - n²:
    da_n = ds * (1 - z) * (1 - n * n)
    # dL/dz = (s_{t-1} - n) ds, and sigmoid' = z (1 - z):
    da_z = ds * (s_before - n) * z * (1 - z)
    # r stands in a_n + r h_n alone, so dL/dr = da_n h_n, and sigmoid' = r (1 - r):
    da_r = da_n * h_n * r * (1 - r)
    # a and h are summed within the gates, but h_n is multiplied by r first:
    da = tf.concat([da_z, da_r, da_n], 1)
    dh = tf.concat([da_z, da_r, da_n * r], 1)
    return da, dh


def forward(inputs, first, keep, kernel, recurrent_kernel, bias):
    """x_t (time, batch, dim), s_0, keep (time, batch, 1), W, U, and [b, c].

    Returns over time: s_t, [z, r], n, and h_n.
    """
    time, units = tf.shape(inputs)[0], first.shape[-1]

    def body(t, s, arrays):
        # One product per step, though one for all steps would do: XLA would fuse the
        # slice of that one with what follows, and stop vectorizing it.
        a = inputs[t] @ kernel + bias[0]
        h = s @ recurrent_kernel + bias[1]
        zr, n, h_n = gates(a, h)
        z = tf.maximum(zr[:, :units], keep[t])  # z = 1 keeps the state
        zr = tf.concat([z, zr[:, units:]], 1)
        s = z * s + (1 - z) * n
        return t + 1, s, write(arrays, t, (s, zr, n, h_n))

    arrays = over_time(time, inputs.dtype, units, 2 * units, units, units)
    *_, arrays = tf.while_loop(lambda t, *_: t < time, body, (0, first, arrays))
    return [array.stack() for array in arrays]


def backward(d_states, before, saved, recurrent_kernel):
    """From the gradients of all s_t, those of all a and h, and of s_0.

    before: s_{t-1}, over time. saved: [z, r], n, and h_n, from ``forward``.
    """
    time, units = tf.shape(before)[0], before.shape[-1]

    def body(t, ds, arrays):
        # s_t is an output, and the state of the step behind it: two gradients add up.
        ds += d_states[t]
        zr, n, h_n = (array[t] for array in saved)
        da, dh = gates_backward(ds, before[t], zr, n, h_n)
        # s_{t-1} stands in z s_{t-1}, and in h = s_{t-1} U + c:
        ds = ds * zr[:, :units] + tf.matmul(dh, recurrent_kernel, transpose_b=True)
        return t - 1, ds, write(arrays, t, (da, dh))

    arrays = over_time(time, before.dtype, 3 * units, 3 * units)
    _, ds, arrays = tf.while_loop(
        lambda t, *_: t >= 0, body, (time - 1, tf.zeros_like(before[0]), arrays)
    )
    return *(array.stack() for array in arrays), ds


compiled_forward, compiled_backward = xla.compiled(forward), xla.compiled(backward)


@tf.custom_gradient
def recurrence(inputs, first, keep, kernel, recurrent_kernel, bias):
    """s_t (time, batch, units), as ``forward`` has it, with its gradient."""
    states, *saved = compiled_forward(
        inputs, first, keep, kernel, recurrent_kernel, bias
    )

    def gradient(d_states):
        before = tf.concat([first[None], states[:-1]], 0)
        da, dh, d_first = compiled_backward(d_states, before, saved, recurrent_kernel)
        d_inputs = tf.tensordot(da, kernel, [[2], [1]])  # a = x W + b: da W^T
        d_kernel = tf.matmul(flatten_time(inputs), flatten_time(da), transpose_a=True)
        d_recurrent = tf.matmul(
            flatten_time(before), flatten_time(dh), transpose_a=True
        )
        d_bias = tf.stack([tf.reduce_sum(da, (0, 1)), tf.reduce_sum(dh, (0, 1))])
        return d_inputs, d_first, None, d_kernel, d_recurrent, d_bias

    return states, gradient


def over_time(time, dtype, *sizes):
    """Arrays over time of (batch, size), to be written one step at a time."""
    return [tf.TensorArray(dtype, time, element_shape=(None, size)) for size in sizes]


def write(arrays, t, values):
    return [array.write(t, x) for array, x in zip(arrays, values, strict=True)]


def flatten_time(array):
    """(time, batch, dim) as (time * batch, dim)."""
    return tf.reshape(array, (-1, array.shape[-1]))
