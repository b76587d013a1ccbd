"""The score functions, in keras.ops, and the masked softmax behind every layer.

The same formulas as ``attnlib.reference``, without its loops. Shapes as there; where
each query has a window of its own, keys and values are (batch, target_len, window,
dim), and `source_len` below is the window's length.
"""

from attnlib.backend import keras, tf

ops = keras.ops


def at_least_float32(tensor):
    """`tensor` in float32 where it is in half precision: all scores are computed in
    float32 at least.

    300 * 300 is more than float16 can hold, and a softmax of infinite scores is NaN.
    """
    tensor = ops.convert_to_tensor(tensor)
    return (
        ops.cast(tensor, "float32")
        if tensor.dtype in (tf.float16, tf.bfloat16)
        else tensor
    )


def additive_scores(query, keys, w_query, w_keys, v):
    """e_ij = v^T tanh(W_a s_{i-1} + U_a h_j): Bahdanau et al. (2015), appendix A.1.2.

    query: (batch, target_len, query_dim). keys: (batch, source_len, key_dim).
    w_query: (query_dim, units). v: (units,). w_keys: (key_dim, units), or None if
    `keys` is already
    ``keys @ w_keys``, (batch, source_len, units), which depends on the source alone.
    Returns (batch, target_len, source_len).
    """
    query = ops.matmul(at_least_float32(query), at_least_float32(w_query))[
        :, :, None, :
    ]  # (batch, target_len, 1, units)
    keys = (
        at_least_float32(keys)
        if w_keys is None
        else ops.matmul(at_least_float32(keys), at_least_float32(w_keys))
    )
    if len(keys.shape) == 3:
        keys = keys[:, None, :, :]  # (batch, 1, source_len, units)
    hidden = ops.tanh(query + keys)  # (batch, target_len, source_len, units)
    return ops.tensordot(
        hidden, at_least_float32(v), axes=1
    )  # (batch, target_len, source_len)


def dot_scores(query, keys):
    """score(h_t, h_s) = h_t^T h_s: Luong et al. (2015), eq. 7.

    query: (batch, target_len, dim). keys: (batch, source_len, dim). Returns (batch,
    target_len, source_len).
    """
    query, keys = at_least_float32(query), at_least_float32(keys)
    if len(keys.shape) == 3 and query.dtype == keys.dtype:
        return tf.matmul(
            query, keys, transpose_b=True
        )  # what the einsum would do, without its planning
    return ops.einsum(
        "btd,bsd->bts" if len(keys.shape) == 3 else "btd,btsd->bts", query, keys
    )


def general_scores(query, keys, w):
    """score(h_t, h_s) = h_t^T W_a h_s: Luong et al. (2015), eq. 7. The query is
    projected, not the keys.

    query: (batch, target_len, query_dim). keys: (batch, source_len, key_dim). w:
    (query_dim, key_dim).
    Returns (batch, target_len, source_len).
    """
    return dot_scores(ops.matmul(at_least_float32(query), at_least_float32(w)), keys)


def concat_scores(query, keys, w, v):
    """score(h_t, h_s) = v_a^T tanh(W_a [h_t; h_s]): Luong et al. (2015), eq. 7.

    query: (batch, target_len, query_dim). keys: (batch, source_len, key_dim). v:
    (units,).
    w: (query_dim + key_dim, units), or its first query_dim rows alone if `keys` is
    already projected by the rest.
    Nothing is joined: W_a [h_t; h_s] is the sum of two products. Returns (batch,
    target_len, source_len).
    """
    query_dim = query.shape[-1]
    return additive_scores(
        query, keys, w[:query_dim], w[query_dim:] if w.shape[0] > query_dim else None, v
    )


def location_scores(query, w):
    """W_a h_t: Luong et al. (2015), eq. 8 before its softmax, the same whatever the
    source holds.

    query: (batch, target_len, query_dim). w: (query_dim, max_source_len). Returns
    (batch, target_len, max_source_len).
    """
    return ops.matmul(at_least_float32(query), at_least_float32(w))


def pooling_scores(values, w, b, v):
    """e_s = v^T tanh(W h_s + b): Yang et al. (2016), eq. 5 and 6; v, a constant, stands
    where a query would.

    values: (batch, source_len, value_dim). w: (value_dim, units). b, v: (units,).
    Returns (batch, source_len).
    """
    return ops.tensordot(
        ops.tanh(
            ops.matmul(at_least_float32(values), at_least_float32(w))
            + at_least_float32(b)
        ),
        at_least_float32(v),
        axes=1,
    )


def softmax(scores, mask=None):
    """Softmax over the last axis in at least float32, over what `mask` allows; a row
    with nothing gets zeros.

    scores: (..., source_len). mask: boolean, broadcastable to scores, True = takes
    part. Masked scores are replaced before the row's maximum is taken, so they cannot
    take part in it, whatever they are. A NaN or +inf that takes part makes its whole
    row NaN; -inf weighs 0 beside finite scores.
    """
    scores = at_least_float32(scores)
    # TensorFlow's own: that of keras.ops warns when the last axis is 1 long, as it is
    # for a source of one word.
    if mask is None:
        return tf.nn.softmax(scores)
    weights = tf.nn.softmax(tf.where(mask, scores, scores.dtype.min))
    return weights * tf.cast(mask, weights.dtype)  # a row with nothing


def attend(scores, values, mask=None):
    """Weights (eq. 6) and context (eq. 5): c_i = sum_j alpha_ij h_j, alpha_i =
    softmax(e_i).

    scores: (batch, target_len, source_len). values: (batch, source_len, value_dim).
    mask: (batch, source_len).
    Returns (context, weights): (batch, target_len, value_dim) and (batch, target_len,
    source_len).
    """
    if mask is not None:
        mask = mask[:, None, :]  # (batch, 1, source_len)
    weights = ops.cast(softmax(scores, mask), values.dtype)
    return ops.matmul(weights, values), weights


def windowed_attend(scores, values, inside, distance=None, half_width=None):
    """Attention of each query within its window: Luong et al. (2015), eq. 10.

    scores: (batch, target_len, window). values: (batch, target_len, window, value_dim).
    inside: boolean, like scores, True = a real word. distance: s - p_t, like scores;
    None leaves the Gaussian out. half_width: D, sigma is D / 2.
    Returns (context, weights): (batch, target_len, value_dim) and (batch, target_len,
    window).
    """
    weights = softmax(scores, inside)
    if distance is not None:  # after the softmax, and not normalised again
        sigma = half_width / 2
        weights = weights * ops.cast(
            ops.exp(-(distance**2) / (2 * sigma**2)), weights.dtype
        )
    weights = ops.cast(weights, values.dtype)
    return ops.einsum("bts,btsd->btd", weights, values), weights
