"""The online softmax: it ends at the softmax of all scores at once, also with scores
that the reader enters, and the figure is used by keyboard.
"""

import re

import numpy as np
import pytest
from figures import (
    check_accessible,
    check_card_on_paper,
    check_fits,
    check_html,
    open_figures,
    press,
    said,
    texts,
)

from attnlib import reference as ref
from attnlib.interactive import online_softmax
from attnlib.interactive.online_softmax import online_steps

page_of = pytest.fixture(open_figures)
INF = np.inf
SCORES = [1, 3, 2, 5, 0, 4]
CASES = [
    (SCORES, 2),
    (SCORES, 1),
    (SCORES, 6),
    ([-3.25, -1.5, -7, -1.5, -2], 3),
    ([1000, -1000, 999.5, 1000], 2),
    ([-INF, -INF, 0.5, -INF, 2, -INF, -INF], 2),
    ([-1000, -999], 1),
    ([-INF, -INF, -INF], 2),
    (np.random.default_rng(0).normal(0, 4, 16).round(3).tolist(), 5),
]
cases = pytest.mark.parametrize(("scores", "size"), CASES)


def plain(scores, values):
    """The context of all scores at once."""
    scores = np.array(scores, float)
    weights = ref.softmax(scores, scores > -INF)
    return weights @ values


def until(scores, values, stop):
    """[m, ℓ, o, o / ℓ] of the scores before `stop`, from their definitions."""
    part = np.array(scores[:stop], float)
    m = part.max()
    powers = np.exp(part - (m if m > -INF else 0))
    o = powers @ values[:stop]
    return [m, powers.sum(), o, o / powers.sum() if powers.any() else 0]


def shown(number):
    if number == -INF:
        return "−∞"
    return f"{number:.3f}".replace("-0.000", "0.000").replace("-", "−")


def state(page):
    return page.locator(".attn-online_softmax").evaluate(
        "e => ({step: e.state.step, contexts: e.state.rows.map(row => row.context),"
        " plain: e.state.all.context})"
    )


# The numbers


@cases
def test_online_softmax_ends_at_the_plain_one(page_of, scores, size):
    values = 10.0 * np.arange(1, len(scores) + 1)
    steps = online_steps(np.array(scores, float), values, size)
    stops = [min(first + size, len(scores)) for first in range(0, len(scores), size)]
    assert [step["positions"].stop for step in steps] == stops
    for stop, step in zip(stops, steps, strict=True):
        found = [step[name] for name in ("maximum", "sum", "weighted_sum")]
        np.testing.assert_allclose(found, until(scores, values, stop)[:3], rtol=1e-12)
    last = steps[-1]["weighted_sum"] / (steps[-1]["sum"] or 1)
    np.testing.assert_allclose(last, plain(scores, values), rtol=1e-12)
    found = state(page_of(online_softmax(scores, block_size=size)))
    expected = [until(scores, values, stop)[3] for stop in stops]
    np.testing.assert_allclose(found["contexts"], expected, rtol=1e-12)
    np.testing.assert_allclose(found["plain"], plain(scores, values), rtol=1e-12)


@cases
def test_table_has_the_numbers_with_and_without_a_script(page_of, scores, size):
    figure = online_softmax(scores, block_size=size)
    static, page = page_of(figure, java_script_enabled=False), page_of(figure)
    rows = texts(page, "tbody tr")
    assert all("." not in row for row in rows)  # nothing is read yet
    page.locator(".pl-buttons button").first.focus()
    page.keyboard.press("End")
    assert texts(page, "tr") == texts(static, "tr")
    assert texts(page, "caption") == texts(static, "caption")
    assert static.locator("button, input").count() == 0
    values = 10.0 * np.arange(1, len(scores) + 1)
    m, total, weighted, context = map(shown, until(scores, values, len(scores)))
    assert texts(page, "tfoot td") == [m, "", total, weighted, context]
    found = texts(page, "tbody tr:last-child td")
    assert [found[0], *found[2:]] == [m, total, weighted, context]


def test_factor_is_that_of_the_rise_of_the_maximum():
    steps = online_steps(np.array(SCORES, float), np.ones(6), 2)
    assert [step["factor"] for step in steps] == [0, pytest.approx(np.exp(-2)), 1]
    steps = online_steps(np.full(3, -INF), np.ones(3), 1)
    assert [(step["factor"], step["sum"]) for step in steps] == [(1, 0)] * 3


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"scores": []}, ValueError, "scores should have shape (source_len,), with a"),
        ({"scores": [0] * 17}, ValueError, "length from 1 to 16, got (17,)"),
        ({"scores": [[1]]}, ValueError, "from 1 to 16, got (1, 1)"),
        (
            {"scores": [1001]},
            ValueError,
            "scores should lie between -1000 and 1000, got",
        ),
        ({"scores": [INF]}, ValueError, "between -1000 and 1000, got inf"),
        ({"scores": [np.nan]}, ValueError, "between -1000 and 1000, got nan"),
        ({"scores": ["1"]}, TypeError, "scores should hold numbers, got <U1"),
        ({"values": [1]}, ValueError, "values should have shape (6,), got (1,)"),
        (
            {"values": [-INF] * 6},
            ValueError,
            "values should lie between -1000 and 1000",
        ),
        (
            {"block_size": 0},
            ValueError,
            "block_size should be an integer between 1 and",
        ),
        ({"block_size": 1.5}, TypeError, "block_size should be an integer between 1"),
    ],
)
def test_online_softmax_refuses_other_arguments_in_words(arguments, error, message):
    with pytest.raises(error, match=re.escape(message)):
        online_softmax(**{"scores": SCORES, **arguments})


def test_online_softmax_html_is_the_same_every_time_and_stays_small():
    check_html(online_softmax([-1 / 3] * 16, [-1 / 3] * 16, 1), 35_000)


# In a browser


def test_steps_are_explained_and_used_by_keyboard(page_of):
    page = page_of(online_softmax(SCORES), clock=True)
    key = page.keyboard.press
    assert said(page) == (
        "Nothing is read yet: m is −∞, and ℓ and o are zero. The 6 scores will be read "
        "in 3 blocks."
    )
    for _ in range(7):  # the field, its button, the block size, Restart, Back, Step
        key("Tab")
        if page.evaluate("document.activeElement.textContent") == "Step":
            break
    key("Enter")
    assert said(page) == "Block 1 of 3, positions 0 to 1: the maximum is 3."
    key("Enter")
    assert said(page) == (
        "Block 2 of 3, positions 2 to 3: the maximum rises from 3 to 5, so what was "
        "summed before is multiplied by 0.135."
    )
    assert [re.sub(r"\s+", " ", text) for text in texts(page, ".os-steps p")] == [
        "maximum m = max(3, 2, 5) = 5",
        "factor exp(m before − m) = exp(3 − 5) = 0.135",
        "sum ℓ = 0.135 × 1.135 + 1.050 = 1.203",
        "weighted sum o = 0.135 × 21.353 + 41.494 = 44.383",
    ]
    key("ArrowRight")
    assert state(page)["step"] == 3
    assert said(page) == (
        "Block 3 of 3, positions 4 to 5: the maximum stays 5, so nothing is rescaled. "
        "All scores are read, and o / ℓ is the context: 42.326."
    )
    context = shown(plain(SCORES, 10.0 * np.arange(1, 7)))
    assert context == "42.326"
    assert texts(page, ".os-steps p")[-1].endswith(
        f"{context}, and the softmax of all scores at once gives {context}"
    )
    key("Home")
    assert state(page)["step"] == 0


def test_bars_shrink_when_the_maximum_rises(page_of):
    page = page_of(online_softmax(SCORES), reduced_motion="reduce")
    for stop in (2, 4, 6):
        press(page, "Step")
        heights = page.locator(".os-down i").evaluate_all(
            "all => all.map(e => parseFloat(e.style.height))"
        )
        expected = 100 * np.exp(np.array(SCORES[:stop]) - max(SCORES[:stop]))
        np.testing.assert_allclose(heights[:stop], expected, rtol=1e-4)
        assert heights[stop:] == [0] * (6 - stop)
        line = page.locator(".os-line").bounding_box()
        highest = page.locator(".os-up i").nth(SCORES.index(max(SCORES[:stop])))
        assert line["y"] == pytest.approx(highest.bounding_box()["y"], abs=2)
        assert texts(page, ".os-line") == [f"m = {max(SCORES[:stop])}"]


@pytest.mark.parametrize(
    ("text", "scores"),
    [
        ("2, 0.5, -1", [2, 0.5, -1]),
        ("  −3 800;-inf\t1e2 ", [-3, 800, -INF, 100]),
        ("-∞ -Infinity", [-INF, -INF]),
        ("7", [7]),
        (" ".join(map(str, range(16))), list(range(16))),
    ],
)
def test_own_scores_are_read_and_used(page_of, text, scores):
    page = page_of(online_softmax(SCORES, values=[-1, 2, 3, 4, 5, 6]))
    page.get_by_label("Your scores").fill(text)
    page.keyboard.press("Enter")
    page.locator(".pl-buttons button").first.focus()
    page.keyboard.press("End")
    values = np.array([-1, 2, 3, 4, 5, 6, *range(70, 170, 10)], float)[: len(scores)]
    found = state(page)
    np.testing.assert_allclose(found["plain"], plain(scores, values), rtol=1e-12)
    np.testing.assert_allclose(found["contexts"][-1], plain(scores, values), rtol=1e-12)
    if max(scores) > 709:
        page.get_by_text("Without the maximum, exp(800) would be infinite.").wait_for()
    if max(scores) == -INF:
        page.get_by_text("nothing to attend to, and the context is zero").wait_for()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "There is no score. Enter some numbers, as in 1, 3, 2."),
        (" , ;", "There is no score."),
        ("1, two", "“two” is not a number. Write scores as in 1, 3.5, -inf."),
        ("inf", "“inf” is not a number."),
        ("NaN", "“NaN” is not a number."),
        ("0x10", "“0x10” is not a number."),
        ("<b>1</b>", "“<b>1</b>” is not a number."),
        ("1e9", "The score 1e9 is out of range: scores lie between −1000 and 1000."),
        ("1 " * 17, "There are 17 scores. At most 16 fit here."),
    ],
)
def test_own_scores_that_are_none_are_named(page_of, text, fault):
    page = page_of(online_softmax(SCORES))
    field, note = page.get_by_label("Your scores"), page.locator(".ask-note")
    assert field.is_visible()  # no Python is needed
    before = state(page)
    field.fill(text)
    press(page, "Use them")
    assert note.inner_text().startswith(fault)
    assert note.inner_text().endswith(" Below is still “1, 3, 2, 5, 0, 4”.")
    assert field.get_attribute("aria-invalid") == "true"
    assert state(page) == before
    field.fill("2 1")
    press(page, "Use them")
    assert note.inner_text() == "" and len(state(page)["contexts"]) == 1
    field.fill("two")
    press(page, "Use them")
    assert note.inner_text().endswith(" Below is still “2 1”.")


def test_block_size_begins_anew(page_of):
    page = page_of(online_softmax(SCORES, block_size=2))
    press(page, "Step")
    page.get_by_label("block size").focus()
    page.keyboard.press("ArrowRight")
    assert state(page)["step"] == 0 and len(state(page)["contexts"]) == 2
    assert texts(page, "tbody th") == ["0–2", "3–5"]
    assert texts(page, ".pl-count") == ["Step 0 of 2"]
    assert page.locator(".os-first").count() == 1


def test_online_softmax_on_paper_is_the_whole_table(page_of):
    figure = online_softmax(SCORES)
    static = page_of(figure, java_script_enabled=False)
    page = page_of(figure, color_scheme="dark")
    press(page, "Step")
    page.emulate_media(media="print")
    assert page.locator("button:visible, input:visible").count() == 0
    assert texts(page, "tr") == texts(static, "tr")
    check_card_on_paper(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_online_softmax_has_no_accessibility_violation(page_of, scheme):
    narrow = {"width": 360, "height": 640}
    page = page_of(online_softmax(SCORES), color_scheme=scheme, viewport=narrow)
    press(page, "Step")
    press(page, "Step")
    page.get_by_label("Your scores").fill("?")
    press(page, "Use them")
    check_accessible(page)


@pytest.mark.parametrize("width", [360, 760, 1280])
def test_online_softmax_fits_the_page(page_of, width):
    long = online_softmax([-123.456] * 16, [-987.654] * 16, 3)
    page = page_of(long, viewport={"width": width, "height": 640})
    page.locator(".pl-buttons button").first.focus()
    page.keyboard.press("End")
    check_fits(page, width)


@pytest.mark.parametrize("width", [360, 760, 1280])
@pytest.mark.parametrize("scores", [SCORES, [-123.456, 800] * 8, [-1000.0, 0.125]])
def test_no_number_of_the_picture_is_cut_off(page_of, width, scores):
    """A score of 800 that is cut off would be read as one of 80."""
    figure = online_softmax(scores, block_size=1)
    page = page_of(figure, viewport={"width": width, "height": 640})
    page.locator(".pl-buttons button").first.focus()
    page.keyboard.press("End")
    page.evaluate("new Promise(requestAnimationFrame)")
    cut = page.locator(".os-column span:visible").evaluate_all(
        "all => all.filter(e => e.scrollWidth > e.clientWidth + 1 ||"
        " e.scrollHeight > e.clientHeight + 1).map(e => e.textContent)"
    )
    assert cut == []
    numbers = page.locator(".os-score").all_text_contents()
    assert len(numbers) == len(scores) and numbers[0].startswith(("1", "−1"))


def test_whole_table_is_seen_on_a_phone(page_of):
    """A page of the book leaves a figure 310 of the 360 pixels of a phone."""
    page = page_of(online_softmax(SCORES), viewport={"width": 310, "height": 640})
    page.locator(".pl-buttons button").first.focus()
    page.keyboard.press("End")
    group = page.get_by_role("group", name="The numbers as a table")
    assert group.evaluate("e => e.scrollWidth - e.clientWidth") <= 0
