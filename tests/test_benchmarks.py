"""The benchmarks run in their quick size, where times do not matter; what is computed
from times is checked by hand.
"""

import importlib.util
import json
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import ROOT

from benchmarks import (
    cases,
    compare,
    generation,
    machine,
    our_model,
    our_transformer,
    roofline,
    table,
    transformer,
)

LATEST = ROOT / "benchmarks" / "results" / "latest.json"
ROW = {
    "case": "c",
    "name": "an epoch of number words",
    "ratio": 0.8,
    "low": 0.7,
    "high": 0.95,
    "equal": True,
    "seconds": 2.5,
    "baseline_seconds": 0.0031,
    "baseline": "PyTorch",
    "threads": 2,
    "multiple_of_lower_bound": 1.9,
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


@pytest.mark.parametrize(
    "script, letters, of_torch",
    [("bench", "abcdefg", "cde"), ("transformer", "hi", "h")],
)
def test_quick_run_computes_the_same_as_the_baselines(
    tmp_path, script, letters, of_torch
):
    output = tmp_path / "found.json"
    command = ["-m", f"benchmarks.{script}", "--quick", "--output", output]
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads(output.read_text())
    without = set() if "torch" in report["versions"] else set(of_torch)
    assert {row["case"] for row in report["cases"]} == set(letters) - without
    assert [row["name"] for row in report["cases"] if not row["equal"]] == []
    for row in report["cases"]:
        # A tiny case that another process held up for long may round to 0.00.
        assert 0 <= row["low"] <= row["ratio"] <= row["high"]
        assert row["high"] > 0
        assert row["name"] in done.stdout
    assert report["machine"]["products_per_second"] > 1e8


def test_model_cases_run_without_pytorch(tmp_path):
    """With PyTorch, the quick run above compares what they compute."""
    cases_of_model = our_model.cases(tmp_path, 0, quick=True)
    (loss,) = cases_of_model["epoch"]()
    # An untrained model is about as good as guessing: log of 60 to 80 words.
    assert 3 < loss < 5
    texts = cases_of_model["batches"]()
    assert len(texts) == our_model.QUICK["test"]
    assert cases_of_model["one_by_one"]() == texts[: our_model.QUICK["one_by_one"]]
    assert (tmp_path / "epoch.weights.npz").exists()
    found = our_model.until_exact(tmp_path, 0, quick=True)
    assert found["seconds"] > 0 and len(found["exact"]) == 1


def test_first_loss_is_that_of_the_first_batch_and_leaves_the_weights():
    train, _, sizes = our_model.task(quick=True)
    model = our_model.new_model(0, train, sizes)
    before = [weight.copy() for weight in model.get_weights()]
    inputs, targets = model.batches(train)[0]
    plain = float(model.compute_loss(y=targets, y_pred=model(inputs)))
    assert our_model.first_loss(model, train) == pytest.approx(plain, rel=1e-5)
    for weight, kept in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, kept)


def test_first_loss_of_the_transformer_is_near_guessing(tmp_path):
    """With PyTorch, the quick run above compares it."""
    epochs = our_transformer.cases(tmp_path, 0, quick=True)
    assert list(epochs) == ["dates,16", "dates,32", "numbers,16", "numbers,32"]
    (loss,) = epochs["dates,16"]()
    assert 2 < loss < 4  # log of 14 words is 2.6
    assert epochs["dates,16"]() == [loss]  # that of the first epoch
    assert (tmp_path / "dates.weights.npz").exists()
    assert (tmp_path / "dates,16.batches.npz").exists()


def test_generation_without_a_cache_gives_the_same_tokens(tmp_path):
    runs, sizes = generation.cases(tmp_path, 0, quick=True), generation.QUICK
    (batch,) = runs["with,batch"]()
    assert batch.shape == (sizes["batch"], sizes["tokens"])
    assert not np.any(batch == 2)  # <end>
    np.testing.assert_array_equal(runs["without,batch"]()[0], batch)
    for how in ("with", "without"):
        single = runs[f"{how},single"]()
        np.testing.assert_array_equal(np.concatenate(single), batch[: len(single)])


def test_vocabulary_sizes_are_those_of_the_model():
    train, _, sizes = our_model.task(quick=True)
    model = our_model.new_model(0, train, sizes)
    assert our_model.vocabulary_sizes(train) == [
        len(model.source_vocabulary),
        len(model.target_vocabulary),
    ]


def test_baseline_needs_no_tensorflow():
    """PyTorch may be in another environment, without TensorFlow and attnlib."""
    modules = ["worker", "our_model", "our_transformer"]
    if importlib.util.find_spec("torch"):
        modules += ["torch_cases", "torch_model", "torch_transformer"]
    code = (
        "import sys; sys.modules |= dict.fromkeys(('tensorflow', 'keras'));"
        f" from benchmarks import {', '.join(modules)};"
        " from attnlib import vocabulary; print(len(our_model.task(True)[0]))"
    )
    assert compare.output_of(sys.executable, "-c", code) == "120"


def test_output_of_names_the_command_that_failed():
    with pytest.raises(RuntimeError, match="-c 1 / 0 failed:\n(.|\n)*ZeroDivision"):
        compare.output_of(sys.executable, "-c", "1 / 0")


def test_latest_results_are_complete():
    report = json.loads(LATEST.read_text("utf-8"))
    assert {row["case"] for row in report["cases"]} == set("abcdefg")
    assert not report["quick"]
    # A training of (d) may end before it reaches the target; the page then says so. The
    # other cases compute the same.
    assert all(row["equal"] for row in report["cases"] if row["case"] != "d")


def test_results_of_the_transformer_are_complete():
    report = json.loads(transformer.RESULTS.read_text("utf-8"))
    assert not report["quick"] and all(row["equal"] for row in report["cases"])
    names = [row["name"] for row in report["cases"]]
    assert names == [
        *[f"an epoch of {task}, batches of {size}" for task in
          ("dates", "number words") for size in our_transformer.FULL["batch_sizes"]],
        "generation of 60 tokens, a batch of 128",
        "generation of 60 tokens, one sentence at a time",
    ]  # fmt: skip
    with_cache = report["cases"][-2]
    assert with_cache["ratio"] <= 1 / 3 and table.target(with_cache) == 0.333


def test_sentences_on_the_transformer_give_the_range_and_the_gain():
    row = {"case": "h", "ratio": 1.25}
    faster = {"case": "h", "ratio": 0.804}
    batch, single = {"case": "i", "ratio": 0.125}, {"case": "i", "ratio": 0.5}
    epoch, cache = table.of_transformer({"cases": [row, faster, batch, single]})
    assert "takes 0.80 to 1.25 times as long" in epoch and "PyTorch" in epoch
    assert "8.0 times as fast" in cache and "2.0 times as fast for one" in cache
    assert table.of_transformer({"cases": [batch, single]}) == [cache]


def test_ratio_is_the_median_of_rounds_with_quartiles():
    # 1/1, 2/1, 6/2, 4/1, 5/1: 1 … 5
    found = compare.ratio([1, 2, 6, 4, 5], [1, 1, 2, 1, 1])
    assert found == {"ratio": 3, "low": 2, "high": 4}
    assert compare.ratio([3], [2]) == {"ratio": 1.5, "low": 1.5, "high": 1.5}


def test_better_baseline_has_the_smaller_median():
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


def test_workers_run_in_turn_and_a_slower_baseline_drops_out():
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


def test_roofline_by_hand():
    # dot, 1 sentence, 2 queries, 3 keys, width 4: scores 2·3·4·2 = 48, context 48,
    # softmax 4 per score: 24
    assert roofline.layer("dot", "forward", 1, 2, 3, 4) == {
        "operations": 120,
        "bytes": 4 * 4 * (2 * 2 + 3),
    }
    assert roofline.layer("dot", "gradients", 1, 2, 3, 4)["operations"] == 360
    # general projects the two queries too: 2·2·4·4
    assert roofline.layer("general", "forward", 1, 2, 3, 4)["operations"] == 184
    # one word into one word and <end>, units 2, embedding 1, 4 words: encoder
    # 2·(2·3·1·2 + 12) = 48 and key 8; two steps of cell 2·3·2·5 + 24, query 8, readout
    # 2·5·4 + 16; two pairs of tokens at 4·2 + 2·2 + 4
    pairs = [(["a"], ["b"])]
    expected = 48 + 8 + 2 * (84 + 8 + 56) + 2 * 16
    assert roofline.model(pairs, 4, 4, 2, 1, training=False)["operations"] == expected
    assert roofline.model(pairs, 4, 4, 2, 1)["operations"] == 3 * expected
    bound = {"operations": 6, "bytes": 8}
    assert (
        roofline.seconds(bound, {"products_per_second": 2, "bytes_per_second": 4}) == 3
    )
    assert (
        roofline.seconds(bound, {"products_per_second": 6, "bytes_per_second": 4}) == 2
    )


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
    assert "200 billion operations per second" in table.as_text(REPORT)
    assert "memory 30 GB per second" in table.as_text(REPORT)


def test_page_names_the_sizes_that_are_measured():
    page = " ".join((ROOT / "book" / "speed.md").read_text("utf-8").split())
    full = our_model.FULL
    for said in (
        f"{full['pairs']:,} pairs",
        f"{full['target_exact_match']:.0%}",
        f"of {full['test']} held-out",
    ):
        assert said in page
    assert f"{our_transformer.FULL['pairs']:,} pairs" in page
    assert f"generates {generation.FULL['tokens']} tokens" in page
    assert f"with {['no', 'one', 'two', 'three'][cases.SEEDS]} seeds" in page


def test_page_shows_every_row():
    from book._ext import benchmark_table

    said, brief, _, shown, _ = benchmark_table.as_nodes(REPORT)
    assert "2026-01-02" in said.astext() and "Some" in said.astext()
    for found, head, cells in (
        (brief, table.BRIEF_HEAD, table.brief_cells),
        (shown, table.HEAD, table.cells),
    ):
        texts = [
            entry.astext().replace("\N{NO-BREAK SPACE}", " ")
            for entry in found.findall(lambda node: node.tagname == "entry")
        ]
        assert texts == [*head, *cells(REPORT["cases"][0]), *cells(REPORT["cases"][1])]


def test_page_keeps_units_at_their_numbers():
    from book._ext import benchmark_table

    _, brief, *_ = benchmark_table.as_nodes(REPORT)
    row = list(brief.findall(lambda node: node.tagname == "row"))[1]
    assert [entry.astext() for entry in row] == [
        "(c) an epoch of number words",
        "2.50\N{NO-BREAK SPACE}s",
        "3.1\N{NO-BREAK SPACE}ms (PyTorch, 2\N{NO-BREAK SPACE}threads)",
        "0.80",
    ]
