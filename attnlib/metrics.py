"""How good are the translations, and where did the model look?

Sentences are lists of tokens, or what ``translate`` returns for them, and lengths are
in tokens. Links are sets of (target_index, source_index), both counted from 0.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from numbers import Integral, Real
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from attnlib.arguments import increasing


def exact_match(predictions, targets):
    """Compute the share of sentences predicted without a single error.

    A wrong, a missing, and an extra token are errors.

    Parameters
    ----------
    predictions, targets : list of token lists
        One prediction per target. What has a list of tokens as its ``tokens``, such as
        a ``Translation``, stands for that list.

    Returns
    -------
    share : float
        In 0 … 1.

    Raises
    ------
    TypeError
        If a sentence is anything but a list of tokens, such as a text, an array, or
        several references.
    ValueError
        If the numbers of predictions and targets differ, or there are none.
    """
    pairs = _sentence_pairs(predictions, targets)
    return float(np.mean([prediction == target for prediction, target in pairs]))


def token_accuracy(predictions, targets):
    """Compute the share of positions where prediction and target have the same token.

    The positions of all sentences are counted together. A sentence has as many
    positions as the longer of the two, so a missing or extra token is an error. One
    token left out early shifts all that follow.

    Parameters
    ----------
    predictions, targets : list of token lists
        One prediction per target. What has a list of tokens as its ``tokens``, such as
        a ``Translation``, stands for that list.

    Returns
    -------
    share : float
        In 0 … 1.

    Raises
    ------
    TypeError
        If a sentence is anything but a list of tokens, such as a text, an array, or
        several references.
    ValueError
        If the numbers of predictions and targets differ, there are none, or every
        sentence is empty.
    """
    correct = 0
    positions = 0
    for prediction, target in _sentence_pairs(predictions, targets):
        correct += sum(p == t for p, t in zip(prediction, target, strict=False))
        positions += max(len(prediction), len(target))
    if positions == 0:
        raise ValueError(
            "predictions and targets should hold a token, got empty sentences alone"
        )
    return correct / positions


def bleu(predictions, targets):
    r"""Compute corpus BLEU on the tokens as they are, with one reference per sentence.

    .. math:: 100 \cdot \text{brevity penalty} \cdot (p_1 p_2 p_3 p_4)^{1/4}

    with :math:`p_n` the share of correct n-grams over the whole corpus.

    Parameters
    ----------
    predictions, targets : list of token lists
        One prediction per target. What has a list of tokens as its ``tokens``, such as
        a ``Translation``, stands for that list.

    Returns
    -------
    score : float
        In 0 … 100. A corpus without a sentence of four tokens has the score 0.

    Raises
    ------
    TypeError
        If a sentence is anything but a list of tokens, such as a text, an array, or
        several references.
    ValueError
        If the numbers of predictions and targets differ, there are none, or a token
        is not a str or holds a space.

    Notes
    -----
    Papineni et al. (2002). The score is that of sacrebleu (Post, 2018) with
    ``tokenize="none"``.
    """
    from sacrebleu import corpus_bleu

    texts = []
    for sentences in zip(*_sentence_pairs(predictions, targets), strict=True):
        for token in (token for sentence in sentences for token in sentence):
            if not isinstance(token, str) or token.split() != [token]:
                raise ValueError(
                    f"tokens should be words without spaces for BLEU, got {token!r}"
                )
        texts.append([" ".join(sentence) for sentence in sentences])
    return corpus_bleu(texts[0], [texts[1]], tokenize="none", force=True).score


class Bin(NamedTuple):
    """Sentences of one range of lengths, low ≤ length < high.

    Attributes
    ----------
    low, high : number
        Limits of the length.
    count : int
        Number of sentences.
    mean : float
        Mean of their values, NaN if there are none.
    """

    low: float
    high: float
    count: int
    mean: float


def by_length(values, lengths, edges):
    """Compute means of `values`, such as exact matches, in bins of length.

    Parameters
    ----------
    values : array, shape (sentences,)
    lengths : array, shape (sentences,)
    edges : sequence of two or more increasing numbers
        Limits of the bins. A bin holds low ≤ length < high. A length outside all bins
        is left out.

    Returns
    -------
    bins : list of Bin
        One fewer than `edges`.

    Raises
    ------
    TypeError
        If the values or the lengths are not numbers, such as sentences.
    ValueError
        If the numbers of values and lengths differ, a length is NaN, or the edges do
        not increase.
    """
    values = _numbers("values", values)
    lengths = _numbers("lengths", lengths)
    if np.isnan(lengths).any():
        raise ValueError("lengths should be numbers, got NaN")
    if values.ndim != 1 or values.shape != lengths.shape:
        raise ValueError(
            "values and lengths should have one number per sentence, got shapes"
            f" {values.shape} and {lengths.shape}"
        )
    if isinstance(edges, str) or not isinstance(edges, Iterable):
        raise TypeError(f"edges should be numbers, got {_named(edges)}")
    bins = []
    for low, high in pairwise(increasing("edges", edges)):
        inside = values[(low <= lengths) & (lengths < high)]
        mean = float(inside.mean()) if len(inside) else float("nan")
        bins.append(Bin(low, high, len(inside), mean))
    return bins


def wilson_interval(successes, n, confidence=0.95):
    r"""Compute Wilson's interval for a proportion.

    .. math::

        \frac{k + z^2/2 \pm z \sqrt{k (n - k) / n + z^2 / 4}}{n + z^2}

    Parameters
    ----------
    successes : number or array
        :math:`k`, with 0 ≤ k ≤ n.
    n : number or array, of the same shape
        Number of trials, 1 or more.
    confidence : float, optional
        Between 0 and 1. :math:`z` is the normal quantile at (1 + confidence) / 2.

    Returns
    -------
    low, high : number or array
        Inside 0 … 1.

    Raises
    ------
    TypeError
        If a count or the confidence is no number.
    ValueError
        If a count or the confidence is out of range.

    Notes
    -----
    Wilson (1927).
    """
    for name, value in {"successes": successes, "n": n}.items():
        if np.asarray(value).dtype.kind not in "fiub":
            raise TypeError(f"{name} should be numbers, got {_named(value)}")
    if isinstance(confidence, bool) or not isinstance(confidence, Real):
        raise TypeError(f"confidence should be a number, got {_named(confidence)}")
    k = np.asarray(successes, float)
    n = np.asarray(n, float)
    if k.shape != n.shape and k.ndim and n.ndim:
        raise ValueError(
            f"successes and n should have the same shape, got {k.shape} and {n.shape}"
        )
    if not (np.all(n >= 1) and np.all(k >= 0) and np.all(k <= n)):
        raise ValueError(
            "successes and n should fulfill 0 ≤ successes ≤ n and n ≥ 1, got successes"
            f" {successes} and n {n}"
        )
    if not 0 < confidence < 1:
        raise ValueError(f"confidence should lie between 0 and 1, got {confidence}")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    half = z * np.sqrt(k * (n - k) / n + z**2 / 4)
    low = (k + z**2 / 2 - half) / (n + z**2)
    high = (k + z**2 / 2 + half) / (n + z**2)
    return np.maximum(low, 0), np.minimum(high, 1)  # rounding alone can pass 0 or 1


def links(weights, shift=0, rows=None):
    r"""Link each target word to the source word with the largest weight.

    .. math:: \{(t, \operatorname{argmax}_s \text{weights}_{t + \text{shift}, s})\}

    Parameters
    ----------
    weights : array, shape (target_len, source_len)
        Of one sentence, without padding. The first of equal weights wins, and a row of
        zeros gives no link. The row of the end token, which ``translate`` and ``align``
        add, is linked like any other: for the words alone, pass
        ``rows=range(len(tokens))``.
    shift : int, optional
        The step whose weights align word t is t + shift. 0 is the step that generates
        the word. 1 is the step that takes it as input, so that step t aligns
        :math:`y_{t-1}`, as footnote 14 of Luong et al. (2015) does for content-based
        scores. A word without such a step gets no link: with ``shift=1``, keep the row
        of the step that generates the end token.
    rows : iterable of int, optional
        The target words to link, in 0 … target_len − 1. By default, all of them.

    Returns
    -------
    links : set of (target_index, source_index)

    Raises
    ------
    TypeError
        If `shift` or a row is not an integer.
    ValueError
        If the weights are not a matrix of finite numbers, or a row is out of range.
    """
    weights = _weight_matrix(weights)
    steps = len(weights)
    rows = list(range(steps) if rows is None else rows)
    for name, value in (("shift", shift), *(("each of rows", row) for row in rows)):
        if isinstance(value, bool) or not isinstance(value, Integral):
            raise TypeError(f"{name} should be an integer, got {_named(value)}")
    if any(not 0 <= t < steps for t in rows):
        raise ValueError(
            f"rows should lie between 0 and {steps - 1}, for weights of shape"
            f" {weights.shape}, got {rows}"
        )
    aligned = {t: weights[t + shift] for t in rows if 0 <= t + shift < steps}
    return {(int(t), int(row.argmax())) for t, row in aligned.items() if row.any()}


def _weight_matrix(weights):
    """The weights as a matrix of finite floats."""
    wanted = "of shape (target_len, source_len)"
    try:
        array = np.asarray(weights)
    except ValueError:  # rows of different lengths
        array = np.array(None)
    if array.dtype.kind not in "fiub":
        way = ""
        if hasattr(weights, "tokens"):
            way = ": for its words, call links(t.weights, rows=range(len(t.tokens)))"
        raise ValueError(
            f"weights should be numbers, {wanted}, got {_named(weights)}{way}"
        )
    array = array.astype(float)
    if array.ndim != 2 or array.shape[1] == 0 or not np.isfinite(array).all():
        raise ValueError(
            f"weights should be finite, {wanted}, got shape {array.shape}"
            f"{': call links for each sentence' if array.ndim == 3 else ''}"
        )
    return array


def alignment_error_rate(links, sure, possible):
    r"""Compute the alignment error rate (AER) of one sentence.

    .. math:: 1 - \frac{|A \cap S| + |A \cap P|}{|A| + |S|}

    Parameters
    ----------
    links : set of (target_index, source_index)
        :math:`A`, as ``links(weights)`` returns them.
    sure : set of (target_index, source_index)
        :math:`S`.
    possible : set of (target_index, source_index)
        :math:`P`. A sure link is possible too, whether or not `possible` contains it.

    Returns
    -------
    rate : float
        0 if every sure link and only possible links were found, 1 if none of them was.

    Raises
    ------
    TypeError
        If an argument is not a set of pairs of integers.
    ValueError
        If both :math:`A` and :math:`S` are empty, because the rate is then 0/0.

    Notes
    -----
    Och and Ney (2003).
    """
    return corpus_alignment_error_rate([links], [sure], [possible])


def corpus_alignment_error_rate(links, sure, possible):
    """Compute the alignment error rate (AER) over many sentences.

    Each of the four counts is summed over the sentences before the division. The mean
    of the sentences' own rates is another number: there a short sentence counts as much
    as a long one.

    Parameters
    ----------
    links, sure, possible : list of sets
        One set per sentence, as for ``alignment_error_rate``.

    Returns
    -------
    rate : float
        In 0 … 1.

    Raises
    ------
    TypeError
        If an element is not a set of pairs of integers.
    ValueError
        If the numbers of sets differ, or all of `links` and of `sure` are empty.
    """
    links, sure, possible = map(list, (links, sure, possible))
    if not len(links) == len(sure) == len(possible):
        raise ValueError(
            "links, sure, and possible should have one set per sentence, got"
            f" {len(links)}, {len(sure)}, and {len(possible)}"
        )
    hits = 0
    total = 0
    for a, s, p in zip(links, sure, possible, strict=True):
        _check_sets(links=a, sure=s, possible=p)
        hits += len(a & s) + len(a & (p | s))
        total += len(a) + len(s)
    if total == 0:
        raise ValueError("links or sure should hold a link, got none: the rate is 0/0")
    return 1 - hits / total


def _numbers(name, values):
    """`values` as an array of floats. TypeError if they are no numbers."""
    try:
        array = np.asarray(list(values))
    except (TypeError, ValueError):  # no list, or lists of different lengths
        array = np.array(None)
    if array.size and array.dtype.kind not in "fiub":
        way = ": count them, as in [len(tokens) for tokens in sentences]"
        raise TypeError(
            f"{name} should be one number per sentence, got {_named(values)}"
            f"{way if name == 'lengths' else ''}"
        )
    return array.astype(float)


def _check_sets(**named):
    for name, value in named.items():
        if not isinstance(value, (set, frozenset)):
            raise TypeError(
                f"{name} should be a set of (target_index, source_index), got"
                f" {_named(value)}"
            )
        for link in value:
            pair = isinstance(link, tuple) and len(link) == 2
            if not pair or not all(isinstance(index, Integral) for index in link):
                raise TypeError(
                    f"{name} should be a set of (target_index, source_index), got"
                    f" {link!r:.60} in it"
                )


def _sentence_pairs(predictions, targets):
    """Pairs of (prediction, target), as lists of tokens."""
    predictions = _sentences("predictions", predictions)
    targets = _sentences("targets", targets)
    if len(predictions) != len(targets):
        raise ValueError(
            "predictions should have one sentence per target, got"
            f" {len(predictions)} for {len(targets)} targets"
        )
    if len(targets) == 0:
        raise ValueError("targets should have at least one sentence, got none")
    _check_kinds(predictions, targets)
    return list(zip(predictions, targets, strict=True))


def _check_kinds(predictions, targets):
    """TypeError if some tokens are words and others IDs: these are never equal."""
    tokens = [t for side in (predictions, targets) for tokens in side for t in tokens]
    word = next((token for token in tokens if isinstance(token, str)), None)
    number = next((token for token in tokens if not isinstance(token, str)), None)
    if word is not None and number is not None:
        raise TypeError(
            "predictions and targets should hold words alone, or IDs alone, got"
            f" {word!r:.60} and {number!r}: turn IDs into words with"
            " vocabulary.decode(ids)"
        )


def _sentences(name, sentences):
    """`sentences` as a list of lists of tokens."""
    if hasattr(sentences, "tokens"):
        raise TypeError(
            f"{name} should be a list of sentences, got one alone,"
            f" {_named(sentences)}: put it in a list"
        )
    if not _is_list(sentences):
        raise TypeError(
            f"{name} should be a list of sentences, got {_named(sentences)}"
            f"{_as_list(sentences)}"
        )
    return [_tokens(name, sentence) for sentence in sentences]


def _tokens(name, sentence):
    """The tokens of one sentence, or of what ``translate`` returned for it."""
    tokens = getattr(sentence, "tokens", sentence)
    if not _is_list(tokens):
        raise TypeError(
            f"{name} should be lists of tokens, got {_named(tokens)}{_as_list(tokens)}"
        )
    for token in tokens:
        if _is_list(token) or hasattr(token, "tokens"):
            raise TypeError(
                f"{name} should have one list of tokens per sentence, got several:"
                f" {_named(tokens)}: give one of them, or call the metric for each"
            )
        if not _is_token(token):
            raise TypeError(f"{name} should hold words as tokens, got {_named(token)}")
    return list(tokens)


def _as_list(value):
    """How to turn `value` into a list, as the end of a message; empty if unknown."""
    if isinstance(value, str):
        return ": split it, as in text.split()"
    if hasattr(value, "tolist"):
        return ": call its tolist()"
    if isinstance(value, Iterator):
        return ": put it in a list, as in list(sentences)"
    return ""


def _is_list(value):
    """Whether `value` is a list, a tuple, or the like, and not a text."""
    return isinstance(value, Sequence) and not isinstance(
        value, (str, bytes, bytearray, memoryview)
    )


def _is_token(value):
    """Whether `value` is a word, or the ID of one."""
    return isinstance(value, (str, Integral)) and not isinstance(value, bool)


def _named(value):
    """What came, for a message: its type and the first characters of it."""
    if value is None:
        return "None"
    if isinstance(value, str):
        return f"the text {value!r:.60}"
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    return f"{type(value).__name__}: {value!r:.60}"
