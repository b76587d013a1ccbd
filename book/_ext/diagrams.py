"""The book's own diagrams (SVG) follow the theme of a page.

A diagram is drawn in light colors. Its copy in dark colors is made at the end of a
build, and a page holds both, of which _static/book.css shows one.
"""

import re
from pathlib import Path

IMAGE = re.compile(r'<img(?P<before>[^>]*?) src="(?P<path>[^"]*_images/[^"]*)\.svg"')
# The colors in which diagrams are drawn, and those that take their place in the dark.
DARK = {
    "#fbfaf6": "#1d2328",  # paper
    "#d9d5c8": "#39424a",  # the paper's edge
    "#ffffff": "#14181b",
    "#1f2937": "#dde3e8",  # text
    "#4b5563": "#a3afba",  # notes and arrows
    "#6b7280": "#94a1ad",
    "#08735a": "#6fd3bc",  # attention
    "#d5eee6": "#16352f",
    "#1b62a5": "#8cbff0",  # source
    "#dbe9f6": "#1c3348",
    "#b3500c": "#f2a878",  # target
    "#fde8d7": "#43291a",
}
COLOR = re.compile(r"#(?:[0-9a-fA-F]{6}|[0-9a-fA-F]{3})\b")


def darkened(diagram):
    """A diagram's text in dark colors. Raises KeyError at a color without a partner."""

    def partner(match):
        color = match[0].lower()
        if len(color) == 4:
            color = "#" + "".join(2 * digit for digit in color[1:])
        return DARK[color]

    return COLOR.sub(partner, diagram)


def add_dark_copies(body):
    """A page's HTML in which a copy for dark pages follows each diagram."""

    def both(tag):
        light, dark = (
            IMAGE.sub(
                rf'<img data-shown="{theme}"\g<before> src="\g<path>{ending}.svg"', tag
            )
            for theme, ending in (("light", ""), ("dark", "-dark"))
        )
        return light + dark

    return re.sub(
        r"<img[^>]*>", lambda m: both(m[0]) if IMAGE.match(m[0]) else m[0], body
    )


def show_both(app, pagename, templatename, context, doctree):
    if "body" in context:
        context["body"] = add_dark_copies(context["body"])


def write_dark_copies(app, exception):
    if exception or app.builder.format != "html":
        return
    for path in (Path(app.outdir) / "_images").glob("*.svg"):
        if not path.stem.endswith("-dark"):
            copy = path.with_stem(f"{path.stem}-dark")
            copy.write_text(darkened(path.read_text("utf-8")), "utf-8")


def setup(app):
    app.connect("html-page-context", show_both)
    app.connect("build-finished", write_dark_copies)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
