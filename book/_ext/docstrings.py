"""Show docstrings as they are written: as text, whose formulas are no markup.

autodoc reads docstrings as reStructuredText, to which `s_{i-1}` is a link and |A| a
substitution. Here a paragraph stays a paragraph, `backticks` mark code, lines that
start with a dash are a list, and an indented block stands as it is.
"""

import re
import textwrap


def escape(text):
    """Text in which nothing is markup but `code`, in single or double backticks."""
    parts = re.split(r"(``.+?``|`[^`]+`)", text)
    return "".join(
        f"``{part.strip('`')}``"
        if place % 2
        else re.sub(r"([\\*_|`])", r"\\\1", part)
        for place, part in enumerate(parts)
    )


def as_text(app, what, name, obj, options, lines):
    blocks = re.split(r"\n\s*\n", "\n".join(lines).strip("\n"))
    lines.clear()
    for block in blocks:
        rows = block.split("\n")
        if all(row.startswith((" ", "\t")) for row in rows):
            lines += [
                ".. code-block:: none",
                "",
                *textwrap.indent(textwrap.dedent(block), "   ").split("\n"),
                "",
            ]
            continue
        for item in re.split(r"\n(?=\s*- )", block):
            dash = re.match(r"\s*- ", item)
            text = escape(
                " ".join(
                    row.strip()
                    for row in item[dash.end() if dash else 0 :].split("\n")
                )
            )
            lines += [f"- {text}" if dash else text, ""]


def skip_fields(app, what, name, obj, skip, options):
    """Leave out the fields of named tuples, which Python documents by their numbers."""
    return True if type(obj).__name__ == "_tuplegetter" else None


def setup(app):
    app.connect("autodoc-skip-member", skip_fields)
    app.connect("autodoc-process-docstring", as_text)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
