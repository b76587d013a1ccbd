"""Pairs of sentences as arrays, one batch at a time."""

import numpy as np

from attnlib.arguments import integer
from attnlib.backend import keras, tf
from attnlib.vocabulary import Vocabulary

BATCHES_PER_RUN = 20


class Batches(keras.utils.PyDataset):
    """Pairs as arrays ((source, decoder_inputs), target), in batches of like length.

    The decoder's inputs are the target shifted by one: <start> first, without <end>.
    Each epoch shuffles anew: sentences are drawn in random order, sorted by length
    within runs of twenty batches, and the batches drawn in random order. So little is
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
        sources = [source for source, _ in pairs]
        targets = [target for _, target in pairs]
        self.source = source_vocabulary.encode(sources)
        self.target = target_vocabulary.encode(targets, start=True, end=True)
        self.lengths = sentence_lengths(self.source), sentence_lengths(self.target)
        self.batch_size, self.shuffle = integer("batch_size", batch_size), shuffle
        self.random = np.random.default_rng(seed)
        self.on_epoch_end()

    def on_epoch_end(self):
        order = np.arange(len(self.source))
        if self.shuffle:
            order = self.random.permutation(order)
        runs = np.arange(len(order)) // (BATCHES_PER_RUN * self.batch_size)
        source_len, target_len = (lengths[order] for lengths in self.lengths)
        order = order[np.lexsort((target_len, source_len, runs))]
        starts = range(0, len(order), self.batch_size)
        self.rows = [order[start : start + self.batch_size] for start in starts]
        if self.shuffle:
            self.random.shuffle(self.rows)

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        rows = self.rows[index]
        source_len, target_len = (lengths[rows].max() for lengths in self.lengths)
        source = self.source[rows, :source_len]
        target = self.target[rows, :target_len]
        return (source, target[:, :-1]), target[:, 1:]

    def dataset(self):
        """The same as a tf.data.Dataset, which knows that lengths vary.

        Keras would infer the lengths from two batches.
        """

        def epoch():
            yield from (self[index] for index in range(len(self)))
            self.on_epoch_end()

        ids = tf.TensorSpec((None, None), tf.int32)
        data = tf.data.Dataset.from_generator(epoch, output_signature=((ids, ids), ids))
        data = data.apply(tf.data.experimental.assert_cardinality(len(self)))
        # The autotuning thread sleeps 10, 20, 40 … ms, and ``fit`` would wait for it.
        options = tf.data.Options()
        options.autotune.enabled = False
        return data.prefetch(2).with_options(options)


def sentence_lengths(token_ids):
    """Lengths (batch,) of padded sentences (batch, longest)."""
    return (token_ids != Vocabulary.pad).sum(1)


def check_pairs(pairs):
    """``pairs`` as a list, if it is one of (source_tokens, target_tokens)."""
    pairs = list(pairs)
    if not pairs:
        raise ValueError(
            "pairs should have at least one (source_tokens, target_tokens), got none"
        )
    for index, pair in enumerate(pairs):
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise ValueError(
                f"pair {index} should be (source_tokens, target_tokens), got {pair!r}"
            )
    return pairs
