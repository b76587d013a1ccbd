"""A small language model on true sentences about sums: what it learns, what eviction
from its cache does to it, where its heads put the weight that nobody wants, and what
temperature does to truth.

The text is ``attnlib.tasks.sums``: each sentence is one of 1,066 sums, each equally
likely, so no model's loss on a long text can be below ln(1066) / 6 = 1.162 nats per
token. (On a window that begins anywhere in a sentence, the bound is a little higher.)
The model is ``_language_model``, trained on windows of 64 tokens that are cut anywhere.

The runs, by their field "model": "language-model", three seeds. Of each, parameters;
losses, the mean training loss of each 100 steps; accuracy, the share of sums that it
completes with the right number when it always takes the likeliest token, of those in
the text ("train") and of those held out; and

- streams: the model reads streams four times as long as its training windows, one token
  at a time, with a cache of at most "size" tokens (None: no limit) of which the first
  "sinks" of the stream are never evicted. By blocks of eight positions, loss, the mean
  over streams of the loss of the next token; and from position 64 on, where every
  limited cache has begun to evict, loss_late and accuracy_late, the share of answers
  (the tokens after "is") that are the likeliest token.
- first_token_weight, (layers, heads): in windows of 64 tokens, the mean weight that the
  last 32 tokens give to the first; evenly spread, it would be about 0.02.
  period_weight: the same for all periods together, without the first token.
- temperatures: of sentences sampled after a period, at each temperature, how many are
  true, false, and no sentence; and how many different true ones.
"""

import time

import numpy as np

from attnlib.tasks import sums
from experiments._training import main, run

SEEDS = (0, 1, 2)
MODEL = {"units": 64, "heads": 4, "layer_count": 2}
WINDOW, BATCH_SIZE = 64, 32
PEAK, WARM_UP = 8e-3, 50
FULL = {"sentences": 20_000, "steps": 800, "streams": 64, "samples": 100}
QUICK = {"sentences": 200, "steps": 100, "streams": 2, "samples": 4}
CACHES = [(None, 0), *((size, sinks) for size in (16, 64) for sinks in (0, 1, 2, 4))]
TEMPERATURES = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
BLOCK = 8  # positions whose losses are averaged
IDS = {token: i for i, token in enumerate(sums.VOCABULARY)}


def encode(tokens):
    return np.array([IDS[token] for token in tokens])


def windows(ids, n, length, seed):
    """`n` pieces of a text, (n, length), cut anywhere."""
    starts = np.random.default_rng(seed).integers(0, len(ids) - length + 1, n)
    return ids[starts[:, None] + np.arange(length)]


def new_windows(n, length, seed):
    """`n` pieces of a text that no model is trained on."""
    return windows(encode(sums.text(1000, 10**6 + seed)), n, length, seed)


def trained(seed, sizes):
    """A trained model, and the mean loss of each 100 steps."""
    from attnlib.backend import keras
    from experiments._language_model import LanguageModel, UpAndDown

    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    model = LanguageModel(len(IDS), **MODEL)
    steps = sizes["steps"]
    rate = UpAndDown(PEAK, WARM_UP, steps)
    model.compile(
        keras.optimizers.Adam(rate, beta_2=0.99, clipnorm=1.0),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    ids = encode(sums.text(sizes["sentences"], seed))
    losses = []
    for part in range(steps // 100):
        x = windows(ids, 100 * BATCH_SIZE, WINDOW + 1, 1000 * seed + part)
        logs = model.fit(x[:, :-1], x[:, 1:], BATCH_SIZE, verbose=0).history
        losses.append(round(logs["loss"][0], 4))
        print(
            f"  step {100 * part + 100} of {steps}: loss {losses[-1]:.3f}", flush=True
        )
    return model, losses


def accuracy(model, pairs):
    """The share of sums whose answer is the likeliest token. Each follows a period."""
    x = np.array([encode([".", *sums.sentence(a, b)]) for a, b in pairs])  # (n, 7)
    logits = model.predict(x[:, :5], verbose=0)
    return round(float(np.mean(logits[:, -1].argmax(-1) == x[:, 5])), 4)


def reader(model):
    """A function that reads one token of each stream: it takes token IDs (batch,),
    caches, and how many positions to keep, and returns logits and the new caches.
    """
    from attnlib.backend import tf
    from experiments._language_model import evict

    @tf.function(reduce_retracing=True)
    def read(ids, caches, size, sinks):
        caches = evict(caches, size - 1, sinks)  # room for the new one
        logits, caches, _ = model(ids[:, None], caches, return_all=True)
        return logits[:, 0], caches

    return read


def read_streams(model, read, streams, size, sinks):
    """Loss and whether the likeliest token is right: (streams, length - 1) each."""
    from attnlib.backend import keras, tf

    caches = model.empty_caches(len(streams))
    limit = tf.constant(streams.shape[1] if size is None else size)
    losses, hits = [], []
    for now, after in zip(streams.T, streams.T[1:], strict=False):
        logits, caches = read(tf.constant(now), caches, limit, tf.constant(sinks))
        loss = keras.losses.sparse_categorical_crossentropy(
            after, logits, from_logits=True
        )
        losses.append(np.array(loss, float))
        hits.append(np.argmax(logits, -1) == after)
    return np.transpose(losses), np.transpose(hits)


def streaming(model, sizes):
    streams = new_windows(sizes["streams"], 4 * WINDOW + 1, 0)
    answers = streams[:, :-1] == IDS["is"]
    late = np.arange(4 * WINDOW) >= WINDOW
    read, rows = reader(model), []
    for size, sinks in CACHES:
        losses, hits = read_streams(model, read, streams, size, sinks)
        blocks = losses.reshape(len(losses), -1, BLOCK).mean((0, 2))
        rows.append(
            {
                "size": size,
                "sinks": sinks,
                "loss": blocks.round(4).tolist(),
                "loss_late": round(float(losses[:, late].mean()), 4),
                "accuracy_late": round(float(hits[answers & late].mean()), 4),
            }
        )
        print("  cache of", size, "sinks", sinks, rows[-1]["loss_late"], flush=True)
    return rows


def parked_weight(model, sizes):
    """Weight of the last 32 tokens on the first token, and on the other periods:
    (layers, heads) each.
    """
    x = new_windows(sizes["streams"], WINDOW, 1)
    weights = np.array(model(x, return_all=True)[2], float)[..., WINDOW // 2 :, :]
    first = weights[..., 0].mean((1, 3))  # of (layers, batch, heads, 32)
    periods = (x == IDS["."]) & (np.arange(WINDOW) > 0)
    on_periods = np.einsum("lbhts,bs->lbht", weights, periods).mean((1, 3))
    return first.round(4).tolist(), on_periods.round(4).tolist()


def sample(model, read, temperature, samples, seed):
    """Texts of the model, (samples, 60), that follow a period."""
    from attnlib.backend import tf

    random = np.random.default_rng(seed)
    ids = np.full(samples, IDS["."])
    caches, written = model.empty_caches(samples), []
    for _ in range(60):
        logits, caches = read(
            tf.constant(ids), caches, tf.constant(WINDOW), tf.constant(0)
        )
        # The largest of logits / temperature + Gumbel noise is a draw of the softmax.
        noise = random.gumbel(size=logits.shape)
        ids = np.argmax(np.array(logits, float) / temperature + noise, -1)
        written.append(ids)
    return np.transpose(written)


def truths(model, sizes, seed):
    read, rows = reader(model), []
    for temperature in TEMPERATURES:
        written = sample(model, read, temperature, sizes["samples"], seed)
        sentences = [
            sentence
            for ids in written
            for sentence in sums.sentences([sums.VOCABULARY[i] for i in ids])
        ]
        found = [sums.truth(sentence) for sentence in sentences]
        true = {(*s,) for s, truth in zip(sentences, found, strict=True) if truth}
        rows.append(
            {
                "temperature": temperature,
                "true": found.count(True),
                "false": found.count(False),
                "no_sentence": found.count(None),
                "different_true": len(true),
            }
        )
    return rows


def train(seed, sizes):
    started = time.process_time()
    model, losses = trained(seed, sizes)
    seconds = time.process_time() - started
    first, periods = parked_weight(model, sizes)
    return {
        "model": "language-model",
        "seed": seed,
        "options": MODEL,
        "parameters": model.count_params(),
        **sizes,
        "batch_size": BATCH_SIZE,
        "window": WINDOW,
        "losses": losses,
        "training_cpu_seconds": round(seconds, 1),
        "accuracy": {
            part: accuracy(model, sums.pairs(part))
            for part in ("train", "mirrors", "held_out")
        },
        "first_token_weight": first,
        "period_weight": periods,
        "temperatures": truths(model, sizes, seed),
        "streams": streaming(model, sizes),
    }


def measure(options):
    sizes = QUICK if options.quick else FULL
    runs = [
        run(f"language_model-{seed}", options.output, train, seed, sizes)
        for seed in ((0,) if options.quick else SEEDS)
    ]
    return {"block": BLOCK, "runs": runs}


if __name__ == "__main__":
    main("language_model", __doc__, measure)
