"""attnlib's attention layers: forward, and with the gradients of all their inputs and
weights.
"""

import numpy as np

# name: (batch, target_len, source_len, units)
SIZES = {"number words": (128, 24, 24, 128), "long sentences": (16, 64, 64, 256)}
QUICK = {"number words": (4, 3, 5, 8)}


def random_inputs(batch, target_len, source_len, units):
    """Query, values, mask, the gradient of the context, and the weights; all seeded."""
    random = np.random.default_rng(0)

    def draw(*shape):
        return random.normal(size=shape).astype(np.float32)

    lengths = random.integers(source_len // 2, source_len + 1, (batch, 1))
    mask = np.arange(source_len) < lengths  # (batch, source_len)
    weights = {name: draw(units, units) / units**0.5 for name in ("w_query", "w_keys")}
    return (
        draw(batch, target_len, units),
        draw(batch, source_len, units),
        mask,
        draw(batch, target_len, units),
        {**weights, "v": draw(units)},
    )


def compiled(tf, attend, variables, query, values, mask, upstream):
    """{"forward", "gradients"}: functions that return NumPy arrays.

    ``attend(query, values, mask)`` returns the context; ``variables()`` are the layer's
    weights. Both are compiled once, for any lengths.
    """
    sequence = tf.TensorSpec([None, None, query.shape[-1]])
    signature = [sequence, sequence, tf.TensorSpec([None, None], tf.bool)]

    @tf.function(input_signature=signature, autograph=False)
    def forward(query, values, mask):
        return attend(query, values, mask)

    @tf.function(input_signature=[*signature, sequence], autograph=False)
    def gradients(query, values, mask, upstream):
        with tf.GradientTape() as tape:
            tape.watch([query, values])
            loss = tf.reduce_sum(attend(query, values, mask) * upstream)
        return tape.gradient(loss, [query, values, *variables()])

    inputs = [tf.constant(x) for x in (query, values, mask, upstream)]
    return {
        "forward": lambda: [forward(*inputs[:3]).numpy()],
        "gradients": lambda: [gradient.numpy() for gradient in gradients(*inputs)],
    }


def case_name(layer, kind, size):
    return f"{layer},{kind},{size}".replace(" ", "_")


def cases(folder, threads, quick):
    from attnlib.backend import tf
    from attnlib.layers import AdditiveAttention, LuongAttention

    result = {}
    for size, shape in (QUICK if quick else SIZES).items():
        *inputs, weights = random_inputs(*shape)
        query, values, *_ = inputs
        layers = {
            "additive": (AdditiveAttention(shape[-1]), ("w_query", "w_keys", "v")),
            "dot": (LuongAttention("dot"), ()),
            "general": (LuongAttention("general"), ("w_query",)),
        }
        for name, (layer, weight_names) in layers.items():
            layer(query[:1], values[:1])
            layer.set_weights([weights[weight] for weight in weight_names])

            def attend(query, values, mask, layer=layer):
                return layer(query, values, mask=mask)[0]

            def variables(layer=layer):
                return layer.trainable_variables

            for kind, case in compiled(tf, attend, variables, *inputs).items():
                result[case_name(name, kind, size)] = case
    return result
