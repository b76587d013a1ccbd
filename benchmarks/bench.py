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


def measure(cases, quick):
    """The report of the rows that `cases` returns for a `Run`, with its loads."""
    started = time.perf_counter()
    python, torch_version = torch_python()
    versions = provenance.versions(PACKAGES)
    if torch_version:
        versions["torch"] = torch_version
    described = machine.describe()
    with tempfile.TemporaryDirectory(prefix="attnlib-bench-") as folder:
        rows, loads = cases(Run(Path(folder), quick, described, python, {}))
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


def arguments_of(name, description):
    """The parser of what every script of measurements takes."""
    parser = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{name}", description=description.splitlines()[0]
    )
    parser.add_argument(
        "--quick", action="store_true", help="tiny sizes, to see that it runs"
    )
    parser.add_argument(
        "--output",
        type=Path,
        help="file for the results (default: the book's own, for a complete run)",
    )
    return parser


def finish(report, output, letters):
    """Write the report, where there is a file for it, and print it."""
    if output is not None:
        output.parent.mkdir(exist_ok=True)
        text = json.dumps(report, indent=1, ensure_ascii=False)
        output.write_text(text + "\n", "utf-8")
    print(as_text(report, letters))


def main(arguments=None):
    parser = arguments_of("bench", __doc__)
    parser.add_argument(
        "--only",
        nargs="*",
        choices=LETTERS,
        default=list(LETTERS),
        help="letters of the cases to measure",
    )
    options = parser.parse_args(arguments)
    report = measure(lambda run: measure_cases(run, options.only), options.quick)
    output = options.output
    if output is None and not options.quick and set(options.only) == set(LETTERS):
        output = LATEST
    finish(report, output, LETTERS)
    return 0


if __name__ == "__main__":
    sys.exit(main())
