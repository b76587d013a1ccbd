"""Exercises of chapter 05, "Luong's global attention"."""

import numpy as np

from attnlib import reference as ref
from attnlib.checking.exercise import exercise
from attnlib.exercises._shared import recurrent_cell


def _dot_cases(rng):
    yield (
        "one query and three keys of dimension 2",
        (np.array([[[1.0, 2.0]]]), np.array([[[1.0, 0.0], [0.0, 1.0], [3.0, -1.0]]])),
    )
    yield "two sentences", (rng.normal(size=(2, 4, 3)), rng.normal(size=(2, 5, 3)))
    yield (
        "as many queries as keys",
        (rng.normal(size=(3, 4, 4)), rng.normal(size=(3, 4, 4))),
    )


@exercise(
    _dot_cases,
    hints=[
        (
            "Start with one sentence: query (target_len, dim) and keys (source_len, "
            "dim). Which matrix product gives (target_len, source_len)?"
        ),
        (
            "`keys.transpose(0, 2, 1)` turns (batch, source_len, dim) into (batch, "
            "dim, source_len). `@` leaves the batch axis as it is."
        ),
    ],
)
def dot_scores(query, keys):
    """score(h_t, h_s) = h_t . h_s for each query t and key s.

    query: (batch, target_len, dim). keys: (batch, source_len, dim).
    Returns scores (batch, target_len, source_len).
    """
    return query @ keys.transpose(0, 2, 1)


@dot_scores.known_mistake(
    "You divide by the square root of the dimension. "
    "Luong's dot score is not scaled; that came in 2017."
)
def dot_scaled(query, keys):
    return query @ keys.transpose(0, 2, 1) / np.sqrt(query.shape[-1])


@dot_scores.known_mistake("These are weights. Return the scores, before the softmax.")
def dot_weights(query, keys):
    return ref.softmax(query @ keys.transpose(0, 2, 1))


@dot_scores.known_mistake(
    "Your scores have shape (batch, source_len, target_len). "
    "Queries should be the rows and keys the columns."
)
def dot_transposed(query, keys):
    return keys @ query.transpose(0, 2, 1)


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


@dot_scores.known_mistake(
    "You mix sentences. Compare every query only with the keys of its own sentence."
)
def dot_over_batches(query, keys):
    return np.einsum("btd,csd->bts", query, keys)


def _general_cases(rng):
    query = np.array([[[1.0, 2.0]]])
    keys = np.array([[[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]]])
    yield (
        "one query of dimension 2, two keys of dimension 3",
        (query, keys, np.array([[1.0, 0.0, 2.0], [0.0, 3.0, -1.0]])),
    )
    yield (
        "two sentences",
        (
            rng.normal(size=(2, 4, 3)),
            rng.normal(size=(2, 5, 6)),
            rng.normal(size=(3, 6)),
        ),
    )
    yield (
        "query and keys of the same dimension",
        (
            rng.normal(size=(2, 3, 4)),
            rng.normal(size=(2, 5, 4)),
            rng.normal(size=(4, 4)),
        ),
    )


@exercise(
    _general_cases,
    hints=[
        (
            "It is the dot score of two vectors. Which of them does `w`, (query_dim, "
            "key_dim), project to the dimension of the other?"
        ),
        "`query @ w` has shape (batch, target_len, key_dim). The rest is `dot_scores`.",
    ],
)
def general_scores(query, keys, w):
    """score(h_t, h_s) = h_t w h_s for each query t and key s.

    query: (batch, target_len, query_dim). keys: (batch, source_len, key_dim).
    w: (query_dim, key_dim). Returns scores (batch, target_len, source_len).
    """
    return (query @ w) @ keys.transpose(0, 2, 1)


@general_scores.known_mistake(
    "W_a is transposed. Here it multiplies the query from the right: query @ w."
)
def general_transposed_w(query, keys, w):
    return (query @ w.T) @ keys.transpose(0, 2, 1)


@general_scores.known_mistake("w is missing: this is the dot score.")
def general_without_w(query, keys, w):
    return query @ keys.transpose(0, 2, 1)


@general_scores.known_mistake(
    "These are weights. Return the scores, before the softmax."
)
def general_weights(query, keys, w):
    return ref.softmax((query @ w) @ keys.transpose(0, 2, 1))


@general_scores.known_mistake(
    "There is no tanh in this score: "
    "general is a product of three factors and nothing else."
)
def general_tanh(query, keys, w):
    return np.tanh(query @ w) @ keys.transpose(0, 2, 1)


@general_scores.known_mistake(
    "Your scores have shape (batch, source_len, target_len). "
    "Queries should be the rows and keys the columns."
)
def general_swapped(query, keys, w):
    return general_scores.reference_solution(query, keys, w).transpose(0, 2, 1)


def _concat_cases(rng):
    query, keys = np.array([[[0.5]]]), np.array([[[1.0], [-1.0]]])
    yield (
        "one query and two keys of dimension 1",
        (query, keys, np.array([[1.0], [2.0]]), np.array([2.0])),
    )
    for sizes in ((3, 6, 7), (4, 4, 4)):
        query_dim, key_dim, units = sizes
        query = rng.normal(size=(2, 4, query_dim))
        keys = rng.normal(size=(2, 5, key_dim))
        yield (
            "two sentences",
            (
                query,
                keys,
                rng.normal(size=(query_dim + key_dim, units)),
                rng.normal(size=units),
            ),
        )


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
)
def concat_scores(query, keys, w, v):
    """score(h_t, h_s) = v . tanh([h_t ; h_s] w) for each query t and key s.

    query: (batch, target_len, query_dim). keys: (batch, source_len, key_dim).
    w: (query_dim + key_dim, units). v: (units,).
    Returns scores (batch, target_len, source_len).
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


@concat_scores.known_mistake(
    "tanh is missing. "
    "Without it, the query adds the same number to the score of every key."
)
def concat_without_tanh(query, keys, w, v):
    return np.concatenate(_joined(query, keys), axis=-1) @ w @ v


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
    return np.tanh(np.concatenate(_joined(query, keys), axis=-1) @ w).sum(-1)


@concat_scores.known_mistake(
    "Your keys are not multiplied by their half of w. "
    "That is the experiment of footnote 15, not the formula."
)
def concat_identity(query, keys, w, v):
    query_dim = query.shape[-1]
    return np.tanh((query @ w[:query_dim])[:, :, None, :] + keys[:, None, :, :]) @ v


@concat_scores.known_mistake(
    "You take tanh after the product with v. "
    "It belongs before: v multiplies the hidden units."
)
def concat_tanh_last(query, keys, w, v):
    return np.tanh(np.concatenate(_joined(query, keys), axis=-1) @ w @ v)


@concat_scores.known_mistake(
    "These are weights. Return the scores, before the softmax."
)
def concat_weights(query, keys, w, v):
    return ref.softmax(concat_scores.reference_solution(query, keys, w, v))


def _location_cases(rng):
    query, w = np.array([[[1.0], [-2.0]]]), np.array([[3.0, 0.0, 1.0]])
    yield (
        "two queries, a source of two words, three at most",
        (query, w, np.array([[True, True]])),
    )
    query, w = rng.normal(size=(3, 4, 2)), rng.normal(size=(2, 7))
    yield (
        "three sentences of 5, 1, and 3 words",
        (query, w, np.arange(5) < np.array([[5], [1], [3]])),
    )
    yield "sources of the maximum length", (query, w, np.ones((3, 7), bool))


@exercise(
    _location_cases,
    hints=[
        (
            "The source words play no role: "
            "`query @ w` has a column for each of the max_source_len positions. "
            "Short sources use the first `mask.shape[1]` of them."
        ),
        (
            "Cut before the softmax, and mask the padding: "
            "`ref.softmax(scores, mask[:, None, :])`."
        ),
    ],
)
def location_weights(query, w, mask):
    """a_t = softmax(h_t w) over the source's own positions, from the query alone.

    query: (batch, target_len, query_dim). w: (query_dim, max_source_len).
    mask: (batch, source_len), True = may be attended; source_len <= max_source_len.
    Returns weights (batch, target_len, source_len).
    """
    scores = (query @ w)[:, :, : mask.shape[1]]  # (batch, target_len, source_len)
    return ref.softmax(scores, mask[:, None, :])


@location_weights.known_mistake(
    "You cut the weights after the softmax, "
    "so the weight of positions beyond the source is lost."
)
def location_cut_after(query, w, mask):
    weights = ref.softmax(query @ w)[:, :, : mask.shape[1]]
    return weights * mask[:, None, :]


@location_weights.known_mistake(
    "Your weights have a column for each of the max_source_len positions. "
    "Keep only those of the source."
)
def location_not_cut(query, w, mask):
    return ref.softmax(query @ w)


@location_weights.known_mistake("Your function ignores the mask: padding gets weight.")
def location_mask_ignored(query, w, mask):
    return ref.softmax((query @ w)[:, :, : mask.shape[1]])


@location_weights.known_mistake(
    "These are scores. This function should also take the softmax."
)
def location_without_softmax(query, w, mask):
    return (query @ w)[:, :, : mask.shape[1]] * mask[:, None, :]


@location_weights.known_mistake(
    "You keep the last columns. A short source uses the first ones."
)
def location_last_kept(query, w, mask):
    return ref.softmax((query @ w)[:, :, -mask.shape[1] :], mask[:, None, :])


def _step_arguments(rng, batch, source_len, units, word_dim, lengths):
    state = rng.normal(size=(batch, units))
    fed = np.tanh(rng.normal(size=(batch, units)))
    word = rng.normal(size=(batch, word_dim))
    annotations = rng.normal(size=(batch, source_len, units))
    mask = np.arange(source_len) < np.array(lengths)[:, None]
    gru = recurrent_cell(rng, word_dim + units, units, joined="fed")
    return state, fed, word, annotations, mask, rng.normal(size=(2 * units, units)), gru


def _step_cases(rng):
    yield (
        "one sentence of two words and one padded position",
        _step_arguments(rng, 1, 3, 1, 2, [2]),
    )
    yield (
        "three sentences of 5, 2, and 4 words",
        _step_arguments(rng, 3, 5, 4, 2, [5, 2, 4]),
    )
    yield "three sentences without padding", _step_arguments(rng, 3, 4, 4, 3, [4, 4, 4])


@exercise(
    _step_cases,
    hints=[
        (
            "The recurrence comes first: `gru(np.concatenate([word, fed], axis=-1), "
            "state)`. The *new* state is the query."
        ),
        (
            "`ref.dot_scores` and `ref.attend` expect a query of shape (batch, "
            "1, units). What remains is "
            "`np.tanh(np.concatenate([context, new_state], axis=-1) @ w_c)`."
        ),
    ],
    returns=("new_state", "attentional", "weights"),
)
def input_feeding_step(state, fed, word, annotations, mask, w_c, gru):
    """One step: h_t = gru([y_{t-1} ; h~_{t-1}], h_{t-1}) -> weights -> c_t -> h~_t.

    state: (batch, units), h_{t-1}. fed: (batch, units), h~_{t-1}. word: (batch, dim).
    annotations: (batch, source_len, units). mask: (batch, source_len).
    w_c: (2 * units, units). gru: function (inputs, state) -> new state.
    Returns new_state and attentional = tanh([c_t ; h_t] w_c), both (batch, units), and
    weights (batch, source_len), by the dot score.
    """
    new_state = gru(np.concatenate([word, fed], axis=-1), state)
    query = new_state[:, None, :]  # (batch, 1, units)
    scores = ref.dot_scores(query, annotations)  # (batch, 1, source_len)
    context, weights = ref.attend(scores, annotations, mask)
    context, weights = context[:, 0], weights[:, 0]
    attentional = np.tanh(np.concatenate([context, new_state], axis=-1) @ w_c)
    return new_state, attentional, weights


def _attended(state, annotations, mask):
    scores = ref.dot_scores(state[:, None, :], annotations)  # (batch, 1, source_len)
    context, weights = ref.attend(scores, annotations, mask)
    return context[:, 0], weights[:, 0]


def _joined_product(one, other, w_c):
    return np.concatenate([one, other], axis=-1) @ w_c


@input_feeding_step.known_mistake(
    "Your query is the previous state. "
    "Luong's recurrence runs first: the new state is the query."
)
def query_is_the_old_state(state, fed, word, annotations, mask, w_c, gru):
    new_state = gru(np.concatenate([word, fed], axis=-1), state)
    context, weights = _attended(state, annotations, mask)
    return new_state, np.tanh(_joined_product(context, new_state, w_c)), weights


@input_feeding_step.known_mistake(
    "You feed the context. "
    "Input feeding passes on the attentional state h~, which you are given as fed."
)
def context_fed(state, fed, word, annotations, mask, w_c, gru):
    context, _ = _attended(state, annotations, mask)
    return input_feeding_step.reference_solution(
        state, context, word, annotations, mask, w_c, gru
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
    new_state = gru(np.concatenate([fed, word], axis=-1), state)
    context, weights = _attended(new_state, annotations, mask)
    return new_state, np.tanh(_joined_product(context, new_state, w_c)), weights


@input_feeding_step.known_mistake(
    "You concatenate [h_t ; c_t]. Equation 5 has [c_t ; h_t]."
)
def state_before_context(state, fed, word, annotations, mask, w_c, gru):
    new_state = gru(np.concatenate([word, fed], axis=-1), state)
    context, weights = _attended(new_state, annotations, mask)
    return new_state, np.tanh(_joined_product(new_state, context, w_c)), weights


@input_feeding_step.known_mistake("tanh is missing from h~ (equation 5).")
def attentional_without_tanh(state, fed, word, annotations, mask, w_c, gru):
    new_state = gru(np.concatenate([word, fed], axis=-1), state)
    context, weights = _attended(new_state, annotations, mask)
    return new_state, _joined_product(context, new_state, w_c), weights


@input_feeding_step.known_mistake("Your step ignores the mask: padding gets weight.")
def padding_attended(state, fed, word, annotations, mask, w_c, gru):
    return input_feeding_step.reference_solution(
        state, fed, word, annotations, mask | True, w_c, gru
    )


@input_feeding_step.known_mistake(
    "You return h~_t as the new state. "
    "It should be h_t: the recurrence keeps its own state."
)
def attentional_as_state(state, fed, word, annotations, mask, w_c, gru):
    _, attentional, weights = input_feeding_step.reference_solution(
        state, fed, word, annotations, mask, w_c, gru
    )
    return attentional, attentional, weights
