"""Which cells of the chapters run in the page: decided from their source, and tried in
the page's Python.
"""

import json
import os
import re
import shutil
import subprocess

import pytest
from bs4 import BeautifulSoup
from conftest import ROOT

from book._ext import runnable
from tools import engine, normalize_notebooks, pack_attnlib

CHAPTERS = sorted((ROOT / "book").glob("*.ipynb"))
FIRST = CHAPTERS[0]


def analyzed(*sources, tags=(), text=""):
    """The cells of a small chapter."""
    cells = [
        runnable.Cell(number, source, list(tags), text)
        for number, source in enumerate(sources, start=1)
    ]
    runnable.analyze(cells)
    return cells


def setups(*sources):
    """What each cell builds on, or None if it cannot run."""
    return [cell.setup if cell.can_run else None for cell in analyzed(*sources)]


# On what a cell builds


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        (("a = 1", "b = 2", "a + b"), [(), (), (1, 2)]),
        (("a = 1", "a = 2", "a"), [(), (), (2,)]),
        (("a = 1", "a += 1", "a"), [(), (1,), (1, 2)]),
        (("a = []", "a.append(1)", "a[0] = 2", "a"), [(), (1,), (1, 2), (1, 2, 3)]),
        (("k = 1", "def f(): return k", "f()"), [(), (), (1, 2)]),
        (("def f(): return k", "k = 1", "f()"), [(), (), (1, 2)]),
        (("import keras", "def f(): return keras"), [None, None]),
        (("def f(): return nowhere",), [None]),
        (("a = 1", "[a for a in range(3)]"), [(), ()]),
        (("a = 1", "(lambda a: a)(2)"), [(), ()]),
        (("for a in range(2): print(a)", "a"), [(), (1,)]),
        (
            ("r = np.random.default_rng(0)", "r.normal()", "x = r.normal()", "x"),
            [(), (1,), (1, 2), (1, 2, 3)],
        ),
        (("import os", "os.getcwd()", "os.sep"), [(), (1,), (1,)]),
        (("%time 1", "1"), [None, ()]),
        (("np.ones(2); ref; display(1)",), [()]),
        (("nowhere",), [None]),
    ],
)
def test_cell_builds_on_what_defines_and_changes_its_names(sources, expected):
    assert setups(*sources) == expected


@pytest.mark.parametrize(
    ("source", "can_run"),
    [
        ("import keras", False),
        ("def f():\n    import babel", False),
        ("from attnlib.layers import LuongAttention", False),
        ("from attnlib.tasks import dates", False),
        ("from attnlib import reference, metrics, results, tables", True),
        ("from attnlib.vocabulary import Vocabulary", True),
        ("import math, re\nfrom statistics import NormalDist", True),
        ("import multiprocessing", False),
        ("import sqlite3", False),
        ("from mpl_toolkits import mplot3d", True),
    ],
)
def test_cell_runs_if_the_page_has_what_it_imports(source, can_run):
    assert analyzed(f"{source}\nx = 1")[0].can_run == can_run


def test_function_that_imports_what_the_page_lacks_is_known():
    cells = analyzed("from attnlib import metrics", "metrics.bleu()", "bleu = 1\nbleu")
    assert [cell.can_run for cell in cells] == [True, False, True]


def test_cell_of_imports_counts_as_its_part_that_can_run():
    first, second, third = analyzed(
        "import keras\nfrom attnlib import plots, layers\nplots.use_style()",
        "plots",
        "keras",
    )
    assert first.part == "from attnlib import plots\nplots.use_style()"
    assert second.setup == (1,) and second.needs == ("matplotlib",)
    assert not first.is_marked and second.is_marked and not third.can_run


def test_needs_are_those_of_the_cells_below_too():
    cells = analyzed(
        "from attnlib import results",
        "a = results.load('x')",
        "a",
        "import matplotlib.pyplot as plt",
        "plt",
    )
    none, some, both = (), ("results",), ("matplotlib",)
    assert [cell.needs for cell in cells] == [none, some, some, both, both]


EXERCISE = (
    "def softmax(scores): ...",
    "ex.softmax.check(softmax)",
)
CHAPTER = "from attnlib.exercises import psychology as ex"


def test_exercise_builds_on_what_its_text_and_its_stub_name():
    helper = "def helper(x): return x"
    _, _, cell, check = analyzed(CHAPTER, helper, *EXERCISE, text="Use `helper(x)`.")
    assert (cell.exercise, cell.setup) == ("psychology.softmax", (2,))
    assert not cell.is_marked and not check.is_marked
    stub = "def softmax(scores):\n    return helper(scores)"
    assert analyzed(CHAPTER, helper, stub, EXERCISE[1])[2].setup == (2,)
    assert analyzed(CHAPTER, helper, *EXERCISE)[2].setup == ()


def test_exercise_uses_earlier_exercises_that_its_text_names():
    later = "def soft_lookup(query): ..."
    cells = analyzed(CHAPTER, *EXERCISE, later, text="Use your `softmax`.")
    assert cells[3].exercise is None  # without its check
    check = "ex.soft_lookup.check(soft_lookup)"
    cells = analyzed(CHAPTER, *EXERCISE, later, check, text="Use your `softmax`.")
    assert (cells[3].uses, cells[3].setup) == (("psychology.softmax",), ())
    assert cells[1].uses == ()


def test_exercise_uses_exercises_of_other_chapters():
    stub = "def softmax(scores):\n    return additive_scores(scores)"
    cell = analyzed(CHAPTER, stub, EXERCISE[1])[1]
    assert cell.uses == ("bahdanau.additive_scores",)


def test_cell_uses_the_exercises_that_its_tags_name():
    tags = "uses-psychology.softmax", "uses-bahdanau.attend", "other"
    cell, below = analyzed("a = globals()", "a", tags=tags)
    assert cell.can_run and cell.uses == ("bahdanau.attend", "psychology.softmax")
    first, second = analyzed("a = 1", "a")
    first.tags.extend(tags)
    runnable.analyze([first, second])
    assert second.uses == cell.uses and second.setup == (1,)


def test_cell_that_loads_a_translator_needs_its_weights():
    chapter = "from attnlib.numpy_translators import Translator"
    cells = analyzed(chapter, "t = Translator.load()", "t('May 1, 2024')", "1")
    assert [cell.needs for cell in cells] == [(), ("weights",), ("weights",), ()]
    assert cells[2].can_run


def test_cell_that_loads_a_classifier_needs_its_weights():
    chapter = "from attnlib.numpy_classifier import Classifier"
    cells = analyzed(chapter, "c = Classifier.load()", "c('Good')", "1")
    assert [cell.needs for cell in cells] == [(), ("weights",), ("weights",), ()]
    assert cells[2].can_run


def test_exercise_in_keras_has_no_name():
    chapter = "from attnlib.exercises import sentiment as ex"
    cells = analyzed(
        chapter, "class AttentionLayer: ...", "ex.AttentionLayer.check(AttentionLayer)"
    )
    assert [cell.exercise for cell in cells] == [None] * 3


# The chapters


def test_first_chapter_runs_whole():
    cells = runnable.cells_of(FIRST).values()
    assert all(cell.can_run for cell in cells)
    unmarked = [cell for cell in cells if not cell.is_marked and not cell.exercise]
    for cell in unmarked:
        hidden = {"remove-input", "remove-cell"} & set(cell.tags)
        assert hidden or ".check(" in cell.source or ".hint(" in cell.source


@pytest.fixture(scope="module")
def in_engine(tmp_path_factory):
    """{chapter: {number: (text, error)}} of the marked cells, in the page's Python."""
    built = engine.folder()
    if built is None:
        reason = "the page's Python is missing: `python -m tools.engine` makes it"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
    folder = tmp_path_factory.mktemp("cells")
    pack_attnlib.pack(folder / "attnlib.zip")
    pack_attnlib.pack_results(folder / "results.zip")
    pack_attnlib.pack_weights(folder / "weights.zip")
    for path in (ROOT / "tests/cells_in_engine.py", ROOT / "book/_run/kernel.py"):
        shutil.copy(path, folder)
    cells = {
        path.stem: [
            {
                "number": cell.number,
                "code": cell.source if cell.part is None else cell.part,
                "setup": cell.setup,
                "is_run": cell.is_marked,
            }
            for cell in runnable.cells_of(path).values()
            if cell.counts
        ]
        for path in CHAPTERS
    }
    (folder / "cells.json").write_text(json.dumps(cells), "utf-8")
    runner = ROOT / "tests" / "engine_runner.mjs"
    script = folder / "cells_in_engine.py"
    packages = [built / "numpy.zip", built / "matplotlib.zip"]
    own = [folder / f"{name}.zip" for name in ("attnlib", "results", "weights")]
    archives = [*packages, *own]
    done = subprocess.run(
        [engine.find_node(), runner, built, script, *archives],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=900,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = {path.stem: {} for path in CHAPTERS}
    for chapter, number, text, error in json.loads(done.stdout.splitlines()[-1]):
        found[chapter][number] = text, error
    return found


def stored_text(cell):
    """What a stored cell shows as text; figures are left out, as in the page."""
    parts = []
    for output in cell["outputs"]:
        if output["output_type"] == "stream":
            parts.append("".join(output["text"]))
        elif 'class="results"' in (
            html := "".join(output["data"].get("text/html", ""))
        ):
            parts.append(BeautifulSoup(html, "html.parser").get_text(" "))
        elif "image/png" not in output["data"]:
            parts.append("".join(output["data"]["text/plain"]))
    text = "".join(f"{part.rstrip()}\n" for part in parts)
    return re.sub(r"Figure\('.*'\)\n", "", text)


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_every_marked_cell_runs_in_the_page_and_shows_the_same(in_engine, path):
    raw = json.loads(path.read_text("utf-8"))["cells"]
    marked = {i: each for i, each in runnable.cells_of(path).items() if each.is_marked}
    assert len(marked) >= 5
    for index, cell in marked.items():
        text, error = in_engine[path.stem][cell.number]
        assert error is None, (cell.number, error)
        if normalize_notebooks.NOT_COMPARED not in cell.tags:
            assert text.split() == stored_text(raw[index]).split(), cell.number
