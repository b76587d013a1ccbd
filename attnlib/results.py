"""Results of the long experiments, as the chapters read them.

Each script in ``experiments/`` writes one JSON file. Its ``"runs"`` are a list of
dicts, one per model and seed. The file may hold more, such as the edges of length bins.
"""

import json
from importlib import resources
from pathlib import Path

import numpy as np

from attnlib.arguments import one_of

_CHECKOUT = Path(__file__).parent.parent / "experiments" / "results"


def load(name):
    """The whole result of an experiment.

    It comes from the checkout's ``experiments/results``, or from the copy that an
    installed attnlib carries.

    Parameters
    ----------
    name : str
        The experiment, such as ``"length_curve"``.

    Returns
    -------
    dict
        The JSON file as dicts and lists; ``"runs"`` is a list of dicts.

    Raises
    ------
    FileNotFoundError
        If there is no such result. The message lists the results there are.
    """
    folder = _CHECKOUT if _CHECKOUT.is_dir() else resources.files("attnlib.recorded")
    files = {
        file.name.removesuffix(".json"): file
        for file in folder.iterdir()
        if file.name.endswith(".json")
    }
    if name not in files:
        names = ", ".join(map(repr, sorted(files)))
        raise FileNotFoundError(f"name should be one of {names}, got {name!r}")
    return json.loads(files[name].read_text(encoding="utf-8"))


def runs(name, **conditions):
    """The runs of an experiment that meet every condition.

    Parameters
    ----------
    name : str
        The experiment, such as ``"alignment_error"``.
    **conditions
        A field of the runs, and the value it should have: ``model="dot"``, ``seed=0``.

    Returns
    -------
    list of dict
        The selected runs, in the order in which the file holds them.

    Raises
    ------
    FileNotFoundError
        If there is no such result.
    ValueError
        If no run has such a field, or no selected run has this value. The message lists
        the fields or the values there are.
    """
    selected = load(name)["runs"]
    for field, value in conditions.items():
        one_of("field", field, list(dict.fromkeys(f for run in selected for f in run)))
        values = []
        for run in selected:
            if field in run and run[field] not in values:
                values.append(run[field])
        one_of(field, value, values)
        selected = [run for run in selected if field in run and run[field] == value]
    return selected


def by_seed(name, model, field):
    """One field of every run of a model, with seeds along the first axis.

    Parameters
    ----------
    name : str
        The experiment, such as ``"alignment_error"``.
    model : str
        The model's name in it, such as ``"local-p-5"``.
    field : str
        A field of numbers, such as ``"aer"``.

    Returns
    -------
    numpy.ndarray, shape (seeds, ...)
        The values in ascending order of the seed. A field that is itself a list adds
        its axes: ``"by_length"`` holds one row ``[low, high, count, mean]`` per bin of
        source length, so its array has shape (seeds, bins, 4), and ``[..., -1]`` are
        the means.

    Raises
    ------
    FileNotFoundError
        If there is no such result.
    ValueError
        If there is no such model or field. The message lists what there is.
    TypeError
        If the field does not hold numbers.
    """
    selected = sorted(runs(name, model=model), key=lambda run: run["seed"])
    one_of("field", field, list(selected[0]))
    values = np.array([run[field] for run in selected])
    if values.dtype.kind not in "fiub":
        example = selected[0][field]
        raise TypeError(
            f"{field} should hold numbers in every run, got {example!r:.60}"
        )
    return values
