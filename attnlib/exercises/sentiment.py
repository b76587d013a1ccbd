"""Exercises of chapter 04, "Attention pooling for sentiment". ``AttentionLayer``, a
Keras layer, is loaded on first use.
"""

import numpy as np

from attnlib import reference as ref
from attnlib.checking import sandbox
from attnlib.checking.exercise import exercise
from attnlib.exercises import psychology
from attnlib.exercises._demands import five_masks, in_float32
from attnlib.exercises._mistakes import (
    ADDED,
    COUNTED_FROM_THE_FRONT,
    WRONG_CONTEXTS,
    add_mask_from_the_front,
    add_softmax_mistakes,
)
from attnlib.exercises._shared import passing_parts


def __getattr__(name):
    if name == "AttentionLayer":
        try:
            from attnlib.exercises.sentiment_keras import AttentionLayer
        except ImportError as error:
            raise ImportError(
                f"AttentionLayer is an exercise in Keras and needs TensorFlow ({error})"
            ) from None
        return AttentionLayer
    raise AttributeError(f"module {__name__} has no exercise {name}")


def __dir__():
    return [*globals(), "AttentionLayer"]


def _pooling_weights(rng, dim, units):
    return rng.normal(size=(dim, units)), rng.normal(size=units), rng.normal(size=units)


def _exact_pooling(hidden, mask, size):
    """Arguments whose scores are whole numbers, ``size`` times the first hidden unit
    plus the second: a unit is exactly -1, 0, or 1, because its sum is -30, 0, or 30.
    """
    values = 30.0 * np.array(hidden)  # (batch, source_len, 2)
    v = np.array([size, 1.0])
    return values, np.eye(2), np.zeros(2), v, np.array(mask, bool)


def _pooling_cases(rng):
    two_words = np.array([[[0.0], [1.0]]])
    one_wide = np.eye(1), np.zeros(1), np.array([2.0])
    yield "one sentence of two words, all dimensions 1", (two_words, *one_wide)
    yield (
        "two words and one padded position, b = 0.5",
        (
            np.array([[[0.0], [1.0], [3.0]]]),
            np.eye(1),
            np.array([0.5]),
            np.array([2.0]),
            np.array([[True, True, False]]),
        ),
    )
    both = np.array([[True] * 3, [False] * 3])
    values = rng.normal(size=(2, 3, 2))
    yield (
        "a sentence without words, beside a full one",
        (values, *_pooling_weights(rng, 2, 2), both),
    )
    masks = np.vstack([np.ones((1, 5), bool), five_masks(5)])
    values = rng.normal(size=(6, 5, 4))
    weights = _pooling_weights(rng, 4, 3)
    yield "six sentences without padding", (values, *weights)
    yield "masks of every kind", (values, *weights, masks)
    mask = np.array([[True, False, True], [True, True, True], [False, True, True]])
    values = rng.normal(size=(3, 3, 3))
    yield "every size is 3", (values, *_pooling_weights(rng, 3, 3), mask)
    yield "one word", (rng.normal(size=(1, 1, 3)), *_pooling_weights(rng, 3, 2))
    yield from _pooling_cases_of_numbers(rng, both)


def _pooling_cases_of_numbers(rng, both):
    """Cases of large, whole, and single-precision numbers; both: masks (2, 3)."""
    high, low = [[1, 0], [1, 1], [1, -1]], [[-1, 0], [-1, 1], [-1, -1]]
    spanning = [[-1, 0], [1, 1], [0, 1]]
    mask = [[1, 1, 0], [1, 1, 1], [1, 1, 1]]
    yield "scores of 1000", _exact_pooling([high, low, spanning], mask, 1000.0)
    hidden = [[*low, [1, 0]], [*low, [-1, 0]]]
    yield (
        "scores of -20,000, and padding",
        _exact_pooling(hidden, [[1, 1, 1, 0]] * 2, 20_000.0),
    )
    shapes = [(5, 4, 3), (3, 2), (2,), (2,)]
    whole = [rng.integers(-2, 3, shape).astype(float) for shape in shapes]
    yield "whole numbers", (*whole, five_masks(4))
    values, weights = rng.normal(size=(2, 3, 5)), _pooling_weights(rng, 5, 4)
    yield "float32", in_float32((values, *weights, both))


@exercise(
    _pooling_cases,
    hints=[
        (
            "Each word has one score: `np.tanh(values @ w + b) @ v` has the shape "
            "(batch, source_len). There is no query among the arguments, because v "
            "plays that role."
        ),
        (
            "`ref.softmax(scores, mask)` gives weight 0 to padding, and zeros to a "
            "sentence without words. The context is the sum of the words of a "
            "sentence, each multiplied by its weight: `np.einsum` can do both with "
            '`"bs,bsd->bd"`.'
        ),
    ],
    returns=("context", "weights"),
    batch=("values", "mask"),
)
def attention_pooling(values, w, b, v, mask=None):
    """One vector per sentence: sum_s alpha_s h_s, alpha = softmax(v . tanh(h_s w + b)).

    values: (batch, source_len, dim). w: (dim, units). b, v: (units,).
    mask: (batch, source_len), True = a real word; None means all are.
    Returns context (batch, dim) and weights (batch, source_len). A padded position,
    which holds ordinary numbers, gets weight 0. A sentence without words gets zero
    weights and a zero context. Scores of 1000 must not overflow.
    """
    scores = np.tanh(values @ w + b) @ v  # (batch, source_len)
    weights = ref.softmax(scores, mask)
    return np.einsum("bs,bsd->bd", weights, values), weights


add_softmax_mistakes(
    attention_pooling,
    leave_out=[ADDED],  # no score of this exercise is as large as that
    other_axes=[
        (
            0,
            "Your weights sum to one over the batch. They should sum to one over the "
            "words of a sentence, so take the softmax over the last axis.",
        ),
        (
            (-2, -1),
            "Your weights sum to one over the whole batch. Each sentence needs its own "
            "softmax.",
        ),
    ],
)
add_mask_from_the_front(attention_pooling)


def _pooled(weights, values):
    return np.einsum("bs,bsd->bd", weights, values), weights


for _message, _context in WRONG_CONTEXTS:

    @attention_pooling.known_mistake(_message)
    def pooling_with_another_context(values, w, b, v, mask=None, context=_context):
        weights = ref.softmax(np.tanh(values @ w + b) @ v, mask)
        return context(weights, values), weights


@attention_pooling.known_mistake(
    "You multiply the values by the mask. A padded position then has a score too, and "
    "gets weight. Leave it out of the softmax."
)
def pooling_with_zeroed_padding(values, w, b, v, mask=None):
    if mask is not None:
        values = values * mask[:, :, None]
    return attention_pooling.reference_solution(values, w, b, v)


@attention_pooling.known_mistake(
    "You multiply the values by the mask. A padded position then has a score too, and "
    "gets weight. Leave it out of the softmax."
)
def pooling_with_zeroed_padding_in_the_scores(values, w, b, v, mask=None):
    zeroed = values if mask is None else values * mask[:, :, None]
    return _pooled(ref.softmax(np.tanh(zeroed @ w + b) @ v), values)


@attention_pooling.known_mistake(
    "tanh is missing. "
    "Without it, b adds the same number to every score and has no effect."
)
def pooling_without_tanh(values, w, b, v, mask=None):
    return _pooled(ref.softmax((values @ w + b) @ v, mask), values)


@attention_pooling.known_mistake(
    "You take tanh after the product with v. It belongs before: v multiplies the "
    "hidden units."
)
def pooling_with_tanh_last(values, w, b, v, mask=None):
    return _pooled(ref.softmax(np.tanh((values @ w + b) @ v), mask), values)


@attention_pooling.known_mistake("b is missing inside the tanh.")
def pooling_without_bias(values, w, b, v, mask=None):
    return attention_pooling.reference_solution(values, w, 0 * b, v, mask)


@attention_pooling.known_mistake("b is missing inside the tanh.")
def pooling_with_bias_outside(values, w, b, v, mask=None):
    return _pooled(ref.softmax((np.tanh(values @ w) + b) @ v, mask), values)


@attention_pooling.known_mistake(
    "v is missing. You add up the hidden units, but each should first be multiplied by "
    "its element of v."
)
def pooling_without_v(values, w, b, v, mask=None):
    return _pooled(ref.softmax(np.tanh(values @ w + b).sum(axis=-1), mask), values)


@attention_pooling.known_mistake(
    "You take the mean of the weighted words. "
    "The weights already sum to one, so add them up."
)
def pooling_mean(values, w, b, v, mask=None):
    context, weights = attention_pooling.reference_solution(values, w, b, v, mask)
    return context / values.shape[1], weights


@attention_pooling.known_mistake(
    "Your context is the plain mean of the words. Each should count by its weight."
)
def pooling_plain_mean(values, w, b, v, mask=None):
    _, weights = attention_pooling.reference_solution(values, w, b, v, mask)
    equal = attention_pooling.reference_solution(values, w, b, 0 * v, mask)
    return equal[0], weights


@attention_pooling.known_mistake(
    "You return the scores. The weights are their softmax."
)
def pooling_scores_returned(values, w, b, v, mask=None):
    context, _ = attention_pooling.reference_solution(values, w, b, v, mask)
    return context, np.tanh(values @ w + b) @ v


@attention_pooling.known_mistake(
    "You return the two in the wrong order. Return the context first, then the weights."
)
def pooling_swapped(values, w, b, v, mask=None):
    return attention_pooling.reference_solution(values, w, b, v, mask)[::-1]


def _bug_cases(rng):
    yield (
        "words 1 and 3, and two padded positions",
        (np.array([[[1.0], [3.0], [9.0], [9.0]]]), np.arange(4)[None] < 2),
    )
    yield (
        "padding first, and a word of zeros",
        (np.array([[[9.0], [0.0], [4.0], [-1.0]]]), np.arange(4)[None] > 0),
    )
    values, masks = rng.normal(size=(6, 5, 4)), np.ones((6, 5), bool)
    masks[1:] = five_masks(5)
    yield (
        "a sentence without words, beside a full one",
        (rng.normal(size=(2, 3, 2)), np.array([[True] * 3, [False] * 3])),
    )
    yield "masks of every kind", (values, masks)
    spoiled = values.copy()
    spoiled[~masks] = np.resize([np.nan, np.inf, 1e10, -np.inf], ((~masks).sum(), 1))
    yield "NaN and inf at padding", (spoiled, masks)
    words = rng.integers(-2, 3, (5, 4, 6)).astype(float)
    words[:, :3] *= np.arange(3)[:, None]  # the first word of each is zeros
    yield "whole numbers, some of them 0", (words, five_masks(4))
    mask = np.array([[True, False, True], [True, True, True], [False, True, True]])
    yield "every size is 3", (rng.normal(size=(3, 3, 3)), mask)
    yield "one word", (np.array([[[5.0, -2.0]]]), np.array([[True]]))
    yield "float32", in_float32((values, masks))


@exercise(
    _bug_cases,
    hints=[
        (
            "A mean is a sum divided by a count, and in `values.mean(axis=1)` both "
            "include the padding."
        ),
        (
            "`np.where(mask[:, :, None], values, 0)` replaces the padding by zeros. "
            "(Multiplying by the mask is not enough, because NaN times 0 is NaN.) "
            "Divide by the number of real words in each sentence, or by 1 if there "
            "are none."
        ),
    ],
    batch=("values", "mask"),
)
def padding_bug(values, mask):
    """The mean of each sentence's real words.

    values: (batch, source_len, dim). mask: (batch, source_len), True = a real word,
    wherever it stands. A padded position may hold anything, even infinity or NaN.
    Returns (batch, dim); zeros for a sentence without words.
    """
    total = np.where(mask[:, :, None], values, 0).sum(axis=1)  # (batch, dim)
    return total / np.maximum(mask.sum(axis=1), 1)[:, None]


def _real(values, mask):
    return np.where(mask[:, :, None], values, 0)


def _means_of(sums, counts):
    return sums / np.maximum(counts, 1)[:, None]


@padding_bug.starter_code(
    "The same sentence gets another mean when its batch holds a longer one."
)
def padding_bug(values, mask):
    """The mean of each sentence's real words: (batch, dim)."""
    return values.mean(axis=1)


@padding_bug.known_mistake(
    "Padding is out of the sum but still counted, "
    "so the means of short sentences are too small."
)
def bug_half_fixed(values, mask):
    return (values * mask[:, :, None]).mean(axis=1)


@padding_bug.known_mistake(
    "Padding is out of the sum but still counted, "
    "so the means of short sentences are too small."
)
def bug_half_fixed_by_where(values, mask):
    return _real(values, mask).mean(axis=1)


@padding_bug.known_mistake("Padding is out of the count but still in the sum.")
def bug_other_half_fixed(values, mask):
    return _means_of(values.sum(axis=1), mask.sum(axis=1))


@padding_bug.known_mistake("Padding is out of the count but still in the sum.")
def bug_other_half_fixed_with_nan(values, mask):
    return values.sum(axis=1) / mask.sum(axis=1)[:, None]


@padding_bug.known_mistake(
    "You multiply by the mask. Where padding holds NaN or infinity, NaN remains: "
    "NaN times 0 is NaN. Use np.where."
)
def bug_multiplied(values, mask):
    return _means_of((values * mask[:, :, None]).sum(axis=1), mask.sum(axis=1))


@padding_bug.known_mistake(
    "You multiply by the mask. Where padding holds NaN or infinity, NaN remains: "
    "NaN times 0 is NaN. Use np.where."
)
def bug_multiplied_by_einsum(values, mask):
    total = np.einsum("bs,bsd->bd", mask.astype(values.dtype), values)
    return _means_of(total, mask.sum(axis=1))


@padding_bug.known_mistake(
    "A sentence without words gives 0 / 0. It should give zeros."
)
def bug_nan(values, mask):
    return _real(values, mask).sum(axis=1) / mask.sum(axis=1)[:, None]


@padding_bug.known_mistake(
    "A sentence without words gives 0 / 0. It should give zeros."
)
def bug_nan_multiplied(values, mask):
    return (values * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1)[:, None]


@padding_bug.known_mistake(
    "Your mask lines up with the wrong axes. Give it an axis of length 1 for the "
    "dimension, mask[:, :, None]."
)
def bug_mask_without_axis(values, mask):
    return _means_of(np.where(mask, values, 0).sum(axis=1), mask.sum(axis=1))


@padding_bug.known_mistake(
    "values[mask] puts the words of all sentences into one list. Each sentence needs "
    "its own mean."
)
def bug_words_of_all_sentences(values, mask):
    return values[mask].mean(axis=0)


@padding_bug.known_mistake(
    "Your numbers of words line up with the wrong axis. Give them an axis of length 1 "
    "for the dimension: [:, None]."
)
def bug_counts_without_axis(values, mask):
    return _real(values, mask).sum(axis=1) / np.maximum(mask.sum(axis=1), 1)


@padding_bug.known_mistake(
    "You divide by the number of words in the whole batch. "
    "Each sentence needs its own count."
)
def bug_count_of_batch(values, mask):
    return _real(values, mask).sum(axis=1) / mask.sum()


@padding_bug.known_mistake(
    "This is the sum of the words. Their mean is the sum over their number."
)
def bug_sum(values, mask):
    return _real(values, mask).sum(axis=1)


@padding_bug.known_mistake(
    "You take a word of zeros for padding. The mask says what is a word."
)
def bug_zeros_not_counted(values, mask):
    real = _real(values, mask)
    return _means_of(real.sum(axis=1), (real != 0).any(axis=2).sum(axis=1))


@padding_bug.known_mistake(
    "You take a word of zeros for padding. The mask says what is a word."
)
def bug_zero_numbers_not_counted(values, mask):
    real = _real(values, mask)
    return real.sum(axis=1) / np.maximum((real != 0).sum(axis=1), 1)


@padding_bug.known_mistake("Your mask is inverted: True means a real word.")
def bug_mask_inverted(values, mask):
    return padding_bug.reference_solution(values, ~mask)


@padding_bug.known_mistake(
    "You divide by one more than the number of words, so that it is never 0. The means "
    "of the other sentences are too small then."
)
def bug_one_more(values, mask):
    return _real(values, mask).sum(axis=1) / (mask.sum(axis=1) + 1)[:, None]


add_mask_from_the_front(padding_bug)


@padding_bug.known_mistake(COUNTED_FROM_THE_FRONT)
def bug_counted_from_the_front(values, mask):
    both = zip(values, mask.sum(axis=1), strict=True)
    return np.stack([v[:n].mean(axis=0) if n else 0.0 * v[0] for v, n in both])


def _reader(worth):
    """A ``logit(words)`` that reads from left to right and half forgets what it has
    read, so that the position of each word matters, and so does each repetition.
    """

    def logit(words):
        words = words.tolist() if isinstance(words, np.ndarray) else words
        if not isinstance(words, (list, tuple)):
            raise sandbox.CheckFailed(
                "You called logit with something else than a list of words: "
                f"{str(words)[:60]!r}."
            )
        state = 0.0
        for word in words:
            state = state / 2 + worth.get(word, 0.25)
        return state + 0.75  # a constant, as the bias of a model

    return logit


def _deletion_cases(rng):
    logit = _reader({"good": 2.0, "bad": -3.0, "very": 0.5, "not": -1.0})
    yield (
        "the largest weight is on the second word",
        (logit, ["a", "good", "film"], np.array([0.1, 0.7, 0.2])),
    )
    yield (
        "the logit rises",
        (logit, ["so", "bad", "it", "is"], np.array([0.2, 0.5, 0.2, 0.1])),
    )
    yield (
        "a word that occurs twice",
        (logit, ["good", "bad", "good"], np.array([0.2, 0.3, 0.5])),
    )
    yield (
        "a word that occurs twice, the first of them",
        (logit, ["good", "not", "good", "bad"], np.array([0.4, 0.1, 0.3, 0.2])),
    )
    yield "one word", (logit, ["bad"], np.array([1.0]))
    close = np.array([0.32, 0.34, 0.34 - 2**-10])
    yield "two weights close together", (logit, ["very", "good", "bad"], close)
    yield "the first word", (logit, ["not", "good"], np.array([0.6, 0.4]))
    yield "the last word", (logit, ["!", "bad", "!"], np.array([0.1, 0.3, 0.6]))
    words = ["not", "a", "good", "film", "at", "all"]
    yield (
        "the weight is on a word that is worth little",
        (logit, words, np.array([0.1, 0.05, 0.2, 0.5, 0.1, 0.05])),
    )
    words = [str(word) for word in rng.choice(["good", "bad", "very", "so"], 40)]
    yield "forty words, float32", (logit, words, in_float32([rng.random(40)])[0])
    yield (
        "weights of 0 and 1",
        (logit, ["very", "good", "."], np.array([0.0, 1.0, 0.0])),
    )


@exercise(
    _deletion_cases,
    hints=[
        "`np.argmax(weights)` is the position of the word with the largest weight.",
        (
            "Build a new list from the words before that position and the words after "
            "it: `words[:position] + words[position + 1 :]`. It must be the position "
            "that is left out, because the same word may occur elsewhere, too."
        ),
    ],
)
def deletion_test(logit, words, weights):
    """How far the logit falls when the word with the largest weight is deleted.

    logit: function of a list of words -> float, which depends on their order. It also
    takes the empty list. words: list of one or more str; one may occur several times.
    weights: (len(words),), of which one is the largest.
    Returns logit(all words) - logit(the others, in their order). It keeps its sign: it
    is negative where the logit rises.
    """
    position = int(np.argmax(weights))
    return logit(words) - logit(words[:position] + words[position + 1 :])


def _rest(words, weights):
    position = int(np.argmax(weights))
    return words[:position] + words[position + 1 :]


@deletion_test.known_mistake(
    "Your sign is inverted. Return the logit before minus the logit after."
)
def deletion_sign_inverted(logit, words, weights):
    return logit(_rest(words, weights)) - logit(words)


@deletion_test.known_mistake(
    "You return how far the logit moves. Keep the sign, which says whether it falls or "
    "rises."
)
def deletion_without_sign(logit, words, weights):
    return abs(logit(words) - logit(_rest(words, weights)))


@deletion_test.known_mistake(
    "You return the fall as a share of the logit. Return the difference itself."
)
def deletion_as_a_share(logit, words, weights):
    return (logit(words) - logit(_rest(words, weights))) / logit(words)


@deletion_test.known_mistake(
    "You delete the word with the smallest weight. Delete the one with the largest."
)
def deletion_of_the_least(logit, words, weights):
    return deletion_test.reference_solution(logit, words, -np.asarray(weights))


_A_WORD = (
    "A word that occurs twice is deleted twice, or at the wrong position. "
    "Delete a position, not a word."
)


@deletion_test.known_mistake(_A_WORD)
def deletion_of_the_word(logit, words, weights):
    word = words[int(np.argmax(weights))]
    return logit(words) - logit([other for other in words if other != word])


@deletion_test.known_mistake(_A_WORD)
def deletion_of_the_first_such_word(logit, words, weights):
    rest = list(words)
    rest.remove(words[int(np.argmax(weights))])
    return logit(words) - logit(rest)


@deletion_test.known_mistake(
    "You replace the word by another one. Delete it, so that the list becomes one "
    "word shorter."
)
def deletion_by_an_unknown_word(logit, words, weights):
    position = int(np.argmax(weights))
    replaced = [*words[:position], "<unk>", *words[position + 1 :]]
    return logit(words) - logit(replaced)


@deletion_test.known_mistake(
    "Your other words are no longer in their order. logit depends on it."
)
def deletion_sorted_by_weight(logit, words, weights):
    order = np.argsort(-np.asarray(weights), kind="stable")
    return logit(words) - logit([words[i] for i in order[1:]])


@deletion_test.known_mistake(
    "Your other words are no longer in their order. logit depends on it."
)
def deletion_sorted_upward(logit, words, weights):
    order = np.argsort(np.asarray(weights), kind="stable")
    return logit(words) - logit([words[i] for i in order[:-1]])


@deletion_test.known_mistake(
    "Your other words are no longer in their order. logit depends on it."
)
def deletion_through_a_set(logit, words, weights):
    return logit(words) - logit(sorted(_rest(words, weights)))


@deletion_test.known_mistake(
    "You delete the word after that one. The word at position i is words[i]."
)
def deletion_one_later(logit, words, weights):
    position = int(np.argmax(weights)) + 1
    return logit(words) - logit(words[:position] + words[position + 1 :])


@deletion_test.known_mistake(
    "You delete that word and everything after it. Only that word should go."
)
def deletion_of_the_end(logit, words, weights):
    return logit(words) - logit(words[: int(np.argmax(weights))])


@deletion_test.known_mistake("You keep only that word. Delete it and keep the others.")
def deletion_of_all_others(logit, words, weights):
    return logit(words) - logit([words[int(np.argmax(weights))]])


@deletion_test.known_mistake("You keep only that word. Delete it and keep the others.")
def deletion_of_all_others_alone(logit, words, weights):
    return logit([words[int(np.argmax(weights))]])


@deletion_test.known_mistake(
    "This is the logit without the word. Return by how much the logit falls."
)
def deletion_without_difference(logit, words, weights):
    return logit(_rest(words, weights))


_SHAPES_OF_POOLING = (
    "attention_pooling(values, w, b, v) should get the states of one sentence, "
    "(1, source_len, dim), and then the model's w, b, and v."
)


def _checked_pooling(values, w, b, v, mask=None):
    """The solution of attention_pooling; it says what is wrong with its arguments."""
    shapes = [np.shape(each) for each in (values, w, b, v)]
    if [len(shape) for shape in shapes] != [3, 2, 1, 1]:
        raise sandbox.CheckFailed(_SHAPES_OF_POOLING)
    if shapes[0][-1] != shapes[1][0] or not shapes[1][1:] == shapes[2] == shapes[3]:
        raise sandbox.CheckFailed(_SHAPES_OF_POOLING)
    return attention_pooling.reference_solution(values, w, b, v, mask)


_checked_pooling.__name__ = "attention_pooling"  # a message shows it


class PoolingModel:
    """Random parameters of a small classifier, with the methods of the shipped one."""

    def __init__(self, rng, vocabulary, embedding_dim, units, hidden):
        self._table = rng.normal(size=(vocabulary, embedding_dim))
        self._kernels = rng.normal(size=(2, embedding_dim, units))
        self.w = 2 * rng.normal(size=(2 * units, hidden))
        self.b = rng.normal(size=hidden)
        self.v = 2 * rng.normal(size=hidden)
        self._output = 2 * rng.normal(size=2 * units), rng.normal()

    def embed(self, token_ids):
        return self._table[np.asarray(token_ids, int)][None]

    def read(self, embedded):
        embedded = np.asarray(embedded)
        size = self._table.shape[1]
        if embedded.ndim != 3 or embedded.shape[-1] != size:
            raise sandbox.CheckFailed(
                "model.read(embedded) should get what model.embed returns, "
                f"(1, source_len, {size}), got an array of shape {embedded.shape}."
            )
        forward = self._states(embedded @ self._kernels[0])
        backward = self._states((embedded @ self._kernels[1])[:, ::-1])[:, ::-1]
        return np.concatenate([forward, backward], axis=-1)

    @staticmethod
    def _states(inputs):
        states = np.zeros_like(inputs)  # (1, source_len, units)
        for s in range(inputs.shape[1]):
            before = states[:, s - 1] if s else 0.0
            states[:, s] = np.tanh(inputs[:, s] + before / 2)
        return states

    def logit(self, context):
        context, size = np.asarray(context), len(self.w)
        if context.shape != (1, size):
            raise sandbox.CheckFailed(
                "model.logit(context) should get the context that attention_pooling "
                f"returns, (1, {size}), got an array of shape {context.shape}."
            )
        return context @ self._output[0] + self._output[1]


def _classify_cases(rng):
    for title, token_ids, sizes in [
        ("three words", [2, 4, 3], (5, 2, 2, 3)),
        ("one word", [3], (5, 3, 2, 2)),
        ("a word that occurs twice", [4, 2, 4, 3], (6, 2, 3, 2)),
        ("the same words in another order", [2, 4, 3, 4], (6, 2, 3, 2)),
        (
            "embeddings and states of one width, and an unknown word",
            [5, 1, 2, 1],
            (6, 4, 2, 4),
        ),
        ("a longer sentence", [7, 3, 1, 8, 5, 4, 7, 2], (9, 4, 3, 5)),
    ]:
        yield title, (PoolingModel(rng, *sizes), token_ids, _checked_pooling)


@exercise(
    _classify_cases,
    hints=[
        (
            "Four steps: token IDs to embeddings, embeddings to states, states to a "
            "context, context to a logit. The model has a method for all of them but "
            "the third, which is yours."
        ),
        (
            "`attention_pooling(states, model.w, model.b, model.v)` returns the "
            "context (1, dim) and the weights (1, source_len). "
            "`model.logit(context)` has the shape (1,). The probability is "
            "`1 / (1 + np.exp(-logit))`. Take both results of the only sentence, at "
            "position 0."
        ),
    ],
    returns=("probability", "weights"),
)
def classify_sentence(model, token_ids, attention_pooling):
    """Classify one sentence: the probability of "positive", and the weights.

    model: model.embed(token_ids) gives the embeddings (1, source_len, embedding_dim),
    model.read(embeddings) the states (1, source_len, dim), and model.logit(context)
    the logit (1,) of a context (1, dim). model.w, model.b, and model.v are what
    attention_pooling takes. token_ids: list of one or more ints. Nothing is padded.
    Returns the probability, a float between 0 and 1, and the weights (source_len,).
    """
    states = model.read(model.embed(token_ids))  # (1, source_len, dim)
    context, weights = attention_pooling(states, model.w, model.b, model.v)
    logit = model.logit(context)[0]
    return float(1 / (1 + np.exp(-logit))), weights[0]


def _classified(states=None, context=None, probability=None, weights=None, result=None):
    """The solution, with another function in the place of one of its parts."""

    def mistake(model, token_ids, attention_pooling):
        embedded = model.embed(token_ids)
        read = model.read(embedded)
        read = states(read, model, token_ids) if states else read
        pooled, alpha = attention_pooling(read, model.w, model.b, model.v)
        pooled = context(pooled, read, alpha) if context else pooled
        logit = model.logit(pooled)[0]
        share = probability or (lambda logit: float(1 / (1 + np.exp(-logit))))
        alpha = weights(alpha, read) if weights else alpha[0]
        both = share(logit), alpha
        return result(*both) if result else both

    return mistake


_RETURNS_LOGIT = (
    "You return the logit. The probability is its sigmoid, 1 / (1 + exp(-logit))."
)
for _message, _mistake in [
    (_RETURNS_LOGIT, _classified(probability=float)),
    (
        'This is the probability of "negative". Check the sign in the exponent: the '
        "sigmoid is 1 / (1 + exp(-logit)).",
        _classified(probability=lambda logit: float(1 / (1 + np.exp(logit)))),
    ),
    (
        "You return a class, 0 or 1. Return the probability itself.",
        _classified(probability=lambda logit: float(logit > 0)),
    ),
    (
        "You take the exponential of the logit. The probability is the sigmoid, "
        "1 / (1 + exp(-logit)).",
        _classified(probability=lambda logit: float(np.exp(logit))),
    ),
    (
        "A softmax over a single logit is always 1. Take the sigmoid, "
        "1 / (1 + exp(-logit)).",
        _classified(probability=lambda logit: 1.0),
    ),
    (
        "You take tanh of the logit, which lies between -1 and 1. The probability is "
        "the sigmoid, 1 / (1 + exp(-logit)).",
        _classified(probability=lambda logit: float(np.tanh(logit))),
    ),
    (
        "Your second result is the context. Return the weights.",
        _classified(weights=lambda alpha, read: (alpha @ read[0])[0]),
    ),
    (
        "You return the two in the wrong order. Return the probability first.",
        _classified(result=lambda share, alpha: (alpha, share)),
    ),
    (
        "The logit is that of the plain mean of the states. Use the context that "
        "attention_pooling returns.",
        _classified(context=lambda pooled, read, alpha: read.mean(axis=1)),
    ),
    (
        "The logit is that of the last state. Use the context that attention_pooling "
        "returns.",
        _classified(context=lambda pooled, read, alpha: read[:, -1]),
    ),
    (
        "The words are read in reverse. Pass the token IDs in the order in which you "
        "got them.",
        _classified(states=lambda read, model, ids: model.read(model.embed(ids[::-1]))),
    ),
]:
    classify_sentence.known_mistake(_message)(_mistake)


def _agreement_cases(rng):
    worth = {"good": 2.0, "bad": -3.0, "very": 0.5, "not": -1.0}
    logit = _reader(worth)
    film, poor = ["a", "good", "film"], ["so", "bad", "it", "is"]
    yield (
        "both sentences agree",
        (
            logit,
            [film, poor],
            [np.array([0.1, 0.7, 0.2]), np.array([0.1, 0.6, 0.2, 0.1])],
        ),
    )
    yield (
        "one of two agrees",
        (
            logit,
            [film, poor],
            [np.array([0.1, 0.7, 0.2]), np.array([0.1, 0.2, 0.6, 0.1])],
        ),
    )
    yield (
        "one sentence that does not agree",
        (logit, [poor], [np.array([4.0, 1, 2, 3])]),
    )
    yield "one word", (logit, [["bad"], ["good"]], [np.array([1.0]), np.array([0.5])])
    twice = [["good", "very", "good"], ["bad", "good", "bad", "a"]]
    yield (
        "words that occur twice",
        (logit, twice, [np.array([0.5, 0.1, 0.4]), np.array([0.2, 0.1, 0.6, 0.1])]),
    )
    signs = [["good", "bad"], ["bad", "not", "good"], ["not", "very"]]
    yield (
        "some logits rise and some fall",
        (
            logit,
            signs,
            [np.array([0.3, 0.7]), np.array([0.3, 0.1, 0.6]), np.array([2.0, 1])],
        ),
    )
    yield from _agreement_cases_of_many(rng, logit)


def _agreement_cases_of_many(rng, logit):
    """Twelve random sentences, in double and single precision."""
    sentences = [
        [str(word) for word in rng.choice(["good", "bad", "very", "so", "not"], size)]
        for size in rng.integers(2, 9, 12)
    ]
    weights = [rng.random(len(words)) for words in sentences]
    yield "twelve sentences", (logit, sentences, weights)
    yield "float32", (logit, sentences, list(in_float32(weights)))


@exercise(
    _agreement_cases,
    hints=[
        (
            "For one sentence, delete each position in turn and note how far the logit "
            "moves, up or down: `abs(logit(words) - logit(rest))`. `np.argmax` finds "
            "the position where it moves furthest."
        ),
        (
            "Compare that position with `np.argmax` of the sentence's scores. "
            "`np.mean` of a list of True and False is the share of True."
        ),
    ],
)
def agreement_with_deletion(logit, sentences, scores):
    """How often the highest score is on the word whose deletion moves the logit most.

    logit: function of a list of words -> float, which depends on their order. It also
    takes the empty list. sentences: list of one or more lists of words. scores: for
    each sentence an array (words,), none negative, of which one is the largest.
    For each sentence, delete every word in turn, one position at a time. The word whose
    deletion moves the logit furthest, up or down, should be the one with the largest
    score. Returns the share of sentences in which it is, a float from 0 to 1.
    """
    agree = []
    for words, values in zip(sentences, scores, strict=True):
        rests = [words[:i] + words[i + 1 :] for i in range(len(words))]
        moved = [abs(logit(words) - logit(rest)) for rest in rests]
        agree.append(np.argmax(moved) == np.argmax(values))
    return float(np.mean(agree))


def _agreeing(rest=None, moved=None, best=np.argmax, share=np.mean):
    """The solution, with another function in the place of one of its parts."""

    def leave_out(words, i):
        return words[:i] + words[i + 1 :]

    def mistake(logit, sentences, scores):
        agree = []
        for words, values in zip(sentences, scores, strict=True):
            rests = [(rest or leave_out)(words, i) for i in range(len(words))]
            change = moved or (lambda before, after: abs(before - after))
            moves = [change(logit(words), logit(each)) for each in rests]
            agree.append(np.argmax(moves) == best(values))
        return float(share(agree))

    return mistake


for _message, _mistake in [
    (
        "You look for the largest fall. A deletion may also raise the logit, as that "
        'of a word that speaks for "negative" does: take the absolute value.',
        _agreeing(moved=lambda before, after: before - after),
    ),
    (
        "You look for the largest rise. A deletion may also lower the logit: take the "
        "absolute value.",
        _agreeing(moved=lambda before, after: after - before),
    ),
    (
        "A word that occurs twice is deleted twice. Delete one position at a time.",
        _agreeing(rest=lambda words, i: [word for word in words if word != words[i]]),
    ),
    (
        "You keep one word at a time and delete the others. Delete one word and keep "
        "the others.",
        _agreeing(rest=lambda words, i: [words[i]]),
    ),
    (
        "You replace the word by another one. Delete it, so that the list becomes one "
        "word shorter.",
        _agreeing(rest=lambda words, i: [*words[:i], "<unk>", *words[i + 1 :]]),
    ),
    (
        "You delete the word and everything after it. Only that word should go.",
        _agreeing(rest=lambda words, i: words[:i]),
    ),
    (
        "You take the word with the smallest score. Take the one with the largest.",
        _agreeing(best=np.argmin),
    ),
    (
        "You return the number of sentences. Divide it by how many there are.",
        _agreeing(share=np.sum),
    ),
    (
        "This is the share of sentences that do not agree.",
        _agreeing(share=lambda agree: 1 - np.mean(agree)),
    ),
]:
    agreement_with_deletion.known_mistake(_message)(_mistake)


def own_parts(namespace):
    """Those of your functions that pass their checks, for ``Classifier.load``.

    It prints for each part of a classifier whose function it will be.

    Parameters
    ----------
    namespace : dict
        The variables of the notebook: ``globals()``.

    Returns
    -------
    dict of str to function
        ``Classifier.load("reviews", **own_parts(globals()))`` makes a classifier of
        them. For a part that is missing, it takes the function of attnlib.
    """
    return passing_parts(
        namespace, (psychology.softmax, attention_pooling, classify_sentence)
    )
