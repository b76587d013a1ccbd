"""JupyterLab opens at the index of the book's chapters, where the index is."""

import sys
from pathlib import Path

c = get_config()  # noqa: F821  (Jupyter defines it)

# `jupyter lab` and `jupyter lab book` are told apart by the folder that is named.
folder = next((Path(word) for word in sys.argv[1:] if Path(word).is_dir()), Path())
for index in ("index.md", "book/index.md"):
    if (folder / index).is_file():
        c.LabApp.default_url = f"/lab/tree/{index}"
        break
