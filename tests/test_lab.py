"""The book in JupyterLab as `make lab` opens it: the index, a chapter's text, an
exercise solved, the attention map.
"""

import ast
import contextlib
import importlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import pytest
import yaml
from conftest import ROOT

from attnlib import interactive
from book._ext import front_matter

CHAPTERS = sorted((ROOT / "book").glob("*.ipynb"))
TOKEN = "chapter"


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """The Python of an environment with the settings of tools/lab as they are now, and
    with everything else from this environment.
    """
    here, folder = Path(sys.prefix), tmp_path_factory.mktemp("environment") / ".venv"
    lab = folder / "share" / "jupyter" / "lab"
    (folder / "bin").mkdir(parents=True)
    lab.mkdir(parents=True)
    shutil.copy(here / "pyvenv.cfg", folder)
    (folder / "lib").symlink_to(here / "lib")
    for linked in (here / "share" / "jupyter", here / "share" / "jupyter" / "lab"):
        for path in linked.iterdir():
            if path.name not in ("lab", "settings"):
                (folder / path.relative_to(here)).symlink_to(path)
    source = shutil.copytree(ROOT / "tools" / "lab", folder.parent / "lab")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    install += ["--no-index", "--no-build-isolation", "--prefix", folder.parent / "new"]
    subprocess.run([*install, source], check=True)
    for part in ("etc", "share"):
        shutil.copytree(folder.parent / "new" / part, folder / part, dirs_exist_ok=True)
    python = folder / "bin" / "python"
    python.symlink_to(os.path.realpath(sys.executable))
    return python


@pytest.fixture(scope="module")
def lab(python, tmp_path_factory):
    """The address of a JupyterLab started as `make lab` does, over a folder that holds
    a copy of the book.
    """
    tmp_path = tmp_path_factory.mktemp("lab")
    unwanted = shutil.ignore_patterns("_build", ".ipynb_checkpoints", "__pycache__")
    for name in ("book", "tools"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=unwanted)
    nbformat.write(small_map(), tmp_path / "book" / "map.ipynb")
    nbformat.write(small_figure(), tmp_path / "book" / "figure.ipynb")
    settings = tmp_path / "settings" / "@jupyterlab" / "notebook-extension"
    settings.mkdir(parents=True)
    # All cells are drawn, not only those on the screen.
    (settings / "tracker.jupyterlab-settings").write_text('{"windowingMode": "none"}')
    options = re.search(
        r"^lab:.*\n\t\$\(VENV\) -m jupyter lab (.*)",
        (ROOT / "Makefile").read_text("utf-8"),
        flags=re.M,
    )
    with started(python, options[1].split(), tmp_path) as address:
        yield address


@contextlib.contextmanager
def started(python, options, tmp_path):
    """JupyterLab, started in a folder with these options; yields its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [python, "-m", "jupyterlab", *options, "--no-browser", "--allow-root"]
    command += [
        f"--port={port}",
        f"--IdentityProvider.token={TOKEN}",
        "--ServerApp.ip=127.0.0.1",
    ]
    home = {
        f"JUPYTERLAB_{kind.upper()}_DIR": str(tmp_path / kind)
        for kind in ("settings", "workspaces")
    }
    home["PYTHONPATH"] = str(ROOT)
    log = (tmp_path / "log.txt").open("w")
    server = subprocess.Popen(
        command,
        cwd=tmp_path,
        env={**os.environ, **home},
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
    )
    address = f"http://127.0.0.1:{port}/"
    try:
        for _ in range(120):
            try:
                urllib.request.urlopen(f"{address}api?token={TOKEN}", timeout=5)
                break
            except OSError:
                assert server.poll() is None, (tmp_path / "log.txt").read_text()
                time.sleep(0.5)
        yield address
    finally:
        server.terminate()
        server.wait(timeout=30)
        log.close()


def small_figure():
    """As `small_map`, of an interactive figure."""
    cell = nbformat.v4.new_code_cell(
        "from attnlib import interactive\ninteractive.weights(['a', 'b'], [0, 2])"
    )
    data = {
        "text/html": str(interactive.weights(["a", "b"], [0, 2])),
        "text/plain": "Figure",
    }
    cell.outputs = [nbformat.v4.new_output("execute_result", data, execution_count=1)]
    notebook = nbformat.v4.new_notebook(cells=[cell])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    return notebook


MAP = """\
from attnlib.interactive.attention_map import attention_map
attention_map(["eighty", "one"], ["quatre", "un"], [[0.9, 0.1], [0.2, 0.8]])"""


def small_map():
    """A notebook as a chapter is cloned: its one cell has its output stored, and nobody
    trusts it yet.
    """
    scope = {}
    exec(MAP.rsplit("\n", 1)[0], scope)
    shown = eval(MAP.rsplit("\n", 1)[1], scope)
    output = nbformat.v4.new_output(
        "execute_result",
        data={"text/html": str(shown), "text/plain": repr(shown)},
        execution_count=1,
    )
    cell = nbformat.v4.new_code_cell(MAP, outputs=[output], execution_count=1)
    return nbformat.v4.new_notebook(
        cells=[cell],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )


def first_exercise(path):
    """(places of the import, the exercise and its check; the module of the solutions;
    the exercise's name).
    """
    cells = nbformat.read(path, as_version=4).cells
    sources = [cell.source if cell.cell_type == "code" else "" for cell in cells]
    found = [
        re.search(r"from attnlib\.exercises import (\w+) as ex", source)
        for source in sources
    ]
    start = next(place for place, match in enumerate(found) if match)
    place = next(
        i for i, cell in enumerate(cells) if "exercise" in cell.metadata.get("tags", [])
    )
    name = ast.parse(sources[place]).body[0].name
    check = next(i for i in range(place + 1, len(cells)) if "check(" in sources[i])
    return (
        (start, place, check),
        importlib.import_module(f"attnlib.exercises.{found[start][1]}"),
        name,
    )


def test_lab_opens_at_the_index_of_chapters_which_lead_to_the_notebooks(browser, lab):
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.goto(f"{lab}?token={TOKEN}")
    cards = page.locator(".jp-MarkdownViewer .myst-card")
    cards.first.wait_for(timeout=60_000)
    assert page.url == f"{lab}lab/tree/book/index.md"
    assert cards.count() == len(CHAPTERS)
    text = page.locator(".jp-MarkdownViewer").inner_text()
    assert "Unknown" not in text and ":::" not in text and "{" not in text
    assert ".md" not in text, "JupyterLab gives a link without a text the file's name"
    assert "Try it now" not in text, "the page with an exercise is none of JupyterLab"
    cards.last.click()
    page.locator(".jp-NotebookPanel .jp-MarkdownCell h1").first.wait_for(timeout=60_000)
    assert page.url == f"{lab}lab/tree/book/{CHAPTERS[-1].name}"
    page.close()


def test_lab_opens_in_the_same_way_without_make(browser, python, tmp_path):
    """By the last of the README's three commands."""
    command = re.search(
        r"^\.venv\\Scripts\\jupyter lab (.*)",
        (ROOT / "README.md").read_text("utf-8"),
        re.M,
    )
    shutil.copytree(
        ROOT / "book", tmp_path / "book", ignore=shutil.ignore_patterns("_build")
    )
    with started(python, command[1].split(), tmp_path) as address:
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.goto(f"{address}?token={TOKEN}")
        cards = page.locator(".jp-MarkdownViewer .myst-card")
        cards.first.wait_for(timeout=60_000)
        assert page.url == f"{address}lab/tree/index.md"
        assert cards.count() == len(CHAPTERS)
        assert page.locator(".jp-Launcher").count() == 0
        setting = "lab/api/settings/@jupyterlab/apputils-extension:notification"
        answer = page.request.get(f"{address}{setting}?token={TOKEN}").json()
        news = answer["schema"]["properties"]["fetchNews"]
        assert news["default"] == "false", "else JupyterLab asks about news"
        page.close()


def test_chapter_restarts_and_runs_all_in_jupyterlab(browser, lab):
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.goto(f"{lab}lab/workspaces/all/tree/book/{CHAPTERS[0].name}?token={TOKEN}")
    cells = page.locator(".jp-NotebookPanel .jp-CodeCell")
    cells.last.wait_for(state="attached", timeout=60_000)
    page.get_by_text("| Idle").wait_for(timeout=60_000)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role(
        "menuitem", name=re.compile("Restart Kernel and Run All Cells")
    ).click()
    page.locator(".jp-Dialog").get_by_role(
        "button", name="Confirm Kernel Restart"
    ).click()
    prompts = (
        "[...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')].map(prompt =>"
        " prompt.textContent.trim())"
    )
    page.wait_for_function(
        f"{prompts}.some(prompt => prompt === '[*]:')", timeout=60_000
    )
    page.wait_for_function(
        f"!{prompts}.some(prompt => prompt === '[*]:')", timeout=60_000
    )
    stored = [
        cell
        for cell in nbformat.read(CHAPTERS[0], as_version=4).cells
        if cell.cell_type == "code"
    ]
    folded = [
        cell.metadata.get("jupyter", {}).get("source_hidden", False) for cell in stored
    ]  # those show no prompt
    assert page.evaluate(prompts) == [
        "" if hidden else f"[{n}]:" for n, hidden in enumerate(folded, start=1)
    ]
    for mime in ("application/vnd.jupyter.error", "application/vnd.jupyter.stderr"):
        assert (
            page.locator(f".jp-OutputArea-output[data-mime-type='{mime}']").count() == 0
        )
    page.close()


def test_attention_map_is_still_until_its_cell_is_run(browser, lab):
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.goto(f"{lab}lab/workspaces/map/tree/book/map.ipynb?token={TOKEN}")
    output = page.locator(".jp-NotebookPanel .jp-OutputArea-output")
    output.get_by_text("Run this cell to use the figure.").wait_for(timeout=60_000)
    assert (
        output.locator("table").is_visible()
        and "0.9" in output.locator("table").inner_text()
    )
    assert output.locator("button, script").count() == 0
    page.get_by_text("| Idle").wait_for(timeout=60_000)
    page.locator(".jp-CodeCell .cm-content").click()
    page.keyboard.press("Shift+Enter")
    word = output.get_by_role("button", name=re.compile("quatre")).first
    word.wait_for(timeout=60_000)
    assert not output.get_by_text("Run this cell").is_visible()
    word.focus()
    assert "eighty" in output.locator(".af-say").inner_text()
    page.close()


def test_equation_has_the_number_of_its_paper_alone_in_jupyterlab(browser, lab):
    chapter = next(path for path in CHAPTERS if "\\\\tag{" in path.read_text("utf-8"))
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.goto(f"{lab}lab/workspaces/equations/tree/book/{chapter.name}?token={TOKEN}")
    cells = page.locator(".jp-NotebookPanel .jp-MarkdownCell")
    # Cells are numbered together, after each of them was shown.
    cells.get_by_text(f"Exercise {int(chapter.name[:2])}.1").first.wait_for(
        state="attached", timeout=60_000
    )
    assert cells.locator(".katex .tag, .katex mtext").count() > 0
    assert cells.get_by_title("Link to this Equation").count() == 0
    page.close()


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_numbers_in_jupyterlab_are_told_to_be_those_of_the_pages(path):
    """The block above the title; JupyterLab counts no figures of code cells."""
    kinds, cells = [], nbformat.read(path, as_version=4).cells
    for cell in cells:
        if cell.cell_type == "markdown":
            kinds += ["text"] * len(re.findall(r"^`+\{figure\}", cell.source, re.M))
        elif "caption" in cell.metadata.get("mystnb", {}).get("figure", {}):
            kinds += ["code"]
    start = kinds.index("text") + 1 if "text" in kinds else 1
    assert kinds.count("text") < 2 or kinds[start] == "text", "they are counted on"
    numbering = {"equation": False, "enumerator": f"{int(path.name[:2])}.%s"}
    if start > 1:
        numbering["figure"] = {"start": start}
    block = front_matter.BLOCK.match(cells[0].source)
    assert block, "a block between two lines --- begins the first cell"
    assert yaml.safe_load(block[1]) == {"numbering": numbering}


@pytest.mark.skipif(not CHAPTERS, reason="there is no chapter yet")
def test_exercise_is_solved_in_jupyterlab(browser, lab):
    chapter = CHAPTERS[0]
    (start, place, check), module, name = first_exercise(chapter)
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.goto(f"{lab}lab/workspaces/exercise/tree/book/{chapter.name}?token={TOKEN}")
    cells = page.locator(".jp-NotebookPanel .jp-Cell")
    cells.nth(check).wait_for(state="attached", timeout=60_000)

    # jupyterlab-myst shows the exercise as a box with a title, and the equations as
    # equations
    page.locator(".jp-MarkdownCell .exercise, .jp-MarkdownCell aside").first.wait_for(
        state="attached", timeout=30_000
    )
    numbered = f"Exercise {int(chapter.name[:2])}.1"
    page.locator(".jp-MarkdownCell").get_by_text(numbered).first.wait_for(
        state="attached", timeout=60_000
    )
    text = page.locator(".jp-NotebookPanel-notebook").inner_text()
    assert "```{exercise}" not in text and "{cite" not in text and "$$" not in text
    assert "numbering:" not in text
    assert (
        page.locator(".jp-MarkdownCell .katex, .jp-MarkdownCell mjx-container").count()
        > 0
    )

    solution = f"import numpy as np\n{module.__dict__[name].source}"
    for number, source in ((start, None), (place, solution), (check, None)):
        cells.nth(number).locator(".cm-content").click()
        if source:
            page.keyboard.press("ControlOrMeta+a")
            page.keyboard.insert_text(source)
        page.keyboard.press("Shift+Enter")
    output = cells.nth(check).locator(".jp-OutputArea-output")
    page.wait_for_function(
        "([position, name]) =>"
        " document.querySelectorAll('.jp-NotebookPanel .jp-Cell')[position]"
        ".querySelector('.jp-OutputArea')?.innerText.includes(`Passed: ${name}`)",
        arg=[check, name],
        timeout=120_000,
    )
    assert output.count() == 1
    page.close()


def test_interactive_figure_is_still_in_jupyterlab_until_its_cell_is_run(browser, lab):
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(f"{lab}lab/workspaces/figure/tree/book/figure.ipynb?token={TOKEN}")
    output = page.locator(".jp-NotebookPanel .jp-OutputArea-output")

    # a notebook that somebody else wrote is not trusted: no script of it runs, and no
    # style of it holds
    output.get_by_text("Run this cell to use the figure.").wait_for(timeout=60_000)
    assert output.locator("tbody td:nth-child(3)").all_inner_texts() == [
        "0.119",
        "0.881",
    ]  # 1 / (1 + e^2)
    bars = output.locator("tbody span").evaluate_all(
        "all => all.map(e => e.getBoundingClientRect().width)"
    )
    assert bars == [11, 85]
    assert output.locator("input").count() == 0

    page.get_by_text("| Idle").wait_for(
        timeout=60_000
    )  # before that the kernel would not hear
    page.locator(".jp-CodeCell .cm-content").click()
    page.keyboard.press("Shift+Enter")
    slider = output.get_by_role("slider", name="score of a")
    slider.wait_for(timeout=60_000)
    assert not output.get_by_text("Run this cell").is_visible()
    slider.focus()
    page.keyboard.press("End")  # JupyterLab does not take the key
    assert output.locator("tbody td:nth-child(3)").all_inner_texts() == [
        "0.953",
        "0.047",
    ]  # 1 / (1 + e^-3)
    page.close()
