"""Exercises of chapter 09, "Attention today"."""

import itertools
import types

import numpy as np

from attnlib import reference as ref
from attnlib.checking.compare import kind
from attnlib.checking.exercise import exercise
from attnlib.checking.sandbox import CheckFailed, plain
from attnlib.exercises._demands import extreme_scores, five_masks, in_float32
from attnlib.exercises._mistakes import (
    ADDED,
    SMALL_CONSTANT,
    SMALL_NUMBERS,
    add_mask_from_the_front,
    add_softmax_mistake,
    add_softmax_mistakes,
    faulty,
)
from attnlib.exercises._shared import passing_parts

# Reading one token with a cache


def _context_and_cache(result, *arguments):
    """(context, keys, values) of a result (context, (keys, values))."""

    def pair(value, what):
        if not isinstance(value, (tuple, list)) or len(value) != 2:
            several = isinstance(value, (tuple, list)) and len(value) != 1
            got = f"{len(value)} values" if several else kind(value)
            raise CheckFailed(f"{what}\n  got {got}")
        return value

    words = "Return 2 values, the context and the new cache."
    context, cache = pair(plain(result), words)
    return context, *pair(cache, "The cache should be a pair (keys, values).")


def _step_cases(rng):
    def token(heads, head_dim):
        return tuple(rng.normal(size=(heads, head_dim)) for _ in range(3))

    def past(heads, past_len, head_dim):
        return tuple(rng.normal(size=(heads, past_len, head_dim)) for _ in range(2))

    key = np.array([[1.0, 0.0, 0.0, 0.0]])
    cached = np.array([[[0.0, 2.0, 0.0, 0.0]]])
    yield (
        "one head, one token in the cache",
        (2 * key, key, 4 * key, (cached, 2 * cached)),
    )
    yield "the first token", (*token(2, 3), None)
    yield "two heads, three tokens in the cache", (*token(2, 4), past(2, 3, 4))
    yield "every size is three", (*token(3, 3), past(3, 3, 3))
    yield "one head of dimension one", (*token(1, 1), past(1, 5, 1))
    yield "the first token, heads of one dimension", (*token(4, 1), None)
    size = 2 * extreme_scores(4)  # as scores near 1000, near -1000, and both
    yield (
        "scores near 1000, near -1000, and from -3000 to 3000",
        (
            size,
            np.repeat([[0.0, 0.0, 0.0, 1.0]], 3, axis=0),
            rng.normal(size=(3, 4)),
            (np.repeat(np.eye(4)[None, :3], 3, axis=0), past(3, 3, 4)[1]),
        ),
    )
    yield (
        "whole numbers, in single precision",
        (
            *(np.round(3 * array).astype("float32") for array in token(2, 4)),
            tuple(np.round(3 * array) for array in past(2, 2, 4)),
        ),
    )


@exercise(
    _step_cases,
    extract=_context_and_cache,
    hints=[
        (
            "Give the new key and value an axis for the position: `key[:, None]` is "
            "(heads, 1, head_dim). `np.concatenate` then puts it behind the cached "
            "ones, along axis 1. Without a cache, it is all there is."
        ),
        (
            "The newest token may attend to every cached token and to itself, so there "
            "is no mask. The scores of a head are the products of its query with its "
            "keys, divided by the square root of head_dim."
        ),
    ],
    returns=("context", "keys", "values"),
)
def kv_cache_step(query, key, value, cache):
    """Attention of the newest token, and the cache with its key and value.

    query: (heads, head_dim). key: (heads, head_dim). value: (heads, head_dim). All
    three are those of the newest token.
    cache: None for the first token, else a pair of arrays (keys, values), each
    (heads, past_len, head_dim).
    Returns context (heads, head_dim), scaled dot-product attention over the past tokens
    and the new one, and the new cache, a pair of arrays (heads, past_len + 1,
    head_dim). The old arrays stay as they were. Scores of 1000 must not overflow.
    """
    keys, values = key[:, None], value[:, None]  # (heads, 1, head_dim)
    if cache is not None:
        keys = np.concatenate([cache[0], keys], axis=1)  # (heads, past_len + 1, dim)
        values = np.concatenate([cache[1], values], axis=1)
    scores = (keys @ query[:, :, None])[:, :, 0] / np.sqrt(query.shape[1])
    weights = ref.softmax(scores)  # (heads, past_len + 1)
    return (weights[:, None] @ values)[:, 0], (keys, values)


def _wrong_step(message, **changes):
    """Add a wrong answer, in which some of what the solution does is done otherwise."""
    part = types.SimpleNamespace(
        **{
            "cached": lambda old, new: np.concatenate([old, new], axis=1),
            "attended": lambda keys, values: (keys, values),
            "returned": lambda context, keys, values, old: (context, (keys, values)),
            "scale": lambda query, keys: np.sqrt(query.shape[1]),
            "new": lambda key, value: (key, value),
            **changes,
        }
    )

    @kv_cache_step.known_mistake(message)
    def wrong(query, key, value, cache):
        keys, values = (array[:, None] for array in part.new(key, value))
        if cache is not None:
            keys, values = part.cached(cache[0], keys), part.cached(cache[1], values)
        seen_keys, seen_values = part.attended(keys, values)
        scores = (seen_keys @ query[:, :, None])[:, :, 0] / part.scale(query, seen_keys)
        weights = ref.softmax(scores)
        context = (weights[:, None] @ seen_values)[:, 0]
        return part.returned(context, keys, values, cache)


_wrong_step(
    "The newest token does not attend to itself. Add its key and value to the cache "
    "first, and then attend.",
    attended=lambda keys, values: (keys[:, :-1], values[:, :-1]),
)
_wrong_step(
    "The newest token does not attend to itself, except where the cache is empty. Add "
    "its key and value to the cache first, and then attend.",
    attended=lambda keys, values: (
        keys[:, : max(1, keys.shape[1] - 1)],
        values[:, : max(1, keys.shape[1] - 1)],
    ),
)
_wrong_step(
    "The newest token attends to itself alone. The cached keys and values count, too.",
    attended=lambda keys, values: (keys[:, -1:], values[:, -1:]),
)
_wrong_step(
    "You return the cache as it was, without the new key and value.",
    returned=lambda context, keys, values, old: (
        context,
        old or (keys[:, :0], values[:, :0]),
    ),
)
_wrong_step(
    "Your new cache holds the newest token alone. It should hold the past tokens, too.",
    returned=lambda context, keys, values, old: (
        context,
        (keys[:, -1:], values[:, -1:]),
    ),
)
_wrong_step(
    "You put the new key and value in front. The newest token comes last.",
    cached=lambda old, new: np.concatenate([new, old], axis=1),
)
_wrong_step(
    "You overwrite the last position of the cache. The new token needs a position of "
    "its own behind it.",
    cached=lambda old, new: np.concatenate([old[:, :-1], new], axis=1),
)
_wrong_step(
    "You drop the oldest token. This cache keeps every token.",
    cached=lambda old, new: np.concatenate([old[:, 1:], new], axis=1),
)
_wrong_step(
    "Your cache holds the values first. The keys come first.",
    returned=lambda context, keys, values, old: (context, (values, keys)),
)
_wrong_step(
    "The new key and value are exchanged.",
    new=lambda key, value: (value, key),
)
_wrong_step(
    "You store the key as the value, too.",
    new=lambda key, value: (key, key),
)
_wrong_step(
    "The scores are not divided by the square root of head_dim.",
    scale=lambda query, keys: 1,
)
_wrong_step(
    "You divide by head_dim. Divide by its square root.",
    scale=lambda query, keys: query.shape[1],
)
_wrong_step(
    "You divide by the square root of the number of tokens. Use head_dim instead.",
    scale=lambda query, keys: np.sqrt(keys.shape[1]),
)


@kv_cache_step.known_mistake(
    "Your cache grows along the heads. Give the new key an axis for the position and "
    "concatenate along axis 1."
)
def step_along_the_heads(query, key, value, cache):
    context, (keys, values) = kv_cache_step.reference_solution(query, key, value, cache)
    if cache is not None and cache[0].shape[1] == 1:
        new = key[:, None], value[:, None]
        keys, values = map(np.concatenate, zip(cache, new, strict=True))
    return context, (keys, values)


@kv_cache_step.known_mistake(
    "You return the cache first. The context comes first, and then the cache."
)
def step_cache_first(query, key, value, cache):
    context, (keys, values) = kv_cache_step.reference_solution(query, key, value, cache)
    return keys, (values, context)


@kv_cache_step.known_mistake(
    "The scores of all heads go through one softmax. Each head has weights of its own, "
    "which sum to one."
)
def step_one_softmax(query, key, value, cache):
    _, (keys, values) = kv_cache_step.reference_solution(query, key, value, cache)
    scores = (keys @ query[:, :, None])[:, :, 0] / np.sqrt(query.shape[1])
    weights = ref.softmax(scores.reshape(1, -1)).reshape(scores.shape)
    return (weights[:, None] @ values)[:, 0], (keys, values)


@kv_cache_step.known_mistake(
    "Every query meets the keys of all heads. Query h belongs to the keys of head h."
)
def step_mixed_heads(query, key, value, cache):
    _, (keys, values) = kv_cache_step.reference_solution(query, key, value, cache)
    scores = np.einsum("hd,gld->hl", query, keys) / np.sqrt(query.shape[1])
    return (ref.softmax(scores)[:, None] @ values)[:, 0], (keys, values)


@kv_cache_step.known_mistake(
    "Your context still has an axis of length 1, where the query was given one for its "
    "position. Take it off: context[:, 0]."
)
def step_with_an_axis_more(query, key, value, cache):
    context, cache = kv_cache_step.reference_solution(query, key, value, cache)
    return context[:, None], cache


@kv_cache_step.known_mistake(
    "Where there is one head, your context has lost the axis of the heads. np.squeeze "
    "does that, because it takes off every axis of length 1: take off one alone, "
    "context[:, 0]."
)
def step_squeezed(query, key, value, cache):
    context, cache = kv_cache_step.reference_solution(query, key, value, cache)
    return context.squeeze(), cache


add_softmax_mistakes(
    kv_cache_step,
    masked=False,
    other_axes=[(0, "Your weights sum to one over the heads, not over the tokens.")],
)


# Query heads that share keys and values

FAR_BELOW = -20_000.0  # scores of allowed positions, lower than constants for padding


def _grouped_cases(rng):
    def tensors(heads, kv_heads, target_len, source_len, head_dim):
        return (
            rng.normal(size=(heads, target_len, head_dim)),
            rng.normal(size=(kv_heads, source_len, head_dim)),
            rng.normal(size=(kv_heads, source_len, head_dim)),
        )

    query = np.array([[[2.0, 0, 0, 0]], [[0.0, 2, 0, 0]]])
    keys = np.array([[[0.0, 0, 0, 0], [np.log(9), 0, 0, 0]]])
    yield "two query heads, one key-value head", (query, keys, np.eye(4)[None, :2])
    yield "four query heads, two key-value heads", tensors(4, 2, 1, 3, 2)
    yield (
        "six query heads, two key-value heads, a mask",
        (*tensors(6, 2, 7, 5, 3), np.vstack([five_masks(5), np.ones((2, 5)) == 1])),
    )
    yield "as many key-value heads as query heads", tensors(3, 3, 4, 5, 2)
    yield "every size is four", (*tensors(4, 4, 4, 4, 4), np.tri(4) == 1)
    yield (
        "two groups of two, causal mask",
        (*tensors(4, 2, 4, 4, 4), np.tri(4) == 1),
    )
    yield "one position", (*tensors(4, 1, 2, 1, 3), np.array([[True], [False]]))
    yield from _extreme_grouped_cases(rng)
    yield (
        "single precision",
        (*in_float32(tensors(6, 3, 2, 4, 2)), five_masks(4)[:2]),
    )
    query, keys, values = tensors(4, 2, 3, 4, 3)
    yield (
        "whole numbers",
        (np.round(3 * query), np.round(3 * keys), np.round(3 * values)),
    )


def _extreme_grouped_cases(rng):
    """Keys that are unit vectors, so that a score is half of a number of the query."""
    extreme = np.stack([2 * extreme_scores(4)] * 2)
    yield (
        "scores near 1000, near -1000, and from -3000 to 3000",
        (extreme, np.eye(4)[None], rng.normal(size=(1, 4, 4))),
    )
    mask, steps = five_masks(4), np.arange(4.0)
    for title, score, at_padding in (
        ("allowed scores near -20,000", FAR_BELOW, 1.0),
        ("allowed scores near -20,000, and the others far above them", FAR_BELOW, -1e9),
        ("small scores, and large ones where the mask is False", 1.0, 1e5),
    ):
        low = 2 * np.stack([score - steps, score + steps])[:, None]
        query = np.repeat(low, 5, axis=1)  # (2, 5, 4)
        excluded = 2 * at_padding * score
        query = np.where(mask, query, excluded)
        values = rng.normal(size=(1, 4, 4))
        yield title, (query, np.eye(4)[None], values, mask)


@exercise(
    _grouped_cases,
    hints=[
        (
            "How many query heads share one key-value head? With 6 query heads and 2 "
            "key-value heads, heads 0, 1, and 2 use the first, and heads 3, 4, and 5 "
            "the second."
        ),
        (
            "`np.repeat(keys, group, axis=0)` writes each key head `group` times in a "
            "row. It is also possible without a copy: reshape the query to (kv_heads, "
            "group, target_len, head_dim), and let `keys[:, None]` broadcast."
        ),
    ],
    returns=("context", "weights"),
)
def grouped_query_attention(query, keys, values, mask=None):
    """Scaled dot-product attention where groups of query heads share keys and values.

    query: (heads, target_len, head_dim). keys: (kv_heads, source_len, head_dim).
    values: (kv_heads, source_len, head_dim). heads is a multiple of kv_heads, and head
    h uses the keys and values of head h // (heads // kv_heads).
    mask: (target_len, source_len), True = may be attended to, the same for all heads;
    or None, where everything may.
    Returns context (heads, target_len, head_dim) and weights (heads, target_len,
    source_len). A query with nothing to attend to gets zero weights and a zero context.
    Scores of 1000 must not overflow.
    """
    heads, target_len, head_dim = query.shape
    groups = query.reshape(len(keys), -1, target_len, head_dim)
    scores = groups @ keys[:, None].swapaxes(-1, -2) / np.sqrt(head_dim)
    weights = ref.softmax(scores, mask)  # (kv_heads, group, target_len, source_len)
    context = weights @ values[:, None]
    return context.reshape(query.shape), weights.reshape(heads, target_len, -1)


def _attend(query, keys, values, mask, scale=None):
    """Attention head by head, of arrays with one head each."""
    scale = np.sqrt(query.shape[-1]) if scale is None else scale
    weights = ref.softmax(query @ keys.swapaxes(-1, -2) / scale, mask)
    return weights @ values, weights


def _wrong_grouped(
    message,
    share=lambda array, group: np.repeat(array, group, axis=0),
    share_values=None,
    scale=None,
    mask=lambda mask: mask,
    result=lambda context, weights: (context, weights),
):
    """Add a wrong answer, in which some of what the solution does is done otherwise."""

    @grouped_query_attention.known_mistake(message)
    def wrong(query, keys, values, *given):
        group = len(query) // len(keys)
        with np.errstate(all="ignore"):
            context, weights = _attend(
                query,
                share(keys, group),
                (share_values or share)(values, group),
                mask(given[0]) if given else None,
                None if scale is None else scale(query, keys),
            )
        return result(context, weights)


def _tiled(array, group):
    return np.tile(array, (group, 1, 1))


_wrong_grouped(
    "Your query heads take turns: head 0 uses the first key-value head and head 1 the "
    "second. Consecutive heads should share: np.repeat, not np.tile.",
    share=_tiled,
)
_wrong_grouped(
    "Your groups are right for the keys, but the values take turns. Use np.repeat for "
    "both.",
    share_values=_tiled,
)
_wrong_grouped(
    "Your groups are right for the values, but the keys take turns. Use np.repeat for "
    "both.",
    share=_tiled,
    share_values=lambda array, group: np.repeat(array, group, axis=0),
)
_wrong_grouped(
    "All of your query heads use the first key-value head. That is multi-query "
    "attention, which has only one.",
    share=lambda array, group: np.repeat(array[:1], group * len(array), axis=0),
)
_wrong_grouped(
    "All of your query heads use the mean of the key-value heads. Each group has a "
    "head of its own.",
    share=lambda array, group: np.repeat(
        array.mean(axis=0, keepdims=True), group * len(array), axis=0
    ),
)
_wrong_grouped(
    "The groups are in reverse order: the first query heads should use the first "
    "key-value head.",
    share=lambda array, group: np.repeat(array[::-1], group, axis=0),
)
_wrong_grouped(
    "The scores are not divided by the square root of head_dim.",
    scale=lambda query, keys: 1,
)
_wrong_grouped(
    "You divide by head_dim. Divide by its square root.",
    scale=lambda query, keys: query.shape[-1],
)
_wrong_grouped(
    "You divide by the square root of the number of heads. Use head_dim instead.",
    scale=lambda query, keys: np.sqrt(len(query)),
)
_wrong_grouped(
    "You divide by the square root of the source length. Use head_dim instead.",
    scale=lambda query, keys: np.sqrt(keys.shape[1]),
)
_wrong_grouped(
    "You return the weights first. The context comes first.",
    result=lambda context, weights: (weights, context),
)
_wrong_grouped(
    "Your mask is transposed. Its rows are the queries already.",
    mask=lambda mask: mask.T if mask.shape[0] == mask.shape[1] else mask,
)


@grouped_query_attention.known_mistake(
    "You return one context per key-value head. Return one for each query head."
)
def grouped_mean_of_the_group(query, keys, values, mask=None):
    context, weights = grouped_query_attention.reference_solution(
        query, keys, values, mask
    )
    apart = [
        array.reshape(len(keys), -1, *array.shape[1:]).mean(axis=1)
        for array in (context, weights)
    ]
    return tuple(apart)


for _repeated in (True, False):

    @grouped_query_attention.known_mistake(
        "You take the mean of the queries of a group. Every query head keeps its own "
        "query, and its own weights and context."
    )
    def grouped_mean_of_the_queries(query, keys, values, mask=None, repeat=_repeated):
        group = len(query) // len(keys)
        mean = query.reshape(len(keys), group, *query.shape[1:]).mean(axis=1)
        result = _attend(mean, keys, values, mask)
        return tuple(np.repeat(each, group if repeat else 1, axis=0) for each in result)


@grouped_query_attention.known_mistake(
    "You divide the number of a head by kv_heads. Divide it by the size of a group: "
    "head h uses head h // (heads // kv_heads)."
)
def grouped_by_the_number_of_groups(query, keys, values, mask=None):
    shared = np.arange(len(query)) // len(keys)
    return _attend(query, keys[shared], values[shared], mask)


def _zero_at_padding(softmax):
    """The same softmax, with zeros at padding afterwards."""

    def zeroed(scores, mask=None):
        return softmax(scores, mask) * (True if mask is None else mask)

    return zeroed


add_mask_from_the_front(grouped_query_attention)
for _message, _softmax in [(ADDED, faulty("added", fill=-1e9))] + [
    (SMALL_CONSTANT, faulty(fill=_fill)) for _fill in SMALL_NUMBERS
]:
    add_softmax_mistake(grouped_query_attention, _message, _zero_at_padding(_softmax))
add_softmax_mistakes(
    grouped_query_attention,
    infinite=False,
    other_axes=[
        (-2, "Your weights sum to one over the queries, not over the source."),
        ((-2, -1), "The weights of all queries of a head sum to one together."),
        ((-3,), "Your weights sum to one over the heads, not over the source."),
    ],
)


# A window and its sinks


def _window_cases(rng):
    yield "five positions, a window of two", (5, 2)
    yield "six positions, a window of two, one sink", (6, 2, 1)
    yield "seven positions, a window of three, two sinks", (7, 3, 2)
    yield "a window of one", (4, 1)
    yield "a window of one and a sink", (5, 1, 1)
    yield "a window as long as the sequence", (4, 4, 0)
    yield "a window longer than the sequence", (3, 8)
    yield "more sinks than positions", (4, 2, 6)
    yield "one position", (1, 1, 1)
    yield "twelve positions, a window of four, three sinks", (12, 4, 3)


@exercise(
    _window_cases,
    hints=[
        (
            "Make a column of query positions, `np.arange(length)[:, None]`, and a row "
            "of key positions. What is their difference on the diagonal, and one step "
            "to the left of it?"
        ),
        (
            "Position s may be attended to from t if it is not later (s <= t), and if "
            "it is recent (t - s < window) or a sink (s < sinks)."
        ),
    ],
)
def sliding_window_mask(length, window, sinks=0):
    """What each position may attend to: the window up to itself, and the sinks.

    length: int, the number of positions. window: int, 1 or more: position t sees the
    last window positions up to and including itself, t - window + 1 ... t.
    sinks: int: position t also sees the first sinks positions, but none after t.
    Returns booleans (length, length), [t, s] True where t may attend to s.
    """
    t, s = np.arange(length)[:, None], np.arange(length)
    return (s <= t) & ((t - s < window) | (s < sinks))


def _wrong_window(message, mask):
    """Add a wrong answer: another function of (t, s, window, sinks, length)."""

    @sliding_window_mask.known_mistake(message)
    def wrong(length, window, sinks=0):
        t, s = np.arange(length)[:, None], np.arange(length)
        return mask(t, s, window, sinks, length)


_wrong_window(
    "Your window is one too long: it holds the position itself and as many as `window` "
    "before it. A window of 1 is the position alone.",
    lambda t, s, window, sinks, length: (s <= t) & ((t - s <= window) | (s < sinks)),
)
_wrong_window(
    "Your window is one too short.",
    lambda t, s, window, sinks, length: (s <= t) & ((t - s < window - 1) | (s < sinks)),
)
_wrong_window(
    "Your window does not hold the position itself. It ends with position t.",
    lambda t, s, window, sinks, length: (
        (s <= t) & ((s < t) & (t - s < window) | (s < sinks))
    ),
)
_wrong_window(
    "The sinks have no effect.",
    lambda t, s, window, sinks, length: (s <= t) & (t - s < window),
)
_wrong_window(
    "Your first positions see sinks that lie ahead. A sink may be attended to from "
    "its own position on.",
    lambda t, s, window, sinks, length: (
        (s <= t) & (t - s < window) | np.broadcast_to(s < sinks, (length, length))
    ),
)
_wrong_window(
    "Your window reaches to both sides. It should be causal: no position after t.",
    lambda t, s, window, sinks, length: (abs(t - s) < window) | (s < sinks) & (s <= t),
)
_wrong_window(
    "Your mask is causal, but it has no window: every earlier position is seen.",
    lambda t, s, window, sinks, length: s <= t,
)
_wrong_window(
    "Your mask is transposed: rows are the queries t, and columns the keys s.",
    lambda t, s, window, sinks, length: (t <= s) & ((s - t < window) | (t < sinks)),
)
_wrong_window(
    "Your mask is inverted. True means that a position may be attended to.",
    lambda t, s, window, sinks, length: (s > t) | ((t - s >= window) & (s >= sinks)),
)
for _ahead in (True, False):

    @sliding_window_mask.known_mistake(
        "In the first rows your window begins at a negative index, t - window + 1, and "
        "a negative index counts from the end. Begin at max(0, t - window + 1)."
    )
    def window_from_a_negative_index(length, window, sinks=0, ahead=_ahead):
        mask = np.zeros((length, length), bool)
        for t in range(length):
            mask[t, t - window + 1 : t + 1] = True
            mask[t, : sinks if ahead else min(sinks, t + 1)] = True
        return mask


_wrong_window(
    "You have one sink too many.",
    lambda t, s, window, sinks, length: (s <= t) & ((t - s < window) | (s <= sinks)),
)
_wrong_window(
    "You apply the sinks to the queries, so that the first rows see all that is before "
    "them. They belong to the keys, the first columns.",
    lambda t, s, window, sinks, length: (s <= t) & ((t - s < window) | (t < sinks)),
)
_wrong_window(
    "The sinks take room from your window. Each position sees its whole window, and "
    "the sinks as well.",
    lambda t, s, window, sinks, length: (
        (s <= t) & ((t - s < max(1, window - sinks)) | (s < sinks))
    ),
)
_wrong_window(
    "You combine window and sinks with `and`. Either is enough.",
    lambda t, s, window, sinks, length: (
        (s <= t) & (t - s < window) & ((s < sinks) | (sinks == 0))
    ),
)
_wrong_window(
    "You combine window and sinks with `and`. Either is enough, and without sinks "
    "nothing is left.",
    lambda t, s, window, sinks, length: (s <= t) & (t - s < window) & (s < sinks),
)
_wrong_window(
    "Return booleans, not numbers to be added to the scores.",
    lambda t, s, window, sinks, length: np.where(
        (s <= t) & ((t - s < window) | (s < sinks)), 0.0, -np.inf
    ),
)


# Rotary positions


def _rotary_cases(rng):
    yield "one pair, positions 0 and 1", (np.array([[1.0, 0.0], [1.0, 0.0]]), [0, 1])
    yield "two pairs, position 1", (np.array([[1.0, 0.0, 1.0, 0.0]]), [1])
    yield "three pairs, base 8", (rng.normal(size=(4, 6)), [0, 1, 2, 3], 8.0)
    yield "as many positions as dimensions", (rng.normal(size=(4, 4)), [3, 0, 7, 1])
    yield "far positions, in any order", (rng.normal(size=(3, 8)), [900, 5, 40])
    yield "one position", (rng.normal(size=(1, 6)), [12], 100.0)
    yield "whole numbers", (np.round(5 * rng.normal(size=(3, 4))), [2, 3, 4])
    yield (
        "single precision",
        (rng.normal(size=(5, 6)).astype("float32"), [0, 2, 4, 6, 8]),
    )


def _with_array_of_positions(cases):
    def with_arrays(rng):
        for title, (x, positions, *base) in cases(rng):
            yield title, (x, np.array(positions), *base)

    return with_arrays


@exercise(
    _with_array_of_positions(_rotary_cases),
    hints=[
        (
            "Pair i is made of the numbers 2i and 2i + 1 of a row, `x[:, ::2]` and "
            "`x[:, 1::2]`. The angles are (length, dim / 2): positions times "
            "frequencies."
        ),
        (
            "A pair (a, b) turned by an angle is (a cos - b sin, a sin + b cos). The "
            "frequencies are `base ** (-np.arange(0, dim, 2) / dim)`. Write both "
            "results into an empty array, again with `[:, ::2]` and `[:, 1::2]`."
        ),
    ],
)
def rotary(x, positions, base=10000.0):
    """Each vector, with its pairs of numbers turned in proportion to its position.

    x: (length, dim), where dim is even. positions: ints (length,), in any order.
    base: float, 1 or more.
    Pair i of a row, the numbers 2i and 2i + 1, turns by the angle
    position * base ** (-2i / dim), counterclockwise.
    Returns floats (length, dim).
    """
    frequencies = base ** (-np.arange(0, x.shape[1], 2) / x.shape[1])
    angles = positions[:, None] * frequencies  # (length, dim / 2)
    cos, sin = np.cos(angles), np.sin(angles)
    even, odd = x[:, ::2], x[:, 1::2]
    turned = np.empty(x.shape)
    turned[:, ::2] = even * cos - odd * sin
    turned[:, 1::2] = even * sin + odd * cos
    return turned


def _turned(x, angles, halves=False):
    """The pairs of numbers of x turned by angles (length, dim / 2)."""
    half = x.shape[1] // 2
    first, second = (x[:, :half], x[:, half:]) if halves else (x[:, ::2], x[:, 1::2])
    cos, sin = np.cos(angles), np.sin(angles)
    one, other = first * cos - second * sin, first * sin + second * cos
    if halves:
        return np.concatenate([one, other], axis=1)
    return np.stack([one, other], axis=-1).reshape(x.shape)


def _angles(positions, dim, base):
    return positions[:, None] * base ** (-np.arange(0, dim, 2) / dim)


def _with_angles_of_halves(x, positions, base):
    """The angles of all pairs twice, one after the other, on pairs of neighbors."""
    angles = np.tile(_angles(positions, x.shape[1], base), (1, 2))
    across = np.stack([-x[:, 1::2], x[:, ::2]], axis=-1).reshape(x.shape)
    return x * np.cos(angles) + across * np.sin(angles)


def _wrong_rotary(message, rotated):
    """Add a wrong answer: another function of (x, positions, base)."""

    @rotary.known_mistake(message)
    def wrong(x, positions, base=10000.0):
        return rotated(x, positions, base)


_wrong_rotary(
    "Your pairs are the first and the second half of a row: i and i + dim / 2. There "
    "are models that do so, with weights trained for it. Here, pairs are neighbors, 2i "
    "and 2i + 1.",
    lambda x, positions, base: _turned(
        x, _angles(positions, x.shape[1], base), halves=True
    ),
)
_wrong_rotary(
    "You turn clockwise. The minus sign belongs to the first number of a pair: a cos - "
    "b sin, and a sin + b cos.",
    lambda x, positions, base: _turned(x, -_angles(positions, x.shape[1], base)),
)
_wrong_rotary(
    "Your frequencies fall too slowly: the exponent of pair i is -2i / dim, so use "
    "np.arange(0, dim, 2).",
    lambda x, positions, base: _turned(
        x,
        positions[:, None] * base ** (-np.arange(x.shape[1] // 2) / x.shape[1]),
    ),
)
_wrong_rotary(
    "Your frequencies fall too fast: the exponent of pair i is -2i / dim, not -4i / "
    "dim.",
    lambda x, positions, base: _turned(
        x,
        positions[:, None] * base ** (-2 * np.arange(0, x.shape[1], 2) / x.shape[1]),
    ),
)
_wrong_rotary(
    "All of your pairs turn by the same angle. Pair i turns by position * "
    "base ** (-2i / dim).",
    lambda x, positions, base: _turned(
        x, np.repeat(positions[:, None], x.shape[1] // 2, axis=1)
    ),
)
_wrong_rotary(
    "Your frequencies grow from pair to pair. The exponent is negative, so that later "
    "pairs turn more slowly.",
    lambda x, positions, base: _turned(
        x, positions[:, None] * base ** (np.arange(0, x.shape[1], 2) / x.shape[1])
    ),
)
_wrong_rotary(
    "The order of your frequencies is reversed: the first pair turns fastest.",
    lambda x, positions, base: _turned(
        x, _angles(positions, x.shape[1], base)[:, ::-1]
    ),
)
_wrong_rotary(
    "You count the rows instead of using `positions`. A row need not be at the "
    "position of its number.",
    lambda x, positions, base: _turned(x, _angles(np.arange(len(x)), x.shape[1], base)),
)
_wrong_rotary(
    "Your positions begin at 1. Position 0 is not turned at all.",
    lambda x, positions, base: _turned(x, _angles(positions + 1, x.shape[1], base)),
)
_wrong_rotary(
    "You take the angles for degrees. np.cos and np.sin take radians, and so does the "
    "formula.",
    lambda x, positions, base: _turned(
        x, np.deg2rad(_angles(positions, x.shape[1], base))
    ),
)
_wrong_rotary(
    "Your pairs are neighbors, but your angles are in the order of halves: use "
    "np.repeat(angles, 2, axis=1), which gives both numbers of a pair the same angle.",
    lambda x, positions, base: _with_angles_of_halves(x, positions, base),
)
_wrong_rotary(
    "You use a base of 10000 whatever `base` is.",
    lambda x, positions, base: _turned(x, _angles(positions, x.shape[1], 10000.0)),
)
_wrong_rotary(
    "You add the sines and cosines, as sinusoidal positions do. Rotary positions turn "
    "the vector.",
    lambda x, positions, base: (
        x
        + np.stack(
            [
                np.sin(_angles(positions, x.shape[1], base)),
                np.cos(_angles(positions, x.shape[1], base)),
            ],
            axis=-1,
        ).reshape(x.shape)
    ),
)
_wrong_rotary(
    "Both numbers of a pair get a minus sign or neither does. A rotation has one: a "
    "cos - b sin, and a sin + b cos.",
    lambda x, positions, base: (
        x * np.repeat(np.cos(_angles(positions, x.shape[1], base)), 2, axis=1)
        + x.reshape(len(x), -1, 2)[:, :, ::-1].reshape(x.shape)
        * np.repeat(np.sin(_angles(positions, x.shape[1], base)), 2, axis=1)
    ),
)
_wrong_rotary(
    "Your result holds the first numbers of all pairs, and then the second ones. Keep "
    "the two numbers of a pair beside each other.",
    lambda x, positions, base: np.concatenate(
        [
            _turned(x, _angles(positions, x.shape[1], base))[:, ::2],
            _turned(x, _angles(positions, x.shape[1], base))[:, 1::2],
        ],
        axis=1,
    ),
)


@rotary.known_mistake(
    "You overwrite the first number of each pair before you use it for the second. "
    "Keep both as they were."
)
def rotary_overwritten(x, positions, base=10000.0):
    angles = _angles(positions, x.shape[1], base)
    turned = np.array(x, dtype=float)
    turned[:, ::2] = turned[:, ::2] * np.cos(angles) - turned[:, 1::2] * np.sin(angles)
    turned[:, 1::2] = turned[:, ::2] * np.sin(angles) + turned[:, 1::2] * np.cos(angles)
    return turned


# The online softmax


class Scores(list):
    """Scores that can only be read in blocks, front to back: ``scores[start:stop]``.

    It says what is wrong with the way in which it is read.
    """

    def __init__(self, scores, block_size):
        super().__init__(np.asarray(scores, dtype=float).tolist())
        self._block_size, self._place = block_size, 0

    def __getitem__(self, place):
        if not isinstance(place, slice):
            self._all_at_once()
        start, stop, step = place.indices(len(self))
        if step != 1 or stop - start > self._block_size:
            raise CheckFailed(
                "You read more than block_size scores at once. Read the scores in "
                "blocks, scores[start : start + block_size]."
            )
        if start < self._place:
            raise CheckFailed(
                "You read a block of scores a second time. When the next block comes, "
                "the ones before it are gone: keep what you need of them."
            )
        self._place = start
        return np.array(super().__getitem__(place), dtype=float)

    def _all_at_once(self, *arguments, **settings):
        raise CheckFailed(
            "The scores can only be read in blocks, scores[start : start + "
            "block_size], and a block is an array."
        )

    __iter__ = __array__ = __reversed__ = __contains__ = _all_at_once


def _online_cases(rng):
    def case(scores, value_dim, block_size, values=None):
        scores = np.array(scores)
        if values is None:
            values = rng.normal(size=(len(scores), value_dim))
        return Scores(scores, block_size), values, block_size

    logs = np.log([1.0, 3, 4])
    yield (
        "three scores in blocks of two",
        case(logs, 2, 2, np.array([[8.0, 0], [0, 8], [8, 8]])),
    )
    yield "one score", case([3.0], 2, 4)
    yield "six scores in blocks of three", case(rng.normal(size=6), 2, 3)
    yield "the largest score first", case([9.0, 1, 2, 0, 8, 3], 3, 2)
    yield "the largest score last", case([0.0, 1, 1, 2, 2, 5, 9], 3, 2)
    yield "one block", case(rng.normal(size=4), 4, 4)
    yield "blocks of one", case(rng.normal(size=5), 1, 1)
    yield "a block larger than the scores", case(rng.normal(size=3), 2, 10)
    yield "scores near 1000", case(1000 + np.arange(7.0), 2, 3)
    yield "scores near -1000", case(-1000 - np.arange(7.0), 6, 3)
    steps = np.linspace(-3000, 3000, 9).round()
    yield "scores from -3000 to 3000, upwards", case(steps, 2, 2)
    yield "scores from 3000 to -3000, downwards", case(steps[::-1], 2, 2)
    inf = np.inf
    yield "-inf among the scores", case([1.0, -inf, 2, 0, -inf, 1], 3, 2)
    yield (
        "a first, a middle, and a last block of -inf alone",
        case([-inf, -inf, 3, 1, -inf, -inf, 2, 4, -inf], 2, 2),
    )
    yield "nothing but -inf", case([-inf] * 5, 6, 2)
    scores, values, size = case(np.round(3 * rng.normal(size=8)), 3, 3)
    yield "whole numbers, in single precision", (scores, values.astype("float32"), size)


@exercise(
    _online_cases,
    hints=[
        (
            "Keep three things: the largest score so far, the sum of the exponentials, "
            "and the sum of the values weighted by the exponentials, both shifted by "
            "that largest score. What happens to the two sums when a block brings a "
            "larger score?"
        ),
        (
            "If the maximum rises from `old` to `new`, both sums have to be multiplied "
            "by `np.exp(old - new)`, before the block is added. At the first block "
            "`old` is -inf, and the factor is 0."
        ),
        (
            "A block of -inf alone, before any other score, gives -inf - -inf, which "
            "is NaN. Skip a block as long as the maximum is -inf."
        ),
    ],
)
def online_softmax(scores, values, block_size):
    """softmax(scores) @ values, from one reading of the scores, block by block.

    scores: (source_len,), which may only be read as scores[start:stop], at most
    block_size numbers at once, front to back. Some may be -inf, which is a weight of 0.
    values: (source_len, value_dim). block_size: int; the last block may be shorter.
    Returns the context (value_dim,). Where all scores are -inf, it is zeros. Scores of
    1000 must not overflow.
    """
    largest, total, context = -np.inf, 0.0, np.zeros(values.shape[1])
    for start in range(0, len(scores), block_size):
        block = scores[start : start + block_size]
        old, largest = largest, max(largest, block.max())
        if largest > -np.inf:
            shrink = np.exp(old - largest)  # what the earlier sums are worth now
            weights = np.exp(block - largest)
            total = total * shrink + weights.sum()
            context = context * shrink + weights @ values[start : start + block_size]
    return context / total if total > 0 else context


def _wrong_online(message, **changes):
    """Add a wrong answer, in which some of what the solution does is done otherwise."""
    part = types.SimpleNamespace(
        **{
            "largest": lambda old, block: max(old, block.max()),
            "shrink": lambda old, new: (np.exp(old - new),) * 2,
            "weights": lambda block, largest, old: np.exp(block - largest),
            "skip": lambda largest, block: largest == -np.inf,
            "sum": lambda total, weights: total + weights.sum(),
            "blocks": lambda length, size: range(0, length, size),
            "result": lambda context, total: context / total if total > 0 else context,
            **changes,
        }
    )

    @online_softmax.known_mistake(message)
    def wrong(scores, values, block_size):
        largest, total, context = -np.inf, 0.0, np.zeros(values.shape[1])
        with np.errstate(all="ignore"):
            for start in part.blocks(len(scores), block_size):
                block = scores[start : start + block_size]
                old, largest = largest, part.largest(largest, block)
                if part.skip(largest, block):
                    continue
                of_total, of_context = part.shrink(old, largest)
                weights = part.weights(block, largest, old)
                total = part.sum(total * of_total, weights)
                context = context * of_context + (
                    weights @ values[start : start + block_size]
                )
            return part.result(context, total)


_wrong_online(
    "The earlier sums are not corrected when the maximum rises: multiply both by "
    "np.exp(old - new).",
    shrink=lambda old, new: (1.0, 1.0),
)
for _result in (
    lambda context, total: context / total if total > 0 else context,
    lambda context, total: context / total,
):
    _wrong_online(
        "The earlier sums are not corrected when the maximum rises: multiply both by "
        "np.exp(old - new). And skip a block of -inf alone, which makes them NaN.",
        shrink=lambda old, new: (1.0, 1.0),
        skip=lambda largest, block: False,
        result=_result,
    )
_wrong_online(
    "You correct the sum of the weights, but not the sum of the weighted values.",
    shrink=lambda old, new: (np.exp(old - new), 1.0),
)
_wrong_online(
    "You correct the sum of the weighted values, but not the sum of the weights.",
    shrink=lambda old, new: (1.0, np.exp(old - new)),
)
UPSIDE_DOWN = (
    "Your correction is upside down: np.exp(old - new) is at most 1. What came before "
    "a larger score is worth less."
)
for _first in (0.0, np.inf):
    _wrong_online(
        UPSIDE_DOWN,
        shrink=lambda old, new, first=_first: (
            (np.exp(new - old) if old > -np.inf else first,) * 2
        ),
    )
_wrong_online(
    "Each block is shifted by its own maximum, and the earlier sums are corrected by "
    "the difference to that. The maximum must not fall: take the larger of the block's "
    "maximum and the one before.",
    largest=lambda old, block: block.max(),
)
_wrong_online(
    "Your block is shifted by the maximum before it. Update the maximum first.",
    weights=lambda block, largest, old: np.exp(
        block - (old if old > -np.inf else largest)
    ),
)
for _result in (
    lambda context, total: context / total if total > 0 else context,
    lambda context, total: context / total,
):
    _wrong_online(
        "You do not shift the scores, so exp is infinite at 1000 and 0 at -1000. Keep "
        "a running maximum and subtract it.",
        largest=lambda old, block: 0.0,
        shrink=lambda old, new: (1.0, 1.0),
        result=_result,
    )
_wrong_online(
    "A block of -inf alone makes your sums NaN: -inf - -inf is not a number. Skip such "
    "a block.",
    skip=lambda largest, block: False,
    result=lambda context, total: context / total,
)
_wrong_online(
    "A block of -inf alone makes your sums NaN: -inf - -inf is not a number. Skip such "
    "a block.",
    skip=lambda largest, block: False,
)
_wrong_online(
    "Where all scores are -inf, you divide 0 by 0. Return zeros there.",
    result=lambda context, total: context / total,
)
_wrong_online(
    "You do not divide by the sum of the weights at the end.",
    result=lambda context, total: context,
)
_wrong_online(
    "Your sum of the weights counts the scores instead.",
    sum=lambda total, weights: total + len(weights),
)
_wrong_online(
    "You leave out the last block where it is shorter than the others.",
    blocks=lambda length, size: range(0, length - size + 1, size),
)


for _result in (
    lambda context, total: context / total if total > 0 else context,
    lambda context, total: context / total,
):
    _wrong_online(
        "Your running maximum starts at 0, so where all scores are far below 0, every "
        "weight becomes 0. Start at -np.inf.",
        largest=lambda old, block: max(old, block.max(), 0),
        skip=lambda largest, block: False,
        result=_result,
    )


for _skips in (True, False):

    @online_softmax.known_mistake(
        "You correct the sums where a block raises the maximum, but shift every block "
        "by its own maximum. A block whose maximum is lower should be shifted by the "
        "running one."
    )
    def online_own_maximum(scores, values, block_size, skips=_skips):
        largest, total, context = -np.inf, 0.0, np.zeros(values.shape[1])
        with np.errstate(all="ignore"):
            for start in range(0, len(scores), block_size):
                block = scores[start : start + block_size]
                if skips and block.max() == -np.inf:
                    continue
                weights = np.exp(block - block.max())
                if block.max() > largest:
                    shrink, largest = np.exp(largest - block.max()), block.max()
                    total, context = total * shrink, context * shrink
                total = total + weights.sum()
                context = context + weights @ values[start : start + block_size]
        return context / total if total != 0 else context


@online_softmax.known_mistake(
    "You take the mean of the contexts of the blocks. A block counts by its sum of "
    "exponentials."
)
def online_mean_of_blocks(scores, values, block_size):
    contexts = []
    for start in range(0, len(scores), block_size):
        weights = ref.softmax(scores[start : start + block_size])
        contexts.append(weights @ values[start : start + block_size])
    return np.mean(contexts, axis=0)


@online_softmax.known_mistake(
    "Each block has a softmax of its own, and you add the contexts of the blocks up. "
    "All scores share one sum."
)
def online_sum_of_blocks(scores, values, block_size):
    context = np.zeros(values.shape[1])
    for start in range(0, len(scores), block_size):
        weights = ref.softmax(scores[start : start + block_size])
        context = context + weights @ values[start : start + block_size]
    return context


@online_softmax.known_mistake(
    "You return the context of the last block alone. The earlier blocks count, too."
)
def online_last_block(scores, values, block_size):
    context = np.zeros(values.shape[1])
    for start in range(0, len(scores), block_size):
        weights = ref.softmax(scores[start : start + block_size])
        context = weights @ values[start : start + block_size]
    return context


@online_softmax.known_mistake(
    "You correct the context as if it were divided by the sum already, and divide "
    "again. Divide once, after the last block."
)
def online_divided_each_time(scores, values, block_size):
    largest, total, context = -np.inf, 0.0, np.zeros(values.shape[1])
    for start in range(0, len(scores), block_size):
        block = scores[start : start + block_size]
        old, largest = largest, max(largest, block.max())
        if largest > -np.inf:
            shrink, weights = np.exp(old - largest), np.exp(block - largest)
            total = total * shrink + weights.sum()
            context = context * shrink + weights @ values[start : start + block_size]
            context = context / total
    return context


# Linear attention


def _linear_cases(rng):
    def tensors(length, dim, value_dim):
        return (
            rng.normal(size=(length, dim)),
            rng.normal(size=(length, dim)),
            rng.normal(size=(length, value_dim)),
        )

    yield (
        "two tokens, one dimension",
        (np.zeros((2, 1)), np.array([[0.0], [2.0]]), np.array([[4.0], [8.0]])),
    )
    yield "three tokens", tensors(3, 2, 1)
    yield "five tokens, wider values", tensors(5, 3, 4)
    yield "every size is four", tensors(4, 4, 4)
    yield "one token", tensors(1, 3, 2)
    query, keys, values = tensors(6, 2, 3)
    yield "queries and keys far from zero", (9 * query, 9 * keys, values)
    yield "very negative keys", (query - 5, keys - 6, values)
    yield "whole numbers", tuple(np.round(3 * array) for array in tensors(4, 3, 2))
    yield "large positive numbers", (500 + 300 * query, 500 + 300 * keys, values)
    yield "single precision", in_float32(tensors(7, 5, 2))


@exercise(
    _linear_cases,
    hints=[
        (
            "With phi(x) = x + 1 for positive x and exp(x) elsewhere, the weight of "
            "token s for query t is phi(q_t) . phi(k_s), divided by the sum of these "
            "products over s = 0 ... t. Which part of the two sums does not depend on "
            "the query?"
        ),
        (
            "Keep a state of two parts: the sum of `np.outer(phi_k, v)` so far, (dim, "
            "value_dim), and the sum of `phi_k` so far, (dim,). Add the new token "
            "first, and then read with the query."
        ),
        (
            "`np.where(x > 0, x + 1, np.exp(x))` computes exp for large x as well, and "
            "warns that it overflows: `np.exp(np.minimum(x, 0))` does not."
        ),
    ],
)
def linear_attention(query, keys, values):
    """Causal linear attention, as a recurrence with a state of fixed size.

    query: (length, dim). keys: (length, dim). values: (length, value_dim).
    The feature map is phi(x) = elu(x) + 1: x + 1 where x > 0, and exp(x) elsewhere.
    Output t is sum_s w_ts v_s / sum_s w_ts over s = 0 ... t, with the weights w_ts =
    phi(q_t) . phi(k_s), which need no scale.
    Returns floats (length, value_dim).
    """

    def phi(x):
        return np.where(x > 0, x + 1, np.exp(np.minimum(x, 0)))

    state = np.zeros((keys.shape[1], values.shape[1]))  # sum of phi(k_s) v_s
    total = np.zeros(keys.shape[1])  # sum of phi(k_s)
    outputs = []
    for q, k, v in zip(phi(query), phi(keys), values, strict=True):
        state = state + np.outer(k, v)
        total = total + k
        outputs.append(q @ state / (q @ total))
    return np.array(outputs)


def _phi(x):
    return np.where(x > 0, x + 1, np.exp(np.minimum(x, 0)))


def _wrong_linear(
    message,
    phi=_phi,
    of_query=None,
    of_keys=None,
    allowed=np.tri,
    divide=lambda sums, weights: sums / weights.sum(axis=1, keepdims=True),
):
    """Add a wrong answer, in which some of what the solution does is done otherwise."""

    @linear_attention.known_mistake(message)
    def wrong(query, keys, values):
        with np.errstate(all="ignore"):
            products = (of_query or phi)(query) @ (of_keys or phi)(keys).T
            weights = np.where(allowed(len(query)) > 0, products, 0)
            return divide(weights @ values, weights)


_wrong_linear(
    "Your attention is not causal: query t reads tokens after t, too.",
    allowed=lambda length: np.ones((length, length)),
)
_wrong_linear(
    "Query t reads the state before token t is added. Add the token first.",
    allowed=lambda length: np.tri(length, k=-1),
)
_wrong_linear(
    "Query t reads the state before token t is added. Add the token first.",
    allowed=lambda length: np.tri(length, k=-1),
    divide=lambda sums, weights: np.nan_to_num(
        sums / weights.sum(axis=1, keepdims=True)
    ),
)
_wrong_linear(
    "The state forgets: query t reads token t alone. Add each token to the state.",
    allowed=np.eye,
)
_wrong_linear(
    "You do not divide by the sum of the weights, so they do not sum to one.",
    divide=lambda sums, weights: sums,
)
_wrong_linear(
    "You divide by the number of tokens. Divide by the sum of their weights.",
    divide=lambda sums, weights: sums / np.arange(1, len(sums) + 1)[:, None],
)
_wrong_linear(
    "The feature map is missing: without it, weights can be negative.",
    phi=lambda x: x,
)
_wrong_linear(
    "The feature map of the queries is missing.",
    of_query=lambda x: x,
)
_wrong_linear(
    "The feature map of the keys is missing.",
    of_keys=lambda x: x,
)
_wrong_linear(
    "Your feature map is elu(x), without the + 1. It can be negative.",
    phi=lambda x: _phi(x) - 1,
)
_wrong_linear(
    "Your feature map is relu(x) + 1. Below zero, it should be exp(x).",
    phi=lambda x: np.maximum(x, 0) + 1,
)
_wrong_linear(
    "Your feature map is relu(x). Below zero, it should be exp(x), and above, x + 1.",
    phi=lambda x: np.maximum(x, 0),
)
_wrong_linear(
    "Your feature map is exp(x). Above zero, it should be x + 1.",
    phi=np.exp,
)
_wrong_linear(
    "The two branches of your feature map are exchanged: it is x + 1 where x > 0, and "
    "exp(x) elsewhere.",
    phi=lambda x: np.where(x > 0, np.exp(x), x + 1),
)
_wrong_linear(
    "Above zero, your feature map is x. It should be x + 1.",
    phi=lambda x: np.where(x > 0, x, np.exp(np.minimum(x, 0))),
)
_wrong_linear(
    "Below zero, your feature map is exp(x) + 1. elu(x) is exp(x) - 1 there, so elu(x) "
    "+ 1 is exp(x).",
    phi=lambda x: np.where(x > 0, x + 1, np.exp(np.minimum(x, 0)) + 1),
)


@linear_attention.known_mistake(
    "You divide by the sum of the keys' features alone. Divide by their product with "
    "the query's features, q @ total."
)
def linear_divided_without_query(query, keys, values):
    weights = np.tril(_phi(query) @ _phi(keys).T)
    return weights @ values / np.cumsum(_phi(keys).sum(axis=1))[:, None]


@linear_attention.known_mistake(
    "Your denominator adds up q . k of each token with its own query. All of its terms "
    "should have the query of the current token: q @ total, where total is the sum of "
    "the keys' features."
)
def linear_divided_by_old_queries(query, keys, values):
    weights = np.tril(_phi(query) @ _phi(keys).T)
    return weights @ values / np.cumsum(np.diag(weights))[:, None]


@linear_attention.known_mistake(
    "That is causal softmax attention. Linear attention has phi(q) . phi(k) in place "
    "of exp(q . k / sqrt(d))."
)
def linear_with_softmax(query, keys, values):
    scores = query @ keys.T / np.sqrt(query.shape[1])
    return ref.softmax(scores, np.tri(len(query)) == 1) @ values


@linear_attention.known_mistake(
    "Your weights go through a softmax after the feature map. Divide them by their sum "
    "alone."
)
def linear_softmax_of_products(query, keys, values):
    products = _phi(query) @ _phi(keys).T
    return ref.softmax(products, np.tri(len(query)) == 1) @ values


# Repair: rotary positions in a cache that forgets


VALUES_TURNED = "Turn the queries and keys alone. The values stay as they are."


def _rotation(base):
    """A function (vector, position) -> vector, which says what it should get."""

    def rotate(vector, position):
        vector = np.asarray(vector)
        if vector.ndim != 1:
            raise CheckFailed("rotate(vector, position) should get one vector, (dim,).")
        if np.ndim(position):
            raise CheckFailed("rotate(vector, position) should get one position.")
        if len(vector) % 2:
            raise CheckFailed(VALUES_TURNED)
        return _turned(vector[None], _angles(np.array([position]), len(vector), base))[
            0
        ]

    return rotate


def _rotary_stream_cases(rng):
    def case(length, dim, value_dim, window, base=100.0):
        return (
            _rotation(base),
            2 * rng.normal(size=(length, dim)),
            2 * rng.normal(size=(length, dim)),
            rng.normal(size=(length, value_dim)),
            window,
        )

    yield "four tokens, a window of two", case(4, 2, 1, 2)
    yield "a window that holds all tokens", case(3, 2, 4, 5)
    yield "a window of three", case(7, 4, 2, 3)
    yield "every size is four", case(4, 4, 4, 4)
    yield "every size is four, a window of two", case(4, 4, 4, 2)
    yield "a window of one", case(5, 2, 3, 1)
    yield "one token", case(1, 4, 2, 3)
    rotate, query, keys, values, window = case(8, 6, 5, 4, 10.0)
    yield "large scores", (rotate, 40 * query, 40 * keys, values, window)
    yield (
        "single precision",
        in_float32(case(6, 2, 3, 3)),
    )


@exercise(
    _rotary_stream_cases,
    hints=[
        (
            "Write down `position` for the first six tokens if the window is 3. Which "
            "keys have which positions then, and how far is a query from each of them?"
        ),
        (
            "The length of the cache stops growing when it is full. Count the tokens "
            "that were read, not those that are kept: `enumerate`."
        ),
    ],
)
def rotary_stream(rotate, query, keys, values, window):
    """Causal attention in a window, token by token, with rotary positions.

    rotate: function (vector, position) -> the vector (dim,) turned by its position.
    query: (length, dim). keys: (length, dim). values: (length, value_dim).
    window: int, 1 or more: token t attends to the last window tokens, t included.
    Returns contexts (length, value_dim). The score of t and s is the product of the
    query turned by t and the key turned by s, over the square root of dim. Each softmax
    is over the scores of one query.
    """
    cached_keys, cached_values, contexts = [], [], []
    for position, (q, k, v) in enumerate(zip(query, keys, values, strict=True)):
        cached_keys = [*cached_keys, rotate(k, position)][-window:]
        cached_values = [*cached_values, v][-window:]
        scores = np.array(cached_keys) @ rotate(q, position) / np.sqrt(len(q))
        contexts.append(ref.softmax(scores) @ np.array(cached_values))
    return np.array(contexts)


@rotary_stream.starter_code(
    "As long as nothing is evicted, every context is right. Once the window is full, "
    "the order of the tokens no longer counts."
)
def rotary_stream(rotate, query, keys, values, window):
    """Causal attention in a window, token by token, with rotary positions."""
    cached_keys, cached_values, contexts = [], [], []
    for q, k, v in zip(query, keys, values, strict=True):
        position = len(cached_keys)
        cached_keys = [*cached_keys, rotate(k, position)][-window:]
        cached_values = [*cached_values, v][-window:]
        scores = np.array(cached_keys) @ rotate(q, position) / np.sqrt(len(q))
        contexts.append(ref.softmax(scores) @ np.array(cached_values))
    return np.array(contexts)


def _wrong_stream(
    message,
    of_query=lambda t, window: t,
    of_keys=lambda t, s, window: s,
    seen=lambda t, window: range(max(0, t - window + 1), t + 1),
    turned_values=False,
    scale=np.sqrt,
):
    """Add a wrong answer, in which some of what the solution does is done otherwise."""

    @rotary_stream.known_mistake(message)
    def wrong(rotate, query, keys, values, window):
        contexts = []
        for t, q in enumerate(query):
            places = list(seen(t, window))
            turned = [rotate(keys[s], of_keys(t, s, window)) for s in places]
            scores = np.array(turned) @ rotate(q, of_query(t, window)) / scale(len(q))
            brought = values[places]
            if turned_values:
                brought = np.array([rotate(values[s], s) for s in places])
            contexts.append(ref.softmax(scores) @ brought)
        return np.array(contexts)


_wrong_stream(
    "The keys are right now, but the position of the query still stops at the length "
    "of the cache.",
    of_query=lambda t, window: min(t, window),
)
_wrong_stream(
    "The query is right now, but the positions of the keys still stop at the length of "
    "the cache.",
    of_keys=lambda t, s, window: min(s, window),
)
_wrong_stream(VALUES_TURNED, turned_values=True)
for _of_keys in (
    lambda t, s, window: min(s, window - 1),
    lambda t, s, window: min(s, window),
):
    _wrong_stream(
        "Your positions still stop growing when the cache is full. Count the tokens "
        "that were read.",
        of_query=lambda t, window: min(t, window - 1),
        of_keys=_of_keys,
    )
_wrong_stream(
    "The keys are turned by their places in the cache, and the query by its place in "
    "the text. Count both in the same way.",
    of_keys=lambda t, s, window: s - max(0, t - window + 1),
)
_wrong_stream(
    "The query is turned by its place in the cache, and the keys by their places in "
    "the text. Count both in the same way.",
    of_query=lambda t, window: min(t, window - 1),
)
_wrong_stream(
    "Your positions start again at 0 when the window is full, so that the distance "
    "between a query and a key is sometimes negative.",
    of_query=lambda t, window: t % window,
    of_keys=lambda t, s, window: s % window,
)
_wrong_stream(
    "The query is not turned.",
    of_query=lambda t, window: 0,
)
_wrong_stream(
    "The keys are not turned.",
    of_keys=lambda t, s, window: 0,
)
_wrong_stream(
    "All keys are turned by the position of the query, so that every distance is 0.",
    of_keys=lambda t, s, window: t,
)
_wrong_stream(
    "Nothing is evicted: every token attends to all tokens before it.",
    seen=lambda t, window: range(t + 1),
)
_wrong_stream(
    "Your window is one too long: token t attends to window tokens, t included.",
    seen=lambda t, window: range(max(0, t - window), t + 1),
)
_wrong_stream(
    "Your query stands one position too far from the keys.",
    of_query=lambda t, window: t + 1,
)
_wrong_stream(
    "The cache stops growing, but it keeps the first tokens instead of the last ones.",
    seen=lambda t, window: range(min(t + 1, window)),
)
_wrong_stream(
    "The scores are no longer divided by the square root of dim.",
    scale=lambda dim: 1,
)


# Judge: how much of the context is used?


def _used_cases(rng):
    def layers(count, length, window, sharpness=1.0):
        t, s = np.arange(length)[:, None], np.arange(length)
        allowed = (s <= t) & (t - s < window)
        scores = sharpness * rng.normal(size=(count, length, length))
        return ref.softmax(scores, np.broadcast_to(allowed, scores.shape))

    uniform = ref.softmax(np.zeros((4, 4)), np.tri(4) - np.tri(4, k=-2) == 1)
    yield "two layers, a window of two, equal weights", (np.stack([uniform] * 2), 0.9)
    yield "a share that is reached exactly", (np.stack([uniform] * 2), 0.9375)
    yield "one layer, a share that is reached exactly", (uniform[None], 0.75)
    yield "one layer", (layers(1, 5, 3), 0.8)
    yield "three layers, a window of three", (layers(3, 9, 3), 0.95)
    yield "four layers of four positions", (layers(4, 4, 2), 0.7)
    yield "two layers, a window that holds everything", (layers(2, 6, 6), 0.9)
    yield "weights on few positions", (layers(3, 12, 4, sharpness=6.0), 0.99)
    yield "half of the influence", (layers(5, 10, 3), 0.52)
    yield "one position", (np.ones((3, 1, 1)), 0.95)
    yield "four layers of a long text", (layers(4, 40, 8), 0.95)
    yield "single precision", (layers(2, 8, 3).astype("float32"), 0.93)
    apart = np.stack([layers(1, 7, 2)[0], layers(1, 7, 5, sharpness=2.0)[0]])
    yield "layers with different windows", (apart, 0.9)


@exercise(
    _used_cases,
    hints=[
        (
            "Start above the last layer: the output of the last position consists of "
            "the last position alone, a row of zeros with a 1 at its end. Each layer "
            "below spreads that row: half of it stays, and half goes where the weights "
            "point."
        ),
        (
            "For a row vector `influence`, one layer down is `(influence + influence @ "
            "layer) / 2`, from the last layer to the first. Then read the row from its "
            "end: `np.cumsum(influence[::-1])`."
        ),
    ],
    returns=("reach", "used"),
)
def effective_context(weights, share):
    """How far back the last output can see, and how much of that it uses.

    weights: (layers, length, length), the attention weights of each layer, the first
    one first; rows are queries, and each row sums to one.
    share: float between 0 and 1.
    Each layer adds what attention brings to what was there. Count both halves alike:
    the influence of the inputs on the outputs is the product of the matrices (I + W) /
    2 of all layers, and we ask for the last row of it.
    Returns reach, the number of positions from the earliest one with any influence to
    the last one, and used, the smallest number of positions, counted from the last one
    backwards, whose influence sums to share or more. Both are ints.
    """
    influence = np.eye(weights.shape[1])[-1]  # of each position on the last output
    for layer in weights[::-1]:
        influence = (influence + influence @ layer) / 2
    backwards = influence[::-1]
    reach = np.flatnonzero(backwards)[-1] + 1
    used = np.flatnonzero(np.cumsum(backwards) >= share)[0] + 1
    return int(reach), int(used)


def _wrong_context(message, **changes):
    """Add a wrong answer, in which some of what the solution does is done otherwise."""
    part = types.SimpleNamespace(
        **{
            "layers": lambda weights: weights[::-1],
            "down": lambda influence, layer: (influence + influence @ layer) / 2,
            "reach": lambda backwards: np.flatnonzero(backwards)[-1] + 1,
            "used": lambda backwards, share: (
                np.flatnonzero(np.cumsum(backwards) >= share)[0] + 1
            ),
            "start": lambda length: np.eye(length)[-1],
            "result": lambda reach, used: (reach, used),
            **changes,
        }
    )

    @effective_context.known_mistake(message)
    def wrong(weights, share):
        influence = part.start(weights.shape[1])
        for layer in part.layers(weights):
            influence = part.down(influence, layer)
        backwards = influence[::-1]
        return part.result(int(part.reach(backwards)), int(part.used(backwards, share)))


_wrong_context(
    "You leave the residual path out: half of the influence stays where it is in each "
    "layer.",
    down=lambda influence, layer: influence @ layer,
)
_wrong_context(
    "You do not halve the sum: (I + W) / 2, so that the influences sum to one.",
    down=lambda influence, layer: influence + influence @ layer,
)
_wrong_context(
    "Your `used` goes on where the share is reached exactly. Reaching it is enough.",
    used=lambda backwards, share: (
        np.append(np.cumsum(backwards) > share, True).argmax() + 1
    ),
)
_wrong_context(
    "You go through the layers from the first to the last. The last output comes out "
    "of the last layer, so begin there and go down.",
    layers=lambda weights: weights,
)
_wrong_context(
    "You multiply from the wrong side: the influence is a row, and it goes from the "
    "queries to the keys, influence @ layer.",
    down=lambda influence, layer: (influence + layer @ influence) / 2,
)
_wrong_context(
    "You look at the last layer alone.",
    layers=lambda weights: weights[-1:],
)
_wrong_context(
    "You look at the first layer alone.",
    layers=lambda weights: weights[:1],
)
_wrong_context(
    "Your `used` leaves out the position with which the share is reached.",
    used=lambda backwards, share: np.flatnonzero(np.cumsum(backwards) >= share)[0],
)
_wrong_context(
    "Your `reach` is the distance of the earliest position. Count the positions, the "
    "last one included.",
    reach=lambda backwards: np.flatnonzero(backwards)[-1],
)
_wrong_context(
    "You count the influence from the first position on. Count from the last one "
    "backwards.",
    used=lambda backwards, share: (
        np.flatnonzero(np.cumsum(backwards[::-1]) >= share)[0] + 1
    ),
)
_wrong_context(
    "You sort the positions by their influence. Count them in their order, from the "
    "last one backwards.",
    used=lambda backwards, share: (
        np.flatnonzero(np.cumsum(np.sort(backwards)[::-1]) >= share)[0] + 1
    ),
)
_wrong_context(
    "You return `used` first. Return reach, and then used.",
    result=lambda reach, used: (used, reach),
)
_wrong_context(
    "You ask what reaches the mean of all outputs. Ask for the last output alone.",
    start=lambda length: np.full(length, 1 / length),
)


def _influences(weights):
    """The influence of each input (columns) on each output (rows)."""
    product = np.eye(weights.shape[1])
    for layer in weights:
        product = (product + layer @ product) / 2
    return product


def _reach_and_used(influence, share):
    backwards = influence[::-1]
    used = np.argmax(np.cumsum(backwards) >= share) + 1
    return int(np.flatnonzero(backwards)[-1] + 1), int(used)


@effective_context.known_mistake(
    "You read the last column of the product, which is the influence of the last input "
    "on each output. The last row is the influence of each input on the last output."
)
def context_of_the_last_column(weights, share):
    return _reach_and_used(_influences(weights)[:, -1], share)


@effective_context.known_mistake(
    "You multiply the weights of all layers and add I once, at the end. Each layer has "
    "a residual path of its own: multiply the matrices (I + W) / 2."
)
def context_with_one_residual(weights, share):
    product = np.eye(weights.shape[1])
    for layer in weights:
        product = layer @ product
    return _reach_and_used((product[-1] + np.eye(len(product))[-1]) / 2, share)


@effective_context.known_mistake(
    "You average the layers. One layer reads the result of the other, so multiply "
    "their matrices."
)
def context_of_the_mean_layer(weights, share):
    return _reach_and_used(_influences(weights.mean(axis=0)[None])[-1], share)


for _window, _is_cut in itertools.product(
    (
        lambda weights: (weights > 0).sum(axis=-1).max(),
        lambda weights: (weights[0] > 0).sum(axis=-1).max(),
        lambda weights: (weights[-1, -1] > 0).sum(),
    ),
    (True, False),
):

    @effective_context.known_mistake(
        "Your `reach` is the number of layers times the window. In each layer, the "
        "window adds one position less than it holds, because it includes the position "
        "itself."
    )
    def context_layers_times_window(weights, share, window=_window, is_cut=_is_cut):
        _, used = effective_context.reference_solution(weights, share)
        reach = len(weights) * int(window(weights))
        return min(reach, weights.shape[1]) if is_cut else reach, used


# A stream with a cache that stays small


def _stream_cases(rng):
    def case(heads, length, head_dim, window, *sinks):
        tensors = (rng.normal(size=(heads, length, head_dim)) for _ in range(3))
        return *tensors, window, *sinks

    yield "one head, four tokens, a window of two", case(1, 4, 2, 2)
    yield "two heads, six tokens, a window of two, one sink", case(2, 6, 3, 2, 1)
    yield "a window of three and two sinks", case(2, 9, 4, 3, 2)
    yield "a window that holds everything", case(3, 4, 2, 6, 0)
    yield "a window of one", case(2, 5, 3, 1)
    yield "a window of one and one sink", case(2, 5, 3, 1, 1)
    yield "more sinks than tokens", case(2, 3, 1, 1, 4)
    yield "every size is three", case(3, 3, 3, 3, 3)
    yield "every size is four, a window of two", case(4, 4, 4, 2, 1)
    yield "one token", case(2, 1, 4, 3, 2)
    yield "single precision", in_float32(case(2, 7, 2, 3, 1))
    query, keys, values, *sizes = case(1, 5, 4, 2, 1)
    yield "whole numbers", (*np.round(3 * np.stack([query, keys, values])), *sizes)


@exercise(
    _stream_cases,
    extract=_context_and_cache,
    hints=[
        (
            "`kv_cache_step` reads one token and returns a cache that is one position "
            "longer. After it, take from the cache what the next token may not attend "
            "to. How many positions may be left, so that with the next token it is "
            "`sinks` and `window`?"
        ),
        (
            "The cache keeps the first `sinks` positions and the last `window - 1`. As "
            "long as it holds no more than that, nothing goes. Be careful with a "
            "window of 1: `keys[:, -0:]` is everything."
        ),
    ],
    returns=("context", "keys", "values"),
)
def stream_attention(query, keys, values, window, sinks=0):
    """Causal attention, one token after the other, with a cache of bounded size.

    query, keys, values: (heads, length, head_dim). window: int, 1 or more; sinks: int.
    Token t attends to the last window tokens up to and including itself, and to the
    first sinks tokens.
    Returns context (heads, length, head_dim), and the cache that is left for the next
    token: a pair of arrays (heads, kept, head_dim), keys and values of the first sinks
    tokens and of the last window - 1, in their order.
    """
    kept, contexts = [], []  # kept: the positions in the cache
    for t in range(query.shape[1]):
        seen = [*kept, t]
        context, _ = ref.scaled_dot_product_attention(
            query[:, t : t + 1], keys[:, seen], values[:, seen]
        )
        contexts.append(context)  # (heads, 1, head_dim)
        kept = [s for s in seen if s < sinks or s > t + 1 - window]
    return np.concatenate(contexts, axis=1), (keys[:, kept], values[:, kept])


def _wrong_bounded(
    message,
    keeps=lambda s, t, window, sinks: s < sinks or s > t + 1 - window,
    left=lambda seen, kept: kept,
    in_order=lambda kept: kept,
):
    """Add a wrong answer, in which some of what the solution does is done otherwise."""

    @stream_attention.known_mistake(message)
    def wrong(query, keys, values, window, sinks=0):
        kept, contexts, length = [], [], query.shape[1]
        for t in range(length):
            seen = [*kept, t]
            context, _ = ref.scaled_dot_product_attention(
                query[:, t : t + 1], keys[:, seen], values[:, seen]
            )
            contexts.append(context)
            kept = [s for s in seen if keeps(s, t, window, sinks)]
        kept = in_order(left(seen, kept))
        return np.concatenate(contexts, axis=1), (keys[:, kept], values[:, kept])


_wrong_bounded(
    "You keep one position too many: with the next token, the window is one too long. "
    "Keep the last window - 1.",
    keeps=lambda s, t, window, sinks: s < sinks or s > t - window,
)
_wrong_bounded(
    "You keep one position too few: with the next token, the window is one too short. "
    "Keep the last window - 1.",
    keeps=lambda s, t, window, sinks: s < sinks or s > t + 2 - window,
)
_wrong_bounded(
    "Nothing leaves your cache. After each token, keep the sinks and the last window - "
    "1 positions alone.",
    keeps=lambda s, t, window, sinks: True,
)
OF_ONE = (
    "With a window of 1, your cache keeps everything, because keys[:, -0:] is the "
    "whole array. It should keep the sinks alone."
)
_wrong_bounded(
    OF_ONE,
    keeps=lambda s, t, window, sinks: window == 1 or s < sinks or s > t + 1 - window,
)
_wrong_bounded(
    "Your sinks leave the cache like any other token. The first `sinks` positions "
    "stay.",
    keeps=lambda s, t, window, sinks: s > t + 1 - window,
)
_wrong_bounded(
    "Only the sinks stay in your cache. The last window - 1 positions stay, too.",
    keeps=lambda s, t, window, sinks: s < sinks,
)
_wrong_bounded(
    "You keep one sink too many.",
    keeps=lambda s, t, window, sinks: s <= sinks or s > t + 1 - window,
)
_wrong_bounded(
    "The contexts are right, but the cache that you return still holds the token that "
    "has to leave after the last step.",
    left=lambda seen, kept: seen,
)
_wrong_bounded(
    "Your cache holds the recent tokens first. Keep the tokens in their order, sinks "
    "first.",
    in_order=lambda kept: kept[::-1],
)
_wrong_bounded(
    "The sinks take room from your window. The cache holds them in addition to the "
    "last window - 1 positions.",
    keeps=lambda s, t, window, sinks: s < sinks or s > t + 1 - window + sinks,
)


@stream_attention.known_mistake(
    "Where sinks and window overlap, your cache holds tokens twice. Take each position "
    "once."
)
def stream_with_tokens_twice(query, keys, values, window, sinks=0):
    kept, contexts = [], []
    for t in range(query.shape[1]):
        seen = [*kept, t]
        context, _ = ref.scaled_dot_product_attention(
            query[:, t : t + 1], keys[:, seen], values[:, seen]
        )
        contexts.append(context)
        recent = seen[-(window - 1) :] if window > 1 else []
        kept = seen[:sinks] + recent
    return np.concatenate(contexts, axis=1), (keys[:, kept], values[:, kept])


for _whole in (False, True):

    @stream_attention.known_mistake(OF_ONE)
    def stream_with_all_from_the_end(
        query, keys, values, window, sinks=0, whole=_whole
    ):
        kept, contexts = [], []
        for t in range(query.shape[1]):
            seen = [*kept, t]
            context, _ = ref.scaled_dot_product_attention(
                query[:, t : t + 1], keys[:, seen], values[:, seen]
            )
            contexts.append(context)
            kept = seen
            if len(seen) > sinks + window - 1:
                kept = seen[sinks if whole else 0 :][-(window - 1) :]
                kept = seen[:sinks] + kept
        return np.concatenate(contexts, axis=1), (keys[:, kept], values[:, kept])


@stream_attention.known_mistake(
    "You drop the oldest token of the cache. The sinks are the oldest ones, and they "
    "stay: drop the one behind them."
)
def stream_without_the_oldest(query, keys, values, window, sinks=0):
    size = sinks + window - 1
    context, _ = stream_attention.reference_solution(query, keys, values, size + 1)
    first = max(0, query.shape[1] - size)
    return context, (keys[:, first:], values[:, first:])


@stream_attention.known_mistake(
    "Your context is (length, heads, head_dim). np.array puts the tokens first: "
    "np.stack(contexts, axis=1) puts them behind the heads."
)
def stream_of_tokens_first(query, keys, values, window, sinks=0):
    context, cache = stream_attention.reference_solution(
        query, keys, values, window, sinks
    )
    return context.swapaxes(0, 1), cache


@stream_attention.known_mistake(
    "The cache that you return holds all tokens, though the contexts are right."
)
def stream_with_all_tokens(query, keys, values, window, sinks=0):
    context, _ = stream_attention.reference_solution(query, keys, values, window, sinks)
    return context, (keys.copy(), values.copy())


# Three functions at work together


def own_parts(namespace):
    """Your functions for the stream, as far as they pass their checks, and ours.

    It prints for each of them whose function it is.

    Parameters
    ----------
    namespace : dict
        The variables of the notebook: ``globals()``.

    Returns
    -------
    dict of str to function
        Of ``stream_attention``, ``sliding_window_mask``, and
        ``grouped_query_attention``: yours if it passes its check, else the solution.
    """
    exercises = stream_attention, sliding_window_mask, grouped_query_attention
    solutions = {each.name: each.reference_solution for each in exercises}
    return solutions | passing_parts(namespace, exercises)
