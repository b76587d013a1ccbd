"""Exercises of chapter 02, "The encoder–decoder bottleneck"."""

import numpy as np

from attnlib.checking.exercise import exercise


def _loss_cases(rng):
    logits = np.array([[[2.0, 0.0], [0.0, 1.0]], [[0.0, 0.0], [5.0, 0.0]]])
    targets, mask = np.array([[0, 0], [1, 1]]), np.array([[True, True], [True, False]])
    yield "two sentences of 2 and 1 real tokens, two words", (logits, targets, mask)
    logits = rng.normal(size=(3, 5, 4)) * 3
    mask = np.arange(5) < np.array([[5], [1], [3]])
    yield (
        "three sentences of 5, 1, and 3 real tokens",
        (logits, rng.integers(0, 4, (3, 5)), mask),
    )
    yield "a padded first position", (logits, rng.integers(0, 4, (3, 5)), mask[:, ::-1])
    logits = np.array([[[1000.0, 0.0, -1000.0], [0.0, 999.0, 1000.0]]])
    yield "logits of 1000", (logits, np.array([[1, 1]]), np.array([[True, True]]))
    logits = np.array([[[1.0, 0.0], [-1000.0, -1001.0]]])
    yield (
        "small and large logits together",
        (logits, np.array([[0, 1]]), np.array([[True, True]])),
    )


@exercise(
    _loss_cases,
    hints=[
        (
            "The loss of one token is `log(sum(exp(logits))) - logits[target]`. "
            "Compute it for every position first, and select the real tokens last."
        ),
        (
            "For the logarithm of the sum, "
            "subtract each position's largest logit first and add it back afterward. "
            "`np.take_along_axis(logits, targets[..., None], axis=-1)` picks each "
            "target's logit, and `losses[mask]` is a flat array of the real tokens."
        ),
    ],
)
def sequence_loss(logits, targets, mask):
    """Mean of -log softmax(logits)[target], in nats, over the real tokens.

    logits: (batch, target_len, vocabulary). targets: (batch, target_len), ints.
    mask: (batch, target_len), True = a real token. Returns a float.
    """
    shifted = logits - logits.max(axis=-1, keepdims=True)
    log_total = np.log(np.exp(shifted).sum(axis=-1))  # (batch, target_len)
    picked = np.take_along_axis(shifted, targets[..., None], axis=-1)
    losses = log_total - picked[..., 0]  # (batch, target_len)
    return losses[mask].mean()


def _token_losses(logits, targets, axis=-1):
    log_weights = logits - np.logaddexp.reduce(logits, axis=axis, keepdims=True)
    return -_picked(log_weights, targets)


def _picked(values, targets):
    picked = np.take_along_axis(values, targets[..., None], axis=-1)
    return picked[..., 0]  # (batch, target_len)


@sequence_loss.known_mistake(
    "Padding counts in your loss. Average only over the positions where mask is True."
)
def padding_counts(logits, targets, mask):
    return _token_losses(logits, targets).mean()


@sequence_loss.known_mistake(
    "You set the losses at padding to zero but divide by the number of all positions. "
    "Divide by the number of real tokens."
)
def divides_by_all_positions(logits, targets, mask):
    return (_token_losses(logits, targets) * mask).mean()


@sequence_loss.known_mistake(
    "You average within each sentence first, "
    "so a token of a short sentence counts more. Average over all tokens."
)
def sentence_by_sentence(logits, targets, mask):
    losses = _token_losses(logits, targets) * mask
    return (losses.sum(axis=1) / mask.sum(axis=1)).mean()


@sequence_loss.known_mistake(
    "You divide by the number of sentences. Return the loss per token."
)
def per_sentence(logits, targets, mask):
    return (_token_losses(logits, targets) * mask).sum() / len(mask)


@sequence_loss.known_mistake("You return a sum: divide by the number of real tokens.")
def summed(logits, targets, mask):
    return _token_losses(logits, targets)[mask].sum()


@sequence_loss.known_mistake("Your loss is in bits: use the natural logarithm.")
def bits(logits, targets, mask):
    return _token_losses(logits, targets)[mask].mean() / np.log(2)


@sequence_loss.known_mistake(
    "You return the mean log probability: the loss is its negative."
)
def sign_lost(logits, targets, mask):
    return -_token_losses(logits, targets)[mask].mean()


@sequence_loss.known_mistake(
    "Your softmax runs over the positions of the sentence, not over the vocabulary."
)
def softmax_over_positions(logits, targets, mask):
    return _token_losses(logits, targets, axis=1)[mask].mean()


@sequence_loss.known_mistake(
    "exp overflows at a logit of 1000. "
    "Subtract each position's largest logit before you take exp."
)
def overflows(logits, targets, mask):
    weights = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    return -np.log(_picked(weights, targets))[mask].mean()


@sequence_loss.known_mistake(
    "You subtract the largest of all logits, so a position with much smaller logits "
    "underflows. Subtract each position's own maximum."
)
def one_maximum_for_all(logits, targets, mask):
    shifted = logits - logits.max()
    log_total = np.log(np.exp(shifted).sum(axis=-1))
    return (log_total - _picked(shifted, targets))[mask].mean()


@sequence_loss.known_mistake(
    "A probability that rounds to zero has an infinite logarithm. "
    "Work with log probabilities."
)
def logarithm_of_zero(logits, targets, mask):
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    weights = weights / weights.sum(axis=-1, keepdims=True)
    return -np.log(_picked(weights, targets))[mask].mean()


def _decoder(rng, vocabulary=6):
    """A random recurrent step whose next word depends on the state and the token."""
    embedding, recurrent = rng.normal(size=(vocabulary, 8)), rng.normal(size=(8, 8))
    readout = rng.normal(size=(8, vocabulary)) * 3

    def step(token, state):
        state = np.tanh(embedding[token] + state @ recurrent)
        return state @ readout, state

    return step


def _counting_step(token, state):
    """Returns 5, 4, 3, ... down from the state, and 0 (the end) at zero."""
    return np.eye(10)[state], max(state - 1, 0)


def _next_token_step(token, state):
    """Returns the token after the last one, whatever the state is."""
    return np.eye(10)[min(token + 1, 9)], state


def _decode_cases(rng):
    yield "the step counts its state down, 0 is the end", (_counting_step, 3, 9, 0, 8)
    yield "the step adds one to the last token", (_next_token_step, 0, 1, 6, 8)
    yield "the step never returns the end", (_next_token_step, 0, 1, -1, 4)
    yield "the sentence and its end fit exactly", (_counting_step, 3, 9, 0, 4)
    yield "the sentence fits exactly, its end does not", (_counting_step, 3, 9, 0, 3)
    yield "the end comes first", (_counting_step, 0, 9, 0, 8)
    for _ in range(4):
        yield "a random recurrent step", (_decoder(rng), rng.normal(size=8), 0, 5, 6)


@exercise(
    _decode_cases,
    hints=[
        (
            "Keep two things from step to step: "
            "the last token, which is `start` at first, and the state."
        ),
        (
            "Loop at most `max_length` times. Each time, call `step`, take `np.argmax` "
            "of the logits, leave the loop if that is `end`, and append it otherwise."
        ),
    ],
)
def greedy_decode(step, state, start, end, max_length):
    """Take the most probable token at every step, until `end` or `max_length` tokens.

    step: function (token, state) -> (logits, new_state), with logits (vocabulary,).
    state: the initial state. start, end: the tokens before the first word and after the
    last. Returns a list of ints without start and end.
    """
    tokens, token = [], start
    for _ in range(max_length):
        logits, state = step(token, state)
        token = int(np.argmax(logits))
        if token == end:
            break
        tokens.append(token)
    return tokens


@greedy_decode.known_mistake("The list still holds the end token.")
def keeps_the_end(step, state, start, end, max_length):
    tokens, token = [], start
    while len(tokens) < max_length and token != end:
        logits, state = step(token, state)
        token = int(np.argmax(logits))
        tokens.append(token)
    return tokens


@greedy_decode.known_mistake("The list still holds the start token.")
def keeps_the_start(step, state, start, end, max_length):
    return [start] + greedy_decode.reference_solution(
        step, state, start, end, max_length
    )


@greedy_decode.known_mistake(
    "Every step gets the initial state. Pass on the new state that step returns."
)
def forgets_the_state(step, state, start, end, max_length):
    return greedy_decode.reference_solution(
        lambda token, _: (step(token, state)[0], state), state, start, end, max_length
    )


@greedy_decode.known_mistake(
    "Every step gets the start token. Pass on the token that was just chosen."
)
def forgets_the_token(step, state, start, end, max_length):
    return greedy_decode.reference_solution(
        lambda _, state: step(start, state), state, start, end, max_length
    )


@greedy_decode.known_mistake("You continue after the end token. Leave the loop there.")
def skips_the_end(step, state, start, end, max_length):
    return [
        token
        for token in greedy_decode.reference_solution(
            step, state, start, -1, max_length
        )
        if token != end
    ]


@greedy_decode.known_mistake("You return one more token than max_length.")
def one_too_many(step, state, start, end, max_length):
    return greedy_decode.reference_solution(step, state, start, end, max_length + 1)


@greedy_decode.known_mistake(
    "You stop one token early: "
    "max_length counts the tokens returned, and the end token is not among them."
)
def one_too_few(step, state, start, end, max_length):
    return greedy_decode.reference_solution(step, state, start, end, max_length - 1)


@greedy_decode.known_mistake(
    "You take the least probable token. Take the one with the largest logit."
)
def least_likely(step, state, start, end, max_length):
    return greedy_decode.reference_solution(
        lambda *last: (-step(*last)[0], step(*last)[1]), state, start, end, max_length
    )


def _length_cases(rng):
    sources = [["a"], ["a", "b"], ["a", "b", "c"], ["a", "b", "c", "d"]]
    targets = [["x", "y"], ["x"], ["x", "y", "z"], ["z", "z", "z"]]
    predictions = [["x", "y"], ["y"], ["x", "y", "z"], ["z", "z"]]
    yield "four sentences of 1 to 4 words", (sources, predictions, targets, [1, 3, 4])
    yield (
        "no sentence of 5 words or more",
        (sources, predictions, targets, [0, 2, 5, 9]),
    )
    sources = [["w"] * length for length in rng.integers(1, 12, 40)]
    targets = [list(map(int, rng.integers(0, 3, rng.integers(1, 5)))) for _ in sources]
    predictions = [
        target if right else target[:-1] + [9] if changed else target + [9]
        for target, right, changed in zip(
            targets, rng.random(40) < 0.6, rng.random(40) < 0.5, strict=True
        )
    ]
    yield "forty sentences", (sources, predictions, targets, [2, 5, 6, 10])


@exercise(
    _length_cases,
    hints=[
        (
            "A bin holds the sentences with `edges[i] <= len(source) < edges[i + 1]`, "
            "and `zip(edges[:-1], edges[1:])` gives the bins' edges."
        ),
        (
            "`prediction == target` compares two whole lists. "
            "Divide by the number of sentences in the bin, if there are any."
        ),
    ],
)
def exact_match_by_length(sources, predictions, targets, edges):
    """The fraction of exact matches, by the length of the source in tokens.

    sources, predictions, targets: lists of lists of tokens.
    edges: bin i holds the sentences with edges[i] <= length < edges[i + 1].
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


def _by_length(
    sources,
    predictions,
    targets,
    edges,
    inside,
    score=lambda p, t: float(p == t),
    empty=float("nan"),
):
    fractions = []
    for low, high in zip(edges[:-1], edges[1:], strict=True):
        hits = [
            score(p, t)
            for s, p, t in zip(sources, predictions, targets, strict=True)
            if inside(len(s), low, high)
        ]
        fractions.append(sum(hits) / len(hits) if hits else empty)
    return fractions


@exact_match_by_length.known_mistake(
    "You bin by the length of the target. Bin by the length of the source."
)
def by_target_length(sources, predictions, targets, edges):
    return _by_length(
        targets, predictions, targets, edges, lambda n, low, high: low <= n < high
    )


@exact_match_by_length.known_mistake(
    "You bin by the length of the prediction. Bin by the length of the source."
)
def by_prediction_length(sources, predictions, targets, edges):
    return _by_length(
        predictions, predictions, targets, edges, lambda n, low, high: low <= n < high
    )


@exact_match_by_length.known_mistake(
    "Your bins include their upper edge. "
    "A length equal to edges[i + 1] belongs to the next bin."
)
def upper_edge_inside(sources, predictions, targets, edges):
    return _by_length(
        sources, predictions, targets, edges, lambda n, low, high: low <= n <= high
    )


@exact_match_by_length.known_mistake(
    "Your bins include their upper edge and exclude their lower one. "
    "It should be the other way around."
)
def edges_swapped(sources, predictions, targets, edges):
    return _by_length(
        sources, predictions, targets, edges, lambda n, low, high: low < n <= high
    )


@exact_match_by_length.known_mistake(
    "Your bins have no lower edge, "
    "so each also holds the sentences of all the bins before it."
)
def cumulative(sources, predictions, targets, edges):
    return _by_length(
        sources, predictions, targets, edges, lambda n, low, high: n < high
    )


@exact_match_by_length.known_mistake(
    "An empty bin is not a bin of failures: return float('nan') there."
)
def empty_is_zero(sources, predictions, targets, edges):
    return _by_length(
        sources,
        predictions,
        targets,
        edges,
        lambda n, low, high: low <= n < high,
        empty=0.0,
    )


@exact_match_by_length.known_mistake(
    "You count correct tokens. A sentence counts only if all of it is correct."
)
def token_accuracy(sources, predictions, targets, edges):
    def score(prediction, target):
        return sum(p == t for p, t in zip(prediction, target, strict=False)) / len(
            target
        )

    return _by_length(
        sources,
        predictions,
        targets,
        edges,
        lambda n, low, high: low <= n < high,
        score,
    )


@exact_match_by_length.known_mistake(
    "zip stops at the shorter list, "
    "so a prediction that is too short or too long can count as correct."
)
def length_ignored(sources, predictions, targets, edges):
    def score(prediction, target):
        return float(all(p == t for p, t in zip(prediction, target, strict=False)))

    return _by_length(
        sources,
        predictions,
        targets,
        edges,
        lambda n, low, high: low <= n < high,
        score,
    )


@exact_match_by_length.known_mistake(
    "You divide by the number of all sentences. Divide by the number in the bin."
)
def fraction_of_all(sources, predictions, targets, edges):
    fractions = []
    for low, high in zip(edges[:-1], edges[1:], strict=True):
        triples = zip(sources, predictions, targets, strict=True)
        fractions.append(
            sum(p == t for s, p, t in triples if low <= len(s) < high) / len(sources)
        )
    return fractions


def _parameter_cases(rng):
    for input_dim, units in [
        (3, 4),
        *map(tuple, rng.integers(1, 300, (3, 2)).tolist()),
    ]:
        for kind in ("simple", "gru", "gru_reset_after", "lstm"):
            yield f"{kind}, {units} units", (kind, input_dim, units)


@exercise(
    _parameter_cases,
    hints=[
        (
            "Each gate or candidate has a matrix for the input, a matrix for "
            "the state, and a bias: `units * input_dim + units * units + units`. "
            "How many gates and candidates does each kind have?"
        ),
        (
            "A GRU has two gates and one candidate; "
            "an LSTM has three gates and one candidate. "
            "With `reset_after`, the input and the state each have their own bias."
        ),
    ],
)
def recurrent_parameters(kind, input_dim, units):
    """The number of parameters of a recurrent layer, as Keras counts them.

    kind: "simple", "gru" (the paper's; Keras' reset_after=False), "gru_reset_after"
        (Keras' default) or "lstm".
    input_dim: size of one input. units: size of the state. Returns an int.
    """
    blocks = {"simple": 1, "gru": 3, "gru_reset_after": 3, "lstm": 4}[kind]
    biases = 2 if kind == "gru_reset_after" else 1
    return blocks * units * (input_dim + units + biases)


def _parameters(kind, input_dim, units, blocks=None, biases=None):
    """As the solution, with other numbers of blocks, or of biases per block."""
    right_blocks = {"simple": 1, "gru": 3, "gru_reset_after": 3, "lstm": 4}[kind]
    right_biases = 2 if kind == "gru_reset_after" else 1
    blocks = right_blocks if blocks is None else blocks
    biases = right_biases if biases is None else biases
    return blocks * units * (input_dim + units + biases)


@recurrent_parameters.known_mistake("You left the biases out.")
def without_biases(kind, input_dim, units):
    return _parameters(kind, input_dim, units, biases=0)


@recurrent_parameters.known_mistake(
    "You left out the matrices from state to state, (units, units) each."
)
def without_state_matrices(kind, input_dim, units):
    blocks = {"simple": 1, "gru": 3, "gru_reset_after": 3, "lstm": 4}[kind]
    return blocks * units * (input_dim + (2 if kind == "gru_reset_after" else 1))


@recurrent_parameters.known_mistake(
    "You counted the gates and forgot the candidate, which has matrices and a bias too."
)
def without_candidate(kind, input_dim, units):
    gates = {"simple": 1, "gru": 2, "gru_reset_after": 2, "lstm": 3}[kind]
    return _parameters(kind, input_dim, units, blocks=gates)


@recurrent_parameters.known_mistake(
    "Keras' GRU with reset_after=True has two biases per block, "
    "one for the input and one for the state."
)
def one_bias_for_reset_after(kind, input_dim, units):
    return _parameters(kind, input_dim, units, biases=1)


@recurrent_parameters.known_mistake(
    "The paper's GRU has one bias per block. Keras' default, reset_after=True, has two."
)
def two_biases_for_every_gru(kind, input_dim, units):
    biases = 2 if kind.startswith("gru") else 1
    return _parameters(kind, input_dim, units, biases=biases)


@recurrent_parameters.known_mistake(
    "An LSTM has four blocks: three gates and one candidate. You counted three."
)
def lstm_of_three(kind, input_dim, units):
    blocks = 3 if kind == "lstm" else None
    return _parameters(kind, input_dim, units, blocks=blocks)


@recurrent_parameters.known_mistake(
    "You counted one block for every kind. "
    "Each gate and each candidate needs its own matrices."
)
def one_block(kind, input_dim, units):
    return _parameters(kind, input_dim, units, blocks=1, biases=1)
