"""Three digits on a canvas, and a cue that names one: does the cue select patches
(attention), or does it arrive after the mean?

Both models see the same patches through the same two layers. In one, the cue is the
query of attention over the patches; in the other, the patches are averaged, and the cue
is concatenated to the one vector that is left. Chapter 07 shows the results.
"""

from attnlib.tasks import canvases
from experiments._training import main, run

SEEDS = (0, 1, 2)
FULL = {"train": 12000, "test": 1000, "epochs": 10}
QUICK = {"train": 200, "test": 50, "epochs": 1}
MODELS = ("attention", "mean")


def network(name):
    """The model; and for attention a model of its weights (batch, 1, 81), or None."""
    from attnlib.backend import keras
    from attnlib.layers import AdditiveAttention

    layers = keras.layers
    pixels = keras.Input((24, 24, 3))
    cue = keras.Input((1,), dtype="int32")
    convolution = layers.Conv2D(64, 8, strides=2, activation="relu")
    patches = convolution(pixels)  # (batch, 9, 9, 64)
    patches = layers.Dense(64, activation="relu")(layers.Dropout(0.2)(patches))
    values = layers.Reshape((81, 64))(patches)
    query = layers.Embedding(3, 64)(cue)  # (batch, 1, 64)
    weights = None
    if name == "attention":
        vector, weights = AdditiveAttention(64)(query, values)  # (batch, 1, 64)
    else:
        mean = layers.GlobalAveragePooling1D(keepdims=True)(values)  # (batch, 1, 64)
        vector = layers.Concatenate()([mean, query])  # (batch, 1, 128)
    hidden = layers.Dense(64, activation="relu")(layers.Flatten()(vector))
    model = keras.Model([pixels, cue], layers.Dense(10)(hidden))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(2e-3), loss, metrics=["accuracy"])
    return model, None if weights is None else keras.Model([pixels, cue], weights)


def train(name, seed, sizes):
    from attnlib.backend import keras

    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    train_set = canvases.load(sizes["train"], seed=seed)
    test_set = canvases.load(sizes["test"], "test", seed=100 + seed)
    model, attention_model = network(name)
    model.fit(
        inputs(train_set),
        train_set.digits,
        batch_size=64,
        epochs=sizes["epochs"],
        verbose=0,
    )
    predicted = model.predict(inputs(test_set), verbose=0).argmax(1)
    share = None
    if attention_model is not None:
        weights = attention_model.predict(inputs(test_set), verbose=0)[:, 0]  # (n, 81)
        share = round(share_on_cued_digit(test_set, weights), 4)
    return {
        "model": name,
        "seed": seed,
        **sizes,
        "accuracy": round(float((predicted == test_set.digits).mean()), 4),
        "share": share,
    }


def inputs(canvases):
    return [canvases.pixels, canvases.cues[:, None]]


def share_on_cued_digit(canvases, weights):
    """Mean share of the attention weight that falls on the cued digit's box."""
    on_pixels = canvases.to_pixels(weights)  # (n, 24, 24)
    return float((on_pixels * canvases.cued_box()).sum((1, 2)).mean())


def measure(options):
    sizes = QUICK if options.quick else FULL
    seeds = (0,) if options.quick else SEEDS
    runs = [
        run(f"cued_digits-{name}-{seed}", options.output, train, name, seed, sizes)
        for seed in seeds
        for name in MODELS
    ]
    return {"runs": runs}


if __name__ == "__main__":
    main("cued_digits", __doc__, measure)
