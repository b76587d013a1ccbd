"""The window of local attention as an interactive figure, with sliders for its center,
its half-width, and the standard deviation of the Gaussian.
"""

import numpy as np

from attnlib.arguments import integer, numbers_between
from attnlib.interactive.frame import (
    Figure,
    bar,
    distinct_names,
    foldable_table,
    minus,
    printable_tokens,
    to_html,
    visible,
)
from attnlib.reference import local_attend

MAX_WORDS = 24  # more do not fit on a phone


def window(
    words, scores, center, half_width, sigma=None, title="A window on a sentence"
):
    r"""Sliders for local attention: a softmax over a window, times a Gaussian.

    With center :math:`p_t`, half-width :math:`D`, and standard deviation
    :math:`\sigma`, the weight of position :math:`s` is

    .. math::

       a_t(s) = \mathrm{align}_t(s) \, \exp\!\Big(-\frac{(s - p_t)^2}{2 \sigma^2}\Big),

    where :math:`\mathrm{align}_t` is the softmax of the scores over the positions
    :math:`\lfloor p_t \rfloor - D, \dots, \lfloor p_t \rfloor + D` that exist.

    Parameters
    ----------
    words : list of str
        1 to 24 tokens.
    scores : array, shape (len(words),)
        Scores between -100 and 100.
    center : float
        Center :math:`p_t` between 0 and len(words), in positions; the first word has
        position 0.
    half_width : int
        Half-width :math:`D` between 1 and 100, in positions.
    sigma : float, optional
        Standard deviation :math:`\sigma` of the Gaussian between 0.1 and 100, in
        positions. By default it is tied to :math:`D`, as in the paper:
        :math:`\sigma = D / 2`.
    title : str
        Heading of the figure.

    Returns
    -------
    Figure
        What a notebook displays. Its weights are those of
        ``attnlib.reference.local_attend``.

    Raises
    ------
    TypeError
        If words are not str, numbers are not numbers, or ``half_width`` is not an
        integer.
    ValueError
        If a length or a number is out of range.

    Notes
    -----
    Luong et al. (2015), section 3.2, equation 10.
    """
    words = printable_tokens("words", words, MAX_WORDS)
    scores = numbers_between("scores", scores, (len(words),), -100, 100)
    center = float(numbers_between("center", center, (), 0, len(words)))
    half_width = integer("half_width", half_width, 1, 100)
    if sigma is not None:
        sigma = float(numbers_between("sigma", sigma, (), 0.1, 100))
    table = _table(words, scores, center, half_width, sigma or half_width / 2)
    data = {
        "words": [visible(word) for word in words],
        "names": distinct_names(words),
        "scores": scores.tolist(),
        "center": center,
        "half_width": half_width,
        "sigma": sigma,
    }
    fallback = foldable_table("The numbers as a table", table)
    return Figure("window", title, fallback, data)


def _table(words, scores, center, half_width, sigma):
    """The static fallback, whose numbers the script keeps up to date."""
    align = _softmax_in_window(scores, center, half_width)
    positions = np.arange(len(words))
    gaussian = np.exp(-((positions - center) ** 2) / (2 * sigma**2))
    weights = align * gaussian
    first = int(center // 1) - half_width
    last = int(center // 1) + half_width
    rows = []
    for s, (word, score) in enumerate(zip(words, scores, strict=True)):
        score = minus(f"{score:.1f}")
        factors = "<td>–<td>–"
        if first <= s <= last:
            factors = f"<td>{align[s]:.3f}<td>{gaussian[s]:.3f}"
        rows.append(
            f"<tr><td>{s}<th scope=row>{to_html(word)}"
            f"<td>{score}{factors}<td>{bar(weights[s])}"
        )
    names = "position", "word", "score", "softmax", "Gaussian", "weight"
    head = "".join(f"<th scope=col>{name}" for name in names)
    return (
        f"<table><caption>Center {center:.3g}, D = {half_width}, σ = {sigma:.3g}: the"
        f" window covers positions {minus(first)} to {minus(last)}. A weight is the"
        " softmax over the window times the Gaussian.</caption>"
        f"<thead><tr>{head}<tbody>{''.join(rows)}"
        f"<tfoot><tr><td><th scope=row>sum<td><td>{align.sum():.3f}"
        f"<td><td>{weights.sum():.3f}</table>"
    )


def _softmax_in_window(scores, center, half_width):
    """The weights of local attention before the Gaussian, zero outside the window."""
    vectors = np.zeros((1, len(scores), 1))  # (batch, source_len, dim)
    _, align = local_attend(
        vectors[:, :1],
        vectors,
        vectors,
        [[center]],
        half_width,
        score=lambda *_: scores[None, None],  # (batch, target_len, source_len)
        gaussian=False,
    )
    return align[0, 0]  # (source_len,)
