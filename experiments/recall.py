"""Recall from a context: softmax attention against linear attention, on key–value
lookup.

A sequence has some pairs of a key and a value, in which no key stands twice, then one
of the keys; the answer is its value. Which value belongs to which key is drawn anew for
each sequence, so it can only be read there. A pair is one vector, the sum of two
learned embeddings of width 64. One attention of one head reads the pairs, and a linear
layer names the value; no positions, since order does not matter.

The runs, by their field "model":

- "softmax": softmax(q · k / √d) over the pairs, with queries and keys of d = 16;
- "linear": φ(q) · φ(k) over its sum, with φ(x) = elu(x) + 1 (Katharopoulos et al.,
  2020), and the same d: its state, the sums of φ(k) vᵀ and of φ(k), has 16 × 64 + 16
  numbers whatever the number of pairs;
- "linear-64": the same with d = 64, a state four times as large;
- "linear-long" and "linear-64-long": the last two with six times as many sequences, for
  64 pairs alone.

Of each, by_pairs: [number of pairs, accuracy on new sequences], each of a model trained
on that number, and losses, their mean loss in training, in which each sequence is seen
once. Chance is one in 32.
"""

import numpy as np

from experiments._training import main, run

SEEDS = (0, 1, 2)
MODELS = {"softmax": 16, "linear": 16, "linear-64": 64}  # name: d
KEYS, VALUES, WIDTH = 64, 32, 64
PAIRS = (4, 8, 16, 32, 64)
BATCH_SIZE, PEAK = 128, 1e-2
FULL = {"train": 60_000, "test": 2000}
LONG, LONG_TRAINING = "-long", {"train": 360_000}
QUICK = {"train": 1000, "test": 100}


def sequences(n, pairs, seed):
    """Keys and values (n, pairs), the asked keys (n, 1), and the answers (n,)."""
    random = np.random.default_rng(seed)
    keys = random.permuted(np.tile(np.arange(KEYS), (n, 1)), axis=1)[:, :pairs]
    values = random.integers(0, VALUES, (n, pairs))
    asked = random.integers(0, pairs, n)
    rows = np.arange(n)
    return (keys, values, keys[rows, asked, None]), values[rows, asked]


def attend(query, keys, values, kind):
    """query (batch, 1, d), keys (batch, pairs, d), values (batch, pairs, width) ->
    context (batch, 1, width).
    """
    from attnlib.backend import keras

    ops = keras.ops
    if kind == "softmax":
        scores = ops.einsum("btd,bsd->bts", query, keys) / query.shape[-1] ** 0.5
        return ops.einsum("bts,bsv->btv", ops.softmax(scores), values)
    query, keys = ops.elu(query) + 1, ops.elu(keys) + 1
    state = ops.einsum("bsd,bsv->bdv", keys, values)  # what a recurrence would keep
    total = ops.einsum("btd,bd->bt", query, ops.sum(keys, 1))
    return ops.einsum("btd,bdv->btv", query, state) / total[..., None]


def dimension(name):
    return MODELS[name.removesuffix(LONG)]


def new_model(name, pairs):
    from attnlib.backend import keras

    layers = keras.layers
    keys, values = (
        keras.Input([pairs], dtype="int32"),
        keras.Input([pairs], dtype="int32"),
    )
    asked = keras.Input([1], dtype="int32")
    of_key, of_value = layers.Embedding(KEYS, WIDTH), layers.Embedding(VALUES, WIDTH)
    x = of_key(keys) + of_value(values)  # (batch, pairs, width)
    d, kind = dimension(name), name.split("-")[0]
    context = layers.Lambda(lambda parts: attend(*parts, kind))(
        [
            layers.Dense(d, use_bias=False)(of_key(asked)),
            layers.Dense(d, use_bias=False)(x),
            layers.Dense(WIDTH, use_bias=False)(x),
        ]
    )
    logits = layers.Dense(VALUES)(context[:, 0])
    return keras.Model([keys, values, asked], logits)


def train(name, seed, sizes, numbers_of_pairs):
    from attnlib.backend import keras

    by_pairs, losses = [], []
    for pairs in numbers_of_pairs:
        keras.backend.clear_session()
        keras.utils.set_random_seed(seed)
        model = new_model(name, pairs)
        steps = -(-sizes["train"] // BATCH_SIZE)
        model.compile(
            keras.optimizers.Adam(
                keras.optimizers.schedules.CosineDecay(PEAK, steps), clipnorm=1.0
            ),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        inputs, answers = sequences(sizes["train"], pairs, seed)
        logs = model.fit(inputs, answers, BATCH_SIZE, verbose=0).history
        losses.append(round(logs["loss"][-1], 4))
        inputs, answers = sequences(sizes["test"], pairs, 1000 + seed)
        logits = model.predict(inputs, batch_size=500, verbose=0)
        by_pairs.append([pairs, round(float(np.mean(logits.argmax(-1) == answers)), 4)])
        print("  pairs and accuracy", by_pairs[-1], "loss", losses[-1], flush=True)
    return {
        "model": name,
        "seed": seed,
        "d": dimension(name),
        "width": WIDTH,
        "parameters": model.count_params(),
        **sizes,
        "batch_size": BATCH_SIZE,
        "losses": losses,
        "by_pairs": by_pairs,
    }


def measure(options):
    sizes = QUICK if options.quick else FULL
    runs = [
        run(f"recall-{name}-{seed}", options.output, train, name, seed, sizes, PAIRS)
        for name in (("linear",) if options.quick else MODELS)
        for seed in ((0,) if options.quick else SEEDS)
    ]
    for name in () if options.quick else ("linear" + LONG, "linear-64" + LONG):
        details = sizes | LONG_TRAINING, PAIRS[-1:]
        runs += [
            run(f"recall-{name}-{seed}", options.output, train, name, seed, *details)
            for seed in SEEDS
        ]
    return {"keys": KEYS, "values": VALUES, "runs": runs}


if __name__ == "__main__":
    main("recall", __doc__, measure)
