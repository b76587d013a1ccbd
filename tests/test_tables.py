import json
import math
from html.parser import HTMLParser

import numpy as np
import pytest

from attnlib.tables import Table, mark_errors


class Reader(HTMLParser):
    """Collects (tag, attributes, text) of the cells, and the marked texts."""

    def __init__(self, html):
        super().__init__()
        self.cells, self.marked, self.is_marked = [], [], False
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        if tag in ("th", "td", "caption"):
            self.cells.append([tag, dict(attributes), ""])
        self.is_marked = tag == "mark"

    def handle_endtag(self, tag):
        self.is_marked = False

    def handle_data(self, data):
        if self.is_marked:
            self.marked.append(data)
        if self.cells:
            self.cells[-1][2] += data.strip("\n")


def table(**options):
    rows = [("base", 11.3, 2000), ("+ <reverse> & more", None, 16_384)]
    return Table(["model", "BLEU", "words"], rows, **options)


def test_table_text_is_aligned_under_its_headings():
    assert repr(table(caption="Results", digits={"BLEU": 1})) == (
        "Results\n"
        "model               BLEU   words\n"
        "base                11.3   2,000\n"
        "+ <reverse> & more     –  16,384"
    )


def test_table_html_names_its_columns_and_rows():
    cells = Reader(table(caption="Results < 1")._repr_html_()).cells
    assert [(tag, text) for tag, _, text in cells] == [
        ("caption", "Results < 1"),
        ("th", "model"),
        ("th", "BLEU"),
        ("th", "words"),
        ("th", "base"),
        ("td", "11.30"),
        ("td", "2,000"),
        ("th", "+ <reverse> & more"),
        ("td", "–"),
        ("td", "16,384"),
    ]
    scopes = [each.get("scope") for tag, each, _ in cells if tag == "th"]
    assert scopes == ["col", "col", "col", "row", "row"]


def test_table_html_aligns_numbers_right_and_words_left():
    rows = [("1", 0.5, "a few", [0.1, 0.25]), ("2", math.nan, "7", [1, 2])]
    cells = Reader(Table(["n", "x", "text", "runs"], rows)._repr_html_()).cells
    sides = [each["style"].removeprefix("text-align: ") for _, each, _ in cells]
    assert sides == ["left", "right", "left", "right"] * 3
    assert [text for _, _, text in cells[4:8]] == ["1", "0.50", "a few", "0.10 0.25"]


def test_table_html_escapes_every_text():
    hostile = "<script>alert(1)</script>"
    made = Table([hostile], [(hostile,), (mark_errors([hostile], ["a"]),)], hostile)
    assert "<script" not in made._repr_html_()
    assert Reader(made._repr_html_()).marked == [hostile]


def test_table_gives_the_page_its_texts_and_what_is_marked():
    rows = [("<b>", mark_errors(["un", "trois"], ["un", "deux"]), 0.5)]
    name, data = Table(["model", "written", "x"], rows, "Results")._page_figure_()
    assert name == "table"
    assert json.loads(json.dumps(data)) == {
        "title": "Results",
        "columns": ["model", "written", "x"],
        "numeric": [False, False, True],
        "rows": [
            [[["<b>", False]], [["un", False], ["trois", True]], [["0.50", False]]]
        ],
    }


def test_table_shows_numbers_of_numpy_like_those_of_python():
    rows = [("a", np.float32(0.5), np.int64(1000), np.array([0.25, 0.5]), True)]
    made = Table(["n", "x", "count", "runs", "ok"], rows, digits=1)
    assert repr(made).splitlines()[1].split() == [
        "a",
        "0.5",
        "1,000",
        "0.2",
        "0.5",
        "True",
    ]


def test_table_text_too_wide_for_a_line_becomes_paragraphs():
    made = Table(["source", "written"], [("two " * 30, "deux"), ("one", "un")])
    assert repr(made) == (
        "source:  " + "two " * 18 + "two\n"
        "         " + "two " * 10 + "two\n"
        "written: deux\n"
        "\n"
        "source:  one\n"
        "written: un"
    )


def test_table_without_rows_keeps_its_headings():
    assert repr(Table(["a", "b"], [])) == "a  b"
    assert len(Reader(Table(["a", "b"], [])._repr_html_()).cells) == 2


def test_table_refuses_rows_and_digits_that_do_not_fit():
    with pytest.raises(
        ValueError, match="row 2 should have 2 values, one per column, got 3"
    ):
        Table(["a", "b"], [(1, 2), (1, 2, 3)])
    with pytest.raises(ValueError, match=r"got 'c': the columns are \['a', 'b'\]"):
        Table(["a", "b"], [(1, 2)], digits={"c": 1})


@pytest.mark.parametrize(
    ("written", "expected", "text", "marked"),
    [
        ("un deux", "un deux", "un deux", []),
        ("un trois", "un deux", "un [trois]", ["trois"]),
        ("un et deux", "un deux", "un [et] deux", ["et"]),
        ("deux", "un deux", "[…] deux", ["…"]),
        ("", "un deux", "[…]", ["…"]),
        # As many words as possible are right, not the longest run of them.
        ("a b c x y", "a b d c e x f y", "a b […] c […] x […] y", ["…"] * 3),
        ("x y z a b", "a q b x y z", "[…] x y z [a b]", ["…", "a b"]),
        (
            "a x b y c u v",
            "a b c u v a x b y",
            "a [x] b [y] c u v […]",
            ["x", "y", "…"],
        ),
    ],
)
def test_mark_errors_marks_what_differs_from_the_expected(
    written, expected, text, marked
):
    result = mark_errors(written.split(), expected.split())
    assert str(result) == repr(result) == text
    assert Reader(result.html).marked == marked


def test_mark_errors_does_not_mark_by_color_alone():
    assert "underline" in mark_errors(["a"], ["b"]).html
    assert "color:" not in mark_errors(["a"], ["b"]).html


def test_mark_errors_refuses_a_text():
    with pytest.raises(TypeError, match="written should be a list of tokens"):
        mark_errors("un deux", ["un"])
