"""Keep every page of the book self-contained: nothing is fetched from another host.

- Jupyter Book always loads sphinx-thebe, which names a CDN in every page. Its listeners
  are disconnected.
- MathJax is served from the book's own folder. It is copied from the package
  sphinx-mathjax-offline: the one component that pages load, its fonts, and the TeX
  extensions that it fetches when an equation needs them.
"""

import shutil
from importlib.util import find_spec
from pathlib import Path

MATHJAX = ("tex-chtml.js", "output/chtml/fonts/woff-v2", "input/tex/extensions")


def disconnect_thebe(app, config):
    for listeners in app.events.listeners.values():
        listeners[:] = [
            each
            for each in listeners
            if each.handler.__module__.split(".")[0] != "sphinx_thebe"
        ]
    app.registry.css_files[:] = [
        each for each in app.registry.css_files if each[0] != "sphinx-thebe.css"
    ]


def copy_mathjax(app, exception):
    if exception or app.builder.format != "html":
        return
    package = Path(find_spec("sphinx-mathjax-offline").origin).parent
    target = Path(app.outdir) / "_static" / "mathjax"
    for name in MATHJAX:
        source = package / "static" / "mathjax" / name
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target / name, dirs_exist_ok=True)
        else:
            shutil.copy(source, target / name)


def setup(app):
    app.connect("config-inited", disconnect_thebe)
    app.connect("build-finished", copy_mathjax)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
