"""The times of the built page are measured in both browsers."""

import re
import subprocess
import sys

from conftest import ROOT


def test_page_times_are_printed_for_both_browsers(
    html, browser, firefox, engine_folder
):
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.page", "--rounds", "1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    row = r"^(\w+) +(\D+?) +\d+ \(\d+ to \d+\)$"
    rows = re.findall(row, done.stdout, re.MULTILINE)
    of_page = ["first visit", "next chapter", "loaded again", "further check"]
    assert rows == [
        *(("Chromium", what) for what in of_page),
        *(("Firefox", what) for what in of_page),
        ("native", "check"),
    ]
