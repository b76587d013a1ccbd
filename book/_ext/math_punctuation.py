"""Keep a formula and the punctuation next to it on one line.

A browser breaks lines on both sides of a formula, so that a line could begin with the
comma after one.
"""

import re

from docutils import nodes

BEFORE = re.compile(r"[(\[“‘]+\Z")
AFTER = re.compile(r"\A[.,;:!?%)\]”’–-]+")


def keep_together(app, doctree):
    for formula in list(doctree.findall(nodes.math)):
        parent = formula.parent
        before = taken(formula, -1, BEFORE)
        after = taken(formula, 1, AFTER)
        if before or after:
            place = parent.index(formula)
            parent.remove(formula)
            parts = [nodes.Text(before), formula, nodes.Text(after)]
            parent.insert(place, nodes.inline("", "", *parts, classes=["one-line"]))


def taken(formula, step, pattern):
    """The punctuation that the text on one side of a formula has there; it is cut off
    from that text.
    """
    parent = formula.parent
    place = parent.index(formula) + step
    text = parent[place] if 0 <= place < len(parent) else None
    if not isinstance(text, nodes.Text) or not (found := pattern.search(text)):
        return ""
    start, end = found.span()
    parent[place] = nodes.Text(text[:start] + text[end:])
    return found[0]


def setup(app):
    app.connect("doctree-read", keep_together)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
