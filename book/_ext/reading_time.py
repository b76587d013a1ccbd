"""How much of the reader's time a chapter takes: a line below its title, and on cards
that lead to it.

Minutes to read are counted from the notebook (200 words a minute, two seconds a line of
code), and the time to run is what `make refresh` measured (_data/run_times.json).
"""

import json
import math
import re
from pathlib import Path

import exercises
from docutils import nodes
from sphinx import addnodes

CHAPTER = re.compile(r"\d\d_")


def effort(folder, name):
    """The line for one chapter, such as "40 minutes to read · runs in 50 seconds · 5
    exercises", as nodes.
    """
    cells = json.loads((folder / f"{name}.ipynb").read_text("utf-8"))["cells"]
    words = lines = 0
    for cell in cells:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            words += len(source.split())
        elif "remove-input" not in cell["metadata"].get("tags", []):
            lines += len(source.splitlines())
    minutes = 5 * math.ceil((words / 200 + lines * 2 / 60) / 5)
    parts = [f"{minutes} minutes to read"]
    times = folder / "_data" / "run_times.json"
    measured = json.loads(times.read_text("utf-8")) if times.exists() else {}
    if name in measured:
        parts.append(
            f"runs in {10 * math.ceil(measured[name]['seconds'] / 10)} seconds on two"
            " cores"
        )
    return [
        nodes.Text(" · ".join([*parts, ""])),
        exercises.count(exercises.labels(folder, name)),
    ]


def on_cards(app, doctree):
    for card in doctree.findall(
        lambda node: "sd-card" in getattr(node, "attributes", {}).get("classes", [])
    ):
        for link in card.findall(addnodes.pending_xref):
            name = link["reftarget"] = link["reftarget"].removesuffix(
                ".ipynb"
            )  # JupyterLab alone needs it
            if CHAPTER.match(name):
                card[0] += nodes.paragraph(
                    "", "", *effort(Path(app.srcdir), name), classes=["effort"]
                )


def below_the_title(app, doctree):
    name = app.env.docname
    if CHAPTER.match(name):
        title = next(iter(doctree.findall(nodes.title)))
        line = nodes.paragraph(
            "", "", *effort(Path(app.srcdir), name), classes=["effort"]
        )
        title.parent.insert(title.parent.index(title) + 1, line)


def setup(app):
    app.connect("doctree-read", below_the_title)
    app.connect("doctree-read", on_cards)
    return {"parallel_read_safe": True}
