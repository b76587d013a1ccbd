"""What the long experiments found: the JSON that ``experiments/`` writes and the
chapters plot.
"""

import json
from importlib import resources
from pathlib import Path

_CHECKOUT = Path(__file__).parent.parent / "experiments" / "results"


def load(name):
    """The result called `name`, such as "length_curve", as dicts and lists.

    From the checkout's experiments/results, or from the copy that an installed attnlib
    carries. FileNotFoundError names the results there are.
    """
    folder = _CHECKOUT if _CHECKOUT.is_dir() else resources.files("attnlib.recorded")
    found = {
        file.name.removesuffix(".json"): file
        for file in folder.iterdir()
        if file.name.endswith(".json")
    }
    if name not in found:
        raise FileNotFoundError(
            f"no result is called {name!r}; there are {', '.join(sorted(found))}"
        )
    return json.loads(found[name].read_text(encoding="utf-8"))
