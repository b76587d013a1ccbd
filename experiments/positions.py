"""Positions beyond the trained length: sinusoidal, rotary, ALiBi, and none.

The Transformer of ``transformer`` is trained on number words with sources of at most 15
tokens, and tested on longer ones. Only the way it is told positions differs. The
sinusoidal runs are those that ``transformer`` has under "short number words".

The runs, by their field "model": "sinusoidal", "rotary", "alibi", "none". Of each, as
in ``transformer``: parameters, epochs, best_epoch, and exact_match on the test set, of
the weights of the best epoch; by_length, [low, high, count, mean] of exact match, and
token_accuracy_by_length, of each next token with the true ones before it given.

Beside the runs, "learned_refuses" has the message of a model with learned positions
that were made for sources of 15 tokens, asked to translate one of 16.
"""

from attnlib import metrics
from experiments import length_curve, transformer
from experiments._training import main, run, translate

TASK = "short number words"
POSITIONS = ("sinusoidal", "rotary", "alibi", "none")


def new_model(positions, pairs):
    from attnlib.transformer import Transformer

    options = transformer.SIZES["transformer"] | {"positions": positions}
    if positions == "learned":
        options |= {"max_source_len": length_curve.SHORT}
    return Transformer.for_pairs(
        pairs,
        learning_rate=transformer.PEAK,
        warmup_steps=transformer.WARM_UP,
        **options,
    )


def train(positions, seed, sizes, epochs):
    from attnlib.backend import keras

    train, development, test, pairs = transformer.data(TASK, sizes)
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    model = new_model(positions, pairs)
    result = {
        "task": TASK,
        "model": positions,
        "seed": seed,
        "options": transformer.SIZES["transformer"] | {"positions": positions},
        "parameters": model.count_params(),
        "pairs": len(train),
        "batch_size": transformer.BATCH_SIZE,
    }
    details = model, train, development, epochs, seed
    result |= transformer.train_to_best(*details, shuffled=False)
    targets = [target for _, target in test]
    exact = metrics.exact_match(translate(model, test), targets)
    result["exact_match"] = round(exact, 4)
    return result | length_curve.evaluate(model, test)


def sinusoidal(seed, sizes, epochs, output):
    """The run that ``transformer`` has; it is trained if it is not there yet."""
    name = f"transformer-{TASK.replace(' ', '-')}-transformer-{seed}"
    details = TASK, "transformer", seed, sizes, epochs
    result = run(name, output, transformer.train, *details)
    options = result["options"] | {"positions": "sinusoidal"}
    return result | {"model": "sinusoidal", "options": options}


def refusal():
    """What a model with learned positions says of a source that is one too long."""
    source, target = ["one"] * (length_curve.SHORT + 1), ["un"]
    model = new_model("learned", [(source, target)])
    try:
        model.translate([source], verbose=0)
    except ValueError as error:
        return str(error)
    raise AssertionError("learned positions should not reach beyond their number")


def measure(options):
    sizes = transformer.QUICK if options.quick else transformer.FULL
    epochs = 1 if options.quick else transformer.EPOCHS[TASK]
    seeds = (0,) if options.quick else transformer.SEEDS
    runs = []
    for positions in ("rotary", "sinusoidal") if options.quick else POSITIONS:
        for seed in seeds:
            details = seed, sizes, epochs
            if positions == "sinusoidal":
                runs.append(sinusoidal(*details, options.output))
                continue
            name = f"positions-{positions}-{seed}"
            runs.append(run(name, options.output, train, positions, *details))
    return {
        "edges": length_curve.EDGES,
        "short": length_curve.SHORT,
        "learned_refuses": refusal(),
        "runs": runs,
    }


if __name__ == "__main__":
    main("positions", __doc__, measure)
