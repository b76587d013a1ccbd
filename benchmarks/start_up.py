"""Seconds from the start of a fresh process until something works:

    python -m benchmarks.start_up ours|keras|torch import|layer|step

`import` is that alone, `layer` is the first context of a layer, and `step` is the first
training step, on 128 pairs. The clock starts with the first line below.
"""

import os
import sys
import time

started = time.perf_counter()
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
UNITS = 128
PAIRS = 128


def ours(what):
    import attnlib

    if what == "layer":
        query, values = layer_inputs()
        attnlib.layers.AdditiveAttention(UNITS)(query, values)[0].numpy()
    if what == "step":
        from attnlib.tasks import numbers

        pairs = numbers.pairs(PAIRS)
        model = attnlib.seq2seq.Seq2Seq.for_pairs(pairs, attention="additive")
        model.fit(pairs, verbose=0)


def keras(what):
    import keras

    if what == "layer":
        query, values = layer_inputs()
        w_query = keras.layers.Dense(UNITS, use_bias=False)
        w_keys = keras.layers.Dense(UNITS, use_bias=False)
        inputs = [w_query(query), values, w_keys(values)]
        keras.layers.AdditiveAttention()(inputs).numpy()


def torch(what):
    import torch

    from attnlib.tasks import numbers
    from benchmarks.torch_cases import vocabularies
    from benchmarks.torch_model import Model, optimizer, train_step

    pairs = numbers.pairs(PAIRS)
    source_words, target_words = vocabularies(pairs)
    model = Model(len(source_words), len(target_words))
    source = source_words.encode([s for s, _ in pairs])
    target = target_words.encode([t for _, t in pairs], start=True, end=True)
    source, target = (torch.from_numpy(x).long() for x in (source, target))
    loss, _ = train_step(model, optimizer(model), source, target[:, :-1], target[:, 1:])
    loss.item()


def layer_inputs():
    """Query and values."""
    import numpy as np

    return np.zeros((1, 2, UNITS), np.float32), np.zeros((1, 3, UNITS), np.float32)


if __name__ == "__main__":
    {"ours": ours, "keras": keras, "torch": torch}[sys.argv[1]](sys.argv[2])
    print(time.perf_counter() - started)
