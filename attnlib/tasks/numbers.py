"""Number words in two languages: "eighty-one thousand" → "quatre-vingt-un mille".

A pair is (source_tokens, target_tokens). The words come from num2words and are split at
spaces; commas are dropped, and a hyphen is a token of its own. Lengths are in tokens.
``random.Random`` draws the same numbers on every platform. ::

    train = numbers.pairs(8000)
    test = numbers.stratified(per_bin=100, exclude=train)
"""

import copy
from bisect import bisect_right
from functools import cache
from itertools import pairwise
from math import inf
from random import Random

from num2words import CONVERTER_CLASSES

from attnlib.arguments import increasing, integer, one_of

MAX_DIGITS = 15  # up to the trillions
# Bins of source lengths. The longest English number has 34 tokens.
EDGES = (0, 5, 10, 15, 20, 25, 30, 45)
# Every language of num2words but those that stop short of 15 digits (en_IN, kn, te),
# never end (am), or say one number in two ways (tet).
LANGUAGES = tuple(sorted(set(CONVERTER_CLASSES) - {"am", "en_IN", "kn", "te", "tet"}))


def words(number, language="en"):
    """Say an integer: ``words(81_000)`` → ``["eighty", "-", "one", "thousand"]``.

    Parameters
    ----------
    number : int
        In 0 … 10**15 − 1.
    language : str, optional
        One of ``LANGUAGES``.

    Returns
    -------
    tokens : list of str

    Raises
    ------
    TypeError
        If `number` is not an integer or `language` not a str.
    ValueError
        If `number` is out of range or `language` is another one.
    """
    number = integer("number", number, 0, 10**MAX_DIGITS - 1)
    if not isinstance(language, str):
        raise TypeError(f"language should be a str such as 'en', got {language!r}")
    spoken = _converter(language).to_cardinal(number)
    return spoken.replace(",", "").replace("-", " - ").split()


def pairs(n, max_digits=MAX_DIGITS, source="en", target="fr", seed=0, exclude=()):
    """Draw `n` different numbers and say each in two languages.

    First the number of digits is drawn, uniform in 1 … max_digits, then a number of
    that many digits, uniform.

    Parameters
    ----------
    n : int
        Number of pairs, 1 or more.
    max_digits : int, optional
        In 1 … 15.
    source, target : str, optional
        Two of ``LANGUAGES``.
    seed : int, optional
        0 or more.
    exclude : iterable of pairs, optional
        In the same source language; they are not drawn: ``pairs(1000, seed=1,
        exclude=train)``.

    Returns
    -------
    pairs : list of (source_tokens, target_tokens)
        In the order drawn: ``pairs(10)`` is the beginning of ``pairs(20)``.

    Raises
    ------
    TypeError
        If `n`, `max_digits`, or `seed` is not an integer, or `exclude` holds no pairs.
    ValueError
        If there are fewer than `n` such numbers, an integer is out of range, or a
        language is another one.
    """
    n = integer("n", n)
    draw = _uniform(max_digits, _random("pairs", seed))
    return _fill(draw, (0, inf), n, max_digits, source, target, exclude)


def stratified(
    per_bin=100,
    edges=EDGES,
    max_digits=MAX_DIGITS,
    source="en",
    target="fr",
    seed=0,
    exclude=(),
):
    """Draw as ``pairs`` does, until each bin of *source* lengths is full.

    Parameters
    ----------
    per_bin : int, optional
        Numbers per bin, 1 or more.
    edges : sequence of two or more increasing numbers, optional
        Limits of the bins, in tokens. A bin holds low ≤ length < high.
    max_digits, source, target, seed, exclude : optional
        As for ``pairs``.

    Returns
    -------
    pairs : list of (source_tokens, target_tokens)
        The shortest bin first.

    Raises
    ------
    TypeError
        As for ``pairs``, or if `per_bin` is not an integer.
    ValueError
        As for ``pairs``, if the edges do not increase, or if a bin cannot be filled;
        the message names the bin.
    """
    per_bin = integer("per_bin", per_bin)
    edges = increasing("edges", edges)
    draw = _uniform(max_digits, _random("stratified", seed))
    return _fill(draw, edges, per_bin, max_digits, source, target, exclude)


def short(
    n, max_tokens, max_digits=MAX_DIGITS, source="en", target="fr", seed=0, exclude=()
):
    """Draw `n` numbers with a short source, with the scale words balanced.

    Numbers drawn as in ``pairs`` hardly ever say "billion" in few words. Here each
    group of three digits below the leading one becomes 000 with probability 1/2, so
    round numbers such as "two trillion and six" are common.

    Parameters
    ----------
    n : int
        Number of pairs, 1 or more.
    max_tokens : int
        Maximum length of the source, in tokens, 1 or more.
    max_digits, source, target, seed, exclude : optional
        As for ``pairs``.

    Returns
    -------
    pairs : list of (source_tokens, target_tokens)
        In the order drawn.

    Raises
    ------
    TypeError
        As for ``pairs``, or if `max_tokens` is not an integer.
    ValueError
        As for ``pairs``, or if `max_tokens` is below 1.
    """
    n = integer("n", n)
    max_tokens = integer("max_tokens", max_tokens)
    random = _random("short", seed)
    uniform = _uniform(max_digits, random)

    def draw():
        number = uniform()
        for scale in (10**power for power in range(3, MAX_DIGITS + 1, 3)):
            if number >= scale and random.random() < 0.5:
                # The group of three digits below `scale` becomes 000.
                number -= number % scale - number % (scale // 1000)
        return number

    return _fill(draw, (0, max_tokens + 1), n, max_digits, source, target, exclude)


def _random(name, seed):
    return Random(f"{name} {integer('seed', seed, 0)}")


def _uniform(max_digits, random):
    """A function that draws one number of 1 … max_digits digits."""
    max_digits = integer("max_digits", max_digits, 1, MAX_DIGITS)

    def draw():
        digits = random.randint(1, max_digits)
        lowest = 10 ** (digits - 1) if digits > 1 else 0
        return random.randrange(lowest, 10**digits)

    return draw


def _fill(draw, edges, per_bin, max_digits, source, target, exclude):
    """Draw until every bin of source lengths holds `per_bin` pairs, none twice and none
    of `exclude`.
    """
    excluded = _sources(exclude)
    bins = [[] for _ in edges[1:]]
    # Enough draws for any usual request, in seconds.
    limit = 20_000 + 20 * per_bin * len(bins) + len(excluded)
    limit = min(limit, 10**max_digits)
    tried = set()
    while any(len(pairs) < per_bin for pairs in bins):
        if len(tried) == limit:
            _refuse(bins, edges, per_bin, len(tried))
        number = draw()
        if number in tried:
            continue
        tried.add(number)
        tokens = words(number, source)
        k = bisect_right(edges, len(tokens)) - 1
        wanted = 0 <= k < len(bins) and len(bins[k]) < per_bin
        if wanted and tuple(tokens) not in excluded:
            bins[k].append((tokens, words(number, target)))
    return [pair for pairs in bins for pair in pairs]


def _sources(exclude):
    """The sources of pairs, as a set of tuples."""
    sources = set()
    for pair in exclude:
        is_pair = isinstance(pair, (tuple, list)) and len(pair) == 2
        if not is_pair or any(isinstance(side, str) for side in pair):
            raise TypeError(
                "exclude should be pairs (source_tokens, target_tokens), as"
                f" numbers.pairs returns them, got {pair!r:.60}"
            )
        sources.add(tuple(pair[0]))
    return sources


def _refuse(bins, edges, per_bin, tried):
    for pairs, (low, high) in zip(bins, pairwise(edges), strict=True):
        if len(pairs) < per_bin:
            raise ValueError(
                f"there should be {per_bin} numbers of {low} ≤ length < {high} tokens,"
                f" got {len(pairs)} among {tried} drawn: ask for fewer, allow more"
                " lengths or digits, or exclude less"
            )


@cache
def _converter(language):
    """num2words' converter, without the scale words past 15 digits, which it would try
    in turn for every number.
    """
    one_of("language", language, LANGUAGES)
    converter = copy.copy(CONVERTER_CLASSES[language])
    if hasattr(converter, "cards"):
        converter.cards = {
            number: word
            for number, word in converter.cards.items()
            if number < 10**MAX_DIGITS
        }
    return converter
