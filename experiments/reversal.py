"""Does reversing the source help a model without attention? Sutskever et al. (2014),
section 3.3, in miniature.

The encoder is unidirectional, and its final state makes the decoder's initial state and
enters no step; the source is read forward or in reverse; three seeds each. Besides
exact match, it measures how strongly an output depends on an input, by the number of
recurrent steps between them, before training and after it. (Where the context enters
every step, ``length_curve`` has both orders.)
"""

import numpy as np

from experiments._training import main, run, train_to_best
from experiments.length_curve import EDGES, data, evaluate, new_model, reverse_sources

SEEDS = (0, 1, 2)
MODELS = {  # name: whether the source is reversed
    "first_state_forward": False,
    "first_state_reversed": True,
}
FULL = {
    "pairs": 8000,
    "per_bin": 100,
    "development": 300,
    "epochs": 20,
    "units": 128,
    "probed": 30,
}
QUICK = {
    "pairs": 200,
    "per_bin": 5,
    "development": 20,
    "epochs": 1,
    "units": 32,
    "probed": 2,
}
PROBED = 20, 25  # source lengths of the sentences whose gradients are taken


def train(name, seed, sizes):
    source_reversed = MODELS[name]
    train, development, test = data(sizes, "all")
    options = {
        "attention": "none",
        "context": "first_state",
        "bidirectional": False,
        "units": sizes["units"],
    }
    model = new_model(sizes, train, development, test, seed, options)
    if source_reversed:
        train, development, test = map(reverse_sources, (train, development, test))
    low, high = PROBED
    probed = [pair for pair in test if low <= len(pair[0]) < high][: sizes["probed"]]
    before = gradients_by_steps(model, probed)
    result = {
        "model": name,
        "seed": seed,
        "options": options,
        "source_reversed": source_reversed,
        "parameters": model.count_params(),
        **sizes,
    }
    result |= train_to_best(model, train, development, sizes["epochs"], seed)
    result |= evaluate(model, test)
    result["gradients_before_training"] = before
    result["gradients_after_training"] = gradients_by_steps(model, probed)
    return result


def gradients_by_steps(model, pairs, longest=70):
    """How strongly output t depends on input s, by the recurrent steps between them.

    Returns a list of [steps, norm, norm of the loss, count]: the mean over `count`
    pairs of positions of the norm of d(logit of the true word t)/d(embedding of word
    s), and the same of -log of the true word's probability. Numbers of steps with fewer
    than five pairs are left out.
    """
    totals, count = np.zeros((2, longest)), np.zeros(longest, int)
    for source, target in pairs:
        steps = recurrent_steps(len(source), len(target))
        norms = [np.linalg.norm(g, axis=-1) for g in gradients(model, source, target)]
        for t, s in np.ndindex(steps.shape):
            if steps[t, s] < longest:
                totals[:, steps[t, s]] += [each[t, s] for each in norms]
                count[steps[t, s]] += 1
    return [
        [steps, *(float(f"{total / n:.4g}") for total in totals[:, steps]), int(n)]
        for steps, n in enumerate(count)
        if n >= 5
    ]


def recurrent_steps(source_len, target_len):
    """The number of recurrent steps from encoding word s to predicting word t, both
    counted from 0: an array (target_len, source_len).

    From word s on, the encoder takes source_len - s steps, and the decoder then takes
    t + 1, since the context only makes its initial state.
    """
    encoder = source_len - np.arange(source_len)
    decoder = np.arange(target_len) + 1
    return decoder[:, None] + encoder


def gradients(model, source, target):
    """d(logit of the true word t)/d(embedding of word s), by teacher forcing, and the
    same of -log of its probability: two arrays (target_len, source_len, embedding_dim).

    There is one copy of the sentence per output, and copy t takes the gradient of the
    t-th output alone.
    """
    from attnlib.backend import tf

    target_len = len(target)
    sources = tf.repeat(model.source_vocabulary.encode([source]), target_len, axis=0)
    targets = tf.repeat(
        model.target_vocabulary.encode([target], start=True), target_len, axis=0
    )
    with tf.GradientTape(persistent=True) as tape:
        # (target_len, source_len, embedding_dim)
        embedded = model.source_embedding(sources)
        tape.watch(embedded)
        annotations, *finals = model.encoder(embedded)
        state = model.decoder.get_initial_state(finals)
        memory = model.decoder.prepare_memory(annotations, finals, None)
        words = model.target_embedding(targets[:, :-1])
        features, _ = model.decoder.unroll(state, words, memory)
        logits = model.output_layer(features)  # (target_len, target_len, vocabulary)
        rows = tf.range(target_len)
        logits = tf.gather(logits, rows, batch_dims=1)  # (target_len, vocabulary)
        true_words = targets[0, 1:]
        chosen = tf.gather(logits, true_words, batch_dims=1)  # (target_len,)
        losses = tf.reduce_logsumexp(logits, -1) - chosen
    return [tape.gradient(each, embedded).numpy() for each in (chosen, losses)]


def measure(options):
    sizes = QUICK if options.quick else FULL
    seeds = (0,) if options.quick else SEEDS
    runs = [
        run(f"reversal-{name}-{seed}", options.output, train, name, seed, sizes)
        for name in MODELS
        for seed in seeds
    ]
    return {"edges": EDGES, "probed": PROBED, "runs": runs}


if __name__ == "__main__":
    main("reversal", __doc__, measure)
