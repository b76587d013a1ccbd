"""One training for Luong et al. (2015) in miniature, on number words or on dates; the
experiments share its runs.
"""

import math

from _training import run, teacher_forced, train_to_best

from attnlib import metrics
from attnlib.tasks import dates, numbers

# Number words: an encoder that reads one way, as in the paper. Each rung of its Table 1
# adds to the one before.
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
SEEDS = (0, 1, 2, 3, 4)


def _model(pairs, seed, options):
    from attnlib.backend import keras
    from attnlib.seq2seq import Seq2Seq

    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    return Seq2Seq.for_pairs(pairs, **options)


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
    }
    result |= {"parameters": model.count_params(), **sizes}
    result |= train_to_best(model, train, development, sizes["epochs"], seed)
    found = [
        t.tokens for t in model.translate([source for source, _ in test], verbose=0)
    ]
    targets, right = [target for _, target in test], teacher_forced(model, test)
    return result | {
        "perplexity": round(math.exp(model.evaluate(test)[0]), 4),
        "token_accuracy": round(float(sum(map(sum, right)) / sum(map(len, right))), 4),
        "bleu": round(metrics.bleu(found, targets), 2),
        "exact_match": round(metrics.exact_match(found, targets), 4),
    }


def dates_options(name):
    """The model's options and epochs: "general", "local-p-5", or with more,
    "local-m-3-forward-zeros".
    """
    options = {"units": 64}
    kind, *more = name.split("-")
    if kind == "local":
        options |= {
            "attention": f"local-{more.pop(0)}",
            "score": "general",
            "half_width": int(more.pop(0)),
        }
    else:
        options["attention"] = kind
    said = {
        "forward": {"bidirectional": False},
        "zeros": {"initial_state": "zeros"},
        "flat": {"gaussian": False},
        "identity": {"concat_identity": True},
    }
    for word in more:
        options |= said[word]
    return options, 20 if kind == "local" else 8


def _train_dates(name, seed, sizes):
    train = dates.pairs(sizes["pairs"], seed=0)
    test = dates.pairs(sizes["test"], seed=100, exclude=train)
    development = dates.pairs(sizes["development"], seed=1, exclude=train + test)
    options, epochs = dates_options(name)
    sizes = {"epochs": epochs} | sizes
    model = _model(train + development + test, seed, options)
    result = {"model": name, "task": "dates", "seed": seed, "options": options}
    result |= {"parameters": model.count_params(), **sizes}
    result |= train_to_best(model, train, development, sizes["epochs"], seed)
    found = [
        t.tokens for t in model.translate([source for source, _ in test], verbose=0)
    ]
    weights = model.align(test)
    mass = [float(w[p.rows].sum(1).mean()) for w, p in zip(weights, test, strict=True)]
    return result | {
        "exact_match": round(
            metrics.exact_match(found, [target for _, target in test]), 4
        ),
        "aer": round(dates.alignment_error_rate(weights, test), 4),
        "aer_shifted": round(dates.alignment_error_rate(weights, test, shift=1), 4),
        "weight_sum": round(sum(mass) / len(mass), 4),
    }


def words(names, options, seeds=SEEDS):
    """The runs of these models on number words, trained where they are not there yet."""
    sizes, seeds = (WORDS_QUICK, (0,)) if options.quick else (WORDS_FULL, seeds)
    names = names[-1:] if options.quick else names
    return [
        run(f"words-{name}-{seed}", options.output, _train_words, name, seed, sizes)
        for seed in seeds
        for name in names
    ]


def on_dates(names, options, seeds=SEEDS):
    """The runs of these models on dates, trained where they are not there yet."""
    sizes, seeds = (DATES_QUICK, (0,)) if options.quick else (DATES_FULL, seeds)
    names = names[-1:] if options.quick else names
    return [
        run(f"dates-{name}-{seed}", options.output, _train_dates, name, seed, sizes)
        for seed in seeds
        for name in names
    ]
