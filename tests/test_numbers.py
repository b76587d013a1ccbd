"""Number words: hand-written words, distributions counted, what is refused."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from num2words import num2words

from attnlib.tasks import numbers

SCALES = ("thousand", "million", "billion", "trillion")


def sources(pairs):
    return [tuple(source) for source, _ in pairs]


@pytest.mark.parametrize(
    ("number", "language", "spoken"),
    [
        (0, "en", "zero"),
        (81_000, "en", "eighty - one thousand"),
        (81_000, "fr", "quatre - vingt - un mille"),
        (
            1_234_567,
            "en",
            (
                "one million two hundred and thirty - four thousand five hundred and"
                " sixty - seven"
            ),
        ),
        (2_000_006, "de", "zwei Millionen sechs"),
        (10**12, "en", "one trillion"),
        (10**12, "fr", "un billion"),
    ],
)
def test_words_by_hand(number, language, spoken):
    assert numbers.words(number, language) == spoken.split()


@pytest.mark.parametrize("language", numbers.LANGUAGES)
def test_words_are_those_of_num2words(language):
    for number in (
        0,
        1,
        10,
        21,
        100,
        1_000,
        81_000,
        10**6,
        10**9 + 1,
        10**12,
        123_456_789_012_345,
        10**15 - 1,
    ):
        said = num2words(number, lang=language)
        assert "".join(numbers.words(number, language)) == said.replace(
            ",", ""
        ).replace(" ", ""), number


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 10**15 - 1), st.integers(0, 10**15 - 1))
def test_words_differ_for_different_numbers(one, other):
    assert (numbers.words(one) == numbers.words(other)) == (one == other)


def test_words_leave_no_comma_and_no_hyphen_inside_a_token():
    vocabulary = {
        token for source, target in numbers.pairs(2000) for token in source + target
    }
    assert "-" in vocabulary
    assert all(token == "-" or token.isalpha() for token in vocabulary)


def test_pairs_say_the_same_number_twice():
    spoken = {
        tuple(numbers.words(number, "de")): numbers.words(number, "es")
        for number in range(1000)
    }
    for source, target in numbers.pairs(100, max_digits=3, source="de", target="es"):
        assert target == spoken[tuple(source)]


def test_pairs_are_the_same_for_the_same_seed_and_begin_longer_lists():
    assert numbers.pairs(50, seed=3) == numbers.pairs(80, seed=3)[:50]
    assert numbers.pairs(50, seed=3) != numbers.pairs(50, seed=4)


def test_pairs_are_pinned_across_platforms_and_versions():
    assert [" ".join(source) for source, _ in numbers.pairs(2)] == [
        "seven hundred and sixty",
        "two million six hundred and one thousand one hundred and eighty",
    ]


def test_pairs_hold_no_number_twice():
    assert len(set(sources(numbers.pairs(3000, max_digits=4)))) == 3000


def test_pairs_reach_every_number_of_few_digits():
    assert sorted(sources(numbers.pairs(100, max_digits=2))) == sorted(
        tuple(numbers.words(k)) for k in range(100)
    )


def test_pairs_draw_digit_counts_uniformly():
    # Numbers of 13 to 15 digits say "trillion": 3/15 of them, but for the repeats among
    # the few small numbers.
    trillions = sum("trillion" in source for source, _ in numbers.pairs(3000))
    assert 500 < trillions < 800


def test_pairs_exclude_makes_train_and_test_disjoint():
    train = numbers.pairs(800, max_digits=3)
    test = numbers.pairs(200, max_digits=3, exclude=train)
    assert len(test) == 200
    assert set(sources(train)) | set(sources(test)) == {
        tuple(numbers.words(k)) for k in range(1000)
    }


def test_stratified_fills_every_bin_and_avoids_the_training_set():
    edges = numbers.EDGES
    train = numbers.pairs(8000)
    test = numbers.stratified(per_bin=100, exclude=train)
    lengths = [len(source) for source, _ in test]
    bins = zip(edges, edges[1:], strict=False)
    assert [sum(low <= length < high for length in lengths) for low, high in bins] == [
        100
    ] * 7
    assert len(set(sources(test))) == 700
    assert not set(sources(test)) & set(sources(train))
    assert lengths[:100] == [length for length in lengths if length < 5]


def test_stratified_follows_the_source_language():
    assert {
        len(source)
        for source, _ in numbers.stratified(20, (6, 7), source="fr", target="en")
    } == {6}


@pytest.mark.parametrize("max_tokens", [8, 12, 15, 20])
def test_short_balances_the_scale_words(max_tokens):
    pairs = numbers.short(8000, max_tokens)
    counts = Counter(token for source, _ in pairs for token in set(source))
    assert min(counts[scale] for scale in SCALES) >= 200
    assert max(len(source) for source, _ in pairs) == max_tokens
    assert len(set(sources(pairs))) == 8000


def test_short_excludes_and_is_seeded():
    some = numbers.short(500, 10)
    assert some == numbers.short(500, 10)
    assert not set(sources(some)) & set(
        sources(numbers.short(500, 10, seed=1, exclude=some))
    )


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: numbers.words(-1),
            ValueError,
            "number should be an integer between 0 and 999999999999999, got -1",
        ),
        (
            lambda: numbers.words(10**15),
            ValueError,
            "number should be an integer between 0 and",
        ),
        (
            lambda: numbers.words(1.5),
            TypeError,
            r"number should be an integer between 0 and 9+, got 1\.5",
        ),
        (
            lambda: numbers.words(5, "elvish"),
            ValueError,
            "language should be one of 'ar', 'az', .*'fr',.* got 'elvish'",
        ),
        (
            lambda: numbers.words(5, ["en"]),
            TypeError,
            r"language should be a str such as 'en', got \['en'\]",
        ),
        (
            lambda: numbers.pairs(0),
            ValueError,
            "n should be an integer of 1 or more, got 0",
        ),
        (
            lambda: numbers.pairs("10"),
            TypeError,
            "n should be an integer of 1 or more, got '10'",
        ),
        (
            lambda: numbers.pairs(True),
            TypeError,
            "n should be an integer of 1 or more, got True",
        ),
        (
            lambda: numbers.pairs(5, max_digits=0),
            ValueError,
            "max_digits should be an integer between 1 and 15, got 0",
        ),
        (
            lambda: numbers.pairs(5, max_digits=16),
            ValueError,
            "max_digits should be an integer between 1 and 15, got 16",
        ),
        (
            lambda: numbers.pairs(5, seed=None),
            TypeError,
            "seed should be an integer of 0 or more, got None",
        ),
        (
            lambda: numbers.pairs(5, target="xx"),
            ValueError,
            "language should be one of .* got 'xx'",
        ),
        (
            lambda: numbers.pairs(11, max_digits=1),
            ValueError,
            "there should be 11 numbers .* got 10 among 10 drawn",
        ),
        (
            lambda: numbers.pairs(
                3, max_digits=1, exclude=numbers.pairs(8, max_digits=1)
            ),
            ValueError,
            "there should be 3 numbers .* got 2 among .* or exclude less",
        ),
        (
            lambda: numbers.pairs(3, exclude=["one two"]),
            TypeError,
            "exclude should be pairs .* as numbers.pairs returns them, got 'one two'",
        ),
        (
            lambda: numbers.pairs(3, exclude=[["one", "two"]]),
            TypeError,
            r"exclude should be pairs .* returns them, got \['one', 'two'\]",
        ),
        (
            lambda: numbers.short(3, 5, exclude=[7]),
            TypeError,
            "exclude should be pairs .* returns them, got 7",
        ),
        (
            lambda: numbers.stratified(0),
            ValueError,
            "per_bin should be an integer of 1 or more, got 0",
        ),
        (
            lambda: numbers.stratified(5, (10, 5)),
            ValueError,
            r"edges should be two or more increasing numbers, got \(10, 5\)",
        ),
        (
            lambda: numbers.stratified(5, (10,)),
            ValueError,
            r"edges should be two or more increasing numbers, got \(10,\)",
        ),
        (
            lambda: numbers.stratified(50, (0, 2, 10)),
            ValueError,
            "there should be 50 numbers of 0 ≤ length < 2 tokens, got 28 among",
        ),
        (
            lambda: numbers.short(5, 0),
            ValueError,
            "max_tokens should be an integer of 1 or more, got 0",
        ),
        (
            lambda: numbers.short(50, 1),
            ValueError,
            "there should be 50 numbers of 0 ≤ length < 2 tokens, got 28 among",
        ),
    ],
)
def test_numbers_refuse_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()
