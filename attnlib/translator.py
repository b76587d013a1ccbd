"""What every translator shares: pairs, batches, loss, fit, translate, align, and save.

A model that translates is a ``Translator`` with its own encoder and decoder::

    units                                  size of the decoder's state
    encode(source)                         initial state, and memory of the source
    decode_step(state, token_ids, memory)  one step of generation
    call((source, decoder_inputs))         all steps, with the true tokens given
"""

from typing import NamedTuple

import numpy as np

from attnlib import fast
from attnlib.arguments import integer
from attnlib.backend import keras, tf
from attnlib.batches import Batches, check_pairs, sentence_lengths
from attnlib.progress import EpochProgress, Progress
from attnlib.search import TOKEN_IDS, greedy_search, make_search
from attnlib.vocabulary import Vocabulary

ops = keras.ops


class Translation(NamedTuple):
    """What ``translate`` returns for one sentence.

    Row i of the weights belongs to the step that generated token i. Where <end> was
    generated, the last row is that of its step, so there is one row more than tokens.
    """

    tokens: list
    weights: np.ndarray | None  # (steps, source_len); None without attention

    @property
    def text(self):
        return " ".join(self.tokens)


class Translator(keras.Model):
    """A ``keras.Model`` that translates. Not used by itself: see ``Seq2Seq``.

    Parameters
    ----------
    source_vocabulary, target_vocabulary : Vocabulary, or the list of its tokens
    """

    units = None  # size of the decoder's state
    max_source_len = None  # the longest source that the model can have; None for any
    has_attention = True

    def __init__(self, source_vocabulary, target_vocabulary, **kwargs):
        super().__init__(**kwargs)
        self.source_vocabulary = as_vocabulary(source_vocabulary)
        self.target_vocabulary = as_vocabulary(target_vocabulary)
        self.loss_tracker = keras.metrics.Mean("loss")
        self.accuracy_tracker = keras.metrics.Mean("token_accuracy")
        self.training_loops = fast.TrainingLoops()
        self.fast_greedy_search = fast.GreedySearch(self, greedy_search)
        self.searches = {}  # by beam width
        self.forced_weights = tf.function(
            lambda *inputs: self(inputs, return_weights=True)[1],
            input_signature=[TOKEN_IDS, TOKEN_IDS],
            autograph=False,
        )

    @classmethod
    def for_pairs(cls, pairs, learning_rate=3e-3, **options):
        """A compiled model whose vocabularies are those of ``pairs``.

        Parameters
        ----------
        pairs : list of (source_tokens, target_tokens)
        learning_rate : float
            Of Adam, whose gradients are clipped to a norm of 1.
        **options
            As for the class. ``max_source_len`` is that of ``pairs`` if not given.
        """
        pairs = check_pairs(pairs)
        source_vocabulary = Vocabulary.of(source for source, _ in pairs)
        target_vocabulary = Vocabulary.of(target for _, target in pairs)
        options.setdefault("max_source_len", max(len(source) for source, _ in pairs))
        model = cls(source_vocabulary, target_vocabulary, **options)
        optimizer = keras.optimizers.Adam(learning_rate, clipnorm=1.0)
        model.compile(optimizer, jit_compile=False)  # fast.xla compiles loops alone
        # Built in the first training step, it would have that step traced twice.
        optimizer.build(model.trainable_variables)
        return model

    # Training. Loss and accuracy are means over real tokens, in an epoch as in a batch.

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        """Cross-entropy in nats per real token: padding is left out of sum and mean."""
        real = ops.cast(ops.not_equal(y, Vocabulary.pad), y_pred.dtype)
        nats = keras.losses.sparse_categorical_crossentropy(
            y, y_pred, from_logits=True
        )  # (batch, target_len)
        correct = ops.equal(ops.cast(ops.argmax(y_pred, -1), y.dtype), y)
        # Flat: given two axes, Keras would take the mean over each batch's length, and
        # so give long batches less weight.
        nats, correct, real = (ops.reshape(x, (-1,)) for x in (nats, correct, real))
        self.loss_tracker.update_state(nats, sample_weight=real)
        self.accuracy_tracker.update_state(correct, sample_weight=real)
        return ops.sum(nats * real) / ops.sum(real)

    @property
    def metrics(self):
        return [self.loss_tracker, self.accuracy_tracker]

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        return {metric.name: metric.result() for metric in self.metrics}

    def train_step(self, data):
        with self.training_loops:
            return super().train_step(data)

    def batches(self, pairs, batch_size=128, shuffle=True, seed=0):
        """``pairs`` as a PyDataset for fit and evaluate, in batches of like length."""
        batches = Batches(
            pairs,
            self.source_vocabulary,
            self.target_vocabulary,
            batch_size,
            shuffle,
            seed,
        )
        self.check_lengths(batches.lengths[0])
        return batches

    def check_lengths(self, lengths):
        """ValueError where a source is longer than the model can have."""
        longest = self.max_source_len
        if longest is not None and max(lengths, default=0) > longest:
            index = int(np.argmax(lengths))
            raise ValueError(
                f"sentence {index} should have at most {longest} tokens, which is this "
                f"model's max_source_len, got {lengths[index]}"
            )

    def fit(
        self,
        pairs,
        epochs=1,
        batch_size=128,
        seed=0,
        validation_data=None,
        callbacks=None,
        verbose="auto",
        **options,
    ):
        """Keras' fit, on pairs or on ``model.batches(pairs)``.

        Parameters
        ----------
        pairs, validation_data : list of (source_tokens, target_tokens), or Batches
            ``Batches`` keep their own order and size.
        seed : int
            Of the order of the batches.
        verbose : "auto", 0, 1, or 2
            "auto" shows one line, which says how far the training is, and stays at the
            end; 0 shows nothing; 1 and 2 are Keras' own.
        """
        batches = self._as_batches(pairs, batch_size, True, seed)
        if validation_data is not None:
            validation = self._as_batches(validation_data, batch_size, False)
            validation_data = validation.dataset()
        callbacks = list(callbacks or [])
        if verbose == "auto":
            verbose = 0
            callbacks.append(EpochProgress())
        self.training_loops.plan(self, batches, epochs)
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
        """Keras' evaluate, on pairs or on ``model.batches(pairs)``.

        Returns
        -------
        [float, float]
            Loss in nats per real token, and accuracy over real tokens.
        """
        if pairs is not None:  # None when ``fit`` calls it, for its validation data
            batches = self._as_batches(pairs, batch_size, False)
            return super().evaluate(batches.dataset(), verbose=verbose, **options)
        return super().evaluate(batch_size=batch_size, verbose=verbose, **options)

    def _as_batches(self, pairs, *options):
        return pairs if isinstance(pairs, Batches) else self.batches(pairs, *options)

    # Decoding

    def decode(self, source, max_lengths, beam_width):
        """For each row, token IDs (length,) and weights (length, source_len), in NumPy.

        source: (batch, source_len), token IDs. max_lengths: (batch,), tokens that each
        translation may have. What follows the end is <end>.
        """
        if beam_width == 1:
            result = self.fast_greedy_search(source, max_lengths)
            if result is not None:
                return result
        if beam_width not in self.searches:
            self.searches[beam_width] = make_search(self, beam_width)
        tokens, weights = self.searches[beam_width](source, max_lengths)
        return tokens.numpy(), weights.numpy()

    def translate(
        self, sentences, beam_width=1, max_length=None, batch_size=256, verbose="auto"
    ):
        """Translations of token lists.

        Parameters
        ----------
        sentences : list of lists of str
        beam_width : int
            1 is greedy search; more is beam search, for the best total log-probability.
        max_length : int, optional
            Tokens that a translation may have, 2 * source_len + 10 if not given.

        Returns
        -------
        list of Translation
            In the order of ``sentences``.
        """
        beam_width = integer("beam_width", beam_width)
        batch_size = integer("batch_size", batch_size)
        source = self.source_vocabulary.encode(sentences)
        lengths = sentence_lengths(source)
        self.check_lengths(lengths)
        max_lengths = 2 * lengths + 10
        if max_length is not None:
            max_lengths = np.full_like(lengths, integer("max_length", max_length))
        order = np.argsort(lengths, kind="stable")
        translations = [None] * len(order)
        progress = Progress(len(order), "sentences translated", verbose)
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            batch = source[rows, : lengths[rows].max()]
            results = self.decode(batch, max_lengths[rows], beam_width)
            for row, token_ids, weights in zip(rows, *results, strict=True):
                translations[row] = self._translation(
                    token_ids, weights, max_lengths[row], lengths[row]
                )
            progress.update(start + len(rows))
        progress.close()
        return translations

    def _translation(self, token_ids, weights, max_length, source_len):
        tokens = self.target_vocabulary.decode(token_ids)
        if not self.has_attention:
            return Translation(tokens, None)
        steps = min(len(tokens) + 1, max_length)  # one more for <end>, if reached
        return Translation(tokens, weights[:steps, :source_len])

    def align(self, pairs, batch_size=128):
        """The attention weights under forced decoding, with the true tokens given.

        Returns
        -------
        list of arrays, each of shape (target_len + 1, source_len), or None
            One per pair, the last row for <end>. None without attention.
        """
        if not self.has_attention:
            return None
        data = self.batches(pairs, batch_size, False)
        source_len, target_len = data.lengths
        alignments = [None] * len(source_len)
        for rows, (inputs, _) in zip(data.rows, data, strict=True):
            weights = self.forced_weights(*inputs).numpy()
            for row, alpha in zip(rows, weights, strict=True):
                alignments[row] = alpha[: target_len[row] - 1, : source_len[row]]
        return alignments

    @classmethod
    def load(cls, path):
        """The model that ``model.save("….keras")`` wrote."""
        return keras.saving.load_model(path)


def as_vocabulary(vocabulary):
    is_one = isinstance(vocabulary, Vocabulary)
    return vocabulary if is_one else Vocabulary(vocabulary)
