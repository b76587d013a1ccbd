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
REQUIREMENTS = (ROOT / "requirements.txt").read_text("utf-8").split("\n")
PINS = [line for line in REQUIREMENTS if line != "./tools/lab"]
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
    assert REQUIREMENTS[-3:] == ["./tools/lab", "-e .", ""]
    assert PINS[-2:] == ["-e .", ""]
    assert [
        line for line in PINS[:-2] if not re.match(r"[a-z0-9-]+==\S+( ; .+)?$", line)
    ] == []
    pinned = {canonicalize_name(re.split("==", line)[0]) for line in PINS[:-2]}
    extras = PROJECT["optional-dependencies"]
    wanted = [*PROJECT["dependencies"], *extras["tensorflow"]]
    wanted += extras["book"] + extras["test"]
    assert {canonicalize_name(Requirement(line).name) for line in wanted} <= pinned


def chosen(lines, python, machine):
    """The names of those requirements that count on a machine."""
    here = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        **MACHINES[machine],
    }
    return [
        line.name
        for line in map(Requirement, lines)
        if line.marker is None or line.marker.evaluate(here)
    ]


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_each_machine_gets_one_tensorflow(machine, python):
    name = "tensorflow-cpu" if machine in ("linux", "windows") else "tensorflow"
    pinned = chosen(PINS[:-2], python, machine)
    assert [each for each in pinned if each.startswith("tensorflow")] == [name]
    extra = PROJECT["optional-dependencies"]["tensorflow"]
    assert chosen(extra, python, machine) == [name]


@pytest.mark.parametrize("machine", MACHINES)
def test_attnlib_without_extras_brings_no_tensorflow(machine):
    """Where one is there, as on Colab, a second one would replace parts of it."""
    names = chosen(PROJECT["dependencies"], "3.12", machine)
    assert "keras" in names
    assert not [name for name in names if name.startswith("tensorflow")]


def test_commands_that_install_beside_a_tensorflow_ask_for_no_extra():
    """The line for Colab, in every chapter, and the same in the README."""
    address = yaml.safe_load(read("_config.yml"))["repository"]["url"]
    chapters = sorted((ROOT / "book").glob("[0-9]*.ipynb"))
    assert len(chapters) >= 8
    for path in chapters:
        commands = re.findall(r"!pip install [^\\\"]*", path.read_text("utf-8"))
        assert commands == [f"!pip install git+{address}"], path.name
    assert f"pip install git+{address}\n" in read("README.md")


def test_commands_that_bring_tensorflow_ask_for_the_extra():
    address = yaml.safe_load(read("_config.yml"))["repository"]["url"]
    assert f'pip install "attnlib[tensorflow] @ git+{address}"\n' in read("README.md")
    pins = re.search(r"pip compile (.*?)-o requirements", read("Makefile"), re.S)[1]
    extras = re.findall(r"--extra (\w+)", pins)
    assert set(extras) == set(PROJECT["optional-dependencies"])


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
        *("help", "book", "quick", "test", "weekly", "lowest", "lab", "refresh"),
        *("format", "experiments", "bench", "clean"),
    }
    for name in (
        *("README.md", "CONTRIBUTING.md", "book/index.md", ".ci/run"),
        ".github/pull_request_template.md",
    ):
        assert set(
            re.findall(
                r"^(?:exec )?make ([a-z]+)|`make ([a-z]+)`", read(name), flags=re.M
            )
        ) <= {(target, "") for target in targets} | {("", target) for target in targets}


def test_readme_says_what_to_do_when_a_check_hangs():
    sentence = "If a check shows nothing for ten seconds, restart the kernel"
    assert [line for line in read("README.md").split("\n") if sentence in line]


def test_continuous_integration_runs_the_command_of_the_readme():
    assert "\nmake test " in read("README.md")
    assert read(".ci/run").rstrip().endswith("exec make test </dev/null")
    for name in ("run", "browsers"):
        script = ROOT / ".ci" / name
        assert script.stat().st_mode & 0o111 or sys.platform == "win32"


def modules_of_attnlib():
    """The names of all modules of attnlib that are neither packages nor private."""
    paths = (ROOT / "attnlib").rglob("*.py")
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in paths
        if not path.stem.startswith("_")
    }


def test_page_of_attnlib_shows_every_module_once():
    shown = re.findall(r"automodule:: (\S+)", read("book/api.md"))
    assert len(shown) == len(set(shown))
    # Some packages have a door, too.
    doors = {"attnlib.fast", "attnlib.numpy_translators"}
    assert set(shown) == modules_of_attnlib() | doors


def test_page_of_attnlib_puts_every_module_on_one_floor():
    rows = re.findall(r"^\| (\d) \| (.*?) \| .* \|$", read("book/api.md"), flags=re.M)
    listed = [name for _, names in rows for name in re.findall(r"`([\w.]+)`", names)]
    for module in modules_of_attnlib():
        homes = [
            name for name in listed if module == name or module.startswith(f"{name}.")
        ]
        assert len(homes) == 1, (module, homes)
    for name in listed:
        path = ROOT / name.replace(".", "/")
        assert path.is_dir() or path.with_suffix(".py").exists(), name


WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
LIGHT = [
    "attnlib",
    "attnlib.arguments",
    "attnlib.checking",
    "attnlib.interactive",
    "attnlib.metrics",
    "attnlib.numpy_classifier",
    "attnlib.numpy_translators",
    "attnlib.plots",
    "attnlib.provenance",
    "attnlib.quiz",
    "attnlib.reference",
    "attnlib.results",
    "attnlib.tables",
    "attnlib.tasks.numbers",
    "attnlib.tokenization",
    "attnlib.vocabulary",
]


def light_modules():
    """LIGHT, what its packages hold, and every exercise module but the Keras ones."""
    packages = ("attnlib.checking.", "attnlib.interactive.", "attnlib.exercises.")
    inside = [name for name in modules_of_attnlib() if name.startswith(packages)]
    return LIGHT + sorted(name for name in inside if not name.endswith("_keras"))


def test_light_modules_import_no_tensorflow():
    code = (
        f"import sys, importlib\nfor name in {light_modules()}:"
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


def test_page_of_attnlib_names_the_light_modules():
    page = " ".join(read("book/api.md").split())
    sentence = re.search(r"Importing (.*?) loads no TensorFlow", page)[1]
    named = set(re.findall(r"`(attnlib[\w.]*)`", sentence))
    assert named == set(LIGHT) - {"attnlib.tasks.numbers"}


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
    assert runs == {"pages": {"book"}, "test": {"test"}, "weekly": {"weekly", "lowest"}}
    assert {target for run in runs.values() for target in run} <= targets


def test_browsers_are_installed_wherever_the_pages_are_tested():
    steps = [
        [step.get("run", "") for step in job["steps"]]
        for path in WORKFLOWS
        for job in yaml.safe_load(path.read_text("utf-8"))["jobs"].values()
    ]
    tests = [runs for runs in steps if re.search("make (test|weekly)", runs[-1])]
    assert len(tests) == 2 and all(".ci/browsers" in runs for runs in tests)
    assert "\n.ci/browsers\n" in read(".ci/run")


def test_quick_tests_are_files_that_exist():
    listed = re.search(r"QUICK := .*?addsuffix \.py,([^)]*)\)", read("Makefile"))[1]
    names = listed.replace("\\", " ").split()
    assert len(names) > 10 and len(names) == len(set(names))
    missing = [n for n in names if not (ROOT / "tests" / f"test_{n}.py").exists()]
    assert missing == []


def test_module_commands_that_are_written_about_exist():
    """Every `python -m tools.x`, in the Makefile, workflows, documents, and scripts."""
    texts = ["Makefile", "README.md", "CONTRIBUTING.md", "postBuild"]
    texts += [str(path.relative_to(ROOT)) for path in WORKFLOWS]
    texts += [f"tools/{path.name}" for path in (ROOT / "tools").glob("[a-z]*.py")]
    pattern = r"-m ((?:tools|benchmarks|experiments)\.\w+)"
    named = {name for text in texts for name in re.findall(pattern, read(text))}
    assert {"tools.build_book", "tools.link_old_names", "benchmarks.bench"} <= named
    missing = [n for n in named if not (ROOT / f"{n.replace('.', '/')}.py").exists()]
    assert missing == []


# ---------------------------------------------------------------- .github and habits

FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("[!c]*.yml"))


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_issue_form_asks_something(path):
    form = yaml.safe_load(path.read_text("utf-8"))
    assert {"name", "description", "body"} <= set(form)
    ids = [field["id"] for field in form["body"]]
    assert len(ids) == len(set(ids)) >= 2
    for field in form["body"]:
        assert field["type"] in ("input", "textarea")
        assert field["attributes"]["label"].strip()


def test_there_are_three_issue_forms_and_a_pull_request_template():
    assert [path.stem for path in FORMS] == ["bug", "idea", "text"]
    config = yaml.safe_load(read(".github/ISSUE_TEMPLATE/config.yml"))
    assert config == {"blank_issues_enabled": True}
    assert "`make test`" in read(".github/pull_request_template.md")


def test_dependabot_watches_what_the_repository_has():
    updates = yaml.safe_load(read(".github/dependabot.yml"))["updates"]
    assert {each["package-ecosystem"] for each in updates} == {"pip", "github-actions"}
    for each in updates:
        assert each["schedule"] == {"interval": "weekly"}
        assert each["directory"] == "/"
    assert (ROOT / "requirements.txt").exists() and WORKFLOWS


def test_hooks_before_a_commit_run_the_pinned_ruff():
    repos = yaml.safe_load(read(".pre-commit-config.yaml"))["repos"]
    ours = next(each for each in repos if each["repo"] == "local")["hooks"]
    assert {hook["id"] for hook in ours} == {"ruff-check", "ruff-format"}
    for hook in ours:
        assert hook["language"] == "system"
        assert hook["entry"].startswith(".venv/bin/python -m ruff ")
    others = {
        hook["id"]
        for each in repos
        if each["repo"] != "local"
        for hook in each["hooks"]
    }
    assert others == {"end-of-file-fixer", "trailing-whitespace"}
    assert any(line.startswith("ruff==") for line in PINS)


def test_every_redirect_leads_to_a_page_and_hides_no_file():
    redirects = yaml.safe_load(read("_config.yml"))["sphinx"]["config"]["redirects"]
    ignored = read(".gitignore").split("\n")
    for old, new in redirects.items():
        pages = [ROOT / "book" / f"{new}{end}" for end in (".md", ".ipynb")]
        assert any(path.exists() for path in pages), new
        if pages[1].exists():
            assert f"book/{old}.ipynb" in ignored, "Binder makes a link of this name"
        for end in (".md", ".ipynb"):
            path = ROOT / "book" / f"{old}{end}"
            assert path.is_symlink() or not path.exists(), old
