"""The book's data sets: `numbers`, `dates` and `canvases` are generated, `reviews` is loaded."""

from operator import index


def whole_number(value, name, minimum, maximum=None):
    """Return `value` as an int, or raise.

    Raises TypeError when `value` is not a whole number (a bool is none), ValueError when it is below `minimum` or above
    `maximum`.
    """
    try:
        number = None if isinstance(value, bool) else index(value)
    except TypeError:
        number = None
    if number is None:
        raise TypeError(f"{name} must be a whole number, got {value!r}")
    if number < minimum or (maximum is not None and number > maximum):
        limits = f"at least {minimum}" if maximum is None else f"between {minimum} and {maximum}"
        raise ValueError(f"{name} must be {limits}, got {number}")
    return number
