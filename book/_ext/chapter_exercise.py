"""An exercise of a chapter that runs on another page, too.

    ```{chapter-exercise} 01_psychology psychology.softmax
    What stands between the code and the hints.
    ```

Text, code, hints, and solution are those of the chapter, and so are its number and its
label: what the reader writes here, and the mark of what is solved, are there as well.

JupyterLab does not know the directive. So what leads to such a page is a comment there,
which begins with ``% In the pages:``.
"""

import importlib
import re
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

from book._ext import exercises, run, runnable
from tools.plain_notebooks import FENCE

PAGES_ALONE = re.compile(r"^% In the pages: ", re.MULTILINE)


def find(folder, chapter, name):
    """The cell of an exercise, as runnable.py knows it.

    Raises
    ------
    ValueError
        If the chapter has no such exercise, or if its code needs other cells.
    """
    cells = runnable.cells_of(folder / f"{chapter}.ipynb").values()
    cell = next((each for each in cells if each.exercise == name), None)
    if cell is None:
        raise ValueError(f"{chapter} has no exercise {name} that runs in the page")
    if cell.setup:
        raise ValueError(f"{name} builds on other cells of {chapter}")
    return cell


class ChapterExercise(SphinxDirective):
    required_arguments = 2
    has_content = True

    def run(self):
        folder = Path(self.env.srcdir)
        chapter, name = self.arguments
        try:
            cell = find(folder, chapter, name)
        except ValueError as error:
            raise self.error(str(error)) from error
        self.env.note_dependency(str(folder / f"{chapter}.ipynb"))
        *_, fence = (each for each in FENCE.finditer(cell.text))
        (label,) = re.findall(r":label: (\S+)", fence["options"])
        number = exercises.labels(folder, chapter).index(label) + 1
        caption = f"Exercise {int(chapter[:2])}.{number} "
        return [
            self.box(label, caption, fence["title"], fence["body"]),
            code(cell, label),
            *self.parsed(self.content).children,
            folds(name),
        ]

    def parsed(self, lines):
        node = nodes.Element()
        self.state.nested_parse(lines, self.content_offset, node)
        return node

    def box(self, label, caption, title, body):
        """The box of the exercise, as sphinx-exercise makes it in the chapter."""
        number = nodes.inline("", caption, classes=["caption-number"])
        heading = nodes.title("", "", number, nodes.Text(f" ({title})"))
        text = self.parsed(StringList(body.splitlines(), self.arguments[0]))
        # exercises.py and run.py know it by its type.
        kind = {"type": "exercise", "label": label}
        return nodes.admonition(
            "", heading, *text.children, classes=["exercise"], ids=[label], **kind
        )


def code(cell, label):
    """The cell with the first code."""
    block = nodes.literal_block(cell.source, cell.source, language="python")
    outer = run.RunCell("", nodes.container("", block, classes=["cell_input"]))
    outer["classes"] = ["cell", "tag_exercise"]
    outer["data"] = run.attributes(cell, label)
    return outer


def folds(name):
    """Hint and solution, as the chapter's cell displays them."""
    module, own = name.split(".")
    exercise = getattr(importlib.import_module(f"attnlib.exercises.{module}"), own)
    outputs = [
        nodes.container("", nodes.raw("", html, format="html"), classes=["output"])
        for html in (exercise.hint()._repr_html_(), exercise.solution()._repr_html_())
    ]
    shown = nodes.container("", *outputs, classes=["cell_output"])
    return nodes.container("", shown, classes=["cell"])


def uncomment(app, docname, source):
    source[0] = PAGES_ALONE.sub("", source[0])


def setup(app):
    app.connect("source-read", uncomment)
    app.add_directive("chapter-exercise", ChapterExercise)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
