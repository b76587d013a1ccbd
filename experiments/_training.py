"""What the experiments share: their command line, and training with results kept as
JSON.

Each configuration and seed is trained once. A result that exists is not trained again,
so an interrupted experiment continues where it stopped, and two experiments that need
the same model share it. Remove a file in results/runs/ to train its model anew.
"""

import argparse
import datetime
import json
import re
import time
from pathlib import Path

import numpy as np

from attnlib import provenance

RESULTS = Path(__file__).parent / "results"


def main(name, description, measure):
    """Command line of the experiment `name`: saves the dict `measure(options)`."""
    options = parse_arguments(name, description)
    content = measure(options)
    path = options.output / f"{name}.json"
    save(path, content)
    print(f"{len(content['runs'])} runs in {path}")


def parse_arguments(name, description):
    """Options `quick` and `output`, from the command line."""
    parser = argparse.ArgumentParser(
        prog=f"python -m experiments.{name}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="use tiny sizes, to see that it runs (20 s at most)",
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


def save(path, content):
    """Write `content` as JSON, with every innermost list on one line.

    The file is written completely or not at all.
    """
    text = json.dumps(content, indent=1, allow_nan=False)
    text = re.sub(r"\[[^\[\]{}]*\]", lambda match: re.sub(r"\s+", " ", match[0]), text)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(text + "\n", encoding="utf-8")
    partial.replace(path)


def run(name, output, train, *details):
    """The result of `train(*details)`, from runs/<name>.json if that exists."""
    path = output / "runs" / f"{name}.json"
    if path.exists():
        return json.loads(path.read_text(encoding="utf-8"))
    print(f"training {name}", flush=True)
    started = time.perf_counter()
    result = train(*details)
    seconds = time.perf_counter() - started
    peak = provenance.peak_memory_mb()
    result |= {
        "seconds": round(seconds, 3),
        "peak_memory_mb": None if peak is None else round(peak),
        "date": datetime.date.today().isoformat(),
        "versions": provenance.versions(),
    }
    save(path, result)
    return json.loads(path.read_text(encoding="utf-8"))


def train_to_best(model, train, development, epochs, seed):
    """Train for `epochs`, and leave the model at its best epoch.

    The best epoch has the highest exact match on `development`. Returns what each epoch
    reached, and which was the best, counted from 1.
    """
    from attnlib import metrics

    history = []
    best = -1.0
    for epoch in range(epochs):
        logs = model.fit(train, epochs=1, seed=1000 * seed + epoch, verbose=0).history
        exact = metrics.exact_match(
            translate(model, development), [target for _, target in development]
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
            best = exact
            best_epoch = epoch + 1
            best_weights = model.get_weights()
    model.set_weights(best_weights)
    return {"epochs": history, "best_epoch": best_epoch}


def translate(model, pairs):
    """The model's translations of the sources of `pairs`, as token lists."""
    translations = model.translate([source for source, _ in pairs], verbose=0)
    return [translation.tokens for translation in translations]


def teacher_forced(model, pairs):
    """For each pair, whether the model predicts each next token from the true prefix.

    Boolean arrays (target_len + 1,); the last entry is for <end>.
    """
    batches = model.batches(pairs, 256, False)
    correct = {}
    for rows, (inputs, target) in zip(batches.rows, batches, strict=True):
        predicted = np.argmax(model.predict_on_batch(inputs), -1)  # (batch, target_len)
        # Without <start>, which no step predicts.
        lengths = batches.lengths[1][rows] - 1
        for row, hits, length in zip(rows, predicted == target, lengths, strict=True):
            correct[row] = hits[:length]
    return [correct[row] for row in range(len(pairs))]
