"""What several test files need: the built book on a local server, and a browser to read it."""

import functools
import http.server
import os
import shutil
import sys
import threading
from pathlib import Path

import pytest

os.environ.setdefault("ATTNLIB_OFFLINE", "1")  # no test downloads

ROOT = Path(__file__).resolve().parent.parent
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="session")
def html():
    """The folder of the built book, built now if it is older than its sources."""
    sys.path.insert(0, str(ROOT / "tools"))
    import build_book

    assert build_book.main() == 0, "the book was not built: see the output above"
    return build_book.HTML


@pytest.fixture(scope="session")
def site(html):
    """The address of the built book on a server of this machine alone."""
    handler = functools.partial(Quiet, directory=str(html))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="session")
def browser():
    """Chromium, driven by Playwright."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
        found = next(filter(None, map(shutil.which, names)), playwright.chromium.executable_path)
        if not Path(found).exists():
            pytest.skip("no Chromium on this machine: install it to test the built pages")
        chromium = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield chromium
        chromium.close()
