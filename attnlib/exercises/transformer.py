"""Exercises of chapter 08, "The Transformer"."""

import types

import numpy as np

from attnlib import reference as ref
from attnlib.checking.exercise import exercise
from attnlib.checking.sandbox import CheckFailed
from attnlib.exercises import self_attention
from attnlib.exercises._demands import five_masks, in_float32
from attnlib.exercises._mistakes import add_mask_from_the_front
from attnlib.exercises._shared import passing_parts

causal_mask = self_attention.causal_mask.reference_solution


# The decoder's inputs


def _shift_cases(rng):
    yield "one sentence, two tokens and the end", (np.array([[7, 4, 2]]), 1)
    yield (
        "two sentences, one of them padded",
        (np.array([[5, 3, 6, 2], [4, 2, 0, 0]]), 1),
    )
    yield "the end alone, and padding", (np.array([[2, 0, 0], [2, 0, 0], [3, 3, 2]]), 1)
    yield "one position", (np.array([[2], [2]]), 1)
    yield "another start token", (np.array([[3, 1, 3, 2], [6, 6, 2, 0]]), 9)
    lengths = rng.integers(1, 8, 5)
    batch = np.zeros((5, 8), int)
    for row, length in zip(batch, lengths, strict=True):
        row[:length] = rng.integers(3, 30, length)
        row[length] = 2
    yield "five sentences", (batch, 1)
    yield "a row of padding alone", (np.array([[0, 0, 0], [8, 2, 0]]), 1)


@exercise(
    _shift_cases,
    hints=[
        (
            "The inputs have the same shape as the targets. Which column of the "
            "targets becomes column 1 of the inputs, and what becomes column 0?"
        ),
        (
            "`np.full_like(targets, start)` is an array of start tokens. All but its "
            "first column should be overwritten, with all but the last column of the "
            "targets. The mask compares the targets, not the inputs, with 0."
        ),
    ],
    returns=("inputs", "mask"),
    batch=("targets",),
)
def target_shift(targets, start):
    """What the decoder reads in training, and which of its predictions count.

    targets: (batch, target_len), token IDs y_1 ... y_n and the end, then padding, 0.
    start: int, the ID of the start token.
    Returns inputs (batch, target_len), which begin with start and hold at position t
    the token that the targets have at t - 1, and mask (batch, target_len), True where
    the target is no padding. What the inputs hold where the mask is False does not
    matter to the loss, but return the shifted tokens there, too.
    """
    inputs = np.full_like(targets, start)
    inputs[:, 1:] = targets[:, :-1]
    return inputs, targets != 0


def _wrong_shift(message, inputs=None, mask=None, result=None):
    """Add a wrong answer: another function of (targets, start), or another order."""

    @target_shift.known_mistake(message)
    def wrong(targets, start):
        right = target_shift.reference_solution(targets, start)
        one = right[0] if inputs is None else inputs(targets, start)
        other = right[1] if mask is None else mask(targets, start)
        return (one, other) if result is None else result(one, other)


def _behind(column, targets):
    return np.concatenate([column, targets[:, :-1]], axis=1)


def _all(start, targets):
    return np.full((len(targets), 1), start)


_wrong_shift(
    "You do not shift: at every position, the decoder reads the token that it should "
    "predict. The loss would be far too good, and generation would fail.",
    inputs=lambda targets, start: targets.copy(),
)
_wrong_shift(
    "You replace the first token by the start, but do not shift: from the second "
    "position on, the decoder reads the token that it should predict.",
    inputs=lambda targets, start: np.concatenate(
        [_all(start, targets), targets[:, 1:]], axis=1
    ),
)
_wrong_shift(
    "You shift to the left, so that the decoder reads a token that lies ahead. The "
    "token at position t - 1 belongs to position t.",
    inputs=lambda targets, start: np.concatenate(
        [targets[:, 1:], _all(start, targets)], axis=1
    ),
)
_wrong_shift(
    "np.roll moves the last token to the front. The start token belongs there.",
    inputs=lambda targets, start: np.roll(targets, 1, axis=1),
)
_wrong_shift(
    "You shift along the batch. Shift along the positions, axis 1.",
    inputs=lambda targets, start: np.concatenate(
        [np.full((1, targets.shape[1]), start), targets[:-1]]
    ),
)
_wrong_shift(
    "You shift by two positions. The token at position t - 1 belongs to position t.",
    inputs=lambda targets, start: np.concatenate(
        [_all(start, targets), _all(start, targets), targets], axis=1
    )[:, : targets.shape[1]],
)
_wrong_shift(
    "Column 0 holds the padding. The decoder begins with the start token.",
    inputs=lambda targets, start: _behind(_all(0, targets), targets),
)
_wrong_shift(
    "Your inputs are one position longer than the targets. The last token is not read "
    "by the decoder, because nothing follows it.",
    inputs=lambda targets, start: np.concatenate(
        [_all(start, targets), targets], axis=1
    ),
)
_wrong_shift(
    "Your mask is made from the inputs, so it is off by one position: it should be "
    "True where the target is no padding.",
    mask=lambda targets, start: _behind(_all(start, targets), targets) != 0,
)
_wrong_shift(
    "Your mask is shifted along with the inputs. It should be True where the target is "
    "no padding.",
    mask=lambda targets, start: _behind(_all(0, targets), targets) != 0,
)
_wrong_shift(
    "Your mask is inverted. It should be True at real targets and False at padding.",
    mask=lambda targets, start: targets == 0,
)
_wrong_shift(
    "Your mask leaves out the end token. The decoder has to learn to predict it.",
    mask=lambda targets, start: (targets != 0) & (targets != 2),
)
_wrong_shift(
    "Your mask is True everywhere, so padding would count in the loss.",
    mask=lambda targets, start: np.ones(targets.shape, bool),
)
_wrong_shift(
    "You return the mask first. Return the inputs first, then the mask.",
    result=lambda inputs, mask: (mask, inputs),
)


# The blocks


def _parameters(rng, which, units, heads, inner_dim=5):
    """Random parameters of a block, with key_dim = units / heads, at least 1."""
    key_dim = max(1, units // heads)

    def attention():
        matrices = (rng.normal(size=(units, heads, key_dim)) for _ in range(3))
        output = rng.normal(size=(heads, key_dim, units))
        return tuple(w / np.sqrt(units) for w in (*matrices, output))

    names = (
        ["attention"] if which == "encoder" else ["self_attention", "cross_attention"]
    )
    parameters = {}
    for number, name in enumerate([*names, "feed_forward"], start=1):
        norm = 1 + 0.5 * rng.normal(size=units), 0.5 * rng.normal(size=units)
        parameters[f"norm_{number}"] = norm
        parameters[name] = attention() if name in names else None
    parameters["feed_forward"] = (
        rng.normal(size=(units, inner_dim)) / np.sqrt(units),
        0.5 * rng.normal(size=inner_dim),
        rng.normal(size=(inner_dim, units)) / np.sqrt(inner_dim),
        0.5 * rng.normal(size=units),
    )
    return parameters


def _all_and_five(length):
    """Six masks: all words, and the five masks of the course."""
    return np.vstack([np.ones(length, bool), five_masks(length)])


def _encoder_cases(rng):
    def case(batch, length, units, heads, mask):
        x = rng.normal(size=(batch, length, units)) * 2 + 1
        return x, _parameters(rng, "encoder", units, heads), mask

    yield "one sentence of two words, one head", case(1, 2, 2, 1, np.ones((1, 2)) == 1)
    yield "every size is four", case(4, 4, 4, 2, _all_and_five(4)[:4])
    yield "masks of every kind", case(6, 5, 4, 2, _all_and_five(5))
    yield (
        "a sentence with nothing to attend to, beside a full one",
        case(2, 4, 6, 3, _all_and_five(4)[[0, 5]]),
    )
    yield "one word, or none", case(2, 1, 4, 2, np.array([[True], [False]]))
    x, parameters, mask = case(1, 4, 8, 2, np.array([[True, False, True, True]]))
    yield "whole numbers", (np.round(3 * x), parameters, mask)
    yield "single precision", in_float32(case(2, 3, 4, 4, np.array([[True] * 3] * 2)))


@exercise(
    _encoder_cases,
    hints=[
        (
            "Normalize first, and keep `x` itself for the sum: "
            '`n = layer_norm(x, *parameters["norm_1"])`, where the star hands over '
            "scale and offset."
        ),
        (
            "In self-attention the normalized `n` is both `query` and `values` of "
            "`multi_head_attention`. Add its result to `x`, not to `n`. Then do the "
            "same with `norm_2` and the feed-forward network."
        ),
    ],
    batch=("x", "mask"),
)
def encoder_block(x, parameters, mask):
    """x + attention(norm(x)), and then x + feed_forward(norm(x)): a pre-norm block.

    x: (batch, length, units). mask: (batch, length), True = may be attended to.
    parameters: dict of tuples of arrays: "norm_1" and "norm_2" hold what layer_norm
    takes, "attention" the four matrices that multi_head_attention takes, and
    "feed_forward" what feed_forward takes.
    Returns (batch, length, units). To the rows of a sentence with nothing to attend to,
    the attention adds zeros.
    """
    n = ref.layer_norm(x, *parameters["norm_1"])
    x = x + ref.multi_head_attention(n, n, *parameters["attention"], mask)
    n = ref.layer_norm(x, *parameters["norm_2"])
    return x + ref.feed_forward(n, *parameters["feed_forward"])


POST_NORM = (
    "Your block is post-norm, as in chapter 07: it normalizes the sums. A pre-norm "
    "block normalizes what goes into a layer, and adds the result to x as it was."
)
FROM_NORMALIZED = (
    "You add the result of a layer to the normalized input. Add it to x as it was "
    "before the norm, so that a straight path leads through the block."
)
NO_RESIDUAL = "A residual connection is missing: add x to the result of each layer."
NO_NORM = "A layer gets x without the norm in front of it."
NORMS_EXCHANGED = (
    "The norms are exchanged, or one is used twice. norm_1 belongs to the first layer, "
    "norm_2 to the second, and so on."
)
SUMS_BESIDE = (
    "Your feed-forward network reads the block's input. It should read the sum that "
    "the attention left."
)
FINAL_NORM = (
    "You normalize the result of the block, too. The next block does that with a norm "
    "of its own."
)
MASK_LEFT_OUT = "The mask has no effect: a position that it excludes is attended to."
MASK_INVERTED = "Your mask is inverted: True means that a position may be attended to."
FIRST_SENTENCE = (
    "[0] after ref.multi_head_attention takes the first sentence's result and adds it "
    "to every sentence. Unlike the layer of the page, this function returns the result "
    "alone, without the weights, so leave [0] out."
)


def _attention(query, values, parameters, name, mask):
    return ref.multi_head_attention(query, values, *parameters[name], mask)


def _norm(x, parameters, number):
    return ref.layer_norm(x, *parameters[f"norm_{number}"])


def _network(x, parameters):
    return ref.feed_forward(x, *parameters["feed_forward"])


def _encoder_with(
    norms=(1, 2), into=("n", "n"), add_to=("x", "x"), mask=lambda mask: mask
):
    """The solution with changes: the numbers of the norms; what enters a layer, "n" or
    "x"; what its result is added to, "x", "n", or "nothing"; and the mask.
    """

    def block(x, parameters, given):
        for layer in range(2):
            n = _norm(x, parameters, norms[layer])
            inside = n if into[layer] == "n" else x
            if layer == 0:
                result = _attention(
                    inside, inside, parameters, "attention", mask(given)
                )
            else:
                result = _network(inside, parameters)
            x = {"x": x, "n": n, "nothing": 0}[add_to[layer]] + result
        return x

    return lambda x, parameters, mask: block(x, parameters, mask)


for _add_to in (("n", "n"), ("n", "x"), ("x", "n")):
    encoder_block.known_mistake(FROM_NORMALIZED)(_encoder_with(add_to=_add_to))
for _add_to in (("nothing", "nothing"), ("nothing", "x"), ("x", "nothing")):
    encoder_block.known_mistake(NO_RESIDUAL)(_encoder_with(add_to=_add_to))
for _into in (("x", "x"), ("x", "n"), ("n", "x")):
    encoder_block.known_mistake(NO_NORM)(_encoder_with(into=_into))
for _norms in ((2, 1), (1, 1), (2, 2)):
    encoder_block.known_mistake(NORMS_EXCHANGED)(_encoder_with(norms=_norms))
encoder_block.known_mistake(MASK_LEFT_OUT)(_encoder_with(mask=np.ones_like))
encoder_block.known_mistake(MASK_INVERTED)(_encoder_with(mask=np.logical_not))
encoder_block.known_mistake(
    "You use a causal mask. In the encoder, every word may attend to the words on both "
    "sides of it."
)(_encoder_with(mask=lambda mask: causal_mask(mask)))
add_mask_from_the_front(encoder_block)


@encoder_block.known_mistake(POST_NORM)
def encoder_post_norm(x, parameters, mask):
    y = _norm(x + _attention(x, x, parameters, "attention", mask), parameters, 1)
    return _norm(y + _network(y, parameters), parameters, 2)


@encoder_block.known_mistake(
    "Only the queries are normalized. In self-attention the same normalized words are "
    "queries, keys, and values."
)
def encoder_values_not_normalized(x, parameters, mask):
    n = _norm(x, parameters, 1)
    x = x + _attention(n, x, parameters, "attention", mask)
    return x + _network(_norm(x, parameters, 2), parameters)


@encoder_block.known_mistake(
    "Only the values are normalized. In self-attention the same normalized words are "
    "queries, keys, and values."
)
def encoder_query_not_normalized(x, parameters, mask):
    n = _norm(x, parameters, 1)
    x = x + _attention(x, n, parameters, "attention", mask)
    return x + _network(_norm(x, parameters, 2), parameters)


@encoder_block.known_mistake(SUMS_BESIDE)
def encoder_layers_beside_each_other(x, parameters, mask):
    n = _norm(x, parameters, 1)
    attended = _attention(n, n, parameters, "attention", mask)
    return x + attended + _network(_norm(x, parameters, 2), parameters)


@encoder_block.known_mistake(FINAL_NORM)
def encoder_normalized_at_the_end(x, parameters, mask):
    return _norm(encoder_block.reference_solution(x, parameters, mask), parameters, 2)


@encoder_block.known_mistake(FIRST_SENTENCE)
def encoder_of_first_sentence(x, parameters, mask):
    n = _norm(x, parameters, 1)
    x = x + _attention(n, n, parameters, "attention", mask)[0]
    return x + _network(_norm(x, parameters, 2), parameters)


@encoder_block.known_mistake("The feed-forward network is missing.")
def encoder_without_network(x, parameters, mask):
    n = _norm(x, parameters, 1)
    return x + _attention(n, n, parameters, "attention", mask)


@encoder_block.known_mistake("The attention is missing.")
def encoder_without_attention(x, parameters, mask):
    return x + _network(_norm(x, parameters, 2), parameters)


@encoder_block.known_mistake(
    "The feed-forward network comes first. The attention comes first, with norm_1."
)
def encoder_network_first(x, parameters, mask):
    x = x + _network(_norm(x, parameters, 1), parameters)
    n = _norm(x, parameters, 2)
    return x + _attention(n, n, parameters, "attention", mask)


def _decoder_cases(rng):
    def case(batch, target_len, source_len, units, heads, target_mask, source_mask):
        x = rng.normal(size=(batch, target_len, units)) * 2 + 1
        memory = rng.normal(size=(batch, source_len, units)) - 1
        parameters = _parameters(rng, "decoder", units, heads)
        return x, memory, parameters, causal_mask(target_mask), source_mask

    def every(batch, length):
        return np.ones((batch, length), bool)

    yield (
        "one sentence of two words, one source word, one head",
        case(1, 2, 1, 2, 1, every(1, 2), every(1, 1)),
    )
    masks = _all_and_five(4)[:4]
    yield "every size is four", case(4, 4, 4, 4, 2, masks, masks[::-1].copy())
    yield (
        "every size is four; no padding in the targets",
        case(4, 4, 4, 4, 4, every(4, 4), masks),
    )
    yield "masks of every kind", case(6, 3, 5, 4, 2, every(6, 3), _all_and_five(5))
    yield (
        "a source with nothing to attend to, beside a full one",
        case(2, 3, 4, 6, 3, every(2, 3), _all_and_five(4)[[0, 5]]),
    )
    yield "one target word", case(1, 1, 3, 4, 2, every(1, 1), every(1, 3))
    yield (
        "one source word, or none",
        case(2, 3, 1, 4, 2, every(2, 3), np.array([[True], [False]])),
    )
    x, memory, *others = case(1, 5, 4, 8, 2, every(1, 5), every(1, 4))
    yield "whole numbers", (np.round(3 * x), np.round(3 * memory), *others)
    yield "single precision", in_float32(case(2, 3, 5, 4, 4, every(2, 3), every(2, 5)))


@exercise(
    _decoder_cases,
    hints=[
        (
            "There are three sub-layers: self-attention of the target, cross-attention "
            "to the memory, and the feed-forward network. Each one reads the "
            "normalized `x`, and its result is added to `x`."
        ),
        (
            "In cross-attention, the normalized `x` is the query, and `memory`, as it "
            "is, the values. The target's mask belongs to the self-attention, the "
            "source's mask to the cross-attention."
        ),
    ],
    batch=("x", "memory", "target_mask", "source_mask"),
)
def decoder_block(x, memory, parameters, target_mask, source_mask):
    """Self-attention, cross-attention, and a feed-forward network, each in pre-norm.

    x: (batch, target_len, units). memory: (batch, source_len, units), the encoder's
    result.
    target_mask: (batch, target_len, target_len), True where a target position may
    attend to another one, as causal_mask has it.
    source_mask: (batch, source_len), True = may be attended to.
    parameters: dict of tuples of arrays: "norm_1", "norm_2", "norm_3",
    "self_attention", "cross_attention", "feed_forward", as in encoder_block.
    Returns (batch, target_len, units). A query with nothing to attend to gets zeros
    from that attention.
    """
    n = ref.layer_norm(x, *parameters["norm_1"])
    x = x + ref.multi_head_attention(n, n, *parameters["self_attention"], target_mask)
    n, matrices = (
        ref.layer_norm(x, *parameters["norm_2"]),
        parameters["cross_attention"],
    )
    x = x + ref.multi_head_attention(n, memory, *matrices, source_mask)
    n = ref.layer_norm(x, *parameters["norm_3"])
    return x + ref.feed_forward(n, *parameters["feed_forward"])


def _decoder_with(**changes):
    """The solution with changes: ``norms``, ``into``, and ``add_to`` as for the
    encoder; ``first`` and ``second``, functions of (n, x, memory, parameters,
    target_mask, source_mask) that compute the attentions; ``layers``, their order.
    """
    part = types.SimpleNamespace(
        **{
            "norms": (1, 2, 3),
            "into": "nnn",
            "add_to": "xxx",
            "layers": (0, 1, 2),
            "first": lambda n, x, memory, p, target, source: _attention(
                n, n, p, "self_attention", target
            ),
            "second": lambda n, x, memory, p, target, source: _attention(
                n, memory, p, "cross_attention", source
            ),
            **changes,
        }
    )

    def block(x, memory, parameters, target_mask, source_mask):
        masks = target_mask, source_mask
        for layer in part.layers:
            n = _norm(x, parameters, part.norms[layer])
            inside = n if part.into[layer] == "n" else x
            if layer == 2:
                result = _network(inside, parameters)
            else:
                attend = (part.first, part.second)[layer]
                result = attend(inside, x, memory, parameters, *masks)
            x = {"x": x, "n": n, "0": 0}[part.add_to[layer]] + result
        return x

    return lambda x, memory, parameters, target_mask, source_mask: block(
        x, memory, parameters, target_mask, source_mask
    )


def _wrong_decoder(message, **changes):
    decoder_block.known_mistake(message)(_decoder_with(**changes))


for _add_to in ("nnn", "nxx", "xnx", "xxn"):
    _wrong_decoder(FROM_NORMALIZED, add_to=_add_to)
for _add_to in ("000", "0xx", "x0x", "xx0"):
    _wrong_decoder(NO_RESIDUAL, add_to=_add_to)
for _into in ("xxx", "xnn", "nxn", "nnx"):
    _wrong_decoder(NO_NORM, into=_into)
for _norms in ((1, 1, 1), (1, 2, 2), (1, 3, 2), (2, 1, 3), (3, 2, 1)):
    _wrong_decoder(NORMS_EXCHANGED, norms=_norms)
_wrong_decoder(
    "Your self-attention is not causal: a position attends to words that lie ahead of "
    "it. Use the target's mask there.",
    first=lambda n, x, memory, p, target, source: _attention(
        n, n, p, "self_attention", np.ones_like(target)
    ),
)
SELF_WITH_SOURCE_MASK = (
    "Your self-attention uses the source's mask. It belongs to the cross-attention."
)
_wrong_decoder(
    SELF_WITH_SOURCE_MASK,
    first=lambda n, x, memory, p, target, source: _attention(
        n, n, p, "self_attention", source
    ),
)
for _layers in ("first",), ("second",), ("first", "second"):
    _wrong_decoder(
        FIRST_SENTENCE,
        **{
            layer: lambda n, x, memory, p, target, source, layer=layer: (
                _attention(n, n, p, "self_attention", target)
                if layer == "first"
                else _attention(n, memory, p, "cross_attention", source)
            )[0]
            for layer in _layers
        },
    )
_wrong_decoder(
    "Your target's mask is inverted: True means that a position may be attended to.",
    first=lambda n, x, memory, p, target, source: _attention(
        n, n, p, "self_attention", ~target
    ),
)
_wrong_decoder(
    "You transpose the target's mask, so that a position attends to itself and the "
    "words that follow. Its rows are the queries already.",
    first=lambda n, x, memory, p, target, source: _attention(
        n, n, p, "self_attention", target.swapaxes(1, 2)
    ),
)
_wrong_decoder(
    "Your causal mask is off by one: a position has to attend to itself as well. It "
    "holds the token before the one to predict, because the targets are shifted.",
    first=lambda n, x, memory, p, target, source: _attention(
        n, n, p, "self_attention", target & ~np.eye(target.shape[1], dtype=bool)
    ),
)
_wrong_decoder(
    "Your cross-attention uses the causal mask. Every target position may attend to "
    "the whole source: use the source's mask.",
    second=lambda n, x, memory, p, target, source: _attention(
        n, memory, p, "cross_attention", target
    ),
)
_wrong_decoder(
    "Your cross-attention ignores the source's mask, so that padding is attended to.",
    second=lambda n, x, memory, p, target, source: _attention(
        n, memory, p, "cross_attention", np.ones_like(source)
    ),
)
_wrong_decoder(
    "Your source's mask is inverted: True means that a position may be attended to.",
    second=lambda n, x, memory, p, target, source: _attention(
        n, memory, p, "cross_attention", ~source
    ),
)
_wrong_decoder(
    "Your cross-attention attends to the target once more. Its values are the memory.",
    second=lambda n, x, memory, p, target, source: _attention(
        n, n, p, "cross_attention", target
    ),
)
_wrong_decoder(
    "Query and values of the cross-attention are exchanged: the target asks, and the "
    "memory is what it attends to.",
    second=lambda n, x, memory, p, target, source: _attention(
        memory, n, p, "cross_attention", source
    ),
)
_wrong_decoder(
    "You normalize the memory as well. The encoder has done that with its last norm, "
    "so pass it on as it is.",
    second=lambda n, x, memory, p, target, source: _attention(
        n, _norm(memory, p, 2), p, "cross_attention", source
    ),
)
_wrong_decoder(
    "The parameters of the two attentions are exchanged.",
    first=lambda n, x, memory, p, target, source: _attention(
        n, n, p, "cross_attention", target
    ),
    second=lambda n, x, memory, p, target, source: _attention(
        n, memory, p, "self_attention", source
    ),
)
_wrong_decoder(
    "Both attentions use the same parameters. Each has its own.",
    second=lambda n, x, memory, p, target, source: _attention(
        n, memory, p, "self_attention", source
    ),
)
_wrong_decoder(
    "Cross-attention comes before self-attention. Self-attention comes first.",
    layers=(1, 0, 2),
)
_wrong_decoder("The self-attention is missing.", layers=(1, 2))
_wrong_decoder("The cross-attention is missing.", layers=(0, 2))
_wrong_decoder("The feed-forward network is missing.", layers=(0, 1))


@decoder_block.known_mistake(POST_NORM)
def decoder_post_norm(x, memory, parameters, target_mask, source_mask):
    x = x + _attention(x, x, parameters, "self_attention", target_mask)
    x = _norm(x, parameters, 1)
    x = x + _attention(x, memory, parameters, "cross_attention", source_mask)
    x = _norm(x, parameters, 2)
    return _norm(x + _network(x, parameters), parameters, 3)


@decoder_block.known_mistake(FINAL_NORM)
def decoder_normalized_at_the_end(x, memory, parameters, target_mask, source_mask):
    result = decoder_block.reference_solution(
        x, memory, parameters, target_mask, source_mask
    )
    return _norm(result, parameters, 3)


@decoder_block.known_mistake(
    "Both attentions read the block's input. The cross-attention should read the sum "
    "that the self-attention left."
)
def decoder_attentions_beside_each_other(
    x, memory, parameters, target_mask, source_mask
):
    n = _norm(x, parameters, 1)
    own = _attention(n, n, parameters, "self_attention", target_mask)
    n = _norm(x, parameters, 2)
    x = x + own + _attention(n, memory, parameters, "cross_attention", source_mask)
    return x + _network(_norm(x, parameters, 3), parameters)


# Training


def _schedule_cases(rng):
    yield "four steps of warm-up", (np.arange(1, 9), 1.0, 4)
    yield "the first step alone", (np.array([1]), 0.003, 100)
    yield (
        "before, at, and after the end of the warm-up",
        (
            np.array([50, 100, 400, 10_000]),
            0.003,
            100,
        ),
    )
    yield "no warm-up to speak of", (np.array([1, 4, 9, 16]), 2.0, 1)
    yield "in any order", (rng.integers(1, 5000, 9), 0.01, 700)
    yield "steps as real numbers", (np.array([1.0, 2.0, 32.0], "float32"), 0.5, 8)


@exercise(
    _schedule_cases,
    hints=[
        (
            "There are two formulas, one for each side of the peak. At `warmup_steps` "
            "both give `peak`. Before it, which of the two is smaller?"
        ),
        (
            "The first is `peak * steps / warmup_steps`, the second `peak * "
            "np.sqrt(warmup_steps / steps)`. `np.minimum` compares two arrays element "
            "by element."
        ),
    ],
)
def warmup_schedule(steps, peak, warmup_steps):
    """The learning rate at each step: up to the peak in a line, then down as 1/sqrt.

    steps: array of step numbers, from 1 on. peak: float, the rate at step warmup_steps.
    warmup_steps: int, 1 or more.
    Returns an array of the same shape: peak * steps / warmup_steps up to warmup_steps,
    and peak * sqrt(warmup_steps / steps) from there on.
    """
    rising = steps / warmup_steps
    falling = np.sqrt(warmup_steps / steps)
    return peak * np.minimum(rising, falling)


def _wrong_schedule(message, rate):
    """Add a wrong answer: another function of (steps, peak, warmup_steps)."""
    warmup_schedule.known_mistake(message)(
        lambda steps, peak, warmup_steps: rate(steps, peak, warmup_steps)
    )


_wrong_schedule(
    "Your rate never decays: after the warm-up it stays at the peak.",
    lambda steps, peak, warmup: peak * np.minimum(steps / warmup, 1),
)
_wrong_schedule(
    "Your rate goes on rising after the warm-up.",
    lambda steps, peak, warmup: peak * steps / warmup,
)
_wrong_schedule(
    "There is no warm-up: at the first steps your rate is the largest.",
    lambda steps, peak, warmup: peak * np.sqrt(warmup / steps),
)
_wrong_schedule(
    "There is no warm-up: before warmup_steps your rate is at the peak already.",
    lambda steps, peak, warmup: peak * np.minimum(1, np.sqrt(warmup / steps)),
)
_wrong_schedule(
    "You take the larger of the two formulas. The smaller one is right on each side.",
    lambda steps, peak, warmup: (
        peak * np.maximum(steps / warmup, np.sqrt(warmup / steps))
    ),
)
_wrong_schedule(
    "Your rate falls with the step itself. It should fall with its square root.",
    lambda steps, peak, warmup: peak * np.minimum(steps / warmup, warmup / steps),
)
_wrong_schedule(
    "You count steps from 0, so the first step has a rate of 0 and every rate comes "
    "one step late.",
    lambda steps, peak, warmup: (
        peak
        * np.minimum((steps - 1) / warmup, np.sqrt(warmup / np.maximum(steps - 1, 1)))
    ),
)
_wrong_schedule(
    "You count steps from 0 and add 1, as the learning rate for Keras does. Here the "
    "first step has the number 1 already, so every rate comes one step early.",
    lambda steps, peak, warmup: (
        peak * np.minimum((steps + 1) / warmup, np.sqrt(warmup / (steps + 1)))
    ),
)
_wrong_schedule(
    "After the warm-up your rate is peak / sqrt(step), which is too small by the "
    "square root of warmup_steps. At step warmup_steps it should be the peak.",
    lambda steps, peak, warmup: (
        peak * np.where(steps <= warmup, steps / warmup, 1 / np.sqrt(steps))
    ),
)
_wrong_schedule(
    "This is the paper's formula without its height: at step warmup_steps it gives 1 / "
    "sqrt(warmup_steps) times the peak. Multiply by the square root of warmup_steps.",
    lambda steps, peak, warmup: (
        peak * np.minimum(1 / np.sqrt(steps), steps * warmup**-1.5)
    ),
)
_wrong_schedule(
    "You divide with //, which rounds down to 0 before the end of the warm-up.",
    lambda steps, peak, warmup: (
        peak * np.minimum(steps // warmup, np.sqrt(warmup / steps))
    ),
)
_wrong_schedule(
    "The peak is missing from the warm-up: up to warmup_steps, your rate rises to 1.",
    lambda steps, peak, warmup: np.where(
        steps <= warmup, steps / warmup, peak * np.sqrt(warmup / steps)
    ),
)
_wrong_schedule(
    "The peak is missing from the decay: after warmup_steps, your rate falls from 1.",
    lambda steps, peak, warmup: np.where(
        steps <= warmup, peak * steps / warmup, np.sqrt(warmup / steps)
    ),
)
_wrong_schedule(
    "The peak is missing: your rate reaches 1.",
    lambda steps, peak, warmup: np.minimum(steps / warmup, np.sqrt(warmup / steps)),
)


# Generation


class ScriptedModel:
    """A model that writes a script for one source, and something else for any other.

    Row t of its logits continues the first t tokens after the start. It says what is
    wrong with its arguments.
    """

    start, end = 1, 2

    def __init__(self, rng, source, script, longest, vocabulary=9):
        self._vectors = rng.normal(size=(20, 3))
        self._noise = rng.normal(size=(20, vocabulary))
        self._source, self._script, self._longest = list(source), script, longest

    def max_length(self, source):
        return self._longest

    def encode(self, source):
        if np.ndim(source) != 1 or not len(source):
            raise CheckFailed(
                "model.encode should get the source as it is, a list of token IDs."
            )
        order = np.arange(1, len(source) + 1)[:, None]  # so that positions count
        return (self._vectors[np.asarray(source)] * order)[None]

    def logits(self, tokens, memory):
        self._check(tokens, memory)
        expected = self.encode(self._source)
        is_right = memory.shape == expected.shape and np.allclose(memory, expected)
        rows = self._noise[: len(tokens)].copy()  # (target_len, vocabulary)
        for t in range(len(tokens)):
            if is_right and list(tokens[1 : t + 1]) == self._script[:t]:
                following = [*self._script, self.end][t]
                rows[t] -= 5 * (np.arange(rows.shape[1]) != following)
        return rows[None]

    def _check(self, tokens, memory):
        if np.ndim(tokens) != 1:
            raise CheckFailed(
                "model.logits should get one list of token IDs, without an axis for "
                "the batch."
            )
        if np.ndim(memory) != 3:
            raise CheckFailed(
                "The second argument of model.logits should be the memory, which "
                "model.encode(source) returns."
            )
        if not len(tokens) or tokens[0] != self.start:
            raise CheckFailed(
                "The decoder keeps no state, so model.logits has to get all the tokens "
                "so far at every step, and the first of them is model.start."
            )


def _generate_cases(rng):
    for title, source, script, longest in (
        ("two source words, two tokens, and the end", [4, 3], [5, 7], 6),
        ("the end is chosen at once", [3, 3, 5], [], 4),
        ("a token that is written twice", [7, 3, 3, 8], [6, 6, 3, 6], 12),
        ("the end is never chosen", [5, 4], [3, 8, 4, 5, 3, 7], 4),
        ("as many tokens as may be, and then the end", [8], [4, 7, 3], 3),
        ("one token", [3, 9, 3], [8], 5),
        ("nothing may be written", [6, 5], [4, 4], 0),
    ):
        yield title, (ScriptedModel(rng, source, script, longest), list(source))


@exercise(
    _generate_cases,
    hints=[
        (
            "Encode once, before the loop. Then begin with the list `[model.start]`, "
            "and at each step append the token with the largest logit to it."
        ),
        (
            "`model.logits(tokens, memory)` has one row for each token so far, and the "
            "last row, `[0, -1]`, belongs to the next token. Stop before you append "
            "`model.end`, and return the list without its first token."
        ),
    ],
)
def generate(model, source):
    """Translate one sentence greedily, one token at a time.

    model: model.encode(source) gives the memory, (1, source_len, units);
    model.logits(tokens, memory) gives (1, len(tokens), vocabulary), where row t
    predicts the token after tokens[t]; model.start and model.end are token IDs;
    model.max_length(source) is the largest number of tokens to write.
    source: list of ints, the token IDs of the sentence.
    Returns the list of the token IDs written (ints), without start and end.
    """
    memory = model.encode(source)
    tokens = [model.start]
    for _ in range(model.max_length(source)):
        logits = model.logits(tokens, memory)  # (1, len(tokens), vocabulary)
        token = int(np.argmax(logits[0, -1]))
        if token == model.end:
            break
        tokens.append(token)
    return tokens[1:]


def _wrong_generate(message, **changes):
    """Add a wrong answer, in which some of what the solution does is done otherwise."""
    part = types.SimpleNamespace(
        **{
            "row": lambda logits: logits[0, -1],
            "choose": np.argmax,
            "read": lambda tokens: tokens,
            "steps": lambda longest: longest,
            "stops": True,
            "memory": lambda model, source: model.encode(source),
            "result": lambda tokens, ended, model: tokens[1:],
            **changes,
        }
    )

    @generate.known_mistake(message)
    def wrong(model, source):
        memory, tokens, ended = part.memory(model, source), [model.start], False
        for _ in range(part.steps(model.max_length(source))):
            token = int(part.choose(part.row(model.logits(part.read(tokens), memory))))
            if token == model.end and part.stops:
                ended = True
                break
            tokens.append(token)
        return part.result(tokens, ended, model)


_wrong_generate(
    "The start token is still in front. Return the list without it.",
    result=lambda tokens, ended, model: tokens,
)
_wrong_generate(
    "You keep the end token. Leave the loop before you append it.",
    result=lambda tokens, ended, model: tokens[1:] + [model.end] * ended,
)
_wrong_generate(
    "The last token is missing.", result=lambda tokens, ended, model: tokens[1:-1]
)
FIRST_AGAIN = (
    "Every step predicts the first token again. Hand over all tokens so far, and read "
    "the last row of the logits, which predicts the next token."
)
_wrong_generate(
    FIRST_AGAIN,
    row=lambda logits: logits[0, 0],
)
for _row in (
    lambda logits: logits[-1],
    lambda logits: logits,
    lambda logits: logits[0],
):
    _wrong_generate(
        "You take the largest logit of all positions at once. The logits have an axis "
        "for the batch, so the last position of the only sentence is logits[0, -1].",
        row=_row,
    )
_wrong_generate(
    "You read the row before the last one. The last row, index -1, predicts the next "
    "token.",
    row=lambda logits: logits[0, max(0, logits.shape[1] - 2)],
)
_wrong_generate(
    "You choose the least likely token: np.argmax finds the largest logit.",
    choose=np.argmin,
)
_wrong_generate(
    "You go on after the end token. Stop there.",
    stops=False,
)
_wrong_generate(
    "You write one token more than model.max_length(source).",
    steps=lambda longest: longest + 1,
)
_wrong_generate(
    "You write one token less than model.max_length(source) allows: the start does not "
    "count.",
    steps=lambda longest: max(0, longest - 1),
)
_wrong_generate(
    FIRST_AGAIN,
    read=lambda tokens: tokens[:1],
)
_wrong_generate(
    "Every step reads the start and the last token alone. The decoder keeps no state: "
    "hand over all tokens so far.",
    read=lambda tokens: tokens[:1] + tokens[1:][-1:],
)
_wrong_generate(
    "You encode the source in reverse. Encode it as it is.",
    memory=lambda model, source: model.encode(source[::-1]),
)


# A loss that is too good: a repair


def _decoder_of(rng, vocabulary, units, longest):
    """A random ``decode(inputs, mask)`` of one attention without padding."""
    embedding = rng.normal(size=(vocabulary, units))
    positions = rng.normal(size=(longest, units))
    w_query, w_logits = (
        rng.normal(size=(units, units)),
        rng.normal(size=(units, vocabulary)),
    )

    def decode(inputs, mask):
        inputs, mask = np.asarray(inputs), np.asarray(mask)
        if inputs.ndim != 2 or inputs.dtype.kind not in "iu":
            raise CheckFailed(
                "decode(inputs, mask) should get token IDs, (batch, target_len)."
            )
        square = (*inputs.shape, inputs.shape[1])
        if mask.dtype != bool or mask.shape not in (
            square,
            square[1:],
            (1, *square[1:]),
        ):
            raise CheckFailed(
                "decode(inputs, mask) should get a boolean mask, (batch, target_len, "
                "target_len)."
            )
        x = embedding[inputs] + positions[: inputs.shape[1]]
        context, _ = ref.scaled_dot_product_attention(
            x @ w_query, x, x, np.broadcast_to(mask, square).copy()
        )
        return (x + 2 * context) @ w_logits  # (batch, target_len, vocabulary)

    return decode


def _times(factor, decode):
    def decode_large(inputs, mask):
        return factor * decode(inputs, mask)

    return decode_large


def _loss_cases(rng):
    def case(targets, start=1):
        targets = np.array(targets)
        return _decoder_of(rng, 10, 3, targets.shape[1]), targets, start

    yield "one sentence, two tokens and the end", case([[7, 4, 2]])
    yield "two sentences, one of them padded", case([[5, 3, 6, 2], [4, 2, 0, 0]])
    yield "a token twice", case([[5, 5, 3, 3, 2], [6, 2, 0, 0, 0], [8, 4, 8, 2, 0]])
    yield "one position", case([[2], [2]])
    yield "another start token", case([[3, 1, 3, 2], [6, 6, 2, 0]], 9)
    yield "as many sentences as positions", case([[3, 4, 2], [9, 2, 0], [2, 0, 0]])
    for sign in (500, -700):
        decode, *others = case([[4, 8, 3, 2], [7, 2, 0, 0]])
        yield "large logits", (_times(sign, decode), *others)


@exercise(
    _loss_cases,
    hints=[
        (
            "Position t of the inputs holds the token before the one to predict. Which "
            "position of the inputs holds the token to predict itself, and does the "
            "mask let position t attend to it?"
        ),
        "Print `np.tri(4, k=1, dtype=bool)` and compare it with the causal mask.",
    ],
)
def training_loss(decode, targets, start):
    """The mean cross-entropy of all target tokens, from one pass of the decoder.

    decode: function (inputs, mask) -> logits (batch, target_len, vocabulary); the mask
    (batch, target_len, target_len) is that of its self-attention, True = may be
    attended to.
    targets: (batch, target_len), token IDs with the end, then padding, 0. start: int.
    Returns a float, in nats per real token: position t of the decoder has to predict
    targets[:, t] from the start and the targets before t. Logits of 1000 must not
    overflow.
    """
    real = targets != 0
    first = np.full_like(targets[:, :1], start)
    inputs = np.concatenate([first, targets[:, :-1]], axis=1)
    mask = np.tri(targets.shape[1], dtype=bool) & real[:, None, :]
    logits = decode(inputs, mask)
    log_p = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
    nats = -np.take_along_axis(log_p, targets[:, :, None], axis=-1)[:, :, 0]
    return float(nats[real].mean())


@training_loss.starter_code(
    "In training, this loss becomes far too good: every position can attend to the "
    "token that it should predict."
)
def training_loss(decode, targets, start):
    """The mean cross-entropy of all target tokens, from one pass of the decoder."""
    real = targets != 0
    first = np.full_like(targets[:, :1], start)
    inputs = np.concatenate([first, targets[:, :-1]], axis=1)
    mask = np.tri(targets.shape[1], k=1, dtype=bool) & real[:, None, :]
    logits = decode(inputs, mask)
    log_p = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
    nats = -np.take_along_axis(log_p, targets[:, :, None], axis=-1)[:, :, 0]
    return float(nats[real].mean())


def _wrong_loss(message, **changes):
    """Add a wrong answer, in which some of what the solution does is done otherwise."""
    part = types.SimpleNamespace(
        **{
            "inputs": lambda targets, start: target_shift.reference_solution(
                targets, start
            )[0],
            "mask": lambda length: np.tri(length, dtype=bool),
            "mean": lambda nats, real: nats[real].mean(),
            "log_p": lambda logits: (
                logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
            ),
            "labels": lambda targets: targets,
            **changes,
        }
    )

    @training_loss.known_mistake(message)
    def wrong(decode, targets, start):
        real, length = targets != 0, targets.shape[1]
        mask = part.mask(length) & real[:, None, :]
        with np.errstate(all="ignore"):
            log_p = part.log_p(decode(part.inputs(targets, start), mask))
        labels = part.labels(targets)[:, :, None]
        nats = -np.take_along_axis(log_p, labels, axis=-1)[:, :, 0]
        return float(part.mean(nats, real))


_wrong_loss(
    "There is no causal mask: every position attends to all tokens, also to the one "
    "that it should predict.",
    mask=lambda length: np.ones((length, length), bool),
)
_wrong_loss(
    "Now your positions do not attend to themselves. They hold the token before the "
    "one to predict, and the first has nothing else to attend to.",
    mask=lambda length: np.tri(length, k=-1, dtype=bool),
)
_wrong_loss(
    "Your mask is transposed: a position attends to itself and the tokens that follow.",
    mask=lambda length: np.tri(length, dtype=bool).T,
)
_wrong_loss(
    "Your positions attend to themselves alone.",
    mask=lambda length: np.eye(length, dtype=bool),
)
_wrong_loss(
    "The inputs are no longer shifted: each position reads the token that it should "
    "predict.",
    inputs=lambda targets, start: targets,
)
_wrong_loss(
    "The padding counts in your mean. Average over the real tokens alone.",
    mean=lambda nats, real: nats.mean(),
)
_wrong_loss(
    "The padding counts as 0 in your mean. Divide by the number of real tokens.",
    mean=lambda nats, real: (nats * real).mean(),
)
_wrong_loss(
    "You return the sum over the tokens. Return their mean.",
    mean=lambda nats, real: nats[real].sum(),
)
_wrong_loss(
    "You average the means of the sentences. Average over all tokens at once.",
    mean=lambda nats, real: np.mean(
        [row[these].mean() for row, these in zip(nats, real, strict=True)]
    ),
)
_wrong_loss(
    "The minus sign is missing: a loss is the negative logarithm.",
    mean=lambda nats, real: -nats[real].mean(),
)
_wrong_loss(
    "exp overflows for logits of 1000. The exercise starts with a form that does not.",
    log_p=lambda logits: np.log(
        np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    ),
)


# Judging a claim: which head aligns?


def _random_heads(rng, layers, heads, lengths):
    weights, sure, possible = [], [], []
    for target_len, source_len in lengths:
        scores = 2 * rng.normal(size=(layers, heads, target_len, source_len))
        links = {
            (int(t), int(rng.integers(source_len)))
            for t in range(target_len)
            if rng.random() < 0.7
        }
        certain = {link for link in links if rng.random() < 0.6}
        more = {(t, int(rng.integers(source_len))) for t, _ in links}
        for t, s in links:  # most heads find some of them
            scores[rng.random((layers, heads)) < 0.5, t, s] += 5
        weights.append(ref.softmax(scores))
        sure.append(certain)
        possible.append(links | more)
    return weights, sure, possible


def _head_rate_cases(rng):
    one = np.array([[[[0.9, 0.1], [0.2, 0.8]], [[0.1, 0.9], [0.3, 0.7]]]])
    yield "two heads, two links", ([one], [{(0, 0), (1, 1)}], [{(0, 0), (1, 1)}])
    yield "a row without a link", ([one], [{(1, 1)}], [{(1, 1)}])
    yield "a link that is only possible", ([one], [{(0, 0)}], [{(0, 0), (1, 1)}])
    lengths = [(3, 5), (6, 2), (4, 4)]
    yield "three sentences, one layer, three heads", _random_heads(rng, 1, 3, lengths)
    yield "two layers of two heads", _random_heads(rng, 2, 2, [(7, 6), (2, 9), (5, 5)])
    yield "three layers of one head", _random_heads(rng, 3, 1, [(8, 12), (9, 3)])
    yield "as many layers as heads", _random_heads(rng, 3, 3, [(6, 6), (6, 6)])


@exercise(
    _head_rate_cases,
    hints=[
        (
            "For each sentence, the target positions to be linked are those that occur "
            "in `possible`. The source position of each head is the `argmax` of its "
            "row of weights, over the last axis."
        ),
        (
            "Count for all heads at once, in an array of zeros (layers, heads): add 1 "
            "where a link is sure, and 1 where it is possible. The number of links "
            "|A| + |S| is the same for every head."
        ),
    ],
)
def head_error_rates(weights, sure, possible):
    """The alignment error rate of each head, over all sentences.

    weights: list of arrays (layers, heads, target_len, source_len), one per sentence.
    sure, possible: lists of sets of pairs (target_index, source_index), one per
    sentence; possible holds the sure links, too.
    A head links each target position that has a possible link to the source position
    to which it gives the largest weight. Positions without a possible link are not
    linked. The counts of AER are added up over all sentences before the division.
    Returns an array (layers, heads).
    """
    hits, total = np.zeros(weights[0].shape[:2]), 0
    for w, s, p in zip(weights, sure, possible, strict=True):
        rows = {t for t, _ in p}
        total += len(rows) + len(s)  # |A| + |S|
        for t in rows:
            best = w[:, :, t].argmax(axis=-1)  # (layers, heads)
            for layer, head in np.ndindex(best.shape):
                link = t, int(best[layer, head])
                hits[layer, head] += (link in s) + (link in p)
    return 1 - hits / total


def _rates(weights, sure, possible, rows_of=None, pick=np.argmax, count=None):
    """Counts per sentence and head: |A and S|, |A and P|, |A|, and |S|."""
    found = []
    for w, s, p in zip(weights, sure, possible, strict=True):
        rows = {t for t, _ in p} if rows_of is None else rows_of(w, s, p)
        heads = np.zeros((4, *w.shape[:2]))
        for layer, head in np.ndindex(*w.shape[:2]):
            links = {(t, int(pick(w[layer, head, t]))) for t in rows}
            sizes = len(links & s), len(links & p), len(links), len(s)
            heads[:, layer, head] = sizes
        found.append(heads)
    return np.array(found)  # (sentences, 4, layers, heads)


def _aer(counts):
    sure_found, possible_found, found, sure = counts
    with np.errstate(all="ignore"):
        return 1 - (sure_found + possible_found) / (found + sure)


def _wrong_heads(message, rate):
    """Add a wrong answer: another function of (weights, sure, possible)."""
    head_error_rates.known_mistake(message)(
        lambda weights, sure, possible: rate(weights, sure, possible)
    )


_wrong_heads(
    "You link every target position. Those without a possible link, such as hyphens, "
    "should be left out.",
    lambda *given: _aer(
        _rates(*given, rows_of=lambda w, s, p: range(w.shape[2])).sum(axis=0)
    ),
)
_wrong_heads(
    "You link only the positions that have a sure link. Those with a possible link "
    "count, too.",
    lambda *given: _aer(
        _rates(*given, rows_of=lambda w, s, p: {t for t, _ in s}).sum(axis=0)
    ),
)
for _mean in (np.mean, np.nanmean, lambda x, axis: np.nan_to_num(x).mean(axis)):
    _wrong_heads(
        "You average the rates of the sentences. Add up the counts over all sentences "
        "first, and then divide.",
        lambda *given, mean=_mean: mean(
            [_aer(each) for each in _rates(*given)], axis=0
        ),
    )
_wrong_heads(
    "You link each position to the source position with the smallest weight.",
    lambda *given: _aer(_rates(*given, pick=np.argmin).sum(axis=0)),
)
_wrong_heads(
    "You return the share of correct links. The error rate is 1 minus that share.",
    lambda *given: 1 - _aer(_rates(*given).sum(axis=0)),
)
_wrong_heads(
    "You divide by |A| alone, and count the possible links alone. That is 1 minus the "
    "precision.",
    lambda *given: (lambda n: 1 - n[1] / n[2])(_rates(*given).sum(axis=0)),
)
_wrong_heads(
    "You count a link that is only possible as an error.",
    lambda *given: (lambda n: 1 - 2 * n[0] / (n[2] + n[3]))(_rates(*given).sum(axis=0)),
)
_wrong_heads(
    "You return one rate for the mean of all heads. Return one for each head.",
    lambda weights, sure, possible: np.full(
        weights[0].shape[:2],
        _aer(
            _rates(
                [w.mean(axis=(0, 1), keepdims=True) for w in weights], sure, possible
            ).sum(axis=0)
        )[0, 0],
    ),
)
_wrong_heads(
    "Your result is transposed. Layers are the rows, and heads the columns.",
    lambda *given: _aer(_rates(*given).sum(axis=0)).T,
)


# The reader's own translator


def own_parts(namespace):
    """Those of your functions that pass their checks, for ``Translator.load``.

    It prints for each part of the translator whose function it will be.

    Parameters
    ----------
    namespace : dict
        The variables of the notebook: ``globals()``.

    Returns
    -------
    dict of str to function
        ``Translator.load("dates-transformer", **own_parts(globals()))`` makes a
        translator of them. For a part that is missing, it takes the function of
        attnlib.
    """
    return passing_parts(
        namespace,
        (
            self_attention.multi_head_attention,
            self_attention.layer_norm,
            self_attention.causal_mask,
            self_attention.sinusoidal_positions,
            encoder_block,
            decoder_block,
            generate,
        ),
    )
