"""True sentences about sums: the words, the sums held out, and what counts as true."""

from collections import Counter

import pytest
from num2words import num2words

from attnlib.tasks import sums


def test_sentence_by_hand():
    assert sums.sentence(21, 7) == "twenty-one plus seven is twenty-eight .".split()
    assert sums.sentence(0, 50) == "zero plus fifty is fifty .".split()


def test_words_are_those_of_num2words():
    assert list(sums.WORDS) == [num2words(number) for number in range(51)]


def test_vocabulary_holds_every_token_once():
    tokens = {token for a, b in sums.pairs() for token in sums.sentence(a, b)}
    assert sorted(sums.VOCABULARY) == sorted(tokens)


def test_parts_share_no_sum_and_are_all_sums():
    parts = [sums.pairs(part) for part in ("train", "held_out", "mirrors")]
    assert [*map(len, parts)] == [1066, 130, 130]  # of 51 · 52 / 2 = 1,326
    assert sorted(sum(parts, [])) == sums.pairs()
    assert all(part == sorted(part) for part in parts)
    assert all(a + b <= 50 for a, b in sums.pairs())
    # Every number is met in training, and sums of every tenth of the range are asked.
    train, *held_out = parts
    assert {number for pair in train for number in pair} == set(range(51))
    for group in held_out:
        assert {(a + b) // 10 for a, b in group} >= {1, 2, 3, 4}


def test_no_text_has_the_mirror_of_a_sum_held_out():
    train = set(sums.pairs("train"))
    held_out = set(sums.pairs("held_out"))
    assert {(b, a) for a, b in held_out} == held_out
    assert not any((b, a) in train for a, b in held_out)


def test_every_mirror_is_in_the_texts_in_the_other_order():
    train = set(sums.pairs("train"))
    assert all((b, a) in train for a, b in sums.pairs("mirrors"))
    # About half of them have the larger number first.
    assert 40 < sum(a > b for a, b in sums.pairs("mirrors")) < 90


def test_text_draws_the_sums_of_training_evenly():
    tokens = sums.text(12_000, seed=3)
    assert len(tokens) == 72_000
    counts = Counter(map(tuple, sums.sentences(tokens)))
    assert set(counts) <= {tuple(sums.sentence(*pair)) for pair in sums.pairs("train")}
    # About 11 of each: a count is Poisson, and 32 has a probability below 1e-6.
    assert len(counts) >= 1062 and max(counts.values()) < 32


def test_text_repeats_with_its_seed_and_begins_alike():
    assert sums.text(20, seed=1)[:60] == sums.text(10, seed=1)
    assert sums.text(10, seed=1) != sums.text(10, seed=2)


def test_sentences_are_cut_after_each_period():
    tokens = "one plus one is two . two . plus".split()
    assert sums.sentences(tokens) == ["one plus one is two .".split(), ["two", "."]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("two plus two is four .", True),
        ("zero plus zero is zero .", True),
        ("two plus two is five .", False),
        ("two plus two is four", None),
        ("two is two plus four .", None),
        ("two plus two is four . .", None),
        ("two plus plus is four .", None),
        ("two plus two is lots .", None),
        (". plus two is two .", None),
        ("fifty plus fifty is one-hundred .", None),
    ],
)
def test_truth_by_hand(text, expected):
    assert sums.truth(text.split()) is expected


@pytest.mark.parametrize(
    ("function", "arguments", "error", "message"),
    [
        (sums.pairs, ["test"], ValueError, "part should be one of 'all', 'train', "),
        (sums.sentence, [51, 0], ValueError, "a should be an integer between 0 and 50"),
        (sums.sentence, [20, 31], ValueError, "b should be an integer between 0 and 3"),
        (sums.text, [0], ValueError, "n should be an integer of 1 or more, got 0"),
        (sums.text, [1, -1], ValueError, "seed should be an integer of 0 or more"),
        (sums.truth, ["two plus"], TypeError, "sentence should be a list of tokens"),
        (sums.sentences, ["a ."], TypeError, "tokens should be a list of tokens"),
        (sums.sentences, [[]], ValueError, "tokens should have at least one token"),
    ],
)
def test_sums_refuse_what_they_cannot_say(function, arguments, error, message):
    with pytest.raises(error, match=message):
        function(*arguments)
