"""Exact match and token accuracy against source length: Bahdanau et al. (2015), Figure
2, in miniature.

With and without attention, trained on numbers of every length and on short ones alone,
three seeds each. It also measures what else might explain the fall without attention:
the size of the state, a unidirectional encoder, and a reversed source.
"""

import numpy as np

from attnlib import metrics
from attnlib.tasks import numbers
from experiments._training import main, run, teacher_forced, train_to_best, translate

EDGES = numbers.EDGES  # source length in tokens: low <= length < high
SHORT = 15  # longest source in the short training set
SEEDS = (0, 1, 2)
MODELS = {  # name: (training set, model's options, source reversed)
    "additive_all": ("all", {"attention": "additive", "units": 128}, False),
    "none_all": ("all", {"attention": "none", "units": 128}, False),
    "additive_short": ("short", {"attention": "additive", "units": 128}, False),
    "none_short": ("short", {"attention": "none", "units": 128}, False),
    "none_all_32": ("all", {"attention": "none", "units": 32}, False),
    "none_all_64": ("all", {"attention": "none", "units": 64}, False),
    "none_forward": (
        "all",
        {"attention": "none", "units": 128, "bidirectional": False},
        False,
    ),
    "none_reversed": (
        "all",
        {"attention": "none", "units": 128, "bidirectional": False},
        True,
    ),
}
FULL = {"pairs": 8000, "per_bin": 100, "development": 300, "epochs": 15}
QUICK = {"pairs": 200, "per_bin": 5, "development": 20, "epochs": 1}


def data(sizes, training_set):
    """Training, development, and test pairs.

    The test set is the same for all models, and no training set holds a pair of it.
    """
    test = numbers.stratified(per_bin=sizes["per_bin"], edges=EDGES, seed=100)
    if training_set == "short":
        train = numbers.short(sizes["pairs"], SHORT, seed=0, exclude=test)
        development = numbers.short(
            sizes["development"], SHORT, seed=1, exclude=test + train
        )
    else:
        train = numbers.pairs(sizes["pairs"], seed=0, exclude=test)
        development = numbers.pairs(sizes["development"], seed=1, exclude=test + train)
    return train, development, test


def train(name, seed, sizes):
    training_set, options, source_reversed = MODELS[name]
    train, development, test = data(sizes, training_set)
    model = new_model(sizes, train, development, test, seed, options)
    if source_reversed:
        train, development, test = map(reverse_sources, (train, development, test))
    result = {
        "model": name,
        "seed": seed,
        "options": options,
        "training_set": training_set,
        "source_reversed": source_reversed,
        "parameters": model.count_params(),
        **sizes,
    }
    result |= train_to_best(model, train, development, sizes["epochs"], seed)
    result |= evaluate(model, test)
    return result


def new_model(sizes, train, development, test, seed, options):
    """A model with the vocabularies of both training sets together, so that no model
    meets a word without a token ID.
    """
    from attnlib.backend import keras
    from attnlib.seq2seq import Seq2Seq

    both = data(sizes, "all")[0] + data(sizes, "short")[0]
    keras.utils.set_random_seed(seed)
    return Seq2Seq.for_pairs(both + test + development, **options)


def reverse_sources(pairs):
    return [(source[::-1], target) for source, target in pairs]


def evaluate(model, test):
    """What the model reaches on the test set, by source length."""
    lengths = [len(source) for source, _ in test]
    targets = [target for _, target in test]
    translations = translate(model, test)
    exact = [
        translation == target
        for translation, target in zip(translations, targets, strict=True)
    ]
    correct = teacher_forced(model, test)
    accuracies = [float(np.mean(hits)) for hits in correct]
    hits, tries = by_position(correct, lengths)
    return {
        "by_length": mean_by_length(exact, lengths),
        "token_accuracy_by_length": mean_by_length(accuracies, lengths),
        "bleu": round(metrics.bleu(translations, targets), 2),
        "token_hits_by_position": hits.tolist(),
        "token_tries_by_position": tries.tolist(),
    }


def mean_by_length(values, lengths):
    """[low, high, count, mean] of each bin of source length."""
    return [
        [b.low, b.high, b.count, round(b.mean, 4)]
        for b in metrics.by_length(values, lengths, EDGES)
    ]


def by_position(correct, lengths):
    """Correct tokens, and all tokens, for each bin of source length and each target
    position: two arrays (bins, longest target + 1).
    """
    longest = max(map(len, correct))
    hits = np.zeros((len(EDGES) - 1, longest), int)
    tries = np.zeros_like(hits)
    for length, row in zip(lengths, correct, strict=True):
        length_bin = np.searchsorted(EDGES, length, "right") - 1
        hits[length_bin, : len(row)] += row
        tries[length_bin, : len(row)] += 1
    return hits, tries


def measure(options):
    sizes = QUICK if options.quick else FULL
    seeds = (0,) if options.quick else SEEDS
    names = ("additive_short", "none_forward") if options.quick else MODELS
    runs = [
        run(f"length_curve-{name}-{seed}", options.output, train, name, seed, sizes)
        for name in names
        for seed in seeds
    ]
    return {"edges": EDGES, "short": SHORT, "runs": runs}


if __name__ == "__main__":
    main("length_curve", __doc__, measure)
