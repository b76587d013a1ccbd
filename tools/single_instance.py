"""Run a command, unless another is running here under the same care.

    python tools/single_instance.py make everything

`make test` goes through this: two at once would remove each other's pages. The lock
lies on the Makefile itself, so it writes no file, and needs no write access. Make
inherits it, and the system frees it when make ends, however it does.
"""

import os
import sys
from pathlib import Path

LOCKED = Path(__file__).resolve().parent.parent / "Makefile"
BUSY = (
    "Another `make test` or `make weekly` runs in this folder: wait for it to end."
    " Nothing was started."
)


def take(path):
    """A descriptor that holds the lock on `path` while it is open, in this process or a
    child; None if it is held.

    Where the system or the file system knows no such locks, the descriptor is had for
    nothing.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except (ImportError, OSError):  # Windows; some network folders
        pass
    os.set_inheritable(descriptor, True)
    return descriptor


def main(command):
    if take(LOCKED) is None:
        print(BUSY, file=sys.stderr)
        return 1
    os.execvp(command[0], command)  # make takes this process' place, and the lock


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
