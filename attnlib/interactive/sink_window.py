"""A window and its sinks over a stack of layers, as an interactive figure: which
positions of the input can reach a chosen output.
"""

import numpy as np

from attnlib.arguments import integer
from attnlib.interactive.frame import Figure, bar, foldable_table

MAX_LENGTH = 32  # more do not fit on a phone
MAX_LAYERS = 6
MAX_SINKS = 4


def sink_window(
    length=20,
    layers=3,
    window=4,
    sinks=0,
    position=None,
    title="What a window lets through, layer by layer",
):
    r"""Which positions of the input can reach one output of a stack of layers.

    In each layer, position :math:`t` attends to the last :math:`w` positions
    :math:`t - w + 1, \dots, t` and to the first :math:`s` positions, its sinks. Through
    :math:`L` layers, the output at :math:`t` is reached by

    .. math::

       \min\big(t + 1,\; L (w - 1) + 1 + s\big)

    positions of the input.

    Parameters
    ----------
    length : int
        Number of positions, 2 to 32.
    layers : int
        Number of layers :math:`L`, 1 to 6.
    window : int
        Window :math:`w`, 1 to ``length``, in positions; the position itself is one of
        them.
    sinks : int
        Number of sinks :math:`s`, 0 to 4.
    position : int, optional
        The output that is chosen first, from 0. By default the last one.
    title : str or None
        Heading of the figure.

    Returns
    -------
    Figure
        What a notebook displays.

    Raises
    ------
    TypeError
        If an argument is not an integer.
    ValueError
        If an argument is out of range.

    Notes
    -----
    Jiang et al. (2023), figure 1, for the window; their estimate :math:`L w` counts the
    positions that a layer looks back, ours a window that includes the position itself.
    Xiao et al. (2024) for the sinks.
    """
    length = integer("length", length, 2, MAX_LENGTH)
    data = {
        "length": length,
        "layers": integer("layers", layers, 1, MAX_LAYERS),
        "window": integer("window", window, 1, length),
        "sinks": integer("sinks", sinks, 0, MAX_SINKS),
        "position": length - 1
        if position is None
        else integer("position", position, 0, length - 1),
    }
    fallback = foldable_table("The numbers as a table", _table(**data))
    return Figure("sink_window", title, fallback, data)


def shares_by_layer(length, layers, window, sinks, position):
    """The part of each position in one output, if every weight of a row were equal.

    Parameters
    ----------
    length, layers, window, sinks, position : int
        As in ``sink_window``.

    Returns
    -------
    array, shape (layers + 1, length)
        Row 0 is the input and the last row the output. Each row sums to one. A position
        is above zero if it can reach the output.
    """
    t, j = np.arange(length)[:, None], np.arange(length)
    mask = (j <= t) & ((j > t - window) | (j < sinks))  # (length, length)
    weights = mask / mask.sum(axis=1, keepdims=True)
    rows = [np.eye(length)[position]]
    for _ in range(layers):
        rows.append(rows[-1] @ weights)
    return np.array(rows[::-1])


def _table(**settings):
    """The static fallback, whose numbers the script keeps up to date."""
    shares = shares_by_layer(**settings)
    t, window, sinks = (settings[name] for name in ("position", "window", "sinks"))
    rows = ""
    for k in range(settings["layers"], -1, -1):
        reached = np.flatnonzero(shares[k])
        rows += (
            f"<tr><th scope=row>{_layer_name(k, settings['layers'])}<td>{len(reached)}"
            f"<td>{_ranges(reached)}<td>{bar(shares[k, :sinks].sum())}"
        )
    names = "row", "positions", "which", "share of the sinks"
    head = "".join(f"<th scope=col>{name}" for name in names)
    plural = "" if sinks == 1 else "s"
    return (
        f"<table><caption>The output at position {t}, with a window of {window} and"
        f" {sinks} sink{plural}: what can reach it.</caption>"
        f"<thead><tr>{head}<tbody>{rows}</table>"
    )


def _layer_name(k, layers):
    name = f"after layer {k}" if k else "input"
    return f"{name} (output)" if k == layers else name


def _ranges(positions):
    """Positions as text: 0, 5–9."""
    parts = np.split(positions, np.flatnonzero(np.diff(positions) > 1) + 1)
    return ", ".join(
        f"{part[0]}" if len(part) == 1 else f"{part[0]}–{part[-1]}" for part in parts
    )
