"""The machine: what it is, how busy it is, and what its matrix product and its memory
reach.
"""

import importlib.metadata
import os
import platform
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

BUSY = 0.3  # cores used by others, from which on a run is marked


def processor():
    if sys.platform == "linux":
        with open("/proc/cpuinfo") as lines:
            names = [
                line.split(":", 1)[1].strip()
                for line in lines
                if line.startswith("model name")
            ]
        return names[0] if names else platform.machine()
    return platform.processor() or platform.machine()


def versions():
    """Of those that are installed here."""
    found = {"python": platform.python_version()}
    for name in ("tensorflow-cpu", "tensorflow", "keras", "numpy"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


class Load:
    """How many cores other processes use, from the system's own count: Linux alone can
    tell, elsewhere None.

    `others()` gives the mean since the object was made. Of the benchmark's own
    processes, those that have ended by then are told apart from others.
    """

    def __init__(self):
        self.started, self.used = time.perf_counter(), self._used()

    @staticmethod
    def _used():
        if sys.platform != "linux":
            return None
        with open("/proc/stat") as stat:
            ticks = [int(x) for x in stat.readline().split()[1:9]]
        busy = (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf(
            "SC_CLK_TCK"
        )  # all but idle and waiting
        return busy - sum(os.times()[:4])

    def others(self):
        if self.used is None:
            return None
        return max(
            0.0, (self._used() - self.used) / (time.perf_counter() - self.started)
        )


def matrix_product_rate():
    """Floating-point operations a second of a float32 product of 2048 × 2048 matrices
    in TensorFlow.
    """
    from attnlib.backend import tf

    size = 2048
    a = tf.random.normal((size, size))
    return 2 * size**3 / _fastest(lambda: tf.matmul(a, a).numpy())


def memory_bandwidth():
    """Bytes a second, read and written, of copies of 128 MB by every core."""
    cores = os.cpu_count()
    sources = [np.ones(2**25, np.float32) for _ in range(cores)]
    targets = [np.empty_like(source) for source in sources]
    with ThreadPoolExecutor(cores) as pool:
        seconds = _fastest(lambda: list(pool.map(np.copyto, targets, sources)))
    return 2 * sum(source.nbytes for source in sources) / seconds


def _fastest(run, times=7):
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
