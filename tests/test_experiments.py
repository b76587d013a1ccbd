"""An experiment runs in its quick size, and every committed result says what it was
made with. tests/weekly runs all experiments in their quick size.
"""

import json
import subprocess
import sys
import types

import numpy as np
import pytest
import toy_task
from conftest import ROOT
from numpy.testing import assert_allclose

from attnlib import results
from attnlib.vocabulary import Vocabulary
from experiments import reversal, transformer

EXPERIMENTS = ROOT / "experiments"
NAMES = sorted(
    path.stem for path in EXPERIMENTS.glob("*.py") if not path.name.startswith("_")
)
COMMITTED = sorted((EXPERIMENTS / "results").glob("*.json"))
# They measure time and memory; no model is trained, so there is no seed.
MEASUREMENTS = ("attention_on_cpu", "attention_on_gpu")


def python(*arguments, timeout=60):
    """Run Python from the repository's root, where `experiments` is a package."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def test_every_committed_result_has_its_experiment():
    assert [path.stem for path in COMMITTED] == NAMES


@pytest.mark.parametrize("name", NAMES[:1])
def test_experiment_quick_run_writes_a_result_of_the_committed_form(name, tmp_path):
    if name == "attention_on_gpu":
        pytest.importorskip("torch")
    done = python(
        "-m", f"experiments.{name}", "--quick", "--output", tmp_path, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    quick = json.loads((tmp_path / f"{name}.json").read_text(encoding="utf-8"))
    assert done.stdout.splitlines()[-1] == (
        f"{len(quick['runs'])} runs in {tmp_path / f'{name}.json'}"
    )
    full = results.load(name)
    assert quick.keys() == full.keys()
    for run in quick["runs"]:
        task = {"task": run["task"]} if "task" in run else {}
        (same, *_) = results.runs(name, model=run["model"], **task)
        assert run.keys() == same.keys()
        if name != "attention_on_gpu":
            assert run["versions"].keys() == same["versions"].keys()


def test_experiment_takes_up_where_it_stopped(tmp_path):
    (tmp_path / "runs").mkdir()
    there = {"model": "there already"}
    (tmp_path / "runs" / "some-0.json").write_text(json.dumps(there), encoding="utf-8")
    code = (
        "import sys; from pathlib import Path; from experiments._training import run; "
        "print(run('some-0', Path(sys.argv[1]), lambda: 1 / 0))"
    )
    done = python("-c", code, tmp_path)
    assert done.stdout.strip() == str(there), done.stderr


def test_experiment_keeps_a_result_with_its_cost_and_versions(tmp_path):
    code = (
        "import sys; from pathlib import Path; from experiments._training import run; "
        "print(run('some-0', Path(sys.argv[1]), lambda n: {'seed': n}, 7)['seed'])"
    )
    done = python("-c", code, tmp_path)
    assert done.stdout.splitlines() == ["training some-0", "7"], done.stderr
    stored = json.loads((tmp_path / "runs" / "some-0.json").read_text("utf-8"))
    assert list(stored) == ["seed", "seconds", "peak_memory_mb", "date", "versions"]
    assert isinstance(stored["peak_memory_mb"], int | None)


def test_experiment_quick_refuses_the_folder_of_real_results():
    done = python("-m", f"experiments.{NAMES[0]}", "--quick")
    assert done.returncode == 2
    assert f"usage: python -m experiments.{NAMES[0]}" in done.stderr
    assert "name a folder for them with --output" in done.stderr


TRAINED = [path for path in COMMITTED if path.stem not in MEASUREMENTS]


@pytest.mark.parametrize("path", TRAINED, ids=lambda path: path.stem)
def test_committed_result_names_seeds_versions_date_and_cost(path):
    runs = json.loads(path.read_text(encoding="utf-8"))["runs"]
    models = {run["model"] for run in runs}
    for model in models:
        assert len({run["seed"] for run in runs if run["model"] == model}) >= 3, model
    for run in runs:
        assert (
            run["versions"]["keras"]
            and run["date"]
            and run["seconds"] > 0
            and run["peak_memory_mb"] > 0
        )


# The experiment on reversing the source


def untrained():
    options = {"attention": "none", "context": "first_state", "bidirectional": False}
    return toy_task.model(seed=1, scale=0.7, **options)


def test_recurrent_steps_are_counted_through_encoder_and_decoder():
    """Of a source of 3 words and a target of 2: rows are outputs, columns inputs."""
    assert reversal.recurrent_steps(3, 2).tolist() == [[4, 3, 2], [5, 4, 3]]


def test_gradients_equal_finite_differences():
    model = untrained()
    source, target = ["a", "c", "b"], ["B", "D"]
    of_logits, of_losses = reversal.gradients(model, source, target)
    assert of_logits.shape == (2, 3, 4)  # target_len, source_len, embedding_dim
    inputs, after = model.batches([(source, target)])[0]
    table = model.source_embedding.get_weights()[0]
    row, column, step = inputs[0][0, 1], 2, 1e-2  # the second word, "c"
    outputs = []
    for change in (step, -step):
        moved = table.copy()
        moved[row, column] += change
        model.source_embedding.set_weights([moved])
        logits = np.array(model(inputs), float)[0, :2]
        picked = logits[np.arange(2), after[0, :2]]
        losses = np.log(np.exp(logits).sum(-1)) - picked
        outputs.append(np.array([picked, losses]))
    expected = (outputs[0] - outputs[1]) / (2 * step)
    assert_allclose(of_logits[:, 1, column], expected[0], atol=1e-3)
    assert_allclose(of_losses[:, 1, column], expected[1], atol=1e-3)


def test_gradients_by_steps_are_means_over_pairs_of_positions():
    model = untrained()
    source, target = ["a", "c", "b"], [*"ABCDAB"]
    rows = reversal.gradients_by_steps(model, [(source, target)] * 2)
    norms = np.linalg.norm(reversal.gradients(model, source, target)[0], axis=-1)
    # Four steps: from the last word to the third output, and so on.
    expected = np.mean([norms[2, 2], norms[1, 1], norms[0, 0]])
    (four,) = [row for row in rows if row[0] == 4]
    assert four[3] == 6
    assert_allclose(four[1], expected, rtol=1e-3)
    assert [row[0] for row in rows] == [4, 5, 6, 7]  # the others have fewer than five


# Attention on a GPU

CACHES = ("with", "without")


def on_gpu(*arguments, torch="None"):
    """The script, with `torch` in place of PyTorch."""
    code = (
        "import sys; from types import SimpleNamespace;"
        f"sys.modules['torch'] = {torch};"
        "from experiments import attention_on_gpu as script; script.main()"
    )
    return python("-c", code, *arguments)


@pytest.mark.parametrize("quick", [True, False])
def test_attention_on_gpu_asks_for_pytorch(quick, tmp_path):
    done = on_gpu(*(["--quick"] if quick else []), "--output", tmp_path)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr == (
        "experiments.attention_on_gpu needs PyTorch, which nothing else of the"
        " experiments does: pip install -r requirements-bench.txt\n"
    )
    assert not list(tmp_path.iterdir())


def test_attention_on_gpu_asks_for_a_gpu():
    torch = "SimpleNamespace(cuda=SimpleNamespace(is_available=lambda: False))"
    done = on_gpu(torch=torch)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith(
        "experiments.attention_on_gpu should run where PyTorch finds a GPU"
    )


def test_attention_on_gpu_result_has_its_provenance_and_settings():
    from experiments import attention_on_gpu as script

    result = results.load("attention_on_gpu")
    assert result["device"] == "NVIDIA H100 80GB HBM3"
    assert result["provenance"].startswith(
        "Measured by this project on one NVIDIA H100"
    )
    assert (result["heads"], result["head_dim"], result["window"]) == (
        script.HEADS,
        script.HEAD_DIM,
        script.WINDOW,
    )
    for name in ("flash", "window"):
        runs = results.runs("attention_on_gpu", model=name)
        assert [run["length"] for run in runs] == script.LENGTHS
    *fitted, too_long = results.runs("attention_on_gpu", model="naive")
    assert [run["length"] for run in fitted] == script.LENGTHS[: len(fitted)]
    assert too_long["length"] == script.NAIVE_UP_TO and "OutOfMem" in too_long["error"]
    times = [
        run[field]
        for run in result["runs"]
        if "error" not in run
        for field in ("forward_ms", "train_ms")
    ]
    times += [row[f"{kind}_cache_ms"] for row in result["decode"] for kind in CACHES]
    assert all(0 < least <= median <= most for median, least, most in times)


def test_attention_on_gpu_cache_sizes_by_hand():
    """Keys and values of 16 · 64 numbers of two bytes: 4,096 bytes per token."""
    for row in results.load("attention_on_gpu")["decode"]:
        sizes = [row["cache_mb"], row["cache_mb_quarter_of_heads"]]
        assert_allclose(sizes, [row["length"] * 4096e-6, row["length"] * 1024e-6])
        assert_allclose(row["cache_mb_window"], min(row["length"], 1024) * 4096e-6)


# Attention on this CPU


def test_attention_on_cpu_forms_agree_with_the_formula():
    """Causal attention over 600 tokens, a window of 1,024 included: in float64."""
    from experiments import attention_on_cpu as script

    query, keys, values = script.tensors(600)
    scores = query.astype(float) @ keys.T.astype(float) / 8  # the root of 64
    scores = np.where(np.tri(600, dtype=bool), scores, -np.inf)
    expected = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True) @ values
    for form in script.FORMS.values():
        assert_allclose(form(query, keys, values), expected, atol=1e-5)


def test_attention_on_cpu_window_reaches_1024_tokens():
    from experiments import attention_on_cpu as script

    query, keys, values = script.tensors(1500)
    context = script.window(query, keys, values)
    for row in (1023, 1024, 1499):
        scores = keys[max(0, row - 1023) : row + 1] @ query[row] / 8
        weights = np.exp(scores) / np.exp(scores).sum()
        expected = weights @ values[max(0, row - 1023) : row + 1]
        assert_allclose(context[row], expected, atol=1e-5)


def test_attention_on_cpu_extra_memory_counts_the_peak():
    from experiments import attention_on_cpu as script

    def form(*_):
        np.ones(250_000).sum()  # 2 MB, gone again at the end
        np.ones(125_000).sum()

    assert_allclose(script.extra_megabytes(form, ()), 2, rtol=0.01)


def test_attention_on_cpu_result_says_where_and_how_it_was_measured():
    runs = results.runs("attention_on_cpu")
    assert len({(run["model"], run["length"]) for run in runs}) == len(runs) == 17
    for run in runs:
        assert run["versions"]["numpy"] and run["date"] and run["processor"]
        assert run["threads"] == 1 and run["repetitions"] >= 3
        for field in ("forward_ms", "forward_cpu_ms"):
            median, least, most = run[field]
            assert 0 < least <= median <= most
    for run in results.runs("attention_on_cpu", model="naive"):
        scores = 4 * run["length"] ** 2 / 1e6  # MB, of float32
        assert 2 * scores < run["forward_extra_mb"] < 4 * scores


# The small language model


@pytest.fixture(scope="module")
def language_model():
    from attnlib.backend import keras
    from experiments._language_model import LanguageModel

    keras.utils.set_random_seed(0)
    model = LanguageModel(54, units=16, heads=2, layer_count=2)
    model(np.zeros((1, 2), int))
    return model


def test_language_model_with_a_cache_equals_all_tokens_at_once(language_model):
    ids = np.random.default_rng(0).integers(0, 54, (3, 10))
    whole, _, weights = language_model(ids, return_all=True)
    caches, parts = None, []
    for piece in (ids[:, :4], ids[:, 4:5], ids[:, 5:]):
        logits, caches, _ = language_model(piece, caches, return_all=True)
        parts.append(np.array(logits))
    assert_allclose(np.concatenate(parts, 1), whole, atol=1e-5)
    assert_allclose(np.array(weights).sum(-1), 1, atol=1e-5)
    assert not np.triu(np.array(weights), 1).any()  # nothing from the future


def test_language_model_depends_on_distances_alone(language_model):
    """A cache without its first token, of a first block: scores as if it never was."""
    attention = language_model.blocks[0].attention
    x = np.random.default_rng(1).normal(size=(1, 6, 16)).astype("float32")
    empty = language_model.empty_caches(1)[0]
    _, (keys, values), _ = attention(x[:, :5], empty)
    shorter, _, _ = attention(x[:, 5:], (keys[:, 1:], values[:, 1:]))
    _, cache, _ = attention(x[:, 1:5], empty)
    expected, _, _ = attention(x[:, 5:], cache)
    assert_allclose(shorter, expected, atol=1e-5)
    keys, values = (part[:, ::-1] for part in cache)  # the same words in another order
    backward, _, _ = attention(x[:, 5:], (keys, values))
    assert np.abs(np.array(backward) - expected).max() > 1e-3


def test_language_model_rotates_like_the_transformer():
    from attnlib import transformer
    from experiments._language_model import rotate

    x = np.random.default_rng(3).normal(size=(2, 5, 3, 8)).astype("float32")
    swapped = transformer.rotate(x.transpose(0, 2, 1, 3), np.arange(5))
    expected = np.transpose(swapped, (0, 2, 1, 3))
    assert_allclose(rotate(x, np.arange(5)), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("size", "sinks", "kept"),
    [
        (4, 0, [2, 3, 4, 5]),
        (4, 1, [0, 3, 4, 5]),
        (4, 2, [0, 1, 4, 5]),
        (4, 4, [0, 1, 2, 3]),
        (6, 2, [0, 1, 2, 3, 4, 5]),
        (9, 0, [0, 1, 2, 3, 4, 5]),
    ],
)
def test_evict_keeps_the_sinks_and_the_last(size, sinks, kept):
    from experiments._language_model import evict

    cache = np.arange(6.0).reshape(1, 6, 1, 1)
    ((keys, values),) = evict([(cache, 10 * cache)], size, sinks)
    assert np.ravel(keys).tolist() == kept
    assert np.ravel(values).tolist() == [10 * index for index in kept]


def test_language_model_reads_streams_token_by_token(language_model):
    """Without a limit, as all at once; with one, so until something is evicted."""
    from experiments import language_model as script

    streams = np.random.default_rng(2).integers(0, 54, (2, 9))
    read = script.reader(language_model)
    full, hits = script.read_streams(language_model, read, streams, None, 0)
    logits = np.array(language_model(streams[:, :-1]), float)
    right = np.take_along_axis(logits, streams[:, 1:, None], -1)[..., 0]
    assert_allclose(full, np.log(np.exp(logits).sum(-1)) - right, atol=1e-5)
    assert (hits == (logits.argmax(-1) == streams[:, 1:])).all()
    limited, _ = script.read_streams(language_model, read, streams, 5, 1)
    assert_allclose(limited[:, :5], full[:, :5], atol=1e-5)
    assert np.abs(limited[:, 5:] - full[:, 5:]).min() > 1e-6


def test_language_model_rate_rises_and_falls():
    from experiments._language_model import UpAndDown

    rate = UpAndDown(2.0, 4, 10)
    expected = [0.5, 1.0, 1.5, 1.4, 1.2, 1.0, 0.8, 0.6, 0.4, 0.2]
    assert_allclose([float(rate(step)) for step in range(10)], expected, rtol=1e-6)


# Recall


def test_recall_sequences_have_one_answer():
    from experiments import recall

    (keys, values, asked), answers = recall.sequences(50, 8, seed=0)
    assert keys.shape == values.shape == (50, 8) and asked.shape == (50, 1)
    for row in range(50):
        assert len(set(keys[row])) == 8
        assert values[row, list(keys[row]).index(asked[row, 0])] == answers[row]
    assert set(np.ravel(keys)) == set(range(recall.KEYS))


def test_recall_linear_attention_is_normalized_kernel_smoothing():
    from experiments import recall

    random = np.random.default_rng(0)
    query, keys, values = (
        random.normal(size=(2, length, dim)).astype("float32")
        for length, dim in ((1, 3), (5, 3), (5, 4))
    )

    def feature(x):
        return np.where(x > 0, x + 1, np.exp(np.minimum(x, 0)))

    kernels = np.einsum("btd,bsd->bts", feature(query), feature(keys))
    weights = kernels / kernels.sum(-1, keepdims=True)
    got = recall.attend(query, keys, values, "linear")
    assert_allclose(got, weights @ values, atol=1e-5)
    scores = query @ keys.transpose(0, 2, 1) / 3**0.5
    weights = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    got = recall.attend(query, keys, values, "softmax")
    assert_allclose(got, weights @ values, atol=1e-5)


# Positions beyond the trained length


def test_positions_take_the_sinusoidal_runs_of_the_transformer(tmp_path):
    from experiments import positions

    folder = tmp_path / "runs"
    folder.mkdir()
    there = json.dumps({"model": "transformer", "seed": 1, "options": {"units": 64}})
    name = "transformer-short-number-words-transformer-1.json"
    (folder / name).write_text(there, encoding="utf-8")
    assert positions.sinusoidal(1, {}, 16, tmp_path) == {
        "model": "sinusoidal",
        "seed": 1,
        "options": {"units": 64, "positions": "sinusoidal"},
    }


def test_positions_of_the_result_differ_in_positions_alone():
    runs = results.runs("positions")
    of = {"sinusoidal": [], "rotary": [], "alibi": [], "none": []}
    for run in runs:
        of[run["model"]].append(run["seed"])
        sizes = {"units": 64, "heads": 4, "layers": 2, "positions": run["model"]}
        assert run["options"] == sizes and len(run["epochs"]) == 16
        assert (run["pairs"], run["batch_size"]) == (8000, 64)
    assert list(of.values()) == [[0, 1, 2]] * 4
    old = results.runs("transformer", task="short number words", model="transformer")
    for new, same in zip(runs[:3], old, strict=True):
        assert new["by_length"] == same["by_length"]


def test_learned_positions_refuse_a_longer_source():
    from experiments import positions

    message = (
        "sentence 0 should have at most 15 tokens, which is this model's"
        " max_source_len, got 16"
    )
    assert positions.refusal() == message
    assert results.load("positions")["learned_refuses"] == message


def test_shuffled_batches_do_not_depend_on_lengths():
    """With like lengths, a batch spans few of them; drawn at random, nearly all."""
    pairs = [(["a"] * (1 + i % 40), ["b"]) for i in range(800)]
    model = types.SimpleNamespace(
        source_vocabulary=Vocabulary.of([["a"]]),
        target_vocabulary=Vocabulary.of([["b"]]),
    )

    def spread(shuffled):
        made = transformer.batches(model, pairs, 0, shuffled)
        return np.mean([np.ptp(made.lengths[0][rows]) for rows in made.rows])

    assert spread(False) < 8 and spread(True) > 30
