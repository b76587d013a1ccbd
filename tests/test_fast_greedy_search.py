"""The faster ways through greedy decoding give what the plain one gives."""

import time

import numpy as np
import pytest
import toy_task
from numpy.testing import assert_allclose, assert_array_equal

from attnlib import decoding, fast_greedy
from attnlib.fast.greedy import Greedy
from attnlib.fast.xla import available
from attnlib.seq2seq import ATTENTIONS

SOURCES = toy_task.pairs(40, seed=5, shortest=1, longest=9)


def greedy_of(attention, **options):
    """A search, and what it is asked: sentences as numbers and limits, some of which
    are reached before <end>.
    """
    if attention == "location":
        options["max_source_len"] = 9
    model = toy_task.model(seed=3, scale=1.2, attention=attention, **options)
    source = model.source_vocabulary.encode([source for source, _ in SOURCES])
    return Greedy(model), source, np.arange(len(source), dtype=np.int32) % 7 + 6


def assert_same(got, expected, lengths):
    """Tokens up to the length of the longer are equal, beyond the shorter <end>;
    weights of what was written too.
    """
    tokens, weights = (np.asarray(x) for x in got)
    plain_tokens, plain_weights = (np.asarray(x) for x in expected)
    steps = plain_tokens.shape[1]
    assert_array_equal(tokens[:, :steps], plain_tokens)
    assert (tokens[:, steps:] == 2).all()
    for row, length in enumerate(lengths):
        assert_allclose(
            weights[row, :length], plain_weights[row, :length], atol=1e-5
        )  # float32 over many steps


def written(tokens, limits):
    """How many steps count in each row: as many as words, and one for <end>, within the
    limit.
    """
    return np.minimum((tokens != 2).sum(1) + 1, limits)


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_halving_equals_greedy(attention):
    search, source, limits = greedy_of(attention)
    expected = [x.numpy() for x in decoding.greedy(search.model, source, limits)]
    lengths = written(expected[0], limits)
    assert len(set(lengths)) > 3
    assert_same(search(source, limits), expected, lengths)
    assert search.steps is not None  # that way was taken


needs_xla = pytest.mark.skipif(
    not available(), reason="this TensorFlow has no XLA for the processor"
)


@needs_xla
@pytest.mark.parametrize("attention", ATTENTIONS)
def test_compiled_for_one_sentence_equals_greedy(attention):
    search, source, limits = greedy_of(attention, bidirectional=False)
    search.USUAL = 0, 99
    for row in range(6):
        length = (source[row] != 0).sum()
        one = source[row : row + 1, :length], limits[row : row + 1]
        expected = [x.numpy() for x in decoding.greedy(search.model, *one)]
        assert_same(search(*one), expected, written(expected[0], one[1]))
    assert list(search.compiled) == [(1, 9 if attention == "location" else 12)]


@needs_xla
@pytest.mark.parametrize("attention", ATTENTIONS)
def test_compiled_for_a_batch_equals_greedy(attention):
    search, source, limits = greedy_of(attention)
    search.USUAL = 99, 0
    expected = [x.numpy() for x in decoding.greedy(search.model, source, limits)]
    lengths = written(expected[0], limits)
    assert len(set(lengths)) > 3 and len(source) == 40
    assert_same(search(source, limits), expected, lengths)
    assert list(search.compiled) == [(64, 9 if attention == "location" else 12)]
    assert search.steps is None  # nothing went another way


@needs_xla
def test_shape_is_compiled_when_it_has_come_often(monkeypatch):
    search, source, limits = greedy_of("additive")
    monkeypatch.setattr(Greedy, "USUAL", (3, 2))
    made = []
    for _ in range(5):
        search(source[:1], limits[:1])
        made.append(len(search.compiled))
    assert made == [0, 0, 0, 1, 1]
    long = np.resize(source[:1, :1], (1, 13))
    for _ in range(4):
        assert list(search.compiled) == [(1, 12)]
        search(long, limits[:1])
    assert list(search.compiled) == [(1, 12), (1, 24)]
    for rows in (3, 4, 3):
        assert len(search.compiled) == 2
        search(source[:rows], limits[:rows])
    assert list(search.compiled)[2:] == [(4, 12)]


@needs_xla
def test_limit_beyond_what_is_compiled_is_kept():
    search, source, _ = greedy_of("additive")
    search.USUAL = 0, 0
    model = search.model
    model.readout.set_weights(
        [model.readout.get_weights()[0] * 0, np.eye(len(model.target_vocabulary))[3]]
    )
    tokens, _ = search(source[:1], np.array([50]))  # 2 * 12 + 10 = 34 would be too few
    assert tokens.shape == (1, 50) and (tokens == 3).all()


def test_without_xla_sentences_are_decoded_all_the_same(monkeypatch):
    search, source, limits = greedy_of("additive")
    search.USUAL = 0, 0
    monkeypatch.setattr(fast_greedy, "available", lambda: False)
    for rows in (1, 40):
        expected = [
            x.numpy()
            for x in decoding.greedy(search.model, source[:rows], limits[:rows])
        ]
        assert_same(
            search(source[:rows], limits[:rows]),
            expected,
            written(expected[0], limits[:rows]),
        )
    assert not search.compiled


def test_halves_of_a_batch_are_put_back_in_their_places(monkeypatch):
    model = toy_task.model(seed=3, scale=1.2)
    sources = [source for source, _ in SOURCES]
    together = model.translate(sources, batch_size=256, verbose=0)
    assert len({t.text for t in together}) > 10
    sizes, decode = [], model.decode
    monkeypatch.setattr(
        model,
        "decode",
        lambda numbers, *x: sizes.append(len(numbers)) or decode(numbers, *x),
    )
    apart = model.translate(sources, batch_size=15, verbose=0)
    assert sorted(sizes) == [8] * 5
    for a, b in zip(together, apart, strict=True):
        assert a.tokens == b.tokens
        assert_allclose(a.weights, b.weights, atol=1e-5)


@pytest.mark.parametrize("where", ["in a half", "between them"])
def test_error_reaches_the_caller_and_the_rest_is_left(where, monkeypatch):
    model, begun = toy_task.model(), []

    def decode(numbers, *_):
        begun.append(1)
        time.sleep(0.05)
        if where == "in a half":
            raise KeyboardInterrupt
        return np.full((len(numbers), 1), 2), None

    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(model, "decode", decode)
    monkeypatch.setattr(model.target_vocabulary, "decode", interrupt)
    with pytest.raises(
        KeyboardInterrupt
    ) as error:  # kept, as a notebook keeps it, and with it what stands in its frames
        model.translate([source for source, _ in SOURCES], batch_size=4, verbose=0)
    time.sleep(0.6)  # enough for all, were they not left
    assert 1 <= len(begun) < 10  # of 20
    assert error.tb is not None
