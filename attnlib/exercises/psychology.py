"""Exercises of chapter 01, "Attention in psychology"."""

import numpy as np

from attnlib.checking.exercise import exercise


def _softmax_cases(rng):
    yield "three scores", (np.array([0.0, 1.0, 2.0]),)
    yield "two rows", (np.array([[0.0, np.log(3.0)], [5.0, 5.0]]),)
    yield (
        "scores of 1000",
        (np.array([[1000.0, 999.0, -1000.0], [-1000.0, -1001.0, -1002.0]]),),
    )
    yield "many rows", (rng.normal(size=(2, 3, 5)),)


@exercise(
    _softmax_cases,
    hints=[
        (
            "exp(1000) is too large for a floating-point number. The weights stay "
            "the same when the same number is subtracted from every score of a row. "
            "Which number makes them safe?"
        ),
        (
            "`scores.max(axis=-1, keepdims=True)` is each row's largest score. "
            "Subtract it, take `np.exp`, and divide by the sum over the last axis, "
            "with `keepdims=True` again."
        ),
    ],
)
def softmax(scores):
    """weights_j = exp(e_j) / sum_k exp(e_k), over the last axis.

    scores: (..., n), of any size. Returns weights of the same shape.
    """
    exponentials = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


@softmax.known_mistake(
    "exp overflows at a score of 1000. Subtract each row's maximum first."
)
def softmax_overflows(scores):
    with np.errstate(all="ignore"):
        return np.exp(scores) / np.exp(scores).sum(axis=-1, keepdims=True)


@softmax.known_mistake(
    "Your weights sum to one over the whole array. "
    "They should sum to one for each row, so take the sum over the last axis."
)
def softmax_over_all(scores):
    exponentials = np.exp(scores - scores.max())
    return exponentials / exponentials.sum()


@softmax.known_mistake(
    "Your weights sum to one over the first axis, not over the last."
)
def softmax_first_axis(scores):
    exponentials = np.exp(scores - scores.max(axis=0, keepdims=True))
    return exponentials / exponentials.sum(axis=0, keepdims=True)


@softmax.known_mistake(
    "You divide by the largest exponential instead of the sum, "
    "so the weights do not sum to one."
)
def softmax_by_largest(scores):
    return np.exp(scores - scores.max(axis=-1, keepdims=True))


@softmax.known_mistake(
    "exp is missing: without it, a negative score gives a negative weight."
)
def softmax_without_exp(scores):
    return scores / scores.sum(axis=-1, keepdims=True)


def _masked_cases(rng):
    yield (
        "the last of three is masked",
        (np.array([0.0, 1.0, 2.0]), np.array([True, True, False])),
    )
    scores = rng.normal(size=(3, 5)) - 3
    yield "rows of 5, 1, and 3", (scores, np.arange(5) < np.array([[5], [1], [3]]))
    yield (
        "a masked score of 1000",
        (np.array([[1000.0, 1.0, 2.0]]), np.array([[False, True, True]])),
    )
    yield (
        "a row with nothing to attend to",
        (np.ones((2, 3)), np.array([[True, False, True], [False, False, False]])),
    )
    scores = np.array([[1000.0, 999.0, 998.0], [-1000.0, -999.0, -998.0]])
    yield (
        "rows of 1000 and of -1000",
        (scores, np.array([[True, True, False], [True, True, False]])),
    )


@exercise(
    _masked_cases,
    hints=[
        (
            "A masked score should take no part at all, "
            "neither in the maximum nor in the sum. exp(-inf) is 0."
        ),
        (
            "Start with `np.where(mask, scores, -np.inf)`. "
            "Where a whole row is masked, its maximum is -inf and its sum is 0: "
            "replace them by 0 and 1 before you subtract and divide."
        ),
    ],
)
def masked_softmax(scores, mask):
    """Softmax over the last axis of what the mask allows; zero elsewhere.

    scores, mask: (..., n); mask is boolean, True = takes part.
    A row with nothing to attend to gets zeros.
    """
    scores = np.where(mask, scores, -np.inf)
    highest = scores.max(axis=-1, keepdims=True)
    exponentials = np.exp(scores - np.where(highest == -np.inf, 0, highest))
    total = exponentials.sum(axis=-1, keepdims=True)
    return exponentials / np.where(total == 0, 1, total)


@masked_softmax.known_mistake(
    "You multiply the scores by the mask. A score of 0 is still a score: exp(0) = 1. "
    "Use -inf."
)
def masked_by_product(scores, mask):
    return softmax.reference_solution(scores * mask)


@masked_softmax.known_mistake(
    "You set weights to zero after the softmax, so they no longer sum to one. "
    "Mask the scores before it."
)
def masked_afterwards(scores, mask):
    return softmax.reference_solution(scores) * mask


@masked_softmax.known_mistake("Your function ignores the mask.")
def masked_ignored(scores, mask):
    return softmax.reference_solution(scores)


@masked_softmax.known_mistake(
    "Your mask is inverted: True means that a score takes part."
)
def masked_inverted(scores, mask):
    return masked_softmax.reference_solution(scores, ~mask)


@masked_softmax.known_mistake(
    "With nothing to attend to, -1e9 everywhere gives equal weights. "
    "Those rows should be zeros."
)
def masked_equal_for_nothing(scores, mask):
    return softmax.reference_solution(np.where(mask, scores, -1e9))


@masked_softmax.known_mistake(
    "With nothing to attend to, the row is 0 / 0, which is NaN. "
    "Those rows should be zeros."
)
def masked_nan_for_nothing(scores, mask):
    with np.errstate(invalid="ignore"):
        return softmax.reference_solution(np.where(mask, scores, -np.inf))


def _temperature_cases(rng):
    scores = np.array([0.0, 1.0, 3.0])
    yield "temperature 1", (scores, 1.0)
    yield "temperature 2", (scores, 2.0)
    yield "a very low temperature", (10 * scores, 0.01)
    yield "two rows, a high temperature", (rng.normal(size=(2, 4)), 50.0)
    yield (
        "rows of 1000 and of -1000",
        (np.array([[1000.0, 999.0], [-1000.0, -999.0]]), 1.0),
    )


@exercise(
    _temperature_cases,
    hints=[
        (
            "A high temperature makes the weights more alike, a low one makes them "
            "less alike. Should you multiply or divide the scores by it?"
        ),
        (
            "Divide first. Then take the softmax as in the first exercise, "
            "with the maximum subtracted."
        ),
    ],
)
def temperature(scores, degrees):
    """softmax(scores / degrees) over the last axis.

    scores: (..., n). degrees: above 0. Near 0, the largest score gets all the weight;
    far above 1, all scores get nearly the same.
    """
    scaled = scores / degrees
    exponentials = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


@temperature.known_mistake(
    "You multiply by the temperature. "
    "A higher temperature should make the weights more alike, so divide."
)
def temperature_times(scores, degrees):
    return softmax.reference_solution(scores * degrees)


@temperature.known_mistake(
    "You divide the weights instead of the scores, so they no longer sum to one."
)
def temperature_after(scores, degrees):
    return softmax.reference_solution(scores) / degrees


@temperature.known_mistake("The temperature has no effect on your weights.")
def temperature_ignored(scores, degrees):
    return softmax.reference_solution(scores)


@temperature.known_mistake(
    "exp overflows at a temperature of 0.01. Subtract the largest score after dividing."
)
def temperature_overflows(scores, degrees):
    with np.errstate(all="ignore"):
        exponentials = np.exp(scores / degrees)
        return exponentials / exponentials.sum(axis=-1, keepdims=True)


def _kernel_cases(rng):
    keys, values = np.array([0.0, 1.0, 2.0]), np.array([1.0, 3.0, 2.0])
    yield "a query in the middle", (np.array([1.0]), keys, values, 1.0)
    yield "a narrow kernel", (np.array([0.2, 1.9]), keys, values, 0.1)
    yield "a query far away", (np.array([100.0, -50.0]), keys, values, 0.5)
    yield (
        "four queries, six keys",
        (rng.normal(size=4), rng.normal(size=6), rng.normal(size=6), 0.7),
    )


@exercise(
    _kernel_cases,
    hints=[
        (
            "Each query needs a score for each key: "
            "`-(query[:, None] - keys) ** 2 / (2 * bandwidth ** 2)`."
        ),
        (
            "Far from all keys, every kernel is 0, and 0 / 0 is NaN. "
            "A softmax of the scores, with the maximum subtracted, "
            "gives the same weights and never divides by 0."
        ),
    ],
)
def kernel_regression(query, keys, values, bandwidth):
    """The mean of values under weights softmax(-(q - k)^2 / (2 h^2)).

    query: (queries,). keys, values: (points,). bandwidth: h.
    Returns (queries,), finite however far away a query is.
    """
    scores = -((query[:, None] - keys) ** 2) / (2 * bandwidth**2)  # (queries, points)
    exponentials = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return (exponentials / exponentials.sum(axis=-1, keepdims=True)) @ values


@kernel_regression.known_mistake(
    "Far from all keys, your result is NaN: every kernel is 0, and 0 / 0 is NaN. "
    "Use a softmax with the maximum subtracted."
)
def kernel_ratio(query, keys, values, bandwidth):
    kernel = np.exp(-((query[:, None] - keys) ** 2) / (2 * bandwidth**2))
    with np.errstate(all="ignore"):
        return kernel @ values / kernel.sum(axis=-1)


def _mean(scores, values):
    return softmax.reference_solution(scores) @ values


@kernel_regression.known_mistake(
    "-d**2 / 2 * h**2 multiplies by h^2. Divide by both: -d**2 / (2 * h**2)."
)
def kernel_without_parentheses(query, keys, values, bandwidth):
    return _mean(-((query[:, None] - keys) ** 2) / 2 * bandwidth**2, values)


@kernel_regression.known_mistake(
    "The minus sign is missing: keys far away get the largest weights."
)
def kernel_without_sign(query, keys, values, bandwidth):
    return _mean((query[:, None] - keys) ** 2 / (2 * bandwidth**2), values)


@kernel_regression.known_mistake(
    "The distance should be squared; this is a different kernel."
)
def kernel_not_squared(query, keys, values, bandwidth):
    return _mean(-abs(query[:, None] - keys) / (2 * bandwidth**2), values)


@kernel_regression.known_mistake(
    "You return the value of the nearest key alone. "
    "All keys should count, the near ones more."
)
def kernel_nearest(query, keys, values, bandwidth):
    return values[abs(query[:, None] - keys).argmin(axis=-1)]
