"""The floors of attnlib, read from its imports.

A module imports from its own floor and from floors below, never from above, and there
is no circle. The floors stand in the table of book/api.md.
"""

import ast
import io
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OUTSIDE = {"tests", "tools", "benchmarks", "experiments", "book"}


def module_name(path, root):
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def modules(root):
    """{name: source} of every module of the package attnlib below `root`."""
    paths = sorted((root / "attnlib").rglob("*.py"))
    return {module_name(path, root): path.read_text("utf-8") for path in paths}


def imported(name, source, known):
    """The modules of `known`, and the packages outside, that a module imports.

    Anywhere in it: within a function too, and as text given to import_module.
    """
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} has a relative import, line {node.lineno}"
            # Of `from a import b`, b may be a module or a name in a.
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                found.add(full if full in known else node.module)
    return {x for x in found if x in known or x.split(".")[0] in OUTSIDE}


def floors(page):
    """{module or package: floor} of the page's table, and an error for one that stands
    twice.
    """
    listed = {}
    for line in page.splitlines():
        row = re.match(r"\|\s*(\d)[^|]*\|([^|]*)\|", line)
        if row:
            for name in re.findall(r"`(attnlib[\w.]*)`", row[2]):
                assert name not in listed, f"{name} stands twice"
                listed[name] = int(row[1])
    return listed


def floor_of(name, listed):
    """The floor of a module: its own, or that of the package it is in; None without."""
    while name:
        if name in listed:
            return listed[name]
        name = name.rpartition(".")[0]
    return None


def upward(sources, listed):
    """(importer, imported) wherever a module imports from a floor above its own."""
    return sorted(
        (name, other)
        for name, source in sources.items()
        if name != "attnlib"
        for other in imported(name, source, sources)
        if other in sources
        and other != "attnlib"
        and floor_of(other, listed) > floor_of(name, listed)
    )


def circles(sources):
    """Modules that can be reached from themselves through imports."""
    edges = {
        name: imported(name, source, sources) & set(sources) - {"attnlib", name}
        for name, source in sources.items()
    }
    on_a_circle = []
    for start in edges:
        reached, ahead = set(), set(edges[start])
        while ahead:
            name = ahead.pop()
            reached.add(name)
            ahead |= edges[name] - reached
        if start in reached:
            on_a_circle.append(start)
    return on_a_circle


@pytest.fixture(scope="module")
def sources():
    return modules(ROOT)


@pytest.fixture(scope="module")
def listed():
    return floors((ROOT / "book" / "api.md").read_text("utf-8"))


def test_every_module_has_a_floor(sources, listed):
    without = [m for m in sources if m != "attnlib" and floor_of(m, listed) is None]
    assert without == []


def test_every_module_on_a_floor_exists(sources, listed):
    assert set(listed) <= set(sources)
    assert set(listed.values()) == {0, 1, 2, 3, 4}


def test_no_module_imports_from_a_floor_above(sources, listed):
    assert upward(sources, listed) == []


def test_no_module_imports_itself_through_others(sources):
    assert circles(sources) == []


def test_no_module_imports_tests_tools_or_benchmarks(sources):
    outside = {
        (name, other)
        for name, source in sources.items()
        for other in imported(name, source, sources)
        if other.split(".")[0] in OUTSIDE
    }
    assert outside == set()


def test_no_python_file_edits_the_search_path():
    """Packages are imported by name; pytest's `pythonpath` is the one setting."""
    here = Path(__file__).name
    folders = ("attnlib", "tests", "tools", "benchmarks", "experiments", "book/_ext")
    edited = [
        str(path.relative_to(ROOT))
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
        if path.name != here
        and re.search(r"sys\.path(\.|\[| ?=)", path.read_text("utf-8"))
    ]
    assert edited == []


# Sizes: what is meant to be read has to fit into one sitting.


def code_lines(source):
    """The numbers of the lines that hold code: no docstring, comment, or blank line."""
    docstrings = set()
    for node in ast.walk(ast.parse(source)):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            value = body[0].value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                docstrings |= set(range(value.lineno, value.end_lineno + 1))
    skipped = tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE
    skipped += tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER
    lines = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in skipped:
            lines |= set(range(token.start[0], token.end[0] + 1))
    return lines - docstrings


def functions(source):
    """(name, lines of code) of every function."""
    lines = code_lines(source)
    return [
        (node.name, len(lines & set(range(node.lineno, node.end_lineno + 1))))
        for node in ast.walk(ast.parse(source))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]


READABLE = "reference scores layers decoders search translator seq2seq".split()


def test_readable_path_has_at_most_1000_lines_of_code(sources):
    path = [sources[f"attnlib.{name}"] for name in READABLE]
    assert 500 < sum(len(code_lines(source)) for source in path) <= 1000


def test_transformer_adds_at_most_300_lines_of_code(sources):
    assert 100 < len(code_lines(sources["attnlib.transformer"])) <= 300


def test_no_function_has_more_than_40_lines_of_code(sources):
    long = [
        f"{name}.{function}: {count}"
        for name, source in sources.items()
        for function, count in functions(source)
        if count > 40
    ]
    assert long == []


def test_code_lines_leave_out_docstrings_comments_and_blank_lines():
    source = '"""Doc."""\n\n# note\ndef f():\n    """Doc\n    doc."""\n    return (\n'
    source += "        1,\n    )\n"
    assert code_lines(source) == {4, 7, 8, 9}
    assert functions(source) == [("f", 4)]


# The reader of imports itself, on a small package with every fault.

FAULTY = {
    "attnlib": "",
    "attnlib.low": "def f():\n    from attnlib import high\n",
    "attnlib.high": "import attnlib.low\nimport numpy\n",
    "attnlib.pack": "",
    "attnlib.pack.part": "from attnlib.pack.other import x\nfrom tests import y\n",
    "attnlib.pack.other": "",
}
LISTED = {"attnlib.low": 0, "attnlib.high": 2, "attnlib.pack": 1}


def test_imports_within_functions_and_packages_are_found():
    assert imported("attnlib.low", FAULTY["attnlib.low"], FAULTY) == {"attnlib.high"}
    part = imported("attnlib.pack.part", FAULTY["attnlib.pack.part"], FAULTY)
    assert part == {"attnlib.pack.other", "tests"}


def test_upward_imports_and_circles_are_found():
    assert upward(FAULTY, LISTED) == [("attnlib.low", "attnlib.high")]
    assert circles(FAULTY) == ["attnlib.low", "attnlib.high"]
    assert floor_of("attnlib.pack.part", LISTED) == 1
    assert floor_of("attnlib.nowhere", LISTED) is None


def test_floors_are_read_from_a_table():
    page = "| Floor |\n|---|\n| 1 | `attnlib.a`, `attnlib.b` |\n| 0 | `attnlib.c` |"
    assert floors(page) == {"attnlib.a": 1, "attnlib.b": 1, "attnlib.c": 0}
    with pytest.raises(AssertionError, match="attnlib.a stands twice"):
        floors(page + "\n| 2 | `attnlib.a` |")
