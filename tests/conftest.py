"""What several test files need: the built book on a local server, and a browser."""

import contextlib
import functools
import http.server
import os
import threading
from pathlib import Path

import pytest

os.environ.setdefault("ATTNLIB_OFFLINE", "1")  # no test downloads

ROOT = Path(__file__).resolve().parent.parent


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="session")
def html():
    """The folder of the built book, built now if it is older than its sources."""
    from tools import build_book

    assert build_book.main() == 0, "the book was not built: see the output above"
    return build_book.HTML


@contextlib.contextmanager
def serve(folder, headers=None):
    """Serve a folder on this machine alone, with extra headers; yields the address."""

    class Server(Quiet):
        def end_headers(self):
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            super().end_headers()

    handler = functools.partial(Server, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="session")
def site(html):
    """The address of the built book on a server of this machine alone."""
    with serve(html) as address:
        yield address


@pytest.fixture(scope="session")
def browser():
    """Chromium, driven by Playwright."""
    from playwright.sync_api import sync_playwright

    from tools.browser import launch

    with sync_playwright() as playwright:
        chromium = launch(playwright)
        if chromium is None:
            reason = "no Chromium on this machine: install it to test the built pages"
            (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
        yield chromium
        chromium.close()
