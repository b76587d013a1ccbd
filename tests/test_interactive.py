"""The interactive figures: what they take and write, and how they answer in a browser."""

import json
import re
import subprocess
import sys

import pytest
from conftest import ROOT

import attnlib
from attnlib.interactive import frame

ESCAPES = ["</script>", "<!--", "<!--<script>", "]]>", "\u2028", "&lt;", "a\\u003c", '"', "'", "漢字"]


# The frame.


def test_frame_data_cannot_end_its_element_and_comes_back_as_it_was():
    written = frame.packed({"words": ESCAPES})
    assert not set("<>&") & set(written)
    assert json.loads(written) == {"words": ESCAPES}


def test_frame_data_is_strict_json():
    with pytest.raises(ValueError, match="not JSON compliant"):
        frame.packed({"weight": float("nan")})


def test_interactive_names_its_figures():
    with pytest.raises(AttributeError, match="no attribute 'weight'; it has cueing, weights, window"):
        attnlib.interactive.weight  # noqa: B018
    assert {"cueing", "weights", "window"} <= set(dir(attnlib.interactive))


def test_interactive_imports_no_tensorflow_and_no_figure_before_its_use():
    code = "import sys, attnlib.interactive.frame; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert {"tensorflow", "keras", "matplotlib"} & set(loaded) == set()
    assert [name for name in loaded if re.match(r"attnlib\.interactive\._", name)] == []
