r"""A sentence and what a classifier makes of it, as an interactive figure: the
attention weight and gradient × input of each word, and the prediction.

For a chapter::

    from attnlib.interactive import own_words
    from attnlib.numpy_classifier import Classifier

    classifier = Classifier.load("reviews")
    own_words(classifier, "The food was good, but the waiter was rude.")

The cell needs no TensorFlow, so it also runs in the page, which then brings the weights
along by itself. There, readers can enter a sentence of their own; it is read by the
model that attnlib brings, with none of the reader's functions.
"""

from attnlib.interactive.frame import (
    GREEN,
    SOURCE,
    Figure,
    bar,
    distinct_names,
    minus,
    printable_tokens,
    to_html,
    visible,
)
from attnlib.numpy_classifier import Classifier

MAX_CHARACTERS = 300  # of a sentence
MAX_WORDS = 60
TARGET = "#b3500c"  # as in frame.css; the static table has no style sheet
CREDIT = (
    "The model was trained on the Sentiment Labelled Sentences of Kotzias et al."
    " (2015), CC BY 4.0."
)


def own_words(classifier, text, title="Attention weights and gradient × input"):
    r"""The words of a sentence with the attention weight and gradient × input of each,
    and the prediction.

    .. math::
        \alpha_s = \operatorname{softmax}_s\big(v^\top \tanh(W h_s + b)\big)
        \qquad g_s = \frac{\partial z}{\partial x_s} \cdot x_s

    with the states :math:`h_s`, the embeddings :math:`x_s`, and the logit :math:`z` of
    "positive".

    Parameters
    ----------
    classifier : attnlib.numpy_classifier.Classifier
        Such as ``Classifier.load("reviews")``. If it has functions of your own, the
        figure shows what they make of `text`.
    text : str
        A sentence in English, of at most 300 characters and 60 words and punctuation
        marks.
    title : str or None
        Heading of the figure.

    Returns
    -------
    Figure
        What a notebook displays. In a page of the book, readers can also enter a
        sentence of their own, which is read by the model as attnlib brings it.

    Raises
    ------
    TypeError
        If ``classifier`` is not a Classifier, or ``text`` is not a str.
    ValueError
        If there is no letter in the text, or it is too long.

    Notes
    -----
    A bar is as long as its number is large, compared with the largest of the sentence.
    Words that the model does not know are marked <unk>: it reads all of them as one and
    the same word.
    """
    data = word_scores(classifier, text)
    return Figure("own_words", title, _fallback(data), data)


def word_scores(classifier, text):
    """What the figure draws, as data that JSON can hold.

    Parameters
    ----------
    classifier : attnlib.numpy_classifier.Classifier
    text : str

    Returns
    -------
    dict
        ``words`` and ``names``, the words as they are shown and spoken; for each of
        them ``known``, ``weights``, and ``gradients``, which is gradient × input;
        ``probability`` of "positive"; ``text``; and ``longest``, the largest number of
        characters.

    Raises
    ------
    TypeError, ValueError
        As ``own_words``.
    """
    if not isinstance(classifier, Classifier):
        raise TypeError(
            "classifier should be a Classifier, such as Classifier.load('reviews'), got"
            f" {classifier!r:.60}"
        )
    if isinstance(text, str) and len(text.strip()) > MAX_CHARACTERS:
        raise ValueError(
            f"text should have at most {MAX_CHARACTERS} characters, got"
            f" {len(text.strip())}"
        )
    probability, words, weights = classifier(text)
    if len(words) > MAX_WORDS:
        raise ValueError(
            f"text should have at most {MAX_WORDS} words and punctuation marks, got"
            f" {len(words)}"
        )
    gradients = classifier.gradient_times_input(text)
    shown = printable_tokens("words", words)
    return {
        "words": [visible(word) for word in shown],
        "names": distinct_names(shown),
        "known": [classifier.knows(word) for word in words],
        "weights": _rounded(weights),
        "gradients": _rounded(gradients),
        "probability": round(probability, 4),
        "text": printable_tokens("text", [text.strip()])[0],
        "longest": MAX_CHARACTERS,
    }


def _rounded(numbers):
    return [round(float(number), 4) + 0.0 for number in numbers]  # + 0.0 turns -0 to 0


def _fallback(data):
    """The answer and a table, which the script draws anew."""
    probability = data["probability"]
    answer = "positive" if probability >= 0.5 else "negative"
    share = max(probability, 1 - probability)
    rows = zip(
        *(data[name] for name in ("words", "known", "weights", "gradients")),
        strict=True,
    )
    largest = max(data["weights"]) or 1
    widest = max(map(abs, data["gradients"])) or 1
    body = "".join(
        f"<tr><th scope=row>{to_html(word)}{'' if known else ' &lt;unk&gt;'}"
        f"<td>{bar(max(weight, 0) / largest, weight, GREEN)}"
        f"<td>{_signed_bar(gradient, widest)}"
        for word, known, weight, gradient in rows
    )
    head = "".join(
        f"<th scope=col>{name}" for name in ("word", "weight", "gradient × input")
    )
    unknown = (
        ""
        if all(data["known"])
        else " The model reads words marked &lt;unk&gt; as"
        " one and the same word, because it does not know them."
    )
    return (
        f'<p class="af-paper ow-answer">“{to_html(data["text"])}” is {answer}, with'
        f" probability {share:.2f}.</p>"
        f"<table><caption>The words of the sentence.{unknown}</caption>"
        f"<thead><tr>{head}<tbody>{body}</table>"
        f'<p class="ow-credit">{CREDIT}</p>'
    )


def _signed_bar(number, widest):
    """A number, and a bar to the left or right of a middle line."""
    width = 48 * abs(number) / widest
    color, left = (SOURCE, 48) if number >= 0 else (TARGET, 48 - width)
    style = (
        f"display:inline-block;width:{width:.0f}px;height:10px;background:{color};"
        f"margin-left:{left + 8:.0f}px"
    )
    return f'{_signed(number)}<span style="{style}"></span>'


def _signed(number):
    text = f"{number:+.2f}"
    return "0.00" if float(text) == 0 else minus(text)
