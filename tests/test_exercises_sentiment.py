"""Chapter 04's exercises: solutions against something independent, and the one whose
answer is a class.
"""

import json
import re

import numpy as np
import pytest
from conftest import ROOT
from misbehaving_submissions import MISBEHAVIORS
from numpy.testing import assert_allclose
from test_misbehaving_submissions import notebook_state

from attnlib import reference as ref
from attnlib import scores as scores_module
from attnlib.backend import keras
from attnlib.checking.exercise import Exercise
from attnlib.exercises import sentiment
from attnlib.layers import AttentionPooling
from attnlib.numpy_classifier import Classifier

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


# Other right answers, and what must not pass


def test_agreement_with_deletion_by_hand():
    worth = {"good": 2.0, "not": -3.0}
    logit = lambda words: sum(worth.get(word, 0) for word in words)  # noqa: E731
    sentences = [["not", "good"], ["a", "good", "film"]]
    scores = [np.array([0.4, 0.6]), np.array([0.1, 0.8, 0.1])]
    share = sentiment.agreement_with_deletion.reference_solution
    assert share(logit, sentences, scores) == 0.5
    assert share(logit, sentences[1:], scores[1:]) == 1


def test_classify_sentence_solution_is_the_shipped_classifier():
    classifier = Classifier.load("reviews")
    text = "The food was great, but the waiter was rude."
    mine = Classifier.load(
        "reviews",
        attention_pooling=sentiment.attention_pooling.reference_solution,
        classify_sentence=sentiment.classify_sentence.reference_solution,
    )
    assert mine.yours == ("classify_sentence", "attention_pooling")
    for one, other in zip(mine(text)[::2], classifier(text)[::2], strict=True):
        assert_allclose(one, other, rtol=1e-12)


def test_own_parts_are_those_that_pass(capsys):
    def attention_pooling(values, w, b, v, mask=None):
        scores = np.tanh(values @ w + b) @ v
        return _pooled(ref.softmax(scores, mask), values)

    def classify_sentence(model, token_ids, attention_pooling):
        return 0.5, np.ones(len(token_ids))

    parts = sentiment.own_parts(locals())
    assert parts == {"attention_pooling": attention_pooling}
    whose = [line.split(maxsplit=1)[1] for line in capsys.readouterr().out.splitlines()]
    assert whose == [
        "ours, because yours is not written yet",
        "yours",
        "ours, because yours does not pass its check",
    ]


def _pooled(weights, values):
    return np.einsum("bs,bsd->bd", weights, values), weights


def pooling_in_loops(values, w, b, v, mask=None):
    context, weights = np.zeros(values[:, 0].shape), np.zeros(values.shape[:2])
    for i in range(len(values)):
        words = range(values.shape[1]) if mask is None else np.flatnonzero(mask[i])
        if len(words):
            scores = np.array([np.tanh(values[i, j] @ w + b) @ v for j in words])
            exponentials = np.exp(scores - scores.max())
            weights[i, words] = exponentials / exponentials.sum()
        context[i] = weights[i] @ values[i]
    return context, weights


def pooling_by_attend(values, w, b, v, mask=None):
    scores = (np.tanh(values @ w + b) @ v)[:, None]  # (batch, 1, source_len)
    context, weights = ref.attend(scores, values, mask)
    return [context[:, 0], weights[:, 0]]


def pooling_in_single_precision(values, w, b, v, mask=None):
    arrays = [array.astype("float32") for array in (values, w, b, v)]
    return sentiment.attention_pooling.reference_solution(*arrays, mask)


def means_in_loops(values, mask):
    means = np.zeros(values[:, 0].shape)
    for i in np.flatnonzero(mask.any(axis=1)):
        means[i] = values[i, mask[i]].mean(axis=0)
    return means


def means_of_a_masked_array(values, mask):
    hidden = np.broadcast_to(~mask[:, :, None], values.shape)
    return np.ma.array(values, mask=hidden).mean(axis=1).filled(0)


def deletion_by_pop(logit, words, weights):
    rest = list(words)
    rest.pop(int(weights.argmax()))
    return logit(words) - logit(rest)


def deletion_of_a_tuple(logit, words, weights):
    largest = max(range(len(words)), key=lambda i: weights[i])
    rest = tuple(word for i, word in enumerate(words) if i != largest)
    return logit(tuple(words)) - logit(rest)


def deletion_by_numpy(logit, words, weights):
    return np.float64(logit(words) - logit(np.delete(words, np.argmax(weights))))


@pytest.mark.parametrize(
    "name, right",
    [
        ("attention_pooling", pooling_in_loops),
        ("attention_pooling", pooling_by_attend),
        ("attention_pooling", pooling_in_single_precision),
        ("padding_bug", means_in_loops),
        ("padding_bug", means_of_a_masked_array),
        ("deletion_test", deletion_by_pop),
        ("deletion_test", deletion_of_a_tuple),
        ("deletion_test", deletion_by_numpy),
    ],
)
def test_exercise_accepts_other_styles(name, right):
    result = getattr(sentiment, name).check(right)
    assert result.passed, result


def first_words(mask):
    return np.arange(mask.shape[1]) < mask.sum(axis=1)[:, None]


def without_gaps(mask):
    up_to_the_last = np.maximum.accumulate(mask[:, ::-1], axis=1)[:, ::-1]
    return np.maximum.accumulate(mask, axis=1) & up_to_the_last


def all_for_nothing(mask):
    return mask | ~mask.any(axis=1, keepdims=True)


def with_mask(name, changed):
    """The solution, with another mask."""
    exercise = getattr(sentiment, name)

    def submission(*arguments):
        if len(arguments) > 1 and arguments[-1].dtype == bool:
            arguments = (*arguments[:-1], changed(arguments[-1]))
        return exercise.reference_solution(*arguments)

    return submission


@pytest.mark.parametrize("changed", [first_words, without_gaps, all_for_nothing])
@pytest.mark.parametrize("name", ["attention_pooling", "padding_bug"])
def test_exercise_refuses_other_masks(name, changed):
    result = getattr(sentiment, name).check(with_mask(name, changed))
    assert not result.passed and result.expected is not None


def pooling_with(softmax):
    """The solution with another softmax(scores, mask), mask being given."""

    def attention_pooling(values, w, b, v, mask=None):
        scores = np.tanh(values @ w + b) @ v
        weights = softmax(scores, np.ones(scores.shape, bool) if mask is None else mask)
        return np.einsum("bs,bsd->bd", weights, values), weights

    return attention_pooling


def large_negative(scores, mask):
    return ref.softmax(np.where(mask, scores, -1e9))


def plain_exponentials(scores, mask):
    exponentials = np.where(mask, np.exp(scores), 0)
    total = exponentials.sum(axis=-1, keepdims=True)
    return exponentials / np.where(total == 0, 1, total)


def scores_times_mask(scores, mask):
    return ref.softmax(scores * mask)


def minus_hundred(scores, mask):
    return ref.softmax(np.where(mask, scores, -100)) * mask


def clipped(scores, mask):
    return ref.softmax(np.clip(scores, -700, 700), mask)


@pytest.mark.parametrize(
    "softmax, sentence",
    [
        (
            large_negative,
            "With nothing to attend to, one number everywhere gives equal",
        ),
        (plain_exponentials, "exp is infinite at a score of 1000"),
        (scores_times_mask, "You set padded scores to 0."),
        (minus_hundred, ""),
        (clipped, ""),
    ],
)
def test_attention_pooling_refuses_a_faulty_softmax(softmax, sentence):
    message = first_sentences(sentiment.attention_pooling.check(pooling_with(softmax)))
    assert message.startswith(sentence)
    if not sentence:  # a mistake that has no name gets none
        assert message.split(":")[0] in ("context", "weights")


@pytest.mark.parametrize(
    ("context_of", "sentence"),
    [
        (np.matmul, "A weight (batch, source_len) belongs to a whole word."),
        (
            lambda w, h: np.tensordot(w, h, (1, 1)),
            "A weight (batch, source_len) belongs to a whole word.",
        ),
        (
            lambda w, h: np.sum(np.multiply(w, h), axis=1),
            "A weight (batch, source_len) belongs to a whole word.",
        ),
        (
            lambda w, h: np.einsum("bs,bsd->bd", w, h)[:, np.newaxis],
            "Your context still has an axis of length 1",
        ),
        (
            lambda w, h: np.squeeze(np.expand_dims(w, 1) @ h),
            "Where a batch holds one sentence, your context has lost the axis",
        ),
        (
            lambda w, h: np.einsum("bs,bsd->bsd", w, h),
            "You multiply each word by its weight but do not add the words up.",
        ),
        (
            lambda w, h: np.einsum("bs,bsd->bs", w, h),
            "You sum over the dimension of the words.",
        ),
        (lambda w, h: (w @ h)[0], ""),
        (lambda w, h: np.einsum("bs,bsd->d", w, h), ""),
    ],
)
def test_attention_pooling_names_a_context_of_another_shape(context_of, sentence):
    def attention_pooling(values, w, b, v, mask=None):
        weights = ref.softmax(np.tanh(values @ w + b) @ v, mask)
        return context_of(weights, values), weights

    message = first_sentences(sentiment.attention_pooling.check(attention_pooling))
    assert message.startswith(sentence or "context")


def first_sentences(result):
    """What a refusal says before it shows numbers, on one line."""
    assert not result.passed and result.attempted, result
    lines = result.message.splitlines()[1:]
    return " ".join(" ".join(lines).split("  ")[0].split(" Input:")[0].split())


def test_padding_bug_keeps_nan_at_padding_out():
    values = np.array([[[1.0], [np.nan], [3.0]], [[np.inf], [np.nan], [1e10]]])
    mask = np.array([[True, False, True], [False] * 3])
    solution = sentiment.padding_bug.reference_solution
    assert solution(values, mask).tolist() == [[2.0], [0.0]]


def counted_from_the_front(values, mask):
    counts = mask.sum(axis=1)
    return np.stack(
        [
            v[:n].mean(axis=0) if n else 0.0 * v[0]
            for v, n in zip(values, counts, strict=True)
        ]
    )


def words_that_are_not_zero(values, mask):
    real = np.where(mask[:, :, None], values, 0)
    counts = (real != 0).any(axis=2).sum(axis=1)[:, None]
    return real.sum(axis=1) / np.maximum(counts, 1)


def summed(values, mask):
    return np.where(mask[:, :, None], values, 0).sum(axis=1)


def multiplied(values, mask):
    counts = np.maximum(mask.sum(axis=1, keepdims=True), 1)
    return np.einsum("bsd,bs->bd", values, mask) / counts


def nan_to_zero(values, mask):
    total = np.where(mask[:, :, None], values, 0).sum(axis=1)
    return np.nan_to_num(total / len(mask[0]))


def mask_without_axis(values, mask):
    counts = np.maximum(mask.sum(axis=1, keepdims=True), 1)
    return np.sum(np.where(mask, values, 0.0), axis=1) / counts


def counts_without_axis(values, mask):
    real = np.where(np.expand_dims(mask, 2), values, 0)
    return real.sum(axis=1) / mask.sum(axis=1).clip(min=1)


def words_of_the_batch(values, mask):
    return np.average(values[mask], axis=0)


def words_of_the_batch_in_a_row(values, mask):
    return np.average(values[mask], axis=0)[np.newaxis]


@pytest.mark.parametrize(
    "wrong, sentence",
    [
        (mask_without_axis, "Your mask lines up with the wrong axes."),
        (counts_without_axis, "Your numbers of words line up with the wrong axis."),
        (words_of_the_batch, "values[mask] puts the words of all sentences into one"),
        (words_of_the_batch_in_a_row, "The result"),
        (counted_from_the_front, "You count the words and take as many from the"),
        (words_that_are_not_zero, "You take a word of zeros for padding."),
        (summed, "This is the sum of the words."),
        (multiplied, "You multiply by the mask."),
        (nan_to_zero, "Padding is out of the sum but still counted,"),
    ],
)
def test_padding_bug_names_what_is_wrong(wrong, sentence):
    message = first_sentences(sentiment.padding_bug.check(wrong))
    assert message.startswith(sentence)


def deletion_of_the_first_such_word(logit, words, weights):
    rest = list(words)
    rest.remove(words[int(np.argmax(weights))])
    return logit(words) - logit(rest)


def deletion_with(changed):
    """The solution, with ``changed(words, position)`` in place of the other words."""

    def deletion_test(logit, words, weights):
        return logit(words) - logit(changed(words, int(np.argmax(weights))))

    return deletion_test


@pytest.mark.parametrize(
    "wrong, sentence",
    [
        (deletion_of_the_first_such_word, "A word that occurs twice is deleted twice"),
        (
            deletion_with(lambda words, i: [w for w in words if w != words[i]]),
            "A word that occurs twice is deleted twice",
        ),
        (
            deletion_with(lambda words, i: [*words[:i], "unknown", *words[i + 1 :]]),
            "You replace the word by another one.",
        ),
        (
            deletion_with(lambda words, i: [*words[:i], "", *words[i + 1 :]]),
            "You replace the word by another one.",
        ),
        (
            deletion_with(lambda words, i: sorted(words[:i] + words[i + 1 :])),
            "Your other words are no longer in their order.",
        ),
        (
            deletion_with(lambda words, i: words[: i - 1] + words[i:]),
            "",
        ),
        (
            deletion_with(lambda words, i: words[i + 1 :] + words[:i]),
            "",
        ),
        (
            deletion_with(lambda words, i: words[:i] + words[i + 1 :] or words),
            "",
        ),
        (
            deletion_with(lambda words, i: " ".join(words[:i] + words[i + 1 :])),
            "You called logit with something else than a list of words:",
        ),
    ],
)
def test_deletion_test_refuses_other_lists(wrong, sentence):
    message = first_sentences(sentiment.deletion_test.check(wrong))
    assert message.startswith(sentence or "The result:")


def test_deletion_test_oracle_sees_order_position_and_repetition():
    for _, (logit, words, _) in sentiment.deletion_test._fresh_cases():
        if len(set(words)) > 1:
            assert logit(words) != logit(sorted(words, reverse=words == sorted(words)))
            assert logit(words) != logit([*words, words[0]])
            assert logit(words) != logit(words[:-1])


# The layer


def test_layer_solution_passes_and_is_attention_pooling():
    assert (
        repr(LAYER.check(LAYER.reference_solution))
        == f"Passed: AttentionLayer, {len(LAYER._fresh_cases())} cases."
    )
    namespace = {"keras": keras, "np": np, "ref": ref}
    exec(LAYER.source, namespace)
    assert (
        LAYER.source.startswith("class AttentionLayer(")
        and LAYER.check(namespace["AttentionLayer"]).passed
    )
    ours, theirs = namespace["AttentionLayer"](4), AttentionPooling(4)
    values = np.random.default_rng(0).normal(size=(2, 5, 3)).astype("float32")
    mask = np.array([[True, False, True, True, True], [False] * 5])
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
            r"self.w should be a parameter of shape \(1, 1\), got none",
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
    monkeypatch.setattr(Exercise, "time_limit", 20)
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


# The layer in a model


class NumpyInCall(LAYER.reference_solution):
    def call(self, values, mask=None):
        numbers = [np.asarray(array) for array in (values, self.w, self.b, self.v)]
        mask = None if mask is None else np.asarray(mask)
        return sentiment.attention_pooling.reference_solution(*numbers, mask)


class BranchOnNumbers(LAYER.reference_solution):
    def call(self, values, mask=None):
        context, weights = super().call(values, mask)
        if keras.ops.max(weights) > 2:
            return context, 0 * weights
        return context, weights


class WeightsOfNumpy(LAYER.reference_solution):
    def build(self, shape):
        draw = np.random.default_rng(0).normal
        self.w = draw(size=(shape[-1], self.units)).astype("float32")
        self.b = np.zeros(self.units, "float32")
        self.v = draw(size=self.units).astype("float32")


class Frozen(LAYER.reference_solution):
    def build(self, shape):
        super().build(shape)
        self.v.trainable = False


class OneMore(LAYER.reference_solution):
    def build(self, shape):
        super().build(shape)
        self.u = self.add_weight(shape=(1,))


class AllZero(LAYER.reference_solution):
    def build(self, shape):
        zeros = {"initializer": "zeros"}
        self.w = self.add_weight(shape=(shape[-1], self.units), **zeros)
        self.b = self.add_weight(shape=(self.units,), **zeros)
        self.v = self.add_weight(shape=(self.units,), **zeros)


class Stopped(LAYER.reference_solution):
    def call(self, values, mask=None):
        _, weights = super().call(values, mask)
        weights = keras.ops.stop_gradient(weights)
        return keras.ops.einsum("bs,bsd->bd", weights, values), weights


class StoppedInPart(LAYER.reference_solution):
    def call(self, values, mask=None):
        hidden = keras.ops.matmul(values, keras.ops.stop_gradient(self.w)) + self.b
        scores = keras.ops.tensordot(keras.ops.tanh(hidden), self.v, axes=1)
        weights = softmax_of_scores(scores, mask)
        return keras.ops.einsum("bs,bsd->bd", weights, values), weights


class CutToTheFirstLength(LAYER.reference_solution):
    def build(self, shape):
        super().build(shape)
        self.source_len = shape[1]

    def call(self, values, mask=None):
        context, weights = super().call(values, mask)
        return context, weights[:, : self.source_len]


class PaddedToTheFirstLength(LAYER.reference_solution):
    def build(self, shape):
        super().build(shape)
        self.spread = np.eye(shape[1] or 1, dtype="float32")

    def call(self, values, mask=None):
        context, weights = super().call(values, mask)
        return context, keras.ops.matmul(weights, self.spread)


class MaskPassedOn(LAYER.reference_solution):
    compute_mask = keras.layers.Layer.compute_mask


@pytest.mark.parametrize(
    "wrong, sentence",
    [
        (NumpyInCall, "Your layer works on numbers, but not in a model,"),
        (BranchOnNumbers, "Your layer works on numbers, but not in a model,"),
        (WeightsOfNumpy, "self.w is a NumPy array, which Keras does not train."),
        (Frozen, "self.v is not trainable, so Keras leaves it as it is."),
        (OneMore, "Create w, b, and v with self.add_weight, and no other parameters."),
        (AllZero, "w, b, and v all start at 0."),
        (Stopped, "Trained on two batches, w, b, and v have not moved."),
        (StoppedInPart, "Trained on two batches, w did not move."),
        (CutToTheFirstLength, "Your layer has seen sentences of one length,"),
        (PaddedToTheFirstLength, "Your layer has seen sentences of one length,"),
        (MaskPassedOn, "compute_mask should return None, None:"),
    ],
)
def test_layer_check_says_what_fails_in_a_model(wrong, sentence):
    result = LAYER.check(wrong)
    message = " ".join(result.message.split())
    assert message.count(sentence) == 1, message
    assert message.startswith(f"Not yet: AttentionLayer. {sentence}")
    assert "assign" not in message and "The check" not in message


def softmax_of_scores(scores, mask):
    return scores_module.softmax(scores, mask)


def layer_with(softmax):
    """The solution with another softmax of Keras's tensors."""

    class AttentionLayer(LAYER.reference_solution):
        def call(self, values, mask=None):
            hidden = keras.ops.tanh(values @ self.w + self.b)
            scores = keras.ops.sum(hidden * self.v, axis=-1)
            weights = softmax(scores, mask)
            return keras.ops.sum(weights[:, :, None] * values, axis=1), weights

    return AttentionLayer


def zeros_where_nan(scores, mask):
    if mask is None:
        return keras.ops.softmax(scores)
    weights = keras.ops.softmax(keras.ops.where(mask, scores, -np.inf))
    return keras.ops.where(keras.ops.isnan(weights), 0.0, weights)


def zeros_by_the_mask(scores, mask):
    if mask is None:
        return keras.ops.softmax(scores)
    weights = keras.ops.softmax(keras.ops.where(mask, scores, -1e30))
    return weights * keras.ops.cast(mask, weights.dtype)


def by_the_layer_of_keras(scores, mask):
    weights = keras.layers.Softmax()(scores, mask=mask)
    return weights if mask is None else weights * keras.ops.cast(mask, weights.dtype)


@pytest.mark.parametrize(
    "softmax",
    [softmax_of_scores, zeros_where_nan, zeros_by_the_mask, by_the_layer_of_keras],
)
def test_layer_check_accepts_other_styles(softmax):
    result = LAYER.check(layer_with(softmax))
    assert result.passed, result


def test_layer_check_accepts_a_layer_without_keyword_arguments():
    class AttentionLayer(LAYER.reference_solution):
        def __init__(self, units):
            keras.layers.Layer.__init__(self)
            self.units = units

    assert LAYER.check(AttentionLayer).passed


@pytest.mark.parametrize(
    "softmax, sentence",
    [
        (lambda scores, mask: keras.ops.softmax(scores), "Your layer ignores the mask"),
        (
            lambda scores, mask: keras.ops.softmax(
                scores if mask is None else keras.ops.where(mask, scores, -1e9)
            ),
            "With nothing to attend to, one number everywhere gives equal weights",
        ),
        (
            lambda scores, mask: keras.ops.softmax(
                scores if mask is None else keras.ops.where(mask, scores, -np.inf)
            ),
            "With nothing to attend to, the row is 0 / 0, which is NaN.",
        ),
        (
            lambda scores, mask: keras.ops.softmax(
                scores if mask is None else scores * keras.ops.cast(mask, "float32")
            ),
            "You set padded scores to 0.",
        ),
        (
            lambda scores, mask: keras.ops.softmax(
                scores if mask is None else keras.ops.where(mask, scores, -50.0)
            ),
            "The number you write at padding is not small enough",
        ),
    ],
)
def test_layer_check_names_a_faulty_mask_and_shows_the_input(softmax, sentence):
    result = LAYER.check(layer_with(softmax))
    assert not result.passed
    text = " ".join(result.message.split())
    assert text.startswith(f"Not yet: AttentionLayer. {sentence}")
    assert "values = [" in text and "mask = [[" in text and "expected" in text


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float64"])
def test_layer_check_does_not_depend_on_the_policy(policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        result = LAYER.check(LAYER.reference_solution)
        assert result.passed, result
        assert keras.config.dtype_policy().name == policy
    finally:
        keras.config.set_dtype_policy(before)


def sources_of_the_chapter():
    chapter = json.loads((ROOT / "book" / "04_sentiment.ipynb").read_text("utf-8"))
    return ["".join(cell["source"]) for cell in chapter["cells"]]


def test_no_hint_or_solution_writes_a_large_number_for_infinity():
    exercises = [value for value in vars(sentiment).values() if hasattr(value, "hints")]
    texts = [*LAYER.hints, LAYER.source]
    texts += [text for each in exercises for text in [*each.hints, each.source]]
    assert len(exercises) == 5
    assert not any("1e9" in text or "1e30" in text for text in texts)


def test_layer_of_the_page_is_not_the_answer():
    sources = sources_of_the_chapter()
    source = next(text for text in sources if "class AttentionPooling(" in text)
    namespace = {}
    exec(source, namespace)
    namespace["AttentionPooling"].__name__ = "AttentionLayer"
    assert not LAYER.check(namespace["AttentionPooling"]).passed


def test_module_names_no_other_exercise():
    with pytest.raises(AttributeError, match="no exercise AttentionLair"):
        sentiment.AttentionLair  # noqa: B018


def test_layer_whose_call_takes_no_mask_is_told_so():
    keras = pytest.importorskip("keras")
    from attnlib.exercises.sentiment_keras import AttentionLayer

    class WithoutMask(keras.layers.Layer):
        def __init__(self, units):
            super().__init__()

        def call(self, values):
            return values[:, 0], values[..., 0]

    message = AttentionLayer.check(WithoutMask).message.replace("\n", " ")
    assert "call(self, values, mask=None)" in message
    assert "could not use" not in message
