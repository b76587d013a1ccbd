"""Print the chapters of the book to book/_build/pdf, one file each, as Chromium prints
their pages.

    python tools/print_book.py                    every chapter
    python tools/print_book.py 03_bahdanau        those named

The pages come from book/_build/html under the address at which the book is published,
so that links from one chapter to another lead there. Nothing is fetched. What a page
folds, its script moves to the end (_static/print.js).
"""

import argparse
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import yaml
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "book" / "_ext")]
import browser  # noqa: E402
import build_book  # noqa: E402
import card  # noqa: E402

PDF = build_book.HTML.parent / "pdf"
FOOT = """\
<p style="width: 100%; margin: 0 18mm; font: 8px sans-serif; display: flex; justify-content: space-between">
<span class="title"></span><span><span class="pageNumber"></span> / <span class="totalPages"></span></span></p>"""
PAPER = dict(
    format="A4",
    margin=dict(top="16mm", bottom="18mm", left="18mm", right="18mm"),
    print_background=True,
    display_header_footer=True,
    header_template="<span></span>",
    footer_template=FOOT,
    tagged=True,
    outline=True,
)


def serve_from_disk(route, address):
    """Answer a request for a page of the book with its file, and refuse every other."""
    path = build_book.HTML / unquote(
        urlsplit(route.request.url).path.removeprefix(urlsplit(address).path)
    )
    if route.request.url.startswith(address) and path.is_file():
        route.fulfill(path=path)
    else:
        route.abort()


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "chapters",
        nargs="*",
        help="names such as 03_bahdanau; all of them if none is given",
    )
    there = [path.stem for path in sorted((ROOT / "book").glob("*.ipynb"))]
    names = [
        Path(chapter).stem for chapter in parser.parse_args(arguments).chapters
    ] or there
    if missing := sorted(set(names) - set(there)):
        print(
            f"No such chapter: {', '.join(missing)}. There are {', '.join(there)}.",
            file=sys.stderr,
        )
        return 1
    with sync_playwright() as playwright:
        chromium = browser.launch(playwright)
        if chromium is None:
            print(
                "There is no Chromium on this machine: install it to print the book.",
                file=sys.stderr,
            )
            return 1
        if status := build_book.main():
            return status
        settings = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))
        address = (
            card.published(
                settings["repository"]["url"], settings["html"].get("baseurl")
            )
            or "http://book.invalid/"
        )
        page = chromium.new_page(color_scheme="light")
        page.route("**/*", lambda route: serve_from_disk(route, address))
        for name in names:
            page.goto(f"{address}{name}.html", wait_until="load")
            page.evaluate("() => window.MathJax?.startup?.promise")
            page.pdf(path=PDF / f"{name}.pdf", **PAPER)
            print(PDF / f"{name}.pdf")
        chromium.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
