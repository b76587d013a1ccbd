"""Train the translators that attnlib brings, and write their weights.

    python -m tools.train_translators

Writes attnlib/weights/dates-additive.npz, whose arrays are rounded to float16, and
dates-additive.json beside it: the vocabularies, how the weights were made, and what the
rounded weights reach on dates that were not trained on. It takes about two minutes.
"""

import argparse
import datetime
import json
import time
from pathlib import Path

import numpy as np

from attnlib import metrics, numpy_translators, provenance
from attnlib.tasks import dates

UNITS, EMBEDDING_DIM = 64, 32
TRAIN, TEST = 20_000, 1000  # pairs
EPOCHS = 12
TEST_SEEDS = 101, 102, 103

# Where each array of attnlib.numpy_translators.BahdanauModel is in a Seq2Seq.
PLACES = {
    "source_embedding": lambda model: model.source_embedding.embeddings,
    "target_embedding": lambda model: model.target_embedding.embeddings,
    "first_state_kernel": lambda model: model.decoder.first_state.kernel,
    "first_state_bias": lambda model: model.decoder.first_state.bias,
    "w_query": lambda model: model.decoder.attention.w_query,
    "w_keys": lambda model: model.decoder.attention.w_keys,
    "v": lambda model: model.decoder.attention.v,
    "output_kernel": lambda model: model.output_layer.kernel,
    "output_bias": lambda model: model.output_layer.bias,
}
CELLS = {
    "forward": lambda model: model.encoder.forward_layer.cell,
    "backward": lambda model: model.encoder.backward_layer.cell,
    "cell": lambda model: model.decoder.cell,
}


def variables(model):
    """{name: Keras variable} of every parameter, by its name in NumPy.

    Parameters
    ----------
    model : attnlib.seq2seq.Seq2Seq
        With additive attention.
    """
    found = {name: place(model) for name, place in PLACES.items()}
    for cell, place in CELLS.items():
        for part in ("kernel", "recurrent_kernel", "bias"):
            found[f"{cell}_{part}"] = getattr(place(model), part)
    return found


def round_weights(model):
    """Round the weights of a model to float16, in place, and return them by name."""
    rounded = {}
    for name, variable in variables(model).items():
        rounded[name] = np.asarray(variable).astype(np.float16)
        variable.assign(rounded[name].astype(np.float32))
    return rounded


def exact_match(model, pairs):
    """The share of pairs that a Keras model translates without any mistake."""
    translations = model.translate([source for source, _ in pairs], verbose=0)
    written = [translation.tokens for translation in translations]
    return metrics.exact_match(written, [target for _, target in pairs])


def train_dates(train_pairs=TRAIN, epochs=EPOCHS, test_pairs=TEST):
    """A trained Seq2Seq for dates with rounded weights, these, and its description."""
    from attnlib.backend import keras
    from attnlib.seq2seq import Seq2Seq

    keras.utils.set_random_seed(0)
    train = dates.pairs(train_pairs)
    options = {"units": UNITS, "embedding_dim": EMBEDDING_DIM}
    model = Seq2Seq.for_pairs(train, attention="additive", **options)
    started = time.perf_counter()
    model.fit(train, epochs=epochs)
    seconds = time.perf_counter() - started
    parameters = round_weights(model)
    reached = {
        str(seed): exact_match(model, dates.pairs(test_pairs, seed=seed, exclude=train))
        for seed in TEST_SEEDS
    }
    made = {
        "script": "python -m tools.train_translators",
        "train": f"dates.pairs({train_pairs})",
        "model": "Seq2Seq.for_pairs(train, attention='additive', "
        f"units={UNITS}, embedding_dim={EMBEDDING_DIM})",
        "epochs": epochs,
        "parameters": model.count_params(),
        "test": f"dates.pairs({test_pairs}, seed=seed, exclude=train)",
        "exact_match_by_seed": reached,
        "seconds": round(seconds),
        "date": datetime.date.today().isoformat(),
        "versions": provenance.versions(),
    }
    vocabularies = {
        "source_vocabulary": model.source_vocabulary.tokens,
        "target_vocabulary": model.target_vocabulary.tokens,
    }
    return model, parameters, {**vocabularies, "provenance": made}


def save(name, parameters, description, folder):
    """Write <name>.npz and <name>.json."""
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(folder / f"{name}.npz", **parameters)
    text = json.dumps(description, indent=1, ensure_ascii=False)
    (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--output", type=Path, default=numpy_translators.WEIGHTS, help="another folder"
    )
    folder = parser.parse_args(arguments).output
    _, parameters, description = train_dates()
    save("dates-additive", parameters, description, folder)
    size = (folder / "dates-additive.npz").stat().st_size
    reached = description["provenance"]["exact_match_by_seed"]
    print(f"{folder / 'dates-additive.npz'}: {size / 1000:.0f} kB, {reached}")


if __name__ == "__main__":
    main()
