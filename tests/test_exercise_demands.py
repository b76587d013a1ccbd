"""Is every exercise checked on what life brings? Its cases are read, and wrong answers
are made from its own solution.

A demand that does not fit an exercise is in OPT_OUTS, with the sentence of the
exercise's docstring that allows it.

Known mistakes in single precision take long: here, those of the first exercise of each
chapter, and all of them in tests/weekly/test_exercises_at_length.py.
"""

import functools
import itertools
import re

import numpy as np
import pytest
from test_exercises import EXERCISES, every_exercise, first_of_each_chapter

from attnlib import reference as ref
from attnlib.checking import compare
from attnlib.exercises._demands import MASK_KINDS, in_float32, mask_kind
from attnlib.exercises._mistakes import reference_with, with_globals

# (exercise, demand): the words of its docstring that allow it to be left out.
OPT_OUTS = {
    ("masked_weights", "nothing"): "Every sentence has at least one word.",
    ("final_state", "padding first"): "True at words, which come first",
    ("final_state", "a gap"): "True at words, which come first",
    ("final_state", "first_words"): "True at words, which come first",
    ("next_token_loss", "padding first"): "True at tokens, which come first",
    ("next_token_loss", "a gap"): "True at tokens, which come first",
    ("next_token_loss", "first_words"): "True at tokens, which come first",
    ("window_attend", "shifted by one maximum"): "weights of one query",
    ("rotary_stream", "shifted by one maximum"): "over the scores of one query",
    ("self_attention_weights", "nothing"): "Every sentence has at least one word.",
    ("self_attention_weights", "-1e9"): "rows of padded queries are not used",
    ("self_attention_weights", "-1e9 added"): "with numbers from -1000 to 1000",
    ("permutation_test", "a and b"): "the order of a and b does not matter",
    ("fixed_links_error_rate", "sorted_lists"): "lists of sets",
    ("fixed_links_error_rate", "without_repetition"): "lists of sets",
    ("head_error_rates", "sorted_lists"): "lists of sets",
    ("head_error_rates", "without_repetition"): "lists of sets",
}


def text_of(exercise):
    return " ".join(exercise.reference_solution.__doc__.split())


def opted_out(exercise, demand):
    return (exercise.name, demand) in OPT_OUTS


def cases_of(exercise):
    """The arguments of every case, by name."""
    names = exercise._parameters
    return [dict(zip(names, args, strict=False)) for _, args in exercise._fresh_cases()]


def values_of(exercise, kind):
    """Every argument of a kind, with its name, over all cases."""
    for case in cases_of(exercise):
        for name, value in case.items():
            if isinstance(value, kind):
                yield name, value


def refused(exercise, mutant):
    return not exercise.check(mutant).passed


def changes(exercise, mutant):
    """Whether a mutant of the solution differs from it in any case."""
    for case, expected in enumerate(exercise._expected):
        _, args = exercise._fresh_case(case)
        outcome = exercise._outcome(mutant, args, time_limit=20)
        if outcome.problem or exercise._difference(expected, outcome.result):
            return True
    return False


def test_opt_outs_quote_the_text_of_their_exercise():
    named = {param.values[0].name: param.values[0] for param in EXERCISES}
    for (name, _), quote in OPT_OUTS.items():
        assert quote in text_of(named[name]), (name, quote)


# Masks


def masks_of(exercise):
    return [value for name, value in values_of(exercise, np.ndarray) if "mask" in name]


MASKED = [p for p in EXERCISES if masks_of(p.values[0])]


@pytest.mark.parametrize("exercise", MASKED)
def test_cases_have_every_kind_of_mask(exercise):
    rows = [
        row for mask in masks_of(exercise) for row in mask.reshape(-1, mask.shape[-1])
    ]
    missing = {*MASK_KINDS, "all words"} - {mask_kind(row) for row in rows}
    assert {kind for kind in missing if not opted_out(exercise, kind)} == set()


@pytest.mark.parametrize("exercise", MASKED)
def test_cases_have_an_empty_row_beside_a_full_one(exercise):
    def is_mixed(mask):
        any_word = mask.any(axis=-1)
        return any_word.any() and not any_word.all()

    if not opted_out(exercise, "nothing"):
        assert any(map(is_mixed, masks_of(exercise)))


def first_words(mask):
    """A mask of as many True values, all of them in front."""
    return np.arange(mask.shape[-1]) < mask.sum(axis=-1, keepdims=True)


def padding_as_words(mask):
    return np.ones_like(mask)


@pytest.mark.parametrize("wrong", [first_words, padding_as_words])
@pytest.mark.parametrize("exercise", MASKED)
def test_check_refuses_another_mask(exercise, wrong):
    def mutant(*arguments):
        arguments = [
            wrong(value) if str(getattr(value, "dtype", "")) == "bool" else value
            for value in arguments
        ]
        return exercise.reference_solution(*arguments)

    if not opted_out(exercise, wrong.__name__):
        assert refused(exercise, mutant)


# Softmax


def shifted_by(shift):
    """A softmax that leaves padding out, and subtracts shift(scores) from each row."""

    def softmax(scores, mask=None):
        mask = np.broadcast_to(True if mask is None else mask, np.shape(scores))
        exponentials = np.where(mask, np.exp(scores - shift(np.asarray(scores))), 0)
        total = exponentials.sum(axis=-1, keepdims=True)
        return exponentials / np.where(total == 0, 1, total)

    return softmax


def plain_softmax(scores):
    exponentials = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def large_negative(scores, mask=None):
    return plain_softmax(scores if mask is None else np.where(mask, scores, -1e9))


def afterwards(scores, mask=None):
    return plain_softmax(scores) * (True if mask is None else mask)


def normalized_again(scores, mask=None):
    weights = afterwards(scores, mask)
    total = weights.sum(axis=-1, keepdims=True)
    return weights / np.where(total == 0, 1, total)


def added(scores, mask=None):
    return plain_softmax(scores if mask is None else scores + np.where(mask, 0, -1e9))


UNMASKED_FAULTS = {
    "without a shift": shifted_by(lambda scores: 0),
    "shifted by the mean": shifted_by(lambda scores: scores.mean(-1, keepdims=True)),
    "shifted by one maximum": shifted_by(lambda scores: scores.max()),
}
MASKED_FAULTS = {
    "-1e9": large_negative,
    "masked afterwards": afterwards,
    "normalized again": normalized_again,
    "-1e9 added": added,
}
WITH_SOFTMAX = [
    p
    for p in EXERCISES
    if re.search(r"ref\.(softmax|attend|local_attend)", p.values[0].source)
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("fault", [*UNMASKED_FAULTS, *MASKED_FAULTS])
@pytest.mark.parametrize("exercise", WITH_SOFTMAX)
def test_check_refuses_a_faulty_softmax(exercise, fault):
    softmax = {**UNMASKED_FAULTS, **MASKED_FAULTS}[fault]
    if (fault in MASKED_FAULTS and not masks_of(exercise)) or opted_out(
        exercise, fault
    ):
        return
    mutant = with_globals(
        exercise.reference_solution, ref=reference_with(softmax=softmax)
    )
    assert refused(exercise, mutant)


# Sizes


def sizes_of(exercise):
    """The sizes in each case, by the names that the docstring gives to the axes."""
    shapes = re.findall(r"((?:\w+, )*\w+): \((\w+(?:, \w+)*),?\)", text_of(exercise))
    axes = {}
    for names, shape in shapes:
        for name in names.split(", "):
            axes[name] = shape.split(", ")
    found = []
    for case in cases_of(exercise):
        sizes = {}
        for name, value in case.items():
            if isinstance(value, np.ndarray) and value.ndim == len(axes.get(name, ())):
                sizes.update(zip(axes[name], value.shape, strict=True))
        found.append(sizes)
    return found


WITH_SIZES = [
    p for p in EXERCISES if any(len(sizes) > 1 for sizes in sizes_of(p.values[0]))
]


@pytest.mark.parametrize("exercise", WITH_SIZES)
def test_cases_have_all_sizes_different_and_all_sizes_equal(exercise):
    different = [len(set(sizes.values())) for sizes in sizes_of(exercise)]
    names = max(map(len, sizes_of(exercise)))
    assert names in different or opted_out(exercise, "all sizes different")
    assert any(
        len(set(sizes.values())) == 1 and min(sizes.values()) > 1
        for sizes in sizes_of(exercise)
        if sizes
    ) or opted_out(exercise, "all sizes equal")


@pytest.mark.parametrize("axis", ["batch", "source_len"])
@pytest.mark.parametrize("exercise", WITH_SIZES)
def test_cases_have_a_size_of_one(exercise, axis):
    found = {sizes[axis] for sizes in sizes_of(exercise) if axis in sizes}
    assert not found or (1 in found and len(found) > 1) or opted_out(exercise, axis)


def swapped_if_square(value):
    is_square = (
        isinstance(value, np.ndarray)
        and value.ndim > 1
        and value.shape[-1] == value.shape[-2]
    )
    return value.swapaxes(-1, -2) if is_square else value


@every_exercise
def test_check_refuses_transposed_squares(exercise):
    def mutant(*arguments):
        result = exercise.reference_solution(*arguments)
        if isinstance(result, tuple):
            return tuple(map(swapped_if_square, result))
        return swapped_if_square(result)

    def is_matrix(value):
        parts = value if isinstance(value, tuple) else [value]
        return any(isinstance(p, np.ndarray) and p.ndim > 1 for p in parts)

    if any(map(is_matrix, exercise._expected)):
        assert refused(exercise, mutant) or opted_out(exercise, "transposed squares")


def same_kind(one, other):
    both = isinstance(one, np.ndarray) and isinstance(other, np.ndarray)
    return both and one.shape == other.shape and one.dtype.kind == other.dtype.kind


@every_exercise
def test_check_refuses_exchanged_arguments(exercise):
    """Two arrays exchanged, but only where their shapes allow it."""
    names = exercise._parameters
    for i, j in itertools.combinations(range(len(names)), 2):
        met = [0]

        def mutant(*arguments, i=i, j=j, met=met):
            arguments = list(arguments)
            if j < len(arguments) and same_kind(arguments[i], arguments[j]):
                met[0] += 1
                arguments[i], arguments[j] = arguments[j], arguments[i]
            return exercise.reference_solution(*arguments)

        changed = changes(exercise, mutant)
        if met[0] and not opted_out(exercise, f"{names[i]} and {names[j]}"):
            assert changed and refused(exercise, mutant), (names[i], names[j])


# Order and repetition


def sorted_lists(value):
    """Every list of strings or numbers, or of lists, with its items sorted."""
    if isinstance(value, list) and all(isinstance(item, (str, int)) for item in value):
        return sorted(value)
    if isinstance(value, list):
        return list(map(sorted_lists, value))
    if callable(value):
        return lambda *arguments: value(*map(sorted_lists, arguments))
    return value


def without_repetition(value):
    """Every list of strings or numbers with each item once."""
    if isinstance(value, list) and all(isinstance(item, (str, int)) for item in value):
        return list(dict.fromkeys(value))
    if isinstance(value, list):
        return list(map(without_repetition, value))
    if callable(value):
        return lambda *arguments: value(*map(without_repetition, arguments))
    return value


WITH_LISTS = [p for p in EXERCISES if any(values_of(p.values[0], list))]


@pytest.mark.parametrize("wrong", [sorted_lists, without_repetition])
@pytest.mark.parametrize("exercise", WITH_LISTS)
def test_check_refuses_lists_in_another_order(exercise, wrong):
    def mutant(*arguments):
        return exercise.reference_solution(*map(wrong, arguments))

    assert refused(exercise, mutant) or opted_out(exercise, wrong.__name__)


WITH_SETS = [p for p in EXERCISES if any(values_of(p.values[0], (set, frozenset)))]


@pytest.mark.parametrize("exercise", WITH_SETS)
def test_cases_have_empty_sets(exercise):
    names = {name for name, _ in values_of(exercise, (set, frozenset))}
    empty = {name for name, value in values_of(exercise, (set, frozenset)) if not value}
    missing = {name for name in names - empty if not opted_out(exercise, name)}
    assert missing == set()


# Precision


@every_exercise
def test_solution_in_float32_passes(exercise):
    def solution(*arguments):
        return exercise.reference_solution(*in_float32(arguments))

    result = exercise.check(solution)
    assert result.passed, result


@every_exercise
def test_cases_have_single_precision_and_whole_numbers(exercise):
    arrays = [value for _, value in values_of(exercise, np.ndarray)]
    if any(array.dtype.kind == "f" for array in arrays):
        kinds = {array.dtype.name for array in arrays}
        assert "float32" in kinds or opted_out(exercise, "float32")


# Wrong wrappings


def wrappings(result):
    """(what was done, result) of ways to return right values wrongly."""
    if isinstance(result, tuple):
        for index, part in enumerate(result):
            for how, other in wrappings(part):
                yield how, (*result[:index], other, *result[index + 1 :])
    elif isinstance(result, np.ndarray):
        yield "a list", result.tolist()
        yield "strings", result.astype(str)
        yield "objects", result.astype(object)
        yield "complex", result.astype(complex)
        yield "half precision", result.astype("float16")
        yield "an axis more", result[None]
        yield "another dtype", result.astype("fi"[result.dtype.kind == "f"])
    elif isinstance(result, (bool, int, float)):
        yield "a string", str(result)
        yield "a list", [result]
        yield "an array", np.array([result])
        if not isinstance(result, float):
            yield "a float", float(result)
    elif isinstance(result, list):
        yield "a tuple", tuple(result)
        yield "an array", np.array(result)
        yield "a generator", (item for item in result)


def known_sentences(exercise):
    return {message for message, _ in exercise.known_mistakes}


def named(exercise, result):
    """The known mistake that a message begins with, or None."""
    said = " ".join(result.message.removeprefix(f"Not yet: {exercise.name}.").split())
    starts = [
        m for m in known_sentences(exercise) if said.startswith(" ".join(m.split()))
    ]
    return starts[0] if starts else None


@every_exercise
def test_right_values_in_a_wrong_wrapping_get_no_diagnosis(exercise):
    first = exercise._expected[0]
    if exercise.extract is not None:
        return
    for number, (how, _) in enumerate(wrappings(first)):

        def submission(*arguments, number=number):
            right = exercise.reference_solution(*arguments)
            others = [other for _, other in wrappings(right)]
            return others[min(number, len(others) - 1)]

        result = exercise.check(submission)
        assert named(exercise, result) is None, (how, result)


@every_exercise
def test_right_values_with_a_changed_argument_get_no_diagnosis(exercise):
    def spoil(*arguments):
        result = exercise.reference_solution(*arguments)
        for argument in arguments:
            if isinstance(argument, np.ndarray):
                argument[...] = 0
            elif isinstance(argument, (list, set)):
                argument.clear()
        return result

    if exercise.extract is not None:
        return
    result = exercise.check(spoil)
    assert result.passed or "in place. Work on a copy." in result.message
    assert named(exercise, result) is None, result


# Known mistakes


@every_exercise
def test_known_mistakes_can_be_told_apart(exercise):
    """No two mistakes of different messages do the same wherever one of them is wrong,
    and each is wrong often enough to be recognized.
    """
    mistakes = exercise._mistakes
    for mistake in mistakes:
        is_finding = any(mistake.outcome(case).is_finding for case in mistake.wrong_in)
        assert mistake.counts or is_finding, mistake.message
    for one, other in itertools.combinations(mistakes, 2):
        if one.message != other.message:
            either = {*one.wrong_in, *other.wrong_in}
            same = [exercise._same(one.outcome(c), other.outcome(c)) for c in either]
            assert not all(same), (one.message, other.message)


# In single precision, these overflow or round in other cases than in double.
OTHER_NUMBERS_IN_FLOAT32 = {
    "forced_decoding": ["exp is missing"],
    "grouped_query_attention": ["exp is missing"],
    "permutation_test": ["Distances that are equal", "You choose the second group"],
    "sequence_loss": ["Your softmax runs over the positions", "A smallest probability"],
}


@first_of_each_chapter
def test_known_mistake_in_single_precision_is_named_too(exercise):
    """The same mistake, spelled with other numbers on the way."""
    others = tuple(OTHER_NUMBERS_IN_FLOAT32.get(exercise.name, ()))
    for message, mistake in exercise.known_mistakes:
        if message.startswith(others):
            continue
        spelled = functools.partial(
            lambda mistake, *arguments: mistake(*in_float32(arguments)), mistake
        )
        if compare.count(exercise._expected[0]):
            submission = lambda *arguments, spelled=spelled: spelled(*arguments)  # noqa: E731
            result = exercise.check(submission)
            assert named(exercise, result) == message, (message, result)


def test_reference_with_another_softmax_uses_it_everywhere():
    faulty = reference_with(softmax=lambda scores, mask=None: np.zeros_like(scores))
    context, weights = faulty.attend(np.ones((1, 2, 3)), np.ones((1, 3, 4)))
    assert not weights.any() and not context.any()
    assert ref.attend(np.ones((1, 2, 3)), np.ones((1, 3, 4)))[1].all()
