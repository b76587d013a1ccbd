"""One side of a comparison, in a process of its own: runs what it is told to, and says
how long it took.

    python worker.py MODULE THREADS FOLDER [--quick]

MODULE has ``arms(folder, threads, quick)``, a dict of functions. THREADS is 0 for the
library's own choice. The process reads a line and answers with a line of JSON:

    run NAME REPEATS    runs it so often; answers with the seconds of one run
    answer NAME         runs it once and keeps the arrays that it returns in FOLDER/MODULE.NAME.npz
    memory              the most memory that the process has held, in MB
"""

import argparse
import importlib
import json
import os
import sys
import time
from pathlib import Path

import numpy as np


def peak_memory_mb():
    """None where it cannot be told."""
    if sys.platform == "linux":
        with open("/proc/self/status") as status:
            return next(
                int(line.split()[1]) / 1024
                for line in status
                if line.startswith("VmHWM:")
            )
    if sys.platform == "darwin":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("module")
    parser.add_argument("threads", type=int)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a library prints is no answer
    arms = importlib.import_module(options.module).arms(
        options.folder, options.threads, options.quick
    )
    print(json.dumps({"arms": list(arms)}), file=answers)
    for line in sys.stdin:
        command, *rest = line.split()
        if command == "run":
            run, repeats = arms[rest[0]], int(rest[1])
            started = time.perf_counter()
            for _ in range(repeats):
                run()
            answer = {"seconds": (time.perf_counter() - started) / repeats}
        elif command == "answer":
            path = options.folder / f"{options.module}.{rest[0]}.npz"
            np.savez(path, *[np.asarray(array) for array in arms[rest[0]]()])
            answer = {"path": str(path)}
        else:
            answer = {"megabytes": peak_memory_mb()}
        print(json.dumps(answer), file=answers)


if __name__ == "__main__":
    main()
