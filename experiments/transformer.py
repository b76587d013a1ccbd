"""The Transformer next to Bahdanau's and Luong's attention, on number words and on
dates.

Three models of about 230,000 parameters each are trained on the same pairs: the
Transformer, the additive score of Bahdanau et al., and the general score of Luong et
al. (without input feeding). On number words, what they reach is measured by source
length, after training on numbers of every length and on short ones alone. On dates, the
alignment error rate is measured too, of each head of the Transformer by itself.
Further runs on dates take one part of the Transformer away, or move it.

Batches hold sources of like length, as ``fit`` makes them, or, in the runs whose model
ends in "-shuffled", pairs drawn at random.

Each epoch has its exact match on the development set, and the processor seconds (of
both cores together) that training it took. The first epoch traces the graphs.

The runs, by their fields "task" and "model":

- "dates" and "number words": "transformer", "additive", "general"; "short number words"
  (sources of at most 15 tokens): "transformer"; the additive score on them is in
  ``length_curve``, as "additive_short". Of each: parameters, epochs (a list of {"loss",
  "development_exact_match", "cpu_seconds"}), best_epoch, and exact_match on the test
  set, of the weights of the best epoch. On number words also by_length, [low, high,
  count, mean], and token_accuracy_by_length; on dates aer, and head_aer (layers, heads)
  of the Transformer.
- "dates" without a part: "transformer-none" (no positions), "transformer-not-causal",
  "transformer-no-residual", "transformer-post" (post-norm), "transformer-post-held"
  and "transformer-pre-held" (without warm-up: the peak from the first step on).
"""

import time

import numpy as np

from attnlib import metrics
from attnlib.tasks import dates
from experiments import length_curve
from experiments._training import main, run, translate

SEEDS = (0, 1, 2)
PEAK, WARM_UP = 3e-3, 100
# The sizes by which the three have about as many parameters: 224,000 to 239,000.
SIZES = {
    "transformer": {"units": 64, "heads": 4, "layers": 2},
    "additive": {"attention": "additive", "units": 128, "embedding_dim": 64},
    "general": {"attention": "general", "units": 160},
}
SHUFFLED = "-shuffled"
PARTS = {
    "none": {"positions": "none"},
    "not-causal": {"causal": False},
    "no-residual": {"residual": False},
    "post": {"norm": "post"},
    "post-held": {"norm": "post"},
    "pre-held": {},
}
EPOCHS = {"dates": 12, "number words": 16, "short number words": 16}
EPOCHS_OF_PARTS = 8
BATCH_SIZE = 64
FULL = {"pairs": 8000, "per_bin": 100, "development": 300, "test": 500}
QUICK = {"pairs": 200, "per_bin": 3, "development": 20, "test": 20}


def data(task, sizes):
    """Training, development, and test pairs, and the pairs of all vocabularies."""
    if task != "dates":
        kind = "short" if task.startswith("short") else "all"
        pairs = length_curve.data(sizes, kind)
        every = (
            length_curve.data(sizes, "all")[0] + length_curve.data(sizes, "short")[0]
        )
        return *pairs, every + pairs[1] + pairs[2]
    train = dates.pairs(sizes["pairs"], seed=0)
    test = dates.pairs(sizes["test"], seed=100, exclude=train)
    development = dates.pairs(sizes["development"], seed=1, exclude=train + test)
    return train, development, test, train + development + test


def new_model(name, seed, pairs):
    """A compiled model, and its options."""
    from attnlib.backend import keras
    from attnlib.seq2seq import Seq2Seq
    from attnlib.transformer import Transformer

    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    kind, _, part = name.removesuffix(SHUFFLED).partition("-")
    options = SIZES[kind] | (PARTS[part] if part else {})
    if kind != "transformer":
        return Seq2Seq.for_pairs(pairs, **options), options
    rate = PEAK
    if part.endswith("held"):
        rate = held(keras)(PEAK, WARM_UP)
    model = Transformer.for_pairs(
        pairs, learning_rate=rate, warmup_steps=WARM_UP, **options
    )
    return model, options


def held(keras):
    """The schedule ``WarmUp`` without its rise: the peak for as many steps."""

    class Held(keras.optimizers.schedules.LearningRateSchedule):
        def __init__(self, peak, steps):
            self.peak, self.steps = peak, steps

        def __call__(self, step):
            step = keras.ops.cast(step, "float32") + 1.0
            fall = keras.ops.sqrt(self.steps / step)
            return self.peak * keras.ops.minimum(1.0, fall)

        def get_config(self):
            return {"peak": self.peak, "steps": self.steps}

    return Held


def batches(model, pairs, seed, shuffled):
    """Batches for one epoch, of sources of like length, or drawn at random."""
    from attnlib.batches import Batches

    class ShuffledBatches(Batches):
        batches_per_run = 1

    kind = ShuffledBatches if shuffled else Batches
    vocabularies = model.source_vocabulary, model.target_vocabulary
    return kind(pairs, *vocabularies, BATCH_SIZE, seed=seed)


def train_to_best(model, train, development, epochs, seed, shuffled):
    """As in ``_training``, with the processor seconds of each epoch's training."""
    history, best = [], -1.0
    targets = [target for _, target in development]
    for epoch in range(epochs):
        started = time.process_time()
        order = 1000 * seed + epoch
        made = batches(model, train, order, shuffled)
        logs = model.fit(made, verbose=0).history
        seconds = time.process_time() - started
        loss, exact = logs["loss"][-1], 0.0
        if np.isfinite(loss):
            exact = metrics.exact_match(translate(model, development), targets)
        history.append(
            {
                "loss": round(loss, 4) if np.isfinite(loss) else None,
                "development_exact_match": round(exact, 4),
                "cpu_seconds": round(seconds, 2),
            }
        )
        print(f"  epoch {epoch + 1} of {epochs}: exact match {exact:.3f}", flush=True)
        if exact > best:
            best, best_epoch, weights = exact, epoch + 1, model.get_weights()
    model.set_weights(weights)
    return {"epochs": history, "best_epoch": best_epoch}


def train(task, name, seed, sizes, epoch_count):
    train, development, test, pairs = data(task, sizes)
    model, options = new_model(name, seed, pairs)
    result = {
        "task": task,
        "model": name,
        "seed": seed,
        "options": options,
        "parameters": model.count_params(),
        "pairs": len(train),
        "batch_size": BATCH_SIZE,
    }
    shuffled = name.endswith(SHUFFLED)
    result |= train_to_best(model, train, development, epoch_count, seed, shuffled)
    targets = [target for _, target in test]
    translations = translate(model, test)
    result["exact_match"] = round(metrics.exact_match(translations, targets), 4)
    if task != "dates":
        return result | length_curve.evaluate(model, test)
    return result | alignment(model, test)


def alignment(model, test):
    """Alignment error rates on dates: of the mean of all heads, and of each head."""
    weights = model.align(test)
    result = {"aer": round(dates.alignment_error_rate(weights, test), 4)}
    if hasattr(model, "decoder_blocks"):
        heads = model.align(test, heads=True)
        layers, count = heads[0].shape[:2]
        result["head_aer"] = [
            [
                round(dates.alignment_error_rate([w[i, h] for w in heads], test), 4)
                for h in range(count)
            ]
            for i in range(layers)
        ]
    return result


def epochs(task, name):
    return EPOCHS[task] if name.removesuffix(SHUFFLED) in SIZES else EPOCHS_OF_PARTS


def measure(options):
    sizes = QUICK if options.quick else FULL
    names = [("dates", name) for name in SIZES]
    names += [("number words", name) for name in SIZES]
    names += [("dates", name + SHUFFLED) for name in SIZES]
    names += [("number words", "transformer" + SHUFFLED)]
    names += [("dates", f"transformer-{part}") for part in PARTS]
    names += [("short number words", "transformer")]
    if options.quick:
        names = [("dates", "transformer-post-held"), ("number words", "general")]
        names += [("dates", "transformer-shuffled")]
        names += [("short number words", "transformer")]
    runs = [
        run(
            f"transformer-{task.replace(' ', '-')}-{name}-{seed}",
            options.output,
            train,
            *(task, name, seed, sizes, 1 if options.quick else epochs(task, name)),
        )
        for task, name in names
        for seed in ((0,) if options.quick else SEEDS)
    ]
    return {"edges": length_curve.EDGES, "short": length_curve.SHORT, "runs": runs}


if __name__ == "__main__":
    main("transformer", __doc__, measure)
