"""The whole book where it was not written: a new clone in an odd folder, each chapter
read-only, Binder's memory.

`make weekly` runs this; it installs the pinned packages once more, and takes some
minutes.
"""

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psutil
import pytest
from conftest import ROOT
from test_anywhere import strange
from test_lab import TOKEN, lab  # noqa: F401  (a fixture)
from test_make import read_only

CHAPTERS = sorted(path.stem for path in (ROOT / "book").glob("*.ipynb"))
BINDER = 2e9 / 2**20  # MB

# Runs a notebook and writes nothing beside it; says how long it took and how much
# memory.
RUN = """
import sys
import nbformat
from tools import execute_notebooks
notebook = nbformat.read(f"book/{sys.argv[1]}.ipynb", as_version=4)
print(*execute_notebooks.execute(notebook))
"""


def alone():
    """How a command starts that has no network but its own machine: itself, where Linux
    lets us take it away.
    """
    up = [
        *("unshare", "--net", "--"),
        *("sh", "-c", 'ip link set lo up && exec "$@"', "sh"),
    ]
    possible = os.geteuid() == 0 and shutil.which("unshare") and shutil.which("ip")
    return up if possible and subprocess.run([*up, "true"]).returncode == 0 else []


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """(A read-only copy of what a chapter needs, in a folder with a space and accents,
    how to start what heeds it.)
    """
    folder = tmp_path_factory.mktemp("à lire") / "çà et là"
    ignore = shutil.ignore_patterns(
        "__pycache__", "_build", ".ipynb_checkpoints", "runs"
    )
    for name in ("attnlib", "book", "experiments", "tools"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignore)
    yield folder, read_only(folder)
    for path in [folder, *folder.rglob("*")]:
        path.chmod(path.stat().st_mode | 0o200)


@pytest.mark.parametrize("name", CHAPTERS)
def test_chapter_runs_read_only_without_network_display_and_utf_8(copy, tmp_path, name):
    folder, before = copy
    script = tmp_path / "run.py"
    script.write_text(RUN, "utf-8")
    home = tmp_path / "home"  # new and empty, as make gives to those who have none
    home.mkdir()
    # With UTF-8 mode turned off by hand as well, TensorFlow cannot trace functions from
    # a path with accents.
    troubles = strange("an ASCII terminal", "no network") | {"PYTHONUTF8": "1"}
    environment = troubles | {"HOME": str(home), "PYTHONPATH": str(folder)}
    command = [*alone(), *before, sys.executable, script, name]
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    seconds, megabytes = map(float, done.stdout.split()[-2:])
    print(f"{name}: {seconds:.0f} s, {megabytes:.0f} MB")
    assert 50 < megabytes <= 1200


def test_jupyterlab_and_the_largest_chapter_fit_in_binders_memory(lab):  # noqa: F811
    urllib.request.urlopen(
        f"{lab}lab/tree/book/{CHAPTERS[-1]}.ipynb?token={TOKEN}", timeout=60
    ).read()
    start = urllib.request.Request(
        f"{lab}api/kernels?token={TOKEN}", data=b"{}", method="POST"
    )
    urllib.request.urlopen(start, timeout=60).read()
    time.sleep(5)
    server = next(
        each
        for each in psutil.Process().children()
        if any("--ServerApp.root_dir" in part for part in each.cmdline())
    )
    megabytes = server.memory_info().rss / 2**20
    recorded = json.loads(
        (ROOT / "book" / "_data" / "run_times.json").read_text("utf-8")
    )
    largest = max(each["megabytes"] for each in recorded.values())
    print(
        f"JupyterLab's server {megabytes:.0f} MB, the largest chapter {largest:.0f} MB"
    )
    assert megabytes > 50
    assert megabytes + largest <= BINDER


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A new clone in a folder with a space and accents, its .venv made by `make book`;
    and what make said.
    """
    folder = tmp_path_factory.mktemp("nouveau dossier") / "mes élèves"
    subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
    python = (
        Path(sys.base_prefix)
        / "bin"
        / f"python{sys.version_info.major}.{sys.version_info.minor}"
    )
    done = make(folder, "book", f"PYTHON={python}", timeout=1800)
    yield folder, done
    shutil.rmtree(folder)  # 3 GB


def make(folder, *arguments, before=(), timeout=600):
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("PYTHONPATH", "MAKEFLAGS", "MFLAGS")
    }
    command = [*before, "make", "-C", folder, *arguments]
    return subprocess.run(
        command, cwd="/", env=kept, capture_output=True, text=True, timeout=timeout
    )


def test_new_clone_builds_the_book_with_one_command(clone):
    folder, done = clone
    assert done.returncode == 0, done.stderr[-3000:]
    assert f"The book is at {folder / 'book/_build/html/index.html'}" in done.stdout
    assert (folder / "book/_build/html/index.html").exists()


def test_new_clone_passes_its_light_tests_and_a_chapter(clone):
    folder, _ = clone
    light = [
        "tests/test_reference.py",
        "tests/test_exercises.py",
        "tests/test_project.py",
        "tests/test_make.py",
    ]
    chapter = [
        "--nbval",
        "--nbval-current-env",
        "--nbval-sanitize-with",
        "tests/nbval.cfg",
        f"book/{CHAPTERS[0]}.ipynb",
    ]
    for what in (light, chapter):
        command = [folder / ".venv/bin/python", "-m", "pytest", "-q", *what]
        kept = {
            name: value for name, value in os.environ.items() if name != "PYTHONPATH"
        }
        done = subprocess.run(
            command, cwd=folder, env=kept, capture_output=True, text=True, timeout=1200
        )
        assert done.returncode == 0, done.stdout[-3000:]
        assert " passed" in done.stdout


def test_second_make_book_needs_no_network_and_little_time(clone):
    folder, _ = clone
    started = time.monotonic()
    done = make(folder, "book", before=alone())
    assert done.returncode == 0, done.stderr[-3000:]
    assert time.monotonic() - started < 15


def test_make_pins_writes_pins_alone(clone):
    folder, _ = clone
    done = make(folder, "pins")
    assert done.returncode == 0, done.stderr[-3000:]
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "tests/test_project.py",
        "-k",
        "requirements or tensorflow",
    ]
    checked = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=120
    )
    assert checked.returncode == 0 and " passed" in checked.stdout, checked.stdout[
        -3000:
    ]
