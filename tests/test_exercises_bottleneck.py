"""The exercises of chapter 02: wrong answers that must be refused, and what the check
says about them; right answers in unusual styles. Their solutions are compared with
hand calculations and Keras in test_exercises.py.
"""

import collections

import numpy as np
import pytest

from attnlib import reference as ref
from attnlib.exercises import bottleneck


def said(exercise, answer):
    """What a check says, on one line, without its first line; the answer is wrong."""
    result = exercise.check(answer)
    assert not result.passed and result.attempted
    first, rest = result.message.split("\n", 1)
    assert first == f"Not yet: {exercise.name}."
    return rest.replace("\n", " ")


def parametrized(**groups):
    """Parameters (exercise, answer) from lists of answers by the exercise's name."""
    pairs = [
        pytest.param(getattr(bottleneck, name), answer, id=f"{name}-{answer.__name__}")
        for name, answers in groups.items()
        for answer in answers
    ]
    return pytest.mark.parametrize(("exercise", "answer"), pairs)


def message_of(exercise, start):
    """The one known message of an exercise that starts so."""
    messages = {message for message, _ in exercise.known_mistakes}
    (found,) = [message for message in messages if message.startswith(start)]
    return found


def test_sequence_loss_takes_anything_at_padding():
    logits = np.array([[[2.0, 0.0], [np.inf, np.nan], [1e10, -np.inf]]])
    targets, mask = np.array([[0, 99, -1]]), np.array([[True, False, False]])
    loss = bottleneck.sequence_loss.reference_solution(logits, targets, mask)
    assert loss == pytest.approx(np.log(np.exp(2) + 1) - 2)


# sequence_loss: wrong answers


def log_probabilities(logits):
    return logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)


def all_losses(logits, targets):
    picked = np.take_along_axis(log_probabilities(logits), targets[..., None], axis=-1)
    return -picked[..., 0]  # (batch, target_len)


def any_losses(logits, targets):
    """As all_losses, for targets of no word, too."""
    return all_losses(logits, np.clip(targets, 0, logits.shape[-1] - 1))


def times_mask(logits, targets, mask):
    return float((all_losses(logits, targets) * mask).sum() / mask.sum())


def times_mask_for_any_target(logits, targets, mask):
    return (any_losses(logits, targets) * mask).sum() / mask.sum()


def weighted_by_mask(logits, targets, mask):
    return np.average(any_losses(logits, targets), weights=mask)


@pytest.mark.parametrize(
    "answer", [times_mask, times_mask_for_any_target, weighted_by_mask]
)
def test_sequence_loss_names_a_product_with_the_mask(answer):
    message = said(bottleneck.sequence_loss, answer)
    assert message.startswith(bottleneck.TIMES_MASK)
    assert "got       nan" in message and "inf" in message


def looks_up_all(logits, targets, mask):
    return all_losses(logits, targets)[mask].mean()


def looks_up_all_by_index(logits, targets, mask):
    batch, target_len = np.indices(targets.shape)
    losses = -log_probabilities(logits)[batch, target_len, targets]
    return np.where(mask, losses, 0).sum() / mask.sum()


def looks_up_all_in_a_loop(logits, targets, mask):
    losses = [
        -log_probabilities(logits)[b, t, targets[b, t]]
        for b, t in np.ndindex(targets.shape)
    ]
    return np.mean(np.array(losses)[mask.ravel()])


def one_hot_by_eye(logits, targets, mask):
    one_hot = np.eye(logits.shape[-1])[targets]
    return -(log_probabilities(logits) * one_hot).sum(axis=-1)[mask].mean()


@pytest.mark.parametrize(
    "answer",
    [looks_up_all, looks_up_all_by_index, looks_up_all_in_a_loop, one_hot_by_eye],
)
def test_sequence_loss_names_a_target_of_padding_that_is_looked_up(answer):
    message = said(bottleneck.sequence_loss, answer)
    assert message.startswith(bottleneck.PADDED_TARGETS)
    assert "index 99 is out of bounds" in message


def zero_is_padding(logits, targets, mask):
    return bottleneck.sequence_loss.reference_solution(logits, targets, targets != 0)


def first_tokens(logits, targets, mask):
    counts = mask.sum(axis=1, keepdims=True)
    mask = np.arange(mask.shape[1]) < counts
    return any_losses(logits, targets)[mask].mean()


def without_shift(logits, targets, mask):
    logits, targets = logits[mask], targets[mask]
    total = np.log(np.exp(logits).sum(axis=-1))
    return (total - logits[np.arange(len(targets)), targets]).mean()


def at_least_a_billionth(logits, targets, mask):
    weights = ref.softmax(logits[mask])
    picked = weights[np.arange(len(weights)), targets[mask]]
    return -np.log(np.maximum(picked, 1e-9)).mean()


def plus_a_billionth(logits, targets, mask):
    weights = ref.softmax(logits[mask])
    return -np.log(weights[np.arange(len(weights)), targets[mask]] + 1e-9).mean()


def of_probabilities(logits, targets, mask):
    weights = ref.softmax(logits[mask])
    return -np.log(weights[np.arange(len(weights)), targets[mask]]).mean()


def empty_sentences_count(logits, targets, mask):
    losses = np.where(mask, any_losses(logits, targets), 0)
    return (losses.sum(axis=1) / np.maximum(mask.sum(axis=1), 1)).mean()


def over_the_target_axis(logits, targets, mask):
    logits = np.where(mask[..., None], logits, 0.0)
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_weights = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    targets = np.where(mask, targets, 0)[..., None]
    return -np.take_along_axis(log_weights, targets, axis=-1)[..., 0][mask].mean()


def over_all_tokens(logits, targets, mask):
    logits = logits[mask]
    losses = np.logaddexp.reduce(logits, axis=0) - logits
    return losses[np.arange(len(logits)), targets[mask]].mean()


def positive_targets(logits, targets, mask):
    return bottleneck.sequence_loss.reference_solution(logits, targets, targets > 0)


def up_to_the_first_padding(logits, targets, mask):
    total = count = 0
    for b, words in enumerate(mask):
        length = len(words) if words.all() else words.argmin()
        losses = all_losses(logits[b : b + 1, :length], targets[b : b + 1, :length])
        total, count = total + losses.sum(), count + length
    return total / np.float64(count)


def loops_over_counts(logits, targets, mask):
    losses = [
        np.logaddexp.reduce(logits[b, t]) - logits[b, t, targets[b, t]]
        for b, count in enumerate(mask.sum(axis=1))
        for t in range(count)
    ]
    return sum(losses) / len(losses)


def over_all_positions(logits, targets, mask):
    return all_losses(logits[mask][None], targets[mask][None]).sum() / mask.size


def one_sum(logits, targets, mask):
    logits = logits[mask]
    shifted = logits - logits.max(axis=-1, keepdims=True)
    picked = shifted[np.arange(len(logits)), targets[mask]]
    return (np.log(np.exp(shifted).sum()) - picked).mean()


def in_decimal_digits(logits, targets, mask):
    return token_by_token(logits, targets, mask) / np.log(10)


def clipped_at_the_smallest_float(logits, targets, mask):
    weights = ref.softmax(logits[mask])
    picked = weights[np.arange(len(weights)), targets[mask]]
    return -np.log(np.maximum(picked, 1e-300)).mean()


SEQUENCE_LOSS_MESSAGES = [
    (over_the_target_axis, bottleneck.OVER_POSITIONS),
    (over_all_tokens, bottleneck.OVER_POSITIONS),
    (zero_is_padding, bottleneck.FROM_TARGETS),
    (positive_targets, bottleneck.FROM_TARGETS),
    (up_to_the_first_padding, bottleneck.UP_TO_PADDING),
    (first_tokens, bottleneck.COUNTED_FROM_THE_FRONT),
    (loops_over_counts, bottleneck.COUNTED_FROM_THE_FRONT),
    (over_all_positions, bottleneck.OVER_ALL_POSITIONS),
    (one_sum, "You add up the exponentials of all tokens."),
    (in_decimal_digits, "Your logarithm has the base 10"),
    (clipped_at_the_smallest_float, bottleneck.LIMITED),
    (without_shift, bottleneck.OVERFLOWS),
    (at_least_a_billionth, bottleneck.LIMITED),
    (plus_a_billionth, bottleneck.LIMITED),
    (of_probabilities, "A probability that rounds to zero has an infinite logarithm."),
    (empty_sentences_count, bottleneck.BY_SENTENCE),
]


@pytest.mark.parametrize(("answer", "message"), SEQUENCE_LOSS_MESSAGES)
def test_sequence_loss_names_mistake(answer, message):
    assert said(bottleneck.sequence_loss, answer).startswith(message)


def test_sequence_loss_counted_from_the_front_is_shown_on_one_sentence():
    message = said(bottleneck.sequence_loss, loops_over_counts)
    assert "Input: one sentence, with padding in front" in message
    assert len(message) < 400


def test_sequence_loss_has_logits_of_floats_alone():
    """One that fills an array like the logits would lose all digits."""
    for title, (logits, _, _) in bottleneck.sequence_loss._fresh_cases():
        assert logits.dtype.kind == "f", title


# greedy_decode: wrong answers


def until_end(step, state, start, end, max_length):
    tokens, token = [], start
    while True:
        logits, state = step(token, state)
        token = int(np.argmax(logits))
        if token == end:
            return tokens
        tokens.append(token)


def never_sees_the_end(step, state, start, end, max_length):
    tokens, token = [], start
    while len(tokens) < max_length:
        logits, state = step(token, state)
        token = int(np.argmax(logits))
        if token != end:
            tokens.append(token)
    return tokens


def forgets_to_append(step, state, start, end, max_length):
    tokens, token = [], start
    while len(tokens) < max_length and token != end:
        logits, new_state = step(token, state)
        token = int(np.argmax(logits))
    return tokens


@pytest.mark.parametrize("answer", [until_end, never_sees_the_end, forgets_to_append])
def test_greedy_decode_says_that_a_loop_does_not_end(answer):
    message = said(bottleneck.greedy_decode, answer)
    assert message.startswith(bottleneck.ENDLESS)
    assert str(bottleneck.MAX_CALLS) in message
    assert message.count("does not end") == 1  # said once
    rest = message.removeprefix(bottleneck.ENDLESS)
    assert rest.startswith(" Input: step "), "no other diagnosis"


def test_greedy_decode_says_how_step_is_called():
    def swaps(step, state, start, end, max_length):
        logits, state = step(state, start)
        return [int(np.argmax(logits))]

    def passes_an_array(step, state, start, end, max_length):
        logits, state = step(np.array([start]), state)
        return [int(np.argmax(logits))]

    for answer in (swaps, passes_an_array):
        message = said(bottleneck.greedy_decode, answer)
        assert message.startswith(f"{bottleneck.WRONG_ORDER} Input: ")


def stops_at_start(step, state, start, end, max_length):
    tokens, token = [], start
    while len(tokens) < max_length:
        logits, state = step(token, state)
        token = int(np.argmax(logits))
        if token in (start, end):
            break
        tokens.append(token)
    return tokens


def appends_first(step, state, start, end, max_length):
    tokens = []
    logits, state = step(start, state)
    token = int(np.argmax(logits))
    while token != end:
        tokens.append(token)
        if len(tokens) >= max_length:
            break
        logits, state = step(token, state)
        token = int(np.argmax(logits))
    return tokens


def without_start(step, state, start, end, max_length):
    right = bottleneck.greedy_decode.reference_solution
    return [t for t in right(step, state, start, end, max_length) if t != start]


def most_of_exp(step, state, start, end, max_length):
    tokens, token = [], start
    for _ in range(max_length):
        logits, state = step(token, state)
        weights = np.exp(logits) / np.exp(logits).sum()
        token = int(np.argmax(weights))
        if token == end:
            break
        tokens.append(token)
    return tokens


def while_not_end(step, state, start, end, max_length):
    tokens, token = [], start
    while token != end and len(tokens) < max_length:
        logits, state = step(token, state)
        token = int(np.argmax(logits))
        if token != end:
            tokens.append(token)
    return tokens


def state_first(step, state, start, end, max_length):
    tokens, token = [], start
    for _ in range(max_length):
        state, logits = step(token, state)
        token = int(np.argmax(logits))
        if token == end:
            break
        tokens.append(token)
    return tokens


def with_end(step, state, start, end, max_length):
    tokens, token = [], start
    for _ in range(max_length):
        logits, state = step(token, state)
        token = int(np.argmax(logits))
        tokens.append(token)
        if token == end:
            break
    return tokens


def cut_by_one(step, state, start, end, max_length):
    return with_end(step, state, start, end, max_length)[:-1]


def one_loop_less(step, state, start, end, max_length):
    right = bottleneck.greedy_decode.reference_solution
    return right(step, state, start, end, max_length - 1)


GREEDY_MESSAGES = [
    (while_not_end, "Your loop compares start with end, too"),
    (state_first, "step returns two things, the logits first"),
    (with_end, "The list still holds the end token."),
    (cut_by_one, "Your list is one token short when max_length is reached"),
    (one_loop_less, "Your list is one token short when max_length is reached"),
    (stops_at_start, "You stop at start as well as at end."),
    (appends_first, "You return a token even where max_length is 0."),
    (without_start, "You leave out every token that equals start."),
    (most_of_exp, "exp overflows at a logit of 1000"),
]


@pytest.mark.parametrize(("answer", "message"), GREEDY_MESSAGES)
def test_greedy_decode_names_mistake(answer, message):
    full = message_of(bottleneck.greedy_decode, message)
    assert said(bottleneck.greedy_decode, answer).startswith(full)


def largest_in_size(step, state, start, end, max_length):
    def step_of_sizes(token, state):
        logits, state = step(token, state)
        return abs(logits), state

    return bottleneck.greedy_decode.reference_solution(
        step_of_sizes, state, start, end, max_length
    )


def at_most_32(step, state, start, end, max_length):
    return bottleneck.greedy_decode.reference_solution(
        step, state, start, end, min(max_length, 32)
    )


def no_word_twice(step, state, start, end, max_length):
    tokens = bottleneck.greedy_decode.reference_solution(
        step, state, start, end, max_length
    )
    return list(dict.fromkeys(tokens))


# exact_match_by_length: wrong answers


def binned(match, inside=lambda n, low, high: low <= n < high):
    """exact_match_by_length with another match, or other bins."""

    def fractions(sources, predictions, targets, edges):
        result = []
        for low, high in zip(edges[:-1], edges[1:], strict=True):
            hits = [
                bool(match(prediction, target))
                for source, prediction, target in zip(
                    sources, predictions, targets, strict=True
                )
                if inside(len(source), low, high)
            ]
            result.append(sum(hits) / len(hits) if hits else float("nan"))
        return result

    return fractions


WRONG_MATCHES = {
    "sets": lambda p, t: set(p) == set(t),
    "subsets both ways": lambda p, t: set(p) <= set(t) and set(t) <= set(p),
    "sorted": lambda p, t: sorted(p) == sorted(t),
    "counted": lambda p, t: collections.Counter(p) == collections.Counter(t),
    "joined": lambda p, t: "".join(p) == "".join(t),
    "joined by spaces": lambda p, t: " ".join(p) == " ".join(t),
    "zipped": lambda p, t: all(a == b for a, b in zip(p, t, strict=False)),
    "start of the target": lambda p, t: p == t[: len(p)],
    "start of the prediction": lambda p, t: p[: len(t)] == t,
    "as many hits as words": lambda p, t: (
        sum(a == b for a, b in zip(p, t, strict=False)) == len(t)
    ),
    "a loop over both": lambda p, t: all(
        p[i] == t[i] for i in range(min(len(p), len(t)))
    ),
    "words of the prediction": lambda p, t: all(word in t for word in p),
    "words of the target": lambda p, t: all(word in p for word in t),
    "end of the prediction": lambda p, t: p[-len(t) :] == t,
    "first and last": lambda p, t: (p[:1], p[-1:], len(p)) == (t[:1], t[-1:], len(t)),
    "whatever the case": lambda p, t: str(p).lower() == str(t).lower(),
    "empty is right": lambda p, t: not t or p == t,
}


@pytest.mark.parametrize("match", WRONG_MATCHES.values(), ids=WRONG_MATCHES)
def test_exact_match_by_length_refuses_another_match(match):
    assert said(bottleneck.exact_match_by_length, binned(match))


EXACT_MATCH_MESSAGES = [
    ("sets", bottleneck.SETS),
    ("subsets both ways", bottleneck.SETS),
    ("sorted", "You compare tokens without regard to their order."),
    ("counted", "You compare tokens without regard to their order."),
    ("joined", bottleneck.JOINED),
    ("joined by spaces", bottleneck.JOINED),
    ("zipped", bottleneck.ZIPPED),
    ("a loop over both", bottleneck.ZIPPED),
    ("start of the target", bottleneck.BEGINNING),
    ("start of the prediction", bottleneck.BEGINNING),
    ("as many hits as words", bottleneck.BEGINNING),
    ("words of the prediction", bottleneck.WORDS_FOUND),
    ("words of the target", bottleneck.WORDS_FOUND),
]


@pytest.mark.parametrize(("match", "message"), EXACT_MATCH_MESSAGES)
def test_exact_match_by_length_names_mistake(match, message):
    answer = binned(WRONG_MATCHES[match])
    assert said(bottleneck.exact_match_by_length, answer).startswith(message)


def test_exact_match_by_length_messages_do_not_name_what_is_not_there():
    """No zip and no strings that the answer need not have made."""
    message = said(
        bottleneck.exact_match_by_length, binned(WRONG_MATCHES["joined by spaces"])
    )
    assert "['x', 'yz']" not in message.split("The result")[0]
    assert bottleneck.ZIPPED.startswith("You compare only as far as the shorter list")


def with_value_for_empty_bins(value):
    def fractions(sources, predictions, targets, edges):
        right = bottleneck.exact_match_by_length.reference_solution
        result = right(sources, predictions, targets, edges)
        return [value if fraction != fraction else fraction for fraction in result]

    return fractions


@pytest.mark.parametrize("value", [0, 0.0, 1, 1.0, None, "nan"])
def test_exact_match_by_length_names_a_value_in_an_empty_bin(value):
    answer = with_value_for_empty_bins(value)
    message = said(bottleneck.exact_match_by_length, answer)
    assert message.startswith(bottleneck.NOTHING_MEASURED)


def counted(kind):
    def counts(sources, predictions, targets, edges):
        triples = list(zip(sources, predictions, targets, strict=True))
        return [
            kind(sum(p == t for s, p, t in triples if low <= len(s) < high))
            for low, high in zip(edges, edges[1:], strict=False)
        ]

    return counts


def clipped_index(sources, predictions, targets, edges):
    bins = np.digitize([len(source) for source in sources], edges[1:-1])
    right = np.array([p == t for p, t in zip(predictions, targets, strict=True)], bool)
    return [
        float(right[bins == index].mean()) if (bins == index).any() else float("nan")
        for index in range(len(edges) - 1)
    ]


def never_reset(sources, predictions, targets, edges):
    hits, count, fractions = 0, 0, []
    for low, high in zip(edges, edges[1:], strict=False):
        for source, p, t in zip(sources, predictions, targets, strict=True):
            if low <= len(source) < high:
                hits, count = hits + (p == t), count + 1
        fractions.append(hits / count if count else float("nan"))
    return fractions


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (counted(int), bottleneck.COUNTS),
        (counted(float), bottleneck.COUNTS),
        (clipped_index, "The sentences outside of all bins count in your first"),
        (never_reset, "You go on counting from bin to bin."),
    ],
)
def test_exact_match_by_length_names_wrong_bins(answer, message):
    assert said(bottleneck.exact_match_by_length, answer).startswith(message)


def histogram(sources, predictions, targets, edges):
    lengths = np.array([len(source) for source in sources])
    right = np.array([p == t for p, t in zip(predictions, targets, strict=True)], bool)
    counts, _ = np.histogram(lengths, edges)
    hits, _ = np.histogram(lengths[right], edges)
    return (hits / counts).tolist()


def test_exact_match_by_length_names_a_closed_last_bin():
    message = said(bottleneck.exact_match_by_length, histogram)
    assert message.startswith("Your last bin includes its upper edge")
    assert "by the length of the target" not in message


@pytest.mark.parametrize("match", WRONG_MATCHES.values(), ids=WRONG_MATCHES)
def test_exact_match_by_length_messages_are_short(match):
    message = said(bottleneck.exact_match_by_length, binned(match))
    assert len(message) < 1200


# recurrent_parameters: wrong answers

BLOCKS = {"simple": 1, "gru": 3, "gru_reset_after": 3, "lstm": 4}


def one_more_bias(kind, input_dim, units):
    count = BLOCKS[kind] * (input_dim * units + units * units + units)
    return count + units if kind == "gru_reset_after" else count


def one_more_bias_in_blocks(kind, input_dim, units):
    block = units * (input_dim + units + 1)
    gates = (BLOCKS[kind] - 1) * block
    return gates + block + (units if kind.endswith("after") else 0)


@pytest.mark.parametrize("answer", [one_more_bias, one_more_bias_in_blocks])
def test_recurrent_parameters_names_a_second_bias_of_the_candidate_alone(answer):
    assert answer("gru_reset_after", 3, 4) == 100
    message = said(bottleneck.recurrent_parameters, answer)
    assert message.startswith("With reset_after=True, the two gates have a second bias")
    assert "108" in message


def counting(gates_and_candidates, second_biases=3):
    def count(kind, input_dim, units):
        matrices = units * (input_dim + units + 1)
        second = second_biases * units if kind == "gru_reset_after" else 0
        return {**BLOCKS, **gates_and_candidates}[kind] * matrices + second

    return count


GRU_OF_TWO = {"gru": 2, "gru_reset_after": 2}


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (counting(GRU_OF_TWO), bottleneck.GRU_TWO),
        (counting(GRU_OF_TWO, 0), bottleneck.GRU_TWO),
        (counting({"gru": 4}), bottleneck.GRU_FOUR),
        (counting({**GRU_OF_TWO, "lstm": 3}, 0), bottleneck.GATES_ALONE),
        (counting({}, 2), "With reset_after=True, the candidate has a second bias"),
        (
            lambda kind, input_dim, units: BLOCKS[kind] * (input_dim * units + units),
            "You left out the matrices from state to state",
        ),
        (
            lambda kind, input_dim, units: BLOCKS[kind] * (units * units + units),
            "You left out the matrices from input to state",
        ),
        (
            lambda kind, input_dim, units: (
                BLOCKS[kind] * (units * (input_dim + units) + 1)
            ),
            "A bias has a number for each unit. You counted a single number.",
        ),
        (
            lambda kind, input_dim, units: right_parameters(kind, units, input_dim),
            "You exchange input_dim and units.",
        ),
    ],
)
def test_recurrent_parameters_names_mistake(answer, message):
    words = said(
        bottleneck.recurrent_parameters,
        lambda kind, input_dim, units: answer(kind, input_dim, units),
    )
    assert words.startswith(message)


def test_recurrent_parameters_messages_speak_of_gates_as_the_text_does():
    exercise = bottleneck.recurrent_parameters
    assert not [m for m, _ in exercise.known_mistakes if "block" in m]
    titles = [title for title, _ in exercise._fresh_cases()]
    assert "simple, 1 unit" in titles and "simple, 4 units" in titles


def right_parameters(kind, input_dim, units):
    return bottleneck.recurrent_parameters.reference_solution(kind, input_dim, units)


def one_bias(kind, input_dim, units):
    return BLOCKS[kind] * units * (input_dim + units + 1)


@pytest.mark.parametrize("count", [right_parameters, one_bias])
@pytest.mark.parametrize("wrap", [float, str, lambda count: [count]])
def test_recurrent_parameters_of_another_type_get_the_type_sentence_alone(count, wrap):
    message = said(
        bottleneck.recurrent_parameters,
        lambda kind, input_dim, units: wrap(count(kind, input_dim, units)),
    )
    assert message.startswith("The result should be an integer (int), got ")
    assert "bias" not in message


# decoder_batch: the repair


def test_decoder_batch_equals_hand_value():
    inputs, labels = bottleneck.decoder_batch.reference_solution([[5, 6], [7]], 1, 2)
    assert inputs.tolist() == [[1, 5, 6], [1, 7, 0]]
    assert labels.tolist() == [[5, 6, 2], [7, 2, 0]]


def test_decoder_batch_equals_the_batches_of_a_model():
    toy_task = pytest.importorskip("toy_task")
    model = toy_task.model()
    ((_, before), after), *_ = model.batches(toy_task.PAIRS[:9], shuffle=False)
    words = [[int(i) for i in row if i not in (0, 2)] for row in np.array(after)]
    inputs, labels = bottleneck.decoder_batch.reference_solution(words, 1, 2)
    np.testing.assert_array_equal(labels, after)
    # From <end>, which a model gets where a sentence is over, nothing is predicted.
    np.testing.assert_array_equal(inputs, np.where(after == 0, 0, before))


def test_decoder_batch_starts_with_code_that_shows_its_symptom():
    """Each step is given what it should predict."""
    starter = bottleneck.decoder_batch.starter
    inputs, labels = starter([[5, 6], [7]], 1, 2)
    np.testing.assert_array_equal(inputs, labels)
    message = said(bottleneck.decoder_batch, starter)
    assert message.startswith("The bug is still there. In training, the loss is almost")


def rolled(targets, start, end):
    _, labels = bottleneck.decoder_batch.reference_solution(targets, start, end)
    inputs = np.roll(labels, 1, axis=1)
    inputs[:, 0] = start
    return inputs, labels


def cut_from_one_array(targets, start, end):
    longest = max(map(len, targets))
    framed = np.zeros((len(targets), longest + 2), int)
    for row, target in enumerate(targets):
        framed[row, : len(target) + 2] = [start, *target, end]
    return framed[:, :-1], framed[:, 1:]


@pytest.mark.parametrize("answer", [rolled, cut_from_one_array])
def test_decoder_batch_names_an_end_among_the_inputs(answer):
    message = said(bottleneck.decoder_batch, answer)
    assert message.startswith(bottleneck.END_GIVEN)


def with_lists(targets, start, end):
    steps = max(map(len, targets)) + 1
    inputs = [[start, *t] + [0] * (steps - len(t) - 1) for t in targets]
    labels = [[*t, end] + [0] * (steps - len(t) - 1) for t in targets]
    return np.array(inputs), np.array(labels)


# translate: a composition


def keras_gru_step(x, h, w, u, b):
    """Keras's default: its z is 1 minus the paper's, and U h has a bias, too."""
    a, s = x @ w + b[0], h @ u + b[1]
    n = len(h)
    z, r = 1 / (1 + np.exp(-(a + s)[: 2 * n].reshape(2, n)))
    return z * h + (1 - z) * np.tanh(a[2 * n :] + r * s[2 * n :])


def parameters_of(model):
    """The weights of a model without attention, as the exercise has them."""

    def gru(cell):
        w, u, b = cell.get_weights()
        return w, u, b

    return {
        "source_table": model.source_embedding.get_weights()[0],
        "forward": gru(model.encoder.forward_layer.cell),
        "backward": gru(model.encoder.backward_layer.cell),
        "first_state": model.decoder.first_state.get_weights(),
        "target_table": model.target_embedding.get_weights()[0],
        "decoder": gru(model.decoder.cell),
        "output": model.output_layer.get_weights(),
    }


def test_translate_equals_a_model_with_the_same_parameters():
    toy_task = pytest.importorskip("toy_task")
    model = toy_task.model(seed=4, scale=1.5, attention="none")
    parameters = parameters_of(model)
    decode = bottleneck.greedy_decode.reference_solution

    def decode_words(step, *arguments):  # the model never writes <pad> and <start>
        def step_of_words(token, state):
            logits, state = step(token, state)
            return np.where(np.arange(len(logits)) < 2, -np.inf, logits), state

        return decode(step_of_words, *arguments)

    found = set()
    for source in toy_task.SOURCES[:12]:
        ids = model.source_vocabulary.encode([source])[0].tolist()
        got = bottleneck.translate.reference_solution(
            ids, parameters, keras_gru_step, decode_words, 8
        )
        (expected,) = model.translate([source], max_length=8, verbose=0)
        assert model.target_vocabulary.decode(got) == expected.tokens
        found.add(tuple(got))
    assert len(found) > 5


def test_paper_gru_step_of_the_cases_equals_the_reference_of_keras():
    keras = pytest.importorskip("keras")
    cell = keras.layers.GRUCell(4, reset_after=False, bias_initializer="random_normal")
    cell.build((None, 3))
    w, u, b = (np.stack(np.split(np.asarray(p), 3, axis=-1)) for p in cell.weights)
    w[0], u[0], b[0] = -w[0], -u[0], -b[0]
    rng = np.random.default_rng(0)
    x, h = rng.normal(size=(2, 3)), rng.normal(size=(2, 4))
    expected, _ = cell(x.astype("float32"), [h.astype("float32")])
    got = bottleneck.paper_gru_step(x, h, w, u, b)
    np.testing.assert_allclose(got, expected, atol=1e-6)


def reads_forward_twice(source, parameters, gru_step, greedy_decode, max_length):
    parameters = {**parameters}
    table = parameters["source_table"]
    states = []
    for name in ("forward", "backward"):
        w, u, b = parameters[name]
        h = np.zeros(len(u[0]))
        for token in source:
            h = gru_step(table[token], h, w, u, b)
        states.append(h)
    return continued(states, parameters, gru_step, greedy_decode, max_length)


def continued(states, parameters, gru_step, greedy_decode, max_length, tanh=np.tanh):
    c = np.concatenate(states)

    def step(token, state):
        word = parameters["target_table"][token]
        state = gru_step(np.concatenate([word, c]), state, *parameters["decoder"])
        kernel, bias = parameters["output"]
        return np.concatenate([state, c, word]) @ kernel + bias, state

    kernel, bias = parameters["first_state"]
    return greedy_decode(step, tanh(c @ kernel + bias), 1, 2, max_length)


def final_states(source, parameters, gru_step):
    states = []
    for name, tokens in (("forward", source), ("backward", reversed(source))):
        h = np.zeros(parameters[name][1].shape[-2])
        for x in parameters["source_table"][list(tokens)]:
            h = gru_step(x, h, *parameters[name])
        states.append(h)
    return states


def in_two_functions(source, parameters, gru_step, greedy_decode, max_length):
    states = final_states(source, parameters, gru_step)
    return continued(states, parameters, gru_step, greedy_decode, max_length)


def without_tanh(source, parameters, gru_step, greedy_decode, max_length):
    states = final_states(source, parameters, gru_step)
    arguments = parameters, gru_step, greedy_decode, max_length
    return continued(states, *arguments, tanh=lambda x: x)


def backward_first(source, parameters, gru_step, greedy_decode, max_length):
    states = final_states(source, parameters, gru_step)[::-1]
    return continued(states, parameters, gru_step, greedy_decode, max_length)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (reads_forward_twice, "Your backward GRU reads the source from left to right"),
        (without_tanh, "The first state lacks its tanh"),
        (backward_first, "You join the backward state first."),
    ],
)
def test_translate_names_mistake(answer, message):
    assert said(bottleneck.translate, answer).startswith(message)


# exact_match_if_independent: a judgment


def test_exact_match_if_independent_equals_a_simulation_by_hand():
    # Two sentences of two tokens, right with 1 * 3/4; two of three, with 1 * 3/4 * 1/2.
    hits, tries = np.array([4, 3, 1]), np.array([4, 4, 2])
    expected = (2 * 0.75 + 2 * 0.375) / 4
    value = bottleneck.exact_match_if_independent.reference_solution(hits, tries)
    assert value == pytest.approx(expected)


def test_exact_match_if_independent_equals_shuffled_errors():
    """Errors that are dealt out anew at each position are independent."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 8, 4000)
    real = np.arange(8) < lengths[:, None]  # (sentences, positions)
    correct = real & (rng.random(real.shape) < np.linspace(1, 0.7, 8))
    value = bottleneck.exact_match_if_independent.reference_solution(
        correct.sum(0), real.sum(0)
    )
    assert value == pytest.approx((correct | ~real).all(axis=1).mean(), abs=0.02)


def as_a_loop(hits, tries):
    total, product = 0.0, 1.0
    for k, (h, n) in enumerate(zip(hits, tries, strict=True)):
        if n == 0:
            break
        product *= h / n
        later = tries[k + 1] if k + 1 < len(tries) else 0
        total += (n - later) * product
    return total / tries[0]


def plain_product(hits, tries):
    return np.prod([h / n for h, n in zip(hits, tries, strict=True) if n])


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (plain_product, bottleneck.NO_LENGTHS),
        (
            lambda hits, tries: hits.sum() / tries.sum(),
            "That is the token accuracy. A sentence counts only if",
        ),
    ],
)
def test_exact_match_if_independent_names_mistake(answer, message):
    words = said(
        bottleneck.exact_match_if_independent, lambda hits, tries: answer(hits, tries)
    )
    assert words.startswith(message)


@parametrized(
    sequence_loss=[zero_is_padding, first_tokens],
    greedy_decode=[largest_in_size, at_most_32, no_word_twice],
)
def test_exercise_refuses_wrong_answer(exercise, answer):
    assert said(exercise, answer)


# Right answers in unusual styles


def token_by_token(logits, targets, mask):
    losses = [
        np.logaddexp.reduce(logits[b, t]) - logits[b, t, targets[b, t]]
        for b, t in np.argwhere(mask)
    ]
    return sum(losses) / len(losses)


def one_hot_by_comparison(logits, targets, mask):
    one_hot = targets[..., None] == np.arange(logits.shape[-1])
    losses = -np.where(one_hot, log_probabilities(logits), 0).sum(axis=-1)
    return np.where(mask, losses, 0).sum() / mask.sum()


def loss_in_float32(logits, targets, mask):
    logits, targets = logits[mask].astype("float32"), targets[mask]
    losses = -log_probabilities(logits)[np.arange(len(targets)), targets]
    return losses.mean()


def loss_as_an_array(logits, targets, mask):
    return np.array(token_by_token(logits, targets, mask))


def by_recursion(step, state, start, end, max_length):
    if max_length == 0:
        return []
    logits, state = step(start, state)
    token = int(np.argmax(logits))
    if token == end:
        return []
    return [token, *by_recursion(step, state, token, end, max_length - 1)]


def with_numpy_ints(step, state, start, end, max_length):
    tokens, token = [], start
    while len(tokens) < max_length:
        logits, state = step(token, state)
        token = logits.argmax()
        if token == end:
            break
        tokens.append(token)
    return tokens


def calls_step_once_more(step, state, start, end, max_length):
    tokens = []
    logits, state = step(start, state)
    while len(tokens) < max_length and logits.argmax() != end:
        tokens.append(int(logits.argmax()))
        logits, state = step(tokens[-1], state)
    return tokens


def with_digitize(sources, predictions, targets, edges):
    bins = np.digitize([len(source) for source in sources], edges)
    right = np.array([p == t for p, t in zip(predictions, targets, strict=True)], bool)
    return [
        right[bins == index].mean() if (bins == index).any() else np.nan
        for index in range(1, len(edges))
    ]


def with_mean_of_nothing(sources, predictions, targets, edges):
    triples = list(zip(sources, predictions, targets, strict=True))
    return [
        np.mean([p == t for s, p, t in triples if len(s) in range(low, high)])
        for low, high in zip(edges, edges[1:], strict=False)
    ]


def count_as_numpy_int(kind, input_dim, units):
    return np.int64(right_parameters(kind, input_dim, units))


@parametrized(
    sequence_loss=[
        token_by_token,
        one_hot_by_comparison,
        loss_in_float32,
        loss_as_an_array,
    ],
    greedy_decode=[by_recursion, with_numpy_ints, calls_step_once_more],
    exact_match_by_length=[with_digitize, with_mean_of_nothing],
    recurrent_parameters=[count_as_numpy_int],
    decoder_batch=[with_lists],
    translate=[in_two_functions],
    exact_match_if_independent=[as_a_loop],
)
def test_exercise_accepts_right_answer(exercise, answer):
    result = exercise.check(answer)
    assert result.passed, result
