"""The window of local attention, with sliders for its center, its half width and the
Gaussian's sigma.
"""

from numbers import Integral

import numpy as np

from attnlib.interactive.frame import Figure, bar, minus, numbers, shown, tokens
from attnlib.reference import local_attend

MOST = 24  # words: more do not fit a phone


def window(
    words, scores, center, half_width, sigma=None, title="A window on a sentence"
):
    """Sliders for p_t, D and sigma of eq. 10 of Luong et al. (2015): a softmax over a
    window, times a Gaussian.

    words: list of 1 to 24 tokens. scores: (len(words),), between -100 and 100. center:
    p_t, 0 to len(words), where 0
    is the first word. half_width: D, a whole number of 1 or more. sigma: of the
    Gaussian; None ties it to D, as the
    paper does: sigma = D / 2.
    Returns a Figure, which a notebook shows. Its weights are those of
    ``attnlib.reference.local_attend``. TypeError where words are not str or numbers not
    numbers; ValueError where a length or a number is out of range.
    """
    words = tokens("words", words)
    if len(words) > MOST:
        raise ValueError(
            f"words should be at most {MOST}, so that all fit a screen, got"
            f" {len(words)}"
        )
    scores = numbers("scores", scores, (len(words),), -100, 100)
    center = float(numbers("center", center, (), 0, len(words)))
    if isinstance(half_width, bool) or not isinstance(half_width, Integral):
        raise TypeError(f"half_width should be a whole number, got {half_width!r:.30}")
    half_width = int(numbers("half_width", half_width, (), 1, 100))
    if sigma is not None:
        sigma = float(numbers("sigma", sigma, (), 0.1, 100))
    data = {
        "words": words,
        "scores": scores.tolist(),
        "center": center,
        "half_width": half_width,
        "sigma": sigma,
    }
    return Figure(
        "window",
        title,
        _table(scores, words, center, half_width, sigma or half_width / 2),
        data,
    )


def _table(scores, words, center, half_width, sigma):
    """The still form, whose numbers the script keeps up to date."""
    vectors = np.zeros((1, len(words), 1))
    _, align = local_attend(
        vectors[:, :1],
        vectors,
        vectors,
        [[center]],
        half_width,
        score=lambda *_: scores[None, None],
        gaussian=False,
    )
    align, places = align[0, 0], np.arange(len(words))
    gaussian = np.exp(-((places - center) ** 2) / (2 * sigma**2))
    first, last = int(center // 1) - half_width, int(center // 1) + half_width
    rows = []
    for place, word, score in zip(places, words, scores, strict=True):
        inside = first <= place <= last
        cells = (
            f"<td>{align[place]:.3f}<td>{gaussian[place]:.3f}"
            if inside
            else "<td>–<td>–"
        )
        row = (
            f"<tr><td>{place}<th"
            f" scope=row>{shown(word)}<td>{minus(f'{score:.1f}')}{cells}"
        )
        rows.append(f"{row}<td>{bar(align[place] * gaussian[place])}")
    heads = "".join(
        f"<th scope=col>{head}"
        for head in ("place", "word", "score", "softmax", "Gaussian", "weight")
    )
    return (
        "<details open><summary>The numbers as a table</summary>"
        '<div style="overflow-x:auto" role="group" aria-label="The numbers as a table"'
        ' tabindex="0">'
        f"<table><caption>Center {center:.3g}, D = {half_width}, σ = {sigma:.3g}: the"
        " window takes places "
        f"{minus(first)} to {minus(last)}. A weight is the softmax over the window"
        " times the Gaussian.</caption>"
        f"<thead><tr>{heads}<tbody>{''.join(rows)}<tfoot><tr><td><th scope=row>sum<td>"
        f"<td>{align.sum():.3f}<td><td>{(align * gaussian).sum():.3f}</table></div></details>"
    )
