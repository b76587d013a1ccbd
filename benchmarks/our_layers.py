"""attnlib's attention layers: forward, and with the gradients to all that they take."""

import numpy as np

# name: sentences, target length, source length, width
SIZES = {"number words": (128, 24, 24, 128), "long sentences": (16, 64, 64, 256)}
QUICK = {"number words": (4, 3, 5, 8)}
LAYERS = ("additive", "dot", "general")


def inputs(batch, target_len, source_len, width):
    """Query, values, mask, what the context is multiplied with for a gradient, and the
    weights, all seeded.
    """
    random = np.random.default_rng(0)
    draw = lambda *shape: random.normal(size=shape).astype(np.float32)  # noqa: E731
    mask = np.arange(source_len) < random.integers(
        source_len // 2, source_len + 1, (batch, 1)
    )
    weights = {name: draw(width, width) / width**0.5 for name in ("w_query", "w_keys")}
    return (
        draw(batch, target_len, width),
        draw(batch, source_len, width),
        mask,
        draw(batch, target_len, width),
        {**weights, "v": draw(width)},
    )


def measured(tf, forward, trainable, query, values, mask, upstream):
    """(forward, with gradients), compiled once for any lengths; each call gives its
    results in NumPy.
    """
    any_length = [None, None, query.shape[-1]]
    signature = [
        tf.TensorSpec(any_length),
        tf.TensorSpec(any_length),
        tf.TensorSpec([None, None], tf.bool),
    ]

    @tf.function(input_signature=signature, autograph=False)
    def only_forward(query, values, mask):
        return forward(query, values, mask)

    @tf.function(
        input_signature=[*signature, tf.TensorSpec(any_length)], autograph=False
    )
    def with_gradients(query, values, mask, upstream):
        with tf.GradientTape() as tape:
            tape.watch([query, values])
            loss = tf.reduce_sum(forward(query, values, mask) * upstream)
        return tape.gradient(loss, [query, values, *trainable()])

    given = [tf.constant(x) for x in (query, values, mask, upstream)]
    return (
        lambda: [only_forward(*given[:3]).numpy()],
        lambda: [gradient.numpy() for gradient in with_gradients(*given)],
    )


def arms(folder, threads, quick):
    from attnlib.backend import tf
    from attnlib.layers import AdditiveAttention, LuongAttention

    found = {}
    for size, shape in (QUICK if quick else SIZES).items():
        query, values, mask, upstream, weights = inputs(*shape)
        layers = {
            "additive": (AdditiveAttention(shape[-1]), ("w_query", "w_keys", "v")),
            "dot": (LuongAttention("dot"), ()),
            "general": (LuongAttention("general"), ("w_query",)),
        }
        for name, (layer, weight_names) in layers.items():
            layer(query[:1], values[:1])
            layer.set_weights([weights[weight] for weight in weight_names])
            forward = lambda q, k, m, layer=layer: layer(q, k, mask=m)[0]  # noqa: E731
            trainable = lambda layer=layer: layer.trainable_variables  # noqa: E731
            both = measured(tf, forward, trainable, query, values, mask, upstream)
            for kind, run in zip(("forward", "gradients"), both, strict=True):
                found[f"{name},{kind},{size}".replace(" ", "_")] = run
    return found
