r"""The Transformer of Vaswani et al. (2017): attention, and nothing recurrent.

How it is read: ``Options`` lists all it can be told; ``MultiHeadAttention`` is eq. 1
with heads; ``EncoderBlock`` and ``DecoderBlock`` put it together with a feed-forward
network; ``Transformer`` stacks the blocks. ``attnlib.translator`` has what every
translator shares, from pairs to translations.

A decoder block takes the target's tokens all at once, in training, or one after the
other, in generation. Either way it appends their keys and values to those of the tokens
before, its *cache*, which is empty in training.
"""

from dataclasses import asdict, dataclass, fields

import numpy as np

from attnlib import saving
from attnlib.arguments import integer, one_of
from attnlib.backend import keras, tf
from attnlib.batches import check_pairs
from attnlib.scores import at_least_float32, softmax
from attnlib.translator import Translation, Translator
from attnlib.vocabulary import Vocabulary

__all__ = ["MultiHeadAttention", "Options", "Transformer", "WarmUp"]

ops = keras.ops

POSITIONS = ("sinusoidal", "learned", "rotary", "alibi", "none")


@dataclass
class Options:
    """What a ``Transformer`` can be told."""

    # In these comments a colon would end a type, to Sphinx.
    #: Size of a token's vector, from the first block to the last.
    units: int = 64
    #: Attentions that run side by side, each of units / heads numbers.
    heads: int = 4
    #: Blocks of the encoder, and of the decoder.
    layers: int = 2
    #: Size of the feed-forward network's hidden layer; 4 * units if not given.
    feed_forward: int | None = None
    #: How order is told. "sinusoidal" adds the paper's encoding to the words,
    #: "learned" one vector per position; "rotary" rotates queries and keys (Su et al.,
    #: 2021), and "alibi" subtracts a multiple of the distance from the scores (Press et
    #: al., 2022), both in self-attention alone; "none" does not tell it.
    positions: str = "sinusoidal"
    #: Where layers are normalized, "pre" before each sub-layer (Xiong et al., 2020), or
    #: "post" after it, as in the paper.
    norm: str = "pre"
    #: In self-attention, how far back, and in the encoder ahead, a word attends; any
    #: distance if not given.
    window: int | None = None
    #: Fraction of the embedded tokens, and of each sub-layer's output, that is dropped
    #: in training.
    dropout: float = 0.0
    #: Whether the decoder's words attend to earlier ones alone. Without, training shows
    #: each the answer; to see what the mask is for.
    causal: bool = True
    #: Whether a sub-layer's output is added to its input, or takes its place; to see
    #: what adding is for.
    residual: bool = True
    #: With learned positions alone, the longest source and target they reach, in
    #: tokens, <start> or <end> included in the target.
    max_source_len: int | None = None
    max_target_len: int | None = None

    def __post_init__(self):
        one_of("positions", self.positions, POSITIONS)
        one_of("norm", self.norm, ("pre", "post"))
        for name in ("units", "heads", "layers"):
            setattr(self, name, integer(name, getattr(self, name)))
        self.feed_forward = integer("feed_forward", self.feed_forward or 4 * self.units)
        if self.units % self.heads:
            raise ValueError(
                "units should be a multiple of heads, so that each head gets as many, "
                f"got units={self.units} and heads={self.heads}"
            )
        if self.window is not None:
            self.window = integer("window", self.window)
        pairs = {"sinusoidal": self.units, "rotary": self.units // self.heads}
        if pairs.get(self.positions, 0) % 2:
            name = "units" if self.positions == "sinusoidal" else "units / heads"
            raise ValueError(
                f"{name} should be even with positions={self.positions!r}, got "
                f"{pairs[self.positions]}"
            )
        for name in ("max_source_len", "max_target_len"):
            length = getattr(self, name)
            if self.positions == "learned":
                setattr(self, name, integer(name, length))
            elif length is not None:
                raise ValueError(
                    f"{name} should go with positions='learned', got "
                    f"positions={self.positions!r}"
                )


# Positions


def sinusoidal_positions(positions, units):
    r"""The paper's encoding, (length, units), of positions (length,).

    .. math::
        P_{p,\,2i} = \sin(p / 10000^{2i/d}), \qquad
        P_{p,\,2i+1} = \cos(p / 10000^{2i/d})
    """
    angles = rotation_angles(positions, units)  # (length, units / 2)
    pairs = ops.stack([ops.sin(angles), ops.cos(angles)], -1)
    return ops.reshape(pairs, (-1, units))


def rotation_angles(positions, dim):
    """By how much each pair of numbers turns: (length, dim / 2), in radians."""
    frequencies = 10000.0 ** (-np.arange(0, dim, 2, dtype=np.float32) / dim)
    return ops.cast(positions, "float32")[:, None] * frequencies


def rotate(vectors, positions):
    """Turn each pair of numbers of (batch, heads, length, dim) by its position."""
    angles = rotation_angles(positions, vectors.shape[-1])  # (length, dim / 2)
    vectors = at_least_float32(vectors)
    cos = ops.cast(ops.cos(angles), vectors.dtype)
    sin = ops.cast(ops.sin(angles), vectors.dtype)
    even, odd = vectors[..., ::2], vectors[..., 1::2]
    pairs = ops.stack([even * cos - odd * sin, even * sin + odd * cos], -1)
    return ops.reshape(pairs, ops.shape(vectors))


def alibi(query_positions, key_positions, heads):
    """What distance takes from a score: (heads, target_len, source_len).

    Press et al. (2022) give head h = 1, 2, … the slope 2^(-8h / heads), for causal
    attention; in the encoder, distance counts alike in both directions.
    """
    slopes = 2.0 ** (-8 * np.arange(1, heads + 1, dtype=np.float32) / heads)
    distance = ops.abs(query_positions[:, None] - key_positions[None, :])
    return -slopes[:, None, None] * ops.cast(distance, "float32")


def within_reach(query_positions, key_positions, causal, window):
    """Which key each query may attend to: booleans (target_len, source_len)."""
    back = query_positions[:, None] - key_positions[None, :]
    allowed = back >= 0 if causal else ops.ones_like(back, "bool")
    return allowed if window is None else allowed & (ops.abs(back) <= window)


# Layers


def built(layer, input_dim=None):
    layer.build((None, None, input_dim))
    return layer


def layer_norm(units):
    return built(keras.layers.LayerNormalization(), units)


class MultiHeadAttention(keras.layers.Layer):
    r"""Scaled dot-product attention in several heads.

    .. math::
        \mathrm{head}_h = \mathrm{softmax}\!\left(\frac{Q W^Q_h (K W^K_h)^\top}
        {\sqrt{d_k}}\right) V W^V_h, \qquad
        \mathrm{MultiHead} = [\mathrm{head}_1; \dots; \mathrm{head}_H]\, W^O

    Vaswani et al. (2017), eq. 1 and section 3.2.2. There are no biases, as there.

    Parameters
    ----------
    units : int
        Size of queries, keys, and values, all heads together.
    heads : int
    """

    def __init__(self, units, heads, **kwargs):
        super().__init__(**kwargs)
        self.units, self.heads, self.dim = units, heads, units // heads
        self.to_query, self.to_keys, self.to_values, self.to_output = (
            built(keras.layers.Dense(units, use_bias=False), units) for _ in range(4)
        )
        self.built = True

    def split(self, x):
        """(batch, length, units) -> (batch, heads, length, units / heads)"""
        x = ops.reshape(x, (*ops.shape(x)[:2], self.heads, self.dim))
        return ops.transpose(x, (0, 2, 1, 3))

    def keys_and_values(self, x):
        """Those of words (batch, source_len, units), split into heads."""
        return self.split(self.to_keys(x)), self.split(self.to_values(x))

    def call(self, x, keys, values, mask=None, bias=None, rotated_to=None):
        """Attend from each word to keys.

        Parameters
        ----------
        x : tensor, shape (batch, target_len, units)
        keys, values : tensors, shape (batch, heads, source_len, units / heads)
        mask : boolean tensor that broadcasts to (batch, heads, target_len, source_len)
            True where a query may attend. A query with nothing to attend to gets zeros.
        bias : tensor, shape (heads, target_len, source_len), optional
            Added to the scores.
        rotated_to : tensor, shape (target_len,), optional
            Positions to which queries are rotated.

        Returns
        -------
        output : tensor, shape (batch, target_len, units)
        weights : tensor, shape (batch, heads, target_len, source_len)
        """
        query = self.split(self.to_query(x))
        if rotated_to is not None:
            query = rotate(query, rotated_to)
        query, keys = at_least_float32(query), at_least_float32(keys)
        scores = tf.matmul(query, keys, transpose_b=True) / self.dim**0.5
        if bias is not None:
            scores = scores + ops.cast(bias, scores.dtype)
        weights = softmax(scores, mask)  # (batch, heads, target_len, source_len)
        context = tf.matmul(ops.cast(weights, values.dtype), values)
        context = ops.transpose(context, (0, 2, 1, 3))
        context = ops.reshape(context, (*ops.shape(x)[:2], self.units))
        return self.to_output(context), weights


class Block(keras.layers.Layer):
    """What both blocks share: sub-layers, each with a residual connection."""

    def __init__(self, options, sublayers, **kwargs):
        super().__init__(**kwargs)
        self.options = options
        self.norms = [layer_norm(options.units) for _ in range(sublayers)]
        self.attention = MultiHeadAttention(options.units, options.heads)
        hidden = keras.layers.Dense(options.feed_forward, activation="relu")
        self.hidden = built(hidden, options.units)
        self.back = built(keras.layers.Dense(options.units), options.feed_forward)
        self.dropout = keras.layers.Dropout(options.dropout)
        self.built = True

    def residual(self, x, norm, sublayer):
        """x + sublayer(norm(x)), or of post-norm, norm(x + sublayer(x))."""
        pre = self.options.norm == "pre"
        change = self.dropout(sublayer(norm(x) if pre else x))
        x = x + change if self.options.residual else change
        return x if pre else norm(x)

    def feed_forward(self, x):
        return self.back(self.hidden(x))

    def self_attention(self, x, cache, mask, causal):
        """Output (batch, length, units), and the keys and values of all words so far.

        x: the new words. cache: keys and values of the words before them.
        """
        keys, values = self.attention.keys_and_values(x)
        before = ops.shape(cache[0])[2] if cache else 0
        positions = before + ops.arange(ops.shape(x)[1])
        rotated_to = None
        if self.options.positions == "rotary":
            keys, rotated_to = rotate(keys, positions), positions
        if cache:
            keys = ops.concatenate([cache[0], keys], 2)
            values = ops.concatenate([cache[1], values], 2)
        all_positions = ops.arange(ops.shape(keys)[2])
        reach = within_reach(positions, all_positions, causal, self.options.window)
        mask = reach if mask is None else reach & mask[:, None, None, :]
        bias = None
        if self.options.positions == "alibi":
            bias = alibi(positions, all_positions, self.options.heads)
        output, _ = self.attention(x, keys, values, mask, bias, rotated_to)
        return output, (keys, values)


class EncoderBlock(Block):
    """Self-attention, then a feed-forward network."""

    def __init__(self, options, **kwargs):
        super().__init__(options, sublayers=2, **kwargs)

    def call(self, x, mask):
        """x: (batch, source_len, units). mask: (batch, source_len)."""

        def attend(x):
            return self.self_attention(x, None, mask, causal=False)[0]

        x = self.residual(x, self.norms[0], attend)
        return self.residual(x, self.norms[1], self.feed_forward)


class DecoderBlock(Block):
    """Causal self-attention, cross-attention to the source, a feed-forward network."""

    def __init__(self, options, **kwargs):
        super().__init__(options, sublayers=3, **kwargs)
        self.cross_attention = MultiHeadAttention(options.units, options.heads)

    def call(self, x, cache, memory, mask=None):
        """All new words at once.

        Parameters
        ----------
        x : tensor, shape (batch, target_len, units)
            The new words.
        cache : (keys, values), each of shape (batch, heads, words before, dim), or None
        memory : (keys, values, mask)
            Of the source, (batch, heads, source_len, dim) and (batch, source_len).
        mask : boolean tensor, shape (batch, target_len), optional
            False at padding.

        Returns
        -------
        x : tensor, shape (batch, target_len, units)
        cache : (keys, values)
            With those of the new words.
        weights : tensor, shape (batch, heads, target_len, source_len)
            Of the cross-attention.
        """
        keys, values, source_mask = memory
        kept = {}

        def attend_to_target(x):
            result = self.self_attention(x, cache, mask, self.options.causal)
            output, kept["cache"] = result
            return output

        def attend_to_source(x):
            source = keys, values, source_mask[:, None, None, :]
            output, kept["weights"] = self.cross_attention(x, *source)
            return output

        x = self.residual(x, self.norms[0], attend_to_target)
        x = self.residual(x, self.norms[1], attend_to_source)
        x = self.residual(x, self.norms[2], self.feed_forward)
        return x, kept["cache"], kept["weights"]


@keras.saving.register_keras_serializable("attnlib")
class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    r"""A learning rate that rises, then falls with the root of the step.

    .. math:: \eta_t = \eta \min(t / w,\, \sqrt{w / t})

    Vaswani et al. (2017), section 5.3, with :math:`\eta = (d\,w)^{-1/2}`.

    Parameters
    ----------
    peak : float
        :math:`\eta`.
    steps : int
        :math:`w`, the steps that it rises.
    """

    def __init__(self, peak, steps):
        self.peak, self.steps = float(peak), integer("warmup_steps", steps)

    def __call__(self, step):
        step = ops.cast(step, "float32") + 1.0  # the optimizer counts from 0
        rise, fall = step / self.steps, ops.sqrt(self.steps / step)
        return self.peak * ops.minimum(rise, fall)

    def get_config(self):
        return {"peak": self.peak, "steps": self.steps}


# The model


class TransformerTranslation(Translation):
    """A ``Translation`` whose ``weights`` are the mean over all layers and heads.

    ``head_weights`` has them apart: (layers, heads, steps, source_len).
    """

    def __new__(cls, tokens, head_weights):
        self = super().__new__(cls, tokens, head_weights.mean((0, 1)))
        self.head_weights = head_weights
        return self


@keras.saving.register_keras_serializable("attnlib")
class Transformer(Translator):
    """An encoder and a decoder of attention alone, with the interface of ``Seq2Seq``.

    ``Transformer.for_pairs(pairs, …)`` takes the vocabularies from the data and
    compiles.

    Parameters
    ----------
    source_vocabulary, target_vocabulary : Vocabulary, or the list of its tokens
    **options
        The fields of ``Options``; and of ``keras.Model``, ``name``, ``dtype``, and
        ``trainable``.
    """

    state_grows = True  # and ``decode`` has the weights of all steps at once

    def __init__(self, source_vocabulary, target_vocabulary, **options):
        ours = {field.name for field in fields(Options)}
        of_keras = {name: options.pop(name) for name in {*options} - ours}
        super().__init__(source_vocabulary, target_vocabulary, **of_keras)
        self.options = options = Options(**options)
        self.units = options.units
        self.max_source_len = options.max_source_len
        self.max_target_len = options.max_target_len
        with saving.precision(self.dtype_policy):
            self._make_parts(options)
        self.built = True

    def _make_parts(self, options):
        units, layers = options.units, range(options.layers)
        self.source_embedding = embedding(len(self.source_vocabulary), units)
        self.target_embedding = embedding(len(self.target_vocabulary), units)
        if options.positions == "learned":
            self.source_positions = embedding(options.max_source_len, units)
            self.target_positions = embedding(options.max_target_len, units)
        self.encoder_blocks = [EncoderBlock(options) for _ in layers]
        self.decoder_blocks = [DecoderBlock(options) for _ in layers]
        # Each pre-norm block adds to what it gets, so the sum is normalized at the end.
        ends = range(2 if options.norm == "pre" else 0)
        self.last_norms = [layer_norm(units) for _ in ends]
        output_layer = keras.layers.Dense(len(self.target_vocabulary))
        self.output_layer = built(output_layer, units)
        self.dropout_layer = keras.layers.Dropout(options.dropout)

    @classmethod
    def for_pairs(cls, pairs, learning_rate=3e-3, warmup_steps=100, **options):
        """A compiled model whose vocabularies are those of ``pairs``.

        Parameters
        ----------
        pairs : list of (source_tokens, target_tokens)
        learning_rate : float, or one of Keras's schedules
            A number is the peak of ``WarmUp``. Adam's, whose gradients are clipped to a
            norm of 1.
        warmup_steps : int
        **options
            As for the class. ``max_source_len`` and ``max_target_len``, where the
            positions are learned, are those of ``pairs`` if not given.
        """
        if options.get("positions") == "learned":
            pairs = check_pairs(pairs)
            longest = max(len(source) for source, _ in pairs)
            options.setdefault("max_source_len", longest)
            longest = max(len(target) for _, target in pairs) + 1
            options.setdefault("max_target_len", longest)
        if isinstance(learning_rate, int | float):
            learning_rate = WarmUp(learning_rate, warmup_steps)
        return super().for_pairs(pairs, learning_rate, **options)

    # Encoder and decoder

    def embed(self, token_ids, table, learned, before=0):
        """Words and their positions: (batch, length) -> (batch, length, units).

        before: how many words come before these.
        """
        words = table(token_ids)
        words = words * ops.cast(self.units**0.5, words.dtype)  # section 3.4
        positions = before + ops.arange(ops.shape(token_ids)[1])
        if self.options.positions == "learned":
            words = words + learned(positions)
        elif self.options.positions == "sinusoidal":
            encoding = sinusoidal_positions(positions, self.units)
            words = words + ops.cast(encoding, words.dtype)
        return self.dropout_layer(words)

    def encode_source(self, source):
        """The source's words, each with what it attended to, and which are real.

        source: (batch, source_len), token IDs. Returns (batch, source_len, units) and
        (batch, source_len).
        """
        mask = ops.not_equal(source, Vocabulary.pad)
        learned = getattr(self, "source_positions", None)
        x = self.embed(source, self.source_embedding, learned)
        for block in self.encoder_blocks:
            x = block(x, mask)
        return (self.last_norms[0](x) if self.last_norms else x), mask

    def encode(self, source):
        """An empty cache, and each decoder block's keys and values of the source."""
        x, mask = self.encode_source(source)
        memory = [
            (*block.cross_attention.keys_and_values(x), mask)
            for block in self.decoder_blocks
        ]
        # tf.while_loop has to be told that the cache grows.
        empty = memory[0][0][:, :, :0]  # (batch, heads, 0, units / heads)
        shape = None, self.options.heads, None, empty.shape[-1]
        empty = tf.raw_ops.PlaceholderWithDefault(input=empty, shape=shape)
        return [(empty, empty) for _ in self.decoder_blocks], memory

    def decode_words(self, token_ids, cache, memory, mask=None):
        """Logits (batch, target_len, target vocabulary) for the words after each.

        token_ids: (batch, target_len). cache: of the words before them, one part per
        block, or None. Also returns the cache with theirs, and each block's weights.
        """
        before = ops.shape(cache[0][0])[2] if cache else 0
        learned = getattr(self, "target_positions", None)
        x = self.embed(token_ids, self.target_embedding, learned, before)
        caches, weights = [], []
        for i, block in enumerate(self.decoder_blocks):
            x, kept, attended = block(x, cache and cache[i], memory[i], mask)
            caches.append(kept)
            weights.append(attended)
        x = self.last_norms[1](x) if self.last_norms else x
        return self.output_layer(x), caches, weights

    def call(self, inputs, return_weights=False, training=None):
        """All steps of the decoder at once, with the true tokens given.

        Parameters
        ----------
        inputs : (source, decoder_inputs)
            Token IDs (batch, source_len) and (batch, target_len), <start> first.
        return_weights : bool

        Returns
        -------
        logits : shape (batch, target_len, target vocabulary)
        weights : shape (batch, layers, heads, target_len, source_len)
            Of the cross-attention; only with ``return_weights``.
        """
        source, decoder_inputs = inputs
        _, memory = self.encode(source)
        mask = ops.not_equal(decoder_inputs, Vocabulary.pad)
        logits, _, weights = self.decode_words(decoder_inputs, None, memory, mask)
        return (logits, ops.stack(weights, 1)) if return_weights else logits

    def decode_step(self, state, token_ids, memory):
        """One step of generation: ``state`` is the cache of the words before.

        token_ids: (batch,), those of the step before. Returns the cache with theirs,
        logits (batch, target vocabulary), and no weights.
        """
        logits, cache, _ = self.decode_words(token_ids[:, None], state, memory)
        return cache, logits[:, 0], tf.zeros((tf.shape(token_ids)[0], 0))

    # Translations

    def decode(self, source, max_lengths, beam_width):
        """Token IDs and, in one pass over them, weights (layers, heads, length,
        source_len) of each row.
        """
        if self.max_target_len is not None:
            max_lengths = np.minimum(max_lengths, self.max_target_len)
        tokens, _ = super().decode(source, max_lengths, beam_width)
        starts = np.full((len(tokens), 1), Vocabulary.start, np.int32)
        inputs = np.concatenate([starts, tokens[:, :-1]], 1)
        return tokens, self.forced_weights(source, inputs).numpy()

    def _translation(self, token_ids, weights, max_length, source_len):
        tokens, heads = super()._translation(token_ids, weights, max_length, source_len)
        return TransformerTranslation(tokens, heads)

    def align(self, pairs, batch_size=128, heads=False):
        """The cross-attention's weights under forced decoding.

        Parameters
        ----------
        pairs : list of (source_tokens, target_tokens)
        heads : bool
            Whether to keep layers and heads apart.

        Returns
        -------
        list of arrays, each of shape (target_len + 1, source_len)
            The mean over all layers and heads, one array per pair, the last row for
            <end>. With ``heads``, (layers, heads, target_len + 1, source_len).
        """
        alignments = super().align(pairs, batch_size)
        return alignments if heads else [w.mean((0, 1)) for w in alignments]

    def get_config(self):
        return {
            **super().get_config(),
            "source_vocabulary": self.source_vocabulary.tokens,
            "target_vocabulary": self.target_vocabulary.tokens,
            **asdict(self.options),
        }


def embedding(size, units):
    """A table of vectors of about length 1, which ``embed`` multiplies by √units."""
    scale = keras.initializers.RandomNormal(stddev=units**-0.5)
    return built(keras.layers.Embedding(size, units, embeddings_initializer=scale))
