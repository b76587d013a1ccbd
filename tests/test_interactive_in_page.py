"""Figures that a page draws from data: the same as the stored ones, and only from data
that makes sense.
"""

import copy
import json
import os
import shutil

import numpy as np
import pytest
from conftest import ROOT, serve, violations
from figures import HOSTILE, day, party
from test_head_maps import GOLD, StandIn
from test_run_in_page import SOFTMAX, Cell

from attnlib import reference
from attnlib.interactive import (
    attention_map,
    cueing,
    decoder_step,
    frame,
    head_maps,
    heads,
    kv_cache,
    online_softmax,
    own_words,
    sink_window,
    weights,
    window,
)
from attnlib.interactive.heads import head_numbers
from attnlib.interactive.own_words import word_scores
from attnlib.numpy_classifier import Classifier
from attnlib.numpy_translators import Translator
from attnlib.tables import Table, mark_errors
from tools import engine

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Figures</title>
<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">
<body><main><div id="stored"></div><div id="drawn"></div></main>
<script type="module" src="host.js"></script></body></html>"""
HOST = """import { drawFigure } from "./figures.js?v=1";
window.drawFigure = drawFigure;
const text = await (await fetch("stored.html")).text();
document.getElementById("stored").append(
  document.createRange().createContextualFragment(text));
document.body.dataset.ready = "";
"""


def dates():
    source, target = list("March 5, 2024"), list("2024-03-05")
    rng = np.random.default_rng(0)
    weights = rng.dirichlet(np.full(len(source), 0.1), len(target))
    links = [(0, 9), (9, 6)]
    return attention_map(source, target, weights, title="A date", gold=links)


def from_right_to_left():
    return attention_map(["أنا", "أحب", "أحب"], ["I", " "], np.eye(2, 3))


def steps():
    return decoder_step(Translator.load("dates"), "March 5, 2024")


def sentence():
    return own_words(Classifier.load(), "Not the best zyzzyva!")


def by_head():
    return head_maps(StandIn(), "March 5, 2024", gold=GOLD)


def one_head():
    return heads("the dog saw <b>the</b> cat", "the same word", 1, causal=True)


def cache():
    tokens = ["the", "cat", "the", "<b>dog</b>"]
    return kv_cache(tokens, 3, 6, 2, window=2, sinks=1)


def blocks():
    return online_softmax([1, -np.inf, 2.5], [3, 2, -1.5], block_size=2)


def stack():
    return sink_window(12, 3, 4, 1, position=9)


def hostile_cache():
    return kv_cache(HOSTILE, title=HOSTILE[1])


def hostile_map():
    count = len(HOSTILE)
    return attention_map(HOSTILE, HOSTILE, np.eye(count), title=HOSTILE[0])


def hostile_weights():
    scores, mask = np.zeros(len(HOSTILE)), np.arange(len(HOSTILE)) != 1
    return weights(HOSTILE, scores, 0.5, mask, title=HOSTILE[2])


def hostile_window():
    return window(HOSTILE, -np.ones(len(HOSTILE)), 2, 3, 1, title=HOSTILE[3])


MAKERS = {
    "map": dates,
    "map from right to left": from_right_to_left,
    "weights": party,
    "window": day,
    "cueing": cueing,
    "decoder step": steps,
    "head maps": by_head,
    "heads": one_head,
    "own words": sentence,
    "kv cache": cache,
    "online softmax": blocks,
    "sink window": stack,
    "hostile cache": hostile_cache,
    "hostile map": hostile_map,
    "hostile weights": hostile_weights,
    "hostile window": hostile_window,
}


@pytest.fixture
def page_of(browser, tmp_path):
    """Opens a page that can draw figures, beside stored ones. It must throw nothing,
    and request nothing from another host.
    """
    shutil.copy(ROOT / "book" / "_run" / "figures.js", tmp_path)
    (tmp_path / "interactive.js").write_text(frame.as_module(), "utf-8")
    (tmp_path / "index.html").write_text(PAGE, "utf-8")
    (tmp_path / "host.js").write_text(HOST, "utf-8")
    troubles, hosts, contexts = [], [], []

    def opened(*stored, **options):
        text = "".join(f"<section>{figure}</section>" for figure in stored)
        (tmp_path / "stored.html").write_text(text, "utf-8")
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", lambda request: hosts.append(request.url))
        page.goto(address)
        page.locator("[data-ready]").first.wait_for(state="attached")
        return page

    policy = {
        "Content-Security-Policy": "default-src 'self' data:;"
        " script-src 'self' 'unsafe-inline'; style-src 'unsafe-inline'"
    }
    with serve(tmp_path, policy) as address:
        yield opened
        for context in contexts:
            context.close()
    assert troubles == []
    assert {url for url in hosts if not url.startswith((address, "data:"))} == set()


def described(figure):
    """What the page gets: the name, and the data after their way as JSON."""
    name, data = type(figure)._page_figure_(figure)
    return name, json.loads(json.dumps(data, allow_nan=False))


def draw(page, name, data):
    page.evaluate(
        """async ([name, data]) => {
          const element = document.createElement("section");
          document.getElementById("drawn").append(element);
          await drawFigure(element, name, data);
        }""",
        [name, data],
    )


SAME = """() => {
  const texts = ["stored", "drawn"].map(id => {
    const copy = document.getElementById(id).cloneNode(true);
    for (const holder of copy.querySelectorAll(".run-figure")) {
      holder.replaceWith(...holder.childNodes);
    }
    for (const script of copy.querySelectorAll("script")) script.remove();
    for (const radio of copy.querySelectorAll("[type=radio]")) radio.name = "group";
    for (const styled of copy.querySelectorAll("[style]")) {  // one way to write it
      styled.setAttribute("style", styled.style.cssText);
    }
    return copy.innerHTML;
  });
  const [stored, drawn] = texts;
  if (stored === drawn) return ["", ""];
  const at = [...stored].findIndex((letter, i) => letter !== drawn[i]);
  return texts.map(text => text.slice(Math.max(at - 80, 0), at + 80));
}"""


@pytest.mark.parametrize("name", MAKERS)
def test_drawn_figure_is_the_stored_one(page_of, name):
    figure = MAKERS[name]()
    page = page_of(figure)
    draw(page, *described(figure))
    page.evaluate("new Promise(requestAnimationFrame)")  # the lines are placed
    page.evaluate("new Promise(requestAnimationFrame)")
    stored, drawn = page.evaluate(SAME)  # where they differ
    assert drawn == stored
    assert page.evaluate("window.hacked") is None
    assert page.locator("#drawn img, #drawn b b, #drawn [onfocus]").count() == 0


def results():
    """A table with numbers, marked words, and texts that would be HTML."""
    written = mark_errors([HOSTILE[0], "un"], [HOSTILE[0], "deux"])
    rows = [(HOSTILE[1], 0.5, written), ("b", None, "text"), ("c", -1234.5, "")]
    return Table(["name", "x", HOSTILE[2]], rows, caption=HOSTILE[3])


def test_drawn_table_is_the_stored_one(page_of):
    page = page_of(results()._repr_html_().replace("\n", ""))
    draw(page, *described(results()))
    stored, drawn = page.locator("table").evaluate_all(
        "all => all.map(each => each.outerHTML)"
    )
    assert drawn == stored and drawn.count("<mark") == 1
    assert page.evaluate("window.hacked") is None
    assert page.locator("#drawn :is(img, script, b)").count() == 0


def test_drawn_figures_are_used_like_stored_ones(page_of):
    page = page_of()
    for figure in (dates(), party(), day()):
        draw(page, *described(figure))
    press = page.keyboard.press
    press("Tab")
    press("Tab")
    assert page.get_by_role("status").first.inner_text().startswith("2 (1st of 2): ")
    page.get_by_label("temperature").focus()
    press("Home")
    shown = page.locator(".attn-weights").evaluate("e => e.weights[0]")
    assert shown == pytest.approx(1, abs=1e-3)
    page.get_by_label("center").focus()
    press("Home")
    status = page.get_by_role("status").last
    status.filter(has_text="The window covers positions −3 to 3").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_drawn_figures_are_accessible_and_fit_a_phone(page_of, scheme):
    narrow = {"width": 360, "height": 640}
    page = page_of(color_scheme=scheme, viewport=narrow, reduced_motion="reduce")
    for figure in (
        dates(),
        party(),
        day(),
        cueing(),
        steps(),
        by_head(),
        one_head(),
        sentence(),
        cache(),
        blocks(),
        stack(),
    ):
        draw(page, *described(figure))
    for summary in page.locator("summary").all():
        summary.click()
    assert page.locator(".am-upright:not(.am-hidden)").count() == 2
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert violations(page, {"page-has-heading-one"}) == []


# What is refused.


def changed(figure, **changes):
    name, data = described(figure)
    data = copy.deepcopy(data)
    for path, value in changes.items():
        *parents, last = path.split("__")
        inner = data
        for parent in parents:
            inner = inner[parent]
        inner[last] = value
    return name, data


NO_NUMBERS = [0, 1, "1", None, 2]
BAD = {
    "a figure that is not known": (
        ("<b>map</b>", {}),
        "this page knows no figure of the name <b>map</b>",
    ),
    "an inherited name": (
        ("constructor", {}),
        "this page knows no figure of the name constructor",
    ),
    "no data": (("weights", None), "the data should be an object"),
    "a list": (("weights", [1]), "the data should be an object"),
    "no fields": (
        ("window", {"title": None}),
        "words should be a list of 1 to 24 texts",
    ),
    "a long title": (
        changed(party(), title="x" * 1001),
        "title should be a text of at most 1000 characters",
    ),
    "words that are no texts": (
        changed(party(), words=[1] * 5),
        "words should be a list of 1 to 12 texts",
    ),
    "too few names": (
        changed(party(), names=["a"]),
        "names should be a list of 5 texts",
    ),
    "too many words": (
        changed(day(), words=["a"] * 25),
        "words should be a list of 1 to 24 texts",
    ),
    "scores of other kinds": (
        changed(party(), scores=NO_NUMBERS),
        "scores should be a list of 5 numbers between -10 and 10",
    ),
    "a huge score": (
        changed(party(), scores=[1e300] * 5),
        "scores should be a list of 5 numbers between -10 and 10",
    ),
    "a mask of numbers": (
        changed(party(), mask=[1] * 5),
        "mask should be a list of 5 times true or false",
    ),
    "no temperature": (
        changed(party(), temperature=0),
        "temperature should be a number between 0.05 and 20",
    ),
    "a center outside": (
        changed(day(), center=99),
        "center should be a number between 0 and 13",
    ),
    "half a half-width": (
        changed(day(), half_width=1.5),
        "half_width should be an integer between 1 and 100",
    ),
    "rows that are missing": (
        changed(dates(), weights=[[[0, 1]]]),
        "weights should be a list of 10 rows",
    ),
    "a weight above 1": (
        changed(dates(), weights=[[[0, 1.5]]] * 10),
        "weights should be a list of 10 rows",
    ),
    "a weight of no word": (
        changed(dates(), weights=[[[99, 0.5]]] * 10),
        "weights should be a list of 10 rows",
    ),
    "a weight that is given twice": (
        changed(dates(), weights=[[[0, 0.5], [0, 0.5]]] * 10),
        "weights should be a list of 10 rows",
    ),
    "a gold link to nowhere": (
        changed(dates(), gold=[[0, 99]]),
        "gold should be a list of [output index, input index]",
    ),
    "a direction with markup": (
        changed(dates(), source__dir="ltr' onfocus='window.hacked=1"),
        "source.dir should be ltr or rtl",
    ),
    "a name of no word": (
        changed(dates(), target__names={"99": "a"}),
        "target.names should be texts by index, from 0 to 9",
    ),
    "a map that is too large": (
        changed(dates(), source__tokens=["a"] * 2000, target__tokens=["b"] * 2000),
        "2000 output by 2000 input words are more than the 100,000 pairs that this page"
        " draws",
    ),
    "a word that is neither known nor unknown": (
        changed(sentence(), known=[1] * 5),
        "known should be a list of 5 times true or false",
    ),
    "a probability above 1": (
        changed(sentence(), probability=1.5),
        "probability should be a number between 0 and 1",
    ),
    "more key–value heads than divide the heads": (
        changed(cache(), kv_heads=4),
        "kv_heads should be a divisor of heads",
    ),
    "a window of half a position": (
        changed(cache(), window=0.5),
        "window should be an integer between 1 and 4",
    ),
    "a token that is a number": (
        changed(cache(), tokens=[1, 2]),
        "tokens should be a list of 1 to 16 texts",
    ),
    "a model without layers": (
        changed(cache(), model__layers=None),
        "model.layers should be an integer between 1 and 1000000",
    ),
    "too many layers": (
        changed(cache(), layers=1e9),
        "layers should be an integer between 1 and 3",
    ),
    "a score that is a text": (
        changed(blocks(), scores=["1", "2", "3"]),
        "scores should be a list of 1 to 16 numbers between -1000 and 1000, or null",
    ),
    "too few values": (
        changed(blocks(), values=[1, 2]),
        "values should be a list of 3 numbers between -1000 and 1000",
    ),
    "an empty block": (
        changed(blocks(), block_size=0),
        "block_size should be an integer between 1 and 16",
    ),
    "an output outside": (
        changed(stack(), position=12),
        "position should be an integer between 0 and 11",
    ),
    "a huge stack": (
        changed(stack(), length=10**6),
        "length should be an integer between 2 and 32",
    ),
    "a table without columns": (
        changed(results(), columns=[]),
        "columns should be a list of 1 to 50 texts",
    ),
    "a table that is aligned by words": (
        changed(results(), numeric=["no", "yes", "no"]),
        "numeric should be a list of 3 times true or false",
    ),
    "a row that is too short": (
        changed(results(), rows=[[[["a", False]]]]),
        "rows should be a list of at most 1000 rows of 3 cells",
    ),
    "a cell of markup": (
        changed(results(), rows=[["<b>a</b>", "<b>b</b>", "<b>c</b>"]]),
        "rows should be a list of at most 1000 rows of 3 cells",
    ),
    "a mark that is a text": (
        changed(results(), rows=[[[["a", "onfocus"]]] * 3]),
        "rows should be a list of at most 1000 rows of 3 cells",
    ),
    "too many rows": (
        changed(results(), rows=[[[["a", False]]] * 3] * 1001),
        "rows should be a list of at most 1000 rows of 3 cells",
    ),
    "a state of another length": (
        changed(steps(), states=[[0.5] * 64] * 11 + [[0.5]]),
        "states should be a list of 12 rows of 64 numbers between -1 and 1",
    ),
    "states that are none": (
        changed(steps(), states="abc"),
        "states should be rows of 1 to 1024 numbers",
    ),
    "a context beyond 1": (
        changed(steps(), contexts=[[1.5]] * 11),
        "contexts should be a list of 11 rows of 1 numbers between -1 and 1",
    ),
    "scores of another text": (
        changed(steps(), scores=[[0.5] * 12] * 11),
        "scores should be a list of 11 rows of 13 numbers between -1000 and 1000",
    ),
    "weights of too few steps": (
        changed(steps(), weights=[[0.5] * 13]),
        "weights should be a list of 11 rows of 13 numbers between 0 and 1",
    ),
    "a candidate that is a number": (
        changed(steps(), candidates=[[[1, "one", 0.5]]]),
        "candidates should be a list of 1 to 24 lists of 1 to 10 [text, name",
    ),
    "too many steps": (
        changed(steps(), candidates=[[["a", "a", 0.5]]] * 25),
        "candidates should be a list of 1 to 24 lists",
    ),
    "a text that is too long": (
        changed(steps(), source=["a"] * 61),
        "source should be a list of 1 to 60 texts",
    ),
    "no known characters": (
        changed(steps(), known=None),
        "known should be a text of at most 1000 characters",
    ),
    "an endless text": (
        changed(steps(), longest=1e9),
        "longest should be an integer between 0 and 999",
    ),
    "heads of half a layer": (
        changed(by_head(), heads=3),
        "heads should be the number of heads of each layer",
    ),
    "a map without weights": (
        changed(by_head(), maps=[{"name": "a"}]),
        "source should be an object",
    ),
    "a share above 1": (
        changed(by_head(), maps=[{**by_head().data["maps"][0], "on_gold": 2}]),
        "maps.on_gold should be a number between 0 and 1",
    ),
    "a head without keys": (
        changed(one_head(), heads=[{"name": "a", "about": "b"}]),
        "heads.keys should be rows of 1 to 1024 numbers",
    ),
    "a head of markup": (
        changed(one_head(), heads=[["<b>a</b>"]]),
        "heads should be a list of 1 to 10 objects",
    ),
    "values of another text": (
        changed(one_head(), values=[[0.5]]),
        "values should be a list of 12 rows of 1 numbers between -1000 and 1000",
    ),
    "a head that is not there": (
        changed(one_head(), start__head=5),
        "start.head should be one of the heads",
    ),
    "a word that is not there": (
        changed(one_head(), start__query=12),
        "start.query should be one of the words",
    ),
    "a mask that is a word": (
        changed(one_head(), start__causal="no"),
        "start.causal should be true or false",
    ),
    "an endless experiment": (
        changed(cueing(), settings__blocks=1e9),
        "settings.blocks should be a number",
    ),
    "no waits": (
        changed(cueing(), settings__waits={}),
        "settings.waits should be a list of 4 numbers",
    ),
    "trials that are none": (
        changed(cueing(), simulated=[[1, 2]]),
        "simulated should be a list of 1 to 10000 trials",
    ),
}


def test_data_that_make_no_sense_are_refused_in_one_line(page_of):
    page = page_of()
    for (name, data), _ in BAD.values():
        draw(page, name, data)
    lines = page.locator("#drawn section").all_inner_texts()
    for line, (what, (_, reason)) in zip(lines, BAD.items(), strict=True):
        assert line.startswith(f"The figure cannot be drawn: {reason}"), what
        assert line.endswith(".") and "\n" not in line, what
    assert page.locator("#drawn :is(script, style, svg, b, table)").count() == 0
    assert page.evaluate("window.hacked") is None


@pytest.mark.parametrize("value", ["NaN", "Infinity", "undefined", "[1, 2]", "{}"])
def test_numbers_that_are_none_are_refused(page_of, value):
    """JSON has no NaN, but a message to the page could have."""
    page = page_of()
    name, data = described(party())
    page.evaluate(
        f"""async ([name, data]) => {{
          data.scores[2] = {value};
          await drawFigure(document.getElementById("drawn"), name, data);
        }}""",
        [name, data],
    )
    assert page.locator("#drawn").inner_text() == (
        "The figure cannot be drawn: scores should be a list of 5 numbers between -10"
        " and 10."
    )


def test_a_figure_whose_script_is_missing_says_so(page_of, tmp_path):
    (tmp_path / "interactive.js").write_text("export const other = 1;", "utf-8")
    page = page_of()
    draw(page, *described(party()))
    assert page.locator("#drawn").inner_text() == (
        "The figure cannot be drawn: its script failed."
    )


def test_figures_keep_the_order_of_the_calls(page_of):
    page = page_of()
    page.evaluate(
        """async calls => {
          const element = document.getElementById("drawn");
          await Promise.all(calls.map(call => drawFigure(element, ...call)));
        }""",
        [described(day()), ["none", {}], described(party())],
    )
    names = page.locator("#drawn > *").evaluate_all(
        "all => all.map(e => e.firstChild.className)"
    )
    assert names == ["attn-figure attn-window", "run-note", "attn-figure attn-weights"]


# In the built book, from the reader's own code.

OWN = """
from attnlib import interactive
words = ["a", "<b>b</b>", "a"]
display(interactive.attention_map(words, words, softmax(np.eye(3)), title="Mine"))
class Bad:
    def _page_figure_(self):
        return "weights", {"title": "<img src=x onerror='window.hacked=1'>"}
display(Bad())
interactive.weights(words, [1, 2, 3])
"""


@pytest.mark.skipif(
    engine.folder() is None and os.environ.get("CI") != "true",
    reason="the page's Python is missing: `python -m tools.engine` makes it",
)
def test_figures_of_the_readers_own_code_are_drawn_in_the_page(browser, site):
    context = browser.new_context(base_url=site)
    page = context.new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    cell = Cell(page)
    assert not any("figures.js" in url or "interactive.js" in url for url in asked)
    state, text = cell.run(SOFTMAX + OWN)
    assert state == "passed", text
    assert "The figure cannot be drawn: words should be a list of 1 to 12 texts" in text
    drawn = cell.output.locator(".attn-figure")
    labels = drawn.evaluate_all("all => all.map(e => e.ariaLabel)")
    assert labels == ["Mine", "From scores to weights"]
    drawn.first.get_by_role("button", name="a (2nd of 2)").last.focus()
    said = drawn.first.get_by_role("status").inner_text()
    assert said.startswith("a (2nd of 2): attends to a (2nd of 2) 0.58")
    assert drawn.last.evaluate("e => e.weights") == pytest.approx(
        reference.softmax(np.array([1.0, 2, 3]))
    )
    assert page.evaluate("window.hacked") is None
    assert cell.output.locator(".attn-figure b b, .attn-figure img").count() == 0
    assert all(url.startswith((site, "blob:", "data:")) for url in asked)
    context.close()


STEPS = """
from attnlib.interactive import decoder_step
from attnlib.numpy_translators import Translator
decoder_step(Translator.load("dates"), "March 5, 2024")
"""


@pytest.mark.skipif(
    engine.folder() is None and os.environ.get("CI") != "true",
    reason="the page's Python is missing: `python -m tools.engine` makes it",
)
def test_decoder_step_translates_the_readers_own_date_in_the_page(browser, site):
    context = browser.new_context(base_url=site)
    page = context.new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    cell = Cell(page)
    cell.element.evaluate("each => { each.dataset.needs = 'weights'; }")
    state, text = cell.run(SOFTMAX + STEPS)
    assert state == "passed", text
    figure = cell.output.locator(".attn-decoder_step")
    figure.get_by_label("Your date").fill("Mittwoch, 9. Oktober 1985")
    page.keyboard.press("Enter")
    figure.get_by_role("button", name="step 10: 9").click()
    said = figure.locator(".af-say").inner_text()
    assert said.startswith("Step 10 of 11, after “1985-10-0”. The largest weight is ")
    assert said.endswith(
        ", on 9 (1st of 2). The next character is 9, with probability 1.00."
    )
    written = figure.locator(".ds-written .ds-chip").all_inner_texts()
    assert written == [*"1985-10-09", "<end>"]
    # Data that make no sense are refused, whoever made them.
    page.evaluate(
        """() => new Promise(done => dispatchEvent(new CustomEvent("attn-call", {
          cancelable: true,
          detail: {
            request: {function: "decoder_steps", args: ["dates", "?"]},
            figure: "decoder_step", say() {}, fail: text => {
              window.failed = text;
              done();
            },
          },
        })))"""
    )
    failed = page.evaluate("failed")
    assert failed.startswith("Text should hold characters that the model knows, got")
    assert all(url.startswith((site, "blob:", "data:")) for url in asked)
    context.close()


SENTENCE = """
from attnlib.interactive import own_words
from attnlib.numpy_classifier import Classifier
own_words(Classifier.load("reviews"), "The food was great.")
"""


@pytest.mark.skipif(
    engine.folder() is None and os.environ.get("CI") != "true",
    reason="the page's Python is missing: `python -m tools.engine` makes it",
)
def test_own_words_classifies_the_readers_own_sentence_in_the_page(browser, site):
    context = browser.new_context(base_url=site)
    page = context.new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    cell = Cell(page)
    cell.element.evaluate("each => { each.dataset.needs = 'weights'; }")
    state, text = cell.run(SOFTMAX + SENTENCE)
    assert state == "passed", text
    figure = cell.output.locator(".attn-own_words")
    sentence = "A terrible zyzzyva!"
    figure.get_by_label("Your sentence").fill(sentence)
    page.keyboard.press("Enter")
    figure.locator(".ow-unknown").first.wait_for()
    data = word_scores(Classifier.load("reviews"), sentence)
    for name in ("weights", "gradients"):
        found = figure.evaluate("(e, name) => e[name]", name)
        np.testing.assert_allclose(found, data[name], atol=2e-4)
    said = figure.locator(".af-say").inner_text()
    assert said.startswith("The model says negative, with probability ")
    assert said.endswith(" The model does not know: zyzzyva.")
    assert all(url.startswith((site, "blob:", "data:")) for url in asked)
    context.close()


TODAY = """
from attnlib import interactive
display(interactive.kv_cache(["a", "<b>b</b>", "a"], window=2, sinks=1))
display(interactive.online_softmax([1, -np.inf, 2.5]))
interactive.sink_window(12, 3, 4, 1)
"""


@pytest.mark.skipif(
    engine.folder() is None and os.environ.get("CI") != "true",
    reason="the page's Python is missing: `python -m tools.engine` makes it",
)
def test_cache_blocks_and_window_are_used_in_the_page(browser, site):
    context = browser.new_context(base_url=site)
    page = context.new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    cell = Cell(page)
    state, text = cell.run(SOFTMAX + TODAY)
    assert state == "passed", text
    drawn = cell.output.locator(".attn-figure")
    labels = drawn.evaluate_all("all => all.map(e => e.ariaLabel)")
    assert labels == [
        "A cache of keys and values",
        "A softmax, one block at a time",
        "What a window lets through, layer by layer",
    ]
    for _ in range(3):
        drawn.nth(0).get_by_role("button", name="Step", exact=True).click()
    # 2 layers, 4 heads, 3 positions, each with a key and a value of 16 numbers
    assert drawn.nth(0).evaluate("e => e.state.bytes") == 2 * 4 * 3 * 2 * 16 * 2
    count = len(asked)
    drawn.nth(1).get_by_label("Your scores").fill("800, 799")
    page.keyboard.press("Enter")
    drawn.nth(1).get_by_role("button", name="Step", exact=True).click()
    expected = reference.softmax(np.array([800.0, 799])) @ [10, 20]
    context_found = drawn.nth(1).evaluate("e => e.state.rows[0].context")
    assert context_found == pytest.approx(expected)
    assert len(asked) == count  # no Python, and nothing else, is asked for
    drawn.nth(2).get_by_label("sinks").focus()
    page.keyboard.press("Home")
    reached = drawn.nth(2).evaluate("e => e.shares[0].filter(x => x > 0).length")
    assert reached == 3 * 3 + 1
    assert page.evaluate("window.hacked") is None
    assert all(url.startswith((site, "blob:", "data:")) for url in asked)
    context.close()


HEADS = """
from attnlib import interactive
interactive.heads("the dog saw the cat", query=2)
"""


@pytest.mark.skipif(
    engine.folder() is None and os.environ.get("CI") != "true",
    reason="the page's Python is missing: `python -m tools.engine` makes it",
)
def test_heads_attend_to_the_readers_own_text_in_the_page(browser, site):
    context = browser.new_context(base_url=site)
    page = context.new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    cell = Cell(page)
    state, text = cell.run(SOFTMAX + HEADS)
    assert state == "passed", text
    figure = cell.output.locator(".attn-heads")
    said, field = figure.locator(".af-say"), figure.get_by_label("Your text")
    assert said.inner_text().startswith("saw attends to dog 0.94. ")
    field.fill("I know that you know.")
    page.keyboard.press("Enter")
    figure.get_by_label("know (1st of 2)").check()
    figure.get_by_label("the same word").check()
    head = head_numbers("I know that you know.")["heads"][2]
    assert figure.evaluate("e => e.weights") == pytest.approx(head["weights"][1])
    assert "know (2nd of 2) 0.50" in said.inner_text()
    field.fill("a b c d e f g h i j k l m")
    page.keyboard.press("Enter")
    note = figure.locator(".ask-fault")
    note.wait_for()
    assert note.inner_text() == (
        "Text should have at most 12 words and punctuation marks, so that all of them "
        "fit on a screen, got 13. Below is still “I know that you know.”."
    )
    assert all(url.startswith((site, "blob:", "data:")) for url in asked)
    context.close()


MAPS = """
from attnlib.interactive import head_maps
from attnlib.numpy_translators import Translator
head_maps(Translator.load("dates-transformer"), "March 5, 2024")
"""


@pytest.mark.skipif(
    engine.folder() is None and os.environ.get("CI") != "true",
    reason="the page's Python is missing: `python -m tools.engine` makes it",
)
def test_head_maps_show_the_readers_own_date_in_the_page(browser, site):
    context = browser.new_context(base_url=site)
    page = context.new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    cell = Cell(page)
    cell.element.evaluate("each => { each.dataset.needs = 'weights'; }")
    state, text = cell.run(SOFTMAX + MAPS)
    assert state == "passed", text
    figure = cell.output.locator(".attn-head_maps")
    figure.get_by_label("layer 2, head 1").check()
    figure.get_by_label("Your date").fill("Mittwoch, 9. Oktober 1985")
    page.keyboard.press("Enter")
    written = figure.locator(".am-board:not(.am-hidden) .am-target button")
    written.nth(3).filter(has_text="5").wait_for()
    assert "".join(written.all_inner_texts()) == "1985-10-09"
    assert figure.get_by_label("layer 2, head 1").is_checked()
    caption = figure.locator("caption").text_content()
    assert caption.startswith("layer 2, head 1: attention weights")
    assert all(url.startswith((site, "blob:", "data:")) for url in asked)
    context.close()
