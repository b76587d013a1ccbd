"""What Binder would build: the Dockerfile that repo2docker prints without Docker."""

import re
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT

from tools import link_old_names

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="repo2docker does not run on Windows"
)


@pytest.fixture(scope="module")
def steps(tmp_path_factory):
    """The instructions of the Dockerfile, without comments, one string each."""
    copy = tmp_path_factory.mktemp("binder")
    for path in ROOT.iterdir():  # what repo2docker looks at
        if path.is_file():
            shutil.copy(path, copy)
    command = [sys.executable, "-m", "repo2docker", "--no-build", "--debug"]
    command += ["--user-id=1000", "--user-name=jovyan", "."]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    text = re.sub(r"^\s*#.*\n", "", done.stdout + done.stderr, flags=re.M)
    return [
        " ".join(step.split())
        for step in re.sub(r"\\\n", " ", text).split("\n")
        if step.strip()
    ]


def place(steps, pattern):
    """The place of the one step that matches."""
    found = [number for number, step in enumerate(steps) if re.search(pattern, step)]
    assert len(found) == 1, (pattern, [steps[number] for number in found])
    return found[0]


def test_binder_has_the_python_of_runtime_txt(steps):
    version = (ROOT / "runtime.txt").read_text().strip().removeprefix("python-")
    assert version == "3.11"
    lock = steps[place(steps, r"^COPY .* \S+/environment\.lock$")]
    name = re.sub(
        r"-([0-9a-f]{2})", lambda code: chr(int(code[1], 16)), lock
    )  # as repo2docker spells paths
    assert f"/environment.py-{version}-linux-64.lock" in name
    assert "ENV KERNEL_PYTHON_PREFIX=${NB_PYTHON_PREFIX}" in steps, (
        "the kernel is the Python of JupyterLab"
    )


def test_binder_installs_our_pins_after_its_own_and_nothing_after_them(steps):
    base = place(steps, r"install-base-env\.bash' ")
    pins = place(
        steps,
        r"^RUN \$\{KERNEL_PYTHON_PREFIX\}/bin/pip install --no-cache-dir -r"
        r' "requirements\.txt"$',
    )
    assert base < pins
    later = [
        step
        for step in steps[pins + 1 :]
        if re.search(r"\b(pip|conda|mamba|apt-get|npm)\b.* install\b", step)
    ]
    # repo2docker copies attnlib beside the pins, which pin all that it needs; postBuild
    # makes it the folder again
    assert later == ["RUN ${KERNEL_PYTHON_PREFIX}/bin/pip install --no-cache-dir ."]
    assert place(steps, r"^RUN \./postBuild$") > steps.index(later[0])


def test_binder_has_the_repository_before_it_installs_it(steps):
    assert (
        (ROOT / "requirements.txt").read_text("utf-8").endswith("\n./tools/lab\n-e .\n")
    )
    copied = place(steps, r"^COPY --chown=1000:1000 src/ \$\{REPO_DIR\}/?$")
    assert copied < place(steps, r'pip install --no-cache-dir -r "requirements\.txt"')
    post = (ROOT / "postBuild").read_text("utf-8")
    assert "\npip install --no-cache-dir --no-deps -e .\n" in post
    assert post.endswith("\npython -m tools.link_old_names\n")
    assert (ROOT / "postBuild").stat().st_mode & 0o111


def test_binder_image_holds_no_cache_and_no_system_package_of_ours(steps):
    installs = [step for step in steps if re.search(r"pip install", step)]
    assert installs and all("--no-cache-dir" in step for step in installs)
    systems = " ".join(
        re.findall(r"apt-get -qq install (.*?) >", " ".join(steps))
    ).split()
    assert {name for name in systems if not name.startswith("-")} == {
        "locales",
        "gettext-base",
        "less",
        "unzip",
    }
    assert not [
        step
        for step in steps
        if re.search(r"\bnpm install|mamba (env )?(update|install)", step)
    ]
    pins = (ROOT / "requirements.txt").read_text("utf-8")
    assert not re.search(r"^(nvidia|torch|jax|triton)", pins, flags=re.M), (
        "no wheel for an accelerator"
    )


def test_old_names_of_notebooks_are_links_to_the_new_ones(tmp_path):
    table = {"01_old": "01_new", "02_old": "02_new", "03_old": "03_new", "old": "page"}
    for name in ("01_new", "02_new", "03_new", "03_old"):
        (tmp_path / f"{name}.ipynb").write_text(name)
    (tmp_path / "page.md").touch()
    (tmp_path / "01_old.ipynb").symlink_to("gone.ipynb")  # of an earlier run
    for _ in range(2):
        made = link_old_names.link(tmp_path, table)
        assert [path.name for path in made] == ["01_old.ipynb", "02_old.ipynb"]
    for path in made:
        assert path.is_symlink() and not path.readlink().is_absolute()
        assert path.read_text() == path.stem.replace("old", "new")
    # A notebook of the reader's own, under an old name, stays as it is.
    assert (tmp_path / "03_old.ipynb").read_text() == "03_old"
    assert not (tmp_path / "old.ipynb").exists()


def test_old_names_of_notebooks_come_from_the_settings(tmp_path):
    (tmp_path / "_config.yml").write_text("sphinx: {config: {redirects: {a: b}}}")
    assert link_old_names.redirects(tmp_path) == {"a": "b"}
    assert link_old_names.redirects()["08_bug_hunt"] == "10_bug_hunt"
