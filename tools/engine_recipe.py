"""What is made of the files that ``engine`` has gathered: archives for the page.

Pyodide ships Python sources, and each start would compile about three hundred modules.
They are compiled here, once, by Pyodide itself in Node. What no page of the book can
use is left out. The recipe is part of the engine's hash: after a change here, the next
build makes a new engine. Run every exercise in it after a change of what is left out.
"""

import fnmatch
import json
import re
import shutil
import subprocess
import tempfile
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
SCRIPT, COMPILER = HERE / "engine_compile.mjs", HERE / "engine_compile.py"
FILES = (Path(__file__).resolve(), SCRIPT, COMPILER)  # what the result depends on
COPIED = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm")
SECONDS = 600  # for compiling, on a slow machine

# Each archive of the page, and the packages in it.
PARTS = {
    "std.zip": ("python_stdlib",),
    "numpy.zip": ("numpy",),
    "matplotlib.zip": (
        *("matplotlib", "contourpy", "cycler", "kiwisolver", "packaging", "pillow"),
        *("pyparsing", "python_dateutil", "six"),
    ),
}
# The licenses of what is in the archives. The texts of Pyodide's and Python's are in
# none of the files; all others are copied.
LICENSES = {
    "pyodide": "MPL-2.0",
    "python": "PSF-2.0",
    "numpy": "BSD-3-Clause AND 0BSD AND MIT AND Zlib AND CC0-1.0",
    "matplotlib": "PSF-2.0-like, and the license of the DejaVu fonts",
    "contourpy": "BSD-3-Clause",
    "cycler": "BSD-3-Clause",
    "kiwisolver": "BSD-3-Clause",
    "packaging": "Apache-2.0 OR BSD-2-Clause",
    "pillow": "MIT-CMU",
    "pyparsing": "MIT",
    "python_dateutil": "Apache-2.0 AND BSD-3-Clause",
    "six": "MIT",
}
LICENSE_TEXTS = re.compile(
    r"dist-info/(licenses/)?(.*/)?(LICEN[CS]E|COPYING)[^/]*$|/LICENSE_DEJAVU$"
)

# Patterns of what is left out; * matches a slash, too.
LEFT_OUT_EVERYWHERE = (
    *("*/", "*.dist-info/*", "*/tests/*", "*/conftest.py", "*.typed", "*.md", "*.rst"),
    *("*.pyi", "*.pxd", "*.pyx", "*.h", "*.c", "*.a", "*.txt", "*/LICENSE*"),
)
LEFT_OUT = {
    "python_stdlib": (
        *("wsgiref/*", "xmlrpc/*", "multiprocessing/*", "_pyrepl/*", "sqlite3/*"),
        *("venv/*", "idlelib/*", "tkinter/*", "ensurepip/*", "pydoc_data/*"),
        *("turtle*", "__phello__/*", "__hello__.py", "*.ini"),
        *("ftplib.py", "imaplib.py", "mailbox.py", "poplib.py", "smtplib.py"),
        *("doctest.py", "pdb.py", "pty.py", "tty.py", "nturl2path.py"),
        *("ctypes/macholib/*", "ctypes/_aix.py", "ctypes/wintypes.py"),
    ),
    "numpy": (
        *("numpy/f2py/*", "numpy/doc/*", "numpy/_pyinstaller/*", "*.template"),
        *("numpy/_core/include/*", "numpy/_core/lib/*", "numpy/random/lib/*"),
        *("numpy/random/_examples/*", "numpy/_configtool.py"),
        "numpy/typing/mypy_plugin.py",
    ),
    "matplotlib": (
        *("matplotlib/testing/*", "matplotlib/sphinxext/*", "*/sample_data/*"),
        *("*/mpl-data/images/*", "*/fonts/afm/*", "*/fonts/pdfcorefonts/*"),
        *("*/ttf/STIX*", "*/ttf/DejaVuSerif*", "*/ttf/Humor-Sans.ttf"),
        *("*/ttf/DejaVuSansMono-*", "*/ttf/DejaVuSans-BoldOblique.ttf"),
        *("*/stylelib/*", "*/mpl-data/plot_directive/*", "*.lua"),
        *("mpl_toolkits/axes_grid1/*", "mpl_toolkits/axisartist/*"),
        *("*/backends/web_backend/*", "*/backends/_backend_[gpt]*", "*/_tkagg*"),
        *(f"*/backends/backend_{name}*" for name in ("cairo", "gtk", "macosx")),
        *(f"*/backends/backend_{name}*" for name in ("nbagg", "p", "qt", "svg")),
        *(f"*/backends/backend_{name}*" for name in ("t", "web", "wx", "mixed")),
        "*/backends/qt_compat.py",
    ),
    "pillow": (
        *("PIL/_webp.*", "PIL/_imagingft.*", "PIL/_imagingtk.*", "PIL/_imagingcms.*"),
        *("PIL/AvifImagePlugin.py", "PIL/WebPImagePlugin.py", "PIL/ImageCms.py"),
        *("PIL/ImageQt.py", "PIL/ImageTk.py", "PIL/ImageWin.py"),
        "PIL/_tkinter_finder.py",
    ),
}


class CompileError(Exception):
    """What Pyodide said when it could not compile."""


def make(lock, files, target, node):
    """Make the engine's files.

    Parameters
    ----------
    lock : dict
        What ``engine.read_lock`` returns.
    files : pathlib.Path
        A folder with every file of the lock.
    target : pathlib.Path
        An empty folder, which gets Pyodide's core, one archive per part, a lock for
        ``loadPyodide``, and the licenses.
    node : str
        The path of a Node.

    Raises
    ------
    CompileError
        If Pyodide cannot be run in this Node, or fails.
    """
    for name in COPIED:
        shutil.copyfile(files / name, target / name)
    smallest = json.dumps({"info": lock["info"], "packages": {}})
    (target / "pyodide-lock.json").write_text(smallest, "utf-8")
    copy_licenses(lock, files, target / "licenses")
    with tempfile.TemporaryDirectory(dir=target.parent) as staged:
        for part, packages in PARTS.items():
            paths = {name: files / file_of(lock, name) for name in packages}
            with zipfile.ZipFile(Path(staged) / part, "w") as archive:
                for name, path in paths.items():
                    for member, content in trimmed(name, path):
                        archive.writestr(member, content)
        compile_archives(lock, files, staged, target, node)


def file_of(lock, package):
    """The name of a package's file in the lock."""
    names = [entry["name"] for entry in lock["files"]]
    return next(name for name in names if re.match(package + r"[-.]", name))


def trimmed(package, path):
    """The (name, content) pairs of a package's archive, without what is left out."""
    patterns = LEFT_OUT_EVERYWHERE + LEFT_OUT.get(package, ())
    with zipfile.ZipFile(path) as archive:
        names = [
            name
            for name in archive.namelist()
            if not any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
        ]
        for name in names:
            content = archive.read(name)
            if name == "matplotlib/fontlist.json":
                content = with_stand_ins(content, names)
            yield name, content


def with_stand_ins(content, names):
    """Matplotlib's list of fonts, for the files that are left.

    Each formula in a figure looks for every STIX font, to have a glyph that DejaVu Sans
    lacks, and would warn nineteen times that there is none. So DejaVu Sans stands in.
    """
    fonts = json.loads(content)
    for kind in ("ttflist", "afmlist"):
        listed, fonts[kind] = fonts[kind], []
        for font in listed:
            if f"matplotlib/mpl-data/{font['fname']}" in names:
                fonts[kind].append(font)
            elif font["name"].startswith("STIX"):
                fonts[kind].append({**font, "fname": "fonts/ttf/DejaVuSans.ttf"})
    return json.dumps(fonts).encode()


def copy_licenses(lock, files, folder):
    """Write one text per package, with every license in it, before anything is left
    out.
    """
    folder.mkdir()
    for package in LICENSES:
        if package in ("pyodide", "python"):
            continue
        with zipfile.ZipFile(files / file_of(lock, package)) as archive:
            texts = [
                f"{name}\n\n{archive.read(name).decode('utf-8').strip()}\n"
                for name in sorted(archive.namelist())
                if LICENSE_TEXTS.search(name)
            ]
        (folder / f"{package}.txt").write_bytes("\n\n".join(texts).encode())


def compile_archives(lock, files, staged, target, node):
    """Compile the archives of one folder into another, with Pyodide in Node."""
    arguments = (files, COMPILER, json.dumps(lock["info"]), staged, target)
    try:
        done = subprocess.run(
            [node, SCRIPT, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise CompileError(str(error)) from error
    if done.returncode != 0:
        raise CompileError((done.stderr or done.stdout).strip()[-500:])
