"""How good are the translations, and where did the model look?

Sentences are lists of tokens; lengths are in tokens. Links are sets of (target_index,
source_index), counted from 0.
"""

from itertools import pairwise
from statistics import NormalDist
from typing import NamedTuple

import numpy as np


def exact_match(predictions, targets):
    """Share of sentences predicted without a single wrong, missing or extra token.

    predictions, targets: lists of as many token lists. Returns a float in 0 … 1.
    Raises ValueError for different numbers of sentences, or none; TypeError for text
    where tokens are wanted.
    """
    return float(
        np.mean([guess == target for guess, target in _sentences(predictions, targets)])
    )


def token_accuracy(predictions, targets):
    """Share of positions, over all sentences together, where prediction and target hold
    the same token.

    A sentence has as many positions as the longer of the two: a missing or extra token
    is wrong. One token left out early shifts all that follow. Arguments, range and
    errors are those of `exact_match`; also ValueError if every sentence is empty.
    """
    right = positions = 0
    for guess, target in _sentences(predictions, targets):
        right += sum(g == t for g, t in zip(guess, target, strict=False))
        positions += max(len(guess), len(target))
    if positions == 0:
        raise ValueError(
            "predictions and targets should hold a token, got empty sentences alone"
        )
    return right / positions


def bleu(predictions, targets):
    """Corpus BLEU, 0 to 100, on the tokens as they are: sacrebleu with tokenize="none",
    one reference a sentence.

    100 · brevity penalty · (p_1 p_2 p_3 p_4)^(1/4), with p_n the share of right n-grams
    over the whole corpus: a corpus without a sentence of four tokens scores 0. Papineni
    et al. (2002); Post (2018) for sacrebleu. Errors as `exact_match`; ValueError also
    for a token that holds a space.
    """
    from sacrebleu import corpus_bleu

    texts = []
    for sentences in zip(*_sentences(predictions, targets), strict=True):
        for token in (token for sentence in sentences for token in sentence):
            if token.split() != [token]:
                raise ValueError(
                    f"tokens should be words without spaces for BLEU, got {token!r}"
                )
        texts.append([" ".join(sentence) for sentence in sentences])
    return corpus_bleu(texts[0], [texts[1]], tokenize="none", force=True).score


class Bin(NamedTuple):
    """Sentences of low ≤ length < high: how many, and the mean of their values (NaN
    where there are none).
    """

    low: float
    high: float
    count: int
    mean: float


def by_length(values, lengths, edges):
    """Means of `values`, such as exact matches, in bins of length.

    values, lengths: (sentences,). edges: two or more increasing limits; a bin holds low
    ≤ length < high, and a length outside all bins is left out. Returns a list of `Bin`,
    one fewer than edges.
    Raises ValueError for different numbers of values and lengths, and for edges that do
    not increase.
    """
    values, lengths = np.asarray(values, float), np.asarray(lengths)
    if values.ndim != 1 or values.shape != lengths.shape:
        raise ValueError(
            f"expected as many values as lengths, got shapes {values.shape} and"
            f" {lengths.shape}"
        )
    if len(edges) < 2 or any(low >= high for low, high in pairwise(edges)):
        raise ValueError(f"edges should be two or more increasing lengths, got {edges}")
    bins = []
    for low, high in pairwise(edges):
        inside = values[(low <= lengths) & (lengths < high)]
        bins.append(
            Bin(
                low,
                high,
                len(inside),
                float(inside.mean()) if len(inside) else float("nan"),
            )
        )
    return bins


def wilson_interval(successes, n, confidence=0.95):
    """Wilson's interval for a proportion: (k + z²/2 ± z √(k (n − k) / n + z²/4)) / (n +
    z²). Wilson (1927).

    successes (k), n: numbers or arrays of one shape, 0 ≤ k ≤ n, n ≥ 1. z: the normal
    quantile at (1 + confidence) / 2.
    Returns (low, high), inside 0 … 1. Raises ValueError for counts or a confidence out
    of range.
    """
    k, n = np.asarray(successes, float), np.asarray(n, float)
    if not (np.all(n >= 1) and np.all(k >= 0) and np.all(k <= n)):
        raise ValueError(
            f"expected 0 ≤ successes ≤ n and n ≥ 1, got successes {successes} of n {n}"
        )
    if not 0 < confidence < 1:
        raise ValueError(f"confidence should lie between 0 and 1, got {confidence}")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    half = z * np.sqrt(k * (n - k) / n + z**2 / 4)
    low, high = (k + z**2 / 2 - half) / (n + z**2), (k + z**2 / 2 + half) / (n + z**2)
    return np.maximum(low, 0), np.minimum(high, 1)  # rounding alone can pass 0 or 1


def links(weights, shift=0, rows=None):
    """Each target word's link to the source word it looked at most: {(t, argmax_s
    weights[t + shift, s])}.

    weights: (target_len, source_len), one sentence, without padding. The first of equal
    weights wins; a row of zeros
    gives no link. rows: the target words to link, all if not given.
    shift: the step whose weights align word t is t + shift. 0: the step that writes the
    word. 1: the step that reads it as input, so that step t aligns y_{t-1}, as footnote
    14 of Luong et al. (2015) reads content-based scores. A word
    whose step is not there gets no link: with shift=1, keep the row of the step that
    writes the end token.
    Raises ValueError for weights that are not a matrix or not finite, and for rows that
    are not there.
    """
    weights = np.asarray(weights, float)
    if weights.ndim != 2 or weights.shape[1] == 0 or not np.isfinite(weights).all():
        raise ValueError(
            "weights should be finite, of shape (target_len, source_len), got shape"
            f" {weights.shape}"
        )
    steps = len(weights)
    rows = range(steps) if rows is None else list(rows)
    if any(not 0 <= t < steps for t in rows):
        raise ValueError(
            f"rows should lie between 0 and {steps - 1}, for weights of shape"
            f" {weights.shape}, got {rows}"
        )
    pointed = {t: weights[t + shift] for t in rows if 0 <= t + shift < steps}
    return {(int(t), int(row.argmax())) for t, row in pointed.items() if row.any()}


def alignment_error_rate(links, sure, possible):
    """AER = 1 − (|A ∩ S| + |A ∩ P|) / (|A| + |S|) of the links A of one sentence. Och
    and Ney (2003).

    links (A), sure (S), possible (P): sets of (target_index, source_index). A sure link
    is possible too, whether or not
    `possible` names it. Returns a float: 0 when every sure link and only possible ones
    were found, 1 when none was.
    Raises TypeError for anything but sets, ValueError when A and S are both empty: the
    rate is then 0/0.
    """
    return corpus_alignment_error_rate([links], [sure], [possible])


def corpus_alignment_error_rate(links, sure, possible):
    """AER over many sentences: each of the four counts is summed over sentences before
    the division.

    links, sure, possible: lists of as many sets. Else as `alignment_error_rate`, whose
    mean over sentences is another
    number: there a short sentence counts as much as a long one.
    """
    if not len(links) == len(sure) == len(possible):
        raise ValueError(
            f"expected as many sets of each, got {len(links)}, {len(sure)} and"
            f" {len(possible)}"
        )
    hits = total = 0
    for a, s, p in zip(links, sure, possible, strict=True):
        for name, value in (("links", a), ("sure", s), ("possible", p)):
            if not isinstance(value, (set, frozenset)):
                raise TypeError(
                    f"{name} should be a set of (target_index, source_index), got"
                    f" {type(value).__name__}"
                )
        hits += len(a & s) + len(a & (p | s))
        total += len(a) + len(s)
    if total == 0:
        raise ValueError(
            "the alignment error rate is undefined without links and without sure links"
        )
    return 1 - hits / total


def _sentences(predictions, targets):
    """Pairs of (prediction, target), as lists of tokens."""
    if len(predictions) != len(targets):
        raise ValueError(
            f"expected a prediction for each target, got {len(predictions)} for"
            f" {len(targets)} targets"
        )
    if len(targets) == 0:
        raise ValueError("expected at least one sentence, got none")
    for sentence in (*predictions, *targets):
        if isinstance(sentence, str):
            raise TypeError(f"expected lists of tokens, got the text {sentence!r}")
    return [
        (list(guess), list(target))
        for guess, target in zip(predictions, targets, strict=True)
    ]
