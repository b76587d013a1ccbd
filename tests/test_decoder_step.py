"""The decoder step: its numbers are the translator's, and it is used by hand, by
keyboard, and with the reader's own text.
"""

import json
import re
import unicodedata

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
    press,
    texts,
)

from attnlib import reference as ref
from attnlib.interactive import calls, decoder_step
from attnlib.interactive.decoder_step import MAX_LENGTH, decoder_steps
from attnlib.interactive.frame import Figure
from attnlib.numpy_translators import Translator

page_of = pytest.fixture(open_figures)
DATE = "March 5, 2024"
LONG = "5 septembre 2024 " * 3 + "September"


@pytest.fixture(scope="module")
def translator():
    return Translator.load("dates")


@pytest.fixture(scope="module")
def figure(translator):
    return decoder_step(translator, DATE)


# The numbers


@pytest.mark.parametrize("text", [DATE, "Donnerstag, 26. September 2024", "5"])
def test_decoder_steps_are_those_of_the_translator(translator, text):
    data = decoder_steps(translator, text)
    tokens, weights = translator(text)
    chosen = [candidates[0][0] for candidates in data["candidates"]]
    assert chosen == [*tokens, "<end>"]
    np.testing.assert_allclose(data["weights"], weights, atol=1e-4)
    softmax = ref.softmax(np.array(data["scores"]))
    np.testing.assert_allclose(softmax, weights, atol=0.01)
    source = [translator.source_tokens.index(each) for each in text]
    annotations, state = translator.model.encode(source)
    np.testing.assert_allclose(data["states"][0], state[0], atol=0.006)
    np.testing.assert_allclose(data["contexts"], weights @ annotations[0], atol=0.006)
    word = translator.model.embed(translator.model.start)
    inputs = np.concatenate([word, weights[:1] @ annotations[0]], axis=-1)
    second = translator.model.gru(inputs, state)
    np.testing.assert_allclose(data["states"][1], second[0], atol=0.006)
    assert len(data["states"]) == len(chosen) + 1
    for candidates in data["candidates"]:
        shares = [share for _, _, share in candidates]
        assert shares == sorted(shares, reverse=True) and 0 < sum(shares) <= 1.001


def test_decoder_steps_drop_spaces_around_and_compose_letters(translator):
    plain = decoder_steps(translator, "5 août 2024")
    spelled = unicodedata.normalize("NFD", "  5 août 2024\n")
    assert len(spelled) > 13 and decoder_steps(translator, spelled) == plain
    assert plain["text"] == "5 août 2024"


def test_decoder_steps_that_never_end_are_cut():
    translator = Translator.load("dates")
    translator.model.parameters["output_bias"][translator.model.end] = -1e9
    data = decoder_steps(translator, DATE)
    assert len(data["candidates"]) == 24 and len(data["states"]) == 25


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("", ValueError, "text should hold a date such as 'May 1, 2025', got none"),
        (" \n", ValueError, "got none"),
        ("5" * 61, ValueError, "text should have at most 60 characters, got 61"),
        (" " * 10**6, ValueError, "got none"),
        ("5" + " " * 300, ValueError, "at most 60 characters, got 301"),
        ("5/3/2024", ValueError, "that the model knows, got '/'. It knows the space"),
        ("Май 5", ValueError, "got 'М', 'а', 'й'. It knows the space and ,.0123"),
        (list(DATE), TypeError, "text should be a str such as 'May 1, 2025', got"),
        (None, TypeError, "text should be a str"),
    ],
)
def test_decoder_step_refuses_other_texts_in_words(translator, text, error, message):
    with pytest.raises(error, match=re.escape(message)):
        decoder_step(translator, text)
    with pytest.raises(error, match=re.escape(message)):
        calls.FUNCTIONS["decoder_steps"]("dates", text)


def test_decoder_step_refuses_other_translators():
    with pytest.raises(TypeError, match=r"a Translator, such as Translator.load"):
        decoder_step(lambda text: text, DATE)
    for name in ("dates-general", "dates-local-p"):
        with pytest.raises(ValueError, match=f"Bahdanau's attention, .* got '{name}'"):
            calls.FUNCTIONS["decoder_steps"](name, DATE)


def test_call_of_decoder_steps_is_for_shipped_translators_alone(translator):
    answer = calls.FUNCTIONS["decoder_steps"]("dates", DATE)
    assert json.loads(json.dumps(answer)) == decoder_steps(translator, DATE)
    with pytest.raises(ValueError, match=r"name should be one of 'dates'"):
        calls.FUNCTIONS["decoder_steps"]("../dates", DATE)
    with pytest.raises(TypeError, match=r"name should be a str"):
        calls.FUNCTIONS["decoder_steps"](["dates"], DATE)


def test_decoder_step_html_is_the_same_every_time_and_stays_small(figure):
    check_html(figure, 45_000)


# In a browser


def step_of(page):
    return page.locator(".attn-decoder_step").evaluate("e => e.step")


def test_buttons_go_forward_and_back_through_the_steps(page_of, figure):
    page = page_of(figure)
    region = page.locator(".af-say")
    assert region.inner_text().startswith("Step 1 of 11, with nothing written. ")
    assert texts(page, ".ds-count") == ["Step 1 of 11"]
    for _ in range(3):
        press(page, "Forward")
    weight = max(figure.data["weights"][3])
    share = figure.data["candidates"][3][0][2]
    assert region.inner_text() == (
        f"Step 4 of 11, after “202”. The largest weight is {weight:.2f}, on 4. "
        f"The next character is 4, with probability {share:.2f}."
    )
    press(page, "Back")
    assert step_of(page) == 2
    press(page, "Last")
    assert "The translation ends here, with probability" in region.inner_text()
    idle = page.locator("[aria-disabled=true]")
    assert idle.all_inner_texts() == ["Forward", "Last"]
    press(page, "First")
    assert idle.all_inner_texts() == ["First", "Back"]
    assert region.get_attribute("role") == "status"


def test_steps_are_left_and_reached_by_keyboard_alone(page_of, figure):
    page = page_of(figure)
    page.keyboard.press("Tab")
    current = page.locator("[aria-current=step]")
    assert current.evaluate("e => e === document.activeElement")
    for key, step in (
        *(("ArrowLeft", 0), ("ArrowRight", 1), ("ArrowRight", 2)),
        *(("End", 10), ("ArrowRight", 10), ("ArrowLeft", 9), ("Home", 0)),
    ):
        page.keyboard.press(key)
        assert step_of(page) == step
        assert current.evaluate("e => e === document.activeElement")
    page.keyboard.press("Tab")  # the chips are one stop
    page.keyboard.press("ArrowRight")
    assert step_of(page) == 1
    for _ in range(2):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert step_of(page) == 2


def test_chip_of_the_output_leads_to_its_step(page_of, figure):
    page = page_of(figure)
    page.get_by_role("button", name="step 6: 0").click()
    assert step_of(page) == 5
    assert page.locator(".ds-written .ds-later").count() == 5


def test_picture_and_tables_show_the_numbers_of_the_step(page_of, figure):
    page = page_of(figure, reduced_motion="reduce")
    page.get_by_text("The numbers of this step as tables").click()
    for step in range(4):
        scores, weights = (figure.data[name][step] for name in ("scores", "weights"))
        rows = texts(page, "table >> nth=0 >> tbody tr")
        expected = [
            f"{j}\t{shown}\t{score:.2f}".replace("-", "\u2212") + f"\t{weight:.3f}"
            for j, shown, score, weight in zip(
                range(1, 14), figure.data["source"], scores, weights, strict=True
            )
        ]
        assert rows == expected
        words = [
            f"{shown}\t{share:.3f}"
            for shown, _, share in figure.data["candidates"][step]
        ]
        assert texts(page, "table >> nth=1 >> tbody tr") == words
        heights = page.locator(".ds-weights i").evaluate_all(
            "all => all.map(e => e.offsetHeight / e.parentElement.offsetHeight)"
        )
        np.testing.assert_allclose(heights, weights, atol=0.02)
        shown = [row.split("\n") for row in texts(page, ".ds-word")]
        assert [row[0] for row in shown] == [word.split("\t")[0] for word in words]
        press(page, "Forward")


def test_first_step_is_the_static_table(page_of, figure):
    static, page = page_of(figure, java_script_enabled=False), page_of(figure)
    page.get_by_text("The numbers of this step as tables").click()
    assert texts(static, "table tr") == texts(page, "table tr")
    assert texts(static, "caption") == texts(page, "caption")
    assert static.locator("button, input").count() == 0


def test_query_moves_from_the_new_state_where_motion_is_welcome(page_of, figure):
    for motion, moves in (("no-preference", 1), ("reduce", 0)):
        page = page_of(figure, reduced_motion=motion)
        page.evaluate(COUNT)
        press(page, "Forward")
        assert page.evaluate("moved") == ["ds-strip ds-target"] * moves
        press(page, "Back")
        assert page.evaluate("moved.length") == moves


COUNT = """() => {
  window.moved = [];
  const {animate} = Element.prototype;
  Element.prototype.animate = function (...options) {
    moved.push(this.className);
    return animate.apply(this, options);
  };
}"""


def test_decoder_step_on_paper_shows_the_chosen_step(page_of, figure):
    page = page_of(figure, color_scheme="dark")
    press(page, "Forward")
    page.emulate_media(media="print")
    page.get_by_role("table").first.wait_for()
    assert page.locator("button.af-button:visible, input:visible").count() == 0
    assert page.locator(".ds-picture").is_visible()
    assert "Step 2 of 11" in page.locator("caption").first.inner_text()
    check_card_on_paper(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_decoder_step_has_no_accessibility_violation(page_of, figure, scheme):
    narrow = {"width": 360, "height": 640}
    page = page_of(
        figure, color_scheme=scheme, reduced_motion="reduce", viewport=narrow
    )
    page.evaluate(HOSTS)
    page.get_by_label("Your date").fill("5/3")
    press(page, "Translate")
    page.get_by_text("The numbers of this step as tables").click()
    check_accessible(page)


@pytest.mark.parametrize("width", [360, 760, 1280])
def test_decoder_step_fits_the_page(page_of, translator, width):
    assert len(LONG) == MAX_LENGTH
    page = page_of(
        decoder_step(translator, LONG), viewport={"width": width, "height": 640}
    )
    page.evaluate(HOSTS)
    page.get_by_text("The numbers of this step as tables").click()
    check_fits(page, width, 22)


# The reader's own text. Here, the page answers in place of Python.


def test_own_text_is_offered_where_the_page_has_python(page_of, figure):
    page = page_of(figure)
    field, note = page.get_by_label("Your date"), page.locator(".ask-elsewhere")
    assert not field.is_visible()
    assert note.inner_text() == (
        "To see a date of your own, call "
        'decoder_step(translator, "May 1, 2025") in a cell.'
    )
    page.evaluate(HOSTS)
    assert field.is_visible() and not note.is_visible()
    assert field.input_value() == DATE


def test_own_text_is_drawn_when_the_answer_comes(page_of, translator, figure):
    page = page_of(figure)
    page.evaluate(HOSTS)
    press(page, "Last")
    page.get_by_label("Your date").fill("  5 août 1999 ")
    page.keyboard.press("Enter")
    (asked,) = page.evaluate("asked.map(({request, figure}) => [request, figure])")
    assert asked == [
        {"function": "decoder_steps", "args": ["dates", "5 août 1999"]},
        "decoder_step",
    ]
    note = page.locator(".ask-note")
    page.evaluate("asked[0].say('Loading Python.')")
    assert note.inner_text() == "Loading Python."
    data = decoder_steps(translator, "5 août 1999")
    page.evaluate("data => asked[0].done(data)", data)
    assert step_of(page) == 0 and not note.is_visible()
    assert texts(page, ".ds-written .ds-chip") == [*"1999-08-05", "<end>"]
    assert page.locator("table >> nth=0 >> tbody tr").count() == 11
    press(page, "Forward")
    said = page.locator(".af-say").inner_text()
    assert said.startswith("Step 2 of 11, after “1”. The largest weight is ")


def test_own_text_that_cannot_be_translated_is_named_without_python(page_of, figure):
    page = page_of(figure)
    page.evaluate(HOSTS)
    field, note = page.get_by_label("Your date"), page.locator(".ask-note")
    for text, words in (
        ("  ", "There is no text to translate. Enter a date."),
        ("5" * 61, "The text has 61 characters. At most 60 fit here."),
        ("5/3/2024", "The model does not know “/”. It was trained with the space"),
        ("<b>", "The model does not know “<”, “>”. It was trained"),
        ("ÀÈÌÒÙÝ", "“Ù”, and more. It was trained with the space and these characters"),
    ):
        field.fill(text)
        press(page, "Translate")
        assert words in note.inner_text()
        assert field.get_attribute("aria-invalid") == "true"
    assert ": , . 0 1 2 3 4 5 6 7 8 9 A D F" in note.inner_text()
    assert page.evaluate("asked.length") == 0
    field.fill("5 May 2024")
    press(page, "Translate")
    assert page.evaluate("asked.length") == 1
    assert field.get_attribute("aria-invalid") == "false"
    page.evaluate("asked[0].fail('Python has ended.')")
    still = f" Below is still “{figure.data['text']}”."
    assert note.inner_text() == "Python has ended." + still


def test_late_answer_to_an_earlier_text_is_dropped(page_of, translator, figure):
    page = page_of(figure)
    page.evaluate(HOSTS)
    for text in ("5 May 2024", "6 May 2024"):
        page.get_by_label("Your date").fill(text)
        press(page, "Translate")
    for i, text in ((1, "6 May 2024"), (0, "5 May 2024")):
        data = decoder_steps(translator, text)
        page.evaluate("([i, data]) => asked[i].done(data)", [i, data])
    assert texts(page, ".ds-written .ds-chip")[-2:] == ["6", "<end>"]


def test_page_that_answers_nothing_is_said(page_of, figure):
    page = page_of(figure)
    page.evaluate("document.documentElement.classList.add('can-run')")
    press(page, "Translate")
    note = page.locator(".ask-note").inner_text()
    assert note == "This page has no Python to translate it."


def test_decoder_step_shows_hostile_characters_as_they_are(page_of, figure):
    page = page_of(hostile(figure))
    assert page.locator(".ds-columns .ds-chip").all_text_contents() == HOSTILE
    press(page, "Last")
    assert page.evaluate("window.hacked") is None
    assert page.locator("img, b b").count() == 0
    assert page.locator("script").count() == 2


def hostile(figure):
    """A decoder step whose every text is hostile."""
    count, steps = len(HOSTILE), len(figure.data["candidates"])
    data = {
        **figure.data,
        "source": HOSTILE,
        "names": HOSTILE,
        "scores": [[-0.04] * count] * steps,
        "weights": [[0.0] * (count - 1) + [1.0]] * steps,
        "candidates": [[[HOSTILE[k], HOSTILE[0], 0.5]] * 3 for k in range(steps)],
        "text": HOSTILE[2],
        "known": HOSTILE[0],
    }
    return Figure("decoder_step", HOSTILE[3], TABLES, data)


TABLES = (
    "<details><summary>Numbers</summary>"
    "<table><caption></caption><tbody><tr><td><th><td><td>0<span></span></table>"
    "<table><caption></caption><tbody><tr><th><td>0<span></span></table></details>"
)
