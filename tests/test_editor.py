"""The editor of a page's cells: what is in its bundle, and how it works in Chromium."""

import gzip
import hashlib
import json
import re
import shutil

import pytest
from conftest import ROOT, serve, violations
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from book._ext import licenses

RUN = ROOT / "book" / "_run"
SOURCES = ROOT / "tools" / "editor"
RECORD = json.loads((SOURCES / "bundle.json").read_text("utf-8"))
LOCK = json.loads((SOURCES / "package-lock.json").read_text("utf-8"))["packages"]
BUNDLE = (RUN / "editor.js").read_bytes()

# The bundle


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def test_bundle_is_the_one_that_was_recorded():
    assert (RECORD["sha256"], RECORD["bytes"]) == (sha256(BUNDLE), len(BUNDLE))


def test_bundle_was_made_from_the_sources_beside_its_record():
    """After a change of a source, run `npm ci && npm run build` in tools/editor."""
    sources = {path.name for path in SOURCES.glob("*.mjs")} | {"package-lock.json"}
    made_from = {name: sha256((SOURCES / name).read_bytes()) for name in sources}
    assert made_from == RECORD["made_from"]


def test_versions_in_the_bundle_are_those_of_the_lock():
    for package in RECORD["packages"]:
        locked = LOCK[f"node_modules/{package['name']}"]
        assert package["version"] == locked["version"], package["name"]
    assert RECORD["esbuild"] == LOCK["node_modules/esbuild"]["version"]
    versions = {each["name"]: each["version"] for each in RECORD["packages"]}
    asked = json.loads((SOURCES / "package.json").read_text("utf-8"))["dependencies"]
    assert len(asked) == 8 and asked.items() <= versions.items()


def test_lock_has_a_hash_of_every_package_and_no_address():
    packages = {name: entry for name, entry in LOCK.items() if name}
    assert len(packages) > 15
    assert [name for name in packages if not packages[name].get("integrity")] == []
    assert [name for name in packages if "resolved" in packages[name]] == []


def test_licenses_of_the_bundle_are_given_in_full():
    texts = (RUN / "editor.licenses.txt").read_text("utf-8").split("-" * 72)
    named = [f"{each['name']} {each['version']} (MIT)" for each in RECORD["packages"]]
    assert [text.strip().split("\n")[0] for text in texts] == named
    for text in texts:
        assert "Copyright (C) 20" in text
        assert "Permission is hereby granted, free of charge" in text
        assert "THE SOFTWARE IS PROVIDED" in text
    assert (
        licenses.version(licenses.EDITOR)
        == (LOCK["node_modules/@codemirror/view"]["version"])
    )
    assert licenses.license_file(licenses.EDITOR) == RUN / "editor.licenses.txt"
    assert BUNDLE.startswith(b"// CodeMirror 6 and its parts, under the MIT license")


def test_bundle_is_small_enough():
    assert len(gzip.compress(BUNDLE, 6)) <= 130_000


def test_bundle_can_ask_for_nothing():
    text = BUNDLE.decode("utf-8")
    addresses = set(re.findall(r"\w+://[^\s\"'`]+", text))
    assert addresses == {"http://www.w3.org/2000/svg"}  # the name of a namespace
    calls = "fetch|XMLHttpRequest|WebSocket|EventSource|sendBeacon|Worker|import"
    asks = rf"\b(?:{calls}) ?\(|\burl\((?!'data:)|@import|@font-face"
    assert re.findall(asks, text) == []
    assert "sourceMappingURL" not in text


# In a browser

PAGE = """<!doctype html>
<html lang="en" data-theme="{theme}"><head><title>Editor</title>
<link rel="icon" href="data:,">
<meta name="viewport" content="width=device-width, initial-scale=1"><style>{style}
body {{ background: var(--pst-color-background); margin: 0;
  color: var(--pst-color-text-base); }}
main {{ max-width: 40rem; padding: 1rem; }}
</style></head><body><main><h1>Editor</h1>
<button id="before">Before</button>
<div id="cell"></div>
<button id="after">After</button>
<input id="search" aria-label="Search">
<div id="static" class="highlight"><pre>{static}</pre></div>
</main><script type="module">
import {{ makeEditor }} from "./editor.js";
window.ran = [];
document.addEventListener("keydown", event => {{ // as Sphinx does
  if (event.key === "/") {{ search.focus(); event.preventDefault(); }}
}});
window.editor = makeEditor(
  cell, {code}, (...given) => ran.push([editor.code(), given.length]), "Code of softmax"
);
</script></body></html>
"""
STYLES = {"light": "a11y-high-contrast-light", "dark": "a11y-high-contrast-dark"}
POLICY = {"Content-Security-Policy": "default-src 'self' 'unsafe-inline' data:"}
CODE = "def softmax(x):\n    return x\n"


def style():
    """The style sheets of the book that matter here."""
    given = [
        HtmlFormatter(style=name).get_style_defs(
            f'html[data-theme="{theme}"] .highlight'
        )
        for theme, name in STYLES.items()
    ]
    light = 'html[data-theme="light"] { --pst-color-background: #ffffff; }'
    return "\n".join(
        [light, *given, (ROOT / "book" / "_static" / "book.css").read_text("utf-8")]
    )


@pytest.fixture
def page_of(browser, tmp_path):
    """A function that opens a page with an editor; nothing else may be asked for."""
    shutil.copyfile(RUN / "editor.js", tmp_path / "editor.js")
    contexts, asked, errors = [], [], []

    def open_page(code=CODE, theme="light", width=800, height=900, **options):
        static = highlight(code, PythonLexer(), HtmlFormatter(nowrap=True))
        parts = {"style": style(), "static": static, "code": json.dumps(code)}
        text = PAGE.format(theme=theme, **parts)
        (tmp_path / "index.html").write_text(text, "utf-8")
        viewport = {"width": width, "height": height}
        contexts.append(browser.new_context(viewport=viewport, **options))
        page = contexts[-1].new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text))
        page.goto(address)
        page.wait_for_selector(".cm-content")
        return page

    with serve(tmp_path, POLICY) as address:
        yield open_page
        for context in contexts:
            context.close()
        assert set(asked) == {address, f"{address}editor.js"}
    assert errors == []


def code_of(page):
    return page.evaluate("editor.code()")


def focused(page):
    return page.evaluate("document.activeElement.id || document.activeElement.role")


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def test_editor_is_a_text_box_whose_name_says_what_the_keys_do(page_of):
    page = page_of()
    box = page.get_by_role("textbox", name="Code of softmax.")
    assert box.count() == 1 and "cm-content" in box.get_attribute("class")
    assert box.get_attribute("aria-multiline") == "true"
    assert box.get_attribute("aria-label") == (
        "Code of softmax. Tab indents. Escape, then Tab, leaves the editor."
        " Shift+Enter runs the code."
    )
    shown = page.locator(".code-editor-keys")
    assert box.get_attribute("aria-label").endswith(shown.inner_text())
    assert shown.get_attribute("aria-hidden") == "true"


def test_tab_indents_and_shift_tab_outdents(page_of):
    page = page_of("a = 1\nb = 2\n")
    page.focus("#before")
    press(page, "Tab")
    assert focused(page) == "textbox"
    press(page, "Tab", "Tab")
    assert code_of(page) == "        a = 1\nb = 2\n"
    press(page, "Shift+Tab")
    assert code_of(page) == "    a = 1\nb = 2\n"
    press(page, "ControlOrMeta+a", "Tab")
    assert code_of(page) == "        a = 1\n    b = 2\n"
    assert focused(page) == "textbox"


@pytest.mark.parametrize("key, reached", [("Tab", "after"), ("Shift+Tab", "before")])
def test_escape_lets_tab_leave_however_long_it_takes(page_of, key, reached):
    page = page_of()
    page.evaluate("editor.focus()")
    press(page, "ControlOrMeta+a", "Escape")
    said = page.locator(".cm-announced")
    assert said.inner_text() == "Tab now leaves the editor."
    page.wait_for_timeout(2500)  # CodeMirror's own limit is two seconds
    press(page, key)
    assert focused(page) == reached
    assert code_of(page) == CODE


@pytest.mark.parametrize("other", ["x", "ArrowRight"])
def test_tab_indents_again_after_another_key(page_of, other):
    page = page_of("a = 1")
    page.evaluate("editor.focus()")
    press(page, "Escape", other, "Tab")
    assert focused(page) == "textbox"
    assert code_of(page).startswith("    ")


def test_tab_indents_again_after_leaving(page_of):
    page = page_of("a = 1")
    page.evaluate("editor.focus()")
    press(page, "Escape", "Tab")
    assert focused(page) == "after"
    press(page, "Shift+Tab", "Tab")
    assert (focused(page), code_of(page)) == ("textbox", "    a = 1")


@pytest.mark.parametrize(
    "keys", ["Shift+Enter", "Control+Enter", "ControlOrMeta+Enter"]
)
def test_enter_with_shift_or_control_runs_once_and_changes_nothing(page_of, keys):
    page = page_of()
    page.evaluate("editor.focus()")
    press(page, keys)
    assert page.evaluate("ran") == [[CODE, 0]]
    assert (focused(page), code_of(page)) == ("textbox", CODE)
    press(page, "Enter")
    assert len(page.evaluate("ran")) == 1


def test_typing_indents_closes_brackets_and_can_be_undone(page_of):
    page = page_of("")
    page.evaluate("editor.focus()")
    page.keyboard.type("def f(x")
    assert code_of(page) == "def f(x)"
    page.keyboard.type("):")  # the closing bracket is typed over
    press(page, "Enter")
    page.keyboard.type("return [x] / 2")
    assert code_of(page) == "def f(x):\n    return [x] / 2"
    press(page, "Enter", "Backspace")  # one press takes a whole level
    assert code_of(page) == "def f(x):\n    return [x] / 2\n"
    for _ in range(20):
        press(page, "ControlOrMeta+z")
    assert code_of(page) == ""
    press(page, "ControlOrMeta+Shift+z")
    assert code_of(page).startswith("def f")


def test_what_is_typed_is_no_shortcut_of_the_page(page_of):
    page = page_of("")
    page.evaluate("editor.focus()")
    page.keyboard.type("a / b")
    assert (focused(page), code_of(page)) == ("textbox", "a / b")


SAMPLE = '''import numpy as np
from attnlib.reference import softmax as ref


class Scores(ValueError):
    """What went wrong,
    in two lines."""

    limit = 1e-3 + 0x1F - 2_000 * 3.5

    def __init__(self, name=None):
        super().update(f"{name!r} is {self.limit:.2f}\\n", 'and more')


@checked(None)
def attend(query, keys, *rest, mask=True, **options):
    """One sentence: a docstring."""
    scores = (keys @ query) / np.sqrt(len(query))  # (T,)
    for index, row in enumerate(scores[:, None]):
        if mask is not None and index not in rest or row != 2 ** index:
            raise ValueError("no") from None
    else:
        del options
    weights = [w for w in range(3) if not w <= 1]
    table = {"a": lambda x: x // 2 % 3, **options}
    while (n := len(weights)) > 3:
        weights[-1] += 1; break
    with open(r"\\d") as file, np.errstate(all="ignore"):
        assert isinstance(file, int | float), print(...)
    try:
        yield scores.sum(axis=-1, keepdims=False)
    except (KeyError, NotImplementedError):
        pass
    finally:
        return weights, table, ~n & 1 ^ 2 << 3
'''
COLORS = """selector => {
  const colors = [];
  const walker = document.createTreeWalker(
    document.querySelector(selector), NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode())
    for (const letter of node.data)
      if (letter.trim()) colors.push([letter, getComputedStyle(node.parentNode).color]);
  return colors;
}"""


def difference(shown, expected):
    """The stretches of text that have another color, with both colors."""
    assert [letter for letter, _ in shown] == [letter for letter, _ in expected]
    wrong = []
    last = None
    for index, (here, there) in enumerate(zip(shown, expected, strict=True)):
        if here != there:
            if last == index - 1:
                wrong[-1][0] += here[0]
            else:
                wrong.append([here[0], here[1], there[1]])
            last = index
    return wrong


@pytest.mark.parametrize("theme", STYLES)
def test_code_has_the_colors_of_the_book(page_of, theme):
    page = page_of(SAMPLE, theme, height=3000)
    expected = page.evaluate(COLORS, "#static pre")
    shown = page.evaluate(COLORS, ".cm-content")
    assert len({color for _, color in shown}) >= 5
    assert difference(shown, expected) == []


def test_text_that_is_put_in_at_once_stays_as_it_is(page_of):
    page = page_of()
    page.evaluate("editor.focus()")
    press(page, "ControlOrMeta+a")
    page.keyboard.insert_text(SAMPLE)
    assert code_of(page) == SAMPLE
    page.get_by_role("textbox", name="Code of").fill("x = (1,\n    2)")
    assert code_of(page) == "x = (1,\n    2)"


def test_set_code_is_one_step_that_can_be_undone(page_of):
    page = page_of()
    page.evaluate("editor.focus()")
    page.keyboard.type("x")
    page.evaluate("editor.setCode('first')")
    assert code_of(page) == "first"
    press(page, "ControlOrMeta+z")
    assert code_of(page) == f"x{CODE}"


def test_destroy_leaves_nothing(page_of):
    page = page_of()
    page.evaluate("editor.destroy()")
    assert page.evaluate("cell.childNodes.length") == 0


@pytest.mark.parametrize("theme", STYLES)
def test_editor_passes_axe_and_follows_the_theme(page_of, theme):
    page = page_of(SAMPLE.split("\n\n\n")[1], theme, width=360)
    around = page.locator(".code-editor")
    transparent = "rgba(0, 0, 0, 0)"
    assert around.evaluate("it => getComputedStyle(it).backgroundColor") == transparent
    page.evaluate("editor.focus()")
    page.wait_for_selector(".cm-editor.cm-focused")
    for name in ("outline-color", "caret-color", "background-color"):
        part = ".cm-content" if name.startswith("caret") else ".cm-editor"
        found = page.locator(part).evaluate("(it, n) => getComputedStyle(it)[n]", name)
        variables = {
            "outline": "primary",
            "caret": "text-base",
            "background": "surface",
        }
        variable = f"--pst-color-{variables[name.split('-')[0]]}"
        assert found == page.evaluate(COLOR_OF, variable), name
    assert violations(page) == []


COLOR_OF = """variable => {
  const probe = document.createElement("i");
  probe.style.color = `var(${variable})`;
  document.body.append(probe);
  const color = getComputedStyle(probe).color;
  probe.remove();
  return color;
}"""
LONG = f"{CODE}{'weights = softmax(scores) + ' * 6}0\n"


@pytest.mark.parametrize("theme", STYLES)
def test_narrow_page_does_not_scroll_sideways(page_of, theme):
    page = page_of(LONG, theme, width=360, has_touch=True, is_mobile=True)
    page.evaluate("document.querySelector('#static').remove()")
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    scroller = page.locator(".cm-scroller")
    assert scroller.evaluate("it => it.scrollWidth > it.clientWidth")
    # Smaller text makes a phone enlarge the page; the keys are of no use on one.
    size = page.locator(".cm-content").evaluate("it => getComputedStyle(it).fontSize")
    assert size == "16px"
    assert page.locator(".code-editor-keys").is_hidden()


def test_print_shows_the_code_alone(page_of):
    page = page_of()
    page.emulate_media(media="print")
    assert page.locator(".code-editor-keys").is_hidden()
    assert page.locator(".cm-content").inner_text().strip() == CODE.strip()
