"""The exercises of chapter 08: solutions against Keras, against other parts of attnlib,
and against numbers worked by hand; verdicts on unusual right answers.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from attnlib import metrics
from attnlib import reference as ref
from attnlib.exercises import bottleneck, self_attention
from attnlib.exercises import transformer as ex


@pytest.fixture
def rng():
    return np.random.default_rng(5)


# Solutions against something independent


def test_target_shift_by_hand_as_the_chapter_gives_it():
    inputs, mask = ex.target_shift.reference_solution(np.array([[7, 4, 2, 0]]), 1)
    assert_array_equal(inputs, [[1, 7, 4, 2]])
    assert_array_equal(mask, [[True, True, True, False]])


def keras_layers(parameters):
    """Keras's layers of a block by name, with these parameters."""
    from attnlib.backend import keras

    layers = {}
    for name, arrays in parameters.items():
        if name.startswith("norm"):
            layers[name] = keras.layers.LayerNormalization(dtype="float64")
            layers[name].build((None, None, len(arrays[0])))
            layers[name].set_weights(arrays)
        elif name == "feed_forward":
            dense = [
                keras.layers.Dense(arrays[1].size, activation="relu", dtype="float64"),
                keras.layers.Dense(arrays[3].size, dtype="float64"),
            ]
            layers[name] = keras.Sequential(dense)
            layers[name].build((None, None, len(arrays[0])))
            layers[name].set_weights(arrays)
        else:
            units, heads, key_dim = arrays[0].shape
            layer = keras.layers.MultiHeadAttention(
                heads, key_dim, use_bias=False, dtype="float64"
            )
            layer.build((None, None, units), (None, None, units))
            layer.set_weights(arrays)
            layers[name] = layer
    return layers


def attended(layer, query, values, mask):
    result, _ = layer(query, values, attention_mask=mask, return_attention_scores=True)
    return result


def test_encoder_block_equals_layers_of_keras():
    for _, (x, parameters, mask) in ex.encoder_block.cases(np.random.default_rng(3)):
        part, x = keras_layers(parameters), x.astype("float64")
        n = part["norm_1"](x)
        y = x + attended(part["attention"], n, n, mask[:, None])
        expected = y + part["feed_forward"](part["norm_2"](y))
        result = ex.encoder_block.reference_solution(x, parameters, mask)
        assert_allclose(result, expected, atol=1e-6)


def test_decoder_block_equals_layers_of_keras():
    for _, (x, memory, parameters, *masks) in ex.decoder_block.cases(
        np.random.default_rng(3)
    ):
        part, x, memory = keras_layers(parameters), *map(np.float64, (x, memory))
        n = part["norm_1"](x)
        y = x + attended(part["self_attention"], n, n, masks[0])
        n = part["norm_2"](y)
        z = y + attended(part["cross_attention"], n, memory, masks[1][:, None])
        expected = z + part["feed_forward"](part["norm_3"](z))
        result = ex.decoder_block.reference_solution(x, memory, parameters, *masks)
        assert_allclose(result, expected, atol=1e-6)


def test_blocks_without_output_matrices_add_the_last_bias_alone(rng):
    def silenced(which):
        parameters = ex._parameters(rng, which, units=4, heads=2)
        for name, arrays in parameters.items():
            if "attention" in name:
                parameters[name] = (*arrays[:3], 0 * arrays[3])
        w_in, b_in, w_out, b_out = parameters["feed_forward"]
        parameters["feed_forward"] = w_in, b_in, 0 * w_out, b_out
        return parameters, b_out

    x, memory = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 5, 4))
    parameters, b_out = silenced("encoder")
    result = ex.encoder_block.reference_solution(x, parameters, np.ones((2, 3)) == 1)
    assert_allclose(result, x + b_out)
    parameters, b_out = silenced("decoder")
    masks = np.tri(3)[None].repeat(2, axis=0) == 1, np.ones((2, 5)) == 1
    result = ex.decoder_block.reference_solution(x, memory, parameters, *masks)
    assert_allclose(result, x + b_out)


def test_warmup_schedule_by_hand_and_as_the_paper_has_it():
    schedule = ex.warmup_schedule.reference_solution
    assert_allclose(schedule(np.array([1, 4, 16]), 1.0, 4), [0.25, 1, 0.5])
    steps, units, warmup = np.arange(1, 20_000, 97), 512, 4000
    paper = units**-0.5 * np.minimum(steps**-0.5, steps * warmup**-1.5)  # eq. 3
    assert_allclose(schedule(steps, (units * warmup) ** -0.5, warmup), paper)


def test_generate_by_hand():
    class Spelling:
        """Writes 5 and 7, whatever the source, and then the end."""

        start, end = 1, 2

        def max_length(self, source):
            return len(source)

        def encode(self, source):
            return np.zeros((1, len(source), 1))

        def logits(self, tokens, memory):
            following = [5, 7, self.end, self.end, self.end]
            return np.eye(9)[following[: len(tokens)]][None]

    generate = ex.generate.reference_solution
    assert generate(Spelling(), [3] * 4) == [5, 7]
    assert generate(Spelling(), [3]) == [5]


def test_training_loss_equals_the_parts_of_other_chapters():
    for _, (decode, targets, start) in ex.training_loss.cases(np.random.default_rng(3)):
        inputs, real = ex.target_shift.reference_solution(targets, start)
        logits = decode(inputs, self_attention.causal_mask.reference_solution(real))
        expected = bottleneck.sequence_loss.reference_solution(logits, targets, real)
        result = ex.training_loss.reference_solution(decode, targets, start)
        assert result == pytest.approx(expected)


def test_starter_of_training_loss_sees_the_answer():
    """Its loss depends on the token that a position should predict; the solution's does
    not, before the loss is taken.
    """
    seen = []

    def decode(inputs, mask):
        visible = [set(inputs[0, row]) for row in np.broadcast_to(mask, (1, 3, 3))[0]]
        seen.append(visible)
        return np.zeros((*inputs.shape, 9))

    targets = np.array([[7, 4, 2]])
    ex.training_loss.starter(decode, targets, 1)
    ex.training_loss.reference_solution(decode, targets, 1)
    assert seen == [[{1, 7}, {1, 7, 4}, {1, 7, 4}], [{1}, {1, 7}, {1, 7, 4}]]


def test_head_error_rates_equal_the_metric():
    for _, (weights, sure, possible) in ex.head_error_rates.cases(
        np.random.default_rng(3)
    ):
        rates = ex.head_error_rates.reference_solution(weights, sure, possible)
        for layer, head in np.ndindex(rates.shape):
            found = [
                metrics.links(w[layer, head], rows=sorted({t for t, _ in p}))
                for w, p in zip(weights, possible, strict=True)
            ]
            expected = metrics.corpus_alignment_error_rate(found, sure, possible)
            assert rates[layer, head] == pytest.approx(expected)


# Verdicts


def by_own_parts(x, memory, parameters, target_mask, source_mask):
    """A decoder block of the solutions of chapter 07, written in another style."""
    attend = self_attention.multi_head_attention.reference_solution

    def normalized(x, name):
        scale, offset = parameters[name]
        deviation = np.sqrt(x.var(-1, keepdims=True) + 1e-3)
        return scale * (x - x.mean(-1, keepdims=True)) / deviation + offset

    x = np.array(x)
    query = normalized(x, "norm_1")
    x += attend(query, query, *parameters["self_attention"], target_mask)
    query = normalized(x, "norm_2")
    x += attend(query, memory, *parameters["cross_attention"], source_mask)
    w_in, b_in, w_out, b_out = parameters["feed_forward"]
    x += np.maximum(normalized(x, "norm_3") @ w_in + b_in, 0) @ w_out + b_out
    return x


def test_decoder_block_of_ones_own_parts_passes():
    result = ex.decoder_block.check(
        lambda x, memory, parameters, target_mask, source_mask: by_own_parts(
            x, memory, parameters, target_mask, source_mask
        )
    )
    assert result.passed, result


def test_block_that_adds_in_place_is_told_so():
    def encoder_block(x, parameters, mask):
        n = ref.layer_norm(x, *parameters["norm_1"])
        x += ref.multi_head_attention(n, n, *parameters["attention"], mask)
        n = ref.layer_norm(x, *parameters["norm_2"])
        return x + ref.feed_forward(n, *parameters["feed_forward"])

    message = ex.encoder_block.check(encoder_block).message
    assert "Your function changes its argument x in place." in message


def said(exercise, attempt):
    return " ".join(exercise.check(attempt).message.split())


@pytest.mark.parametrize(
    "logits_of, words",
    [
        (
            lambda model, tokens, memory: model.logits([tokens], memory),
            "without an axis",
        ),
        (lambda model, tokens, memory: model.logits(tokens[-1:], memory), "no state"),
        (lambda model, tokens, memory: model.logits(tokens, [3, 4]), "the memory"),
    ],
)
def test_generate_says_what_the_model_should_get(logits_of, words):
    def generate(model, source):
        memory, tokens = model.encode(source), [model.start]
        for _ in range(model.max_length(source)):
            token = int(np.argmax(logits_of(model, tokens, memory)[0, -1]))
            if token == model.end:
                break
            tokens.append(token)
        return tokens[1:]

    assert words in said(ex.generate, generate)


def test_training_loss_takes_a_mask_for_all_sentences():
    """The padding of the target needs no mask of its own."""

    def training_loss(decode, targets, start):
        inputs, real = ex.target_shift.reference_solution(targets, start)
        logits = decode(inputs, np.tri(targets.shape[1]) == 1)
        return bottleneck.sequence_loss.reference_solution(logits, targets, real)

    assert ex.training_loss.check(training_loss).passed


def test_own_parts_are_those_that_pass(capsys):
    def encoder_block(x, parameters, mask):
        return x

    solution = ex.decoder_block.reference_solution
    namespace = {"encoder_block": encoder_block, "decoder_block": solution}
    assert ex.own_parts(namespace) == {"decoder_block": solution}
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [
        "multi_head_attention",
        "layer_norm",
        "causal_mask",
        "sinusoidal_positions",
        "encoder_block",
        "decoder_block",
        "generate",
    ]
