"""The translators in NumPy: equal to Keras, right on dates, and made of parts that the
reader's functions replace.
"""

import json
from functools import cache

import numpy as np
import pytest

from attnlib import numpy_translators
from attnlib import reference as ref
from attnlib.exercises import (
    bahdanau,
    bottleneck,
    luong_global,
    luong_local,
    psychology,
    self_attention,
)
from attnlib.numpy_translators import PARTS, Translator

DATE = "Tuesday, March 5, 2024"
STEPS = len("2024-03-05") + 1
LAYERS, HEADS = 2, 4
SOLUTIONS = {
    "softmax": psychology.softmax,
    "additive_scores": bahdanau.additive_scores,
    "general_scores": luong_global.general_scores,
    "attend": bahdanau.attend,
    "predicted_center": luong_local.predicted_center,
    "local_attend": luong_local.local_attend,
    "bahdanau_step": bahdanau.bahdanau_step,
    "greedy_decode": bottleneck.greedy_decode,
    "scaled_dot_product_attention": self_attention.scaled_dot_product_attention,
    "multi_head_attention": self_attention.multi_head_attention,
    "causal_mask": self_attention.causal_mask,
    "sinusoidal_positions": self_attention.sinusoidal_positions,
}
# How often a translation in STEPS calls a part; those that are not here, at each step.
CALLS = {
    "translate_sentence": 1,
    "greedy_decode": 1,
    "generate": 1,
    "encoder_block": LAYERS,
    "decoder_block": STEPS * LAYERS,
    "multi_head_attention": LAYERS + STEPS * 2 * LAYERS,
    "scaled_dot_product_attention": (LAYERS + STEPS * 2 * LAYERS) * HEADS,
    "layer_norm": 2 * LAYERS + 1 + STEPS * (3 * LAYERS + 1),
    "feed_forward": LAYERS + STEPS * LAYERS,
    "sinusoidal_positions": 1 + STEPS,
}
PART_OF_MODEL = [(name, part) for name in PARTS for part in PARTS[name]]

load = cache(Translator.load)


def luong_step(state, word, source_states, mask, w_a, w_c, gru):
    """Luong's step with the functions of the reference."""
    new_state = gru(word, state)
    query = new_state[:, None, :]  # (batch, 1, units)
    scores = ref.general_scores(query, source_states, w_a)
    context, weights = ref.attend(scores, source_states, mask)
    joined = np.concatenate([context[:, 0], new_state], axis=-1)
    return new_state, np.tanh(joined @ w_c), weights[:, 0]


def local_step(state, word, source_states, mask, w_a, w_p, v_p, half_width, w_c, gru):
    """The step of local-p with the functions of the reference."""
    new_state = gru(word, state)
    query = new_state[:, None, :]  # (batch, 1, units)
    logits = np.tanh(query @ w_p) @ v_p
    center = mask.sum(axis=1) / (1 + np.exp(-logits[:, 0]))  # (batch,)
    context, weights = ref.local_attend(
        *(query, source_states, source_states, center[:, None], half_width),
        *(lambda query, keys: ref.general_scores(query, keys, w_a), mask),
    )
    joined = np.concatenate([context[:, 0], new_state], axis=-1)
    return new_state, np.tanh(joined @ w_c), weights[:, 0], center


def encoder_block(x, parameters, mask):
    """A block of the encoder with the functions of the reference."""
    x = x + with_norm_in_front(x, None, parameters, "norm_1", "attention", mask)
    n = ref.layer_norm(x, *parameters["norm_2"])
    return x + ref.feed_forward(n, *parameters["feed_forward"])


def decoder_block(x, memory, parameters, target_mask, source_mask):
    """A block of the decoder with the functions of the reference."""
    for norm, layer, values, mask in (
        ("norm_1", "self_attention", None, target_mask),
        ("norm_2", "cross_attention", memory, source_mask),
    ):
        x = x + with_norm_in_front(x, values, parameters, norm, layer, mask)
    n = ref.layer_norm(x, *parameters["norm_3"])
    return x + ref.feed_forward(n, *parameters["feed_forward"])


def with_norm_in_front(x, values, parameters, norm, layer, mask):
    n = ref.layer_norm(x, *parameters[norm])
    values = n if values is None else values
    return ref.multi_head_attention(n, values, *parameters[layer], mask)


def generate(model, source):
    """The most probable tokens, with one pass over the whole translation so far."""
    memory, tokens = model.encode(source), []
    while len(tokens) < model.max_length(source):
        tokens.append(model.logits([model.start, *tokens], memory)[0, -1].argmax())
        if tokens[-1] == model.end:
            return tokens[:-1]
    return tokens


def translate_with_luong_step(model, source, max_length, luong_step, greedy_decode):
    return translate_in_steps(
        *(model, source, max_length, luong_step, greedy_decode),
        (model.w_a, model.w_c, model.gru),
    )


def translate_with_local_step(model, source, max_length, local_step, greedy_decode):
    return translate_in_steps(
        *(model, source, max_length, local_step, greedy_decode),
        (model.w_a, model.w_p, model.v_p, model.half_width, model.w_c, model.gru),
    )


def translate_in_steps(model, source, max_length, step, greedy_decode, own):
    source_states, state = model.encode(source)
    mask = np.ones((1, len(source)), bool)
    rows = []

    def next_word(token, state):
        word = model.embed(token)
        state, attentional, weights, *_ = step(state, word, source_states, mask, *own)
        rows.append(weights[0])
        return model.logits(attentional)[0], state

    tokens = greedy_decode(next_word, state, model.start, model.end, max_length)
    return tokens, np.array(rows)


def part_of(name, part):
    """A function of the reader for this part of this model."""
    if part == "translate_sentence":
        return {
            "dates-additive": bahdanau.translate_sentence.reference_solution,
            "dates-general": translate_with_luong_step,
            "dates-local-p": translate_with_local_step,
        }[name]
    own = (luong_step, local_step, generate, encoder_block, decoder_block)
    own = {function.__name__: function for function in own}
    own |= {"layer_norm": ref.layer_norm, "feed_forward": ref.feed_forward}
    return own.get(part) or SOLUTIONS[part].reference_solution


@pytest.fixture(scope="module")
def translator():
    return load("dates")


@pytest.fixture(params=PARTS)
def any_translator(request):
    return load(request.param)


@pytest.fixture(scope="module")
def unseen():
    """Dates that were not trained on, of every language and format."""
    from attnlib.tasks import dates

    return dates.pairs(120, seed=7, exclude=dates.pairs(20_000))


# What it is


def test_translator_equals_keras_with_the_same_rounded_weights(any_translator, unseen):
    from tools import train_translators

    translator = any_translator
    vocabularies = translator.source_tokens, translator.target_tokens
    keras = train_translators.new_model(translator.name, *vocabularies)
    for name, variable in train_translators.variables(keras).items():
        array = translator.model.parameters[name]
        variable.assign(array.reshape(variable.shape))  # (units, units) of all heads
    assert len(keras.weights) == len(translator.model.parameters)
    odd = [list("5,,mvJ"), list("9"), list("d d d d d 1")]  # no dates at all
    sources = [*(source for source, _ in unseen[:40]), *odd]
    for source, theirs in zip(
        sources, keras.translate(sources, verbose=0), strict=True
    ):
        tokens, weights = translator(source)
        assert tokens == theirs.tokens
        assert weights.shape == theirs.weights.shape
        assert np.abs(weights - theirs.weights).max() < 1e-5
        if translator.head_weights is not None:
            by_head = translator.head_weights
            assert by_head.shape == theirs.head_weights.shape
            assert np.abs(by_head - theirs.head_weights).max() < 1e-5


def test_translator_is_right_on_unseen_dates(any_translator, unseen):
    assert {pair.locale for pair in unseen} == {"en", "fr", "de", "es"}
    hits = [any_translator(source)[0] == target for source, target in unseen]
    assert np.mean(hits) >= 0.97


def test_weights_are_small_and_say_how_they_were_made(any_translator):
    path = numpy_translators.WEIGHTS / f"{any_translator.name}.npz"
    assert path.stat().st_size < 500_000
    with np.load(path) as arrays:
        assert {array.dtype for array in arrays.values()} == {np.dtype("float16")}
    made = any_translator.provenance
    assert len(made["exact_match_by_seed"]) >= 3
    assert min(made["exact_match_by_seed"].values()) >= 0.97
    assert max(made["alignment_error_rate_by_seed"].values()) < 0.15
    assert made["versions"]["keras"] and made["date"] and made["seconds"] > 0
    count = sum(array.size for array in any_translator.model.parameters.values())
    assert made["parameters"] == count


def test_local_translator_gives_the_centers_of_its_last_translation():
    translator = Translator.load("dates-local-p")
    assert translator.centers.shape == (0,)
    for text in ("5 mars 2024", DATE):
        _, weights = translator(text)
        assert translator.centers.shape == (STEPS,)
        assert ((translator.centers > 0) & (translator.centers < len(text))).all()
        distance = np.arange(len(text)) - np.floor(translator.centers)[:, None]
        outside = abs(distance) > translator.model.half_width
        assert (weights[outside] == 0).all() and (weights[~outside] > 0).all()
        assert (weights.sum(axis=1) < 1).all()
    assert outside.any()
    assert load("dates").centers is None


def test_transformer_gives_the_weights_of_each_head_of_its_last_translation():
    translator = Translator.load("dates-transformer")
    assert translator.head_weights.shape == (LAYERS, HEADS, 0, 0)
    for text in ("5 mars 2024", DATE):
        _, weights = translator(text)
        by_head = translator.head_weights
        assert by_head.shape == (LAYERS, HEADS, STEPS, len(text))
        assert np.allclose(by_head.sum(axis=-1), 1)
        assert np.allclose(by_head.mean(axis=(0, 1)), weights)
    assert load("dates").head_weights is None
    assert translator.centers is None


def test_transformer_gives_the_weights_of_the_tokens_that_were_written():
    """Whoever wrote them, and however many they are."""
    digit = load("dates-transformer").target_tokens.index("2")
    for count, steps in ((0, 1), (3, 4), (53, 54), (54, 54), (60, 61)):
        translator = Translator.load(
            "dates-transformer", generate=lambda model, source, n=count: [digit] * n
        )
        tokens, weights = translator(DATE)
        assert tokens == ["2"] * count
        assert weights.shape == (steps, len(DATE))


def test_transformer_predicts_each_token_from_those_before():
    model = load("dates-transformer").model
    memory = model.encode([5, 6, 7])
    assert memory.shape == (1, 3, 64)
    tokens = [model.start, 4, 7, 5]
    logits = model.logits(tokens, memory)
    for length in range(1, 5):
        of_some = model.logits(tokens[:length], memory)
        assert np.allclose(of_some, logits[:, :length])


def test_translator_takes_text_and_tokens(translator):
    tokens, weights = translator(DATE)
    assert "".join(tokens) == "2024-03-05"
    assert weights.shape == (len(tokens) + 1, len(DATE))
    assert np.allclose(weights.sum(axis=1), 1)
    for same in (list(DATE), tuple(DATE)):
        assert translator(same)[0] == tokens
    by_name = Translator.load("dates-additive")
    assert by_name.name == translator.name == "dates-additive"
    assert by_name(DATE)[0] == tokens


def test_weights_read_the_digits_that_they_write(translator):
    tokens, weights = translator(DATE)
    read = "".join(DATE[j] for j in weights.argmax(axis=1))
    assert read[:4] == "2024" and read[9] == "5"


# Parts


@pytest.mark.parametrize(("name", "part"), PART_OF_MODEL)
def test_translator_calls_each_part_that_it_is_given(name, part):
    calls = []

    def own(*arguments):
        calls.append(arguments)
        return part_of(name, part)(*arguments)

    tokens, weights = Translator.load(name, **{part: own})(DATE)
    assert len(calls) == CALLS.get(part, STEPS)
    assert "".join(tokens) == "2024-03-05"
    assert np.allclose(weights, load(name)(DATE)[1], atol=1e-12)


@pytest.mark.parametrize("name", PARTS)
def test_translator_of_own_parts_translates(name):
    own = {part: part_of(name, part) for part in PARTS[name]}
    whole = Translator.load(name, **own)
    tokens, weights = whole(DATE)
    assert whole.yours == PARTS[name] and "".join(tokens) == "2024-03-05"
    assert np.allclose(weights, load(name)(DATE)[1], atol=1e-12)


def test_repr_says_whose_the_parts_are(translator):
    name = "dates-additive"
    own = {part: part_of(name, part) for part in reversed(PARTS[name])}
    assert repr(Translator.load("dates", **own)) == (
        "Translator 'dates-additive' with your translate_sentence, greedy_decode,"
        " bahdanau_step, additive_scores, attend, softmax"
    )
    assert repr(translator) == "Translator 'dates-additive': every part is ours"


def test_wrong_part_gives_a_wrong_translation():
    def looks_everywhere(scores):
        return np.full(scores.shape, 1 / scores.shape[-1])

    tokens, weights = Translator.load("dates", softmax=looks_everywhere)(DATE)
    assert "".join(tokens) != "2024-03-05"
    assert np.allclose(weights, 1 / len(DATE))


def test_transformer_without_order_gives_a_wrong_translation():
    def nowhere(length, dim):
        return np.zeros((length, dim))

    tokens, weights = Translator.load(
        "dates-transformer", sinusoidal_positions=nowhere
    )(DATE)
    assert "".join(tokens) != "2024-03-05"
    assert weights.shape[1] == len(DATE) and np.allclose(weights.sum(axis=1), 1)


def test_model_gives_no_padding_and_no_start(translator):
    model = translator.model
    zeros = [np.zeros((1, size)) for size in (64, 64, 32)]
    assert (model.logits(*zeros)[0, :2] == -np.inf).all()
    transformer = load("dates-transformer").model
    logits = transformer.logits([1, 5, 7], np.zeros((1, 4, 64)))
    assert (logits[..., :2] == -np.inf).all() and np.isfinite(logits[..., 2:]).all()


# What is refused


@pytest.mark.parametrize("name", ["date", "spa-eng", None, 3])
def test_load_refuses_an_unknown_name(name):
    with pytest.raises(ValueError, match="name should be one of 'dates', 'dates-add"):
        Translator.load(name)


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("dates", "softmaxx"),
        ("dates", "luong_step"),
        ("dates-general", "bahdanau_step"),
        ("dates-general", "local_step"),
        ("dates-local-p", "attend"),
        ("dates-transformer", "translate_sentence"),
        ("dates", "generate"),
    ],
)
def test_load_refuses_a_part_that_the_model_does_not_have(name, part):
    with pytest.raises(ValueError) as raised:
        Translator.load(name, **{part: ref.softmax})
    whole = load(name).name
    assert str(raised.value) == (
        f"a part of {whole!r} should be one of {str(PARTS[whole])[1:-1]}, got {part!r}"
    )


@pytest.mark.parametrize("part", [None, 3, "attend", bahdanau.attend])
def test_load_refuses_what_is_no_function(part):
    with pytest.raises(TypeError, match="attend should be a function, got"):
        Translator.load("dates", attend=part)


def test_load_says_that_the_weights_are_missing(monkeypatch, tmp_path):
    monkeypatch.setattr(numpy_translators, "WEIGHTS", tmp_path)
    with pytest.raises(FileNotFoundError, match="weights of 'dates-additive' are not"):
        Translator.load("dates")


@pytest.mark.parametrize("text", ["", [], (), "   ", [" "]])
def test_translator_refuses_nothing(translator, text):
    with pytest.raises(ValueError, match="got nothing to translate"):
        translator(text)


@pytest.mark.parametrize(
    "text", [None, 5, 2.5, b"May 1", {"M", "a"}, ["M", 1], [DATE, 2]]
)
def test_translator_refuses_what_is_no_text(translator, text):
    with pytest.raises(TypeError, match="tokens should be a text or a list of char"):
        translator(text)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("5/3/2024", "got '/'. It knows"),
        ("2024-03-05", "got '-'. It knows"),
        (
            "Dimanche 5 \u00c9t\u00e9",
            "got '\u00c9' (LATIN CAPITAL LETTER E WITH ACUTE). ",
        ),
        (
            "\u041carch 5, 2024",
            "got '\u041c' (CYRILLIC CAPITAL LETTER EM). It",
        ),  # looks like M
        ("5. Ma\u0308rz 2024", "(COMBINING DIAERESIS). It"),
        ("5\u00a0mars 2024", "got '\\xa0' (NO-BREAK SPACE). It"),
        ("2024\u5e743\u67085\u65e5", "(CJK UNIFIED IDEOGRAPH-5E74), '\u6708' ("),
        ("!\"#$%&'", "got '!', '\"', '#', '$', '%' and others. It knows"),
        (["March", " ", "5"], "got 'March', which is no single character. It knows"),
        (["", "5"], "got '', which is no single character. It knows"),
        ("May 1,\n2024", "got '\\n'. It knows"),
    ],
)
def test_translator_names_unknown_characters_and_those_it_knows(
    translator, text, named
):
    with pytest.raises(ValueError) as raised:
        translator(text)
    message = str(raised.value)
    assert named in message
    assert message.startswith("tokens should hold characters that this model knows")
    assert message.endswith(
        "It knows the space and ,.0123456789ADFJMNOSTWabcdefghijklmnoprstuvwyz"
        "\u00e1\u00e4\u00e9\u00fb"
    )


@pytest.mark.parametrize("text", ["12 maggio 2024", "March 5, 2150", "May", "zzz 9 9"])
@pytest.mark.parametrize("name", ["dates", "dates-transformer"])
def test_translator_answers_to_any_text_of_known_characters(name, text):
    """It cannot know that it was not trained on such a date."""
    tokens, weights = load(name)(text)
    assert len(tokens) <= 2 * len(text) + 10
    assert weights.shape[1] == len(text) and np.allclose(weights.sum(axis=1), 1)


def test_translator_refuses_very_long_text(translator):
    assert translator("5" * 200)[1].shape[1] == 200
    with pytest.raises(ValueError, match="at most 200 characters, got 201"):
        translator("5" * 201)


@pytest.mark.parametrize("text", ["", None, ["M", 1], "5/3/2024", "5" * 201])
def test_every_translator_refuses_the_same(text):
    messages = set()
    for name in PARTS:
        with pytest.raises((TypeError, ValueError)) as raised:
            load(name)(text)
        messages.add(str(raised.value))
    assert len(messages) == 1


# What the reader's functions return


def unfinished(*arguments):
    """A stub."""


@pytest.mark.parametrize(("name", "part"), PART_OF_MODEL)
def test_translator_says_that_a_part_returns_nothing(name, part):
    with pytest.raises(TypeError, match=f"your {part} .*None"):
        Translator.load(name, **{part: unfinished})(DATE)


@pytest.mark.parametrize(
    ("part", "own", "message"),
    [
        ("luong_step", lambda *a: a[:2], "your luong_step should return 3 values, got"),
        ("luong_step", lambda *a: a[:3], "attentional of your luong_step should have"),
        (
            "luong_step",
            lambda *a: (a[0], a[0], a[2][0]),
            "weights of your luong_step should have shape",
        ),
        (
            "local_step",
            lambda *a: luong_step(*a[:5], *a[-2:]),
            "your local_step should return 4 values, got a tuple of 3",
        ),
        (
            "local_step",
            lambda *a: (*luong_step(*a[:5], *a[-2:]), np.zeros((1, 1))),
            r"center of your local_step should have shape \(1,\), got \(1, 1\)",
        ),
        (
            "predicted_center",
            lambda query, w_p, v_p, mask: np.zeros(1),
            "centers of your predicted_center should have shape",
        ),
        ("local_attend", lambda *a: a[0], "your local_attend should return 2 values"),
        ("general_scores", lambda q, k, w: k, "scores of your general_scores should"),
        ("softmax", lambda scores: scores[0], "weights of your softmax should have sh"),
        (
            "softmax",
            lambda scores: scores / 0.0,
            "weights of your softmax should be fin",
        ),
        (
            "softmax",
            lambda scores: "abc",
            "weights of your softmax should hold numbers",
        ),
        (
            "additive_scores",
            lambda q, k, *w: k,
            "scores of your additive_scores should",
        ),
        (
            "attend",
            lambda scores, *v: scores,
            "your attend should return 2 values, got",
        ),
        ("attend", lambda s, v, m: (s, v), "context of your attend should have shape"),
        (
            "bahdanau_step",
            lambda *a: a[:2],
            "your bahdanau_step should return 3 values",
        ),
        (
            "bahdanau_step",
            lambda *a: a[:3],
            "context of your bahdanau_step should have",
        ),
        ("greedy_decode", lambda *a: "2024", "your greedy_decode should return a list"),
        (
            "greedy_decode",
            lambda *a: [3.5],
            "a token of your greedy_decode should be a",
        ),
        (
            "greedy_decode",
            lambda *a: [99],
            "a token of your greedy_decode should be an",
        ),
        (
            "translate_sentence",
            lambda *a: [3],
            "your translate_sentence should return 2 values, got a li",
        ),
        (
            "translate_sentence",
            lambda *a: ([3], [3]),
            "weights of your translate_sentence should have sh",
        ),
        ("generate", lambda *a: "2024", "your generate should return a list of ints"),
        ("generate", lambda *a: [3.5], "a token of your generate should be an int"),
        ("generate", lambda *a: [99], "a token of your generate should be an int"),
        (
            "encoder_block",
            lambda x, *a: (x, x),
            r"result of your encoder_block should have shape \(1, 22, 64\), got \(2",
        ),
        (
            "decoder_block",
            lambda x, memory, *a: memory,
            r"result of your decoder_block should have shape \(1, 1, 64\), got \(1, 22",
        ),
        (
            "multi_head_attention",
            lambda query, values, w_query, *a: np.einsum(
                "btd,dhk->bhtk", query, w_query
            ),
            "result of your multi_head_attention should have shape",
        ),
        (
            "scaled_dot_product_attention",
            lambda query, keys, values, mask: (values, mask),
            "weights of your scaled_dot_product_attention should have shape",
        ),
        (
            "scaled_dot_product_attention",
            lambda query, keys, values, mask: query,
            "your scaled_dot_product_attention should return 2 values, got a ndarray",
        ),
        (
            "layer_norm",
            lambda x, scale, offset: x.mean(-1),
            "result of your layer_norm should have shape",
        ),
        (
            "layer_norm",
            lambda x, scale, offset: x / 0.0,
            "result of your layer_norm should be finite, got NaN or inf",
        ),
        (
            "feed_forward",
            lambda x, w_in, b_in, w_out, b_out: x @ w_in,
            "result of your feed_forward should have shape",
        ),
        (
            "causal_mask",
            lambda mask: np.tril(np.ones((1, mask.shape[1], mask.shape[1]))),
            "mask of your causal_mask should be boolean, True = may be attended to, go",
        ),
        (
            "causal_mask",
            lambda mask: mask,
            "mask of your causal_mask should have shape",
        ),
        (
            "sinusoidal_positions",
            lambda length, dim: np.zeros((1, length, dim)),
            r"positions of your sinusoidal_positions should have shape \(22, 64\)",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_translator_says_what_a_part_should_return(part, own, message):
    with pytest.raises((TypeError, ValueError), match=message):
        Translator.load(one_with(part), **{part: own})(DATE)


def one_with(part):
    """The first model that has this part."""
    return next(name for name in PARTS if part in PARTS[name])


def test_local_translator_takes_centers_outside_of_the_sentence():
    """Where nothing is in the window, there is nothing to attend to."""
    far = {"predicted_center": lambda query, w_p, v_p, mask: np.full((1, 1), -1000.0)}
    translator = Translator.load("dates-local-p", **far)
    assert not translator(DATE)[1].any()
    assert (translator.centers == -1000).all()


# The script that makes the weights


@pytest.mark.parametrize(
    "name", ["dates-additive", "dates-local-p", "dates-transformer"]
)
def test_script_writes_weights_that_load(name, tmp_path, monkeypatch):
    from tools import train_translators

    model, parameters, description = train_translators.train(name, 2000, 0, 8)
    train_translators.save(name, parameters, description, tmp_path)
    monkeypatch.setattr(numpy_translators, "WEIGHTS", tmp_path)
    translator = Translator.load(name)
    stored = json.loads((tmp_path / f"{name}.json").read_text())
    assert stored["provenance"]["epochs"] == 0
    monkeypatch.undo()
    assert translator.provenance.keys() == load(name).provenance.keys()
    source = list("Tue 5 2")
    (theirs,) = model.translate([source], verbose=0)
    assert translator(source)[0] == theirs.tokens
