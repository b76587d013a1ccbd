"""A softmax that reads its scores block by block, as an interactive figure: the running
maximum, sum, and weighted sum, and what they are multiplied by when the maximum rises.
"""

import numpy as np

from attnlib.arguments import integer, numbers_between
from attnlib.interactive.frame import Figure, minus

MAX_SCORES = 16  # more do not fit on a phone
LARGEST = 1000  # of a score, and of a value


def online_softmax(
    scores, values=None, block_size=2, title="A softmax, one block at a time"
):
    r"""The steps of an online softmax, to go through forward and back.

    Before the first block, :math:`m = -\infty`, :math:`\ell = 0`, and :math:`o = 0`.
    Each block of scores :math:`s_j` and values :math:`v_j` then changes them:

    .. math::

       m' &= \max\big(m, \max_j s_j\big)
       & \ell &\leftarrow e^{m - m'} \ell + \sum_j e^{s_j - m'} \\
       & & o &\leftarrow e^{m - m'} o + \sum_j e^{s_j - m'} v_j

    and after the last one, :math:`o / \ell` is the context: the mean of the values,
    weighted with the softmax of all scores.

    Parameters
    ----------
    scores : array, shape (source_len,)
        1 to 16 scores between -1000 and 1000; a score may be -inf, as that of a
        position that is masked.
    values : array, shape (source_len,), optional
        The value of each position, a number between -1000 and 1000. By default 10, 20,
        30, and so on.
    block_size : int
        How many scores are read at once, 1 to 16.
    title : str or None
        Heading of the figure.

    Returns
    -------
    Figure
        What a notebook displays. Readers can enter scores of their own.

    Raises
    ------
    TypeError
        If scores or values are not numbers, or ``block_size`` is not an integer.
    ValueError
        If a length or a number is out of range.

    Notes
    -----
    Milakov and Gimelshein (2018) for the sum; Rabe and Staats (2021) and
    Dao et al. (2022) carry the weighted sum of the values along.
    """
    scores = _checked_scores(scores)
    if values is None:
        values = 10.0 * np.arange(1, len(scores) + 1)
    values = numbers_between("values", values, scores.shape, -LARGEST, LARGEST)
    block_size = integer("block_size", block_size, 1, MAX_SCORES)
    data = {
        "scores": [None if score == -np.inf else score for score in scores.tolist()],
        "values": values.tolist(),
        "block_size": block_size,
    }
    return Figure("online_softmax", title, _table(scores, values, block_size), data)


def _checked_scores(scores):
    scores = np.asarray(scores)
    if scores.ndim != 1 or not 1 <= len(scores) <= MAX_SCORES:
        raise ValueError(
            f"scores should have shape (source_len,), with a length from 1 to"
            f" {MAX_SCORES}, got {scores.shape}"
        )
    finite = scores
    if scores.dtype.kind == "f":
        finite = np.where(scores == -np.inf, 0, scores)
    numbers_between("scores", finite, scores.shape, -LARGEST, LARGEST)
    return scores.astype(float)


def online_steps(scores, values, block_size):
    """What is known after each block.

    Parameters
    ----------
    scores, values : array, shape (source_len,)
    block_size : int

    Returns
    -------
    list of dict
        Per block: ``positions``, a slice; the ``maximum``, the ``sum``, and the
        ``weighted_sum`` of all blocks so far; and the ``factor`` that those of the
        blocks before were multiplied by.
    """
    maximum, total, weighted = -np.inf, 0.0, 0.0
    steps = []
    for first in range(0, len(scores), block_size):
        block = slice(first, min(first + block_size, len(scores)))
        before, maximum = maximum, max(maximum, scores[block].max())
        # Nothing to attend to so far: -inf - (-inf) would be NaN.
        shift = 0.0 if maximum == -np.inf else maximum
        factor = 1.0 if before == maximum else float(np.exp(before - shift))
        powers = np.exp(scores[block] - shift)
        total = factor * total + powers.sum()
        weighted = factor * weighted + powers @ values[block]
        steps.append(
            {
                "positions": block,
                "maximum": maximum,
                "factor": factor,
                "sum": total,
                "weighted_sum": weighted,
            }
        )
    return steps


def _number(number):
    """Three digits behind the point, and no minus in front of a zero."""
    if number == -np.inf:
        return "−∞"
    return minus(f"{round(number, 3) + 0.0:.3f}")


def _table(scores, values, block_size):
    """The static fallback, which the script fills step by step."""
    rows = []
    for step in online_steps(scores, values, block_size):
        block, total = step["positions"], step["sum"]
        first, last = block.start, block.stop - 1
        positions = f"{first}" if first == last else f"{first}–{last}"
        context = step["weighted_sum"] / total if total else 0.0
        numbers = (step["maximum"], step["factor"], total, step["weighted_sum"])
        cells = "".join(f"<td>{_number(each)}" for each in (*numbers, context))
        rows.append(f"<tr><th scope=row>{positions}{cells}")
    powers = np.exp(scores - max(scores.max(), -LARGEST))
    total, weighted = powers.sum(), powers @ values
    cells = [scores.max(), None, total, weighted, weighted / total if total else 0.0]
    last = "".join(f"<td>{'' if each is None else _number(each)}" for each in cells)
    names = "positions", "maximum m", "factor", "sum ℓ", "weighted sum o", "o / ℓ"
    head = "".join(f"<th scope=col>{name}" for name in names)
    listed = ", ".join(map(_short, scores))
    worth = ", ".join(map(_short, values))
    return (
        '<div style="overflow-x:auto" role="group" tabindex="0"'
        ' aria-label="The numbers as a table">'
        f"<table><caption>Scores {listed}; values {worth}.</caption>"
        f"<thead><tr>{head}<tbody>{''.join(rows)}"
        f"<tfoot><tr><th scope=row>all at once{last}</table></div>"
    )


def _short(number):
    return "−∞" if number == -np.inf else minus(f"{number:.6g}")
