"""Milliseconds from the click on Run to the verdict of an exercise in the built book:

    python -m benchmarks.page [--rounds 5]

For each browser that is installed, in turn: the first visit, with an empty cache; the
next chapter of the same visit; that chapter loaded again; a further check of the same
answer there. For comparison: that check natively. Printed is the median of the rounds,
and the range.
"""

import argparse
import contextlib
import importlib
import statistics
import time

from benchmarks.machine import Load
from tools import build_book
from tools.browser import launch, serve
from tools.firefox import Tab, find
from tools.firefox import launch as launch_firefox

HEADERS = {"Cache-Control": "max-age=600"}  # as GitHub Pages sends it
FIRST = "01_psychology", "psychology.softmax"
NEXT = "03_bahdanau", "bahdanau.attend"
KEY = "attention-step-by-step.code"
FINAL = ("passed", "failed", "error", "stopped")

# Keep an answer as the page itself does, for the next time it is opened.
KEEP = """(key, name, code) => localStorage.setItem(
  key, JSON.stringify({version: 1, code: {[name]: code}}))"""
# Run an exercise and wait for its verdict: [milliseconds, state, text].
CLICK = """(name, final) => new Promise((resolve) => {
  const cell = document.querySelector(`[data-exercise="${name}"]`);
  const output = cell.querySelector("[data-run-output]");
  const started = performance.now();
  const watch = new MutationObserver(() => {
    const { state } = output.dataset;
    if (!final.includes(state)) return;
    watch.disconnect();
    resolve([performance.now() - started, state, output.innerText]);
  });
  watch.observe(output, { attributes: true });
  cell.querySelector("[data-run-action=run]").click();
})"""


class Chromium:
    """A page of Chromium that nobody has visited anything with."""

    name = "Chromium"

    def __init__(self, browser):
        self.context = browser.new_context()
        self.page = self.context.new_page()
        self.goto = self.page.goto
        self.close = self.context.close

    def evaluate(self, function, *arguments):
        spread = f"(given) => ({function})(...given)"
        return self.page.evaluate(spread, list(arguments))


class Firefox(Tab):
    """A tab of Firefox that nobody has visited anything with."""

    name = "Firefox"


@contextlib.contextmanager
def browsers():
    """The browsers of this machine: functions that open a new visitor's tab."""
    from playwright.sync_api import sync_playwright

    with contextlib.ExitStack() as stack:
        found = []
        if chromium := launch(stack.enter_context(sync_playwright())):
            stack.callback(chromium.close)
            found.append(lambda: Chromium(chromium))
        if path := find():
            firefox = stack.enter_context(launch_firefox(path))
            found.append(lambda: Firefox(firefox))
        yield found


def exercise_named(name):
    module, own = name.split(".")
    return getattr(importlib.import_module(f"attnlib.exercises.{module}"), own)


def check(tab, name):
    """Milliseconds from the click to the verdict, which must be the native one."""
    milliseconds, state, text = tab.evaluate(CLICK, name, FINAL)
    assert state == "passed", text
    return milliseconds


def visit(tab, site):
    """{what: milliseconds} of one visitor."""
    times = {}
    chapters = {"first visit": FIRST, "next chapter": NEXT, "loaded again": NEXT}
    for what, (chapter, name) in chapters.items():
        tab.goto(f"{site}{chapter}.html")
        tab.evaluate(KEEP, KEY, name, exercise_named(name).source)
        tab.goto(f"{site}{chapter}.html?again")
        times[what] = check(tab, name)
    times["further check"] = check(tab, NEXT[1])
    return times


def native(name):
    """Milliseconds of the same check in this process."""
    exercise, space = exercise_named(name), {}
    exec("import numpy as np\nfrom attnlib import reference as ref", space)
    exec(exercise.source, space)
    started = time.perf_counter()
    assert exercise.check(space[exercise.name]).passed
    return 1000 * (time.perf_counter() - started)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    assert build_book.main() == 0, "the book was not built: see the output above"
    load, times = Load(), {}
    with contextlib.redirect_stdout(None):
        native(NEXT[1])  # imports
    with serve(build_book.HTML, HEADERS) as site, browsers() as found:
        for _ in range(rounds):
            for opened in found:
                tab = opened()
                for what, each in visit(tab, site).items():
                    times.setdefault((tab.name, what), []).append(each)
                tab.close()
            with contextlib.redirect_stdout(None):
                times.setdefault(("native", "check"), []).append(native(NEXT[1]))
    print(f"Median (range) of {rounds} rounds, in milliseconds")
    for (where, what), each in times.items():
        middle, low, high = statistics.median(each), min(each), max(each)
        print(f"{where:9} {what:14} {middle:6.0f} ({low:.0f} to {high:.0f})")
    if (others := load.others()) is not None:
        print(f"Other processes, the browsers among them, used {others:.1f} cores.")


if __name__ == "__main__":
    main()
