"""Exercises of chapter 05, "Luong's global attention"."""

import numpy as np

from attnlib import reference as ref
from attnlib.checking.exercise import exercise


def _dot_cases(rng):
    yield (
        "one query, three keys, two wide",
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
            "One sentence first: query (target_len, dim) and keys (source_len, dim)."
            " Which matrix product gives (target_len, source_len)?"
        ),
        (
            "`keys.transpose(0, 2, 1)` turns (batch, source_len, dim) into (batch, dim,"
            " source_len). `@` leaves the batch axis alone."
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
    "You divide by the root of the width. Luong's dot score is not scaled; that came in"
    " 2017."
)
def dot_scaled(query, keys):
    return query @ keys.transpose(0, 2, 1) / np.sqrt(query.shape[-1])


@dot_scores.known_mistake(
    "These are weights already. Return the scores, before the softmax."
)
def dot_weights(query, keys):
    return ref.softmax(query @ keys.transpose(0, 2, 1))


@dot_scores.known_mistake(
    "Your scores are (batch, source_len, target_len): queries are the rows, keys the"
    " columns."
)
def dot_transposed(query, keys):
    return keys @ query.transpose(0, 2, 1)


@dot_scores.known_mistake(
    "You divide by the lengths of the vectors. That is the cosine: the dot score lets"
    " long vectors count."
)
def dot_cosine(query, keys):
    lengths = [np.linalg.norm(x, axis=-1, keepdims=True) for x in (query, keys)]
    return (query / lengths[0]) @ (keys / lengths[1]).transpose(0, 2, 1)


@dot_scores.known_mistake(
    "You multiply number by number and keep the width. Sum over it: a score is one"
    " number."
)
def dot_not_summed(query, keys):
    return query[:, :, None, :] * keys[:, None, :, :]


@dot_scores.known_mistake(
    "You mix sentences: every query meets the keys of its own sentence alone."
)
def dot_over_batches(query, keys):
    return np.einsum("btd,csd->bts", query, keys)


def _general_cases(rng):
    query, keys = (
        np.array([[[1.0, 2.0]]]),
        np.array([[[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]]]),
    )
    yield (
        "one query two wide, two keys three wide",
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
        "as wide as each other",
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
            "It is the dot score of two vectors: which of them does `w`, (query_dim,"
            " key_dim), bring to the width of the other?"
        ),
        "`query @ w` is (batch, target_len, key_dim). From there it is `dot_scores`.",
    ],
)
def general_scores(query, keys, w):
    """score(h_t, h_s) = h_t w h_s for each query t and key s.

    query: (batch, target_len, query_dim). keys: (batch, source_len, key_dim).
    w: (query_dim, key_dim). Returns scores (batch, target_len, source_len).
    """
    return (query @ w) @ keys.transpose(0, 2, 1)


@general_scores.known_mistake(
    "W_a is the wrong way round: here it acts on the query from the right, query @ w."
)
def general_transposed_w(query, keys, w):
    return (query @ w.T) @ keys.transpose(0, 2, 1)


@general_scores.known_mistake("w is missing: this is the dot score.")
def general_without_w(query, keys, w):
    return query @ keys.transpose(0, 2, 1)


@general_scores.known_mistake(
    "These are weights already. Return the scores, before the softmax."
)
def general_weights(query, keys, w):
    return ref.softmax((query @ w) @ keys.transpose(0, 2, 1))


@general_scores.known_mistake(
    "There is no tanh in this score: general is a product of three, and nothing else."
)
def general_tanh(query, keys, w):
    return np.tanh(query @ w) @ keys.transpose(0, 2, 1)


@general_scores.known_mistake(
    "Your scores are (batch, source_len, target_len): queries are the rows, keys the"
    " columns."
)
def general_swapped(query, keys, w):
    return general_scores.reference_solution(query, keys, w).transpose(0, 2, 1)


def _concat_cases(rng):
    query, keys = np.array([[[0.5]]]), np.array([[[1.0], [-1.0]]])
    yield (
        "one query, two keys, all one wide",
        (query, keys, np.array([[1.0], [2.0]]), np.array([2.0])),
    )
    for sizes in ((3, 6, 7), (4, 4, 4)):
        query_dim, key_dim, units = sizes
        query, keys = (
            rng.normal(size=(2, 4, query_dim)),
            rng.normal(size=(2, 5, key_dim)),
        )
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
            "You can join each pair, as the formula says. `np.broadcast_to` makes a"
            " query for every key, and a key for every query; `np.concatenate(...,"
            " axis=-1)` joins them."
        ),
        (
            "Cheaper, and the same: the first `query.shape[-1]` rows of `w` meet the"
            " query alone, the others the key alone. Two products, added with axes of"
            " length 1 between them."
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
    "tanh is missing: without it the query adds the same number to every key's score."
)
def concat_without_tanh(query, keys, w, v):
    return np.concatenate(_joined(query, keys), axis=-1) @ w @ v


@concat_scores.known_mistake(
    "You join [key ; query]. The query's rows of w come first."
)
def concat_key_first(query, keys, w, v):
    return np.tanh(np.concatenate(_joined(query, keys)[::-1], axis=-1) @ w) @ v


@concat_scores.known_mistake(
    "v is missing: you add the hidden units up, and each should count v times."
)
def concat_without_v(query, keys, w, v):
    return np.tanh(np.concatenate(_joined(query, keys), axis=-1) @ w).sum(-1)


@concat_scores.known_mistake(
    "The key's half is left as it is. That is footnote 15's experiment, not the"
    " formula."
)
def concat_identity(query, keys, w, v):
    query_dim = query.shape[-1]
    return np.tanh((query @ w[:query_dim])[:, :, None, :] + keys[:, None, :, :]) @ v


@concat_scores.known_mistake(
    "You take tanh after the product with v. It belongs before: v weighs the hidden"
    " units."
)
def concat_tanh_last(query, keys, w, v):
    return np.tanh(np.concatenate(_joined(query, keys), axis=-1) @ w @ v)


@concat_scores.known_mistake(
    "These are weights already. Return the scores, before the softmax."
)
def concat_weights(query, keys, w, v):
    return ref.softmax(concat_scores.reference_solution(query, keys, w, v))


def _location_cases(rng):
    query, w = np.array([[[1.0], [-2.0]]]), np.array([[3.0, 0.0, 1.0]])
    yield (
        "two queries, a source of two words, room for three",
        (query, w, np.array([[True, True]])),
    )
    query, w = rng.normal(size=(3, 4, 2)), rng.normal(size=(2, 7))
    yield (
        "three sentences of 5, 1 and 3 words",
        (query, w, np.arange(5) < np.array([[5], [1], [3]])),
    )
    yield "as long as there is room for", (query, w, np.ones((3, 7), bool))


@exercise(
    _location_cases,
    hints=[
        (
            "No source word is looked at: `query @ w` has a column for every position"
            " that there is room for. Short sources use the first `mask.shape[1]` of"
            " them."
        ),
        (
            "Cut before the softmax, and leave padding out of it: `ref.softmax(scores,"
            " mask[:, None, :])`."
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
    "You cut the weights after the softmax: what was given to places that are not there"
    " is lost."
)
def location_cut_after(query, w, mask):
    weights = ref.softmax(query @ w)[:, :, : mask.shape[1]]
    return weights * mask[:, None, :]


@location_weights.known_mistake(
    "Your weights have a column for every position there is room for. Keep the source's"
    " own."
)
def location_not_cut(query, w, mask):
    return ref.softmax(query @ w)


@location_weights.known_mistake("Your function ignores the mask: padding gets weight.")
def location_mask_ignored(query, w, mask):
    return ref.softmax((query @ w)[:, :, : mask.shape[1]])


@location_weights.known_mistake(
    "These are scores. Here the softmax belongs to the task."
)
def location_without_softmax(query, w, mask):
    return (query @ w)[:, :, : mask.shape[1]] * mask[:, None, :]


@location_weights.known_mistake(
    "You keep the last positions of the room. A short source uses the first."
)
def location_last_kept(query, w, mask):
    return ref.softmax((query @ w)[:, :, -mask.shape[1] :], mask[:, None, :])


def _cell(rng, input_dim, units):
    w_input, w_state = (
        rng.normal(size=(input_dim, units)),
        rng.normal(size=(units, units)),
    )

    def gru(inputs, state):
        widths = np.shape(inputs)[-1], np.shape(state)[-1]
        if widths != (input_dim, units):
            raise ValueError(
                f"gru(inputs, state) takes inputs [word ; fed] of width {input_dim} and"
                f" a state of width {units}, got {widths[0]} and {widths[1]}"
            )
        return 0.5 * state + 0.5 * np.tanh(inputs @ w_input + state @ w_state)

    return gru


def _step_arguments(rng, batch, source_len, units, word_dim, lengths):
    state, fed = (
        rng.normal(size=(batch, units)),
        np.tanh(rng.normal(size=(batch, units))),
    )
    word, annotations = (
        rng.normal(size=(batch, word_dim)),
        rng.normal(size=(batch, source_len, units)),
    )
    mask = np.arange(source_len) < np.array(lengths)[:, None]
    gru = _cell(rng, word_dim + units, units)
    return state, fed, word, annotations, mask, rng.normal(size=(2 * units, units)), gru


def _step_cases(rng):
    yield (
        "one sentence of two words and one padded",
        _step_arguments(rng, 1, 3, 1, 2, [2]),
    )
    yield (
        "three sentences of 5, 2 and 4 words",
        _step_arguments(rng, 3, 5, 4, 2, [5, 2, 4]),
    )
    yield "three sentences without padding", _step_arguments(rng, 3, 4, 4, 3, [4, 4, 4])


@exercise(
    _step_cases,
    hints=[
        (
            "The recurrence comes first: `gru(np.concatenate([word, fed], axis=-1),"
            " state)`. The *new* state is the query."
        ),
        (
            "`ref.dot_scores` and `ref.attend` want a query of shape (batch, 1, units)."
            " What is left is `np.tanh(np.concatenate([context, new_state], axis=-1) @"
            " w_c)`."
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


def _looked(query, annotations, mask):
    context, weights = ref.attend(
        ref.dot_scores(query[:, None, :], annotations), annotations, mask
    )
    return context[:, 0], weights[:, 0]


@input_feeding_step.known_mistake(
    "Your query is the state before. Luong's recurrence runs first: the new state asks."
)
def query_is_the_old_state(state, fed, word, annotations, mask, w_c, gru):
    new_state = gru(np.concatenate([word, fed], axis=-1), state)
    context, weights = _looked(state, annotations, mask)
    return (
        new_state,
        np.tanh(np.concatenate([context, new_state], axis=-1) @ w_c),
        weights,
    )


@input_feeding_step.known_mistake(
    "You feed the context. Input feeding hands on the attentional state h~, which is"
    " given as fed."
)
def context_fed(state, fed, word, annotations, mask, w_c, gru):
    return input_feeding_step.reference_solution(
        state, _looked(state, annotations, mask)[0], word, annotations, mask, w_c, gru
    )


@input_feeding_step.known_mistake(
    "The cell never sees h~_{t-1}: its input is [word ; fed]."
)
def nothing_fed(state, fed, word, annotations, mask, w_c, gru):
    return input_feeding_step.reference_solution(
        state, 0 * fed, word, annotations, mask, w_c, gru
    )


@input_feeding_step.known_mistake("The cell's input is [word ; fed], in this order.")
def fed_before_word(state, fed, word, annotations, mask, w_c, gru):
    new_state = gru(np.concatenate([fed, word], axis=-1), state)
    context, weights = _looked(new_state, annotations, mask)
    return (
        new_state,
        np.tanh(np.concatenate([context, new_state], axis=-1) @ w_c),
        weights,
    )


@input_feeding_step.known_mistake("You join [h_t ; c_t]. Equation 5 has [c_t ; h_t].")
def state_before_context(state, fed, word, annotations, mask, w_c, gru):
    new_state = gru(np.concatenate([word, fed], axis=-1), state)
    context, weights = _looked(new_state, annotations, mask)
    return (
        new_state,
        np.tanh(np.concatenate([new_state, context], axis=-1) @ w_c),
        weights,
    )


@input_feeding_step.known_mistake("tanh is missing from h~ (equation 5).")
def attentional_without_tanh(state, fed, word, annotations, mask, w_c, gru):
    new_state = gru(np.concatenate([word, fed], axis=-1), state)
    context, weights = _looked(new_state, annotations, mask)
    return new_state, np.concatenate([context, new_state], axis=-1) @ w_c, weights


@input_feeding_step.known_mistake("Your step ignores the mask: padding gets weight.")
def padding_attended(state, fed, word, annotations, mask, w_c, gru):
    return input_feeding_step.reference_solution(
        state, fed, word, annotations, mask | True, w_c, gru
    )


@input_feeding_step.known_mistake(
    "The state handed on is h_t, not h~_t: the recurrence keeps its own state."
)
def attentional_as_state(state, fed, word, annotations, mask, w_c, gru):
    _, attentional, weights = input_feeding_step.reference_solution(
        state, fed, word, annotations, mask, w_c, gru
    )
    return attentional, attentional, weights
