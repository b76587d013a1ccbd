"""All steps of ``BahdanauDecoder``, compiled, with their gradient written out.

For each step i, with s = s_{i-1} and y = y_{i-1}, as in Bahdanau et al. (2015)::

    q = s W_a                    (batch, units), the query
    t_j = tanh(q + k_j)          (batch, source_len, units), with keys k_j = h_j U_a
    e_j = t_j v_a                (batch, source_len), the scores
    alpha = softmax(e)           (batch, source_len), over unmasked positions
    c = sum_j alpha_j h_j        (batch, value_dim), the context
    x = [y; c]                   (batch, embedding_dim + value_dim)
    s_i = GRU(x, s)              in the notation of ``attnlib.fast.gru``

``dx`` is the gradient of the loss with respect to x. t_j is the largest array by far,
so it is computed again on the way back instead of being saved. s U and s W_a are one
product, of s with [U, W_a].
"""

from attnlib.backend import tf
from attnlib.fast import xla
from attnlib.fast.gru import flatten_time, gates, gates_backward, over_time, write


def unroll_bahdanau(decoder, state, words, memory):
    """What ``decoder.unroll`` returns as features, or None where it is not compiled.

    words: (batch, target_len, embedding_dim). Returns s_i, c_i, and y_{i-1} side by
    side: (batch, target_len, units + value_dim + embedding_dim).
    """
    shapes = xla.active_shapes()
    if shapes is None or not decoder.has_attention or words.dtype != tf.float32:
        return None
    cell, attention = decoder.cell, decoder.attention
    target_len = tf.shape(words)[1]
    words = tf.transpose(words, (1, 0, 2))  # (target_len, batch, embedding_dim)
    allowed = tf.cast(memory["mask"], words.dtype)  # (batch, source_len)
    parameters = (
        tf.concat([cell.recurrent_kernel, attention.w_query], 1),
        tf.convert_to_tensor(cell.kernel),
        tf.convert_to_tensor(cell.bias),
        tf.convert_to_tensor(attention.v),
    )
    states, contexts = xla.in_halves(
        lambda *half: steps(*half, *parameters),
        shapes,
        (1, 0, 0, 0, 0),
        xla.pad_to(words, 0, shapes.length),
        state,
        xla.pad_to(memory["keys"], 1, shapes.length),
        xla.pad_to(memory["values"], 1, shapes.length),
        xla.pad_to(allowed, 1, shapes.length),
    )
    features = tf.concat([states[:target_len], contexts[:target_len], words], -1)
    return tf.transpose(features, (1, 0, 2))


def forward(words, first, keys, values, allowed, from_state, kernel, bias, v):
    """y_{i-1} over time, s_0, k_j, h_j, 1.0 where unmasked, [U, W_a], W, [b, c], v_a.

    Returns over time: s_i, c_i, alpha, q, [z, r], n, and h_n.
    """
    units, time = first.shape[-1], tf.shape(words)[0]
    masked_out = (1 - allowed) * words.dtype.min  # added to the scores

    def body(i, s, arrays):
        h = s @ from_state  # (batch, 4 * units): for z, r, n, and the query
        q = h[:, 3 * units :]
        t = tf.tanh(q[:, None] + keys)  # (batch, source_len, units)
        e = tf.tensordot(t, v, 1)  # (batch, source_len)
        alpha = tf.nn.softmax(e + masked_out) * allowed  # a row of nothing: zeros
        c = tf.matmul(alpha[:, None], values)[:, 0]  # (batch, value_dim)
        a = tf.concat([words[i], c], 1) @ kernel + bias[0]
        zr, n, h_n = gates(a, h[:, : 3 * units] + bias[1])
        z = zr[:, :units]
        s = z * s + (1 - z) * n
        return i + 1, s, write(arrays, i, (s, c, alpha, q, zr, n, h_n))

    sizes = units, values.shape[-1], keys.shape[1], units, 2 * units, units, units
    arrays = over_time(time, words.dtype, *sizes)
    *_, arrays = tf.while_loop(lambda i, *_: i < time, body, (0, first, arrays))
    return [array.stack() for array in arrays]


def attend_backward(dc, alpha, q, keys, values, v):
    """From dc_i: de, dq, what v_a gets, and what k_j gets but for a factor of v_a."""
    # c = sum_j alpha_j h_j, so dalpha_j = dc · h_j, here times alpha_j:
    share = alpha * tf.matmul(dc[:, None], values, transpose_b=True)[:, 0]
    # The softmax: de_j = alpha_j (dalpha_j - sum_k alpha_k dalpha_k).
    de = share - alpha * tf.reduce_sum(share, -1, keepdims=True)
    t = tf.tanh(q[:, None] + keys)
    # e_j = t_j v_a, so dv_a = sum_j de_j t_j:
    dv = tf.matmul(de[:, None], t)[:, 0]  # (batch, units)
    # d(q + k_j) = de_j v_a (1 - t_j²). For q it is summed over j, where the de_j add
    # up to 0, so only the squares are left:
    squares = t * t * de[:, :, None]  # (batch, source_len, units)
    dq = -v * tf.reduce_sum(squares, 1)
    return de, dq, dv, squares


def backward(d_states, d_contexts, before, saved, keys, values, from_state, kernel, v):
    """From the gradients of all s_i and c_i, those of everything within the loop.

    before: s_{i-1}, over time. saved: alpha, q, [z, r], n, and h_n, from ``forward``.
    Returns over time: da, d(s_{i-1} [U, W_a]), and dx; then ds_0, dk_j, and dv_a.
    """
    units, time, value_dim = before.shape[-1], tf.shape(before)[0], values.shape[-1]

    def body(i, ds, sum_de, sum_squares, sum_dv, arrays):
        alpha, q, zr, n, h_n = (array[i] for array in saved)
        # s_i is read by the output layer and by step i + 1: two gradients add up.
        ds += d_states[i]
        da, dh = gates_backward(ds, before[i], zr, n, h_n)
        dx = tf.matmul(da, kernel, transpose_b=True)  # a = x W + b: da W^T
        # c_i is the last part of x, and the output layer reads it too:
        dx += tf.pad(d_contexts[i], [(0, 0), (kernel.shape[0] - value_dim, 0)])
        dc = dx[:, -value_dim:]
        de, dq, dv, squares = attend_backward(dc, alpha, q, keys, values, v)
        dh = tf.concat([dh, dq], 1)  # of s_{i-1} [U, W_a]
        # s_{i-1} stands in z s_{i-1}, and in s_{i-1} [U, W_a]:
        ds = ds * zr[:, :units] + tf.matmul(dh, from_state, transpose_b=True)
        arrays = write(arrays, i, (da, dh, dx))
        return i - 1, ds, sum_de + de, sum_squares + squares, sum_dv + dv, arrays

    arrays = over_time(time, before.dtype, 3 * units, 4 * units, kernel.shape[0])
    like = before[0], saved[0][0], keys, before[0]  # ds, de, squares, dv
    sums = [tf.zeros_like(x) for x in like]
    _, ds, sum_de, sum_squares, sum_dv, arrays = tf.while_loop(
        lambda i, *_: i >= 0, body, (time - 1, *sums, arrays)
    )
    da, dh, dx = (array.stack() for array in arrays)
    # dk_j = sum_i de_ij v_a (1 - t_ij²):
    d_keys = v * (sum_de[:, :, None] - sum_squares)
    return da, dh, dx, ds, d_keys, tf.reduce_sum(sum_dv, 0)


compiled_forward, compiled_backward = xla.compiled(forward), xla.compiled(backward)


@tf.custom_gradient
def steps(words, first, keys, values, allowed, from_state, kernel, bias, v):
    """s_i and c_i over time, as ``forward`` has them, with their gradient."""
    states, contexts, *saved = compiled_forward(
        words, first, keys, values, allowed, from_state, kernel, bias, v
    )

    def gradient(d_states, d_contexts):
        before = tf.concat([first[None], states[:-1]], 0)  # s_{i-1}
        da, dh, dx, d_first, d_keys, dv = compiled_backward(
            d_states, d_contexts, before, saved, keys, values, from_state, kernel, v
        )
        embedding_dim, gates_dim = words.shape[-1], da.shape[-1]
        alpha = tf.transpose(saved[0], (1, 2, 0))  # (batch, source_len, target_len)
        dc = tf.transpose(dx[:, :, embedding_dim:], (1, 0, 2))
        d_values = tf.matmul(alpha, dc)  # c_i = sum_j alpha_ij h_j
        inputs = tf.concat([words, contexts], -1)
        return (
            dx[:, :, :embedding_dim],
            d_first,
            d_keys,
            d_values,
            None,
            tf.matmul(flatten_time(before), flatten_time(dh), transpose_a=True),
            tf.matmul(flatten_time(inputs), flatten_time(da), transpose_a=True),
            tf.stack(
                [tf.reduce_sum(da, (0, 1)), tf.reduce_sum(dh[:, :, :gates_dim], (0, 1))]
            ),
            dv,
        )

    return (states, contexts), gradient
