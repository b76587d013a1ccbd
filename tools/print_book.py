"""Print chapters to book/_build/pdf, one file per chapter, with Chromium.

    python -m tools.print_book                 every chapter
    python -m tools.print_book 03_bahdanau     only the chapters named

The pages come from book/_build/html but are given the address at which the book is
published, so that links between chapters lead there. Nothing is fetched. A script of
the page moves what is folded to the end (_static/print.js).
"""

import argparse
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import yaml
from playwright.sync_api import sync_playwright

from book._ext import opengraph
from tools import browser, build_book
from tools.build_book import ROOT

PDF = build_book.HTML.parent / "pdf"
FOOTER = """\
<p style="width: 100%; margin: 0 18mm; font: 8px sans-serif;
display: flex; justify-content: space-between">
<span class="title"></span>
<span><span class="pageNumber"></span> / <span class="totalPages"></span></span></p>"""
PAPER = dict(
    format="A4",
    margin=dict(top="16mm", bottom="18mm", left="18mm", right="18mm"),
    print_background=True,
    display_header_footer=True,
    header_template="<span></span>",
    footer_template=FOOTER,
    tagged=True,
    outline=True,
)


def serve_from_disk(route, address):
    """Answer a request for a page of the book with its file, and refuse all others."""
    folder = urlsplit(address).path
    name = urlsplit(route.request.url).path.removeprefix(folder)
    path = build_book.HTML / unquote(name)
    if route.request.url.startswith(address) and path.is_file():
        route.fulfill(path=path)
    else:
        route.abort()


def published_address():
    """The address at which the book is published, or a made-up one."""
    settings = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))
    repository = settings["repository"]["url"]
    address = opengraph.published(repository, settings["html"].get("baseurl"))
    return address or "http://book.invalid/"


def print_chapters(chromium, names):
    """Write one PDF per chapter and print its path."""
    address = published_address()
    page = chromium.new_page(color_scheme="light")
    page.route("**/*", lambda route: serve_from_disk(route, address))
    for name in names:
        page.goto(f"{address}{name}.html", wait_until="load")
        page.evaluate("() => window.MathJax?.startup?.promise")
        page.pdf(path=PDF / f"{name}.pdf", **PAPER)
        print(PDF / f"{name}.pdf")


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "chapters", nargs="*", help="names such as 03_bahdanau; default: all chapters"
    )
    available = sorted(
        path.stem for path in (ROOT / "book").glob("*.ipynb") if not path.is_symlink()
    )
    asked = [Path(chapter).stem for chapter in parser.parse_args(arguments).chapters]
    if missing := sorted(set(asked) - set(available)):
        print(
            f"No such chapter: {', '.join(missing)}. There are {', '.join(available)}.",
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
        print_chapters(chromium, asked or available)
        chromium.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
