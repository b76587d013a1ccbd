"""The peer of `our_model`: the same model, weights, batches and sentences in eager
PyTorch.
"""

import json
import time

import numpy as np
import torch
from our_model import exact, task
from torch_model import Model, copy_weights, optimizer, train_step

from attnlib.vocabulary import Vocabulary


def load(folder, name):
    """The model with the weights kept as `name`, and its batches, a list of epochs."""
    model = Model(*json.loads((folder / f"{name}.json").read_text()))
    with np.load(folder / f"{name}.weights.npz") as weights:
        copy_weights(model, weights)
    epochs = {}
    with np.load(folder / f"{name}.batches.npz") as arrays:
        for key in arrays.files:
            epoch, place, part = map(int, key.split("."))
            epochs.setdefault(epoch, {}).setdefault(place, {})[part] = torch.from_numpy(
                arrays[key]
            ).long()
    return model, [
        [list(batch.values()) for batch in batches.values()]
        for batches in epochs.values()
    ]


def train_epoch(model, adam, batches):
    """Mean loss in nats a real token, of batches (source, before, after)."""
    total = count = 0
    for source, before, after in batches:
        loss, _ = train_step(model, adam, source, before, after)
        real = (after != 0).sum()
        total, count = total + loss * real, count + real
    return float(total / count)


def translate(model, vocabularies, sentences, batch_size=256):
    """Token lists into token lists, in batches of like length, as `Seq2Seq.translate`
    does.
    """
    source = vocabularies[0].encode(sentences)
    lengths = (source != 0).sum(1)
    order, found = np.argsort(lengths, kind="stable"), [None] * len(sentences)
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        words, weights = model.greedy(
            torch.from_numpy(source[rows, : lengths[rows].max()]).long()
        )
        words, weights = words.numpy(), weights.numpy()
        for row, numbers, alpha in zip(rows, words, weights, strict=True):
            tokens = vocabularies[1].decode(numbers)
            found[row] = tokens, alpha[: len(tokens) + 1, : lengths[row]]
    return [tokens for tokens, _ in found]


def vocabularies(train):
    return Vocabulary.of(source for source, _ in train), Vocabulary.of(
        target for _, target in train
    )


def arms(folder, threads, quick):
    torch.set_num_threads(threads or torch.get_num_threads())
    train, test, sizes = task(quick)
    model, (batches,) = load(folder, "epoch")
    adam, both, sources = (
        optimizer(model),
        vocabularies(train),
        [source for source, _ in test],
    )
    with torch.no_grad():
        first_loss = float(model.loss(*batches[0])[0])

    def ready():
        model.load_state_dict(load(folder, "trained")[0].state_dict())
        return [0]

    def texts(sentences):
        return [
            np.array(" ".join(tokens)) for tokens in translate(model, both, sentences)
        ]

    return {
        "epoch": lambda: [first_loss, train_epoch(model, adam, batches)],
        "ready": ready,
        "batches": lambda: texts(sources),
        "one_by_one": lambda: [
            text
            for source in sources[: sizes["one_by_one"]]
            for text in texts([source])
        ],
    }


def until_exact(folder, seed, quick, threads):
    """As `our_model.until_exact`."""
    torch.set_num_threads(threads)
    train, test, sizes = task(quick)
    model, epochs = load(folder, f"until{seed}")
    both, reached = vocabularies(train), []
    started = time.perf_counter()
    adam = optimizer(model)
    for batches in epochs:
        train_epoch(model, adam, batches)
        reached.append(
            exact(translate(model, both, [source for source, _ in test]), test)
        )
        if reached[-1] >= sizes["aim"]:
            break
    return {"seconds": time.perf_counter() - started, "exact": reached}
