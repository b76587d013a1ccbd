"""The cases, by letter: each takes a `Run` and gives rows of the table."""

import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import limits
import local_attention
import our_layers
import our_model
from compare import HERE, Worker, better, environment, equal, in_turn, ratio

SEEDS = 2  # of the trainings of (d)


class Run(NamedTuple):
    folder: Path
    quick: bool
    machine: dict
    torch: str | None  # a Python that has PyTorch
    memory: dict  # {(what, whose): megabytes}, filled by the cases and read by the last


def row(case, name, ours, theirs, peer, same, run, least=None, **more):
    """One line of the table, from the seconds of each round."""
    found = {
        "case": case,
        "name": name,
        **ratio(ours, theirs),
        "equal": bool(same),
        "peer": peer,
    }
    found |= {
        "seconds": statistics.median(ours),
        "peer_seconds": statistics.median(theirs),
        **more,
    }
    if least is not None:
        found["times_the_limit"] = round(
            found["seconds"] / limits.seconds(least, run.machine), 1
        )
    return found


def layers(run):
    """(a) each layer, forward and with gradients, against Keras' own."""
    rows = []
    with Worker("our_layers", run.folder, run.quick) as ours:
        peers = [
            Worker("keras_layers", run.folder, run.quick, threads) for threads in (1, 2)
        ]
        for name in ours.arms:
            layer, kind, size = name.split(",")
            same = all(equal(ours.answer(name), peer.answer(name)) for peer in peers)
            seconds, theirs = in_turn(name, ours, peers, 3 if run.quick else 15)
            best, theirs = better(theirs)
            shape = (our_layers.QUICK if run.quick else our_layers.SIZES)[
                size.replace("_", " ")
            ]
            label = (
                f"{layer}, {kind.replace('gradients', 'with gradients')},"
                f" {size.replace('_', ' ')}"
            )
            rows.append(
                row(
                    "a",
                    label,
                    seconds,
                    theirs,
                    "Keras",
                    same,
                    run,
                    limits.layer(layer, kind, *shape),
                    threads=best + 1,
                )
            )
        run.memory["layers", "ours"] = ours.memory()
        run.memory["layers", "Keras"] = min(peer.memory() for peer in peers)
        for peer in peers:
            peer.__exit__()
    return rows


def local(run):
    """(b) local attention as the source grows, and against full scoring with a mask."""
    sizes = (
        local_attention.BATCH,
        local_attention.QUERIES,
        local_attention.WIDTH,
        local_attention.HALF_WIDTH,
    )
    short, long = local_attention.QUICK if run.quick else local_attention.LENGTHS
    with Worker("local_attention", run.folder, run.quick) as worker:
        same = equal(worker.answer("long"), worker.answer("full"), 1e-3)
        seconds = {name: [] for name in worker.arms}
        repeats = {name: 1 if name == "full" else 10 for name in worker.arms}
        for _ in range(3 if run.quick else 21):
            for name, found in seconds.items():
                found.append(worker.run(name, repeats[name]))
    least = limits.local(*sizes)
    if sys.platform == "linux":
        for kind, length in (("local", short), ("local", long), ("full", long)):
            command = [sys.executable, HERE / "local_attention.py", kind, str(length)]
            done = subprocess.run(
                command, capture_output=True, text=True, check=True, env=environment()
            )
            run.memory[f"a step of local attention, {length:,} words", kind] = float(
                done.stdout
            )
    # The gradients of two lengths differ; that both are right is what "full" says.
    return [
        row(
            "b",
            f"local, {long:,} against {short:,} words",
            seconds["long"],
            seconds["short"],
            f"ours at {short:,}",
            same,
            run,
            least,
        ),
        row(
            "b",
            f"local against masked full scoring, {long:,} words",
            seconds["long"],
            seconds["full"],
            "full scoring",
            same,
            run,
            least,
        ),
    ]


def model(run):
    """(c) an epoch, and (e) greedy decoding, against eager PyTorch."""
    train, test, sizes = our_model.task(run.quick)
    rows, rounds = [], 2 if run.quick else 5
    with Worker("our_model", run.folder, run.quick) as ours:
        peers = []
        if run.torch:
            peers = [
                Worker("torch_arms", run.folder, run.quick, threads, run.torch)
                for threads in (1, 2)
            ]
        losses = [
            worker.answer("epoch") for worker in (ours, *peers)
        ]  # of the first batch, then of the first epoch
        same = all(equal(losses[0][:1], loss[:1]) for loss in losses[1:])
        seconds, theirs = in_turn("epoch", ours, peers, rounds, warm=True)
        words = [len({w for pair in train for w in pair[side]}) + 3 for side in (0, 1)]
        least = limits.model(train, *words)
        best = None
        if peers:
            best, theirs = better(theirs)
            rows.append(
                row(
                    "c",
                    "an epoch of number words",
                    seconds,
                    theirs,
                    "PyTorch",
                    same,
                    run,
                    least,
                    threads=best + 1,
                    losses=[float(loss[0]) for loss in losses[:2]],
                )
            )
        run.memory["training", "ours"] = ours.memory()
        if peers:
            run.memory["training", "PyTorch"] = peers[best].memory()
        ours.answer("ready")
        for peer in peers:
            peer.answer("ready")
        for name, label, some in (
            ("batches", "greedy decoding, batches of 256", test),
            (
                "one_by_one",
                "greedy decoding, one sentence at a time",
                test[: sizes["one_by_one"]],
            ),
        ):
            first = sum(
                ours.run(name) for _ in range(2 if run.quick else 40)
            )  # till XLA's forms are made
            texts = [worker.answer(name) for worker in (ours, *peers)]
            seconds, theirs = in_turn(name, ours, peers, 2 if run.quick else 11)
            least = limits.model(some, *words, training=False)
            if peers:
                fastest, theirs = better(theirs)
                rows.append(
                    row(
                        "e",
                        label,
                        seconds,
                        theirs,
                        "PyTorch",
                        all(equal(texts[0], t) for t in texts[1:]),
                        run,
                        least,
                        threads=fastest + 1,
                        warm_up=first,
                        sentences_a_second=len(some) / statistics.median(seconds),
                    )
                )
        run.memory["training and decoding", "ours"] = ours.memory()
        if peers:
            run.memory["training and decoding", "PyTorch"] = peers[best].memory()
        for peer in peers:
            peer.__exit__()
    return rows, None if best is None else best + 1


def until_exact(run, threads):
    """(d) from `fit` to 99 % exact match, compilation counted, in a fresh process each."""
    if threads is None:
        return []
    found = []
    for seed in range(1 if run.quick else SEEDS):
        pair = []
        for python, module, more in (
            (sys.executable, "our_model", ""),
            (run.torch, "torch_arms", f", {threads}"),
        ):
            code = (
                f"import json, pathlib, {module} as m;"
                f" print(json.dumps(m.until_exact(pathlib.Path({str(run.folder)!r}),"
                f" {seed}, {run.quick}{more})))"
            )
            done = subprocess.run(
                [python, "-c", code],
                capture_output=True,
                text=True,
                check=True,
                env=environment(),
            )
            pair.append(json.loads(done.stdout.splitlines()[-1]))
        found.append(pair)
    aim = (our_model.QUICK if run.quick else our_model.FULL)["aim"]
    same = run.quick or all(one["exact"][-1] >= aim for pair in found for one in pair)
    ours, theirs = ([pair[side]["seconds"] for pair in found] for side in (0, 1))
    epochs = [[len(pair[side]["exact"]) for pair in found] for side in (0, 1)]
    return [
        row(
            "d",
            "from fit to 99 % exact match",
            ours,
            theirs,
            "PyTorch",
            same,
            run,
            threads=threads,
            epochs=epochs,
        )
    ]


def start_up(run):
    """(f) import, first layer, first step of training."""

    def seconds(who, what):
        python = run.torch if who == "torch" else sys.executable
        command = [python, HERE / "start_up.py", who, what]
        return float(
            subprocess.run(
                command, capture_output=True, text=True, check=True, env=environment()
            ).stdout
        )

    rows, names = [], {"keras": "Keras", "torch": "PyTorch"}
    for what, label, who in (
        ("import", "import attnlib, beside import keras", "keras"),
        ("layer", "start to the first layer's context", "keras"),
        ("step", "start to the end of the first step of training", "torch"),
    ):
        if who == "torch" and not run.torch:
            continue
        pairs = [
            (seconds("ours", what), seconds(who, what))
            for _ in range(1 if run.quick else 2)
        ]
        ours, theirs = zip(*pairs, strict=True)
        rows.append(row("f", label, ours, theirs, names[who], True, run))
    return rows


def memory(run):
    """(g) the most memory that each of the processes above held."""
    rows = []
    for (what, whose), megabytes in run.memory.items():
        peers = [
            (w, mb)
            for (other, w), mb in run.memory.items()
            if other == what and w != whose
        ]
        if megabytes is None or whose not in ("ours", "local") or not peers:
            continue
        peer, theirs = peers[0]
        value = round(megabytes / theirs, 4)
        rows.append(
            {
                "case": "g",
                "name": f"peak memory: {what}",
                "ratio": value,
                "low": value,
                "high": value,
                "equal": True,
                "peer": peer,
                "megabytes": megabytes,
                "peer_megabytes": theirs,
            }
        )
    return rows


CASES = {
    "a": layers,
    "b": local,
    "ce": model,
    "d": until_exact,
    "f": start_up,
    "g": memory,
}
