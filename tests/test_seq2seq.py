"""Batches, training, loss, saving, progress, and what a model refuses."""

import io
from collections import Counter
from contextlib import redirect_stdout

import numpy as np
import pytest
import toy_task
from numpy.testing import assert_allclose, assert_array_equal

from attnlib.backend import keras, tf
from attnlib.batches import Batches
from attnlib.seq2seq import Seq2Seq
from attnlib.vocabulary import SPECIAL

PAIRS = toy_task.PAIRS
SOURCES = toy_task.SOURCES


def assert_equal_weights(a, b):
    for x, y in zip(a.get_weights(), b.get_weights(), strict=True):
        assert_array_equal(x, y)


# Batches


def batches(pairs=PAIRS, **options):
    model_like = Seq2Seq.for_pairs(PAIRS, units=2, embedding_dim=1)
    return model_like.batches(pairs, **options), model_like


def sentences(batch, model):
    """What a batch holds, as pairs, after checking how the three arrays belong
    together.
    """
    (source, before), after = batch
    assert_array_equal(before[:, 0], np.full(len(before), 1))  # <start>
    assert_array_equal(
        before[:, 1:][after[:, :-1] > 2], after[:, :-1][after[:, :-1] > 2]
    )  # one step later
    assert (source != 0).any(0).all() and (after != 0).any(
        0
    ).all()  # no column of padding alone
    return [
        (
            tuple(model.source_vocabulary.decode(row)),
            tuple(model.target_vocabulary.decode(target)),
        )
        for row, target in zip(source, after, strict=True)
    ]


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("batch_size", [1, 7, 48, 100])
def test_batches_hold_every_pair_once_an_epoch(shuffle, batch_size):
    data, model = batches(batch_size=batch_size, shuffle=shuffle)
    assert isinstance(data, Batches) and isinstance(data, keras.utils.PyDataset)
    assert len(data) == -(-len(PAIRS) // batch_size)
    expected = Counter((tuple(source), tuple(target)) for source, target in PAIRS)
    for _ in range(2):
        assert (
            Counter(
                pair for i in range(len(data)) for pair in sentences(data[i], model)
            )
            == expected
        )
        data.on_epoch_end()


def test_batches_order_changes_with_epoch_and_seed_alone():
    def epochs(**options):
        data, model = batches(batch_size=8, **options)
        orders = []
        for _ in range(2):
            orders.append([sentences(data[i], model) for i in range(len(data))])
            data.on_epoch_end()
        return orders

    first, second = epochs(seed=1)
    assert first != second
    assert epochs(seed=1) == [first, second]
    assert epochs(seed=2)[0] != first
    first, second = epochs(shuffle=False)
    assert first == second


def test_batches_hold_sentences_of_like_length():
    data, _ = batches(batch_size=4)
    padding = [
        np.mean(source == 0) for (source, _), _ in (data[i] for i in range(len(data)))
    ]
    assert np.mean(padding) < 0.1
    assert np.mean(data.source == 0) > 0.3  # so much it would be without


def test_batches_as_a_dataset_have_no_tuning_thread_to_wait_for():
    # Its thread wakes after 10, 20, 40 … ms; a fit that ended after 3 s waited till 5.1
    # s.
    assert toy_task.model().batches(PAIRS).dataset().options().autotune.enabled is False


def test_batches_as_a_dataset_say_that_lengths_vary():
    data, model = batches(batch_size=16)
    dataset = data.dataset()
    (source, before), after = dataset.element_spec
    assert source.shape == before.shape == after.shape == (None, None)
    assert dataset.cardinality() == len(data) == 3
    epochs = [
        [sentences(tf.nest.map_structure(np.array, b), model) for b in dataset]
        for _ in range(2)
    ]
    assert epochs[0] != epochs[1]
    assert Counter(sum(epochs[0], [])) == Counter(sum(epochs[1], []))


# Training


@pytest.fixture(scope="module")
def trained():
    """A model trained until it knows its task, its history, what was printed, and pairs
    that it has not seen.
    """
    test = toy_task.pairs(60, seed=1)
    train = [pair for pair in toy_task.pairs(700, seed=2) if pair not in test]
    model = toy_task.model(units=24, embedding_dim=8)
    with redirect_stdout(io.StringIO()) as printed:
        history = model.fit(train, epochs=10, batch_size=16, validation_data=test)
    return model, history.history, printed.getvalue(), test


def test_model_learns_the_task(trained):
    model, history, _, test = trained
    translations = model.translate([source for source, _ in test], verbose=0)
    exact = np.mean(
        [t.tokens == target for t, (_, target) in zip(translations, test, strict=True)]
    )
    assert exact >= 0.9
    assert history["loss"][-1] < 0.3 < 1 < history["loss"][0]


def test_model_learns_to_look_at_the_letter_it_writes(trained):
    model, _, _, test = trained
    looked = [
        alpha[:-1].argmax(1) == np.arange(len(alpha) - 1) for alpha in model.align(test)
    ]
    assert np.mean(np.concatenate(looked)) > 0.8


def test_fit_history_and_validation(trained):
    model, history, _, test = trained
    assert {name: len(values) for name, values in history.items()} == dict.fromkeys(
        ("loss", "token_accuracy", "val_loss", "val_token_accuracy"), 10
    )
    loss, accuracy = model.evaluate(test)
    assert_allclose(
        [history["val_loss"][-1], history["val_token_accuracy"][-1]],
        [loss, accuracy],
        rtol=1e-5,
    )


def test_fit_leaves_one_line(trained):
    printed = trained[2]
    assert printed.count("\n") == 1 and printed.endswith("\n")
    last = printed.rsplit("\r", 1)[-1]
    assert last.startswith("10 epochs in ")
    for name in ("loss 0.", "token accuracy ", "val loss ", "val token accuracy "):
        assert name in last
    assert "of 10 epochs, batch " in printed


def hand_computed(model, pairs):
    """Loss in nats and accuracy, means over all real target tokens, from one sentence
    at a time.
    """
    nats, right = [], []
    for source, target in pairs:
        numbers = model.target_vocabulary.encode([target], start=True, end=True)[0]
        logits = np.array(
            model((model.source_vocabulary.encode([source]), numbers[None, :-1])), float
        )[0]
        log_probability = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        nats += list(-log_probability[np.arange(len(target) + 1), numbers[1:]])
        right += list(logits.argmax(-1) == numbers[1:])
    return np.mean(nats), np.mean(right)


@pytest.mark.parametrize("attention", ["additive", "none"])
def test_evaluate_equals_a_hand_computation_over_real_tokens(attention):
    model = toy_task.model(scale=0.5, attention=attention)
    pairs = PAIRS[:20]
    expected = hand_computed(model, pairs)
    for batch_size in (3, 20):
        assert_allclose(
            model.evaluate(pairs, batch_size=batch_size), expected, rtol=1e-5
        )
    named = model.evaluate(model.batches(pairs, batch_size=6, seed=5), return_dict=True)
    assert_allclose([named["loss"], named["token_accuracy"]], expected, rtol=1e-5)


def test_loss_of_a_model_that_knows_nothing_is_the_logarithm_of_the_vocabulary():
    model = toy_task.model()
    model.output_layer.set_weights(
        [np.zeros_like(w) for w in model.output_layer.get_weights()]
    )
    assert_allclose(
        model.evaluate(PAIRS)[0], np.log(len(model.target_vocabulary)), rtol=1e-5
    )


def test_loss_does_not_see_padding():
    model = toy_task.model(scale=0.5)
    ((source, before), after), *_ = model.batches(PAIRS, batch_size=8)
    wider = [np.pad(numbers, ((0, 0), (0, 3))) for numbers in (source, before, after)]
    loss = model.compute_loss(y=after, y_pred=model((source, before)))
    assert_allclose(
        model.compute_loss(y=wider[2], y_pred=model((wider[0], wider[1]))),
        loss,
        rtol=1e-6,
    )


def test_fit_again_with_a_seed_gives_equal_weights():
    """Also on batches of which the first two are alike in length (Keras takes that for
    a rule), on pairs and on the same as batches; and training goes on after an
    interrupt."""
    first, second = toy_task.model(), toy_task.model()
    uneven = toy_task.pairs(16, shortest=2, longest=2) + toy_task.pairs(
        8, shortest=3, longest=6
    )
    for model in (first, second):
        data = model.batches(uneven, batch_size=8, shuffle=False)
        assert len({data[i][0][0].shape for i in range(3)}) == 2
        assert np.isfinite(model.fit(data, verbose=0).history["loss"]).all()
    assert_equal_weights(first, second)

    first.fit(PAIRS, epochs=2, batch_size=16, seed=3, verbose=0)
    second.fit(second.batches(PAIRS, 16, seed=3), epochs=2, verbose=0)
    assert_equal_weights(first, second)

    class Interrupt(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        first.fit(PAIRS, batch_size=16, callbacks=[Interrupt()], verbose=0)
    before = first.evaluate(PAIRS)[0]
    first.fit(PAIRS, epochs=5, batch_size=16, verbose=0)
    assert first.evaluate(PAIRS)[0] < before


def test_fit_traces_its_step_once_and_is_silent_when_asked(capsys, monkeypatch):
    traced, compute_loss = [], Seq2Seq.compute_loss
    monkeypatch.setattr(
        Seq2Seq,
        "compute_loss",
        lambda *a, **k: traced.append("step") or compute_loss(*a, **k),
    )
    model = toy_task.model()
    for pairs in (PAIRS, PAIRS[:5]):
        model.fit(pairs, batch_size=16, verbose=0)
    assert traced == ["step"]
    assert capsys.readouterr() == ("", "")


# Saving


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"attention": "none", "bidirectional": False},
        {"attention": "none", "context": "first_state"},
    ],
    ids=["additive", "none", "first state"],
)
def test_model_saved_and_loaded_gives_equal_outputs(options, tmp_path):
    model = toy_task.model(scale=0.5, **options)
    model.save(tmp_path / "model.keras")
    again = Seq2Seq.load(tmp_path / "model.keras")
    assert type(again) is Seq2Seq
    assert again.get_config() == model.get_config()
    assert_equal_weights(again, model)
    source, before = model.batches(PAIRS)[0][0]
    assert_array_equal(again((source, before)), model((source, before)))
    for a, b in zip(
        *(m.translate(SOURCES[:8], beam_width=2, verbose=0) for m in (model, again)),
        strict=True,
    ):
        assert a.tokens == b.tokens


def test_model_loaded_goes_on_training_where_it_stopped(tmp_path):
    model = toy_task.model()
    model.fit(PAIRS, verbose=0)
    model.save(tmp_path / "model.keras")
    again = Seq2Seq.load(tmp_path / "model.keras")
    assert again.evaluate(PAIRS) == model.evaluate(PAIRS)
    for m in (model, again):
        m.fit(PAIRS, epochs=2, seed=4, verbose=0)
    assert_equal_weights(again, model)


# What is refused


@pytest.mark.parametrize(
    "pairs, error, message",
    [
        (
            [],
            ValueError,
            "pairs should have at least one .source_tokens, target_tokens., got none",
        ),
        ("ab", ValueError, "pair 0 should be .source_tokens, target_tokens., got 'a'"),
        (
            [(["a"], ["A"]), 5],
            ValueError,
            "pair 1 should be .source_tokens, target_tokens., got 5",
        ),
        (
            [(["a"],)],
            ValueError,
            r"pair 0 should be .source_tokens, target_tokens., got \(\['a'\],\)",
        ),
        ([(["a"], ["A"], ["b"])], ValueError, "pair 0 should be"),
        (
            [("a b", "A B")],
            TypeError,
            (
                "sentence 0 should be a list of tokens such as .* got the text 'a b';"
                " split it"
            ),
        ),
        (
            [(["a"], ["A"]), ([], ["A"])],
            ValueError,
            "sentence 1 should have at least one token, got none",
        ),
        (
            [(["a"], ["A"]), (["a"], [])],
            ValueError,
            "sentence 1 should have at least one token, got none",
        ),
        (
            [(["a"], [1])],
            TypeError,
            r"sentence 0 should be a list of strings, got \[1\]",
        ),
        (
            [(["a"], ["A", "<end>"])],
            ValueError,
            "sentence 0 should hold words alone, got '<end>'",
        ),
    ],
)
def test_pairs_that_are_none_are_refused(trained, pairs, error, message):
    model = trained[0]
    for use in (
        Seq2Seq.for_pairs,
        model.fit,
        model.evaluate,
        model.batches,
        model.align,
    ):
        with pytest.raises(error, match=message):
            use(pairs)
    with pytest.raises(error, match=message):
        model.fit(PAIRS, validation_data=pairs)


def test_unknown_words_are_refused_wherever_they_stand(trained):
    for pair in ((["z"], ["A"]), (["a"], ["z"])):
        for use in (trained[0].fit, trained[0].evaluate, trained[0].align):
            with pytest.raises(
                ValueError,
                match=(
                    "sentence 1 should hold tokens of the vocabulary, got 'z', which"
                    " is not among its 7 tokens"
                ),
            ):
                use([PAIRS[0], pair])


@pytest.mark.parametrize(
    "options, message",
    [
        (
            {"attention": "dto"},
            "attention should be one of 'none', .*, 'local-p', got 'dto'",
        ),
        (
            {"attention": None},
            "attention should be one of 'none', .*, 'local-p', got None",
        ),
        (
            {"units": 7},
            "units should be even, half for each direction of the encoder, got 7",
        ),
        (
            {"attention": "none", "context": "last_state"},
            "context should be one of 'every_step', 'first_state', got 'last_state'",
        ),
        (
            {"context": "first_state"},
            "context should go with none, got attention='additive'",
        ),
        ({"units": 0}, "units should be an integer of 1 or more, got 0"),
        ({"units": 8.0}, "units should be an integer of 1 or more, got 8.0"),
        ({"units": "8"}, "units should be an integer of 1 or more, got '8'"),
        (
            {"embedding_dim": None},
            "embedding_dim should be an integer of 1 or more, got None",
        ),
        (
            {"source_vocabulary": ["a", "b"]},
            r"should start with <pad>, <start>, <end>, got \['a', 'b'\]",
        ),
        (
            {"target_vocabulary": [*SPECIAL, "a", "a"]},
            r"should hold each token once, got \['a'\] more than once",
        ),
    ],
)
def test_model_refuses_options(options, message):
    vocabularies = {
        "source_vocabulary": [*SPECIAL, "a"],
        "target_vocabulary": [*SPECIAL, "A"],
    }
    with pytest.raises((TypeError, ValueError), match=message):
        Seq2Seq(**{**vocabularies, **options})


@pytest.mark.parametrize("value", [0, -1, 2.5, "8", None])
def test_batch_size_is_an_integer(trained, value):
    for use in (trained[0].fit, trained[0].evaluate, trained[0].batches):
        with pytest.raises((TypeError, ValueError)) as raised:
            use(PAIRS, batch_size=value)
        assert (
            str(raised.value)
            == f"batch_size should be an integer of 1 or more, got {value!r}"
        )
