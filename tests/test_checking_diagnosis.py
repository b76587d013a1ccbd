"""What a check says about a failure: a diagnosis only if it is true, nothing twice,
nothing about the check itself. And what it takes for right.
"""

import collections
import enum

import numpy as np
import pytest

from attnlib.checking import compare, exercise, sandbox
from attnlib.checking.exercise import Exercise


def number_cases(rng):
    yield "two and three", (2, 3)
    yield "two and two", (2, 2)
    yield "four and five", (4, 5)


@exercise.exercise(number_cases, hints=["It is a sum."])
def total(one, other):
    """one + other, an int."""
    return one + other


@total.known_mistake("You multiply.")
def multiplies(one, other):
    return one * other


@total.known_mistake("You leave the larger one out.")
def minimum(one, other):
    return min(one, other)


@total.known_mistake("Equal numbers are counted once.")
def once(one, other):
    return one if one == other else one + other


def array_cases(rng):
    yield "three numbers", (np.array([[1.0, 2.0, 4.0]]),)
    yield "two sentences", (rng.normal(size=(2, 5)),)


@exercise.exercise(array_cases, hints=["Add."], batch=("values",))
def doubled(values):
    """2 * values, (batch, n)."""
    return 2 * values


@doubled.known_mistake("You square.")
def squares(values):
    return values**2


@doubled.known_mistake("You return the values as they are.")
def unchanged(values):
    return values.copy()


def said(result):
    return result.message.split("\n")[1]


# Diagnosis


def test_diagnosis_needs_agreement_in_every_case_where_the_mistake_is_wrong():
    assert said(total.check(multiplies)) == "You multiply."
    # The same 6 in the first case, but 9 instead of 20 in the last
    by_coincidence = lambda one, other: 2 * other if one < other else one + other  # noqa: E731
    assert said(total.check(by_coincidence)) == "The result:"
    assert said(total.check(lambda one, other: 6)) == "The result:"
    assert said(total.check(lambda one, other: other * one)) == "You multiply."


def test_diagnosis_needs_two_cases_or_one_of_six_numbers():
    assert said(total.check(once)) == "The result:"  # wrong in one case of one number
    assert not next(m for m in total._mistakes if "once" in m.message).counts


@pytest.mark.parametrize("size", [5, 6])
def test_diagnosis_from_a_single_case_depends_on_its_size(size):
    @exercise.exercise(lambda rng: iter([("one case", (np.ones(size),))]), hints=["2"])
    def twice(values):
        """Twice the values."""
        return 2 * values

    @twice.known_mistake("You add 2.")
    def adds(values):
        return values + 2

    @twice.known_mistake("You subtract.")
    def subtracts(values):
        return values - 2

    expected = "You add 2." if size == 6 else "The result:"
    assert said(twice.check(adds)) == expected


def test_diagnosis_runs_the_submission_again_only_if_a_mistake_agrees():
    calls = []

    def wrong(one, other):
        calls.append((one, other))
        return 100

    total.check(wrong)
    assert len(calls) == 1
    calls.clear()

    def product(one, other):
        calls.append((one, other))
        return one * other

    total.check(product)
    assert calls == [(2, 3), (4, 5)]  # two and two are four either way


def in_place(values):
    values *= 2
    return values


@pytest.mark.parametrize(
    ("submission", "expected"),
    [
        (in_place, "Your function changes its argument values in place."),
        (lambda v: (2 * v).astype("float16"), "The result should have dtype float64"),
        (lambda v: (2 * v).tolist(), "The result should be a NumPy array of shape"),
        (lambda v: (2 * v)[None], "The result should have shape (1, 3), got (1, 1, 3)"),
        (lambda v: (2 * v).astype(complex), "The result should have dtype float64"),
        (lambda v: {"a": 2 * v}, "The result should be a NumPy array of shape (1, 3)"),
    ],
)
def test_right_values_in_a_wrong_wrapping_get_one_sentence(submission, expected):
    assert said(doubled.check(submission)).startswith(expected)


def test_wrong_values_in_a_changed_argument_get_no_diagnosis():
    def squares_in_place(values):
        values **= 2
        return values

    assert said(doubled.check(squares_in_place)).startswith("Your function changes")


def test_finding_is_said_once_and_gets_no_diagnosis():
    def look(result, values):
        if result.sum() > 0:
            raise sandbox.CheckFailed("It is too large.")
        return result

    @exercise.exercise(
        lambda rng: iter([("a", (np.ones(7),)), ("b", (np.ones(8),))]),
        hints=["-"],
        extract=look,
    )
    def negated(values):
        """-values."""
        return -values

    @negated.known_mistake("It is too large.")
    def as_it_is(values):
        return values

    @negated.known_mistake("You double.")
    def double(values):
        return 2 * values

    for submission in (as_it_is, double, lambda values: values + 9):
        message = negated.check(submission).message
        assert message.startswith("Not yet: negated.\nIt is too large.\nInput: a")
        assert message.count("It is too large.") == 1
    returns_text = eval("lambda values: 'x'")  # of no file, so not of this one
    assert said(negated.check(returns_text)).startswith(
        "The check could not use your result (AttributeError: "
    )


# A failing batch


def test_failing_batch_shows_the_sentence_that_fails_alone():
    def second_is_wrong(values):
        result = 2 * values
        return np.where(values < 0, 0, result)

    result = doubled.check(second_is_wrong)
    _, (values,) = doubled._fresh_cases()[1]
    first = int(np.flatnonzero((values < 0).any(axis=1))[0])
    assert f"Input: two sentences; only sentence {first + 1} of 2" in result.message
    assert np.array_equal(result.inputs["values"], values[first : first + 1])
    assert result.got.shape == result.expected.shape == (1, 5)


def test_failing_batch_whose_sentences_are_right_alone_is_shown_whole():
    def over_the_batch(values):
        return 2 * values if len(values) == 1 else 2 * values[::-1]

    result = doubled.check(over_the_batch)
    assert "Input: two sentences\n" in result.message
    assert result.inputs["values"].shape == (2, 5)


# Errors and inputs in words


def ranked(query, keys):
    return query @ keys.T


def reshaped(query, keys):
    return query[:, :, None] + keys[None]


def joined(query, keys):
    return np.concatenate([query, keys], axis=-1)


def shape_cases(rng):
    yield "2 by 3 and 4 by 3", (np.ones((2, 3)), np.ones((1, 4, 3)))


@exercise.exercise(shape_cases, hints=["-"])
def products(query, keys):
    """The products."""
    return query @ keys[0].T


@pytest.mark.parametrize(
    ("submission", "shapes"),
    [
        (ranked, "where query has shape (2, 3) and keys.T has shape (3, 4, 1)"),
        (
            reshaped,
            "where query[:, :, None] has shape (2, 3, 1) and "
            "keys[None] has shape (1, 1, 4, 3)",
        ),
        (joined, "where query has shape (2, 3) and keys has shape (1, 4, 3)"),
        (lambda query, keys: np.einsum("ij,kj->ik", query, keys), "where query has"),
        (
            lambda query, keys: query @ keys.swapaxes(0, 2),
            "where query has shape (2, 3) and keys.swapaxes(0, 2) has shape (3, 4, 1)",
        ),
        (
            lambda query, keys: keys[0, :2] + (query * 2.0).transpose(),
            "where keys[0, :2] has shape (2, 3) and "
            "(query * 2.0).transpose() has shape (3, 2)",
        ),
    ],
)
def test_error_of_shapes_names_the_shapes(submission, shapes):
    message = products.check(submission).message
    assert "Your code raised ValueError: " in message
    assert shapes in message


def long_cases(rng):
    yield (
        "a long one and a short one",
        (rng.normal(size=(4, 6)), np.arange(2.0), "text"),
    )


@exercise.exercise(long_cases, hints=["-"])
def lengthened(values, small, word):
    """The values, 3 x 8."""
    return values.reshape(3, 8)


@pytest.mark.parametrize(
    ("submission", "is_short"),
    [
        (lambda values, small, word: values.copy(), True),
        (lambda values, small, word: values + small, True),
        (lambda values, small, word: values[0] @ small, True),
        (lambda values, small, word: 2 * values.reshape(3, 8), False),
        (lambda values, small, word: values["column"], False),
        (lambda values, small, word: word, False),
    ],
)
def test_long_input_is_shown_by_its_shape_where_shapes_are_wrong(submission, is_short):
    message = lengthened.check(submission).message
    *_, values, small, word = message.splitlines()
    assert ("  values = an array of shape (4, 6)" == values) == is_short
    assert values.startswith("  values = [[") or is_short
    assert (small, word) == ("  small = [0, 1]", "  word = 'text'")


def test_error_of_shapes_runs_nothing_of_the_submission():
    calls = []

    def noisy(array):
        calls.append(1)
        return array

    def wrong(query, keys):
        return noisy(query) @ noisy(keys).T

    message = products.check(wrong).message
    assert "raised ValueError" in message and "where" not in message
    assert len(calls) == 2


def test_message_cuts_every_kind_of_long_value():
    words = [["w"] * 400, ["v"] * 400]

    @exercise.exercise(lambda rng: iter([("many", (words, "x" * 5000))]), hints=["-"])
    def lengths(sentences, text):
        """The lengths."""
        return [[len(s) for s in sentences] * 500, {text: 1}]

    result = lengths.check(lambda sentences, text: [[0] * 1000, {text: 1}])
    assert max(map(len, result.message.splitlines())) < 400
    assert " ..." in result.message


def test_long_values_are_cut_around_their_first_difference():
    expected, got = list(range(3000)), [*range(2000), 7, *range(2001, 3000)]
    message = compare.difference(expected, got)
    assert "1999, 2000, 2001" in message and "1999, 7, 2001" in message
    assert len(message) < 800


# What passes


Pair = collections.namedtuple("Pair", "context weights")
Level = enum.IntEnum("Level", {"FIVE": 5})


class MyList(list):
    def __eq__(self, other):
        raise AssertionError("nobody may ask it")

    __hash__ = None


class Text(str):
    pass


@pytest.mark.parametrize(
    ("expected", "got"),
    [
        ((np.ones(2), 1.0), Pair(np.ones(2), 1.0)),
        ({(0, 1), (1, 2)}, frozenset({(0, 1), (1, 2)})),
        ({(0, 1)}, {(np.int64(0), np.int32(1))}),
        ([1, 2], MyList([1, 2])),
        ({"a": 1}, collections.OrderedDict(a=1)),
        (5, Level.FIVE),
        (["a"], [Text("a")]),
        (["a"], [np.str_("a")]),
        (np.ones((2, 2)), np.matrix(np.ones((2, 2)))),
        (np.arange(3), np.arange(3, dtype="uint8")),
        (np.ones(3), np.ones(3, "float32")),
        (2.0, np.float32(2)),
        (True, np.True_),
        (0.5, np.array(0.5)),
    ],
)
def test_equal_values_of_another_kind_pass(expected, got):
    assert compare.difference(sandbox.plain(expected), sandbox.plain(got)) is None


@pytest.mark.parametrize(
    ("expected", "got"),
    [
        (True, 1),
        (1, True),
        ([1, 2], (1, 2)),
        ({1}, [1]),
        (np.arange(3), np.arange(3) * 1.0),
        (np.ones(3), np.ones(3, "float16")),
        (np.ones(2), np.ma.masked_array([1.0, 1.0], mask=[False, True])),
    ],
)
def test_other_kinds_do_not_pass(expected, got):
    assert compare.difference(sandbox.plain(expected), sandbox.plain(got))


def test_plain_makes_exact_copies_of_subclasses():
    value = sandbox.plain((MyList([Text("a"), Level.FIVE]), Pair(1, 2)))
    assert [type(part) for part in value] == [list, tuple]
    assert [type(item) for item in value[0]] == [str, int]


def test_exercise_class_has_the_limit_of_a_tiny_result():
    assert exercise.NOT_TINY == 6 and Exercise.time_limit == 5
    assert compare.count((np.ones((2, 3)), [1, 2], {"a": 1}, {4})) == 10
