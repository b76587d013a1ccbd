"""Plots that show numbers as colors keep these colors on dark pages.

On a dark page, _static/book.css turns a plot's light into dark. The text that goes with
a heat map says what its dark cells are, so this module marks the output of every cell
whose code draws one.
"""

import re

from docutils import nodes

DRAWS_COLORS = re.compile(
    r"\bplots\.(alignment|token_accuracy_map|words)\("
    r"|\.(contourf|imshow|matshow|pcolormesh)\("
)


def mark(app, doctree):
    for cell in doctree.findall(nodes.container):
        if "cell" not in cell["classes"]:
            continue
        code = "\n".join(block.astext() for block in cell.findall(nodes.literal_block))
        if DRAWS_COLORS.search(code):
            for image in cell.findall(nodes.image):
                image["classes"].append("color-map")


def setup(app):
    app.connect("doctree-read", mark)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
