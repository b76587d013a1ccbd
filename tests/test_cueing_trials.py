"""The cueing experiment, taken in a browser: by keyboard alone, by touch, with lapses,
and interrupted.
"""

import re
from collections import Counter

import numpy as np
import pytest
from cueing_reader import (
    begin,
    go_on,
    kind,
    message,
    now,
    open_cueing,
    saved,
    short_settings,
    take,
    until,
    until_dot,
)
from scipy import stats

from attnlib.interactive.cueing import difference, reaction_times, simulated_reader

page_of, short = pytest.fixture(open_cueing), pytest.fixture(short_settings)


def test_experiment_is_taken_by_the_keyboard_alone_and_analyzed_as_in_python(page_of):
    page = page_of()
    assert page.get_by_text("about 5 minutes").is_visible()
    begin(page)
    rng = np.random.default_rng(0)
    seen = Counter()

    def delay(kind):
        seen[kind] += 1
        spread = int(rng.integers(80))
        return {"valid": 200 + spread, "invalid": 320 + spread, "catch": None}[kind]

    take(page, delay)
    assert seen == {
        "valid": 105,
        "invalid": 26,
        "catch": 12,
    }  # practice and five blocks
    assert page.evaluate("document.activeElement.className") == "cu-verdict"

    text, rows = saved(page)
    assert text.startswith(
        "trial,block,cue,target,validity,onset_ms,reaction_ms,outcome\n1,1,"
    )
    assert list(rows["trial"]) == list(range(1, 136)) and Counter(
        rows["block"]
    ) == dict.fromkeys(range(1, 6), 27)
    assert Counter(rows["outcome"]) == {"answered": 125, "withheld": 10}
    assert (
        (300 <= rows["onset_ms"]) & (rows["onset_ms"] < 817)
    ).all()  # 800, and the frame that was waited for
    assert np.isnan(rows["reaction_ms"][rows["validity"] == "catch"]).all()
    times = [
        rows["reaction_ms"][rows["validity"] == kind] for kind in ("valid", "invalid")
    ]
    assert [len(kind) for kind in times] == [100, 25] and times[0].max() < 400

    expected = [
        stats.quantile_test(kind, p=0.5).confidence_interval(0.95) for kind in times
    ]
    expected = [
        (np.median(kind), interval.low, interval.high)
        for kind, interval in zip(times, expected, strict=True)
    ]
    expected.append(difference(*expected))
    cells = page.locator(".af-live .cu-table tr td:nth-child(2)").all_inner_texts()[-3:]
    found = [[int(number) for number in re.findall(r"\d+", cell)] for cell in cells]
    assert [numbers[3:] for numbers in found] == [[100], [25], []]
    # The difference is that of the medians shown: rounded twice, and the table adds up.
    off = np.abs(np.array([numbers[:3] for numbers in found]) - expected)
    assert off.ravel()[np.arange(9) != 6].max() < 0.501 and off[2, 0] < 1.001
    assert found[2][0] == found[1][0] - found[0][0]
    # The made delays are 40 ms apart or more, and a frame takes up to 17 ms.
    assert expected[2][1] > 20
    gap, low, high = found[2]
    assert (
        page.locator(".cu-verdict").inner_text()
        == f"You answered {gap} ms faster after a valid cue (95% interval of the"
        f" difference: {low} to {high} ms)."
    )
    assert page.locator(".cu-valid .cu-time").count() == 100 + len(
        reaction_times(simulated_reader())[0]
    )


def test_target_is_stamped_in_the_frame_after_it_was_drawn(page_of):
    page = page_of()
    begin(page)
    until_dot(page)
    page.clock.run_for(16)  # drawn in one frame, stamped in the next
    page.clock.run_for(250)
    page.keyboard.press("Space")
    assert now(page)[0] == "feedback"
    assert int(message(page).removesuffix(" milliseconds")) in range(234, 267)


def test_trial_shows_cross_arrow_and_target_one_after_the_other(page_of):
    page = page_of()
    begin(page)
    assert now(page) == ("empty", ["boxes"])
    assert until(page, "cross") == ("cross", ["boxes", "cross"])
    _, shown = until(page, "arrow")
    assert shown in (["boxes", "arrowleft"], ["boxes", "arrowright"])
    _, after = until(page, "target")
    assert after[:2] == shown and len(after) <= 3


def test_practice_gives_feedback_on_each_trial_and_is_not_kept(page_of):
    page = page_of()
    begin(page)
    heard = Counter()
    for number in range(1, 9):
        assert (
            page.locator(".cu-progress").inner_text()
            == f"Practice, trial {number} of 8"
        )
        what = kind(until(page, "target", step=32)[1])
        page.clock.run_for(32 + (1600 if what == "catch" else 300))
        if what != "catch":
            page.keyboard.press("Space")
        heard[re.sub(r"\d+", "N", message(page))] += 1
        until(page, "empty", "pause", step=64)
    assert heard == {"N milliseconds": 6, "Correct: no dot, no answer.": 2}
    assert message(page).startswith("That was the practice.")
    page.get_by_role("button", name="Stop").press(
        "Enter"
    )  # nothing was done that counts: back to the start
    assert page.get_by_role("button", name="Start with practice").is_visible()


def test_early_and_late_answers_get_feedback_a_repetition_and_no_median(page_of, short):
    page = page_of()
    begin(page)  # an empty practice
    go_on(page)
    until(page, "arrow")
    page.keyboard.press("Space")
    assert message(page) == "Too early: wait for the dot. This trial will be repeated."
    until_dot(page)
    page.clock.run_for(1600)
    assert (
        message(page)
        == "Too late: answer as soon as you see the dot. This trial will be repeated."
    )
    until(page, "empty", step=32)
    assert (
        page.locator(".cu-progress").inner_text().endswith("of 14")
    )  # 12, and the two again

    until_dot(page)
    page.clock.run_for(64)
    page.keyboard.press("Space")
    assert message(page).startswith("Too early")  # too quick to come from the target
    take(page, lambda kind: None if kind == "catch" else 300)
    _, rows = saved(page)
    outcomes = Counter(rows["outcome"])
    assert outcomes == {"answered": 20, "withheld": 4, "early": 2, "late": 1}
    early, late = rows[rows["outcome"] == "early"], rows[rows["outcome"] == "late"]
    assert early["reaction_ms"][0] < 0 < early["reaction_ms"][1] < 100 and np.isnan(
        late["reaction_ms"][0]
    )
    assert list(rows["block"][:15]) == [1] * 15
    assert rows[["cue", "target"]][12] == rows[["cue", "target"]][0]
    assert (
        "Not included in the medians: 2 too early, 1 too late or missing, 0"
        " interrupted." in page.locator(".af-live").inner_text()
    )


def test_a_trial_is_repeated_only_as_often_as_set(page_of, short):
    page = page_of()
    begin(page)
    go_on(page)
    heard = []
    while until(page, "arrow", "pause", step=64)[0] == "arrow":  # always too early
        page.keyboard.press("Space")
        heard.append(message(page).endswith("will be repeated."))
    assert heard == [True] * 12 + [False] * 12
    assert message(page).startswith("Block 1 of 2 is done.")


def test_answer_without_a_target_is_a_false_alarm(page_of, short):
    page = page_of()
    begin(page)
    go_on(page)
    while kind(until(page, "target", step=32)[1]) != "catch":
        page.clock.run_for(250)
        page.keyboard.press("Space")
    page.clock.run_for(250)
    page.keyboard.press("Space")
    assert message(page) == "There was no dot. Without a dot, do not answer."
    page.get_by_role("button", name="Stop").press("Enter")
    assert (
        "Without a dot you answered 1 of 1 times."
        in page.locator(".af-live").inner_text()
    )
    assert saved(page)[1]["outcome"][-1] == "false alarm"


WHERE = """() => [...document.querySelectorAll(".cu-stage, .cu-foot button, progress")]
  .map(e => Object.values(e.getBoundingClientRect().toJSON()).map(Math.round))"""


@pytest.mark.parametrize("width", [360, 760, 1280])
def test_one_click_stops_and_shows_the_result(page_of, short, width):
    page = page_of(viewport={"width": width, "height": 700})
    begin(page)
    pause = page.evaluate(WHERE)
    go_on(page)
    until_dot(page)
    page.clock.run_for(300)
    page.keyboard.press("Space")
    until(page, "arrow")
    assert page.evaluate(WHERE) == pause  # nothing moves between pause and trial
    stop = page.get_by_role("button", name="Stop").bounding_box()
    page.mouse.move(stop["x"] + 8, stop["y"] + 4)
    page.mouse.down()
    assert now(page)[0] == "arrow" and page.evaluate(WHERE) == pause
    page.clock.run_for(200)  # as long as a press takes
    assert page.evaluate(WHERE) == pause
    page.mouse.up()
    assert page.locator(".cu-verdict").is_visible()
    outcomes = Counter(saved(page)[1]["outcome"])
    assert outcomes == {"answered": 1, "left": 1} | (
        {"withheld": outcomes["withheld"]} if outcomes["withheld"] else {}
    )


def test_nothing_moves_when_a_trial_goes_wrong(page_of, short):
    page = page_of(viewport={"width": 360, "height": 700})
    begin(page)
    before = page.evaluate(WHERE)
    go_on(page)
    until(page, "arrow")
    page.keyboard.press("Space")
    assert message(page).startswith("Too early") and page.evaluate(WHERE) == before
    until(page, "arrow")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    assert message(page).startswith("You turned away")
    assert page.evaluate(WHERE) == before


@pytest.mark.parametrize("way", ["tab key", "other tab"])
def test_turning_away_voids_the_trial(page_of, short, way):
    page = page_of()
    begin(page)
    go_on(page)
    until(page, "arrow")
    if way == "tab key":
        page.keyboard.press("Tab")
    else:
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    assert now(page) == ("pause", [])
    assert message(page).startswith("You turned away, so this trial does not count.")
    page.clock.run_for(5000)  # nothing goes on meanwhile
    assert now(page)[0] == "pause"
    if way == "tab key":
        page.keyboard.press("Shift+Tab")
    page.keyboard.press("Space")
    assert page.locator(".cu-progress").inner_text() == "Block 1 of 2, trial 2 of 13"
    take(page, lambda kind: None if kind == "catch" else 300)
    _, rows = saved(page)
    assert rows["outcome"][0] == "left" and Counter(rows["outcome"]) == {
        "left": 1,
        "answered": 20,
        "withheld": 4,
    }


def test_pause_waits_for_the_reader_and_not_for_an_answer_that_comes_late(
    page_of, short
):
    page = page_of()
    begin(page)
    assert now(page)[0] == "pause"  # the practice was empty
    page.clock.run_for(500)
    page.keyboard.press("Space")
    assert now(page)[0] == "pause"
    assert message(page) == (
        "That press came right after the pause began, so it does not count."
        " Press space, or tap here, once more to continue."
    )
    page.clock.run_for(60_000)
    assert now(page)[0] == "pause"
    page.keyboard.press("Space")
    assert now(page)[0] == "empty"


def test_the_space_bar_does_not_scroll_the_page(page_of):
    page = page_of(viewport={"width": 760, "height": 250})
    begin(page)
    before = page.evaluate("scrollY")
    page.clock.run_for(900)
    page.keyboard.press("Space")
    page.evaluate("scrollBy(0, 1)")  # there is room to scroll
    page.wait_for_timeout(300)
    assert page.evaluate("scrollY") == before + 1


def test_a_held_key_answers_once(page_of):
    page = page_of()
    begin(page)
    page.keyboard.down("Space")
    until(page, "target")
    page.clock.run_for(300)
    page.keyboard.down("Space")  # the key repeats
    assert now(page)[0] == "target"
    page.keyboard.up("Space")


def test_stopped_halfway_what_was_done_is_analysed(page_of):
    page = page_of()
    begin(page)
    take_blocks = Counter()

    def delay(kind):
        take_blocks[kind] += 1
        return None if kind == "catch" else 300 if kind == "valid" else 400

    while "Block 2 of 5 is done" not in (
        message(page) if now(page)[0] == "pause" else ""
    ):
        phase, shown = until(page, "pause", "target", step=64)
        if phase == "pause":
            if "Block 2" not in message(page):
                go_on(page)
            continue
        page.clock.run_for(32)
        wait = delay(kind(shown))
        page.clock.run_for(wait or 1600)
        if wait:
            page.keyboard.press("Space")
            page.clock.run_for(1000)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Stop"
    page.keyboard.press("Enter")
    assert re.match(
        r"You answered \d+ ms faster after a valid cue",
        page.locator(".cu-verdict").inner_text(),
    )
    assert len(saved(page)[1]) == 54
    page.get_by_role("button", name="Take it again").press("Enter")
    assert page.evaluate("document.activeElement.textContent") == "Start with practice"


def test_stopped_at_once_says_that_it_was_too_few(page_of, short):
    page = page_of()
    begin(page)
    go_on(page)
    while kind(until(page, "target", step=32)[1]) != "valid":
        page.clock.run_for(1000)
        page.keyboard.press("Space")
        page.clock.run_for(1000)
    page.clock.run_for(300)
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    text = page.locator(".cu-verdict").inner_text()
    assert re.fullmatch(
        r"Too few answers for a result: it takes 6 of each kind, and you gave 1 after"
        r" a valid cue and \d after an invalid one\.",
        text,
    )
    assert (
        page.locator(".af-live .cu-table td:nth-child(2)").all_inner_texts()[-3:]
        == ["too few"] * 3
    )
    assert page.locator(".cu-row svg").count() == 2  # the simulated reader's


def test_experiment_is_taken_by_touch(page_of, short):
    page = page_of(has_touch=True, viewport={"width": 360, "height": 640})
    page.get_by_role("button", name="Start with practice").tap()
    stage = page.locator(".cu-stage")
    for _ in range(2):  # an empty practice, then the block
        page.clock.run_for(650)
        stage.tap()
    until(page, "arrow")
    stage.tap()
    assert message(page).startswith("Too early")
    until_dot(page)
    page.clock.run_for(300)
    stage.tap()
    assert now(page)[0] == "empty"  # answered in time: on to the next
    page.get_by_role("button", name="Stop").tap()
    outcomes = Counter(saved(page)[1]["outcome"])
    assert outcomes["answered"] == outcomes["left"] == outcomes["early"] == 1


def test_experiment_runs_on_the_browsers_own_frames(page_of):
    page = page_of(timed=True)
    page.get_by_role("button", name="Start with practice").press("Enter")
    page.wait_for_timeout(700)
    page.keyboard.press("Space")
    page.locator(".cu-stage[data-phase=target]").wait_for()
    page.keyboard.press("Space")
    page.locator(".cu-stage[data-phase=feedback]").wait_for()
    assert re.search(
        r"milliseconds|Too early|no dot", message(page)
    )  # how quick this machine is does not matter
