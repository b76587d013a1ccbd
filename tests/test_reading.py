"""What a reader sees of the built pages: whole equations, a visible focus, code that
fits its column, figures that follow the theme and open larger.
"""

import re

import pytest
from bs4 import BeautifulSoup
from conftest import ROOT

from book._ext import color_maps, diagrams, reference_labels

CHAPTERS = [path.stem for path in sorted((ROOT / "book").glob("*.ipynb"))]
PHONES = (320, 360, 390, 480)

# The glyphs that no scrolling brings into view, by their formulas.
OUT_OF_REACH = """() => {
  function lost(glyph) {
    let box = glyph.getBoundingClientRect();
    if (!box.width) return false;
    for (let around = glyph.parentElement; around; around = around.parentElement) {
      const {overflowX} = getComputedStyle(around);
      if (overflowX === "visible" && around !== document.documentElement) continue;
      const frame = around.getBoundingClientRect();
      const scrolls = ["auto", "scroll"].includes(overflowX);
      const left = frame.left + around.clientLeft - (scrolls ? around.scrollLeft : 0);
      const width = scrolls ? around.scrollWidth : around.clientWidth;
      if (box.left < left - 1 || box.right > left + width + 1) return true;
      if (scrolls) box = frame;
    }
    return false;
  }
  return [...document.querySelectorAll("mjx-container")]
    .filter(formula => [...formula.querySelectorAll("mjx-c, mjx-utext")].some(lost))
    .map(formula => formula.textContent);
}"""
RING = """() => {
  const focused = document.activeElement;
  const around = focused.closest(".bd-search") ?? focused;
  const styles = [getComputedStyle(focused), getComputedStyle(around)];
  styles.push(getComputedStyle(focused, "::after"));
  return styles.some(style =>
    (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2)
    || /0px 0px 0px [2-9]/.test(style.boxShadow));
}"""
TOO_WIDE = """() => [...document.querySelectorAll(".cell_input pre")]
  .filter(each => each.clientWidth && each.scrollWidth > each.clientWidth)
  .map(each => each.textContent)"""


@pytest.fixture
def tab(browser, site):
    """open(name, width, scheme): a page, when its formulas are set."""
    contexts = []

    def open_page(name, width=1280, scheme="light"):
        context = browser.new_context(
            base_url=site,
            color_scheme=scheme,
            viewport={"width": width, "height": 800},
            reduced_motion="reduce",
        )
        contexts.append(context)
        page = context.new_page()
        page.goto(f"{name}.html")
        page.evaluate("() => window.MathJax?.startup?.promise")
        page.evaluate("() => dispatchEvent(new Event('resize'))")
        return page

    yield open_page
    for context in contexts:
        context.close()


# Equations, code, and tables


@pytest.mark.parametrize("name", [*CHAPTERS, "notation", "api"])
def test_formula_can_be_read_whole_on_a_phone(tab, name):
    page = tab(name)
    for width in PHONES:
        page.set_viewport_size({"width": width, "height": 800})
        page.evaluate("() => dispatchEvent(new Event('resize'))")
        assert page.evaluate(OUT_OF_REACH) == [], width


# The punctuation next to a formula that is not on the formula's line.
APART = """() => {
  const apart = [];
  for (const span of document.querySelectorAll("article .one-line")) {
    const formula = span.querySelector("mjx-container:not(.wide)");
    const {top, bottom} = formula?.getBoundingClientRect() ?? {};
    for (const node of span.childNodes) {
      if (!formula || node.nodeType !== Node.TEXT_NODE) continue;
      const range = new Range();
      range.selectNode(node);
      const text = range.getBoundingClientRect();
      if (text.top >= bottom || text.bottom <= top) apart.push(span.textContent);
    }
  }
  return apart;
}"""


@pytest.mark.parametrize("width", PHONES)
def test_formula_and_its_comma_share_a_line(tab, width):
    page = tab("01_psychology", width)
    assert page.locator("article .one-line").count() > 20
    assert page.evaluate(APART) == []


def test_punctuation_after_a_formula_is_kept_with_it(html):
    lost = []
    for path in html.glob("*.html"):
        soup = BeautifulSoup(path.read_text("utf-8"), "html.parser")
        for formula in soup.select("article span.math"):
            text = formula.next_sibling
            if isinstance(text, str) and text[:1] in {*",.;:!?)"}:
                kept = "one-line" in formula.parent.get("class", [])
                kept |= "nowrap" in formula.parent.get("style", "")  # in a quiz
                lost += [] if kept else [(path.name, str(formula) + text[:20])]
    assert lost == []


def test_central_equation_fits_a_phone(tab):
    page = tab("03_bahdanau", width=360)
    equation = page.locator("mjx-container[display]", has_text="tanh").first
    assert equation.evaluate("each => each.scrollWidth - each.clientWidth") <= 0


@pytest.mark.parametrize("name", CHAPTERS)
def test_code_fits_its_column(tab, name):
    assert tab(name).evaluate(TOO_WIDE) == []


def test_folded_code_is_a_quiet_line(tab):
    page = tab("05_luong_global", 1280)
    shadows = page.locator("details.hide").evaluate_all(
        "folds => folds.map(fold => getComputedStyle(fold).boxShadow)"
    )
    assert len(shadows) > 3 and set(shadows) == {"none"}


def test_what_is_cut_off_has_a_name_and_fades(tab):
    page = tab("notation", width=360)
    table = page.get_by_role("group", name="Table, scrolls sideways").first
    assert table.get_attribute("tabindex") == "0"
    assert table.get_attribute("class").endswith("cut-right")
    assert "gradient" in table.evaluate("each => getComputedStyle(each).maskImage")
    table.evaluate("each => { each.scrollLeft = each.scrollWidth }")
    page.wait_for_selector(".cut-left:not(.cut-right)")


# Focus, search, links


@pytest.mark.parametrize("width", [1280, 360])
def test_focus_of_a_button_is_visible(tab, width):
    page = tab("01_psychology", width)
    buttons = page.locator(
        ":is(.bd-header-article, .bd-sidebar-primary) :is(button, summary):visible"
    )
    assert buttons.count() >= 4
    page.keyboard.press("Tab")  # from here on, the focus is the keyboard's
    for button in buttons.all():
        button.focus()
        assert page.evaluate(RING), button.evaluate("each => each.outerHTML")


def test_focus_of_a_button_in_a_dialog_is_visible(tab):
    page = tab("03_bahdanau")
    page.keyboard.press("Tab")
    page.locator(".enlargeable > button").first.focus()
    assert page.evaluate(RING)
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog.enlarged[open]")
    assert page.evaluate("document.activeElement.textContent") == "Close"
    assert page.evaluate(RING)


@pytest.mark.parametrize("width", [1280, 768, 360])
@pytest.mark.parametrize("name", ["search", "index"])
def test_magnifier_stands_beside_the_words_of_the_search(tab, name, width):
    page = tab(name, width)
    if name == "index":
        page.keyboard.press("Control+k")
    form = page.locator("form.bd-search:visible").first
    icon = form.locator("i").bounding_box()
    field = form.locator("input").bounding_box()
    assert icon["x"] + icon["width"] <= field["x"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_links_have_one_color(tab, scheme):
    page = tab("api", scheme=scheme)
    page.evaluate("""() => document.querySelector("article").insertAdjacentHTML(
        "beforeend", "<p><a class='probe' href='#'>a</a></p>"
        + "<blockquote><a class='probe' href='#'>a</a></blockquote>"
        + "<table class='table'><tr><td><a class='probe' href='#'>a</a></table>")""")
    colors = page.locator(".probe").evaluate_all(
        "all => all.map(each => getComputedStyle(each).color)"
    )
    assert len(colors) == 3 and len(set(colors)) == 1


def test_search_shows_formulas_in_plain_letters(tab):
    page = tab("search")
    page.goto("search.html?q=softmax")
    page.wait_for_selector("#search-results li .context")
    page.wait_for_function(
        "document.querySelectorAll('#search-results li .context').length > 5"
    )
    plain = page.evaluate(
        r"""() => Search.htmlToText(`<div role="main"><p>Of \\(p_k = e^{l_k} /
        \\sum_m e^{l_m}\\) and \\[\\frac{\\bar h_s}{\\mathrm{dim}}
        \\tag{7}\\]</p></div>`)"""
    )
    assert plain == "Of p_k = e^l_k / ∑_m e^l_m and (h\u0304_s) / (dim) (7)"
    texts = page.locator("#search-results .context").all_inner_texts()
    assert [text for text in texts if re.search(r"\\[a-z(\[]", text)] == []


def test_index_of_names_is_not_a_page(html):
    assert not (html / "genindex.html").exists()
    assert 'rel="index"' not in (html / "index.html").read_text("utf-8")


# Figures


def shown(page):
    return page.locator("figure img:visible").evaluate_all(
        "all => all.map(each => each.src.split('/').pop()).filter(x => /svg/.test(x))"
    )


def test_diagram_follows_the_theme(tab):
    page = tab("03_bahdanau", scheme="dark")
    assert shown(page) == ["additive_score-dark.svg", "bahdanau_step-dark.svg"]
    page.locator("button.theme-switch-button:visible").first.click()
    page.wait_for_function("document.documentElement.dataset.theme === 'light'")
    assert shown(page) == ["additive_score.svg", "bahdanau_step.svg"]


@pytest.mark.parametrize(
    "path",
    sorted((ROOT / "book" / "figures").glob("*.svg")),
    ids=lambda path: path.stem,
)
def test_diagram_has_a_partner_for_each_color(path):
    light = path.read_text("utf-8")
    dark = diagrams.darkened(light)
    colors = set(diagrams.COLOR.findall(light))
    assert colors and not colors & set(diagrams.COLOR.findall(dark))


def test_diagram_in_an_unknown_color_is_refused():
    assert diagrams.darkened('fill="#fff"') == 'fill="#14181b"'
    with pytest.raises(KeyError, match="#123456"):
        diagrams.darkened('fill="#123456"')


def test_dark_copies_are_made_of_diagrams_alone():
    plot = '<img alt="A plot." src="_images/abc.png" />'
    logo = '<img alt="A logo." src="_static/logo.svg" />'
    assert diagrams.add_dark_copies(plot + logo) == plot + logo
    both = diagrams.add_dark_copies('<img alt="a" src="_images/a.svg" />')
    assert re.findall(r'data-shown="(\w+)" alt="a" src="(\S+)"', both) == [
        ("light", "_images/a.svg"),
        ("dark", "_images/a-dark.svg"),
    ]


def test_plot_is_dark_on_a_dark_page_unless_its_colors_are_numbers(tab):
    page = tab("04_sentiment", scheme="dark")
    filters = {}
    for number in ("4.2", "4.3"):  # points, and words that are shaded by their weights
        picture = page.locator("figure", has_text=f"Figure {number}").locator("img")
        picture.click()
        for each in (picture, page.locator("dialog.enlarged img")):
            used = each.evaluate("each => getComputedStyle(each).filter")
            filters.setdefault(number, set()).add(used)
        page.get_by_role("button", name="Close").click()
    assert [*filters["4.2"]] == ["invert(0.93) hue-rotate(180deg)"]
    assert [*filters["4.3"]] == ["brightness(0.86)"]
    page.locator("button.theme-switch-button:visible").first.click()
    page.wait_for_function("document.documentElement.dataset.theme === 'light'")
    plots = page.locator("figure img:not([data-shown])")
    filters = plots.evaluate_all(
        "all => all.map(each => getComputedStyle(each).filter)"
    )
    assert set(filters) == {"none"}


def test_color_map_is_known_by_the_code_that_draws_it():
    drawn = {
        "plots.alignment(ax, weights, source, target)": True,
        "plots.words(ax, words, weights)": True,
        "image = ax.imshow(weights)": True,
        "plots.length_curve(ax, centers, curves)": False,
        "words = tokens(text)": False,
    }
    found = {code: bool(color_maps.DRAWS_COLORS.search(code)) for code in drawn}
    assert found == drawn


@pytest.mark.parametrize("width", [1280, 360])
def test_figure_opens_larger_and_closes(tab, width):
    page = tab("03_bahdanau", width)
    figure = page.locator("figure", has_text="Figure 3.3")
    button = figure.locator(".enlargeable > button")
    inline = figure.locator("img:visible").bounding_box()["width"]
    dialog = page.locator("dialog.enlarged")
    figure.locator("img:visible").click()
    assert dialog.get_attribute("aria-label") == "Figure 3.3, enlarged"
    assert dialog.locator("img:visible").bounding_box()["width"] > 1.5 * inline
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog.enlarged", state="hidden")
    assert button.evaluate("each => each === document.activeElement")
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog.enlarged[open]")
    assert dialog.locator("img:visible").get_attribute("alt")
    dialog.get_by_role("button", name="Close").click()
    page.wait_for_selector("dialog.enlarged", state="hidden")
    assert button.evaluate("each => each === document.activeElement")


# References and names


def test_reference_has_the_label_of_the_text(html):
    labels = re.findall(
        r'<span class="label">(.*?)</span>\s*<p>',
        (html / "references.html").read_text("utf-8"),
        flags=re.S,
    )
    labels = {re.sub(r"<[^>]+>", "", label) for label in labels}
    assert "[Bahdanau et al., 2015]" in labels and "[James, 1890]" in labels
    cited = set()
    for name in CHAPTERS:
        text = (html / f"{name}.html").read_text("utf-8")
        for citation in re.findall(
            r'<span class="bibtex-citation"[^>]*>(.*?)</span>', text, flags=re.S
        ):
            words = re.sub(r"<[^>]+>", "", citation)
            words = re.sub(r" \[(?=\d{4})", ", ", words).strip("[]")
            cited |= {f"[{each}]" for each in words.split("; ")}
    assert len(cited) > 20 and cited <= labels


def test_references_with_one_label_are_refused():
    from pybtex.database import Entry, Person

    entry = Entry("book", [("year", "1890")], {"author": [Person("James, William")]})
    with pytest.raises(ValueError, match="James, 1890"):
        reference_labels.AuthorYearLabels().format_labels([entry, entry])


def test_page_of_attnlib_shows_defaults_as_written_and_breaks_names_at_dots(html):
    text = (html / "api.html").read_text("utf-8")
    assert "&lt;function" not in text and "&lt;object" not in text
    assert "attnlib.<wbr>interactive.<wbr>attention_<wbr>map" in text


# Links to chapters


NUMBERS = {name: int(name[:2]) for name in CHAPTERS}
MENTION = re.compile(
    r"\bchapters?\s+(\d+(?:(?:\s+(?:and|or|to)|,(?:\s+and)?|\s*–)\s+\d+)*)",
    re.IGNORECASE,
)
NO_PROSE = ("a", "code", "pre", "h1", "h2", "h3", "h4", "blockquote")


@pytest.mark.parametrize(
    "name",
    [
        *CHAPTERS,
        *("index", "notation", "glossary", "speed", "testing", "teaching", "licenses"),
    ],
)
def test_mention_of_a_chapter_is_a_link(html, name):
    page = BeautifulSoup((html / f"{name}.html").read_text("utf-8"), "html.parser")
    others = set(NUMBERS.values()) - {NUMBERS.get(name)}
    found = [
        text.strip()
        for text in page.find("article").find_all(string=MENTION)
        if not text.find_parent(NO_PROSE) and not text.find_parent(class_="cell")
        for mention in MENTION.findall(text)
        if others & {int(number) for number in re.findall(r"\d+", mention)}
    ]
    assert found == []
