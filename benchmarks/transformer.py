"""Speed of the `Transformer` as ratios to baselines:

    python -m benchmarks.transformer            prints the table and writes
                                                benchmarks/results/transformer.json
    python -m benchmarks.transformer --quick    tiny sizes, to see that it runs; writes
                                                nothing

(h) An epoch of training, with the same model in eager PyTorch as the baseline. They run
in turn, and PyTorch with one and with two threads, of which the better counts. Without
PyTorch (see `benchmarks.bench`) this case is left out. (i) Generation with the cache,
with the same search without it as the baseline.
"""

import contextlib
import sys
from pathlib import Path

from benchmarks import generation, machine, our_transformer
from benchmarks.bench import arguments_of, finish, measure
from benchmarks.cases import THREADS, workers
from benchmarks.compare import Worker, better, equal, in_turn
from benchmarks.table import of_transformer

RESULTS = Path(__file__).parent / "results" / "transformer.json"
LETTERS = "hi"
TOLERANCE = 1e-5  # of the first loss
LABELS = {"dates": "dates", "numbers": "number words"}


def measure_cases(run):
    """Rows, and how many cores others used during each case."""
    rows, loads = [], []
    for letter, case in {"h": epochs, "i": with_cache}.items():
        print(f"{letter} ...", flush=True)
        load = machine.Load()
        rows += case(run)
        loads.append(load.others())
    return rows, loads


def epochs(run):
    """(h) an epoch of each task and batch size."""
    if not run.torch:
        return []
    rows = []
    with contextlib.ExitStack() as stack:
        names = "our_transformer", "torch_transformer"
        ours, *baselines = workers(stack, run, *names, run.torch)
        for name, (task, batch_size) in our_transformer.names(run.quick).items():
            # The answer also runs an epoch, to warm up.
            losses = [worker.answer(name) for worker in (ours, *baselines)]
            same = all(equal(losses[0], other, TOLERANCE) for other in losses[1:])
            seconds, theirs = in_turn(name, ours, baselines, run.rounds(5, 2), True)
            best, theirs = better(theirs)
            label = f"an epoch of {LABELS[task]}, batches of {batch_size}"
            further = {
                "threads": THREADS[best],
                "losses": [float(x[0]) for x in losses],
            }
            rows.append(
                run.row("h", label, "PyTorch", seconds, theirs, same, **further)
            )
    return rows


def with_cache(run):
    """(i) a batch, and one sentence at a time."""
    sizes = generation.QUICK if run.quick else generation.FULL
    sentences = {
        "batch": f"a batch of {sizes['batch']}",
        "single": "one sentence at a time",
    }
    rows = []
    with Worker("generation", run.folder, run.quick) as worker:
        for what, label in sentences.items():
            names = f"with,{what}", f"without,{what}"
            same = equal(*map(worker.answer, names))
            seconds = {name: [] for name in names}
            for _ in range(run.rounds(7, 2)):
                for name, times in seconds.items():
                    times.append(worker.run(name))
            label = f"generation of {sizes['tokens']} tokens, {label}"
            rows.append(run.row("i", label, "no cache", *seconds.values(), same))
    return rows


def main(arguments=None):
    options = arguments_of("transformer", __doc__).parse_args(arguments)
    report = measure(measure_cases, options.quick)
    finish(report, options.output or (None if options.quick else RESULTS), LETTERS)
    if not options.quick:
        print(*of_transformer(report), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
