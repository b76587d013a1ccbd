"""The first import of TensorFlow is quiet, whatever comes first.

TensorFlow writes to file descriptor 2 while it is imported, unless attnlib.backend
imports it. Everything here runs in plain Python processes, where nothing is captured on
the way.
"""

import ast
import json
import os
import subprocess
import sys

import pytest
from conftest import ROOT

CHAPTERS = sorted(
    path for path in (ROOT / "book").glob("[0-9]*.ipynb") if not path.is_symlink()
)
# Set on some machines, and then hiding what a reader would see.
HIDING = ("TF_CPP_MIN_LOG_LEVEL", "KERAS_BACKEND", "TF_ENABLE_ONEDNN_OPTS")


def said(code):
    """All that `code` writes, in a process of its own, to descriptors 1 and 2."""
    environment = {k: v for k, v in os.environ.items() if k not in HIDING}
    environment["PYTHONPATH"] = str(ROOT)
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT / "book",
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout + done.stderr


def imports(notebook):
    """The import statements of a notebook, in order, also those within functions."""
    found = []
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            lines = "".join(cell["source"]).splitlines()
            plain = [line for line in lines if not line.lstrip().startswith(("%", "!"))]
            nodes = ast.walk(ast.parse("\n".join(plain)))
            statements = [
                n for n in nodes if isinstance(n, (ast.Import, ast.ImportFrom))
            ]
            found += map(ast.unparse, sorted(statements, key=lambda n: n.lineno))
    return found


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_chapter_imports_print_nothing(path):
    statements = imports(json.loads(path.read_text("utf-8")))
    assert len(statements) >= 5
    assert said("\n".join(statements)) == ""


@pytest.mark.parametrize(
    "first",
    [
        "import attnlib.layers",
        "import attnlib.seq2seq",
        "from attnlib.exercises import sentiment; sentiment.AttentionLayer.solution()",
    ],
)
def test_attnlib_loads_tensorflow_quietly_whatever_comes_first(first):
    code = f"""
import sys
{first}
assert "tensorflow" in sys.modules
import keras, tensorflow
tensorflow.function(lambda x: keras.ops.matmul(x, x))(keras.ops.ones((2, 2)))
"""
    assert said(code) == ""


def test_tensorflow_alone_is_not_quiet():
    """Else the tests above would show nothing."""
    if sys.platform != "linux":
        pytest.skip("the notices differ from system to system")
    assert "oneDNN" in said("import tensorflow")


def test_attnlib_imports_tensorflow_and_keras_in_one_module():
    importers = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "attnlib").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in [getattr(node, "module", None), *(a.name for a in node.names)]
        if name
        and name.split(".")[0] in ("tensorflow", "keras")
        and not str(getattr(node, "module", "")).startswith("attnlib")
    }
    assert importers == {"attnlib/backend.py"}


def test_imports_are_found_in_order_and_in_functions():
    cells = [
        ("markdown", "import nothing"),
        ("code", "%matplotlib inline\nimport b\n\ndef f():\n    import c as d\n"),
        ("code", "!pip install x\nfrom a import e"),
    ]
    notebook = {"cells": [{"cell_type": k, "source": [s]} for k, s in cells]}
    assert imports(notebook) == ["import b", "import c as d", "from a import e"]
