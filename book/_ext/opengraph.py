"""What a link to a page shows where it is shared: title, first sentence and a picture,
in <meta> tags.

The picture has to be named with its host, which is that of GitHub Pages for the
repository of _config.yml, or
`html: baseurl` there, where the book is published elsewhere.
"""

import re
from html import escape

from docutils import nodes

LONGEST = 200  # characters of a description


def published(repository, baseurl=None):
    """The address at which the book is published, with a slash at its end, or None
    where nothing tells it.
    """
    if baseurl:
        return baseurl.rstrip("/") + "/"
    found = re.fullmatch(r"https://github\.com/([\w.-]+)/([\w.-]+?)/?", repository)
    return f"https://{found[1].lower()}.github.io/{found[2]}/" if found else None


def description(doctree):
    """A page's first paragraph, cut after a word."""
    for paragraph in doctree.findall(nodes.paragraph):
        if "effort" not in paragraph["classes"] and paragraph.astext().strip():
            text = " ".join(paragraph.astext().split())
            return (
                text
                if len(text) <= LONGEST
                else text[: text.rindex(" ", 0, LONGEST)] + " …"
            )
    return None


def add_card(app, pagename, templatename, context, doctree):
    if doctree is None:
        return
    address = published(
        app.config.html_theme_options.get("repository_url", ""),
        app.config.html_baseurl,
    )
    title = re.sub(r"<[^>]+>", "", context["title"])
    tags = {
        "og:type": "article",
        "og:site_name": escape(app.config.html_title),
        "og:title": title,
    }
    if text := description(doctree):
        tags["og:description"] = escape(text)
        context["metatags"] += (
            f'\n    <meta name="description" content="{escape(text)}">'
        )
    if address:
        tags["og:url"] = f"{address}{pagename}.html"
        tags["og:image"] = f"{address}_static/card.png"
        tags["og:image:alt"] = (
            "Words of two sentences, tied by lines that are thick where a word was"
            " looked at"
        )
    context["metatags"] += "".join(
        f'\n    <meta property="{name}" content="{text}">'
        for name, text in tags.items()
    )
    context["metatags"] += (
        '\n    <meta name="twitter:card" content="summary_large_image">'
    )


def setup(app):
    app.connect("html-page-context", add_card)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
