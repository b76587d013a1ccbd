"""Exercises of chapter 02, "The encoder–decoder bottleneck"."""

import itertools
import operator

import numpy as np

from attnlib.checking.exercise import exercise
from attnlib.checking.sandbox import CheckFailed
from attnlib.exercises import _mistakes
from attnlib.exercises._demands import extreme_scores, five_masks, spoiled_padding
from attnlib.exercises._mistakes import COUNTED_FROM_THE_FRONT, add_mask_from_the_front


def _loss_cases(rng):
    logits = np.array([[[2.0, 0.0], [0.0, 1.0]], [[0.0, 0.0], [5.0, 0.0]]])
    targets, mask = np.array([[0, 0], [1, 1]]), np.array([[True, True], [True, False]])
    yield "two sentences of 2 and 1 real tokens, two words", (logits, targets, mask)
    yield (
        "one sentence, with padding in front",
        (
            np.array([[[0.0, 3.0], [2.0, 0.0]]]),
            np.array([[0, 0]]),
            np.array([[False, True]]),
        ),
    )
    yield (
        "two sentences, one of them without words",
        (
            np.array([[[2.0, 0.0], [0.0, 1.0]], [[3.0, 0.0], [1.0, 0.0]]]),
            np.array([[1, 0], [0, 1]]),
            np.array([[True, True], [False, False]]),
        ),
    )
    mask = np.arange(5) < np.array([[5], [1], [3]])
    yield (
        "three sentences of 5, 1, and 3 real tokens",
        (rng.normal(size=(3, 5, 4)) * 3, rng.integers(0, 4, (3, 5)), mask),
    )
    masks = five_masks(6)
    logits, targets = rng.normal(size=(5, 6, 4)), rng.integers(0, 4, (5, 6))
    yield "a sentence for each kind of mask", (logits, targets, masks)
    yield from _extreme_loss_cases()
    yield from _padded_loss_cases(rng, masks)
    yield from _small_loss_cases(rng)


def _extreme_loss_cases():
    """Logits far from 0, and far from each other."""
    yield (
        "logits near 1000, near -1000, and from -3000 to 3000",
        (extreme_scores(3)[None], np.array([[1, 2, 1]]), np.full((1, 3), True)),
    )
    logits = np.array([[[1.0, 0.0], [-1000.0, -1030.0]]])
    yield (
        "small and large logits together",
        (logits, np.array([[0, 1]]), np.array([[True, True]])),
    )
    logits = np.array([[[0.0, 2000.0], [30.0, 0.0]]])
    yield (
        "words that are almost impossible",
        (logits, np.array([[0, 1]]), np.array([[True, True]])),
    )


def _small_loss_cases(rng):
    """Sizes of 1, sizes that are equal, and single precision."""
    yield (
        "one sentence of one token, whole numbers",
        (np.array([[[1.0, 3.0, 0.0]]]), np.array([[0]]), np.array([[True]])),
    )
    yield (
        "a vocabulary of one word",
        (np.array([[[5.0], [2.0]]]), np.array([[0, 0]]), np.array([[True, False]])),
    )
    yield (
        "all sizes are 3",
        (
            rng.normal(size=(3, 3, 3)),
            rng.integers(0, 3, (3, 3)),
            np.array([[True, False, False], [True, True, True], [False, True, True]]),
        ),
    )
    logits = rng.normal(size=(2, 4, 5)).astype("float32")
    mask = np.array([[False, True, True, True], [True, True, False, True]])
    yield "float32", (logits, rng.integers(0, 5, (2, 4)), mask)


def _padded_loss_cases(rng, masks):
    """What stands at padding does not matter: first in logits, then in targets."""
    real = np.array([[True, False]])
    yield (
        "inf and NaN as the logits of padding",
        (np.array([[[2.0, 0.0], [np.inf, np.nan]]]), np.array([[0, 1]]), real),
    )
    logits = np.resize([-20_000.0, -20_040.0, -20_030.0, -20_050.0], (5, 6, 4))
    wide = np.repeat(masks[..., None], 4, axis=-1)  # (batch, target_len, vocabulary)
    targets = rng.integers(0, 4, (5, 6))
    yield (
        "inf, NaN, and 1e10 as logits of padding, and real ones near -20,000",
        (spoiled_padding(logits, wide), targets, masks),
    )
    yield (
        "99, which is no word, as the target of padding",
        (np.array([[[2.0, 0.0], [0.0, 1.0]]]), np.array([[0, 99]]), real),
    )
    targets = np.where(masks, targets, np.resize([-1, 99], masks.shape))
    yield (
        "-1 and 99 as targets of padding",
        (rng.normal(size=(5, 6, 4)), targets, masks),
    )


@exercise(
    _loss_cases,
    hints=[
        (
            "The loss of one token is `log(sum(exp(logits))) - logits[target]`. "
            "Nothing may be computed from what stands at padding: an array can be "
            "indexed with a boolean mask of its first axes."
        ),
        (
            "`logits[mask]` has shape (real tokens, vocabulary). For the logarithm of "
            "the sum, subtract each token's largest logit first. "
            "`np.take_along_axis` picks each target's logit."
        ),
    ],
)
def sequence_loss(logits, targets, mask):
    """Mean of -log softmax(logits)[target], in nats, over the real tokens.

    logits: (batch, target_len, vocabulary), of any size: 1000 must not overflow.
    targets: (batch, target_len), ints. mask: (batch, target_len), True = a real token;
    at least one is, and padding may stand anywhere. At padding, logits may be anything,
    also inf or NaN, and so may targets, also numbers of no word, such as 99 or -1. A
    sentence that is all padding adds nothing. Returns a float.
    """
    logits, targets = logits[mask], targets[mask]  # (tokens, vocabulary), (tokens,)
    shifted = logits - logits.max(axis=-1, keepdims=True)
    log_total = np.log(np.exp(shifted).sum(axis=-1))  # (tokens,)
    picked = np.take_along_axis(shifted, targets[:, None], axis=-1)[:, 0]  # (tokens,)
    return (log_total - picked).mean()


def _picked(values, targets):
    picked = np.take_along_axis(values, targets[..., None], axis=-1)
    return picked[..., 0]  # (batch, target_len)


def _token_losses(logits, targets, axis=-1):
    """-log softmax(logits)[target] at every position: (batch, target_len)."""
    log_weights = logits - np.logaddexp.reduce(logits, axis=axis, keepdims=True)
    return -_picked(log_weights, targets)


def _probabilities(logits):
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def _sentence_means(losses, mask):
    """The mean over each sentence: (batch,), NaN where it is all padding."""
    return np.where(mask, losses, 0).sum(axis=1) / mask.sum(axis=1)


# Wrong means over the losses of all positions: (message, function (losses, mask)).
TIMES_MASK = (
    "You multiply by the mask, but NaN and infinity times 0 are NaN. "
    "Select the real tokens instead: an array can be indexed with the mask."
)
OVER_ALL_POSITIONS = (
    "You divide by the number of all positions. Divide by the number of real tokens."
)
BY_SENTENCE = (
    "You average within each sentence first, "
    "so a token of a short sentence counts more. Average over all tokens."
)
PER_SENTENCE = "You divide by the number of sentences. Return the loss per token."
PADDING_COUNTS = (
    "Padding counts in your loss. Average only over the positions where mask is True."
)
WRONG_MEANS = [
    (
        PADDING_COUNTS,
        lambda losses, mask: losses.mean(),
    ),
    (TIMES_MASK, lambda losses, mask: (losses * mask).sum() / mask.sum()),
    (OVER_ALL_POSITIONS, lambda losses, mask: (losses * mask).mean()),
    (OVER_ALL_POSITIONS, lambda losses, mask: np.where(mask, losses, 0).mean()),
    (BY_SENTENCE, lambda losses, mask: _sentence_means(losses, mask).mean()),
    (
        BY_SENTENCE,
        lambda losses, mask: _sentence_means(losses, mask)[mask.any(axis=1)].mean(),
    ),
    (
        BY_SENTENCE,
        lambda losses, mask: np.nan_to_num(_sentence_means(losses, mask)).mean(),
    ),
    (
        BY_SENTENCE,
        lambda losses, mask: ((losses * mask).sum(axis=1) / mask.sum(axis=1)).mean(),
    ),
    (PER_SENTENCE, lambda losses, mask: losses[mask].sum() / len(mask)),
    (PER_SENTENCE, lambda losses, mask: (losses * mask).sum() / len(mask)),
    (
        "You return a sum: divide by the number of real tokens.",
        lambda losses, mask: losses[mask].sum(),
    ),
    (
        "Your loss is in bits: use the natural logarithm.",
        lambda losses, mask: losses[mask].mean() / np.log(2),
    ),
    (
        "Your logarithm has the base 10: use the natural logarithm.",
        lambda losses, mask: losses[mask].mean() / np.log(10),
    ),
    (
        "You return the mean log probability: the loss is its negative.",
        lambda losses, mask: -losses[mask].mean(),
    ),
    (
        "You return the perplexity. The loss is its logarithm.",
        lambda losses, mask: np.exp(losses[mask].mean()),
    ),
    (
        "Your mask is inverted: True means a real token.",
        lambda losses, mask: losses[~mask].sum() / (~mask).sum(),
    ),
]

# Wrong losses of single tokens: (message, function (logits, targets)).
OVERFLOWS = (
    "exp overflows at a logit of 1000. "
    "Subtract each position's largest logit before you take exp."
)
ONE_MAXIMUM = (
    "You subtract the largest of all logits, so a position with much smaller logits "
    "underflows. Subtract each position's own maximum."
)
LIMITED = (
    "A smallest probability inside the logarithm, such as 1e-9, limits the loss. "
    "Work with log probabilities."
)
OVER_POSITIONS = "Your softmax runs over the positions, not over the vocabulary."


def _shifted(logits):
    return logits - logits.max(axis=-1, keepdims=True)


def _log_total(logits):
    return np.log(np.exp(logits).sum(axis=-1))


WRONG_LOSSES = [
    (
        OVER_POSITIONS,
        lambda logits, targets: _token_losses(logits, targets, axis=1),
    ),
    (
        OVERFLOWS,
        lambda logits, targets: (
            -np.log(
                _picked(np.exp(logits) / np.exp(logits).sum(-1, keepdims=True), targets)
            )
        ),
    ),
    (
        OVERFLOWS,
        lambda logits, targets: _log_total(logits) - _picked(logits, targets),
    ),
    (
        ONE_MAXIMUM,
        lambda logits, targets: (
            _log_total(logits - logits.max()) - _picked(logits - logits.max(), targets)
        ),
    ),
    (
        "A probability that rounds to zero has an infinite logarithm. "
        "Work with log probabilities.",
        lambda logits, targets: -np.log(_picked(_probabilities(logits), targets)),
    ),
    (
        "You take the logits for log probabilities. "
        "Subtract the logarithm of the sum of their exponentials.",
        lambda logits, targets: -_picked(logits, targets),
    ),
    (
        "You average probabilities. The loss is minus the logarithm of each.",
        lambda logits, targets: -_picked(_probabilities(logits), targets),
    ),
    (
        "You average probabilities. The loss is minus the logarithm of each.",
        lambda logits, targets: _picked(_probabilities(logits), targets),
    ),
] + [
    (
        LIMITED,
        lambda logits, targets, added=added: (
            -np.log(_picked(_probabilities(logits), targets) + added)
        ),
    )
    for added in (1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12)
]


def _with(losses, mean, any_target):
    """A wrong answer: the losses of all positions, and their mean. Where not
    ``any_target``, it looks up the targets of padding, too.
    """

    def mistake(logits, targets, mask):
        if any_target:
            targets = np.clip(targets, 0, logits.shape[-1] - 1)
        return mean(losses(logits, targets), mask)

    return mistake


def _real_mean(losses, mask):
    return losses[mask].mean()


for any_target in (False, True):
    for message, mean in WRONG_MEANS:
        sequence_loss.known_mistake(message)(_with(_token_losses, mean, any_target))
    for message, losses in WRONG_LOSSES:
        sequence_loss.known_mistake(message)(_with(losses, _real_mean, any_target))


@sequence_loss.known_mistake(ONE_MAXIMUM)
def one_maximum_for_all_tokens(logits, targets, mask):
    logits, targets = logits[mask], targets[mask]  # (tokens, vocabulary), (tokens,)
    shifted = logits - logits.max()
    return (_log_total(shifted) - _picked(shifted, targets)).mean()


@sequence_loss.known_mistake(
    "You add up the exponentials of all tokens. Each token has a sum of its own."
)
def one_sum_for_all_tokens(logits, targets, mask):
    shifted = _shifted(logits[mask])
    return np.log(np.exp(shifted).sum()) - _picked(shifted, targets[mask]).mean()


@sequence_loss.known_mistake(OVER_POSITIONS)
def over_all_tokens(logits, targets, mask):
    return _token_losses(logits[mask], targets[mask], axis=0).mean()


def _with_padding_as(value):
    """The solution, but its softmax runs over the positions, with ``value`` there."""

    def mistake(logits, targets, mask):
        logits = np.where(mask[..., None], logits, value)
        return _token_losses(logits, np.where(mask, targets, 0), axis=1)[mask].mean()

    return mistake


for value in (0, -1e9, -np.inf):
    sequence_loss.known_mistake(OVER_POSITIONS)(_with_padding_as(value))


@sequence_loss.known_mistake(PADDING_COUNTS)
def equal_logits_at_padding(logits, targets, mask):
    logits = np.where(mask[..., None], logits, 0)
    return _token_losses(logits, np.where(mask, targets, 0)).mean()


@sequence_loss.known_mistake(LIMITED)
def at_least_a_tiny_number(logits, targets, mask):
    picked = _picked(_probabilities(logits[mask]), targets[mask])
    return -np.log(np.maximum(picked, 1e-300)).mean()


def _with_mask(other, any_target):
    """The solution with other(targets, mask) for a mask."""

    def mistake(logits, targets, mask):
        mask = other(targets, mask)
        if any_target:
            targets = np.clip(targets, 0, logits.shape[-1] - 1)
        if not mask.any():
            return float("nan")  # without NumPy's warning about an empty mean
        return sequence_loss.reference_solution(logits, targets, mask)

    return mistake


UP_TO_PADDING = (
    "You stop at the first padding of a sentence, but real tokens may follow it: use "
    "the mask itself."
)
FROM_TARGETS = (
    "You tell padding by its target, but 0 is a word like any other, and padding may "
    "have any target. The mask alone says what is padding."
)
add_mask_from_the_front(sequence_loss)
for message, other in [
    (
        COUNTED_FROM_THE_FRONT,
        lambda targets, mask: (
            np.arange(mask.shape[1]) < mask.sum(axis=1, keepdims=True)
        ),
    ),
    (UP_TO_PADDING, lambda targets, mask: np.logical_and.accumulate(mask, axis=1)),
    (FROM_TARGETS, lambda targets, mask: targets > 0),
    (FROM_TARGETS, lambda targets, mask: targets != 0),
    (FROM_TARGETS, lambda targets, mask: mask & (targets != 0)),
]:
    for any_target in (False, True):
        sequence_loss.known_mistake(message)(_with_mask(other, any_target))


PADDED_TARGETS = (
    "You look up the targets of padding, which may be numbers of no word. "
    "Select the real tokens before you look anything up."
)


@sequence_loss.known_mistake(PADDED_TARGETS)
def looks_up_padding(logits, targets, mask):
    return _token_losses(logits, targets)[mask].mean()


@sequence_loss.known_mistake(PADDED_TARGETS)
def looks_up_padding_in_one_hot(logits, targets, mask):
    one_hot = np.eye(logits.shape[-1], dtype=bool)[targets]
    log_weights = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
    return -np.where(one_hot, log_weights, 0).sum(axis=-1)[mask].mean()


MAX_CALLS = 1000  # of step in one case; the solution's are at most 60
ENDLESS = (
    f"Your loop does not end: it has called step {MAX_CALLS} times. Leave it when step "
    "chooses end, and at max_length tokens in any case."
)
WRONG_ORDER = "Call step(token, state), in this order. token should be one int."


def _guarded(step):
    """The same step, which ends a loop that does not, and says what it is called with.

    Its argument token is one int.
    """
    calls = itertools.count(1)

    def guarded(token, state):
        if next(calls) > MAX_CALLS:
            raise CheckFailed(ENDLESS)
        try:
            token = operator.index(token)
        except TypeError:
            raise CheckFailed(WRONG_ORDER) from None
        return step(token, state)

    guarded.__name__ = step.__name__  # a message shows it
    return guarded


def counting_step(token, state):
    """Returns 5, 4, 3, ... down from the state, and 0 (the end) at zero."""
    return np.eye(64)[int(state[0])], np.maximum(state - 1, 0)


def next_token_step(token, state):
    """Returns the token after the last one, whatever the state is."""
    return np.eye(10)[min(token + 1, 9)], state


def spelling_step(token, state, size=1.0, shift=0.0):
    """Returns the tokens of the state, one after the other, and then 0."""
    chosen = state[0] if len(state) else 0
    return size * np.eye(10)[chosen] + shift, state[1:]


def large_step(token, state):
    return spelling_step(token, state, shift=1000.0)


def negative_step(token, state):
    return spelling_step(token, state, shift=-1000.0)


def recurrent_step(rng, vocabulary=6):
    """A random recurrent step whose next word depends on the state and the token."""
    embedding, recurrent = rng.normal(size=(vocabulary, 8)), rng.normal(size=(8, 8))
    readout = rng.normal(size=(8, vocabulary)) * 3

    def step(token, state):
        state = np.tanh(embedding[token] + state @ recurrent)
        return state @ readout, state

    return step


def _decode_arguments(rng):
    """(title, arguments), where nothing looks at what step is called with."""
    three, nothing = np.array([3]), np.array([])
    yield "step counts its state down, 0 is the end", (counting_step, three, 9, 0, 8)
    yield "step adds one to the last token", (next_token_step, nothing, 0, 6, 8)
    yield "step never chooses the end", (next_token_step, nothing, 0, -1, 4)
    yield "the sentence and its end fit exactly", (counting_step, three, 9, 0, 4)
    yield (
        "the sentence fits exactly, its end does not",
        (counting_step, three, 9, 0, 3),
    )
    yield "the end comes first", (counting_step, np.array([0]), 9, 0, 8)
    repeated = np.array([3, 1, 3, 3, 1, 0, 2])
    yield "words repeat", (spelling_step, repeated, 9, 0, 8)
    yield "step chooses the number of start", (spelling_step, repeated, 1, 0, 8)
    yield "step chooses the number of start first", (spelling_step, repeated, 3, 0, 8)
    yield (
        "one token is both start and end",
        (spelling_step, np.array([3, 1, 0]), 0, 0, 8),
    )
    yield "start and end are one token, words repeat", (large_step, repeated, 0, 0, 8)
    yield "max_length is 0", (counting_step, three, 9, 0, 0)
    yield "max_length is 0, and step never ends", (next_token_step, nothing, 0, -1, 0)
    yield "max_length is 1", (counting_step, three, 9, 0, 1)
    yield "50 words", (counting_step, np.array([50]), 60, 0, 60)
    yield "logits of 1000", (large_step, repeated, 9, 0, 8)
    yield "logits of -1000", (negative_step, repeated, 9, 0, 8)
    for start, end, dtype in [(0, 5, "d"), (3, 0, "d"), (5, 1, "f"), (1, 4, "f")]:
        state = rng.normal(size=8).astype(dtype)
        yield "a random recurrent step", (recurrent_step(rng), state, start, end, 6)


def _decode_cases(rng):
    for title, (step, *others) in _decode_arguments(rng):
        yield title, (_guarded(step), *others)


@exercise(
    _decode_cases,
    hints=[
        (
            "Keep two things from step to step: "
            "the last token, which is `start` at first, and the state."
        ),
        (
            "A `for` loop over `range(max_length)` ends in any case. `np.argmax` of "
            "the logits is the token that is chosen. Look at it before you append it."
        ),
    ],
)
def greedy_decode(step, state, start, end, max_length):
    """Take the most probable token at every step, until `end` or `max_length` tokens.

    step: function (token, state) -> (logits, new_state), with logits (vocabulary,) of
    any size, 1000 too. state: the initial state. start, end: the tokens before the
    first word and after the last, which may be the same. max_length: 0 or more. Returns
    the tokens that were chosen, as a list of ints: `end` is not among them, and `start`
    is only if a step chose it as a word.
    """
    tokens, token = [], start
    for _ in range(max_length):
        logits, state = step(token, state)
        token = int(np.argmax(logits))
        if token == end:
            break
        tokens.append(token)
    return tokens


def _tokens_with_end(step, state, start, end, max_length, stops_at_start):
    """The tokens and the end; ``stops_at_start`` where start may be the end, too."""
    tokens, token = [], start
    while len(tokens) < max_length and not (stops_at_start and token == end):
        logits, state = step(token, state)
        token = int(np.argmax(logits))
        tokens.append(token)
        if token == end:
            break
    return tokens


@greedy_decode.known_mistake("The list still holds the end token.")
def keeps_the_end(step, state, start, end, max_length):
    return _tokens_with_end(step, state, start, end, max_length, stops_at_start=False)


@greedy_decode.known_mistake("The list still holds the end token.")
def keeps_the_end_while_it_is_not_end(step, state, start, end, max_length):
    return _tokens_with_end(step, state, start, end, max_length, stops_at_start=True)


@greedy_decode.known_mistake("The list still holds the end token.")
def appends_the_end(step, state, start, end, max_length):
    tokens = greedy_decode.reference_solution(step, state, start, end, max_length)
    return [*tokens, end]


@greedy_decode.known_mistake("The list still holds the start token.")
def keeps_the_start(step, state, start, end, max_length):
    return [start] + greedy_decode.reference_solution(
        step, state, start, end, max_length
    )


@greedy_decode.known_mistake("The list still holds the start token.")
def counts_the_start(step, state, start, end, max_length):
    tokens = [start]
    while len(tokens) < max_length:
        logits, state = step(tokens[-1], state)
        if np.argmax(logits) == end:
            break
        tokens.append(int(np.argmax(logits)))
    return tokens


@greedy_decode.known_mistake("The list still holds the start token and the end token.")
def keeps_both(step, state, start, end, max_length):
    return [start] + keeps_the_end(step, state, start, end, max_length)


@greedy_decode.known_mistake("The list still holds the start token and the end token.")
def keeps_both_while_it_is_not_end(step, state, start, end, max_length):
    arguments = step, state, start, end, max_length
    return [start, *keeps_the_end_while_it_is_not_end(*arguments)]


@greedy_decode.known_mistake(
    "Your loop compares start with end, too, and one token may be both. Compare only "
    "what step chooses."
)
def compares_start_with_end(step, state, start, end, max_length):
    if start == end:
        return []
    return greedy_decode.reference_solution(step, state, start, end, max_length)


FORGETS_THE_STATE = (
    "Every step gets the initial state. Pass on the new state that step returns."
)


@greedy_decode.known_mistake(FORGETS_THE_STATE)
def forgets_the_state(step, state, start, end, max_length):
    return greedy_decode.reference_solution(
        lambda token, _: (step(token, state)[0], state), state, start, end, max_length
    )


FORGETS_THE_TOKEN = (
    "Every step gets the start token. Pass on the token that was just chosen."
)


@greedy_decode.known_mistake(FORGETS_THE_TOKEN)
def forgets_the_token(step, state, start, end, max_length):
    return greedy_decode.reference_solution(
        lambda _, state: step(start, state), state, start, end, max_length
    )


@greedy_decode.known_mistake("Every step gets the start token and the initial state.")
def forgets_both(step, state, start, end, max_length):
    return greedy_decode.reference_solution(
        lambda *_: step(start, state), state, start, end, max_length
    )


@greedy_decode.known_mistake(WRONG_ORDER)
def swaps_token_and_state(step, state, start, end, max_length):
    return greedy_decode.reference_solution(
        lambda token, state: step(state, token), state, start, end, max_length
    )


@greedy_decode.known_mistake(
    "step returns two things, the logits first and then the new state. You exchange "
    "them."
)
def swaps_logits_and_state(step, state, start, end, max_length):
    return greedy_decode.reference_solution(
        lambda token, state: step(token, state)[::-1], state, start, end, max_length
    )


GOES_ON = "You continue after the end token. Leave the loop there."


@greedy_decode.known_mistake(GOES_ON)
def skips_the_end(step, state, start, end, max_length):
    return [
        token
        for token in greedy_decode.reference_solution(
            step, state, start, -1, max_length
        )
        if token != end
    ]


@greedy_decode.known_mistake(GOES_ON)
def ignores_the_end(step, state, start, end, max_length):
    return greedy_decode.reference_solution(step, state, start, -1, max_length)


@greedy_decode.known_mistake(ENDLESS)
def ignores_max_length(step, state, start, end, max_length):
    return greedy_decode.reference_solution(step, state, start, end, 2 * MAX_CALLS)


@greedy_decode.known_mistake(ENDLESS)
def ignores_both_ends(step, state, start, end, max_length):
    return greedy_decode.reference_solution(step, state, start, -1, 2 * MAX_CALLS)


@greedy_decode.known_mistake("You return one more token than max_length.")
def one_too_many(step, state, start, end, max_length):
    return greedy_decode.reference_solution(step, state, start, end, max_length + 1)


@greedy_decode.known_mistake(
    "You return a token even where max_length is 0. "
    "Look at max_length before you call step."
)
def one_at_least(step, state, start, end, max_length):
    return greedy_decode.reference_solution(step, state, start, end, max(max_length, 1))


ONE_TOO_FEW = (
    "Your list is one token short when max_length is reached: the loop ends early, or "
    "a last token that is not end is removed."
)


@greedy_decode.known_mistake(ONE_TOO_FEW)
def removes_the_last(step, state, start, end, max_length):
    return keeps_the_end_while_it_is_not_end(step, state, start, end, max_length)[:-1]


@greedy_decode.known_mistake(ONE_TOO_FEW)
def one_too_few(step, state, start, end, max_length):
    return greedy_decode.reference_solution(step, state, start, end, max_length - 1)


@greedy_decode.known_mistake(
    "You take the least probable token. Take the one with the largest logit."
)
def least_likely(step, state, start, end, max_length):
    return greedy_decode.reference_solution(
        lambda *last: (-step(*last)[0], step(*last)[1]), state, start, end, max_length
    )


@greedy_decode.known_mistake(
    "You stop at start as well as at end. Only end ends a sentence."
)
def stops_at_start(step, state, start, end, max_length):
    tokens = greedy_decode.reference_solution(step, state, start, end, max_length)
    return list(itertools.takewhile(lambda token: token != start, tokens))


@greedy_decode.known_mistake(
    "You leave out every token that equals start. One that a step chose is a word."
)
def leaves_out_start(step, state, start, end, max_length):
    tokens = greedy_decode.reference_solution(step, state, start, end, max_length)
    return [token for token in tokens if token != start]


NO_SOFTMAX = (
    "exp overflows at a logit of 1000, and vanishes at -1000. The largest logit "
    "belongs to the most probable token, so no softmax is needed."
)


def _with_probabilities(probabilities):
    def mistake(step, state, start, end, max_length):
        def exponential_step(token, state):
            logits, state = step(token, state)
            return probabilities(logits), state

        return greedy_decode.reference_solution(
            exponential_step, state, start, end, max_length
        )

    return mistake


greedy_decode.known_mistake(NO_SOFTMAX)(_with_probabilities(np.exp))
greedy_decode.known_mistake(NO_SOFTMAX)(
    _with_probabilities(_mistakes.faulty(shift=None, nothing="nan"))
)


def _random_sentences(rng, count=12):
    """Random sources and targets, and predictions that miss by little."""
    words = np.array(["un", "deux", "trois", "-"])
    sources = [["w"] * length for length in rng.integers(1, 12, count).tolist()]
    targets = [words[rng.integers(0, 4, n)].tolist() for n in rng.integers(2, 5, count)]
    wrong = [
        lambda target: target,
        lambda target: target,
        lambda target: target[:-1],
        lambda target: [*target, "cent"],
        lambda target: ["cent", *target[1:]],
        lambda target: [*target[1:], "cent"],
    ]
    predictions = [
        list(wrong[kind](target))
        for kind, target in zip(rng.integers(0, 6, count), targets, strict=True)
    ]
    return sources, predictions, targets


def _length_cases(rng):
    sources = [["a"], ["a", "b"], ["a", "b", "c"], ["a", "b", "c", "d"]]
    targets = [["x", "y"], ["x"], ["x", "y", "z"], ["z", "z", "z"]]
    predictions = [["x", "y"], ["y"], ["x", "y", "z"], ["z", "z"]]
    yield (
        "four sentences of 1 to 4 words, two bins",
        (sources, predictions, targets, [1, 3, 4]),
    )
    yield (
        "four sentences, three bins",
        (sources, predictions, targets, [0, 2, 5, 9]),
    )
    yield (
        "all lists of length 3",
        (sources[:3], predictions[:3], targets[:3], [1, 2, 3]),
    )
    sources = [["eighty"], ["eighty", "-"], ["eighty", "-", "one"], ["a"] * 4]
    sources.append(["a"] * 5)
    yield (
        "five sentences of 1 to 5 words",
        (
            sources,
            [["x", "y"], ["x", "x", "y"], ["x", "yz"], ["x y", "z"], ["x"]],
            [["y", "x"], ["x", "y", "y"], ["xy", "z"], ["x", "y z"], ["x"]],
            [1, 2, 3, 4, 5, 6],
        ),
    )
    yield (
        "eight sentences, two in each bin",
        (
            [*sources[:2], *sources[:2], *sources[2:4], *sources[2:4]],
            [["y", "x", "x"], ["x"], ["."], ["New York"]]
            + [["two", "o"], ["x", "x"], ["X"], []],
            [["x", "x", "y"], ["x"], [".", "."], ["New", "York"]]
            + [["t", "woo"], ["x", "x"], ["x"], ["x"]],
            [1, 2, 3, 4, 5],
        ),
    )
    yield from _edge_length_cases(rng)


def _edge_length_cases(rng):
    """Words too many, and lengths at the edges of bins."""
    sources = [["a"] * length for length in range(1, 6)]
    yield (
        "five sentences, one in each bin",
        (
            sources,
            [["y", "x"], ["x", "y"], ["x", "y", "z"], ["x", "y", "z"], ["x", "y"]],
            [["x"], ["x"], ["x", "z"], ["x", "x", "z"], ["x", "y"]],
            [1, 2, 3, 4, 5, 6],
        ),
    )
    yield (
        "seven sentences, some of them in no bin",
        (
            [["a"] * length for length in (1, 2, 2, 4, 6, 6, 7)],
            [["y"], ["x"], ["y"], ["x"], ["x"], ["y"], ["x"]],
            [["x"]] * 7,
            [2, 4, 6],
        ),
    )
    yield (
        "three sentences, with sources of 0, 0, and 100 words",
        ([[], [], ["a"] * 100], [[], ["x"], ["x"]], [[], [], ["x"]], [0, 1, 50, 200]),
    )
    yield "no sentence at all", ([], [], [], [1, 2, 3])
    yield "twelve sentences, three bins", (*_random_sentences(rng), [2, 5, 6, 10])
    yield "twelve sentences, two bins", (*_random_sentences(rng), [1, 4, 11])


@exercise(
    _length_cases,
    hints=[
        (
            "A bin holds the sentences with `edges[i] <= len(source) < edges[i + 1]`, "
            "and `zip(edges[:-1], edges[1:])` gives the bins' edges."
        ),
        (
            "Two lists are equal if they have the same items in the same order. "
            "Divide by the number of sentences in the bin, if there are any."
        ),
    ],
)
def exact_match_by_length(sources, predictions, targets, edges):
    """The fraction of exact matches, by the length of the source in tokens.

    sources, predictions, targets: lists of sentences, each a list of tokens (strings);
    a sentence may be empty. A prediction matches if it has the same tokens as its
    target in the same order. edges: bin i holds the sentences with
    edges[i] <= length < edges[i + 1], the last bin too; a sentence may be in no bin.
    Returns a list of len(edges) - 1 floats, float("nan") for an empty bin.
    """
    fractions = []
    for low, high in zip(edges[:-1], edges[1:], strict=True):
        hits = []
        triples = zip(sources, predictions, targets, strict=True)
        for source, prediction, target in triples:
            if low <= len(source) < high:
                hits.append(prediction == target)
        fractions.append(sum(hits) / len(hits) if hits else float("nan"))
    return fractions


def _in_bin(length, low, high, is_last):
    return low <= length < high


def _mean_or_nan(hits):
    return sum(hits) / len(hits) if hits else float("nan")


def _by_length(
    binned="source",
    length=len,
    inside=_in_bin,
    score=lambda prediction, target: float(prediction == target),
    mean=_mean_or_nan,
):
    """The solution with other parts: what is binned ("source", "prediction", or
    "target") by which length, what a bin holds, what a sentence scores, and the mean.
    """

    def mistake(sources, predictions, targets, edges):
        lists = {"source": sources, "prediction": predictions, "target": targets}
        lengths = list(map(length, lists[binned]))
        fractions = []
        for low, high in zip(edges[:-1], edges[1:], strict=True):
            hits = [
                score(prediction, target)
                for n, prediction, target in zip(
                    lengths, predictions, targets, strict=True
                )
                if inside(n, low, high, high == edges[-1])
            ]
            fractions.append(mean(hits))
        return fractions

    return mistake


SETS = "You compare sets of tokens, which have neither order nor repetition."
JOINED = (
    "You join the tokens to one string, and different lists can give the same string. "
    "Compare the lists."
)
CHARACTERS = "You count characters. The length of a source is its number of tokens."
TOKEN_ACCURACY = (
    "You count correct tokens. A sentence counts only if all of it is correct."
)
ZIPPED = (
    "You compare only as far as the shorter list (as zip does), "
    "so a prediction that is too short or too long can count as correct."
)
BEGINNING = (
    "You compare only the beginning of one list with the other. They have to be equal "
    "in full."
)
WORDS_FOUND = (
    "You only look for the words of one list in the other. "
    "Both have to be the same list."
)
NOTHING_MEASURED = "Nothing was measured in an empty bin: its fraction is float('nan')."
COUNTS = "You return counts. Divide by the number in the bin."


def _hits(prediction, target):
    return sum(p == t for p, t in zip(prediction, target, strict=False))


for message, parts in [
    (
        "You bin by the length of the target. Bin by the length of the source.",
        {"binned": "target"},
    ),
    (
        "You bin by the length of the prediction. Bin by the length of the source.",
        {"binned": "prediction"},
    ),
    (CHARACTERS, {"length": lambda source: len("".join(source))}),
    (CHARACTERS, {"length": lambda source: len(" ".join(source))}),
    (
        "Your bins include their upper edge. "
        "A length equal to edges[i + 1] belongs to the next bin.",
        {"inside": lambda n, low, high, is_last: low <= n <= high},
    ),
    (
        "Your last bin includes its upper edge, as np.histogram's does. "
        "Every bin excludes it here, the last one too.",
        {"inside": lambda n, low, high, is_last: low <= n < high + is_last},
    ),
    (
        "Your last bin holds all longer sentences, too. It ends at the last edge.",
        {"inside": lambda n, low, high, is_last: low <= n and (n < high or is_last)},
    ),
    (
        "Your bins include their upper edge and exclude their lower one. "
        "It should be the other way around.",
        {"inside": lambda n, low, high, is_last: low < n <= high},
    ),
    (
        "Your bins exclude both edges. A length equal to edges[i] belongs to bin i.",
        {"inside": lambda n, low, high, is_last: low < n < high},
    ),
    (
        "Your bins have no lower edge, "
        "so each also holds the sentences of all the bins before it.",
        {"inside": lambda n, low, high, is_last: n < high},
    ),
    *(
        (
            NOTHING_MEASURED,
            {
                "mean": lambda hits, empty=empty: (
                    sum(hits) / len(hits) if hits else empty
                )
            },
        )
        for empty in (0, 0.0, 1, 1.0, None, "nan")
    ),
    (
        "A bin without a sentence divides by zero. Return float('nan') there.",
        {"mean": lambda hits: sum(hits) / len(hits)},
    ),
    *(
        (COUNTS, {"mean": lambda hits, kind=kind: kind(sum(hits))})
        for kind in (int, float)
    ),
    (
        "You return percentages. A fraction is between 0 and 1.",
        {"mean": lambda hits: 100 * _mean_or_nan(hits)},
    ),
    (
        "You return the fraction of errors: one minus the fraction of exact matches.",
        {"score": lambda p, t: float(p != t)},
    ),
    (TOKEN_ACCURACY, {"score": lambda p, t: _hits(p, t) / len(t)}),
    (TOKEN_ACCURACY, {"score": lambda p, t: _hits(p, t) / max(len(t), 1)}),
    (TOKEN_ACCURACY, {"score": lambda p, t: _hits(p, t) / max(len(p), len(t), 1)}),
    (ZIPPED, {"score": lambda p, t: float(_hits(p, t) == min(len(p), len(t)))}),
    (BEGINNING, {"score": lambda p, t: float(p == t[: len(p)])}),
    (BEGINNING, {"score": lambda p, t: float(p[: len(t)] == t)}),
    (WORDS_FOUND, {"score": lambda p, t: float(all(token in p for token in t))}),
    (WORDS_FOUND, {"score": lambda p, t: float(all(token in t for token in p))}),
    (SETS, {"score": lambda p, t: float(set(p) == set(t))}),
    (
        "You compare tokens without regard to their order. It counts.",
        {"score": lambda p, t: float(sorted(p) == sorted(t))},
    ),
    (
        "You compare lengths. The tokens have to be the same.",
        {"score": lambda p, t: float(len(p) == len(t))},
    ),
    (JOINED, {"score": lambda p, t: float("".join(p) == "".join(t))}),
    (JOINED, {"score": lambda p, t: float(" ".join(p) == " ".join(t))}),
]:
    exact_match_by_length.known_mistake(message)(_by_length(**parts))


@exact_match_by_length.known_mistake(
    "A sentence that is shorter than the first edge is in no bin. "
    "Index -1 is the last bin."
)
def digitized(sources, predictions, targets, edges):
    bins = np.digitize([len(source) for source in sources], edges) - 1
    hits = [[] for _ in edges[1:]]
    for index, prediction, target in zip(bins, predictions, targets, strict=True):
        if index < len(hits):
            hits[index].append(prediction == target)
    return list(map(_mean_or_nan, hits))


@exact_match_by_length.known_mistake(
    "The sentences outside of all bins count in your first and last bin, as np.clip "
    "puts them there. They are in no bin."
)
def clipped(sources, predictions, targets, edges):
    bins = np.digitize([len(source) for source in sources], edges) - 1
    hits = [[] for _ in edges[1:]]
    triples = zip(bins.clip(0, len(hits) - 1), predictions, targets, strict=True)
    for index, prediction, target in triples:
        hits[index].append(prediction == target)
    return list(map(_mean_or_nan, hits))


@exact_match_by_length.known_mistake(
    "You go on counting from bin to bin. Start every bin at zero."
)
def counts_not_reset(sources, predictions, targets, edges):
    hits, fractions = [], []
    for low, high in zip(edges[:-1], edges[1:], strict=True):
        triples = zip(sources, predictions, targets, strict=True)
        hits += [p == t for source, p, t in triples if low <= len(source) < high]
        fractions.append(_mean_or_nan(hits))
    return fractions


@exact_match_by_length.known_mistake(
    "You divide by the number of all sentences. Divide by the number in the bin."
)
def fraction_of_all(sources, predictions, targets, edges):
    counts = _by_length(mean=sum)(sources, predictions, targets, edges)
    return [count / max(len(sources), 1) for count in counts]


@exact_match_by_length.known_mistake(
    "You divide by the number of all sentences. Divide by the number in the bin."
)
def fraction_of_all_in_full_bins(sources, predictions, targets, edges):
    return _by_length(
        mean=lambda hits: sum(hits) / len(sources) if hits else float("nan")
    )(sources, predictions, targets, edges)


def _parameter_cases(rng):
    sizes = [(3, 4), (1, 1), (5, 5), (1, 6), (7, 1), (2000, 1000)]
    for input_dim, units in [
        *sizes,
        *map(tuple, rng.integers(1, 300, (3, 2)).tolist()),
    ]:
        for kind in ("simple", "gru", "gru_reset_after", "lstm"):
            plural = "" if units == 1 else "s"
            yield f"{kind}, {units} unit{plural}", (kind, input_dim, units)


@exercise(
    _parameter_cases,
    hints=[
        (
            "Each gate or candidate has a matrix for the input, a matrix for "
            "the state, and a bias for each unit. "
            "How many gates and candidates does each kind have?"
        ),
        (
            "A GRU has two gates and one candidate; "
            "an LSTM has three gates and one candidate. "
            "With `reset_after`, every one of the GRU's three has two biases for each "
            "unit."
        ),
    ],
)
def recurrent_parameters(kind, input_dim, units):
    """The number of parameters of a recurrent layer, as Keras counts them.

    kind: "simple", "gru" (the paper's; Keras's reset_after=False), "gru_reset_after"
        (Keras's default: each gate and the candidate has a second bias, which is added
        to its product with the state) or "lstm".
    input_dim: size of one input. units: size of the state. Returns an int.
    """
    blocks = {"simple": 1, "gru": 3, "gru_reset_after": 3, "lstm": 4}[kind]
    biases = 2 if kind == "gru_reset_after" else 1
    return blocks * units * (input_dim + units + biases)


BLOCKS = {"simple": 1, "gru": 3, "gru_reset_after": 3, "lstm": 4}


def _count(blocks=BLOCKS, reset_after=2, gru=1, other=1, extra=0):
    """The solution with other numbers: of gates and candidates, of biases of each in
    the kinds of layer, and of ``extra`` biases of the GRU with reset_after=True.
    """

    def mistake(kind, input_dim, units):
        biases = {"gru_reset_after": reset_after, "gru": gru}.get(kind, other)
        count = blocks[kind] * units * (input_dim + units + biases)
        return count + (extra * units if kind == "gru_reset_after" else 0)

    return mistake


ONE_BIAS = (
    "In Keras's GRU with reset_after=True, each gate and the candidate have two "
    "biases, one for the product with the input and one for the product with the state."
)
GATES_ALONE = (
    "You counted the gates and forgot the candidate, which has matrices and a bias too."
)
GRU_TWO = (
    "A GRU has three matrices of each sort, for its two gates and its candidate. "
    "You counted two."
)
GRU_FOUR = (
    "A GRU has three matrices of each sort, for its two gates and its candidate. "
    "You counted four."
)
ONE_OF_EACH = (
    "You counted one matrix of each sort for every kind of layer. "
    "Each gate and each candidate needs its own."
)
GRU_OF_TWO = {**BLOCKS, "gru": 2, "gru_reset_after": 2}
GRU_OF_FOUR = {**BLOCKS, "gru": 4, "gru_reset_after": 4}
for message, mistake in [
    ("You left the biases out.", _count(reset_after=0, gru=0, other=0)),
    (GATES_ALONE, _count({**GRU_OF_TWO, "lstm": 3})),
    (GATES_ALONE, _count({**GRU_OF_TWO, "lstm": 3}, reset_after=1)),
    (ONE_BIAS, _count(reset_after=1)),
    (
        "With reset_after=True, the two gates have a second bias as well as the "
        "candidate.",
        _count(reset_after=1, extra=1),
    ),
    (
        "With reset_after=True, the candidate has a second bias as well as the two "
        "gates.",
        _count(reset_after=1, extra=2),
    ),
    (
        "In the paper's GRU, each gate and the candidate have one bias. "
        "In Keras's default, reset_after=True, they have two.",
        _count(gru=2),
    ),
    (
        "Only in Keras's default GRU do the gates and the candidate have two biases.",
        _count(gru=2, other=2),
    ),
    (
        "An LSTM has four matrices of each sort, for its three gates and its "
        "candidate. You counted three.",
        _count({**BLOCKS, "lstm": 3}),
    ),
    (GRU_FOUR, _count(GRU_OF_FOUR)),
    (GRU_FOUR, _count(GRU_OF_FOUR, reset_after=1, extra=3)),
    (GRU_FOUR, _count({**BLOCKS, "gru": 4})),
    (GRU_TWO, _count(GRU_OF_TWO)),
    (GRU_TWO, _count(GRU_OF_TWO, reset_after=1)),
    (GRU_TWO, _count(GRU_OF_TWO, reset_after=1, extra=3)),
    (GRU_TWO, _count({**BLOCKS, "gru": 2})),
    (ONE_OF_EACH, _count(dict.fromkeys(BLOCKS, 1), reset_after=1)),
    (ONE_OF_EACH, _count(dict.fromkeys(BLOCKS, 1))),
]:
    recurrent_parameters.known_mistake(message)(mistake)


def _in_parts(of_input=True, of_state=True, bias=lambda input_dim, units: units):
    """Counts without some matrices, or with biases of another size, in two spellings:
    with and without the second biases of the GRU with reset_after=True.
    """

    def spelling(second):
        def mistake(kind, input_dim, units):
            biases = 2 if second and kind == "gru_reset_after" else 1
            matrices = units * (of_input * input_dim + of_state * units)
            return BLOCKS[kind] * (matrices + biases * bias(input_dim, units))

        return mistake

    return spelling(True), spelling(False)


for message, spellings in [
    (
        "You left out the matrices from state to state, (units, units) each.",
        _in_parts(of_state=False),
    ),
    (
        "You left out the matrices from input to state, (input_dim, units) each.",
        _in_parts(of_input=False),
    ),
    (
        "A bias has a number for each unit. You counted a single number.",
        _in_parts(bias=lambda input_dim, units: 1),
    ),
    (
        "A bias has a number for each unit. You counted input_dim numbers.",
        _in_parts(bias=lambda input_dim, units: input_dim),
    ),
]:
    for mistake in spellings:
        recurrent_parameters.known_mistake(message)(mistake)


@recurrent_parameters.known_mistake(
    "You exchange input_dim and units. units is the size of the state, and of each "
    "bias."
)
def sizes_swapped(kind, input_dim, units):
    return recurrent_parameters.reference_solution(kind, units, input_dim)


SINGLE_BIAS = (
    "You counted the biases of one gate or candidate. Each of them has its own."
)


@recurrent_parameters.known_mistake(SINGLE_BIAS)
def one_bias_in_all(kind, input_dim, units):
    return BLOCKS[kind] * units * (input_dim + units) + units


@recurrent_parameters.known_mistake(SINGLE_BIAS)
def one_bias_in_all_or_two(kind, input_dim, units):
    biases = 2 if kind == "gru_reset_after" else 1
    return BLOCKS[kind] * units * (input_dim + units) + biases * units


# Exercises of the second half: a batch to repair, a translator to put together, and a
# claim to judge.


def _batch_cases(rng):
    yield "two targets of 3 words and 1 word", ([[5, 6, 7], [8]], 1, 2)
    yield "one target of one word", ([[4]], 1, 2)
    yield "other numbers for start and end", ([[5, 6], [8, 9, 5, 5]], 4, 3)
    yield "the shortest target first", ([[3], [4, 3], [5, 4, 3]], 1, 2)
    yield "words equal to start and end", ([[1, 2, 1], [2, 2]], 1, 2)
    yield "a target without words", ([[], [7, 7, 9]], 1, 2)
    yield "as many targets as steps", ([[9, 4], [6, 5], [7]], 1, 2)
    lengths = rng.integers(1, 9, 5)
    targets = [rng.integers(3, 40, length).tolist() for length in lengths]
    yield "five targets", (targets, 1, 2)
    yield "three targets of 4 words", (rng.integers(3, 40, (3, 4)).tolist(), 2, 1)


@exercise(
    _batch_cases,
    hints=[
        (
            "Write down both rows for the target `quatre - vingt`. What is the "
            "decoder given at its first step, and what should it predict there? What "
            "does it predict at its last step?"
        ),
        (
            "Both rows have one token more than the target. The inputs have `start` in "
            "front, and the labels have `end` behind."
        ),
    ],
    returns=("inputs", "labels"),
)
def decoder_batch(targets, start, end):
    """What a decoder is given in training, and what it should predict.

    targets: list of lists of ints, one per sentence, which may be empty. start, end:
    ints. Returns two int arrays (batch, steps): inputs, where start and then the words
    stand, and labels, where the words and then end stand. There are as many steps as
    the longest target has words, and one more; the rest of a row is 0.
    """
    steps = max(map(len, targets)) + 1
    inputs = np.zeros((len(targets), steps), int)
    labels = np.zeros((len(targets), steps), int)
    for row, target in enumerate(targets):
        inputs[row, : len(target) + 1] = [start, *target]
        labels[row, : len(target) + 1] = [*target, end]
    return inputs, labels


@decoder_batch.starter_code(
    "In training, the loss is almost 0 after one epoch. The translations are nonsense."
)
def decoder_batch(targets, start, end):
    """What a decoder is given in training, and what it should predict."""
    steps = max(map(len, targets)) + 2
    inputs = np.zeros((len(targets), steps), int)
    labels = np.zeros((len(targets), steps), int)
    for row, target in enumerate(targets):
        inputs[row, : len(target) + 2] = [start, *target, end]
        labels[row, : len(target) + 2] = [start, *target, end]
    return inputs, labels


def _rows(given, predicted, steps=lambda longest: longest + 1, left=False):
    """The solution with other rows: functions of (target, start, end) for the inputs
    and the labels, and the number of steps; ``left`` pads in front.
    """

    def mistake(targets, start, end):
        longest = max(map(len, targets))
        results = []
        for rows in (given, predicted):
            array = np.zeros((len(targets), steps(longest)), int)
            for row, target in enumerate(targets):
                tokens = rows(target, start, end)[: array.shape[1]]
                at = slice(-len(tokens), None) if left else slice(len(tokens))
                if tokens:
                    array[row, at] = tokens
            results.append(array)
        return tuple(results)

    return mistake


def _given(target, start, end):
    return [start, *target]


def _predicted(target, start, end):
    return [*target, end]


def _plain(target, start, end):
    return list(target)


def _framed(target, start, end):
    return [start, *target, end]


NOT_SHIFTED = (
    "Each step is given the word that it should predict, so the decoder only has to "
    "copy its input. Shift the inputs by one: start comes first."
)
SHIFTED_BACK = (
    "Your labels are behind the inputs. At each step the decoder should predict the "
    "word that comes next."
)
WITHOUT_END = (
    "The labels have no end, so the decoder never learns to stop. The step that is "
    "given the last word should predict end."
)
END_GIVEN = (
    "A row of inputs still holds end. In training that does no harm, because nothing "
    "has to be predicted from it, but here the rest of the row should be 0."
)
EXCHANGED = "You return the labels first. The inputs come first."
PADDED_IN_FRONT = "You pad in front of the words. The zeros belong behind them."
for message, mistake in [
    (NOT_SHIFTED, _rows(_predicted, _predicted)),
    (NOT_SHIFTED, _rows(_given, _given)),
    (NOT_SHIFTED, _rows(_plain, _plain)),
    (NOT_SHIFTED, _rows(_plain, _plain, lambda longest: longest)),
    (SHIFTED_BACK, _rows(_plain, _given)),
    (WITHOUT_END, _rows(_given, _plain)),
    (WITHOUT_END, _rows(_given, _plain, lambda longest: longest)),
    (END_GIVEN, _rows(_framed, _predicted)),
    (END_GIVEN, _rows(_framed, _predicted, lambda longest: longest + 2)),
    (
        "The inputs lack start: the decoder's first step needs a token, too.",
        _rows(_plain, _predicted),
    ),
    (
        "The labels still hold start. No step should predict it.",
        _rows(_given, _framed, lambda longest: longest + 2),
    ),
    (
        "Your arrays have one column too many. There are as many steps as the longest "
        "target has words, and one more.",
        _rows(_given, _predicted, lambda longest: longest + 2),
    ),
    (
        "The longest target is cut off. It needs one step more than it has words.",
        _rows(_given, _predicted, lambda longest: longest),
    ),
    (EXCHANGED, _rows(_predicted, _given)),
    (PADDED_IN_FRONT, _rows(_given, _predicted, left=True)),
]:
    decoder_batch.known_mistake(message)(mistake)


def paper_gru_step(x, h, w, u, b):
    """One step of the paper's GRU, as in the chapter."""
    update = 1 / (1 + np.exp(-(x @ w[0] + h @ u[0] + b[0])))
    reset = 1 / (1 + np.exp(-(x @ w[1] + h @ u[1] + b[1])))
    candidate = np.tanh(x @ w[2] + (reset * h) @ u[2] + b[2])
    return (1 - update) * h + update * candidate


paper_gru_step.__name__ = "gru_step"  # a message shows it


def _random_gru(rng, input_dim, units):
    return (
        1.5 * rng.normal(size=(3, input_dim, units)),
        1.5 * rng.normal(size=(3, units, units)),
        rng.normal(size=(3, units)),
    )


def _random_translator(rng, units, embedding_dim, vocabulary):
    """Random parameters, as the exercise describes them."""
    return {
        "source_table": rng.normal(size=(vocabulary, embedding_dim)),
        "forward": _random_gru(rng, embedding_dim, units // 2),
        "backward": _random_gru(rng, embedding_dim, units // 2),
        "first_state": (rng.normal(size=(units, units)), rng.normal(size=units)),
        "target_table": rng.normal(size=(vocabulary, embedding_dim)),
        "decoder": _random_gru(rng, embedding_dim + units, units),
        "output": (
            2 * rng.normal(size=(2 * units + embedding_dim, vocabulary)),
            rng.normal(size=vocabulary),
        ),
    }


def _translate_cases(rng):
    decode = greedy_decode.reference_solution
    sources = [[3], [4, 5], [5, 4], [3, 6, 4], [6, 3, 5, 5, 4], [4, 3, 6, 5, 3, 4, 5]]
    for source in sources:
        parameters = _random_translator(rng, 4, 3, 7)
        title = f"a source of {len(source)} word{'s' * (len(source) > 1)}"
        yield title, (source, parameters, paper_gru_step, decode, 12)
    for units, embedding_dim, vocabulary, length in [(6, 2, 9, 4), (4, 4, 8, 9)]:
        parameters = _random_translator(rng, units, embedding_dim, vocabulary)
        source = rng.integers(3, vocabulary, length).tolist()
        yield (
            f"{units} units, {embedding_dim} numbers per word",
            (source, parameters, paper_gru_step, decode, 15),
        )
    parameters = _random_translator(rng, 4, 3, 7)
    yield "max_length is 2", ([3, 4, 5], parameters, paper_gru_step, decode, 2)
    yield "max_length is 0", ([3, 4, 5], parameters, paper_gru_step, decode, 0)


@exercise(
    _translate_cases,
    hints=[
        (
            "Write a loop that encodes a list of token IDs with one GRU and returns "
            "its last state. Run it on the source, and on `source[::-1]`."
        ),
        (
            "`greedy_decode` calls a function `step(token, state)`. Define it inside "
            "of `translate`, where it can use `c` and the parameters. Its first state "
            "is `np.tanh(c @ w + b)`, with `w, b = parameters['first_state']`."
        ),
        (
            "In `step`: look the word up in `target_table`, join it with `c`, call "
            "`gru_step`, and multiply `np.concatenate([state, c, word])`, with the new "
            "state, by the output's matrix. Return the logits and the new state."
        ),
    ],
)
def translate(source, parameters, gru_step, greedy_decode, max_length):
    """Encode a source, and decode a translation of it greedily.

    source: list of token IDs. parameters: dict of NumPy arrays, and of tuples of them:
    (w, u, b) of a GRU, where u.shape[-2] is its number of units, and (w, b) of a linear
    map. gru_step: function (x, h, w, u, b) -> the new state. greedy_decode:
    function (step, state, start, end, max_length) -> list of token IDs. The IDs of
    start and end are 1 and 2. Returns the token IDs of the translation, as a list.
    """

    def encode(tokens, gru):
        h = np.zeros(gru[1].shape[-2])  # as many as u has units
        for token in tokens:
            h = gru_step(parameters["source_table"][token], h, *gru)
        return h

    forward = encode(source, parameters["forward"])
    backward = encode(source[::-1], parameters["backward"])
    c = np.concatenate([forward, backward])  # (units,)

    def step(token, state):
        word = parameters["target_table"][token]
        x = np.concatenate([word, c])
        state = gru_step(x, state, *parameters["decoder"])
        w, b = parameters["output"]
        return np.concatenate([state, c, word]) @ w + b, state

    w, b = parameters["first_state"]
    return greedy_decode(step, np.tanh(c @ w + b), 1, 2, max_length)


def _translation(
    read=lambda source: source[::-1],
    join=lambda forward, backward: (forward, backward),
    first=lambda c, w, b: np.tanh(c @ w + b),
    table="target_table",
    given=lambda word, c: (word, c),
    features=lambda state, c, word, before: (state, c, word),
    special=(1, 2),
    output_bias=True,
):
    """The solution with other parts: what the backward GRU reads, how the final states
    are joined, the first state, the decoder's table, what enters a step and the output,
    the IDs of start and end, and whether the output has its bias.
    """

    def mistake(source, parameters, gru_step, greedy_decode, max_length):
        def encode(tokens, gru):
            h = np.zeros(gru[1].shape[-2])  # as many as u has units
            for token in tokens:
                h = gru_step(parameters["source_table"][token], h, *gru)
            return h

        forward = encode(source, parameters["forward"])
        backward = encode(read(source), parameters["backward"])
        c = np.concatenate(join(forward, backward))

        def step(token, before):
            word = parameters[table][token]
            x = np.concatenate(given(word, c))
            state = gru_step(x, before, *parameters["decoder"])
            joined = np.concatenate(features(state, c, word, before))
            w, b = parameters["output"]
            return joined @ w + (b if output_bias else 0), state

        first_state = first(c, *parameters["first_state"])
        return greedy_decode(step, first_state, *special, max_length)

    return mistake


WRONG_OUTPUT = (
    "The output is computed from [state ; c ; word], in this order, with the new state."
)
for message, parts in [
    (
        "Your backward GRU reads the source from left to right, too. Give it "
        "source[::-1].",
        {"read": lambda source: source},
    ),
    (
        "You take the backward state at the last word. It has read the whole sentence "
        "at the first word.",
        {"read": lambda source: source[-1:]},
    ),
    (
        "You join the backward state first. In c the forward state comes first.",
        {"join": lambda forward, backward: (backward, forward)},
    ),
    (
        "The forward state stands in c twice. Its second half is the backward state.",
        {"join": lambda forward, backward: (forward, forward)},
    ),
    (
        "The first state lacks its tanh: tanh(c w + b).",
        {"first": lambda c, w, b: c @ w + b},
    ),
    (
        "Your decoder starts at c. Its first state is tanh(c w + b).",
        {"first": lambda c, w, b: c},
    ),
    (
        "Your decoder starts at zeros. Its first state is tanh(c w + b).",
        {"first": lambda c, w, b: np.zeros(len(c))},
    ),
    (
        "You look the decoder's words up in the source's table. They have their own.",
        {"table": "source_table"},
    ),
    (
        "You join c and the word in the wrong order: the decoder's GRU gets "
        "[word ; c].",
        {"given": lambda word, c: (c, word)},
    ),
    (WRONG_OUTPUT, {"features": lambda state, c, word, before: (c, state, word)}),
    (WRONG_OUTPUT, {"features": lambda state, c, word, before: (word, c, state)}),
    (WRONG_OUTPUT, {"features": lambda state, c, word, before: (word, state, c)}),
    (WRONG_OUTPUT, {"features": lambda state, c, word, before: (state, word, c)}),
    (
        "You compute the logits from the state before the step. Use the new one.",
        {"features": lambda state, c, word, before: (before, c, word)},
    ),
    (
        "The first state lacks its bias.",
        {"first": lambda c, w, b: np.tanh(c @ w)},
    ),
    ("The logits lack their bias.", {"output_bias": False}),
    (
        "start is 1 and end is 2. You exchange them.",
        {"special": (2, 1)},
    ),
]:
    translate.known_mistake(message)(_translation(**parts))


def _independent_cases(rng):
    yield "four sentences of 2 or 3 tokens", (np.array([4, 3, 1]), np.array([4, 4, 2]))
    yield "one token each", (np.array([3]), np.array([5]))
    yield "all correct", (np.array([6, 6, 2, 1]), np.array([6, 6, 2, 1]))
    yield "no first token is correct", (np.array([0, 4, 4]), np.array([4, 4, 4]))
    yield "all lengths are equal", (np.array([9, 8, 9, 7]), np.array([10, 10, 10, 10]))
    yield (
        "positions that no sentence has",
        (np.array([5, 3, 2, 0, 0]), np.array([5, 4, 4, 0, 0])),
    )
    yield "a last position that no sentence has", (np.array([2, 0]), np.array([3, 0]))
    for positions in (6, 25):
        tries = np.sort(rng.integers(20, 200, positions))[::-1].copy()
        hits = rng.binomial(tries, rng.uniform(0.7, 1, positions))
        yield f"{positions} positions", (hits, tries)


@exercise(
    _independent_cases,
    hints=[
        (
            "A sentence of n tokens is all correct with the product of the first n "
            "accuracies: `np.cumprod`. How many sentences have exactly n tokens?"
        ),
        (
            "`tries` counts the sentences that have a token at a position, so "
            "`tries[k] - tries[k + 1]` sentences end at position k, and all of "
            "`tries[-1]` end at the last one. Leave out positions with no sentence."
        ),
    ],
)
def exact_match_if_independent(hits, tries):
    """The exact match that token accuracies would give if errors were independent.

    hits, tries: (positions,), ints: of the sentences that have a token at a position,
    how many predict it correctly, and how many there are. tries never rises, starts
    above 0, and may end in zeros. Returns a float.
    """
    hits, tries = hits[tries > 0], tries[tries > 0]
    all_correct = np.cumprod(hits / tries)  # of the tokens up to each position
    ending = tries - np.append(tries[1:], 0)  # sentences that end at each position
    return float((ending * all_correct).sum() / tries[0])


def _counted(hits, tries):
    """Token accuracies, and the sentences that end at each position."""
    hits, tries = hits[tries > 0], tries[tries > 0]
    return hits / tries, tries - np.append(tries[1:], 0)


NO_LENGTHS = (
    "You take the product over all positions, but not every sentence is that long. "
    "Weight the product up to each position by the sentences that end there."
)
OVERALL = (
    "You raise one accuracy to the power of one length. Positions have accuracies of "
    "their own, and sentences have different lengths."
)


def _mean_length(tries):
    return tries.sum() / tries[0]


for message, mistake in [
    (NO_LENGTHS, lambda hits, tries: float(np.prod(_counted(hits, tries)[0]))),
    (
        OVERALL,
        lambda hits, tries: float((hits.sum() / tries.sum()) ** _mean_length(tries)),
    ),
    (
        OVERALL,
        lambda hits, tries: float(
            _counted(hits, tries)[0].mean() ** _mean_length(tries)
        ),
    ),
    (OVERALL, lambda hits, tries: float((hits.sum() / tries.sum()) ** len(tries))),
    (
        "That is the token accuracy. A sentence counts only if all of it is correct.",
        lambda hits, tries: float(hits.sum() / tries.sum()),
    ),
    (
        "That is the mean of the token accuracies. A sentence counts only if all of "
        "it is correct.",
        lambda hits, tries: float(_counted(hits, tries)[0].mean()),
    ),
    (
        "You give every position the same weight. Weight the product up to each "
        "position by the number of sentences that end there.",
        lambda hits, tries: float(np.cumprod(_counted(hits, tries)[0]).mean()),
    ),
    (
        "You weight by the sentences that have a token at each position. Count the "
        "ones that end there.",
        lambda hits, tries: float(
            (np.cumprod(_counted(hits, tries)[0]) * tries[tries > 0]).sum()
            / tries.sum()
        ),
    ),
    (
        "You leave out the sentences that end at the last position.",
        lambda hits, tries: float(
            (np.cumprod(_counted(hits, tries)[0]) * _counted(hits, tries)[1])[:-1].sum()
            / tries[0]
        ),
    ),
    (
        "You return a number of sentences. Divide by how many there are, tries[0].",
        lambda hits, tries: float(
            (np.cumprod(_counted(hits, tries)[0]) * _counted(hits, tries)[1]).sum()
        ),
    ),
]:
    exact_match_if_independent.known_mistake(message)(mistake)


@exact_match_if_independent.known_mistake(
    "A position with no sentence gives 0 / 0, which is NaN. Leave it out."
)
def divides_by_zero(hits, tries):
    with np.errstate(invalid="ignore"):
        all_correct = np.cumprod(hits / tries)
    ending = tries - np.append(tries[1:], 0)
    return float((ending * all_correct).sum() / tries[0])
