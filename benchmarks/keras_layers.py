"""Keras' built-in attention layers that compute the same, behind the Dense layers that
they need for it: the baseline of `our_layers`.
"""

import os

from benchmarks.our_layers import QUICK, SIZES, case_name, compiled, random_inputs


def cases(folder, threads, quick):
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    if threads:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    result = {}
    for size, shape in (QUICK if quick else SIZES).items():
        *inputs, weights = random_inputs(*shape)
        query, values, *_ = inputs
        layers = attention_layers(query.shape, values.shape, weights)
        for name, (attend, used) in layers.items():

            def variables(used=used):
                return [v for layer in used for v in layer.trainable_variables]

            for kind, case in compiled(tf, attend, variables, *inputs).items():
                result[case_name(name, kind, size)] = case
    return result


def attention_layers(query_shape, values_shape, weights):
    """{name: (attend, the layers with weights)}."""
    import keras

    def dense(name):
        units = query_shape[-1]
        layer = keras.layers.Dense(units, use_bias=False)
        layer.build((None, None, units))
        layer.set_weights([weights[name]])
        return layer

    w_query, w_keys = dense("w_query"), dense("w_keys")
    additive, dot = keras.layers.AdditiveAttention(), keras.layers.Attention()
    additive.build([query_shape, values_shape])
    additive.set_weights([weights["v"]])

    # Keras takes [query, values, keys]: the values are averaged as they are, and the
    # keys are what is scored.
    def attend_additive(query, values, mask):
        keys = w_keys(values)  # (batch, source_len, units)
        return additive([w_query(query), values, keys], mask=[None, mask])

    def attend_dot(query, values, mask):
        return dot([query, values], mask=[None, mask])

    def attend_general(query, values, mask):
        return dot([w_query(query), values], mask=[None, mask])

    return {
        "additive": (attend_additive, [w_query, w_keys, additive]),
        "dot": (attend_dot, []),
        "general": (attend_general, [w_query]),
    }
