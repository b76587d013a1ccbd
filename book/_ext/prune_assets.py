"""Serve the scripts and icons that a page uses, and no others.

- The theme ships all of FontAwesome, as a script of 1.5 MB and again as fonts. Its
style sheet needs the
  fonts alone, and a page shows about twenty icons: so the script is dropped, and the
  fonts are cut down.
- Every page loads MathJax, what turns boxes into folds and tabs, and the search with
its index. A page without
  equations, such boxes or tabs needs none of the first; only the search page needs the
  last, since nothing is searched while one types.
"""

import re
from pathlib import Path

from fontTools import subset

# A script or style sheet, by its file, and what stands in a page that needs it.
NEEDED_BY = {
    r"fontawesome\.js": None,
    r"mathjax/tex-chtml\.js": r'class="(?:[^"]* )?math[ "]',
    r"togglebutton\.(?:js|css)": (
        r'class="(?:[^"]* )?(?:toggle|admonition .*?dropdown|dropdown'
        r' .*?admonition)[ "]'
    ),
    r"design-tabs\.js": r'class="(?:[^"]* )?sd-tab-set[ "]',
    r"(?:searchtools|language_data|searchindex)\.js": r'id="search-results"',
}
FONT = re.compile(
    r'src:url\(([^)]*)\.woff2\) format\("woff2"\),url\([^)]*\.ttf\)'
    r' format\("truetype"\)'
)
NAMED = re.compile(r'((?:\.fa-[\w-]+:before,?)+)\{content:"\\([0-9a-f]+)"\}')
POINT = re.compile(r'"\\(f[0-9a-f]{3})"|"([\uf000-\uf8ff])"')


def used_points(styles, pages):
    """Code points of the icons that pages name, and of those that the style sheets use
    by themselves.
    """
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
            page = re.sub(
                rf'<script[^>]*src="[^"]*\b{file}[^"]*"[^>]*></script>|<link[^>]*\b{file}[^>]*>',
                "",
                page,
            )
    return page


def slim(app, exception):
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
        options = subset.Options(
            flavor="woff", layout_features=[], notdef_outline=False
        )
        font = subset.load_font(str(path), options)
        cutter = subset.Subsetter(options)
        cutter.populate(unicodes=points)
        cutter.subset(font)
        subset.save_font(font, str(path.with_suffix(".woff")), options)
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
    app.connect("build-finished", slim)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
