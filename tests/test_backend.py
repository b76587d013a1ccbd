"""What importing attnlib imports and prints, and the compiled recurrence against a
Python loop.
"""

import os
import runpy
import subprocess
import sys
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
            "Keras' backend should be 'tensorflow', .* got Keras loaded with 'torch'"
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
