"""The Makefile in unusual places: odd names, read-only, twice at once, without a home.

It is run for real, in a copy of its own, with a .venv whose Python only writes down
what it is asked to run.
"""

import importlib.metadata
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT

from tools import make_environment

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="make is not used on Windows"
)

STUB = """#!/bin/sh
case "$*" in
  *tools.single_instance*) exec "{python}" "$@" ;;
  *"$STOP_AT"*) test -z "$STOP_AT" || exit 3 ;;
esac
echo "$ATTNLIB_OFFLINE|$ATTNLIB_DATA|$HOME|$*" >> "$LOG"
case "$*" in *"-m ruff"*) while test -e "$HOLD"; do sleep 0.1; done ;; esac
"""


@pytest.fixture
def checkout(tmp_path):
    """A folder with a Makefile, what it looks for, and a .venv that is ready."""
    folder = tmp_path / "mes élèves, 2"
    shutil.copytree(
        ROOT / "tools", folder / "tools", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in ("Makefile", "requirements.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    (folder / "book").mkdir()
    for name in ("01_one", "04_sentiment"):
        (folder / "book" / f"{name}.ipynb").touch()
    python = folder / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(STUB.format(python=sys.executable))
    python.chmod(0o755)
    (folder / ".venv" / ".ready").touch()
    return folder


def environment(folder, **more):
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ATTNLIB", "MAKE", "MFLAGS"))
    }
    return {**kept, "LOG": str(folder / "log"), "STOP_AT": "", "HOLD": "", **more}


def make(folder, *arguments, **more):
    """Run `make -C folder` from another folder; returns (the run, lines of the log)."""
    before = more.pop("before", [])
    command = [*before, "make", "-C", folder, *arguments]
    done = subprocess.run(
        command,
        cwd="/",
        env=environment(folder, **more),
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done, (
        (folder / "log").read_text().splitlines() if (folder / "log").exists() else []
    )


def test_make_test_runs_every_step_from_elsewhere(checkout):
    (checkout / "data é").mkdir()
    done, log = make(checkout, "test", "ATTNLIB_DATA=data é")
    assert done.returncode == 0, done.stderr
    asked = [line.split("|")[-1] for line in log]
    starts = [
        "-m ruff format --check .",
        "-m ruff check .",
        "-m tools.build_book",
        "-m pytest tests",
        "-m pytest -v",
        "-c from attnlib",
        "-m pytest",
    ]
    assert len(asked) == len(starts)
    assert all(
        line.startswith(start) for line, start in zip(asked, starts, strict=True)
    ), asked
    assert asked[4].endswith(" --nbval book/01_one.ipynb")
    assert asked[6].endswith(" --nbval book/04_sentiment.ipynb")
    assert {tuple(line.split("|")[:2]) for line in log} == {
        ("1", str(checkout / "data é"))
    }


@pytest.mark.parametrize(
    "step",
    [
        *("ruff format", "ruff check", "build_book", "-m pytest tests"),
        *("book/01_one", "book/04_sentiment"),
    ],
)
def test_make_test_fails_with_any_of_its_steps(checkout, step):
    done, log = make(checkout, "test", STOP_AT=step)
    assert done.returncode != 0
    assert not any(step in line for line in log)


def test_make_test_leaves_out_links_for_old_names(checkout):
    (checkout / "book" / "00_old.ipynb").symlink_to("01_one.ipynb")
    done, log = make(checkout, "test")
    assert done.returncode == 0, done.stderr
    assert any("book/01_one.ipynb" in line for line in log)
    assert not any("00_old" in line for line in log)


def test_make_quick_runs_style_and_some_unit_tests(checkout):
    done, log = make(checkout, "quick")
    assert done.returncode == 0, done.stderr
    asked = [line.split("|")[-1] for line in log]
    assert asked[:2] == ["-m ruff format --check .", "-m ruff check ."]
    assert len(asked) == 3 and asked[2].startswith("-m pytest -q tests/test_")
    assert {line.split("|")[0] for line in log} == {"1"}


def test_make_weekly_runs_the_long_tests_alone(checkout):
    done, log = make(checkout, "weekly")
    assert done.returncode == 0, done.stderr
    assert [line.split("|")[-1] for line in log] == [
        "-m pytest tests/weekly",
        "-m pytest tests/test_properties.py",
    ]


def test_make_lowest_installs_before_it_runs_the_chapters(checkout):
    """The stub is the lowest environment's Python, too."""
    lowest = checkout / ".venv" / "lowest"
    (lowest / "bin").mkdir(parents=True)
    shutil.copy(checkout / ".venv/bin/python", lowest / "bin")
    for _ in range(2):  # the second run finds it installed
        done, log = make(checkout, "lowest")
        assert done.returncode == 0, done.stderr
    assert {line.split("|")[0] for line in log} == {"1"}
    install, *runs = [line.split("|")[-1] for line in log][2:]
    assert [line.split("|")[-1] for line in log][:2] == [
        "-m venv --clear .venv/lowest",
        "-m tools.lowest_versions",
    ]
    assert install.startswith("-m pip install ")
    assert install.endswith(" -c .venv/lowest/constraints.txt -e .[tensorflow,test]")
    assert len(runs) == 4 and runs[:2] == runs[2:]
    assert runs[0].startswith("-m pytest -q tests/test_floors.py ")
    assert "--nbval-lax" in runs[1]
    assert runs[1].endswith(" book/01_one.ipynb book/04_sentiment.ipynb")


@pytest.mark.parametrize(
    "step", ["venv", "lowest_versions", "pip", "pytest -q", "nbval"]
)
def test_make_lowest_fails_with_any_of_its_steps(checkout, step):
    lowest = checkout / ".venv" / "lowest"
    (lowest / "bin").mkdir(parents=True)
    shutil.copy(checkout / ".venv/bin/python", lowest / "bin")
    done, _ = make(checkout, "lowest", STOP_AT=step)
    assert done.returncode != 0


def test_make_gives_a_home_to_those_who_have_none(checkout):
    home = str(checkout / ".venv" / "home")
    for given in ({"HOME": "/nowhere"}, {"HOME": ""}, {"HOME": os.devnull}):
        assert make(checkout, "book", **given)[1][-1].split("|")[2] == home, given
    assert make(checkout, "book", HOME=str(checkout))[1][-1].split("|")[2] == str(
        checkout
    )


def started(folder, *arguments):
    """make, running by itself, once its first step has begun; it ends when the file
    `hold` is gone.
    """
    (folder / "hold").touch()
    own = dict(
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    run = subprocess.Popen(
        ["make", "-C", folder, *arguments],
        env=environment(folder, HOLD=str(folder / "hold")),
        **own,
    )
    for _ in range(1000):
        if (folder / "log").exists():
            return run
        time.sleep(0.05)
    raise AssertionError("make began nothing in fifty seconds")


def test_second_make_test_says_that_one_runs(checkout):
    first = started(checkout, "test")
    for target in ("test", "weekly"):
        second, log = make(checkout, target)
        assert second.returncode != 0
        assert (
            "Another `make test` or `make weekly` is running in this folder"
            in second.stderr
        )
        assert "Traceback" not in second.stderr and len(log) == 1
    (checkout / "hold").unlink()
    assert first.wait(timeout=30) == 0
    assert make(checkout, "test")[0].returncode == 0


def test_make_test_that_was_killed_leaves_no_lock(checkout):
    first = started(checkout, "test")
    os.killpg(
        first.pid, signal.SIGKILL
    )  # make and its steps, as a crash or a closed terminal would
    first.wait(timeout=30)
    done, log = make(checkout, "test")
    assert done.returncode == 0, done.stderr
    assert len(log) > 1


def read_only(folder):
    """Take the right to write from every file; and a command's start under which root
    has no other rights either.
    """
    for path in [folder, *folder.rglob("*")]:
        path.chmod(path.stat().st_mode & ~0o222)
    return (
        ["setpriv", "--bounding-set", "-dac_override"]
        if sys.platform == "linux" and os.geteuid() == 0
        else []
    )


@pytest.fixture
def locked(checkout, tmp_path):
    """(A read-only checkout, how to start a command that has to heed it.)"""
    yield checkout, read_only(checkout)
    for path in [checkout, *checkout.rglob("*")]:
        path.chmod(path.stat().st_mode | 0o200)


def test_make_in_a_read_only_folder_runs_what_writes_nothing(locked, tmp_path):
    folder, before = locked
    done, log = make(folder, "test", before=before, LOG=str(tmp_path / "log"))
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "log").read_text().splitlines()) == 7


def test_make_in_a_read_only_folder_names_what_it_cannot_write(checkout, tmp_path):
    shutil.rmtree(checkout / ".venv")
    before = read_only(checkout)
    done, _ = make(checkout, "test", f"PYTHON='{sys.executable}'", before=before)
    checkout.chmod(0o755)
    assert done.returncode != 0
    assert (
        "This folder cannot be written to, and .venv does not exist or is out of date:"
        in done.stderr
    )
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("tool", ["build_book", "execute_notebooks"])
def test_tools_name_the_folder_that_they_cannot_write(locked, tool):
    folder, before = locked
    command = [*before, sys.executable, "-m", f"tools.{tool}"]
    strange = {
        "PYTHONIOENCODING": "ascii",
        "LC_ALL": "C",
    }  # the folder's name does not fit this terminal
    done = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        env=environment(folder, **strange),
        timeout=60,
    )
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert "cannot be written to (" in said and "Traceback" not in said
    assert r"mes \xe9l\xe8ves, 2" in said


def test_make_without_a_python_says_which_are_needed(checkout):
    shutil.rmtree(checkout / ".venv")
    done, _ = make(checkout, "test", "PYTHON=")
    assert done.returncode != 0
    assert (
        "Python 3.11, 3.12 or 3.13 is needed, and none is on the path." in done.stderr
    )


# ---------------------------------------------------------------- the environment

EVERYTHING = f"PYTHON='{sys.executable}'"


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    """A folder with one package, which takes the place of the package index."""
    folder = tmp_path_factory.mktemp("index")
    info = "tiny-1.0.dist-info"
    with zipfile.ZipFile(folder / "tiny-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny.py", "")
        wheel.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n"
        )
        wheel.writestr(
            f"{info}/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        wheel.writestr(f"{info}/RECORD", "")
    return folder


VENV = """
import shutil, sys
shutil.copytree({template!r}, sys.argv[-1], symlinks=True, dirs_exist_ok=True)
"""


@pytest.fixture(scope="module")
def quick_venv(tmp_path_factory):
    """A folder with a module venv that copies an environment, which takes a moment.

    Making one takes seconds.
    """
    folder = tmp_path_factory.mktemp("quick")
    half_made(folder / "template")
    source = Path(importlib.util.find_spec("pip").origin).parent
    shutil.copytree(source, packages(folder / "template") / "pip")
    (folder / "modules").mkdir()
    source = VENV.format(template=str(folder / "template"))
    (folder / "modules" / "venv.py").write_text(source)
    return folder / "modules"


@pytest.fixture
def new(checkout, quick_venv, monkeypatch):
    """A checkout without .venv, whose only requirement is the package of the index."""
    monkeypatch.setenv("PYTHONPATH", str(quick_venv))
    shutil.rmtree(checkout / ".venv")
    (checkout / "requirements.txt").write_text("tiny==1.0\n")
    for tool in ("engine", "build_book"):
        (checkout / "tools" / f"{tool}.py").write_text(f"print('{tool} ran')")
    return checkout


def from_index(index):
    """Variables with which pip asks the folder and nobody else."""
    return {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(index), "PIP_CONFIG_FILE": "/x"}


UNREACHABLE = {  # nothing listens there
    **{"PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_RETRIES": "0"},
    **{"PIP_CONFIG_FILE": os.devnull, "PIP_EXTRA_INDEX_URL": "", "PIP_FIND_LINKS": ""},
}


def is_ready(folder):
    python = folder / ".venv" / "bin" / "python"
    done = subprocess.run([python, "-c", "import tiny, pip"], capture_output=True)
    return done.returncode == 0 and (folder / ".venv" / ".ready").exists()


def test_make_without_a_network_says_so_and_goes_on_when_there_is_one(new, index):
    done, _ = make(new, "book", EVERYTHING, **UNREACHABLE)
    assert done.returncode != 0 and not (new / ".venv" / ".ready").exists()
    said = done.stderr
    assert "Connect this computer to the network and run the command again." in said
    assert "Traceback" not in said and "WARNING" not in said and "ERROR" not in said

    started = (new / ".venv" / "pyvenv.cfg").stat().st_mtime_ns
    done, _ = make(new, "book", EVERYTHING, **from_index(index))
    assert done.returncode == 0, done.stderr
    assert is_ready(new) and "engine ran\nbuild_book ran\n" in done.stdout
    assert (new / ".venv" / "pyvenv.cfg").stat().st_mtime_ns == started
    assert not (new / ".venv" / ".installing").exists()


def half_made(folder):
    """What Debian leaves behind without python3-venv: a Python, and no pip."""
    command = [sys.executable, "-I", "-m", "venv", "--without-pip", folder]
    subprocess.run(command, check=True)


def packages(folder):
    """Where an environment keeps what is installed."""
    return next((folder / "lib").glob("python*/*"))


def gone(folder):
    """An environment that was ready until the system's Python was replaced."""
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to("/usr/bin/python3.4.gone")
    (folder / ".ready").touch()


def interrupted(folder):
    """What an installation leaves behind that was killed."""
    half_made(folder)
    (folder / ".installing").touch()
    (packages(folder) / "pip.py").touch()


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (half_made, "its Python has no pip"),
        (gone, "its Python is gone"),
        (interrupted, "its installation was interrupted"),
    ],
)
def test_make_makes_a_broken_environment_again(new, index, damage, reason):
    damage(new / ".venv")
    (new / ".venv" / "engine").mkdir()
    done, _ = make(new, "book", EVERYTHING, **from_index(index))
    assert done.returncode == 0, done.stderr
    assert f".venv is made again, because {reason}" in done.stdout
    assert "about 2.4 GB" in done.stdout
    assert is_ready(new)
    assert (new / ".venv" / "engine").is_dir(), "it belongs to no Python"
    done, _ = make(new, "book", EVERYTHING, **UNREACHABLE)
    assert done.returncode == 0, done.stderr
    assert "engine ran" not in done.stdout and "build_book ran" in done.stdout


def test_make_with_a_python_without_ensurepip_names_the_package_of_debian(new):
    python = new / "python"
    python.write_text(
        f"#!/bin/sh\nexec '{sys.executable}' -c \"import runpy, sys;"
        " sys.modules['ensurepip'] = None;"
        ' runpy.run_module(sys.argv[2], run_name=\'__main__\')" "$@"\n'
    )
    python.chmod(0o755)
    done, _ = make(new, "book", f"PYTHON='{python}'")
    assert done.returncode != 0
    assert "sudo apt install python3-venv\n" in done.stderr
    assert "Traceback" not in done.stderr
    assert "`python3-venv`" in (ROOT / "README.md").read_text("utf-8")


def test_interrupt_of_the_installation_leaves_a_mark_and_no_traceback(
    tmp_path, monkeypatch, capsys
):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(make_environment, "FOLDER", tmp_path)
    monkeypatch.setattr(make_environment, "MARKER", tmp_path / ".installing")
    monkeypatch.setattr(make_environment, "what_is_wrong", lambda: None)
    monkeypatch.setattr(make_environment.subprocess, "run", interrupted)
    assert make_environment.main() == 130
    assert capsys.readouterr().err == "Interrupted: the next run begins again.\n"
    assert (tmp_path / ".installing").exists()


def test_environment_has_about_the_size_that_is_announced():
    """Without compiled files, whose sizes pip does not write down."""
    files = [
        file
        for package in importlib.metadata.distributions()
        for file in package.files or ()
    ]
    sources = sum(file.size or 0 for file in files) / 1e9
    assert sources == pytest.approx(0.9 * make_environment.GIGABYTES, rel=0.15)


@pytest.mark.parametrize("engine", ["", "314"])
def test_build_says_which_server_makes_exercises_run(monkeypatch, capsys, engine):
    from tools import build_book

    monkeypatch.setattr(build_book, "get_engine", lambda: None)
    monkeypatch.setattr(build_book, "is_fresh", lambda: True)
    monkeypatch.setattr(build_book, "engine_of_the_pages", lambda: engine)
    assert build_book.main() == 0
    said = capsys.readouterr().out.strip().split("\n")
    assert said[0].startswith("The book is at ")
    command = "python -m http.server -d book/_build/html"
    assert [line.endswith(f": {command}") for line in said[1:]] == [True] * bool(engine)
    assert f"`{command}`" in (ROOT / "README.md").read_text("utf-8")
