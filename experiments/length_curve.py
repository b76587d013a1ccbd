"""Exact match and token accuracy against source length: Bahdanau et al. (2015), Figure
2, in miniature.

With and without attention, trained on numbers of every length and on short ones alone,
three seeds each. And what else
might explain the fall without attention: the width of the state, a one-directional
encoder, the source reversed.
"""

import numpy as np
from _training import arguments, run, save, teacher_forced, train_to_best

from attnlib import metrics
from attnlib.tasks import numbers

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


def data(sizes, kind):
    """Training, development and test pairs: the test set is the same for all, and in no
    training set.
    """
    test = numbers.stratified(per_bin=sizes["per_bin"], edges=EDGES, seed=100)
    draw = (
        (lambda n, **more: numbers.short(n, SHORT, **more))
        if kind == "short"
        else numbers.pairs
    )
    train = draw(sizes["pairs"], seed=0, exclude=test)
    development = draw(sizes["development"], seed=1, exclude=test + train)
    return train, development, test


def gradient_norms(model, pairs, longest=60):
    """How strongly output t feels input s: the norm of d(logit of the true word
    t)/d(embedding of word s), averaged over pairs at each distance, in recurrent steps
    from reading s to writing t: (source_len - s) + t, from 1 on.
    """
    from attnlib.backend import tf

    total, count = np.zeros(longest), np.zeros(longest, int)
    for source, target in pairs:
        # One copy of the sentence for each output: copy t asks for the gradient of the
        # t-th logit alone.
        steps = tf.range(len(target))
        copies = tf.repeat(
            model.source_vocabulary.encode([source]), len(target), axis=0
        )
        words = tf.repeat(
            model.target_vocabulary.encode([target], start=True), len(target), axis=0
        )
        with tf.GradientTape() as tape:
            embedded = model.source_embedding(
                copies
            )  # (target_len, source_len, embedding_dim)
            tape.watch(embedded)
            annotations, *finals = model.encoder(embedded)
            final = tf.concat(finals, -1)
            state, memory = (
                model.decoder.first_state(final),
                model.decoder.memory(annotations, final, None),
            )
            features, _ = model.decoder.run(
                state, model.target_embedding(words[:, :-1]), memory
            )
            logits = tf.gather(
                model.readout(features), words[:, 1:], batch_dims=2
            )  # (target_len, target_len)
            chosen = tf.gather(logits, steps, batch_dims=1)
        norms = np.linalg.norm(
            tape.gradient(chosen, embedded).numpy(), axis=-1
        )  # (target_len, source_len)
        for t, row in enumerate(norms):
            for s, norm in enumerate(row):
                distance = len(source) - s + t
                if distance < longest:
                    total[distance] += norm
                    count[distance] += 1
    return [
        [d, round(float(total[d] / count[d]), 5)]
        for d in range(longest)
        if count[d] >= 5
    ]


def train(name, seed, sizes):
    from attnlib.backend import keras
    from attnlib.seq2seq import Seq2Seq

    kind, options, backwards = MODELS[name]
    sets = data(sizes, kind)
    # Vocabularies from both training sets together, so that no model meets a word it
    # has no number for.
    vocabularies = data(sizes, "all")[0] + data(sizes, "short")[0] + sets[2] + sets[1]
    if backwards:
        sets = [[(source[::-1], target) for source, target in pairs] for pairs in sets]
    train, development, test = sets
    keras.utils.set_random_seed(seed)
    model = Seq2Seq.for_pairs(vocabularies, **options)
    result = {
        "model": name,
        "seed": seed,
        "options": options,
        "training_set": kind,
        "source_reversed": backwards,
        "parameters": model.count_params(),
        **sizes,
    }
    result |= train_to_best(model, train, development, sizes["epochs"], seed)

    lengths = [len(source) for source, _ in test]
    found = [
        t.tokens for t in model.translate([source for source, _ in test], verbose=0)
    ]
    exact = [guess == target for guess, (_, target) in zip(found, test, strict=True)]
    right = teacher_forced(model, test)
    result["by_length"] = [
        [b.low, b.high, b.count, round(b.mean, 4)]
        for b in metrics.by_length(exact, lengths, EDGES)
    ]
    tokens = [float(np.mean(hits)) for hits in right]
    result["token_accuracy_by_length"] = [
        [b.low, b.high, b.count, round(b.mean, 4)]
        for b in metrics.by_length(tokens, lengths, EDGES)
    ]
    result["bleu"] = round(metrics.bleu(found, [target for _, target in test]), 2)
    # Hits and tries for each source length bin and target position.
    positions = max(map(len, right))
    hits, tries = np.zeros((2, len(EDGES) - 1, positions), int)
    for length, row in zip(lengths, right, strict=True):
        place = np.searchsorted(EDGES, length, "right") - 1
        hits[place, : len(row)] += row
        tries[place, : len(row)] += 1
    result["token_hits_by_position"], result["token_tries_by_position"] = (
        hits.tolist(),
        tries.tolist(),
    )
    if not options.get("bidirectional", True):
        longer = [pair for pair in test if 20 <= len(pair[0]) < 25][:30]
        result["gradient_norm_by_distance"] = gradient_norms(model, longer)
    return result


def main():
    options = arguments(__doc__.splitlines()[0])
    sizes, seeds = (QUICK, (0,)) if options.quick else (FULL, SEEDS)
    names = ("additive_short", "none_forward") if options.quick else MODELS
    results = [
        run(f"length_curve-{name}-{seed}", options.output, train, name, seed, sizes)
        for name in names
        for seed in seeds
    ]
    save(
        options.output / "length_curve.json",
        {"edges": EDGES, "short": SHORT, "runs": results},
    )
    print(f"{len(results)} runs in {options.output / 'length_curve.json'}")


if __name__ == "__main__":
    main()
