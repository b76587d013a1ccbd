"""The plain copies of the chapters, as the built pages offer them."""

import re

import nbformat

from tools import plain_notebooks


def test_links_of_the_copies_lead_to_places_of_the_built_pages(html):
    book = plain_notebooks.Book()
    pattern = re.escape(book.pages) + r"([^)#\s]*)#?([^)\s]*)\)"
    found = set()
    for path in sorted((html / "_sources").glob("[0-9]*.ipynb")):
        cells = nbformat.read(path, as_version=4).cells
        text = "\n".join(c.source for c in cells if c.cell_type == "markdown")
        found |= set(re.findall(pattern, text))
    assert len(found) > 50
    pages = {name: (html / name) for name, _ in found}
    assert [name for name, path in pages.items() if not path.is_file()] == []
    ids = {
        name: set(re.findall(r'\bid="([^"]+)"', path.read_text("utf-8")))
        for name, path in pages.items()
        if path.suffix == ".html"
    }
    assert [at for at in found if at[1] and at[1] not in ids[at[0]]] == []


def test_numbers_in_the_copies_are_those_of_the_pages(html):
    for path in sorted((html / "_sources").glob("[0-9]*.ipynb")):
        cells = nbformat.read(path, as_version=4).cells
        text = "\n".join(c.source for c in cells if c.cell_type == "markdown")
        page = (html / f"{path.stem}.html").read_text("utf-8")
        shown = re.findall(r'"caption-number">\s*(?:Fig\.|Figure) ([\d.]+\d)', page)
        assert shown == re.findall(r"^\*\*Figure ([\d.]+\d)\.\*\*", text, re.M)
        shown = re.findall(r'"caption-number">\s*Exercise ([\d.]+\d)', page)
        assert shown == re.findall(r"^### Exercise ([\d.]+\d):", text, re.M)


def test_pages_offer_the_copies_and_lead_to_them_on_colab(html):
    chapters = sorted((html / "_sources").glob("[0-9]*.ipynb"))
    assert len(chapters) >= 8
    for path in chapters:
        page = (html / f"{path.stem}.html").read_text("utf-8")
        assert f'href="_sources/{path.name}"' in page
        colab = re.findall(r'href="(https://colab[^"]*)"', page)
        assert colab and all(
            link.endswith(f"/blob/{plain_notebooks.BRANCH}/{path.name}")
            for link in colab
        )
        binder = re.findall(r'href="(https://mybinder[^"]*)"', page)
        assert binder and all(f"book/{path.name}" in link for link in binder)
        first = nbformat.read(path, as_version=4).cells[1]
        assert first.source.startswith("**On Colab, run this first.**")
