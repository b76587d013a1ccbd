"""Draw the picture that links to the book show: its title above the index's figure.

    python -m tools.social_card

Writes book/_static/card.png, 1200 by 630 pixels.
"""

import sys

import yaml
from playwright.sync_api import sync_playwright

from tools import browser
from tools.build_book import ROOT

PAGE = """\
<style>
  body {
    margin: 0; background: #0b6b58; color: #fff;
    font: 600 72px/1 "DejaVu Sans", sans-serif; text-align: center
  }
  h1 { font: inherit; margin: 0; padding: 52px 0 44px }
  svg { height: 420px }
</style>
<h1>%s</h1>
"""


def main():
    title = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))["title"]
    figure = (ROOT / "book" / "figures" / "looking_back.svg").read_text("utf-8")
    with sync_playwright() as playwright:
        chromium = browser.launch(playwright)
        if chromium is None:
            print(
                "There is no Chromium on this machine: install it to draw the card.",
                file=sys.stderr,
            )
            return 1
        size = {"width": 1200, "height": 630}
        page = chromium.new_page(viewport=size, reduced_motion="reduce")
        page.set_content(PAGE % title + figure)
        page.screenshot(path=ROOT / "book" / "_static" / "card.png")
        chromium.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
