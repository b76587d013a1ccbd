"""What is passed on: the licenses of all that ships with the pages, and no secrets."""

import fnmatch
import os
import re
import socket
import subprocess
from importlib.metadata import PackageNotFoundError, files, metadata
from pathlib import Path

import pytest
from conftest import ROOT
from test_project import PINS

from book._ext import licenses
from tools import normalize_notebooks

# ---------------------------------------------------------------- what ships with the
# pages


def shipped(html):
    return sorted(
        path.relative_to(html).as_posix() for path in html.rglob("*") if path.is_file()
    )


def test_every_file_beside_the_pages_has_a_license(html):
    there = shipped(html)
    patterns = [
        *licenses.OWN,
        *(pattern for each in licenses.COMPONENTS for pattern in each.files),
    ]
    assert len(there) > 100
    assert [
        name
        for name in there
        if not any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
    ] == []
    own = {f"_static/{path.name}" for path in (ROOT / "book" / "_static").iterdir()}
    assert own == {
        name
        for name in there
        if any(fnmatch.fnmatchcase(name, each) for each in licenses.OWN_STATIC)
    }


@pytest.mark.parametrize(
    "component", licenses.COMPONENTS, ids=lambda each: each.name.split(",")[0]
)
def test_every_component_ships_and_brings_its_text(html, component):
    there = shipped(html)
    for pattern in component.files:
        assert fnmatch.filter(there, pattern), (
            f"{pattern} matches nothing: does {component.name} still ship?"
        )
    assert re.fullmatch(r"\d+(\.\d+)+(\.post\d+)?", licenses.version(component))
    text = (html / "_static" / "licenses" / licenses.text_name(component)).read_text(
        "utf-8"
    )
    marks = {
        "MIT": "MIT|permission is hereby granted",
        "BSD": "redistribution and use",
        "Apache": "apache license",
        "MPL": "mozilla public license",
        "PSF": "license agreement",
    }
    kind = next(kind for kind in marks if kind in component.license)
    assert re.search(marks[kind], " ".join(text.split()), re.IGNORECASE), text[:200]
    page = (html / "licenses.html").read_text("utf-8")
    assert f'href="_static/licenses/{licenses.text_name(component)}"' in page.replace(
        "'", '"'
    )
    assert component.name.split(",")[0] in page and licenses.version(component) in page


def test_icons_are_octicons_as_the_table_says(html):
    pages = [
        path.name
        for path in html.glob("[0-9]*.html")
        if "sd-octicon" in path.read_text("utf-8")
    ]
    assert pages, "no page shows an Octicon any more: its row can go"


def stated(name):
    """The license that an installed package states, in its own words; else how its
    LICENSE begins.
    """
    data = metadata(name)
    kinds = [
        kind.split(" :: ")[-1]
        for kind in data.get_all("Classifier") or []
        if kind.startswith("License ::")
    ]
    return (
        data.get("License-Expression")
        or "; ".join(kinds)
        or (data.get("License") or license_text(name)).strip()[:200]
    )


def license_text(name):
    texts = [
        file
        for file in files(name) or []
        if re.search(r"dist-info/(licenses/)?(LICENSE|COPYING)", str(file))
    ]
    return texts[0].read_text("utf-8") if texts else ""


def test_no_dependency_asks_anything_of_the_book():
    """Each is free software, and none under the GPL alone."""
    free = re.compile(
        r"MIT|BSD|Apache|ISC|Python Software|PSF|Mozilla|MPL|Public Domain|LGPL"
    )
    odd, seen = {}, 0
    for line in PINS[:-2]:
        name = line.split("==")[0]
        try:
            license = stated(name)
        except PackageNotFoundError:
            continue  # for another machine
        seen += 1
        if not free.search(license):
            odd[name] = license
    assert seen > 100
    assert odd == {}


# ---------------------------------------------------------------- what no text may hold

TOKEN = re.compile(
    r"\b(?:gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{20,}|hf_[A-Za-z0-9]{30,}|sk-[\w-]{20,}|xox[abprs]-[\w-]{10,}"
    r"|AKIA[0-9A-Z]{16}|AIza[\w-]{35}|eyJ[\w-]{10,}\.eyJ[\w-]{10,})|-----BEGIN [A-Z"
    r" ]*PRIVATE KEY"
    r"|(?i:password|passwd|api_?key|secret)\s*[:=]\s*[\"'][^\"'\s]{6,}[\"']|://[^/\s:@]+:[^/\s:@]+@"
)
MAIL = re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}\b", re.IGNORECASE)
REGISTRY = re.compile(
    r"\b[\w.-]*(?:pypi|pythonhosted|npmjs|debian|artifactory|devpi)[\w-]*\.(?:org|com|net|io|dev)\b|--(?:extra-)?index-url"
    r"|\bfile:///",
    re.IGNORECASE,
)
# These name such things as examples, or as what they look for: there, only this
# machine's own names count.
EXAMPLES = {
    "tests/test_anywhere.py",
    "tests/test_checking_exercise.py",
    "tests/test_notebooks.py",
    "tests/test_supply.py",
    "tools/normalize_notebooks.py",
}
# The licenses of others, word for word: their authors give their addresses.
NOTICES = {"book/_run/editor.licenses.txt"}


def machine_names():
    """What tells this machine and its user: the checkout's folder, the home folder, the
    host's name.
    """
    names = {
        str(ROOT),
        str(Path.home()),
        socket.gethostname(),
        os.environ.get("USER", ""),
    }
    return {name for name in names if len(name) > 6 and name not in ("localhost",)}


def leaks(text):
    """Everything in a text that should not be passed on, with its kind."""
    kinds = {
        "path": normalize_notebooks.MACHINE_PATH,
        "token": TOKEN,
        "mail": MAIL,
        "registry": REGISTRY,
    }
    found = [
        (kind, match.group())
        for kind, pattern in kinds.items()
        for match in pattern.finditer(text)
    ]
    return found + [("machine", name) for name in machine_names() if name in text]


@pytest.mark.parametrize(
    "text, kind",
    [
        ("see /home/me/book", "path"),
        ("in lib/python3.11/site-packages/keras", "path"),
        ("ghp_" + "a1B2" * 9, "token"),
        ("AKIA" + "Q7" * 8, "token"),
        ('password = "hunter22"', "token"),
        ("https://me:pass@example.org/x", "token"),
        ("-----BEGIN RSA PRIVATE KEY-----", "token"),
        ("write to someone@example.org", "mail"),
        ("https://files.python" + "hosted.org/x", "registry"),
        ("--index-url=here", "registry"),
        (f"built in {ROOT}/book", "machine"),
    ],
)
def test_leaks_finds_what_it_is_for(text, kind):
    assert kind in {found for found, _ in leaks(text)}


def test_leaks_passes_ordinary_text():
    assert (
        leaks(
            "a decorator @exercise, an action actions/checkout@v4, the share /s/ and x"
            " = dict(key='a')"
        )
        == []
    )


def committed():
    """Every committed file that is a text, by its name."""
    asked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True
    )
    for name in filter(None, asked.stdout.decode().split("\0")):
        if (ROOT / name).exists():
            content = (ROOT / name).read_bytes()
            if b"\0" not in content:
                yield name, content.decode("utf-8")


def test_no_committed_text_tells_of_a_machine_or_a_secret():
    texts = dict(committed())
    assert len(texts) > 100
    assert EXAMPLES <= set(texts)
    told = {
        name: [
            leak for leak in leaks(text) if name not in EXAMPLES or leak[0] == "machine"
        ]
        for name, text in texts.items()
    }
    for name in NOTICES:
        told[name] = [leak for leak in told[name] if leak[0] != "mail"]
    assert {name: found for name, found in told.items() if found} == {}


def test_no_built_page_tells_of_a_machine(html):
    pages = [*html.rglob("*.html"), *html.glob("*.js"), *html.glob("_sources/*")]
    assert len(pages) > 20
    found = {
        page.name: name
        for page in pages
        for name in machine_names()
        if name in page.read_text("utf-8")
    }
    assert found == {}
