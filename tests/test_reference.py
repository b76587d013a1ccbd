"""The reference itself: against values worked out by hand, against einsum, and as
properties.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal

from attnlib import reference as ref

E = np.e
rows = arrays(
    np.float64,
    st.tuples(st.integers(1, 4), st.integers(0, 6)),
    elements=st.floats(-1e6, 1e6),
)


def tensors(
    seed=0, batch=2, target_len=3, source_len=5, query_dim=4, key_dim=6, units=7
):
    """Random arguments of additive_scores, all lengths different."""
    rng = np.random.default_rng(seed)
    shapes = (
        (batch, target_len, query_dim),
        (batch, source_len, key_dim),
        (query_dim, units),
        (key_dim, units),
        units,
    )
    return [rng.normal(size=shape) for shape in shapes]


# softmax


def test_softmax_by_hand():
    assert_allclose(ref.softmax([0.0, 1.0]), [1 / (1 + E), E / (1 + E)])
    assert_allclose(
        ref.softmax([np.log(1), np.log(2), np.log(5)]), [1 / 8, 2 / 8, 5 / 8]
    )
    assert_allclose(
        ref.softmax([[0, 0, 0, 0], [0, 0, 0, -np.inf]]),
        [[1 / 4] * 4, [1 / 3] * 3 + [0]],
    )


def test_softmax_is_stable_at_large_scores():
    for shift in (1000, -1000, 1e30):
        assert_allclose(ref.softmax([shift, shift]), [1 / 2, 1 / 2])
    assert_allclose(ref.softmax([1000.0, 1001.0]), [1 / (1 + E), E / (1 + E)])
    assert_allclose(ref.softmax([-1000.0, 0.0, 1000.0]), [0, 0, 1])
    assert_allclose(ref.softmax(np.array([60000, 60000], np.float16)), [1 / 2, 1 / 2])


def test_softmax_mask_excludes_by_hand():
    weights = ref.softmax([0.0, 1.0, 1000.0], np.array([True, True, False]))
    assert_allclose(weights, [1 / (1 + E), E / (1 + E), 0])


def test_softmax_masked_scores_take_no_part_in_the_maximum():
    # Were 1000 subtracted, both exponentials would be 0 and the row 0 / 0.
    assert_allclose(
        ref.softmax([-5.0, -5.0, 1000.0], np.array([True, True, False])),
        [1 / 2, 1 / 2, 0],
    )
    for hidden in (np.inf, -np.inf, np.nan):
        assert_allclose(
            ref.softmax([-5.0, -5.0, hidden], np.array([True, True, False])),
            [1 / 2, 1 / 2, 0],
        )


def test_softmax_fully_masked_row_is_zero():
    mask = np.array([[True, True], [False, False]])
    assert_array_equal(
        ref.softmax([[3.0, 3.0], [3.0, 4.0]], mask), [[1 / 2, 1 / 2], [0, 0]]
    )
    assert_array_equal(ref.softmax([1e300, -1e300], np.array([False, False])), [0, 0])
    assert_array_equal(ref.softmax([-np.inf, -np.inf]), [0, 0])


def test_softmax_mask_broadcasts():
    scores = np.zeros((2, 3, 4))
    one_row = np.array([True, True, False, False])
    assert_array_equal(
        ref.softmax(scores, one_row), np.tile([1 / 2, 1 / 2, 0, 0], (2, 3, 1))
    )
    per_sentence = np.array(
        [[[True, False, False, False]], [[True, True, True, True]]]
    )  # (2, 1, 4)
    weights = ref.softmax(scores, per_sentence)
    assert_array_equal(weights[0], np.tile([1, 0, 0, 0], (3, 1)))
    assert_array_equal(weights[1], np.full((3, 4), 1 / 4))


def test_softmax_source_length_zero_and_one():
    assert ref.softmax(np.zeros((2, 3, 0))).shape == (2, 3, 0)
    assert_array_equal(ref.softmax([[7.0], [-1e9]]), [[1], [1]])


@pytest.mark.parametrize(
    "argument_dtype, dtype",
    [
        ("float16", "float32"),
        ("float32", "float32"),
        ("float64", "float64"),
        ("int32", "float64"),
        ("bool", "float32"),
    ],
)
def test_softmax_runs_in_float32_at_least(argument_dtype, dtype):
    assert ref.softmax(np.ones((2, 2), argument_dtype)).dtype == dtype


def test_softmax_refuses_bad_masks():
    with pytest.raises(
        TypeError, match="mask should be boolean, True = may be attended to, got int64"
    ):
        ref.softmax([1.0, 2.0], np.array([1, 0], np.int64))
    with pytest.raises(
        ValueError,
        match=(
            r"mask should broadcast to the shape of the scores, \(2,\), got shape"
            r" \(3,\)"
        ),
    ):
        ref.softmax([1.0, 2.0], np.array([True, True, True]))
    with pytest.raises(
        ValueError,
        match=(
            r"mask should broadcast to the shape of the scores, \(2,\), got shape"
            r" \(2, 2\)"
        ),
    ):
        ref.softmax([1.0, 2.0], np.ones((2, 2), bool))


@given(rows, st.data())
def test_softmax_rows_sum_to_one_and_are_zero_under_the_mask(scores, data):
    mask = data.draw(arrays(bool, scores.shape))
    weights = ref.softmax(scores, mask)
    assert (weights >= 0).all() and (weights[~mask] == 0).all()
    assert_allclose(weights.sum(-1), mask.any(-1))


@given(rows, st.floats(-1e3, 1e3))
def test_softmax_ignores_a_constant_added_to_a_row(scores, constant):
    assert_allclose(ref.softmax(scores + constant), ref.softmax(scores), atol=1e-8)


# additive_scores


def test_additive_scores_by_hand():
    # One query (1, 2), two keys, one unit: W_a = (1, 1), U_a = 2, v = 3.
    scores = ref.additive_scores(
        [[[1.0, 2.0]]], [[[-1.0], [0.5]]], [[1.0], [1.0]], [[2.0]], [3.0]
    )
    assert_allclose(scores, [[[3 * np.tanh(3 - 2), 3 * np.tanh(3 + 1)]]])


def test_additive_scores_equal_one_einsum():
    query, keys, w_query, w_keys, v = tensors()
    hidden = np.tanh((query @ w_query)[:, :, None] + (keys @ w_keys)[:, None])
    assert_allclose(
        ref.additive_scores(query, keys, w_query, w_keys, v),
        np.einsum("btsu,u->bts", hidden, v),
    )


def test_additive_scores_dtype_is_that_of_query_and_keys():
    single = [array.astype(np.float32) for array in tensors()]
    assert ref.additive_scores(*single).dtype == np.float32
    assert ref.additive_scores(*tensors()).dtype == np.float64
    assert (
        ref.additive_scores(*[array.astype(np.float16) for array in tensors()]).dtype
        == np.float32
    )


def test_additive_scores_of_an_empty_source():
    assert ref.additive_scores(*tensors(source_len=0)).shape == (2, 3, 0)


@pytest.mark.parametrize(
    "index, wrong, message",
    [
        (
            0,
            (2, 4),
            r"query should have shape \(batch, target_len, query_dim\), got \(2, 4\)",
        ),
        (
            1,
            (3, 5, 6),
            r"keys should have shape \(2, source_len, key_dim\), got \(3, 5, 6\)",
        ),
        (2, (5, 7), r"w_query should have shape \(4, units\), got \(5, 7\)"),
        (3, (6, 8), r"w_keys should have shape \(6, 7\), got \(6, 8\)"),
        (4, (7, 1), r"v should have shape \(7,\), got \(7, 1\)"),
    ],
)
def test_additive_scores_refuses_shapes_that_do_not_fit(index, wrong, message):
    arguments = tensors()
    arguments[index] = np.zeros(wrong)
    with pytest.raises(ValueError, match=message):
        ref.additive_scores(*arguments)


def test_additive_scores_refuses_what_is_not_a_number():
    _, keys, *weights = tensors()
    with pytest.raises(TypeError, match="query should hold numbers, got <U3"):
        ref.additive_scores([["two"]], keys, *weights)


# attend


def test_attend_by_hand():
    scores = [[[0.0, 1.0]]]
    values = [[[1.0, 0.0], [0.0, 10.0]]]
    context, weights = ref.attend(scores, values)
    assert_allclose(weights, [[[1 / (1 + E), E / (1 + E)]]])
    assert_allclose(context, [[[1 / (1 + E), 10 * E / (1 + E)]]])


def test_attend_mask_is_per_sentence():
    scores, values = np.zeros((3, 2, 4)), np.arange(12.0).reshape(3, 4, 1)
    mask = np.array([[True] * 4, [True, False, True, False], [False] * 4])
    context, weights = ref.attend(scores, values, mask)
    assert_array_equal(weights[:, 0], [[1 / 4] * 4, [1 / 2, 0, 1 / 2, 0], [0] * 4])
    assert_array_equal(context[:, :, 0], [[1.5, 1.5], [5, 5], [0, 0]])
    assert_array_equal(weights[:, 0], weights[:, 1])


def test_attend_more_padding_changes_nothing():
    query, keys, *w = tensors()
    context, weights = ref.attend(ref.additive_scores(query, keys, *w), keys)
    longer = np.concatenate([keys, np.full((2, 3, 6), 1e3)], 1)
    mask = np.arange(8) < np.array([[5], [5]])
    padded_context, padded_weights = ref.attend(
        ref.additive_scores(query, longer, *w), longer, mask
    )
    assert_allclose(padded_context, context)
    assert_allclose(padded_weights[:, :, :5], weights)


def test_attend_nothing_at_all():
    context, weights = ref.attend(np.zeros((2, 3, 0)), np.zeros((2, 0, 4)))
    assert_array_equal(context, np.zeros((2, 3, 4)))
    assert weights.shape == (2, 3, 0)


@pytest.mark.parametrize(
    "scores, values, mask, error, message",
    [
        (
            (2, 5),
            (2, 5, 4),
            None,
            ValueError,
            r"scores .* \(batch, target_len, source_len\), got \(2, 5\)",
        ),
        (
            (2, 3, 5),
            (2, 4, 4),
            None,
            ValueError,
            r"values should have shape \(2, 5, value_dim\), got \(2, 4, 4\)",
        ),
        (
            (2, 3, 5),
            (2, 5, 4),
            np.ones((2, 4), bool),
            ValueError,
            r"\(batch, source_len\) = \(2, 5\), got \(2, 4\)",
        ),
        (
            (2, 3, 5),
            (2, 5, 4),
            np.ones((1, 5), bool),
            ValueError,
            r"\(batch, source_len\) = \(2, 5\), got \(1, 5\)",
        ),
        (
            (2, 3, 5),
            (2, 5, 4),
            np.ones((2, 5)),
            TypeError,
            "mask should be boolean, .* got float64",
        ),
    ],
)
def test_attend_refuses_what_does_not_fit(scores, values, mask, error, message):
    with pytest.raises(error, match=message):
        ref.attend(np.zeros(scores), np.zeros(values), mask)


# The parts of a Transformer


def heads_arguments(seed=0, batch=2, target_len=3, source_len=5, units=6, heads=2):
    """Random arguments of multi_head_attention, with heads of dimension 4."""
    rng = np.random.default_rng(seed)
    shapes = (batch, target_len, units), (batch, source_len, units)
    shapes += ((units, heads, 4),) * 3 + ((heads, 4, units),)
    return [rng.normal(size=shape) for shape in shapes]


def test_scaled_dot_product_attention_by_hand():
    keys = [[[2.0, 0, 0, 0], [0, 0, 5, 0]]]  # scores 2 and 0 over the root of 4
    context, weights = ref.scaled_dot_product_attention([[[1.0, 1, 0, 0]]], keys, keys)
    assert_allclose(weights, [[[E / (E + 1), 1 / (E + 1)]]])
    assert_allclose(context, [[[2 * E / (E + 1), 0, 5 / (E + 1), 0]]])


def test_scaled_dot_product_attention_takes_a_mask_per_sentence_or_per_query():
    query, values, *_ = heads_arguments()
    mask = np.array([[True, False, True, True, True], [False] * 5])
    per_query = np.repeat(mask[:, None], 3, axis=1)
    context, weights = ref.scaled_dot_product_attention(query, values, values, mask)
    again, _ = ref.scaled_dot_product_attention(query, values, values, per_query)
    assert_array_equal(again, context)
    assert (weights[0, :, 1] == 0).all() and (weights[1] == 0).all()
    assert (context[1] == 0).all()
    assert_allclose(weights[0].sum(axis=-1), 1)


def test_multi_head_attention_equals_one_einsum():
    query, values, w_query, w_keys, w_values, w_output = arguments = heads_arguments()
    q, k, v = (
        np.einsum("bld,dhk->bhlk", words, w)
        for words, w in ((query, w_query), (values, w_keys), (values, w_values))
    )
    weights = ref.softmax(np.einsum("bhtk,bhsk->bhts", q, k) / 2)
    expected = np.einsum("bhts,bhsk,hkd->btd", weights, v, w_output)
    assert_allclose(ref.multi_head_attention(*arguments), expected)


def test_layer_norm_by_hand():
    result = ref.layer_norm([[[1.0, 3.0], [5.0, 5.0]]], [2.0, 1.0], [0.5, 0.0])
    root = np.sqrt(1.001)
    assert_allclose(result, [[[0.5 - 2 / root, 1 / root], [0.5, 0.0]]])


def test_feed_forward_by_hand():
    result = ref.feed_forward(
        [[[1.0, 2.0]]], [[1.0, -1, 0], [0, 1, -1]], [0, 0, 1], [[1.0, 0]] * 3, [0.0, 7]
    )
    assert_allclose(result, [[[2.0, 7.0]]])  # hidden units 1, 1, and -1, which is cut


@pytest.mark.parametrize(
    ("name", "wrong", "message"),
    [
        ("values", (2, 5, 7), r"values should have shape \(2, source_len, 6\)"),
        ("w_keys", (6, 3, 4), r"w_keys should have shape \(6, 2, 4\)"),
        ("w_output", (6, 2, 4), r"w_output should have shape \(2, 4, 6\)"),
    ],
)
def test_multi_head_attention_refuses_shapes_that_do_not_fit(name, wrong, message):
    names = "query", "values", "w_query", "w_keys", "w_values", "w_output"
    arguments = dict(zip(names, heads_arguments(), strict=True))
    with pytest.raises(ValueError, match=message):
        ref.multi_head_attention(**{**arguments, name: np.zeros(wrong)})


@pytest.mark.parametrize(
    ("mask", "error", "message"),
    [
        (np.ones((2, 4), bool), ValueError, r"\(batch, source_len\) = \(2, 5\)"),
        (np.ones((2, 1, 5), bool), ValueError, r"\(batch, target_len, source_len\)"),
        (np.ones((2, 5)), TypeError, "mask should be boolean"),
    ],
)
def test_multi_head_attention_refuses_masks_that_do_not_fit(mask, error, message):
    with pytest.raises(error, match=message):
        ref.multi_head_attention(*heads_arguments(), mask)


def test_reference_leaves_its_inputs_alone():
    arguments = tensors()
    mask = np.array([[True] * 5, [True, True, False, False, False]])
    copies = [array.copy() for array in arguments]
    scores = ref.additive_scores(*arguments)
    before = scores.copy()
    ref.attend(scores, arguments[1], mask)
    for array, copy in zip([*arguments, scores], [*copies, before], strict=True):
        assert_array_equal(array, copy)
