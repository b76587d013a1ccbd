"""The exercises of chapter 01: solutions against the reference, hand calculations, and
scikit-learn's kernels; wrong answers that must be refused, and what the check says
about them; right answers in unusual styles.
"""

import ast
import contextlib
import json
import warnings

import numpy as np
import pytest
import scipy.special
from conftest import ROOT
from numpy.testing import assert_allclose
from sklearn.metrics.pairwise import rbf_kernel

from attnlib import reference as ref
from attnlib.checking.exercise import Exercise
from attnlib.checking.sandbox import CheckFailed
from attnlib.exercises import _mistakes, bottleneck, psychology

WITH_CHAPTERS = [
    pytest.param(module, f"{number}_{module.__name__.split('.')[-1]}", id=number)
    for number, module in (("01", psychology), ("02", bottleneck))
]
every_chapter = pytest.mark.parametrize(("module", "name"), WITH_CHAPTERS)


def said(exercise, answer):
    """What a check says, on one line, without its first line; the answer is wrong."""
    result = exercise.check(answer)
    assert not result.passed and result.attempted
    first, rest = result.message.split("\n", 1)
    assert first == f"Not yet: {exercise.name}."
    return rest.replace("\n", " ")


def parametrized(**groups):
    """Parameters (exercise, answer) from lists of answers by the exercise's name."""
    pairs = [
        pytest.param(getattr(psychology, name), answer, id=f"{name}-{answer.__name__}")
        for name, answers in groups.items()
        for answer in answers
    ]
    return pytest.mark.parametrize(("exercise", "answer"), pairs)


# Solutions against something independent


def test_softmax_by_hand_and_as_the_reference():
    assert_allclose(
        psychology.softmax.reference_solution(np.array([0.0, np.log(3)])), [0.25, 0.75]
    )
    scores = 400 * np.random.default_rng(0).normal(size=(3, 4, 5))
    assert_allclose(psychology.softmax.reference_solution(scores), ref.softmax(scores))


def test_masked_softmax_is_the_reference():
    rng = np.random.default_rng(0)
    scores, mask = 30 * rng.normal(size=(20, 5)), rng.random((20, 5)) < 0.5
    mask[0] = False
    assert_allclose(
        psychology.masked_softmax.reference_solution(scores, mask),
        ref.softmax(scores, mask),
    )


def test_masked_softmax_takes_anything_where_the_mask_is_false():
    scores = np.array([[-2e4, np.inf, -2e4 + 1], [np.nan, 1e10, -np.inf]])
    mask = np.array([[True, False, True], [False, False, False]])
    assert_allclose(
        psychology.masked_softmax.reference_solution(scores, mask),
        [[1 / (1 + np.e), 0, np.e / (1 + np.e)], [0, 0, 0]],
    )


def test_temperature_by_hand():
    assert_allclose(
        psychology.temperature.reference_solution(np.array([0.0, 2 * np.log(3)]), 2.0),
        [0.25, 0.75],
    )
    assert_allclose(
        psychology.temperature.reference_solution(np.array([0.0, 1.0]), 1e9), [0.5, 0.5]
    )


def test_kernel_regression_is_the_ratio_of_kernels_where_that_is_finite():
    rng = np.random.default_rng(0)
    query, keys, values = rng.normal(size=4), rng.normal(size=6), rng.normal(size=6)
    kernel = rbf_kernel(query[:, None], keys[:, None], gamma=1 / (2 * 0.7**2))
    expected = kernel @ values / kernel.sum(1)
    assert_allclose(
        psychology.kernel_regression.reference_solution(query, keys, values, 0.7),
        expected,
    )
    assert psychology.kernel_regression.reference_solution(
        np.array([1e3]), keys, values, 0.7
    ) == pytest.approx(values[keys.argmax()])


def test_biased_softmax_by_hand_and_as_divisive_normalization():
    drive, attention = np.array([1.0, 2.0, 4.0]), np.array([8.0, 1.0, 1.0])
    weights = psychology.biased_softmax.reference_solution(np.log(drive), attention)
    assert_allclose(weights, [8 / 14, 2 / 14, 4 / 14])
    rng = np.random.default_rng(0)
    scores, attention = rng.normal(size=(4, 5)), rng.uniform(0.1, 9, size=(4, 5))
    products = attention * np.exp(scores)
    assert_allclose(
        psychology.biased_softmax.reference_solution(scores, attention),
        products / products.sum(axis=-1, keepdims=True),
    )


def test_starter_of_biased_softmax_does_what_its_text_says():
    """The chapter: a weight falls from 0.09 to 0.005 where it should rise."""
    scores = np.array([-1.0, 0.0, 1.0])
    neutral, favored = np.ones(3), np.array([4.0, 1.0, 1.0])
    starter = psychology.biased_softmax.starter
    right = psychology.biased_softmax.reference_solution
    assert round(starter(scores, neutral)[0], 2) == 0.09
    assert round(starter(scores, favored)[0], 3) == 0.005
    assert right(scores, favored)[0] > right(scores, neutral)[0]


def test_choose_bandwidth_is_prediction_from_the_points_that_remain():
    rng = np.random.default_rng(0)
    keys, values = rng.normal(size=7), rng.normal(size=7)
    bandwidths = np.array([2.0, 0.5, 1.0])
    errors, best = psychology.choose_bandwidth.reference_solution(
        keys, values, bandwidths
    )
    for h, error in zip(bandwidths, errors, strict=True):
        squares = []
        for i in range(7):
            others, rest = np.delete(keys, i), np.delete(values, i)
            kernel = rbf_kernel(keys[i : i + 1, None], others[:, None], 1 / (2 * h**2))
            squares.append((kernel[0] @ rest / kernel.sum() - values[i]) ** 2)
        assert error == pytest.approx(np.mean(squares))
    assert best == bandwidths[errors.argmin()]


def test_choose_bandwidth_by_hand():
    errors, best = psychology.choose_bandwidth.reference_solution(
        np.array([0.0, 5.0]), np.array([1.0, 3.0]), np.array([0.3, 7.0])
    )
    assert_allclose(errors, [4, 4])
    assert best in (0.3, 7.0)


def test_soft_lookup_by_hand():
    keys = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    values = np.array([[10.0], [20.0], [60.0]])
    result = psychology.soft_lookup.reference_solution(
        np.array([[2.0, 0.0]]), keys, values, np.array([[True, True, False]]), 1.0
    )
    first = np.e**2 / (np.e**2 + 1)
    assert round(first, 3) == 0.881
    assert_allclose(result, [[10 * first + 20 * (1 - first)]])
    assert round(result.item(), 2) == 11.19


def test_soft_lookup_is_the_softmax_of_scipy_over_the_keys_that_are_allowed():
    rng = np.random.default_rng(0)
    query, keys, values = (rng.normal(size=size) for size in ((4, 3), (6, 3), (6, 2)))
    mask = rng.random((4, 6)) < 0.6
    mask[0] = False
    result = psychology.soft_lookup.reference_solution(query, keys, values, mask, 0.7)
    assert not result[0].any()
    for q, allowed, expected in zip(query[1:], mask[1:], result[1:], strict=True):
        weights = scipy.special.softmax(keys[allowed] @ q / 0.7)
        assert_allclose(expected, weights @ values[allowed])


# Wrong answers that once passed, or that are like these


def over_sum(exponentials):
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def shifted_by_mean(scores):
    return over_sum(np.exp(scores - scores.mean(axis=-1, keepdims=True)))


def shifted_by_median(scores):
    return over_sum(np.exp(scores - np.median(scores, axis=-1, keepdims=True)))


def shifted_by_first(scores):
    return over_sum(np.exp(scores - scores[..., :1]))


def clipped(scores):
    return over_sum(np.exp(np.clip(scores, -700, 700)))


def in_an_empty_copy(scores):
    weights = np.empty_like(scores)  # integers, where the scores are
    weights[...] = ref.softmax(scores)
    return weights


def as_one_matrix(scores):
    return ref.softmax(scores.reshape(-1, scores.shape[-1]))


def counts_from_the_front(scores, mask):
    return ref.softmax(
        scores, np.arange(scores.shape[-1]) < mask.sum(axis=-1, keepdims=True)
    )


def adds_a_large_number(scores, mask):
    return ref.softmax(scores + np.where(mask, 0, -1e9))


def multiplies_exponentials(scores, mask):
    highest = scores.max(axis=-1, keepdims=True, where=mask, initial=-1e30)
    exponentials = np.exp(scores - highest) * mask
    total = exponentials.sum(axis=-1, keepdims=True)
    return exponentials / np.where(total == 0, 1, total)


def clears_nan_in_the_end(scores, mask):
    return np.nan_to_num(over_sum(ref.softmax(scores) * mask))


def writes_minus_100(scores, mask):
    return ref.softmax(np.where(mask, scores, -100)) * mask


def zeros_only_if_all_is_left_out(scores, mask):
    if not mask.any():
        return np.zeros(scores.shape)
    return over_sum(np.exp(np.where(mask, scores, -np.inf)))


def one_hot_when_cold(scores, degrees):
    if degrees < 0.1:
        return np.eye(scores.shape[-1])[scores.argmax(axis=-1)]
    return ref.softmax(scores / degrees)


def equal_when_hot(scores, degrees):
    if degrees >= 100:
        return np.full(scores.shape, 1 / scores.shape[-1])
    return ref.softmax(scores / degrees)


def equal_when_very_hot(scores, degrees):
    return (
        ref.softmax(scores / degrees)
        if degrees < 1000
        else equal_when_hot(scores, degrees)
    )


def clipped_temperature(scores, degrees):
    return ref.softmax(scores / max(degrees, 0.05))


def whole_division(scores, degrees):
    return ref.softmax(scores // degrees)


def kernel_matrix(query, keys, bandwidth):
    return np.exp(-((query[:, None] - keys) ** 2) / (2 * bandwidth**2))


def nearest_when_far(query, keys, values, bandwidth):
    kernel = kernel_matrix(query, keys, bandwidth)
    nearest = values[abs(query[:, None] - keys).argmin(axis=-1)]
    return np.where(kernel.sum(-1) > 0, kernel @ values / kernel.sum(-1), nearest)


def mean_when_far(query, keys, values, bandwidth):
    kernel = kernel_matrix(query, keys, bandwidth)
    return np.where(kernel.sum(-1) > 0, kernel @ values / kernel.sum(-1), values.mean())


def clipped_distance(query, keys, values, bandwidth):
    distance = np.clip(query[:, None] - keys, -30 * bandwidth, 30 * bandwidth)
    return ref.softmax(-(distance**2) / (2 * bandwidth**2)) @ values


def each_key_once(query, keys, values, bandwidth):
    keys, first = np.unique(keys, return_index=True)
    scores = -((query[:, None] - keys) ** 2) / (2 * bandwidth**2)
    return ref.softmax(scores) @ values[first]


def biased_then_renormalized_once_too_few(scores, attention):
    return np.exp(scores - scores.max(-1, keepdims=True)) * attention


def biased_by_logarithm_of_one_more(scores, attention):
    return ref.softmax(scores + np.log1p(attention))


def biased_with_limited_attention(scores, attention):
    return ref.softmax(scores + np.log(np.clip(attention, 1, 8)))


def points(keys):
    return (keys[:, None] - keys) ** 2, ~np.eye(len(keys), dtype=bool)


def best_of(errors, bandwidths):
    return np.array(errors), bandwidths[np.argmin(errors)]


def without_points_of_the_same_key(keys, values, bandwidths):
    squares, _ = points(keys)
    weights = [ref.softmax(-squares / (2 * h**2), squares > 0) for h in bandwidths]
    return best_of([np.mean((w @ values - values) ** 2) for w in weights], bandwidths)


def smallest_candidate(keys, values, bandwidths):
    errors, _ = psychology.choose_bandwidth.reference_solution(keys, values, bandwidths)
    return errors, bandwidths.min()


def errors_of_sorted_candidates(keys, values, bandwidths):
    return psychology.choose_bandwidth.reference_solution(
        keys, values, np.sort(bandwidths)
    )


def without_the_nearest_point(keys, values, bandwidths):
    squares, others = points(keys)
    others &= squares > np.where(others, squares, np.inf).min(1, keepdims=True)
    weights = [ref.softmax(-squares / (2 * h**2), others) for h in bandwidths]
    return best_of([np.mean((w @ values - values) ** 2) for w in weights], bandwidths)


def lookup_with_the_mask_of_the_first_query(query, keys, values, mask, degrees):
    mask = np.broadcast_to(mask[0], mask.shape)
    return ref.softmax(query @ keys.T / degrees, mask) @ values


def lookup_by_cosine(query, keys, values, mask, degrees):
    lengths = np.linalg.norm(query, axis=1)[:, None] * np.linalg.norm(keys, axis=1)
    return ref.softmax(query @ keys.T / lengths / degrees, mask) @ values


def lookup_divided_by_the_root_of_the_width(query, keys, values, mask, degrees):
    scores = query @ keys.T / np.sqrt(keys.shape[-1]) / degrees
    return ref.softmax(scores, mask) @ values


def lookup_of_masked_values(query, keys, values, mask, degrees):
    weights = ref.softmax(query @ keys.T / degrees)
    return weights @ (values * mask.any(axis=0)[:, None])


@parametrized(
    biased_softmax=[
        biased_then_renormalized_once_too_few,
        biased_by_logarithm_of_one_more,
        biased_with_limited_attention,
    ],
    choose_bandwidth=[
        without_points_of_the_same_key,
        smallest_candidate,
        errors_of_sorted_candidates,
        without_the_nearest_point,
    ],
    soft_lookup=[
        lookup_with_the_mask_of_the_first_query,
        lookup_by_cosine,
        lookup_divided_by_the_root_of_the_width,
        lookup_of_masked_values,
    ],
    softmax=[
        shifted_by_mean,
        shifted_by_median,
        shifted_by_first,
        clipped,
        in_an_empty_copy,
        as_one_matrix,
    ],
    masked_softmax=[
        counts_from_the_front,
        adds_a_large_number,
        multiplies_exponentials,
        clears_nan_in_the_end,
        writes_minus_100,
        zeros_only_if_all_is_left_out,
    ],
    temperature=[
        one_hot_when_cold,
        equal_when_hot,
        equal_when_very_hot,
        clipped_temperature,
        whole_division,
    ],
    kernel_regression=[
        nearest_when_far,
        mean_when_far,
        clipped_distance,
        each_key_once,
    ],
)
def test_exercise_refuses_wrong_answer(exercise, answer):
    assert said(exercise, answer)


# What the messages say


def two_to_the_power(scores):
    return over_sum(2.0 ** (scores - scores.max(axis=-1, keepdims=True)))


def exp2_of_all(scores):
    return over_sum(np.exp2(scores - np.max(scores, axis=-1, keepdims=True)))


@pytest.mark.parametrize("answer", [two_to_the_power, exp2_of_all])
def test_softmax_names_powers_of_two(answer):
    assert said(psychology.softmax, answer).startswith(_mistakes.BASE_TWO)


def without_keepdims(scores):
    exponentials = np.exp(scores - np.max(scores, axis=-1))
    return exponentials / np.sum(exponentials, axis=-1)


def sum_without_keepdims(scores):
    exponentials = np.exp(scores - scores.max(-1, keepdims=True))
    return exponentials / exponentials.sum(-1)


def maximum_without_keepdims(scores):
    return over_sum(np.exp(scores - scores.max(-1)))


@pytest.mark.parametrize(
    "answer", [without_keepdims, sum_without_keepdims, maximum_without_keepdims]
)
def test_softmax_names_a_lost_axis(answer):
    assert said(psychology.softmax, answer).startswith(psychology.LOST_AXIS)


def test_softmax_names_a_shift_that_is_not_the_maximum():
    message = said(psychology.softmax, shifted_by_mean)
    assert message.startswith(psychology.NOT_THE_MAXIMUM)
    assert "[-3000, " in message and "(your result holds NaN)" in message


def changes_scores(scores):
    scores -= scores.max(axis=-1, keepdims=True)
    return np.exp(scores) / np.exp(scores).sum(axis=-1, keepdims=True)


def changes_scores_of_masked(scores, mask):
    scores[~mask] = -np.inf
    return ref.softmax(scores, mask)


def changes_scores_of_temperature(scores, degrees):
    right = ref.softmax(scores / degrees)
    scores *= 2
    return right


def changes_query(query, keys, values, bandwidth):
    right = psychology.kernel_regression.reference_solution(
        query, keys, values, bandwidth
    )
    query += 1
    return right


def test_biased_softmax_says_first_that_the_bug_is_still_there():
    message = said(psychology.biased_softmax, psychology.biased_softmax.starter)
    assert message.startswith("The bug is still there. If you raise the attention")


def renormalized_over_all_points(keys, values, bandwidths):
    errors = []
    for h in bandwidths:
        weights = ref.softmax(-((keys[:, None] - keys) ** 2) / (2 * h**2))
        errors.append(((weights @ values - values) ** 2).mean())
    return np.array(errors), bandwidths[int(np.argmin(errors))]


def test_choose_bandwidth_names_a_point_that_predicts_itself():
    message = said(psychology.choose_bandwidth, renormalized_over_all_points)
    assert message.startswith(psychology.LEAVES_NOTHING_OUT)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            lambda q, k, v, m, t: ref.softmax(np.where(m, q @ k.T, 0) / t) @ v,
            _mistakes.TIMES_SCORES,
        ),
        (
            lambda q, k, v, m, t: (ref.softmax(q @ k.T / t) * m) @ v,
            _mistakes.AFTERWARDS,
        ),
        (lambda q, k, v, m, t: ref.softmax(q @ k.T / t, ~m) @ v, _mistakes.INVERTED),
        (lambda q, k, v, m, t: ref.softmax(q @ k.T / t) @ v, _mistakes.IGNORED),
    ],
)
def test_soft_lookup_names_a_wrong_mask(answer, message):
    def own_names(query, keys, values, mask, degrees):
        return answer(query, keys, values, mask, degrees)

    assert said(psychology.soft_lookup, own_names).startswith(
        psychology.IN_THIS_CHAPTER[message]
    )


@parametrized(
    softmax=[changes_scores],
    masked_softmax=[changes_scores_of_masked],
    temperature=[changes_scores_of_temperature],
    kernel_regression=[changes_query],
)
def test_change_in_place_gets_its_own_sentence(exercise, answer):
    name = "query" if exercise is psychology.kernel_regression else "scores"
    assert said(exercise, answer).startswith(
        f"Your function changes its argument {name} in place. Work on a copy. Input: "
    )


def half_precision(scores):
    return ref.softmax(scores).astype("float16")


def as_lists(scores):
    return ref.softmax(scores).tolist()


def with_an_axis_more(scores):
    return ref.softmax(scores)[None]


@pytest.mark.parametrize("answer", [half_precision, as_lists, with_an_axis_more])
def test_right_weights_in_a_wrong_wrapping_get_no_diagnosis(answer):
    assert said(psychology.softmax, answer).startswith("The result should ")


def with_where(scores, mask):
    weights = np.where(mask, ref.softmax(scores), 0)
    return over_sum(weights)


def with_own_softmax(scores, mask):
    exponentials = np.exp(scores - scores.max(axis=-1, keepdims=True)) * mask
    return over_sum(exponentials)


@pytest.mark.parametrize("answer", [with_where, with_own_softmax])
def test_masked_softmax_normalized_again_is_named_for_what_it_is(answer):
    message = said(psychology.masked_softmax, answer)
    maximum = psychology.IN_THIS_CHAPTER[_mistakes.MAXIMUM_OVER_PADDING]
    assert message.startswith(maximum)
    assert "1e+10" in message  # the case that it shows explains it


@pytest.mark.parametrize("number", [-100, -1000, -10_000])
def test_masked_softmax_names_a_number_that_is_not_small_enough(number):
    message = said(
        psychology.masked_softmax,
        lambda s, mask: ref.softmax(np.where(mask, s, number)),
    )
    assert message.startswith(psychology.IN_THIS_CHAPTER[_mistakes.SMALL_CONSTANT])
    assert "ignores the mask" not in message
    assert (
        "nothing to attend to" not in message
    )  # the rows that are shown are not empty


@pytest.mark.parametrize("number", [-100, -999, -9999, -10_000])
@pytest.mark.parametrize(
    "finish",
    [
        lambda weights, mask: weights * mask,
        lambda weights, mask: np.where(mask, weights, 0),
        lambda weights, mask: weights * mask.any(axis=-1, keepdims=True),
        lambda weights, mask: np.nan_to_num(over_sum(weights * mask)),
    ],
)
def test_masked_softmax_names_a_small_number_where_empty_rows_are_right(number, finish):
    message = said(
        psychology.masked_softmax,
        lambda s, mask: finish(ref.softmax(np.where(mask, s, number)), mask),
    )
    assert message.startswith(psychology.IN_THIS_CHAPTER[_mistakes.SMALL_CONSTANT])


@pytest.mark.parametrize("number", [-1e9, -1e30, np.finfo(float).min])
def test_masked_softmax_names_equal_weights_for_nothing(number):
    message = said(
        psychology.masked_softmax,
        lambda s, mask: ref.softmax(np.where(mask, s, number)),
    )
    assert message.startswith(psychology.IN_THIS_CHAPTER[_mistakes.EQUAL_FOR_NOTHING])


@pytest.mark.parametrize(
    "softmax", [ref.softmax, psychology.softmax.reference_solution]
)
def test_masked_softmax_names_an_inverted_mask(softmax):
    message = said(
        psychology.masked_softmax,
        lambda scores, mask: softmax(np.where(mask, -np.inf, scores)),
    )
    assert message.startswith(psychology.IN_THIS_CHAPTER[_mistakes.INVERTED])


def test_messages_of_chapter_1_speak_of_scores():
    """It has neither words nor padding yet."""
    for message, _ in psychology.masked_softmax.known_mistakes:
        assert "padding" not in message and "word" not in message, message


def normalized_over_queries(query, keys, values, bandwidth):
    kernel = kernel_matrix(query, keys, bandwidth)
    return (kernel / kernel.sum(axis=0, keepdims=True)) @ values


def normalized_over_queries_by_softmax(query, keys, values, bandwidth):
    scores = -((query[:, None] - keys) ** 2) / (2 * bandwidth**2)
    return ref.softmax(scores.T).T @ values


@pytest.mark.parametrize(
    "answer", [normalized_over_queries, normalized_over_queries_by_softmax]
)
def test_kernel_regression_names_weights_over_the_queries(answer):
    message = said(psychology.kernel_regression, answer)
    assert message.startswith(psychology.OVER_QUERIES)


def ratio(query, keys, values, bandwidth):
    kernel = kernel_matrix(query, keys, bandwidth)
    return kernel @ values / kernel.sum(axis=1)


def ratio_with_epsilon(query, keys, values, bandwidth):
    kernel = kernel_matrix(query, keys, bandwidth)
    return kernel @ values / (kernel.sum(axis=1) + 1e-9)


def ratio_without_nan(query, keys, values, bandwidth):
    return np.nan_to_num(ratio(query, keys, values, bandwidth))


@pytest.mark.parametrize("answer", [ratio, ratio_with_epsilon, ratio_without_nan])
def test_kernel_regression_names_a_ratio_of_zeros(answer):
    message = said(psychology.kernel_regression, answer)
    assert message.startswith(psychology.RATIO)


def row_maximum_total(axis):
    def answer(scores):
        exponentials = np.exp(scores - scores.max(axis=-1, keepdims=True))
        return exponentials / exponentials.sum(axis=axis, keepdims=True)

    return answer


def python_sum(scores):
    exponentials = np.exp(scores - np.max(scores))
    return exponentials / sum(exponentials)


def column_maximum(scores):
    return over_sum(np.exp(scores - scores.max(0)))


def maximum_less_scores(scores):
    return over_sum(np.exp(np.max(scores, axis=-1, keepdims=True) - scores))


def shifted_by_largest_size(scores):
    return over_sum(np.exp(scores - np.abs(scores).max(axis=-1, keepdims=True)))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (row_maximum_total(0), psychology.FIRST_AXIS),
        (row_maximum_total(None), psychology.OVER_ALL),
        (row_maximum_total(1), psychology.AXIS_ONE),
        (python_sum, psychology.FIRST_AXIS),
        (column_maximum, "You subtract each column's maximum."),
        (maximum_less_scores, psychology.NEGATED),
        (shifted_by_largest_size, psychology.NOT_THE_MAXIMUM),
        (lambda s: ref.softmax(s / s.max(-1, keepdims=True)), psychology.BY_MAXIMUM),
        (lambda s: ref.softmax(s.clip(-500, 500)), psychology.CLIPPED),
    ],
)
def test_softmax_names_a_second_spelling(answer, message):
    assert said(psychology.softmax, answer).startswith(message)


def infinity_times_zero(scores, mask):
    highest = scores.max(axis=-1, keepdims=True, where=mask, initial=-1e30)
    exponentials = np.exp(scores - highest) * mask
    return np.divide(exponentials, exponentials.sum(axis=-1, keepdims=True))


def zeros_if_all_is_left_out(fill):
    def answer(scores, mask):
        if not np.any(mask):
            return np.zeros_like(scores)
        scores = np.where(mask, scores, fill)
        return over_sum(np.exp(scores - scores.max(-1, keepdims=True)))

    return answer


def maximum_of_at_least_0(scores, mask):
    highest = scores.max(axis=-1, keepdims=True, where=mask, initial=0)
    exponentials = np.where(mask, np.exp(scores - highest), 0)
    return np.nan_to_num(over_sum(exponentials))


def largest_of_all_rows(scores, mask):
    highest = scores.max(where=mask, initial=-1e30)
    return np.nan_to_num(over_sum(np.where(mask, np.exp(scores - highest), 0)))


def over_the_whole_array(scores, mask):
    weights = np.where(mask, scores, -np.inf)
    highest = weights.max(-1, keepdims=True)
    exponentials = np.exp(weights - np.where(np.isfinite(highest), highest, 0))
    return exponentials / (exponentials.sum() or 1)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda s, m: ref.softmax(np.where(m, s, 0.0)), _mistakes.TIMES_SCORES),
        (lambda s, m: ref.softmax(np.where(m, s, 0)) * m, _mistakes.TIMES_SCORES),
        (infinity_times_zero, _mistakes.MAXIMUM_OVER_PADDING),
        (zeros_if_all_is_left_out(-1e30), psychology.ZERO_ONLY_IF_ALL_IS_LEFT_OUT),
        (zeros_if_all_is_left_out(-np.inf), psychology.ZERO_ONLY_IF_ALL_IS_LEFT_OUT),
        (maximum_of_at_least_0, _mistakes.SMALL_CONSTANT),
        (largest_of_all_rows, _mistakes.ONE_MAXIMUM),
        (over_the_whole_array, psychology.OVER_ALL),
    ],
)
def test_masked_softmax_names_a_second_spelling(answer, message):
    message = psychology.IN_THIS_CHAPTER.get(message, message)
    assert said(psychology.masked_softmax, answer).startswith(message)


def test_masked_softmax_speaks_of_no_subtraction_where_the_softmax_is_called():
    message = said(
        psychology.masked_softmax,
        lambda s, mask: np.nan_to_num(over_sum(ref.softmax(s) * mask)),
    )
    assert "you subtract" not in message and "in ref.softmax" in message


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda s, t: ref.softmax(s / min(t, 100)), psychology.LIMITED),
        (lambda s, t: ref.softmax(s / min(t, 1000)), psychology.LIMITED),
        (lambda s, t: ref.softmax(s / max(t, 0.05)), psychology.LIMITED),
        (lambda s, t: ref.softmax(s / np.clip(t, 0.1, 10)), psychology.LIMITED),
        (lambda s, t: ref.softmax(s) * t, psychology.ON_WEIGHTS),
        (lambda s, t: ref.softmax(-s / t), psychology.NEGATED),
        (lambda s, t: ref.softmax((s / t).clip(-600, 600)), psychology.CLIPPED),
        (lambda s, t: row_maximum_total(0)(s / t), psychology.FIRST_AXIS),
        (lambda s, t: row_maximum_total(1)(s / t), psychology.AXIS_ONE),
        (
            lambda s, t: over_sum(ref.softmax(s) ** (1 / t)),
            psychology.POWER_OF_WEIGHTS,
        ),
    ],
)
def test_temperature_names_a_second_spelling(answer, message):
    assert said(psychology.temperature, answer).startswith(message)


@pytest.mark.parametrize("limit", [20, 55, 60, 90, 300, 2000, 9000])
def test_temperature_that_is_limited_is_no_power(limit):
    message = said(
        psychology.temperature, lambda s, degrees: ref.softmax(s / min(degrees, limit))
    )
    assert "power" not in message


def test_temperature_as_exponent_is_not_called_a_product_alone():
    message = said(
        psychology.temperature, lambda s, degrees: over_sum(ref.softmax(s) ** degrees)
    )
    assert "or take a power of the weights" in message


def distances(query, keys):
    return query[:, None] - keys


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            lambda q, k, v, h: ref.softmax(-((distances(q, k) / (2 * h)) ** 2)) @ v,
            "You square 2 along with h",
        ),
        (
            lambda q, k, v, h: np.mean(
                ref.softmax(-(distances(q, k) ** 2) / (2 * h**2)) * v, axis=1
            ),
            "You also divide by the number of points.",
        ),
        (
            lambda q, k, v, h: (
                row_maximum_total(None)(-(distances(q, k) ** 2) / (2 * h**2)) @ v
            ),
            psychology.OVER_QUERIES_AND_KEYS,
        ),
        (nearest_when_far, "Where every kernel is 0, you return the value of the near"),
        (mean_when_far, "Where every kernel is 0, you return the mean of all values"),
    ],
)
def test_kernel_regression_names_a_second_spelling(answer, message):
    def own_names(query, keys, values, bandwidth):
        return answer(query, keys, values, bandwidth)

    assert said(psychology.kernel_regression, own_names).startswith(message)


# Right answers in unusual styles


def row_by_row(scores):
    rows = scores.reshape(-1, scores.shape[-1]).astype(float)
    weights = [[np.exp(e - max(row)) for e in row] for row in rows]
    return np.array([np.divide(row, sum(row)) for row in weights]).reshape(scores.shape)


def in_float32(scores):
    return ref.softmax(scores.astype("float32"))


def by_logarithm(scores):
    return np.exp(scores - np.logaddexp.reduce(scores, axis=-1, keepdims=True))


def in_a_subclass(scores):
    class Weights(np.ndarray):
        pass

    return ref.softmax(scores).view(Weights)


def of_kept_scores(scores, mask):
    weights = np.zeros(scores.shape)
    for index in np.ndindex(scores.shape[:-1]):
        kept = scores[index][mask[index]]
        if kept.size:
            weights[index][mask[index]] = over_sum(np.exp(kept - kept.max()))
    return weights


def with_maximum_where(scores, mask):
    highest = scores.max(axis=-1, keepdims=True, where=mask, initial=-np.inf)
    exponentials = np.where(mask, np.exp(scores - highest), 0)
    total = exponentials.sum(axis=-1, keepdims=True)
    return np.divide(exponentials, total, np.zeros(scores.shape), where=total > 0)


def large_number_and_zeros(scores, mask):
    return ref.softmax(np.where(mask, scores, -1e9)) * mask


def shifted_before_dividing(scores, degrees):
    highest = scores.max(axis=-1, keepdims=True)
    return over_sum(np.exp((scores - highest) / degrees))


def temperature_in_float32(scores, degrees):
    return ref.softmax(scores.astype("float32") / np.float32(degrees))


def query_by_query(query, keys, values, bandwidth):
    return np.array(
        [ref.softmax(-((q - keys) ** 2) / (2 * bandwidth**2)) @ values for q in query]
    )


def by_einsum(query, keys, values, bandwidth):
    weights = ref.softmax(-0.5 * (np.subtract.outer(query, keys) / bandwidth) ** 2)
    return np.einsum("qk,k->q", weights, values)


def by_dot_product(query, keys, values, bandwidth):
    scores = (np.outer(query, keys) - keys**2 / 2) / bandwidth**2
    return (values * ref.softmax(scores)).sum(axis=1)


def into_an_array_like_the_scores(scores, degrees):
    weights = np.zeros_like(scores)
    for index in np.ndindex(scores.shape[:-1]):
        weights[index] = ref.softmax(scores[index] / degrees)
    return weights


def into_a_copy_of_the_scores(scores, degrees):
    weights = scores.copy()
    weights /= degrees
    weights[...] = ref.softmax(weights)
    return weights


def into_an_array_like_the_query(query, keys, values, bandwidth):
    result = np.empty_like(query)
    for place, q in enumerate(query):
        result[place] = ref.softmax(-((q - keys) ** 2) / (2 * bandwidth**2)) @ values
    return result


def into_zeros_like_the_scores(scores, mask):
    weights = np.zeros_like(scores)
    weights[...] = ref.softmax(scores, mask)
    return weights


def product_over_sum(scores, attention):
    return over_sum(attention * np.exp(scores - scores.max(axis=-1, keepdims=True)))


def weights_renormalized(scores, attention):
    return over_sum(ref.softmax(scores) * attention)


def with_an_own_softmax(query, keys, values, mask, degrees):
    weights = psychology.masked_softmax.reference_solution(
        np.einsum("qd,kd->qk", query, keys) / degrees, mask
    )
    return np.einsum("qk,kv->qv", weights, values)


def lookup_query_by_query(query, keys, values, mask, degrees):
    results = np.zeros((len(query), values.shape[1]))
    for i, (q, allowed) in enumerate(zip(query, mask, strict=True)):
        if allowed.any():
            results[i] = ref.softmax(keys[allowed] @ q / degrees) @ values[allowed]
    return results


def with_points_deleted(keys, values, bandwidths):
    errors = []
    for h in bandwidths:
        squares = 0.0
        for i, key in enumerate(keys):
            others, rest = np.delete(keys, i), np.delete(values, i)
            weights = ref.softmax(-((key - others) ** 2) / (2 * h**2))
            squares += (weights @ rest - values[i]) ** 2
        errors.append(squares / len(keys))
    return np.array(errors), min(zip(errors, bandwidths, strict=True))[1]


def with_infinity_on_the_diagonal(keys, values, bandwidths):
    squares = (keys[:, None] - keys) ** 2.0
    np.fill_diagonal(squares, np.inf)
    weights = ref.softmax(-squares / (2 * bandwidths[:, None, None] ** 2))
    errors = ((weights @ values - values) ** 2).mean(axis=1)
    return errors, float(bandwidths[errors.argmin()])


@parametrized(
    biased_softmax=[product_over_sum, weights_renormalized],
    choose_bandwidth=[with_points_deleted, with_infinity_on_the_diagonal],
    soft_lookup=[with_an_own_softmax, lookup_query_by_query],
    softmax=[row_by_row, in_float32, by_logarithm, in_a_subclass],
    masked_softmax=[
        of_kept_scores,
        with_maximum_where,
        large_number_and_zeros,
        into_zeros_like_the_scores,
    ],
    temperature=[
        shifted_before_dividing,
        temperature_in_float32,
        into_an_array_like_the_scores,
        into_a_copy_of_the_scores,
    ],
    kernel_regression=[
        query_by_query,
        by_einsum,
        by_dot_product,
        into_an_array_like_the_query,
    ],
)
def test_exercise_accepts_right_answer(exercise, answer):
    result = exercise.check(answer)
    assert result.passed, result


# Hints, solutions, and the chapters' own cells


def exercises_of(module):
    return [value for value in vars(module).values() if isinstance(value, Exercise)]


@every_chapter
def test_hints_and_solutions_write_no_large_number_for_infinity(module, name):
    for exercise in exercises_of(module):
        for text in [exercise.source, *exercise.hints]:
            assert "1e9" not in text and "* mask" not in text, exercise.name


def test_solutions_of_chapter_1_call_the_softmax_of_the_course():
    for exercise in (psychology.temperature, psychology.kernel_regression):
        assert "ref.softmax(" in exercise.source and "exp" not in exercise.source


def cells_of(name):
    """(trees of the exercise cells, trees of the other code cells) of a chapter."""
    path = ROOT / "book" / f"{name}.ipynb"
    cells = [
        cell
        for cell in json.loads(path.read_text("utf-8"))["cells"]
        if cell["cell_type"] == "code"
    ]
    stubs, others = [], []
    for cell in cells:
        is_stub = "exercise" in cell["metadata"].get("tags", [])
        (stubs if is_stub else others).append(ast.parse("".join(cell["source"])))
    return stubs, others


@every_chapter
def test_stubs_take_no_name_that_another_cell_needs(module, name):
    """Rerunning an earlier cell after a stub has to work: it may check what stands
    there, or take the solution where that does not pass.
    """
    stubs, others = cells_of(name)
    names = {tree.body[0].name for tree in stubs}
    assert names == {exercise.name for exercise in exercises_of(module)}
    for tree in others:
        used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        checked = {
            ast.unparse(node.args[-1])
            for node in ast.walk(tree)
            if isinstance(node, ast.Call)
            and ast.unparse(node.func).endswith((".check", "solved_or_ours"))
        }
        assert used & names == checked & names, ast.unparse(tree)


@every_chapter
def test_no_solution_stands_in_the_chapter(module, name):
    """Not even half of its statements, word for word."""
    kinds = ast.Assign, ast.Return, ast.AugAssign
    _, others = cells_of(name)
    shown = {
        ast.unparse(node)
        for tree in others
        for node in ast.walk(tree)
        if isinstance(node, kinds)
    }
    for exercise in exercises_of(module):
        statements = [
            ast.unparse(node)
            for node in ast.walk(ast.parse(exercise.source))
            if isinstance(node, kinds)
        ]
        repeated = [statement for statement in statements if statement in shown]
        assert 2 * len(repeated) < len(statements), (exercise.name, repeated)


@every_chapter
def test_known_mistakes_warn_of_nothing(module, name):
    """A reader would see the warning and take it for one of their own code."""
    for exercise in exercises_of(module):
        for _, mistake in exercise.known_mistakes:
            for _, arguments in exercise._fresh_cases():
                with np.errstate(all="ignore"), warnings.catch_warnings():
                    warnings.simplefilter("error")
                    with contextlib.suppress(
                        ValueError, IndexError, ZeroDivisionError, CheckFailed
                    ):
                        mistake(*arguments)
