"""What the tests of interactive figures share: two figures, a page around them, and
what a reader sees of it.
"""

import re
from urllib.parse import urlsplit

import numpy as np
from conftest import violations

from attnlib import reference as ref
from attnlib.interactive import frame, weights, window

WORDS, SCORES = (
    ["friend", "neighbor", "your name", "music", "glasses"],
    [2, 0.5, 1.5, 0, -0.5],
)
DATE = "March 5, 2024"
DIGITS = [2.0 if letter.isdigit() else 0.0 for letter in DATE]
HOSTILE = [
    "</script><script>window.hacked=1</script>",
    "<!--",
    '"><img src=x onerror="window.hacked=1">',
    "</style><b>",
    "'\" onfocus='window.hacked=1'",
    "</table></div>",
    "&lt;",
    "\u2028",
    "__proto__",
    "${window.hacked=1}",
    "\u202eabc",
    " ",
]


def party(**options):
    return weights(WORDS, SCORES, **options)


def day(center=6.4, half_width=3, sigma=None, **options):
    return window(list(DATE), DIGITS, center, half_width, sigma, **options)


def local(scores, center, half_width, gaussian=True):
    """Weights of the reference for one query."""
    scores = np.array(scores, float)[None, None]
    vectors = np.zeros((1, scores.shape[2], 1))
    _, found = ref.local_attend(
        vectors[:, :1],
        vectors,
        vectors,
        [[center]],
        half_width,
        score=lambda *_: scores,
        gaussian=gaussian,
    )
    return found[0, 0]


def open_figures(browser, tmp_path):
    """A fixture that opens figures on one page, which at the end must have thrown
    nothing and requested nothing.
    """
    contexts, troubles, requests = [], [], []

    def opened(*figures, root="<html>", body="<body>", clock=False, **options):
        path = tmp_path / "figure.html"
        text = frame.page("Figures", "".join(map(str, figures)))
        path.write_text(
            text.replace('<html lang="en">', root.replace(">", ' lang="en">')).replace(
                "<body>", body
            ),
            "utf-8",
        )
        contexts.append(
            browser.new_context(
                **{"viewport": {"width": 760, "height": 900}, **options}
            )
        )
        page = contexts[-1].new_page()
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        if clock:
            page.clock.install(time=0)
        page.goto(path.as_uri())
        if clock:
            page.clock.pause_at(60_000)  # a slow machine does not move the clock
        return page

    yield opened
    for context in contexts:
        context.close()
    assert troubles == []
    assert {urlsplit(url).path for url in requests} == {
        (tmp_path / "figure.html").as_posix()
    }


# Lets the page answer in place of Python, and keeps what it was asked.
HOSTS = """() => {
  document.documentElement.classList.add("can-run");
  window.asked = [];
  addEventListener("attn-call", event => {
    event.preventDefault();
    asked.push(event.detail);
  });
}"""


def press(page, name):
    page.get_by_role("button", name=name, exact=True).click()


def check_html(figure, most):
    """It is the same every time, names no host, and has at most so many bytes."""
    html = figure._repr_html_()
    assert html == str(figure) and len(html.encode()) <= most
    assert set(re.findall(r"\w+:/+[^\"']*", html)) <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r'\s(id|on\w+|src|href)="|@import|url\(|\bfetch\b', html)


def check_card_on_paper(page):
    """The page that is printed has the light colors, whatever the screen has."""
    page.emulate_media(media="print")
    card = "e => getComputedStyle(e).backgroundColor"
    assert page.locator(".attn-figure").evaluate(card) == "rgb(251, 250, 246)"


def check_accessible(page):
    """axe finds nothing, with targets that are large enough for a finger."""
    rules = {"target-size": {"enabled": True}}
    assert violations(page, {"page-has-heading-one"}, rules=rules) == []


def check_fits(page, width, least=24):
    """Nothing is wider than the page, and what is pressed is not too small."""
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for target in page.locator("input, button, summary").all():
        box = target.bounding_box()
        assert min(box["width"], box["height"]) >= least


def said(page):
    """What the live region says once the reader rests."""
    page.clock.run_for(500)
    return page.locator(".af-say").first.inner_text()


def exact(page, name):
    """The weights that the first such figure shows, unrounded."""
    return np.array(page.evaluate(f"document.querySelector('.attn-{name}').weights"))


def texts(page, selector):
    return [text.strip() for text in page.locator(selector).all_inner_texts()]


def focused(page):
    return page.evaluate(
        "document.activeElement.ariaLabel ??"
        " document.activeElement.labels?.[0]?.innerText ?? ''"
    )


def swipe(page, x, y, dx, dy, steps=8):
    """Move a finger from (x, y) by (dx, dy), as the browser itself hears of it."""
    session = page.context.new_cdp_session(page)

    def touch(kind, *points):
        event = {"type": kind, "touchPoints": list(points)}
        session.send("Input.dispatchTouchEvent", event)

    touch("touchStart", {"x": x, "y": y})
    for step in range(1, steps + 1):
        touch("touchMove", {"x": x + dx * step / steps, "y": y + dy * step / steps})
        page.evaluate("new Promise(requestAnimationFrame)")
    touch("touchEnd")
    page.evaluate("new Promise(requestAnimationFrame)")


# Sets every slider, box, and button in turn, and returns what the figure then shows.
SET = """([name, settings]) => {
  const root = document.querySelector(".attn-" + name);
  const inputs = [...root.querySelectorAll("input")];
  const buttons = [...root.querySelectorAll("[aria-pressed]")];
  return settings.map(([values, pressed]) => {
    inputs.forEach((input, i) => {
      if (input.type === "checkbox") {
        if (input.checked !== values[i]) input.click();
        return;
      }
      input.value = values[i];
      input.dispatchEvent(new Event("input"));
    });
    buttons.forEach((button, i) => {
      if ((button.ariaPressed === "true") !== pressed[i]) button.click();
    });
    return {weights: [...root.weights], values: inputs.map(each => each.valueAsNumber)};
  });
}"""
