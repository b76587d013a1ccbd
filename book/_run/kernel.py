"""Runs the reader's cells inside the page, and answers in plain data.

It knows no browser and no engine: a request comes as JSON, the answer goes as JSON,
and what the code prints goes to ``sys.stdout`` and ``sys.stderr``. So it also runs,
and is tested, in any Python.

    request   {"space": "03_bahdanau", "cells": [["cell-1", "source"], ...]}
    answer    {"ran": how many cells ended without an error,
               "outputs": [{"text": …} | {"png": …} | {"figure": …, "data": …}],
               "error": null | {"kind": …, "text": …},
               "check": null | {"message": …, "passed": …, "attempted": …},
               "seconds": …}

All cells of a request run in one namespace, in order. What the last one shows is in
the answer; what the others show and print is dropped. The answer holds text, PNG
in base64, and figures by name, and never HTML: nothing that the reader's code
returns can become part of the page.
"""

import ast
import base64
import builtins
import contextlib
import io
import json
import linecache
import pprint
import sys
import time
import traceback
import types

MAX_TRACEBACK = 20_000  # characters
MAX_FRAMES = 20  # of a traceback, once it is DEEP
DEEP = 2_000
MAX_TEXT = 50_000  # characters of one shown value
WIDTH = 79  # of a shown value, as IPython has it

_spaces = {}


def run(request):
    """Run the cells of a request. Raises nothing that the reader's code raises.

    Parameters
    ----------
    request : str
        JSON, as above.

    Returns
    -------
    str
        The answer, JSON, as above.
    """
    request = json.loads(request)
    namespace = _namespace(request["space"])
    started = time.monotonic()
    answer = {"outputs": [], "error": None, "check": None}
    cells = request["cells"]
    for answer["ran"], (name, source) in enumerate(cells):
        is_last = answer["ran"] == len(cells) - 1
        outputs = _Outputs() if is_last else _NoOutputs()
        with contextlib.nullcontext() if is_last else _silence():
            answer["error"] = _run_cell(name, source, namespace, outputs)
        answer["outputs"], answer["check"] = outputs.parts, outputs.check
        if answer["error"]:
            break
    else:
        answer["ran"] = len(cells)
    answer["seconds"] = round(time.monotonic() - started, 3)
    return json.dumps(answer)


def call(request):
    """What a figure asks for: the value of a function of attnlib.interactive.calls.

    Parameters
    ----------
    request : str
        JSON, {"function": …, "args": […]}.

    Returns
    -------
    str
        JSON, {"value": …}, or {"error": a sentence} if the function refuses its
        arguments.
    """
    from attnlib.interactive import calls

    request = json.loads(request)
    try:
        value = calls.FUNCTIONS[request["function"]](*request["args"])
    except (TypeError, ValueError) as error:
        return json.dumps({"error": str(error)})
    return json.dumps({"value": value}, allow_nan=False)


def forget(space):
    """Forget the variables of a space."""
    _spaces.pop(space, None)


def _namespace(space):
    """The variables of a page, as those of a module ``__main__``."""
    if space not in _spaces:
        module = types.ModuleType("__main__")
        module.__builtins__ = builtins
        _spaces[space] = module
    sys.modules["__main__"] = _spaces[space]
    return vars(_spaces[space])


class _Outputs:
    """What one cell shows: texts, figures, and the result of a check."""

    def __init__(self):
        self.parts = []
        self.check = None

    def display(self, *values):
        """Show values, as IPython's ``display`` does."""
        for value in values:
            self.show(value)

    def show(self, value):
        """Show one value: a figure as a picture, anything else as text."""
        if _is_figure(value):
            self.parts.append({"png": _png(value)})
            return
        described = getattr(type(value), "_page_figure_", None)
        if described is not None:
            name, data = described(value)
            # What is no JSON is an error of the cell, and not of the kernel.
            data = json.loads(json.dumps(data, allow_nan=False))
            self.parts.append({"figure": str(name), "data": data})
            return
        if _is_check_result(value):
            self.check = {
                "message": value.message,
                "passed": value.passed,
                "attempted": value.attempted,
            }
        self.parts.append({"text": _text(value)})

    def show_open_figures(self):
        """Show the figures that pyplot holds, and close them."""
        pyplot = sys.modules.get("matplotlib.pyplot")
        for number in pyplot.get_fignums() if pyplot else ():
            self.show(pyplot.figure(number))
            pyplot.close(number)


class _NoOutputs(_Outputs):
    """What is made of the outputs of a cell that others build on: nothing."""

    def show(self, value):
        """Drop the value."""


@contextlib.contextmanager
def _silence():
    """Drop what is printed."""
    nowhere = io.StringIO()
    with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        yield


def _run_cell(name, source, namespace, outputs):
    """Run one cell; returns None, or the error as {"kind", "text"}."""
    filename = f"<{name}>"
    lines = source.splitlines(keepends=True)
    linecache.cache[filename] = (len(source), None, lines, filename)
    namespace["display"] = outputs.display
    try:
        statements, last = _compile(source, filename)
        with _replaced_input():
            exec(statements, namespace)
            value = None if last is None else eval(last, namespace)
            if value is not None:
                namespace["_"] = value
                outputs.show(value)
            outputs.show_open_figures()
    except BaseException as error:
        with contextlib.suppress(Exception):
            outputs.show_open_figures()
        return {"kind": type(error).__name__, "text": _traceback(error, filename)}
    return None


def _compile(source, filename):
    """The code of the statements, and of the last expression if it is shown."""
    tree = ast.parse(source, filename)
    last = None
    is_shown = not source.rstrip().endswith(";")
    if is_shown and tree.body and isinstance(tree.body[-1], ast.Expr):
        expression = ast.Expression(tree.body.pop().value)
        last = compile(expression, filename, "eval")
    return compile(tree, filename, "exec"), last


@contextlib.contextmanager
def _replaced_input():
    def no_input(prompt=""):
        raise EOFError(
            "this page has no keyboard input for input(): write the value"
        )

    saved, builtins.input = builtins.input, no_input
    try:
        yield
    finally:
        builtins.input = saved


# Values in words and pictures


def _is_check_result(value):
    own = type(value)
    is_ours = own.__module__ == "attnlib.checking.exercise"
    return is_ours and own.__name__ == "CheckResult"


def _is_figure(value):
    module = sys.modules.get("matplotlib.figure")
    return module is not None and isinstance(value, module.Figure)


def _png(figure):
    """A figure as PNG in base64, at twice the size at which it is shown."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=2 * figure.dpi, bbox_inches="tight")
    return base64.b64encode(file.getvalue()).decode("ascii")


def _text(value):
    """A value as IPython shows it: long lists and dicts over several lines."""
    text = repr(value)
    plain = type(value) in (list, tuple, dict, set, frozenset)
    if plain and len(text) > WIDTH:
        text = pprint.pformat(value, width=WIDTH + 1, sort_dicts=False)
    if len(text) > MAX_TEXT:
        text = (
            f"{text[:MAX_TEXT]}\n... and {len(text) - MAX_TEXT:,} more characters"
        )
    return text


# Errors


def _traceback(error, filename):
    """A traceback from the reader's own line on, with a hint where one helps.

    Of an error that attnlib raises on purpose, the sentence comes first, and then
    the lines of the cells that led to it.
    """
    entries = _own_entries(error.__traceback__)
    if _is_on_purpose(error):
        lines = [each for each in traceback.extract_tb(entries) if _is_cell(each)]
        said = traceback.format_exception_only(type(error), error)
        return "".join([*said, *traceback.format_list(lines)]).rstrip()[
            :MAX_TRACEBACK
        ]
    depth = sum(1 for _ in _walk(entries))
    limit = MAX_FRAMES if depth > DEEP else None
    described = traceback.TracebackException(
        type(error), error, entries, limit=limit, max_group_width=5, compact=True
    )
    text = "".join(described.format()).rstrip()
    hint = _hint(error)
    if len(text) > MAX_TRACEBACK:
        text = f"{text[:MAX_TRACEBACK]}\n..."
    return f"{text}\n{hint}" if hint else text


def _is_cell(frame):
    return frame.filename.startswith("<")


def _is_on_purpose(error):
    """Whether an error comes from a ``raise`` of attnlib, and not of the reader."""
    if not isinstance(error, (TypeError, ValueError)):
        return False
    last = traceback.extract_tb(error.__traceback__)[-1:]
    return any(
        "attnlib" in each.filename and (each.line or "").startswith("raise ")
        for each in last
    )


def _own_entries(entry):
    """The traceback from the first entry on that is in a cell."""
    for found in _walk(entry):
        if found.tb_frame.f_code.co_filename.startswith("<"):
            return found
    return None


def _walk(entry):
    while entry is not None:
        yield entry
        entry = entry.tb_next


def _hint(error):
    if isinstance(error, ModuleNotFoundError):
        return (
            "This page's Python has NumPy, Matplotlib, and the standard library. "
            "Run the chapter in Jupyter or Colab for anything else."
        )
    if isinstance(error, SystemExit):
        return "Your code asked Python to exit. Nothing has ended."
    return None
