"""Exercises of chapter 07, "Self-attention and multi-head attention"."""

import numpy as np

from attnlib import reference as ref
from attnlib.checking.exercise import exercise


def _scaled_cases(rng):
    query = np.array([[[1.0, 1.0, 0.0, 0.0]]])
    keys = np.array([[[2.0, 0, 0, 0], [0, 0, 2.0, 0], [0, 1.0, 0, 1.0]]])
    mask = np.array([[[True, True, False]]])
    yield (
        "one query of dimension 4, three keys, the last one masked",
        (query, keys, np.eye(3)[None], mask),
    )
    mask = rng.random((2, 4, 5)) < 0.7
    mask[:, :, 0] = True
    yield (
        "two sentences",
        (*[rng.normal(size=(2, n, d)) for n, d in ((4, 3), (5, 3), (5, 6))], mask),
    )
    mask = np.tril(np.ones((3, 4, 4), bool))
    mask[0, 1] = False  # a row with nothing to attend to
    yield (
        "as many queries as keys, one row with nothing to attend to",
        (*[rng.normal(size=(3, 4, 4)) for _ in range(3)], mask),
    )


@exercise(
    _scaled_cases,
    hints=[
        (
            "It is the dot score of chapter 05, divided by one number, "
            "then `ref.softmax(scores, mask)`, then a product."
        ),
        (
            "The number is the square root of the dimension of the "
            "keys: `np.sqrt(keys.shape[-1])`."
        ),
    ],
    returns=("context", "weights"),
)
def scaled_dot_product_attention(query, keys, values, mask):
    """softmax(Q K^T / sqrt(d)) V, where d is the dimension of query and keys.

    query: (batch, target_len, dim). keys: (batch, source_len, dim).
    values: (batch, source_len, value_dim). mask: (batch, target_len, source_len).
    Returns context (batch, target_len, value_dim) and weights, shaped like mask.
    """
    scores = query @ keys.transpose(0, 2, 1) / np.sqrt(keys.shape[-1])
    weights = ref.softmax(scores, mask)  # (batch, target_len, source_len)
    return weights @ values, weights


def _attend(scores, values, mask):
    weights = ref.softmax(scores, mask)
    return weights @ values, weights


@scaled_dot_product_attention.known_mistake(
    "The scores are not divided by sqrt(d): that is Luong's dot attention."
)
def scaled_forgotten(query, keys, values, mask):
    return _attend(query @ keys.transpose(0, 2, 1), values, mask)


@scaled_dot_product_attention.known_mistake(
    "You divide by d. The standard deviation of the scores grows with its square root."
)
def scaled_by_width(query, keys, values, mask):
    return _attend(query @ keys.transpose(0, 2, 1) / keys.shape[-1], values, mask)


@scaled_dot_product_attention.known_mistake(
    "You divide by the square root of the source length. "
    "Use the dimension of the keys instead."
)
def scaled_by_length(query, keys, values, mask):
    return _attend(
        query @ keys.transpose(0, 2, 1) / np.sqrt(keys.shape[1]), values, mask
    )


@scaled_dot_product_attention.known_mistake(
    "You divide by the square root of the values' dimension. "
    "d is the dimension of query and keys."
)
def scaled_by_value_width(query, keys, values, mask):
    return _attend(
        query @ keys.transpose(0, 2, 1) / np.sqrt(values.shape[-1]), values, mask
    )


@scaled_dot_product_attention.known_mistake(
    "You multiply by sqrt(d). Divide instead: large scores saturate the softmax."
)
def scaled_upwards(query, keys, values, mask):
    return _attend(
        query @ keys.transpose(0, 2, 1) * np.sqrt(keys.shape[-1]), values, mask
    )


@scaled_dot_product_attention.known_mistake(
    "You divide after the softmax, so the weights no longer sum to one."
)
def scaled_afterwards(query, keys, values, mask):
    weights = ref.softmax(query @ keys.transpose(0, 2, 1), mask) / np.sqrt(
        keys.shape[-1]
    )
    return weights @ values, weights


@scaled_dot_product_attention.known_mistake("Your function ignores the mask.")
def scaled_mask_ignored(query, keys, values, mask):
    return _attend(
        query @ keys.transpose(0, 2, 1) / np.sqrt(keys.shape[-1]), values, None
    )


@scaled_dot_product_attention.known_mistake(
    "Your weights sum to one over the queries, not over the source."
)
def scaled_over_queries(query, keys, values, mask):
    scores = keys @ query.transpose(0, 2, 1)  # (batch, source_len, target_len)
    scores = scores / np.sqrt(keys.shape[-1])
    weights = ref.softmax(scores, mask.transpose(0, 2, 1)).transpose(0, 2, 1)
    return weights @ values, weights


def _causal_cases(rng):
    yield "one sentence of three words", (np.array([[True, True, True]]),)
    yield "sentences of 4 and 2 words", (np.arange(4) < np.array([[4], [2]]),)
    yield "sentences of 1, 5, and 3 words", (np.arange(5) < np.array([[1], [5], [3]]),)


@exercise(
    _causal_cases,
    hints=[
        (
            "`np.tril(np.ones((3, 3), bool))` is True on the diagonal and below it. "
            "Which axis is the query's?"
        ),
        "Both must hold: `earlier & mask[:, None, :]` is (batch, length, length).",
    ],
)
def causal_mask(mask):
    """What each word may attend to: itself and the words before it, but no padding.

    mask: (batch, length), True at real words.
    Returns booleans (batch, length, length): [b, t, s] is True where t may attend to s.
    """
    length = mask.shape[1]
    earlier = np.tril(np.ones((length, length), bool))  # (length, length), s <= t
    return earlier & mask[:, None, :]  # (batch, length, length)


@causal_mask.known_mistake(
    "Your words attend to later words. "
    "Rows are the queries, and s <= t is below the diagonal."
)
def causal_upper(mask):
    return np.triu(np.ones((mask.shape[1],) * 2, bool)) & mask[:, None, :]


@causal_mask.known_mistake(
    "Your words do not attend to themselves. "
    "Then the first word has nothing to attend to."
)
def causal_without_diagonal(mask):
    return np.tril(np.ones((mask.shape[1],) * 2, bool), -1) & mask[:, None, :]


@causal_mask.known_mistake(
    "Your words see one word ahead: the word that they should predict."
)
def causal_one_ahead(mask):
    return np.tril(np.ones((mask.shape[1],) * 2, bool), 1) & mask[:, None, :]


@causal_mask.known_mistake(
    "Padding may be attended: combine with mask, of shape (batch, 1, length)."
)
def causal_padding_seen(mask):
    return np.tril(np.ones((mask.shape[1],) * 2, bool)) & np.ones_like(mask)[:, None, :]


@causal_mask.known_mistake(
    "You apply the mask to the queries. It belongs to the keys, the last axis."
)
def causal_query_masked(mask):
    return np.tril(np.ones((mask.shape[1],) * 2, bool)) & mask[:, :, None]


@causal_mask.known_mistake(
    "Your mask is not causal: every word may attend to every real word, as in BERT."
)
def causal_not_causal(mask):
    return np.ones((mask.shape[1],) * 2, bool) & mask[:, None, :]


@causal_mask.known_mistake("Your mask is inverted: True means that t may attend to s.")
def causal_inverted(mask):
    return ~causal_mask.reference_solution(mask)


@causal_mask.known_mistake(
    "Return a boolean mask, not 0 and -inf to be added to the scores."
)
def causal_added(mask):
    return np.where(causal_mask.reference_solution(mask), 0.0, -np.inf)


def _head_arguments(rng, batch, target_len, source_len, dim, heads, key_dim, lengths):
    query = rng.normal(size=(batch, target_len, dim))
    values = rng.normal(size=(batch, source_len, dim))
    w_query, w_keys = (
        rng.normal(size=(dim, heads, key_dim)) / np.sqrt(dim) for _ in range(2)
    )
    w_values = rng.normal(size=(dim, heads, key_dim))
    mask = np.arange(source_len) < np.array(lengths)[:, None]
    return (
        query,
        values,
        w_query,
        w_keys,
        w_values,
        rng.normal(size=(heads, key_dim, dim)),
        mask,
    )


def _head_cases(rng):
    yield (
        "one query, two words, two heads of dimension 1",
        _head_arguments(rng, 1, 1, 2, 2, 2, 1, [2]),
    )
    yield (
        "two sentences of 5 and 3 words, three heads",
        _head_arguments(rng, 2, 4, 5, 6, 3, 2, [5, 3]),
    )
    yield (
        "as many heads as a head has dimensions",
        _head_arguments(rng, 2, 3, 3, 4, 3, 3, [3, 2]),
    )


@exercise(
    _head_cases,
    hints=[
        (
            "Start with one head: `query @ w_query[:, h]` is (batch, target_len, "
            "key_dim). A head is what you wrote before, and `head @ w_output[h]` is "
            "its contribution to the output. Loop over the heads and add."
        ),
        (
            "Without a loop: `np.einsum('btd,dhk->bhtk', query, w_query)` computes "
            "all queries at once, and `@` leaves the first two axes as they are. "
            "The mask becomes (batch, 1, 1, source_len)."
        ),
    ],
)
def multi_head_attention(query, values, w_query, w_keys, w_values, w_output, mask):
    """sum_h softmax(Q_h K_h^T / sqrt(key_dim)) V_h w_output[h].

    query: (batch, target_len, dim). values: (batch, source_len, dim), the keys too.
    w_query, w_keys, w_values: (dim, heads, key_dim). w_output: (heads, key_dim, dim).
    mask: (batch, source_len). Returns (batch, target_len, dim).
    """
    q = np.einsum("btd,dhk->bhtk", query, w_query)  # (batch, heads, target_len, key)
    k = np.einsum("bsd,dhk->bhsk", values, w_keys)  # (batch, heads, source_len, key)
    v = np.einsum("bsd,dhk->bhsk", values, w_values)
    scores = q @ k.swapaxes(2, 3) / np.sqrt(k.shape[-1])
    weights = ref.softmax(scores, mask[:, None, None, :])
    return np.einsum("bhtk,hkd->btd", weights @ v, w_output)


def _heads(query, values, w_query, w_keys, w_values, mask, width):
    """The heads, (batch, heads, target_len, key_dim), with scores divided by the root
    of ``width``.
    """
    q = np.einsum("btd,dhk->bhtk", query, w_query)
    k = np.einsum("bsd,dhk->bhsk", values, w_keys)
    v = np.einsum("bsd,dhk->bhsk", values, w_values)
    return (
        ref.softmax(q @ k.swapaxes(2, 3) / np.sqrt(width), mask[:, None, None, :]) @ v
    )


@multi_head_attention.known_mistake(
    "You divide by the square root of dim. "
    "Each head's keys only have dimension key_dim."
)
def heads_scaled_by_dim(query, values, w_query, w_keys, w_values, w_output, mask):
    heads = _heads(query, values, w_query, w_keys, w_values, mask, query.shape[-1])
    return np.einsum("bhtk,hkd->btd", heads, w_output)


@multi_head_attention.known_mistake("The scores are not divided by sqrt(key_dim).")
def heads_not_scaled(query, values, w_query, w_keys, w_values, w_output, mask):
    return np.einsum(
        "bhtk,hkd->btd",
        _heads(query, values, w_query, w_keys, w_values, mask, 1),
        w_output,
    )


@multi_head_attention.known_mistake(
    "Your function ignores the mask: padding gets weight."
)
def heads_mask_ignored(query, values, w_query, w_keys, w_values, w_output, mask):
    return multi_head_attention.reference_solution(
        query, values, w_query, w_keys, w_values, w_output, mask | True
    )


@multi_head_attention.known_mistake(
    "You average the heads. "
    "Each head has its own matrix in w_output: add up the products."
)
def heads_averaged(query, values, w_query, w_keys, w_values, w_output, mask):
    return (
        multi_head_attention.reference_solution(
            query, values, w_query, w_keys, w_values, w_output, mask
        )
        / w_query.shape[1]
    )


@multi_head_attention.known_mistake(
    "You add up the scores of all heads. A single softmax means a single head."
)
def heads_share_one_softmax(query, values, w_query, w_keys, w_values, w_output, mask):
    q = np.einsum("btd,dhk->bhtk", query, w_query)
    k = np.einsum("bsd,dhk->bhsk", values, w_keys)
    v = np.einsum("bsd,dhk->bhsk", values, w_values)
    scores = (q @ k.swapaxes(2, 3) / np.sqrt(k.shape[-1])).sum(1, keepdims=True)
    return np.einsum(
        "bhtk,hkd->btd", ref.softmax(scores, mask[:, None, None, :]) @ v, w_output
    )


@multi_head_attention.known_mistake(
    "You reshaped the heads without moving their axis first, "
    "which mixes words and heads."
)
def heads_reshaped(query, values, w_query, w_keys, w_values, w_output, mask):
    heads = _heads(query, values, w_query, w_keys, w_values, mask, w_keys.shape[-1])
    batch, target_len, dim = query.shape
    return heads.reshape(batch, target_len, -1) @ w_output.reshape(-1, dim)


@multi_head_attention.known_mistake(
    "The values are not projected by w_values: you average the projected keys."
)
def heads_values_are_keys(query, values, w_query, w_keys, w_values, w_output, mask):
    return multi_head_attention.reference_solution(
        query, values, w_query, w_keys, w_keys, w_output, mask
    )


def _position_cases(rng):
    yield "three positions, two dimensions", (3, 2)
    yield "five positions, six dimensions", (5, 6)
    yield "one position", (1, 4)
    yield "forty positions, eight dimensions", (40, 8)


@exercise(
    _position_cases,
    hints=[
        (
            "`np.arange(0, dim, 2)` holds the 2i of the exponents: "
            "one frequency for each pair of columns. "
            "Position times frequency is an angle, (length, dim / 2)."
        ),
        (
            "`positions[:, 0::2] = np.sin(angles)` fills every other column; "
            "the columns between them take the cosine."
        ),
    ],
)
def sinusoidal_positions(length, dim):
    """P[p, 2i] = sin(p / 10000^(2i/dim)), P[p, 2i+1] = cos(of the same). dim is even.

    Returns an array (length, dim); the first position is 0.
    """
    frequencies = 1 / 10000 ** (np.arange(0, dim, 2) / dim)  # (dim / 2,)
    angles = np.arange(length)[:, None] * frequencies  # (length, dim / 2)
    positions = np.empty((length, dim))
    positions[:, 0::2] = np.sin(angles)
    positions[:, 1::2] = np.cos(angles)
    return positions


def _sinusoids(length, dim, exponents, first=0):
    angles = np.arange(first, first + length)[:, None] / 10000**exponents
    return np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(length, dim)


@sinusoidal_positions.known_mistake(
    "You put all sines before all cosines. "
    "In the formula they alternate, column by column."
)
def positions_halves(length, dim):
    both = _sinusoids(length, dim, np.arange(0, dim, 2) / dim)
    return np.concatenate([both[:, 0::2], both[:, 1::2]], axis=-1)


@sinusoidal_positions.known_mistake(
    "Your first position is 1. It should be 0, where all sines are 0 and all cosines 1."
)
def positions_from_one(length, dim):
    return _sinusoids(length, dim, np.arange(0, dim, 2) / dim, first=1)


@sinusoidal_positions.known_mistake(
    "Your exponent is i/dim instead of 2i/dim, so the frequencies fall half as fast."
)
def positions_half_exponent(length, dim):
    return _sinusoids(length, dim, np.arange(dim // 2) / dim)


@sinusoidal_positions.known_mistake(
    "Sine and cosine are swapped: the even columns should be sines."
)
def positions_cosine_first(length, dim):
    return (
        _sinusoids(length, dim, np.arange(0, dim, 2) / dim)
        .reshape(length, -1, 2)[:, :, ::-1]
        .reshape(length, dim)
    )


@sinusoidal_positions.known_mistake(
    "You multiply by 10000^(2i/dim). "
    "Divide instead: later columns should have lower frequencies."
)
def positions_multiplied(length, dim):
    return _sinusoids(length, dim, -np.arange(0, dim, 2) / dim)


@sinusoidal_positions.known_mistake(
    "Each of your columns has its own frequency. "
    "A sine and its cosine should share one."
)
def positions_each_its_frequency(length, dim):
    angles = np.arange(length)[:, None] / 10000 ** (np.arange(dim) / dim)
    return np.where(np.arange(dim) % 2 == 0, np.sin(angles), np.cos(angles))
