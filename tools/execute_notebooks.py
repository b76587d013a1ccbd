"""Execute chapters in fresh kernels and store them, normalized, with their outputs.

    python -m tools.execute_notebooks                 every chapter
    python -m tools.execute_notebooks 03_bahdanau     only the chapters named

The seconds and the peak memory of each run are written to book/_data/run_times.json,
which the line below a chapter's title shows. A chapter that fails, or that is not in
normal form afterward, is named at the end, and the exit status is 1.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from tools import normalize_notebooks
from tools.build_book import ROOT, escape_what_the_terminal_cannot_show

BOOK = ROOT / "book"
RUN_TIMES = BOOK / "_data" / "run_times.json"
CELL_TIMEOUT = 300  # seconds
ANSI_COLOR = re.compile(r"\x1b\[[0-9;]*m")  # in a traceback
FAILURES = (CellExecutionError, CellTimeoutError, DeadKernelError)
PEAK_MEMORY = """\
from attnlib.provenance import peak_memory_mb
print(peak_memory_mb())
"""


def execute(notebook, timeout=CELL_TIMEOUT, folder=BOOK):
    """Execute a notebook in place, in a fresh kernel started in ``folder``.

    Returns (seconds, peak memory in MB).
    """
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
            cell.execution_count = None
    notebook.cells.append(nbformat.v4.new_code_cell(PEAK_MEMORY))
    client = NotebookClient(
        notebook,
        timeout=timeout,
        kernel_name="python3",
        # Otherwise, what C code writes to file descriptor 2 becomes an output here,
        # but not under pytest.
        extra_arguments=["--IPKernelApp.capture_fd_output=False"],
        record_timing=False,
        resources={"metadata": {"path": str(folder)}},
    )
    started = time.monotonic()
    try:
        client.execute(stderr=subprocess.DEVNULL)  # what TensorFlow and the kernel log
    finally:
        measured = notebook.cells.pop()
    return time.monotonic() - started, float(measured.outputs[0].text)


def refresh(path):
    """Execute one chapter and store it.

    Returns (seconds, megabytes, notes), where the notes say what is not as it should
    be.
    """
    notebook = nbformat.read(path, as_version=4)
    seconds, megabytes = execute(notebook)
    notes = normalize_notebooks.normalize(notebook)
    nbformat.validate(notebook)
    notes += normalize_notebooks.violations(notebook)
    fresh = path.with_suffix(".fresh")
    nbformat.write(notebook, fresh)
    os.replace(fresh, path)
    return seconds, megabytes, notes


def record(name, seconds, megabytes):
    """Store a chapter's run time and peak memory where the book's pages find them."""
    times = json.loads(RUN_TIMES.read_text("utf-8")) if RUN_TIMES.exists() else {}
    times[name] = {"seconds": round(seconds), "megabytes": round(megabytes, -1)}
    RUN_TIMES.parent.mkdir(exist_ok=True)
    RUN_TIMES.write_text(json.dumps(times, indent=1, sort_keys=True) + "\n", "utf-8")


def refresh_and_report(path):
    """Execute, store, and record one chapter. Returns whether it is as it should be."""
    print(f"{path.stem} ...", end=" ", flush=True)
    try:
        seconds, megabytes, notes = refresh(path)
    except FAILURES as error:
        print(f"failed, and was left as it was\n{ANSI_COLOR.sub('', str(error))}")
        return False
    record(path.stem, seconds, megabytes)
    print(f"{seconds:.0f} s, {megabytes:.0f} MB")
    for note in notes:
        print(f"  {note}")
    return not notes


def chapters():
    """The paths of all chapters. Links under their old names are left out."""
    return sorted(path for path in BOOK.glob("*.ipynb") if not path.is_symlink())


def main(arguments=None):
    escape_what_the_terminal_cannot_show()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "chapters", nargs="*", help="names such as 03_bahdanau; default: all chapters"
    )
    names = [Path(chapter).stem for chapter in parser.parse_args(arguments).chapters]
    paths = [BOOK / f"{name}.ipynb" for name in names] or chapters()
    missing = ", ".join(path.name for path in paths if not path.exists())
    if missing:
        available = ", ".join(path.stem for path in chapters())
        print(f"No such chapter: {missing}. There are {available}.")
        return 1
    try:
        tempfile.TemporaryFile(dir=BOOK).close()
    except OSError as error:
        print(f"No chapter was run: {BOOK} cannot be written to ({error.strerror}).")
        return 1
    failed = [path.stem for path in paths if not refresh_and_report(path)]
    if failed:
        print(f"Failed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
