"""Draw the picture that a shared link to the book shows: its title over the sketch of
the first page.

python tools/social_card.py        writes book/_static/card.png, 1200 by 630 pixels
"""

import sys
from pathlib import Path

import yaml
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parent))
import browser  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
PAGE = """\
<style>
  body { margin: 0; background: #0b6b58; color: #fff; font: 600 72px/1 "DejaVu Sans", sans-serif; text-align: center }
  h1 { font: inherit; margin: 0; padding: 52px 0 44px }
  svg { height: 420px }
</style>
<h1>%s</h1>
"""


def main():
    title = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))["title"]
    sketch = (ROOT / "book" / "figures" / "looking_back.svg").read_text("utf-8")
    with sync_playwright() as playwright:
        chromium = browser.launch(playwright)
        if chromium is None:
            print(
                "There is no Chromium on this machine: install it to draw the picture.",
                file=sys.stderr,
            )
            return 1
        page = chromium.new_page(
            viewport={"width": 1200, "height": 630}, reduced_motion="reduce"
        )
        page.set_content(PAGE % title + sketch)
        page.screenshot(path=ROOT / "book" / "_static" / "card.png")
        chromium.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
