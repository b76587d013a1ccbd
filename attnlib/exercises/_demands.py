"""What every exercise of a sort must survive, in one place: masks, scores, padding.

The cases of an exercise are its own, but what life brings is the same for all of them.
``tests/test_exercise_demands.py`` reads the cases of every exercise and fails where
one of these is missing; an exercise that leaves one out has to quote the sentence of
its own text that allows it.

The contract of the whole course: padding has no part in anything, and a row with
nothing to attend to gets zero weights and a zero context, never NaN; a recurrent state
stays as it was.
"""

import numpy as np

MASK_KINDS = "words first", "padding first", "a gap", "one word", "nothing"


def five_masks(source_len):
    """The five masks of ``MASK_KINDS``, as a batch: booleans (5, source_len).

    ``source_len`` should be 4 or more.
    """
    position = np.arange(source_len)
    return np.array(
        [
            position < source_len - 2,
            position >= 2,
            position != 1,
            position == 1,
            position < 0,
        ]
    )


def mask_kind(row):
    """Which of ``MASK_KINDS`` a row of a mask is, or "all words"."""
    words = np.flatnonzero(row)
    if len(words) == len(row):
        return "all words"
    if len(words) == 0:
        return "nothing"
    if len(words) == 1:
        return "one word"
    if words[-1] - words[0] + 1 > len(words):
        return "a gap"
    return "words first" if words[0] == 0 else "padding first"


def extreme_scores(source_len):
    """Three rows, (3, source_len): near 1000, near -1000, and from -3000 to 3000.

    Whole numbers, so that float32 holds them exactly. ``np.exp`` of the first is
    infinite, of the second 0; in the third, a shift by the mean is not enough.
    """
    steps = np.arange(source_len, dtype=float)
    spanning = np.linspace(-3000, 3000, source_len)
    return np.stack([1000 - steps, steps - 1000, spanning.round()])


def spoiled_padding(scores, mask):
    """A copy of ``scores`` with inf, NaN, and 1e10, in turn, where ``mask`` is False.

    scores, mask: of one shape. What stands there may not matter, so that multiplying
    by the mask, adding -1e9, and masking after the softmax all show.
    """
    spoiled = np.array(scores, dtype=float)
    count = int((~mask).sum())
    spoiled[~mask] = np.resize([np.inf, np.nan, 1e10], count)
    return spoiled


def in_float32(arguments):
    """The same arguments, with every array of floats in float32."""
    return tuple(
        value.astype("float32")
        if isinstance(value, np.ndarray) and value.dtype.kind == "f"
        else value
        for value in arguments
    )
