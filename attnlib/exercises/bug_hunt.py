"""Exercises of chapter 10, "Bug hunt": ten pieces of code, each with a bug to fix."""

import numpy as np

from attnlib import reference as ref
from attnlib.checking.exercise import exercise
from attnlib.exercises._shared import gaussian_of_distance, window_and_gaussian

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
    values = rng.uniform(0.2, 0.5, size=(2, 4, 1)) * [[[1]], [[-1]]]
    yield (
        "large scores in one sentence, very low ones in the other",
        (values, np.eye(1), np.array([[5000.0]])),
    )


@exercise(
    _pool_cases,
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

    values: (batch, source_len, dim). w: (dim, units). v: (units, 1).
    Returns context (batch, dim) and weights (batch, source_len).
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


@pool.known_mistake(
    "Your weights sum to one over all sentences together. "
    "Those of each sentence should sum to one."
)
def pool_over_everything(values, w, v):
    scores = np.tanh(values @ w) @ v
    weights = ref.softmax(scores.ravel()).reshape(scores.shape)
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


# 2: a softmax over the decoder's steps


def _attend_cases(rng):
    query = np.array([[[1.0, 0.0], [0.0, 2.0]]])
    keys = np.array([[[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]])
    yield "two queries, three words", (query, keys, np.eye(3)[None])
    yield (
        "two sentences",
        (
            rng.normal(size=(2, 4, 3)),
            rng.normal(size=(2, 5, 3)),
            rng.normal(size=(2, 5, 2)),
        ),
    )
    yield (
        "one query",
        (
            rng.normal(size=(2, 1, 3)),
            rng.normal(size=(2, 4, 3)),
            rng.normal(size=(2, 4, 2)),
        ),
    )
    yield (
        "large scores",
        (
            rng.normal(size=(2, 3, 2)) * 40,
            rng.normal(size=(2, 4, 2)) * 40,
            rng.normal(size=(2, 4, 3)),
        ),
    )


@exercise(
    _attend_cases,
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

    query: (batch, target_len, dim). keys: (batch, source_len, dim).
    values: (batch, source_len, value_dim).
    Returns context (batch, target_len, value_dim) and weights (batch, target_len,
    source_len).
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


# 3: a mask multiplied into the scores


def _masked_cases(rng):
    yield (
        "two words and two padded positions",
        (np.array([[[-1.0, 1.0, 3.0, 0.5]]]), np.array([[True, True, False, False]])),
    )
    mask = np.arange(6) < np.array([[6], [2], [4]])
    yield "sentences of 6, 2, and 4 words", (rng.normal(size=(3, 2, 6)), mask)
    yield (
        "scores of 1000 at padding",
        (rng.normal(size=(3, 2, 6)) + 1000.0 * ~mask[:, None, :], mask),
    )
    yield "very low scores", (rng.normal(size=(3, 2, 6)) - 800.0, mask)
    scores = rng.normal(size=(2, 2, 3)) + [[[900.0]], [[-900.0]]]
    yield (
        "high scores in one sentence, very low ones in the other",
        (scores, np.ones((2, 3), bool)),
    )


@exercise(
    _masked_cases,
    hints=[
        (
            "What is exp(0)? "
            "And what would a score have to be for its exponential to be 0?"
        ),
        (
            "`np.where(mask, scores, -np.inf)` removes padding from the maximum and "
            "from the sum."
        ),
    ],
)
def masked_weights(scores, mask):
    """A softmax over the real words.

    scores: (batch, target_len, source_len). mask: (batch, source_len), True = a word;
    every sentence has at least one. Returns weights like scores, 0 at padding.
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
    "the weights of the words sum to less than one."
)
def masked_after(scores, mask):
    return ref.softmax(scores) * mask[:, None, :]


@masked_weights.known_mistake(
    "Padding has weight 0 now, but the weight it had is lost: "
    "it still takes part in the sum, with exp(0) = 1."
)
def masked_before_and_after(scores, mask):
    return ref.softmax(scores * mask[:, None, :]) * mask[:, None, :]


@masked_weights.known_mistake(
    "With a large score at padding, the weights of the words vanish: "
    "the row's maximum still includes padding."
)
def masked_maximum_of_all(scores, mask):
    exponentials = (
        np.exp(scores - scores.max(axis=-1, keepdims=True)) * mask[:, None, :]
    )
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


@masked_weights.known_mistake(
    "Subtracting 1e-9 changes nothing. You probably meant a large number, 1e9."
)
def masked_by_a_tiny_number(scores, mask):
    return ref.softmax(scores - 1e-9 * ~mask[:, None, :])


@masked_weights.known_mistake(
    "A padded position has little weight now, but not 0. "
    "With enough of them, the bug shows again."
)
def masked_by_a_small_number(scores, mask):
    return ref.softmax(np.where(mask[:, None, :], scores, -5.0))


@masked_weights.known_mistake(
    "Your mask is inverted: padding gets all the weight. True means a word."
)
def masked_inverted(scores, mask):
    return ref.softmax(scores, ~mask[:, None, :])


# 4: an accuracy over padding


def _accuracy_cases(rng):
    targets = np.array([[1, 2, 2], [2, 0, 0]])
    yield (
        "three of four words correct, two padded positions",
        (np.eye(3)[[[1, 2, 1], [2, 0, 0]]], targets, targets > 0),
    )
    for title, lengths in (
        ("sentences of 6, 1, and 3 words", [6, 1, 3]),
        ("no padding", [5, 5, 5]),
    ):
        mask = np.arange(max(lengths)) < np.array(lengths)[:, None]
        targets = np.where(mask, rng.integers(1, 5, mask.shape), 0)
        yield (
            title,
            (rng.normal(size=(*mask.shape, 5)) + 2 * np.eye(5)[targets], targets, mask),
        )
    targets = np.array([[2, 2, 1], [1, 0, 0]])
    yield "all wrong", (np.eye(3)[[[1, 1, 0], [2, 0, 0]]], targets, targets > 0)


@exercise(
    _accuracy_cases,
    hints=[
        (
            "An accuracy is a fraction. "
            "Padding is excluded from the numerator; what is in the denominator?"
        ),
        (
            "`.mean()` divides by the number of all positions. "
            "Divide the sum by the number of words, `mask.sum()`."
        ),
    ],
)
def token_accuracy(logits, targets, mask):
    """The fraction of words that are predicted correctly.

    logits: (batch, target_len, vocabulary). targets: (batch, target_len), 0 at padding.
    mask: (batch, target_len), True at words. Returns a float.
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
    "Padding counts as correct wherever 0 is predicted there, "
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
    "You average the accuracies of the sentences, "
    "so a word of a short sentence counts more than a word of a long one."
)
def accuracy_of_sentences(logits, targets, mask):
    correct = (logits.argmax(axis=-1) == targets) & mask
    return float((correct.sum(axis=1) / np.maximum(mask.sum(axis=1), 1)).mean())


@token_accuracy.known_mistake(
    "You divide by the number of words that the model predicted, "
    "not by the number of words in the targets."
)
def accuracy_by_predicted_words(logits, targets, mask):
    predicted = logits.argmax(axis=-1)
    return float(((predicted == targets) & mask).sum() / (predicted > 0).sum())


@token_accuracy.known_mistake(
    "You ignore every position where padding was predicted, "
    "so an error there no longer counts."
)
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


# 5: a final state taken at padding


def _final_cases(rng):
    one = np.array([[[1.0], [0.5], [9.0]]])
    yield (
        "two words and one padded position",
        (one, np.array([[True, True, False]]), np.array([[1.0]]), np.array([[0.5]])),
    )
    mask = np.arange(5) < np.array([[5], [2], [3]])
    yield (
        "sentences of 5, 2, and 3 words",
        (rng.normal(size=(3, 5, 4)), mask, *_matrices(rng, 4, 3)),
    )
    yield (
        "no padding",
        (rng.normal(size=(2, 3, 2)), np.ones((2, 3), bool), *_matrices(rng, 2, 4)),
    )
    yield (
        "all sentences padded",
        (rng.normal(size=(2, 4, 3)), np.arange(4) < [[3], [1]], *_matrices(rng, 3, 3)),
    )


def _matrices(rng, dim, units):
    return rng.normal(size=(dim, units)), rng.normal(size=(units, units)) / np.sqrt(
        units
    )


@exercise(
    _final_cases,
    hints=[
        (
            "With x = 0, the step still computes tanh(h u). "
            "Does that leave the state as it was?"
        ),
        (
            "At padding, the state has to be carried over: "
            "`np.where(mask[:, t, None], new, state)`."
        ),
    ],
)
def final_state(embedded, mask, w, u):
    """h_t = tanh(x_t w + h_{t-1} u), from h = 0: the state after the last word.

    embedded: (batch, source_len, dim). mask: (batch, source_len), True at words, which
    come first. w: (dim, units). u: (units, units). Returns (batch, units).
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


@final_state.known_mistake(
    "You take the state one step too late: the last of n words is at index n - 1."
)
def final_one_too_late(embedded, mask, w, u):
    states, state = [], np.zeros((len(embedded), len(u)))
    for t in range(embedded.shape[1]):
        state = np.tanh(embedded[:, t] * mask[:, t, None] @ w + state @ u)
        states.append(state)
    last = np.minimum(mask.sum(axis=1), len(states) - 1)
    return np.stack(states)[last, np.arange(len(embedded))]


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
    return total / mask.sum(axis=1, keepdims=True)


# 6: a mask made from pairs


def _pair_cases(rng):
    yield (
        "two words and one padded position",
        (np.array([[[1.0, 0.0], [0.0, 1.0], [2.0, 1.0]]]), np.arange(3)[None] < 2),
    )
    yield (
        "sentences of 5, 1, and 3 words",
        (rng.normal(size=(3, 5, 4)), np.arange(5) < [[5], [1], [3]]),
    )
    yield "no padding", (rng.normal(size=(2, 3, 2)), np.ones((2, 3), bool))


def _rows_of_words(result, states, mask):
    """The rows that are used: those of words. The rows of padded queries may hold
    anything.
    """
    if isinstance(result, np.ndarray) and result.shape == (*mask.shape, mask.shape[1]):
        return np.where(mask[:, :, None], result, 0)
    return result


@exercise(
    _pair_cases,
    extract=_rows_of_words,
    hints=[
        (
            "Write down `pairs` for two words and one padded position: nine numbers. "
            "Which of them are 1, and which should be?"
        ),
        (
            "Only one of the two axes matters: that of the keys, the last. "
            "Use `padding[:, None, :]`."
        ),
    ],
)
def self_attention_weights(states, mask):
    """Softmax of dot scores between the words of a sentence, with padding masked.

    states: (batch, length, dim), queries and keys. mask: (batch, length), True at
    words. Returns weights (batch, length, length); rows of padded queries are not used.
    """
    padding = 1.0 - mask
    scores = states @ states.transpose(0, 2, 1)  # (batch, length, length)
    scores = scores - 1e9 * padding[:, None, :]
    exponentials = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


@self_attention_weights.starter_code("Words give weight to padding.")
def self_attention_weights(states, mask):
    """How much each word looks at each other; padding is left out."""
    padding = 1.0 - mask
    pairs = padding[:, :, None] * padding[:, None, :]  # (batch, length, length)
    scores = states @ states.transpose(0, 2, 1) - 1e9 * pairs
    exponentials = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def _pairs_out(states, out):
    return ref.softmax(np.where(out, -1e9, states @ states.transpose(0, 2, 1)))


@self_attention_weights.known_mistake(
    "Words attend only to padding now: you masked the pairs of words."
)
def pairs_of_words_out(states, mask):
    return _pairs_out(states, mask[:, :, None] & mask[:, None, :])


@self_attention_weights.known_mistake(
    "Padding has weight 0 now, but the rows of the words sum to less than one."
)
def pairs_cut_after(states, mask):
    return ref.softmax(states @ states.transpose(0, 2, 1)) * mask[:, None, :]


@self_attention_weights.known_mistake(
    "A score of 0 is still a score: exp(0) = 1. Words still give weight to padding."
)
def pairs_multiplied(states, mask):
    return ref.softmax(states @ states.transpose(0, 2, 1) * mask[:, None, :])


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


# 7: a mirrored Gaussian


def _gaussian_cases(rng):
    yield "a center between two words, D = 2", (np.array([[4.75]]), 2)
    yield "a center on a word", (np.array([[3.0]]), 1)
    yield "two sentences", (rng.uniform(0, 9, size=(2, 3)), 3)
    yield "a wide window", (rng.uniform(0, 9, size=(1, 2)), 6)


@exercise(
    _gaussian_cases,
    hints=[
        (
            "Which window position should have the largest value for a center of 4.75: "
            "that of word 4, in the middle, or that of word 5?"
        ),
        (
            "The word at a window position is s = floor(p) + offset, "
            "and its distance is s - p. What is that, written with the fraction?"
        ),
    ],
)
def window_gaussian(centers, half_width):
    """exp(-(s - p)^2 / (2 sigma^2)) for the words s of each window, sigma = D / 2.

    centers: p, (batch, target_len), reals. half_width: D. The window is floor(p) - D
    ... floor(p) + D. Returns (batch, target_len, 2 D + 1).
    """
    offsets = np.arange(-half_width, half_width + 1)  # from the middle position
    fraction = centers - np.floor(centers)
    distance = offsets - fraction[:, :, None]  # (batch, target_len, 2 D + 1)
    sigma = half_width / 2
    return np.exp(-(distance**2) / (2 * sigma**2))


@window_gaussian.starter_code(
    "When the center moves to the right, the Gaussian moves to the left."
)
def window_gaussian(centers, half_width):
    """The Gaussian around each center, one number per window position."""
    offsets = np.arange(-half_width, half_width + 1)  # from the middle position
    fraction = centers - np.floor(centers)
    distance = offsets + fraction[:, :, None]  # (batch, target_len, 2 D + 1)
    sigma = half_width / 2
    return np.exp(-(distance**2) / (2 * sigma**2))


@window_gaussian.known_mistake(
    "The Gaussian stays in the middle of the window now: "
    "the fraction of the center has no effect."
)
def gaussian_without_fraction(centers, half_width):
    return window_gaussian.reference_solution(np.floor(centers), half_width)


@window_gaussian.known_mistake(
    "When the fraction passes one half, the Gaussian jumps back by one position: "
    "the window is placed at floor(p), not at p rounded."
)
def gaussian_from_round(centers, half_width):
    offsets = np.arange(-half_width, half_width + 1)
    return gaussian_of_distance(
        offsets - (centers - np.round(centers))[:, :, None], half_width
    )


@window_gaussian.known_mistake(
    "The Gaussian moves the right way but is one position too far left: "
    "you take the fraction from ceil(p), not from floor(p)."
)
def gaussian_from_ceil(centers, half_width):
    offsets = np.arange(-half_width, half_width + 1)
    return gaussian_of_distance(
        offsets - (centers - np.ceil(centers))[:, :, None], half_width
    )


@window_gaussian.known_mistake(
    "Both sides move toward the middle: "
    "take the distance from the center first, then square it."
)
def gaussian_of_both_sides(centers, half_width):
    offsets = np.arange(-half_width, half_width + 1)
    return gaussian_of_distance(
        abs(offsets) - (centers - np.floor(centers))[:, :, None], half_width
    )


@window_gaussian.known_mistake(
    "You subtract the whole center. "
    "The offsets are counted from floor(p), so subtract only the fraction."
)
def gaussian_of_the_whole_center(centers, half_width):
    return gaussian_of_distance(
        np.arange(-half_width, half_width + 1) - centers[:, :, None], half_width
    )


@window_gaussian.known_mistake(
    "The Gaussian moves the right way, but parentheses are missing: "
    "-d**2 / 2 * sigma**2 multiplies by sigma^2."
)
def gaussian_without_parentheses(centers, half_width):
    distance = (
        np.arange(-half_width, half_width + 1)
        - (centers - np.floor(centers))[:, :, None]
    )
    return np.exp(-(distance**2) / 2 * (half_width / 2) ** 2)


# 8: a Gaussian after the context


def _context_cases(rng):
    scores = np.array([[[0.0, 1.0, 2.0, 1.0]]])
    values = np.array([[[1.0], [2.0], [4.0], [8.0]]])
    yield "one query in the middle, D = 1", (scores, values, np.array([[1.5]]), 1)
    yield "at the left edge", (scores, values, np.array([[0.25]]), 2)
    yield (
        "two sentences",
        (
            rng.normal(size=(2, 3, 9)),
            rng.normal(size=(2, 9, 4)),
            rng.uniform(0, 9, (2, 3)),
            3,
        ),
    )


@exercise(
    _context_cases,
    hints=[
        (
            "Multiply the returned weights by the values yourself. "
            "Do you get the returned context?"
        ),
        "The context should use the final weights: `weights @ values` comes last.",
    ],
    returns=("context", "weights"),
)
def local_context(scores, values, centers, half_width):
    """Softmax over the window, times the Gaussian; the product gives the context.

    scores: (batch, target_len, source_len). values: (batch, source_len, value_dim).
    centers: (batch, target_len), reals. half_width: D. Returns context
    (batch, target_len, value_dim) and weights, shaped like scores.
    """
    positions = np.arange(scores.shape[-1])
    window = abs(positions - np.floor(centers)[:, :, None]) <= half_width
    weights = ref.softmax(scores, window)
    distance, sigma = positions - centers[:, :, None], half_width / 2
    weights = weights * np.exp(-(distance**2) / (2 * sigma**2))
    return weights @ values, weights


@local_context.starter_code(
    "The context does not depend on the exact center: "
    "it is not computed with the weights you return."
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
    "The Gaussian is applied twice: once for the context, once more for the weights."
)
def context_gaussian_twice(scores, values, centers, half_width):
    window, gaussian = window_and_gaussian(scores, centers, half_width)
    weights = ref.softmax(scores, window) * gaussian
    return weights @ values, weights * gaussian


@local_context.known_mistake(
    "You renormalize. When the softmax is saturated, that cancels the Gaussian, "
    "and the center gets no gradient."
)
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


# 9: an alignment shifted by one


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


@exercise(
    _links_cases,
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
    characters of target and then <end>. Hyphens get no link.
    """
    result = set()
    for step, token in enumerate([*target, "<end>"]):
        if token not in ("<end>", "-"):
            result.add((step, int(weights[step].argmax())))
    return result


@links.starter_code(
    "Each character is linked to the source position of the next one: "
    "the alignment is shifted by one row."
)
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


# 10: scores that are not scaled


def _heads_cases(rng):
    query = np.array([[[1.0, 1.0, 0.0, 2.0]]])
    keys = np.array([[[2.0, 0.0, 1.0, 0.0], [0.0, 2.0, 0.0, 1.0]]])
    yield (
        "one query, two words, two heads of dimension 2",
        (query, keys, np.arange(8.0).reshape(1, 2, 4), 2),
    )
    yield (
        "two sentences, three heads",
        (*(rng.normal(size=(2, n, 12)) for n in (4, 5, 5)), 3),
    )
    yield "one head", (*(rng.normal(size=(2, n, 6)) for n in (2, 3, 3)), 1)
    yield "heads of dimension 1", (*(rng.normal(size=(1, n, 3)) for n in (2, 4, 4)), 3)


@exercise(
    _heads_cases,
    hints=[
        (
            "Each score is a sum of as many products as a head has dimensions. "
            "How does its standard deviation grow with that number?"
        ),
        (
            "Divide the scores by the square root of the dimension of one head's keys, "
            "`np.sqrt(k.shape[-1])`, before the softmax."
        ),
    ],
    returns=("context", "weights"),
)
def heads_attend(query, keys, values, heads):
    """softmax(Q K^T / sqrt(width)) V for each head, of width = dim / heads columns.

    query: (batch, target_len, dim). keys and values: (batch, source_len, dim).
    Returns context, shaped as query, and weights (batch, heads, target_len,
    source_len).
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
    "Use the dimension of the keys instead."
)
def heads_by_length(query, keys, values, heads):
    return _with_scaled_scores(query, keys, values, heads, 1 / np.sqrt(keys.shape[1]))


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
