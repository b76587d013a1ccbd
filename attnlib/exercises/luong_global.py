"""Exercises of chapter 05, "Luong's global attention"."""

import numpy as np

from attnlib import reference as ref
from attnlib.checking.exercise import exercise
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
from attnlib.exercises._shared import recurrent_cell

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
    mask: (batch, source_len), True = may be attended; source_len <= max_source_len.
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
    mask: (batch, source_len), True = may be attended.
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

    query: the name of what asks. joined: the names of what w_c multiplies. finish: what
    takes the place of the tanh.
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
