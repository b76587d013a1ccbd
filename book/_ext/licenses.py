"""What ships with the pages but was written by others, and under which licenses.

``{{ shipped }}`` in a page is a table of it. Versions are read, when the book is built,
from the installed packages and from the files of others that these packages carry. The
texts of the licenses are copied beside the pages, to _static/licenses.
"""

import re
import shutil
from importlib.metadata import distribution
from pathlib import Path
from typing import NamedTuple

from tools import engine, engine_recipe

ROOT = Path(__file__).resolve().parents[2]
THEME = "pydata_sphinx_theme/theme/pydata_sphinx_theme/static"
MATHJAX = "sphinx-mathjax-offline/static/mathjax/tex-chtml.js"


class Component(NamedTuple):
    """One row of the table.

    ``files`` are patterns of the files, relative to the pages' folder, in which the
    component stands. ``package`` is the package it is installed with, or None if it is
    in this repository. ``version`` is a path in the package and a pattern, None for the
    version of the package, or the version itself. ``text`` is the path of the license
    in the package ``text_from`` (or else in ``package``), or the file itself; without
    it, the package's own LICENSE is the text. Without a package, paths start at the
    repository's root.
    """

    name: str
    license: str
    package: str | None
    files: tuple
    version: tuple | str | None = None
    text: str | Path | None = None
    text_from: str | None = None


# The plain text of version 2.0, which MathJax's package leaves out.
_APACHE = {"text_from": "requests", "text": "LICENSE"}
_BOOTSTRAP = f"{THEME}/scripts/bootstrap.js.LICENSE.txt"
_AWESOME = f"{THEME}/scripts/fontawesome.js.LICENSE.txt"

COMPONENTS = (
    Component(
        "Sphinx",
        "BSD-2-Clause",
        "sphinx",
        (
            *(
                f"_static/{name}.js"
                for name in (
                    "doctools",
                    "documentation_options",
                    "language_data",
                    "searchtools",
                )
            ),
            *(
                "_static/sphinx_highlight.js",
                "_static/basic.css",
                *(f"_static/{name}.png" for name in ("file", "minus", "plus")),
                "searchindex.js",
                "objects.inv",
                ".buildinfo",
            ),
        ),
    ),
    Component("Pygments", "BSD-2-Clause", "pygments", ("_static/pygments.css",)),
    Component(
        "PyData Sphinx Theme",
        "BSD-3-Clause",
        "pydata-sphinx-theme",
        (
            *(
                "_static/scripts/pydata-sphinx-theme.js",
                "_static/styles/pydata-sphinx-theme.css",
            ),
            *("_static/styles/theme.css", "_static/webpack-macros.html"),
        ),
    ),
    Component(
        "Bootstrap",
        "MIT",
        "pydata-sphinx-theme",
        ("_static/scripts/bootstrap.js*", "_static/styles/pydata-sphinx-theme.css"),
        (_BOOTSTRAP, r"Bootstrap v([\d.]+)"),
        _BOOTSTRAP,
    ),
    Component(
        "Font Awesome Free, cut down to the icons in use",
        "fonts OFL-1.1, icons CC BY 4.0, style MIT",
        "pydata-sphinx-theme",
        (
            "_static/vendor/fontawesome/webfonts/*",
            "_static/styles/pydata-sphinx-theme.css",
        ),
        (_AWESOME, r"Font Awesome Free ([\d.]+)"),
        _AWESOME,
    ),
    Component(
        "Sphinx Book Theme, with the logos of the services that its buttons open",
        "BSD-3-Clause",
        "sphinx-book-theme",
        (
            *(
                "_static/scripts/sphinx-book-theme.js",
                "_static/styles/sphinx-book-theme.css",
            ),
            *(
                "_static/sbt-webpack-macros.html",
                "_static/images/logo_*",
                "_static/locales/*",
            ),
        ),
    ),
    Component("MyST-NB", "BSD-3-Clause", "myst-nb", ("_static/mystnb.*.css",)),
    Component(
        "sphinx-copybutton, with an icon of Tabler Icons",
        "MIT",
        "sphinx-copybutton",
        (
            "_static/copybutton*",
            "_static/copy-button.svg",
            "_static/check-solid.svg",
        ),
    ),
    Component(
        "clipboard.js",
        "MIT",
        "sphinx-copybutton",
        ("_static/clipboard.min.js",),
        ("sphinx_copybutton/_static/clipboard.min.js", r"clipboard\.js v([\d.]+)"),
    ),
    Component(
        "sphinx-togglebutton",
        "MIT",
        "sphinx-togglebutton",
        ("_static/togglebutton.*",),
    ),
    Component(
        "sphinx-design",
        "MIT",
        "sphinx-design",
        ("_static/sphinx-design.min.css", "_static/design-tabs.js"),
    ),
    Component(
        "Octicons",
        "MIT",
        "sphinx-design",
        ("[0-9]*.html",),
        text="sphinx_design/compiled/octicon_LICENSE",
    ),
    Component("sphinx-exercise", "MIT", "sphinx-exercise", ("_static/exercise.css",)),
    Component(
        "MathJax, with its fonts",
        "Apache-2.0",
        "sphinx-mathjax-offline",
        ("_static/mathjax/*",),
        (MATHJAX, r'VERSION="(3[\d.]+)"'),
        **_APACHE,
    ),
    Component(
        "Speech Rule Engine",
        "Apache-2.0",
        "sphinx-mathjax-offline",
        ("_static/mathjax/tex-chtml.js",),
        (MATHJAX, r'VERSION="(4[\d.]+)"'),
        **_APACHE,
    ),
)
# What is in the Python of the page: the archive, and the name in the lock.
_ENGINE_NAMES = {
    "pyodide": ("Pyodide", "pyodide*"),
    "python": ("Python, in Pyodide", "std.zip"),
    "numpy": ("NumPy, in Pyodide", "numpy.zip"),
}
# The plain texts, which Pyodide's own files leave out.
_ENGINE_TEXTS = {"pyodide": "hypothesis", "python": "typing_extensions"}


def engine_components(folder, lock):
    """The rows of the Python of the page, if it is there.

    Parameters
    ----------
    folder : pathlib.Path or None
        What ``engine.folder`` returns.
    lock : dict
        What ``engine.read_lock`` returns.

    Returns
    -------
    tuple of Component
        One for each package.
    """
    rows = []
    for package, kind in engine_recipe.LICENSES.items() if folder else ():
        default = (f"{package.replace('_', '-')}, in Pyodide", "matplotlib.zip")
        name, files = _ENGINE_NAMES.get(package, default)
        lent = _ENGINE_TEXTS.get(package)
        rows.append(
            Component(
                name[0].upper() + name[1:],
                kind,
                lent or package,
                (f"_static/run/{folder.name}/{files}",),
                engine_version(package, lock),
                text=None if lent else folder / "licenses" / f"{package}.txt",
                text_from=lent,
            )
        )
    return tuple(rows)


def engine_version(package, lock):
    """The version of a package of the Python of the page."""
    if package == "python":
        return lock["info"]["python"]
    if package == "pyodide":
        return lock["version"]
    return engine_recipe.file_of(lock, package).split("-")[1]


COMPONENTS += engine_components(engine.folder(), engine.read_lock())
# The editor of the cells that run in the page.
EDITOR = Component(
    "CodeMirror, with Lezer",
    "MIT",
    None,
    ("_static/run/editor.js",),
    ("tools/editor/bundle.json", r'"@codemirror/view",\s+"version": "([\d.]+)"'),
    "book/_run/editor.licenses.txt",
)
COMPONENTS += (EDITOR,) if engine.folder() else ()
# What the book brings itself, beside its pages.
OWN_STATIC = tuple(
    f"_static/{name}"
    for name in (
        *("book.*", "favicon.svg", "card.png"),
        *("enlarge.js", "print.js", "search_text.js", "solved.js"),
    )
)
OWN_RUN = tuple(
    f"_static/run/{name}"
    for name in (
        *("attnlib.zip", "client.js", "figures.js", "interactive.js", "results.zip"),
        *("calling.js", "weights.zip"),
        *("kernel.py", "page.js"),
        *("pyodide_adapter.js", "run.css", "running.js", "worker.js"),
    )
)
OWN = (
    *("*.html", "_sources/*", "_images/*", "_static/licenses/*"),
    *OWN_STATIC,
    *OWN_RUN,
)


def version(component):
    """The version that ships, as text."""
    if isinstance(component.version, str):
        return component.version
    if component.version is None:
        return distribution(component.package).version
    path, pattern = component.version
    content = located(component.package, path).read_text("utf-8")
    return re.search(pattern, content).group(1)


def located(package, path):
    """A path in an installed package or, without a package, in the repository."""
    if package is None:
        return ROOT / path
    return Path(distribution(package).locate_file(path))


def license_file(component):
    """The path of the license's text, in an installed package or in the repository."""
    if isinstance(component.text, Path):
        return component.text
    name = component.text_from or component.package
    if component.text and "/" in component.text:
        return located(name, component.text)
    package = distribution(name)
    own = re.compile(r"dist-info/(licenses/)?(LICENSE|COPYING)[^/]*$")
    found = next(file for file in package.files if own.search(str(file)))
    return Path(package.locate_file(found))


def text_name(component):
    """The name under which the text is served, such as "mathjax.txt"."""
    name = component.name.split(",")[0].lower()
    return re.sub(r"\W+", "-", name).strip("-") + ".txt"


def table():
    """The components as a table in Markdown."""
    lines = ["| component | version | license, and its text |", "|---|---|---|"]
    for each in sorted(COMPONENTS, key=lambda each: each.name.lower()):
        address = f"_static/licenses/{text_name(each)}"
        link = f"<a href='{address}'>{each.license}</a>"
        lines.append(f"| {each.name} | {version(each)} | {link} |")
    return "\n".join(lines)


def add_substitution(app, config):
    substitutions = config.myst_substitutions or {}
    config.myst_substitutions = {**substitutions, "shipped": table()}


def copy_texts(app, exception):
    if exception or app.builder.format != "html":
        return
    folder = Path(app.outdir) / "_static" / "licenses"
    folder.mkdir(parents=True, exist_ok=True)
    for each in COMPONENTS:
        shutil.copyfile(license_file(each), folder / text_name(each))


def setup(app):
    # Before MyST reads its settings.
    app.connect("config-inited", add_substitution, priority=100)
    app.connect("build-finished", copy_texts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
