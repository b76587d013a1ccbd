"""Seconds from nothing to something, in a fresh process: python start_up.py
ours|keras|torch import|layer|step

`import` is that alone; `layer` is its first context, `step` the first step of training
on 128 pairs, from the start of the process's own code.
"""

import os
import sys
import time

started = time.perf_counter()
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
UNITS = 128


def ours(what):
    import attnlib

    if what == "layer":
        import numpy as np

        query, values = (
            np.zeros((1, 2, UNITS), np.float32),
            np.zeros((1, 3, UNITS), np.float32),
        )
        attnlib.layers.AdditiveAttention(UNITS)(query, values)[0].numpy()
    if what == "step":
        from attnlib.tasks import numbers

        pairs = numbers.pairs(128)
        attnlib.seq2seq.Seq2Seq.for_pairs(pairs, attention="additive").fit(
            pairs, verbose=0
        )


def keras(what):
    import keras

    if what == "layer":
        import numpy as np

        query, values = (
            np.zeros((1, 2, UNITS), np.float32),
            np.zeros((1, 3, UNITS), np.float32),
        )
        w_query, w_keys = (keras.layers.Dense(UNITS, use_bias=False) for _ in range(2))
        keras.layers.AdditiveAttention()(
            [w_query(query), values, w_keys(values)]
        ).numpy()


def torch(what):
    import torch
    from torch_arms import vocabularies
    from torch_model import Model, optimizer, train_step

    from attnlib.tasks import numbers

    pairs = numbers.pairs(128)
    source_words, target_words = vocabularies(pairs)
    model = Model(len(source_words), len(target_words))
    source = torch.from_numpy(source_words.encode([s for s, _ in pairs])).long()
    target = torch.from_numpy(
        target_words.encode([t for _, t in pairs], start=True, end=True)
    ).long()
    train_step(model, optimizer(model), source, target[:, :-1], target[:, 1:])[0].item()


if __name__ == "__main__":
    {"ours": ours, "keras": keras, "torch": torch}[sys.argv[1]](sys.argv[2])
    print(time.perf_counter() - started)
