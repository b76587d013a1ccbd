"""Checks of arguments, with one wording for all of attnlib: "x should be …, got …".

They need nothing but NumPy. A tensor may come from any framework: its ``shape`` and
``dtype`` are all that is read. An axis whose length is not known yet (None, while a
graph is traced) fits any length.
"""

from itertools import pairwise
from operator import index

import numpy as np


def integer(name, value, minimum=1, maximum=None):
    """Return `value` as an int.

    Raises
    ------
    TypeError
        If `value` is not an integer. A bool is not one.
    ValueError
        If it is below `minimum` or above `maximum`.
    """
    wanted = f"an integer of {minimum} or more"
    if maximum is not None:
        wanted = f"an integer between {minimum} and {maximum}"
    number = _as_int(value)
    if number is None:
        raise TypeError(f"{name} should be {wanted}, got {value!r:.60}")
    if number < minimum or (maximum is not None and number > maximum):
        raise ValueError(f"{name} should be {wanted}, got {number}")
    return number


def one_of(name, value, choices):
    """Return `value`. ValueError if it is not one of `choices`."""
    if value not in choices:
        listed = ", ".join(map(repr, choices))
        raise ValueError(f"{name} should be one of {listed}, got {value!r:.60}")
    return value


def increasing(name, numbers):
    """Return `numbers` as a tuple. ValueError unless there are two or more of them and
    each is larger than the one before.
    """
    numbers = tuple(numbers)
    if len(numbers) < 2 or any(low >= high for low, high in pairwise(numbers)):
        raise ValueError(
            f"{name} should be two or more increasing numbers, got {numbers}"
        )
    return numbers


def token_list(name, tokens):
    """Return `tokens` as a list of str.

    Raises
    ------
    TypeError
        If it is a text instead of a list, or holds anything but str.
    ValueError
        If it is empty.
    """
    if isinstance(tokens, str):
        raise TypeError(
            f"{name} should be a list of tokens, got the text {tokens[:30]!r}: split it"
        )
    tokens = list(tokens)
    if not tokens:
        raise ValueError(f"{name} should have at least one token, got none")
    for token in tokens:
        if not isinstance(token, str):
            kind = type(token).__name__
            raise TypeError(f"{name} should hold str, got {kind}: {token!r:.30}")
    return tokens


# Arrays: NumPy, or what becomes an array.


def array_of_shape(name, array, *shape):
    """Return `array` as floats, in float32 at least.

    In `shape`, an int has to match, and a str names an axis of any length.

    Raises
    ------
    TypeError
        If the array does not hold numbers.
    ValueError
        If its shape does not fit.
    """
    array = np.asarray(array)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} should hold numbers, got {array.dtype}")
    fits = array.ndim == len(shape) and all(
        isinstance(wanted, str) or wanted == length
        for wanted, length in zip(shape, array.shape, strict=True)
    )
    if not fits:
        wanted = _in_words(shape)
        raise ValueError(f"{name} should have shape {wanted}, got {array.shape}")
    return array.astype(np.result_type(array.dtype, np.float32), copy=False)


def numbers_between(name, numbers, shape, low, high):
    """Return `numbers` as an array of floats; with shape (), one number.

    Raises
    ------
    TypeError
        If they are not numbers.
    ValueError
        If the shape does not fit, or a number is NaN or outside low … high.
    """
    array = np.asarray(numbers)
    if array.dtype.kind not in "fiu":
        if not shape:
            raise TypeError(f"{name} should be a number, got {numbers!r:.30}")
        raise TypeError(f"{name} should hold numbers, got {array.dtype}")
    if array.shape != shape:
        raise ValueError(f"{name} should have shape {shape}, got {array.shape}")
    outside = array[~((array >= low) & (array <= high))]  # NaN too
    if outside.size:
        wrong = outside.flat[0]
        raise ValueError(f"{name} should lie between {low} and {high}, got {wrong:g}")
    return array.astype(float)


def boolean_mask(mask, shape, axes=None):
    """Return `mask` as a boolean array of `shape`.

    `axes` are the names of its axes, for the message.

    Raises
    ------
    TypeError
        If the mask is not boolean.
    ValueError
        If its shape does not fit.
    """
    mask = np.asarray(mask)
    _check_boolean(mask)
    if mask.shape != tuple(shape):
        named = f"({', '.join(axes)}) = " if axes else ""
        raise ValueError(
            f"mask should have shape {named}{tuple(shape)}, got {mask.shape}"
        )
    return mask


def broadcast_mask(mask, shape):
    """Return `mask` as a boolean array, broadcast to `shape`.

    Raises
    ------
    TypeError
        If the mask is not boolean.
    ValueError
        If it does not broadcast to `shape`.
    """
    mask = np.asarray(mask)
    _check_boolean(mask)
    try:
        return np.broadcast_to(mask, shape)
    except ValueError:
        raise ValueError(
            f"mask should broadcast to the shape of the scores, {shape}, got shape"
            f" {mask.shape}"
        ) from None


# Tensors: what a layer is called with.


def check_last_axis(name, tensor, size):
    """ValueError unless the last axis has the size that the layer's weights expect."""
    if tensor.shape[-1] != size:
        raise ValueError(
            f"{name} should have a last axis of size {size}, as the layer was built,"
            f" got shape {tuple(tensor.shape)}"
        )


def check_query(query, values):
    """TypeError or ValueError unless `query` is (batch, target_len, query_dim), with
    the batch size of `values`, which are checked before.
    """
    _check_tensor("query", query, "target_len, query_dim")
    if not _may_be_equal(query.shape[0], values.shape[0]):
        raise ValueError(
            "query and values should hold the same number of sentences, got shapes"
            f" {tuple(query.shape)} and {tuple(values.shape)}"
        )


def check_values(values, mask=None):
    """TypeError or ValueError unless `values` is (batch, source_len, value_dim) and
    `mask`, if there is one, is boolean and (batch, source_len).
    """
    _check_tensor("values", values, "source_len, value_dim")
    if mask is None:
        return
    _check_boolean(mask)
    if len(mask.shape) != 2 or not all(map(_may_be_equal, mask.shape, values.shape)):
        raise ValueError(
            f"mask should have shape (batch, source_len) = {tuple(values.shape[:2])},"
            f" got {tuple(mask.shape)}"
        )


def check_keys(keys, values, key_dim):
    """ValueError if `keys` cannot be what ``project(values)`` returned."""
    expected = (*values.shape[:2], key_dim)
    if len(keys.shape) != 3 or not all(map(_may_be_equal, keys.shape, expected)):
        raise ValueError(
            f"keys should be project(values), (batch, source_len, units) = {expected},"
            f" got shape {tuple(keys.shape)}"
        )


def _as_int(value):
    """`value` as an int, or None if it is not an integer."""
    if isinstance(value, (bool, np.bool_)):
        return None
    try:
        return index(value)
    except TypeError:
        return None


def _check_tensor(name, tensor, axes):
    if not hasattr(tensor, "shape"):
        kind = type(tensor).__name__
        raise TypeError(f"{name} should be a tensor or an array, got a {kind}")
    if len(tensor.shape) != 3:
        shape = tuple(tensor.shape)
        raise ValueError(f"{name} should have shape (batch, {axes}), got {shape}")
    dtype = _dtype_name(tensor)
    if not dtype.startswith(("float", "bfloat")):
        raise TypeError(f"{name} should hold floats, got {dtype}")


def _check_boolean(mask):
    dtype = _dtype_name(mask)
    if dtype != "bool":
        raise TypeError(
            f"mask should be boolean, True = may be attended to, got {dtype}"
        )


def _dtype_name(tensor):
    """ "float32" for NumPy's, TensorFlow's, and Keras's ways to write it."""
    return getattr(tensor.dtype, "name", str(tensor.dtype))


def _may_be_equal(a, b):
    return a is None or b is None or a == b


def _in_words(shape):
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"
