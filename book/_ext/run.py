"""Cells that run in the built page.

The cell of an exercise, that is, the one directly before ``ex.<name>.check(<name>)``,
gets the attributes by which _run/page.js finds it, unless the exercise needs Keras:

- ``data-exercise``, "<module>.<name>" of attnlib.exercises;
- ``data-label``, the label of the exercise's box;
- ``data-number``, its number among the code cells, from 1.

Each other cell that can run (runnable.py) and shows its code gets ``data-run-cell``,
its number. Both kinds may have

- ``data-setup``, the numbers of the cells that run before it;
- ``data-uses``, the exercises whose code runs before it, also those that tags of the
  cell such as ``uses-psychology.softmax`` name;
- ``data-needs``, what Python loads for it beyond NumPy: "matplotlib", "results",
  "weights", and what tags of the cell such as ``needs-matplotlib`` name.

A page with such cells gets one script, one style sheet, and a block of JSON that says
where the engine is. The scripts are copied to _static/run, and the engine
(tools/engine.py) to a folder of its own there. Without an engine, the attributes stand
alone, and the page shows no buttons.
"""

import hashlib
import html
import json
import shutil
import tempfile
from pathlib import Path

from docutils import nodes
from sphinx.util import logging

from attnlib.interactive import frame
from book._ext import runnable
from tools import engine, pack_attnlib

SCRIPTS = Path(__file__).resolve().parent.parent / "_run"
SERVED = (".css", ".js", ".py")
LAUNCH = "run-launch:"  # the address of a link to Binder or Colab, until it is known


class RunCell(nodes.container):
    """A cell whose ``data`` become attributes of its element."""


def visit_cell(translator, node):
    tag = translator.starttag(node, "div", CLASS="docutils container", **node["data"])
    translator.body.append(tag)


def depart_cell(translator, node):
    translator.body.append("</div>\n")


# Marking the cells


def cells_of(app, docname):
    """{index: runnable.Cell} of a page; empty if it is no notebook."""
    path = Path(app.env.doc2path(docname))
    return runnable.cells_of(path) if path.suffix == ".ipynb" else {}


def mark_cells(app, doctree):
    """Give the cells that run their attributes, and those around exercises a class."""
    cells = cells_of(app, app.env.docname)
    label = None
    for node in list(doctree.findall(nodes.Element)):
        if node.get("type") == "exercise":
            label = node["label"]
        if node.get("nb_element") != "cell_code":
            continue
        cell = cells[node["cell_index"]]
        if cell.exercise or cell.is_marked:
            replace(node, attributes(cell, label))
        elif runnable.CHECK.fullmatch(cell.source):
            mark_check(node, cell)
        elif runnable.SHOWS.search(cell.source):
            node["classes"].append("run-show")


def mark_check(node, cell):
    """The cell that checks an exercise: hidden where the exercise itself is run."""
    if cell.can_run:
        node["classes"].append("run-check")
    else:
        node += elsewhere()


def elsewhere():
    """Where an exercise in Keras runs, with links that add_to_page completes."""
    links = [
        nodes.reference("", name, refuri=f"{LAUNCH}{name}", internal=False)
        for name in ("Binder", "Colab")
    ]
    start = nodes.Text("This exercise needs Keras, so it runs in Jupyter, on ")
    parts = start, links[0], nodes.Text(", or on "), links[1], nodes.Text(", not here.")
    return nodes.paragraph("", "", *parts, classes=["run-elsewhere"])


def attributes(cell, label=None):
    """The attributes of a cell that runs; ``label`` is that of its exercise's box."""
    data = {"data-run-cell": str(cell.number)}
    if cell.exercise:
        data = {"data-exercise": cell.exercise, "data-label": label}
        data["data-number"] = str(cell.number)
    for name in ("setup", "uses", "needs"):
        if found := getattr(cell, name):
            data[f"data-{name}"] = " ".join(map(str, found))
    return data


def replace(node, data):
    """Put a RunCell in the place of a cell's node."""
    new = RunCell("", *node.children, **node.attributes, data=data)
    new.source, new.line = node.source, node.line
    node.replace_self(new)


# What the pages need


def prepare(app):
    """Pack attnlib, and find out whether there is an engine to serve."""
    app.run_engine = engine.folder()
    if app.run_engine is None:
        logging.getLogger(__name__).info(
            "The exercises get no Run buttons, because the engine is missing."
        )
        return
    with tempfile.TemporaryDirectory() as folder:
        archives = {
            "attnlib.zip": pack_attnlib.pack,
            "results.zip": pack_attnlib.pack_results,
            "weights.zip": pack_attnlib.pack_weights,
        }
        app.run_files = {}
        for name, pack in archives.items():
            pack(Path(folder) / name)
            app.run_files[name] = (Path(folder) / name).read_bytes()
    for path in sorted(SCRIPTS.iterdir()):
        if path.suffix in SERVED:
            app.run_files[path.name] = path.read_bytes()
    app.run_files["interactive.js"] = frame.as_module().encode()
    content = b"\0".join(app.run_files.values())
    app.run_version = hashlib.sha256(content).hexdigest()[:12]


def add_to_page(app, pagename, templatename, context, doctree):
    """Add script, style sheet, and settings to a page with cells that run."""
    complete_links(context)
    if app.run_engine is None or doctree is None or not any(doctree.findall(RunCell)):
        return
    cells = cells_of(app, pagename).values()
    settings = {
        "space": pagename,
        "version": app.run_version,
        "engine": f"{app.run_engine.name}/",
        "parts": {each.number: each.part for each in cells if each.part},
    }
    text = json.dumps(settings).replace("<", "\\u003c")
    context["body"] += f'<script type="application/json" id="run-page">{text}</script>'
    style, script = (
        html.escape(
            f"{context['pathto'](f'_static/run/{name}', 1)}?v={app.run_version}"
        )
        for name in ("run.css", "page.js")
    )
    context["metatags"] += (
        f'\n    <link rel="stylesheet" href="{style}">'
        f'\n    <script type="module" src="{script}"></script>'
    )


def complete_links(context):
    """Let links of the text lead where the launch buttons of the page lead."""
    buttons = [
        button
        for group in context.get("header_buttons", ())
        for button in group.get("buttons", [group])
    ]
    for button in buttons:
        if button.get("text") in ("Binder", "Colab"):
            address = html.escape(button["url"])
            context["body"] = context["body"].replace(
                f"{LAUNCH}{button['text']}", address
            )


def copy_files(app, exception):
    """Write scripts, attnlib, and engine beside the pages."""
    if exception or app.builder.format != "html" or app.run_engine is None:
        return
    target = Path(app.outdir) / "_static" / "run"
    target.mkdir(parents=True, exist_ok=True)
    for name, content in app.run_files.items():
        (target / name).write_bytes(content)
    folder = target / app.run_engine.name
    folder.mkdir(exist_ok=True)
    for path in app.run_engine.iterdir():
        if path.is_file() and path.name != engine.MANIFEST:
            shutil.copyfile(path, folder / path.name)


def setup(app):
    app.add_node(RunCell, html=(visit_cell, depart_cell))
    app.connect("builder-inited", prepare)
    app.connect("doctree-read", mark_cells)
    # After the launch buttons are what they will be.
    app.connect("html-page-context", add_to_page, priority=950)
    app.connect("build-finished", copy_files)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
