"""A small language model: a decoder without an encoder, in plain Keras.

Blocks of causal self-attention and a feed-forward network, normalized before each
(pre-norm); rotary positions; no dropout. Keys are kept as they are and rotated when
they are read, by their index in the cache, as Xiao et al. (2024) do: so a token's
position is where it stands among the tokens that are still there.
"""

import numpy as np

from attnlib.backend import keras, tf

layers, ops = keras.layers, keras.ops


def rotate(x, positions):
    """Turn each pair of numbers of x (batch, length, heads, dim) by its position."""
    dim = x.shape[-1]
    frequencies = 10_000.0 ** (-np.arange(0, dim, 2) / dim)  # (dim / 2,)
    angles = ops.cast(positions, "float32")[:, None] * frequencies.astype("float32")
    cos, sin = ops.cos(angles)[:, None, :], ops.sin(angles)[:, None, :]
    even, odd = x[..., ::2], x[..., 1::2]
    pairs = ops.stack([even * cos - odd * sin, even * sin + odd * cos], -1)
    return ops.reshape(pairs, ops.shape(x))


class CausalAttention(layers.Layer):
    def __init__(self, units, heads):
        super().__init__()
        self.heads = heads
        self.to_query, self.to_keys, self.to_values, self.to_output = (
            layers.Dense(units, use_bias=False) for _ in range(4)
        )

    def split(self, x):
        """(batch, length, units) -> (batch, length, heads, units / heads)"""
        shape = *ops.shape(x)[:2], self.heads, x.shape[-1] // self.heads
        return ops.reshape(x, shape)

    def call(self, x, cache):
        """x: the new tokens. cache: keys and values of the tokens before them, each
        (batch, past_len, heads, dim). Returns the output, the cache with the new ones,
        and the weights (batch, heads, new tokens, all tokens).
        """
        query = self.split(self.to_query(x))
        keys = ops.concatenate([cache[0], self.split(self.to_keys(x))], 1)
        values = ops.concatenate([cache[1], self.split(self.to_values(x))], 1)
        positions = ops.arange(ops.shape(keys)[1])
        new = positions[ops.shape(cache[0])[1] :]
        scores = ops.einsum(
            "bthd,bshd->bhts", rotate(query, new), rotate(keys, positions)
        )
        scores = scores / query.shape[-1] ** 0.5
        causal = new[:, None] >= positions[None, :]
        weights = ops.softmax(ops.where(causal, scores, -1e9))
        context = ops.einsum("bhts,bshd->bthd", weights, values)
        output = self.to_output(ops.reshape(context, ops.shape(x)))
        return output, (keys, values), weights


class Block(layers.Layer):
    def __init__(self, units, heads):
        super().__init__()
        self.attention = CausalAttention(units, heads)
        self.norms = [layers.LayerNormalization() for _ in range(2)]
        self.hidden = layers.Dense(4 * units, activation="relu")
        self.back = layers.Dense(units)

    def call(self, x, cache):
        change, cache, weights = self.attention(self.norms[0](x), cache)
        x = x + change
        return x + self.back(self.hidden(self.norms[1](x))), cache, weights


class LanguageModel(keras.Model):
    """Logits of the token after each."""

    def __init__(self, vocabulary_size, units=64, heads=4, layer_count=2):
        super().__init__()
        self.cache_shape = heads, units // heads
        spread = keras.initializers.RandomNormal(stddev=0.5)
        self.embedding = layers.Embedding(vocabulary_size, units, spread)
        self.blocks = [Block(units, heads) for _ in range(layer_count)]
        self.norm = layers.LayerNormalization()
        self.output_layer = layers.Dense(vocabulary_size)

    def empty_caches(self, batch):
        return [(tf.zeros((batch, 0, *self.cache_shape)),) * 2 for _ in self.blocks]

    def call(self, token_ids, caches=None, return_all=False):
        """token_ids: (batch, length). Returns logits (batch, length, vocabulary), and
        with return_all also each block's cache and weights.
        """
        every_cache, every_weights = [], []
        x = self.embedding(token_ids)
        for block, cache in zip(
            self.blocks,
            caches or self.empty_caches(ops.shape(token_ids)[0]),
            strict=True,
        ):
            x, cache, weights = block(x, cache)
            every_cache.append(cache)
            every_weights.append(weights)
        logits = self.output_layer(self.norm(x))
        return (logits, every_cache, every_weights) if return_all else logits


def evict(caches, size, sinks):
    """Keep the first `sinks` positions, and of the others the last, `size` in all."""

    def keep(x):  # (batch, past_len, heads, dim)
        surplus = ops.maximum(ops.shape(x)[1] - size, 0)
        return ops.concatenate([x[:, :sinks], x[:, sinks + surplus :]], 1)

    return [(keep(keys), keep(values)) for keys, values in caches]


class UpAndDown(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that rises for a while, then falls to zero, both linearly."""

    def __init__(self, peak, warmup_steps, steps):
        self.peak, self.warmup_steps, self.steps = peak, warmup_steps, steps

    def __call__(self, step):
        step = ops.cast(step, "float32")
        rise, fall = (step + 1) / self.warmup_steps, 1 - step / self.steps
        return self.peak * ops.minimum(rise, fall)

    def get_config(self):
        return {
            "peak": self.peak,
            "warmup_steps": self.warmup_steps,
            "steps": self.steps,
        }
