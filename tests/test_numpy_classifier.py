"""The classifier in NumPy: equal to Keras, honest about the words it knows, and made of
parts that the reader's functions replace.
"""

import json

import numpy as np
import pytest

from attnlib import numpy_classifier, numpy_translators
from attnlib import reference as ref
from attnlib.exercises import psychology, sentiment
from attnlib.numpy_classifier import Classifier
from attnlib.tasks import reviews

GOOD = "The food was great, and the staff was friendly."
BAD = "Not worth the money: a bad, boring movie!"
TEXTS = (
    GOOD,
    BAD,
    "Zyzzyva qwertz, Flabbergasted!",
    "no",
    "bad bad good bad",
    "A " * 60,
)


@pytest.fixture(scope="module")
def classifier():
    return Classifier.load("reviews")


def solution_of(part):
    if part == "classify_sentence":
        return numpy_classifier.classify_sentence
    owner = {"softmax": psychology, "attention_pooling": sentiment}[part]
    return getattr(owner, part).reference_solution


# What it is


@pytest.fixture(scope="module")
def keras_models(classifier):
    """The Keras model of a logit and that of the weights, with the same parameters."""
    from experiments.sentiment_baselines import network
    from tools import train_classifier

    models = network("attention", len(classifier.vocabulary))
    for name, variable in train_classifier.variables(models[0]).items():
        variable.assign(classifier.model.parameters[name])
    count = sum(array.size for array in classifier.model.parameters.values())
    assert models[0].count_params() == count == classifier.provenance["parameters"]
    return models


def encoded(classifier, text):
    token_ids = {word: i for i, word in enumerate(classifier.vocabulary) if i > 1}
    return np.array([[token_ids.get(word, 1) for word in reviews.tokens(text)]])


@pytest.mark.parametrize("text", TEXTS)
def test_classifier_equals_keras_with_the_same_rounded_weights(
    classifier, keras_models, text
):
    from attnlib.backend import keras, tf

    model, attention_model = keras_models
    numbers = encoded(classifier, text)
    probability, words, weights = classifier(text)
    assert words == reviews.tokens(text) and weights.shape == (len(words),)
    np.testing.assert_allclose(weights, attention_model(numbers)[0], atol=1e-5)
    logit = float(model(numbers)[0, 0])
    assert probability == pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-5)
    assert classifier.logit(words) == pytest.approx(logit, abs=1e-5)

    embedding = next(
        each for each in model.layers if isinstance(each, keras.layers.Embedding)
    )
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(numbers))
    gradient = tape.gradient(loss, embedding.embeddings).values  # (words, dim)
    by_tape = np.sum(np.reshape(gradient, (len(words), -1)) * embedding(numbers)[0], -1)
    by_us = classifier.gradient_times_input(text)
    np.testing.assert_allclose(by_us, by_tape, atol=1e-5)


def test_classifier_tells_praise_from_complaint(classifier):
    for text, word, is_positive in (
        ("The food was great.", "great", True),
        ("The service was terrible.", "terrible", False),
    ):
        probability, words, weights = classifier(text)
        assert (probability > 0.5) == is_positive
        relevance = classifier.gradient_times_input(text)
        assert (relevance[words.index(word)] > 0) == is_positive
        assert weights.sum() == pytest.approx(1) and (weights >= 0).all()


def test_weights_of_reviews_are_small_and_say_how_they_were_made(classifier):
    path = numpy_translators.WEIGHTS / "reviews.npz"
    assert path.stat().st_size < 300_000
    with np.load(path) as arrays:
        assert {array.dtype for array in arrays.values()} == {np.dtype("float16")}
    made = classifier.provenance
    assert "CC BY 4.0" in made["data"] and "Kotzias" in made["data"]
    reached = made["accuracy_by_seed"]
    assert len(reached) >= 3 and str(made["seed"]) in reached
    assert 0.75 < min(reached.values())
    assert made["versions"]["keras"] and made["date"] and made["seconds"] > 0


def test_vocabulary_of_reviews_is_a_list_of_words_and_no_sentences(classifier):
    assert classifier.vocabulary[:2] == ["<pad>", "<unk>"]
    words = classifier.vocabulary[2:]
    assert words == sorted(set(words)) and len(words) > 1000
    assert all(reviews.tokens(word) == [word] for word in words)


def test_classifier_says_which_words_it_knows(classifier):
    _, words, _ = classifier("Great zyzzyva!")
    assert words == ["great", "zyzzyva", "!"]
    assert [classifier.knows(word) for word in words] == [True, False, True]
    assert not any(map(classifier.knows, ("<unk>", "<pad>", "Great", "", None)))


def test_unknown_words_are_one_word_for_the_classifier(classifier):
    one, other = (classifier(f"The {word} was good") for word in ("zyzzyva", "qwertz"))
    assert one[0] == other[0] and (one[2] == other[2]).all()
    assert classifier("The <unk> was good")[1][1] == "<"  # no way to name it
    assert classifier.logit(["<pad>"]) == classifier.logit(["<unk>"])


def test_logit_is_that_of_the_probability_and_takes_no_words_too(classifier):
    probability, words, _ = classifier(GOOD)
    assert 1 / (1 + np.exp(-classifier.logit(words))) == pytest.approx(probability)
    bias = classifier.model.parameters["output_bias"][0]
    assert classifier.logit([]) == bias
    assert classifier.logit(words[::-1]) != classifier.logit(words)
    with pytest.raises(TypeError, match="words should be a list of tokens, got the te"):
        classifier.logit(GOOD)


def test_logit_fits_the_deletion_test(classifier):
    _, words, weights = classifier("Great")
    fall = sentiment.deletion_test.reference_solution(classifier.logit, words, weights)
    assert fall == classifier.logit(words) - classifier.logit([])


# Parts


@pytest.mark.parametrize("part", numpy_classifier.PARTS)
def test_classifier_calls_each_part_that_it_is_given(classifier, part):
    calls = []

    def own(*arguments):
        calls.append(arguments)
        return solution_of(part)(*arguments)

    mine = Classifier.load("reviews", **{part: own})
    probability, words, weights = mine(GOOD)
    assert len(calls) == 1
    ours = classifier(GOOD)
    assert probability == pytest.approx(ours[0], abs=1e-12)
    np.testing.assert_allclose(weights, ours[2], atol=1e-12)
    gradient = classifier.gradient_times_input(GOOD)
    np.testing.assert_allclose(mine.gradient_times_input(GOOD), gradient, atol=1e-9)
    assert mine.logit(words) == pytest.approx(classifier.logit(words), abs=1e-12)
    assert len(calls) == (1 if part == "classify_sentence" else 3)


def test_classifier_of_all_solutions_classifies(classifier):
    mine = Classifier.load(
        **{part: solution_of(part) for part in numpy_classifier.PARTS}
    )
    assert mine(BAD)[0] == pytest.approx(classifier(BAD)[0], abs=1e-12)
    assert repr(mine) == (
        "Classifier 'reviews' with your classify_sentence, attention_pooling, softmax"
    )
    assert repr(classifier) == "Classifier 'reviews': every part is ours"


def test_wrong_part_changes_the_weights(classifier):
    def mean(values, w, b, v):
        weights = np.full(values.shape[:2], 1 / values.shape[1])
        return values.mean(axis=1), weights

    probability, words, weights = Classifier.load(attention_pooling=mean)(GOOD)
    np.testing.assert_allclose(weights, 1 / len(words))
    assert probability != pytest.approx(classifier(GOOD)[0], abs=1e-6)


# What is refused


@pytest.mark.parametrize("name", ["review", "dates", None, 3])
def test_load_refuses_an_unknown_name(name):
    with pytest.raises(ValueError, match="name should be one of 'reviews', got"):
        Classifier.load(name)


def test_load_refuses_an_unknown_part_and_what_is_no_function():
    with pytest.raises(
        ValueError, match="a part of 'reviews' should be one of .*got 'pool"
    ):
        Classifier.load("reviews", pooling=ref.softmax)
    for part in (None, 3, "softmax", sentiment.attention_pooling):
        with pytest.raises(TypeError, match="attention_pooling should be a function"):
            Classifier.load("reviews", attention_pooling=part)


def test_load_says_that_the_weights_are_missing(monkeypatch, tmp_path):
    monkeypatch.setattr(numpy_translators, "WEIGHTS", tmp_path)
    with pytest.raises(FileNotFoundError, match="weights of 'reviews' are not beside"):
        Classifier.load("reviews")


@pytest.mark.parametrize("function", ["__call__", "gradient_times_input"])
@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        (
            "",
            ValueError,
            "text should hold a word, as in 'The food was great.', got ''",
        ),
        (" \n", ValueError, "text should hold a word"),
        ("10/10!", ValueError, "text should hold a word, .* got '10/10!'"),
        ("\U0001f600", ValueError, "text should hold a word"),
        ("a " * 101, ValueError, "at most 100 words and punctuation marks, got 101"),
        (
            None,
            TypeError,
            "text should be a str such as 'The food was great.', got None",
        ),
        (5, TypeError, "text should be a str"),
        (b"good", TypeError, "text should be a str"),
        (["good"], TypeError, r"text should be a str .*got \['good'\]"),
    ],
)
def test_classifier_refuses_what_it_cannot_read(
    classifier, function, text, error, message
):
    with pytest.raises(error, match=message):
        getattr(classifier, function)(text)


@pytest.mark.parametrize("part", numpy_classifier.PARTS)
def test_classifier_says_that_a_part_returns_nothing(part):
    with pytest.raises(TypeError, match=f"your {part} .*None"):
        Classifier.load("reviews", **{part: lambda *arguments: None})(GOOD)


POOLING = "attention_pooling"


@pytest.mark.parametrize(
    ("part", "own", "message"),
    [
        (
            "softmax",
            lambda scores: scores[0],
            "weights of your softmax should have sha",
        ),
        (
            "softmax",
            lambda scores: scores * np.nan,
            "weights of your softmax should be f",
        ),
        (
            "softmax",
            lambda scores: "abc",
            "weights of your softmax should hold numbers",
        ),
        (
            POOLING,
            lambda h, *w: h[:, 0],
            "your attention_pooling should return 2 values",
        ),
        (
            POOLING,
            lambda h, *w: (h, h[..., 0]),
            "context of your attention_pooling sho",
        ),
        (POOLING, lambda h, *w: (h[:, 0], h), "weights of your attention_pooling sho"),
        (
            POOLING,
            lambda h, *w: (h[:, 0] / np.inf * np.inf, h[..., 0]),
            "context of your attention_pooling should be finite",
        ),
        (
            "classify_sentence",
            lambda *a: 0.5,
            "your classify_sentence should return 2 v",
        ),
        (
            "classify_sentence",
            lambda *a: (2.5, np.ones(3)),
            "probability of your classify_sentence should lie between 0 and 1, got 2.5",
        ),
        (
            "classify_sentence",
            lambda *a: (0.5, np.ones(3)),
            "weights of your classify_sentence should have shape",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_classifier_says_what_a_part_should_return(part, own, message):
    with pytest.raises((TypeError, ValueError), match=message):
        Classifier.load("reviews", **{part: own})(GOOD)


# The script that makes the weights


def test_script_writes_weights_that_load(tmp_path, monkeypatch):
    from tools import train_classifier

    made = train_classifier.train_reviews("builtin", (0,), 0)
    model, parameters, description = made
    train_classifier.save("reviews", parameters, description, tmp_path)
    monkeypatch.setattr(numpy_translators, "WEIGHTS", tmp_path)
    classifier = Classifier.load("reviews")
    stored = json.loads((tmp_path / "reviews.json").read_text("utf-8"))
    assert stored["provenance"]["epochs"] == 0
    kept = classifier.provenance.keys()
    text = "It was not good."
    logit = float(model(encoded(classifier, text))[0, 0])
    assert classifier.logit(reviews.tokens(text)) == pytest.approx(logit, abs=1e-5)
    monkeypatch.undo()
    assert kept == Classifier.load("reviews").provenance.keys()
