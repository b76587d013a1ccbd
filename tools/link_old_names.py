"""Let links to a notebook's old name open the notebook: make symbolic links.

    python -m tools.link_old_names

Binder runs this (postBuild), so that an old Binder or JupyterLab address opens the
chapter under its new name. The names come from the table ``redirects`` in _config.yml.
"""

from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent


def redirects(root=ROOT):
    """The table in _config.yml, from old names to new ones."""
    settings = yaml.safe_load((root / "_config.yml").read_text("utf-8"))
    return settings["sphinx"]["config"]["redirects"]


def link(folder, table):
    """Link ``<old>.ipynb`` to ``<new>.ipynb`` where a notebook has the new name.

    A file that is not a link is left alone. Returns the paths of the links.
    """
    links = []
    for old, new in table.items():
        path = folder / f"{old}.ipynb"
        target = f"{new}.ipynb"
        if path.is_symlink():
            path.unlink()
        if (folder / target).exists() and not path.exists():
            path.symlink_to(target)
            links.append(path)
    return links


if __name__ == "__main__":
    for path in link(ROOT / "book", redirects()):
        print(f"{path.name} -> {path.readlink()}")
