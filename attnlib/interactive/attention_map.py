"""An attention map as an interactive figure: which source tokens each target token
attends to.
"""

import math
import operator
from html import escape
from typing import NamedTuple

import numpy as np

from attnlib.arguments import array_of_shape, integer, one_of
from attnlib.interactive.frame import (
    CARD,
    GREEN,
    Figure,
    direction,
    distinct_names,
    foldable_table,
    minus,
    printable_tokens,
    to_html,
    visible,
)

LARGE = 0.05  # weights that are named, here and in the script
LINE = 0.01  # weights that are drawn as lines
SHOWN = 0.005  # weights that may be shown as numbers
LIMITS = LARGE, LINE, SHOWN
MAX_CELLS = 100_000  # of the static table
MAX_LINES = 2_000  # at rest, where no word is chosen
MAX_MODELS = 6  # more names do not fit beside each other


def attention_map(source, target, weights=None, title=None, gold=None, windows=None):
    r"""The attention map of one sentence pair, to point at, tab through, or play.

    ``attention_map(source, {"global": (target, weights), "local-p": (target,
    weights)})`` has a switch between the maps of several models.

    Target token :math:`i` attends to source token :math:`j` with the weight

    .. math:: \alpha_{ij} \in [0, 1],

    and the thickness of the line between the two tokens grows with :math:`\alpha_{ij}`.

    Parameters
    ----------
    source : list of str, length source_len
        Source tokens.
    target : list of str, length target_len, or dict
        Target tokens. Or {name: (target, weights)} of 1 to 6 models, which read the
        same source; then there is no other ``weights``.
    weights : array, shape (target_len, source_len)
        Attention weights between 0 and 1. ``translate`` and ``align`` return one row
        more than there are tokens, for <end>: leave it out, as in ``weights[:-1]``, or
        give ``[*target, "<end>"]``.
    title : str, optional
        Heading of the figure.
    gold : iterable of (int, int), optional
        (target_index, source_index) of the links in the gold alignment, which a button
        shows. Or a dict of them by model.
    windows : (centers, half_width), or dict, optional
        Of local attention: the center :math:`p_t` of each target token's window, in
        source positions from 0, and :math:`D`. The window of the chosen word is drawn.
        Or a dict of them by model, {"local-p": (centers, half_width)}.

    Returns
    -------
    AttentionMap
        A ``Figure`` that a notebook displays. Its ``str`` is the HTML, and
        ``.save(path)`` writes a page of its own.

    Raises
    ------
    TypeError
        If tokens are not str, weights are not an array of numbers, gold links are not
        pairs of integers, or a model has something else than a target and weights.
    ValueError
        If there are no tokens or models, if ``weights`` is None (from a model without
        attention), has another shape, is not finite, or is not between 0 and 1, if a
        gold link leads to no token, or if a window is one of no model.

    Notes
    -----
    The map is that of Bahdanau et al. (2015), figure 3, with lines in place of cells.
    """
    source = printable_tokens("source", source)
    if not isinstance(target, dict):
        return AttentionMap(
            [checked_map(source, target, weights, gold, windows)], title
        )
    given = _by_model(target, weights)
    gold, windows = (
        _for_each(name, value, given)
        for name, value in (("gold", gold), ("windows", windows))
    )
    models = []
    for name, (own, its_weights) in given.items():
        try:
            model = checked_map(source, own, its_weights, gold[name], windows[name])
        except (TypeError, ValueError) as error:
            raise type(error)(f"of the model {name!r}, {error}") from None
        models.append(model._replace(name=name))
    return AttentionMap(models, title)


class Model(NamedTuple):
    """One map, checked."""

    source: list
    target: list
    weights: np.ndarray
    gold: list  # (target_index, source_index)
    windows: list  # (center, first, last) per target token; empty without windows
    name: str | None = None


def checked_map(source, target, weights, gold=None, windows=None):
    """A map as ``attention_map`` takes it, checked but for its source."""
    target = printable_tokens("target", target)
    weights = checked_weights(
        weights, len(target), len(source), "attention_map(source, {target}, {weights})"
    )
    gold = _checked_gold(gold, len(target), len(source))
    windows = _checked_windows(windows, len(target), len(source))
    return Model(source, target, weights, gold, windows)


def _by_model(target, weights):
    """{name: (target, weights)}, if it is that."""
    if weights is not None:
        raise TypeError(
            "weights should stand beside the target of each model, as in"
            " attention_map(source, {'global': (target, weights)})"
        )
    if not 1 <= len(target) <= MAX_MODELS:
        raise ValueError(
            f"target should have 1 to {MAX_MODELS} models, got {len(target)}"
        )
    for name, pair in target.items():
        if not isinstance(name, str) or not name.strip():
            raise TypeError(f"a model's name should be a str, got {name!r}")
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise TypeError(
                f"of the model {name!r}, there should be (target, weights), got"
                f" {type(pair).__name__}"
            )
    return target


def _for_each(argument, value, models):
    """What an argument gives to each model: the same, or one of its own."""
    if not isinstance(value, dict):
        if argument == "windows" and value is not None:
            raise TypeError(
                "windows should be a dict, as in {'local-p': (centers, half_width)},"
                f" got {type(value).__name__}"
            )
        return dict.fromkeys(models, value)
    for name in value:
        one_of(f"a model of {argument}", name, tuple(models))
    return {name: value.get(name) for name in models}


class AttentionMap(Figure):
    """What ``attention_map`` returns."""

    def __init__(self, models, title):
        several = models[0].name is not None
        data = [map_data(model) for model in models]
        table = "".join(map(_fallback, models))
        fallback = foldable_table("The weights as a table", table)
        data = {"models": data} if several else data[0]
        super().__init__("attention_map", title, fallback, data)

    def __repr__(self):
        if "models" in self.data:
            names = ", ".join(repr(model["name"]) for model in self.data["models"])
            return f"AttentionMap({names})"
        target_len, source_len = (
            len(self.data[side]["tokens"]) for side in ("target", "source")
        )
        return f"AttentionMap({target_len} target tokens by {source_len} source tokens)"


def map_data(model):
    """What the script gets of a model."""
    characters = len(model.source) > 1 and max(map(len, model.source)) == 1
    unit = "character" if characters else "word"
    data = {
        "unit": unit,
        "source": _side(model.source, model.weights.T, unit),
        "target": _side(model.target, model.weights, unit),
        "weights": [_shown(row) for row in model.weights],
        # The weight of the thinnest line at rest. Very many would be slow.
        "least": _least_line(model.weights),
    }
    if model.gold:
        data["gold"] = [list(link) for link in model.gold]
    if model.windows:
        data["windows"] = [
            [round(c, 2), first, last] for c, first, last in model.windows
        ]
    return data if model.name is None else {"name": model.name, **data}


def checked_weights(
    weights, target_len, source_len, call, axes="(len(target), len(source)) = "
):
    """The weights as a matrix of floats between 0 and 1.

    `call` is the caller's own call, for the message: a format with `target` and
    `weights`, to be filled with what would work. `axes` stand before the shape.
    """
    if weights is None:
        raise ValueError(
            "weights should be attention weights, got None: a model without attention"
            " (attention='none') has none to show"
        )
    if hasattr(weights, "tokens"):
        works = call.format(target="t.tokens", weights="t.weights[:len(t.tokens)]")
        raise TypeError(
            f"weights should be an array, got {type(weights).__name__}: call {works}"
        )
    try:
        array = np.asarray(weights)
    except ValueError:
        raise ValueError(
            "weights should have one number per source token in each row, got rows of"
            " different lengths"
        ) from None
    expected = target_len, source_len
    if array.shape != expected:
        raise ValueError(
            f"weights should have shape {axes}{expected}, got"
            f" {array.shape}{_way(array.shape, expected, call)}"
        )
    array = array_of_shape("weights", array, *expected)
    if not np.isfinite(array).all():
        raise ValueError("weights should be finite, got NaN or infinity")
    if array.min() < 0 or array.max() > 1.001:
        raise ValueError(
            f"weights should lie between 0 and 1, got {array.min():g} to"
            f" {array.max() + 0.0:g}: are these scores, before the softmax?"
        )
    return array


def _way(shape, expected, call):
    """What to do about another shape, as the end of a message; empty if unknown."""
    target_len, source_len = expected
    if len(shape) == 3:
        works = call.format(target="target", weights="weights[0]")
        return f": for the first of several sentences, call {works}"
    if shape == (target_len + 1, source_len):
        without = call.format(target="target", weights="weights[:-1]")
        named = call.format(target="[*target, '<end>']", weights="weights")
        return f": if the last row is that of <end>, call {without} or {named}"
    if shape == (source_len, target_len):
        works = call.format(target="target", weights="weights.T")
        return f": if the rows belong to the source, call {works}"
    if len(shape) == 2 and shape[0] >= target_len and shape[1] >= source_len:
        part = "weights[:len(target), :len(source)]"
        works = call.format(target="target", weights=part)
        return f": if the rest is padding, call {works}"
    return ""


def _checked_gold(gold, target_len, source_len):
    """The gold links as sorted (target_index, source_index) pairs."""
    links = set()
    for link in () if gold is None else gold:
        try:
            row, column = map(operator.index, link)
        except (TypeError, ValueError):
            raise TypeError(
                "gold should hold pairs (target_index, source_index) of integers, got"
                f" {link!r}"
            ) from None
        if not (0 <= row < target_len and 0 <= column < source_len):
            raise ValueError(
                f"gold should hold links between {target_len} target and {source_len}"
                f" source tokens, counted from 0, got {(row, column)}"
            )
        links.add((row, column))
    return sorted(links)


def _checked_windows(windows, target_len, source_len):
    """The windows as (center, first, last), cut at the ends of the sentence."""
    if windows is None:
        return []
    try:
        centers, half_width = windows
    except (TypeError, ValueError):
        raise TypeError(
            f"windows should be (centers, half_width), got {type(windows).__name__}"
        ) from None
    half_width = integer("half_width of windows", half_width, 1)
    centers = array_of_shape("centers of windows", centers, target_len)
    if not np.isfinite(centers).all():
        raise ValueError("centers of windows should be finite, got NaN or infinity")
    return [
        (
            float(center),
            max(math.floor(center) - half_width, 0),
            min(math.floor(center) + half_width, source_len - 1),
        )
        for center in centers
    ]


def _least_line(weights):
    """A weight from which on there are at most MAX_LINES: LINE, or a larger one."""
    if (weights >= LINE).sum() <= MAX_LINES:
        return LINE
    last = np.partition(weights, -MAX_LINES, axis=None)[-MAX_LINES]
    return float(np.nextafter(last, 2))  # many may be equal to it


def _side(tokens, weights, unit):
    """What the script gets of one row of words, with a row of weights for each."""
    names = dict(enumerate(distinct_names(tokens)))
    return {
        "tokens": [visible(token) for token in tokens],
        "names": {i: name for i, name in names.items() if name != tokens[i]},
        "dir": direction(tokens),
        # Of all weights, also those too small to be sent.
        "largest": weights.argmax(axis=1).tolist(),
        "none": {
            i: _none(row, unit) for i, row in enumerate(weights) if row.max() < LARGE
        },
    }


def _none(row, unit):
    """What is said of a row of weights without a large one."""
    count = np.count_nonzero(row)
    if count == 0:
        return "nothing"
    if count == 1:
        return f"one {unit}, with a weight below {LARGE}"
    return f"{count if count < 5 else 'many'} {unit}s, none of them {LARGE} or more"


def _shown(row):
    """Of a row of weights, those that are large enough to be shown anywhere, each as
    [index, weight].
    """
    return [[i, _short(row[i])] for i in np.flatnonzero(row >= SHOWN).tolist()]


def _short(weight):
    """The weight with seven decimals, or as it is where that changes what is said."""
    # By way of text, 0.9 in float32 is not 0.8999999761581421.
    exact = float(str(weight))
    rounded = round(exact, 7)
    halfway = abs(100 * exact % 1 - 0.5) < 1e-4  # between two numbers of two decimals
    same = all((exact >= limit) == (rounded >= limit) for limit in LIMITS)
    return rounded if same and not halfway else exact


def _fallback(model):
    """The static fallback of one model."""
    is_small = model.weights.size <= MAX_CELLS
    return (map_table if is_small else _list)(model)


def _caption(model, text):
    name = "" if model.name is None else f"{escape(model.name)}: "
    return f"{name}{text if not name else text[0].lower() + text[1:]}"


def map_table(model):
    """A checked map as a table of HTML: a row per target token, a column per source
    token.
    """
    source, gold = model.source, set(model.gold)
    more = "<th scope=col>window" if model.windows else ""
    rows = [f"<tr><td>{''.join(_headings('col', source))}{more}"]
    for i, heading in enumerate(_headings("row", model.target)):
        cells = [_cell(w, (i, j) in gold) for j, w in enumerate(model.weights[i])]
        if model.windows:
            cells.append(_window_cell(*model.windows[i]))
        rows.append(f"<tr>{heading}{''.join(cells)}")
    marked = " Gold links are marked with a star." if gold else ""
    if model.windows:
        marked += " The last column has the window of each row, in positions from 0."
    caption = _caption(
        model,
        "Attention weights: one row per output token, one column per input token;"
        f" weights below 0.01 are left out.{marked}",
    )
    columns = len(source) + 2 * bool(more)
    return (
        f'<table dir={direction(source)} style="--columns:{columns}">'
        f"<caption dir=ltr>{caption}</caption>{''.join(rows)}</table>"
    )


def _window_cell(center, first, last):
    covers = f"{first}–{last}" if first <= last else "–"
    return f"<td>{covers}, center {minus(f'{center:.1f}')}"


def _headings(scope, tokens):
    """The headings of rows or columns; equal tokens have different names."""
    for token, name in zip(tokens, distinct_names(tokens), strict=True):
        label = f' aria-label="{escape(name)}"' if name != token else ""
        yield f"<th scope={scope}{label}>{to_html(token)}"


def _list(model):
    """Where the map is large: each target token's largest weights."""
    rows, names = [], distinct_names(model.source)
    headings = _headings("row", model.target)
    for heading, row in zip(headings, model.weights, strict=True):
        largest = [j for j in np.argsort(-row, kind="stable")[:3] if row[j] >= LARGE]
        named = [f"<bdi>{escape(names[j])}</bdi> {row[j]:.2f}" for j in largest]
        rows.append(f"<tr>{heading}<td>{', '.join(named) or '–'}")
    caption = _caption(
        model,
        "The largest attention weights of each output token, of 0.05 or more.",
    )
    return f"<table><caption>{caption}</caption>{''.join(rows)}</table>"


def _cell(weight, is_gold):
    """A table cell, shaded toward the green of attention; not shaded below LARGE, and
    without a number below LINE.
    """
    star = "*" if is_gold else ""
    if weight < LARGE:
        return f"<td>{weight:.2f}{star}" if weight >= LINE else f"<td>{star}"
    shade = "".join(
        f"{round(card + (green - card) * weight):02x}"
        for card, green in zip(_rgb(CARD), _rgb(GREEN), strict=True)
    )
    # The better of the two has a contrast of 4.5 or more.
    ink = "fff" if weight > 0.87 else "000"
    return f"<td style=background:#{shade};color:#{ink}>{weight:.2f}{star}"


def _rgb(color):
    """Red, green, and blue of "#rrggbb"."""
    return bytes.fromhex(color[1:])
