"""Attention in NumPy alone, written as the papers write it: the oracle for everything
else.

Loops stay where they teach. Shapes, here and in all of attnlib:

    query    (batch, target_len, query_dim)
    keys     (batch, source_len, key_dim)       values  (batch, source_len, value_dim)
    scores   (batch, target_len, source_len)    before the softmax
    weights  (batch, target_len, source_len)    after it
    context  (batch, target_len, value_dim)
    mask     (batch, source_len), boolean, True = may be attended

Matrices act from the right, ``query @ w_query``, so ``w_query`` is the transpose of the
paper's W_a.
"""

import numpy as np

from attnlib.arguments import array_of_shape, boolean_mask, integer


def softmax(scores, mask=None):
    """Softmax over the last axis: weights_j = exp(e_j) / sum_k exp(e_k), over the
    unmasked k alone.

    scores: (..., source_len). mask: boolean, broadcastable to scores, True = takes
    part.
    Returns weights like scores. A row with nothing to attend to gets zeros. The row's
    largest *unmasked* score is subtracted first, so that no exponential overflows.
    """
    scores = np.asarray(scores)
    scores = scores.astype(np.result_type(scores.dtype, np.float32), copy=False)
    if mask is None:
        mask = np.ones(scores.shape, bool)
    mask = np.asarray(mask)
    if mask.dtype != bool:
        raise TypeError(
            f"mask should be boolean, True = may be attended, got {mask.dtype}"
        )
    try:
        mask = np.broadcast_to(mask, scores.shape)
    except ValueError:
        raise ValueError(
            f"mask of shape {mask.shape} does not broadcast to scores of shape"
            f" {scores.shape}"
        ) from None
    largest = np.max(scores, axis=-1, keepdims=True, where=mask, initial=-np.inf)
    largest = np.where(
        np.isfinite(largest), largest, 0
    )  # a row with nothing to attend to
    exponentials = np.exp(np.where(mask, scores - largest, -np.inf))
    total = exponentials.sum(axis=-1, keepdims=True)
    return exponentials / np.where(total == 0, 1, total)


def additive_scores(query, keys, w_query, w_keys, v):
    """e_ij = v^T tanh(W_a s_{i-1} + U_a h_j): Bahdanau, Cho and Bengio (2015), appendix
    A.1.2.

    query: (batch, target_len, query_dim), the decoder's *previous* states. keys:
    (batch, source_len, key_dim).
    w_query: (query_dim, units). w_keys: (key_dim, units). v: (units,).
    Returns scores (batch, target_len, source_len). ValueError names a shape that does
    not fit.
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
    """score(h_t, h_s) = h_t^T h_s: Luong, Pham and Manning (2015), eq. 7, "dot".

    query: (batch, target_len, dim), the decoder's *current* states. keys: (batch,
    source_len, dim), just as wide.
    Returns scores (batch, target_len, source_len). ValueError names a shape that does
    not fit.
    """
    query = array_of_shape("query", query, "batch", "target_len", "dim")
    keys = array_of_shape("keys", keys, query.shape[0], "source_len", query.shape[2])
    return query @ keys.transpose(0, 2, 1)


def general_scores(query, keys, w):
    """score(h_t, h_s) = h_t^T W_a h_s: Luong et al. (2015), eq. 7, "general".

    query: (batch, target_len, query_dim). keys: (batch, source_len, key_dim). w:
    (query_dim, key_dim), the paper's W_a.
    Returns scores (batch, target_len, source_len). ValueError names a shape that does
    not fit.
    """
    query = array_of_shape("query", query, "batch", "target_len", "query_dim")
    keys = array_of_shape("keys", keys, query.shape[0], "source_len", "key_dim")
    w = array_of_shape("w", w, query.shape[2], keys.shape[2])
    return (query @ w) @ keys.transpose(0, 2, 1)


def concat_scores(query, keys, w, v):
    """score(h_t, h_s) = v_a^T tanh(W_a [h_t; h_s]): Luong et al. (2015), eq. 7,
    "concat".

    The same function as ``additive_scores``: w is that one's w_query above its w_keys.
    Only the query differs.
    query: (batch, target_len, query_dim). keys: (batch, source_len, key_dim). w:
    (query_dim + key_dim, units).
    v: (units,). Returns scores (batch, target_len, source_len). ValueError names a
    shape that does not fit.
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
    """W_a h_t, from the decoder's state alone: Luong et al. (2015), eq. 8 before its
    softmax.

    query: (batch, target_len, query_dim). w: (query_dim, max_source_len), one column a
    source position.
    Returns scores (batch, target_len, max_source_len). A shorter source uses the first
    of them,
    ``scores[:, :, :source_len]`` (footnote 6); for a longer one there are none.
    """
    query = array_of_shape("query", query, "batch", "target_len", "query_dim")
    return query @ array_of_shape("w", w, query.shape[2], "max_source_len")


def pooling_scores(values, w, b, v):
    """e_s = v^T tanh(W h_s + b): Yang et al. (2016), eq. 5 and 6; v is their u_w, one
    query for all.

    values: (batch, source_len, value_dim). w: (value_dim, units). b, v: (units,).
    Returns scores (batch, source_len): one query, so no axis for it.
    """
    values = array_of_shape("values", values, "batch", "source_len", "value_dim")
    w = array_of_shape("w", w, values.shape[2], "units")
    b, v = array_of_shape("b", b, w.shape[1]), array_of_shape("v", v, w.shape[1])
    scores = np.empty(values.shape[:2], values.dtype)
    for i, s in np.ndindex(scores.shape):
        scores[i, s] = v @ np.tanh(values[i, s] @ w + b)
    return scores


def attend(scores, values, mask=None):
    """alpha_ij = softmax_j(e_ij) (eq. 6) and c_i = sum_j alpha_ij h_j (eq. 5) of
    Bahdanau et al. (2015).

    scores: (batch, target_len, source_len). values: (batch, source_len, value_dim).
    mask: (batch, source_len).
    Returns (context, weights): (batch, target_len, value_dim) and (batch, target_len,
    source_len).
    """
    scores = array_of_shape("scores", scores, "batch", "target_len", "source_len")
    batch, _, source_len = scores.shape
    values = array_of_shape("values", values, batch, source_len, "value_dim")
    if mask is not None:
        mask = boolean_mask(mask, (batch, source_len), ("batch", "source_len"))[
            :, None, :
        ]  # (batch, 1, source_len)
    weights = softmax(scores, mask)
    return weights @ values, weights


def local_attend(
    query, keys, values, centers, half_width, score=dot_scores, mask=None, gaussian=True
):
    """Local attention: a softmax over a window around p_t, times a Gaussian. Luong et
    al. (2015), section 3.2, eq. 10.

    a_t(s) = align(h_t, h_s) exp(-(s - p_t)^2 / (2 sigma^2)), sigma = D / 2, for s in
    floor(p_t) - D … floor(p_t) + D; align is the softmax of the scores over those s of
    the window that are real words. The Gaussian is taken from p_t itself and comes
    after the softmax, so a row sums to 1 or less; it is not normalised again.

    query: (batch, target_len, query_dim). keys: (batch, source_len, key_dim). values:
    (batch, source_len, value_dim).
    centers: p_t, (batch, target_len), reals, where 0 is the first word. (The paper does
    not say where positions start. Its authors' code counts from 1, and has p_t =
    sigmoid(.) (S' - 1) + 1 with S' counting the end token: from 0, with S = S' - 1
    words, that is S sigmoid(.), eq. 9.) half_width: D, a whole number of 1 or more.
    score: (query, keys) -> scores. mask: (batch, source_len). gaussian: False leaves
    eq. 10's second factor out.
    Returns (context, weights): (batch, target_len, value_dim) and (batch, target_len,
    source_len), the whole source.
    """
    half_width = integer("half_width", half_width)
    query = array_of_shape("query", query, "batch", "target_len", "query_dim")
    batch, target_len, _ = query.shape
    keys = array_of_shape("keys", keys, batch, "source_len", "key_dim")
    source_len = keys.shape[1]
    values = array_of_shape("values", values, batch, source_len, "value_dim")
    centers = array_of_shape("centers", centers, batch, target_len)
    scores = array_of_shape(
        "score(query, keys)", score(query, keys), batch, target_len, source_len
    )
    mask = (
        np.ones((batch, source_len), bool)
        if mask is None
        else boolean_mask(mask, (batch, source_len), ("batch", "source_len"))
    )
    places = np.arange(source_len)
    sigma = half_width / 2
    weights = np.empty_like(scores)
    for b, t in np.ndindex(batch, target_len):
        center = centers[b, t]
        window = (places >= np.floor(center) - half_width) & (
            places <= np.floor(center) + half_width
        )
        weights[b, t] = softmax(scores[b, t], window & mask[b])  # (source_len,)
        if gaussian:
            weights[b, t] *= np.exp(-((places - center) ** 2) / (2 * sigma**2))
    return weights @ values, weights
