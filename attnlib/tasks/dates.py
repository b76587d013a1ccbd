"""Human dates to ISO dates, character by character: "Tuesday, March 5, 2024" →
"2024-03-05".

The human date is written by Babel, in English, French, German or Spanish, from a
pattern of the Unicode CLDR such as "EEEE, MMMM d, y". Each field of the pattern fills
known characters, so the alignment to the ISO date is known too:

    sure       a digit of day, year or numeric month ↔ the same digit of the ISO date
    possible   these, and ISO month digits ↔ every letter of the month's name, and the 0 of "05" ↔ a lone "5"
    none       hyphens, the end token, the weekday, spaces and other marks

    train = dates.pairs(8000)
    test = dates.pairs(1000, exclude=train)
"""

from datetime import date
from functools import cache
from random import Random

from babel import Locale
from babel.dates import DateTimeFormat, get_date_format, tokenize_pattern

from attnlib import metrics
from attnlib.arguments import integer

LOCALES = ("en", "fr", "de", "es")
# CLDR's three longer formats and, from its skeletons, "Tue, Mar 5, 2024". Its "short"
# is left out: 3/5/24 is a day of March in one language and of May in another, and 24
# may be 1924 or 2024.
FORMATS = ("full", "long", "medium", "yMMMEd")
FIRST, LAST = date(1900, 1, 1), date(2099, 12, 31)
_ISO = {
    "y": range(0, 4),
    "M": range(5, 7),
    "d": range(8, 10),
}  # where each field stands in an ISO date


class Pair(tuple):
    """(source_tokens, target_tokens), two lists of characters, which also knows its
    gold alignment.

    Unpacks like any pair. Attributes: date (datetime.date), locale, format, and spans:
    the field, first and last + 1 source position of each field. Links are sets of
    (target_index, source_index), counted from 0.
    """

    @property
    def sure(self):
        """Links of digits to themselves."""
        return {link for link, sure in self._links() if sure}

    @property
    def possible(self):
        """The sure links, and those that a careful reader might draw."""
        return {link for link, _ in self._links()}

    @property
    def rows(self):
        """Target positions that have a counterpart in the source: all but the hyphens."""
        return [t for field in ("y", "M", "d") for t in _ISO[field]]

    def _links(self):
        source, _ = self
        for field, start, stop in self.spans:
            places = [s for s in range(start, stop) if source[s].isalnum()]
            digits = source[start].isdigit()
            for back, t in enumerate(
                reversed(_ISO[field])
            ):  # from the last digit, so that the 5 of 05 meets a lone 5
                if digits and back < len(places):
                    yield (t, places[-1 - back]), True
                else:
                    yield from (((t, s), False) for s in places)


def pair(day, locale="en", format="full"):
    """Write one date, a `datetime.date`, both ways, as a `Pair`: in a locale of
    `LOCALES` and a format of `FORMATS`.

    Raises TypeError for a day that is not a date, ValueError for another locale or
    format.
    """
    if type(day) is not date:
        raise TypeError(f"day should be a datetime.date, got {day!r}")
    pattern = _pattern(locale, format)
    source, spans = "", []
    values = DateTimeFormat(day, locale=locale)
    for kind, value in pattern:
        piece = value if kind == "chars" else values[value[0] * value[1]]
        if kind == "field" and value[0] in _ISO:
            spans.append((value[0], len(source), len(source) + len(piece)))
        source += piece
    written = Pair((list(source), list(day.isoformat())))
    written.date, written.locale, written.format, written.spans = (
        day,
        locale,
        format,
        tuple(spans),
    )
    return written


def pairs(n, locales=LOCALES, formats=FORMATS, seed=0, exclude=()):
    """Draw `n` different dates of 1900 to 2099, uniform, each written once, in a locale
    and a format drawn for it.

    exclude: pairs whose dates must not come again, in any locale or format:
    `dates.pairs(1000, exclude=train)`.
    Returns a list of `Pair`, (source_tokens, target_tokens) with gold alignments, in
    the order drawn.
    Raises TypeError for an `n` or `seed` that is not whole, ValueError for more dates
    than there are, and for a locale or format that is not in `LOCALES` or `FORMATS`.
    """
    n = integer("n", n)
    random = Random(f"dates {integer('seed', seed, 0)}")
    styles = [(locale, format) for locale in locales for format in formats]
    if not styles:
        raise ValueError("locales and formats should name at least one each")
    for style in styles:
        _pattern(*style)
    drawn = {date.fromisoformat("".join(target)).toordinal() for _, target in exclude}
    left = LAST.toordinal() - FIRST.toordinal() + 1 - len(drawn)
    if n > left:
        raise ValueError(
            f"n must be at most {left}, the dates of {FIRST} to {LAST} that are not"
            f" excluded, got {n}"
        )
    found = []
    while len(found) < n:
        day = random.randint(FIRST.toordinal(), LAST.toordinal())
        if day not in drawn:
            drawn.add(day)
            found.append(pair(date.fromordinal(day), *random.choice(styles)))
    return found


def alignment_error_rate(weights, pairs, shift=0):
    """AER of attention weights against the gold alignments of `pairs`, over all of them
    together.

    weights: one array (target_len or more, source_len) a pair, under forced decoding
    (`Seq2Seq.align`): a row past the target's is that of the end token. Hyphens and the
    end token are not linked. shift: as in `metrics.links`.
    Raises ValueError for another number of arrays, or one that does not fit its pair;
    TypeError for pairs without gold.
    """
    _check_gold(pairs)
    if len(weights) != len(pairs):
        raise ValueError(
            f"expected one array of weights for each pair, got {len(weights)} for"
            f" {len(pairs)} pairs"
        )
    for matrix, (source, target) in zip(weights, pairs, strict=True):
        if len(matrix) < len(target) or len(matrix[0]) != len(source):
            raise ValueError(
                f"weights of {''.join(source)!r} should have {len(target)} rows or more"
                f" and {len(source)} columns, got {len(matrix)} and"
                f" {len(matrix[0]) if len(matrix) else 0}"
            )
    found = [
        metrics.links(matrix, shift, pair.rows)
        for matrix, pair in zip(weights, pairs, strict=True)
    ]
    return metrics.corpus_alignment_error_rate(
        found, [p.sure for p in pairs], [p.possible for p in pairs]
    )


def best_monotonic_aer(pairs, half_width):
    """The lowest AER that a window around t can reach on `pairs`, whatever its weights:
    local-m, Luong et al. (2015).

    half_width: D ≥ 0. Target t sees the source positions t' − D … t' + D, with t' =
    min(t, source_len − 1). Each row
    links to the best of them: a sure link, else a possible one, else a wrong one: an
    argmax always points somewhere.
    """
    half_width = integer("half_width", half_width, 0)
    _check_gold(pairs)
    found = []
    for pair in pairs:
        last, sure, possible = len(pair[0]) - 1, pair.sure, pair.possible
        found.append(set())
        for t in pair.rows:
            center = min(t, last)
            window = range(
                max(0, center - half_width), min(last, center + half_width) + 1
            )
            found[-1].add(
                max(
                    ((t, s) for s in window),
                    key=lambda link: (link in sure) + (link in possible),
                )
            )
    return metrics.corpus_alignment_error_rate(
        found, [p.sure for p in pairs], [p.possible for p in pairs]
    )


def _check_gold(pairs):
    for pair in pairs:
        if not isinstance(pair, Pair):
            raise TypeError(
                "pairs should be those of dates.pairs, with gold alignments, got"
                f" {type(pair).__name__}"
            )


@cache
def _pattern(locale, format):
    """CLDR's pattern as a list of ("chars", text) and ("field", (letter, count))."""
    if locale not in LOCALES:
        raise ValueError(
            f"unknown locale {locale!r}, expected one of {', '.join(LOCALES)}"
        )
    if format == "short":
        raise ValueError(
            "format 'short' has years of two digits, which collide, expected one of"
            f" {', '.join(FORMATS)}"
        )
    if format not in FORMATS:
        raise ValueError(
            f"unknown format {format!r}, expected one of {', '.join(FORMATS)}"
        )
    skeletons = Locale.parse(locale).datetime_skeletons
    return tokenize_pattern(
        (
            skeletons[format]
            if format in skeletons
            else get_date_format(format, locale)
        ).pattern
    )
