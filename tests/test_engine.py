"""The Python of the page: where its files come from, and what is made of them.

The sources are a local server and packages made here; nothing is downloaded. What was
built by `python -m tools.engine` is run in Node.
"""

import functools
import gzip
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import time
import zipfile

import exercises_in_engine
import pytest
from conftest import ROOT, serve
from misbehaving_submissions import MISBEHAVIORS

from tools import engine, engine_recipe, pack_attnlib

# The lock

# Name, bytes, and SHA-256 of everything that may be used, as it was checked.
TABLE = """
pyodide.mjs 17880
  5cfc46f5dcbaf2a16f26e2363f441873eb424762609cc03db00d6a2ace4d00e5
pyodide.asm.mjs 1249447
  1a9775427ef6e8abaa7db88ece0515422d1886915ae5c9093776410c865dfd8d
pyodide.asm.wasm 9596462
  e7f8fac36f8bf11085309cbc5c829b3ec3057c18bf1d73b05a6741612d63cdbf
python_stdlib.zip 2545106
  444c770dfd75a32097fc0a7d5c1413fd3140601f49c3a1f2e9af0376fcd124b4
numpy-2.4.3-cp314-cp314-pyemscripten_2026_0_wasm32.whl 2916023
  0cad9c1b91f0082e4f959bc0e0bf5835a2efbba6ab3b1e9d1fe6e7e564cca98e
matplotlib-3.10.8-cp314-cp314-pyemscripten_2026_0_wasm32.whl 6972262
  2867b2003ee66d0d2478423f783ec035d432c6560ae86d0e58d096ff98cab6a8
contourpy-1.3.3-cp314-cp314-pyemscripten_2026_0_wasm32.whl 117562
  8af5f4338988b30a65f5c81c0a3f335353546809538e81d35b572ed4595f80b6
kiwisolver-1.5.0-cp314-cp314-pyemscripten_2026_0_wasm32.whl 36615
  7591db9cc1181815eeefb2e7c5b5622a18a3fa334788e1b49eb3e8ad7f90186f
pillow-12.2.0-cp314-cp314-pyemscripten_2026_0_wasm32.whl 1037798
  a50d83a8a76d646768e99e93ed5bf365d0b83563fd8b597e77562e75c8f575a9
cycler-0.12.1-py3-none-any.whl 8321
  3569bab200be7f85520bf64a3ff334b016e19441ba89b588d2625c3b89da09c7
packaging-26.1-py3-none-any.whl 95846
  2719239437268bcea22845651a242f2c252e2ed984645161dd203546f2a52219
pyparsing-3.3.2-py3-none-any.whl 122781
  101eece4e324f842bf46e6f821fe5bc62d79b9ebfa3b399b6aff0e0ab0ee400f
python_dateutil-2.9.0.post0-py2.py3-none-any.whl 229892
  e0dad39eec43965d30ef0dbe870617bd5a7ca795c65fda722a7ab2bbd2b747e3
six-1.17.0-py2.py3-none-any.whl 11050
  c6681057bd87fdec57e811b8e4007bad38deea284052817fa400d542c6423e2d
open_webui-0.12.4-py3-none-any.whl 106366595
  02e9caba96234db3fa17a92e56163b3f7f2b8ca8227fa886b85c178d696483f6
pyodide-314.0.3.tgz 6486134
  d7f7d24f8db486c7eda7280f3b0f7517524c8e43e8b086c6ee6ae8016658b484
"""


def test_lock_is_what_was_checked():
    words = TABLE.split()
    expected = list(zip(words[::3], map(int, words[1::3]), words[2::3], strict=True))
    lock = engine.read_lock()
    entries = [*lock["files"], *lock["containers"].values()]
    assert [(each["name"], each["bytes"], each["sha256"]) for each in entries] == (
        expected
    )
    assert lock["version"] in lock["distribution"]


def test_every_package_of_the_recipe_is_in_the_lock_with_a_license():
    lock = engine.read_lock()
    packages = [name for part in engine_recipe.PARTS.values() for name in part]
    names = [engine_recipe.file_of(lock, package) for package in packages]
    names += engine_recipe.COPIED
    assert sorted(names) == sorted(entry["name"] for entry in lock["files"])
    assert set(packages) - {"python_stdlib"} == (
        set(engine_recipe.LICENSES) - {"pyodide", "python"}
    )


# Where the files come from

CONTENTS = {"core.mjs": b"core" * 9, "core.wasm": b"\0asm", "numpy-1.whl": b"PK" * 8}


def entry_of(name, content, **more):
    digest = hashlib.sha256(content).hexdigest()
    return {"name": name, "bytes": len(content), "sha256": digest, **more}


def carrier(contents, **more):
    """A package on PyPI, with files that nobody has asked for."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        for name, content in {**contents, "app.py": b"theirs", **more}.items():
            archive.writestr(f"static/{name}", content)
    return memory.getvalue()


def core_package(contents):
    """A package on npm, which has the core alone."""
    memory = io.BytesIO()
    with tarfile.open(fileobj=memory, mode="w:gz") as archive:
        for name in ("core.mjs", "core.wasm"):
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(contents[name])
            archive.addfile(member, io.BytesIO(contents[name]))
    return memory.getvalue()


class World:
    """Sources that know what they were asked for. At first, each is down."""

    def __init__(self, folder):
        self.cache = folder / "engine"
        self.given = folder / "given"
        self.given.mkdir()
        self.site = folder / "site"
        self.site.mkdir()
        self.packages = {}  # what pip and npm would bring
        self.asked = []
        files = [
            entry_of(name, content, pip=f"static/{name}")
            for name, content in CONTENTS.items()
        ]
        for entry in files[:2]:
            entry["npm"] = f"package/{entry['name']}"
        self.lock = {
            "version": "1.2.3",
            "info": {},
            "distribution": "http://127.0.0.1:9/",  # nobody listens
            "containers": {
                "pip": {
                    **{"package": "carrier", "version": "1"},
                    **entry_of("carrier.whl", carrier(CONTENTS)),
                },
                "npm": {
                    **{"package": "core", "version": "2"},
                    **entry_of("core.tgz", core_package(CONTENTS)),
                },
            },
            "files": files,
        }

    def download(self, client):
        def bring(container, folder):
            self.asked.append(client)
            if client not in self.packages:
                raise engine.Unavailable("no network")
            (folder / container["name"]).write_bytes(self.packages[client])

        return bring

    def build(self, **more):
        return engine.build(self.lock, self.cache, **more)

    def kept(self):
        """What has been kept, by name; nothing else may lie beside it."""
        return {
            path.name: path.read_bytes() for path in (self.cache / "files").iterdir()
        }

    def fill(self, folder, **changed):
        for name, content in {**CONTENTS, **changed}.items():
            (folder / name).write_bytes(content)


@pytest.fixture
def world(tmp_path, monkeypatch):
    world = World(tmp_path)
    monkeypatch.delenv("ATTNLIB_ENGINE", raising=False)
    monkeypatch.setattr(engine, "_download_by_pip", world.download("pip"))
    monkeypatch.setattr(engine, "_download_by_npm", world.download("npm"))

    def make(lock, files, target, node):
        for entry in lock["files"]:
            content = (files / entry["name"]).read_bytes()
            assert engine.difference(entry, content) is None
        (target / "made.zip").write_bytes(b"made")

    monkeypatch.setattr(engine_recipe, "make", make)
    monkeypatch.setattr(engine, "find_node", lambda: "node")
    return world


def test_files_of_the_given_folder_are_taken_first(world, monkeypatch):
    world.fill(world.given)
    monkeypatch.setenv("ATTNLIB_ENGINE", str(world.given))
    built, line = world.build()
    assert (built / "made.zip").read_bytes() == b"made"
    assert line == f"The Python of the page (Pyodide 1.2.3) is at {built}"
    assert world.kept() == CONTENTS and world.asked == []


def test_package_in_the_given_folder_is_opened(world, monkeypatch):
    (world.given / "carrier.whl").write_bytes(carrier(CONTENTS))
    monkeypatch.setenv("ATTNLIB_ENGINE", str(world.given))
    assert world.build()[0] and world.kept() == CONTENTS and world.asked == []


def test_files_of_the_distribution_need_no_registry(world):
    world.fill(world.site)
    with serve(world.site) as address:
        world.lock["distribution"] = address
        built, _ = world.build()
    assert built and world.kept() == CONTENTS and world.asked == []


def test_only_files_of_the_lock_are_taken_from_the_package(world, capsys):
    world.packages["pip"] = carrier(CONTENTS)
    assert world.build()[0] and world.kept() == CONTENTS
    assert world.asked == ["pip"]
    assert "Downloading carrier with pip (0 MB, once)" in capsys.readouterr().err


def test_wrong_file_is_refused_and_the_next_source_is_asked(world, monkeypatch):
    world.fill(world.given, **{"core.mjs": b"another"})
    monkeypatch.setenv("ATTNLIB_ENGINE", str(world.given))
    files = engine.Files(world.lock, world.cache / "files")
    world.fill(world.site)
    with serve(world.site) as address:
        world.lock["distribution"] = address
        engine.gather(files)
    assert world.kept() == CONTENTS and files.missing == []
    expected = hashlib.sha256(CONTENTS["core.mjs"]).hexdigest()
    found = hashlib.sha256(b"another").hexdigest()
    assert files.remarks == [
        "core.mjs from the folder ATTNLIB_ENGINE was refused: "
        f"expected 36 bytes with SHA-256 {expected}, found 7 bytes with {found}"
    ]


def test_refusal_is_said_even_if_another_source_helps(world, monkeypatch, capsys):
    world.fill(world.given, **{"core.mjs": b"another"})
    monkeypatch.setenv("ATTNLIB_ENGINE", str(world.given))
    world.packages["pip"] = carrier(CONTENTS)
    assert world.build()[0]
    assert "core.mjs from the folder ATTNLIB_ENGINE was refused" in (
        capsys.readouterr().err
    )


def test_wrong_file_of_the_distribution_is_refused(world):
    world.fill(world.site, **{"core.mjs": b"x" * 10**6})
    world.packages["npm"] = core_package(CONTENTS)
    with serve(world.site) as address:
        world.lock["distribution"] = address
        built, _ = world.build()
    assert built and world.kept() == CONTENTS and world.asked == ["pip", "npm"]


def test_wrong_package_is_refused(world):
    world.packages["pip"] = carrier(CONTENTS, more=b"")
    built, line = world.build()
    assert built is None and world.kept() == {}
    assert "carrier.whl from pip was refused: expected " in line


def test_missing_member_is_named(world):
    fewer = {name: CONTENTS[name] for name in ("core.mjs", "numpy-1.whl")}
    world.packages["pip"] = carrier(fewer)
    world.lock["containers"]["pip"] |= entry_of("carrier.whl", carrier(fewer))
    files = engine.Files(world.lock, world.cache / "files")
    engine.gather(files)
    assert world.kept() == fewer
    assert files.remarks[-2:] == [
        "static/core.wasm is not in carrier.whl",
        "npm: no network",
    ]
    assert [entry["name"] for entry in files.missing] == ["core.wasm"]


def test_npm_completes_what_pip_lacks(world):
    fewer = {"numpy-1.whl": CONTENTS["numpy-1.whl"]}
    world.packages = {"pip": carrier(fewer), "npm": core_package(CONTENTS)}
    world.lock["containers"]["pip"] |= entry_of("carrier.whl", carrier(fewer))
    assert world.build()[0] and world.kept() == CONTENTS
    assert world.asked == ["pip", "npm"]


def test_npm_is_not_asked_for_what_it_lacks(world):
    world.packages["npm"] = core_package(CONTENTS)
    assert world.build()[0] is None and world.asked == ["pip"]


def test_every_source_down_is_one_line_and_no_engine(world):
    started = time.monotonic()
    built, line = world.build()
    assert built is None and engine.folder(world.lock, world.cache) is None
    assert line.startswith(
        "The page gets no Python of its own: core.mjs and 2 more could not be had "
        "(Pyodide's distribution: "
    )
    assert line.endswith("; pip: no network).") and "\n" not in line
    assert line.count("Pyodide's distribution: ") == 1
    assert time.monotonic() - started < 4 * engine.TIMEOUT


def test_silent_distribution_is_waited_for_once(world, monkeypatch):
    """A server that takes the request and never answers."""
    import socket

    monkeypatch.setattr(engine, "TIMEOUT", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as server:
        world.lock["distribution"] = f"http://127.0.0.1:{server.getsockname()[1]}/"
        started = time.monotonic()
        _, line = world.build()
    assert "Pyodide's distribution: timed out" in line
    assert time.monotonic() - started < 10 and world.asked == ["pip"]


def test_nobody_is_asked_offline(world):
    world.fill(world.site)
    world.packages["pip"] = carrier(CONTENTS)
    with serve(world.site) as address:
        world.lock["distribution"] = address
        built, line = world.build(online=False)
    assert built is None and world.asked == []
    assert line.endswith("could not be had (no source was asked).")


def test_second_call_downloads_nothing(world):
    world.packages["pip"] = carrier(CONTENTS)
    first, _ = world.build()
    world.packages.clear()
    assert world.build() == (first, engine.build(world.lock, world.cache)[1])
    assert world.asked == ["pip"]


def test_other_recipe_needs_no_download(world, tmp_path, monkeypatch):
    world.packages["pip"] = carrier(CONTENTS)
    first, _ = world.build()
    world.packages.clear()
    (tmp_path / "recipe").write_text("another")
    monkeypatch.setattr(engine_recipe, "FILES", (tmp_path / "recipe",))
    assert engine.folder(world.lock, world.cache) is None
    second, _ = world.build()
    assert second and second != first and world.asked == ["pip"]


def test_damaged_file_of_the_cache_is_fetched_again(world):
    world.packages = {"npm": core_package(CONTENTS)}
    files = engine.Files(world.lock, world.cache / "files")
    world.fill(files.folder, **{"core.mjs": b"Core" * 9})  # as long as it should be
    world.lock["files"][0].pop("pip")
    assert world.build()[0] and world.kept() == CONTENTS
    assert world.asked == ["npm"]


def test_engine_that_is_incomplete_counts_as_none(world):
    world.packages["pip"] = carrier(CONTENTS)
    built, _ = world.build()
    assert engine.folder(world.lock, world.cache) == built
    for damage in ((built / "made.zip").unlink, (built / engine.MANIFEST).unlink):
        damage()
        assert engine.folder(world.lock, world.cache) is None
        assert world.build()[0] == built == engine.folder(world.lock, world.cache)
    (built / "made.zip").write_bytes(b"mad")
    assert engine.folder(world.lock, world.cache) is None


def test_engine_that_cannot_be_compiled_leaves_nothing(world, monkeypatch):
    world.packages["pip"] = carrier(CONTENTS)

    def make(lock, files, target, node):
        (target / "half.zip").write_bytes(b"half")
        raise engine_recipe.CompileError("SyntaxError\n in line 3")

    monkeypatch.setattr(engine_recipe, "make", make)
    built, line = world.build()
    assert built is None
    assert line.endswith("it could not be compiled: SyntaxError in line 3")
    assert [path.name for path in world.cache.iterdir()] == ["files"]


def test_missing_node_is_said(world, monkeypatch):
    world.packages["pip"] = carrier(CONTENTS)
    monkeypatch.setattr(engine, "find_node", lambda: None)
    built, line = world.build()
    assert built is None and "compiling it needs Node" in line


def test_command_says_one_line_and_its_status(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(engine, "build", lambda: (tmp_path, "It is there"))
    assert engine.main() == 0 and capsys.readouterr() == ("It is there\n", "")
    monkeypatch.setattr(engine, "build", lambda: (None, "It is missing"))
    assert engine.main() == 1 and capsys.readouterr() == ("", "It is missing\n")


def test_clients_get_the_name_alone_and_install_nothing(monkeypatch, tmp_path):
    commands = []
    monkeypatch.setattr(engine, "_run", lambda *command: commands.append(command))
    monkeypatch.setattr(engine.shutil, "which", lambda name: f"/bin/{name}")
    containers = engine.read_lock()["containers"]
    engine._download_by_pip(containers["pip"], tmp_path)
    engine._download_by_npm(containers["npm"], tmp_path)
    by_pip, by_npm = commands
    assert by_pip[:4] == (sys.executable, "-m", "pip", "download")
    assert {"--no-deps", "--only-binary=:all:", "--ignore-requires-python"} < set(
        by_pip
    )
    assert by_pip[-1] == "open-webui==0.12.4"
    assert by_npm[:2] == ("/bin/npm", "pack") and by_npm[-1] == "pyodide@314.0.3"
    assert "--ignore-scripts" in by_npm
    assert not any("://" in word for command in commands for word in command)


def test_client_that_fails_is_quoted():
    code = "import sys; print('first'); sys.exit('no such package')"
    with pytest.raises(engine.Unavailable, match="^no such package$"):
        engine._run(sys.executable, "-c", code)


def test_interrupted_download_leaves_nothing_and_the_next_call_completes(
    world, monkeypatch
):
    def half(container, folder):
        (folder / container["name"]).write_bytes(carrier(CONTENTS)[:100])
        raise KeyboardInterrupt

    world.packages["pip"] = carrier(CONTENTS)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(engine, "_download_by_pip", half)
        world.build()
    assert [path.name for path in world.cache.iterdir()] == ["files"]
    assert world.kept() == {} and engine.folder(world.lock, world.cache) is None
    assert world.build()[0] and world.kept() == CONTENTS


def test_package_that_was_cut_is_refused_and_not_kept(world):
    world.packages["pip"] = carrier(CONTENTS)[:-10]
    built, line = world.build()
    assert built is None and "carrier.whl from pip was refused" in line
    assert [path.name for path in world.cache.iterdir()] == ["files"]


def test_setup_downloads_even_where_the_tests_may_not(world, monkeypatch):
    """The Makefile passes ATTNLIB_OFFLINE on to all that `make test` runs."""
    monkeypatch.setenv("ATTNLIB_OFFLINE", "1")
    world.packages["pip"] = carrier(CONTENTS)
    built = functools.partial(engine.build, world.lock, world.cache)
    monkeypatch.setattr(engine, "build", built)
    assert engine.main() == 0 and world.asked == ["pip"]


WITHOUT = """\
import sys
import pytest
from tools import browser, engine, firefox
engine.folder = browser.launch = firefox.find = lambda *_: None
sys.exit(pytest.main(["-q", "-p", "conftest", *sys.argv[1:]]))
"""


@pytest.mark.parametrize(("ci", "outcome"), [("true", "errors"), ("", "skipped")])
def test_missing_engine_and_browsers_fail_the_tests_with_ci_alone(
    tmp_path, ci, outcome
):
    needs = ("browser", "firefox", "engine_folder")
    tests = [f"def test_{name}({name}): pass\n" for name in needs]
    (tmp_path / "test_needs.py").write_text("".join(tests))
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, f"--rootdir={tmp_path}", tmp_path],
        env={**os.environ, "CI": ci, "PYTHONPATH": os.pathsep.join([".", "tests"])},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert f"3 {outcome} in " in done.stdout, done.stdout
    assert (done.returncode != 0) == (ci == "true")


# What is made of them


@pytest.fixture(scope="module")
def built(engine_folder):
    """The engine of this checkout."""
    return engine_folder


@pytest.fixture(scope="module")
def attnlib_zip(tmp_path_factory):
    path = tmp_path_factory.mktemp("pack") / "attnlib.zip"
    pack_attnlib.pack(path)
    return path


def gzipped(path):
    return len(gzip.compress(path.read_bytes(), 6))


def test_engine_keeps_to_its_budgets(built, attnlib_zip):
    first_run = ["pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "std.zip"]
    first_run += ["numpy.zip", "pyodide-lock.json"]
    sent = sum(gzipped(built / name) for name in first_run) + gzipped(attnlib_zip)
    assert 9e6 < sent <= 11.5e6
    assert 5e6 < (built / "matplotlib.zip").stat().st_size <= 6.5e6
    files = [path.stat().st_size for path in built.rglob("*") if path.is_file()]
    assert sum(files) <= 25e6


def test_archives_hold_bytecode_and_no_tests(built):
    for part, modules in (("std", "typing"), ("numpy", "numpy/ma/core")):
        with zipfile.ZipFile(built / f"{part}.zip") as archive:
            names = archive.namelist()
            header = archive.read(f"{modules}.pyc")[:8]
        assert {name.rpartition(".")[2] for name in names} <= {"pyc", "so"}
        assert header[4:] == b"\1\0\0\0", "the hash of the source would be compared"
        assert not any("/tests/" in name for name in names)
    with zipfile.ZipFile(built / "matplotlib.zip") as archive:
        names = set(archive.namelist())
    assert "mpl_toolkits/mplot3d/axes3d.pyc" in names
    assert not any(name.endswith((".py", ".pyi", ".afm")) for name in names)


def test_every_package_brings_its_license(built):
    for package in set(engine_recipe.LICENSES) - {"pyodide", "python"}:
        text = (built / "licenses" / f"{package}.txt").read_text("utf-8")
        assert re.search("licen[sc]e|copyright|permission", text, re.I), package
    assert "Bitstream Vera" in (built / "licenses" / "matplotlib.txt").read_text(
        "utf-8"
    )


def test_compiling_twice_gives_the_same_bytes(built, tmp_path):
    lock, files = engine.read_lock(), engine.CACHE / "files"
    sources = {"b.py": "x = {1, 'two', 3.0}\ndef f(y='two'): return y in {'a', 'b'}\n"}
    sources |= {"a/__init__.py": '"""Doc."""\nimport b\n', "a/data.bin": "data"}
    contents = []
    for order in (sources, dict(reversed(sources.items()))):
        staged, made = (
            tmp_path / f"from{len(contents)}",
            tmp_path / f"to{len(contents)}",
        )
        staged.mkdir()
        made.mkdir()
        with zipfile.ZipFile(staged / "part.zip", "w") as archive:
            for name, content in order.items():
                archive.writestr(name, content)
        engine_recipe.compile_archives(lock, files, staged, made, engine.find_node())
        contents.append((made / "part.zip").read_bytes())
    assert contents[0] == contents[1]
    names = zipfile.ZipFile(io.BytesIO(contents[0])).namelist()
    assert names == ["a/__init__.pyc", "a/data.bin", "b.pyc"]


def test_compiler_that_fails_says_why(built, tmp_path):
    (tmp_path / "part.zip").write_bytes(b"no archive")
    with pytest.raises(engine_recipe.CompileError, match="not a zip file") as caught:
        engine_recipe.compile_archives(
            engine.read_lock(),
            engine.CACHE / "files",
            tmp_path,
            tmp_path,
            engine.find_node(),
        )
    assert len(str(caught.value)) <= 500


# What runs in it


@pytest.fixture(scope="module")
def in_engine(built, attnlib_zip):
    """What tests/exercises_in_engine.py finds in the page's Python."""
    archives = [built / "numpy.zip", built / "matplotlib.zip", attnlib_zip]
    runner = ROOT / "tests" / "engine_runner.mjs"
    script = ROOT / "tests" / "exercises_in_engine.py"
    done = subprocess.run(
        [engine.find_node(), runner, built, script, *archives],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=900,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_every_exercise_says_the_same_as_natively(in_engine):
    for name, expected in exercises_in_engine.everything().items():
        assert expected["messages"][0].startswith("Passed: ")
        assert in_engine["exercises"][name] == expected, name
    assert len(in_engine["exercises"]) >= 40


# Where the page's Python says something else: it has no threads, and 32 bits.
ELSEWHERE = {
    "starts_a_thread": "raised RuntimeError: can't start new thread",
    "runs_out_of_memory": "raised ValueError: Maximum allowed dimension exceeded",
}


def test_misbehaving_code_is_judged_as_natively(in_engine):
    answers = zip(MISBEHAVIORS, in_engine["misbehaviors"], strict=True)
    for (code, expected), message in answers:
        name = getattr(code, "__name__", code)
        found = re.search(ELSEWHERE.get(name, expected), message)
        assert found, (name, message[:500])


def test_figures_with_formulas_are_drawn_without_warnings(in_engine):
    assert in_engine["figure"]["bytes"] > 5000
    assert in_engine["figure"]["warned"] == ""
