"""Chapter 04's exercises: solutions against something independent, and the one whose
answer is a class.
"""

import re

import numpy as np
import pytest
from misbehaving_submissions import MISBEHAVIORS
from numpy.testing import assert_allclose
from test_misbehaving_submissions import notebook_state

from attnlib import reference as ref
from attnlib.backend import keras
from attnlib.checking.exercise import Exercise
from attnlib.exercises import sentiment
from attnlib.layers import AttentionPooling

LAYER = sentiment.AttentionLayer


def test_attention_pooling_is_the_layer():
    rng = np.random.default_rng(0)
    values, mask = rng.normal(size=(2, 5, 3)), np.arange(5) < np.array([[5], [2]])
    layer = AttentionPooling(4, dtype="float64")
    layer.build((None, None, 3))
    layer.set_weights([rng.normal(size=w.shape) for w in layer.weights])
    w, b, v = layer.get_weights()
    for one, other in zip(
        sentiment.attention_pooling.reference_solution(values, w, b, v, mask),
        layer(values, mask=mask),
        strict=True,
    ):
        assert_allclose(one, other, atol=1e-6)
    scores = ref.pooling_scores(values, w, b, v)
    assert_allclose(
        sentiment.attention_pooling.reference_solution(values, w, b, v)[1],
        ref.softmax(scores),
    )


def test_padding_bug_solution_is_keras_mean_of_a_mask():
    rng = np.random.default_rng(0)
    values, mask = rng.normal(size=(3, 6, 4)), np.arange(6) < np.array([[6], [1], [4]])
    expected = keras.layers.GlobalAveragePooling1D(dtype="float64")(values, mask=mask)
    assert_allclose(
        sentiment.padding_bug.reference_solution(values, mask), expected, rtol=1e-6
    )


def test_deletion_test_by_hand():
    word_logits = {"good": 2.0, "not": -3.0}
    logit = lambda words: sum(word_logits.get(word, 0) for word in words)  # noqa: E731
    assert (
        sentiment.deletion_test.reference_solution(
            logit, ["not", "good"], np.array([0.6, 0.4])
        )
        == -3
    )
    assert (
        sentiment.deletion_test.reference_solution(
            logit, ["not", "good"], np.array([0.4, 0.6])
        )
        == 2
    )


# The layer


def test_layer_solution_passes_and_is_attention_pooling():
    assert (
        repr(LAYER.check(LAYER.reference_solution))
        == "Passed: AttentionLayer, 2 cases."
    )
    namespace = {"keras": keras, "np": np, "ref": ref}
    exec(LAYER.source, namespace)
    assert (
        LAYER.source.startswith("class AttentionLayer(")
        and LAYER.check(namespace["AttentionLayer"]).passed
    )
    ours, theirs = namespace["AttentionLayer"](4), AttentionPooling(4)
    values = np.random.default_rng(0).normal(size=(2, 5, 3)).astype("float32")
    mask = np.array([[True] * 5, [False] * 5])
    mask[1, :2] = True
    theirs(values)
    ours(values)
    ours.set_weights(theirs.get_weights())
    for one, other in zip(
        ours(values, mask=mask), theirs(values, mask=mask), strict=True
    ):
        assert_allclose(one, other, atol=1e-6)


def test_layer_refuses_each_known_wrong_answer_with_its_own_message():
    assert len(LAYER.known_mistakes) >= 3
    for message, wrong in LAYER.known_mistakes:
        result = LAYER.check(wrong)
        assert not result.passed and result.attempted and message.isascii()
        said = result.message.removeprefix("Not yet: AttentionLayer.\n").replace(
            "\n", " "
        )
        assert said.startswith(message), (wrong.__name__, result)


class Stub(keras.layers.Layer):
    """What to do."""


class StubWithInit(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)

    def call(self, values, mask=None): ...


@pytest.mark.parametrize("stub", [Stub, StubWithInit])
def test_layer_stub_is_not_attempted(stub):
    assert repr(LAYER.check(stub)) == "Not attempted yet: AttentionLayer."


def subclass(**methods):
    return type("AttentionLayer", (LAYER.reference_solution,), methods)


def endless(self, values, mask=None):
    while True:
        pass


def raises(self, values, mask=None):
    raise KeyError("mine")


@pytest.mark.parametrize(
    "submission, message",
    [
        (LAYER.reference_solution(4), "check needs the class itself: write check"),
        (lambda units: None, "check needs the class itself: write check"),
        (subclass(call=raises), "KeyError"),
        (subclass(call=endless), "still running after 0.5 seconds"),
        (
            subclass(call=lambda self, values, mask=None: values),
            "call should return two values",
        ),
        (
            subclass(
                build=lambda self, shape: None,
                call=lambda self, values, mask=None: (values, values),
            ),
            r"self.w should be a weight of shape \(3, 4\), got none",
        ),
        (
            type(
                "AttentionLayer",
                (),
                {"__init__": lambda self, units, **k: None, "call": raises},
            ),
            "Your class should be a Keras layer",
        ),
    ],
)
def test_layer_check_answers_misbehaving_code(submission, message, monkeypatch):
    monkeypatch.setattr(Exercise, "time_limit", 0.5 if "0.5" in message else 20)
    result = LAYER.check(submission)
    assert not result.passed
    assert re.search(message, result.message), result.message
    assert LAYER.hint() and LAYER.check(LAYER.reference_solution).passed


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "code", [code for code, _ in MISBEHAVIORS if not isinstance(code, str)]
)
def test_layer_survives_misbehaving_code_in_its_call(code, monkeypatch, capsys):
    before = notebook_state()[:-1]  # a thread that the code started may still run
    monkeypatch.setattr(
        Exercise, "time_limit", 0.5 if code.__name__.startswith("loops") else 20
    )
    result = LAYER.check(
        subclass(call=lambda self, values, mask=None: code(values, mask))
    )
    assert not result.passed and repr(result).startswith("Not yet: AttentionLayer.\n")
    assert len(repr(result)) < 20_000
    assert notebook_state()[:-1] == before
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(Exercise, "time_limit", 20)
    assert LAYER.check(LAYER.reference_solution).passed


def test_layer_stopped_in_its_call_leaves_keras_whole(monkeypatch):
    monkeypatch.setattr(Exercise, "time_limit", 0.5)
    assert "still running" in LAYER.check(subclass(call=endless)).message
    drop, ones = keras.layers.Dropout(0.9), np.ones((4, 9), "float32")
    assert np.abs(drop(ones, training=True) - ones).max() > 0
    assert_allclose(drop(ones), ones)  # no longer training


def test_module_names_no_other_exercise():
    with pytest.raises(AttributeError, match="no exercise AttentionLair"):
        sentiment.AttentionLair  # noqa: B018
