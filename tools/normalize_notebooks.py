"""The form in which chapters are stored, so that a change in the repository is a change
in the book.

`normalise(notebook)` brings a notebook that was just run into it; `breaches(notebook)`
says what is still wrong.
"""

import re

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
LANGUAGE = {"name": "python"}
CELL_METADATA = {"tags", "mystnb", "editable"}
LARGEST_FIGURE = 80 * 1024  # bytes

ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,}")
MACHINE_PATH = re.compile(
    r"(?<![\w/.])/(?:home|root|tmp|work|Users|private|var/folders|mnt|opt)/|\b[A-Z]:\\\w|site-packages|ipykernel_\d"
)
LINE_MAGIC = re.compile(r"^\s*[%!]\w", re.MULTILINE)


def is_quiz(cell):
    """Whether a code cell asks a question: its source names the right choice, so
    JupyterLab is told to fold it.
    """
    return cell.source.startswith("quiz(")


def normalise(notebook):
    """Bring a notebook that was just run from its first cell to its last into normal
    form. Returns notes on losses.
    """
    notes = []
    notebook.metadata = {
        **{key: value for key, value in notebook.metadata.items() if key == "mystnb"},
        "kernelspec": dict(KERNEL),
        "language_info": dict(LANGUAGE),
    }
    for number, cell in enumerate(notebook.cells, start=1):
        cell.metadata = {
            key: value for key, value in cell.metadata.items() if key in CELL_METADATA
        }
        if cell.cell_type != "code":
            continue
        if is_quiz(cell):
            cell.metadata["jupyter"] = {"source_hidden": True}
        kept = []
        for output in cell.outputs:
            if output.output_type == "stream" and output.name == "stderr":
                notes.append(
                    f"cell {number}: standard error dropped:"
                    f" {output.text.strip()[:300]}"
                )
            elif (
                output.output_type == "stream"
                and kept
                and kept[-1].output_type == "stream"
            ):
                kept[-1].text += output.text
            else:
                kept.append(output)
        for output in kept:
            if output.output_type == "stream":
                settled = settle(output.text)
                if (
                    settled != output.text
                    and "nbval-ignore-output" not in cell.metadata.get("tags", [])
                ):
                    notes.append(
                        f"cell {number}: shows progress, so it needs the tag"
                        " nbval-ignore-output"
                    )
                output.text = settled
        cell.outputs = kept
    counted = [
        cell
        for cell in notebook.cells
        if cell.cell_type == "code" and cell.source.strip()
    ]
    for count, cell in enumerate(counted, start=1):
        cell.execution_count = count
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = count
    return notes


def settle(text):
    """What is left on the screen of a text that overwrites its lines with carriage
    returns and backspaces.
    """
    lines = []
    for line in text.replace("\r\n", "\n").split("\n"):
        pieces = [
            piece for piece in line.replace("\x08", "").split("\r") if piece.strip()
        ]
        lines.append(pieces[-1] if pieces else line if not line.strip("\r\x08") else "")
    return "\n".join(line.strip("\r\x08") for line in lines)


def breaches(notebook):
    """Every breach of the normal form, as a list of sentences that name the cell (the
    first is 1).
    """
    found = []
    if (notebook.nbformat, notebook.nbformat_minor) < (4, 5):
        found.append(
            f"format {notebook.nbformat}.{notebook.nbformat_minor}, 4.5 is wanted"
            " (cells with ids)"
        )
    if (
        notebook.metadata.get("kernelspec") != KERNEL
        or notebook.metadata.get("language_info") != LANGUAGE
    ):
        found.append(
            "metadata: kernelspec and language_info hold more than python3's names"
        )
    for key in sorted(
        set(notebook.metadata) - {"kernelspec", "language_info", "mystnb"}
    ):
        found.append(f"metadata: {key}")
    count = 0
    for number, cell in enumerate(notebook.cells, start=1):
        quiz = cell.cell_type == "code" and is_quiz(cell)
        allowed = CELL_METADATA | {"jupyter"} if quiz else CELL_METADATA
        problems = [f"metadata {key}" for key in sorted(set(cell.metadata) - allowed)]
        if quiz and cell.metadata.get("jupyter") != {"source_hidden": True}:
            problems.append(
                "a quiz whose source is not folded: it tells the answer (make refresh"
                " folds it)"
            )
        if MACHINE_PATH.search(cell.source):
            problems.append(
                f"a path of one machine: {_around(MACHINE_PATH, cell.source)}"
            )
        if cell.cell_type == "code":
            if not cell.source.strip():
                problems.append("an empty code cell")
            else:
                count += 1
                if cell.execution_count != count:
                    problems.append(
                        f"execution count {cell.execution_count}, {count} is wanted"
                    )
            if LINE_MAGIC.search(cell.source):
                problems.append("a line magic or shell command")
            if cell.source.rstrip().endswith(
                ";"
            ) and "nbval-ignore-output" not in cell.metadata.get("tags", []):
                problems.append(
                    "a semicolon at the end, which nbval does not heed: give the value"
                    " a name"
                )
            problems += _output_breaches(cell)
        found += [f"cell {number}: {problem}" for problem in problems]
    return found


def _output_breaches(cell):
    for output in cell.outputs:
        if output.output_type == "error":
            if "raises-exception" not in cell.metadata.get("tags", []):
                yield f"an error: {output.ename}"
            continue
        if output.output_type == "stream":
            if output.name == "stderr":
                yield f"standard error: {output.text.strip()[:80]}"
            if "\r" in output.text or "\x08" in output.text:
                yield "a line overwritten by a carriage return"
            texts = [output.text]
        else:
            if (
                output.output_type == "execute_result"
                and output.execution_count != cell.execution_count
            ):
                yield (
                    f"a result counted {output.execution_count} in a cell counted"
                    f" {cell.execution_count}"
                )
            texts = [
                text
                for mime, text in output.data.items()
                if not mime.startswith("image/") and isinstance(text, str)
            ]
            yield from _figure_breaches(cell, output.data)
        for text in texts:
            if ADDRESS.search(text):
                yield f"an object's address: {_around(ADDRESS, text)}"
            if MACHINE_PATH.search(text):
                yield f"a path of one machine: {_around(MACHINE_PATH, text)}"


def _figure_breaches(cell, data):
    for mime, content in data.items():
        if "widget" in mime:
            yield "a widget, which no page can show"
        if mime.startswith("image/"):
            size = (
                len(content) if mime == "image/svg+xml" else len(content) * 3 // 4
            )  # base64
            if size > LARGEST_FIGURE:
                yield f"a figure of {size // 1024} KB, {LARGEST_FIGURE // 1024} at most"
            if (
                not cell.metadata.get("mystnb", {})
                .get("image", {})
                .get("alt", "")
                .strip()
            ):
                yield "a figure without alt text (cell metadata mystnb.image.alt)"
        if mime == "text/html" and re.search(r"<img(?![^>]*\balt=)", content):
            yield "an <img> without alt text"


def _around(pattern, text):
    start = pattern.search(text).start()
    return " ".join(text[max(start - 20, 0) : start + 40].split())
