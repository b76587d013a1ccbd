"""Processes measured in turn, and what their times say about each other."""

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent  # where processes start
ROUND_SECONDS = 0.1  # a short case is repeated in each round until it takes this long


def torch_python():
    """A Python that has PyTorch, and its version; (None, None) without one.

    It is the one that ATTNLIB_BENCH_TORCH names, or else this one.
    """
    python = os.environ.get("ATTNLIB_BENCH_TORCH", sys.executable)
    done = subprocess.run(
        [python, "-c", "import torch; print(torch.__version__)"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    return (python, done.stdout.strip()) if done.returncode == 0 else (None, None)


def output_of(python, *arguments):
    """The last line that a process prints."""
    done = subprocess.run(
        [python, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True
    )
    if done.returncode:
        command = " ".join(map(str, arguments))
        raise RuntimeError(f"{command} failed:\n{done.stderr[-3000:]}")
    return done.stdout.splitlines()[-1]


class Worker:
    """A process of `benchmarks.worker`, which runs the cases of one module."""

    def __init__(self, module, folder, quick, threads=0, python=sys.executable):
        self.module = module
        self.log = open(folder / f"{module}.{threads}.log", "w+")
        command = [python, "-m", "benchmarks.worker", module, str(threads), folder]
        self.process = subprocess.Popen(
            [*command, "--quick"] if quick else command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )
        self.cases = self._answer()["cases"]

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
        """Seconds per run."""
        return self.ask(f"run {name} {repeats}")["seconds"]

    def answer(self, name):
        """The arrays that the case returns."""
        with np.load(self.ask(f"answer {name}")["path"]) as arrays:
            return [arrays[key] for key in arrays.files]

    def memory(self):
        """Peak memory of the process, in MB."""
        return self.ask("memory")["megabytes"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        self.log.close()


def equal(ours, theirs, tolerance=1e-4):
    """Whether both lists of arrays agree: numbers within `tolerance` of the largest
    number, text exactly.
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


def in_turn(name, ours, baselines, rounds, warm=False):
    """Seconds of `ours`, and of each baseline, in each round.

    Each runs twice before, unless they are `warm`. After two rounds, a baseline drops
    out if its fastest run was slower than the slowest run of another.
    """
    workers = [ours, *baselines]
    repeats = [1 for _ in workers]
    if not warm:
        for worker in workers:
            worker.run(name)
        repeats = [
            max(1, round(ROUND_SECONDS / worker.run(name))) for worker in workers
        ]
    seconds = [[] for _ in workers]
    active = list(range(len(workers)))
    for number in range(rounds):
        if number == 2:
            limit = min(map(max, seconds[1:]), default=0)
            active = [i for i in active if i == 0 or min(seconds[i]) <= limit]
        for i in active[:: 1 if number % 2 else -1]:
            seconds[i].append(workers[i].run(name, repeats[i]))
    return seconds[0], seconds[1:]


def better(baselines):
    """The index and the seconds of the baseline with the smallest median, of those that
    ran in every round.
    """
    rounds = max(map(len, baselines))
    complete = [(i, s) for i, s in enumerate(baselines) if len(s) == rounds]
    return min(complete, key=lambda one: statistics.median(one[1]))


def ratio(ours, theirs):
    """{"ratio", "low", "high"}: the median of the ratios of each round, and their
    quartiles.
    """
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    if len(ratios) > 1:
        low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
    else:
        low, middle, high = 3 * ratios
    return {"ratio": round(middle, 4), "low": round(low, 4), "high": round(high, 4)}
