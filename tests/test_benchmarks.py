"""The benchmarks run in their quick size, whose times are no matter; what is computed
from times is.
"""

import json
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))
sys.path.insert(0, str(ROOT / "book" / "_ext"))
import cases  # noqa: E402
import compare  # noqa: E402
import limits  # noqa: E402
import machine  # noqa: E402
import our_model  # noqa: E402
import table  # noqa: E402

LATEST = ROOT / "benchmarks" / "results" / "latest.json"
ROW = {
    "case": "c",
    "name": "an epoch of number words",
    "ratio": 0.8,
    "low": 0.7,
    "high": 0.95,
    "equal": True,
    "seconds": 2.5,
    "peer_seconds": 0.0031,
    "peer": "PyTorch",
    "threads": 2,
    "times_the_limit": 1.9,
}
REPORT = {
    "date": "2026-01-02",
    "busy": False,
    "cores_used_by_others": 0.1,
    "seconds": 9,
    "versions": {"keras": "3"},
    "machine": {
        "processor": "Some",
        "cores": 2,
        "system": "Linux",
        "products_per_second": 2e11,
        "bytes_per_second": 3e10,
    },
    "cases": [ROW, {**ROW, "ratio": 0.91, "equal": False}],
}


def test_quick_run_computes_the_same_as_the_peers(tmp_path):
    output = tmp_path / "found.json"
    command = [
        sys.executable,
        ROOT / "benchmarks" / "bench.py",
        "--quick",
        "--output",
        output,
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=600, env=compare.environment()
    )
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads(output.read_text())
    with_torch = "torch" in report["versions"]
    assert {row["case"] for row in report["cases"]} == set(
        "abcdefg" if with_torch else "abfg"
    )
    assert [row["name"] for row in report["cases"] if not row["equal"]] == []
    for row in report["cases"]:
        assert 0 < row["low"] <= row["ratio"] <= row["high"]
        assert row["name"] in done.stdout
    assert report["machine"]["products_per_second"] > 1e8


def test_latest_results_are_whole():
    report = json.loads(LATEST.read_text("utf-8"))
    assert {row["case"] for row in report["cases"]} == set("abcdefg")
    assert not report["quick"]
    # A training of (d) may end before it is right often enough; the page then says so.
    # The rest computes the same.
    assert all(row["equal"] for row in report["cases"] if row["case"] != "d")


def test_ratio_is_the_median_of_rounds_with_quartiles():
    # 1/1, 2/1, 6/2, 4/1, 5/1: 1 … 5
    found = compare.ratio([1, 2, 6, 4, 5], [1, 1, 2, 1, 1])
    assert found == {"ratio": 3, "low": 2, "high": 4}
    assert compare.ratio([3], [2]) == {"ratio": 1.5, "low": 1.5, "high": 1.5}


def test_better_peer_has_the_smaller_median():
    assert compare.better([[2, 2, 9], [1, 3, 3]]) == (0, [2, 2, 9])
    assert compare.better([[4, 4, 1], [1, 3, 3]]) == (1, [1, 3, 3])
    assert compare.better([[1, 1], [2, 3, 3]]) == (1, [2, 3, 3])


class Clock:
    """Stands for a worker: its runs take what `seconds` says, one after the other."""

    def __init__(self, *seconds):
        self.seconds, self.repeats = list(seconds), []

    def run(self, name, repeats=1):
        self.repeats.append(repeats)
        return self.seconds.pop(0)


def test_workers_run_in_turn_and_a_slower_peer_goes_out():
    ours, one, two = (
        Clock(9, 0.05, 1, 2, 3, 4),
        Clock(9, 0.01, 5, 6, 1, 1),
        Clock(9, 0.2, 7, 8),
    )
    found, theirs = compare.in_turn("x", ours, [one, two], 4)
    assert found == [1, 2, 3, 4] and theirs == [[5, 6, 1, 1], [7, 8]]
    assert (ours.repeats, one.repeats, two.repeats) == (
        [1, 1, 2, 2, 2, 2],
        [1, 1, 10, 10, 10, 10],
        [1, 1, 1, 1],
    )
    assert compare.better(theirs) == (0, [5, 6, 1, 1])
    ours, one, two = (
        Clock(1, 2, 3),
        Clock(5, 7, 9),
        Clock(6, 4, 8),
    )  # neither is clearly slower
    assert compare.in_turn("x", ours, [one, two], 3, warm=True) == (
        [1, 2, 3],
        [[5, 7, 9], [6, 4, 8]],
    )
    assert ours.repeats == [1, 1, 1]
    assert compare.in_turn("x", Clock(1, 2, 3), [], 3, warm=True) == ([1, 2, 3], [])


@pytest.mark.parametrize(
    "theirs, same",
    [
        ([np.array([1.0, 2.0]), np.array("a b")], True),
        ([np.array([1.0, 2.0001]), np.array("a b")], True),
        ([np.array([1.0, 2.001]), np.array("a b")], False),
        ([np.array([1.0, np.nan]), np.array("a b")], False),
        ([np.array([1.0, 2.0]), np.array("a c")], False),
        ([np.array([1.0]), np.array("a b")], False),
        ([np.array([1.0, 2.0])], False),
    ],
)
def test_equal_tells_numbers_and_words_apart(theirs, same):
    assert compare.equal([np.array([1.0, 2.0]), np.array("a b")], theirs) is same


def test_limits_by_hand():
    # dot, 1 sentence, 2 queries, 3 keys, width 4: scores 2·3·4·2 = 48, context 48,
    # softmax 4 a score: 24
    assert limits.layer("dot", "forward", 1, 2, 3, 4) == {
        "operations": 120,
        "bytes": 4 * 4 * (2 * 2 + 3),
    }
    assert limits.layer("dot", "gradients", 1, 2, 3, 4)["operations"] == 360
    # general projects the two queries besides: 2·2·4·4
    assert limits.layer("general", "forward", 1, 2, 3, 4)["operations"] == 184
    # one word into one word and <end>, units 2, embedding 1, 4 words: encoder
    # 2·(2·3·1·2 + 12) = 48 and key 8; two steps of cell 2·3·2·5 + 24, query 8, readout
    # 2·5·4 + 16; two pairs of tokens at 4·2 + 2·2 + 4
    pairs = [(["a"], ["b"])]
    expected = 48 + 8 + 2 * (84 + 8 + 56) + 2 * 16
    assert limits.model(pairs, 4, 4, 2, 1, training=False)["operations"] == expected
    assert limits.model(pairs, 4, 4, 2, 1)["operations"] == 3 * expected
    least = {"operations": 6, "bytes": 8}
    assert limits.seconds(least, {"products_per_second": 2, "bytes_per_second": 4}) == 3
    assert limits.seconds(least, {"products_per_second": 6, "bytes_per_second": 4}) == 2


def test_load_counts_what_others_use():
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        load = machine.Load()

        time.sleep(1.5)
        others = load.others()
    finally:
        busy.kill()
        busy.wait()
    if sys.platform == "linux":
        assert others > machine.BUSY
    else:
        assert others is None


def test_table_tells_what_was_missed_and_what_differs():
    first, second = map(table.cells, REPORT["cases"])
    assert first == (
        "(c) an epoch of number words",
        "0.80",
        "0.70 to 0.95",
        "≤ 0.9",
        "2.50 s",
        "PyTorch, 2 threads",
        "3.1 ms",
        "1.9",
        "yes",
    )
    assert second[3] == "≤ 0.9, missed" and second[-1] == "no"
    assert table.cells({**ROW, "ratio": 0.00042, "low": 0.004, "high": 0.01})[1:3] == (
        "0.0004",
        "0.004 to 0.01",
    )
    assert "busy" not in table.as_text(REPORT)
    assert "Not measured in this run: a, b, d, e, f, g." in table.as_text(REPORT)
    assert "The machine was busy" in table.as_text({**REPORT, "busy": True})
    assert "200 billion operations a second" in table.as_text(REPORT)


def test_page_names_the_sizes_that_are_measured():
    page = " ".join((ROOT / "book" / "speed.md").read_text("utf-8").split())
    full = our_model.FULL
    for said in (
        f"{full['pairs']:,} pairs",
        f"{full['aim']:.0%}".replace("%", " %"),
        f"of {full['test']} unseen",
    ):
        assert said in page
    assert f"with {['no', 'one', 'two', 'three'][cases.SEEDS]} seeds" in page


def test_page_shows_every_row():
    import speed

    said, shown = speed.as_nodes(REPORT)
    assert "2026-01-02" in said.astext() and "Some" in said.astext()
    assert [
        entry.astext() for entry in shown.findall(lambda node: node.tagname == "entry")
    ] == [
        *table.HEAD,
        *table.cells(REPORT["cases"][0]),
        *table.cells(REPORT["cases"][1]),
    ]
