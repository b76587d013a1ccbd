"""attnlib's `Seq2Seq` on number words: an epoch, decoding, and a training to 99 % exact
match.

It writes to the folder what the peer needs to do the same: vocabulary sizes, weights
and batches.
"""

import json
import time

import numpy as np

FULL = {
    "pairs": 8000,
    "test": 512,
    "one_by_one": 48,
    "most_epochs": 15,
    "options": {},
    "aim": 0.99,
}
QUICK = {
    "pairs": 120,
    "test": 12,
    "one_by_one": 2,
    "most_epochs": 1,
    "aim": 0.99,
    "options": {"units": 8, "embedding_dim": 4},
}


def task(quick):
    """Pairs to train on, pairs to test on, and the sizes. Needs no TensorFlow."""
    from attnlib.tasks import numbers

    sizes = QUICK if quick else FULL
    train = numbers.pairs(sizes["pairs"])
    return train, numbers.pairs(sizes["test"], seed=1, exclude=train), sizes


def new_model(seed, train, sizes):
    from attnlib.backend import keras
    from attnlib.seq2seq import Seq2Seq

    keras.utils.set_random_seed(seed)
    return Seq2Seq.for_pairs(train, attention="additive", **sizes["options"])


def keep(folder, name, model, train, epochs, seed=0):
    """The model's weights, and the batches of so many epochs, where the peer finds
    them.
    """
    weights = {
        v.path.split("/", 1)[1].replace("/", "."): v.numpy()
        for v in model.trainable_variables
    }
    np.savez(folder / f"{name}.weights.npz", **weights)
    batches, arrays = model.batches(train, seed=seed), {}
    for epoch in range(epochs):
        for place in range(len(batches)):
            (source, before), after = batches[place]
            arrays |= {
                f"{epoch}.{place}.{part}": a
                for part, a in enumerate((source, before, after))
            }
        batches.on_epoch_end()
    np.savez(folder / f"{name}.batches.npz", **arrays)
    sizes = [
        len(model.source_vocabulary),
        len(model.target_vocabulary),
        model.units,
        model.embedding_dim,
    ]
    (folder / f"{name}.json").write_text(json.dumps(sizes))


def exact(translations, pairs):
    return float(
        np.mean(
            [
                words == target
                for words, (_, target) in zip(translations, pairs, strict=True)
            ]
        )
    )


def arms(folder, threads, quick):
    from attnlib import compiling

    train, test, sizes = task(quick)
    model = new_model(0, train, sizes)
    keep(folder, "epoch", model, train, 1)
    batches, compiled = (
        model.batches(train),
        compiling.available(),
    )  # as `fit` has it in a training of fifteen epochs
    model.compile_loops(compiling.shapes_for(model, batches, 1, compiled))
    given, after = batches[0]
    first_loss = float(model.compute_loss(y=after, y_pred=model(given, training=True)))
    sources = [source for source, _ in test]

    def epoch():
        loss = model.fit(train, epochs=1, verbose=0, compiled=compiled).history["loss"][
            -1
        ]
        return [first_loss, loss]

    def translations(sentences):
        return [np.array(t.text) for t in model.translate(sentences, verbose=0)]

    def one_by_one():
        return [
            text
            for source in sources[: sizes["one_by_one"]]
            for text in translations([source])
        ]

    def ready():
        """Keep the weights, after so many epochs that sentences have their usual
        lengths.
        """
        keep(folder, "trained", model, train, 0)
        return [0]

    return {
        "epoch": epoch,
        "ready": ready,
        "batches": lambda: translations(sources),
        "one_by_one": one_by_one,
    }


def until_exact(folder, seed, quick):
    """Wall time from `fit` until the test is written well enough, compilation counted;
    and how many epochs it took.
    """
    from attnlib.backend import keras

    train, test, sizes = task(quick)
    model = new_model(seed, train, sizes)
    keep(folder, f"until{seed}", model, train, sizes["most_epochs"])
    reached = []

    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            found = [
                t.tokens
                for t in model.translate([source for source, _ in test], verbose=0)
            ]
            reached.append(exact(found, test))
            model.stop_training = reached[-1] >= sizes["aim"]

    started = time.perf_counter()
    model.fit(train, epochs=sizes["most_epochs"], callbacks=[Stop()], verbose=0)
    return {"seconds": time.perf_counter() - started, "exact": reached}
