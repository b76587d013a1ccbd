"""Encoder, decoder, training, and decoding: a sequence in, a sequence out."""

from typing import NamedTuple

import numpy as np

from attnlib import decoding
from attnlib.backend import keras, tf
from attnlib.decoders import BahdanauDecoder
from attnlib.layers import whole_number
from attnlib.progress import EpochProgress, Progress
from attnlib.vocabulary import Vocabulary

ops = keras.ops

ATTENTIONS = ("none", "additive")


class Translation(NamedTuple):
    """What ``Seq2Seq.translate`` gives for one sentence: weights (target_len, source_len), or None for "none".

    Row i of the weights belongs to the step that wrote token i; a last row, where there is one more row than
    tokens, to the step that wrote <end>.
    """

    tokens: list
    weights: np.ndarray | None

    @property
    def text(self):
        return " ".join(self.tokens)


class Batches(keras.utils.PyDataset):
    """Pairs as arrays ((source, target before), target), in batches of sentences of like length.

    Each epoch shuffles anew: sentences are drawn in random order, sorted by length within runs of twenty batches,
    and the batches drawn in random order. Little is spent on padding, and no order repeats.
    """

    def __init__(self, pairs, source_vocabulary, target_vocabulary, batch_size=128, shuffle=True, seed=0):
        super().__init__()
        pairs = check_pairs(pairs)
        self.source = source_vocabulary.encode([source for source, _ in pairs])
        self.target = target_vocabulary.encode([target for _, target in pairs], start=True, end=True)
        self.lengths = (self.source != 0).sum(1), (self.target != 0).sum(1)
        self.batch_size, self.shuffle = whole_number("batch_size", batch_size), shuffle
        self.random = np.random.default_rng(seed)
        self.on_epoch_end()

    def on_epoch_end(self):
        order = np.arange(len(self.source))
        if self.shuffle:
            order = self.random.permutation(order)
        run = 20 * self.batch_size
        by_length = np.lexsort((self.lengths[1][order], self.lengths[0][order], np.arange(len(order)) // run))
        order = order[by_length]
        self.rows = [order[i : i + self.batch_size] for i in range(0, len(order), self.batch_size)]
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
        """The same as a tf.data.Dataset, which knows that lengths vary (Keras would infer them from two batches)."""

        def epoch():
            yield from (self[place] for place in range(len(self)))
            self.on_epoch_end()

        numbers = tf.TensorSpec((None, None), tf.int32)
        data = tf.data.Dataset.from_generator(epoch, output_signature=((numbers, numbers), numbers))
        return data.apply(tf.data.experimental.assert_cardinality(len(self))).prefetch(2)


def check_pairs(pairs):
    """`pairs` as a list, if it is one of (source_tokens, target_tokens)."""
    pairs = list(pairs)
    if not pairs:
        raise ValueError("expected at least one (source_tokens, target_tokens) pair, got none")
    for place, pair in enumerate(pairs):
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise ValueError(f"pair {place} should be (source_tokens, target_tokens), got {pair!r}")
    return pairs


@keras.saving.register_keras_serializable("attnlib")
class Seq2Seq(keras.Model):
    """A GRU encoder and a GRU decoder, with or without attention between them.

    source_vocabulary, target_vocabulary: `Vocabulary`, or the list of its tokens.
    attention: "none" (the encoder's final state is all the decoder gets, at every step) or "additive".
    units: width of the decoder's state, and of the encoder's: both directions together.
    embedding_dim: width of a word's vector. bidirectional: whether the encoder also reads backwards.
    ``Seq2Seq.for_pairs(pairs, …)`` takes the vocabularies from the data and compiles.
    """

    def __init__(self, source_vocabulary, target_vocabulary, attention="additive", units=128, embedding_dim=32,
                 bidirectional=True, **kwargs):  # fmt: skip
        super().__init__(**kwargs)
        if attention not in ATTENTIONS:
            raise ValueError(f"attention should be one of {', '.join(ATTENTIONS)}, got {attention!r}")
        units, embedding_dim = whole_number("units", units), whole_number("embedding_dim", embedding_dim)
        if bidirectional and units % 2:
            raise ValueError(f"units should be even, half for each direction of the encoder, got {units}")
        as_vocabulary = lambda v: v if isinstance(v, Vocabulary) else Vocabulary(v)  # noqa: E731
        self.source_vocabulary = as_vocabulary(source_vocabulary)
        self.target_vocabulary = as_vocabulary(target_vocabulary)
        self.attention, self.bidirectional = attention, bidirectional
        self.units, self.embedding_dim = units, embedding_dim

        self.source_embedding = keras.layers.Embedding(len(self.source_vocabulary), embedding_dim)
        self.target_embedding = keras.layers.Embedding(len(self.target_vocabulary), embedding_dim)
        width = units // 2 if bidirectional else units
        encoder = keras.layers.GRU(width, return_sequences=True, return_state=True)
        self.encoder = keras.layers.Bidirectional(encoder) if bidirectional else encoder
        self.decoder = BahdanauDecoder(units, attention)
        self.readout = keras.layers.Dense(len(self.target_vocabulary))
        self.loss_tracker = keras.metrics.Mean("loss")
        self.accuracy_tracker = keras.metrics.Mean("token_accuracy")
        self.decode, self.forced_weights = decoding.compiled(self), decoding.forced(self)
        self.build()

    @classmethod
    def for_pairs(cls, pairs, learning_rate=3e-3, **options):
        """A compiled model whose vocabularies are those of `pairs`; options as for ``Seq2Seq``."""
        pairs = check_pairs(pairs)
        vocabularies = Vocabulary.of(source for source, _ in pairs), Vocabulary.of(target for _, target in pairs)
        model = cls(*vocabularies, **options)
        model.compile(keras.optimizers.Adam(learning_rate, clipnorm=1.0), jit_compile=False)
        model.optimizer.build(model.trainable_variables)  # else made in the first step, which is then traced twice
        return model

    def build(self, input_shape=None):
        if self.built:
            return
        self.source_embedding.build((None, None))
        self.target_embedding.build((None, None))
        self.encoder.build((None, None, self.embedding_dim))
        first_from = self.units // 2 if self.bidirectional and self.attention != "none" else self.units
        self.decoder.build(self.embedding_dim, self.units, first_from)
        self.readout.build((None, 2 * self.units + self.embedding_dim))
        self.built = True

    def encode(self, source):
        """source: (batch, source_len) numbers. Returns the decoder's first state and its memory of the source."""
        mask = ops.not_equal(source, Vocabulary.pad)
        annotations, *finals = self.encoder(self.source_embedding(source), mask=mask)  # (batch, source_len, units)
        final = ops.concatenate(finals, -1)  # (batch, units): [forward at the last word; backward at the first]
        # s_0 = tanh(W_s h_1) from the backward state at the first word (A.2.2); all of c without attention.
        first_from = final if self.attention == "none" else finals[-1]
        return self.decoder.first_state(first_from), self.decoder.memory(annotations, final, mask)

    def call(self, inputs, return_weights=False):
        """inputs: (source, target before), numbers (batch, source_len) and (batch, target_len), <start> first.

        Returns logits (batch, target_len, target vocabulary); with return_weights also the weights
        (batch, target_len, source_len), or None without attention.
        """
        source, before = inputs
        state, memory = self.encode(source)
        features, weights = self.decoder.run(state, self.target_embedding(before), memory, return_weights)
        logits = self.readout(features)
        return (logits, weights) if return_weights else logits

    # Training: loss and accuracy are means over real tokens, in an epoch as in a batch.

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Cross-entropy in nats a real token: padding neither adds to the sum nor counts in the mean."""
        real = ops.cast(ops.not_equal(y, Vocabulary.pad), y_pred.dtype)
        nats = keras.losses.sparse_categorical_crossentropy(y, y_pred, from_logits=True)  # (batch, target_len)
        return ops.sum(nats * real) / ops.sum(real)

    @property
    def metrics(self):
        return [self.loss_tracker, self.accuracy_tracker]

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        real = ops.cast(ops.not_equal(y, Vocabulary.pad), y_pred.dtype)
        nats = keras.losses.sparse_categorical_crossentropy(y, y_pred, from_logits=True)
        right = ops.equal(ops.cast(ops.argmax(y_pred, -1), y.dtype), y)
        # Flat: given two axes, Keras would take the mean over each batch's length, and so weigh long batches less.
        nats, right, real = (ops.reshape(x, (-1,)) for x in (nats, right, real))
        self.loss_tracker.update_state(nats, sample_weight=real)
        self.accuracy_tracker.update_state(right, sample_weight=real)
        return {"loss": self.loss_tracker.result(), "token_accuracy": self.accuracy_tracker.result()}

    def batches(self, pairs, batch_size=128, shuffle=True, seed=0):
        """`pairs` as a PyDataset for fit and evaluate, in batches of like length."""
        return Batches(pairs, self.source_vocabulary, self.target_vocabulary, batch_size, shuffle, seed)

    def _dataset(self, pairs, *options):
        return (pairs if isinstance(pairs, Batches) else self.batches(pairs, *options)).dataset()

    def fit(self, pairs, epochs=1, batch_size=128, seed=0, validation_data=None, callbacks=None, verbose="auto",
            **options):  # fmt: skip
        """Keras' fit, on pairs or a PyDataset. seed: of the order of the batches. verbose: "auto" shows one line
        that tells how far it is and stays at the end; 0 nothing; 1 and 2 are Keras' own."""
        data = self._dataset(pairs, batch_size, True, seed)
        if validation_data is not None:
            validation_data = self._dataset(validation_data, batch_size, False)
        callbacks = list(callbacks or [])
        if verbose == "auto":
            verbose = 0
            callbacks.append(EpochProgress())
        return super().fit(data, epochs=epochs, validation_data=validation_data, callbacks=callbacks, verbose=verbose,
                           shuffle=False, **options)  # fmt: skip

    def evaluate(self, pairs=None, batch_size=128, verbose=0, **options):
        """Keras' evaluate, on pairs or a PyDataset: [loss in nats a real token, accuracy over real tokens]."""
        if pairs is None:  # called by Keras' fit, for its validation data
            return super().evaluate(batch_size=batch_size, verbose=verbose, **options)
        return super().evaluate(self._dataset(pairs, batch_size, False), verbose=verbose, **options)

    # Decoding

    def translate(self, sentences, beam_width=1, max_length=None, batch_size=256, verbose="auto"):
        """Translates token lists. Greedy with beam_width=1, else by beam search: the best total log-probability
        that a beam of that width finds.

        max_length: tokens a translation may have at most, 2 * source_len + 10 if not given.
        Returns a list of `Translation`, in the order of `sentences`.
        """
        beam_width, batch_size = whole_number("beam_width", beam_width), whole_number("batch_size", batch_size)
        numbers = self.source_vocabulary.encode(sentences)
        lengths = (numbers != 0).sum(1)
        if max_length is None:
            limits = 2 * lengths + 10
        else:
            limits = np.full_like(lengths, whole_number("max_length", max_length))
        order = np.argsort(lengths, kind="stable")
        found = [None] * len(order)
        progress = Progress(len(order), "sentences translated", verbose)
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            longest = int(lengths[rows].max())
            tokens, weights = self.decode(numbers[rows, :longest], beam_width, limits[rows])
            for place, row in enumerate(rows):
                words = self.target_vocabulary.decode(tokens[place])
                steps = min(len(words) + 1, limits[row])  # one for <end>, if it was reached
                kept = None if weights is None else weights[place, :steps, : lengths[row]]
                found[row] = Translation(words, kept)
            progress.to(start + len(rows))
        progress.end()
        return found

    def align(self, pairs, batch_size=128):
        """The weights under forced decoding, where the decoder is given the true words: a list of arrays
        (target_len + 1, source_len), one a pair, the last row for <end>. None without attention."""
        if self.attention == "none":
            return None
        data, found = self.batches(pairs, batch_size, False), {}
        for rows, (inputs, _) in zip(data.rows, data, strict=True):
            weights = self.forced_weights(*inputs)
            for row, alpha in zip(rows, weights, strict=True):
                found[row] = alpha[: data.lengths[1][row] - 1, : data.lengths[0][row]]
        return [found[row] for row in range(len(found))]

    # Saving

    def get_config(self):
        return {
            "source_vocabulary": self.source_vocabulary.tokens,
            "target_vocabulary": self.target_vocabulary.tokens,
            "attention": self.attention,
            "units": self.units,
            "embedding_dim": self.embedding_dim,
            "bidirectional": self.bidirectional,
        }

    @classmethod
    def load(cls, path):
        """The model that ``model.save("….keras")`` wrote."""
        return keras.saving.load_model(path)
