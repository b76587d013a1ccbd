"""attnlib's `Seq2Seq` on number words: an epoch, decoding, and a training until 99 %
exact match.

It leaves in the folder what the baseline needs to do the same: vocabulary sizes,
weights, and batches.
"""

import json
import time

import numpy as np

FULL = {
    "pairs": 8000,
    "test": 512,
    "one_by_one": 48,
    "max_epochs": 15,
    "target_exact_match": 0.99,
    "options": {},
}
QUICK = {
    "pairs": 120,
    "test": 12,
    "one_by_one": 2,
    "max_epochs": 1,
    "target_exact_match": 0.99,
    "options": {"units": 8, "embedding_dim": 4},
}


def task(quick):
    """Pairs to train on, pairs to test on, and the sizes. Needs no TensorFlow."""
    from attnlib.tasks import numbers

    sizes = QUICK if quick else FULL
    train = numbers.pairs(sizes["pairs"])
    return train, numbers.pairs(sizes["test"], seed=1, exclude=train), sizes


def vocabulary_sizes(pairs):
    """Of source and target, including <pad>, <start>, and <end>."""
    return [3 + len({word for pair in pairs for word in pair[side]}) for side in (0, 1)]


def new_model(seed, train, sizes):
    from attnlib.backend import keras
    from attnlib.seq2seq import Seq2Seq

    keras.utils.set_random_seed(seed)
    return Seq2Seq.for_pairs(train, attention="additive", **sizes["options"])


def save(folder, name, model, train, epochs, seed=0):
    """Write the model's weights and sizes, and the batches of so many epochs, for the
    baseline to load.
    """
    weights = {
        v.path.split("/", 1)[1].replace("/", "."): v.numpy()
        for v in model.trainable_variables
    }
    np.savez(folder / f"{name}.weights.npz", **weights)
    save_batches(folder, name, model.batches(train, seed=seed), epochs)
    sizes = [
        len(model.source_vocabulary),
        len(model.target_vocabulary),
        model.units,
        model.options.embedding_dim,
    ]
    (folder / f"{name}.json").write_text(json.dumps(sizes))


def save_batches(folder, name, batches, epochs):
    """Write the batches of so many epochs."""
    arrays = {}
    for epoch in range(epochs):
        for index in range(len(batches)):
            (source, decoder_inputs), targets = batches[index]
            parts = (source, decoder_inputs, targets)
            for part, array in enumerate(parts):
                arrays[f"{epoch}.{index}.{part}"] = array
        batches.on_epoch_end()
    np.savez(folder / f"{name}.batches.npz", **arrays)


def first_loss(model, train):
    """Loss of the first batch of an epoch, in the form that is timed.

    The model's weights are put back.
    """
    weights = model.get_weights()
    first = [train[row] for row in model.batches(train).rows[0]]
    loss = train_epoch(model, first)
    model.set_weights(weights)
    return loss


def train_epoch(model, train):
    """Mean loss of an epoch, in nats per real token.

    The loops are compiled, as `fit` has them in a training of fifteen epochs.
    """
    from attnlib import fast

    with fast.always():
        return model.fit(train, epochs=1, verbose=0).history["loss"][-1]


def cases(folder, threads, quick):
    train, test, sizes = task(quick)
    model = new_model(0, train, sizes)
    save(folder, "epoch", model, train, 1)
    loss = first_loss(model, train)
    sources = [source for source, _ in test]

    def epoch():
        train_epoch(model, train)
        return [loss]

    def translations(sentences):
        return [np.array(t.text) for t in model.translate(sentences, verbose=0)]

    def one_by_one():
        return [
            text
            for source in sources[: sizes["one_by_one"]]
            for text in translations([source])
        ]

    def ready():
        """Pass on the weights: by now the translations have their usual lengths."""
        save(folder, "trained", model, train, 0)
        return [0]

    return {
        "epoch": epoch,
        "ready": ready,
        "batches": lambda: translations(sources),
        "one_by_one": one_by_one,
    }


def until_exact(folder, seed, quick):
    """Seconds from `fit` until enough of the test set is translated exactly, including
    compilation; and the exact match after each epoch.
    """
    from attnlib.backend import keras

    train, test, sizes = task(quick)
    model = new_model(seed, train, sizes)
    save(folder, f"until{seed}", model, train, sizes["max_epochs"])
    reached = []

    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            translations = model.translate([source for source, _ in test], verbose=0)
            reached.append(exact_match([t.tokens for t in translations], test))
            model.stop_training = reached[-1] >= sizes["target_exact_match"]

    started = time.perf_counter()
    model.fit(train, epochs=sizes["max_epochs"], callbacks=[Stop()], verbose=0)
    return {"seconds": time.perf_counter() - started, "exact": reached}


def exact_match(translations, pairs):
    """Share of translations that equal their target."""
    equal = [
        translation == target
        for translation, (_, target) in zip(translations, pairs, strict=True)
    ]
    return float(np.mean(equal))
