"""The lowest versions that pyproject.toml allows, on which the chapters run weekly."""

import re
import tomllib

import pytest
import yaml
from conftest import ROOT
from packaging.requirements import Requirement
from test_project import MACHINES, PROJECT

from tools import lowest_versions

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
LINES = [
    *PROJECT["dependencies"],
    *PROJECT["optional-dependencies"]["tensorflow"],
]


def test_constraints_follow_a_pyproject():
    project = {
        "dependencies": ["numpy>=1.26", "b >= 2.1, <3", "c>=1.0.5; os_name == 'nt'"],
        "optional-dependencies": {
            "tensorflow": ["tensorflow>=2.19"],
            "test": ["pytest>=8"],
        },
    }
    assert lowest_versions.constraints({"project": project}) == [
        "numpy==1.26",
        "b==2.1",
        'c==1.0.5 ; os_name == "nt"',
        "tensorflow==2.19",
    ]


@pytest.mark.parametrize("line", ["numpy", "numpy==1.26", "numpy<2", "numpy>=1,>=2"])
def test_constraints_need_one_lower_bound(line):
    with pytest.raises(ValueError, match="^numpy should have one lower bound, such as"):
        lowest_versions.constraints({"project": {"dependencies": [line]}})


def test_constraints_hold_every_lower_bound_of_the_project(capsys):
    assert lowest_versions.main() == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed == lowest_versions.constraints(PYPROJECT)
    wanted = {}
    for line in LINES:
        name, bound = re.match(r"([\w-]+)>=([\d.]+)", line).groups()
        wanted[name] = bound
    got = {line.name: line.specifier for line in map(Requirement, printed)}
    assert {name: str(each) for name, each in got.items()} == {
        name: f"=={bound}" for name, bound in wanted.items()
    }
    assert {"numpy", "keras", "tensorflow", "tensorflow-cpu"} <= set(got)


@pytest.mark.parametrize("machine", MACHINES)
def test_constraints_name_one_tensorflow_per_machine(machine):
    here = {"python_version": "3.11", **MACHINES[machine]}
    names = [
        line.name
        for line in map(Requirement, lowest_versions.constraints(PYPROJECT))
        if line.marker is None or line.marker.evaluate(here)
    ]
    assert len([name for name in names if name.startswith("tensorflow")]) == 1


def test_make_lowest_installs_what_the_script_prints():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    rule = re.search(
        r"^\$\(LOWEST\)/\.ready: (.*)\n((?:\t.*\n)+)", makefile, flags=re.M
    )
    assert {"pyproject.toml", "tools/lowest_versions.py"} <= set(rule[1].split())
    recipe = " ".join(rule[2].replace("\\\n", " ").split())
    assert "-m tools.lowest_versions > $(LOWEST)/constraints.txt" in recipe
    assert '-c $(LOWEST)/constraints.txt -e ".[tensorflow,test]"' in recipe
    assert "requirements.txt" not in rule[0]


def test_make_lowest_runs_the_quick_tests_and_every_chapter():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    recipe = re.search(r"^on-lowest: (.*)\n((?:\t.*\n)+)", makefile, flags=re.M)
    assert "$(LOWEST)/.ready" in recipe[1].split()
    assert re.search(r"pytest -q \$\(filter-out [%\w. ]+,\$\(QUICK\)\)", recipe[2])
    assert "--nbval-lax" in recipe[2] and recipe[2].endswith("$(NOTEBOOKS)\n")
    assert "$(VENV)" not in recipe[2]


def test_workflow_runs_make_lowest_each_week_on_the_lowest_python():
    path = ROOT / ".github" / "workflows" / "weekly.yml"
    workflow = yaml.safe_load(path.read_text("utf-8"))
    assert workflow[True]["schedule"]  # YAML reads the key "on" as True
    steps = workflow["jobs"]["lowest"]["steps"]
    assert any(step.get("run", "").startswith("make lowest") for step in steps)
    (python,) = [
        step["with"]["python-version"]
        for step in steps
        if "python" in str(step)
        if "with" in step
    ]
    assert PROJECT["requires-python"].startswith(f">={python},")
