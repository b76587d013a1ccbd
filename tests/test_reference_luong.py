"""Luong's scores and local attention in the reference: against values worked out by
hand, and as properties.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal

from attnlib import reference as ref

QUERY = [[[1.0, 2.0]]]  # one query
KEYS = [[[3.0, 0.0], [0.0, -1.0]]]  # two words


def tensors(*shapes, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape) for shape in shapes]


# The four scores


def test_dot_scores_by_hand():
    assert_array_equal(ref.dot_scores(QUERY, KEYS), [[[3, -2]]])


def test_general_scores_by_hand():
    # h W = (1, 2) [[0, 1], [1, 0]] = (2, 1); keys of another dimension than the query.
    assert_array_equal(
        ref.general_scores(QUERY, KEYS, [[0.0, 1.0], [1.0, 0.0]]), [[[6, -1]]]
    )
    assert_array_equal(
        ref.general_scores(QUERY, [[[4.0], [5.0]]], [[1.0], [10.0]]), [[[84, 105]]]
    )


def test_concat_scores_by_hand():
    # [h; h_s] = (1, 2, 3, 0) and (1, 2, 0, -1); W_a adds all four, v = 2.
    assert_allclose(
        ref.concat_scores(QUERY, KEYS, np.ones((4, 1)), [2.0]),
        [[[2 * np.tanh(6), 2 * np.tanh(2)]]],
    )


def test_location_scores_by_hand():
    assert_array_equal(
        ref.location_scores(QUERY, [[1.0, 0.0, -1.0], [0.0, 1.0, 1.0]]), [[[1, 2, 1]]]
    )


def test_scores_equal_einsum():
    query, keys, w, v = tensors((2, 3, 4), (2, 5, 6), (4, 6), (7,))
    assert_allclose(
        ref.dot_scores(query, keys[:, :, :4]),
        np.einsum("btd,bsd->bts", query, keys[:, :, :4]),
    )
    assert_allclose(
        ref.general_scores(query, keys, w), np.einsum("btd,de,bse->bts", query, w, keys)
    )
    assert_allclose(
        ref.general_scores(query, keys[:, :, :4], np.eye(4)),
        ref.dot_scores(query, keys[:, :, :4]),
    )
    w = tensors((10, 7))[0]
    hidden = np.tanh(
        np.einsum("btd,du->btu", query, w[:4])[:, :, None]
        + np.einsum("bsd,du->bsu", keys, w[4:])[:, None]
    )
    assert_allclose(
        ref.concat_scores(query, keys, w, v), np.einsum("btsu,u->bts", hidden, v)
    )
    assert_allclose(
        ref.concat_scores(query, keys, w, v),
        ref.additive_scores(query, keys, w[:4], w[4:], v),
    )


@pytest.mark.parametrize(
    "function, shapes, message",
    [
        (
            ref.dot_scores,
            [(2, 4), (2, 5, 4)],
            r"query should have shape \(batch, target_len, dim\), got \(2, 4\)",
        ),
        (
            ref.dot_scores,
            [(2, 3, 4), (2, 5, 6)],
            r"keys should have shape \(2, source_len, 4\), got \(2, 5, 6\)",
        ),
        (
            ref.general_scores,
            [(2, 3, 4), (1, 5, 6), (4, 6)],
            r"keys should have shape \(2, source_len, key_dim\), got",
        ),
        (
            ref.general_scores,
            [(2, 3, 4), (2, 5, 6), (6, 4)],
            r"w should have shape \(4, 6\), got \(6, 4\)",
        ),
        (
            ref.concat_scores,
            [(2, 3, 4), (2, 5, 6), (4, 7), (7,)],
            r"w should have shape \(10, units\), got \(4, 7\)",
        ),
        (
            ref.concat_scores,
            [(2, 3, 4), (2, 5, 6), (10, 7), (6,)],
            r"v should have shape \(7,\), got \(6,\)",
        ),
        (
            ref.location_scores,
            [(2, 3, 4), (5, 9)],
            r"w should have shape \(4, max_source_len\), got \(5, 9\)",
        ),
    ],
)
def test_scores_refuse_shapes_that_do_not_fit(function, shapes, message):
    with pytest.raises(ValueError, match=message):
        function(*map(np.zeros, shapes))


# local_attend


def even(centers, half_width, source_len=5, **options):
    """Weights (target_len, source_len) of one sentence whose scores are all alike."""
    query, keys = np.zeros((1, len(centers), 2)), np.ones((1, source_len, 2))
    return ref.local_attend(query, keys, keys, [centers], half_width, **options)[1][0]


def test_local_attend_by_hand():
    # p_t = 1.5: the window is floor(1.5) - 1 … floor(1.5) + 1 = 0 … 2, a third each;
    # sigma = 1/2, 2 sigma^2 = 1/2.
    third = 1 / 3
    assert_allclose(even([1.5], 1, gaussian=False), [[third, third, third, 0, 0]])
    gaussian = [
        third * np.exp(-(1.5**2) * 2),
        third * np.exp(-(0.5**2) * 2),
        third * np.exp(-(0.5**2) * 2),
        0,
        0,
    ]
    assert_allclose(even([1.5], 1), [gaussian])
    # D = 4, sigma = 2: at a distance of 4, that is 2 sigma, exp(-2).
    assert_allclose(even([0.0], 4)[0, [0, 4]], [1 / 5, np.exp(-2) / 5])


def test_local_attend_context_is_taken_with_the_final_weights():
    query, keys, values = tensors((2, 3, 4), (2, 5, 4), (2, 5, 6))
    context, weights = ref.local_attend(query, keys, values, [[0.5, 2, 4.2]] * 2, 2)
    assert_allclose(context, np.einsum("bts,bsd->btd", weights, values))
    assert (weights.sum(-1) < 0.99).all()


def test_local_attend_positions_outside_the_sentence_take_no_part_in_the_softmax():
    assert_allclose(
        even([0.0, 4.0], 2, gaussian=False),
        [[1 / 3] * 3 + [0] * 2, [0] * 2 + [1 / 3] * 3],
    )
    mask = np.array([[True, True, False, False, False]])
    assert_allclose(
        even([1.0], 1, gaussian=False, mask=mask), [[1 / 2, 1 / 2, 0, 0, 0]]
    )


def test_local_attend_window_wider_than_the_sentence():
    assert_allclose(even([1.2], 50, source_len=3, gaussian=False), [[1 / 3] * 3])


def test_local_attend_with_nothing_in_the_window_gives_zeros():
    assert_array_equal(
        even([-3.0, 7.5, -2.0], 2), [[0] * 5, [0] * 5, [np.exp(-2), 0, 0, 0, 0]]
    )
    assert_array_equal(even([2.0], 2, mask=np.zeros((1, 5), bool)), np.zeros((1, 5)))


def test_local_attend_takes_any_score():
    query, keys, w = tensors((2, 3, 4), (2, 5, 6), (4, 6))
    score = lambda query, keys: ref.general_scores(query, keys, w)  # noqa: E731
    _, weights = ref.local_attend(
        query, keys, keys, np.full((2, 3), 2), 9, score, gaussian=False
    )
    assert_allclose(weights, ref.softmax(np.einsum("btd,de,bse->bts", query, w, keys)))


@given(st.data())
def test_local_attend_is_full_scoring_with_a_mask_and_a_gaussian(data):
    target_len, source_len, half_width = (
        data.draw(st.integers(1, n)) for n in (4, 8, 10)
    )
    query, keys = tensors((1, target_len, 3), (1, source_len, 3))
    centers = data.draw(arrays(float, (1, target_len), elements=st.floats(-15, 20)))
    mask = data.draw(arrays(bool, (1, source_len)))
    context, weights = ref.local_attend(
        query, keys, keys, centers, half_width, mask=mask
    )
    distance = np.arange(source_len) - centers[..., None]
    offset = np.arange(source_len) - np.floor(centers[..., None])
    window = (np.abs(offset) <= half_width) & mask[:, None]
    expected = ref.softmax(query @ keys.transpose(0, 2, 1), window) * np.exp(
        -2 * (distance / half_width) ** 2
    )
    assert_allclose(weights, expected, atol=1e-12)
    assert (weights.sum(-1) <= 1 + 1e-12).all()
    assert_allclose(context, expected @ keys, atol=1e-12)


@pytest.mark.parametrize("half_width", [0, -1, 2.5, 2.0, True, None, "2"])
def test_local_attend_refuses_half_width(half_width):
    error = ValueError if type(half_width) is int else TypeError
    with pytest.raises(error) as raised:
        even([1.0], half_width)
    expected = f"half_width should be an integer of 1 or more, got {half_width!r}"
    assert str(raised.value) == expected


def test_local_attend_refuses_shapes_that_do_not_fit():
    query, keys = tensors((2, 3, 4), (2, 5, 4))
    with pytest.raises(
        ValueError, match=r"centers should have shape \(2, 3\), got \(3,\)"
    ):
        ref.local_attend(query, keys, keys, [1.0, 2.0, 3.0], 2)
    with pytest.raises(
        ValueError,
        match=r"values should have shape \(2, 5, value_dim\), got \(2, 4, 4\)",
    ):
        ref.local_attend(query, keys, keys[:, :4], np.ones((2, 3)), 2)
    with pytest.raises(
        ValueError,
        match=r"score\(query, keys\) should have shape \(2, 3, 5\), got \(2, 5, 3\)",
    ):
        ref.local_attend(
            query,
            keys,
            keys,
            np.ones((2, 3)),
            2,
            lambda query, keys: keys @ query.transpose(0, 2, 1),
        )
    with pytest.raises(
        ValueError, match=r"mask should have shape .* \(2, 5\), got \(2, 4\)"
    ):
        ref.local_attend(
            query, keys, keys, np.ones((2, 3)), 2, mask=np.ones((2, 4), bool)
        )
