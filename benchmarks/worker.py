"""One side of a comparison, as a separate process: it runs the cases that it is asked
for, and answers how long they took.

    python -m benchmarks.worker MODULE THREADS FOLDER [--quick]

benchmarks/MODULE.py has ``cases(folder, threads, quick)``, a dict of functions. THREADS
is 0 for the library's own choice. The process reads a line and answers with a line of
JSON:

    run NAME REPEATS    runs the case so often; answers with the seconds per run
    answer NAME         runs it once, and writes the arrays that it returns to
                        FOLDER/MODULE.NAME.npz
    memory              the peak memory of the process, in MB
"""

import argparse
import importlib
import json
import os
import sys
import time
from pathlib import Path

import numpy as np

from attnlib.provenance import peak_memory_mb


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("module")
    parser.add_argument("threads", type=int)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a library prints is not an answer
    module = importlib.import_module(f"benchmarks.{options.module}")
    cases = module.cases(options.folder, options.threads, options.quick)
    print(json.dumps({"cases": list(cases)}), file=answers)
    for line in sys.stdin:
        command, *rest = line.split()
        if command == "run":
            answer = {"seconds": seconds_per_run(cases[rest[0]], int(rest[1]))}
        elif command == "answer":
            path = options.folder / f"{options.module}.{rest[0]}.npz"
            np.savez(path, *[np.asarray(array) for array in cases[rest[0]]()])
            answer = {"path": str(path)}
        else:
            answer = {"megabytes": peak_memory_mb()}
        print(json.dumps(answer), file=answers)


def seconds_per_run(case, repeats):
    started = time.perf_counter()
    for _ in range(repeats):
        case()
    return (time.perf_counter() - started) / repeats


if __name__ == "__main__":
    main()
