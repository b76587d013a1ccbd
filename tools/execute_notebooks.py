"""Run chapters again, from a fresh kernel each, and store them in normal form with
their outputs.

    python tools/execute_notebooks.py                    every chapter
    python tools/execute_notebooks.py 03_bahdanau        those named

Writes the seconds and the peak memory of each run to book/_data/run_times.json, which
the chapters' heads show. A chapter that fails, or that is not in normal form
afterwards, is named at the end, and the exit code is 1.
"""

import argparse
import io
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

sys.path.insert(0, str(Path(__file__).resolve().parent))
import normal_form  # noqa: E402

BOOK = Path(__file__).resolve().parent.parent / "book"
RUN_TIMES = BOOK / "_data" / "run_times.json"
CELL_TIMEOUT = 300  # seconds
COLOURS = re.compile(r"\x1b\[[0-9;]*m")  # of a traceback

# On Linux ru_maxrss counts what the parent held when it forked, so the kernel's own
# high-water mark is read there.
PEAK_MEMORY = """\
import sys
if sys.platform == "win32":
    import psutil
    print(psutil.Process().memory_info().peak_wset / 2**20)
elif sys.platform == "linux":
    with open("/proc/self/status") as status:
        print(next(int(line.split()[1]) / 2**10 for line in status if line.startswith("VmHWM:")))
else:
    import resource
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
"""


def execute(notebook, timeout=CELL_TIMEOUT, folder=BOOK):
    """Run a notebook in place, in a fresh kernel started in `folder`. Returns (seconds,
    peak memory in MB).
    """
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    notebook.cells.append(nbformat.v4.new_code_cell(PEAK_MEMORY))
    client = NotebookClient(
        notebook,
        timeout=timeout,
        kernel_name="python3",
        # Else what C code writes to file descriptor 2 becomes an output here, and none
        # under pytest.
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
    """Run one chapter and store it. Returns (seconds, megabytes, notes), the notes on
    what is not as it should be.
    """
    notebook = nbformat.read(path, as_version=4)
    seconds, megabytes = execute(notebook)
    notes = normal_form.normalise(notebook)
    nbformat.validate(notebook)
    notes += normal_form.breaches(notebook)
    fresh = path.with_suffix(".fresh")
    nbformat.write(notebook, fresh)
    os.replace(fresh, path)
    return seconds, megabytes, notes


def record(name, seconds, megabytes):
    """Keep a chapter's run time and memory where the book's pages find them."""
    times = json.loads(RUN_TIMES.read_text("utf-8")) if RUN_TIMES.exists() else {}
    times[name] = {"seconds": round(seconds), "megabytes": round(megabytes, -1)}
    RUN_TIMES.parent.mkdir(exist_ok=True)
    RUN_TIMES.write_text(json.dumps(times, indent=1, sort_keys=True) + "\n", "utf-8")


def main(arguments=None):
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(
                errors="backslashreplace"
            )  # what a chapter says may not fit the terminal
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "chapters",
        nargs="*",
        help="names such as 03_bahdanau; all of them if none is given",
    )
    names = [Path(chapter).stem for chapter in parser.parse_args(arguments).chapters]
    paths = [BOOK / f"{name}.ipynb" for name in names] or sorted(BOOK.glob("*.ipynb"))
    missing = [path.name for path in paths if not path.exists()]
    if missing:
        there = ", ".join(path.stem for path in sorted(BOOK.glob("*.ipynb")))
        print(f"No such chapter: {', '.join(missing)}. There are {there}.")
        return 1
    try:
        tempfile.TemporaryFile(dir=BOOK).close()
    except OSError as error:
        print(f"No chapter was run: {BOOK} cannot be written to ({error.strerror}).")
        return 1
    failed = []
    for path in paths:
        print(f"{path.stem} ...", end=" ", flush=True)
        try:
            seconds, megabytes, notes = refresh(path)
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            print(f"failed, and is left as it was\n{COLOURS.sub('', str(error))}")
            failed.append(path.stem)
            continue
        record(path.stem, seconds, megabytes)
        print(f"{seconds:.0f} s, {megabytes:.0f} MB")
        for note in notes:
            print(f"  {note}")
        if notes:
            failed.append(path.stem)
    if failed:
        print(f"Not right: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
