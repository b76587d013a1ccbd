"""The chapters: stored in normal form, and complete when every exercise is solved.

That their stored outputs are still true is nbval's part, which `make test` runs after
this.
"""

import ast
import base64
import copy
import importlib
import io
import json
import re
import subprocess
import sys
import time
from pathlib import Path

import chapter_runs
import nbformat
import pytest
from jupyter_client.manager import start_new_kernel
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from attnlib.checking.exercise import Exercise
from attnlib.exercises import bug_hunt
from tools import execute_notebooks, normalize_notebooks

ROOT = Path(__file__).resolve().parent.parent
CHAPTERS = [pytest.param(path, id=path.stem) for path in execute_notebooks.chapters()]
every_chapter = pytest.mark.parametrize("path", CHAPTERS)


def read(path):
    return nbformat.read(path, as_version=4)


def tags(cell):
    return cell.metadata.get("tags", [])


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def exercise_module(notebook):
    """(alias, module) of the notebook's `from attnlib.exercises import <module> as
    <alias>`, or (None, None).
    """
    for cell in code_cells(notebook):
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.ImportFrom) and node.module == "attnlib.exercises":
                name = node.names[0]
                return name.asname or name.name, importlib.import_module(
                    f"attnlib.exercises.{name.name}"
                )
    return None, None


def exercise_problems(notebook):
    """What is wrong with the exercise cells: each defines one function of the module,
    and its check comes next.

    Where an exercise starts with faulty code, the cell holds it, letter by letter.
    """
    alias, module = exercise_module(notebook)
    cells, problems = code_cells(notebook), []
    for cell, following, last in zip(
        cells, [*cells[1:], None], [*cells[2:], None, None], strict=True
    ):
        if "exercise" not in tags(cell):
            continue
        definitions = ast.parse(cell.source).body
        if len(definitions) != 1 or not isinstance(
            definitions[0], (ast.FunctionDef, ast.ClassDef)
        ):
            problems.append(
                f"an exercise cell holds one definition, not: {cell.source[:60]}"
            )
            continue
        name = definitions[0].name
        exercise = getattr(module, name, None)
        if not isinstance(exercise, Exercise):
            problems.append(
                f"{name} is not an exercise of {module and module.__name__}"
            )
            continue
        if (
            following is None
            or following.source.strip() != f"{alias}.{name}.check({name})"
        ):
            problems.append(f"the cell after {name}'s is not its check")
        for call in (f"{alias}.{name}.hint()", f"{alias}.{name}.solution()"):
            if last is None or call not in last.source:
                problems.append(f"{call} is not in the second cell after {name}'s")
        if isinstance(definitions[0], ast.FunctionDef):
            stub = ast.unparse(definitions[0].args)
            solution = ast.unparse(ast.parse(exercise.source).body[0].args)
            if stub != solution:
                problems.append(
                    f"the stub is {name}({stub}), the solution {name}({solution})"
                )
        if exercise.starter and cell.source != exercise.starter_source:
            problems.append(
                f"{name}'s cell does not hold the starter code of {module.__name__}"
            )
    return problems


def solved(notebook):
    """A copy of the notebook with every exercise's stub replaced by its solution."""
    _, module = exercise_module(notebook)
    notebook = copy.deepcopy(notebook)
    for cell in code_cells(notebook):
        if "exercise" in tags(cell):
            cell.source = getattr(module, ast.parse(cell.source).body[0].name).source
    return notebook


def imports_and_exercises(notebook):
    """A copy that holds what the notebook imports, its exercises, and their checks."""
    cells = []
    for cell in code_cells(copy.deepcopy(notebook)):
        if "exercise" not in tags(cell) and ".check(" not in cell.source:
            nodes = ast.parse(cell.source).body
            imports = [n for n in nodes if isinstance(n, (ast.Import, ast.ImportFrom))]
            cell.source = "\n".join(map(ast.unparse, imports))
        if cell.source:
            cells.append(cell)
    return new_notebook(cells=cells, metadata=notebook.metadata)


def checks_not_passed(notebook):
    """The check cells of a notebook just run whose answer is not "Passed"."""
    return [
        (cell.source, cell.outputs)
        for cell in code_cells(notebook)
        if ".check(" in cell.source
        and not any(
            output.get("data", {}).get("text/plain", "").startswith("Passed: ")
            for output in cell.outputs
        )
    ]


# ---------------------------------------------------------------- the chapters


@every_chapter
def test_chapter_is_in_normal_form(path):
    notebook = read(path)
    nbformat.validate(notebook)
    violations = normalize_notebooks.violations(notebook)
    assert not violations, "\n".join(
        [
            f"python -m tools.execute_notebooks {path.stem} fixes most of these:",
            *violations,
        ]
    )


@every_chapter
def test_chapter_exercise_cells_are_complete(path):
    assert exercise_problems(read(path)) == []


COLUMN = 84  # characters of the page's column; the verdicts of checks wrap


def too_wide(notebook):
    """Lines of stored outputs that the page's column would cut."""
    texts = [
        output.get("text") or output.get("data", {}).get("text/plain", "")
        for cell in code_cells(notebook)
        if ".check(" not in cell.source
        for output in cell.outputs
        if "text/html" not in output.get("data", {})
    ]
    return [line for text in texts for line in text.splitlines() if len(line) > COLUMN]


def figures(notebook):
    """(pixels, width at which it is shown) of each stored figure."""
    for cell in code_cells(notebook):
        for output in cell.outputs:
            if png := output.get("data", {}).get("image/png"):
                image = Image.open(io.BytesIO(base64.b64decode(png)))
                shown = output.metadata.get("image/png", {}).get("width")
                yield image.width, shown


@every_chapter
def test_chapter_outputs_fit_the_column(path):
    assert too_wide(read(path)) == []


@every_chapter
def test_chapter_figures_have_two_pixels_per_pixel_of_their_width(path):
    for pixels, shown in figures(read(path)):
        assert shown and pixels // 2 == shown and shown <= 620


FIGURES_BY_NUMBER = CHAPTERS[:2]  # whose text refers to each figure by its number


@pytest.mark.parametrize("path", FIGURES_BY_NUMBER)
def test_chapter_refers_to_each_figure_by_its_number(path):
    cells = read(path).cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    drawings = len(re.findall(r"^`{3,}\{figure\}", text, re.MULTILINE))
    plots = sum("figure" in cell.metadata.get("mystnb", {}) for cell in cells)
    chapter = int(path.stem[:2])
    wanted = {f"{chapter}.{n}" for n in range(1, drawings + plots + 1)}
    assert set(re.findall(r"Figure (\d+\.\d+)", text)) == wanted != set()


def test_too_wide_lines_are_found_except_in_verdicts_and_tables():
    notebook = good_notebook()
    wide = "x" * (COLUMN + 1)
    notebook.cells[1].outputs = [stream(f"short\n{wide}\n"), result(wide)]
    assert too_wide(notebook) == [wide, wide]
    notebook.cells[1].outputs[1].data["text/html"] = "<table></table>"
    assert too_wide(notebook) == [wide]
    notebook.cells[1].source = "ex.attend.check(attend)"
    assert too_wide(notebook) == []


def files(*folders):
    """Every file in the folders and when it was written, except Python's caches."""
    paths = (
        path
        for folder in folders
        for path in (ROOT / folder).rglob("*")
        if "__pycache__" not in path.parts
    )
    return {path: path.stat().st_mtime_ns for path in paths if path.is_file()}


def run_writing_nothing(notebook):
    before = files("book", "experiments", "attnlib")
    execute_notebooks.execute(notebook)
    assert files("book", "experiments", "attnlib") == before, (
        "a chapter should write no file"
    )


@pytest.mark.parametrize("path", [CHAPTERS[0], CHAPTERS[-1]])
def test_chapter_runs_with_solutions_filled_in(path):
    """Those that train nothing; all of them every week."""
    notebook = solved(read(path))
    run_writing_nothing(notebook)
    assert checks_not_passed(notebook) == []


@pytest.mark.parametrize("path", CHAPTERS[1:-1])
def test_chapter_exercises_are_passed_with_what_it_imports(path):
    """The others, without what stands between the exercises."""
    notebook = imports_and_exercises(solved(read(path)))
    execute_notebooks.execute(notebook)
    checks = [cell for cell in notebook.cells if ".check(" in cell.source]
    assert len(checks) >= 4 and checks_not_passed(notebook) == []


def test_first_chapter_run_twice_and_in_another_order_shows_the_same():
    """The quickest one here; all of them every week."""
    cells = code_cells(read(CHAPTERS[0].values[0]))
    assert chapter_runs.twice(cells, ROOT / "book") == []
    assert chapter_runs.again(cells, ROOT / "book") == []


def test_runs_twice_and_again_find_what_goes_wrong():
    cells = [
        new_code_cell(source)
        for source in (
            "a = 1",
            "a += 1\nprint(a)",
            "print(a)",
            "b = a",
            "a = 7",
            "del b",
        )
    ]
    assert [
        (index, second) for index, _, second in chapter_runs.twice(cells, ROOT)
    ] == [(1, "3\n"), (5, "ERROR NameError: name 'b' is not defined")]
    found = chapter_runs.again(cells[:3] + cells[4:5], ROOT)
    assert found and all(
        index in (1, 2) and first != second for index, first, second in found
    )


def test_training_interrupted_in_a_kernel_can_be_continued(tmp_path):
    """What a reader may do: fit, interrupt, evaluate, fit again, translate."""
    manager, client = start_new_kernel(
        kernel_name="python3", stderr=subprocess.DEVNULL, cwd=str(ROOT / "tests")
    )
    shown, again = [], [0.0]

    def on_output(message):
        content = message["content"]
        shown.append(content.get("text") or content.get("ename") or "")
        if "of 10000 epochs, batch" in shown[-1] and time.monotonic() > again[0]:
            # Python drops an interrupt that falls into a destructor; a reader who sees
            # the training go on presses the button once more.
            again[0] = time.monotonic() + 10
            manager.interrupt_kernel()

    def run(source):
        del shown[:]
        reply = client.execute_interactive(source, timeout=120, output_hook=on_output)
        return reply["content"]["status"]

    evaluate = "model.evaluate(toy_task.PAIRS)[0]"
    try:
        assert run("import toy_task\nmodel = toy_task.model()") == "ok"
        assert run(f"before = {evaluate}") == "ok"
        assert run("model.fit(toy_task.PAIRS, epochs=10000, batch_size=16)") == "error"
        assert "KeyboardInterrupt" in shown
        assert run(f"assert {evaluate} < 2 * before") == "ok"
        assert run("_ = model.fit(toy_task.PAIRS, epochs=3, batch_size=16)") == "ok"
        assert "3 epochs in " in "".join(shown)
        assert run(f"assert {evaluate} < before") == "ok"
        assert run("print(len(model.translate(toy_task.SOURCES[:3])))") == "ok"
        assert "3" in "".join(shown)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_every_exercise_is_in_one_chapter():
    chapters = [read(param.values[0]) for param in CHAPTERS]
    modules = {
        module for _, module in map(exercise_module, chapters) if module is not None
    }
    exercises = sorted(
        f"{module.__name__}.{value.name}"
        for module in modules
        for value in (getattr(module, name) for name in dir(module))
        if isinstance(value, Exercise)
    )
    in_chapters = sorted(
        f"{exercise_module(chapter)[1].__name__}.{ast.parse(cell.source).body[0].name}"
        for chapter in chapters
        for cell in code_cells(chapter)
        if "exercise" in tags(cell)
    )
    assert in_chapters == exercises


# ---------------------------------------------------------------- the tools themselves


def good_notebook():
    cells = [
        new_markdown_cell("# A title"),
        new_code_cell("1 + 1", execution_count=1, outputs=[result("2", count=1)]),
        new_code_cell(
            "print('x')",
            execution_count=2,
            outputs=[new_output("stream", name="stdout", text="x\n")],
        ),
        new_code_cell(
            "ax",
            execution_count=3,
            metadata={
                "tags": ["hide-input"],
                "mystnb": {"image": {"alt": "A line that rises"}},
            },
            outputs=[
                new_output(
                    "display_data",
                    data={"image/png": "A" * 1000, "text/plain": "<Figure>"},
                )
            ],
        ),
    ]
    metadata = {
        "kernelspec": normalize_notebooks.KERNEL,
        "language_info": normalize_notebooks.LANGUAGE,
    }
    return nbformat.from_dict(new_notebook(cells=cells, metadata=metadata))


def result(text, count=1, mime="text/plain"):
    return new_output("execute_result", data={mime: text}, execution_count=count)


def stream(text, name="stdout"):
    return new_output("stream", name=name, text=text)


def set_outputs(*outputs):
    return lambda notebook: notebook.cells[1].update(outputs=list(outputs))


VIOLATIONS = {
    "an old format": (
        lambda n: n.update(nbformat_minor=4),
        "format 4.4, 4.5 is wanted",
    ),
    "a kernel of its own": (
        lambda n: n.metadata.kernelspec.update(name="mine"),
        "kernelspec and language_info",
    ),
    "a version of Python": (
        lambda n: n.metadata.language_info.update(version="3.11.7"),
        "kernelspec and language_info",
    ),
    "widgets' state": (lambda n: n.metadata.update(widgets={}), "metadata: widgets"),
    "timings": (
        lambda n: n.cells[1].metadata.update(execution={"iopub.execute_input": "x"}),
        "cell 2: metadata execution",
    ),
    "cells run out of order": (
        lambda n: n.cells[2].update(execution_count=7),
        "cell 3: execution count 7, 2 is wanted",
    ),
    "a cell never run": (
        lambda n: n.cells[1].update(execution_count=None),
        "cell 2: execution count None, 1 is wanted",
    ),
    "a result of another run": (
        set_outputs(result("2", count=5)),
        "cell 2: a result counted 5 in a cell counted 1",
    ),
    "an empty cell": (
        lambda n: n.cells[1].update(source=" "),
        "cell 2: an empty code cell",
    ),
    "a line magic": (
        lambda n: n.cells[1].update(source="%matplotlib inline"),
        "cell 2: a line magic or shell command",
    ),
    "a shell command": (
        lambda n: n.cells[1].update(source="!pip install x"),
        "cell 2: a line magic or shell command",
    ),
    "a semicolon": (
        lambda n: n.cells[1].update(source="1 + 1;"),
        (
            "cell 2: a semicolon at the end, which nbval does not heed: give the value"
            " a name"
        ),
    ),
    "standard error": (
        set_outputs(stream("careful", "stderr")),
        "cell 2: standard error: careful",
    ),
    "a progress bar": (
        set_outputs(stream("1/2\r2/2\n")),
        "cell 2: a line overwritten by a carriage return",
    ),
    "an address": (
        set_outputs(result("<object at 0x7f00c0ffee>")),
        "cell 2: an object's address: <object at 0x7f00c0ffee>",
    ),
    "an address in HTML": (
        set_outputs(result("<p>0x7f00c0ffee", mime="text/html")),
        "cell 2: an object's address",
    ),
    "a home folder": (
        set_outputs(stream("saved to /home/someone/x")),
        "cell 2: a path of one machine: saved to /home/",
    ),
    "a Windows path": (
        set_outputs(stream("C:\\Users\\x")),
        "cell 2: a path of one machine",
    ),
    "a path in a source": (
        lambda n: n.cells[0].update(source="see /tmp/x"),
        "cell 1: a path of one machine: see /tmp/x",
    ),
    "an error": (
        set_outputs(new_output("error", ename="ValueError", evalue="", traceback=[])),
        "cell 2: an error: ValueError",
    ),
    "a widget": (
        set_outputs(result({}, mime="application/vnd.jupyter.widget-view+json")),
        "cell 2: a widget",
    ),
    "a quiz that shows its answer": (
        lambda n: n.cells[1].update(source='quiz("Why?", [])'),
        "cell 2: a quiz whose source is not folded",
    ),
    "a figure without words": (
        lambda n: n.cells[3].metadata.pop("mystnb"),
        "cell 4: a figure without alt text",
    ),
    "an image without words": (
        set_outputs(result("<img src='x'>", mime="text/html")),
        "cell 2: an <img> without alt text",
    ),
    "a large figure": (
        lambda n: n.cells[3].outputs[0].data.update({"image/png": "A" * 4 * 1024 * 60}),
        "cell 4: a figure of 180 KB, 160 at most",
    ),
}


def test_violations_finds_nothing_in_normal_form():
    assert normalize_notebooks.violations(good_notebook()) == []


@pytest.mark.parametrize("name", VIOLATIONS)
def test_violations_names_each_violation(name):
    spoil, expected = VIOLATIONS[name]
    notebook = good_notebook()
    spoil(notebook)
    violations = normalize_notebooks.violations(notebook)
    assert any(expected in violation for violation in violations), violations


def test_violations_accepts_an_expected_error():
    notebook = good_notebook()
    set_outputs(new_output("error", ename="ValueError", evalue="", traceback=[]))(
        notebook
    )
    notebook.cells[1].metadata["tags"] = ["raises-exception"]
    assert normalize_notebooks.violations(notebook) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain\n", "plain\n"),
        ("1/3\r2/3\r3/3\ndone\n", "3/3\ndone\n"),
        ("\r1/2\r2/2\r\n", "2/2\n"),
        ("10%\x08\x08\x08\r20%\n\nend", "20%\n\nend"),
        ("a\r\nb\r\n", "a\nb\n"),
    ],
)
def test_settle_leaves_the_last_of_each_line(text, expected):
    assert normalize_notebooks.settle(text) == expected


def test_normalize_brings_a_run_into_normal_form():
    notebook = good_notebook()
    notebook.metadata.update(
        widgets={"state": {}},
        kernelspec={"name": "mine"},
        language_info={"version": "3"},
    )
    notebook.cells[1].metadata["execution"] = {"iopub.status.busy": "now"}
    notebook.cells[1].execution_count = 12
    set_outputs(
        stream("1/2\r"),
        stream("careful", "stderr"),
        stream("2/2\n"),
        result("2", count=12),
    )(notebook)
    notes = normalize_notebooks.normalize(notebook)
    assert notes == [
        "cell 2: standard error dropped: careful",
        "cell 2: shows progress, so it needs the tag nbval-ignore-output",
    ]
    assert normalize_notebooks.violations(notebook) == []
    assert [output.get("text") for output in notebook.cells[1].outputs] == [
        "2/2\n",
        None,
    ]
    assert normalize_notebooks.normalize(notebook) == [], "twice changes nothing"


def test_normalize_leaves_the_height_of_a_figure_to_the_page():
    notebook = good_notebook()
    (figure,) = notebook.cells[3].outputs
    figure.metadata = {"image/png": {"width": 600, "height": 340}}
    normalize_notebooks.normalize(notebook)
    assert figure.metadata == {"image/png": {"width": 600}}


SMALL_CHAPTER = [
    (
        (
            "import numpy as np\nfrom attnlib import reference as ref\nfrom"
            " attnlib.exercises import bahdanau as ex"
        ),
        [],
    ),
    ("def alignment_error_rate(links, sure, possible):\n    ...", ["exercise"]),
    ("ex.alignment_error_rate.check(alignment_error_rate)", []),
    ("display(ex.alignment_error_rate.hint(), ex.alignment_error_rate.solution())", []),
    (
        (
            "import time\nfor i in range(3):\n    print(f'\\r{i}', end='',"
            " flush=True)\nprint()"
        ),
        ["nbval-ignore-output"],
    ),
]


def small_chapter(cells=SMALL_CHAPTER):
    return nbformat.from_dict(
        new_notebook(
            cells=[
                new_code_cell(source, metadata={"tags": t} if t else {})
                for source, t in cells
            ]
        )
    )


def test_execute_notebooks_stores_a_chapter_in_normal_form(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(execute_notebooks, "BOOK", tmp_path)
    monkeypatch.setattr(
        execute_notebooks, "RUN_TIMES", tmp_path / "_data" / "run_times.json"
    )
    nbformat.write(small_chapter(), tmp_path / "01_small.ipynb")
    assert execute_notebooks.main([]) == 0, capsys.readouterr().out
    notebook = read(tmp_path / "01_small.ipynb")
    assert normalize_notebooks.violations(notebook) == []
    assert notebook.cells[2].outputs[0].data == {
        "text/plain": "Not attempted yet: alignment_error_rate."
    }
    hint, solution = notebook.cells[3].outputs
    assert hint.data["text/html"].startswith("<details><summary ")
    assert (
        "1 -" not in solution.data["text/plain"]
        and "<details>" in solution.data["text/html"]
    )
    assert notebook.cells[4].outputs[0].text == "2\n"
    times = json.loads((tmp_path / "_data" / "run_times.json").read_text())
    assert (
        0 < times["01_small"]["seconds"] < 60
        and 20 < times["01_small"]["megabytes"] < 1000
    )
    before = (tmp_path / "01_small.ipynb").read_bytes()
    assert execute_notebooks.main(["01_small"]) == 0
    assert (tmp_path / "01_small.ipynb").read_bytes() == before, (
        "a second run changes no byte"
    )
    nbval = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--nbval",
        "--nbval-current-env",
    ]
    run = subprocess.run(
        [*nbval, "01_small.ipynb"], cwd=tmp_path, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout


def test_execute_notebooks_leaves_a_failing_chapter_unchanged(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(execute_notebooks, "BOOK", tmp_path)
    monkeypatch.setattr(execute_notebooks, "RUN_TIMES", tmp_path / "run_times.json")
    nbformat.write(small_chapter([("1 / 0", [])]), tmp_path / "01_bad.ipynb")
    before = (tmp_path / "01_bad.ipynb").read_bytes()
    assert execute_notebooks.main([]) == 1
    assert "ZeroDivisionError" in capsys.readouterr().out
    assert (tmp_path / "01_bad.ipynb").read_bytes() == before
    assert execute_notebooks.main(["02_none"]) == 1
    assert (
        "No such chapter: 02_none.ipynb. There are 01_bad." in capsys.readouterr().out
    )


def test_solved_run_passes_and_notices_what_does_not():
    notebook = solved(small_chapter())
    execute_notebooks.execute(notebook, folder=ROOT)
    assert checks_not_passed(notebook) == []
    broken = small_chapter()
    execute_notebooks.execute(broken, folder=ROOT)
    assert [source for source, _ in checks_not_passed(broken)] == [SMALL_CHAPTER[2][0]]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ((1, "x = 1"), "an exercise cell holds one definition"),
        (
            (1, "def other(): ..."),
            "other is not an exercise of attnlib.exercises.bahdanau",
        ),
        (
            (1, "def alignment_error_rate(links, possible, sure): ..."),
            "the stub is alignment_error_rate(links, possible, ",
        ),
        (
            (2, "ex.attend.check(attend)"),
            "the cell after alignment_error_rate's is not its check",
        ),
        (
            (3, "ex.alignment_error_rate.hint()"),
            "ex.alignment_error_rate.solution() is not in the second cell",
        ),
    ],
)
def test_exercise_problems_are_found(change, expected):
    cells = list(SMALL_CHAPTER)
    assert exercise_problems(small_chapter(cells)) == []
    cells[change[0]] = (change[1], cells[change[0]][1])
    problems = exercise_problems(small_chapter(cells))
    assert problems and problems[0].startswith(expected), problems


def test_exercise_problems_finds_starter_code_that_differs_from_the_module():
    cells = [
        ("from attnlib.exercises import bug_hunt as ex", []),
        (bug_hunt.pool.starter_source, ["exercise"]),
        ("ex.pool.check(pool)", []),
        ("display(ex.pool.hint(), ex.pool.solution())", []),
    ]
    assert exercise_problems(small_chapter(cells)) == []
    cells[1] = (bug_hunt.pool.source, ["exercise"])
    assert exercise_problems(small_chapter(cells)) == [
        "pool's cell does not hold the starter code of attnlib.exercises.bug_hunt"
    ]
