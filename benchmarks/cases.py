"""The cases, by letter: each takes a `Run` and returns rows of the table."""

import contextlib
import json
import statistics
import sys
from pathlib import Path
from typing import NamedTuple

from benchmarks import local_attention, machine, our_layers, our_model, roofline
from benchmarks.compare import Worker, better, equal, in_turn, output_of, ratio

LETTERS = "abcdefg"
SEEDS = 2  # of the trainings of (d)
THREADS = (1, 2)  # that each baseline runs with


class Run(NamedTuple):
    """What the cases of one run share."""

    folder: Path
    quick: bool
    machine: dict
    torch: str | None  # a Python that has PyTorch
    memory: dict  # {(what, whose): megabytes}, which the other cases leave for (g)

    def rounds(self, full, quick):
        return quick if self.quick else full

    def row(
        self, case, name, baseline, ours, theirs, same, lower_bound=None, **further
    ):
        """One line of the table, from the seconds of each round."""
        row = {
            "case": case,
            "name": name,
            **ratio(ours, theirs),
            "equal": bool(same),
            "baseline": baseline,
            "seconds": statistics.median(ours),
            "baseline_seconds": statistics.median(theirs),
            **further,
        }
        if lower_bound is not None:
            least = roofline.seconds(lower_bound, self.machine)
            row["multiple_of_lower_bound"] = round(row["seconds"] / least, 1)
        return row


def measure_cases(run, only):
    """Rows of the cases in `only`, and how many cores others used during each."""
    rows = []
    loads = []
    threads = None  # with which PyTorch trains faster: (c) tells (d)
    for letters in ("a", "b", "ce", "d", "f", "g"):
        # (d) needs what (c) finds.
        if not set(letters) & set(only) and not (letters == "ce" and "d" in only):
            continue
        print(f"{letters} ...", flush=True)
        load = machine.Load()
        if letters == "ce":
            measured, threads = model(run)
        elif letters == "d":
            measured = until_exact(run, threads)
        else:
            measured = {"a": layers, "b": local, "f": start_up, "g": memory}[letters](
                run
            )
        rows += [row for row in measured if row["case"] in only]
        loads.append(load.others())
    return rows, loads


def layers(run):
    """(a) each layer, forward and with gradients, with Keras' own as the baseline."""
    sizes = our_layers.QUICK if run.quick else our_layers.SIZES
    rows = []
    with contextlib.ExitStack() as stack:
        ours, *baselines = workers(
            stack, run, "our_layers", "keras_layers", sys.executable
        )
        for name in ours.cases:
            layer, kind, size = name.split(",")
            size = size.replace("_", " ")
            same = all(equal(ours.answer(name), b.answer(name)) for b in baselines)
            seconds, theirs = in_turn(name, ours, baselines, run.rounds(15, 3))
            best, theirs = better(theirs)
            rows.append(
                run.row(
                    "a",
                    f"{layer}, {kind.replace('gradients', 'with gradients')}, {size}",
                    "Keras",
                    seconds,
                    theirs,
                    same,
                    roofline.layer(layer, kind, *sizes[size]),
                    threads=THREADS[best],
                )
            )
        run.memory["layers", "ours"] = ours.memory()
        run.memory["layers", "Keras"] = min(b.memory() for b in baselines)
    return rows


def local(run):
    """(b) local attention as the source grows, and against full scoring with a mask."""
    short, long = local_attention.QUICK if run.quick else local_attention.LENGTHS
    with Worker("local_attention", run.folder, run.quick) as worker:
        same = equal(worker.answer("long"), worker.answer("full"), 1e-3)
        seconds = {name: [] for name in worker.cases}
        for _ in range(run.rounds(21, 3)):
            for name, times in seconds.items():
                times.append(worker.run(name, 1 if name == "full" else 10))
    if sys.platform == "linux":
        for kind, length in (("local", short), ("local", long), ("full", long)):
            megabytes = output_of(
                sys.executable, "-m", "benchmarks.local_attention", kind, length
            )
            what = f"a step of local attention, {length:,} words"
            run.memory[what, kind] = float(megabytes)
    lower_bound = roofline.local(
        local_attention.BATCH,
        local_attention.QUERIES,
        local_attention.WIDTH,
        local_attention.HALF_WIDTH,
    )
    # The gradients of two lengths differ; that both are correct is what "full" says.
    comparisons = (
        ("short", f"local, {long:,} against {short:,} words", f"ours at {short:,}"),
        (
            "full",
            f"local against masked full scoring, {long:,} words",
            "full scoring",
        ),
    )
    return [
        run.row("b", label, baseline, seconds["long"], seconds[name], same, lower_bound)
        for name, label, baseline in comparisons
    ]


def model(run):
    """(c) an epoch, and (e) greedy decoding, with eager PyTorch as the baseline.

    Returns the rows, and the number of threads with which PyTorch trains faster.
    """
    if not run.torch:
        return [], None
    with contextlib.ExitStack() as stack:
        ours, *baselines = workers(stack, run, "our_model", "torch_cases", run.torch)
        row, best = epoch(run, ours, baselines)
        run.memory["training", "ours"] = ours.memory()
        run.memory["training", "PyTorch"] = baselines[best].memory()
        for worker in (ours, *baselines):
            worker.answer("ready")
        rows = [row, *decoding(run, ours, baselines)]
        run.memory["training and decoding", "ours"] = ours.memory()
        run.memory["training and decoding", "PyTorch"] = baselines[best].memory()
    return rows, THREADS[best]


def epoch(run, ours, baselines):
    """The row of (c), and which baseline is the faster."""
    train, *_ = our_model.task(run.quick)
    losses = [worker.answer("epoch")[0] for worker in (ours, *baselines)]
    same = all(equal(losses[:1], [loss]) for loss in losses[1:])
    seconds, theirs = in_turn("epoch", ours, baselines, run.rounds(5, 2), warm=True)
    best, theirs = better(theirs)
    row = run.row(
        "c",
        "an epoch of number words",
        "PyTorch",
        seconds,
        theirs,
        same,
        roofline.model(train, *our_model.vocabulary_sizes(train)),
        threads=THREADS[best],
        losses=[float(loss) for loss in losses[:2]],
    )
    return row, best


def decoding(run, ours, baselines):
    """The rows of (e)."""
    train, test, sizes = our_model.task(run.quick)
    comparisons = (
        ("batches", "greedy decoding, batches of 256", test),
        (
            "one_by_one",
            "greedy decoding, one sentence at a time",
            test[: sizes["one_by_one"]],
        ),
    )
    rows = []
    for name, label, pairs in comparisons:
        # Until the shapes have come so often that XLA compiles them.
        warm_up = sum(ours.run(name) for _ in range(run.rounds(40, 2)))
        texts = [worker.answer(name) for worker in (ours, *baselines)]
        seconds, theirs = in_turn(name, ours, baselines, run.rounds(11, 2))
        best, theirs = better(theirs)
        lower_bound = roofline.model(
            pairs, *our_model.vocabulary_sizes(train), training=False
        )
        rows.append(
            run.row(
                "e",
                label,
                "PyTorch",
                seconds,
                theirs,
                all(equal(texts[0], text) for text in texts[1:]),
                lower_bound,
                threads=THREADS[best],
                warm_up=warm_up,
                sentences_per_second=len(pairs) / statistics.median(seconds),
            )
        )
    return rows


def until_exact(run, threads):
    """(d) from `fit` to 99 % exact match, including compilation, each in a fresh
    process.
    """
    if threads is None:
        return []
    trainings = []
    for seed in range(run.rounds(SEEDS, 1)):
        arguments = f"pathlib.Path({str(run.folder)!r}), {seed}, {run.quick}"
        trainings.append(
            [
                _until_exact(sys.executable, "our_model", arguments),
                _until_exact(run.torch, "torch_cases", f"{arguments}, {threads}"),
            ]
        )
    sizes = our_model.QUICK if run.quick else our_model.FULL
    reached = [one["exact"][-1] for both in trainings for one in both]
    ours, theirs = ([both[side]["seconds"] for both in trainings] for side in (0, 1))
    epochs = [[len(both[side]["exact"]) for both in trainings] for side in (0, 1)]
    return [
        run.row(
            "d",
            "from fit to 99 % exact match",
            "PyTorch",
            ours,
            theirs,
            run.quick or min(reached) >= sizes["target_exact_match"],
            threads=threads,
            epochs=epochs,
        )
    ]


def _until_exact(python, module, arguments):
    """What `until_exact` of a module returns in a process of its own."""
    code = (
        f"import json, pathlib; from benchmarks import {module};"
        f" print(json.dumps({module}.until_exact({arguments})))"
    )
    return json.loads(output_of(python, "-c", code))


def start_up(run):
    """(f) import, first layer, first training step."""

    def seconds(who, what):
        python = run.torch if who == "torch" else sys.executable
        return float(output_of(python, "-m", "benchmarks.start_up", who, what))

    comparisons = [
        ("import", "import attnlib, compared with import keras", "keras", "Keras"),
        ("layer", "from start to the first layer's context", "keras", "Keras"),
    ]
    if run.torch:
        comparisons.append(
            ("step", "from start to the first training step", "torch", "PyTorch")
        )
    rows = []
    for what, label, who, baseline in comparisons:
        pairs = [
            (seconds("ours", what), seconds(who, what)) for _ in range(run.rounds(2, 1))
        ]
        ours, theirs = zip(*pairs, strict=True)
        rows.append(run.row("f", label, baseline, ours, theirs, True))
    return rows


def memory(run):
    """(g) the peak memory of the processes above."""
    rows = []
    for (what, whose), megabytes in run.memory.items():
        baselines = [
            (baseline, theirs)
            for (other, baseline), theirs in run.memory.items()
            if other == what and baseline != whose
        ]
        if megabytes is None or whose not in ("ours", "local") or not baselines:
            continue
        baseline, theirs = baselines[0]
        value = round(megabytes / theirs, 4)
        rows.append(
            {
                "case": "g",
                "name": f"peak memory: {what}",
                "ratio": value,
                "low": value,
                "high": value,
                "equal": True,
                "baseline": baseline,
                "megabytes": megabytes,
                "baseline_megabytes": theirs,
            }
        )
    return rows


def workers(stack, run, ours, baseline, python):
    """Our worker, and one of the baseline for each number of threads.

    Ours starts first: it may leave in the folder what the baseline reads.
    """
    started = [stack.enter_context(Worker(ours, run.folder, run.quick))]
    for threads in THREADS:
        worker = Worker(baseline, run.folder, run.quick, threads, python)
        started.append(stack.enter_context(worker))
    return started
