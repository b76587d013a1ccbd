"""Local attention as the source grows, next to full scoring with a mask.

16 sentences, 32 queries each, 128 units, D = 10, general score, predicted centers. A
step is forward and backward, with gradients of the query, W_a, W_p, and v_p (and so of
the centers).

    python -m benchmarks.local_attention local 16384

prints the peak memory of one step in MB, beyond what is held before it, such as the
inputs. Only Linux reports it.
"""

import sys

from attnlib.provenance import peak_memory_mb

BATCH, QUERIES, WIDTH, HALF_WIDTH = 16, 32, 128, 10
LENGTHS, QUICK = (256, 16384), (64, 256)


def compiled_step(kind):
    """A compiled step for sources of any length; `kind` is "local" or "full"."""
    from attnlib.backend import keras, tf
    from attnlib.layers import LocalAttention

    keras.utils.set_random_seed(0)
    local = LocalAttention("general", half_width=HALF_WIDTH)
    local(tf.zeros((1, 1, WIDTH)), tf.zeros((1, 1, WIDTH)))

    def attend(query, values):
        if kind == "local":
            return local(query, values)[0]
        return full_attention(local, query, values)

    @tf.function(input_signature=[tf.TensorSpec((None, None, WIDTH))] * 2)
    def step(query, values):
        with tf.GradientTape() as tape:
            tape.watch(query)
            loss = tf.reduce_sum(attend(query, values) ** 2)
        return tape.gradient(loss, [query, *local.trainable_variables])

    return step


def full_attention(local, query, values):
    """The context of `local`, with every position scored.

    The window is a mask, and the Gaussian comes after the softmax, as in the reference
    implementation.
    """
    from attnlib.backend import tf
    from attnlib.scores import general_scores

    batch, source_len = tf.shape(values)[0], tf.shape(values)[1]
    # (batch, target_len, 1)
    centers = local.centers(query, tf.fill([batch], source_len))[:, :, None]
    positions = tf.cast(tf.range(source_len), tf.float32)
    inside = abs(positions - tf.floor(centers)) <= HALF_WIDTH
    scores = general_scores(query, values, local.w)  # (batch, target_len, source_len)
    scores = tf.where(inside, scores, -1e9)
    gaussian = tf.exp(-((positions - centers) ** 2) / (2 * (HALF_WIDTH / 2) ** 2))
    weights = tf.nn.softmax(scores) * gaussian  # (batch, target_len, source_len)
    return weights @ values


def random_inputs(batch, source_len):
    """Query and values."""
    from attnlib.backend import tf

    query = tf.random.normal((batch, QUERIES, WIDTH))
    return query, tf.random.normal((batch, source_len, WIDTH))


def cases(folder, threads, quick):
    def case(step, inputs):
        return lambda: [gradient.numpy() for gradient in step(*inputs)]

    local, full = compiled_step("local"), compiled_step("full")
    short, long = (
        random_inputs(BATCH, source_len) for source_len in (QUICK if quick else LENGTHS)
    )
    return {
        "short": case(local, short),
        "long": case(local, long),
        "full": case(full, long),
    }


def step_memory(kind, source_len):
    """Peak memory of a step beyond what is held before it, in MB."""
    step = compiled_step(kind)
    step(*random_inputs(1, 32))  # starts threads, and loads what TensorFlow needs
    inputs = random_inputs(BATCH, source_len)
    with open("/proc/self/clear_refs", "w") as clear:
        clear.write("5")  # the peak starts again from what is held now
    held = peak_memory_mb()
    step(*inputs)
    return peak_memory_mb() - held


if __name__ == "__main__":
    print(step_memory(sys.argv[1], int(sys.argv[2])))
