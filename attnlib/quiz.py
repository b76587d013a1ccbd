"""Questions that ask the reader to predict a result before seeing it."""

import re
import zlib
from html import escape

BOX = (
    "border: 1px solid rgba(128, 128, 128, 0.5); border-radius: 6px; padding: 0.6em"
    " 1em; margin: 0.4em 0"
)


def quiz(question, choices):
    """A question with one foldable answer for each choice, as HTML that needs no
    script.

    question: text. choices: two or more tuples (text, is_correct, feedback), at least
    one of them correct. All text is shown as it is, except that `backticks` mark code.
    Opening a choice tells whether it is right, and why. The same HTML works in the
    built page and in JupyterLab, before and after a run.

    Returns a Quiz, which a notebook displays. Raises TypeError or ValueError for
    anything else.
    """
    _text("question", question)
    choices = list(choices)
    if len(choices) < 2:
        raise ValueError(f"a question needs two choices or more, got {len(choices)}")
    for number, choice in enumerate(choices, start=1):
        if not isinstance(choice, tuple | list) or len(choice) != 3:
            raise ValueError(
                f"choice {number} should be (text, is_correct, feedback), got"
                f" {choice!r}"
            )
        _text(f"the text of choice {number}", choice[0])
        if not isinstance(choice[1], bool):
            raise TypeError(
                f"is_correct of choice {number} should be True or False, got"
                f" {choice[1]!r}"
            )
        _text(f"the feedback of choice {number}", choice[2])
    if not any(is_correct for _, is_correct, _ in choices):
        raise ValueError("no choice is marked as correct")
    return Quiz(question, [tuple(choice) for choice in choices])


class Quiz:
    """What `quiz` returns: HTML in a notebook, the bare question elsewhere."""

    def __init__(self, question, choices):
        self.question = question
        self.choices = choices

    def __repr__(self):
        return "\n".join(
            [self.question] + [f"  - {text}" for text, _, _ in self.choices]
        )

    def _repr_html_(self):
        # One name for all: where the browser knows it, opening a choice folds the
        # others.
        name = f"quiz-{zlib.crc32(self.question.encode()):08x}"
        parts = [
            '<div class="quiz"'
            f' style="{BOX}"><p><strong>{_inline(self.question)}</strong></p>'
        ]
        for text, is_correct, feedback in self.choices:
            kind, verdict = ("right", "✓ Right.") if is_correct else ("wrong", "✗ No.")
            parts += [
                f'<details name="{name}" style="margin: 0.4em 0">',
                f'<summary style="cursor: pointer">{_inline(text)}</summary>',
                f'<p class="quiz-{kind}" style="margin: 0.3em 0 0.6em 1.2em">',
                f"<strong>{verdict}</strong> {_inline(feedback)}</p></details>",
            ]
        return "\n".join([*parts, "</div>"])


def _text(name, value):
    if not isinstance(value, str):
        raise TypeError(f"{name} should be a text, got {type(value).__name__}")
    if not value.strip():
        raise ValueError(f"{name} is empty")


def _inline(text):
    """Escaped text, in which `backticks` mark code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
