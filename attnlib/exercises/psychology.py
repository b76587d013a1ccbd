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
FIRST_AXIS = "Your weights sum to one over the first axis, not over the last."
AXIS_ONE = (
    "axis=1 is the last axis of a matrix alone. axis=-1 is the last axis of any array."
)
NOT_THE_MAXIMUM = (
    "What you subtract from a row is not its maximum, so exp may still overflow, or "
    "give 0 for a whole row. Subtract each row's maximum."
)
CLIPPED = (
    "You limit what exp is taken of, so scores beyond the limit become equal. Subtract "
    "each row's maximum instead."
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
    """A softmax that subtracts another statistic of each row than its maximum."""

    def softmax(scores):
        exponentials = np.exp(scores - statistic(scores, axis=-1, keepdims=True))
        return exponentials / exponentials.sum(axis=-1, keepdims=True)

    return softmax


def _softmax_cases(rng):
    yield "three scores", (np.array([0.0, 1.0, 2.0]),)
    yield "two rows of two scores", (np.array([[0.0, np.log(3.0)], [5.0, 5.0]]),)
    yield "whole numbers", (np.array([[0, 1, 2], [3, 3, 0]]),)
    yield "rows near 1000, near -1000, and from -3000 to 3000", (extreme_scores(4),)
    yield "one score", (np.array([-7.0]),)
    yield "two groups of three rows", (rng.normal(size=(2, 3, 5)),)
    yield "all sizes are 3", (rng.normal(size=(3, 3, 3)),)
    yield "float32", (rng.normal(size=(3, 4)).astype("float32"),)


@exercise(
    _softmax_cases,
    hints=[
        (
            "exp(1000) is too large for a floating-point number. The weights stay "
            "the same when the same number is subtracted from every score of a row. "
            "Which number makes them safe?"
        ),
        (
            "Each row's maximum does. `max` and `sum` take `axis=-1` for the last "
            "axis. With `keepdims=True` they keep that axis, with length 1, so that "
            "the result lines up with the rows it came from."
        ),
    ],
)
def softmax(scores):
    """weights_j = exp(e_j) / sum_k exp(e_k), over the last axis.

    scores: (..., n), floats or integers, with n of 1 or more and any number of axes
    before it. Returns weights of the same shape, in float32 or float64, also for
    integers; each row sums to one.
    Scores of 1000 must not overflow, and a row may span thousands.
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
        "You subtract each column's maximum. The weights stay the same only if one "
        "number is subtracted from all scores of a row: take the maximum over the last "
        "axis."
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
    "Your maximum or your sum has lost the last axis, so NumPy lines it up with the "
    "columns and not with the rows, if it can at all. Write keepdims=True."
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
        "the last of three is left out",
        (np.array([0.0, 1.0, 2.0]), np.array([True, True, False])),
    )
    yield (
        "the first of three is left out",
        (np.array([3.0, 0.0, 1.0]), np.array([False, True, True])),
    )
    yield (
        "a score of 1e10 that is left out",
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
        "inf, NaN, and 1e10 are left out, and what remains is near -20,000",
        (spoiled_padding(scores, masks), masks),
    )
    yield "nothing in the only row", (np.array([1.0, 2.0]), np.array([False, False]))
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
            "A score that is left out should take no part at all, "
            "neither in the maximum nor in the sum. exp(-inf) is 0."
        ),
        (
            "`np.where` can put -inf where the mask is False. A row with nothing to "
            "attend to then has a maximum of -inf and a sum of 0, and subtracting the "
            "one or dividing by the other gives NaN. Put harmless numbers in their "
            "place."
        ),
    ],
)
def masked_softmax(scores, mask):
    """Softmax over the last axis of what the mask allows; zero elsewhere.

    scores, mask: (..., n), of the same shape. mask is boolean, True = takes part. What
    is left out may be anything, also inf, NaN, or 1e10. A row with nothing to attend
    to gets zero weights. Scores of 1000 must not overflow.
    """
    scores = np.where(mask, scores, -np.inf)
    highest = scores.max(axis=-1, keepdims=True)
    exponentials = np.exp(scores - np.where(highest == -np.inf, 0, highest))
    total = exponentials.sum(axis=-1, keepdims=True)
    return exponentials / np.where(total == 0, 1, total)


# This chapter has neither words nor padding.
IN_THIS_CHAPTER = {
    _mistakes.IGNORED: (
        "Your function ignores the mask: scores that it leaves out get weight."
    ),
    _mistakes.INVERTED: "Your mask is inverted: True means that a score takes part.",
    _mistakes.TIMES_SCORES: (
        "You make a score 0 where the mask is False. A score of 0 is still a score: "
        "exp(0) = 1. Use -np.inf."
    ),
    _mistakes.AFTERWARDS: (
        "You set weights to zero after the softmax, so they no longer sum to one. "
        "Mask the scores before it."
    ),
    _mistakes.MAXIMUM_OVER_PADDING: (
        "A score that is left out still enters the maximum that is subtracted, or exp "
        "itself, in your code or in ref.softmax. If it is the largest by far, all the "
        "others underflow, or inf * 0 gives NaN. Mask first, with np.where."
    ),
    _mistakes.ADDED: (
        "Adding -1e9 or -inf to a score that is left out is not enough: it may be "
        "larger still, infinite, or NaN. Replace it with np.where."
    ),
    _mistakes.SMALL_CONSTANT: (
        "The number that stands in for a score that is left out is not small enough: "
        "another score may be lower still. Use -np.inf."
    ),
    _mistakes.EQUAL_FOR_NOTHING: (
        "With nothing to attend to, a row of equal numbers such as -1e9 gets equal "
        "weights. Those rows should be zeros."
    ),
}
ZERO_ONLY_IF_ALL_IS_LEFT_OUT = (
    "Your weights are zeros only if the whole mask is False. Look at each row: one "
    "with nothing to attend to may stand beside others."
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
    "You count the True values of a row and take as many scores from the front. "
    "They may be anywhere: use the mask itself."
)
def masked_from_the_front(scores, mask):
    counts = mask.sum(axis=-1, keepdims=True)
    return ref.softmax(scores, np.arange(scores.shape[-1]) < counts)


def _temperature_cases(rng):
    scores = np.array([0.0, 1.0, 3.0])
    yield "temperature 2", (scores, 2.0)
    yield "temperature 1", (scores, 1.0)
    yield "whole numbers", (np.array([[0.0, 1.0, 2.0], [4.0, 4.0, 0.0]]), 3)
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
            "A high temperature makes the weights more alike, a low one makes them "
            "less alike. Should you multiply or divide the scores by it?"
        ),
        (
            "`ref.softmax` is safe for scores of any size, and so is yours from the "
            "first exercise. What you pass to it need not be the scores themselves."
        ),
    ],
)
def temperature(scores, degrees):
    """softmax(scores / degrees) over the last axis.

    scores: (..., n). degrees: one number above 0, of any size. The smaller it is, the
    more weight the largest score gets; the larger it is, the more alike the weights
    are. Scores of 1000 must not overflow, at any temperature.
    """
    return ref.softmax(scores / degrees)


_mistakes.add_softmax_mistakes(temperature, masked=False)
for message, wrong in _softmaxes_over_other_axes():
    temperature.known_mistake(message)(
        lambda scores, degrees, wrong=wrong: wrong(scores / degrees)
    )

LIMITED = "You limit the temperature. It may be any number above 0."
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
    "it as the exponent, which is the same. A higher temperature should make the "
    "weights more alike, so divide the scores."
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
    "You subtract the maximum of the scores from the scores that are divided already. "
    "Subtract the maximum of what you pass to exp."
)
def temperature_shifted_before(scores, degrees):
    exponentials = np.exp(scores / degrees - scores.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


POWER_OF_WEIGHTS = (
    "You take a power of the weights, and a weight that has become zero stays zero. "
    "Divide the scores before the softmax."
)


@temperature.known_mistake(POWER_OF_WEIGHTS)
def temperature_as_power(scores, degrees):
    powers = ref.softmax(scores) ** (1 / degrees)
    return powers / powers.sum(axis=-1, keepdims=True)


@temperature.known_mistake(POWER_OF_WEIGHTS)
def temperature_as_power_in_float32(scores, degrees):
    return temperature_as_power(scores.astype("float32"), degrees)


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
        "whole numbers",
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
            "Each query needs a score for each key, so the scores have shape "
            "(queries, points). `query[:, None]` has shape (queries, 1), and NumPy "
            "repeats it along the keys."
        ),
        (
            "Far from all keys, every kernel is 0, and 0 / 0 is NaN. "
            "`ref.softmax` of the scores gives the same weights and never divides by 0."
        ),
    ],
)
def kernel_regression(query, keys, values, bandwidth):
    """The mean of values under weights softmax(-(q - k)^2 / (2 h^2)).

    query: (queries,). keys, values: (points,). bandwidth: h, above 0.
    Returns (queries,): for each query, the mean over all points, finite however far
    away the query is.
    """
    scores = -((query[:, None] - keys) ** 2) / (2 * bandwidth**2)  # (queries, points)
    return ref.softmax(scores) @ values


OVER_QUERIES = (
    "Your weights sum to one over the queries. "
    "For each query they should sum to one over the keys."
)
RATIO = (
    "Far from all keys, every kernel is 0, and a ratio of two zeros says nothing. "
    "Use a softmax with the maximum subtracted."
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
    "You also divide by the number of points. The weights sum to one already, so add "
    "up weight times value."
)
def kernel_mean_of_products(query, keys, values, bandwidth):
    return _mean(_distance_score(query, keys, bandwidth), values) / len(values)


@kernel_regression.known_mistake(
    "Where every kernel is 0, you return the value of the nearest key. Another key may "
    "be as near, or almost: use a softmax with the maximum subtracted."
)
def kernel_ratio_or_nearest(query, keys, values, bandwidth):
    ratio = kernel_ratio(query, keys, values, bandwidth)
    return np.where(np.isnan(ratio), kernel_nearest(query, keys, values, 0), ratio)


@kernel_regression.known_mistake(
    "Where every kernel is 0, you return the mean of all values. The nearest keys "
    "should still count more: use a softmax with the maximum subtracted."
)
def kernel_ratio_or_mean(query, keys, values, bandwidth):
    ratio = kernel_ratio(query, keys, values, bandwidth)
    return np.where(np.isnan(ratio), values.mean(), ratio)


@kernel_regression.known_mistake(OVER_QUERIES_AND_KEYS)
def kernel_over_all(query, keys, values, bandwidth):
    kernel = _kernel_matrix(query, keys, bandwidth)
    return kernel @ values / kernel.sum()


@kernel_regression.known_mistake(
    "Your scores have a row for each key. "
    "They should have one for each query: (queries, points)."
)
def kernel_transposed(query, keys, values, bandwidth):
    scores = -((keys[:, None] - query) ** 2) / (2 * bandwidth**2)
    return ref.softmax(scores) @ values


def _mean(scores, values):
    return ref.softmax(scores) @ values


WITHOUT_PARENTHESES = (
    "-d**2 / 2 * h**2 multiplies by h^2. Divide by both: -d**2 / (2 * h**2)."
)


@kernel_regression.known_mistake(WITHOUT_PARENTHESES)
def kernel_without_parentheses(query, keys, values, bandwidth):
    return _mean(-((query[:, None] - keys) ** 2) / 2 * bandwidth**2, values)


@kernel_regression.known_mistake(
    "You divide by 2 h. The bandwidth should be squared: 2 h^2."
)
def kernel_bandwidth_not_squared(query, keys, values, bandwidth):
    return _mean(-((query[:, None] - keys) ** 2) / (2 * bandwidth), values)


@kernel_regression.known_mistake(
    "You divide by h^2. The 2 is missing: divide by 2 h^2."
)
def kernel_without_two(query, keys, values, bandwidth):
    return _mean(-((query[:, None] - keys) ** 2) / bandwidth**2, values)


@kernel_regression.known_mistake(
    "You square 2 along with h: it is 2 * h**2, not (2 * h)**2."
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
    "The minus sign is missing: keys far away get the largest weights."
)
def kernel_without_sign(query, keys, values, bandwidth):
    return _mean((query[:, None] - keys) ** 2 / (2 * bandwidth**2), values)


NOT_SQUARED = "The distance should be squared; this is a different kernel."


@kernel_regression.known_mistake(NOT_SQUARED)
def kernel_not_squared(query, keys, values, bandwidth):
    return _mean(-abs(query[:, None] - keys) / (2 * bandwidth**2), values)


@kernel_regression.known_mistake(NOT_SQUARED)
def kernel_of_distance_over_bandwidth(query, keys, values, bandwidth):
    return _mean(-abs(query[:, None] - keys) / bandwidth, values)


@kernel_regression.known_mistake(
    "You return the value of the nearest key alone. "
    "All keys should count, the near ones more."
)
def kernel_nearest(query, keys, values, bandwidth):
    return values[abs(query[:, None] - keys).argmin(axis=-1)]


@kernel_regression.known_mistake(
    "You return a mean of the keys. Return the mean of the values."
)
def kernel_of_keys(query, keys, values, bandwidth):
    return kernel_regression.reference_solution(query, keys, keys, bandwidth)
