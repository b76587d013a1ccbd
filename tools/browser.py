"""The Chromium of this machine, for printing, for the social card, and for tests."""

import os
import shutil

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
