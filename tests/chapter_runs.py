"""Running a chapter's cells as readers do: twice, and again in another order."""

import random
import subprocess

import nbformat
from nbclient import NotebookClient


def run(cells, folder, timeout=600):
    """Run code cells in one fresh kernel, including those that raise.

    Returns what each shows, as text.
    """
    copies = [
        nbformat.v4.new_code_cell(cell.source, metadata={"tags": ["raises-exception"]})
        for cell in cells
    ]
    notebook = nbformat.v4.new_notebook(cells=copies)
    options = {
        "extra_arguments": ["--IPKernelApp.capture_fd_output=False"],
        "record_timing": False,
    }
    client = NotebookClient(notebook, timeout=timeout, kernel_name="python3", **options)
    client.resources = {"metadata": {"path": str(folder)}}
    client.execute(stderr=subprocess.DEVNULL)
    # A stream may come in pieces.
    return ["".join(map(_text, cell.outputs)) for cell in copies]


def _text(output):
    if output.output_type == "error":
        return f"ERROR {output.ename}: {output.evalue}"
    if output.output_type == "stream":
        return output.text
    if "image/png" in output.data:
        return "a figure"
    return output.data.get("text/html", output.data.get("text/plain", ""))


def has_one_result(cell):
    """Whether a cell shows the same each time.

    It does not when it draws from the chapter's random generator, which continues, or
    when its output depends on the machine.
    """
    tags = cell.metadata.get("tags", [])
    return "rng" not in cell.source and "nbval-ignore-output" not in tags


def twice(cells, folder):
    """Run each cell two times in a row.

    Returns (index, first, second) of those that then fail or show something else.
    """
    shown = run([cell for cell in cells for _ in range(2)], folder)
    pairs = zip(cells, shown[::2], shown[1::2], strict=True)
    return [
        (index, first, second)
        for index, (cell, first, second) in enumerate(pairs)
        if second.startswith("ERROR") or (has_one_result(cell) and first != second)
    ]


def again(cells, folder, seed=0):
    """Run all cells in order, then those with one result in another order.

    Returns (index, first, second) of those that then show something else. A cell that
    fails has shown no wrong result.
    """
    order = [index for index, cell in enumerate(cells) if has_one_result(cell)]
    random.Random(seed).shuffle(order)
    shown = run([*cells, *(cells[index] for index in order)], folder)
    first, second = shown[: len(cells)], shown[len(cells) :]
    return [
        (index, first[index], text)
        for index, text in zip(order, second, strict=True)
        if text != first[index] and "ERROR" not in text
    ]
