"""Local attention as the source grows, beside itself and beside full scoring with a
mask.

16 sentences, 32 queries, width 128, D = 10, general score, predicted centers. A step is
forward and backward, with gradients to query, W_a, W_p and v_p (so to the centers).

    python benchmarks/local_attention.py local 16384    prints the peak memory of one step above what is held before
                                                        it (inputs and all), in MB;
                                                        Linux alone can tell
"""

import sys

BATCH, QUERIES, WIDTH, HALF_WIDTH = 16, 32, 128, 10
LENGTHS, QUICK = (256, 16384), (64, 256)


def step_of(kind):
    """A compiled step for sources of any length, and a maker of inputs for it."""
    from attnlib.backend import keras, tf
    from attnlib.layers import LocalAttention, LuongAttention

    keras.utils.set_random_seed(0)
    local = LocalAttention("general", half_width=HALF_WIDTH)
    local(tf.zeros((1, 1, WIDTH)), tf.zeros((1, 1, WIDTH)))
    full = LuongAttention("general")
    full(tf.zeros((1, 1, WIDTH)), tf.zeros((1, 1, WIDTH)))

    def masked_full(query, values):
        """Every position scored; the window is a mask, the Gaussian comes after, as in
        the oracle.
        """
        source_len = tf.shape(values)[1]
        centers = local.centers(query, tf.fill(tf.shape(query)[:1], source_len))[
            :, :, None
        ]
        places = tf.cast(tf.range(source_len), tf.float32)
        scores = local.compare(query, values)
        scores = tf.where(abs(places - tf.floor(centers)) <= HALF_WIDTH, scores, -1e9)
        weights = tf.nn.softmax(scores) * tf.exp(
            -((places - centers) ** 2) / (2 * (HALF_WIDTH / 2) ** 2)
        )
        return weights @ values

    forward = {"local": lambda *x: local(*x)[0], "full": masked_full}[kind]

    @tf.function(input_signature=[tf.TensorSpec((None, None, WIDTH))] * 2)
    def step(query, values):
        with tf.GradientTape() as tape:
            tape.watch(query)
            loss = tf.reduce_sum(forward(query, values) ** 2)
        return tape.gradient(loss, [query, *local.trainable_variables])

    def inputs(batch, source_len):
        return tf.random.normal((batch, QUERIES, WIDTH)), tf.random.normal(
            (batch, source_len, WIDTH)
        )

    return step, inputs


def arms(folder, threads, quick):
    short, long = QUICK if quick else LENGTHS
    (local, inputs), (full, _) = step_of("local"), step_of("full")
    at_short, at_long = inputs(BATCH, short), inputs(BATCH, long)
    run = lambda step, given: lambda: [gradient.numpy() for gradient in step(*given)]  # noqa: E731
    return {
        "short": run(local, at_short),
        "long": run(local, at_long),
        "full": run(full, at_long),
    }


def measure_memory(kind, source_len):
    def held(field):
        with open("/proc/self/status") as status:
            return next(
                int(line.split()[1]) / 1024 for line in status if line.startswith(field)
            )

    step, inputs = step_of(kind)
    step(*inputs(1, 32))  # so that kernels and threads are there
    step_inputs = inputs(BATCH, source_len)
    with open("/proc/self/clear_refs", "w") as clear:
        clear.write("5")  # the peak starts again from here
    before = held("VmRSS")
    step(*step_inputs)
    return held("VmHWM") - before


if __name__ == "__main__":
    print(measure_memory(sys.argv[1], int(sys.argv[2])))
