"""The solutions of chapters 05 and 06 against something independent."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from attnlib import reference as ref
from attnlib.exercises import luong_global, luong_local
from attnlib.tasks import dates


def tensors(*shapes):
    rng = np.random.default_rng(7)
    return [rng.normal(size=shape) for shape in shapes]


def test_scores_equal_the_reference():
    query, keys, w = tensors((2, 4, 3), (2, 5, 6), (3, 6))
    assert_allclose(
        luong_global.general_scores.reference_solution(query, keys, w),
        ref.general_scores(query, keys, w),
    )
    assert_allclose(
        luong_global.dot_scores.reference_solution(query @ w, keys),
        ref.dot_scores(query @ w, keys),
    )
    w, v = tensors((9, 7), (7,))
    assert_allclose(
        luong_global.concat_scores.reference_solution(query, keys, w, v),
        ref.concat_scores(query, keys, w, v),
    )


def test_scores_by_hand_as_the_chapter_gives_them():
    keys = np.array([[[1.0, 0.0], [0.0, 1.0], [3.0, -1.0]]])
    assert_array_equal(
        luong_global.dot_scores.reference_solution(np.array([[[1.0, 2.0]]]), keys),
        [[[1, 2, 1]]],
    )
    one = [np.array(x) for x in ([[[0.5]]], [[[1.0]]], [[1.0], [2.0]], [2.0])]
    assert luong_global.concat_scores.reference_solution(*one).item() == pytest.approx(
        1.9732, abs=5e-5
    )


def test_location_weights_share_one_among_the_real_words():
    query, w = tensors((2, 3, 4), (4, 8))
    weights = luong_global.location_weights.reference_solution(
        query, w, np.array([[True] * 5, [True, True, False, False, False]])
    )
    kept = np.exp(query @ w)
    assert_allclose(weights[0], kept[0, :, :5] / kept[0, :, :5].sum(-1, keepdims=True))
    assert_allclose(
        weights[1, :, :2], kept[1, :, :2] / kept[1, :, :2].sum(-1, keepdims=True)
    )
    assert_array_equal(weights[1, :, 2:], np.zeros((3, 3)))


def test_input_feeding_step_is_that_of_the_decoder():
    from attnlib.backend import keras
    from attnlib.decoders import LuongDecoder
    from attnlib.layers import LuongAttention

    keras.utils.set_random_seed(0)
    decoder = LuongDecoder(4, LuongAttention("dot"), input_feeding=True)
    decoder.build(3, 4, (4,))
    annotations, state, fed, word = (
        x.astype("float32") for x in tensors((2, 5, 4), (2, 4), (2, 4), (2, 3))
    )
    mask = np.array([[True] * 5, [True, True, False, False, False]])
    memory = decoder.prepare_memory(annotations, None, mask)
    start = {"h": state, "fed": fed, "t": np.zeros(2, "int32")}
    following, attentional, weights = decoder.step(start, word, memory)

    def gru(inputs, state):
        return decoder.cell(inputs.astype("float32"), [state])[0].numpy()

    w_c = decoder.combine.get_weights()[0]
    result = luong_global.input_feeding_step.reference_solution(
        state, fed, word, annotations, mask, w_c, gru
    )
    for one, other in zip(result, (following["h"], attentional, weights), strict=True):
        assert_allclose(one, other, atol=1e-5)


def test_local_attend_is_the_reference_and_the_layer():
    from attnlib.layers import LocalAttention

    query, keys, values = tensors((2, 3, 4), (2, 9, 4), (2, 9, 5))
    mask = np.arange(9) < np.array([[9], [5]])
    centers = np.array([[0.0, 3.7, 8.99], [4.2, 2.0, 6.5]])
    scores = ref.dot_scores(query, keys)
    expected = ref.local_attend(query, keys, values, centers, 2, mask=mask)
    for one, other in zip(
        luong_local.local_attend.reference_solution(scores, values, centers, 2, mask),
        expected,
        strict=True,
    ):
        assert_allclose(one, other)
    layer = LocalAttention("dot", "predictive", 2, dtype="float64")
    _, weights, positions = layer(query, keys, mask=mask)
    w_p, v_p = layer.get_weights()
    own = luong_local.predicted_center.reference_solution(query, w_p, v_p, mask)
    assert_array_equal(positions[:, :, 2], np.floor(own))
    context, _ = luong_local.local_attend.reference_solution(scores, keys, own, 2, mask)
    assert_allclose(context, layer(query, keys, mask=mask)[0], atol=1e-6)


def test_gaussian_weights_by_hand():
    weights = luong_local.gaussian_weights.reference_solution(
        np.full((1, 1, 5), 0.2), np.array([[2.0]]), 2
    )  # sigma = 1
    assert_allclose(weights[0, 0], 0.2 * np.exp([-2, -0.5, 0, -0.5, -2]))


def test_monotonic_window_is_that_of_the_layer():
    from attnlib.layers import LocalAttention

    values = np.zeros((1, 10, 4), "float32")
    layer = LocalAttention("dot", "monotonic", 3)
    _, weights, positions = layer(np.zeros((1, 15, 4), "float32"), values)
    for t in range(15):
        looked_at = positions[0, t].numpy()[weights[0, t].numpy() > 0]
        assert_array_equal(
            luong_local.monotonic_window.reference_solution(t, 10, 3), looked_at
        )


def test_choose_half_width_is_a_quantile_of_the_distances():
    pairs = dates.pairs(200)
    links = [link for pair in pairs for link in pair.sure]
    centers = np.array([t for t, _ in links], float)
    positions = np.array([s for _, s in links])
    distances = np.sort(abs(positions - centers))
    for share in (0.5, 0.9, 1.0):
        expected = max(1, distances[int(np.ceil(share * len(links))) - 1])
        assert (
            luong_local.choose_half_width.reference_solution(centers, positions, share)
            == expected
        )
