"""Questions that ask the reader to predict a result before seeing it."""

import re
import zlib
from html import escape

SPAN = re.compile(r"`([^`]+)`|\$([^$]+)\$")  # code or mathematics
BOX = (
    "border: 1px solid rgba(128, 128, 128, 0.5); border-radius: 6px;"
    " padding: 0.6em 1em; margin: 0.4em 0"
)


def quiz(question, choices):
    """A question with one foldable answer per choice.

    Parameters
    ----------
    question : str
        The question. Text between backticks is code, and text between dollar signs
        is mathematics in TeX. Straight quotation marks become curly ones.
    choices : list of (str, bool, str)
        Two or more tuples (text, is_correct, feedback), at least one of them correct.
        Opening a choice shows whether it is correct, and the feedback.

    Returns
    -------
    Quiz
        What a notebook displays.

    Raises
    ------
    TypeError
        If a text is not a str, or ``is_correct`` is not a bool.
    ValueError
        If a text is empty, a choice has another form, there are fewer than two choices,
        or none is correct.

    Notes
    -----
    The HTML needs no script of its own. It is the same on the built page and in
    JupyterLab, before and after a run; both set its mathematics as they set that of the
    text.
    """
    _check_text("question", question)
    choices = list(choices)
    if len(choices) < 2:
        raise ValueError(f"choices should hold two or more, got {len(choices)}")
    for number, choice in enumerate(choices, start=1):
        if not isinstance(choice, tuple | list) or len(choice) != 3:
            raise ValueError(
                f"choice {number} should be (text, is_correct, feedback), got"
                f" {choice!r}"
            )
        text, is_correct, feedback = choice
        _check_text(f"the text of choice {number}", text)
        if not isinstance(is_correct, bool):
            raise TypeError(
                f"is_correct of choice {number} should be True or False, got"
                f" {is_correct!r}"
            )
        _check_text(f"the feedback of choice {number}", feedback)
    if not any(is_correct for _, is_correct, _ in choices):
        raise ValueError("choices should hold at least one correct choice, got none")
    return Quiz(question, [tuple(choice) for choice in choices])


class Quiz:
    """What ``quiz`` returns: HTML in a notebook, the bare question elsewhere."""

    def __init__(self, question, choices):
        self.question = question
        self.choices = choices

    def __repr__(self):
        return "\n".join(
            [self.question] + [f"  - {text}" for text, _, _ in self.choices]
        )

    def _repr_html_(self):
        # The choices share a name: where the browser supports it, opening one choice
        # folds the others.
        name = f"quiz-{zlib.crc32(self.question.encode()):08x}"
        question = f"<p><strong>{_to_html(self.question)}</strong></p>"
        parts = [f'<div class="quiz" style="{BOX}">{question}']
        for text, is_correct, feedback in self.choices:
            kind, verdict = (
                ("right", "✓ Correct.") if is_correct else ("wrong", "✗ Incorrect.")
            )
            parts += [
                f'<details name="{name}" style="margin: 0.4em 0">',
                f'<summary style="cursor: pointer">{_to_html(text)}</summary>',
                f'<p class="quiz-{kind}" style="margin: 0.3em 0 0.6em 1.2em">',
                f"<strong>{verdict}</strong> {_to_html(feedback)}</p></details>",
            ]
        return "\n".join([*parts, "</div>"])


def _check_text(name, text):
    if not isinstance(text, str):
        raise TypeError(f"{name} should be a str, got {type(text).__name__}")
    if not text.strip():
        raise ValueError(f"{name} should have some text, got {text!r}")


def _to_html(text):
    """Escaped text with code, mathematics, and curly quotation marks."""
    first, *others = _curly(SPAN.sub("\0", text)).split("\0")  # the words between
    html = [escape(first)]
    for (code, mathematics), words in zip(SPAN.findall(text), others, strict=True):
        if code:
            inner = f"<code>{escape(code)}</code>"
        else:
            # The markup of Sphinx, which tells MathJax where to look.
            tex = escape(mathematics)
            inner = f'<span class="math notranslate nohighlight">\\({tex}\\)</span>'
        # No line begins with the comma after a formula.
        mark = re.match(r"[.,;:!?%)\]’”-]*", words)[0]
        if mark:
            inner = f'<span style="white-space: nowrap">{inner}{mark}</span>'
        html += [inner, escape(words[len(mark) :])]
    return "".join(html)


def _curly(text):
    """Text with curly quotation marks and apostrophes."""
    text = re.sub(r"(?<![^\s(\[])'(?=\S)", "‘", text).replace("'", "’")
    return re.sub(r'(?<![^\s(\[])"(?=\S)', "“", text).replace('"', "”")
