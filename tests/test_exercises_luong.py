"""The exercises of chapters 05 and 06: their solutions against something independent,
wrong answers that have to be refused, by name where they are frequent, and right ones
in unusual styles.
"""

import ast
import collections
import contextlib
import itertools
import json
import math
import warnings
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from attnlib import reference as ref
from attnlib.exercises import _mistakes, luong_global, luong_local
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


def test_gather_window_holds_what_the_window_of_the_reference_attends_to():
    query, values = tensors((2, 3, 4), (2, 9, 4))
    mask = np.arange(9) < np.array([[9], [5]])
    centers = np.array([[0.2, 3.7, 8.99], [4.2, 2.0, 0.5]])
    window, inside = luong_local.gather_window.reference_solution(
        values, centers, 2, mask
    )
    scores = np.einsum("btd,btkd->btk", query, window)
    distance = np.arange(-2, 3) - (centers % 1)[:, :, None]
    weights = ref.softmax(scores, inside) * np.exp(-(distance**2) / 2)
    context, _ = ref.local_attend(query, values, values, centers, 2, mask=mask)
    assert_allclose(np.einsum("btk,btkd->btd", weights, window), context)


def test_window_attend_is_the_reference():
    query, values = tensors((4,), (9, 4))
    for center in (0.3, 4.0, 6.95, 8.5):
        context, weights = luong_local.window_attend.reference_solution(
            query, values, center, 3
        )
        expected, over_source = ref.local_attend(
            query[None, None], values[None], values[None], [[center]], 3
        )
        assert_allclose(context, expected[0, 0])
        assert_allclose(weights, over_source[0, 0][over_source[0, 0] > 0])


def test_local_step_is_that_of_the_decoder():
    from attnlib.backend import keras
    from attnlib.decoders import LuongDecoder
    from attnlib.layers import LocalAttention

    keras.utils.set_random_seed(0)
    decoder = LuongDecoder(4, LocalAttention("general", "predictive", 2))
    decoder.build(3, 6, (4,))
    source_states, state, word = (
        x.astype("float32") for x in tensors((2, 9, 6), (2, 4), (2, 3))
    )
    mask = np.array([[True] * 9, [True] * 5 + [False] * 4])
    memory = decoder.prepare_memory(source_states, None, mask)
    start = {"h": state, "t": np.zeros(2, "int32")}
    following, attentional, over_source = decoder.step(start, word, memory)
    layer, query = decoder.attention, following["h"][:, None]
    centers = layer.centers(query, np.array([9, 5]))

    def gru(inputs, state):
        return decoder.cell(inputs.astype("float32"), [state])[0].numpy()

    matrices = {weight.name: weight.numpy() for weight in layer.weights}
    result = luong_local.local_step.reference_solution(
        *(state, word, source_states, mask, matrices["w"], matrices["w_p"]),
        *(matrices["v_p"], 2, decoder.combine.get_weights()[0], gru),
    )
    expected = following["h"], attentional, over_source, centers[:, 0]
    for one, other in zip(result, expected, strict=True):
        assert_allclose(one, other, atol=1e-5)


# What the texts promise


def test_gather_window_by_hand_as_the_chapter_gives_it():
    values = np.array([[[5.0], [6.0], [7.0], [8.0]]])
    window, inside = luong_local.gather_window.reference_solution(
        values, np.array([[0.6]]), 1, np.ones((1, 4), bool)
    )
    assert_array_equal(window[0, 0, :, 0], [0, 5, 6])
    assert_array_equal(inside[0, 0], [False, True, True])


def test_local_attend_by_hand_as_the_chapter_gives_it():
    values = np.arange(4.0)[None, :, None]  # (batch, source_len, value_dim)
    context, weights = luong_local.local_attend.reference_solution(
        np.zeros((1, 1, 4)), values, np.array([[1.5]]), 1, np.ones((1, 4), bool)
    )
    assert_allclose(weights[0, 0], [0.0037, 0.2022, 0.2022, 0], atol=5e-5)
    assert_allclose(context, [[[0.6065]]], atol=5e-5)


def test_window_attend_starts_with_weights_that_the_center_does_not_move():
    starter = luong_local.window_attend.starter
    solution = luong_local.window_attend.reference_solution
    query, values = tensors((2,), (8, 2))
    for one, other in itertools.pairwise((3.0, 3.25, 3.9)):
        assert_array_equal(
            starter(query, values, one, 2)[1], starter(query, values, other, 2)[1]
        )
        assert (
            solution(query, values, one, 2)[1] != solution(query, values, other, 2)[1]
        ).all()


def test_local_step_of_nothing_is_its_recurrence():
    arguments = tensors((1, 2), (1, 3), (1, 4, 2))
    mask, matrices = np.zeros((1, 4), bool), tensors((2, 2), (2, 2), (2,))
    (w_c,) = tensors((4, 2))
    new_state, attentional, weights, center = luong_local.local_step.reference_solution(
        *arguments, mask, *matrices, 2, w_c, lambda word, state: word[:, :2] + 2 * state
    )
    assert_allclose(new_state, arguments[1][:, :2] + 2 * arguments[0])
    assert_array_equal(weights, np.zeros((1, 4)))
    assert_array_equal(center, [0])
    assert_allclose(attentional, np.tanh(new_state @ w_c[2:]))


def test_own_parts_of_chapter_6_are_those_that_pass(capsys):
    solution = luong_local.local_step.reference_solution
    own = {"local_step": solution, "local_attend": lambda *_: None}
    assert luong_local.own_parts(own) == {"local_step": solution}
    assert capsys.readouterr().out.splitlines() == [
        "predicted_center    ours, because yours is not written yet",
        "local_attend        ours, because yours is not written yet",
        "local_step          the solution",
    ]


# Wrong answers. Each is written as a reader would, not as the module has it.


def by_loops(position_of, is_inside):
    """A gather_window in loops, from functions of (center, k) and of (position, mask of
    the sentence, length).
    """

    def answer(values, centers, half_width, mask):
        shape = (*centers.shape, 2 * half_width + 1)
        window, inside = np.zeros((*shape, values.shape[2])), np.zeros(shape, bool)
        for b, t, k in np.ndindex(shape):
            s = position_of(centers[b, t], k - half_width)
            inside[b, t, k] = is_inside(s, mask[b], len(mask[b]))
            if inside[b, t, k]:
                window[b, t, k] = values[b, np.clip(s, -len(mask[b]), len(mask[b]) - 1)]
        return window, inside

    return answer


WRONG_GATHERS = {
    "Positions outside the sentence count as inside": by_loops(
        lambda center, k: max(0, math.floor(center) + k),
        lambda s, mask, length: mask[min(s, length - 1)],
    ),
    "Padding counts as inside in your result": by_loops(
        lambda center, k: math.floor(center) + k,
        lambda s, mask, length: 0 <= s < length,
    ),
    "You round the centers": by_loops(
        lambda center, k: round(center) + k,
        lambda s, mask, length: 0 <= s < length and mask[s],
    ),
}


@pytest.mark.parametrize("message", WRONG_GATHERS)
def test_gather_window_names_frequent_mistakes(message):
    assert plain(luong_local.gather_window, WRONG_GATHERS[message]).startswith(message)


def test_gather_window_accepts_loops():
    right = by_loops(
        lambda center, k: math.floor(center) + k,
        lambda s, mask, length: 0 <= s < length and mask[s],
    )
    assert luong_local.gather_window.check(right).passed


def test_local_step_accepts_a_step_of_the_other_exercises():
    def step(state, word, source_states, mask, w_a, w_p, v_p, half_width, w_c, gru):
        query = gru(word, state)[:, None]
        centers = luong_local.predicted_center.reference_solution(query, w_p, v_p, mask)
        context, weights = luong_local.local_attend.reference_solution(
            query @ w_a @ source_states.swapaxes(1, 2),
            source_states,
            centers,
            half_width,
            mask,
        )
        attentional = np.tanh(np.concatenate([context, query], axis=2) @ w_c)
        return query[:, 0], attentional[:, 0], weights[:, 0], centers[:, 0]

    assert luong_local.local_step.check(step).passed


def plain(exercise, answer):
    """The check's message on one line, after the name of the exercise."""
    result = exercise.check(answer)
    assert result.attempted and not result.passed, result
    return result.message.removeprefix(f"Not yet: {exercise.name}.\n").replace(
        "\n", " "
    )


def masked(scores, mask, fill=-np.inf):
    return np.where(mask, scores, fill)


def loop_of_dots(query, keys, product=np.dot):
    shape = (*query.shape[:2], keys.shape[1])
    scores = [product(query[b, t], keys[b, s]) for b, t, s in np.ndindex(shape)]
    return np.array(scores).reshape(shape)


WRONG_SCORES = {
    "keys.T reverses all axes": (
        lambda query, keys: query @ keys.T,
        lambda query, keys: np.matmul(query, np.transpose(keys)),
    ),
    "You multiply by the keys without transposing": (
        lambda query, keys: query @ keys,
        lambda query, keys: np.matmul(query, keys),
    ),
    "`*` multiplies element by element": (
        lambda query, keys: query * keys,
        lambda query, keys: np.multiply(query, keys),
    ),
    "You exchanged two axes": (
        lambda query, keys: np.einsum("btd,bsd->bst", query, keys),
        lambda query, keys: keys @ np.swapaxes(query, 1, 2),
    ),
    "You divide by the square root of the dimension": (
        lambda query, keys: loop_of_dots(query, keys) / keys.shape[2] ** 0.5,
        lambda query, keys: query @ (keys / np.sqrt(keys.shape[2])).swapaxes(1, 2),
    ),
    "You divide by the dimension": (
        lambda query, keys: (query[:, :, None] * keys[:, None]).mean(axis=-1),
        lambda query, keys: loop_of_dots(query, keys) / len(query[0, 0]),
    ),
    "These are weights": (
        lambda query, keys: ref.attend(query @ keys.swapaxes(1, 2), keys)[1],
        lambda query, keys: ref.softmax(loop_of_dots(query, keys)),
    ),
    "Your score of query t belongs to key t alone": (
        lambda query, keys: np.einsum("btd,btd->bt", query, keys),
        lambda query, keys: np.sum(np.multiply(query, keys), axis=2),
    ),
    "[:, None, :] and [None, :, :] pair the positions of one sentence": (
        lambda query, keys: np.multiply(
            np.expand_dims(query, 1), np.expand_dims(keys, 0)
        ).sum(axis=-1),
        lambda query, keys: np.sum(query[:, None, :] * keys[None, :, :], axis=3),
    ),
    "You mix sentences": (
        lambda query, keys: np.inner(query, keys),
        lambda query, keys: np.dot(query, keys.transpose()),
        lambda query, keys: query @ keys[0].T,
        lambda query, keys: np.tensordot(query, keys[0], axes=([2], [1])),
    ),
    "You divide by the norms": (
        lambda query, keys: loop_of_dots(
            query, keys, lambda a, b: a @ b / np.sqrt((a @ a) * (b @ b))
        ),
        lambda query, keys: (
            query
            @ keys.swapaxes(1, 2)
            / np.linalg.norm(query, axis=2)[:, :, None]
            / np.linalg.norm(keys, axis=2)[:, None, :]
        ),
    ),
}


@pytest.mark.parametrize("message", WRONG_SCORES)
def test_dot_scores_names_frequent_mistakes(message):
    for answer in WRONG_SCORES[message]:
        assert plain(luong_global.dot_scores, answer).startswith(message)


@pytest.mark.parametrize(
    "message",
    [m for m in WRONG_SCORES if not m.startswith(("`*`", "You divide by the n"))],
)
def test_general_scores_names_frequent_mistakes_of_the_dot_product(message):
    for wrong in WRONG_SCORES[message]:

        def answer(query, keys, w, wrong=wrong):
            return wrong(np.einsum("btq,qk->btk", query, w), keys)

        assert plain(luong_global.general_scores, answer).startswith(message)


WRONG_GENERAL_SCORES = {
    "w is transposed": (
        lambda query, keys, w: np.matmul(query, w.T) @ np.swapaxes(keys, 2, 1),
        lambda query, keys, w: query @ (keys @ w).swapaxes(1, 2),
    ),
    "w is missing": (lambda query, keys, w: query @ keys.swapaxes(1, 2),),
    "There is no tanh in this score": (
        lambda query, keys, w: np.tanh(query @ w @ keys.swapaxes(1, 2)),
        lambda query, keys, w: ref.dot_scores(np.tanh(query @ w), keys),
    ),
}


@pytest.mark.parametrize("message", WRONG_GENERAL_SCORES)
def test_general_scores_names_frequent_mistakes(message):
    for answer in WRONG_GENERAL_SCORES[message]:
        assert plain(luong_global.general_scores, answer).startswith(message)


def concat_by_loops(score):
    """score(query, key, w, v) of each pair."""

    def answer(query, keys, w, v):
        shape = (*query.shape[:2], keys.shape[1])
        scores = [score(query[b, t], keys[b, s], w, v) for b, t, s in np.ndindex(shape)]
        return np.array(scores).reshape(shape)

    return answer


WRONG_CONCAT_SCORES = {
    "You take the tanh of each part": lambda q, k, w, v: (
        v @ (np.tanh(q @ w[: len(q)]) + np.tanh(k @ w[len(q) :]))
    ),
    "You concatenate [key ; query]": lambda q, k, w, v: v @ np.tanh(np.r_[k, q] @ w),
    "tanh is missing": lambda q, k, w, v: v @ (np.r_[q, k] @ w),
    "v is missing": lambda q, k, w, v: np.tanh(np.r_[q, k] @ w).sum(),
    "You take the tanh after multiplying by v": lambda q, k, w, v: np.tanh(
        v @ (np.r_[q, k] @ w)
    ),
    "Your keys are not multiplied by their half": lambda q, k, w, v: (
        v @ np.tanh(q @ w[: len(q)] + k)
    ),
    "w is transposed": lambda q, k, w, v: v @ np.tanh(w @ np.r_[q, k]),
}


@pytest.mark.parametrize("message", list(WRONG_CONCAT_SCORES)[:5])
def test_concat_scores_names_frequent_mistakes(message):
    answer = concat_by_loops(WRONG_CONCAT_SCORES[message])
    assert plain(luong_global.concat_scores, answer).startswith(message)


def concat_of_halves(query_axes, key_axes):
    """The concat score with other new axes: functions of a projection."""

    def answer(query, keys, w, v):
        of_query, of_keys = np.split(w, [query.shape[2]])
        hidden = query_axes(query @ of_query) + key_axes(keys @ of_keys)
        return np.einsum("...u,u", np.tanh(hidden), v)

    return answer


@pytest.mark.parametrize(
    ("query_axes", "key_axes", "message"),
    [
        (lambda q: q, lambda k: k, "Your score of query t belongs to key t alone."),
        (lambda q: q[:, None], lambda k: k[None], "[:, None, :] and [None, :, :] pair"),
        (
            lambda q: np.expand_dims(q, 2),
            lambda k: np.expand_dims(k, 0),
            "[:, None, :] and [None, :, :] pair",
        ),
        (lambda q: q[:, None], lambda k: k[:, :, None], "You exchanged two axes"),
        (lambda q: q[:, None], lambda k: k[:, None], "The result should have shape"),
    ],
)
def test_concat_scores_names_axes_of_one_sentence(query_axes, key_axes, message):
    answer = concat_of_halves(query_axes, key_axes)
    assert plain(luong_global.concat_scores, answer).startswith(message)


@pytest.mark.parametrize("message", list(WRONG_CONCAT_SCORES)[5:])
def test_concat_scores_refuses_what_fits_only_some_shapes(message):
    answer = concat_by_loops(WRONG_CONCAT_SCORES[message])
    assert "expected" in plain(luong_global.concat_scores, answer)


def location_answer(weigh):
    """weigh(scores, mask), both of the shape of the weights."""

    def answer(query, w, mask):
        scores = np.einsum("btq,qs->bts", query, w)[..., : mask.shape[1]]
        return weigh(scores, np.broadcast_to(mask[:, None, :], scores.shape))

    return answer


def exponentials_over_sum(scores, allowed=1.0, guard=True):
    exponentials = np.exp(scores) * allowed
    total = exponentials.sum(axis=-1, keepdims=True)
    return exponentials / (np.where(total == 0, 1, total) if guard else total)


def highest(scores):
    return np.max(scores, axis=-1, keepdims=True)


WRONG_LOCATION_WEIGHTS = {
    _mistakes.OVERFLOWS: lambda scores, mask: exponentials_over_sum(
        masked(scores, mask)
    ),
    "With nothing to attend to, one number": lambda scores, mask: ref.softmax(
        masked(scores, mask, -1e9)
    ),
    "Adding -1e9": lambda scores, mask: ref.softmax(scores + np.where(mask, 0, -1e9)),
    "The maximum you subtract": lambda scores, mask: exponentials_over_sum(
        scores - highest(scores), mask
    ),
    _mistakes.TIMES_SCORES: lambda scores, mask: ref.softmax(scores * mask),
    "You set padding to zero after": lambda scores, mask: ref.softmax(scores) * mask,
    "Your mask is inverted": lambda scores, mask: ref.softmax(scores, ~mask),
    "Your function ignores the mask": lambda scores, mask: ref.softmax(scores),
    "You count the words and take as many from the front": lambda scores, mask: (
        ref.softmax(scores, np.sort(mask, axis=-1)[..., ::-1])
    ),
    "Your weights sum to one over the queries": lambda scores, mask: ref.softmax(
        scores.swapaxes(1, 2), mask.swapaxes(1, 2)
    ).swapaxes(1, 2),
    "These are scores": lambda scores, mask: scores.copy(),
}


@pytest.mark.parametrize("message", WRONG_LOCATION_WEIGHTS)
def test_location_weights_names_frequent_mistakes(message):
    answer = location_answer(WRONG_LOCATION_WEIGHTS[message])
    assert plain(luong_global.location_weights, answer).startswith(message)


@pytest.mark.parametrize(
    "weigh",
    [
        lambda scores, mask: ref.softmax(np.clip(scores, -700, 700), mask),
        lambda scores, mask: exponentials_over_sum(
            masked(scores - scores.mean(axis=-1, keepdims=True), mask)
        ),
        lambda scores, mask: (
            ref.softmax(masked(scores, mask, -2000.0))
            * mask.any(axis=-1, keepdims=True)
        ),
    ],
)
def test_location_weights_refuses_what_is_right_for_tame_scores(weigh):
    wrong = location_answer(weigh)
    tame, w, mask = np.ones((1, 2, 3)), np.ones((3, 4)), np.array([[True] * 3])
    expected = luong_global.location_weights.reference_solution(tame, w, mask)
    assert_allclose(wrong(tame, w, mask), expected)
    plain(luong_global.location_weights, wrong)


def test_location_weights_names_columns_beyond_the_source():
    def normalized_again(query, w, mask):
        whole = np.zeros((len(mask), 1, w.shape[1]), bool)
        whole[:, 0, : mask.shape[1]] = mask
        weights = ref.softmax(query @ w) * whole
        weights = weights[..., : mask.shape[1]]
        return weights / np.maximum(weights.sum(axis=-1, keepdims=True), 1e-300)

    message = plain(luong_global.location_weights, normalized_again)
    assert message.startswith("Columns beyond the source have a part in your softmax.")

    def last_columns(query, w, mask):
        first = w.shape[1] - mask.shape[1]
        return ref.softmax((query @ w)[..., first:], mask[:, None])

    message = plain(luong_global.location_weights, last_columns)
    assert message.startswith("You keep the last columns.")


def step_answer(
    query="new",
    inputs=("word", "fed"),
    before="state",
    parts=("context", "new"),
    finish=lambda joined, w_c: np.tanh(joined @ w_c),
    results=("new", "attentional", "weights"),
    mask_of=lambda mask: mask,
):
    """The step with einsum in place of the reference's functions, and one change."""

    def answer(state, fed, word, annotations, mask, w_c, gru):
        names = {"state": state, "fed": fed, "word": word}
        joined = np.concatenate([names[name] for name in inputs], axis=1)
        names["new"] = gru(joined, names[before])
        scores = np.einsum("bu,bsu->bs", names[query], annotations)
        names["weights"] = ref.softmax(scores, mask_of(mask))
        names["context"] = np.einsum("bs,bsu->bu", names["weights"], annotations)
        joined = np.concatenate([names[name] for name in parts], axis=1)
        names["attentional"] = finish(joined, w_c)
        return tuple(names[name] for name in results)

    return answer


WRONG_STEPS = {
    "Your query is the previous state": {"query": "state"},
    "Your query is fed": {"query": "fed"},
    "Your query is the word": {"query": "word"},
    "The input of gru is [word ; fed]": {"inputs": ("fed", "word")},
    "You give fed to gru as its state": {"before": "fed"},
    "You concatenate [h_t ; c_t]": {"parts": ("new", "context")},
    "You join the context and the previous state": {"parts": ("context", "state")},
    "You join the context and fed": {"parts": ("context", "fed")},
    "tanh is missing from h~": {"finish": np.matmul},
    "You take the tanh of [c_t ; h_t] before": {
        "finish": lambda joined, w_c: np.tanh(joined) @ w_c
    },
    "You return (attentional, new_state, weights)": {
        "results": ("attentional", "new", "weights")
    },
    "You return h~_t as the new state": {
        "results": ("attentional", "attentional", "weights")
    },
    "Your second value is the context": {"results": ("new", "context", "weights")},
    "Your function ignores the mask": {"mask_of": lambda mask: None},
    "Your mask is inverted": {"mask_of": np.logical_not},
    "You count the words and take as many from the front": {
        "mask_of": lambda mask: -np.sort(-mask.astype(int), axis=1) > 0
    },
}


@pytest.mark.parametrize("message", [m for m in WRONG_STEPS if "the word" not in m])
def test_input_feeding_step_names_frequent_mistakes(message):
    answer = step_answer(**WRONG_STEPS[message])
    assert plain(luong_global.input_feeding_step, answer).startswith(message)


@pytest.mark.parametrize(
    ("context_of", "message"),
    [
        (lambda w, a: np.matmul(w, a), "Your context has an axis too many."),
        (lambda w, a: w[:, None, :] @ a, "Your context has an axis too many."),
        (lambda w, a: np.sum(w * a, axis=1), "A weight (batch, source_len) belongs"),
        (lambda w, a: np.einsum("bs,bsu->u", w, a), "Your code raised ValueError"),
    ],
)
def test_input_feeding_step_names_a_context_of_another_shape(context_of, message):
    def answer(state, fed, word, annotations, mask, w_c, gru):
        new = gru(np.concatenate([word, fed], axis=1), state)
        weights = ref.softmax(np.einsum("bu,bsu->bs", new, annotations), mask)
        context = context_of(weights, annotations)
        return new, np.tanh(np.concatenate([context, new], axis=-1) @ w_c), weights

    assert plain(luong_global.input_feeding_step, answer).startswith(message)


def test_input_feeding_step_names_weights_with_an_axis_more():
    def answer(*arguments):
        *states, weights = step_answer()(*arguments)
        return *states, np.expand_dims(weights, 1)

    message = plain(luong_global.input_feeding_step, answer)
    assert message.startswith("Your weights still have the axis of length 1")


def test_input_feeding_step_names_a_kept_state_of_an_empty_sentence():
    right = step_answer()

    def answer(state, fed, word, annotations, mask, w_c, gru):
        def careful(inputs, before):
            empty = ~mask.any(axis=1, keepdims=True)
            return np.where(empty, before, gru(inputs, before))

        return right(state, fed, word, annotations, mask, w_c, careful)

    message = plain(luong_global.input_feeding_step, answer)
    assert message.startswith(
        "With nothing to attend to, your new state is the old one"
    )


# Local attention


def window(t, source_len, half_width, first=0, ahead=1, back=1):
    """The positions from a list; first: the first there is. ahead, back: how many times
    half_width the window extends.
    """
    center = min(t, source_len - 1)
    low, high = center - back * half_width, center + ahead * half_width
    return np.array(
        [s for s in range(first, source_len) if low <= s <= high], dtype=int
    )


WRONG_WINDOWS = {
    "np.clip moves the positions": lambda t, n, d: np.clip(
        np.arange(-d, d + 1) + min(t, n - 1), 0, n - 1
    ),
    "Past the last word": lambda t, n, d: np.unique(
        np.clip(np.arange(-d, d + 1) + t, 0, n - 1)
    ),
    "Your window only looks ahead": lambda t, n, d: window(t, n, d, back=0),
    "Your window only looks back": lambda t, n, d: window(t, n, d, ahead=0),
    "Your window starts before the first word": lambda t, n, d: window(
        t, n, d, first=-d
    ),
    "Your window leaves out both of its ends": lambda t, n, d: np.array(
        [s for s in range(n) if abs(s - min(t, n - 1)) < d], dtype=int
    ),
    "The last position of the window is missing": lambda t, n, d: window(t, n, d)[:-1],
    "Positions are counted from 0": lambda t, n, d: window(t, n, d) + 1,
    "Steps are counted from 0": lambda t, n, d: window(t + 1, n, d),
    "You take D as the width of the whole window": lambda t, n, d: window(t, n, d // 2),
    "You return a mask": lambda t, n, d: np.isin(np.arange(n), window(t, n, d)),
}


@pytest.mark.parametrize("message", WRONG_WINDOWS)
def test_monotonic_window_names_frequent_mistakes(message):
    wrong = WRONG_WINDOWS[message]

    def answer(t, source_len, half_width):
        return wrong(t, source_len, half_width)

    assert plain(luong_local.monotonic_window, answer).startswith(message)


SPELLED_WINDOWS = [
    (
        "The last word of the sentence is missing",
        lambda t, n, d: np.array([s for s in window(t, n, d) if s < n - 1]),
    ),
    (
        "The first position of the window is missing",
        lambda t, n, d: np.arange(
            max(min(t, n - 1) - d + 1, 0), min(n, min(t, n - 1) + d + 1)
        ),
    ),
    ("The first position of the window", lambda t, n, d: window(t, n, d)[1:]),
    ("Positions are counted from 0", lambda t, n, d: window(t, n, d, first=1)),
    (
        "The last position of the window is missing",
        lambda t, n, d: np.array(
            [s for s in range(min(t, n - 1) - d, min(t, n - 1) + d) if 0 <= s < n]
        ),
    ),
    (
        "Your window is one position too long",
        lambda t, n, d: np.arange(
            max(0, min(t, n - 1) - d), min(n, min(t, n - 1) + d + 2)
        ),
    ),
    (
        "Past the last word",
        lambda t, n, d: window(t, n, d) if t < n else np.array([]),
    ),
    ("Past the last word", lambda t, n, d: window(t, n, d) if t < n else np.r_[n - 1]),
    ("Past the last word", lambda t, n, d: window(t % n, n, d)),
    (
        "The center itself is missing",
        lambda t, n, d: np.setdiff1d(window(t, n, d), [min(t, n - 1)]),
    ),
]


@pytest.mark.parametrize("place", range(len(SPELLED_WINDOWS)))
def test_monotonic_window_names_a_second_spelling(place):
    message, wrong = SPELLED_WINDOWS[place]
    said = plain(
        luong_local.monotonic_window,
        lambda t, source_len, half_width: wrong(t, source_len, half_width),
    )
    assert said.startswith(message)


def test_monotonic_window_shows_positions_where_lengths_differ():
    said = plain(
        luong_local.monotonic_window,
        lambda t, source_len, half_width: window(t, source_len, half_width)[::2],
    )
    assert "expected  [2, 3, 4, 5, 6]   got       [2, 4, 6]" in said


def center_answer(length, share=lambda x: 1 / (1 + np.exp(-x)), shift=0.0):
    """length(row) of each mask; share: what is taken of v_p . tanh(h w_p)."""

    def answer(query, w_p, v_p, mask):
        lengths = np.array([[length(row)] for row in mask], float)
        return (
            lengths * share(np.einsum("btu,u->bt", np.tanh(query @ w_p), v_p)) + shift
        )

    return answer


def last_true(row):
    return max((s + 1 for s, real in enumerate(row) if real), default=0)


def first_false(row):
    return next((s for s, real in enumerate(row) if not real), len(row))


WRONG_CENTERS = {
    "You use the padded length": center_answer(len),
    "You count the words": center_answer(np.sum),
    "You take the first False": center_answer(first_false),
    "For a row without any True, your S is the padded": center_answer(
        lambda row: last_true(row) or len(row)
    ),
    "You multiply by the position of the last True": center_answer(
        lambda row: last_true(row) - 1
    ),
    "This is the fraction": center_answer(lambda row: 1),
    "Positions are counted from 0": center_answer(last_true, shift=1.0),
    "exp overflows at 1000": center_answer(
        last_true, lambda x: np.exp(x) / (np.exp(x) + 1)
    ),
    "The sigmoid is missing": center_answer(last_true, lambda x: x),
    "The minus sign in the sigmoid": center_answer(
        last_true, lambda x: 1 - 1 / (1 + np.exp(-x))
    ),
    "You take a softmax": center_answer(last_true, ref.softmax),
}


@pytest.mark.parametrize("message", WRONG_CENTERS)
def test_predicted_center_names_frequent_mistakes(message):
    message_got = plain(luong_local.predicted_center, WRONG_CENTERS[message])
    assert message_got.startswith(message)


def last_true_of_five(row):
    return max((s + 1 for s, real in enumerate(row) if real), default=1)


SPELLED_CENTERS = [
    ("For a row without any True, your S is 1", center_answer(last_true_of_five)),
    (
        "For a row without any True, your S is 1",
        center_answer(lambda row: row.cumsum().argmax() + 1),
    ),
    (
        "You multiply by the position of the last True",
        center_answer(lambda row: max(last_true(row) - 1, 0)),
    ),
    (
        "You multiply by the position of the last True",
        center_answer(lambda row: len(row) - 1 - row[::-1].argmax()),
    ),
    ("Your mask is inverted", center_answer(lambda row: last_true(~row))),
    ("Your mask is inverted", center_answer(lambda row: np.sum(~row))),
    ("You take a tanh where the sigmoid", center_answer(last_true, np.tanh)),
]


@pytest.mark.parametrize("place", range(len(SPELLED_CENTERS)))
def test_predicted_center_names_a_second_spelling(place):
    message, answer = SPELLED_CENTERS[place]
    said = plain(luong_local.predicted_center, answer)
    assert said.startswith(message) and "argmax" not in said


@pytest.mark.parametrize("convert", [np.floor, np.round, np.ceil, np.trunc])
@pytest.mark.parametrize("dtype", [float, int])
def test_predicted_center_names_rounding_whatever_the_type(convert, dtype):
    right = center_answer(last_true)

    def answer(query, w_p, v_p, mask):
        return convert(right(query, w_p, v_p, mask)).astype(dtype)

    said = plain(luong_local.predicted_center, answer)
    assert said.startswith("You round the center.")


def test_predicted_center_names_a_length_for_each_query():
    def answer(query, w_p, v_p, mask):
        lengths = np.array([last_true(row) for row in mask])  # (batch,)
        return lengths / (1 + np.exp(-np.tanh(query @ w_p) @ v_p))

    message = plain(luong_local.predicted_center, answer)
    assert message.startswith("S belongs to the sentence")


def gaussian_answer(of_distance, axis=2):
    """of_distance(distance, half_width) times the weights; axis: that of centers."""

    def answer(weights, centers, half_width):
        distance = np.arange(weights.shape[2]) - np.expand_dims(centers, axis)
        return weights * of_distance(distance, half_width)

    return answer


def gaussian(distance, half_width):
    return np.exp(-2 * (distance / half_width) ** 2)


WRONG_GAUSSIANS = {
    "`//` drops the half": gaussian_answer(
        lambda d, D: np.exp(-0.5 * (d / (D // 2)) ** 2)
    ),
    "sigma is D / 2": gaussian_answer(lambda d, D: np.exp(-0.5 * (d / D) ** 2)),
    "2 is missing": gaussian_answer(lambda d, D: np.exp(-((2 * d / D) ** 2))),
    "The distance should be squared": gaussian_answer(
        lambda d, D: np.exp(-2 * abs(d) / D**2)
    ),
    "In the denominator, sigma should be squared": gaussian_answer(
        lambda d, D: np.exp(-(d**2) / D)
    ),
    "The minus sign is missing": gaussian_answer(lambda d, D: np.exp(2 * (d / D) ** 2)),
    "Your Gaussian has the factor": gaussian_answer(
        lambda d, D: gaussian(d, D) / np.sqrt(2 * np.pi * (D / 2) ** 2)
    ),
    "You round the center": gaussian_answer(lambda d, D: gaussian(np.ceil(d), D)),
    "Positions are counted from 0": gaussian_answer(lambda d, D: gaussian(d + 1, D)),
    "You also cut the window out": gaussian_answer(
        lambda d, D: gaussian(d, D) * (abs(d) <= D)
    ),
    "Each query has its own center": gaussian_answer(gaussian, axis=1),
}


# Parentheses that are missing or wrong: functions of the distance and D.
WRONG_PARENTHESES = {
    "-d**2 / 2 * sigma**2 multiplies by sigma^2": (
        lambda d, D: np.exp(-(d**2) / 2 * (D / 2) ** 2),
        lambda d, D: np.exp(-0.5 * d**2 * D**2 / 4),
    ),
    "You square 2 along with sigma": (
        lambda d, D: np.exp(-(d**2) / (2 * D / 2) ** 2),
        lambda d, D: np.exp(-((d / D) ** 2)),
    ),
    "You square the whole fraction": (
        lambda d, D: np.exp(-((d / (2 * (D / 2) ** 2)) ** 2)),
    ),
    "In the denominator, all of sigma should be squared": (
        lambda d, D: np.exp(-(d**2) / (2 * D / 2**2)),
    ),
    "The distance should be squared": (lambda d, D: np.exp(-2 * d / D**2),),
    "2 is missing in the denominator": (lambda d, D: gaussian(d, D) ** 2,),
    "The minus sign is missing": (lambda d, D: np.exp(2 * (d / D) ** 2),),
}


@pytest.mark.parametrize("message", WRONG_PARENTHESES)
def test_gaussian_weights_and_local_attend_name_wrong_parentheses(message):
    for around in WRONG_PARENTHESES[message]:
        answer = gaussian_answer(around)
        assert plain(luong_local.gaussian_weights, answer).startswith(message)
        answer = local_answer(around=around)
        assert plain(luong_local.local_attend, answer).startswith(message)


@pytest.mark.parametrize(
    "around",
    [
        lambda d, D: gaussian(d, D) ** 3,
        lambda d, D: np.exp(-(d**2) / 2 * D / 2),
        lambda d, D: np.exp(-abs(d) / D),
    ],
)
def test_gaussian_weights_and_local_attend_give_another_exponent_no_name(around):
    message = plain(luong_local.gaussian_weights, gaussian_answer(around))
    assert message.startswith("The result:")
    message = plain(luong_local.local_attend, local_answer(around=around))
    assert message.startswith("context:")


@pytest.mark.parametrize("message", WRONG_GAUSSIANS)
def test_gaussian_weights_names_frequent_mistakes(message):
    message_got = plain(luong_local.gaussian_weights, WRONG_GAUSSIANS[message])
    assert message_got.startswith(message)


def with_centers(change):
    """The right Gaussian of changed centers: a function (centers, source_len)."""

    def answer(weights, centers, half_width):
        changed = change(centers, weights.shape[2])
        return gaussian_answer(gaussian)(weights, changed, half_width)

    return answer


def gaussian_over(statistic):
    def answer(weights, centers, half_width):
        factor = gaussian_answer(gaussian)(np.ones(weights.shape), centers, half_width)
        return weights * (factor / statistic(factor, axis=-1, keepdims=True))

    return answer


SPELLED_GAUSSIANS = [
    ("You round the center", with_centers(lambda c, n: np.ceil(c))),
    ("You round the center", with_centers(lambda c, n: c.astype(int))),
    ("You move a center outside", with_centers(lambda c, n: c.clip(0, n - 1))),
    ("You move a center outside", with_centers(lambda c, n: np.maximum(c, 0))),
    ("You divide the Gaussian by its sum", gaussian_over(np.sum)),
    ("You divide the Gaussian by its sum", gaussian_over(np.max)),
]


@pytest.mark.parametrize("place", range(len(SPELLED_GAUSSIANS)))
def test_gaussian_weights_names_a_second_spelling(place):
    message, answer = SPELLED_GAUSSIANS[place]
    assert plain(luong_local.gaussian_weights, answer).startswith(message)


def local_answer(
    middle=np.floor,
    mask_of=lambda mask: mask[:, None],
    weigh=ref.softmax,
    around=gaussian,
    less=0,
):
    """Local attention in another spelling, with one change."""

    def answer(scores, values, centers, half_width, mask):
        positions = np.arange(scores.shape[2])
        far = abs(positions - middle(centers)[..., None]) > half_width - less
        inside = ~far & mask_of(mask)
        weights = weigh(scores, inside)
        weights = weights * around(positions - centers[..., None], half_width)
        return np.einsum("bts,bsd->btd", weights, values), weights

    return answer


WRONG_LOCAL = {
    "Your window is placed at the rounded center": local_answer(middle=np.rint),
    "int rounds toward zero": local_answer(middle=lambda c: c.astype(int)),
    "Your window is placed above the center": local_answer(middle=np.ceil),
    "Your window is placed at the exact center": local_answer(middle=lambda c: c),
    "Your window leaves out its two ends": local_answer(less=1),
    "Your function ignores the mask": local_answer(mask_of=lambda mask: True),
    "You count the words and take as many from the front": local_answer(
        mask_of=lambda mask: np.sort(mask, axis=1)[:, None, ::-1]
    ),
    "With nothing to attend to in a window, one number": local_answer(
        weigh=lambda scores, inside: ref.softmax(masked(scores, inside, -1e9))
    ),
    "Adding -1e9 or -inf to a score": local_answer(
        weigh=lambda scores, inside: ref.softmax(scores + masked(0, inside, -np.inf))
    ),
    "Padding and positions outside the window": local_answer(
        weigh=lambda scores, inside: exponentials_over_sum(
            scores - highest(scores), inside
        )
    ),
    _mistakes.OVERFLOWS: local_answer(
        weigh=lambda scores, inside: exponentials_over_sum(masked(scores, inside))
    ),
    "What should be left out, padding or positions": local_answer(
        weigh=lambda scores, inside: ref.softmax(masked(scores, inside, 0)) * inside
    ),
    "You take the softmax over all positions": local_answer(
        weigh=lambda scores, inside: ref.softmax(scores) * inside
    ),
    "The Gaussian is missing": local_answer(around=lambda d, D: 1),
    "`//` drops the half": local_answer(
        around=lambda d, D: np.exp(-0.5 * (d / (D // 2)) ** 2)
    ),
    "sigma is D / 2, not D": local_answer(
        around=lambda d, D: np.exp(-0.5 * (d / D) ** 2)
    ),
    "Your Gaussian stands at the integer part": local_answer(
        around=lambda d, D: gaussian(np.ceil(d), D)
    ),
}


def local_parts(combine):
    """Local attention of (scores, inside the window, mask, Gaussian) -> weights."""

    def answer(scores, values, centers, half_width, mask):
        positions = np.arange(scores.shape[2])
        near = abs(positions - np.floor(centers)[..., None]) <= half_width
        factor = gaussian(positions - centers[..., None], half_width)
        weights = combine(scores, near, mask[:, None], factor)
        return weights @ values, weights

    return answer


def local_with_centers(change):
    def answer(scores, values, centers, half_width, mask):
        changed = change(centers, scores.shape[2])
        return local_answer()(scores, values, changed, half_width, mask)

    return answer


def set_to_zero(weights, kept):
    weights = weights.copy()
    weights[~np.broadcast_to(kept, weights.shape)] = 0
    return weights


def local_by_slices(scores, values, centers, half_width, mask):
    weights = np.zeros(scores.shape)
    for b, t in np.ndindex(centers.shape):
        middle = int(np.floor(centers[b, t]))
        inside = slice(max(0, middle - half_width), max(0, middle + half_width))
        part = scores[b, t, inside]
        if part.size:
            weights[b, t, inside] = ref.softmax(part, mask[b, inside])
    distance = np.arange(scores.shape[2]) - centers[..., None]
    weights *= gaussian(distance, half_width)
    return weights @ values, weights


def maximum_over_all(scores, near, mask, factor):
    exponentials = np.where(near & mask, np.exp(scores - highest(scores)), 0)
    total = exponentials.sum(axis=-1, keepdims=True)
    return exponentials / np.where(total > 0, total, 1) * factor


SPELLED_LOCAL = [
    (
        "You take the softmax over the whole source and cut the window out",
        local_parts(
            lambda s, near, mask, g: np.where(near, ref.softmax(s, mask) * g, 0)
        ),
    ),
    (
        "You take the softmax over the whole source and cut the window out",
        local_parts(
            lambda s, near, mask, g: set_to_zero(ref.softmax(s, mask) * g, near)
        ),
    ),
    (
        "You mask the padding after the softmax",
        local_parts(
            lambda s, near, mask, g: set_to_zero(ref.softmax(s, near) * g, mask)
        ),
    ),
    (
        "You take the softmax over all positions",
        local_parts(
            lambda s, near, mask, g: np.where(near & mask, ref.softmax(s) * g, 0)
        ),
    ),
    ("Your window leaves out its right end", local_by_slices),
    (
        "You move a center outside the sentence",
        local_with_centers(lambda c, n: c.clip(0, n - 1)),
    ),
    (
        "Your window and your Gaussian stand at a rounded center",
        local_with_centers(lambda c, n: c.astype(int)),
    ),
    (
        "Your window and your Gaussian stand at a rounded center",
        local_with_centers(lambda c, n: np.rint(c)),
    ),
    (
        "Your mask is True where a position is in the window or",
        local_parts(lambda s, near, mask, g: ref.softmax(s, near | mask) * g),
    ),
    ("Padding and positions outside the window", local_parts(maximum_over_all)),
    (
        "2 is missing in the denominator",
        local_answer(around=lambda d, D: gaussian(d, D) ** 2),
    ),
    (
        "The minus sign is missing",
        local_answer(around=lambda d, D: np.exp(2 * (d / D) ** 2)),
    ),
    (
        "You renormalize after the Gaussian, or put it inside the softmax",
        local_parts(
            lambda s, near, mask, g: ref.softmax(
                np.where(near & mask, s, 0) + np.log(g), near & mask
            )
        ),
    ),
]


@pytest.mark.parametrize("place", range(len(SPELLED_LOCAL)))
def test_local_attend_names_a_second_spelling(place):
    message, answer = SPELLED_LOCAL[place]
    assert plain(luong_local.local_attend, answer).startswith(message)


@pytest.mark.parametrize("fill", [-100, -999, -9999])
@pytest.mark.parametrize("zeros", [True, False])
def test_local_attend_shows_words_where_a_number_is_not_small_enough(fill, zeros):
    answer = local_answer(
        weigh=lambda scores, inside: (
            ref.softmax(masked(scores, inside, fill)) * (inside if zeros else 1)
        )
    )
    said = plain(luong_local.local_attend, answer)
    assert said.startswith("The number that stands in for what may not be attended")
    assert "outside the sentence" not in said and "sentence 5" not in said


@pytest.mark.parametrize("centers_of", [lambda c: np.expand_dims(c, 1), lambda c: c])
def test_local_attend_names_centers_of_the_positions(centers_of):
    def answer(scores, values, centers, half_width, mask):
        distance = np.arange(scores.shape[2]) - centers_of(centers)
        whole = np.arange(scores.shape[2]) - centers_of(np.floor(centers))
        inside = (abs(whole) <= half_width) & mask[:, np.newaxis]
        weights = ref.softmax(scores, inside) * gaussian(distance, half_width)
        return np.einsum("bts,bsd->btd", weights, values), weights

    message = plain(luong_local.local_attend, answer)
    assert message.startswith("Each query has its own center")


@pytest.mark.parametrize("middle", [np.floor, lambda c: np.floor(c) - 1])
def test_local_attend_names_positions_from_one(middle):
    """In the window alone, or in the Gaussian as well."""
    change = (lambda d, D: gaussian(d + 1, D)) if middle is np.floor else gaussian
    answers = [local_answer(middle=middle, around=change)]
    answers.append(local_with_centers(lambda c, n: c - 1))
    for answer in answers:
        message = plain(luong_local.local_attend, answer)
        assert message.startswith("Positions are counted from 0")


def test_local_attend_names_weights_before_the_gaussian():
    def answer(scores, values, centers, half_width, mask):
        context, _ = local_answer()(scores, values, centers, half_width, mask)
        flat = local_answer(around=lambda distance, half_width: 1)
        return context, flat(scores, values, centers, half_width, mask)[1]

    message = plain(luong_local.local_attend, answer)
    assert message.startswith("You return the weights before the Gaussian.")


def test_concat_scores_names_a_w_cut_in_the_middle():
    def answer(query, keys, w, v):
        of_query, of_keys = w[: len(w) // 2], w[len(w) // 2 :]
        hidden = np.tanh((query @ of_query)[:, :, None] + (keys @ of_keys)[:, None])
        return hidden @ v

    message = plain(luong_global.concat_scores, answer)
    assert message.startswith("You cut w in the middle.")


@pytest.mark.parametrize("message", WRONG_LOCAL)
def test_local_attend_names_frequent_mistakes(message):
    assert plain(luong_local.local_attend, WRONG_LOCAL[message]).startswith(message)


def choice_answer(
    middle=np.floor, holds=np.less_equal, enough=np.greater_equal, last=500
):
    def answer(centers, positions, share):
        apart = abs(positions - middle(centers))
        widths = (
            d for d in range(1, last + 1) if enough(holds(apart, d).mean(), share)
        )
        return next(widths, last)

    return answer


def by_quantile(convert, middle=np.floor):
    return lambda centers, positions, share: max(
        1, int(convert(np.quantile(abs(positions - middle(centers)), share)))
    )


WRONG_CHOICES = {
    "By default, np.quantile interpolates": (by_quantile(np.ceil), by_quantile(round)),
    "Your D hardly holds more than the nearest link": (
        choice_answer(holds=lambda apart, d: np.array(np.sum(apart <= d)), last=1000),
        lambda centers, positions, share: max(
            1, int(np.percentile(abs(np.floor(centers) - positions), share))
        ),
    ),
    "Your windows leave out their last position": (
        lambda centers, positions, share: next(
            d
            for d in range(1, 500)
            if np.mean(
                (-d <= positions - np.floor(centers)) & (positions < centers // 1 + d)
            )
            >= share
        ),
    ),
    "You round the centers": (
        choice_answer(np.rint),
        choice_answer(lambda centers: np.floor(centers + 0.5)),
    ),
    "The window is placed at the integer part": (
        choice_answer(lambda centers: centers),
        lambda centers, positions, share: choice_answer(np.copy)(
            centers, positions, share
        ),
    ),
    "int rounds toward zero": (
        choice_answer(lambda centers: centers.astype(int)),
        choice_answer(np.fix),
    ),
    "D holds a position that is exactly D away": (
        choice_answer(holds=np.less),
        choice_answer(holds=lambda apart, d: ~(apart >= d)),
    ),
    "Your D is too large where a smaller one holds exactly `share`": (
        choice_answer(enough=np.greater, last=1000),
        choice_answer(enough=lambda held, share: not held <= share, last=1000),
    ),
}


@pytest.mark.parametrize("message", WRONG_CHOICES)
def test_choose_half_width_names_frequent_mistakes(message):
    for answer in WRONG_CHOICES[message]:
        got = plain(
            luong_local.choose_half_width,
            lambda centers, positions, share, answer=answer: answer(
                centers, positions, share
            ),
        )
        assert got.startswith(message)


def needed(centers, positions):
    return np.sort(abs(positions - np.floor(centers)))


SPELLED_CHOICES = [
    ("D is one too small", lambda c, p, share: choice_answer()(c, p, share) - 1),
    (
        "D is one too small",
        lambda c, p, share: max(1, choice_answer()(c, p, share) - 1),
    ),
    (
        "For a share of 0, your index is -1",
        lambda c, p, share: max(1, int(needed(c, p)[int(np.ceil(share * len(c))) - 1])),
    ),
    (
        "You round the number of links",
        lambda c, p, share: max(1, int(needed(c, p)[int(share * len(c)) - 1])),
    ),
    (
        "You round the number of links",
        lambda c, p, share: next(
            d for d in range(1, 999) if (needed(c, p) <= d).sum() >= int(share * len(c))
        ),
    ),
    (
        "You take the floor of the distance",
        lambda c, p, share: next(
            d for d in range(1, 999) if np.mean(abs(p - c) // 1 <= d) >= share
        ),
    ),
    (
        "The result should be an integer (int), got None (is return missing, or not "
        "always reached?)",
        lambda c, p, share: next(
            (d for d in range(1, 10) if np.mean(needed(c, p) <= d) >= share), None
        ),
    ),
    (
        "Your search for D ends too early",
        lambda c, p, share: choice_answer(last=len(p))(c, p, share),
    ),
    (
        "Your search for D ends too early",
        lambda c, p, share: choice_answer(last=20)(c, p, share),
    ),
]


@pytest.mark.parametrize("place", range(len(SPELLED_CHOICES)))
def test_choose_half_width_names_a_second_spelling(place):
    message, answer = SPELLED_CHOICES[place]
    said = plain(
        luong_local.choose_half_width,
        lambda centers, positions, share: answer(centers, positions, share),
    )
    assert said.startswith(message)


@pytest.mark.parametrize(
    "is_enough",
    [
        lambda apart, d, share: np.mean(apart > d) <= 1 - share,
        lambda apart, d, share: np.count_nonzero(apart > d) <= (1 - share) * len(apart),
        lambda apart, d, share: np.sum(apart <= d) >= share * len(apart),
        lambda apart, d, share: 100 * np.mean(apart <= d) >= 100 * share,
        lambda apart, d, share: np.sum(apart <= d) >= math.ceil(share * len(apart)),
    ],
)
def test_choose_half_width_accepts_every_way_to_count(is_enough):
    result = luong_local.choose_half_width.check(
        lambda centers, positions, share: next(
            d
            for d in range(1, 999)
            if is_enough(abs(positions - np.floor(centers)), d, share)
        )
    )
    assert result.passed, result


def test_choose_half_width_has_shares_that_a_float_holds_exactly():
    for _, (_, positions, share) in luong_local.choose_half_width._fresh_cases():
        assert share * 64 == int(share * 64) and 1 - (1 - share) == share
        assert len(positions) >= 1


@pytest.mark.parametrize("last", [32, 64, 100, 256])
def test_choose_half_width_refuses_a_search_that_stops_early(last):
    assert "expected" in plain(luong_local.choose_half_width, choice_answer(last=last))


def test_choose_half_width_of_rounded_centers_is_no_mean_distance():
    answer = by_quantile(np.ceil, np.rint)
    assert "mean distance" not in plain(luong_local.choose_half_width, answer)
    assert "mean distance" not in plain(
        luong_local.choose_half_width, choice_answer(np.rint)
    )


def test_monotonic_window_of_unique_positions_looks_to_both_sides():
    message = plain(luong_local.monotonic_window, WRONG_WINDOWS["Past the last word"])
    assert "looks ahead" not in message


# Right answers


Step = collections.namedtuple("Step", "new_state attentional weights")
Local = collections.namedtuple("Local", "context weights")


def gaussian_into(like):
    """The Gaussian, position by position, into an array made from the weights."""

    def answer(weights, centers, half_width):
        product = like(weights)
        for b, t, s in np.ndindex(weights.shape):
            product[b, t, s] = weights[b, t, s] * gaussian(
                s - centers[b, t], half_width
            )
        return product

    return answer


def center_into_zeros(query, w_p, v_p, mask):
    centers = np.zeros_like(query[..., 0])
    centers[...] = center_answer(last_true)(query, w_p, v_p, mask)
    return centers


def window_by_unsigned(t, source_len, half_width):
    return window(t, source_len, half_width).astype("uint8" if t < 99 else "uint16")


RIGHT = [
    (luong_local.gaussian_weights, gaussian_into(np.zeros_like)),
    (luong_local.gaussian_weights, gaussian_into(np.copy)),
    (luong_local.predicted_center, center_into_zeros),
    (luong_local.monotonic_window, window_by_unsigned),
    (luong_global.dot_scores, loop_of_dots),
    (
        luong_global.dot_scores,
        lambda query, keys: np.einsum("btd,bsd->bts", query, keys),
    ),
    (
        luong_global.general_scores,
        lambda q, k, w: np.einsum("bti,ij,bsj->bts", q, w, k),
    ),
    (luong_global.general_scores, lambda q, k, w: q @ (k @ w.T).swapaxes(1, 2)),
    (
        luong_global.concat_scores,
        concat_by_loops(lambda q, k, w, v: float(v @ np.tanh(np.r_[q, k] @ w))),
    ),
    (luong_global.location_weights, location_answer(ref.softmax)),
    (
        luong_global.location_weights,
        lambda query, w, mask: ref.softmax(
            masked((query @ w[:, : mask.shape[1]]), mask[:, None], -np.inf),
            mask[:, None],
        ).astype("float32"),
    ),
    (luong_global.input_feeding_step, step_answer()),
    (
        luong_global.input_feeding_step,
        lambda *arguments: Step(*step_answer()(*arguments)),
    ),
    (
        luong_global.input_feeding_step,
        lambda *arguments: list(step_answer()(*arguments)),
    ),
    (
        luong_local.monotonic_window,
        lambda t, source_len, half_width: window(t, source_len, half_width),
    ),
    (
        luong_local.monotonic_window,
        lambda t, source_len, half_width: np.unique(
            np.clip(
                np.arange(-half_width, half_width + 1) + min(t, source_len - 1),
                0,
                source_len - 1,
            )
        ).astype("int32"),
    ),
    (luong_local.predicted_center, center_answer(last_true)),
    (
        luong_local.predicted_center,
        center_answer(last_true, lambda x: (1 + np.tanh(x / 2)) / 2),
    ),
    (luong_local.gaussian_weights, gaussian_answer(gaussian)),
    (luong_local.local_attend, local_answer()),
    (luong_local.local_attend, lambda *arguments: Local(*local_answer()(*arguments))),
    (
        luong_local.local_attend,
        local_answer(
            weigh=lambda scores, inside: (
                ref.softmax(masked(scores, inside, -1e30)) * inside
            )
        ),
    ),
    (luong_local.choose_half_width, choice_answer()),
    (
        luong_local.choose_half_width,
        lambda centers, positions, share: np.int64(
            choice_answer()(centers, positions, share)
        ),
    ),
    (
        luong_local.choose_half_width,
        lambda centers, positions, share: max(
            1,
            int(
                np.quantile(
                    abs(positions - np.floor(centers)), share, method="inverted_cdf"
                )
            ),
        ),
    ),
]


@pytest.mark.parametrize("place", range(len(RIGHT)))
def test_right_answer_in_another_style_passes(place):
    exercise, answer = RIGHT[place]
    result = exercise.check(answer)
    assert result.passed, result


EXERCISES = {
    name: exercise
    for module in (luong_global, luong_local)
    for name, exercise in vars(module).items()
    if hasattr(exercise, "known_mistakes")
}


@pytest.mark.parametrize("name", EXERCISES)
def test_float16_and_lists_get_no_diagnosis(name):
    exercise = EXERCISES[name]
    messages = {message for message, _ in exercise.known_mistakes}

    def half(value):
        is_float = isinstance(value, np.ndarray) and value.dtype.kind == "f"
        return value.astype("float16") if is_float else value

    def listed(value):
        return value.tolist() if isinstance(value, np.ndarray) else [value]

    for wrap in (half, listed):

        def answer(*arguments, wrap=wrap):
            result = exercise.reference_solution(*arguments)
            parts = result if isinstance(result, tuple) else (result,)
            wrapped = tuple(map(wrap, parts))
            return wrapped if isinstance(result, tuple) else wrapped[0]

        result = exercise.check(answer)
        said = result.message.replace("\n", " ")
        assert not any(message in said for message in messages)
        assert not result.passed or wrap is half


PREPARED = ("predicted_center",)
WRAPPED = {
    "text": str,
    "complex": lambda value: np.asarray(value).astype(complex),
    "objects": lambda value: np.asarray(value).astype(object),
    "an axis more": lambda value: np.asarray(value)[None],
    "nothing": lambda value: None,
}


@pytest.mark.parametrize("how", WRAPPED)
@pytest.mark.parametrize("name", PREPARED)
def test_right_values_wrapped_wrongly_get_no_diagnosis(name, how):
    """Of exercises whose check looks at the result before it compares."""
    exercise = EXERCISES[name]
    said = plain(
        exercise, lambda *args: WRAPPED[how](exercise.reference_solution(*args))
    )
    assert not any(said.startswith(message) for message, _ in exercise.known_mistakes)


@pytest.mark.parametrize("name", ["predicted_center", "choose_half_width"])
def test_right_values_with_changed_arguments_get_no_diagnosis(name):
    exercise = EXERCISES[name]

    def answer(*arguments):
        result = exercise.reference_solution(*arguments)
        arguments[0][...] = 0
        return result

    assert "in place. Work on a copy." in plain(exercise, answer)


@pytest.mark.parametrize("name", EXERCISES)
def test_no_hint_or_solution_uses_a_large_constant(name):
    exercise = EXERCISES[name]
    for text in (exercise.source, *exercise.hints):
        assert "1e9" not in text and "-1e" not in text
        assert "* mask" not in text or name == "predicted_center"


@pytest.mark.parametrize("name", EXERCISES)
def test_no_hint_holds_a_line_of_the_solution(name):
    exercise = EXERCISES[name]
    body = exercise.source.split('"""')[2]
    lines = [line.split("  #")[0].strip() for line in body.splitlines() if line.strip()]
    sides = [line.partition(" = ")[2] or line.removeprefix("return ") for line in lines]
    for side, hint in itertools.product(sides, exercise.hints):
        assert len(side) <= len("query.shape[-1]") or side not in hint


@pytest.mark.parametrize("name", EXERCISES)
def test_known_mistakes_warn_of_nothing(name):
    """They run during a reader's check, who would take a warning for their own."""
    exercise = EXERCISES[name]
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("error")
        for _, mistake in exercise.known_mistakes:
            for _, arguments in exercise._fresh_cases():
                with contextlib.suppress(ValueError):  # shapes that do not fit
                    mistake(*arguments)


@pytest.mark.parametrize("chapter", ["05_luong_global", "06_luong_local"])
def test_stubs_take_no_name_that_another_cell_needs(chapter):
    book = Path(__file__).resolve().parent.parent / "book"
    cells = json.loads((book / f"{chapter}.ipynb").read_text())["cells"]
    for cell in cells:
        source = "".join(cell["source"])
        is_exercise = "exercise" in cell["metadata"].get("tags", [])
        if cell["cell_type"] == "code" and not is_exercise and ".check(" not in source:
            names = {
                node.id
                for node in ast.walk(ast.parse(source))
                if isinstance(node, ast.Name)
            }
            assert not names & set(EXERCISES), source
