"""The Chromium of this machine, for printing, for the social card, and for tests."""

import shutil
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def launch(playwright):
    """Start Chromium: the system's, or else Playwright's own.

    Returns None if neither is installed.
    """
    installed = filter(None, map(shutil.which, NAMES))
    path = next(installed, playwright.chromium.executable_path)
    if not Path(path).exists():
        return None
    return playwright.chromium.launch(executable_path=path, args=FLAGS)
