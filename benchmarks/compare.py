"""Two or more workers measured in turn, and what their times say of each other."""

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
ROUND_SECONDS = 0.1  # a short case is repeated so often in each round


def torch_python():
    """A Python that has PyTorch: the one named by ATTNLIB_BENCH_TORCH, else this one;
    None where it has none.
    """
    python = os.environ.get("ATTNLIB_BENCH_TORCH", sys.executable)
    done = subprocess.run(
        [python, "-c", "import torch; print(torch.__version__)"],
        capture_output=True,
        text=True,
        env=environment(),
    )
    return (python, done.stdout.strip()) if done.returncode == 0 else (None, None)


def environment():
    paths = [str(HERE.parent), str(HERE), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


class Worker:
    """One `worker.py`."""

    def __init__(self, module, folder, quick, threads=0, python=sys.executable):
        self.module, self.threads = module, threads
        self.log = open(folder / f"{module}.{threads}.log", "w+")
        command = [
            python,
            HERE / "worker.py",
            module,
            str(threads),
            folder,
            *(["--quick"] if quick else []),
        ]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            env=environment(),
        )
        self.arms = self._answer()["arms"]

    def _answer(self):
        line = self.process.stdout.readline()
        if not line:
            self.log.seek(0)
            raise RuntimeError(f"{self.module} ended:\n{self.log.read()[-3000:]}")
        return json.loads(line)

    def ask(self, line):
        print(line, file=self.process.stdin, flush=True)
        return self._answer()

    def run(self, name, repeats=1):
        """Seconds of one run."""
        return self.ask(f"run {name} {repeats}")["seconds"]

    def answer(self, name):
        with np.load(self.ask(f"answer {name}")["path"]) as arrays:
            return [arrays[key] for key in arrays.files]

    def memory(self):
        return self.ask("memory")["megabytes"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        self.log.close()


def equal(ours, theirs, tolerance=1e-4):
    """Whether both gave the same: numbers within `tolerance` of the largest of them,
    text word for word.
    """
    if len(ours) != len(theirs):
        return False
    for a, b in zip(ours, theirs, strict=True):
        if a.shape != b.shape:
            return False
        if a.dtype.kind == "U":
            if not np.array_equal(a, b):
                return False
        elif not np.abs(a - b).max() <= tolerance * max(1.0, np.abs(b).max()):
            return False
    return True


def in_turn(name, ours, theirs, rounds, warm=False):
    """Seconds of `ours`, and of each of `theirs`, in each round, after two runs of each
    if they are not `warm`.

    After two rounds, a peer goes out whose fastest run was slower than the slowest of
    another.
    """
    workers = [ours, *theirs]
    repeats = [1 for _ in workers]
    if not warm:
        for worker in workers:
            worker.run(name)
        repeats = [
            max(1, round(ROUND_SECONDS / worker.run(name))) for worker in workers
        ]
    found = [[] for _ in workers]
    going = list(range(len(workers)))
    for number in range(rounds):
        if number == 2:
            limit = min(map(max, found[1:]), default=0)
            going = [
                place for place in going if place == 0 or min(found[place]) <= limit
            ]
        for place in going[:: 1 if number % 2 else -1]:
            found[place].append(workers[place].run(name, repeats[place]))
    return found[0], found[1:]


def better(theirs):
    """The number and the seconds of the peer with the smallest median, among those that
    stayed to the end.
    """
    stayed = max(map(len, theirs))
    return min(
        ((n, s) for n, s in enumerate(theirs) if len(s) == stayed),
        key=lambda one: statistics.median(one[1]),
    )


def ratio(ours, theirs):
    """{"ratio", "low", "high"}: the median of the ratios round by round, and their
    quartiles.
    """
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    low, middle, high = (
        statistics.quantiles(ratios, n=4, method="inclusive")
        if len(ratios) > 1
        else 3 * ratios
    )
    return {"ratio": round(middle, 4), "low": round(low, 4), "high": round(high, 4)}
