"""The built pages, in a real browser: self-contained, without errors, accessible, light
and dark, wide and narrow.
"""

import functools
import gzip
import re
import struct
from html.parser import HTMLParser
from types import SimpleNamespace
from urllib.parse import unquote, urldefrag, urlsplit

import pytest
import yaml
from conftest import ROOT, THEME, serve, violations

from book._ext import opengraph, redirects
from tools import link_old_names

TOC = yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))
CHAPTERS = [
    chapter["file"] for part in TOC.get("parts", []) for chapter in part["chapters"]
]
SOURCES = ["_modules/index", "_modules/attnlib/layers"]  # what viewcode writes
PAGES = [TOC["root"], *CHAPTERS, *SOURCES, "search"]
REDIRECTS = link_old_names.redirects()
VIEWS = {"light": ("light", 1280), "dark": ("dark", 1280), "narrow": ("light", 360)}

# The whole of axe once; in the dark what colors can spoil, on a narrow page all but
# the colors.
AXE = {
    "light": {},
    "dark": {"runOnly": {"type": "rule", "values": ["color-contrast"]}},
    "narrow": {"rules": {"color-contrast": {"enabled": False}}},
}
BIBLIOGRAPHY = {"aria-required-children", "aria-deprecated-role", "aria-allowed-role"}
# Everything from the pages' own host, as strict as the theme's own inline scripts
# allow.
POLICY = "default-src 'self' 'unsafe-inline' data: blob:"


class Links(HTMLParser):
    """Every id of a page, and every address that it names."""

    def __init__(self, path):
        super().__init__()
        self.ids, self.addresses = set(), []
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.ids |= {values.get("id"), values.get("name")}
        self.addresses += [values[name] for name in ("href", "src") if values.get(name)]


@pytest.fixture(scope="module")
def visit(browser, site):
    """visit(page, view): what a browser that comes for the first time sees, asks for,
    and complains about.
    """

    @functools.cache
    def once(name, view):
        scheme, width = VIEWS[view]
        seen = SimpleNamespace(responses=[], asked=[], complaints=[])
        context = browser.new_context(
            color_scheme=scheme, viewport={"width": width, "height": 800}
        )
        page = context.new_page()
        page.on("request", lambda request: seen.asked.append(request.url))
        page.on("response", lambda response: seen.responses.append(response))
        page.on(
            "requestfailed",
            lambda request: seen.complaints.append(f"failed: {request.url}"),
        )
        page.on("pageerror", lambda error: seen.complaints.append(f"script: {error}"))
        page.on(
            "console",
            lambda line: (
                line.type == "error" and seen.complaints.append(f"console: {line.text}")
            ),
        )
        page.goto(f"{site}{name}.html", wait_until="load")
        page.evaluate("() => window.MathJax?.startup?.promise")
        seen.complaints += [
            f"{each.status}: {each.url}"
            for each in seen.responses
            if each.status >= 400
        ]
        seen.bytes = {
            each.url: transferred(each)
            for each in seen.responses
            if each.url.startswith(site)
        }
        page.evaluate(
            "() => document.querySelectorAll('details').forEach(each => { each.open ="
            " true })"
        )
        page.evaluate("() => dispatchEvent(new Event('resize'))")
        seen.theme = page.evaluate("() => document.documentElement.dataset.theme")
        seen.too_wide = page.evaluate(
            "() => document.documentElement.scrollWidth - innerWidth"
        )
        seen.math_errors = page.locator("mjx-merror").all_inner_texts()
        seen.images = page.locator("article img").evaluate_all(
            "all => all.map(each => [each.src.slice(-40), each.alt])"
        )
        complaints = list(
            seen.complaints
        )  # axe fetches style sheets again, and not always from the right place
        named = THEME | (BIBLIOGRAPHY if name == "references" else set())
        seen.violations = violations(page, named, preload=False, **AXE[view])
        seen.complaints = complaints
        context.close()
        return seen

    return once


@pytest.fixture(scope="module")
def strict_site(html):
    """The built book on a server that lets pages load from itself alone."""
    with serve(html, {"Content-Security-Policy": POLICY}) as address:
        yield address


def transferred(response):
    """Bytes of a response as a web server sends it: text gzipped, the rest as it is."""
    body = response.body()
    text = re.search(
        r"text|javascript|json|svg", response.headers.get("content-type", "")
    )
    return len(gzip.compress(body)) if text else len(body)


every_page = pytest.mark.parametrize("name", PAGES)
every_chapter = pytest.mark.parametrize(
    "name", [path.stem for path in sorted((ROOT / "book").glob("*.ipynb"))]
)
every_view = pytest.mark.parametrize("view", VIEWS)


@every_page
@every_view
def test_page_has_no_error_and_fits(visit, name, view):
    seen = visit(name, view)
    assert seen.complaints == []
    assert seen.math_errors == []
    assert seen.theme == VIEWS[view][0]
    assert seen.too_wide <= 0, f"{seen.too_wide} px wider than the screen"


@every_page
@every_view
def test_page_is_accessible(visit, name, view):
    assert visit(name, view).violations == []


@every_page
def test_page_asks_no_other_host(visit, site, name):
    asked = visit(name, "light").asked
    assert (
        asked
        and [url for url in asked if not url.startswith((site, "data:", "blob:"))] == []
    )


@every_page
def test_page_is_light_to_load(visit, site, name):
    sizes = visit(name, "light").bytes
    shared = sum(
        size
        for url, size in sizes.items()
        if url.startswith((f"{site}_static/", f"{site}searchindex.js"))
    )
    total = sum(sizes.values())
    assert total - shared <= 1e6, sizes
    assert total <= 2e6, sizes


@every_page
def test_page_describes_each_image(visit, name):
    assert [
        source for source, alt in visit(name, "light").images if not alt.strip()
    ] == []


def test_pages_name_no_content_network(html):
    for page in html.rglob("*.html"):
        assert not re.findall(
            r"unpkg|jsdelivr|cdnjs|googleapis|fontawesome\.js", page.read_text("utf-8")
        ), page


def test_links_within_the_book_lead_somewhere(html):
    paths = [*html.glob("*.html"), *(html / "_modules").rglob("*.html")]
    pages = {path: Links(path) for path in paths}
    lost = []
    for page, links in pages.items():
        for address in links.addresses:
            path, anchor = urldefrag(urlsplit(address)._replace(query="").geturl())
            if ":" in path.split("/")[0] or path.startswith("//"):
                continue  # to another host, or data
            target = (page.parent / unquote(path)).resolve() if path else page
            if not target.exists() or (
                anchor and target in pages and unquote(anchor) not in pages[target].ids
            ):
                lost.append(f"{page.name}: {address}")
    assert lost == []


@every_chapter
def test_exercises_are_numbered_by_chapter(html, name):
    found = re.findall(
        r"Exercise (\d+)\.(\d+)\s*</span>", (html / f"{name}.html").read_text("utf-8")
    )
    chapter = str(int(name[:2]))
    assert (
        found == [(chapter, str(place)) for place in range(1, len(found) + 1)] and found
    )


@every_chapter
def test_launch_buttons_open_this_chapter(html, name):
    address = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))["repository"][
        "url"
    ]
    slug = address.removeprefix("https://github.com/")
    links = Links(html / f"{name}.html").addresses
    assert (
        f"https://mybinder.org/v2/gh/{slug}/main?urlpath=lab/tree/book/{name}.ipynb"
        in links
    )
    assert (
        f"https://colab.research.google.com/github/{slug}/blob/colab/{name}.ipynb"
        in links
    )


@every_chapter
def test_head_of_a_chapter_says_what_it_takes(html, name):
    text = (html / f"{name}.html").read_text("utf-8")
    head = text[
        text.index("<h1>", text.index("<article")) : text.index('<div class="cell ')
    ]
    line = re.search(r'<p class="reading-time">(.*?)</p>', head)[1]
    words = re.sub(r"<[^>]+>", "", line)
    assert re.fullmatch(
        r"\d+ minutes to read · runs in \d+ seconds on two cores · \d+ exercises", words
    )
    assert len(re.findall(r"<p>You need ", head)) == 1
    address = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))["repository"][
        "url"
    ]
    colab = head[head.index("<details") : head.index("</details>")]
    assert (
        " open" not in colab[: colab.index(">")] and "On Colab, run this first" in colab
    )
    code = re.search(r"<pre>(.*?)</pre>", colab, flags=re.S)[1]
    assert re.sub(r"<[^>]+>", "", code).strip() == f"!pip install git+{address}"


@pytest.mark.parametrize("name", [TOC["root"], *CHAPTERS])
def test_shared_link_shows_title_text_and_picture(html, name):
    text = (html / f"{name}.html").read_text("utf-8")
    tags = dict(
        re.findall(
            r'<meta (?:property|name)="((?:og|twitter):\S+|description)"'
            r' content="([^"]*)">',
            text,
        )
    )
    settings = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))
    owner, project = settings["repository"]["url"].split("/")[-2:]
    assert tags["og:url"] == f"https://{owner}.github.io/{project}/{name}.html"
    assert tags["og:image"] == f"https://{owner}.github.io/{project}/_static/card.png"
    assert tags["og:title"] and tags["twitter:card"] == "summary_large_image"
    if name != "references":  # which has no paragraph of its own
        assert (
            10 < len(tags["og:description"]) <= 220
            and tags["description"] == tags["og:description"]
        )
    picture = (html / "_static" / "card.png").read_bytes()
    assert (picture[12:16], struct.unpack(">II", picture[16:24])) == (
        b"IHDR",
        (1200, 630),
    ) and len(picture) < 100_000


@pytest.mark.parametrize(
    ("repository", "baseurl", "address"),
    [
        ("https://github.com/Owner/a-book", None, "https://owner.github.io/a-book/"),
        ("https://github.com/Owner/a-book/", "", "https://owner.github.io/a-book/"),
        (
            "https://github.com/Owner/a-book",
            "https://books.test/one",
            "https://books.test/one/",
        ),
        ("https://gitlab.com/owner/a-book", None, None),
        ("", None, None),
    ],
)
def test_published_address_comes_from_the_settings(repository, baseurl, address):
    assert opengraph.published(repository, baseurl) == address


@every_page
def test_page_works_where_its_server_allows_no_other_host(browser, strict_site, name):
    context = browser.new_context(base_url=strict_site)
    page, complaints = context.new_page(), []
    page.on(
        "console", lambda line: line.type == "error" and complaints.append(line.text)
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.add_init_script(
        "addEventListener('securitypolicyviolation', e =>"
        " console.error(`${e.violatedDirective}: ${e.blockedURI}`))"
    )
    response = page.goto(f"{name}.html", wait_until="load")
    assert response.headers["content-security-policy"] == POLICY
    page.evaluate("() => window.MathJax?.startup?.promise")
    assert complaints == []
    equations = page.locator(".math").count()
    assert page.locator("mjx-container").count() == equations and (
        equations or name not in ("03_bahdanau", "notation")
    )
    context.close()


@pytest.mark.parametrize("old", REDIRECTS)
@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_old_address_leads_to_the_new_page(browser, site, old, script):
    context = browser.new_context(base_url=site, java_script_enabled=script)
    page = context.new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{old}.html#summary")
    page.wait_for_url(f"**/{REDIRECTS[old]}.html*")
    assert page.locator("h1").count() >= 1
    # Without a script, the part of the address after "#" is lost.
    assert page.url.endswith(".html#summary" if script else ".html")
    assert all(url.startswith((site, "data:")) for url in asked)
    context.close()


@pytest.mark.parametrize("old", REDIRECTS)
def test_page_at_an_old_address_is_accessible_and_not_indexed(browser, html, site, old):
    text = (html / f"{old}.html").read_text("utf-8")
    assert '<meta name="robots" content="noindex">' in text
    assert f'<meta http-equiv="refresh" content="0; url={REDIRECTS[old]}.html">' in text
    assert re.search(
        rf'<link rel="canonical" href="https://.*/{REDIRECTS[old]}\.html">', text
    )
    assert f'"{old}"' not in (html / "searchindex.js").read_text("utf-8")
    page = browser.new_page()
    page.goto(site)
    staying = re.sub(r"<script>.*?</script>|<meta http-equiv.*?>", "", text)
    page.set_content(staying)
    assert page.get_by_role("link", name=f"{REDIRECTS[old]}.html").is_visible()
    assert violations(page) == []
    page.close()


def test_page_of_a_redirect_escapes_names_and_does_without_a_published_address():
    text = redirects.page('a"b')
    assert 'href="a&quot;b.html"' in text and 'a"b' not in text


def test_source_pages_are_of_attnlib_alone_and_are_not_searched(html):
    pages = {
        path.relative_to(html / "_modules").as_posix()
        for path in (html / "_modules").rglob("*.html")
    }
    assert "attnlib/reference.html" in pages
    others = {name for name in pages if not name.startswith("attnlib/")}
    assert others == {"index.html"}
    assert "_modules" not in (html / "searchindex.js").read_text("utf-8")
    text = (html / "_modules" / "attnlib" / "layers.html").read_text("utf-8")
    assert "mybinder.org" not in text and "colab.research" not in text


def test_page_of_attnlib_typesets_formulas_and_links_to_the_source(html):
    page = Links(html / "api.html")
    assert "_modules/attnlib/reference.html#softmax" in page.addresses
    text = (html / "api.html").read_text("utf-8")
    entry = text[text.index('id="attnlib.reference.additive_scores"') :]
    entry = entry[: entry.index("</dd></dl>")]
    assert re.search(r'<div class="math notranslate nohighlight">', entry)
    assert re.search(r"Parameters<span", entry) and "Raises" in entry


def test_no_handler_stands_in_what_comes_from_data(html):
    for name in (TOC["root"], *CHAPTERS):
        article = re.search(
            r"<article.*</article>",
            (html / f"{name}.html").read_text("utf-8"),
            flags=re.S,
        )[0]
        tags = re.findall(
            r"<[^>]*>", re.sub(r"<script.*?</script>", "", article, flags=re.S)
        )
        assert (
            len(tags) > 5
            and [tag for tag in tags if re.search(r"\son\w+\s*=", tag)] == []
        ), name


def test_page_loads_only_the_scripts_that_it_needs(visit):
    def scripts(name):
        return {
            url.split("/")[-1].split("?")[0]
            for url in visit(name, "light").bytes
            if ".js" in url
        }

    search = {"searchindex.js", "searchtools.js", "language_data.js"}
    assert scripts("03_bahdanau") >= {
        "tex-chtml.js",
        "copybutton.js",
        "book.js",
        "solved.js",
    }
    assert (
        scripts("03_bahdanau") & (search | {"togglebutton.js", "design-tabs.js"})
        == set()
    )
    assert "tex-chtml.js" not in scripts("index")
    assert search <= scripts("search")


def test_search_finds_without_a_server_of_its_own(browser, site):
    page = browser.new_page()
    page.goto(f"{site}search.html?q=attention", wait_until="networkidle")
    page.wait_for_selector("#search-results li a")
    assert page.locator("#search-results li a").count() >= 1
    page.close()


def test_book_opens_from_a_folder(browser, html):
    page = browser.new_page()
    complaints = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", lambda request: complaints.append(request.url))
    page.goto((html / "notation.html").as_uri(), wait_until="networkidle")
    assert complaints == []
    page.close()


def test_link_to_something_folded_opens_it(browser, site):
    page = browser.new_page()
    page.goto(f"{site}index.html", wait_until="networkidle")
    fold = (
        "<details id='fold'><summary>Solution</summary><p"
        " id='inside'>42</p></details><a id='go' href='#inside'>see</a>"
    )
    page.evaluate(
        "fold => document.querySelector('article').insertAdjacentHTML('beforeend',"
        " fold)",
        fold,
    )
    assert not page.locator("#inside").is_visible()
    page.locator("#go").click()
    page.wait_for_function("document.getElementById('fold').open")
    assert page.locator("#inside").is_visible()
    page.close()


def test_theme_changes_by_keyboard(browser, site):
    page = browser.new_context(color_scheme="light").new_page()
    page.goto(f"{site}index.html", wait_until="networkidle")
    page.locator("button.theme-switch-button:visible").first.focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.context.close()
