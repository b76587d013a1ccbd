"""Training with its loops compiled by XLA: the same numbers, in batches of few shapes,
where it earns its time.
"""

import itertools

import numpy as np
import pytest
import toy_task
from numpy.testing import assert_allclose, assert_array_equal

from attnlib import compiling, fast_bahdanau, fast_gru
from attnlib.backend import keras, tf
from attnlib.fast.xla import Shapes
from attnlib.seq2seq import ATTENTIONS

needs_xla = pytest.mark.skipif(
    not compiling.available(), reason="this TensorFlow has no XLA for the processor"
)
PAIRS = toy_task.pairs(45, seed=4, longest=9)  # with batches of 16, the last has 13
SHAPES = Shapes(16, 4, 4)


def gradients(model, source, before, after):
    @tf.function(autograph=False)
    def step():
        with tf.GradientTape() as tape:
            loss = model.compute_loss(
                y=after, y_pred=model((source, before), training=True)
            )
        return loss, tape.gradient(
            loss, [weight.value for weight in model.trainable_variables]
        )

    loss, found = step()
    return [
        loss.numpy(),
        *(tf.convert_to_tensor(gradient).numpy() for gradient in found),
    ]


@needs_xla
@pytest.mark.parametrize("bidirectional", [True, False])
def test_compiled_loss_and_gradients_equal_the_plain_ones(bidirectional):
    model = toy_task.model(seed=2, scale=0.7, bidirectional=bidirectional)
    batches = model.batches(PAIRS, 16, shuffle=False)
    for place in (0, 2):  # a whole batch, and the last
        (source, before), after = batches[place]
        model.compile_loops(None)
        expected = gradients(model, source, before, after)
        model.compile_loops(SHAPES)
        found = gradients(model, source, before, after)
        for a, b in zip(found, expected, strict=True):
            assert np.abs(b).max() > 1e-4
            assert_allclose(a, b, rtol=1e-4, atol=2e-6 * max(1, np.abs(b).max()))


@needs_xla
def test_compiled_logits_stand_where_the_plain_ones_do():
    model = toy_task.model(seed=2, scale=0.7)
    (source, before), _ = model.batches(PAIRS, 13)[0]
    plain = model((source, before))
    model.compile_loops(SHAPES)
    assert_allclose(model((source, before), training=True), plain, rtol=1e-4, atol=1e-5)
    logits, weights = model((source, before), training=True, return_weights=True)
    assert_allclose(logits, plain, rtol=1e-4, atol=1e-5)
    assert weights.shape == (*before.shape, source.shape[1])
    assert_array_equal(
        model((source, before)), plain
    )  # outside training nothing is compiled


@needs_xla
def test_loops_of_encoder_and_decoder_are_those_that_xla_compiles(monkeypatch):
    taken = []
    for module, name in (
        (fast_gru, "compiled_recurrence"),
        (fast_bahdanau, "compiled_steps"),
    ):
        loop = getattr(module, name)
        monkeypatch.setattr(
            module,
            name,
            lambda *x, name=name, loop=loop: taken.append(name) or loop(*x),
        )
    model = toy_task.model()
    given, _ = model.batches(PAIRS, 16)[0]
    model.compile_loops(SHAPES)
    model(given)
    assert taken == []
    model(given, training=True)  # two halves, each with an encoder of two directions
    assert taken == 2 * ["compiled_recurrence", "compiled_recurrence", "compiled_steps"]
    model.compile_loops(None)
    model(given, training=True)
    assert len(taken) == 6


@needs_xla
def test_fit_compiled_gives_the_weights_that_it_gives_plain():
    found = []
    for compiled, shapes in ((True, Shapes(16, 8, 8)), (False, None)):
        model = toy_task.model()
        history = model.fit(
            PAIRS, epochs=2, batch_size=16, verbose=0, compiled=compiled
        ).history
        assert model.shapes == shapes
        found.append([history["loss"], history["token_accuracy"], *model.get_weights()])
    untrained = toy_task.model().get_weights()
    assert all(
        np.abs(a - b).max() > 1e-3 for a, b in zip(found[1][2:], untrained, strict=True)
    )
    for a, b in zip(*found, strict=True):
        assert_allclose(a, b, rtol=1e-3, atol=1e-4)


@needs_xla
def test_fit_changes_its_way_when_it_is_told_to(monkeypatch):
    model, seen = toy_task.model(), []
    logits = model._logits
    monkeypatch.setattr(
        model,
        "_logits",
        lambda *x, compiled=False: (
            seen.append(compiled) or logits(*x, compiled=compiled)
        ),
    )
    for compiled in (False, True, True, False):
        model.fit(PAIRS, batch_size=45, verbose=0, compiled=compiled)
        seen.append("ended")
    assert [key for key, _ in itertools.groupby(seen)] == [
        False,
        "ended",
        True,
        "ended",
        False,
        "ended",
    ]


@needs_xla
def test_long_training_is_compiled_and_a_short_one_is_not(monkeypatch):
    seen = []
    monkeypatch.setattr(
        keras.Model, "fit", lambda self, *_, **options: seen.append(self.shapes)
    )
    pairs = toy_task.pairs(300, longest=9)
    model = toy_task.model(units=128)
    for epochs in (1, 1000, 1):
        model.fit(pairs, epochs=epochs, verbose=0)
    toy_task.model(units=2).fit(pairs, epochs=1000, verbose=0)
    model.fit(pairs, epochs=1000, verbose=0, compiled=False)
    model.fit(pairs, batch_size=63, verbose=0, compiled=True)
    assert seen == [None, Shapes(128, 8, 8), None, None, None, Shapes(64, 8, 8)]


# Halves of a batch would draw other numbers for dropout than the whole does.
@pytest.mark.parametrize(
    "options",
    [*({"attention": a} for a in ATTENTIONS if a != "additive"), {"dropout": 0.1}],
)
def test_other_models_are_not_compiled(options, monkeypatch):
    monkeypatch.setattr(keras.Model, "fit", lambda self, *_, **options: None)
    model = toy_task.model(units=128, **options)
    model.fit(toy_task.PAIRS, epochs=10**6, verbose=0)
    assert model.shapes is None
    with pytest.raises(
        ValueError,
        match=r"compiled=True needs additive attention, no dropout, .* got attention=",
    ):
        model.fit(toy_task.PAIRS, compiled=True)


@pytest.mark.parametrize("how", ["jit_compile", "run_eagerly"])
def test_ways_of_keras_are_not_crossed(how):
    model = toy_task.model(units=128)
    model.compile("adam", **{"jit_compile": False, how: True})
    batches = model.batches(PAIRS)
    assert compiling.shapes_for(model, batches, 10**6) is None
    with pytest.raises(ValueError, match=f"{how}=True"):
        compiling.shapes_for(model, batches, 1, compiled=True)


def test_nothing_is_compiled_without_xla(monkeypatch):
    model = toy_task.model(units=128)
    batches = model.batches(PAIRS, 16)
    monkeypatch.setattr(compiling, "available", lambda: True)
    assert compiling.shapes_for(model, batches, 10**6) == Shapes(16, 8, 8)
    monkeypatch.setattr(compiling, "available", lambda: False)
    assert compiling.shapes_for(model, batches, 10**6) is None
    with pytest.raises(ValueError, match="needs a TensorFlow with XLA"):
        compiling.shapes_for(model, batches, 1, compiled=True)


def test_each_shape_that_is_compiled_has_to_earn_its_time():
    alike, unlike = (
        [(["a"] * n, ["A"] * n) for n in lengths]
        for lengths in ([40] * 64, [8, 40] * 32)
    )
    enough = []
    for pairs in (alike, unlike):
        batches = toy_task.model().batches(pairs, 32)
        enough.append(
            next(e for e in range(1, 10**5) if compiling.worthwhile(batches, e, 64))
        )
    # 2 batches of 40 * 41 in 1 shape of 40 * 48; or one of 40 * 41 and one of 8 * 9 in
    # 2 shapes
    assert enough[1] / enough[0] == pytest.approx(
        2 * 2 * 40 * 41 / (40 * 41 + 8 * 9), rel=0.1
    )


def test_available_says_whether_xla_compiles(monkeypatch):
    def refuse(function):
        raise tf.errors.UnimplementedError(None, None, "no XLA here")

    compiling.available.cache_clear()
    monkeypatch.setattr(compiling, "xla", refuse)
    assert compiling.available() is False
    monkeypatch.undo()
    assert compiling.available() is False  # asked once
    compiling.available.cache_clear()


def test_halves_hold_every_number_and_zeros_behind():
    source, before = np.arange(1, 31).reshape(5, 6), np.arange(1, 16).reshape(5, 3)
    (s0, b0), (s1, b1) = Shapes(4, 4, 2).halves(source, before)
    assert s0.shape == s1.shape == (4, 8) and b0.shape == b1.shape == (4, 4)
    both = np.concatenate([s0, s1]), np.concatenate([b0, b1])
    for got, given in zip(both, (source, before), strict=True):
        assert_array_equal(got[:5, : given.shape[1]], given)
        assert np.sum(got) == np.sum(given)
