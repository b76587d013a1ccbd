"""The directive ``{benchmark-table}``: the results of ``make bench`` as tables.

It shows benchmarks/results/latest.json as it is when the book is built: four columns
for readers, and all of them below, folded. ``{transformer-benchmark}`` says in
sentences what benchmarks/results/transformer.json says, and has its table.
"""

import json
import re
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from benchmarks import table

RESULTS = Path(table.__file__).parent / "results"
LATEST, TRANSFORMER = RESULTS / "latest.json", RESULTS / "transformer.json"
UNIT = re.compile(r"(?<=\d) (?=(?:ms|s|MB|GB|threads)\b)|(?<=≤) ")


def unbroken(text):
    """A text in which no unit is separated from its number at the end of a line."""
    return UNIT.sub("\N{NO-BREAK SPACE}", text)


def as_table(rows, *classes):
    """A table's node; the first row is its head."""
    columns = [nodes.colspec(colwidth=1) for _ in rows[0]]
    group = nodes.tgroup("", *columns, cols=len(columns))
    head, *body = [
        nodes.row(
            "", *[nodes.entry("", nodes.paragraph("", unbroken(cell))) for cell in row]
        )
        for row in rows
    ]
    group += [nodes.thead("", head), nodes.tbody("", *body)]
    return nodes.table("", group, classes=["benchmarks", *classes])


def as_nodes(report, letters="abcdefg"):
    """The sentences on machine, versions, and date, and both tables."""
    cases = report["cases"]
    return [
        nodes.paragraph("", unbroken(" ".join(table.about(report, letters)))),
        as_table([table.BRIEF_HEAD, *map(table.brief_cells, cases)]),
        nodes.raw(
            "",
            "<details><summary>Every column: quartiles, targets, lower bounds"
            "</summary>",
            format="html",
        ),
        as_table([table.HEAD, *map(table.cells, cases)], "all-columns"),
        nodes.raw("", "</details>", format="html"),
    ]


class BenchmarkTable(SphinxDirective):
    def run(self):
        self.env.note_dependency(str(LATEST))
        return as_nodes(json.loads(LATEST.read_text("utf-8")))


class TransformerBenchmark(SphinxDirective):
    def run(self):
        self.env.note_dependency(str(TRANSFORMER))
        report = json.loads(TRANSFORMER.read_text("utf-8"))
        said = nodes.paragraph("", unbroken(" ".join(table.of_transformer(report))))
        return [said, *as_nodes(report, "hi")]


def setup(app):
    app.add_directive("benchmark-table", BenchmarkTable)
    app.add_directive("transformer-benchmark", TransformerBenchmark)
    return {"parallel_read_safe": True}
