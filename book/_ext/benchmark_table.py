"""The directive `{speed}`: the table of benchmarks/results/latest.json, as it is when
the book is built.
"""

import json
import sys
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

BENCHMARKS = Path(__file__).resolve().parent.parent.parent / "benchmarks"
sys.path.append(str(BENCHMARKS))
import table  # noqa: E402  (the same table as `make bench` prints)

LATEST = BENCHMARKS / "results" / "latest.json"


def as_nodes(report):
    """The table, and the sentences on machine, versions and date."""
    rows = [table.HEAD, *map(table.cells, report["cases"])]
    group = nodes.tgroup(
        "", *[nodes.colspec(colwidth=1) for _ in table.HEAD], cols=len(table.HEAD)
    )
    parts = [
        nodes.row("", *[nodes.entry("", nodes.paragraph("", cell)) for cell in row])
        for row in rows
    ]
    group += [nodes.thead("", parts[0]), nodes.tbody("", *parts[1:])]
    return [
        nodes.paragraph("", " ".join(table.about(report))),
        nodes.table("", group, classes=["speed"]),
    ]


class Speed(SphinxDirective):
    def run(self):
        self.env.note_dependency(str(LATEST))
        return as_nodes(json.loads(LATEST.read_text("utf-8")))


def setup(app):
    app.add_directive("speed", Speed)
    return {"parallel_read_safe": True}
