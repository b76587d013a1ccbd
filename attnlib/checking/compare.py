"""Comparing a submission's result with the expected one, and writing both on a line."""

import math
import numbers

import numpy as np

from attnlib.checking.sandbox import UnsupportedValue

RELATIVE_TOLERANCE, ABSOLUTE_TOLERANCE = 1e-5, 1e-6  # float32 passes
MAX_SHOWN = 24  # an array with more numbers is shown by its shape
MAX_CHARACTERS = 300  # of any other value


def difference(expected, got, name="The result"):
    """What differs between ``expected`` and ``got``, in words, or None; ``name`` names
    it.
    """
    if isinstance(expected, np.ndarray):
        return _array_difference(expected, got, name)
    if isinstance(expected, (bool, str)) or expected is None:
        is_equal = type(got) is type(expected) and got == expected
        return None if is_equal else f"{name}:{_expected_and_got(expected, got)}"
    if isinstance(expected, numbers.Real):
        return _number_difference(expected, got, name)
    wanted = type(expected)
    if wanted in (set, frozenset) and type(got) in (set, frozenset):
        got = wanted(got)
    if type(got) is not wanted:
        return f"{name} should be a {wanted.__name__}, got {kind(got)}."
    return _collection_difference(expected, got, name)


def _collection_difference(expected, got, name):
    both = _expected_and_got(expected, got)
    if len(got) != len(expected):
        return f"{name} should have {len(expected)} items, got {len(got)}:{both}"
    if isinstance(expected, dict):
        problems = (difference(expected[key], got.get(key), key) for key in expected)
        return next(filter(None, problems), None)
    if isinstance(expected, (list, tuple)):
        differs = any(difference(e, g) for e, g in zip(expected, got, strict=True))
    else:
        differs = got != expected
    return f"{name}:{both}" if differs else None


def _number_difference(expected, got, name):
    is_integer = isinstance(expected, int)
    allowed = int if is_integer else (int, float)
    if isinstance(got, bool) or not isinstance(got, allowed):
        wanted = "an integer (int)" if is_integer else "one number (float)"
        return f"{name} should be {wanted}, got {kind(got)}."
    if is_integer:
        is_equal = got == expected
    elif math.isnan(expected) or math.isnan(got):
        is_equal = math.isnan(expected) and math.isnan(got)
    else:
        is_equal = math.isclose(
            expected, got, rel_tol=RELATIVE_TOLERANCE, abs_tol=ABSOLUTE_TOLERANCE
        )
    return None if is_equal else f"{name}:{_expected_and_got(expected, got)}"


def _array_difference(expected, got, name):
    if not isinstance(got, np.ndarray):
        shape = expected.shape
        return f"{name} should be a NumPy array of shape {shape}, got {kind(got)}."
    if got.shape != expected.shape:
        shapes = f"{name} should have shape {expected.shape}, got {got.shape}"
        is_short = expected.ndim == got.ndim == 1 and expected.size <= MAX_SHOWN
        both = _expected_and_got(expected, got) if is_short else ""
        return f"{shapes}:{both}" if both else f"{shapes}."
    kinds = got.dtype.kind, expected.dtype.kind
    same_kind = kinds[0] == kinds[1] or set(kinds) == {"i", "u"}
    is_half = got.dtype == np.float16 != expected.dtype
    if got.size and (not same_kind or is_half):
        return f"{name} should have dtype {expected.dtype}, got {got.dtype}."
    is_float = got.dtype.kind == "f"
    if is_float:
        differs = ~np.isclose(
            got,
            expected,
            rtol=RELATIVE_TOLERANCE,
            atol=ABSOLUTE_TOLERANCE,
            equal_nan=True,
        )
    else:
        differs = got != expected
    if not differs.any():
        return None
    has_nan = is_float and np.isnan(got[differs]).any()
    note = " (your result holds NaN)" if has_nan else ""
    if expected.size <= MAX_SHOWN:
        return f"{name}{note}:{_expected_and_got(expected, got)}"
    first = tuple(map(int, np.argwhere(differs)[0]))
    what = "values" if expected.dtype.kind in "bU" else "numbers"
    return (
        f"{name}: {int(differs.sum())} of {differs.size} {what} differ{note}, "
        f"the first at {list(first)}:{_expected_and_got(expected[first], got[first])}"
    )


def equal(one, other):
    """Whether two plain values are equal; NaN equals NaN."""
    if isinstance(one, UnsupportedValue) or isinstance(other, UnsupportedValue):
        return type(one) is type(other) and one.description == other.description
    return difference(one, other) is None


def kind(value):
    """What a value is, in words: "a list", "None", "a tensorflow EagerTensor"."""
    if isinstance(value, UnsupportedValue):
        return value.description
    if value is None:
        return "None (is return missing, or not always reached?)"
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    return f"an int ({value})" if type(value) is int else f"a {type(value).__name__}"


def count(value):
    """How many numbers and words a plain value holds."""
    if isinstance(value, np.ndarray):
        return value.size
    if isinstance(value, (list, tuple, set, frozenset)):
        return sum(map(count, value))
    if isinstance(value, dict):
        return sum(map(count, value.values()))
    return 1


def _expected_and_got(expected, got):
    texts = show(expected), show(got)
    if texts[0] == texts[1]:  # they differ only after the fourth decimal, or are cut
        texts = _around_the_difference(str(expected), str(got))
    return f"\n  expected  {texts[0]}\n  got       {texts[1]}"


def _around_the_difference(one, other):
    """Two texts, cut to what surrounds the first place where they differ."""
    pairs = enumerate(zip(one, other, strict=False))
    place = next((i for i, (a, b) in pairs if a != b), 0)
    start = max(0, place - MAX_CHARACTERS // 2)
    texts = (text[start : start + MAX_CHARACTERS] for text in (one, other))
    return [("... " if start else "") + text for text in texts]


def show(value):
    """A value on a line: numbers to four decimals, a large array by its shape, and
    whatever is long cut.
    """
    return _cut(_show(value))


def _cut(text):
    return text if len(text) <= MAX_CHARACTERS else text[:MAX_CHARACTERS] + " ..."


def _show(value, most=MAX_SHOWN):
    """``most`` is the largest number of elements of an array that is written out."""
    if isinstance(value, UnsupportedValue):
        return value.description
    if isinstance(value, np.ndarray):
        if value.size <= most:
            return _show(value.tolist())
        return f"{'an array of ' if most else ''}shape {value.shape}"
    if isinstance(value, (float, np.floating)):
        return _show_float(float(value))  # half precision cannot hold 1e6
    if isinstance(value, list):
        return f"[{_show_items(value, most)}]"
    if isinstance(value, tuple):
        return f"({_show_items(value, most)}{',' if len(value) == 1 else ''})"
    if isinstance(value, (set, frozenset)):
        items = _show_items(_in_order(value))
        return f"{{{items}}}" if value else "set()"
    if isinstance(value, dict):  # of parameters, for example: by their shapes
        items = (f"{key!r}: {_show(item, most=0)}" for key, item in value.items())
        return f"{{{', '.join(items)}}}"
    return str(value) if isinstance(value, np.generic) else repr(value)


def _in_order(values):
    try:
        return sorted(values)
    except TypeError:  # of several kinds
        return sorted(values, key=repr)


def _show_items(values, most=MAX_SHOWN):
    return ", ".join(_show(value, most) for value in values)


def _show_float(value):
    if 1e-3 <= abs(value) < 1e6 or value == 0:
        return f"{value + 0.0:.4f}".rstrip("0").rstrip(".")  # + 0.0: no -0
    return f"{value:.4g}"
