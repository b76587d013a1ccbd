"""Time and memory of attention on this CPU, against length, in NumPy alone.

Causal self-attention of one sequence in float32, one head of 64, on one thread, in
three forms, as ``attention_on_gpu`` has them on a GPU:

- "naive": softmax(Q Kᵀ / √d) V as it is written, with all scores in memory;
- "blockwise": the same function by the online softmax, 256 queries against 256 keys at
  a time, without the blocks that are all in the future;
- "window": each token attends to the last 1,024, itself included; 256 queries at a
  time, with the keys that one of them reaches.

Each is a run, by its fields "model" and "length": forward_ms, the median, least, and
greatest wall-clock time of the repetitions; forward_cpu_ms, the same of the processor
time, which depends less on what else the machine does; and forward_extra_mb, the most
memory beyond queries, keys, and values (MB of 10**6 bytes).
max_abs_difference, with the blockwise form, is the greatest distance of its output from
the naive one.
"""

import math
import statistics
import time
import tracemalloc

import numpy as np
from threadpoolctl import threadpool_limits

from attnlib import provenance
from experiments._training import main, run

HEAD_DIM, WINDOW, BLOCK = 64, 1024, 256
LENGTHS = [2**power for power in range(9, 16)]  # 512 … 32,768
ALL_PAIRS_UP_TO = 8192  # for the two forms whose time grows with the square
QUICK_LENGTHS = (512, 1024)


def naive(query, keys, values):
    """Each (length, head_dim), as in the other forms."""
    scores = query @ keys.T / np.float32(math.sqrt(HEAD_DIM))  # (length, length)
    scores[np.tri(len(scores), k=-1, dtype=bool).T] = -np.inf  # the future
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return weights @ values / weights.sum(-1, keepdims=True)


def blockwise(query, keys, values):
    """Milakov and Gimelshein's (2018) running maximum m and sum l, block by block."""
    context = np.empty_like(values)
    for top in range(0, len(query), BLOCK):
        rows = np.arange(top, min(top + BLOCK, len(query)))
        q = query[rows] / np.float32(math.sqrt(HEAD_DIM))
        m = np.full((len(rows), 1), -np.inf, np.float32)
        total = np.zeros((len(rows), 1), np.float32)
        weighted = np.zeros((len(rows), HEAD_DIM), np.float32)
        for left in range(0, top + BLOCK, BLOCK):
            columns = np.arange(left, min(left + BLOCK, len(keys)))
            scores = q @ keys[columns].T  # (rows, columns)
            scores[rows[:, None] < columns] = -np.inf
            new_m = np.maximum(m, scores.max(-1, keepdims=True))
            rescale, weights = np.exp(m - new_m), np.exp(scores - new_m)
            total = total * rescale + weights.sum(-1, keepdims=True)
            weighted = weighted * rescale + weights @ values[columns]
            m = new_m
        context[rows] = weighted / total
    return context


def window(query, keys, values):
    context = np.empty_like(values)
    for top in range(0, len(query), BLOCK):
        rows = np.arange(top, min(top + BLOCK, len(query)))
        columns = np.arange(max(0, top - WINDOW + 1), rows[-1] + 1)
        scores = query[rows] @ keys[columns].T / np.float32(math.sqrt(HEAD_DIM))
        back = rows[:, None] - columns
        scores[(back < 0) | (back >= WINDOW)] = -np.inf
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        total = weights.sum(-1, keepdims=True)
        context[rows] = weights @ values[columns] / total
    return context


FORMS = {"naive": naive, "blockwise": blockwise, "window": window}


def tensors(length):
    random = np.random.default_rng(0)
    return random.standard_normal((3, length, HEAD_DIM), np.float32)


def extra_megabytes(form, arrays):
    tracemalloc.start()
    form(*arrays)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def spread(values):
    return [round(f(values), 3) for f in (statistics.median, min, max)]


def train(name, length, repetitions):
    """Not training, but what the others call it: one run."""
    form, arrays = FORMS[name], tensors(length)
    result = {
        "model": name,
        "length": length,
        "repetitions": repetitions,
        "processor": provenance.processor(),
        "threads": 1,
        "forward_extra_mb": round(extra_megabytes(form, arrays), 3),  # it warms up too
    }
    walls, processors = [], []
    with threadpool_limits(1):
        for _ in range(repetitions):
            wall, processor = time.perf_counter(), time.process_time()
            form(*arrays)
            processors.append(1000 * (time.process_time() - processor))
            walls.append(1000 * (time.perf_counter() - wall))
    result |= {"forward_ms": spread(walls), "forward_cpu_ms": spread(processors)}
    if name == "blockwise":
        distance = np.abs(blockwise(*arrays) - naive(*arrays)).max()
        result["max_abs_difference"] = float(distance)
    return result


def measure(options):
    runs = []
    for length in QUICK_LENGTHS if options.quick else LENGTHS:
        for name in FORMS:
            if name == "window" or length <= ALL_PAIRS_UP_TO:
                repetitions = 7 if length <= 4096 else 3
                details = name, length, repetitions
                key = f"attention_on_cpu-{name}-{length}"
                runs.append(run(key, options.output, train, *details))
    return {
        "head_dim": HEAD_DIM,
        "window": WINDOW,
        "block": BLOCK,
        "dtype": "float32",
        "runs": runs,
    }


if __name__ == "__main__":
    main("attention_on_cpu", __doc__, measure)
