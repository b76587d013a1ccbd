"""What every translator shares: pairs, batches, loss, fit, translate, align, and save.

A model that translates is a ``Translator`` with its own encoder and decoder::

    units                                  size of the decoder's state
    encode(source)                         initial state, and memory of the source
    decode_step(state, token_ids, memory)  one step of generation
    call((source, decoder_inputs))         all steps, with the true tokens given
"""

from functools import cache, partial
from typing import NamedTuple

import numpy as np

from attnlib import fast
from attnlib.arguments import integer
from attnlib.backend import keras, tf
from attnlib.batches import check_pairs, sentence_lengths, warn_of_long
from attnlib.losses import per_token
from attnlib.progress import Progress
from attnlib.search import TOKEN_IDS, greedy_search, make_search
from attnlib.training import PairModel
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


class Translator(PairModel):
    """A ``keras.Model`` that translates. Not used by itself: see ``Seq2Seq``.

    Parameters
    ----------
    source_vocabulary, target_vocabulary : Vocabulary, or the list of its tokens
    **kwargs
        Those of ``keras.Model``: ``name``, ``dtype``, and ``trainable``.
    """

    units = None  # size of the decoder's state
    has_attention = True
    state_grows = False  # whether the decoder's state gets larger with every step

    def __init__(self, source_vocabulary, target_vocabulary, **kwargs):
        super().__init__(**kwargs)
        self.source_vocabulary = as_vocabulary(source_vocabulary)
        self.target_vocabulary = as_vocabulary(target_vocabulary)
        self.fast_greedy_search = fast.GreedySearch(self, greedy_search)
        self.search = cache(partial(make_search, self))  # of a beam width
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
            As for the class. ``max_source_len``, where the attention needs one, is that
            of ``pairs`` if not given.
        """
        pairs = check_pairs(pairs)
        source_vocabulary = Vocabulary.of(source for source, _ in pairs)
        target_vocabulary = Vocabulary.of(target for _, target in pairs)
        if cls.needs_max_source_len(options):
            longest = max(len(source) for source, _ in pairs)
            options.setdefault("max_source_len", longest)
        model = cls(source_vocabulary, target_vocabulary, **options)
        optimizer = keras.optimizers.Adam(learning_rate, clipnorm=1.0)
        model.compile(optimizer, jit_compile=False)  # fast.xla compiles loops alone
        # Built in the first training step, it would have that step traced twice.
        optimizer.build(model.trainable_variables)
        return model

    @classmethod
    def needs_max_source_len(cls, options):
        return False

    # Training. Loss and accuracy are means over real tokens, in an epoch as in a batch.

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        """Cross-entropy in nats per real token: padding is left out of sum and mean.

        A loss given to ``compile`` takes its place. Regularizers add to it.
        """
        y_pred = ops.cast(y_pred, "float32")  # in half precision, sums would be coarse
        weights = per_token(sample_weight, y)  # (batch, target_len)
        real = ops.cast(ops.not_equal(y, Vocabulary.pad), y_pred.dtype)
        if self.loss is None:
            nats = keras.losses.sparse_categorical_crossentropy(
                y, y_pred, from_logits=True
            )  # (batch, target_len)
            nats = nats * real if weights is None else nats * real * weights
            loss = ops.sum(nats) / ops.sum(real)
            loss = sum((ops.sum(term) for term in self.losses), loss)
        else:
            loss = self.compiled_loss_of(y, y_pred, weights)
        self.loss_tracker.update_state(loss, sample_weight=ops.sum(real))
        correct = ops.equal(ops.cast(ops.argmax(y_pred, -1), y.dtype), y)
        # Flat: given two axes, Keras would take the mean over each batch's length, and
        # so give long batches less weight.
        correct, real = ops.reshape(correct, (-1,)), ops.reshape(real, (-1,))
        self.accuracy_tracker.update_state(correct, sample_weight=real)
        return loss

    # Decoding

    def decode(self, source, max_lengths, beam_width):
        """For each row, token IDs (length,) and weights (length, source_len), in NumPy.

        source: (batch, source_len), token IDs. max_lengths: (batch,), tokens that each
        translation may have. What follows the end is <end>.
        """
        if beam_width == 1 and not self.state_grows:
            result = self.fast_greedy_search(source, max_lengths)
            if result is not None:
                return result
        tokens, weights = self.search(beam_width)(source, max_lengths)
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
        warn_of_long(lengths, "sentence", "translate it by itself, or leave it out")
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
        return Translation(tokens, weights[..., :steps, :source_len])

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
                alignments[row] = alpha[..., : target_len[row] - 1, : source_len[row]]
        return alignments


def as_vocabulary(vocabulary):
    is_one = isinstance(vocabulary, Vocabulary)
    return vocabulary if is_one else Vocabulary(vocabulary)
