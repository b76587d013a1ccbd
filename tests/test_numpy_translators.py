"""The translators in NumPy: equal to Keras, right on dates, and made of parts that the
reader's functions replace.
"""

import json

import numpy as np
import pytest

from attnlib import numpy_translators
from attnlib import reference as ref
from attnlib.exercises import bahdanau, bottleneck, psychology
from attnlib.numpy_translators import Translator

DATE = "Tuesday, March 5, 2024"
SOLUTIONS = {
    "softmax": psychology.softmax,
    "additive_scores": bahdanau.additive_scores,
    "attend": bahdanau.attend,
    "bahdanau_step": bahdanau.bahdanau_step,
    "greedy_decode": bottleneck.greedy_decode,
    "translate_sentence": bahdanau.translate_sentence,
}


@pytest.fixture(scope="module")
def translator():
    return Translator.load("dates")


@pytest.fixture(scope="module")
def unseen():
    """Dates that were not trained on, of every language and format."""
    from attnlib.tasks import dates

    return dates.pairs(120, seed=7, exclude=dates.pairs(20_000))


# What it is


def test_translator_equals_keras_with_the_same_rounded_weights(translator, unseen):
    from attnlib.seq2seq import Seq2Seq
    from tools import train_translators

    vocabularies = translator.source_tokens, translator.target_tokens
    keras = Seq2Seq(*vocabularies, attention="additive", units=64, embedding_dim=32)
    for name, variable in train_translators.variables(keras).items():
        variable.assign(translator.model.parameters[name])
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


def test_translator_is_right_on_unseen_dates(translator, unseen):
    assert {pair.locale for pair in unseen} == {"en", "fr", "de", "es"}
    hits = [translator(source)[0] == target for source, target in unseen]
    assert np.mean(hits) >= 0.97


def test_weights_are_small_and_say_how_they_were_made(translator):
    path = numpy_translators.WEIGHTS / "dates-additive.npz"
    assert path.stat().st_size < 300_000
    with np.load(path) as arrays:
        assert {array.dtype for array in arrays.values()} == {np.dtype("float16")}
    made = translator.provenance
    assert len(made["exact_match_by_seed"]) >= 3
    assert min(made["exact_match_by_seed"].values()) >= 0.97
    assert made["versions"]["keras"] and made["date"] and made["seconds"] > 0
    count = sum(array.size for array in translator.model.parameters.values())
    assert made["parameters"] == count


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


@pytest.mark.parametrize("part", numpy_translators.PARTS)
def test_translator_calls_each_part_that_it_is_given(translator, part):
    calls = []

    def own(*arguments):
        calls.append(arguments)
        return SOLUTIONS[part].reference_solution(*arguments)

    tokens, weights = Translator.load("dates", **{part: own})(DATE)
    assert len(calls) == (1 if part in ("translate_sentence", "greedy_decode") else 11)
    assert "".join(tokens) == "2024-03-05"
    assert np.allclose(weights, translator(DATE)[1], atol=1e-12)


def test_translator_of_all_solutions_translates(translator):
    parts = {name: each.reference_solution for name, each in SOLUTIONS.items()}
    whole = Translator.load("dates", **parts)
    assert whole(DATE)[0] == translator(DATE)[0]
    assert repr(whole) == (
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


def test_model_gives_no_padding_and_no_start(translator):
    model = translator.model
    zeros = [np.zeros((1, size)) for size in (64, 64, 32)]
    assert (model.logits(*zeros)[0, :2] == -np.inf).all()


# What is refused


@pytest.mark.parametrize("name", ["date", "spa-eng", None, 3])
def test_load_refuses_an_unknown_name(name):
    with pytest.raises(ValueError, match="name should be one of 'dates', 'dates-add"):
        Translator.load(name)


def test_load_refuses_an_unknown_part():
    with pytest.raises(ValueError, match="part should be one of .*got 'softmaxx'"):
        Translator.load("dates", softmaxx=ref.softmax)


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
def test_translator_answers_to_any_text_of_known_characters(translator, text):
    """It cannot know that it was not trained on such a date."""
    tokens, weights = translator(text)
    assert len(tokens) <= 2 * len(text) + 10
    assert weights.shape[1] == len(text) and np.allclose(weights.sum(axis=1), 1)


def test_translator_refuses_very_long_text(translator):
    assert translator("5" * 200)[1].shape[1] == 200
    with pytest.raises(ValueError, match="at most 200 characters, got 201"):
        translator("5" * 201)


# What the reader's functions return


def unfinished(*arguments):
    """A stub."""


@pytest.mark.parametrize("part", numpy_translators.PARTS)
def test_translator_says_that_a_part_returns_nothing(part):
    with pytest.raises(TypeError, match=f"your {part} .*None"):
        Translator.load("dates", **{part: unfinished})(DATE)


@pytest.mark.parametrize(
    ("part", "own", "message"),
    [
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
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_translator_says_what_a_part_should_return(part, own, message):
    with pytest.raises((TypeError, ValueError), match=message):
        Translator.load("dates", **{part: own})(DATE)


# The script that makes the weights


def test_script_writes_weights_that_load(tmp_path, monkeypatch):
    from tools import train_translators

    model, parameters, description = train_translators.train_dates(2000, 0, 8)
    train_translators.save("dates-additive", parameters, description, tmp_path)
    monkeypatch.setattr(numpy_translators, "WEIGHTS", tmp_path)
    translator = Translator.load("dates")
    stored = json.loads((numpy_translators.WEIGHTS / "dates-additive.json").read_text())
    assert stored["provenance"]["epochs"] == 0
    kept = translator.provenance.keys()
    monkeypatch.undo()
    assert kept == Translator.load("dates").provenance.keys()
    source = list("Tue 5 2")
    (theirs,) = model.translate([source], verbose=0)
    assert translator(source)[0] == theirs.tokens
