"""An attention map as an interactive figure: which source tokens each target token
attends to.
"""

import numpy as np

from attnlib.arguments import array_of_shape
from attnlib.interactive.frame import (
    CARD,
    GREEN,
    Figure,
    foldable_table,
    printable_tokens,
    to_html,
)


def attention_map(source, target, weights, title=None):
    r"""The attention map of one sentence pair, to point at, tab through, or play.

    Target token :math:`i` attends to source token :math:`j` with the weight

    .. math:: \alpha_{ij} \in [0, 1],

    and the thickness of the line between the two tokens grows with :math:`\alpha_{ij}`.

    Parameters
    ----------
    source : list of str, length source_len
        Source tokens.
    target : list of str, length target_len
        Target tokens.
    weights : array, shape (target_len, source_len)
        Attention weights between 0 and 1. The figure rounds them to three decimals.
    title : str, optional
        Heading of the figure.

    Returns
    -------
    AttentionMap
        A ``Figure`` that a notebook displays. Its ``str`` is the HTML, and
        ``.save(path)`` writes a page of its own.

    Raises
    ------
    TypeError
        If tokens are not str, or weights are not numbers.
    ValueError
        If there are no tokens, or if ``weights`` is None (from a model without
        attention), has another shape, is not finite, or is not between 0 and 1.

    Notes
    -----
    The map is that of Bahdanau et al. (2015), figure 3, with lines in place of cells.
    """
    source = printable_tokens("source", source)
    target = printable_tokens("target", target)
    weights = _checked_weights(weights, len(target), len(source)).round(3)
    return AttentionMap(source, target, weights, title)


class AttentionMap(Figure):
    """What ``attention_map`` returns."""

    def __init__(self, source, target, weights, title):
        data = {
            "source": source,
            "target": target,
            # 0 is shorter than 0.0.
            "weights": [[weight or 0 for weight in row] for row in weights.tolist()],
        }
        fallback = foldable_table(
            "The weights as a table", _table(source, target, weights)
        )
        super().__init__("attention_map", title, fallback, data)

    def __repr__(self):
        target_len, source_len = map(len, (self.data["target"], self.data["source"]))
        return f"AttentionMap({target_len} target tokens by {source_len} source tokens)"


def _checked_weights(weights, target_len, source_len):
    if weights is None:
        raise ValueError(
            "weights should be attention weights, got None: a model without attention"
            " (attention='none') has none to show"
        )
    weights = np.asarray(weights)
    expected = target_len, source_len
    if weights.shape != expected:
        raise ValueError(
            f"weights should have shape (len(target), len(source)) = {expected}, got"
            f" {weights.shape}"
        )
    weights = array_of_shape("weights", weights, *expected).astype(float)
    if not np.isfinite(weights).all():
        raise ValueError("weights should be finite, got NaN or infinity")
    if weights.min() < 0 or weights.max() > 1.001:
        raise ValueError(
            f"weights should lie between 0 and 1, got {weights.min():g} to"
            f" {weights.max():g}: are these scores, before the softmax?"
        )
    return weights


def _table(source, target, weights):
    """The static fallback: a row per target token, a column per source token."""
    head = "".join(f"<th scope=col>{to_html(token)}" for token in source)
    rows = [f"<tr><td>{head}"]
    for token, row in zip(target, weights, strict=True):
        rows.append(f"<tr><th scope=row>{to_html(token)}{''.join(map(_cell, row))}")
    return (
        f'<table style="--columns:{len(source)}"><caption>Attention weights: one row'
        " per output token, one column per input token; weights below 0.01 are left"
        f" out.</caption>{''.join(rows)}</table>"
    )


def _cell(weight):
    """A table cell, shaded toward the green of attention; not shaded below 0.05, and
    empty below 0.01.
    """
    if weight < 0.05:
        return f"<td>{weight:.2f}" if weight >= 0.01 else "<td>"
    shade = "".join(
        f"{round(card + (green - card) * weight):02x}"
        for card, green in zip(_rgb(CARD), _rgb(GREEN), strict=True)
    )
    # The better of the two has a contrast of 4.5 or more.
    ink = "fff" if weight > 0.87 else "000"
    return f"<td style=background:#{shade};color:#{ink}>{weight:.2f}"


def _rgb(color):
    """Red, green, and blue of "#rrggbb"."""
    return bytes.fromhex(color[1:])
