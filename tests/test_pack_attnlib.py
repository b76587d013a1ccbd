"""What of attnlib is packed for the Python of the page."""

import os
import subprocess
import sys
import zipfile

import pytest
from conftest import ROOT
from test_floors import imported, modules

from tools import pack_attnlib

# The page's Python has the standard library, NumPy, and Matplotlib with what it needs.
# These may use what attnlib may not: it does without ctypes, which another engine may
# lack, and without importlib.metadata, which takes time.
IMPORT_ALL = """
import importlib, sys
import numpy, matplotlib.pyplot
for name in ("tensorflow", "keras", "sklearn", "sacrebleu", "babel", "num2words",
             "pooch", "pygments", "IPython", "psutil", "ctypes", "importlib.metadata"):
    sys.modules[name] = None  # importing it, or a part of it, is an error
sys.platform = "emscripten"
for name in sys.argv[1:]:
    importlib.import_module(name)
    print(name, sys.modules[name].__file__)
"""


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """(names of the packed modules, folder into which the archive was unpacked)."""
    folder = tmp_path_factory.mktemp("packed")
    names = pack_attnlib.pack(folder / "attnlib.zip")
    with zipfile.ZipFile(folder / "attnlib.zip") as archive:
        archive.extractall(folder)
    return names, folder


def test_pack_holds_every_root_and_every_exercise_without_keras(packed):
    names, folder = packed
    assert {f"attnlib.{root}" for root in pack_attnlib.ROOTS} <= set(names)
    exercises = {name for name in modules(ROOT) if name.startswith("attnlib.exercises")}
    expected = {name for name in exercises if not name.endswith("_keras")}
    assert expected == {name for name in names if name.startswith("attnlib.exercises")}
    assert set(modules(folder)) == set(names)


def test_pack_is_closed_under_imports(packed):
    names, folder = packed
    outside = {
        (name, other)
        for name, source in modules(folder).items()
        for other in imported(name, source, modules(ROOT))
        if other not in names and not other.endswith("_keras")
    }
    assert outside == set()


def test_every_packed_module_imports_without_tensorflow(packed):
    names, folder = packed
    run = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, *names],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert [line.split()[0] for line in run.stdout.splitlines()] == names
    assert all(f" {folder}" in line for line in run.stdout.splitlines()), run.stdout


def test_pack_holds_sources_and_the_files_of_the_figures(packed):
    _, folder = packed
    for path in (ROOT / "attnlib" / "interactive").iterdir():
        if path.suffix in (".py", ".js", ".css"):
            copy = folder / "attnlib" / "interactive" / path.name
            assert copy.read_bytes() == path.read_bytes()
    kinds = {path.suffix for path in (folder / "attnlib").rglob("*") if path.is_file()}
    assert kinds == {".py", ".js", ".css"}


def test_pack_is_the_same_each_time_and_small(tmp_path):
    for name in ("one.zip", "two.zip"):
        pack_attnlib.pack(tmp_path / name)
    content = (tmp_path / "one.zip").read_bytes()
    assert content == (tmp_path / "two.zip").read_bytes()
    assert len(content) < 400_000  # beside the 11 MB of Python


def test_results_are_found_where_attnlib_is(tmp_path):
    """As in the page, whose packages are beside both archives' contents."""
    pack_attnlib.pack(tmp_path / "attnlib.zip")
    pack_attnlib.pack_results(tmp_path / "results.zip")
    for name in ("attnlib", "results"):
        with zipfile.ZipFile(tmp_path / f"{name}.zip") as archive:
            archive.extractall(tmp_path)
    code = "from attnlib import results; print(len(results.load('length_curve')))"
    run = [sys.executable, "-c", code]
    clean = {"PYTHONPATH": ""}
    done = subprocess.run(
        run, cwd=tmp_path, env={**os.environ, **clean}, text=True, capture_output=True
    )
    assert int(done.stdout) > 1, done.stderr
    there = {path.name for path in (tmp_path / "experiments/results").iterdir()}
    assert there == {p.name for p in (ROOT / "experiments/results").glob("*.json")}


def test_weights_are_found_where_attnlib_is(tmp_path):
    """As in the page, and not from this checkout; without them, an error says so."""
    pack_attnlib.pack(tmp_path / "attnlib.zip")
    pack_attnlib.pack_weights(tmp_path / "weights.zip")
    code = (
        "from attnlib.numpy_translators import Translator; "
        "print(*Translator.load('dates')('March 5, 2024')[0], sep='')"
    )
    options = {"cwd": tmp_path, "text": True, "capture_output": True}
    options["env"] = {**os.environ, "PYTHONPATH": ""}
    for name, said in (("attnlib", "FileNotFoundError"), ("weights", "2024-03-05")):
        with zipfile.ZipFile(tmp_path / f"{name}.zip") as archive:
            archive.extractall(tmp_path)
        done = subprocess.run([sys.executable, "-c", code], **options)
        assert said in done.stdout + done.stderr
    assert (tmp_path / "weights.zip").stat().st_size < 1_000_000


def small_attnlib(folder, **sources):
    """A folder with an attnlib of a few modules; every root has to be there."""
    (folder / "attnlib").mkdir()
    names = {"__init__": "", "backend": "", **dict.fromkeys(pack_attnlib.ROOTS, "")}
    for name, source in {**names, **sources}.items():
        (folder / "attnlib" / f"{name}.py").write_text(source)
    return folder


def test_pack_brings_what_a_packed_module_imports(tmp_path):
    sources = {
        "quiz": "def f():\n    from attnlib import more",
        "more": "",
        "other": "",
    }
    names = pack_attnlib.packed_modules(small_attnlib(tmp_path, **sources))
    assert "attnlib.more" in names and "attnlib.other" not in names


def test_pack_refuses_a_module_that_needs_tensorflow(tmp_path):
    sources = {"quiz": "import attnlib.more", "more": "from attnlib.backend import tf"}
    with pytest.raises(ValueError, match=r"attnlib\.more imports attnlib\.backend"):
        pack_attnlib.packed_modules(small_attnlib(tmp_path, **sources))


def test_pack_leaves_out_exercises_in_keras(tmp_path):
    sources = {
        "quiz": "def f():\n    from attnlib.quiz_keras import g",
        "quiz_keras": "from attnlib.backend import tf",
    }
    names = pack_attnlib.packed_modules(small_attnlib(tmp_path, **sources))
    assert "attnlib.quiz" in names and "attnlib.quiz_keras" not in names


def test_pack_misses_no_root(tmp_path):
    root = small_attnlib(tmp_path)
    (root / "attnlib" / "quiz.py").unlink()
    with pytest.raises(ValueError, match=r"there is no attnlib\.quiz"):
        pack_attnlib.packed_modules(root)


def test_command_packs(tmp_path, capsys):
    pack_attnlib.main([str(tmp_path / "x.zip")])
    assert "x.zip: " in capsys.readouterr().out
