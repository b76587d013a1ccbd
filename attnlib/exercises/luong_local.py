"""Exercises of chapter 06, "Luong's local attention"."""

import numpy as np

from attnlib import reference as ref
from attnlib.checking.exercise import exercise
from attnlib.exercises._shared import window_and_gaussian


def _window_cases(rng):
    yield "in the middle of ten words", (4, 10, 2)
    yield "at the first word", (0, 10, 3)
    yield "at the last word", (9, 10, 2)
    yield "past the last word", (14, 10, 2)
    yield "a window wider than the sentence", (1, 4, 10)
    yield "a sentence of one word", (5, 1, 2)


@exercise(
    _window_cases,
    hints=[
        (
            "The center is the index of the step, but a sentence of 10 words has no "
            "word 14: clamp the center to the last word with `min(t, source_len - 1)`."
        ),
        (
            "`np.arange(first, last + 1)` counts up to and including `last`. "
            "The window ends where the sentence ends."
        ),
    ],
)
def monotonic_window(t, source_len, half_width):
    """The source positions that local-m looks at in step t, as an array, in order.

    t: the step, from 0. source_len: words of the sentence. half_width: D.
    The window is p - D ... p + D, cut off at the sentence's ends; p = t, clamped
    to the last word.
    """
    center = min(t, source_len - 1)
    first, last = max(0, center - half_width), min(source_len - 1, center + half_width)
    return np.arange(first, last + 1)


@monotonic_window.known_mistake(
    "Past the last word, your window is empty or too short. "
    "Clamp the center to the last word."
)
def window_not_clamped(t, source_len, half_width):
    return np.arange(max(0, t - half_width), min(source_len - 1, t + half_width) + 1)


@monotonic_window.known_mistake(
    "The last position of the window is missing: a window has 2D + 1 positions, not 2D."
)
def window_one_short(t, source_len, half_width):
    return monotonic_window.reference_solution(t, source_len, half_width)[:-1]


@monotonic_window.known_mistake("Your window extends past the end of the sentence.")
def window_past_the_end(t, source_len, half_width):
    center = min(t, source_len - 1)
    return np.arange(max(0, center - half_width), center + half_width + 1)


@monotonic_window.known_mistake(
    "Your window starts before the first word. "
    "A negative index counts from the end in Python."
)
def window_before_the_start(t, source_len, half_width):
    center = min(t, source_len - 1)
    return np.arange(center - half_width, min(source_len - 1, center + half_width) + 1)


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


def _center_cases(rng):
    query = np.array([[[1.0, -1.0]]])
    yield (
        "v_p is zero: halfway",
        (query, np.eye(2), np.zeros(2), np.ones((1, 8), bool)),
    )
    yield (
        "one sentence of four words and two padded positions",
        (query, np.eye(2), np.array([2.0, 1.0]), np.arange(6)[None] < 4),
    )
    query = rng.normal(size=(3, 4, 5))
    w_p = rng.normal(size=(5, 6))
    v_p = rng.normal(size=6)
    yield (
        "three sentences of 7, 2, and 5 words",
        (query, w_p, v_p, np.arange(7) < np.array([[7], [2], [5]])),
    )
    gaps = np.array(
        [[True, False, True, True, False, False], [False, True, True, True, True, True]]
    )
    yield "masked words inside a sentence", (query[:2], w_p, v_p, gaps)


@exercise(
    _center_cases,
    hints=[
        (
            "Two products and a tanh give one number per query: "
            "`np.tanh(query @ w_p) @ v_p`. "
            "The sigmoid, 1 / (1 + exp(-x)), turns it into a fraction of the sentence."
        ),
        (
            "S is one past the last True of the mask: "
            "`(mask * np.arange(1, source_len + 1)).max(axis=1)`. "
            "It needs one more axis to broadcast with (batch, target_len)."
        ),
    ],
)
def predicted_center(query, w_p, v_p, mask):
    """p_t = S sigmoid(v_p . tanh(h_t w_p)), positions from 0.

    query: (batch, target_len, query_dim). w_p: (query_dim, units). v_p: (units,).
    mask: (batch, source_len), True = a real word. S is one past its last True.
    Returns centers (batch, target_len).
    """
    lengths = (mask * np.arange(1, mask.shape[1] + 1)).max(axis=1)  # S: (batch,)
    hidden = np.tanh(query @ w_p)  # (batch, target_len, units)
    fraction = 1 / (1 + np.exp(-hidden @ v_p))  # (batch, target_len)
    return lengths[:, None] * fraction


def _fraction(query, w_p, v_p):
    return 1 / (1 + np.exp(-np.tanh(query @ w_p) @ v_p))


@predicted_center.known_mistake(
    "You use the padded length as S. "
    "The center of the same sentence would then depend on the batch."
)
def center_of_padded_length(query, w_p, v_p, mask):
    return mask.shape[1] * _fraction(query, w_p, v_p)


@predicted_center.known_mistake(
    "You count the words of the mask. "
    "S is one past the last True: masked words still have a position."
)
def center_by_count(query, w_p, v_p, mask):
    return mask.sum(1)[:, None] * _fraction(query, w_p, v_p)


@predicted_center.known_mistake(
    "You multiply by S - 1. "
    "The authors' center, counted from 0, is S times the sigmoid."
)
def center_one_less(query, w_p, v_p, mask):
    center = predicted_center.reference_solution(query, w_p, v_p, mask)
    return center - _fraction(query, w_p, v_p)


@predicted_center.known_mistake(
    "You round the center. "
    "It is a real number; if it were rounded, no gradient could move it."
)
def center_rounded(query, w_p, v_p, mask):
    return np.floor(predicted_center.reference_solution(query, w_p, v_p, mask))


@predicted_center.known_mistake("tanh is missing inside the sigmoid.")
def center_without_tanh(query, w_p, v_p, mask):
    lengths = (mask * np.arange(1, mask.shape[1] + 1)).max(axis=1)
    return lengths[:, None] / (1 + np.exp(-query @ w_p @ v_p))


@predicted_center.known_mistake(
    "This is the fraction of the sentence, between 0 and 1. "
    "Multiply it by the length of the sentence."
)
def center_as_fraction(query, w_p, v_p, mask):
    return _fraction(query, w_p, v_p)


def _gaussian_cases(rng):
    yield "one query, center on a word", (np.full((1, 1, 5), 0.2), np.array([[2.0]]), 2)
    yield "center between two words", (np.full((1, 1, 4), 0.25), np.array([[1.25]]), 4)
    weights = ref.softmax(rng.normal(size=(2, 3, 7)))
    yield "two sentences", (weights, rng.uniform(0, 7, size=(2, 3)), 3)


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
)
def gaussian_weights(weights, centers, half_width):
    """weights_s exp(-(s - p_t)^2 / (2 sigma^2)), sigma = D / 2, not renormalized.

    weights: (batch, target_len, source_len), after the softmax.
    centers: p_t, (batch, target_len), reals. half_width: D.
    """
    sigma = half_width / 2
    distance = np.arange(weights.shape[-1]) - centers[:, :, None]
    return weights * np.exp(-(distance**2) / (2 * sigma**2))


def _times(weights, centers, exponent):
    return weights * np.exp(
        exponent(np.arange(weights.shape[-1]) - centers[:, :, None])
    )


@gaussian_weights.known_mistake(
    "You renormalize. The paper does not: "
    "far from the center, the weights of a query may be small in total."
)
def gaussian_renormalized(weights, centers, half_width):
    product = gaussian_weights.reference_solution(weights, centers, half_width)
    return product / product.sum(-1, keepdims=True)


@gaussian_weights.known_mistake(
    "-d**2 / 2 * sigma**2 multiplies by sigma^2. "
    "Divide by both: -d**2 / (2 * sigma**2)."
)
def gaussian_without_parentheses(weights, centers, half_width):
    sigma = half_width / 2
    return _times(weights, centers, lambda d: -(d**2) / 2 * sigma**2)


@gaussian_weights.known_mistake("sigma is D / 2, not D.")
def gaussian_too_wide(weights, centers, half_width):
    return _times(weights, centers, lambda d: -(d**2) / (2 * half_width**2))


@gaussian_weights.known_mistake(
    "2 is missing in the denominator: -d**2 / (2 * sigma**2)."
)
def gaussian_too_narrow(weights, centers, half_width):
    return _times(weights, centers, lambda d: -(d**2) / (half_width / 2) ** 2)


@gaussian_weights.known_mistake(
    "You round the center first. Then v_p and W_p get no gradient."
)
def gaussian_of_rounded(weights, centers, half_width):
    return gaussian_weights.reference_solution(weights, np.floor(centers), half_width)


@gaussian_weights.known_mistake(
    "Your Gaussian is mirrored about the integer part of the center. "
    "The distance is s - p, including the fraction."
)
def gaussian_mirrored(weights, centers, half_width):
    return gaussian_weights.reference_solution(
        weights, np.floor(centers) - (centers - np.floor(centers)), half_width
    )


@gaussian_weights.known_mistake(
    "The distance should be squared; without that, one side grows without bound."
)
def gaussian_not_squared(weights, centers, half_width):
    sigma = half_width / 2
    return _times(weights, centers, lambda d: -d / (2 * sigma**2))


@gaussian_weights.known_mistake(
    "You return the Gaussian alone. Multiply the weights by it."
)
def gaussian_alone(weights, centers, half_width):
    return gaussian_weights.reference_solution(
        np.ones_like(weights), centers, half_width
    )


def _local_cases(rng):
    scores = np.array([[[0.0, 1.0, 2.0, 1.0]]])
    values = np.array([[[1.0], [2.0], [4.0], [8.0]]])
    yield (
        "one query in the middle, D = 1",
        (scores, values, np.array([[1.5]]), 1, np.ones((1, 4), bool)),
    )
    yield (
        "at the left edge",
        (scores, values, np.array([[0.2]]), 1, np.ones((1, 4), bool)),
    )
    yield (
        "the last two are padding",
        (scores, values, np.array([[1.0]]), 2, np.array([[True, True, False, False]])),
    )
    scores, values = rng.normal(size=(2, 3, 9)), rng.normal(size=(2, 9, 4))
    mask = np.arange(9) < np.array([[9], [5]])
    yield (
        "two sentences of 9 and 5 words",
        (scores, values, rng.uniform(0, 5, size=(2, 3)), 2, mask),
    )
    yield (
        "scores of 1000 outside the window",
        (scores + 1000.0 * (np.arange(9) > 6), values, np.ones((2, 3)), 2, mask),
    )
    yield "a center past the end", (scores, values, np.full((2, 3), 11.5), 2, mask)


@exercise(
    _local_cases,
    hints=[
        (
            "Which positions may be attended? Those that are real "
            "words and within D of the *integer part* of the center: "
            "a mask of shape (batch, target_len, source_len). `ref.softmax` takes it."
        ),
        (
            "The Gaussian multiplies the weights after that softmax. "
            "It is centered on the exact center, with sigma = D / 2. "
            "The context uses the final weights: `weights @ values` comes last."
        ),
    ],
    returns=("context", "weights"),
)
def local_attend(scores, values, centers, half_width, mask):
    """Softmax over the window around floor(p_t), times a Gaussian around p_t (eq. 10).

    scores: (batch, target_len, source_len). values: (batch, source_len, value_dim).
    centers: p_t, (batch, target_len), reals. half_width: D.
    mask: (batch, source_len), True = may be attended.
    Returns context (batch, target_len, value_dim) and weights (batch, target_len,
    source_len), zero outside the window.
    """
    distance = np.arange(scores.shape[-1]) - centers[:, :, None]
    from_floor = np.arange(scores.shape[-1]) - np.floor(centers)[:, :, None]
    window = (abs(from_floor) <= half_width) & mask[:, None, :]
    sigma = half_width / 2
    weights = ref.softmax(scores, window) * np.exp(-(distance**2) / (2 * sigma**2))
    return weights @ values, weights


def _masked_window_and_gaussian(scores, centers, half_width, mask):
    window, gaussian = window_and_gaussian(scores, centers, half_width)
    return window & mask[:, None, :], gaussian


@local_attend.known_mistake(
    "You multiply the scores by the Gaussian. "
    "It should multiply the weights, after the softmax."
)
def local_gaussian_before(scores, values, centers, half_width, mask):
    window, gaussian = _masked_window_and_gaussian(scores, centers, half_width, mask)
    weights = ref.softmax(scores * gaussian, window)
    return weights @ values, weights


@local_attend.known_mistake(
    "You take the softmax over the whole source and cut the window out of it. "
    "Mask first."
)
def local_cut_after(scores, values, centers, half_width, mask):
    window, gaussian = _masked_window_and_gaussian(scores, centers, half_width, mask)
    weights = ref.softmax(scores, mask[:, None, :]) * gaussian * window
    return weights @ values, weights


@local_attend.known_mistake(
    "You computed the context before the Gaussian, "
    "so it does not use the weights you return."
)
def local_context_too_early(scores, values, centers, half_width, mask):
    window, gaussian = _masked_window_and_gaussian(scores, centers, half_width, mask)
    weights = ref.softmax(scores, window)
    return weights @ values, weights * gaussian


@local_attend.known_mistake(
    "You renormalize after the Gaussian. "
    "The paper does not: the weights sum to one or less."
)
def local_renormalized(scores, values, centers, half_width, mask):
    window, gaussian = _masked_window_and_gaussian(scores, centers, half_width, mask)
    weights = ref.softmax(scores, window) * gaussian
    total = weights.sum(-1, keepdims=True)
    weights = weights / np.where(total == 0, 1, total)
    return weights @ values, weights


@local_attend.known_mistake(
    "Your function ignores the mask: padding inside the window gets weight."
)
def local_mask_ignored(scores, values, centers, half_width, mask):
    window, gaussian = _masked_window_and_gaussian(
        scores, centers, half_width, np.ones_like(mask)
    )
    weights = ref.softmax(scores, window) * gaussian
    return weights @ values, weights


@local_attend.known_mistake(
    "Your window is placed at the exact center, so most windows have 2D positions. "
    "Place it at the integer part of the center."
)
def local_window_of_real_center(scores, values, centers, half_width, mask):
    _, gaussian = _masked_window_and_gaussian(scores, centers, half_width, mask)
    distance = np.arange(scores.shape[-1]) - centers[:, :, None]
    window = (abs(distance) <= half_width) & mask[:, None, :]
    weights = ref.softmax(scores, window) * gaussian
    return weights @ values, weights


@local_attend.known_mistake(
    "Positions outside the window enter your softmax with a score of 0, and exp(0) = 1."
)
def local_zero_scores(scores, values, centers, half_width, mask):
    window, gaussian = _masked_window_and_gaussian(scores, centers, half_width, mask)
    weights = ref.softmax(scores * window) * window * gaussian
    return weights @ values, weights


@local_attend.known_mistake("The Gaussian is missing.")
def local_without_gaussian(scores, values, centers, half_width, mask):
    window, _ = _masked_window_and_gaussian(scores, centers, half_width, mask)
    weights = ref.softmax(scores, window)
    return weights @ values, weights


def _choice_cases(rng):
    yield (
        "four links, three of them within one",
        (np.array([2.0, 5.0, 7.0, 4.0]), np.array([2, 6, 6, 9]), 0.75),
    )
    yield "all four", (np.array([2.0, 5.0, 7.0, 4.0]), np.array([2, 6, 6, 9]), 1.0)
    yield (
        "centers between words",
        (np.array([2.9, 5.5, 7.1, 4.9, 0.0]), np.array([0, 9, 2, 6, 0]), 0.8),
    )
    yield (
        "all distances 0: D is at least 1",
        (np.array([1.0, 2.0]), np.array([1, 2]), 0.9),
    )
    yield (
        "a hundred links",
        (rng.uniform(0, 30, size=100), rng.integers(0, 30, size=100), 0.9),
    )
    yield (
        "a hundred links, one half",
        (rng.uniform(0, 30, size=100), rng.integers(0, 30, size=100), 0.5),
    )


@exercise(
    _choice_cases,
    hints=[
        (
            "How far is each gold position from the middle of its window, "
            "`np.floor(centers)`? That is the D it needs."
        ),
        (
            "Try D = 1, 2, 3, ... "
            "and stop at the first for which `np.mean(needed <= D) >= share`."
        ),
    ],
)
def choose_half_width(centers, positions, share):
    """The smallest D >= 1 whose windows hold at least `share` of the gold positions.

    centers: (links,), the real-valued center of each window. positions: (links,), the
    gold source position of each. share: between 0 and 1. Returns an int.
    """
    needed = abs(positions - np.floor(centers))  # (links,)
    half_width = 1
    while np.mean(needed <= half_width) < share:
        half_width += 1
    return half_width


@choose_half_width.known_mistake(
    "You take the largest distance, so one stray link decides. "
    "It is enough that the windows hold `share` of the links."
)
def choice_of_the_largest(centers, positions, share):
    return max(1, int(abs(positions - np.floor(centers)).max()))


@choose_half_width.known_mistake(
    "You take the mean distance. About half of the links lie farther away than that."
)
def choice_of_the_mean(centers, positions, share):
    return max(1, int(np.ceil(abs(positions - np.floor(centers)).mean())))


@choose_half_width.known_mistake("D should be at least 1.")
def choice_of_zero(centers, positions, share):
    needed = abs(positions - np.floor(centers))
    return next(d for d in range(1000) if np.mean(needed <= d) >= share)


@choose_half_width.known_mistake(
    "The window is placed at the integer part of the center. Measure from there."
)
def choice_from_the_real_center(centers, positions, share):
    needed = abs(positions - centers)
    return next(d for d in range(1, 1000) if np.mean(needed <= d) >= share)


@choose_half_width.known_mistake(
    "You return the width of the whole window. "
    "D is half of it, without the middle position."
)
def choice_of_the_whole_width(centers, positions, share):
    return 2 * choose_half_width.reference_solution(centers, positions, share) + 1


@choose_half_width.known_mistake(
    "Positions to the left of the center count too: "
    "take the absolute value of the distance."
)
def choice_to_the_right(centers, positions, share):
    needed = positions - np.floor(centers)
    return next(d for d in range(1, 1000) if np.mean(needed <= d) >= share)
