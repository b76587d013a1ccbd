"""What the set-up files say of each other, of the project, and of the machines it is
for.
"""

import re
import subprocess
import sys
import tomllib
from urllib.parse import quote

import pytest
import yaml
from conftest import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
PINS = (ROOT / "requirements.txt").read_text("utf-8").split("\n")
MACHINES = {
    "linux": dict(
        sys_platform="linux",
        platform_machine="x86_64",
        os_name="posix",
        platform_system="Linux",
    ),
    "linux on Arm": dict(
        sys_platform="linux",
        platform_machine="aarch64",
        os_name="posix",
        platform_system="Linux",
    ),
    "windows": dict(
        sys_platform="win32",
        platform_machine="AMD64",
        os_name="nt",
        platform_system="Windows",
    ),
    "macos on Arm": dict(
        sys_platform="darwin",
        platform_machine="arm64",
        os_name="posix",
        platform_system="Darwin",
    ),
}


def read(name):
    return (ROOT / name).read_text("utf-8")


def test_address_of_the_repository_is_the_same_everywhere():
    address = yaml.safe_load(read("_config.yml"))["repository"]["url"]
    slug = address.removeprefix("https://github.com/")
    readme, citation = read("README.md"), read("CITATION.cff")
    assert set(re.findall(r"mybinder\.org/v2/gh/([^/]+/[^/]+)/", readme)) == {slug}
    assert set(
        re.findall(r"colab\.research\.google\.com/github/([^/]+/[^/]+)/", readme)
    ) == {slug}
    assert f"repository-code: {address}\n" in citation
    assert f"git-pull?repo={quote(address, safe='')}&" in read("book/teaching.md")
    sources = [
        ROOT / "README.md",
        *(ROOT / "book").glob("*.md"),
        *(ROOT / "book").glob("*.ipynb"),
    ]
    named = {
        found
        for path in sources
        for found in re.findall(r"github\.com/([\w-]+/[\w-]+)", path.read_text("utf-8"))
    }
    assert {name for name in named if "attention" in name.lower()} <= {slug}


def test_version_is_the_same_everywhere():
    import attnlib

    version = PROJECT["version"]
    assert attnlib.__version__ == version
    assert f"\nversion: {version}\n" in read("CITATION.cff")
    assert f"\n## {version}" in read("CHANGELOG.md")


def test_requirements_pin_everything_and_install_attnlib():
    assert PINS[-2:] == ["-e .", ""]
    assert [
        line for line in PINS[:-2] if not re.match(r"[a-z0-9-]+==\S+( ; .+)?$", line)
    ] == []
    pinned = {canonicalize_name(re.split("==", line)[0]) for line in PINS[:-2]}
    extras = PROJECT["optional-dependencies"]
    wanted = PROJECT["dependencies"] + extras["book"] + extras["test"]
    assert {canonicalize_name(Requirement(line).name) for line in wanted} <= pinned


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_each_machine_gets_one_tensorflow(machine, python):
    here = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        **MACHINES[machine],
    }
    pins = map(Requirement, PINS[:-2])
    chosen = [
        pin.name
        for pin in pins
        if pin.name.startswith("tensorflow") and pin.marker.evaluate(here)
    ]
    assert chosen == [
        "tensorflow-cpu" if machine in ("linux", "windows") else "tensorflow"
    ]


def test_packages_of_attnlib_are_all_installed():
    tools = tomllib.loads(read("pyproject.toml"))["tool"]["setuptools"]
    found = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for path in (ROOT / "attnlib").rglob("__init__.py")
    }
    assert found <= set(tools["packages"])


def test_binder_gets_a_python_that_the_project_supports():
    version = read("runtime.txt").strip().removeprefix("python-")
    assert version == "3.11" and PROJECT["requires-python"].startswith(f">={version}")
    assert not (ROOT / "binder").exists(), (
        "a folder binder/ would hide requirements.txt from Binder"
    )


def test_contents_list_every_notebook_once_and_only_files_that_exist():
    contents = yaml.safe_load(read("_toc.yml"))
    listed = [
        chapter["file"] for part in contents["parts"] for chapter in part["chapters"]
    ]
    assert len(listed) == len(set(listed))
    for name in [contents["root"], *listed]:
        assert any(
            (ROOT / "book" / f"{name}{end}").exists() for end in (".md", ".ipynb")
        ), name
    assert {path.stem for path in (ROOT / "book").glob("*.ipynb")} == {
        name for name in listed if name[0].isdigit()
    }


def test_make_targets_that_are_written_about_exist():
    targets = set(re.findall(r"^([a-z]+):.*## ", read("Makefile"), flags=re.M))
    assert targets >= {
        "help",
        "book",
        "test",
        "weekly",
        "lab",
        "refresh",
        "experiments",
        "bench",
        "clean",
    }
    for name in ("README.md", "CONTRIBUTING.md", "book/index.md", ".ci/run"):
        assert set(
            re.findall(
                r"^(?:exec )?make ([a-z]+)|`make ([a-z]+)`", read(name), flags=re.M
            )
        ) <= {(target, "") for target in targets} | {("", target) for target in targets}


def test_continuous_integration_runs_the_command_of_the_readme():
    assert "\nmake test " in read("README.md")
    assert read(".ci/run").rstrip().endswith("exec make test </dev/null")
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111 or sys.platform == "win32"


def test_page_of_attnlib_shows_every_module_that_chapters_use():
    inner = {"attention", "backend", "batches", "decoders", "decoding", "progress"}
    inner |= {
        "compiling",
        "fast_bahdanau",
        "fast_greedy",
        "fast_gru",
    }  # what stands behind plainer forms
    modules = [
        path
        for folder in ("attnlib", "attnlib/tasks")
        for path in (ROOT / folder).glob("[a-z]*.py")
    ]
    names = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in modules
        if path.stem not in inner
    }
    names.add(
        "attnlib.interactive"
    )  # the package, whose figures stand in modules of their own
    assert set(re.findall(r"automodule:: (\S+)", read("book/api.md"))) == names


WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
LIGHT = [
    "attnlib",
    "attnlib.reference",
    "attnlib.metrics",
    "attnlib.plots",
    "attnlib.quiz",
    "attnlib.tasks.numbers",
]
LIGHT += [
    "attnlib.interactive.attention_map",
    *(f"attnlib.interactive._{name}" for name in ("weights", "window", "cueing")),
]


def test_light_modules_import_no_tensorflow():
    exercises = [
        f"attnlib.exercises.{path.stem}"
        for path in (ROOT / "attnlib" / "exercises").glob("[a-z]*.py")
    ]
    names = LIGHT + [name for name in exercises if not name.endswith("_keras")]
    code = (
        f"import sys, importlib\nfor name in {names}:"
        " importlib.import_module(name)\nprint(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert {"tensorflow", "keras"} & set(done.stdout.split()) == set()


def test_page_on_tests_names_only_what_exists():
    page = read("book/testing.md")
    files = set(re.findall(r"`([\w/.-]+\.(?:py|yml))`", page))
    assert len(files) > 10
    assert [
        name
        for name in files
        if not (ROOT / name).exists() and not (ROOT / "tests" / name).exists()
    ] == []
    targets = set(re.findall(r"`make ([a-z]+)`", page))
    assert targets >= {"test", "weekly", "book", "pins"}
    assert targets <= set(re.findall(r"^([a-z]+):.*## ", read("Makefile"), flags=re.M))


def test_workflows_run_commands_that_exist():
    targets = set(re.findall(r"^([a-z]+):.*## ", read("Makefile"), flags=re.M))
    runs = {
        path.stem: set(re.findall(r"make ([a-z]+)", path.read_text("utf-8")))
        for path in WORKFLOWS
    }
    assert runs == {"pages": {"book"}, "test": {"test"}, "weekly": {"weekly"}}
    assert {target for run in runs.values() for target in run} <= targets
