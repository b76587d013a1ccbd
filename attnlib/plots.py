"""Figures of the book: each function draws on the ``ax`` it is given and returns it.

The colors are those of the diagrams: blue for the source, orange for the target, green
for attention. Nothing depends on color alone: lines also differ by marker and dash,
heat maps grow steadily darker or lighter, and gold links are outlined.
"""

import sys
import unicodedata
import warnings

import matplotlib
import numpy as np
from cycler import cycler
from matplotlib import rcParams
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.patches import Rectangle

from attnlib.arguments import array_of_shape, integer, token_list
from attnlib.interactive.attention_map import checked_weights
from attnlib.interactive.frame import direction, visible
from attnlib.metrics import wilson_interval

SOURCE, TARGET, ATTENTION, OTHER = "#1b62a5", "#b3500c", "#08735a", "#8a3b8f"
INK, CARD = "#1f2937", "#fbfaf6"
WEIGHT_COLORS = LinearSegmentedColormap.from_list(
    "weights", ["#ffffff", "#bfe5d8", "#45a88b", ATTENTION, "#04382c"]
)
LINES = cycler(
    color=[TARGET, ATTENTION, SOURCE, OTHER],
    marker=["s", "o", "^", "D"],
    linestyle=["--", "-", "-.", (0, (1, 1.2))],
)
# Matplotlib 3.11 sets each text in the direction of its script.
SETS_DIRECTION = matplotlib.__version_info__[:2] >= (3, 11)
STYLE = {
    # On a phone a figure is shown at about half of this width, and its text stays
    # legible.
    "figure.figsize": (6, 3.4),
    "figure.dpi": 100,
    "savefig.dpi": 200,
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.wspace": 0.1,  # keeps the ticks of two panels apart
    "figure.facecolor": CARD,
    "savefig.facecolor": CARD,
    "axes.facecolor": CARD,
    "font.size": 12,
    "axes.titlesize": 12,
    "axes.labelsize": 12,
    "axes.titlelocation": "left",
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.edgecolor": "#6b7280",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e3dfd3",
    "axes.axisbelow": True,
    "axes.prop_cycle": LINES,
    "lines.linewidth": 2,
    "lines.markersize": 6,
    "legend.frameon": False,
    "image.cmap": "cividis",
}


LINE_OF_TEXT = 0.085  # of a label beside an axis from 0 to 1
FAR = 0.2  # a label from the end of its line


def use_style():
    """Set Matplotlib's ``rcParams`` to the book's look.

    Notes
    -----
    A soft card that is readable on light and on dark pages. The backend stays as it is.
    A notebook shows figures at twice the resolution, so that they are sharp on every
    screen.
    """
    rcParams.update(STYLE)
    if IPython := sys.modules.get("IPython"):
        shell = IPython.get_ipython()
        if hasattr(shell, "kernel"):
            from matplotlib_inline.config import InlineBackend

            backend = InlineBackend.instance(parent=shell)
            backend.shell = shell
            backend.figure_formats = {"retina"}


def alignment(ax, weights, source, target, gold=None):
    r"""Draw an attention map: one row per target token, one column per source token.

    The cell in row :math:`i` and column :math:`j` is as dark as the weight

    .. math:: \alpha_{ij} \in [0, 1].

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Axes to draw on.
    weights : array, shape (target_len, source_len)
        Attention weights between 0 and 1. ``translate`` and ``align`` return one row
        more than there are tokens, for <end>: leave it out, as in ``weights[:-1]``, or
        give ``[*target, "<end>"]``.
    source : list of str, length source_len
        Source tokens.
    target : list of str, length target_len
        Target tokens.
    gold : iterable of (int, int), optional
        Gold links (target index, source index), which are outlined.

    Returns
    -------
    matplotlib.axes.Axes
        The same ``ax``.

    Raises
    ------
    TypeError
        If tokens are not str, or weights are not an array of numbers.
    ValueError
        If the weights do not have one row per target token and one column per source
        token, or are not finite and between 0 and 1.

    Warns
    -----
    UserWarning
        If the font lacks characters of the tokens.

    Notes
    -----
    Bahdanau et al. (2015), figure 3.
    """
    source = token_list("source", source)
    target = token_list("target", target)
    weights = checked_weights(
        weights,
        len(target),
        len(source),
        "plots.alignment(ax, {weights}, source, {target})",
        axes="",
    )
    _report_missing([*source, *target], rcParams["font.family"])
    image = ax.imshow(weights, cmap=WEIGHT_COLORS, vmin=0, vmax=1)
    _label_cells(ax, source, target)
    ax.set(xlabel="source", ylabel="target")
    ax.grid(False)
    ax.spines[:].set_visible(True)
    for row, column in gold or ():
        _outline_cell(ax, row, column)
    bar = ax.figure.colorbar(image, ax=ax, shrink=0.8, aspect=25, ticks=[0, 0.5, 1])
    bar.set_label("weight")
    return ax


def _label_cells(ax, source, target):
    """Label the columns above with ``source``, turned if long, and the rows with
    ``target``.
    """
    axes_size = 72 * ax.figure.get_size_inches() * ax.get_position().size  # in points
    cell = min(axes_size[0] / len(source), axes_size[1] / len(target))
    _token_ticks(ax.xaxis, source, cell)
    _token_ticks(ax.yaxis, target, cell)
    long = max(map(len, source)) > 2
    ax.tick_params(
        axis="x",
        top=False,
        labeltop=True,
        labelbottom=False,
        labelrotation=90 if long else 0,
    )


def _token_ticks(axis, tokens, points):
    """Label an axis with tokens in a font that fits ``points`` per token; where none
    does, with every second, third, … token.
    """
    step = max(1, int(np.ceil(5 / points)))
    labels = [visible(token) for token in tokens]
    labels = [label if len(label) <= 16 else label[:15] + "…" for label in labels]
    labels = [_in_drawing_order(label) for label in labels]
    positions = range(0, len(labels), step)
    # A token may contain a dollar sign.
    axis.set_ticks(positions, labels[::step], parse_math=False)
    size = float(np.clip(0.75 * points * step, 5, 11))
    axis.set_tick_params(length=0, labelsize=size)


def _outline_cell(ax, row, column):
    """Outline a cell in orange, with a white seam that shows on dark cells and in
    gray.
    """
    corner = column - 0.43, row - 0.43
    for color, linewidth in (("white", 3.5), ("#e8871e", 1.8)):
        ax.add_patch(
            Rectangle(
                corner, 0.86, 0.86, fill=False, edgecolor=color, linewidth=linewidth
            )
        )


def length_curve(ax, centers, curves, counts=None, ylabel="exact match"):
    r"""Draw a proportion, such as exact match, against source length.

    Every seed is a thin line, and their mean is a thick one. With counts, a single
    run of :math:`n` sentences per bin gets Wilson's 95% interval,

    .. math::

       \frac{\hat p + z^2 / 2n \pm z \sqrt{\hat p (1 - \hat p) / n + z^2 / 4n^2}}
            {1 + z^2 / n}, \qquad z = 1.96.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Axes to draw on.
    centers : array, shape (bins,)
        Source length of each bin, in tokens.
    curves : dict of str to array, shape (seeds, bins) or (bins,)
        Proportions between 0 and 1 by label; NaN where a bin is empty. The label stands
        at the end of its line; in a legend where too many lines end at one point.
    counts : array, shape (bins,), optional
        Number of sentences per bin.
    ylabel : str
        Label of the y axis.

    Returns
    -------
    matplotlib.axes.Axes
        The same ``ax``.

    Raises
    ------
    ValueError
        If the bins of a curve do not match ``centers``, or all of them are empty; the
        message names the curve.
    """
    centers = array_of_shape("centers", centers, "bins")
    ends = []
    for (label, values), look in zip(curves.items(), LINES(), strict=False):
        name = f"curves[{label!r}]"
        values = np.atleast_2d(values)  # (seeds, bins)
        values = array_of_shape(name, values, "seeds", len(centers))
        filled = ~np.isnan(values).all(axis=0)  # (bins,)
        if not filled.any():
            raise ValueError(
                f"{name} should hold a number in at least one bin, got only NaN"
            )
        mean = np.nanmean(values[:, filled], axis=0)  # (filled bins,)
        if len(values) > 1:
            _plot_seeds(ax, centers, values, look["color"])
        elif counts is not None:
            count = np.asarray(counts)[filled]
            _plot_intervals(ax, centers[filled], mean, count, look["color"])
        ax.plot(centers[filled], mean, label=label, **look)
        ends.append((mean[-1], centers[filled][-1], label, look["color"]))
    _label_line_ends(ax, ends)
    ax.set(xlabel="source length (tokens)", ylabel=ylabel, ylim=(-0.03, 1.03))
    return ax


def _plot_seeds(ax, centers, values, color):
    ax.plot(
        centers,
        values.T,  # (bins, seeds)
        color=color,
        linewidth=0.8,
        alpha=0.6,
        marker="",
        linestyle="-",
    )


def _plot_intervals(ax, centers, mean, count, color):
    low, high = wilson_interval(np.round(mean * count), count)
    error = [np.maximum(mean - low, 0), np.maximum(high - mean, 0)]
    ax.errorbar(centers, mean, error, color=color, fmt="none", capsize=3, linewidth=1)


def _label_line_ends(ax, ends):
    """Label lines at their ends (y, x, label, color), from the lowest up, each one line
    of text above the one before; in a legend where labels would stand far from ends.
    """
    height, heights = -1.0, []
    ends = sorted(ends, key=lambda end: end[0])
    for y, *_ in ends:
        height = max(y, height + LINE_OF_TEXT)
        heights.append(height)
    if any(height - end[0] > FAR for height, end in zip(heights, ends, strict=True)):
        # Above the axes, where it covers no line.
        above = {"loc": "lower left", "bbox_to_anchor": (0, 1), "borderaxespad": 0.2}
        legend = ax.legend(**above, ncols=2, columnspacing=1.2, handletextpad=0.6)
        for text in legend.get_texts():
            text.set_parse_math(False)
        return
    for height, (y, x, label, color) in zip(heights, ends, strict=True):
        line = {"arrowstyle": "-", "color": color, "linewidth": 0.6, "shrinkB": 6}
        line["relpos"] = (0, 0.5)  # from the left edge of the label
        ax.annotate(
            label,
            (x, y),
            (1.02, height),
            textcoords=ax.get_yaxis_transform(),
            arrowprops=line,
            color=color,
            va="center",
            parse_math=False,
        )


def strip_plot(ax, rows, label=None, marker="o", color=ATTENTION, offset=0.0):
    """Draw results by model, with one point per run.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Axes to draw on.
    rows : dict of str to float or array, shape (seeds,)
        Results by name, one row each, the first at the top; None leaves a row empty.
        A second call for another series should have the same names.
    label : str, optional
        Name of the series, for a legend.
    marker : str
        Matplotlib's marker of the points.
    color : str
        Color of the points.
    offset : float
        Vertical distance of the points from their row, in rows.

    Returns
    -------
    matplotlib.axes.Axes
        The same ``ax``.
    """
    for row, values in enumerate(rows.values()):
        values = np.atleast_1d([] if values is None else values)
        ax.plot(
            values,
            np.full(len(values), row + offset),
            marker,
            color=color,
            alpha=0.65,
            linestyle="none",
            label=label if row == 0 else None,
        )
    ax.set_yticks(range(len(rows)), rows)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    return ax


def token_accuracy_map(ax, accuracy, lengths, label="token accuracy", lowest=0.0):
    """Draw accuracy by source length and target position.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Axes to draw on.
    accuracy : array, shape (bins, positions)
        Accuracy between 0 and 1. Bins of source length are rows, short ones at the
        bottom; target positions are columns, from 1. NaN leaves a cell empty.
    lengths : list of str, length bins
        Name of each bin, such as "5–9".
    label : str
        Label of the color bar.
    lowest : float
        Accuracy at the dark end of the colors, which lower ones share.

    Returns
    -------
    matplotlib.axes.Axes
        The same ``ax``.

    Raises
    ------
    ValueError
        If the accuracy does not have one row per bin.
    """
    accuracy = array_of_shape("accuracy", accuracy, len(lengths), "positions")
    image = ax.imshow(
        accuracy,
        vmin=lowest,
        vmax=1,
        origin="lower",
        aspect="auto",
        cmap="cividis",
        interpolation="nearest",
        extent=(0.5, accuracy.shape[1] + 0.5, -0.5, len(lengths) - 0.5),
    )
    ax.set_yticks(range(len(lengths)), lengths)
    ax.grid(False)
    ax.set(xlabel="target position (tokens)", ylabel="source length (tokens)")
    ticks = [lowest, (lowest + 1) / 2, 1]
    ax.figure.colorbar(image, ax=ax, ticks=ticks, aspect=25).set_label(label)
    return ax


def plain_ticks(axis, values):
    """Label a logarithmic axis with plain numbers, in place of powers of ten.

    Parameters
    ----------
    axis : matplotlib.axis.Axis
        An axis such as ``ax.yaxis``, whose scale is set already.
    values : list of float
        Numbers at which the axis gets ticks.

    Returns
    -------
    matplotlib.axis.Axis
        The same ``axis``.
    """
    axis.set_ticks(values, [f"{value:,g}" for value in values])
    axis.set_ticks([], minor=True)
    return axis


def words(ax, tokens, weights, columns=60):
    """Draw a text whose words are shaded and underlined by weight.

    A text that begins in Arabic or Hebrew is set from right to left.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Axes to draw on.
    tokens : list of str
        Words of the text.
    weights : array, shape (len(tokens),)
        Weights of 0 or more; the largest gets the darkest shade and the thickest line.
    columns : int
        Width of a line, in characters. A longer token is cut.

    Returns
    -------
    matplotlib.axes.Axes
        The same ``ax``.

    Raises
    ------
    TypeError
        If tokens are not str, weights are not numbers, or `columns` is not an integer.
    ValueError
        If there is not one weight per token, a weight is negative or not finite, or
        `columns` is below 1.

    Warns
    -----
    UserWarning
        If the font lacks characters of the tokens.
    """
    tokens = token_list("tokens", tokens)
    shares = _shares(weights, len(tokens))
    columns = integer("columns", columns)
    families = ["monospace", *rcParams["font.family"]]
    _report_missing(tokens, families)
    right_to_left = direction(tokens) == "rtl"
    row, column = 0, 0
    for token, share in zip(tokens, shares, strict=True):
        token = _cut(visible(token), columns)
        width = _width(token)
        if column and column + width > columns:
            row, column = row + 1, 0
        left = columns - column - width if right_to_left else column
        _draw_word(ax, token, share, row, left, families)
        column += width + 1
    ax.set(xlim=(0, columns), ylim=(row + 0.7, -0.7))
    ax.set_axis_off()
    # Lets the layout settle: the size of the font depends on the width of the axes.
    ax.figure.draw_without_rendering()
    points = 72 * ax.figure.get_size_inches()[0] * ax.get_position().width
    for text in ax.texts:
        # The width of a monospaced letter is 0.6 of its size.
        text.set_size(points / columns / 0.61)
    return ax


def _shares(weights, count):
    """The weights of `count` tokens as shares of the largest."""
    if weights is None:
        raise ValueError(
            "weights should be one per token, got None: a model without attention has"
            " none to show"
        )
    try:
        shape = np.shape(weights)
    except ValueError:
        raise ValueError(
            "weights should be one number per token, got rows of different lengths"
        ) from None
    if len(shape) == 1 and shape[0] > count:
        raise ValueError(
            f"weights should have shape ({count},), got {shape}: if the rest is"
            " padding, call plots.words(ax, tokens, weights[:len(tokens)])"
        )
    if len(shape) == 2 and shape[1] == count:
        raise ValueError(
            f"weights should have shape ({count},), got {shape}: for the first row,"
            " call plots.words(ax, tokens, weights[0])"
        )
    weights = array_of_shape("weights", weights, count)
    if not (weights >= 0).all() or not np.isfinite(weights).all():
        wrong = weights[~((weights >= 0) & np.isfinite(weights))][0]
        raise ValueError(f"weights should be finite and 0 or more, got {wrong:g}")
    return weights / max(weights.max(initial=0), 1e-12)


def _width(token):
    """The width of a token in columns: 2 for a wide character, such as a Chinese one, 0
    for a mark on a letter.
    """
    width = 0
    for character in token:
        if unicodedata.category(character) not in ("Mn", "Me", "Cf"):
            wide = unicodedata.east_asian_width(character) in "WF"
            width += 2 if wide else 1
    return max(width, 1)


def _cut(token, columns):
    """A token that fits into a line."""
    if _width(token) <= columns:
        return token
    while token and _width(token) > columns - 1:
        token = token[:-1]
    return token + "…"


def _draw_word(ax, token, share, row, column, families):
    """A word, shaded and underlined by its share of the largest weight."""
    color = WEIGHT_COLORS(0.55 * share)
    width = _width(token)
    ax.add_patch(Rectangle((column, row - 0.4), width, 0.8, color=color, linewidth=0))
    ax.plot(
        [column, column + width],
        [row + 0.43] * 2,
        color=INK,
        linewidth=4 * share,
        linestyle="-",
        marker="",
        solid_capstyle="butt",
    )
    token = _in_drawing_order(token)
    ax.text(column, row, token, family=families, va="center", parse_math=False)


def _in_drawing_order(token):
    """A token as Matplotlib needs it; before 3.11, it draws every text from left to
    right.
    """
    if SETS_DIRECTION or direction([token]) == "ltr":
        return token
    letters = []
    for character in token:
        if letters and unicodedata.combining(character):
            letters[-1] += character
        else:
            letters.append(character)
    return "".join(reversed(letters))


def _font(family):
    """The font of a family; the default, which Matplotlib then takes, if it is not
    installed.
    """
    try:
        path = findfont(FontProperties(family=[family]), fallback_to_default=False)
    except ValueError:
        path = findfont(FontProperties(family=["DejaVu Sans"]))
    return get_font(path)


def _report_missing(tokens, families):
    """Warn in one line if the fonts lack characters, in place of Matplotlib's one line
    per character.
    """
    fonts = [_font(family) for family in families]
    missing = [
        character
        for character in dict.fromkeys("".join(map(visible, tokens)))
        if not any(font.get_char_index(ord(character)) for font in fonts)
    ]
    if not missing:
        return
    warnings.filterwarnings("ignore", r"Glyph \d+ .*missing from", UserWarning)
    more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
    warnings.warn(
        "the font should have every character of the tokens, got none for"
        f" {' '.join(missing[:5])}{more}: install a font that has them and name it, as"
        " in plt.rcParams['font.family'] = ['DejaVu Sans', 'Noto Sans CJK SC']",
        stacklevel=3,
    )
