r"""Heads of self-attention that are built by hand, as an interactive figure: the query
of one word, its scores, its weights, and its context.

The vector of each word has 64 numbers: 16 for what the word is, and 48 for where it
stands. A head reads 16 of them. In one that looks at the positions, these are eight
clock hands, and the matrix of its queries can turn each of them by a whole word.
"""

import unicodedata

import numpy as np

from attnlib import reference as ref
from attnlib.arguments import integer, one_of
from attnlib.interactive.frame import (
    Figure,
    bar,
    distinct_names,
    minus,
    printable_tokens,
    to_html,
    visible,
)
from attnlib.tokenization import tokens

MAX_CHARACTERS = 120  # of a text
MAX_WORDS = 12  # more do not fit on a screen
EXAMPLE = "the dog saw the cat"
KEY_DIM = 16  # numbers that a head reads
POSITION_DIM = 48  # of the 64 numbers of a word

HEADS = {
    "the word before": "The keys are the positions. The query is the position of the"
    " word, with each of its clock hands turned back by one word.",
    "the word after": "The keys are the positions. The query is the position of the"
    " word, with each of its clock hands turned forward by one word.",
    "the same word": "Queries and keys are what each word is, wherever it stands. Equal"
    " words have equal ones.",
    "the first word": "The keys are the positions. Every query is the position of the"
    " first word.",
    "all words alike": "Every query is zero, so every score is zero.",
}
"""What each head attends to, and how it is built."""


def heads(
    text,
    head="the word before",
    query=None,
    causal=False,
    title="A head of self-attention, built by hand",
):
    r"""From the query of one word to its context, for each of five heads.

    With the vectors :math:`x_j` of the words, word :math:`i` gets

    .. math::

        q_i = x_i W^q \quad k_j = x_j W^k \quad v_j = x_j W^v \qquad
        e_{ij} = \frac{q_i \cdot k_j}{\sqrt{16}} \qquad
        \alpha_{ij} = \operatorname{softmax}_j(e_{ij}) \qquad
        c_i = \sum_j \alpha_{ij} v_j

    Nothing is trained: the matrices of each head are written down, and so are the
    vectors. ``HEADS`` says how.

    Parameters
    ----------
    text : str
        At most 120 characters and 12 words and punctuation marks.
    head : str
        The head that is chosen first, one of ``HEADS``: "the word before", "the word
        after", "the same word", "the first word", or "all words alike".
    query : int, optional
        The index of the word that is chosen first, from 0. By default the last word.
    causal : bool
        Whether the causal mask is on at first: then a word may attend to itself and to
        the words before it.
    title : str or None
        Heading of the figure.

    Returns
    -------
    Figure
        What a notebook displays. In a page of the book, readers can also enter a text
        of their own.

    Raises
    ------
    TypeError
        If ``text`` is not a str, ``query`` not an integer, or ``causal`` not a bool.
    ValueError
        If there is no word in the text, it is too long, or it holds control characters;
        if there is no such head or no such word.

    Notes
    -----
    The positions are the sinusoids of Vaswani et al. (2017), section 3.5, and the
    weights are those of ``attnlib.reference.scaled_dot_product_attention``.
    """
    data = head_numbers(text)
    one_of("head", head, tuple(HEADS))
    last = len(data["words"]) - 1
    if not isinstance(causal, (bool, np.bool_)):
        raise TypeError(f"causal should be True or False, got {causal!r:.60}")
    data["start"] = {
        "head": list(HEADS).index(head),
        "query": last if query is None else integer("query", query, 0, last),
        "causal": bool(causal),
    }
    return Figure("heads", title, _fallback(data), data)


def head_numbers(text):
    """What the figure draws, as data that JSON can hold.

    Parameters
    ----------
    text : str

    Returns
    -------
    dict
        ``words`` and ``names``, the words as they are shown and spoken; ``values``, a
        row per word; and ``heads``, of which each has its ``name``, ``about``, which
        says how it is built, and a row per word of ``queries``, ``keys``, ``scores``,
        ``weights``, ``contexts``, and, with the causal mask, ``causal_weights`` and
        ``causal_contexts``. ``text`` is the text, ``longest`` the largest number of
        characters, and ``start`` what is chosen first.

    Raises
    ------
    TypeError, ValueError
        As ``heads``.
    """
    words = _checked_words(text)
    x = word_vectors(words)
    w_values = _reading(0)
    values = x @ w_values
    shown = printable_tokens("words", words)
    return {
        "words": [visible(word) for word in shown],
        "names": distinct_names(shown),
        "values": _rounded(values, 2),
        "heads": [
            {"name": name, "about": about, **_numbers(x, *head_matrices(name), values)}
            for name, about in HEADS.items()
        ],
        "text": printable_tokens("text", [text.strip()])[0],
        "longest": MAX_CHARACTERS,
        "start": {"head": 0, "query": len(words) - 1, "causal": False},
    }


def _checked_words(text):
    if not isinstance(text, str):
        raise TypeError(f"text should be a str such as {EXAMPLE!r}, got {text!r:.60}")
    text = text.strip()
    if len(text) > MAX_CHARACTERS:
        raise ValueError(
            f"text should have at most {MAX_CHARACTERS} characters, got {len(text)}"
        )
    if not any(map(str.isalnum, text)):
        raise ValueError(f"text should hold a word, as in {EXAMPLE!r}, got {text!r}")
    for character in text:
        if unicodedata.category(character) in ("Cc", "Cn", "Co") and character not in (
            "\t",
            "\n",
        ):
            raise ValueError(
                "text should hold words and punctuation marks, got the character"
                f" U+{ord(character):04X}, which is neither"
            )
    words = tokens(text)
    if len(words) > MAX_WORDS:
        raise ValueError(
            f"text should have at most {MAX_WORDS} words and punctuation marks, so that"
            f" all of them fit on a screen, got {len(words)}"
        )
    return words


def word_vectors(words):
    """The vector of each word: what it is, and where it stands.

    Parameters
    ----------
    words : list of str
        At most 15 different ones.

    Returns
    -------
    array, shape (length, 64)
        The first 16 columns hold 1 and -1. They are equal for equal words, and
        orthogonal for different ones. The other 48 are the sinusoidal encoding of the
        position.
    """
    different = list(dict.fromkeys(words))
    patterns = np.ones((1, 1))
    while len(patterns) < KEY_DIM:  # Sylvester's construction: rows are orthogonal
        patterns = np.block([[patterns, patterns], [patterns, -patterns]])
    content = patterns[[1 + different.index(word) for word in words]]
    angles = np.arange(len(words))[:, None] * _frequencies()  # (length, 24)
    positions = np.stack([np.sin(angles), np.cos(angles)], axis=-1)
    return np.concatenate([content, positions.reshape(len(words), -1)], axis=-1)


def head_matrices(name):
    """The matrices of one head, built by hand.

    Parameters
    ----------
    name : str
        One of ``HEADS``.

    Returns
    -------
    w_query, w_keys : array, shape (64, 16)
        A query of a head that looks at positions reads the eight fastest clock hands.
        The larger the factor in front, the sharper the weights.
    """
    what, where = _reading(0), _reading(KEY_DIM)
    if name == "the word before":
        return 16 * where @ rotation(-1), where
    if name == "the word after":
        return 16 * where @ rotation(1), where
    if name == "the same word":
        return 1.5 * what, what
    if name == "the first word":
        # The cosine of the slowest hand is 1 for each word of a short text.
        first = np.zeros((KEY_DIM + POSITION_DIM, KEY_DIM))
        first[-1] = np.tile([0, 1], KEY_DIM // 2)
        return 16 * first, where
    return 0 * where, where


def rotation(steps):
    """The matrix that turns the eight fastest clock hands by some words.

    Parameters
    ----------
    steps : int
        -1 turns the position of each word into that of the word before.

    Returns
    -------
    array, shape (16, 16)
        ``positions @ rotation(steps)`` are the positions that lie `steps` further on.
    """
    matrix = np.zeros((KEY_DIM, KEY_DIM))
    for i, angle in enumerate(steps * _frequencies()[: KEY_DIM // 2]):
        # sin(p+a) = sin p cos a + cos p sin a, cos(p+a) = cos p cos a - sin p sin a
        sine, cosine = np.sin(angle), np.cos(angle)
        hand = slice(2 * i, 2 * i + 2)
        matrix[hand, hand] = [[cosine, -sine], [sine, cosine]]
    return matrix


def _frequencies():
    """How far each clock hand turns from one word to the next, in radians."""
    return 1 / 10000 ** (np.arange(0, POSITION_DIM, 2) / POSITION_DIM)


def _reading(first):
    """The matrix that reads 16 of a vector's numbers from `first` on."""
    return np.eye(KEY_DIM + POSITION_DIM, KEY_DIM, -first)


def _numbers(x, w_query, w_keys, values):
    """What one head computes from the words' vectors."""
    queries, keys = x @ w_query, x @ w_keys
    scores = queries @ keys.T / np.sqrt(KEY_DIM)
    causal = np.tril(np.ones(scores.shape, bool))
    numbers = {"queries": queries, "keys": keys, "scores": scores}
    numbers = {name: _rounded(each, 2) for name, each in numbers.items()}
    for prefix, mask in (("", np.ones_like(causal)), ("causal_", causal)):
        contexts, weights = ref.scaled_dot_product_attention(
            queries[None], keys[None], values[None], mask[None]
        )
        numbers[f"{prefix}weights"] = _rounded(weights[0], 4)
        numbers[f"{prefix}contexts"] = _rounded(contexts[0], 2)
    return numbers


def _rounded(numbers, digits):
    return (np.round(numbers, digits) + 0.0).tolist()  # + 0.0 turns -0 into 0


def _fallback(data):
    """What is chosen first, and a table, which the script draws anew."""
    head, i = data["heads"][data["start"]["head"]], data["start"]["query"]
    is_causal = data["start"]["causal"]
    weights = head["causal_weights" if is_causal else "weights"][i]
    scores = head["scores"][i]
    rows = "".join(
        f"<tr><th scope=row>{to_html(word)}{' (masked)' * (is_causal and j > i)}"
        f"<td>{minus(f'{score:.1f}')}<td>{bar(weight)}"
        for j, (word, score, weight) in enumerate(
            zip(data["words"], scores, weights, strict=True)
        )
    )
    columns = "".join(f"<th scope=col>{name}" for name in ("word", "score", "weight"))
    mask = ", with the causal mask" if is_causal else ""
    return (
        f'<p class="af-paper hd-text">“{to_html(data["text"])}”</p>'
        f"<table dir=ltr><caption>The head “{head['name']}”: the query of"
        f" {to_html(data['names'][i])}{mask}.</caption>"
        f"<thead><tr>{columns}<tbody>{rows}</table>"
    )
