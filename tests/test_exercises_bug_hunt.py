"""The bugs of chapter 10: each solution against something independent, each faulty code
by its symptom.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from attnlib import reference as ref
from attnlib.checking.exercise import Exercise
from attnlib.exercises import bug_hunt
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


def test_there_are_ten():
    assert len(BUGS) == 10


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
        with np.errstate(all="raise", under="ignore"):
            namespace[bug.name](*arguments)
    assert capsys.readouterr() == ("", "")
    result = bug.check(namespace[bug.name])
    assert result.attempted and not result.passed
    assert result.message.startswith(f"Not yet: {bug.name}.\nThe bug is still there. ")
    assert max(np.size(value) for value in result.inputs.values()) <= 24, (
        "small enough to read"
    )


@every_bug
def test_bug_message_names_no_line_of_the_fix(bug):
    """The symptom, not the cause: no code in it, and none of the words that would give
    the fix away.
    """
    symptom = bug.known_mistakes[0][0]
    assert not any(
        word in symptom
        for word in ("axis", "np.", "sqrt", "root", "sign", "mean(", "<start>", "-inf")
    )


# 1 to 5


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


# 6 to 10


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


def test_window_gaussian_is_that_of_the_reference_and_the_faulty_one_its_mirror():
    centers, half_width = np.array([[4.0, 4.3, 5.75]]), 2
    flat = np.zeros((1, 3, 12)), np.zeros((1, 12, 12))
    (_, with_it), (_, without) = (
        ref.local_attend(
            *flat, flat[1], centers, half_width, score=lambda q, k: q, gaussian=g
        )
        for g in (True, False)
    )
    found, faulty = (
        f(centers, half_width)
        for f in (
            bug_hunt.window_gaussian.reference_solution,
            bug_hunt.window_gaussian.starter,
        )
    )
    for t in range(3):
        inside = without[0, t] > 0
        assert_allclose(found[0, t], with_it[0, t, inside] / without[0, t, inside])
        assert_allclose(faulty[0, t], found[0, t, ::-1])


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
