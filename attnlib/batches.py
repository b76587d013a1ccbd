"""Pairs of sentences as arrays, one batch at a time, and the checks of such batches."""

import contextlib
import itertools
import math
import numbers
import sys
import warnings

import numpy as np

from attnlib.arguments import integer
from attnlib.backend import keras, tf
from attnlib.vocabulary import Vocabulary, shorten

TOKEN_IDS = tf.TensorSpec((None, None), tf.int32)
WEIGHTS = tf.TensorSpec((None, None), tf.float32)
# A sentence is called long from here on, or from four times the median on.
LONG, VERY_LONG = 100, 500  # tokens


class Dataset(keras.utils.PyDataset):
    """A PyDataset that Keras gets as a tf.data.Dataset."""

    has_weights = False
    error = None  # what went wrong within a training

    @contextlib.contextmanager
    def errors(self):
        """Raise the error of a batch itself: TensorFlow hands on its text alone."""
        self.error = None
        try:
            yield
        except tf.errors.OpError as error:
            raise self.error or error from None

    def dataset(self, steps=None):
        """The same as a tf.data.Dataset, which knows that lengths vary.

        Keras would infer the lengths from two batches. steps: batches that an epoch
        has, where it is not all of them.
        """
        if self.num_batches is None and steps is None:
            raise ValueError(
                "steps_per_epoch should be an integer with endless batches, got None"
            )

        def epoch():
            self.on_epoch_begin()
            count = self.num_batches
            indices = itertools.count() if count is None else range(count)
            yield from (self[index] for index in indices)
            self.on_epoch_end()

        signature = ((TOKEN_IDS, TOKEN_IDS), TOKEN_IDS)
        if self.has_weights:
            signature = (*signature, WEIGHTS)
        data = tf.data.Dataset.from_generator(epoch, output_signature=signature)
        if self.num_batches is not None:
            count = tf.data.experimental.assert_cardinality(self.num_batches)
            data = data.apply(count)
        # The autotuning thread sleeps 10, 20, 40 … ms, and ``fit`` would wait for it.
        options = tf.data.Options()
        options.autotune.enabled = False
        return data.prefetch(2).with_options(options)


class Batches(Dataset):
    """Pairs as arrays ((source, decoder_inputs), target), in batches of like length.

    The decoder's inputs are the target shifted by one: <start> first, without <end>.
    Each epoch shuffles anew: sentences are drawn in random order, sorted by length
    within runs of ``batches_per_run`` batches, and the batches drawn in random order.
    So little is spent on padding, and no order repeats. With one batch per run, which
    sentences share a batch does not depend on their lengths.

    Parameters
    ----------
    pairs : list of (source_tokens, target_tokens)
    source_vocabulary, target_vocabulary : Vocabulary
    batch_size : int
    shuffle : bool
    seed : int
        Of the order.
    class_weight : dict of str or int to float, optional
        How much a target word counts in the loss: {word or token ID: weight}. A word
        that is not listed counts 1.
    sample_weight : array, shape (len(pairs),), optional
        How much each pair counts. Both weights multiply, and make each batch
        ((source, decoder_inputs), target, weights).
    """

    batches_per_run = 20

    def __init__(
        self,
        pairs,
        source_vocabulary,
        target_vocabulary,
        batch_size=128,
        shuffle=True,
        seed=0,
        class_weight=None,
        sample_weight=None,
    ):
        super().__init__()
        pairs = check_pairs(pairs)
        sources = [source for source, _ in pairs]
        targets = [target for _, target in pairs]
        self.vocabularies = source_vocabulary, target_vocabulary
        self.source = source_vocabulary.encode(sources)
        self.target = target_vocabulary.encode(targets, start=True, end=True)
        self.lengths = sentence_lengths(self.source), sentence_lengths(self.target)
        self.batch_size, self.shuffle = integer("batch_size", batch_size), shuffle
        self.random = np.random.default_rng(seed)
        self.has_weights = class_weight is not None or sample_weight is not None
        self.pair_weights = check_sample_weight(sample_weight, len(pairs))
        self.token_weights = check_class_weight(class_weight, target_vocabulary)
        self.on_epoch_end()

    def on_epoch_end(self):
        order = np.arange(len(self.source))
        if self.shuffle:
            order = self.random.permutation(order)
        runs = np.arange(len(order)) // (self.batches_per_run * self.batch_size)
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
        before, after = target[:, :-1], target[:, 1:]
        if not self.has_weights:
            return (source, before), after
        weights = self.pair_weights[rows, None] * self.token_weights[after]
        return (source, before), after, weights

    def check_fits(self, model):
        """ValueError unless these batches were made with the model's vocabularies."""
        names = "source_vocabulary", "target_vocabulary"
        for name, ours in zip(names, self.vocabularies, strict=True):
            got, wanted = ours.tokens, getattr(model, name).tokens
            if got == wanted:
                continue
            both = itertools.zip_longest(got, wanted)
            first = next(i for i, (a, b) in enumerate(both) if a != b)
            raise ValueError(
                f"{name} of the batches should be the model's, {len(wanted)} tokens "
                f"whose ID {first} is {_token(wanted, first)}, got {len(got)} tokens "
                f"whose ID {first} is {_token(got, first)}: make the batches with this "
                "model's own model.batches(pairs)"
            )
        source_len, target_len = self.lengths
        model.check_lengths(source_len, target_len - 1)


def _token(tokens, token_id):
    return repr(tokens[token_id]) if token_id < len(tokens) else "missing"


class OwnBatches(Dataset):
    """A user's own PyDataset, each batch of which is checked to fit the model.

    A batch is ((source, decoder_inputs), target), or the same with weights, of shape
    (batch,) or (batch, target_len). Batches are read in one thread, in their own order.
    """

    def __init__(self, batches, model):
        super().__init__()
        self.batches, self.model = batches, model
        self.has_weights = len(self._checked(0)) == 3

    @property
    def num_batches(self):
        return self.batches.num_batches

    def on_epoch_begin(self):
        self.batches.on_epoch_begin()

    def on_epoch_end(self):
        self.batches.on_epoch_end()

    def __getitem__(self, index):
        try:
            batch = self._checked(index)
            if (len(batch) == 3) != self.has_weights:
                raise ValueError(
                    "weights should come with every batch or with none, got batch 0 "
                    f"{'with' if self.has_weights else 'without'} weights, unlike batch"
                    f" {index}"
                )
        except Exception as error:
            self.error = error
            raise
        return batch

    def _checked(self, index):
        name, batch = f"batch {index}", self.batches[index]
        parts = len(batch) if isinstance(batch, (tuple, list)) else 0
        if parts not in (2, 3) or not _is_pair(batch[0]):
            raise ValueError(
                f"{name} should be ((source, decoder_inputs), target), or the same with"
                f" weights as a third part, got {shorten(batch)}"
            )
        (source, before), target, *weights = batch
        model = self.model
        source = check_token_ids(f"{name}, source,", source, model.source_vocabulary)
        before, target = (
            check_token_ids(f"{name}, {part},", array, model.target_vocabulary)
            for part, array in (("decoder_inputs", before), ("target", target))
        )
        if before.shape != target.shape or len(source) != len(target):
            raise ValueError(
                f"{name} should have arrays of shapes (batch, source_len), (batch, "
                "target_len), and (batch, target_len), got "
                f"{source.shape}, {before.shape}, and {target.shape}"
            )
        model.check_lengths(sentence_lengths(source), sentence_lengths(before))
        if not weights or weights[0] is None:
            return (source, before), target
        return (source, before), target, check_weights(name, weights[0], target.shape)


def _is_pair(value):
    return isinstance(value, (tuple, list)) and len(value) == 2


def check_token_ids(name, array, vocabulary):
    """Return `array` as int32, if it is (batch, length) token IDs of the vocabulary."""
    array, size = np.asarray(array), len(vocabulary)
    if array.ndim != 2 or array.dtype.kind not in "iu":
        raise ValueError(
            f"{name} should be integers of shape (batch, length), got {array.dtype} of "
            f"shape {array.shape}"
        )
    wrong = array[(array < 0) | (array >= size)]
    if wrong.size:
        raise ValueError(
            f"{name} should hold token IDs from 0 to {size - 1}, because this model's "
            f"vocabulary has {size} tokens, got {wrong[0]}"
        )
    return array.astype(np.int32)


def check_weights(name, weights, shape):
    """Weights (batch,) or (batch, target_len) as float32 of `shape`, which is the
    latter.
    """
    weights = np.asarray(weights, np.float32)
    fits = weights.shape in (shape, shape[:1])
    if not fits:
        raise ValueError(
            f"{name} should have weights of shape (batch,) or (batch, target_len) = "
            f"{shape}, got {weights.shape}"
        )
    if weights.ndim == 1:
        weights = np.repeat(weights[:, None], shape[1], 1)  # (batch, target_len)
    return weights


def check_sample_weight(weights, count):
    """One weight per pair, (count,); ones where there are none."""
    if weights is None:
        return np.ones(count, np.float32)
    weights = np.asarray(weights)
    if weights.shape != (count,) or weights.dtype.kind not in "fiub":
        raise ValueError(
            f"sample_weight should be one number per pair, of shape ({count},), got "
            f"{weights.dtype} of shape {weights.shape}; class_weight is per word"
        )
    if not np.all((weights >= 0) & np.isfinite(weights)):
        raise ValueError(
            f"sample_weight should hold numbers of 0 or more, got {shorten(weights)}"
        )
    return weights.astype(np.float32)


def check_class_weight(class_weight, vocabulary):
    """{word or token ID: weight} as one weight per token ID; ones where there are none.

    Raises
    ------
    TypeError
        If it is not a dict of numbers.
    ValueError
        If a key is no word of the vocabulary and no ID, or a weight is below 0.
    """
    weights = np.ones(len(vocabulary), np.float32)
    if class_weight is None:
        return weights
    if not isinstance(class_weight, dict):
        raise TypeError(
            "class_weight should be a dict such as {'word': 9.0}, got "
            f"{shorten(class_weight)}"
        )
    for key, weight in class_weight.items():
        token_id = vocabulary.index.get(key, key)
        if token_id not in range(len(vocabulary)):
            raise ValueError(
                "class_weight should have words of the target vocabulary as keys, or "
                f"their IDs from 0 to {len(vocabulary) - 1}, got {shorten(key)}"
            )
        if not isinstance(weight, numbers.Real) or not 0 <= weight < np.inf:
            raise ValueError(
                "class_weight should hold numbers of 0 or more, got "
                f"{shorten(weight)} for {key!r}"
            )
        weights[int(token_id)] = weight
    return weights


def sentence_lengths(token_ids):
    """Lengths (batch,) of padded sentences (batch, longest)."""
    return (token_ids != Vocabulary.pad).sum(1)


def check_pairs(pairs):
    """``pairs`` as a list, if it is one of (source_tokens, target_tokens)."""
    if not hasattr(pairs, "__iter__") or isinstance(pairs, tf.data.Dataset):
        raise TypeError(
            "pairs should be a list of (source_tokens, target_tokens), got "
            f"{shorten(pairs)}"
        )
    pairs = list(pairs)
    if not pairs:
        raise ValueError(
            "pairs should have at least one (source_tokens, target_tokens), got none"
        )
    for index, pair in enumerate(pairs):
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise ValueError(
                f"pair {index} should be (source_tokens, target_tokens), got "
                f"{shorten(pair)}"
            )
    return pairs


def split_pairs(pairs, fraction, sample_weight):
    """The first pairs and the last ``fraction`` of them, as Keras splits arrays.

    Returns
    -------
    two (pairs, sample_weight)
        The weights are None where none are given.
    """
    if not 0 <= fraction < 1:
        raise ValueError(
            "validation_split should be a fraction between 0 and 1, got "
            f"{shorten(fraction)}"
        )
    cut = math.floor(len(pairs) * (1 - fraction))
    if cut in (0, len(pairs)):
        raise ValueError(
            "validation_split should leave at least one pair on each side, got "
            f"{fraction} of {len(pairs)} pairs"
        )
    if sample_weight is None:
        return (pairs[:cut], None), (pairs[cut:], None)
    sample_weight = check_sample_weight(sample_weight, len(pairs))
    return (pairs[:cut], sample_weight[:cut]), (pairs[cut:], sample_weight[cut:])


def leave_out_long(pairs, max_length, sample_weight=None):
    """The pairs whose sentences have at most ``max_length`` tokens.

    Returns
    -------
    pairs : list
    sample_weight : array or None
        Those of the pairs that are left.
    message : str
        One sentence about what is left out; empty where nothing is.
    """
    max_length = integer("max_length", max_length)
    lengths = [max(len(source), len(target)) for source, target in pairs]
    kept = [i for i, length in enumerate(lengths) if length <= max_length]
    if not kept:
        raise ValueError(
            "max_length should leave at least one pair, got "
            f"{max_length}, and the shortest pair has {min(lengths)} tokens"
        )
    if len(kept) == len(pairs):
        return pairs, sample_weight, ""
    if sample_weight is not None:
        sample_weight = check_sample_weight(sample_weight, len(pairs))[kept]
    message = (
        f"left out {len(pairs) - len(kept)} of {len(pairs)} pairs with more than "
        f"{max_length} tokens: {_longest(lengths, max_length, 'pair')}"
    )
    return [pairs[i] for i in kept], sample_weight, message


def warn_of_long(lengths, name, advice):
    """Warn where some sentences are so long that everything waits for them.

    lengths: in tokens. name: "pair" or "sentence". advice: what to do about it.
    """
    median = int(np.median(lengths)) if len(lengths) else 0
    limit = min(VERY_LONG, max(LONG, 4 * median))
    if max(lengths, default=0) > limit:
        warnings.warn(
            f"every {name} should have {limit} tokens or fewer, or a batch takes long, "
            f"because it is padded to its longest, got {_longest(lengths, limit, name)}"
            f", where the median is {median}; {advice}",
            stacklevel=_outside(),
        )


def _outside():
    """The stacklevel of the first frame that is not attnlib's: the user's line."""
    frame, level = sys._getframe(1), 0
    while frame and frame.f_globals.get("__name__", "").startswith("attnlib."):
        frame, level = frame.f_back, level + 1
    return level + 1


def _longest(lengths, limit, name):
    """Which are longer than the limit, such as "pair 7 (900 tokens)": three of them."""
    order = [i for i in np.argsort(-np.asarray(lengths), kind="stable")]
    order = [i for i in order if lengths[i] > limit]
    named = [f"{name} {i} ({lengths[i]} tokens)" for i in order[:3]]
    if len(order) > 3:
        named.append(f"{len(order) - 3} more")
    return ", ".join(named)
