"""The cache of keys and values: its counts are those of arrays that grow, and the
figure is used by keyboard, by itself, and on paper.
"""

import re

import numpy as np
import pytest
from figures import (
    HOSTILE,
    check_accessible,
    check_card_on_paper,
    check_fits,
    check_html,
    open_figures,
    press,
    said,
    texts,
)

from attnlib.interactive import kv_cache
from attnlib.interactive.frame import Figure
from attnlib.interactive.kv_cache import MODEL, kept_positions, model_sizes

page_of = pytest.fixture(open_figures)
TOKENS = "the dog saw the cat and ran away from the cat .".split()
SETTINGS = [
    {},
    {"kv_heads": 2},
    {"kv_heads": 1, "window": 4},
    {"layers": 3, "heads": 6, "kv_heads": 2, "window": 3, "sinks": 2},
    {"window": 1, "sinks": 4, "head_dim": 7},
]


def arrays(layers=2, heads=4, kv_heads=None, head_dim=16, window=None, sinks=0):
    """Per token: the positions in the cache, its bytes, and how many keys and values
    were computed, found by filling arrays.
    """
    kv_heads = kv_heads or heads
    cache = np.zeros((2, layers, kv_heads, 0, head_dim), np.float16)
    positions, computed, without = [], 0, 0
    for t in range(len(TOKENS)):
        new = np.zeros((2, layers, kv_heads, 1, head_dim), np.float16)
        cache = np.concatenate([cache, new], axis=3)
        positions.append(t)
        gone = [
            i
            for i, j in enumerate(positions)
            if window is not None and t - j >= window and j >= sinks
        ]
        cache = np.delete(cache, gone, axis=3)
        positions = [j for i, j in enumerate(positions) if i not in gone]
        computed += new[..., 0].size
        without += (t + 1) * new[..., 0].size
        yield list(positions), cache.nbytes, computed, without


def state(page):
    return page.locator(".attn-kv_cache").evaluate("e => e.state")


def cell_texts(page, row):
    return texts(page, f"details tbody tr:nth-child({row + 1}) > *")


# The numbers


@pytest.mark.parametrize("settings", SETTINGS)
def test_counts_are_those_of_arrays_that_grow(page_of, settings):
    figure = kv_cache(TOKENS, **settings)
    static, page = page_of(figure, java_script_enabled=False), page_of(figure)
    page.locator("summary").click()
    for t, (kept, size, computed, without) in enumerate(arrays(**settings)):
        assert kept_positions(t, settings.get("window"), settings.get("sinks", 0)) == (
            kept
        )
        press(page, "Step")
        found = state(page)
        assert (found["t"], found["kept"]) == (t, kept)
        assert [found[each] for each in ("bytes", "computed", "without")] == [
            size,
            computed,
            without,
        ]
        counts = [f"{each:,}" for each in (len(kept), size, computed, without)]
        expected = [str(t), TOKENS[t], *counts]
        assert cell_texts(page, t) == cell_texts(static, t) == expected
    captions = [texts(each, "caption") for each in (static, page)]
    assert captions[0] == captions[1]


def test_cache_of_the_model_is_counted_by_hand():
    """2 × 32 layers × 8 heads × 128 numbers × 2 bytes are 131,072 bytes a position."""
    assert MODEL["layers"] == MODEL["heads"] == 32 and MODEL["kv_heads"] == 8
    sizes = [size for _, size in model_sizes(MODEL, 32768)]
    assert sizes == [4 * 131072 * 32768, 131072 * 32768, 131072 * 4096]
    assert [size for _, size in model_sizes(MODEL, 100)][1:] == 2 * [131072 * 100]


def test_model_is_counted_for_the_tokens_of_the_slider(page_of):
    figure = kv_cache(TOKENS)
    static, page = page_of(figure, java_script_enabled=False), page_of(figure)
    rows = ".kv-model tbody td"
    assert texts(static, rows) == texts(page, rows) == ["17.2 GB", "4.29 GB", "537 MB"]
    slider = page.get_by_label("tokens that Mistral 7B v0.1")
    assert slider.get_attribute("aria-valuetext") == "32,768"
    slider.focus()
    page.keyboard.press("Home")
    assert texts(page, rows) == ["524 kB", "131 kB", "131 kB"]
    assert texts(page, "caption")[1].endswith("Its cache after 1 token:")
    for _ in range(13):
        page.keyboard.press("ArrowRight")
    assert texts(page, rows) == ["4.29 GB", "1.07 GB", "537 MB"]
    widths = page.locator(".kv-model .kv-track i").evaluate_all(
        "all => all.map(e => parseFloat(e.style.width))"
    )
    assert widths == [100, 25, 12.5]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"tokens": "the dog"}, TypeError, "tokens should be a list"),
        ({"tokens": ["a"]}, ValueError, "tokens should have 2 tokens or more, got 1"),
        ({"tokens": ["a"] * 17}, ValueError, "tokens should have at most 16 tokens"),
        ({"kv_heads": 3}, ValueError, "kv_heads should be one of 1, 2, 4, got 3"),
        ({"kv_heads": 8}, ValueError, "kv_heads should be an integer between 1 and 4"),
        ({"window": 13}, ValueError, "window should be an integer between 1 and 12"),
        ({"window": 2.5}, TypeError, "window should be an integer between 1 and 12"),
        ({"sinks": 5}, ValueError, "sinks should be an integer between 0 and 4"),
        ({"layers": 4}, ValueError, "layers should be an integer between 1 and 3"),
        ({"head_dim": 0}, ValueError, "head_dim should be an integer between 1 and"),
    ],
)
def test_kv_cache_refuses_other_arguments_in_words(arguments, error, message):
    with pytest.raises(error, match=re.escape(message)):
        kv_cache(**{"tokens": TOKENS, **arguments})


def test_kv_cache_html_is_the_same_every_time_and_stays_small():
    check_html(kv_cache(["absolutely"] * 16, 3, 8, 1, window=3, sinks=1), 35_000)


# In a browser


def test_sliders_and_steps_are_used_by_keyboard(page_of):
    page = page_of(kv_cache(TOKENS), clock=True)
    assert said(page) == "The cache is empty. Step writes the first token."
    key = page.keyboard.press
    key("Tab")  # key–value heads, from 4 to 2 to 1
    key("ArrowLeft")
    key("ArrowLeft")
    key("Tab")  # window, from none to 3
    key("Home")
    key("ArrowRight")
    key("ArrowRight")
    key("Tab")  # sinks
    key("ArrowRight")
    values = page.locator(".af-controls >> nth=0 >> input").evaluate_all(
        "all => all.map(e => e.getAttribute('aria-valuetext'))"
    )
    assert values == ["1 of 4", "3", "1"]
    key("Tab")  # the buttons, which take arrow keys
    key("End")
    assert state(page)["t"] == 11 and state(page)["kept"] == [0, 9, 10, 11]
    key("ArrowLeft")
    assert state(page)["kept"] == [0, 8, 9, 10]
    assert said(page) == (
        "“cat (2nd of 2)” adds 2 keys and 2 values, one of each per layer and "
        "key–value head. In each layer, its 4 queries read 4 positions. 7 positions "
        "were evicted, but not the first one. The cache takes 512 bytes."
    )
    key("Home")
    assert state(page)["t"] == -1


def test_play_goes_on_by_itself_until_it_is_paused_or_ends(page_of):
    page = page_of(kv_cache(TOKENS[:4]), clock=True)
    region = page.locator(".af-say")
    play = page.locator(".pl-play")
    play.click()
    assert (state(page)["t"], play.inner_text()) == (0, "Pause")
    assert region.get_attribute("aria-live") == "off"  # not a sentence per second
    page.clock.run_for(1300)
    assert state(page)["t"] == 1
    play.click()
    page.clock.run_for(5000)
    assert (state(page)["t"], play.inner_text()) == (1, "Play")
    assert region.get_attribute("aria-live") == "polite"
    play.click()
    page.clock.run_for(5000)
    assert (state(page)["t"], play.inner_text()) == (3, "Play")
    play.click()  # once more from the start
    assert state(page)["t"] == 0
    press(page, "Back")
    page.clock.run_for(5000)
    assert state(page)["t"] == -1


def test_picture_has_a_cell_per_layer_head_and_position(page_of):
    page = page_of(kv_cache(TOKENS, kv_heads=2, window=4, sinks=1))
    for _ in range(9):
        press(page, "Step")
    counts = {
        name: page.locator(f"svg .kv-{name}").count()
        for name in ("key", "value", "gone", "free", "frame", "query")
    }
    rows = 2 * 2  # layers and key–value heads
    assert counts == {
        "key": rows * 5,
        "value": rows * 5,
        "gone": rows * 4,
        "free": rows * 3,
        "frame": rows,
        "query": 2 * 4,  # each query head reads, however many heads there are to read
    }
    ticks = page.locator("svg .kv-read").evaluate_all(
        "all => all.map(e => e.getAttribute('d').split('V').length - 1)"
    )
    assert ticks == [2 * 5] * rows  # two query heads, five positions
    paths = page.locator("svg .kv-read").evaluate_all(
        "all => all.map(e => e.getAttribute('d'))"
    )
    for line in re.findall(r"M[^H]*H[^H]*(?=M[^HM]*H|$)", paths[0]):
        start, *lines = re.findall(r"M([\d.]+ [\d.]+)", line)
        assert lines[0] == start  # the first tick is at the end of its line
    assert "saved" in page.locator("svg").text_content()
    page.get_by_label("key–value heads").focus()
    height = page.locator("svg").evaluate("e => e.clientHeight")
    page.keyboard.press("End")
    assert page.locator("svg .kv-key").count() == 2 * rows * 5
    assert page.locator("svg").evaluate("e => e.clientHeight") == height
    assert "saved" not in page.locator("svg").text_content()


def test_kv_cache_on_paper_shows_the_chosen_step(page_of):
    page = page_of(kv_cache(TOKENS), color_scheme="dark")
    press(page, "Step")
    page.emulate_media(media="print")
    page.get_by_role("table").first.wait_for()
    assert page.locator("button:visible, input:visible").count() == 0
    assert page.locator("table:visible").count() == 2
    check_card_on_paper(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_kv_cache_has_no_accessibility_violation(page_of, scheme):
    figure = kv_cache(TOKENS, kv_heads=2, window=3, sinks=1)
    narrow = {"width": 360, "height": 640}
    page = page_of(figure, color_scheme=scheme, viewport=narrow)
    for _ in range(6):
        press(page, "Step")
    page.locator("summary").click()
    check_accessible(page)


@pytest.mark.parametrize("width", [360, 760, 1280])
def test_kv_cache_fits_the_page(page_of, width):
    figures = kv_cache(["w" * 40] * 16, 3, 8, 1), kv_cache(TOKENS)
    page = page_of(*figures, viewport={"width": width, "height": 640})
    for each in page.get_by_role("button", name="Step").all():
        each.click()
    for region in page.locator(".af-say").all():
        region.filter(has_text=" adds ").wait_for()
    check_fits(page, width)


def test_new_cells_fade_in_where_motion_is_welcome(page_of):
    for motion, count in (("no-preference", 16), ("reduce", 0)):
        page = page_of(kv_cache(TOKENS), reduced_motion=motion, clock=True)
        press(page, "Step")
        running = "document.querySelector('svg').getAnimations({subtree: true}).length"
        assert page.evaluate(running) == count


def test_kv_cache_shows_hostile_tokens_as_they_are(page_of):
    figure = kv_cache(HOSTILE, window=2, title=HOSTILE[0])
    page = page_of(figure, page_figure(figure))
    for each in page.get_by_role("button", name="Step").all():
        each.click()
    assert page.evaluate("window.hacked") is None
    assert page.locator("img, b b").count() == 0


def page_figure(figure):
    """The same with names that are hostile, too."""
    data = {**figure.data, "names": HOSTILE, "tokens": HOSTILE}
    return Figure("kv_cache", HOSTILE[3], figure.fallback, data)
