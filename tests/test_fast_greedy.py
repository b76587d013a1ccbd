"""Greedy search in compiled form gives what the plain one gives."""

import numpy as np
import pytest
import toy_task
from numpy.testing import assert_allclose, assert_array_equal

from attnlib import fast
from attnlib.backend import tf
from attnlib.decoders import DECODERS
from attnlib.fast import greedy, xla
from attnlib.search import greedy_search

needs_xla = pytest.mark.skipif(
    not xla.available(), reason="this TensorFlow has no XLA for the processor"
)
SOURCES = [s for s, _ in toy_task.pairs(40, seed=5, shortest=1, longest=9)]


def a_search(attention="additive", **options):
    """A search, token IDs, and limits, some of which are reached before <end>."""
    if attention == "location":
        options["max_source_len"] = 9
    model = toy_task.model(seed=3, scale=1.2, attention=attention, **options)
    source = model.source_vocabulary.encode(SOURCES)
    limits = np.arange(len(source), dtype=np.int32) % 7 + 6
    return fast.GreedySearch(model, greedy_search), source, limits


def assert_same(search, source, limits):
    """Tokens are equal, and <end> after them; so are the weights of each step."""
    with fast.always():
        tokens, weights = search(source, limits)
    plain_tokens, plain_weights = greedy_search(search.model, source, limits)
    assert len(tokens) == len(weights) == len(source)
    lengths = []
    for row, (token_ids, alpha) in enumerate(zip(tokens, weights, strict=True)):
        expected = plain_tokens[row].numpy()
        longest = max(len(token_ids), len(expected))
        got, expected = (
            np.pad(x, (0, longest - len(x)), constant_values=2)
            for x in (token_ids, expected)
        )
        assert_array_equal(got, expected)
        # As many steps as tokens, and one for <end>, within the limit.
        length = min((got != 2).sum() + 1, limits[row])
        width = alpha.shape[1]
        assert_allclose(alpha[:length], plain_weights[row, :length, :width], atol=1e-5)
        assert not np.any(plain_weights[row, :length, width:])  # padding
        lengths.append(length)
    return set(lengths)


@needs_xla
@pytest.mark.parametrize("attention", DECODERS)
def test_greedy_search_of_one_sentence_equals_the_plain_one(attention):
    search, source, limits = a_search(attention, bidirectional=False)
    for row in range(6):
        length = (source[row] != 0).sum()
        assert_same(search, source[row : row + 1, :length], limits[row : row + 1])
    assert list(search.compiled) == [(1, 9 if attention == "location" else 12)]


@needs_xla
@pytest.mark.parametrize("attention", DECODERS)
def test_greedy_search_of_a_batch_equals_the_plain_one(attention):
    search, source, limits = a_search(attention)
    assert len(assert_same(search, source, limits)) > 3
    assert len(source) == 40  # two halves of 20, each padded to 32
    assert list(search.compiled) == [(32, 9 if attention == "location" else 12)]


@needs_xla
def test_greedy_search_with_the_context_in_the_first_state_equals_the_plain_one():
    search, source, limits = a_search("none", context="first_state")
    assert len(assert_same(search, source, limits)) > 3


@needs_xla
def test_greedy_search_of_an_odd_batch_keeps_every_row():
    search, source, limits = a_search()
    assert_same(search, source[:37], limits[:37])
    assert_same(search, source[:31], limits[:31])  # too few to split
    assert_same(search, source[:33], limits[:33])  # halves of 17 and 16


@needs_xla
def test_greedy_search_is_compiled_within_a_tape_that_is_open():
    search, source, limits = a_search()
    with tf.GradientTape():
        assert_same(search, source[:1], limits[:1])


@needs_xla
def test_shape_is_compiled_when_it_has_come_often(monkeypatch):
    search, source, limits = a_search()
    monkeypatch.setattr(greedy, "COMPILE_AFTER", 3)
    monkeypatch.setattr(greedy, "COMPILE_BATCH_AFTER", 2)
    answered = [search(source[:1], limits[:1]) is not None for _ in range(5)]
    assert answered == [False, False, False, True, True]
    longer = np.resize(source[:1, :1], (1, 13))
    assert [search(longer, limits[:1]) is None for _ in range(4)] == [True] * 3 + [
        False
    ]
    assert list(search.compiled) == [(1, 12), (1, 24)]
    answered = [search(source[:n], limits[:n]) is not None for n in (3, 4, 3)]
    assert answered == [False, False, True]
    assert list(search.compiled)[2:] == [(4, 12)]


@needs_xla
def test_limit_beyond_what_is_compiled_is_left_to_the_plain_search():
    search, source, _ = a_search()
    with fast.always():
        assert search(source[:1], np.array([50])) is None  # 2 * 12 + 10 = 34 fit
        assert search(source[:1], np.array([34])) is not None


def test_greedy_search_declines_without_xla(monkeypatch):
    search, source, limits = a_search()
    monkeypatch.setattr(xla, "available", lambda: False)
    monkeypatch.setattr(greedy, "COMPILE_AFTER", 0)
    assert search(source[:1], limits[:1]) is None
    with fast.always():
        assert search(source[:1], limits[:1]) is None
    assert not search.compiled


def test_greedy_search_declines_when_it_is_told_to(monkeypatch):
    search, source, limits = a_search()
    monkeypatch.setattr(greedy, "COMPILE_AFTER", 0)
    with fast.never():
        assert search(source[:1], limits[:1]) is None
    assert not search.times_seen


@needs_xla
def test_translate_gives_the_same_in_both_forms():
    model = toy_task.model(seed=3, scale=1.2)
    with fast.never():
        plain = model.translate(SOURCES, batch_size=15, verbose=0)
    with fast.always():
        compiled = model.translate(SOURCES, verbose=0)
    assert model.fast_greedy_search.compiled and len({t.text for t in plain}) > 10
    for a, b in zip(compiled, plain, strict=True):
        assert a.tokens == b.tokens
        assert_allclose(a.weights, b.weights, atol=1e-5)


@needs_xla
def test_error_in_one_half_reaches_the_caller(monkeypatch):
    search, source, limits = a_search()

    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(greedy, "run_padded", fail)
    with fast.always(), pytest.raises(KeyboardInterrupt):
        search(source, limits)
