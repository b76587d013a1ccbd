"""Build the book into book/_build/html, unless it is newer than all of its sources.

    python -m tools.build_book

A build always starts from nothing. Sphinx reports a warning only for the pages that it
reads again, so an incremental build would miss what the first build refused, and would
keep pages that no longer exist.
"""

import io
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HTML = ROOT / "book" / "_build" / "html"
STAMP = HTML.parent / ".built"
SOURCES = (
    "_config.yml",
    "_toc.yml",
    "book",
    "attnlib",
    "benchmarks",
    "experiments/results",
    "requirements.txt",
    "tools/build_book.py",
    "tools/engine.lock.json",
    "tools/engine.py",
    "tools/engine_compile.mjs",
    "tools/engine_compile.py",
    "tools/engine_recipe.py",
    "tools/pack_attnlib.py",
    "tools/plain_notebooks.py",
)
NOT_SOURCES = {"_build", "__pycache__", ".ipynb_checkpoints"}
COMMAND = [
    *(sys.executable, "-c", "from jupyter_book.cli.main import main; main()"),
    *("build", "book", "--path-output", "book"),
    *("--config", str(ROOT / "_config.yml")),
    *("--toc", str(ROOT / "_toc.yml")),
    *("-W", "-n", "--keep-going", "-q"),
]


def sources():
    """Every file that a page is made from."""
    for name in SOURCES:
        path = ROOT / name
        yield from [path] if path.is_file() else filter(Path.is_file, path.rglob("*"))


def engine_of_the_pages():
    """The name of the folder of the Python that the pages would get now, or ""."""
    from tools import engine

    folder = engine.folder()
    return folder.name if folder else ""


def is_fresh():
    """Whether the built book is newer than all of its sources, and has the Python that
    it would get now.
    """
    if not STAMP.exists() or STAMP.read_text("utf-8") != engine_of_the_pages():
        return False
    built = STAMP.stat().st_mtime
    return all(
        file.stat().st_mtime <= built
        for file in sources()
        if not NOT_SOURCES & set(file.relative_to(ROOT).parts)
    )


def build():
    """Build every page, treating each warning as an error. Returns the exit status."""
    shutil.rmtree(HTML.parent, ignore_errors=True)
    environment = {**os.environ, "PYTHONUTF8": "1"}
    done = subprocess.run(COMMAND, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL)
    if done.returncode == 0:
        STAMP.write_text(engine_of_the_pages(), "utf-8")
    return done.returncode


def escape_what_the_terminal_cannot_show():
    """Let prints replace characters (of a folder's name, say) instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def get_engine():
    """Build the Python of the pages if it is missing; say so if it cannot be had."""
    from tools import engine

    built, line = engine.build(online=os.environ.get("ATTNLIB_OFFLINE") != "1")
    if built is None:
        print(line, file=sys.stderr)


def main():
    escape_what_the_terminal_cannot_show()
    get_engine()
    if not is_fresh():
        try:
            HTML.parent.mkdir(exist_ok=True)
            tempfile.TemporaryFile(dir=HTML.parent).close()
        except OSError as error:
            print(
                f"The book was not built: {HTML.parent} cannot be written to"
                f" ({error.strerror}).",
                file=sys.stderr,
            )
            return 1
        status = build()
        if status:
            print("The book was not built: see the warnings above.", file=sys.stderr)
            return status
    print(f"The book is at {HTML / 'index.html'}")
    if engine_of_the_pages():
        print(
            "Exercises run in its pages when a server delivers them:"
            f" python -m http.server -d {HTML.relative_to(ROOT).as_posix()}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
