"""The Python of the page, at length: built again, and every known mistake in it."""

import json
import os
import subprocess

import exercises_in_engine
import pytest
from conftest import ROOT

from tools import engine, engine_recipe, pack_attnlib


@pytest.fixture
def built():
    found = engine.folder()
    assert found, "the page's Python has not been built: python -m tools.engine"
    return found


def test_engine_built_again_has_the_same_bytes(built, tmp_path):
    made = tmp_path / "made"
    made.mkdir()
    lock, files = engine.read_lock(), engine.CACHE / "files"
    engine_recipe.make(lock, files, made, engine.find_node())
    names = {path.relative_to(made) for path in made.rglob("*") if path.is_file()}
    assert len(names) > 15
    for name in names:
        assert (made / name).read_bytes() == (built / name).read_bytes(), name


def test_every_known_mistake_gets_the_same_message_as_natively(built, tmp_path):
    pack_attnlib.pack(tmp_path / "attnlib.zip")
    archives = [built / "numpy.zip", built / "matplotlib.zip", tmp_path / "attnlib.zip"]
    runner = ROOT / "tests" / "engine_runner.mjs"
    script = ROOT / "tests" / "exercises_in_engine.py"
    done = subprocess.run(
        [engine.find_node(), runner, built, script, *archives],
        env={**os.environ, "MISTAKES": "all"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=3600,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])["exercises"]
    expected = exercises_in_engine.everything(mistakes=None)
    assert sum(len(each["messages"]) for each in expected.values()) > 300
    assert found == expected
