"""Exercises of chapter 05, "Luong's global attention"."""

import itertools

import numpy as np

from attnlib import reference as ref
from attnlib.checking.exercise import exercise
from attnlib.exercises import bahdanau, bottleneck, psychology
from attnlib.exercises._demands import extreme_scores, five_masks, in_float32
from attnlib.exercises._mistakes import (
    AXES_EXCHANGED,
    MASK_AXIS,
    OF_ONE_SENTENCE,
    WRONG_PRODUCTS,
    add_mask_from_the_front,
    add_softmax_mistakes,
    faulty,
)
from attnlib.exercises._shared import passing_parts, recurrent_cell

BEFORE_THE_SOFTMAX = "These are weights. Return the scores, before the softmax."
SCALED = (
    "You divide by the square root of the dimension. Luong's scores are not scaled; "
    "that came in 2017."
)
OVER_THE_QUERIES = (
    "Your weights sum to one over the queries. "
    "The softmax runs over the source positions, the last axis."
)


def _normal(rng, *shapes):
    """One random array per shape."""
    return tuple(rng.normal(size=shape) for shape in shapes)


def _dot_cases(rng):
    yield (
        "two sentences, each of two queries and two keys of dimension 2",
        (
            np.array([[[1.0, 2.0], [0.0, 3.0]], [[2.0, 0.0], [1.0, -1.0]]]),
            np.array([[[1.0, 0.0], [3.0, -1.0]], [[0.0, 2.0], [4.0, 1.0]]]),
        ),
    )
    yield (
        "one query and three keys",
        (np.array([[[1.0, 2.0]]]), np.array([[[1.0, 0.0], [0.0, 1.0], [3.0, -1.0]]])),
    )
    yield "two sentences", _normal(rng, (2, 4, 3), (2, 5, 3))
    yield "all sizes 4", _normal(rng, (4, 4, 4), (4, 4, 4))
    yield "one query and one key of dimension 1", _normal(rng, (1, 1, 1), (1, 1, 1))
    queries = rng.integers(-3, 4, size=(2, 3, 4)).astype(float)
    yield "queries of whole numbers", (queries, *_normal(rng, (2, 6, 4)))
    long_vectors = 1000 * rng.integers(-3, 4, size=(3, 2, 5)).astype("float32")
    yield "float32 vectors of length 1000 and more", (long_vectors, long_vectors + 500)


@exercise(
    _dot_cases,
    hints=[
        (
            "Start with one sentence: query (target_len, dim) and keys (source_len, "
            "dim). Which matrix product gives (target_len, source_len)?"
        ),
        (
            "`@` works on the last two axes and leaves the batch axis as it is. "
            "`np.swapaxes` exchanges two axes of the keys."
        ),
    ],
    batch=("query", "keys"),
)
def dot_scores(query, keys):
    """score(h_t, h_s) = h_t . h_s for each query t and key s of the same sentence.

    query: (batch, target_len, dim). keys: (batch, source_len, dim).
    Returns scores (batch, target_len, source_len), not scaled and before the softmax.
    """
    return query @ keys.transpose(0, 2, 1)  # (batch, target_len, source_len)


def _softmax_over_queries(scores):
    return ref.softmax(scores.swapaxes(1, 2)).swapaxes(1, 2)


def _faulty_products():
    """(message, function of query and keys) for the dot product and the general score,
    which is one too.
    """
    product = dot_scores.reference_solution
    yield (
        SCALED,
        lambda query, keys: product(query, keys) / np.sqrt(query.shape[-1]),
    )
    yield (
        "You divide by the dimension: a score is a sum of products, not their mean.",
        lambda query, keys: product(query, keys) / query.shape[-1],
    )
    yield BEFORE_THE_SOFTMAX, lambda query, keys: ref.softmax(product(query, keys))
    yield (
        BEFORE_THE_SOFTMAX,
        lambda query, keys: _softmax_over_queries(product(query, keys)),
    )
    yield from WRONG_PRODUCTS


for _message, _wrong in _faulty_products():
    dot_scores.known_mistake(_message)(_wrong)


@dot_scores.known_mistake(
    "`*` multiplies element by element. A score is a sum of products, which `@` takes."
)
def dot_element_wise(query, keys):
    return query * keys


@dot_scores.known_mistake(
    "You divide by the norms of the vectors. "
    "That is the cosine similarity; in the dot score, long vectors count more."
)
def dot_cosine(query, keys):
    lengths = [np.linalg.norm(x, axis=-1, keepdims=True) for x in (query, keys)]
    return (query / lengths[0]) @ (keys / lengths[1]).transpose(0, 2, 1)


@dot_scores.known_mistake(
    "You multiply element-wise and keep the last axis. "
    "Sum over it: a score is one number."
)
def dot_not_summed(query, keys):
    return query[:, :, None, :] * keys[:, None, :, :]


def _general_cases(rng):
    yield (
        "two sentences, each of two queries and two keys of dimension 2",
        (
            np.array([[[1.0, 2.0], [0.0, 3.0]], [[2.0, 0.0], [1.0, -1.0]]]),
            np.array([[[1.0, 0.0], [3.0, -1.0]], [[0.0, 2.0], [4.0, 1.0]]]),
            np.array([[1.0, 2.0], [0.0, -1.0]]),
        ),
    )
    yield (
        "one query of dimension 2, two keys of dimension 3",
        (
            np.array([[[1.0, 2.0]]]),
            np.array([[[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]]]),
            np.array([[1.0, 0.0, 2.0], [0.0, 3.0, -1.0]]),
        ),
    )
    yield "two sentences", _normal(rng, (2, 4, 3), (2, 5, 6), (3, 6))
    yield "all sizes 4", _normal(rng, (4, 4, 4), (4, 4, 4), (4, 4))
    yield "all sizes 1", _normal(rng, (1, 1, 1), (1, 1, 1), (1, 1))
    whole_numbers = rng.integers(-3, 4, size=(3, 5)).astype(float)
    yield "w of whole numbers", (*_normal(rng, (2, 4, 3), (2, 6, 5)), whole_numbers)
    yield "float32", in_float32(_normal(rng, (3, 2, 5), (3, 4, 2), (5, 2)))


@exercise(
    _general_cases,
    hints=[
        (
            "It is the dot score of two vectors. Which of them does `w`, (query_dim, "
            "key_dim), project to the dimension of the other?"
        ),
        (
            "`query @ w` has shape (batch, target_len, key_dim). What is left to do is "
            "the exercise before this one."
        ),
    ],
    batch=("query", "keys"),
)
def general_scores(query, keys, w):
    """score(h_t, h_s) = h_t w h_s for each query t and key s of the same sentence.

    query: (batch, target_len, query_dim). keys: (batch, source_len, key_dim).
    w: (query_dim, key_dim), often not square.
    Returns scores (batch, target_len, source_len), not scaled and before the softmax.
    """
    # With fewer queries than keys, projecting the queries is less work: query @ w takes
    # query_dim * key_dim multiplications per query, and keys @ w.T as many per key.
    projected = query @ w  # (batch, target_len, key_dim)
    return ref.dot_scores(projected, keys)  # (batch, target_len, source_len)


def _of_projected(product):
    return lambda query, keys, w: product(query @ w, keys)


for _message, _wrong in _faulty_products():
    general_scores.known_mistake(_message)(_of_projected(_wrong))


@general_scores.known_mistake(SCALED)
def general_scaled_by_the_query(query, keys, w):
    scores = general_scores.reference_solution(query, keys, w)
    return scores / np.sqrt(query.shape[-1])


TRANSPOSED_W = (
    "w is transposed. Its rows belong to the query and its columns to the keys: "
    "query @ w, or keys @ w.T."
)


@general_scores.known_mistake(TRANSPOSED_W)
def general_transposed_w(query, keys, w):
    return (query @ w.T) @ keys.transpose(0, 2, 1)


@general_scores.known_mistake(TRANSPOSED_W)
def general_w_on_the_keys(query, keys, w):
    return query @ (keys @ w).transpose(0, 2, 1)


@general_scores.known_mistake("w is missing: this is the dot score.")
def general_without_w(query, keys, w):
    return query @ keys.transpose(0, 2, 1)


NO_TANH = (
    "There is no tanh in this score: "
    "general is a product of three factors and nothing else."
)


@general_scores.known_mistake(NO_TANH)
def general_tanh(query, keys, w):
    return np.tanh(query @ w) @ keys.transpose(0, 2, 1)


@general_scores.known_mistake(NO_TANH)
def general_tanh_last(query, keys, w):
    return np.tanh(general_scores.reference_solution(query, keys, w))


def _concat_arguments(rng, batch, lengths, dims, units):
    """Random arguments.

    lengths: (target_len, source_len). dims: (query_dim, key_dim).
    """
    return _normal(
        rng,
        (batch, lengths[0], dims[0]),
        (batch, lengths[1], dims[1]),
        (sum(dims), units),
        units,
    )


def _concat_cases(rng):
    yield (
        "two queries and two keys of dimension 1, two units",
        (
            np.array([[[0.5], [-1.0]]]),
            np.array([[[1.0], [-0.5]]]),
            np.array([[1.0, 0.5], [2.0, -1.0]]),
            np.array([2.0, 1.0]),
        ),
    )
    yield "two sentences", _concat_arguments(rng, 2, (4, 5), (3, 6), 7)
    yield "all sizes 4", _concat_arguments(rng, 4, (4, 4), (4, 4), 4)
    yield "w is square", _concat_arguments(rng, 4, (4, 4), (2, 2), 4)
    yield "all sizes 1", _concat_arguments(rng, 1, (1, 1), (1, 1), 1)
    query, keys, w, v = _concat_arguments(rng, 3, (2, 4), (5, 1), 2)
    large = 100.0 * rng.integers(-9, 10, size=query.shape)
    yield "queries of large whole numbers", (large, keys, w, v)
    yield "float32", in_float32((query, keys, w, v))


@exercise(
    _concat_cases,
    hints=[
        (
            "You can concatenate each pair, as the formula says. "
            "`np.broadcast_to` repeats each query for every key and each key for every "
            "query; `np.concatenate(..., axis=-1)` joins them."
        ),
        (
            "It is cheaper to split `w`, with the same result: "
            "its first `query.shape[-1]` rows multiply the query alone, the others the "
            "key alone. Add the two products, with axes of length 1 between them."
        ),
    ],
    batch=("query", "keys"),
)
def concat_scores(query, keys, w, v):
    """score(h_t, h_s) = v . tanh([h_t ; h_s] w) for each query t and key s.

    query: (batch, target_len, query_dim). keys: (batch, source_len, key_dim).
    w: (query_dim + key_dim, units), the query's rows first. v: (units,).
    Returns scores (batch, target_len, source_len), before the softmax.
    """
    query_dim = query.shape[-1]
    of_query = (query @ w[:query_dim])[:, :, None, :]  # (batch, target_len, 1, units)
    of_keys = (keys @ w[query_dim:])[:, None, :, :]  # (batch, 1, source_len, units)
    return np.tanh(of_query + of_keys) @ v  # (batch, target_len, source_len)


def _joined(query, keys):
    shape = (*query.shape[:2], keys.shape[1])
    return (
        np.broadcast_to(query[:, :, None, :], (*shape, query.shape[-1])),
        np.broadcast_to(keys[:, None, :, :], (*shape, keys.shape[-1])),
    )


def _hidden(query, keys, w):
    """[h_t ; h_s] w, before the tanh: (batch, target_len, source_len, units)."""
    return np.concatenate(_joined(query, keys), axis=-1) @ w


concat_scores.known_mistake(BEFORE_THE_SOFTMAX)(
    lambda *arguments: ref.softmax(concat_scores.reference_solution(*arguments))
)
concat_scores.known_mistake(BEFORE_THE_SOFTMAX)(
    lambda *arguments: _softmax_over_queries(
        concat_scores.reference_solution(*arguments)
    )
)
concat_scores.known_mistake(AXES_EXCHANGED)(
    lambda *arguments: concat_scores.reference_solution(*arguments).swapaxes(1, 2)
)


@concat_scores.known_mistake(
    "tanh is missing. "
    "Without it, the query adds the same number to the score of every key."
)
def concat_without_tanh(query, keys, w, v):
    return _hidden(query, keys, w) @ v


@concat_scores.known_mistake(
    "You take the tanh of each part and add them. "
    "Add first: the tanh is what lets query and key act on each other."
)
def concat_tanh_of_each(query, keys, w, v):
    query_dim = query.shape[-1]
    of_query = np.tanh(query @ w[:query_dim])[:, :, None, :]
    return (of_query + np.tanh(keys @ w[query_dim:])[:, None, :, :]) @ v


@concat_scores.known_mistake(
    "You concatenate [key ; query]. The query's rows of w come first."
)
def concat_key_first(query, keys, w, v):
    return np.tanh(np.concatenate(_joined(query, keys)[::-1], axis=-1) @ w) @ v


@concat_scores.known_mistake(
    "v is missing. You add up the hidden units, "
    "but each should first be multiplied by its element of v."
)
def concat_without_v(query, keys, w, v):
    return np.tanh(_hidden(query, keys, w)).sum(axis=-1)


@concat_scores.known_mistake(
    "Your keys are not multiplied by their half of w. "
    "That is the experiment of footnote 15, not the formula."
)
def concat_identity(query, keys, w, v):
    query_dim = query.shape[-1]
    return np.tanh((query @ w[:query_dim])[:, :, None, :] + keys[:, None, :, :]) @ v


TANH_AFTER_V = (
    "You take the tanh after multiplying by v. "
    "It belongs before: v multiplies the hidden units, which are tanh(...)."
)


@concat_scores.known_mistake(TANH_AFTER_V)
def concat_tanh_last(query, keys, w, v):
    return np.tanh(_hidden(query, keys, w) @ v)


@concat_scores.known_mistake(TANH_AFTER_V)
def concat_v_inside(query, keys, w, v):
    return np.tanh(_hidden(query, keys, w) * v).sum(axis=-1)


def _of_parts(query, keys, of_query, of_keys, v):
    return np.tanh((query @ of_query)[:, :, None] + (keys @ of_keys)[:, None]) @ v


KEY_T_ALONE = (
    "Your score of query t belongs to key t alone. Every query should meet every key: "
    "give each side an axis of length 1 where the other has its positions."
)


@concat_scores.known_mistake(KEY_T_ALONE)
def concat_of_equal_positions(query, keys, w, v):
    return np.tanh(np.concatenate([query, keys], axis=-1) @ w) @ v


@concat_scores.known_mistake(KEY_T_ALONE)
def concat_of_added_equal_positions(query, keys, w, v):
    query_dim = query.shape[-1]
    return np.tanh(query @ w[:query_dim] + keys @ w[query_dim:]) @ v


@concat_scores.known_mistake(OF_ONE_SENTENCE)
def concat_of_one_sentence(query, keys, w, v):
    query_dim = query.shape[-1]
    of_query = (query @ w[:query_dim])[:, None]
    return np.tanh(of_query + (keys @ w[query_dim:])[None]) @ v


@concat_scores.known_mistake(OF_ONE_SENTENCE)
def concat_of_keys_of_one_sentence(query, keys, w, v):
    query_dim = query.shape[-1]
    of_query = (query @ w[:query_dim])[:, :, None]
    return np.tanh(of_query + (keys @ w[query_dim:])[None]) @ v


CUT_IN_THE_MIDDLE = (
    "You cut w in the middle. Its first query_dim rows belong to the query, and the "
    "keys may have another dimension."
)


@concat_scores.known_mistake(CUT_IN_THE_MIDDLE)
def concat_half_of_w(query, keys, w, v):
    half = len(w) // 2
    return _of_parts(query, keys, w[:half], w[half:], v)


@concat_scores.known_mistake(CUT_IN_THE_MIDDLE)
def concat_half_of_w_keys_first(query, keys, w, v):
    half = len(w) // 2
    of_keys = keys @ w[half:]  # where sizes do not fit, the error is that of the keys
    return np.tanh((query @ w[:half])[:, :, None] + of_keys[:, None]) @ v


@concat_scores.known_mistake(CUT_IN_THE_MIDDLE)
def concat_split_in_two(query, keys, w, v):
    return _of_parts(query, keys, *np.split(w, 2), v)


@concat_scores.known_mistake(
    "w is transposed. It acts from the right: its rows belong to [h_t ; h_s] and its "
    "columns to the units."
)
def concat_transposed_w(query, keys, w, v):
    return concat_scores.reference_solution(query, keys, w.T, v)


def _location_cases(rng):
    yield (
        "two queries, a source of two words, three at most",
        (
            np.array([[[1.0], [-2.0]]]),
            np.array([[3.0, 0.0, 1.0]]),
            np.array([[True, True]]),
        ),
    )
    query, w = _normal(rng, (5, 5, 5), (5, 5))
    yield "padding of every kind, all sizes 5", (query, w, five_masks(5))
    query, w = _normal(rng, (5, 3, 2), (2, 8))
    yield "padding of every kind, sources shorter than w", (query, w, five_masks(6))
    query, w = _normal(rng, (3, 4, 2), (2, 7))
    full = np.ones((3, 7), bool)
    yield "sources of the maximum length, float32", in_float32((query, w, full))
    query = np.tile(np.eye(3), (6, 1, 1))  # the rows of w are the scores
    w = np.concatenate([extreme_scores(5), [[1e4], [0.0], [-1e4]]], axis=1)
    mask = np.concatenate([five_masks(5), np.ones((1, 5), bool)])
    yield "scores near 1000, near -1000, and from -3000 to 3000", (query, w, mask)
    w = np.array([[2.0, 1.0, 0.0, 1000.0, 2000.0]])
    yield (
        "higher scores beyond the source",
        (np.array([[[1.0], [2.0]]]), w, np.ones((1, 3), bool)),
    )
    mask = np.array([[False, True, False, True, True, False]])
    for anything in (np.inf, np.nan):
        w = [anything, -20_001, 1e10, -20_000, -20_003, 1e10, anything, 1e10]
        yield (
            f"words near -20,000, and {anything} and 1e10 elsewhere",
            (np.array([[[1.0], [2.0], [3.0]]]), np.array([w]), mask),
        )
    yield (
        "one query and one word",
        (*_normal(rng, (1, 1, 1), (1, 1)), np.ones((1, 1), bool)),
    )


@exercise(
    _location_cases,
    hints=[
        (
            "The source words play no role: "
            "`query @ w` has a column for each of the max_source_len positions. "
            "Short sources use the first `mask.shape[1]` of them."
        ),
        (
            "Cut before the softmax, so that the other columns have no part in it. "
            "`ref.softmax` takes a mask; give it an axis of length 1 for the queries."
        ),
    ],
    batch=("query", "mask"),
)
def location_weights(query, w, mask):
    """a_t = softmax(h_t w) over the source's own words, from the query alone.

    query: (batch, target_len, query_dim). w: (query_dim, max_source_len).
    mask: (batch, source_len), True = may be attended to; source_len <= max_source_len.
    Returns weights (batch, target_len, source_len).

    Scores of 1000 do not overflow. What the scores are at padding, or beyond the
    source, does not matter, not even if they are infinite or NaN. With nothing to
    attend to, the weights are zeros.
    """
    scores = (query @ w)[:, :, : mask.shape[1]]  # (batch, target_len, source_len)
    return ref.softmax(scores, mask[:, None, :])


add_softmax_mistakes(location_weights, other_axes=[(1, OVER_THE_QUERIES)])
add_mask_from_the_front(location_weights)


CUT_AFTERWARDS = (
    "You cut the weights after the softmax, "
    "so the weight of positions beyond the source is lost."
)


@location_weights.known_mistake(CUT_AFTERWARDS)
def location_with_room_in_the_softmax(query, w, mask):
    room = np.ones((len(mask), w.shape[1] - mask.shape[1]), bool)
    weights = ref.softmax(query @ w, np.hstack([mask, room])[:, None, :])
    return weights[:, :, : mask.shape[1]]


@location_weights.known_mistake(SCALED)
def location_scaled(query, w, mask):
    return location_weights.reference_solution(
        query / np.sqrt(query.shape[-1]), w, mask
    )


@location_weights.known_mistake(
    "There is no tanh in this score: it is the product of the query and w."
)
def location_tanh(query, w, mask):
    return ref.softmax(np.tanh(query @ w)[:, :, : mask.shape[1]], mask[:, None, :])


BEYOND_THE_SOURCE = (
    "Columns beyond the source have a part in your softmax. Where their scores are far "
    "higher, the words' weights become 0 before you normalize again. Cut first."
)
CUT_WITHOUT_MASK = (
    "You take the softmax over all columns and cut afterwards, so the weight beyond "
    "the source is lost. The mask has no effect either. Cut the scores and mask them."
)


def _cut_after(softmax):
    """(message, answer) of a softmax over all columns that is cut afterwards."""

    def without_mask(query, w, mask):
        return softmax(query @ w)[:, :, : mask.shape[1]]

    def masked(query, w, mask):
        return without_mask(query, w, mask) * mask[:, None, :]

    def normalized(query, w, mask):
        weights = masked(query, w, mask)
        total = weights.sum(axis=-1, keepdims=True)
        return weights / np.where(total == 0, 1, total)

    def divided(query, w, mask):
        weights = masked(query, w, mask)
        return weights / weights.sum(axis=-1, keepdims=True)

    yield CUT_WITHOUT_MASK, without_mask
    yield CUT_AFTERWARDS, masked
    yield BEYOND_THE_SOURCE, normalized
    yield BEYOND_THE_SOURCE, divided


for _softmax in (ref.softmax, faulty("ignored", nothing="nan")):
    for _message, _wrong in _cut_after(_softmax):
        location_weights.known_mistake(_message)(_wrong)


@location_weights.known_mistake(
    "Your weights have a column for each of the max_source_len positions. "
    "Keep only those of the source."
)
def location_not_cut(query, w, mask):
    return ref.softmax(query @ w)


@location_weights.known_mistake(
    "These are scores. This function should also take the softmax."
)
def location_without_softmax(query, w, mask):
    return (query @ w)[:, :, : mask.shape[1]]


@location_weights.known_mistake(
    "These are scores. This function should also take the softmax."
)
def location_masked_scores(query, w, mask):
    return np.where(mask[:, None, :], (query @ w)[:, :, : mask.shape[1]], 0)


@location_weights.known_mistake(
    "You keep the last columns. A short source uses the first ones."
)
def location_last_kept(query, w, mask):
    return ref.softmax((query @ w)[:, :, -mask.shape[1] :], mask[:, None, :])


@location_weights.known_mistake(MASK_AXIS)
def location_mask_without_axis(query, w, mask):
    return ref.softmax((query @ w)[:, :, : mask.shape[1]], mask)


@location_weights.known_mistake(MASK_AXIS)
def location_mask_of_queries(query, w, mask):
    return ref.softmax((query @ w)[:, :, : mask.shape[1]], mask[:, :, None])


def _step_arguments(rng, mask, units, word_dim):
    batch, source_len = mask.shape
    state, fed, word, annotations = _normal(
        rng,
        (batch, units),
        (batch, units),
        (batch, word_dim),
        (batch, source_len, units),
    )
    gru = recurrent_cell(rng, word_dim + units, units, joined="fed")
    w_c = rng.normal(size=(2 * units, units))
    return state, np.tanh(fed), word, annotations, mask, w_c, gru


def _step_of_scores(scores, mask):
    """A step with these scores, made of small annotations and states of 1000; padded
    annotations have scores of 1e13.

    scores: (batch, source_len), whole numbers, so that float32 holds what is computed.
    """

    def gru(inputs, state):
        return np.round(np.add(state, np.asarray(inputs)[..., -2:]))  # adds what is fed

    batch = len(scores)
    large = np.sign(scores[:, :1] + 0.5) * 1000  # (batch, 1)
    first = np.round(scores / large)
    annotations = np.stack([first, scores - first * large], axis=-1)
    annotations[~mask] = (1e10 * np.sign(large) * [1, 0])[np.nonzero(~mask)[0]]
    fed = np.resize([[1.0, 0.0], [0.0, 1.0], [-1.0, 1.0]], (batch, 2))
    state = np.concatenate([large, np.ones((batch, 1))], axis=1) - fed  # (batch, 2)
    word = np.linspace(-1, 1, batch)[:, None]  # (batch, 1)
    w_c = np.array([[0.25, 0.5], [0.001, -0.001], [0.001, 0.0], [-0.5, 0.25]])
    return state, fed, word, annotations, mask, w_c, gru


def _step_cases(rng):
    yield (
        "one sentence of two words and one padded position",
        _step_arguments(rng, np.array([[True, True, False]]), 2, 2),
    )
    yield (
        "padding of every kind, all sizes 5",
        _step_arguments(rng, five_masks(5), 5, 5),
    )
    yield "padding of every kind", _step_arguments(rng, five_masks(6), 4, 3)
    full = np.ones((3, 4), bool)
    yield (
        "three sentences without padding, float32",
        in_float32(_step_arguments(rng, full, 4, 3)),
    )
    full = np.ones((3, 5), bool)
    yield (
        "scores near 1000, near -1000, and from -3000 to 3000",
        _step_of_scores(extreme_scores(5), full),
    )
    mask = np.array([[True, True, False, True], [True] * 4, [True, True, False, False]])
    yield (
        "the same, and annotations of 1e10 at padding",
        _step_of_scores(extreme_scores(4), mask),
    )
    low = -20_000.0 - np.array([[1, 0, 2, 4, 3]] * 5)
    yield (
        "scores near -20,000, and annotations of 1e10 at padding",
        _step_of_scores(low, five_masks(5)),
    )
    yield "one word", _step_arguments(rng, np.ones((1, 1), bool), 1, 2)


@exercise(
    _step_cases,
    hints=[
        (
            "The recurrence comes first. The inputs of `gru` are the word and what is "
            "fed, side by side; its state is that of the step before. What it returns "
            "is the query."
        ),
        (
            "`ref.dot_scores` and `ref.attend` expect queries of shape (batch, "
            "target_len, units), and here target_len is 1. After them, equation 5 "
            "joins the context and the new state, in this order."
        ),
    ],
    returns=("new_state", "attentional", "weights"),
    batch=("state", "fed", "word", "annotations", "mask"),
)
def input_feeding_step(state, fed, word, annotations, mask, w_c, gru):
    """One step: h_t = gru([y_{t-1} ; h~_{t-1}], h_{t-1}) -> weights -> c_t -> h~_t.

    state: (batch, units), h_{t-1}. fed: (batch, units), h~_{t-1}. word: (batch, dim).
    annotations: (batch, source_len, units), finite, of any size at padding.
    mask: (batch, source_len), True = may be attended to.
    w_c: (2 * units, units). gru: function (inputs, state) -> new state.
    Returns new_state and attentional = tanh([c_t ; h_t] w_c), both (batch, units), and
    weights (batch, source_len), by the dot score.

    Scores of 1000 do not overflow. With nothing to attend to, the weights and the
    context are zeros; the recurrence, which comes first, runs as always.
    """
    new_state = gru(np.concatenate([word, fed], axis=-1), state)
    query = new_state[:, None, :]  # (batch, 1, units)
    scores = ref.dot_scores(query, annotations)  # (batch, 1, source_len)
    context, weights = ref.attend(scores, annotations, mask)
    context, weights = context[:, 0], weights[:, 0]  # without the axis of length 1
    attentional = np.tanh(np.concatenate([context, new_state], axis=-1) @ w_c)
    return new_state, attentional, weights


add_softmax_mistakes(
    input_feeding_step,
    infinite=False,
    other_axes=[
        (
            0,
            "Your weights sum to one over the batch. "
            "The softmax runs over the source positions of each sentence.",
        )
    ],
)
add_mask_from_the_front(input_feeding_step)


def _step_with(query="new_state", joined=("context", "new_state"), finish=np.tanh):
    """The step with other vectors.

    query: the name of the query. joined: the names of what w_c multiplies. finish: the
    function in place of the tanh.
    """

    def step(state, fed, word, annotations, mask, w_c, gru):
        new_state = gru(np.concatenate([word, fed], axis=-1), state)
        names = {"state": state, "fed": fed, "word": word, "new_state": new_state}
        scores = ref.dot_scores(names[query][:, None, :], annotations)
        context, weights = ref.attend(scores, annotations, mask)
        names["context"] = context[:, 0]
        product = np.concatenate([names[name] for name in joined], axis=-1) @ w_c
        return new_state, finish(product), weights[:, 0]

    return step


_STEPS_WITH_OTHER_VECTORS = {
    "Your query is the previous state. "
    "Luong's recurrence runs first: the new state is the query.": {"query": "state"},
    "Your query is fed, the attentional state of the step before. It goes into gru "
    "alone; the query is the new state.": {"query": "fed"},
    "Your query is the word. The query is the new state.": {"query": "word"},
    "You concatenate [h_t ; c_t]. Equation 5 has [c_t ; h_t].": {
        "joined": ("new_state", "context")
    },
    "You join the context and the previous state. Equation 5 has the new one, h_t.": {
        "joined": ("context", "state")
    },
    "You join the context and fed. Equation 5 has the new state, h_t; fed goes into "
    "gru alone.": {"joined": ("context", "fed")},
    "tanh is missing from h~ (equation 5).": {"finish": lambda product: product},
}
for _message, _changes in _STEPS_WITH_OTHER_VECTORS.items():
    input_feeding_step.known_mistake(_message)(_step_with(**_changes))


CONTEXT_FED = (
    "You feed the context. "
    "Input feeding passes on the attentional state h~, which you are given as fed."
)


@input_feeding_step.known_mistake(CONTEXT_FED)
def context_of_the_old_state_fed(state, fed, word, annotations, mask, w_c, gru):
    scores = ref.dot_scores(state[:, None, :], annotations)
    context, _ = ref.attend(scores, annotations, mask)
    return input_feeding_step.reference_solution(
        state, context[:, 0], word, annotations, mask, w_c, gru
    )


@input_feeding_step.known_mistake(CONTEXT_FED)
def context_of_fed_fed(state, fed, word, annotations, mask, w_c, gru):
    context, _ = ref.attend(
        ref.dot_scores(fed[:, None, :], annotations), annotations, mask
    )
    return input_feeding_step.reference_solution(
        state, context[:, 0], word, annotations, mask, w_c, gru
    )


@input_feeding_step.known_mistake(CONTEXT_FED)
def attention_before_the_recurrence(state, fed, word, annotations, mask, w_c, gru):
    scores = ref.dot_scores(state[:, None, :], annotations)
    context, weights = ref.attend(scores, annotations, mask)
    new_state = gru(np.concatenate([word, context[:, 0]], axis=-1), state)
    product = np.concatenate([context[:, 0], new_state], axis=-1) @ w_c
    return new_state, np.tanh(product), weights[:, 0]


@input_feeding_step.known_mistake(
    "You join the state to the word. The inputs of gru are [word ; fed]; the state is "
    "its second argument."
)
def state_joined_to_the_word(state, fed, word, annotations, mask, w_c, gru):
    return input_feeding_step.reference_solution(
        state, state, word, annotations, mask, w_c, gru
    )


@input_feeding_step.known_mistake(
    "gru never receives h~_{t-1}: its input is [word ; fed]."
)
def nothing_fed(state, fed, word, annotations, mask, w_c, gru):
    return input_feeding_step.reference_solution(
        state, 0 * fed, word, annotations, mask, w_c, gru
    )


@input_feeding_step.known_mistake("The input of gru is [word ; fed], in this order.")
def fed_before_word(state, fed, word, annotations, mask, w_c, gru):
    def exchanged(inputs, state):
        return gru(np.concatenate([fed, word], axis=-1), state)

    return input_feeding_step.reference_solution(
        state, fed, word, annotations, mask, w_c, exchanged
    )


FED_AS_STATE = (
    "You give fed to gru as its state. The recurrence keeps its own state, h_{t-1}; "
    "fed is joined to the word."
)


@input_feeding_step.known_mistake(FED_AS_STATE)
def fed_as_state(state, fed, word, annotations, mask, w_c, gru):
    return input_feeding_step.reference_solution(
        fed, fed, word, annotations, mask, w_c, gru
    )


@input_feeding_step.known_mistake(FED_AS_STATE)
def fed_and_state_exchanged(state, fed, word, annotations, mask, w_c, gru):
    return input_feeding_step.reference_solution(
        fed, state, word, annotations, mask, w_c, gru
    )


@input_feeding_step.known_mistake(SCALED)
def step_with_scaled_scores(state, fed, word, annotations, mask, w_c, gru):
    new_state = gru(np.concatenate([word, fed], axis=-1), state)
    scores = ref.dot_scores(new_state[:, None, :], annotations)
    context, weights = ref.attend(scores / np.sqrt(state.shape[-1]), annotations, mask)
    product = np.concatenate([context[:, 0], new_state], axis=-1) @ w_c
    return new_state, np.tanh(product), weights[:, 0]


@input_feeding_step.known_mistake(
    "You take the tanh of [c_t ; h_t] before the product with w_c. "
    "In equation 5 the tanh comes last."
)
def tanh_before_w_c(state, fed, word, annotations, mask, w_c, gru):
    new_state, _, weights = input_feeding_step.reference_solution(
        state, fed, word, annotations, mask, w_c, gru
    )
    context = np.einsum("bs,bsd->bd", weights, annotations)
    attentional = np.tanh(np.concatenate([context, new_state], axis=-1)) @ w_c
    return new_state, attentional, weights


@input_feeding_step.known_mistake(
    "With nothing to attend to, your new state is the old one. The recurrence comes "
    "before attention, so it runs as always."
)
def state_kept_with_nothing_to_attend_to(state, fed, word, annotations, mask, w_c, gru):
    def kept(inputs, state):
        return np.where(mask.any(axis=1)[:, None], gru(inputs, state), state)

    return input_feeding_step.reference_solution(
        state, fed, word, annotations, mask, w_c, kept
    )


@input_feeding_step.known_mistake(
    "With nothing to attend to, only the weights and the context are zeros. h~_t is "
    "tanh([c_t ; h_t] w_c) there too, and h_t is not zero."
)
def attentional_zero_with_nothing_to_attend_to(*arguments):
    mask = arguments[4]
    new_state, attentional, weights = input_feeding_step.reference_solution(*arguments)
    return new_state, attentional * mask.any(axis=1, keepdims=True), weights


@input_feeding_step.known_mistake(
    "You set the padded annotations to zero, so their scores are 0, and exp(0) = 1: "
    "padding still gets weight. Mask the scores."
)
def annotations_times_mask(state, fed, word, annotations, mask, w_c, gru):
    return input_feeding_step.reference_solution(
        state,
        fed,
        word,
        annotations * mask[:, :, None],
        np.ones_like(mask),
        w_c,
        gru,
    )


@input_feeding_step.known_mistake(
    "Your context has an axis too many. If the query was given an axis of length 1, "
    "take it off again: context[:, 0]. If the weights are (batch, source_len), they "
    "need one before `@`: weights[:, None, :]."
)
def context_with_an_axis_more(state, fed, word, annotations, mask, w_c, gru):
    new_state = gru(np.concatenate([word, fed], axis=-1), state)
    scores = ref.dot_scores(new_state[:, None, :], annotations)
    context, weights = ref.attend(scores, annotations, mask)
    product = np.concatenate([context, new_state], axis=-1) @ w_c
    return new_state, np.tanh(product), weights[:, 0]


@input_feeding_step.known_mistake(
    "A weight (batch, source_len) belongs to a whole annotation. Give the weights an "
    "axis of their own before you multiply: weights[:, :, None]."
)
def context_of_weights_without_an_axis(state, fed, word, annotations, mask, w_c, gru):
    new_state, _, weights = input_feeding_step.reference_solution(
        state, fed, word, annotations, mask, w_c, gru
    )
    context = (weights * annotations).sum(axis=1)
    product = np.concatenate([context, new_state], axis=-1) @ w_c
    return new_state, np.tanh(product), weights


@input_feeding_step.known_mistake(
    "Your weights still have the axis of length 1 that the query was given. Take it "
    "off: weights[:, 0]."
)
def weights_with_an_axis_more(*arguments):
    new_state, attentional, weights = input_feeding_step.reference_solution(*arguments)
    return new_state, attentional, weights[:, None]


@input_feeding_step.known_mistake(
    "You return the state that you were given, h_{t-1}. "
    "The first value is the new state, h_t."
)
def old_state_returned(state, *arguments):
    _, attentional, weights = input_feeding_step.reference_solution(state, *arguments)
    return state, attentional, weights


@input_feeding_step.known_mistake(
    "You return h~_t as the new state. "
    "It should be h_t: the recurrence keeps its own state."
)
def attentional_as_state(*arguments):
    _, attentional, weights = input_feeding_step.reference_solution(*arguments)
    return attentional, attentional, weights


@input_feeding_step.known_mistake(
    "You return (attentional, new_state, weights). The new state comes first."
)
def returned_in_the_wrong_order(*arguments):
    new_state, attentional, weights = input_feeding_step.reference_solution(*arguments)
    return attentional, new_state, weights


@input_feeding_step.known_mistake(
    "Your second value is the context. "
    "Return the attentional state, tanh([c_t ; h_t] w_c)."
)
def context_as_attentional(state, fed, word, annotations, mask, w_c, gru):
    new_state, _, weights = input_feeding_step.reference_solution(
        state, fed, word, annotations, mask, w_c, gru
    )
    return new_state, np.einsum("bs,bsd->bd", weights, annotations), weights


# Your own translator: a decoder step with the general score


def _luong_arguments(rng, mask, units, embedding, dim):
    batch, source_len = mask.shape
    state, word, source_states, w_a, w_c = _normal(
        rng,
        (batch, units),
        (batch, embedding),
        (batch, source_len, dim),
        (units, dim),
        (dim + units, units),
    )
    gru = recurrent_cell(rng, embedding, units)
    return state, word, source_states, mask, w_a, w_c, gru


def _luong_step_of_scores(scores, mask):
    """The arguments of ``_step_of_scores`` without input feeding, with a w_a that keeps
    the scores.
    """
    state, fed, _, annotations, mask, w_c, _ = _step_of_scores(scores, mask)
    w_a, inverse = np.array([[1.0, 1.0], [0.0, 1.0]]), np.array([[1.0, -1], [0, 1]])

    def gru(inputs, state):
        return np.round(np.add(inputs, state))

    return state, fed, annotations @ inverse.T, mask, w_a, w_c, gru


def _luong_cases(rng):
    mask = np.array([[True, True, False]])
    yield "one sentence, one padded position", _luong_arguments(rng, mask, 2, 2, 2)
    yield (
        "padding of every kind, all sizes 5",
        _luong_arguments(rng, five_masks(5), 5, 5, 5),
    )
    yield "padding of every kind", _luong_arguments(rng, five_masks(6), 4, 3, 2)
    mask = np.array([[True, False, True, True], [True] * 4, [False] * 4])
    yield (
        "three sentences, float32",
        in_float32(_luong_arguments(rng, mask, 5, 2, 6)),
    )
    full = np.ones((3, 5), bool)
    yield (
        "scores near 1000, near -1000, and from -3000 to 3000",
        _luong_step_of_scores(extreme_scores(5), full),
    )
    mask = np.array([[True, True, False, True], [True] * 4, [True, True, False, False]])
    yield (
        "the same, and source states of 1e10 at padding",
        _luong_step_of_scores(extreme_scores(4), mask),
    )
    low = -20_000.0 - np.array([[1, 0, 2, 4, 3]] * 5)
    yield (
        "scores near -20,000, and source states of 1e10 at padding",
        _luong_step_of_scores(low, five_masks(5)),
    )
    yield "one word", _luong_arguments(rng, np.ones((1, 1), bool), 1, 2, 3)


@exercise(
    _luong_cases,
    hints=[
        (
            "The recurrence comes first, and without input feeding the input of `gru` "
            "is the word alone. The state that it returns is the query, and also the "
            "first of your three results."
        ),
        (
            "`ref.general_scores` and `ref.attend` expect queries of shape (batch, "
            "target_len, units), and here target_len is 1: give the new state an axis "
            "of length 1 in the middle, and take it off the context and the weights "
            "again. Equation 5 joins the context and the new state, in this order, and "
            "takes the tanh last."
        ),
    ],
    returns=("new_state", "attentional", "weights"),
    batch=("state", "word", "source_states", "mask"),
)
def luong_step(state, word, source_states, mask, w_a, w_c, gru):
    """One step of Luong's decoder: h_t = gru(y_{t-1}, h_{t-1}) -> a_t -> c_t -> h~_t.

    state: (batch, units), h_{t-1}. word: (batch, embedding), y_{t-1} embedded.
    source_states: (batch, source_len, dim), finite, of any size at padding.
    mask: (batch, source_len), True = may be attended to. w_a: (units, dim).
    w_c: (dim + units, units). gru: function (inputs, state) -> new state.
    Returns new_state and attentional = tanh([c_t ; h_t] w_c), both (batch, units), and
    weights (batch, source_len), by the general score.

    Scores of 1000 do not overflow. With nothing to attend to, the weights and the
    context are zeros; the recurrence, which comes first, runs as always.
    """
    new_state = gru(word, state)
    query = new_state[:, None, :]  # (batch, 1, units)
    scores = ref.general_scores(query, source_states, w_a)  # (batch, 1, source_len)
    context, weights = ref.attend(scores, source_states, mask)
    context, weights = context[:, 0], weights[:, 0]  # without the axis of length 1
    attentional = np.tanh(np.concatenate([context, new_state], axis=-1) @ w_c)
    return new_state, attentional, weights


add_softmax_mistakes(
    luong_step,
    infinite=False,
    other_axes=[
        (
            0,
            "Your weights sum to one over the batch. "
            "The softmax runs over the source positions of each sentence.",
        )
    ],
)
add_mask_from_the_front(luong_step)


class _LuongStep:
    """The solution's parts, of which a wrong answer replaces one."""

    def new_state(self, gru, word, state, mask):
        return gru(word, state)

    def query(self, new_state, state, word):
        return new_state

    def scores(self, query, source_states, w_a):
        return query @ w_a @ source_states.swapaxes(1, 2)

    def attended(self, source_states, mask):
        return source_states, mask

    def joined(self, context, new_state, state):
        return context, new_state

    def attentional(self, joined, w_c, mask):
        return np.tanh(joined @ w_c)

    def result(self, new_state, attentional, weights, context, state):
        return new_state, attentional, weights

    def __call__(self, state, word, source_states, mask, w_a, w_c, gru):
        new_state = self.new_state(gru, word, state, mask)
        query = self.query(new_state, state, word)[:, None, :]
        keys, allowed = self.attended(source_states, mask)
        scores = self.scores(query, keys, w_a)
        context, weights = ref.attend(scores, keys, allowed)
        context, weights = context[:, 0], weights[:, 0]
        joined = np.concatenate(self.joined(context, new_state, state), axis=-1)
        attentional = self.attentional(joined, w_c, mask)
        return self.result(new_state, attentional, weights, context, state)


def _wrong_luong_step(message, **changes):
    """Add the wrong answer in which functions replace parts of _LuongStep."""
    parts = {name: staticmethod(change) for name, change in changes.items()}
    step = type("Step", (_LuongStep,), parts)()

    def wrong(state, word, source_states, mask, w_a, w_c, gru):
        return step(state, word, source_states, mask, w_a, w_c, gru)

    luong_step.known_mistake(message)(wrong)


_wrong_luong_step(
    "Your query is the previous state. "
    "Luong's recurrence runs first: the new state is the query.",
    query=lambda new_state, state, word: state,
)
_wrong_luong_step(
    "Your query is the word. The query is the new state.",
    query=lambda new_state, state, word: word,
)
W_A_MISSING = (
    "w_a is missing: this is the dot score. The general score has query @ w_a."
)
_wrong_luong_step(
    W_A_MISSING,
    scores=lambda query, keys, w_a: query @ keys.swapaxes(1, 2),
)
_wrong_luong_step(
    "w_a is transposed. Its rows belong to the query and its columns to the source "
    "states: query @ w_a.",
    scores=lambda query, keys, w_a: query @ w_a.T @ keys.swapaxes(1, 2),
)
_wrong_luong_step(
    SCALED,
    scores=lambda query, keys, w_a: (
        query @ w_a @ keys.swapaxes(1, 2) / np.sqrt(query.shape[-1])
    ),
)
_wrong_luong_step(
    SCALED,
    scores=lambda query, keys, w_a: (
        query @ w_a @ keys.swapaxes(1, 2) / np.sqrt(keys.shape[-1])
    ),
)
_wrong_luong_step(
    NO_TANH,
    scores=lambda query, keys, w_a: np.tanh(query @ w_a) @ keys.swapaxes(1, 2),
)
_wrong_luong_step(
    "You concatenate [h_t ; c_t]. Equation 5 has [c_t ; h_t].",
    joined=lambda context, new_state, state: (new_state, context),
)
_wrong_luong_step(
    "You join the context and the previous state. Equation 5 has the new one, h_t.",
    joined=lambda context, new_state, state: (context, state),
)
_wrong_luong_step(
    "tanh is missing from h~ (equation 5).",
    attentional=lambda joined, w_c, mask: joined @ w_c,
)
_wrong_luong_step(
    "You take the tanh of [c_t ; h_t] before the product with w_c. "
    "In equation 5 the tanh comes last.",
    attentional=lambda joined, w_c, mask: np.tanh(joined) @ w_c,
)
_wrong_luong_step(
    "With nothing to attend to, only the weights and the context are zeros. h~_t is "
    "tanh([c_t ; h_t] w_c) there too, and h_t is not zero.",
    attentional=lambda joined, w_c, mask: (
        np.tanh(joined @ w_c) * mask.any(axis=1, keepdims=True)
    ),
)
_wrong_luong_step(
    "With nothing to attend to, your new state is the old one. The recurrence comes "
    "before attention, so it runs as always.",
    new_state=lambda gru, word, state, mask: np.where(
        mask.any(axis=1, keepdims=True), gru(word, state), state
    ),
)
_wrong_luong_step(
    "You set the padded source states to zero, so their scores are 0, and exp(0) = 1: "
    "padding still gets weight. Mask the scores.",
    attended=lambda source_states, mask: (
        source_states * mask[:, :, None],
        np.ones_like(mask),
    ),
)
_wrong_luong_step(
    "Your weights still have the axis of length 1 that the query was given. Take it "
    "off: weights[:, 0].",
    result=lambda new_state, attentional, weights, context, state: (
        new_state,
        attentional,
        weights[:, None],
    ),
)
_wrong_luong_step(
    "You return the state that you were given, h_{t-1}. "
    "The first value is the new state, h_t.",
    result=lambda new_state, attentional, weights, context, state: (
        state,
        attentional,
        weights,
    ),
)
_wrong_luong_step(
    "You return h~_t as the new state. "
    "It should be h_t: the recurrence keeps its own state.",
    result=lambda new_state, attentional, weights, context, state: (
        attentional,
        attentional,
        weights,
    ),
)
_wrong_luong_step(
    "You return (attentional, new_state, weights). The new state comes first.",
    result=lambda new_state, attentional, weights, context, state: (
        attentional,
        new_state,
        weights,
    ),
)
_wrong_luong_step(
    "Your second value is the context. "
    "Return the attentional state, tanh([c_t ; h_t] w_c).",
    result=lambda new_state, attentional, weights, context, state: (
        new_state,
        context,
        weights,
    ),
)


@luong_step.known_mistake(
    "The arguments of gru are swapped: the word comes first, then the state."
)
def gru_arguments_swapped(state, word, source_states, mask, w_a, w_c, gru):
    return luong_step.reference_solution(
        state, word, source_states, mask, w_a, w_c, lambda x, s: gru(s, x)
    )


def own_parts(namespace):
    """Those of your functions that pass their checks, for ``Translator.load``.

    It prints for each part of the translator whose function it will be.

    Parameters
    ----------
    namespace : dict
        The variables of the notebook: ``globals()``.

    Returns
    -------
    dict of str to function
        ``Translator.load("dates-general", **own_parts(globals()))`` makes a translator
        of them. For a part that is missing, it takes the function of attnlib.
    """
    parts = (
        psychology.softmax,
        bottleneck.greedy_decode,
        bahdanau.attend,
        general_scores,
        luong_step,
    )
    return passing_parts(namespace, parts)


# Repair: input feeding


def _fed_arguments(rng, mask, target_len, units, word_dim):
    state, _, _, annotations, mask, w_c, gru = _step_arguments(
        rng, mask, units, word_dim
    )
    words = rng.normal(size=(len(mask), target_len, word_dim))
    return words, state, annotations, mask, w_c, gru


def _fed_of_scores(scores, mask):
    """``_step_of_scores`` for two steps, where nothing is fed to the first one."""
    state, fed, word, annotations, mask, w_c, gru = _step_of_scores(scores, mask)
    return np.stack([word, -word], axis=1), state + fed, annotations, mask, w_c, gru


def _fed_cases(rng):
    mask = np.array([[True, True, False]])
    yield (
        "one sentence, two steps, one padded position",
        _fed_arguments(rng, mask, 2, 3, 1),
    )
    yield (
        "padding of every kind, all sizes 5",
        _fed_arguments(rng, five_masks(5), 5, 5, 5),
    )
    yield "padding of every kind", _fed_arguments(rng, five_masks(6), 4, 2, 3)
    full = np.ones((3, 5), bool)
    yield "float32", in_float32(_fed_arguments(rng, full[:2], 3, 4, 6))
    yield "one step", _fed_arguments(rng, full[:, :2], 1, 3, 2)
    yield (
        "scores near 1000, near -1000, and from -3000 to 3000",
        _fed_of_scores(extreme_scores(5), full),
    )
    mask = np.array([[True, True, False, True], [True] * 4, [True, True, False, False]])
    yield (
        "the same, and annotations of 1e10 at padding",
        _fed_of_scores(extreme_scores(4), mask),
    )
    low = -20_000.0 - np.array([[1, 0, 2, 4, 3]] * 5)
    yield (
        "scores near -20,000, and annotations of 1e10 at padding",
        _fed_of_scores(low, five_masks(5)),
    )
    yield "one word", _fed_arguments(rng, np.ones((1, 1), bool), 2, 1, 3)


@exercise(
    _fed_cases,
    hints=[
        (
            "What does `fed` hold at the second step, and what should it hold? Which "
            "lines compute that vector, and when do they run?"
        ),
        (
            "Attention has to move into the loop: each step computes its scores, "
            "context, and attentional state, and the attentional state becomes the "
            "`fed` of the next step. A query of one step has shape (batch, 1, units)."
        ),
    ],
    batch=("words", "state", "annotations", "mask"),
)
def decode_with_input_feeding(words, state, annotations, mask, w_c, gru):
    """h~_t of every step, with input feeding and the dot score.

    words: (batch, target_len, dim), embedded. state: (batch, units), h_0.
    annotations: (batch, source_len, units), finite, of any size at padding.
    mask: (batch, source_len), True = may be attended to. w_c: (2 * units, units).
    gru: function ([word ; fed], state) -> new state. Nothing is fed to the first step:
    h~_0 is zeros. Returns (batch, target_len, units).

    Scores of 1000 do not overflow. With nothing to attend to, the context is zeros.
    """
    fed = np.zeros_like(state)
    outputs = []
    for t in range(words.shape[1]):
        state = gru(np.concatenate([words[:, t], fed], axis=-1), state)
        scores = ref.dot_scores(state[:, None, :], annotations)
        context, _ = ref.attend(scores, annotations, mask)  # (batch, 1, units)
        fed = np.tanh(np.concatenate([context[:, 0], state], axis=-1) @ w_c)
        outputs.append(fed)
    return np.stack(outputs, axis=1)  # (batch, target_len, units)


@decode_with_input_feeding.starter_code(
    "The first step is right. From the second step on, the attentional states are "
    "those of a decoder without input feeding."
)
def decode_with_input_feeding(words, state, annotations, mask, w_c, gru):
    """h~_t of every step, with input feeding and the dot score."""
    fed = np.zeros_like(state)
    states = []
    for t in range(words.shape[1]):
        state = gru(np.concatenate([words[:, t], fed], axis=-1), state)
        states.append(state)
    states = np.stack(states, axis=1)  # (batch, target_len, units)
    scores = ref.dot_scores(states, annotations)
    context, _ = ref.attend(scores, annotations, mask)
    return np.tanh(np.concatenate([context, states], axis=-1) @ w_c)


add_softmax_mistakes(
    decode_with_input_feeding,
    infinite=False,
    other_axes=[
        (
            0,
            "Your weights sum to one over the batch. "
            "The softmax runs over the source positions of each sentence.",
        )
    ],
)
add_mask_from_the_front(decode_with_input_feeding)


def _fed_with(feed, axis=1, first=np.zeros_like, keep=None):
    """The solution with another vector fed: feed(context, state, attentional)."""

    def decode(words, state, annotations, mask, w_c, gru):
        fed = first(state)
        outputs = []
        for t in range(words.shape[1]):
            new_state = gru(np.concatenate([words[:, t], fed], axis=-1), state)
            query = new_state[:, None, :]
            scores = ref.dot_scores(query, annotations)
            context = ref.attend(scores, annotations, mask)[0][:, 0]
            attentional = np.tanh(np.concatenate([context, new_state], axis=-1) @ w_c)
            fed = feed(context, new_state, attentional)
            state = attentional if keep == "attentional" else new_state
            outputs.append(attentional)
        return np.stack(outputs, axis=axis)

    return decode


def _attentional(context, state, attentional):
    return attentional


for _message, _wrong in [
    (
        "You feed the context. "
        "Input feeding passes on the attentional state h~_t, which depends on it.",
        _fed_with(lambda context, state, attentional: context),
    ),
    (
        "You feed the new state, which the recurrence has already. "
        "Input feeding passes on the attentional state h~_t.",
        _fed_with(lambda context, state, attentional: state),
    ),
    (
        "Your steps are in front of the batch. "
        "np.stack(..., axis=1) gives (batch, target_len, units).",
        _fed_with(_attentional, axis=0),
    ),
    (
        "The state at the first step is fed too. "
        "There is no attentional state before the first step: feed zeros.",
        _fed_with(_attentional, first=lambda state: state),
    ),
    (
        "Your recurrence goes on from h~_t. It should keep its own state h_t; h~_t is "
        "only joined to the next word.",
        _fed_with(_attentional, keep="attentional"),
    ),
]:
    decode_with_input_feeding.known_mistake(_message)(_wrong)


@decode_with_input_feeding.known_mistake(
    "You return the states h_t. Return the attentional states, tanh([c_t ; h_t] w_c)."
)
def states_returned(words, state, annotations, mask, w_c, gru):
    states = []

    def remember(inputs, state):
        states.append(gru(inputs, state))
        return states[-1]

    decode_with_input_feeding.reference_solution(
        words, state, annotations, mask, w_c, remember
    )
    return np.stack(states, axis=1)


# Judge: do two sets of runs differ?


def _permutation_cases(rng):
    yield "two runs each", (np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    yield "the first two below, the other way", (np.array([5.0, 3]), np.array([1.0, 4]))
    yield "three runs against one", (np.array([2.0, 7.0, 3.0]), np.array([6.0]))
    yield "equal means", (np.array([1.0, 5.0]), np.array([2.0, 4.0]))
    yield "all runs equal", (np.full(3, 0.7), np.full(3, 0.7))
    yield "equal values in both", (np.array([0.1, 0.3, 0.3]), np.array([0.3, 0.1, 0.2]))
    for runs in ([1, 3, 5], [2, 4, 6]):  # two distances of 0.3, one rounded down
        tenths = np.array(runs) / 10
        yield f"equal distances, from {tenths[0]} on", (tenths[:1], tenths[1:])
    yield "five runs each, apart", (rng.normal(90, 1, 5), rng.normal(50, 1, 5))
    yield "five runs each, close together", (rng.normal(size=5), rng.normal(0.5, 1, 5))
    yield "two and three runs", (np.array([0.0, 1.0]), np.array([2.0, 3.0, 10.0]))
    yield "four and two runs", (np.array([4.0, 1.0, 3.0, 8.0]), np.array([2.0, 9.0]))
    runs = rng.integers(0, 9, 6) / 8  # which float32 holds exactly
    yield "float32", in_float32((runs[:3], runs[3:]))


@exercise(
    _permutation_cases,
    hints=[
        (
            "Join the two arrays. `itertools.combinations(range(len(runs)), len(a))` "
            "gives the indices of the first group for every division; the other runs "
            "form the second group."
        ),
        (
            "`np.isin` tells for every index whether it is among those of the first "
            "group, which gives a boolean mask; `~` inverts it for the second "
            "group. Count the divisions whose absolute difference of means is at least "
            "the observed one, minus 1e-9."
        ),
    ],
)
def permutation_test(a, b):
    """The share of all divisions that separate the runs at least as far as a and b.

    a: (n,). b: (m,). Results of n and m runs. Every division of all the runs into a
    group of n and a group of m counts once. The distance is the absolute difference of
    the two means, so the order of a and b does not matter. The observed division itself
    counts, and so do those that are as far apart to within 1e-9. Returns a float.
    """
    from itertools import combinations

    runs = np.concatenate([a, b])
    observed = abs(np.mean(a) - np.mean(b))
    distances = []
    for indices in combinations(range(len(runs)), len(a)):
        is_first = np.isin(np.arange(len(runs)), indices)
        distances.append(abs(runs[is_first].mean() - runs[~is_first].mean()))
    return float(np.mean(np.array(distances) >= observed - 1e-9))


def _divided(a, b, distance=lambda one, other: abs(one.mean() - other.mean())):
    """(distances of all divisions, observed distance)."""
    runs = np.concatenate([a, b])
    masks = [
        np.isin(np.arange(len(runs)), indices)
        for indices in itertools.combinations(range(len(runs)), len(a))
    ]
    distances = np.array([distance(runs[mask], runs[~mask]) for mask in masks])
    return distances, distance(np.asarray(a), np.asarray(b))


def _share(*arguments, **options):
    distances, observed = _divided(*arguments, **options)
    return float(np.mean(distances >= observed - 1e-9))


def _without_the_observed(a, b):
    distances, observed = _divided(a, b)
    return float((np.sum(distances >= observed - 1e-9) - 1) / len(distances))


def _one_more(a, b):
    distances, observed = _divided(a, b)
    return float((np.sum(distances >= observed - 1e-9) + 1) / (len(distances) + 1))


def _strictly_more(a, b):
    distances, observed = _divided(a, b)
    return float(np.mean(distances > observed + 1e-9))


def _mean_difference(one, other):
    return one.mean() - other.mean()


def _share_of_signed(sign, margin):
    """Divisions with signed distances, the observed one without its sign."""

    def share(a, b):
        distances, observed = _divided(a, b, distance=_mean_difference)
        return float(np.mean(sign * distances >= abs(observed) - margin))

    return share


def _share_over_signed(sign):
    """Divisions with absolute distances, the observed one with its sign."""

    def share(a, b):
        distances, observed = _divided(a, b, distance=_mean_difference)
        return float(np.mean(np.abs(distances) >= sign * observed - 1e-9))

    return share


def _twice_one_side(a, b):
    return 2 * _share_of_signed(1, 1e-9)(a, b)


def _no_margin(a, b):
    distances, observed = _divided(a, b)
    return float(np.mean(distances >= observed))


def _only_equal(a, b):
    distances, observed = _divided(a, b)
    return float(np.mean(np.abs(distances - observed) <= 1e-9))


def _at_most(a, b):
    distances, observed = _divided(a, b)
    return float(np.mean(distances <= observed + 1e-9))


def _second_group_by_value(a, b):
    runs = np.concatenate([a, b])
    firsts = [np.isin(runs, g) for g in itertools.combinations(runs, len(a))]
    others = [runs[~first] for first in firsts]  # empty where all runs are equal
    means = [other.mean() if len(other) else np.nan for other in others]
    distances = [
        abs(np.mean(group) - mean)
        for group, mean in zip(itertools.combinations(runs, len(a)), means, strict=True)
    ]
    return float(np.mean(np.array(distances) >= abs(np.mean(a) - np.mean(b)) - 1e-9))


SIGN_OF_THE_DIVISIONS = (
    "You take the absolute value of the observed difference, but not of the "
    "differences of the divisions. Take it of both."
)
SIGN_OF_THE_OBSERVED = (
    "You take the absolute value of the differences of the divisions, but not of the "
    "observed difference. Take it of both."
)
CLOSER_TOGETHER = (
    "You return the share of the divisions that are closer together. Return the "
    "share of those that are at least as far apart."
)
ONE_SIDED = (
    "You count differences in one direction only. Take the absolute difference: "
    "either group may be the higher one."
)
for _message, _wrong in [
    (ONE_SIDED, lambda a, b: _share(a, b, distance=lambda x, y: x.mean() - y.mean())),
    (ONE_SIDED, lambda a, b: _share(a, b, distance=lambda x, y: y.mean() - x.mean())),
    (
        "You count only divisions that are farther apart than the observed one. Those "
        "that are as far apart count too, among them the observed one itself.",
        _strictly_more,
    ),
    (
        "You leave the observed division out. It is one of all divisions and counts.",
        _without_the_observed,
    ),
    (
        "You add one to both counts. That is right for randomly drawn divisions; here "
        "you have all of them, and the observed one is among them.",
        _one_more,
    ),
    (CLOSER_TOGETHER, lambda a, b: 1 - permutation_test.reference_solution(a, b)),
    (CLOSER_TOGETHER, _at_most),
    (SIGN_OF_THE_DIVISIONS, _share_of_signed(1, 1e-9)),
    (SIGN_OF_THE_DIVISIONS, _share_of_signed(-1, 1e-9)),
    (SIGN_OF_THE_OBSERVED, _share_over_signed(1)),
    (SIGN_OF_THE_OBSERVED, _share_over_signed(-1)),
    (
        "You double the share of one direction. With groups of different sizes the two "
        "directions are not mirror images: count the absolute differences.",
        _twice_one_side,
    ),
    (
        "Distances that are equal on paper may differ in their last digits here. Count "
        "those too that fall short of the observed one by no more than 1e-9.",
        _no_margin,
    ),
    (
        "You count only the divisions that are exactly as far apart as the observed "
        "one. Those that are farther apart count too.",
        _only_equal,
    ),
    (
        "You choose the second group by its values. Two runs may have the same value: "
        "choose by indices.",
        _second_group_by_value,
    ),
    (
        "You return a percentage. Return the fraction, a number between 0 and 1.",
        lambda a, b: 100 * permutation_test.reference_solution(a, b),
    ),
    (
        "You compare medians. The distance is the difference of the two means.",
        lambda a, b: _share(
            a, b, distance=lambda x, y: abs(np.median(x) - np.median(y))
        ),
    ),
    (
        "You compare sums. With groups of different sizes that is another question; "
        "compare the means.",
        lambda a, b: _share(a, b, distance=lambda x, y: abs(x.sum() - y.sum())),
    ),
    (
        "You return a count. Divide by the number of divisions.",
        lambda a, b: float(np.sum(_divided(a, b)[0] >= _divided(a, b)[1] - 1e-9)),
    ),
    (
        "You return the difference of the means. Return the share of the divisions "
        "whose difference is at least as large.",
        lambda a, b: float(abs(np.mean(a) - np.mean(b))),
    ),
]:
    permutation_test.known_mistake(_message)(_wrong)
