"""Leave out the settings for JupyterLab that stand above the title of a chapter.

The block between two lines ``---`` tells jupyterlab-myst to number exercises and
figures as the pages do, and to give equations no numbers beside those of the papers.
MyST-NB would show it as text.
"""

import json
import re

BLOCK = re.compile(r"\A---\n(.*?)\n---\n+", re.DOTALL)


def leave_out(app, docname, source):
    if not app.env.doc2path(docname).endswith(".ipynb"):
        return
    notebook = json.loads(source[0])
    first = notebook["cells"][0]
    first["source"] = BLOCK.sub("", "".join(first["source"]))
    source[0] = json.dumps(notebook)


def setup(app):
    app.connect("source-read", leave_out)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
