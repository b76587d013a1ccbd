"""Speed, start-up time, and memory as ratios to baselines: `make bench`.

    python -m benchmarks.bench              every case; prints the table and writes
                                            benchmarks/results/latest.json
    python -m benchmarks.bench --only a b   these cases alone; writes nothing
    python -m benchmarks.bench --quick      tiny sizes, to see that it runs; writes
                                            nothing

attnlib and the baseline run in separate processes, in turn, after a run of each to warm
up. Every baseline runs with one and with two threads, and the better counts. A ratio is
the median over rounds, and `low` and `high` are the quartiles; `equal` says whether
both computed the same. PyTorch, the baseline of c, d, and e, comes with
requirements-bench.txt; without it these cases are left out. ATTNLIB_BENCH_TORCH may
name another Python that has PyTorch.
"""

import argparse
import datetime
import json
import sys
import tempfile
import time
from pathlib import Path

from attnlib import provenance
from benchmarks import machine
from benchmarks.cases import LETTERS, Run, measure_cases
from benchmarks.compare import torch_python
from benchmarks.table import as_text

LATEST = Path(__file__).parent / "results" / "latest.json"
PACKAGES = ("tensorflow-cpu", "tensorflow", "keras", "numpy")


def measure(only, quick):
    """The report of the cases whose letters are in `only`."""
    started = time.perf_counter()
    python, torch_version = torch_python()
    versions = provenance.versions(PACKAGES)
    if torch_version:
        versions["torch"] = torch_version
    described = machine.describe()
    with tempfile.TemporaryDirectory(prefix="attnlib-bench-") as folder:
        run = Run(Path(folder), quick, described, python, {})
        rows, loads = measure_cases(run, only)
    # The highest of the mean loads, one per case.
    load = max((load for load in loads if load is not None), default=None)
    return {
        "date": datetime.date.today().isoformat(),
        "machine": described,
        "versions": versions,
        "quick": quick,
        "cases": sorted(rows, key=lambda row: row["case"]),
        "cores_used_by_others": None if load is None else round(load, 2),
        "busy": load is not None and load > machine.BUSY,
        "seconds": round(time.perf_counter() - started),
    }


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.bench", description=__doc__.splitlines()[0]
    )
    parser.add_argument(
        "--quick", action="store_true", help="tiny sizes, to see that it runs"
    )
    parser.add_argument(
        "--only",
        nargs="*",
        choices=LETTERS,
        default=list(LETTERS),
        help="letters of the cases to measure",
    )
    parser.add_argument(
        "--output",
        type=Path,
        help="file for the results (default: latest.json for a complete run)",
    )
    options = parser.parse_args(arguments)
    report = measure(options.only, options.quick)
    output = options.output
    if output is None and not options.quick and set(options.only) == set(LETTERS):
        output = LATEST
    if output is not None:
        output.parent.mkdir(exist_ok=True)
        text = json.dumps(report, indent=1, ensure_ascii=False)
        output.write_text(text + "\n", "utf-8")
    print(as_text(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
