"""The attention map: what it takes, and how its reader can use it."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest
from figures import open_figures

from attnlib.interactive import attention_map

SOURCE, TARGET = "eighty - one thousand".split(), "quatre - vingt - un mille".split()
WEIGHTS = np.array(
    [
        [0.90, 0.06, 0.03, 0.01],
        [0.62, 0.30, 0.05, 0.03],
        [0.85, 0.10, 0.03, 0.02],
        [0.20, 0.66, 0.12, 0.02],
        [0.03, 0.06, 0.88, 0.03],
        [0.01, 0.01, 0.06, 0.92],
    ]
)
HOSTILE = [
    "<script>window.hacked=1</script>",
    "</script><script>window.hacked=1</script>",
    "<!--",
    "-->",
    "<!--<script>",
    '"><img src=x onerror="window.hacked=1">',
    "'\" onfocus='window.hacked=1'",
    "</style><b>",
    "</table></div>",
    "&lt;",
    "&amp;lt;",
    "]]>",
    "\u2028",
    "a\u2029b",
    "\\u003c",
    "\\",
    "${window.hacked=1}",
    "__proto__",
    "constructor",
    "\u202eabc",
    "javascript:window.hacked=1",
    "3.0,",
    "x" * 500,
    "漢字",
    "🙂",
]


# The function: what it takes, refuses and writes.


@pytest.mark.parametrize(
    ("source", "target", "weights", "error", "message"),
    [
        (
            SOURCE,
            TARGET,
            None,
            ValueError,
            r"weights should be attention weights, got None: a model without attention",
        ),
        (
            SOURCE,
            TARGET,
            WEIGHTS.T,
            ValueError,
            r"\(len\(target\), len\(source\)\) = \(6, 4\), got \(4, 6\)",
        ),
        (SOURCE, TARGET, WEIGHTS[0], ValueError, r"\(6, 4\), got \(4,\)"),
        (SOURCE, TARGET, WEIGHTS + np.nan, ValueError, "finite, got NaN or infinity"),
        (
            SOURCE,
            TARGET,
            WEIGHTS - 0.5,
            ValueError,
            r"between 0 and 1, got -0.49 to 0.42: are these scores",
        ),
        (SOURCE, TARGET, WEIGHTS * 9, ValueError, r"between 0 and 1, got 0.09 to 8.28"),
        (
            "eighty",
            TARGET,
            WEIGHTS,
            TypeError,
            "source should be a list of tokens, got the text 'eighty': split it",
        ),
        (
            SOURCE,
            [1] * 6,
            WEIGHTS,
            TypeError,
            "target should hold str, got int: 1",
        ),
        (
            [],
            TARGET,
            np.zeros((6, 0)),
            ValueError,
            "source should have at least one token, got none",
        ),
    ],
)
def test_attention_map_refuses(source, target, weights, error, message):
    with pytest.raises(error, match=message):
        attention_map(source, target, weights)


def test_attention_map_html_is_the_same_every_time_and_names_no_host():
    html, again = (
        attention_map(SOURCE, TARGET, WEIGHTS, title="A map")._repr_html_()
        for _ in range(2)
    )
    assert html == again == str(attention_map(SOURCE, TARGET, WEIGHTS, title="A map"))
    assert set(re.findall(r"https?:[^\"']*", html)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r'\s(id|on\w+)="', html)
    assert (
        repr(attention_map(SOURCE, TARGET, WEIGHTS))
        == "AttentionMap(6 target tokens by 4 source tokens)"
    )


def test_attention_map_stays_small():
    positions = np.arange(36)
    near = np.exp(-np.abs(positions[:, None] - positions[None]) / 0.7)
    weights = near / near.sum(axis=1, keepdims=True)
    assert (
        len(str(attention_map(["hundred"] * 36, ["cent"] * 36, weights)).encode())
        <= 30_000
    )
    assert len(str(attention_map(SOURCE, TARGET, WEIGHTS)).encode()) <= 15_000


def test_attention_map_rounds_its_data_to_three_decimals():
    assert '"weights":[[0.333,0.667]]' in str(
        attention_map(["a", "b"], ["c"], [[1 / 3, 2 / 3]])
    )


class Table(HTMLParser):
    """The cells of the static fallback, row by row."""

    def __init__(self, html):
        super().__init__()
        self.rows = []
        self.feed(html[html.index("<caption") : html.index("</table>")])

    def handle_starttag(self, tag, attributes):
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data):
        if self.rows:
            self.rows[-1][-1] += data


def test_attention_map_table_holds_every_weight_of_a_hundredth_or_more():
    rows = Table(
        str(
            attention_map(["one", " "], ["un", "mille"], [[0.996, 0.004], [0.25, 0.75]])
        )
    ).rows
    assert rows == [["", "one", "␣"], ["un", "1.00", ""], ["mille", "0.25", "0.75"]]


# The page, in a browser.


page_of = pytest.fixture(open_figures)


@pytest.fixture
def example():
    return attention_map(SOURCE, TARGET, WEIGHTS, title="Where did each word look?")


def said(page):
    return page.locator(".af-say").first.inner_text()


def test_map_works_with_the_keyboard_alone(page_of, example):
    page = page_of(example)
    page.keyboard.press("Tab")
    assert said(page) == "eighty: attended to by quatre 0.90, vingt 0.85, hyphen 0.62"
    page.keyboard.press("Tab")  # one tab stop a row
    assert said(page) == "quatre: attends to eighty 0.90, hyphen 0.06"
    page.keyboard.press("ArrowRight")
    assert said(page) == "hyphen: attends to eighty 0.62, hyphen 0.30, one 0.05"
    page.keyboard.press("End")
    assert said(page) == "mille: attends to thousand 0.92, one 0.06"
    page.keyboard.press("ArrowUp")  # to the word with the largest weight
    assert said(page) == "thousand: attended to by mille 0.92"
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowDown")
    assert said(page) == "un: attends to one 0.88, hyphen 0.06"
    page.keyboard.press("Home")
    page.keyboard.press("ArrowLeft")  # there is no word before the first
    assert said(page).startswith("quatre:")
    page.keyboard.press("Escape")
    assert said(page).startswith("Point at a word")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Play"


def test_map_shows_where_the_focus_is(page_of, example):
    page = page_of(example)
    for _ in range(3):  # a source word, a target word, the play button
        page.keyboard.press("Tab")
        style = page.evaluate(
            "(({outlineStyle: s, outlineWidth: w}) => [s,"
            " w])(getComputedStyle(document.activeElement))"
        )
        assert style == ["solid", "3px"]


def test_map_tells_screen_readers(page_of, example):
    page = page_of(example)
    assert page.get_by_role("group", name="Where did each word look?").count() == 1
    assert (
        page.get_by_role("group", name="output words").get_by_role("button").count()
        == 6
    )
    assert page.get_by_role("button", name="hyphen").count() == 3
    assert page.get_by_role("status").count() == 1


def test_map_follows_the_pointer_and_goes_back(page_of, example):
    page = page_of(example)
    page.get_by_role("button", name="mille").hover()
    assert said(page) == "mille: attends to thousand 0.92, one 0.06"
    numbers = page.locator(".am-source .am-number").all_inner_texts()
    assert numbers == ["0.01", "0.01", "0.06", "0.92"]
    assert page.locator(".am-lines path.am-lit").count() == 4
    page.mouse.move(5, 5)
    assert said(page).startswith("Point at a word")
    assert page.locator(".am-lines path.am-lit").count() == 0


def test_map_keeps_a_tapped_word(page_of, example):
    page = page_of(example, has_touch=True)
    page.get_by_role("button", name="vingt").tap()
    assert said(page).startswith("vingt: attends to eighty 0.85")
    assert page.get_by_role("button", name="vingt", pressed=True).count() == 1
    page.get_by_role("button", name="thousand").tap()
    assert said(page) == "thousand: attended to by mille 0.92"
    assert page.locator("[aria-pressed=true]").count() == 1
    page.get_by_role("button", name="thousand").tap()
    assert said(page).startswith("Point at a word")


def test_map_lines_grow_with_the_weight_and_end_at_their_words(page_of, example):
    page = page_of(example)
    widths = page.locator(".am-lines path").evaluate_all(
        "all => all.map(p => parseFloat(getComputedStyle(p).strokeWidth))"
    )
    assert widths == pytest.approx(1 + 13 * WEIGHTS.ravel())
    middles = page.locator(".am-token").evaluate_all(
        "all => all.map(b => { const r = b.getBoundingClientRect(); return r.x +"
        " r.width / 2; })"
    )
    box = page.locator(".am-lines").bounding_box()
    path = [
        float(number)
        for number in re.findall(
            r"[\d.]+", page.locator(".am-lines path").last.get_attribute("d")
        )
    ]
    assert [box["x"] + path[0], box["x"] + path[-2]] == pytest.approx(
        [middles[-1], middles[3]], abs=1
    )


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_map_plays_through_the_output_words_and_stops(page_of, example, motion):
    page = page_of(example, reduced_motion=motion)
    page.clock.install()
    page.reload()
    page.get_by_role("button", name="Play").click()
    played = []
    for _ in TARGET:
        played.append(said(page).split(":")[0])
        page.clock.run_for(1100)
    assert played == ["quatre", "hyphen", "vingt", "hyphen", "un", "mille"]
    assert said(page).startswith("Point at a word")
    page.get_by_role("button", name="Play").click()
    assert (
        page.locator(".af-say").get_attribute("aria-live") == "off"
    )  # not six announcements in six seconds
    page.get_by_role("button", name="Stop").click()
    assert page.locator(".af-say").get_attribute("aria-live") == "polite"
    page.clock.run_for(5000)
    assert said(page).startswith("Point at a word")
    moves = page.locator(".am-token").first.evaluate(
        "b => getComputedStyle(b).transitionDuration"
    )
    assert (moves.strip("s, 0") == "") == (motion == "reduce")


def test_map_shows_hostile_tokens_as_they_are(page_of):
    size = len(HOSTILE)
    page = page_of(
        attention_map(HOSTILE, HOSTILE[::-1], np.eye(size)[::-1], title=HOSTILE[1])
    )
    expected = [token if token.strip() else "␣" for token in HOSTILE]
    assert (
        page.locator(".am-source .am-token").evaluate_all(
            "all => all.map(b => b.textContent)"
        )
        == expected
    )
    assert (
        page.locator(".am-target .am-token").evaluate_all(
            "all => all.map(b => b.textContent)"
        )
        == expected[::-1]
    )
    assert (
        page.locator(".attn-figure th").evaluate_all(
            "all => all.map(b => b.textContent)"
        )
        == expected + expected[::-1]
    )
    for step in range(size):
        page.keyboard.press("ArrowRight" if step else "Tab")
        assert said(page)
    assert page.evaluate("window.hacked") is None
    assert (
        page.locator(".am-token[aria-label]").count() == 0
    )  # "constructor" is no name that we gave
    assert page.locator("img").count() == 0 and page.locator("script").count() == 2
    assert page.locator(".af-title").text_content() == HOSTILE[1]
    assert page.evaluate("document.documentElement.scrollWidth") <= 760


def test_map_replaces_half_a_surrogate_pair(page_of):
    page = page_of(attention_map(["\ud800"], ["a"], [[1]]))
    page.get_by_role("button", name="a", exact=True).hover()
    assert said(page) == "a: attends to ? 1.00"


def test_map_says_so_where_no_weight_is_large(page_of):
    page = page_of(
        attention_map([str(i) for i in range(40)], ["a", "b"], [[0] * 40, [0.025] * 40])
    )
    page.get_by_role("button", name="a", exact=True).focus()
    assert said(page) == "a: attends to nothing"
    page.get_by_role("button", name="b", exact=True).focus()
    assert said(page) == "b: attends to many words, none of them 0.05 or more"


def test_maps_on_one_page_do_not_disturb_each_other(page_of, example):
    page = page_of(example, attention_map(["one"], ["un"], [[1]]), example)
    boxes = page.locator(".attn-attention_map")
    boxes.nth(2).get_by_role("button", name="mille").focus()
    assert page.locator(".af-say").all_inner_texts()[1:] == [
        "Point at a word, tap it, or use Tab and the arrow keys.",
        "mille: attends to thousand 0.92, one 0.06",
    ]
    boxes.nth(1).get_by_role("button", name="un").focus()
    assert (
        said(page).startswith("Point")
        and "un: attends to one 1.00" in page.locator(".af-say").all_inner_texts()
    )
    assert page.locator(".af-live").count() == 3


def test_map_is_a_table_without_scripts(page_of, example):
    page = page_of(example, java_script_enabled=False)
    assert page.get_by_role("table").is_visible()
    assert page.get_by_role("row").nth(6).inner_text().split() == [
        "mille",
        "0.01",
        "0.01",
        "0.06",
        "0.92",
    ]
    assert page.locator(".af-live").count() == 0
    assert not page.get_by_text("Run this cell").is_visible()


def test_map_table_fits_on_paper(page_of):
    page = page_of(
        attention_map(["hundred"] * 36, ["cent"] * 36, np.eye(36)),
        viewport={"width": 700, "height": 900},
    )
    page.emulate_media(media="print")
    page.get_by_role("table").wait_for()
    assert page.get_by_role("table").bounding_box()["width"] <= 700


def test_map_is_a_table_on_paper(page_of, example):
    page = page_of(example, color_scheme="dark")
    assert not page.get_by_role("table").is_visible()
    page.emulate_media(media="print")
    page.get_by_role("table").wait_for()
    assert not page.locator(".af-live").is_visible()
    assert (
        page.locator(".attn-attention_map").evaluate(
            "map => getComputedStyle(map).backgroundColor"
        )
        == "rgb(251, 250, 246)"
    )
    page.emulate_media(media="screen")
    page.get_by_role("table").wait_for(state="hidden")
    assert page.locator(".af-live").is_visible()


LIGHT, DARK = "rgb(251, 250, 246)", "rgb(28, 33, 40)"


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
def test_map_follows_the_pages_theme_and_else_the_systems(
    page_of, example, root, body, system, expected
):
    page = page_of(example, root=root, body=body, color_scheme=system)
    assert (
        page.locator(".attn-attention_map").evaluate(
            "map => getComputedStyle(map).backgroundColor"
        )
        == expected
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_map_has_no_accessibility_violation(page_of, example, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    dates = attention_map(
        list("5 May, 2024"), list("2024-05-05"), np.linspace(0, 1, 110).reshape(10, 11)
    )  # all shades
    narrow = {"width": 360, "height": 640}  # so that the table scrolls
    page = page_of(
        example, dates, color_scheme=scheme, reduced_motion="reduce", viewport=narrow
    )
    for step in ("at rest", "chosen", "with its table"):
        if step == "chosen":
            page.get_by_role("button", name="mille").click()
        if step == "with its table":
            page.get_by_text("The weights as a table").nth(1).click()
        found = [
            (violation["id"], node["html"], node["failureSummary"])
            for violation in axe.run(page).response["violations"]
            for node in violation["nodes"]
            if violation["id"]
            != "page-has-heading-one"  # the page around a map has that
        ]
        assert found == [], step


def test_map_scrolls_inside_its_box_on_a_narrow_page(page_of, example):
    page = page_of(
        example,
        attention_map(["hundred"] * 30, ["cent"] * 30, np.eye(30)),
        viewport={"width": 360, "height": 640},
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    first, long = page.locator(".am-stage").evaluate_all(
        "all => all.map(s => s.scrollWidth - s.clientWidth)"
    )
    assert first <= 0 < long
    page.locator(".attn-attention_map").nth(1).get_by_role(
        "button", name="cent"
    ).first.focus()
    page.keyboard.press("End")
    last = page.locator(".am-target").nth(1).locator(".am-token").last.bounding_box()
    assert 0 <= last["x"] and last["x"] + last["width"] <= 360
