"""The bug of chapter 10 in a Keras layer: its solution, its symptom, and verdicts on
other attempts.
"""

import json

import numpy as np
import pytest
from conftest import ROOT

from attnlib.backend import keras
from attnlib.exercises import bug_hunt

LAYER = bug_hunt.PositionalEmbedding
WITH_BUG = LAYER.starter


def said(submission):
    result = LAYER.check(submission)
    assert result.attempted and not result.passed, result
    return result.message.removeprefix(f"Not yet: {LAYER.name}.\n").replace("\n", " ")


def test_solution_passes_and_its_text_stands_alone():
    namespace = {"keras": keras}
    exec(LAYER.source, namespace)
    result = LAYER.check(namespace["PositionalEmbedding"])
    assert repr(result) == f"Passed: PositionalEmbedding, {len(LAYER._expected)} cases."
    assert "def compute_mask" in LAYER.source
    assert max(map(len, LAYER.source.splitlines())) <= 88


def test_starter_differs_from_the_solution_by_its_mask_alone():
    token_ids = np.array([[3, 1, 0], [2, 0, 0]])
    layers = [made(5, 3, 4) for made in (LAYER.reference_solution, WITH_BUG)]
    results = [layer(token_ids) for layer in layers]
    layers[1].set_weights(layers[0].get_weights())
    assert np.array_equal(layers[1](token_ids), results[0])
    assert np.array_equal(results[0]._keras_mask, token_ids != 0)
    assert getattr(results[1], "_keras_mask", None) is None
    assert "compute_mask" not in LAYER.starter_source
    assert len(LAYER.starter_source.splitlines()) <= 15


def test_chapter_starts_with_the_bug_and_shows_its_symptom_alone():
    text = (ROOT / "book" / "10_bug_hunt.ipynb").read_text("utf-8")
    cells = json.loads(text)["cells"]
    call = "ex.PositionalEmbedding.check(PositionalEmbedding)"
    (at,) = (i for i, cell in enumerate(cells) if "".join(cell["source"]) == call)
    assert "".join(cells[at - 1]["source"]) == LAYER.starter_source
    (output,) = cells[at]["outputs"]
    stored = "".join(output["data"]["text/plain"])
    assert stored == LAYER.check(WITH_BUG).message
    assert "compute_mask" not in stored and "_keras_mask" not in stored


@pytest.mark.parametrize(
    ("message", "mistake"), LAYER.known_mistakes, ids=lambda value: str(value)[:30]
)
def test_each_known_mistake_gets_its_own_message(message, mistake):
    assert said(mistake).startswith(message)


def test_messages_are_plain_and_hints_exist():
    assert len(LAYER.known_mistakes) >= 4 and LAYER.hints
    for text in [*(message for message, _ in LAYER.known_mistakes), *LAYER.hints]:
        assert text.isascii()


def test_mask_attached_by_hand_is_accepted():
    class PositionalEmbedding(WITH_BUG):
        def compute_mask(self, token_ids, mask=None):
            return keras.ops.not_equal(token_ids, 0)

    assert LAYER.check(PositionalEmbedding).passed


def test_numpy_in_the_layer_is_told_to_fail_in_a_model():
    class PositionalEmbedding(WITH_BUG):
        def compute_mask(self, token_ids, mask=None):
            return np.asarray(token_ids) != 0

    assert said(PositionalEmbedding).startswith("The layer works on arrays of token")


def test_other_weights_are_told():
    class PositionalEmbedding(WITH_BUG):
        def build(self, shape):
            super().build(shape)
            self.scale = self.add_weight(shape=(), name="scale")

    assert said(PositionalEmbedding).startswith("After build, the layer should have")


def test_something_else_than_a_layer_is_told():
    class PositionalEmbedding:
        def __init__(self, vocabulary_size, max_length, units):
            self.table = np.zeros((vocabulary_size, units))

        def call(self, token_ids):
            return self.table[token_ids]

    assert said(PositionalEmbedding).startswith("Your class should be a Keras layer")


def test_other_names_are_no_exercises():
    with pytest.raises(AttributeError, match="no exercise PositionalEmbeding"):
        bug_hunt.PositionalEmbeding  # noqa: B018
