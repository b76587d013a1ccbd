"""Faster ways through ``decoding.greedy``, which give what it gives."""

import threading

import numpy as np

from attnlib import search as decoding
from attnlib.backend import tf
from attnlib.fast.xla import available
from attnlib.vocabulary import Vocabulary


class Greedy:
    """(source numbers, limits) -> tokens (batch, length) and weights (batch, length,
    source_len), in NumPy.

    A batch runs until half of its sentences have ended, and goes on with the other half
    alone: the longest does not make the others wait. What has come often, of one shape,
    runs in XLA's compiled form from then on; compiling takes a second or two, so it has
    to pay. May be called from several threads.
    """

    FEW = 8  # so few go on together to the end
    USUAL = (
        8,
        32,
    )  # so often a shape comes before it is compiled, if of one sentence, and if of several
    # lengths are padded to multiples of it, numbers of sentences to powers of 2, so
    # that few are compiled
    ROUND = 12

    def __init__(self, model):
        self.model, self.compiled, self.seen, self.lock = (
            model,
            {},
            {},
            threading.Lock(),
        )
        self.plain = tf.function(
            lambda source, limits: decoding.greedy(model, source, limits),
            input_signature=[decoding.NUMBERS, decoding.LIMITS],
            autograph=False,
        )
        self.begin = tf.function(
            model.encode, input_signature=[decoding.NUMBERS], autograph=False
        )
        self.steps = None

    def __call__(self, source, limits):
        source, limits = np.asarray(source, np.int32), np.asarray(limits, np.int32)
        shape, most = self.padded(source.shape)
        if limits.max() <= most:
            with self.lock:
                compiled = self.often(shape, most)
            if compiled is not None:
                return self.run(compiled, shape, source, limits)
        if len(source) > self.FEW:
            return self.halving(source, limits)
        return [x.numpy() for x in self.plain(source, limits)]

    def padded(self, shape):
        """The shape that is compiled for one of `shape`, (batch, source_len), and the
        tokens it can write.
        """
        batch, longest = (
            2 ** (shape[0] - 1).bit_length(),
            -(-shape[1] // self.ROUND) * self.ROUND,
        )
        if self.model.attention == "location":  # which has a longest source
            longest = min(longest, self.model.max_source_len)
        return (batch, longest), 2 * longest + 10

    def often(self, shape, most):
        """XLA's form for a shape, or None where it has not come often enough."""
        self.seen[shape] = self.seen.get(shape, 0) + 1
        if self.seen[shape] <= self.USUAL[shape[0] > 1] or not available():
            return None
        if shape not in self.compiled:
            self.compiled[shape] = tf.function(
                lambda source, limits: decoding.greedy(
                    self.model, source, limits, most
                ),
                input_signature=[
                    tf.TensorSpec(shape, tf.int32),
                    tf.TensorSpec(shape[:1], tf.int32),
                ],
                autograph=False,
                jit_compile=True,
            )
        return self.compiled[shape]

    def run(self, compiled, shape, source, limits):
        batch, source_len = source.shape
        more = shape[0] - batch
        given = (
            np.pad(source, ((0, more), (0, shape[1] - source_len))),
            np.pad(limits, (0, more)),
        )
        tokens, weights = (x.numpy() for x in compiled(*given))
        return tokens[:batch], weights[:batch, :, :source_len]

    def make_steps(self):
        """``decoding.steps``, traced once, whatever the lengths."""
        spec = lambda x: tf.TensorSpec((None, *x.shape[1:]), x.dtype)  # noqa: E731
        given = tf.nest.map_structure(
            spec, self.begin.get_concrete_function().structured_outputs
        )
        scalar, row = tf.TensorSpec((), tf.int32), decoding.LIMITS
        return tf.function(
            lambda *given: decoding.steps(self.model, *given),
            input_signature=[scalar, scalar, row, row, *given],
            autograph=False,
        )

    def halving(self, source, limits):
        """A batch, with those that have ended left out each time that half have."""
        state, memory = self.begin(source)
        with self.lock:
            self.steps = self.steps or self.make_steps()
        rows, word = (
            np.arange(len(source)),
            np.full(len(source), Vocabulary.start, np.int32),
        )
        tokens = np.full((len(source), limits.max()), Vocabulary.end, np.int32)
        width = 0 if self.model.attention == "none" else source.shape[1]
        looked = np.zeros((*tokens.shape, width), np.float32)
        t = 0
        while len(rows):
            enough = 0 if len(rows) <= self.FEW else len(rows) // 2
            words, weights, ended, state = self.steps(
                t, enough, word, limits[rows], state, memory
            )
            words, weights = words.numpy(), weights.numpy()
            now = slice(t, t + words.shape[1])
            tokens[rows, now], looked[rows, now] = words, weights
            going = np.flatnonzero(~ended.numpy())
            rows, word, t = rows[going], words[going, -1], now.stop
            state, memory = tf.nest.map_structure(
                lambda x, kept=going: tf.gather(x, kept), (state, memory)
            )
        return tokens[:, :t], looked[:, :t]
