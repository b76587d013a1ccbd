"""Exercises of chapter 01, "Attention in psychology"."""

import itertools

import numpy as np

from attnlib import reference as ref
from attnlib.checking.exercise import exercise
from attnlib.exercises import _mistakes
from attnlib.exercises._demands import extreme_scores, five_masks, spoiled_padding

OVER_ALL = (
    "Your weights sum to one over the whole array. "
    "They should sum to one for each row, so take the sum over the last axis."
)
FIRST_AXIS = (
    "Your weights sum to one over the first axis. They should sum to one over the last."
)
AXIS_ONE = (
    "axis=1 is the last axis only if the array is a matrix. axis=-1 is the last axis "
    "of any array."
)
NOT_THE_MAXIMUM = (
    "The number you subtract from a row is not its maximum, so exp can still overflow, "
    "or be 0 for every score of a row. Subtract each row's maximum."
)
CLIPPED = (
    "You clip the numbers before you take exp, so all scores beyond the limit get the "
    "same weight. Subtract each row's maximum instead."
)
NEGATED = (
    "The sign of your scores is reversed: the largest score should get the largest "
    "weight."
)


def _softmaxes_over_other_axes():
    """(message, softmax) of sums over a wrong axis; the maximum may be a row's own."""
    for axis, message in ((0, FIRST_AXIS), (None, OVER_ALL), (1, AXIS_ONE)):
        for nothing in ("zeros", "nan"):
            yield message, _mistakes.faulty(axis=axis, nothing=nothing)
            yield message, _mistakes.faulty(sum_axis=axis, nothing=nothing)
            yield (
                message,
                _mistakes.faulty(shift="all", sum_axis=axis, nothing=nothing),
            )
        yield message, _mistakes.faulty(axis=axis, shift=None)
    yield AXIS_ONE, _mistakes.faulty(axis=1, sum_axis=-1)


def _softmax_shifted_by(statistic):
    """A softmax that subtracts some other statistic of each row, not its maximum."""

    def softmax(scores):
        exponentials = np.exp(scores - statistic(scores, axis=-1, keepdims=True))
        return exponentials / exponentials.sum(axis=-1, keepdims=True)

    return softmax


def _softmax_cases(rng):
    yield "three scores", (np.array([0.0, 1.0, 2.0]),)
    yield "two rows of two scores", (np.array([[0.0, np.log(3.0)], [5.0, 5.0]]),)
    yield "integers", (np.array([[0, 1, 2], [3, 3, 0]]),)
    yield "rows near 1000, near -1000, and from -3000 to 3000", (extreme_scores(4),)
    yield "one score", (np.array([-7.0]),)
    yield "two groups of three rows", (rng.normal(size=(2, 3, 5)),)
    yield "all sizes are 3", (rng.normal(size=(3, 3, 3)),)
    yield "float32", (rng.normal(size=(3, 4)).astype("float32"),)


@exercise(
    _softmax_cases,
    hints=[
        (
            "exp(1000) is too large for a floating-point number. You may subtract the "
            "same number from every score of a row, because that does not change the "
            "weights. Which number makes exp safe?"
        ),
        (
            "The row's maximum does: then the largest exponent is 0. Both `max` and "
            "`sum` accept `axis=-1`, which means the last axis, and `keepdims=True`, "
            "which keeps that axis with length 1, so that the result broadcasts "
            "against the rows it came from."
        ),
    ],
)
def softmax(scores):
    """weights_j = exp(e_j) / sum_k exp(e_k), over the last axis.

    scores: (..., n), floats or integers, with n of 1 or more and any number of axes
    before it. Returns weights of the same shape, in float32 or float64 even if the
    scores are integers; each row sums to one.
    Scores of 1000 must not overflow, and the scores of a row may be thousands apart.
    """
    exponentials = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


for message, wrong in _mistakes.faulty_softmaxes(masked=False):
    softmax.known_mistake(message)(wrong)
for message, wrong in _softmaxes_over_other_axes():
    softmax.known_mistake(message)(wrong)
for statistic in (
    np.mean,
    np.min,
    lambda scores, **axis: abs(scores).max(**axis),
):
    softmax.known_mistake(NOT_THE_MAXIMUM)(_softmax_shifted_by(statistic))
for nothing in ("zeros", "nan"):
    softmax.known_mistake(
        "You subtract each column's maximum. The weights stay the same only if you "
        "subtract one number from all scores of a row, so take the maximum over the "
        "last axis."
    )(_mistakes.faulty(axis=0, sum_axis=-1, nothing=nothing))
softmax.known_mistake(CLIPPED)(lambda scores: ref.softmax(np.clip(scores, -700, 700)))


BY_MAXIMUM = (
    "You divide the scores by their maximum, which changes the weights. Subtract it "
    "instead."
)


@softmax.known_mistake(BY_MAXIMUM)
def softmax_of_scores_over_maximum(scores):
    return ref.softmax(scores / scores.max(axis=-1, keepdims=True))


@softmax.known_mistake(BY_MAXIMUM)
def softmax_of_scores_over_largest_size(scores):
    return ref.softmax(scores / abs(scores).max(axis=-1, keepdims=True))


@softmax.known_mistake(NEGATED)
def softmax_of_negated_scores(scores):
    return ref.softmax(-scores)


@softmax.known_mistake(NEGATED)
def softmax_of_scores_below_maximum(scores):
    exponentials = np.exp(scores.max(axis=-1, keepdims=True) - scores)
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


@softmax.known_mistake(
    "You divide by the largest exponential instead of the sum, "
    "so the weights do not sum to one."
)
def softmax_by_largest(scores):
    exponentials = np.exp(scores)
    return exponentials / exponentials.max(axis=-1, keepdims=True)


LOST_AXIS = (
    "Your maximum or your sum has lost its last axis, so NumPy broadcasts it along the "
    "wrong axis or cannot broadcast it at all. Pass keepdims=True."
)


@softmax.known_mistake(LOST_AXIS)
def softmax_without_keepdims(scores):
    exponentials = np.exp(scores - scores.max(axis=-1))
    return exponentials / exponentials.sum(axis=-1)


@softmax.known_mistake(LOST_AXIS)
def softmax_sum_without_keepdims(scores):
    exponentials = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1)


@softmax.known_mistake(LOST_AXIS)
def softmax_maximum_without_keepdims(scores):
    exponentials = np.exp(scores - scores.max(axis=-1))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def _masked_cases(rng):
    yield (
        "the last of three is masked",
        (np.array([0.0, 1.0, 2.0]), np.array([True, True, False])),
    )
    yield (
        "the first of three is masked",
        (np.array([3.0, 0.0, 1.0]), np.array([False, True, True])),
    )
    yield (
        "a masked score of 1e10",
        (np.array([[1e10, 1.0, 2.0]]), np.array([[False, True, True]])),
    )
    mask = np.array([[True, True, True, False], [False, True, True, True]])
    yield (
        "rows near 1000, near -1000, and from -3000 to 3000",
        (extreme_scores(4), mask[[0, 1, 1]]),
    )
    yield (
        "scores near -20,000",
        (
            np.array([[-20_001.0, -20_000.0, 5.0], [-20_000.0, -9.0, -20_002.0]]),
            np.array([[True, True, False], [True, False, True]]),
        ),
    )
    yield (
        "a row with nothing to attend to",
        (np.ones((2, 3)), np.array([[True, False, True], [False, False, False]])),
    )
    yield from _more_masked_cases(rng)


def _more_masked_cases(rng):
    """Masks of every kind, rows of one score, more axes, and single precision."""
    masks = five_masks(6)
    yield "a row for each kind of mask", (rng.normal(size=masks.shape) - 3, masks)
    scores = np.resize([-20_000.0, -20_002.0, -20_001.0, -20_003.0], masks.shape)
    yield (
        "masked scores of inf, NaN, and 1e10, and allowed ones near -20,000",
        (spoiled_padding(scores, masks), masks),
    )
    yield (
        "nothing to attend to in the only row",
        (np.array([1.0, 2.0]), np.array([False, False])),
    )
    yield "rows of one score", (np.array([[5.0], [5.0]]), np.array([[True], [False]]))
    yield (
        "two groups of three rows",
        (rng.normal(size=(2, 3, 4)), rng.random((2, 3, 4)) < 0.6),
    )
    yield "all sizes are 3", (rng.normal(size=(3, 3, 3)), rng.random((3, 3, 3)) < 0.6)
    yield (
        "float32",
        (rng.normal(size=masks.shape).astype("float32"), masks[::-1].copy()),
    )


@exercise(
    _masked_cases,
    hints=[
        (
            "A masked score should affect neither the maximum nor the sum. It helps "
            "that exp(-inf) is 0."
        ),
        (
            "`np.where` can replace the masked scores by -inf. A row with nothing to "
            "attend to then has a maximum of -inf and a sum of 0. Subtracting the "
            "former or dividing by the latter gives NaN, so replace them by harmless "
            "numbers first."
        ),
    ],
)
def masked_softmax(scores, mask):
    """Softmax over the last axis of the scores that the mask allows, else 0.

    scores, mask: (..., n), of the same shape. mask is boolean, and True means allowed.
    A masked score may be anything, even inf, NaN, or 1e10. A row with nothing to attend
    to gets zero weights. Scores of 1000 must not overflow.
    """
    scores = np.where(mask, scores, -np.inf)
    highest = scores.max(axis=-1, keepdims=True)
    exponentials = np.exp(scores - np.where(highest == -np.inf, 0, highest))
    total = exponentials.sum(axis=-1, keepdims=True)
    return exponentials / np.where(total == 0, 1, total)


# This chapter has neither words nor padding.
IN_THIS_CHAPTER = {
    _mistakes.IGNORED: "Your function ignores the mask: masked scores get weight.",
    _mistakes.INVERTED: (
        "Your mask is inverted: True means that a score is allowed to take part."
    ),
    _mistakes.TIMES_SCORES: (
        "You set masked scores to 0. A score of 0 is still a score, because "
        "exp(0) = 1. Use -np.inf."
    ),
    _mistakes.AFTERWARDS: (
        "You set weights to zero after the softmax, so they no longer sum to one. "
        "Mask the scores before it."
    ),
    _mistakes.MAXIMUM_OVER_PADDING: (
        "A masked score still affects the maximum that is subtracted, or exp itself, "
        "either in your code or in ref.softmax. If it is by far the largest, all other "
        "scores underflow; if it is infinite, inf * 0 gives NaN. Mask first, with "
        "np.where."
    ),
    _mistakes.ADDED: (
        "Adding -1e9 or -inf to a masked score is not enough: the score may be larger "
        "than that, infinite, or NaN. Replace it with np.where."
    ),
    _mistakes.SMALL_CONSTANT: (
        "The constant that replaces your masked scores is not small enough: an allowed "
        "score may be lower still. Use -np.inf."
    ),
    _mistakes.EQUAL_FOR_NOTHING: (
        "In a row with nothing to attend to, all scores become the same constant, such "
        "as -1e9, and get equal weights. The weights of such a row should be zeros."
    ),
}
ZERO_ONLY_IF_ALL_IS_LEFT_OUT = (
    "Your weights are zeros only if the whole mask is False. Check each row by itself: "
    "a row with nothing to attend to may be next to other rows."
)


def _over_sum_or_zero(weights):
    total = weights.sum(axis=-1, keepdims=True)
    return weights / np.where(total == 0, 1, total)


def _over_sum_if_positive(weights):
    total = weights.sum(axis=-1, keepdims=True)
    return np.where(total > 0, weights / total, 0)


own_softmax = softmax.reference_solution  # not safe where scores are infinite


def _filled(fill):
    """Softmaxes with ``fill`` in place of what is left out, and zeros in the end."""

    def weights(scores, mask):
        return ref.softmax(np.where(mask, scores, fill))

    yield lambda s, m: weights(s, m) * m
    yield lambda s, m: weights(s, m) * m.any(axis=-1, keepdims=True)


def _filled_and_normalized_again(fill):
    def weights(scores, mask):
        return ref.softmax(np.where(mask, scores, fill)) * mask

    yield lambda s, m: _over_sum_or_zero(weights(s, m))
    yield lambda s, m: weights(s, m) / weights(s, m).sum(axis=-1, keepdims=True)


def _zeros_only_if_all_is_left_out(fill):
    def wrong(scores, mask):
        weights = own_softmax(np.where(mask, scores, fill))
        return weights if mask.any() else np.zeros(scores.shape)

    return wrong


def _infinity_times_zero(nothing):
    def wrong(scores, mask):
        highest = np.where(mask, scores, -np.inf).max(axis=-1, keepdims=True)
        highest = np.where(highest == -np.inf, 0, highest)
        exponentials = np.exp(scores - highest) * mask
        total = exponentials.sum(axis=-1, keepdims=True)
        return exponentials / np.where(total == 0, nothing, total)

    return wrong


def _shifted_by_one_maximum(scores, mask):
    scores = np.where(mask, scores, -np.inf)
    return _over_sum_or_zero(np.exp(scores - max(scores.max(), -1e30)))


def _overflows_to_zero(scores, mask):
    exponentials = np.exp(np.where(mask, scores, -np.inf))
    return np.nan_to_num(exponentials / exponentials.sum(axis=-1, keepdims=True))


# Wrong masks around a softmax, in spellings that the shared mistakes do not have.
AROUND_A_SOFTMAX = [
    (_mistakes.AFTERWARDS, lambda s, m: np.where(m, own_softmax(s), 0)),
    (_mistakes.AFTERWARDS, lambda s, m: np.where(m, ref.softmax(s), 0)),
    (_mistakes.ADDED, lambda s, m: own_softmax(s + np.where(m, 0, -np.inf))),
    (_mistakes.INVERTED, lambda s, m: ref.softmax(np.where(m, -1e9, s))),
    (_mistakes.TIMES_SCORES, _mistakes.faulty(fill=0)),
    (_mistakes.ONE_MAXIMUM, _shifted_by_one_maximum),
    (_mistakes.OVERFLOWS, _overflows_to_zero),
    (_mistakes.MAXIMUM_OVER_PADDING, _infinity_times_zero(nothing=1)),
    (_mistakes.MAXIMUM_OVER_PADDING, _infinity_times_zero(nothing=0)),
    (ZERO_ONLY_IF_ALL_IS_LEFT_OUT, _zeros_only_if_all_is_left_out(-1e9)),
    (ZERO_ONLY_IF_ALL_IS_LEFT_OUT, _zeros_only_if_all_is_left_out(-np.inf)),
] + [
    (_mistakes.MAXIMUM_OVER_PADDING, wrong)
    for wrong in (
        lambda s, m: _over_sum_or_zero(np.where(m, own_softmax(s), 0)),
        lambda s, m: _over_sum_or_zero(np.where(m, ref.softmax(s), 0)),
        lambda s, m: _over_sum_if_positive(ref.softmax(s) * m),
    )
]
for fill in (0, *_mistakes.SMALL_NUMBERS):
    message = _mistakes.SMALL_CONSTANT if fill else _mistakes.TIMES_SCORES
    AROUND_A_SOFTMAX += [(message, wrong) for wrong in _filled(fill)]
    AROUND_A_SOFTMAX += [
        (_mistakes.SMALL_CONSTANT, wrong)
        for wrong in _filled_and_normalized_again(fill)
    ]

for message, wrong in [
    *_mistakes.faulty_softmaxes(),
    *AROUND_A_SOFTMAX,
    *_softmaxes_over_other_axes(),
]:
    masked_softmax.known_mistake(IN_THIS_CHAPTER.get(message, message))(wrong)


@masked_softmax.known_mistake(
    "You count the True values of a row and use that many scores from its front. "
    "The True values may be anywhere in the row: use the mask itself."
)
def masked_from_the_front(scores, mask):
    counts = mask.sum(axis=-1, keepdims=True)
    return ref.softmax(scores, np.arange(scores.shape[-1]) < counts)


def _temperature_cases(rng):
    scores = np.array([0.0, 1.0, 3.0])
    yield "temperature 2", (scores, 2.0)
    yield "temperature 1", (scores, 1.0)
    yield "integers", (np.array([[0.0, 1.0, 2.0], [4.0, 4.0, 0.0]]), 3)
    yield "rows near 1000, near -1000, and from -3000 to 3000", (extreme_scores(4), 0.5)
    yield "a low temperature, scores far apart", (10 * scores, 0.01)
    close = np.array([[0.0, 0.001, 0.003], [0.002, 0.002, 0.0]])
    yield "a low temperature, scores close together", (close, 0.01)
    yield "a high temperature, scores close together", (rng.normal(size=(2, 4)), 80.0)
    yield "a high temperature, scores far apart", (800 * np.arange(3.0), 800.0)
    yield (
        "a temperature of 10,000",
        (np.array([[0.0, 10_000.0, 30_000.0], [20_000.0, -5000.0, 0.0]]), 10_000.0),
    )
    yield "one score", (np.array([-7.0]), 0.5)
    yield "two groups of three rows", (rng.normal(size=(2, 3, 5)), 0.3)
    yield "all sizes are 3", (rng.normal(size=(3, 3, 3)), 3.0)
    yield "float32", (rng.normal(size=(3, 4)).astype("float32"), 0.7)


@exercise(
    _temperature_cases,
    hints=[
        (
            "A high temperature makes the weights more equal, and a low one makes "
            "them less equal. Should you multiply the scores by it, or divide?"
        ),
        (
            "`ref.softmax` is safe for scores of any size, and so is your own softmax "
            "from the first exercise. What you pass to it does not have to be the "
            "scores themselves."
        ),
    ],
)
def temperature(scores, degrees):
    """softmax(scores / degrees) over the last axis.

    scores: (..., n). degrees: the temperature, one number above 0, however small or
    large. The lower it is, the more weight the largest score gets; the higher it is,
    the more equal the weights are. Scores of 1000 must not overflow at any temperature.
    """
    return ref.softmax(scores / degrees)


_mistakes.add_softmax_mistakes(temperature, masked=False)
for message, wrong in _softmaxes_over_other_axes():
    temperature.known_mistake(message)(
        lambda scores, degrees, wrong=wrong: wrong(scores / degrees)
    )

LIMITED = "You limit the temperature, but it can be any number above 0."
for lowest, highest in itertools.product(
    (0, 0.05, 0.1), (10, 50, 100, 1000, 5000, np.inf)
):
    if lowest or highest < np.inf:
        temperature.known_mistake(LIMITED)(
            lambda scores, degrees, limits=(lowest, highest): ref.softmax(
                scores / np.clip(degrees, *limits)
            )
        )


@temperature.known_mistake(
    "You multiply the scores by the temperature, or take a power of the weights with "
    "the temperature as the exponent, which amounts to the same. A higher temperature "
    "should make the weights more equal, so divide the scores."
)
def temperature_times(scores, degrees):
    return ref.softmax(scores * degrees)


ON_WEIGHTS = (
    "You divide or multiply the weights instead of the scores, so they no longer sum "
    "to one. Divide the scores."
)


@temperature.known_mistake(ON_WEIGHTS)
def temperature_after(scores, degrees):
    return ref.softmax(scores) / degrees


@temperature.known_mistake(ON_WEIGHTS)
def temperature_times_weights(scores, degrees):
    return ref.softmax(scores) * degrees


@temperature.known_mistake(NEGATED)
def temperature_of_negated_scores(scores, degrees):
    return ref.softmax(-scores / degrees)


@temperature.known_mistake(CLIPPED)
def temperature_clipped(scores, degrees):
    return ref.softmax(np.clip(scores / degrees, -700, 700))


@temperature.known_mistake(CLIPPED)
def temperature_of_clipped_scores(scores, degrees):
    return ref.softmax(np.clip(scores, -700, 700) / degrees)


@temperature.known_mistake("The temperature has no effect on your weights.")
def temperature_ignored(scores, degrees):
    return ref.softmax(scores)


@temperature.known_mistake(
    "You divide the exponentials by the temperature, which cancels when you divide by "
    "their sum. Divide the scores, before exp."
)
def temperature_on_exponentials(scores, degrees):
    exponentials = np.exp(scores) / degrees
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


@temperature.known_mistake(NOT_THE_MAXIMUM)
def temperature_shifted_by_mean(scores, degrees):
    return _softmax_shifted_by(np.mean)(scores / degrees)


@temperature.known_mistake(NOT_THE_MAXIMUM)
def temperature_shifted_by_minimum(scores, degrees):
    return _softmax_shifted_by(np.min)(scores / degrees)


@temperature.known_mistake(
    "You divide the scores, and then you subtract the maximum of the original scores. "
    "Subtract the maximum of the numbers that you pass to exp."
)
def temperature_shifted_before(scores, degrees):
    exponentials = np.exp(scores / degrees - scores.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


POWER_OF_WEIGHTS = (
    "You take a power of the weights, but a weight that has underflowed to zero stays "
    "zero. Divide the scores before the softmax."
)


@temperature.known_mistake(POWER_OF_WEIGHTS)
def temperature_as_power(scores, degrees):
    powers = ref.softmax(scores) ** (1 / degrees)
    return powers / powers.sum(axis=-1, keepdims=True)


@temperature.known_mistake(POWER_OF_WEIGHTS)
def temperature_as_power_in_float32(scores, degrees):
    return temperature_as_power(scores.astype("float32"), degrees)


def _biased_cases(rng):
    yield (
        "drives of 1, 2, and 4, the first favored eight times",
        (np.log([1.0, 2.0, 4.0]), np.array([8.0, 1.0, 1.0])),
    )
    yield (
        "a negative score, favored four times",
        (np.array([-1.0, 0.0, 1.0]), np.array([4.0, 1.0, 1.0])),
    )
    yield (
        "attention below 1",
        (np.array([[0.0, 1.0, 2.0]]), np.array([[1.0, 0.5, 0.1]])),
    )
    yield "the same attention everywhere", (np.array([0.0, 1.0]), np.array([3.0, 3.0]))
    powers = np.array([[1, -2, 0, 2], [0, 3, -1, 1], [2, 0, 1, -3]])
    yield (
        "rows near 1000, near -1000, and from -3000 to 3000",
        (extreme_scores(4), np.exp(powers)),  # so that float32 holds the sums exactly
    )
    yield (
        "integers",
        (np.array([[0, 1, -2], [3, 3, 0]]), np.array([[1, 2, 5], [4, 1, 1]])),
    )
    yield "one score", (np.array([-7.0]), np.array([2.0]))
    yield (
        "two groups of three rows",
        (rng.normal(size=(2, 3, 5)), rng.uniform(0.2, 5, size=(2, 3, 5))),
    )
    yield (
        "all sizes are 3",
        (rng.normal(size=(3, 3, 3)), rng.uniform(0.2, 5, size=(3, 3, 3))),
    )
    yield (
        "float32",
        (
            rng.normal(size=(3, 4)).astype("float32"),
            rng.uniform(0.2, 5, size=(3, 4)).astype("float32"),
        ),
    )


@exercise(
    _biased_cases,
    hints=[
        (
            "Take two scores, 0 and -1, and raise the attention of the second one. "
            "What does the code do to its score, and what should happen to it?"
        ),
        (
            "Attention multiplies the exponential of a score, not the score. Which "
            "number, added to a score, multiplies its exponential by the attention? "
            "`np.log` helps."
        ),
    ],
)
def biased_softmax(scores, attention):
    """Weights in proportion to attention * exp(scores), over the last axis.

    scores, attention: (..., n), of the same shape; every attention is above 0. Returns
    weights of that shape; each row sums to one. An attention of 1 everywhere gives the
    plain softmax. Scores of 1000 must not overflow.
    """
    return ref.softmax(scores + np.log(attention))


@biased_softmax.starter_code(
    "If you raise the attention of a negative score, its weight falls, and attention "
    "has no effect on a score of 0."
)
def biased_softmax(scores, attention):
    """Weights in proportion to attention * exp(scores), over the last axis."""
    return ref.softmax(attention * scores)


_mistakes.add_softmax_mistakes(biased_softmax, masked=False)


@biased_softmax.known_mistake(
    "You add the attention itself to the score, which multiplies the exponential by "
    "exp(attention). Add its logarithm."
)
def biased_by_sum(scores, attention):
    return ref.softmax(scores + attention)


@biased_softmax.known_mistake(
    "You multiply the weights by the attention, so they no longer sum to one. Change "
    "the scores before the softmax, or divide by the sum again."
)
def biased_afterwards(scores, attention):
    return ref.softmax(scores) * attention


@biased_softmax.known_mistake(
    "The sign is reversed: a higher attention should raise a weight, not lower it."
)
def biased_by_difference(scores, attention):
    return ref.softmax(scores - np.log(attention))


@biased_softmax.known_mistake(
    "You divide the scores by the attention, as if it were a temperature. Attention "
    "multiplies the exponential of the score."
)
def biased_by_quotient(scores, attention):
    return ref.softmax(scores / attention)


@biased_softmax.known_mistake(
    "You take a logarithm to another base. The softmax takes powers of e, so use the "
    "natural logarithm: np.log."
)
def biased_by_another_logarithm(scores, attention):
    return ref.softmax(scores + np.log2(attention))


@biased_softmax.known_mistake("The attention has no effect on your weights.")
def biased_not_at_all(scores, attention):
    return ref.softmax(scores)


@biased_softmax.known_mistake(NEGATED)
def biased_negated(scores, attention):
    return ref.softmax(np.log(attention) - scores)


def _kernel_cases(rng):
    keys, values = np.array([0.0, 1.0, 2.0]), np.array([1.0, 3.0, 2.0])
    yield "two queries, three keys", (np.array([1.0, 0.0]), keys, values, 2.0)
    yield "a narrow kernel", (np.array([0.4, 1.6]), keys, values, 0.5)
    yield "a query far away", (np.array([100.0, 1.2]), keys, values, 0.5)
    yield (
        "a query halfway between two keys that are far away",
        (np.array([0.0]), np.array([1000.0, -1000.0]), np.array([2.0, 5.0]), 0.5),
    )
    yield (
        "two keys that are far away, and one farther still",
        (
            np.array([0.0, 1 / 64]),  # differences whose squares float32 holds exactly
            np.array([20.0, -20.0, 40.0]),
            np.array([2.0, 5.0, 30.0]),
            0.5,
        ),
    )
    yield (
        "queries on both sides, far away",
        (np.array([-900.0, 800.0, 0.6]), keys, values, 0.3),
    )
    yield (
        "integers",
        (
            np.array([0.0, 3.0]),
            np.array([1.0, 2.0, 4.0, 8.0]),
            np.array([10.0, 0.0, -20.0, 5.0]),
            2,
        ),
    )
    yield (
        "a tiny kernel, keys close together",
        (np.array([0.012]), keys / 100, values, 0.01),
    )
    yield (
        "a wide kernel, keys far apart",
        (np.array([20.0, 70.0]), np.array([0.0, 30.0, 150.0]), values, 50.0),
    )
    yield from _kernel_size_cases(rng, values)


def _kernel_size_cases(rng, values):
    """One key, as many queries as keys, other sizes, and single precision."""
    yield "one query, one key", (np.array([3.0]), np.array([-2.0]), values[:1], 7.0)
    yield (
        "as many queries as keys",
        (rng.normal(size=3), rng.normal(size=3), rng.normal(size=3), 0.7),
    )
    yield (
        "seven queries, six keys, two of them equal",
        (
            rng.normal(size=7),
            rng.normal(size=6)[[0, 1, 2, 3, 4, 4]],
            rng.normal(size=6),
            0.4,
        ),
    )
    single = rng.normal(size=(3, 4)).astype("float32")
    yield "float32", (*single, 0.5)


@exercise(
    _kernel_cases,
    hints=[
        (
            "Each query needs one score per key, so the scores have shape "
            "(queries, points). `query[:, None]` has shape (queries, 1), which NumPy "
            "broadcasts along the keys."
        ),
        (
            "Far from all keys, every kernel value underflows to 0, and 0 / 0 is NaN. "
            "`ref.softmax` of the scores gives the same weights without ever dividing "
            "by 0."
        ),
    ],
)
def kernel_regression(query, keys, values, bandwidth):
    """The mean of values under weights softmax(-(q - k)^2 / (2 h^2)).

    query: (queries,). keys, values: (points,). bandwidth: h, above 0.
    Returns (queries,): for each query, the weighted mean of all values, which is finite
    however far the query is from the keys.
    """
    scores = -((query[:, None] - keys) ** 2) / (2 * bandwidth**2)  # (queries, points)
    return ref.softmax(scores) @ values


OVER_QUERIES = (
    "Your weights sum to one over the queries. "
    "For each query they should sum to one over the keys."
)
RATIO = (
    "Far from all keys, every kernel value underflows to 0, and 0 / 0 is not a number. "
    "Use a softmax that subtracts the maximum."
)
_mistakes.add_softmax_mistakes(
    kernel_regression,
    masked=False,
    leave_out=(_mistakes.OVERFLOWS, _mistakes.WITHOUT_EXP),
    other_axes=[(0, OVER_QUERIES)],
)


def _kernel_matrix(query, keys, bandwidth):
    """exp(-(q - k)^2 / (2 h^2)) for each query and key: (queries, points)."""
    return np.exp(-((query[:, None] - keys) ** 2) / (2 * bandwidth**2))


@kernel_regression.known_mistake(RATIO)
def kernel_ratio(query, keys, values, bandwidth):
    kernel = _kernel_matrix(query, keys, bandwidth)
    return kernel @ values / kernel.sum(axis=-1)


@kernel_regression.known_mistake(RATIO)
def kernel_ratio_guarded(query, keys, values, bandwidth):
    kernel = _kernel_matrix(query, keys, bandwidth)
    return kernel @ values / (kernel.sum(axis=-1) + 1e-12)


@kernel_regression.known_mistake(_mistakes.WITHOUT_SUM)
def kernel_without_sum(query, keys, values, bandwidth):
    return _kernel_matrix(query, keys, bandwidth) @ values


@kernel_regression.known_mistake(OVER_QUERIES)
def kernel_over_queries(query, keys, values, bandwidth):
    kernel = _kernel_matrix(query, keys, bandwidth)
    return kernel / kernel.sum(axis=0) @ values


OVER_QUERIES_AND_KEYS = (
    "You divide by the sum over all queries and keys. "
    "For each query, the weights should sum to one over the keys."
)


def _distance_score(query, keys, bandwidth):
    """-(q - k)^2 / (2 h^2) for each query and key: (queries, points)."""
    return -((query[:, None] - keys) ** 2) / (2 * bandwidth**2)


for shift in ("row", "all"):
    for axis, message in ((0, OVER_QUERIES), (None, OVER_QUERIES_AND_KEYS)):
        kernel_regression.known_mistake(message)(
            lambda query, keys, values, bandwidth, shift=shift, axis=axis: (
                _mistakes.faulty(shift=shift, sum_axis=axis)(
                    _distance_score(query, keys, bandwidth)
                )
                @ values
            )
        )


@kernel_regression.known_mistake(
    "You also divide by the number of points. The weights already sum to one, so the "
    "sum of weight times value is the mean."
)
def kernel_mean_of_products(query, keys, values, bandwidth):
    return _mean(_distance_score(query, keys, bandwidth), values) / len(values)


@kernel_regression.known_mistake(
    "Where every kernel is 0, you return the value of the nearest key. Another key may "
    "be just as near, or almost: use a softmax that subtracts the maximum."
)
def kernel_ratio_or_nearest(query, keys, values, bandwidth):
    ratio = kernel_ratio(query, keys, values, bandwidth)
    return np.where(np.isnan(ratio), kernel_nearest(query, keys, values, 0), ratio)


@kernel_regression.known_mistake(
    "Where every kernel is 0, you return the mean of all values. The nearest keys "
    "should still count more: use a softmax that subtracts the maximum."
)
def kernel_ratio_or_mean(query, keys, values, bandwidth):
    ratio = kernel_ratio(query, keys, values, bandwidth)
    return np.where(np.isnan(ratio), values.mean(), ratio)


@kernel_regression.known_mistake(OVER_QUERIES_AND_KEYS)
def kernel_over_all(query, keys, values, bandwidth):
    kernel = _kernel_matrix(query, keys, bandwidth)
    return kernel @ values / kernel.sum()


@kernel_regression.known_mistake(
    "Your scores have one row per key. "
    "They should have one row per query: (queries, points)."
)
def kernel_transposed(query, keys, values, bandwidth):
    scores = -((keys[:, None] - query) ** 2) / (2 * bandwidth**2)
    return ref.softmax(scores) @ values


def _mean(scores, values):
    return ref.softmax(scores) @ values


WITHOUT_PARENTHESES = (
    "-d**2 / 2 * h**2 multiplies by h^2. Use parentheses to divide by both factors: "
    "-d**2 / (2 * h**2)."
)


@kernel_regression.known_mistake(WITHOUT_PARENTHESES)
def kernel_without_parentheses(query, keys, values, bandwidth):
    return _mean(-((query[:, None] - keys) ** 2) / 2 * bandwidth**2, values)


@kernel_regression.known_mistake(
    "You divide by 2 h, but the bandwidth should be squared: 2 h^2."
)
def kernel_bandwidth_not_squared(query, keys, values, bandwidth):
    return _mean(-((query[:, None] - keys) ** 2) / (2 * bandwidth), values)


@kernel_regression.known_mistake(
    "You divide by h^2, but the factor 2 is missing: divide by 2 h^2."
)
def kernel_without_two(query, keys, values, bandwidth):
    return _mean(-((query[:, None] - keys) ** 2) / bandwidth**2, values)


@kernel_regression.known_mistake(
    "You square 2 along with h: the formula has 2 * h**2, not (2 * h)**2."
)
def kernel_two_squared(query, keys, values, bandwidth):
    return _mean(-((query[:, None] - keys) ** 2) / (2 * bandwidth) ** 2, values)


@kernel_regression.known_mistake("The bandwidth has no effect on your result.")
def kernel_without_bandwidth(query, keys, values, bandwidth):
    return _mean(-((query[:, None] - keys) ** 2) / 2, values)


@kernel_regression.known_mistake("The bandwidth has no effect on your result.")
def kernel_of_plain_distance(query, keys, values, bandwidth):
    return _mean(-((query[:, None] - keys) ** 2), values)


@kernel_regression.known_mistake(
    "The minus sign is missing, so the keys farthest away get the largest weights."
)
def kernel_without_sign(query, keys, values, bandwidth):
    return _mean((query[:, None] - keys) ** 2 / (2 * bandwidth**2), values)


NOT_SQUARED = "The distance should be squared; yours is a different kernel."


@kernel_regression.known_mistake(NOT_SQUARED)
def kernel_not_squared(query, keys, values, bandwidth):
    return _mean(-abs(query[:, None] - keys) / (2 * bandwidth**2), values)


@kernel_regression.known_mistake(NOT_SQUARED)
def kernel_of_distance_over_bandwidth(query, keys, values, bandwidth):
    return _mean(-abs(query[:, None] - keys) / bandwidth, values)


@kernel_regression.known_mistake(
    "You return the value of the nearest key only. "
    "All keys should count, and near ones should count more."
)
def kernel_nearest(query, keys, values, bandwidth):
    return values[abs(query[:, None] - keys).argmin(axis=-1)]


@kernel_regression.known_mistake(
    "You return a mean of the keys. Return the mean of the values."
)
def kernel_of_keys(query, keys, values, bandwidth):
    return kernel_regression.reference_solution(query, keys, keys, bandwidth)


def _bandwidth_cases(rng):
    steps, bandwidths = np.arange(4.0), np.array([0.5, 2.0, 1.0])
    yield "four points, three candidates", (steps, np.array([0.0, 1, 1, 3]), bandwidths)
    yield (
        "the smallest error is in the middle",
        (
            np.arange(9.0),
            np.array([0.0, 1, 1.5, 1, 0, -1, -1.5, -1, 0]),
            np.array([3.0, 0.75, 0.25]),
        ),
    )
    yield (
        "a point far away from the others",
        (np.array([0.0, 1, 2, 100]), np.array([1.0, 3, 2, 5]), np.array([0.5, 25.0])),
    )
    yield (
        "two pairs of points far apart, and a point between them",
        (
            np.array([-200.0, 0, 1, -199, -100]),
            np.array([3.0, 1, -2, 5, 3]),
            np.array([64.0, 0.02]),
        ),
    )
    yield (
        "points 20 apart, a narrow kernel",
        (20 * np.arange(4.0), np.array([1.0, 4, 2, -1]), np.array([0.5, 8.0])),
    )
    yield (
        "two points",
        (np.array([3.0, -1.0]), np.array([2.0, -4.0]), np.array([0.7])),
    )
    yield (
        "two points have the same key",
        (np.array([0.0, 0.0, 1.0]), np.array([4.0, -2.0, 1.0]), np.array([0.3, 4.0])),
    )
    yield from _random_bandwidth_cases(rng)


def _random_bandwidth_cases(rng):
    """Points drawn at random, of equal sizes, of integers, and in single precision."""
    keys = rng.uniform(0, 6, size=12)
    noisy = np.sin(keys) + 0.2 * rng.normal(size=12)
    yield "twelve noisy points", (keys, noisy, np.array([0.3, 2.0, 0.6, 1.2]))
    yield (
        "all sizes are 3",
        (rng.normal(size=3), rng.normal(size=3), np.array([1.5, 0.6, 0.9])),
    )
    yield (
        "integers",
        (np.array([0, 1, 3, 7]), np.array([2, 0, -5, 4]), np.array([1.0, 2.0])),
    )
    single = rng.normal(size=(2, 6)).astype("float32")
    yield "float32", (*single, np.array([0.5, 1.0, 2.0], dtype="float32"))


@exercise(
    _bandwidth_cases,
    returns=("errors", "best_bandwidth"),
    hints=[
        (
            "The points are the queries as well as the keys, so for each bandwidth the "
            "scores are a square matrix. Which of its entries compare a point with "
            "itself?"
        ),
        (
            "Those on the diagonal. `~np.eye(n, dtype=bool)` is a mask that is False "
            "there and True elsewhere, and a masked softmax leaves the point itself "
            "out."
        ),
        (
            "Collect one error per bandwidth, the mean of the squared differences. "
            "`np.argmin` gives the index of the smallest."
        ),
    ],
)
def choose_bandwidth(keys, values, bandwidths):
    """The bandwidth with the smallest leave-one-out error.

    keys, values: (points,), with two points or more. bandwidths: (candidates,), each
    above 0. Returns (errors, best_bandwidth). errors: (candidates,). For a bandwidth h,
    predict each point by kernel regression, at its key, from all the other points; the
    error is the mean over all points of (prediction - value)^2. best_bandwidth: the
    candidate whose error is smallest, one number.
    """
    squares = (keys[:, None] - keys) ** 2  # (points, points)
    others = ~np.eye(len(keys), dtype=bool)
    errors = []
    for h in bandwidths:
        predictions = ref.softmax(-squares / (2 * h**2), others) @ values
        errors.append(np.mean((predictions - values) ** 2))
    return np.array(errors), bandwidths[np.argmin(errors)]


_mistakes.add_softmax_mistakes(
    choose_bandwidth,
    masked=False,
    leave_out=(_mistakes.OVERFLOWS, _mistakes.WITHOUT_EXP, _mistakes.WITHOUT_SUM),
    other_axes=[
        (
            0,
            "Your weights sum to one over the points that are predicted. For each of "
            "them, they should sum to one over the other points.",
        )
    ],
)


def _errors_with(weights_of, mean=lambda difference: np.mean(difference**2), best=None):
    """An answer (errors, bandwidth) with other weights, another mean, or another
    choice.
    """

    def answer(keys, values, bandwidths):
        squares = (keys[:, None] - keys) ** 2
        others = ~np.eye(len(keys), dtype=bool)
        with np.errstate(all="ignore"):
            errors = np.array(
                [
                    mean(weights_of(squares, others, h) @ values - values)
                    for h in bandwidths
                ]
            )
        chosen = (best or np.argmin)(errors)
        return errors, bandwidths[chosen]

    return answer


def _other_weights(squares, others, h):
    return ref.softmax(-squares / (2 * h**2), others)


LEAVES_NOTHING_OUT = (
    "Each point takes part in the prediction of its own value, so its error tends to 0 "
    "as the bandwidth shrinks. Leave the point itself out."
)
OTHER_MEAN = "The error should be the mean of the squared differences."
for message, answer in [
    (
        LEAVES_NOTHING_OUT,
        _errors_with(lambda squares, others, h: ref.softmax(-squares / (2 * h**2))),
    ),
    (
        "You set the weight of the point itself to zero after the softmax, so the "
        "other weights no longer sum to one. Mask its score before the softmax.",
        _errors_with(
            lambda squares, others, h: ref.softmax(-squares / (2 * h**2)) * others
        ),
    ),
    (
        "Your mask keeps only the point itself. It should leave that point out.",
        _errors_with(lambda squares, others, h: np.eye(len(squares))),
    ),
    (
        RATIO,
        _errors_with(
            lambda squares, others, h: (
                np.exp(-squares / (2 * h**2))
                * others
                / (np.exp(-squares / (2 * h**2)) * others).sum(axis=1, keepdims=True)
            )
        ),
    ),
    (
        "You divide by 2 h, but the bandwidth should be squared: 2 h^2.",
        _errors_with(
            lambda squares, others, h: ref.softmax(-squares / (2 * h), others)
        ),
    ),
    (
        "You divide by h^2, but the factor 2 is missing: divide by 2 h^2.",
        _errors_with(lambda squares, others, h: ref.softmax(-squares / h**2, others)),
    ),
    (
        WITHOUT_PARENTHESES,
        _errors_with(
            lambda squares, others, h: ref.softmax(-squares / 2 * h**2, others)
        ),
    ),
    (
        "The minus sign is missing, so the points farthest away get the largest "
        "weights.",
        _errors_with(
            lambda squares, others, h: ref.softmax(squares / (2 * h**2), others)
        ),
    ),
    (OTHER_MEAN, _errors_with(_other_weights, lambda d: np.mean(abs(d)))),
    (OTHER_MEAN, _errors_with(_other_weights, lambda d: np.sum(d**2))),
    (OTHER_MEAN, _errors_with(_other_weights, lambda d: np.sqrt(np.mean(d**2)))),
    (
        "You return the bandwidth with the largest error. Return the one with the "
        "smallest.",
        _errors_with(_other_weights, best=np.argmax),
    ),
]:
    choose_bandwidth.known_mistake(message)(answer)


@choose_bandwidth.known_mistake(
    "You return the index of the best bandwidth. Return the bandwidth itself."
)
def bandwidth_as_index(keys, values, bandwidths):
    errors, _ = choose_bandwidth.reference_solution(keys, values, bandwidths)
    return errors, float(np.argmin(errors))


@choose_bandwidth.known_mistake(
    "You return the smallest error. Return the bandwidth that has it."
)
def bandwidth_as_error(keys, values, bandwidths):
    errors, _ = choose_bandwidth.reference_solution(keys, values, bandwidths)
    return errors, errors.min()


def _lookup_cases(rng):
    keys = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    values = np.array([[10.0], [20.0], [60.0]])
    every = np.array([[True, True, True]])
    yield (
        "one query, three keys, everything allowed",
        (np.array([[2.0, 0.0]]), keys, values, every, 1.0),
    )
    yield (
        "the same with the third key masked",
        (np.array([[2.0, 0.0]]), keys, values, every & [True, True, False], 1.0),
    )
    yield (
        "the same at temperature 4",
        (np.array([[2.0, 0.0]]), keys, values, every, 4.0),
    )
    yield (
        "two queries, one with nothing to attend to",
        (
            np.array([[1.0, -1.0], [0.5, 2.0]]),
            keys,
            values,
            np.array([[True, False, True], [False, False, False]]),
            0.5,
        ),
    )
    large = np.array([[2000.0, 0.0], [-2000.0, 0.0], [0.0, 6000.0]])
    steps = np.array([[1.0, -1], [1, 1], [1, 0], [1, 2]])
    mask = np.array([[True, True, False, True], [False, True, True, True]])
    yield (
        "scores near 1000, near -1000, and from -3000 to 6000",
        (large, steps, rng.normal(size=(4, 2)), mask[[0, 1, 1]], 2.0),
    )
    yield from _more_lookup_cases(rng)


def _more_lookup_cases(rng):
    """Every kind of mask, and masked keys that would get all the weight."""
    masks = five_masks(6)
    query, keys, values = (rng.normal(size=size) for size in ((5, 2), (6, 2), (6, 4)))
    yield "a query for each kind of mask", (query, keys, values, masks, 0.7)
    first_two = np.array([[True, True, False], [True, True, False]])
    yield (
        "a masked key whose score is 1e10",
        (
            np.array([[1.0, 0.0], [2.0, 1.0]]),
            np.array([[1.0, 0.0], [0.0, 1.0], [1e10, -1e10]]),
            np.array([[1.0, 2.0, 6.0], [5.0, 3.0, 0.0], [-4.0, 0.5, 8.0]]),
            first_two,
            1.5,
        ),
    )
    yield (
        "scores near -20,000",
        (
            np.array([[1.0], [2.0]]),
            np.array([[-20_001.0], [-20_000.0], [5.0]]),
            np.array([[1.0, 0.0, 3.0], [4.0, -5.0, 2.0], [7.0, 9.0, -1.0]]),
            first_two,
            1.0,
        ),
    )
    yield from _lookup_size_cases(rng)


def _lookup_size_cases(rng):
    """One key, equal sizes, integers, and single precision."""
    one = [rng.normal(size=(1, 1)) for _ in range(3)]
    yield "one query, one key", (*one, np.array([[True]]), 3.0)
    equal = [rng.normal(size=(3, 3)) for _ in range(3)]
    mask = np.array([[True, True, False], [True, True, True], [False, True, True]])
    yield "all sizes are 3", (*equal, mask, 0.4)
    yield (
        "integers",
        (
            np.array([[1, 0], [0, -2]]),
            np.array([[3, 1], [0, 1], [-1, 2]]),
            np.array([[1, 0, 4], [0, 7, 4], [2, 2, -6]]),
            np.array([[True, True, True], [True, False, True]]),
            2,
        ),
    )
    sizes = (2, 3), (4, 3), (4, 2)
    single = [rng.normal(size=size).astype("float32") for size in sizes]
    mask = np.array([[True, False, True, True], [False, True, True, False]])
    yield "float32", (*single, mask, 0.9)


@exercise(
    _lookup_cases,
    hints=[
        (
            "Three steps: scores, weights, and the mean of the values. The score of a "
            "query and a key is their dot product, and `query @ keys.T` computes all "
            "of them, one row per query."
        ),
        (
            "Your masked softmax gives the weights, once the scores have been divided "
            "by the temperature. (`ref.softmax(scores, mask)` does the same.) The "
            "mean of the values is another matrix product."
        ),
    ],
)
def soft_lookup(query, keys, values, mask, degrees):
    """The mean of the values under softmax(query . key / degrees), with a mask.

    query: (queries, dim). keys: (points, dim). values: (points, value_dim). mask:
    (queries, points), boolean, True where that query may attend to that key. degrees:
    the temperature, above 0. Returns (queries, value_dim). A query with nothing to
    attend to gets zeros. Scores of 1000 must not overflow.
    """
    scores = query @ keys.T / degrees  # (queries, points)
    return ref.softmax(scores, mask) @ values


for message, wrong in _mistakes.faulty_softmaxes(infinite=False):
    _mistakes.add_softmax_mistake(
        soft_lookup, IN_THIS_CHAPTER.get(message, message), wrong
    )
for nothing in ("zeros", "nan"):
    _mistakes.add_softmax_mistake(
        soft_lookup, OVER_QUERIES, _mistakes.faulty(axis=0, nothing=nothing)
    )


@soft_lookup.known_mistake(
    "You multiply the scores by the temperature. Divide them, so that a high "
    "temperature makes the weights more equal."
)
def lookup_times_temperature(query, keys, values, mask, degrees):
    return ref.softmax(query @ keys.T * degrees, mask) @ values


@soft_lookup.known_mistake("The temperature has no effect on your result.")
def lookup_without_temperature(query, keys, values, mask, degrees):
    return ref.softmax(query @ keys.T, mask) @ values


@soft_lookup.known_mistake(
    "You divide the weights by the temperature, so they no longer sum to one. Divide "
    "the scores."
)
def lookup_with_divided_weights(query, keys, values, mask, degrees):
    return ref.softmax(query @ keys.T, mask) @ values / degrees


@soft_lookup.known_mistake(
    "You score each key by its distance from the query. Here the score is the dot "
    "product of the two."
)
def lookup_by_distance(query, keys, values, mask, degrees):
    scores = -((query[:, None] - keys) ** 2).sum(axis=-1) / (2 * degrees)
    return ref.softmax(scores, mask) @ values


@soft_lookup.known_mistake(
    "You return the value of the key with the highest score only. All allowed keys "
    "should count, each with its weight."
)
def lookup_of_the_best_key(query, keys, values, mask, degrees):
    scores = np.where(mask, query @ keys.T, -np.inf)
    best = np.eye(len(keys))[scores.argmax(axis=-1)]
    return best * mask.any(axis=-1, keepdims=True) @ values


@soft_lookup.known_mistake(
    "You also divide by the number of keys. The weights already sum to one, so the "
    "sum of weight times value is the mean."
)
def lookup_of_mean_products(query, keys, values, mask, degrees):
    return ref.softmax(query @ keys.T / degrees, mask) @ values / len(keys)
