"""Exercises of chapter 07, "Self-attention and multi-head attention"."""

import functools

import numpy as np

from attnlib import reference as ref
from attnlib.checking.exercise import exercise
from attnlib.checking.sandbox import CheckFailed
from attnlib.exercises._demands import extreme_scores, five_masks
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
