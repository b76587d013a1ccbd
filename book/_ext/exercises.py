"""Exercises as a page without a kernel has them: links to hint and solution, and a
count of those marked as solved.

A hint and a solution get the anchors `<label>-hint` and `<label>-solution`, and the
exercise's box links to them. The labels stand in the line of minutes and seconds too,
where _static/solved.js counts those that the reader has marked.
"""

import json
import re

from docutils import nodes

LABEL = re.compile(r"^`{3,}\{exercise\}[^\n]*\n:label: (\S+)", re.MULTILINE)
FOLD = re.compile(r"<details>(?=<summary[^>]*>Show (?:a )?(hint|solution))")


def labels(folder, name):
    """The labels of a chapter's exercises, in order."""
    cells = json.loads((folder / f"{name}.ipynb").read_text("utf-8"))["cells"]
    return LABEL.findall(
        "\n".join(
            "".join(cell["source"])
            for cell in cells
            if cell["cell_type"] == "markdown"
        )
    )


def count(found):
    """The words "5 exercises" as HTML that carries their labels."""
    html = (
        f'<span class="exercises" data-labels="{" ".join(found)}">{len(found)}'
        " exercises</span>"
    )
    return nodes.raw("", html, format="html")


def link_folds(app, doctree):
    """Give each hint and solution an anchor, and link to it from the exercise that
    stands before it.
    """
    exercise = None
    for node in list(doctree.findall(nodes.Element)):
        if node.get("type") == "exercise":
            exercise, foot = node, nodes.paragraph(classes=["exercise-foot"])
            node += foot
        elif (
            exercise
            and isinstance(node, nodes.raw)
            and (fold := FOLD.match(node.astext()))
        ):
            anchor = f"{exercise['label']}-{fold[1]}"
            node.children = [
                nodes.Text(f'<details id="{anchor}">' + node.astext()[fold.end() :])
            ]
            node.rawsource = ""
            foot += nodes.reference(
                "", fold[1].capitalize(), internal=True, refid=anchor
            )
            foot += nodes.Text(" ")


def setup(app):
    app.connect("doctree-read", link_folds)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
