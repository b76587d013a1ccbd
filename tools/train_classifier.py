"""Train the classifier of reviews that attnlib brings, and write its weights.

    ATTNLIB_DATA=<folder> python -m tools.train_classifier

Writes attnlib/weights/reviews.npz, whose arrays are rounded to float16, and
reviews.json beside it: the words that the model knows, how the weights were made, and
what the rounded weights reach on sentences that were not trained on. None of the
sentences themselves is written. It takes about two minutes.
"""

import argparse
import datetime
import time
from pathlib import Path

import numpy as np

from attnlib import provenance
from attnlib.numpy_translators import WEIGHTS
from attnlib.tasks import reviews
from experiments.sentiment_baselines import network
from tools.train_translators import round_weights, save

EPOCHS = 4
SEEDS = 0, 1, 2  # each with a split of its own; the weights of the first are shipped
DATA = (
    "Sentiment Labelled Sentences (UCI Machine Learning Repository, ID 331), by"
    " Kotzias, Denil, de Freitas, and Smyth (2015), CC BY 4.0,"
    " https://creativecommons.org/licenses/by/4.0/"
)


def variables(model):
    """{name: Keras variable} of every parameter, by its name in NumPy.

    Parameters
    ----------
    model : keras.Model
        As ``experiments.sentiment_baselines.network("attention", …)`` returns it.
    """
    from attnlib.backend import keras
    from attnlib.layers import AttentionPooling

    kinds = keras.layers.Embedding, keras.layers.Bidirectional, AttentionPooling
    embedding, encoder, pooling, output = (
        next(layer for layer in model.layers if isinstance(layer, kind))
        for kind in (*kinds, keras.layers.Dense)
    )
    found = {
        "embedding": embedding.embeddings,
        **{name: getattr(pooling, name) for name in ("w", "b", "v")},
        "output_kernel": output.kernel,
        "output_bias": output.bias,
    }
    for name in ("forward", "backward"):
        cell = getattr(encoder, f"{name}_layer").cell
        for part in ("kernel", "recurrent_kernel", "bias"):
            found[f"{name}_{part}"] = getattr(cell, part)
    return found


def train(data, seed, epochs=EPOCHS):
    """A trained network with rounded weights: the model, its weights by name, the IDs
    of its words, and the share of the held-out sentences that it classifies correctly.
    """
    from attnlib.backend import keras

    keras.utils.set_random_seed(seed)
    parts = [
        ([data.sentences[i] for i in part], np.array([data.labels[i] for i in part]))
        for part in reviews.split(data.labels, data.origins, seed=seed)
    ]
    token_ids = reviews.vocabulary(parts[0][0])
    (x, y), (x_test, y_test) = (
        (reviews.encode(sentences, token_ids), labels) for sentences, labels in parts
    )
    model, _ = network("attention", len(token_ids) + 2)
    model.fit(x, y, batch_size=32, epochs=epochs, verbose=0)
    parameters = round_weights(variables(model))
    correct = (model.predict(x_test, verbose=0)[:, 0] > 0) == y_test
    return model, parameters, token_ids, round(float(correct.mean()), 4)


def train_reviews(source="uci", seeds=SEEDS, epochs=EPOCHS):
    """A trained network, its rounded weights, and its description."""
    data = reviews.load(source)
    started = time.perf_counter()
    runs = {seed: train(data, seed, epochs) for seed in seeds}
    model, parameters, token_ids, _ = runs[seeds[0]]
    made = {
        "script": "python -m tools.train_classifier",
        "data": DATA if source == "uci" else source,
        "model": "experiments.sentiment_baselines.network('attention', vocabulary)",
        "epochs": epochs,
        "parameters": model.count_params(),
        "test": "reviews.split(labels, origins, seed=seed)[1]",
        "seed": seeds[0],
        "accuracy_by_seed": {str(seed): run[3] for seed, run in runs.items()},
        "seconds": round(time.perf_counter() - started),
        "date": datetime.date.today().isoformat(),
        "versions": provenance.versions(),
    }
    words = sorted(token_ids, key=token_ids.get)
    description = {"vocabulary": ["<pad>", "<unk>", *words], "provenance": made}
    return model, parameters, description


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=WEIGHTS, help="another folder")
    folder = parser.parse_args(arguments).output
    _, parameters, description = train_reviews()
    save("reviews", parameters, description, folder)
    size = (folder / "reviews.npz").stat().st_size
    reached = description["provenance"]["accuracy_by_seed"]
    print(f"{folder / 'reviews.npz'}: {size / 1000:.0f} kB, {reached}")


if __name__ == "__main__":
    main()
