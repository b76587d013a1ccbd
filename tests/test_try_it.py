"""The page with a first exercise: it runs there, and it is the one of its chapter."""

import re

import pytest
from bs4 import BeautifulSoup
from conftest import ROOT
from exercises_in_page import SOFTMAX, native_message
from test_run_in_page import STARTER, Cell, sent

from book._ext import chapter_exercise, runnable
from tools import engine

CHAPTER, NAME = "01_psychology", "psychology.softmax"
PAGE = "try_it"


@pytest.fixture
def tab(browser, site):
    context = browser.new_context(base_url=site)
    yield context.new_page()
    context.close()


def test_index_leads_to_an_exercise_that_is_solved_in_its_chapter_too(
    tab, engine_folder
):
    tab.goto("index.html")
    tab.get_by_role("link", name="Try it now").click()
    cell = Cell(tab, PAGE)
    assert tab.get_by_text("about 11 MB, once").is_visible()
    assert not tab.locator(".run-not-here").is_visible()
    assert cell.run(STARTER) == native_message(NAME, STARTER)
    mark = tab.get_by_role("checkbox", name="I solved exercise 1.1")
    assert not mark.is_checked()
    assert cell.run(SOFTMAX) == native_message(NAME, SOFTMAX)
    assert mark.is_checked()
    tab.get_by_role("link", name="first exercise", exact=True).click()
    there = Cell(tab)
    written = there.element.locator(".cell_input pre").inner_text()
    assert written.strip() == SOFTMAX.strip() and mark.is_checked()
    tab.goto("index.html")
    counts = tab.locator(".sd-card .exercises").all_inner_texts()
    assert [text.startswith("1 of ") for text in counts[:2]] == [True, False]


def parts(html, page):
    """The box, the code, and what is folded, of the exercise on a page."""
    soup = BeautifulSoup((html / f"{page}.html").read_text("utf-8"), "html.parser")
    code = soup.find(attrs={"data-exercise": NAME})
    label = code["data-label"]
    found = [soup.find(id=label), code]
    found += [soup.find(id=f"{label}-{kind}").parent for kind in ("hint", "solution")]
    texts = [re.sub(r"\s+", " ", each.get_text()).strip() for each in found]
    return {**code.attrs, "class": None}, texts


def test_exercise_is_that_of_its_chapter(html):
    here, there = parts(html, PAGE), parts(html, CHAPTER)
    assert here == there
    assert here[1][0].startswith("Exercise 1.1 (Softmax) Write softmax(scores)")


def test_stated_cost_is_what_a_server_sends(html, engine_folder):
    run = html / "_static" / "run"
    files = [*run.iterdir(), *(run / engine.folder().name).iterdir()]
    later = {"matplotlib.zip", "results.zip", "weights.zip", "editor.js"}
    size = sum(map(sent, (p for p in files if p.is_file() and p.name not in later)))
    words = f"{size / 1e6:.0f} MB, once"
    assert f"about {words}" in (ROOT / "book" / f"{PAGE}.md").read_text("utf-8")
    for name in ("page.js", "running.js"):
        assert f"Loading Python, {words}" in (run / name).read_text("utf-8")


def test_page_that_cannot_run_code_says_so(browser, html):
    page = browser.new_page()
    page.goto((html / f"{PAGE}.html").as_uri())
    assert page.locator("[data-run-action]").count() == 0
    assert page.get_by_text("Code does not run in this copy").is_visible()
    assert not page.get_by_text("about 11 MB").is_visible()
    assert page.locator("[data-exercise] pre").is_visible()
    page.close()


def test_print_shows_code_and_answers_alone(tab, engine_folder):
    Cell(tab, PAGE)
    tab.emulate_media(media="print")
    tab.evaluate("dispatchEvent(new Event('beforeprint'))")
    for hidden in (".run-here", ".run-not-here", "[data-run-action=run]"):
        assert not tab.locator(hidden).is_visible(), hidden
    assert tab.locator("[data-exercise] .cell_input pre").is_visible()
    answers = tab.locator(".answers")
    assert answers.get_by_role("heading", name="Exercise 1.1").count() == 1
    assert answers.get_by_text("Show a solution of softmax").count() == 1


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("psychology.softmin", "has no exercise psychology.softmin"),
        ("bug_hunt.pool", "has no exercise bug_hunt.pool"),
    ],
)
def test_exercise_that_the_chapter_lacks_is_refused(name, problem):
    with pytest.raises(ValueError, match=problem):
        chapter_exercise.find(ROOT / "book", CHAPTER, name)


def test_exercise_that_builds_on_other_cells_is_refused(monkeypatch):
    cell = runnable.Cell(3, "", [], exercise="psychology.softmax", setup=(1, 2))
    monkeypatch.setattr(runnable, "cells_of", lambda path: {0: cell})
    with pytest.raises(ValueError, match="builds on other cells of 01_psychology"):
        chapter_exercise.find(ROOT / "book", CHAPTER, NAME)
