"""Heads of self-attention, built by hand: each attends to what its name says, and the
figure is used by keyboard and with a text of the reader's own.
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

from attnlib import reference as ref
from attnlib.exercises import self_attention
from attnlib.interactive import calls, heads
from attnlib.interactive.frame import Figure
from attnlib.interactive.heads import (
    HEADS,
    MAX_CHARACTERS,
    head_matrices,
    head_numbers,
    rotation,
    word_vectors,
)

page_of = pytest.fixture(open_figures)
TEXT = "The dog saw the cat, and the cat ran away."
WORDS = "the dog saw the cat , and the cat ran away .".split()


@pytest.fixture(scope="module")
def figure():
    return heads(TEXT, query=4)


def head_of(data, name):
    return data["heads"][list(HEADS).index(name)]


# The numbers


@pytest.mark.parametrize("prefix", ["", "causal_"])
@pytest.mark.parametrize("name", HEADS)
def test_head_numbers_are_those_of_scaled_dot_product_attention(name, prefix):
    data = head_numbers(TEXT)
    x = word_vectors(WORDS)
    w_query, w_keys = head_matrices(name)
    values = x[:, :16]
    mask = np.tri(len(WORDS), dtype=bool)[None] if prefix else None
    contexts, weights = ref.scaled_dot_product_attention(
        (x @ w_query)[None], (x @ w_keys)[None], values[None], mask
    )
    head = head_of(data, name)
    np.testing.assert_allclose(head[f"{prefix}weights"], weights[0], atol=1e-4)
    np.testing.assert_allclose(head[f"{prefix}contexts"], contexts[0], atol=0.006)
    np.testing.assert_allclose(data["values"], values, atol=0.006)
    softmax = ref.softmax(np.array(head["scores"]), None if mask is None else mask[0])
    np.testing.assert_allclose(softmax, weights[0], atol=0.01)
    np.testing.assert_allclose(head["queries"], x @ w_query, atol=0.006)
    assert data["words"] == WORDS and data["text"] == TEXT


def test_each_head_attends_to_what_its_name_says():
    data = head_numbers(TEXT)
    weights = {head["name"]: np.array(head["weights"]) for head in data["heads"]}
    count = len(WORDS)
    assert np.diagonal(weights["the word before"], -1).min() > 0.9
    assert np.diagonal(weights["the word after"], 1).min() > 0.9
    assert weights["the first word"][:, 0].min() > 0.9
    np.testing.assert_allclose(weights["all words alike"], 1 / count, atol=1e-4)
    equal = np.array(WORDS)[:, None] == np.array(WORDS)
    same = weights["the same word"]
    assert (same * equal).sum(axis=1).min() > 0.9
    for row, where in zip(same, equal, strict=True):
        assert np.ptp(row[where]) < 1e-4


def test_heads_know_words_and_positions_apart():
    """The same word has one value; each position has one key."""
    x = word_vectors(WORDS)
    content, positions = x[:, :16], x[:, 16:]
    equal = np.array(WORDS)[:, None] == np.array(WORDS)
    np.testing.assert_array_equal(content @ content.T, 16 * equal)
    expected = self_attention.sinusoidal_positions.reference_solution(len(WORDS), 48)
    np.testing.assert_allclose(positions, expected, atol=1e-12)


def test_rotation_turns_each_position_into_another():
    positions = word_vectors(WORDS)[:, 16:32]
    for steps in (-1, 1, 3):
        turned = positions @ rotation(steps)
        later = slice(max(steps, 0), len(WORDS) + min(steps, 0))
        earlier = slice(max(-steps, 0), len(WORDS) - max(steps, 0))
        np.testing.assert_allclose(turned[earlier], positions[later], atol=1e-12)
    np.testing.assert_allclose(rotation(2) @ rotation(-2), np.eye(16), atol=1e-12)


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("", ValueError, "text should hold a word, as in 'the dog saw the cat', got"),
        ("  ?!", ValueError, "text should hold a word"),
        ("a" * 121, ValueError, "text should have at most 120 characters, got 121"),
        ("a " * 13, ValueError, "at most 12 words and punctuation marks, so that all"),
        ("a.b.c.d.e.f.g.", ValueError, "fit on a screen, got 14"),
        ("a \x07 b", ValueError, "got the character U+0007, which is neither"),
        ("a \ue000", ValueError, "got the character U+E000, which is neither"),
        (None, TypeError, "text should be a str such as 'the dog saw the cat', got"),
        (["the"], TypeError, "text should be a str"),
    ],
)
def test_heads_refuse_other_texts_in_words(text, error, message):
    for use in (heads, calls.FUNCTIONS["heads"]):
        with pytest.raises(error, match=re.escape(message)):
            use(text)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"head": "verbs"}, ValueError, "head should be one of 'the word before', "),
        ({"query": 12}, ValueError, "query should be an integer between 0 and 11, got"),
        ({"query": "cat"}, TypeError, "query should be an integer between 0 and 11"),
        ({"causal": 1}, TypeError, "causal should be True or False, got 1"),
    ],
)
def test_heads_refuse_other_choices_in_words(arguments, error, message):
    with pytest.raises(error, match=re.escape(message)):
        heads(TEXT, **arguments)


def test_heads_take_one_word_and_words_of_any_script():
    assert head_numbers("Hi")["heads"][0]["weights"] == [[1.0]]
    for text in ("Été à Łódź 🙂", "أنا أحب", "a\tb\nc"):
        assert json.loads(json.dumps(head_numbers(text)))["words"]


def test_call_of_heads_returns_what_the_figure_draws():
    answer = calls.FUNCTIONS["heads"](TEXT)
    assert json.loads(json.dumps(answer)) == heads(TEXT).data


def test_heads_html_is_the_same_every_time_and_stays_small():
    largest = heads("absolutely " * 10 + "so .")
    check_html(largest, 60_000)


# In a browser


def seen(page, kind):
    return texts(page, f"tbody tr:not(.hd-first, .hd-last) .hd-in-{kind}")


def shown(page):
    return page.locator(".attn-heads").evaluate("e => [e.weights, e.context]")


def test_table_shows_the_numbers_with_and_without_a_script(page_of, figure):
    head = figure.data["heads"][0]
    static = page_of(figure, java_script_enabled=False)
    page = page_of(figure)
    caption = "The head “the word before”: the query of cat (1st of 2)."
    weights = [f"{weight:.3f}" for weight in head["weights"][4]]
    assert texts(static, "tbody td:nth-child(3)") == weights == seen(page, "weight")
    scores = [f"{score:.1f}".replace("-", "−") for score in head["scores"][4]]
    assert seen(page, "score") == scores
    for each in (static, page):
        assert texts(each, "caption") == [caption]
    assert texts(static, "tbody th") == WORDS == seen(page, "word")
    assert static.locator("button, input").count() == 0
    assert texts(static, ".hd-text") == [f"“{TEXT}”"]


def test_head_query_and_mask_are_chosen_by_keyboard(page_of, figure):
    page = page_of(figure)
    press, said = page.keyboard.press, page.locator(".af-say")
    assert said.get_attribute("role") == "status"
    assert said.inner_text() == (
        "cat (1st of 2) attends to the (2nd of 3) 0.94. Its context, in values: "
        "0.94 × the (2nd of 3) + 0.06 of the others."
    )
    press("Tab")  # the head; the form is not there
    press("ArrowRight")
    press("ArrowRight")
    same = head_of(figure.data, "the same word")
    assert shown(page) == [same["weights"][4], same["contexts"][4]]
    assert texts(page, ".hd-about") == [HEADS["the same word"]]
    press("Tab")  # the query
    press("ArrowLeft")
    assert shown(page) == [same["weights"][3], same["contexts"][3]]
    press("Tab")  # the mask
    press("Space")
    assert shown(page) == [same["causal_weights"][3], same["causal_contexts"][3]]
    assert said.inner_text() == (
        "the (2nd of 3) attends to the (1st of 3) 0.50, the (2nd of 3) 0.50. Its "
        "context, in values: 0.50 × the (1st of 3) + 0.50 × the (2nd of 3)."
    )
    masked = page.locator(".hd-masked th").all_text_contents()
    assert masked == [f"{word} (masked)" for word in WORDS[4:]]
    caption = page.locator("caption").inner_text()
    assert caption.endswith("the query of the (2nd of 3), with the causal mask.")


def test_words_alike_are_said_to_be_the_mean(page_of):
    page = page_of(heads(TEXT, "all words alike", 4, causal=True))
    said = page.locator(".af-say").inner_text()
    assert said.endswith(
        "attends to 5 words alike. Its context is the mean of their values."
    )
    assert page.get_by_label("all words alike").is_checked()
    assert page.get_by_label("cat (1st of 2)").is_checked()
    mask = page.get_by_role("button", name="Causal mask")
    assert mask.get_attribute("aria-pressed") == "true"


def test_strips_and_bars_are_as_large_as_the_numbers(page_of, figure):
    page = page_of(figure)
    head = figure.data["heads"][0]
    for kind, rows in (
        ("query", [head["queries"][4]]),
        ("key", head["keys"]),
        ("value", figure.data["values"]),
        ("context", [head["contexts"][4]]),
    ):
        scale = {"query": head["queries"], "key": head["keys"]}
        largest = np.abs(scale.get(kind, figure.data["values"])).max()
        found = page.locator(f".hd-strip.hd-{kind} i").evaluate_all(
            "all => all.map(e => parseFloat(e.style.getPropertyValue('--v')))"
        )
        expected = 50 + 50 * np.ravel(rows) / largest
        np.testing.assert_allclose(found, expected, atol=0.51)
    bars = page.locator(".hd-in-weight .hd-track i")
    found = bars.evaluate_all("all => all.map(e => parseFloat(e.style.width))")
    np.testing.assert_allclose(found, 100 * np.array(head["weights"][4]), atol=0.1)


def test_heads_on_paper_are_a_table_of_what_was_chosen(page_of, figure):
    page = page_of(figure, color_scheme="dark")
    page.get_by_label("the same word").check()
    page.emulate_media(media="print")
    assert page.locator("button:visible, input:visible").count() == 0
    assert page.locator("caption").inner_text().startswith("The head “the same word”")
    assert page.locator(".hd-text").is_visible()
    check_card_on_paper(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_heads_have_no_accessibility_violation(page_of, scheme):
    narrow = {"width": 360, "height": 640}
    figure = heads(TEXT, query=4, causal=True)
    page = page_of(figure, color_scheme=scheme, viewport=narrow)
    page.evaluate(HOSTS)
    page.get_by_label("Your text").fill("?")
    page.keyboard.press("Enter")
    check_accessible(page)


@pytest.mark.parametrize("width", [360, 1280])
def test_heads_fit_the_page(page_of, width):
    long = heads("w" * MAX_CHARACTERS), heads(TEXT)
    page = page_of(*long, viewport={"width": width, "height": 640})
    page.evaluate(HOSTS)
    check_fits(page, width)


# The reader's own text. Here, the page answers in place of Python.


def test_own_text_is_drawn_when_the_answer_comes(page_of, figure):
    page = page_of(figure)
    field, note = page.get_by_label("Your text"), page.locator(".ask-note")
    assert page.locator(".ask-elsewhere").inner_text() == (
        'To see a text of your own, call interactive.heads("the dog saw the cat") in a '
        "cell."
    )
    page.evaluate(HOSTS)
    page.get_by_label("the word after").check()
    for text, words in (
        ("", "There is no word to read. Enter a short text."),
        ("?!", "There is no word to read. Enter a short text."),
        ("a" * 121, "The text has 121 characters. At most 120 fit here."),
    ):
        field.fill(text)
        page.keyboard.press("Enter")
        assert note.inner_text() == f"{words} Below is still “{TEXT}”."
    assert page.evaluate("asked.length") == 0
    field.fill("Yes, we can")
    page.get_by_role("button", name="Attend").click()
    (asked,) = page.evaluate("asked.map(({request, figure}) => [request, figure])")
    assert asked == [{"function": "heads", "args": ["Yes, we can"]}, "heads"]
    data = head_numbers("Yes, we can")
    page.evaluate("data => asked[0].done(data)", data)
    assert seen(page, "word") == ["yes", ",", "we", "can"]
    assert page.get_by_label("the word after").is_checked()
    after = head_of(data, "the word after")
    assert shown(page) == [after["weights"][3], after["contexts"][3]]
    assert page.get_by_label("can", exact=True).is_checked()


def test_heads_show_hostile_words_as_they_are(page_of, figure):
    count = len(HOSTILE)
    square, wide = np.full((count, count), 1 / count).tolist(), [[1.0] * 2] * count
    head = {
        "name": HOSTILE[1],
        "about": HOSTILE[2],
        **dict.fromkeys(("scores", "weights", "causal_weights"), square),
        **dict.fromkeys(("queries", "keys", "contexts", "causal_contexts"), wide),
    }
    data = {
        **figure.data,
        "words": HOSTILE,
        "names": HOSTILE,
        "values": wide,
        "heads": [head],
        "text": HOSTILE[0],
    }
    table = "<table><caption></caption><thead></thead><tbody></tbody></table>"
    page = page_of(Figure("heads", HOSTILE[3], f"<p class=hd-text></p>{table}", data))
    assert page.locator(
        "tbody tr:not(.hd-first, .hd-last) bdi"
    ).all_text_contents() == (HOSTILE)
    assert page.evaluate("window.hacked") is None
    assert page.locator("img, b b").count() == 0
    static = page_of(heads("bad </script><b>x"))
    assert static.evaluate("window.hacked") is None
