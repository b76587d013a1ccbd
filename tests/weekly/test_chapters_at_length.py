"""Every chapter with its cells run twice, and again in another order.

Not part of ``make test``.
"""

import chapter_runs
import pytest
from test_notebooks import ROOT, code_cells, every_chapter, read


@every_chapter
def test_chapter_cells_run_twice_show_the_same(path):
    assert chapter_runs.twice(code_cells(read(path)), ROOT / "book") == []


@every_chapter
@pytest.mark.parametrize("seed", [0, 1])
def test_chapter_cells_run_in_another_order_show_the_same(path, seed):
    assert chapter_runs.again(code_cells(read(path)), ROOT / "book", seed) == []
