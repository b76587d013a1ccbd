"""True sentences about sums: "twenty-one plus seven is twenty-eight ." A text for small
language models, whose sentences can be checked.

A token is a word, or the period. Numbers are at most 50, and so are their sums. About a
fifth of the sums, the same for every text, is held out: no text has them. For half of
these, the texts do not have the mirror (b + a) either. For the other half, they do, and
to get those right, it is enough to know that the order does not matter. ::

    tokens = sums.text(20_000)
    sums.truth("two plus two is five .".split())  # False
"""

from random import Random

from attnlib.arguments import integer, one_of, token_list

HIGHEST = 50  # of the sums, and so of the numbers
_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen"
    " fourteen fifteen sixteen seventeen eighteen nineteen"
).split()
_TENS = {20: "twenty", 30: "thirty", 40: "forty", 50: "fifty"}
_GROUP = 130  # sums held out with their mirrors, and as many without
_SPLIT_SEED = 0  # the same sums are held out of all texts


def _word(number):
    if number < 20:
        return _ONES[number]
    ten = _TENS[number - number % 10]
    return f"{ten}-{_ONES[number % 10]}" if number % 10 else ten


WORDS = tuple(_word(number) for number in range(HIGHEST + 1))  # "zero" … "fifty"
VOCABULARY = (".", "is", "plus", *WORDS)
_VALUES = {word: number for number, word in enumerate(WORDS)}


def _split():
    """The sums held out with their mirrors, and those held out without: two sets."""
    random = Random(f"sums {_SPLIT_SEED}")
    ascending = [(a, b) for a in range(HIGHEST + 1) for b in range(a + 1, HIGHEST + 1)]
    ascending = [(a, b) for a, b in ascending if a + b <= HIGHEST]
    drawn = random.sample(ascending, _GROUP // 2 + _GROUP)
    both, one = drawn[: _GROUP // 2], drawn[_GROUP // 2 :]
    mirrors = {(b, a) if random.random() < 0.5 else (a, b) for a, b in one}
    return {*both, *((b, a) for a, b in both)}, mirrors


def pairs(part="all"):
    """All pairs of numbers whose sum is at most 50, or a part of them.

    Parameters
    ----------
    part : str, optional
        "all", "train" (those that texts are made of), or one of the two groups that are
        held out: "held_out" (neither (a, b) nor (b, a) is in the texts) or "mirrors"
        ((a, b) is not in the texts, but (b, a) is).

    Returns
    -------
    pairs : list of (int, int)
        In ascending order. (2, 3) and (3, 2) are two pairs. Of the 1,326 pairs, "train"
        has 1,066, and each group held out has 130. Pairs of equal numbers, such as
        (2, 2), are all in "train".

    Raises
    ------
    ValueError
        If there is no such part.
    """
    one_of("part", part, ("all", "train", "held_out", "mirrors"))
    every = [(a, b) for a in range(HIGHEST + 1) for b in range(HIGHEST + 1 - a)]
    if part == "all":
        return every
    held_out, mirrors = _split()
    if part == "train":
        return [pair for pair in every if pair not in held_out | mirrors]
    return sorted(held_out if part == "held_out" else mirrors)


def sentence(a, b):
    """Say a sum: ``sentence(2, 3)`` → ``["two", "plus", "three", "is", "five", "."]``.

    Parameters
    ----------
    a, b : int
        0 or more, with a sum of at most 50.

    Returns
    -------
    tokens : list of str

    Raises
    ------
    TypeError
        If a number is not an integer.
    ValueError
        If a number is below 0 or the sum above 50.
    """
    a = integer("a", a, 0, HIGHEST)
    b = integer("b", b, 0, HIGHEST - a)
    return [WORDS[a], "plus", WORDS[b], "is", WORDS[a + b], "."]


def text(n, seed=0):
    """Write `n` sentences, one after the other, none of them of a sum held out.

    Parameters
    ----------
    n : int
        Number of sentences, 1 or more. Their sums are drawn with replacement, each of
        ``pairs("train")`` equally often on average.
    seed : int, optional
        0 or more.

    Returns
    -------
    tokens : list of str, 6 per sentence
        ``text(10)`` is the beginning of ``text(20)``.

    Raises
    ------
    TypeError
        If an argument is not an integer.
    ValueError
        If an argument is out of range.
    """
    n = integer("n", n)
    random = Random(f"text {integer('seed', seed, 0)}")
    allowed = pairs("train")
    return [token for _ in range(n) for token in sentence(*random.choice(allowed))]


def sentences(tokens):
    """Cut a text after each period.

    Parameters
    ----------
    tokens : list of str

    Returns
    -------
    sentences : list of lists of str
        Each ends with a period; what follows the last period is left out.

    Raises
    ------
    TypeError
        If `tokens` is not a list of str.
    ValueError
        If it is empty.
    """
    cut, sentence = [], []
    for token in token_list("tokens", tokens):
        sentence.append(token)
        if token == ".":
            cut.append(sentence)
            sentence = []
    return cut


def truth(sentence):
    """Whether a sentence is true.

    Parameters
    ----------
    sentence : list of str

    Returns
    -------
    bool or None
        None if it does not have the form "a plus b is c ." with three numbers.

    Raises
    ------
    TypeError
        If `sentence` is not a list of str.
    ValueError
        If it is empty.
    """
    tokens = token_list("sentence", sentence)
    form = len(tokens) == 6 and (*tokens[1::2],) == ("plus", "is", ".")
    if not form or any(token not in _VALUES for token in tokens[::2]):
        return None
    a, b, c = (_VALUES[token] for token in tokens[::2])
    return a + b == c
