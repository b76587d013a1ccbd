"""A chapter in JupyterLab: its text renders, an exercise is solved in its cell, and the check passes."""

import ast
import importlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import nbformat
import pytest
from conftest import ROOT

from attnlib import interactive

CHAPTERS = sorted((ROOT / "book").glob("*.ipynb"))
TOKEN = "chapter"


@pytest.fixture
def lab(tmp_path):
    """The address of a JupyterLab of its own, over a folder that holds a copy of the book."""
    shutil.copytree(ROOT / "book", tmp_path / "book", ignore=shutil.ignore_patterns("_build", ".ipynb_checkpoints"))
    settings = tmp_path / "settings" / "@jupyterlab"
    (settings / "notebook-extension").mkdir(parents=True)
    (settings / "apputils-extension").mkdir()
    # All cells are drawn, not only those on the screen; and no dialogue asks for news.
    (settings / "notebook-extension" / "tracker.jupyterlab-settings").write_text('{"windowingMode": "none"}')
    (settings / "apputils-extension" / "notification.jupyterlab-settings").write_text('{"fetchNews": "false"}')
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root", f"--port={port}"]
    command += [f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={tmp_path}", "--ServerApp.ip=127.0.0.1"]
    home = {f"JUPYTERLAB_{kind.upper()}_DIR": str(tmp_path / kind) for kind in ("settings", "workspaces")}
    log = (tmp_path / "log.txt").open("w")
    server = subprocess.Popen(command, env={**os.environ, **home}, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
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


def first_exercise(path):
    """(places of the import, the exercise and its check; the module of the solutions; the exercise's name)."""
    cells = nbformat.read(path, as_version=4).cells
    sources = [cell.source if cell.cell_type == "code" else "" for cell in cells]
    found = [re.search(r"from attnlib\.exercises import (\w+) as ex", source) for source in sources]
    start = next(place for place, match in enumerate(found) if match)
    place = next(i for i, cell in enumerate(cells) if "exercise" in cell.metadata.get("tags", []))
    name = ast.parse(sources[place]).body[0].name
    check = next(i for i in range(place + 1, len(cells)) if "check(" in sources[i])
    return (start, place, check), importlib.import_module(f"attnlib.exercises.{found[start][1]}"), name


@pytest.mark.skipif(not CHAPTERS, reason="there is no chapter yet")
def test_exercise_is_solved_in_jupyterlab(browser, lab):
    chapter = CHAPTERS[0]
    (start, place, check), module, name = first_exercise(chapter)
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.goto(f"{lab}lab/tree/book/{chapter.name}?token={TOKEN}")
    cells = page.locator(".jp-NotebookPanel .jp-Cell")
    cells.nth(check).wait_for(state="attached", timeout=60_000)

    # jupyterlab-myst shows the exercise as a box with a title, and the equations as equations
    page.locator(".jp-MarkdownCell .exercise, .jp-MarkdownCell aside").first.wait_for(state="attached", timeout=30_000)
    text = page.locator(".jp-NotebookPanel-notebook").inner_text()
    assert "```{exercise}" not in text and "{cite" not in text and "$$" not in text
    assert page.locator(".jp-MarkdownCell .katex, .jp-MarkdownCell mjx-container").count() > 0

    solution = f"import numpy as np\n{module.__dict__[name].source}"
    for number, source in ((start, None), (place, solution), (check, None)):
        cells.nth(number).locator(".cm-content").click()
        if source:
            page.keyboard.press("ControlOrMeta+a")
            page.keyboard.insert_text(source)
        page.keyboard.press("Shift+Enter")
    output = cells.nth(check).locator(".jp-OutputArea-output")
    page.wait_for_function(
        "([place, name]) => document.querySelectorAll('.jp-NotebookPanel .jp-Cell')[place]"
        ".querySelector('.jp-OutputArea')?.innerText.includes(`Passed: ${name}`)",
        arg=[check, name],
        timeout=120_000,
    )
    assert output.count() == 1
    page.close()


def test_interactive_figure_is_still_in_jupyterlab_until_its_cell_is_run(browser, lab, tmp_path):
    cells = [nbformat.v4.new_code_cell("from attnlib import interactive\ninteractive.weights(['a', 'b'], [0, 2])")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    data = {"text/html": str(interactive.weights(["a", "b"], [0, 2])), "text/plain": "Figure"}
    cells[0].outputs = [nbformat.v4.new_output("execute_result", data, execution_count=1)]
    nbformat.write(notebook, tmp_path / "figure.ipynb")
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(f"{lab}lab/tree/figure.ipynb?token={TOKEN}")
    output = page.locator(".jp-NotebookPanel .jp-OutputArea-output")

    # a notebook that somebody else wrote is not trusted: no script of it runs, and no style of it holds
    output.get_by_text("Run this cell to touch the figure.").wait_for(timeout=60_000)
    assert output.locator("tbody td:nth-child(3)").all_inner_texts() == ["0.119", "0.881"]  # 1 / (1 + e^2)
    bars = output.locator("tbody span").evaluate_all("all => all.map(e => e.getBoundingClientRect().width)")
    assert bars == [11, 85]
    assert output.locator("input").count() == 0

    page.get_by_text("| Idle").wait_for(timeout=60_000)  # before that the kernel would not hear
    page.locator(".jp-CodeCell .cm-content").click()
    page.keyboard.press("Shift+Enter")
    slider = output.get_by_role("slider", name="score of a")
    slider.wait_for(timeout=60_000)
    assert not output.get_by_text("Run this cell").is_visible()
    slider.focus()
    page.keyboard.press("End")  # JupyterLab does not take the key
    assert output.locator("tbody td:nth-child(3)").all_inner_texts() == ["0.953", "0.047"]  # 1 / (1 + e^-3)
    page.close()
