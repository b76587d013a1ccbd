"""The machine: what it is, how busy it is, and how fast its matrix product and its
memory are.
"""

import os
import platform
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from attnlib.provenance import processor

BUSY = 0.3  # cores used by others, from which on a run is marked as busy


class Load:
    """How many cores other processes use, as Linux counts it; None on other systems.

    `others()` is the mean since the object was made. The benchmark's own processes do
    not count as others, if they have ended by then.
    """

    def __init__(self):
        self.started = time.perf_counter()
        self.used = self._used()

    @staticmethod
    def _used():
        """Seconds of all cores that others have used so far."""
        if sys.platform != "linux":
            return None
        with open("/proc/stat") as stat:
            ticks = [int(x) for x in stat.readline().split()[1:9]]
        busy = sum(ticks) - ticks[3] - ticks[4]  # all but idle and waiting
        return busy / os.sysconf("SC_CLK_TCK") - sum(os.times()[:4])

    def others(self):
        if self.used is None:
            return None
        seconds = time.perf_counter() - self.started
        return max(0.0, (self._used() - self.used) / seconds)


def matrix_product_rate():
    """Floating-point operations per second of a float32 product of 2048 × 2048 matrices
    in TensorFlow.
    """
    from attnlib.backend import tf

    size = 2048
    a = tf.random.normal((size, size))
    return 2 * size**3 / _fastest(lambda: tf.matmul(a, a).numpy())


def memory_bandwidth():
    """Bytes per second, read and written, when every core copies 128 MB."""
    cores = os.cpu_count()
    sources = [np.ones(2**25, np.float32) for _ in range(cores)]
    targets = [np.empty_like(source) for source in sources]
    with ThreadPoolExecutor(cores) as pool:
        seconds = _fastest(lambda: list(pool.map(np.copyto, targets, sources)))
    return 2 * sum(source.nbytes for source in sources) / seconds


def _fastest(run, times=7):
    """Seconds of the fastest run after the first."""
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - started)
    return min(seconds[1:])


def describe():
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "products_per_second": matrix_product_rate(),
        "bytes_per_second": memory_bandwidth(),
    }
