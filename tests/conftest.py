"""What several test files need: the built book on a local server, and two browsers."""

import contextlib
import os
import socket
import threading
import types
from pathlib import Path

import pytest

from tools.browser import serve

os.environ.setdefault("ATTNLIB_OFFLINE", "1")  # no test downloads

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def html():
    """The folder of the built book, built now if it is older than its sources."""
    from tools import build_book

    assert build_book.main() == 0, "the book was not built: see the output above"
    return build_book.HTML


@pytest.fixture(scope="session")
def site(html):
    """The address of the built book on a server of this machine alone."""
    with serve(html) as address:
        yield address


USED = []  # what the tests have used, with its version


def pytest_sessionfinish(session):
    """Let workers, where there are some, tell what they have used."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["used"] = USED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    told = getattr(node, "workeroutput", {}).get("used", [])  # a crashed one told none
    USED.extend(line for line in told if line not in USED)


def pytest_terminal_summary(terminalreporter):
    for line in USED:
        terminalreporter.write_line(f"The tests have used {line}.")


def missing(reason):
    """Skip a test because something is not installed; with CI=true, let it fail."""
    (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)


@pytest.fixture(scope="session")
def browser():
    """Chromium, driven by Playwright."""
    from playwright.sync_api import sync_playwright

    from tools.browser import launch

    with sync_playwright() as playwright:
        chromium = launch(playwright)
        if chromium is None:
            missing("no Chromium on this machine: install it to test the built pages")
        USED.append(f"Chromium {chromium.version}")
        yield chromium
        chromium.close()


# Rules the theme breaks, and we cannot mend from here.
THEME = {"label-content-name-mismatch", "region"}
# The colors of something that fades in are those at the end.
SETTLED = """() => Promise.all(document.getAnimations()
  .filter(each => each.playState === "running" &&
    each.effect.getComputedTiming().endTime < Infinity)
  .map(each => each.finished.catch(() => null)))"""


def violations(page, named=(), **options):
    """What axe finds wrong on a page, once nothing moves: (rule, element, why) each."""
    from axe_playwright_python.sync_playwright import Axe

    page.evaluate(SETTLED)
    return [
        (found["id"], node["html"][:200], node.get("failureSummary", ""))
        for found in Axe().run(page, options=options).response["violations"]
        if found["id"] not in named
        for node in found["nodes"]
    ]


@pytest.fixture(scope="session")
def firefox():
    """Firefox, driven over WebDriver BiDi."""
    from tools.firefox import find, launch

    path = find()
    if path is None:
        missing("no Firefox on this machine: install it to test the built pages")
    with launch(path) as running:
        USED.append(f"Firefox {running.version}")
        yield running


@pytest.fixture(scope="session")
def engine_folder():
    """The folder of the page's Python."""
    from tools import engine

    folder = engine.folder()
    if folder is None:
        missing("the page's Python is missing: `python -m tools.engine` says why")
    USED.append(f"Pyodide {engine.read_lock()['version']}")
    return folder


@pytest.fixture
def listener():
    """Another host: its address, and what it has heard from whoever came."""
    heard = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def listen():
            with contextlib.suppress(OSError):  # at the end
                while True:
                    connection, _ = server.accept()
                    heard.append(connection.recv(1000))
                    connection.close()

        threading.Thread(target=listen, daemon=True).start()
        port = server.getsockname()[1]
        yield types.SimpleNamespace(port=port, heard=heard)
        server.shutdown(socket.SHUT_RDWR)
