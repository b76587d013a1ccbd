"""Cells that run in the built page.

The cell of an exercise, that is, the one directly before ``ex.<name>.check(<name>)``,
gets the attributes by which _run/page.js finds it, unless the exercise needs Keras:

- ``data-exercise``, "<module>.<name>" of attnlib.exercises;
- ``data-label``, the label of the exercise's box;
- ``data-needs``, what Python needs beyond NumPy ("matplotlib"), if the cell has the tag
  ``needs-matplotlib``.

A page with such cells gets one script, one style sheet, and a block of JSON that says
where the engine is. The scripts are copied to _static/run, and the engine
(tools/engine.py) to a folder of its own there. Without an engine, the attributes stand
alone, and the page shows no buttons.
"""

import ast
import hashlib
import html
import importlib.util
import json
import re
import shutil
import tempfile
from pathlib import Path

from docutils import nodes
from sphinx.util import logging

from attnlib.interactive import frame
from tools import engine, pack_attnlib

SCRIPTS = Path(__file__).resolve().parent.parent / "_run"
SERVED = (".css", ".js", ".py")
CHECK = re.compile(r"ex\.(\w+)\.check\(\1\)")
SHOWN = re.compile(r"display\(\s*ex\.\w+\.hint\(\)")
MODULE = re.compile(r"from attnlib\.exercises import (\w+) as ex\b")
NEEDS = "needs-"
ELSEWHERE = (
    "This exercise needs Keras, so it runs in Jupyter or Colab, not in this page."
)


class RunCell(nodes.container):
    """A cell whose ``data`` become attributes of its element."""


def visit_cell(translator, node):
    tag = translator.starttag(node, "div", CLASS="docutils container", **node["data"])
    translator.body.append(tag)


def depart_cell(translator, node):
    translator.body.append("</div>\n")


# Finding the cells


def in_keras(module):
    """The names of a module's exercises that need Keras."""
    found = importlib.util.find_spec("attnlib.exercises")
    path = Path(found.origin).with_name(f"{module}_keras.py")
    if not path.exists():
        return set()
    body = ast.parse(path.read_text("utf-8")).body
    return {
        each.name for each in body if isinstance(each, (ast.ClassDef, ast.FunctionDef))
    }


def source_of(cell):
    """The code of a cell's node."""
    return (
        next(iter(cell.findall(nodes.literal_block)), nodes.Text("")).astext().strip()
    )


def mark_cells(app, doctree):
    """Give the cells of exercises their attributes, and those around them a class."""
    module = label = previous = None
    for node in list(doctree.findall(nodes.Element)):
        if node.get("type") == "exercise":
            label = node["label"]
        if node.get("nb_element") != "cell_code":
            continue
        source = source_of(node)
        if found := MODULE.search(source):
            module = found[1]
        if found := CHECK.fullmatch(source):
            mark_exercise(previous, node, module, found[1], label)
        elif SHOWN.match(source):
            node["classes"].append("run-show")
        previous = node


def mark_exercise(cell, check, module, name, label):
    """Mark the cell of one exercise, and the cell that checks it."""
    if name in in_keras(module):
        check += nodes.paragraph("", ELSEWHERE, classes=["run-elsewhere"])
        return
    check["classes"].append("run-check")
    data = {"data-exercise": f"{module}.{name}", "data-label": label}
    tags = [each.removeprefix("tag_") for each in cell["classes"]]
    needs = [tag.removeprefix(NEEDS) for tag in tags if tag.startswith(NEEDS)]
    if needs:
        data["data-needs"] = " ".join(needs)
    replace(cell, data)


def replace(cell, data):
    """Put a RunCell in the place of a cell's node."""
    new = RunCell("", *cell.children, **cell.attributes, data=data)
    new.source, new.line = cell.source, cell.line
    cell.replace_self(new)


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
        archive = Path(folder) / "attnlib.zip"
        pack_attnlib.pack(archive)
        app.run_files = {"attnlib.zip": archive.read_bytes()}
    for path in sorted(SCRIPTS.iterdir()):
        if path.suffix in SERVED:
            app.run_files[path.name] = path.read_bytes()
    app.run_files["interactive.js"] = frame.as_module().encode()
    content = b"\0".join(app.run_files.values())
    app.run_version = hashlib.sha256(content).hexdigest()[:12]


def add_to_page(app, pagename, templatename, context, doctree):
    """Add script, style sheet, and settings to a page with cells that run."""
    if app.run_engine is None or doctree is None or not any(doctree.findall(RunCell)):
        return
    settings = {
        "space": pagename,
        "version": app.run_version,
        "engine": f"{app.run_engine.name}/",
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
    app.connect("html-page-context", add_to_page)
    app.connect("build-finished", copy_files)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
