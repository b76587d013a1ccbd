"""Exercises of chapter 06, "Luong's local attention"."""

import math

import numpy as np

from attnlib import reference as ref
from attnlib.checking.exercise import exercise
from attnlib.checking.sandbox import CheckFailed
from attnlib.exercises import _mistakes
from attnlib.exercises._demands import (
    extreme_scores,
    five_masks,
    in_float32,
    spoiled_padding,
)
from attnlib.exercises._shared import (
    passing_parts,
    recurrent_cell,
    window_and_gaussian,
)

FROM_ONE = "Positions are counted from 0: the first word is at position 0, not at 1."


def _window_cases(rng):
    yield "in the middle of ten words", (4, 10, 2)
    yield "at the first word", (0, 10, 3)
    yield "at the last word", (9, 10, 2)
    yield "past the last word", (14, 10, 2)
    yield "far past the last word", (23, 12, 4)
    yield "just past the last word", (8, 8, 3)
    yield "a window wider than the sentence", (1, 4, 10)
    yield "a sentence of one word", (5, 1, 2)
    yield "at the second word", (1, 9, 3)
    yield "D = 0, the center alone", (3, 10, 0)
    yield "D = 1, one position from the end", (6, 8, 1)
    yield "a long sentence and a wide window", (700, 1000, 150)


@exercise(
    _window_cases,
    hints=[
        (
            "The center is the index of the step, but a sentence of 10 words has no "
            "word 14: clamp the center to the last word, which has the position "
            "source_len - 1."
        ),
        (
            "Find the first and the last position of the window, each of them within "
            "the sentence. Mind that `np.arange` leaves out its end."
        ),
    ],
)
def monotonic_window(t, source_len, half_width):
    """The source positions that local-m looks at in step t, as an array, in order.

    t: the step, from 0. source_len: words of the sentence, 1 or more. half_width: D,
    0 or more. The window is p - D ... p + D, cut off at the sentence's ends; p = t,
    clamped to the last word.
    """
    center = min(t, source_len - 1)
    first, last = max(0, center - half_width), min(source_len - 1, center + half_width)
    return np.arange(first, last + 1)


NOT_CLAMPED = (
    "Past the last word, your window is empty, too short, or somewhere else. "
    "Clamp the center to the last word, source_len - 1."
)


@monotonic_window.known_mistake(NOT_CLAMPED)
def window_not_clamped(t, source_len, half_width):
    return np.arange(max(0, t - half_width), min(source_len - 1, t + half_width) + 1)


@monotonic_window.known_mistake(NOT_CLAMPED)
def window_clamped_past_the_end(t, source_len, half_width):
    center = min(t, source_len)
    first, last = max(0, center - half_width), min(source_len - 1, center + half_width)
    return np.arange(first, last + 1)


@monotonic_window.known_mistake(NOT_CLAMPED)
def window_of_clipped_positions(t, source_len, half_width):
    around = np.arange(t - half_width, t + half_width + 1)
    return np.unique(np.clip(around, 0, source_len - 1))


@monotonic_window.known_mistake(NOT_CLAMPED)
def window_of_the_last_word_alone(t, source_len, half_width):
    if t >= source_len:
        return np.array([source_len - 1])
    return monotonic_window.reference_solution(t, source_len, half_width)


@monotonic_window.known_mistake(NOT_CLAMPED)
def window_of_nothing_past_the_end(t, source_len, half_width):
    inside = t < source_len
    window = monotonic_window.reference_solution(t, source_len, half_width)
    return window if inside else window[:0]


@monotonic_window.known_mistake(NOT_CLAMPED)
def window_around_the_start_again(t, source_len, half_width):
    return monotonic_window.reference_solution(t % source_len, source_len, half_width)


REPEATED = (
    "np.clip moves the positions outside the sentence to its edge, where they then "
    "occur several times. Leave them out instead."
)


@monotonic_window.known_mistake(REPEATED)
def window_with_repeats(t, source_len, half_width):
    center = min(t, source_len - 1)
    around = np.arange(center - half_width, center + half_width + 1)
    return np.clip(around, 0, source_len - 1)


@monotonic_window.known_mistake(REPEATED)
def window_with_repeats_around_t(t, source_len, half_width):
    around = np.arange(t - half_width, t + half_width + 1)
    return np.clip(around, 0, source_len - 1)


ONE_SHORT = (
    "The last position of the window is missing: a window has 2D + 1 positions, not 2D."
)


@monotonic_window.known_mistake(ONE_SHORT)
def window_one_short(t, source_len, half_width):
    return monotonic_window.reference_solution(t, source_len, half_width)[:-1]


@monotonic_window.known_mistake(ONE_SHORT)
def window_one_short_but_at_the_end(t, source_len, half_width):
    center = min(t, source_len - 1)
    return np.arange(max(0, center - half_width), min(source_len, center + half_width))


def _positions_between(first, last):
    """A window with other ends: functions of (center, source_len, half_width)."""

    def wrong(t, source_len, half_width):
        arguments = min(t, source_len - 1), source_len, half_width
        return np.arange(first(*arguments), last(*arguments) + 1)

    return wrong


def _first(center, source_len, half_width):
    return max(0, center - half_width)


def _last(center, source_len, half_width):
    return min(source_len - 1, center + half_width)


for _message, _wrong in [
    (
        "The last word of the sentence is missing. np.arange, range, and slices leave "
        "out their end.",
        _positions_between(_first, lambda c, n, d: min(n - 2, c + d)),
    ),
    (
        "The first position of the window is missing. A window starts at p - D, unless "
        "the sentence starts later.",
        _positions_between(lambda c, n, d: max(0, c - d + 1), _last),
    ),
    (
        "The first position of the window is missing. A window starts at p - D, unless "
        "the sentence starts later.",
        lambda *arguments: monotonic_window.reference_solution(*arguments)[1:],
    ),
    (
        "Your window is one position too long: it ends at p + D. np.arange leaves out "
        "its end, so its second argument is p + D + 1.",
        _positions_between(_first, lambda c, n, d: min(n - 1, c + d + 1)),
    ),
    (FROM_ONE, _positions_between(lambda c, n, d: max(1, c - d), _last)),
]:
    monotonic_window.known_mistake(_message)(_wrong)


@monotonic_window.known_mistake(
    "The center itself is missing. It belongs to the window."
)
def window_without_its_center(t, source_len, half_width):
    window = monotonic_window.reference_solution(t, source_len, half_width)
    return window[window != min(t, source_len - 1)]


PAST_THE_END = "Your window extends past the end of the sentence."


@monotonic_window.known_mistake(PAST_THE_END)
def window_past_the_end(t, source_len, half_width):
    center = min(t, source_len - 1)
    return np.arange(max(0, center - half_width), center + half_width + 1)


@monotonic_window.known_mistake(PAST_THE_END)
def window_one_past_the_end(t, source_len, half_width):
    center = min(t, source_len - 1)
    first, last = max(0, center - half_width), min(source_len, center + half_width)
    return np.arange(first, last + 1)


@monotonic_window.known_mistake(PAST_THE_END)
def window_around_t_past_the_end(t, source_len, half_width):
    return np.arange(max(0, t - half_width), t + half_width + 1)


BEFORE_THE_START = (
    "Your window starts before the first word. "
    "A negative index counts from the end in Python."
)


@monotonic_window.known_mistake(BEFORE_THE_START)
def window_before_the_start(t, source_len, half_width):
    center = min(t, source_len - 1)
    return np.arange(center - half_width, min(source_len - 1, center + half_width) + 1)


@monotonic_window.known_mistake(BEFORE_THE_START)
def window_of_a_slice(t, source_len, half_width):
    center = min(t, source_len - 1)
    return np.arange(source_len)[center - half_width : center + half_width + 1]


@monotonic_window.known_mistake(BEFORE_THE_START)
def window_of_a_slice_around_t(t, source_len, half_width):
    return np.arange(source_len)[t - half_width : t + half_width + 1]


@monotonic_window.known_mistake(
    "You return a mask, which is True in the window. Return the positions themselves."
)
def window_as_mask(t, source_len, half_width):
    center = min(t, source_len - 1)
    return abs(np.arange(source_len) - center) <= half_width


@monotonic_window.known_mistake(
    "Your window leaves out both of its ends: it has 2D + 1 positions, so the distance "
    "may be D itself."
)
def window_without_its_ends(t, source_len, half_width):
    center, positions = min(t, source_len - 1), np.arange(source_len)
    return positions[abs(positions - center) < half_width]


@monotonic_window.known_mistake(
    "Your window is cut off at neither end of the sentence. Leave out the positions "
    "before the first word and after the last."
)
def window_not_cut(t, source_len, half_width):
    center = min(t, source_len - 1)
    return np.arange(center - half_width, center + half_width + 1)


@monotonic_window.known_mistake(
    "You shift the window back inside, so its width stays the same. "
    "It should be cut off instead."
)
def window_shifted_inside(t, source_len, half_width):
    width = min(2 * half_width + 1, source_len)
    first = min(max(0, min(t, source_len - 1) - half_width), source_len - width)
    return np.arange(first, first + width)


@monotonic_window.known_mistake(
    "Your window only looks ahead. It should extend D positions to either side."
)
def window_ahead_alone(t, source_len, half_width):
    center = min(t, source_len - 1)
    return np.arange(center, min(source_len - 1, center + half_width) + 1)


@monotonic_window.known_mistake(
    "Your window only looks back. It should extend D positions to either side."
)
def window_back_alone(t, source_len, half_width):
    center = min(t, source_len - 1)
    return np.arange(max(0, center - half_width), center + 1)


@monotonic_window.known_mistake(
    "You take D as the width of the whole window. It is half of it: the window extends "
    "D positions to either side."
)
def window_of_half_the_width(t, source_len, half_width):
    return monotonic_window.reference_solution(t, source_len, half_width // 2)


monotonic_window.known_mistake(FROM_ONE)(
    lambda t, source_len, half_width: (
        monotonic_window.reference_solution(t, source_len, half_width) + 1
    )
)
STEP_FROM_ONE = "Steps are counted from 0, as positions are: the center of step t is t."


@monotonic_window.known_mistake(STEP_FROM_ONE)
def window_of_the_step_before(t, source_len, half_width):
    return monotonic_window.reference_solution(max(0, t - 1), source_len, half_width)


@monotonic_window.known_mistake(STEP_FROM_ONE)
def window_of_the_step_after(t, source_len, half_width):
    return monotonic_window.reference_solution(t + 1, source_len, half_width)


def _center_arguments(rng, mask, target_len, query_dim, units):
    query = rng.normal(size=(len(mask), target_len, query_dim))
    return query, rng.normal(size=(query_dim, units)), rng.normal(size=units), mask


def _center_cases(rng):
    query, w_p = np.array([[[1.0, -1.0]]]), np.array([[1.0, 0.5], [-2.0, 0.0]])
    yield (
        "v_p is zero: halfway",
        (query, w_p, np.zeros(2), np.ones((1, 7), bool)),
    )
    yield (
        "one sentence of four words and two padded positions",
        (query, w_p, np.array([2.0, 1.0]), np.arange(6)[None] < 4),
    )
    yield (
        "masks of every kind, all sizes 5",
        _center_arguments(rng, five_masks(5), 5, 5, 5),
    )
    yield "masks of every kind", _center_arguments(rng, five_masks(8), 3, 4, 6)
    gaps = np.array(
        [[True, False, True, True, False, False], [False, True, True, True, True, True]]
    )
    yield "masked words inside a sentence", _center_arguments(rng, gaps, 4, 2, 3)
    full = np.ones((3, 4), bool)
    arguments = _center_arguments(rng, full, 2, 5, 1)
    yield "three sentences without padding, float32", in_float32(arguments)
    query = 50 * np.array([[1.0, 1], [-1, -1], [0, 0], [0, 1]])  # tanh: 1, 0, or -1
    yield (
        "1000, -1000, 0, and 40 before the sigmoid",
        (
            np.stack([query, -query]),
            np.eye(2),
            np.array([960.0, 40.0]),
            np.array([[False, True, True, False], [True, True, True, True]]),
        ),
    )
    yield (
        "one query and one word",
        _center_arguments(rng, np.ones((1, 1), bool), 1, 1, 1),
    )


CENTER_ROUNDED = (
    "You round the center. "
    "It is a real number; if it were rounded, no gradient could move it."
)


def _real_center(result, *arguments):
    if isinstance(result, np.ndarray) and result.dtype.kind in "iu":
        raise CheckFailed(CENTER_ROUNDED)
    return result


@exercise(
    _center_cases,
    extract=_real_center,
    hints=[
        (
            "`query @ w_p` has shape (batch, target_len, units). After the tanh, `v_p` "
            "turns the units into one number per query, and the sigmoid, 1 / (1 + "
            "exp(-x)), turns that into a fraction of the sentence."
        ),
        (
            "The mask times the numbers 1, 2, 3, ... leaves its position, counted "
            "from 1, at each real word. S is the largest of them, one number per "
            "sentence, and has to broadcast with (batch, target_len)."
        ),
    ],
    batch=("query", "mask"),
)
def predicted_center(query, w_p, v_p, mask):
    """p_t = S sigmoid(v_p . tanh(h_t w_p)), positions from 0, not rounded.

    query: (batch, target_len, query_dim). w_p: (query_dim, units). v_p: (units,).
    mask: (batch, source_len), True = may be attended to. S is one past its last True,
    wherever the others are, and 0 without any.
    Returns centers (batch, target_len).

    What the sigmoid is taken of may be 1000 or -1000: the center is then S or 0.
    """
    lengths = (mask * np.arange(1, mask.shape[1] + 1)).max(axis=1)  # S: (batch,)
    hidden = np.tanh(query @ w_p)  # (batch, target_len, units)
    fraction = 1 / (1 + np.exp(-hidden @ v_p))  # (batch, target_len)
    return lengths[:, None] * fraction


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def _center(
    length=lambda mask: (mask * np.arange(1, mask.shape[1] + 1)).max(axis=1)[:, None],
    fraction=lambda query, w_p, v_p: _sigmoid(np.tanh(query @ w_p) @ v_p),
    finish=lambda center: center,
):
    """The center with one change.

    length: function of the mask, (batch, 1). fraction: function (query, w_p, v_p).
    finish: what happens to the product.
    """
    return lambda query, w_p, v_p, mask: finish(
        length(mask) * fraction(query, w_p, v_p)
    )


def _first_false(mask):
    return np.where(mask.all(axis=1), mask.shape[1], mask.argmin(axis=1))[:, None]


PADDED_LENGTH = (
    "You use the padded length as S. "
    "The center of the same sentence would then depend on the batch."
)
_LENGTHS = [
    (
        PADDED_LENGTH,
        lambda mask: mask.shape[1],
    ),
    (
        "You use the number of sentences as S. The source's axis is the second one.",
        lambda mask: mask.shape[0],
    ),
    (
        "You count the words of the mask. "
        "S is one past the last True: masked words still have a position.",
        lambda mask: mask.sum(axis=1)[:, None],
    ),
    (
        "You take the first False of the mask for the end of the sentence. It may be a "
        "gap, or padding in front, and a full sentence has none.",
        _first_false,
    ),
    (
        "You take the first False of the mask for the end of the sentence. It may be a "
        "gap, or padding in front, and a full sentence has none.",
        lambda mask: mask.argmin(axis=1)[:, None],
    ),
    (
        "You take the first False of the mask for the end of the sentence. It may be a "
        "gap, or padding in front, and a full sentence has none.",
        lambda mask: (~mask).argmax(axis=1)[:, None],
    ),
    (
        "For a row without any True, your S is 1. It should be 0.",
        lambda mask: (mask * np.arange(mask.shape[1])).max(axis=1)[:, None] + 1,
    ),
    (_mistakes.INVERTED, lambda mask: (~mask).sum(axis=1)[:, None]),
    (
        _mistakes.INVERTED,
        lambda mask: (~mask * np.arange(1, mask.shape[1] + 1)).max(axis=1)[:, None],
    ),
    (
        "For a row without any True, your S is the padded length. It should be 0.",
        lambda mask: (mask.shape[1] - mask[:, ::-1].argmax(axis=1))[:, None],
    ),
    (
        "S belongs to the sentence, and you gave it to the queries. Write S with an "
        "axis of length 1 for them: (batch, 1).",
        lambda mask: (mask * np.arange(1, mask.shape[1] + 1)).max(axis=1),
    ),
    (
        "You take the largest S of the batch for all sentences. Each has its own.",
        lambda mask: (mask * np.arange(1, mask.shape[1] + 1)).max(),
    ),
    (
        "This is the fraction of the sentence, between 0 and 1. "
        "Multiply it by the length of the sentence.",
        lambda mask: 1,
    ),
]
_FRACTIONS = [
    (
        "tanh is missing inside the sigmoid.",
        lambda query, w_p, v_p: _sigmoid(query @ w_p @ v_p),
    ),
    (
        "You take the tanh after multiplying by v_p. It belongs before: v_p multiplies "
        "the hidden units, tanh(h_t w_p).",
        lambda query, w_p, v_p: _sigmoid(np.tanh(query @ w_p @ v_p)),
    ),
    (
        "The sigmoid is missing. Without it, the center may lie anywhere.",
        lambda query, w_p, v_p: np.tanh(query @ w_p) @ v_p,
    ),
    (
        "You take a tanh where the sigmoid belongs. It may be negative.",
        lambda query, w_p, v_p: np.tanh(np.tanh(query @ w_p) @ v_p),
    ),
    (
        "You take a sigmoid of the hidden units. Theirs is a tanh.",
        lambda query, w_p, v_p: _sigmoid(_sigmoid(query @ w_p) @ v_p),
    ),
    (
        "You take a softmax over the queries. The sigmoid acts on each number alone.",
        lambda query, w_p, v_p: ref.softmax(np.tanh(query @ w_p) @ v_p),
    ),
    (
        "The minus sign in the sigmoid is missing: 1 / (1 + exp(-x)).",
        lambda query, w_p, v_p: _sigmoid(-np.tanh(query @ w_p) @ v_p),
    ),
    (
        "exp overflows at 1000, and inf / inf is NaN. 1 / (1 + exp(-x)) is safe, "
        "because 1 / inf is 0.",
        lambda query, w_p, v_p: (
            np.exp(np.tanh(query @ w_p) @ v_p)
            / (1 + np.exp(np.tanh(query @ w_p) @ v_p))
        ),
    ),
    (
        "v_p is missing. You add up the hidden units, "
        "but each should first be multiplied by its element of v_p.",
        lambda query, w_p, v_p: _sigmoid(np.tanh(query @ w_p).sum(axis=-1)),
    ),
    (
        "w_p is transposed. It acts from the right: query @ w_p.",
        lambda query, w_p, v_p: _sigmoid(np.tanh(query @ w_p.T) @ v_p),
    ),
]
for _message, _length in _LENGTHS:
    predicted_center.known_mistake(_message)(_center(length=_length))
for _message, _fraction in _FRACTIONS:
    predicted_center.known_mistake(_message)(_center(fraction=_fraction))
for _rounded in (np.floor, np.round, np.ceil):
    predicted_center.known_mistake(CENTER_ROUNDED)(_center(finish=_rounded))
ONE_LESS = (
    "You multiply by the position of the last True, which is S - 1. "
    "The authors' center, counted from 0, is S times the sigmoid."
)


@predicted_center.known_mistake(ONE_LESS)
def center_one_less(query, w_p, v_p, mask):
    center = predicted_center.reference_solution(query, w_p, v_p, mask)
    return center - _sigmoid(np.tanh(query @ w_p) @ v_p)


@predicted_center.known_mistake(ONE_LESS)
def center_one_less_counted_from_one(query, w_p, v_p, mask):
    return center_one_less(query, w_p, v_p, mask) + 1


@predicted_center.known_mistake(ONE_LESS)
def center_of_the_last_position(query, w_p, v_p, mask):
    last = (mask * np.arange(mask.shape[1])).max(axis=1)  # 0 also for an empty row
    return last[:, None] * _sigmoid(np.tanh(query @ w_p) @ v_p)


@predicted_center.known_mistake(ONE_LESS)
def center_of_the_last_position_by_argmax(query, w_p, v_p, mask):
    last = mask.shape[1] - 1 - mask[:, ::-1].argmax(axis=1)  # the last for an empty row
    return last[:, None] * _sigmoid(np.tanh(query @ w_p) @ v_p)


predicted_center.known_mistake(FROM_ONE)(_center(finish=lambda center: center + 1))


def _gaussian_cases(rng):
    yield "one query, center on a word", (np.full((1, 1, 5), 0.2), np.array([[2.0]]), 2)
    yield (
        "center between two words, D = 3",
        (np.full((1, 1, 4), 0.25), np.array([[1.25]]), 3),
    )
    weights = ref.softmax(rng.normal(size=(4, 4, 4)), five_masks(4)[:4, None, :])
    yield "all sizes 4", (weights, rng.uniform(-2, 6, size=(4, 4)), 4)
    weights = ref.softmax(rng.normal(size=(2, 3, 7)))
    yield "two sentences, D = 5", (weights, rng.uniform(0, 7, size=(2, 3)), 5)
    yield "the narrowest window, D = 1", (weights, rng.uniform(0, 7, size=(2, 3)), 1)
    weights = ref.softmax(rng.normal(size=(1, 2, 90)))
    yield "D = 51, centers far outside", (weights, np.array([[-20.5, 110.75]]), 51)
    weights = ref.softmax(rng.normal(size=(5, 2, 6)), five_masks(6)[:, None, :])
    yield (
        "padding of every kind, float32: a row of zeros stays as it is",
        in_float32((weights, rng.uniform(0, 6, size=(5, 2)), 3)),
    )
    yield (
        "integers: all weight on one word",
        (np.array([[[0.0, 1, 0], [1, 0, 0]]]), np.array([[2.0, 0.0]]), 3),
    )
    yield "one word", (np.ones((1, 1, 1)), np.array([[0.75]]), 1)


@exercise(
    _gaussian_cases,
    hints=[
        (
            "Start with the distances from every position, `np.arange(source_len)`, "
            "to every center. `centers[:, :, None]` makes the shapes broadcast."
        ),
        (
            "sigma is D / 2, and all of 2 sigma^2 is in the denominator: "
            "in Python, that needs parentheses."
        ),
    ],
    batch=("weights", "centers"),
)
def gaussian_weights(weights, centers, half_width):
    """weights_s exp(-(s - p_t)^2 / (2 sigma^2)), sigma = D / 2, not renormalized.

    weights: (batch, target_len, source_len), after the softmax.
    centers: p_t, (batch, target_len), reals, counted from 0; they may lie outside the
    sentence. half_width: D, an integer, 1 or more. Where D is odd, sigma is not an
    integer: 1.5 for D = 3.
    Returns an array of the shape of weights.
    """
    sigma = half_width / 2
    distance = np.arange(weights.shape[-1]) - centers[:, :, None]
    return weights * np.exp(-(distance**2) / (2 * sigma**2))


def _times_gaussian(exponent, sigma=lambda half_width: half_width / 2):
    """weights exp(exponent), a function of the distance and sigma."""

    def wrong(weights, centers, half_width):
        distance = np.arange(weights.shape[-1]) - centers[:, :, None]
        return weights * np.exp(exponent(distance, sigma(half_width)))

    return wrong


def _squared(distance, sigma):
    return -(distance**2) / (2 * sigma**2)


ROUNDED_SIGMA = (
    "`//` drops the half of an odd D. sigma is D / 2, which is 1.5 for D = 3."
)
_EXPONENTS = [
    *_mistakes.GAUSSIAN_EXPONENTS,
    (FROM_ONE, lambda distance, sigma: _squared(distance + 1, sigma)),
]
for _message, _exponent in _EXPONENTS:
    gaussian_weights.known_mistake(_message)(_times_gaussian(_exponent))
for _message, _sigma in [
    ("sigma is D / 2, not D.", lambda half_width: half_width),
    (ROUNDED_SIGMA, lambda half_width: half_width // 2),
    (ROUNDED_SIGMA, lambda half_width: max(1, half_width // 2)),
]:
    gaussian_weights.known_mistake(_message)(_times_gaussian(_squared, _sigma))
for _rounded in (np.floor, np.round, np.trunc, np.ceil):
    gaussian_weights.known_mistake(
        "You round the center first. Then v_p and W_p get no gradient."
    )(
        lambda weights, centers, half_width, rounded=_rounded: (
            gaussian_weights.reference_solution(weights, rounded(centers), half_width)
        )
    )


RENORMALIZED = (
    "You renormalize. The paper does not: "
    "far from the center, the weights of a query may be small in total."
)


@gaussian_weights.known_mistake(RENORMALIZED)
def gaussian_renormalized(weights, centers, half_width):
    product = gaussian_weights.reference_solution(weights, centers, half_width)
    return product / product.sum(-1, keepdims=True)


@gaussian_weights.known_mistake(RENORMALIZED)
def gaussian_renormalized_safely(weights, centers, half_width):
    product = gaussian_weights.reference_solution(weights, centers, half_width)
    total = product.sum(-1, keepdims=True)
    return product / np.where(total == 0, 1, total)


@gaussian_weights.known_mistake(
    "Your Gaussian has the factor of a probability density, 1 / (sigma sqrt(2 pi)). "
    "The one of equation 10 is 1 at the center."
)
def gaussian_density(weights, centers, half_width):
    product = gaussian_weights.reference_solution(weights, centers, half_width)
    return product / (half_width / 2 * np.sqrt(2 * np.pi))


NORMALIZED_GAUSSIAN = (
    "You divide the Gaussian by its sum or its maximum. The one of equation 10 is not "
    "divided by anything: it is 1 at the center, even if no word stands there."
)


@gaussian_weights.known_mistake(NORMALIZED_GAUSSIAN)
def gaussian_over_its_sum(weights, centers, half_width):
    gaussian = gaussian_alone(weights, centers, half_width)
    return weights * gaussian / gaussian.sum(axis=-1, keepdims=True)


@gaussian_weights.known_mistake(NORMALIZED_GAUSSIAN)
def gaussian_over_its_maximum(weights, centers, half_width):
    gaussian = gaussian_alone(weights, centers, half_width)
    return weights * gaussian / gaussian.max(axis=-1, keepdims=True)


CENTER_MOVED_INSIDE = (
    "You move a center outside the sentence to its edge. It may lie outside: leave it "
    "where it is."
)


@gaussian_weights.known_mistake(CENTER_MOVED_INSIDE)
def gaussian_of_clipped_centers(weights, centers, half_width):
    inside = np.clip(centers, 0, weights.shape[-1] - 1)
    return gaussian_weights.reference_solution(weights, inside, half_width)


@gaussian_weights.known_mistake(CENTER_MOVED_INSIDE)
def gaussian_of_centers_from_zero(weights, centers, half_width):
    inside = np.maximum(centers, 0)
    return gaussian_weights.reference_solution(weights, inside, half_width)


@gaussian_weights.known_mistake(
    "Your Gaussian is mirrored about the integer part of the center. "
    "The distance is s - p, including the fraction."
)
def gaussian_mirrored(weights, centers, half_width):
    return gaussian_weights.reference_solution(
        weights, np.floor(centers) - (centers - np.floor(centers)), half_width
    )


@gaussian_weights.known_mistake(
    "You return the Gaussian alone. Multiply the weights by it."
)
def gaussian_alone(weights, centers, half_width):
    return gaussian_weights.reference_solution(
        np.ones(weights.shape), centers, half_width
    )


@gaussian_weights.known_mistake(
    "You add the Gaussian to the weights. Multiply the weights by it."
)
def gaussian_added(weights, centers, half_width):
    return weights + gaussian_alone(weights, centers, half_width)


CUT_TOO = (
    "You also cut the window out. This function only multiplies by the Gaussian, which "
    "has no edge."
)


@gaussian_weights.known_mistake(CUT_TOO)
def gaussian_cut_around_the_center(weights, centers, half_width):
    product = gaussian_weights.reference_solution(weights, centers, half_width)
    distance = np.arange(weights.shape[-1]) - centers[:, :, None]
    return np.where(abs(distance) <= half_width, product, 0)


@gaussian_weights.known_mistake(CUT_TOO)
def gaussian_cut_around_the_floor(weights, centers, half_width):
    product = gaussian_weights.reference_solution(weights, centers, half_width)
    distance = np.arange(weights.shape[-1]) - np.floor(centers)[:, :, None]
    return np.where(abs(distance) <= half_width, product, 0)


CENTERS_AXIS = (
    "Each query has its own center: centers[:, :, None], (batch, target_len, 1). "
    "You gave the centers to the positions."
)


@gaussian_weights.known_mistake(CENTERS_AXIS)
def gaussian_of_other_centers(weights, centers, half_width):
    distance = np.arange(weights.shape[-1]) - centers[:, None, :]
    return weights * np.exp(_squared(distance, half_width / 2))


@gaussian_weights.known_mistake(CENTERS_AXIS)
def gaussian_of_centers_without_axis(weights, centers, half_width):
    distance = np.arange(weights.shape[-1]) - centers
    return weights * np.exp(_squared(distance, half_width / 2))


@gaussian_weights.known_mistake(CENTERS_AXIS)
def gaussian_of_the_queries_positions(weights, centers, half_width):
    distance = np.arange(weights.shape[1])[:, None] - centers[:, None, :]
    return weights * np.exp(_squared(distance, half_width / 2))


def _local_cases(rng):
    scores = np.array([[[0.0, 1.0, 2.0, 1.0]]])
    values = np.array([[[1.0], [2.0], [4.0], [8.0]]])
    words = np.ones((1, 4), bool)
    yield (
        "one query in the middle, D = 1",
        (scores, values, np.array([[1.5]]), 1, words),
    )
    yield "at the left edge", (scores, values, np.array([[0.2]]), 1, words)
    yield "a center below 0", (scores, values, np.array([[-0.5]]), 1, words)
    yield (
        "the last two are padding",
        (scores, values, np.array([[1.0]]), 2, np.array([[True, True, False, False]])),
    )
    random = list(_random_local_cases(rng))
    yield from _extreme_local_cases(rng)
    yield from random
    yield (
        "one query and one word",
        (
            np.zeros((1, 1, 1)),
            np.full((1, 1, 1), 3.0),
            np.full((1, 1), 0.5),
            1,
            words[:, :1],
        ),
    )


def _random_local_cases(rng):
    def arguments(mask, target_len, value_dim, half_width):
        batch, source_len = mask.shape
        return (
            rng.normal(size=(batch, target_len, source_len)),
            rng.normal(size=(batch, source_len, value_dim)),
            rng.uniform(-1.5, source_len, size=(batch, target_len)),
            half_width,
            mask,
        )

    yield "padding of every kind, all sizes 5", arguments(five_masks(5), 5, 5, 1)
    yield "padding of every kind, D = 3", arguments(five_masks(9), 3, 4, 3)
    full = np.ones((3, 8), bool)
    yield (
        "three sentences without padding, float32",
        in_float32(arguments(full, 4, 2, 2)),
    )
    scores, values, _, _, mask = arguments(five_masks(6), 2, 3, 0)
    yield (
        "D = 40, centers far past the end",
        (scores, values, rng.uniform(20, 39, size=(5, 2)), 40, mask),
    )
    outside = np.array([[2.5, -4.0, 30.0]] * 5)
    scores, values, _, _, mask = arguments(five_masks(7), 3, 2, 0)
    yield "windows outside the sentence", (scores, values, outside, 2, mask)


def _extreme_local_cases(rng):
    scores, values = extreme_scores(7)[None], rng.normal(size=(1, 7, 2))
    yield (
        "scores near 1000, near -1000, and from -3000 to 3000",
        (scores, values, np.full((1, 3), 3.25), 3, np.ones((1, 7), bool)),
    )
    yield (
        "the same, with padding and a narrow window",
        (scores, values, np.full((1, 3), 2.5), 1, np.arange(7)[None] != 3),
    )
    mask, centers = five_masks(6), np.array([[0.5, 2.75, 4.0]] * 5)
    window = abs(np.arange(6) - np.floor(centers)[:, :, None]) <= 2
    counts = window & mask[:, None, :]
    low = -20_000.0 - rng.integers(0, 4, size=counts.shape)
    values = rng.normal(size=(5, 6, 4))
    yield (
        "scores near -20,000, and 1e10 at padding and outside the window",
        (np.where(counts, low, 1e10), values, centers, 2, mask),
    )
    yield (
        "scores near -20,000, and inf, NaN, and 1e10 at padding and outside the window",
        (spoiled_padding(low, counts), values, centers, 2, mask),
    )


@exercise(
    _local_cases,
    hints=[
        (
            "Which positions may be attended to? Those that are real "
            "words and within D of the integer part of the center: "
            "a mask of shape (batch, target_len, source_len). `ref.softmax` takes it."
        ),
        (
            "The Gaussian multiplies the weights after that softmax. "
            "It is centered on the exact center, with sigma = D / 2. "
            "The context uses the final weights, so it comes last."
        ),
    ],
    returns=("context", "weights"),
    batch=("scores", "values", "centers", "mask"),
)
def local_attend(scores, values, centers, half_width, mask):
    """Softmax over the window around floor(p_t), times a Gaussian around p_t (eq. 10).

    scores: (batch, target_len, source_len). values: (batch, source_len, value_dim),
    finite. centers: p_t, (batch, target_len), reals; they may lie outside the sentence.
    half_width: D, an integer, 1 or more.
    mask: (batch, source_len), True = may be attended to.
    Returns context (batch, target_len, value_dim) and weights (batch, target_len,
    source_len), not renormalized, and zero outside the window.

    Scores of 1000 do not overflow. What the scores are at padding or outside the window
    does not matter, not even if they are infinite or NaN. With nothing to attend to in
    its window, a query gets zero weights and a zero context.
    """
    positions = np.arange(scores.shape[-1])
    from_floor = positions - np.floor(centers)[:, :, None]
    window = (abs(from_floor) <= half_width) & mask[:, None, :]
    distance = positions - centers[:, :, None]
    gaussian = np.exp(-(distance**2) / (2 * (half_width / 2) ** 2))
    weights = ref.softmax(scores, window) * gaussian
    return weights @ values, weights


ZERO_SCORES = (
    "What should be left out, padding or positions outside the window, enters your "
    "softmax with a score of 0, and exp(0) = 1. Use -inf."
)
_OUTSIDE_TOO = {
    _mistakes.EQUAL_FOR_NOTHING: (
        "With nothing to attend to in a window, one number everywhere gives equal "
        "weights to what should have none. Those rows should be zeros."
    ),
    _mistakes.MAXIMUM_OVER_PADDING: (
        "Padding and positions outside the window still enter the maximum that is "
        "subtracted, or exp itself, in your code or in ref.softmax. If their scores "
        "are the largest by far, every word inside underflows, or inf * 0 gives NaN. "
        "Mask first, with np.where."
    ),
    _mistakes.SMALL_CONSTANT: (
        "The number that stands in for what may not be attended is not small enough: a "
        "word inside the window may score lower still. Use -np.inf."
    ),
    _mistakes.TIMES_SCORES: ZERO_SCORES,
    _mistakes.ADDED: (
        "Adding -1e9 or -inf to a score is not enough: what stands at padding or "
        "outside the window may be larger, infinite, or NaN. Replace it with np.where."
    ),
    _mistakes.AFTERWARDS: (
        "You take the softmax over all positions and cut the window and the padding "
        "out afterward. Mask first, so that the rest has no part in the sum."
    ),
    _mistakes.IGNORED: (
        "Your softmax uses neither the window nor the mask: every position gets weight."
    ),
}
for _message, _softmax in _mistakes.faulty_softmaxes():
    local_attend.known_mistake(_OUTSIDE_TOO.get(_message, _message))(
        _mistakes.with_globals(
            local_attend.reference_solution,
            ref=_mistakes.reference_with(softmax=_softmax),
        )
    )


_mistakes.add_mask_from_the_front(local_attend)


def _window_around(centers, half_width, source_len):
    """Whether a position is within D of an integer center."""
    return abs(np.arange(source_len) - centers[:, :, None]) <= half_width


def _gaussian_around(centers, sigma, source_len):
    distance = np.arange(source_len) - centers[:, :, None]
    return np.exp(-(distance**2) / (2 * sigma**2))


def _gaussian_of(exponent):
    """exp(exponent), a function of the centers, the half-width, and the length."""

    def wrong(centers, half_width, source_len):
        distance = np.arange(source_len) - centers[:, :, None]
        return np.exp(exponent(distance, half_width / 2))

    return wrong


def _local(
    window=lambda centers, half_width, source_len: _window_around(
        np.floor(centers), half_width, source_len
    ),
    gaussian=lambda centers, half_width, source_len: _gaussian_around(
        centers, half_width / 2, source_len
    ),
    mask_of=lambda mask: mask[:, None, :],
):
    """Local attention with one change."""

    def wrong(scores, values, centers, half_width, mask):
        around = centers, half_width, scores.shape[-1]
        weights = ref.softmax(scores, window(*around) & mask_of(mask))
        weights = weights * gaussian(*around)
        return weights @ values, weights

    return wrong


ROUNDED_CENTER = (
    "Your window is placed at the rounded center. "
    "Place it at the integer part, np.floor(centers)."
)
TRUNCATED_CENTER = (
    "int rounds toward zero, so a center of -0.5 becomes 0. "
    "np.floor gives -1, the position at or just below the center."
)
CENTER_AT_THE_EDGE = (
    "You move a center outside the sentence to its edge. It may lie outside, and then "
    "its window holds few words or none."
)
_WINDOWS = [
    (
        "Your window leaves out its right end: it extends from floor(p_t) - D to "
        "floor(p_t) + D, both included.",
        lambda centers, half_width, source_len: (
            _window_around(np.floor(centers), half_width, source_len)
            & (np.arange(source_len) != np.floor(centers)[:, :, None] + half_width)
        ),
    ),
    (
        CENTER_AT_THE_EDGE,
        lambda centers, half_width, source_len: _window_around(
            np.floor(np.clip(centers, 0, source_len - 1)), half_width, source_len
        ),
    ),
    (
        "Your window is placed at the exact center, so most windows have 2D positions. "
        "Place it at the integer part of the center.",
        lambda centers, *others: _window_around(centers, *others),
    ),
    (
        ROUNDED_CENTER,
        lambda centers, *others: _window_around(np.round(centers), *others),
    ),
    (
        ROUNDED_CENTER,
        lambda centers, *others: _window_around(np.floor(centers + 0.5), *others),
    ),
    (
        "Your window is placed above the center. "
        "Place it at the integer part, np.floor(centers).",
        lambda centers, *others: _window_around(np.ceil(centers), *others),
    ),
    (
        TRUNCATED_CENTER,
        lambda centers, *others: _window_around(np.trunc(centers), *others),
    ),
    (
        "Your window leaves out its two ends: it has 2D + 1 positions, so the distance "
        "may be D itself.",
        lambda centers, half_width, source_len: _window_around(
            np.floor(centers), half_width - 1, source_len
        ),
    ),
    (
        "You take D as the width of the whole window. It is half of it: the window "
        "extends D positions to either side.",
        lambda centers, half_width, source_len: _window_around(
            np.floor(centers), half_width // 2, source_len
        ),
    ),
    (
        "Your window extends to the right alone. It should extend D positions to "
        "either side: take the absolute value of the distance.",
        lambda centers, half_width, source_len: (
            _window_around(np.floor(centers), half_width, source_len)
            & (np.arange(source_len) >= np.floor(centers)[:, :, None])
        ),
    ),
    (
        "Your window has no left edge. "
        "Take the absolute value of the distance before you compare it with D.",
        lambda centers, half_width, source_len: (
            np.arange(source_len) - np.floor(centers)[:, :, None] <= half_width
        ),
    ),
    (
        FROM_ONE,
        lambda centers, *others: _window_around(np.floor(centers) - 1, *others),
    ),
    (
        "The window is missing: your softmax runs over the whole source.",
        lambda centers, half_width, source_len: np.array(True),
    ),
]
_GAUSSIANS = [
    (
        "The Gaussian is missing.",
        lambda centers, half_width, source_len: 1,
    ),
    (
        "Your Gaussian stands at the integer part of the center. Only the window does; "
        "the Gaussian stands at the exact center.",
        lambda centers, half_width, source_len: _gaussian_around(
            np.floor(centers), half_width / 2, source_len
        ),
    ),
    (
        "sigma is D / 2, not D.",
        lambda centers, *others: _gaussian_around(centers, *others),
    ),
    (
        ROUNDED_SIGMA,
        lambda centers, half_width, source_len: _gaussian_around(
            centers, half_width // 2, source_len
        ),
    ),
    *((message, _gaussian_of(exponent)) for message, exponent in _EXPONENTS),
]
_MASKS = [
    (
        "Your function ignores the mask: padding inside the window gets weight.",
        lambda mask: True,
    ),
    (_mistakes.INVERTED, lambda mask: ~mask[:, None, :]),
    (
        _mistakes.MASK_AXIS,
        lambda mask: mask,
    ),
    (
        _mistakes.MASK_AXIS,
        lambda mask: mask[:, :, None],
    ),
]
for _message, _window in _WINDOWS:
    local_attend.known_mistake(_message)(_local(window=_window))
for _message, _gaussian in _GAUSSIANS:
    local_attend.known_mistake(_message)(_local(gaussian=_gaussian))
for _message, _mask in _MASKS:
    local_attend.known_mistake(_message)(_local(mask_of=_mask))


for _change in (np.trunc, np.round, np.ceil):
    local_attend.known_mistake(
        "Your window and your Gaussian stand at a rounded center. The window stands at "
        "its integer part, np.floor(centers), and the Gaussian at the center itself."
    )(
        lambda scores, values, centers, half_width, mask, change=_change: (
            local_attend.reference_solution(
                scores, values, change(centers), half_width, mask
            )
        )
    )


def _local_at(centers_of):
    """Local attention around centers_of(centers), which broadcasts with scores."""

    def wrong(scores, values, centers, half_width, mask):
        centers, positions = centers_of(centers), np.arange(scores.shape[-1])
        window = abs(positions - np.floor(centers)) <= half_width
        weights = ref.softmax(scores, window & mask[:, None, :])
        weights = weights * np.exp(_squared(positions - centers, half_width / 2))
        return weights @ values, weights

    return wrong


for _centers_of in (lambda centers: centers[:, None, :], lambda centers: centers):
    local_attend.known_mistake(CENTERS_AXIS)(_local_at(_centers_of))


@local_attend.known_mistake(FROM_ONE)
def local_of_positions_from_one(scores, values, centers, half_width, mask):
    return local_attend.reference_solution(
        scores, values, centers - 1, half_width, mask
    )


@local_attend.known_mistake(CENTER_AT_THE_EDGE)
def local_of_clipped_centers(scores, values, centers, half_width, mask):
    centers = np.clip(centers, 0, scores.shape[-1] - 1)
    return local_attend.reference_solution(scores, values, centers, half_width, mask)


def _in_parts(combine):
    """Local attention by ``combine(scores, window, gaussian, mask, values)``."""

    def wrong(scores, values, centers, half_width, mask):
        window, gaussian = window_and_gaussian(scores, centers, half_width)
        return combine(scores, window, gaussian, mask[:, None, :], values)

    return wrong


@local_attend.known_mistake(
    "You multiply the scores by the Gaussian. "
    "It should multiply the weights, after the softmax."
)
@_in_parts
def local_gaussian_before(scores, window, gaussian, mask, values):
    weights = ref.softmax(scores * gaussian, window & mask)
    return weights @ values, weights


CUT_AFTER = (
    "You take the softmax over the whole source and cut the window out of it. "
    "Mask first."
)
PADDING_CUT_AFTER = (
    "You mask the padding after the softmax, so its share of the weights is lost. "
    "Mask first."
)
for _message, _allowed, _kept in [
    (CUT_AFTER, lambda window, mask: mask, lambda window, mask: window),
    (PADDING_CUT_AFTER, lambda window, mask: window, lambda window, mask: mask),
    (
        _OUTSIDE_TOO[_mistakes.AFTERWARDS],
        lambda window, mask: np.array(True),
        lambda window, mask: window & mask,
    ),
]:

    @local_attend.known_mistake(_message)
    @_in_parts
    def local_set_to_zero_after(
        scores, window, gaussian, mask, values, allowed=_allowed, kept=_kept
    ):
        weights = ref.softmax(scores, allowed(window, mask)) * gaussian
        weights = np.where(kept(window, mask), weights, 0)
        return weights @ values, weights


@local_attend.known_mistake(
    "Your mask is True where a position is in the window or a real word. It should be "
    "both: join the two with &."
)
@_in_parts
def local_window_or_mask(scores, window, gaussian, mask, values):
    weights = ref.softmax(scores, window | mask) * gaussian
    return weights @ values, weights


def _maximum_over_all(normalize):
    @_in_parts
    def wrong(scores, window, gaussian, mask, values):
        shifted = scores - scores.max(axis=-1, keepdims=True)
        exponentials = np.where(window & mask, np.exp(shifted), 0)
        total = exponentials.sum(axis=-1, keepdims=True)
        weights = exponentials / normalize(total) * gaussian
        return weights @ values, weights

    return wrong


@local_attend.known_mistake(_OUTSIDE_TOO[_mistakes.MAXIMUM_OVER_PADDING])
@_in_parts
def local_infinity_times_zero(scores, window, gaussian, mask, values):
    inside = window & mask
    highest = np.where(inside, scores, -np.inf).max(axis=-1, keepdims=True)
    highest = np.where(highest == -np.inf, 0, highest)
    exponentials = np.exp(scores - highest) * inside
    total = exponentials.sum(axis=-1, keepdims=True)
    weights = exponentials / np.where(total == 0, 1, total) * gaussian
    return weights @ values, weights


for _normalize in (
    lambda total: np.where(total == 0, 1, total),
    lambda total: np.where(total > 0, total, 1),  # 1 also in place of NaN
    np.asarray,
):
    local_attend.known_mistake(_OUTSIDE_TOO[_mistakes.MAXIMUM_OVER_PADDING])(
        _maximum_over_all(_normalize)
    )
for _fill in _mistakes.SMALL_NUMBERS:

    @local_attend.known_mistake(_OUTSIDE_TOO[_mistakes.SMALL_CONSTANT])
    @_in_parts
    def local_small_constant(scores, window, gaussian, mask, values, fill=_fill):
        inside = window & mask
        weights = ref.softmax(np.where(inside, scores, fill)) * inside * gaussian
        return weights @ values, weights


@local_attend.known_mistake(CUT_AFTER)
@_in_parts
def local_cut_after(scores, window, gaussian, mask, values):
    weights = ref.softmax(scores, mask) * gaussian * window
    return weights @ values, weights


@local_attend.known_mistake(PADDING_CUT_AFTER)
@_in_parts
def local_padding_cut_after(scores, window, gaussian, mask, values):
    weights = ref.softmax(scores, window) * gaussian * mask
    return weights @ values, weights


@local_attend.known_mistake(
    "You computed the context before the Gaussian, "
    "so it does not use the weights you return."
)
@_in_parts
def local_context_too_early(scores, window, gaussian, mask, values):
    weights = ref.softmax(scores, window & mask)
    return weights @ values, weights * gaussian


@local_attend.known_mistake(
    "You return the weights before the Gaussian. Return those that the context uses."
)
@_in_parts
def local_weights_too_early(scores, window, gaussian, mask, values):
    weights = ref.softmax(scores, window & mask)
    return (weights * gaussian) @ values, weights


LOCAL_RENORMALIZED = (
    "You renormalize after the Gaussian, or put it inside the softmax, which is the "
    "same. The paper does neither: the weights sum to one or less."
)


@local_attend.known_mistake(LOCAL_RENORMALIZED)
@_in_parts
def local_renormalized(scores, window, gaussian, mask, values):
    weights = ref.softmax(scores, window & mask) * gaussian
    total = weights.sum(-1, keepdims=True)
    weights = weights / np.where(total == 0, 1, total)
    return weights @ values, weights


@local_attend.known_mistake(LOCAL_RENORMALIZED)
@_in_parts
def local_renormalized_to_nan(scores, window, gaussian, mask, values):
    weights = ref.softmax(scores, window & mask) * gaussian
    weights = weights / weights.sum(-1, keepdims=True)
    return weights @ values, weights


@local_attend.known_mistake(ZERO_SCORES)
@_in_parts
def local_zero_scores(scores, window, gaussian, mask, values):
    inside = window & mask
    weights = ref.softmax(np.where(inside, scores, 0)) * inside * gaussian
    return weights @ values, weights


@local_attend.known_mistake(ZERO_SCORES)
@_in_parts
def local_zero_scores_with_weight(scores, window, gaussian, mask, values):
    weights = ref.softmax(np.where(window & mask, scores, 0)) * gaussian
    return weights @ values, weights


@local_attend.known_mistake(ZERO_SCORES)
@_in_parts
def local_zero_scores_of_words(scores, window, gaussian, mask, values):
    weights = ref.softmax(np.where(window, scores, 0), mask) * window * gaussian
    return weights @ values, weights


@local_attend.known_mistake("You return (weights, context). The context comes first.")
def local_returned_in_the_wrong_order(*arguments):
    context, weights = local_attend.reference_solution(*arguments)
    return weights, context


def _choice_cases(rng):
    """Shares that a float holds exactly, so that all ways to count agree."""
    centers = np.array([2.0, 5.9, 7.2, 4.5])
    positions = np.array([2, 8, 4, 9])
    yield "four links, three of them within 3", (centers, positions, 0.75)
    yield "the same, half of them", (centers, positions, 0.5)
    yield "the same, all four", (centers, positions, 1.0)
    yield (
        "centers between words",
        (np.array([2.9, 5.5, 7.1, 4.9]), np.array([0, 9, 2, 6]), 0.75),
    )
    yield (
        "all distances 0: D is at least 1",
        (np.array([1.0, 2.0]), np.array([1, 2]), 0.875),
    )
    yield "a share of 0: D is at least 1", (centers, positions, 0.0)
    yield "one link, 40 positions away", (np.array([3.75]), np.array([43]), 0.5)
    yield (
        "ten links to the left, up to 400 away",
        (
            np.full(10, 450.5),
            450 - np.array([3, 400, 9, 0, 6, 12, 90, 33, 1, 50]),
            0.9375,
        ),
    )
    yield (
        "centers below 0",
        (np.array([-0.5, -2.25, -0.75, 1.5]), np.array([2, 0, 4, 0]), 1.0),
    )
    yield (
        "all centers below 0",
        (np.array([-0.5, -3.5, -1.25]), np.array([1, 0, 3]), 0.625),
    )
    yield from _more_choice_cases(rng)


def _more_choice_cases(rng):
    """Integers, single precision, and many links."""
    yield (
        "centers on words",
        (np.array([4.0, 0.0, 11.0, 6.0, 2.0]), np.array([9, 6, 2, 6, 10]), 0.625),
    )
    yield (
        "eight links, a share of 0.75",
        (np.full(8, 14.25), 14 + np.array([12, -4, 0, 1, 10, -2, 7, -6]), 0.75),
    )
    yield (
        "positions as real numbers, float32",
        in_float32((np.array([0.5, 3.25, 6.75]), np.array([4.0, 3.0, 1.0]), 1.0)),
    )
    for share in (0.875, 0.75, 0.5, 0.0):
        yield (
            f"a hundred links, a share of {share}",
            (rng.uniform(0, 30, size=100), rng.integers(0, 30, size=100), share),
        )


@exercise(
    _choice_cases,
    hints=[
        (
            "How far is each gold position from the middle of its window, "
            "`np.floor(centers)`? That is the D it needs."
        ),
        (
            "Try D = 1, 2, 3, ... and stop at the first that is enough. The mean of an "
            "array of True and False is the share of True."
        ),
    ],
)
def choose_half_width(centers, positions, share):
    """The smallest D >= 1 whose windows hold at least `share` of the gold positions.

    centers: (links,), p_t of each link, reals; as in the whole chapter, the window is
    the one around floor(p_t), from floor(p_t) - D to floor(p_t) + D. positions:
    (links,), the gold source position of each; one link or more. They may be any
    distance apart. share: between 0 and 1. Returns an int.
    """
    needed = abs(positions - np.floor(centers))  # (links,)
    half_width = 1
    while np.mean(needed <= half_width) < share:
        half_width += 1
    return half_width


def _first_enough(
    distance, enough=lambda needed, d, share: np.mean(needed <= d) >= share
):
    """The smallest D of at least 1 for another distance, or another meaning of
    "enough"; 1000 if there is none.
    """

    def wrong(centers, positions, share):
        needed = distance(centers, positions)
        widths = range(1, 1000)
        return next((d for d in widths if enough(needed, d, share)), 1000)

    return wrong


def _from_floor(centers, positions):
    return abs(positions - np.floor(centers))


def _by_statistic(statistic):
    """D as a statistic of the distances, a function of them and of the share."""

    def wrong(centers, positions, share):
        return max(1, int(statistic(_from_floor(centers, positions), share)))

    return wrong


INTERPOLATED = (
    "By default, np.quantile interpolates between the distances of two links, so what "
    "it gives may be too small, or larger than needed. Count the links that D holds."
)
NEAREST_ALONE = (
    "Your D hardly holds more than the nearest link. share is a fraction of all links, "
    "between 0 and 1: neither a number of links nor a percentage."
)
FEWER_LINKS = (
    "You round the number of links that has to be inside down, or to the nearest. It "
    "should be at least `share` of them, so round up."
)
ENDS_TOO_EARLY = (
    "Your search for D ends too early. A position may be any distance from its center."
)
MEAN_DISTANCE = (
    "You take the mean distance. "
    "How many links lie within it depends on the others, not on `share`."
)
ROUNDED_CENTERS = (
    "You round the centers. "
    "The window is placed at the integer part, np.floor(centers)."
)
MORE_THAN_SHARE = (
    "Your D is too large where a smaller one holds exactly `share` of the links. "
    "That is enough: for 0.75 of four links, the three nearest."
)
LEFT_AND_RIGHT = (
    "Positions to the left of the center count as much as those to the right: "
    "take the absolute value of the distance."
)
for _message, _wrong in [
    (
        "You take the largest distance, so one stray link decides. "
        "It is enough that the windows hold `share` of the links.",
        _by_statistic(lambda needed, share: needed.max()),
    ),
    (MEAN_DISTANCE, _by_statistic(lambda needed, share: np.ceil(needed.mean()))),
    (MEAN_DISTANCE, _by_statistic(lambda needed, share: needed.mean())),
    (MEAN_DISTANCE, _by_statistic(lambda needed, share: np.round(needed.mean()))),
    (INTERPOLATED, _by_statistic(lambda needed, share: np.quantile(needed, share))),
    (
        INTERPOLATED,
        _by_statistic(lambda needed, share: np.ceil(np.quantile(needed, share))),
    ),
    (
        INTERPOLATED,
        _by_statistic(lambda needed, share: np.round(np.quantile(needed, share))),
    ),
    (
        NEAREST_ALONE,
        _by_statistic(lambda needed, share: np.percentile(needed, share)),
    ),
    (
        NEAREST_ALONE,
        _by_statistic(lambda needed, share: np.ceil(np.percentile(needed, share))),
    ),
    (
        "For a share of 0, your index is -1, which gives the largest distance. D is 1 "
        "then.",
        _by_statistic(
            lambda needed, share: np.sort(needed)[math.ceil(share * len(needed)) - 1]
        ),
    ),
    (
        FEWER_LINKS,
        _by_statistic(
            lambda needed, share: np.sort(needed)[int(share * len(needed)) - 1]
        ),
    ),
    (
        FEWER_LINKS,
        _first_enough(
            _from_floor,
            lambda needed, d, share: np.sum(needed <= d) >= int(share * len(needed)),
        ),
    ),
    (
        FEWER_LINKS,
        _by_statistic(
            lambda needed, share: np.sort(needed)[
                max(1, round(share * len(needed))) - 1
            ]
        ),
    ),
    (
        "You take the floor of the distance. Take it of the center: the window is "
        "placed at np.floor(centers).",
        _first_enough(
            lambda centers, positions: np.floor(abs(positions - centers)),
        ),
    ),
    (
        "Your windows leave out their last position: they extend from floor(p_t) - D "
        "to floor(p_t) + D, both included.",
        _first_enough(
            lambda centers, positions: np.where(
                positions > np.floor(centers),
                _from_floor(centers, positions) + 1,
                _from_floor(centers, positions),
            )
        ),
    ),
    (
        MORE_THAN_SHARE,
        _by_statistic(
            lambda needed, share: np.sort(needed)[
                min(int(share * len(needed)), len(needed) - 1)
            ]
        ),
    ),
    (
        "The window is placed at the integer part of the center. Measure from there.",
        _first_enough(lambda centers, positions: abs(positions - centers)),
    ),
    (
        ROUNDED_CENTERS,
        _first_enough(lambda centers, positions: abs(positions - np.round(centers))),
    ),
    (
        ROUNDED_CENTERS,
        _first_enough(
            lambda centers, positions: abs(positions - np.floor(centers + 0.5))
        ),
    ),
    (
        "Your windows are placed above the centers. "
        "A window is placed at the integer part, np.floor(centers).",
        _first_enough(lambda centers, positions: abs(positions - np.ceil(centers))),
    ),
    (
        TRUNCATED_CENTER,
        _first_enough(lambda centers, positions: abs(positions - np.trunc(centers))),
    ),
    (LEFT_AND_RIGHT, _first_enough(lambda c, positions: positions - np.floor(c))),
    (LEFT_AND_RIGHT, _first_enough(lambda c, positions: np.floor(c) - positions)),
    (
        "D holds a position that is exactly D away: compare with <=.",
        _first_enough(
            _from_floor, lambda needed, d, share: np.mean(needed < d) >= share
        ),
    ),
    (
        MORE_THAN_SHARE,
        _first_enough(
            _from_floor, lambda needed, d, share: np.mean(needed <= d) > share
        ),
    ),
    (
        NEAREST_ALONE,
        _first_enough(
            _from_floor, lambda needed, d, share: np.sum(needed <= d) >= share
        ),
    ),
    (
        "Your windows leave out what `share` should keep: "
        "at least `share` of the positions has to be inside, not outside.",
        _first_enough(
            _from_floor, lambda needed, d, share: np.mean(needed > d) <= share
        ),
    ),
]:
    choose_half_width.known_mistake(_message)(_wrong)


@choose_half_width.known_mistake("D should be at least 1.")
def choice_of_zero(centers, positions, share):
    needed = _from_floor(centers, positions)
    return next(d for d in range(1000) if np.mean(needed <= d) >= share)


WHOLE_WIDTH = (
    "You return the width of the whole window. "
    "D is half of it, without the middle position."
)


@choose_half_width.known_mistake(WHOLE_WIDTH)
def choice_of_the_whole_width(centers, positions, share):
    return 2 * choose_half_width.reference_solution(centers, positions, share) + 1


@choose_half_width.known_mistake(WHOLE_WIDTH)
def choice_of_twice_the_distance(centers, positions, share):
    twice = choice_of_zero(centers, positions, share) * 2
    return max(1, twice)


for _last_width in (10, 20, 30, len):
    choose_half_width.known_mistake(ENDS_TOO_EARLY)(
        lambda centers, positions, share, last=_last_width: min(
            choose_half_width.reference_solution(centers, positions, share),
            len(positions) if last is len else last,
        )
    )
for _lowest in (0, 1):
    choose_half_width.known_mistake(
        "D is one too small: its windows hold less than `share` of the positions."
    )(
        lambda centers, positions, share, lowest=_lowest: max(
            choose_half_width.reference_solution(centers, positions, share) - 1, lowest
        )
    )


@choose_half_width.known_mistake(WHOLE_WIDTH)
def choice_of_twice_the_half(centers, positions, share):
    return 2 * choose_half_width.reference_solution(centers, positions, share)


@choose_half_width.known_mistake(
    "D is one too large: the smallest that is enough was the one before."
)
def choice_of_one_more(centers, positions, share):
    return choose_half_width.reference_solution(centers, positions, share) + 1


# The gather


def _gather_arguments(rng, mask, target_len, dim, half_width):
    batch, source_len = mask.shape
    return (
        rng.normal(size=(batch, source_len, dim)),
        rng.uniform(0, source_len, size=(batch, target_len)),
        half_width,
        mask,
    )


def _gather_cases(rng):
    words = np.array([[[1.0], [2.0], [4.0], [8.0]]])
    full = np.ones((1, 4), bool)
    yield "one query in the middle, D = 1", (words, np.array([[1.7]]), 1, full)
    yield "at the left edge", (words, np.array([[0.2]]), 1, full)
    yield "at the right edge", (words, np.array([[3.9]]), 1, full)
    yield (
        "the last two words are padding",
        (words, np.array([[1.5]]), 2, np.array([[True, True, False, False]])),
    )
    yield (
        "padding of every kind, all sizes 5",
        _gather_arguments(rng, five_masks(5), 5, 5, 2),
    )
    yield (
        "padding of every kind, D = 3",
        _gather_arguments(rng, five_masks(9), 3, 4, 3),
    )
    yield (
        "three sentences without padding, float32",
        in_float32(_gather_arguments(rng, np.ones((3, 8), bool), 4, 2, 2)),
    )
    yield (
        "a window wider than the sentence",
        _gather_arguments(rng, np.ones((2, 3), bool), 4, 6, 5),
    )
    values, _, _, mask = _gather_arguments(rng, five_masks(6), 3, 2, 0)
    outside = np.array([[-0.5, -7.25, 12.5]] * 5)
    yield "centers outside the sentence", (values, outside, 2, mask)
    values = rng.integers(-9, 10, size=(5, 7, 3)).astype(float)
    values[~five_masks(7)] = np.nan
    centers = rng.uniform(0, 7, size=(5, 4))
    yield "NaN at padding", (values, centers, 1, five_masks(7))
    yield (
        "one query and one word",
        (np.full((1, 1, 1), 3.0), np.full((1, 1), 0.5), 1, full[:, :1]),
    )


@exercise(
    _gather_cases,
    hints=[
        (
            "The window's positions are the floor of each center plus the offsets -D "
            "to D: an array of integers of shape (batch, target_len, 2D + 1). Some of "
            "them may lie outside the array. `np.clip` turns those into positions that "
            "can be read, and a comparison of the two says which were outside."
        ),
        (
            "Indexing with two arrays pairs them: `values[b, s]` holds one vector for "
            "each pair. Here `s` has shape (batch, target_len, 2D + 1), and `b`, the "
            "indices of the sentences, has to broadcast with it: (batch, 1, 1). The "
            "mask can be indexed in the same way. At the end, `np.where` sets what is "
            "not inside to zero; `inside` needs another axis for that."
        ),
    ],
    returns=("window", "inside"),
    batch=("values", "centers", "mask"),
)
def gather_window(values, centers, half_width, mask):
    """The vectors of each window, and which of its positions may be attended to.

    values: (batch, source_len, dim), of any kind at padding. centers: p_t,
    (batch, target_len), reals; they may lie outside the sentence. half_width: D, an
    integer, 1 or more. mask: (batch, source_len), True = may be attended to.
    Returns window (batch, target_len, 2D + 1, dim), whose row k is the vector at
    position floor(p_t) - D + k, and inside (batch, target_len, 2D + 1), booleans: True
    where that position exists and may be attended to. Where it is False, the vector
    is 0.
    """
    batch, source_len, _ = values.shape
    offsets = np.arange(-half_width, half_width + 1)  # (2D + 1,)
    positions = np.floor(centers).astype(int)[:, :, None] + offsets
    readable = np.clip(positions, 0, source_len - 1)  # (batch, target_len, 2D + 1)
    sentence = np.arange(batch)[:, None, None]  # (batch, 1, 1)
    inside = (positions == readable) & mask[sentence, readable]
    window = values[sentence, readable]  # (batch, target_len, 2D + 1, dim)
    return np.where(inside[..., None], window, 0), inside


_mistakes.add_mask_from_the_front(gather_window)


def _gathered(
    offsets=lambda half_width: np.arange(-half_width, half_width + 1),
    middle=np.floor,
    readable=lambda positions, last: np.clip(positions, 0, last),
    inside=lambda same, masked: same & masked,
    window=lambda window, inside: np.where(inside[..., None], window, 0),
):
    """The gather with one change."""

    def wrong(values, centers, half_width, mask):
        batch, source_len, _ = values.shape
        positions = middle(centers).astype(int)[:, :, None] + offsets(half_width)
        within = np.clip(positions, 0, source_len - 1)
        read = readable(positions, source_len - 1)
        sentence = np.arange(batch)[:, None, None]
        found = inside(positions == within, mask[sentence, read])
        return window(values[sentence, read], found), found

    return wrong


EDGE_REPEATED = (
    "Positions outside the sentence count as inside in your result: after np.clip they "
    "are the first or the last word once more, and would be attended several times. "
    "Compare the positions before and after the clip."
)
GATHER_NOT_MASKED = (
    "Padding counts as inside in your result. `inside` is False where the position "
    "does not exist, and also where the mask is False."
)
for _message, _wrong in [
    (EDGE_REPEATED, _gathered(inside=lambda same, masked: masked)),
    (EDGE_REPEATED, _gathered(inside=lambda same, masked: np.ones_like(same))),
    (GATHER_NOT_MASKED, _gathered(inside=lambda same, masked: same)),
    (
        "A position is inside if it exists and may be attended to: both, `&`, not one "
        "of the two, `|`.",
        _gathered(inside=np.logical_or),
    ),
    (
        "Your `inside` is True where it should be False.",
        _gathered(inside=lambda same, masked: ~(same & masked)),
    ),
    (
        "Negative positions count from the end in Python, so your windows at the start "
        "of a sentence hold its last words. Leave out positions below 0.",
        _gathered(
            readable=lambda positions, last: np.clip(positions, -last - 1, last),
            inside=lambda same, masked: masked,
        ),
    ),
    (
        "Your windows continue at the other end of the sentence. A position past the "
        "end does not exist.",
        _gathered(
            readable=lambda positions, last: positions % (last + 1),
            inside=lambda same, masked: masked,
        ),
    ),
    (
        "The vectors where `inside` is False should be zeros, whatever stands there.",
        _gathered(window=lambda window, inside: window),
    ),
    (
        "What stands at padding may be NaN, and NaN * 0 is NaN. Use np.where.",
        _gathered(window=lambda window, inside: window * inside[..., None]),
    ),
    (
        "The last position of each window is missing: np.arange leaves out its end.",
        _gathered(offsets=lambda half_width: np.arange(-half_width, half_width)),
    ),
    (
        "D is half of the width: a window extends D positions to either side.",
        _gathered(
            offsets=lambda half_width: np.arange(
                -(half_width // 2), half_width // 2 + 1
            )
        ),
    ),
    (
        "Your windows only look ahead. They should start at floor(p_t) - D.",
        _gathered(offsets=lambda half_width: np.arange(2 * half_width + 1)),
    ),
    (
        "Your windows run backward. Row 0 belongs to floor(p_t) - D.",
        _gathered(
            offsets=lambda half_width: np.arange(half_width, -half_width - 1, -1)
        ),
    ),
    (ROUNDED_CENTERS, _gathered(middle=np.round)),
    (ROUNDED_CENTERS, _gathered(middle=lambda centers: np.floor(centers + 0.5))),
    (
        "Your windows are placed above the centers. "
        "A window is placed at the integer part, np.floor(centers).",
        _gathered(middle=np.ceil),
    ),
    (TRUNCATED_CENTER, _gathered(middle=np.trunc)),
    (FROM_ONE, _gathered(middle=lambda centers: np.floor(centers) - 1)),
]:
    gather_window.known_mistake(_message)(_wrong)


@gather_window.known_mistake(
    "You move the windows until they fit into the sentence. A window is cut off at the "
    "ends, and its middle stays at floor(p_t)."
)
def gather_moved_inside(values, centers, half_width, mask):
    last = values.shape[1] - 1
    fitting = np.clip(centers, half_width, max(half_width, last - half_width))
    return gather_window.reference_solution(values, fitting, half_width, mask)


@gather_window.known_mistake(
    "You move centers that lie outside the sentence to its edge. Their windows lie "
    "outside, too, all of them or a part."
)
def gather_of_clipped_centers(values, centers, half_width, mask):
    within = np.clip(centers, 0, values.shape[1] - 1)
    return gather_window.reference_solution(values, within, half_width, mask)


OTHER_SENTENCE = (
    "You gather from another sentence of the batch. The first index says which "
    "sentence: np.arange(batch)[:, None, None]."
)


@gather_window.known_mistake(OTHER_SENTENCE)
def gather_of_the_first_sentence(values, centers, half_width, mask):
    values = np.broadcast_to(values[:1], values.shape)
    return gather_window.reference_solution(values, centers, half_width, mask)


@gather_window.known_mistake("You return (inside, window). The window comes first.")
def gather_in_the_wrong_order(*arguments):
    window, inside = gather_window.reference_solution(*arguments)
    return inside, window


@gather_window.known_mistake(
    "`values[:, positions]` takes every window from every sentence. Pair each window "
    "with its own sentence: values[np.arange(batch)[:, None, None], positions]."
)
def gather_of_all_sentences(values, centers, half_width, mask):
    offsets = np.arange(-half_width, half_width + 1)
    positions = np.floor(centers).astype(int)[:, :, None] + offsets
    readable = np.clip(positions, 0, values.shape[1] - 1)
    inside = (positions == readable) & mask[
        np.arange(len(mask))[:, None, None], readable
    ]
    return values[:, readable], inside


# A window to repair


def _attend_cases(rng):
    words = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, 2.0]])
    query = np.array([1.0, 0.5])
    yield "four words, the center 1.6, D = 1", (query, words, 1.6, 1)
    yield "a center near the next word", (query, words, 1.95, 2)
    yield "a center on a word", (query, words, 2.0, 2)
    yield "at the left edge", (query, words, 0.25, 2)
    yield "at the right edge", (query, words, 3.75, 2)

    def arguments(source_len, dim, half_width):
        center = float(rng.uniform(0, source_len))
        shapes = (dim,), (source_len, dim)
        return *(rng.normal(size=shape) for shape in shapes), center, half_width

    yield "five words of dimension 5", arguments(5, 5, 2)
    yield "nine words of dimension 4", arguments(9, 4, 3)
    yield "a window wider than the sentence", arguments(6, 3, 20)
    yield "twelve words, float32", in_float32(arguments(12, 2, 4))
    for title, row in zip(
        ("near 1000", "near -1000", "from -3000 to 3000"),
        extreme_scores(7),
        strict=True,
    ):
        states = np.stack([row, np.ones(7)], axis=1)
        yield f"scores {title}", (np.array([1.0, 0.0]), states, 3.375, 2)
    yield "one word", (np.array([2.0]), np.array([[3.0]]), 0.5, 1)


@exercise(
    _attend_cases,
    hints=[
        (
            "Move the center from 2.1 to 2.2 and compute the weights again, by hand or "
            "in a cell. Which of them change in eq. 10, and which change here?"
        ),
        (
            "The window is placed at the integer part of the center. The Gaussian is "
            "not: its distances are measured from the center itself."
        ),
    ],
    returns=("context", "weights"),
)
def window_attend(query, source_states, center, half_width):
    """Context and weights of one query, from its window alone (eq. 10).

    query: (dim,). source_states: (source_len, dim). center: p_t, a real number between
    0 and source_len. half_width: D, an integer, 1 or more.
    Returns context (dim,) and weights (size,), one for each position of the window that
    exists, by the dot score. Scores of 1000 do not overflow.
    """
    middle = int(np.floor(center))
    first = max(0, middle - half_width)  # the sentence starts at 0
    window = source_states[first : middle + half_width + 1]  # (size, dim)
    distance = first + np.arange(len(window)) - center  # (size,)
    gaussian = np.exp(-(distance**2) / (2 * (half_width / 2) ** 2))
    weights = ref.softmax(window @ query) * gaussian
    return weights @ window, weights


@window_attend.starter_code(
    "In training, the centers do not move: W_p and v_p get no gradient."
)
def window_attend(query, source_states, center, half_width):
    """Context and weights of one query, from its window alone."""
    middle = int(np.floor(center))
    first = max(0, middle - half_width)  # the sentence starts at 0
    window = source_states[first : middle + half_width + 1]  # (size, dim)
    distance = first + np.arange(len(window)) - middle  # (size,)
    gaussian = np.exp(-(distance**2) / (2 * (half_width / 2) ** 2))
    weights = ref.softmax(window @ query) * gaussian
    return weights @ window, weights


def _windowed(
    middle=np.floor,
    around=lambda center, middle: center,
    sigma=lambda half_width: half_width / 2,
    weigh=lambda scores, gaussian: ref.softmax(scores) * gaussian,
):
    """The repaired function with one change."""

    def wrong(query, source_states, center, half_width):
        place = int(middle(center))
        first = max(0, place - half_width)
        window = source_states[first : max(place + half_width + 1, 0)]
        distance = first + np.arange(len(window)) - around(center, place)
        gaussian = np.exp(-(distance**2) / (2 * sigma(half_width) ** 2))
        weights = weigh(window @ query, gaussian)
        return weights @ window, weights

    return wrong


for _message, _wrong in [
    (
        "The window is placed at the integer part of the center, np.floor(center), not "
        "at the nearest position.",
        _windowed(middle=np.round),
    ),
    (
        "Your Gaussian is still around an integer, the center rounded. So it stays "
        "where it is when the center moves a little, and no gradient reaches it.",
        _windowed(around=lambda center, middle: np.round(center)),
    ),
    (
        "Without the Gaussian, the weights do not depend on the center at all inside "
        "the window. Keep it, and measure its distances from the center.",
        _windowed(weigh=lambda scores, gaussian: ref.softmax(scores)),
    ),
    (
        "You renormalize. The paper does not: the weights sum to one or less.",
        _windowed(
            weigh=lambda scores, gaussian: (
                ref.softmax(scores) * gaussian / np.sum(ref.softmax(scores) * gaussian)
            )
        ),
    ),
    (
        "You multiply the scores by the Gaussian. It comes after the softmax.",
        _windowed(weigh=lambda scores, gaussian: ref.softmax(scores * gaussian)),
    ),
    (
        "sigma is half of D in the paper. Leave it as it was.",
        _windowed(sigma=lambda half_width: half_width),
    ),
    (
        "You subtract the fraction twice, or in the wrong direction: the Gaussian is "
        "around the center, and nothing else.",
        _windowed(around=lambda center, middle: 2 * center - middle),
    ),
    (
        "You subtract the fraction twice, or in the wrong direction: the Gaussian is "
        "around the center, and nothing else.",
        _windowed(around=lambda center, middle: 2 * middle - center),
    ),
]:
    window_attend.known_mistake(_message)(_wrong)


@window_attend.known_mistake(
    "The positions of a window that is cut off at the start begin at 0, not at "
    "floor(p_t) - D."
)
def window_attend_from_before_the_start(query, source_states, center, half_width):
    middle = int(np.floor(center))
    window = source_states[max(0, middle - half_width) : middle + half_width + 1]
    distance = middle - half_width + np.arange(len(window)) - center
    gaussian = np.exp(-(distance**2) / (2 * (half_width / 2) ** 2))
    weights = ref.softmax(window @ query) * gaussian
    return weights @ window, weights


@window_attend.known_mistake(
    "Your softmax runs over the whole source. Only the window takes part in it."
)
def window_attend_softmax_over_all(query, source_states, center, half_width):
    middle = int(np.floor(center))
    first, last = max(0, middle - half_width), middle + half_width + 1
    weights = ref.softmax(source_states @ query)[first:last]
    distance = first + np.arange(len(weights)) - center
    weights = weights * np.exp(-(distance**2) / (2 * (half_width / 2) ** 2))
    return weights @ source_states[first:last], weights


# One step of a local decoder


def _local_step_arguments(rng, mask, units, embedding_dim, dim, half_width):
    batch, source_len = mask.shape
    shapes = {
        "state": (batch, units),
        "word": (batch, embedding_dim),
        "source_states": (batch, source_len, dim),
        "w_a": (units, dim),
        "w_p": (units, units),
        "v_p": (units,),
        "w_c": (dim + units, units),
    }
    given = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    given |= {"mask": mask, "half_width": half_width}
    given["gru"] = recurrent_cell(rng, embedding_dim, units)
    return _in_order(**given)


def _in_order(state, word, source_states, mask, w_a, w_p, v_p, half_width, w_c, gru):
    return state, word, source_states, mask, w_a, w_p, v_p, half_width, w_c, gru


def _local_step_of_scores(scores, mask):
    """A step with these scores, made of small source states and a new state of 1000 and
    1; padded source states have scores of 1e13. The window holds the whole sentence.

    scores: (batch, source_len), integers, so that float32 holds what is computed.
    """

    def gru(inputs, state):
        return np.round(np.add(state, inputs))

    batch = len(scores)
    large = np.sign(scores[:, :1] + 0.5) * 1000  # (batch, 1)
    first = np.round(scores / large)
    source_states = np.stack([first, scores - first * large], axis=-1)
    source_states[~mask] = (1e10 * np.sign(large) * [1, 0])[np.nonzero(~mask)[0]]
    word = np.resize([[1.0, 0.0], [0.0, 1.0], [-1.0, 1.0]], (batch, 2))
    return _in_order(
        state=np.concatenate([large, np.ones((batch, 1))], axis=1) - word,
        word=word,
        source_states=source_states,
        mask=mask,
        w_a=np.eye(2),
        w_p=np.array([[0.001, 0.5], [0.0, -0.25]]),
        v_p=np.array([0.75, -0.5]),
        half_width=40,
        w_c=np.array([[0.25, 0.5], [0.5, -0.25], [0.001, 0.0], [-0.5, 0.25]]),
        gru=gru,
    )


def _local_step_cases(rng):
    yield (
        "one sentence of two words and one padded position",
        _local_step_arguments(rng, np.array([[True, True, False]]), 2, 2, 2, 1),
    )
    yield (
        "padding of every kind, all sizes 5",
        _local_step_arguments(rng, five_masks(5), 5, 5, 5, 1),
    )
    yield (
        "padding of every kind, D = 2",
        _local_step_arguments(rng, five_masks(9), 4, 3, 6, 2),
    )
    yield (
        "three sentences without padding, float32",
        in_float32(_local_step_arguments(rng, np.ones((3, 8), bool), 4, 2, 5, 2)),
    )
    yield (
        "one sentence of twelve words, D = 3",
        _local_step_arguments(rng, np.ones((1, 12), bool), 3, 4, 2, 3),
    )
    yield (
        "scores near 1000, near -1000, and from -3000 to 3000",
        _local_step_of_scores(extreme_scores(5), np.ones((3, 5), bool)),
    )
    low = -20_000.0 - np.array([[1, 0, 2, 4, 3]] * 5)
    yield (
        "scores near -20,000, and source states of 1e10 at padding",
        _local_step_of_scores(low, five_masks(5)),
    )
    yield "one word", _local_step_arguments(rng, np.ones((1, 1), bool), 1, 2, 3, 1)


@exercise(
    _local_step_cases,
    hints=[
        (
            "The order is Luong's: first the recurrence, `gru`, then the center, "
            "predicted from the new state, then the window, and last the attentional "
            "state, tanh([c_t ; h_t] w_c)."
        ),
        (
            "With an axis of length 1 in the middle, the new state is a "
            "query for your `predicted_center`, for `ref.general_scores(query, "
            "source_states, w_a)`, and for your `local_attend`. Take the axis off "
            "again at the end: `context[:, 0]`, `weights[:, 0]`, `centers[:, 0]`."
        ),
    ],
    returns=("new_state", "attentional", "weights", "center"),
    batch=("state", "word", "source_states", "mask"),
)
def local_step(state, word, source_states, mask, w_a, w_p, v_p, half_width, w_c, gru):
    """One step of a local-p decoder: h_{t-1} -> h_t -> p_t -> a_t -> c_t -> h~_t.

    state: (batch, units), h_{t-1}. word: (batch, embedding_dim).
    source_states: (batch, source_len, dim), finite, of any size at padding.
    mask: (batch, source_len), True = may be attended to. w_a: (units, dim), of the
    general score. w_p: (units, units). v_p: (units,). half_width: D, an integer, 1 or
    more. w_c: (dim + units, units). gru: function (word, state) -> new state.
    Returns new_state, h_t, and attentional = tanh([c_t ; h_t] w_c), both
    (batch, units), weights (batch, source_len), zero outside the window, and center,
    p_t = S sigmoid(v_p . tanh(h_t w_p)), (batch,).

    S is one past the last True of the mask, and 0 without any. Scores of 1000 do not
    overflow. With nothing to attend to, weights and context are zeros.
    """
    new_state = gru(word, state)  # h_t: (batch, units)
    query = new_state[:, None, :]  # (batch, 1, units)
    lengths = (mask * np.arange(1, mask.shape[1] + 1)).max(axis=1)  # S: (batch,)
    fraction = 1 / (1 + np.exp(-np.tanh(query @ w_p) @ v_p))  # (batch, 1)
    centers = lengths[:, None] * fraction  # p_t: (batch, 1)
    context, weights = ref.local_attend(
        query,
        source_states,
        source_states,
        centers,
        half_width,
        score=lambda query, keys: ref.general_scores(query, keys, w_a),
        mask=mask,
    )
    joined = np.concatenate([context[:, 0], new_state], axis=-1)  # [c_t ; h_t]
    return new_state, np.tanh(joined @ w_c), weights[:, 0], centers[:, 0]


_mistakes.add_mask_from_the_front(local_step)


def _local_step(
    query=lambda state, new_state: new_state,
    center_from=lambda state, new_state: new_state,
    length=lambda mask: (mask * np.arange(1, mask.shape[1] + 1)).max(axis=1),
    fraction=lambda query, w_p, v_p: _sigmoid(np.tanh(query @ w_p) @ v_p),
    floor=lambda centers: centers,
    score=ref.general_scores,
    joined=lambda context, state, new_state: (context, new_state),
    finish=np.tanh,
    gaussian=True,
    result=lambda new_state, attentional, weights, center: (
        new_state,
        attentional,
        weights[:, 0],
        center[:, 0],
    ),
):
    """The step with one change."""

    def step(state, word, source_states, mask, w_a, w_p, v_p, half_width, w_c, gru):
        new_state = gru(word, state)
        where = center_from(state, new_state)[:, None]
        centers = length(mask)[:, None] * fraction(where, w_p, v_p)
        context, weights = ref.local_attend(
            query(state, new_state)[:, None],
            source_states,
            source_states,
            floor(centers),
            half_width,
            score=lambda query, keys: score(query, keys, w_a),
            mask=mask,
            gaussian=gaussian,
        )
        parts = joined(context[:, 0], state, new_state)
        attentional = finish(np.concatenate(parts, axis=-1) @ w_c)
        return result(new_state, attentional, weights, centers)

    return step


def _old(state, new_state):
    return state


for _message, _wrong in [
    (
        "Your query is the previous state. "
        "Luong's recurrence runs first: the new state is the query.",
        _local_step(query=_old),
    ),
    (
        "You predict the center from the previous state. Equation 9 has h_t, the new "
        "one.",
        _local_step(center_from=_old),
    ),
    (
        "You use the previous state throughout. Call gru first; the new state predicts "
        "the center and is the query.",
        _local_step(query=_old, center_from=_old),
    ),
    (PADDED_LENGTH, _local_step(length=lambda mask: np.full(len(mask), mask.shape[1]))),
    (
        "Your center is a fraction between 0 and 1. Multiply it by S, the length of "
        "the sentence.",
        _local_step(length=lambda mask: mask.any(axis=1)),
    ),
    (
        "The tanh of equation 9 is missing: p_t = S sigmoid(v_p . tanh(h_t w_p)).",
        _local_step(fraction=lambda query, w_p, v_p: _sigmoid(query @ w_p @ v_p)),
    ),
    (
        "The sigmoid of equation 9 is missing: p_t = S sigmoid(v_p . tanh(h_t w_p)).",
        _local_step(fraction=lambda query, w_p, v_p: np.tanh(query @ w_p) @ v_p),
    ),
    (
        "You put the Gaussian at the integer part of the center. Only the window is "
        "placed there; the Gaussian is around p_t itself.",
        _local_step(floor=np.floor),
    ),
    (
        "The Gaussian is missing (equation 10).",
        _local_step(gaussian=False),
    ),
    (
        "w_a is missing from your score, or transposed. The general score is "
        "h_t w_a times the source state.",
        _local_step(
            score=lambda query, keys, w: (
                ref.dot_scores(query, keys)
                if query.shape[-1] == keys.shape[-1]
                else ref.general_scores(query, keys, 0 * w)
            )
        ),
    ),
    (
        "w_a plays no part in your scores. Without another `score`, ref.local_attend "
        "takes the dot product.",
        _local_step(score=lambda query, keys, w: ref.dot_scores(query, keys)),
    ),
    (
        "You concatenate [h_t ; c_t]. Equation 5 has [c_t ; h_t].",
        _local_step(joined=lambda context, state, new_state: (new_state, context)),
    ),
    (
        "You join the context and the previous state. Equation 5 has the new one, h_t.",
        _local_step(joined=lambda context, state, new_state: (context, state)),
    ),
    (
        "tanh is missing from h~ (equation 5).",
        _local_step(finish=lambda product: product),
    ),
    (
        "Your weights still have the axis of length 1 that the query was given. Take "
        "it off: weights[:, 0].",
        _local_step(
            result=lambda new, h, weights, center: (new, h, weights, center[:, 0])
        ),
    ),
    (
        "Your center still has an axis of length 1. It has one number per sentence: "
        "centers[:, 0].",
        _local_step(
            result=lambda new, h, weights, center: (new, h, weights[:, 0], center)
        ),
    ),
    (
        "You return weights and center in the wrong order. The center comes last.",
        _local_step(
            result=lambda new, h, weights, center: (new, h, center[:, 0], weights[:, 0])
        ),
    ),
]:
    local_step.known_mistake(_message)(_wrong)


@local_step.known_mistake(
    "You return the state that you were given, h_{t-1}. "
    "The first value is the new state, h_t."
)
def local_step_returning_the_old_state(*arguments):
    return arguments[0], *local_step.reference_solution(*arguments)[1:]


@local_step.known_mistake(
    "You renormalize after the Gaussian. The paper does not: the weights sum to one or "
    "less."
)
def local_step_renormalized(
    state, word, source_states, mask, w_a, w_p, v_p, half_width, w_c, gru
):
    new_state, _, weights, center = local_step.reference_solution(
        state, word, source_states, mask, w_a, w_p, v_p, half_width, w_c, gru
    )
    total = weights.sum(axis=-1, keepdims=True)
    weights = weights / np.where(total == 0, 1, total)
    context = np.einsum("bs,bsd->bd", weights, source_states)
    joined = np.concatenate([context, new_state], axis=-1)
    return new_state, np.tanh(joined @ w_c), weights, center


@local_step.known_mistake(
    "Your window is placed at the center rounded. It is placed at the integer part, "
    "np.floor."
)
def local_step_around_the_nearest(
    state, word, source_states, mask, w_a, w_p, v_p, half_width, w_c, gru
):
    new_state, _, _, center = local_step.reference_solution(
        state, word, source_states, mask, w_a, w_p, v_p, half_width, w_c, gru
    )
    positions = np.arange(mask.shape[1])
    window = abs(positions - np.round(center)[:, None]) <= half_width
    scores = ref.general_scores(new_state[:, None], source_states, w_a)[:, 0]
    distance = positions - center[:, None]
    gaussian = np.exp(-(distance**2) / (2 * (half_width / 2) ** 2))
    weights = ref.softmax(scores, window & mask) * gaussian
    context = np.einsum("bs,bsd->bd", weights, source_states)
    joined = np.concatenate([context, new_state], axis=-1)
    return new_state, np.tanh(joined @ w_c), weights, center


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
        ``Translator.load("dates-local-p", **own_parts(globals()))`` makes a translator
        of them. For a part that is missing, it takes the function of attnlib.
    """
    return passing_parts(namespace, (predicted_center, local_attend, local_step))
