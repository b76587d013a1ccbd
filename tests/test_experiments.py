"""Every experiment runs in its quick size, and every committed result says what it was
made with.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from attnlib import results

EXPERIMENTS = Path(__file__).parent.parent / "experiments"
SCRIPTS = sorted(
    path for path in EXPERIMENTS.glob("*.py") if not path.name.startswith("_")
)
COMMITTED = sorted((EXPERIMENTS / "results").glob("*.json"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_experiment_quick_run_writes_a_result_of_the_committed_form(script, tmp_path):
    done = subprocess.run(
        [sys.executable, script, "--quick", "--output", tmp_path],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    quick = json.loads((tmp_path / f"{script.stem}.json").read_text(encoding="utf-8"))
    full = results.load(script.stem)
    assert quick.keys() == full.keys()
    assert (
        quick["runs"][0].keys()
        == next(
            run for run in full["runs"] if run["model"] == quick["runs"][0]["model"]
        ).keys()
    )


def test_experiment_takes_up_where_it_stopped(tmp_path):
    (tmp_path / "runs").mkdir()
    there = {"model": "there already"}
    (tmp_path / "runs" / "some-0.json").write_text(json.dumps(there), encoding="utf-8")
    code = (
        "import sys; from pathlib import Path; from _training import run; "
        "print(run('some-0', Path(sys.argv[1]), lambda: 1 / 0))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path],
        cwd=EXPERIMENTS,
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == str(there), done.stderr


def test_experiment_quick_refuses_the_folder_of_real_results():
    done = subprocess.run(
        [sys.executable, SCRIPTS[0], "--quick"], capture_output=True, text=True
    )
    assert done.returncode == 2 and "--output" in done.stderr


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_committed_result_names_seeds_versions_date_and_cost(path):
    runs = json.loads(path.read_text(encoding="utf-8"))["runs"]
    models = {run["model"] for run in runs}
    for model in models:
        assert len({run["seed"] for run in runs if run["model"] == model}) >= 3, model
    for run in runs:
        assert (
            run["versions"]["keras"]
            and run["date"]
            and run["seconds"] > 0
            and run["peak_memory_mb"] > 0
        )


def test_load_names_what_there_is():
    with pytest.raises(FileNotFoundError, match="length_curve"):
        results.load("no_such_result")
