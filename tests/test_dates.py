"""Dates: Babel's own output as the reference, gold alignments, what is refused."""

import copy
import pickle
import subprocess
import sys
from collections import Counter
from datetime import date, datetime
from types import SimpleNamespace

import numpy as np
import pytest
from babel.dates import format_date, format_skeleton
from hypothesis import given, settings
from hypothesis import strategies as st

from attnlib import metrics
from attnlib.tasks import dates

DAY = date(2024, 3, 5)
STYLES = [(locale, name) for locale in dates.LOCALES for name in dates.FORMATS]
days = st.dates(dates.FIRST, dates.LAST)


def text(tokens):
    return "".join(tokens)


@pytest.mark.parametrize(
    ("locale", "date_format", "written"),
    [
        ("en", "full", "Tuesday, March 5, 2024"),
        ("en", "yMMMEd", "Tue, Mar 5, 2024"),
        ("fr", "long", "5 mars 2024"),
        ("de", "medium", "05.03.2024"),
        ("es", "full", "martes, 5 de marzo de 2024"),
    ],
)
def test_pair_by_hand(locale, date_format, written):
    source, target = dates.pair(DAY, locale, date_format)
    assert source == list(written)
    assert target == list("2024-03-05")


@settings(deadline=None, max_examples=300)
@given(days)
def test_pair_joined_equals_babel(day):
    for locale, date_format in STYLES:
        if date_format == "yMMMEd":
            expected = format_skeleton(date_format, day, locale=locale)
        else:
            expected = format_date(day, date_format, locale=locale)
        source, target = dates.pair(day, locale, date_format)
        assert text(source) == expected
        assert date.fromisoformat(text(target)) == day


def test_sources_never_collide():
    targets = {}
    for ordinal in range(date(2000, 1, 1).toordinal(), date(2004, 1, 1).toordinal()):
        for style in STYLES:
            source, target = dates.pair(date.fromordinal(ordinal), *style)
            assert targets.setdefault(text(source), target) == target


def named_links(pair, links):
    source, target = pair
    return sorted((t, target[t], s, source[s]) for t, s in links)


def test_gold_alignment_by_hand():
    pair = dates.pair(DAY, "fr", "medium")  # "5 mars 2024", with "2024-03-05"
    year = [(0, "2", 7, "2"), (1, "0", 8, "0"), (2, "2", 9, "2"), (3, "4", 10, "4")]
    assert named_links(pair, pair.sure) == [*year, (9, "5", 0, "5")]
    month = [
        (t, digit, s, letter)
        for t, digit in ((5, "0"), (6, "3"))
        for s, letter in enumerate("mars", start=2)
    ]
    assert named_links(pair, pair.possible - pair.sure) == [*month, (8, "0", 0, "5")]


def test_gold_alignment_of_a_numeric_month_is_sure():
    pair = dates.pair(DAY, "de", "medium")  # "05.03.2024"
    assert pair.sure == pair.possible
    assert pair.sure == {(0, 6), (1, 7), (2, 8), (3, 9), (5, 3), (6, 4), (8, 0), (9, 1)}


def test_gold_alignment_leaves_out_the_point_of_a_short_month():
    source, _ = pair = dates.pair(DAY, "fr", "medium")
    pointed, _ = other = dates.pair(date(2024, 1, 5), "fr", "medium")
    assert "." not in text(source) and "." in text(pointed)
    assert pointed.index(".") not in {s for _, s in other.possible}
    assert {s for t, s in pair.possible if t == 5} == {2, 3, 4, 5}


@settings(deadline=None, max_examples=100)
@given(days, st.sampled_from(STYLES))
def test_gold_alignment_properties(day, style):
    source, target = pair = dates.pair(day, *style)
    assert pair.sure <= pair.possible
    assert all(source[s] == target[t] for t, s in pair.sure)
    assert (
        sorted({t for t, _ in pair.possible})
        == pair.rows
        == [t for t in range(10) if target[t] != "-"]
    )
    assert all(source[s].isalnum() for _, s in pair.possible)
    # Every digit of the source is some target digit's sure counterpart, once.
    assert sorted(s for _, s in pair.sure) == [
        s for s, character in enumerate(source) if character.isdigit()
    ]


def test_pairs_unpack_and_survive_a_copy():
    first, *_ = pairs = dates.pairs(5)
    source, target = first
    assert first == (source, target) and len(first) == 2
    assert [text(t) for _, t in pairs] == [pair.date.isoformat() for pair in pairs]
    for again in (copy.deepcopy(first), pickle.loads(pickle.dumps(first))):
        assert (
            again == first and again.sure == first.sure and again.locale == first.locale
        )


def test_pairs_are_the_same_for_the_same_seed_and_begin_longer_lists():
    assert dates.pairs(50, seed=3) == dates.pairs(80, seed=3)[:50]
    assert dates.pairs(50, seed=3) != dates.pairs(50, seed=4)
    assert [pair.date.isoformat() for pair in dates.pairs(2)] == [
        "2050-12-26",
        "2029-03-31",
    ]


def test_pairs_draw_locales_and_formats_evenly():
    counts = Counter((pair.locale, pair.date_format) for pair in dates.pairs(3200))
    assert set(counts) == set(STYLES)
    assert all(150 < count < 250 for count in counts.values())


def test_pairs_have_the_locales_and_formats_asked_for():
    assert {
        (p.locale, p.date_format)
        for p in dates.pairs(50, locales=["es"], date_formats=["long"])
    } == {("es", "long")}


def test_pairs_exclude_makes_train_and_test_disjoint_by_date():
    train = dates.pairs(2000)
    test = dates.pairs(2000, exclude=train)
    assert len({text(target) for _, target in train + test}) == 4000


def one_hot(pair, links):
    source, target = pair
    weights = np.zeros((len(target) + 1, len(source)))
    for t, s in links:
        weights[t, s] = 1
    return weights


def test_alignment_error_rate_by_hand():
    pairs = [dates.pair(DAY, "de", "medium"), dates.pair(DAY, "fr", "medium")]
    perfect = [one_hot(pair, pair.possible) for pair in pairs]
    assert dates.alignment_error_rate(perfect, pairs) == 0
    # The first pair's weights all on source position 0, "0" of "05": of 8 links one is
    # correct, and sure. Sums: |A∩S| = 1 + 5, |A∩P| = 1 + 8, |A| = 8 + 8, |S| = 8 + 5.
    wrong = [one_hot(pairs[0], {(t, 0) for t in range(11)}), perfect[1]]
    assert dates.alignment_error_rate(wrong, pairs) == pytest.approx(1 - 15 / 29)


def test_alignment_error_rate_shift_aligns_the_step_after():
    pairs = dates.pairs(20)
    late = [np.roll(one_hot(pair, pair.possible), 1, axis=0) for pair in pairs]
    assert dates.alignment_error_rate(late, pairs, shift=1) == 0
    assert dates.alignment_error_rate(late, pairs) > 0.5


def test_alignment_error_rate_ignores_hyphens_and_the_end():
    pair = dates.pair(DAY)
    weights = one_hot(pair, pair.possible)
    weights[[4, 7, 10], 0] = 1
    assert dates.alignment_error_rate([weights], [pair]) == 0


def test_best_monotonic_aer_by_hand():
    # "05.03.2024": sure links (0,6) (1,7) (2,8) (3,9) (5,3) (6,4) (8,0) (9,1), at
    # distances 6 6 6 6 2 2 8 8.
    pairs = [dates.pair(DAY, "de", "medium")]
    expected = {
        0: 1,
        1: 1,
        2: 1 - 2 / 8,
        5: 1 - 2 / 8,
        6: 1 - 6 / 8,
        7: 1 - 6 / 8,
        8: 0,
    }
    assert {d: dates.best_monotonic_aer(pairs, d) for d in expected} == expected


def test_best_monotonic_aer_clamps_to_the_last_word():
    # Every date is as long as the ISO date at least: cut the year off "5 mar 2024".
    pair = dates.pair(DAY, "es", "medium")
    short = dates.Pair((pair[0][:6], pair[1]))
    short.spans = pair.spans[:2]
    # Day at 0, month at 2 … 4, last word 5. D = 1: t = 5 and 6 reach 4 … 5
    # (possible), the others nothing correct.
    assert dates.best_monotonic_aer([short], 1) == pytest.approx(1 - 2 / 9)


def test_best_monotonic_aer_is_reached_by_no_random_window():
    pairs = dates.pairs(30)
    random = np.random.default_rng(0)
    for half_width in (3, 8):
        guesses = []
        for source, target in pairs:
            distance = np.abs(
                np.arange(len(source))
                - np.minimum(np.arange(len(target)), len(source) - 1)[:, None]
            )
            guesses.append(random.random(distance.shape) * (distance <= half_width))
        assert (
            dates.alignment_error_rate(guesses, pairs)
            > dates.best_monotonic_aer(pairs, half_width)
            > 0
        )


def test_best_monotonic_aer_falls_with_the_window():
    pairs = dates.pairs(200)
    rates = [
        dates.best_monotonic_aer(pairs, half_width) for half_width in (3, 5, 8, 10, 40)
    ]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] > 0.7 and rates[-1] == 0


def test_tasks_import_neither_keras_nor_tensorflow():
    code = (
        "import sys; from attnlib.tasks import dates, numbers; print({'tensorflow',"
        " 'keras'} & set(sys.modules))"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True
        ).stdout.strip()
        == "set()"
    )


def test_gold_links_work_with_metrics():
    pair = dates.pair(DAY)
    links = metrics.links(one_hot(pair, pair.possible), rows=pair.rows)
    assert metrics.alignment_error_rate(links, pair.sure, pair.possible) == 0


PAIR = dates.pair(DAY, "fr", "long")  # 11 characters


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: dates.pairs(0),
            ValueError,
            "n should be an integer of 1 or more, got 0",
        ),
        (
            lambda: dates.pairs(2.0),
            TypeError,
            r"n should be an integer of 1 or more, got 2\.0",
        ),
        (
            lambda: dates.pairs(5, seed=-1),
            ValueError,
            "seed should be an integer of 0 or more, got -1",
        ),
        (
            lambda: dates.pairs(73_050),
            ValueError,
            "n should be at most 73049, the dates of 1900-01-01 to 2099-12-31",
        ),
        (
            lambda: dates.pairs(73_000, exclude=dates.pairs(50)),
            ValueError,
            "n should be at most 72999",
        ),
        (
            lambda: dates.pairs(5, exclude=["2024-03-05"]),
            TypeError,
            r"exclude should be pairs \(source_tokens, target_tokens\), as dates.pairs",
        ),
        (
            lambda: dates.pairs(5, exclude=dates.pairs(3)[0]),
            TypeError,
            r"exclude should be pairs .* returns them, got \['",
        ),
        (
            lambda: dates.pairs(5, exclude=[(["2"], ["two"])]),
            TypeError,
            r"exclude should be pairs .* returns them, got \(\['2'\], \['two'\]\)",
        ),
        (
            lambda: dates.alignment_error_rate(None, dates.pairs(1)),
            TypeError,
            "weights should be one array per pair, got None: a model without attention",
        ),
        (
            lambda: dates.alignment_error_rate([None], dates.pairs(1)),
            TypeError,
            r"weights should be .*, got NoneType: call model.align\(pairs\), whose",
        ),
        (
            lambda: dates.alignment_error_rate(
                [SimpleNamespace(tokens=["2"], weights=np.ones((1, 1)))], dates.pairs(1)
            ),
            TypeError,
            r"weights should be .*, got SimpleNamespace: call model.align\(pairs\)",
        ),
        (
            lambda: dates.pairs(5, locales=["xx"]),
            ValueError,
            "locale should be one of 'en', 'fr', 'de', 'es', got 'xx'",
        ),
        (
            lambda: dates.pairs(5, locales=[]),
            ValueError,
            r"should name at least one each, got \[\] and \['full', ",
        ),
        (
            lambda: dates.pairs(5, date_formats=["long", "short"]),
            ValueError,
            "one of 'full', 'long', .*, got 'short', whose years of two digits collide",
        ),
        (
            lambda: dates.pair(DAY, "en", "tiny"),
            ValueError,
            "date_format should be one of 'full', 'long', 'medium', .* got 'tiny'",
        ),
        (
            lambda: dates.pair("2024-03-05"),
            TypeError,
            "day should be a datetime.date, got '2024-03-05'",
        ),
        (
            lambda: dates.pair(datetime(2024, 3, 5)),
            TypeError,
            "day should be a datetime.date, got datetime",
        ),
        (
            lambda: dates.alignment_error_rate([], [PAIR]),
            ValueError,
            "weights should have one array per pair, got 0 for 1 pairs",
        ),
        (
            lambda: dates.alignment_error_rate([np.ones((9, 11))], [PAIR]),
            ValueError,
            (
                "weights of '5 mars 2024' should have 10 rows or more and 11 columns,"
                " got 9 and 11"
            ),
        ),
        (
            lambda: dates.alignment_error_rate([np.ones((10, 12))], [PAIR]),
            ValueError,
            "got 10 and 12",
        ),
        (
            lambda: dates.alignment_error_rate([np.eye(2)], [("a", "b")]),
            TypeError,
            "those of dates.pairs, .* got tuple",
        ),
        (
            lambda: dates.best_monotonic_aer([PAIR], -1),
            ValueError,
            "half_width should be an integer of 0 or more, got -1",
        ),
        (
            lambda: dates.best_monotonic_aer([("a", "b")], 1),
            TypeError,
            "with gold alignments, got tuple",
        ),
    ],
)
def test_dates_refuse_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()
