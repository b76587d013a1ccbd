"""The exercises of chapter 07: solutions against Keras and against numbers worked by
hand, and verdicts on wrong and on unusual right answers.
"""

import collections
import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from attnlib import reference as ref
from attnlib.exercises import _mistakes as mistakes
from attnlib.exercises import self_attention as ex


@pytest.fixture
def rng():
    return np.random.default_rng(11)


# Solutions against something independent


def test_scaled_dot_product_attention_by_hand_as_the_chapter_gives_it():
    query = np.array([[[1.0, 1, 0, 0]]])
    keys = np.array([[[2.0, 0, 0, 0], [0, 0, 5, 0]]])
    context, weights = ex.scaled_dot_product_attention.reference_solution(
        query, keys, keys, np.ones((1, 1, 2), bool)
    )
    assert_allclose(weights, [[[math.e / (math.e + 1), 1 / (math.e + 1)]]])
    assert_allclose(context, [[[2 * math.e / (math.e + 1), 0, 5 / (math.e + 1), 0]]])


def test_scaled_dot_product_attention_equals_keras(rng):
    from attnlib.backend import keras

    query, keys, values = (
        rng.normal(size=shape) for shape in ((2, 4, 6), (2, 5, 6), (2, 5, 3))
    )
    mask = np.tril(np.ones((2, 4, 5), bool))
    context, weights = ex.scaled_dot_product_attention.reference_solution(
        query, keys, values, mask
    )
    layer = keras.layers.Attention(
        score_mode="dot"
    )  # which takes no mask of pairs, but a causal one
    given, of = layer(
        [query / math.sqrt(6), values, keys],
        use_causal_mask=True,
        return_attention_scores=True,
    )
    assert_allclose(context, given, atol=1e-5)
    assert_allclose(weights, of, atol=1e-5)


def test_causal_mask_by_hand_as_the_chapter_gives_it():
    result = ex.causal_mask.reference_solution(
        np.array([[True, True, True], [True, True, False]])
    )
    assert_array_equal(result[0], [[1, 0, 0], [1, 1, 0], [1, 1, 1]])
    assert_array_equal(result[1], [[1, 0, 0], [1, 1, 0], [1, 1, 0]])


def keras_heads(query, values, heads, key_dim):
    """Keras's layer, built, and its matrices."""
    from attnlib.backend import keras

    layer = keras.layers.MultiHeadAttention(heads, key_dim, use_bias=False)
    layer.build(query.shape, values.shape)
    return layer, [w.numpy() for w in layer.weights]


def test_multi_head_attention_equals_keras(rng):
    query, values = rng.normal(size=(2, 4, 6)), rng.normal(size=(2, 5, 6))
    layer, matrices = keras_heads(query, values, heads=3, key_dim=2)
    mask = np.array([[True, False, True, True, True], [False, False, True, True, True]])
    expected = layer(query, values, attention_mask=mask[:, None, :])
    for given in (mask, np.repeat(mask[:, None, :], 4, axis=1)):
        result = ex.multi_head_attention.reference_solution(
            query, values, *matrices, given
        )
        assert_allclose(result, expected, atol=1e-5)


def test_sinusoidal_positions_by_hand():
    result = ex.sinusoidal_positions.reference_solution(3, 4)
    assert_allclose(result[0], [0, 1, 0, 1])
    assert_allclose(
        result[2], [math.sin(2), math.cos(2), math.sin(2 / 100), math.cos(2 / 100)]
    )


def test_functions_of_the_chapter_take_the_masks_of_each_other(rng):
    """A causal block after a mask of words: earlier positions do not change with the
    last one, and padding has no effect.
    """
    x = rng.normal(size=(2, 5, 6))
    _, matrices = keras_heads(x, x, heads=2, key_dim=3)
    words = np.array([[True] * 5, [False, True, True, True, False]])
    mask = ex.causal_mask.reference_solution(words)
    changed = x.copy()
    changed[:, 4] += 1
    for attend in (
        lambda x: ex.scaled_dot_product_attention.reference_solution(x, x, x, mask)[0],
        lambda x: ex.multi_head_attention.reference_solution(x, x, *matrices, mask),
    ):
        before, after = attend(x), attend(changed)
        assert_allclose(after[:, :4], before[:, :4], atol=1e-12)
        assert abs(after[0, 4] - before[0, 4]).max() > 0.01
    per_query = np.broadcast_to(words[:, None, :], (2, 5, 5))
    for one, other in zip(
        ex.scaled_dot_product_attention.reference_solution(x, x, x, words),
        ex.scaled_dot_product_attention.reference_solution(x, x, x, per_query),
        strict=True,
    ):
        assert_array_equal(one, other)


# Wrong answers: all are refused, and those of a known kind by its name


def said(exercise, submission):
    """What a check says in one line, after the name of the exercise."""
    result = exercise.check(submission)
    assert result.attempted and not result.passed, result
    return result.message.removeprefix(f"Not yet: {exercise.name}.\n").replace(
        "\n", " "
    )


def of_queries(mask):
    """The mask with an axis for the queries, (batch, 1 or target_len, source_len)."""
    return mask[:, None, :] if mask.ndim == 2 else mask


def attention(weights_of, scale=lambda query, keys, values: keys.shape[-1] ** 0.5):
    """Scaled dot-product attention with weights_of(scores, mask)."""

    def attempt(query, keys, values, mask):
        scores = np.einsum("btd,bsd->bts", query, keys) / scale(query, keys, values)
        weights = weights_of(scores, of_queries(mask))
        return np.einsum("bts,bsv->btv", weights, values), weights

    return attempt


def plain_exponentials(scores, mask):
    exponentials = np.where(mask, np.exp(scores), 0)
    total = exponentials.sum(axis=-1, keepdims=True)
    return exponentials / np.where(total == 0, 1, total)


def shifted_by_the_mean(scores, mask):
    shift = np.mean(scores, axis=-1, keepdims=True)
    return plain_exponentials(scores - shift, mask)


def renormalized(scores, mask):
    weights = ref.softmax(scores) * mask
    total = weights.sum(axis=-1, keepdims=True)
    return weights / np.where(total == 0, 1, total)


def first_words(scores, mask):
    counts = np.broadcast_to(mask, scores.shape).sum(axis=-1, keepdims=True)
    return ref.softmax(scores, np.arange(scores.shape[-1]) < counts)


@pytest.mark.parametrize(
    ("weights_of", "message"),
    [
        (plain_exponentials, "exp is infinite at a score of 1000"),
        (
            lambda s, m: plain_exponentials(s - s.max(axis=(1, 2), keepdims=True), m),
            "You subtract one maximum from all rows",
        ),
        (shifted_by_the_mean, ""),
        (lambda s, m: ref.softmax(s, ~m), "Your mask is inverted"),
        (lambda s, m: ref.softmax(np.where(m, -np.inf, s)), "Your mask is inverted"),
        (
            lambda s, m: ref.softmax(np.where(m, s, -1e9)),
            "With nothing to attend to, one number everywhere gives equal weights",
        ),
        (
            lambda s, m: ref.softmax(np.where(m, s, np.finfo("float32").min)),
            "With nothing to attend to, one number everywhere gives equal weights",
        ),
        (
            lambda s, m: ref.softmax(s + np.where(m, 0, -1e9)),
            "Adding -1e9 or -inf to a padded",
        ),
        (lambda s, m: ref.softmax(s - 1e9 * ~m), "Adding -1e9 or -inf to a padded"),
        (lambda s, m: ref.softmax(s * m), "You set padded scores to 0."),
        (lambda s, m: ref.softmax(s) * m, "You set padding to zero after the softmax"),
        (
            lambda s, m: np.where(m, ref.softmax(s), 0),
            "You set padding to zero after the softmax",
        ),
        (renormalized, "The maximum you subtract may be that of a padded position"),
        (lambda s, m: ref.softmax(s), "Your function ignores the mask"),
        (first_words, "You count the words and take as many from the front"),
        (
            lambda s, m: plain_exponentials(np.log(2) * s, m),
            "",  # two mistakes at once: powers of 2, and no maximum
        ),
        (lambda s, m: ref.softmax(np.log(2) * s, m), "You take powers of 2."),
        (
            lambda s, m: ref.softmax(
                s.swapaxes(1, 2), np.broadcast_to(m, s.shape).swapaxes(1, 2)
            ).swapaxes(1, 2),
            "Your weights sum to one over the queries, not over the source.",
        ),
    ],
)
def test_scaled_dot_product_attention_refuses_wrong_softmaxes(weights_of, message):
    words = said(ex.scaled_dot_product_attention, attention(weights_of))
    assert words.startswith(message or "context")


@pytest.mark.parametrize(
    ("scale", "message"),
    [
        (lambda q, k, v: 1, "The scores are not divided by sqrt(d)"),
        (lambda q, k, v: q.shape[-1], "You divide by d. "),
        (lambda q, k, v: k.shape[1] ** 0.5, "You divide by the square root of the so"),
        (lambda q, k, v: v.shape[2] ** 0.5, "You divide by the square root of the va"),
        (lambda q, k, v: q.shape[1] ** 0.5, "You divide by the square root of ta"),
        (lambda q, k, v: 2, "context"),
        (lambda q, k, v: q.shape[-1] ** -0.5, "You multiply by sqrt(d)."),
    ],
)
def test_scaled_dot_product_attention_refuses_wrong_scales(scale, message):
    words = said(ex.scaled_dot_product_attention, attention(ref.softmax, scale))
    assert words.startswith(message)


def small_number_then_zero(scores, mask):
    return ref.softmax(np.where(mask, scores, -1e4)) * mask


def added_number_then_zero(scores, mask):
    return ref.softmax(scores - 1e9 * ~mask) * mask


def for_masks_of(change):
    """A softmax of the exercises whose mask is change(mask of shape (b, 1 or t, s))."""
    return lambda scores, mask: ref.softmax(scores, change(mask, scores))


def queries_too(mask, scores):
    is_square = mask.shape[1] == 1 and scores.shape[1] == scores.shape[2]
    return mask & mask.swapaxes(1, 2) if is_square else mask


def transposed(mask, scores):
    return mask if mask.shape[1] == 1 else mask.swapaxes(1, 2)


FAR_ABOVE = "Input: scores near -20,000, and far above them at padding"
LOWER = "Input: scores near -20,000, and lower ones at padding"
MILLION = "Input: small scores, and ones of about a million at padding"


def of_scaled(weights_of):
    return ex.scaled_dot_product_attention, attention(weights_of)


def of_heads(weights_of):
    return ex.multi_head_attention, multi_head(weights_of)


@pytest.mark.parametrize("kind", [of_scaled, of_heads])
@pytest.mark.parametrize(
    ("weights_of", "message", "title"),
    [
        (small_number_then_zero, mistakes.SMALL_CONSTANT, LOWER),
        (
            lambda s, m: ref.softmax(np.where(m, s, -100)),
            mistakes.SMALL_CONSTANT,
            LOWER,
        ),
        (added_number_then_zero, mistakes.ADDED, FAR_ABOVE),
        (
            lambda s, m: ref.softmax(s - 1e9 * ~m) * m.any(axis=-1, keepdims=True),
            mistakes.ADDED,
            FAR_ABOVE,
        ),
        (lambda s, m: ref.softmax(s - 1e9 * ~m), mistakes.ADDED, FAR_ABOVE),
        (renormalized, mistakes.MAXIMUM_OVER_PADDING, MILLION),
        (
            lambda s, m: ref.softmax(np.where(m, s, -1e9)),
            mistakes.EQUAL_FOR_NOTHING,
            "some with nothing to attend to",
        ),
        (
            lambda s, m: ref.softmax(np.where(m, s, 0)),
            mistakes.TIMES_SCORES,
            "",
        ),
        (first_words, mistakes.COUNTED_FROM_THE_FRONT, "a mask per sentence"),
        (for_masks_of(queries_too), "You mask the queries as well.", ""),
        (for_masks_of(transposed), "You transpose a mask of shape", "a mask per query"),
        (
            for_masks_of(lambda m, s: m[:, :1]),
            ex.ONE_FOR_ALL_QUERIES,
            "a mask per query",
        ),
        (
            for_masks_of(lambda m, s: m.any(axis=1, keepdims=True)),
            ex.ONE_FOR_ALL_QUERIES,
            "a mask per query",
        ),
    ],
)
def test_mistake_with_the_mask_is_shown_on_a_case_that_fits(
    kind, weights_of, message, title
):
    exercise, attempt = kind(weights_of)
    words = said(exercise, attempt)
    assert words.startswith(message) and title in words


def scaled_against_queries(query, keys, values, mask):
    scores = query @ keys.swapaxes(1, 2) / np.sqrt(keys.shape[-1])
    weights = ref.softmax(np.where(mask, scores, -np.inf))
    return weights @ values, weights


def test_mask_that_lines_up_with_the_queries_is_named():
    words = said(ex.scaled_dot_product_attention, scaled_against_queries)
    assert words.startswith("Your mask lines up with the wrong axis.")
    words = said(ex.multi_head_attention, loop_of_the_chapter)
    assert words.startswith("Your mask lines up with the wrong axes.")


def test_mask_with_an_axis_too_many_is_named():
    def by_reference(query, keys, values, mask):
        scores = np.einsum("btd,bsd->bts", query, keys) / keys.shape[2] ** 0.5
        weights = ref.softmax(scores, np.expand_dims(mask, 1))
        return weights @ values, weights

    def chosen(query, keys, values, mask):
        scores = np.einsum("btd,bsd->bts", query, keys) / keys.shape[2] ** 0.5
        weights = ref.softmax(np.where(mask[:, None, ...], scores, -np.inf))
        return weights @ values, weights

    for attempt in (by_reference, chosen):
        words = said(ex.scaled_dot_product_attention, attempt)
        assert words.startswith("You give every mask an axis of size 1"), words


@pytest.mark.parametrize(
    ("product", "message"),
    [
        (lambda q, k: np.matmul(q, np.transpose(k)), "keys.T reverses all axes"),
        (lambda q, k: np.matmul(q, k), "You multiply by the keys without transposing"),
        (
            lambda q, k: q @ np.reshape(k, (k.shape[0], k.shape[2], k.shape[1])),
            "reshape does not exchange axes",
        ),
        (
            lambda q, k: np.einsum("btd,btd->bt", q, k),
            "Your score of query t belongs to key t alone.",
        ),
        (lambda q, k: np.einsum("btd,bsd->bst", q, k), "You exchanged two axes"),
        (lambda q, k: np.einsum("btd,sd->bts", q, k[0]), "You mix sentences."),
        (lambda q, k: np.einsum("btd,bsd->bts", q, k[::-1]), "context"),
    ],
)
def test_scaled_dot_product_attention_names_wrong_products(product, message):
    def attempt(query, keys, values, mask):
        scores = product(query, keys) * keys.shape[2] ** -0.5
        weights = ref.softmax(scores, of_queries(mask))
        return weights @ values, weights

    assert said(ex.scaled_dot_product_attention, attempt).startswith(message)


def test_context_and_weights_in_the_wrong_order_are_named():
    words = said(
        ex.scaled_dot_product_attention,
        lambda query, keys, values, mask: attention(ref.softmax)(
            query, keys, values, mask
        )[::-1],
    )
    assert words.startswith("You return the weights first. The context comes first.")


def below(mask, diagonal=0):
    return np.tri(mask.shape[1], k=diagonal, dtype=bool)


CAUSAL_LOOKS_AT_PADDING = "Words may attend to padding."


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (
            lambda mask: (
                below(mask) & (np.arange(mask.shape[1]) < mask.sum(1)[:, None])[:, None]
            ),
            "You count the real words",
        ),
        (
            lambda mask: below(mask).T & mask[:, None],
            "Your words attend to later words",
        ),
        (
            lambda mask: ~below(mask, -1) & mask[:, None],
            "Your words attend to later words",
        ),
        (
            lambda mask: below(mask).T & mask[:, :, None],
            "Your result is transposed",
        ),
        (lambda mask: below(mask) & mask[:, :, None], CAUSAL_LOOKS_AT_PADDING),
        (lambda mask: np.array([below(mask)] * len(mask)), CAUSAL_LOOKS_AT_PADDING),
        (
            lambda mask: below(mask, -1) & mask[:, None],
            "Your words do not attend to th",
        ),
        (lambda mask: below(mask, 1) & mask[:, None], "Your words see one word ahead"),
        (lambda mask: below(mask) | mask[:, None], "Either condition is enough"),
        (
            lambda mask: np.repeat(mask[:, None], mask.shape[1], axis=1),
            "Your mask is not causal",
        ),
        (
            lambda mask: np.logical_not(below(mask) & mask[:, None]),
            "Your mask is inverted",
        ),
        (
            lambda mask: np.where(below(mask) & mask[:, None], 0, -np.inf),
            "Return booleans, not numbers to be added",
        ),
        (
            lambda mask: (1.0 - (below(mask) & mask[:, None])) * -1e9,
            "Return booleans, not numbers to be added",
        ),
        (
            lambda mask: (below(mask) & mask[:, None]).astype(int),
            "The result should have dtype bool, got int64.",
        ),
        (lambda mask: below(mask), "The result should have shape (1, 3, 3)"),
        (
            lambda mask: below(mask) & mask[:, None] & (below(mask, -3) == 0),
            "The result",
        ),
    ],
)
def test_causal_mask_refuses_wrong_answers(attempt, message):
    assert said(ex.causal_mask, attempt).startswith(message)


def causal_blocks(mask):
    result = np.zeros((*mask.shape, mask.shape[1]), bool)
    for block, words in zip(result, mask, strict=True):
        count = words.sum()
        block[:count, :count] = np.tri(count, dtype=bool)
    return result


def causal_up_to_the_first_padding(mask):
    first = np.where(mask.all(axis=1), mask.shape[1], mask.argmin(axis=1))
    return below(mask) & (np.arange(mask.shape[1]) < first[:, None])[:, None]


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (causal_blocks, "You count the real words"),
        (causal_up_to_the_first_padding, "You stop at the first padding"),
        (lambda mask: below(mask) & ~mask[:, None], "Your words may attend to padding"),
    ],
)
def test_causal_mask_names_mistake(attempt, message):
    assert said(ex.causal_mask, lambda mask: attempt(mask)).startswith(message)


@pytest.mark.parametrize(
    "exercise", [ex.scaled_dot_product_attention, ex.multi_head_attention]
)
def test_cases_have_floats_alone_and_titles_that_stand_alone(exercise):
    """A learner who fills an array like an argument would lose all digits."""
    for title, arguments in exercise._fresh_cases():
        kinds = {value.dtype.kind for value in arguments}
        assert kinds == {"f", "b"}, title
        assert not title.startswith(("the same", "it "))


def loop_of_the_chapter(query, values, w_query, w_keys, w_values, w_output, mask):
    total = 0
    for h in range(w_query.shape[1]):
        q, k, v = query @ w_query[:, h], values @ w_keys[:, h], values @ w_values[:, h]
        scores = q @ k.swapaxes(-2, -1) / np.sqrt(k.shape[-1])
        total = total + ref.softmax(scores, mask) @ v @ w_output[h]
    return total


def multi_head(weights_of=ref.softmax, scale=lambda dim, heads, key_dim: key_dim**0.5):
    """Multi-head attention with weights_of(scores, mask), the heads in a loop."""

    def attempt(query, values, w_query, w_keys, w_values, w_output, mask):
        total = np.zeros((*query.shape[:2], w_output.shape[-1]))
        for h in range(w_query.shape[1]):
            q, k = query @ w_query[:, h], values @ w_keys[:, h]
            scores = q @ k.swapaxes(1, 2) / scale(*w_query.shape)
            head = weights_of(scores, of_queries(mask)) @ (values @ w_values[:, h])
            total += head @ w_output[h]
        return total

    return attempt


def split_by_reshape(words, w, moved):
    dim, heads, key_dim = w.shape
    joined = words @ w.reshape(dim, heads * key_dim)  # (batch, length, heads key_dim)
    if moved:
        return joined.reshape(len(words), -1, heads, key_dim).transpose(0, 2, 1, 3)
    return joined.reshape(len(words), heads, -1, key_dim)


def reshaped_heads(split_moved=True, join_moved=True):
    """Multi-head attention that splits and joins the heads by reshape."""

    def attempt(query, values, w_query, w_keys, w_values, w_output, mask):
        q, k, v = (
            split_by_reshape(words, w, split_moved)
            for words, w in ((query, w_query), (values, w_keys), (values, w_values))
        )
        scores = q @ k.swapaxes(2, 3) / np.sqrt(q.shape[-1])
        heads = ref.softmax(scores, of_queries(mask)[:, None]) @ v
        if join_moved:
            heads = heads.transpose(0, 2, 1, 3)  # (batch, target_len, heads, key_dim)
        joined = heads.reshape(*query.shape[:2], -1)
        return joined @ w_output.reshape(-1, w_output.shape[-1])

    return attempt


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (multi_head(plain_exponentials), "exp is infinite at a score of 1000"),
        (multi_head(first_words), "You count the words and take as many"),
        (multi_head(shifted_by_the_mean), "The result"),
        (multi_head(lambda s, m: ref.softmax(s, ~m)), "Your mask is inverted"),
        (
            multi_head(lambda s, m: ref.softmax(np.where(m, s, -1e9))),
            "With nothing to attend to",
        ),
        (multi_head(lambda s, m: ref.softmax(s * m)), "You set padded scores to 0."),
        (multi_head(lambda s, m: ref.softmax(s)), "Your function ignores the mask"),
        (multi_head(renormalized), "The maximum you subtract may be that of a padded"),
        (
            multi_head(scale=lambda d, h, k: h**0.5),
            "You divide by the square root of the n",
        ),
        (
            multi_head(scale=lambda d, h, k: d**0.5),
            "You divide by the square root of dim",
        ),
        (
            multi_head(scale=lambda d, h, k: (h * k) ** 0.5),
            "You divide by the square root of the dimension of all heads together.",
        ),
        (multi_head(scale=lambda d, h, k: k), "You divide by key_dim."),
        (multi_head(scale=lambda d, h, k: 1), "The scores are not divided by"),
        (reshaped_heads(join_moved=False), "You reshaped the heads without moving"),
        (reshaped_heads(split_moved=False), "You reshaped the heads without moving"),
        (reshaped_heads(False, False), "You reshaped the heads without moving"),
        (
            lambda x, y, w_q, w_k, w_v, w_o, mask: multi_head()(
                x, y, w_q, w_k, w_v, w_o / w_q.shape[1], mask
            ),
            "You average the heads.",
        ),
        (
            lambda x, y, w_q, w_k, w_v, w_o, mask: multi_head()(
                x, y, w_k, w_q, w_v, w_o, mask
            ),
            "w_query and w_keys are exchanged",
        ),
        (
            lambda x, y, w_q, w_k, w_v, w_o, mask: multi_head()(
                x, y, w_q, w_k, w_v, w_o[::-1], mask
            ),
            "The result",
        ),
    ],
)
def test_multi_head_attention_refuses_wrong_answers(attempt, message):
    assert said(ex.multi_head_attention, attempt).startswith(message)


def heads_of(x, y, w_q, w_k, w_v, mask):
    """The contexts of all heads, (batch, target_len, heads, key_dim)."""
    rows = [
        attention(ref.softmax)(x @ w_q[:, h], y @ w_k[:, h], y @ w_v[:, h], mask)[0]
        for h in range(w_q.shape[1])
    ]
    return np.stack(rows, axis=2)


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (
            lambda x, y, w_q, w_k, w_v, w_o, mask: multi_head()(
                x, y, w_q, w_v, w_k, w_o, mask
            ),
            "w_keys and w_values are exchanged",
        ),
        (
            lambda x, y, w_q, w_k, w_v, w_o, mask: multi_head()(
                x, y, w_q[:, :1], w_k[:, :1], w_v[:, :1], w_o[:1], mask
            ),
            "You return one head alone.",
        ),
        (
            lambda x, y, w_q, w_k, w_v, w_o, mask: (
                heads_of(x, y, w_q, w_k, w_v, mask)[:, :, -1] @ w_o[-1]
            ),
            "You return one head alone.",
        ),
        (
            lambda x, y, w_q, w_k, w_v, w_o, mask: heads_of(
                x, y, w_q, w_k, w_v, mask
            ).reshape(*x.shape[:2], -1),
            "You leave out w_output",
        ),
        (
            lambda x, y, w_q, w_k, w_v, w_o, mask: sum(
                np.moveaxis(heads_of(x, y, w_q, w_k, w_v, mask), 2, 0)
            ),
            "You leave out w_output",
        ),
    ],
)
def test_multi_head_attention_names_mistake(attempt, message):
    assert said(ex.multi_head_attention, attempt).startswith(message)


def interleaved(angles):
    pairs = np.stack([np.sin(angles), np.cos(angles)], axis=-1)
    return pairs.reshape(len(angles), -1)


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (
            lambda p, n, d: interleaved(p / 10000**2 * np.arange(d // 2) / d),
            "The whole exponent needs parentheses.",
        ),
        (
            lambda p, n, d: interleaved(p / 10000.0 ** np.arange(0, d, 2) / d),
            "The whole exponent needs parentheses.",
        ),
        (
            lambda p, n, d: np.sin(p / 10000 ** (np.arange(d) // 2 * 2 / d)),
            "Your odd columns are sines, too.",
        ),
        (
            lambda p, n, d: interleaved(p / 1e4 ** (2 * np.arange(1, d // 2 + 1) / d)),
            "Your i begins with 1.",
        ),
        (
            lambda p, n, d: interleaved(p / 1e4 ** (2 * np.arange(d // 2) / (d // 2))),
            "Your exponents are twice as large as they should be. If your index goes",
        ),
    ],
)
def test_sinusoidal_positions_names_mistake(attempt, message):
    words = said(
        ex.sinusoidal_positions,
        lambda length, dim: attempt(np.arange(length)[:, None], length, dim),
    )
    assert words.startswith(message)


def sinusoids(length, dim, exponents=None, first=0, flip=False):
    """Sines and cosines, in a loop over the positions."""
    exponents = np.arange(0, dim, 2) / dim if exponents is None else exponents
    rows = []
    for p in range(first, first + length):
        angles = p / 10000**exponents
        pair = (
            [np.cos(angles), np.sin(angles)]
            if flip
            else [np.sin(angles), np.cos(angles)]
        )
        rows.append(np.stack(pair, axis=1).ravel())
    return np.array(rows)


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (lambda n, d: sinusoids(n, d, first=1), "Your first position is 1."),
        (lambda n, d: sinusoids(n + 1, d)[1:], "Your first position is 1."),
        (lambda n, d: sinusoids(n, d, flip=True), "Sine and cosine are swapped"),
        (lambda n, d: sinusoids(n, d, np.arange(d // 2) / d), "Your exponent is i/dim"),
        (
            lambda n, d: sinusoids(n, d, 2 * np.arange(0, d, 2) / d),
            "Your exponents are twice as large",
        ),
        (
            lambda n, d: sinusoids(n, d, -np.arange(0, d, 2) / d),
            "You multiply by 10000",
        ),
        (lambda n, d: sinusoids(n, d, np.arange(0.0, d, 2)), "Your exponent is 2i."),
        (lambda n, d: sinusoids(n, d, np.zeros(d // 2)), "All your columns have one"),
        (
            lambda n, d: np.hstack([sinusoids(n, d)[:, ::2], sinusoids(n, d)[:, 1::2]]),
            "You put all sines before all cosines.",
        ),
        (lambda n, d: sinusoids(n, d, np.arange(0, d, 2) / (d - 1)), "The result"),
        (lambda n, d: sinusoids(n, d, np.arange(0, d, 2) / d) ** 2, "The result"),
        (lambda n, d: sinusoids(min(n, 32), d), "The result should have shape (40, 8)"),
    ],
)
def test_sinusoidal_positions_refuses_wrong_answers(attempt, message):
    words = said(ex.sinusoidal_positions, lambda length, dim: attempt(length, dim))
    assert words.startswith(message)


# Right answers, in unusual styles


def attention_in_loops(query, keys, values, mask):
    batch, target_len, dim = query.shape
    source_len = keys.shape[1]
    weights = np.zeros((batch, target_len, source_len))
    for b, t in np.ndindex(batch, target_len):
        allowed = mask[b] if mask.ndim == 2 else mask[b, t]
        places = [s for s in range(source_len) if allowed[s]]
        if places:
            scores = np.array([query[b, t] @ keys[b, s] for s in places]) / dim**0.5
            exponentials = np.exp(scores - scores.max())
            weights[b, t, places] = exponentials / exponentials.sum()
    return weights @ values, weights


def attention_in_single_precision(query, keys, values, mask):
    return attention(ref.softmax)(
        *(array.astype("float32") for array in (query, keys, values)), mask
    )


Attended = collections.namedtuple("Attended", "context weights")


@pytest.mark.parametrize(
    "attempt",
    [
        attention_in_loops,
        attention_in_single_precision,
        lambda query, keys, values, mask: list(
            attention(ref.softmax)(query, keys, values, mask)
        ),
        lambda query, keys, values, mask: Attended(
            *attention(ref.softmax)(query, keys, values, mask)
        ),
        attention(lambda s, m: ref.softmax(s + np.where(m, 0.0, -np.inf))),
        attention(lambda s, m: np.exp2(np.log2(ref.softmax(s, m)))),
    ],
)
def test_scaled_dot_product_attention_accepts_unusual_answers(attempt):
    result = ex.scaled_dot_product_attention.check(
        lambda query, keys, values, mask: attempt(query, keys, values, mask)
    )
    assert result.passed, result


def causal_in_loops(mask):
    result = np.zeros((*mask.shape, mask.shape[1]), bool)
    for b, t, s in np.ndindex(result.shape):
        result[b, t, s] = s <= t and mask[b, s]
    return result


@pytest.mark.parametrize(
    "attempt",
    [
        causal_in_loops,
        lambda mask: below(mask) & mask[:, None, :] & mask[:, :, None],
        lambda mask: below(mask) & mask[:, None, :] | ~mask[:, :, None],
        lambda mask: np.tril(np.repeat(mask[:, None, :], mask.shape[1], axis=1)),
        lambda mask: np.einsum("ts,bs->bts", below(mask), mask),
    ],
)
def test_causal_mask_accepts_unusual_answers(attempt):
    result = ex.causal_mask.check(lambda mask: attempt(mask))
    assert result.passed, result


@pytest.mark.parametrize(
    "attempt",
    [
        multi_head(),
        reshaped_heads(),
        lambda x, y, w_q, w_k, w_v, w_o, mask: reshaped_heads()(
            *(array.astype("float32") for array in (x, y, w_q, w_k, w_v, w_o)), mask
        ),
        lambda x, y, w_q, w_k, w_v, w_o, mask: np.concatenate(
            [
                multi_head()(
                    x[b : b + 1], y[b : b + 1], w_q, w_k, w_v, w_o, mask[b:][:1]
                )
                for b in range(len(x))
            ]
        ),
        multi_head(lambda s, m: np.exp(np.log(ref.softmax(s, m)))),
    ],
)
def test_multi_head_attention_accepts_unusual_answers(attempt):
    result = ex.multi_head_attention.check(
        lambda query, values, w_query, w_keys, w_values, w_output, mask: attempt(
            query, values, w_query, w_keys, w_values, w_output, mask
        )
    )
    assert result.passed, result


def sinusoids_in_single_precision(length, dim):
    columns = np.arange(0, dim, 2, dtype="float32")
    angles = np.arange(length, dtype="float32")[:, None] / np.float32(1e4) ** (
        columns / np.float32(dim)
    )
    return np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(length, dim)


@pytest.mark.parametrize(
    "attempt",
    [
        sinusoids,
        sinusoids_in_single_precision,
        lambda length, dim: np.array(
            [
                [
                    (math.cos if j % 2 else math.sin)(p / 1e4 ** ((j - j % 2) / dim))
                    for j in range(dim)
                ]
                for p in range(length)
            ]
        ),
        lambda length, dim: (
            np.exp(
                1j
                * np.arange(length)[:, None]
                * np.exp(-math.log(1e4) * np.arange(0, dim, 2) / dim)
            )
            .view(float)
            .reshape(length, -1, 2)[..., ::-1]
            .reshape(length, dim)
        ),
    ],
)
def test_sinusoidal_positions_accepts_unusual_answers(attempt):
    result = ex.sinusoidal_positions.check(lambda length, dim: attempt(length, dim))
    assert result.passed, result


# Relative positions


def test_rotation_matrix_moves_every_position(rng):
    for dim, offset in ((2, 1), (8, -3), (16, 7)):
        matrix = ex.rotation_matrix.reference_solution(dim, offset)
        positions = ex.sinusoidal_positions.reference_solution(30, dim)
        p = np.arange(10, 20)
        assert_allclose(positions[p] @ matrix, positions[p + offset], atol=1e-12)
        assert_allclose(matrix @ matrix.T, np.eye(dim), atol=1e-12)


def test_rotation_matrix_by_hand():
    assert_allclose(
        ex.rotation_matrix.reference_solution(2, 1),
        [[math.cos(1), -math.sin(1)], [math.sin(1), math.cos(1)]],
    )


def rotation_by_solving(dim, offset):
    """By least squares, from the encodings themselves."""
    start = max(0, -offset)
    positions = sinusoids(4000 + abs(offset), dim)
    rows = np.arange(start, start + 3000)
    return np.linalg.lstsq(positions[rows], positions[rows + offset], rcond=None)[0]


def test_rotation_matrix_equals_the_least_squares_solution():
    for dim, offset in ((4, -1), (6, 3)):
        assert_allclose(
            ex.rotation_matrix.reference_solution(dim, offset),
            rotation_by_solving(dim, offset),
            atol=1e-6,
        )


def blocks_in_a_loop(dim, offset):
    matrix = np.zeros((dim, dim))
    for i in range(dim // 2):
        angle = offset / 10000 ** (2 * i / dim)
        cos, sin = math.cos(angle), math.sin(angle)
        matrix[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = [[cos, -sin], [sin, cos]]
    return matrix


def test_rotation_matrix_accepts_blocks_in_a_loop():
    result = ex.rotation_matrix.check(lambda dim, offset: blocks_in_a_loop(dim, offset))
    assert result.passed, result


def test_rotation_matrix_names_a_transposed_matrix():
    words = said(ex.rotation_matrix, lambda dim, offset: blocks_in_a_loop(dim, -offset))
    assert words.startswith("Your matrix leads the other way")


# The block


def keras_block(x, parameters, mask):
    """The paper's block of Keras's layers, with the same parameters."""
    from attnlib.backend import keras

    w_query, *others, w_output = parameters["attention"]
    heads = keras.layers.MultiHeadAttention(*w_query.shape[1:], use_bias=False)
    heads.build(x.shape, x.shape)
    heads.set_weights(parameters["attention"])
    w_in, b_in, w_out, b_out = parameters["feed_forward"]
    wide = keras.layers.Dense(w_in.shape[1], activation="relu")
    narrow = keras.layers.Dense(w_out.shape[1])
    norms = [keras.layers.LayerNormalization() for _ in range(2)]
    for layer, shape, weights in (
        (wide, x.shape, (w_in, b_in)),
        (narrow, (*x.shape[:2], w_in.shape[1]), (w_out, b_out)),
        (norms[0], x.shape, parameters["norm_1"]),
        (norms[1], x.shape, parameters["norm_2"]),
    ):
        layer.build(shape)
        layer.set_weights(weights)
    x = x.astype("float32")
    attended, _ = heads(x, x, attention_mask=mask, return_attention_scores=True)
    x = norms[0](x + attended)
    return norms[1](x + narrow(wide(x)))


def test_transformer_block_and_layer_norm_equal_keras(rng):
    parameters = ex._block_parameters(rng, units=6, heads=3, key_dim=2, hidden=8)
    x = rng.normal(size=(2, 5, 6))
    mask = np.tril(np.ones((2, 5, 5), bool)) & np.array([1, 1, 0, 1, 0], bool)
    mask[1, 0] = False  # nothing to attend to
    result = ex.transformer_block.reference_solution(x, parameters, mask)
    assert_allclose(result, keras_block(x, parameters, mask), atol=1e-5)


def test_layer_norm_by_hand():
    result = ex.layer_norm.reference_solution(
        np.array([[[1.0, 3.0], [5.0, 5.0]]]), np.array([2.0, 1]), np.array([0.5, 0])
    )
    root = math.sqrt(1.001)
    assert_allclose(result, [[[0.5 - 2 / root, 1 / root], [0.5, 0.0]]])


def own_block(attend, normalize, feed=lambda y, w, b, v, c: relu(y @ w + b) @ v + c):
    """A block of the reader's own functions."""

    def attempt(x, parameters, mask):
        y = x + attend(x, x, *parameters["attention"], mask)
        y = normalize(y, *parameters["norm_1"])
        y = y + feed(y, *parameters["feed_forward"])
        return normalize(y, *parameters["norm_2"])

    return attempt


def relu(x):
    return np.maximum(x, 0)


def test_transformer_block_accepts_the_readers_own_parts():
    """The functions of the exercises before it, put together."""
    attempt = own_block(
        ex.multi_head_attention.reference_solution, ex.layer_norm.reference_solution
    )
    result = ex.transformer_block.check(
        lambda x, parameters, mask: attempt(x, parameters, mask)
    )
    assert result.passed, result
    attempt = own_block(multi_head(), ex.layer_norm.reference_solution)
    result = ex.transformer_block.check(
        lambda x, parameters, mask: attempt(x, parameters, mask)
    )
    assert result.passed, result


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (
            own_block(lambda *a: 0, ex.layer_norm.reference_solution),
            "The result",
        ),
        (
            own_block(
                multi_head(),
                ex.layer_norm.reference_solution,
                lambda y, w, b, v, c: (y @ w + b) @ v + c,
            ),
            "The maximum with 0 is missing",
        ),
        (
            own_block(multi_head(lambda s, m: ref.softmax(s)), ref.layer_norm),
            "Your attention ignores the mask.",
        ),
    ],
)
def test_transformer_block_refuses_wrong_answers(attempt, message):
    words = said(
        ex.transformer_block, lambda x, parameters, mask: attempt(x, parameters, mask)
    )
    assert words.startswith(message)


# One position at a time, and what a head looks at


def test_causal_steps_equal_one_pass(rng):
    x = rng.normal(size=(2, 6, 4))
    w_query, w_keys, w_values = rng.normal(size=(3, 4, 3))
    expected, _ = ref.scaled_dot_product_attention(
        x @ w_query, x @ w_keys, x @ w_values, np.tril(np.ones((2, 6, 6), bool))
    )
    steps = ex.causal_steps.reference_solution(x, w_query, w_keys, w_values)
    assert_allclose(steps, expected)
    assert (
        abs(ex.causal_steps.starter(x, w_query, w_keys, w_values) - steps).max() > 0.1
    )


def test_causal_steps_accept_one_pass():
    def one_pass(x, w_query, w_keys, w_values):
        mask = np.tri(x.shape[1], dtype=bool)
        scores = (x @ w_query) @ (x @ w_keys).swapaxes(1, 2) / w_keys.shape[1] ** 0.5
        return ref.softmax(scores, mask) @ (x @ w_values)

    result = ex.causal_steps.check(one_pass)
    assert result.passed, result


def test_weight_at_offset_by_hand():
    weights = np.array([[[[1.0, 0, 0], [0.75, 0.25, 0], [0.5, 0.25, 0.25]]]])
    words = np.array([[True, True, True]])
    for offset, expected in ((-1, 0.5), (0, 0.5), (-2, 0.5), (1, 0.0)):
        result = ex.weight_at_offset.reference_solution(weights, words, offset)
        assert_allclose(result, [expected])
    padded = np.array([[True, True, False]])
    result = ex.weight_at_offset.reference_solution(weights, padded, -1)
    assert_allclose(result, [0.75])


def test_weight_at_offset_accepts_loops():
    def in_loops(weights, mask, offset):
        found = []
        for b, t in np.ndindex(mask.shape):
            s = t + offset
            if mask[b, t] and 0 <= s < mask.shape[1] and mask[b, s]:
                found.append(weights[b, :, t, s])
        return np.mean(found, axis=0)

    result = ex.weight_at_offset.check(in_loops)
    assert result.passed, result
