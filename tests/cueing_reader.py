"""What the tests of the cueing experiment share: a page under a clock of their own, and
a reader who takes it.
"""

from io import StringIO
from urllib.parse import urlsplit

import numpy as np

from attnlib.interactive import cueing
from attnlib.interactive.cueing import SETTINGS

READ = dict(
    delimiter=",", names=True, dtype=None, encoding="utf-8"
)  # as the chapter reads the file


def open_cueing(browser, tmp_path):
    """A fixture that opens the experiment under a clock that stands still; it must
    throw and request nothing.
    """
    contexts, troubles, requests = [], [], []

    def opened(timed=False, **options):
        cueing().save(tmp_path / "cueing.html")
        contexts.append(
            browser.new_context(
                **{"viewport": {"width": 760, "height": 700}, **options}
            )
        )
        page = contexts[-1].new_page()
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        if not timed and options.get("java_script_enabled", True):
            page.clock.install(time=0)
            page.goto((tmp_path / "cueing.html").as_uri())
            page.clock.pause_at(60_000)
        else:
            page.goto((tmp_path / "cueing.html").as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert troubles == []
    assert {
        urlsplit(url).path for url in requests if not url.startswith("data:text/csv")
    } == {(tmp_path / "cueing.html").as_posix()}


def short_settings(monkeypatch):
    """A fixture: two blocks of 12, no practice, and at most one repetition: what the
    tests of single trials need.
    """
    monkeypatch.setitem(SETTINGS, "blocks", 2)
    monkeypatch.setitem(SETTINGS, "counts", {"valid": 6, "invalid": 4, "catch": 2})
    monkeypatch.setitem(SETTINGS, "practice", {"valid": 0, "invalid": 0, "catch": 0})
    monkeypatch.setitem(SETTINGS, "repeats", 1)


NOW = """() => {
  const stage = document.querySelector(".cu-stage");
  if (!stage) return {phase: "over", shown: []};
  const names = ["boxes", "cross", "arrowleft", "arrowright", "left", "right"];
  const parts = [...stage.querySelectorAll("svg > *")];
  const visible = parts.map(e => getComputedStyle(e).visibility === "visible");
  return {phase: stage.dataset.phase, shown: names.filter((_, i) => visible[i])};
}"""


def now(page):
    """What is on the field: (phase, names of what is visible)."""
    found = page.evaluate(NOW)
    return found["phase"], found["shown"]


def message(page):
    return page.locator(".cu-message").inner_text()


def begin(page):
    """From the top of the page into the first trial, by keyboard alone."""
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Start with practice"
    page.keyboard.press("Enter")
    assert now(page)[0] == "pause"
    go_on(page)


def go_on(page):
    page.clock.run_for(650)
    page.keyboard.press("Space")


def until(page, *phases, step=16):
    for _ in range(400):
        found = now(page)
        if found[0] in phases:
            return found
        page.clock.run_for(step)
    raise AssertionError(f"none of {phases} came, the field still shows {found}")


def until_dot(page):
    """To the frame in which a dot is drawn, catch trials waited out."""
    while kind(until(page, "target")[1]) == "catch":
        page.clock.run_for(1600)


def kind(shown):
    """valid, invalid, or catch, from what can be seen while a target could be."""
    cue = "left" if "arrowleft" in shown else "right"
    target = [side for side in ("left", "right") if side in shown]
    return "catch" if not target else "valid" if target == [cue] else "invalid"


def take(page, delay, step=96):
    """Take the experiment to its end: `delay(kind)` is the time to the key press, None
    for no answer.
    """
    while True:
        phase, shown = until(page, "pause", "target", "over", step=step)
        if phase == "over":
            return
        if phase == "pause":
            go_on(page)
            page.clock.run_for(1100)  # boxes, cross, and the shortest onset
            continue
        page.clock.run_for(32)
        wait = delay(kind(shown))
        page.clock.run_for(1600 if wait is None else wait)
        if wait is not None:
            page.keyboard.press("Space")
            page.clock.run_for(1100)


def saved(page):
    """The downloaded file as rows, by NumPy, as the chapter reads it."""
    with page.expect_download() as download:
        page.get_by_role("link", name="Download CSV").press("Enter")
    assert download.value.suggested_filename == "cueing.csv"
    text = download.value.path().read_text("utf-8")
    return text, np.atleast_1d(np.genfromtxt(StringIO(text), **READ))
