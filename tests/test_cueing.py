"""The cueing experiment: its plan, its arithmetic in Python and on the page, and its
static fallback.
"""

import re
from collections import Counter

import numpy as np
import pytest
from conftest import violations
from cueing_reader import begin, open_cueing, short_settings, until
from scipy import stats

from attnlib.interactive import cueing
from attnlib.interactive.cueing import (
    difference,
    median_interval,
    minutes,
    reaction_times,
    simulated_reader,
)

page_of, short = pytest.fixture(open_cueing), pytest.fixture(short_settings)


# The arithmetic.


@pytest.mark.parametrize("count", [6, 8, 9, 25, 100, 101])
def test_median_interval_is_that_of_scipys_quantile_test(count):
    times = np.random.default_rng(count).exponential(100, size=count)
    interval = stats.quantile_test(times, p=0.5).confidence_interval(0.95)
    assert median_interval(times) == pytest.approx(
        (np.median(times), interval.low, interval.high)
    )


def test_median_interval_refuses_fewer_than_six():
    with pytest.raises(
        ValueError, match="times should hold 6 or more reaction times, got 5"
    ):
        median_interval(range(5))


def test_difference_by_hand():
    assert difference((300, 292, 304), (350, 347, 356)) == pytest.approx(
        (50, 45, 60)
    )  # 3-4-5 and 6-8-10


def test_intervals_hold_the_true_value_as_often_as_they_say():
    rng = np.random.default_rng(1)
    runs, held = 2000, np.zeros(3)
    for _ in range(runs):
        valid, invalid = (
            median_interval(rng.exponential(mean, size=n))
            for mean, n in ((80, 100), (160, 25))
        )
        found = (
            *zip((80, 160), (valid, invalid), strict=True),
            (80, difference(valid, invalid)),
        )
        held += [low <= true * np.log(2) <= high for true, (_, low, high) in found]
    assert (
        held / runs > 0.945
    ).all()  # 0.95 and more, less two and a half standard errors of what chance does
    assert (held / runs < 0.99).all()


def test_simulated_reader_is_planned_like_the_experiment_and_the_same_every_time():
    trials = simulated_reader()
    assert trials == simulated_reader() != simulated_reader(seed=1)
    for block in range(1, 6):
        of_block = [
            (cue, target) for number, cue, target, *_ in trials if number == block
        ]
        sides = Counter(of_block)
        assert sides[1, 1] == sides[-1, -1] == 10 and sides[1, 0] == sides[-1, 0] == 1
        assert sorted((sides[1, -1], sides[-1, 1])) == [2, 3]
        assert sum(sides.values()) == 27
    assert len({str(trials[i : i + 27]) for i in range(0, 135, 27)}) == 5
    assert all(300 <= onset <= 800 for *_, onset, _ in trials)


def test_simulated_reader_accumulates_in_proportion_to_the_root_of_its_weight():
    def seconds(share):
        times = [reaction_times(simulated_reader(seed, share)) for seed in range(60)]
        return [np.mean(sum(kind, [])) - 250 for kind in zip(*times, strict=True)]

    valid, invalid = seconds(0.8)
    assert invalid / valid == pytest.approx(2, abs=0.1)  # the root of 0.8 / 0.2
    assert np.divide(*seconds(0.5)) == pytest.approx(1, abs=0.05)


def test_reaction_times_leave_out_early_late_missing_and_catch_trials():
    kept, other = [1, 1, 1, 400, 100.0], [1, 1, -1, 400, 1499.0]
    out = [
        [1, 1, 1, 400, 99.9],
        [1, 1, -1, 400, -5.0],
        [1, 1, 1, 400, 1500.0],
        [1, 1, 1, 400, None],
        [1, 1, 0, 400, 300],
    ]
    assert reaction_times([kept, *out, other]) == ([100.0], [1499.0])


def test_minutes_by_hand():
    before = 300 + 500 + 550
    assert (
        minutes()
        == np.ceil(
            (125 * (before + 400) + 10 * (before + 1500) + 8 * (before + 1300)) / 60_000
        )
        == 5
    )


def test_cueing_is_small_and_the_same_every_time():
    assert str(cueing()) == str(cueing())
    assert len(str(cueing()).encode()) <= 30_000
    assert set(re.findall(r"https?:[^\"']*", str(cueing()))) == {
        "http://www.w3.org/2000/svg"
    }


# The logic, through the handle that the script leaves on its element.


@pytest.fixture
def handle(page_of):
    page = page_of()
    return lambda code, data=None: page.evaluate(
        "data => { const c = document.querySelector('.attn-cueing').cueing; return"
        f" {code}; }}",
        data,
    )


def test_schedule_has_four_valid_in_five_in_every_block(handle):
    plans = handle("Array.from({length: 40}, () => c.schedule())")
    for plan in plans:
        for number, block in enumerate(plan, start=1):
            assert Counter(trial["validity"] for trial in block) == {
                "valid": 20,
                "invalid": 5,
                "catch": 2,
            }
            sides = Counter((trial["cue"], trial["target"]) for trial in block)
            assert sides["left", "left"] == sides["right", "right"] == 10
            assert sorted((sides["left", "right"], sides["right", "left"])) == [2, 3]
            assert sides["left", "none"] == sides["right", "none"] == 1
            assert {trial["block"] for trial in block} == {number}
    onsets = np.array(
        [trial["onset"] for plan in plans for block in plan for trial in block]
    )
    assert (
        300 <= onsets.min() < 305
        and 795 < onsets.max() <= 800
        and abs(onsets.mean() - 550) < 10
    )
    first = [plan[0][0]["validity"] for plan in plans]
    assert first.count("valid") not in (0, 40)  # in random order


def test_classify(handle):
    cases = {
        ("valid", -200): "early",
        ("valid", 99.9): "early",
        ("valid", 100): "answered",
        ("invalid", 1499): "answered",
        ("invalid", 1500): "late",
        ("valid", None): "late",
        ("catch", None): "withheld",
        ("catch", 400): "false alarm",
        ("catch", -10): "early",
    }
    given = [[{"validity": validity}, reaction] for validity, reaction in cases]
    assert handle("data.map(one => c.classify(...one))", given) == list(cases.values())


def test_script_analyzes_the_simulated_reader_as_python_does(handle):
    readers = [simulated_reader(seed) for seed in range(5)]
    for trials, found in zip(
        readers,
        handle("data.map(one => c.analyze(one.map(c.unpack)))", readers),
        strict=True,
    ):
        times = reaction_times(trials)
        valid, invalid = map(median_interval, times)
        expected = {
            "valid": valid,
            "invalid": invalid,
            "difference": difference(valid, invalid),
        }
        for name, interval in expected.items():
            assert [
                found[name][key] for key in ("median", "low", "high")
            ] == pytest.approx(interval)
        assert [found["valid"]["n"], found["invalid"]["n"]] == [
            len(kind) for kind in times
        ]


def test_script_gives_no_interval_below_six(handle):
    found = handle(
        "data.map(c.median)", [list(range(count)) for count in (0, 1, 5, 6, 40)]
    )
    assert [(one["n"], one["enough"]) for one in found] == [
        (0, False),
        (1, False),
        (5, False),
        (6, True),
        (40, True),
    ]


def test_csv_has_a_row_per_trial(handle):
    trial = {
        "block": 2,
        "cue": "left",
        "target": "right",
        "validity": "invalid",
        "onset": 512.34,
        "reaction": 400,
        "outcome": "answered",
    }
    missing = {
        **trial,
        "target": "none",
        "validity": "catch",
        "reaction": None,
        "outcome": "withheld",
    }
    assert (
        handle("c.csv(data)", [trial, missing])
        == "trial,block,cue,target,validity,onset_ms,reaction_ms,outcome\n"
        "1,2,left,right,invalid,512.3,400.0,answered\n2,2,left,none,catch,512.3,,withheld\n"
    )


# The static fallback, paper, narrow pages, and readers who do not see.


def test_cueing_is_a_picture_and_a_table_without_scripts(page_of):
    page = page_of(java_script_enabled=False)
    assert page.get_by_role("img", name="One trial in three pictures").is_visible()
    assert page.get_by_text(
        "The page measures your times where scripts run."
    ).is_visible()
    times = reaction_times(simulated_reader())
    for row, kind in enumerate(times, start=1):
        cells = page.get_by_role("row").nth(row).locator("td").all_inner_texts()
        interval = stats.quantile_test(kind, p=0.5).confidence_interval(0.95)
        assert cells == [
            f"{np.median(kind):.0f}",
            f"{interval.low:.0f} to {interval.high:.0f}",
            f"{len(kind)}",
        ]
    assert page.get_by_role("table").is_visible()
    assert (
        page.get_by_role("button").count() == 0
        and not page.get_by_text("Run this cell").is_visible()
    )


def test_cueing_on_paper_is_its_static_fallback_even_while_it_is_taken(page_of):
    page = page_of(color_scheme="dark")
    begin(page)
    assert not page.get_by_role("img", name="One trial").is_visible()
    page.emulate_media(media="print")
    page.get_by_role("table").wait_for()
    assert (
        page.get_by_role("img", name="One trial").is_visible()
        and not page.locator(".cu-stage").is_visible()
    )


def test_cueing_tells_readers_who_do_not_see_where_to_go(page_of):
    page = page_of()
    assert page.get_by_text(
        "This experiment needs eyesight. If you cannot see the field"
    ).is_visible()
    page.get_by_text("A simulated reader's result as a table").click()
    assert page.get_by_role(
        "table", name="Simulated: median reaction time in milliseconds"
    ).is_visible()
    assert "assumptions" in page.locator("details").inner_text()
    begin_name = "Field of the experiment: press space when a dot appears"
    page.get_by_role("button", name="Start").click()
    assert page.get_by_role("application", name=begin_name).evaluate(
        "e => e === document.activeElement"
    )
    assert page.locator(".cu-message").get_attribute("aria-live") == "polite"


def test_nothing_moves_or_flashes_but_the_target(page_of):
    page = page_of()
    begin(page)
    until(page, "target")
    assert page.evaluate("document.getAnimations().length") == 0
    styles = page.locator(".attn-cueing *").evaluate_all(
        "all => all.map(e => getComputedStyle(e)).map(s => [s.transitionDuration,"
        " s.animationName].join())"
    )
    assert set(styles) == {"0s,none"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_cueing_has_no_accessibility_violation_and_fits_a_narrow_page(
    page_of, short, scheme
):
    page = page_of(
        timed=True, color_scheme=scheme, viewport={"width": 360, "height": 640}
    )
    card = {"light": "rgb(251, 250, 246)", "dark": "rgb(28, 33, 40)"}[scheme]
    assert (
        page.locator(".attn-cueing").evaluate(
            "e => getComputedStyle(e).backgroundColor"
        )
        == card
    )

    def check(step):
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, step
        # The page around a figure has a heading.
        assert violations(page, {"page-has-heading-one"}) == [], step

    check("intro")
    page.get_by_role("button", name="Start").click()
    check("pause")
    page.wait_for_timeout(700)
    page.keyboard.press("Space")
    page.wait_for_timeout(700)
    page.keyboard.press("Space")
    page.locator(".cu-stage[data-phase=arrow]").wait_for()
    check("trial")
    page.get_by_role("button", name="Stop").click()
    page.locator(".cu-verdict").wait_for()
    check("result")
