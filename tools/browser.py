"""The Chromium of this machine, for what needs a browser: printing, the picture of a
shared link, the tests.
"""

import shutil
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def launch(playwright):
    """Start Chromium, the system's or else Playwright's own. Returns None where there
    is neither.
    """
    found = next(
        filter(None, map(shutil.which, NAMES)), playwright.chromium.executable_path
    )
    return (
        playwright.chromium.launch(executable_path=found, args=FLAGS)
        if Path(found).exists()
        else None
    )
