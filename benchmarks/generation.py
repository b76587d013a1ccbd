"""attnlib's `Transformer` generates with its cache, and without: the same search, but
every step decodes the whole prefix again. Both are compiled graphs, and both compute
the keys and values of the source once.

The model never generates <end>, so that all translations have the same length.
"""

import numpy as np

from benchmarks import our_transformer

FULL = {**our_transformer.FULL, "tokens": 60, "batch": 128, "single": 8}
QUICK = {**our_transformer.QUICK, "tokens": 6, "batch": 4, "single": 2}


class WithoutCache:
    """The steps of a `Transformer`, whose state is the tokens so far."""

    has_attention, state_grows = True, True

    def __init__(self, model):
        self.model = model

    def encode(self, source):
        from attnlib.backend import tf

        _, memory = self.model.encode(source)
        # tf.while_loop has to be told that the prefix grows.
        empty = tf.zeros((tf.shape(source)[0], 0), tf.int32)
        prefix = tf.raw_ops.PlaceholderWithDefault(input=empty, shape=(None, None))
        return prefix, memory

    def decode_step(self, prefix, token_ids, memory):
        from attnlib.backend import tf

        prefix = tf.concat([prefix, token_ids[:, None]], 1)  # (batch, words so far)
        logits, *_ = self.model.decode_words(prefix, None, memory)
        return prefix, logits[:, -1], tf.zeros((tf.shape(prefix)[0], 0))


def cases(folder, threads, quick):
    from attnlib.search import make_search
    from attnlib.vocabulary import Vocabulary

    sizes = QUICK if quick else FULL
    train = our_transformer.task_pairs("numbers", sizes["pairs"])
    model = our_transformer.new_model(train, sizes)
    model.fit(train, epochs=1, verbose=0)
    bias = model.output_layer.bias.numpy()
    bias[Vocabulary.end] = -1e9
    model.output_layer.bias.assign(bias)
    test = our_transformer.task_pairs("numbers", sizes["batch"], seed=1, exclude=train)
    source = model.source_vocabulary.encode([source for source, _ in test])
    searches = {
        "with": model.search(1),
        "without": make_search(WithoutCache(model), 1),
    }

    def generate(search, sentences):
        max_lengths = np.full(len(sentences), sizes["tokens"], np.int32)
        return search(sentences, max_lengths)[0].numpy()

    def one_by_one(search):
        rows = range(sizes["single"])
        length = [np.count_nonzero(source[row]) for row in rows]
        return [generate(search, source[[row], : length[row]]) for row in rows]

    return {
        f"{how},{size}": run
        for how, search in searches.items()
        for size, run in {
            "batch": lambda search=search: [generate(search, source)],
            "single": lambda search=search: one_by_one(search),
        }.items()
    }
