"""Speed, start-up and memory against peers, as ratios measured in turn in one run:
`make bench`.

    python benchmarks/bench.py                  every case; writes benchmarks/results/latest.json, prints the table
    python benchmarks/bench.py --only a b       those cases alone, and --quick in sizes of no meaning: nothing is kept

Ours and the peer run in separate processes, in turn, after a run of each to warm up.
Every peer runs with one and with two threads, and the better counts. A ratio is the
median over rounds, `low` and `high` are the quartiles; `equal` says that both computed
the same. PyTorch, the peer of c, d and e, comes with requirements-bench.txt; without it
those cases are left out. ATTNLIB_BENCH_TORCH may name another Python that has it.
"""

import argparse
import datetime
import json
import sys
import tempfile
import time
from pathlib import Path

import cases
import machine
from compare import HERE, torch_python
from table import as_text

LATEST = HERE / "results" / "latest.json"


def measure(only, quick, tell=print):
    started = time.perf_counter()
    python, torch_version = torch_python()
    report = {
        "date": datetime.date.today().isoformat(),
        "machine": machine.describe(),
        "versions": {
            **machine.versions(),
            **({"torch": torch_version} if torch_version else {}),
        },
        "quick": quick,
        "cases": [],
    }
    loads = []
    with tempfile.TemporaryDirectory(prefix="attnlib-bench-") as folder:
        run = cases.Run(Path(folder), quick, report["machine"], python, {})
        threads = None
        for letters, case in cases.CASES.items():
            if not set(letters) & set(only) and not (letters == "ce" and "d" in only):
                continue
            tell(f"{letters} ...", flush=True)
            load = machine.Load()
            if letters == "ce":
                rows, threads = case(run)
            else:
                rows = case(run, threads) if letters == "d" else case(run)
            report["cases"] += [row for row in rows if row["case"] in only]
            loads.append(load.others())
    known = [x for x in loads if x is not None]
    report["cores_used_by_others"] = (
        round(max(known), 2) if known else None
    )  # the most, of the means over each case
    report["busy"] = bool(known) and max(known) > machine.BUSY
    report["cases"].sort(key=lambda row: row["case"])
    report["seconds"] = round(time.perf_counter() - started)
    return report


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", nargs="*", choices="abcdefg", default=list("abcdefg"))
    parser.add_argument(
        "--output",
        type=Path,
        help="where to write the results, latest.json if not given",
    )
    options = parser.parse_args(arguments)
    report = measure(options.only, options.quick)
    output = options.output
    if output is None and not options.quick and len(options.only) == 7:
        output = LATEST
    if output is not None:
        output.parent.mkdir(exist_ok=True)
        output.write_text(
            json.dumps(report, indent=1, ensure_ascii=False) + "\n", "utf-8"
        )
    print(as_text(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
