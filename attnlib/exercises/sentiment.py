"""Exercises of chapter 04, "Attention pooling for sentiment". ``AttentionLayer``, a
Keras layer, is loaded on first use.
"""

import numpy as np

from attnlib import reference as ref
from attnlib.checking.exercise import exercise


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


def _pooling_cases(rng):
    yield (
        "one sentence of two words, all dimensions 1",
        (np.array([[[0.0], [1.0]]]), np.eye(1), np.zeros(1), np.array([2.0])),
    )
    values = rng.normal(size=(3, 5, 4))
    weights = rng.normal(size=(4, 6)), rng.normal(size=6), 3 * rng.normal(size=6)
    yield "three sentences without padding", (values, *weights)
    yield (
        "three sentences of 5, 1, and 3 words",
        (values, *weights, np.arange(5) < np.array([[5], [1], [3]])),
    )


@exercise(
    _pooling_cases,
    hints=[
        (
            "There is one score per word: `np.tanh(values @ w + b) @ v`, (batch, "
            "source_len). There is no query argument; v takes its role."
        ),
        (
            "`ref.softmax(scores, mask)` gives padding no weight. The context is a "
            "weighted sum over words: `np.einsum('bs,bsd->bd', weights, values)`."
        ),
    ],
    returns=("context", "weights"),
)
def attention_pooling(values, w, b, v, mask=None):
    """One vector per sentence: sum_s alpha_s h_s, alpha = softmax(v . tanh(h_s w + b)).

    values: (batch, source_len, dim). w: (dim, units). b, v: (units,).
    mask: (batch, source_len), True = a real word; None means all are.
    Returns context (batch, dim) and weights (batch, source_len).
    """
    scores = np.tanh(values @ w + b) @ v  # (batch, source_len)
    weights = ref.softmax(scores, mask)
    return np.einsum("bs,bsd->bd", weights, values), weights


def _pooled(weights, values):
    return np.einsum("bs,bsd->bd", weights, values), weights


@attention_pooling.known_mistake("Your function ignores the mask: padding gets weight.")
def pooling_without_mask(values, w, b, v, mask=None):
    return attention_pooling.reference_solution(values, w, b, v)


@attention_pooling.known_mistake(
    "You mask after the softmax, so the weights no longer sum to one. Mask before it."
)
def pooling_masked_after(values, w, b, v, mask=None):
    weights = ref.softmax(np.tanh(values @ w + b) @ v)
    return _pooled(weights if mask is None else weights * mask, values)


@attention_pooling.known_mistake(
    "tanh is missing. "
    "Without it, b adds the same number to every score and has no effect."
)
def pooling_without_tanh(values, w, b, v, mask=None):
    return _pooled(ref.softmax((values @ w + b) @ v, mask), values)


@attention_pooling.known_mistake("b is missing inside the tanh.")
def pooling_without_bias(values, w, b, v, mask=None):
    return attention_pooling.reference_solution(values, w, 0 * b, v, mask)


@attention_pooling.known_mistake(
    "You take the mean of the weighted words. "
    "The weights already sum to one, so add them up."
)
def pooling_mean(values, w, b, v, mask=None):
    context, weights = attention_pooling.reference_solution(values, w, b, v, mask)
    return context / values.shape[1], weights


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
        "three sentences",
        (rng.normal(size=(3, 6, 4)), np.arange(6) < np.array([[6], [1], [4]])),
    )
    yield (
        "a sentence without words",
        (rng.normal(size=(2, 3, 2)), np.array([[True] * 3, [False] * 3])),
    )


@exercise(
    _bug_cases,
    hints=[
        (
            "Two sums are wrong in `values.mean(axis=1)`: "
            "the numerator includes padding, and the denominator counts it."
        ),
        (
            "`(values * mask[:, :, None]).sum(axis=1)` adds up the real words only. "
            "Divide by their number, and by 1 where there are none."
        ),
    ],
)
def padding_bug(values, mask):
    """The mean of each sentence's real words; `values.mean(axis=1)` counts padding too.

    values: (batch, source_len, dim). mask: (batch, source_len), True = a real word.
    Returns (batch, dim); zeros for a sentence without words.
    """
    total = (values * mask[:, :, None]).sum(axis=1)  # (batch, dim)
    return total / np.maximum(mask.sum(axis=1), 1)[:, None]


@padding_bug.known_mistake(
    "The bug is still there: padding is in the sum and in the count."
)
def bug_left(values, mask):
    return values.mean(axis=1)


@padding_bug.known_mistake(
    "Padding is out of the sum but still counted, "
    "so the means of short sentences are too small."
)
def bug_half_fixed(values, mask):
    return (values * mask[:, :, None]).mean(axis=1)


@padding_bug.known_mistake("Padding is out of the count but still in the sum.")
def bug_other_half_fixed(values, mask):
    return values.sum(axis=1) / np.maximum(mask.sum(axis=1), 1)[:, None]


@padding_bug.known_mistake(
    "A sentence without words gives 0 / 0. It should give zeros."
)
def bug_nan(values, mask):
    with np.errstate(invalid="ignore"):
        return (values * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1)[:, None]


@padding_bug.known_mistake(
    "You divide by the number of words in the whole batch. "
    "Each sentence needs its own count."
)
def bug_count_of_batch(values, mask):
    return (values * mask[:, :, None]).sum(axis=1) / mask.sum()


def _sum_of_word_logits(word_logits):
    def logit(words):
        if not isinstance(words, list):
            raise TypeError(f"logit takes a list of words, got {words!r}")
        return float(
            sum(word_logits.get(word, 0.0) for word in words) + 0.1 * len(words) ** 2
        )

    return logit


def _deletion_cases(rng):
    logit = _sum_of_word_logits({"good": 2.0, "bad": -3.0, "very": 0.5})
    yield (
        "the largest weight is last",
        (logit, ["a", "very", "good"], np.array([0.1, 0.2, 0.7])),
    )
    yield (
        "the logit rises",
        (logit, ["so", "bad", "it", "is"], np.array([0.2, 0.5, 0.2, 0.1])),
    )
    yield (
        "a word that occurs twice",
        (logit, ["good", "bad", "good"], np.array([0.2, 0.3, 0.5])),
    )
    words = ["not", "a", "good", "film", "at", "all"]
    yield (
        "the weight is on another word",
        (logit, words, np.array([0.5, 0.05, 0.2, 0.1, 0.1, 0.05])),
    )


@exercise(
    _deletion_cases,
    hints=[
        "Which word has the largest weight? `np.argmax(weights)` is its position.",
        (
            "`words[:position] + words[position + 1:]` is a new list without it; "
            "the list you were given stays as it is."
        ),
    ],
)
def deletion_test(logit, words, weights):
    """How far the logit falls when the word with the largest weight is deleted.

    logit: function of a list of words -> float. words: list of str.
    weights: (len(words),). Returns logit(all words) - logit(without that word).
    """
    position = int(np.argmax(weights))
    return logit(words) - logit(words[:position] + words[position + 1 :])


@deletion_test.known_mistake(
    "Your sign is inverted. Return the logit before minus the logit after."
)
def deletion_sign_inverted(logit, words, weights):
    return -deletion_test.reference_solution(logit, words, weights)


@deletion_test.known_mistake(
    "You delete the word with the smallest weight. Delete the one with the largest."
)
def deletion_of_the_least(logit, words, weights):
    return deletion_test.reference_solution(logit, words, -np.asarray(weights))


@deletion_test.known_mistake(
    "A word that occurs twice is deleted twice, or at the wrong position. "
    "Delete a position, not a word."
)
def deletion_of_the_word(logit, words, weights):
    word = words[int(np.argmax(weights))]
    return logit(words) - logit([other for other in words if other != word])


@deletion_test.known_mistake("You keep only that word. Delete it and keep the others.")
def deletion_of_all_others(logit, words, weights):
    return logit(words) - logit([words[int(np.argmax(weights))]])


@deletion_test.known_mistake(
    "This is the logit without the word. Return by how much the logit falls."
)
def deletion_without_difference(logit, words, weights):
    return logit(words) - deletion_test.reference_solution(logit, words, weights)
