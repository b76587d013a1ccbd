"""Exercises in the built pages: edited, run, and checked in a browser, through the
attributes that the page promises. The code is hostile in places, and the page survives.
"""

import gzip
import importlib
import inspect
import os
import re
import socket
import threading
import types

import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import ROOT

from attnlib.checking.exercise import Exercise
from tools import engine

FINAL = ("passed", "failed", "error", "stopped")
STARTER = "def softmax(scores):\n    return scores / scores.sum()\n"
SOFTMAX = """\
def softmax(scores):
    exponentials = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)
"""
FIRST = "01_psychology", "psychology.softmax"


@pytest.fixture(scope="module", autouse=True)
def needed(html):
    """Without an engine there is nothing to test, and with CI=true that is a failure."""
    if engine.folder() is None:
        reason = "the page's Python is missing: `python -m tools.engine` makes it"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)


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
        self.element.locator(", ".join(places)).wait_for(timeout=120_000)
        return self.output.get_attribute("data-state")

    def run(self, code=None):
        """Run the cell, with this code if any; returns the state and the output."""
        if code is not None:
            self.write(code)
        self.button("run").click()
        state = self.wait(*FINAL)
        return state, self.output.inner_text().strip()

    def status(self):
        return self.tab.locator("[data-run-status]").inner_text()


def exercise_named(name):
    module, _, own = name.partition(".")
    return getattr(importlib.import_module(f"attnlib.exercises.{module}"), own)


def native_message(name, code):
    """What the check says to this code here, without any page."""
    import numpy as np

    from attnlib import reference

    space = {"np": np, "ref": reference, "__name__": "__main__"}
    exec(compile(code, "<native>", "exec"), space)
    exercise = exercise_named(name)
    return exercise.check(space[exercise.name]).message


# Solving


@pytest.mark.parametrize(
    ("chapter", "name", "wrong", "right"),
    [
        (*FIRST, STARTER, SOFTMAX),
        (
            *("03_bahdanau", "bahdanau.additive_scores"),
            "def additive_scores(query, keys, w_query, w_keys, v):\n    return keys @ v\n",
            "def additive_scores(query, keys, w_query, w_keys, v):\n"
            "    return ref.additive_scores(query, keys, w_query, w_keys, v)\n",
        ),
    ],
)
def test_exercise_is_solved_after_a_wrong_attempt(tab, chapter, name, wrong, right):
    cell = Cell(tab, chapter, name)
    stub = cell.element.locator(".cell_input pre").inner_text()
    assert cell.run() == ("failed", native_message(name, stub))
    assert cell.run(wrong) == ("failed", native_message(name, wrong))
    label = cell.element.get_attribute("data-label")
    mark = tab.locator(f"#{label} input")
    assert not mark.is_checked()
    assert cell.run(right) == ("passed", native_message(name, right))
    assert mark.is_checked()
    assert tab.complaints == []
    tab.reload()  # the code and the mark are kept; nothing runs by itself
    assert cell.output.get_attribute("data-state") == "idle" and mark.is_checked()
    assert cell.element.locator(".cell_input pre").inner_text().strip() == right.strip()
    cell.button("reset").click()
    assert cell.element.locator(".cell_input pre").inner_text().strip() == stub.strip()
