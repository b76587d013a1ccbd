"""Versions, the processor, and peak memory are reported as they are."""

import importlib.metadata
import platform
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT

from attnlib import provenance

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="reads Linux' /proc")


def child(code):
    """What a fresh Python prints."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_versions_are_those_installed_in_the_order_asked_for():
    assert list(provenance.versions(("pytest", "numpy")).items()) == [
        ("python", platform.python_version()),
        ("pytest", pytest.__version__),
        ("numpy", np.__version__),
    ]


def test_versions_leave_out_what_is_not_installed():
    assert list(provenance.versions(("no-such-package", "numpy"))) == [
        "python",
        "numpy",
    ]


def test_versions_name_the_tensorflow_that_is_installed():
    named = [name for name in provenance.versions() if name.startswith("tensorflow")]
    assert named
    for name in named:
        assert provenance.versions()[name] == importlib.metadata.version(name)


def test_provenance_imports_neither_numpy_nor_tensorflow():
    code = "import sys, attnlib.provenance; print({'numpy', 'keras'} & {*sys.modules})"
    assert child(code) == "set()"


@LINUX
def test_processor_is_the_model_name_that_linux_reports():
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        text = lines.read()
    assert provenance.processor() in (
        text if "model name" in text else platform.uname()
    )


def test_processor_falls_back_to_the_architecture(monkeypatch):
    monkeypatch.setattr(provenance, "_proc_field", lambda file, field: None)
    monkeypatch.setattr(platform, "processor", lambda: "")
    monkeypatch.setattr(platform, "machine", lambda: "some-architecture")
    assert provenance.processor() == "some-architecture"


def test_peak_memory_remembers_what_was_freed():
    peak = child(
        "import numpy as np; from attnlib.provenance import peak_memory_mb as peak;"
        " before = peak(); held = np.ones(200 * 2**17); del held;"
        " print(before, peak())"
    )
    before, after = map(float, peak.split())
    assert 200 <= after - before + 1 and after - before < 230


@LINUX
def test_peak_memory_leaves_out_what_the_parent_held():
    held = np.ones(400 * 2**17)  # 400 MB, held while the child starts
    peak = float(child("import attnlib.provenance as p; print(p.peak_memory_mb())"))
    assert held.nbytes == 400 * 2**20 and 1 < peak < 100


@LINUX
def test_peak_memory_is_none_where_linux_reports_none(monkeypatch):
    monkeypatch.setattr(provenance, "_proc_field", lambda file, field: None)
    assert provenance.peak_memory_mb() is None


def test_peak_memory_is_none_on_an_unknown_system(monkeypatch):
    monkeypatch.setattr(sys, "platform", "emscripten")
    assert provenance.peak_memory_mb() is None


def test_peak_memory_on_windows_is_none_without_psutil(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert provenance.peak_memory_mb() is None
