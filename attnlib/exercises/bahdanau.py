"""Exercises of chapter 03, "Bahdanau attention: align and translate"."""

import numpy as np

from attnlib import reference as ref
from attnlib.checking import compare, sandbox
from attnlib.checking.exercise import exercise
from attnlib.exercises._shared import recurrent_cell


def _score_cases(rng):
    query, keys = np.array([[[0.5], [-1.0]]]), np.array([[[0.0], [1.0], [2.0]]])
    yield (
        "two queries and three keys of dimension 1",
        (query, keys, np.eye(1), np.eye(1), np.array([2.0])),
    )
    yield (
        "two sentences",
        (
            rng.normal(size=(2, 4, 3)),
            rng.normal(size=(2, 5, 6)),
            rng.normal(size=(3, 7)),
            rng.normal(size=(6, 7)),
            rng.normal(size=7),
        ),
    )
    yield (
        "one query, large numbers",
        tuple(
            30 * rng.normal(size=shape)
            for shape in [(3, 1, 2), (3, 4, 2), (2, 2), (2, 2), (2,)]
        ),
    )


@exercise(
    _score_cases,
    hints=[
        (
            "Project both sides to `units` dimensions first: `query @ w_query` "
            "and `keys @ w_keys`. Then combine every query with every key: "
            "which shapes broadcast to (batch, target_len, source_len, units)?"
        ),
        (
            "`projected_query[:, :, None, :] + projected_keys[:, None, :, :]` holds "
            "every pair. What remains is `np.tanh` and a product with `v`."
        ),
    ],
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
    "tanh is missing. "
    "Without it, the query adds the same number to the score of every key."
)
def without_tanh(query, keys, w_query, w_keys, v):
    one, other = _pairs(query, keys, w_query, w_keys)
    return (one + other) @ v


@additive_scores.known_mistake(
    "You add two tanh values. "
    "Take the tanh of the sum; otherwise the query has no effect on the weights."
)
def tanh_before_the_sum(query, keys, w_query, w_keys, v):
    one, other = _pairs(query, keys, w_query, w_keys)
    return (np.tanh(one) + np.tanh(other)) @ v


@additive_scores.known_mistake(
    "You take tanh after the product with v. "
    "It belongs before: v multiplies the hidden units."
)
def tanh_last(query, keys, w_query, w_keys, v):
    one, other = _pairs(query, keys, w_query, w_keys)
    return np.tanh((one + other) @ v)


@additive_scores.known_mistake(
    "v is missing. You add up the hidden units, "
    "but each should first be multiplied by its element of v."
)
def without_v(query, keys, w_query, w_keys, v):
    one, other = _pairs(query, keys, w_query, w_keys)
    return np.tanh(one + other).sum(axis=-1)


@additive_scores.known_mistake(
    "You multiply the two projections. "
    "The additive score adds them; the product is Luong's."
)
def multiplied(query, keys, w_query, w_keys, v):
    one, other = _pairs(query, keys, w_query, w_keys)
    return np.tanh(one * other) @ v


@additive_scores.known_mistake(
    "Your scores have shape (batch, source_len, target_len). "
    "Queries should be the rows and keys the columns."
)
def transposed(query, keys, w_query, w_keys, v):
    return additive_scores.reference_solution(keys, query, w_keys, w_query, v)


@additive_scores.known_mistake(
    "These are weights. Return the scores, before the softmax."
)
def weights_already(query, keys, w_query, w_keys, v):
    return ref.softmax(ref.additive_scores(query, keys, w_query, w_keys, v))


@additive_scores.known_mistake(
    "The query is missing from your scores: every target position gets the same scores."
)
def without_query(query, keys, w_query, w_keys, v):
    return additive_scores.reference_solution(0 * query, keys, w_query, w_keys, v)


def _attend_cases(rng):
    scores = np.array([[[0.0, 1.0, 2.0], [1.0, 1.0, 3.0]]])
    values = np.array([[[1.0], [2.0], [4.0]]])
    yield "two queries, three words, no mask", (scores, values)
    yield "the last word is padding", (scores, values, np.array([[True, True, False]]))
    scores, values = rng.normal(size=(3, 4, 5)), rng.normal(size=(3, 5, 2))
    mask = np.arange(5) < np.array([[5], [1], [3]])
    yield "three sentences of 5, 1, and 3 words", (scores, values, mask)
    yield "negative scores, padding first", (scores - 5, values, mask[:, ::-1])
    scores = np.array([[[1000.0, 999.0, -1000.0]], [[-1000.0, -1001.0, -5000.0]]])
    values = rng.normal(size=(2, 3, 2))
    yield "scores of 1000", (scores, values)
    scores = np.array([[[1000.0, 1.0, 2.0]], [[0.0, 1.0, 900.0]]])
    mask = np.array([[False, True, True], [True, True, False]])
    yield "a padded position with a score of 1000", (scores, values, mask)
    yield (
        "a sentence with nothing to attend to",
        (np.ones((2, 1, 3)), values, mask & [[False], [True]]),
    )


@exercise(
    _attend_cases,
    hints=[
        (
            "`np.where(mask[:, None, :], scores, -np.inf)` removes padding "
            "before anything else is computed, because exp(-inf) = 0. "
            "Think of `mask=None` as a mask of True."
        ),
        (
            "Subtract each row's maximum before `np.exp`. Where a row has nothing to "
            "attend to, that maximum is -inf and the sum is 0: replace them by 0 and 1 "
            "with `np.where`. The context is `weights @ values`."
        ),
    ],
    returns=("context", "weights"),
)
def attend(scores, values, mask=None):
    """weights = softmax(scores) over the source, context = weights @ values.

    scores: (batch, target_len, source_len). values: (batch, source_len, value_dim).
    mask: (batch, source_len), True = may be attended; None means all may.
    Returns context (batch, target_len, value_dim) and weights (batch, target_len,
    source_len). Padding gets weight 0; a sentence with nothing to attend to gets zero
    weights and a zero context.
    """
    if mask is not None:
        mask = mask[:, None, :]  # (batch, 1, source_len)
        scores = np.where(mask, scores, -np.inf)
    highest = scores.max(axis=-1, keepdims=True)  # (batch, target_len, 1)
    exponentials = np.exp(scores - np.where(highest == -np.inf, 0, highest))
    total = exponentials.sum(axis=-1, keepdims=True)
    weights = exponentials / np.where(total == 0, 1, total)
    return weights @ values, weights


def _softmax(scores, axis=-1):
    exponentials = np.exp(scores - scores.max(axis=axis, keepdims=True))
    return exponentials / exponentials.sum(axis=axis, keepdims=True)


def _allowed(scores, mask):
    return np.ones(scores[:, :1].shape, bool) if mask is None else mask[:, None, :]


@attend.known_mistake(
    "Your weights sum to one over the decoder's steps. "
    "They should sum to one over the source, so take the softmax over the last axis."
)
def softmax_over_steps(scores, values, mask=None):
    weights = _softmax(np.where(_allowed(scores, mask), scores, -1e9), axis=1)
    return weights @ values, weights


@attend.known_mistake(
    "Your weights sum to one over the batch. Take the softmax over the last axis."
)
def softmax_over_batch(scores, values, mask=None):
    weights = _softmax(np.where(_allowed(scores, mask), scores, -1e9), axis=0)
    return weights @ values, weights


@attend.known_mistake(
    "Your weights sum to one over the whole sentence pair. "
    "Each target position needs its own softmax."
)
def softmax_over_both(scores, values, mask=None):
    weights = _softmax(np.where(_allowed(scores, mask), scores, -1e9), axis=(1, 2))
    return weights @ values, weights


@attend.known_mistake("Your function ignores the mask: padding gets weight.")
def mask_ignored(scores, values, mask=None):
    weights = _softmax(scores)
    return weights @ values, weights


@attend.known_mistake(
    "You multiply the scores by the mask. A score of 0 is still a score: exp(0) = 1. "
    "Use -inf."
)
def mask_times_scores(scores, values, mask=None):
    weights = _softmax(scores * _allowed(scores, mask))
    return weights @ values, weights


@attend.known_mistake(
    "You set padding to zero after the softmax, so the weights no longer sum to one. "
    "Mask before it."
)
def mask_after_softmax(scores, values, mask=None):
    weights = _softmax(scores) * _allowed(scores, mask)
    return weights @ values, weights


@attend.known_mistake("Your mask is inverted: True means that a word may be attended.")
def mask_inverted(scores, values, mask=None):
    return attend.reference_solution(scores, values, None if mask is None else ~mask)


@attend.known_mistake(
    "exp overflows at a score of 1000. Subtract each row's maximum first."
)
def overflows(scores, values, mask=None):
    exponentials = np.exp(scores) * _allowed(scores, mask)
    total = exponentials.sum(axis=-1, keepdims=True)
    weights = exponentials / np.where(total == 0, 1, total)
    return weights @ values, weights


@attend.known_mistake(
    "The maximum you subtract may be that of a padded position, "
    "and then every real word underflows. Mask first."
)
def maximum_over_padding(scores, values, mask=None):
    exponentials = np.exp(scores - scores.max(axis=-1, keepdims=True))
    exponentials = exponentials * _allowed(scores, mask)
    total = exponentials.sum(axis=-1, keepdims=True)
    weights = exponentials / np.where(total == 0, 1, total)
    return weights @ values, weights


@attend.known_mistake(
    "With nothing to attend to, -1e9 everywhere gives equal weights, "
    "all of them on padding. Those rows should be zeros."
)
def equal_weights_for_nothing(scores, values, mask=None):
    weights = _softmax(np.where(_allowed(scores, mask), scores, -1e9))
    return weights @ values, weights


@attend.known_mistake(
    "With nothing to attend to, the row is 0 / 0, which is NaN. "
    "Those rows should be zeros."
)
def nan_for_nothing(scores, values, mask=None):
    weights = _softmax(np.where(_allowed(scores, mask), scores, -np.inf))
    return weights @ values, weights


@attend.known_mistake(
    "You return the two in the wrong order. Return the context first, then the weights."
)
def order_swapped(scores, values, mask=None):
    return attend.reference_solution(scores, values, mask)[::-1]


def _step_arguments(rng, state, word, annotations, mask, attention_units):
    weights = [
        rng.normal(size=(width, attention_units))
        for width in (state.shape[-1], annotations.shape[-1])
    ]
    input_dim = word.shape[-1] + annotations.shape[-1]
    gru = recurrent_cell(rng, input_dim, state.shape[-1], joined="context")
    return (
        state,
        word,
        annotations,
        mask,
        *weights,
        rng.normal(size=attention_units),
        gru,
    )


def _step_cases(rng):
    state = np.array([[1.0]])
    word = np.array([[0.5]])
    annotations = np.array([[[0.0, 1.0], [1.0, 0.0], [2.0, 2.0]]])
    yield (
        "one sentence of two words and one padded position",
        _step_arguments(
            rng, state, word, annotations, np.array([[True, True, False]]), 1
        ),
    )
    for lengths in ([5, 2, 4], [3, 3, 3]):
        state, word = rng.normal(size=(3, 4)), rng.normal(size=(3, 2))
        mask = np.arange(5) < np.array(lengths)[:, None]
        yield (
            "three sentences",
            _step_arguments(rng, state, word, rng.normal(size=(3, 5, 6)), mask, 7),
        )


@exercise(
    _step_cases,
    hints=[
        (
            "It takes four lines: the scores, the context and weights, the new state, "
            "and the return. `ref.additive_scores` and `ref.attend` of the chapter do "
            "the first two, for target_len = 1."
        ),
        (
            "The query is the *previous* state with an axis for target_len: "
            "`state[:, None, :]`. Remove that axis again with `context[:, 0]`. "
            "The input of `gru` is `np.concatenate([word, context], axis=-1)`."
        ),
    ],
    returns=("new_state", "context", "weights"),
)
def bahdanau_step(state, word, annotations, mask, w_query, w_keys, v, gru):
    """One step: s_{i-1} -> weights -> c_i -> s_i = gru([y_{i-1} ; c_i], s_{i-1}).

    state: (batch, units), s_{i-1}. word: (batch, embedding_dim), y_{i-1} embedded.
    annotations: (batch, source_len, dim). mask: (batch, source_len).
    gru: function (inputs, state) -> new state.
    Returns new_state (batch, units), context (batch, dim), weights (batch, source_len).
    """
    query = state[:, None, :]  # (batch, 1, units)
    scores = ref.additive_scores(query, annotations, w_query, w_keys, v)
    context, weights = ref.attend(scores, annotations, mask)
    context, weights = context[:, 0], weights[:, 0]  # (batch, dim), (batch, source_len)
    new_state = gru(np.concatenate([word, context], axis=-1), state)
    return new_state, context, weights


@bahdanau_step.known_mistake(
    "Your query is the new state. "
    "That state needs the context, so it does not exist yet: use s_{i-1}."
)
def query_is_the_new_state(state, word, annotations, mask, w_query, w_keys, v, gru):
    new_state, _, _ = bahdanau_step.reference_solution(
        state, word, annotations, mask, w_query, w_keys, v, gru
    )
    _, context, weights = bahdanau_step.reference_solution(
        new_state, word, annotations, mask, w_query, w_keys, v, gru
    )
    return new_state, context, weights


@bahdanau_step.known_mistake(
    "gru never receives the word y_{i-1}: its input is [word ; context]."
)
def word_forgotten(state, word, annotations, mask, w_query, w_keys, v, gru):
    return bahdanau_step.reference_solution(
        state, word[:, :0], annotations, mask, w_query, w_keys, v, gru
    )


@bahdanau_step.known_mistake(
    "gru never receives the context: its input is [word ; context]."
)
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


@bahdanau_step.known_mistake("The input of gru is [word ; context], in this order.")
def context_before_word(state, word, annotations, mask, w_query, w_keys, v, gru):
    context, weights = _attended(state, annotations, mask, w_query, w_keys, v)
    return gru(np.concatenate([context, word], axis=-1), state), context, weights


@bahdanau_step.known_mistake("Your step ignores the mask: padding gets weight.")
def padding_attended(state, word, annotations, mask, w_query, w_keys, v, gru):
    return bahdanau_step.reference_solution(
        state, word, annotations, None, w_query, w_keys, v, gru
    )


@bahdanau_step.known_mistake("gru should continue from s_{i-1}, not from zeros.")
def cell_from_zeros(state, word, annotations, mask, w_query, w_keys, v, gru):
    return bahdanau_step.reference_solution(
        state, word, annotations, mask, w_query, w_keys, v, lambda x, s: gru(x, 0 * s)
    )


@bahdanau_step.known_mistake(
    "The axis of target_len is still there. Remove it with [:, 0]."
)
def axis_kept(state, word, annotations, mask, w_query, w_keys, v, gru):
    new_state, context, weights = bahdanau_step.reference_solution(
        state, word, annotations, mask, w_query, w_keys, v, gru
    )
    return new_state[:, None], context[:, None], weights[:, None]


@bahdanau_step.known_mistake(
    "Your weights sum to one over the batch. "
    "Each sentence needs its own softmax, over its words."
)
def softmax_over_the_batch(state, word, annotations, mask, w_query, w_keys, v, gru):
    scores = _scores(state, annotations, w_query, w_keys, v)
    weights = _softmax(np.where(mask, scores, -1e9), axis=0)
    context = (weights[:, :, None] * annotations).sum(axis=1)
    return gru(np.concatenate([word, context], axis=-1), state), context, weights


@bahdanau_step.known_mistake("You return the scores. The weights are their softmax.")
def scores_for_weights(state, word, annotations, mask, w_query, w_keys, v, gru):
    new_state, context, _ = bahdanau_step.reference_solution(
        state, word, annotations, mask, w_query, w_keys, v, gru
    )
    return new_state, context, _scores(state, annotations, w_query, w_keys, v)


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
    for size in (12, 25, 40):
        links, sure, possible = (
            set(map(tuple, rng.integers(0, 7, (count, 2)).tolist()))
            for count in (size, size // 2, size)
        )
        yield (
            "random links",
            (links, sure, possible - sure if size == 12 else possible | sure),
        )


@exercise(
    _link_cases,
    hints=[
        "Sets do the counting: `len(links & sure)` is |A and S|.",
        (
            "A sure link is also possible, whether or not `possible` contains it: "
            "`links & (sure | possible)`."
        ),
    ],
)
def alignment_error_rate(links, sure, possible):
    """AER = 1 - (|A and S| + |A and P|) / (|A| + |S|), with S among P.

    links (A), sure (S), possible (P): sets of (target_index, source_index). A sure link
    counts as possible even where `possible` does not contain it.
    Returns a float, 0 for a perfect alignment.
    """
    possible = possible | sure
    return 1 - (len(links & sure) + len(links & possible)) / (len(links) + len(sure))


@alignment_error_rate.known_mistake(
    "A sure link is also possible: take P as sure | possible."
)
def sure_not_possible(links, sure, possible):
    return 1 - (len(links & sure) + len(links & (possible - sure))) / (
        len(links) + len(sure)
    )


@alignment_error_rate.known_mistake(
    "This is the fraction that is correct. The error rate is 1 minus that."
)
def accuracy(links, sure, possible):
    return 1 - alignment_error_rate.reference_solution(links, sure, possible)


@alignment_error_rate.known_mistake(
    "You divide by |A| + |P|. "
    "Divide by |A| + |S|, because the possible links need not be found."
)
def possible_in_the_denominator(links, sure, possible):
    possible = possible | sure
    return 1 - (len(links & sure) + len(links & possible)) / (
        len(links) + len(possible)
    )


@alignment_error_rate.known_mistake(
    "You never use the possible links. "
    "A link that is possible but not sure is not an error."
)
def possible_ignored(links, sure, possible):
    return 1 - 2 * len(links & sure) / (len(links) + len(sure))


@alignment_error_rate.known_mistake(
    "You treat possible links as sure ones, so missing one is an error. "
    "It should not be."
)
def all_sure(links, sure, possible):
    possible = possible | sure
    return 1 - 2 * len(links & possible) / (len(links) + len(possible))


@alignment_error_rate.known_mistake(
    "This is 1 - precision. "
    "A sure link that was not found should also count as an error."
)
def precision_alone(links, sure, possible):
    return 1 - len(links & (possible | sure)) / len(links)


@alignment_error_rate.known_mistake(
    "This is 1 - recall. A wrong link should also count as an error."
)
def recall_alone(links, sure, possible):
    return 1 - len(links & sure) / len(sure)


def _drawing_cases(rng):
    from matplotlib.figure import Figure

    weights = np.array([[0.1, 0.2, 0.7], [0.8, 0.15, 0.05]])
    source, target = ["the", "black", "cat"], ["chat", "noir"]
    yield (
        "two target words, three source words",
        (Figure().subplots(), weights, source, target),
    )
    words = "a b a c d".split()
    yield (
        "a repeated word",
        (
            Figure().subplots(),
            rng.dirichlet(np.ones(5), size=4),
            words,
            ["e", "f", "e", "g"],
        ),
    )
    source, target = [f"source{i}" for i in range(3)], [f"target{i}" for i in range(8)]
    yield (
        "eight target words",
        (Figure().subplots(), rng.dirichlet(np.ones(3), size=8), source, target),
    )


def _extract_drawing(returned, ax, weights, source, target):
    """What one sees: the numbers of the heatmap from the top left on, and the labels of
    its rows and columns.
    """
    centers, numbers = _heatmap(ax)
    ax.figure.draw_without_rendering()  # settles limits and ticks
    dots = ax.transData.transform(centers.reshape(-1, 2))
    dots = dots.reshape(centers.shape)  # (rows, columns, 2)
    left_to_right = np.argsort(dots[0, :, 0])
    top_to_bottom = np.argsort(-dots[:, 0, 1])
    x = dots[0, left_to_right, 0]
    y = dots[top_to_bottom, 0, 1]
    kind = compare.kind(sandbox.plain(returned))
    return {
        "The heatmap": numbers[top_to_bottom][:, left_to_right],
        "The row labels, from the top": _labels(ax.yaxis, y, 1),
        "The column labels, from the left": _labels(ax.xaxis, x, 0),
        "The returned value": "ax" if returned is ax else kind,
    }


def _heatmap(ax):
    """The centers of the cells, (rows, columns, 2) in data coordinates, and the numbers
    of the one image or mesh on ``ax``.
    """
    from matplotlib.collections import QuadMesh

    meshes = [mesh for mesh in ax.collections if isinstance(mesh, QuadMesh)]
    if ax.images:
        return _image_cells(ax.images[0])
    if meshes:
        return _mesh_cells(meshes[0])
    raise sandbox.CheckFailed(
        "There is no heatmap on ax. Draw with ax.imshow(...), not with plt.imshow(...)."
    )


def _image_cells(image):
    numbers = np.asarray(image.get_array(), float)
    left, right, bottom, top = image.get_extent()
    if image.origin == "lower":
        bottom, top = top, bottom
    rows, columns = numbers.shape[:2]
    x = left + (np.arange(columns) + 0.5) * (right - left) / columns
    y = top + (np.arange(rows) + 0.5) * (bottom - top) / rows
    return np.stack(np.meshgrid(x, y), axis=-1), numbers


def _mesh_cells(mesh):
    corners = mesh.get_coordinates()  # (rows + 1, columns + 1, 2)
    rows, columns = corners.shape[0] - 1, corners.shape[1] - 1
    numbers = np.asarray(mesh.get_array(), float).reshape(rows, columns)
    left_half = corners[:-1, :-1] + corners[1:, :-1]
    right_half = corners[:-1, 1:] + corners[1:, 1:]
    return (left_half + right_half) / 4, numbers


def _labels(axis, positions, coordinate):
    """For each position along the axis (in dots), the tick label there, or "" where
    there is none.
    """
    labels = [""] * len(positions)
    for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
        both = axis.axes.transData.transform((tick.get_loc(), tick.get_loc()))
        distances = np.abs(positions - both[coordinate])
        nearest = int(np.argmin(distances))
        if distances[nearest] < abs(positions[1] - positions[0]) / 4:
            labels[nearest] += "".join(
                label.get_text()
                for label in (tick.label1, tick.label2)
                if label.get_visible()
            )
    return labels


@exercise(
    _drawing_cases,
    hints=[
        "`ax.imshow(weights)` puts row 0 at the top, as needed here.",
        (
            "`ax.set_xticks(range(len(source)), source)` sets "
            "the positions and the labels of the ticks together. "
            "`ax.set_xticklabels` alone puts the labels at whatever ticks there are."
        ),
    ],
    extract=_extract_drawing,
)
def draw_alignment(ax, weights, source, target):
    """Draw weights as a heatmap: target words are rows, source words are columns.

    ax: matplotlib Axes. weights: (target_len, source_len). source, target: lists of
    words, each of them a tick label; the first target word is at the top. Returns ax.
    """
    ax.imshow(weights, cmap="Blues", vmin=0)
    ax.set_xticks(range(len(source)), source, rotation=90)
    ax.set_yticks(range(len(target)), target)
    ax.set_xlabel("source")
    ax.set_ylabel("target")
    return ax


@draw_alignment.known_mistake(
    "The heatmap is transposed. "
    "Target words should be the rows and source words the columns."
)
def heatmap_transposed(ax, weights, source, target):
    return draw_alignment.reference_solution(ax, weights.T, target, source)


@draw_alignment.known_mistake(
    "The first target word is at the bottom. "
    "Leave imshow's origin as it is, or invert the y axis."
)
def upside_down(ax, weights, source, target):
    draw_alignment.reference_solution(ax, weights, source, target).invert_yaxis()
    return ax


@draw_alignment.known_mistake("The ticks are labeled with numbers instead of words.")
def no_words(ax, weights, source, target):
    ax.imshow(weights)
    ax.set_xticks(range(len(source)))
    ax.set_yticks(range(len(target)))
    return ax


@draw_alignment.known_mistake(
    "The words are on the wrong axes: "
    "source words belong to the columns, target words to the rows."
)
def words_swapped(ax, weights, source, target):
    ax.imshow(weights)
    ax.set_xticks(range(len(target)), target)
    ax.set_yticks(range(len(source)), source)
    ax.set_ylim(len(target) - 0.5, -0.5)
    ax.set_xlim(-0.5, len(source) - 0.5)
    return ax


@draw_alignment.known_mistake(
    "The words are shifted by one: tick 0 is at the center of the first column."
)
def words_shifted(ax, weights, source, target):
    ax.imshow(weights)
    ax.set_xticks(np.arange(len(source)) + 1, source)
    ax.set_yticks(np.arange(len(target)) + 1, target)
    ax.set_ylim(len(target) - 0.5, -0.5)
    ax.set_xlim(-0.5, len(source) - 0.5)
    return ax


@draw_alignment.known_mistake(
    "You return nothing. Return ax, so that the caller can continue drawing."
)
def ax_not_returned(ax, weights, source, target):
    draw_alignment.reference_solution(ax, weights, source, target)


@draw_alignment.known_mistake(
    "You drew on another figure. Draw on the ax that you are given."
)
def drawn_elsewhere(ax, weights, source, target):
    from matplotlib.figure import Figure

    return draw_alignment.reference_solution(
        Figure().subplots(), weights, source, target
    )
