"""Attention maps by layer and head: the numbers are the translator's, and the figure is
used by keyboard and with a date of the reader's own.
"""

import json
import re

import numpy as np
import pytest
from conftest import violations
from figures import HOSTS, check_card_on_paper, check_html, open_figures, texts

from attnlib.interactive import calls, head_maps
from attnlib.interactive.head_maps import maps_of_heads
from attnlib.numpy_translators import Translator

page_of = pytest.fixture(open_figures)
DATE = "March 5, 2024"
GOLD = [(0, 9), (1, 10), (2, 11), (3, 12), (6, 1), (6, 2), (9, 6)]


class StandIn(Translator):
    """A translator that writes the same date for every text. Its heads are made up, but
    for the first one, whose weights all lie on the first gold link of a row.
    """

    def __init__(self):
        self.name = "dates-transformer"
        self.source_tokens = Translator.load("dates").source_tokens
        self.head_weights = np.empty((2, 4, 0, 0))

    def __call__(self, tokens):
        self.head_weights = made_up(len(tokens))
        return list("2024-03-05"), self.head_weights.mean(axis=(0, 1))


def made_up(source_len):
    """(2, 4, 11, source_len); the last row is that of <end>."""
    rng = np.random.default_rng(0)
    weights = rng.dirichlet(np.full(source_len, 0.2), (2, 4, 11))
    for row, column in reversed(GOLD):
        weights[0, 0, row] = np.eye(source_len)[column % source_len]
    return weights


@pytest.fixture(scope="module")
def figure():
    return head_maps(StandIn(), DATE, gold=GOLD)


def weights_of(data):
    """The weights of a map as a matrix."""
    matrix = np.zeros((len(data["target"]["tokens"]), len(data["source"]["tokens"])))
    for i, row in enumerate(data["weights"]):
        for j, weight in row:
            matrix[i, j] = weight
    return matrix


# The numbers


def test_maps_are_the_mean_and_each_head_without_the_end(figure):
    expected = made_up(len(DATE))[:, :, :10]
    mean, *rest = figure.data["maps"]
    assert mean["name"] == "mean of all" and figure.data["heads"] == 4
    np.testing.assert_allclose(weights_of(mean), expected.mean((0, 1)), atol=0.0051)
    assert [each["name"] for each in rest] == [
        f"layer {layer}, head {head}" for layer in (1, 2) for head in (1, 2, 3, 4)
    ]
    for each, weights in zip(rest, expected.reshape(8, 10, -1), strict=True):
        np.testing.assert_allclose(weights_of(each), weights, atol=0.0051)


def test_call_of_head_maps_is_for_shipped_translators_alone():
    translator = Translator.load("dates-transformer")
    answer = calls.FUNCTIONS["head_maps"]("dates-transformer", DATE)
    assert json.dumps(answer) == json.dumps(maps_of_heads(translator, DATE))
    tokens, weights = translator(DATE)
    mean, *_, last = answer["maps"]
    assert mean["target"]["tokens"] == last["target"]["tokens"] == tokens
    np.testing.assert_allclose(weights_of(mean), weights[:-1], atol=0.0051)
    expected = translator.head_weights[-1, -1, :-1]
    np.testing.assert_allclose(weights_of(last), expected, atol=0.0051)
    with pytest.raises(ValueError, match=r"name should be one of 'dates'"):
        calls.FUNCTIONS["head_maps"]("../dates", DATE)
    with pytest.raises(TypeError, match=r"name should be a str"):
        calls.FUNCTIONS["head_maps"](["dates"], DATE)


def test_weight_on_gold_is_the_mean_over_rows_with_links(figure):
    mean, first, *_, last = figure.data["maps"]
    assert first["on_gold"] == 1
    weights = made_up(len(DATE))
    rows = {row for row, _ in GOLD}
    for each, matrix in ((mean, weights.mean((0, 1))), (last, weights[1, 3])):
        links = sum(matrix[link] for link in GOLD)
        assert each["on_gold"] == pytest.approx(links / len(rows), abs=1e-4)
    assert "on_gold" not in head_maps(StandIn(), DATE).data["maps"][0]


def test_maps_of_heads_drop_spaces_around():
    assert maps_of_heads(StandIn(), f" {DATE}\n") == head_maps(StandIn(), DATE).data


@pytest.mark.parametrize(
    ("text", "options", "error", "message"),
    [
        ("", {}, ValueError, "text should hold a date such as 'May 1, 2025', got none"),
        ("5" * 61, {}, ValueError, "text should have at most 60 characters, got 61"),
        ("5/3", {}, ValueError, "that the model knows, got '/'. It knows the space"),
        (None, {}, TypeError, "text should be a str such as 'May 1, 2025'"),
        (DATE, {"gold": [(0, 13)]}, ValueError, "10 target and 13 source tokens"),
        (DATE, {"gold": [0]}, TypeError, "gold should hold pairs"),
    ],
)
def test_head_maps_refuse_other_texts_and_links(text, options, error, message):
    with pytest.raises(error, match=re.escape(message)):
        head_maps(StandIn(), text, **options)


def test_head_maps_refuse_other_translators():
    with pytest.raises(TypeError, match=r"a Translator, such as Translator.load\('dat"):
        head_maps(lambda text: text, DATE)
    with pytest.raises(ValueError, match="should have heads, .* got 'dates-additive'"):
        head_maps(Translator.load("dates"), DATE)


def test_head_maps_refuse_a_translation_without_a_character():
    class Silent(StandIn):
        def __call__(self, tokens):
            super().__call__(tokens)
            return [], None

    with pytest.raises(ValueError, match="text should have a translation, got none"):
        head_maps(Silent(), DATE)


def test_head_maps_html_is_the_same_every_time_and_stays_small():
    long = head_maps(StandIn(), "5 septembre 2024 " * 3 + "September")
    check_html(long, 160_000)


# In a browser


def cells(page):
    rows = page.locator("tbody tr").all()[1:]
    return [row.locator("td").all_text_contents() for row in rows]


def written(matrix, gold=()):
    """The cells of a table."""
    return [
        [
            (f"{weight:.2f}" if weight >= 0.01 else "") + "*" * ((i, j) in gold)
            for j, weight in enumerate(row)
        ]
        for i, row in enumerate(matrix)
    ]


def test_table_without_a_script_is_the_mean(page_of, figure):
    page = page_of(figure, java_script_enabled=False)
    caption = page.locator("caption").inner_text()
    assert caption.startswith("mean of all: attention weights: one row per output")
    mean = figure.data["maps"][0]
    assert cells(page) == written(weights_of(mean), GOLD)
    assert page.locator("button, input").count() == 0


def test_map_and_table_are_those_of_the_chosen_head(page_of, figure):
    page = page_of(figure)
    page.keyboard.press("Tab")
    for name in ("mean of all", "layer 1, head 1", "layer 1, head 2"):
        index = [each["name"] for each in figure.data["maps"]].index(name)
        data = figure.data["maps"][index]
        label = f"{name}, {data['on_gold']:.2f} on gold links"
        assert page.get_by_role("radio", name=label, exact=True).is_checked()
        assert page.locator("caption").text_content().startswith(f"{name}: attention")
        assert cells(page) == written(weights_of(data), GOLD)
        boards = page.locator(".am-board").evaluate_all(
            "all => all.map(e => getComputedStyle(e).visibility === 'visible')"
        )
        assert boards == [k == index for k in range(9)]
        page.keyboard.press("ArrowRight")


def test_word_stays_chosen_when_another_head_is(page_of, figure):
    page = page_of(figure)
    said = page.locator(".af-say")
    board = page.locator(".am-board:not(.am-hidden)")
    board.get_by_role("button", name="3", exact=True).click()
    page.get_by_label("layer 1, head 1").check()
    assert said.inner_text() == "3: attends to a 1.00"
    page.get_by_role("button", name="Gold links").click()
    assert said.inner_text() == "3: attends to a 1.00. Gold: a, r"
    assert board.locator(".am-gold path").first.is_visible()
    assert page.locator(".hm-link").first.is_visible()
    page.get_by_role("button", name="Gold links").click()
    assert not page.locator(".hm-link").first.is_visible()


def test_pictures_have_a_cell_for_each_weight(page_of, figure):
    page = page_of(figure)
    pictures = page.locator(".hm-picture").evaluate_all(
        """all => all.map(e => [...e.querySelectorAll("rect:not(.hm-link)")].map(rect =>
          ["y", "x", "fill-opacity"].map(name => Number(rect.getAttribute(name)))))"""
    )
    for picture, each in zip(pictures, figure.data["maps"], strict=True):
        expected = [[i, *pair] for i, row in enumerate(each["weights"]) for pair in row]
        assert picture == expected


def test_without_gold_there_is_nothing_of_it(page_of):
    page = page_of(head_maps(StandIn(), DATE))
    assert page.get_by_role("button", name="Gold links").count() == 0
    assert page.locator(".hm-link, .hm-share").count() == 0
    assert "gold" not in page.locator(".attn-figure").inner_text()
    assert page.get_by_role("radio", name="layer 2, head 4", exact=True).count() == 1


def test_head_maps_on_paper_are_the_table_of_the_chosen_head(page_of, figure):
    page = page_of(figure, color_scheme="dark")
    page.get_by_label("layer 2, head 3").check()
    page.emulate_media(media="print")
    page.get_by_role("table").wait_for()
    assert page.locator("button:visible, input:visible, svg:visible").count() == 0
    assert page.locator("caption").inner_text().startswith("layer 2, head 3:")
    check_card_on_paper(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_head_maps_have_no_accessibility_violation_on_a_phone(page_of, figure, scheme):
    narrow = {"width": 360, "height": 640}
    page = page_of(figure, color_scheme=scheme, viewport=narrow)
    page.evaluate(HOSTS)
    page.get_by_label("Your date").fill("?")
    page.keyboard.press("Enter")
    page.get_by_label("layer 1, head 1").check()
    page.get_by_role("button", name="Gold links").click()
    page.get_by_text("The weights of this map as a table").click()
    assert violations(page, {"page-has-heading-one"}) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    for radio in page.locator(".hm-option").all():
        box = radio.bounding_box()
        assert min(box["width"], box["height"]) >= 44


# The reader's own date. Here, the page answers in place of Python.


def test_own_date_is_drawn_when_the_answer_comes(page_of, figure):
    page = page_of(figure, clock=True)
    field, note = page.get_by_label("Your date"), page.locator(".ask-note")
    assert page.locator(".ask-elsewhere").inner_text() == (
        'To see a date of your own, call head_maps(translator, "May 1, 2025") in a '
        "cell."
    )
    page.evaluate(HOSTS)
    field.fill("5/3")
    page.keyboard.press("Enter")
    assert note.inner_text().startswith("The model does not know “/”. It was trained")
    page.get_by_label("layer 1, head 2").check()
    page.get_by_role("button", name="Play").click()
    field.fill("May 1, 2025")
    page.keyboard.press("Enter")
    (asked,) = page.evaluate("asked.map(({request, figure}) => [request, figure])")
    args = ["dates-transformer", "May 1, 2025"]
    assert asked == [{"function": "head_maps", "args": args}, "head_maps"]
    data = maps_of_heads(StandIn(), "May 1, 2025")
    page.evaluate("data => asked[0].done(data)", data)
    board = page.locator(".am-board:not(.am-hidden)")
    assert texts(board, ".am-source button") == [*"May␣1,␣2025"]
    chosen = page.get_by_role("radio", name="layer 1, head 2", exact=True)
    assert chosen.is_checked() and page.locator(".af-say").count() == 1
    assert cells(page) == written(weights_of(data["maps"][2]))
    said = page.locator(".af-say").inner_text()
    assert said.startswith("Point at a character")
    page.clock.run_for(3000)  # nothing plays on
    assert page.locator(".af-say").inner_text() == said
