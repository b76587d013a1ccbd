"""Results as tables: HTML in a notebook, aligned text elsewhere."""

import textwrap
from html import escape
from numbers import Integral, Real

import numpy as np

from attnlib.arguments import token_list

WIDTH = 84  # characters of the page's column
GAP = "  "  # between the columns of the text
MISSING = "–"
LEFT_OUT = "…"


class Table:
    """A table with a header row, which a notebook displays.

    Parameters
    ----------
    columns : list of str
        The headings, with their units. The first column names the rows.
    rows : iterable of tuples
        One value per column: text, a number, several numbers, what ``mark_errors``
        returns, or None (or NaN) where there is no value.
    caption : str, optional
        What the table shows, in a sentence or less.
    digits : int or dict of str to int
        Decimal places of numbers that are not integers; with a dict, by column, and
        2 in the columns that it leaves out.

    Raises
    ------
    ValueError
        If a row does not have one value per column, or ``digits`` names a column that
        is not there.

    Notes
    -----
    ``repr`` gives lines of aligned text. Rows that do not fit into a line are given as
    paragraphs, with one value after the other.
    """

    def __init__(self, columns, rows, caption=None, digits=2):
        self.columns = list(columns)
        self.caption = caption
        if isinstance(digits, dict):
            if unknown := [name for name in digits if name not in self.columns]:
                raise ValueError(
                    f"digits should name columns, got {unknown[0]!r}: the columns are"
                    f" {self.columns}"
                )
            places = [digits.get(name, 2) for name in self.columns]
        else:
            places = [digits] * len(self.columns)
        values = [list(row) for row in rows]
        for number, row in enumerate(values, start=1):
            if len(row) != len(self.columns):
                raise ValueError(
                    f"row {number} should have {len(self.columns)} values, one per"
                    f" column, got {len(row)}"
                )
        self.rows = [
            [_Cell(value, p) for value, p in zip(row, places, strict=True)]
            for row in values
        ]
        # Numbers stand to the right, so that their digits form columns.
        self.is_numeric = [
            column > 0 and all(row[column].is_numeric for row in self.rows)
            for column in range(len(self.columns))
        ]

    def __repr__(self):
        texts = [self.columns, *([cell.text for cell in row] for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
        if sum(widths) + len(GAP) * (len(widths) - 1) > WIDTH:
            lines = self._paragraphs(texts[1:])
        else:
            lines = [self._line(row, widths) for row in texts]
        return "\n".join([self.caption, *lines] if self.caption else lines)

    def _line(self, texts, widths):
        aligned = (
            text.rjust(width) if numeric else text.ljust(width)
            for text, width, numeric in zip(texts, widths, self.is_numeric, strict=True)
        )
        return GAP.join(aligned).rstrip()

    def _paragraphs(self, rows):
        """Lines of "column: value" for every row."""
        names = [f"{name}:" for name in self.columns]
        indent = max(map(len, names)) + 1
        for number, row in enumerate(rows):
            if number:
                yield ""
            for name, text in zip(names, row, strict=True):
                yield textwrap.fill(
                    name.ljust(indent) + text,
                    WIDTH,
                    subsequent_indent=" " * indent,
                    break_on_hyphens=False,
                )

    def _repr_html_(self):
        parts = ['<table class="results">']
        if self.caption:
            style = "caption-side: top; text-align: left"
            parts.append(f'<caption style="{style}">{escape(self.caption)}</caption>')
        head = (
            self._html_cell("th", ' scope="col"', column, escape(name))
            for column, name in enumerate(self.columns)
        )
        parts += ["<thead>", f"<tr>{''.join(head)}</tr>", "</thead>", "<tbody>"]
        for row in self.rows:
            first = self._html_cell("th", ' scope="row"', 0, row[0].html)
            rest = (
                self._html_cell("td", "", column, cell.html)
                for column, cell in enumerate(row[1:], start=1)
            )
            parts.append(f"<tr>{first}{''.join(rest)}</tr>")
        return "\n".join([*parts, "</tbody>", "</table>"])

    def _page_figure_(self):
        """What a page that runs cells itself gets: (name, data)."""
        return "table", {
            "title": self.caption,
            "columns": self.columns,
            "numeric": self.is_numeric,
            "rows": [[cell.parts for cell in row] for row in self.rows],
        }

    def _html_cell(self, tag, scope, column, content):
        """An element; its style stands in it, because JupyterLab drops style sheets."""
        style = "text-align: right" if self.is_numeric[column] else "text-align: left"
        return f'<{tag}{scope} style="{style}">{content}</{tag}>'


class _Cell:
    """A value as text, as parts that may be marked, and as HTML."""

    def __init__(self, value, digits):
        self.is_numeric = True
        if isinstance(value, str | Marked):
            self.is_numeric = False
            self.text = str(value)
        elif isinstance(value, list | tuple | np.ndarray):
            self.text = " ".join(_number(each, digits) for each in value)
        else:
            self.text = _number(value, digits)
        marked = value if isinstance(value, Marked) else Marked([(self.text, False)])
        self.parts, self.html = marked.parts, marked.html


def _number(value, digits):
    """A number as text, with a comma between thousands."""
    if value is None or (isinstance(value, Real) and np.isnan(value)):
        return MISSING
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real):
        return str(value)
    if isinstance(value, Integral):
        return f"{value:,}"
    return f"{value:,.{digits}f}"


class Marked:
    """What ``mark_errors`` returns: words, some of them marked, for a ``Table``.

    Parameters
    ----------
    parts : list of (str, bool)
        Runs of words, and whether a run is marked.
    """

    def __init__(self, parts):
        self.parts = parts

    def __str__(self):
        return " ".join(f"[{text}]" if marked else text for text, marked in self.parts)

    __repr__ = __str__

    @property
    def html(self):
        style = "text-decoration: underline wavy; font-weight: bold"
        return " ".join(
            f'<mark style="{style}">{escape(text)}</mark>' if marked else escape(text)
            for text, marked in self.parts
        )


def mark_errors(written, expected):
    """Mark the words that differ from what was expected.

    Parameters
    ----------
    written, expected : list of str
        Tokens. Nothing may have been written.

    Returns
    -------
    Marked
        The written tokens. Those that are not in the longest common part are marked,
        and so is an ellipsis where expected ones were left out.
    """
    written = token_list("written", written) if written else []
    expected = token_list("expected", expected)
    parts, i, j = [], 0, 0
    for low, high in [*_common(written, expected), (len(written), len(expected))]:
        if (i, j) != (low, high):
            parts.append((" ".join(written[i:low]) or LEFT_OUT, True))
        parts.append((" ".join(written[low : low + 1]), False))
        i, j = low + 1, high + 1
    return Marked(parts[:-1])


def _common(written, expected):
    """The positions of a longest common subsequence in both."""
    best = np.zeros((len(written) + 1, len(expected) + 1), int)  # from i and j on
    for i in reversed(range(len(written))):
        for j in reversed(range(len(expected))):
            is_same = written[i] == expected[j]
            best[i, j] = (
                1 + best[i + 1, j + 1]
                if is_same
                else max(best[i + 1, j], best[i, j + 1])
            )
    pairs, i, j = [], 0, 0
    while i < len(written) and j < len(expected):
        if written[i] == expected[j]:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif best[i + 1, j] >= best[i, j + 1]:
            i += 1
        else:
            j += 1
    return pairs
