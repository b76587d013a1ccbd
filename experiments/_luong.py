"""Luong et al. (2015) in miniature, on number words or on dates: one training, whose
runs several experiments share.
"""

import math

from attnlib import metrics
from attnlib.tasks import dates, numbers
from experiments._training import run, teacher_forced, train_to_best, translate

# Number words, with a unidirectional encoder as in the paper. Each row of its Table 1
# adds one thing to the row before.
REVERSE = {"units": 64, "bidirectional": False, "reverse_source": True}
DROPOUT = REVERSE | {"dropout": 0.1}
FED = DROPOUT | {"input_feeding": True}
WORDS = {
    "base": {"attention": "none", "units": 64, "bidirectional": False},
    "reverse": {"attention": "none"} | REVERSE,
    "dropout": {"attention": "none"} | DROPOUT,
    "location": {"attention": "location"} | DROPOUT,
    "location-fed": {"attention": "location"} | FED,
    "dot-fed": {"attention": "dot"} | FED,
    "general-fed": {"attention": "general"} | FED,
    "concat-fed": {"attention": "concat"} | FED,
    "concat-identity-fed": {"attention": "concat", "concat_identity": True} | FED,
    "local-m-dot-fed": {"attention": "local-m", "score": "dot"} | FED,
    "local-m-general-fed": {"attention": "local-m", "score": "general"} | FED,
    "local-p-dot-fed": {"attention": "local-p", "score": "dot"} | FED,
    "local-p-general-fed": {"attention": "local-p", "score": "general"} | FED,
}
WORDS_FULL = {"pairs": 2000, "test_per_bin": 60, "development": 200, "epochs": 30}
WORDS_QUICK = {"pairs": 120, "test_per_bin": 2, "development": 10, "epochs": 1}

DATES_FULL = {"pairs": 8000, "test": 500, "development": 200}
DATES_QUICK = {"pairs": 120, "test": 20, "development": 10, "epochs": 1}
DATES_VARIANTS = {  # the last words of a model's name, such as "local-m-3-zeros"
    "forward": {"bidirectional": False},
    "zeros": {"initial_state": "zeros"},
    "flat": {"gaussian": False},
    "identity": {"concat_identity": True},
}
SEEDS = (0, 1, 2, 3, 4)


def words(names, options, seeds=SEEDS):
    """Runs of these models on number words, trained where they do not exist yet."""
    sizes = WORDS_QUICK if options.quick else WORDS_FULL
    return _runs("words", _train_words, names, options, seeds, sizes)


def on_dates(names, options, seeds=SEEDS):
    """Runs of these models on dates, trained where they do not exist yet."""
    sizes = DATES_QUICK if options.quick else DATES_FULL
    return _runs("dates", _train_dates, names, options, seeds, sizes)


def dates_options(name):
    """Options and epochs of a model on dates: "general", "local-p-5", or with variants,
    "local-m-3-forward-zeros".
    """
    options = {"units": 64}
    kind, *variants = name.split("-")
    if kind == "local":
        window, half_width, *variants = variants
        options["attention"] = f"local-{window}"
        options["score"] = "general"
        options["half_width"] = int(half_width)
    else:
        options["attention"] = kind
    for variant in variants:
        options |= DATES_VARIANTS[variant]
    return options, 20 if kind == "local" else 8


def _runs(task, train, names, options, seeds, sizes):
    if options.quick:
        names = names[-1:]
        seeds = (0,)
    return [
        run(f"{task}-{name}-{seed}", options.output, train, name, seed, sizes)
        for seed in seeds
        for name in names
    ]


def _train_words(name, seed, sizes):
    test = numbers.stratified(
        per_bin=sizes["test_per_bin"], edges=numbers.EDGES, seed=100
    )
    train = numbers.pairs(sizes["pairs"], seed=0, exclude=test)
    development = numbers.pairs(sizes["development"], seed=1, exclude=test + train)
    model = _model(train + development + test, seed, WORDS[name])
    result = {
        "model": name,
        "task": "number words",
        "seed": seed,
        "options": WORDS[name],
        "parameters": model.count_params(),
        **sizes,
    }
    result |= train_to_best(model, train, development, sizes["epochs"], seed)
    targets = [target for _, target in test]
    translations = translate(model, test)
    correct = teacher_forced(model, test)
    token_accuracy = float(sum(map(sum, correct)) / sum(map(len, correct)))
    return result | {
        "perplexity": round(math.exp(model.evaluate(test)[0]), 4),
        "token_accuracy": round(token_accuracy, 4),
        "bleu": round(metrics.bleu(translations, targets), 2),
        "exact_match": round(metrics.exact_match(translations, targets), 4),
    }


def _train_dates(name, seed, sizes):
    train = dates.pairs(sizes["pairs"], seed=0)
    test = dates.pairs(sizes["test"], seed=100, exclude=train)
    development = dates.pairs(sizes["development"], seed=1, exclude=train + test)
    options, epochs = dates_options(name)
    sizes = {"epochs": epochs} | sizes
    model = _model(train + development + test, seed, options)
    result = {
        "model": name,
        "task": "dates",
        "seed": seed,
        "options": options,
        "parameters": model.count_params(),
        **sizes,
    }
    result |= train_to_best(model, train, development, sizes["epochs"], seed)
    targets = [target for _, target in test]
    exact_match = metrics.exact_match(translate(model, test), targets)
    weights = model.align(test)
    # How much weight the sentence's positions receive, per output, on average.
    sums = [float(w[p.rows].sum(1).mean()) for w, p in zip(weights, test, strict=True)]
    return result | {
        "exact_match": round(exact_match, 4),
        "aer": round(dates.alignment_error_rate(weights, test), 4),
        "aer_shifted": round(dates.alignment_error_rate(weights, test, shift=1), 4),
        "weight_sum": round(sum(sums) / len(sums), 4),
    }


def _model(pairs, seed, options):
    from attnlib.backend import keras
    from attnlib.seq2seq import Seq2Seq

    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    return Seq2Seq.for_pairs(pairs, **options)
