"""Chapters on paper: what `make pdf` writes, and what a page does with its folds before
it is printed.
"""

import re
import subprocess
import sys

import pytest
from conftest import ROOT

from book._ext import opengraph
from tools import print_book

FIRST = sorted((ROOT / "book").glob("*.ipynb"))[0].stem
FOLDS = (  # a figure keeps its own
    ".bd-article .cell_output details:not(.attn-figure details)"
)
ANSWERS = "Answers, hints and solutions"


@pytest.fixture(scope="module")
def pdf(html, browser):
    """The bytes of the first chapter's PDF."""
    target = print_book.PDF / f"{FIRST}.pdf"
    target.unlink(missing_ok=True)
    # In a process of its own: Playwright runs once in each.
    done = subprocess.run(
        [sys.executable, "-m", "tools.print_book", FIRST],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip().endswith(str(target))
    return target.read_bytes()


def test_pdf_has_pages_of_a4_with_figures_and_an_outline(pdf, html):
    assert pdf.startswith(b"%PDF-")
    pages = len(re.findall(rb"/Type /Page\b", pdf))
    assert 8 <= pages <= 40
    width, height = map(
        float, set(re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", pdf)).pop()
    )
    assert abs(width - 595) < 2 and abs(height - 842) < 2  # 210 by 297 mm
    figures = (html / f"{FIRST}.html").read_text("utf-8").count("<figure")
    assert figures >= 4 and len(re.findall(rb"/Subtype /Image\b", pdf)) >= figures
    titles = [title.decode() for title in re.findall(rb"/Title \(([^()]*)\)", pdf)]
    assert (
        titles.index("The question") >= 0
        and titles.count(ANSWERS) == 1
        and b"/StructTreeRoot" in pdf
    )
    assert "On this page" not in titles


def test_pdf_links_lead_to_the_published_book_and_to_no_path_of_this_machine(pdf):
    links = {link.decode() for link in re.findall(rb"/URI \((.*?)\)", pdf)}
    address = opengraph.published(
        "https://github.com/attention-step-by-step/attention-step-by-step"
    )
    assert any(link.startswith(f"{address}glossary.html#") for link in links)
    assert {link.split(":")[0] for link in links} == {"https"}
    assert (
        b"file:" not in pdf
        and str(ROOT).encode() not in pdf
        and b"127.0.0.1" not in pdf
    )


def test_printing_refuses_a_chapter_that_is_not_there(capsys):
    assert print_book.main(["99_none"]) == 1
    assert capsys.readouterr().err.startswith(
        f"No such chapter: 99_none. There are {FIRST}, "
    )


def test_printing_says_plainly_that_chromium_is_missing(tmp_path):
    code = (
        "import sys; from tools import browser, print_book;"
        " browser.launch = lambda playwright: None; sys.exit(print_book.main([]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert (
        done.stderr.strip()
        == "There is no Chromium on this machine: install it to print the book."
    )


def test_folds_move_to_the_end_of_what_is_printed_and_back(browser, site):
    page = browser.new_page(color_scheme="dark")
    page.goto(f"{site}{FIRST}.html")
    folds = page.locator(FOLDS).count()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    assert page.locator(".answers h2").inner_text() == ANSWERS
    assert page.locator(".answers details").count() == folds > 8
    solution = page.locator(".answers details", has_text="Show a solution of softmax")
    assert solution.locator("pre").is_visible() and "np.exp" in solution.inner_text()
    assert page.locator(".answers h3", has_text=re.compile("Exercise 1.1")).count() == 1
    assert (
        page.locator(".quiz .quiz-right").count() == 2
        and not page.locator(".quiz .quiz-right").first.is_visible()
    )
    assert page.locator(".answers .quiz-right").first.is_visible()
    hidden = (
        ".exercise-foot",
        "#ex-softmax-solution",
        ".sd-dropdown",
        ".copybtn",
        ".bd-sidebar-primary",
    )
    for selector in hidden:
        assert (
            page.locator(selector).count()
            and not page.locator(selector).first.is_visible()
        ), selector
    page.emulate_media(media="screen")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator(".answers").count() == 0
    assert page.locator(FOLDS).count() == folds
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.close()
