"""Faster ways through ``decoding.greedy``, which give what it gives."""

import numpy as np

from attnlib import decoding
from attnlib.backend import tf
from attnlib.vocabulary import Vocabulary


class Greedy:
    """(source numbers, limits) -> tokens (batch, length) and weights (batch, length, source_len), in NumPy.

    A batch runs until half of its sentences have ended, and goes on with the other half alone: the longest does not
    make the others wait. Sentences that come one by one run in XLA's compiled form once their length is a usual one;
    compiling takes a second or two, so it has to pay.
    """

    FEW = 8  # so few go on together to the end
    USUAL = 8  # so often a length comes before it is compiled
    ROUND = 16  # lengths are padded to multiples of it, so that few are compiled

    def __init__(self, model):
        self.model, self.compiled, self.seen = model, {}, {}
        self.plain = tf.function(
            lambda source, limits: decoding.greedy(model, source, limits),
            input_signature=[decoding.NUMBERS, decoding.LIMITS],
            autograph=False,
        )
        self.begin = tf.function(model.encode, input_signature=[decoding.NUMBERS], autograph=False)
        self.steps = None

    def __call__(self, source, limits):
        source, limits = np.asarray(source, np.int32), np.asarray(limits, np.int32)
        if len(source) > self.FEW:
            return self.halving(source, limits)
        if len(source) == 1:
            known = self.compiled_for(source, limits)
            if known is not None:
                return known
        return [x.numpy() for x in self.plain(source, limits)]

    def compiled_for(self, source, limits):
        """What XLA's form gives for one sentence, or None where its length has not come often enough."""
        longest = -(-source.shape[1] // self.ROUND) * self.ROUND
        if self.model.attention == "location":  # which has a longest source
            longest = min(longest, self.model.max_source_len)
        most = 2 * longest + 10
        self.seen[longest] = self.seen.get(longest, 0) + 1
        if self.seen[longest] <= self.USUAL or limits[0] > most:
            return None
        if longest not in self.compiled:
            self.compiled[longest] = tf.function(
                lambda source, limits: decoding.greedy(self.model, source, limits, most),
                input_signature=[tf.TensorSpec((1, longest), tf.int32), tf.TensorSpec((1,), tf.int32)],
                autograph=False,
                jit_compile=True,
            )
        padded = np.pad(source, ((0, 0), (0, longest - source.shape[1])))
        try:
            tokens, weights = self.compiled[longest](padded, limits)
        except tf.errors.OpError:  # no XLA on this machine
            self.USUAL = float("inf")
            return None
        return tokens.numpy(), weights.numpy()[:, :, : source.shape[1]]

    def halving(self, source, limits):
        """A batch, with those that have ended left out each time that half have."""
        state, memory = self.begin(source)
        if self.steps is None:
            spec = lambda x: tf.TensorSpec((None, *x.shape[1:]), x.dtype)  # noqa: E731
            given = tf.nest.map_structure(spec, self.begin.get_concrete_function().structured_outputs)
            scalar, row = tf.TensorSpec((), tf.int32), decoding.LIMITS
            self.steps = tf.function(
                lambda *given: decoding.steps(self.model, *given),
                input_signature=[scalar, scalar, row, row, *given],
                autograph=False,
            )
        rows, word = np.arange(len(source)), np.full(len(source), Vocabulary.start, np.int32)
        tokens = np.full((len(source), limits.max()), Vocabulary.end, np.int32)
        width = 0 if self.model.attention == "none" else source.shape[1]
        looked = np.zeros((*tokens.shape, width), np.float32)
        t = 0
        while len(rows):
            enough = 0 if len(rows) <= self.FEW else len(rows) // 2
            words, weights, ended, state = self.steps(t, enough, word, limits[rows], state, memory)
            words, weights = words.numpy(), weights.numpy()
            now = slice(t, t + words.shape[1])
            tokens[rows, now], looked[rows, now] = words, weights
            going = np.flatnonzero(~ended.numpy())
            rows, word, t = rows[going], words[going, -1], now.stop
            state, memory = tf.nest.map_structure(lambda x, kept=going: tf.gather(x, kept), (state, memory))
        return tokens[:, :t], looked[:, :t]
