"""All steps of ``BahdanauDecoder`` with additive attention, the target being known, with their gradient written out.

The loop holds only what a step needs of the step before. Outside it, as one product each, stand the words times their
part of the GRU's kernel, and the gradients to every weight and to the annotations. s_{i-1} U and s_{i-1} W_a are one
product. tanh(W_a s_{i-1} + U_a h_j) is computed again on the way back, not kept: it is the largest array by far.
"""

from attnlib.backend import tf
from attnlib.fast_gru import room, rows


def run(decoder, state, words, memory):
    """What ``decoder.run`` gives: features (batch, target_len, units + value_dim + word_dim). In float32."""
    cell, attention, word_dim = decoder.cell, decoder.attention, words.shape[-1]
    kernel, bias = tf.convert_to_tensor(cell.kernel), tf.convert_to_tensor(cell.bias)
    words = tf.transpose(words, (1, 0, 2))  # (target_len, batch, word_dim)
    states, contexts = steps(
        tf.tensordot(words, kernel[:word_dim], 1) + bias[0],
        state,
        memory["keys"],
        memory["values"],
        tf.cast(memory["mask"], words.dtype),
        tf.concat([cell.recurrent_kernel, attention.w_query], 1),
        bias[1],
        kernel[word_dim:],
        tf.convert_to_tensor(attention.v),
    )
    return tf.transpose(tf.concat([states, contexts, words], -1), (1, 0, 2))


@tf.custom_gradient
def steps(inputs, first, keys, values, allowed, from_state, bias, from_context, v):
    """inputs: y_{i-1} W + b, (time, batch, 3 * units). first: s_0. allowed: (batch, source_len), 1.0 where the mask is
    True. from_state: [U, W_a] side by side. bias: of U. from_context: the context's part of W.

    Returns states s_i and contexts c_i, (time, batch, …).
    """
    units, time = first.shape[-1], tf.shape(inputs)[0]
    x, unseen = rows(inputs), (1 - allowed) * inputs.dtype.min
    total = {"maximum_iterations": time}

    def body(t, s, kept):
        h = s @ from_state  # (batch, 4 * units): z, r, n, and the query
        query, h = h[:, 3 * units :], h[:, : 3 * units] + bias
        hidden = tf.tanh(query[:, None] + keys)  # (batch, source_len, units)
        alpha = tf.nn.softmax(tf.tensordot(hidden, v, 1) + unseen) * allowed  # (batch, source_len)
        context = tf.matmul(alpha[:, None], values)[:, 0]  # (batch, value_dim)
        given = x.read(t) + context @ from_context
        zr = tf.sigmoid(given[:, : 2 * units] + h[:, : 2 * units])
        z, h = zr[:, :units], h[:, 2 * units :]
        n = tf.tanh(given[:, 2 * units :] + zr[:, units:] * h)
        s = z * s + (1 - z) * n
        found = s, context, alpha, query, zr, n, h
        return t + 1, s, [array.write(t, y) for array, y in zip(kept, found, strict=True)]

    kept = room(time, inputs.dtype, units, values.shape[-1], None, units, 2 * units, units, units)
    *_, kept = tf.while_loop(lambda t, *_: t < time, body, (0, first, kept), **total)
    states, contexts = kept[0].stack(), kept[1].stack()

    def gradient(states_above, contexts_above):
        before = tf.concat([first[None], states[:-1]], 0)
        s_before, ds_above, dc_above = rows(before), rows(states_above), rows(contexts_above)

        def back(t, ds, by_key, squares, dv, found):
            s, (alpha, query, zr, n, h) = s_before.read(t), (array.read(t) for array in kept[2:])
            z, r = zr[:, :units], zr[:, units:]
            ds += ds_above.read(t)
            dn = ds * (1 - z) * (1 - n * n)  # of what stands within each function, from here on
            dzr = tf.concat([ds * (s - n), dn * h], 1) * zr * (1 - zr)
            dx = tf.concat([dzr, dn], 1)
            dc = tf.matmul(dx, from_context, transpose_b=True) + dc_above.read(t)
            share = alpha * tf.matmul(dc[:, None], values, transpose_b=True)[:, 0]
            de = share - alpha * tf.reduce_sum(share, -1, keepdims=True)  # of the scores; a row's sum is 0
            hidden = tf.tanh(query[:, None] + keys)
            dv += tf.matmul(tf.reshape(de, (1, -1)), tf.reshape(hidden, (-1, units)))[0]
            # tanh' = 1 - hidden²: the ones meet de, whose sum over the source is 0, so the squares alone are left.
            square = hidden * hidden * de[:, :, None]
            dh = tf.concat([dzr, dn * r, -v * tf.reduce_sum(square, 1)], 1)
            ds = ds * z + tf.matmul(dh, from_state, transpose_b=True)
            found = [array.write(t, y) for array, y in zip(found, (dx, dh, dc), strict=True)]
            return t - 1, ds, by_key + de, squares + square, dv, found

        found = room(time, inputs.dtype, 3 * units, 4 * units, values.shape[-1])
        sums = (tf.zeros_like(x) for x in (first, allowed, keys, v))
        _, ds, by_key, squares, dv, found = tf.while_loop(lambda t, *_: t >= 0, back, (time - 1, *sums, found), **total)
        dx, dh, dc = (array.stack() for array in found)
        flat = lambda y: tf.reshape(y, (-1, y.shape[-1]))  # noqa: E731
        alphas = tf.transpose(kept[2].stack(), (1, 2, 0))  # (batch, source_len, time)
        return (
            dx,
            ds,
            v * (by_key[:, :, None] - squares),
            tf.matmul(alphas, tf.transpose(dc, (1, 0, 2))),
            None,
            tf.matmul(flat(before), flat(dh), transpose_a=True),
            tf.reduce_sum(dh[:, :, : 3 * units], (0, 1)),
            tf.matmul(flat(contexts), flat(dx), transpose_a=True),
            dv,
        )

    return (states, contexts), gradient
