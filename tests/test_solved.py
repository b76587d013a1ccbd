"""Exercises in the built pages: links that open hint and solution, and marks of what is
solved.
"""

import json
import re

import pytest
from conftest import ROOT

CHAPTERS = [path.stem for path in sorted((ROOT / "book").glob("*.ipynb"))]
every_chapter = pytest.mark.parametrize("name", CHAPTERS)
FIRST = CHAPTERS[0]
MARK = re.compile(r"I solved exercise \d\.\d")  # figures have check boxes of their own
NO_STORAGE = (
    "Object.defineProperty(window, 'localStorage', { get() { throw new"
    " DOMException('blocked') } })"
)


@pytest.fixture
def page(browser, site):
    context = browser.new_context(base_url=site)
    yield context.new_page()
    context.close()


def exercise_cells(name):
    cells = json.loads((ROOT / "book" / f"{name}.ipynb").read_text("utf-8"))["cells"]
    return sum("exercise" in cell["metadata"].get("tags", []) for cell in cells)


@every_chapter
def test_page_and_card_count_the_same_exercises(html, name):
    text, index = (
        (html / f"{page}.html").read_text("utf-8") for page in (name, "index")
    )
    boxes = re.findall(r'<div class="exercise admonition" id="([^"]+)">', text)
    assert len(boxes) == exercise_cells(name) >= 4
    line = (
        f'<span class="exercises" data-labels="{" ".join(boxes)}">{len(boxes)}'
        " exercises</span>"
    )
    assert text.count(line) == index.count(line) == 1


@every_chapter
def test_each_exercise_links_to_its_hint_and_solution(page, html, name):
    text = (html / f"{name}.html").read_text("utf-8")
    for label in re.findall(r'<div class="exercise admonition" id="([^"]+)">', text):
        assert (
            text.count(f'<details id="{label}-hint"><summary')
            == text.count(f'href="#{label}-hint"')
            == 1
        )
        assert (
            text.count(f'<details id="{label}-solution"><summary')
            == text.count(f'href="#{label}-solution"')
            == 1
        )
    page.goto(f"{name}.html#{label}-solution")
    page.wait_for_function(
        "label => document.getElementById(`${label}-solution`).open", arg=label
    )
    assert not page.locator(f"#{label}-hint").evaluate("fold => fold.open")
    link, fold = (
        page.locator(f"#{label} a[href$='-hint']"),
        page.locator(f"#{label}-hint"),
    )
    for _ in range(2):  # the second time the address does not change
        link.focus()
        page.keyboard.press("Enter")
        page.wait_for_function(
            "label => document.getElementById(`${label}-hint`).open", arg=label
        )
        assert fold.locator("p").first.is_visible()
        fold.evaluate("fold => { fold.open = false }")


def test_marks_are_made_by_keyboard_counted_on_the_index_and_forgotten(page):
    number = exercise_cells(FIRST)
    page.goto(f"{FIRST}.html")
    boxes = page.get_by_role("checkbox", name=re.compile(r"I solved exercise 1\.\d"))
    assert (
        boxes.count() == number
        and page.get_by_role("checkbox", name=MARK, checked=True).count() == 0
    )
    for place in (0, 1):
        boxes.nth(place).focus()
        page.keyboard.press("Space")
    assert (
        page.locator(".reading-time")
        .inner_text()
        .endswith(f"2 of {number} exercises solved")
    )
    page.goto("index.html")
    counts = page.locator(".sd-card .exercises")
    unmarked = f"{exercise_cells(CHAPTERS[1])} exercises"
    assert counts.all_inner_texts()[:2] == [f"2 of {number} exercises solved", unmarked]
    page.goto(f"{FIRST}.html")
    assert [boxes.nth(place).is_checked() for place in range(3)] == [True, True, False]
    boxes.first.click()
    page.goto("index.html")
    assert counts.first.inner_text() == f"1 of {number} exercises solved"

    forget = page.get_by_role("button", name="Forget them")
    page.once("dialog", lambda dialog: dialog.dismiss())
    forget.click()
    assert counts.first.inner_text() == f"1 of {number} exercises solved"
    page.once("dialog", lambda dialog: dialog.accept())
    forget.focus()
    page.keyboard.press("Enter")
    assert (
        counts.first.inner_text() == f"{number} exercises" and not forget.is_visible()
    )
    assert page.evaluate("document.activeElement.id") == "solved"
    page.goto(f"{FIRST}.html")
    assert page.get_by_role("checkbox", name=MARK, checked=True).count() == 0


def test_marks_made_in_another_tab_are_counted(page):
    page.goto("index.html")
    other = page.context.new_page()
    other.goto(f"{FIRST}.html")
    other.get_by_role("checkbox", name="I solved exercise 1.1").check()
    page.wait_for_function(
        "document.querySelector('.exercises').textContent.startsWith('1 of ')"
    )


@pytest.mark.parametrize(
    "kept", ["{", "3", '{"a": 1}', '["a-label-of-another-edition", 7]']
)
def test_marks_that_make_no_sense_count_as_none(page, kept):
    page.goto("index.html")
    page.evaluate(
        "kept => localStorage.setItem('attention-step-by-step.solved', kept)", kept
    )
    complaints = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.reload()
    assert (
        page.locator(".sd-card .exercises").first.inner_text()
        == f"{exercise_cells(FIRST)} exercises"
    )
    assert complaints == []


def test_browser_that_keeps_nothing_is_offered_no_marks(page):
    complaints = []
    page.on("pageerror", lambda error: complaints.append(error.stack or ""))
    page.add_init_script(NO_STORAGE)
    page.goto(f"{FIRST}.html")
    assert page.locator(".exercise-foot a").count() == 2 * exercise_cells(FIRST)
    assert page.get_by_role("checkbox", name=MARK).count() == 0
    assert (
        page.locator(".reading-time .exercises").inner_text()
        == f"{exercise_cells(FIRST)} exercises"
    )
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    page.goto("index.html")
    assert not page.locator("#solved").is_visible()
    assert [
        stack for stack in complaints if "book.js" in stack or "solved.js" in stack
    ] == []


def test_marks_are_not_printed(page):
    page.goto(f"{FIRST}.html")
    page.emulate_media(media="print")
    assert page.get_by_role(
        "checkbox", name=MARK, include_hidden=True
    ).count() == exercise_cells(FIRST)
    assert not page.locator(".exercise-foot").first.is_visible()
    page.goto("index.html")
    assert not page.locator("#solved").is_visible()
