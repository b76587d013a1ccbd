"""Exercises of chapter 08, "Bug hunt": code to mend. The first five stand here, the slyer five in `bugs_sly`."""

import numpy as np

from attnlib import reference as ref
from attnlib.exercises.bugs_sly import (  # noqa: F401
    heads_attend,
    links,
    local_context,
    self_attention_weights,
    window_gaussian,
)
from attnlib.exercises.machine import exercise

# ---------------------------------------------------------------- 1: a softmax over one number


def _pool_cases(rng):
    values = np.array([[[1.0, 0.0], [0.0, 1.0], [2.0, 2.0]]])
    yield "one sentence of three words", (values, np.eye(2), np.array([[1.0], [2.0]]))
    yield "two sentences", (rng.normal(size=(2, 5, 4)), rng.normal(size=(4, 3)), rng.normal(size=(3, 1)))
    yield "four sentences of one word", (rng.normal(size=(4, 1, 3)), rng.normal(size=(3, 3)), rng.normal(size=(3, 1)))
    values = rng.uniform(0.2, 0.5, size=(2, 4, 1)) * [[[1]], [[-1]]]
    yield "large scores in one sentence, very low ones in the other", (values, np.eye(1), np.array([[5000.0]]))


@exercise(
    _pool_cases,
    hints=[
        "A softmax shares one unit of weight among the numbers along an axis. How many numbers stand along this one?",
        "The scores are (batch, source_len, 1). The words lie along axis 1.",
    ],
    returns=("context", "weights"),
)
def pool(values, w, v):
    """One vector a sentence: sum_s weights_s h_s, with scores v . tanh(h_s w).

    values: (batch, source_len, dim). w: (dim, units). v: (units, 1).
    Returns context (batch, dim) and weights (batch, source_len).
    """
    scores = np.tanh(values @ w) @ v  # (batch, source_len, 1)
    exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
    weights = exponentials / exponentials.sum(axis=1, keepdims=True)
    context = (weights * values).sum(axis=1)  # (batch, dim)
    return context, weights[:, :, 0]


@pool.start("Every weight is 1, whatever the scores are, so the context is the sum of all words.")
def pool(values, w, v):
    """One vector a sentence, and the weights of its words."""
    scores = np.tanh(values @ w) @ v  # (batch, source_len, 1)
    exponentials = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights = exponentials / exponentials.sum(axis=-1, keepdims=True)
    context = (weights * values).sum(axis=1)  # (batch, dim)
    return context, weights[:, :, 0]


@pool.wrong("Now every word weighs the same. The weights sum to one, but the scores have no say.")
def pool_mean(values, w, v):
    weights = np.full(values.shape[:2], 1 / values.shape[1])
    return values.mean(axis=1), weights


@pool.wrong("Your weights sum to one over the batch: sentences take weight from each other.")
def pool_over_the_batch(values, w, v):
    scores = np.tanh(values @ w) @ v
    weights = ref.softmax(scores.transpose(1, 2, 0)).transpose(2, 0, 1)
    return (weights * values).sum(axis=1), weights[:, :, 0]


@pool.wrong("Your weights sum to one over all sentences together. Each sentence has one unit of its own.")
def pool_over_everything(values, w, v):
    scores = np.tanh(values @ w) @ v
    weights = ref.softmax(scores.ravel()).reshape(scores.shape)
    return (weights * values).sum(axis=1), weights[:, :, 0]


@pool.wrong("The weights are right, but the context is still the sum of all words: it was not made with them.")
def pool_context_of_the_old(values, w, v):
    return values.sum(axis=1), pool.solve(values, w, v)[1]


@pool.wrong("The context is a mean over the words: the weights were divided by their number once more.")
def pool_divided_twice(values, w, v):
    context, weights = pool.solve(values, w, v)
    return context / values.shape[1], weights


# ---------------------------------------------------------------- 2: a softmax over the decoder's steps


def _attend_cases(rng):
    query, keys = np.array([[[1.0, 0.0], [0.0, 2.0]]]), np.array([[[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]])
    yield "two queries, three words", (query, keys, np.eye(3)[None])
    yield "two sentences", (rng.normal(size=(2, 4, 3)), rng.normal(size=(2, 5, 3)), rng.normal(size=(2, 5, 2)))
    yield "one query", (rng.normal(size=(2, 1, 3)), rng.normal(size=(2, 4, 3)), rng.normal(size=(2, 4, 2)))
    yield "large scores", (rng.normal(size=(2, 3, 2)) * 40, rng.normal(size=(2, 4, 2)) * 40, rng.normal(size=(2, 4, 3)))


@exercise(
    _attend_cases,
    hints=[
        "Which sums are one? Add the weights up along each axis of `weights`, and say for each what it runs over.",
        "Axis 1 runs over the queries. Each query shares its unit of weight among the words, which lie along axis 2, "
        "the last.",
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


@dot_attend.start("The weights of a query do not sum to one over the words, and they change with the other queries.")
def dot_attend(query, keys, values):
    """The context of each query, and its weights."""
    scores = np.einsum("btd,bsd->bts", query, keys)
    exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
    weights = exponentials / exponentials.sum(axis=1, keepdims=True)
    return weights @ values, weights


@dot_attend.wrong("All queries of a sentence share one unit of weight now. Each has one of its own.")
def dot_attend_over_both(query, keys, values):
    scores = ref.dot_scores(query, keys)
    weights = ref.softmax(scores.reshape(len(scores), -1)).reshape(scores.shape)
    return weights @ values, weights


@dot_attend.wrong("The rows sum to one, but only since you divided once more: the queries still share the words first.")
def dot_attend_rows_rescaled(query, keys, values):
    weights = ref.softmax(ref.dot_scores(query, keys).transpose(0, 2, 1)).transpose(0, 2, 1)
    weights = weights / weights.sum(axis=2, keepdims=True)
    return weights @ values, weights


@dot_attend.wrong("The sum runs over the words now, the maximum still over the queries: both belong to one softmax.")
def dot_attend_half_mended(query, keys, values):
    scores = ref.dot_scores(query, keys)
    exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
    weights = exponentials / exponentials.sum(axis=2, keepdims=True)
    return weights @ values, weights


@dot_attend.wrong("The maximum runs over the words now, the sum still over the queries: both belong to one softmax.")
def dot_attend_other_half(query, keys, values):
    scores = ref.dot_scores(query, keys)
    exponentials = np.exp(scores - scores.max(axis=2, keepdims=True))
    weights = exponentials / exponentials.sum(axis=1, keepdims=True)
    return weights @ values, weights


@dot_attend.wrong("Your weights sum to one over the batch: sentences take weight from each other.")
def dot_attend_over_the_batch(query, keys, values):
    weights = np.moveaxis(ref.softmax(np.moveaxis(ref.dot_scores(query, keys), 0, -1)), -1, 0)
    return weights @ values, weights


# ---------------------------------------------------------------- 3: a mask multiplied into the scores


def _masked_cases(rng):
    yield "two words and two padded", (np.array([[[-1.0, 1.0, 3.0, 0.5]]]), np.array([[True, True, False, False]]))
    mask = np.arange(6) < np.array([[6], [2], [4]])
    yield "sentences of 6, 2 and 4 words", (rng.normal(size=(3, 2, 6)), mask)
    yield "scores of 1000 at padding", (rng.normal(size=(3, 2, 6)) + 1000.0 * ~mask[:, None, :], mask)
    yield "very low scores", (rng.normal(size=(3, 2, 6)) - 800.0, mask)
    scores = rng.normal(size=(2, 2, 3)) + [[[900.0]], [[-900.0]]]
    yield "high scores in one sentence, very low ones in the other", (scores, np.ones((2, 3), bool))


@exercise(
    _masked_cases,
    hints=[
        "What is exp(0)? And what would a score have to be for its exponential to be 0?",
        "`np.where(mask, scores, -np.inf)` leaves padding out of the maximum and of the sum.",
    ],
)
def masked_weights(scores, mask):
    """A softmax over the words that are there.

    scores: (batch, target_len, source_len). mask: (batch, source_len), True = a word;
    every sentence has one at least. Returns weights like scores, 0 at padding.
    """
    scores = np.where(mask[:, None, :], scores, -np.inf)
    exponentials = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


@masked_weights.start("Padding gets weight, and the more of it there is, the less is left for the words.")
def masked_weights(scores, mask):
    """A softmax over the words that are there: mask is True at words."""
    scores = scores * mask[:, None, :]  # nothing at padding
    exponentials = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


@masked_weights.wrong("Padding weighs 0 now, and what it had is lost: the words' weights sum to less than one.")
def masked_after(scores, mask):
    return ref.softmax(scores) * mask[:, None, :]


@masked_weights.wrong("Padding weighs 0 now, and what it had is lost: it still takes part in the sum, with exp(0) = 1.")
def masked_before_and_after(scores, mask):
    return ref.softmax(scores * mask[:, None, :]) * mask[:, None, :]


@masked_weights.wrong(
    "With a large score at padding the words' weights are gone: the row's maximum is still taken over padding."
)
def masked_maximum_of_all(scores, mask):
    exponentials = np.exp(scores - scores.max(axis=-1, keepdims=True)) * mask[:, None, :]
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


@masked_weights.wrong("Subtracting 1e-9 changes nothing. A large number was meant, 1e9.")
def masked_by_a_tiny_number(scores, mask):
    return ref.softmax(scores - 1e-9 * ~mask[:, None, :])


@masked_weights.wrong("A padded position weighs little now, but not 0: with enough of them it shows again.")
def masked_by_a_small_number(scores, mask):
    return ref.softmax(np.where(mask[:, None, :], scores, -5.0))


@masked_weights.wrong("It is turned round: the padding gets all the weight. True means a word.")
def masked_inverted(scores, mask):
    return ref.softmax(scores, ~mask[:, None, :])


# ---------------------------------------------------------------- 4: an accuracy over padding


def _accuracy_cases(rng):
    targets = np.array([[1, 2, 2], [2, 0, 0]])
    yield "three of four words right, two padded", (np.eye(3)[[[1, 2, 1], [2, 0, 0]]], targets, targets > 0)
    for title, lengths in (("sentences of 6, 1 and 3 words", [6, 1, 3]), ("no padding", [5, 5, 5])):
        mask = np.arange(max(lengths)) < np.array(lengths)[:, None]
        targets = np.where(mask, rng.integers(1, 5, mask.shape), 0)
        yield title, (rng.normal(size=(*mask.shape, 5)) + 2 * np.eye(5)[targets], targets, mask)
    targets = np.array([[2, 2, 1], [1, 0, 0]])
    yield "all wrong", (np.eye(3)[[[1, 1, 0], [2, 0, 0]]], targets, targets > 0)


@exercise(
    _accuracy_cases,
    hints=[
        "An accuracy is a fraction. Padding is kept out above the bar; what stands below it?",
        "`.mean()` divides by every position. Divide the sum by the number of words, `mask.sum()`.",
    ],
)
def token_accuracy(logits, targets, mask):
    """The share of words that are predicted rightly.

    logits: (batch, target_len, vocabulary). targets: (batch, target_len), 0 at padding.
    mask: (batch, target_len), True at words. Returns a float.
    """
    found = logits.argmax(axis=-1)  # (batch, target_len)
    correct = (found == targets) & mask
    return float(correct.sum() / mask.sum())


@token_accuracy.start("The result depends on how far the batch is padded.")
def token_accuracy(logits, targets, mask):
    """The share of words that are predicted rightly; padding does not count."""
    found = logits.argmax(axis=-1)  # (batch, target_len)
    correct = (found == targets) & mask
    return float(correct.mean())


@token_accuracy.wrong("Padding counts as right wherever 0 is predicted there: the result still depends on it.")
def accuracy_ignores_mask(logits, targets, mask):
    return float((logits.argmax(axis=-1) == targets).mean())


@token_accuracy.wrong("Every padded position counts as right now, so padding raises the result instead.")
def accuracy_padding_is_right(logits, targets, mask):
    return float(((logits.argmax(axis=-1) == targets) | ~mask).mean())


@token_accuracy.wrong(
    "You take the mean of the sentences' accuracies: a word of a short sentence counts more than one of a long one."
)
def accuracy_of_sentences(logits, targets, mask):
    correct = (logits.argmax(axis=-1) == targets) & mask
    return float((correct.sum(axis=1) / np.maximum(mask.sum(axis=1), 1)).mean())


@token_accuracy.wrong("You divide by the words that the model wrote, not by those that there are.")
def accuracy_by_what_was_found(logits, targets, mask):
    found = logits.argmax(axis=-1)
    return float(((found == targets) & mask).sum() / (found > 0).sum())


@token_accuracy.wrong("You leave out every position where padding was predicted: an error there no longer counts.")
def accuracy_without_missed(logits, targets, mask):
    found = logits.argmax(axis=-1)
    return float((found == targets)[mask & (found > 0)].sum() / max((mask & (found > 0)).sum(), 1))


@token_accuracy.wrong("You divide by the number of sentences, so that the result can be above one.")
def accuracy_by_sentence(logits, targets, mask):
    return float(((logits.argmax(axis=-1) == targets) & mask).sum() / len(targets))


# ---------------------------------------------------------------- 5: a final state taken at padding


def _final_cases(rng):
    one = np.array([[[1.0], [0.5], [9.0]]])
    yield "two words and one padded", (one, np.array([[True, True, False]]), np.array([[1.0]]), np.array([[0.5]]))
    mask = np.arange(5) < np.array([[5], [2], [3]])
    yield "sentences of 5, 2 and 3 words", (rng.normal(size=(3, 5, 4)), mask, *_matrices(rng, 4, 3))
    yield "no padding", (rng.normal(size=(2, 3, 2)), np.ones((2, 3), bool), *_matrices(rng, 2, 4))
    yield "all sentences padded", (rng.normal(size=(2, 4, 3)), np.arange(4) < [[3], [1]], *_matrices(rng, 3, 3))


def _matrices(rng, dim, units):
    return rng.normal(size=(dim, units)), rng.normal(size=(units, units)) / np.sqrt(units)


@exercise(
    _final_cases,
    hints=[
        "With x = 0 the step still computes tanh(h u). Does that leave the state as it was?",
        "At padding the state has to be carried over: `np.where(mask[:, t, None], new, state)`.",
    ],
)
def final_state(embedded, mask, w, u):
    """h_t = tanh(x_t w + h_{t-1} u), from h = 0: the state after the last word.

    embedded: (batch, source_len, dim). mask: (batch, source_len), True at words, which
    stand first. w: (dim, units). u: (units, units). Returns (batch, units).
    """
    state = np.zeros((len(embedded), len(u)))
    for t in range(embedded.shape[1]):
        new = np.tanh(embedded[:, t] @ w + state @ u)  # (batch, units)
        state = np.where(mask[:, t, None], new, state)
    return state


@final_state.start("The final state of a short sentence changes with every padded position behind it.")
def final_state(embedded, mask, w, u):
    """The state of a simple recurrent network after a sentence's last word."""
    embedded = embedded * mask[:, :, None]  # padding is not read
    state = np.zeros((len(embedded), len(u)))
    for t in range(embedded.shape[1]):
        state = np.tanh(embedded[:, t] @ w + state @ u)  # (batch, units)
    return state


@final_state.wrong("A padded sentence has a final state of zeros now: padding should leave the state as it is.")
def final_zeroed(embedded, mask, w, u):
    state = np.zeros((len(embedded), len(u)))
    for t in range(embedded.shape[1]):
        state = np.tanh(embedded[:, t] @ w + state @ u) * mask[:, t, None]
    return state


@final_state.wrong("What stands at padding is read now: before, it was at least set to zero.")
def final_reads_padding(embedded, mask, w, u):
    return final_state.broken(embedded, np.ones_like(mask), w, u)


@final_state.wrong("You stop where the first sentence ends. The longer ones have not been read to their ends.")
def final_at_the_shortest(embedded, mask, w, u):
    shortest = mask.sum(axis=1).min()
    return final_state.solve(embedded[:, :shortest], mask[:, :shortest], w, u)


@final_state.wrong("You take the state one step too late: the last word of n stands at n - 1.")
def final_one_too_late(embedded, mask, w, u):
    states, state = [], np.zeros((len(embedded), len(u)))
    for t in range(embedded.shape[1]):
        state = np.tanh(embedded[:, t] * mask[:, t, None] @ w + state @ u)
        states.append(state)
    last = np.minimum(mask.sum(axis=1), len(states) - 1)
    return np.stack(states)[last, np.arange(len(embedded))]


@final_state.wrong("You take the mean of the states over the words. Asked for is the one after the last word.")
def final_mean(embedded, mask, w, u):
    total = sum(
        final_state.solve(embedded[:, : t + 1], mask[:, : t + 1], w, u) * mask[:, t, None]
        for t in range(embedded.shape[1])
    )
    return total / mask.sum(axis=1, keepdims=True)
