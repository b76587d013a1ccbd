"""Written dates to ISO dates, character by character: "Tuesday, March 5, 2024" →
"2024-03-05".

Babel writes the date, in English, French, German, or Spanish, from a pattern of the
Unicode CLDR such as "EEEE, MMMM d, y". Each field of the pattern fills known
characters, so the alignment to the ISO date is known too:

- sure: a digit of day, year, or numeric month ↔ the same digit of the ISO date
- possible: these, and ISO month digits ↔ every letter of the month's name, and the 0 of
  "05" ↔ a lone "5"
- none: hyphens, the end token, the weekday, spaces, and punctuation

::

    train = dates.pairs(8000)
    test = dates.pairs(1000, exclude=train)
"""

from datetime import date
from functools import cache
from random import Random

from babel import Locale
from babel.dates import DateTimeFormat, get_date_format, tokenize_pattern

from attnlib import metrics
from attnlib.arguments import integer, one_of

LOCALES = ("en", "fr", "de", "es")
# CLDR's three longer formats and, from its skeletons, "Tue, Mar 5, 2024". Its "short"
# is left out: 3/5/24 is a day of March in one language and of May in another, and 24
# may be 1924 or 2024.
FORMATS = ("full", "long", "medium", "yMMMEd")
FIRST = date(1900, 1, 1)
LAST = date(2099, 12, 31)
# The positions of each field in an ISO date.
_ISO = {"y": range(0, 4), "M": range(5, 7), "d": range(8, 10)}


class Pair(tuple):
    """(source_tokens, target_tokens), two lists of characters, with a gold alignment.

    It unpacks like any pair. Links are sets of (target_index, source_index), counted
    from 0.

    Attributes
    ----------
    date : datetime.date
    locale : str
    date_format : str
    spans : tuple of (field, start, stop)
        The source positions of each field, "y", "M", or "d": from start up to, but not
        including, stop.
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
        """Target positions with a counterpart in the source: all but the hyphens."""
        return [t for field in ("y", "M", "d") for t in _ISO[field]]

    def _links(self):
        """Yield (link, whether it is sure)."""
        source, _ = self
        for field, start, stop in self.spans:
            positions = [s for s in range(start, stop) if source[s].isalnum()]
            numeric = source[start].isdigit()
            # From the last digit on, so that the 5 of 05 is aligned with a lone 5.
            for from_last, t in enumerate(reversed(_ISO[field])):
                if numeric and from_last < len(positions):
                    yield (t, positions[-1 - from_last]), True
                else:
                    yield from (((t, s), False) for s in positions)


def pair(day, locale="en", date_format="full"):
    """Write one date both ways.

    Parameters
    ----------
    day : datetime.date
    locale : str, optional
        One of ``LOCALES``.
    date_format : str, optional
        One of ``FORMATS``.

    Returns
    -------
    pair : Pair

    Raises
    ------
    TypeError
        If `day` is not a date.
    ValueError
        If the locale or the format is another one.
    """
    if type(day) is not date:
        raise TypeError(f"day should be a datetime.date, got {day!r}")
    pattern = _pattern(locale, date_format)
    values = DateTimeFormat(day, locale=locale)
    source = ""
    spans = []
    for kind, value in pattern:
        if kind == "chars":
            source += value
            continue
        field, count = value
        start = len(source)
        source += values[field * count]
        if field in _ISO:
            spans.append((field, start, len(source)))
    written = Pair((list(source), list(day.isoformat())))
    written.date = day
    written.locale = locale
    written.date_format = date_format
    written.spans = tuple(spans)
    return written


def pairs(n, locales=LOCALES, date_formats=FORMATS, seed=0, exclude=()):
    """Draw different dates of 1900 to 2099, each written once.

    The dates are uniform. The locale and the format of each are drawn for it.

    Parameters
    ----------
    n : int
        Number of pairs, 1 or more.
    locales : sequence of str, optional
        From ``LOCALES``.
    date_formats : sequence of str, optional
        From ``FORMATS``.
    seed : int, optional
        0 or more.
    exclude : iterable of pairs, optional
        Their dates are not drawn, in any locale or format: ``dates.pairs(1000,
        exclude=train)``.

    Returns
    -------
    pairs : list of Pair
        In the order drawn.

    Raises
    ------
    TypeError
        If `n` or `seed` is not an integer, or `exclude` holds no pairs of dates.
    ValueError
        If there are fewer dates than `n`, `n` or `seed` is too small, or a locale or
        format is another one.
    """
    n = integer("n", n)
    random = Random(f"dates {integer('seed', seed, 0)}")
    styles = [(locale, name) for locale in locales for name in date_formats]
    if not styles:
        raise ValueError(
            "locales and date_formats should name at least one each, got"
            f" {list(locales)} and {list(date_formats)}"
        )
    for style in styles:
        _pattern(*style)
    drawn = {_day_of(pair).toordinal() for pair in exclude}
    left = LAST.toordinal() - FIRST.toordinal() + 1 - len(drawn)
    if n > left:
        raise ValueError(
            f"n should be at most {left}, the dates of {FIRST} to {LAST} that are not"
            f" excluded, got {n}"
        )
    written = []
    while len(written) < n:
        day = random.randint(FIRST.toordinal(), LAST.toordinal())
        if day not in drawn:
            drawn.add(day)
            written.append(pair(date.fromordinal(day), *random.choice(styles)))
    return written


def _day_of(pair):
    """The date of a pair, which may be a plain tuple."""
    try:
        _, target = pair
        return date.fromisoformat("".join(target))
    except (TypeError, ValueError):
        raise TypeError(
            "exclude should be pairs (source_tokens, target_tokens), as dates.pairs"
            f" returns them, got {pair!r:.60}"
        ) from None


def alignment_error_rate(weights, pairs, shift=0):
    """Compute the AER of attention weights against the gold alignments of all `pairs`.

    Parameters
    ----------
    weights : list of arrays, each of shape (target_len or more, source_len)
        One per pair, under forced decoding (``Seq2Seq.align``). A row past those of the
        target is that of the end token. Hyphens and the end token are not linked.
    pairs : list of Pair
    shift : int, optional
        As for ``metrics.links``.

    Returns
    -------
    rate : float
        In 0 … 1.

    Raises
    ------
    TypeError
        If the pairs have no gold alignments, or the weights are not arrays, such as
        those of a model without attention or what ``translate`` returns.
    ValueError
        If the number of arrays differs from that of the pairs, or an array does not fit
        its pair.
    """
    _check_gold(pairs)
    if weights is None:
        raise TypeError(
            "weights should be one array per pair, got None: a model without attention"
            " has no weights to align with"
        )
    if len(weights) != len(pairs):
        raise ValueError(
            f"weights should have one array per pair, got {len(weights)} for"
            f" {len(pairs)} pairs"
        )
    for matrix, (source, target) in zip(weights, pairs, strict=True):
        if matrix is None or hasattr(matrix, "tokens"):
            raise TypeError(
                "weights should be one array per pair, got"
                f" {type(matrix).__name__}: call model.align(pairs), whose rows are"
                " those of the true target"
            )
        rows = len(matrix)
        columns = len(matrix[0]) if rows else 0
        if rows < len(target) or columns != len(source):
            raise ValueError(
                f"weights of {''.join(source)!r} should have {len(target)} rows or more"
                f" and {len(source)} columns, got {rows} and {columns}"
            )
    links = [
        metrics.links(matrix, shift, pair.rows)
        for matrix, pair in zip(weights, pairs, strict=True)
    ]
    return _corpus_rate(links, pairs)


def best_monotonic_aer(pairs, half_width):
    """Compute the lowest AER that a window around t can reach on `pairs`.

    Whatever its weights, local-m attends to the source positions from t' − D to t' + D,
    with t' = min(t, source_len − 1). Each row links to the best of them: a sure link,
    else a possible one, else a wrong one, because an argmax always points somewhere.

    Parameters
    ----------
    pairs : list of Pair
    half_width : int
        D, in positions, 0 or more.

    Returns
    -------
    rate : float
        In 0 … 1.

    Raises
    ------
    TypeError
        If the pairs have no gold alignments, or `half_width` is not an integer.
    ValueError
        If `half_width` is below 0.

    Notes
    -----
    Luong, Pham, and Manning (2015), section 3.2, for local-m.
    """
    half_width = integer("half_width", half_width, 0)
    _check_gold(pairs)
    return _corpus_rate([_best_links(pair, half_width) for pair in pairs], pairs)


def _best_links(pair, half_width):
    """For each row of a pair, the best link within its window."""
    sure = pair.sure
    possible = pair.possible
    last = len(pair[0]) - 1
    links = set()
    for t in pair.rows:
        center = min(t, last)
        window = range(max(0, center - half_width), min(last, center + half_width) + 1)
        candidates = [(t, s) for s in window]
        links.add(max(candidates, key=lambda link: (link in sure) + (link in possible)))
    return links


def _corpus_rate(links, pairs):
    sure = [pair.sure for pair in pairs]
    possible = [pair.possible for pair in pairs]
    return metrics.corpus_alignment_error_rate(links, sure, possible)


def _check_gold(pairs):
    for pair in pairs:
        if not isinstance(pair, Pair):
            raise TypeError(
                "pairs should be those of dates.pairs, with gold alignments, got"
                f" {type(pair).__name__}"
            )


@cache
def _pattern(locale, date_format):
    """CLDR's pattern as a list of ("chars", text) and ("field", (letter, count))."""
    one_of("locale", locale, LOCALES)
    if date_format == "short":
        raise ValueError(
            f"date_format should be one of {', '.join(map(repr, FORMATS))}, got"
            " 'short', whose years of two digits collide"
        )
    one_of("date_format", date_format, FORMATS)
    skeletons = Locale.parse(locale).datetime_skeletons
    if date_format in skeletons:
        pattern = skeletons[date_format]
    else:
        pattern = get_date_format(date_format, locale)
    return tokenize_pattern(pattern.pattern)
