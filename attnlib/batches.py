"""Pairs of sentences as arrays, a batch at a time."""

import numpy as np

from attnlib.arguments import integer
from attnlib.backend import keras, tf


class Batches(keras.utils.PyDataset):
    """Pairs as arrays ((source, target before), target), in batches of sentences of
    like length.

    Each epoch shuffles anew: sentences are drawn in random order, sorted by length
    within runs of twenty batches, and the batches drawn in random order. Little is
    spent on padding, and no order repeats.
    """

    def __init__(
        self,
        pairs,
        source_vocabulary,
        target_vocabulary,
        batch_size=128,
        shuffle=True,
        seed=0,
    ):
        super().__init__()
        pairs = check_pairs(pairs)
        self.source = source_vocabulary.encode([source for source, _ in pairs])
        self.target = target_vocabulary.encode(
            [target for _, target in pairs], start=True, end=True
        )
        self.lengths = (self.source != 0).sum(1), (self.target != 0).sum(1)
        self.batch_size, self.shuffle = integer("batch_size", batch_size), shuffle
        self.random = np.random.default_rng(seed)
        self.on_epoch_end()

    def on_epoch_end(self):
        order = np.arange(len(self.source))
        if self.shuffle:
            order = self.random.permutation(order)
        run = 20 * self.batch_size
        by_length = np.lexsort(
            (
                self.lengths[1][order],
                self.lengths[0][order],
                np.arange(len(order)) // run,
            )
        )
        order = order[by_length]
        self.rows = [
            order[i : i + self.batch_size]
            for i in range(0, len(order), self.batch_size)
        ]
        if self.shuffle:
            self.random.shuffle(self.rows)

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, place):
        rows = self.rows[place]
        source = self.source[rows, : self.lengths[0][rows].max()]
        target = self.target[rows, : self.lengths[1][rows].max()]
        return (source, target[:, :-1]), target[:, 1:]

    def dataset(self):
        """The same as a tf.data.Dataset, which knows that lengths vary (Keras would
        infer them from two batches).
        """

        def epoch():
            yield from (self[place] for place in range(len(self)))
            self.on_epoch_end()

        numbers = tf.TensorSpec((None, None), tf.int32)
        data = tf.data.Dataset.from_generator(
            epoch, output_signature=((numbers, numbers), numbers)
        )
        data = data.apply(tf.data.experimental.assert_cardinality(len(self))).prefetch(
            2
        )
        options = tf.data.Options()
        # its thread sleeps 10, 20, 40 … ms, and `fit` would wait for it to wake
        options.autotune.enabled = False
        return data.with_options(options)


def check_pairs(pairs):
    """`pairs` as a list, if it is one of (source_tokens, target_tokens)."""
    pairs = list(pairs)
    if not pairs:
        raise ValueError(
            "expected at least one (source_tokens, target_tokens) pair, got none"
        )
    for place, pair in enumerate(pairs):
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise ValueError(
                f"pair {place} should be (source_tokens, target_tokens), got {pair!r}"
            )
    return pairs
