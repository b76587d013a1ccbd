r"""Copies of the chapters in plain Markdown, for places that do not know MyST.

    python -m tools.plain_notebooks FOLDER

Colab, GitHub, nbviewer, and VS Code show exercises, citations, terms, figures, and
labels of MyST as raw text. A copy says the same in plain Markdown, with links to the
pages of the published book. It holds the same code, and one cell before it that
installs attnlib where it is missing.

The build of the book puts the copies where its pages offer them for download, and a
workflow publishes them on the branch ``colab``.
"""

import re
import sys
import unicodedata
from pathlib import Path

import nbformat
import yaml
from pybtex.database import parse_file
from pybtex.richtext import Text

from book._ext import front_matter

ROOT = Path(__file__).resolve().parent.parent
BOOK = ROOT / "book"
BRANCH = "colab"  # where a workflow puts the copies

FENCE = re.compile(
    r"^(?P<fence>`{3,}|:{3,})\{(?P<name>[\w:-]+)\}[ \t]*(?P<title>[^\n]*)\n"
    r"(?P<options>(?::[\w-]+:[^\n]*\n)*)\n*(?P<body>.*?)\n?^(?P=fence)[ \t]*$",
    re.MULTILINE | re.DOTALL,
)
OPTION = re.compile(r"^:([\w-]+):[ \t]*(.*)$", re.MULTILINE)
ROLE = re.compile(
    r"(?<!`)\{(?P<name>[a-z][\w:-]*)\}(?P<ticks>`+)(?P<text>[^`]+)(?P=ticks)"
)
LINK = re.compile(r"(?<!!)\[(?P<text>[^\[\]]*)\]\((?P<target>[^()\s]+)\)")
LABEL = re.compile(r"^\((?P<label>[\w.:-]+)\)=[ \t]*\n", re.MULTILINE)
LABEL_OPTION = re.compile(r"^:(?:label|name): *(\S+)", re.MULTILINE)
ON_COLAB = "On Colab, run this first"

INSTALL = """\
import importlib.util

if importlib.util.find_spec("attnlib") is None:
    # Where TensorFlow is already installed, as on Colab, it stays as it is.
    extra = "" if importlib.util.find_spec("tensorflow") else "[tensorflow]"
    %pip install --quiet "attnlib{extra} @ git+ADDRESS"
"""


class Book:
    """What a copy needs to know of the rest of the book.

    Parameters
    ----------
    folder : pathlib.Path, optional
        The folder of the chapters.
    settings : dict, optional
        What _config.yml holds.

    Attributes
    ----------
    repository : str
        The address of the repository.
    pages : str
        The address of the published pages, with a slash at its end.
    """

    def __init__(self, folder=BOOK, settings=None):
        from book._ext.opengraph import published

        if settings is None:
            settings = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))
        self.folder = folder
        self.repository = settings["repository"]["url"]
        self.pages = published(self.repository, settings["html"].get("baseurl"))
        self.works = parse_file(str(folder / "references.bib")).entries
        self.titles, self.labels, self.terms = {}, {}, {}
        for path in sorted([*folder.glob("*.ipynb"), *folder.glob("*.md")]):
            self._read(path)

    def _read(self, path):
        """Keep the title of a page, and where its labels are."""
        page, count = path.stem, Counter(path.stem)
        for cell in cells_of(path):
            if cell.cell_type == "code":
                figure = figure_of(cell)
                if "caption" in figure:
                    self.labels[figure.get("name")] = page, count.next("figure")
                continue
            title = re.search(r"^# (.+)$", cell.source, re.MULTILINE)
            if title:
                self.titles.setdefault(page, title[1])
            self._read_labels(page, cell.source, count)

    def _read_labels(self, page, text, count):
        for found in LABEL.finditer(text):
            heading = re.match(r"\s*#+ (.+)", text[found.end() :])
            self.labels[found["label"]] = page, heading[1] if heading else ""
        for found in FENCE.finditer(text):
            if found["name"] in count.kinds:
                label = LABEL_OPTION.search(found["options"])
                number = count.next(found["name"])
                self.labels[label and label[1]] = page, number
            if found["name"] == "glossary":
                terms = re.findall(r"^\S.*$", found["body"], re.MULTILINE)
                self.terms |= {term.lower(): anchor(term) for term in terms}

    def cited(self, keys, textual):
        """A citation, as in "Cherry (1953)" or "(Moray, 1959)"."""
        address = f"{self.pages}references.html"
        join = "{} ({})" if textual else "{}, {}"
        links = [
            f"[{join.format(authors(work), work.fields['year'])}]({address})"
            for work in (self.works[key.strip()] for key in keys.split(","))
        ]
        return ", ".join(links) if textual else f"({'; '.join(links)})"

    def linked(self, text, target):
        """A link to a page or a label of the book, as a link to a published page.

        None if the book has no such page or label.
        """
        if re.match(r"https?:|mailto:", target):
            return f"[{text}]({target})"
        name, _, anchor = target.partition("#")
        page = re.sub(r"\.(ipynb|md)$", "", name)
        title = self.titles.get(page, "")
        if page not in self.titles:
            anchor = anchor or name
            if anchor not in self.labels:
                return None
            page, title = self.labels[anchor]
        address = f"{self.pages}{page}.html" + (f"#{anchor}" if anchor else "")
        text = text.replace("%s", title.split()[-1]) if title else text
        return f"[{text or title or page}]({address})"


def cells_of(path):
    """The cells of a chapter, or another page as one cell."""
    if path.suffix == ".md":
        return [nbformat.v4.new_markdown_cell(path.read_text("utf-8"))]
    return nbformat.read(path, as_version=4).cells


def figure_of(cell):
    """What the metadata of a code cell say of its figure."""
    return cell.metadata.get("mystnb", {}).get("figure", {})


def anchor(term):
    """The anchor of a term on the page of the glossary, as Sphinx makes it."""
    ascii = unicodedata.normalize("NFKD", term).encode("ascii", "ignore").decode()
    return "term-" + re.sub(r"[^a-zA-Z0-9._]+", "-", ascii).strip("-")


def authors(work):
    """The last names of a work's authors, as a citation has them."""
    people = work.persons.get("author") or work.persons["editor"]
    names = [
        str(Text.from_latex(" ".join([*each.prelast_names, *each.last_names])))
        for each in people
    ]
    if len(names) > 2:
        return f"{names[0]} et al."
    return " and ".join(names)


class Counter:
    """The numbers of a page: "Exercise 3.1" is the first in ``03_….ipynb``."""

    kinds = {"exercise": "Exercise", "figure": "Figure"}

    def __init__(self, page):
        self.chapter = f"{int(page[:2])}." if page[:2].isdigit() else ""
        self.counts = dict.fromkeys(self.kinds, 0)

    def next(self, kind):
        """The name of the next exercise or figure."""
        self.counts[kind] += 1
        return f"{self.kinds[kind]} {self.chapter}{self.counts[kind]}"


class Chapter:
    """The conversion of one chapter, which counts its figures and exercises.

    Parameters
    ----------
    book : Book
        The rest of the book.
    page : str
        The chapter's name, such as "03_bahdanau".
    """

    def __init__(self, book, page):
        self.book = book
        self.count = Counter(page)

    def plain(self, text):
        """MyST as plain Markdown."""
        text = front_matter.BLOCK.sub("", text)
        text = FENCE.sub(self._directive, text)
        text = LABEL.sub("", text)
        text = re.sub(r"^\$\$[ \t]*\([\w:.-]+\)[ \t]*$", "$$", text, flags=re.MULTILINE)
        text = re.sub(r"^(%.*|\+\+\+.*)\n?", "", text, flags=re.MULTILINE)
        text = ROLE.sub(self._role, text)
        return LINK.sub(self._link, text).strip()

    def _link(self, link):
        return self.book.linked(link["text"], link["target"]) or link[0]

    def _directive(self, found):
        name, title = found["name"], found["title"].strip()
        options = dict(OPTION.findall(found["options"]))
        body = found["body"].strip()
        if name == "exercise":
            return f"### {self.count.next(name)}: {title}\n\n{body}"
        if name in ("figure", "image"):
            return self._figure(name, title, options, body)
        if name == "dropdown":
            if title == ON_COLAB:
                return ""
            summary = f"<details><summary>{title}</summary>"
            return f"{summary}\n\n{self.plain(body)}\n\n</details>"
        if name == "math":
            return f"$$\n{body}\n$$"
        title = title or name.capitalize()
        return quoted(f"**{title}**\n\n{self.plain(body)}")

    def _figure(self, name, source, options, caption):
        address = source
        if not re.match(r"https?:", source):
            address = f"{self.book.pages}_images/{Path(source).name}"
        image = f"![{options.get('alt', '')}]({address})"
        if name == "image":
            return image
        return f"{image}\n\n**{self.count.next('figure')}.** {caption}"

    def _role(self, found):
        name, text = found["name"], found["text"].strip()
        if name in ("cite:t", "cite:p", "cite"):
            return self.book.cited(text, textual=name == "cite:t")
        shown, target = text, text
        if given := re.fullmatch(r"(.*?)\s*<([^<>]+)>", text, re.DOTALL):
            shown, target = given[1], given[2]
        if name == "term":
            place = self.book.terms[" ".join(target.lower().split())]
            return f"[{shown}]({self.book.pages}glossary.html#{place})"
        if name in ("ref", "numref", "doc"):
            return self.book.linked("" if target == text else shown, target) or shown
        if name == "math":
            return f"${text}$"
        return f"`{shown.removeprefix('~')}`" if ":" in name else shown

    def caption(self, cell):
        """The caption of a cell's figure as a cell of its own, or None."""
        text = figure_of(cell).get("caption")
        if text is None:
            return None
        return f"**{self.count.next('figure')}.** {self.plain(text)}"


def quoted(text):
    """Text as a quotation."""
    return "\n".join(f"> {line}".rstrip() for line in text.split("\n"))


def copy(notebook, page, book):
    """A plain copy of a chapter.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        The chapter; it is left as it is.
    page : str
        The chapter's name, such as "03_bahdanau".
    book : Book
        The rest of the book.

    Returns
    -------
    nbformat.NotebookNode
        The copy. After its first cell of text it has two more: what to run first on
        Colab, and the installation. After a figure with a caption it has the caption.
    """
    chapter = Chapter(book, page)
    cells = []
    for number, cell in enumerate(notebook.cells):
        cell = nbformat.from_dict(cell)
        cells.append(cell)
        if cell.cell_type == "markdown":
            cell.source = chapter.plain(cell.source)
        elif caption := chapter.caption(cell):
            cells.append(text_cell(caption, f"caption-{number}"))
        if number == 0:
            cells += first_cells(page, book)
    return nbformat.from_dict({**notebook, "cells": cells})


def text_cell(source, name):
    return nbformat.v4.new_markdown_cell(source, id=name)


def first_cells(page, book):
    """What to run first, and why."""
    text = (
        f"**{ON_COLAB}.** The next cell installs the book's library where it is"
        " missing. This notebook is a plain copy of [a page of the book]"
        f"({book.pages}{page}.html) that reads well on Colab, on GitHub, and in"
        " editors."
    )
    source = INSTALL.replace("ADDRESS", book.repository).strip()
    return [
        text_cell(text, "plain-copy"),
        nbformat.v4.new_code_cell(source, id="plain-install"),
    ]


def write(folder, book=None):
    """Write a copy of every chapter into a folder.

    Parameters
    ----------
    folder : pathlib.Path
        Where the copies go; it is made if needed.
    book : Book, optional
        The book, if not this one.

    Returns
    -------
    list of pathlib.Path
        The copies.
    """
    book = book or Book()
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for path in sorted(book.folder.glob("*.ipynb")):
        if not path.is_symlink():
            notebook = nbformat.read(path, as_version=4)
            nbformat.write(copy(notebook, path.stem, book), folder / path.name)
            written.append(folder / path.name)
    return written


if __name__ == "__main__":
    for path in write(Path(sys.argv[1])):
        print(path)
