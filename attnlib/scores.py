"""The score functions in ``keras.ops``, and the masked softmax behind every layer.

The same formulas as ``attnlib.reference``, without its loops. Shapes are those of that
module. Where each query has a window of its own, keys and values are (batch,
target_len, window, dim), and `source_len` below is the size of the window.
"""

from attnlib.backend import keras, tf

ops = keras.ops


def at_least_float32(tensor):
    """Cast a tensor in half precision to float32.

    All scores are computed in float32 at least: 300 * 300 is more than float16 can
    hold, and a softmax of infinite scores is NaN.

    Parameters
    ----------
    tensor : tensor or array, of any shape

    Returns
    -------
    tensor : tensor, of the same shape
        float32 if the argument is float16 or bfloat16, else the argument's own dtype.
    """
    tensor = ops.convert_to_tensor(tensor)
    if tensor.dtype in (tf.float16, tf.bfloat16):
        return ops.cast(tensor, "float32")
    return tensor


def additive_scores(query, keys, w_query, w_keys, v):
    r"""Bahdanau's additive score.

    .. math:: e_{ij} = v^\top \tanh(W_a s_{i-1} + U_a h_j)

    Parameters
    ----------
    query : tensor, shape (batch, target_len, query_dim)
        The decoder's *previous* states :math:`s_{i-1}`.
    keys : tensor, shape (batch, source_len, key_dim)
        The annotations :math:`h_j`.
    w_query : tensor, shape (query_dim, units)
        :math:`W_a`, transposed.
    w_keys : tensor, shape (key_dim, units), or None
        :math:`U_a`, transposed. None if `keys` already is ``keys @ w_keys``, of shape
        (batch, source_len, units), which depends on the source alone.
    v : tensor, shape (units,)

    Returns
    -------
    scores : tensor, shape (batch, target_len, source_len)

    Notes
    -----
    Bahdanau, Cho, and Bengio (2015), appendix A.1.2.
    """
    query = ops.matmul(at_least_float32(query), at_least_float32(w_query))
    query = query[:, :, None, :]  # (batch, target_len, 1, units)
    keys = at_least_float32(keys)
    if w_keys is not None:
        keys = ops.matmul(keys, at_least_float32(w_keys))  # (batch, source_len, units)
    if len(keys.shape) == 3:
        keys = keys[:, None, :, :]  # (batch, 1, source_len, units)
    hidden = ops.tanh(query + keys)  # (batch, target_len, source_len, units)
    v = at_least_float32(v)
    return ops.tensordot(hidden, v, axes=1)  # (batch, target_len, source_len)


def dot_scores(query, keys):
    r"""Luong's score "dot".

    .. math:: \operatorname{score}(h_t, \bar h_s) = h_t^\top \bar h_s

    Parameters
    ----------
    query : tensor, shape (batch, target_len, dim)
        The decoder's *current* states :math:`h_t`.
    keys : tensor, shape (batch, source_len, dim)
        The encoder's states :math:`\bar h_s`.

    Returns
    -------
    scores : tensor, shape (batch, target_len, source_len)

    Notes
    -----
    Luong, Pham, and Manning (2015), eq. 7.
    """
    query = at_least_float32(query)
    keys = at_least_float32(keys)
    if len(keys.shape) == 4:  # a window for each query
        return ops.einsum("btd,btsd->bts", query, keys)
    if query.dtype == keys.dtype:  # what the einsum would do, without its planning
        return tf.matmul(query, keys, transpose_b=True)
    return ops.einsum("btd,bsd->bts", query, keys)


def general_scores(query, keys, w):
    r"""Luong's score "general".

    .. math:: \operatorname{score}(h_t, \bar h_s) = h_t^\top W_a \bar h_s

    Parameters
    ----------
    query : tensor, shape (batch, target_len, query_dim)
        The decoder's *current* states :math:`h_t`.
    keys : tensor, shape (batch, source_len, key_dim)
        The encoder's states :math:`\bar h_s`.
    w : tensor, shape (query_dim, key_dim)
        The paper's :math:`W_a`.

    Returns
    -------
    scores : tensor, shape (batch, target_len, source_len)

    Notes
    -----
    Luong, Pham, and Manning (2015), eq. 7. The query is projected, not the keys.
    """
    projected = ops.matmul(at_least_float32(query), at_least_float32(w))
    return dot_scores(projected, keys)


def concat_scores(query, keys, w, v):
    r"""Luong's score "concat".

    .. math:: \operatorname{score}(h_t, \bar h_s) = v_a^\top \tanh(W_a [h_t; \bar h_s])

    Parameters
    ----------
    query : tensor, shape (batch, target_len, query_dim)
        The decoder's *current* states :math:`h_t`.
    keys : tensor, shape (batch, source_len, key_dim)
        The encoder's states :math:`\bar h_s`.
    w : tensor, shape (query_dim + key_dim, units)
        :math:`W_a`, transposed. Its first `query_dim` rows alone if `keys` is already
        projected by the other rows.
    v : tensor, shape (units,)
        :math:`v_a`.

    Returns
    -------
    scores : tensor, shape (batch, target_len, source_len)

    Notes
    -----
    Luong, Pham, and Manning (2015), eq. 7. Nothing is concatenated, because
    :math:`W_a [h_t; \bar h_s]` is the sum of two products.
    """
    query_dim = query.shape[-1]
    w_query = w[:query_dim]
    w_keys = w[query_dim:] if w.shape[0] > query_dim else None
    return additive_scores(query, keys, w_query, w_keys, v)


def location_scores(query, w):
    r"""Luong's score "location", from the decoder's state alone.

    .. math:: e_t = W_a h_t

    Parameters
    ----------
    query : tensor, shape (batch, target_len, query_dim)
        The decoder's *current* states :math:`h_t`.
    w : tensor, shape (query_dim, max_source_len)
        :math:`W_a`, transposed: one column per source position.

    Returns
    -------
    scores : tensor, shape (batch, target_len, max_source_len)
        The same whatever the source holds.

    Notes
    -----
    Luong, Pham, and Manning (2015), eq. 8 before its softmax.
    """
    return ops.matmul(at_least_float32(query), at_least_float32(w))


def pooling_scores(values, w, b, v):
    r"""Yang's score for attention pooling: one learned query for all sentences.

    .. math:: e_s = v^\top \tanh(W h_s + b)

    Parameters
    ----------
    values : tensor, shape (batch, source_len, value_dim)
        The encoder's states :math:`h_s`.
    w : tensor, shape (value_dim, units)
        :math:`W`, transposed.
    b : tensor, shape (units,)
    v : tensor, shape (units,)
        The paper's :math:`u_w`, a learned constant that acts as the query.

    Returns
    -------
    scores : tensor, shape (batch, source_len)

    Notes
    -----
    Yang et al. (2016), eq. 5 and 6.
    """
    projected = ops.matmul(at_least_float32(values), at_least_float32(w))
    hidden = ops.tanh(projected + at_least_float32(b))  # (batch, source_len, units)
    return ops.tensordot(hidden, at_least_float32(v), axes=1)  # (batch, source_len)


def softmax(scores, mask=None):
    r"""Softmax over the last axis, over its unmasked positions alone.

    .. math:: \alpha_j = \exp(e_j) \, / \sum_{k \text{ unmasked}} \exp(e_k)

    Parameters
    ----------
    scores : tensor, shape (..., source_len)
    mask : boolean tensor that broadcasts to the shape of `scores`, optional
        True = takes part. Without it, every position does.

    Returns
    -------
    weights : tensor, shape (..., source_len)
        In float32 at least. A row with nothing to attend to is all zeros.

    Notes
    -----
    Masked scores are replaced before the maximum of the row is taken, so they cannot
    take part in it, whatever they are. A NaN or +inf that takes part makes its whole
    row NaN; -inf next to finite scores gets the weight 0.
    """
    scores = at_least_float32(scores)
    # TensorFlow's own softmax: that of keras.ops warns when the last axis has size 1,
    # as it has for a source of one word.
    if mask is None:
        return tf.nn.softmax(scores)
    weights = tf.nn.softmax(tf.where(mask, scores, scores.dtype.min))
    return weights * tf.cast(mask, weights.dtype)  # zeros where a row is all masked


def attend(scores, values, mask=None):
    r"""Weights from scores, and the context from the weights.

    .. math::

        \alpha_{ij} = \operatorname{softmax}_j(e_{ij}) \qquad
        c_i = \sum_j \alpha_{ij} h_j

    Parameters
    ----------
    scores : tensor, shape (batch, target_len, source_len)
        :math:`e_{ij}`.
    values : tensor, shape (batch, source_len, value_dim)
        :math:`h_j`.
    mask : boolean tensor, shape (batch, source_len), optional
        True = may be attended to.

    Returns
    -------
    context : tensor, shape (batch, target_len, value_dim)
    weights : tensor, shape (batch, target_len, source_len)
        Both have the dtype of `values`.

    Notes
    -----
    Bahdanau, Cho, and Bengio (2015), eq. 6 for the weights and eq. 5 for the context.
    """
    if mask is not None:
        mask = mask[:, None, :]  # (batch, 1, source_len)
    weights = ops.cast(softmax(scores, mask), values.dtype)
    return ops.matmul(weights, values), weights


def windowed_attend(scores, values, inside, distance=None, half_width=None):
    r"""Attention of each query within its own window.

    .. math:: a_t(s) = \operatorname{softmax}_s(e_{ts}) \,
        \exp\left(-\frac{(s - p_t)^2}{2 \sigma^2}\right), \qquad \sigma = D / 2

    Parameters
    ----------
    scores : tensor, shape (batch, target_len, window)
    values : tensor, shape (batch, target_len, window, value_dim)
    inside : boolean tensor, shape (batch, target_len, window)
        True = a real word.
    distance : tensor, shape (batch, target_len, window), optional
        :math:`s - p_t`, in source positions. Without it there is no Gaussian.
    half_width : int, optional
        :math:`D`, in source positions. Needed with `distance`.

    Returns
    -------
    context : tensor, shape (batch, target_len, value_dim)
    weights : tensor, shape (batch, target_len, window)
        Both have the dtype of `values`. A row sums to 1 or less.

    Notes
    -----
    Luong, Pham, and Manning (2015), eq. 10. The Gaussian comes after the softmax, and
    the product is not renormalized.
    """
    weights = softmax(scores, inside)
    if distance is not None:
        sigma = half_width / 2
        factor = ops.exp(-(distance**2) / (2 * sigma**2))
        factor = ops.cast(factor, weights.dtype)
        weights = weights * factor  # the Gaussian, after the softmax
    weights = ops.cast(weights, values.dtype)
    return ops.einsum("bts,btsd->btd", weights, values), weights
