"""Exercises in the built pages: edited, run, and checked in a browser, through the
attributes that the page promises. The code is hostile in places, and the page survives.
"""

import gzip
import re

import pytest
from conftest import ROOT, THEME, violations
from exercises_in_page import (
    FINAL,
    SOFTMAX,
    exercise_named,
    native_message,
    routes_end,
    solution,
)

from attnlib.checking.exercise import Exercise
from book._ext import runnable
from tools import engine
from tools.browser import serve

STARTER = "def softmax(scores):\n    return scores / scores.sum()\n"
FIRST = "01_psychology", "psychology.softmax"


@pytest.fixture(scope="module", autouse=True)
def needed(html, engine_folder):
    """Nothing can be tested without an engine."""


@pytest.fixture
def tab(browser, site):
    """A tab of a new visitor, which records what it asks for and complains about."""
    context = browser.new_context(base_url=site)
    page = context.new_page()
    page.asked, page.complaints = [], []
    context.on("request", lambda request: page.asked.append(request.url))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    yield page
    context.close()


class Cell:
    """One exercise of a page."""

    def __init__(self, tab, chapter=FIRST[0], exercise=FIRST[1]):
        self.tab = tab
        if not tab.url.endswith(f"{chapter}.html"):
            tab.goto(f"{chapter}.html")
        self.element = tab.locator(f'[data-exercise="{exercise}"]')
        self.output = self.element.locator("[data-run-output]")

    def button(self, action):
        return self.element.locator(f'[data-run-action="{action}"]')

    def write(self, code):
        if self.button("edit").is_visible():
            self.button("edit").click()
        self.element.get_by_role("textbox").focus()
        self.tab.keyboard.press("ControlOrMeta+a")
        self.tab.keyboard.insert_text(code)

    def wait(self, *states):
        places = [f'[data-state="{state}"]' for state in states]
        self.element.locator(", ".join(places)).wait_for(timeout=25_000)
        return self.output.get_attribute("data-state")

    def run(self, code=None):
        """Run the cell, with this code if any; returns the state and the output."""
        if code is not None:
            self.write(code)
        self.button("run").click()
        state = self.wait(*FINAL)
        return state, self.output.inner_text().strip()

    def wait_for_status(self, text):
        self.tab.locator("[data-run-status]", has_text=text).wait_for()


# Solving


@pytest.mark.parametrize(
    ("chapter", "name", "wrong", "right"),
    [
        (*FIRST, STARTER, SOFTMAX),
        (
            *("03_bahdanau", "bahdanau.additive_scores"),
            "def additive_scores(query, keys, w_query, w_keys, v):\n"
            "    return keys @ v\n",
            "def additive_scores(query, keys, w_query, w_keys, v):\n"
            "    return ref.additive_scores(query, keys, w_query, w_keys, v)\n",
        ),
    ],
)
def test_exercise_is_solved_after_a_wrong_attempt(tab, chapter, name, wrong, right):
    cell = Cell(tab, chapter, name)
    stub = cell.element.locator(".cell_input pre").inner_text()
    assert cell.run() == native_message(name, stub)
    assert cell.run(wrong) == native_message(name, wrong)
    label = cell.element.get_attribute("data-label")
    mark = tab.locator(f"#{label} input")
    assert not mark.is_checked()
    assert cell.run(right) == native_message(name, right)
    assert mark.is_checked()
    assert tab.complaints == []
    tab.reload()  # the code and the mark are kept; nothing runs by itself
    assert cell.output.get_attribute("data-state") == "idle" and mark.is_checked()
    assert cell.element.locator(".cell_input pre").inner_text().strip() == right.strip()
    cell.button("reset").click()
    assert cell.element.locator(".cell_input pre").inner_text().strip() == stub.strip()


def test_answer_that_is_no_longer_written_is_not_checked(tab):
    cell = Cell(tab)
    assert cell.run(SOFTMAX)[0] == "passed"
    begin = "Not yet: softmax.\nYour code should define a function called softmax"
    assert cell.run("x = 1") == ("failed", f"{begin}.")
    other = SOFTMAX.replace("def softmax", "def my_softmax")
    assert cell.run(other) == ("failed", f"{begin}; it defines my_softmax.")
    assert cell.run(SOFTMAX)[0] == "passed"


def test_sentences_of_a_check_break_where_a_narrow_page_ends(tab):
    tab.set_viewport_size({"width": 360, "height": 740})
    state, text = Cell(tab).run(
        "def softmax(scores):\n    return np.exp(scores) / np.exp(scores).sum()"
    )
    assert state == "failed" and "for each row, so take the sum over the last" in text
    assert "last axis.\nThe result:\n  expected  [[" in text


def test_exercise_that_draws_brings_matplotlib_and_shows_the_figure(tab):
    cell = Cell(tab, "03_bahdanau", "bahdanau.draw_alignment")
    state, text = cell.run(
        "def draw_alignment(ax, weights, source, target):\n    ax.imshow(weights)\n\n"
        "_, ax = plt.subplots()\ndraw_alignment(ax, np.eye(2), 'ab', 'cd')\n"
    )
    assert state == "failed" and "The tick labels of the columns" in text
    image = cell.output.get_by_role("img", name="The figure that your code drew")
    assert image.get_attribute("src").startswith("data:image/png;base64,")
    assert image.evaluate("image => image.naturalWidth / image.width") == 2


DRAWN = """
class Named:
    _page_figure_ = lambda self: ("attention_map", [1, "<b>"])
class Unknown:
    _page_figure_ = lambda self: ("nonsense", None)
display("first", Named(), Unknown(), "last")
"""
DRAWS = """
export function drawFigure(element, name, data) {
  if (name !== "attention_map") throw new Error(name);
  element.append(`${name} of ${data[1]}`);
}
"""


def test_named_figures_are_drawn_in_order_by_our_own_script(tab):
    cell = Cell(tab)
    draws = {"content_type": "text/javascript", "body": DRAWS}
    tab.route("**/figures.js*", lambda route: route.fulfill(**draws))
    _, text = cell.run(DRAWN + SOFTMAX)
    lines = [line for line in text.splitlines() if line]
    assert lines[:4] == [
        *("'first'", "attention_map of <b>"),
        *('This page cannot draw the figure "nonsense".', "'last'"),
    ]
    assert lines[4].startswith("Passed: ")


def test_every_exercise_without_keras_can_be_run(html):
    found, elsewhere = set(), 0
    for path in sorted(html.glob("[0-9]*.html")):
        text = path.read_text("utf-8")
        found |= set(re.findall(r'data-exercise="([\w.]+)"', text))
        elsewhere += text.count('<p class="run-elsewhere">')
    assert elsewhere == 2 and len(found) >= 40
    assert all(isinstance(exercise_named(name), Exercise) for name in found)
    assert not found & {"sentiment.AttentionLayer", "bug_hunt.PositionalEmbedding"}


@pytest.mark.parametrize("chapter", ["04_sentiment", "10_bug_hunt"])
def test_exercise_in_keras_says_where_it_runs(html, chapter):
    text = (html / f"{chapter}.html").read_text("utf-8")
    line = re.search(r'<p class="run-elsewhere">(.*?)</p>', text)[1]
    assert re.sub("<[^>]+>", "", line) == (
        "This exercise needs Keras, so it runs in Jupyter, on Binder, or on Colab, not"
        " here."
    )
    for service in ("mybinder.org", "colab.research.google.com"):
        pattern = rf'href="(https://{re.escape(service)}/[^"]+)"'
        (address,) = re.findall(pattern, line)
        assert text.count(address) == 2 and chapter in address


# Cells that are no exercises


def ordinary(tab, chapter, number):
    """One cell of a page that is no exercise."""
    cell = Cell(tab, chapter)
    cell.element = tab.locator(f'[data-run-cell="{number}"]')
    cell.output = cell.element.locator("[data-run-output]")
    return cell


def number_of(chapter, words):
    """The number of the code cell with these words, and on how many it builds."""
    cells = runnable.cells_of(ROOT / "book" / f"{chapter}.ipynb").values()
    cell = next(cell for cell in cells if words in cell.source)
    return cell.number, len(cell.setup)


def test_cell_runs_after_those_that_it_builds_on(tab):
    number, below = number_of(FIRST[0], "by_division =")
    cell = ordinary(tab, FIRST[0], number)
    stored = cell.element.locator("> .cell_output")
    before = stored.inner_text().strip()
    assert below == 1 and stored.is_visible()
    assert cell.run() == ("passed", before)
    assert not stored.is_visible()
    cell.wait_for_status("Done. 1 cell above, on which it builds, ran first.")
    cell.run()
    cell.wait_for_status(re.compile(r"^Done\.$"))
    state, text = cell.run("print(response.__name__)\n1 / 0")
    assert state == "error" and text.startswith("response\n")
    assert f'File "<cell {number}>", line 2' in text
    cell.button("reset").click()
    assert stored.is_visible() and not cell.output.is_visible()
    assert tab.complaints == []


def cell_with_a_table():
    """A cell whose value is a table: its chapter, and its number."""
    for path in sorted((ROOT / "book").glob("[0-9]*.ipynb")):
        for cell in runnable.cells_of(path).values():
            if cell.is_marked and cell.source.splitlines()[-1].startswith("Table("):
                return path.stem, cell.number
    raise LookupError("no cell that can run ends with a table")


def test_table_looks_the_same_when_its_cell_has_run_again(tab):
    cell = ordinary(tab, *cell_with_a_table())
    if (folded := cell.element.locator("details.hide > summary")).count():
        folded.first.click()
    assert cell.run()[0] == "passed"
    tables = cell.element.locator("table.results").evaluate_all(
        "all => all.map(each => each.outerHTML.replaceAll('\\n', ''))"
    )
    assert tables[0] == tables[1] and len(tables) == 2


def test_cell_runs_with_the_code_that_the_reader_wrote_above(tab):
    upper, lower = (
        number_of(FIRST[0], f"{name} =")[0] for name in ("drive", "by_division")
    )
    above = ordinary(tab, FIRST[0], upper)
    above.write("def response(*anything):\n    return 1\n\n1 / 0\n")
    below = ordinary(tab, FIRST[0], lower)
    state, text = below.run()
    assert state == "error" and f"<cell {upper}>" in text
    below.wait_for_status("A cell above, on which this one builds, raised an error.")
    above.button("reset").click()
    assert below.run()[0] == "passed"
    tab.reload()
    assert above.button("reset").is_hidden()


def test_cells_run_again_after_the_python_was_stopped(tab):
    number, below = number_of(FIRST[0], "by_division =")
    cell = ordinary(tab, FIRST[0], number)
    assert cell.run()[0] == "passed"
    other = ordinary(tab, FIRST[0], number_of(FIRST[0], "scores_of_three =")[0])
    other.write("while True: pass")
    other.button("run").click()
    other.wait("running")
    other.button("stop").click()
    other.wait("stopped")
    assert cell.run()[0] == "passed"
    cell.wait_for_status("Done. 1 cell above, on which it builds, ran first.")


def test_cell_of_results_loads_them_and_draws(tab):
    number, _ = number_of("02_bottleneck", 'results.load("length_curve")')
    cell = ordinary(tab, "02_bottleneck", number)
    cell.element.locator("summary").first.click()  # the code is folded
    state, text = cell.run()
    assert (state, text.split()[1:3]) == ("passed", ["runs;", "8000"])
    names = [url.split("?")[0].rpartition("/")[2] for url in tab.asked]
    assert names.count("results.zip") == names.count("matplotlib.zip") == 1


def test_reader_who_saves_data_loads_no_python_by_editing(tab):
    saving = "Object.defineProperty(navigator, 'connection', {value: {saveData: true}})"
    tab.add_init_script(saving)
    cell = Cell(tab)
    cell.write(SOFTMAX)
    assert "editor.js" in " ".join(tab.asked)
    assert not any(url.partition("?")[0].endswith("client.js") for url in tab.asked)
    assert cell.run()[0] == "passed"


# Editing


def test_editor_indents_and_is_left_by_keyboard_alone(tab):
    cell = Cell(tab)
    cell.button("edit").focus()
    tab.keyboard.press("Enter")
    box = cell.element.get_by_role("textbox")
    box.wait_for()
    focused = "[role=textbox]:focus"
    tab.wait_for_selector(focused)
    tab.keyboard.press("ControlOrMeta+a")
    tab.keyboard.type("if 1:\n7")  # the editor indents the second line by itself
    tab.keyboard.press("Tab")
    assert tab.locator(focused).count() == 1
    tab.keyboard.press("Escape")
    tab.keyboard.press("Tab")
    assert tab.locator(focused).count() == 0
    printed = cell.element.locator(".cell_input pre").text_content()
    assert printed.startswith("if 1:\n        7")
    assert cell.button("run").evaluate("each => each === document.activeElement")


def test_editor_of_an_ordinary_cell_is_reached_and_left_by_tab(tab):
    cell = ordinary(tab, FIRST[0], number_of(FIRST[0], "by_division =")[0])
    cell.button("edit").focus()
    tab.keyboard.press("Enter")
    focused = cell.element.locator("[role=textbox]:focus")
    focused.wait_for()
    tab.keyboard.press("Escape")
    tab.keyboard.press("Tab")
    assert cell.button("run").evaluate("each => each === document.activeElement")
    tab.keyboard.press("Shift+Tab")
    assert focused.count() == 1
    tab.keyboard.press("Escape")
    tab.keyboard.press("Shift+Tab")
    assert focused.count() == 0
    tab.keyboard.press("Tab")
    assert focused.count() == 1


def test_editor_names_the_exercise_and_what_its_keys_do(tab):
    cell = Cell(tab)
    cell.button("edit").click()
    box = cell.element.get_by_role("textbox")
    name = box.get_attribute("aria-label")
    assert name.startswith("Code of Exercise 1.1 (Softmax). Tab indents.")
    assert "cm-content" in box.get_attribute("class")


def test_editor_that_cannot_be_loaded_is_reported_and_can_be_tried_again(tab):
    cell = Cell(tab)
    tab.route("**/editor.js*", lambda route: route.abort())
    cell.button("edit").click()
    cell.wait_for_status("The editor could not be loaded. Is there a network?")
    assert cell.run()[0] == "failed"  # running needs no editor
    tab.unroute("**/editor.js*")
    cell.button("edit").click()
    cell.element.get_by_role("textbox").wait_for()


def test_run_by_key_keeps_the_focus(tab):
    cell = Cell(tab)
    cell.write(SOFTMAX)
    tab.keyboard.press("Shift+Enter")
    assert cell.wait(*FINAL) == "passed"
    assert tab.locator("[role=textbox]:focus").count() == 1


@pytest.mark.parametrize("kept", ["{", "3", '{"version": 1}', '{"version": 9}'])
def test_kept_code_that_makes_no_sense_counts_as_none(tab, kept):
    Cell(tab)
    key = "attention-step-by-step.code"
    tab.evaluate("([key, kept]) => localStorage.setItem(key, kept)", [key, kept])
    tab.reload()
    assert Cell(tab).button("reset").is_hidden() and tab.complaints == []
    assert Cell(tab).run(SOFTMAX)[0] == "passed"


# What a cell uses


def test_exercise_uses_the_code_with_which_the_reader_solved_another(tab):
    cell = Cell(tab, FIRST[0], "psychology.temperature")
    cell.element.evaluate("each => { each.dataset.uses = 'psychology.softmax'; }")
    code = "def temperature(scores, degrees):\n    return softmax(scores / degrees)\n"
    assert cell.run(code)[0] == "passed"
    cell.wait_for_status("Passed. It used the solution of softmax.")
    other = Cell(tab)
    end_of_python(other)
    assert (
        cell.run()[0] == "passed"
    )  # in a new Python, and not with what has not passed
    cell.wait_for_status("Passed. It used the solution of softmax.")
    assert other.run(f"{SOFTMAX}mine = 1\n")[0] == "passed"
    end_of_python(other)
    assert cell.run(f"{code}print(mine)\n") == ("passed", cell.output.inner_text())
    cell.wait_for_status("Passed. It used your softmax.")
    cell.run()
    cell.wait_for_status(re.compile(r"^Passed\.$"))
    other.button("reset").click()  # forgets what has passed, too
    end_of_python(other)
    assert cell.run()[0] == "error"
    cell.wait_for_status("It used the solution of softmax.")


def test_exercise_uses_what_its_code_calls_and_what_that_calls(tab):
    softmax, masked = Cell(tab), Cell(tab, FIRST[0], "psychology.masked_softmax")
    cell = Cell(tab, FIRST[0], "psychology.temperature")
    masked.element.evaluate("each => { delete each.dataset.uses; }")
    cell.element.evaluate(
        "each => { each.dataset.uses = 'psychology.masked_softmax'; }"
    )
    own = "def temperature(scores, degrees):\n    # like softmax\n"
    assert cell.run(f"{own}    return ref.softmax(scores / degrees)\n")[0] == "passed"
    cell.wait_for_status(re.compile(r"^Passed\.$"))  # the page's tags do not count
    assert softmax.run(SOFTMAX)[0] == "passed"
    code = (
        "def masked_softmax(scores, mask):\n"
        "    return softmax(np.where(mask, scores, -1e30)) * mask\n"
    )
    assert masked.run(code)[0] == "passed"
    end_of_python(softmax)
    code = (
        "    return masked_softmax(scores / degrees, np.full(np.shape(scores), True))"
    )
    assert cell.run(f"{own}{code}\n")[0] == "passed"
    cell.wait_for_status("Passed. It used your masked_softmax and softmax.")


def end_of_python(cell):
    """Run an endless loop, which leaves code that has not passed, and stop it."""
    cell.write("def softmax(scores):\n    return scores\n\nwhile True: pass")
    cell.button("run").click()
    cell.wait("running")
    cell.button("stop").click()
    cell.wait("stopped")


# Stopping, and code that misbehaves


def test_hint_about_stop_waits_until_the_code_itself_runs(tab):
    held = []
    tab.context.route("**/matplotlib.zip", lambda route: held.append(route))
    tab.clock.install()
    cell = Cell(tab, "03_bahdanau", "bahdanau.draw_alignment")
    cell.write("while True: pass")
    cell.button("run").click()
    cell.wait_for_status("Loading Matplotlib, 6 MB, once.")
    tab.clock.fast_forward(20_000)
    tab.clock.run_for(100)
    cell.wait_for_status("Loading Matplotlib, 6 MB, once.")
    held[0].continue_()
    cell.wait_for_status("Running.")
    tab.clock.fast_forward(20_000)
    cell.wait_for_status("Still running. An endless loop? Press Stop.")
    cell.button("stop").click()
    assert cell.wait(*FINAL) == "stopped"


def test_stop_ends_an_endless_loop_and_the_next_check_is_right(tab):
    cell = Cell(tab)
    cell.write("print('before')\nwhile True:\n    pass\n")
    cell.button("run").click()
    cell.wait("running")
    cell.wait_for_status("Still running. An endless loop? Press Stop.")
    assert cell.output.inner_text().strip() == "before"
    other = Cell(tab, FIRST[0], "psychology.temperature")
    other.button("run").click()
    cell.wait_for_status("The code of Exercise 1.1 (Softmax) is still running.")
    assert other.output.get_attribute("data-state") == "idle"
    cell.button("stop").click()
    assert cell.wait(*FINAL) == "stopped"
    assert cell.run(SOFTMAX)[0] == "passed"


def test_stop_while_python_is_on_its_way(tab):
    cell = Cell(tab)
    cell.button("run").click()
    cell.wait("loading")
    cell.button("stop").click()
    assert cell.wait(*FINAL) == "stopped"
    assert cell.run(SOFTMAX)[0] == "passed"


IN_CHECK = "def softmax(scores):\n    "
HOSTILE = {
    "loop in a check": (f"{IN_CHECK}while True: pass", "failed", "infinite loop"),
    "recursion": ("def f(): f()\nf()", "error", "RecursionError"),
    "deep recursion": (
        *("import sys\nsys.setrecursionlimit(10**6)\ndef f(): f()\nf()", "error"),
        "",
    ),
    "lines": ("for i in range(200_000): print(i)", "failed", " more characters"),
    "array": ("np.ones(12 * 10**8, np.int8)", "error", "MemoryError"),
    "memory": ("kept = []\nwhile True: kept.append(bytes(10**7))", "error", "Memory"),
    "exit": ("import os\nos._exit(3)", "error", "Python has ended"),
    "abort": ("import os\nos.abort()", "error", "Python has ended"),
    "sys.exit": ("import sys\nsys.exit()", "error", "Nothing has ended."),
    "socket": (
        "import urllib.request\nurllib.request.urlopen('http://127.0.0.1:{port}/')",
        *("error", "Error"),
    ),
    "html": (
        "class Bad:\n    def _repr_html_(self): return '<img id=bad src=x>'\n"
        "    def __repr__(self): return '<img id=bad src=x onerror=alert(1)>'\n"
        f"{SOFTMAX}\nBad()",
        *("passed", "<img id=bad src=x onerror=alert(1)>"),
    ),
    "thread": (
        "import threading\nthreading.Thread(target=print).start()",
        *("error", "can't start new thread"),
    ),
    "input": ("input('?')", "error", "no keyboard input"),
    "syntax": ("def softmax(scores:\n", "error", "SyntaxError"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_page_survives_hostile_code_and_the_next_check_is_right(tab, listener, kind):
    code, expected, words = HOSTILE[kind]
    cell = Cell(tab)
    state, text = cell.run(code.replace("{port}", str(listener.port)))
    assert (state, words in text) == (expected, True), text[-500:]
    assert tab.locator("#bad").count() == 0
    assert len(text) < 300_000
    assert cell.run(SOFTMAX) == native_message(FIRST[1], SOFTMAX)
    assert tab.complaints == [] and listener.heard == []


# What the page asks for


def test_code_of_the_reader_reaches_no_other_host(tab, listener):
    assert routes_end(Cell(tab), listener.port)
    assert listener.heard == []


def test_page_asks_its_own_host_alone_and_nothing_before_a_click(tab, site):
    cell = Cell(tab)
    before = [url for url in tab.asked if "_static/run/" in url]
    names = {url.split("?")[0].split("/")[-1] for url in before}
    assert names == {"page.js", "run.css"}
    assert cell.run(SOFTMAX)[0] == "passed"
    assert [url for url in tab.asked if not url.startswith((site, "blob:"))] == []


def test_page_runs_under_a_path_of_a_plain_server(browser, html, tmp_path):
    (tmp_path / "some").mkdir()
    (tmp_path / "some" / "path").symlink_to(html, target_is_directory=True)
    with serve(tmp_path) as address:
        place = f"{address}some/path/"
        context = browser.new_context(base_url=place)
        asked, missed = [], []
        context.on("request", lambda request: asked.append(request.url))
        context.on("response", lambda r: r.ok or missed.append((r.status, r.url)))
        cell = Cell(context.new_page(), "03_bahdanau", "bahdanau.draw_alignment")
        state, _ = cell.run(
            "from attnlib import interactive\n"
            "display(interactive.weights(['a', 'b'], [1, 0], title='Two'))\n"
            f"{solution('bahdanau.draw_alignment')}"
        )
        assert state == "passed"
        assert cell.output.get_by_role("group", name="Two").is_visible()
        context.close()
    own = (place, f"blob:{address}", "data:")
    assert [url for url in asked if not url.startswith(own)] == missed == []
    names = {url.split("?")[0].rpartition("/")[2] for url in asked}
    assert names >= {"matplotlib.zip", "interactive.js", "editor.js", "kernel.py"}


def sent(path):
    """The bytes of a file as a web server sends it."""
    content = path.read_bytes()
    return len(content if path.suffix == ".zip" else gzip.compress(content))


def test_budgets_are_kept(html):
    run = html / "_static" / "run"
    page = run / "page.js", run / "run.css"
    assert sum(map(sent, page)) <= 5_000
    folder = run / engine.folder().name
    later = ("matplotlib.zip", "results.zip", "weights.zip")
    first = [
        path
        for path in (*run.iterdir(), *folder.iterdir())
        if path.is_file() and path.name not in later
    ]
    assert sum(map(sent, first)) <= 11.5e6
    assert sent(folder / "matplotlib.zip") <= 6.5e6
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 25e6


# How it looks


TABLE = """
from attnlib.tables import Table, mark_errors
rows = [("a", 0.5, mark_errors(["un"], ["deux"]))]
display(Table(["n", "x", "text"], rows, "Few"))
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("code", [SOFTMAX, "print('x' * 500)\nraise KeyError"])
def test_open_editor_and_output_are_accessible(browser, site, scheme, code):
    context = browser.new_context(base_url=site, color_scheme=scheme)
    page = context.new_page()
    Cell(page).run(code)
    other = ordinary(page, FIRST[0], number_of(FIRST[0], "by_division =")[0])
    other.run(f"{TABLE}print('printed')\n{code}")
    assert other.output.get_by_role("table", name="Few").is_visible()
    assert other.element.get_by_role("textbox").is_visible()
    assert violations(page, THEME, preload=False) == []
    context.close()


def test_narrow_page_fits_and_its_buttons_are_large(browser, site):
    context = browser.new_context(
        base_url=site, viewport={"width": 360, "height": 740}, has_touch=True
    )
    cell = Cell(context.new_page())
    cell.run("print('word' * 200)\nx = 'a long line' + " + "'and more' + " * 40 + "''")
    wider = "() => document.documentElement.scrollWidth - innerWidth"
    assert cell.tab.evaluate(wider) <= 0
    for action in ("run", "reset"):
        assert cell.button(action).bounding_box()["height"] >= 44
    context.close()


def test_print_shows_the_code_and_no_buttons(tab):
    cell = Cell(tab)
    cell.run(SOFTMAX)
    tab.emulate_media(media="print")
    assert cell.element.locator(".cell_input pre").is_visible()
    assert not cell.button("run").is_visible()
    assert not cell.element.locator(".run-editor").is_visible()


@pytest.mark.parametrize("missing", ["WebAssembly", "Worker"])
def test_browser_that_cannot_run_python_gets_no_buttons(tab, missing):
    tab.add_init_script(f"delete window.{missing}")
    cell = Cell(tab)
    assert cell.element.count() == 1 and cell.button("run").count() == 0
    assert tab.locator(".run-check").first.is_visible() and tab.complaints == []


def test_page_in_a_folder_has_no_buttons(browser, html):
    page = browser.new_page()
    page.goto((html / f"{FIRST[0]}.html").as_uri())
    assert page.locator("[data-exercise]").count() == 7
    assert page.locator("[data-run-action]").count() == 0
    page.close()


def test_server_that_forbids_webassembly_is_named(browser, html):
    from test_book import POLICY

    with serve(html, {"Content-Security-Policy": POLICY}) as address:
        context = browser.new_context(base_url=address)
        state, text = Cell(context.new_page()).run()
        assert state == "error" and "this server forbids WebAssembly" in text
        context.close()
    allowed = f"{POLICY} 'wasm-unsafe-eval'"
    with serve(html, {"Content-Security-Policy": allowed}) as address:
        context = browser.new_context(base_url=address)
        assert Cell(context.new_page()).run(SOFTMAX)[0] == "passed"
        context.close()
