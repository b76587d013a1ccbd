"""The frame around every interactive figure: one string of HTML that holds its style,
data and script.

It shows in a page of the book, in JupyterLab and as a file of its own, and asks nothing
of a network. Where scripts do not run (a notebook that is not yet trusted, a page with
scripts off, paper) its still form stands there.
"""

import json
from functools import cache
from html import escape
from importlib import resources
from pathlib import Path

import numpy as np


class Figure:
    """A figure that answers to its reader.

    name: of its files here: NAME.js, and NAME.css where it needs more than frame.css.
    NAME.js holds a function `start({root, data, live, say})`, which frame.js calls once
    for each figure on the page. title: its heading, and
    its name for a screen reader. still: HTML, escaped already, that stands for the
    figure where no script runs. JupyterLab drops style and script elements until a cell
    was run, and keeps inline style. data: what `start` gets, as JSON.

    `str` of it is the HTML, which is the same every time; `.save(path)` writes a page
    of its own.
    """

    def __init__(self, name, title, still, data):
        self.name, self.title, self.still, self.data = name, title, still, data

    def __repr__(self):
        return f"Figure({self.name!r}, {self.title!r})"

    def __str__(self):
        name = self.name
        return (
            # JupyterLab would take the arrow keys
            f'<div class="attn-figure attn-{name}" role="group"'
            f' aria-label="{escape(self.title)}" '
            f'data-lm-suppress-shortcuts="true"><style>{_file("frame.css")}{_file(f"{name}.css")}</style>'
            f'<p class="af-title" style="font-weight:600">{escape(self.title)}</p>'
            f'<p class="af-note">Run this cell to touch the figure.</p>{self.still}'
            '<script type="application/json"'
            f' class="af-data">{packed(self.data)}</script>'
            "<script>(() => {\nconst figure ="
            f" {json.dumps(name)};\n{_file(f'{name}.js')}{_file('frame.js')}}})();"
            "</script></div>"
        )

    def _repr_html_(self):
        return str(self)

    def save(self, path):
        """Write a page of its own, which loads nothing and may not."""
        Path(path).write_text(page(self.title, str(self)), encoding="utf-8")


def packed(data):
    """JSON that stands in a script element as it is: nothing in it can end the element,
    or open a comment.
    """
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def page(title, html):
    """A page around the HTML of a figure, with a policy that forbids every request."""
    policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
    style = (
        ":root{color-scheme:light"
        " dark}body{font-family:system-ui,sans-serif;max-width:60rem;margin:1rem auto}"
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport"'
        ' content="width=device-width">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f"<style>{style}</style><title>{escape(title)}</title><body><main>{html}</main></body></html>"
    )


def tokens(name, given):
    """A list of tokens, checked: TypeError where it is a text or holds anything but
    str, ValueError where empty.
    """
    if isinstance(given, str):
        raise TypeError(
            f"{name} should be a list of tokens, got the text {given[:30]!r}: split it"
            " first"
        )
    given = list(given)
    if not given:
        raise ValueError(f"{name} should have at least one token, got none")
    for token in given:
        if not isinstance(token, str):
            raise TypeError(
                f"{name} should hold tokens of type str, got {type(token).__name__}:"
                f" {token!r:.30}"
            )
    return [
        token.encode("utf-8", "replace").decode() for token in given
    ]  # half of a surrogate pair becomes "?"


def numbers(name, given, shape, least, most):
    """Numbers as an array of floats, checked: TypeError where they are none, ValueError
    where out of shape or range.
    """
    array = np.asarray(given)
    if array.dtype.kind not in "fiu":
        raise TypeError(
            f"{name} should hold numbers, got {array.dtype}"
            if shape
            else f"{name} should be a number, got {given!r:.30}"
        )
    if array.shape != shape:
        raise ValueError(f"{name} should have shape {shape}, got {array.shape}")
    outside = array[~((array >= least) & (array <= most))]  # NaN too
    if outside.size:
        raise ValueError(
            f"{name} should lie between {least} and {most}, got {outside.flat[0]:g}"
        )
    return array.astype(float)


def shown(token):
    """A token as HTML; white space alone as ␣."""
    return escape(token) if token.strip() else "␣"


def minus(number):
    """A number as text, with a minus as wide as a plus."""
    return str(number).replace("-", "−")


def bar(share, number=None, color="#08735a"):
    """A number, which is the share if none is given, and a bar as long as the share, in
    inline style alone.
    """
    length = f"display:inline-block;width:{96 * share:.0f}px;height:10px;background:{color};margin-left:8px"
    return f'{share if number is None else number:.3f}<span style="{length}"></span>'


@cache
def _file(name):
    """A file of this folder without indents and lines of comment, or nothing if it is
    not there.
    """
    path = resources.files("attnlib.interactive") / name
    if not path.is_file():
        return ""
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    return "".join(
        f"{line}\n" for line in lines if line and not line.startswith(("// ", "/* "))
    )
