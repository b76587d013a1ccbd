"""Chapter 03's exercises: wrong answers that must not pass, right ones in unusual
styles, sentences that must be true, and pictures judged by what one sees.
"""

import collections
import itertools
import subprocess
import sys

import numpy as np
import pytest

from attnlib import numpy_translators
from attnlib import reference as ref
from attnlib.exercises import bahdanau as ex


def said(exercise, submission):
    """The first sentence of a refusal, on one line."""
    result = exercise.check(submission)
    assert not result.passed and result.attempted, result
    lines = result.message.splitlines()[1:]
    end = next(
        i for i, line in enumerate([*lines, " "]) if line.startswith((" ", "Input:"))
    )
    return " ".join(lines[:end])


def softmax(scores):
    exponentials = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


# Right answers in unusual styles


def additive_scores_in_loops(query, keys, w_query, w_keys, v):
    shape = len(query), query.shape[1], keys.shape[1]
    scores = np.zeros(shape)
    for b, i, j in np.ndindex(shape):
        scores[b, i, j] = np.tanh(query[b, i] @ w_query + keys[b, j] @ w_keys) @ v
    return scores


def additive_scores_by_einsum(query, keys, w_query, w_keys, v):
    one = np.einsum("btq,qu->btu", query, w_query)
    other = np.einsum("bsk,ku->bsu", keys, w_keys)
    return np.einsum("btsu,u->bts", np.tanh(one[:, :, None] + other[:, None]), v)


def additive_scores_in_single_precision(query, keys, w_query, w_keys, v):
    arrays = [array.astype("float32") for array in (query, keys, w_query, w_keys, v)]
    return ref.additive_scores(*arrays).astype("float32")


@pytest.mark.parametrize(
    "right",
    [
        additive_scores_in_loops,
        additive_scores_by_einsum,
        additive_scores_in_single_precision,
    ],
)
def test_additive_scores_accepts_other_styles(right):
    assert ex.additive_scores.check(right).passed


Result = collections.namedtuple("Result", "context weights")


def attend_as_a_named_tuple(scores, values, mask=None):
    return Result(*ref.attend(scores, values, mask))


def attend_as_a_list(scores, values, mask=None):
    return list(ref.attend(scores, values, mask))


def attend_in_loops(scores, values, mask=None):
    weights, context = np.zeros(scores.shape), np.zeros((*scores.shape[:2], 0))
    for b, i in np.ndindex(scores.shape[:2]):
        words = range(scores.shape[2]) if mask is None else np.flatnonzero(mask[b])
        if len(words):
            weights[b, i, words] = softmax(scores[b, i, words].astype(float))
    context = np.einsum("bts,bsd->btd", weights, values)
    return context, weights


def attend_with_zeros_afterwards(scores, values, mask=None):
    if mask is None:
        weights = softmax(scores)
    else:  # -1e9 and, after it, zeros where nothing is left
        weights = softmax(np.where(mask[:, None], scores, -1e9)) * mask[:, None]
    return weights @ values, weights


@pytest.mark.parametrize(
    "right",
    [
        attend_as_a_named_tuple,
        attend_as_a_list,
        attend_in_loops,
        attend_with_zeros_afterwards,
    ],
)
def test_attend_accepts_other_styles(right):
    result = ex.attend.check(right)
    assert result.passed, result


def test_bahdanau_step_accepts_a_loop_over_sentences():
    def step(state, word, annotations, mask, w_query, w_keys, v, gru):
        rows = []
        for b in range(len(state)):
            hidden = np.tanh(state[b] @ w_query + annotations[b] @ w_keys)
            weights = ref.softmax(hidden @ v, mask[b])
            context = weights @ annotations[b]
            inputs = np.concatenate([word[b], context])
            rows.append((gru(inputs, state[b]), context, weights))
        return tuple(map(np.stack, zip(*rows, strict=True)))

    assert ex.bahdanau_step.check(step).passed


def test_alignment_error_rate_accepts_loops_and_numpy_numbers():
    def rate(links, sure, possible):
        found = sum(link in sure for link in links)
        allowed = sum(link in sure or link in possible for link in links)
        return np.float32(1 - (found + allowed) / (len(links) + len(sure)))

    assert ex.alignment_error_rate.check(rate).passed


# Wrong answers that are wrong on few inputs


def attend_first_words(scores, values, mask=None):
    if mask is not None:
        mask = np.arange(mask.shape[1]) < mask.sum(axis=1)[:, None]
    return ref.attend(scores, values, mask)


def attend_between_first_and_last(scores, values, mask=None):
    if mask is not None:  # closes gaps
        mask = np.maximum.accumulate(mask, axis=1)
        mask &= np.maximum.accumulate(mask[:, ::-1], axis=1)[:, ::-1]
    return ref.attend(scores, values, mask)


def attend_one_mask_for_all(scores, values, mask=None):
    return ref.attend(scores, values, mask if mask is None else mask[:1] & (mask | 1))


def attend_uniform_for_nothing(scores, values, mask=None):
    if mask is not None:
        mask = mask | ~mask.any(axis=1, keepdims=True)
    return ref.attend(scores, values, mask)


def attend_shifted_by_the_mean(scores, values, mask=None):
    exponentials = np.exp(scores - scores.mean(axis=-1, keepdims=True))
    if mask is not None:
        exponentials = np.where(mask[:, None], exponentials, 0)
    total = exponentials.sum(axis=-1, keepdims=True)
    weights = exponentials / np.where(total == 0, 1, total)
    return weights @ values, weights


def attend_minus_5000(scores, values, mask=None):
    if mask is not None:
        scores = np.where(mask[:, None], scores, -5000)
    weights = softmax(scores) * (1 if mask is None else mask[:, None])
    return weights @ values, weights


def attend_transposed_when_square(scores, values, mask=None):
    context, weights = ref.attend(scores, values, mask)
    square = weights.shape[1] == weights.shape[2]
    return context, weights.swapaxes(1, 2) if square else weights


@pytest.mark.parametrize(
    "wrong",
    [
        attend_first_words,
        attend_between_first_and_last,
        attend_one_mask_for_all,
        attend_uniform_for_nothing,
        attend_shifted_by_the_mean,
        attend_minus_5000,
        attend_transposed_when_square,
    ],
)
def test_attend_refuses_what_is_wrong_on_few_inputs(wrong):
    result = ex.attend.check(wrong)
    assert not result.passed and result.expected is not None


def step_with(**changes):
    """The solution with other functions of the reference."""

    def step(state, word, annotations, mask, w_query, w_keys, v, gru):
        scores = ref.additive_scores(state[:, None], annotations, w_query, w_keys, v)
        if "scores" in changes:
            scores = changes["scores"](scores, mask)
        mask = changes.get("mask", lambda mask: mask)(mask)
        context, weights = ref.attend(scores, annotations, mask)
        context, weights = context[:, 0], weights[:, 0]
        if "state" in changes:
            state = changes["state"](state, mask)
        new_state = gru(np.concatenate([word, context], axis=-1), state)
        if "new_state" in changes:
            new_state = changes["new_state"](new_state, state, mask)
        return new_state, context, weights

    return step


@pytest.mark.parametrize(
    "changes",
    [
        {"mask": lambda mask: np.arange(mask.shape[1]) < mask.sum(1)[:, None]},
        {"mask": lambda mask: mask | ~mask.any(axis=1, keepdims=True)},
        {"mask": lambda mask: np.maximum.accumulate(mask, axis=1)},
        {"scores": lambda scores, mask: np.clip(scores, -50, 50)},
        {
            "new_state": lambda new, old, mask: np.where(
                mask.any(axis=1, keepdims=True), new, old
            )
        },
    ],
)
def test_bahdanau_step_refuses_what_is_wrong_on_few_inputs(changes):
    assert ex.bahdanau_step.check(step_with()).passed
    assert not ex.bahdanau_step.check(step_with(**changes)).passed


def test_bahdanau_step_refuses_exchanged_matrices_where_their_shapes_agree():
    def step(state, word, annotations, mask, w_query, w_keys, v, gru):
        if w_query.shape == w_keys.shape:
            w_query, w_keys = w_keys, w_query
        return ex.bahdanau_step.reference_solution(
            state, word, annotations, mask, w_query, w_keys, v, gru
        )

    assert not ex.bahdanau_step.check(step).passed


@pytest.mark.parametrize(
    "links, sure, possible, rate",
    [
        (set(), {(0, 0)}, set(), 1),
        ({(0, 0)}, set(), {(0, 0)}, 0),
        ({1}, set(), set(), 1),
    ],
)
def test_alignment_error_rate_of_empty_sets_by_hand(links, sure, possible, rate):
    solution = ex.alignment_error_rate.reference_solution
    assert solution(links, sure, possible) == rate


def rate_unless(condition, value):
    def alignment_error_rate(links, sure, possible):
        if condition(links, sure, possible):
            return value
        return ex.alignment_error_rate.reference_solution(links, sure, possible)

    return alignment_error_rate


@pytest.mark.parametrize(
    "wrong",
    [
        rate_unless(lambda links, sure, possible: not links, 0.0),
        rate_unless(lambda links, sure, possible: not sure, 1.0),
        rate_unless(lambda links, sure, possible: not possible, 0.5),
        rate_unless(lambda links, sure, possible: len(links) > 50, 0.5),
        rate_unless(lambda links, sure, possible: links == possible, 0.0),
    ],
)
def test_alignment_error_rate_refuses_wrong_ends(wrong):
    assert not ex.alignment_error_rate.check(wrong).passed


# Sentences


def new_state_as_query(state, word, annotations, mask, w_query, w_keys, v, gru):
    """The recurrence first, as one may misread the figure."""
    nothing = np.zeros((len(state), annotations.shape[2]))
    query = gru(np.concatenate([word, nothing], axis=-1), state)
    scores = ref.additive_scores(query[:, None], annotations, w_query, w_keys, v)
    context, weights = ref.attend(scores, annotations, mask)
    context, weights = context[:, 0], weights[:, 0]
    return gru(np.concatenate([word, context], axis=-1), state), context, weights


def word_as_query(state, word, annotations, mask, w_query, w_keys, v, gru):
    scores = ref.additive_scores(word[:, None], annotations, w_query, w_keys, v)
    context, weights = ref.attend(scores, annotations, mask)
    context, weights = context[:, 0], weights[:, 0]
    return gru(np.hstack([word, context]), state), context, weights


def step_of_gru(call):
    """The solution, with ``call(gru, word, context, state)`` for the new state."""

    def bahdanau_step(state, word, annotations, mask, w_query, w_keys, v, gru):
        scores = ref.additive_scores(state[:, None], annotations, w_query, w_keys, v)
        context, weights = ref.attend(scores, annotations, mask)
        context, weights = context[:, 0], weights[:, 0]
        return call(gru, word, context, state), context, weights

    return bahdanau_step


TOO_NARROW = "gru should get the word and the context joined, [word ; context]."


@pytest.mark.parametrize(
    "call, sentence",
    [
        (lambda gru, word, context, state: gru(word, state), TOO_NARROW),
        (lambda gru, word, context, state: gru(context, state), TOO_NARROW),
        (lambda gru, word, context, state: gru(word + context, state), TOO_NARROW),
        (
            lambda gru, word, context, state: gru(state, np.hstack([word, context])),
            "The arguments of gru are swapped:",
        ),
        (
            lambda gru, word, context, state: gru(np.hstack([context, word]), state),
            "gru's inputs are in the wrong order: they should be [word ; context].",
        ),
        (
            lambda gru, word, context, state: gru(
                np.hstack([word, context, state]), state
            ),
            "Your code raised ValueError: gru(inputs, state): inputs should be [word",
        ),
    ],
)
def test_bahdanau_step_says_what_gru_gets(call, sentence):
    assert said(ex.bahdanau_step, step_of_gru(call)).startswith(sentence)


def without_an_axis(state, word, annotations, mask, w_query, w_keys, v, gru):
    scores = ref.additive_scores(state, annotations, w_query, w_keys, v)
    context, weights = ref.attend(scores, annotations, mask)
    return gru(np.hstack([word, context]), state), context, weights


def test_bahdanau_step_takes_one_error_for_no_other():
    message = said(ex.bahdanau_step, without_an_axis)
    assert message.startswith("Your code raised ValueError: query should have shape")


@pytest.mark.parametrize(
    "wrong, sentence",
    [
        (new_state_as_query, "Your query is the new state."),
        (word_as_query, "Your query is the word y_{i-1}."),
    ],
)
def test_bahdanau_step_names_the_wrong_query(wrong, sentence):
    assert said(ex.bahdanau_step, wrong).startswith(sentence)


def test_additive_scores_tells_shapes_that_do_not_fit():
    def added(query, keys, w_query, w_keys, v):
        return np.tanh(query @ w_query + keys @ w_keys) @ v

    assert said(ex.additive_scores, added).startswith(
        "Your score of query i belongs to key i alone."
    )


def in_place(scores, values, mask=None):
    if mask is not None:
        scores[~np.repeat(mask[:, None], scores.shape[1], axis=1)] = -np.inf
    return ref.attend(scores, values, mask)


def in_half_precision(scores, values, mask=None):
    context, weights = ref.attend(scores, values, mask)
    return context.astype("float16"), weights.astype("float16")


def one_value_alone(scores, values, mask=None):
    return ref.attend(scores, values, mask)[0]


@pytest.mark.parametrize(
    "wrong, sentence",
    [
        (in_place, "Your function changes its argument scores in place."),
        (in_half_precision, "context should have dtype float64, got float16."),
        (one_value_alone, "Return 2 values, context and weights; got an array"),
    ],
)
def test_attend_says_nothing_else_about_right_values(wrong, sentence):
    message = said(ex.attend, wrong)
    assert message.startswith(sentence)
    assert not any(known in message for known, _ in ex.attend.known_mistakes)


def test_failing_batch_shows_one_sentence():
    result = ex.attend.check(attend_uniform_for_nothing)
    assert result.inputs["mask"].tolist() == [[False] * 5]
    assert len(result.inputs["scores"]) == len(result.inputs["values"]) == 1


# Pictures: ways to draw that give what was asked for


def label(ax, source, target, offset=0.0, **options):
    ax.set_xticks(np.arange(len(source)) + offset, source, **options)
    ax.set_yticks(np.arange(len(target)) + offset, target)
    return ax


def whole_cells(ax, source, target):
    ax.set_xlim(-0.5, len(source) - 0.5)
    ax.set_ylim(len(target) - 0.5, -0.5)
    return label(ax, source, target)


def as_image(ax, weights, source, target):
    ax.imshow(weights)
    return label(ax, source, target)


def as_stretched_image(ax, weights, source, target):
    ax.imshow(weights, aspect="auto", cmap="gray_r")
    return label(ax, source, target, rotation=45, ha="right")


def as_smooth_image(ax, weights, source, target):
    ax.imshow(weights, interpolation="bilinear")
    return label(ax, source, target)


def as_colors(ax, weights, source, target):
    from matplotlib import colormaps

    ax.imshow(colormaps["magma"](weights))  # (target_len, source_len, 4)
    return label(ax, source, target)


def as_gray_levels(ax, weights, source, target):
    ax.imshow(1 - np.repeat(weights[:, :, None], 3, axis=2))
    return label(ax, source, target)


def as_matshow(ax, weights, source, target):
    ax.matshow(weights)
    return label(ax, source, target)


def as_mesh(ax, weights, source, target):
    ax.pcolormesh(weights, edgecolors="white", linewidth=2)
    ax.invert_yaxis()
    return label(ax, source, target, offset=0.5)


def as_pcolor(ax, weights, source, target):
    ax.pcolor(weights)
    ax.invert_yaxis()
    return label(ax, source, target, offset=0.5)


def as_rectangles(ax, weights, source, target):
    from matplotlib.patches import Rectangle

    for i, j in np.ndindex(weights.shape):
        color = str(1 - weights[i, j])
        ax.add_patch(Rectangle((j - 0.5, i - 0.5), 1, 1, color=color))
    return whole_cells(ax, source, target)


def as_bars(ax, weights, source, target):
    for i, row in enumerate(weights):
        left = np.arange(len(row)) - 0.5
        ax.barh([i] * len(row), 1, left=left, height=1, color=list(map(str, row)))
    return whole_cells(ax, source, target)


def as_squares(ax, weights, source, target):
    y, x = np.indices(weights.shape)
    ax.scatter(x.ravel(), y.ravel(), c=weights.ravel(), marker="s", s=500)
    return whole_cells(ax, source, target)


def with_numbers(ax, weights, source, target):
    ax.imshow(weights, cmap="Blues")
    for i, j in np.ndindex(weights.shape):
        text = f"{weights[i, j]:.2f}"
        ax.text(j, i, text, ha="center", va="center", color="red")
    return label(ax, source, target)


def with_a_grid_and_a_color_bar(ax, weights, source, target):
    image = ax.imshow(weights, vmin=0, vmax=1)
    ax.grid(True)
    ax.figure.colorbar(image)
    return label(ax, source, target)


def with_labels_on_top_too(ax, weights, source, target):
    ax.imshow(weights)
    ax.tick_params(top=True, labeltop=True, right=True, labelright=True)
    return label(ax, source, target)


def with_a_formatter(ax, weights, source, target):
    ax.imshow(weights)
    ax.set_yticks(range(len(target)), target)
    ax.set_xticks(range(len(source)))
    ax.xaxis.set_major_formatter(lambda value, position: source[round(value)])
    return ax


def white_on_black(ax, weights, source, target):
    ax.figure.set_facecolor("black")
    ax.imshow(weights)
    ax.tick_params(colors="white")
    return label(ax, source, target)


def zeros_left_out(ax, weights, source, target):
    ax.imshow(np.ma.masked_equal(weights, 0), vmin=0, vmax=1)
    return label(ax, source, target)


@pytest.mark.parametrize(
    "draw",
    [
        as_image,
        as_stretched_image,
        as_smooth_image,
        as_colors,
        as_gray_levels,
        as_matshow,
        as_mesh,
        as_pcolor,
        as_rectangles,
        as_bars,
        as_squares,
        with_numbers,
        with_a_grid_and_a_color_bar,
        with_labels_on_top_too,
        with_a_formatter,
        white_on_black,
        zeros_left_out,
    ],
)
def test_draw_alignment_accepts_every_way_to_draw(draw):
    result = ex.draw_alignment.check(draw)
    assert result.passed, result


# Pictures that do not show what was asked for


def changed(change):
    """A right picture, and then ``change(ax, weights, source, target)``."""

    def draw_alignment(ax, weights, source, target):
        as_image(ax, weights, source, target)
        change(ax, weights, source, target)
        return ax

    return draw_alignment


def image_of(numbers, **options):
    """An image of ``numbers(weights)`` under the right labels."""

    def draw_alignment(ax, weights, source, target):
        ax.imshow(numbers(weights), **options)
        return label(ax, source, target)

    return draw_alignment


def one_color_map(*colors):
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("white", colors)


def numbers_for_words(ax, weights, source, target):
    ax.imshow(weights)
    ax.set_xticks(range(len(source)))
    ax.set_yticks(range(len(target)))
    return ax


NO_LABEL = "No tick label is visible."
NOT_THE_COLUMNS = "The tick labels of the columns, from the left, are not the words."
NOT_THE_ROWS = "The tick labels of the rows, from the top, are not the words."
NOT_ONE_COLOR = "The middle of a cell has more than one color."
ALL_THE_SAME = "All weights have the same color."
SAME_COLOR = "Different weights have the same color."
TWO_COLORS = "The same weight has two colors."


@pytest.mark.parametrize(
    "draw, sentence",
    [
        (changed(lambda ax, w, s, t: ax.axis("off")), NO_LABEL),
        (changed(lambda ax, w, s, t: ax.set_visible(False)), NO_LABEL),
        (changed(lambda ax, w, s, t: ax.tick_params(pad=900)), NO_LABEL),
        (changed(lambda ax, w, s, t: ax.tick_params(labelcolor="white")), NO_LABEL),
        (
            changed(lambda ax, w, s, t: ax.set(aspect="auto", position=[0, 0, 1, 1])),
            NO_LABEL,
        ),
        (
            changed(lambda ax, w, s, t: ax.tick_params(labelbottom=False)),
            NOT_THE_COLUMNS,
        ),
        (changed(lambda ax, w, s, t: ax.set_xlim(-0.5, 0.5)), NOT_THE_COLUMNS),
        (changed(lambda ax, w, s, t: ax.yaxis.set_visible(False)), NOT_THE_ROWS),
        (changed(lambda ax, w, s, t: ax.set_xticks([1], s[:1])), NOT_THE_COLUMNS),
        (changed(lambda ax, w, s, t: ax.set_xlim(0, len(s) - 1)), NOT_ONE_COLOR),
        (changed(lambda ax, w, s, t: ax.set_ylim(len(t) - 1, 0)), NOT_ONE_COLOR),
        (changed(lambda ax, w, s, t: label(ax, s, t, offset=0.5)), NOT_ONE_COLOR),
        (
            changed(lambda ax, w, s, t: ax.images[0].set_cmap(one_color_map("w", "w"))),
            ALL_THE_SAME,
        ),
        (
            changed(
                lambda ax, w, s, t: ax.images[0].set_cmap(one_color_map("w", "#fcfcfc"))
            ),
            ALL_THE_SAME,
        ),
        (changed(lambda ax, w, s, t: ax.images[0].set_alpha(0)), ALL_THE_SAME),
        (
            changed(lambda ax, w, s, t: ax.axhspan(-1, 9, color="k", zorder=9)),
            ALL_THE_SAME,
        ),
        (image_of(lambda w: w, vmax=0.3), SAME_COLOR),
        (image_of(lambda w: w, vmin=0.3), SAME_COLOR),
        (image_of(lambda w: w, vmin=0, vmax=0.5, cmap="gray"), SAME_COLOR),
        (image_of(lambda w: w > 0.5), SAME_COLOR),
        (image_of(lambda w: np.cumsum(w, axis=None).reshape(w.shape)), TWO_COLORS),
        (image_of(lambda w: w / w.sum(axis=0)), TWO_COLORS),
        (image_of(lambda w: w.T), "The heat map is transposed."),
        (image_of(lambda w: w[::-1]), "The rows are upside down:"),
        (image_of(lambda w: w[:, ::-1]), "The columns are mirrored:"),
        (
            image_of(lambda w: w, origin="lower"),
            "The first target word is at the bottom.",
        ),
        (
            changed(lambda ax, w, s, t: ax.invert_xaxis()),
            "The first source word is on the right.",
        ),
        (
            changed(lambda ax, w, s, t: label(ax, s, t, offset=1)),
            "The words are shifted by one:",
        ),
        (numbers_for_words, "The ticks are labeled with numbers instead of words."),
    ],
)
def test_draw_alignment_says_what_one_does_not_see(draw, sentence):
    assert said(ex.draw_alignment, draw).startswith(sentence)


def on_pyplots_figure(ax, weights, source, target):
    from matplotlib import pyplot

    pyplot.imshow(weights)
    return ax


def on_pyplots_figure_with_words(ax, weights, source, target):
    from matplotlib import pyplot

    _, other = pyplot.subplots()
    as_rectangles(other, weights, source, target)
    return ax


def on_a_figure_of_its_own(ax, weights, source, target):
    from matplotlib.figure import Figure

    return as_mesh(Figure().subplots(), weights, source, target)


def on_axes_beside(ax, weights, source, target):
    other = ax.figure.add_axes([0.5, 0.5, 0.4, 0.4])
    as_image(other, weights, source, target)
    return ax


def nowhere(ax, weights, source, target):
    return label(ax, source, target)


def on_a_cleared_figure(ax, weights, source, target):
    figure = ax.figure
    figure.clear()
    return as_image(figure.subplots(), weights, source, target)


@pytest.mark.parametrize(
    "draw, sentence",
    [
        (on_pyplots_figure, "You drew on another figure."),
        (on_pyplots_figure_with_words, "You drew on another figure."),
        (on_a_figure_of_its_own, "You drew on another figure."),
        (on_axes_beside, "You drew on other axes."),
        (nowhere, "Nothing is drawn on ax."),
        (on_a_cleared_figure, "ax is no longer part of its figure."),
    ],
)
def test_draw_alignment_says_where_one_drew(draw, sentence):
    assert said(ex.draw_alignment, draw).startswith(sentence)


def test_draw_alignment_takes_no_older_figure_for_the_answers():
    from matplotlib import pyplot

    pyplot.figure().subplots().imshow(np.eye(2))
    try:
        assert said(ex.draw_alignment, nowhere).startswith("Nothing is drawn on ax.")
    finally:
        pyplot.close("all")


def test_draw_alignment_wants_ax_itself_back():
    def returns_the_image(ax, weights, source, target):
        return as_image(ax, weights, source, target).images[0]

    def returns_nothing(ax, weights, source, target):
        as_image(ax, weights, source, target)

    assert said(ex.draw_alignment, returns_the_image) == (
        "Return ax itself. You return a matplotlib AxesImage."
    )
    assert said(ex.draw_alignment, returns_nothing).startswith(
        "Your function returns nothing."
    )


def test_draw_alignment_says_each_sentence_once():
    for message, wrong in ex.draw_alignment.known_mistakes:
        text = " ".join(ex.draw_alignment.check(wrong).message.split())
        assert text.count(message) == 1, (wrong.__name__, text)


def test_weights_to_draw_have_no_symmetry():
    """No transposed or mirrored picture has equal colors in the same places."""

    def pattern(weights):
        return (weights.reshape(-1, 1) == weights.reshape(-1)).tolist()

    for title, (_, weights, _, _) in ex.draw_alignment._fresh_cases():
        if min(weights.shape) == 1:
            continue
        others = [weights[::-1], weights[:, ::-1], weights[::-1, ::-1]]
        if weights.shape[0] == weights.shape[1]:
            others += [weights.T, weights[::-1].T, weights[:, ::-1].T]
        assert all(pattern(other) != pattern(weights) for other in others), title
        apart = 0.08 if title == "weights close together" else 0.2
        assert np.diff(np.unique(weights.round(6))).min() >= apart - 1e-9


def test_check_of_another_exercise_imports_no_matplotlib():
    code = (
        "import sys; from attnlib.exercises import bahdanau as ex; "
        "assert ex.attend.check(ex.attend.reference_solution).passed; "
        "print('matplotlib' in sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "False"


def test_draw_alignment_refuses_rounded_weights():
    def rounded(ax, weights, source, target):
        ax.imshow(weights.round(1))
        ax.set_xticks(np.arange(len(source)), labels=source)
        ax.set_yticks(np.arange(len(target)), labels=target)
        return ax

    def as_they_are(ax, weights, source, target):
        ax.imshow(weights, vmin=0, vmax=1, cmap="gray")
        ax.set_xticks(np.arange(len(source)), labels=source)
        ax.set_yticks(np.arange(len(target)), labels=target)
        return ax

    result = ex.draw_alignment.check(rounded)
    assert "Different weights have the same color" in result.message.replace("\n", " ")
    assert "Input: weights close together" in result.message
    assert ex.draw_alignment.check(as_they_are).passed


# A decoder to repair, and a claim to judge


def forced_by_steps(state, words, annotations, mask, w_query, w_keys, v, gru):
    """The step of another exercise, once for each word."""
    states, rows = [], []
    for word in words.swapaxes(0, 1):
        state, _, weights = ex.bahdanau_step.reference_solution(
            state, word, annotations, mask, w_query, w_keys, v, gru
        )
        states.append(state)
        rows.append(weights)
    return np.swapaxes(states, 0, 1), np.swapaxes(rows, 0, 1)


def forced_with_the_query_after_the_state(
    state, words, annotations, mask, w_query, w_keys, v, gru
):
    """The query of the next step, made at the end of each step."""
    keys, query = annotations @ w_keys, state @ w_query
    states, rows = [], []
    for i in range(words.shape[1]):
        rows.append(ref.softmax(np.tanh(query[:, None] + keys) @ v, mask))
        context = np.einsum("bs,bsd->bd", rows[-1], annotations)
        state = gru(np.hstack([words[:, i], context]), state)
        query = state @ w_query
        states.append(state)
    return np.stack(states, 1), np.stack(rows, 1)


@pytest.mark.parametrize(
    "right", [forced_by_steps, forced_with_the_query_after_the_state]
)
def test_forced_decoding_accepts_other_styles(right):
    result = ex.forced_decoding.check(right)
    assert result.passed, result


def test_forced_decoding_starts_with_rows_that_are_the_same():
    *_, (_, arguments) = ex.forced_decoding.cases(np.random.default_rng(0))
    _, weights = ex.forced_decoding.starter(*arguments)
    assert weights.shape[1] > 1 and (weights == weights[:, :1]).all()
    message = said(ex.forced_decoding, ex.forced_decoding.starter)
    assert message.startswith("The bug is still there. All rows of a sentence's map")


def rate_of_the_best_links(sure, possible):
    """All ways to give each target position a source position, tried out."""
    rows = sorted({row for links in possible for row, _ in links})
    columns = sorted({column for links in possible for _, column in links})
    rates = []
    for choice in itertools.product(columns, repeat=len(rows)):
        best, correct, total = dict(zip(rows, choice, strict=True)), 0, 0
        for some, links in zip(sure, possible, strict=True):
            found = {(row, best[row]) for row, _ in links}
            correct += len(found & some) + len(found & links)
            total += len(found) + len(some)
        rates.append(1 - correct / total)
    return min(rates)


def test_fixed_links_error_rate_is_the_lowest_of_all_choices():
    tried = 0
    for _, (sure, possible) in ex.fixed_links_error_rate.cases(
        np.random.default_rng(3)
    ):
        if len({row for links in possible for row, _ in links}) <= 4:
            rate = ex.fixed_links_error_rate.reference_solution(sure, possible)
            assert rate == pytest.approx(rate_of_the_best_links(sure, possible))
            tried += 1
    assert tried >= 8


def test_fixed_links_error_rate_accepts_a_counter_and_a_numpy_number():
    def by_counter(sure, possible):
        points = collections.Counter(link for links in possible for link in links)
        points.update(link for links in sure for link in links)
        rows = {row for row, _ in points}
        best = sum(max(n for (r, _), n in points.items() if r == row) for row in rows)
        found = sum(len({row for row, _ in links}) for links in possible)
        return np.float64(1 - best / (found + sum(map(len, sure))))

    result = ex.fixed_links_error_rate.check(by_counter)
    assert result.passed, result


# Your own translator


def translate_with_a_matrix(model, source, max_length, bahdanau_step, greedy_decode):
    """All weights in one array from the start, and a class in place of a closure."""
    annotations, state = model.encode(source)

    class Step:
        weights = np.empty((0, len(source)))

        def __call__(self, token, state):
            word = model.embed(token)
            others = np.full((1, len(source)), True), model.w_query, model.w_keys
            state, context, weights = bahdanau_step(
                state, word, annotations, *others, model.v, model.gru
            )
            self.weights = np.vstack([self.weights, weights])
            return np.ravel(model.logits(state, context, word)), state

    step = Step()
    tokens = greedy_decode(step, state, model.start, model.end, max_length)
    return list(tokens), step.weights


def translate_with_the_batch_axis(model, source, max_length, step_of, greedy_decode):
    """Logits of shape (1, vocabulary), whose largest is in the same place."""
    annotations, state = model.encode(source)
    mask, rows = np.ones((1, len(source)), bool), []

    def step(token, state):
        word = model.embed(token)
        matrices = model.w_query, model.w_keys, model.v
        state, context, (row,) = step_of(
            state, word, annotations, mask, *matrices, model.gru
        )
        rows.append(row)
        return model.logits(state, context, word), state

    return greedy_decode(step, state, 1, 2, max_length), np.array(rows)


@pytest.mark.parametrize(
    "right", [translate_with_a_matrix, translate_with_the_batch_axis]
)
def test_translate_sentence_accepts_other_styles(right):
    result = ex.translate_sentence.check(right)
    assert result.passed, result


def test_translate_sentence_equals_the_translator_of_attnlib():
    for _, arguments in ex.translate_sentence.cases(np.random.default_rng(5)):
        tokens, weights = ex.translate_sentence.reference_solution(*arguments)
        same, oracle = numpy_translators.translate_sentence(*arguments)
        assert tokens == same and np.allclose(weights, oracle, atol=1e-12)


def sentence_with(word=None, mask=None, order=None, step=None):
    """The solution, which gives something else to bahdanau_step or greedy_decode."""

    def translate(model, source, max_length, bahdanau_step, greedy_decode):
        annotations, state = model.encode(source)

        def own(token, state):
            arguments = [
                state,
                model.embed(token) if word is None else word(token),
                annotations,
                np.ones((1, len(source)), bool) if mask is None else mask(source),
                *(model.w_query, model.w_keys, model.v, model.gru),
            ]
            if order:
                arguments = [arguments[i] for i in order]
            state, context, weights = bahdanau_step(*arguments)
            return model.logits(state, context, model.embed(token))[0], state

        decoded = own if step is None else step
        return greedy_decode(decoded, state, model.start, model.end, max_length), None

    return translate


@pytest.mark.parametrize(
    "changes, sentence",
    [
        (
            {"word": lambda token: token},
            "bahdanau_step should get the vector of the word, not its token:",
        ),
        ({"mask": lambda source: None}, "mask should be boolean, of shape (1, source"),
        (
            {"mask": lambda source: np.ones(len(source), bool)},
            "mask should be boolean, of shape (1, source_len):",
        ),
        ({"order": [2, 1, 0, 3, 4, 5, 6, 7]}, "Call bahdanau_step(state, word, annot"),
        ({"order": [0, 1, 2, 3, 4, 5, 7, 6]}, "Call bahdanau_step(state, word, annot"),
        ({"step": 3}, "greedy_decode(step, state, start, end, max_length) should get"),
    ],
)
def test_translate_sentence_says_what_its_functions_should_get(changes, sentence):
    assert said(ex.translate_sentence, sentence_with(**changes)).startswith(sentence)


def own_softmax(scores):
    return softmax(scores)


def wrong_attend(scores, values, mask=None):
    return values, scores


def test_own_parts_are_those_that_pass(capsys):
    space = {"np": np, "ref": ref}
    exec(ex.bahdanau_step.source, space)  # it has no file, so it is the reader's
    own = {
        "softmax": own_softmax,
        "attend": wrong_attend,
        "additive_scores": lambda: ...,
    }
    own["translate_sentence"] = ex.translate_sentence.reference_solution
    own["bahdanau_step"] = space["bahdanau_step"]
    parts = ex.own_parts(own)
    assert capsys.readouterr().out.splitlines() == [
        "softmax             yours",
        "greedy_decode       ours, because yours is not written yet",
        "additive_scores     ours, because yours does not pass its check",
        "attend              ours, because yours does not pass its check",
        "bahdanau_step       yours",
        "translate_sentence  the solution",
    ]
    names = "softmax", "bahdanau_step", "translate_sentence"
    assert parts == {name: own[name] for name in names}
    tokens, _ = numpy_translators.Translator.load("dates", **parts)("5 mars 2024")
    assert "".join(tokens) == "2024-03-05"


def test_own_parts_of_stubs_and_of_nothing_are_ours(capsys):
    def attend(scores, values, mask=None): ...

    for space in ({}, {"attend": attend}):
        assert ex.own_parts(space) == {}
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == 6 and all(line.endswith("written yet") for line in lines)


@pytest.mark.parametrize(
    ("query_axes", "key_axes", "message"),
    [
        (lambda q: q[:, None, :], lambda k: k[None, :, :], "[:, None, :] and [None"),
        (
            lambda q: np.expand_dims(q, 2),
            lambda k: np.expand_dims(k, 0),
            "[:, None, :] and [None",
        ),
        (lambda q: q, lambda k: k, "Your score of query i belongs to key i alone."),
        (lambda q: q[:, None], lambda k: k[:, None], "The result should have shape"),
    ],
)
def test_additive_scores_names_axes_of_one_sentence(query_axes, key_axes, message):
    def answer(query, keys, w_query, w_keys, v):
        hidden = np.tanh(query_axes(query @ w_query) + key_axes(keys @ w_keys))
        return np.einsum("...u,u", hidden, v)

    said = ex.additive_scores.check(answer).message.split("\n", 1)[1]
    assert said.startswith(message)
