"""Every exercise of every chapter, found by discovery: a new one is covered by being
written.
"""

import importlib
import inspect
import itertools
import pkgutil
import re
import subprocess
import sys

import numpy as np
import pytest

import attnlib.exercises
from attnlib import reference as ref
from attnlib.checking import compare, sandbox
from attnlib.checking.exercise import Exercise
from attnlib.exercises import bahdanau, bottleneck

MODULE_NAMES = sorted(
    module.name for module in pkgutil.iter_modules(attnlib.exercises.__path__)
)
MODULES = [
    importlib.import_module(f"attnlib.exercises.{name}") for name in MODULE_NAMES
]
ALL_EXERCISES = [
    pytest.param(value, id=f"{module.__name__.split('.')[-1]}.{value.name}")
    for module in MODULES
    for value in vars(module).values()
    if isinstance(value, Exercise)
]
EXERCISES = [
    param
    for param in ALL_EXERCISES
    if not isinstance(param.values[0].reference_solution, type)
]  # test_exercises_sentiment.py has the tests of the class
every_exercise = pytest.mark.parametrize("exercise", EXERCISES)
# For what takes long. tests/weekly/test_exercises_at_length.py asks it of all.
SAMPLE = list({each.id.split(".")[0]: each for each in EXERCISES[::-1]}.values())[::-1]
first_of_each_chapter = pytest.mark.parametrize("exercise", SAMPLE)


# What every exercise owes


def test_discovery_finds_every_module_and_exercise():
    assert MODULE_NAMES == [
        "_demands",
        "_mistakes",
        "_shared",
        "attention_today",
        "bahdanau",
        "bottleneck",
        "bug_hunt",
        "bug_hunt_keras",
        "luong_global",
        "luong_local",
        "psychology",
        "self_attention",
        "sentiment",
        "sentiment_keras",
        "transformer",
    ]
    assert len(ALL_EXERCISES) >= 41
    assert len(EXERCISES) >= 40
    assert len({exercise.id for exercise in ALL_EXERCISES}) == len(ALL_EXERCISES)


@every_exercise
def test_exercise_is_complete(exercise):
    assert exercise.hints
    for hint in exercise.hints:  # only code is set: emphasis would show its asterisks
        assert not re.search(r"\*\w[^*`]*\w\*", re.sub(r"`[^`]*`", "", hint)), hint
    assert inspect.getdoc(exercise.reference_solution), (
        "a solution's docstring is the task in short"
    )
    assert exercise.source.startswith(f"def {exercise.name}(")
    messages = [message for message, _ in exercise.known_mistakes]
    assert len(set(messages)) >= 3
    for text in [*messages, *exercise.hints]:
        assert text.isascii(), f"messages must print on any terminal: {text}"
    assert max(map(len, exercise.source.splitlines())) <= 88, (
        "wider lines scroll in the page"
    )


@every_exercise
def test_exercise_solution_passes(exercise):
    result = exercise.check(exercise.reference_solution)
    assert result.passed, result
    assert repr(result).startswith(f"Passed: {exercise.name}, ")


@every_exercise
def test_exercise_solution_stands_alone(exercise):
    """The text that solution() shows works in a notebook that has only np and ref."""
    namespace = {"np": np, "ref": ref}
    exec(exercise.source, namespace)
    assert exercise.check(namespace[exercise.name]).passed


@every_exercise
def test_exercise_refuses_each_known_wrong_answer_with_its_own_message(exercise):
    for message, wrong in exercise.known_mistakes:
        result = exercise.check(wrong)
        assert not result.passed and result.attempted
        said = result.message.removeprefix(f"Not yet: {exercise.name}.\n").replace(
            "\n", " "
        )
        assert said.startswith(message), (wrong.__name__, result)


@every_exercise
def test_exercise_stub_is_not_attempted(exercise):
    signature = inspect.signature(exercise.reference_solution)
    for body in (
        "...",
        "pass",
        '"""What to do."""\n    ...',
        "return ...",
        "raise NotImplementedError",
    ):
        namespace = {}
        exec(f"def {exercise.name}{signature}:\n    {body}", namespace)
        result = exercise.check(namespace[exercise.name])
        assert repr(result) == f"Not attempted yet: {exercise.name}."
        assert not result.passed and not result.attempted


@every_exercise
def test_exercise_cases_repeat_and_are_not_shared(exercise):
    one, other = exercise._fresh_cases(), exercise._fresh_cases()
    assert [title for title, _ in one] == [title for title, _ in other]
    for (_, first), (_, second) in zip(one, other, strict=True):
        for a, b in zip(first, second, strict=True):
            assert callable(a) or compare.equal(sandbox.plain(a), sandbox.plain(b))
            assert not isinstance(a, np.ndarray) or a is not b


# What every check sees


@every_exercise
def test_exercise_notices_changed_arguments(exercise):
    def changes(*arguments):
        result = exercise.reference_solution(*arguments)
        for argument in arguments:
            if isinstance(argument, np.ndarray) and argument.dtype.kind in "fi":
                argument += 1
                return result
            if (
                isinstance(argument, np.ndarray)
                and argument.dtype == bool
                and len(arguments) == 1
            ):
                argument ^= True
                return result
            if isinstance(argument, list):
                argument.append(argument)
                return result
            if isinstance(argument, set):
                argument.add(object())
                return result
        return result

    result = exercise.check(changes)
    if any(
        isinstance(argument, (list, set, np.ndarray))
        for _, case in exercise._fresh_cases()
        for argument in case
    ):
        assert "in place. Work on a copy." in result.message
    else:
        assert result.passed


@every_exercise
def test_exercise_refuses_parameters_in_another_order(exercise):
    names = list(inspect.signature(exercise.reference_solution).parameters)
    if len(names) < 2:
        names = [names[0], "another"]
    swapped = ", ".join([names[1], names[0], *names[2:]])
    result = exercise.check(eval(f"lambda {swapped}: 1"))
    assert f"but it takes ({swapped})." in result.message


def test_exercise_without_numpy_of_its_own_asks_for_a_restart(monkeypatch):
    monkeypatch.setattr(np, "exp", np.tanh)
    result = bahdanau.attend.check(bahdanau.attend.reference_solution)
    assert repr(result) == (
        "Not yet: attend.\n"
        "np.exp is no longer what it was when attnlib was imported. "
        "Restart Python and run the cells again: in Jupyter, restart the kernel; in "
        "the pages of the book, reload the page."
    )


def test_importing_exercises_imports_numpy_and_the_standard_library_alone():
    names = [
        f"attnlib.exercises.{name}"
        for name in MODULE_NAMES
        if not name.endswith("_keras")
    ]
    names += [f"attnlib.checking.{name}" for name in ("exercise", "compare")]
    code = f"""
import sys
import {", ".join(names)}
roots = {{name.partition(".")[0] for name in sys.modules}}
print(sorted(roots - set(sys.stdlib_module_names) - set(sys.argv[1:])))
"""
    allowed = ["attnlib", "numpy", "__main__", *_imported_at_start()]
    run = subprocess.run(
        [sys.executable, "-c", code, *allowed],
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == "[]"


def _imported_at_start():
    """What this Python imports by itself: hooks of an editable install, for example."""
    code = (
        "import sys, numpy.random; print(*{n.partition('.')[0] for n in sys.modules})"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return run.stdout.split()


# Solutions against something independent


def test_sequence_loss_equals_hand_value_and_keras():
    logits = np.log(
        np.array(
            [[[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]], [[0.2, 0.2, 0.6], [1.0, 1.0, 1.0]]]
        )
    )
    targets, mask = np.array([[1, 1], [2, 0]]), np.array([[True, True], [True, False]])
    expected = -(np.log(0.25) + np.log(0.8) + np.log(0.6)) / 3
    assert bottleneck.sequence_loss.reference_solution(
        logits, targets, mask
    ) == pytest.approx(expected)
    keras = pytest.importorskip("keras")
    rng = np.random.default_rng(1)
    logits, targets = rng.normal(size=(3, 5, 7)) * 5, rng.integers(0, 7, (3, 5))
    mask = np.arange(5) < np.array([[4], [1], [5]])
    losses = keras.ops.sparse_categorical_crossentropy(
        targets, logits.astype("float64"), from_logits=True
    )
    expected = np.asarray(losses)[mask].mean()
    assert bottleneck.sequence_loss.reference_solution(
        logits, targets, mask
    ) == pytest.approx(expected, rel=1e-6)


def test_recurrent_parameters_equal_keras():
    keras = pytest.importorskip("keras")
    layers = {
        "simple": keras.layers.SimpleRNN,
        "gru": lambda units: keras.layers.GRU(units, reset_after=False),
        "gru_reset_after": keras.layers.GRU,
        "lstm": keras.layers.LSTM,
    }
    for (kind, layer), (input_dim, units) in itertools.product(
        layers.items(), [(3, 4), (7, 2)]
    ):
        built = layer(units)
        built.build((None, None, input_dim))
        assert (
            bottleneck.recurrent_parameters.reference_solution(kind, input_dim, units)
            == built.count_params()
        )
    assert bottleneck.recurrent_parameters.reference_solution("gru", 3, 4) == 96
    assert (
        bottleneck.recurrent_parameters.reference_solution("gru_reset_after", 3, 4)
        == 108
    )


def test_greedy_decode_equals_hand_value():
    def step(token, state):  # spells the state
        return np.eye(5)[state[0]], state[1:]

    assert bottleneck.greedy_decode.reference_solution(
        step, [3, 1, 4, 0, 2], 2, 0, 9
    ) == [3, 1, 4]
    assert bottleneck.greedy_decode.reference_solution(
        step, [3, 1, 4, 0, 2], 2, 0, 2
    ) == [3, 1]


def test_exact_match_by_length_equals_hand_value():
    sources = [["a"], ["a", "b"], ["a", "b"], ["a"] * 9]
    targets = [["x"], ["x"], ["y", "z"], ["x"]]
    predictions = [["x"], ["y"], ["y", "z"], ["x"]]
    fractions = bottleneck.exact_match_by_length.reference_solution(
        sources, predictions, targets, [1, 2, 3, 5]
    )
    assert fractions[:2] == [1.0, 0.5] and np.isnan(fractions[2])


def test_additive_scores_and_attend_equal_reference():
    for _, arguments in bahdanau.additive_scores.cases(np.random.default_rng(7)):
        assert np.allclose(
            bahdanau.additive_scores.reference_solution(*arguments),
            ref.additive_scores(*arguments),
            atol=1e-12,
        )
    for _, arguments in bahdanau.attend.cases(np.random.default_rng(7)):
        for ours, oracle in zip(
            bahdanau.attend.reference_solution(*arguments),
            ref.attend(*arguments),
            strict=True,
        ):
            assert np.allclose(ours, oracle, atol=1e-12)


def test_bahdanau_step_equals_loops():
    _, (state, word, annotations, mask, w_query, w_keys, v, gru) = list(
        bahdanau.bahdanau_step.cases(np.random.default_rng(3))
    )[1]
    new_state, context, weights = bahdanau.bahdanau_step.reference_solution(
        state, word, annotations, mask, w_query, w_keys, v, gru
    )
    for b in range(len(state)):
        real = np.flatnonzero(mask[b])
        exponentials = np.array(
            [
                np.exp(v @ np.tanh(state[b] @ w_query + annotations[b, j] @ w_keys))
                for j in real
            ]
        )
        alpha = exponentials / exponentials.sum()
        expected = sum(a * annotations[b, j] for a, j in zip(alpha, real, strict=True))
        assert np.allclose(weights[b, real], alpha) and np.allclose(weights[b].sum(), 1)
        assert np.allclose(context[b], expected)
        assert np.allclose(
            new_state[b], gru(np.concatenate([word[b], expected]), state[b])
        )


def test_alignment_error_rate_equals_hand_value():
    aer = bahdanau.alignment_error_rate.reference_solution
    # A = 3 links: one sure, one only possible, one wrong; S = 2: AER = 1 - (1 + 2) / (3
    # + 2)
    assert aer({(0, 0), (1, 2), (2, 2)}, {(0, 0), (1, 1)}, {(1, 2)}) == pytest.approx(
        0.4
    )
    assert aer({(0, 0)}, {(0, 0)}, set()) == 0
    assert aer({(0, 1)}, {(0, 0)}, set()) == 1


def test_draw_alignment_accepts_other_ways_to_draw():
    def with_mesh(ax, weights, source, target):
        ax.pcolormesh(weights)
        ax.set_xticks(np.arange(len(source)) + 0.5, labels=source)
        ax.set_yticks(np.arange(len(target)) + 0.5, labels=target)
        ax.invert_yaxis()
        return ax

    def with_matshow(ax, weights, source, target):
        ax.matshow(weights)
        ax.set_xticks(np.arange(len(source)))
        ax.set_xticklabels(source)
        ax.set_yticks(np.arange(len(target)))
        ax.set_yticklabels(target)
        return ax

    def reversed_by_hand(ax, weights, source, target):
        ax.imshow(
            weights[::-1],
            origin="lower",
            aspect="auto",
            extent=(0, len(source), 0, len(target)),
        )
        ax.set_xticks(np.arange(len(source)) + 0.5, labels=source)
        ax.set_yticks(np.arange(len(target))[::-1] + 0.5, labels=target)
        return ax

    for draw in (with_mesh, with_matshow, reversed_by_hand):
        result = bahdanau.draw_alignment.check(draw)
        assert result.passed, result


def test_draw_alignment_closes_figures_it_caused():
    from matplotlib import pyplot

    def with_pyplot(ax, weights, source, target):
        pyplot.imshow(weights)
        return ax

    before = pyplot.get_fignums()
    result = bahdanau.draw_alignment.check(with_pyplot)
    assert "Draw on the ax that your function receives." in result.message
    assert pyplot.get_fignums() == before
