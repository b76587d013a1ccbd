"""How much time a chapter takes: a line below its title, and on cards that link to it.

The minutes of reading are estimated from the notebook (200 words per minute, and two
seconds per line of code that is not folded). The time to run is what ``make refresh``
measured (_data/run_times.json).
"""

import json
import math
import re
from pathlib import Path

from docutils import nodes
from sphinx import addnodes

from book._ext import exercises

CHAPTER = re.compile(r"\d\d_")
WORDS_PER_MINUTE = 200
MINUTES_PER_LINE = 2 / 60
NOT_READ = {"hide-input", "remove-input", "remove-cell"}  # tags of folded code


def reading_minutes(folder, name):
    """The minutes that reading a chapter takes, rounded up to a multiple of 5."""
    cells = json.loads((folder / f"{name}.ipynb").read_text("utf-8"))["cells"]
    words = 0
    lines = 0
    for cell in cells:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            words += len(source.split())
        elif NOT_READ.isdisjoint(cell["metadata"].get("tags", [])):
            lines += len(source.splitlines())
    minutes = words / WORDS_PER_MINUTE + lines * MINUTES_PER_LINE
    return 5 * math.ceil(minutes / 5)


def run_seconds(folder, name):
    """The seconds that running a chapter takes, rounded up to a multiple of 10.

    Returns None if they have not been measured.
    """
    path = folder / "_data" / "run_times.json"
    measured = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return 10 * math.ceil(measured[name]["seconds"] / 10) if name in measured else None


def time_line(folder, name):
    """The line for one chapter, as a paragraph.

    For example: "40 minutes to read · runs in 50 seconds on two cores · 5 exercises".
    """
    text = f"{reading_minutes(folder, name)} minutes to read · "
    if seconds := run_seconds(folder, name):
        text += f"runs in {seconds} seconds on two cores · "
    number = exercises.count(exercises.labels(folder, name))
    return nodes.paragraph("", "", nodes.Text(text), number, classes=["reading-time"])


def is_card(node):
    return isinstance(node, nodes.Element) and "sd-card" in node.get("classes", [])


def add_to_cards(app, doctree):
    for card in doctree.findall(is_card):
        for link in card.findall(addnodes.pending_xref):
            # JupyterLab alone needs the suffix.
            name = link["reftarget"] = link["reftarget"].removesuffix(".ipynb")
            if CHAPTER.match(name):
                card[0] += time_line(Path(app.srcdir), name)


def add_below_title(app, doctree):
    name = app.env.docname
    if CHAPTER.match(name):
        title = next(iter(doctree.findall(nodes.title)))
        line = time_line(Path(app.srcdir), name)
        title.parent.insert(title.parent.index(title) + 1, line)


def setup(app):
    app.connect("doctree-read", add_below_title)
    app.connect("doctree-read", add_to_cards)
    return {"parallel_read_safe": True}
