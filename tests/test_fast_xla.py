"""When the loops of a training are compiled, and that it changes no number."""

import numpy as np
import pytest
import toy_task
from numpy.testing import assert_allclose, assert_array_equal

from attnlib import fast
from attnlib.backend import tf
from attnlib.decoders import DECODERS
from attnlib.fast import bahdanau, gru, xla

needs_xla = pytest.mark.skipif(
    not xla.available(), reason="this TensorFlow has no XLA for the processor"
)
PAIRS = toy_task.pairs(45, seed=4, longest=9)  # with batches of 16, the last has 13


def gradients(model, source, decoder_inputs, target):
    @tf.function(autograph=False)
    def run():
        with tf.GradientTape() as tape:
            logits = model((source, decoder_inputs), training=True)
            loss = model.compute_loss(y=target, y_pred=logits)
        variables = [weight.value for weight in model.trainable_variables]
        return loss, logits, tape.gradient(loss, variables)

    return [tf.convert_to_tensor(x).numpy() for x in tf.nest.flatten(run())]


@needs_xla
@pytest.mark.parametrize("bidirectional", [True, False])
def test_compiled_logits_and_gradients_equal_the_plain_ones(bidirectional):
    model = toy_task.model(seed=2, scale=0.7, bidirectional=bidirectional)
    model.training_loops.shapes = xla.CompiledShapes(16, 4)
    batches = model.batches(PAIRS, 16, shuffle=False)
    for index in (0, 2):  # a whole batch, and the last
        inputs, target = batches[index]
        expected = gradients(model, *inputs, target)
        with model.training_loops:
            got = gradients(model, *inputs, target)
        for a, b in zip(got, expected, strict=True):
            assert np.abs(b).max() > 1e-4
            assert_allclose(a, b, rtol=1e-4, atol=2e-6 * max(1, np.abs(b).max()))


@needs_xla
def test_compiled_loops_are_those_of_training_alone(monkeypatch):
    taken = []
    for module, name in ((gru, "recurrence"), (bahdanau, "steps")):
        loop = getattr(module, name)

        def spy(*args, name=name, loop=loop):
            taken.append(name)
            return loop(*args)

        monkeypatch.setattr(module, name, spy)
    model = toy_task.model()
    with fast.always():
        model.fit(PAIRS, batch_size=16, verbose=0, validation_data=PAIRS[:5])
    # Two halves of a batch, of an encoder with two directions and of a decoder.
    assert sorted(taken) == ["recurrence"] * 4 + ["steps"] * 2
    model.evaluate(PAIRS)
    model.align(PAIRS)
    assert len(taken) == 6


@needs_xla
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_fit_gives_the_same_weights_in_both_forms(dropout):
    results = []
    for form in (fast.always, fast.never):
        model = toy_task.model(dropout=dropout)
        untrained = model.get_weights()
        with form():
            history = model.fit(PAIRS, epochs=2, batch_size=16, verbose=0).history
        losses = [history["loss"], history["token_accuracy"]]
        results.append([*losses, *model.get_weights()])
        compiled = model.training_loops.shapes == xla.CompiledShapes(16)
        assert compiled == (form is fast.always)
    for before, after in zip(untrained, results[1][2:], strict=True):
        assert np.abs(before - after).max() > 1e-3
    for a, b in zip(*results, strict=True):
        assert_allclose(a, b, rtol=1e-3, atol=1e-4)


@needs_xla
def test_fit_traces_its_step_anew_when_the_form_changes(monkeypatch):
    model, traced = toy_task.model(), []
    monkeypatch.setattr(
        type(model.training_loops),
        "__exit__",
        lambda self, *_: traced.append(self.shapes is not None) or exit_(self, *_),
    )
    for form in (fast.never, fast.always, fast.always, fast.never):
        with form():
            model.fit(PAIRS, batch_size=45, verbose=0)
    assert traced == [False, True, False]


exit_ = xla.TrainingLoops.__exit__


def decisions(model, pairs, *epochs, **options):
    """For each training, whether its loops would be compiled. None is run."""
    batches = model.batches(pairs, **options)
    chosen = []
    for n in epochs:
        model.training_loops.plan(model, batches, n)
        chosen.append(model.training_loops.shapes)
    return chosen


@needs_xla
def test_long_training_is_compiled_and_a_short_one_is_not():
    pairs = toy_task.pairs(300, longest=9)
    assert decisions(toy_task.model(units=128), pairs, 1) == [None]
    assert decisions(toy_task.model(units=128), pairs, 1000) == [
        xla.CompiledShapes(128)
    ]
    assert decisions(toy_task.model(units=2), pairs, 1000) == [None]
    with fast.never():
        assert decisions(toy_task.model(units=128), pairs, 1000) == [None]
    with fast.always():
        odd = decisions(toy_task.model(), pairs, 1, batch_size=63)
    assert odd == [xla.CompiledShapes(64)]


@needs_xla
def test_training_epoch_by_epoch_is_compiled_once_it_has_proved_long():
    pairs = toy_task.pairs(300, longest=9)
    at_once = [
        n for n in range(1, 2000) if decisions(toy_task_model(), pairs, n) != [None]
    ][0]
    chosen = decisions(toy_task_model(), pairs, *[1] * (at_once + 1))
    assert chosen == [None] * (at_once - 1) + [xla.CompiledShapes(128)] * 2


def toy_task_model(_cache=[]):  # noqa: B006
    """One model, as if it had not been trained."""
    if not _cache:
        _cache.append(toy_task.model(units=128))
    _cache[0].training_loops = xla.TrainingLoops()
    return _cache[0]


# The loops of the other decoders do little, and gain less than 1.2 times.
@pytest.mark.parametrize("attention", [name for name in DECODERS if name != "additive"])
def test_other_attention_is_not_compiled(attention):
    longest = {"max_source_len": 9} if attention == "location" else {}
    model = toy_task.model(attention=attention, **longest)
    with fast.always():
        assert decisions(model, PAIRS, 10**6) == [None]


@pytest.mark.parametrize("how", ["jit_compile", "run_eagerly"])
def test_ways_of_keras_are_not_crossed(how):
    model = toy_task.model()
    model.compile("adam", **{"jit_compile": False, how: True})
    with fast.always():
        assert decisions(model, PAIRS, 10**6) == [None]


def test_nothing_is_compiled_without_xla(monkeypatch):
    monkeypatch.setattr(xla, "available", lambda: True)
    assert decisions(toy_task.model(units=128), PAIRS, 10**6) == [
        xla.CompiledShapes(128)
    ]
    monkeypatch.setattr(xla, "available", lambda: False)
    assert decisions(toy_task.model(units=128), PAIRS, 10**6) == [None]


def test_each_shape_that_is_compiled_has_to_win_back_its_time():
    alike, unlike = (
        [(["a"] * n, ["A"] * n) for n in lengths]
        for lengths in ([40] * 64, [8, 40] * 32)
    )
    enough = []
    for pairs in (alike, unlike):
        batches = toy_task.model().batches(pairs, 32)
        per_epoch = xla.count_elements(batches, 64)
        assert not xla.worthwhile(batches, 0)
        epochs = range(1, 10**5)
        enough.append(next(e for e in epochs if xla.worthwhile(batches, e * per_epoch)))
    # Two batches of 40 * 41 elements in one shape of 40 * 48; or one of 40 * 41 and one
    # of 8 * 9 in two shapes.
    expected = 2 * 2 * 40 * 41 / (40 * 41 + 8 * 9)
    assert enough[1] / enough[0] == pytest.approx(expected, rel=0.1)


def test_available_says_whether_xla_compiles(monkeypatch):
    def refuse(function):
        raise tf.errors.UnimplementedError(None, None, "no XLA here")

    xla.available.cache_clear()
    monkeypatch.setattr(xla, "compiled", refuse)
    assert xla.available() is False
    monkeypatch.undo()
    assert xla.available() is False  # asked once
    xla.available.cache_clear()


def test_in_halves_gives_every_row_and_nothing_else():
    rows = tf.reshape(tf.range(1, 31), (6, 5))  # (time, batch)
    seen = []

    def double(half, state, weight):
        seen.append(half.numpy())
        return [half * weight + 0 * state[None]]

    state = tf.zeros((5,), tf.int32)
    (got,) = xla.in_halves(double, xla.CompiledShapes(4), (1, 0, None), rows, state, 2)
    assert_array_equal(got, 2 * rows)
    assert [half.shape for half in seen] == [(6, 4), (6, 4)]
    assert sum(half.sum() for half in seen) == tf.reduce_sum(rows)  # zeros behind


def test_pad_to_pads_one_axis_to_a_multiple():
    array = tf.ones((3, 5))
    assert xla.pad_to(array, 1, 4).shape == (3, 8)
    assert xla.pad_to(array, 0, 3) is not None
    assert_array_equal(xla.pad_to(array, 0, 2, value=7)[3], [7] * 5)
    assert_array_equal(xla.pad_to(array, 0, 3), array)


def test_always_and_never_end_with_their_context():
    assert xla.forced() is None
    with fast.always():
        assert xla.forced() is True
        with fast.never():
            assert xla.forced() is False
        assert xla.forced() is True
    with pytest.raises(KeyError), fast.never():
        raise KeyError
    assert xla.forced() is None
