"""The reader's own words: the numbers are the classifier's, and the figure is used by
keyboard and with a sentence of the reader's own.
"""

import json
import re

import numpy as np
import pytest
from figures import (
    HOSTILE,
    HOSTS,
    check_accessible,
    check_card_on_paper,
    check_fits,
    check_html,
    open_figures,
    texts,
)

from attnlib.interactive import calls, own_words
from attnlib.interactive.frame import Figure
from attnlib.interactive.own_words import MAX_CHARACTERS, MAX_WORDS, word_scores
from attnlib.numpy_classifier import Classifier

page_of = pytest.fixture(open_figures)
TEXT = "The food was great, but not the zyzzyva."
LONG = "unbelievably good " * 15 + "overhyped"


@pytest.fixture(scope="module")
def classifier():
    return Classifier.load("reviews")


@pytest.fixture(scope="module")
def figure(classifier):
    return own_words(classifier, TEXT)


# The numbers


@pytest.mark.parametrize("text", [TEXT, "Awful!", "no no no"])
def test_word_scores_are_those_of_the_classifier(classifier, text):
    data = word_scores(classifier, f"  {text}\n")
    probability, words, weights = classifier(text)
    assert data["words"] == words and data["text"] == text
    assert data["probability"] == pytest.approx(probability, abs=1e-4)
    np.testing.assert_allclose(data["weights"], weights, atol=1e-4)
    gradients = classifier.gradient_times_input(text)
    np.testing.assert_allclose(data["gradients"], gradients, atol=1e-4)
    assert data["known"] == [word != "zyzzyva" for word in words]
    assert len(set(data["names"])) == len(words)


def test_word_scores_are_made_with_the_functions_of_the_classifier():
    def mean(values, w, b, v):
        weights = np.full(values.shape[:2], 1 / values.shape[1])
        return values.mean(axis=1), weights

    data = word_scores(Classifier.load(attention_pooling=mean), "so very good now")
    assert data["weights"] == [0.25] * 4


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        (
            "",
            ValueError,
            "text should hold a word, as in 'The food was great.', got ''",
        ),
        ("10/10", ValueError, "text should hold a word"),
        ("a" * 301, ValueError, "text should have at most 300 characters, got 301"),
        ("a " * 61, ValueError, "at most 60 words and punctuation marks, got 61"),
        (None, TypeError, "text should be a str such as 'The food was great.', got"),
        (["good"], TypeError, "text should be a str"),
    ],
)
def test_own_words_refuses_other_texts_in_words(classifier, text, error, message):
    with pytest.raises(error, match=re.escape(message)):
        own_words(classifier, text)
    with pytest.raises(error, match=re.escape(message)):
        calls.FUNCTIONS["word_scores"]("reviews", text)


def test_own_words_refuses_other_classifiers():
    with pytest.raises(TypeError, match=r"a Classifier, such as Classifier.load"):
        own_words(lambda text: text, TEXT)


def test_call_of_word_scores_is_for_shipped_classifiers_alone(classifier):
    answer = calls.FUNCTIONS["word_scores"]("reviews", TEXT)
    assert json.loads(json.dumps(answer)) == word_scores(classifier, TEXT)
    with pytest.raises(ValueError, match=r"name should be one of 'reviews'"):
        calls.FUNCTIONS["word_scores"]("../reviews", TEXT)
    with pytest.raises(TypeError, match=r"name should be a str"):
        calls.FUNCTIONS["word_scores"](["reviews"], TEXT)


def test_own_words_html_is_the_same_every_time_and_stays_small(figure):
    check_html(figure, 25_000)


# In a browser


def rows_of(data):
    """The rows of the table, as a reader sees them."""
    parts = (data[name] for name in ("words", "known", "weights", "gradients"))
    return [
        f"{word}{'' if known else ' <unk>'}\t{weight:.3f}\t"
        + ("0.00" if abs(gradient) < 0.005 else f"{gradient:+.2f}".replace("-", "−"))
        for word, known, weight, gradient in zip(*parts, strict=True)
    ]


def seen_rows(page):
    return [re.sub(r"\s*\t\s*", "\t", row) for row in texts(page, "tbody tr")]


def test_table_shows_the_numbers_with_and_without_a_script(page_of, figure):
    for options in ({"java_script_enabled": False}, {}):
        page = page_of(figure, **options)
        assert seen_rows(page) == rows_of(figure.data)
        assert texts(page, "caption") == [
            "The words of the sentence. The model reads words marked <unk> as one and "
            "the same word, because it does not know them."
        ]
        (credit,) = texts(page, ".ow-credit")
        assert credit.endswith("Sentences of Kotzias et al. (2015), CC BY 4.0.")
        assert texts(page, "thead th") == ["word", "weight", "gradient × input"]
        shown = page.locator(".ow-answer").is_visible()
        assert shown == (options != {})  # the live region says it
    static = page_of(figure, java_script_enabled=False)
    probability = figure.data["probability"]
    answer = "positive" if probability >= 0.5 else "negative"
    share = max(probability, 1 - probability)
    assert texts(static, ".ow-answer") == [
        f"“{TEXT}” is {answer}, with probability {share:.2f}."
    ]
    assert static.locator("button, input").count() == 0


def test_live_region_says_the_answer_and_the_strongest_words(page_of, figure):
    page = page_of(figure)
    data, said = figure.data, page.locator(".af-say")
    assert said.get_attribute("role") == "status"
    top = int(np.argmax(data["weights"]))
    strongest = int(np.argmax(np.abs(data["gradients"])))
    text = said.inner_text()
    assert f"The largest weight is {data['weights'][top]:.3f}, on" in text
    assert f"on {data['names'][strongest]}." in text
    assert text.endswith("The model does not know: zyzzyva.")


def test_bars_and_tints_are_as_large_as_the_numbers(page_of, figure):
    page = page_of(figure)
    for column, kind, name in (
        (2, "weights", "weights"),
        (3, "gradients", "gradients"),
    ):
        numbers = np.array(figure.data[name])
        shares = np.abs(numbers) / np.abs(numbers).max()
        bars = page.locator(f"tbody td:nth-child({column}) .ow-track i")
        found = bars.evaluate_all(
            "all => all.map(e => parseFloat(e.style.width) / 100)"
        )
        np.testing.assert_allclose(found, shares, atol=1e-3)
        words = page.locator(f".ow-{kind} .ow-word")
        tints = words.evaluate_all(
            "all => all.map(e => Number(e.style.getPropertyValue('--w')))"
        )
        np.testing.assert_allclose(tints, shares, atol=1e-3)


def test_gradients_lead_left_or_right_by_their_sign(page_of, figure):
    page = page_of(figure)
    tracks = page.locator("tbody td:nth-child(3) .ow-track")
    sides = tracks.evaluate_all(
        """all => all.map(e => {
          const [box, bar] = [e, e.firstChild].map(x => x.getBoundingClientRect());
          const middle = (box.left + box.right) / 2;
          return [bar.left - middle, bar.right - middle];
        })"""
    )
    gradients = np.array(figure.data["gradients"])
    assert gradients.min() < -0.1 and gradients.max() > 0.1
    for (left, right), gradient in zip(sides, gradients, strict=True):
        inner, outer = (left, right) if gradient >= 0 else (right, left)
        assert abs(inner) < 1
        assert abs(gradient) < 0.1 or np.sign(outer) == np.sign(gradient)
    signs = page.locator(".ow-gradients sup").all_inner_texts()
    assert set(signs) <= {"+", "−"} and signs


def test_unknown_words_are_marked(page_of, classifier, figure):
    page = page_of(figure)
    assert texts(page, ".ow-weights .ow-unknown") == ["zyzzyva"]
    assert page.locator("tbody .ow-mark").count() == 1
    page = page_of(own_words(classifier, "The food was great."))
    assert page.locator(".ow-unknown, .ow-mark").count() == 0
    assert texts(page, "caption") == ["The words of the sentence."]


def test_own_words_on_paper_shows_answer_and_table(page_of, figure):
    page = page_of(figure, color_scheme="dark")
    page.emulate_media(media="print")
    assert page.locator("button:visible, input:visible").count() == 0
    assert page.locator(".ow-answer").is_visible()
    assert page.get_by_role("table").is_visible()
    check_card_on_paper(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_own_words_has_no_accessibility_violation(page_of, figure, scheme):
    narrow = {"width": 360, "height": 640}
    page = page_of(figure, color_scheme=scheme, viewport=narrow)
    page.evaluate(HOSTS)
    page.get_by_label("Your sentence").fill("10/10")
    page.keyboard.press("Enter")
    check_accessible(page)


@pytest.mark.parametrize("width", [360, 760, 1280])
def test_own_words_fits_the_page(page_of, classifier, width):
    long = own_words(classifier, "w" * 60 + " " + LONG[: MAX_CHARACTERS - 61])
    page = page_of(long, viewport={"width": width, "height": 640})
    page.evaluate(HOSTS)
    assert MAX_WORDS >= page.locator("tbody tr").count()
    check_fits(page, width, 22)


# The reader's own sentence. Here, the page answers in place of Python.


def test_own_sentence_is_offered_where_the_page_has_python(page_of, figure):
    page = page_of(figure)
    field, note = page.get_by_label("Your sentence"), page.locator(".ask-elsewhere")
    assert not field.is_visible()
    assert note.inner_text() == (
        "To see a sentence of your own, call "
        'own_words(classifier, "The food was great.") in a cell.'
    )
    page.evaluate(HOSTS)
    assert field.is_visible() and not note.is_visible()
    assert field.input_value() == TEXT


def test_own_sentence_is_drawn_when_the_answer_comes(page_of, classifier, figure):
    page = page_of(figure)
    page.evaluate(HOSTS)
    page.keyboard.press("Tab")
    page.keyboard.type("  Bad qwertz!  ")
    page.keyboard.press("Enter")
    (asked,) = page.evaluate("asked.map(({request, figure}) => [request, figure])")
    assert asked == [
        {"function": "word_scores", "args": ["reviews", "Bad qwertz!"]},
        "own_words",
    ]
    note = page.locator(".ask-note")
    page.evaluate("asked[0].say('Loading Python.')")
    assert note.inner_text() == "Loading Python."
    data = word_scores(classifier, "Bad qwertz!")
    page.evaluate("data => asked[0].done(data)", data)
    assert not note.is_visible()
    assert seen_rows(page) == rows_of(data)
    assert texts(page, ".ow-weights .ow-word") == ["bad", "qwertz", "!"]
    said = page.locator(".af-say").inner_text()
    assert said.startswith("The model says negative, with probability ")
    assert page.locator(".ow-answer").text_content().startswith("“Bad qwertz!” is neg")


def test_own_sentence_that_cannot_be_read_is_named_without_python(page_of, figure):
    page = page_of(figure)
    page.evaluate(HOSTS)
    field, note = page.get_by_label("Your sentence"), page.locator(".ask-note")
    for text, words in (
        ("  ", "There is no word to read. Enter a sentence."),
        ("10/10!", "There is no word to read. Enter a sentence."),
        ("a" * 301, "The sentence has 301 characters. At most 300 fit here."),
    ):
        field.fill(text)
        page.keyboard.press("Enter")
        still = f" Below is still “{figure.data['text']}”."
        assert note.inner_text() == words + still
        assert field.get_attribute("aria-invalid") == "true"
    assert page.evaluate("asked.length") == 0
    field.fill("Été formidable")
    page.get_by_role("button", name="Classify").click()
    assert page.evaluate("asked.length") == 1
    assert field.get_attribute("aria-invalid") == "false"
    page.evaluate("asked[0].fail('Python has ended.')")
    assert note.inner_text() == "Python has ended." + still
    page.evaluate("data => asked[0].done(data)", word_scores(Classifier.load(), "Bad."))
    field.fill("")
    page.keyboard.press("Enter")
    assert note.inner_text().endswith(" Below is still “Été formidable”.")


def test_own_sentence_without_an_answer_is_said(page_of, figure):
    page = page_of(figure)
    page.evaluate("document.documentElement.classList.add('can-run')")
    page.get_by_role("button", name="Classify").click()
    note = page.locator(".ask-note").inner_text()
    assert note == "This page has no Python to classify it."


def test_own_words_shows_hostile_words_as_they_are(page_of, classifier, figure):
    count = len(HOSTILE)
    data = {
        **figure.data,
        "words": HOSTILE,
        "names": HOSTILE,
        "known": [False] * count,
        "weights": [1 / count] * count,
        "gradients": [-1.0] * count,
        "text": HOSTILE[2],
    }
    page = page_of(Figure("own_words", HOSTILE[3], TABLE, data))
    assert page.locator(".ow-weights .ow-word").all_text_contents() == HOSTILE
    assert page.evaluate("window.hacked") is None
    assert page.locator("img, b b").count() == 0
    static = page_of(own_words(classifier, f"bad {HOSTILE[2]}"))
    assert static.evaluate("window.hacked") is None


TABLE = (
    '<p class="ow-answer"></p><table><caption></caption><thead></thead>'
    "<tbody></tbody></table>"
)
