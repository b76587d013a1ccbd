"""The form in which chapters are stored, so that each change to a file is meaningful.

``normalize(notebook)`` brings a notebook that was just executed into normal form;
``violations(notebook)`` says what is still wrong with it.
"""

import re

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
LANGUAGE = {"name": "python"}
NOTEBOOK_METADATA = {"kernelspec", "language_info", "mystnb"}
CELL_METADATA = {"tags", "mystnb", "editable"}
LARGEST_FIGURE = 160 * 1024  # bytes
NOT_COMPARED = "nbval-ignore-output"

ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,}")
MACHINE_PATH = re.compile(
    r"(?<![\w/.])/(?:home|root|tmp|work|Users|private|var/folders|mnt|opt)/"
    r"|\b[A-Z]:\\\w|site-packages|ipykernel_\d"
)
LINE_MAGIC = re.compile(r"^\s*[%!]\w", re.MULTILINE)


def is_quiz(cell):
    """Whether a code cell asks a question.

    Its source names the right choice, so JupyterLab is told to fold it.
    """
    return cell.source.startswith("quiz(")


def normalize(notebook):
    """Bring a notebook that was just executed from top to bottom into normal form.

    Returns notes on what was lost.
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
        if cell.cell_type == "code":
            if is_quiz(cell):
                cell.metadata["jupyter"] = {"source_hidden": True}
            notes += [f"cell {number}: {note}" for note in _normalize_outputs(cell)]
    _count(notebook)
    return notes


def _normalize_outputs(cell):
    """Merge what a cell printed and drop standard error. Returns notes."""
    notes = []
    outputs = []
    for output in cell.outputs:
        is_stream = output.output_type == "stream"
        if is_stream and output.name == "stderr":
            notes.append(f"standard error dropped: {output.text.strip()[:300]}")
        elif is_stream and outputs and outputs[-1].output_type == "stream":
            outputs[-1].text += output.text
        else:
            outputs.append(output)
    for output in outputs:
        if output.output_type == "stream":
            settled = settle(output.text)
            if settled != output.text and not _has_tag(cell, NOT_COMPARED):
                notes.append(f"shows progress, so it needs the tag {NOT_COMPARED}")
            output.text = settled
        # A figure keeps its proportions where a narrow page makes it smaller.
        output.get("metadata", {}).get("image/png", {}).pop("height", None)
    cell.outputs = outputs
    return notes


def _count(notebook):
    """Number the code cells from 1, as a run from top to bottom does."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    not_empty = filter(lambda cell: cell.source.strip(), cells)
    for count, cell in enumerate(not_empty, start=1):
        cell.execution_count = count
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = count


def settle(text):
    """What the screen finally shows of a text with carriage returns and backspaces."""
    lines = []
    for line in text.replace("\r\n", "\n").split("\n"):
        pieces = line.replace("\x08", "").split("\r")
        visible = [piece for piece in pieces if piece.strip()]
        if visible:
            lines.append(visible[-1])
        else:
            lines.append("" if line.strip("\r\x08") else line)
    return "\n".join(line.strip("\r\x08") for line in lines)


def violations(notebook):
    """Every violation of the normal form, as sentences that name the cell.

    The first cell is cell 1.
    """
    found = list(_notebook_violations(notebook))
    count = 0
    for number, cell in enumerate(notebook.cells, start=1):
        problems = list(_metadata_violations(cell))
        if MACHINE_PATH.search(cell.source):
            around = _around(MACHINE_PATH, cell.source)
            problems.append(f"a path of one machine: {around}")
        if cell.cell_type == "code":
            count += bool(cell.source.strip())
            problems += _code_violations(cell, count)
            problems += _output_violations(cell)
        found += [f"cell {number}: {problem}" for problem in problems]
    return found


def _notebook_violations(notebook):
    if (notebook.nbformat, notebook.nbformat_minor) < (4, 5):
        yield (
            f"format {notebook.nbformat}.{notebook.nbformat_minor}, 4.5 is wanted"
            " (cells with ids)"
        )
    kernel = notebook.metadata.get("kernelspec")
    language = notebook.metadata.get("language_info")
    if (kernel, language) != (KERNEL, LANGUAGE):
        yield "metadata: kernelspec and language_info hold more than python3's names"
    for key in sorted(set(notebook.metadata) - NOTEBOOK_METADATA):
        yield f"metadata: {key}"


def _metadata_violations(cell):
    quiz = cell.cell_type == "code" and is_quiz(cell)
    allowed = CELL_METADATA | ({"jupyter"} if quiz else set())
    for key in sorted(set(cell.metadata) - allowed):
        yield f"metadata {key}"
    if quiz and cell.metadata.get("jupyter") != {"source_hidden": True}:
        yield (
            "a quiz whose source is not folded: it tells the answer (make refresh"
            " folds it)"
        )


def _code_violations(cell, count):
    if not cell.source.strip():
        yield "an empty code cell"
    elif cell.execution_count != count:
        yield f"execution count {cell.execution_count}, {count} is wanted"
    if LINE_MAGIC.search(cell.source):
        yield "a line magic or shell command"
    if cell.source.rstrip().endswith(";") and not _has_tag(cell, NOT_COMPARED):
        yield (
            "a semicolon at the end, which nbval does not heed: give the value a name"
        )


def _output_violations(cell):
    for output in cell.outputs:
        if output.output_type == "error":
            if not _has_tag(cell, "raises-exception"):
                yield f"an error: {output.ename}"
        elif output.output_type == "stream":
            if output.name == "stderr":
                yield f"standard error: {output.text.strip()[:80]}"
            if "\r" in output.text or "\x08" in output.text:
                yield "a line overwritten by a carriage return"
            yield from _text_violations(output.text)
        else:
            yield from _result_violations(cell, output)


def _result_violations(cell, output):
    count = cell.execution_count
    if output.output_type == "execute_result" and output.execution_count != count:
        yield f"a result counted {output.execution_count} in a cell counted {count}"
    for mime, content in output.data.items():
        if "widget" in mime:
            yield "a widget, which no page can show"
        if mime.startswith("image/"):
            yield from _figure_violations(cell, mime, content)
        elif isinstance(content, str):
            yield from _text_violations(content)
        if mime == "text/html" and re.search(r"<img(?![^>]*\balt=)", content):
            yield "an <img> without alt text"


def _text_violations(text):
    if ADDRESS.search(text):
        yield f"an object's address: {_around(ADDRESS, text)}"
    if MACHINE_PATH.search(text):
        yield f"a path of one machine: {_around(MACHINE_PATH, text)}"


def _figure_violations(cell, mime, content):
    size = len(content)
    if mime != "image/svg+xml":
        size = size * 3 // 4  # base64
    if size > LARGEST_FIGURE:
        yield f"a figure of {size // 1024} KB, {LARGEST_FIGURE // 1024} at most"
    alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
    if not alt.strip():
        yield "a figure without alt text (cell metadata mystnb.image.alt)"


def _has_tag(cell, tag):
    return tag in cell.metadata.get("tags", [])


def _around(pattern, text):
    """The first match of ``pattern`` with some of the text around it, on one line."""
    start = pattern.search(text).start()
    return " ".join(text[max(start - 20, 0) : start + 40].split())
