"""Build the book into book/_build/html, unless it is there and newer than all it is
made from.

    python tools/build_book.py

A build always starts from nothing: Sphinx reports a warning only for the pages it reads
again, so a second, incremental build would pass over what the first one refused, and
keep pages that are gone.
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
    "requirements.txt",
    "tools/build_book.py",
)


def sources():
    """Every file that a page is made from."""
    for name in SOURCES:
        path = ROOT / name
        yield from (
            [path]
            if path.is_file()
            else (file for file in path.rglob("*") if file.is_file())
        )


def is_fresh():
    """Whether the built book is newer than everything it is made from."""
    if not STAMP.exists():
        return False
    built = STAMP.stat().st_mtime
    made = {"_build", "__pycache__", ".ipynb_checkpoints"}
    return all(
        file.stat().st_mtime <= built
        for file in sources()
        if not made & set(file.relative_to(ROOT).parts)
    )


def build():
    """Build every page, with each warning an error; return the exit status."""
    shutil.rmtree(HTML.parent, ignore_errors=True)
    command = [
        sys.executable,
        "-c",
        "from jupyter_book.cli.main import main; main()",
        "build",
        "book",
    ]
    command += [
        "--config",
        str(ROOT / "_config.yml"),
        "--toc",
        str(ROOT / "_toc.yml"),
        "--path-output",
        "book",
    ]
    command += ["-W", "-n", "--keep-going", "-q"]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONUTF8": "1"},
        stdin=subprocess.DEVNULL,
    )
    if done.returncode == 0:
        STAMP.touch()
    return done.returncode


def main():
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(
                errors="backslashreplace"
            )  # the folder's name may not fit the terminal
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
    return 0


if __name__ == "__main__":
    sys.exit(main())
