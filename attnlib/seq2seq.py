"""Encoder, decoder, training, and decoding: a sequence in, a sequence out."""

from contextlib import closing
from typing import NamedTuple

import numpy as np

from attnlib import search
from attnlib.arguments import integer
from attnlib.backend import keras, tf
from attnlib.batches import Batches, check_pairs
from attnlib.decoders import BahdanauDecoder, LuongDecoder
from attnlib.fast import xla
from attnlib.fast.gru import FastGRU
from attnlib.layers import LocalAttention, LuongAttention
from attnlib.progress import EpochProgress, Progress
from attnlib.vocabulary import Vocabulary

ops = keras.ops

ATTENTIONS = (
    "none",
    "additive",
    "dot",
    "general",
    "concat",
    "location",
    "local-m",
    "local-p",
)


class Translation(NamedTuple):
    """What ``Seq2Seq.translate`` gives for one sentence: weights (target_len,
    source_len), or None for "none".

    Row i of the weights belongs to the step that wrote token i; a last row, where there
    is one more row than tokens, to the step that wrote <end>.
    """

    tokens: list
    weights: np.ndarray | None

    @property
    def text(self):
        return " ".join(self.tokens)


@keras.saving.register_keras_serializable("attnlib")
class Seq2Seq(keras.Model):
    """A GRU encoder and a GRU decoder, with or without attention between them.

    source_vocabulary, target_vocabulary: `Vocabulary`, or the list of its tokens.
    attention: "none" (the encoder's final state is all the decoder gets, at every
    step); "additive", as Bahdanau et al. have it; or as Luong et al. have it: "dot",
    "general", "concat" or "location" over the whole source, "local-m" or "local-p" over
    a window.
    units: width of the decoder's state, and of the encoder's: both directions together.
    embedding_dim: width of a word's vector. bidirectional: whether the encoder also
    reads backwards.
    initial_state: of the decoder, from the "encoder" or "zeros". dropout: share of the
    embedded words and of what the next word is read from that is dropped in training.
    reverse_source: the encoder reads each sentence from its last word to its first. Its
    annotations are put back in the sentence's own order, so positions (of weights,
    windows and location scores) count from the first word.

    For Luong's alone, input_feeding: whether a step also gets the attentional state
    before it (section 3.3).
    For local attention alone, half_width: D. score: "dot", "general" or "concat".
    gaussian: as in `LocalAttention`. For "location" alone, max_source_len: the longest
    source it can have. For concat, concat_identity: as in `LuongAttention`.
    ``Seq2Seq.for_pairs(pairs, …)`` takes the vocabularies from the data and compiles.
    """

    OPTIONS = (
        "attention",
        "units",
        "embedding_dim",
        "bidirectional",
        "input_feeding",
        "initial_state",
        "dropout",
        "reverse_source",
        "half_width",
        "score",
        "gaussian",
        "max_source_len",
        "concat_identity",
    )

    def __init__(
        self,
        source_vocabulary,
        target_vocabulary,
        attention="additive",
        units=128,
        embedding_dim=32,
        bidirectional=True,
        input_feeding=False,
        initial_state="encoder",
        dropout=0.0,
        reverse_source=False,
        half_width=10,
        score="general",
        gaussian=None,
        max_source_len=None,
        concat_identity=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if attention not in ATTENTIONS:
            raise ValueError(
                f"attention should be one of {', '.join(ATTENTIONS)}, got {attention!r}"
            )
        if initial_state not in ("encoder", "zeros"):
            raise ValueError(
                f"initial_state should be 'encoder' or 'zeros', got {initial_state!r}"
            )
        if input_feeding and attention in ATTENTIONS[:2]:
            raise ValueError(
                "input_feeding goes with Luong's attention,"
                f" {', '.join(ATTENTIONS[2:])}, got {attention!r}"
            )
        units, embedding_dim = (
            integer("units", units),
            integer("embedding_dim", embedding_dim),
        )
        if bidirectional and units % 2:
            raise ValueError(
                "units should be even, half for each direction of the encoder, got"
                f" {units}"
            )
        as_vocabulary = lambda v: v if isinstance(v, Vocabulary) else Vocabulary(v)  # noqa: E731
        self.source_vocabulary = as_vocabulary(source_vocabulary)
        self.target_vocabulary = as_vocabulary(target_vocabulary)
        self.attention, self.bidirectional, self.input_feeding = (
            attention,
            bidirectional,
            input_feeding,
        )
        self.units, self.embedding_dim, self.initial_state = (
            units,
            embedding_dim,
            initial_state,
        )
        self.dropout, self.reverse_source = dropout, reverse_source
        self.half_width, self.score, self.gaussian = half_width, score, gaussian
        self.max_source_len, self.concat_identity = max_source_len, concat_identity

        self.source_embedding = keras.layers.Embedding(
            len(self.source_vocabulary), embedding_dim
        )
        self.target_embedding = keras.layers.Embedding(
            len(self.target_vocabulary), embedding_dim
        )
        width = units // 2 if bidirectional else units
        encoder = FastGRU(width, return_sequences=True, return_state=True, name="gru")
        self.encoder = keras.layers.Bidirectional(encoder) if bidirectional else encoder
        self.decoder = self._decoder()
        self.readout = keras.layers.Dense(len(self.target_vocabulary))
        self.drop = keras.layers.Dropout(dropout)
        self.loss_tracker = keras.metrics.Mean("loss")
        self.accuracy_tracker = keras.metrics.Mean("token_accuracy")
        self.shapes = None
        self.decode, self.forced_weights = search.compiled(self), search.forced(self)
        self.build()

    def _decoder(self):
        if self.attention in ("none", "additive"):
            return BahdanauDecoder(self.units, self.attention, self.initial_state)
        if self.attention in ("local-m", "local-p"):
            center = "monotonic" if self.attention == "local-m" else "predictive"
            attention = LocalAttention(
                self.score,
                center,
                self.half_width,
                self.gaussian,
                concat_identity=self.concat_identity,
                name="attention",
            )
        else:
            attention = LuongAttention(
                self.attention,
                max_source_len=self.max_source_len,
                concat_identity=self.concat_identity,
                name="attention",
            )
        return LuongDecoder(
            self.units, attention, self.input_feeding, self.initial_state
        )

    @classmethod
    def for_pairs(cls, pairs, learning_rate=3e-3, **options):
        """A compiled model whose vocabularies are those of `pairs`; options as for
        ``Seq2Seq``.

        With attention="location", max_source_len is that of the longest source in
        `pairs`, if not given.
        """
        pairs = check_pairs(pairs)
        vocabularies = (
            Vocabulary.of(source for source, _ in pairs),
            Vocabulary.of(target for _, target in pairs),
        )
        if options.get("attention") == "location":
            options.setdefault(
                "max_source_len", max(len(source) for source, _ in pairs)
            )
        model = cls(*vocabularies, **options)
        model.compile(
            keras.optimizers.Adam(learning_rate, clipnorm=1.0), jit_compile=False
        )
        model.optimizer.build(
            model.trainable_variables
        )  # else made in the first step, which is then traced twice
        return model

    def build(self, input_shape=None):
        if self.built:
            return
        self.source_embedding.build((None, None))
        self.target_embedding.build((None, None))
        self.encoder.build((None, None, self.embedding_dim))
        first_from = (
            self.units // 2
            if self.bidirectional and self.attention == "additive"
            else self.units
        )
        self.decoder.build(self.embedding_dim, self.units, first_from)
        luong = isinstance(self.decoder, LuongDecoder)
        self.readout.build(
            (None, self.units if luong else 2 * self.units + self.embedding_dim)
        )
        self.built = True

    def encode(self, source):
        """source: (batch, source_len) numbers. Returns the decoder's first state and
        its memory of the source.
        """
        mask = ops.not_equal(source, Vocabulary.pad)
        words = self.drop(self.source_embedding(source))
        if self.reverse_source:
            lengths = tf.reduce_sum(tf.cast(mask, tf.int32), 1)
            words = tf.reverse_sequence(words, lengths, seq_axis=1)
        annotations, *finals = self.encoder(
            words, mask=mask
        )  # (batch, source_len, units)
        if self.reverse_source:
            annotations = tf.reverse_sequence(annotations, lengths, seq_axis=1)
        final = ops.concatenate(
            finals, -1
        )  # (batch, units): [forward at the last word; backward at the first]
        # Bahdanau's s_0 = tanh(W_s h_1) is from the backward state at the first word
        # (A.2.2); else all of it counts.
        first_from = finals[-1] if self.attention == "additive" else final
        return self.decoder.first_state(first_from), self.decoder.memory(
            annotations, final, mask
        )

    def call(self, inputs, return_weights=False, training=None):
        """inputs: (source, target before), numbers (batch, source_len) and (batch,
        target_len), <start> first.

        Returns logits (batch, target_len, target vocabulary); with return_weights also
        the weights (batch, target_len, source_len), or None without attention.
        """
        source, before = inputs
        if training and not return_weights and self.shapes is not None:
            halves = [
                self._logits(*half, compiled=True)[0]
                for half in self.shapes.halves(source, before)
            ]
            return tf.concat(halves, 0)[: tf.shape(before)[0], : tf.shape(before)[1]]
        logits, weights = self._logits(source, before, return_weights)
        return (logits, weights) if return_weights else logits

    def _logits(self, source, before, return_weights=False, compiled=False):
        state, memory = self.encode(source)
        words = self.drop(self.target_embedding(before))
        features, weights = self.decoder.run(
            state, words, memory, return_weights, compiled
        )
        return self.readout(self.drop(features)), weights

    # Training: loss and accuracy are means over real tokens, in an epoch as in a batch.

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        """Cross-entropy in nats a real token: padding neither adds to the sum nor
        counts in the mean.
        """
        real = ops.cast(ops.not_equal(y, Vocabulary.pad), y_pred.dtype)
        nats = keras.losses.sparse_categorical_crossentropy(
            y, y_pred, from_logits=True
        )  # (batch, target_len)
        return ops.sum(nats * real) / ops.sum(real)

    @property
    def metrics(self):
        return [self.loss_tracker, self.accuracy_tracker]

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        real = ops.cast(ops.not_equal(y, Vocabulary.pad), y_pred.dtype)
        nats = keras.losses.sparse_categorical_crossentropy(y, y_pred, from_logits=True)
        right = ops.equal(ops.cast(ops.argmax(y_pred, -1), y.dtype), y)
        # Flat: given two axes, Keras would take the mean over each batch's length, and
        # so weigh long batches less.
        nats, right, real = (ops.reshape(x, (-1,)) for x in (nats, right, real))
        self.loss_tracker.update_state(nats, sample_weight=real)
        self.accuracy_tracker.update_state(right, sample_weight=real)
        return {
            "loss": self.loss_tracker.result(),
            "token_accuracy": self.accuracy_tracker.result(),
        }

    def batches(self, pairs, batch_size=128, shuffle=True, seed=0):
        """`pairs` as a PyDataset for fit and evaluate, in batches of like length."""
        batches = Batches(
            pairs,
            self.source_vocabulary,
            self.target_vocabulary,
            batch_size,
            shuffle,
            seed,
        )
        self._check_lengths(batches.lengths[0])
        return batches

    def _check_lengths(self, lengths):
        """ValueError where a source is longer than location scores reach."""
        if (
            self.attention == "location"
            and max(lengths, default=0) > self.max_source_len
        ):
            place = int(np.argmax(lengths))
            raise ValueError(
                f"attention='location' was built for sources of {self.max_source_len}"
                f" tokens at most, sentence {place} has {lengths[place]}; give a larger"
                " max_source_len, or another attention"
            )

    def _batches(self, pairs, *options):
        return pairs if isinstance(pairs, Batches) else self.batches(pairs, *options)

    def compile_loops(self, shapes):
        """Have XLA compile the loops of training, in batches of these `Shapes`; None
        has TensorFlow run them.
        """
        if shapes == self.shapes:
            return
        self.shapes = shapes
        both = self.bidirectional
        for gru in (
            (self.encoder.forward_layer, self.encoder.backward_layer)
            if both
            else [self.encoder]
        ):
            gru.compiled = shapes is not None
        self.train_function = None  # traced anew

    def fit(
        self,
        pairs,
        epochs=1,
        batch_size=128,
        seed=0,
        validation_data=None,
        callbacks=None,
        verbose="auto",
        compiled=None,
        **options,
    ):
        """Keras' fit, on pairs or a PyDataset. seed: of the order of the batches.
        verbose: "auto" shows one line that tells how far it is and stays at the end; 0
        nothing; 1 and 2 are Keras' own.
        compiled: whether XLA compiles the loops, for additive attention without
        dropout: the same numbers up to
        rounding, later but faster. None: where the training is long enough to win back
        what that takes.
        """
        batches = self._batches(pairs, batch_size, True, seed)
        if validation_data is not None:
            validation_data = self._batches(
                validation_data, batch_size, False
            ).dataset()
        self.compile_loops(xla.shapes_for(self, batches, epochs, compiled))
        callbacks = list(callbacks or [])
        if verbose == "auto":
            verbose = 0
            callbacks.append(EpochProgress())
        return super().fit(
            batches.dataset(),
            epochs=epochs,
            validation_data=validation_data,
            callbacks=callbacks,
            verbose=verbose,
            shuffle=False,
            **options,
        )

    def evaluate(self, pairs=None, batch_size=128, verbose=0, **options):
        """Keras' evaluate, on pairs or a PyDataset: [loss in nats a real token,
        accuracy over real tokens].
        """
        if pairs is None:  # called by Keras' fit, for its validation data
            return super().evaluate(batch_size=batch_size, verbose=verbose, **options)
        return super().evaluate(
            self._batches(pairs, batch_size, False).dataset(),
            verbose=verbose,
            **options,
        )

    # Decoding

    def translate(
        self, sentences, beam_width=1, max_length=None, batch_size=256, verbose="auto"
    ):
        """Translates token lists. Greedy with beam_width=1, else by beam search: the
        best total log-probability that a beam of that width finds.

        max_length: tokens a translation may have at most, 2 * source_len + 10 if not
        given.
        Returns a list of `Translation`, in the order of `sentences`.
        """
        beam_width, batch_size = (
            integer("beam_width", beam_width),
            integer("batch_size", batch_size),
        )
        numbers = self.source_vocabulary.encode(sentences)
        lengths = (numbers != 0).sum(1)
        self._check_lengths(lengths)
        if max_length is None:
            limits = 2 * lengths + 10
        else:
            limits = np.full_like(lengths, integer("max_length", max_length))
        order = np.argsort(lengths, kind="stable")
        found = [None] * len(order)
        progress = Progress(len(order), "sentences translated", verbose)

        def decode(rows):
            return self.decode(
                numbers[rows, : lengths[rows].max()], beam_width, limits[rows]
            )

        # Two halves of a batch at a time, one a core; the longest first, so that
        # neither waits long for the other.
        half = -(-batch_size // 2)
        parts = [order[start : start + half] for start in range(0, len(order), half)][
            ::-1
        ]
        done = 0
        with closing(search.side_by_side(decode, parts)) as decoded:
            for rows, (tokens, weights) in zip(parts, decoded, strict=True):
                for place, row in enumerate(rows):
                    words = self.target_vocabulary.decode(tokens[place])
                    steps = min(
                        len(words) + 1, limits[row]
                    )  # one for <end>, if it was reached
                    kept = (
                        None
                        if weights is None
                        else weights[place, :steps, : lengths[row]]
                    )
                    found[row] = Translation(words, kept)
                done += len(rows)
                progress.to(done)
        progress.end()
        return found

    def align(self, pairs, batch_size=128):
        """The weights under forced decoding, where the decoder is given the true words:
        a list of arrays (target_len + 1, source_len), one a pair, the last row for
        <end>. None without attention.
        """
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
            **{name: getattr(self, name) for name in self.OPTIONS},
        }

    @classmethod
    def load(cls, path):
        """The model that ``model.save("….keras")`` wrote."""
        return keras.saving.load_model(path)
