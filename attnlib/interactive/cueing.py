"""A cueing experiment after Posner (1980) that the reader takes, beside a simulated
reader.
"""

from math import comb, hypot

import numpy as np

from attnlib.interactive.frame import Figure

# Milliseconds and numbers of trials. A block has both sides alike, and the arrow right
# in exactly 4 of 5 targets.
SETTINGS = {
    "blocks": 5,
    "counts": {"valid": 20, "invalid": 5, "catch": 2},
    "practice": {"valid": 5, "invalid": 1, "catch": 2},
    "onset": [300, 800],  # from arrow to target, uniform
    "early": 100,  # a quicker answer was on its way before the target
    "late": 1500,
    "again": (
        2
        # so often a trial comes again that was answered too early or too late, or broken
        # off
    ),
    "waits": {"empty": 300, "cross": 500, "told": 900, "pause": 600},
}
ABOUT = (
    "The simulated reader is a program, not a person. Like the observer of this chapter"
    " it puts 0.8 of its weight on the box that the arrow points to and 0.2 on the"
    " other, and what it sees gathers at a pace of √(2w) until it answers. Its pace,"
    " its noise and its slips are assumptions, so the size of its difference tells"
    " nothing about people."
)
INTERVAL = (
    "The interval of a median reaches from the k-th fastest to the k-th slowest answer,"
    " with k such that at least 95 of 100 such intervals hold the true median; that of"
    " the difference joins the two like the sides of a right angle."
)
BOX = (
    "display:inline-block;box-sizing:border-box;width:1.5em;height:1.5em;line-height:1.3;border:2px"
    " solid"
)


def cueing():
    """The experiment: a central arrow, then a dot in one of two boxes; the reader
    presses one key on seeing it.

    One key for both boxes (detection) and not a key for each side: with two, an arrow
    would also prepare a hand, and the difference between valid and invalid trials would
    hold both. The price is that one may answer without having seen, hence the random
    onset and the catch trials without a target.

    A reader's median has the order-statistic interval of `median_interval`, the
    difference that of `difference`; the simulated reader's trials pass the same
    analysis in the page. Returns a `Figure`, which a notebook shows.
    """
    trials = simulated_reader()
    return Figure(
        "cueing",
        "A cueing experiment to take",
        _still(trials),
        {
            "settings": SETTINGS,
            "simulated": trials,
            "minutes": minutes(),
            "about": f"{ABOUT} {INTERVAL}",
        },
    )


def simulated_reader(seed=0, share=0.8):
    """Trials of an observer with a budget: list of [block, cue, target, onset,
    reaction]; sides are -1 and 1.

    At a box of weight w (`share` where the arrow points, 1 - share at the other)
    evidence gathers with a drift in proportion to (2w)^(1/2) until it passes a
    threshold, so that the time it takes is inverse Gaussian; 250 ms go to sensing and
    pressing. One trial in 50 is answered before the target; one catch trial (target 0)
    in 10 is answered although nothing comes. onset is in ms from the arrow, reaction in
    ms from the target, None without an answer. All these numbers are assumptions, and
    none is a measurement.
    """
    rng = np.random.default_rng(seed)
    trials = []
    for block in range(1, SETTINGS["blocks"] + 1):
        kinds = [
            kind for kind, count in SETTINGS["counts"].items() for _ in range(count)
        ]
        for place in rng.permutation(len(kinds)):
            cue = 1 if (place + block) % 2 else -1
            target = {"valid": cue, "invalid": -cue, "catch": 0}[kinds[place]]
            onset = rng.uniform(*SETTINGS["onset"])
            weight = share if target == cue else 1 - share
            reaction = 250 + rng.wald(mean=100 / (2 * weight) ** 0.5, scale=500)
            slip = rng.uniform()
            if slip < 0.02:
                reaction = rng.uniform(-onset, 0)
            elif target == 0 and slip > 0.1:
                reaction = None
            trials.append(
                [
                    block,
                    cue,
                    target,
                    round(onset),
                    None if reaction is None else round(reaction, 1),
                ]
            )
    return trials


def reaction_times(trials):
    """Reaction times (valid, invalid) of trials as `simulated_reader` gives them, of
    those answered in time alone.
    """
    early, late = SETTINGS["early"], SETTINGS["late"]
    answered = [
        t for t in trials if t[2] != 0 and t[4] is not None and early <= t[4] < late
    ]
    return [t[4] for t in answered if t[1] == t[2]], [
        t[4] for t in answered if t[1] != t[2]
    ]


def median_interval(times):
    """(median, low, high): the median and an interval that holds the true one at least
    95 times in 100.

    low is the k-th smallest of the n times and high the k-th largest, k the largest
    with P(fewer than k heads in n tosses of a coin) <= 1/40. That holds for every
    continuous distribution. ValueError for fewer than 6 times.
    """
    times = np.sort(times)
    n = len(times)
    if n < 6:
        raise ValueError(f"an interval of the median needs 6 times or more, got {n}")
    k, ways = 0, 1  # ways: how often at most k heads come in 2^n series of tosses
    while 40 * ways <= 2**n:
        k += 1
        ways += comb(n, k)
    return float(np.median(times)), float(times[k - 1]), float(times[n - k])


def difference(valid, invalid):
    """(difference, low, high) of two medians, invalid less valid, from their (median,
    low, high).

    The half-widths that matter at each end are joined like the sides of a right angle:
    low lies below the difference by sqrt((invalid - its low)^2 + (valid's high -
    valid)^2), and high above it by the other two (Zou and Donner 2008, Statistics in
    Medicine 27, 1693-1702).
    """
    (middle, low, high), (other, other_low, other_high) = valid, invalid
    gap = other - middle
    return (
        gap,
        gap - hypot(other - other_low, high - middle),
        gap + hypot(other_high - other, middle - low),
    )


def minutes():
    """How long the experiment takes, pauses aside and answers given after 400 ms;
    rounded up.
    """
    waits, onset, (valid, invalid, catch) = (
        SETTINGS["waits"],
        np.mean(SETTINGS["onset"]),
        SETTINGS["counts"].values(),
    )
    before = waits["empty"] + waits["cross"] + onset
    block = (valid + invalid) * (before + 400) + catch * (before + SETTINGS["late"])
    practice = sum(SETTINGS["practice"].values()) * (before + 400 + waits["told"])
    return int(np.ceil((SETTINGS["blocks"] * block + practice) / 60_000))


def _still(trials):
    """Three pictures of a trial, and the simulated reader's table, which the script
    folds.
    """
    pictures = "".join(
        '<div style="flex:1 1 9rem;border:1px'
        ' solid;border-radius:.4rem;padding:.6rem;text-align:center"><div'
        ' style="display:flex;justify-content:space-between;font-size:1.3rem"><span'
        f' style="{BOX}">{left}</span><span>{middle}</span><span'
        f' style="{BOX}">{right}</span></div><div>{name}</div></div>'
        for left, middle, right, name in (
            ("", "+", "", "Look at the cross"),
            ("", "→", "", "An arrow appears"),
            ("", "→", "●", "A dot: press space"),
        )
    )
    times = reaction_times(trials)
    valid, invalid = map(median_interval, times)
    rows = "".join(
        f"<tr><th scope=row>{name}<td>{middle:.0f}<td>{low:.0f} to"
        f" {high:.0f}<td>{count}"
        for name, (middle, low, high), count in (
            ("arrow right", valid, len(times[0])),
            ("arrow wrong", invalid, len(times[1])),
            ("difference", difference(valid, invalid), ""),
        )
    )
    return (
        '<div class="cu-panels" role="img" aria-label="One trial in three pictures: a'
        " cross between two boxes; an arrow in its place that points to the right; a"
        ' dot in the right box, on which the reader presses the space bar."'
        ' style="margin-bottom:.6rem"><div'
        f' style="display:flex;flex-wrap:wrap;gap:.5rem">{pictures}</div></div><p'
        ' class="af-paper">An arrow points to one of two boxes, and 300 to 800'
        " milliseconds later a dot appears in one of them: 4 times in 5 where the"
        " arrow points. How soon do you see it? The page takes your times, where"
        " scripts run.</p><details open><summary>A simulated reader's result as a"
        ' table</summary><table class="cu-table"><caption>Simulated: median reaction'
        " time in milliseconds</caption><tr><td><th scope=col>median<th scope=col>95 %"
        f' interval<th scope=col>answers{rows}</table><p class="cu-small">{ABOUT}'
        f" {INTERVAL}</p></details>"
    )
