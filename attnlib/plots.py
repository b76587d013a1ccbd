"""Figures of the book: each function draws on the `ax` it is given and returns it.

Colours are those of the diagrams: blue for the source, orange for the target, green for
attention. Nothing rests on
colour alone: lines also differ by marker and dash, heat maps grow steadily darker or
lighter, gold links are outlined.
"""

import numpy as np
from cycler import cycler
from matplotlib import rcParams
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patches import Rectangle

from attnlib.arguments import array_of_shape
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


def use_style():
    """Set matplotlib's rcParams to the book's look: a soft card that reads in light and
    in dark pages. No backend.
    """
    rcParams.update(
        {
            "figure.figsize": (7, 3.6),
            "figure.dpi": 100,
            "savefig.dpi": 100,
            "figure.constrained_layout.use": True,
            "figure.facecolor": CARD,
            "savefig.facecolor": CARD,
            "axes.facecolor": CARD,
            "font.size": 11,
            "axes.titlesize": 12,
            "axes.labelsize": 11,
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
    )


def _token_ticks(axis, tokens, points):
    """Label an axis with tokens in a font that fits `points` a token; where none does,
    with every second, third…
    """
    every = max(1, int(np.ceil(5 / points)))
    labels = [token if token.strip() else "␣" for token in tokens]
    labels = [label if len(label) <= 16 else label[:15] + "…" for label in labels]
    axis.set_ticks(
        range(0, len(labels), every), labels[::every], parse_math=False
    )  # a token may hold a dollar sign
    axis.set_tick_params(
        length=0, labelsize=float(np.clip(0.75 * points * every, 5, 11))
    )


def alignment(ax, weights, source, target, gold=None):
    """Attention weights as a map, as in Bahdanau et al. (2015), figure 3: a row an
    output word, a column an input word.

    weights: (target_len, source_len), between 0 and 1. source, target: lists of tokens.
    gold: links (target_index, source_index), outlined.
    ValueError where weights do not have one row a target token and one column a source
    token.
    """
    weights = array_of_shape("weights", weights, len(target), len(source))
    image = ax.imshow(weights, cmap=WEIGHT_COLORS, vmin=0, vmax=1)
    width, height = (
        72 * ax.figure.get_size_inches() * ax.get_position().size
    )  # the axes' size in points
    cell = min(width / len(source), height / len(target))
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
    ax.set(xlabel="source", ylabel="target")
    ax.grid(False)
    ax.spines[:].set_visible(True)
    for row, column in gold or ():
        for color, line in (
            ("white", 3.5),
            ("#e8871e", 1.8),
        ):  # the white seam shows on dark cells and in grey
            corner = column - 0.43, row - 0.43
            ax.add_patch(
                Rectangle(
                    corner, 0.86, 0.86, fill=False, edgecolor=color, linewidth=line
                )
            )
    ax.figure.colorbar(
        image, ax=ax, shrink=0.8, aspect=25, ticks=[0, 0.5, 1]
    ).set_label("weight")
    return ax


def length_curve(ax, centers, curves, counts=None, ylabel="exact match"):
    """A share, such as exact match, against source length: every seed a thin line,
    their mean a thick one.

    centers: (bins,), lengths in tokens. curves: {label: shares (seeds, bins) or
    (bins,)}, NaN where a bin is empty.
    counts: (bins,), sentences in each bin; where given, a single run gets Wilson's 95 %
    interval. The label stands at its line's end. ValueError names a curve whose bins do
    not match, or are all empty.
    """
    centers = array_of_shape("centers", centers, "bins")
    ends = []
    for (label, shares), look in zip(curves.items(), LINES(), strict=False):
        shares = array_of_shape(
            f"curves[{label!r}]", np.atleast_2d(shares), "seeds", len(centers)
        )
        filled = ~np.isnan(shares).all(axis=0)
        if not filled.any():
            raise ValueError(
                f"curves[{label!r}] should hold a number in at least one bin, got"
                " only NaN"
            )
        mean = np.nanmean(shares[:, filled], axis=0)
        if len(shares) > 1:
            ax.plot(
                centers,
                shares.T,
                color=look["color"],
                linewidth=0.8,
                alpha=0.6,
                marker="",
                linestyle="-",
            )
        elif counts is not None:
            count = np.asarray(counts)[filled]
            low, high = wilson_interval(np.round(mean * count), count)
            error = [np.maximum(mean - low, 0), np.maximum(high - mean, 0)]
            ax.errorbar(
                centers[filled],
                mean,
                error,
                color=look["color"],
                fmt="none",
                capsize=3,
                linewidth=1,
            )
        ax.plot(centers[filled], mean, label=label, **look)
        ends.append([mean[-1], centers[filled][-1], label, look["color"]])
    ends.sort(key=lambda end: end[0])
    height = -1.0
    for (
        share,
        center,
        label,
        color,
    ) in ends:  # from the lowest up, each a line of text above the one before
        height = max(share, height + 0.075)
        line = {"arrowstyle": "-", "color": color, "linewidth": 0.6, "shrinkB": 6}
        ax.annotate(
            label,
            (center, share),
            (1.02, height),
            textcoords=ax.get_yaxis_transform(),
            arrowprops=line,
            color=color,
            va="center",
            parse_math=False,
        )
    ax.set(xlabel="source length (tokens)", ylabel=ylabel, ylim=(-0.03, 1.03))
    return ax


def every_seed(ax, rows, label=None, marker="o", color=ATTENTION, offset=0.0):
    """Results by model, every run a point: a row for each of `rows`, the first at the
    top.

    rows: {name: value or values (seeds,)}; None leaves the row empty. offset: of the
    points from their row, in rows. Called again for another series, `rows` should have
    the same names.
    """
    for place, values in enumerate(rows.values()):
        values = np.atleast_1d([] if values is None else values)
        ax.plot(
            values,
            np.full(len(values), place + offset),
            marker,
            color=color,
            alpha=0.65,
            linestyle="none",
            label=label if place == 0 else None,
        )
    ax.set_yticks(range(len(rows)), rows)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    return ax


def token_accuracy_map(ax, accuracy, lengths, label="token accuracy"):
    """Accuracy by source length (rows, short at the bottom) and target position
    (columns); NaN stays empty.

    accuracy: (bins, positions), between 0 and 1. lengths: a name for each bin, such as
    "5–9".
    """
    accuracy = array_of_shape("accuracy", accuracy, len(lengths), "positions")
    image = ax.imshow(
        accuracy,
        vmin=0,
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
    ax.figure.colorbar(image, ax=ax, ticks=[0, 0.5, 1], aspect=25).set_label(label)
    return ax


def words(ax, tokens, weights, columns=60):
    """A text whose words are shaded and underlined by weight, the largest of them
    darkest; `columns` characters a line.

    tokens: list of str. weights: (len(tokens),), at least 0.
    """
    weights = array_of_shape("weights", weights, len(tokens))
    shares = weights / max(weights.max(initial=0), 1e-12)
    row, column = 0, 0
    for token, share in zip(tokens, shares, strict=True):
        if column and column + len(token) > columns:
            row, column = row + 1, 0
        ax.add_patch(
            Rectangle(
                (column, row - 0.4),
                len(token),
                0.8,
                color=WEIGHT_COLORS(0.55 * share),
                linewidth=0,
            )
        )
        ax.plot(
            [column, column + len(token)],
            [row + 0.43] * 2,
            color=INK,
            linewidth=4 * share,
            linestyle="-",
            marker="",
            solid_capstyle="butt",
        )
        ax.text(column, row, token, family="monospace", va="center", parse_math=False)
        column += len(token) + 1
    ax.set(xlim=(0, columns), ylim=(row + 0.7, -0.7))
    ax.set_axis_off()
    # lets the layout settle: the font's size depends on the axes' width
    ax.figure.draw_without_rendering()
    width = 72 * ax.figure.get_size_inches()[0] * ax.get_position().width  # in points
    for text in ax.texts:
        text.set_size(
            width / columns / 0.61
        )  # a monospaced letter is 0.6 of its size wide
    return ax
