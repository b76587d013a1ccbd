"""Serve only the scripts and icons that a page uses.

- The theme ships all of FontAwesome twice: as a script of 1.5 MB, and as fonts. Its
  style sheet needs only the fonts, and the pages show about twenty icons. So the script
  is removed, and the fonts are cut down to the icons in use.
- Every page loads MathJax, the scripts that make folds and tabs, and the search with
  its index. A page without equations, folds, or tabs needs none of the former. Only the
  search page needs the latter, because nothing is searched while one types.
"""

import re
from pathlib import Path

from fontTools import subset

# A script or style sheet, and what stands in a page that needs it.
NEEDED_BY = {
    r"fontawesome\.js": None,
    r"mathjax/tex-chtml\.js": r'class="(?:[^"]* )?math[ "]',
    r"togglebutton\.(?:js|css)": (
        r'class="(?:[^"]* )?(?:toggle|admonition .*?dropdown|dropdown'
        r' .*?admonition)[ "]'
    ),
    r"design-tabs\.js": r'class="(?:[^"]* )?sd-tab-set[ "]',
    r"(?:searchtools|search_text|language_data|searchindex)\.js": (
        r'id="search-results"'
    ),
}
FONT = re.compile(
    r'src:url\(([^)]*)\.woff2\) format\("woff2"\),url\([^)]*\.ttf\)'
    r' format\("truetype"\)'
)
NAMED = re.compile(r'((?:\.fa-[\w-]+:before,?)+)\{content:"\\([0-9a-f]+)"\}')
POINT = re.compile(r'"\\(f[0-9a-f]{3})"|"([\uf000-\uf8ff])"')


def used_points(styles, pages):
    """The code points of the icons that pages name and that style sheets use."""
    names = {name for page in pages for name in re.findall(r"\bfa-[\w-]+", page)}
    points = {
        int(code, 16) if code else ord(letter)
        for code, letter in POINT.findall(NAMED.sub("", styles))
    }
    for selectors, code in NAMED.findall(styles):
        if names & set(re.findall(r"fa-[\w-]+", selectors)):
            points.add(int(code, 16))
    return points


def without_unused(page):
    """A page's HTML without the scripts and style sheets that it does not need."""
    for file, sign in NEEDED_BY.items():
        if not (sign and re.search(sign, page)):
            script = rf'<script[^>]*src="[^"]*\b{file}[^"]*"[^>]*></script>'
            page = re.sub(rf"{script}|<link[^>]*\b{file}[^>]*>", "", page)
    return page


def cut_font(path, points):
    """Write a .woff with only the icons in ``points`` beside the font ``path``."""
    options = subset.Options(flavor="woff", layout_features=[], notdef_outline=False)
    font = subset.load_font(str(path), options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=points)
    subsetter.subset(font)
    subset.save_font(font, str(path.with_suffix(".woff")), options)


def prune(app, exception):
    if exception or app.builder.format != "html":
        return
    out = Path(app.outdir)
    static = out / "_static"
    style = static / "styles" / "pydata-sphinx-theme.css"
    text = style.read_text("utf-8")
    pages = {path: path.read_text("utf-8") for path in out.rglob("*.html")}
    styles = text + "".join(
        path.read_text("utf-8") for path in static.rglob("*.css") if path != style
    )
    points = used_points(styles, pages.values())
    fonts = static / "vendor" / "fontawesome" / "webfonts"
    for path in fonts.glob("*.ttf"):
        cut_font(path, points)
    style.write_text(FONT.sub(r'src:url(\1.woff) format("woff")', text), "utf-8")
    for path, page in pages.items():
        path.write_text(without_unused(page), "utf-8")
    for unused in (
        *fonts.glob("*.ttf"),
        *fonts.glob("*.woff2"),
        *static.rglob("fontawesome.js*"),
        *static.rglob("*.map"),
    ):
        unused.unlink(missing_ok=True)


def setup(app):
    app.connect("build-finished", prune)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
