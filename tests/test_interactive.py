"""The frame of interactive figures, and what holds for each of them."""

import json
import re
import subprocess
import sys

import nbformat
import numpy as np
import pytest
from conftest import ROOT, violations
from figures import (
    DIGITS,
    HOSTILE,
    SCORES,
    day,
    exact,
    local,
    open_figures,
    party,
    texts,
)

import attnlib
from attnlib import reference as ref
from attnlib.interactive import attention_map, frame, weights, window

page_of = pytest.fixture(open_figures)
BOTH = {"weights": party, "window": day}
both = pytest.mark.parametrize("figure", [make() for make in BOTH.values()], ids=BOTH)


# The frame.


def test_frame_data_cannot_end_its_element_and_comes_back_as_it_was():
    written = frame.to_script_json({"words": HOSTILE})
    assert not set("<>&") & set(written)
    assert json.loads(written) == {"words": HOSTILE}


def test_frame_data_is_strict_json():
    with pytest.raises(ValueError, match="not JSON compliant"):
        frame.to_script_json({"weight": float("nan")})


@pytest.mark.parametrize("name", sorted(attnlib.interactive.__all__))
def test_interactive_has_each_figure_as_a_function_and_three_files(name):
    assert name in attnlib.interactive.__all__
    figure = getattr(attnlib.interactive, name)
    assert callable(figure) and figure.__module__ == f"attnlib.interactive.{name}"
    folder = ROOT / "attnlib" / "interactive"
    assert all((folder / f"{name}.{kind}").is_file() for kind in ("py", "js", "css"))


def test_interactive_imports_no_tensorflow():
    code = "import sys, attnlib.interactive; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = done.stdout.split()
    assert {"tensorflow", "keras", "matplotlib"} & set(loaded) == set()


@both
def test_figure_html_is_the_same_every_time_names_no_host_and_stays_small(figure):
    html = figure._repr_html_()
    assert html == str(figure)
    assert set(re.findall(r"\w+:/+[^\"']*", html)) <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r'\s(id|on\w+|src|href)="|@import|url\(|\bfetch\b', html)
    assert len(html.encode()) <= 30_000


def test_largest_figures_stay_small():
    for large in (
        weights(["attention"] * 12, [-1 / 3] * 12),
        window(["attention"] * 24, [-1 / 3] * 24, 1 / 3, 100),
    ):
        assert 10_000 < len(str(large).encode()) <= 30_000


def test_figure_repr_is_short():
    assert repr(day(title="A day")) == "Figure('window', 'A day')"


def test_figure_save_writes_a_page_with_its_title(tmp_path):
    path = tmp_path / "figure.html"
    day(title="A <day>").save(path)
    assert path.read_text("utf-8") == frame.page("A <day>", str(day(title="A <day>")))
    assert "<title>A &lt;day&gt;</title>" in path.read_text("utf-8")
    attention_map(["a"], ["b"], [[1]]).save(path)
    assert "<title>Attention map</title>" in path.read_text("utf-8")


# In a browser.


def test_figures_announce_changes_once_the_reader_rests(page_of):
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


def test_figures_show_hostile_words_as_they_are(page_of):
    zeros = np.zeros(len(HOSTILE))
    figures = (
        weights(HOSTILE, zeros, title=HOSTILE[0]),
        window(HOSTILE, zeros, 6, 3, title=HOSTILE[2]),
    )
    page = page_of(*figures)
    expected = [word if word.strip() else "␣" for word in HOSTILE]
    assert (
        page.locator(".wt-word").evaluate_all("all => all.map(e => e.textContent)")
        == expected
    )
    assert (
        page.locator(".attn-window tbody th").evaluate_all(
            "all => all.map(e => e.textContent)"
        )
        == expected
    )
    assert page.locator(".af-title").evaluate_all(
        "all => all.map(e => e.textContent)"
    ) == [HOSTILE[0], HOSTILE[2]]
    page.get_by_label("temperature").fill("9")
    page.get_by_label("center").fill("3")
    assert page.evaluate("window.hacked") is None
    assert page.locator("img").count() == 0 and page.locator("script").count() == 4


def test_figures_on_one_page_start_once_and_do_not_disturb_each_other(page_of):
    page = page_of(party(), day(), party(), day())
    assert (
        page.locator(".attn-weights .af-live").count()
        == page.locator(".attn-window .af-live").count()
        == 2
    )
    page.get_by_label("temperature").nth(1).fill("-60")
    page.get_by_label("center").nth(1).fill("0")
    assert texts(page, ".attn-weights .af-value") == ["= 1", "= 0.05"]
    assert exact(page, "weights") == pytest.approx(ref.softmax(np.array(SCORES)))
    assert exact(page, "window") == pytest.approx(local(DIGITS, 6.4, 3))


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
    setting = {"weights": "Temperature T = 1.", "window": "Center 0, D = 3, σ = 1.5"}[
        figure.name
    ]
    assert setting in page.locator("caption").inner_text()
    page.emulate_media(media="screen")
    page.get_by_role("button").first.wait_for()
    assert "Temperature" not in page.locator(".attn-figure").inner_text()
    page.locator("details[open]").wait_for(state="detached")


LIGHT, DARK, CARD = (
    "rgb(251, 250, 246)",
    "rgb(28, 33, 40)",
    "map => getComputedStyle(map).backgroundColor",
)


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
def test_figure_follows_the_pages_theme_and_else_the_systems(
    page_of, root, body, system, expected
):
    page = page_of(party(), root=root, body=body, color_scheme=system)
    assert page.locator(".attn-figure").evaluate(CARD) == expected


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_figures_have_no_accessibility_violation(page_of, scheme):
    figures = party(mask=[True, False, True, True, True]), day(center=1)
    narrow = {"width": 360, "height": 640}
    page = page_of(
        *figures, color_scheme=scheme, reduced_motion="reduce", viewport=narrow
    )
    page.get_by_text("The numbers as a table").click()
    rules = {"target-size": {"enabled": True}}
    assert violations(page, {"page-has-heading-one"}, rules=rules) == []


def test_figures_have_names_and_targets_of_24_pixels(page_of):
    page = page_of(
        party(title="A party"),
        day(title="A day"),
        viewport={"width": 360, "height": 640},
    )
    assert page.get_by_role("group", name="A party").get_by_role("slider").count() == 6
    assert page.get_by_role("group", name="A day").get_by_role("slider").count() == 3
    for target in page.locator("input, button, summary").all():
        box = target.bounding_box()
        assert min(box["width"], box["height"]) >= 24, target.evaluate(
            "e => e.outerHTML"
        )


def test_figures_show_where_the_focus_is(page_of):
    page = page_of(party(), day())
    stops = page.locator("input, button, summary").count()
    assert stops == 12 + 8
    for _ in range(stops):
        page.keyboard.press("Tab")
        assert page.evaluate(
            "getComputedStyle(document.activeElement).outline"
        ).endswith("solid 3px")


@pytest.mark.parametrize("width", [360, 760, 1280])
def test_figures_fit_the_page(page_of, width):
    words = ["misunderstanding"] * 12
    figures = (
        weights(words, [0] * 12),
        window(words * 2, [0] * 24, 12, 3),
        party(),
        day(),
    )
    page = page_of(*figures, viewport={"width": width, "height": 640})
    for summary in page.locator("summary").all():
        summary.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_figures_move_only_where_motion_is_welcome(page_of):
    moves = "e => getComputedStyle(e).transitionDuration"
    assert page_of(party()).locator(".wt-fill").first.evaluate(moves) == "0.15s"
    assert (
        page_of(party(), reduced_motion="reduce")
        .locator(".wt-fill")
        .first.evaluate(moves)
        == "0s"
    )


def test_figures_name_equal_words_apart(page_of):
    words = ["a", "b", "a"]
    page = page_of(weights(words, [1, 0, 2]), window(words, [0, 0, 9], 1, 1))
    for name in ("a (1st of 2)", "b", "a (2nd of 2)"):
        assert page.get_by_label(f"score of {name}", exact=True).count() == 1
        assert page.get_by_label(f"{name}: may be attended to", exact=True).count() == 1
    said = page.get_by_role("status").all_inner_texts()
    assert "for a (2nd of 2). " in said[0]
    assert said[1].endswith("at position 2, “a (2nd of 2)”.")


def test_toggles_have_names_of_words_alone(page_of):
    gold = attention_map(["a"], ["b"], [[1]], gold=[(0, 0)])
    page = page_of(day(), gold)
    for name in ("σ = D / 2", "Gaussian", "renormalize", "Gold links", "Play"):
        toggle = page.get_by_role("button", name=name, exact=True)
        assert toggle.count() == 1
        assert toggle.evaluate("e => getComputedStyle(e, '::before').content") in (
            '""',
            "none",
        )
    # Pressed is a check mark, and not pressed is a circle.
    shape = "e => getComputedStyle(e, '::before').borderTopWidth !== '0px'"
    for pressed in (True, False):
        mark = page.locator(f"[aria-pressed={str(pressed).lower()}]:not(.am-token)")
        assert mark.first.evaluate(shape) is not pressed


# In the built book.


@pytest.mark.parametrize(
    ("chapter", "name", "label"),
    [
        ("01_psychology", "weights", "temperature"),
        ("06_luong_local", "window", "center"),
    ],
)
def test_figure_in_its_chapter_works_with_the_keyboard(
    browser, site, chapter, name, label
):
    page = browser.new_page(viewport={"width": 360, "height": 640}, color_scheme="dark")
    page.goto(f"{site}{chapter}.html")
    root = page.locator(f".attn-{name}")
    assert root.count() == 1 and root.evaluate(CARD) == DARK
    before = exact(page, name)
    root.get_by_label(label).focus()
    page.keyboard.press("Home")
    assert abs(exact(page, name) - before).max() > 0.1
    page.close()


BLANK = {"\t": "tab", "": "empty token", "\n": "line end", "\u200b": "zero width space"}


def test_figures_show_and_speak_words_without_a_shape(page_of):
    words = [*BLANK, "word"]
    scores = [3, 0, 0, 0, 0]
    page = page_of(weights(words, scores), window(words, scores, 0.5, 2))
    shown = [frame.visible(word) for word in words]
    for selector in (".wt-word", ".attn-window tbody th"):
        assert page.locator(selector).all_text_contents() == shown
    drawn = page.locator(".wi-picture text").all_text_contents()
    assert set(shown) <= set(drawn)
    for name in (*BLANK.values(), "word"):
        assert page.get_by_label(f"score of {name}", exact=True).count() == 1
        assert page.get_by_label(f"{name}: may be attended to", exact=True).count() == 1
    said = page.get_by_role("status").all_inner_texts()
    assert said[0].startswith("The largest weight is") and ", for tab. " in said[0]
    assert said[1].endswith("at position 0, “tab”.")


def test_stored_figures_have_the_style_and_script_of_today():
    found = []
    for path in sorted((ROOT / "book").glob("[0-9]*.ipynb")):
        if path.is_symlink():
            continue
        for cell in nbformat.read(path, as_version=4).cells:
            for output in cell.get("outputs", []):
                html = output.get("data", {}).get("text/html", "")
                for name in re.findall(r'<div class="attn-figure attn-(\w+)"', html):
                    found.append(name)
                    one = str(frame.Figure(name, None, "", {}))
                    for part in re.findall(r"<(?:style|script)>.*?</\w+>", one, re.S):
                        assert part in html, f"{path.stem}: {name}"
    # No chapter has maps by layer and head yet.
    assert sorted({*found, "head_maps"}) == sorted(frame.FILES)
