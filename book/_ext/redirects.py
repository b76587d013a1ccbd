"""Pages at the old addresses of renamed pages, which lead to the new ones.

The table ``redirects`` stands in _config.yml, under sphinx: config, and maps old names
to new ones. The same table gives Binder links for the old notebooks
(tools/link_old_names.py).
"""

from html import escape
from pathlib import Path

from book._ext import opengraph

# The refresh works without JavaScript; the script alone keeps the part after "#".
PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>This page has moved</title>
<link rel="canonical" href="{canonical}">
<script>location.replace("{target}" + location.search + location.hash)</script>
<meta http-equiv="refresh" content="0; url={target}">
</head>
<body>
<main>
<h1>This page has moved</h1>
<p>It is now at <a href="{target}">{target}</a>.</p>
</main>
</body>
</html>
"""


def page(new, address=None):
    """The HTML of a page that leads to the page ``new``.

    ``address`` is where the book is published, if it is known.
    """
    target = escape(f"{new}.html")
    return PAGE.format(target=target, canonical=escape(address or "") + target)


def write_pages(app, exception):
    if exception or app.builder.format != "html":
        return
    address = opengraph.address_of_book(app)
    for old, new in app.config.redirects.items():
        if new not in app.env.found_docs:
            raise ValueError(f"redirects should lead to a page of the book, got {new}")
        path = Path(app.outdir) / f"{old}.html"
        path.write_text(page(new, address), "utf-8")


def setup(app):
    app.add_config_value("redirects", {}, "html", [dict])
    app.connect("build-finished", write_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
