"""The interactive figures: what they take and write, and how they answer in a browser."""

import json
import re
import subprocess
import sys
from urllib.parse import urlsplit

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import ROOT

import attnlib
from attnlib import reference as ref
from attnlib.interactive import frame, weights, window

WORDS, SCORES = ["friend", "neighbour", "your name", "music", "glasses"], [2, 0.5, 1.5, 0, -0.5]
DATE = "March 5, 2024"
DIGITS = [2.0 if letter.isdigit() else 0.0 for letter in DATE]
HOSTILE = [
    "</script><script>window.hacked=1</script>", "<!--", '"><img src=x onerror="window.hacked=1">', "</style><b>",
    "'\" onfocus='window.hacked=1'", "</table></div>", "&lt;", "\u2028", "__proto__", "${window.hacked=1}",
    "\u202eabc", " ",
]  # fmt: skip


def party(**options):
    return weights(WORDS, SCORES, **options)


def day(center=6.4, half_width=3, sigma=None, **options):
    return window(list(DATE), DIGITS, center, half_width, sigma, **options)


BOTH = {"weights": party, "window": day}
both = pytest.mark.parametrize("figure", [make() for make in BOTH.values()], ids=BOTH)


# The frame.


def test_frame_data_cannot_end_its_element_and_comes_back_as_it_was():
    written = frame.packed({"words": HOSTILE})
    assert not set("<>&") & set(written)
    assert json.loads(written) == {"words": HOSTILE}


def test_frame_data_is_strict_json():
    with pytest.raises(ValueError, match="not JSON compliant"):
        frame.packed({"weight": float("nan")})


def test_interactive_names_its_figures():
    with pytest.raises(AttributeError, match="no attribute 'weight'; it has cueing, weights, window"):
        attnlib.interactive.weight  # noqa: B018
    assert {"cueing", "weights", "window"} <= set(dir(attnlib.interactive))


def test_interactive_imports_no_tensorflow_and_no_figure_before_its_use():
    code = "import sys, attnlib.interactive.frame; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert {"tensorflow", "keras", "matplotlib"} & set(loaded) == set()
    assert [name for name in loaded if re.match(r"attnlib\.interactive\._", name)] == []


@both
def test_figure_html_is_the_same_every_time_names_no_host_and_stays_small(figure):
    html = figure._repr_html_()
    assert html == str(figure)
    assert set(re.findall(r"\w+:/+[^\"']*", html)) <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r'\s(id|on\w+|src|href)="|@import|url\(|\bfetch\b', html)
    assert len(html.encode()) <= 30_000


def test_largest_figures_stay_small():
    for large in (weights(["attention"] * 12, [-1 / 3] * 12), window(["attention"] * 24, [-1 / 3] * 24, 1 / 3, 100)):
        assert 10_000 < len(str(large).encode()) <= 30_000


def test_figure_repr_is_short():
    assert repr(day(title="A day")) == "Figure('window', 'A day')"


# What they refuse.


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("friend", [0]), TypeError, "words should be a list of tokens, got the text 'friend': split it first"),
        (([1], [0]), TypeError, "words should hold tokens of type str, got int: 1"),
        (([], []), ValueError, "words should have at least one token, got none"),
        ((["a"] * 13, [0] * 13), ValueError, "words should be at most 12, .* got 13"),
        ((["a", "b"], [0]), ValueError, r"scores should have shape \(2,\), got \(1,\)"),
        ((["a"], ["high"]), TypeError, "scores should hold numbers, got <U4"),
        ((["a"], [float("nan")]), ValueError, "scores should lie between -10 and 10, got nan"),
        ((["a"], [10.5]), ValueError, "scores should lie between -10 and 10, got 10.5"),
        ((["a"], [0], 0), ValueError, "temperature should lie between 0.05 and 20, got 0"),
        ((["a"], [0], "hot"), TypeError, "temperature should be a number, got 'hot'"),
        ((["a"], [0], 1, [1]), TypeError, "mask should be boolean, True = may be attended, got int64"),
        ((["a"], [0], 1, [True, False]), ValueError, r"mask should have shape \(1,\), got \(2,\)"),
    ],
)
def test_weights_refuses(arguments, error, message):
    with pytest.raises(error, match=message):
        weights(*arguments)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("a b", [0], 0, 1), TypeError, "words should be a list of tokens, got the text 'a b'"),
        ((["a"] * 25, [0] * 25, 0, 1), ValueError, "words should be at most 24, .* got 25"),
        ((["a"], [0, 1], 0, 1), ValueError, r"scores should have shape \(1,\), got \(2,\)"),
        ((["a"], [101], 0, 1), ValueError, "scores should lie between -100 and 100, got 101"),
        ((["a"], [0], 1.5, 1), ValueError, "center should lie between 0 and 1, got 1.5"),
        ((["a"], [0], [0.5], 1), ValueError, r"center should have shape \(\), got \(1,\)"),
        ((["a"], [0], 0, 1.5), TypeError, "half_width should be a whole number, got 1.5"),
        ((["a"], [0], 0, True), TypeError, "half_width should be a whole number, got True"),
        ((["a"], [0], 0, 0), ValueError, "half_width should lie between 1 and 100, got 0"),
        ((["a"], [0], 0, 1, 0), ValueError, "sigma should lie between 0.1 and 100, got 0"),
    ],
)
def test_window_refuses(arguments, error, message):
    with pytest.raises(error, match=message):
        window(*arguments)


# In a browser.


@pytest.fixture
def page_of(browser, tmp_path):
    """Opens figures on one page; at the end the page must have thrown nothing and asked for nothing."""
    contexts, troubles, requests = [], [], []

    def opened(*figures, root="<html>", body="<body>", clock=False, **options):
        path = tmp_path / "figure.html"
        text = frame.page("Figures", "".join(map(str, figures)))
        path.write_text(
            text.replace('<html lang="en">', root.replace(">", ' lang="en">')).replace("<body>", body), "utf-8"
        )
        contexts.append(browser.new_context(**{"viewport": {"width": 760, "height": 900}, **options}))
        page = contexts[-1].new_page()
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        if clock:
            page.clock.install()
        page.goto(path.as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert troubles == []
    assert {urlsplit(url).path for url in requests} == {(tmp_path / "figure.html").as_posix()}


def said(page):
    """What the live region tells once the reader rests."""
    page.clock.run_for(500)
    return page.locator(".af-say").first.inner_text()


def exact(page, name):
    """The weights that the first such figure shows, unrounded."""
    return np.array(page.evaluate(f"document.querySelector('.attn-{name}').weights"))


def texts(page, selector):
    return [text.strip() for text in page.locator(selector).all_inner_texts()]


def focused(page):
    return page.evaluate("document.activeElement.ariaLabel ?? document.activeElement.labels?.[0]?.innerText ?? ''")


SET = """([name, settings]) => {
  const root = document.querySelector(".attn-" + name);
  const inputs = [...root.querySelectorAll("input")], buttons = [...root.querySelectorAll("[aria-pressed]")];
  return settings.map(([values, pressed]) => {
    inputs.forEach((input, i) => {
      if (input.type === "checkbox") { if (input.checked !== values[i]) input.click(); return; }
      input.value = values[i];
      input.dispatchEvent(new Event("input"));
    });
    buttons.forEach((button, i) => { if ((button.ariaPressed === "true") !== pressed[i]) button.click(); });
    return {weights: [...root.weights], values: inputs.map(each => each.valueAsNumber)};
  });
}"""


def test_weights_answer_to_the_keyboard_alone(page_of):
    page = page_of(party(), clock=True)
    press = page.keyboard.press
    assert said(page) == "The largest weight is 0.489, for friend. Entropy 1.26 of at most 1.61 nats."
    press("Tab")
    assert focused(page).startswith("temperature T = 1")
    press("Home")
    assert exact(page, "weights") == pytest.approx(ref.softmax(np.array(SCORES) / 0.05), abs=1e-12)
    assert said(page) == "The largest weight is 1.000, for friend. Entropy 0.00 of at most 1.61 nats."
    press("End")
    assert exact(page, "weights") == pytest.approx(ref.softmax(np.array(SCORES) / 20), abs=1e-12)
    press("Tab")  # Start again
    press("Enter")
    for name in ("friend: may be attended", "score of friend", "neighbour: may be attended", "score of neighbour"):
        press("Tab")
        assert focused(page) == name
    press("ArrowRight")
    assert exact(page, "weights") == pytest.approx(ref.softmax(np.array([2, 0.6, 1.5, 0, -0.5])), abs=1e-12)
    press("Shift+Tab")
    press("Space")  # the neighbour is masked
    mask = np.array([True, False, True, True, True])
    assert exact(page, "weights") == pytest.approx(ref.softmax(np.array(SCORES), mask), abs=1e-12)
    assert said(page) == "The largest weight is 0.548, for friend. Entropy 1.03 of at most 1.39 nats."
    assert texts(page, "tfoot td")[1:3] == ["1.000", "at most ln 4 = 1.39"]


def test_weights_show_the_rounded_numbers_in_their_rows(page_of):
    page = page_of(weights(["a", "b"], [0, np.log(3)]))  # by hand: 1/4 and 3/4
    assert texts(page, "tbody td:nth-child(3)") == ["0.250", "0.750"]
    widths = page.locator("tbody .wt-fill").evaluate_all("all => all.map(e => e.style.width)")
    assert [float(width.strip("%")) for width in widths] == pytest.approx([25, 75])
    evens = page.locator("tbody .wt-track").evaluate_all("all => all.map(e => e.style.getPropertyValue('--even'))")
    assert evens == ["0.5", "0.5"]


def test_weights_equal_the_reference_for_many_settings(page_of):
    page, rng = page_of(party()), np.random.default_rng(0)
    steps = [-60, 60, 0, *rng.integers(-60, 61, size=297).tolist()]
    scores, masks = rng.integers(-50, 51, size=(300, 5)) / 10, rng.random((300, 5)) < 0.7
    masks[2] = False
    settings = [
        ([step, *(value for pair in zip(mask.tolist(), row.tolist(), strict=True) for value in pair)], [])
        for step, row, mask in zip(steps, scores, masks, strict=True)
    ]
    found = [each["weights"] for each in page.evaluate(SET, ["weights", settings])]
    temperatures = np.array([float(f"{20 ** (step / 60):.1e}") for step in steps])[:, None]  # two digits, as shown
    assert temperatures.min() == 0.05 and temperatures.max() == 20
    assert np.array(found) == pytest.approx(ref.softmax(scores / temperatures, masks), abs=1e-12)


def test_weights_say_what_is_special(page_of):
    figure = weights(["a", "b"], [1, 1])
    page = page_of(figure, clock=True)
    assert said(page) == "The 2 weights are alike, 0.500 each. Entropy 0.69 of at most 0.69 nats."
    page.get_by_role("checkbox", name="a: may be attended").uncheck()
    assert said(page) == "Only b may be attended, and takes all of it. Entropy 0.00 of at most 0.00 nats."
    page.get_by_role("checkbox", name="b: may be attended").uncheck()
    assert said(page) == "Nothing may be attended: every weight is zero, and so is their sum."
    assert texts(page, "tfoot td")[1:] == ["0.000", "nothing to attend to", "0.000"]
    assert exact(page, "weights").tolist() == [0, 0]
    page.get_by_role("button", name="Start again").click()
    assert exact(page, "weights").tolist() == [0.5, 0.5]


def test_weights_start_from_exactly_what_was_given(page_of):
    figure = weights(["a", "b", "c"], [0.25, -7.123, 1 / 3], temperature=1 / 3, mask=[True, True, False])
    page = page_of(figure)
    expected = ref.softmax(np.array([0.25, -7.123, 1 / 3]) * 3, np.array([True, True, False]))
    assert exact(page, "weights") == pytest.approx(expected, abs=1e-15)
    assert texts(page, ".af-value") == ["= 0.333"]
    assert page.get_by_role("checkbox", checked=True).count() == 2


def test_figures_speak_once_the_reader_rests(page_of):
    page = page_of(party(), clock=True)
    region = page.get_by_role("status")
    before = region.inner_text()
    page.keyboard.press("Tab")
    for _ in range(4):
        page.keyboard.press("ArrowLeft")
        page.clock.run_for(200)
        assert region.inner_text() == before
    page.clock.run_for(200)
    assert region.inner_text() != before
    assert region.count() == 1


def test_window_answers_to_the_keyboard_alone(page_of):
    page = page_of(day(), clock=True)
    press = page.keyboard.press
    assert (
        said(page) == "The window takes places 3 to 9. The weights sum to 0.57; the largest is 0.36, at place 6, “5”."
    )
    press("Tab")
    assert focused(page).startswith("center pt = 6.4")
    press("Home")
    assert said(page).startswith("The window takes places −3 to 3, and 3 of its 7 slots outside of the sentence.")
    press("End")
    assert exact(page, "window") == pytest.approx(local(DIGITS, 13, 3), abs=1e-12)
    press("Tab")
    assert focused(page) == "half width D = 3"
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
    assert exact(page, "window") == pytest.approx(local(DIGITS, 13, 3, gaussian=False), abs=1e-12)
    press("Space")
    press("Tab")
    press("Enter")  # normalised
    assert exact(page, "window").sum() == pytest.approx(1)
    press("Tab")
    press("Enter")  # start again
    assert (
        said(page) == "The window takes places 3 to 9. The weights sum to 0.57; the largest is 0.36, at place 6, “5”."
    )


def local(scores, center, half_width, gaussian=True):
    """Weights of the reference for one query."""
    scores = np.array(scores, float)[None, None]
    vectors = np.zeros((1, scores.shape[2], 1))
    _, found = ref.local_attend(
        vectors[:, :1], vectors, vectors, [[center]], half_width, score=lambda *_: scores, gaussian=gaussian
    )
    return found[0, 0]


def test_window_equals_the_reference_for_many_settings(page_of):
    """σ = D / 2, as in eq. 10, tied; centers at both ends, whole and broken; windows wider than the sentence."""
    page, rng = page_of(day(half_width=30)), np.random.default_rng(1)
    centers = [0, 13, 0.1, 12.9, 6, 7.5, *(rng.integers(0, 131, size=194) / 10).tolist()]
    reaches = [1, 1, 2, 30, 30, 6, *rng.integers(1, 31, size=194).tolist()]
    bells = [True] * 6 + (rng.random(194) < 0.7).tolist()
    settings = [([c, d, 1], [True, bell, False]) for c, d, bell in zip(centers, reaches, bells, strict=True)]
    found = page.evaluate(SET, ["window", settings])
    for got, center, reach, bell in zip(found, centers, reaches, bells, strict=True):
        assert got["values"] == [center, reach, reach / 2]
        assert got["weights"] == pytest.approx(local(DIGITS, center, reach, bell), abs=1e-12), (center, reach, bell)


def test_window_equals_equation_10_for_any_sigma_and_normalised(page_of):
    page, rng = page_of(day()), np.random.default_rng(2)
    centers, reaches = rng.integers(0, 131, size=100) / 10, rng.integers(1, 14, size=100)
    sigmas, again = rng.integers(1, 66, size=100) / 10, rng.random(100) < 0.5
    settings = [
        ([float(c), int(d), float(sigma)], [False, True, bool(norm)])
        for c, d, sigma, norm in zip(centers, reaches, sigmas, again, strict=True)
    ]
    found = page.evaluate(SET, ["window", settings])
    for got, center, reach, sigma, norm in zip(found, centers, reaches, sigmas, again, strict=True):
        bell = np.exp(-((np.arange(13) - center) ** 2) / (2 * sigma**2))
        expected = local(DIGITS, center, int(reach), gaussian=False) * bell
        expected /= expected.sum() if norm else 1
        assert got["weights"] == pytest.approx(expected, abs=1e-12), (center, reach, sigma, norm)


@pytest.mark.parametrize(("center", "half_width"), [(0, 1), (2, 5), (1.99, 3), (1, 100), (2, 1), (0.3, 2)])
def test_window_of_a_short_sentence_starts_from_exactly_what_was_given(page_of, center, half_width):
    page = page_of(window(["so", "it"], [3.25, -60], center, half_width))
    assert exact(page, "window") == pytest.approx(local([3.25, -60], center, half_width), abs=1e-15)


def test_window_table_follows_the_sliders(page_of):
    page = page_of(window(["a", "b", "c"], [0, 0, 0], center=1, half_width=1, sigma=1))
    page.get_by_text("The numbers as a table").click()
    # By hand: a third each, and exp(-1/2) = 0.607 one place away; in all (1 + 2 * 0.6065) / 3.
    rows = [row.split("\t") for row in texts(page, "tbody tr")]
    assert [row[3:] for row in rows] == [
        ["0.333", "0.607", "0.202"],
        ["0.333", "1.000", "0.333"],
        ["0.333", "0.607", "0.202"],
    ]
    assert texts(page, "tfoot tr")[0].split() == ["sum", "1.000", "0.738"]
    page.get_by_label("center").fill("0")  # the window takes places -1 to 1
    rows = [row.split("\t")[3:] for row in texts(page, "tbody tr")]
    assert rows == [["0.500", "1.000", "0.500"], ["0.500", "0.607", "0.303"], ["–", "–", "0.000"]]
    page.get_by_role("button", name="Gaussian").click()
    assert texts(page, "tbody td:last-child") == ["0.500", "0.500", "0.000"]


def test_window_is_drawn_where_it_is(page_of):
    page = page_of(day(center=1, half_width=2))
    crosses = page.locator(".wi-none").count()
    assert crosses == 1  # place -1 is in the window, and not in the sentence
    assert page.locator("rect.wi-align").count() == 4
    bars = page.locator("rect.wi-weight").evaluate_all("all => all.map(e => +e.getAttribute('height'))")
    shares = exact(page, "window")[:4]
    assert np.array(bars) / max(bars) == pytest.approx(shares / shares.max())
    page.get_by_label("center").fill("0")
    assert page.locator(".wi-none").count() == 2


@pytest.mark.parametrize("touch", [False, True])
def test_window_follows_the_pointer(page_of, touch):
    page = page_of(day(), has_touch=touch)
    box = page.locator(".wi-picture").bounding_box()
    slot = box["width"] / (len(DATE) + 4)
    at = box["x"] + 2.5 * slot, box["y"] + 50  # the middle of place 0
    if touch:
        page.touchscreen.tap(*at)
    else:
        page.mouse.move(*at)
        assert texts(page, ".af-value")[0] == "= 6.4"
        page.mouse.down()
        page.mouse.move(at[0] + 3 * slot, at[1], steps=3)
        page.mouse.up()
        page.mouse.move(*at)  # and is let go
    assert texts(page, ".af-value")[0] == ("= 0" if touch else "= 3")


def test_figures_show_hostile_words_as_they_are(page_of):
    zeros = np.zeros(len(HOSTILE))
    figures = weights(HOSTILE, zeros, title=HOSTILE[0]), window(HOSTILE, zeros, 6, 3, title=HOSTILE[2])
    page = page_of(*figures)
    shown = [word if word.strip() else "␣" for word in HOSTILE]
    assert page.locator(".wt-word").evaluate_all("all => all.map(e => e.textContent)") == shown
    assert page.locator(".attn-window tbody th").evaluate_all("all => all.map(e => e.textContent)") == shown
    assert page.locator(".af-title").evaluate_all("all => all.map(e => e.textContent)") == [HOSTILE[0], HOSTILE[2]]
    page.get_by_label("temperature").fill("9")
    page.get_by_label("center").fill("3")
    assert page.evaluate("window.hacked") is None
    assert page.locator("img").count() == 0 and page.locator("script").count() == 4


def test_figures_on_one_page_start_once_and_do_not_disturb_each_other(page_of):
    page = page_of(party(), day(), party(), day())
    assert page.locator(".attn-weights .af-live").count() == page.locator(".attn-window .af-live").count() == 2
    page.get_by_label("temperature").nth(1).fill("-60")
    page.get_by_label("center").nth(1).fill("0")
    assert texts(page, ".attn-weights .af-value") == ["= 1", "= 0.05"]
    assert exact(page, "weights") == pytest.approx(ref.softmax(np.array(SCORES)))
    assert exact(page, "window") == pytest.approx(local(DIGITS, 6.4, 3))


# Without scripts, on paper, in the dark, narrow.


def test_still_weights_are_those_of_the_reference(page_of):
    page = page_of(
        weights(["a", "b", "c"], [0, 1, 2], temperature=0.5, mask=[True, True, False]), java_script_enabled=False
    )
    # By hand: scores 0 and 2 over two words are 1 / (1 + e^2) = 0.119 and 0.881; their entropy is 0.365.
    assert texts(page, "tbody td:nth-child(3)") == ["0.119", "0.881", "0.000"]
    assert texts(page, "tbody th") == ["a", "b", "c (masked)"]
    assert texts(page, "tfoot td")[1:] == ["1.000", "at most ln 2 = 0.69", "0.365"]
    assert page.get_by_text("Temperature T = 0.5").is_visible()


def test_still_weights_of_nothing(page_of):
    page = page_of(weights(["a"], [0], mask=[False]), java_script_enabled=False)
    assert texts(page, "tfoot td")[1:] == ["0.000", "nothing to attend to", "0.000"]


def test_still_window_has_the_same_numbers_as_the_living_one(page_of):
    still, living = page_of(day(center=1.3), java_script_enabled=False), page_of(day(center=1.3))
    living.get_by_text("The numbers as a table").click()
    rows = texts(still, "table tr")
    assert rows == texts(living, "table tr") and len(rows) == 15
    assert texts(still, "caption") == texts(living, "caption")
    assert still.get_by_role("table").is_visible()
    # By hand: sigma is 1.5, so place 3 has exp(-1.7^2 / 4.5) = 0.526; of the five places none holds a digit: 1/5 each.
    assert rows[4].split("\t")[3:] == ["0.200", "0.526", "0.105"]


@both
def test_figure_without_scripts_does_not_offer_to_run(page_of, figure):
    page = page_of(figure, java_script_enabled=False)
    assert page.get_by_text("Run this cell").count() == 1
    assert not page.get_by_text("Run this cell").is_visible()
    assert page.locator(".af-live, input, button").count() == 0


@both
def test_figure_on_paper_is_a_table_of_what_was_set(page_of, figure):
    page = page_of(figure, color_scheme="dark")
    page.get_by_role("slider").first.fill("0")
    page.emulate_media(media="print")
    page.get_by_role("table").wait_for()
    assert page.locator("input:visible, button:visible, svg:visible").count() == 0
    assert page.locator(f".attn-{figure.name}").evaluate(CARD) == LIGHT
    setting = {"weights": "Temperature T = 1.", "window": "Center 0, D = 3, σ = 1.5"}[figure.name]
    assert setting in page.locator("caption").inner_text()
    page.emulate_media(media="screen")
    page.get_by_role("button").first.wait_for()
    assert "Temperature" not in page.locator(".attn-figure").inner_text()
    assert page.locator("details[open]").count() == 0


LIGHT, DARK, CARD = "rgb(251, 250, 246)", "rgb(28, 33, 40)", "map => getComputedStyle(map).backgroundColor"


@pytest.mark.parametrize(
    ("root", "body", "system", "expected"),
    [
        ("<html>", "<body>", "light", LIGHT),
        ("<html>", "<body>", "dark", DARK),
        ('<html data-theme="dark">', "<body>", "light", DARK),
        ('<html data-theme="light">', "<body>", "dark", LIGHT),
        ("<html>", '<body data-jp-theme-light="false">', "light", DARK),
        ("<html>", '<body data-jp-theme-light="true">', "dark", LIGHT),
    ],
)
def test_figure_follows_the_pages_theme_and_else_the_systems(page_of, root, body, system, expected):
    page = page_of(party(), root=root, body=body, color_scheme=system)
    assert page.locator(".attn-figure").evaluate(CARD) == expected


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_figures_have_no_accessibility_violation(page_of, scheme):
    figures = party(mask=[True, False, True, True, True]), day(center=1)
    narrow = {"width": 360, "height": 640}
    page = page_of(*figures, color_scheme=scheme, reduced_motion="reduce", viewport=narrow)
    page.get_by_text("The numbers as a table").click()
    rules = {"rules": {"page-has-heading-one": {"enabled": False}, "target-size": {"enabled": True}}}
    found = [
        (violation["id"], node["html"], node["failureSummary"])
        for violation in Axe().run(page, options=rules).response["violations"]
        for node in violation["nodes"]
    ]
    assert found == []


def test_figures_have_names_and_targets_of_24_pixels(page_of):
    page = page_of(party(title="A party"), day(title="A day"), viewport={"width": 360, "height": 640})
    assert page.get_by_role("group", name="A party").get_by_role("slider").count() == 6
    assert page.get_by_role("group", name="A day").get_by_role("slider").count() == 3
    for target in page.locator("input, button, summary").all():
        box = target.bounding_box()
        assert min(box["width"], box["height"]) >= 24, target.evaluate("e => e.outerHTML")


def test_figures_show_where_the_focus_is(page_of):
    page = page_of(party(), day())
    stops = page.locator("input, button, summary").count()
    assert stops == 12 + 8
    for _ in range(stops):
        page.keyboard.press("Tab")
        assert page.evaluate("getComputedStyle(document.activeElement).outline").endswith("solid 3px")


@pytest.mark.parametrize("width", [360, 760, 1280])
def test_figures_fit_the_page(page_of, width):
    words = ["misunderstanding"] * 12
    figures = weights(words, [0] * 12), window(words * 2, [0] * 24, 12, 3), party(), day()
    page = page_of(*figures, viewport={"width": width, "height": 640})
    for summary in page.locator("summary").all():
        summary.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_figures_move_only_where_motion_is_welcome(page_of):
    moves = "e => getComputedStyle(e).transitionDuration"
    assert page_of(party()).locator(".wt-fill").first.evaluate(moves) == "0.15s"
    assert page_of(party(), reduced_motion="reduce").locator(".wt-fill").first.evaluate(moves) == "0s"
