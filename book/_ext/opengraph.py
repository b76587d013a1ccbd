"""What a link to a page shows where it is shared: title, first sentence, and picture.

They stand in the page's <meta> tags. The address of the picture needs a host: that of
GitHub Pages for the repository in _config.yml, or ``html: baseurl`` there, if the book
is published elsewhere.
"""

import re
from html import escape

from docutils import nodes

LONGEST = 200  # characters of a description
ALT = "Words of two sentences, joined by lines that are thick where attention is high"


def published(repository, baseurl=None):
    """The address at which the book is published, with a slash at its end.

    Returns None if nothing tells it.
    """
    if baseurl:
        return baseurl.rstrip("/") + "/"
    found = re.fullmatch(r"https://github\.com/([\w.-]+)/([\w.-]+?)/?", repository)
    return f"https://{found[1].lower()}.github.io/{found[2]}/" if found else None


def address_of_book(app):
    """The published address, as the settings of a build tell it, or None."""
    repository = app.config.html_theme_options.get("repository_url", "")
    return published(repository, app.config.html_baseurl)


def description(doctree):
    """A page's first paragraph, cut after a word."""
    for paragraph in doctree.findall(nodes.paragraph):
        text = " ".join(paragraph.astext().split())
        if "reading-time" in paragraph["classes"] or not text:
            continue
        if len(text) <= LONGEST:
            return text
        return text[: text.rindex(" ", 0, LONGEST)] + " …"
    return None


def add_tags(app, pagename, templatename, context, doctree):
    if doctree is None:
        return
    address = address_of_book(app)
    text = description(doctree)
    tags = {
        "og:type": "article",
        "og:site_name": escape(app.config.html_title),
        "og:title": re.sub(r"<[^>]+>", "", context["title"]),
    }
    if text:
        tags["og:description"] = escape(text)
    if address:
        tags["og:url"] = f"{address}{pagename}.html"
        tags["og:image"] = f"{address}_static/card.png"
        tags["og:image:alt"] = ALT
    lines = [
        f'<meta property="{name}" content="{content}">'
        for name, content in tags.items()
    ]
    if text:
        lines.append(f'<meta name="description" content="{escape(text)}">')
    lines.append('<meta name="twitter:card" content="summary_large_image">')
    context["metatags"] += "".join(f"\n    {line}" for line in lines)


def setup(app):
    app.connect("html-page-context", add_tags)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
