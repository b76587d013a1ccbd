"""Words and punctuation marks of a text: how the models for sentences read one."""

import re
import sys
import unicodedata
from functools import cache

# Characters without a shape of their own: soft hyphen, marks of direction, word
# joiners, and the byte-order mark. A zero-width space ends a word.
INVISIBLE = dict.fromkeys(
    map(ord, "\u00ad\u061c\u180e\u200e\u200f\u2060\u2061\u2062\u2063\u2064\ufeff")
) | {c: None for c in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}
INVISIBLE[0x200B] = " "


def tokens(sentence):
    """Split a text into its words, in lower case, and its punctuation marks.

    ``tokens("Don't go!")`` → ``["don't", "go", "!"]``

    The text is brought to Unicode's composed form (NFC) first, without characters that
    have no shape, such as soft hyphens. Combining marks stay with their letter, and an
    emoji is one token. A text that is written without spaces, such as Chinese, has to
    be split into words first, with a space between each two.

    Parameters
    ----------
    sentence : str

    Returns
    -------
    tokens : list of str

    Raises
    ------
    TypeError
        If it is not a str.
    """
    word, mark = _patterns()
    # Inside a word: apostrophes, Catalan's raised dot, and Hebrew's two marks.
    inner = "['\u2019\u00b7\u05f3\u05f4]"
    text = _composed(sentence, str.lower)
    return re.findall(rf"{word}(?:{inner}{word})*|{mark}", text)


def key(sentence):
    """Reduce a text to what it shares with its duplicates.

    Duplicates differ in case, punctuation, spaces, and Unicode form alone.

    Parameters
    ----------
    sentence : str

    Returns
    -------
    key : str
        Its words. Empty if it has none.

    Raises
    ------
    TypeError
        If it is not a str.
    """
    word, _ = _patterns()
    return " ".join(re.findall(word, _composed(sentence, str.casefold)))


def _composed(text, change_case):
    """The visible text in Unicode's composed form (NFC), before and after its case is
    changed, which may take letters apart.
    """
    if not isinstance(text, str):
        raise TypeError(f"sentence should be a str, got {type(text).__name__}")
    text = change_case(unicodedata.normalize("NFC", text.translate(INVISIBLE)))
    return unicodedata.normalize("NFC", text)


@cache
def _patterns():
    """Regular expressions of a word and of a punctuation mark, each with the combining
    marks on it. Two joiners, which are not letters, are part of a word between letters.
    A mark may be an emoji: a flag of two letters, or symbols that are joined.
    """
    characters = map(chr, range(sys.maxunicode + 1))
    marks = "".join(c for c in characters if unicodedata.category(c).startswith("M"))
    joiners = "\u200c\u200d"
    word = rf"\w(?:[\w{marks}]|[{joiners}](?=\w))*"
    flag = "[\U0001f1e6-\U0001f1ff]{2}"
    skins_and_tags = "\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f"
    mark = rf"[^\w\s](?:[{marks}{skins_and_tags}]|\u200d[^\w\s])*"
    return word, rf"{flag}|{mark}"
