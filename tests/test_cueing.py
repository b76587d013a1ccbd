"""The cueing experiment: its plan and its arithmetic, and a browser that takes it under a clock of the test's own."""

import re
from collections import Counter
from io import StringIO
from urllib.parse import urlsplit

import numpy as np
import pytest
from scipy import stats

from attnlib.interactive import _cueing, cueing

READ = dict(delimiter=",", names=True, dtype=None, encoding="utf-8")  # as the chapter reads the file


# The arithmetic.


@pytest.mark.parametrize("count", [6, 8, 9, 25, 100, 101])
def test_median_interval_is_that_of_scipys_quantile_test(count):
    times = np.random.default_rng(count).exponential(100, size=count)
    interval = stats.quantile_test(times, p=0.5).confidence_interval(0.95)
    assert _cueing.median_interval(times) == pytest.approx((np.median(times), interval.low, interval.high))


def test_median_interval_refuses_fewer_than_six():
    with pytest.raises(ValueError, match="needs 6 times or more, got 5"):
        _cueing.median_interval(range(5))


def test_difference_by_hand():
    assert _cueing.difference((300, 292, 304), (350, 347, 356)) == pytest.approx((50, 45, 60))  # 3-4-5 and 6-8-10


def test_intervals_hold_the_true_value_as_often_as_they_say():
    rng = np.random.default_rng(1)
    runs, held = 2000, np.zeros(3)
    for _ in range(runs):
        valid, invalid = (_cueing.median_interval(rng.exponential(mean, size=n)) for mean, n in ((80, 100), (160, 25)))
        found = (*zip((80, 160), (valid, invalid), strict=True), (80, _cueing.difference(valid, invalid)))
        held += [low <= true * np.log(2) <= high for true, (_, low, high) in found]
    assert (held / runs > 0.945).all()  # 0.95 and more, less two and a half standard errors of what chance does
    assert (held / runs < 0.99).all()


def test_simulated_reader_is_planned_like_the_experiment_and_the_same_every_time():
    trials = _cueing.simulated_reader()
    assert trials == _cueing.simulated_reader() != _cueing.simulated_reader(seed=1)
    for block in range(1, 6):
        of_block = [(cue, target) for number, cue, target, *_ in trials if number == block]
        sides = Counter(of_block)
        assert sides[1, 1] == sides[-1, -1] == 10 and sides[1, 0] == sides[-1, 0] == 1
        assert sorted((sides[1, -1], sides[-1, 1])) == [2, 3]
        assert sum(sides.values()) == 27
    assert len({str(trials[i : i + 27]) for i in range(0, 135, 27)}) == 5
    assert all(300 <= onset <= 800 for *_, onset, _ in trials)


def test_simulated_reader_gathers_in_proportion_to_the_root_of_its_weight():
    def seconds(share):
        times = [_cueing.reaction_times(_cueing.simulated_reader(seed, share)) for seed in range(60)]
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
    assert _cueing.reaction_times([kept, *out, other]) == ([100.0], [1499.0])


def test_minutes_by_hand():
    before = 300 + 500 + 550
    assert (
        _cueing.minutes() == np.ceil((125 * (before + 400) + 10 * (before + 1500) + 8 * (before + 1300)) / 60_000) == 5
    )


def test_cueing_is_small_and_the_same_every_time():
    assert str(cueing()) == str(cueing())
    assert len(str(cueing()).encode()) <= 30_000
    assert set(re.findall(r"https?:[^\"']*", str(cueing()))) == {"http://www.w3.org/2000/svg"}


# The page, in a browser.


@pytest.fixture
def page_of(browser, tmp_path):
    """Opens the experiment under a clock that stands still; the page must throw nothing and ask for nothing."""
    contexts, troubles, requests = [], [], []

    def opened(timed=False, **options):
        cueing().save(tmp_path / "cueing.html")
        contexts.append(browser.new_context(**{"viewport": {"width": 760, "height": 700}, **options}))
        page = contexts[-1].new_page()
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        if not timed and options.get("java_script_enabled", True):
            page.clock.install(time=0)
            page.goto((tmp_path / "cueing.html").as_uri())
            page.clock.pause_at(60_000)
        else:
            page.goto((tmp_path / "cueing.html").as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert troubles == []
    assert {urlsplit(url).path for url in requests if not url.startswith("data:text/csv")} == {
        (tmp_path / "cueing.html").as_posix()
    }


@pytest.fixture
def short(monkeypatch):
    """Two blocks of 12, no practice, and at most one repetition: what the tests of single trials need."""
    less = {"blocks": 2, "counts": {"valid": 6, "invalid": 4, "catch": 2}, "again": 1}
    none = {"practice": {"valid": 0, "invalid": 0, "catch": 0}}
    monkeypatch.setattr(_cueing, "SETTINGS", {**_cueing.SETTINGS, **less, **none})


NOW = """() => {
  const stage = document.querySelector(".cu-stage");
  if (!stage) return {phase: "over", shown: []};
  const names = ["boxes", "cross", "arrowleft", "arrowright", "left", "right"];
  const shown = [...stage.querySelectorAll("svg > *")].map(e => getComputedStyle(e).visibility === "visible");
  return {phase: stage.dataset.phase, shown: names.filter((_, i) => shown[i])};
}"""


def now(page):
    """What stands on the field: (phase, names of what can be seen)."""
    found = page.evaluate(NOW)
    return found["phase"], found["shown"]


def told(page):
    return page.locator(".cu-tell").inner_text()


def begin(page):
    """From the top of the page into the first trial, by keyboard alone."""
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Start with practice"
    page.keyboard.press("Enter")
    assert now(page)[0] == "pause"
    go_on(page)


def go_on(page):
    page.clock.run_for(650)
    page.keyboard.press("Space")


def until(page, *phases, step=16):
    while now(page)[0] not in phases:
        page.clock.run_for(step)
    return now(page)


def until_dot(page):
    """To the frame in which a dot is drawn, catch trials waited out."""
    while kind(until(page, "target")[1]) == "catch":
        page.clock.run_for(1600)


def kind(shown):
    """valid, invalid or catch, from what can be seen while a target could be."""
    cue = "left" if "arrowleft" in shown else "right"
    target = [side for side in ("left", "right") if side in shown]
    return "catch" if not target else "valid" if target == [cue] else "invalid"


def take(page, delay, step=96):
    """Take the experiment to its end: `delay(kind)` is the time to the key press, None for no answer."""
    while True:
        phase, shown = until(page, "pause", "target", "over", step=step)
        if phase == "over":
            return
        if phase == "pause":
            go_on(page)
            page.clock.run_for(1100)  # boxes, cross, and the shortest onset
            continue
        page.clock.run_for(32)
        wait = delay(kind(shown))
        page.clock.run_for(1600 if wait is None else wait)
        if wait is not None:
            page.keyboard.press("Space")
            page.clock.run_for(1100)


def saved(page):
    """The downloaded file as rows, by NumPy, as the chapter reads it."""
    with page.expect_download() as download:
        page.get_by_role("link", name="Download CSV").press("Enter")
    assert download.value.suggested_filename == "cueing.csv"
    text = download.value.path().read_text("utf-8")
    return text, np.atleast_1d(np.genfromtxt(StringIO(text), **READ))


def test_experiment_is_taken_by_the_keyboard_alone_and_analysed_as_in_python(page_of):
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
    assert seen == {"valid": 105, "invalid": 26, "catch": 12}  # practice and five blocks
    assert page.evaluate("document.activeElement.className") == "cu-verdict"

    text, rows = saved(page)
    assert text.startswith("trial,block,cue,target,validity,onset_ms,reaction_ms,outcome\n1,1,")
    assert list(rows["trial"]) == list(range(1, 136)) and Counter(rows["block"]) == dict.fromkeys(range(1, 6), 27)
    assert Counter(rows["outcome"]) == {"answered": 125, "withheld": 10}
    assert ((300 <= rows["onset_ms"]) & (rows["onset_ms"] < 817)).all()  # 800, and the frame that was waited for
    assert np.isnan(rows["reaction_ms"][rows["validity"] == "catch"]).all()
    times = [rows["reaction_ms"][rows["validity"] == kind] for kind in ("valid", "invalid")]
    assert [len(kind) for kind in times] == [100, 25] and times[0].max() < 400

    expected = [stats.quantile_test(kind, p=0.5).confidence_interval(0.95) for kind in times]
    expected = [(np.median(kind), interval.low, interval.high) for kind, interval in zip(times, expected, strict=True)]
    expected.append(_cueing.difference(*expected))
    cells = page.locator(".af-live .cu-table tr td:nth-child(2)").all_inner_texts()[-3:]
    found = [[int(number) for number in re.findall(r"\d+", cell)] for cell in cells]
    assert [numbers[3:] for numbers in found] == [[100], [25], []]
    assert np.allclose([numbers[:3] for numbers in found], expected, atol=0.501)
    assert expected[2][1] > 80  # the made delay was 120 ms
    gap, low, high = found[2]
    assert page.locator(".cu-verdict").inner_text() == (
        f"You answered {gap} ms sooner where the arrow was right (interval of the difference: {low} to {high} ms)."
    )
    assert page.locator(".cu-valid .cu-time").count() == 100 + len(
        _cueing.reaction_times(_cueing.simulated_reader())[0]
    )


def test_target_is_stamped_in_the_frame_after_it_was_drawn(page_of):
    page = page_of()
    begin(page)
    until_dot(page)
    page.clock.run_for(16)  # drawn in one frame, stamped in the next
    page.clock.run_for(250)
    page.keyboard.press("Space")
    assert now(page)[0] == "told"
    assert int(told(page).removesuffix(" milliseconds")) in range(234, 267)


def test_trial_shows_cross_arrow_and_target_one_after_the_other(page_of):
    page = page_of()
    begin(page)
    assert now(page) == ("empty", ["boxes"])
    assert until(page, "cross") == ("cross", ["boxes", "cross"])
    _, shown = until(page, "arrow")
    assert shown in (["boxes", "arrowleft"], ["boxes", "arrowright"])
    _, after = until(page, "target")
    assert after[:2] == shown and len(after) <= 3


def test_practice_tells_after_each_trial_and_is_not_kept(page_of):
    page = page_of()
    begin(page)
    heard = Counter()
    for number in range(1, 9):
        assert page.locator(".cu-where").inner_text() == f"Practice, trial {number} of 8"
        what = kind(until(page, "target", step=32)[1])
        page.clock.run_for(32 + (1600 if what == "catch" else 300))
        if what != "catch":
            page.keyboard.press("Space")
        heard[re.sub(r"\d+", "N", told(page))] += 1
        until(page, "empty", "pause", step=64)
    assert heard == {"N milliseconds": 6, "Right: no dot, no answer.": 2}
    assert told(page).startswith("That was the practice.")
    page.get_by_role("button", name="Stop").press("Enter")  # nothing was done that counts: back to the start
    assert page.get_by_role("button", name="Start with practice").is_visible()


def test_early_and_late_answers_are_told_repeated_once_and_kept_out(page_of, short):
    page = page_of()
    begin(page)  # an empty practice
    go_on(page)
    until(page, "arrow")
    page.keyboard.press("Space")
    assert told(page) == "Too early: wait for the dot. This trial comes again."
    until_dot(page)
    page.clock.run_for(1600)
    assert told(page) == "Too late: answer as soon as you see the dot. This trial comes again."
    until(page, "empty", step=32)
    assert page.locator(".cu-where").inner_text().endswith("of 14")  # 12, and the two again

    until_dot(page)
    page.clock.run_for(64)
    page.keyboard.press("Space")
    assert told(page).startswith("Too early")  # too quick to come from the target
    take(page, lambda kind: None if kind == "catch" else 300)
    _, rows = saved(page)
    outcomes = Counter(rows["outcome"])
    assert outcomes == {"answered": 20, "withheld": 4, "early": 2, "late": 1}
    early, late = rows[rows["outcome"] == "early"], rows[rows["outcome"] == "late"]
    assert early["reaction_ms"][0] < 0 < early["reaction_ms"][1] < 100 and np.isnan(late["reaction_ms"][0])
    assert list(rows["block"][:15]) == [1] * 15
    assert rows[["cue", "target"]][12] == rows[["cue", "target"]][0]
    assert (
        "Not in the medians: 2 too early, 1 too late or missing, 0 broken off." in page.locator(".af-live").inner_text()
    )


def test_a_trial_comes_again_only_as_often_as_set(page_of, short):
    page = page_of()
    begin(page)
    go_on(page)
    heard = []
    while until(page, "arrow", "pause", step=64)[0] == "arrow":  # always too early
        page.keyboard.press("Space")
        heard.append(told(page).endswith("comes again."))
    assert heard == [True] * 12 + [False] * 12
    assert told(page).startswith("Block 1 of 2 is done.")


def test_answer_without_a_target_is_a_false_alarm(page_of, short):
    page = page_of()
    begin(page)
    go_on(page)
    while kind(until(page, "target", step=32)[1]) != "catch":
        page.clock.run_for(250)
        page.keyboard.press("Space")
    page.clock.run_for(250)
    page.keyboard.press("Space")
    assert told(page) == "There was no dot: then do not answer."
    page.get_by_role("button", name="Stop").press("Enter")
    assert "Without a dot you answered 1 of 1 times." in page.locator(".af-live").inner_text()
    assert saved(page)[1]["outcome"][-1] == "false alarm"


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
    assert told(page).startswith("You turned away, so this trial does not count.")
    page.clock.run_for(5000)  # nothing goes on meanwhile
    assert now(page)[0] == "pause"
    if way == "tab key":
        page.keyboard.press("Shift+Tab")
    page.keyboard.press("Space")
    assert page.locator(".cu-where").inner_text() == "Block 1 of 2, trial 2 of 13"
    take(page, lambda kind: None if kind == "catch" else 300)
    _, rows = saved(page)
    assert rows["outcome"][0] == "left" and Counter(rows["outcome"]) == {"left": 1, "answered": 20, "withheld": 4}


def test_pause_waits_for_the_reader_and_not_for_an_answer_that_comes_late(page_of, short):
    page = page_of()
    begin(page)
    assert now(page)[0] == "pause"  # the practice was empty
    page.clock.run_for(500)
    page.keyboard.press("Space")
    assert now(page)[0] == "pause"
    page.clock.run_for(60_000)
    assert now(page)[0] == "pause"
    page.keyboard.press("Space")
    assert now(page)[0] == "empty"


def test_a_held_key_answers_once(page_of):
    page = page_of()
    begin(page)
    page.keyboard.down("Space")
    until(page, "target")
    page.clock.run_for(300)
    page.keyboard.down("Space")  # the key repeats
    assert now(page)[0] == "target"
    page.keyboard.up("Space")


def test_stopped_half_way_what_was_done_is_analysed(page_of):
    page = page_of()
    begin(page)
    take_blocks = Counter()

    def delay(kind):
        take_blocks[kind] += 1
        return None if kind == "catch" else 300 if kind == "valid" else 400

    while "Block 2 of 5 is done" not in (told(page) if now(page)[0] == "pause" else ""):
        phase, shown = until(page, "pause", "target", step=64)
        if phase == "pause":
            if "Block 2" not in told(page):
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
    assert re.match(r"You answered \d+ ms sooner where the arrow was right", page.locator(".cu-verdict").inner_text())
    assert len(saved(page)[1]) == 54
    page.get_by_role("button", name="Once more").press("Enter")
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
        r"Too few answers for a result: it takes 6 of each kind, and you gave 1 where the arrow was right and \d "
        r"where it was wrong\.", text)  # fmt: skip
    assert page.locator(".af-live .cu-table td:nth-child(2)").all_inner_texts()[-3:] == ["too few"] * 3
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
    assert told(page).startswith("Too early")
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
    page.locator(".cu-stage[data-phase=told]").wait_for()
    assert re.search(r"milliseconds|Too early|no dot", told(page))  # how quick this machine is does not matter


# The logic, through the handle that the script leaves on its element.


@pytest.fixture
def handle(page_of):
    page = page_of()
    return lambda code, data=None: page.evaluate(
        f"data => {{ const c = document.querySelector('.attn-cueing').cueing; return {code}; }}", data
    )


def test_schedule_has_four_valid_in_five_in_every_block(handle):
    plans = handle("Array.from({length: 40}, () => c.schedule())")
    for plan in plans:
        for number, block in enumerate(plan, start=1):
            assert Counter(trial["validity"] for trial in block) == {"valid": 20, "invalid": 5, "catch": 2}
            sides = Counter((trial["cue"], trial["target"]) for trial in block)
            assert sides["left", "left"] == sides["right", "right"] == 10
            assert sorted((sides["left", "right"], sides["right", "left"])) == [2, 3]
            assert sides["left", "none"] == sides["right", "none"] == 1
            assert {trial["block"] for trial in block} == {number}
    onsets = np.array([trial["onset"] for plan in plans for block in plan for trial in block])
    assert 300 <= onsets.min() < 305 and 795 < onsets.max() <= 800 and abs(onsets.mean() - 550) < 10
    first = [plan[0][0]["validity"] for plan in plans]
    assert first.count("valid") not in (0, 40)  # in random order


def test_judge(handle):
    cases = {
        ("valid", -200): "early", ("valid", 99.9): "early", ("valid", 100): "answered", ("invalid", 1499): "answered",
        ("invalid", 1500): "late", ("valid", None): "late", ("catch", None): "withheld", ("catch", 400): "false alarm",
        ("catch", -10): "early",
    }  # fmt: skip
    given = [[{"validity": validity}, reaction] for validity, reaction in cases]
    assert handle("data.map(one => c.judge(...one))", given) == list(cases.values())


def test_script_analyses_the_simulated_reader_as_python_does(handle):
    readers = [_cueing.simulated_reader(seed) for seed in range(5)]
    for trials, found in zip(readers, handle("data.map(one => c.analyse(one.map(c.unpack)))", readers), strict=True):
        times = _cueing.reaction_times(trials)
        valid, invalid = map(_cueing.median_interval, times)
        expected = {"valid": valid, "invalid": invalid, "difference": _cueing.difference(valid, invalid)}
        for name, interval in expected.items():
            assert [found[name][key] for key in ("median", "low", "high")] == pytest.approx(interval)
        assert [found["valid"]["n"], found["invalid"]["n"]] == [len(kind) for kind in times]


def test_script_gives_no_interval_below_six(handle):
    found = handle("data.map(c.median)", [list(range(count)) for count in (0, 1, 5, 6, 40)])
    assert [(one["n"], one["enough"]) for one in found] == [
        (0, False), (1, False), (5, False), (6, True), (40, True),
    ]  # fmt: skip


def test_csv_has_a_row_a_trial(handle):
    trial = {"block": 2, "cue": "left", "target": "right", "validity": "invalid", "onset": 512.34, "reaction": 400,
             "outcome": "answered"}  # fmt: skip
    missing = {**trial, "target": "none", "validity": "catch", "reaction": None, "outcome": "withheld"}
    assert handle("c.csv(data)", [trial, missing]) == (
        "trial,block,cue,target,validity,onset_ms,reaction_ms,outcome\n"
        "1,2,left,right,invalid,512.3,400.0,answered\n2,2,left,none,catch,512.3,,withheld\n"
    )


# The still form, paper, narrow pages, and readers who do not see.


def test_cueing_is_a_picture_and_a_table_without_scripts(page_of):
    page = page_of(java_script_enabled=False)
    assert page.get_by_role("img", name="One trial in three pictures").is_visible()
    assert page.get_by_text("The page takes your times, where scripts run.").is_visible()
    times = _cueing.reaction_times(_cueing.simulated_reader())
    for row, kind in enumerate(times, start=1):
        cells = page.get_by_role("row").nth(row).locator("td").all_inner_texts()
        interval = stats.quantile_test(kind, p=0.5).confidence_interval(0.95)
        assert cells == [f"{np.median(kind):.0f}", f"{interval.low:.0f} to {interval.high:.0f}", f"{len(kind)}"]
    assert page.get_by_role("table").is_visible()
    assert page.get_by_role("button").count() == 0 and not page.get_by_text("Run this cell").is_visible()


def test_cueing_on_paper_is_its_still_form_even_while_it_is_taken(page_of):
    page = page_of(color_scheme="dark")
    begin(page)
    assert not page.get_by_role("img", name="One trial").is_visible()
    page.emulate_media(media="print")
    page.get_by_role("table").wait_for()
    assert page.get_by_role("img", name="One trial").is_visible() and not page.locator(".cu-stage").is_visible()


def test_cueing_tells_readers_who_do_not_see_where_to_go(page_of):
    page = page_of()
    assert page.get_by_text("This is an experiment for the eyes. If you cannot see the field").is_visible()
    page.get_by_text("A simulated reader's result as a table").click()
    assert page.get_by_role("table", name="Simulated: median reaction time in milliseconds").is_visible()
    assert "assumptions" in page.locator("details").inner_text()
    begin_name = "Field of the experiment: press space when a dot appears"
    page.get_by_role("button", name="Start").click()
    assert page.get_by_role("application", name=begin_name).evaluate("e => e === document.activeElement")
    assert page.locator(".cu-tell").get_attribute("aria-live") == "polite"


def test_nothing_moves_or_flashes_but_the_target(page_of):
    page = page_of()
    begin(page)
    until(page, "target")
    assert page.evaluate("document.getAnimations().length") == 0
    styles = page.locator(".attn-cueing *").evaluate_all(
        "all => all.map(e => getComputedStyle(e)).map(s => [s.transitionDuration, s.animationName].join())"
    )
    assert set(styles) == {"0s,none"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_cueing_has_no_accessibility_violation_and_fits_a_narrow_page(page_of, short, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = page_of(timed=True, color_scheme=scheme, viewport={"width": 360, "height": 640})
    card = {"light": "rgb(251, 250, 246)", "dark": "rgb(28, 33, 40)"}[scheme]
    assert page.locator(".attn-cueing").evaluate("e => getComputedStyle(e).backgroundColor") == card

    def check(step):
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, step
        found = [
            (violation["id"], node["html"], node["failureSummary"])
            for violation in axe.run(page).response["violations"]
            for node in violation["nodes"]
            if violation["id"] != "page-has-heading-one"  # the page around a figure has that
        ]
        assert found == [], step

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
