"""What the reader's functions return, looked at before a translator uses it."""

import numpy as np

from attnlib.arguments import array_of_shape, integer, one_of


def check_parts(parts, name, names, call):
    """Check the reader's parts of a model before they are used.

    Parameters
    ----------
    parts : dict of str to function
    name : str
        The model's.
    names : tuple of str
        The parts that it has.
    call : str
        How the model is loaded, such as "Translator.load('dates', ...)".

    Raises
    ------
    ValueError
        If the model has no such part.
    TypeError
        If a part is not a function.
    """
    for part, function in parts.items():
        one_of(f"a part of {name!r}", part, names)
        if not callable(function):
            raise TypeError(
                f"{part} should be a function, got {function!r:.60}: give its name"
                f" alone, as in {call.replace('...', f'{part}={part}')}"
            )


def checked(part, function):
    """The reader's function, with a look at what it returns.

    Parameters
    ----------
    part : str
        Its name.
    function : callable

    Returns
    -------
    function
        It takes the same arguments, and raises a TypeError or a ValueError which names
        the part where something else is returned than should be.
    """

    def checked_function(*arguments):
        result = function(*arguments)
        if result is None:
            raise TypeError(
                f"your {part} returned None: is it written, and does it end in a"
                " return?"
            )
        return CHECKS[part](part, result, *arguments)

    return checked_function


def _check_softmax(part, weights, scores):
    return array_of(part, "weights", weights, *scores.shape)


def _check_scores(part, scores, query, keys, *_):
    return array_of(part, "scores", scores, *query.shape[:2], keys.shape[1])


def _check_attend(part, result, scores, values, *_):
    context, weights = values_of(part, result)
    shape = *scores.shape[:2], values.shape[2]
    return (
        array_of(part, "context", context, *shape),
        array_of(part, "weights", weights, *scores.shape),
    )


def _check_pooling(part, result, values, *_):
    batch, source_len, dim = values.shape
    names = {"context": (batch, dim), "weights": (batch, source_len)}
    return _arrays_of(part, names, result)


def _check_center(part, centers, query, *_):
    return array_of(part, "centers", centers, *query.shape[:2])


def _check_bahdanau_step(part, result, state, word, annotations, *_):
    batch, source_len, dim = annotations.shape
    names = {
        "new_state": state.shape,
        "context": (batch, dim),
        "weights": (batch, source_len),
    }
    return _arrays_of(part, names, result)


def _check_luong_step(part, result, state, word, source_states, *rest):
    batch, source_len, _ = source_states.shape
    w_c = rest[-2]  # before gru
    names = {
        "new_state": state.shape,
        "attentional": (batch, w_c.shape[1]),
        "weights": (batch, source_len),
    }
    if part == "local_step":
        names["center"] = (batch,)
    return _arrays_of(part, names, result)


def _check_scaled(part, result, query, keys, values, mask):
    context, weights = values_of(part, result)
    batch, target_len, _ = query.shape
    shape = batch, target_len, values.shape[2]
    return (
        array_of(part, "context", context, *shape),
        array_of(part, "weights", weights, batch, target_len, keys.shape[1]),
    )


def _check_same_shape(part, result, x, *_):
    return array_of(part, "result", result, *x.shape)


def _check_causal_mask(part, result, mask):
    batch, length = mask.shape
    result = np.asarray(result)
    if result.dtype != bool:
        raise TypeError(
            f"mask of your {part} should be boolean, True = may be attended to, got"
            f" {result.dtype}"
        )
    array_of(part, "mask", result, batch, length, length)
    return result


def _check_positions(part, positions, length, dim):
    return array_of(part, "positions", positions, length, dim)


def _check_decode(part, tokens, *_):
    return tokens_of(part, tokens)


CHECKS = {
    "softmax": _check_softmax,
    "additive_scores": _check_scores,
    "general_scores": _check_scores,
    "attend": _check_attend,
    "attention_pooling": _check_pooling,
    "predicted_center": _check_center,
    "local_attend": _check_attend,
    "bahdanau_step": _check_bahdanau_step,
    "luong_step": _check_luong_step,
    "local_step": _check_luong_step,
    "greedy_decode": _check_decode,
    "scaled_dot_product_attention": _check_scaled,
    "multi_head_attention": _check_same_shape,
    "layer_norm": _check_same_shape,
    "feed_forward": _check_same_shape,
    "encoder_block": _check_same_shape,
    "decoder_block": _check_same_shape,
    "causal_mask": _check_causal_mask,
    "sinusoidal_positions": _check_positions,
    "generate": _check_decode,
}


def values_of(part, result, count=2):
    """The values that a part returned, if they are as many as they should be."""
    if not isinstance(result, (tuple, list)) or len(result) != count:
        kind = "None" if result is None else f"a {type(result).__name__}"
        if isinstance(result, (tuple, list)):
            kind = f"{kind} of {len(result)}"
        raise TypeError(f"your {part} should return {count} values, got {kind}")
    return result


def _arrays_of(part, shapes, result):
    values = values_of(part, result, len(shapes))
    return tuple(
        array_of(part, name, value, *shape)
        for (name, shape), value in zip(shapes.items(), values, strict=True)
    )


def array_of(part, name, value, *shape):
    """What a part returned, as finite floats of this shape."""
    array = array_of_shape(f"{name} of your {part}", value, *shape)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} of your {part} should be finite, got NaN or inf")
    return array


def tokens_of(part, tokens, vocabulary=None):
    """Tokens as ints, each of them a number of the vocabulary."""
    if not isinstance(tokens, (list, tuple, np.ndarray)):
        raise TypeError(f"your {part} should return a list of ints, got {tokens!r:.60}")
    most = None if vocabulary is None else vocabulary - 1
    return [integer(f"a token of your {part}", token, 0, most) for token in tokens]
