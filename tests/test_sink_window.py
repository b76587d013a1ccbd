"""A window and its sinks over a stack of layers: what reaches an output is what the
powers of the mask say, and the figure is used by keyboard and by pointer.
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
from attnlib.interactive import sink_window
from attnlib.interactive.sink_window import shares_by_layer

page_of = pytest.fixture(open_figures)
SETTINGS = [
    (20, 3, 4, 0, 19),
    (20, 3, 4, 2, 19),
    (20, 3, 4, 2, 8),
    (32, 6, 3, 4, 31),
    (24, 4, 1, 1, 17),
    (12, 2, 12, 0, 11),
    (5, 2, 2, 4, 2),
]


def masks(length, window, sinks):
    """Row t may attend to its window and to the sinks, position by position."""
    mask = np.zeros((length, length), bool)
    for t in range(length):
        for j in range(t + 1):
            mask[t, j] = t - j < window or j < sinks
    return mask


def averages(length, layers, window, sinks, position):
    """What one output holds of each input where layers average with equal weights."""
    mask = masks(length, window, sinks)[None]
    states, rows = np.eye(length)[None], [np.eye(length)]
    alike = np.zeros((1, length, 1))  # queries and keys whose scores are all zero
    for _ in range(layers):
        states, weights = ref.scaled_dot_product_attention(alike, alike, states, mask)
        rows.append(rows[-1] @ weights[0])
    np.testing.assert_allclose(states[0], rows[-1], atol=1e-12)
    return np.array([row[position] for row in rows])[::-1]


def shares(page):
    return np.array(page.locator(".attn-sink_window").evaluate("e => e.shares"))


# The numbers


@pytest.mark.parametrize("settings", SETTINGS)
def test_shares_are_those_of_layers_that_average(page_of, settings):
    expected = averages(*settings)
    np.testing.assert_allclose(shares_by_layer(*settings), expected, atol=1e-12)
    np.testing.assert_allclose(expected.sum(axis=1), 1)
    page = page_of(sink_window(*settings))
    np.testing.assert_allclose(shares(page), expected, atol=1e-12)


@pytest.mark.parametrize("settings", SETTINGS)
def test_count_of_the_receptive_field_is_the_formula(page_of, settings):
    length, layers, window, sinks, position = settings
    mask = masks(length, window, sinks).astype(int)
    field = np.flatnonzero(np.linalg.matrix_power(mask, layers)[position])
    whole = layers * (window - 1) + 1 + sinks
    assert len(field) == min(position + 1, whole)
    figure = sink_window(*settings)
    static, page = page_of(figure, java_script_enabled=False), page_of(figure)
    page.locator("summary").click()
    count = page.locator(".sw-count").inner_text()
    assert f"= {layers} × {window - 1} + 1 + {sinks} = {whole}" in count
    assert (f"only {len(field)} position" in count) == (whole > position + 1)
    for each in (static, page):
        row = texts(each, "tbody tr:last-child > *")
        assert row[:2] == ["input", str(len(field))]
        listed = set()
        for part in row[2].split(", "):
            first, _, last = part.partition("–")
            listed |= set(range(int(first), int(last or first) + 1))
        assert listed == set(field)
    assert texts(static, "tr") == texts(page, "tr")
    assert texts(static, "caption") == texts(page, "caption")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"length": 33}, ValueError, "length should be an integer between 2 and 32"),
        ({"layers": 0}, ValueError, "layers should be an integer between 1 and 6"),
        ({"window": 21}, ValueError, "window should be an integer between 1 and 20"),
        ({"sinks": -1}, ValueError, "sinks should be an integer between 0 and 4"),
        ({"position": 20}, ValueError, "position should be an integer between 0 and"),
        ({"window": "4"}, TypeError, "window should be an integer between 1 and 20"),
    ],
)
def test_sink_window_refuses_other_arguments_in_words(arguments, error, message):
    with pytest.raises(error, match=re.escape(message)):
        sink_window(**arguments)


def test_sink_window_html_is_the_same_every_time_and_stays_small():
    check_html(sink_window(32, 6, 32, 4), 25_000)


# In a browser


def test_sliders_are_used_by_keyboard(page_of):
    page = page_of(sink_window(), clock=True)
    key = page.keyboard.press
    assert said(page) == (
        "10 positions of the input (10–19) can reach the output at position 19 through "
        "3 layers. 10 earlier ones cannot. A cache keeps 4 positions per layer."
    )
    key("Tab")  # layers
    key("ArrowLeft")
    key("Tab")  # window
    key("ArrowLeft")
    key("Tab")  # sinks
    key("ArrowRight")
    key("Tab")  # output position
    key("ArrowLeft")
    expected = averages(20, 2, 3, 1, 18)
    np.testing.assert_allclose(shares(page), expected, atol=1e-12)
    percent = round(100 * expected[0, 0])
    assert said(page) == (
        "6 positions of the input (0, 14–18) can reach the output at position 18 "
        "through 2 layers. 13 earlier ones cannot. A cache keeps 4 positions per "
        f"layer. If all weights were equal, {percent}% of the weight would end at the "
        "sink."
    )
    press(page, "Reset")
    np.testing.assert_allclose(shares(page), averages(20, 3, 4, 0, 19), atol=1e-12)


def test_column_that_is_clicked_becomes_the_output(page_of):
    page = page_of(sink_window())
    for t, side in ((6, 0.1), (7, 0.9)):
        box = page.locator("svg .sw-cell").nth(20 + t).bounding_box()  # of layer 1
        page.mouse.click(box["x"] + side * box["width"], box["y"] + 2)
        expected = averages(20, 3, 4, 0, t)
        np.testing.assert_allclose(shares(page), expected, atol=1e-12)
    slider = page.get_by_label("position t")
    assert slider.get_attribute("aria-valuetext") == "7"


def test_cells_lines_and_bars_are_those_of_the_shares(page_of):
    page = page_of(sink_window(24, 4, 4, 1))
    expected = averages(24, 4, 4, 1, 23)
    found = page.locator("svg .sw-cell").evaluate_all(
        "all => all.map(e => e.classList.contains('sw-reached'))"
    )
    np.testing.assert_array_equal(np.reshape(found, (5, 24)), expected > 0)
    assert page.locator("svg .sw-chosen").count() == 1
    mask = masks(24, 4, 1)
    lines = sum(mask[t].sum() for row in expected[1:] for t in np.flatnonzero(row))
    drawn = page.locator("svg path").evaluate_all(
        "all => all.map(e => e.getAttribute('d').split('M').length - 1)"
    )
    assert sum(drawn) == lines and drawn[1] > 4
    heights = page.locator("svg .sw-bar").evaluate_all(
        "all => all.map(e => Number(e.getAttribute('height')))"
    )
    bars = expected[0][expected[0] > 0]
    np.testing.assert_allclose(
        heights, np.maximum(56 * bars / bars.max(), 1), rtol=1e-6
    )


def test_sink_window_on_paper_is_a_table(page_of):
    page = page_of(sink_window(24, 4, 4, 1), color_scheme="dark")
    page.emulate_media(media="print")
    page.get_by_role("table").wait_for()
    assert page.locator("button:visible, input:visible").count() == 0
    check_card_on_paper(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_sink_window_has_no_accessibility_violation(page_of, scheme):
    narrow = {"width": 360, "height": 640}
    page = page_of(sink_window(24, 4, 4, 1), color_scheme=scheme, viewport=narrow)
    page.locator("summary").click()
    check_accessible(page)


@pytest.mark.parametrize("width", [360, 760, 1280])
def test_sink_window_fits_the_page(page_of, width):
    page = page_of(sink_window(32, 6, 9, 4), viewport={"width": width, "height": 640})
    page.locator("summary").click()
    check_fits(page, width)
