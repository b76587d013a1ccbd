"""Running a chapter's cells as readers do: twice, and again in another order."""

import random
import subprocess

import nbformat
from nbclient import NotebookClient


def run(cells, folder, timeout=600):
    """Run code cells in one fresh kernel, those that raise too. Returns what each
    shows, as text.
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
    return [
        "".join(map(_shown, cell.outputs)) for cell in copies
    ]  # a stream may come in pieces


def _shown(output):
    if output.output_type == "error":
        return f"ERROR {output.ename}: {output.evalue}"
    if output.output_type == "stream":
        return output.text
    return (
        "a figure"
        if "image/png" in output.data
        else output.data.get("text/html", output.data.get("text/plain", ""))
    )


def has_one_result(cell):
    """Not what draws from the chapter's generator, which goes on, and not what differs
    by machine.
    """
    return "rng" not in cell.source and "nbval-ignore-output" not in cell.metadata.get(
        "tags", []
    )


def twice(cells, folder):
    """Each cell two times in a row. Returns (place, first, second) of those that then
    fail or show something else.
    """
    shown = run([cell for cell in cells for _ in range(2)], folder)
    pairs = zip(cells, shown[::2], shown[1::2], strict=True)
    return [
        (place, first, second)
        for place, (cell, first, second) in enumerate(pairs)
        if second.startswith("ERROR") or (has_one_result(cell) and first != second)
    ]


def again(cells, folder, seed=0):
    """All cells in order, then those with one result in another order. Returns (place,
    first, second) of those that then show something else; one that fails has shown
    nothing wrong."""
    order = [place for place, cell in enumerate(cells) if has_one_result(cell)]
    random.Random(seed).shuffle(order)
    shown = run([*cells, *(cells[place] for place in order)], folder)
    first, second = shown[: len(cells)], shown[len(cells) :]
    return [
        (place, first[place], text)
        for place, text in zip(order, second, strict=True)
        if text != first[place] and "ERROR" not in text
    ]
