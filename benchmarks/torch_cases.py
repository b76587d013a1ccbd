"""The baseline of `our_model`: the same model, weights, batches, and sentences in eager
PyTorch.
"""

import json
import time

import numpy as np
import torch

from attnlib.vocabulary import Vocabulary
from benchmarks.our_model import exact_match, task
from benchmarks.torch_model import Model, copy_weights, optimizer, train_step


def load(folder, name):
    """The model with the weights that `our_model` saved as `name`, and its batches, a
    list of epochs.
    """
    model = Model(*json.loads((folder / f"{name}.json").read_text()))
    with np.load(folder / f"{name}.weights.npz") as weights:
        copy_weights(model, weights)
    return model, load_batches(folder, name)


def load_batches(folder, name):
    """A list of epochs, each a list of batches (source, decoder inputs, targets)."""
    epochs = {}
    with np.load(folder / f"{name}.batches.npz") as arrays:
        for key in arrays.files:
            epoch, index, part = map(int, key.split("."))
            batch = epochs.setdefault(epoch, {}).setdefault(index, {})
            batch[part] = torch.from_numpy(arrays[key]).long()
    return [
        [list(batch.values()) for batch in batches.values()]
        for batches in epochs.values()
    ]


def train_epoch(model, adam, batches, schedule=None):
    """Mean loss in nats per real token of batches (source, decoder inputs, targets).

    schedule: of the learning rate, per step.
    """
    total = count = 0
    for source, decoder_inputs, targets in batches:
        loss, _ = train_step(model, adam, source, decoder_inputs, targets)
        if schedule is not None:
            schedule.step()
        real = (targets != 0).sum()
        total += loss * real
        count += real
    return float(total / count)


def translate(model, vocabularies, sentences, batch_size=256):
    """Token lists into token lists, in batches of similar length, as
    `Seq2Seq.translate` does.
    """
    source = vocabularies[0].encode(sentences)
    lengths = (source != 0).sum(1)
    order = np.argsort(lengths, kind="stable")
    translations = [None] * len(sentences)
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        longest = lengths[rows].max()
        words, weights = model.greedy(torch.from_numpy(source[rows, :longest]).long())
        words, weights = words.numpy(), weights.numpy()
        for row, token_ids, alpha in zip(rows, words, weights, strict=True):
            tokens = vocabularies[1].decode(token_ids)
            translations[row] = tokens, alpha[: len(tokens) + 1, : lengths[row]]
    return [tokens for tokens, _ in translations]


def vocabularies(train):
    """Of source and target."""
    return [Vocabulary.of(pair[side] for pair in train) for side in (0, 1)]


def cases(folder, threads, quick):
    torch.set_num_threads(threads or torch.get_num_threads())
    train, test, sizes = task(quick)
    model, (batches,) = load(folder, "epoch")
    adam = optimizer(model)
    both = vocabularies(train)
    sources = [source for source, _ in test]
    with torch.no_grad():
        first_loss = float(model.loss(*batches[0])[0])

    def epoch():
        train_epoch(model, adam, batches)
        return [first_loss]

    def ready():
        """Take over the weights that `our_model` passes on."""
        model.load_state_dict(load(folder, "trained")[0].state_dict())
        return [0]

    def texts(sentences):
        return [
            np.array(" ".join(tokens)) for tokens in translate(model, both, sentences)
        ]

    def one_by_one():
        return [
            text
            for source in sources[: sizes["one_by_one"]]
            for text in texts([source])
        ]

    return {
        "epoch": epoch,
        "ready": ready,
        "batches": lambda: texts(sources),
        "one_by_one": one_by_one,
    }


def until_exact(folder, seed, quick, threads):
    """As `our_model.until_exact`."""
    torch.set_num_threads(threads)
    train, test, sizes = task(quick)
    model, epochs = load(folder, f"until{seed}")
    both = vocabularies(train)
    sources = [source for source, _ in test]
    reached = []
    started = time.perf_counter()
    adam = optimizer(model)
    for batches in epochs:
        train_epoch(model, adam, batches)
        reached.append(exact_match(translate(model, both, sources), test))
        if reached[-1] >= sizes["target_exact_match"]:
            break
    return {"seconds": time.perf_counter() - started, "exact": reached}
