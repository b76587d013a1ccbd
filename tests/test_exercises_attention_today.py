"""The exercises of chapter 09: solutions against Keras, against plain softmax
attention, against each other, and against numbers worked by hand; verdicts on unusual
right answers and on unusual wrong ones.
"""

import inspect

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from attnlib import reference as ref
from attnlib.exercises import attention_today as ex

EXACT = {"atol": 1e-12, "rtol": 0}


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def said(exercise, attempt):
    return " ".join(exercise.check(attempt).message.split())


# Solutions by hand, as the chapter gives them


def test_kv_cache_step_by_hand():
    cache = np.array([[[0.0, 2, 0, 0]]]), np.array([[[0.0, 4, 0, 0]]])
    context, (keys, values) = ex.kv_cache_step.reference_solution(
        np.array([[2.0, 0, 0, 0]]),
        np.array([[1.0, 0, 0, 0]]),
        np.array([[4.0, 0, 0, 0]]),
        cache,
    )
    assert_allclose(context, [[2.92, 1.08, 0, 0]], atol=0.005)
    assert_array_equal(keys, [[[0, 2, 0, 0], [1, 0, 0, 0]]])
    assert_array_equal(values, [[[0, 4, 0, 0], [4, 0, 0, 0]]])


def test_grouped_query_attention_by_hand():
    keys = np.array([[[0.0, 0, 0, 0], [np.log(9), 0, 0, 0]]])
    query = np.array([[[2.0, 0, 0, 0]], [[0.0, 2, 0, 0]]])
    _, weights = ex.grouped_query_attention.reference_solution(query, keys, keys)
    assert_allclose(weights, [[[0.1, 0.9]], [[0.5, 0.5]]])


def test_sliding_window_mask_by_hand():
    rows = "10000 11000 11100 10110 10011".split()
    assert_array_equal(
        ex.sliding_window_mask.reference_solution(5, 2, 1),
        [[mark == "1" for mark in row] for row in rows],
    )


def test_rotary_by_hand():
    turned = ex.rotary.reference_solution(np.array([[1.0, 0, 1, 0]]), np.array([1]))
    assert_allclose(turned, [[0.540, 0.841, 1.000, 0.010]], atol=0.0005)


def test_online_softmax_by_hand():
    values = np.array([[8.0, 0], [0, 8], [8, 8]])
    context = ex.online_softmax.reference_solution(np.log([1.0, 3, 4]), values, 2)
    assert_allclose(context, [5, 7])


def test_linear_attention_by_hand():
    outputs = ex.linear_attention.reference_solution(
        np.zeros((2, 1)), np.array([[0.0], [2.0]]), np.array([[4.0], [8.0]])
    )
    assert_allclose(outputs, [[4], [7]])


def test_effective_context_by_hand():
    layer = np.array([[1, 0, 0, 0], [1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1]])
    layer = layer / layer.sum(axis=1, keepdims=True)
    assert ex.effective_context.reference_solution(np.stack([layer] * 2), 0.9) == (3, 2)


def test_stream_attention_by_hand():
    """Which tokens are in the cache shows from the values, which count the tokens."""
    values = np.arange(4.0)[None, :, None]  # (1, 4, 1)
    left = []
    for length in (1, 2, 3, 4):
        query = np.zeros((1, length, 1))
        context, (_, kept) = ex.stream_attention.reference_solution(
            query, query, values[:, :length], window=2, sinks=1
        )
        left.append(kept[0, :, 0].tolist())
    assert left == [[0], [0, 1], [0, 2], [0, 3]]
    assert context[0, 3, 0] == pytest.approx((0 + 2 + 3) / 3)


# Against Keras


@pytest.mark.parametrize("heads, kv_heads", [(4, 4), (4, 2), (6, 2), (4, 1)])
def test_grouped_query_attention_equals_keras(rng, heads, kv_heads):
    from attnlib.backend import keras

    layer = keras.layers.GroupQueryAttention(5, heads, kv_heads, use_bias=False)
    x = rng.normal(size=(1, 7, 8)).astype("float32")
    mask = ex.sliding_window_mask.reference_solution(7, 3, 1)
    layer.build(x.shape, x.shape)
    expected, scores = layer(
        x, x, attention_mask=mask[None], return_attention_scores=True
    )
    projections = (
        np.asarray(part.kernel, "float64")
        for part in (layer._query_dense, layer._key_dense, layer._value_dense)
    )
    query, keys, values = (
        np.einsum("tm,mhd->htd", x[0], projection) for projection in projections
    )
    context, weights = ex.grouped_query_attention.reference_solution(
        query, keys, values, mask
    )
    w_output = np.asarray(layer._output_dense.kernel)
    output = np.einsum("htd,hdm->tm", context, w_output)
    assert_allclose(output, expected[0], atol=1e-5)
    assert_allclose(weights, scores[0], atol=1e-5)


def test_window_without_sinks_equals_the_one_of_keras():
    from attnlib.backend import keras

    takes = inspect.signature(keras.layers.GroupQueryAttention).parameters
    if "sliding_window" not in takes:
        pytest.skip("this version of Keras has no sliding window")
    for length, window in [(6, 1), (6, 3), (5, 9)]:
        layer = keras.layers.GroupQueryAttention(2, 2, 1, sliding_window=window)
        x = np.zeros((1, length, 3), "float32")
        mask = layer._compute_attention_mask(x, x, use_causal_mask=True)
        assert_array_equal(
            np.asarray(mask)[0],
            ex.sliding_window_mask.reference_solution(length, window),
        )


def test_rotary_equals_the_one_of_the_transformer(rng):
    from attnlib.transformer import rotate

    x, positions = rng.normal(size=(9, 12)), np.arange(9) + 4
    expected = rotate(x[None, None].astype("float32"), positions)
    assert_allclose(
        ex.rotary.reference_solution(x, positions), expected[0, 0], atol=1e-5
    )


# Against plain softmax attention


def step_by_step(query, keys, values):
    """The contexts of a sequence (heads, length, head_dim) from a cache."""
    cache, contexts = None, []
    for t in range(query.shape[1]):
        context, cache = ex.kv_cache_step.reference_solution(
            query[:, t], keys[:, t], values[:, t], cache
        )
        contexts.append(context)
    return np.stack(contexts, axis=1), cache


def test_steps_with_a_cache_equal_causal_attention(rng):
    query, keys, values = rng.normal(size=(3, 4, 9, 5))
    contexts, cache = step_by_step(query, keys, values)
    causal = np.tile(np.tri(9) == 1, (4, 1, 1))
    expected, _ = ref.scaled_dot_product_attention(query, keys, values, causal)
    assert_allclose(contexts, expected, **EXACT)
    assert_array_equal(cache, (keys, values))


@pytest.mark.parametrize("kv_heads", [6, 3, 2, 1])
def test_grouped_query_attention_equals_attention_with_copied_heads(rng, kv_heads):
    query = rng.normal(size=(6, 4, 5))
    keys, values = rng.normal(size=(2, kv_heads, 7, 5))
    mask = rng.random((4, 7)) < 0.6
    copied = [
        np.stack([array[h * kv_heads // 6] for h in range(6)])
        for array in (keys, values)
    ]
    expected = ref.scaled_dot_product_attention(
        query, *copied, np.tile(mask, (6, 1, 1))
    )
    result = ex.grouped_query_attention.reference_solution(query, keys, values, mask)
    for ours, theirs in zip(result, expected, strict=True):
        assert_allclose(ours, theirs, **EXACT)


@pytest.mark.parametrize("block_size", [1, 2, 7, 64, 1000])
def test_online_softmax_equals_softmax(rng, block_size):
    scores, values = 30 * rng.normal(size=300), rng.normal(size=(300, 4))
    scores[rng.random(300) < 0.3] = -np.inf
    expected = ref.softmax(scores) @ values
    result = ex.online_softmax.reference_solution(scores, values, block_size)
    assert_allclose(result, expected, **EXACT)


def test_rotary_scores_depend_on_the_distance_alone(rng):
    query, key = rng.normal(size=(2, 1, 8))

    def score(t, s):
        turned = [
            ex.rotary.reference_solution(x, np.array([position]))[0]
            for x, position in ((query, t), (key, s))
        ]
        return np.dot(*turned)

    assert score(3, 1) == pytest.approx(score(1002, 1000), abs=1e-9)
    assert score(3, 1) != pytest.approx(score(1, 3), abs=0.01)
    assert score(7, 7) == pytest.approx((query @ key.T).item(), abs=1e-12)


def test_linear_attention_equals_the_parallel_form(rng):
    """With elu as its definition has it: x above zero, exp(x) - 1 below."""
    query, keys, values = (
        rng.normal(size=(50, 6)),
        rng.normal(size=(50, 6)),
        rng.normal(size=(50, 3)),
    )

    def phi(x):
        return np.where(x > 0, x, np.expm1(x)) + 1

    weights = np.tril(phi(query) @ phi(keys).T)
    expected = weights @ values / weights.sum(axis=1, keepdims=True)
    result = ex.linear_attention.reference_solution(query, keys, values)
    assert_allclose(result, expected, **EXACT)


@pytest.mark.parametrize("window, sinks", [(1, 0), (1, 2), (3, 0), (3, 2), (20, 1)])
def test_stream_equals_attention_in_a_window(rng, window, sinks):
    query, keys, values = rng.normal(size=(3, 2, 11, 4))
    mask = ex.sliding_window_mask.reference_solution(11, window, sinks)
    expected, _ = ref.scaled_dot_product_attention(
        query, keys, values, np.stack([mask] * 2)
    )
    context, (kept, _) = ex.stream_attention.reference_solution(
        query, keys, values, window, sinks
    )
    assert_allclose(context, expected, **EXACT)
    assert kept.shape[1] == min(11, sinks + window - 1)


def test_rotary_stream_equals_attention_in_a_window(rng):
    query, keys, values = rng.normal(size=(3, 10, 6))
    positions = np.arange(10)
    turned = (
        ex.rotary.reference_solution(x, positions, 100.0)[None] for x in (query, keys)
    )
    mask = ex.sliding_window_mask.reference_solution(10, 4)
    expected, _ = ref.scaled_dot_product_attention(*turned, values[None], mask[None])
    rotate = ex._rotation(100.0)
    result = ex.rotary_stream.reference_solution(rotate, query, keys, values, 4)
    assert_allclose(result, expected[0], **EXACT)


def test_starter_of_rotary_stream_loses_the_order_once_the_window_is_full(rng):
    """As its text says: right before, and blind to an exchange of tokens after."""
    query, keys, values = rng.normal(size=(3, 9, 4))
    rotate, exchanged = ex._rotation(100.0), [0, 1, 2, 3, 4, 5, 7, 6, 8]

    def last(stream, order):
        return stream(rotate, query, keys[order], values[order], 3)[8]

    starter, solution = ex.rotary_stream.starter, ex.rotary_stream.reference_solution
    whole = [stream(rotate, query, keys, values, 3) for stream in (starter, solution)]
    assert_allclose(whole[0][:3], whole[1][:3])
    assert not np.allclose(whole[0][4:], whole[1][4:], atol=0.01)
    assert_allclose(last(starter, np.arange(9)), last(starter, exchanged))
    assert not np.allclose(last(solution, np.arange(9)), last(solution, exchanged))


def test_effective_context_follows_the_product_of_all_layers(rng):
    allowed = ex.sliding_window_mask.reference_solution(12, 4)
    weights = ref.softmax(rng.normal(size=(3, 12, 12)), allowed)
    first, second, third = (np.eye(12) + weights) / 2
    influence = (third @ second @ first)[-1][::-1]
    for share in (0.5, 0.8, 0.95, 0.999):
        reach, used = ex.effective_context.reference_solution(weights, share)
        assert reach == np.count_nonzero(influence) == 3 * 3 + 1
        assert influence[:used].sum() >= share > influence[: used - 1].sum()


def test_layers_times_window_is_not_what_is_used():
    """The numbers of the chapter's table."""
    mask = ex.sliding_window_mask.reference_solution(300, 32)
    equal = mask / mask.sum(axis=1, keepdims=True)
    found = [
        ex.effective_context.reference_solution(np.stack([equal] * layers), 0.95)
        for layers in (1, 2, 4, 8)
    ]
    assert found == [(32, 29), (63, 44), (125, 68), (249, 113)]


# Unusual right answers


def test_kv_cache_step_in_other_styles_passes():
    def with_the_reference(query, key, value, cache):
        if cache is None:
            cache = [np.zeros((len(key), 0, key.shape[1]))] * 2
        keys = np.append(cache[0], key[:, None], axis=1)
        values = np.append(cache[1], value[:, None], axis=1)
        context, _ = ref.scaled_dot_product_attention(query[:, None], keys, values)
        return context[:, 0], (keys, values)

    def head_by_head(query, key, value, cache):
        keys, values = key[:, None], value[:, None]
        if cache is not None:
            keys = np.stack(
                [np.vstack(pair) for pair in zip(cache[0], keys, strict=True)]
            )
            values = np.stack(
                [np.vstack(pair) for pair in zip(cache[1], values, strict=True)]
            )
        context = []
        for q, k, v in zip(query, keys, values, strict=True):
            scores = k @ q / len(q) ** 0.5
            weights = np.exp(scores - scores.max())
            context.append(weights @ v / weights.sum())
        return [np.array(context), [keys, values]]

    for attempt in (with_the_reference, head_by_head):
        result = ex.kv_cache_step.check(attempt)
        assert result.passed, result


def test_grouped_query_attention_with_copied_heads_passes():
    def grouped_query_attention(query, keys, values, mask=None):
        group = query.shape[0] // keys.shape[0]
        keys, values = (np.repeat(x, group, axis=0) for x in (keys, values))
        if mask is not None:
            mask = np.broadcast_to(mask, (len(query), *mask.shape))
        return ref.scaled_dot_product_attention(query, keys, values, mask)

    result = ex.grouped_query_attention.check(grouped_query_attention)
    assert result.passed, result


def test_sliding_window_mask_from_triangles_passes():
    def sliding_window_mask(length, window, sinks=0):
        mask = np.tri(length, dtype=bool) & ~np.tri(length, k=-window, dtype=bool)
        mask[:, :sinks] = True
        return np.tril(mask)

    result = ex.sliding_window_mask.check(sliding_window_mask)
    assert result.passed, result


def test_rotary_in_other_styles_passes():
    def with_complex_numbers(x, positions, base=10000.0):
        pairs = x[:, ::2] + 1j * x[:, 1::2]
        angles = np.outer(
            positions, base ** (-np.arange(pairs.shape[1]) * 2 / x.shape[1])
        )
        turned = pairs * np.exp(1j * angles)
        return np.stack([turned.real, turned.imag], axis=-1).reshape(x.shape)

    def with_matrices(x, positions, base=10000.0):
        result = []
        for row, position in zip(x, positions, strict=True):
            matrix = np.zeros((x.shape[1], x.shape[1]))
            for i in range(x.shape[1] // 2):
                angle = position * base ** (-2 * i / x.shape[1])
                c, s = np.cos(angle), np.sin(angle)
                matrix[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = [[c, -s], [s, c]]
            result.append(matrix @ row)
        return np.array(result)

    for attempt in (with_complex_numbers, with_matrices):
        result = ex.rotary.check(attempt)
        assert result.passed, result


def test_online_softmax_that_looks_twice_at_a_block_passes():
    def online_softmax(scores, values, block_size):
        """With a context that is normalized after every block."""
        largest, total, context = -np.inf, 0.0, np.zeros(values.shape[1])
        for start in range(0, len(scores), block_size):
            stop = start + block_size
            if np.all(scores[start:stop] == -np.inf):
                continue
            new = max(largest, np.max(scores[start:stop]))
            weights = np.exp(scores[start:stop] - new)
            before = total * np.exp(largest - new)
            total = before + weights.sum()
            context = (before * context + weights @ values[start:stop]) / total
            largest = new
        return context

    result = ex.online_softmax.check(online_softmax)
    assert result.passed, result


def test_linear_attention_in_parallel_passes():
    """The text says that the check cannot tell."""

    def linear_attention(query, keys, values):
        q, k = (np.where(x > 0, x + 1, np.exp(np.minimum(x, 0))) for x in (query, keys))
        weights = np.tril(q @ k.T)
        return weights @ values / weights.sum(axis=1, keepdims=True)

    result = ex.linear_attention.check(linear_attention)
    assert result.passed, result


def test_rotary_stream_with_positions_in_the_cache_passes():
    """Turned anew at each step, by the places in the cache: the distances are right."""

    def rotary_stream(rotate, query, keys, values, window):
        cached, contexts = [], []
        for q, k, v in zip(query, keys, values, strict=True):
            cached = [*cached, (k, v)][-window:]
            q = rotate(q, len(cached) - 1)
            scores = np.array([rotate(k, i) @ q for i, (k, _) in enumerate(cached)])
            weights = ref.softmax(scores / len(q) ** 0.5)
            contexts.append(weights @ np.array([v for _, v in cached]))
        return np.array(contexts)

    result = ex.rotary_stream.check(rotary_stream)
    assert result.passed, result


def by_steps(step):
    """The stream as its text asks for it, from a step with a cache."""

    def stream_attention(query, keys, values, window, sinks=0):
        cache, contexts = None, []
        for t in range(query.shape[1]):
            context, cache = step(query[:, t], keys[:, t], values[:, t], cache)
            contexts.append(context)
            length = cache[0].shape[1]
            if length > sinks + window - 1:
                cache = [
                    np.concatenate([x[:, :sinks], x[:, length - window + 1 :]], axis=1)
                    for x in cache
                ]
        return np.stack(contexts, axis=1), tuple(cache)

    return stream_attention


def test_stream_attention_of_ones_own_steps_passes():
    result = ex.stream_attention.check(by_steps(ex.kv_cache_step.reference_solution))
    assert result.passed, result


# Unusual wrong answers


@pytest.mark.parametrize(
    "result, words",
    [
        (lambda query, key: query, "Return 2 values, the context and the new cache."),
        (lambda query, key: query, "got an array of shape (1, 4)"),
        (lambda query, key: (query, key, key), "the new cache. got 3 values"),
        (lambda query, key: (query, key), "(keys, values). got an array of shape"),
        (lambda query, key: (query, [key]), "(keys, values). got a list"),
        (lambda query, key: (query, (key,) * 3), "(keys, values). got 3 values"),
    ],
)
def test_kv_cache_step_says_what_to_return(result, words):
    def kv_cache_step(query, key, value, cache):
        return result(query, key)

    assert words in said(ex.kv_cache_step, kv_cache_step)


def test_kv_cache_step_that_writes_into_the_old_cache_is_told_so():
    def kv_cache_step(query, key, value, cache):
        result = ex.kv_cache_step.reference_solution(query, key, value, cache)
        if cache is not None:
            cache[0][:, 0] += 1
        return result

    message = said(ex.kv_cache_step, kv_cache_step)
    assert "Your function changes its argument cache in place." in message


@pytest.mark.parametrize(
    "read, words",
    [
        (lambda scores, size: ref.softmax(scores), "can only be read in blocks"),
        (lambda scores, size: np.exp(scores), "can only be read in blocks"),
        (lambda scores, size: max(scores), "can only be read in blocks"),
        (lambda scores, size: scores[0], "can only be read in blocks"),
        (lambda scores, size: [s for s in scores], "can only be read in blocks"),
        (lambda scores, size: scores[:], "more than block_size scores at once"),
        (lambda scores, size: scores[::2], "more than block_size scores at once"),
        (lambda scores, size: scores[::-1], "more than block_size scores at once"),
        (
            lambda scores, size: [scores[size : 2 * size], scores[:size]],
            "a block of scores a second time",
        ),
    ],
)
def test_online_softmax_says_how_scores_may_be_read(read, words):
    def online_softmax(scores, values, block_size):
        read(scores, block_size)
        return np.zeros(values.shape[1])

    assert words in said(ex.online_softmax, online_softmax)


def test_online_softmax_in_two_passes_is_refused():
    def online_softmax(scores, values, block_size):
        starts = range(0, len(scores), block_size)
        largest = max(scores[i : i + block_size].max() for i in starts)
        weights = [np.exp(scores[i : i + block_size] - largest) for i in starts]
        weights = np.concatenate(weights)
        return weights @ values / weights.sum()

    message = said(ex.online_softmax, online_softmax)
    assert "You read a block of scores a second time." in message


def test_rotary_stream_says_what_rotate_should_get():
    def all_keys(rotate, query, keys, values, window):
        return rotate(keys, 0)

    def all_positions(rotate, query, keys, values, window):
        return rotate(keys[0], np.arange(3))

    assert "should get one vector" in said(ex.rotary_stream, all_keys)
    assert "should get one position" in said(ex.rotary_stream, all_positions)


def test_kv_cache_of_a_stream_that_grows_is_refused_though_its_contexts_are_right():
    message = said(
        ex.stream_attention,
        lambda query, keys, values, window, sinks=0: (
            ex.stream_attention.reference_solution(query, keys, values, window, sinks)[
                0
            ],
            (keys.copy(), values.copy()),
        ),
    )
    assert "The cache that you return holds all tokens" in message


# The cell that puts them together


def test_own_parts_are_yours_where_they_pass_and_else_ours(capsys):
    def sliding_window_mask(length, window, sinks=0):
        return np.tri(length) == 1

    mine = by_steps(ex.kv_cache_step.reference_solution)
    namespace = {
        "stream_attention": mine,
        "sliding_window_mask": sliding_window_mask,
    }
    assert ex.own_parts(namespace) == {
        "stream_attention": mine,
        "sliding_window_mask": ex.sliding_window_mask.reference_solution,
        "grouped_query_attention": ex.grouped_query_attention.reference_solution,
    }
    lines = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        ["stream_attention", "yours"],
        ["sliding_window_mask", "ours, because yours does not pass its check"],
        ["grouped_query_attention", "ours, because yours is not written yet"],
    ]


# Wrong answers as readers wrote them


def uncorrected_sums(scores, values, block_size):
    m, total, context = -np.inf, 0.0, np.zeros(values.shape[1])
    for start in range(0, len(scores), block_size):
        block = scores[start : start + block_size]
        m = max(m, block.max())
        weights = np.exp(block - m)
        total += weights.sum()
        context = context + weights @ values[start : start + block_size]
    return context / total


def attends_to_the_past_alone(query, key, value, cache):
    new = key[:, None], value[:, None]
    if cache is None:
        return value, new
    scores = np.einsum("hd,hld->hl", query, cache[0]) / np.sqrt(query.shape[1])
    context = np.einsum("hl,hld->hd", ref.softmax(scores), cache[1])
    return context, [
        np.concatenate(pair, axis=1) for pair in zip(cache, new, strict=True)
    ]


def window_and_sinks(length, window, sinks=0):
    t, s = np.indices((length, length))
    return (s <= t) & (t - s < window) & (s < sinks)


def mean_query(query, keys, values, mask=None):
    query = query.reshape(len(keys), -1, *query.shape[1:]).mean(axis=1)
    scores = query @ keys.swapaxes(1, 2) / np.sqrt(query.shape[-1])
    weights = ref.softmax(scores, mask)
    return weights @ values, weights


def layers_times_window(weights, share):
    influence = np.eye(weights.shape[1])[-1]
    for layer in weights[::-1]:
        influence = (influence + influence @ layer) / 2
    used = np.argmax(np.cumsum(influence[::-1]) >= share) + 1
    window = (weights[0] > 0).sum(axis=1).max()
    return int(len(weights) * window), int(used)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("exercise", "attempt", "words"),
    [
        (ex.online_softmax, uncorrected_sums, "earlier sums are not corrected"),
        (ex.kv_cache_step, attends_to_the_past_alone, "does not attend to itself"),
        (ex.sliding_window_mask, window_and_sinks, "window and sinks with `and`"),
        (ex.grouped_query_attention, mean_query, "mean of the queries of a group"),
        (ex.effective_context, layers_times_window, "number of layers times the"),
    ],
)
def test_a_wrong_answer_is_recognized(exercise, attempt, words):
    assert words in said(exercise, attempt)
