"""Chapter 5's exercises: frequent wrong answers are named, and right answers pass that
are written in another way. Each answer is in another spelling than the known mistakes.
"""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from attnlib import reference as ref
from attnlib.checking.exercise import Exercise
from attnlib.exercises import luong_global
from attnlib.exercises._shared import recurrent_cell

EXERCISES = [v for v in vars(luong_global).values() if isinstance(v, Exercise)]


def said(exercise, attempt):
    """What a check says in one line, after the name of the exercise."""
    names = ", ".join(exercise._parameters)
    submission = eval(f"lambda {names}: attempt({names})", {"attempt": attempt})
    return exercise.check(submission).message.split("\n", 1)[-1].replace("\n", " ")


def softmax_over(scores, axis):
    exponentials = np.exp(scores - scores.max(axis=axis, keepdims=True))
    return exponentials / exponentials.sum(axis=axis, keepdims=True)


def dots(query, keys):
    return np.einsum("btd,bsd->bts", query, keys)


# Scores


def reshaped_dots(query, keys):
    batch, source_len, dim = keys.shape
    return query @ keys.reshape(batch, dim, source_len)


def reshaped_like_a_transpose(query, keys):
    return np.matmul(query, np.reshape(keys, (*keys.shape[:1], *keys.shape[:0:-1])))


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (reshaped_dots, "reshape does not exchange axes"),
        (reshaped_like_a_transpose, "reshape does not exchange axes"),
        (lambda q, k: softmax_over(dots(q, k), 1), "These are weights."),
        (lambda q, k: softmax_over(dots(q, k), 2), "These are weights."),
        (lambda q, k: dots(q, k * k.shape[2] ** -0.5), "You divide by the square root"),
        (lambda q, k: dots(q, k) / 2, "The result"),
    ],
)
def test_dot_and_general_scores_name_frequent_mistakes(scores, message):
    assert said(luong_global.dot_scores, scores).startswith(message)
    assert said(
        luong_global.general_scores,
        lambda query, keys, w: scores(np.einsum("btq,qk->btk", query, w), keys),
    ).startswith(message)


def test_general_scores_name_a_scale_of_the_queries_dimension():
    def scaled(query, keys, w):
        return dots(query / query.shape[2] ** 0.5 @ w, keys)

    message = said(luong_global.general_scores, scaled)
    assert message.startswith("You divide by the square root of the dimension.")


def concat_of(of_query, of_keys):
    """The concat score with other rows of w: (w, query_dim, key_dim) -> rows."""

    def answer(query, keys, w, v):
        dims = query.shape[-1], keys.shape[-1]
        hidden = (query @ of_query(w, *dims))[:, :, np.newaxis]
        return np.tanh(hidden + (keys @ of_keys(w, *dims))[:, np.newaxis]) @ v

    return answer


@pytest.mark.parametrize(
    ("of_query", "of_keys", "message"),
    [
        (
            lambda w, q, k: w[: w.shape[0] // 2],
            lambda w, q, k: w[w.shape[0] // 2 :],
            "You cut w in the middle.",
        ),
        (
            lambda w, q, k: np.split(w, 2, axis=0)[0],
            lambda w, q, k: np.split(w, 2, axis=0)[1],
            "You cut w in the middle.",
        ),
        (
            lambda w, q, k: w[: (q + k) // 2],
            lambda w, q, k: w[q:],
            "You cut w in the middle.",
        ),
        (
            lambda w, q, k: w[:k],
            lambda w, q, k: w[k:],
            "Your code raised",
        ),
        (
            lambda w, q, k: w[:q],
            lambda w, q, k: w[-q:],
            "Your code raised",
        ),
        (lambda w, q, k: w[: q + 1], lambda w, q, k: w[q + 1 :], "Your code raised"),
    ],
)
def test_concat_scores_name_a_w_cut_in_the_middle_alone(of_query, of_keys, message):
    answer = concat_of(of_query, of_keys)
    assert said(luong_global.concat_scores, answer).startswith(message)


def test_concat_scores_name_a_wrong_cut_that_the_keys_meet_first():
    def answer(query, keys, w, v):
        middle = len(w) // 2
        from_keys = keys @ w[middle:]
        return np.tanh((query @ w[:middle])[:, :, None] + from_keys[:, None]) @ v

    message = said(luong_global.concat_scores, answer)
    assert message.startswith("You cut w in the middle.")


def test_concat_scores_name_weights_over_the_queries():
    def answer(query, keys, w, v):
        return softmax_over(ref.concat_scores(query, keys, w, v), 1)

    assert said(luong_global.concat_scores, answer).startswith("These are weights.")


# Weights from the location


def with_room(query, w, mask):
    """Columns beyond the source take part in the softmax."""
    room = np.pad(mask, ((0, 0), (0, w.shape[1] - mask.shape[1])), constant_values=True)
    return ref.softmax(query @ w, room[:, None])[..., : mask.shape[1]]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            lambda q, w, m: softmax_over(q @ w, -1)[:, :, : m.shape[1]],
            "You take the softmax over all columns and cut afterwards",
        ),
        (
            lambda q, w, m: np.stack(
                [softmax_over(x @ w, 1)[:, : m.shape[1]] for x in q]
            ),
            "You take the softmax over all columns and cut afterwards",
        ),
        (with_room, "You cut the weights after the softmax"),
        (
            lambda q, w, m: ref.softmax(np.tanh(q @ w[:, : m.shape[1]]), m[:, None, :]),
            "There is no tanh in this score",
        ),
        (
            lambda q, w, m: ref.softmax(
                q @ w[:, : m.shape[1]] / len(w) ** 0.5, m[:, None, :]
            ),
            "You divide by the square root of the dimension.",
        ),
    ],
)
def test_location_weights_name_frequent_mistakes(answer, message):
    assert said(luong_global.location_weights, answer).startswith(message)


# A step


def attention(query, annotations, mask):
    """(weights, context) of one query per sentence."""
    weights = ref.softmax(np.einsum("bu,bsu->bs", query, annotations), mask)
    return weights, np.einsum("bs,bsu->bu", weights, annotations)


def step(change):
    """change(values) replaces some of the values of the step by name, in order."""

    def answer(state, fed, word, annotations, mask, w_c, gru):
        new = gru(
            np.hstack([word, change.get("fed", lambda s, f: f)(state, fed)]), state
        )
        keys = change.get("keys", lambda a, m: a)(annotations, mask)
        allowed = change.get("mask", lambda m: m)(mask)
        weights, context = attention(new, keys, allowed)
        attentional = np.tanh(np.hstack([context, new]) @ w_c)
        attentional = change.get("attentional", lambda a, m: a)(attentional, mask)
        return change.get("new", lambda s, n: n)(state, new), attentional, weights

    return answer


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fed": lambda state, fed: state}, "You join the state to the word."),
        ({"new": lambda state, new: state}, "You return the state that you were given"),
        (
            {"attentional": lambda a, mask: np.where(mask.any(1)[:, None], a, 0)},
            "With nothing to attend to, only the weights and the context are zeros.",
        ),
        (
            {
                "keys": lambda annotations, mask: np.where(
                    mask[..., None], annotations, 0
                ),
                "mask": lambda mask: None,
            },
            "You set the padded annotations to zero",
        ),
        ({"fed": lambda state, fed: fed / 2}, "new_state"),
    ],
)
def test_input_feeding_step_names_frequent_mistakes(change, message):
    assert said(luong_global.input_feeding_step, step(change)).startswith(message)


def test_input_feeding_step_names_attention_before_the_recurrence():
    def answer(state, fed, word, annotations, mask, w_c, gru):
        weights, context = attention(state, annotations, mask)
        new = gru(np.hstack([word, context]), state)
        return new, np.tanh(np.hstack([context, new]) @ w_c), weights

    message = said(luong_global.input_feeding_step, answer)
    assert message.startswith("You feed the context.")


def test_input_feeding_step_names_weights_over_the_batch():
    def answer(state, fed, word, annotations, mask, w_c, gru):
        new = gru(np.hstack([word, fed]), state)
        scores = np.where(mask, np.einsum("bu,bsu->bs", new, annotations), -1e30)
        weights = softmax_over(scores, 0)
        context = np.einsum("bs,bsu->bu", weights, annotations)
        return new, np.tanh(np.hstack([context, new]) @ w_c), weights

    message = said(luong_global.input_feeding_step, answer)
    assert message.startswith("Your weights sum to one over the batch.")


# A step of the translator


def luong_oracle(state, word, source_states, mask, w_a, w_c, gru):
    """Sentence by sentence, word by word."""
    results = []
    for b in range(len(state)):
        new = gru(word[b], state[b])
        scores = [new @ w_a @ h for h in source_states[b]]
        weights = ref.softmax(np.array(scores), mask[b])
        context = sum(
            (a * h for a, h in zip(weights, source_states[b], strict=True) if a),
            np.zeros(source_states.shape[2]),
        )
        results.append((new, np.tanh(np.concatenate([context, new]) @ w_c), weights))
    return tuple(map(np.stack, zip(*results, strict=True)))


def luong_with_w_a(change):
    """In products of batches, with another w_a."""

    def answer(state, word, source_states, mask, w_a, w_c, gru):
        new = gru(word, state)
        scores = new[:, np.newaxis] @ change(w_a) @ source_states.swapaxes(-1, -2)
        weights = ref.softmax(scores, mask[:, np.newaxis])
        context = (weights @ source_states).squeeze(1)
        return new, np.tanh(np.hstack([context, new]) @ w_c), weights.squeeze(1)

    return answer


def luong_of_parts(state, word, source_states, mask, w_a, w_c, gru):
    new = gru(word, state)
    keys = np.einsum("bsd,ud->bsu", source_states, w_a)
    weights, _ = attention(new, keys, mask)
    context = np.einsum("bs,bsd->bd", weights, source_states)
    dim = context.shape[1]
    return new, np.tanh(context @ w_c[:dim] + new @ w_c[dim:]), weights


def test_luong_step_equals_hand_value():
    """One word, so all of the weight is on it."""
    ones = np.ones((1, 1))
    new, attentional, weights = luong_global.luong_step.reference_solution(
        0.25 * ones,
        0.5 * ones,
        2 * np.ones((1, 1, 1)),
        np.ones((1, 1), bool),
        3 * ones,
        np.array([[1.0], [-1.0]]),
        lambda inputs, state: inputs + state,
    )
    assert new.item() == 0.75 and weights.item() == 1
    assert attentional.item() == pytest.approx(np.tanh(2 - 0.75))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            lambda s, w, h, m, a, c, gru: luong_oracle(
                s, w, h, m, a, c, lambda x, z: gru(x, z) / 2
            ),
            "new_state",
        ),
        (
            lambda s, w, h, m, a, c, gru: luong_oracle(
                s, w, h, m, np.eye(*a.shape), c, gru
            ),
            "attentional",
        ),
        (
            luong_with_w_a(np.transpose),
            "w_a is transposed.",
        ),
    ],
)
def test_luong_step_names_a_mistake_or_what_differs(answer, message):
    assert said(luong_global.luong_step, answer).startswith(message)


def test_own_parts_are_those_that_pass_their_checks(capsys):
    namespace = {
        "luong_step": luong_of_parts,
        "general_scores": lambda query, keys, w: query @ keys,
        "additive_scores": ref.additive_scores,
    }
    assert luong_global.own_parts(namespace) == {"luong_step": luong_of_parts}
    lines = dict(
        line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()
    )
    assert list(lines) == [
        *("softmax", "greedy_decode", "attend", "general_scores", "luong_step"),
    ]
    assert lines["luong_step"] == "yours"
    assert lines["general_scores"] == "ours, because yours does not pass its check"
    assert lines["attend"] == "ours, because yours is not written yet"


# decode_with_input_feeding: the repair


def by_steps(words, state, annotations, mask, w_c, gru):
    """Made of the exercise before it."""
    one_step = luong_global.input_feeding_step.reference_solution
    outputs = [np.zeros_like(state)]
    for word in words.swapaxes(0, 1):
        state, new, _ = one_step(state, outputs[-1], word, annotations, mask, w_c, gru)
        outputs.append(new)
    return np.array(outputs[1:]).swapaxes(0, 1)


def test_decode_with_input_feeding_starts_with_code_that_shows_its_symptom():
    """It is right at the first step, and feeds zeros to all the others."""
    exercise = luong_global.decode_with_input_feeding
    _, arguments = exercise._fresh_cases()[0]
    found, expected = exercise.starter(*arguments), by_steps(*arguments)
    np.testing.assert_allclose(found[:, 0], expected[:, 0])
    assert abs(found[:, 1] - expected[:, 1]).max() > 0.01
    message = said(exercise, exercise.starter)
    assert message.startswith("The bug is still there. The first step is right")


def test_decode_with_input_feeding_starts_on_the_page_with_its_starter():
    book = Path(__file__).resolve().parent.parent / "book" / "05_luong_global.ipynb"
    cells = json.loads(book.read_text(encoding="utf-8"))["cells"]
    sources = ["".join(cell["source"]) for cell in cells]
    assert luong_global.decode_with_input_feeding.starter_source.strip() in sources


# permutation_test: a judgment


def with_sets(a, b):
    """Over sets of indices, and with sums in place of means."""
    runs, n = [*map(float, a), *map(float, b)], len(a)
    total, m = sum(runs), len(b)

    def distance(indices):
        first = sum(runs[i] for i in indices)
        return abs(first / n - (total - first) / m)

    found = [
        distance(indices) >= distance(range(n)) - 1e-9
        for indices in itertools.permutations(range(n + m), n)
        if list(indices) == sorted(indices)
    ]
    return sum(found) / len(found)


def test_permutation_test_equals_hand_values():
    test = luong_global.permutation_test.reference_solution
    assert test([1, 2], [3, 4]) == pytest.approx(2 / 6)
    assert test([1.0], [5.0]) == 1
    assert test(np.arange(5), np.arange(5) + 10) == pytest.approx(2 / 252)


def test_permutation_test_equals_scipy():
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(0)
    for sizes in ((5, 5), (3, 4)):
        a, b = (rng.normal(size=size) for size in sizes)
        expected = stats.permutation_test(
            (a, b),
            lambda one, other: abs(one.mean() - other.mean()),
            n_resamples=np.inf,
            alternative="greater",
        )
        found = luong_global.permutation_test.reference_solution(a, b)
        assert found == pytest.approx(expected.pvalue)


def test_permutation_test_does_not_depend_on_the_order_of_its_arguments():
    test = luong_global.permutation_test.reference_solution
    a, b = np.array([0.3, 1.2, 0.1]), np.array([0.9, 2.1, 1.7, 0.4])
    assert test(a, b) == pytest.approx(test(b, a))


def counted(counts):
    """The test as a loop; counts(difference of means, observed distance)."""

    def test(a, b):
        runs, count, total = np.concatenate([a, b]), 0, 0
        observed = abs(np.mean(a) - np.mean(b))
        for first in itertools.combinations(range(len(runs)), len(a)):
            chosen = np.zeros(len(runs), bool)
            chosen[list(first)] = True
            total += 1
            difference = runs[chosen].mean() - runs[~chosen].mean()
            count += counts(difference, observed)
        return count / total

    return test


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        (lambda d, o: d >= o - 1e-9, "You take the absolute value of the observed"),
        (lambda d, o: -d >= o - 1e-9, "You take the absolute value of the observed"),
        (lambda d, o: abs(d) >= o, "Distances that are equal on paper"),
        (lambda d, o: abs(d) <= o + 1e-9, "You return the share of the divisions that"),
        (lambda d, o: abs(abs(d) - o) < 1e-9, "You count only the divisions that are"),
        (lambda d, o: 2 * (d >= o - 1e-9), "You double the share of one direction"),
        (lambda d, o: 100 * (abs(d) >= o - 1e-9), "You return a percentage"),
    ],
)
def test_permutation_test_names_frequent_mistakes(counts, message):
    answer = counted(counts)
    assert said(luong_global.permutation_test, answer).startswith(message)


def test_permutation_test_names_an_observed_distance_with_its_sign():
    def answer(a, b):
        distances, _ = luong_global._divided(a, b)
        return float(np.mean(distances >= np.mean(a) - np.mean(b) - 1e-9))

    message = said(luong_global.permutation_test, answer)
    assert "but not of the observed difference" in message


def test_permutation_test_names_a_second_group_that_is_chosen_by_value():
    def answer(a, b):
        runs, found = [*a, *b], []
        for first in itertools.combinations(runs, len(a)):
            second = [run for run in runs if run not in first] or [np.nan]
            found.append(abs(np.mean(first) - np.mean(second)))
        return float(np.mean(np.array(found) >= abs(np.mean(a) - np.mean(b)) - 1e-9))

    message = said(luong_global.permutation_test, answer)
    assert message.startswith("You choose the second group by its values")


# Right answers


def of_lists(state, fed, word, annotations, mask, w_c, gru):
    joined = [[*w, *f] for w, f in zip(word, fed, strict=True)]
    new = np.array(gru(joined, state.tolist()))
    weights, context = attention(new, annotations, mask)
    return new, np.tanh(np.hstack([context, new]) @ w_c), weights


def sentence_by_sentence(state, fed, word, annotations, mask, w_c, gru):
    results = []
    for b in range(len(state)):
        new = gru(np.concatenate([word[b], fed[b]]), state[b])
        weights, context = attention(new[None], annotations[b : b + 1], mask[b : b + 1])
        joined = np.concatenate([context[0], new])
        results.append((new, np.tanh(joined @ w_c), weights[0]))
    return tuple(map(np.stack, zip(*results, strict=True)))


def filled(make):
    """Scores one by one, into an array of the kind that make(query, keys) has."""

    def answer(query, keys, score):
        scores = make(query, keys)
        for b, t, s in np.ndindex(scores.shape):
            scores[b, t, s] = score(query[b, t], keys[b, s])
        return scores

    return answer


in_zeros_like = filled(lambda q, k: np.zeros_like(q, shape=(*q.shape[:2], k.shape[1])))


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        (luong_global.luong_step, luong_oracle),
        (luong_global.luong_step, luong_of_parts),
        (luong_global.luong_step, luong_with_w_a(np.copy)),
        (luong_global.decode_with_input_feeding, by_steps),
        (luong_global.permutation_test, with_sets),
        (luong_global.input_feeding_step, of_lists),
        (luong_global.input_feeding_step, sentence_by_sentence),
        (luong_global.input_feeding_step, step({})),
        (luong_global.dot_scores, lambda q, k: in_zeros_like(q, k, np.dot)),
        (
            luong_global.general_scores,
            lambda q, k, w: in_zeros_like(q, k, lambda x, y: x @ w @ y),
        ),
        (
            luong_global.concat_scores,
            lambda q, k, w, v: in_zeros_like(
                q, k, lambda x, y: np.tanh(np.r_[x, y] @ w) @ v
            ),
        ),
        (
            luong_global.concat_scores,
            concat_of(lambda w, q, k: w[:-k], lambda w, q, k: w[-k:]),
        ),
    ],
)
def test_right_answer_in_another_style_passes(exercise, answer):
    message = said(exercise, answer)
    assert message.startswith("Passed"), message


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name)
def test_exercise_has_no_array_of_integers(exercise):
    for title, arguments in exercise._fresh_cases():
        for value in arguments:
            assert not isinstance(value, np.ndarray) or value.dtype.kind in "fb", title


def test_every_gru_takes_lists_and_single_sentences():
    grus = [args[-1] for _, args in luong_global.input_feeding_step._fresh_cases()]
    sizes = [
        (args[2].shape[-1] + args[1].shape[-1], args[0].shape[-1])
        for _, args in luong_global.input_feeding_step._fresh_cases()
    ]
    own = recurrent_cell(np.random.default_rng(0), 3, 2, joined="fed")
    for gru, (input_dim, units) in [*zip(grus, sizes, strict=True), (own, (3, 2))]:
        inputs, state = np.ones((1, input_dim)) / 2, np.ones((1, units)) / 4
        expected = gru(inputs, state)
        for one, other in [(inputs.tolist(), state.tolist()), (inputs[0], state[0])]:
            assert np.allclose(gru(one, other), expected)
            assert np.shape(gru(one, other)) == np.shape(other)
