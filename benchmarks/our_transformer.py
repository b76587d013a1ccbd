"""attnlib's `Transformer`: an epoch of dates, and one of number words, in two sizes of
batches.

It leaves in the folder what the baseline needs to do the same: vocabulary sizes,
weights, and batches.
"""

import importlib
import json

import numpy as np

from benchmarks.our_model import save_batches

TASKS = "dates", "numbers"
FULL = {"pairs": 2000, "batch_sizes": (64, 128), "options": {}}
QUICK = {"pairs": 60, "batch_sizes": (16, 32), "options": {"units": 8, "heads": 2}}


def task_pairs(task, n, **options):
    return importlib.import_module(f"attnlib.tasks.{task}").pairs(n, **options)


def new_model(pairs, sizes):
    from attnlib.backend import keras
    from attnlib.transformer import Transformer

    keras.utils.set_random_seed(0)
    return Transformer.for_pairs(pairs, **sizes["options"])


def save(folder, task, model):
    """Write the model's weights and sizes for the baseline to load."""
    np.savez(folder / f"{task}.weights.npz", *model.get_weights())
    options = model.options
    sizes = [
        len(model.source_vocabulary),
        len(model.target_vocabulary),
        options.units,
        options.heads,
        options.layers,
        options.feed_forward,
    ]
    (folder / f"{task}.json").write_text(json.dumps(sizes))


def names(quick):
    """{name of a case: (task, batch size)}"""
    sizes = (QUICK if quick else FULL)["batch_sizes"]
    return {f"{task},{size}": (task, size) for task in TASKS for size in sizes}


def cases(folder, threads, quick):
    sizes = QUICK if quick else FULL
    pairs = {task: task_pairs(task, sizes["pairs"]) for task in TASKS}
    models = {task: new_model(pairs[task], sizes) for task in TASKS}
    for task, model in models.items():
        save(folder, task, model)

    def epoch(name, task, batch_size):
        model = models[task]
        batches = model.batches(pairs[task], batch_size)
        save_batches(folder, name, batches, 1)
        inputs, targets = model.batches(pairs[task], batch_size)[0]
        loss = float(model.compute_loss(y=targets, y_pred=model(inputs)))

        def run():
            model.fit(pairs[task], batch_size=batch_size, epochs=1, verbose=0)
            return [loss]

        return run

    return {name: epoch(name, *what) for name, what in names(quick).items()}
