"""Print the lowest versions that pyproject.toml allows, as constraints for pip.

    python -m tools.lowest_versions > constraints.txt
    pip install -c constraints.txt -e ".[tensorflow]"

What attnlib itself needs is at its lower bound, and so is the extra with TensorFlow;
what these packages need in turn is as new as they allow. `make lowest` runs the
chapters on that.
"""

import sys
import tomllib

from packaging.requirements import Requirement

from tools.build_book import ROOT

EXTRAS = ("tensorflow",)  # beside what is always installed


def requirements(pyproject):
    """What attnlib runs on: its dependencies and EXTRAS, as pyproject.toml has them."""
    project = pyproject["project"]
    optional = project.get("optional-dependencies", {})
    lines = [*project["dependencies"]]
    for extra in EXTRAS:
        lines += optional.get(extra, [])
    return [Requirement(line) for line in lines]


def lowest(requirement):
    """The constraint ``name==version`` for the lower bound of a requirement.

    Raises
    ------
    ValueError
        If there is no lower bound, or more than one.
    """
    bounds = [each.version for each in requirement.specifier if each.operator == ">="]
    if len(bounds) != 1:
        raise ValueError(
            f"{requirement.name} should have one lower bound, such as"
            f" {requirement.name}>=1.0, got {str(requirement.specifier) or 'none'!r}"
        )
    marker = f" ; {requirement.marker}" if requirement.marker else ""
    return f"{requirement.name}=={bounds[0]}{marker}"


def constraints(pyproject):
    """One line for each of `requirements`."""
    return [lowest(requirement) for requirement in requirements(pyproject)]


def main():
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    print(*constraints(pyproject), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
