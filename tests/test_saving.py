"""What was set on a model, and on its parts, is there after save and load."""

import numpy as np
import pytest
import toy_task
from numpy.testing import assert_allclose, assert_array_equal

from attnlib import saving
from attnlib.backend import keras, tf
from attnlib.seq2seq import Seq2Seq

ops = keras.ops
PAIRS = toy_task.PAIRS


def again(model, folder):
    model.save(folder / "model.keras")
    return Seq2Seq.load(folder / "model.keras")


def small(**options):
    return toy_task.model(**{"attention": "none", "scale": 0.5, **options})


# Parts and their names


def test_parts_are_named_by_attributes():
    model = toy_task.model(attention="additive")
    named = dict(saving.parts(model))
    assert named["decoder.attention"] is model.decoder.attention
    assert named["encoder.forward_layer.cell"] is model.encoder.forward_layer.cell
    assert named["output_layer"] is model.output_layer
    assert list(named).index("encoder") < list(named).index("encoder.forward_layer")
    weights = [id(w) for part in named.values() for w in part.weights]
    assert set(weights) == {id(w) for w in model.weights}


def test_settings_of_a_new_model_are_empty():
    assert saving.settings(small()) == {}


# Frozen parts, names, and training that goes on


@pytest.mark.parametrize(
    "freeze",
    [
        lambda m: [m.source_embedding],
        lambda m: [m.encoder],
        lambda m: [m.encoder.backward_layer.cell, m.output_layer],
        lambda m: [m.decoder],
    ],
)
def test_frozen_part_stays_frozen(freeze, tmp_path):
    model = small(name="mine")
    for part in freeze(model):
        part.trainable = False
    loaded = again(model, tmp_path)
    assert loaded.name == "mine"
    flags = [(path, part.trainable) for path, part in saving.parts(model)]
    assert [(p, part.trainable) for p, part in saving.parts(loaded)] == flags
    assert {trainable for _, trainable in flags} == {True, False}
    kept = [part.get_weights() for part in freeze(loaded)]
    loaded.fit(PAIRS, verbose=0)
    for before, part in zip(kept, freeze(loaded), strict=True):
        for a, b in zip(before, part.get_weights(), strict=True):
            assert_array_equal(a, b)


def test_whole_model_stays_frozen_and_can_be_thawed(tmp_path):
    model = small()
    model.trainable = False
    loaded = again(model, tmp_path)
    assert loaded.trainable is False and loaded.trainable_variables == []
    loaded.trainable = True
    assert len(loaded.trainable_variables) == len(model.weights)


def test_training_goes_on_where_a_part_was_frozen(tmp_path):
    model = small()
    model.fit(PAIRS, verbose=0)
    model.source_embedding.trainable = False  # the optimizer has a state for it
    model.fit(PAIRS, verbose=0)
    loaded = again(model, tmp_path)
    for m in (model, loaded):
        m.fit(PAIRS, epochs=2, seed=4, verbose=0)
    for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
        assert_array_equal(a, b)


# Precision


@pytest.mark.parametrize(
    "policy, computed",
    [
        ("mixed_bfloat16", "bfloat16"),
        ("mixed_float16", "float16"),
        ("float64", "float64"),
    ],
)
def test_precision_survives_with_every_part(policy, computed, tmp_path):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = toy_task.model()
    finally:
        keras.config.set_dtype_policy(before)
    loaded = again(model, tmp_path)
    assert loaded.dtype_policy.name == policy
    assert {part.compute_dtype for _, part in saving.parts(loaded)} == {computed}
    assert keras.config.dtype_policy().name == before.name
    assert loaded.evaluate(PAIRS) == model.evaluate(PAIRS)
    assert np.isfinite(loaded.fit(PAIRS, verbose=0).history["loss"]).all()


def test_precision_is_an_option_of_the_model():
    model = small(dtype="mixed_bfloat16")
    assert model.output_layer.compute_dtype == "bfloat16"
    assert small().output_layer.compute_dtype == "float32"


def test_precision_of_one_part_survives(tmp_path):
    model = small(dtype="mixed_bfloat16")
    model.output_layer.dtype_policy = "float32"
    loaded = again(model, tmp_path)
    assert loaded.output_layer.dtype_policy.name == "float32"
    assert loaded.decoder.cell.dtype_policy.name == "mixed_bfloat16"


def test_loss_in_half_precision_is_not_summed_in_it():
    pairs = toy_task.pairs(400)
    half, full = small(dtype="mixed_bfloat16"), small()
    for m in (half, full):
        m.output_layer.set_weights(
            [np.zeros_like(w) for w in m.output_layer.get_weights()]
        )
    expected = np.log(len(full.target_vocabulary))
    assert half.evaluate(pairs, batch_size=400)[0] == pytest.approx(expected, rel=1e-4)


# Regularizers, constraints, dropout


@pytest.mark.parametrize(
    "part, attribute, value",
    [
        ("output_layer", "kernel_regularizer", keras.regularizers.L2(3.0)),
        ("decoder.cell", "recurrent_regularizer", keras.regularizers.L1(2.0)),
        ("source_embedding", "embeddings_regularizer", "l2"),
        ("output_layer", "activity_regularizer", keras.regularizers.L2(0.5)),
    ],
)
def test_regularizer_survives(part, attribute, value, tmp_path):
    model = small()
    plain = model.evaluate(PAIRS)[0]
    setattr(dict(saving.parts(model))[part], attribute, value)
    loaded = again(model, tmp_path)
    assert loaded.evaluate(PAIRS)[0] == model.evaluate(PAIRS)[0] > plain
    assert getattr(dict(saving.parts(loaded))[part], attribute) is not None
    assert loaded.get_config() == model.get_config()


def test_regularizer_of_a_weight_and_constraint_survive(tmp_path):
    model = small()
    model.output_layer.kernel.regularizer = keras.regularizers.L2(1.0)
    model.decoder.cell.kernel_constraint = keras.constraints.MaxNorm(0.1)
    loaded = again(model, tmp_path)
    assert loaded.evaluate(PAIRS) == model.evaluate(PAIRS)
    loaded.fit(PAIRS, verbose=0)
    norms = np.linalg.norm(loaded.decoder.cell.kernel.numpy(), axis=0)
    assert norms.max() <= 0.1 + 1e-5


def test_rate_of_dropout_survives(tmp_path):
    model = small(dropout=0.5)
    model.dropout_layer.rate = 0.25
    assert again(model, tmp_path).dropout_layer.rate == 0.25


# What was compiled


@keras.saving.register_keras_serializable("tests")
def half_of_it(y, y_pred):
    nats = keras.losses.sparse_categorical_crossentropy(y, y_pred, from_logits=True)
    return 0.5 * nats


@pytest.mark.parametrize("loss", [None, half_of_it])
def test_loss_metrics_and_optimizer_survive(loss, tmp_path):
    model = small()
    optimizer = keras.optimizers.SGD(0.25, momentum=0.5)
    model.compile(optimizer, loss=loss, metrics=["accuracy"], run_eagerly=True)
    model.fit(PAIRS, verbose=0)
    loaded = again(model, tmp_path)
    assert loaded.run_eagerly and not loaded.jit_compile
    assert isinstance(loaded.optimizer, keras.optimizers.SGD)
    assert float(loaded.optimizer.learning_rate) == 0.25
    assert loaded.evaluate(PAIRS, return_dict=True) == model.evaluate(
        PAIRS, return_dict=True
    )
    for m in (model, loaded):
        m.fit(PAIRS, seed=2, verbose=0)
    for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
        assert_array_equal(a, b)


# Other files


@pytest.mark.parametrize("load", [Seq2Seq.load, keras.saving.load_model])
def test_h5_checkpoint_is_loaded_and_trains(load, tmp_path):
    model = small()
    path = tmp_path / "model.h5"
    checkpoint = keras.callbacks.ModelCheckpoint(path)
    model.fit(PAIRS, verbose=0, callbacks=checkpoint)
    loaded = load(path)
    assert loaded.evaluate(PAIRS) == model.evaluate(PAIRS)
    before = loaded.evaluate(PAIRS)[0]
    loaded.fit(PAIRS, epochs=3, verbose=0)
    assert loaded.evaluate(PAIRS)[0] < before


def test_file_of_weights_alone_is_refused_with_the_call_that_reads_it(tmp_path):
    model = small()
    path = tmp_path / "model.weights.h5"
    model.save_weights(path)
    with pytest.raises(
        ValueError, match=r"got '.*', which holds weights alone: make .*"
    ):
        Seq2Seq.load(path)
    other = small(seed=1)
    other.load_weights(path)
    assert other.evaluate(PAIRS) == model.evaluate(PAIRS)


# Export


@pytest.mark.parametrize(
    "options",
    [
        {"attention": "additive"},
        {"attention": "none"},
        {"attention": "none", "context": "first_state"},
        {"attention": "local-p"},
    ],
)
def test_export_equals_the_model(options, tmp_path):
    model = toy_task.model(scale=0.5, **options)
    model.fit(PAIRS, verbose=0)
    model.translate(toy_task.SOURCES[:2], beam_width=2, verbose=0)
    model.export(tmp_path / "exported", verbose=False)
    exported = tf.saved_model.load(str(tmp_path / "exported"))
    for count in (1, 20):
        inputs, _ = model.batches(PAIRS[:count])[0]
        assert_allclose(exported.serve(inputs), model(inputs), atol=1e-5)


def test_export_takes_a_signature_of_ones_own(tmp_path):
    model = small()
    one = tf.TensorSpec((1, None), tf.int32)
    model.export(tmp_path / "one", verbose=False, input_signature=[(one, one)])
    exported = tf.saved_model.load(str(tmp_path / "one"))
    inputs, _ = model.batches(PAIRS[:1])[0]
    assert_allclose(exported.serve(inputs), model(inputs), atol=1e-5)
    inputs, _ = model.batches(PAIRS[:2])[0]
    with pytest.raises((TypeError, ValueError)):
        exported.serve(inputs)


def test_export_becomes_a_tflite_model(tmp_path):
    model = small()
    model.export(tmp_path / "exported", verbose=False)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "exported"))
    lite = tf.lite.OpsSet
    converter.target_spec.supported_ops = [lite.TFLITE_BUILTINS, lite.SELECT_TF_OPS]
    content = converter.convert()
    assert content[4:8] == b"TFL3"
