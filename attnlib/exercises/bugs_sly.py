"""Exercises of chapter 08, "Bug hunt", continued: the sixth bug to the tenth. `bugs` hands them on."""

import numpy as np

from attnlib import reference as ref
from attnlib.exercises.machine import exercise

# ---------------------------------------------------------------- 6: a mask made from pairs


def _pair_cases(rng):
    yield "two words and one padded", (np.array([[[1.0, 0.0], [0.0, 1.0], [2.0, 1.0]]]), np.arange(3)[None] < 2)
    yield "sentences of 5, 1 and 3 words", (rng.normal(size=(3, 5, 4)), np.arange(5) < [[5], [1], [3]])
    yield "no padding", (rng.normal(size=(2, 3, 2)), np.ones((2, 3), bool))


def _rows_of_words(result, states, mask):
    """The rows that somebody reads: those of words. What a padded query does is left open."""
    if isinstance(result, np.ndarray) and result.shape == (*mask.shape, mask.shape[1]):
        return np.where(mask[:, :, None], result, 0)
    return result


@exercise(
    _pair_cases,
    observe=_rows_of_words,
    hints=[
        "Write `pairs` down for two words and one padded position: nine numbers. Which of them is 1, and which should "
        "be?",
        "Only one of the two axes matters: that of the words that are looked at, the last. `padding[:, None, :]`.",
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


@self_attention_weights.start("Words give weight to padding.")
def self_attention_weights(states, mask):
    """How much each word looks at each other; padding is left out."""
    padding = 1.0 - mask
    pairs = padding[:, :, None] * padding[:, None, :]  # (batch, length, length)
    scores = states @ states.transpose(0, 2, 1) - 1e9 * pairs
    exponentials = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def _pairs_out(states, out):
    return ref.softmax(np.where(out, -1e9, states @ states.transpose(0, 2, 1)))


@self_attention_weights.wrong("Words look at padding alone now: pairs of words were cut out.")
def pairs_of_words_out(states, mask):
    return _pairs_out(states, mask[:, :, None] & mask[:, None, :])


@self_attention_weights.wrong("Padding weighs 0 now, but the words' rows sum to less than one.")
def pairs_cut_after(states, mask):
    return ref.softmax(states @ states.transpose(0, 2, 1)) * mask[:, None, :]


@self_attention_weights.wrong("A score of 0 is a score: exp(0) = 1. Words still give weight to padding.")
def pairs_multiplied(states, mask):
    return ref.softmax(states @ states.transpose(0, 2, 1) * mask[:, None, :])


@self_attention_weights.wrong("A word no longer looks at itself. Only padding was to be left out.")
def pairs_without_self(states, mask):
    out = ~mask[:, None, :] | np.eye(mask.shape[1], dtype=bool)
    return _pairs_out(states, out)


@self_attention_weights.wrong("Words look at the words before them alone: this is a causal mask as well.")
def pairs_causal(states, mask):
    out = ~mask[:, None, :] | ~np.tril(np.ones((mask.shape[1],) * 2, bool))
    return _pairs_out(states, out)


# ---------------------------------------------------------------- 7: a mirrored Gaussian


def _gaussian_cases(rng):
    yield "a center between two words, D = 2", (np.array([[4.75]]), 2)
    yield "a center on a word", (np.array([[3.0]]), 1)
    yield "two sentences", (rng.uniform(0, 9, size=(2, 3)), 3)
    yield "a wide window", (rng.uniform(0, 9, size=(1, 2)), 6)


@exercise(
    _gaussian_cases,
    hints=[
        "Which slot should be largest for a center of 4.75: the one of word 4, in the middle, or that of word 5?",
        "A slot's word is s = floor(p) + offset, and its distance is s - p. What is that, written with the fraction?",
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


@window_gaussian.start("When the center moves to the right, the Gaussian moves to the left.")
def window_gaussian(centers, half_width):
    """The Gaussian around each center, one number a slot of its window."""
    offsets = np.arange(-half_width, half_width + 1)  # from the middle slot
    fraction = centers - np.floor(centers)
    distance = offsets + fraction[:, :, None]  # (batch, target_len, 2 D + 1)
    sigma = half_width / 2
    return np.exp(-(distance**2) / (2 * sigma**2))


def _bell(distance, half_width):
    return np.exp(-(distance**2) / (2 * (half_width / 2) ** 2))


@window_gaussian.wrong("The Gaussian stands still in the middle slot now: the center's fraction has no say.")
def gaussian_without_fraction(centers, half_width):
    return window_gaussian.solve(np.floor(centers), half_width)


@window_gaussian.wrong("Past the half the Gaussian jumps a slot back: the window hangs on floor(p), not on p rounded.")
def gaussian_from_round(centers, half_width):
    offsets = np.arange(-half_width, half_width + 1)
    return _bell(offsets - (centers - np.round(centers))[:, :, None], half_width)


@window_gaussian.wrong("It moves the right way, but starts a slot too far left: the fraction is taken from above.")
def gaussian_from_ceil(centers, half_width):
    offsets = np.arange(-half_width, half_width + 1)
    return _bell(offsets - (centers - np.ceil(centers))[:, :, None], half_width)


@window_gaussian.wrong("Both sides move towards the middle: take the distance from the center first, then square it.")
def gaussian_of_both_sides(centers, half_width):
    offsets = np.arange(-half_width, half_width + 1)
    return _bell(abs(offsets) - (centers - np.floor(centers))[:, :, None], half_width)


@window_gaussian.wrong("The distance is not the offset from the whole center: slots are counted from floor(p).")
def gaussian_of_the_whole_center(centers, half_width):
    return _bell(np.arange(-half_width, half_width + 1) - centers[:, :, None], half_width)


@window_gaussian.wrong("It leans the right way, but the brackets are gone: -d**2 / 2 * sigma**2 multiplies by sigma^2.")
def gaussian_brackets(centers, half_width):
    distance = np.arange(-half_width, half_width + 1) - (centers - np.floor(centers))[:, :, None]
    return np.exp(-(distance**2) / 2 * (half_width / 2) ** 2)


# ---------------------------------------------------------------- 8: a Gaussian after the context


def _context_cases(rng):
    scores, values = np.array([[[0.0, 1.0, 2.0, 1.0]]]), np.array([[[1.0], [2.0], [4.0], [8.0]]])
    yield "one query in the middle, D = 1", (scores, values, np.array([[1.5]]), 1)
    yield "at the left edge", (scores, values, np.array([[0.25]]), 2)
    yield "two sentences", (rng.normal(size=(2, 3, 9)), rng.normal(size=(2, 9, 4)), rng.uniform(0, 9, (2, 3)), 3)


@exercise(
    _context_cases,
    hints=[
        "Multiply the weights that come back with the values yourself. Is it the context that comes back?",
        "The context has to be made from the final weights: `weights @ values` comes last.",
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


@local_context.start("The context does not feel where the center is: it is not made with the weights you return.")
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


@local_context.wrong("Context and weights agree now, but neither feels the center: the Gaussian is gone.")
def context_without_gaussian(scores, values, centers, half_width):
    window, _ = _parts(scores, centers, half_width)
    weights = ref.softmax(scores, window)
    return weights @ values, weights


@local_context.wrong("The Gaussian is multiplied into the scores now. It comes after the softmax.")
def context_gaussian_before(scores, values, centers, half_width):
    window, gaussian = _parts(scores, centers, half_width)
    weights = ref.softmax(scores * gaussian, window)
    return weights @ values, weights


@local_context.wrong("The Gaussian is taken twice: once for the context, once more for the weights.")
def context_gaussian_twice(scores, values, centers, half_width):
    window, gaussian = _parts(scores, centers, half_width)
    weights = ref.softmax(scores, window) * gaussian
    return weights @ values, weights * gaussian


@local_context.wrong("You normalise again. A sure softmax then cancels the Gaussian, and the center learns nothing.")
def context_normalised(scores, values, centers, half_width):
    window, gaussian = _parts(scores, centers, half_width)
    weights = ref.softmax(scores, window) * gaussian
    weights = weights / weights.sum(axis=-1, keepdims=True)
    return weights @ values, weights


@local_context.wrong("The context is right, but the weights you return are those before the Gaussian.")
def context_other_weights(scores, values, centers, half_width):
    window, gaussian = _parts(scores, centers, half_width)
    weights = ref.softmax(scores, window)
    return (weights * gaussian) @ values, weights


# ---------------------------------------------------------------- 9: a map shifted by one


def _links_cases(rng):
    weights = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.2, 0.1, 0.7], [0.3, 0.5, 0.2]])
    yield "three characters and the end", (weights, ["4", "2", "7"])
    yield "a hyphen is left out", (weights, ["4", "-", "7"])
    yield "a date", (rng.dirichlet(np.ones(12), size=11), list("2024-03-05"))
    yield "a hyphen at either end", (rng.dirichlet(np.ones(5), size=5), ["-", "1", "2", "-"])


@exercise(
    _links_cases,
    hints=[
        "Row 0 belongs to the first step. That step reads `<start>`. What does it write?",
        "Throughout this book row t belongs to the step that writes character t. The last row writes `<end>`.",
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


@links.start("Each character is linked to what the next one looks at: the map is shifted by one row.")
def links(weights, target):
    """{(t, s)}: character t of the target belongs to character s of the source."""
    found = set()
    for step, token in enumerate(["<start>", *target]):
        if token not in ("<start>", "-"):
            found.add((step - 1, int(weights[step].argmax())))
    return found


def _links(weights, target, row, name):
    return {(name(t), int(weights[row(t)].argmax())) for t, token in enumerate(target) if token != "-"}


@links.wrong("The weights are read in the right rows now, but the characters are counted from 1.")
def links_from_one(weights, target):
    return _links(weights, target, lambda t: t, lambda t: t + 1)


@links.wrong("You shifted the source too: the positions of the weights were right.")
def links_source_shifted(weights, target):
    return {(t, s - 1) for t, s in links.solve(weights, target)}


@links.wrong("You shifted it the other way: each character is linked to what the one before it looks at.")
def links_other_way(weights, target):
    return _links(weights, target, lambda t: t - 1, lambda t: t)


@links.wrong("The rows are right, but hyphens have links again.")
def links_with_hyphens(weights, target):
    return {(t, int(weights[t].argmax())) for t in range(len(target))}


@links.wrong("The end token has a link too. It stands for no character.")
def links_with_end(weights, target):
    return links.solve(weights, target) | {(len(target), int(weights[len(target)].argmax()))}


@links.wrong("A link is (target, source); yours are turned round.")
def links_turned(weights, target):
    return {(s, t) for t, s in links.solve(weights, target)}


@links.wrong("A hyphen hides its neighbour now: the token that was read decides what is left out.")
def links_hyphen_before(weights, target):
    read = ["<start>", *target]
    return {(t, int(weights[t].argmax())) for t in range(len(target)) if read[t] != "-"}


# ---------------------------------------------------------------- 10: a root forgotten


def _heads_cases(rng):
    query, keys = np.array([[[1.0, 1.0, 0.0, 2.0]]]), np.array([[[2.0, 0.0, 1.0, 0.0], [0.0, 2.0, 0.0, 1.0]]])
    yield "one query, two words, two heads two wide", (query, keys, np.arange(8.0).reshape(1, 2, 4), 2)
    yield "two sentences, three heads", (*(rng.normal(size=(2, n, 12)) for n in (4, 5, 5)), 3)
    yield "one head", (*(rng.normal(size=(2, n, 6)) for n in (2, 3, 3)), 1)
    yield "heads one wide", (*(rng.normal(size=(1, n, 3)) for n in (2, 4, 4)), 3)


@exercise(
    _heads_cases,
    hints=[
        "The scores are sums of as many products as a head is wide. How does their spread grow with the width?",
        "Divide the scores by the root of the width of one head's keys, `np.sqrt(k.shape[-1])`, before the softmax.",
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


@heads_attend.start("The wider a head is, the nearer its largest weight comes to 1, whatever the words are.")
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
    return heads_attend.broken(query * share, keys, values, heads)


@heads_attend.wrong("You divide by the root of all heads' width together. A score sums over one head alone.")
def heads_by_whole_width(query, keys, values, heads):
    return _in_heads(query, keys, values, heads, 1 / np.sqrt(keys.shape[-1]))


@heads_attend.wrong(
    "You divide by the width, not by its root (once for queries and once for keys?): wide heads now see all alike."
)
def heads_by_width(query, keys, values, heads):
    return _in_heads(query, keys, values, heads, heads / keys.shape[-1])


@heads_attend.wrong("You divide by the root of the number of heads. It is the width of one that matters.")
def heads_by_number(query, keys, values, heads):
    return _in_heads(query, keys, values, heads, 1 / np.sqrt(heads))


@heads_attend.wrong("You divide by the root of the source's length. It is the width that matters.")
def heads_by_length(query, keys, values, heads):
    return _in_heads(query, keys, values, heads, 1 / np.sqrt(keys.shape[1]))


@heads_attend.wrong("You divide after the softmax: the weights are as sharp as before, and no longer sum to one.")
def heads_divided_after(query, keys, values, heads):
    context, weights = heads_attend.broken(query, keys, values, heads)
    root = np.sqrt(keys.shape[-1] / heads)
    return context / root, weights / root


@heads_attend.wrong("You multiply by the root, which makes it worse. Divide.")
def heads_multiplied(query, keys, values, heads):
    return _in_heads(query, keys, values, heads, np.sqrt(keys.shape[-1] / heads))
