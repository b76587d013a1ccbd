"""Where a measurement comes from: package versions, the processor, and peak memory."""

import importlib.metadata
import platform
import sys

PACKAGES = ("numpy", "keras", "num2words", "Babel", "tensorflow-cpu", "tensorflow")
"""The packages that a stored number may depend on, by their distribution names.

Both names of TensorFlow are here: ``tensorflow-cpu`` is installed where its prebuilt
packages exist, and ``tensorflow`` elsewhere.
"""


def versions(packages=PACKAGES):
    """Versions of Python and of the packages that are installed.

    Nothing is imported: the versions are those of the installed distributions.

    Parameters
    ----------
    packages : iterable of str
        Distribution names, in the order in which the result lists them. Pass
        ``(*PACKAGES, "torch")`` to include PyTorch.

    Returns
    -------
    dict of str to str
        ``{"python": "3.11.7", "numpy": "2.4.6", ...}``. A package that is not installed
        is left out.
    """
    installed = {"python": platform.python_version()}
    for package in packages:
        try:
            installed[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return installed


def processor():
    """Name of the processor.

    Returns
    -------
    str
        The model name that Linux reports, or what Python's ``platform`` module reports:
        at least the architecture, such as ``"x86_64"``.
    """
    if sys.platform == "linux":
        name = _proc_field("cpuinfo", "model name")
        if name:
            return name
    return platform.processor() or platform.machine()


def peak_memory_mb():
    """Largest amount of memory that this process has held so far.

    Returns
    -------
    float or None
        The peak of the resident set in MB of 2**20 bytes, or None if the system does
        not report it.

    Notes
    -----
    On Linux this is ``VmHWM`` of ``/proc/self/status``, because ``ru_maxrss`` also
    counts what the parent process held when it forked. On Windows it is the peak
    working set, which needs ``psutil``; on macOS it is ``ru_maxrss``, in bytes there.
    """
    if sys.platform == "linux":
        peak = _proc_field("self/status", "VmHWM")  # such as "12345 kB"
        return int(peak.split()[0]) / 2**10 if peak else None
    if sys.platform == "win32":
        try:
            import psutil
        except ImportError:
            return None
        return psutil.Process().memory_info().peak_wset / 2**20
    if sys.platform == "darwin":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return None


def _proc_field(file, field):
    """The first value of `field` in a file of Linux' /proc, or None without one."""
    try:
        with open(f"/proc/{file}", encoding="utf-8") as lines:
            for line in lines:
                name, _, value = line.partition(":")
                if name.strip() == field:
                    return value.strip()
    except OSError:
        pass
    return None
