"""Exercises of chapter 03, "Bahdanau attention: align and translate"."""

import functools
import sys
import types

import numpy as np

from attnlib import numpy_translators
from attnlib import reference as ref
from attnlib.checking import compare, sandbox
from attnlib.checking.exercise import exercise
from attnlib.exercises import bottleneck, psychology
from attnlib.exercises._demands import (
    extreme_scores,
    five_masks,
    in_float32,
    spoiled_padding,
)
from attnlib.exercises._mistakes import (
    ADDED,
    OF_ONE_SENTENCE,
    add_mask_from_the_front,
    add_softmax_mistakes,
)
from attnlib.exercises._shared import passing_parts, recurrent_cell


def _score_arguments(rng, batch, target_len, source_len, query_dim, key_dim, units):
    return (
        rng.normal(size=(batch, target_len, query_dim)),
        rng.normal(size=(batch, source_len, key_dim)),
        rng.normal(size=(query_dim, units)),
        rng.normal(size=(key_dim, units)),
        rng.normal(size=units),
    )


def _score_cases(rng):
    query, keys = np.array([[[0.5], [-1.0]]]), np.array([[[0.0], [1.0]]])
    yield (
        "two queries and two keys of dimension 1",
        (query, keys, np.eye(1), np.eye(1), np.array([2.0])),
    )
    yield "every size is 2", _score_arguments(rng, 2, 2, 2, 2, 2, 2)
    yield "two sentences, all sizes different", _score_arguments(rng, 2, 4, 5, 3, 6, 7)
    yield "one query and one key", _score_arguments(rng, 1, 1, 1, 2, 3, 4)
    yield "one hidden unit", _score_arguments(rng, 3, 2, 4, 3, 2, 1)
    shapes = [(3, 1, 2), (3, 4, 2), (2, 3), (2, 3), (3,)]
    whole = tuple(rng.integers(-2, 3, shape).astype(float) for shape in shapes)
    yield "integers", whole
    yield "large numbers", tuple(50 * number for number in whole)
    yield "float32", in_float32(_score_arguments(rng, 2, 3, 4, 2, 2, 5))


@exercise(
    _score_cases,
    hints=[
        (
            "Project both sides to `units` dimensions first: `query @ w_query` "
            "and `keys @ w_keys`. Then combine every query with every key: "
            "which shapes broadcast to (batch, target_len, source_len, units)?"
        ),
        (
            "Indexing with `None` inserts an axis of length 1. The projected query "
            "needs one where the keys have source_len, and the projected keys need one "
            "where the query has target_len. After the tanh, the product with `v` sums "
            "over the units."
        ),
    ],
    batch=("query", "keys"),
)
def additive_scores(query, keys, w_query, w_keys, v):
    """e_ij = v . tanh(query_i w_query + key_j w_keys) for each query i and key j.

    query: (batch, target_len, query_dim). keys: (batch, source_len, key_dim).
    w_query: (query_dim, units). w_keys: (key_dim, units). v: (units,).
    Returns scores (batch, target_len, source_len).
    """
    projected_query = (query @ w_query)[:, :, None, :]  # (batch, target_len, 1, units)
    projected_keys = (keys @ w_keys)[:, None, :, :]  # (batch, 1, source_len, units)
    hidden = np.tanh(projected_query + projected_keys)
    return hidden @ v  # (batch, target_len, source_len)


def _pairs(query, keys, w_query, w_keys):
    return (query @ w_query)[:, :, None, :], (keys @ w_keys)[:, None, :, :]


@additive_scores.known_mistake(
    "tanh is missing. Without it, the query adds the same number to the score of every "
    "key, and has no effect on the weights."
)
def without_tanh(query, keys, w_query, w_keys, v):
    one, other = _pairs(query, keys, w_query, w_keys)
    return (one + other) @ v


@additive_scores.known_mistake(
    "You add two tanh values. Take the tanh of the sum instead; otherwise the query "
    "has no effect on the weights."
)
def tanh_before_the_sum(query, keys, w_query, w_keys, v):
    one, other = _pairs(query, keys, w_query, w_keys)
    return (np.tanh(one) + np.tanh(other)) @ v


@additive_scores.known_mistake(
    "You apply tanh after the product with v. It belongs before that product, because "
    "v multiplies the hidden units, which are already the result of the tanh."
)
def tanh_last(query, keys, w_query, w_keys, v):
    one, other = _pairs(query, keys, w_query, w_keys)
    return np.tanh((one + other) @ v)


@additive_scores.known_mistake(
    "You apply tanh after the product with v. It belongs before that product, because "
    "v multiplies the hidden units, which are already the result of the tanh."
)
def v_inside_the_tanh(query, keys, w_query, w_keys, v):
    one, other = _pairs(query, keys, w_query, w_keys)
    return np.tanh((one + other) * v).sum(axis=-1)


@additive_scores.known_mistake(
    "v is missing. You sum the hidden units, but each of them should first be "
    "multiplied by its element of v."
)
def without_v(query, keys, w_query, w_keys, v):
    one, other = _pairs(query, keys, w_query, w_keys)
    return np.tanh(one + other).sum(axis=-1)


@additive_scores.known_mistake(
    "You multiply the two projections. The additive score adds them, which is where "
    "its name comes from."
)
def multiplied(query, keys, w_query, w_keys, v):
    one, other = _pairs(query, keys, w_query, w_keys)
    return np.tanh(one * other) @ v


@additive_scores.known_mistake(
    "The two matrices are swapped: w_query belongs to the query, and w_keys to the "
    "keys."
)
def matrices_exchanged(query, keys, w_query, w_keys, v):
    return additive_scores.reference_solution(query, keys, w_keys, w_query, v)


@additive_scores.known_mistake(
    "Your score of query i belongs to key i alone. Every query should meet every key, "
    "so give each side an axis of length 1 where the other has its positions."
)
def only_pairs_of_equal_position(query, keys, w_query, w_keys, v):
    return np.tanh(query @ w_query + keys @ w_keys) @ v


@additive_scores.known_mistake(OF_ONE_SENTENCE)
def keys_of_one_sentence(query, keys, w_query, w_keys, v):
    return np.tanh((query @ w_query)[:, :, None] + (keys @ w_keys)[None]) @ v


@additive_scores.known_mistake(OF_ONE_SENTENCE)
def axes_of_one_sentence(query, keys, w_query, w_keys, v):
    return np.tanh((query @ w_query)[:, None] + (keys @ w_keys)[None]) @ v


@additive_scores.known_mistake(
    "You subtract one projection from the other. The additive score adds them."
)
def subtracted(query, keys, w_query, w_keys, v):
    return additive_scores.reference_solution(query, -keys, w_query, w_keys, v)


@additive_scores.known_mistake(
    "You subtract one projection from the other. The additive score adds them."
)
def subtracted_the_other_way(query, keys, w_query, w_keys, v):
    return additive_scores.reference_solution(-query, keys, w_query, w_keys, v)


@additive_scores.known_mistake(
    "Your scores have shape (batch, source_len, target_len). "
    "Queries should be the rows and keys the columns."
)
def transposed(query, keys, w_query, w_keys, v):
    return additive_scores.reference_solution(keys, query, w_keys, w_query, v)


@additive_scores.known_mistake(
    "You return weights. Return the scores, as they are before the softmax."
)
def weights_already(query, keys, w_query, w_keys, v):
    return ref.softmax(ref.additive_scores(query, keys, w_query, w_keys, v))


@additive_scores.known_mistake(
    "You return weights. Return the scores, as they are before the softmax."
)
def weights_over_the_queries(query, keys, w_query, w_keys, v):
    scores = ref.additive_scores(query, keys, w_query, w_keys, v)
    return ref.softmax(scores.swapaxes(1, 2)).swapaxes(1, 2)


@additive_scores.known_mistake(
    "The query is missing from your scores: every target position gets the same scores."
)
def without_query(query, keys, w_query, w_keys, v):
    return additive_scores.reference_solution(0 * query, keys, w_query, w_keys, v)


@additive_scores.known_mistake(
    "The keys are missing from your scores: every source position gets the same score."
)
def without_keys(query, keys, w_query, w_keys, v):
    return additive_scores.reference_solution(query, 0 * keys, w_query, w_keys, v)


def _attend_cases(rng):
    scores = np.array([[[0.0, 1.0, 2.0], [1.0, 1.0, 3.0]]])
    values = np.array([[[1.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 4.0]]])
    yield "two queries, three words, no mask", (scores, values)
    yield "the last word is padding", (scores, values, np.array([[True, True, False]]))
    mask = np.vstack([np.ones((1, 5), bool), five_masks(5)])  # all words, and the five
    scores, values = rng.normal(size=(6, 4, 5)), rng.normal(size=(6, 5, 2))
    yield (
        "a sentence with nothing to attend to, beside a full one",
        (scores[[0, 5], :1], values[[0, 5]], mask[[0, 5]]),
    )
    yield "masks of every kind", (scores, values, mask)
    yield "negative scores", (scores - 5, values, mask)
    extreme = np.stack([extreme_scores(3), -extreme_scores(3)])  # (2, 3, 3)
    yield "scores of 1000", (extreme, rng.normal(size=(2, 3, 2)))
    mask = np.array([[True, True, False], [False, True, True]])
    yield "scores of 1000, with padding", (extreme, rng.normal(size=(2, 3, 2)), mask)
    scores = rng.integers(-20_005, -20_000, (6, 2, 5))
    mask = np.vstack([np.ones((1, 5), bool), five_masks(5)])
    spoiled = spoiled_padding(scores, np.repeat(mask[:, None, :], 2, axis=1))
    yield "inf, NaN, and 1e10 at padding", (spoiled, values, mask)
    scores = rng.normal(size=(3, 3, 3))
    mask = np.array([[True, False, True], [True, True, True], [False, True, True]])
    yield "every size is 3", (scores, rng.normal(size=(3, 3, 3)), mask)
    yield "one word", (np.array([[[7.0]]]), np.array([[[3.0, 5.0]]]))
    one_of_two = np.array([[True], [False]])
    yield "one word, or none", (np.zeros((2, 1, 1)), np.ones((2, 1, 3)), one_of_two)
    whole = [rng.integers(-3, 4, shape) * 1.0 for shape in ((2, 1, 4), (2, 4, 3))]
    yield "integers", (*whole, five_masks(4)[1:3])
    above, mask = np.array([[[1.0, 0.0, 720.0]]]), np.array([[True, True, False]])
    yield "a padded score of 720", (above, np.array([[[1.0], [2.0], [4.0]]]), mask)
    scores, values = rng.normal(size=(5, 2, 4)), rng.normal(size=(5, 4, 6))
    yield "float32", in_float32((scores, values, five_masks(4)))


@exercise(
    _attend_cases,
    hints=[
        (
            "`ref.softmax(scores, mask)` from chapter 01 leaves padding out, whatever "
            "the scores are there, and returns zeros for a row with nothing left. Its "
            "mask has to broadcast to the shape of the scores, (batch, target_len, "
            "source_len). Which axis is missing from yours?"
        ),
        (
            "`mask=None` means the same as a mask that is True everywhere. The context "
            "is one matrix product: each row of weights times the values of its "
            "sentence. If you write the softmax yourself, set padding to -inf before "
            "you take the row's maximum."
        ),
    ],
    returns=("context", "weights"),
    batch=("scores", "values", "mask"),
)
def attend(scores, values, mask=None):
    """weights = softmax(scores) over the source, context = weights @ values.

    scores: (batch, target_len, source_len). values: (batch, source_len, value_dim).
    mask: (batch, source_len), True = may be attended to; None means all may.
    Returns context (batch, target_len, value_dim) and weights (batch, target_len,
    source_len). Padding gets weight 0, whatever its scores are, even infinite or NaN
    (its values are ordinary numbers). A sentence with nothing to attend to gets zero
    weights and a zero context. Scores of 1000 must not overflow.
    """
    if mask is not None:
        mask = mask[:, None, :]  # (batch, 1, source_len)
    weights = ref.softmax(scores, mask)
    return weights @ values, weights


add_softmax_mistakes(
    attend,
    other_axes=[
        (
            -2,
            "Your weights sum to 1 over the decoder's steps. They should sum to 1 over "
            "the source, so take the softmax over the last axis.",
        ),
        (
            0,
            "Your weights sum to 1 over the batch. They should sum to 1 over the "
            "source, so take the softmax over the last axis.",
        ),
        (
            (-2, -1),
            "Your weights sum to 1 over the whole sentence pair. Each target position "
            "needs its own softmax, over the source.",
        ),
    ],
)
add_mask_from_the_front(attend)


@attend.known_mistake(
    "You return the right arrays in the wrong order. Return the context first, then "
    "the weights."
)
def order_swapped(scores, values, mask=None):
    return attend.reference_solution(scores, values, mask)[::-1]


@attend.known_mistake(
    "Your context is the plain mean of the values. Each value should be multiplied by "
    "its weight."
)
def plain_mean(scores, values, mask=None):
    _, weights = attend.reference_solution(scores, values, mask)
    equal = attend.reference_solution(np.zeros(scores.shape), values, mask)
    return equal[0], weights


@attend.known_mistake(
    "You take the mean of the weighted values. The weights already sum to 1, so the "
    "context is the sum of the weighted values."
)
def mean_of_weighted_values(scores, values, mask=None):
    context, weights = attend.reference_solution(scores, values, mask)
    return context / scores.shape[-1], weights


@attend.known_mistake(
    "You multiply the values by the scores. Multiply them by the weights instead."
)
def scores_times_values(scores, values, mask=None):
    _, weights = attend.reference_solution(scores, values, mask)
    return scores @ values, weights


@attend.known_mistake(
    "You multiply the values by the scores. Multiply them by the weights instead."
)
def masked_scores_times_values(scores, values, mask=None):
    _, weights = attend.reference_solution(scores, values, mask)
    real = True if mask is None else mask[:, None, :]
    return np.where(real, scores, 0) @ values, weights


_TOO_NARROW = (
    "gru should get the word and the context joined, [word ; context]. What it gets is "
    "only as wide as one of them."
)
_GRU_EXCHANGED = (
    "The arguments of gru are swapped: the inputs come first, then the state."
)


def _checked_cell(rng, word_dim, annotation_dim, state_dim):
    """A random ``gru(inputs, state)`` that says what is wrong with its arguments."""
    input_dim = word_dim + annotation_dim
    cell = recurrent_cell(rng, input_dim, state_dim, joined="context")

    def gru(inputs, state):
        dims = np.shape(inputs)[-1], np.shape(state)[-1]
        if dims == (state_dim, input_dim) and state_dim != input_dim:
            raise sandbox.CheckFailed(_GRU_EXCHANGED)
        if dims[0] in (word_dim, annotation_dim) and dims[1] == state_dim:
            raise sandbox.CheckFailed(_TOO_NARROW)
        return cell(inputs, state)

    return gru


def _step_arguments(rng, mask, word_dim, state_dim, annotation_dim, attention_units):
    mask = np.array(mask)
    batch, source_len = mask.shape
    return (
        rng.normal(size=(batch, state_dim)),
        rng.normal(size=(batch, word_dim)),
        rng.normal(size=(batch, source_len, annotation_dim)),
        mask,
        rng.normal(size=(state_dim, attention_units)),
        rng.normal(size=(annotation_dim, attention_units)),
        rng.normal(size=attention_units),
        _checked_cell(rng, word_dim, annotation_dim, state_dim),
    )


def _exact_step(rng, hidden, mask, size):
    """A step whose scores are integers, ``size`` times the first hidden unit plus
    the second: a unit is exactly -1, 0, or 1, because its sum is -30, 0, or 30.
    """
    hidden = 30.0 * np.array(hidden)  # (batch, source_len, 2)
    state, word = np.zeros((len(hidden), 2)), rng.normal(size=(len(hidden), 3))
    v, gru = np.array([size, 1.0]), _checked_cell(rng, 3, 2, 2)
    mask = np.array(mask, bool)
    return state, word, hidden, mask, np.eye(2), np.eye(2), v, gru


def _step_cases(rng):
    gru = _checked_cell(rng, 1, 1, 1)
    annotations = np.array([[[-2.0], [0.5], [1.0]]])
    one_wide = np.array([[-1.0]]), np.array([[0.5]]), annotations
    weights = np.array([[1.5]]), np.array([[0.5]]), np.array([2.0])
    yield (
        "one sentence of two words and one padded position, every width 1",
        (*one_wide, np.array([[True, True, False]]), *weights, gru),
    )
    full, none = [True] * 3, [False] * 3
    yield "every size is 3", _step_arguments(rng, [full] * 3, 3, 3, 3, 3)
    yield (
        "a sentence with nothing to attend to, beside a full one",
        _step_arguments(rng, [full, none], 2, 2, 2, 2),
    )
    masks = np.vstack([np.ones((1, 5), bool), five_masks(5)])
    yield "masks of every kind", _step_arguments(rng, masks, 2, 4, 3, 7)
    yield "one sentence of one word", _step_arguments(rng, [[True]], 3, 2, 4, 5)
    high, low = [[1, 0], [1, 1], [1, -1]], [[-1, 0], [-1, 1], [-1, -1]]
    both = [[-1, 0], [1, 1], [0, 1]]
    mask = [[1, 1, 0], [1, 1, 1], [1, 1, 1]]
    yield "scores of 1000", _exact_step(rng, [high, low, both], mask, 1000.0)
    hidden = [[*low, [1, 0]], [*low, [-1, 0]]]
    mask = [[1, 1, 1, 0]] * 2
    yield "scores of -20,000, and padding", _exact_step(rng, hidden, mask, 20_000.0)
    yield "float32", in_float32(_step_arguments(rng, masks[:3], 4, 3, 2, 6))


@exercise(
    _step_cases,
    hints=[
        (
            "Four lines are enough: one for the scores, one for the context and the "
            "weights, one for the new state, and the return. `ref.additive_scores` and "
            "`ref.attend` do the first two, with target_len = 1."
        ),
        (
            "The query is the previous state, with an axis for target_len: "
            "`state[:, None, :]`. The context and the weights come back with that "
            "axis, and `[:, 0]` removes it. `np.concatenate` along the last axis joins "
            "the word and the context."
        ),
    ],
    returns=("new_state", "context", "weights"),
    batch=("state", "word", "annotations", "mask"),
)
def bahdanau_step(state, word, annotations, mask, w_query, w_keys, v, gru):
    """One step: s_{i-1} -> weights -> c_i -> s_i = gru([y_{i-1} ; c_i], s_{i-1}).

    state: (batch, units), s_{i-1}. word: (batch, embedding_dim), y_{i-1} embedded.
    annotations: (batch, source_len, dim). mask: (batch, source_len), True = may be
    attended. gru: function (inputs, state) -> new state.
    Returns new_state (batch, units), context (batch, dim), weights (batch, source_len).
    A sentence with nothing to attend to gets zero weights and a zero context, and gru
    takes its step with that. Scores of 1000 must not overflow.
    """
    query = state[:, None, :]  # (batch, 1, units)
    scores = ref.additive_scores(query, annotations, w_query, w_keys, v)
    context, weights = ref.attend(scores, annotations, mask)
    context, weights = context[:, 0], weights[:, 0]  # (batch, dim), (batch, source_len)
    new_state = gru(np.concatenate([word, context], axis=-1), state)
    return new_state, context, weights


add_softmax_mistakes(
    bahdanau_step,
    leave_out=[ADDED],  # no score of this exercise is as large as that
    other_axes=[
        (
            0,
            "Your weights sum to 1 over the batch. Each sentence needs its own "
            "softmax, over its source positions.",
        ),
        (
            -2,
            "Your weights sum to 1 over target_len, which is 1, so every weight is 1. "
            "Take the softmax over the last axis, the source.",
        ),
    ],
)
add_mask_from_the_front(bahdanau_step)


@bahdanau_step.known_mistake(
    "Your query is the new state. The new state is computed from the context, so it "
    "cannot be used to compute it. Use the previous state, s_{i-1}."
)
def query_is_the_new_state(state, word, annotations, mask, w_query, w_keys, v, gru):
    others = word, annotations, mask, w_query, w_keys, v, gru
    new_state, _, _ = bahdanau_step.reference_solution(state, *others)
    _, context, weights = bahdanau_step.reference_solution(new_state, *others)
    return new_state, context, weights


@bahdanau_step.known_mistake(
    "Your query is the new state. The new state is computed from the context, so it "
    "cannot be used to compute it. Use the previous state, s_{i-1}."
)
def new_state_before_the_context(
    state, word, annotations, mask, w_query, w_keys, v, gru
):
    nothing = 0 * annotations[:, 0]
    new_state = gru(np.concatenate([word, nothing], axis=-1), state)
    context, weights = _attended(new_state, annotations, mask, w_query, w_keys, v)
    return gru(np.concatenate([word, context], axis=-1), state), context, weights


@bahdanau_step.known_mistake(
    "Your query is the new state. The new state is computed from the context, so it "
    "cannot be used to compute it. Use the previous state, s_{i-1}."
)
def state_without_a_context(state, word, annotations, mask, w_query, w_keys, v, gru):
    nothing = 0 * annotations[:, 0]
    new_state = gru(np.concatenate([word, nothing], axis=-1), state)
    context, weights = _attended(new_state, annotations, mask, w_query, w_keys, v)
    return new_state, context, weights


@bahdanau_step.known_mistake(
    "Your query is the word y_{i-1}. The query should be the state, s_{i-1}."
)
def query_is_the_word(state, word, annotations, mask, w_query, w_keys, v, gru):
    context, weights = _attended(word, annotations, mask, w_query, w_keys, v)
    return gru(np.concatenate([word, context], axis=-1), state), context, weights


@bahdanau_step.known_mistake(
    "The two matrices are swapped: w_query belongs to the state, and w_keys to the "
    "annotations."
)
def step_with_matrices_exchanged(
    state, word, annotations, mask, w_query, w_keys, v, gru
):
    return bahdanau_step.reference_solution(
        state, word, annotations, mask, w_keys, w_query, v, gru
    )


@bahdanau_step.known_mistake(
    "Your context is a mean of the projected annotations. The values should be the "
    "annotations themselves."
)
def context_of_projections(state, word, annotations, mask, w_query, w_keys, v, gru):
    scores = _scores(state, annotations, w_query, w_keys, v)
    context, weights = ref.attend(scores[:, None, :], annotations @ w_keys, mask)
    context, weights = context[:, 0], weights[:, 0]
    return gru(np.concatenate([word, context], axis=-1), state), context, weights


@bahdanau_step.known_mistake(_TOO_NARROW)
def word_forgotten(state, word, annotations, mask, w_query, w_keys, v, gru):
    return bahdanau_step.reference_solution(
        state, word[:, :0], annotations, mask, w_query, w_keys, v, gru
    )


@bahdanau_step.known_mistake(_TOO_NARROW)
def context_forgotten(state, word, annotations, mask, w_query, w_keys, v, gru):
    context, weights = _attended(state, annotations, mask, w_query, w_keys, v)
    return gru(word, state), context, weights


def _scores(state, annotations, w_query, w_keys, v):
    query = state[:, None, :]  # (batch, 1, units)
    scores = ref.additive_scores(query, annotations, w_query, w_keys, v)
    return scores[:, 0]  # (batch, source_len)


def _attended(state, annotations, mask, w_query, w_keys, v):
    scores = _scores(state, annotations, w_query, w_keys, v)
    context, weights = ref.attend(scores[:, None, :], annotations, mask)
    return context[:, 0], weights[:, 0]


@bahdanau_step.known_mistake(_GRU_EXCHANGED)
def arguments_of_gru_exchanged(state, word, annotations, mask, w_query, w_keys, v, gru):
    context, weights = _attended(state, annotations, mask, w_query, w_keys, v)
    return gru(state, np.concatenate([word, context], axis=-1)), context, weights


@bahdanau_step.known_mistake(
    "gru's inputs are in the wrong order: they should be [word ; context]."
)
def context_before_word(state, word, annotations, mask, w_query, w_keys, v, gru):
    context, weights = _attended(state, annotations, mask, w_query, w_keys, v)
    return gru(np.concatenate([context, word], axis=-1), state), context, weights


@bahdanau_step.known_mistake(
    "gru should start from the previous state, s_{i-1}, not from zeros."
)
def cell_from_zeros(state, word, annotations, mask, w_query, w_keys, v, gru):
    return bahdanau_step.reference_solution(
        state, word, annotations, mask, w_query, w_keys, v, lambda x, s: gru(x, 0 * s)
    )


@bahdanau_step.known_mistake(
    "You return the state that your function received. Return the new state, which gru "
    "computes."
)
def old_state_returned(state, word, annotations, mask, w_query, w_keys, v, gru):
    context, weights = _attended(state, annotations, mask, w_query, w_keys, v)
    return state.copy(), context, weights


@bahdanau_step.known_mistake(
    "The axis of target_len is still there. Remove it from the results with [:, 0]."
)
def axis_kept(state, word, annotations, mask, w_query, w_keys, v, gru):
    new_state, context, weights = bahdanau_step.reference_solution(
        state, word, annotations, mask, w_query, w_keys, v, gru
    )
    return new_state[:, None], context[:, None], weights[:, None]


@bahdanau_step.known_mistake(
    "The axis of target_len is still there. Remove it from the results with [:, 0]."
)
def axis_kept_by_two(state, word, annotations, mask, w_query, w_keys, v, gru):
    new_state, context, weights = bahdanau_step.reference_solution(
        state, word, annotations, mask, w_query, w_keys, v, gru
    )
    return new_state, context[:, None], weights[:, None]


@bahdanau_step.known_mistake(
    "You return the scores. Return the weights, which are their softmax."
)
def scores_for_weights(state, word, annotations, mask, w_query, w_keys, v, gru):
    new_state, context, _ = bahdanau_step.reference_solution(
        state, word, annotations, mask, w_query, w_keys, v, gru
    )
    return new_state, context, _scores(state, annotations, w_query, w_keys, v)


@bahdanau_step.known_mistake(
    "You return the context and the weights in the wrong order. Return new_state, "
    "context, and weights."
)
def weights_before_context(state, word, annotations, mask, w_query, w_keys, v, gru):
    new_state, context, weights = bahdanau_step.reference_solution(
        state, word, annotations, mask, w_query, w_keys, v, gru
    )
    return new_state, weights, context


def _forced_arguments(rng, mask, target_len, *sizes):
    state, word, *others = _step_arguments(rng, mask, *sizes)
    return state, rng.normal(size=(len(word), target_len, word.shape[1])), *others


def _forced_cases(rng):
    full, none = [True] * 3, [False] * 3
    state, word, *others = _step_arguments(rng, [[True, True, False]], 1, 1, 1, 1)
    words = np.array([[[0.5], [-1.0]]])
    yield "two steps, every width 1", (state, words, *others)
    yield "one step", _forced_arguments(rng, [full], 1, 2, 2, 2, 2)
    yield "every size is 3", _forced_arguments(rng, [full] * 3, 3, 3, 3, 3, 3)
    yield (
        "a sentence with nothing to attend to, beside a full one",
        _forced_arguments(rng, [full, none], 3, 2, 2, 2, 2),
    )
    masks = np.vstack([np.ones((1, 5), bool), five_masks(5)])
    yield "masks of every kind", _forced_arguments(rng, masks, 4, 2, 4, 3, 7)
    yield "one source word", _forced_arguments(rng, [[True]] * 2, 2, 3, 2, 4, 5)
    yield "all sizes different", _forced_arguments(rng, masks[2:4], 3, 4, 6, 8, 7)
    yield "as many steps as words", _forced_arguments(rng, masks[2:4], 5, 3, 2, 4, 5)
    high, low = [[1, 0], [1, 1], [1, -1]], [[-1, 0], [-1, 1], [-1, -1]]
    both = [[-1, 0], [1, 1], [0, 1]]
    mask = [[1, 1, 0], [1, 1, 1], [1, 1, 1]]
    state, word, *others = _exact_step(rng, [high, low, both], mask, 1000.0)
    yield "one step, scores of 1000", (state, word[:, None], *others)
    hidden, mask = [[*low, [1, 0]], [*low, [-1, 0]]], [[1, 1, 1, 0]] * 2
    state, word, *others = _exact_step(rng, hidden, mask, 20_000.0)
    yield "one step, scores of -20,000, and padding", (state, word[:, None], *others)
    yield "float32", in_float32(_forced_arguments(rng, masks[:3], 2, 4, 3, 2, 6))


@exercise(
    _forced_cases,
    hints=[
        (
            "The loop replaces `state` at every step. Which lines above the loop use "
            "it, and what do they hold at the second step?"
        ),
        (
            "`annotations @ w_keys` is the same at every step, but `state @ w_query` "
            "is not. Move the line of the query into the loop, before the scores."
        ),
    ],
    returns=("states", "weights"),
    batch=("state", "words", "annotations", "mask"),
)
def forced_decoding(state, words, annotations, mask, w_query, w_keys, v, gru):
    """All steps of the decoder, given the true words: states and weights.

    state: (batch, units), s_0. words: (batch, target_len, embedding_dim); step i is
    given words[:, i]. annotations: (batch, source_len, dim). mask: (batch, source_len),
    True = may be attended to. gru: function (inputs, state) -> new state, where inputs
    are the word and the context, joined.
    Returns states (batch, target_len, units), the new state of each step, and weights
    (batch, target_len, source_len). A sentence with nothing to attend to gets zero
    weights and a zero context. Scores of 1000 must not overflow.
    """
    keys = annotations @ w_keys  # once per sentence: (batch, source_len, units)
    states, rows = [], []
    for i in range(words.shape[1]):
        query = (state @ w_query)[:, None, :]  # (batch, 1, units)
        scores = np.tanh(query + keys) @ v  # (batch, source_len)
        weights = ref.softmax(scores, mask)
        context = (weights[:, None, :] @ annotations)[:, 0]  # (batch, dim)
        state = gru(np.concatenate([words[:, i], context], axis=-1), state)
        states.append(state)
        rows.append(weights)
    return np.stack(states, axis=1), np.stack(rows, axis=1)


@forced_decoding.starter_code(
    "All rows of a sentence's map are the same, as if the decoder looked at the same "
    "words at every step."
)
def forced_decoding(state, words, annotations, mask, w_query, w_keys, v, gru):
    """All steps of the decoder, given the true words: states and weights."""
    keys = annotations @ w_keys  # once per sentence: (batch, source_len, units)
    query = (state @ w_query)[:, None, :]  # (batch, 1, units)
    states, rows = [], []
    for i in range(words.shape[1]):
        scores = np.tanh(query + keys) @ v  # (batch, source_len)
        weights = ref.softmax(scores, mask)
        context = (weights[:, None, :] @ annotations)[:, 0]  # (batch, dim)
        state = gru(np.concatenate([words[:, i], context], axis=-1), state)
        states.append(state)
        rows.append(weights)
    return np.stack(states, axis=1), np.stack(rows, axis=1)


add_softmax_mistakes(
    forced_decoding,
    leave_out=[ADDED],  # no score of this exercise is as large as that
    other_axes=[
        (
            0,
            "Your weights sum to 1 over the batch. Each sentence needs its own "
            "softmax, over its source positions.",
        ),
    ],
)
add_mask_from_the_front(forced_decoding)

# What the steps of forced_decoding do; a wrong answer does some of it otherwise.
# first, older, old, new: the state s_0, that of two steps ago, that of the last step,
# and that of this step.
_FORCED_PARTS = {
    "matrices": lambda w_query, w_keys: (w_query, w_keys),
    "query": lambda older, old, word, step: old,
    "hidden": lambda query, keys: np.tanh(query + keys),
    "values": lambda annotations, keys: annotations,
    "word": lambda words, i: words[:, i],
    "inputs": lambda word, context: np.concatenate([word, context], axis=-1),
    "carried": lambda first, old, new: new,
    "kept": lambda old, new: new,
    "row": lambda scores, weights, context: weights,
    "result": lambda states, rows, first: (np.stack(states, 1), np.stack(rows, 1)),
}


def _wrong_forced_decoding(message, **changes):
    """Add the wrong answer in which functions take the places of _FORCED_PARTS."""
    part = types.SimpleNamespace(**{**_FORCED_PARTS, **changes})

    @forced_decoding.known_mistake(message)
    def wrong(state, words, annotations, mask, w_query, w_keys, v, gru):
        w_query, w_keys = part.matrices(w_query, w_keys)
        keys = annotations @ w_keys
        values = part.values(annotations, keys)
        first = older = old = state
        states, rows = [], []
        for i in range(words.shape[1]):
            word = part.word(words, i)

            def step(context=0 * annotations[:, 0], old=old, word=word):
                return gru(part.inputs(word, context), old)

            query = (part.query(older, old, word, step) @ w_query)[:, None]
            scores = part.hidden(query, keys) @ v
            weights = ref.softmax(scores, mask)
            context = (weights[:, None] @ values)[:, 0]
            new = step(context)
            states.append(part.kept(old, new))
            rows.append(part.row(scores, weights, context))
            older, old = old, part.carried(first, old, new)
        return part.result(states, rows, first)


_wrong_forced_decoding(
    "Your query is one step late. Compute it at the start of each step, from the state "
    "that the step begins with.",
    query=lambda older, old, word, step: older,
)
_wrong_forced_decoding(
    "Your query is a state that this step has made. The query should be the state with "
    "which the step begins, s_{i-1}.",
    query=lambda older, old, word, step: step(),
)
_wrong_forced_decoding(
    "Your query is the word. The query should be the state with which the step begins, "
    "s_{i-1}.",
    query=lambda older, old, word, step: word,
)
_wrong_forced_decoding(
    "The two matrices are swapped: w_query belongs to the state, and w_keys to the "
    "annotations.",
    matrices=lambda w_query, w_keys: (w_keys, w_query),
)
_wrong_forced_decoding(
    "tanh is missing. Without it, the query has no effect on the weights.",
    hidden=lambda query, keys: query + keys,
)
_wrong_forced_decoding(
    "You take the tanh of each projection. Take the tanh of their sum; otherwise the "
    "query has no effect on the weights.",
    hidden=lambda query, keys: np.tanh(query) + np.tanh(keys),
)
_wrong_forced_decoding(
    "Your context is a mean of the projected annotations. The values should be the "
    "annotations themselves.",
    values=lambda annotations, keys: keys,
)
_wrong_forced_decoding(
    "Every step is given the first word. Step i should be given words[:, i].",
    word=lambda words, i: words[:, 0],
)
_wrong_forced_decoding(
    "gru's inputs are in the wrong order: they should be [word ; context].",
    inputs=lambda word, context: np.concatenate([context, word], axis=-1),
)
_wrong_forced_decoding(
    "Every step begins at the first state. It should begin at the new state of the "
    "step before.",
    carried=lambda first, old, new: first,
)
_wrong_forced_decoding(
    "You keep the state with which a step begins. Keep its new state.",
    kept=lambda old, new: old,
)
_wrong_forced_decoding(
    "You keep the scores. Keep the weights, which are their softmax.",
    row=lambda scores, weights, context: scores,
)
_wrong_forced_decoding(
    "You keep the contexts. Keep the weights.",
    row=lambda scores, weights, context: context,
)
_wrong_forced_decoding(
    "The steps are on the first axis of your results. They should be on the second, "
    "after the batch: np.stack(states, axis=1).",
    result=lambda states, rows, first: (np.stack(states), np.stack(rows)),
)
_wrong_forced_decoding(
    "You return only the last step. Return all of them.",
    result=lambda states, rows, first: (states[-1], rows[-1]),
)
_wrong_forced_decoding(
    "Your states begin with the state that your function received. Return the new "
    "state of each step alone.",
    result=lambda states, rows, first: (
        np.stack([first, *states], axis=1),
        np.stack(rows, axis=1),
    ),
)
_wrong_forced_decoding(
    "You return the weights and the states in the wrong order. Return the states "
    "first.",
    result=lambda states, rows, first: (np.stack(rows, 1), np.stack(states, 1)),
)


def _random_links(rng, count, size):
    return set(map(tuple, rng.integers(0, size, (count, 2)).tolist()))


def _link_cases(rng):
    yield (
        "four links, one of them wrong",
        (
            {(0, 0), (1, 1), (2, 2), (3, 0)},
            {(0, 0), (1, 1), (4, 4)},
            {(2, 2), (2, 3)},
        ),
    )
    yield "a perfect alignment", ({(0, 1), (1, 0)}, {(0, 1), (1, 0)}, set())
    yield "no link is correct", ({(0, 1)}, {(1, 0)}, {(1, 1), (2, 2)})
    yield "no link was found", (set(), {(0, 0), (1, 2)}, {(0, 0), (1, 1)})
    yield "no link was found, though one is sure", (set(), {(1, 1)}, set())
    yield "no link is sure", ({(0, 0), (1, 1), (2, 1)}, set(), {(0, 0), (1, 2)})
    yield "no link is sure or possible", ({(3, 0)}, set(), set())
    yield (
        "all that is possible, and more",
        (
            {(0, 0), (0, 1), (1, 0), (1, 1), (2, 2)},
            {(0, 0)},
            {(0, 0), (0, 1), (1, 0)},
        ),
    )
    for count in (12, 25, 40, 600):
        size = 7 if count < 100 else 60
        links = _random_links(rng, count, size)
        sure = _random_links(rng, count // 2, size)
        possible = _random_links(rng, count, size)
        possible = possible - sure if count == 12 else possible | sure
        yield f"random links among {size} words", (links, sure, possible)


@exercise(
    _link_cases,
    hints=[
        "Sets can do the counting: `len(links & sure)` is |A and S|.",
        (
            "A sure link counts as possible, whether or not the set `possible` "
            "contains it. The union of two sets is `a | b`."
        ),
    ],
)
def alignment_error_rate(links, sure, possible):
    """AER = 1 - (|A and S| + |A and P|) / (|A| + |S|), with S among P.

    links (A), sure (S), possible (P): sets of (target_index, source_index). A sure link
    counts as possible even where `possible` does not contain it. Each of the sets may
    be empty, but never both A and S.
    Returns a float, 0 for a perfect alignment, 1 where no link is correct or none was
    found.
    """
    possible = possible | sure
    return 1 - (len(links & sure) + len(links & possible)) / (len(links) + len(sure))


@alignment_error_rate.known_mistake(
    "Every sure link is also possible, so P should be sure | possible."
)
def sure_not_possible(links, sure, possible):
    return 1 - (len(links & sure) + len(links & (possible - sure))) / (
        len(links) + len(sure)
    )


@alignment_error_rate.known_mistake(
    "Every sure link is also possible, so P should be sure | possible."
)
def possible_as_it_came(links, sure, possible):
    return 1 - (len(links & sure) + len(links & possible)) / (len(links) + len(sure))


@alignment_error_rate.known_mistake(
    "You return the share of correct links. The error rate is 1 minus that share."
)
def accuracy(links, sure, possible):
    return 1 - alignment_error_rate.reference_solution(links, sure, possible)


@alignment_error_rate.known_mistake(
    "You divide by |A| + |P|. Divide by |A| + |S|, because nobody has to find every "
    "possible link."
)
def possible_in_the_denominator(links, sure, possible):
    possible = possible | sure
    return 1 - (len(links & sure) + len(links & possible)) / (
        len(links) + len(possible)
    )


@alignment_error_rate.known_mistake(
    "Your result does not depend on the possible links. A link that is possible but "
    "not sure should not count as an error."
)
def possible_ignored(links, sure, possible):
    return 1 - 2 * len(links & sure) / (len(links) + len(sure))


@alignment_error_rate.known_mistake(
    "You treat possible links as if they were sure, so missing one counts as an error. "
    "It should not."
)
def all_sure(links, sure, possible):
    possible = possible | sure
    return 1 - 2 * len(links & possible) / (len(links) + len(possible))


@alignment_error_rate.known_mistake(
    "You return 1 - precision. A sure link that was not found should also count as an "
    "error."
)
def precision_alone(links, sure, possible):
    return 1 - len(links & (possible | sure)) / len(links) if links else 1.0


@alignment_error_rate.known_mistake(
    "You return 1 - precision. A sure link that was not found should also count as an "
    "error."
)
def precision_dividing_by_zero(links, sure, possible):
    return 1 - len(links & (possible | sure)) / len(links)


@alignment_error_rate.known_mistake(
    "You return 1 - recall. A wrong link should also count as an error."
)
def recall_alone(links, sure, possible):
    return 1 - len(links & sure) / len(sure) if sure else 1.0


@alignment_error_rate.known_mistake(
    "You return 1 - recall. A wrong link should also count as an error."
)
def recall_dividing_by_zero(links, sure, possible):
    return 1 - len(links & sure) / len(sure)


@alignment_error_rate.known_mistake(
    "You divide by the number of different links in A and S. A link that is in both "
    "should count twice: divide by |A| + |S|."
)
def union_in_the_denominator(links, sure, possible):
    possible = possible | sure
    return 1 - (len(links & sure) + len(links & possible)) / len(links | sure)


@alignment_error_rate.known_mistake(
    "If no link was found, every sure link is missing, so the error rate is 1."
)
def zero_for_nothing(links, sure, possible):
    if not links:
        return 0.0
    return alignment_error_rate.reference_solution(links, sure, possible)


def _gold_of(rng, sentences, size):
    """Random gold alignments: the sure links, and the possible ones, of each."""
    possible = [_random_links(rng, 2 * size, size) for _ in range(sentences)]
    sure = [set(sorted(links)[::3]) for links in possible]
    return sure, possible


def _fixed_cases(rng):
    yield (
        "three sentences of one target position",
        ([{(0, 2)}, {(0, 2)}, {(0, 0)}], [{(0, 2)}, {(0, 2)}, {(0, 0)}]),
    )
    yield (
        "no position is possible in both sentences",
        ([{(0, 1)}, {(0, 0)}], [{(0, 1), (0, 2)}, {(0, 0)}]),
    )
    yield "one sentence", ([{(0, 1), (2, 0)}], [{(0, 1), (2, 0), (2, 1), (1, 1)}])
    yield (
        "a sure link in one sentence, and a possible one in three",
        (
            [{(1, 4)}, set(), set(), set()],
            [{(1, 4), (1, 0)}, {(1, 3)}, {(1, 3), (1, 0)}, {(1, 3)}],
        ),
    )
    yield "no link is sure", ([set(), set()], [{(0, 0), (1, 1)}, {(0, 1), (1, 1)}])
    yield "a sentence without links", ([set(), {(3, 1)}], [set(), {(3, 1), (4, 1)}])
    yield (
        "positions counted from the end",
        (
            [{(0, -2), (1, -1)}, {(0, -2), (1, -1)}, {(0, -5), (1, -1)}],
            [{(0, -2), (1, -1)}, {(0, -2), (1, -1), (2, -4)}, {(0, -5), (1, -1)}],
        ),
    )
    for sentences, size in ((4, 3), (12, 4), (40, 9)):
        yield f"{sentences} random alignments", _gold_of(rng, sentences, size)


@exercise(
    _fixed_cases,
    hints=[
        (
            "A link that is sure adds 1 to both numerators, and a link that is only "
            "possible adds 1 to the second. Count these points, over all sentences, "
            "for each pair of a target position and a source position."
        ),
        (
            "A dictionary can count: `points[link] = points.get(link, 0) + 1`. The "
            "best source position of a target position is the one with most points. "
            "|A| is one link for each target position that has a possible link, in "
            "each sentence."
        ),
    ],
)
def fixed_links_error_rate(sure, possible):
    """The lowest AER of links that are the same in every sentence.

    sure, possible: lists of sets of (target_index, source_index), one set per sentence;
    possible holds the sure links as well. Each target position is linked to one source
    position, in every sentence where it has a possible link. Counts are added over the
    sentences, of which at least one has a link. Returns a float.
    """
    points, found, all_sure = {}, 0, 0
    for some, links in zip(sure, possible, strict=True):
        for link in links:
            points[link] = points.get(link, 0) + 1 + (link in some)
        found += len({row for row, _ in links})  # |A|
        all_sure += len(some)  # |S|
    best = {}
    for (row, _), count in points.items():
        best[row] = max(count, best.get(row, 0))
    return 1 - sum(best.values()) / (found + all_sure)


def _chosen(possible, points):
    """For each target position, the source position with most points."""
    best = {}
    for row, column in sorted(points):
        if row not in best or points[row, column] > points[row, best[row]]:
            best[row] = column
    return best


def _points(sure, possible, of_possible=1, of_sure=1):
    """The points of each link over all sentences."""
    points = {}
    for some, links in zip(sure, possible, strict=True):
        for link in links:
            gained = of_possible + of_sure * (link in some)
            points[link] = points.get(link, 0) + gained
    return points


def _counts(sure, possible, links):
    """(|A and S| + |A and P|, |A|, |S|) of links of each sentence."""
    correct = sum(
        len(a & s) + len(a & p) for a, s, p in zip(links, sure, possible, strict=True)
    )
    return correct, sum(map(len, links)), sum(map(len, sure))


def _fixed_links(possible, best):
    """The links of each sentence, of the target positions that have one."""
    return [{(row, best[row]) for row, _ in links if row in best} for links in possible]


def _error_rate(sure, possible, links):
    correct, found, all_sure = _counts(sure, possible, links)
    return 1 - correct / (found + all_sure)


def _rate_of_fixed(sure, possible, best):
    return _error_rate(sure, possible, _fixed_links(possible, best))


def _afresh(sure, possible):
    """The best links of each sentence, chosen for it alone."""
    return [
        _fixed_links([links], _chosen([links], _points([some], [links])))[0]
        for some, links in zip(sure, possible, strict=True)
    ]


def _most_common(sure, possible):
    """One source position for all target positions."""
    points, gained = _points(sure, possible), {}
    for (_, column), count in points.items():
        gained[column] = gained.get(column, 0) + count
    column = max(sorted(gained), key=gained.get)
    return dict.fromkeys((row for row, _ in points), column)


def _mean_over_sentences(sure, possible):
    best = _chosen(possible, _points(sure, possible))
    rates = [
        _rate_of_fixed([some], [links], best)
        for some, links in zip(sure, possible, strict=True)
        if links
    ]
    return float(np.mean(rates))


def _every_row(sure, possible):
    """A link of each target position in every sentence, whether it has one or not."""
    best = _chosen(possible, _points(sure, possible))
    return _error_rate(sure, possible, [set(best.items())] * len(sure))


def _with_denominator(denominator):
    def mistake(sure, possible):
        best = _chosen(possible, _points(sure, possible))
        links = _fixed_links(possible, best)
        correct, found, all_sure = _counts(sure, possible, links)
        all_possible = sum(map(len, possible))
        return 1 - correct / denominator(found, all_sure, all_possible)

    return mistake


for message, mistake in [
    (
        "You choose the source positions anew for each sentence. They should be the "
        "same in all sentences, so count over all of them first.",
        lambda sure, possible: _error_rate(sure, possible, _afresh(sure, possible)),
    ),
    (
        "You choose the source position that is possible most often. A sure link "
        "counts twice in the AER, once in each numerator, so it has two points.",
        lambda sure, possible: _rate_of_fixed(
            sure, possible, _chosen(possible, _points(sure, possible, of_sure=0))
        ),
    ),
    (
        "You choose the source position that is sure most often. Links that are only "
        "possible have a point, too.",
        lambda sure, possible: _rate_of_fixed(
            sure, possible, _chosen(possible, _points(sure, possible, of_possible=0))
        ),
    ),
    (
        "You link every target position to the same source position. Each target "
        "position may have its own.",
        lambda sure, possible: _rate_of_fixed(
            sure, possible, _most_common(sure, possible)
        ),
    ),
    (
        "You return the mean of the error rates of the sentences. Add the counts over "
        "all sentences first, and divide once.",
        _mean_over_sentences,
    ),
    (
        "You link target positions that have no possible link in a sentence. There, "
        "they are not counted.",
        _every_row,
    ),
    (
        "You return the share of correct links. The error rate is 1 minus that share.",
        lambda sure, possible: (
            1 - fixed_links_error_rate.reference_solution(sure, possible)
        ),
    ),
    (
        "You count every possible link as found. |A| has one link for each target "
        "position that has a possible link, in each sentence.",
        _with_denominator(
            lambda found, all_sure, all_possible: all_possible + all_sure
        ),
    ),
    (
        "Your denominator is 2 |A|. It should be |A| + |S|.",
        _with_denominator(lambda found, all_sure, all_links: 2 * found),
    ),
]:
    fixed_links_error_rate.known_mistake(message)(mistake)


def _drawing_cases(rng):
    """Weights that repeat, in patterns that no transposed, mirrored, or shifted picture
    has; in one case 0.08 apart, which rounding would hide, else at least 0.2.
    """
    from matplotlib.backends import backend_agg  # noqa: F401, imported before the clock
    from matplotlib.figure import Figure

    def canvas():
        return Figure(figsize=(6.4, 4.8), dpi=100).subplots()

    weights = np.array([[0.2, 0.2, 0.6], [0.6, 0.4, 0.0]])
    source, target = ["the", "black", "cat"], ["chat", "noir"]
    yield "two target words, three source words", (canvas(), weights, source, target)
    weights = np.array(
        [
            [0.0, 0.8, 0.0, 0.2, 0.0],
            [0.4, 0.0, 0.6, 0.0, 0.0],
            [0.0, 0.0, 0.2, 0.0, 0.8],
            [1.0, 0.0, 0.0, 0.0, 0.0],
        ]
    )
    words = "a b a c d".split(), ["e", "f", "e", "g"]
    yield "words that occur twice", (canvas(), weights, *words)
    weights = np.array([[0.2, 0.8, 0.0], [0.6, 0.2, 0.2], [1.0, 0.0, 0.0]])
    words = ["one", "two", "three"], ["un", "deux", "trois"]
    yield "as many target words as source words", (canvas(), weights, *words)
    rows = [[0, 1, 0], [0.2, 0, 0.8], [0.6, 0.4, 0], [1, 0, 0]]
    weights = np.array([*rows, [0.2, 0.8, 0], *rows[1:]])
    words = list("xyz"), [str(year) for year in range(2017, 2025)]
    yield "eight target words, which are numbers", (canvas(), weights, *words)
    weights = np.array([[0.36, 0.36, 0.28], [0.44, 0.36, 0.2]])
    yield "weights close together", (canvas(), weights, list("abc"), list("de"))
    weights = np.array([[0.2, 0.6, 0.0, 0.2, 0.0]], "float32")
    yield "one target word", (canvas(), weights, list("abcde"), ["word"])
    yield "one source word", (canvas(), np.ones((3, 1)), ["word"], list("abc"))


_TRANSPOSED = (
    "The heat map is transposed. "
    "Target words should be the rows and source words the columns."
)
_UPSIDE_DOWN = (
    "The first target word is at the bottom. "
    "Leave imshow's origin as it is, or invert the y axis."
)
_MIRRORED = (
    "The first source word is on the right. Draw the columns from left to right."
)
_ROWS_WITHOUT_LABELS = (
    "The rows are upside down: the first label from the top is next to the weights of "
    "the last target word."
)
_COLUMNS_WITHOUT_LABELS = (
    "The columns are mirrored: the first label from the left is below or above the "
    "weights of the last source word."
)
_NUMBERS = "The ticks are labeled with numbers instead of words."
_SWAPPED = (
    "The words are on the wrong axes: "
    "source words belong to the columns, target words to the rows."
)
_SHIFTED = "The words are shifted by one: tick 0 is at the center of the first column."
_HIDDEN = (
    "No tick label is visible. Is the axis switched off, or are the labels hidden?"
)
_NOTHING = "Nothing is drawn on ax. Draw on it, for example with ax.imshow."
_REMOVED = "ax is no longer part of its figure. Draw on ax, and do not remove it."
_OTHER_AXES = "You drew on other axes. Draw on the ax that your function receives."
_ELSEWHERE = "You drew on another figure. Draw on the ax that your function receives."
_ONE_COLOR = (
    "All weights have the same color. Look at the color map (cmap), and at vmin and "
    "vmax."
)
_NOT_RETURNED = (
    "Your function returns nothing. Return ax, so that the caller can go on drawing."
)
_SAME_COLOR = 12  # the largest difference of a channel, in 0 ... 255
_SIMILAR_COLOR = 64


def _extract_drawing(returned, ax, weights, source, target):
    """Judge the pixels of the finished picture at the crossings of its visible labels;
    "ax" if they are right and ``ax`` was returned.
    """
    problem = (
        _place_problem(returned, ax, weights, source, target)
        or _picture_problem(ax, weights, source, target)
        or _returned_problem(returned, ax)
    )
    if problem:
        raise sandbox.CheckFailed(problem)
    return "ax"


def _place_problem(returned, ax, weights, source, target):
    """What is wrong with the place of the drawing; or None."""
    if ax.figure is None or ax not in ax.figure.axes:
        return _REMOVED
    if ax.has_data() or ax.tables:
        return None
    holding = [
        place
        for place in _other_axes(returned, ax)
        if _holds(place, weights, source, target)
    ]
    if not holding:
        return _NOTHING
    return _OTHER_AXES if holding[0].figure is ax.figure else _ELSEWHERE


def _picture_problem(ax, weights, source, target):
    """What is wrong with what one sees; or None. A number written on a cell is larger
    than the middle that is looked at, or a square smaller: so there are three of them.
    """
    picture, columns, rows = _visible_labels(ax)
    words = [word for _, word in columns], [word for _, word in rows]
    x, y = ([place for place, _ in labels] for labels in (columns, rows))
    views = [_colors(picture, ax, x, y, share) for share in (1 / 2, 1 / 4, 1 / 8)]
    if words == (source, target):
        if any(_shows(colors, weights) and full.all() for colors, full in views):
            return None
        several = (view for view in views if not _is_one_color(view[0]))
        colors, filled = next(several, views[0])
        return _colors_problem(colors, filled, weights, source, target)
    return _labels_problem(words, views[0][0], weights, source, target)


def _returned_problem(returned, ax):
    """What is wrong with the returned value; or None."""
    if returned is ax:
        return None
    if returned is None:
        return _NOT_RETURNED
    return f"Return ax itself. You return {compare.kind(sandbox.plain(returned))}."


def _other_axes(returned, ax):
    """The axes on which one may have drawn instead: what was returned, those of the
    same figure, and those of pyplot's figures (pyplot is not imported for this).
    """
    pyplot = sys.modules.get("matplotlib.pyplot")
    figures = [ax.figure]
    if pyplot is not None:
        figures += map(pyplot.figure, pyplot.get_fignums())
    places = [place for figure in figures for place in figure.axes]
    if hasattr(returned, "get_images"):
        places.append(returned)
    return [place for place in places if place is not ax]


def _holds(place, weights, source, target):
    """Whether these axes hold the weights, or the words as tick labels."""
    drawn = [item.get_array() for item in [*place.images, *place.collections]]
    numbers = np.sort(weights, axis=None)
    for array in drawn:
        if array is not None and np.size(array) == weights.size:
            if np.allclose(np.sort(np.ma.getdata(array), axis=None), numbers):
                return True
    labels = [*place.get_xticklabels(), *place.get_yticklabels()]
    texts = {label.get_text() for label in labels}
    return texts.issuperset(source) and texts.issuperset(target)


# What one sees


def _visible_labels(ax):
    """The picture, (height, width, 3) in 0 ... 255, and its visible tick labels:
    (place in dots, word) of each, of the columns from the left and of the rows from the
    top.

    A label is visible if its middle is inside the figure and some pixel there changes
    when it is hidden.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(ax.figure)
    picture = _rendered(canvas)
    ticks = [
        (axis, tick, label)
        for axis in (ax.xaxis, ax.yaxis)
        for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]
        for label in (tick.label1, tick.label2)
        if label.get_visible() and label.get_text().strip()
    ]
    boxes = [label.get_window_extent(canvas.get_renderer()) for _, _, label in ticks]
    alphas = [label.get_alpha() for _, _, label in ticks]
    for _, _, label in ticks:
        label.set_alpha(0)  # nothing else moves, as it would if it were not drawn
    changed = abs(picture - _rendered(canvas)).max(axis=-1) > 25  # (height, width)
    found = {ax.xaxis: set(), ax.yaxis: set()}
    for (axis, tick, label), box, alpha in zip(ticks, boxes, alphas, strict=True):
        label.set_alpha(alpha)
        if _is_inside(box, changed):
            both = ax.transData.transform((tick.get_loc(), tick.get_loc()))
            place = both[0] if axis is ax.xaxis else len(picture) - both[1]
            found[axis].add((round(float(place), 1), label.get_text()))
    return picture, sorted(found[ax.xaxis]), sorted(found[ax.yaxis])


def _rendered(canvas):
    """The picture on white, (height, width, 3) in 0 ... 255, from the top left."""
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba()).astype(float)  # (height, width, 4)
    opacity = pixels[..., 3:] / 255
    return pixels[..., :3] * opacity + 255 * (1 - opacity)


def _is_inside(box, changed):
    """Whether the middle of ``box`` is inside the figure, and a pixel in it changed."""
    height, width = changed.shape
    x, y = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
    if not (0 <= x < width and 0 <= y < height):
        return False
    left, right = max(0, int(box.x0)), int(np.ceil(box.x1)) + 1
    top, bottom = max(0, int(height - box.y1)), int(np.ceil(height - box.y0)) + 1
    return changed[top:bottom, left:right].any()


def _colors(picture, ax, x, y, share):
    """The color at each crossing, (rows, columns, 3), and whether it fills most of the
    middle of the cell, (rows, columns). The middle is ``share`` of it each way.
    """
    columns, rows = np.array(x), np.array(y)
    half_width, half_height = (
        max(2, int((np.diff(places).min() if len(places) > 1 else whole) * share / 2))
        for places, whole in ((columns, ax.bbox.width), (rows, ax.bbox.height))
    )
    if len(rows) == 1 and len(columns) > 1:  # how high a single row is, one cannot know
        half_height = min(half_height, half_width)
    colors = np.zeros((len(rows), len(columns), 3))
    filled = np.zeros((len(rows), len(columns)), bool)
    frame = (half_height,) * 2, (half_width,) * 2, (0, 0)
    framed = np.pad(picture, frame, mode="edge")
    for i, j in np.ndindex(filled.shape):
        row, column = int(rows[i]), int(columns[j])
        middle = framed[row : row + 2 * half_height, column : column + 2 * half_width]
        if middle.size == 0:  # a tick outside the figure
            continue
        colors[i, j] = _main_color(middle)
        similar = abs(middle - colors[i, j]).max(axis=-1) <= _SIMILAR_COLOR
        filled[i, j] = similar.mean() > 0.6
    return colors, filled


def _main_color(middle):
    """The most frequent color, so that a number written on the cell does not matter; of
    a picture without sharp edges, the color in the center.
    """
    colors, counts = np.unique(middle.reshape(-1, 3), axis=0, return_counts=True)
    if counts.max() > 0.3 * counts.sum():
        return colors[counts.argmax()]
    height, width = len(middle) // 2, middle.shape[1] // 2
    center = middle[height - 1 : height + 1, width - 1 : width + 1]
    return center.mean(axis=(0, 1))


def _is_one_color(colors):
    return np.ptp(colors, axis=(0, 1)).max() <= _SAME_COLOR


def _shows(colors, weights):
    """Whether equal weights have equal colors, and different weights different ones."""
    return colors.shape[:2] == weights.shape and not _exceptions(colors, weights).any()


def _exceptions(colors, weights):
    """(cells, cells): whether the colors of two cells are alike where their weights are
    not, or the other way round.
    """
    colors = colors.reshape(-1, 3)  # (cells, 3)
    distances = abs(colors[:, None] - colors).max(axis=-1)  # (cells, cells)
    equal = weights.reshape(-1, 1) == weights.reshape(-1)
    return (distances <= _SAME_COLOR) != equal


def _is_transposed(colors, weights, size):
    """Whether the first cells, ``size`` of them, show the transposed weights."""
    block = slice(size[0]), slice(size[1])
    return min(size) > 1 and _shows(colors[block], weights.T[block])


def _is_shifted(colors, filled, weights):
    """Whether each cell shows the weight right below it, and the last row nothing."""
    if min(weights.shape) == 1 or not filled[:-1, :-1].all():
        return False
    return _shows(colors[:-1, :-1], weights[1:, 1:]) and _is_one_color(colors[-1:])


# What is wrong with it


def _labels_problem(words, colors, weights, source, target):
    """What is wrong with the labels, (of the columns, of the rows)."""
    if words == ([], []):
        return _HIDDEN
    columns, rows = words
    if columns and rows and columns == target[: len(columns)]:
        if rows == source[: len(rows)]:
            return _TRANSPOSED if _shows(colors, weights.T) else _SWAPPED
    if words == (source, target[::-1]) and _shows(colors, weights[::-1]):
        return _UPSIDE_DOWN
    if words == (source[::-1], target) and _shows(colors, weights[:, ::-1]):
        return _MIRRORED
    numbers = [str(number) for number in range(max(weights.shape))]
    if words == (numbers[: len(source)], numbers[: len(target)]):
        return _NUMBERS
    if words == (source[:-1], target[:-1]) and _shows(colors, weights[1:, 1:]):
        return _SHIFTED
    size = len(rows), len(columns)
    if words == (source[: size[1]], target[: size[0]]):
        if _is_transposed(colors, weights, size):
            return _TRANSPOSED
    lines = (
        ("columns, from the left,", words[0], source),
        ("rows, from the top,", words[1], target),
    )
    name, got, wanted = next(line for line in lines if line[1] != line[2])
    return (
        f"The tick labels of the {name} are not the words."
        f"\n  expected  {compare.show(wanted)}\n  got       {compare.show(got)}"
        "\n  (a label that is hidden, cut off, or outside the figure does not count)"
    )


def _colors_problem(colors, filled, weights, source, target):
    """What is wrong with the colors at the crossings."""
    if not _shows(colors, weights):
        if _is_one_color(colors) and np.ptp(weights) > 0:
            return _ONE_COLOR
        if _is_transposed(colors, weights, [min(weights.shape)] * 2):
            return _TRANSPOSED
        if _shows(colors, weights[::-1]):
            return _ROWS_WITHOUT_LABELS
        if _shows(colors, weights[:, ::-1]):
            return _COLUMNS_WITHOUT_LABELS
        if _is_shifted(colors, filled, weights):
            return _SHIFTED

    def cell(index):
        row, column = np.unravel_index(index, weights.shape)
        place = f"in row {target[row]!r}, column {source[column]!r}"
        return f"{weights[row, column]:g} {place}"

    if not filled.all():
        index = np.argmin(filled)
        return (
            "The middle of a cell has more than one color. Is the cell cut off, or is "
            f"its label away from its center?\n  it is  {cell(index)}"
        )
    one, other = np.argwhere(_exceptions(colors, weights))[0]
    if weights.flat[one] == weights.flat[other]:
        sentence = "The same weight has two colors. Equal weights need equal colors."
    else:
        sentence = (
            "Different weights have the same color. Look at vmin, vmax, and the color "
            "map, and whether every weight is drawn."
        )
    return f"{sentence}\n  one is    {cell(one)}\n  other is  {cell(other)}"


@exercise(
    _drawing_cases,
    hints=[
        "`ax.imshow(weights)` draws row 0 at the top, which is what you need here.",
        (
            "`ax.set_xticks` and `ax.set_yticks` take positions and, as a second "
            "argument, labels. (`ax.set_xticklabels` alone puts the labels at whatever "
            "ticks there are.) The center of the first cell is at 0 in an image, as "
            "`imshow` draws it, and at 0.5 in a mesh."
        ),
    ],
    extract=_extract_drawing,
)
def draw_alignment(ax, weights, source, target):
    """Draw weights as a heat map: target words are rows, source words are columns.

    ax: matplotlib Axes. weights: (target_len, source_len). source, target: lists of
    words. Each row and each column carries its word as a visible tick label at the
    cell's center; the first target word is at the top, the first source word on the
    left. Equal weights have equal colors, different weights different ones. Returns ax.
    """
    ax.imshow(weights, cmap="Blues", vmin=0)
    ax.set_xticks(range(len(source)), source, rotation=90)
    ax.set_yticks(range(len(target)), target)
    ax.set_xlabel("source")
    ax.set_ylabel("target")
    return ax


@draw_alignment.known_mistake(_TRANSPOSED)
def heatmap_transposed(ax, weights, source, target):
    return draw_alignment.reference_solution(ax, weights.T, target, source)


@draw_alignment.known_mistake(_TRANSPOSED)
def heatmap_transposed_under_the_labels(ax, weights, source, target):
    draw_alignment.reference_solution(ax, weights, source, target)
    ax.images[0].remove()
    ax.imshow(weights.T)
    return ax


@draw_alignment.known_mistake(_UPSIDE_DOWN)
def upside_down(ax, weights, source, target):
    draw_alignment.reference_solution(ax, weights, source, target).invert_yaxis()
    return ax


@draw_alignment.known_mistake(_UPSIDE_DOWN)
def mesh_upside_down(ax, weights, source, target):
    ax.pcolormesh(weights)
    ax.set_xticks(np.arange(len(source)) + 0.5, source)
    ax.set_yticks(np.arange(len(target)) + 0.5, target)
    return ax


@draw_alignment.known_mistake(_MIRRORED)
def mirrored(ax, weights, source, target):
    draw_alignment.reference_solution(ax, weights, source, target).invert_xaxis()
    return ax


@draw_alignment.known_mistake(_ROWS_WITHOUT_LABELS)
def rows_flipped(ax, weights, source, target):
    return draw_alignment.reference_solution(ax, weights[::-1], source, target)


@draw_alignment.known_mistake(_COLUMNS_WITHOUT_LABELS)
def columns_flipped(ax, weights, source, target):
    return draw_alignment.reference_solution(ax, weights[:, ::-1], source, target)


@draw_alignment.known_mistake(_NUMBERS)
def no_words(ax, weights, source, target):
    ax.imshow(weights)
    ax.set_xticks(range(len(source)))
    ax.set_yticks(range(len(target)))
    return ax


@draw_alignment.known_mistake(_SWAPPED)
def words_swapped(ax, weights, source, target):
    ax.imshow(weights)
    ax.set_xticks(range(len(target)), target)
    ax.set_yticks(range(len(source)), source)
    ax.set_ylim(len(target) - 0.5, -0.5)
    ax.set_xlim(-0.5, len(source) - 0.5)
    return ax


@draw_alignment.known_mistake(_SHIFTED)
def words_shifted(ax, weights, source, target):
    ax.imshow(weights)
    ax.set_xticks(np.arange(len(source)) + 1, source)
    ax.set_yticks(np.arange(len(target)) + 1, target)
    ax.set_ylim(len(target) - 0.5, -0.5)
    ax.set_xlim(-0.5, len(source) - 0.5)
    return ax


@draw_alignment.known_mistake(_SHIFTED)
def words_shifted_past_the_end(ax, weights, source, target):
    ax.imshow(weights)
    ax.set_xticks(np.arange(len(source)) + 1, source)
    ax.set_yticks(np.arange(len(target)) + 1, target)
    return ax


@draw_alignment.known_mistake(_HIDDEN)
def axis_off(ax, weights, source, target):
    draw_alignment.reference_solution(ax, weights, source, target).axis("off")
    return ax


@draw_alignment.known_mistake(_HIDDEN)
def labels_without_color(ax, weights, source, target):
    draw_alignment.reference_solution(ax, weights, source, target)
    ax.tick_params(labelcolor="none")
    return ax


@draw_alignment.known_mistake(_ONE_COLOR)
def white_on_white(ax, weights, source, target):
    from matplotlib.colors import ListedColormap

    draw_alignment.reference_solution(ax, weights, source, target)
    ax.images[0].set_cmap(ListedColormap(["white"]))
    return ax


@draw_alignment.known_mistake(_NOT_RETURNED)
def ax_not_returned(ax, weights, source, target):
    draw_alignment.reference_solution(ax, weights, source, target)


@draw_alignment.known_mistake(_ELSEWHERE)
def drawn_elsewhere(ax, weights, source, target):
    from matplotlib.figure import Figure

    return draw_alignment.reference_solution(
        Figure().subplots(), weights, source, target
    )


@draw_alignment.known_mistake(_NOTHING)
def labels_alone(ax, weights, source, target):
    ax.set_xticks(range(len(source)), source)
    ax.set_yticks(range(len(target)), target)
    return ax


# Your own translator


def _random_model(rng, source_size, target_size, dim, units, embedding_dim):
    """A model with random parameters."""
    half = dim // 2
    shapes = {
        "source_embedding": (source_size, embedding_dim),
        "target_embedding": (target_size, embedding_dim),
        "first_state_kernel": (half, units),
        "first_state_bias": (units,),
        "w_query": (units, units),
        "w_keys": (dim, units),
        "v": (units,),
        "output_kernel": (units + dim + embedding_dim, target_size),
        "output_bias": (target_size,),
    }
    sizes = {
        "forward": (embedding_dim, half),
        "backward": (embedding_dim, half),
        "cell": (embedding_dim + dim, units),
    }
    for name, (input_dim, own) in sizes.items():
        shapes[f"{name}_kernel"] = input_dim, 3 * own
        shapes[f"{name}_recurrent_kernel"] = own, 3 * own
        shapes[f"{name}_bias"] = 2, 3 * own
    parameters = {name: 2 * rng.normal(size=shape) for name, shape in shapes.items()}
    return numpy_translators.BahdanauModel(parameters)


_CALL_OF_STEP = (
    "Call bahdanau_step(state, word, annotations, mask, w_query, w_keys, v, gru), in "
    "this order, with everything from model that has one of these names."
)
_WORD_IS_A_TOKEN = (
    "bahdanau_step should get the vector of the word, not its token: model.embed(token)"
    " has shape (1, embedding_dim)."
)
_MASK_OF_ONE = (
    "mask should be boolean, of shape (1, source_len): "
    "np.ones((1, len(source)), bool), because every position is a word."
)


def _checked_step(state, word, annotations, mask, w_query, w_keys, v, gru):
    """The solution of bahdanau_step, which says what is wrong with its arguments."""
    if np.ndim(word) == 0:
        raise sandbox.CheckFailed(_WORD_IS_A_TOKEN)
    shapes = [np.shape(each) for each in (state, word, annotations, v)]
    if [len(shape) for shape in shapes] != [2, 2, 3, 1] or not callable(gru):
        raise sandbox.CheckFailed(_CALL_OF_STEP)
    mask = np.asarray(mask)
    if mask.dtype != bool or mask.shape != shapes[2][:2]:
        raise sandbox.CheckFailed(_MASK_OF_ONE)
    return bahdanau_step.reference_solution(
        state, word, annotations, mask, w_query, w_keys, v, gru
    )


def _greedy(step, state, start, end, max_length):
    """The solution of greedy_decode, which says what is wrong with its arguments."""
    if not callable(step):
        raise sandbox.CheckFailed(
            "greedy_decode(step, state, start, end, max_length) should get the "
            "function step itself."
        )
    return numpy_translators.greedy_decode(step, state, start, end, max_length)


# (title, source, tokens of its translation, max_length, sizes of the model)
_SENTENCES = [
    ("three words; the end is never chosen", [3, 5, 4], 2, 2, (5, 2, 3, 2)),
    ("the end is chosen at once", [3, 4, 3], 0, 4, (5, 2, 3, 2)),
    ("two words, and the end", [5, 3, 5, 4], 2, 6, (6, 4, 3, 2)),
    ("two steps and two words", [4, 3], 2, 2, (6, 2, 2, 3)),
    ("as many steps as words, and one width", [4, 3, 4, 3], 3, 6, (6, 4, 4, 4)),
    ("one word", [4], 3, 3, (6, 2, 2, 2)),
    ("a longer sentence", [7, 3, 3, 8, 5, 4, 7], 4, 9, (6, 4, 4, 5)),
    ("another longer sentence", [6, 3, 4, 6, 6], 3, 9, (6, 6, 2, 3)),
]


@functools.cache
def _models(seed):
    """For each sentence a model that translates it into so many tokens."""
    rng, models = np.random.default_rng(seed), []
    for _, source, length, max_length, sizes in _SENTENCES:
        model = _random_model(rng, max(source) + 1, *sizes)
        while not _ends(model, source, length, length < max_length):
            model = _random_model(rng, max(source) + 1, *sizes)
        models.append(model)
    return models


def _ends(model, source, length, is_chosen):
    """Change the bias of the end so that it is chosen after ``length`` tokens, or later
    if it is not to be chosen. Returns whether that was possible.
    """
    margins = []  # of the best word over the end, at each step

    def watch(step, state, token, end, _):
        for _ in range(length + is_chosen):
            logits, state = step(token, state)
            margins.append(np.delete(logits, end).max() - logits[end])
            logits[end] = -np.inf
            token = int(np.argmax(logits))
        return []

    numpy_translators.translate_sentence(model, source, 0, _checked_step, watch)
    least = min(margins[:length], default=np.inf)
    bias = margins[length] + 1 if is_chosen else least - 1
    model.parameters["output_bias"][model.end] += bias
    return bias < least


def _sentence_cases(rng):
    models = _models(int(rng.integers(1000)))
    for model, (title, source, _, max_length, _) in zip(
        models, _SENTENCES, strict=True
    ):
        yield title, (model, list(source), max_length, _checked_step, _greedy)


@exercise(
    _sentence_cases,
    hints=[
        (
            "`greedy_decode` needs a function `step(token, state)` that returns "
            "`(logits, new_state)`. Define it inside `translate_sentence`, where it "
            "can see the annotations: it embeds the token, calls `bahdanau_step`, and "
            "asks `model.logits`."
        ),
        (
            "`greedy_decode` never sees the weights, so `step` has to keep them. Make "
            "an empty list before you define `step`, and let `step` append "
            "`weights[0]`, which has shape (source_len,). `np.stack` turns the list "
            "into a matrix. The mask is `np.ones((1, len(source)), bool)`."
        ),
    ],
    returns=("tokens", "weights"),
)
def translate_sentence(model, source, max_length, bahdanau_step, greedy_decode):
    """Translate one sentence with bahdanau_step and greedy_decode.

    model: model.encode(source) gives annotations (1, source_len, dim) and the first
    state (1, units); model.embed(token) gives a word's vector (1, embedding_dim);
    model.logits(new_state, context, word) gives (1, vocabulary). model.w_query,
    model.w_keys, model.v, and model.gru are what bahdanau_step takes, and model.start
    and model.end what greedy_decode takes. source: list of ints. max_length: 1 or more.
    Returns tokens, the list that greedy_decode returns, and weights (steps,
    source_len), one row per step, with that of the step that chose the end.
    """
    annotations, state = model.encode(source)
    mask = np.ones((1, len(source)), bool)  # every position is a word
    rows = []

    def step(token, state):
        word = model.embed(token)  # (1, embedding_dim)
        state, context, weights = bahdanau_step(
            state,
            word,
            annotations,
            mask,
            model.w_query,
            model.w_keys,
            model.v,
            model.gru,
        )
        rows.append(weights[0])  # (source_len,)
        logits = model.logits(state, context, word)  # (1, vocabulary)
        return logits[0], state

    tokens = greedy_decode(step, state, model.start, model.end, max_length)
    return tokens, np.stack(rows)


class _Steps:
    """The solution's parts, of which a wrong answer replaces one."""

    def embed(self, model, token):
        return model.embed(token)

    def state(self, state, first):
        return state

    def mask(self, mask):
        return mask

    def matrices(self, model):
        return model.w_query, model.w_keys

    def logits(self, model, new_state, old_state, context, word):
        return model.logits(new_state, context, word)

    def answer(self, logits, new_state, old_state):
        return logits[0], new_state

    def row(self, weights, context):
        return weights[0]

    def result(self, tokens, rows, model):
        return tokens, np.stack(rows)

    def __call__(self, model, source, max_length, bahdanau_step, greedy_decode):
        annotations, first = model.encode(source)
        mask = self.mask(np.ones((1, len(source)), bool))
        rows = []

        def step(token, state):
            word = self.embed(model, token)
            new_state, context, weights = bahdanau_step(
                self.state(state, first),
                word,
                annotations,
                mask,
                *self.matrices(model),
                model.v,
                model.gru,
            )
            rows.append(self.row(weights, context))
            logits = self.logits(model, new_state, state, context, word)
            return self.answer(logits, new_state, state)

        tokens = greedy_decode(step, first, model.start, model.end, max_length)
        return self.result(tokens, rows, model)


def _wrong_sentence(message, **changes):
    """Add the wrong answer in which functions take the places of parts of _Steps."""
    parts = {name: staticmethod(change) for name, change in changes.items()}
    steps = type("Steps", (_Steps,), parts)()

    def wrong(model, source, max_length, bahdanau_step, greedy_decode):
        return steps(model, source, max_length, bahdanau_step, greedy_decode)

    translate_sentence.known_mistake(message)(wrong)


_wrong_sentence(
    "Every step embeds the start token. Embed the token that step is called with, "
    "which is the word that was just chosen.",
    embed=lambda model, token: model.embed(model.start),
)
_SAME_STATE = (
    "Every step begins at the first state. Pass the state that step is called with to "
    "bahdanau_step, and return the new state that it makes."
)
_wrong_sentence(_SAME_STATE, state=lambda state, first: first)
_wrong_sentence(
    _SAME_STATE, answer=lambda logits, new_state, old_state: (logits[0], old_state)
)
_wrong_sentence(
    "You predict the next word from the state that came in. Eq. 4 takes the new "
    "state, s_i: model.logits(new_state, context, word).",
    logits=lambda model, new, old, context, word: model.logits(old, context, word),
)
_wrong_sentence(
    "step should return the logits first and then the new state. You exchange them.",
    answer=lambda logits, new_state, old_state: (new_state, logits),
)
_wrong_sentence(
    "You exchange the two matrices: w_query comes before w_keys.",
    matrices=lambda model: (model.w_keys, model.w_query),
)
_wrong_sentence(
    "Your mask is False everywhere, so no word may be attended to. Every position of "
    "the sentence is a word: True.",
    mask=np.logical_not,
)
_NO_LAST_ROW = (
    "A row of the weights is missing: the step that chooses the end has one, too."
)
_wrong_sentence(
    _NO_LAST_ROW,
    result=lambda tokens, rows, model: (
        tokens,
        np.reshape(rows[: len(tokens)], (len(tokens), len(rows[0]))),
    ),
)
_wrong_sentence(
    _NO_LAST_ROW,
    result=lambda tokens, rows, model: (tokens, np.stack(rows)[: len(tokens)]),
)
_wrong_sentence(
    "Your weights have the axis of the batch in them. Keep weights[0] of each step, "
    "which has shape (source_len,).",
    row=lambda weights, context: weights,
)
_wrong_sentence(
    "Your second result holds the contexts. Keep the weights of each step.",
    row=lambda weights, context: context[0],
)
_wrong_sentence(
    "Your weights are transposed. Each step is a row, and each source word a column.",
    result=lambda tokens, rows, model: (tokens, np.stack(rows).T),
)
_wrong_sentence(
    "You return tokens and weights in the wrong order. Return the tokens first.",
    result=lambda tokens, rows, model: (np.stack(rows), tokens),
)
_wrong_sentence(
    "The tokens still hold the start. Return what greedy_decode returns.",
    result=lambda tokens, rows, model: ([model.start, *tokens], np.stack(rows)),
)
_wrong_sentence(
    "You add the end to the tokens. Return what greedy_decode returns.",
    result=lambda tokens, rows, model: ([*tokens, model.end], np.stack(rows)),
)
_wrong_sentence(
    "You return only the weights of the last step. Keep those of every step.",
    result=lambda tokens, rows, model: (tokens, rows[-1][None]),
)
_wrong_sentence(
    "You return only the weights of the last step. Keep those of every step.",
    result=lambda tokens, rows, model: (tokens, rows[-1]),
)


def own_parts(namespace):
    """Those of your functions that pass their checks, for ``Translator.load``.

    It prints for each part of a translator whose function it will be.

    Parameters
    ----------
    namespace : dict
        The variables of the notebook: ``globals()``.

    Returns
    -------
    dict of str to function
        ``Translator.load("dates", **own_parts(globals()))`` makes a translator of them.
        For a part that is missing, it takes the function of attnlib.
    """
    return passing_parts(
        namespace,
        (
            psychology.softmax,
            bottleneck.greedy_decode,
            additive_scores,
            attend,
            bahdanau_step,
            translate_sentence,
        ),
    )
