"""The directive ``{benchmark-table}``: the results of ``make bench`` as a table.

It shows benchmarks/results/latest.json as it is when the book is built.
"""

import json
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from benchmarks import table

LATEST = Path(table.__file__).parent / "results" / "latest.json"


def as_nodes(report):
    """The sentences on machine, versions, and date, and the table."""
    rows = [table.HEAD, *map(table.cells, report["cases"])]
    columns = [nodes.colspec(colwidth=1) for _ in table.HEAD]
    group = nodes.tgroup("", *columns, cols=len(columns))
    head, *body = [
        nodes.row("", *[nodes.entry("", nodes.paragraph("", cell)) for cell in row])
        for row in rows
    ]
    group += [nodes.thead("", head), nodes.tbody("", *body)]
    return [
        nodes.paragraph("", " ".join(table.about(report))),
        nodes.table("", group, classes=["benchmarks"]),
    ]


class BenchmarkTable(SphinxDirective):
    def run(self):
        self.env.note_dependency(str(LATEST))
        return as_nodes(json.loads(LATEST.read_text("utf-8")))


def setup(app):
    app.add_directive("benchmark-table", BenchmarkTable)
    return {"parallel_read_safe": True}
