"""Exercises of chapter 07, "Self-attention and multi-head attention"."""

import functools

import numpy as np

from attnlib import reference as ref
from attnlib.checking.exercise import exercise
from attnlib.checking.sandbox import CheckFailed
from attnlib.exercises._demands import extreme_scores, five_masks, in_float32
from attnlib.exercises._mistakes import (
    ADDED,
    SMALL_CONSTANT,
    SMALL_NUMBERS,
    WITHOUT_EXP,
    WRONG_PRODUCTS,
    add_mask_from_the_front,
    add_softmax_mistake,
    add_softmax_mistakes,
    faulty,
)

FAR_BELOW = -20_000.0  # scores of real words, further down than constants for padding

# Title, the scores of real words, and what the keys hold at padding.
FAR_SCORES = [
    ("scores near -20,000, and lower ones at padding", FAR_BELOW, 1.0),
    ("small scores, and ones of about a million at padding", 1.0, 1e5),
    ("scores near -20,000, and far above them at padding", FAR_BELOW, -1e10),
]


def _masks_of_queries(source_len):
    """A mask for each of six queries: all words, and the five masks of the course."""
    return np.vstack([np.ones(source_len, bool), five_masks(source_len)])


def _causal_masks():
    """Four causal masks (4, 4), of sentences with padding: some rows are empty."""
    return np.tril(np.ones((4, 4, 4), bool)) & five_masks(4)[:4, None, :]


def _scaled_cases(rng):
    def tensors(batch, target_len, source_len, dim, value_dim):
        return (
            rng.normal(size=(batch, target_len, dim)),
            rng.normal(size=(batch, source_len, dim)),
            rng.normal(size=(batch, source_len, value_dim)),
        )

    query = np.array([[[1.0, 1.0, 0.0, 0.0]]])
    keys = np.array([[[2.0, 0, 0, 0], [0, 0, 2.0, 0], [0, 1.0, 0, 1.0]]])
    yield (
        "one query of dimension 4, three keys, the last one masked",
        (query, keys, np.eye(3)[None], np.array([[True, True, False]])),
    )
    yield (
        "four sentences of four words, queries, and dimensions; a mask per sentence",
        (*tensors(4, 4, 4, 4, 4), five_masks(4)[:4]),
    )
    yield from _extreme_scaled_cases(rng)
    yield (
        "four sentences of four words and queries; a mask per query, some with nothing "
        "to attend to",
        (*tensors(4, 4, 4, 4, 4), _causal_masks()),
    )
    yield (
        "five sentences, one of them without words",
        (*tensors(5, 5, 6, 3, 4), five_masks(6)),
    )
    masks = _masks_of_queries(5)
    yield (
        "six queries, each with a mask of its own",
        (*tensors(2, 6, 5, 3, 4), np.stack([masks, masks[::-1]])),
    )
    yield from _whole_scaled_cases()
    yield (
        "sentences of one word or none, in single precision",
        (
            *(array.astype("float32") for array in tensors(3, 3, 1, 1, 1)),
            np.array([[True], [False], [True]]),
        ),
    )


def _whole_scaled_cases():
    query = np.array([[[2.0, 0.0], [1.0, 1.0]]])
    keys = np.array([[[1.0, 0.0], [0.0, 1.0], [2.0, 2.0]]])
    values = np.array([[[0.0, 1.0], [5.0, 0.0], [-3.0, 2.0]]])
    yield (
        "whole numbers",
        (query, keys, values, np.array([[[True, False, False], [True, True, False]]])),
    )


def _extreme_scaled_cases(rng):
    """Keys of dimension 4 that are unit vectors, so that a score is half of a number of
    the query.
    """
    keys, steps = np.eye(4)[None], np.arange(4.0)
    yield (
        "scores near 1000, near -1000, and from -3000 to 3000",
        (
            2 * extreme_scores(4)[None],
            keys,
            rng.normal(size=(1, 4, 2)),
            steps[None] < 4,
        ),
    )
    mask = five_masks(4)[[1, 2]]
    for title, score, at_padding in FAR_SCORES:
        query = 2 * np.stack([[score - steps, score + steps]] * 2)
        keys = np.where(mask[:, :, None], np.eye(4), at_padding)
        yield title, (query, keys, rng.normal(size=(2, 4, 3)), mask)


@exercise(
    _scaled_cases,
    batch=("query", "keys", "values", "mask"),
    hints=[
        (
            "It is the dot score of chapter 05, divided by one number, "
            "then a softmax over the words that the mask allows, then a product."
        ),
        "The number is the square root of the dimension of the keys.",
        (
            "`ref.softmax(scores, mask)` takes a mask that broadcasts to the scores, "
            "(batch, target_len, source_len). Which axis does a mask of shape "
            "(batch, source_len) lack?"
        ),
    ],
    returns=("context", "weights"),
)
def scaled_dot_product_attention(query, keys, values, mask):
    """softmax(Q K^T / sqrt(d)) V, where d is the dimension of query and keys.

    query: (batch, target_len, dim). keys: (batch, source_len, dim).
    values: (batch, source_len, value_dim).
    mask: True = may be attended to, (batch, source_len), the same for every query, or
    (batch, target_len, source_len), where each query has its own.
    Returns context (batch, target_len, value_dim) and weights
    (batch, target_len, source_len). A query with nothing to attend to gets zero weights
    and a zero context. Scores of 1000 must not overflow. Keys and values at padding are
    finite numbers, small or large; they have no effect.
    """
    if mask.ndim == 2:
        mask = mask[:, None, :]  # (batch, 1, source_len)
    scores = query @ keys.transpose(0, 2, 1) / np.sqrt(keys.shape[-1])
    weights = ref.softmax(scores, mask)  # (batch, target_len, source_len)
    return weights @ values, weights


def _scaled_by(query, keys, values, mask, factor):
    """The solution, with the scores multiplied once more by ``factor``."""
    return scaled_dot_product_attention.reference_solution(
        query * factor, keys, values, mask
    )


@scaled_dot_product_attention.known_mistake(
    "The scores are not divided by sqrt(d): that is Luong's dot attention."
)
def scaled_forgotten(query, keys, values, mask):
    return _scaled_by(query, keys, values, mask, np.sqrt(keys.shape[-1]))


@scaled_dot_product_attention.known_mistake(
    "You divide by d. The standard deviation of the scores grows with its square root."
)
def scaled_by_width(query, keys, values, mask):
    return _scaled_by(query, keys, values, mask, 1 / np.sqrt(keys.shape[-1]))


@scaled_dot_product_attention.known_mistake(
    "You divide by the square root of the source length. "
    "Use the dimension of the keys instead."
)
def scaled_by_length(query, keys, values, mask):
    factor = np.sqrt(keys.shape[-1] / keys.shape[1])
    return _scaled_by(query, keys, values, mask, factor)


@scaled_dot_product_attention.known_mistake(
    "You divide by the square root of target_len. "
    "Use the dimension of the keys instead."
)
def scaled_by_queries(query, keys, values, mask):
    factor = np.sqrt(keys.shape[-1] / query.shape[1])
    return _scaled_by(query, keys, values, mask, factor)


@scaled_dot_product_attention.known_mistake(
    "You divide by the square root of the values' dimension. "
    "d is the dimension of query and keys."
)
def scaled_by_value_width(query, keys, values, mask):
    factor = np.sqrt(keys.shape[-1] / values.shape[-1])
    return _scaled_by(query, keys, values, mask, factor)


@scaled_dot_product_attention.known_mistake(
    "You multiply by sqrt(d). Divide instead: large scores saturate the softmax."
)
def scaled_upwards(query, keys, values, mask):
    return _scaled_by(query, keys, values, mask, keys.shape[-1])


@scaled_dot_product_attention.known_mistake(
    "You divide after the softmax, so the weights no longer sum to one."
)
def scaled_afterwards(query, keys, values, mask):
    context, weights = scaled_forgotten(query, keys, values, mask)
    root = np.sqrt(keys.shape[-1])
    return context / root, weights / root


MASK_OF_THE_QUERIES = (
    "Your mask lines up with the wrong axis. If it is (batch, source_len), give it an "
    "axis of size 1 for the queries."
)


@scaled_dot_product_attention.known_mistake(MASK_OF_THE_QUERIES)
def scaled_mask_against_queries(query, keys, values, mask):
    shape = (*query.shape[:2], keys.shape[1])
    return scaled_dot_product_attention.reference_solution(
        query, keys, values, np.broadcast_to(mask, shape)
    )


@scaled_dot_product_attention.known_mistake(
    "You return the weights first. The context comes first."
)
def scaled_swapped(query, keys, values, mask):
    return scaled_dot_product_attention.reference_solution(query, keys, values, mask)[
        ::-1
    ]


@scaled_dot_product_attention.known_mistake(MASK_OF_THE_QUERIES)
def scaled_mask_of_the_rows(query, keys, values, mask):
    scores = query @ keys.transpose(0, 2, 1) / np.sqrt(keys.shape[-1])
    weights = ref.softmax(scores, mask[:, :, None] if mask.ndim == 2 else mask)
    return weights @ values, weights


for _message, _product in WRONG_PRODUCTS:

    @scaled_dot_product_attention.known_mistake(_message)
    def scaled_of_another_product(query, keys, values, mask, product=_product):
        if mask.ndim == 2:
            mask = mask[:, None, :]  # (batch, 1, source_len)
        scores = product(query, keys) / np.sqrt(keys.shape[-1])
        weights = ref.softmax(scores, mask)
        return weights @ values, weights


AXIS_FOR_EVERY_MASK = (
    "You give every mask an axis of size 1 for the queries. A mask of shape (batch, "
    "target_len, source_len) has that axis already: look at mask.ndim."
)
for _softmax in (ref.softmax, faulty("ignored", nothing="nan")):

    @scaled_dot_product_attention.known_mistake(AXIS_FOR_EVERY_MASK)
    def scaled_chosen_with_an_axis_more(query, keys, values, mask, softmax=_softmax):
        scores = query @ keys.transpose(0, 2, 1) / np.sqrt(keys.shape[-1])
        weights = softmax(np.where(mask[:, None], scores, -np.inf))
        return weights @ values, weights


@scaled_dot_product_attention.known_mistake(AXIS_FOR_EVERY_MASK)
def scaled_mask_with_an_axis_more(query, keys, values, mask):
    scores = query @ keys.transpose(0, 2, 1) / np.sqrt(keys.shape[-1])
    weights = ref.softmax(scores, mask[:, None])
    return weights @ values, weights


def _transposed(mask, target_len):
    return mask if mask.ndim == 2 else mask.swapaxes(1, 2)


def _for_queries_too(mask, target_len):
    if mask.ndim == 3 or mask.shape[1] != target_len:
        return mask
    return mask[:, None, :] & mask[:, :, None]


def _of_all_queries(choose):
    """The same mask for every query, made from theirs."""
    return lambda mask, target_len: mask if mask.ndim == 2 else choose(mask)


ONE_FOR_ALL_QUERIES = (
    "You use one mask for all queries of a sentence. Where it is (batch, target_len, "
    "source_len), each query has its own."
)
WRONG_MASKS = [  # message, function (mask, target_len)
    (
        "You transpose a mask of shape (batch, target_len, source_len). "
        "Its rows are the queries already.",
        _transposed,
    ),
    (
        "You mask the queries as well. A mask (batch, source_len) says which keys may "
        "be attended; the queries are other positions, and none of them is left out.",
        _for_queries_too,
    ),
    (ONE_FOR_ALL_QUERIES, _of_all_queries(lambda mask: mask[:, 0])),
    (ONE_FOR_ALL_QUERIES, _of_all_queries(lambda mask: mask[:, -1])),
    (ONE_FOR_ALL_QUERIES, _of_all_queries(lambda mask: mask.any(axis=1))),
    (ONE_FOR_ALL_QUERIES, _of_all_queries(lambda mask: mask.all(axis=1))),
]


def _zero_at_padding(softmax):
    """The same softmax, with zeros at padding afterwards."""

    def zeroed(scores, mask=None):
        return softmax(scores, mask) * (True if mask is None else mask)

    return zeroed


def _zero_for_nothing(softmax):
    """The same softmax, with zeros afterwards in rows with nothing to attend to."""

    def zeroed(scores, mask=None):
        return softmax(scores, mask) * np.any(mask, axis=-1, keepdims=True)

    return zeroed


def _add_mask_mistakes(exercise):
    """Wrong masks, and constants at padding whose weights are set to zero afterwards,
    for an exercise with query and mask.
    """
    for message, wrong in WRONG_MASKS:

        @exercise.known_mistake(message)
        def with_another_mask(query, *others, wrong=wrong):
            *others, mask = others
            mask = wrong(mask, query.shape[1])
            return exercise.reference_solution(query, *others, mask)

    add_mask_from_the_front(exercise)
    constants = [(ADDED, faulty("added", fill=-1e9))]
    constants += [(SMALL_CONSTANT, faulty(fill=fill)) for fill in SMALL_NUMBERS]
    for message, softmax in constants:
        for zeroed_where in (_zero_at_padding, _zero_for_nothing):
            add_softmax_mistake(exercise, message, zeroed_where(softmax))


_add_mask_mistakes(scaled_dot_product_attention)
add_softmax_mistakes(
    scaled_dot_product_attention,
    infinite=False,
    other_axes=[
        (-2, "Your weights sum to one over the queries, not over the source."),
        ((-2, -1), "The weights of all queries of a sentence sum to one together."),
    ],
)

ADDED_TO_SCORES = (
    "Return booleans, not numbers to be added to the scores: True where t may attend "
    "to s."
)


def _causal_cases(rng):
    yield "one sentence of three words", (np.array([[True, True, True]]),)
    yield "two words and one padded position", (np.array([[True, True, False]]),)
    yield "sentences of 1, 5, and 3 words", (np.arange(5) < np.array([[1], [5], [3]]),)
    yield (
        "padding behind, in front, and between; one word; no words",
        (five_masks(6),),
    )
    yield "as many sentences as words", (five_masks(5)[[1, 0, 2, 3, 1]],)
    yield "one word", (np.array([[True]]),)
    yield "twelve positions", (rng.random((2, 12)) < 0.7,)


def _rows_of_words(result, mask):
    """The rows of real words, with zeros in the others, which may hold anything."""
    shape = (*mask.shape, mask.shape[1])
    if not isinstance(result, np.ndarray) or result.shape != shape:
        return result
    if result.dtype.kind == "f" and (result <= 0).all() and (result < -1).any():
        raise CheckFailed(ADDED_TO_SCORES)
    return np.where(mask[:, :, None], result, np.zeros((), result.dtype))


@exercise(
    _causal_cases,
    extract=_rows_of_words,
    batch=("mask",),
    hints=[
        (
            "`np.tril(np.ones((3, 3), bool))` is True on the diagonal and below it. "
            "Which axis is the query's?"
        ),
        (
            "Two things must hold: s is not later than t, and s is a real word. `&` "
            "combines them if the mask has an axis of size 1 for the queries."
        ),
    ],
)
def causal_mask(mask):
    """What each word may attend to: itself and the words before it, but no padding.

    mask: (batch, length), True at real words; padding may stand anywhere.
    Returns booleans (batch, length, length): [b, t, s] is True where t may attend to s.
    Rows of padded positions are not used, so they may hold anything.
    """
    length = mask.shape[1]
    earlier = np.tril(np.ones((length, length), bool))  # (length, length), s <= t
    return earlier & mask[:, None, :]  # (batch, length, length)


def _pairs(mask, diagonal=0):
    """Booleans (length, length), True where s <= t + diagonal."""
    return np.tril(np.ones((mask.shape[1],) * 2, bool), diagonal)


@causal_mask.known_mistake(
    "Your words attend to later words. "
    "Rows are the queries, and s <= t is below the diagonal."
)
def causal_upper(mask):
    return _pairs(mask).T & mask[:, None, :]


@causal_mask.known_mistake(
    "Your result is transposed: the rows should be the queries, the columns the keys."
)
def causal_transposed(mask):
    return causal_mask.reference_solution(mask).swapaxes(1, 2)


@causal_mask.known_mistake(
    "Your words do not attend to themselves. "
    "Then the first word has nothing to attend to."
)
def causal_without_diagonal(mask):
    return _pairs(mask, -1) & mask[:, None, :]


@causal_mask.known_mistake(
    "Your words see one word ahead: the word that they should predict."
)
def causal_one_ahead(mask):
    return _pairs(mask, 1) & mask[:, None, :]


@causal_mask.known_mistake(
    "Words may attend to padding. The mask has to apply to the keys, the last axis."
)
def causal_padding_seen(mask):
    return _pairs(mask) & np.ones_like(mask)[:, None, :]


@causal_mask.known_mistake(
    "Words may attend to padding. The mask has to apply to the keys, the last axis."
)
def causal_query_masked(mask):
    return _pairs(mask) & mask[:, :, None]


@causal_mask.known_mistake(
    "Your mask is not causal: every word may attend to every real word, as in BERT."
)
def causal_not_causal(mask):
    return np.ones((mask.shape[1],) * 2, bool) & mask[:, None, :]


@causal_mask.known_mistake(
    "Either condition is enough for you, but both must hold: s is not later than t, "
    "and s is a real word."
)
def causal_either(mask):
    return _pairs(mask) | mask[:, None, :]


@causal_mask.known_mistake(
    "You count the real words and let as many positions from the front be attended. "
    "Padding may stand anywhere, so use the mask itself."
)
def causal_by_length(mask):
    first = np.arange(mask.shape[1]) < mask.sum(axis=1, keepdims=True)
    return _pairs(mask) & first[:, None, :]


@causal_mask.known_mistake(
    "You count the real words and let as many positions from the front be attended. "
    "Padding may stand anywhere, so use the mask itself."
)
def causal_block_by_length(mask):
    first = np.arange(mask.shape[1]) < mask.sum(axis=1, keepdims=True)
    return _pairs(mask) & first[:, None, :] & first[:, :, None]


@causal_mask.known_mistake(
    "You stop at the first padding of a sentence, but words may follow it: use the "
    "mask itself."
)
def causal_up_to_padding(mask):
    return _pairs(mask) & np.logical_and.accumulate(mask, axis=1)[:, None, :]


@causal_mask.known_mistake(
    "Your words may attend to padding and to nothing else. mask is True at the words."
)
def causal_of_padding(mask):
    return _pairs(mask) & ~mask[:, None, :]


@causal_mask.known_mistake("Your mask is inverted: True means that t may attend to s.")
def causal_inverted(mask):
    return ~causal_mask.reference_solution(mask)


@causal_mask.known_mistake(ADDED_TO_SCORES)
def causal_added(mask):
    return np.where(causal_mask.reference_solution(mask), 0.0, -np.inf)


@causal_mask.known_mistake(ADDED_TO_SCORES)
def causal_subtracted(mask):
    return -1e9 * ~causal_mask.reference_solution(mask)


def _head_arguments(rng, batch, target_len, source_len, dim, heads, key_dim, mask):
    return (
        rng.normal(size=(batch, target_len, dim)),
        rng.normal(size=(batch, source_len, dim)),
        *(rng.normal(size=(dim, heads, key_dim)) / np.sqrt(dim) for _ in range(3)),
        rng.normal(size=(heads, key_dim, dim)) / np.sqrt(heads * key_dim),
        mask,
    )


def _head_cases(rng):
    arguments = functools.partial(_head_arguments, rng)
    yield (
        "one query, two words, two heads of dimension 1",
        arguments(1, 1, 2, 2, 2, 1, np.array([[True, True]])),
    )
    yield (
        "every size is four; a mask per sentence",
        arguments(4, 4, 4, 4, 4, 4, five_masks(4)[:4]),
    )
    yield from _extreme_head_cases(rng)
    yield (
        "every size is four; a mask per query, some with nothing to attend to",
        arguments(4, 4, 4, 4, 4, 4, _causal_masks()),
    )
    yield (
        "five sentences, one of them without words",
        arguments(5, 5, 7, 6, 5, 2, five_masks(7)),
    )
    masks = _masks_of_queries(5)
    yield (
        "six queries, each with a mask of its own, three heads",
        arguments(3, 6, 5, 7, 3, 4, np.stack([masks, masks[::-1], masks])),
    )
    yield "one sentence, all sizes different", arguments(1, 6, 5, 7, 3, 4, masks[None])
    numbers = (
        rng.integers(-2, 3, shape).astype(float)
        for shape in ((1, 2, 4), (1, 3, 4), *[(4, 1, 3)] * 3, (1, 3, 4))
    )
    yield "one head, whole numbers", (*numbers, np.array([[True, False, True]]))
    *arrays, mask = arguments(2, 2, 1, 3, 2, 1, np.array([[True], [False]]))
    yield (
        "sentences of one word or none, in single precision",
        (*(array.astype("float32") for array in arrays), mask),
    )


def _extreme_head_cases(rng):
    """Two heads of dimension 4, one for the words in order and one for the words in
    reverse, so that a score is half of a number of the query.
    """
    w_query = np.stack([np.eye(4), np.eye(4)[::-1]], axis=1)  # (dim, heads, key_dim)
    w_keys = np.stack([np.eye(4)] * 2, axis=1)
    w_values, w_output = rng.normal(size=(4, 2, 4)), rng.normal(size=(2, 4, 4))
    matrices = w_query, w_keys, w_values, w_output
    yield (
        "scores near 1000, near -1000, and from -3000 to 3000",
        (2 * extreme_scores(4)[None], np.eye(4)[None], *matrices, np.ones((1, 4)) == 1),
    )
    mask, steps = five_masks(4)[[1, 2]], np.arange(4)
    for title, score, at_padding in FAR_SCORES:
        query = 2 * np.stack([[score - steps, score + steps]] * 2)
        values = np.where(mask[:, :, None], np.eye(4), at_padding)
        yield title, (query, values, *matrices, mask)


@exercise(
    _head_cases,
    batch=("query", "values", "mask"),
    hints=[
        (
            "Project all heads at once: (batch, target_len, dim) times "
            "(dim, heads, key_dim). `np.einsum` does that, and it can also move the "
            "heads in front of the positions."
        ),
        (
            "`@` multiplies the last two axes and leaves the axes before them as they "
            "are. So with queries (batch, heads, target_len, key_dim) the scores of "
            "all heads are one product, (batch, heads, target_len, source_len)."
        ),
        (
            "The mask needs an axis of size 1 for the heads, and one for the queries "
            "if it has none. A last `np.einsum` multiplies each head by its own part "
            "of w_output and adds the heads up."
        ),
    ],
)
def multi_head_attention(query, values, w_query, w_keys, w_values, w_output, mask):
    """sum_h softmax(Q_h K_h^T / sqrt(key_dim)) V_h w_output[h], for all heads at once.

    query: (batch, target_len, dim). values: (batch, source_len, dim), the keys too.
    w_query, w_keys, w_values: (dim, heads, key_dim). w_output: (heads, key_dim, dim).
    mask: True = may be attended to, (batch, source_len), the same for every query, or
    (batch, target_len, source_len), where each query has its own. Every head uses it.
    Returns (batch, target_len, dim): zeros for a query with nothing to attend to.
    Scores of 1000 must not overflow. Values at padding are finite numbers, small or
    large; they have no effect.
    """
    if mask.ndim == 2:
        mask = mask[:, None, :]  # (batch, 1, source_len)
    # queries, keys, and values with the heads in front: (batch, heads, length, key_dim)
    q = np.einsum("btd,dhk->bhtk", query, w_query)
    k = np.einsum("bsd,dhk->bhsk", values, w_keys)
    v = np.einsum("bsd,dhk->bhsk", values, w_values)
    # scores and weights: (batch, heads, target_len, source_len)
    scores = q @ k.swapaxes(2, 3) / np.sqrt(k.shape[-1])
    weights = ref.softmax(scores, mask[:, None])
    return np.einsum("bhtk,hkd->btd", weights @ v, w_output)


def _scores_and_values(query, values, w_query, w_keys, w_values):
    """Scores divided by sqrt(key_dim), and values, with the heads after the batch."""
    q = np.einsum("btd,dhk->bhtk", query, w_query)
    k = np.einsum("bsd,dhk->bhsk", values, w_keys)
    v = np.einsum("bsd,dhk->bhsk", values, w_values)
    return q @ k.swapaxes(2, 3) / np.sqrt(k.shape[-1]), v


def _with_heads(mask):
    """The mask with an axis for the heads, (batch, 1, 1 or target_len, source_len)."""
    return mask[:, None, None, :] if mask.ndim == 2 else mask[:, None]


def _heads_scaled_by(factor, query, *others):
    """The solution, with the scores multiplied once more by ``factor``."""
    return multi_head_attention.reference_solution(query * factor, *others)


@multi_head_attention.known_mistake(
    "You divide by the square root of dim. "
    "Each head's keys only have dimension key_dim."
)
def heads_scaled_by_dim(query, values, w_query, *others):
    dim, _, key_dim = w_query.shape
    return _heads_scaled_by(np.sqrt(key_dim / dim), query, values, w_query, *others)


@multi_head_attention.known_mistake(
    "You divide by the square root of the dimension of all heads together. "
    "A score sums over one head alone, so it is the square root of key_dim."
)
def heads_scaled_by_all_heads(query, values, w_query, *others):
    factor = 1 / np.sqrt(w_query.shape[1])
    return _heads_scaled_by(factor, query, values, w_query, *others)


@multi_head_attention.known_mistake(
    "You divide by the square root of the number of heads. "
    "Use the dimension of one head instead, key_dim."
)
def heads_scaled_by_number(query, values, w_query, *others):
    _, heads, key_dim = w_query.shape
    return _heads_scaled_by(np.sqrt(key_dim / heads), query, values, w_query, *others)


@multi_head_attention.known_mistake("The scores are not divided by sqrt(key_dim).")
def heads_not_scaled(query, values, w_query, *others):
    return _heads_scaled_by(np.sqrt(w_query.shape[-1]), query, values, w_query, *others)


@multi_head_attention.known_mistake(
    "You divide by key_dim. "
    "The standard deviation of the scores grows with its square root."
)
def heads_scaled_by_key_dim(query, values, w_query, *others):
    factor = 1 / np.sqrt(w_query.shape[-1])
    return _heads_scaled_by(factor, query, values, w_query, *others)


@multi_head_attention.known_mistake(
    "You average the heads. "
    "Each head has its own matrix in w_output: add up the products."
)
def heads_averaged(query, values, w_query, *others):
    total = multi_head_attention.reference_solution(query, values, w_query, *others)
    return total / w_query.shape[1]


@multi_head_attention.known_mistake(
    "You add up the scores of all heads. A single softmax means a single head."
)
def heads_share_one_softmax(query, values, w_query, w_keys, w_values, w_output, mask):
    scores, v = _scores_and_values(query, values, w_query, w_keys, w_values)
    weights = ref.softmax(scores.sum(axis=1, keepdims=True), _with_heads(mask))
    return np.einsum("bhtk,hkd->btd", weights @ v, w_output)


HEADS_NOT_MOVED = (
    "You reshaped the heads without moving their axis first, "
    "which mixes words and heads."
)


@multi_head_attention.known_mistake(HEADS_NOT_MOVED)
def heads_joined_unmoved(query, values, w_query, w_keys, w_values, w_output, mask):
    scores, v = _scores_and_values(query, values, w_query, w_keys, w_values)
    heads = ref.softmax(scores, _with_heads(mask)) @ v
    joined = heads.reshape(*query.shape[:2], -1)
    return joined @ w_output.reshape(-1, w_output.shape[-1])


@multi_head_attention.known_mistake(HEADS_NOT_MOVED)
def heads_split_unmoved(query, values, w_query, w_keys, w_values, w_output, mask):
    dim, heads, key_dim = w_query.shape

    def projected(words, w):
        joined = words @ w.reshape(dim, -1)  # (batch, length, heads key_dim)
        return joined.reshape(len(words), heads, -1, key_dim)

    q, k, v = map(projected, (query, values, values), (w_query, w_keys, w_values))
    scores = q @ k.swapaxes(2, 3) / np.sqrt(key_dim)
    weights = ref.softmax(scores, _with_heads(mask))
    return np.einsum("bhtk,hkd->btd", weights @ v, w_output)


@multi_head_attention.known_mistake(HEADS_NOT_MOVED)
def heads_split_and_joined_unmoved(query, values, w_query, w_keys, w_values, *others):
    w_output, mask = others
    dim, heads, key_dim = w_query.shape
    q, k, v = (
        (words @ w.reshape(dim, -1)).reshape(len(words), heads, -1, key_dim)
        for words, w in ((query, w_query), (values, w_keys), (values, w_values))
    )
    scores = q @ k.swapaxes(2, 3) / np.sqrt(key_dim)
    joined = (ref.softmax(scores, _with_heads(mask)) @ v).reshape(*query.shape[:2], -1)
    return joined @ w_output.reshape(-1, dim)


@multi_head_attention.known_mistake(
    "The values are not projected by w_values: you average the projected keys."
)
def heads_values_are_keys(query, values, w_query, w_keys, w_values, *others):
    return multi_head_attention.reference_solution(
        query, values, w_query, w_keys, w_keys, *others
    )


@multi_head_attention.known_mistake(
    "w_query and w_keys are exchanged: w_query projects the query, w_keys the values."
)
def heads_matrices_exchanged(query, values, w_query, w_keys, *others):
    return multi_head_attention.reference_solution(
        query, values, w_keys, w_query, *others
    )


@multi_head_attention.known_mistake(
    "w_keys and w_values are exchanged: the scores need the keys, the average needs "
    "the values."
)
def heads_keys_and_values_exchanged(query, values, w_query, w_keys, w_values, *others):
    return multi_head_attention.reference_solution(
        query, values, w_query, w_values, w_keys, *others
    )


def _one_head(which):
    """The solution with one head alone, ``which`` of them."""

    def mistake(query, values, w_query, w_keys, w_values, w_output, mask):
        one = slice(which, which + 1 or None)
        matrices = (w[:, one] for w in (w_query, w_keys, w_values))
        return multi_head_attention.reference_solution(
            query, values, *matrices, w_output[one], mask
        )

    return mistake


for which in (0, -1):
    multi_head_attention.known_mistake(
        "You return one head alone. Add up the products of all heads with w_output."
    )(_one_head(which))


def _without_output(join):
    """The heads before their product with w_output, joined by ``join``."""

    def mistake(query, values, w_query, w_keys, w_values, w_output, mask):
        scores, v = _scores_and_values(query, values, w_query, w_keys, w_values)
        heads = ref.softmax(scores, _with_heads(mask)) @ v
        return join(heads.swapaxes(1, 2))  # of (batch, target_len, heads, key_dim)

    return mistake


WITHOUT_OUTPUT = "You leave out w_output: each head has a matrix there."
multi_head_attention.known_mistake(WITHOUT_OUTPUT)(
    _without_output(lambda heads: heads.reshape(*heads.shape[:2], -1))
)
multi_head_attention.known_mistake(WITHOUT_OUTPUT)(
    _without_output(lambda heads: heads.sum(axis=2))
)
multi_head_attention.known_mistake(WITHOUT_OUTPUT)(
    _without_output(lambda heads: heads.mean(axis=2))
)


@multi_head_attention.known_mistake(
    "Your mask lines up with the wrong axes. Give it an axis of size 1 for the heads, "
    "and one for the queries if it has none."
)
def heads_mask_against_queries(query, values, *others):
    *matrices, mask = others
    shape = (*query.shape[:2], values.shape[1])
    return multi_head_attention.reference_solution(
        query, values, *matrices, np.broadcast_to(mask, shape)
    )


@multi_head_attention.known_mistake(
    "Your mask lines up with the wrong axes. Give it an axis of size 1 for the heads, "
    "and one for the queries if it has none."
)
def heads_mask_without_heads(query, values, w_query, w_keys, w_values, w_output, mask):
    scores, v = _scores_and_values(query, values, w_query, w_keys, w_values)
    weights = ref.softmax(scores, mask)
    return np.einsum("bhtk,hkd->btd", weights @ v, w_output)


@multi_head_attention.known_mistake(
    "Your mask lines up with the wrong axes. Give it an axis of size 1 for the heads, "
    "and one for the queries if it has none."
)
def heads_mask_without_queries(query, values, w_query, w_keys, w_values, *others):
    w_output, mask = others
    scores, v = _scores_and_values(query, values, w_query, w_keys, w_values)
    weights = ref.softmax(scores, mask[:, None])
    return np.einsum("bhtk,hkd->btd", weights @ v, w_output)


_add_mask_mistakes(multi_head_attention)
add_softmax_mistakes(
    multi_head_attention,
    infinite=False,
    leave_out=(WITHOUT_EXP,),  # which divides by sums near 0
    other_axes=[
        (-2, "Your weights sum to one over the queries, not over the source."),
        (1, "Your weights sum to one over the heads, not over the source."),
    ],
)


def _position_cases(rng):
    yield "three positions, two dimensions", (3, 2)
    yield "three positions, four dimensions", (3, 4)
    yield "five positions, six dimensions", (5, 6)
    yield "one position", (1, 4)
    yield "as many positions as dimensions", (4, 4)
    yield "forty positions, eight dimensions", (40, 8)
    yield "nine positions, 512 dimensions", (9, 512)


@exercise(
    _position_cases,
    hints=[
        (
            "`np.arange(0, dim, 2)` holds the 2i of the exponents: "
            "one frequency for each pair of columns. "
            "Position times frequency is an angle, (length, dim / 2)."
        ),
        (
            "Slices with a step of 2 select every other column: `positions[:, 0::2]` "
            "are the even ones. The sines belong there, and the cosines between them."
        ),
    ],
)
def sinusoidal_positions(length, dim):
    """P[p, 2i] = sin(p / 10000^(2i/dim)), P[p, 2i+1] = cos(p / 10000^(2i/dim)).

    length: 1 or more; the first position is 0. dim: even, 2 or more.
    Returns an array (length, dim).
    """
    frequencies = 1 / 10000 ** (np.arange(0, dim, 2) / dim)  # (dim / 2,)
    angles = np.arange(length)[:, None] * frequencies  # (length, dim / 2)
    positions = np.empty((length, dim))
    positions[:, 0::2] = np.sin(angles)
    positions[:, 1::2] = np.cos(angles)
    return positions


def _sinusoids(length, dim, exponents, first=0):
    angles = np.arange(first, first + length)[:, None] / 10000**exponents
    return np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(length, dim)


@sinusoidal_positions.known_mistake(
    "You put all sines before all cosines. "
    "In the formula they alternate, column by column."
)
def positions_halves(length, dim):
    both = _sinusoids(length, dim, np.arange(0, dim, 2) / dim)
    return np.concatenate([both[:, 0::2], both[:, 1::2]], axis=-1)


@sinusoidal_positions.known_mistake(
    "Your first position is 1. It should be 0, where all sines are 0 and all cosines 1."
)
def positions_from_one(length, dim):
    return _sinusoids(length, dim, np.arange(0, dim, 2) / dim, first=1)


@sinusoidal_positions.known_mistake(
    "Your exponent is i/dim instead of 2i/dim, so the frequencies fall half as fast."
)
def positions_half_exponent(length, dim):
    return _sinusoids(length, dim, np.arange(dim // 2) / dim)


@sinusoidal_positions.known_mistake(
    "Sine and cosine are swapped: the even columns should be sines."
)
def positions_cosine_first(length, dim):
    return (
        _sinusoids(length, dim, np.arange(0, dim, 2) / dim)
        .reshape(length, -1, 2)[:, :, ::-1]
        .reshape(length, dim)
    )


@sinusoidal_positions.known_mistake(
    "You multiply by 10000^(2i/dim). "
    "Divide instead: later columns should have lower frequencies."
)
def positions_multiplied(length, dim):
    return _sinusoids(length, dim, -np.arange(0, dim, 2) / dim)


@sinusoidal_positions.known_mistake(
    "Each of your columns has its own frequency. "
    "A sine and its cosine should share one."
)
def positions_each_its_frequency(length, dim):
    angles = np.arange(length)[:, None] / 10000 ** (np.arange(dim) / dim)
    return np.where(np.arange(dim) % 2 == 0, np.sin(angles), np.cos(angles))


@sinusoidal_positions.known_mistake(
    "Each of your columns has its own frequency. "
    "A sine and its cosine should share one."
)
def positions_each_doubled(length, dim):
    angles = np.arange(length)[:, None] / 10000 ** (2 * np.arange(dim) / dim)
    return np.where(np.arange(dim) % 2 == 0, np.sin(angles), np.cos(angles))


@sinusoidal_positions.known_mistake(
    "Your exponents are twice as large as they should be. "
    "If your index goes in steps of 2, it is 2i already."
)
def positions_doubled_exponent(length, dim):
    return _sinusoids(length, dim, 2 * np.arange(0, dim, 2) / dim)


@sinusoidal_positions.known_mistake(
    "Your exponent is 2i. Divide it by dim, so that the lowest frequency stays above "
    "1 / 10000."
)
def positions_exponent_not_divided(length, dim):
    return _sinusoids(length, dim, np.arange(0, dim, 2))


@sinusoidal_positions.known_mistake(
    "Your exponent is 2i. Divide it by dim, so that the lowest frequency stays above "
    "1 / 10000."
)
def positions_exponent_of_floats(length, dim):
    return _sinusoids(length, dim, np.arange(0.0, dim, 2))


@sinusoidal_positions.known_mistake(
    "All your columns have one frequency. Each pair of columns should have its own."
)
def positions_one_frequency(length, dim):
    return _sinusoids(length, dim, np.zeros(dim // 2))


@sinusoidal_positions.known_mistake(
    "Your i begins with 1. The first pair of columns has i = 0, and the frequency 1."
)
def positions_i_from_one(length, dim):
    return _sinusoids(length, dim, np.arange(2, dim + 2, 2) / dim)


@sinusoidal_positions.known_mistake(
    "Your odd columns are sines, too. They should be the cosines of the same angles."
)
def positions_sines_everywhere(length, dim):
    angles = np.arange(length)[:, None] / 10000 ** (np.arange(0, dim, 2) / dim)
    return np.sin(np.repeat(angles, 2, axis=1))


def _with_angles(angles):
    """The solution with other angles, a function (positions, i, dim)."""

    def mistake(length, dim):
        of_pairs = angles(np.arange(length)[:, None], np.arange(dim // 2), dim)
        both = np.stack([np.sin(of_pairs), np.cos(of_pairs)], axis=-1)
        return both.reshape(length, dim)

    return mistake


for angles in (
    lambda p, i, dim: p / 10000**2 * i / dim,
    lambda p, i, dim: p / 10000 ** (2 * i) / dim,
    lambda p, i, dim: p / 10000.0 ** (2 * i) / dim,
    lambda p, i, dim: p / (10000**2 * i / dim),
    lambda p, i, dim: p / (10000.0 ** (2 * i) / dim),
):
    sinusoidal_positions.known_mistake(
        "The whole exponent needs parentheses. Without them, Python takes the power "
        "before it multiplies and divides."
    )(_with_angles(angles))


# Relative positions


def _rotation_cases(rng):
    yield "dim 2, one position on", (2, 1)
    yield "dim 2, one position back", (2, -1)
    yield "dim 4, one position back", (4, -1)
    yield "dim 4, no position", (4, 0)
    yield "dim 6, three positions on", (6, 3)
    yield "dim 8, five positions back", (8, -5)
    yield "dim 16, forty positions on", (16, 40)


@exercise(
    _rotation_cases,
    hints=[
        (
            "Begin with dim 2. A row of P is (sin a, cos a), and the row that you want "
            "is (sin(a + b), cos(a + b)), where b is the offset times the frequency. "
            "The addition formulas write both as sums of sin a and cos a. What "
            "multiplies sin a belongs into the first row of the matrix."
        ),
        (
            "For larger dim, the matrix has such a block of 2 x 2 for each pair of "
            "columns on its diagonal, each with its own frequency, and zeros "
            "everywhere else. `m[0::2, 0::2]` are the rows and columns of all sines."
        ),
    ],
)
def rotation_matrix(dim, offset):
    """The matrix M with P[p] @ M = P[p + offset] for every position p.

    P is what sinusoidal_positions returns. dim: even, 2 or more. offset: an integer;
    below 0, it leads back. Returns an array (dim, dim).
    """
    angles = offset / 10000 ** (np.arange(0, dim, 2) / dim)  # (dim / 2,)
    matrix = np.zeros((dim, dim))
    matrix[0::2, 0::2] = matrix[1::2, 1::2] = np.diag(np.cos(angles))
    matrix[0::2, 1::2] = np.diag(-np.sin(angles))
    matrix[1::2, 0::2] = np.diag(np.sin(angles))
    return matrix


def _rotation(angles, signs=(-1, 1)):
    """The solution of other angles; signs: of the sines above and below the diagonal.

    angles: (dim / 2,).
    """
    dim = 2 * len(angles)
    matrix = np.zeros((dim, dim))
    matrix[0::2, 0::2] = matrix[1::2, 1::2] = np.diag(np.cos(angles))
    matrix[0::2, 1::2] = signs[0] * np.diag(np.sin(angles))
    matrix[1::2, 0::2] = signs[1] * np.diag(np.sin(angles))
    return matrix


def _angles(dim, offset):
    return offset / 10000 ** (np.arange(0, dim, 2) / dim)


@rotation_matrix.known_mistake(
    "Your matrix leads the other way: P[p] @ M is P[p - offset]. The rows of P stand "
    "on the left of M, so the minus sign belongs above the diagonal."
)
def rotation_the_other_way(dim, offset):
    return _rotation(_angles(dim, offset), signs=(1, -1))


@rotation_matrix.known_mistake(
    "A minus sign is missing: cos(a + b) = cos a cos b - sin a sin b."
)
def rotation_without_minus(dim, offset):
    return _rotation(_angles(dim, offset), signs=(1, 1))


@rotation_matrix.known_mistake(
    "Both of your sines have a minus sign. Only cos(a + b) has one in its formula."
)
def rotation_with_two_minus(dim, offset):
    return _rotation(_angles(dim, offset), signs=(-1, -1))


@rotation_matrix.known_mistake(
    "All your blocks turn by the same angle. Each pair of columns has its own "
    "frequency, 1 / 10000^(2i/dim)."
)
def rotation_of_one_angle(dim, offset):
    return _rotation(np.full(dim // 2, float(offset)))


@rotation_matrix.known_mistake(
    "Your exponent is i/dim instead of 2i/dim, so your matrix does not fit the "
    "frequencies of sinusoidal_positions."
)
def rotation_half_exponent(dim, offset):
    return _rotation(offset / 10000 ** (np.arange(dim // 2) / dim))


@rotation_matrix.known_mistake(
    "You multiply by 10000^(2i/dim). Divide instead, as in sinusoidal_positions."
)
def rotation_multiplied(dim, offset):
    return _rotation(offset * 10000 ** (np.arange(0, dim, 2) / dim))


@rotation_matrix.known_mistake(
    "Your matrix leads one position on, whatever the offset is."
)
def rotation_by_one(dim, offset):
    return _rotation(_angles(dim, 1))


@rotation_matrix.known_mistake(
    "Your matrix expects all sines before all cosines. They alternate, so each pair of "
    "neighboring rows and columns is one block."
)
def rotation_of_halves(dim, offset):
    cos, sin = (np.diag(f(_angles(dim, offset))) for f in (np.cos, np.sin))
    return np.block([[cos, -sin], [sin, cos]])


@rotation_matrix.known_mistake(
    "Between the pairs of columns there should be zeros: the sines of one pair have no "
    "part in the others."
)
def rotation_full(dim, offset):
    angles = _angles(dim, offset)
    block = np.array(
        [[np.cos(angles), -np.sin(angles)], [np.sin(angles), np.cos(angles)]]
    )
    return np.tile(block.transpose(2, 0, 1).reshape(dim, 2), (1, dim // 2))


# The block


def _norm_cases(rng):
    def arguments(batch, length, units):
        return (
            rng.normal(1, 2, size=(batch, length, units)),
            rng.normal(1, 0.3, size=units),
            rng.normal(size=units),
        )

    yield (
        "one vector of two numbers, scale 1, offset 0",
        (np.array([[[1.0, 3.0]]]), np.ones(2), np.zeros(2)),
    )
    yield (
        "two words, with scale and offset",
        (
            np.array([[[1.0, 3.0], [4.0, 0.0]]]),
            np.array([2.0, 1.0]),
            np.array([0.5, -1.0]),
        ),
    )
    yield "every size is four", arguments(4, 4, 4)
    yield "all sizes different", arguments(2, 3, 5)
    yield "one sentence of one word", arguments(1, 1, 6)
    x, scale, offset = arguments(2, 3, 4)
    yield "numbers about 0.01", (x / 100, scale, offset)
    yield "equal numbers in a vector", (np.ones((1, 2, 3)), scale[:3], offset[:3])
    yield (
        "whole numbers, single precision",
        (
            rng.integers(-9, 9, (3, 2, 4)).astype("float32"),
            *in_float32((scale, offset)),
        ),
    )


@exercise(
    _norm_cases,
    batch=("x",),
    hints=[
        (
            "The mean and the variance are those of one vector, so they are taken over "
            "the last axis. `keepdims=True` keeps that axis, with length 1, so that "
            "they can be subtracted from x and divided by."
        ),
        (
            "`np.var` is the mean of the squared deviations. Add 1e-3 before you take "
            "the root. Scale and offset come last."
        ),
    ],
)
def layer_norm(x, scale, offset):
    """(x - mean) / sqrt(variance + 1e-3) * scale + offset, for each vector of x.

    x: (batch, length, units). scale, offset: (units,). The mean and the variance, which
    is the mean of the squared deviations, are those of the last axis.
    Returns (batch, length, units).
    """
    mean = x.mean(axis=-1, keepdims=True)  # (batch, length, 1)
    variance = x.var(axis=-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + 1e-3) * scale + offset


def _norm_over(axis):
    def normalized(x, scale, offset):
        mean, variance = (f(axis=axis, keepdims=True) for f in (x.mean, x.var))
        return (x - mean) / np.sqrt(variance + 1e-3) * scale + offset

    return normalized


for _message, _axis in [
    (
        "You take mean and variance over the words of a sentence. Each word has its "
        "own: they are those of the last axis.",
        1,
    ),
    (
        "You take mean and variance over a whole sentence. Each word has its own: they "
        "are those of the last axis.",
        (1, 2),
    ),
    (
        "You take mean and variance over the batch. Each word has its own: they are "
        "those of the last axis.",
        0,
    ),
    (
        "You take mean and variance over the batch. Each word has its own: they are "
        "those of the last axis.",
        (0, 1),
    ),
    (
        "You take mean and variance of all numbers together. Each word has its own: "
        "they are those of the last axis.",
        None,
    ),
]:
    layer_norm.known_mistake(_message)(_norm_over(_axis))


def _norm_with(divisor, center=True):
    """The solution with another divisor, divisor(x - mean)."""

    def normalized(x, scale, offset):
        deviations = x - x.mean(axis=-1, keepdims=True)
        with np.errstate(all="ignore"):
            divided = (deviations if center else x) / divisor(deviations)
            return divided * scale + offset

    return normalized


def _variance(deviations, less=0):
    squares = (deviations**2).sum(axis=-1, keepdims=True)
    return squares / (deviations.shape[-1] - less)


ANOTHER_EPSILON = (
    "Your epsilon is another one. Here it is 1e-3, as in Keras's LayerNormalization."
)
for _message, _divisor in [
    (
        "epsilon is missing. Add 1e-3 to the variance, before the root.",
        lambda d: np.sqrt(_variance(d)),
    ),
    (
        "You add epsilon after the root. It belongs to the variance: "
        "sqrt(variance + 1e-3).",
        lambda d: np.sqrt(_variance(d)) + 1e-3,
    ),
    (
        "You divide by the variance. Divide by its root.",
        lambda d: _variance(d) + 1e-3,
    ),
    (
        "Your variance divides by units - 1. Here it is the mean of the squared "
        "deviations, which divides by units.",
        lambda d: np.sqrt(_variance(d, less=1) + 1e-3),
    ),
    (
        "You do not divide by the standard deviation.",
        lambda d: 1.0,
    ),
    *[
        (ANOTHER_EPSILON, lambda d, epsilon=epsilon: np.sqrt(_variance(d) + epsilon))
        for epsilon in (1e-5, 1e-6, 1e-8, 1e-12)
    ],
]:
    layer_norm.known_mistake(_message)(_norm_with(_divisor))

layer_norm.known_mistake("The mean is not subtracted.")(
    _norm_with(lambda d: np.sqrt(_variance(d) + 1e-3), center=False)
)


@layer_norm.known_mistake(
    "The mean is not subtracted, neither from x nor in the variance. That is RMSNorm, "
    "which came later."
)
def norm_of_squares(x, scale, offset):
    return x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + 1e-3) * scale + offset


@layer_norm.known_mistake("scale is missing.")
def norm_without_scale(x, scale, offset):
    return layer_norm.reference_solution(x, np.ones_like(scale), offset)


@layer_norm.known_mistake("offset is missing.")
def norm_without_offset(x, scale, offset):
    return layer_norm.reference_solution(x, scale, np.zeros_like(offset))


@layer_norm.known_mistake("scale and offset are missing.")
def norm_alone(x, scale, offset):
    return layer_norm.reference_solution(x, np.ones_like(scale), np.zeros_like(offset))


@layer_norm.known_mistake(
    "You exchange scale and offset: multiply by scale and add offset."
)
def norm_exchanged(x, scale, offset):
    return layer_norm.reference_solution(x, offset, scale)


@layer_norm.known_mistake(
    "You add offset before you multiply by scale. Multiply first, then add."
)
def norm_offset_first(x, scale, offset):
    normalized = layer_norm.reference_solution(x, np.ones_like(scale), offset)
    return normalized * scale


@layer_norm.known_mistake(
    "You scale and shift x before it is normalized. Scale and offset come last."
)
def norm_scaled_first(x, scale, offset):
    ones, zeros = np.ones_like(scale), np.zeros_like(offset)
    return layer_norm.reference_solution(x * scale + offset, ones, zeros)


def _block_parameters(rng, units, heads, key_dim, hidden):
    """Random parameters of a block, as a dict of tuples."""

    def norm():
        return rng.normal(1, 0.3, units), rng.normal(size=units)

    def matrix(*shape, fan_in):
        return rng.normal(size=shape) / np.sqrt(fan_in)

    return {
        "norm_1": norm(),
        "attention": (
            *(matrix(units, heads, key_dim, fan_in=units) for _ in range(3)),
            matrix(heads, key_dim, units, fan_in=heads * key_dim),
        ),
        "norm_2": norm(),
        "feed_forward": (
            matrix(units, hidden, fan_in=units),
            rng.normal(size=hidden),
            matrix(hidden, units, fan_in=hidden),
            rng.normal(size=units),
        ),
    }


def _block_cases(rng):
    def arguments(batch, length, units, heads, key_dim, hidden, mask):
        parameters = _block_parameters(rng, units, heads, key_dim, hidden)
        return rng.normal(size=(batch, length, units)), parameters, mask

    yield (
        "one sentence of two words and one padded position, one head",
        arguments(1, 3, 4, 1, 2, 3, np.array([[True, True, False]])),
    )
    yield (
        "every size is four; a mask per sentence",
        arguments(4, 4, 4, 4, 4, 4, five_masks(4)[[1, 2, 3, 4]]),
    )
    yield (
        "every size is four; a causal mask, some rows with nothing to attend to",
        arguments(4, 4, 4, 2, 2, 8, _causal_masks()),
    )
    yield (
        "five sentences, one of them without words",
        arguments(5, 7, 6, 3, 2, 8, five_masks(7)),
    )
    masks = np.stack([_masks_of_queries(6)[:6]] * 2)
    yield (
        "six positions, each with a mask of its own",
        arguments(2, 6, 4, 2, 2, 5, masks),
    )
    yield "one word", arguments(1, 1, 4, 2, 2, 8, np.array([[True]]))
    x, parameters, mask = arguments(2, 3, 4, 2, 2, 8, np.ones((2, 3), bool))
    single = {name: in_float32(values) for name, values in parameters.items()}
    yield "single precision", (x.astype("float32"), single, mask)


@exercise(
    _block_cases,
    batch=("x", "mask"),
    hints=[
        (
            "`multi_head_attention(x, x, *parameters['attention'], mask)` is the "
            "self-attention: the words are queries, keys, and values. Add x to it, "
            "and normalize the sum with `layer_norm` and `parameters['norm_1']`."
        ),
        (
            "The feed-forward network works on the result of the first half. Its "
            "hidden layer is `np.maximum(y @ w_in + b_in, 0)`. Add its input again, "
            "which is y and not x, and normalize with `parameters['norm_2']`."
        ),
    ],
)
def transformer_block(x, parameters, mask):
    """y = norm_1(x + attention(x)), then norm_2(y + feed_forward(y)): post-norm.

    x: (batch, length, units). parameters: a dict of tuples of arrays, "attention"
    (w_query, w_keys, w_values, w_output), "norm_1" and "norm_2" (scale, offset), and
    "feed_forward" (w_in, b_in, w_out, b_out).
    mask: True = may be attended to, (batch, length) or (batch, length, length).
    Returns (batch, length, units). Padded positions are computed like all others. With
    nothing to attend to, the attention adds zeros.
    """
    attended = ref.multi_head_attention(x, x, *parameters["attention"], mask)
    y = ref.layer_norm(x + attended, *parameters["norm_1"])
    w_in, b_in, w_out, b_out = parameters["feed_forward"]
    hidden = np.maximum(y @ w_in + b_in, 0)  # (batch, length, hidden)
    return ref.layer_norm(y + hidden @ w_out + b_out, *parameters["norm_2"])


class _Block:
    """The solution's parts, of which a wrong answer replaces one."""

    def attention(self, x, matrices, mask):
        return ref.multi_head_attention(x, x, *matrices, mask)

    def feed_forward(self, y, w_in, b_in, w_out, b_out):
        return np.maximum(y @ w_in + b_in, 0) @ w_out + b_out

    def norms(self, norm_1, norm_2):
        return norm_1, norm_2

    def first(self, x, attention, norm):
        return norm(x + attention(x))

    def second(self, x, y, feed_forward, norm):
        return norm(y + feed_forward(y))

    def __call__(self, x, parameters, mask):
        def attention(words):
            return self.attention(words, parameters["attention"], mask)

        def feed_forward(words):
            return self.feed_forward(words, *parameters["feed_forward"])

        norm_1, norm_2 = (
            functools.partial(_normalized, parameters=each)
            for each in self.norms(parameters["norm_1"], parameters["norm_2"])
        )
        y = self.first(x, attention, norm_1)
        return self.second(x, y, feed_forward, norm_2)


def _normalized(x, parameters):
    return ref.layer_norm(x, *parameters)


def _wrong_block(message, **changes):
    """Add the wrong answer in which functions replace parts of _Block."""
    parts = {name: staticmethod(change) for name, change in changes.items()}
    block = type("Block", (_Block,), parts)()

    def wrong(x, parameters, mask):
        return block(x, parameters, mask)

    transformer_block.known_mistake(message)(wrong)


_wrong_block(
    "You normalize before each sub-layer and not after it. That is pre-norm, which "
    "came later; the paper's block is layer_norm(x + ...).",
    first=lambda x, attention, norm: x + attention(norm(x)),
    second=lambda x, y, feed_forward, norm: y + feed_forward(norm(y)),
)
_wrong_block(
    "You normalize what the sub-layers return and then add it. Add first: "
    "layer_norm(x + ...).",
    first=lambda x, attention, norm: x + norm(attention(x)),
    second=lambda x, y, feed_forward, norm: y + norm(feed_forward(y)),
)
_wrong_block(
    "The first residual connection is missing: add x to what the attention returns.",
    first=lambda x, attention, norm: norm(attention(x)),
)
_wrong_block(
    "The second residual connection is missing: add y to what the feed-forward network "
    "returns.",
    second=lambda x, y, feed_forward, norm: norm(feed_forward(y)),
)
_wrong_block(
    "Both residual connections are missing: each sub-layer's input is added to its "
    "output.",
    first=lambda x, attention, norm: norm(attention(x)),
    second=lambda x, y, feed_forward, norm: norm(feed_forward(y)),
)
_wrong_block(
    "The second residual connection starts at x. It should start at y, the result of "
    "the first half.",
    second=lambda x, y, feed_forward, norm: norm(x + feed_forward(y)),
)
_wrong_block(
    "Your feed-forward network gets x. It should get the result of the first half, y.",
    second=lambda x, y, feed_forward, norm: norm(y + feed_forward(x)),
)
_wrong_block(
    "The first normalization is missing.",
    first=lambda x, attention, norm: x + attention(x),
)
_wrong_block(
    "The second normalization is missing.",
    second=lambda x, y, feed_forward, norm: y + feed_forward(y),
)
_wrong_block(
    "Both normalizations are missing.",
    first=lambda x, attention, norm: x + attention(x),
    second=lambda x, y, feed_forward, norm: y + feed_forward(y),
)
_wrong_block(
    "You exchange norm_1 and norm_2. norm_1 belongs to the attention.",
    norms=lambda norm_1, norm_2: (norm_2, norm_1),
)
_ONE_NORM = (
    "You use one normalization twice. norm_2 belongs to the feed-forward network."
)
_wrong_block(_ONE_NORM, norms=lambda norm_1, norm_2: (norm_1, norm_1))
_wrong_block(_ONE_NORM, norms=lambda norm_1, norm_2: (norm_2, norm_2))
_wrong_block(
    "Your normalizations leave out scale and offset.",
    norms=lambda *norms: [
        (np.ones_like(scale), np.zeros_like(scale)) for scale, _ in norms
    ],
)
_wrong_block(
    "The maximum with 0 is missing from your feed-forward network. Without it, two "
    "matrices are no more than one.",
    feed_forward=lambda y, w_in, b_in, w_out, b_out: (y @ w_in + b_in) @ w_out + b_out,
)
_wrong_block(
    "You take the maximum with 0 at the end of the feed-forward network. It belongs to "
    "the hidden layer, before the second matrix.",
    feed_forward=lambda y, w_in, b_in, w_out, b_out: np.maximum(
        (y @ w_in + b_in) @ w_out + b_out, 0
    ),
)
_wrong_block(
    "You take the maximum with 0 twice. Only the hidden layer has it: what is added to "
    "y may be negative.",
    feed_forward=lambda y, w_in, b_in, w_out, b_out: np.maximum(
        np.maximum(y @ w_in + b_in, 0) @ w_out + b_out, 0
    ),
)
_wrong_block(
    "b_in is missing.",
    feed_forward=lambda y, w_in, b_in, w_out, b_out: (
        np.maximum(y @ w_in, 0) @ w_out + b_out
    ),
)
_wrong_block(
    "b_in comes after the maximum with 0. Add it before.",
    feed_forward=lambda y, w_in, b_in, w_out, b_out: (
        (np.maximum(y @ w_in, 0) + b_in) @ w_out + b_out
    ),
)
_wrong_block(
    "b_out is missing.",
    feed_forward=lambda y, w_in, b_in, w_out, b_out: (
        np.maximum(y @ w_in + b_in, 0) @ w_out
    ),
)
_wrong_block(
    "b_in and b_out are missing.",
    feed_forward=lambda y, w_in, b_in, w_out, b_out: np.maximum(y @ w_in, 0) @ w_out,
)
_wrong_block(
    "Your feed-forward network has tanh where the maximum with 0 belongs.",
    feed_forward=lambda y, w_in, b_in, w_out, b_out: (
        np.tanh(y @ w_in + b_in) @ w_out + b_out
    ),
)
_wrong_block(
    "Your attention ignores the mask.",
    attention=lambda x, matrices, mask: ref.multi_head_attention(x, x, *matrices),
)
_wrong_block(
    "Your mask is inverted: True means that a position may be attended to.",
    attention=lambda x, matrices, mask: ref.multi_head_attention(
        x, x, *matrices, ~mask
    ),
)
_wrong_block(
    "You set the result of the attention to zero at padding. A padded position is "
    "computed like all others; no other position attends to it.",
    attention=lambda x, matrices, mask: (
        ref.multi_head_attention(x, x, *matrices, mask)
        * (mask[:, :, None] if mask.ndim == 2 else 1)
    ),
)


@transformer_block.known_mistake(
    "The feed-forward network comes first in your block. The attention comes first."
)
def block_feed_forward_first(x, parameters, mask):
    w_in, b_in, w_out, b_out = parameters["feed_forward"]
    hidden = np.maximum(x @ w_in + b_in, 0)
    y = ref.layer_norm(x + hidden @ w_out + b_out, *parameters["norm_2"])
    attended = ref.multi_head_attention(y, y, *parameters["attention"], mask)
    return ref.layer_norm(y + attended, *parameters["norm_1"])


add_mask_from_the_front(transformer_block)


# Repair: one position at a time


def _step_cases(rng):
    def arguments(batch, length, dim, key_dim, value_dim):
        return (
            rng.normal(size=(batch, length, dim)),
            *(rng.normal(size=(dim, key_dim)) / np.sqrt(dim) for _ in range(2)),
            rng.normal(size=(dim, value_dim)) / np.sqrt(dim),
        )

    whole = rng.integers(-2, 3, (1, 3, 2)).astype(float)
    yield (
        "three words, dimension 2, identity matrices",
        (whole, np.eye(2), np.eye(2), np.eye(2)),
    )
    yield "two words, dimension 2", arguments(1, 2, 2, 2, 2)
    yield (
        "three words, some of them orthogonal, so that their scores are 0",
        (np.eye(3)[None], np.eye(3), np.eye(3), rng.normal(size=(3, 2))),
    )
    yield "every size is four", arguments(4, 4, 4, 4, 4)
    yield "all sizes different", arguments(2, 5, 6, 3, 4)
    yield "one word", arguments(3, 1, 4, 2, 2)
    span = np.linspace(-3000, 3000, 4).round()
    scores = np.stack([*extreme_scores(4)[[1, 0]], span, span[::-1]])
    yield (
        "scores near 1000, near -1000, and from -3000 to 3000; a sentence of zeros",
        (
            np.stack([np.eye(4), np.zeros((4, 4))]),
            2 * scores,
            np.eye(4),
            rng.normal(size=(4, 3)),
        ),
    )
    yield "single precision", in_float32(arguments(3, 4, 5, 2, 2))


@exercise(
    _step_cases,
    batch=("x",),
    hints=[
        (
            "At the first position there is one key, so its weight has to be 1 and the "
            "context has to be the value. Print `ref.softmax(scores)` at t = 0: how "
            "many weights are there?"
        ),
        (
            "An empty array still has a shape. `np.zeros((batch, 0, dim))` has no "
            "position at all, and other positions can be joined to it."
        ),
    ],
)
def causal_steps(x, w_query, w_keys, w_values):
    """Causal self-attention, one position at a time; keys and values are kept.

    x: (batch, length, dim), without padding. w_query, w_keys: (dim, key_dim).
    w_values: (dim, value_dim). Position t attends to the positions 0 to t.
    Returns contexts (batch, length, value_dim). Scores of 1000 do not overflow.
    """
    keys = np.zeros((len(x), 0, w_keys.shape[1]))
    values = np.zeros((len(x), 0, w_values.shape[1]))
    contexts = []
    for t in range(x.shape[1]):
        word = x[:, t : t + 1]  # (batch, 1, dim)
        keys = np.concatenate([keys, word @ w_keys], axis=1)
        values = np.concatenate([values, word @ w_values], axis=1)
        scores = word @ w_query @ keys.swapaxes(1, 2) / np.sqrt(keys.shape[-1])
        contexts.append(ref.softmax(scores) @ values)  # (batch, 1, value_dim)
    return np.concatenate(contexts, axis=1)


def _all_at_once(mask, factor=1.0, values_of=None):
    """Attention in one pass, with another mask(length), another factor of the scores,
    or other values: values_of(values).
    """

    def wrong(x, w_query, w_keys, w_values):
        root = np.sqrt(w_keys.shape[1])
        scores = factor * (x @ w_query) @ (x @ w_keys).swapaxes(1, 2) / root
        weights = ref.softmax(scores, mask(x.shape[1]))
        return weights @ (x @ w_values)

    return wrong


def _below(length, diagonal=0):
    return np.tri(length, k=diagonal, dtype=bool)


for _message, _wrong in [
    (
        "Every position attends to all positions, also to later ones.",
        _all_at_once(lambda length: np.ones((length, length), bool)),
    ),
    (
        "Your positions do not attend to themselves. Keep the key and the value of "
        "position t before you compute its scores.",
        _all_at_once(lambda length: _below(length, -1)),
    ),
    (
        "Your positions attend to themselves alone. Keep the keys and values of "
        "earlier positions.",
        _all_at_once(lambda length: np.eye(length, dtype=bool)),
    ),
    (
        "Your positions attend to the first position alone.",
        _all_at_once(lambda length: np.arange(length)[None] < 1),
    ),
]:
    causal_steps.known_mistake(_message)(_wrong)


@causal_steps.known_mistake(
    "The first word counts twice: you begin with its key and its value and then append "
    "them again. Begin with no position at all."
)
def steps_with_the_first_twice(x, w_query, w_keys, w_values):
    first = np.concatenate([x[:, :1], x], axis=1)
    return causal_steps.reference_solution(first, w_query, w_keys, w_values)[:, 1:]


@causal_steps.known_mistake("The scores are not divided by sqrt(key_dim).")
def steps_not_scaled(x, w_query, w_keys, w_values):
    root = np.sqrt(w_keys.shape[1])
    return causal_steps.reference_solution(x, root * w_query, w_keys, w_values)


@causal_steps.starter_code(
    "At the first position, the only key should get the weight 1, so the context "
    "should be that word's value. It is shorter."
)
def causal_steps(x, w_query, w_keys, w_values):
    """Causal self-attention, one position at a time; keys and values are kept."""
    keys = np.zeros((len(x), 1, w_keys.shape[1]))
    values = np.zeros((len(x), 1, w_values.shape[1]))
    contexts = []
    for t in range(x.shape[1]):
        word = x[:, t : t + 1]  # (batch, 1, dim)
        keys = np.concatenate([keys, word @ w_keys], axis=1)
        values = np.concatenate([values, word @ w_values], axis=1)
        scores = word @ w_query @ keys.swapaxes(1, 2) / np.sqrt(keys.shape[-1])
        contexts.append(ref.softmax(scores) @ values)  # (batch, 1, value_dim)
    return np.concatenate(contexts, axis=1)


add_softmax_mistakes(
    causal_steps,
    masked=False,
    leave_out=(WITHOUT_EXP,),  # which divides by sums near 0
)


# Judge: what does a head look at?


def _offset_cases(rng):
    def weights_of(batch, heads, length):
        return rng.dirichlet(np.ones(length), size=(batch, heads, length))

    yield (
        "one head, three words, one position back",
        (
            np.array([[[[1.0, 0, 0], [0.75, 0.25, 0], [0.5, 0.25, 0.25]]]]),
            np.array([[True, True, True]]),
            -1,
        ),
    )
    yield (
        "two heads, two words and one padded position, one position back",
        (weights_of(1, 2, 3).round(2), np.array([[True, True, False]]), -1),
    )
    for offset in (-1, 0, 1, 2, -2):
        yield (
            f"every size is four, offset {offset}",
            (weights_of(4, 4, 4), five_masks(4)[[0, 1, 2, 4]], offset),
        )
    masks = np.vstack([np.ones((1, 6), bool), five_masks(6)])
    yield (
        "six sentences, one of them without words, one position back",
        (weights_of(6, 2, 6), masks, -1),
    )
    yield "two positions on", (weights_of(6, 3, 6), masks, 2)
    yield "one word, the word itself", (weights_of(1, 2, 1), np.array([[True]]), 0)
    yield (
        "single precision",
        (
            weights_of(6, 3, 7).astype("float32"),
            np.vstack([*five_masks(7)] * 2)[:6],
            -3,
        ),
    )


@exercise(
    _offset_cases,
    batch=("weights", "mask"),
    hints=[
        (
            "`t = np.arange(...)` should hold the positions whose neighbor "
            "`t + offset` is in the sentence, too: for offset -1 those from 1 on, for "
            "offset 1 all but the last."
        ),
        (
            "`weights[:, :, t, t + offset]` has shape (batch, heads, pairs), and "
            "`mask[:, t] & mask[:, t + offset]` says which pairs consist of two words. "
            "Divide the sum of the weights by the number of those pairs."
        ),
    ],
)
def weight_at_offset(weights, mask, offset):
    """The mean weight that a word gives to the position t + offset, for each head.

    weights: (batch, heads, length, length) of self-attention, [b, h, t, s] from t to s.
    mask: (batch, length), True at words. offset: an integer, -1 for the word before.
    The mean runs over all pairs (t, t + offset) of the batch in which both are words of
    the sentence; there is at least one. Returns (heads,).
    """
    length = mask.shape[1]
    t = np.arange(max(0, -offset), min(length, length - offset))
    is_pair = mask[:, t] & mask[:, t + offset]  # (batch, pairs)
    found = weights[:, :, t, t + offset]  # (batch, heads, pairs)
    return (found * is_pair[:, None]).sum(axis=(0, 2)) / is_pair.sum()


def _on_diagonal(weights, mask, offset):
    """The weights (batch, heads, pairs), and whether query and key of each pair are
    words, twice (batch, pairs).
    """
    t = np.arange(max(0, -offset), min(mask.shape[1], mask.shape[1] - offset))
    return weights[:, :, t, t + offset], mask[:, t], mask[:, t + offset]


def _mean_over(found, is_pair):
    with np.errstate(all="ignore"):
        return (found * is_pair[:, None]).sum(axis=(0, 2)) / is_pair.sum()


@weight_at_offset.known_mistake(
    "Your pair is (t, t - offset). Either the sign is wrong, where -1 is the word "
    "before, or you exchange rows, the queries, and columns, the keys."
)
def offset_of_the_other_sign(weights, mask, offset):
    return weight_at_offset.reference_solution(weights, mask, -offset)


@weight_at_offset.known_mistake("Padding counts in your mean. Use the mask.")
def offset_with_padding(weights, mask, offset):
    return weight_at_offset.reference_solution(weights, np.ones_like(mask), offset)


@weight_at_offset.known_mistake(
    "Your pairs need a word at t alone. The key, t + offset, has to be a word, too."
)
def offset_of_queries(weights, mask, offset):
    found, is_query, _ = _on_diagonal(weights, mask, offset)
    return _mean_over(found, is_query)


@weight_at_offset.known_mistake(
    "Your pairs need a word at t + offset alone. The query, t, has to be a word, too."
)
def offset_of_keys(weights, mask, offset):
    found, _, is_key = _on_diagonal(weights, mask, offset)
    return _mean_over(found, is_key)


@weight_at_offset.known_mistake(
    "You divide by the number of words. Divide by the number of pairs: the first word, "
    "for example, has no word before it."
)
def offset_over_words(weights, mask, offset):
    found, is_query, is_key = _on_diagonal(weights, mask, offset)
    return (found * (is_query & is_key)[:, None]).sum(axis=(0, 2)) / mask.sum()


@weight_at_offset.known_mistake(
    "You divide by the number of all pairs, also of those with padding."
)
def offset_over_all_pairs(weights, mask, offset):
    found, is_query, is_key = _on_diagonal(weights, mask, offset)
    return (found * (is_query & is_key)[:, None]).mean(axis=2).mean(axis=0)


@weight_at_offset.known_mistake("You return sums. Divide by the number of pairs.")
def offset_summed(weights, mask, offset):
    found, is_query, is_key = _on_diagonal(weights, mask, offset)
    return (found * (is_query & is_key)[:, None]).sum(axis=(0, 2))


@weight_at_offset.known_mistake(
    "You take the mean of each sentence first, so that short sentences count as much "
    "as long ones. The mean runs over all pairs of the batch."
)
def offset_by_sentence(weights, mask, offset):
    found, is_query, is_key = _on_diagonal(weights, mask, offset)
    is_pair = is_query & is_key
    counts = is_pair.sum(axis=1)[:, None]  # (batch, 1)
    sums = (found * is_pair[:, None]).sum(axis=2)  # (batch, heads)
    return (sums / np.maximum(counts, 1)).sum(axis=0) / (counts > 0).sum()


@weight_at_offset.known_mistake(
    "You count how often t + offset has the largest weight. The question is how much "
    "weight it has."
)
def offset_counted(weights, mask, offset):
    largest = weights == weights.max(axis=-1, keepdims=True)
    return weight_at_offset.reference_solution(largest.astype(float), mask, offset)


@weight_at_offset.known_mistake(
    "Your positions wrap around: for offset -1, the first word has no word before it, "
    "and index -1 is the last position."
)
def offset_wrapped(weights, mask, offset):
    length = mask.shape[1]
    t = np.arange(length)
    s = (t + offset) % length
    return _mean_over(weights[:, :, t, s], mask[:, t] & mask[:, s])
