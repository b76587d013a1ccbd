"""Exercises of the built pages in Firefox, through the attributes that the page
promises. tests/test_run_in_page.py has more, in Chromium.
"""

import pytest
from exercises_in_page import (
    FINAL,
    SOFTMAX,
    chapters,
    native_message,
    routes_end,
    solution,
    wrong_answers,
)

from tools.firefox import Tab, find, launch

FIRST = "01_psychology", "psychology.softmax"
CHAPTER = "03_bahdanau"  # scores, a step of a decoder, an error rate, and a drawing


@pytest.fixture
def tab(firefox, site, engine_folder):
    """A tab of a new visitor, in which no script fails, and which asks no other host
    for anything.
    """
    tab = Tab(firefox)
    tab.site = site
    yield tab
    assert tab.complaints == []
    own = (site, f"blob:{site}", "data:")
    assert [address for address in tab.asked if not address.startswith(own)] == []
    tab.close()


class Cell:
    """One exercise of a page."""

    def __init__(self, tab, chapter=FIRST[0], exercise=FIRST[1]):
        self.tab = tab
        self.place = f'[data-exercise="{exercise}"]'
        address = f"{tab.site}{chapter}.html"
        if tab.evaluate("() => location.href") != address:
            tab.goto(address)

    def find(self, part, then):
        """Wait for a part of this cell, which a selector names, and call ``then``, a
        JavaScript function, with it.
        """
        place = ", ".join(f"{self.place} {each}" for each in part.split(", "))
        return self.tab.wait_for(
            "(place) => {"
            " const part = document.querySelector(place);"
            f" return part && [({then})(part)];"
            " }",
            place,
        )[0]

    def click(self, action):
        self.find(f'[data-run-action="{action}"]', "(button) => button.click()")

    def write(self, code):
        if self.find("", "(cell) => !cell.querySelector('[role=textbox]')"):
            self.click("edit")
            self.find("[role=textbox]:focus", "() => 0")
        self.find("[role=textbox]", "(box) => box.focus()")
        self.tab.write(code)

    def wait_for(self, *states):
        """The state, which is one of these in the end, and the text of the output."""
        state, text = self.find(
            ", ".join(f'[data-run-output][data-state="{each}"]' for each in states),
            "(output) => [output.dataset.state, output.innerText]",
        )
        return state, text.strip()

    def run(self, code=None):
        """Run the cell, with this code if any; returns the state and the output."""
        if code is not None:
            self.write(code)
        self.click("run")
        return self.wait_for(*FINAL)

    def code(self):
        return self.find(".cell_input pre", "(printed) => printed.textContent")

    def is_solved(self):
        label = self.find("", "(cell) => cell.dataset.label")
        return self.tab.evaluate(
            "(label) => document.getElementById(label)"
            ".querySelector('.exercise-foot input').checked",
            label,
        )


# The browser itself


def test_firefox_leaves_nothing_behind(firefox):
    with launch(find()) as other:
        home = other.home
        processes = [other.process, *other.process.children(recursive=True)]
        assert len(processes) > 2 and (home / "profile").is_dir()
    assert not home.exists() and not any(each.is_running() for each in processes)


def test_firefox_that_does_not_start_is_quoted(tmp_path):
    program = tmp_path / "firefox"
    program.write_text("#!/bin/sh\necho 'no display' >&2\n")
    program.chmod(0o755)
    with pytest.raises(RuntimeError, match="has not started: no display"):
        with launch(program):
            pass


# Solving


def test_every_mistake_of_a_chapter_gets_the_native_message(tab, html):
    for name in chapters(html)[CHAPTER]:
        cell = Cell(tab, CHAPTER, name)
        expected = native_message(name, cell.code())
        assert cell.run() == expected
        # What stands there at first does nothing, or is to be repaired.
        beginnings = "Not attempted yet", f"Not yet: {name.split('.')[1]}."
        assert expected[1].startswith(beginnings)
        for code in wrong_answers(name, once=True):
            assert cell.run(code) == native_message(name, code), (name, code)
        assert not cell.is_solved()
        assert cell.run(solution(name)) == native_message(name, solution(name))
        assert cell.is_solved()


def test_first_exercise_of_each_chapter_is_solved_after_a_mistake(tab, html):
    others = {name: all_ for name, all_ in chapters(html).items() if name != CHAPTER}
    assert len(others) >= 7
    for chapter, (name, *_) in others.items():
        cell = Cell(tab, chapter, name)
        wrong, right = wrong_answers(name)[0], solution(name)
        assert cell.run(wrong) == native_message(name, wrong), name
        assert not cell.is_solved()
        assert cell.run(right) == native_message(name, right), name
        assert cell.is_solved(), name


def test_exercise_to_try_is_solved_and_kept_for_its_chapter(tab):
    cell = Cell(tab, "try_it")
    wrong = wrong_answers(FIRST[1])[0]
    assert cell.run(wrong) == native_message(FIRST[1], wrong)
    assert not cell.is_solved()
    assert cell.run(SOFTMAX) == native_message(FIRST[1], SOFTMAX)
    there = Cell(tab)
    assert there.is_solved() and there.code().strip() == SOFTMAX.strip()


def test_error_quotes_the_line_of_the_reader(tab):
    code = "def softmax(scores):\n    shifted = scores - 1\n    return shifted @ 'a'\n"
    state, text = Cell(tab).run(code)
    assert (state, text) == native_message(FIRST[1], code)
    assert "in line 3 of your cell: return shifted @ 'a'" in text


def test_exercise_is_edited_and_run_by_keyboard_alone(tab):
    cell = Cell(tab)
    cell.find('[data-run-action="edit"]', "(button) => button.focus()")
    tab.press("Enter")
    cell.find("[role=textbox]:focus", "() => 0")
    tab.press("a", hold=["ControlOrMeta"])
    tab.press(*"softmax = 3")
    tab.press("Enter", hold=["Shift"])
    assert cell.wait_for(*FINAL) == native_message(FIRST[1], "softmax = 3")
    assert cell.find("[role=textbox]:focus", "() => true")
    tab.press("Escape", "Tab")
    focused = tab.evaluate("() => document.activeElement.dataset.runAction")
    assert focused in ("run", "reset")


# Stopping, and code that misbehaves


def test_stop_ends_an_endless_loop_and_the_next_check_is_right(tab):
    cell = Cell(tab)
    cell.write("print('before')\nwhile True:\n    pass\n")
    cell.click("run")
    cell.find("[data-run-output][data-state=running] .run-printed", "() => 0")
    cell.click("stop")
    assert cell.wait_for(*FINAL)[0] == "stopped"
    assert cell.run(SOFTMAX) == native_message(FIRST[1], SOFTMAX)


HOSTILE = {
    "loop in a check": (
        *("def softmax(scores):\n    while True: pass", "failed"),
        "infinite loop",
    ),
    "deep recursion": (
        "import sys\nsys.setrecursionlimit(10**6)\ndef f(): f()\nf()",
        *("error", ""),
    ),
    "lines": ("for i in range(200_000): print(i)", "failed", " more characters"),
    "memory": ("kept = []\nwhile True: kept.append(bytes(10**7))", "error", "Memory"),
    "exit": ("import os\nos._exit(3)", "error", "Python has ended"),
    "html": (
        "class Bad:\n    def _repr_html_(self): return '<img id=bad src=x>'\n"
        "    def __repr__(self): return '<img id=bad src=x onerror=alert(1)>'\n"
        f"{SOFTMAX}\nBad()",
        *("passed", "<img id=bad src=x onerror=alert(1)>"),
    ),
}


def test_page_survives_hostile_code_and_the_next_check_is_right(tab):
    cell = Cell(tab)
    for kind, (code, expected, words) in HOSTILE.items():
        state, text = cell.run(code)
        assert (state, words in text) == (expected, True), (kind, text[-500:])
        assert len(text) < 300_000 and tab.evaluate(
            "() => !document.querySelector('#bad')"
        )
        assert cell.run(SOFTMAX) == native_message(FIRST[1], SOFTMAX), kind


def test_reloading_the_page_restarts_python_as_the_check_says(tab):
    cell = Cell(tab)
    state, text = cell.run(f"np.exp = np.tanh\n{SOFTMAX}")
    assert state == "failed" and "np.exp is no longer what it was" in text
    assert text.endswith("in the pages of the book, reload the page.")
    assert cell.run(SOFTMAX) == (state, text)
    tab.goto(tab.evaluate("() => location.href"))
    assert cell.run() == native_message(FIRST[1], SOFTMAX)


def test_code_of_the_reader_reaches_no_other_host(tab, listener):
    assert routes_end(Cell(tab), listener.port)
    assert listener.heard == []
    assert any("Content-Security-Policy" in text for text in tab.complaints)
    tab.since = len(tab.firefox.events)  # they were the point here


# How it looks


def test_narrow_page_fits_with_editor_and_output(tab):
    tab.resize(360, 740)
    cell = Cell(tab)
    cell.run("print('word' * 200)\nx = 'a long line' + " + "'and more' + " * 40 + "''")
    wider = "() => document.documentElement.scrollWidth - innerWidth"
    assert tab.evaluate("() => innerWidth") == 360 and tab.evaluate(wider) <= 0
    for action in ("run", "reset"):
        height = "(button) => button.getBoundingClientRect().height"
        assert cell.find(f'[data-run-action="{action}"]', height) >= 44
