"""The bugs of chapter 10: each solution against something independent, each faulty code
by its symptom, and verdicts on other attempts, wrong ones and right ones.
"""

import collections
import json

import numpy as np
import pytest
from conftest import ROOT
from numpy.testing import assert_allclose

from attnlib import reference as ref
from attnlib.checking.exercise import Exercise
from attnlib.exercises import bug_hunt
from attnlib.exercises._demands import in_float32
from attnlib.exercises._mistakes import (
    COUNTED_FROM_THE_FRONT,
    OVERFLOWS,
    TIMES_SCORES,
)
from attnlib.tasks import dates

BUGS = [value for value in vars(bug_hunt).values() if isinstance(value, Exercise)]
every_bug = pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)


def tensors(*shapes):
    rng = np.random.default_rng(7)
    return [rng.normal(size=shape) for shape in shapes]


def equal(ours, expected):
    for one, other in zip(ours, expected, strict=True):
        assert_allclose(one, other, atol=1e-12)


# What every bug owes


def test_there_are_sixteen_in_numpy_and_one_in_keras():
    assert len(BUGS) == 16
    assert "PositionalEmbedding" in dir(bug_hunt)


@every_bug
def test_bug_starts_with_short_code_that_looks_like_its_fix(bug):
    lines = bug.starter_source.splitlines()
    assert lines[0].startswith(f"def {bug.name}(") and bug.starter_source != bug.source
    assert 4 <= len(lines) <= 14
    assert max(map(len, lines)) <= 88
    assert len(bug.known_mistakes) >= 4


@every_bug
def test_bug_stands_alone_runs_quietly_and_is_told_by_its_symptom(bug, capsys):
    namespace = {"np": np, "ref": ref}
    exec(bug.starter_source, namespace)
    for _, arguments in bug.cases(np.random.default_rng(0)):
        arrays = [value for value in arguments if isinstance(value, np.ndarray)]
        finite = all(np.isfinite(array).all() for array in arrays)
        with np.errstate(all="raise" if finite else "ignore", under="ignore"):
            try:
                namespace[bug.name](*arguments)
            except ValueError:  # where another size makes the bug an error
                assert bug.name == "masked_head_weights" and finite
    assert capsys.readouterr() == ("", "")
    result = bug.check(namespace[bug.name])
    assert result.attempted and not result.passed
    assert result.message.startswith(f"Not yet: {bug.name}.\nThe bug is still there. ")
    assert max(np.size(value) for value in result.inputs.values()) <= 24, (
        "small enough to read"
    )


@every_bug
def test_bug_message_names_no_line_of_the_fix(bug):
    """The symptom, not the cause: no code in it, none of the words that would give the
    fix away, and nothing that another mistake is told by.
    """
    symptom = bug.known_mistakes[0][0]
    assert not any(
        word in symptom
        for word in ("axis", "np.", "sqrt", "root", "sign", "mean(", "<start>", "-inf")
        + ("should", "row", "computed", "shifted", "divide", "multipl", "mask", "you ")
    )
    message = bug.check(bug.starter).message.replace("\n", " ")
    for diagnosis, _ in bug.known_mistakes[1:]:
        assert diagnosis not in message


@every_bug
def test_bug_first_check_in_the_chapter_shows_the_symptom_alone(bug):
    """The stored output of the first check, which a reader sees before the hunt."""
    text = (ROOT / "book" / "10_bug_hunt.ipynb").read_text("utf-8")
    cells = json.loads(text)["cells"]
    (at,) = (
        i
        for i, cell in enumerate(cells)
        if "".join(cell["source"]) == f"ex.{bug.name}.check({bug.name})"
    )
    assert "".join(cells[at - 1]["source"]) == bug.starter_source
    (output,) = cells[at]["outputs"]
    stored = "".join(output["data"]["text/plain"])
    assert stored == bug.check(bug.starter).message
    symptom = bug.known_mistakes[0][0]
    rest = stored.replace("\n", " ").removeprefix(f"Not yet: {bug.name}. {symptom} ")
    what = rest.split(":")[0].removesuffix(" (your result holds NaN)")
    assert what in ("The result", "context", "gradient"), "numbers come next"


# Those of axes, masks, and metrics


def test_pool_is_the_pooling_of_the_reference():
    values, w, v = tensors((3, 5, 4), (4, 6), (6, 1))
    weights = ref.softmax(ref.pooling_scores(values, w, np.zeros(6), v[:, 0]))
    equal(
        bug_hunt.pool.reference_solution(values, w, v),
        (np.einsum("bs,bsd->bd", weights, values), weights),
    )
    context, weights = bug_hunt.pool.starter(values, w, v)
    assert (weights == 1).all()
    assert_allclose(context, values.sum(1))


def test_dot_attend_is_the_reference():
    query, keys, values = tensors((2, 4, 3), (2, 5, 3), (2, 5, 2))
    equal(
        bug_hunt.dot_attend.reference_solution(query, keys, values),
        ref.attend(ref.dot_scores(query, keys), values),
    )
    _, weights = bug_hunt.dot_attend.starter(query, keys, values)
    assert_allclose(weights.sum(1), 1)
    assert abs(weights.sum(2) - 1).max() > 0.1


def test_masked_weights_are_those_of_the_reference():
    (scores,), mask = tensors((3, 2, 6)), np.arange(6) < [[6], [2], [4]]
    assert_allclose(
        bug_hunt.masked_weights.reference_solution(30 * scores, mask),
        ref.softmax(30 * scores, mask[:, None]),
        atol=1e-15,
    )
    assert bug_hunt.masked_weights.reference_solution(
        np.log([[[1.0, 3.0, 9.0]]]), np.array([[True, True, False]])
    ).tolist() == [[[pytest.approx(0.25), pytest.approx(0.75), 0]]]
    found = bug_hunt.masked_weights.starter(
        np.log([[[1.0, 3.0, 9.0]]]), np.array([[True, True, False]])
    )
    assert_allclose(found, [[[0.2, 0.6, 0.2]]])


def test_token_accuracy_is_that_of_keras_weighted_by_the_mask():
    from attnlib.backend import keras

    (logits,), rng = tensors((3, 6, 5)), np.random.default_rng(1)
    mask = np.arange(6) < [[6], [1], [3]]
    targets = np.where(mask, rng.integers(1, 5, mask.shape), 0)
    metric = keras.metrics.SparseCategoricalAccuracy()
    metric.update_state(targets, logits, sample_weight=mask.astype("float32"))
    assert bug_hunt.token_accuracy.reference_solution(
        logits, targets, mask
    ) == pytest.approx(float(metric.result()))
    perfect = np.eye(5)[targets]
    assert bug_hunt.token_accuracy.reference_solution(perfect, targets, mask) == 1
    assert bug_hunt.token_accuracy.starter(perfect, targets, mask) == pytest.approx(
        10 / 18
    )


def test_final_state_is_that_of_keras_under_a_mask():
    from attnlib.backend import keras

    embedded, w, u = (x.astype("float32") for x in tensors((3, 5, 4), (4, 3), (3, 3)))
    mask = np.arange(5) < [[5], [2], [3]]
    layer = keras.layers.SimpleRNN(3, use_bias=False)
    layer.build(embedded.shape)
    layer.set_weights([w, u])
    expected = layer(embedded, mask=mask).numpy()
    assert_allclose(
        bug_hunt.final_state.reference_solution(embedded, mask, w, u),
        expected,
        atol=1e-5,
    )
    found = bug_hunt.final_state.starter(embedded, mask, w, u)
    assert_allclose(found[0], expected[0], atol=1e-5)
    assert abs(found[1:] - expected[1:]).max() > 0.05


# Those of pairs, windows, and maps


def test_self_attention_weights_are_the_reference_at_words():
    (states,), mask = tensors((3, 5, 4)), np.arange(5) < [[5], [1], [3]]
    _, expected = ref.attend(ref.dot_scores(states, states), states, mask)
    assert_allclose(
        bug_hunt.self_attention_weights.reference_solution(states, mask)[mask],
        expected[mask],
        atol=1e-12,
    )
    found = bug_hunt.self_attention_weights.starter(states, mask)
    assert (found * (mask[:, :, None] & ~mask[:, None])).max() > 0.1


def test_self_attention_weights_leave_rows_of_padding_open():
    def also_none_at_padding(states, mask):
        both = mask[:, :, None] & mask[:, None, :]
        return ref.softmax(states @ states.transpose(0, 2, 1), both)

    assert bug_hunt.self_attention_weights.check(also_none_at_padding).passed


def test_local_context_is_the_reference():
    scores, values = tensors((2, 3, 9), (2, 9, 4))
    centers = np.array([[0.0, 3.7, 8.99], [4.2, 2.0, 6.5]])
    keys = np.zeros((2, 9, 1))
    expected = ref.local_attend(
        scores, keys, values, centers, 2, score=lambda query, keys: query
    )
    equal(
        bug_hunt.local_context.reference_solution(scores, values, centers, 2), expected
    )
    context, weights = bug_hunt.local_context.starter(scores, values, centers, 2)
    assert_allclose(weights, expected[1])
    assert_allclose(
        context,
        bug_hunt.local_context.starter(scores, values, np.floor(centers) + 0.5, 2)[0],
    )


def test_links_find_the_gold_alignment_and_the_faulty_ones_miss_it():
    for pair in dates.pairs(30):
        source, target = pair
        weights = np.full((len(target) + 1, len(source)), 0.01)
        for t, s in pair.possible:
            weights[t, s] = 1
        found = bug_hunt.links.reference_solution(weights, target)
        assert found <= pair.possible and {t for t, _ in found} == set(pair.rows)
        assert len(bug_hunt.links.starter(weights, target) & pair.sure) < len(pair.sure)


def test_heads_attend_is_that_of_keras():
    from attnlib.backend import keras

    query, values = (x.astype("float32") for x in tensors((2, 4, 6), (2, 5, 6)))
    layer = keras.layers.MultiHeadAttention(num_heads=3, key_dim=2, use_bias=False)
    layer.build(query.shape, values.shape)
    identity = np.eye(6, dtype="float32").reshape(6, 3, 2)
    layer.set_weights([identity, identity, identity, identity.transpose(1, 2, 0)])
    expected = layer(query, values, return_attention_scores=True)
    for one, other in zip(
        bug_hunt.heads_attend.reference_solution(query, values, values, 3),
        expected,
        strict=True,
    ):
        assert_allclose(one, other, atol=1e-5)


def test_heads_attend_faulty_is_not_seen_by_a_check_that_saturates():
    keys = 30 * np.eye(4)[None]
    for attend in (
        bug_hunt.heads_attend.reference_solution,
        bug_hunt.heads_attend.starter,
    ):
        context, weights = attend(keys, keys, keys, 1)
        assert_allclose(weights[0, 0], np.eye(4), atol=1e-12)
        assert_allclose(context, keys, atol=1e-12)


# The bugs of Transformers, of losses, and of numbers


def test_attend_in_heads_is_that_of_keras():
    from attnlib.backend import keras

    (x,) = (x.astype("float32") for x in tensors((2, 5, 6)))
    layer = keras.layers.MultiHeadAttention(num_heads=3, key_dim=2, use_bias=False)
    layer.build(x.shape, x.shape)
    identity = np.eye(6, dtype="float32").reshape(6, 3, 2)
    layer.set_weights([identity, identity, identity, identity.transpose(1, 2, 0)])
    found = bug_hunt.attend_in_heads.reference_solution(x, 3)
    assert_allclose(found, layer(x, x), atol=1e-5)
    order = [3, 0, 4, 1, 2]
    shuffled = bug_hunt.attend_in_heads.reference_solution(x[:, order], 3)
    assert_allclose(shuffled, found[:, order], atol=1e-6)
    faulty = bug_hunt.attend_in_heads.starter
    assert abs(faulty(x[:, order], 3) - faulty(x, 3)[:, order]).max() > 0.1
    assert_allclose(
        faulty(x, 1), bug_hunt.attend_in_heads.reference_solution(x, 1), atol=1e-6
    )


def test_masked_head_weights_are_those_of_each_sentence_alone():
    (scores,), mask = tensors((3, 3, 2, 5)), np.arange(5) < [[5], [2], [0]]
    found = bug_hunt.masked_head_weights.reference_solution(scores, mask)
    for b, n in enumerate((5, 2, 0)):
        assert_allclose(found[b, :, :, :n], ref.softmax(scores[b, :, :, :n]))
        assert not found[b, :, :, n:].any()
    faulty = bug_hunt.masked_head_weights.starter
    assert_allclose(faulty(scores[1:2], mask[1:2]), found[1:2])
    assert abs(faulty(scores, mask) - found).max() > 0.1
    with pytest.raises(ValueError, match="broadcast"):
        faulty(scores[:2], mask[:2])


def test_ported_attend_ignores_what_either_mask_says():
    query, keys, values = tensors((2, 3, 4), (2, 5, 4), (2, 5, 2))
    padding = np.arange(5) >= [[5], [4]]
    blocked = np.arange(5) > [[0], [2], [4]]
    context, weights = bug_hunt.ported_attend.reference_solution(
        query, keys, values, padding, blocked
    )
    for b in range(2):
        for t in range(3):
            allowed = [s for s in range(5) if not padding[b, s] and not blocked[t, s]]
            expected = np.exp(keys[b, allowed] @ query[b, t] / 2)
            expected = expected / expected.sum()
            assert_allclose(weights[b, t, allowed], expected)
            assert_allclose(context[b, t], expected @ values[b, allowed])
            assert np.count_nonzero(weights[b, t]) == len(allowed)
    x, later = query[:, :3], ~np.tri(3, dtype=bool)
    no_padding = np.zeros((2, 3), bool)
    context, weights = bug_hunt.ported_attend.starter(x, x, x, no_padding, later)
    assert not np.tril(weights).any() and not context[:, -1].any()


def test_next_token_loss_is_that_of_keras_on_shifted_targets():
    from attnlib.backend import keras

    (logits,), rng = tensors((3, 6, 5)), np.random.default_rng(1)
    token_ids, mask = rng.integers(5, size=(3, 6)), np.arange(6) < [[6], [1], [4]]
    nats = keras.losses.sparse_categorical_crossentropy(
        token_ids[:, 1:], logits[:, :-1].astype("float32"), from_logits=True
    ).numpy()
    expected = nats[mask[:, 1:]].mean()
    found = bug_hunt.next_token_loss.reference_solution(logits, token_ids, mask)
    assert found == pytest.approx(expected, abs=1e-5)
    copied = 50 * np.eye(5)[token_ids]
    assert bug_hunt.next_token_loss.starter(copied, token_ids, mask) < 1e-9
    assert bug_hunt.next_token_loss.reference_solution(copied, token_ids, mask) > 20
    ahead = 50 * np.eye(5)[np.roll(token_ids, -1, axis=1)]
    assert bug_hunt.next_token_loss.reference_solution(ahead, token_ids, mask) < 1e-9


def test_cross_entropy_is_that_of_keras_and_the_faulty_one_applies_a_softmax_twice():
    from attnlib.backend import keras

    (logits,), rng = tensors((3, 6, 10)), np.random.default_rng(1)
    targets, mask = rng.integers(10, size=(3, 6)), np.arange(6) < [[6], [1], [4]]
    loss = keras.losses.sparse_categorical_crossentropy
    for function, given in (
        (bug_hunt.cross_entropy.reference_solution, logits),
        (bug_hunt.cross_entropy.starter, ref.softmax(logits)),
    ):
        nats = loss(targets, given.astype("float32"), from_logits=True).numpy()
        found = function(logits, targets, mask)
        assert found == pytest.approx(nats[mask].mean(), abs=1e-5)
    certain = 60 * np.eye(10)[targets]
    assert bug_hunt.cross_entropy.reference_solution(certain, targets, mask) < 1e-9
    found = bug_hunt.cross_entropy.starter(certain, targets, mask)
    assert found == pytest.approx(np.log(np.e + 9) - 1)


def test_softmax_gradient_is_the_finite_difference():
    scores, upstream = tensors((4, 5), (4, 5))
    mask = np.arange(5) < [[5], [3], [0], [1]]
    weights, gradient = bug_hunt.softmax_gradient.reference_solution(
        scores, mask, upstream
    )
    assert_allclose(weights, ref.softmax(scores, mask))
    for t, s in np.ndindex(scores.shape):
        sums = []
        for step in (1e-5, -1e-5):
            moved = scores.copy()
            moved[t, s] += step
            sums.append((ref.softmax(moved, mask) * upstream).sum())
        slope = (sums[0] - sums[1]) / 2e-5
        assert gradient[t, s] == pytest.approx(slope, abs=1e-8)
    weights, gradient = bug_hunt.softmax_gradient.starter(scores, mask, upstream)
    assert np.isfinite(weights).all()
    assert np.isnan(gradient[2]).all() and np.isfinite(gradient[[0, 1, 3]]).all()


def test_softmax_gradient_is_faulty_as_automatic_differentiation_is():
    from attnlib.backend import tf

    mask = np.array([[True, True], [False, False]])
    upstream = np.array([[1.0, 2.0], [3.0, 4.0]])
    scores = tf.Variable([[0.5, 1.0], [2.0, 1.0]], dtype=tf.float64)
    with tf.GradientTape() as tape:
        softmax = tf.nn.softmax(scores + np.where(mask, 0, -np.inf))
        repaired = tf.where(mask, softmax, 0.0)
        loss = tf.reduce_sum(repaired * upstream)
    expected = repaired.numpy(), tape.gradient(loss, scores).numpy()
    found = bug_hunt.softmax_gradient.starter(scores.numpy(), mask, upstream)
    equal(found, expected)  # NaN in the same places
    assert np.isnan(expected[1][1]).all()


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_half_precision_weights_are_finite_in_every_precision(dtype):
    (scores,), mask = tensors((2, 3, 5)), np.arange(5) < [[3], [0]]
    scores = scores.astype(dtype)
    found = bug_hunt.half_precision_weights.reference_solution(scores, mask)
    expected = ref.softmax(scores[0, :, :3].astype("float64"))
    assert_allclose(found[0, :, :3], expected, atol=2e-3)
    assert not found[1].any() and not found[0, :, 3:].any()
    faulty = bug_hunt.half_precision_weights.starter(scores, mask)
    assert np.isnan(faulty[0]).all() == (dtype == "float16")


def softmax_in_half_precision(scores, mask):
    """As one writes it for float16, in which everything is computed."""
    words = mask[:, None, :]
    largest = np.max(scores, axis=-1, keepdims=True, where=words, initial=-60_000)
    shifted = np.where(words, scores - largest, -np.inf)
    exponentials = np.exp(shifted)
    total = exponentials.sum(axis=-1, keepdims=True)
    return exponentials / np.where(total == 0, total.dtype.type(1), total)


def test_half_precision_weights_may_be_in_half_precision():
    half = np.ones((1, 1, 3), "float16")
    result = softmax_in_half_precision(half, np.array([[True] * 3]))
    assert result.dtype == np.float16
    assert bug_hunt.half_precision_weights.check(softmax_in_half_precision).passed


# Other attempts: wrong ones are refused, and those of a known kind by name


def said(bug, submission):
    """What a check says in one line, after the name of the exercise."""
    result = bug.check(submission)
    assert result.attempted and not result.passed, result
    return result.message.removeprefix(f"Not yet: {bug.name}.\n").replace("\n", " ")


def normalized(exponentials, axis=-1):
    return exponentials / exponentials.sum(axis=axis, keepdims=True)


def pooled(values, w, v, weights_of):
    weights = weights_of((np.tanh(values @ w) @ v)[..., 0])  # (batch, source_len)
    return np.einsum("bs,bsd->bd", weights, values), weights


def attended(query, keys, values, weights_of):
    weights = weights_of(query @ keys.transpose(0, 2, 1))
    return weights @ values, weights


def of_whole_array(scores):
    return normalized(np.exp(scores - scores.max()))


SOFTMAX_MISTAKES = [
    (lambda s: normalized(np.exp(s)), OVERFLOWS),
    (lambda s: np.exp(s) / np.exp(s).sum(-1)[..., None], OVERFLOWS),
    (of_whole_array, "You subtract one maximum from all rows"),
    (lambda s: normalized(np.exp2(s - s.max(-1)[..., None])), "You take powers of 2."),
    (lambda s: np.exp(s - s.max(-1)[..., None]), "You do not divide by the sum"),
    (lambda s: normalized(s), "exp is missing"),
    (lambda s: normalized(np.exp(s - s.mean(-1)[..., None])), "context"),
]


@pytest.mark.parametrize(("weights_of", "message"), SOFTMAX_MISTAKES)
def test_pool_and_dot_attend_refuse_wrong_softmaxes(weights_of, message):
    assert said(
        bug_hunt.pool, lambda values, w, v: pooled(values, w, v, weights_of)
    ).startswith(message)
    assert said(
        bug_hunt.dot_attend,
        lambda query, keys, values: attended(query, keys, values, weights_of),
    ).startswith(message)


def local(scores, values, centers, half_width, weights_of, gaussian=True):
    """Local attention with weights_of(scores, window), query by query."""
    positions, weights = np.arange(scores.shape[-1]), np.zeros(scores.shape)
    for b, t in np.ndindex(centers.shape):
        middle = np.floor(centers[b, t])
        window = (positions >= middle - half_width) & (positions <= middle + half_width)
        row = weights_of(scores[b, t][None], window[None])[0]
        distance = (positions - centers[b, t]) * 2 / half_width
        weights[b, t] = row * np.exp(-(distance**2) / 2) if gaussian else row
    return weights @ values, weights


def without_maximum(scores, window):
    return np.where(window, np.exp(scores), 0) / np.maximum(
        np.where(window, np.exp(scores), 0).sum(-1)[:, None], 1e-300
    )


@pytest.mark.parametrize(
    ("weights_of", "message"),
    [
        (without_maximum, OVERFLOWS),
        (lambda s, m: ref.softmax(s * np.log(2), m), "You take powers of 2."),
        (
            lambda s, m: normalized(
                np.exp(np.where(m, s - s[m].max(initial=-9e9), -np.inf))
            ),
            "With nothing to attend to, the row is 0 / 0",
        ),
        (
            lambda s, m: ref.softmax(np.where(m, s, -1e9)),
            "In a window without words, one number everywhere gives equal weights",
        ),
        (lambda s, m: ref.softmax(s), "Your softmax runs over the whole sentence."),
        (
            lambda s, m: np.where(m, ref.softmax(s), 0),
            "Your softmax runs over the whole sentence.",
        ),
        (lambda s, m: ref.softmax(s * m), "You multiply the scores by the window."),
        (
            lambda s, m: ref.softmax(s) * m / max((ref.softmax(s) * m).sum(), 1e-300),
            "A score outside the window has a part",
        ),
        (
            lambda s, m: np.exp(s - s.max()) * m / (np.exp(s - s.max()) * m).sum(),
            "A score outside the window has a part",
        ),
        (
            lambda s, m: np.nan_to_num(normalized(ref.softmax(s) * m)),
            "A score outside the window has a part",
        ),
    ],
)
def test_local_context_refuses_wrong_softmaxes(weights_of, message):
    assert said(
        bug_hunt.local_context,
        lambda scores, values, centers, half_width: local(
            scores, values, centers, half_width, weights_of
        ),
    ).startswith(message)


def of_heads(query, keys, values, heads, weights_of=ref.softmax, scale=None):
    """Attention head by head; the scores are divided by the root of the head's width,
    or by ``scale``.
    """
    width = query.shape[-1] // heads
    contexts, weights = [], []
    for h in range(heads):
        q, k, v = (x[..., h * width : (h + 1) * width] for x in (query, keys, values))
        weights.append(weights_of(q @ k.swapaxes(1, 2) / (scale or width**0.5)))
        contexts.append(weights[-1] @ v)
    return np.concatenate(contexts, axis=-1), np.stack(weights, axis=1)


@pytest.mark.parametrize(("weights_of", "message"), SOFTMAX_MISTAKES[1:2])
def test_heads_attend_refuses_a_softmax_without_its_maximum(weights_of, message):
    assert said(
        bug_hunt.heads_attend,
        lambda query, keys, values, heads: of_heads(
            query, keys, values, heads, weights_of
        ),
    ).startswith(message)


@pytest.mark.parametrize(
    ("scale", "message"),
    [
        (
            lambda q, k, heads: q.shape[-1] ** 0.5,
            "You divide by the square root of the d",
        ),
        (
            lambda q, k, heads: q.shape[-1] / heads,
            "You divide by the dimension, not by",
        ),
        (lambda q, k, heads: heads**0.5, "You divide by the square root of the number"),
        (
            lambda q, k, heads: k.shape[1] ** 0.5,
            "You divide by the square root of the source length. "
            "Use the dimension of one head",
        ),
        (lambda q, k, heads: 1, "The bug is still there."),
        (lambda q, k, heads: 2**0.5, "context"),
        (
            lambda q, k, heads: q.shape[1] ** 0.5,
            "You divide by the square root of the t",
        ),
    ],
)
def test_heads_attend_refuses_wrong_scales(scale, message):
    assert said(
        bug_hunt.heads_attend,
        lambda query, keys, values, heads: of_heads(
            query, keys, values, heads, scale=scale(query, keys, heads)
        ),
    ).startswith(message)


def counted(mask):
    """A mask of as many words, all of them at the front."""
    return np.arange(mask.shape[-1]) < mask.sum(axis=-1, keepdims=True)


def exponentials_of_words(scores, mask):
    return normalized(np.exp(scores - scores.max(-1)[..., None]) * mask[:, None])


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (
            lambda s, m: ref.softmax(s + np.where(m, 0, -1e9)[:, None]),
            bug_hunt.ADDED_TO_WORDS,
        ),
        (
            lambda s, m: ref.softmax(s - 1e9 * (1 - m[:, None])),
            bug_hunt.ADDED_TO_WORDS,
        ),
        (
            lambda s, m: ref.softmax(s + np.where(m, 0, -np.inf)[:, None]),
            bug_hunt.ADDED_TO_WORDS,
        ),
        (
            lambda s, m: ref.softmax(np.where(m[:, None], s, -100)),
            "The number you write at padding is not small enough",
        ),
        (
            lambda s, m: ref.softmax(np.where(m[:, None], s, -5.0)),
            "The number you write at padding is not small enough",
        ),
        (exponentials_of_words, "The maximum you subtract may be that of a padded"),
        (lambda s, m: ref.softmax(s, counted(m)[:, None]), COUNTED_FROM_THE_FRONT),
        (
            lambda s, m: normalized(
                np.where(m[:, None], np.exp(s - np.nanmax(s, -1)[..., None]), 0)
            ),
            "The maximum you subtract may be that of a padded",
        ),
        (lambda s, m: ref.softmax(np.where(m[:, None], s, 0)), "At padding you write"),
        (
            lambda s, m: ref.softmax(np.where(m[:, None], s, -1e-9)),
            "At padding you write",
        ),
        (
            lambda s, m: ref.softmax(
                np.where(m[:, None], s, -1e9).swapaxes(1, 2)
            ).swapaxes(1, 2),
            "Your weights sum to one over the queries.",
        ),
        (
            lambda s, m: normalized(
                np.exp(np.minimum(np.where(m[:, None], s, -np.inf), 700))
            ),
            "The result",
        ),
        (lambda s, m: ref.softmax(s, m), "Your mask is on the wrong axes"),
        (lambda s, m: ref.softmax(s, m[..., None]), "Your mask is on the wrong axes"),
        (
            lambda s, m: np.exp(np.where(m[..., None], s, -np.inf)),
            "The result should have shape",
        ),
        (lambda s, m: ref.softmax(s) * m[:, None], "You set padding to zero after"),
        (lambda s, m: ref.softmax(s), "Your function ignores the mask"),
        (lambda s, m: ref.softmax(s, ~m[:, None]), "Your mask is inverted"),
        (lambda s, m: ref.softmax(s - 1e-9 * ~m[:, None]), "Your function ignores the"),
        (
            lambda s, m: ref.softmax(s * m[:, None]) * m[:, None],
            "Padding has weight 0 now, but the weight it had is lost: it still takes",
        ),
        (
            lambda s, m: ref.softmax(np.einsum("bts,bs->bts", s, m)),
            "The bug is still there.",
        ),
        (
            lambda s, m: normalized(np.where(m[:, None], np.exp(s), 0)),
            OVERFLOWS,
        ),
    ],
)
def test_masked_weights_refuse_wrong_masks(attempt, message):
    assert said(
        bug_hunt.masked_weights, lambda scores, mask: attempt(scores, mask)
    ).startswith(message)


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (
            lambda right, targets, mask: (
                (right & (targets != 0)).sum() / (targets != 0).sum()
            ),
            "You take every target above 0 for a word.",
        ),
        (
            lambda right, targets, mask: (
                (right & mask).sum() / np.count_nonzero(targets)
            ),
            "You take every target above 0 for a word.",
        ),
        (
            lambda right, targets, mask: (right | ~mask).all(axis=-1).mean(),
            "You count the sentences that are correct",
        ),
        (
            lambda right, targets, mask: np.mean(
                [
                    r[m].mean() if m.any() else 0
                    for r, m in zip(right, mask, strict=True)
                ]
            ),
            "You average the accuracies of the sentences",
        ),
        (
            lambda right, targets, mask: right.mean(),
            "Padding counts as correct wherever",
        ),
        (
            lambda right, targets, mask: np.where(mask, right, 1).mean(),
            "Every padded position counts as correct now",
        ),
        (
            lambda right, targets, mask: (right * mask).sum() / len(right),
            "You divide by the number of sentences",
        ),
        (
            lambda right, targets, mask: right[counted(mask)].mean(),
            COUNTED_FROM_THE_FRONT,
        ),
        (
            lambda right, targets, mask: (
                (right & mask).sum(1) / mask.sum(axis=1)
            ).mean(),
            "You average the accuracies of the sentences",
        ),
        (
            lambda right, targets, mask: np.mean(
                [r[m].mean() for r, m in zip(right, mask, strict=True) if m.any()]
            ),
            "You average the accuracies of the sentences",
        ),
        (
            lambda right, targets, mask: right.sum() / np.count_nonzero(mask),
            "You divide by the number of words now, but padding",
        ),
        (
            lambda right, targets, mask: np.where(mask, right, 1).sum() / mask.sum(),
            "You divide by the number of words now, but padding",
        ),
        (
            lambda right, targets, mask: (
                right[mask & (targets != 0)].sum() / (mask & (targets != 0)).sum()
            ),
            "You take every target above 0 for a word.",
        ),
        (
            lambda right, targets, mask: right[~mask].sum() / (~mask).sum(),
            "The positions that you leave out are the words",
        ),
        (
            lambda right, targets, mask: np.where(mask, right, 0).mean(),
            "The bug is sti",
        ),
        (lambda right, targets, mask: (~right)[mask].mean(), "This is the fraction of"),
        (lambda right, targets, mask: right[mask].sum(), "This is the number of"),
        (lambda right, targets, mask: right[mask].mean() ** 2, "The result"),
    ],
)
def test_token_accuracy_refuses_wrong_answers(attempt, message):
    assert said(
        bug_hunt.token_accuracy,
        lambda logits, targets, mask: float(
            attempt(np.argmax(logits, axis=2) == targets, targets, mask)
        ),
    ).startswith(message)


def states_of(embedded, w, u, step=np.tanh):
    """The state after every position, whatever stands there: (batch, length, units)."""
    states = [np.zeros((len(embedded), len(u)))]
    for x in embedded.swapaxes(0, 1):
        states.append(step(x @ w + states[-1] @ u))
    return np.stack(states[1:], axis=1)


def last_of(states, index):
    return states[np.arange(len(states)), index]


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (
            lambda x, m, w, u: (
                last_of(states_of(x, w, u, lambda s: s), m.sum(1) - 1)
                * m.any(1)[:, None]
            ),
            "The tanh is gone",
        ),
        (
            lambda x, m, w, u: states_of(x * m[..., None], w, u)[:, -1],
            "The bug is still there.",
        ),
        (
            lambda x, m, w, u: states_of(x, w, u)[:, -1],
            "Now the inputs at padding have",
        ),
        (
            lambda x, m, w, u: last_of(states_of(x, w, u), m.sum(1) - 1),
            "Where a sentence has no words, its last word has the index -1",
        ),
        (
            lambda x, m, w, u: last_of(
                states_of(x, w, u), np.minimum(m.sum(1), m.shape[1] - 1)
            ),
            "You take the state one step too late",
        ),
        (
            lambda x, m, w, u: (
                last_of(states_of(x, w, u), np.maximum(m.sum(1) - 2, 0))
                * (m.sum(1) > 1)[:, None]
            ),
            "You take the state one step too early",
        ),
        (
            lambda x, m, w, u: state_in_a_loop(x, m, w, u.swapaxes(0, 1)),
            "u is transposed",
        ),
        (
            lambda x, m, w, u: state_in_a_loop(x, ~m, w, u),
            "Your mask is inverted: the state stays as it was at words",
        ),
        (
            lambda x, m, w, u: states_of(x, w, u)[:, -1] * m[:, -1:],
            "Now a padded sentence has a final state of zeros.",
        ),
        (
            lambda x, m, w, u: last_of(states_of(x, w, u), m.shape[1] - 1),
            "Now the inputs at padding have",
        ),
        (
            lambda x, m, w, u: (
                last_of(states_of(x, w, u, np.sin), m.sum(1) - 1) * m.any(1)[:, None]
            ),
            "The result",
        ),
    ],
)
def test_final_state_refuses_wrong_answers(attempt, message):
    assert said(
        bug_hunt.final_state, lambda embedded, mask, w, u: attempt(embedded, mask, w, u)
    ).startswith(message)


def among_words(weights_of):
    """weights_of(scores, mask) of the dot scores between the states."""

    def attempt(states, mask):
        return weights_of(np.einsum("btd,bsd->bts", states, states), mask)

    return attempt


@pytest.mark.parametrize(
    ("weights_of", "message"),
    [
        (
            lambda s, m: ref.softmax(np.where(m[:, :, None], s, -1e9)),
            "Now the rows of padded positions are masked.",
        ),
        (
            lambda s, m: ref.softmax(s, m[:, :, None]),
            "Now the rows of padded positions are masked.",
        ),
        (lambda s, m: ref.softmax(s), "The mask has no effect"),
        (lambda s, m: ref.softmax(s - 1e9 * ~m[:, :, None]), "The mask has no effect"),
        (
            lambda s, m: ref.softmax(np.where(m[:, None] | m[:, :, None], s, -1e9)),
            "The bug is still there.",
        ),
        (lambda s, m: ref.softmax(s, ~m[:, None]), "Words attend only to padding now"),
        (
            lambda s, m: ref.softmax(s, ~(m[:, None] & m[:, :, None])),
            "Words attend only to padding now",
        ),
        (lambda s, m: ref.softmax(s) * m[:, None], "You set padding to zero after the"),
        (
            lambda s, m: ref.softmax(s * m[:, None]),
            TIMES_SCORES,
        ),
        (
            lambda s, m: ref.softmax(s - 100 * ~m[:, None]),
            "The number that you subtract at padding is not large enough",
        ),
        (
            lambda s, m: normalized(np.where(m[:, None], np.exp(s), 0)),
            OVERFLOWS,
        ),
        (
            lambda s, m: ref.softmax(s, counted(m)[:, None]),
            COUNTED_FROM_THE_FRONT,
        ),
        (
            lambda s, m: ref.softmax(s, ~(m[:, None] | m[:, :, None])),
            "You pass the pairs that should be left out: the ~ is missing.",
        ),
        (
            lambda s, m: ref.softmax(s + np.where(m, 0, -1e4)[:, None]),
            "The number that you subtract at padding is not large enough",
        ),
        (
            lambda s, m: ref.softmax(s - 1e5 * ~m[:, None]),
            "The number that you subtract at padding is not large enough",
        ),
        (
            lambda s, m: ref.softmax(s + -1e6 * (1 - m[:, None])),
            "The number that you subtract at padding is not large enough",
        ),
        (
            lambda s, m: ref.softmax(s, m[:, None] & ~np.eye(s.shape[1], dtype=bool)),
            "A word no longer attends to itself.",
        ),
        (
            lambda s, m: ref.softmax(s, m[:, None] & np.tri(s.shape[1], dtype=bool)),
            "Words attend only to themselves and to the words before them",
        ),
        (
            lambda s, m: ref.softmax(s.swapaxes(1, 2), m[:, :, None]).swapaxes(1, 2),
            "Your weights sum to one over the queries, not over the keys.",
        ),
    ],
)
def test_self_attention_weights_refuse_wrong_masks(weights_of, message):
    assert said(
        bug_hunt.self_attention_weights,
        lambda states, mask: among_words(weights_of)(states, mask),
    ).startswith(message)


def linked(
    weights, target, gets_one=lambda character: character != "-", row=0, first=0
):
    found = set()
    for t in range(len(target)):
        if gets_one(target[t]):
            found.add((t + first, int(np.argmax(weights[t + row]))))
    return found


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (lambda w, t: linked(w, t, str.isalnum), "Only the hyphen is left out."),
        (lambda w, t: linked(w, t, str.isdigit), "Only the hyphen is left out."),
        (lambda w, t: linked(w, t, lambda c: c.strip("-/. ")), "The result"),
        (lambda w, t: linked(w, t, lambda c: c not in "- "), "Only the hyphen is left"),
        (
            lambda w, t: {(t + 1, s + 1) for t, s in linked(w, t)},
            "You count from 1. Both",
        ),
        (lambda w, t: linked(w, [c for c in t if c != "-"]), "You drop the hyphens"),
        (
            lambda w, t: set(enumerate(s for _, s in sorted(linked(w, t)))),
            "You number the characters without the hyphens.",
        ),
        (
            lambda w, t: {(float(t), float(s)) for t, s in linked(w, t)},
            "A link should be a pair of integers, got floats.",
        ),
        (
            lambda w, t: {(t, np.float32(s)) for t, s in linked(w, t)},
            "A link should be a pair of integers, got floats.",
        ),
        (lambda w, t: linked(w, t, row=1, first=1), "You count the steps from 1"),
        (
            lambda w, t: linked(w, t, first=1),
            "The rows of the weights are right now, but",
        ),
        (lambda w, t: linked(w, t, row=-1), "You shifted the rows the other way"),
        (lambda w, t: linked(w, t, row=1), "The bug is still there."),
        (lambda w, t: linked(w, t, lambda c: True), "The rows are right, but hyphens"),
        (lambda w, t: {(s, t) for t, s in linked(w, t)}, "Your links are swapped"),
        (
            lambda w, t: {
                (t.index(c), int(w[t.index(c)].argmax())) for c in t if c != "-"
            },
            "The result",
        ),
    ],
)
def test_links_refuse_wrong_answers(attempt, message):
    assert said(
        bug_hunt.links, lambda weights, target: attempt(weights, target)
    ).startswith(message)


def local_in_one_piece(place=np.floor, width=1.0, scale=2.0, less=0, finish=None):
    """Local attention in another spelling, with one change."""

    def attempt(scores, values, centers, half_width):
        positions = np.arange(scores.shape[2])
        inside = abs(positions - place(centers)[..., None]) <= half_width - less
        distance = (positions - centers[..., None]) / (width * half_width)
        weights = ref.softmax(scores, inside) * np.exp(-scale * distance**2)
        weights = weights if finish is None else finish(weights)
        return weights @ values, weights

    return attempt


def summing_to_one(weights):
    total = weights.sum(-1, keepdims=True)
    return weights / np.where(total == 0, 1, total)


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (local_in_one_piece(less=1), "Your window leaves out its two ends."),
        (local_in_one_piece(lambda p: p), "Your window lies around p."),
        (local_in_one_piece(np.rint), "Your window lies around p rounded."),
        (local_in_one_piece(lambda p: p.astype(int)), "int rounds toward zero"),
        (local_in_one_piece(np.fix), "int rounds toward zero"),
        (local_in_one_piece(width=2), "Sigma is D / 2."),
        (local_in_one_piece(finish=summing_to_one), "Your weights sum to one in each"),
        (local_in_one_piece(finish=normalized), "Your weights sum to one in each"),
        (local_in_one_piece(scale=4.0), "2 is missing in the denominator"),
        (local_in_one_piece(scale=1.0), "You square 2 along with sigma"),
        (local_in_one_piece(scale=-2.0), "The minus sign is missing"),
        (local_in_one_piece(scale=1.5), "context"),
        (local_in_one_piece(np.ceil), "context"),
    ],
)
def test_local_context_names_frequent_mistakes(attempt, message):
    assert said(
        bug_hunt.local_context,
        lambda scores, values, centers, half_width: attempt(
            scores, values, centers, half_width
        ),
    ).startswith(message)


def test_local_context_names_a_gaussian_without_its_parentheses():
    def attempt(scores, values, centers, half_width):
        context, weights = local_in_one_piece(scale=0)(
            scores, values, centers, half_width
        )
        distance = np.arange(scores.shape[2]) - centers[..., None]
        weights = weights * np.exp(-(distance**2) * (half_width / 2) ** 2 / 2)
        return weights @ values, weights

    assert said(bug_hunt.local_context, attempt).startswith("Parentheses are missing")


def test_local_context_names_a_gaussian_inside_the_softmax():
    def attempt(scores, values, centers, half_width):
        positions = np.arange(scores.shape[2])
        inside = abs(positions - np.floor(centers)[..., None]) <= half_width
        distance = (positions - centers[..., None]) / half_width
        weights = ref.softmax(scores - 2 * distance**2, inside)
        return weights @ values, weights

    message = said(bug_hunt.local_context, attempt)
    assert message.startswith("Your weights sum to one in each window")


def heads_of(split, merge):
    """Heads by split(x, heads), put together by merge(context, like)."""

    def attempt(query, keys, values, heads):
        q, k, v = (split(x, heads) for x in (query, keys, values))
        weights = ref.softmax(q @ k.swapaxes(2, 3) / np.sqrt(k.shape[3]))
        return merge(weights @ v, query), weights

    return attempt


def columns_side_by_side(x, heads):
    return np.stack(np.split(x, heads, axis=2), axis=1)


def reshaped(context, like):
    return context.reshape(like.shape)


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (heads_of(columns_side_by_side, reshaped), "You put the heads together"),
        (
            heads_of(
                lambda x, heads: np.stack([x[..., h::heads] for h in range(heads)], 1),
                lambda context, like: context.transpose(0, 2, 3, 1).reshape(like.shape),
            ),
            "Your heads are interleaved",
        ),
        (
            heads_of(
                lambda x, heads: x.reshape(len(x), heads, x.shape[1], -1), reshaped
            ),
            "Your reshape mixes positions",
        ),
        (
            heads_of(columns_side_by_side, lambda c, like: np.hstack([*c])),
            "context should have shape",
        ),
    ],
)
def test_heads_attend_names_wrong_heads(attempt, message):
    assert said(
        bug_hunt.heads_attend,
        lambda query, keys, values, heads: attempt(query, keys, values, heads),
    ).startswith(message)


def test_pool_names_a_sum_over_one_number_and_a_missing_tanh():
    def half_fixed(values, w, v):
        scores = (np.tanh(values @ w) @ v)[:, :, 0]
        exponentials = np.exp(scores - scores.max(1)[:, None])
        weights = exponentials / exponentials
        return np.einsum("bs,bsd->bd", weights, values), weights

    def without_tanh(values, w, v):
        weights = ref.softmax((values @ (w @ v))[:, :, 0])
        return np.einsum("bs,bsd->bd", weights, values), weights

    assert said(bug_hunt.pool, half_fixed).startswith("The maximum runs over the words")
    assert said(bug_hunt.pool, without_tanh).startswith("The tanh is gone")


def pool_of(max_axis, sum_axis):
    """The faulty code with other axes of the maximum and of the sum."""

    def attempt(values, w, v):
        scores = np.einsum("bsu,uo->bso", np.tanh(values @ w), v)
        exponentials = np.exp(scores - np.max(scores, max_axis, keepdims=True))
        weights = exponentials / np.sum(exponentials, sum_axis, keepdims=True)
        return np.einsum("bso,bsd->bd", weights, values), weights.squeeze(axis=2)

    return attempt


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ((2, 0), "The maximum or the sum runs over the batch, axis 0."),
        ((0, 2), "The maximum or the sum runs over the batch, axis 0."),
        ((0, 1), "The maximum or the sum runs over the batch, axis 0."),
        ((1, 0), "The maximum or the sum runs over the batch, axis 0."),
        ((0, 0), "Your weights sum to one over the batch"),
        ((2, None), "Your weights sum to one over all sentences together."),
        ((1, None), "Your weights sum to one over all sentences together."),
        ((2, 1), "Now every word has the same weight."),
        (((0, 2), 1), "The maximum or the sum runs over the batch, axis 0."),
        (((0, 1), 1), "You subtract one maximum from all rows"),
        (((0, 1), 2), "context"),
    ],
)
def test_pool_names_other_axes(axes, message):
    assert said(bug_hunt.pool, pool_of(*axes)).startswith(message)


@pytest.mark.parametrize(
    ("context_of", "message"),
    [
        (np.matmul, "A weight (batch, source_len) belongs to a whole word."),
        (
            lambda w, h: np.expand_dims(w, 1) @ h,
            "Your context still has an axis of length 1",
        ),
        (
            lambda w, h: np.einsum("bs,bsd->bsd", w, h),
            "You multiply each word by its weight",
        ),
        (lambda w, h: (w @ h)[:, 0], "context"),
    ],
)
def test_pool_names_a_context_of_another_shape(context_of, message):
    def attempt(values, w, v):
        weights = ref.softmax((np.tanh(values @ w) @ v)[..., 0])
        return context_of(weights, values), weights

    assert said(bug_hunt.pool, attempt).startswith(message)


def test_pool_names_weights_with_an_axis_more():
    def attempt(values, w, v):
        context, weights = pooled(values, w, v, ref.softmax)
        return context, weights[..., np.newaxis]

    assert said(bug_hunt.pool, attempt).startswith("Your weights still have their last")


def test_self_attention_weights_name_a_mask_without_its_axis():
    def attempt(states, mask):
        return ref.softmax(np.einsum("btd,bsd->bts", states, states), mask)

    message = said(bug_hunt.self_attention_weights, attempt)
    assert message.startswith("Your mask is on the wrong axes")


def test_dot_attend_names_scaled_scores():
    def scaled(query, keys, values):
        return ref.attend(ref.dot_scores(query, keys / keys.shape[2] ** 0.5), values)

    message = said(bug_hunt.dot_attend, scaled)
    assert message.startswith("You divide the scores by the square root")


def test_texts_say_that_there_is_no_scale():
    for bug in (bug_hunt.dot_attend, bug_hunt.self_attention_weights):
        assert "there is no scale" in bug.__doc__


def in_columns(x, heads, merge=lambda parts: np.concatenate(parts, axis=-1), scale=1):
    """Self-attention in heads, each from its columns."""
    parts = []
    for columns in np.split(x, heads, axis=-1):
        scores = columns @ columns.swapaxes(1, 2) / np.sqrt(scale * columns.shape[-1])
        parts.append(ref.softmax(scores) @ columns)
    return merge(parts)


def by_words(x, heads):
    """The starter code in another spelling."""
    words = x.reshape(len(x) * heads, x.shape[1], -1)
    scores = words @ words.swapaxes(1, 2) / np.sqrt(words.shape[-1])
    return (ref.softmax(scores) @ words).reshape(x.shape)


def nats_of(logits, token_ids):
    picked = np.take_along_axis(logits, token_ids[..., None], -1)[..., 0]
    largest = logits.max(-1)
    total = np.log(np.exp(logits - largest[..., None]).sum(-1))
    return total + largest - picked


def both(softmax, upstream):
    mean = (softmax * upstream).sum(-1, keepdims=True)
    return softmax, softmax * (upstream - mean)


def repaired(softmax, mask, upstream):
    """Zeros in the weights alone."""
    weights = np.where(mask, softmax, 0)
    mean = (weights * upstream).sum(-1, keepdims=True)
    return weights, softmax * (upstream - mean)


def single_softmax(scores):
    """A softmax as a reader writes it."""
    with np.errstate(all="ignore"):
        exponentials = np.exp(scores - scores.max(axis=-1, keepdims=True))
        return exponentials / exponentials.sum(axis=-1, keepdims=True)


def test_added_to_words_does_not_speak_of_sentences_without_words():
    message = said(
        bug_hunt.masked_weights,
        lambda s, m: single_softmax(s + (1 - m[:, None]) * -1e9),
    )
    assert "padding alone" not in message and "larger, infinite, or NaN" in message


@pytest.mark.parametrize(
    ("bug", "attempt", "message"),
    [
        (bug_hunt.attend_in_heads, by_words, "The bug is still there."),
        (
            bug_hunt.attend_in_heads,
            lambda x, heads: in_columns(x, heads, lambda p: np.stack(p, 1)).reshape(
                x.shape
            ),
            "The heads are split correctly now",
        ),
        (
            bug_hunt.attend_in_heads,
            lambda x, heads: in_columns(x, heads, scale=heads),
            "You divide by the square root of the dimension of all heads together.",
        ),
        (
            bug_hunt.masked_head_weights,
            lambda s, m: ref.softmax(s, m[None, :, None, :].swapaxes(0, 1)[:1]),
            "Every sentence has the mask of the first one.",
        ),
        (
            bug_hunt.ported_attend,
            lambda q, k, v, p, a: attended(
                q / np.sqrt(q.shape[-1]), k, v, lambda s: ref.softmax(s, p[:, None] < a)
            ),
            "The bug is still there.",
        ),
        (
            bug_hunt.ported_attend,
            lambda q, k, v, p, a: attended(
                q / np.sqrt(q.shape[-1]), k, v, lambda s: ref.softmax(s, a < p[:, None])
            ),
            "Now attn_mask has the right sense, but",
        ),
        (
            bug_hunt.next_token_loss,
            lambda z, y, m: float(nats_of(z, y)[m].mean()),
            "The bug is still there.",
        ),
        (
            bug_hunt.next_token_loss,
            lambda z, y, m: float(nats_of(z[:, :-1], y[:, 1:])[m[:, :-1]].mean()),
            "The mask is not shifted with the tokens",
        ),
        (
            bug_hunt.cross_entropy,
            lambda z, y, m: float(nats_of(ref.softmax(z), y)[m].mean()),
            "The bug is still there.",
        ),
        (
            bug_hunt.cross_entropy,
            lambda z, y, m: float(nats_of(z, y).mean()),
            "Padding counts now.",
        ),
        (
            bug_hunt.softmax_gradient,
            lambda s, m, g: both(ref.softmax(np.where(m, s, -1e9)), g),
            "With nothing to attend to, one number everywhere",
        ),
        (
            bug_hunt.half_precision_weights,
            lambda s, m: ref.softmax(
                np.where(m[:, None], s.astype("float64"), -65_504.0)
            ),
            "With nothing to attend to, one number everywhere",
        ),
        (
            bug_hunt.ported_attend,
            lambda q, k, v, p, a: attended(
                q / np.sqrt(q.shape[-1]),
                k,
                v,
                lambda s: ref.softmax(s, a.T & ~p[:, None]),
            ),
            "You transpose attn_mask.",
        ),
        (
            bug_hunt.softmax_gradient,
            lambda s, m, g: both(ref.softmax(s - 1e9 * ~m), g),
            "Adding -1e9 lowers all scores of an empty row alike",
        ),
        (
            bug_hunt.softmax_gradient,
            lambda s, m, g: repaired(single_softmax(np.where(m, s, -1e9)), m, g),
            "The weights of a query with nothing to attend to are set to 0 after",
        ),
        (
            bug_hunt.softmax_gradient,
            lambda s, m, g: repaired(single_softmax(s - 1e9 * ~m), m, g),
            "The weights of a query with nothing to attend to are set to 0 after",
        ),
        *(
            (
                bug_hunt.half_precision_weights,
                lambda s, m, kind=kind, softmax=softmax: softmax(
                    s.astype(kind) - (1 - m[:, None].astype(kind)) * kind(1e9)
                ),
                "In single precision, -1e9 is a number",
            )
            for kind in (np.float32, np.float64)
            for softmax in (ref.softmax, single_softmax)
        ),
        *(
            (
                bug_hunt.half_precision_weights,
                lambda s, m, softmax=softmax: softmax(np.where(m[:, None], s, -1e9)),
                "With nothing to attend to, one number everywhere",
            )
            for softmax in (ref.softmax, single_softmax)
        ),
        (
            bug_hunt.half_precision_weights,
            lambda s, m: single_softmax(
                np.where(m[:, None], s.astype("float32"), -1e9)
            ),
            "With nothing to attend to, one number everywhere",
        ),
    ],
)
def test_wrong_answers_in_other_words_are_named(bug, attempt, message):
    names = ", ".join(bug._parameters)
    submission = eval(f"lambda {names}: attempt({names})", {"attempt": attempt})
    assert said(bug, submission).startswith(message)


# Cases


@every_bug
def test_bug_has_arrays_of_integers_only_where_its_text_says_numbers_of_words(bug):
    for title, arguments in bug._fresh_cases():
        for name, value in zip(bug._parameters, arguments, strict=True):
            if isinstance(value, np.ndarray) and value.dtype.kind == "i":
                assert name in ("targets", "token_ids"), title
                text = " ".join(bug.__doc__.split())
                assert "from 0 to vocabulary - 1" in text, title


def test_self_attention_weights_have_no_sentence_without_words_and_say_so():
    bug = bug_hunt.self_attention_weights
    masks = [mask for _, (_, mask) in bug._fresh_cases()]
    assert all(mask.any(axis=1).all() for mask in masks)
    assert any(mask.all() for mask in masks)
    assert "Every sentence has at least one word." in " ".join(bug.__doc__.split())


def test_token_accuracy_shows_few_numbers_where_the_mask_or_a_zero_is_misread():
    def from_the_front(logits, targets, mask):
        return float((logits.argmax(-1) == targets)[counted(mask)].mean())

    def above_zero(logits, targets, mask):
        words = mask & (targets > 0)
        return float((logits.argmax(-1) == targets)[words].sum() / words.sum())

    for attempt in (from_the_front, above_zero):
        result = bug_hunt.token_accuracy.check(attempt)
        assert result.inputs["logits"].size <= 12, result


# Right answers, in unusual styles


def filled_row_by_row(like, rows, weigh):
    """Weights in an array made by zeros_like, which has the kind of ``like``."""
    weights = np.zeros_like(like)
    for place, allowed in rows:
        row = np.full_like(like[place], -np.inf)
        row[allowed] = like[place][allowed]
        weights[place] = weigh(row)
    return weights


def masked_by_assignment(scores, mask):
    scores = scores.copy()
    scores[~np.broadcast_to(mask[:, None], scores.shape)] = -np.inf
    return normalized(np.exp(scores - scores.max(axis=-1, keepdims=True)))


def masked_by_where(scores, mask):
    words = np.broadcast_to(mask[:, None], scores.shape)
    highest = scores.max(axis=-1, keepdims=True, where=words, initial=-np.inf)
    return normalized(np.exp(np.where(words, scores, -np.inf) - highest))


def masked_in_zeros_like(scores, mask):
    rows = [((b, t), mask[b]) for b, t in np.ndindex(scores.shape[:2])]
    return filled_row_by_row(scores, rows, ref.softmax)


def pairs_in_a_loop(states, mask):
    """No sentence may be without words: the maximum of nothing is an error."""
    weights = np.zeros((*mask.shape, mask.shape[1]))
    for one, words, x in zip(weights, mask, states, strict=True):
        scores = x[words] @ x[words].T
        exponentials = np.exp(scores - scores.max(axis=1)[:, None])
        one[np.ix_(words, words)] = normalized(exponentials)
    return weights


def pairs_by_assignment(states, mask):
    scores = states @ states.swapaxes(1, 2)
    scores[np.repeat(~mask[:, None], mask.shape[1], axis=1)] = -np.inf
    return ref.softmax(scores)


def attended_in_place(query, keys, values):
    scores = query @ keys.swapaxes(1, 2)
    scores -= scores.max(axis=2, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=2, keepdims=True)
    return scores @ values, scores


def pooled_in_zeros_like(values, w, v):
    weights = ref.softmax((np.tanh(values @ w) @ v)[:, :, 0])
    context = np.zeros_like(values[:, 0])
    for b, row in enumerate(weights):
        context[b] = row @ values[b]
    return context, weights


def state_by_assignment(embedded, mask, w, u):
    state = np.zeros_like(embedded[:, 0] @ w)
    for x, words in zip(embedded.swapaxes(0, 1), mask.T, strict=True):
        state[words] = np.tanh(x[words] @ w + state[words] @ u)
    return state


def local_in_zeros_like(scores, values, centers, half_width):
    weights = np.zeros_like(scores)
    for b, t in np.ndindex(centers.shape):
        at = np.arange(scores.shape[2])
        at = at[abs(at - np.floor(centers[b, t])) <= half_width]
        if len(at):
            bell_at = np.exp(-2 * ((at - centers[b, t]) / half_width) ** 2)
            weights[b, t, at] = ref.softmax(scores[b, t, at]) * bell_at
    return weights @ values, weights


Found = collections.namedtuple("Found", "context weights")


def masked_in_a_loop(scores, mask):
    weights = np.zeros(scores.shape)
    for b in range(len(scores)):
        weights[b][:, mask[b]] = ref.softmax(scores[b][:, mask[b]])
    return weights


def state_in_a_loop(embedded, mask, w, u):
    states = []
    for sentence, words in zip(embedded, mask, strict=True):
        state = np.zeros(len(u))
        for x in sentence[words]:
            state = np.tanh(x @ w + state @ u)
        states.append(state)
    return np.stack(states)


def blended_state(embedded, mask, w, u):
    state = np.zeros((len(embedded), len(u)))
    for x, word in zip(embedded.swapaxes(0, 1), mask.T, strict=True):
        share = word[:, None].astype(float)
        state = share * np.tanh(x @ w + state @ u) + (1 - share) * state
    return state


@pytest.mark.parametrize(
    ("bug", "attempt"),
    [
        (bug_hunt.pool, lambda values, w, v: Found(*pooled(values, w, v, ref.softmax))),
        (
            bug_hunt.pool,
            lambda values, w, v: pooled(
                *(x.astype("float32") for x in (values, w, v)), ref.softmax
            ),
        ),
        (
            bug_hunt.dot_attend,
            lambda query, keys, values: Found(
                *attended(query, keys, values, ref.softmax)
            ),
        ),
        (
            bug_hunt.dot_attend,
            lambda query, keys, values: ref.attend(
                *(ref.dot_scores(query, keys), values.astype("float32"))
            ),
        ),
        (bug_hunt.pool, pooled_in_zeros_like),
        (bug_hunt.dot_attend, attended_in_place),
        (bug_hunt.masked_weights, masked_by_assignment),
        (bug_hunt.masked_weights, masked_by_where),
        (bug_hunt.masked_weights, masked_in_zeros_like),
        (bug_hunt.final_state, state_by_assignment),
        (bug_hunt.self_attention_weights, pairs_in_a_loop),
        (bug_hunt.self_attention_weights, pairs_by_assignment),
        (bug_hunt.local_context, local_in_zeros_like),
        (bug_hunt.masked_weights, masked_in_a_loop),
        (
            bug_hunt.masked_weights,
            lambda scores, mask: ref.softmax(
                scores.astype("float32"), mask[:, None, :]
            ),
        ),
        (
            bug_hunt.token_accuracy,
            lambda logits, targets, mask: np.mean(
                (np.argmax(logits, axis=-1) == targets)[mask]
            ),
        ),
        (
            bug_hunt.token_accuracy,
            lambda logits, targets, mask: float(
                np.average(logits.argmax(-1) == targets, weights=mask)
            ),
        ),
        (bug_hunt.final_state, state_in_a_loop),
        (bug_hunt.final_state, blended_state),
        (
            bug_hunt.self_attention_weights,
            among_words(lambda s, m: ref.softmax(s - 1e9 * ~m[:, None])),
        ),
        (
            bug_hunt.self_attention_weights,
            among_words(
                lambda s, m: np.where(m[:, :, None], ref.softmax(s, m[:, None]), np.nan)
            ),
        ),
        (
            bug_hunt.local_context,
            lambda scores, values, centers, half_width: local(
                scores, values, centers, half_width, ref.softmax
            ),
        ),
        (
            bug_hunt.local_context,
            lambda scores, values, centers, half_width: Found(
                *ref.local_attend(
                    scores,
                    np.zeros((*values.shape[:2], 1)),
                    values,
                    centers,
                    half_width,
                    score=lambda query, keys: query,
                )
            ),
        ),
        (bug_hunt.links, lambda weights, target: frozenset(linked(weights, target))),
        (
            bug_hunt.links,
            lambda weights, target: {
                (t, s)
                for t, s in enumerate(weights[:-1].argmax(axis=1))
                if target[t] != "-"
            },
        ),
        (bug_hunt.attend_in_heads, in_columns),
        (
            bug_hunt.masked_head_weights,
            lambda scores, mask: np.stack(
                [ref.softmax(s, m) for s, m in zip(scores, mask, strict=True)]
            ),
        ),
        (
            bug_hunt.ported_attend,
            lambda query, keys, values, padding, blocked: attended(
                query / np.sqrt(query.shape[-1]),
                keys,
                values,
                lambda s: ref.softmax(s, ~(padding[:, None] | blocked)),
            ),
        ),
        (
            bug_hunt.next_token_loss,
            lambda logits, token_ids, mask: np.mean(
                nats_of(logits[:, :-1], token_ids[:, 1:])[mask[:, 1:]]
            ),
        ),
        (
            bug_hunt.cross_entropy,
            lambda logits, targets, mask: np.average(
                nats_of(logits, targets), weights=mask
            ),
        ),
        (
            bug_hunt.softmax_gradient,
            lambda scores, mask, upstream: both(ref.softmax(scores, mask), upstream),
        ),
        (bug_hunt.half_precision_weights, softmax_in_half_precision),
        (bug_hunt.heads_attend, of_heads),
        (
            bug_hunt.heads_attend,
            lambda query, keys, values, heads: of_heads(
                *(x.astype("float32") for x in (query, keys, values)), heads
            ),
        ),
    ],
)
def test_bug_accepts_unusual_right_answers(bug, attempt):
    names = bug.reference_solution.__code__.co_varnames
    names = ", ".join(names[: bug.reference_solution.__code__.co_argcount])
    submission = eval(f"lambda {names}: attempt({names})", {"attempt": attempt})
    result = bug.check(submission)
    assert result.passed, result


@every_bug
def test_bug_accepts_its_solution_in_single_precision(bug):
    for _, arguments in bug.cases(np.random.default_rng(0)):
        expected, got = (
            bug._call(bug.reference_solution, given)
            for given in (arguments, in_float32(arguments))
        )
        assert bug._difference(expected, got) is None
