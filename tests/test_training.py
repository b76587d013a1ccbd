"""What Keras's compile, fit, and evaluate are told: it counts, or it is refused."""

import io
import re
from contextlib import redirect_stdout

import numpy as np
import pytest
import toy_task
from numpy.testing import assert_allclose, assert_array_equal

from attnlib.backend import keras
from attnlib.batches import (
    Batches,
    check_class_weight,
    leave_out_long,
    split_pairs,
)
from attnlib.losses import check_loss, check_metrics
from attnlib.seq2seq import Seq2Seq

ops = keras.ops
PAIRS = toy_task.PAIRS
LOGITS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def small(**options):
    """A model that is traced fast."""
    return toy_task.model(attention="none", bidirectional=False, **options)


@pytest.fixture
def model():
    return small(scale=0.5)


@pytest.fixture(scope="module")
def shared():
    """A model that no test trains or compiles."""
    return small(scale=0.5)


def weights_of(model):
    return [weight.copy() for weight in model.get_weights()]


def changed(before, model):
    return max(
        np.abs(a - b).max() for a, b in zip(before, model.get_weights(), strict=True)
    )


# Weights

RARE = [(["a"], ["y" if k % 10 == 0 else "x"]) for k in range(400)]


def probability_of_y(**options):
    """After a training in which one target of ten is y."""
    keras.utils.set_random_seed(0)
    model = Seq2Seq.for_pairs(
        RARE,
        attention="none",
        bidirectional=False,
        units=8,
        embedding_dim=4,
        learning_rate=0.05,
    )
    if "class_weight" in options:
        assert model.target_vocabulary.index["y"] == 4
    model.fit(RARE, epochs=10, batch_size=50, verbose=0, **options)
    logits = model((np.array([[3]]), np.array([[1]])))[0, 0]
    return float(ops.softmax(logits)[model.target_vocabulary.index["y"]])


@pytest.mark.parametrize(
    "options, expected",
    [
        ({}, 0.1),
        ({"class_weight": {4: 9.0}}, 0.5),
        ({"class_weight": {"y": 9.0}}, 0.5),
        ({"class_weight": {"y": 81}}, 0.9),
        ({"sample_weight": [9.0 if pair[1] == ["y"] else 1.0 for pair in RARE]}, 0.5),
        ({"sample_weight": [pair[1] == ["y"] for pair in RARE]}, 1.0),
        (
            {
                "class_weight": {"y": 3.0},
                "sample_weight": [3.0 if pair[1] == ["y"] else 1 for pair in RARE],
            },
            0.5,
        ),
    ],
)
def test_fit_counts_words_and_pairs_by_their_weight(options, expected):
    assert probability_of_y(**options) == pytest.approx(expected, abs=0.07)


def test_loss_is_the_weighted_sum_over_the_number_of_tokens(model):
    pairs = PAIRS[:6]
    weights = np.arange(6.0)
    nats, count = 0.0, 0
    for weight, pair in zip(weights, pairs, strict=True):
        tokens = len(pair[1]) + 1
        nats += weight * tokens * model.evaluate([pair])[0]
        count += tokens
    got, accuracy = model.evaluate(pairs, sample_weight=weights, batch_size=4)
    assert got == pytest.approx(nats / count, rel=1e-5)
    assert accuracy == pytest.approx(model.evaluate(pairs)[1])  # over all tokens alike
    heavy = model.evaluate(model.batches(pairs, class_weight={"A": 5.0}))[0]
    words = [word for _, target in pairs for word in target]
    assert "A" in words and heavy > model.evaluate(pairs)[0]


def test_train_on_batch_takes_class_weight():
    losses = []
    for weight in (1.0, 2.0, {}):
        model = small(scale=0.5)
        (inputs, target) = model.batches(PAIRS, 8, shuffle=False)[0]
        every = dict.fromkeys(range(len(model.target_vocabulary)), weight)
        given = {} if weight == {} else {"class_weight": every}
        logs = model.train_on_batch(inputs, target, return_dict=True, **given)
        losses.append(float(logs["loss"]))
    assert_allclose(losses, np.array([1, 2, 1]) * losses[2], rtol=1e-5)


@pytest.mark.parametrize(
    "options, message",
    [
        (
            {"class_weight": {"z": 2.0}},
            "class_weight should have words of the target .*'z'",
        ),
        ({"class_weight": {7: 2.0}}, "class_weight .* or their IDs from 0 to 6, got 7"),
        (
            {"class_weight": {"A": -1.0}},
            "class_weight should hold numbers of 0 or more",
        ),
        ({"class_weight": {"A": "9"}}, "class_weight should hold numbers of 0 or more"),
        (
            {"class_weight": [1.0, 9.0]},
            r"class_weight should be a dict such as \{'word'",
        ),
        ({"sample_weight": [1.0]}, r"of shape \(48,\), got float64 of shape \(1,\)"),
        ({"sample_weight": np.ones((48, 2))}, "sample_weight should be one number per"),
        ({"sample_weight": np.full(48, np.nan)}, "sample_weight should hold numbers"),
        ({"validation_split": 1.0}, "should be a fraction between 0 and 1, got 1.0"),
        (
            {"validation_split": 0.999},
            "at least one pair on each side, got 0.999 of 48",
        ),
        (
            {"validation_split": 0.5, "validation_data": PAIRS},
            "validation_split should be given with pairs, .* and validation_data too",
        ),
    ],
)
def test_weights_and_splits_that_fit_nothing_are_refused(shared, options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        shared.fit(PAIRS, verbose=0, **options)


def test_class_weight_is_one_where_a_word_is_not_listed(shared):
    vocabulary = shared.target_vocabulary
    weights = check_class_weight({"B": 2, 2: 0.5}, vocabulary)
    assert weights.tolist() == [1, 1, 0.5, 1, 2, 1, 1]


# Validation


def test_validation_split_is_the_last_fraction_as_keras_takes_it():
    (train, _), (held_out, _) = split_pairs(list(range(10)), 0.25, None)
    assert (train, held_out) == ([0, 1, 2, 3, 4, 5, 6], [7, 8, 9])
    (_, some), (_, others) = split_pairs(list(range(4)), 0.5, [1, 2, 3, 4])
    assert (some.tolist(), others.tolist()) == ([1, 2], [3, 4])


@pytest.mark.parametrize("weights", [None, np.arange(48.0)])
def test_fit_with_validation_split_equals_two_lists(weights):
    results = []
    for split in (True, False):
        model = small()
        if split:
            options = {"validation_split": 0.25, "sample_weight": weights}
            history = model.fit(PAIRS, verbose=0, batch_size=9, **options).history
        else:
            parts = (None, None) if weights is None else (weights[:36], weights[36:])
            held_out = model.batches(PAIRS[36:], 9, False, sample_weight=parts[1])
            history = model.fit(
                PAIRS[:36],
                verbose=0,
                batch_size=9,
                validation_data=held_out,
                sample_weight=parts[0],
            ).history
        results.append(history)
    assert results[0] == results[1]
    assert "val_loss" in results[0]


def test_fit_validates_in_batches_of_the_size_and_number_asked_for(model, monkeypatch):
    sizes = []

    def spy(pairs, *args):
        sizes.append((len(pairs), args[2]))
        return Batches(pairs, *args)

    monkeypatch.setattr("attnlib.training.Batches", spy)
    options = {"batch_size": 24, "validation_batch_size": 3, "validation_steps": 1}
    history = model.fit(PAIRS, validation_split=0.25, verbose=0, **options).history
    assert sizes == [(36, 24), (12, 3)]
    first = model.batches(PAIRS[36:], 3, False)[0]
    expected = float(model.test_on_batch(*first)[0])
    assert history["val_loss"][0] == pytest.approx(expected, rel=1e-5)


# Loss


def trained(steps=2, **options):
    model = small()
    model.compile(keras.optimizers.Adam(1e-2), **options)
    before = weights_of(model)
    losses = model.fit(PAIRS, epochs=steps, batch_size=16, verbose=0).history["loss"]
    return losses, changed(before, model)


def by_hand(y, y_pred):
    probability = ops.softmax(y_pred)  # (tokens, target vocabulary)
    return -ops.log(ops.take_along_axis(probability, y[:, None], 1)[:, 0])


@pytest.mark.parametrize(
    "loss",
    [
        LOGITS,
        keras.losses.CategoricalCrossentropy(from_logits=True),
        by_hand,
        lambda y, y_pred: ops.mean(by_hand(y, y_pred)),
        [by_hand],
    ],
)
def test_loss_that_is_the_cross_entropy_trains_to_the_same(loss):
    assert_allclose(trained(loss=loss)[0], trained()[0], rtol=1e-4)


def test_loss_given_is_the_one_that_is_minimized():
    losses, moved = trained(loss=lambda y, y_pred: 0.0 * ops.sum(y_pred))
    assert losses == [0.0, 0.0] and moved == 0
    half, _ = trained(steps=1, loss=by_hand, loss_weights=0.5)
    assert half[0] == pytest.approx(trained(steps=1)[0][0] / 2, rel=1e-2)


def test_loss_sees_real_tokens_alone(model):
    seen = []

    def count(y, y_pred):
        seen.append((y.numpy() if hasattr(y, "numpy") else y, tuple(y_pred.shape)))
        return 0.0 * by_hand(y, y_pred)

    model.compile("adam", loss=count, run_eagerly=True)
    model.evaluate(PAIRS, batch_size=7)
    tokens = np.concatenate([y for y, _ in seen[1:]])  # the first is the trial
    assert len(tokens) == sum(len(target) + 1 for _, target in PAIRS)
    assert (tokens != 0).all() and (tokens == 2).sum() == len(PAIRS)
    assert {shape[1] for _, shape in seen} == {len(model.target_vocabulary)}


def test_label_smoothing_equals_a_hand_computation(model):
    smooth = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.2)
    pair = PAIRS[0]
    inputs, target = model.batches([pair])[0]
    logs = np.log(ops.softmax(model(inputs))[0].numpy())
    size = logs.shape[1]
    rows = np.arange(len(target[0]))
    expected = -(0.8 * logs[rows, target[0]] + 0.2 / size * logs.sum(1)).mean()
    model.compile("adam", loss=smooth)
    assert model.evaluate([pair])[0] == pytest.approx(expected, rel=1e-5)


def test_compile_again_without_loss_and_metrics_has_none_of_them(model):
    model.compile("adam", loss=lambda y, y_pred: 0.0 * by_hand(y, y_pred))
    assert model.evaluate(PAIRS)[0] == 0
    model.compile("adam", metrics=["accuracy"])
    loss, *others = model.evaluate(PAIRS)
    assert loss > 1 and len(others) == 2
    model.compile("adam")
    assert model.evaluate(PAIRS) == [loss, others[0]]


@pytest.mark.parametrize(
    "loss, message",
    [
        ("nonsense", "a function of token IDs and logits, .* got 'nonsense'"),
        (7, "loss should be None for the cross-entropy, .* got 7"),
        ("sparse_categorical_crossentropy", r"Crossentropy\(from_logits=True\), got"),
        ("mse", r"SparseCategoricalCrossentropy\(from_logits=True\), got 'mse'"),
        (keras.losses.SparseCategoricalCrossentropy(), "from_logits=True"),
        (keras.losses.KLDivergence(), "from_logits=True"),
        ([by_hand, by_hand], "loss should be one loss, got"),
        (lambda y, y_pred: y_pred, r"one number, or one per token, got shape \(3, 7\)"),
        (lambda y: y, "loss should be computed from token IDs, .*, got TypeError"),
    ],
)
def test_compile_refuses_a_loss_that_does_not_fit(shared, loss, message):
    with pytest.raises(ValueError, match=message):
        shared.compile("adam", loss=loss)


def test_compile_refuses_what_would_be_ignored(model):
    with pytest.raises(
        ValueError, match="loss_weights should be given with a loss, got"
    ):
        model.compile("adam", loss_weights=0.5)
    model.compile("adam", loss=lambda y, y_pred: ops.mean(by_hand(y, y_pred)))
    with pytest.raises(
        ValueError, match="loss should return one number per token where"
    ):
        model.fit(PAIRS, class_weight={"A": 2.0}, verbose=0)


def test_check_loss_says_what_a_loss_gets_and_returns():
    smooth = keras.losses.CategoricalCrossentropy(from_logits=True)
    assert check_loss(None, None, 5) == (None, False, True)
    assert check_loss(LOGITS, None, 5)[1:] == (False, True)
    assert check_loss(smooth, None, 5)[1:] == (True, True)
    assert check_loss(lambda y, y_pred: ops.sum(y_pred), None, 5)[1:] == (False, False)


# Metrics


def test_metrics_are_over_real_tokens(model):
    top = keras.metrics.SparseTopKCategoricalAccuracy(k=7, name="top")
    weighted = keras.metrics.SparseCategoricalCrossentropy(
        from_logits=True, name="nats"
    )
    model.compile(
        "adam", metrics=["accuracy", top, by_hand], weighted_metrics=[weighted]
    )
    weights = np.arange(48.0)
    plain = model.evaluate(PAIRS, return_dict=True, batch_size=7)
    assert plain["accuracy"] == pytest.approx(plain["token_accuracy"])
    assert plain["top"] == 1.0  # of seven tokens
    assert plain["by_hand"] == pytest.approx(plain["loss"], rel=1e-4)
    assert plain["nats"] == pytest.approx(plain["loss"], rel=1e-4)
    found = model.evaluate(PAIRS, sample_weight=weights, return_dict=True)
    assert found["by_hand"] == pytest.approx(plain["loss"], rel=1e-4)
    lengths = np.array([len(target) + 1 for _, target in PAIRS])
    mean_weight = (weights * lengths).sum() / lengths.sum()
    assert found["nats"] == pytest.approx(found["loss"] / mean_weight, rel=1e-4)
    history = model.fit(PAIRS, verbose=0, validation_split=0.5).history
    names = {"loss", "token_accuracy", "accuracy", "top", "by_hand", "nats"}
    assert set(history) == names | {f"val_{name}" for name in names}


@pytest.mark.parametrize(
    "metrics",
    [
        ["nonsense"],
        ["mse"],
        [keras.metrics.CategoricalAccuracy()],
        [keras.metrics.SparseCategoricalCrossentropy()],
        ["accuracy", keras.metrics.AUC()],
    ],
)
@pytest.mark.parametrize("argument", ["metrics", "weighted_metrics"])
def test_compile_refuses_metrics_that_do_not_fit(shared, argument, metrics):
    message = "metrics should be computed from token IDs, .*, such as 'accuracy', "
    with pytest.raises(ValueError, match=message):
        shared.compile("adam", **{argument: metrics})


def test_metric_of_ours_is_not_measured_twice():
    with pytest.raises(ValueError, match="metrics should not have the name 'loss'"):
        check_metrics([keras.metrics.SparseCategoricalAccuracy(name="loss")])


# Regularizers, and what is frozen


def fit_again(model, **options):
    before = weights_of(model)
    model.fit(PAIRS, verbose=0, **options)
    return before


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("where", ["layer", "weight"])
def test_regularizer_counts_whenever_it_is_set(model, when, where):
    regularizer = keras.regularizers.L2(100)
    plain = model.evaluate(PAIRS)[0]
    if when == "after":  # the steps are traced
        model.fit(PAIRS[:1], verbose=0)
        plain = model.evaluate(PAIRS)[0]
    dense = model.output_layer
    if where == "layer":
        dense.kernel_regularizer = regularizer
    else:
        dense.kernel.regularizer = regularizer
    expected = plain + 100 * (dense.kernel.numpy() ** 2).sum()
    assert model.evaluate(PAIRS)[0] == pytest.approx(expected, rel=1e-5)
    size = np.abs(dense.kernel.numpy()).sum()
    model.fit(PAIRS, epochs=4, verbose=0)
    assert np.abs(dense.kernel.numpy()).sum() < size - 0.1
    if where == "layer":
        dense.kernel_regularizer = None
        assert model.evaluate(PAIRS)[0] < 10


@pytest.mark.parametrize(
    "part, attribute",
    [
        (lambda m: m.encoder.cell, "recurrent_regularizer"),
        (lambda m: m.source_embedding, "embeddings_regularizer"),
        (lambda m: m.decoder.cell, "bias_regularizer"),
        (lambda m: m.output_layer, "activity_regularizer"),
    ],
)
def test_regularizer_of_every_part_counts(model, part, attribute):
    plain = model.evaluate(PAIRS)[0]
    setattr(part(model), attribute, keras.regularizers.L1(10))
    assert model.evaluate(PAIRS)[0] > plain + 1
    with_loss = model.evaluate(PAIRS)[0]
    model.compile("adam", loss=LOGITS)
    assert model.evaluate(PAIRS)[0] == pytest.approx(with_loss, rel=1e-4)


def test_constraint_holds(model):
    model.output_layer.kernel_constraint = keras.constraints.UnitNorm()
    model.fit(PAIRS, verbose=0)
    norms = np.linalg.norm(model.output_layer.kernel.numpy(), axis=0)
    assert_allclose(norms, 1, rtol=1e-4)


def test_part_frozen_after_a_training_stays_as_it_is(model):
    model.fit(PAIRS, verbose=0)
    model.source_embedding.trainable = False
    kept = model.source_embedding.get_weights()[0].copy()
    assert changed(fit_again(model), model) > 1e-3
    assert_array_equal(model.source_embedding.get_weights()[0], kept)
    model.source_embedding.trainable = True
    model.fit(PAIRS, verbose=0)
    assert np.abs(model.source_embedding.get_weights()[0] - kept).max() > 1e-4


# How the steps run


@pytest.mark.parametrize(
    "options",
    [{"run_eagerly": True}, {"steps_per_execution": 2}, {"jit_compile": "auto"}],
)
def test_ways_of_running_give_the_same_training(options):
    assert_allclose(trained(**options)[0], trained()[0], rtol=1e-5)


def test_step_that_xla_cannot_compile_is_refused_with_the_way_out():
    model = toy_task.model()
    model.compile("adam", jit_compile=True)
    with pytest.raises(
        ValueError, match="jit_compile should be False for a model whose"
    ):
        model.fit(PAIRS, verbose=0)


# Batches of one's own


class Own(keras.utils.PyDataset):
    def __init__(self, batches, weights=None):
        super().__init__()
        self.batches, self.weights, self.epochs = batches, weights, 0

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        batch = self.batches[index]
        return batch if self.weights is None else (*batch, self.weights[index])

    def on_epoch_end(self):
        self.epochs += 1


def own_batches(model, size=16, shuffle=False, pairs=PAIRS):
    batches = model.batches(pairs, size, shuffle)
    return [batches[index] for index in range(len(batches))]


def test_fit_on_own_batches_equals_that_on_ours():
    results = []
    for own in (False, True):
        model = small()
        data = model.batches(PAIRS, 16, False)
        if own:
            data = Own(own_batches(model))
        history = model.fit(data, epochs=2, verbose=0, validation_data=data).history
        results.append((history, model.evaluate(data)))
    assert results[0] == results[1]
    assert data.epochs == 5  # two to train, two to validate, one to evaluate


@pytest.mark.parametrize("width", ["pair", "token"])
def test_own_batches_bring_weights(model, width):
    batches = own_batches(model)
    shapes = [target.shape[: 1 if width == "pair" else 2] for _, target in batches]
    plain = model.evaluate(Own(batches))[0]
    weights = [np.full(shape, 3.0) for shape in shapes]
    assert model.evaluate(Own(batches, weights))[0] == pytest.approx(
        3 * plain, rel=1e-5
    )
    history = model.fit(Own(batches, weights), verbose=0).history
    assert history["loss"][0] == pytest.approx(3 * plain, rel=0.2)
    nothing = [np.zeros(shape) for shape in shapes]
    before = weights_of(model)
    model.compile("sgd")
    model.fit(Own(batches, nothing), verbose=0)
    assert changed(before, model) == 0


def test_own_endless_batches_need_steps(model):
    class Endless(Own):
        num_batches = None

        def __getitem__(self, index):
            return self.batches[index % len(self.batches)]

    data = Endless(own_batches(model))
    with pytest.raises(ValueError, match="steps_per_epoch should be an integer with"):
        model.fit(data, verbose=0)
    history = model.fit(data, epochs=2, steps_per_epoch=4, verbose=0).history
    assert len(history["loss"]) == 2


def wrong_batches(model):
    (source, before), target = own_batches(model)[0]
    return {
        "shape": ((source[0], before), target),
        "kind": ((source.astype(float), before), target),
        "word": ((source + 9, before), target),
        "target": ((source, before), target + 9),
        "length": ((source, before[:, 1:]), target),
        "parts": (source, target),
        "weights": ((source, before), target, np.ones(3)),
        "text": "batch" * 1000,
    }


@pytest.mark.parametrize(
    "kind, message",
    [
        (
            "shape",
            r"batch 0, source, should be integers of shape \(batch, length\), got",
        ),
        ("kind", "batch 0, source, should be integers .* got float64 of shape"),
        ("word", "batch 0, source, should hold token IDs from 0 to 6, .* got"),
        ("target", "batch 0, target, should hold token IDs from 0 to 6, because this"),
        ("length", "batch 0 should have arrays of shapes"),
        ("parts", r"batch 0 should be \(\(source, decoder_inputs\), target\), or the"),
        ("weights", r"batch 0 should have weights of shape \(batch,\) or"),
        ("text", r"batch 0 should be .*, got 'batchbatch.*\.\.\.$"),
    ],
)
def test_own_batches_that_do_not_fit_are_refused(shared, kind, message):
    data = Own([wrong_batches(shared)[kind]])
    for use in (shared.fit, shared.evaluate):
        with pytest.raises(ValueError, match=message) as raised:
            use(data)
        assert len(str(raised.value)) < 300


def test_own_batch_that_is_wrong_later_is_refused_by_its_number(model):
    batches = own_batches(model)
    later = Own([batches[0], batches[1], wrong_batches(model)["target"]])
    with pytest.raises(ValueError, match="batch 2, target, should hold token IDs from"):
        model.fit(later, verbose=0)
    ragged = Own([*batches[:1], (*batches[1], np.ones(16))])
    with pytest.raises(
        ValueError, match="weights should come with every batch or with"
    ):
        model.fit(ragged, verbose=0)


def test_batches_of_another_model_are_refused_by_name(shared):
    other = Seq2Seq.for_pairs([([*"abcz"], [*"ABCD"])], units=4, attention="none")
    message = (
        "source_vocabulary of the batches should be the model's, 7 tokens whose ID 6 is"
        " 'd', got 7 tokens whose ID 6 is 'z'"
    )
    data = other.batches([(["z"], ["A"])])
    for use in (shared.fit, shared.evaluate):
        with pytest.raises(ValueError, match=message):
            use(data)
    with pytest.raises(ValueError, match=message):
        shared.fit(PAIRS, validation_data=data)
    more = Seq2Seq.for_pairs([([*"abcd"], [*"ABCDE"])], units=4, attention="none")
    message = "target_vocabulary of the batches .* ID 7 is missing, got .* ID 7 is 'E'"
    with pytest.raises(ValueError, match=message):
        shared.fit(more.batches([(["a"], ["E"])]))
    location = toy_task.model(attention="location", max_source_len=3)
    with pytest.raises(ValueError, match="at most 3 tokens, which is this model's"):
        location.fit(shared.batches(PAIRS))


@pytest.mark.parametrize(
    "options",
    [
        {"batch_size": 7},
        {"seed": 3},
        {"max_length": 9},
        {"class_weight": {"A": 2.0}},
        {"sample_weight": np.ones(48)},
        {"validation_split": 0.5},
    ],
)
def test_arguments_of_pairs_are_refused_with_batches(shared, options):
    (name,) = options
    for data in (shared.batches(PAIRS), Own(own_batches(shared))):
        with pytest.raises(ValueError, match=f"{name} should be given with pairs"):
            shared.fit(data, verbose=0, **options)


def test_what_is_neither_pairs_nor_batches_is_refused(shared):
    for data in (5, shared.batches(PAIRS).dataset(), np.ones):
        with pytest.raises(
            TypeError, match="pairs should be a list of .*, got"
        ) as raised:
            shared.fit(data)
        assert "\n" not in str(raised.value)


def test_calls_that_mean_translate_or_lack_pairs_say_so(shared):
    with pytest.raises(TypeError, match=r"translate\(sentences\) takes lists of words"):
        shared.predict(PAIRS)
    with pytest.raises(TypeError, match="pairs should be a list of .*, got None"):
        shared.evaluate()
    inputs, _ = shared.batches(PAIRS, 48)[0]
    for form in (tuple, list):
        logits = shared.predict(form(inputs), verbose=0)
        assert_allclose(logits, shared(inputs), atol=1e-5)


def test_messages_cut_long_values(shared):
    long = np.zeros((100, 100))
    for pairs in ([(long, ["A"])], [(["a"], [list(range(999))])], [["word"] * 999]):
        with pytest.raises((TypeError, ValueError)) as raised:
            shared.fit(pairs)
        assert len(str(raised.value)) < 250
        assert "..." in str(raised.value)


# Long sentences


def long_pairs(*lengths):
    return [(["a"] * n, ["A"] * n) for n in lengths]


def test_long_pair_is_warned_of_before_the_training(model):
    data = long_pairs(*[3] * 40, 700)
    message = (
        r"every pair should have 100 tokens or fewer, .* got pair 40 \(700 tokens\), "
        r"where the median is 3; fit\(pairs, max_length=100\) leaves out longer ones"
    )
    for use in (model.batches, model.evaluate):
        with pytest.warns(UserWarning, match=message):
            use(data)
    for use in (
        lambda: model.fit(data, epochs=0, verbose=0),
        lambda: model.batches(data),
    ):
        with pytest.warns(UserWarning, match=message) as warned:
            use()
        assert [w.filename for w in warned] == [__file__]  # once, at the user's line


@pytest.mark.parametrize(
    "lengths, named",
    [
        ([600] * 4, r"pair 0 \(600 tokens\), pair 1 .*, pair 2 .*, 1 more"),
        ([30] * 9 + [130], r"pair 9 \(130 tokens\), where the median is 30"),
        ([3] * 9 + [101, 200], r"pair 10 \(200 tokens\), pair 9 \(101 tokens\), where"),
    ],
)
def test_longest_pairs_are_named(shared, lengths, named):
    with pytest.warns(UserWarning, match=named):
        shared.batches(long_pairs(*lengths))


@pytest.mark.parametrize("lengths", [[3] * 9 + [100], [130] * 9, [40] * 9 + [160]])
def test_pairs_of_usual_lengths_are_not_warned_of(shared, lengths, recwarn):
    shared.batches(long_pairs(*lengths))
    assert [w for w in recwarn if w.category is UserWarning] == []


def test_long_sentence_is_warned_of_in_translate(shared):
    with pytest.warns(
        UserWarning, match=r"every sentence .* sentence 1 \(120 tokens\)"
    ):
        shared.translate([["a"], ["a"] * 120, ["a"]], max_length=2, verbose=0)


def test_fit_leaves_out_pairs_that_are_too_long(capsys):
    data = [*PAIRS, *long_pairs(150, 7)]
    results = []
    for pairs in (data, PAIRS):
        model = small()
        options = {"sample_weight": np.arange(len(pairs))}
        if pairs is data:
            options["max_length"] = 6
        model.fit(pairs, batch_size=16, **options, validation_data=pairs[:])
        results.append(model.get_weights())
    for a, b in zip(*results, strict=True):
        assert_array_equal(a, b)
    shown = capsys.readouterr().out
    message = (
        "left out 2 of 50 pairs with more than 6 tokens: pair 48 (150 tokens), pair 49"
        " (7 tokens)\n"
    )
    assert shown.count(message) == 2  # of the training, and of the validation


def test_leaving_out_says_nothing_when_asked_or_when_nothing_is(model, capsys):
    data = long_pairs(3, 9)
    model.fit(data, max_length=5, verbose=0)
    model.fit(data, max_length=9, verbose=0)
    assert capsys.readouterr().out == ""
    assert leave_out_long(data, 9) == (data, None, "")


def test_target_counts_as_long_too():
    pairs = [(["a"], ["A"] * 9), (["a"], ["A"])]
    kept, weights, message = leave_out_long(pairs, 8, [2.0, 3.0])
    assert (kept, weights.tolist()) == (pairs[1:], [3.0])
    assert message.endswith("pair 0 (9 tokens)")


@pytest.mark.parametrize("limit", [0, 2.5, "9", 2])
def test_max_length_is_an_integer_that_leaves_pairs(shared, limit):
    expected = (
        "max_length should be an integer of 1 or more, got"
        if limit != 2
        else "max_length should leave at least one pair, got 2, and the shortest pair"
    )
    with pytest.raises((TypeError, ValueError), match=expected):
        shared.fit(long_pairs(3, 4), max_length=limit)


# Keras's conveniences


def printed(model, **options):
    with redirect_stdout(io.StringIO()) as out:
        model.fit(PAIRS, batch_size=16, **options)
    return out.getvalue()


def test_progress_counts_epochs_from_the_one_it_starts_with(model):
    shown = printed(model, epochs=4, initial_epoch=2)
    assert "3 of 4 epochs, batch 1 of 3" in shown
    assert "0 of" not in shown
    last = shown.rsplit("\r", 1)[-1]
    assert re.match(r"epochs 3 to 4 in \d+ s, loss \d", last)
    assert (
        printed(model, epochs=4, initial_epoch=3)
        .rsplit("\r", 1)[-1]
        .startswith("epoch 4 in ")
    )
    assert printed(model, epochs=1).rsplit("\r", 1)[-1].startswith("1 epoch in ")


def test_progress_counts_the_epochs_that_were_trained(model):
    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 1

    shown = printed(model, epochs=9, callbacks=Stop())
    assert "1 of 9 epochs, batch 1 of 3" in shown
    assert shown.rsplit("\r", 1)[-1].startswith("2 epochs in ")


@pytest.mark.parametrize("many", [lambda c: c, lambda c: [c], lambda c: (c,)])
def test_fit_takes_one_callback_or_several(model, many):
    seen = []
    callback = keras.callbacks.LambdaCallback(on_epoch_end=lambda *a: seen.append(a[0]))
    model.fit(PAIRS, epochs=2, callbacks=many(callback), verbose=0)
    assert seen == [0, 1]
    model.fit(PAIRS, callbacks=keras.callbacks.TerminateOnNaN(), verbose=0)


def test_fit_takes_the_steps_of_an_epoch(model):
    batches = []
    callback = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: batches.append(batch)
    )
    model.fit(
        PAIRS, epochs=2, batch_size=8, steps_per_epoch=3, callbacks=callback, verbose=0
    )
    assert batches == [0, 1, 2] * 2


def test_shuffle_can_be_turned_off(shared, monkeypatch):
    seen = []
    original = Batches.dataset
    monkeypatch.setattr(
        Batches,
        "dataset",
        lambda self, *a: seen.append(self.shuffle) or original(self, *a),
    )
    shared.fit(PAIRS, epochs=0, shuffle=False, verbose=0)
    shared.fit(PAIRS, epochs=0, verbose=0)
    assert seen == [False, True]


def test_fit_refuses_epochs_that_are_no_number(shared):
    with pytest.raises(
        TypeError, match="epochs should be an integer of 0 or more, got"
    ):
        shared.fit(PAIRS, 2.5)


def test_dropout_rate_set_after_a_training_counts():
    losses = []
    for rate in (0.01, 0.9):
        model = small(scale=0.5, dropout=0.01)
        model.fit(PAIRS, verbose=0)
        model.dropout_layer.rate = rate
        losses.append(model.fit(PAIRS, verbose=0).history["loss"][0])
    assert abs(losses[0] - losses[1]) > 0.01
