"""attnlib on strange machines: read-only, without a home, a display, a network, or a
terminal beyond ASCII.

Long runs of the same kind are in tests/weekly.
"""

import ast
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version
from test_make import read_only
from test_project import MACHINES, PINS, PROJECT

PYTHONS = ["3.11", "3.12", "3.13"]

# ---------------------------------------------------------------- which Pythons


def test_project_states_the_pythons_it_is_tested_on():
    import yaml

    stated = SpecifierSet(PROJECT["requires-python"])
    assert [
        f"3.{minor}" for minor in range(20) if Version(f"3.{minor}") in stated
    ] == PYTHONS
    matrix = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text("utf-8"))[
        "jobs"
    ]["test"]["strategy"]
    assert matrix["matrix"]["python"] == PYTHONS
    sentence = "Python 3.11, 3.12 or 3.13"
    assert sentence in (ROOT / "README.md").read_text("utf-8") and sentence in (
        ROOT / "Makefile"
    ).read_text("utf-8")


def refused(pin, python):
    """What the installed package of a pin says against a Python version for which the
    pin stands; None if nothing.
    """
    here = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        **MACHINES["linux"],
    }
    if pin.marker is not None and not pin.marker.evaluate(here):
        return None
    try:
        package = importlib.metadata.distribution(pin.name)
    except importlib.metadata.PackageNotFoundError:
        return None  # for another machine or Python than this
    if not pin.specifier.contains(package.version, prereleases=True):
        return None  # the pin of another Python
    wanted = package.metadata.get("Requires-Python") or ""
    return (
        None
        if SpecifierSet(wanted).contains(f"{python}.0")
        else f"{pin} wants Python {wanted}, not {python}"
    )


@pytest.mark.parametrize("python", PYTHONS)
def test_pins_allow_each_python(python):
    pins = [Requirement(line) for line in PINS[:-2]]
    assert [said for said in (refused(pin, python) for pin in pins) if said] == []
    everyone = [pin for pin in pins if pin.marker is None]
    assert len(everyone) > 100
    missing = [
        pin
        for pin in everyone
        if importlib.metadata.version(pin.name) not in pin.specifier
    ]
    assert missing == [], (
        "the environment does not follow the pins: make would install them"
    )


# ---------------------------------------------------------------- nothing of one system
# alone

POSIX = {
    "fcntl",
    "grp",
    "posix",
    "pty",
    "pwd",
    "readline",
    "resource",
    "signal",
    "syslog",
    "termios",
    "tty",
}
POSIX_OS = {
    "fork",
    "getuid",
    "geteuid",
    "getgid",
    "kill",
    "killpg",
    "mkfifo",
    "setsid",
    "uname",
    "chown",
    "nice",
}


SYSTEM_PATHS = ("/tmp", "/dev/", "/proc", "/home", "/usr", "/var", "~/")


class Unguarded(ast.NodeTransformer):
    """Drop what stands below ``if sys.platform == …``."""

    def visit_If(self, node):
        if ast.unparse(node.test).startswith("sys.platform == "):
            self.generic_visit(node)
            return node.orelse
        return self.generic_visit(node)


def posix_only(source):
    """What in a module belongs to one system alone, outside ``if sys.platform == …``.

    These are names that Windows does not have or that behave differently there, and
    paths of one system.
    """
    found = []
    for node in ast.walk(Unguarded().visit(ast.parse(source))):
        if isinstance(node, ast.Import):
            found += [
                name.name for name in node.names if name.name.split(".")[0] in POSIX
            ]
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            names = {name.name for name in node.names}
            found += [module] if module.split(".")[0] in POSIX else []
            found += (
                [f"os.{name}" for name in names & POSIX_OS] if module == "os" else []
            )
        elif isinstance(node, ast.Attribute):
            is_os = isinstance(node.value, ast.Name) and node.value.id == "os"
            found += [f"os.{node.attr}"] if is_os and node.attr in POSIX_OS else []
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found += [node.value] if node.value.startswith(SYSTEM_PATHS) else []
    return found


@pytest.mark.parametrize(
    "source, found",
    [
        ("import signal", ["signal"]),
        ("def f():\n    from resource import getrusage", ["resource"]),
        ("import os\nos.fork()", ["os.fork"]),
        ("from os import kill, path", ["os.kill"]),
        ("open('/tmp/x')", ["/tmp/x"]),
        ("import os\nos.replace('a', 'b')\nx = 'a /tmp is no path'", []),
        ("if sys.platform == 'darwin':\n    import resource", []),
        ("if sys.platform == 'linux':\n    pass\nelse:\n    import pwd", ["pwd"]),
        ("if sys.platform:\n    import resource", ["resource"]),
        (
            "if sys.platform == 'linux':\n    pass\n"
            "elif sys.platform == 'darwin':\n    import resource\n"
            "else:\n    import pwd",
            ["pwd"],
        ),
    ],
)
def test_posix_only_finds_what_it_is_for(source, found):
    assert posix_only(source) == found


@pytest.mark.parametrize(
    "path", sorted((ROOT / "attnlib").rglob("*.py")), ids=lambda path: path.stem
)
def test_attnlib_holds_nothing_of_one_system_alone(path):
    # /proc is read on Linux, and a missing file is no error; alarms are called off
    # where there are any.
    known = {"provenance": ["/proc/"], "isolation": ["signal"]}
    assert posix_only(path.read_text("utf-8")) == known.get(path.stem, [])


def test_attnlib_opens_texts_as_utf_8():
    """Else Windows reads them in the code page of the country."""
    calls = [
        (path.name, node)
        for path in (ROOT / "attnlib").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and re.search(
            r"(^|(?<!os)\.)(open|read_text|write_text)$", ast.unparse(node.func)
        )
    ]
    assert len(calls) >= 2
    for name, call in calls:
        assert any(each.arg == "encoding" for each in call.keywords), (
            f"{name}: {ast.unparse(call)}"
        )


# ---------------------------------------------------------------- strange machines

LIGHT = """
import sys
import numpy as np
import matplotlib.pyplot as plt
from attnlib import plots, reference as ref
from attnlib.exercises import bahdanau as ex, psychology
from attnlib.quiz import quiz
from attnlib.tasks import dates, numbers, reviews
plots.use_style()
figure, ax = plt.subplots()
plots.alignment(ax, np.eye(3)[:, :2].repeat(1, 0), ["a", " "], ["é", "$", "b"])
figure.savefig(sys.argv[1])
name = "additive_scores"
print(ex.additive_scores.check(ex.additive_scores.reference_solution))
print(ex.additive_scores.check(lambda query, keys, w_query, w_keys, v: keys))
print(ex.additive_scores.check(lambda: "é"))
print(ex.additive_scores.hint(), ex.additive_scores.solution())
print(repr(quiz("Which?", [("this", True, "yes"), ("that", False, "no")])))
print(len(numbers.pairs(5)), len(dates.pairs(5)))
sentences, labels, origins = reviews.load()
print(len(sentences), "sentences")
"""
HEAVY = """
from attnlib.seq2seq import Seq2Seq
pairs = [(["a", "b"], ["x"]), (["b"], ["y", "x"])] * 8
model = Seq2Seq.for_pairs(pairs, attention="additive", units=8)
model.fit(pairs, epochs=2)
print(model.translate([["a"]])[0].text.isascii())
model.save(__import__("sys").argv[1])
print(Seq2Seq.load(__import__("sys").argv[1]).translate([["a"]])[0].text.isascii())
"""
STRANGE = {
    "no home": {"HOME": os.devnull, "XDG_CACHE_HOME": "", "XDG_CONFIG_HOME": ""},
    "an ASCII terminal": {
        "LC_ALL": "C",
        "LANG": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONIOENCODING": "ascii",
    },
    "no network": {
        "ATTNLIB_OFFLINE": "",
        "http_proxy": "http://127.0.0.1:9",
        "https_proxy": "http://127.0.0.1:9",
        "no_proxy": "",
    },
}
GONE = {
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "MPLBACKEND",
    "ATTNLIB_DATA",
    "MPLCONFIGDIR",
    "PYTHONPATH",
    "ATTNLIB_CACHE",
}


def strange(*names):
    """The environment of a machine without a display that has these troubles too."""
    kept = {name: value for name, value in os.environ.items() if name not in GONE}
    return kept | {key: value for name in names for key, value in STRANGE[name].items()}


@pytest.fixture(scope="module")
def somewhere(tmp_path_factory):
    """(A read-only copy of attnlib in a folder with a space and accents, how to start a
    command that heeds that.)
    """
    folder = tmp_path_factory.mktemp("à lire") / "çà et là"
    ignore = shutil.ignore_patterns("__pycache__")
    for name in ("attnlib", "experiments/results"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignore)
    yield folder, read_only(folder)
    for path in [folder, *folder.rglob("*")]:
        path.chmod(path.stat().st_mode | 0o200)


def run(somewhere, code, target, environment):
    folder, before = somewhere
    here = "import os, sys\nimport attnlib\nassert os.getcwd() in attnlib.__file__\n"
    script = target.with_name("script.py")
    script.write_text(here + code, "utf-8")
    environment = environment | {
        "PYTHONPATH": str(folder),
        "ATTNLIB_CACHE": str(folder / "cache"),  # which cannot be written to, either
    }
    command = [*before, sys.executable, script, target]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, timeout=120
    )
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")[-3000:]
    assert (
        not list(folder.rglob("__pycache__")) or sys.platform == "win32"
    )  # where folders have no such right
    return done.stdout.decode("utf-8", "replace")


@pytest.mark.parametrize("trouble", STRANGE)
def test_attnlib_runs_read_only_and_with(somewhere, tmp_path, trouble):
    printed = run(somewhere, LIGHT, tmp_path / "figure é.png", strange(trouble))
    assert "Passed: additive_scores" in printed
    assert printed.count("Not yet: additive_scores") == 2
    assert "def additive_scores" in printed
    assert "Reviews: the built-in sentences of this book." in printed
    assert (tmp_path / "figure é.png").read_bytes().startswith(b"\x89PNG")


def test_training_runs_read_only_without_home_display_network_and_utf_8(
    somewhere, tmp_path
):
    printed = run(somewhere, HEAVY, tmp_path / "modèle 1.keras", strange(*STRANGE))
    assert "2 epochs in" in printed
    assert printed.count("True") == 2
    assert (tmp_path / "modèle 1.keras").exists()


# ---------------------------------------------------------------- memory

CHAPTERS = sorted(path.stem for path in (ROOT / "book").glob("*.ipynb"))


def test_no_chapter_needs_more_memory_than_binder_gives():
    """Binder gives 2 GB: 1.2 for the chapter, the rest for JupyterLab and the system
    (measured in tests/weekly).
    """
    recorded = json.loads(
        (ROOT / "book" / "_data" / "run_times.json").read_text("utf-8")
    )
    assert set(CHAPTERS) <= set(recorded), "make refresh records what is missing"
    peaks = {name: recorded[name]["megabytes"] for name in CHAPTERS}
    assert min(peaks.values()) > 50, peaks
    assert max(peaks.values()) <= 1200, peaks
