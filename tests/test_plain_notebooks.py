"""The plain copies of the chapters, and what each kind of MyST becomes in them."""

import importlib.util
import re

import nbformat
import pytest
import yaml
from conftest import ROOT
from IPython.core.interactiveshell import InteractiveShell

from tools import plain_notebooks

CHAPTERS = sorted(
    path for path in (ROOT / "book").glob("*.ipynb") if not path.is_symlink()
)
PAGES = "https://someone.github.io/a-book/"
SETTINGS = {"repository": {"url": "https://github.com/Someone/a-book"}, "html": {}}
BIB = """
@article{cherry, author = {Cherry, E. Colin}, year = {1953}, title = {A}}
@article{two, author = {van Merri{\\"e}nboer, Bart and Cho, Kyunghyun}, year = {2014}}
@article{three, author = {A, B and C, D and E, F}, year = {2015}}
"""
OTHER = "# 04 · Scores\n\n(attending)=\n## How to attend\n\n" + (
    "```{figure} figures/map.svg\n:name: fig-map\n:alt: A map\n\nA map.\n```\n\n"
    "```{exercise} Softmax\n:label: ex-softmax\n\nWrite it.\n```\n"
)
GLOSSARY = "# Terms\n\n```{glossary}\nencoder–decoder\n    Two.\n\nBLEU\n    A.\n```\n"


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """A small book: one chapter, a glossary, and some works."""
    folder = tmp_path_factory.mktemp("book")
    (folder / "references.bib").write_text(BIB, "utf-8")
    (folder / "glossary.md").write_text(GLOSSARY, "utf-8")
    plot = nbformat.v4.new_code_cell("plot()")
    plot.metadata["mystnb"] = {"figure": {"caption": "First", "name": "fig-first"}}
    cells = [plot, nbformat.v4.new_markdown_cell(OTHER)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "04_scores.ipynb")
    return plain_notebooks.Book(folder, SETTINGS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{cite:t}`cherry` asked.", f"[Cherry (1953)]({PAGES}references.html) asked."),
        (
            "So {cite:p}`two,three`.",
            f"So ([van Merriënboer and Cho, 2014]({PAGES}references.html); "
            f"[A et al., 2015]({PAGES}references.html)).",
        ),
        ("{term}`BLEU`", f"[BLEU]({PAGES}glossary.html#term-BLEU)"),
        (
            "an {term}`encoder\nand decoder <Encoder–decoder>`",
            f"an [encoder\nand decoder]({PAGES}glossary.html#term-encoderdecoder)",
        ),
        ("[here](04_scores.ipynb)", f"[here]({PAGES}04_scores.html)"),
        ("[](04_scores.ipynb)", f"[04 · Scores]({PAGES}04_scores.html)"),
        (
            "[it](04_scores.ipynb#attending)",
            f"[it]({PAGES}04_scores.html#attending)",
        ),
        ("[it](#attending)", f"[it]({PAGES}04_scores.html#attending)"),
        ("[](attending)", f"[How to attend]({PAGES}04_scores.html#attending)"),
        ("[Figure %s](fig-map)", f"[Figure 4.2]({PAGES}04_scores.html#fig-map)"),
        ("{numref}`fig-first`", f"[Figure 4.1]({PAGES}04_scores.html#fig-first)"),
        ("{ref}`this <ex-softmax>`", f"[this]({PAGES}04_scores.html#ex-softmax)"),
        ("$a[i](j)$ and [x](https://x.org)", "$a[i](j)$ and [x](https://x.org)"),
        ("{math}`x^2` and {code}`y`", "$x^2$ and y"),
        ("(label-1)=\n## Heading", "## Heading"),
        ("---\nnumbering: false\n---\n\n# Title\n\n---", "# Title\n\n---"),
        ("$$\nx \\tag{10}\n$$ (eq-x)\n\nText", "$$\nx \\tag{10}\n$$\n\nText"),
        ("% a remark\nText\n+++\nMore", "Text\nMore"),
        (
            "```{exercise} Softmax\n:label: ex-one\n\nWrite `f`:\n\n$$x$$\n```",
            "### Exercise 3.1: Softmax\n\nWrite `f`:\n\n$$x$$",
        ),
        (
            "````{exercise} Two\n:label: a\n\n```python\nx\n```\n````\nEnd",
            "### Exercise 3.1: Two\n\n```python\nx\n```\nEnd",
        ),
        (
            "```{figure} figures/map.svg\n:alt: A map\n\nThe {term}`BLEU`.\n```",
            f"![A map]({PAGES}_images/map.svg)\n\n**Figure 3.1.** The "
            f"[BLEU]({PAGES}glossary.html#term-BLEU).",
        ),
        ("```{dropdown} On Colab, run this first\n    !pip\n```", ""),
        (
            "```{dropdown} Why\nBecause of {term}`BLEU`.\n```",
            "<details><summary>Why</summary>\n\nBecause of "
            f"[BLEU]({PAGES}glossary.html#term-BLEU).\n\n</details>",
        ),
        (":::{note}\nOne.\n\nTwo.\n:::", "> **Note**\n>\n> One.\n>\n> Two."),
        ("```{math}\n:label: x\nx\n```", "$$\nx\n$$"),
        ("```python\nx = 1\n```", "```python\nx = 1\n```"),
    ],
)
def test_plain_text_says_the_same(book, text, expected):
    assert plain_notebooks.Chapter(book, "03_own").plain(text) == expected


def test_plain_text_refuses_what_the_book_does_not_have(book):
    chapter = plain_notebooks.Chapter(book, "03_own")
    for text in ("{term}`unknown`", "{cite:t}`nobody`"):
        with pytest.raises(KeyError):
            chapter.plain(text)


@pytest.fixture(scope="module")
def copies(tmp_path_factory):
    """(A chapter, its copy) for every chapter."""
    written = plain_notebooks.write(tmp_path_factory.mktemp("plain"))
    assert [path.name for path in written] == [path.name for path in CHAPTERS]
    assert len(written) >= 8
    return [
        (nbformat.read(path, as_version=4), nbformat.read(new, as_version=4))
        for path, new in zip(CHAPTERS, written, strict=True)
    ]


MYST = re.compile(
    r"\{[a-z][\w:-]*\}`|^\s*(`{3,}|:{3,})\s*\{|^\([\w.:-]+\)=|^:[\w-]+:|%s"
    r"|\]\((?!https://|mailto:)",
    re.MULTILINE,
)


def test_copies_hold_no_myst(copies):
    for _, new in copies:
        for cell in new.cells:
            if cell.cell_type == "markdown":
                prose = re.sub(r"`[^`\n]+`|\$[^$]+\$", "", cell.source)
                assert not re.search(r"\{[a-z:]+\}`", cell.source), cell.source
                assert not MYST.search(prose), cell.source


def test_copies_hold_the_same_code_after_the_installation(copies):
    for old, new in copies:
        (first, *rest), own = (
            [c for c in n.cells if c.cell_type == "code"] for n in (new, old)
        )
        assert "%pip install" in first.source and not first.outputs
        assert rest == own
        nbformat.validate(new)


def test_copies_say_first_what_to_run_on_colab(copies):
    for _, new in copies:
        title, note, install = new.cells[:3]
        assert title.source.startswith("# ") and "Colab" not in title.source
        assert note.source.startswith("**On Colab, run this first.**")
        assert re.search(r"\(https://\S+/\d\d_\w+\.html\)", note.source)
        assert "%pip install" in install.source


def test_copies_keep_every_exercise_and_every_caption(copies):
    for old, new in copies:
        text = "\n".join(c.source for c in new.cells if c.cell_type == "markdown")
        wanted = "\n".join(c.source for c in old.cells if c.cell_type == "markdown")
        exercises = re.findall(r"\{exercise\} (.+)", wanted)
        assert re.findall(r"^### Exercise \d+\.\d+: (.+)", text, re.M) == exercises
        captions = [plain_notebooks.figure_of(c).get("caption") for c in old.cells]
        figures = len(re.findall(r"\{figure\}", wanted)) + len(
            [*filter(None, captions)]
        )
        numbers = re.findall(r"^\*\*Figure \d+\.(\d+)\.\*\*", text, re.M)
        assert numbers == [str(n + 1) for n in range(figures)]


@pytest.mark.parametrize(
    ("installed", "asked"),
    [
        ({"attnlib", "tensorflow"}, []),
        ({"tensorflow"}, ['install --quiet "attnlib @ git+ADDRESS"']),
        (set(), ['install --quiet "attnlib[tensorflow] @ git+ADDRESS"']),
    ],
)
def test_first_cell_installs_what_is_missing_and_no_second_tensorflow(
    monkeypatch, book, installed, asked
):
    cell = plain_notebooks.first_cells("03_bahdanau", book)[1]
    shell, commands = InteractiveShell(), []
    shell.register_magic_function(commands.append, magic_name="pip")
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: (
            (name in installed or None)
            if name in ("attnlib", "tensorflow")
            else find(name)
        ),
    )
    shell.run_cell(cell.source).raise_error()
    address = SETTINGS["repository"]["url"]
    assert commands == [line.replace("ADDRESS", address) for line in asked]


def test_copies_are_published_where_the_links_lead():
    """A workflow pushes them to the branch that the README and the pages name."""
    branch = plain_notebooks.BRANCH
    readme = (ROOT / "README.md").read_text("utf-8")
    found = re.search(
        r"colab\.research\.google\.com/github/\S+/blob/(\w+)/(\S+)\)", readme
    )
    assert found[1] == branch and (ROOT / "book" / found[2]).exists()
    workflow = (ROOT / ".github" / "workflows" / "pages.yml").read_text("utf-8")
    steps = yaml.safe_load(workflow)["jobs"]["copies"]["steps"]
    commands = "\n".join(step.get("run", "") for step in steps)
    assert "python -m tools.plain_notebooks" in commands
    assert re.search(rf"git push .*HEAD:{branch}$", commands, re.M)


def test_mention_of_a_figure_has_its_number():
    """As in [Figure 2.3](#fig-length)."""
    book, found = plain_notebooks.Book(), []
    for path in CHAPTERS:
        for cell in plain_notebooks.cells_of(path):
            if cell.cell_type == "markdown":
                links = re.findall(r"\[(Fig[^]]+)\]\(#([^)]+)\)", cell.source)
                found += [(path.stem, *link) for link in links]
    assert found
    for page, text, label in found:
        assert book.labels.get(label) == (page, text)
