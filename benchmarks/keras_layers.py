"""Keras' built-in attention layers that do the same mathematics, behind the Dense
layers that they need for it.
"""

import os

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from our_layers import QUICK, SIZES, inputs, measured  # noqa: E402


def arms(folder, threads, quick):
    import tensorflow as tf

    if threads:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    import keras

    found = {}
    for size, shape in (QUICK if quick else SIZES).items():
        query, values, mask, upstream, weights = inputs(*shape)
        dense = {
            name: keras.layers.Dense(shape[-1], use_bias=False)
            for name in ("w_query", "w_keys")
        }
        for name, layer in dense.items():
            layer.build((None, None, shape[-1]))
            layer.set_weights([weights[name]])
        w_query, w_keys = dense["w_query"], dense["w_keys"]
        additive, plain = keras.layers.AdditiveAttention(), keras.layers.Attention()
        additive.build([query.shape, values.shape])
        additive.set_weights([weights["v"]])
        # Keras takes [query, values, keys]; the values stay as they are, the keys are
        # what is scored.
        layers = {
            "additive": (
                lambda q, k, m, w=w_query, u=w_keys, a=additive: a(
                    [w(q), k, u(k)], mask=[None, m]
                ),
                [w_query, w_keys, additive],
            ),
            "dot": (lambda q, k, m, a=plain: a([q, k], mask=[None, m]), []),
            "general": (
                lambda q, k, m, w=w_query, a=plain: a([w(q), k], mask=[None, m]),
                [w_query],
            ),
        }
        for name, (forward, used) in layers.items():
            trainable = lambda used=used: [
                v for layer in used for v in layer.trainable_variables
            ]  # noqa: E731
            both = measured(tf, forward, trainable, query, values, mask, upstream)
            for kind, run in zip(("forward", "gradients"), both, strict=True):
                found[f"{name},{kind},{size}".replace(" ", "_")] = run
    return found
