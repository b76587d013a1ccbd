"""The window of local attention: what the figure takes, and how it reacts."""

import numpy as np
import pytest
from figures import (
    DATE,
    DIGITS,
    SET,
    day,
    exact,
    focused,
    local,
    open_figures,
    said,
    swipe,
    texts,
)

from attnlib.interactive import window

page_of = pytest.fixture(open_figures)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            ("a b", [0], 0, 1),
            TypeError,
            "words should be a list of tokens, got the text 'a b'",
        ),
        (
            (["a"] * 25, [0] * 25, 0, 1),
            ValueError,
            "words should have at most 24 tokens, .* got 25",
        ),
        (
            (["a"], [0, 1], 0, 1),
            ValueError,
            r"scores should have shape \(1,\), got \(2,\)",
        ),
        (
            (["a"], [101], 0, 1),
            ValueError,
            "scores should lie between -100 and 100, got 101",
        ),
        (
            (["a"], [0], 1.5, 1),
            ValueError,
            "center should lie between 0 and 1, got 1.5",
        ),
        (
            (["a"], [0], [0.5], 1),
            ValueError,
            r"center should have shape \(\), got \(1,\)",
        ),
        (
            (["a"], [0], 0, 1.5),
            TypeError,
            "half_width should be an integer between 1 and 100, got 1.5",
        ),
        (
            (["a"], [0], 0, True),
            TypeError,
            "half_width should be an integer between 1 and 100, got True",
        ),
        (
            (["a"], [0], 0, 0),
            ValueError,
            "half_width should be an integer between 1 and 100, got 0",
        ),
        (
            (["a"], [0], 0, 1, 0),
            ValueError,
            "sigma should lie between 0.1 and 100, got 0",
        ),
    ],
)
def test_window_refuses(arguments, error, message):
    with pytest.raises(error, match=message):
        window(*arguments)


def test_window_works_with_the_keyboard_alone(page_of):
    page = page_of(day(), clock=True)
    press = page.keyboard.press
    assert (
        said(page)
        == "The window covers positions 3 to 9. The weights sum to 0.57; the largest is"
        " 0.36, at position 6, “5”."
    )
    press("Tab")
    assert focused(page) == "center p t"
    press("Home")
    assert said(page).startswith(
        "The window covers positions −3 to 3, 3 of these 7 outside the sentence."
    )
    press("End")
    assert exact(page, "window") == pytest.approx(local(DIGITS, 13, 3), abs=1e-12)
    press("Tab")
    assert focused(page) == "half-width D = 3"
    press("ArrowRight")
    assert texts(page, ".af-value") == ["= 13", "= 4", "= 2"]  # sigma follows
    press("Tab")
    press("ArrowRight")  # and is untied
    assert page.get_by_role("button", name="σ = D / 2", pressed=False).count() == 1
    press("Shift+Tab")
    press("ArrowLeft")
    assert texts(page, ".af-value") == ["= 13", "= 3", "= 2.1"]
    press("Tab")
    press("Tab")
    press("Space")  # tied again
    assert texts(page, ".af-value") == ["= 13", "= 3", "= 1.5"]
    press("Tab")
    press("Space")  # without the Gaussian
    assert exact(page, "window") == pytest.approx(
        local(DIGITS, 13, 3, gaussian=False), abs=1e-12
    )
    press("Space")
    press("Tab")
    press("Enter")  # renormalized
    assert exact(page, "window").sum() == pytest.approx(1)
    press("Tab")
    press("Enter")  # start again
    assert (
        said(page)
        == "The window covers positions 3 to 9. The weights sum to 0.57; the largest is"
        " 0.36, at position 6, “5”."
    )


def test_window_equals_the_reference_for_many_settings(page_of):
    """σ = D / 2, as in eq. 10, tied; centers at both ends, integers and not; windows
    wider than the sentence.
    """
    page, rng = page_of(day(half_width=30)), np.random.default_rng(1)
    centers = [
        0,
        13,
        0.1,
        12.9,
        6,
        7.5,
        *(rng.integers(0, 131, size=194) / 10).tolist(),
    ]
    reaches = [1, 1, 2, 30, 30, 6, *rng.integers(1, 31, size=194).tolist()]
    bells = [True] * 6 + (rng.random(194) < 0.7).tolist()
    settings = [
        ([c, d, 1], [True, bell, False])
        for c, d, bell in zip(centers, reaches, bells, strict=True)
    ]
    found = page.evaluate(SET, ["window", settings])
    for got, center, reach, bell in zip(found, centers, reaches, bells, strict=True):
        assert got["values"] == [center, reach, reach / 2]
        assert got["weights"] == pytest.approx(
            local(DIGITS, center, reach, bell), abs=1e-12
        ), (center, reach, bell)


def test_window_equals_equation_10_for_any_sigma_and_renormalized(page_of):
    page, rng = page_of(day()), np.random.default_rng(2)
    centers, reaches = (
        rng.integers(0, 131, size=100) / 10,
        rng.integers(1, 14, size=100),
    )
    sigmas, again = rng.integers(1, 66, size=100) / 10, rng.random(100) < 0.5
    settings = [
        ([float(c), int(d), float(sigma)], [False, True, bool(norm)])
        for c, d, sigma, norm in zip(centers, reaches, sigmas, again, strict=True)
    ]
    found = page.evaluate(SET, ["window", settings])
    for got, center, reach, sigma, norm in zip(
        found, centers, reaches, sigmas, again, strict=True
    ):
        bell = np.exp(-((np.arange(13) - center) ** 2) / (2 * sigma**2))
        expected = local(DIGITS, center, int(reach), gaussian=False) * bell
        expected /= expected.sum() if norm else 1
        assert got["weights"] == pytest.approx(expected, abs=1e-12), (
            center,
            reach,
            sigma,
            norm,
        )


@pytest.mark.parametrize(
    ("center", "half_width"), [(0, 1), (2, 5), (1.99, 3), (1, 100), (2, 1), (0.3, 2)]
)
def test_window_of_a_short_sentence_starts_from_exactly_what_was_given(
    page_of, center, half_width
):
    page = page_of(window(["so", "it"], [3.25, -60], center, half_width))
    assert exact(page, "window") == pytest.approx(
        local([3.25, -60], center, half_width), abs=1e-15
    )


def test_window_table_follows_the_sliders(page_of):
    page = page_of(window(["a", "b", "c"], [0, 0, 0], center=1, half_width=1, sigma=1))
    page.get_by_text("The numbers as a table").click()
    # By hand: a third each, and exp(-1/2) = 0.607 one position away; in all (1 + 2 *
    # 0.6065) / 3.
    rows = [row.split("\t") for row in texts(page, "tbody tr")]
    assert [row[3:] for row in rows] == [
        ["0.333", "0.607", "0.202"],
        ["0.333", "1.000", "0.333"],
        ["0.333", "0.607", "0.202"],
    ]
    assert texts(page, "tfoot tr")[0].split() == ["sum", "1.000", "0.738"]
    page.get_by_label("center").fill("0")  # the window covers positions -1 to 1
    rows = [row.split("\t")[3:] for row in texts(page, "tbody tr")]
    assert rows == [
        ["0.500", "1.000", "0.500"],
        ["0.500", "0.607", "0.303"],
        ["–", "–", "0.000"],
    ]
    page.get_by_role("button", name="Gaussian").click()
    assert texts(page, "tbody td:last-child") == ["0.500", "0.500", "0.000"]


def test_window_is_drawn_where_it_is(page_of):
    page = page_of(day(center=1, half_width=2))
    crosses = page.locator(".wi-none").count()
    assert crosses == 1  # position -1 is in the window, and not in the sentence
    assert page.locator("rect.wi-align").count() == 4
    bars = page.locator("rect.wi-weight").evaluate_all(
        "all => all.map(e => +e.getAttribute('height'))"
    )
    shares = exact(page, "window")[:4]
    assert np.array(bars) / max(bars) == pytest.approx(shares / shares.max())
    page.get_by_label("center").fill("0")
    assert page.locator(".wi-none").count() == 2


def test_window_follows_the_mouse(page_of):
    page = page_of(day())
    box = page.locator(".wi-picture").bounding_box()
    slot = box["width"] / (len(DATE) + 4)
    at = box["x"] + 2.5 * slot, box["y"] + 50  # the middle of position 0
    page.mouse.move(*at)
    assert texts(page, ".af-value")[0] == "= 6.4"
    page.mouse.down()
    page.mouse.move(at[0] + 3 * slot, at[1], steps=3)
    page.mouse.up()
    page.mouse.move(*at)  # and is let go
    assert texts(page, ".af-value")[0] == "= 3"


PHONE = dict(has_touch=True, is_mobile=True, viewport={"width": 360, "height": 640})


def test_window_stays_where_a_finger_scrolls_past(page_of):
    page = page_of(day(), "<div style='height:2000px'></div>", **PHONE)
    before = texts(page, ".af-value")
    picture = page.locator(".wi-picture").bounding_box()
    swipe(page, 80, picture["y"] + 180, 10, -120)
    page.wait_for_function("scrollY > 50")
    assert texts(page, ".af-value") == before
    page.evaluate("scrollTo(0, 0)")
    slider = page.get_by_label("center").bounding_box()
    swipe(page, 300, slider["y"] + 14, 5, -120)
    page.wait_for_function("scrollY > 50")
    assert texts(page, ".af-value") == before
    assert page.get_by_label("center").input_value() == "6.4"
    page.evaluate("scrollTo(0, 0)")
    page.touchscreen.tap(80, picture["y"] + 180)
    assert texts(page, ".af-value") == before


def test_window_follows_a_finger_that_moves_sideways_or_drags_its_handle(page_of):
    page = page_of(day(), "<div style='height:2000px'></div>", **PHONE)
    picture = page.locator(".wi-picture").bounding_box()
    slot = picture["width"] / (len(DATE) + 4)
    position = picture["x"] + 2.5 * slot  # of position 0
    swipe(page, position + slot, picture["y"] + 150, 7 * slot, 12)
    assert texts(page, ".af-value")[0] == "= 8"
    handle = page.locator(".wi-handle path").bounding_box()
    at = handle["x"] + handle["width"] / 2, handle["y"] + 5
    swipe(page, *at, -3 * slot, 90)
    assert texts(page, ".af-value")[0] == "= 5"
    assert page.evaluate("scrollY") == 0


BARS = """() => Array.from(document.querySelectorAll("rect.wi-weight"),
  bar => Number(bar.getAttribute("height")))"""


def test_window_bars_can_be_compared_between_settings(page_of):
    """The same weight has the same height, whatever the other weights are."""
    page = page_of(day())
    units = []
    for half_width in ("1", "3", "13"):
        page.get_by_label("half-width").fill(half_width)
        for name in ("renormalize", "Gaussian"):
            page.get_by_role("button", name=name, exact=True).click()
            weights = exact(page, "window")
            units.append(max(page.evaluate(BARS)) / weights.max())
    assert len(units) == 6 and max(units) == pytest.approx(min(units))


def test_window_covers_no_number(page_of):
    page = page_of(day(center=6, half_width=1))
    page.get_by_role("button", name="renormalize").click()
    numbers = page.locator(".wi-picture text.wi-number")
    page.get_by_label("σ of the Gaussian").fill("0.1")
    assert numbers.all_text_contents() == ["0.00", "1.00", "0.00"]
    handle = page.locator(".wi-handle path").bounding_box()
    for number in numbers.all():
        box = number.bounding_box()
        assert handle["y"] + handle["height"] <= box["y"]
        # Nothing is drawn after the numbers but the handle.
        rest = number.evaluate(
            "e => [...e.parentNode.children].slice("
            "[...e.parentNode.children].indexOf(e)).every(e => e.tagName === 'text')"
        )
        assert rest


def test_window_has_each_number_on_the_bar_of_its_weight(page_of):
    """Not on that of its softmax, which is larger where the Gaussian is below 1."""
    page = page_of(day())
    page.get_by_label("center p t").fill("9")
    feet, tops = (
        page.locator(f".wi-picture {kind}").evaluate_all(
            "all => all.map(e => Number(e.getAttribute('y')))"
        )
        for kind in ("text.wi-number", "rect.wi-weight")
    )
    assert len(feet) == 7 and feet == pytest.approx([top - 4 for top in tops])


@pytest.mark.parametrize("width", [1280, 360])
def test_window_moves_nothing_below_it(page_of, width):
    page = page_of(day(), viewport={"width": width, "height": 900})
    below = page.locator("summary")
    place = below.bounding_box()
    for center, covered in (("0", "−3 to 3"), ("13", "10 to 16"), ("6.4", "3 to 9")):
        page.get_by_label("center p t").fill(center)
        page.get_by_role("status").filter(has_text=f"positions {covered}").wait_for()
        assert below.bounding_box() == place


def test_window_has_a_slider_whose_frame_leaves_its_name_free(page_of):
    page = page_of(day())
    center = page.get_by_role("slider", name="center p t", exact=True)
    assert center.count() == 1  # "pt" would be read as "point"
    sub = page.locator(".af-control sub").bounding_box()
    assert sub["y"] + sub["height"] <= center.bounding_box()["y"] - 4


def test_static_window_has_the_same_numbers_as_the_interactive_one(page_of):
    static, interactive = (
        page_of(day(center=1.3), java_script_enabled=False),
        page_of(day(center=1.3)),
    )
    interactive.get_by_text("The numbers as a table").click()
    rows = texts(static, "table tr")
    assert rows == texts(interactive, "table tr") and len(rows) == 15
    assert texts(static, "caption") == texts(interactive, "caption")
    assert static.get_by_role("table").is_visible()
    # By hand: sigma is 1.5, so position 3 has exp(-1.7^2 / 4.5) = 0.526; of the five
    # positions none holds a digit: 1/5 each.
    assert rows[4].split("\t")[3:] == ["0.200", "0.526", "0.105"]
