"""Compile the Python files in archives, with the very Python that will read them.

Pyodide runs this script (see engine_compile.mjs). Tracebacks name the files as they are
found in the page. Time, order, and attributes of the members are fixed, so that the
same sources give the same bytes.
"""

import importlib.util
import marshal
import site
import warnings
import zipfile
from pathlib import Path

UNCHECKED_HASH = 0b01  # never compared with a source, which is not there


def bytecode(source, filename):
    """The content of a .pyc file."""
    code = compile(source, filename, "exec", dont_inherit=True, optimize=0)
    return (
        importlib.util.MAGIC_NUMBER
        + UNCHECKED_HASH.to_bytes(4, "little")
        + importlib.util.source_hash(source)
        + marshal.dumps(code)
    )


def compile_archive(source, target, folder):
    """Write an archive with each .py file of another one as .pyc, and the rest."""
    with (
        zipfile.ZipFile(source) as sources,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as made,
    ):
        for name in sorted(sources.namelist()):
            content = sources.read(name)
            if name.endswith(".py"):
                content = bytecode(content, folder + name)
                name += "c"
            member = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            member.external_attr = 0o644 << 16
            member.compress_type = zipfile.ZIP_DEFLATED
            made.writestr(member, content, compresslevel=9)


warnings.simplefilter("ignore")  # of others' invalid escapes
for path in sorted(Path("/from").glob("*.zip")):
    where = (
        "/lib/python314.zip" if path.name == "std.zip" else site.getsitepackages()[0]
    )
    compile_archive(path, Path("/to") / path.name, f"{where}/")
