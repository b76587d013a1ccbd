"""The score functions, in keras.ops, and the masked softmax behind every layer.

The same formulas as ``attnlib.reference``, without its loops. Shapes as there.
"""

from attnlib.backend import keras, tf

ops = keras.ops


def additive_scores(query, keys, w_query, w_keys, v):
    """e_ij = v^T tanh(W_a s_{i-1} + U_a h_j): Bahdanau et al. (2015), appendix A.1.2.

    query: (batch, target_len, query_dim). keys: (batch, source_len, key_dim).
    w_query: (query_dim, units). v: (units,). w_keys: (key_dim, units), or None if `keys` is already
    ``keys @ w_keys``, (batch, source_len, units), which depends on the source alone.
    Returns (batch, target_len, source_len).
    """
    query = ops.matmul(query, w_query)[:, :, None, :]  # (batch, target_len, 1, units)
    if w_keys is not None:
        keys = ops.matmul(keys, w_keys)
    keys = keys[:, None, :, :]  # (batch, 1, source_len, units)
    hidden = ops.tanh(query + keys)  # (batch, target_len, source_len, units)
    return ops.tensordot(hidden, v, axes=1)  # (batch, target_len, source_len)


def softmax(scores, mask=None):
    """Softmax over the last axis in at least float32, over what `mask` allows; a row with nothing gets zeros.

    scores: (..., source_len). mask: boolean, broadcastable to scores, True = takes part.
    Masked scores are replaced before the row's maximum is taken, so they cannot take part in it.
    """
    scores = ops.convert_to_tensor(scores)
    if scores.dtype in (tf.float16, tf.bfloat16):
        scores = ops.cast(scores, "float32")
    # TensorFlow's own: that of keras.ops warns when the last axis is 1 long, as it is for a source of one word.
    if mask is None:
        return tf.nn.softmax(scores)
    weights = tf.nn.softmax(tf.where(mask, scores, scores.dtype.min))
    return tf.where(mask, weights, tf.zeros_like(weights))


def attend(scores, values, mask=None):
    """Weights (eq. 6) and context (eq. 5): c_i = sum_j alpha_ij h_j, alpha_i = softmax(e_i).

    scores: (batch, target_len, source_len). values: (batch, source_len, value_dim). mask: (batch, source_len).
    Returns (context, weights): (batch, target_len, value_dim) and (batch, target_len, source_len).
    """
    if mask is not None:
        mask = mask[:, None, :]  # (batch, 1, source_len)
    weights = ops.cast(softmax(scores, mask), values.dtype)
    return ops.matmul(weights, values), weights
