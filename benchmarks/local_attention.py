"""What local attention costs as the source grows: time and memory, beside itself and beside full scoring with a mask.

    python benchmarks/local_attention.py            prints ratios, medians of 31 rounds
    python benchmarks/local_attention.py --quick    a few rounds of small sizes, to see that it runs

16 sentences, 32 queries, width 128, D = 10, general score, predicted centers. A step is forward and backward, with
gradients to query, W_a, W_p and v_p (so to the centers). Sizes take turns in each round. Extra memory is the peak of
one step above what is held before it (inputs and all), in a process of its own; Linux alone can tell.
"""

import argparse
import statistics
import subprocess
import sys
import time

BATCH, QUERIES, WIDTH, HALF_WIDTH = 16, 32, 128, 10


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
        """Every position scored; the window is a mask, the Gaussian comes after, as in the oracle."""
        source_len = tf.shape(values)[1]
        centers = local.centers(query, tf.fill(tf.shape(query)[:1], source_len))[:, :, None]
        places = tf.cast(tf.range(source_len), tf.float32)
        scores = local.compare(query, values)
        scores = tf.where(abs(places - tf.floor(centers)) <= HALF_WIDTH, scores, -1e9)
        weights = tf.nn.softmax(scores) * tf.exp(-((places - centers) ** 2) / (2 * (HALF_WIDTH / 2) ** 2))
        return weights @ values

    forward = {"local": lambda *x: local(*x)[0], "full": masked_full}[kind]

    @tf.function(input_signature=[tf.TensorSpec((None, None, WIDTH))] * 2)
    def step(query, values):
        with tf.GradientTape() as tape:
            tape.watch(query)
            loss = tf.reduce_sum(forward(query, values) ** 2)
        return tape.gradient(loss, [query, *local.trainable_variables])

    def inputs(batch, source_len):
        return tf.random.normal((batch, QUERIES, WIDTH)), tf.random.normal((batch, source_len, WIDTH))

    return step, inputs


def extra_memory_mb(kind, source_len):
    """Peak of one step above what is held before it, measured in a new process; None where that cannot be told."""
    if sys.platform != "linux":
        return None
    done = subprocess.run(
        [sys.executable, __file__, "--memory", kind, str(source_len)], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def measure_memory(kind, source_len):
    def held(field):
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) / 1024 for line in status if line.startswith(field))

    step, inputs = step_of(kind)
    step(*inputs(1, 32))  # so that kernels and threads are there
    step_inputs = inputs(BATCH, source_len)
    with open("/proc/self/clear_refs", "w") as clear:
        clear.write("5")  # the peak starts again from here
    before = held("VmRSS")
    step(*step_inputs)
    print(held("VmHWM") - before)


def times(cases, rounds):
    """Seconds of each case in each round, the cases taking turns; cases: {name: (step, inputs)}."""
    found = {name: [] for name in cases}
    for step, inputs in cases.values():
        step(*inputs)
    for _ in range(rounds):
        for name, (step, inputs) in cases.items():
            started = time.perf_counter()
            [gradient.numpy() for gradient in step(*inputs)]
            found[name].append(time.perf_counter() - started)
    return found


def ratio(one, other):
    """Median of the ratios round by round, and their quartiles."""
    low, middle, high = statistics.quantiles([a / b for a, b in zip(one, other, strict=True)], n=4)
    return f"{middle:6.2f}   ({low:.2f} to {high:.2f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--memory", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory:
        return measure_memory(options.memory[0], int(options.memory[1]))
    short, long, rounds = (64, 256, 5) if options.quick else (256, 16384, 31)
    steps = {kind: step_of(kind) for kind in ("local", "full")}
    cases = {
        (kind, source_len): (step, inputs(BATCH, source_len))
        for kind, (step, inputs) in steps.items()
        for source_len in (short, long)
    }
    query, values = cases["local", long][1]
    for one, other in zip(steps["local"][0](query, values), steps["full"][0](query, values), strict=True):
        assert abs(one - other).numpy().max() < 1e-3 * abs(other).numpy().max() + 1e-4, "the two should be equal"
    found = times(cases, rounds)
    for (kind, source_len), seconds in found.items():
        print(f"{kind:5} {source_len:6} words: {1000 * statistics.median(seconds):8.1f} ms")
    print(f"time, local, {long} against {short} words:  {ratio(found['local', long], found['local', short])}")
    print(f"time, full against local at {long} words: {ratio(found['full', long], found['local', long])}")
    memory = {case: extra_memory_mb(*case) for case in cases}
    if None not in memory.values():
        for (kind, source_len), extra in memory.items():
            print(f"{kind:5} {source_len:6} words: {extra:8.1f} MB above what is held before")
        print(f"memory, local, {long} against {short} words: {memory['local', long] / memory['local', short]:6.2f}")


if __name__ == "__main__":
    main()
