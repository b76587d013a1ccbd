"""Run by tests/test_runnable.py in the Python of the page: what the cells of cells.json
show there, each in its chapter's order and each on its own, as JSON.

The kernel of the page (kernel.py) and cells.json are beside this file. cells.json holds
{chapter: [{"number": …, "code": …, "setup": [numbers], "is_run": …}, …]}.
"""

import contextlib
import io
import json
import warnings
from pathlib import Path

import kernel

IMPORTS = "import numpy as np\nfrom attnlib import reference as ref"


def text_of(part):
    """What one output shows as text: nothing for a figure."""
    if part.get("figure") != "table":
        return part.get("text", "")
    table = part["data"]
    lines = [[table["title"] or ""], table["columns"]]
    lines += [[text for cell in row for text, _ in cell] for row in table["rows"]]
    return "\n".join(" ".join(line) for line in lines)


def run(space, *cells):
    """(what the last cell shows as text, the error or None)."""
    printed = io.StringIO()
    cells = [["setup", IMPORTS], *cells]
    request = json.dumps({"space": space, "cells": cells})
    with contextlib.redirect_stdout(printed):
        answer = json.loads(kernel.run(request))
    texts = [text_of(part) for part in answer["outputs"]]
    error = answer["error"] and answer["error"]["text"]
    return printed.getvalue() + "\n".join(texts), error


def main():
    warnings.simplefilter("ignore")
    found = []
    for chapter, cells in json.loads(
        Path(__file__).with_name("cells.json").read_text()
    ).items():
        codes = {
            cell["number"]: [f"cell {cell['number']}", cell["code"]] for cell in cells
        }
        ran = set()
        for cell in cells:
            if not cell["is_run"]:
                continue
            number = cell["number"]
            ahead = [n for n in cell["setup"] if n not in ran]
            in_order = run(chapter, *(codes[n] for n in (*ahead, number)))
            ran |= {*ahead, number}
            found.append([chapter, number, *in_order])
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
