"""The attention map: what it takes, and how its reader can use it."""

import re
import time
from html.parser import HTMLParser
from typing import NamedTuple

import numpy as np
import pytest
from conftest import violations
from figures import open_figures

from attnlib.interactive import attention_map, frame
from attnlib.interactive.attention_map import AttentionMap

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


class Translation(NamedTuple):
    """What ``translate`` returns, without TensorFlow."""

    tokens: list
    weights: np.ndarray | None


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
        <= 44_000
    )
    assert len(str(attention_map(SOURCE, TARGET, WEIGHTS)).encode()) <= 24_000


def test_attention_map_keeps_what_is_shown_and_short():
    weights = np.array([[1 / 3, 0.9, 0.05, 0.004, 0]], "float32")
    data = attention_map(list("abcde"), ["x"], weights).data
    assert data["weights"] == [[[0, 0.3333333], [1, 0.9], [2, 0.05]]]
    # Seven decimals of these would be 0.05, 0.01, and 0.005.
    close = [0.05 - 1e-9, 0.01 - 1e-9, 0.005 - 1e-9, 0.125 - 1e-9, 0.125 + 1e-9]
    data = attention_map(list("abcde"), ["x"], [close]).data
    assert [weight for _, weight in data["weights"][0]] == [*close[:2], *close[3:]]


@pytest.mark.parametrize("form", [list, np.array, lambda x: np.array(x, "float16")])
def test_attention_map_takes_weights_of_every_form(form):
    data = attention_map(["a", "b"], ["c"], form([[0.25, 0.75]])).data
    assert data["weights"] == [[[0, 0.25], [1, 0.75]]]


@pytest.mark.parametrize(
    ("target", "weights", "error", "message"),
    [
        (
            TARGET,
            np.vstack([WEIGHTS, WEIGHTS[:1]]),
            ValueError,
            r"got \(7, 4\): if the last row is that of <end>, call"
            r" attention_map\(source, target, weights\[:-1\]\)"
            r" or attention_map\(source, \[\*target, '<end>'\], weights\)$",
        ),
        (
            TARGET,
            Translation(TARGET, np.vstack([WEIGHTS, WEIGHTS[:1]])),
            TypeError,
            r"weights should be an array, got Translation: call"
            r" attention_map\(source, t.tokens, t.weights\[:len\(t.tokens\)\]\)$",
        ),
        (
            TARGET,
            Translation(TARGET, None),
            TypeError,
            "weights should be an array, got Translation",
        ),
        (
            TARGET,
            WEIGHTS.T,
            ValueError,
            r"got \(4, 6\): if the rows belong to the source, call"
            r" attention_map\(source, target, weights.T\)$",
        ),
        (
            TARGET,
            WEIGHTS[None],
            ValueError,
            r"got \(1, 6, 4\): for the first of several .* weights\[0\]\)$",
        ),
        (
            TARGET,
            np.pad(WEIGHTS, ((0, 3), (0, 2))),
            ValueError,
            r"got \(9, 6\): if the rest is padding, call attention_map\(source, target,"
            r" weights\[:len\(target\), :len\(source\)\]\)$",
        ),
        (
            TARGET,
            [[0.5, 0.5], [1.0]],
            ValueError,
            "one number per source token in each row, got rows of different lengths",
        ),
        (TARGET, WEIGHTS[:5], ValueError, r"\(6, 4\), got \(5, 4\)$"),
    ],
)
def test_attention_map_says_which_call_works(target, weights, error, message):
    with pytest.raises(error, match=message):
        attention_map(SOURCE, target, weights)


def test_attention_map_takes_the_calls_of_its_messages():
    source, target = SOURCE, TARGET
    t = Translation(TARGET, np.vstack([WEIGHTS, np.full((1, 4), 0.25)]))
    for tokens, weights in (
        (t.tokens, t.weights),
        (target, np.pad(WEIGHTS, 1)[1:, 1:]),
    ):
        with pytest.raises(ValueError, match="call attention_map") as refusal:
            attention_map(source, tokens, weights)
        calls = re.findall(
            r"attention_map\((?:[^()]|\([^()]*\))*\)", str(refusal.value)
        )
        assert calls
        for call in calls:
            assert isinstance(eval(call, globals() | locals()), AttentionMap)


@pytest.mark.parametrize(
    ("token", "shown", "said"),
    [
        (" ", "␣", "space"),
        ("   ", "␣␣␣", "3 times space"),
        ("\t", "⇥", "tab"),
        ("\n", "↵", "line end"),
        ("\r\n", "U+000D↵", "carriage return, line end"),
        ("", "∅", "empty token"),
        ("\xa0", "⍽", "no-break space"),
        ("\u3000", "␣", "ideographic space"),
        ("\u200b", "U+200B", "zero width space"),
        ("\u200d\u200d", "U+200DU+200D", "2 times zero width joiner"),
        ("\ufeff", "U+FEFF", "zero width no-break space"),
        ("\u00ad", "U+00AD", "soft hyphen"),
        ("\ufe0f", "U+FE0F", "variation selector-16"),
        ("\u3164", "U+3164", "hangul filler"),
        ("\0", "U+0000", "character U+0000"),
        ("\x85", "U+0085", "character U+0085"),
        ("\ue000", "U+E000", "character U+E000"),
        ("\u0301", "◌\u0301", "combining acute accent"),
        (" hello", "␣hello", "space hello"),
        ("a\tb\n", "a⇥b↵", "a tab b line end"),
        (".", ".", "full stop"),
        ("!", "!", "exclamation mark"),
        ("…", "…", "horizontal ellipsis"),
        ("/", "/", "slash"),
        ("a b", "a b", "a b"),
        ("don't", "don't", "don't"),
        ("🙂", "🙂", "🙂"),
        ("constructor", "constructor", "constructor"),
    ],
)
def test_tokens_have_a_visible_and_a_spoken_form(token, shown, said):
    assert (frame.visible(token), frame.spoken(token)) == (shown, said)
    assert shown.strip() and said.strip()
    data = attention_map([token], [token], [[1]]).data
    assert data["source"]["tokens"] == data["target"]["tokens"] == [shown]
    assert data["source"]["names"] == ({} if said == token else {0: said})


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        (["مرحبا", "world"], "rtl"),
        (["2024", "-", "שלום"], "rtl"),
        (["world", "مرحبا"], "ltr"),
        (["2024"], "ltr"),
        ([""], "ltr"),
        (["漢字"], "ltr"),
    ],
)
def test_direction_is_that_of_the_first_letter(tokens, expected):
    assert frame.direction(tokens) == expected


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
    assert said(page) == (
        "eighty: attended to by quatre 0.90, vingt 0.85, hyphen (1st of 2) 0.62"
    )
    page.keyboard.press("Tab")  # one tab stop a row
    assert said(page) == "quatre: attends to eighty 0.90, hyphen 0.06"
    page.keyboard.press("ArrowRight")
    assert (
        said(page) == "hyphen (1st of 2): attends to eighty 0.62, hyphen 0.30, one 0.05"
    )
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
    hyphens = "hyphen (1st of 2)", "hyphen (2nd of 2)"
    assert played == ["quatre", hyphens[0], "vingt", hyphens[1], "un", "mille"]
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
    expected = [frame.visible(token) for token in HOSTILE]
    assert set(expected) - set(HOSTILE) == {"␣"}
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
    # "constructor" is no name that we gave.
    assert page.locator(".am-token[aria-label]").evaluate_all(
        "all => all.map(b => b.ariaLabel)"
    ) == ["line separator", "backslash", "backslash", "line separator"]
    assert page.locator("img").count() == 0 and page.locator("script").count() == 2
    assert page.locator(".af-title").text_content() == HOSTILE[1]
    assert page.evaluate("document.documentElement.scrollWidth") <= 760


def test_map_replaces_half_a_surrogate_pair(page_of):
    page = page_of(attention_map(["\ud800"], ["a"], [[1]]))
    page.get_by_role("button", name="a", exact=True).hover()
    assert said(page) == "a: attends to question mark 1.00"


def test_map_says_so_where_no_weight_is_large(page_of):
    page = page_of(
        attention_map([str(i) for i in range(40)], ["a", "b"], [[0] * 40, [0.025] * 40])
    )
    page.get_by_role("button", name="a", exact=True).focus()
    assert said(page) == "a: attends to nothing"
    page.get_by_role("button", name="b", exact=True).focus()
    assert said(page) == "b: attends to many words, none of them 0.05 or more"


LARGE_ROWS = {
    "nothing": [0] * 2000,
    "one word, with a weight below 0.05": [0.0004, *[0] * 1999],
    "3 words, none of them 0.05 or more": [0.0004, 0.049, 1e-9, *[0] * 1997],
    "many words, none of them 0.05 or more": [1 / 2000] * 2000,
    "s7 0.05": [*[0.0001] * 7, 0.05, *[0.0001] * 1992],
    "s1999 0.13": [*[0.0001] * 1999, 0.1251],
    "s1 0.30, s0 0.30, s2 0.05": [0.29996, 0.29997, 0.05, *[0.0001] * 1997],
    "4 words, none of them 0.05 or more": [*[0.0499999999] * 4, *[0] * 1996],
}


def test_map_says_what_follows_from_the_unrounded_weights(page_of):
    source = [f"s{i}" for i in range(2000)]
    target = [f"t{i}" for i in range(len(LARGE_ROWS))]
    page = page_of(attention_map(source, target, list(LARGE_ROWS.values())))
    for name, expected in zip(target, LARGE_ROWS, strict=True):
        page.get_by_role("button", name=name, exact=True).focus()
        assert said(page) == f"{name}: attends to {expected}"
    # From the other side, and to the largest weight, however small.
    page.get_by_role("button", name="s5", exact=True).focus()
    assert said(page) == "s5: attended to by 4 words, none of them 0.05 or more"
    page.get_by_role("button", name="t3", exact=True).focus()
    page.keyboard.press("ArrowLeft")  # so many words stand upright
    assert said(page) == "s0: attended to by t6 0.30"


def test_map_of_2000_by_2000_tokens_is_usable(page_of):
    near = np.exp(-np.abs(np.arange(2000)[:, None] - np.arange(2000)))
    weights = near / near.sum(1, keepdims=True)
    tokens = [f"w{i}" for i in range(2000)]
    figure = attention_map(tokens, tokens, weights)
    assert len(str(figure)) < 2_000_000
    start = time.perf_counter()
    page = page_of(figure)
    opening = time.perf_counter() - start
    assert 0 < page.locator(".am-lines path").count() <= 2000
    target = page.get_by_role("group", name="output words")
    start = time.perf_counter()
    target.get_by_role("button", name="w1000", exact=True).focus()
    assert said(page) == "w1000: attends to w1000 0.46, w999 0.17, w1001 0.17"
    page.keyboard.press("ArrowDown")
    assert said(page).startswith("w1001: attends to w1001 0.46")
    page.keyboard.press("ArrowLeft")
    assert said(page).startswith("w1001: attended to by w1001 0.46")
    assert time.perf_counter() - start < 5 * opening  # it was more for each
    assert page.locator(".am-lines path.am-lit").count() == 7  # those of 0.01 or more
    assert page.get_by_role("row").count() == 0  # folded
    page.get_by_text("The weights as a table").click()
    assert page.get_by_role("row").nth(1000).inner_text().split() == (
        "w1000 w1000 0.46, w999 0.17, w1001 0.17".split()
    )


def test_map_of_many_equal_weights_draws_a_bounded_number_of_lines(page_of):
    tokens = [f"w{i}" for i in range(90)]
    page = page_of(attention_map(tokens, tokens, np.full((90, 90), 1 / 90)))
    assert page.locator(".am-lines path").count() <= 2000
    page.get_by_role("button", name="w7", exact=True).first.focus()
    assert page.locator(".am-lines path.am-lit").count() == 90


def test_map_speaks_and_shows_white_space(page_of):
    tokens = ["\t", "\n", "", "\xa0", "\u200b"]
    page = page_of(attention_map(tokens, ["a", "\n"], np.full((2, 5), 0.2)))
    names = ["tab", "line end", "empty token", "no-break space", "zero width space"]
    buttons = page.get_by_role("group", name="input characters").get_by_role("button")
    for index, name in enumerate(names):
        assert buttons.nth(index).get_attribute("aria-label") == name
        assert buttons.nth(index).inner_text() == frame.visible(tokens[index])
        assert page.get_by_role("button", name=name, exact=True).count() >= 1
    page.get_by_role("button", name="a", exact=True).focus()
    assert said(page) == "a: attends to tab 0.20, line end 0.20, empty token 0.20"
    page.keyboard.press("ArrowRight")
    assert said(page).startswith("line end: attends to tab 0.20")


ARABIC = ["أنا", "أحب", "القراءة", "كثيرا"]


def test_map_sets_arabic_and_hebrew_from_right_to_left(page_of):
    weights = np.eye(4) * 0.9 + 0.02
    hebrew = ["אני", "אוהב", "לקרוא", "הרבה"]
    page = page_of(
        attention_map(ARABIC, "I love reading much".split(), weights),
        attention_map("I love reading much".split(), hebrew, weights),
    )

    def xs(selector):
        return page.locator(selector).evaluate_all(
            "all => all.map(b => b.getBoundingClientRect().x)"
        )

    first, second = (f".attn-attention_map:nth-of-type({n})" for n in (1, 2))
    assert xs(f"{first} .am-source .am-token") == sorted(
        xs(f"{first} .am-source .am-token"), reverse=True
    )
    assert xs(f"{first} .am-target .am-token") == sorted(
        xs(f"{first} .am-target .am-token")
    )
    assert xs(f"{second} .am-target .am-token") == sorted(
        xs(f"{second} .am-target .am-token"), reverse=True
    )
    # The arrows go where they point.
    page.keyboard.press("Tab")
    assert said(page).startswith("أنا: attended to by I 0.92")
    page.keyboard.press("ArrowLeft")
    assert said(page).startswith("أحب: attended to by love 0.92")
    page.keyboard.press("ArrowRight")
    assert said(page).startswith("أنا:")
    page.keyboard.press("End")
    assert said(page).startswith("كثيرا:")
    # Lines end at their words there too.
    middles = [
        box["x"] + box["width"] / 2
        for box in page.locator(f"{first} .am-source .am-token").evaluate_all(
            "all => all.map(b => b.getBoundingClientRect().toJSON())"
        )
    ]
    left = page.locator(".am-lines").first.bounding_box()["x"]
    ends = page.locator(f"{first} .am-lines g:first-child path").evaluate_all(
        "all => all.map(p => p.getPointAtLength(p.getTotalLength()).x)"
    )
    assert [left + end for end in ends[:4]] == pytest.approx(middles, abs=1)


def test_map_of_a_long_arabic_text_begins_at_its_right_end(page_of):
    page = page_of(attention_map(ARABIC * 30, ARABIC * 30, np.eye(120)))
    first = page.locator(".am-target .am-token").first.bounding_box()
    assert 0 <= first["x"] and first["x"] + first["width"] <= 760
    assert page.locator("table").get_attribute("dir") == "rtl"


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
        # The page around a map has a heading.
        assert violations(page, {"page-has-heading-one"}) == [], step


# How the map stands.

ENDS = """map => {
  const box = map.getBoundingClientRect();
  const picture = map.querySelector(".am-lines"), lines = picture.firstElementChild;
  const {x, y} = picture.getBoundingClientRect();
  const inside = [...lines.children].every(path =>
    [0, path.getTotalLength()].every(at => {
      const end = path.getPointAtLength(at);
      return x + end.x >= box.left && x + end.x <= box.right
        && y + end.y >= box.top && y + end.y <= box.bottom;
    }));
  const {left, right} = map.querySelector(".am-source").getBoundingClientRect();
  const other = map.querySelector(".am-target").getBoundingClientRect();
  const boxes = [map, ...map.querySelectorAll(".am-stage, .am-board, .am-foot")];
  const wide = boxes.filter(e => e.scrollWidth > e.clientWidth);
  return {
    inside,
    upright: right <= other.left,
    level: Math.abs(left - other.left) < 3,
    wide: wide.map(e => e.className),
  };
}"""


def date_map():
    source, target = list("Tuesday, March 5, 2024"), list("2024-03-05")
    rng = np.random.default_rng(0)
    weights = rng.dirichlet(np.full(len(source), 0.1), len(target))
    return attention_map(source, target, weights, gold=[(0, 18), (4, 7), (9, 15)])


@pytest.mark.parametrize(("width", "upright"), [(320, True), (360, True), (720, False)])
def test_map_shows_both_ends_of_every_line(page_of, width, upright):
    """720 px are what a page of the book gives to a figure."""
    page = page_of(date_map(), viewport={"width": width, "height": 640})
    map_ = page.locator(".attn-attention_map")
    expected = {"inside": True, "upright": upright, "level": not upright, "wide": []}
    assert map_.evaluate(ENDS) == expected
    page.set_viewport_size({"width": 1080 - width, "height": 640})  # and turned around
    turned = 1080 - width < 700
    page.wait_for_function(
        "upright => upright === !!document.querySelector('.am-upright')", arg=turned
    )
    assert map_.evaluate(ENDS)["inside"] and map_.evaluate(ENDS)["wide"] == []
    for box in map_.get_by_role("button").all():
        size = box.bounding_box()
        assert min(size["width"], size["height"]) >= 24


@pytest.mark.parametrize("form", ["upright", "level"])
def test_map_lines_lead_from_word_to_word_in_either_form(page_of, form):
    width = {"upright": 360, "level": 720}[form]
    page = page_of(date_map(), viewport={"width": width, "height": 900})
    page.get_by_role("button", name="hyphen (1st of 2)").focus()
    axis = {"upright": "y", "level": "x"}[form]
    ends = page.locator("path.am-lit").evaluate_all(
        """(paths, axis) => paths.map(path => {
          const origin = path.ownerSVGElement.getBoundingClientRect()[axis];
          return [0, path.getTotalLength()].map(
            at => Math.round(origin + path.getPointAtLength(at)[axis]));
        })""",
        axis,
    )
    middles = page.locator(".am-chosen .am-token, .am-lit .am-token").evaluate_all(
        """(all, axis) => all.map(e => {
          const box = e.getBoundingClientRect();
          const size = axis === "x" ? box.width : box.height;
          return Math.round(box[axis] + size / 2);
        })""",
        axis,
    )
    *lit, chosen = middles
    assert {start for start, _ in ends} <= {chosen - 1, chosen, chosen + 1}
    assert lit and all(min(abs(m - end) for _, end in ends) <= 1 for m in lit)


def test_upright_map_is_used_with_the_arrows_that_point_along_it(page_of):
    page = page_of(date_map(), viewport={"width": 360, "height": 900})
    page.keyboard.press("Tab")
    assert said(page).startswith("T: ")
    page.keyboard.press("ArrowDown")
    assert said(page).startswith("u: ")
    page.keyboard.press("End")
    assert said(page).startswith("4: attended to by ")
    page.keyboard.press("ArrowUp")
    assert said(page).startswith("2 (2nd of 2): attended to by ")
    page.keyboard.press("ArrowRight")
    assert ": attends to " in said(page)
    page.keyboard.press("ArrowLeft")
    assert ": attended to by " in said(page)


def test_map_of_many_words_plays_where_both_ends_can_be_seen(page_of):
    tokens = [f"w{i}" for i in range(60)]
    page = page_of(attention_map(tokens, tokens, np.eye(60)[::-1]))
    page.clock.install()
    page.reload()
    stage = page.locator(".am-stage")
    assert stage.evaluate("e => e.scrollHeight > e.clientHeight")
    page.get_by_role("button", name="Play").click()
    page.clock.run_for(700 * 30 + 50)
    box = stage.bounding_box()
    for side in ("source .am-lit .am-token", "target .am-chosen .am-token"):
        word = page.locator(f".am-{side}").bounding_box()
        assert box["y"] <= word["y"] <= box["y"] + box["height"]


# Words that occur again, and gold links.


def test_map_names_equal_words_apart(page_of):
    """In buttons, in what is said, and in the table."""
    page = page_of(attention_map(list("2024"), list("22"), np.eye(2, 4)))
    for side, names in {
        "input": ["2 (1st of 2)", "0", "2 (2nd of 2)", "4"],
        "output": ["2 (1st of 2)", "2 (2nd of 2)"],
    }.items():
        group = page.get_by_role("group", name=f"{side} characters")
        found = group.get_by_role("button").evaluate_all(
            "all => all.map(e => e.ariaLabel ?? e.textContent)"
        )
        assert found == names
    page.get_by_role("button", name="2 (1st of 2)").last.focus()
    assert said(page) == "2 (1st of 2): attends to 2 (1st of 2) 1.00"
    page.get_by_text("The weights as a table").click()
    for name in ("2 (1st of 2)", "2 (2nd of 2)"):
        assert page.get_by_role("columnheader", name=name, exact=True).count() == 1
        assert page.get_by_role("rowheader", name=name, exact=True).count() == 1


def test_equal_words_are_counted_as_in_english():
    names = frame.distinct_names(["a"] * 23 + ["-", "hyphen", "b"])
    assert [names[i].split()[1] for i in (0, 1, 2, 3, 10, 11, 12, 20, 21, 22)] == (
        "(1st (2nd (3rd (4th (11th (12th (13th (21st (22nd (23rd".split()
    )
    assert names[-3:] == ["hyphen (1st of 2)", "hyphen (2nd of 2)", "b"]


def test_map_shows_gold_links_where_they_are_switched_on(page_of):
    page = page_of(date_map())
    links = page.locator(".am-gold path")
    assert links.count() == 3 and not links.first.is_visible()
    group = page.get_by_role("group", name="output characters")
    word = group.get_by_role("button").first
    word.focus()
    assert "Gold" not in said(page)
    switch = page.get_by_role("button", name="Gold links", exact=True)
    switch.click()
    assert links.first.is_visible() and links.last.is_visible()
    assert page.get_by_role("button", name="Gold links", pressed=True).count() == 1
    word.focus()
    assert said(page).endswith(". Gold: 2 (1st of 2)")
    assert page.locator(".am-gold path.am-lit").count() == 1
    switch.press("Enter")
    assert not links.first.is_visible()
    page.get_by_text("The weights as a table").click()
    starred = page.locator("td").filter(has_text="*")
    assert starred.count() == 3
    assert "Gold links are marked with a star" in page.locator("caption").inner_text()


def test_map_moves_nothing_between_press_and_release(page_of):
    """A press on a button takes the focus from a word, whose text then goes."""
    page = page_of(date_map(), viewport={"width": 320, "height": 900})
    page.get_by_role("button", name="Gold links").click()
    page.keyboard.press("Shift+Tab")
    assert "Gold: " in said(page)
    targets = page.locator(".am-foot button, summary")
    places = [target.bounding_box() for target in targets.all()]
    page.mouse.move(places[0]["x"] + 9, places[0]["y"] + 3)
    page.mouse.down()
    assert said(page).startswith("Point at a character, tap it")
    assert [target.bounding_box() for target in targets.all()] == places
    page.mouse.up()
    assert page.get_by_role("button", name="Gold links", pressed=False).count() == 1


def test_map_without_gold_links_has_no_switch(page_of, example):
    page = page_of(example)
    assert page.get_by_role("button", name="Gold links").count() == 0
    assert "*" not in page.locator("table").text_content()


# Several models.

ROUND = np.array([[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]])


def switched():
    """Three models: one with windows, one whose output is longer than the others'."""
    models = {
        "global": (TARGET, WEIGHTS),
        "local-p": (["quatre", "mille"], ROUND),
        "long": ([*TARGET, "!"], np.vstack([WEIGHTS, WEIGHTS[:1]])),
    }
    windows = {"local-p": ([0.25, 3.6], 1)}
    gold = {"global": [(0, 0)], "local-p": [(1, 3)]}
    return attention_map(SOURCE, models, title="Two", gold=gold, windows=windows)


def outputs(page):
    """The words of the output that can be seen."""
    row = page.get_by_role("group", name="output words")
    return row.get_by_role("button").all_inner_texts()


def test_switch_shows_one_model_in_the_same_place(page_of):
    page = page_of(switched())
    below = page.locator("summary")
    place = below.bounding_box()
    assert outputs(page) == TARGET
    for name, target in (("local-p", ["quatre", "mille"]), ("long", [*TARGET, "!"])):
        page.get_by_role("radio", name=name, exact=True).check()
        assert outputs(page) == target
        assert below.bounding_box() == place
    assert page.get_by_role("group", name="input words").count() == 1


def test_switch_works_with_the_keyboard_and_has_names(page_of):
    page = page_of(switched(), attention_map(SOURCE, {"a": (TARGET, WEIGHTS)}))
    models = page.get_by_role("group", name="Model").first
    names = models.get_by_role("radio")
    assert names.count() == 3
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    local = models.get_by_role("radio", name="local-p", exact=True)
    assert local.is_checked() and page.get_by_role("radio", checked=True).count() == 2
    assert outputs(page)[:2] == ["quatre", "mille"]
    page.keyboard.press("Tab")
    assert said(page) == "eighty: attended to by quatre 0.50"
    page.keyboard.press("Tab")
    page.keyboard.press("End")
    assert said(page).startswith("mille: attends to one 0.50, thousand 0.50")


def test_switch_keeps_the_chosen_word(page_of):
    page = page_of(switched())
    page.get_by_role("button", name="hyphen (1st of 2)").click()
    local = page.get_by_role("radio", name="local-p", exact=True)
    local.check()
    assert said(page) == (
        "mille: attends to one 0.50, thousand 0.50."
        " Window: positions 2 to 3, center 3.6"
    )
    page.get_by_role("radio", name="global", exact=True).check()
    assert said(page).startswith("hyphen (1st of 2): attends to eighty 0.62")
    page.get_by_role("button", name="mille").click()
    local.check()  # which has no sixth word
    assert said(page).startswith("Point at a word")


def test_switch_stops_the_player_which_then_plays_the_new_model(page_of):
    page = page_of(switched())
    page.clock.install()
    page.reload()
    page.get_by_role("button", name="Play").click()
    page.get_by_role("radio", name="local-p", exact=True).check()
    assert page.get_by_role("button", name="Stop").count() == 0
    page.get_by_role("button", name="Play").click()
    assert said(page).startswith("quatre: attends to eighty 0.50")
    page.clock.run_for(1100)
    assert said(page).startswith("mille:")
    page.clock.run_for(1100)
    assert said(page).startswith("Point at a word")


@pytest.mark.parametrize("width", [1000, 360])
def test_window_lies_along_its_words(page_of, width):
    letters = list("abcdefghijklmnopqrst" if width < 1000 else "abcd")
    size = len(letters)
    centers = [0.25, size - 0.5, 2.0]  # the last window holds all
    windows = {"local-p": (centers, 1), "wide": (centers, 100)}
    models = {name: (list("xyz"), np.eye(3, size)) for name in windows}
    page = page_of(
        attention_map(letters, models, windows=windows),
        viewport={"width": width, "height": 900},
    )
    page.get_by_role("button", name="y", exact=True).focus()
    size_of, start = ("height", "y") if width < 1000 else ("width", "x")
    words = [
        word.bounding_box()
        for word in page.locator(".am-board:not(.am-hidden) .am-source button").all()
    ]
    bar = page.locator(".am-board:not(.am-hidden) .am-bar")
    shown = bar.evaluate(
        "e => (({x, y, width, height}) => ({x, y, width, height}))"
        "(e.getBoundingClientRect())"
    )
    first, last = words[-2], words[-1]
    assert shown[start] == pytest.approx(first[start], abs=3)
    end = last[start] + last[size_of]
    assert shown[start] + shown[size_of] == pytest.approx(end, abs=3)
    center = page.locator(".am-board:not(.am-hidden) .am-center").bounding_box()
    step = last[start] - first[start]
    middle = last[start] + last[size_of] / 2 + step / 2
    assert center[start] + center[size_of] / 2 == pytest.approx(middle, abs=3)
    page.get_by_role("button", name="a", exact=True).focus()
    assert not bar.is_visible()


def test_switched_map_is_a_table_of_each_model_without_scripts(page_of):
    page = page_of(switched(), java_script_enabled=False)
    captions = page.locator("caption").all_inner_texts()
    assert [caption.split(":")[0] for caption in captions] == [
        *("global", "local-p", "long"),
    ]
    assert "Gold links are marked" in captions[1] and "window" in captions[1]
    row = page.get_by_role("table").nth(1).get_by_role("row").nth(2)
    cells = row.get_by_role("cell").all_inner_texts()
    assert cells == ["", "", "0.50", "0.50*", "2\u20133, center 3.6"]
    page.emulate_media(media="print")
    assert page.get_by_role("table").last.is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_switched_map_has_no_accessibility_violation(page_of, scheme):
    narrow = {"width": 360, "height": 640}
    page = page_of(
        switched(), color_scheme=scheme, reduced_motion="reduce", viewport=narrow
    )
    page.get_by_role("radio", name="local-p", exact=True).check()
    page.get_by_role("button", name="mille").click()
    page.get_by_text("The weights as a table").click()
    assert violations(page, {"page-has-heading-one"}) == []
    for radio in page.locator(".am-models label").all():
        assert radio.bounding_box()["height"] >= 24
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 360


def test_map_of_several_models_says_which():
    assert repr(switched()) == "AttentionMap('global', 'local-p', 'long')"
    data = attention_map(SOURCE, {"a": (TARGET, WEIGHTS)}, gold=[(5, 3)]).data
    assert data["models"][0]["gold"] == [[5, 3]]
    single = attention_map(SOURCE, TARGET, WEIGHTS, windows=([-9.5, 1, 2, 3, 3, 4], 2))
    assert single.data["windows"][0] == [-9.5, 0, -8]  # nothing is in it
    assert single.data["windows"][5] == [4.0, 2, 3]


PAIR = TARGET, WEIGHTS


@pytest.mark.parametrize(
    ("models", "options", "error", "message"),
    [
        ({}, {}, ValueError, "target should have 1 to 6 models, got 0"),
        (
            dict.fromkeys("abcdefg", PAIR),
            {},
            ValueError,
            "target should have 1 to 6 models, got 7",
        ),
        ({"a": PAIR}, {"weights": WEIGHTS}, TypeError, "beside the target of each"),
        ({1: PAIR}, {}, TypeError, "a model's name should be a str, got 1"),
        ({" ": PAIR}, {}, TypeError, "a model's name should be a str, got ' '"),
        ({"a": WEIGHTS}, {}, TypeError, r"of the model 'a', there should be \(target,"),
        (
            {"a": PAIR, "b": (TARGET, WEIGHTS.T)},
            {},
            ValueError,
            "of the model 'b', weights should have shape",
        ),
        (
            {"a": PAIR},
            {"gold": {"b": []}},
            ValueError,
            "a model of gold should be one of 'a', got 'b'",
        ),
        (
            {"a": PAIR},
            {"gold": [(9, 9)]},
            ValueError,
            "of the model 'a', gold should hold links",
        ),
        (
            {"a": PAIR},
            {"windows": ([1.0] * 6, 2)},
            TypeError,
            r"windows should be a dict, as in \{'local-p': \(centers, half_width\)\}",
        ),
        (
            {"a": PAIR},
            {"windows": {"a": ([1.0] * 5, 2)}},
            ValueError,
            r"of the model 'a', centers of windows should have shape",
        ),
        (
            {"a": PAIR},
            {"windows": {"a": ([np.nan] * 6, 2)}},
            ValueError,
            "of the model 'a', centers of windows should be finite",
        ),
        (
            {"a": PAIR},
            {"windows": {"a": ([1.0] * 6, 0)}},
            ValueError,
            "of the model 'a', half_width of windows should be",
        ),
        (
            {"a": PAIR},
            {"windows": {"a": 3}},
            TypeError,
            r"of the model 'a', windows should be \(centers, half_width\), got int",
        ),
    ],
)
def test_attention_map_refuses_models(models, options, error, message):
    with pytest.raises(error, match=message):
        attention_map(SOURCE, models, **options)


# Gold links.


@pytest.mark.parametrize(
    ("gold", "error", "message"),
    [
        ([(6, 0)], ValueError, r"6 target and 4 source tokens, .* got \(6, 0\)"),
        ([(0, -1)], ValueError, r"counted from 0, got \(0, -1\)"),
        ([(0.5, 1)], TypeError, r"pairs \(target_index, source_index\) .* \(0.5, 1\)"),
        ([3], TypeError, "of integers, got 3"),
        (["ab"], TypeError, "of integers, got 'ab'"),
        ([(1, 2, 3)], TypeError, r"of integers, got \(1, 2, 3\)"),
    ],
)
def test_attention_map_refuses_gold_links_that_lead_nowhere(gold, error, message):
    with pytest.raises(error, match=message):
        attention_map(SOURCE, TARGET, WEIGHTS, gold=gold)


def test_attention_map_takes_gold_links_as_any_set_of_pairs():
    pairs = {(np.int64(5), 3), (0, 0)}
    data = attention_map(SOURCE, TARGET, WEIGHTS, gold=pairs).data
    assert data["gold"] == [[0, 0], [5, 3]]
    assert "gold" not in attention_map(SOURCE, TARGET, WEIGHTS, gold=[]).data
