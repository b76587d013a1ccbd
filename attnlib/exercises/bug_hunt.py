"""Exercises of chapter 10, "Bug hunt": ten pieces of code, each with a bug to fix."""

import numpy as np

from attnlib import reference as ref
from attnlib.checking.exercise import exercise

# ---------------------------------------------------------------- 1: a softmax over one
# number


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
            "A softmax shares one unit of weight among the numbers along an axis. How"
            " many numbers stand along this one?"
        ),
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


@pool.starter_code(
    "Every weight is 1, whatever the scores are, so the context is the sum of all"
    " words."
)
def pool(values, w, v):
    """One vector a sentence, and the weights of its words."""
    scores = np.tanh(values @ w) @ v  # (batch, source_len, 1)
    exponentials = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights = exponentials / exponentials.sum(axis=-1, keepdims=True)
    context = (weights * values).sum(axis=1)  # (batch, dim)
    return context, weights[:, :, 0]


@pool.known_mistake(
    "Now every word weighs the same. The weights sum to one, but the scores have no"
    " say."
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
    "Your weights sum to one over all sentences together. Each sentence has one unit of"
    " its own."
)
def pool_over_everything(values, w, v):
    scores = np.tanh(values @ w) @ v
    weights = ref.softmax(scores.ravel()).reshape(scores.shape)
    return (weights * values).sum(axis=1), weights[:, :, 0]


@pool.known_mistake(
    "The weights are right, but the context is still the sum of all words: it was not"
    " made with them."
)
def pool_context_of_the_old(values, w, v):
    return values.sum(axis=1), pool.reference_solution(values, w, v)[1]


@pool.known_mistake(
    "The context is a mean over the words: the weights were divided by their number"
    " once more."
)
def pool_divided_twice(values, w, v):
    context, weights = pool.reference_solution(values, w, v)
    return context / values.shape[1], weights


# ---------------------------------------------------------------- 2: a softmax over the
# decoder's steps


def _attend_cases(rng):
    query, keys = (
        np.array([[[1.0, 0.0], [0.0, 2.0]]]),
        np.array([[[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]]),
    )
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
            "Which sums are one? Add the weights up along each axis of `weights`, and"
            " say for each what it runs over."
        ),
        (
            "Axis 1 runs over the queries. Each query shares its unit of weight among"
            " the words, which lie along axis 2, the last."
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
    "The weights of a query do not sum to one over the words, and they change with the"
    " other queries."
)
def dot_attend(query, keys, values):
    """The context of each query, and its weights."""
    scores = np.einsum("btd,bsd->bts", query, keys)
    exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
    weights = exponentials / exponentials.sum(axis=1, keepdims=True)
    return weights @ values, weights


@dot_attend.known_mistake(
    "All queries of a sentence share one unit of weight now. Each has one of its own."
)
def dot_attend_over_both(query, keys, values):
    scores = ref.dot_scores(query, keys)
    weights = ref.softmax(scores.reshape(len(scores), -1)).reshape(scores.shape)
    return weights @ values, weights


@dot_attend.known_mistake(
    "The rows sum to one, but only since you divided once more: the queries still share"
    " the words first."
)
def dot_attend_rows_rescaled(query, keys, values):
    weights = ref.softmax(ref.dot_scores(query, keys).transpose(0, 2, 1)).transpose(
        0, 2, 1
    )
    weights = weights / weights.sum(axis=2, keepdims=True)
    return weights @ values, weights


@dot_attend.known_mistake(
    "The sum runs over the words now, the maximum still over the queries: both belong"
    " to one softmax."
)
def dot_attend_half_mended(query, keys, values):
    scores = ref.dot_scores(query, keys)
    exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
    weights = exponentials / exponentials.sum(axis=2, keepdims=True)
    return weights @ values, weights


@dot_attend.known_mistake(
    "The maximum runs over the words now, the sum still over the queries: both belong"
    " to one softmax."
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


# ---------------------------------------------------------------- 3: a mask multiplied
# into the scores


def _masked_cases(rng):
    yield (
        "two words and two padded",
        (np.array([[[-1.0, 1.0, 3.0, 0.5]]]), np.array([[True, True, False, False]])),
    )
    mask = np.arange(6) < np.array([[6], [2], [4]])
    yield "sentences of 6, 2 and 4 words", (rng.normal(size=(3, 2, 6)), mask)
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
            "What is exp(0)? And what would a score have to be for its exponential to"
            " be 0?"
        ),
        (
            "`np.where(mask, scores, -np.inf)` leaves padding out of the maximum and of"
            " the sum."
        ),
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


@masked_weights.starter_code(
    "Padding gets weight, and the more of it there is, the less is left for the words."
)
def masked_weights(scores, mask):
    """A softmax over the words that are there: mask is True at words."""
    scores = scores * mask[:, None, :]  # nothing at padding
    exponentials = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


@masked_weights.known_mistake(
    "Padding weighs 0 now, and what it had is lost: the words' weights sum to less than"
    " one."
)
def masked_after(scores, mask):
    return ref.softmax(scores) * mask[:, None, :]


@masked_weights.known_mistake(
    "Padding weighs 0 now, and what it had is lost: it still takes part in the sum,"
    " with exp(0) = 1."
)
def masked_before_and_after(scores, mask):
    return ref.softmax(scores * mask[:, None, :]) * mask[:, None, :]


@masked_weights.known_mistake(
    "With a large score at padding the words' weights are gone: the row's maximum is"
    " still taken over padding."
)
def masked_maximum_of_all(scores, mask):
    exponentials = (
        np.exp(scores - scores.max(axis=-1, keepdims=True)) * mask[:, None, :]
    )
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


@masked_weights.known_mistake(
    "Subtracting 1e-9 changes nothing. A large number was meant, 1e9."
)
def masked_by_a_tiny_number(scores, mask):
    return ref.softmax(scores - 1e-9 * ~mask[:, None, :])


@masked_weights.known_mistake(
    "A padded position weighs little now, but not 0: with enough of them it shows"
    " again."
)
def masked_by_a_small_number(scores, mask):
    return ref.softmax(np.where(mask[:, None, :], scores, -5.0))


@masked_weights.known_mistake(
    "It is turned round: the padding gets all the weight. True means a word."
)
def masked_inverted(scores, mask):
    return ref.softmax(scores, ~mask[:, None, :])


# ---------------------------------------------------------------- 4: an accuracy over
# padding


def _accuracy_cases(rng):
    targets = np.array([[1, 2, 2], [2, 0, 0]])
    yield (
        "three of four words right, two padded",
        (np.eye(3)[[[1, 2, 1], [2, 0, 0]]], targets, targets > 0),
    )
    for title, lengths in (
        ("sentences of 6, 1 and 3 words", [6, 1, 3]),
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
            "An accuracy is a fraction. Padding is kept out above the bar; what stands"
            " below it?"
        ),
        (
            "`.mean()` divides by every position. Divide the sum by the number of"
            " words, `mask.sum()`."
        ),
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


@token_accuracy.starter_code("The result depends on how far the batch is padded.")
def token_accuracy(logits, targets, mask):
    """The share of words that are predicted rightly; padding does not count."""
    found = logits.argmax(axis=-1)  # (batch, target_len)
    correct = (found == targets) & mask
    return float(correct.mean())


@token_accuracy.known_mistake(
    "Padding counts as right wherever 0 is predicted there: the result still depends"
    " on it."
)
def accuracy_ignores_mask(logits, targets, mask):
    return float((logits.argmax(axis=-1) == targets).mean())


@token_accuracy.known_mistake(
    "Every padded position counts as right now, so padding raises the result instead."
)
def accuracy_padding_is_right(logits, targets, mask):
    return float(((logits.argmax(axis=-1) == targets) | ~mask).mean())


@token_accuracy.known_mistake(
    "You take the mean of the sentences' accuracies: a word of a short sentence counts"
    " more than one of a long one."
)
def accuracy_of_sentences(logits, targets, mask):
    correct = (logits.argmax(axis=-1) == targets) & mask
    return float((correct.sum(axis=1) / np.maximum(mask.sum(axis=1), 1)).mean())


@token_accuracy.known_mistake(
    "You divide by the words that the model wrote, not by those that there are."
)
def accuracy_by_what_was_found(logits, targets, mask):
    found = logits.argmax(axis=-1)
    return float(((found == targets) & mask).sum() / (found > 0).sum())


@token_accuracy.known_mistake(
    "You leave out every position where padding was predicted: an error there no longer"
    " counts."
)
def accuracy_without_missed(logits, targets, mask):
    found = logits.argmax(axis=-1)
    return float(
        (found == targets)[mask & (found > 0)].sum()
        / max((mask & (found > 0)).sum(), 1)
    )


@token_accuracy.known_mistake(
    "You divide by the number of sentences, so that the result can be above one."
)
def accuracy_by_sentence(logits, targets, mask):
    return float(((logits.argmax(axis=-1) == targets) & mask).sum() / len(targets))


# ---------------------------------------------------------------- 5: a final state
# taken at padding


def _final_cases(rng):
    one = np.array([[[1.0], [0.5], [9.0]]])
    yield (
        "two words and one padded",
        (one, np.array([[True, True, False]]), np.array([[1.0]]), np.array([[0.5]])),
    )
    mask = np.arange(5) < np.array([[5], [2], [3]])
    yield (
        "sentences of 5, 2 and 3 words",
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
            "With x = 0 the step still computes tanh(h u). Does that leave the state as"
            " it was?"
        ),
        (
            "At padding the state has to be carried over: `np.where(mask[:, t, None],"
            " new, state)`."
        ),
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


@final_state.starter_code(
    "The final state of a short sentence changes with every padded position behind it."
)
def final_state(embedded, mask, w, u):
    """The state of a simple recurrent network after a sentence's last word."""
    embedded = embedded * mask[:, :, None]  # padding is not read
    state = np.zeros((len(embedded), len(u)))
    for t in range(embedded.shape[1]):
        state = np.tanh(embedded[:, t] @ w + state @ u)  # (batch, units)
    return state


@final_state.known_mistake(
    "A padded sentence has a final state of zeros now: padding should leave the state"
    " as it is."
)
def final_zeroed(embedded, mask, w, u):
    state = np.zeros((len(embedded), len(u)))
    for t in range(embedded.shape[1]):
        state = np.tanh(embedded[:, t] @ w + state @ u) * mask[:, t, None]
    return state


@final_state.known_mistake(
    "What stands at padding is read now: before, it was at least set to zero."
)
def final_reads_padding(embedded, mask, w, u):
    return final_state.starter(embedded, np.ones_like(mask), w, u)


@final_state.known_mistake(
    "You stop where the first sentence ends. The longer ones have not been read to"
    " their ends."
)
def final_at_the_shortest(embedded, mask, w, u):
    shortest = mask.sum(axis=1).min()
    return final_state.reference_solution(
        embedded[:, :shortest], mask[:, :shortest], w, u
    )


@final_state.known_mistake(
    "You take the state one step too late: the last word of n stands at n - 1."
)
def final_one_too_late(embedded, mask, w, u):
    states, state = [], np.zeros((len(embedded), len(u)))
    for t in range(embedded.shape[1]):
        state = np.tanh(embedded[:, t] * mask[:, t, None] @ w + state @ u)
        states.append(state)
    last = np.minimum(mask.sum(axis=1), len(states) - 1)
    return np.stack(states)[last, np.arange(len(embedded))]


@final_state.known_mistake(
    "You take the mean of the states over the words. Asked for is the one after the"
    " last word."
)
def final_mean(embedded, mask, w, u):
    total = sum(
        final_state.reference_solution(embedded[:, : t + 1], mask[:, : t + 1], w, u)
        * mask[:, t, None]
        for t in range(embedded.shape[1])
    )
    return total / mask.sum(axis=1, keepdims=True)


# ---------------------------------------------------------------- 6: a mask made from
# pairs


def _pair_cases(rng):
    yield (
        "two words and one padded",
        (np.array([[[1.0, 0.0], [0.0, 1.0], [2.0, 1.0]]]), np.arange(3)[None] < 2),
    )
    yield (
        "sentences of 5, 1 and 3 words",
        (rng.normal(size=(3, 5, 4)), np.arange(5) < [[5], [1], [3]]),
    )
    yield "no padding", (rng.normal(size=(2, 3, 2)), np.ones((2, 3), bool))


def _rows_of_words(result, states, mask):
    """The rows that somebody reads: those of words. What a padded query does is left
    open.
    """
    if isinstance(result, np.ndarray) and result.shape == (*mask.shape, mask.shape[1]):
        return np.where(mask[:, :, None], result, 0)
    return result


@exercise(
    _pair_cases,
    extract=_rows_of_words,
    hints=[
        (
            "Write `pairs` down for two words and one padded position: nine numbers."
            " Which of them is 1, and which should be?"
        ),
        (
            "Only one of the two axes matters: that of the words that are looked at,"
            " the last. `padding[:, None, :]`."
        ),
    ],
)
def self_attention_weights(states, mask):
    """Softmax of dot scores between the words of a sentence, padding left out.

    states: (batch, length, dim), queries and keys. mask: (batch, length), True at
    words. Returns weights (batch, length, length); rows of padded queries are not read.
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
    "Words look at padding alone now: pairs of words were cut out."
)
def pairs_of_words_out(states, mask):
    return _pairs_out(states, mask[:, :, None] & mask[:, None, :])


@self_attention_weights.known_mistake(
    "Padding weighs 0 now, but the words' rows sum to less than one."
)
def pairs_cut_after(states, mask):
    return ref.softmax(states @ states.transpose(0, 2, 1)) * mask[:, None, :]


@self_attention_weights.known_mistake(
    "A score of 0 is a score: exp(0) = 1. Words still give weight to padding."
)
def pairs_multiplied(states, mask):
    return ref.softmax(states @ states.transpose(0, 2, 1) * mask[:, None, :])


@self_attention_weights.known_mistake(
    "A word no longer looks at itself. Only padding was to be left out."
)
def pairs_without_self(states, mask):
    out = ~mask[:, None, :] | np.eye(mask.shape[1], dtype=bool)
    return _pairs_out(states, out)


@self_attention_weights.known_mistake(
    "Words look at the words before them alone: this is a causal mask as well."
)
def pairs_causal(states, mask):
    out = ~mask[:, None, :] | ~np.tril(np.ones((mask.shape[1],) * 2, bool))
    return _pairs_out(states, out)


# ---------------------------------------------------------------- 7: a mirrored
# Gaussian


def _gaussian_cases(rng):
    yield "a center between two words, D = 2", (np.array([[4.75]]), 2)
    yield "a center on a word", (np.array([[3.0]]), 1)
    yield "two sentences", (rng.uniform(0, 9, size=(2, 3)), 3)
    yield "a wide window", (rng.uniform(0, 9, size=(1, 2)), 6)


@exercise(
    _gaussian_cases,
    hints=[
        (
            "Which slot should be largest for a center of 4.75: the one of word 4, in"
            " the middle, or that of word 5?"
        ),
        (
            "A slot's word is s = floor(p) + offset, and its distance is s - p. What is"
            " that, written with the fraction?"
        ),
    ],
)
def window_gaussian(centers, half_width):
    """exp(-(s - p)^2 / (2 sigma^2)) for the words s of each window, sigma = D / 2.

    centers: p, (batch, target_len), reals. half_width: D. The window is floor(p) - D
    ... floor(p) + D. Returns (batch, target_len, 2 D + 1), one number a slot.
    """
    offsets = np.arange(-half_width, half_width + 1)  # from the middle slot
    fraction = centers - np.floor(centers)
    distance = offsets - fraction[:, :, None]  # (batch, target_len, 2 D + 1)
    sigma = half_width / 2
    return np.exp(-(distance**2) / (2 * sigma**2))


@window_gaussian.starter_code(
    "When the center moves to the right, the Gaussian moves to the left."
)
def window_gaussian(centers, half_width):
    """The Gaussian around each center, one number a slot of its window."""
    offsets = np.arange(-half_width, half_width + 1)  # from the middle slot
    fraction = centers - np.floor(centers)
    distance = offsets + fraction[:, :, None]  # (batch, target_len, 2 D + 1)
    sigma = half_width / 2
    return np.exp(-(distance**2) / (2 * sigma**2))


def _bell(distance, half_width):
    return np.exp(-(distance**2) / (2 * (half_width / 2) ** 2))


@window_gaussian.known_mistake(
    "The Gaussian stands still in the middle slot now: the center's fraction has no"
    " say."
)
def gaussian_without_fraction(centers, half_width):
    return window_gaussian.reference_solution(np.floor(centers), half_width)


@window_gaussian.known_mistake(
    "Past the half the Gaussian jumps a slot back: the window hangs on floor(p), not on"
    " p rounded."
)
def gaussian_from_round(centers, half_width):
    offsets = np.arange(-half_width, half_width + 1)
    return _bell(offsets - (centers - np.round(centers))[:, :, None], half_width)


@window_gaussian.known_mistake(
    "It moves the right way, but starts a slot too far left: the fraction is taken from"
    " above."
)
def gaussian_from_ceil(centers, half_width):
    offsets = np.arange(-half_width, half_width + 1)
    return _bell(offsets - (centers - np.ceil(centers))[:, :, None], half_width)


@window_gaussian.known_mistake(
    "Both sides move towards the middle: take the distance from the center first, then"
    " square it."
)
def gaussian_of_both_sides(centers, half_width):
    offsets = np.arange(-half_width, half_width + 1)
    return _bell(abs(offsets) - (centers - np.floor(centers))[:, :, None], half_width)


@window_gaussian.known_mistake(
    "The distance is not the offset from the whole center: slots are counted from"
    " floor(p)."
)
def gaussian_of_the_whole_center(centers, half_width):
    return _bell(
        np.arange(-half_width, half_width + 1) - centers[:, :, None], half_width
    )


@window_gaussian.known_mistake(
    "It leans the right way, but the brackets are gone: -d**2 / 2 * sigma**2 multiplies"
    " by sigma^2."
)
def gaussian_brackets(centers, half_width):
    distance = (
        np.arange(-half_width, half_width + 1)
        - (centers - np.floor(centers))[:, :, None]
    )
    return np.exp(-(distance**2) / 2 * (half_width / 2) ** 2)


# ---------------------------------------------------------------- 8: a Gaussian after
# the context


def _context_cases(rng):
    scores, values = (
        np.array([[[0.0, 1.0, 2.0, 1.0]]]),
        np.array([[[1.0], [2.0], [4.0], [8.0]]]),
    )
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
            "Multiply the weights that come back with the values yourself. Is it the"
            " context that comes back?"
        ),
        (
            "The context has to be made from the final weights: `weights @ values`"
            " comes last."
        ),
    ],
    returns=("context", "weights"),
)
def local_context(scores, values, centers, half_width):
    """Softmax over the window, times the Gaussian; the product makes the context.

    scores: (batch, target_len, source_len). values: (batch, source_len, value_dim).
    centers: (batch, target_len), reals. half_width: D. Returns context
    (batch, target_len, value_dim) and weights, as scores are shaped.
    """
    places = np.arange(scores.shape[-1])
    window = abs(places - np.floor(centers)[:, :, None]) <= half_width
    weights = ref.softmax(scores, window)
    distance, sigma = places - centers[:, :, None], half_width / 2
    weights = weights * np.exp(-(distance**2) / (2 * sigma**2))
    return weights @ values, weights


@local_context.starter_code(
    "The context does not feel where the center is: it is not made with the weights you"
    " return."
)
def local_context(scores, values, centers, half_width):
    """Local attention: the context of each query, and its weights."""
    places = np.arange(scores.shape[-1])
    window = abs(places - np.floor(centers)[:, :, None]) <= half_width
    weights = ref.softmax(scores, window)
    context = weights @ values
    distance, sigma = places - centers[:, :, None], half_width / 2
    weights = weights * np.exp(-(distance**2) / (2 * sigma**2))
    return context, weights


def _parts(scores, centers, half_width):
    places = np.arange(scores.shape[-1])
    window = abs(places - np.floor(centers)[:, :, None]) <= half_width
    return window, _bell(places - centers[:, :, None], half_width)


@local_context.known_mistake(
    "Context and weights agree now, but neither feels the center: the Gaussian is gone."
)
def context_without_gaussian(scores, values, centers, half_width):
    window, _ = _parts(scores, centers, half_width)
    weights = ref.softmax(scores, window)
    return weights @ values, weights


@local_context.known_mistake(
    "The Gaussian is multiplied into the scores now. It comes after the softmax."
)
def context_gaussian_before(scores, values, centers, half_width):
    window, gaussian = _parts(scores, centers, half_width)
    weights = ref.softmax(scores * gaussian, window)
    return weights @ values, weights


@local_context.known_mistake(
    "The Gaussian is taken twice: once for the context, once more for the weights."
)
def context_gaussian_twice(scores, values, centers, half_width):
    window, gaussian = _parts(scores, centers, half_width)
    weights = ref.softmax(scores, window) * gaussian
    return weights @ values, weights * gaussian


@local_context.known_mistake(
    "You normalise again. A sure softmax then cancels the Gaussian, and the center"
    " learns nothing."
)
def context_normalised(scores, values, centers, half_width):
    window, gaussian = _parts(scores, centers, half_width)
    weights = ref.softmax(scores, window) * gaussian
    weights = weights / weights.sum(axis=-1, keepdims=True)
    return weights @ values, weights


@local_context.known_mistake(
    "The context is right, but the weights you return are those before the Gaussian."
)
def context_other_weights(scores, values, centers, half_width):
    window, gaussian = _parts(scores, centers, half_width)
    weights = ref.softmax(scores, window)
    return (weights * gaussian) @ values, weights


# ---------------------------------------------------------------- 9: a map shifted by
# one


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
            "Row 0 belongs to the first step. That step reads `<start>`. What does it"
            " write?"
        ),
        (
            "Throughout this book row t belongs to the step that writes character t."
            " The last row writes `<end>`."
        ),
    ],
)
def links(weights, target):
    """{(t, s)}: when character t was written, position s had the largest weight.

    weights: (len(target) + 1, source_len), a row a step: the steps write the characters
    of target and then <end>. Hyphens get no link.
    """
    found = set()
    for step, token in enumerate([*target, "<end>"]):
        if token not in ("<end>", "-"):
            found.add((step, int(weights[step].argmax())))
    return found


@links.starter_code(
    "Each character is linked to what the next one looks at: the map is shifted by one"
    " row."
)
def links(weights, target):
    """{(t, s)}: character t of the target belongs to character s of the source."""
    found = set()
    for step, token in enumerate(["<start>", *target]):
        if token not in ("<start>", "-"):
            found.add((step - 1, int(weights[step].argmax())))
    return found


def _links(weights, target, row, name):
    return {
        (name(t), int(weights[row(t)].argmax()))
        for t, token in enumerate(target)
        if token != "-"
    }


@links.known_mistake(
    "The weights are read in the right rows now, but the characters are counted from 1."
)
def links_from_one(weights, target):
    return _links(weights, target, lambda t: t, lambda t: t + 1)


@links.known_mistake(
    "You shifted the source too: the positions of the weights were right."
)
def links_source_shifted(weights, target):
    return {(t, s - 1) for t, s in links.reference_solution(weights, target)}


@links.known_mistake(
    "You shifted it the other way: each character is linked to what the one before it"
    " looks at."
)
def links_other_way(weights, target):
    return _links(weights, target, lambda t: t - 1, lambda t: t)


@links.known_mistake("The rows are right, but hyphens have links again.")
def links_with_hyphens(weights, target):
    return {(t, int(weights[t].argmax())) for t in range(len(target))}


@links.known_mistake("The end token has a link too. It stands for no character.")
def links_with_end(weights, target):
    return links.reference_solution(weights, target) | {
        (len(target), int(weights[len(target)].argmax()))
    }


@links.known_mistake("A link is (target, source); yours are turned round.")
def links_turned(weights, target):
    return {(s, t) for t, s in links.reference_solution(weights, target)}


@links.known_mistake(
    "A hyphen hides its neighbour now: the token that was read decides what is left"
    " out."
)
def links_hyphen_before(weights, target):
    read = ["<start>", *target]
    return {(t, int(weights[t].argmax())) for t in range(len(target)) if read[t] != "-"}


# ---------------------------------------------------------------- 10: a root forgotten


def _heads_cases(rng):
    query, keys = (
        np.array([[[1.0, 1.0, 0.0, 2.0]]]),
        np.array([[[2.0, 0.0, 1.0, 0.0], [0.0, 2.0, 0.0, 1.0]]]),
    )
    yield (
        "one query, two words, two heads two wide",
        (query, keys, np.arange(8.0).reshape(1, 2, 4), 2),
    )
    yield (
        "two sentences, three heads",
        (*(rng.normal(size=(2, n, 12)) for n in (4, 5, 5)), 3),
    )
    yield "one head", (*(rng.normal(size=(2, n, 6)) for n in (2, 3, 3)), 1)
    yield "heads one wide", (*(rng.normal(size=(1, n, 3)) for n in (2, 4, 4)), 3)


@exercise(
    _heads_cases,
    hints=[
        (
            "The scores are sums of as many products as a head is wide. How does their"
            " spread grow with the width?"
        ),
        (
            "Divide the scores by the root of the width of one head's keys,"
            " `np.sqrt(k.shape[-1])`, before the softmax."
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
    "The wider a head is, the nearer its largest weight comes to 1, whatever the words"
    " are."
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


def _in_heads(query, keys, values, heads, share=1.0):
    """As the broken code, with `share` of each score."""
    return heads_attend.starter(query * share, keys, values, heads)


@heads_attend.known_mistake(
    "You divide by the root of all heads' width together. A score sums over one head"
    " alone."
)
def heads_by_whole_width(query, keys, values, heads):
    return _in_heads(query, keys, values, heads, 1 / np.sqrt(keys.shape[-1]))


@heads_attend.known_mistake(
    "You divide by the width, not by its root (once for queries and once for keys?):"
    " wide heads now see all alike."
)
def heads_by_width(query, keys, values, heads):
    return _in_heads(query, keys, values, heads, heads / keys.shape[-1])


@heads_attend.known_mistake(
    "You divide by the root of the number of heads. It is the width of one that"
    " matters."
)
def heads_by_number(query, keys, values, heads):
    return _in_heads(query, keys, values, heads, 1 / np.sqrt(heads))


@heads_attend.known_mistake(
    "You divide by the root of the source's length. It is the width that matters."
)
def heads_by_length(query, keys, values, heads):
    return _in_heads(query, keys, values, heads, 1 / np.sqrt(keys.shape[1]))


@heads_attend.known_mistake(
    "You divide after the softmax: the weights are as sharp as before, and no longer"
    " sum to one."
)
def heads_divided_after(query, keys, values, heads):
    context, weights = heads_attend.starter(query, keys, values, heads)
    root = np.sqrt(keys.shape[-1] / heads)
    return context / root, weights / root


@heads_attend.known_mistake("You multiply by the root, which makes it worse. Divide.")
def heads_multiplied(query, keys, values, heads):
    return _in_heads(query, keys, values, heads, np.sqrt(keys.shape[-1] / heads))
