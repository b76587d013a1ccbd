"""Train the translators that attnlib brings, and write their weights.

    python -m tools.train_translators [dates-additive dates-general ...]

Writes attnlib/weights/<name>.npz, whose arrays are rounded to float16, and <name>.json
beside it: the vocabularies, how the weights were made, and what the rounded weights
reach on dates that were not trained on. It takes about two minutes for each.
"""

import argparse
import datetime
import json
import time
from pathlib import Path

import numpy as np

from attnlib import metrics, numpy_translators, provenance
from attnlib.numpy_translators import _transformer
from attnlib.tasks import dates

OPTIONS = {
    "dates-additive": {"attention": "additive", "units": 64, "embedding_dim": 32},
    "dates-general": {"attention": "general", "units": 64, "embedding_dim": 32},
    "dates-local-p": {
        "attention": "local-p",
        "half_width": 10,
        "units": 64,
        "embedding_dim": 32,
    },
    "dates-transformer": {"units": 64, "heads": 4, "layers": 2},
}  # of each model's Seq2Seq or Transformer
TRAIN, TEST = 20_000, 1000  # pairs
EPOCHS = 12
TEST_SEEDS = 101, 102, 103

# Where each array of the models of attnlib.numpy_translators is in Keras.
PLACES = {
    "source_embedding": lambda model: model.source_embedding.embeddings,
    "target_embedding": lambda model: model.target_embedding.embeddings,
    "output_kernel": lambda model: model.output_layer.kernel,
    "output_bias": lambda model: model.output_layer.bias,
}
PLACES_OF_LUONG = {
    "w_a": lambda model: model.decoder.attention.w,
    "w_c": lambda model: model.decoder.combine.kernel,
}
PLACES_BY_ATTENTION = {
    "additive": {
        "first_state_kernel": lambda model: model.decoder.first_state.kernel,
        "first_state_bias": lambda model: model.decoder.first_state.bias,
        "w_query": lambda model: model.decoder.attention.w_query,
        "w_keys": lambda model: model.decoder.attention.w_keys,
        "v": lambda model: model.decoder.attention.v,
    },
    "general": PLACES_OF_LUONG,
    "local-p": {
        **PLACES_OF_LUONG,
        "w_p": lambda model: model.decoder.attention.w_p,
        "v_p": lambda model: model.decoder.attention.v_p,
    },
}
CELLS = {
    "forward": lambda model: model.encoder.forward_layer.cell,
    "backward": lambda model: model.encoder.backward_layer.cell,
    "cell": lambda model: model.decoder.cell,
}


def new_model(name, *data):
    """An untrained model in Keras, for pairs, or for two vocabularies."""
    from attnlib.seq2seq import Seq2Seq
    from attnlib.transformer import Transformer

    model_class = Transformer if name == "dates-transformer" else Seq2Seq
    make = model_class.for_pairs if len(data) == 1 else model_class
    return make(*data, **OPTIONS[name])


def variables(model):
    """{name: Keras variable} of every parameter, by its name in NumPy.

    Parameters
    ----------
    model : attnlib.seq2seq.Seq2Seq or attnlib.transformer.Transformer
        With ``OPTIONS``.
    """
    found = {name: place(model) for name, place in PLACES.items()}
    if hasattr(model, "decoder_blocks"):
        return found | variables_of_blocks(model)
    for name, place in PLACES_BY_ATTENTION[model.options.attention].items():
        found[name] = place(model)
    for cell, place in CELLS.items():
        for part in ("kernel", "recurrent_kernel", "bias"):
            found[f"{cell}_{part}"] = getattr(place(model), part)
    return found


def variables_of_blocks(model):
    """Those of the blocks of a Transformer, and of the norms behind the last blocks."""
    found = {}

    def add(layer, names, variables):
        for name, variable in zip(names, variables, strict=True):
            found[f"{layer}_{name}"] = variable

    stacks = (
        ("encoder", model.encoder_blocks, _transformer.ENCODER_BLOCK),
        ("decoder", model.decoder_blocks, _transformer.DECODER_BLOCK),
    )
    for (stack, blocks, layers), norm in zip(stacks, model.last_norms, strict=True):
        for number, block in enumerate(blocks, start=1):
            for layer, names in layers.items():
                add(
                    f"{stack}_{number}_{layer}", names, variables_of_layer(block, layer)
                )
        add(f"{stack}_norm", _transformer.NORM, (norm.gamma, norm.beta))
    return found


def variables_of_layer(block, layer):
    """Those of one layer of a block, in the order of their names in NumPy."""
    if layer.startswith("norm_"):
        norm = block.norms[int(layer.removeprefix("norm_")) - 1]
        return norm.gamma, norm.beta
    if layer == "feed_forward":
        hidden, output = block.hidden, block.back
        return hidden.kernel, hidden.bias, output.kernel, output.bias
    is_cross = layer == "cross_attention"
    attention = block.cross_attention if is_cross else block.attention
    parts = "query", "keys", "values", "output"
    return [getattr(attention, f"to_{part}").kernel for part in parts]


def split_into_heads(parameters, heads):
    """The parameters of a Transformer in NumPy's shapes: w_query, w_keys, and w_values
    (units, heads, key_dim) and w_output (heads, key_dim, units). In Keras, all of them
    are (units, units).
    """
    split = {}
    for name, array in parameters.items():
        if name.endswith(("w_query", "w_keys", "w_values")):
            array = array.reshape(len(array), heads, -1)
        elif name.endswith("w_output"):
            array = array.reshape(heads, -1, array.shape[1])
        split[name] = array
    return split


def round_weights(variables):
    """Round variables, {name: Keras variable}, to float16, in place; their values."""
    rounded = {}
    for name, variable in variables.items():
        rounded[name] = np.asarray(variable).astype(np.float16)
        variable.assign(rounded[name].astype(np.float32))
    return rounded


def exact_match(model, pairs):
    """The share of pairs that a Keras model translates without any mistake."""
    translations = model.translate([source for source, _ in pairs], verbose=0)
    written = [translation.tokens for translation in translations]
    return metrics.exact_match(written, [target for _, target in pairs])


def train(name, train_pairs=TRAIN, epochs=EPOCHS, test_pairs=TEST):
    """A trained model in Keras with rounded weights, these, and its description.

    Parameters
    ----------
    name : str
        A key of ``OPTIONS``.
    train_pairs, epochs, test_pairs : int
    """
    from attnlib.backend import keras

    keras.utils.set_random_seed(0)
    pairs, options = dates.pairs(train_pairs), OPTIONS[name]
    model = new_model(name, pairs)
    started = time.perf_counter()
    model.fit(pairs, epochs=epochs)
    seconds = time.perf_counter() - started
    parameters = round_weights(variables(model))
    if "heads" in options:
        parameters = split_into_heads(parameters, options["heads"])
    reached, errors = {}, {}
    for seed in TEST_SEEDS:
        test = dates.pairs(test_pairs, seed=seed, exclude=pairs)
        reached[str(seed)] = exact_match(model, test)
        error = dates.alignment_error_rate(model.align(test), test)
        errors[str(seed)] = round(error, 4)
    listed = ", ".join(f"{option}={value!r}" for option, value in options.items())
    made = {
        "script": f"python -m tools.train_translators {name}",
        "train": f"dates.pairs({train_pairs})",
        "model": f"{type(model).__name__}.for_pairs(train, {listed})",
        "epochs": epochs,
        "parameters": model.count_params(),
        "test": f"dates.pairs({test_pairs}, seed=seed, exclude=train)",
        "exact_match_by_seed": reached,
        "alignment_error_rate_by_seed": errors,
        "seconds": round(seconds),
        "date": datetime.date.today().isoformat(),
        "versions": provenance.versions(),
    }
    description = {
        "source_vocabulary": model.source_vocabulary.tokens,
        "target_vocabulary": model.target_vocabulary.tokens,
        **({"half_width": model.options.half_width} if "half_width" in options else {}),
        "provenance": made,
    }
    return model, parameters, description


def save(name, parameters, description, folder):
    """Write <name>.npz and <name>.json."""
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(folder / f"{name}.npz", **parameters)
    text = json.dumps(description, indent=1, ensure_ascii=False)
    (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help=f"some of {', '.join(OPTIONS)}")
    parser.add_argument(
        "--output", type=Path, default=numpy_translators.WEIGHTS, help="another folder"
    )
    options = parser.parse_args(arguments)
    for name in options.names or OPTIONS:
        if name not in OPTIONS:
            parser.error(f"there is no {name!r}")
        _, parameters, description = train(name)
        save(name, parameters, description, options.output)
        size = (options.output / f"{name}.npz").stat().st_size
        reached = description["provenance"]["exact_match_by_seed"]
        print(f"{options.output / name}.npz: {size / 1000:.0f} kB, {reached}")


if __name__ == "__main__":
    main()
