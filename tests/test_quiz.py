import re
from html.parser import HTMLParser

import pytest

from attnlib.quiz import quiz

CHOICES = [
    ("It falls", True, "The vector has one size, the sentence any."),
    ("It stays", False, "That is what attention will do."),
    ("It rises", False, "Longer sentences are not easier."),
]


class Tags(HTMLParser):
    """The elements of a page, and whether each that opens is closed in order."""

    def __init__(self, page):
        super().__init__()
        self.open, self.seen = [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.open.append(tag)
        self.seen.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_quiz_has_one_fold_per_choice():
    tags = Tags(quiz("What happens?", CHOICES)._repr_html_())
    assert tags.open == []
    folds = [attributes for tag, attributes in tags.seen if tag == "details"]
    assert len(folds) == 3
    assert not any("open" in fold for fold in folds)
    assert len({fold["name"] for fold in folds}) == 1


def test_quiz_tells_right_from_wrong_in_words():
    page = quiz("What happens?", CHOICES)._repr_html_()
    verdicts = re.findall(
        r"<summary[^>]*>(.*?)</summary>\s*<p[^>]*>\s*<strong>(.*?)</strong>", page
    )
    assert verdicts == [
        ("It falls", "✓ Correct."),
        ("It stays", "✗ Incorrect."),
        ("It rises", "✗ Incorrect."),
    ]


def test_quiz_needs_no_script_and_no_other_host():
    tags = Tags(quiz("What happens?", CHOICES)._repr_html_())
    assert {tag for tag, _ in tags.seen} == {"div", "p", "strong", "details", "summary"}
    assert {name for _, attributes in tags.seen for name in attributes} == {
        "class",
        "style",
        "name",
    }


def test_quiz_is_the_same_each_time():
    first, second = quiz("Why?", CHOICES), quiz("Why?", CHOICES)
    assert first._repr_html_() == second._repr_html_()
    assert (
        repr(first) == repr(second) == "Why?\n  - It falls\n  - It stays\n  - It rises"
    )


def test_quiz_escapes_everything_and_marks_code():
    nasty = '<script>alert("`x`")</script> & `a < b`'
    page = quiz(nasty, [(nasty, True, nasty), (nasty, False, nasty)])._repr_html_()
    assert "<script" not in page
    assert page.count("<code>a &lt; b</code>") == 5
    assert {tag for tag, _ in Tags(page).seen} == {
        "div",
        "p",
        "strong",
        "details",
        "summary",
        "span",
        "code",
    }


@pytest.mark.parametrize(
    ("text", "html"),
    [
        (
            "what does $h_t$ depend on?",
            (
                'what does <span class="math notranslate nohighlight">\\(h_t\\)</span>'
                " depend on?"
            ),
        ),
        ("$a < b$", '<span class="math notranslate nohighlight">\\(a &lt; b\\)</span>'),
        (
            'if "$q$", then (`c`)',
            (
                'if “<span style="white-space: nowrap"><span class="math notranslate'
                ' nohighlight">\\(q\\)</span>”,</span> then (<span style="white-space:'
                ' nowrap"><code>c</code>)</span>'
            ),
        ),
        ("5 $ alone", "5 $ alone"),
        ("`cost = '$5'` and `$x$`", "<code>cost = &#x27;$5&#x27;</code> and <code>$x$"),
        ("Luong's and Bahdanau's models'", "Luong’s and Bahdanau’s models’"),
        ("'dog' in ('man bites dog')", "‘dog’ in (‘man bites dog’)"),
        ('say "one" now', "say “one” now"),
    ],
)
def test_quiz_sets_mathematics_code_and_quotation_marks(text, html):
    assert html in quiz(text, CHOICES)._repr_html_()
    assert repr(quiz(text, CHOICES)).startswith(text)


@pytest.mark.parametrize(
    "question, choices, error, message",
    [
        (3, CHOICES, TypeError, "question should be a str, got int"),
        (" ", CHOICES, ValueError, "question should have some text, got ' '"),
        ("Why?", CHOICES[:1], ValueError, "choices should hold two or more, got 1"),
        (
            "Why?",
            CHOICES[1:],
            ValueError,
            "choices should hold at least one correct choice, got none",
        ),
        (
            "Why?",
            [*CHOICES, ("a", False)],
            ValueError,
            r"choice 4 should be \(text, is_correct, .*got \('a', F",
        ),
        ("Why?", ["abc", "def"], ValueError, "choice 1 should be"),
        (
            "Why?",
            [*CHOICES, ("a", 1, "b")],
            TypeError,
            "is_correct of choice 4 should be True or False, got 1",
        ),
        (
            "Why?",
            [*CHOICES, ("a", False, "")],
            ValueError,
            "the feedback of choice 4 should have some text, got ''",
        ),
        (
            "Why?",
            [*CHOICES, (None, False, "b")],
            TypeError,
            "the text of choice 4 should be a str, got NoneType",
        ),
    ],
)
def test_quiz_refuses_bad_input(question, choices, error, message):
    with pytest.raises(error, match=message):
        quiz(question, choices)
