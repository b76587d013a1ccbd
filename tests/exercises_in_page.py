"""What the exercises of the built pages must answer: the answers to give, and what
their checks say to them natively.
"""

import importlib
import linecache
import re

import numpy as np

from attnlib import reference

FINAL = ("passed", "failed", "error", "stopped")  # states of a cell
SOFTMAX = """\
def softmax(scores):
    exponentials = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)
"""


def exercise_named(name):
    """The exercise that a page calls "module.name"."""
    module, _, own = name.partition(".")
    return getattr(importlib.import_module(f"attnlib.exercises.{module}"), own)


def native_message(name, code):
    """The state that this code leads to, and what its check says here, in no page."""
    exercise = exercise_named(name)
    exercises = importlib.import_module(f"attnlib.exercises.{name.split('.')[0]}")
    space = {"np": np, "ref": reference, "ex": exercises, "__name__": "__main__"}
    lines = code.splitlines(keepends=True)
    linecache.cache["<native>"] = (len(code), None, lines, "<native>")
    exec(compile(code, "<native>", "exec"), space)
    result = exercise.check(space[exercise.name])
    return "passed" if result.passed else "failed", result.message


def wrong_answers(name, once=False):
    """Code that gives an exercise's name to each of its known wrong answers; with
    ``once``, to one for each message.
    """
    exercise = exercise_named(name)
    numbers = {}  # by what tells one from the others
    for number, (message, _) in enumerate(exercise.known_mistakes):
        numbers.setdefault(message if once else number, number)
    return [
        f"{exercise.name} = ex.{exercise.name}.known_mistakes[{number}][1]"
        for number in numbers.values()
    ]


def solution(name):
    """The solution as a reader writes it."""
    return exercise_named(name).source


def chapters(html):
    """{chapter: its exercises that run in the page, in order}, of the built book."""
    found = {
        path.stem: re.findall(r'data-exercise="([\w.]+)"', path.read_text("utf-8"))
        for path in sorted(html.glob("[0-9]*.html"))
    }
    return {chapter: names for chapter, names in found.items() if names}


# Code of the reader that asks another host for something in each way there is, in
# Python and in JavaScript. What becomes of each stands in ``fates``.
ROUTES = """\
import js
from pyodide.code import run_js
from pyodide.ffi import create_proxy

http, socket = "http://127.0.0.1:{port}/", "ws://127.0.0.1:{port}/"
fates = {}

def remember(name, outcome):
    fates[name] = outcome
    if hasattr(outcome, "then"):
        fates[name] = "pending"
        keep = lambda fate: create_proxy(lambda _: fates.update({name: fate}))
        outcome.then(keep("came back"), keep("refused"))

def attempt(name, route):
    try:
        remember(name, route())
    except BaseException as error:
        fates[name] = type(error).__name__

def by_xhr():
    request = js.XMLHttpRequest.new()
    request.open("GET", f"{http}xhr", False)
    request.send()

def by_urllib():
    from urllib.request import urlopen
    return urlopen(f"{http}urllib", timeout=1)

def by_socket():
    import socket
    return socket.create_connection(("127.0.0.1", {port}), timeout=1)

def by_loader():
    import pyodide_js
    return pyodide_js.loadPackage(f"{http}package-1-py3-none-any.whl")

attempt("fetch", lambda: js.fetch(f"{http}fetch"))
attempt("XMLHttpRequest", by_xhr)
attempt("WebSocket", lambda: js.WebSocket.new(f"{socket}socket"))
attempt("EventSource", lambda: js.EventSource.new(f"{http}events"))
attempt("Worker", lambda: js.Worker.new(f"{http}worker.js"))
attempt("importScripts", lambda: js.importScripts(f"{http}scripts.js"))
attempt("Function", lambda: js.Function.new(f"return import('{http}function.js')")())
attempt("js.eval", lambda: js.eval(f"import('{http}eval.js')"))
for number, script in enumerate((
    f"fetch('{http}fetch-of-eval')",
    f"import('{http}import.js')",
    f"new WebSocket('{socket}socket-of-eval')",
    f"importScripts('{http}scripts-of-eval.js')",
    f"setTimeout(`import('{http}later.js')`)",
    f"new Request('{http}request').constructor && self.fetch('{http}self')",
)):
    attempt(f"script {number}", lambda: run_js(script))
attempt("urllib", by_urllib)
attempt("socket", by_socket)
attempt("loadPackage", by_loader)
for name in ("fetch", "XMLHttpRequest", "WebSocket", "Worker", "importScripts"):
    assert not hasattr(js, name), name
"""


def routes_end(cell, port):
    """Let the code of a cell try all routes to a port, and wait for the end of each."""
    assert cell.run(f"{ROUTES.replace('{port}', str(port))}\n{SOFTMAX}")[0] == "passed"
    for _ in range(100):
        look = "print(fates)\nassert 'pending' not in fates.values()"
        state, text = cell.run(f"{SOFTMAX}{look}")
        if state == "passed":
            return text.count(":") > 15
    return False
