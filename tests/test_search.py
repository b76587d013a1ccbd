"""Greedy decoding, beam search and forced decoding against searches written out in
Python.
"""

import functools
import itertools

import numpy as np
import pytest
import toy_task
from numpy.testing import assert_allclose

from attnlib import search
from attnlib.backend import tf
from attnlib.vocabulary import Vocabulary

END = Vocabulary.end
SOURCES = toy_task.SOURCES[:16]


@pytest.fixture(scope="module")
def additive():
    return toy_task.model(seed=0, scale=0.7)


@pytest.fixture(
    scope="module", params=["additive", "none", "first state", "transformer"]
)
def model(request, additive):
    """Untrained, with weights by which it writes varied sentences, some of which never
    end.
    """
    if request.param == "additive":
        return additive
    if request.param == "transformer":
        return toy_task.transformer(seed=2, scale=0.7)
    context = "first_state" if request.param == "first state" else "every_step"
    seed = 2 if context == "first_state" else 4
    return toy_task.model(seed=seed, scale=1.5, attention="none", context=context)


@functools.cache
def whole(model):
    """The model called on source and all words before, compiled for speed."""
    numbers = tf.TensorSpec((None, None), tf.int32)
    return tf.function(
        lambda source, before: model((source, before)),
        input_signature=[numbers, numbers],
    )


def log_probabilities(model, source, prefixes):
    """log p(next word | prefix, source), (prefixes, target_len, vocabulary), from the
    model called as a whole.
    """
    before = np.array([[Vocabulary.start, *prefix] for prefix in prefixes], np.int32)
    sources = np.repeat(model.source_vocabulary.encode([source]), len(before), 0)
    return tf.nn.log_softmax(whole(model)(sources, before)).numpy().astype(float)


def greedy(model, source, limit):
    """The most probable word after a growing prefix, never <pad> or <start>."""
    prefix = []
    while len(prefix) < limit:
        word = END + int(
            np.argmax(log_probabilities(model, source, [prefix])[0, -1, END:])
        )
        if word == END:
            break
        prefix.append(word)
    return prefix


def beam(model, source, limit, width):
    beams = [(0.0, [], False)]
    for _ in range(limit):
        following = [b for b in beams if b[2]]
        for total, prefix, ended in beams:
            if not ended:
                scores = log_probabilities(model, source, [prefix])[0, -1]
                following += [
                    (total + scores[w], prefix + [w] * (w != END), w == END)
                    for w in range(END, len(scores))
                ]
        beams = sorted(following, key=lambda b: -b[0])[:width]
    return beams[0][1]


def exhaustive(model, source, limit):
    """The likeliest of all sentences: <end> within `limit` tokens, or `limit` tokens
    without.
    """
    words = range(END + 1, len(model.target_vocabulary))
    totals = {}
    for length in range(limit + 1):
        prefixes = list(itertools.product(words, repeat=length))
        scores = log_probabilities(model, source, prefixes)
        for prefix, score in zip(prefixes, scores, strict=True):
            total = sum(score[t, word] for t, word in enumerate(prefix))
            totals[prefix] = total + (score[length, END] if length < limit else 0)
    return list(max(totals, key=totals.get)), totals


def tokens(model, numbers):
    return [model.target_vocabulary.tokens[number] for number in numbers]


def test_greedy_equals_a_loop_over_growing_prefixes(model):
    got = model.translate(SOURCES, max_length=9, verbose=0)
    expected = [tokens(model, greedy(model, source, 9)) for source in SOURCES]
    assert [t.tokens for t in got] == expected
    assert len({tuple(t) for t in expected}) > 4 and len({len(t) for t in expected}) > 1


def test_greedy_limit_is_that_of_each_sentence(model):
    """2 * source_len + 10 for each, whatever else is in the batch."""
    translations = model.translate(SOURCES, verbose=0)
    limits = [2 * len(source) + 10 for source in SOURCES]
    expected = [
        tokens(model, greedy(model, source, limit))
        for source, limit in zip(SOURCES, limits, strict=True)
    ]
    assert [t.tokens for t in translations] == expected
    assert any(
        len(t.tokens) == limit for t, limit in zip(translations, limits, strict=True)
    )


@pytest.mark.parametrize("width", [2, 3])
def test_beam_search_equals_a_plain_one(model, width):
    got = model.translate(SOURCES[:6], beam_width=width, max_length=5, verbose=0)
    assert [t.tokens for t in got] == [
        tokens(model, beam(model, source, 5, width)) for source in SOURCES[:6]
    ]


def test_beam_search_wide_enough_finds_the_likeliest_of_all(model):
    limit = 3
    got = model.translate(
        SOURCES, beam_width=90, max_length=limit, verbose=0
    )  # 4 words: 85 sentences
    better = 0
    for source, translation in zip(SOURCES, got, strict=True):
        best, totals = exhaustive(model, source, limit)
        assert len(totals) == 85
        assert translation.tokens == tokens(model, best)
        found = greedy(model, source, limit)
        assert totals[tuple(best)] >= totals[tuple(found)]
        better += best != found
    assert better  # else this could not tell beam search from greedy


def test_beam_of_one_equals_greedy(model):
    source = model.source_vocabulary.encode(SOURCES)
    limits = np.full(len(source), 7, np.int32)
    for a, b in zip(
        search.beam_search(model, source, limits, 1),
        search.greedy_search(model, source, limits),
        strict=True,
    ):
        assert_allclose(a, b, atol=1e-6)


@pytest.mark.parametrize("width", [1, 3])
def test_translate_batch_equals_one_by_one(model, width):
    together = model.translate(SOURCES, beam_width=width, verbose=0)
    in_threes = model.translate(SOURCES, beam_width=width, verbose=0, batch_size=3)
    one_by_one = [
        model.translate([source], beam_width=width, verbose=0)[0] for source in SOURCES
    ]
    for a, b, c in zip(together, in_threes, one_by_one, strict=True):
        assert a.tokens == b.tokens == c.tokens
        assert a.text == " ".join(a.tokens)
        if not model.has_attention:
            assert a.weights is b.weights is c.weights is None
        else:
            assert_allclose(a.weights, b.weights, atol=1e-5)
            assert_allclose(a.weights, c.weights, atol=1e-5)


@pytest.mark.parametrize("width", [1, 3])
@pytest.mark.parametrize("max_length", [1, 4, None])
def test_translate_weights_are_those_of_the_steps_that_wrote_the_tokens(
    additive, width, max_length
):
    translations = additive.translate(
        SOURCES, beam_width=width, max_length=max_length, verbose=0
    )
    assert all(len(t.tokens) <= (max_length or 99) for t in translations)
    for source, t in zip(SOURCES, translations, strict=True):
        limit = max_length or 2 * len(source) + 10
        rows = len(t.tokens) + (
            len(t.tokens) < limit
        )  # one more for <end>, if it was written
        assert t.weights.shape == (rows, len(source))
        assert_allclose(t.weights.sum(1), np.ones(rows), rtol=1e-5)
        if t.tokens:  # forced to write the same, the decoder looks at the same words
            assert_allclose(
                t.weights, additive.align([(source, t.tokens)])[0][:rows], atol=1e-5
            )


def test_align_equals_the_weights_of_forced_decoding(additive):
    weights = additive.align(toy_task.PAIRS, batch_size=7)
    assert len(weights) == len(toy_task.PAIRS)
    for (source, target), alpha in list(zip(toy_task.PAIRS, weights, strict=True))[::4]:
        numbers = additive.source_vocabulary.encode([source])
        before = additive.target_vocabulary.encode([target], start=True)
        _, expected = additive((numbers, before), return_weights=True)
        assert alpha.shape == (len(target) + 1, len(source))
        assert_allclose(alpha, expected[0], atol=1e-5)
        assert_allclose(alpha.sum(1), np.ones(len(target) + 1), rtol=1e-5)


def test_align_without_attention_is_none():
    assert toy_task.model(attention="none").align(toy_task.PAIRS) is None


def test_decoding_never_writes_padding_or_start():
    model = toy_task.model()
    bias = np.zeros(len(model.target_vocabulary))
    bias[: Vocabulary.end] = 100  # a model that likes nothing better
    model.output_layer.set_weights([model.output_layer.get_weights()[0], bias])
    for width in (1, 3):
        found, weights = model.decode(
            model.source_vocabulary.encode(SOURCES), np.full(len(SOURCES), 5), width
        )
        assert min(row.min() for row in found) >= Vocabulary.end
        assert all(np.isfinite(row).all() for row in weights)


def test_decoding_is_traced_once_whatever_the_lengths(monkeypatch):
    traced, step = [], search.scored_step
    monkeypatch.setattr(
        search, "scored_step", lambda *args: traced.append("step") or step(*args)
    )
    model = toy_task.model()
    for sources in (SOURCES, SOURCES[:12], SOURCES[:3], [["a"]], [["a", "b"] * 20]):
        for width in (1, 3):
            model.translate(sources, beam_width=width, max_length=3, verbose=0)
    assert traced == ["step", "step"]  # of greedy and of beam search


def test_translate_works_in_half_precision(monkeypatch):
    from attnlib.backend import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = toy_task.model()
    finally:
        keras.config.set_dtype_policy(before)
    for width in (1, 2):
        weights = model.translate(
            SOURCES[:2], beam_width=width, max_length=3, verbose=0
        )[0].weights
        assert_allclose(weights.sum(1), np.ones(len(weights)), rtol=1e-2)


# What translate refuses, and what it says


def test_translate_nothing():
    assert toy_task.model().translate([], verbose=0) == []


@pytest.mark.parametrize("name", ["beam_width", "max_length", "batch_size"])
@pytest.mark.parametrize("value", [0, -1, 2.5, "3", True])
def test_translate_refuses_numbers(additive, name, value):
    with pytest.raises((TypeError, ValueError)) as raised:
        additive.translate(SOURCES, **{name: value})
    expected = f"{name} should be an integer of 1 or more, got {value!r}"
    assert str(raised.value) == expected


@pytest.mark.parametrize(
    "sentences, error, message",
    [
        (
            "ab",
            TypeError,
            (
                r"sentence 0 should be a list of tokens such as \['two', 'words'\], got"
                r" the text 'a'"
            ),
        ),
        (
            ["a", "b"],
            TypeError,
            "got the text 'a'; split it, and put a single sentence into a list",
        ),
        (
            [["a"], ["z"]],
            ValueError,
            "sentence 1 should hold tokens of the vocabulary, got 'z', which is not "
            "among its 7 tokens",
        ),
        (
            [["a"], []],
            ValueError,
            "sentence 1 should have at least one token, got none",
        ),
        (
            [["a"], ["<end>"]],
            ValueError,
            "sentence 1 should hold words alone, got '<end>'",
        ),
    ],
)
def test_translate_refuses_sentences(additive, sentences, error, message):
    with pytest.raises(error, match=message):
        additive.translate(sentences)


def test_translate_leaves_one_line(additive, capsys):
    additive.translate(SOURCES, batch_size=1)
    printed = capsys.readouterr()
    assert (
        printed.out.count("\n") == 1
        and printed.out.endswith("\n")
        and printed.err == ""
    )
    last = printed.out.rsplit("\r", 1)[-1]
    assert last.startswith("16 sentences translated in ") and last.rstrip().endswith(
        " s"
    )
    additive.translate(SOURCES, verbose=0)
    assert capsys.readouterr() == ("", "")
