"""Tokens to token IDs and back, and what is refused on the way."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from attnlib.vocabulary import END, PAD, SPECIAL, START, Vocabulary

ABC = Vocabulary([PAD, START, END, "a", "b", "c"])
words = st.text(min_size=1).filter(lambda token: token not in SPECIAL)
sentences = st.lists(st.lists(words, min_size=1, max_size=6), min_size=1, max_size=5)


def test_vocabulary_special_tokens_come_first():
    assert (Vocabulary.pad, Vocabulary.start, Vocabulary.end) == (0, 1, 2)
    assert [ABC.index[token] for token in (PAD, START, END)] == [0, 1, 2]
    assert len(ABC) == 6


def test_vocabulary_of_sorts_the_tokens():
    vocabulary = Vocabulary.of([["b", "a"], ("c", "a")])
    assert vocabulary.tokens == ABC.tokens
    assert Vocabulary.of(iter([["b", "a"], ["c"]])).tokens == ABC.tokens


def test_encode_by_hand():
    numbers = ABC.encode([["a"], ["c", "b", "a"]])
    assert_array_equal(numbers, [[3, 0, 0], [5, 4, 3]])
    assert numbers.dtype == np.int32
    assert_array_equal(
        ABC.encode([["a"], ["c", "b"]], start=True), [[1, 3, 0], [1, 5, 4]]
    )
    assert_array_equal(
        ABC.encode([["a"], ["c", "b"]], end=True), [[3, 2, 0], [5, 4, 2]]
    )
    assert_array_equal(
        ABC.encode([["a"], ["c", "b"]], start=True, end=True),
        [[1, 3, 2, 0], [1, 5, 4, 2]],
    )


def test_encode_no_sentences():
    assert ABC.encode([]).shape == (0, 0)


def test_decode_stops_at_the_first_end():
    assert ABC.decode([1, 3, 4, 2, 5, 2, 0]) == ["a", "b"]
    assert ABC.decode([3, 0, 4]) == ["a", "b"]
    assert ABC.decode([2, 3]) == []
    assert ABC.decode(np.array([5, 4], np.int32)) == ["c", "b"]
    assert ABC.decode([]) == []


@given(sentences)
def test_decode_undoes_encode(sentences):
    vocabulary = Vocabulary.of(sentences)
    for row, sentence in zip(
        vocabulary.encode(sentences, start=True, end=True), sentences, strict=True
    ):
        assert vocabulary.decode(row) == sentence


@given(sentences)
def test_vocabulary_is_made_again_from_its_tokens(sentences):
    vocabulary = Vocabulary.of(sentences)
    assert_array_equal(
        Vocabulary(vocabulary.tokens).encode(sentences), vocabulary.encode(sentences)
    )


@pytest.mark.parametrize(
    "tokens",
    [[], ["a", "b"], ["a", PAD, START, END], [START, PAD, END, "a"], [PAD, START]],
)
def test_vocabulary_without_its_special_tokens_is_refused(tokens):
    with pytest.raises(
        ValueError, match="tokens should start with <pad>, <start>, <end>, got"
    ) as raised:
        Vocabulary(tokens)
    assert str(tokens[:3]) in str(raised.value)
    assert "Vocabulary.of(sentences) puts them there" in str(raised.value)


def test_vocabulary_refuses_a_token_twice_and_what_is_no_string():
    with pytest.raises(
        ValueError,
        match=r"tokens should hold each token once, got \['a'\] more than once",
    ):
        Vocabulary([*SPECIAL, "a", "b", "a"])
    with pytest.raises(TypeError, match="tokens should be strings, got 7 of type int"):
        Vocabulary([*SPECIAL, "a", 7])


TEXT = (
    r"sentence 1 should be a list of tokens such as \['two', 'words'\], got the text"
    r" 'two words'"
)


@pytest.mark.parametrize("use", [Vocabulary.of, ABC.encode], ids=["of", "encode"])
@pytest.mark.parametrize(
    "sentence, error, message",
    [
        ("two words", TypeError, TEXT),
        ("", TypeError, "sentence 1 should be a list of tokens .* got the text ''"),
        ([3, 4], TypeError, r"sentence 1 should be a list of strings, got \[3, 4\]"),
        (
            np.array([3, 4]),
            TypeError,
            r"sentence 1 should be a list of strings, got array\(\[3, 4\]\)",
        ),
        (None, TypeError, "sentence 1 should be a list of strings, got None"),
        ([], ValueError, "sentence 1 should have at least one token, got none"),
        (
            ["a", END],
            ValueError,
            (
                "sentence 1 should hold words alone, got '<end>': special tokens are"
                " added later"
            ),
        ),
        ([PAD], ValueError, "sentence 1 should hold words alone, got '<pad>'"),
    ],
)
def test_sentences_that_are_no_token_lists_are_refused(use, sentence, error, message):
    with pytest.raises(error, match=message):
        use([["a"], sentence])


def test_encode_names_the_unknown_word():
    with pytest.raises(ValueError) as raised:
        ABC.encode([["a"], ["a", "zebra"]])
    assert (
        str(raised.value)
        == "sentence 1 should hold tokens of the vocabulary, got 'zebra', which is not"
        " among its 6 tokens (such as ['a', 'b', 'c'])"
    )
