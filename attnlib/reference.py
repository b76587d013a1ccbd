r"""Attention in NumPy alone, written as the papers write it: the oracle for everything
else.

Loops stay where they teach. Shapes, here and in all of attnlib::

    query    (batch, target_len, query_dim)
    keys     (batch, source_len, key_dim)       values  (batch, source_len, value_dim)
    scores   (batch, target_len, source_len)    before the softmax
    weights  (batch, target_len, source_len)    after it
    context  (batch, target_len, value_dim)
    mask     (batch, source_len), boolean, True = may be attended to; from
             scaled_dot_product_attention on also (batch, target_len, source_len)

Matrices act from the right, ``query @ w_query``, so ``w_query`` is the transpose of the
paper's :math:`W_a`. Arguments may be arrays or nested lists of numbers.
"""

import numpy as np

from attnlib.arguments import array_of_shape, boolean_mask, broadcast_mask, integer


def softmax(scores, mask=None):
    r"""Softmax over the last axis, over its unmasked positions alone.

    .. math:: \alpha_j = \exp(e_j) \, / \sum_{k \text{ unmasked}} \exp(e_k)

    Parameters
    ----------
    scores : array, shape (..., source_len)
        Real numbers :math:`e_j`.
    mask : boolean array that broadcasts to the shape of `scores`, optional
        True = takes part. Without it, every position does.

    Returns
    -------
    weights : array, shape (..., source_len)
        Each row sums to 1. A row with nothing to attend to is all zeros.

    Raises
    ------
    TypeError
        If `mask` is not boolean.
    ValueError
        If `mask` does not broadcast to the shape of `scores`.

    Notes
    -----
    The largest *unmasked* score of each row is subtracted first, so that no exponential
    overflows. The result is in float32 at least.
    """
    scores = np.asarray(scores)
    scores = scores.astype(np.result_type(scores.dtype, np.float32), copy=False)
    mask = broadcast_mask(True if mask is None else mask, scores.shape)
    largest = np.max(scores, axis=-1, keepdims=True, where=mask, initial=-np.inf)
    largest = np.where(np.isfinite(largest), largest, 0)  # nothing to attend to: 0
    exponentials = np.exp(np.where(mask, scores - largest, -np.inf))
    total = exponentials.sum(axis=-1, keepdims=True)  # (..., 1)
    return exponentials / np.where(total == 0, 1, total)


def additive_scores(query, keys, w_query, w_keys, v):
    r"""Bahdanau's additive score.

    .. math:: e_{ij} = v^\top \tanh(W_a s_{i-1} + U_a h_j)

    Parameters
    ----------
    query : array, shape (batch, target_len, query_dim)
        The decoder's *previous* states :math:`s_{i-1}`.
    keys : array, shape (batch, source_len, key_dim)
        The annotations :math:`h_j`.
    w_query : array, shape (query_dim, units)
        :math:`W_a`, transposed.
    w_keys : array, shape (key_dim, units)
        :math:`U_a`, transposed.
    v : array, shape (units,)

    Returns
    -------
    scores : array, shape (batch, target_len, source_len)

    Raises
    ------
    TypeError
        If an argument does not hold numbers.
    ValueError
        If a shape does not fit; the message names the argument.

    Notes
    -----
    Bahdanau, Cho, and Bengio (2015), appendix A.1.2.
    """
    query = array_of_shape("query", query, "batch", "target_len", "query_dim")
    batch, target_len, query_dim = query.shape
    keys = array_of_shape("keys", keys, batch, "source_len", "key_dim")
    w_query = array_of_shape("w_query", w_query, query_dim, "units")
    w_keys = array_of_shape("w_keys", w_keys, keys.shape[2], w_query.shape[1])
    v = array_of_shape("v", v, w_query.shape[1])
    scores = np.empty((batch, target_len, keys.shape[1]), np.result_type(query, keys))
    for b in range(batch):
        projected = keys[b] @ w_keys  # (source_len, units), the same for every i
        for i in range(target_len):
            hidden = np.tanh(query[b, i] @ w_query + projected)  # (source_len, units)
            scores[b, i] = hidden @ v  # (source_len,)
    return scores


def dot_scores(query, keys):
    r"""Luong's score "dot".

    .. math:: \operatorname{score}(h_t, \bar h_s) = h_t^\top \bar h_s

    Parameters
    ----------
    query : array, shape (batch, target_len, dim)
        The decoder's *current* states :math:`h_t`.
    keys : array, shape (batch, source_len, dim)
        The encoder's states :math:`\bar h_s`, of the same dimension.

    Returns
    -------
    scores : array, shape (batch, target_len, source_len)

    Raises
    ------
    TypeError
        If an argument does not hold numbers.
    ValueError
        If a shape does not fit; the message names the argument.

    Notes
    -----
    Luong, Pham, and Manning (2015), eq. 7.
    """
    query = array_of_shape("query", query, "batch", "target_len", "dim")
    keys = array_of_shape("keys", keys, query.shape[0], "source_len", query.shape[2])
    return query @ keys.transpose(0, 2, 1)  # (batch, target_len, source_len)


def general_scores(query, keys, w):
    r"""Luong's score "general".

    .. math:: \operatorname{score}(h_t, \bar h_s) = h_t^\top W_a \bar h_s

    Parameters
    ----------
    query : array, shape (batch, target_len, query_dim)
        The decoder's *current* states :math:`h_t`.
    keys : array, shape (batch, source_len, key_dim)
        The encoder's states :math:`\bar h_s`.
    w : array, shape (query_dim, key_dim)
        The paper's :math:`W_a`.

    Returns
    -------
    scores : array, shape (batch, target_len, source_len)

    Raises
    ------
    TypeError
        If an argument does not hold numbers.
    ValueError
        If a shape does not fit; the message names the argument.

    Notes
    -----
    Luong, Pham, and Manning (2015), eq. 7.
    """
    query = array_of_shape("query", query, "batch", "target_len", "query_dim")
    keys = array_of_shape("keys", keys, query.shape[0], "source_len", "key_dim")
    w = array_of_shape("w", w, query.shape[2], keys.shape[2])
    projected = query @ w  # (batch, target_len, key_dim)
    return projected @ keys.transpose(0, 2, 1)  # (batch, target_len, source_len)


def concat_scores(query, keys, w, v):
    r"""Luong's score "concat".

    .. math:: \operatorname{score}(h_t, \bar h_s) = v_a^\top \tanh(W_a [h_t; \bar h_s])

    Parameters
    ----------
    query : array, shape (batch, target_len, query_dim)
        The decoder's *current* states :math:`h_t`.
    keys : array, shape (batch, source_len, key_dim)
        The encoder's states :math:`\bar h_s`.
    w : array, shape (query_dim + key_dim, units)
        :math:`W_a`, transposed.
    v : array, shape (units,)
        :math:`v_a`.

    Returns
    -------
    scores : array, shape (batch, target_len, source_len)

    Raises
    ------
    TypeError
        If an argument does not hold numbers.
    ValueError
        If a shape does not fit; the message names the argument.

    Notes
    -----
    Luong, Pham, and Manning (2015), eq. 7. It is the same function as
    ``additive_scores``: `w` is that function's ``w_query`` stacked on its ``w_keys``.
    Only the query differs, the current state here and the previous one there.
    """
    query = array_of_shape("query", query, "batch", "target_len", "query_dim")
    keys = array_of_shape("keys", keys, query.shape[0], "source_len", "key_dim")
    w = array_of_shape("w", w, query.shape[2] + keys.shape[2], "units")
    v = array_of_shape("v", v, w.shape[1])
    scores = np.empty((*query.shape[:2], keys.shape[1]), np.result_type(query, keys))
    for b, t, s in np.ndindex(scores.shape):
        joined = np.concatenate([query[b, t], keys[b, s]])  # (query_dim + key_dim,)
        scores[b, t, s] = np.tanh(joined @ w) @ v
    return scores


def location_scores(query, w):
    r"""Luong's score "location", from the decoder's state alone.

    .. math:: e_t = W_a h_t

    Parameters
    ----------
    query : array, shape (batch, target_len, query_dim)
        The decoder's *current* states :math:`h_t`.
    w : array, shape (query_dim, max_source_len)
        :math:`W_a`, transposed: one column per source position.

    Returns
    -------
    scores : array, shape (batch, target_len, max_source_len)
        A shorter source uses the first of them, ``scores[:, :, :source_len]``
        (footnote 6). For a longer source there are none.

    Raises
    ------
    TypeError
        If an argument does not hold numbers.
    ValueError
        If a shape does not fit; the message names the argument.

    Notes
    -----
    Luong, Pham, and Manning (2015), eq. 8 before its softmax.
    """
    query = array_of_shape("query", query, "batch", "target_len", "query_dim")
    return query @ array_of_shape("w", w, query.shape[2], "max_source_len")


def pooling_scores(values, w, b, v):
    r"""Yang's score for attention pooling: one learned query for all sentences.

    .. math:: e_s = v^\top \tanh(W h_s + b)

    Parameters
    ----------
    values : array, shape (batch, source_len, value_dim)
        The encoder's states :math:`h_s`.
    w : array, shape (value_dim, units)
        :math:`W`, transposed.
    b : array, shape (units,)
    v : array, shape (units,)
        The paper's :math:`u_w`, which acts as the query.

    Returns
    -------
    scores : array, shape (batch, source_len)
        There is one query, so there is no axis for it.

    Raises
    ------
    TypeError
        If an argument does not hold numbers.
    ValueError
        If a shape does not fit; the message names the argument.

    Notes
    -----
    Yang et al. (2016), eq. 5 and 6.
    """
    values = array_of_shape("values", values, "batch", "source_len", "value_dim")
    w = array_of_shape("w", w, values.shape[2], "units")
    b = array_of_shape("b", b, w.shape[1])
    v = array_of_shape("v", v, w.shape[1])
    scores = np.empty(values.shape[:2], values.dtype)
    for i, s in np.ndindex(scores.shape):
        scores[i, s] = v @ np.tanh(values[i, s] @ w + b)
    return scores


def attend(scores, values, mask=None):
    r"""Weights from scores, and the context from the weights.

    .. math::

        \alpha_{ij} = \operatorname{softmax}_j(e_{ij}) \qquad
        c_i = \sum_j \alpha_{ij} h_j

    Parameters
    ----------
    scores : array, shape (batch, target_len, source_len)
        :math:`e_{ij}`.
    values : array, shape (batch, source_len, value_dim)
        :math:`h_j`.
    mask : boolean array, shape (batch, source_len), optional
        True = may be attended to.

    Returns
    -------
    context : array, shape (batch, target_len, value_dim)
    weights : array, shape (batch, target_len, source_len)
        A row with nothing to attend to is all zeros, and so is its context.

    Raises
    ------
    TypeError
        If `scores` or `values` do not hold numbers, or `mask` is not boolean.
    ValueError
        If a shape does not fit; the message names the argument.

    Notes
    -----
    Bahdanau, Cho, and Bengio (2015), eq. 6 for the weights and eq. 5 for the context.
    """
    scores = array_of_shape("scores", scores, "batch", "target_len", "source_len")
    batch, _, source_len = scores.shape
    values = array_of_shape("values", values, batch, source_len, "value_dim")
    if mask is not None:
        mask = boolean_mask(mask, (batch, source_len), ("batch", "source_len"))
        mask = mask[:, None, :]  # (batch, 1, source_len)
    weights = softmax(scores, mask)
    return weights @ values, weights


def local_attend(
    query, keys, values, centers, half_width, score=dot_scores, mask=None, gaussian=True
):
    r"""Local attention: a softmax over a window around each center, times a Gaussian.

    .. math::

        a_t(s) = \operatorname{align}(h_t, \bar h_s)
        \exp\left(-\frac{(s - p_t)^2}{2 \sigma^2}\right), \qquad \sigma = D / 2,

    for :math:`s` from :math:`\lfloor p_t \rfloor - D` to
    :math:`\lfloor p_t \rfloor + D`. Here align is the softmax of the scores over those
    :math:`s` of the window that are real words. The Gaussian is centered on :math:`p_t`
    itself and comes after the softmax. The product is not renormalized, so a row sums
    to 1 or less.

    Parameters
    ----------
    query : array, shape (batch, target_len, query_dim)
        The decoder's *current* states :math:`h_t`.
    keys : array, shape (batch, source_len, key_dim)
        The encoder's states :math:`\bar h_s`.
    values : array, shape (batch, source_len, value_dim)
    centers : array, shape (batch, target_len)
        :math:`p_t`, real numbers in source positions, where 0 is the first word.
    half_width : int
        :math:`D`, in positions, 1 or more.
    score : callable, optional
        ``score(query, keys)`` returns scores (batch, target_len, source_len).
    mask : boolean array, shape (batch, source_len), optional
        True = may be attended to.
    gaussian : bool, optional
        False leaves the second factor of eq. 10 out.

    Returns
    -------
    context : array, shape (batch, target_len, value_dim)
    weights : array, shape (batch, target_len, source_len)
        Over the whole source, zero outside the window.

    Raises
    ------
    TypeError
        If `half_width` is not an integer, `mask` is not boolean, or another argument
        does not hold numbers.
    ValueError
        If `half_width` is below 1 or a shape does not fit; the message names the
        argument.

    Notes
    -----
    Luong, Pham, and Manning (2015), section 3.2, eq. 10. The paper does not say whether
    positions start at 0 or at 1. Its authors' code counts from 1 and has
    :math:`p_t = \operatorname{sigmoid}(\cdot) (S' - 1) + 1`, with :math:`S'` counting
    the end token. Counted from 0, with :math:`S = S' - 1` words, that is
    :math:`S \operatorname{sigmoid}(\cdot)`, eq. 9.
    """
    half_width = integer("half_width", half_width)
    query = array_of_shape("query", query, "batch", "target_len", "query_dim")
    batch, target_len, _ = query.shape
    keys = array_of_shape("keys", keys, batch, "source_len", "key_dim")
    source_len = keys.shape[1]
    values = array_of_shape("values", values, batch, source_len, "value_dim")
    centers = array_of_shape("centers", centers, batch, target_len)
    scores = score(query, keys)
    scores = array_of_shape("score(query, keys)", scores, batch, target_len, source_len)
    mask = np.ones((batch, source_len), bool) if mask is None else mask
    mask = boolean_mask(mask, (batch, source_len), ("batch", "source_len"))

    positions = np.arange(source_len)
    sigma = half_width / 2
    weights = np.empty_like(scores)
    for b, t in np.ndindex(batch, target_len):
        center = centers[b, t]
        window = abs(positions - np.floor(center)) <= half_width  # (source_len,)
        weights[b, t] = softmax(scores[b, t], window & mask[b])  # (source_len,)
        if gaussian:
            factor = np.exp(-((positions - center) ** 2) / (2 * sigma**2))
            weights[b, t] *= factor  # the Gaussian, after the softmax
    return weights @ values, weights


def scaled_dot_product_attention(query, keys, values, mask=None):
    r"""Dot scores over the root of the dimension, their softmax, and the context.

    .. math::

        \operatorname{Attention}(Q, K, V) =
        \operatorname{softmax}\left(\frac{Q K^\top}{\sqrt{d_k}}\right) V

    Parameters
    ----------
    query : array, shape (batch, target_len, key_dim)
        One query per row of :math:`Q`.
    keys : array, shape (batch, source_len, key_dim)
        One key per row of :math:`K`, of the same dimension :math:`d_k`.
    values : array, shape (batch, source_len, value_dim)
        One value per row of :math:`V`.
    mask : boolean array, optional
        True = may be attended to: of shape (batch, source_len), the same for every
        query, or (batch, target_len, source_len), where each query has its own.

    Returns
    -------
    context : array, shape (batch, target_len, value_dim)
    weights : array, shape (batch, target_len, source_len)
        A row with nothing to attend to is all zeros, and so is its context.

    Raises
    ------
    TypeError
        If `mask` is not boolean or another argument does not hold numbers.
    ValueError
        If a shape does not fit; the message names the argument.

    Notes
    -----
    Vaswani et al. (2017), eq. 1.
    """
    query = array_of_shape("query", query, "batch", "target_len", "key_dim")
    batch, target_len, key_dim = query.shape
    keys = array_of_shape("keys", keys, batch, "source_len", key_dim)
    shape = batch, target_len, keys.shape[1]
    values = array_of_shape("values", values, batch, shape[2], "value_dim")
    if np.ndim(mask) == 3:
        mask = boolean_mask(mask, shape, ("batch", "target_len", "source_len"))
    elif mask is not None:  # the same for every query: (batch, 1, source_len)
        mask = boolean_mask(mask, shape[::2], ("batch", "source_len"))[:, None, :]
    scores = query @ keys.transpose(0, 2, 1) / np.sqrt(key_dim)
    weights = softmax(scores, mask)  # (batch, target_len, source_len)
    return weights @ values, weights


def multi_head_attention(query, values, w_query, w_keys, w_values, w_output, mask=None):
    r"""Several scaled dot-product attentions side by side, each with its own matrices.

    .. math::

        \sum_h \operatorname{Attention}(x W^q_h,\; y W^k_h,\; y W^v_h) \, W^o_h

    Parameters
    ----------
    query : array, shape (batch, target_len, units)
        :math:`x`.
    values : array, shape (batch, source_len, units)
        :math:`y`, which the keys are made from, too.
    w_query, w_keys, w_values : array, shape (units, heads, key_dim)
        :math:`W^q_h`, :math:`W^k_h`, :math:`W^v_h`.
    w_output : array, shape (heads, key_dim, units)
        :math:`W^o_h`.
    mask : boolean array, optional
        True = may be attended to, for every head: of shape (batch, source_len), the
        same for every query, or (batch, target_len, source_len).

    Returns
    -------
    array, shape (batch, target_len, units)
        Zeros for a query with nothing to attend to.

    Raises
    ------
    TypeError
        If `mask` is not boolean or another argument does not hold numbers.
    ValueError
        If a shape does not fit; the message names the argument.

    Notes
    -----
    Vaswani et al. (2017), section 3.2.2. They concatenate the heads and multiply by one
    matrix :math:`W^O`; `w_output` holds its rows, divided among the heads.
    """
    query = array_of_shape("query", query, "batch", "target_len", "units")
    batch, _, units = query.shape
    values = array_of_shape("values", values, batch, "source_len", units)
    w_query = array_of_shape("w_query", w_query, units, "heads", "key_dim")
    _, heads, key_dim = w_query.shape
    w_keys = array_of_shape("w_keys", w_keys, *w_query.shape)
    w_values = array_of_shape("w_values", w_values, *w_query.shape)
    w_output = array_of_shape("w_output", w_output, heads, key_dim, units)
    total = 0
    for h in range(heads):
        q, k = query @ w_query[:, h], values @ w_keys[:, h]  # (batch, length, key_dim)
        context, _ = scaled_dot_product_attention(q, k, values @ w_values[:, h], mask)
        total = total + context @ w_output[h]  # (batch, target_len, units)
    return total


def layer_norm(x, scale, offset):
    r"""Layer normalization over the last axis.

    .. math:: \frac{x - \operatorname{mean}(x)}
        {\sqrt{\operatorname{var}(x) + \epsilon}} \circ \mathit{scale} + \mathit{offset}

    Parameters
    ----------
    x : array, shape (batch, length, units)
    scale, offset : array, shape (units,)
        Learned parameters, 1 and 0 before training.

    Returns
    -------
    array, shape (batch, length, units)

    Raises
    ------
    TypeError
        If an argument does not hold numbers.
    ValueError
        If a shape does not fit; the message names the argument.

    Notes
    -----
    Ba, Kiros, and Hinton (2016). :math:`\epsilon = 10^{-3}`, as in Keras. The variance
    is the mean of the squared deviations.
    """
    x = array_of_shape("x", x, "batch", "length", "units")
    scale = array_of_shape("scale", scale, x.shape[2])
    offset = array_of_shape("offset", offset, x.shape[2])
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + 1e-3) * scale + offset


def feed_forward(x, w_in, b_in, w_out, b_out):
    r"""The feed-forward network of a Transformer block, the same for each position.

    .. math:: \max(0,\; x W_1 + b_1) \, W_2 + b_2

    Parameters
    ----------
    x : array, shape (batch, length, units)
    w_in : array, shape (units, hidden)
        :math:`W_1`.
    b_in : array, shape (hidden,)
    w_out : array, shape (hidden, units)
        :math:`W_2`.
    b_out : array, shape (units,)

    Returns
    -------
    array, shape (batch, length, units)

    Raises
    ------
    TypeError
        If an argument does not hold numbers.
    ValueError
        If a shape does not fit; the message names the argument.

    Notes
    -----
    Vaswani et al. (2017), eq. 2.
    """
    x = array_of_shape("x", x, "batch", "length", "units")
    w_in = array_of_shape("w_in", w_in, x.shape[2], "hidden")
    b_in = array_of_shape("b_in", b_in, w_in.shape[1])
    w_out = array_of_shape("w_out", w_out, w_in.shape[1], x.shape[2])
    b_out = array_of_shape("b_out", b_out, x.shape[2])
    return np.maximum(x @ w_in + b_in, 0) @ w_out + b_out
