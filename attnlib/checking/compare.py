"""Comparing a learner's result with the expected one, and writing both in a line."""

import math
import numbers

import numpy as np

from attnlib.checking.sandbox import UnsupportedValue

RELATIVE, ABSOLUTE = 1e-5, 1e-6  # float32 passes
SHOWN = 24  # numbers of an array that a message shows in full


def difference(expected, got, name="The result"):
    """None where `got` is what was expected, else what differs, in words; `name` names
    it.
    """
    if isinstance(expected, np.ndarray):
        return _array_difference(expected, got, name)
    if isinstance(expected, (bool, str)) or expected is None:
        same = type(got) is type(expected) and got == expected
        return None if same else f"{name}:{_pair(expected, got)}"
    if isinstance(expected, numbers.Real):
        return _number_difference(expected, got, name)
    if type(got) is not type(expected):
        return f"{name} should be a {type(expected).__name__}, got {kind(got)}."
    if len(got) != len(expected):
        return (
            f"{name} should have {len(expected)} items, got"
            f" {len(got)}:{_pair(expected, got)}"
        )
    if isinstance(expected, dict):
        found = (difference(expected[key], got.get(key), key) for key in expected)
    elif isinstance(expected, (list, tuple)):
        wrong = any(difference(e, g) for e, g in zip(expected, got, strict=True))
        return f"{name}:{_pair(expected, got)}" if wrong else None
    else:
        found = [None if got == expected else f"{name}:{_pair(expected, got)}"]
    return next(filter(None, found), None)


def _number_difference(expected, got, name):
    whole = isinstance(expected, int)
    if isinstance(got, bool) or not isinstance(got, int if whole else (int, float)):
        return (
            f"{name} should be"
            f" {'a whole number (int)' if whole else 'one number (float)'}, got"
            f" {kind(got)}."
        )
    if whole:
        same = got == expected
    elif math.isnan(expected) or math.isnan(got):
        same = math.isnan(expected) and math.isnan(got)
    else:
        same = math.isclose(expected, got, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
    return None if same else f"{name}:{_pair(expected, got)}"


def _array_difference(expected, got, name):
    if not isinstance(got, np.ndarray):
        return (
            f"{name} should be a NumPy array of shape {expected.shape}, got"
            f" {kind(got)}."
        )
    if got.shape != expected.shape:
        return f"{name} should have shape {expected.shape}, got {got.shape}."
    if got.dtype.kind != expected.dtype.kind or got.dtype == np.float16:
        return f"{name} should have dtype {expected.dtype}, got {got.dtype}."
    if got.dtype.kind != "f":
        wrong = got != expected
    else:
        wrong = ~np.isclose(got, expected, rtol=RELATIVE, atol=ABSOLUTE, equal_nan=True)
    if not wrong.any():
        return None
    nan = (
        " (your result holds NaN)"
        if got.dtype.kind == "f" and np.isnan(got[wrong]).any()
        else ""
    )
    if expected.size <= SHOWN:
        return f"{name}{nan}:{_pair(expected, got)}"
    first = tuple(map(int, np.argwhere(wrong)[0]))
    return (
        f"{name}: {int(wrong.sum())} of {wrong.size} numbers differ{nan}, the first at"
        f" {list(first)}:{_pair(expected[first], got[first])}"
    )


def same(one, other):
    """Whether two plain values are equal, NaN included."""
    if isinstance(one, UnsupportedValue) or isinstance(other, UnsupportedValue):
        return (
            isinstance(one, UnsupportedValue)
            and isinstance(other, UnsupportedValue)
            and one.what == other.what
        )
    return difference(one, other) is None


def kind(value):
    """What a value is, in words: "a list", "None", "a tensorflow EagerTensor"."""
    if isinstance(value, UnsupportedValue):
        return value.what
    if value is None:
        return "None (is return missing?)"
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    return f"an int ({value})" if type(value) is int else f"a {type(value).__name__}"


def _pair(expected, got):
    texts = show(expected), show(got)
    if texts[0] == texts[1]:  # they differ further behind the point
        texts = str(expected), str(got)
    return f"\n  expected  {texts[0]}\n  got       {texts[1]}"


def show(value):
    """A value in a line: numbers rounded to four places, large arrays by their shape."""
    if isinstance(value, UnsupportedValue):
        return value.what
    if isinstance(value, np.ndarray):
        return (
            show(value.tolist())
            if value.size <= SHOWN
            else f"an array of shape {value.shape}"
        )
    if isinstance(value, (float, np.floating)):
        value = float(value)  # half precision has no 1e6 to compare with
        if 1e-3 <= abs(value) < 1e6 or value == 0:
            return f"{value + 0.0:.4f}".rstrip("0").rstrip(".")
        return f"{value:.4g}"
    if isinstance(value, (list, tuple)):
        inside = ", ".join(show(item) for item in value)
        return (
            f"[{inside}]"
            if isinstance(value, list)
            else f"({inside}{',' * (len(value) == 1)})"
        )
    if isinstance(value, (set, frozenset)):
        return (
            "{" + ", ".join(show(item) for item in sorted(value, key=repr)) + "}"
            if value
            else "set()"
        )
    text = str(value) if isinstance(value, np.generic) else repr(value)
    return text if len(text) <= 200 else text[:200] + " ..."
