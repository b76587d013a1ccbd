"""Exercises of chapter 10, "Bug hunt": pieces of code, each with a bug to fix.

The reader's cell starts with code that has one bug. What ``starter_code`` says of it is
the symptom, as the chapter measures it, and never the cause: the reader's first check
shows it before the hunt. Known mistakes, which name a cause, are other attempts.
``PositionalEmbedding``, a Keras layer, is loaded on first use.
"""

import functools

import numpy as np

from attnlib import reference as ref
from attnlib.checking.exercise import exercise
from attnlib.checking.sandbox import CheckFailed
from attnlib.exercises._demands import (
    extreme_scores,
    five_masks,
    in_float32,
    spoiled_padding,
)
from attnlib.exercises._mistakes import (
    ADDED,
    AFTERWARDS,
    COUNTED_FROM_THE_FRONT,
    EQUAL_FOR_NOTHING,
    GAUSSIAN_EXPONENTS,
    IGNORED,
    INVERTED,
    MASK_AXIS,
    MAXIMUM_OVER_PADDING,
    NAN_FOR_NOTHING,
    SMALL_CONSTANT,
    TIMES_SCORES,
    WRONG_CONTEXTS,
    add_mask_from_the_front,
    add_softmax_mistake,
    add_softmax_mistakes,
    faulty,
    faulty_softmaxes,
)
from attnlib.exercises._shared import gaussian_of_distance, window_and_gaussian


def __getattr__(name):
    if name == "PositionalEmbedding":
        try:
            from attnlib.exercises.bug_hunt_keras import PositionalEmbedding
        except ImportError as error:
            raise ImportError(
                "PositionalEmbedding is an exercise in Keras and needs TensorFlow "
                f"({error})"
            ) from None
        return PositionalEmbedding
    raise AttributeError(f"module {__name__} has no exercise {name}")


def __dir__():
    return [*globals(), "PositionalEmbedding"]


def _add_softmaxes(exercise, with_softmax, masked=False, leave_out=(), instead=None):
    """Add the faulty softmaxes to an exercise whose code writes its own softmax.

    with_softmax(softmax, *arguments) is the answer that calls ``softmax``. instead:
    what the exercise says in place of a shared message.
    """
    for message, softmax in faulty_softmaxes(masked):
        if message not in leave_out:
            mistake = functools.partial(with_softmax, softmax)
            exercise.known_mistake((instead or {}).get(message, message))(mistake)


def _single(*arrays):
    """The arrays in single precision."""
    return [array.astype("float32") for array in arrays]


def _whole(rng, low, high, shape):
    """Random whole numbers below ``high``, as floats: no text promises integers."""
    return rng.integers(low, high, size=shape).astype(float)


def _multiples(rng, low, high, shape):
    """Random multiples of 1/64 from low to high, which single precision holds."""
    return rng.integers(64 * low, 64 * high, size=shape) / 64


# 1: a softmax over one number


def _pool_cases(rng):
    values = np.array([[[1.0, 0.0], [0.0, 1.0], [2.0, 2.0]]])
    yield "one sentence of three words", (values, np.eye(2), np.array([[1.0], [2.0]]))
    yield (
        "two sentences",
        (rng.normal(size=(2, 5, 4)), rng.normal(size=(4, 3)), rng.normal(size=(3, 1))),
    )
    yield (
        "four sentences of one word",
        (rng.normal(size=(4, 1, 3)), rng.normal(size=(3, 3)), rng.normal(size=(3, 1))),
    )
    yield (
        "three sentences of three words, of dimension 3",
        tuple(rng.normal(size=shape) for shape in ((3, 3, 3), (3, 3), (3, 1))),
    )
    signs = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]])
    high, low = (
        np.hstack([np.broadcast_to(ends, (4, 2)), signs]) for ends in ([-1, 1], [1, -1])
    )
    wide = np.array([[1, 1, 1, 1], [-1, -1, 1, 1], [-1, 1, 1, 1], [1, 0, 1, 0]])
    yield (
        "scores near 1000, near -1000, and from -3000 to 3000",
        (
            20.0 * np.stack([high, low, wide]),  # the tanh is -1, 0, or 1
            np.eye(4),
            np.array([[1000.0], [2000.0], [2.0], [1.0]]),
        ),
    )
    yield (
        "whole numbers",
        tuple(_whole(rng, -2, 3, shape) for shape in ((2, 4, 3), (3, 2), (2, 1))),
    )
    yield (
        "single precision",
        tuple(
            _single(*(rng.normal(size=shape) for shape in ((1, 6, 2), (2, 5), (5, 1))))
        ),
    )


@exercise(
    _pool_cases,
    batch=("values",),
    hints=[
        (
            "A softmax distributes a total weight of 1 over the numbers along an axis. "
            "How many numbers are there along this axis?"
        ),
        "The scores have shape (batch, source_len, 1). The words are along axis 1.",
    ],
    returns=("context", "weights"),
)
def pool(values, w, v):
    """One vector per sentence: sum_s weights_s h_s, with scores v . tanh(h_s w).

    values: (batch, source_len, dim). w: (dim, units). v: a column, (units, 1).
    Returns context (batch, dim) and weights (batch, source_len). Scores of 1000 must
    not overflow.
    """
    scores = np.tanh(values @ w) @ v  # (batch, source_len, 1)
    exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
    weights = exponentials / exponentials.sum(axis=1, keepdims=True)
    context = (weights * values).sum(axis=1)  # (batch, dim)
    return context, weights[:, :, 0]


@pool.starter_code(
    "Every weight is 1, whatever the scores are, "
    "so the context is the sum of all words."
)
def pool(values, w, v):
    """One vector per sentence, and the weights of its words."""
    scores = np.tanh(values @ w) @ v  # (batch, source_len, 1)
    exponentials = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights = exponentials / exponentials.sum(axis=-1, keepdims=True)
    context = (weights * values).sum(axis=1)  # (batch, dim)
    return context, weights[:, :, 0]


@pool.known_mistake(
    "The maximum runs over the words now, but the sum still runs over one number. "
    "Both belong to one softmax."
)
def pool_half_fixed(values, w, v):
    scores = np.tanh(values @ w) @ v
    exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
    weights = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return (weights * values).sum(axis=1), weights[:, :, 0]


@pool.known_mistake("The tanh is gone: the scores are v . tanh(h_s w).")
def pool_without_tanh(values, w, v):
    weights = ref.softmax((values @ w @ v)[:, :, 0])
    return np.einsum("bs,bsd->bd", weights, values), weights


@pool.known_mistake(
    "Now every word has the same weight. "
    "The weights sum to one, but the scores have no effect."
)
def pool_mean(values, w, v):
    weights = np.full(values.shape[:2], 1 / values.shape[1])
    return values.mean(axis=1), weights


@pool.known_mistake(
    "Your weights sum to one over the batch: sentences take weight from each other."
)
def pool_over_the_batch(values, w, v):
    scores = np.tanh(values @ w) @ v
    weights = ref.softmax(scores.transpose(1, 2, 0)).transpose(2, 0, 1)
    return (weights * values).sum(axis=1), weights[:, :, 0]


for _axes in (
    (-1, 0),
    (0, -1),
    (0, 1),
    (1, 0),
    (None, 0),
):  # of the maximum and of the sum

    @pool.known_mistake(
        "The maximum or the sum runs over the batch, axis 0. Both belong to one "
        "softmax, which runs over the words of a sentence."
    )
    def pool_over_other_axes(values, w, v, axes=_axes):
        scores = np.tanh(values @ w) @ v
        exponentials = np.exp(scores - scores.max(axis=axes[0], keepdims=True))
        weights = exponentials / exponentials.sum(axis=axes[1], keepdims=True)
        return (weights * values).sum(axis=1), weights[:, :, 0]


for _message, _context in WRONG_CONTEXTS:

    @pool.known_mistake(_message)
    def pool_with_another_context(values, w, v, context=_context):
        weights = pool.reference_solution(values, w, v)[1]
        return context(weights, values), weights


@pool.known_mistake(
    "Your weights still have their last axis, of length 1. Take it off when you return "
    "them: weights[:, :, 0]."
)
def pool_weights_with_an_axis_more(values, w, v):
    context, weights = pool.reference_solution(values, w, v)
    return context, weights[:, :, None]


OVER_ALL_SENTENCES = (
    "Your weights sum to one over all sentences together. "
    "Those of each sentence should sum to one."
)
for _axis in (-1, 0, 1, None):  # of the maximum

    @pool.known_mistake(OVER_ALL_SENTENCES)
    def pool_over_everything(values, w, v, axis=_axis):
        scores = np.tanh(values @ w) @ v
        exponentials = np.exp(scores - scores.max(axis=axis, keepdims=True))
        weights = exponentials / exponentials.sum()
        return (weights * values).sum(axis=1), weights[:, :, 0]


@pool.known_mistake(
    "The weights are correct, but the context is still the sum of all words: "
    "it does not use the weights."
)
def pool_context_is_the_sum(values, w, v):
    return values.sum(axis=1), pool.reference_solution(values, w, v)[1]


@pool.known_mistake(
    "The context is a mean over the weighted words: "
    "it was divided by their number once more."
)
def pool_divided_twice(values, w, v):
    context, weights = pool.reference_solution(values, w, v)
    return context / values.shape[1], weights


def _pool_with(softmax, values, w, v):
    weights = softmax((np.tanh(values @ w) @ v)[:, :, 0])  # (batch, source_len)
    return np.einsum("bs,bsd->bd", weights, values), weights


_add_softmaxes(pool, _pool_with)


# 2: a softmax over the decoder's steps


def _attend_cases(rng):
    query = np.array([[[1.0, 0.0], [0.0, 2.0]]])
    keys = np.array([[[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]])
    yield "two queries, three words", (query, keys, np.eye(3)[None])

    def tensors(batch, target_len, source_len, dim, value_dim):
        return (
            rng.normal(size=(batch, target_len, dim)),
            rng.normal(size=(batch, source_len, dim)),
            rng.normal(size=(batch, source_len, value_dim)),
        )

    yield "two sentences", tensors(2, 4, 5, 3, 6)
    yield "one query", tensors(2, 1, 4, 3, 2)
    yield "three sentences of three words, queries, and dimensions", tensors(*[3] * 5)
    yield (
        "scores near 1000, near -1000, and from -3000 to 3000",
        (extreme_scores(4)[None] / 2, 2 * np.eye(4)[None], rng.normal(size=(1, 4, 2))),
    )
    yield (
        "whole numbers",
        tuple(_whole(rng, -3, 4, shape) for shape in ((1, 2, 3), (1, 4, 3), (1, 4, 2))),
    )
    yield "one word, in single precision", tuple(_single(*tensors(2, 3, 1, 4, 2)))


@exercise(
    _attend_cases,
    batch=("query", "keys", "values"),
    hints=[
        (
            "Which sums are one? Add up the weights along each axis of `weights`, "
            "and say what each axis runs over."
        ),
        (
            "Axis 1 runs over the queries. The weights of each query should sum to one "
            "over the words, which are along axis 2, the last."
        ),
    ],
    returns=("context", "weights"),
)
def dot_attend(query, keys, values):
    """Dot scores, a softmax over the source, and the mean of the values under it.

    The scores are the dot products themselves: there is no scale.
    query: (batch, target_len, dim). keys: (batch, source_len, dim).
    values: (batch, source_len, value_dim).
    Returns context (batch, target_len, value_dim) and weights (batch, target_len,
    source_len). Scores of 1000 must not overflow.
    """
    scores = np.einsum("btd,bsd->bts", query, keys)
    exponentials = np.exp(scores - scores.max(axis=2, keepdims=True))
    weights = exponentials / exponentials.sum(axis=2, keepdims=True)
    return weights @ values, weights


@dot_attend.starter_code(
    "The weights of a query do not sum to one over the words, "
    "and they depend on the other queries."
)
def dot_attend(query, keys, values):
    """The context of each query, and its weights."""
    scores = np.einsum("btd,bsd->bts", query, keys)
    exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
    weights = exponentials / exponentials.sum(axis=1, keepdims=True)
    return weights @ values, weights


@dot_attend.known_mistake(
    "You divide the scores by the square root of the dimension. These have no scale."
)
def dot_attend_scaled(query, keys, values):
    return ref.attend(ref.dot_scores(query, keys) / np.sqrt(keys.shape[-1]), values)


@dot_attend.known_mistake(
    "Now the weights of all queries of a sentence sum to one together. "
    "Those of each query should sum to one."
)
def dot_attend_over_both(query, keys, values):
    scores = ref.dot_scores(query, keys)
    weights = ref.softmax(scores.reshape(len(scores), -1)).reshape(scores.shape)
    return weights @ values, weights


@dot_attend.known_mistake(
    "The rows sum to one, but only because you divided once more: "
    "the softmax itself still runs over the queries."
)
def dot_attend_rows_rescaled(query, keys, values):
    weights = ref.softmax(ref.dot_scores(query, keys).transpose(0, 2, 1)).transpose(
        0, 2, 1
    )
    weights = weights / weights.sum(axis=2, keepdims=True)
    return weights @ values, weights


@dot_attend.known_mistake(
    "The sum runs over the words now, but the maximum still runs over the queries. "
    "Both belong to one softmax."
)
def dot_attend_half_fixed(query, keys, values):
    scores = ref.dot_scores(query, keys)
    exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
    weights = exponentials / exponentials.sum(axis=2, keepdims=True)
    return weights @ values, weights


@dot_attend.known_mistake(
    "The maximum runs over the words now, but the sum still runs over the queries. "
    "Both belong to one softmax."
)
def dot_attend_other_half(query, keys, values):
    scores = ref.dot_scores(query, keys)
    exponentials = np.exp(scores - scores.max(axis=2, keepdims=True))
    weights = exponentials / exponentials.sum(axis=1, keepdims=True)
    return weights @ values, weights


@dot_attend.known_mistake(
    "Your weights sum to one over the batch: sentences take weight from each other."
)
def dot_attend_over_the_batch(query, keys, values):
    weights = np.moveaxis(
        ref.softmax(np.moveaxis(ref.dot_scores(query, keys), 0, -1)), -1, 0
    )
    return weights @ values, weights


def _dot_attend_with(softmax, query, keys, values):
    weights = softmax(ref.dot_scores(query, keys))  # (batch, target_len, source_len)
    return weights @ values, weights


_add_softmaxes(dot_attend, _dot_attend_with)


# 3: heads split without a transpose


def _in_heads_cases(rng):
    words = [[1.0, 0.0, 0.0, 1.0], [0.0, 1.0, 2.0, 0.0], [1.0, 1.0, 0.0, 0.0]]
    yield "one sentence of three words, two heads", (np.array([words]), 2)

    def arguments(batch, length, dim, heads):
        return rng.normal(size=(batch, length, dim)), heads

    yield "two sentences, three heads", arguments(2, 5, 12, 3)
    yield "one head", arguments(3, 2, 4, 1)
    yield "heads of dimension 1", arguments(1, 5, 4, 4)
    yield "four of everything but heads", arguments(4, 4, 4, 2)
    large = [[60, 60, 30], [-60, 60, 30], [0.5, 60, 1], [1, -60, 0.5], [0.25, 0, 2]]
    yield "scores from -3600 to 3600", (np.array([large]), 3)
    yield "whole numbers", (_whole(rng, -2, 3, (1, 4, 6)), 2)
    yield "one word", arguments(2, 1, 6, 3)
    x, heads = arguments(2, 3, 10, 2)
    yield "single precision", (*_single(x), heads)


@exercise(
    _in_heads_cases,
    batch=("x",),
    hints=[
        (
            "Number the 12 values of a sentence of three words and dimension 4, and "
            "write down what `reshape` makes of them for two heads. Which words does "
            "head 0 get?"
        ),
        (
            "`reshape` keeps the order of the numbers. Split the columns first, "
            "(batch, length, heads, width), and then exchange the two axes in the "
            "middle. On the way back, do the same in reverse."
        ),
    ],
)
def attend_in_heads(x, heads):
    """softmax(X X^T / sqrt(width)) X for each head, of width = dim / heads columns.

    x: (batch, length, dim), the words, which are queries, keys, and values. heads: a
    divisor of dim. Head 0 has the first width columns of every word, head 1 the next
    ones, and so on. Returns the heads' contexts side by side, shaped as x. Scores of
    1000 must not overflow.
    """
    batch, length, dim = x.shape
    width = dim // heads
    split = x.reshape(batch, length, heads, width).swapaxes(1, 2)
    scores = split @ split.swapaxes(2, 3) / np.sqrt(width)
    context = ref.softmax(scores) @ split  # (batch, heads, length, width)
    return context.swapaxes(1, 2).reshape(x.shape)


@attend_in_heads.starter_code(
    "Shuffle the words, and more changes than the order of the results."
)
def attend_in_heads(x, heads):
    """Scaled dot-product self-attention in heads, side by side."""
    batch, length, dim = x.shape
    width = dim // heads
    split = x.reshape(batch, heads, length, width)
    scores = split @ split.swapaxes(2, 3) / np.sqrt(width)
    context = ref.softmax(scores) @ split  # (batch, heads, length, width)
    return context.reshape(x.shape)


def _right_heads(x, heads):
    """(batch, heads, length, width)."""
    return x.reshape(*x.shape[:2], heads, -1).swapaxes(1, 2)


def _mixed_heads(x, heads):
    return x.reshape(len(x), heads, x.shape[1], -1)


def _attended_heads(split, scale=None):
    scale = np.sqrt(split.shape[-1]) if scale is None else scale
    return ref.softmax(split @ split.swapaxes(2, 3) / scale) @ split


@attend_in_heads.known_mistake(
    "The heads are split correctly now, but they are not put together in the same way: "
    "exchange the two axes again before the last reshape."
)
def in_heads_not_merged(x, heads):
    return _attended_heads(_right_heads(x, heads)).reshape(x.shape)


@attend_in_heads.known_mistake(
    "The end is as it should be now, but the first reshape still mixes words: split "
    "the columns, and then exchange two axes."
)
def in_heads_not_split(x, heads):
    return _attended_heads(_mixed_heads(x, heads)).swapaxes(1, 2).reshape(x.shape)


@attend_in_heads.known_mistake(
    "You exchange the wrong axes, or too many: (batch, length, heads, width) becomes "
    "(batch, heads, length, width)."
)
def in_heads_by_transposition(x, heads):
    batch, length, dim = x.shape
    split = x.swapaxes(1, 2).reshape(batch, heads, dim // heads, length)
    context = _attended_heads(split.swapaxes(2, 3))
    return context.swapaxes(1, 2).reshape(x.shape)[:, :, ::-1]


@attend_in_heads.known_mistake(
    "Your heads are interleaved: head 0 has the first columns of every word, not one "
    "column of every `heads`."
)
def in_heads_interleaved(x, heads):
    width = x.shape[-1] // heads
    mixed = _interleaved(x, width)
    return _interleaved(attend_in_heads.reference_solution(mixed, heads), heads)


@attend_in_heads.known_mistake(
    "You attend within a word now: its heads look at each other. Exchange two axes, so "
    "that the words of a head do."
)
def in_heads_of_a_word(x, heads):
    split = x.reshape(*x.shape[:2], heads, -1)
    return _attended_heads(split).reshape(x.shape)


@attend_in_heads.known_mistake(
    "You divide by the square root of the dimension of all heads together. "
    "A score sums over one head alone."
)
def in_heads_by_whole_width(x, heads):
    context = _attended_heads(_right_heads(x, heads), np.sqrt(x.shape[-1]))
    return context.swapaxes(1, 2).reshape(x.shape)


@attend_in_heads.known_mistake(
    "The scores are no longer divided by the square root of the width of a head."
)
def in_heads_not_scaled(x, heads):
    context = _attended_heads(_right_heads(x, heads), 1)
    return context.swapaxes(1, 2).reshape(x.shape)


@attend_in_heads.known_mistake(
    "There is one head now, of all columns. Each head compares its own columns."
)
def in_one_head(x, heads):
    return attend_in_heads.reference_solution(x, 1)


add_softmax_mistakes(
    attend_in_heads,
    masked=False,
    other_axes=[
        (-2, "Your weights sum to one over the queries, not over the words."),
        (1, "Your weights sum to one over the heads, not over the words."),
    ],
)


# 4: a mask multiplied into the scores


def _masked_cases(rng):
    yield (
        "two words and two padded positions",
        (np.array([[[-1.0, 1.0, 3.0, 0.5]]]), np.array([[True, True, False, False]])),
    )
    mask = five_masks(6)[:4]
    yield (
        "sentences with padding behind, in front, and between; one word",
        (rng.normal(size=(4, 2, 6)), mask),
    )
    yield (
        "four sentences of four positions, four queries",
        (rng.normal(size=(4, 4, 4)), five_masks(4)[:4]),
    )
    scores, high = rng.normal(size=(4, 2, 6)), rng.integers(999, 1002, (4, 2, 6))
    yield "high scores at padding", (np.where(mask[:, None, :], scores, high), mask)
    steps, pairs = np.arange(6.0), np.broadcast_to(mask[:, None, :], (4, 3, 6))
    scores = np.stack([-20_000 + steps, -20_000 - steps, extreme_scores(6)[1]])
    yield (
        "very low scores of words, and inf, NaN, or 1e10 at padding",
        (spoiled_padding(np.broadcast_to(scores, (4, 3, 6)), pairs), mask),
    )
    yield (
        "scores near 1000, near -1000, and from -3000 to 3000",
        (extreme_scores(5)[None], np.ones((1, 5), bool)),
    )
    whole = np.array([[[2.0, 0.0, 1.0]]]), np.array([[False, True, True]])
    yield "whole numbers", whole
    yield (
        "one word, in single precision",
        (rng.normal(size=(2, 3, 1)).astype("float32"), np.ones((2, 1), bool)),
    )


@exercise(
    _masked_cases,
    batch=("scores", "mask"),
    hints=[
        (
            "What is exp(0)? "
            "And what would a score have to be for its exponential to be 0?"
        ),
        (
            "Minus infinity in place of a padded score removes it from the maximum and "
            "from the sum. `np.where` chooses, place by place, between two arrays."
        ),
    ],
)
def masked_weights(scores, mask):
    """A softmax over the real words.

    scores: (batch, target_len, source_len); at padding they may be anything, even
    infinite or NaN. Scores of 1000 must not overflow.
    mask: (batch, source_len), True at words, which may stand anywhere. Every sentence
    has at least one word. Returns weights like scores, 0 at padding.
    """
    scores = np.where(mask[:, None, :], scores, -np.inf)
    exponentials = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


@masked_weights.starter_code(
    "Padding gets weight, and the more padding there is, "
    "the less weight is left for the words."
)
def masked_weights(scores, mask):
    """A softmax over the words that are there: mask is True at words."""
    scores = scores * mask[:, None, :]  # nothing at padding
    exponentials = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


@masked_weights.known_mistake(
    "Padding has weight 0 now, but the weight it had is lost: "
    "it still takes part in the sum, with exp(0) = 1."
)
def masked_before_and_after(scores, mask):
    return ref.softmax(scores * mask[:, None, :]) * mask[:, None, :]


@masked_weights.known_mistake(
    "At padding you write 0, or a number close to it (-1e-9 instead of -1e9?). A score "
    "of 0 is still a score: exp(0) = 1. Use -np.inf."
)
def masked_by_zero(scores, mask):
    return ref.softmax(np.where(mask[:, None, :], scores, 0))


@masked_weights.known_mistake(IGNORED)
def masked_by_a_tiny_number(scores, mask):
    return ref.softmax(scores - 1e-9 * ~mask[:, None, :])


@masked_weights.known_mistake(AFTERWARDS)
def masked_after(scores, mask):
    return ref.softmax(scores) * mask[:, None, :]


@masked_weights.known_mistake(AFTERWARDS)
def masked_after_by_choice(scores, mask):
    return np.where(mask[:, None, :], ref.softmax(scores), 0)


@masked_weights.known_mistake(INVERTED)
def masked_inverted(scores, mask):
    return ref.softmax(scores, ~mask[:, None, :])


@masked_weights.known_mistake(INVERTED)
def masked_words_out(scores, mask):
    return ref.softmax(np.where(mask[:, None, :], -np.inf, scores))


@masked_weights.known_mistake(SMALL_CONSTANT)
def masked_by_a_small_number(scores, mask):
    return ref.softmax(np.where(mask[:, None, :], scores, -5.0))


ADDED_TO_WORDS = (  # where every sentence has a word
    "Adding -1e9 or -inf to a padded score is not enough: what stands at padding may "
    "be larger, infinite, or NaN. Leave padding out of the maximum and of the sum."
)


@masked_weights.known_mistake(ADDED_TO_WORDS)
def masked_by_subtraction(scores, mask):
    return ref.softmax(scores - 1e9 * ~mask[:, None, :])


@masked_weights.known_mistake(MAXIMUM_OVER_PADDING)
def masked_and_rescaled(scores, mask):
    weights = ref.softmax(scores) * mask[:, None, :]
    return weights / weights.sum(axis=-1, keepdims=True)


@masked_weights.known_mistake(MAXIMUM_OVER_PADDING)
def masked_and_shifted_by_nanmax(scores, mask):
    exponentials = np.exp(scores - np.nanmax(scores, axis=-1, keepdims=True))
    exponentials = np.where(mask[:, None, :], exponentials, 0)
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


for _softmax in (ref.softmax, faulty("ignored", nothing="nan")):

    @masked_weights.known_mistake(MASK_AXIS)
    def masked_without_axis(scores, mask, softmax=_softmax):
        return softmax(np.where(mask, scores, -np.inf))

    @masked_weights.known_mistake(MASK_AXIS)
    def masked_by_rows(scores, mask, softmax=_softmax):
        return softmax(np.where(mask[:, :, None], scores, -np.inf))


@masked_weights.known_mistake(MASK_AXIS)
def masked_by_rows_of_the_reference(scores, mask):
    return ref.softmax(scores, mask[:, :, None])


def _masked_over_queries(nothing, fill):
    softmax = faulty(axis=1, nothing=nothing, fill=fill)
    return lambda scores, mask: softmax(scores, mask[:, None, :])


for _nothing, _fill in (("zeros", -np.inf), ("nan", -np.inf), ("zeros", -1e9)):
    masked_weights.known_mistake(
        "Your weights sum to one over the queries. "
        "The softmax runs over the words, the last axis."
    )(_masked_over_queries(_nothing, _fill))


def _masked_with(softmax, scores, mask):
    return softmax(scores, mask[:, None, :])


_add_softmaxes(
    masked_weights,
    _masked_with,
    masked=True,
    leave_out=(TIMES_SCORES, EQUAL_FOR_NOTHING, NAN_FOR_NOTHING),
    instead={ADDED: ADDED_TO_WORDS},
)
add_mask_from_the_front(masked_weights)


@masked_weights.known_mistake(COUNTED_FROM_THE_FRONT)
def masked_from_the_front(scores, mask):
    """With ``ref.softmax``, which differs where a counted score is infinite."""
    counted = np.arange(mask.shape[1]) < mask.sum(axis=1, keepdims=True)
    return ref.softmax(scores, counted[:, None, :])


# 5: a mask made from pairs


def _pair_cases(rng):
    yield (
        "two words and one padded position",
        (np.array([[[1.0, 0.0], [0.0, 1.0], [2.0, 1.0]]]), np.arange(3)[None] < 2),
    )
    yield (
        "padding behind, in front, and between; one word",
        (rng.normal(size=(4, 6, 3)), five_masks(6)[:4]),
    )
    yield (
        "four sentences of four positions, of dimension 4",
        (rng.normal(size=(4, 4, 4)), five_masks(4)[:4]),
    )
    yield "no padding", (rng.normal(size=(2, 3, 2)), np.ones((2, 3), bool))
    states = np.array([[[32.0, 0], [31, 1], [-31, 0], [60, 60]]])
    states = np.concatenate([states, [[[30, 0], [55, 0], [-55, 1], [99, 99]]]])
    yield (
        "scores near 1000, near -1000, and of 3000; more than that at padding",
        (states, np.array([[True, True, True, False]] * 2)),
    )
    first, second = [500.0] * 5 + [0.0], [500.0] * 5 + [1.0]
    yield (
        "words of 500 and padding of 1000, six dimensions",
        (np.array([[first, [1000.0] * 6, second]]), np.array([[True, False, True]])),
    )
    states = np.array([[[1.0, 2.0], [0.0, 1.0], [2.0, -1.0]]])
    yield "whole numbers", (states, np.array([[False, True, True]]))
    yield (
        "one word, in single precision",
        (rng.normal(size=(2, 1, 3)).astype("float32"), np.ones((2, 1), bool)),
    )


NO_EFFECT = (
    "The mask has no effect: the weights are those without it. It has to apply to the "
    "keys, the last axis."
)
QUERIES_MASKED = (
    "Now the rows of padded positions are masked. Those rows are not used: the words "
    "still give weight to padding, so the mask has to apply to the keys, the last axis."
)


def _rows_of_words(result, states, mask):
    """The rows that are used, those of words, with zeros in the others: the rows of
    padded positions may hold anything.

    Without a mask, and with a mask over the rows alone, the words' rows are those of
    the faulty code. The other rows tell these bugs from the original one.
    """
    shape = (*mask.shape, mask.shape[1])
    if not isinstance(result, np.ndarray) or result.shape != shape:
        return result
    unmasked = ref.softmax(states @ states.transpose(0, 2, 1))
    leaked = (unmasked * ~mask[:, None, :]).sum(axis=-1)[
        mask
    ]  # each word's, to padding
    telling = ((leaked > 0.01) & (leaked < 0.99)).any()  # not saturated
    if telling and np.allclose(result[mask], unmasked[mask], atol=1e-6):
        padded, as_unmasked = result[~mask], unmasked[~mask]
        if np.allclose(padded, as_unmasked, atol=1e-6):
            raise CheckFailed(NO_EFFECT)
        if np.isnan(padded).all() or (padded == padded[:, :1]).all():
            raise CheckFailed(QUERIES_MASKED)
    return np.where(mask[:, :, None], result, np.zeros((), result.dtype))


@exercise(
    _pair_cases,
    extract=_rows_of_words,
    batch=("states", "mask"),
    hints=[
        (
            "Write down `pairs` for two words and one padded position: nine values. "
            "Which of them are True, and which should be?"
        ),
        (
            "Whether a word may be attended to does not depend on the query. Only one "
            "of the two axes matters: that of the keys, the last."
        ),
    ],
)
def self_attention_weights(states, mask):
    """Softmax of dot scores between the words of a sentence, with padding masked.

    The scores are the dot products themselves: there is no scale.
    states: (batch, length, dim), queries and keys, with numbers from -1000 to 1000, at
    padding as well: scores there may be far above those of the words. Scores of 1000
    must not overflow.
    mask: (batch, length), True at words, which may stand anywhere. Every sentence has
    at least one word. Returns weights (batch, length, length); rows of padded queries
    are not used, so they may hold anything.
    """
    scores = states @ states.transpose(0, 2, 1)  # (batch, length, length)
    return ref.softmax(scores, mask[:, None, :])


@self_attention_weights.starter_code("Words give weight to padding.")
def self_attention_weights(states, mask):
    """How much each word looks at each other; padding is left out."""
    padding = ~mask
    pairs = padding[:, :, None] & padding[:, None, :]  # (batch, length, length)
    scores = states @ states.transpose(0, 2, 1)  # (batch, length, length)
    return ref.softmax(scores, ~pairs)


def _pairs_out(states, out):
    return ref.softmax(states @ states.transpose(0, 2, 1), ~out)


@self_attention_weights.known_mistake(QUERIES_MASKED)
def pairs_of_padded_queries_out(states, mask):
    return _pairs_out(states, np.broadcast_to(~mask[:, :, None], _square(mask)))


@self_attention_weights.known_mistake(QUERIES_MASKED)
def pairs_of_padded_queries_low(states, mask):
    scores = states @ states.transpose(0, 2, 1)
    return ref.softmax(np.where(mask[:, :, None], scores, -1e9))


@self_attention_weights.known_mistake(NO_EFFECT)
def pairs_without_mask(states, mask):
    return ref.softmax(states @ states.transpose(0, 2, 1))


@self_attention_weights.known_mistake(NO_EFFECT)
def pairs_lowered_by_rows(states, mask):
    return ref.softmax(states @ states.transpose(0, 2, 1) - 1e6 * ~mask[:, :, None])


@self_attention_weights.known_mistake(MASK_AXIS)
def pairs_of_a_mask_without_axis(states, mask):
    return ref.softmax(states @ states.transpose(0, 2, 1), mask)


def _square(mask):
    return (*mask.shape, mask.shape[1])


@self_attention_weights.known_mistake(
    "Words attend only to padding now: you left out the words, not the padding."
)
def pairs_of_words_out(states, mask):
    return _pairs_out(states, mask[:, :, None] & mask[:, None, :])


@self_attention_weights.known_mistake(
    "Words attend only to padding now: you left out the words, not the padding."
)
def pairs_of_words_low(states, mask):
    scores = states @ states.transpose(0, 2, 1)
    words = mask[:, :, None] & mask[:, None, :]
    return ref.softmax(np.where(words, -1e9, scores))


@self_attention_weights.known_mistake(
    "You pass the pairs that should be left out: the ~ is missing. A mask is True "
    "where a position may be attended to, so your words have nothing to attend to."
)
def pairs_kept(states, mask):
    pairs = ~mask[:, :, None] & ~mask[:, None, :]
    return ref.softmax(states @ states.transpose(0, 2, 1), pairs)


add_mask_from_the_front(self_attention_weights)


@self_attention_weights.known_mistake(
    "A word no longer attends to itself. Mask only the padding."
)
def pairs_without_self(states, mask):
    out = ~mask[:, None, :] | np.eye(mask.shape[1], dtype=bool)
    return _pairs_out(states, out)


@self_attention_weights.known_mistake(
    "Words attend only to themselves and to the words before them: "
    "your mask is causal as well."
)
def pairs_causal(states, mask):
    out = ~mask[:, None, :] | ~np.tril(np.ones((mask.shape[1],) * 2, bool))
    return _pairs_out(states, out)


def _pairs_subtracted(number):
    def wrong(states, mask):
        scores = states @ states.transpose(0, 2, 1)
        return ref.softmax(scores - number * ~mask[:, None, :])

    return wrong


for _number in (100.0, 1e3, 1e4, 1e5, 1e6):
    self_attention_weights.known_mistake(
        "The number that you subtract at padding is not large enough: a padded "
        "position may score far above the words. Leave it out of the softmax."
    )(_pairs_subtracted(_number))


add_softmax_mistakes(
    self_attention_weights,
    leave_out=(
        ADDED,
        SMALL_CONSTANT,
        EQUAL_FOR_NOTHING,
        NAN_FOR_NOTHING,
        INVERTED,
        IGNORED,
    ),
    other_axes=[(-2, "Your weights sum to one over the queries, not over the keys.")],
)


# 6: a mask that meets the wrong axes


def _head_weights_cases(rng):
    scores = np.array([[[[0.0, 1.0, 2.0]], [[1.0, 0.0, 3.0]]]] * 2)
    mask = np.array([[True, True, False], [True, True, True]])
    yield "two sentences, two heads, one query", (scores, mask)

    def arguments(heads, target_len, mask):
        batch, source_len = mask.shape
        shape = (batch, heads, target_len, source_len)
        return rng.normal(size=shape), mask

    yield (
        "five sentences and heads, masks of every kind",
        arguments(5, 2, five_masks(6)),
    )
    yield (
        "four of everything; padding behind, in front, and between; one word",
        arguments(4, 4, five_masks(4)[:4]),
    )
    yield "three sentences, two heads", arguments(2, 4, five_masks(5)[1:4])
    yield (
        "no words beside a full sentence",
        arguments(2, 1, five_masks(4)[[4, 0]] | [[False], [True]]),
    )
    mask = five_masks(4)[:3]
    words = np.broadcast_to(mask[:, None, None, :], (3, 3, 2, 4))
    scores, high = rng.normal(size=words.shape), rng.integers(999, 1002, words.shape)
    yield "high scores at padding", (np.where(words, scores, high), mask)
    scores = np.where(words, _multiples(rng, -502, -498, words.shape), 300)
    yield "low scores of words, high ones at padding", (scores, mask)
    steps = [*extreme_scores(4), np.arange(4.0) - 20_000]
    scores = np.broadcast_to(steps, (3, 3, 4, 4))  # the same for every head
    pairs = np.broadcast_to(mask[:, None, None, :], scores.shape)
    yield (
        "scores near 1000, near -1000, near -20,000, and from -3000 to 3000; inf, NaN, "
        "or 1e10 at padding",
        (spoiled_padding(scores, pairs), mask),
    )
    scores, mask = arguments(2, 2, np.array([[True, False, True], [True, True, True]]))
    yield "whole numbers", (np.round(2 * scores), mask)
    scores, mask = arguments(2, 3, np.array([[True]]))
    yield "one sentence of one word, in single precision", (*_single(scores), mask)


@exercise(
    _head_weights_cases,
    batch=("scores", "mask"),
    hints=[
        (
            "Write the two shapes above each other, aligned at the right, as NumPy "
            "does. Which axis of the scores does the batch of the mask meet?"
        ),
        (
            "A mask for (batch, heads, target_len, source_len) needs four axes, too. "
            "Those that it is the same for have the length 1."
        ),
    ],
)
def masked_head_weights(scores, mask):
    """A softmax over the words of each sentence, for every head and query.

    scores: (batch, heads, target_len, source_len); at padding they may be anything,
    even infinite or NaN. Scores of 1000 must not overflow.
    mask: (batch, source_len), True at words, which may stand anywhere.
    Returns weights like scores, 0 at padding; a sentence without words gets zeros.
    """
    return ref.softmax(scores, mask[:, None, None, :])


@masked_head_weights.starter_code("A sentence has other weights alone than in a batch.")
def masked_head_weights(scores, mask):
    """A softmax over the words of each sentence, for every head and query."""
    # scores: (batch, heads, target_len, source_len); True in the mask is a word
    words = mask[:, None, :]
    return ref.softmax(scores, words)


@masked_head_weights.known_mistake(
    "Without a new axis, the batch of the mask meets the queries. It should meet the "
    "batch of the scores, the first of four axes."
)
def head_weights_without_axis(scores, mask):
    return ref.softmax(scores, mask)


@masked_head_weights.known_mistake(
    "Your mask lies on the queries, not on the words: the words are the last axis."
)
def head_weights_of_queries(scores, mask):
    return ref.softmax(scores, mask[:, None, :, None])


@masked_head_weights.known_mistake(
    "Your mask lies on the heads, not on the words: the words are the last axis."
)
def head_weights_of_heads(scores, mask):
    return ref.softmax(scores, mask[:, :, None, None])


@masked_head_weights.known_mistake(
    "Every sentence has the mask of the first one. Each needs its own."
)
def head_weights_of_the_first(scores, mask):
    return ref.softmax(scores, mask[:1, None, None, :])


@masked_head_weights.known_mistake(
    "A position is left out in every sentence as soon as it is padding in one of them. "
    "Each sentence needs its own mask."
)
def head_weights_of_all(scores, mask):
    return ref.softmax(scores, mask.all(axis=0))


add_mask_from_the_front(masked_head_weights)
add_softmax_mistakes(
    masked_head_weights,
    other_axes=[
        (-2, "Your weights sum to one over the queries, not over the words."),
        (1, "Your weights sum to one over the heads, not over the words."),
    ],
)


# 7: a mask with the opposite meaning


def _ported_arguments(rng, target_len, padding, attn_mask, dim=3, value_dim=2):
    batch, source_len = padding.shape
    return (
        rng.normal(size=(batch, target_len, dim)),
        rng.normal(size=(batch, source_len, dim)),
        rng.normal(size=(batch, source_len, value_dim)),
        padding,
        attn_mask,
    )


def _ported_cases(rng):
    arguments = functools.partial(_ported_arguments, rng)

    def later(length):
        return ~np.tri(length, dtype=bool)

    query = np.array([[[1.0], [2.0], [0.0]]])
    padding = np.zeros((1, 3), bool)
    yield "three words, causal", (query, query, np.eye(3)[None], padding, later(3))
    yield "padding of every kind, causal", arguments(6, ~five_masks(6), later(6))
    yield (
        "every query may attend to other words",
        arguments(5, ~five_masks(4)[[0, 1, 2]], ~five_masks(4), 2, 6),
    )
    yield (
        "four of everything",
        arguments(4, ~five_masks(4)[:4], ~five_masks(4)[[1, 2, 3, 0]], 4, 4),
    )
    free = np.zeros((2, 5), bool)
    yield "no query is restricted", arguments(2, ~five_masks(5)[[0, 4]], free)
    yield "no padding", arguments(2, np.zeros((2, 5), bool), ~five_masks(5)[:2])
    query, keys = extreme_scores(4)[None], np.eye(4)[None] * 2
    yield (
        "scores near 1000, near -1000, and from -3000 to 3000",
        (query, keys, rng.normal(size=(1, 4, 2)), free[:1, :4], free[:1, :4] | False),
    )
    padding = np.array([[False, False, False, True]])
    blocked = np.array(
        [[False] * 4, [True, False, False, False], [True] * 4, [False] * 4]
    )
    query = np.stack([*extreme_scores(4)[::-1], np.arange(4.0) - 20_000])[None]
    yield (
        "the highest scores are to be ignored",
        (query, keys, rng.normal(size=(1, 4, 2)), padding, blocked),
    )
    *arrays, padding, attn_mask = arguments(2, ~five_masks(4)[:1], ~five_masks(4)[1:3])
    yield "whole numbers", (*(np.round(2 * a) for a in arrays), padding, attn_mask)
    arrays = arguments(3, np.array([[False], [True]]), np.zeros((3, 1), bool))
    yield "one word or none, in single precision", in_float32(arrays)


@exercise(
    _ported_cases,
    batch=("query", "keys", "values", "key_padding_mask"),
    hints=[
        (
            "Take three words and no padding. Write down the nine values of a causal "
            "`attn_mask` in the convention of the task, and those of `allowed`."
        ),
        (
            "In both masks of the task, True means: ignore. In `ref.softmax`, True "
            "means: may be attended to. How many of the masks have to be inverted?"
        ),
    ],
    returns=("context", "weights"),
)
def ported_attend(query, keys, values, key_padding_mask, attn_mask):
    """Scaled dot-product attention with the masks of torch.nn.MultiheadAttention.

    query: (batch, target_len, dim). keys: (batch, source_len, dim).
    values: (batch, source_len, value_dim).
    key_padding_mask: (batch, source_len), True = ignore this key.
    attn_mask: (target_len, source_len), True = this query may not attend to this key.
    Returns context (batch, target_len, value_dim) and weights (batch, target_len,
    source_len). A query with nothing to attend to gets zeros. Scores of 1000 must not
    overflow.
    """
    scores = query @ keys.transpose(0, 2, 1) / np.sqrt(keys.shape[-1])
    allowed = ~attn_mask & ~key_padding_mask[:, None, :]
    weights = ref.softmax(scores, allowed)  # (batch, target_len, source_len)
    return weights @ values, weights


@ported_attend.starter_code(
    "Each word attends only to later ones, and the last word has a context of zeros."
)
def ported_attend(query, keys, values, key_padding_mask, attn_mask):
    """Scaled dot-product attention with PyTorch's two masks."""
    scores = query @ keys.transpose(0, 2, 1) / np.sqrt(keys.shape[-1])
    allowed = attn_mask & ~key_padding_mask[:, None, :]
    weights = ref.softmax(scores, allowed)  # (batch, target_len, source_len)
    return weights @ values, weights


def _ported(message, allowed, scale=True):
    """Add a wrong answer: another function of the padding (batch, 1, source_len) and
    the attn_mask, True = may be attended to.
    """

    @ported_attend.known_mistake(message)
    def wrong(query, keys, values, key_padding_mask, attn_mask):
        scores = query @ keys.transpose(0, 2, 1)
        if scale:
            scores = scores / np.sqrt(keys.shape[-1])
        mask = allowed(key_padding_mask[:, None, :], attn_mask)
        weights = ref.softmax(scores, np.broadcast_to(mask, scores.shape))
        return weights @ values, weights


_ported(
    "Now attn_mask has the right sense, but key_padding_mask has lost it: True means "
    "that a key is ignored.",
    lambda padding, attn_mask: ~attn_mask & padding,
)
_ported(
    "Both masks have the wrong sense now: you attend to what should be ignored.",
    lambda padding, attn_mask: attn_mask & padding,
)
_ported(
    "You leave out a key only where both masks say so. One of them is enough.",
    lambda padding, attn_mask: ~(attn_mask & padding),
)
_ported(
    "You attend to a key as soon as one of the masks is True, which is the opposite.",
    lambda padding, attn_mask: attn_mask | padding,
)
_ported(
    "attn_mask no longer has an effect.",
    lambda padding, attn_mask: ~padding & np.ones_like(attn_mask),
)
_ported(
    "key_padding_mask no longer has an effect.",
    lambda padding, attn_mask: ~attn_mask & np.ones_like(padding),
)
_ported(
    "Neither mask has an effect now.",
    lambda padding, attn_mask: np.ones_like(padding | attn_mask),
)
_ported(
    "The scores are no longer divided by the square root of the dimension.",
    lambda padding, attn_mask: ~attn_mask & ~padding,
    scale=False,
)
_ported(
    "You attend to a key where the two masks agree. It should be False in both.",
    lambda padding, attn_mask: attn_mask == padding,
)
_ported(
    "You transpose attn_mask. The transpose of a causal mask is True at earlier words, "
    "but not at the word itself, and for other masks it is not the inverse at all. "
    "Write ~attn_mask instead.",
    lambda padding, attn_mask: attn_mask.T & ~padding,
)
add_softmax_mistakes(
    ported_attend,
    leave_out=(INVERTED, IGNORED),
    infinite=False,
    other_axes=[(-2, "Your weights sum to one over the queries, not over the words.")],
)


# 8: a final state taken at padding


def _final_cases(rng):
    one = np.array([[[1.0], [0.5], [9.0]]])
    yield (
        "two words and one padded position",
        (one, np.array([[True, True, False]]), np.array([[1.0]]), np.array([[0.5]])),
    )

    def arguments(lengths, source_len, dim, units):
        mask = np.arange(source_len) < np.array(lengths)[:, None]
        embedded = rng.normal(size=(*mask.shape, dim)) + 9.0 * ~mask[:, :, None]
        w = rng.normal(size=(dim, units))
        return embedded, mask, w, rng.normal(size=(units, units)) / np.sqrt(units)

    yield "sentences of 5, 2, and 3 words", arguments([5, 2, 3], 5, 4, 2)
    yield "no padding", arguments([3, 3], 3, 2, 4)
    yield "all sentences padded", arguments([3, 1], 4, 3, 5)
    yield "sentences of 4, 0, and 2 words", arguments([4, 0, 2], 6, 2, 3)
    yield "three sentences, positions, and dimensions", arguments([1, 3, 2], 3, 3, 3)
    embedded, mask = np.array([[[1.0, -1.0], [0.0, 2.0]]]), np.array([[True, False]])
    w, u = np.array([[1.0, 0.0], [1.0, 1.0]]), np.array([[0.0, 1.0], [1.0, 0.0]])
    yield "one word and one padded position, whole numbers", (embedded, mask, w, u)
    embedded, mask, *matrices = arguments([1, 0], 1, 3, 2)
    yield (
        "sentences of one word or none, in single precision",
        (*_single(embedded), mask, *_single(*matrices)),
    )


@exercise(
    _final_cases,
    batch=("embedded", "mask"),
    hints=[
        (
            "With x = 0, the step still computes tanh(h u). "
            "Does that leave the state as it was?"
        ),
        (
            "At padding, the state has to be carried over. `np.where` can choose, for "
            "each sentence, between the new state and the old one."
        ),
    ],
)
def final_state(embedded, mask, w, u):
    """h_t = tanh(x_t w + h_{t-1} u), from h = 0: the state after the last word.

    embedded: (batch, source_len, dim), finite numbers; at padding they have no effect.
    mask: (batch, source_len), True at words, which come first. w: (dim, units).
    u: (units, units). Returns (batch, units). At padding the state stays as it was, so
    that of a sentence without words is 0.
    """
    state = np.zeros((len(embedded), len(u)))
    for t in range(embedded.shape[1]):
        new = np.tanh(embedded[:, t] @ w + state @ u)  # (batch, units)
        state = np.where(mask[:, t, None], new, state)
    return state


@final_state.starter_code(
    "The final state of a short sentence changes with every padded position after it."
)
def final_state(embedded, mask, w, u):
    """The state of a simple recurrent network after a sentence's last word."""
    embedded = embedded * mask[:, :, None]  # padding is not read
    state = np.zeros((len(embedded), len(u)))
    for t in range(embedded.shape[1]):
        state = np.tanh(embedded[:, t] @ w + state @ u)  # (batch, units)
    return state


@final_state.known_mistake(
    "Now a padded sentence has a final state of zeros. "
    "Padding should leave the state as it is."
)
def final_zeroed(embedded, mask, w, u):
    state = np.zeros((len(embedded), len(u)))
    for t in range(embedded.shape[1]):
        state = np.tanh(embedded[:, t] @ w + state @ u) * mask[:, t, None]
    return state


@final_state.known_mistake(
    "Now the inputs at padding have an effect. Before, they were at least set to zero."
)
def final_with_inputs_at_padding(embedded, mask, w, u):
    return final_state.starter(embedded, np.ones_like(mask), w, u)


@final_state.known_mistake(
    "You stop where the shortest sentence ends. "
    "The longer ones have not been encoded to their ends."
)
def final_at_the_shortest(embedded, mask, w, u):
    shortest = mask.sum(axis=1).min()
    return final_state.reference_solution(
        embedded[:, :shortest], mask[:, :shortest], w, u
    )


def _states(embedded, w, u):
    """The state after each position, whatever stands there: a list."""
    states = [np.zeros((len(embedded), len(u)))]
    for t in range(embedded.shape[1]):
        states.append(np.tanh(embedded[:, t] @ w + states[-1] @ u))
    return states[1:]


def _state_at(states, index):
    return np.stack(states)[index, np.arange(len(index))]


ONE_TOO_LATE = (
    "You take the state one step too late: the last of n words is at index n - 1."
)


@final_state.known_mistake(ONE_TOO_LATE)
def final_one_too_late(embedded, mask, w, u):
    states = _states(embedded * mask[:, :, None], w, u)
    return _state_at(states, np.minimum(mask.sum(axis=1), len(states) - 1))


@final_state.known_mistake(ONE_TOO_LATE)
def final_one_too_late_with_inputs_at_padding(embedded, mask, w, u):
    states = _states(embedded, w, u)
    return _state_at(states, np.minimum(mask.sum(axis=1), len(states) - 1))


@final_state.known_mistake(
    "You take the state one step too early: the last word of each sentence has not "
    "been read."
)
def final_one_too_early(embedded, mask, w, u):
    zeros = np.zeros((len(embedded), len(u)))
    return _state_at([zeros, zeros, *_states(embedded, w, u)], mask.sum(axis=1))


@final_state.known_mistake(
    "Where a sentence has no words, its last word has the index -1, and that is the "
    "last column. The state of such a sentence is 0."
)
def final_of_index_minus_one(embedded, mask, w, u):
    return _state_at(_states(embedded, w, u), mask.sum(axis=1) - 1)


@final_state.known_mistake("u is transposed. It stands to the right of h: h u.")
def final_with_transposed_u(embedded, mask, w, u):
    return final_state.reference_solution(embedded, mask, w, u.T)


@final_state.known_mistake(
    "Your mask is inverted: the state stays as it was at words, and padding is read."
)
def final_with_inverted_mask(embedded, mask, w, u):
    return final_state.reference_solution(embedded, ~mask, w, u)


@final_state.known_mistake(
    "Your loop ends before the last column, where the longest sentence has a word."
)
def final_without_the_last_column(embedded, mask, w, u):
    return final_state.reference_solution(embedded[:, :-1], mask[:, :-1], w, u)


@final_state.known_mistake(
    "You take the mean of the states over the words. "
    "Return the state after the last word."
)
def final_mean(embedded, mask, w, u):
    total = sum(
        final_state.reference_solution(embedded[:, : t + 1], mask[:, : t + 1], w, u)
        * mask[:, t, None]
        for t in range(embedded.shape[1])
    )
    return total / np.maximum(mask.sum(axis=1, keepdims=True), 1)


@final_state.known_mistake(
    "You return what the last step computed. In a padded sentence that step reads "
    "padding: return the state that was carried over."
)
def final_of_the_last_column(embedded, mask, w, u):
    state = np.zeros((len(embedded), len(u)))
    for t in range(embedded.shape[1]):
        new = np.tanh(embedded[:, t] @ w + state @ u)
        state = np.where(mask[:, t, None], new, state)
    return new


@final_state.known_mistake("The tanh is gone: each new state is tanh(x w + h u).")
def final_without_tanh(embedded, mask, w, u):
    state = np.zeros((len(embedded), len(u)))
    for t in range(embedded.shape[1]):
        new = embedded[:, t] @ w + state @ u
        state = np.where(mask[:, t, None], new, state)
    return state


@final_state.known_mistake(
    "Your sentences start from the state that the sentence before them ended with. "
    "Every sentence starts from 0."
)
def final_across_sentences(embedded, mask, w, u):
    state, states = np.zeros(len(u)), []
    for sentence, words in zip(embedded, mask, strict=True):
        for x in sentence[words]:
            state = np.tanh(x @ w + state @ u)
        states.append(state)
    return np.stack(states)


# 9: targets that are not shifted


def _next_cases(rng):
    token_ids = np.array([[1, 2, 0, 1]])
    mask = np.ones((1, 4), bool)
    yield (
        "four tokens, predicted well",
        (3.0 * np.eye(3)[[[2, 0, 1, 1]]], token_ids, mask),
    )

    def arguments(mask, vocabulary):
        shape = (*mask.shape, vocabulary)
        logits, token_ids = (
            rng.normal(size=shape),
            rng.integers(vocabulary, size=mask.shape),
        )
        return logits + 9.0 * ~mask[:, :, None], token_ids, mask

    yield "a padded sentence", arguments(np.arange(4) < [[4], [2]], 3)
    yield (
        "sentences of one token and of none",
        arguments(np.arange(5) < [[5], [1], [0], [3]], 6),
    )
    yield "four of everything", arguments(np.arange(4) < [[4], [3], [2], [4]], 4)
    yield "one sentence, two tokens", arguments(np.ones((1, 2), bool), 5)
    mask = np.arange(6) < [[6], [5], [3]]
    token_ids = rng.integers(0, 5, mask.shape)
    for title in ("", "; other tokens"):
        logits = extreme_scores(5)[rng.integers(0, 3, mask.shape)]
        yield (
            f"logits near 1000, near -1000, and from -3000 to 3000{title}",
            (logits, rng.permuted(token_ids), mask),
        )
    logits, *others = arguments(np.arange(5) < [[5], [4]], 4)
    yield "whole numbers", (np.round(2 * logits), *others)
    logits, *others = arguments(np.arange(3) < [[3], [2]], 7)
    yield "single precision", (*_single(logits), *others)


@exercise(
    _next_cases,
    hints=[
        (
            "The decoder has read token t when it gives the logits at position t. "
            "Which token do they predict, and which one are they compared with?"
        ),
        (
            "Position t predicts the token at t + 1. The last position predicts "
            "nothing that is known, and no position predicts the first token. The "
            "mask belongs to the tokens that are predicted."
        ),
    ],
)
def next_token_loss(logits, token_ids, mask):
    """Mean cross-entropy, in nats, of predicting each token from those before it.

    logits: (batch, length, vocabulary), finite; those at position t are what a causal
    decoder computes after it has read token t.
    token_ids: (batch, length), integers from 0 to vocabulary - 1, 0 may be a token.
    mask: (batch, length), True at tokens, which come first. What logits and token_ids
    hold at padding has no effect. The first token of a sentence is given, and not
    predicted. The batch has at least one token to predict. Returns a float. Logits of
    1000 must not overflow.
    """
    logits = logits - logits.max(axis=-1, keepdims=True)
    log_p = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    log_p, following, mask = log_p[:, :-1], token_ids[:, 1:], mask[:, 1:]
    nats = -np.take_along_axis(log_p, following[:, :, None], axis=-1)[:, :, 0]
    return float((nats * mask).sum() / mask.sum())


@next_token_loss.starter_code(
    "A decoder that repeats its input has a loss near 0, and one that predicts well a "
    "large one."
)
def next_token_loss(logits, token_ids, mask):
    """Mean cross-entropy, in nats, of each token given those before it."""
    # logits at position t: after the decoder has read token t
    logits = logits - logits.max(axis=-1, keepdims=True)
    log_p = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    nats = -np.take_along_axis(log_p, token_ids[:, :, None], axis=-1)[:, :, 0]
    return float((nats * mask).sum() / mask.sum())


def _nats(logits, token_ids):
    """-log p of each token: (batch, length)."""
    logits = logits - logits.max(axis=-1, keepdims=True)
    log_p = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    return -np.take_along_axis(log_p, token_ids[:, :, None], axis=-1)[:, :, 0]


def _shifted(logits, token_ids, mask):
    """(nats, mask) of the tokens that are predicted."""
    return _nats(logits[:, :-1], token_ids[:, 1:]), mask[:, 1:]


@next_token_loss.known_mistake(
    "You shift the other way: each position is compared with the token before it, "
    "which the decoder has read, too."
)
def next_loss_other_way(logits, token_ids, mask):
    nats, mask = _nats(logits[:, 1:], token_ids[:, :-1]), mask[:, 1:]
    return float((nats * mask).sum() / mask.sum())


@next_token_loss.known_mistake(
    "You shift by two positions. Position t predicts the token at t + 1."
)
def next_loss_by_two(logits, token_ids, mask):
    nats, mask = _nats(logits[:, :-2], token_ids[:, 2:]), mask[:, 2:]
    return float((nats * mask).sum() / max(mask.sum(), 1))


@next_token_loss.known_mistake(
    "np.roll brings the first token to the end, where the last position should then "
    "predict it. Leave the last position out."
)
def next_loss_rolled(logits, token_ids, mask):
    nats = _nats(logits, np.roll(token_ids, -1, axis=1))
    return float((nats * mask).sum() / mask.sum())


@next_token_loss.known_mistake(
    "The mask is not shifted with the tokens, so the first padded position counts. Use "
    "mask[:, 1:]."
)
def next_loss_of_padding(logits, token_ids, mask):
    nats, _ = _shifted(logits, token_ids, mask)
    mask = mask[:, :-1]
    return float((nats * mask).sum() / mask.sum())


@next_token_loss.known_mistake(
    "You divide by the number of all tokens. The first token of each sentence is not "
    "predicted, so it does not count."
)
def next_loss_by_all_tokens(logits, token_ids, mask):
    nats, shifted = _shifted(logits, token_ids, mask)
    return float((nats * shifted).sum() / mask.sum())


@next_token_loss.known_mistake(
    "Padding counts in the mean. Leave it out of the sum and of the number."
)
def next_loss_without_mask(logits, token_ids, mask):
    return float(_shifted(logits, token_ids, mask)[0].mean())


@next_token_loss.known_mistake(
    "Padding counts in the denominator. Divide by the number of tokens predicted."
)
def next_loss_by_positions(logits, token_ids, mask):
    nats, mask = _shifted(logits, token_ids, mask)
    return float((nats * mask).mean())


@next_token_loss.known_mistake(
    "You add the nats up. Return their mean over the tokens predicted."
)
def next_loss_summed(logits, token_ids, mask):
    nats, mask = _shifted(logits, token_ids, mask)
    return float((nats * mask).sum())


@next_token_loss.known_mistake(
    "You average over the sentences, so a token of a short sentence counts more."
)
def next_loss_of_sentences(logits, token_ids, mask):
    nats, mask = _shifted(logits, token_ids, mask)
    total = (nats * mask).sum(axis=1) / np.maximum(mask.sum(axis=1), 1)
    return float(total[mask.any(axis=1)].mean())


@next_token_loss.known_mistake("You take log2. Nats are natural logarithms: np.log.")
def next_loss_in_bits(logits, token_ids, mask):
    return next_token_loss.reference_solution(logits, token_ids, mask) / np.log(2)


@next_token_loss.known_mistake(
    "The maximum is no longer subtracted, so exp overflows at a logit of 1000."
)
def next_loss_overflows(logits, token_ids, mask):
    log_p = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    nats = -np.take_along_axis(log_p[:, :-1], token_ids[:, 1:, None], axis=-1)[:, :, 0]
    return float((nats * mask[:, 1:]).sum() / mask[:, 1:].sum())


@next_token_loss.known_mistake("The sign is missing: a loss is -log p.")
def next_loss_negative(logits, token_ids, mask):
    return -next_token_loss.reference_solution(logits, token_ids, mask)


# 10: a softmax before the softmax


def _entropy_cases(rng):
    yield (
        "one token, predicted with certainty",
        (np.array([[[40.0, 0.0, 0.0]]]), np.array([[0]]), np.array([[True]])),
    )

    def arguments(mask, vocabulary):
        logits = 3 * rng.normal(size=(*mask.shape, vocabulary))
        return logits, rng.integers(vocabulary, size=mask.shape), mask

    yield "masks of every kind", arguments(five_masks(5), 4)
    yield "four of everything", arguments(five_masks(4)[:4], 4)
    yield "no padding", arguments(np.ones((2, 3), bool), 6)
    mask = five_masks(6)[:3]
    for title in ("", "; other tokens"):
        logits = extreme_scores(5)[rng.integers(0, 3, mask.shape)]
        yield (
            f"logits near 1000, near -1000, and from -3000 to 3000{title}",
            (logits, rng.integers(0, 5, mask.shape), mask),
        )
    logits = extreme_scores(5)[rng.integers(0, 2, mask.shape)]
    targets = rng.integers(0, 5, mask.shape)
    yield "logits near 1000 and near -1000", (logits, targets, mask)
    logits, *others = arguments(np.array([[True, True, False]]), 3)
    yield "whole numbers", (np.round(logits), *others)
    logits, *others = arguments(five_masks(4)[1:3], 5)
    yield "single precision", (*_single(logits), *others)


@exercise(
    _entropy_cases,
    hints=[
        (
            "Take the logits 40, 0, and 0. Compute each line by hand. Where do numbers "
            "between 0 and 1 go in, and what comes out?"
        ),
        (
            "The cross-entropy of logits is log(sum(exp(logits))) minus the logit of "
            "the right token: the softmax is already in it."
        ),
    ],
)
def cross_entropy(logits, targets, mask):
    """Mean of -log softmax(logits)[target] over the real tokens, in nats.

    logits: (batch, target_len, vocabulary), finite. targets: (batch, target_len),
    integers from 0 to vocabulary - 1. mask: (batch, target_len), True at tokens, which
    may stand anywhere; logits and targets at padding have no effect. The batch has at
    least one token. Returns a float. Logits of 1000 must not overflow.
    """
    largest = logits.max(axis=-1, keepdims=True)
    total = np.log(np.exp(logits - largest).sum(axis=-1)) + largest[:, :, 0]
    right = np.take_along_axis(logits, targets[:, :, None], axis=-1)[:, :, 0]
    return float(((total - right) * mask).sum() / mask.sum())


@cross_entropy.starter_code(
    "A model that is certain of each right token has a loss far above 0."
)
def cross_entropy(logits, targets, mask):
    """Mean cross-entropy over the real tokens, in nats."""
    outputs = ref.softmax(logits)  # (batch, target_len, vocabulary)
    largest = outputs.max(axis=-1, keepdims=True)
    total = np.log(np.exp(outputs - largest).sum(axis=-1)) + largest[:, :, 0]
    right = np.take_along_axis(outputs, targets[:, :, None], axis=-1)[:, :, 0]
    return float(((total - right) * mask).sum() / mask.sum())


def _of_targets(array, targets):
    return np.take_along_axis(array, targets[:, :, None], axis=-1)[:, :, 0]


def _masked_mean(nats, mask):
    return float((nats * mask).sum() / mask.sum())


@cross_entropy.known_mistake(
    "You subtract the probability of the right token from 1. The loss is minus its "
    "logarithm."
)
def entropy_of_probabilities(logits, targets, mask):
    return _masked_mean(1 - _of_targets(ref.softmax(logits), targets), mask)


@cross_entropy.known_mistake(
    "log of a probability that has become 0 is -inf. Stay with the logits: the log of "
    "the sum, minus the logit of the right token."
)
def entropy_of_log_of_softmax(logits, targets, mask):
    return _masked_mean(-np.log(_of_targets(ref.softmax(logits), targets)), mask)


for _smallest in (1e-7, 1e-9, 1e-12):

    @cross_entropy.known_mistake(
        "A smallest probability bounds the loss: at very wrong logits it should be "
        "large. Stay with the logits, which need no such number."
    )
    def entropy_with_floor(logits, targets, mask, smallest=_smallest):
        probabilities = _of_targets(ref.softmax(logits), targets)
        return _masked_mean(-np.log(np.maximum(probabilities, smallest)), mask)


@cross_entropy.known_mistake(
    "The maximum is no longer subtracted, so exp overflows at a logit of 1000."
)
def entropy_overflows(logits, targets, mask):
    total = np.log(np.exp(logits).sum(axis=-1))
    return _masked_mean(total - _of_targets(logits, targets), mask)


@cross_entropy.known_mistake(
    "The logits go into the sum, but the right token's number is still a probability. "
    "Both belong to one formula."
)
def entropy_half_fixed(logits, targets, mask):
    largest = logits.max(axis=-1, keepdims=True)
    total = np.log(np.exp(logits - largest).sum(axis=-1)) + largest[:, :, 0]
    return _masked_mean(total - _of_targets(ref.softmax(logits), targets), mask)


@cross_entropy.known_mistake(
    "The right token's number is a logit now, but the sum is still one over "
    "probabilities. Both belong to one formula."
)
def entropy_other_half(logits, targets, mask):
    total = np.log(np.exp(ref.softmax(logits)).sum(axis=-1))
    return _masked_mean(total - _of_targets(logits, targets), mask)


@cross_entropy.known_mistake(
    "Padding counts now. Leave it out of the sum and of the number."
)
def entropy_without_mask(logits, targets, mask):
    return cross_entropy.reference_solution(logits, targets, np.ones_like(mask))


@cross_entropy.known_mistake(
    "Padding counts in the denominator. Divide by the number of real tokens."
)
def entropy_by_positions(logits, targets, mask):
    right = cross_entropy.reference_solution(logits, targets, mask)
    return float(right * mask.mean())


@cross_entropy.known_mistake("You add the nats up. Return their mean.")
def entropy_summed(logits, targets, mask):
    return float(cross_entropy.reference_solution(logits, targets, mask) * mask.sum())


@cross_entropy.known_mistake("You take log2. Nats are natural logarithms: np.log.")
def entropy_in_bits(logits, targets, mask):
    return cross_entropy.reference_solution(logits, targets, mask) / np.log(2)


@cross_entropy.known_mistake("The sign is wrong: a loss is -log p.")
def entropy_negative(logits, targets, mask):
    return -cross_entropy.reference_solution(logits, targets, mask)


add_mask_from_the_front(cross_entropy)


# 11: an accuracy over padding


def _predictions(rng, targets, mask, vocabulary):
    """Logits that are right for about half of the targets, spoiled at padding."""
    logits = _multiples(rng, -3, 3, (*targets.shape, vocabulary))
    logits = logits + 4.0 * np.eye(vocabulary)[targets]
    spoiled = np.array([1e10, -1e10, np.inf])[:vocabulary]
    logits[~mask, : len(spoiled)] = spoiled
    return logits, targets, mask


def _accuracy_cases(rng):
    targets = np.array([[1, 2, 2], [2, 0, 0]])
    yield (
        "three of four words correct, two padded positions",
        (np.eye(3)[[[1, 2, 1], [2, 0, 0]]], targets, targets > 0),
    )

    targets = np.array([[1, 0, 0, 2]])
    yield (
        "padding in front, and 0 is a word; one of three words correct",
        (np.eye(3)[[[1, 0, 1, 1]]], targets, np.array([[False, True, True, True]])),
    )

    predictions = functools.partial(_predictions, rng)
    mask = five_masks(6)
    yield (
        "padding behind, in front, and between; one word; no words; 0 is a word, too",
        predictions(rng.integers(0, 3, mask.shape), mask, 3),
    )
    mask = five_masks(4)[:4]
    yield (
        "four sentences, positions, and words to choose from",
        predictions(rng.integers(0, 4, mask.shape), mask, 4),
    )
    targets = rng.integers(0, 5, (3, 4))
    yield "no padding", predictions(targets, np.ones((3, 4), bool), 5)
    targets = np.array([[2, 2, 1], [1, 0, 0]])
    yield "all wrong", (np.eye(3)[[[1, 1, 0], [2, 0, 0]]], targets, targets > 0)
    targets = np.array([[0, 1, 0], [0, 1, 1]])
    mask = np.array([[True, True, False], [False, True, True]])
    yield "all correct", (np.eye(2)[targets], targets, mask)
    logits = np.array([[[3.0, 1.0, 2.0], [0.0, 5.0, 4.0]]])
    yield (
        "whole numbers, one word and one padded position",
        (logits, np.array([[0, 1]]), np.array([[True, False]])),
    )
    mask = np.arange(5) < [[5], [2]]
    logits, *others = predictions(rng.integers(0, 7, mask.shape), mask, 7)
    yield "seven words to choose from, single precision", (*_single(logits), *others)


@exercise(
    _accuracy_cases,
    hints=[
        (
            "An accuracy is a fraction. "
            "Padding is excluded from the numerator; what is in the denominator?"
        ),
        (
            "`.mean()` divides by the number of all positions. "
            "Divide the number of correct words by the number of words instead."
        ),
    ],
)
def token_accuracy(logits, targets, mask):
    """The fraction of words that are predicted correctly.

    logits: (batch, target_len, vocabulary). targets: (batch, target_len), numbers from
    0 to vocabulary - 1. mask: (batch, target_len), True at words, which may stand
    anywhere; logits and targets at padding have no effect. The batch has at least one
    word. Returns a float.
    """
    predicted = logits.argmax(axis=-1)  # (batch, target_len)
    correct = (predicted == targets) & mask
    return float(correct.sum() / mask.sum())


@token_accuracy.starter_code("The result depends on how much padding the batch has.")
def token_accuracy(logits, targets, mask):
    """The fraction of words that are predicted correctly, without padding."""
    predicted = logits.argmax(axis=-1)  # (batch, target_len)
    correct = (predicted == targets) & mask
    return float(correct.mean())


@token_accuracy.known_mistake(
    "Padding counts as correct wherever the prediction equals the target there, "
    "so the result still depends on it."
)
def accuracy_ignores_mask(logits, targets, mask):
    return float((logits.argmax(axis=-1) == targets).mean())


@token_accuracy.known_mistake(
    "Every padded position counts as correct now, so padding raises the result instead."
)
def accuracy_padding_is_right(logits, targets, mask):
    return float(((logits.argmax(axis=-1) == targets) | ~mask).mean())


@token_accuracy.known_mistake(
    "You divide by the number of words now, but padding still counts as correct: mask "
    "the numerator as well."
)
def accuracy_half_fixed(logits, targets, mask):
    return float((logits.argmax(axis=-1) == targets).sum() / mask.sum())


@token_accuracy.known_mistake(
    "You divide by the number of words now, but padding still counts as correct: mask "
    "the numerator as well."
)
def accuracy_of_zeros_at_padding(logits, targets, mask):
    correct = logits.argmax(axis=-1) * mask == targets * mask  # 0 == 0 at padding
    return float(correct.sum() / mask.sum())


OF_SENTENCES = (
    "You average the accuracies of the sentences, "
    "so a word of a short sentence counts more than a word of a long one."
)


@token_accuracy.known_mistake(OF_SENTENCES)
def accuracy_of_sentences(logits, targets, mask):
    correct = (logits.argmax(axis=-1) == targets) & mask
    return float((correct.sum(axis=1) / np.maximum(mask.sum(axis=1), 1)).mean())


@token_accuracy.known_mistake(OF_SENTENCES)
def accuracy_of_sentences_nan(logits, targets, mask):
    correct = (logits.argmax(axis=-1) == targets) & mask
    return float((correct.sum(axis=1) / mask.sum(axis=1)).mean())


@token_accuracy.known_mistake(OF_SENTENCES)
def accuracy_of_sentences_with_words(logits, targets, mask):
    correct = (logits.argmax(axis=-1) == targets) & mask
    return float(np.nanmean(correct.sum(axis=1) / mask.sum(axis=1)))


@token_accuracy.known_mistake(
    "You divide by the number of words that the model predicted, "
    "not by the number of words in the targets."
)
def accuracy_by_predicted_words(logits, targets, mask):
    predicted = logits.argmax(axis=-1)
    return float(((predicted == targets) & mask).sum() / (predicted > 0).sum())


WHERE_PREDICTED = (
    "You leave out every position where 0 was predicted, so an error there no longer "
    "counts. The mask says what is a word."
)


@token_accuracy.known_mistake(WHERE_PREDICTED)
def accuracy_where_predicted(logits, targets, mask):
    predicted = logits.argmax(axis=-1)
    return float((predicted == targets)[predicted > 0].mean())


@token_accuracy.known_mistake(WHERE_PREDICTED)
def accuracy_without_missed(logits, targets, mask):
    predicted = logits.argmax(axis=-1)
    return float(
        (predicted == targets)[mask & (predicted > 0)].sum()
        / max((mask & (predicted > 0)).sum(), 1)
    )


@token_accuracy.known_mistake(
    "You divide by the number of sentences, so the result can be above one."
)
def accuracy_by_sentence(logits, targets, mask):
    return float(((logits.argmax(axis=-1) == targets) & mask).sum() / len(targets))


@token_accuracy.known_mistake(
    "You count the sentences that are correct from the first word to the last. "
    "Count words."
)
def accuracy_of_whole_sentences(logits, targets, mask):
    correct = logits.argmax(axis=-1) == targets
    return float((correct | ~mask).all(axis=1).mean())


TARGETS_ABOVE_0 = (
    "You take every target above 0 for a word. The mask says what is a word: 0 may be "
    "one, and padding may hold another number."
)


@token_accuracy.known_mistake(TARGETS_ABOVE_0)
def accuracy_of_words_that_are_not_zero(logits, targets, mask):
    words = mask & (targets > 0)
    correct = (logits.argmax(axis=-1) == targets) & words
    return float(correct.sum() / words.sum())


@token_accuracy.known_mistake(TARGETS_ABOVE_0)
def accuracy_where_targets_are_not_zero(logits, targets, mask):
    words = targets > 0
    correct = (logits.argmax(axis=-1) == targets) & words
    return float(correct.sum() / max(words.sum(), 1))


@token_accuracy.known_mistake(TARGETS_ABOVE_0)
def accuracy_by_targets_that_are_not_zero(logits, targets, mask):
    correct = (logits.argmax(axis=-1) == targets) & mask
    return float(correct.sum() / max((targets > 0).sum(), 1))


OF_PADDING = "The positions that you leave out are the words: True means a word."


@token_accuracy.known_mistake(OF_PADDING)
def accuracy_of_padding(logits, targets, mask):
    correct = (logits.argmax(axis=-1) == targets) & ~mask
    return float(correct.sum() / max((~mask).sum(), 1))


@token_accuracy.known_mistake(OF_PADDING)
def accuracy_of_padding_nan(logits, targets, mask):
    correct = (logits.argmax(axis=-1) == targets) & ~mask
    return float(correct.sum() / (~mask).sum())


@token_accuracy.known_mistake(
    "This is the fraction of words that are wrong. Return the fraction that is correct."
)
def accuracy_of_errors(*arguments):
    return 1 - token_accuracy.reference_solution(*arguments)


@token_accuracy.known_mistake(
    "This is the number of correct words. Divide it by the number of words."
)
def accuracy_not_divided(logits, targets, mask):
    return float(((logits.argmax(axis=-1) == targets) & mask).sum())


add_mask_from_the_front(token_accuracy)


# 12: NaN in a gradient


def _gradient_cases(rng):
    scores = np.array([[1.0, 2.0, 0.5], [0.0, 1.0, 0.0]])
    upstream = np.array([[1.0, 0.0, 2.0], [1.0, 2.0, 0.0]])
    mask = np.array([[True, True, True], [False, False, False]])
    yield "a full row, and one with nothing to attend to", (scores, mask, upstream)

    def arguments(mask):
        return rng.normal(size=mask.shape), mask, rng.normal(size=mask.shape)

    yield "masks of every kind", arguments(five_masks(6))
    yield "four rows of four", arguments(five_masks(4)[[0, 1, 2, 4]])
    yield "no padding", arguments(np.ones((2, 5), bool))
    mask = five_masks(5)[[0, 2, 4, 1]]
    scores = np.vstack([extreme_scores(5), extreme_scores(5)[:1]])
    upstream = rng.normal(size=mask.shape)
    yield (
        "scores near 1000, near -1000, and from -3000 to 3000",
        (scores, mask, upstream),
    )
    scores = np.array([[-900.0, -901, 950], [2, 1, -3], [-20_000, -20_001, 0]])
    mask = np.array([[True, True, False], [True, False, True], [True, True, False]])
    yield "a far higher score at padding", (scores, mask, np.eye(3) + 1)
    scores, mask, upstream = arguments(five_masks(4)[[2, 4]])
    yield "whole numbers", (np.round(2 * scores), mask, np.round(2 * upstream))
    arrays = arguments(np.array([[True], [False]]))
    yield "one word or none, in single precision", in_float32(arrays)


@exercise(
    _gradient_cases,
    hints=[
        (
            "What does `softmax` hold in a row without words? The weights are repaired "
            "one line later. What does the gradient use?"
        ),
        (
            "NaN times 0 is NaN, so it has to be prevented, not repaired: a row "
            "without words needs another maximum than -inf, and another sum than 0. "
            "`ref.softmax` with a mask does both."
        ),
    ],
    returns=("weights", "gradient"),
)
def softmax_gradient(scores, mask, upstream):
    """The weights, and the gradient of sum(weights * upstream) with respect to scores.

    scores: (target_len, source_len), finite. mask: (target_len, source_len), True = may
    be attended to. upstream: (target_len, source_len), the gradient of the loss with
    respect to the weights.
    gradient = weights * (upstream - sum_s weights_s upstream_s), for each query.
    Returns weights and gradient, shaped as scores. A query with nothing to attend to
    has zeros in both. Scores of 1000 must not overflow.
    """
    weights = ref.softmax(scores, mask)
    mean = (weights * upstream).sum(axis=-1, keepdims=True)
    return weights, weights * (upstream - mean)


@softmax_gradient.starter_code("The weights are finite, but the gradient holds NaN.")
def softmax_gradient(scores, mask, upstream):
    """The weights, and the gradient of sum(weights * upstream) by the scores."""
    with np.errstate(all="ignore"):
        masked = scores + np.where(mask, 0, -np.inf)
        exponentials = np.exp(masked - masked.max(axis=-1, keepdims=True))
        softmax = exponentials / exponentials.sum(axis=-1, keepdims=True)
    weights = np.where(mask, softmax, 0)  # 0 where masked
    mean = (weights * upstream).sum(axis=-1, keepdims=True)
    return weights, softmax * (upstream - mean)


def _gradient_of(weights, upstream):
    return weights * (upstream - (weights * upstream).sum(axis=-1, keepdims=True))


def _two(message, weights=None, gradient=None):
    """Add a wrong answer: other weights, (scores, mask), for both results, or another
    gradient, (weights, upstream, mask).
    """

    @softmax_gradient.known_mistake(message)
    def wrong(scores, mask, upstream):
        right = ref.softmax(scores, mask) if weights is None else weights(scores, mask)
        if gradient is None:
            return right, _gradient_of(right, upstream)
        return right, gradient(right, upstream, mask)


_two(
    "The mean under the weights is missing: raising one score lowers the other "
    "weights.",
    gradient=lambda weights, upstream, mask: weights * upstream,
)
_two(
    "This is the derivative of each weight by its own score alone. The others count, "
    "too: subtract the mean of upstream under the weights.",
    gradient=lambda weights, upstream, mask: weights * (1 - weights) * upstream,
)
_two(
    "You subtract the plain mean of upstream. It is a mean under the weights.",
    gradient=lambda weights, upstream, mask: (
        weights * (upstream - upstream.mean(axis=-1, keepdims=True))
    ),
)
_two(
    "You subtract one sum over all queries. Each query has its own.",
    gradient=lambda weights, upstream, mask: (
        weights * (upstream - (weights * upstream).sum())
    ),
)
_two(
    "There is no NaN, and no gradient either: zeros are right for a query with nothing "
    "to attend to, and for no other.",
    gradient=lambda weights, upstream, mask: np.zeros_like(weights),
)
_two(
    "You leave out every row that holds padding. Only a row without any word gets "
    "zeros.",
    gradient=lambda weights, upstream, mask: (
        _gradient_of(weights, upstream) * mask.all(axis=-1, keepdims=True)
    ),
)
_two(
    "The sign is wrong: a step along the gradient should raise the sum.",
    gradient=lambda weights, upstream, mask: -_gradient_of(weights, upstream),
)
_two(
    "The gradient is not multiplied by the weights.",
    gradient=lambda weights, upstream, mask: (
        mask * (upstream - (weights * upstream).sum(axis=-1, keepdims=True))
    ),
)
for _message, _softmax in faulty_softmaxes(infinite=False):
    if _message == ADDED:
        add_softmax_mistake(
            softmax_gradient,
            "Adding -1e9 lowers all scores of an empty row alike, so a query with "
            "nothing to attend to still gets weights. Its row should be zeros.",
            _softmax,
        )
for _masked in (
    lambda scores, mask: np.where(mask, scores, -1e9),
    lambda scores, mask: scores + np.where(mask, 0, -1e9),
):

    @softmax_gradient.known_mistake(
        "The weights of a query with nothing to attend to are set to 0 after the "
        "softmax, but the gradient still uses what the softmax held there before."
    )
    def gradient_of_other_weights(scores, mask, upstream, masked=_masked):
        softmax = ref.softmax(masked(scores, mask))
        weights = np.where(mask, softmax, 0)
        mean = (weights * upstream).sum(axis=-1, keepdims=True)
        return weights, softmax * (upstream - mean)


add_mask_from_the_front(softmax_gradient)
add_softmax_mistakes(
    softmax_gradient,
    infinite=False,
    leave_out=(ADDED,),
    other_axes=[(0, "Your weights sum to one over the queries, not over the words.")],
)


# 13: a number that half precision cannot hold


def _half_cases(rng):
    mask = np.array([[True, True, False]])
    half = np.array([[[1.0, 1.0, 1.0]]]).astype("float16")
    yield "half precision: two words of equal scores, and padding", (half, mask)

    def arguments(target_len, mask):
        batch, source_len = mask.shape
        return rng.normal(size=(batch, target_len, source_len)), mask

    yield "masks of every kind", arguments(2, five_masks(6))
    yield "four of everything", arguments(4, five_masks(4)[:4])
    scores, mask = arguments(2, five_masks(4)[:3])
    low = _multiples(rng, -502, -498, scores.shape)
    scores = np.where(mask[:, None, :], low, 300)
    yield "low scores of words, high ones at padding", (scores, mask)
    mask = five_masks(6)
    half = 40.0 * rng.integers(-1, 2, (5, 3, 6))  # weights are 1 / n, or nearly 0
    yield "half precision: masks of every kind", (half.astype("float16"), mask)
    scores = np.stack([extreme_scores(4)] * 3)
    pairs = np.broadcast_to(five_masks(4)[:3][:, None, :], scores.shape)
    yield (
        "scores near 1000, near -1000, and from -3000 to 3000; inf, NaN, or 1e10 at "
        "padding",
        (spoiled_padding(scores, pairs), five_masks(4)[:3]),
    )
    half = 1000.0 * np.array([[[30, 30, 60, 60], [-60, -30, 60, -60]]])
    mask = np.array([[True, True, False, False]])
    yield (
        "half precision: scores from -60,000 to 60,000",
        (half.astype("float16"), mask),
    )
    scores, mask = arguments(1, np.array([[True, False, True]]))
    yield "whole numbers", (np.round(2 * scores), mask)
    scores, mask = arguments(2, np.array([[True], [False]]))
    yield "one word or none, in single precision", (*_single(scores), mask)


def _within_half_precision(result, scores, mask):
    """Half precision holds three digits: a result in it counts as the exact one if it
    agrees in these.
    """
    if not isinstance(result, np.ndarray) or result.dtype != np.float16:
        return result
    exact = ref.softmax(scores, mask[:, None, :])
    same = result.shape == exact.shape and np.allclose(result, exact, atol=1e-3)
    return exact if same else result.astype("float32")


@exercise(
    _half_cases,
    extract=_within_half_precision,
    batch=("scores", "mask"),
    hints=[
        (
            "The largest number of half precision is 65,504. What does it make of 1e9, "
            "and what is 0 times that?"
        ),
        (
            "Choose instead of computing: `np.where`, or the mask of `ref.softmax`, "
            "takes a score or leaves it out, and multiplies nothing."
        ),
    ],
)
def half_precision_weights(scores, mask):
    """A softmax over the words, in float16, float32, or float64.

    scores: (batch, target_len, source_len), of any of these types; at padding they may
    be anything, even infinite or NaN. Scores of 1000 must not overflow.
    mask: (batch, source_len), True at words, which may stand anywhere.
    Returns weights like scores, in float32 at least or in the precision of the scores,
    0 at padding; a sentence without words gets zeros.
    """
    return ref.softmax(scores, mask[:, None, :])


@half_precision_weights.starter_code("In half precision, every weight is NaN.")
def half_precision_weights(scores, mask):
    """A softmax over the words, in the precision of the scores."""
    words = mask[:, None, :].astype(scores.dtype)  # 1 at words, 0 at padding
    with np.errstate(all="ignore"):
        large = np.array(1e9).astype(scores.dtype)
        scores = scores - (1 - words) * large  # far below every word
        return ref.softmax(scores)


@half_precision_weights.known_mistake(
    "A number that half precision holds is a way out of the NaN, but a word may score "
    "lower than that, and a sentence without words still gets weights."
)
def half_by_smaller_penalty(scores, mask):
    words = mask[:, None, :].astype(scores.dtype)
    with np.errstate(all="ignore"):
        return ref.softmax(scores - (1 - words) * np.array(1e4).astype(scores.dtype))


@half_precision_weights.known_mistake(EQUAL_FOR_NOTHING)
def half_by_smallest_number(scores, mask):
    return ref.softmax(np.where(mask[:, None, :], scores, np.finfo(scores.dtype).min))


@half_precision_weights.known_mistake(
    "NaN is replaced by 0 after the softmax, and with it every weight in half "
    "precision. Prevent the NaN instead."
)
def half_repaired_afterwards(scores, mask):
    return np.nan_to_num(half_precision_weights.starter(scores, mask))


for _softmax in (ref.softmax, faulty("ignored", nothing="nan")):
    for _least in (np.float16, np.float32):

        @half_precision_weights.known_mistake(EQUAL_FOR_NOTHING)
        def half_by_large_number(scores, mask, softmax=_softmax, least=_least):
            with np.errstate(all="ignore"):  # in half precision, -1e9 is infinite
                scores = scores.astype(np.result_type(scores.dtype, least))
                return softmax(np.where(mask[:, None, :], scores, -1e9))

    for _precision in (None, np.float32, np.float64):

        @half_precision_weights.known_mistake(
            "In single precision, -1e9 is a number, and there is no NaN from it. But a "
            "sentence without words still gets weights, and what stands at padding may "
            "be larger, infinite, or NaN. Leave padding out instead."
        )
        def half_in_single_precision(
            scores, mask, softmax=_softmax, precision=_precision
        ):
            if precision is None:
                precision = np.result_type(scores.dtype, np.float32)
            with np.errstate(all="ignore"):
                penalty = np.where(mask[:, None, :], 0, 1e9).astype(precision)
                return softmax(scores.astype(precision) - penalty)


@half_precision_weights.known_mistake(MASK_AXIS)
def half_by_rows(scores, mask):
    if mask.shape[1] != scores.shape[1]:
        raise ValueError("operands could not be broadcast together")
    return ref.softmax(scores, mask[:, :, None])


add_mask_from_the_front(half_precision_weights)
add_softmax_mistakes(
    half_precision_weights,
    leave_out=(ADDED,),
    other_axes=[(-2, "Your weights sum to one over the queries, not over the words.")],
)


# 14: scores that are not scaled


def _heads_cases(rng):
    query = np.array([[[1.0, 1.0, 0.0, 2.0]]])
    keys = np.array([[[2.0, 0.0, 1.0, 0.0], [0.0, 2.0, 0.0, 1.0]]])
    yield (
        "one query, two words, two heads of dimension 2",
        (query, keys, np.arange(8.0).reshape(1, 2, 4), 2),
    )

    def arguments(batch, target_len, source_len, dim, heads):
        lengths = target_len, source_len, source_len
        return *(rng.normal(size=(batch, n, dim)) for n in lengths), heads

    yield "two sentences, three heads", arguments(2, 4, 5, 12, 3)
    yield "one head", arguments(2, 2, 3, 6, 1)
    yield "heads of dimension 1", arguments(1, 2, 4, 3, 3)
    yield "four of everything but heads", arguments(4, 4, 4, 4, 2)
    query = 2 * extreme_scores(4)  # each head of the keys is four unit vectors
    yield (
        "two heads; scores near 1000, near -1000, and from -3000 to 3000",
        (
            np.hstack([query, query[::-1]])[None],
            np.hstack([np.eye(4), np.eye(4)])[None],
            rng.normal(size=(1, 4, 8)),
            2,
        ),
    )
    yield (
        "whole numbers",
        (*(_whole(rng, -2, 3, (1, n, 6)) for n in (2, 3, 3)), 2),
    )
    *arrays, heads = arguments(2, 3, 1, 10, 2)
    yield "one word, in single precision", (*_single(*arrays), heads)
    yield "one head of dimension 64", arguments(1, 1, 3, 64, 1)


@exercise(
    _heads_cases,
    batch=("query", "keys", "values"),
    hints=[
        (
            "Each score is a sum of as many products as a head has dimensions. "
            "How does its standard deviation grow with that number?"
        ),
        (
            "Scaled dot-product attention divides the scores by the square root of a "
            "dimension. Each score here belongs to one head: which dimension is it?"
        ),
    ],
    returns=("context", "weights"),
)
def heads_attend(query, keys, values, heads):
    """softmax(Q K^T / sqrt(width)) V for each head, of width = dim / heads columns.

    query: (batch, target_len, dim). keys and values: (batch, source_len, dim).
    heads: a divisor of dim. Returns context, shaped as query, and weights
    (batch, heads, target_len, source_len). Scores of 1000 must not overflow.
    """
    split = (len(query), -1, heads, query.shape[-1] // heads)
    q = query.reshape(split).swapaxes(1, 2)  # (batch, heads, target_len, width)
    k = keys.reshape(split).swapaxes(1, 2)  # (batch, heads, source_len, width)
    v = values.reshape(split).swapaxes(1, 2)
    scores = q @ k.swapaxes(2, 3) / np.sqrt(k.shape[-1])
    weights = ref.softmax(scores)  # (batch, heads, target_len, source_len)
    context = (weights @ v).swapaxes(1, 2)  # (batch, target_len, heads, width)
    return context.reshape(query.shape), weights


@heads_attend.starter_code(
    "The more dimensions a head has, the closer its largest weight is to 1, "
    "whatever the words are."
)
def heads_attend(query, keys, values, heads):
    """Dot-product attention in heads, side by side: context and weights."""
    split = (len(query), -1, heads, query.shape[-1] // heads)
    q = query.reshape(split).swapaxes(1, 2)  # (batch, heads, target_len, width)
    k = keys.reshape(split).swapaxes(1, 2)  # (batch, heads, source_len, width)
    v = values.reshape(split).swapaxes(1, 2)
    scores = q @ k.swapaxes(2, 3)
    weights = ref.softmax(scores)  # (batch, heads, target_len, source_len)
    context = (weights @ v).swapaxes(1, 2)  # (batch, target_len, heads, width)
    return context.reshape(query.shape), weights


def _with_scaled_scores(query, keys, values, heads, scale):
    """The starter code, with each score multiplied by ``scale``."""
    return heads_attend.starter(query * scale, keys, values, heads)


@heads_attend.known_mistake(
    "You divide by the square root of the dimension of all heads together. "
    "A score sums over one head alone."
)
def heads_by_whole_width(query, keys, values, heads):
    return _with_scaled_scores(query, keys, values, heads, 1 / np.sqrt(keys.shape[-1]))


@heads_attend.known_mistake(
    "You divide by the dimension, not by its square root (once for the queries and "
    "once for the keys?), so the weights of large heads are too uniform now."
)
def heads_by_width(query, keys, values, heads):
    return _with_scaled_scores(query, keys, values, heads, heads / keys.shape[-1])


@heads_attend.known_mistake(
    "You divide by the square root of the number of heads. "
    "Use the dimension of one head instead."
)
def heads_by_number(query, keys, values, heads):
    return _with_scaled_scores(query, keys, values, heads, 1 / np.sqrt(heads))


@heads_attend.known_mistake(
    "You divide by the square root of the source length. "
    "Use the dimension of one head instead."
)
def heads_by_length(query, keys, values, heads):
    return _with_scaled_scores(query, keys, values, heads, 1 / np.sqrt(keys.shape[1]))


@heads_attend.known_mistake(
    "You divide by the square root of the target length. "
    "Use the dimension of one head instead."
)
def heads_by_target_length(query, keys, values, heads):
    return _with_scaled_scores(query, keys, values, heads, 1 / np.sqrt(query.shape[1]))


def _interleaved(x, heads):
    """Columns in another order: one of each head, and so on."""
    split = (*x.shape[:-1], heads, x.shape[-1] // heads)
    return x.reshape(split).swapaxes(-1, -2).reshape(x.shape)


@heads_attend.known_mistake(
    "Your heads are interleaved: head 0 has the first dim / heads columns, not one "
    "column of every `heads`."
)
def heads_interleaved(query, keys, values, heads):
    width = query.shape[-1] // heads
    mixed = [_interleaved(x, width) for x in (query, keys, values)]
    context, weights = heads_attend.reference_solution(*mixed, heads)
    return _interleaved(context, heads), weights


@heads_attend.known_mistake(
    "You put the heads together without exchanging the axes back: reshape needs "
    "(batch, target_len, heads, width), and `weights @ v` has the heads before the "
    "queries."
)
def heads_merged_without_swap(query, keys, values, heads):
    context, weights = heads_attend.reference_solution(query, keys, values, heads)
    split = (*query.shape[:2], heads, query.shape[-1] // heads)
    return context.reshape(split).swapaxes(1, 2).reshape(query.shape), weights


@heads_attend.known_mistake(
    "Your reshape mixes positions: split the columns first, (batch, length, heads, "
    "width), and then exchange two axes."
)
def heads_split_without_swap(query, keys, values, heads):
    def split(x):
        return x.reshape(len(x), heads, -1, x.shape[-1] // heads)

    q, k, v = split(query), split(keys), split(values)
    weights = ref.softmax(q @ k.swapaxes(2, 3) / np.sqrt(k.shape[-1]))
    return (weights @ v).reshape(query.shape), weights


@heads_attend.known_mistake(
    "You divide after the softmax: "
    "the weights are as peaked as before and no longer sum to one."
)
def heads_divided_after(query, keys, values, heads):
    context, weights = heads_attend.starter(query, keys, values, heads)
    root = np.sqrt(keys.shape[-1] / heads)
    return context / root, weights / root


@heads_attend.known_mistake(
    "You multiply by the square root, which makes it worse. Divide instead."
)
def heads_multiplied(query, keys, values, heads):
    return _with_scaled_scores(
        query, keys, values, heads, np.sqrt(keys.shape[-1] / heads)
    )


add_softmax_mistakes(
    heads_attend,
    masked=False,
    other_axes=[
        (-2, "Your weights sum to one over the queries, not over the words."),
        (1, "Your weights sum to one over the heads, not over the words."),
    ],
)


# 15: a Gaussian after the context


def _context_cases(rng):
    scores = np.array([[[0.0, 1.0, 2.0, 1.0]]])
    values = np.array([[[1.0], [2.0], [4.0], [8.0]]])
    yield "one query in the middle, D = 1", (scores, values, np.array([[1.5]]), 1)
    yield "at the left edge", (scores, values, np.array([[0.25]]), 2)

    def arguments(batch, target_len, source_len, value_dim, half_width):
        return (
            rng.normal(size=(batch, target_len, source_len)),
            rng.normal(size=(batch, source_len, value_dim)),
            _multiples(rng, 0, source_len, (batch, target_len)),
            half_width,
        )

    yield "two sentences", arguments(2, 3, 9, 4, 3)
    yield "three sentences, queries, words, and dimensions", arguments(3, 3, 3, 3, 1)
    scores, values, _, _ = arguments(2, 3, 5, 4, 1)
    centers = np.array([[-0.25, 4.75, -4.5], [2.5, 9.0, 5.0]])
    yield "windows with few words, or with none", (scores, values, centers, 1)
    centers = np.array([[-4.5, 1.75, 9.0]])
    arrays = rng.normal(size=(1, 3, 4)), rng.normal(size=(1, 4, 2)), centers
    yield "wide windows next to the sentence", (*arrays, 4)
    yield (
        "scores near 1000, near -1000, and from -3000 to 3000",
        (
            extreme_scores(5)[None],
            rng.normal(size=(1, 5, 2)),
            np.array([[0.5, 3.25, 2.75]]),
            4,
        ),
    )
    scores = np.array([[[0.0, 1.0, 0.0, 0.0, 0.0, 2000.0]]])
    yield (
        "a far higher score outside the window",
        (scores, np.arange(6.0).reshape(1, 6, 1), np.array([[1.0]]), 1),
    )
    yield "a window far wider than the sentence", arguments(1, 2, 6, 3, 40)
    scores = np.array([[[0.0, 2.0, 1.0]]])
    values = np.array([[[1.0, 0.0], [3.0, 1.0], [0.0, 2.0]]])
    yield "whole numbers", (scores, values, np.array([[1.0]]), 2)
    *arrays, half_width = arguments(2, 2, 1, 3, 2)
    yield "one word, in single precision", (*_single(*arrays), half_width)


@exercise(
    _context_cases,
    batch=("scores", "values", "centers"),
    hints=[
        (
            "Multiply the returned weights by the values yourself. "
            "Do you get the returned context?"
        ),
        "The context should be computed with the final weights, after the Gaussian.",
    ],
    returns=("context", "weights"),
)
def local_context(scores, values, centers, half_width):
    """Softmax over the window, times the Gaussian; the product gives the context.

    scores: (batch, target_len, source_len). values: (batch, source_len, value_dim).
    centers: (batch, target_len), real numbers. half_width: D, 1 or more. Returns
    context (batch, target_len, value_dim) and weights, shaped like scores. A window
    without words gives zero weights and a zero context. Scores of 1000 must not
    overflow.
    """
    positions = np.arange(scores.shape[-1])
    window = abs(positions - np.floor(centers)[:, :, None]) <= half_width
    weights = ref.softmax(scores, window)
    distance, sigma = positions - centers[:, :, None], half_width / 2
    weights = weights * np.exp(-(distance**2) / (2 * sigma**2))
    return weights @ values, weights


@local_context.starter_code(
    "The weights change with the exact center, but the context stays as it is."
)
def local_context(scores, values, centers, half_width):
    """Local attention: the context of each query, and its weights."""
    positions = np.arange(scores.shape[-1])
    window = abs(positions - np.floor(centers)[:, :, None]) <= half_width
    weights = ref.softmax(scores, window)
    context = weights @ values
    distance, sigma = positions - centers[:, :, None], half_width / 2
    weights = weights * np.exp(-(distance**2) / (2 * sigma**2))
    return context, weights


@local_context.known_mistake(
    "Context and weights agree now, but neither depends on the exact center: "
    "the Gaussian is gone."
)
def context_without_gaussian(scores, values, centers, half_width):
    window, _ = window_and_gaussian(scores, centers, half_width)
    weights = ref.softmax(scores, window)
    return weights @ values, weights


@local_context.known_mistake(
    "Now the Gaussian multiplies the scores. "
    "It should multiply the weights, after the softmax."
)
def context_gaussian_before(scores, values, centers, half_width):
    window, gaussian = window_and_gaussian(scores, centers, half_width)
    weights = ref.softmax(scores * gaussian, window)
    return weights @ values, weights


@local_context.known_mistake(
    "The Gaussian is applied twice: once for the weights, once more for the context."
)
def context_gaussian_twice_in_the_context(scores, values, centers, half_width):
    window, gaussian = window_and_gaussian(scores, centers, half_width)
    weights = ref.softmax(scores, window) * gaussian
    return (weights * gaussian) @ values, weights


@local_context.known_mistake(
    "The Gaussian is applied twice: once for the context, once more for the weights."
)
def context_gaussian_twice(scores, values, centers, half_width):
    window, gaussian = window_and_gaussian(scores, centers, half_width)
    weights = ref.softmax(scores, window) * gaussian
    return weights @ values, weights * gaussian


RENORMALIZED = (
    "Your weights sum to one in each window: you divide by their sum after the "
    "Gaussian, or put the Gaussian inside the softmax. Where the softmax is saturated, "
    "that cancels it, and the center gets no gradient."
)


@local_context.known_mistake(RENORMALIZED)
def context_with_log_gaussian(scores, values, centers, half_width):
    window, gaussian = window_and_gaussian(scores, centers, half_width)
    weights = ref.softmax(scores + np.log(np.maximum(gaussian, 1e-300)), window)
    return weights @ values, weights


@local_context.known_mistake(RENORMALIZED)
def context_renormalized(scores, values, centers, half_width):
    window, gaussian = window_and_gaussian(scores, centers, half_width)
    weights = ref.softmax(scores, window) * gaussian
    weights = weights / weights.sum(axis=-1, keepdims=True)
    return weights @ values, weights


@local_context.known_mistake(
    "The context is correct, but the weights you return are those before the Gaussian."
)
def context_weights_before_gaussian(scores, values, centers, half_width):
    window, gaussian = window_and_gaussian(scores, centers, half_width)
    weights = ref.softmax(scores, window)
    return (weights * gaussian) @ values, weights


@local_context.known_mistake(NAN_FOR_NOTHING)
def context_of_nothing_is_nan(scores, values, centers, half_width):
    window, gaussian = window_and_gaussian(scores, centers, half_width)
    scores = np.where(window, scores, -np.inf)
    exponentials = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights = exponentials / exponentials.sum(axis=-1, keepdims=True) * gaussian
    return weights @ values, weights


@local_context.known_mistake(
    "In a window without words, one number everywhere gives equal weights to all the "
    "words outside it. That row should be zeros."
)
def context_of_nothing_is_equal(scores, values, centers, half_width):
    window, gaussian = window_and_gaussian(scores, centers, half_width)
    weights = ref.softmax(np.where(window, scores, -1e9)) * gaussian
    return weights @ values, weights


@local_context.known_mistake(
    "Your softmax runs over the whole sentence. It should run over the window alone."
)
def context_without_window(scores, values, centers, half_width):
    _, gaussian = window_and_gaussian(scores, centers, half_width)
    weights = ref.softmax(scores) * gaussian
    return weights @ values, weights


@local_context.known_mistake(
    "Your softmax runs over the whole sentence. It should run over the window alone."
)
def context_cut_to_the_window(scores, values, centers, half_width):
    window, gaussian = window_and_gaussian(scores, centers, half_width)
    weights = ref.softmax(scores) * window * gaussian
    return weights @ values, weights


MAXIMUM_OUTSIDE = (
    "A score outside the window has a part in your softmax or in the maximum that you "
    "subtract. Where it is far higher, every word of the window underflows. Leave out "
    "what is outside from the start."
)


def _exponentials_in_window(scores, centers, half_width):
    window, gaussian = window_and_gaussian(scores, centers, half_width)
    exponentials = np.exp(scores - scores.max(axis=-1, keepdims=True)) * window
    return exponentials, exponentials.sum(axis=-1, keepdims=True), gaussian


@local_context.known_mistake(MAXIMUM_OUTSIDE)
def context_of_the_whole_maximum(scores, values, centers, half_width):
    exponentials, total, gaussian = _exponentials_in_window(scores, centers, half_width)
    weights = exponentials / np.where(total == 0, 1, total) * gaussian
    return weights @ values, weights


@local_context.known_mistake(MAXIMUM_OUTSIDE)
def context_of_the_whole_maximum_nan(scores, values, centers, half_width):
    exponentials, total, gaussian = _exponentials_in_window(scores, centers, half_width)
    weights = exponentials / total * gaussian
    return weights @ values, weights


@local_context.known_mistake(
    "You multiply the scores by the window. A score of 0 is still a score: exp(0) = 1, "
    "so positions outside get weight. Use -np.inf there."
)
def context_scores_times_window(scores, values, centers, half_width):
    window, gaussian = window_and_gaussian(scores, centers, half_width)
    weights = ref.softmax(scores * window) * gaussian
    return weights @ values, weights


def _context_with(middle=np.floor, inside=np.less_equal, gaussian=None):
    """Local attention with another window or another Gaussian.

    middle: where the window lies, of the centers. inside: (distance, half_width) ->
    whether it is in the window. gaussian: (distance from p, distance from floor(p),
    half_width) -> what multiplies the weights.
    """

    def context(scores, values, centers, half_width):
        positions = np.arange(scores.shape[-1])
        distance = positions - centers[:, :, None]
        from_floor = positions - np.floor(centers)[:, :, None]
        from_middle = abs(positions - middle(centers)[:, :, None])
        weights = ref.softmax(scores, inside(from_middle, half_width))
        if gaussian is None:
            weights = weights * gaussian_of_distance(distance, half_width)
        else:
            weights = weights * gaussian(distance, from_floor, half_width)
        return weights @ values, weights

    return context


_OTHER_WINDOWS = {
    "Your window leaves out its two ends. It is floor(p) - D to floor(p) + D, both "
    "included.": {"inside": np.less},
    "Your window lies around p. It lies around floor(p).": {"middle": np.copy},
    "Your window lies around p rounded. It lies around floor(p).": {"middle": np.round},
    "int rounds toward zero, so below 0 your window lies one position too far to the "
    "right. It lies around floor(p).": {"middle": np.trunc},
    "Sigma is D / 2. You take D, so the Gaussian is twice as wide as it should be.": {
        "gaussian": lambda d, _, D: np.exp(-(d**2) / (2 * D**2))
    },
    "Parentheses are missing in the Gaussian: -d**2 / 2 * sigma**2 multiplies by "
    "sigma^2.": {"gaussian": lambda d, _, D: np.exp(-(d**2) / 2 * (D / 2) ** 2)},
    "Your Gaussian lies around floor(p). The window does, but the Gaussian lies around "
    "p.": {"gaussian": lambda _, d, D: gaussian_of_distance(d, D)},
}
for _message, _changes in _OTHER_WINDOWS.items():
    local_context.known_mistake(_message)(_context_with(**_changes))
for _message, _exponent in GAUSSIAN_EXPONENTS[1:]:  # the first has its own message
    local_context.known_mistake(_message)(
        _context_with(
            gaussian=lambda d, _, D, exponent=_exponent: np.exp(exponent(d, D / 2))
        )
    )


add_softmax_mistakes(local_context, masked=False)


# 16: an alignment shifted by one


def _links_cases(rng):
    weights = np.array(
        [[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.2, 0.1, 0.7], [0.3, 0.5, 0.2]]
    )
    yield "three characters and the end", (weights, ["4", "2", "7"])
    yield "a hyphen is left out", (weights, ["4", "-", "7"])
    yield "a date", (rng.dirichlet(np.ones(12), size=11), list("2024-03-05"))
    yield (
        "a hyphen at either end",
        (rng.dirichlet(np.ones(5), size=5), ["-", "1", "2", "-"]),
    )
    yield (
        "letters, spaces, and punctuation",
        (rng.dirichlet(np.ones(9), size=13), list("Mar. 5, '24!")),
    )
    yield (
        "as many steps as characters",
        (rng.dirichlet(np.ones(7), size=7), list("05/03/")),
    )
    yield "one character in the source", (np.ones((4, 1)), list("7-7"))
    yield "an empty target", (np.array([[0.2, 0.5, 0.3]]), [])
    yield (
        "whole numbers, of characters that repeat",
        (rng.permuted(np.tile(np.arange(6.0), (6, 1)), axis=1), list("1-1-1")),
    )
    yield (
        "single precision",
        (rng.dirichlet(np.ones(4), size=4).astype("float32"), list("a b")),
    )


def _integer_pairs(result, weights, target):
    """The links as they are; floats, which equal integers, are told apart here."""
    pairs = result if isinstance(result, (set, frozenset)) else ()
    parts = [part for pair in pairs if isinstance(pair, tuple) for part in pair]
    if any(isinstance(part, (float, np.floating)) for part in parts):
        raise CheckFailed("A link should be a pair of integers, got floats.")
    return result


@exercise(
    _links_cases,
    extract=_integer_pairs,
    hints=[
        (
            "Row 0 belongs to the first step. The input of that step is `<start>`. "
            "What is its output?"
        ),
        (
            "Throughout this book, row t belongs to the step that generates character "
            "t. The last step generates `<end>`."
        ),
    ],
)
def links(weights, target):
    """{(t, s)}: at the step of character t, position s had the largest weight.

    weights: (len(target) + 1, source_len), one row per step: the steps generate the
    characters of target and then <end>. target: a list of characters, which may be
    empty. Hyphens get no link; every other character does, spaces and punctuation too.
    Both numbers of a link are integers, counted from 0.
    """
    result = set()
    for step, token in enumerate([*target, "<end>"]):
        if token not in ("<end>", "-"):
            result.add((step, int(weights[step].argmax())))
    return result


@links.starter_code("Each character is linked to the source position of the next one.")
def links(weights, target):
    """{(t, s)}: character t of the target belongs to character s of the source."""
    result = set()
    for step, token in enumerate(["<start>", *target]):
        if token not in ("<start>", "-"):
            result.add((step - 1, int(weights[step].argmax())))
    return result


def _links(weights, target, row, name):
    return {
        (name(t), int(weights[row(t)].argmax()))
        for t, token in enumerate(target)
        if token != "-"
    }


@links.known_mistake(
    "The rows of the weights are right now, but you count the characters from 1."
)
def links_from_one(weights, target):
    return _links(weights, target, lambda t: t, lambda t: t + 1)


@links.known_mistake(
    "You count the steps from 1: the rows are those of the next characters, and the "
    "characters are counted from 1 as well."
)
def links_rows_and_characters_from_one(weights, target):
    return _links(weights, target, lambda t: t + 1, lambda t: t + 1)


@links.known_mistake(
    "You count from 1. Both the characters and the source positions count from 0."
)
def links_both_from_one(weights, target):
    return {(t + 1, s + 1) for t, s in links.reference_solution(weights, target)}


@links.known_mistake(
    "You number the characters without the hyphens. A hyphen gets no link, but it has "
    "a position in the target."
)
def links_numbered_without_hyphens(weights, target):
    found = sorted(links.reference_solution(weights, target))
    return {(number, s) for number, (_, s) in enumerate(found)}


@links.known_mistake(
    "You drop the hyphens before you count, so the rows after a hyphen are those of "
    "other characters."
)
def links_of_rows_without_hyphens(weights, target):
    kept = [character for character in target if character != "-"]
    return {(t, int(weights[t].argmax())) for t in range(len(kept))}


ONLY_THE_HYPHEN = (
    "Only the hyphen is left out. Spaces, punctuation, and letters get links, too."
)


@links.known_mistake(ONLY_THE_HYPHEN)
def links_without_spaces(weights, target):
    return {
        (t, s)
        for t, s in links.reference_solution(weights, target)
        if not target[t].isspace()
    }


@links.known_mistake(ONLY_THE_HYPHEN)
def links_of_digits(weights, target):
    return {
        (t, s)
        for t, s in links.reference_solution(weights, target)
        if target[t].isdigit()
    }


@links.known_mistake(ONLY_THE_HYPHEN)
def links_of_letters_and_digits(weights, target):
    return {
        (t, s)
        for t, s in links.reference_solution(weights, target)
        if target[t].isalnum()
    }


@links.known_mistake(
    "You shifted the source too. The source positions were already right."
)
def links_source_shifted(weights, target):
    return {(t, s - 1) for t, s in links.reference_solution(weights, target)}


@links.known_mistake(
    "You shifted the rows the other way: "
    "each character is linked to the source position of the one before it."
)
def links_other_way(weights, target):
    return _links(weights, target, lambda t: t - 1, lambda t: t)


@links.known_mistake("The rows are right, but hyphens have links again.")
def links_with_hyphens(weights, target):
    return {(t, int(weights[t].argmax())) for t in range(len(target))}


@links.known_mistake("The end token has a link too, but it is not a character.")
def links_with_end(weights, target):
    return links.reference_solution(weights, target) | {
        (len(target), int(weights[len(target)].argmax()))
    }


@links.known_mistake("Your links are swapped: a link is (target, source).")
def links_swapped(weights, target):
    return {(s, t) for t, s in links.reference_solution(weights, target)}


@links.known_mistake(
    "A hyphen hides its neighbor now: "
    "you test the input of the step instead of its output."
)
def links_hyphen_before(weights, target):
    read = ["<start>", *target]
    return {(t, int(weights[t].argmax())) for t in range(len(target)) if read[t] != "-"}
