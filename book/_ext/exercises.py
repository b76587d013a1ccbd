"""Exercises on a page without a kernel: links to hint and solution, and a count.

A hint and a solution get the anchors ``<label>-hint`` and ``<label>-solution``, and the
exercise's box links to them. The line below a chapter's title holds the labels, too:
there, _static/solved.js counts the exercises that the reader has marked as solved.
"""

import json
import re

from docutils import nodes

LABEL = re.compile(r"^`{3,}\{exercise\}[^\n]*\n:label: (\S+)", re.MULTILINE)
FOLD = re.compile(r"<details>(?=<summary[^>]*>Show (?:a )?(hint|solution))")


def labels(folder, name):
    """The labels of a chapter's exercises, in order."""
    cells = json.loads((folder / f"{name}.ipynb").read_text("utf-8"))["cells"]
    texts = [
        "".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"
    ]
    return LABEL.findall("\n".join(texts))


def count(found):
    """The words "5 exercises" as HTML that carries their labels."""
    html = (
        f'<span class="exercises" data-labels="{" ".join(found)}">{len(found)}'
        " exercises</span>"
    )
    return nodes.raw("", html, format="html")


def link_folds(app, doctree):
    """Give each hint and solution an anchor, and link to it from its exercise.

    The exercise is the last one above the hint or solution.
    """
    exercise = None
    for node in list(doctree.findall(nodes.Element)):
        if node.get("type") == "exercise":
            exercise = node
            footer = nodes.paragraph(classes=["exercise-foot"])
            exercise += footer
        elif exercise and isinstance(node, nodes.raw):
            if fold := FOLD.match(node.astext()):
                kind = fold[1]
                anchor = f"{exercise['label']}-{kind}"
                rest = node.astext()[fold.end() :]
                node.children = [nodes.Text(f'<details id="{anchor}">{rest}')]
                node.rawsource = ""
                footer += nodes.reference(
                    "", kind.capitalize(), internal=True, refid=anchor
                )
                footer += nodes.Text(" ")


def setup(app):
    app.connect("doctree-read", link_folds)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
