"""Run by tests/test_engine.py in the Python of the page: what every exercise says and
shows there, and what becomes of code that misbehaves, as JSON.
"""

import contextlib
import importlib
import inspect
import io
import json
import os
import pkgutil
import warnings

import attnlib.exercises
from attnlib.checking.exercise import Exercise


def exercises():
    """{"module.name": exercise} of every exercise that needs no Keras."""
    names = [module.name for module in pkgutil.iter_modules(attnlib.exercises.__path__)]
    modules = {
        name: importlib.import_module(f"attnlib.exercises.{name}")
        for name in names
        if not name.endswith("_keras")
    }
    return {
        f"{name}.{each.name}": each
        for name, module in modules.items()
        for each in vars(module).values()
        if isinstance(each, Exercise)
    }


def not_attempted(*arguments):
    """Nothing has been written yet."""


def everything(mistakes=2):
    """What each exercise says to its solution, a stub, and some known mistakes (None:
    to all of them), and what it shows.
    """
    shown = {}
    for name, exercise in exercises().items():
        known = [function for _, function in exercise.known_mistakes[:mistakes]]
        answers = [exercise.reference_solution, not_attempted, *known]
        shown[name] = {
            "messages": [exercise.check(each).message for each in answers],
            "hints": str(exercise.hint()),
            "solution": str(exercise.solution()),
            "starter": exercise.starter and exercise.starter_source,
            "takes": str(inspect.signature(exercise.reference_solution)),
        }
    return shown


def misbehaviors():
    """What one exercise says to each misbehavior; afterward, its solution passes."""
    import misbehaving_submissions as misbehaving

    exercise, messages = exercises()["bahdanau.alignment_error_rate"], []
    for code, expected in misbehaving.MISBEHAVIORS:
        Exercise.time_limit = 0.1 if "0.1 seconds" in expected else 20
        answer = eval(code, vars(misbehaving)) if isinstance(code, str) else code
        messages.append(exercise.check(answer).message)
        Exercise.time_limit = 20
        assert exercise.check(exercise.reference_solution).passed, code
    return messages


def figure():
    """The size of a figure with a formula, and the warnings that drawing it gave."""
    import matplotlib.pyplot as plt
    import numpy as np

    figure, axes = plt.subplots()
    axes.imshow(np.eye(3))
    axes.set_title(r"$\alpha_{ij}' = \sum_k \frac{a}{b}$, where é → ü")
    axes.text(0, 0, "bold", family="monospace", weight="bold", style="italic")
    image, said = io.BytesIO(), io.StringIO()
    with contextlib.redirect_stderr(said):
        figure.savefig(image)
    plt.close(figure)
    return {"bytes": len(image.getvalue()), "warned": said.getvalue()}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    mistakes = None if os.environ.get("MISTAKES") == "all" else 2
    found = {"exercises": everything(mistakes), "figure": figure()}
    found["misbehaviors"] = misbehaviors()
    print(json.dumps(found), flush=True)
