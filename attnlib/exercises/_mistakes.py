"""Mistakes that belong to no single chapter: wrong softmaxes, and wrong masks in them.

An exercise whose solution calls ``ref.softmax`` (itself, or through ``ref.attend`` and
the like) gets them all in one line, ``add_softmax_mistakes(exercise)``. A message that
occurs several times is one mistake in several spellings: the same mistake gives other
numbers where a row overflows or is empty.
"""

import inspect
import itertools
import types

import numpy as np

from attnlib import reference

OVERFLOWS = (
    "exp is infinite at a score of 1000 and 0 at -1000. Subtract each row's maximum "
    "first."
)
ONE_MAXIMUM = (
    "You subtract one maximum from all rows, so a row of much smaller scores becomes "
    "0 / 0. Subtract each row's own maximum."
)
BASE_TWO = "You take powers of 2. The softmax takes powers of e: np.exp."
WITHOUT_EXP = "exp is missing: without it, a negative score gives a negative weight."
WITHOUT_SUM = (
    "You do not divide by the sum of the exponentials, so the weights do not sum to "
    "one."
)
IGNORED = "Your function ignores the mask: padding gets weight."
INVERTED = "Your mask is inverted: True means that a word may be attended to."
TIMES_SCORES = (
    "You set padded scores to 0. A score of 0 is still a score: exp(0) = 1. Use -inf."
)
AFTERWARDS = (
    "You set padding to zero after the softmax, so the weights no longer sum to one. "
    "Mask before it."
)
MAXIMUM_OVER_PADDING = (
    "The maximum you subtract may be that of a padded position, and then every real "
    "word underflows; or exp of a padded score is infinite, and infinity times 0 is "
    "NaN. Mask first."
)
ADDED = (
    "Adding -1e9 or -inf to a padded score is not enough: what stands at padding may "
    "be larger, infinite, or NaN, and a row of padding alone still gets weights. Leave "
    "padding out of the maximum and of the sum."
)
SMALL_CONSTANT = (
    "The number you write at padding is not small enough: a real word may score lower "
    "still. Use -np.inf."
)
SMALL_NUMBERS = -100, -999, -1000, -10_000  # other ones give the same as these
EQUAL_FOR_NOTHING = (
    "With nothing to attend to, one number everywhere gives equal weights, all of them "
    "on padding. Those rows should be zeros."
)
NAN_FOR_NOTHING = (
    "With nothing to attend to, the row is 0 / 0, which is NaN. Those rows should be "
    "zeros."
)

COUNTED_FROM_THE_FRONT = (
    "You count the words and take as many from the front. They may stand anywhere: use "
    "the mask itself."
)

MASK_AXIS = (
    "Your mask is on the wrong axes: each sentence has one mask, for all of its "
    "queries. Write mask[:, None, :], which is (batch, 1, source_len)."
)
AXES_EXCHANGED = (
    "You exchanged two axes: queries should be the rows and keys the columns, "
    "(batch, target_len, source_len)."
)
OF_ONE_SENTENCE = (
    "[:, None, :] and [None, :, :] pair the positions of one sentence. A batch has one "
    "axis more, in front: [:, :, None, :] for the query, [:, None, :, :] for the keys."
)
OTHER_SENTENCES = (
    "You mix sentences. Compare every query only with the keys of its own sentence."
)
# What takes the place of the scores query @ keys.transpose(0, 2, 1): pairs (message,
# function of query and keys).
WRONG_PRODUCTS = [
    (AXES_EXCHANGED, lambda query, keys: keys @ query.transpose(0, 2, 1)),
    (
        "keys.T reverses all axes, the batch axis too. "
        "Exchange the last two alone: keys.transpose(0, 2, 1).",
        lambda query, keys: query @ keys.T,
    ),
    (
        "reshape does not exchange axes: it reads the same numbers, in the same order, "
        "into another shape. Exchange the last two axes: keys.transpose(0, 2, 1).",
        lambda query, keys: query @ keys.reshape(len(keys), -1, keys.shape[1]),
    ),
    (
        "You multiply by the keys without transposing them. "
        "A score is a sum over the dimension, the last axis of both.",
        lambda query, keys: query @ keys,
    ),
    (
        "Your score of query t belongs to key t alone. Every query should meet every "
        "key: `@` does that, with the last two axes of the keys exchanged.",
        lambda query, keys: (query * keys).sum(axis=-1),
    ),
    (
        OF_ONE_SENTENCE,
        lambda query, keys: (query[:, None] * keys[None]).sum(axis=-1),
    ),
    (OTHER_SENTENCES, lambda query, keys: np.einsum("btd,csd->bts", query, keys)),
    (OTHER_SENTENCES, lambda query, keys: np.tensordot(query, keys, (-1, -1))),
    (OTHER_SENTENCES, lambda query, keys: np.dot(query, keys.T)),
    (OTHER_SENTENCES, lambda query, keys: query @ keys[0].T),
    (OTHER_SENTENCES, lambda query, keys: query @ keys[-1].T),
]
WEIGHTS_WITHOUT_AXIS = (
    "A weight (batch, source_len) belongs to a whole word. Give the weights an axis of "
    "their own, weights[:, :, None], multiply, and sum over the words; or write "
    'np.einsum("bs,bsd->bd", weights, values).'
)
# Contexts of weights (batch, source_len) and values (batch, source_len, dim) that are
# not their product, (batch, dim): pairs (message, function of the two).
WRONG_CONTEXTS = [
    (WEIGHTS_WITHOUT_AXIS, lambda weights, values: weights @ values),
    (WEIGHTS_WITHOUT_AXIS, lambda weights, values: np.dot(weights, values)),
    (WEIGHTS_WITHOUT_AXIS, lambda weights, values: (weights * values).sum(axis=1)),
    (
        "Your context still has an axis of length 1, where the weights were given one. "
        "Take it off: context[:, 0].",
        lambda weights, values: weights[:, None] @ values,
    ),
    (
        "Where a batch holds one sentence, your context has lost the axis of the "
        "batch. np.squeeze does that, because it takes off every axis of length 1: "
        "take off one alone, context[:, 0].",
        lambda weights, values: (weights[:, None] @ values).squeeze(),
    ),
    (
        "You multiply each word by its weight but do not add the words up. Sum over "
        "source_len, axis 1.",
        lambda weights, values: weights[:, :, None] * values,
    ),
    (
        "You sum over the dimension of the words. Sum over the words themselves, axis "
        "1.",
        lambda weights, values: (weights[:, :, None] * values).sum(axis=-1),
    ),
]

SIGMA_SQUARED = "In the denominator, sigma should be squared: -d**2 / (2 * sigma**2)."
NOT_SQUARED = "The distance should be squared: -d**2 / (2 * sigma**2)."
# What stands in the exponent of a Gaussian instead of -distance^2 / (2 sigma^2): pairs
# (message, function of distance and sigma).
GAUSSIAN_EXPONENTS = [
    (
        "-d**2 / 2 * sigma**2 multiplies by sigma^2. "
        "Divide by both: -d**2 / (2 * sigma**2).",
        lambda distance, sigma: -(distance**2) / 2 * sigma**2,
    ),
    (
        "2 is missing in the denominator: -d**2 / (2 * sigma**2).",
        lambda distance, sigma: -(distance**2) / sigma**2,
    ),
    (
        "You square 2 along with sigma: it is 2 * sigma**2, not (2 * sigma)**2.",
        lambda distance, sigma: -(distance**2) / (2 * sigma) ** 2,
    ),
    (
        "You square the whole fraction, and sigma a second time. Square the distance "
        "and sigma alone: -d**2 / (2 * sigma**2).",
        lambda distance, sigma: -((distance / (2 * sigma**2)) ** 2),
    ),
    (NOT_SQUARED, lambda distance, sigma: -distance / (2 * sigma**2)),
    (NOT_SQUARED, lambda distance, sigma: -abs(distance) / (2 * sigma**2)),
    (SIGMA_SQUARED, lambda distance, sigma: -(distance**2) / (2 * sigma)),
    (
        "In the denominator, all of sigma should be squared. Python takes the power "
        "before it divides, so half_width / 2 needs parentheses: (half_width / 2)**2.",
        lambda distance, sigma: -(distance**2) / sigma,  # 2 * half_width / 2**2
    ),
    (
        "The minus sign is missing: the Gaussian falls with the distance.",
        lambda distance, sigma: distance**2 / (2 * sigma**2),
    ),
]


def _exponentials_over_sum(scores, axis, sum_axis, shift, exp, allowed, nothing):
    """exp(scores) over its sum, with what can go wrong as an argument.

    axis: that of the maximum. shift: "row", "all", or None, the maximum that is
    subtracted. allowed: booleans that multiply the exponentials. nothing: what an empty
    row gives, "zeros" or "nan".
    """
    if shift == "row":
        highest = scores.max(axis=axis, keepdims=True)
        scores = scores - np.where(highest == -np.inf, 0, highest)
    elif shift == "all":
        scores = scores - scores.max()
    exponentials = exp(scores) * allowed
    total = exponentials.sum(axis=sum_axis, keepdims=True)
    if nothing == "zeros":
        total = np.where(total == 0, 1, total)
    return exponentials / total


def faulty(
    masking="left out",
    axis=-1,
    shift="row",
    exp=np.exp,
    nothing="zeros",
    fill=-np.inf,
    sum_axis="as axis",
):
    """A softmax with one mistake: a function (scores, mask=None) -> weights.

    Parameters
    ----------
    masking : str
        "left out" (right), "ignored", "inverted", "times scores", "afterwards",
        "exponentials" (right but for the maximum, which padding has a part in), "added"
        (``fill`` is added), or "twice" (masked afterwards and normalized again).
    axis : int or tuple of int
        Where the weights sum to one; -1 is right.
    shift : {"row", "all", None}
        The maximum that is subtracted.
    exp : function
        ``np.exp``, or another one.
    nothing : {"zeros", "nan"}
        What becomes of 0 / 0.
    fill : float
        What stands in for masked scores.
    sum_axis : int or None
        Where the sum is taken, if not over ``axis``; None is over everything.
    """
    if sum_axis == "as axis":
        sum_axis = axis

    def softmax(scores, mask=None):
        scores = np.asarray(scores)
        scores = scores.astype(np.result_type(scores.dtype, np.float32))
        mask = np.broadcast_to(True if mask is None else mask, scores.shape)
        if masking == "inverted":
            mask = ~mask
        allowed = np.ones(scores.shape)
        if masking in ("left out", "inverted"):
            scores = np.where(mask, scores, fill)
        elif masking == "times scores":
            scores = scores * mask
        elif masking == "added":
            scores = scores + np.where(mask, 0, fill)
        elif masking in ("exponentials", "twice"):
            allowed = mask
        with np.errstate(all="ignore"):
            weights = _exponentials_over_sum(
                scores, axis, sum_axis, shift, exp, allowed, nothing
            )
        return weights * mask if masking == "afterwards" else weights

    return softmax


def without_exp(scores, mask=None):
    """Scores over their sum."""
    allowed = np.where(True if mask is None else mask, scores, 0)
    with np.errstate(all="ignore"):
        return allowed / allowed.sum(axis=-1, keepdims=True)


def without_sum(scores, mask=None):
    """The exponentials alone, shifted."""
    scores = np.where(True if mask is None else mask, scores, -np.inf)
    highest = scores.max(axis=-1, keepdims=True)
    return np.exp(scores - np.where(highest == -np.inf, 0, highest))


def faulty_softmaxes(masked=True, infinite=True):
    """(message, softmax) of every mistake above, in its spellings.

    masked: whether the exercise has a mask. infinite: whether scores at padding may be
    infinite; where they may not, adding -inf is right.
    """
    yield OVERFLOWS, faulty("exponentials", shift=None)
    yield OVERFLOWS, faulty("exponentials", shift=None, nothing="nan")
    yield OVERFLOWS, faulty(shift=None)
    yield OVERFLOWS, faulty(shift=None, nothing="nan")
    for nothing in ("zeros", "nan"):
        yield ONE_MAXIMUM, faulty(shift="all", nothing=nothing)
        yield BASE_TWO, faulty(exp=np.exp2, nothing=nothing)
    yield WITHOUT_EXP, without_exp
    yield WITHOUT_SUM, without_sum
    if not masked:
        return
    yield EQUAL_FOR_NOTHING, faulty(fill=-1e9)
    yield NAN_FOR_NOTHING, faulty(nothing="nan")
    yield MAXIMUM_OVER_PADDING, faulty("exponentials")
    yield MAXIMUM_OVER_PADDING, faulty("exponentials", nothing="nan")
    yield ADDED, faulty("added", fill=-1e9)
    if infinite:
        yield ADDED, faulty("added", fill=-np.inf)
    yield ADDED, faulty("added", fill=-1e9, nothing="nan")
    for fill in SMALL_NUMBERS:
        yield SMALL_CONSTANT, faulty(fill=fill)
    for shift, nothing in itertools.product(("row", None), ("zeros", "nan")):
        yield IGNORED, faulty("ignored", shift=shift, nothing=nothing)
        yield TIMES_SCORES, faulty("times scores", shift=shift, nothing=nothing)
        yield AFTERWARDS, faulty("afterwards", shift=shift, nothing=nothing)
        yield INVERTED, faulty("inverted", shift=shift, nothing=nothing)
    yield TIMES_SCORES, faulty(fill=0)
    yield INVERTED, faulty("inverted", fill=-1e9)
    yield from _by_reference()


def _by_reference():
    """The same with ``ref.softmax``, which differs where padding is infinite."""
    for message, wrong in [
        (IGNORED, lambda scores, mask: reference.softmax(scores)),
        (INVERTED, lambda scores, mask: reference.softmax(scores, ~mask)),
        (TIMES_SCORES, lambda scores, mask: reference.softmax(scores * mask)),
        (AFTERWARDS, lambda scores, mask: reference.softmax(scores) * mask),
        (
            ADDED,
            lambda scores, mask: reference.softmax(scores + np.where(mask, 0, -1e9)),
        ),
    ]:

        def softmax(scores, mask=None, wrong=wrong):
            mask = np.asarray(True if mask is None else mask)
            with np.errstate(all="ignore"):
                return wrong(np.asarray(scores), mask)

        yield message, softmax


def with_globals(function, **replaced):
    """A copy of ``function`` that finds other objects under some global names."""
    copy = types.FunctionType(
        function.__code__,
        {**function.__globals__, **replaced},
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy


def reference_with(**replaced):
    """``attnlib.reference`` with other functions, also where its own call them."""
    names = dict(vars(reference))
    for name, value in list(names.items()):
        own = getattr(value, "__module__", None) == reference.__name__
        if own and isinstance(value, types.FunctionType):
            names[name] = types.FunctionType(
                value.__code__, names, name, value.__defaults__, value.__closure__
            )
            names[name].__kwdefaults__ = value.__kwdefaults__
    names.update(replaced)
    return types.SimpleNamespace(**names)


def add_softmax_mistakes(
    exercise, masked=True, infinite=True, leave_out=(), other_axes=()
):
    """Add the faulty softmaxes to an exercise whose solution takes its own from
    ``ref``.

    masked, infinite: as for ``faulty_softmaxes``. leave_out: messages that do not fit.
    other_axes: pairs (axis, message), axes over which the softmax may be taken wrongly.
    """
    wrong = [
        (message, softmax)
        for message, softmax in faulty_softmaxes(masked, infinite)
        if message not in leave_out
    ]
    for axis, message in other_axes:
        for nothing, fill in (("zeros", -np.inf), ("nan", -np.inf), ("zeros", -1e9)):
            wrong.append((message, faulty(axis=axis, nothing=nothing, fill=fill)))
    for message, softmax in wrong:
        add_softmax_mistake(exercise, message, softmax)


def add_softmax_mistake(exercise, message, softmax):
    """Add one faulty softmax to an exercise whose solution takes its own from
    ``ref``.
    """
    exercise.known_mistake(message)(
        with_globals(exercise.reference_solution, ref=reference_with(softmax=softmax))
    )


def add_mask_from_the_front(exercise):
    """Add the mistake that an exercise's ``mask``, (..., source_len), is replaced by
    one with as many words, all of them in front.
    """
    solution = exercise.reference_solution
    place = list(inspect.signature(solution).parameters).index("mask")

    @exercise.known_mistake(COUNTED_FROM_THE_FRONT)
    def with_another_mask(*arguments):
        arguments = list(arguments)
        if len(arguments) > place:  # else a mask that may be left out is
            mask = arguments[place]
            counts = mask.sum(axis=-1, keepdims=True)
            arguments[place] = np.arange(mask.shape[-1]) < counts
        return solution(*arguments)
