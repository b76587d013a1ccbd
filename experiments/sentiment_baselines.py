"""The feeling of a sentence: attention pooling beside simpler ways, on UCI's reviews
and on those of this book.

Also whether the weights find the words that people marked, and what leaving words out
does. UCI's archive is taken from ATTNLIB_DATA, the cache, or a download; the result
holds no sentence of it.
"""

import numpy as np
from _training import arguments, run, save

from attnlib.tasks import reviews

SEEDS = (0, 1, 2, 3, 4)
POOLINGS = ("last state", "mean", "max", "attention")
LINEAR = {
    "words": (1, 1),
    "word pairs": (1, 2),
}  # bag of words: shortest and longest run of words that counts
FULL = {"epochs": 8, "sentences": None}
QUICK = {"epochs": 1, "sentences": 120}


def data(source, seed, sizes):
    """Sentences and labels for training, development and testing; rationales of the
    test sentences, if there are.
    """
    found = reviews.load(source)
    train, test = reviews.split(found.labels, found.origins, seed=seed)
    train, test = train[: sizes["sentences"]], test[: sizes["sentences"]]
    held = len(train) // 10
    parts = [train[held:], train[:held], test]
    gold = None if found.rationales is None else [found.rationales[i] for i in test]
    return [
        ([found.sentences[i] for i in part], np.array([found.labels[i] for i in part]))
        for part in parts
    ], gold


def linear(ngrams, parts):
    """Whether each test sentence is right, by logistic regression on a bag of words; no
    epochs to choose.
    """
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    bag = CountVectorizer(
        tokenizer=reviews.tokens,
        token_pattern=None,
        lowercase=False,
        ngram_range=ngrams,
        binary=True,
    )
    model = make_pipeline(bag, LogisticRegression(max_iter=1000))
    train = parts[0][0] + parts[1][0], np.concatenate([parts[0][1], parts[1][1]])
    model.fit(*train)
    return model.predict(parts[2][0]) == parts[2][1]


def network(pooling, vocabulary_size, units=32):
    """Embedding, a GRU both ways, one vector a sentence by `pooling`, one number.
    Returns it and, for attention, a model of its weights."""
    from attnlib.backend import keras
    from attnlib.layers import AttentionPooling

    tokens = keras.Input((None,), dtype="int32")
    embedded = keras.layers.Embedding(vocabulary_size, 32, mask_zero=True)(tokens)
    embedded = keras.layers.SpatialDropout1D(0.3)(embedded)
    each = pooling != "last state"
    states = keras.layers.Bidirectional(keras.layers.GRU(units, return_sequences=each))(
        embedded
    )
    weights = None
    if pooling == "mean":
        states = keras.layers.GlobalAveragePooling1D()(states)  # heeds the mask
    elif pooling == "max":
        far = keras.layers.Lambda(
            lambda x: (
                x[0] - 1e9 * (1 - keras.ops.cast(x[1] != 0, "float32"))[:, :, None]
            )
        )
        states = keras.layers.GlobalMaxPooling1D()(far([states, tokens]))
    elif pooling == "attention":
        states, weights = AttentionPooling(units)(states)
    logit = keras.layers.Dense(1)(keras.layers.Dropout(0.5)(states))
    model = keras.Model(tokens, logit)
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(
        keras.optimizers.Adam(2e-3),
        loss,
        metrics=[keras.metrics.BinaryAccuracy(threshold=0.0)],
    )
    return model, None if weights is None else keras.Model(tokens, weights)


def gradient_times_input(model, numbers):
    """|gradient of the logit by a word's embedding, times that embedding|: (sentences,
    longest).
    """
    from attnlib.backend import keras, tf

    embedding = next(
        layer for layer in model.layers if isinstance(layer, keras.layers.Embedding)
    )
    with tf.GradientTape() as tape:
        logits = model(numbers)
        loss = tf.reduce_sum(logits)
    gradient = tape.gradient(
        loss, embedding.embeddings
    )  # rows of the table, one a token looked up, in order
    by_token = tf.reshape(gradient.values, (*numbers.shape, -1))
    return np.abs(np.sum(by_token * embedding(numbers), -1))


def plausibility(scores, sentences, gold):
    """Precision at k (k marked words) and AUC, means over sentences: do the highest
    scores stand on marked words?
    """
    from sklearn.metrics import roc_auc_score

    precisions, areas, chance = [], [], []
    for row, sentence, places in zip(scores, sentences, gold, strict=True):
        count = len(reviews.tokens(sentence))
        marked = np.isin(np.arange(count), list(places))
        precisions.append(
            marked[np.argsort(-row[:count], kind="stable")[: len(places)]].mean()
        )
        chance.append(len(places) / count)
        if 0 < marked.sum() < count:
            areas.append(roc_auc_score(marked, row[:count]))
    return [round(float(np.mean(x)), 4) for x in (precisions, areas, chance)]


def deletion(model, numbers, scores, rng):
    """How far the logit moves, on average, when the word with the highest score is made
    unknown; and a random one.
    """
    real = numbers != 0
    before = model.predict(numbers, verbose=0)[:, 0]
    moved = []
    for choice in (
        np.where(real, scores, -1),
        np.where(real, rng.random(numbers.shape), -1),
    ):
        changed = numbers.copy()
        changed[np.arange(len(numbers)), choice.argmax(1)] = 1
        moved.append(
            round(
                float(np.abs(model.predict(changed, verbose=0)[:, 0] - before).mean()),
                4,
            )
        )
    return moved


def train(source, name, seed, sizes):
    parts, gold = data(source, seed, sizes)
    result = {"model": f"{source}: {name}", "seed": seed, **sizes}
    if name in LINEAR:
        right = linear(LINEAR[name], parts)
        return result | {
            "accuracy": round(float(right.mean()), 4),
            "right": right.astype(int).tolist(),
        }

    from attnlib.backend import keras

    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    numbers = reviews.vocabulary(parts[0][0])
    encoded = [
        (reviews.encode(sentences, numbers), labels) for sentences, labels in parts
    ]
    model, weights = network(name, len(numbers) + 2)
    best = -1.0
    for epoch in range(sizes["epochs"]):
        model.fit(*encoded[0], batch_size=32, verbose=0)
        accuracy = model.evaluate(*encoded[1], verbose=0)[1]
        if accuracy > best:
            best, kept, best_epoch = accuracy, model.get_weights(), epoch + 1
    model.set_weights(kept)
    test, labels = encoded[2]
    right = (model.predict(test, verbose=0)[:, 0] > 0) == labels
    result |= {
        "best_epoch": best_epoch,
        "accuracy": round(float(right.mean()), 4),
        "right": right.astype(int).tolist(),
    }
    if weights is not None:
        # On the marked sentences: those of the test set, or, for a model of UCI's, all
        # of this book's.
        sentences, marks = parts[2][0], gold
        if gold is None:
            book = reviews.builtin()
            sentences, marks = book.sentences, book.rationales
        rows = reviews.encode(sentences, numbers)
        scores = {
            "attention": weights.predict(rows, verbose=0),
            "gradient": gradient_times_input(model, rows),
        }
        for kind, values in scores.items():
            found = plausibility(values, sentences, marks)
            result |= {
                f"{kind}_precision": found[0],
                f"{kind}_auc": found[1],
                "chance": found[2],
            }
            moved = deletion(model, rows, values, np.random.default_rng(seed))
            result |= {f"{kind}_deleted": moved[0], "random_deleted": moved[1]}
    return result


def main():
    options = arguments(__doc__.splitlines()[0])
    sizes, seeds = (QUICK, (0,)) if options.quick else (FULL, SEEDS)
    sources = ("builtin",) if options.quick else ("uci", "builtin")
    names = ("attention", "words") if options.quick else (*LINEAR, *POOLINGS)
    results = [
        run(
            f"sentiment-{source}-{name.replace(' ', '_')}-{seed}",
            options.output,
            train,
            source,
            name,
            seed,
            sizes,
        )
        for seed in seeds
        for source in sources
        for name in names
    ]
    save(options.output / "sentiment_baselines.json", {"runs": results})
    print(f"{len(results)} runs in {options.output / 'sentiment_baselines.json'}")


if __name__ == "__main__":
    main()
