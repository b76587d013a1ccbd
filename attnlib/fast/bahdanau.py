"""All steps of ``BahdanauDecoder`` with additive attention, the target being known,
with their gradient written out.

The loops hold only what a step needs of the step before; the gradients to weights and
annotations stand behind them, as one product each. s_{i-1} U and s_{i-1} W_a are one
product. tanh(W_a s_{i-1} + U_a h_j) is computed again on the way
back, not kept: it is the largest array by far.

Both loops run as TensorFlow's operations, one by one, or compiled by XLA, which joins
them: most of a step's operations are small, and starting one costs more than its
arithmetic.
"""

from attnlib.backend import tf
from attnlib.fast.gru import flat, gates, room
from attnlib.fast.xla import xla


def run(decoder, state, words, memory, compiled=False):
    """What ``decoder.run`` gives: features (batch, target_len, units + value_dim +
    word_dim). In float32.

    compiled: whether by XLA, once for every shape.
    """
    cell, attention = decoder.cell, decoder.attention
    words = tf.transpose(words, (1, 0, 2))  # (target_len, batch, word_dim)
    states, contexts = (compiled_steps if compiled else steps)(
        words,
        state,
        memory["keys"],
        memory["values"],
        tf.cast(memory["mask"], words.dtype),
        tf.concat([cell.recurrent_kernel, attention.w_query], 1),
        tf.convert_to_tensor(cell.kernel),
        tf.convert_to_tensor(cell.bias),
        tf.convert_to_tensor(attention.v),
    )
    return tf.transpose(tf.concat([states, contexts, words], -1), (1, 0, 2))


def forward(words, first, keys, values, allowed, from_state, kernel, bias, v):
    """words: y_{i-1}, (target_len, batch, word_dim). first: s_0. allowed: (batch,
    source_len), 1.0 where the mask is
    True. from_state: [U, W_a] side by side. kernel: W of [y_{i-1}; c_i]. bias: of W and
    of U, (2, 3 * units).

    Returns, each over time: s_i, c_i, alpha_i, W_a s_{i-1}, the GRU's z and r, its n,
    and what r is multiplied with.
    """
    units, time = first.shape[-1], tf.shape(words)[0]
    unseen = (1 - allowed) * words.dtype.min

    def body(t, s, kept):
        h = s @ from_state  # (batch, 4 * units): z, r, n, and the query
        query, h = h[:, 3 * units :], h[:, : 3 * units] + bias[1]
        hidden = tf.tanh(query[:, None] + keys)  # (batch, source_len, units)
        alpha = (
            tf.nn.softmax(tf.tensordot(hidden, v, 1) + unseen) * allowed
        )  # (batch, source_len)
        context = tf.matmul(alpha[:, None], values)[:, 0]  # (batch, value_dim)
        zr, n, h = gates(tf.concat([words[t], context], 1) @ kernel + bias[0], h)
        z = zr[:, :units]
        s = z * s + (1 - z) * n
        found = s, context, alpha, query, zr, n, h
        return (
            t + 1,
            s,
            [array.write(t, y) for array, y in zip(kept, found, strict=True)],
        )

    kept = room(
        time,
        words.dtype,
        units,
        values.shape[-1],
        keys.shape[1],
        units,
        2 * units,
        units,
        units,
    )
    *_, kept = tf.while_loop(lambda t, *_: t < time, body, (0, first, kept))
    return [array.stack() for array in kept]


def backward(
    states_above, contexts_above, before, kept, keys, values, from_state, kernel, v
):
    """The gradients that come back through time, from those to s_i and c_i. before:
    s_{i-1}, over time.
    kept: as `forward` returned it, from alpha_i on.

    Returns, over time, those to what the GRU has from [y_{i-1}; c_i], to s_{i-1} times
    `from_state`, and to [y_{i-1}; c_i]; then to `first`, `keys` and `v`.
    """
    units, time, value_dim = before.shape[-1], tf.shape(before)[0], values.shape[-1]

    def back(t, ds, by_key, squares, dv, found):
        s, (alpha, query, zr, n, h) = before[t], (array[t] for array in kept)
        z, r = zr[:, :units], zr[:, units:]
        ds += states_above[t]
        dn = (
            ds * (1 - z) * (1 - n * n)
        )  # of what stands within each function, from here on
        dzr = tf.concat([ds * (s - n), dn * h], 1) * zr * (1 - zr)
        dx = tf.concat([dzr, dn], 1)
        dread = tf.matmul(dx, kernel, transpose_b=True)  # (batch, word_dim + value_dim)
        dread += tf.pad(contexts_above[t], [(0, 0), (kernel.shape[0] - value_dim, 0)])
        share = (
            alpha
            * tf.matmul(dread[:, None, -value_dim:], values, transpose_b=True)[:, 0]
        )
        de = share - alpha * tf.reduce_sum(
            share, -1, keepdims=True
        )  # of the scores; a row's sum is 0
        hidden = tf.tanh(query[:, None] + keys)
        dv += tf.matmul(de[:, None], hidden)[:, 0]
        # tanh' = 1 - hidden²: the ones meet de, whose sum over the source is 0, so the
        # squares alone are left.
        square = hidden * hidden * de[:, :, None]
        dh = tf.concat([dzr, dn * r, -v * tf.reduce_sum(square, 1)], 1)
        ds = ds * z + tf.matmul(dh, from_state, transpose_b=True)
        found = [
            array.write(t, y) for array, y in zip(found, (dx, dh, dread), strict=True)
        ]
        return t - 1, ds, by_key + de, squares + square, dv, found

    found = room(time, before.dtype, 3 * units, 4 * units, kernel.shape[0])
    sums = (tf.zeros_like(x) for x in (before[0], kept[0][0], keys, before[0]))
    _, ds, by_key, squares, dv, found = tf.while_loop(
        lambda t, *_: t >= 0, back, (time - 1, *sums, found)
    )
    dx, dh, dread = (array.stack() for array in found)
    return dx, dh, dread, ds, v * (by_key[:, :, None] - squares), tf.reduce_sum(dv, 0)


def differentiable(forward, backward):
    """`forward` for `run`: s_i and c_i, with their gradient."""

    @tf.custom_gradient
    def steps(words, first, keys, values, allowed, from_state, kernel, bias, v):
        states, contexts, *kept = forward(
            words, first, keys, values, allowed, from_state, kernel, bias, v
        )

        def gradient(states_above, contexts_above):
            before = tf.concat([first[None], states[:-1]], 0)
            dx, dh, dread, ds, dkeys, dv = backward(
                states_above,
                contexts_above,
                before,
                kept,
                keys,
                values,
                from_state,
                kernel,
                v,
            )
            word_dim, gru = words.shape[-1], dx.shape[-1]
            return (
                dread[:, :, :word_dim],
                ds,
                dkeys,
                tf.matmul(
                    tf.transpose(kept[0], (1, 2, 0)),
                    tf.transpose(dread[:, :, word_dim:], (1, 0, 2)),
                ),
                None,
                tf.matmul(flat(before), flat(dh), transpose_a=True),
                tf.matmul(
                    flat(tf.concat([words, contexts], -1)), flat(dx), transpose_a=True
                ),
                tf.stack(
                    [tf.reduce_sum(dx, (0, 1)), tf.reduce_sum(dh[:, :, :gru], (0, 1))]
                ),
                dv,
            )

        return (states, contexts), gradient

    return steps


steps, compiled_steps = (
    differentiable(forward, backward),
    differentiable(xla(forward), xla(backward)),
)
