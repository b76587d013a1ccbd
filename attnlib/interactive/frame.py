"""The frame around every interactive figure: its style, data, and script in one string
of HTML.

The figure works on a page of the book, in JupyterLab, and as a file of its own, and it
requests nothing from a network. Where scripts do not run (a notebook that is not yet
trusted, a browser with scripts turned off, paper), its static fallback is shown.
"""

import json
import re
import unicodedata
from collections import Counter
from functools import cache
from html import escape
from importlib import resources
from itertools import groupby
from pathlib import Path

from attnlib.arguments import token_list

# The static fallback has no style sheet, so it repeats these colors of frame.css.
CARD, GREEN, SOURCE = "#fbfaf6", "#08735a", "#1b62a5"

# Tokens. White space at an end of one, and controls inside, have no shape.
SHAPELESS = re.compile(r"^\s+|\s+$|[\x00-\x1f\x7f-\x9f]")
SYMBOLS = {"\t": "⇥", "\n": "↵", "\xa0": "⍽"}
NAMES = {
    "\t": "tab",
    "\n": "line end",
    "\r": "carriage return",
    "-": "hyphen",
    "/": "slash",
    "\\": "backslash",
    "_": "underscore",
    "@": "at sign",
}
BLANKS = "\u115f\u1160\u2800\u3164\uffa0"  # letters and a symbol that are empty
MARKS = ("Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm", "Sc", "Sk")


# Scripts and styles of each figure, beside those of the frame.
FILES = {
    "attention_map": ("map", "attention_map"),
    "cueing": ("cueing",),
    "decoder_step": ("ask", "known", "decoder_step"),
    "head_maps": ("ask", "known", "map", "head_maps"),
    "heads": ("ask", "heads"),
    "kv_cache": ("controls", "player", "kv_cache"),
    "online_softmax": ("ask", "controls", "player", "online_softmax"),
    "own_words": ("ask", "own_words"),
    "sink_window": ("controls", "sink_window"),
    "weights": ("controls", "weights"),
    "window": ("controls", "window"),
}


class Figure:
    """An interactive figure, which a notebook displays.

    ``str(figure)`` is its HTML, which is the same every time. A page that runs cells
    itself gets the figure's name and data instead, and draws them with the same script.

    Parameters
    ----------
    name : str
        Name of the figure's files in this folder: NAME.js, and NAME.css for what it
        needs beyond frame.css. NAME.js sets ``figure`` to the same name and defines
        ``start({root, live, said, data})``, which frame.js calls once for each such
        figure on the page.
    title : str or None
        Heading, and name for screen readers. With None there is no heading, and screen
        readers get the name of the figure.
    fallback : str
        The static fallback: HTML, already escaped, that is shown where no script runs.
        Until a cell is run, JupyterLab drops style and script elements but keeps inline
        styles.
    data : dict
        What ``start`` gets as ``data``; anything that JSON can hold.
    """

    def __init__(self, name, title, fallback, data):
        self.name = name
        self.title = title
        self.fallback = fallback
        self.data = data

    def __repr__(self):
        return f"Figure({self.name!r}, {self.title!r})"

    def __str__(self):
        label = escape(self._label())
        style, script = _style(self.name), _script(self.name)
        data = to_script_json(self.data)
        heading = f'<p class="af-title" style="font-weight:600">{label}</p>'
        return (
            f'<div class="attn-figure attn-{self.name}"'
            f' role="group" aria-label="{label}"'
            # Otherwise JupyterLab takes the arrow keys.
            ' data-lm-suppress-shortcuts="true">'
            f"<style>{style}</style>"
            f"{heading if self.title else ''}"
            '<p class="af-note">Run this cell to use the figure.</p>'
            f"{self.fallback}"
            f'<script type="application/json" class="af-data">{data}</script>'
            f"<script>{{\n{script}}}</script>"  # a block keeps the names to itself
            "</div>"
        )

    def _repr_html_(self):
        return str(self)

    def _page_figure_(self):
        """What a page that runs cells itself gets: (name, data)."""
        return self.name, {"title": self.title, **self.data}

    def save(self, path):
        """Write a page of its own, which requests nothing.

        Parameters
        ----------
        path : str or pathlib.Path
            File to write; an existing one is replaced.
        """
        Path(path).write_text(page(self._label(), str(self)), encoding="utf-8")

    def _label(self):
        return self.title or self.name.replace("_", " ").capitalize()


def page(title, html):
    """A page around the HTML of figures, with a policy that forbids every request."""
    policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f"<style>{_minified_css('page.css')}</style>"
        f"<title>{escape(title)}</title>"
        f"<body><main>{html}</main></body></html>"
    )


def as_module():
    """An ES module for a page that draws figures from their data.

    It exports ``figures``, in which ``figures[name].style`` is a style sheet, and
    ``figures[name].start()`` starts each such figure on the page that was not started.
    """
    entries = [
        f"{name}: {{style: {json.dumps(_style(name))},"
        f" start() {{\n{_script(name)}}}}},\n"
        for name in FILES
    ]
    return f"export const figures = {{\n{''.join(entries)}}};\n"


def to_script_json(data):
    """JSON that can stand in a script element as it is: nothing in it can end the
    element or open a comment.
    """
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def printable_tokens(name, tokens, max_length=None):
    """``tokens`` as a checked list of str in which half a surrogate pair is "?".

    Raises
    ------
    TypeError
        If it is a text instead of a list, or holds anything but str.
    ValueError
        If it is empty or longer than ``max_length``.
    """
    tokens = token_list(name, tokens)
    if max_length is not None and len(tokens) > max_length:
        raise ValueError(
            f"{name} should have at most {max_length} tokens, so that all of them fit"
            f" on a screen, got {len(tokens)}"
        )
    return [token.encode("utf-8", "replace").decode() for token in tokens]


def visible(token):
    """A token as it is shown: white space, controls, and other characters without a
    shape get one where they stand alone, at an end, or would break the line.
    """
    if not token:
        return "∅"
    if not any(map(_has_shape, token)):
        return "".join(map(_symbol, token))
    return SHAPELESS.sub(lambda found: "".join(map(_symbol, found[0])), token)


def spoken(token):
    """A token as a screen reader should say it: a single punctuation mark, and what has
    no shape, by name.
    """
    if not token:
        return "empty token"
    mark = len(token) == 1 and unicodedata.category(token) in MARKS
    if mark or not any(map(_has_shape, token)):
        return _names(token)
    named = SHAPELESS.sub(lambda found: f" {_names(found[0])} ", token)
    return named.strip() if named != token else token


def distinct_names(tokens):
    """The tokens as a screen reader should say them; those that sound alike are
    counted, as in "2 (1st of 3)".
    """
    names = [spoken(token) for token in tokens]
    totals = Counter(names)
    counts = Counter()
    for i, name in enumerate(names):
        if totals[name] > 1:
            counts[name] += 1
            names[i] = f"{name} ({_ordinal(counts[name])} of {totals[name]})"
    return names


def _ordinal(number):
    """1st, 2nd, 3rd, 4th, ..."""
    endings = {1: "st", 2: "nd", 3: "rd"}
    ending = "th" if number % 100 in (11, 12, 13) else endings.get(number % 10, "th")
    return f"{number}{ending}"


def _has_shape(character):
    """Whether a character can be seen on its own."""
    return unicodedata.category(character)[0] in "LNPS" and character not in BLANKS


def _symbol(character):
    """What is shown in place of a character without a shape."""
    kind = unicodedata.category(character)
    if character in SYMBOLS or kind[0] == "Z":
        return SYMBOLS.get(character, "␣")
    if kind[0] == "M" and "VARIATION SELECTOR" not in unicodedata.name(character):
        return "◌" + character
    return character if _has_shape(character) else f"U+{ord(character):04X}"


def _names(characters):
    """The names of characters, "3 times space" for a run."""
    names = []
    for character, run in groupby(characters):
        name = NAMES.get(character) or unicodedata.name(character, "").lower()
        name = name or f"character U+{ord(character):04X}"
        count = len(list(run))
        names.append(name if count == 1 else f"{count} times {name}")
    return ", ".join(names)


def direction(tokens):
    """ "rtl" if the tokens' first letter is of a script that is written from right to
    left, such as Arabic or Hebrew, else "ltr".
    """
    for character in "".join(tokens):
        kind = unicodedata.bidirectional(character)
        if kind in ("L", "R", "AL"):
            return "ltr" if kind == "L" else "rtl"
    return "ltr"


# Parts of static fallbacks.


def to_html(token):
    """A token as HTML, in its visible form."""
    return escape(visible(token))


def minus(number):
    """A number as text, with a minus sign as wide as a plus sign."""
    return str(number).replace("-", "−")


def bar(share, number=None, color=GREEN):
    """A number (the share if none is given) and a bar as long as the share, drawn with
    inline style alone.
    """
    style = (
        f"display:inline-block;width:{96 * share:.0f}px;height:10px;"
        f"background:{color};margin-left:8px"
    )
    return f'{share if number is None else number:.3f}<span style="{style}"></span>'


def foldable_table(summary, table):
    """A table that scrolls where it is too wide, and that frame.js folds."""
    return (
        f"<details open><summary>{summary}</summary>"
        '<div style="overflow-x:auto" role="group" tabindex="0"'
        f' aria-label="{summary}">{table}</div></details>'
    )


# Files of this folder.


def _style(name):
    """The style starts with the frame, so that a figure may override it."""
    return "".join(_minified_css(f"{each}.css") for each in ("frame", *FILES[name]))


def _script(name):
    """The script ends with the frame, which starts the figure."""
    return "".join(_minified_js(f"{each}.js") for each in (*FILES[name], "frame"))


@cache
def _minified_js(name):
    """A script without indentation and comments."""
    lines = [re.sub(r"(^|  )// .*", "", line.strip()) for line in _lines(name)]
    return "".join(f"{line}\n" for line in lines if line)


@cache
def _minified_css(name):
    """A style sheet without comments and most of its white space; empty if there is no
    such file.
    """
    text = " ".join(line.strip() for line in _lines(name))
    text = re.sub(r"/\*.*?\*/", "", text)
    text = re.sub(r"(?<=[:;,{}]) +| +(?=[{}])", "", text)
    return text.replace(";}", "}").strip()


def _lines(name):
    path = resources.files("attnlib.interactive") / name
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
