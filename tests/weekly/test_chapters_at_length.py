"""Every chapter with its cells run twice, again in another order, and with every
exercise solved; the sentiment chapter without the UCI reviews.

Not part of ``make test``.
"""

import chapter_runs
import pytest
from test_notebooks import (
    ROOT,
    checks_not_passed,
    code_cells,
    every_chapter,
    read,
    run_writing_nothing,
    solved,
)

from tools import execute_notebooks


@every_chapter
def test_chapter_cells_run_twice_show_the_same(path):
    assert chapter_runs.twice(code_cells(read(path)), ROOT / "book") == []


@every_chapter
@pytest.mark.parametrize("seed", [0, 1])
def test_chapter_cells_run_in_another_order_show_the_same(path, seed):
    assert chapter_runs.again(code_cells(read(path)), ROOT / "book", seed) == []


@every_chapter
def test_chapter_runs_with_solutions_filled_in(path):
    notebook = solved(read(path))
    run_writing_nothing(notebook)
    assert checks_not_passed(notebook) == []


def test_sentiment_chapter_runs_without_the_uci_reviews(monkeypatch, tmp_path):
    monkeypatch.delenv("ATTNLIB_DATA", raising=False)
    monkeypatch.setenv("ATTNLIB_OFFLINE", "1")
    monkeypatch.setenv("ATTNLIB_CACHE", str(tmp_path))
    notebook = read(ROOT / "book" / "04_sentiment.ipynb")
    execute_notebooks.execute(notebook)
    printed = "".join(
        output.get("text", "")
        for cell in code_cells(notebook)
        for output in cell.outputs
    )
    assert printed.startswith("Reviews: the built-in sentences of this book.")
