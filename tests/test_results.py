"""The readers of experiment results: what they select, and what they say when there is
nothing to select.
"""

import json

import numpy as np
import pytest

from attnlib import results

STORED = {
    "edges": [0, 5, 10],
    "runs": [
        {
            "model": "dot",
            "task": "dates",
            "seed": 1,
            "aer": 0.25,
            "by_length": [[0, 5, 9, 0.5], [5, 10, 8, 0.75]],
        },
        {
            "model": "dot",
            "task": "dates",
            "seed": 0,
            "aer": 0.5,
            "by_length": [[0, 5, 9, 0.125], [5, 10, 8, 1.0]],
        },
        {"model": "mean", "task": "canvases", "seed": 0, "share": None},
    ],
}


@pytest.fixture(autouse=True)
def stored(tmp_path, monkeypatch):
    """Two results in a folder, read in place of the book's own."""
    monkeypatch.setattr(results, "_CHECKOUT", tmp_path)
    (tmp_path / "length_curve.json").write_text(json.dumps(STORED), encoding="utf-8")
    (tmp_path / "other.json").write_text('{"runs": []}', encoding="utf-8")


def message(error, function, *args, **conditions):
    with pytest.raises(error) as raised:
        function(*args, **conditions)
    return str(raised.value)


def test_load_returns_the_whole_file():
    assert results.load("length_curve") == STORED


def test_load_names_the_results_there_are():
    assert message(FileNotFoundError, results.load, "curve") == (
        "name should be one of 'length_curve', 'other', got 'curve'"
    )


def test_runs_meet_every_condition():
    first, second, third = STORED["runs"]
    assert results.runs("length_curve") == [first, second, third]
    assert results.runs("length_curve", model="dot") == [first, second]
    assert results.runs("length_curve", model="dot", seed=0) == [second]
    assert results.runs("length_curve", share=None) == [third]


def test_runs_name_the_fields_and_the_values_there_are():
    assert message(ValueError, results.runs, "length_curve", modle="dot") == (
        "field should be one of 'model', 'task', 'seed', 'aer', 'by_length', 'share',"
        " got 'modle'"
    )
    assert message(ValueError, results.runs, "length_curve", model="dots") == (
        "model should be one of 'dot', 'mean', got 'dots'"
    )
    # The second condition applies to what the first has left.
    arguments = {"model": "mean", "seed": 1}
    assert message(ValueError, results.runs, "length_curve", **arguments) == (
        "seed should be one of 0, got 1"
    )


def test_by_seed_orders_the_runs_by_their_seed():
    np.testing.assert_array_equal(
        results.by_seed("length_curve", "dot", "aer"), [0.5, 0.25]
    )


def test_by_seed_keeps_the_axes_of_a_list():
    curves = results.by_seed("length_curve", "dot", "by_length")
    assert curves.shape == (2, 2, 4)
    np.testing.assert_array_equal(curves[..., -1], [[0.125, 1.0], [0.5, 0.75]])


def test_by_seed_names_the_models_and_the_fields_there_are():
    assert message(ValueError, results.by_seed, "length_curve", "max", "aer") == (
        "model should be one of 'dot', 'mean', got 'max'"
    )
    assert message(ValueError, results.by_seed, "length_curve", "mean", "aer") == (
        "field should be one of 'model', 'task', 'seed', 'share', got 'aer'"
    )


@pytest.mark.parametrize("field, example", [("share", "None"), ("task", "'canvases'")])
def test_by_seed_refuses_a_field_that_holds_no_numbers(field, example):
    assert message(TypeError, results.by_seed, "length_curve", "mean", field) == (
        f"{field} should hold numbers in every run, got {example}"
    )
