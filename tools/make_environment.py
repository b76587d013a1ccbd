"""Make .venv, the environment of the book, or bring it up to date.

    python -m tools.make_environment

`make` runs this when it needs the environment. It needs nothing but Python itself, and
it can be repeated: an environment without pip or without its interpreter, and one whose
installation was interrupted, is made again.
"""

import importlib.util
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from shutil import rmtree

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".venv"
PYTHON = FOLDER / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
MARKER = FOLDER / ".installing"  # exists while pip is at work
GIGABYTES = 2.4  # of the finished environment; a test compares it with what is there
KEPT = {"engine"}  # the Python of the pages, which is the same for every environment
HAS_PIP = """\
import sys, pip
sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))"""
NO_NETWORK = re.compile(
    r"Retrying \(|connection broken|NewConnectionError|NameResolutionError|ProxyError"
    r"|Max retries exceeded|Timeout|timed out|unreachable|\(from versions: none\)"
)


class Failure(Exception):
    """Why there is no environment, in words."""


def what_is_wrong():
    """Why an environment that exists cannot be used, in words, or None."""
    if not PYTHON.exists():
        return "its Python is gone"
    check = subprocess.run([PYTHON, "-c", HAS_PIP], capture_output=True)
    if check.returncode != 0:
        return "its Python has no pip, or is not one of 3.11, 3.12, and 3.13"
    if MARKER.exists():
        return "its installation was interrupted"
    return None


def base_python():
    """This Python, or the one beneath it if this is an environment's own."""
    if sys.prefix == sys.base_prefix:
        return sys.executable
    return os.path.realpath(sys.executable)


def make_anew():
    """Empty the folder, and put an environment that holds pip alone into it."""
    if importlib.util.find_spec("ensurepip") is None:
        raise Failure(
            "This Python cannot make an environment, because it comes without"
            " ensurepip.\nOn Debian and Ubuntu: sudo apt install python3-venv"
        )
    python = base_python()  # before the folder that it may stand in is emptied
    for path in FOLDER.iterdir() if FOLDER.is_dir() else ():
        if path.name in KEPT:
            continue
        rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    command = [python, "-m", "venv", FOLDER]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    if done.returncode != 0:
        raise Failure(f"The environment could not be made:\n{done.stdout}{done.stderr}")


def install():
    """Install what requirements.txt names."""
    MARKER.touch()
    command = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command += ["-r", "requirements.txt"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, errors="replace"
    )
    if done.returncode != 0:
        said = done.stdout + done.stderr
        if NO_NETWORK.search(said):
            MARKER.unlink()  # pip downloads everything before it installs anything
            raise Failure(
                "The packages could not be downloaded, because pip reached no package"
                " index.\nConnect this computer to the network and run the command"
                " again."
            )
        raise Failure(f"The packages could not be installed. pip says:\n{said}")
    MARKER.unlink()


def gigabytes(folder):
    """The size of what a folder holds, without what links lead to."""
    return (
        sum(
            os.lstat(os.path.join(place, name)).st_size
            for place, _, names in os.walk(folder)
            for name in names
        )
        / 1e9
    )


def main():
    try:
        if problem := FOLDER.exists() and what_is_wrong():
            print(f".venv is made again, because {problem}.", flush=True)
        if problem or not FOLDER.exists():
            make_anew()
            print(
                f"Installing the packages of the book into .venv: about {GIGABYTES} GB."
                " This takes some minutes, in which nothing is printed.",
                flush=True,
            )
        else:
            print("Bringing .venv up to date, which may take minutes.", flush=True)
        start = time.perf_counter()
        install()
    except Failure as failure:
        print(failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted: the next run begins again.", file=sys.stderr)
        return 130
    minutes = (time.perf_counter() - start) / 60
    print(f"Installed in {minutes:.1f} minutes: {gigabytes(FOLDER):.1f} GB.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
