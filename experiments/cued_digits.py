"""Three digits on a canvas, and a cue that names one: asked while looking (attention),
or only afterwards (the mean).

Both models see the same patches through the same two layers. One lets the cue's query
choose among them; the other takes their mean and hears the cue when the picture is one
vector already. Chapter 07 trains the first one live.
"""

from _training import arguments, run, save

from attnlib.tasks import canvases

SEEDS = (0, 1, 2)
FULL = {"train": 12000, "test": 1000, "epochs": 10}
QUICK = {"train": 200, "test": 50, "epochs": 1}
MODELS = ("attention", "mean")


def network(name):
    """The model, and for attention one of its weights, (batch, 1, 81)."""
    from attnlib.backend import keras
    from attnlib.layers import AdditiveAttention

    layers = keras.layers
    pixels, cue = keras.Input((24, 24, 3)), keras.Input((1,), dtype="int32")
    patches = layers.Conv2D(64, 8, strides=2, activation="relu")(
        pixels
    )  # (batch, 9, 9, 64)
    patches = layers.Dense(64, activation="relu")(layers.Dropout(0.2)(patches))
    values = layers.Reshape((81, 64))(patches)
    query = layers.Embedding(3, 64)(cue)  # (batch, 1, 64)
    weights = None
    if name == "attention":
        vector, weights = AdditiveAttention(64)(query, values)  # (batch, 1, 64)
    else:
        vector = layers.Concatenate()(
            [layers.GlobalAveragePooling1D(keepdims=True)(values), query]
        )
    hidden = layers.Dense(64, activation="relu")(layers.Flatten()(vector))
    model = keras.Model([pixels, cue], layers.Dense(10)(hidden))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(2e-3), loss, metrics=["accuracy"])
    return model, None if weights is None else keras.Model([pixels, cue], weights)


def train(name, seed, sizes):
    from attnlib.backend import keras

    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    learnt, held = (
        canvases.load(sizes["train"], seed=seed),
        canvases.load(sizes["test"], "test", seed=100 + seed),
    )
    model, looks = network(name)
    model.fit(
        [learnt.pixels, learnt.cues[:, None]],
        learnt.digits,
        batch_size=64,
        epochs=sizes["epochs"],
        verbose=0,
    )
    inputs = [held.pixels, held.cues[:, None]]
    right = model.predict(inputs, verbose=0).argmax(1) == held.digits
    result = {
        "model": name,
        "seed": seed,
        **sizes,
        "accuracy": round(float(right.mean()), 4),
        "share": None,
    }
    if looks is not None:
        shares = (
            held.spread(looks.predict(inputs, verbose=0)[:, 0]) * held.targets()
        ).sum((1, 2))
        result["share"] = round(
            float(shares.mean()), 4
        )  # of the weight, on the cued digit's box
    return result


def main():
    options = arguments(__doc__.splitlines()[0])
    sizes, seeds = (QUICK, (0,)) if options.quick else (FULL, SEEDS)
    results = [
        run(f"cued_digits-{name}-{seed}", options.output, train, name, seed, sizes)
        for seed in seeds
        for name in MODELS
    ]
    save(options.output / "cued_digits.json", {"runs": results})
    print(f"{len(results)} runs in {options.output / 'cued_digits.json'}")


if __name__ == "__main__":
    main()
