"""What importing attnlib imports and prints, and the compiled recurrence against a
Python loop.
"""

import os
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

import attnlib

FOLDER = Path(attnlib.__file__).parent
LIGHT = ["attnlib"]
for name in "arguments metrics plots quiz reference results vocabulary".split():
    LIGHT.append(f"attnlib.{name}")
for package in ("checking", "exercises", "interactive", "tasks"):
    # All modules but solutions that are Keras classes.
    for path in sorted((FOLDER / package).glob("[a-z]*.py")):
        if not path.stem.endswith("_keras"):
            LIGHT.append(f"attnlib.{package}.{path.stem}")
HEAVY = ["attnlib.layers", "attnlib.scores", "attnlib.seq2seq"]


def python(code, **environment):
    """`code` in a Python of its own: return code, and all that reached file descriptors
    1 and 2.
    """
    environment = {**os.environ, **environment}
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=environment,
        timeout=300,
    )


def test_attnlib_imports_without_tensorflow():
    """One process for all: no module hides what the next one imports."""
    code = f"""
import importlib, sys
for name in {LIGHT}:
    importlib.import_module(name)
    found = {{"tensorflow", "keras", "jax", "torch"}} & set(sys.modules)
    assert not found, f"{{name}} imports {{found}}"
import attnlib
attnlib.reference.softmax([1.0]), attnlib.metrics.exact_match
assert not {{"tensorflow", "keras"}} & set(sys.modules)
"""
    done = python(code)
    assert done.returncode == 0, done.stderr


def test_attnlib_imports_where_tensorflow_does_not():
    code = f"""
import sys
sys.modules["tensorflow"] = sys.modules["keras"] = None
import importlib
for name in {LIGHT}:
    importlib.import_module(name)
try:
    import attnlib.layers
except ImportError:
    print("refused")
"""
    done = python(code)
    assert (done.returncode, done.stdout, done.stderr) == (0, "refused\n", "")


def test_attnlib_loads_modules_on_first_use_and_names_them():
    assert "seq2seq" in dir(attnlib) and "layers" in dir(attnlib)
    with pytest.raises(
        AttributeError,
        match="module 'attnlib' has no attribute 'lairs'; its modules are .*layers",
    ):
        attnlib.lairs  # noqa: B018


def test_backend_import_prints_nothing():
    done = python(
        f"import {', '.join(HEAVY)}, os; os.write(2, b'still here')",
        TF_CPP_MIN_LOG_LEVEL="",
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "still here")


def folder_of_tensorflow(folder, content):
    """`folder` as a search path on which tensorflow is a module of this content."""
    (folder / "tensorflow.py").write_text(content, "utf-8")
    paths = [str(folder), str(FOLDER.parent), os.environ.get("PYTHONPATH", "")]
    return {"PYTHONPATH": os.pathsep.join(filter(None, paths))}


WITH_TENSORFLOW = [
    *("backend", "scores", "call_forms", "layers", "decoders", "search", "fast"),
    *("translator", "seq2seq", "exercises.sentiment_keras"),
    "exercises.bug_hunt_keras",
]


def test_backend_names_the_command_where_tensorflow_is_absent():
    code = f"""
import sys
sys.modules["tensorflow"] = None
import importlib
for name in {WITH_TENSORFLOW}:
    try:
        importlib.import_module(f"attnlib.{{name}}")
    except ImportError as error:
        assert error.name == "tensorflow", name
        assert error.__cause__ is None and error.__context__ is None, name
        print(error)
"""
    done = python(code)
    assert (done.returncode, done.stderr) == (0, "")
    message = (
        "attnlib's layers and models run on TensorFlow, which is not installed here."
        ' Install it with: pip install "tensorflow>=2.19"\n'
    )
    assert done.stdout == message * len(WITH_TENSORFLOW)


def test_backend_says_so_in_one_traceback_where_tensorflow_is_absent():
    code = "import sys; sys.modules['tensorflow'] = None; import attnlib.seq2seq"
    done = python(code)
    assert done.returncode != 0
    assert done.stderr.count("Traceback") == 1
    assert done.stderr.endswith('Install it with: pip install "tensorflow>=2.19"\n')


def test_backend_lets_the_error_of_an_incomplete_tensorflow_through(tmp_path):
    for line, message in (
        ("import no_such_part", "ModuleNotFoundError: No module named 'no_such_part'"),
        ("raise ImportError('DLL load failed')", "ImportError: DLL load failed"),
    ):
        environment = folder_of_tensorflow(tmp_path, line)
        done = python("import attnlib.layers", **environment)
        assert done.returncode != 0
        assert done.stderr.splitlines()[-1] == message


@pytest.mark.parametrize(
    "module, version, wanted",
    [
        ("tf", "2.18.1", "tensorflow 2.19"),
        ("tf", "1.15.0", "tensorflow 2.19"),
        ("keras", "3.11.3", "keras 3.12"),
        ("keras", "2.15.0", "keras 3.12"),
    ],
)
def test_backend_refuses_versions_that_are_too_old(
    monkeypatch, module, version, wanted
):
    from attnlib import backend

    monkeypatch.setattr(getattr(backend, module), "__version__", version)
    with pytest.raises(ImportError) as raised:
        runpy.run_path(backend.__file__)
    assert str(raised.value) == (
        f"attnlib runs on {wanted} or newer, got {version}. Install it with: pip"
        f' install --upgrade "{wanted.replace(" ", ">=")}", then restart the kernel'
    )


@pytest.mark.parametrize(
    "module, version",
    [("tf", "2.19.0"), ("tf", "2.100.0-rc1"), ("tf", "3.0.0"), ("keras", "3.12.0")],
)
def test_backend_takes_the_lowest_version_and_newer_ones(monkeypatch, module, version):
    from attnlib import backend

    monkeypatch.setattr(getattr(backend, module), "__version__", version)
    runpy.run_path(backend.__file__)


def test_backend_asks_for_the_versions_of_the_project():
    from attnlib import backend
    from tools import lowest_versions

    project = tomllib.loads((FOLDER.parent / "pyproject.toml").read_text("utf-8"))
    bounds = {
        line.name.removesuffix("-cpu"): line.specifier
        for line in lowest_versions.requirements(project)
    }
    for name, lowest in backend.LOWEST.items():
        assert str(bounds[name]) == f">={'.'.join(map(str, lowest))}"


def test_backend_refuses_another_backend():
    done = python("import attnlib.layers", KERAS_BACKEND="jax")
    assert done.returncode != 0
    assert done.stderr.endswith(
        "ImportError: KERAS_BACKEND should be 'tensorflow', which attnlib runs on, got"
        " 'jax'\n"
    )


def test_backend_refuses_a_keras_loaded_with_another_backend(monkeypatch):
    from attnlib import backend

    monkeypatch.setattr(backend.keras.config, "backend", lambda: "torch")
    with pytest.raises(
        ImportError,
        match=(
            "Keras's backend should be 'tensorflow', .* got Keras loaded with 'torch'"
        ),
    ):
        runpy.run_path(backend.__file__)


def recurrence():
    """A step with a nest for state and for output, its inputs, and the same as a Python
    loop.
    """
    from attnlib.backend import tf

    rng = np.random.default_rng(0)
    w = tf.Variable(rng.normal(size=(3, 3)) / 2)
    inputs = tf.constant(rng.normal(size=(2, 5, 3)))  # (batch, time, dim)
    state = {"h": tf.constant(rng.normal(size=(2, 3))), "steps": tf.zeros((), tf.int32)}

    def step(state, x):
        h = tf.tanh(state["h"] @ w + x)
        return {"h": h, "steps": state["steps"] + 1}, (
            h,
            {"sum": tf.reduce_sum(h, 1), "outer": h[:, :, None] * x[:, None]},
        )

    def loop(state, inputs):
        outputs = []
        for t in range(inputs.shape[1]):
            state, output = step(state, inputs[:, t])
            outputs.append(output)
        return state, tf.nest.map_structure(lambda *steps: tf.stack(steps, 1), *outputs)

    return step, loop, state, inputs, w


def test_scan_equals_a_python_loop():
    from attnlib.backend import scan, tf

    step, loop, state, inputs, _ = recurrence()
    expected = loop(state, inputs)
    for run in (scan, tf.function(scan)):
        got = run(step, state, inputs)
        tf.nest.assert_same_structure(got, expected)
        for a, b in zip(tf.nest.flatten(got), tf.nest.flatten(expected), strict=True):
            assert a.shape == b.shape
            assert_allclose(a, b, rtol=1e-12)


@pytest.mark.parametrize("compiled", [False, True])
def test_scan_gradient_equals_that_of_a_python_loop(compiled):
    from attnlib.backend import scan, tf

    step, loop, state, inputs, w = recurrence()

    def gradients(run):
        with tf.GradientTape() as tape:
            tape.watch([inputs, state["h"]])
            last, (h, parts) = run(state, inputs)
            total = (
                tf.reduce_sum(last["h"] ** 3)
                + tf.reduce_sum(h**2)
                + tf.reduce_sum(tf.sin(parts["outer"]))
            )
        return tape.gradient(total, [w, inputs, state["h"]])

    scanned = lambda state, inputs: scan(step, state, inputs)  # noqa: E731
    got = tf.function(lambda: gradients(scanned))() if compiled else gradients(scanned)
    for a, b in zip(got, gradients(loop), strict=True):
        assert_allclose(a, b, rtol=1e-10)


def test_scan_takes_lengths_known_only_when_run():
    from attnlib.backend import scan, tf

    step, loop, _, inputs, _ = recurrence()
    traced = []

    @tf.function(input_signature=[tf.TensorSpec((None, None, 3), tf.float64)])
    def run(inputs):
        traced.append(None)
        return scan(
            step,
            {
                "h": tf.zeros((tf.shape(inputs)[0], 3), tf.float64),
                "steps": tf.constant(0),
            },
            inputs,
        )[1][0]

    for batch, time in ((2, 5), (1, 1), (2, 3)):
        part = inputs[:batch, :time]
        start = {"h": tf.zeros((batch, 3), tf.float64), "steps": 0}
        assert_allclose(run(part), loop(start, part)[1][0], rtol=1e-12)
    assert len(traced) == 1
