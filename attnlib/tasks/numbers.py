"""Number words in two languages: "eighty-one thousand" → "quatre-vingt-un mille".

A pair is (source_tokens, target_tokens). The words come from num2words and are split at
spaces; commas are dropped, and a hyphen is a token of its own. Lengths are in tokens.
`random.Random` draws the same numbers on every platform.

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

from attnlib.arguments import integer

MAX_DIGITS = 15  # up to the trillions
EDGES = (
    0,
    5,
    10,
    15,
    20,
    25,
    30,
    45,
)  # bins of source lengths; the longest English number has 34 tokens
# Every language of num2words but those that stop short of 15 digits (en_IN, kn, te),
# never end (am), or say one number in two ways (tet).
LANGUAGES = tuple(sorted(set(CONVERTER_CLASSES) - {"am", "en_IN", "kn", "te", "tet"}))


def words(number, language="en"):
    """Say a whole number: words(81_000) → ["eighty", "-", "one", "thousand"].

    number: 0 to 10**15 - 1. language: one of `LANGUAGES`. Returns a list of tokens.
    Raises TypeError for a number that is not whole, ValueError for one out of range or
    an unknown language.
    """
    number = integer("number", number, 0, 10**MAX_DIGITS - 1)
    if not isinstance(language, str):
        raise TypeError(f"language must be a string such as 'en', got {language!r}")
    return (
        _converter(language)
        .to_cardinal(number)
        .replace(",", "")
        .replace("-", " - ")
        .split()
    )


def pairs(n, max_digits=MAX_DIGITS, source="en", target="fr", seed=0, exclude=()):
    """Draw `n` different numbers: a digit count, uniform in 1 … max_digits, then a
    number of that many digits, uniform.

    exclude: pairs, in the same source language, that must not come again: `pairs(1000,
    seed=1, exclude=train)`.
    Returns a list of (source_tokens, target_tokens) in the order drawn: `pairs(10)`
    begins `pairs(20)`.
    Raises ValueError when fewer than `n` such numbers can be found, for `max_digits`
    outside 1 … 15, and for an unknown language; TypeError for an `n`, `max_digits` or
    `seed` that is not whole.
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
    """Draw as `pairs` does, until each bin of *source* lengths, low ≤ length < high,
    holds `per_bin` numbers.

    edges: the bins' limits in tokens, increasing. The other arguments are those of
    `pairs`.
    Returns one list of pairs, the shortest bin first. Raises ValueError, naming the
    bin, when one cannot be filled.
    """
    per_bin = integer("per_bin", per_bin)
    edges = tuple(edges)
    if len(edges) < 2 or any(low >= high for low, high in pairwise(edges)):
        raise ValueError(f"edges must be two or more increasing lengths, got {edges}")
    draw = _uniform(max_digits, _random("stratified", seed))
    return _fill(draw, edges, per_bin, max_digits, source, target, exclude)


def short(
    n, max_tokens, max_digits=MAX_DIGITS, source="en", target="fr", seed=0, exclude=()
):
    """Draw `n` numbers whose source has at most `max_tokens` tokens, with the scale
    words balanced.

    Numbers drawn as in `pairs` hardly ever say "billion" in few words. Here each group
    of three digits below the leading one becomes 000 with probability 1/2, so that
    round numbers, "two trillion and six", are common. The other arguments, what is
    returned and what is raised are those of `pairs`.
    """
    n = integer("n", n)
    max_tokens = integer("max_tokens", max_tokens)
    random = _random("short", seed)
    uniform = _uniform(max_digits, random)

    def draw():
        number = uniform()
        for scale in (10**power for power in range(3, MAX_DIGITS + 1, 3)):
            if number >= scale and random.random() < 0.5:
                number -= number % scale - number % (
                    scale // 1000
                )  # the group below `scale` becomes 000
        return number

    return _fill(draw, (0, max_tokens + 1), n, max_digits, source, target, exclude)


def _random(name, seed):
    return Random(f"{name} {integer('seed', seed, 0)}")


def _uniform(max_digits, random):
    """A function that draws one number of 1 … max_digits digits."""
    max_digits = integer("max_digits", max_digits, 1, MAX_DIGITS)

    def draw():
        digits = random.randint(1, max_digits)
        return random.randrange(10 ** (digits - 1) if digits > 1 else 0, 10**digits)

    return draw


def _fill(draw, edges, per_bin, max_digits, source, target, exclude):
    """Draw until every bin of source lengths holds `per_bin` pairs, none twice and none
    of `exclude`.
    """
    excluded = {tuple(tokens) for tokens, _ in exclude}
    bins = [[] for _ in edges[1:]]
    tried, limit = (
        set(),
        20_000 + 20 * per_bin * len(bins) + len(excluded),
    )  # enough for any usual request, in seconds
    while any(len(found) < per_bin for found in bins):
        if len(tried) == min(limit, 10**max_digits):
            _refuse(bins, edges, per_bin, len(tried))
        number = draw()
        if number in tried:
            continue
        tried.add(number)
        tokens = words(number, source)
        k = bisect_right(edges, len(tokens)) - 1
        if (
            0 <= k < len(bins)
            and len(bins[k]) < per_bin
            and tuple(tokens) not in excluded
        ):
            bins[k].append((tokens, words(number, target)))
    return [pair for found in bins for pair in found]


def _refuse(bins, edges, per_bin, tried):
    for found, (low, high) in zip(bins, pairwise(edges), strict=True):
        if len(found) < per_bin:
            raise ValueError(
                f"found only {len(found)} of {per_bin} numbers of {low} ≤ length <"
                f" {high} tokens among {tried} drawn: ask for fewer, allow more lengths"
                " or digits, or exclude less"
            )


@cache
def _converter(language):
    """num2words' converter, without the scale words past 15 digits, which it would try
    in turn for every number.
    """
    if language not in LANGUAGES:
        raise ValueError(
            f"unknown language {language!r}, expected one of {', '.join(LANGUAGES)}"
        )
    converter = copy.copy(CONVERTER_CLASSES[language])
    if hasattr(converter, "cards"):
        converter.cards = {
            number: word
            for number, word in converter.cards.items()
            if number < 10**MAX_DIGITS
        }
    return converter
