"""Scores, a temperature, and a mask, and the weights that a softmax computes from
them, as an interactive figure.
"""

import numpy as np

from attnlib.arguments import boolean_mask, numbers_between
from attnlib.interactive.frame import (
    SOURCE,
    Figure,
    bar,
    distinct_names,
    minus,
    printable_tokens,
    to_html,
    visible,
)
from attnlib.reference import softmax

MAX_WORDS = 12  # more do not fit on a screen


def weights(words, scores, temperature=1.0, mask=None, title="From scores to weights"):
    r"""Sliders for the scores and the temperature of a softmax, and a box per word.

    With scores :math:`e_j` and temperature :math:`T`, the weight of word :math:`j` is

    .. math:: \alpha_j = \frac{\exp(e_j / T)}{\sum_k \exp(e_k / T)},

    where the sum runs over the words that are checked.

    Parameters
    ----------
    words : list of str
        1 to 12 tokens.
    scores : array, shape (len(words),)
        Scores :math:`e_j` between -10 and 10.
    temperature : float
        Temperature :math:`T` between 0.05 and 20.
    mask : boolean array, shape (len(words),), optional
        True = may be attended to. By default all words may be.
    title : str
        Heading of the figure.

    Returns
    -------
    Figure
        What a notebook displays. Its numbers are those of
        ``attnlib.reference.softmax``.

    Raises
    ------
    TypeError
        If words are not str, numbers are not numbers, or the mask is not boolean.
    ValueError
        If a length or a number is out of range.
    """
    words = printable_tokens("words", words, MAX_WORDS)
    scores = numbers_between("scores", scores, (len(words),), -10, 10)
    temperature = float(numbers_between("temperature", temperature, (), 0.05, 20))
    mask = np.ones(len(words), bool) if mask is None else mask
    mask = boolean_mask(mask, scores.shape)
    data = {
        "words": [visible(word) for word in words],
        "names": distinct_names(words),
        "scores": scores.tolist(),
        "temperature": temperature,
        "mask": mask.tolist(),
    }
    fallback = _table(words, scores, temperature, mask)
    return Figure("weights", title, fallback, data)


def _table(words, scores, temperature, mask):
    """The static fallback, which the script turns into the interactive form."""
    weights = softmax(scores / temperature, mask)
    rows = []
    for word, score, weight, allowed in zip(words, scores, weights, mask, strict=True):
        name = to_html(word) if allowed else f"<s>{to_html(word)}</s> (masked)"
        score = minus(f"{score:.1f}")
        rows.append(f"<tr><th scope=row>{name}<td>{score}<td>{bar(weight)}")
    return (
        f"<table><caption>Temperature T = {temperature:.3g}</caption>"
        "<thead><tr><th scope=col>word<th scope=col>score<th scope=col>weight"
        f"<tbody>{''.join(rows)}"
        f"<tfoot><tr><th scope=row>sum<td><td>{weights.sum():.3f}"
        f"<tr><th scope=row>entropy (nats){_entropy_cells(weights, int(mask.sum()))}"
        "</table>"
    )


def _entropy_cells(weights, count):
    """The largest possible entropy of `count` weights, and that of these."""
    if not count:
        return f"<td>nothing to attend to<td>{bar(0, 0, SOURCE)}"
    positive = weights[weights > 0]
    entropy = -(positive * np.log(positive)).sum() + 0.0  # + 0.0 turns -0 into 0
    maximum = np.log(count)
    share = entropy / maximum if count > 1 else 0
    limit = f"at most ln {count} = {maximum:.2f}"
    return f"<td>{limit}<td>{bar(share, entropy, SOURCE)}"
