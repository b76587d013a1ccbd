"""Greedy search in compiled form, for shapes that come again and again.

Compiling a shape takes about a second, and saves some milliseconds each time. So a
shape is compiled when it has come so often that compiling it the first time would have
paid, and the plain search runs until then.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain

import numpy as np

from attnlib.backend import tf
from attnlib.fast import xla

COMPILE_AFTER = 128  # times, for one sentence: each saves about 6 ms
COMPILE_BATCH_AFTER = 32  # times, for a batch: each saves about 30 ms
LENGTH_MULTIPLE = 12  # lengths are padded to it, so that there are few shapes
MIN_HALF = 16  # sentences, below which a batch is not split


class GreedySearch:
    """``search(source, max_lengths)``: as ``search.greedy_search``, or None.

    Token IDs and weights come as one NumPy array per row. None means that the plain
    search should run: a shape has not come often enough, or a limit is too large. The
    two halves of a batch run side by side, one per core, each cut to its longest
    sentence.
    """

    def __init__(self, model, plain_search):
        self.model, self.plain_search = model, plain_search
        self.times_seen, self.compiled = {}, {}

    def __call__(self, source, max_lengths):
        halves = 2 if len(source) >= 2 * MIN_HALF else 1
        parts = []
        for rows in np.array_split(np.arange(len(source)), halves):
            longest = np.flatnonzero(source[rows].any(0)).max(initial=0) + 1
            parts.append((source[rows, :longest], max_lengths[rows]))
        searches = [self.search_for(*part) for part in parts]
        if None in searches:
            return None
        # Even a single half runs in a thread of its own, out of sight of a tape that is
        # open in this one: XLA cannot compile what TensorFlow would record for it.
        with ThreadPoolExecutor(halves) as threads:
            results = list(threads.map(lambda run, part: run(*part), searches, parts))
        tokens, weights = zip(*results, strict=True)
        return list(chain(*tokens)), list(chain(*weights))

    def search_for(self, source, max_lengths):
        """The compiled search for a batch, or None where the plain one should run."""
        shape = self.padded_shape(*source.shape)
        size = 2 * shape[1] + 10  # the tokens that the compiled form has room for
        if max_lengths.max(initial=1) > size or not self.chosen(shape):
            return None
        return partial(run_padded, self.compile(shape, size), shape)

    def padded_shape(self, batch, source_len):
        """(batch, source_len), rounded up to a power of 2 and to a multiple of 12."""
        batch = 2 ** (batch - 1).bit_length()
        source_len += -source_len % LENGTH_MULTIPLE
        longest = self.model.max_source_len
        return batch, source_len if longest is None else min(source_len, longest)

    def chosen(self, shape):
        """Whether to compile a shape, now that it has come once more."""
        if xla.forced() is not None:
            return xla.forced() and xla.available()
        self.times_seen[shape] = self.times_seen.get(shape, 0) + 1
        needed = COMPILE_AFTER if shape[0] == 1 else COMPILE_BATCH_AFTER
        return self.times_seen[shape] > needed and xla.available()

    def compile(self, shape, size):
        if shape not in self.compiled:
            signature = [
                tf.TensorSpec(shape, tf.int32),
                tf.TensorSpec(shape[:1], tf.int32),
            ]
            function = tf.function(
                lambda source, max_lengths: self.plain_search(
                    self.model, source, max_lengths, size
                ),
                input_signature=signature,
                autograph=False,
                jit_compile=True,
            )
            self.compiled[shape] = function.get_concrete_function()
        return self.compiled[shape]


def run_padded(search, shape, source, max_lengths):
    """A compiled search on a batch that is padded to its shape, and cut back."""
    batch, source_len = source.shape
    rows, columns = shape[0] - batch, shape[1] - source_len
    source = np.pad(source, ((0, rows), (0, columns))).astype(np.int32)
    max_lengths = np.pad(max_lengths, (0, rows)).astype(np.int32)
    tokens, weights = search(tf.constant(source), tf.constant(max_lengths))
    # Without attention the weights have no source axis to cut.
    return tokens.numpy()[:batch], weights.numpy()[:batch, :, :source_len]
