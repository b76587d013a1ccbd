"""Firefox as it is installed, driven over WebDriver BiDi: the little that tests
and benchmarks need of it. (Playwright drives only a Firefox of its own making.)
"""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import websocket

NAMES = ("firefox-esr", "firefox")
PLACES = (
    "/Applications/Firefox.app/Contents/MacOS/firefox",
    "C:/Program Files/Mozilla Firefox/firefox.exe",
)
SECONDS = 60  # to wait for an answer
KEYS = {"Tab": "\ue004", "Enter": "\ue007", "Shift": "\ue008", "Escape": "\ue00c"}
KEYS |= {"ControlOrMeta": "\ue03d" if sys.platform == "darwin" else "\ue009"}


def find():
    """The path of the installed Firefox, or None."""
    places = [*map(shutil.which, NAMES), *PLACES]
    return next((path for path in places if path and os.path.exists(path)), None)


@contextlib.contextmanager
def launch(path):
    """Start Firefox without a window, in a home folder that ends with it."""
    with tempfile.TemporaryDirectory(prefix="firefox-") as home:
        firefox = Firefox(path, Path(home))
        try:
            firefox.connect()
            yield firefox
        finally:
            firefox.close()


class Firefox:
    """A running Firefox.

    Its home is a folder of its own: as root, it refuses to run in the home of another,
    and nothing shall be left in anyone's.
    """

    def __init__(self, path, home):
        self.home, self.socket, self.last, self.events = home, None, 0, []
        (home / "profile").mkdir()
        with (home / "log").open("w") as log:
            self.process = psutil.Popen(
                [
                    *(path, "--headless", "--no-remote", "--remote-debugging-port=0"),
                    *("--profile", home / "profile"),
                ],
                env={**os.environ, "HOME": str(home), "MOZ_CRASHREPORTER_DISABLE": "1"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def connect(self):
        """Open the connection, and a session with the events that Tab uses."""
        self.socket = websocket.create_connection(
            f"{self.wait_for_address()}/session",
            timeout=SECONDS,
            suppress_origin=True,
            http_no_proxy=["127.0.0.1"],
        )
        answer = self.call("session.new", capabilities={})
        self.version = answer["capabilities"]["browserVersion"]
        events = ["log.entryAdded", "network.beforeRequestSent"]
        self.call("session.subscribe", events=events)

    def wait_for_address(self):
        end, running = time.monotonic() + SECONDS, True
        while running:
            running = time.monotonic() < end and self.process.poll() is None
            said = (self.home / "log").read_text("utf-8", "replace")
            if found := re.search(r"BiDi listening on (ws://\S+)\n", said):
                return found[1]
            time.sleep(0.02)
        raise RuntimeError(f"Firefox has not started: {said[-1000:]}")

    def call(self, method, **parameters):
        """Send a command and return its result; what happens meanwhile is noted."""
        self.last += 1
        message = {"id": self.last, "method": method, "params": parameters}
        self.socket.send(json.dumps(message))
        while True:
            answer = json.loads(self.socket.recv())
            if answer["type"] == "event":
                self.events.append((answer["method"], answer["params"]))
            elif answer["id"] == self.last:
                assert answer["type"] == "success", (method, answer["message"])
                return answer["result"]

    def close(self):
        """End Firefox with all of its processes."""
        processes = [self.process]
        with contextlib.suppress(Exception):  # it may have crashed
            processes += self.process.children(recursive=True)
            self.call("browser.close")
            self.socket.close()
        patience = SECONDS / 4 if self.socket else 0
        for process in psutil.wait_procs(processes, patience)[1]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(processes, SECONDS)


class Tab:
    """A tab of a new visitor."""

    def __init__(self, firefox):
        self.firefox, self.since = firefox, len(firefox.events)
        self.visitor = firefox.call("browser.createUserContext")["userContext"]
        created = firefox.call(
            "browsingContext.create", type="tab", userContext=self.visitor
        )
        self.context = created["context"]

    def call(self, method, **parameters):
        return self.firefox.call(method, context=self.context, **parameters)

    def close(self):
        self.firefox.call("browser.removeUserContext", userContext=self.visitor)

    def resize(self, width, height):
        viewport = {"width": width, "height": height}
        self.call("browsingContext.setViewport", viewport=viewport)

    def goto(self, address):
        self.call("browsingContext.navigate", url=address, wait="complete")

    def evaluate(self, function, *arguments):
        """Call a JavaScript function in the page, and return what it returns or what
        its promise resolves to; all as JSON.
        """
        result = self.firefox.call(
            "script.callFunction",
            functionDeclaration=(
                "async (given) =>"
                f" JSON.stringify(await ({function})(...JSON.parse(given))) ?? 'null'"
            ),
            arguments=[{"type": "string", "value": json.dumps(arguments)}],
            target={"context": self.context},
            awaitPromise=True,
        )
        assert result["type"] == "success", result["exceptionDetails"]["text"]
        return json.loads(result["result"]["value"])

    def wait_for(self, function, *arguments):
        """Call a function until it returns something true, which is returned."""
        return self.evaluate(
            f"""(...given) => new Promise((resolve, reject) => {{
              const end = performance.now() + {SECONDS / 2 * 1000};
              const look = () => {{
                const found = ({function})(...given);
                if (found) resolve(found);
                else if (performance.now() < end) setTimeout(look, 10);
                else reject(new Error({json.dumps("waited in vain: " + function)}));
              }};
              look();
            }})""",
            *arguments,
        )

    def press(self, *keys, hold=()):
        """Press keys one after another, while others are held."""
        values = [KEYS.get(key, key) for key in keys]
        held = [KEYS[key] for key in hold]
        actions = [{"type": "keyDown", "value": key} for key in held]
        for key in values:
            actions += [{"type": kind, "value": key} for kind in ("keyDown", "keyUp")]
        actions += [{"type": "keyUp", "value": key} for key in reversed(held)]
        source = {"type": "key", "id": "keyboard", "actions": actions}
        self.call("input.performActions", actions=[source])

    def write(self, text):
        """Replace all that is written in the focused element, at one stroke."""
        self.press("a", hold=["ControlOrMeta"])
        insert = "(text) => document.execCommand('insertText', false, text)"
        assert self.evaluate(insert, text)

    @property
    def complaints(self):
        """The errors that scripts have raised since the tab was opened."""
        self.evaluate("() => 0")  # whatever happened before has been heard of then
        return [
            event["text"]
            for name, event in self.firefox.events[self.since :]
            if name == "log.entryAdded" and event["type"] == "javascript"
            if event["level"] == "error"
        ]

    @property
    def asked(self):
        """The addresses that have been asked for since the tab was opened."""
        self.evaluate("() => 0")
        return [
            event["request"]["url"]
            for name, event in self.firefox.events[self.since :]
            if name == "network.beforeRequestSent"
        ]
