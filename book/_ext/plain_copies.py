"""The plain copies of the chapters (tools/plain_notebooks.py) in the built book.

What a page offers for download is the plain copy of its notebook, and its Colab button
opens the copy on the branch that a workflow publishes. Binder has JupyterLab with MyST,
so its button opens the notebook itself.
"""

from pathlib import Path

from tools import plain_notebooks


def lead_to_the_copies(app, pagename, templatename, context, doctree):
    """Let the Colab button of a page open the copy."""
    repository = app.config.html_theme_options["repository_url"]
    before = "/github/" + repository.removeprefix("https://github.com/") + "/blob/"
    for button in buttons(context.get("header_buttons", [])):
        start, found, _ = button.get("url", "").partition(before)
        if found:
            branch = plain_notebooks.BRANCH
            button["url"] = f"{start}{before}{branch}/{pagename}.ipynb"


def buttons(groups):
    """Every button, also those within groups."""
    for each in groups:
        yield each
        yield from buttons(each.get("buttons", []))


def write_copies(app, exception):
    if exception is None and app.builder.format == "html":
        plain_notebooks.write(Path(app.outdir) / "_sources")


def setup(app):
    # The theme makes the buttons at priority 501.
    app.connect("html-page-context", lead_to_the_copies, priority=900)
    app.connect("build-finished", write_copies)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
