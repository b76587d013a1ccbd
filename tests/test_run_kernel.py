"""The kernel of the page, run natively: what it answers to the reader's cells."""

import base64
import importlib.util
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def kernel():
    place = ROOT / "book" / "_run" / "kernel.py"
    specification = importlib.util.spec_from_file_location("page_kernel", place)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def main_module(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


def ask(kernel, *sources, space="page"):
    cells = [[f"cell-{number}", source] for number, source in enumerate(sources, 1)]
    return json.loads(kernel.run(json.dumps({"space": space, "cells": cells})))


def texts(answer):
    return [part["text"] for part in answer["outputs"]]


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("1 + 1", ["2"]),
        ("1 + 1;", []),
        ("x = 3", []),
        ("None", []),
        ("'a'", ["'a'"]),
        ("display(1, 'b')\n2", ["1", "'b'", "2"]),
        ("import numpy as np\nnp.arange(3)", ["array([0, 1, 2])"]),
        ("", []),
        ("# nothing", []),
    ],
)
def test_run_shows_the_last_expression(kernel, source, shown):
    answer = ask(kernel, source)
    assert texts(answer) == shown and answer["error"] is None


def test_run_shows_long_lists_over_several_lines(kernel):
    (text,) = texts(ask(kernel, "['word' + str(i) for i in range(30)]"))
    assert text.startswith("['word0',\n 'word1',\n") and text.endswith("'word29']")
    (text,) = texts(ask(kernel, "'x' * 60_000"))
    assert text.endswith("... and 10,002 more characters")


def test_cells_of_one_space_share_their_variables(kernel):
    assert texts(ask(kernel, "a = 1", "a + 1")) == ["2"]
    assert texts(ask(kernel, "a + 2")) == ["3"]
    assert ask(kernel, "a", space="other")["error"]["kind"] == "NameError"
    kernel.forget("page")
    assert ask(kernel, "a")["error"]["kind"] == "NameError"


def test_only_the_last_cell_is_shown(kernel):
    assert texts(ask(kernel, "5", "6")) == ["6"]


def test_a_failing_cell_ends_the_request_with_its_traceback(kernel):
    answer = ask(kernel, "def f(x):\n    return 1 / x", "f(0)", "7")
    assert answer["outputs"] == []
    assert answer["error"]["kind"] == "ZeroDivisionError"
    lines = answer["error"]["text"].splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[1] == '  File "<cell-2>", line 1, in <module>'
    assert "    f(0)" in lines and "    return 1 / x" in lines
    assert "kernel.py" not in answer["error"]["text"]
    assert lines[-1] == "ZeroDivisionError: division by zero"


def test_syntax_error_keeps_its_caret(kernel):
    error = ask(kernel, "x = = 1")["error"]
    assert error["kind"] == "SyntaxError"
    assert "    x = = 1\n        ^" in error["text"]


def test_error_that_attnlib_raises_on_purpose_is_told_first(kernel):
    source = "from attnlib import reference as ref\nref.softmax([1.0], mask=[2])"
    error = ask(kernel, source)["error"]
    first, *lines = error["text"].splitlines()
    assert first.startswith("TypeError: mask should")
    assert "ref.softmax([1.0], mask=[2])" in error["text"]
    assert "Traceback" not in error["text"]
    assert not any("attnlib/" in line for line in lines)


def test_error_inside_a_call_from_attnlib_keeps_its_traceback(kernel):
    error = ask(kernel, "import numpy as np\nnp.ones(2) @ np.ones(3)")["error"]
    assert error["text"].startswith("Traceback (most recent call last):")


def test_deep_traceback_is_cut(kernel):
    error = ask(kernel, "def f(n):\n    return f(n + 1)\nf(0)")["error"]
    assert error["kind"] == "RecursionError"
    assert len(error["text"]) < kernel.MAX_TRACEBACK + 200


def test_long_message_is_cut(kernel):
    error = ask(kernel, "raise ValueError('x' * 10**6)")["error"]
    assert len(error["text"]) < kernel.MAX_TRACEBACK + 10


@pytest.mark.parametrize(
    ("source", "kind", "said"),
    [
        ("input('your name? ')", "EOFError", "this page has no keyboard input"),
        ("import tensorflow_of_another_world", "ModuleNotFoundError", "has NumPy,"),
        ("raise SystemExit", "SystemExit", "Nothing has ended."),
        ("import sys\nsys.exit(3)", "SystemExit", "asked Python to exit"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt", "KeyboardInterrupt"),
        ("class E(BaseException): pass\nraise E", "E", "E"),
    ],
)
def test_errors_are_told_in_words(kernel, source, kind, said):
    error = ask(kernel, source)["error"]
    assert error["kind"] == kind and said in error["text"]


def test_printed_text_goes_to_the_streams(kernel, capsys):
    ask(kernel, "print('hello')\nimport sys\nprint('error', file=sys.stderr)")
    assert capsys.readouterr() == ("hello\n", "error\n")


def test_figures_come_as_png_and_are_closed(kernel):
    pytest.importorskip("matplotlib").use("agg")
    answer = ask(
        kernel,
        "import matplotlib.pyplot as plt\nfig, ax = plt.subplots(figsize=(2, 1))\n"
        "ax.plot([1, 2])",
    )
    assert [list(part) for part in answer["outputs"]] == [["text"], ["png"]]
    png = base64.b64decode(answer["outputs"][1]["png"])
    assert png.startswith(b"\x89PNG")
    assert texts(ask(kernel, "plt.get_fignums()")) == ["[]"]


def test_a_figure_that_is_the_value_is_shown_once(kernel):
    pytest.importorskip("matplotlib").use("agg")
    answer = ask(
        kernel,
        "from matplotlib.figure import Figure\nfig = Figure()\nfig.subplots()\nfig",
    )
    assert [list(part) for part in answer["outputs"]] == [["png"]]


def test_figures_by_name_come_as_data(kernel):
    source = (
        "class Map:\n"
        "    def _page_figure_(self): return 'attention_map', {'weights': [[1.0]]}\n"
        "Map()"
    )
    assert ask(kernel, source)["outputs"] == [
        {"figure": "attention_map", "data": {"weights": [[1.0]]}}
    ]


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ("float('nan')", "ValueError"),
        ("[float('inf')]", "ValueError"),
        ("{1, 2}", "TypeError"),
        ("object()", "TypeError"),
        ("(loop := [], loop.append(loop))", "ValueError"),
    ],
)
def test_figures_whose_data_are_no_json_are_an_error_of_the_cell(kernel, data, kind):
    source = (
        "class Map:\n"
        f"    def _page_figure_(self): return 'attention_map', {data}\n"
        "Map()"
    )
    answer = ask(kernel, source)
    assert answer["error"]["kind"] == kind and answer["outputs"] == []
    assert texts(ask(kernel, "1 + 1")) == ["2"]


def test_interactive_figures_come_as_data(kernel):
    answer = ask(
        kernel,
        "from attnlib import interactive\n"
        "interactive.weights(['a', 'b'], [1, 0], title='Two')",
    )
    (part,) = answer["outputs"]
    assert part["figure"] == "weights" and part["data"]["title"] == "Two"
    assert part["data"]["scores"] == [1, 0]


def test_tables_come_as_data(kernel):
    source = "from attnlib.tables import Table\nTable(['n', '<x>'], [('a', 1)], 'Few')"
    answer = ask(kernel, source)
    (part,) = answer["outputs"]
    assert part["figure"] == "table" and part["data"]["title"] == "Few"
    assert part["data"]["columns"] == ["n", "<x>"]
    assert "<table" not in json.dumps(answer)


def test_html_is_never_returned(kernel):
    source = (
        "class Bad:\n"
        "    def _repr_html_(self): return '<script>alert(1)</script>'\n"
        "Bad()"
    )
    answer = ask(kernel, source)
    assert len(answer["outputs"]) == 1 and "script" not in json.dumps(answer)


def test_result_of_a_check_comes_as_data(kernel):
    source = "from attnlib.exercises import psychology as ex"
    right = "ex.softmax.check(ex.softmax.reference_solution)"
    answer = ask(kernel, source, right)
    assert answer["check"]["passed"] is True and answer["check"]["attempted"] is True
    assert texts(answer) == [answer["check"]["message"]]
    answer = ask(
        kernel, "def softmax(scores):\n    return scores", "ex.softmax.check(softmax)"
    )
    assert answer["check"]["passed"] is False
    assert answer["check"]["message"].startswith("Not yet: softmax.\n")
    assert ask(kernel, "1")["check"] is None


def test_traceback_of_a_check_names_the_line_of_the_cell(kernel):
    answer = ask(
        kernel,
        "from attnlib.exercises import psychology as ex",
        "def softmax(scores):\n    return 1 / 0",
        "ex.softmax.check(softmax)",
    )
    assert "in line 2 of your cell: return 1 / 0" in answer["check"]["message"]


def test_cells_before_the_last_show_and_print_nothing(kernel, capsys):
    answer = ask(kernel, "print('before')\n1", "display(2)", "print('last')\n3")
    assert (texts(answer), answer["ran"]) == (["3"], 3)
    assert capsys.readouterr().out == "last\n"


def test_answer_counts_the_cells_that_ran_before_an_error(kernel):
    answer = ask(kernel, "a = 1", "b = 2", "c", "d = 4")
    assert answer["ran"] == 2 and answer["error"]["kind"] == "NameError"
    assert texts(ask(kernel, "a, b")) == ["(1, 2)"]


def test_call_answers_a_figure_with_data_or_a_sentence(kernel):
    def call(*args):
        request = {"function": "decoder_steps", "args": args}
        return json.loads(kernel.call(json.dumps(request)))

    value = call("dates", "5 May 2024")["value"]
    assert [each[0][0] for each in value["candidates"]] == [*"2024-05-05", "<end>"]
    assert call("dates", "")["error"].startswith("text should hold a date")
    assert set(call("nothing", "5")) == {"error"}
    request = {"function": "word_scores", "args": ["reviews", "Good!"]}
    answer = json.loads(kernel.call(json.dumps(request)))
    assert answer["value"]["words"] == ["good", "!"]
    request = {"function": "heads", "args": ["Good!"]}
    answer = json.loads(kernel.call(json.dumps(request)))
    assert answer["value"]["words"] == ["good", "!"]
    assert set(call()) == {"error"}
    with pytest.raises(KeyError):
        kernel.call(json.dumps({"function": "eval", "args": ["1"]}))
