"""A cueing experiment after Posner (1980), which the reader takes beside a simulated
reader, as an interactive figure.
"""

from math import comb, hypot

import numpy as np

from attnlib.interactive.frame import Figure

# Times in milliseconds, and numbers of trials. In a block both sides get the same
# number of trials, and the arrow is valid for exactly 4 of 5 targets.
SETTINGS = {
    "blocks": 5,
    "counts": {"valid": 20, "invalid": 5, "catch": 2},
    "practice": {"valid": 5, "invalid": 1, "catch": 2},
    "onset": [300, 800],  # from arrow to target, uniform
    "early": 100,  # a faster answer was on its way before the target
    "late": 1500,
    "repeats": 2,  # at most, of a trial that was early, late, or interrupted
    "waits": {"empty": 300, "cross": 500, "feedback": 900, "pause": 600},
}
ABOUT = (
    "The simulated reader is a program, not a person. Like the observer of this"
    " chapter, it puts 0.8 of its weight on the box that the arrow points to and 0.2 on"
    " the other, and it accumulates evidence at a rate of √(2w) until it answers. Its"
    " rate, its noise, and its lapses are assumptions, so the size of its difference"
    " says nothing about people."
)
INTERVAL = (
    "The interval of a median runs from the k-th fastest to the k-th slowest answer,"
    " where k is chosen so that at least 95 of 100 such intervals contain the true"
    " median; the interval of the difference combines the two in quadrature."
)


def cueing():
    r"""The cueing experiment: an arrow, then a dot, then a key press.

    The central arrow points to one of two boxes, and the dot appears in one of them;
    the reader presses one key on seeing it. There is one key for both boxes
    (detection), not one key per side: with two keys, an arrow would also prepare a
    hand, and the difference between valid and invalid trials would include both
    effects. The price is that a reader could answer without having seen the dot, hence
    the random onset and the catch trials without a target.

    From the :math:`n` sorted reaction times :math:`x_{(1)} \le \dots \le x_{(n)}` of
    one kind, the page shows the median and the interval

    .. math::

       [x_{(k)}, x_{(n + 1 - k)}], \qquad
       k = \max \Big\{ m : \sum_{i < m} \binom{n}{i} 2^{-n} \le \tfrac{1}{40} \Big\}.

    Returns
    -------
    Figure
        What a notebook displays. The reader's trials and those of the simulated reader
        pass through the same analysis, ``median_interval`` and ``difference`` of this
        module, written in JavaScript.

    Notes
    -----
    Posner (1980), Quarterly Journal of Experimental Psychology 32, 3–25.
    """
    trials = simulated_reader()
    data = {
        "settings": SETTINGS,
        "simulated": trials,
        "minutes": minutes(),
        "about": f"{ABOUT} {INTERVAL}",
        "table": _rows(trials),
    }
    fallback = _fallback(data["table"])
    return Figure("cueing", "A cueing experiment to take", fallback, data)


def simulated_reader(seed=0, share=0.8):
    r"""Trials of an observer with a budget of attention.

    At a box of weight :math:`w`, evidence accumulates with a drift proportional to
    :math:`(2w)^{1/2}` until it passes a threshold, so the time :math:`x` it takes is
    inverse Gaussian,

    .. math:: x \sim \mathrm{IG}\big(100 / (2w)^{1/2}, \, 500\big) \text{ ms},

    and another 250 ms go to sensing and pressing. One trial in 50 is answered before
    the target; one catch trial in 10 is answered although no target comes. All these
    numbers are assumptions, and none is a measurement.

    Parameters
    ----------
    seed : int
        Seed of the random numbers.
    share : float
        Weight of the box that the arrow points to; the other one gets 1 - share.

    Returns
    -------
    list of [block, cue, target, onset, reaction]
        Sides are -1 and 1, and target 0 is a catch trial. Onsets are in ms from the
        arrow; reactions are in ms from the target, None without an answer.
    """
    rng = np.random.default_rng(seed)
    trials = []
    for block in range(1, SETTINGS["blocks"] + 1):
        kinds = [kind for kind, n in SETTINGS["counts"].items() for _ in range(n)]
        for index in rng.permutation(len(kinds)):
            cue = 1 if (index + block) % 2 else -1
            target = {"valid": cue, "invalid": -cue, "catch": 0}[kinds[index]]
            onset = rng.uniform(*SETTINGS["onset"])
            weight = share if target == cue else 1 - share
            reaction = 250 + rng.wald(mean=100 / (2 * weight) ** 0.5, scale=500)
            lapse = rng.uniform()
            if lapse < 0.02:
                reaction = rng.uniform(-onset, 0)
            elif target == 0 and lapse > 0.1:
                reaction = None
            if reaction is not None:
                reaction = round(reaction, 1)
            trials.append([block, cue, target, round(onset), reaction])
    return trials


def reaction_times(trials):
    """Reaction times (valid, invalid) of the trials answered in time, from trials as
    ``simulated_reader`` returns them.
    """
    valid, invalid = [], []
    for _, cue, target, _, reaction in trials:
        if target == 0 or reaction is None:
            continue
        if SETTINGS["early"] <= reaction < SETTINGS["late"]:
            (valid if target == cue else invalid).append(reaction)
    return valid, invalid


def median_interval(times):
    """(median, low, high): the median and an interval that contains the true one at
    least 95 times in 100.

    low is the k-th smallest of the n times and high the k-th largest, where k is the
    largest with P(fewer than k heads in n tosses of a coin) <= 1/40. That holds for
    every continuous distribution. ValueError for fewer than 6 times.
    """
    times = np.sort(times)
    n = len(times)
    if n < 6:
        raise ValueError(f"times should hold 6 or more reaction times, got {n}")
    k, ways = 0, 1  # ways: of the 2^n sequences of tosses, those with at most k heads
    while 40 * ways <= 2**n:
        k += 1
        ways += comb(n, k)
    return float(np.median(times)), float(times[k - 1]), float(times[n - k])


def difference(valid, invalid):
    """(difference, low, high) of two medians, invalid minus valid, from their (median,
    low, high).

    The half-widths that matter at each end are combined in quadrature: low lies below
    the difference by sqrt((invalid - its low)^2 + (valid's high - valid)^2), and high
    above it by the other two (Zou and Donner 2008, Statistics in Medicine 27,
    1693-1702).
    """
    valid_median, valid_low, valid_high = valid
    invalid_median, invalid_low, invalid_high = invalid
    gap = invalid_median - valid_median
    below = hypot(invalid_median - invalid_low, valid_high - valid_median)
    above = hypot(invalid_high - invalid_median, valid_median - valid_low)
    return gap, gap - below, gap + above


def minutes():
    """How many minutes the experiment takes, without pauses and if every answer comes
    after 400 ms; rounded up.
    """
    waits = SETTINGS["waits"]
    valid, invalid, catch = SETTINGS["counts"].values()
    before = waits["empty"] + waits["cross"] + np.mean(SETTINGS["onset"])
    block = (valid + invalid) * (before + 400) + catch * (before + SETTINGS["late"])
    practice_trials = sum(SETTINGS["practice"].values())
    practice = practice_trials * (before + 400 + waits["feedback"])
    return int(np.ceil((SETTINGS["blocks"] * block + practice) / 60_000))


def _fallback(rows):
    """The static fallback: three pictures of a trial, and the simulated reader's
    table, which the script folds.
    """
    panels = (
        _panel("", "+", "", "Look at the cross"),
        _panel("", "→", "", "An arrow appears"),
        _panel("", "→", "●", "A dot: press space"),
    )
    return (
        '<div class="cu-panels" role="img" style="margin-bottom:.6rem"'
        ' aria-label="One trial in three pictures: a cross between two boxes; in place'
        " of the cross, an arrow that points to the right; a dot in the right box, at"
        ' which the reader presses the space bar.">'
        f'<div style="display:flex;flex-wrap:wrap;gap:.5rem">{"".join(panels)}</div>'
        "</div>"
        '<p class="af-paper">An arrow points to one of two boxes, and 300 to 800'
        " milliseconds later a dot appears in one of them: 4 times in 5 where the arrow"
        " points. How soon do you see it? The page measures your times where scripts"
        " run.</p>"
        "<details open><summary>A simulated reader's result as a table</summary>"
        f"{_table(rows)}"
        f'<p class="cu-small">{ABOUT} {INTERVAL}</p></details>'
    )


def _panel(left, middle, right, caption):
    """One picture of a trial: what is in the two boxes and between them."""
    box = (
        "display:inline-block;box-sizing:border-box;width:1.5em;height:1.5em;"
        "line-height:1.3;border:2px solid"
    )
    frame = (
        "flex:1 1 9rem;border:1px solid;border-radius:.4rem;padding:.6rem;"
        "text-align:center"
    )
    row = "display:flex;justify-content:space-between;font-size:1.3rem"
    return (
        f'<div style="{frame}"><div style="{row}"><span style="{box}">{left}</span>'
        f'<span>{middle}</span><span style="{box}">{right}</span></div>'
        f"<div>{caption}</div></div>"
    )


def _rows(trials):
    """The medians of trials, and how sure they are: the rows of the table, as texts."""
    times = reaction_times(trials)
    valid, invalid = map(median_interval, times)
    results = (
        ("valid cue", valid, len(times[0])),
        ("invalid cue", invalid, len(times[1])),
        ("difference", difference(valid, invalid), ""),
    )
    return [
        [name, f"{median:.0f}", f"{low:.0f} to {high:.0f}", str(count)]
        for name, (median, low, high), count in results
    ]


def _table(rows):
    """The rows as HTML."""
    rows = "".join(
        f"<tr><th scope=row>{name}{''.join(f'<td>{cell}' for cell in cells)}"
        for name, *cells in rows
    )
    return (
        '<table class="cu-table">'
        "<caption>Simulated: median reaction time in milliseconds</caption>"
        "<tr><td><th scope=col>median<th scope=col>95% interval<th scope=col>answers"
        f"{rows}</table>"
    )
