"""Pack the part of attnlib that needs no TensorFlow, as sources, for the Python of the
page.

    python -m tools.pack_attnlib attnlib.zip

The sources are packed and not the bytecode, because hints and solutions show them. A
module that is imported by a packed one is packed, too. Exercises in Keras
(``*_keras``), which their chapters' modules load on first use, stay outside.
"""

import argparse
import ast
import zipfile
from pathlib import Path

from tools.build_book import ROOT

# Modules and packages; what they import comes along.
ROOTS = (
    "arguments",
    "checking",
    "exercises",
    "interactive",
    "metrics",
    "numpy_classifier",
    "numpy_translators",
    "plots",
    "quiz",
    "reference",
    "results",
    "tables",
    "tables",
    "vocabulary",
)
NEEDS_TENSORFLOW = "attnlib.backend"
DATA = (".css", ".js")  # packed with the modules of the same folder


def packed_modules(root=ROOT):
    """The modules that are packed.

    Parameters
    ----------
    root : pathlib.Path, optional
        The folder that holds attnlib.

    Returns
    -------
    dict
        {name: path}, in the order of the names.

    Raises
    ------
    ValueError
        If one of them needs TensorFlow, which the page does not have, or is missing.
    """
    known = {
        _name(path.relative_to(root)): path
        for path in sorted((root / "attnlib").rglob("*.py"))
    }
    ahead = {"attnlib": None}
    for each in ROOTS:
        name = f"attnlib.{each}"
        if name not in known:
            raise ValueError(f"there is no {name} to pack")
        ahead |= {m: None for m in known if m == name or m.startswith(f"{name}.")}
    packed = {}
    while ahead:
        name, importer = ahead.popitem()
        if name == NEEDS_TENSORFLOW:
            raise ValueError(f"{importer} imports {name}, so it cannot run in the page")
        if name in packed or name.endswith("_keras"):
            continue
        packed[name] = known[name]
        ahead |= {other: name for other in _imported(known[name], known)}
    return dict(sorted(packed.items()))


def _name(path):
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(path, known):
    """The modules of attnlib that a file imports anywhere, with their packages."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
            names.add(node.module)
    parents = {name.rpartition(".")[0] for name in names}
    return (names | parents) & set(known)


def pack(target, root=ROOT):
    """Write the archive.

    Parameters
    ----------
    target : pathlib.Path
        The archive; its folder exists.
    root : pathlib.Path, optional
        The folder that holds attnlib.

    Returns
    -------
    list of str
        The names of the packed modules.
    """
    modules = packed_modules(root)
    folders = {path.parent for path in modules.values()}
    data = {path for each in folders for path in each.iterdir() if path.suffix in DATA}
    _write(target, root, {*modules.values(), *data})
    return list(modules)


def pack_results(target, root=ROOT):
    """Write an archive of the results that chapters read, for attnlib.results.

    Parameters
    ----------
    target : pathlib.Path
        The archive; its folder exists.
    root : pathlib.Path, optional
        The folder that holds experiments.
    """
    _write(target, root, (root / "experiments" / "results").glob("*.json"))


def pack_weights(target, root=ROOT):
    """Write an archive of trained weights, for attnlib.numpy_translators and
    attnlib.numpy_classifier.

    Parameters
    ----------
    target : pathlib.Path
        The archive; its folder exists.
    root : pathlib.Path, optional
        The folder that holds attnlib.
    """
    folder = root / "attnlib" / "weights"
    _write(target, root, [*folder.glob("*.npz"), *folder.glob("*.json")])


def _write(target, root, paths):
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(paths):
            # With a fixed date, the same sources give the same archive.
            name = path.relative_to(root).as_posix()
            member = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            member.external_attr = 0o644 << 16
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, path.read_bytes(), compresslevel=9)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("target", type=Path, help="the archive to write")
    target = parser.parse_args(arguments).target
    names = pack(target)
    print(f"{target}: {len(names)} modules, {target.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
