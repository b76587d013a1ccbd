"""The Chromium of this machine, and a server for the built book on this machine alone:
for printing, for the social card, for tests, and for benchmarks.
"""

import contextlib
import functools
import http.server
import os
import shutil
import threading

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "C:/Program Files/Google/Chrome/Application/chrome.exe",
)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def launch(playwright):
    """Start Chromium: the system's, or else Playwright's own.

    Returns None if neither is installed.
    """
    places = [*map(shutil.which, NAMES), *PLACES, playwright.chromium.executable_path]
    path = next((path for path in places if path and os.path.exists(path)), None)
    if path is None:
        return None
    return playwright.chromium.launch(executable_path=path, args=FLAGS)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


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
