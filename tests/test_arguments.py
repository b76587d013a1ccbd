"""The checks of arguments: what they return, and the messages of what they refuse."""

import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from attnlib import arguments


class Traced:
    """A tensor of a graph that is traced: a shape, partly unknown, and a dtype."""

    def __init__(self, *shape, dtype="float32"):
        self.shape = shape
        self.dtype = np.dtype(dtype)


def refused(error, check, *args, **kwargs):
    """The message of the `error` that `check` raises."""
    with pytest.raises(error) as raised:
        check(*args, **kwargs)
    assert type(raised.value) is error
    return str(raised.value)


@pytest.mark.parametrize("value", [1, 7, np.int64(7), np.array(7, "uint8")])
def test_integer_returns_an_int(value):
    number = arguments.integer("units", value)
    assert type(number) is int and number == value


def test_integer_includes_its_limits():
    assert arguments.integer("seed", 0, 0) == 0
    assert arguments.integer("max_digits", 15, 1, 15) == 15


@pytest.mark.parametrize(
    "value", [2.5, 2.0, True, np.True_, None, "2", [2], np.array([2, 3]), np.float32(2)]
)
def test_integer_refuses_what_is_not_an_integer(value):
    assert refused(TypeError, arguments.integer, "units", value) == (
        f"units should be an integer of 1 or more, got {value!r}"
    )


def test_integer_refuses_what_is_out_of_range():
    message = "units should be an integer of 1 or more, got 0"
    assert refused(ValueError, arguments.integer, "units", np.int64(0)) == message
    message = "seed should be an integer of 0 or more, got -1"
    assert refused(ValueError, arguments.integer, "seed", -1, 0) == message
    for value in (0, 16):
        message = f"max_digits should be an integer between 1 and 15, got {value}"
        assert refused(ValueError, arguments.integer, "max_digits", value, 1, 15) == (
            message
        )


def test_integer_cuts_a_long_value_short():
    message = refused(TypeError, arguments.integer, "n", "x" * 1000)
    assert len(message) < 120


def test_one_of_returns_the_value():
    assert arguments.one_of("part", "test", ("train", "test")) == "test"


@pytest.mark.parametrize("value", ["dev", None, 0])
def test_one_of_lists_the_choices(value):
    message = f"part should be one of 'train', 'test', got {value!r}"
    assert refused(ValueError, arguments.one_of, "part", value, ("train", "test")) == (
        message
    )


def test_increasing_returns_a_tuple():
    assert arguments.increasing("edges", [0, 2.5, 7]) == (0, 2.5, 7)
    assert arguments.increasing("edges", range(3)) == (0, 1, 2)


@pytest.mark.parametrize("numbers", [(), (1,), (1, 1), (2, 1), (0, 5, 4)])
def test_increasing_refuses_less_than_two_and_what_does_not_increase(numbers):
    assert refused(ValueError, arguments.increasing, "edges", numbers) == (
        f"edges should be two or more increasing numbers, got {numbers}"
    )


def test_token_list_returns_a_list():
    assert arguments.token_list("source", ("a", "b")) == ["a", "b"]
    assert arguments.token_list("source", iter(["a"])) == ["a"]


def test_token_list_refuses_what_is_not_a_list_of_tokens():
    check = arguments.token_list
    assert refused(TypeError, check, "source", "two words") == (
        "source should be a list of tokens, got the text 'two words': split it"
    )
    assert refused(TypeError, check, "source", ["a", 3]) == (
        "source should hold str, got int: 3"
    )
    assert refused(ValueError, check, "source", []) == (
        "source should have at least one token, got none"
    )


@pytest.mark.parametrize(
    ("dtype", "returned"),
    [
        ("float16", "float32"),
        ("float32", "float32"),
        ("float64", "float64"),
        ("int64", "float64"),
        ("bool", "float32"),
    ],
)
def test_array_of_shape_is_at_least_float32(dtype, returned):
    array = arguments.array_of_shape("v", np.ones((2, 3), dtype), 2, "units")
    assert array.dtype == returned and array.shape == (2, 3)


def test_array_of_shape_takes_lists_and_empty_axes():
    assert_array_equal(arguments.array_of_shape("v", [1, 2], "units"), [1.0, 2.0])
    assert arguments.array_of_shape("v", np.zeros((0, 3)), "n", 3).shape == (0, 3)


def test_array_of_shape_refuses_what_does_not_fit():
    check = arguments.array_of_shape
    assert refused(ValueError, check, "v", np.zeros((2, 3)), 2, 4) == (
        "v should have shape (2, 4), got (2, 3)"
    )
    assert refused(ValueError, check, "v", np.zeros((2, 3)), "units") == (
        "v should have shape (units,), got (2, 3)"
    )
    assert refused(ValueError, check, "v", 1.0, 2, "units") == (
        "v should have shape (2, units), got ()"
    )
    assert refused(TypeError, check, "v", [["two"]], 1, 1) == (
        "v should hold numbers, got <U3"
    )


def test_numbers_between_returns_floats():
    one = arguments.numbers_between("p", 1, (), 0, 1)
    assert one.shape == () and one == 1 and one.dtype == float
    assert_array_equal(arguments.numbers_between("p", [0, 1], (2,), 0, 1), [0.0, 1.0])


def test_numbers_between_refuses_what_does_not_fit():
    check = arguments.numbers_between
    assert refused(TypeError, check, "p", "half", (), 0, 1) == (
        "p should be a number, got 'half'"
    )
    assert refused(TypeError, check, "p", ["a", "b"], (2,), 0, 1) == (
        "p should hold numbers, got <U1"
    )
    assert refused(TypeError, check, "p", True, (), 0, 1) == (
        "p should be a number, got True"
    )
    assert refused(ValueError, check, "p", [0.5], (2,), 0, 1) == (
        "p should have shape (2,), got (1,)"
    )
    for wrong in ("1.5", "-0.25", "nan"):
        assert refused(ValueError, check, "p", [0.5, float(wrong)], (2,), 0, 1) == (
            f"p should lie between 0 and 1, got {wrong}"
        )


def test_boolean_mask_returns_an_array():
    assert_array_equal(arguments.boolean_mask([[True, False]], (1, 2)), [[True, False]])


def test_boolean_mask_refuses_what_does_not_fit():
    check = arguments.boolean_mask
    assert refused(TypeError, check, [1, 0], (2,)) == (
        "mask should be boolean, True = may be attended to, got int64"
    )
    assert refused(ValueError, check, [True], (2,)) == (
        "mask should have shape (2,), got (1,)"
    )
    axes = ("batch", "source_len")
    assert refused(ValueError, check, np.ones((2, 4), bool), (2, 5), axes) == (
        "mask should have shape (batch, source_len) = (2, 5), got (2, 4)"
    )


def test_broadcast_mask_has_the_shape_of_the_scores():
    mask = arguments.broadcast_mask([[True], [False]], (2, 3))
    assert_array_equal(mask, [[True] * 3, [False] * 3])
    assert arguments.broadcast_mask(True, (2, 3)).all()


def test_broadcast_mask_refuses_what_does_not_fit():
    check = arguments.broadcast_mask
    assert refused(TypeError, check, np.ones(3), (2, 3)) == (
        "mask should be boolean, True = may be attended to, got float64"
    )
    assert refused(ValueError, check, [True, False], (2, 3)) == (
        "mask should broadcast to the shape of the scores, (2, 3), got shape (2,)"
    )


def test_check_last_axis_gives_the_size():
    arguments.check_last_axis("query", Traced(None, None, 4), 4)
    assert refused(
        ValueError, arguments.check_last_axis, "query", Traced(2, None, 3), 4
    ) == (
        "query should have a last axis of size 4, as the layer was built, got shape"
        " (2, None, 3)"
    )


def test_check_query_gives_both_shapes():
    check = arguments.check_query
    values = Traced(2, 5, 6)
    check(Traced(2, 3, 4), values)
    check(Traced(None, None, 4), values)
    assert refused(ValueError, check, Traced(3, 4), values) == (
        "query should have shape (batch, target_len, query_dim), got (3, 4)"
    )
    assert refused(ValueError, check, Traced(1, 3, 4), values) == (
        "query and values should hold the same number of sentences, got shapes"
        " (1, 3, 4) and (2, 5, 6)"
    )
    assert refused(TypeError, check, Traced(2, 3, 4, dtype="int32"), values) == (
        "query should hold floats, got int32"
    )
    assert refused(TypeError, check, [[[1.0]]], values) == (
        "query should be a tensor or an array, got a list"
    )


def test_check_values_gives_the_shape_that_the_mask_should_have():
    check = arguments.check_values
    values = Traced(2, 5, 6)
    check(values)
    check(values, Traced(2, 5, dtype=bool))
    check(Traced(None, None, 6), Traced(2, 5, dtype=bool))
    assert refused(ValueError, check, Traced(5, 6)) == (
        "values should have shape (batch, source_len, value_dim), got (5, 6)"
    )
    for shape in ((2, 4), (1, 5), (5,), (2,), (2, 3, 5), (2, 5, 6)):
        assert refused(ValueError, check, values, Traced(*shape, dtype=bool)) == (
            f"mask should have shape (batch, source_len) = (2, 5), got {shape}"
        )
    assert refused(TypeError, check, values, Traced(2, 5, dtype="int32")) == (
        "mask should be boolean, True = may be attended to, got int32"
    )


def test_check_keys_gives_the_shape_of_the_projection():
    check = arguments.check_keys
    values = Traced(2, None, 6)
    check(Traced(2, 5, 7), values, 7)
    for shape in ((2, 5, 6), (1, 5, 7), (5, 7), (2, 5), (2, 5, 7, 1)):
        assert refused(ValueError, check, Traced(*shape), values, 7) == (
            "keys should be project(values), (batch, source_len, units) ="
            f" (2, None, 7), got shape {shape}"
        )


def test_arguments_imports_nothing_but_numpy_of_other_packages():
    code = (
        "import sys, numpy; before = set(sys.modules); import attnlib.arguments;"
        " print(sorted(n for n in set(sys.modules) - before"
        " if n.split('.')[0] not in sys.stdlib_module_names))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "['attnlib', 'attnlib.arguments']", done.stderr
