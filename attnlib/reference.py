"""Attention in NumPy alone, written as the papers write it: the oracle for everything else.

Loops stay where they teach. Shapes, here and in all of attnlib:

    query    (batch, target_len, query_dim)
    keys     (batch, source_len, key_dim)       values  (batch, source_len, value_dim)
    scores   (batch, target_len, source_len)    before the softmax
    weights  (batch, target_len, source_len)    after it
    context  (batch, target_len, value_dim)
    mask     (batch, source_len), boolean, True = may be attended

Matrices act from the right, ``query @ w_query``, so ``w_query`` is the transpose of the paper's W_a.
"""

import numpy as np


def _tensor(name, array, *shape):
    """`array` as floats, after checking its shape; an int in `shape` must match, a str is any length."""
    array = np.asarray(array)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} should hold numbers, got {array.dtype}")
    fits = array.ndim == len(shape) and all(
        isinstance(want, str) or want == got for want, got in zip(shape, array.shape, strict=True)
    )
    if not fits:
        raise ValueError(f"{name} should have shape ({', '.join(map(str, shape))}), got {array.shape}")
    return array.astype(np.result_type(array.dtype, np.float32), copy=False)


def _source_mask(mask, batch, source_len):
    mask = np.asarray(mask)
    if mask.dtype != bool:
        raise TypeError(f"mask should be boolean, True = may be attended, got {mask.dtype}")
    if mask.shape != (batch, source_len):
        raise ValueError(f"mask should have shape (batch, source_len) = ({batch}, {source_len}), got {mask.shape}")
    return mask


def softmax(scores, mask=None):
    """Softmax over the last axis: weights_j = exp(e_j) / sum_k exp(e_k), over the unmasked k alone.

    scores: (..., source_len). mask: boolean, broadcastable to scores, True = takes part.
    Returns weights like scores. A row with nothing to attend to gets zeros. The row's largest *unmasked*
    score is subtracted first, so that no exponential overflows.
    """
    scores = np.asarray(scores)
    scores = scores.astype(np.result_type(scores.dtype, np.float32), copy=False)
    if mask is None:
        mask = np.ones(scores.shape, bool)
    mask = np.asarray(mask)
    if mask.dtype != bool:
        raise TypeError(f"mask should be boolean, True = may be attended, got {mask.dtype}")
    try:
        mask = np.broadcast_to(mask, scores.shape)
    except ValueError:
        raise ValueError(f"mask of shape {mask.shape} does not broadcast to scores of shape {scores.shape}") from None
    largest = np.max(scores, axis=-1, keepdims=True, where=mask, initial=-np.inf)
    largest = np.where(np.isfinite(largest), largest, 0)  # a row with nothing to attend to
    exponentials = np.exp(np.where(mask, scores - largest, -np.inf))
    total = exponentials.sum(axis=-1, keepdims=True)
    return exponentials / np.where(total == 0, 1, total)


def additive_scores(query, keys, w_query, w_keys, v):
    """e_ij = v^T tanh(W_a s_{i-1} + U_a h_j): Bahdanau, Cho and Bengio (2015), appendix A.1.2.

    query: (batch, target_len, query_dim), the decoder's *previous* states. keys: (batch, source_len, key_dim).
    w_query: (query_dim, units). w_keys: (key_dim, units). v: (units,).
    Returns scores (batch, target_len, source_len). ValueError names a shape that does not fit.
    """
    query = _tensor("query", query, "batch", "target_len", "query_dim")
    batch, target_len, query_dim = query.shape
    keys = _tensor("keys", keys, batch, "source_len", "key_dim")
    w_query = _tensor("w_query", w_query, query_dim, "units")
    w_keys = _tensor("w_keys", w_keys, keys.shape[2], w_query.shape[1])
    v = _tensor("v", v, w_query.shape[1])
    scores = np.empty((batch, target_len, keys.shape[1]), np.result_type(query, keys))
    for b in range(batch):
        projected = keys[b] @ w_keys  # (source_len, units), the same for every i
        for i in range(target_len):
            hidden = np.tanh(query[b, i] @ w_query + projected)  # (source_len, units)
            scores[b, i] = hidden @ v  # (source_len,)
    return scores


def attend(scores, values, mask=None):
    """alpha_ij = softmax_j(e_ij) (eq. 6) and c_i = sum_j alpha_ij h_j (eq. 5) of Bahdanau et al. (2015).

    scores: (batch, target_len, source_len). values: (batch, source_len, value_dim). mask: (batch, source_len).
    Returns (context, weights): (batch, target_len, value_dim) and (batch, target_len, source_len).
    """
    scores = _tensor("scores", scores, "batch", "target_len", "source_len")
    batch, _, source_len = scores.shape
    values = _tensor("values", values, batch, source_len, "value_dim")
    if mask is not None:
        mask = _source_mask(mask, batch, source_len)[:, None, :]  # (batch, 1, source_len)
    weights = softmax(scores, mask)
    return weights @ values, weights
