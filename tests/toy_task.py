"""A task that a small model learns in seconds: write each letter as a capital."""

from random import Random

import numpy as np

from attnlib.backend import keras
from attnlib.seq2seq import Seq2Seq
from attnlib.transformer import Transformer


def pairs(n, seed=0, shortest=1, longest=4):
    random = Random(seed)
    sources = [
        [random.choice("abcd") for _ in range(random.randint(shortest, longest))]
        for _ in range(n)
    ]
    return [(source, [letter.upper() for letter in source]) for source in sources]


PAIRS = pairs(48, longest=6)
SOURCES = [source for source, _ in PAIRS]


def model(seed=0, scale=None, **options):
    """A compiled model. scale: its weights are drawn from a normal distribution of that
    width, so that, untrained, it writes varied sentences."""
    keras.utils.set_random_seed(seed)
    model = Seq2Seq.for_pairs(
        PAIRS, **{"units": 8, "embedding_dim": 4, "learning_rate": 1e-2, **options}
    )
    if scale:
        random = np.random.default_rng(seed)
        model.set_weights(
            [random.normal(0, scale, w.shape) for w in model.get_weights()]
        )
    return model


def transformer(seed=0, scale=None, pairs=PAIRS, **options):
    """A compiled Transformer. scale: as for ``model``, for matrices alone, because its
    normalizations need scales near 1."""
    keras.utils.set_random_seed(seed)
    small = {"units": 8, "heads": 2, "warmup_steps": 20, "learning_rate": 1e-2}
    model = Transformer.for_pairs(pairs, **{**small, **options})
    if scale:
        random = np.random.default_rng(seed)
        for weight in model.weights:
            if len(weight.shape) == 2:
                weight.assign(random.normal(0, scale, weight.shape))
    return model
