"""Metrics against hand calculations, sacrebleu on plain text, and properties."""

import math
import subprocess
import sys
from collections import deque
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attnlib import metrics

PREDICTIONS = [["a", "b"], ["a"], ["a", "x", "c"], ["a", "b", "c"]]
TARGETS = [["a", "b"], ["a", "b"], ["a", "b", "c"], ["a", "b"]]
SENTENCE_METRICS = [metrics.exact_match, metrics.token_accuracy, metrics.bleu]
link_sets = st.sets(st.tuples(st.integers(0, 4), st.integers(0, 4)))


def test_exact_match_by_hand():
    assert metrics.exact_match(PREDICTIONS, TARGETS) == 1 / 4
    assert metrics.exact_match([("a", "b")], [["a", "b"]]) == 1


def test_token_accuracy_by_hand():
    # Positions 2 + 2 + 3 + 3; correct 2 + 1 + 2 + 2: a missing or extra token is an
    # error.
    assert metrics.token_accuracy(PREDICTIONS, TARGETS) == 7 / 10
    assert metrics.token_accuracy([[]], [["a"]]) == 0


def test_bleu_by_hand():
    # n-gram hits 4/5, 2/4, 1/3, 1/2 smoothed for 0/2: sacrebleu counts the missing
    # 4-grams as 1/(2·2).
    score = metrics.bleu([list("abcxd")], [list("abcyd")])
    assert score == pytest.approx(100 * (4 / 5 * 2 / 4 * 1 / 3 * 1 / 4) ** (1 / 4))


def test_bleu_brevity_penalty_by_hand():
    score = metrics.bleu([list("abcde")], [list("abcdefg")])
    assert score == pytest.approx(100 * math.exp(1 - 7 / 5))


def test_bleu_is_that_of_the_corpus_and_keeps_tokens_whole():
    words = ["vingt", "-", "et", "un,"]
    assert metrics.bleu([words, ["a"]], [words, ["a"]]) == pytest.approx(100)
    assert metrics.bleu([words], [["vingt", "-", "et", "un"]]) < 80
    assert metrics.bleu([["a", "b"]], [["a", "b"]]) == 0


def test_by_length_by_hand():
    bins = metrics.by_length(
        [True, False, True, True, True], [1, 4, 5, 9, 30], (0, 5, 10, 20)
    )
    assert [(b.low, b.high, b.count) for b in bins] == [
        (0, 5, 2),
        (5, 10, 2),
        (10, 20, 0),
    ]
    assert [b.mean for b in bins[:2]] == [0.5, 1.0]
    assert math.isnan(bins[2].mean)


@given(st.lists(st.tuples(st.floats(-10, 10), st.integers(0, 44)), min_size=1))
def test_by_length_keeps_the_total(cases):
    values, lengths = zip(*cases, strict=True)
    bins = metrics.by_length(values, lengths, (0, 5, 10, 20, 45))
    assert sum(b.count for b in bins) == len(values)
    assert sum(b.count * b.mean for b in bins if b.count) == pytest.approx(
        sum(values), abs=1e-9
    )


def test_wilson_interval_solves_its_equation():
    # The limits are the p at which |k/n - p| = z √(p (1 - p) / n).
    for k, n in ((0, 10), (3, 10), (10, 10), (81, 100)):
        for p in metrics.wilson_interval(k, n):
            assert abs(k / n - p) == pytest.approx(
                1.959964 * math.sqrt(p * (1 - p) / n), abs=1e-6
            )


def test_wilson_interval_takes_arrays_and_a_confidence():
    low, high = metrics.wilson_interval([0, 5, 10], [10, 10, 10], confidence=0.9)
    assert low[0] == 0 and high[2] == 1
    assert (low, high) == (pytest.approx(1 - high[::-1]), pytest.approx(1 - low[::-1]))
    wider = metrics.wilson_interval(5, 10, confidence=0.99)
    assert wider[0] < low[1] < high[1] < wider[1]


WEIGHTS = np.array([[0.1, 0.7, 0.2], [0.6, 0.3, 0.1], [0.0, 0.0, 1.0], [0.4, 0.4, 0.2]])


def test_links_by_hand():
    assert metrics.links(WEIGHTS) == {(0, 1), (1, 0), (2, 2), (3, 0)}
    assert metrics.links(WEIGHTS, rows=(0, 2)) == {(0, 1), (2, 2)}


def test_links_shift_aligns_a_word_at_the_step_after_it():
    assert metrics.links(WEIGHTS, shift=1) == {(0, 0), (1, 2), (2, 0)}
    assert metrics.links(WEIGHTS, shift=1, rows=(1, 3)) == {(1, 2)}
    assert metrics.links(WEIGHTS, shift=-1) == {(1, 1), (2, 0), (3, 2)}


def test_links_of_a_row_of_zeros_is_none():
    assert metrics.links([[0, 0], [0, 1]]) == {(1, 1)}


def test_alignment_error_rate_by_hand():
    sure, possible = {(0, 0), (1, 1)}, {(0, 0), (1, 1), (2, 2)}
    # |A ∩ S| = 1, |A ∩ P| = 2, |A| = 3, |S| = 2
    assert metrics.alignment_error_rate(
        {(0, 0), (2, 2), (2, 0)}, sure, possible
    ) == pytest.approx(1 - 3 / 5)
    assert metrics.alignment_error_rate(sure, sure, possible) == 0
    assert metrics.alignment_error_rate(possible, sure, possible) == 0
    assert metrics.alignment_error_rate(set(), sure, possible) == 1


def test_alignment_error_rate_takes_sure_links_as_possible():
    assert metrics.alignment_error_rate({(0, 0)}, {(0, 0)}, set()) == 0


@given(link_sets, link_sets, link_sets)
def test_alignment_error_rate_lies_between_0_and_1(links, sure, possible):
    if not links and not sure:
        return
    rate = metrics.alignment_error_rate(links, sure, possible)
    assert 0 <= rate <= 1
    assert (rate == 0) == (sure <= links <= sure | possible)


def test_corpus_alignment_error_rate_sums_counts():
    links = [{(0, 0)}, {(0, 1), (1, 0), (2, 2)}]
    sure = [{(0, 0)}, {(0, 0), (1, 1), (2, 2)}]
    # Hits 2·1 + 2·1 of 2 + 6; the mean of the two sentences' rates, 0 and 2/3, would be
    # 1/3.
    assert metrics.corpus_alignment_error_rate(links, sure, sure) == pytest.approx(
        1 - 4 / 8
    )


def test_metrics_imports_neither_sacrebleu_nor_tensorflow():
    code = (
        "import sys, attnlib.metrics; print(sorted({'sacrebleu', 'tensorflow', 'keras'}"
        " & set(sys.modules)))"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True
        ).stdout.strip()
        == "[]"
    )


class Translation(NamedTuple):
    """What ``translate`` returns, without TensorFlow."""

    tokens: list
    weights: np.ndarray | None = None


def translated(sentences):
    return [Translation(sentence, np.ones((2, 2))) for sentence in sentences]


@pytest.mark.parametrize("metric", SENTENCE_METRICS)
@pytest.mark.parametrize(
    "form",
    [
        translated,
        lambda sentences: [Translation(tuple(tokens)) for tokens in sentences],
        lambda sentences: [SimpleNamespace(tokens=tokens) for tokens in sentences],
        lambda sentences: [Translation(sentences[0]), *sentences[1:]],
        lambda sentences: tuple(map(tuple, sentences)),
        lambda sentences: deque(sentences),
    ],
    ids=["translations", "tuples", "other objects", "mixed", "all tuples", "deque"],
)
def test_sentence_metrics_take_what_translate_returns(metric, form):
    predictions = [list("abcde"), list("fgh"), [], list("abxde")]
    targets = [list("abcde"), list("fxh"), ["i"], list("abcde")]
    expected = metric(predictions, targets)
    assert 0 < expected
    assert metric(form(predictions), targets) == expected
    assert metric(form(predictions), form(targets)) == expected
    best = 100 if metric is metrics.bleu else 1
    assert metric(form(targets), targets) == pytest.approx(best)


@pytest.mark.parametrize("metric", [metrics.exact_match, metrics.token_accuracy])
def test_sentence_metrics_take_token_ids(metric):
    assert metric([[3, 4]], [[np.int64(3), 4]]) == 1


@pytest.mark.parametrize("metric", SENTENCE_METRICS)
@pytest.mark.parametrize(
    ("predictions", "targets"),
    [
        ([[3, 4]], [["3", "4"]]),
        ([["un"]], [[7]]),
        ([["un"], [np.int64(7)]], [["un"], ["deux"]]),
        (translated([["un"]]), [[3]]),
    ],
)
def test_sentence_metrics_refuse_to_compare_words_with_ids(
    metric, predictions, targets
):
    message = r"words alone, or IDs alone, got '.*' and .*: turn .* vocabulary.decode\("
    with pytest.raises(TypeError, match=message):
        metric(predictions, targets)


def test_metrics_take_numpy_numbers_and_generators():
    pairs = {(np.int64(0), np.int32(1))}
    assert metrics.alignment_error_rate(pairs, {(0, 1)}, set()) == 0
    rate = metrics.corpus_alignment_error_rate(
        iter([pairs]), iter([pairs]), iter([pairs])
    )
    assert rate == 0
    lengths = (len(sentence) for sentence in TARGETS)
    values = (sentence == ["a", "b"] for sentence in PREDICTIONS)
    assert [b.mean for b in metrics.by_length(values, lengths, (2, 3, 4))] == [1 / 3, 0]
    assert metrics.links(WEIGHTS, rows=np.array([0, 2])) == {(0, 1), (2, 2)}
    assert metrics.links(WEIGHTS > 0.5) == {(0, 1), (1, 0), (2, 2)}


@pytest.mark.parametrize("metric", SENTENCE_METRICS)
@pytest.mark.parametrize("bad_targets", [False, True], ids=["predictions", "targets"])
@pytest.mark.parametrize(
    ("sentences", "message"),
    [
        (None, "should be a list of sentences, got None$"),
        (
            "un deux",
            "should be a list of sentences, got the text 'un deux': split it, as in",
        ),
        (
            {"un": ["deux"]},
            "should be a list of sentences, got dict: {'un': .'deux'.}$",
        ),
        ((s for s in [["un"]]), "should be a list of sentences, got generator: <gen"),
        (
            map(list, ["un"]),
            r"a list of .*: put it in a list, as in list\(sentences\)$",
        ),
        (
            np.array([["un"]]),
            r"list of sentences, got an array of shape \(1, 1\): call its tolist\(\)$",
        ),
        (
            Translation(["un"]),
            r"a list of sentences, got one alone, Translation: .*: put it in a list$",
        ),
        ([None], "should be lists of tokens, got None$"),
        (["un " * 99], "lists of tokens, got the text 'un .{56}: split it, as"),
        ([b"un"], "should be lists of tokens, got bytes: b'un'$"),
        ([7], "should be lists of tokens, got int: 7$"),
        ([{"un", "deux"}], "should be lists of tokens, got set: {'"),
        ([iter(["un"])], "should be lists of tokens, got list_iterator: <"),
        ([np.array(["un"])], r"of tokens, got an array of shape \(1,\): call its"),
        ([Translation(None)], "should be lists of tokens, got None$"),
        ([Translation("un")], "should be lists of tokens, got the text 'un': split"),
        (
            [[["un", "deux"], ["un", "de"]]],
            r"one list of tokens per sentence, got several: list: \[\['un', 'deux'\], ",
        ),
        ([translated([["un"]])], "one list of tokens per sentence, got several: list"),
        ([(["un"], None)], "one list of tokens per sentence, got several: tuple"),
        (
            [[["un"], ["un"]]],
            "got several: .*: give one of them, or call the metric for",
        ),
        ([[None]], "should hold words as tokens, got None$"),
        ([["un", 0.5]], "should hold words as tokens, got float: 0.5$"),
        ([[b"un"]], "should hold words as tokens, got bytes: b'un'$"),
        ([[np.zeros(1, int)]], r"words as tokens, got an array of shape \(1,\)$"),
    ],
)
def test_sentence_metrics_name_what_came_instead(
    metric, bad_targets, sentences, message
):
    arguments = [[["un"]], sentences] if bad_targets else [sentences, [["un"]]]
    name = "targets" if bad_targets else "predictions"
    with pytest.raises(TypeError, match=f"^{name} .*{message}"):
        metric(*arguments)


@pytest.mark.parametrize("metric", SENTENCE_METRICS)
@pytest.mark.parametrize(
    ("predictions", "targets", "error", "message"),
    [
        (
            [["a"]],
            [["a"], ["b"]],
            ValueError,
            "predictions should have one sentence per target, got 1 for 2 targets",
        ),
        ([], [], ValueError, "targets should have at least one sentence, got none"),
        (
            ["one two"],
            [["one", "two"]],
            TypeError,
            "predictions should be lists of tokens, got the text 'one two'",
        ),
        (
            [["one"]],
            ["one"],
            TypeError,
            "targets should be lists of tokens, got the text 'one'",
        ),
    ],
)
def test_sentence_metrics_refuse_bad_input(
    metric, predictions, targets, error, message
):
    with pytest.raises(error, match=message):
        metric(predictions, targets)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: metrics.token_accuracy([[]], [[]]),
            ValueError,
            "should hold a token, got empty sentences",
        ),
        (
            lambda: metrics.bleu([["a b"]], [["a"]]),
            ValueError,
            "words without spaces for BLEU, got 'a b'",
        ),
        (
            lambda: metrics.bleu([[3]], [[3]]),
            ValueError,
            "words without spaces for BLEU, got 3",
        ),
        (
            lambda: metrics.bleu([[" "]], [["a"]]),
            ValueError,
            "words without spaces for BLEU, got ' '",
        ),
        (
            lambda: metrics.by_length([1, 2], [1], (0, 5)),
            ValueError,
            r"should have one number per sentence, got shapes \(2,\) and \(1,\)",
        ),
        (
            lambda: metrics.by_length([1], [1], (5,)),
            ValueError,
            r"edges should be two or more increasing numbers, got \(5,\)",
        ),
        (
            lambda: metrics.by_length([1], [1], (5, 5)),
            ValueError,
            r"edges should be two or more increasing numbers, got \(5, 5\)",
        ),
        (
            lambda: metrics.wilson_interval(3, 2),
            ValueError,
            "0 ≤ successes ≤ n and n ≥ 1, got successes 3 and n 2",
        ),
        (lambda: metrics.wilson_interval(0, 0), ValueError, "got successes 0 and n 0"),
        (
            lambda: metrics.wilson_interval(1, 2, 95),
            ValueError,
            "between 0 and 1, got 95",
        ),
        (
            lambda: metrics.links([0.5, 0.5]),
            ValueError,
            r"shape \(target_len, source_len\), got shape \(2,\)",
        ),
        (
            lambda: metrics.links(Translation(["a"], np.ones((1, 2)))),
            ValueError,
            r"weights should be numbers, .*, got Translation: Translation\(.*: for its"
            r" words, call links\(t.weights, rows=range\(len\(t.tokens\)\)\)$",
        ),
        (
            lambda: metrics.links(None),
            ValueError,
            "weights should be numbers, of shape .*, got None$",
        ),
        (
            lambda: metrics.links([["1", "0"]]),
            ValueError,
            "weights should be numbers, of shape .*, got list: ",
        ),
        (
            lambda: metrics.links([[1, 0], [1]]),
            ValueError,
            r"weights should be numbers, of shape .*, got list: \[\[1, 0\], \[1\]\]$",
        ),
        (
            lambda: metrics.links(np.ones((2, 3, 3))),
            ValueError,
            r"got shape \(2, 3, 3\): call links for each sentence$",
        ),
        (
            lambda: metrics.links(WEIGHTS, shift=0.5),
            TypeError,
            "shift should be an integer, got float: 0.5",
        ),
        (
            lambda: metrics.links(WEIGHTS, rows=["0"]),
            TypeError,
            "each of rows should be an integer, got the text '0'",
        ),
        (
            lambda: metrics.by_length([1, 0], [list("ab"), list("abc")], (0, 5)),
            TypeError,
            r"lengths should be one number per sentence, got list: .*: count them, as"
            r" in \[len\(tokens\) for tokens in sentences\]$",
        ),
        (
            lambda: metrics.by_length([1, 0], ["a b", "c"], (0, 5)),
            TypeError,
            "lengths should be one number per sentence, got list: .*: count them",
        ),
        (
            lambda: metrics.by_length([Translation(["a"])], [1], (0, 5)),
            TypeError,
            "values should be one number per sentence, got list: .*Translation",
        ),
        (
            lambda: metrics.by_length([1, 0], [1, np.nan], (0, 5)),
            ValueError,
            "lengths should be numbers, got NaN",
        ),
        (
            lambda: metrics.by_length([1], [1], "05"),
            TypeError,
            "edges should be numbers, got the text '05'",
        ),
        (
            lambda: metrics.wilson_interval("3", 5),
            TypeError,
            "successes should be numbers, got the text '3'",
        ),
        (
            lambda: metrics.wilson_interval(3, None),
            TypeError,
            "n should be numbers, got None",
        ),
        (
            lambda: metrics.wilson_interval([1, 2], [5, 5, 5]),
            ValueError,
            r"successes and n should have the same shape, got \(2,\) and \(3,\)",
        ),
        (
            lambda: metrics.wilson_interval(1, 2, "0.95"),
            TypeError,
            "confidence should be a number, got the text '0.95'",
        ),
        (
            lambda: metrics.alignment_error_rate({1}, {(0, 0)}, set()),
            TypeError,
            "links should be a set of .*, got 1 in it",
        ),
        (
            lambda: metrics.alignment_error_rate({"0-0"}, {(0, 0)}, set()),
            TypeError,
            "links should be a set of .*, got '0-0' in it",
        ),
        (
            lambda: metrics.alignment_error_rate({(0, 0)}, {(0, 0, 0)}, set()),
            TypeError,
            r"sure should be a set of .*, got \(0, 0, 0\) in it",
        ),
        (
            lambda: metrics.links([[0.5, np.nan]]),
            ValueError,
            "weights should be finite",
        ),
        (
            lambda: metrics.links(WEIGHTS, rows=[4]),
            ValueError,
            r"between 0 and 3, for weights of shape \(4, 3\), got \[4\]",
        ),
        (
            lambda: metrics.alignment_error_rate(set(), set(), {(0, 0)}),
            ValueError,
            "links or sure should hold a link, got none",
        ),
        (
            lambda: metrics.alignment_error_rate([(0, 0)], set(), set()),
            TypeError,
            "links should be a set .* got list",
        ),
        (
            lambda: metrics.alignment_error_rate(set(), set(), {}),
            TypeError,
            "possible should be a set .* got dict",
        ),
        (
            lambda: metrics.corpus_alignment_error_rate([set()], [], []),
            ValueError,
            "should have one set per sentence, got 1, 0, and 0",
        ),
    ],
)
def test_metrics_refuse_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()
