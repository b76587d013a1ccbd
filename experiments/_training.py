"""What the experiments share: each (configuration, seed) is trained once, and its
result kept as JSON.

A result that is there already is not trained again, so an interrupted experiment goes
on where it stopped, and two experiments that need the same model share it. Remove a
file below results/runs/ to train it anew.
"""

import argparse
import datetime
import json
import platform
import re
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np

RESULTS = Path(__file__).parent / "results"


def arguments(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--quick",
        action="store_true",
        help="tiny sizes, to see that it runs (20 s at most)",
    )
    parser.add_argument(
        "--output", type=Path, help="folder for the JSON (default: experiments/results)"
    )
    options = parser.parse_args()
    if options.quick and options.output is None:
        parser.error(
            "--quick writes results that mean nothing: name a folder for them with"
            " --output"
        )
    options.output = options.output or RESULTS
    return options


def peak_memory_mb():
    """Most memory this process has held, in MB; None where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1024 if platform.system() == "Linux" else 1024**2))


def versions():
    names = ("numpy", "keras", "num2words", "Babel")
    tensorflow = (
        "tensorflow-cpu" if platform.machine() in ("x86_64", "AMD64") else "tensorflow"
    )
    return {
        "python": platform.python_version(),
        **{name: version(name) for name in (*names, tensorflow)},
    }


def save(path, content):
    """As JSON, every innermost list on one line; the file is there whole or not at all."""
    text = json.dumps(content, indent=1, allow_nan=False)
    text = re.sub(r"\[[^\[\]{}]*\]", lambda found: re.sub(r"\s+", " ", found[0]), text)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(text + "\n", encoding="utf-8")
    partial.replace(path)


def run(name, output, train, *details):
    """The result of `train(*details)`, from results/runs/<name>.json if it is there."""
    path = output / "runs" / f"{name}.json"
    if path.exists():
        return json.loads(path.read_text(encoding="utf-8"))
    print(f"training {name}", flush=True)
    started = time.perf_counter()
    result = train(*details)
    result |= {
        "seconds": round(time.perf_counter() - started, 3),
        "peak_memory_mb": peak_memory_mb(),
        "date": datetime.date.today().isoformat(),
        "versions": versions(),
    }
    save(path, result)
    return json.loads(path.read_text(encoding="utf-8"))


def train_to_best(model, train, development, epochs, seed):
    """Trains for `epochs` and leaves the model at its best epoch by exact match on
    `development`.

    Returns what each epoch reached, and which was the best, counted from 1.
    """
    from attnlib import metrics

    history, best, kept = [], -1.0, None
    for epoch in range(epochs):
        logs = model.fit(train, epochs=1, seed=1000 * seed + epoch, verbose=0).history
        found = model.translate([source for source, _ in development], verbose=0)
        exact = metrics.exact_match(
            [t.tokens for t in found], [target for _, target in development]
        )
        history.append(
            {
                "loss": round(logs["loss"][-1], 4),
                "development_exact_match": round(exact, 4),
            }
        )
        print(
            f"  epoch {epoch + 1} of {epochs}: loss {history[-1]['loss']:.3f}, exact"
            f" match {exact:.3f}",
            flush=True,
        )
        if exact > best:
            best, kept, best_epoch = exact, model.get_weights(), epoch + 1
    model.set_weights(kept)
    return {"epochs": history, "best_epoch": best_epoch}


def teacher_forced(model, pairs):
    """For each pair, whether each next token is right when the true ones before it are
    given: boolean arrays (target_len + 1,), the last entry for <end>."""
    data, right = model.batches(pairs, 256, False), {}
    for rows, (inputs, target) in zip(data.rows, data, strict=True):
        guess = np.argmax(model.predict_on_batch(inputs), -1)
        for row, hit, length in zip(
            rows, guess == target, data.lengths[1][rows] - 1, strict=True
        ):
            right[row] = hit[:length]
    return [right[row] for row in range(len(pairs))]
