"""Sentiment of a sentence: attention pooling and its baselines, on UCI's reviews and on
those of this book.

It also measures whether the weights find the words that people annotated, and what
leaving words out does. UCI's archive is taken from ATTNLIB_DATA, the cache, or a
download; the result holds no sentence of it.
"""

import numpy as np

from attnlib.tasks import reviews
from experiments._training import main, run

SEEDS = (0, 1, 2, 3, 4)
POOLINGS = ("last state", "mean", "max", "attention")
# Bag of words: the shortest and the longest n-gram that counts.
LINEAR = {"words": (1, 1), "word pairs": (1, 2)}
FULL = {"epochs": 8, "sentences": None}
QUICK = {"epochs": 1, "sentences": 120}


def data(source, seed, sizes):
    """(sentences, labels) for training, development, and testing; and the rationales of
    the test sentences, None if there are none.
    """
    loaded = reviews.load(source)
    train, test = reviews.split(loaded.labels, loaded.origins, seed=seed)
    train = train[: sizes["sentences"]]
    test = test[: sizes["sentences"]]
    held_out = len(train) // 10
    parts = [
        (
            [loaded.sentences[i] for i in part],
            np.array([loaded.labels[i] for i in part]),
        )
        for part in (train[held_out:], train[:held_out], test)
    ]
    if loaded.rationales is None:
        return parts, None
    return parts, [loaded.rationales[i] for i in test]


def train(source, name, seed, sizes):
    parts, rationales = data(source, seed, sizes)
    result = {"model": f"{source}: {name}", "seed": seed, **sizes}
    if name in LINEAR:
        return result | accuracy(linear(LINEAR[name], parts))

    from attnlib.backend import keras

    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    token_ids = reviews.vocabulary(parts[0][0])
    encoded = [
        (reviews.encode(sentences, token_ids), labels) for sentences, labels in parts
    ]
    model, attention_model = network(name, len(token_ids) + 2)
    result["best_epoch"] = train_to_best(model, *encoded[:2], sizes["epochs"])
    tokens, labels = encoded[2]
    result |= accuracy((model.predict(tokens, verbose=0)[:, 0] > 0) == labels)
    if attention_model is not None:
        sentences = parts[2][0]
        if rationales is None:  # of UCI's reviews: use all annotated ones of this book
            annotated = reviews.load_builtin()
            sentences, rationales = annotated.sentences, annotated.rationales
        result |= explanations(
            model, attention_model, sentences, rationales, token_ids, seed
        )
    return result


def accuracy(correct):
    """`correct`: for each test sentence, whether it is classified correctly."""
    return {
        "accuracy": round(float(correct.mean()), 4),
        "right": correct.astype(int).tolist(),
    }


def linear(ngrams, parts):
    """For each test sentence, whether logistic regression on a bag of n-grams is
    correct. It has no epochs to choose, so it also trains on the development set.
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
    train, development, test = parts
    labels = np.concatenate([train[1], development[1]])
    model.fit(train[0] + development[0], labels)
    return model.predict(test[0]) == test[1]


def network(pooling, vocabulary_size, units=32):
    """Embedding, a bidirectional GRU, one vector per sentence by `pooling`, one logit.

    Returns the model, and for attention a model of its weights, else None.
    """
    from attnlib.backend import keras

    layers = keras.layers
    tokens = keras.Input((None,), dtype="int32")
    embedded = layers.Embedding(vocabulary_size, 32, mask_zero=True)(tokens)
    embedded = layers.SpatialDropout1D(0.3)(embedded)
    gru = layers.GRU(units, return_sequences=pooling != "last state")
    states = layers.Bidirectional(gru)(embedded)
    vector, weights = pool(pooling, states, tokens, units)  # (batch, 2 units)
    model = keras.Model(tokens, layers.Dense(1)(layers.Dropout(0.5)(vector)))
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    metric = keras.metrics.BinaryAccuracy(threshold=0.0)
    model.compile(keras.optimizers.Adam(2e-3), loss, metrics=[metric])
    return model, None if weights is None else keras.Model(tokens, weights)


def pool(pooling, states, tokens, units):
    """One vector per sentence, and the attention weights or None."""
    from attnlib.backend import keras
    from attnlib.layers import AttentionPooling

    def lower_padding(inputs):
        states, tokens = inputs
        padded = 1 - keras.ops.cast(tokens != 0, "float32")  # (batch, source_len)
        return states - 1e9 * padded[:, :, None]

    if pooling == "attention":
        return AttentionPooling(units)(states)
    if pooling == "mean":
        return keras.layers.GlobalAveragePooling1D()(states), None  # respects the mask
    if pooling == "max":
        lowered = keras.layers.Lambda(lower_padding)([states, tokens])
        return keras.layers.GlobalMaxPooling1D()(lowered), None
    return states, None  # the last state is one vector already


def train_to_best(model, train, development, epochs):
    """Train, and leave the model at its best epoch on the development set: its number,
    counted from 1.
    """
    best = -1.0
    for epoch in range(epochs):
        model.fit(*train, batch_size=32, verbose=0)
        reached = model.evaluate(*development, verbose=0)[1]
        if reached > best:
            best = reached
            best_epoch = epoch + 1
            best_weights = model.get_weights()
    model.set_weights(best_weights)
    return best_epoch


def explanations(model, attention_model, sentences, rationales, token_ids, seed):
    """Plausibility and faithfulness of attention weights and of gradient × input."""
    tokens = reviews.encode(sentences, token_ids)
    scores = {
        "attention": attention_model.predict(tokens, verbose=0),
        "gradient": gradient_times_input(model, tokens),
    }
    result = {}
    for kind, values in scores.items():
        precision, auc, chance = plausibility(values, sentences, rationales)
        result[f"{kind}_precision"] = precision
        result[f"{kind}_auc"] = auc
        result["chance"] = chance
        highest, random = leave_out_one_word(
            model, tokens, values, np.random.default_rng(seed)
        )
        result[f"{kind}_deleted"] = highest
        result["random_deleted"] = random
    return result


def gradient_times_input(model, tokens):
    """|gradient of the logit with respect to a word's embedding × that embedding|:
    (sentences, longest).
    """
    from attnlib.backend import keras, tf

    embedding = next(
        layer for layer in model.layers if isinstance(layer, keras.layers.Embedding)
    )
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(tokens))
    # Rows of the table, one per token that was looked up, in order.
    gradient = tape.gradient(loss, embedding.embeddings)
    # (sentences, longest, embedding_dim)
    by_token = tf.reshape(gradient.values, (*tokens.shape, -1))
    return np.abs(np.sum(by_token * embedding(tokens), -1))


def plausibility(scores, sentences, rationales):
    """Do the highest scores stand on annotated words? Means over sentences of the
    R-precision, of the AUC, and of the R-precision at chance level.
    """
    from sklearn.metrics import roc_auc_score

    precisions = []
    areas = []
    chance = []
    for row, sentence, positions in zip(scores, sentences, rationales, strict=True):
        count = len(reviews.tokens(sentence))
        annotated = np.isin(np.arange(count), list(positions))
        highest = np.argsort(-row[:count], kind="stable")[: len(positions)]
        precisions.append(annotated[highest].mean())
        chance.append(len(positions) / count)
        if 0 < annotated.sum() < count:
            areas.append(roc_auc_score(annotated, row[:count]))
    return [round(float(np.mean(x)), 4) for x in (precisions, areas, chance)]


def leave_out_one_word(model, tokens, scores, rng):
    """How far the logit moves on average when one word is left out: the word with the
    highest score, and a random one.
    """
    positions = np.arange(tokens.shape[1])
    real = tokens != 0
    original = model.predict(tokens, verbose=0)[:, 0]
    moved = []
    for values in (scores, rng.random(tokens.shape)):
        chosen = np.where(real, values, -1).argmax(1)
        rest = tokens[positions != chosen[:, None]]
        rest = rest.reshape(len(tokens), -1)  # (sentences, longest - 1)
        fall = original - model.predict(rest, verbose=0)[:, 0]
        moved.append(round(float(np.abs(fall).mean()), 4))
    return moved


def measure(options):
    sizes = QUICK if options.quick else FULL
    seeds = (0,) if options.quick else SEEDS
    sources = ("builtin",) if options.quick else ("uci", "builtin")
    names = ("attention", "words") if options.quick else (*LINEAR, *POOLINGS)
    runs = [
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
    return {"runs": runs}


if __name__ == "__main__":
    main("sentiment_baselines", __doc__, measure)
