"""Run a command, unless this script is already running another in this folder.

    python -m tools.single_instance make everything

`make test` goes through this script because two test runs at once would delete each
other's pages. The lock is taken on the Makefile itself, so no file is written and no
write access is needed. Make inherits the lock, and the operating system releases it
when make ends, however it ends.
"""

import os
import sys
from pathlib import Path

LOCKED = Path(__file__).resolve().parent.parent / "Makefile"
BUSY = (
    "Another `make test` or `make weekly` is running in this folder: wait for it to"
    " end. Nothing was started."
)


def lock(path):
    """Lock ``path``. Returns a file descriptor, or None if the lock is taken.

    The lock is held while the descriptor is open, in this process or in a child. Where
    the operating system or the file system has no such locks, nothing is locked.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except (ImportError, OSError):  # Windows; some network file systems
        pass
    os.set_inheritable(descriptor, True)
    return descriptor


def main(command):
    if lock(LOCKED) is None:
        print(BUSY, file=sys.stderr)
        return 1
    os.execvp(command[0], command)  # make replaces this process and keeps the lock


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
