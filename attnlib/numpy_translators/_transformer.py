r"""The Transformer in NumPy: its parts, which the reader's functions may replace, and
the model that they make up.

Everywhere, x is (batch, length, units), and a mask is boolean, True = may be attended
to: (batch, source_len), the same for every query, or (batch, target_len, source_len),
where each query has its own. ``parameters`` of a block are tuples of arrays by name:
those of ``ENCODER_BLOCK`` or ``DECODER_BLOCK``, in this order.
"""

import numpy as np

from attnlib import reference as ref
from attnlib.numpy_translators._models import TranslationModel

NORM = "scale", "offset"  # both (units,)
ATTENTION = "w_query", "w_keys", "w_values", "w_output"
FEED_FORWARD = "w_in", "b_in", "w_out", "b_out"
ENCODER_BLOCK = {
    "norm_1": NORM,
    "attention": ATTENTION,
    "norm_2": NORM,
    "feed_forward": FEED_FORWARD,
}
DECODER_BLOCK = {
    "norm_1": NORM,
    "self_attention": ATTENTION,
    "norm_2": NORM,
    "cross_attention": ATTENTION,
    "norm_3": NORM,
    "feed_forward": FEED_FORWARD,
}


def multi_head_attention_of(scaled_dot_product_attention):
    """Multi-head attention, (batch, target_len, units), whose heads use this function.

    Its w_query, w_keys, and w_values are (units, heads, key_dim), and its w_output is
    (heads, key_dim, units).
    """

    def multi_head_attention(query, values, w_query, w_keys, w_values, w_output, mask):
        output = 0
        for head in range(len(w_output)):
            context, _ = scaled_dot_product_attention(
                query @ w_query[:, head],  # (batch, target_len, key_dim)
                values @ w_keys[:, head],  # (batch, source_len, key_dim)
                values @ w_values[:, head],
                mask,
            )
            output = output + context @ w_output[head]  # (batch, target_len, units)
        return output

    return multi_head_attention


def encoder_block_of(multi_head_attention, layer_norm, feed_forward):
    """A block of the encoder, made of these functions, with the norm in front of each
    layer ("pre-norm").
    """

    def encoder_block(x, parameters, mask):
        n = layer_norm(x, *parameters["norm_1"])
        x = x + multi_head_attention(n, n, *parameters["attention"], mask)
        n = layer_norm(x, *parameters["norm_2"])
        return x + feed_forward(n, *parameters["feed_forward"])

    return encoder_block


def decoder_block_of(multi_head_attention, layer_norm, feed_forward):
    """A block of the decoder, made of these functions, with the norm in front of each
    layer ("pre-norm").
    """

    def decoder_block(x, memory, parameters, target_mask, source_mask):
        n = layer_norm(x, *parameters["norm_1"])
        x = x + multi_head_attention(n, n, *parameters["self_attention"], target_mask)
        n = layer_norm(x, *parameters["norm_2"])
        matrices = parameters["cross_attention"]
        x = x + multi_head_attention(n, memory, *matrices, source_mask)
        n = layer_norm(x, *parameters["norm_3"])
        return x + feed_forward(n, *parameters["feed_forward"])

    return decoder_block


def causal_mask(mask):
    """Each position may attend to itself and to those before it, where mask is True:
    (batch, length) becomes (batch, length, length).
    """
    length = mask.shape[1]
    return np.tril(np.ones((length, length), bool)) & mask[:, None]


def sinusoidal_positions(length, dim):
    r"""The positional encoding of Vaswani et al. (2017), section 3.5, (length, dim).

    .. math::
        P_{p, 2i} &= \sin(p / 10000^{2i / dim}) \\
        P_{p, 2i + 1} &= \cos(p / 10000^{2i / dim})
    """
    frequencies = 10000.0 ** (-np.arange(0, dim, 2) / dim)  # (dim / 2,)
    angles = np.arange(length)[:, None] * frequencies  # (length, dim / 2)
    return np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(length, dim)


class TransformerModel(TranslationModel):
    r"""The model of Vaswani et al. (2017), with its trained parameters.

    Parameters
    ----------
    parameters : dict of str to array
        ``source_embedding`` and ``target_embedding``, (vocabulary, units); of each
        block, such as ``encoder_1`` and ``decoder_2``, the arrays of its layers, such
        as ``encoder_1_attention_w_query``; ``encoder_norm_scale`` and
        ``encoder_norm_offset``, and the same of the decoder, of the norm behind the
        last block; ``output_kernel`` and ``output_bias``.
    **parts : functions
        ``encoder_block``, ``decoder_block``, ``multi_head_attention``,
        ``scaled_dot_product_attention``, ``layer_norm``, ``feed_forward``,
        ``causal_mask``, and ``sinusoidal_positions``, as the exercises of these names
        have them. A part that is not given is ours.

    Attributes
    ----------
    start, end : int
        The tokens before the first word and after the last.
    layers, heads : int
        Blocks of the encoder, of which the decoder has as many, and heads of each
        attention.
    encoder_blocks, decoder_blocks : list of dict
        The ``parameters`` of each block.

    Notes
    -----
    The layer norms stand in front of the layers, and not behind the residual
    connections as in the paper. The embeddings are separate matrices and so is the
    output layer, which has a bias.
    """

    def __init__(self, parameters, **parts):
        self.parameters = {
            name: np.asarray(array, np.float64) for name, array in parameters.items()
        }
        self.layers = sum(name.endswith("_norm_3_scale") for name in parameters)
        self.heads = len(parameters["decoder_1_cross_attention_w_output"])
        self.encoder_blocks = self._blocks("encoder", ENCODER_BLOCK)
        self.decoder_blocks = self._blocks("decoder", DECODER_BLOCK)
        attention = multi_head_attention_of(
            parts.get("scaled_dot_product_attention", ref.scaled_dot_product_attention)
        )
        self.layer_norm = parts.get("layer_norm", ref.layer_norm)
        layers = (
            parts.get("multi_head_attention", attention),
            self.layer_norm,
            parts.get("feed_forward", ref.feed_forward),
        )
        self.encoder_block = parts.get("encoder_block", encoder_block_of(*layers))
        self.decoder_block = parts.get("decoder_block", decoder_block_of(*layers))
        self.causal_mask = parts.get("causal_mask", causal_mask)
        self.positions = parts.get("sinusoidal_positions", sinusoidal_positions)

    def _blocks(self, stack, arrays_by_layer):
        """The parameters of each block of the encoder or the decoder."""
        return [
            {
                layer: self._arrays(f"{stack}_{number}_{layer}", names)
                for layer, names in arrays_by_layer.items()
            }
            for number in range(1, self.layers + 1)
        ]

    def _arrays(self, layer, names):
        return tuple(self.parameters[f"{layer}_{name}"] for name in names)

    def encode(self, source):
        """Read a sentence.

        Parameters
        ----------
        source : list of int, length source_len
            The tokens of the sentence.

        Returns
        -------
        memory : array, shape (1, source_len, units)
        """
        x = self._embed("source_embedding", source)  # (1, source_len, units)
        mask = np.ones((1, len(source)), bool)  # every position is a word
        for parameters in self.encoder_blocks:
            x = self.encoder_block(x, parameters, mask)
        return self.layer_norm(x, *self._arrays("encoder_norm", NORM))

    def logits(self, tokens, memory):
        """The logits of the word that follows each token.

        Parameters
        ----------
        tokens : list of int, length target_len
            The first is ``start``, and the words so far follow.
        memory : array, shape (1, source_len, units)
            Of ``encode``.

        Returns
        -------
        logits : array, shape (1, target_len, vocabulary)
            Row t belongs to the word after token t. -inf for <pad> and <start>, which
            are no words.
        """
        x = self._embed("target_embedding", tokens)  # (1, target_len, units)
        source_mask = np.ones(memory.shape[:2], bool)
        target_mask = self.causal_mask(np.ones(x.shape[:2], bool))
        for parameters in self.decoder_blocks:
            x = self.decoder_block(x, memory, parameters, target_mask, source_mask)
        return self._predict(self.layer_norm(x, *self._arrays("decoder_norm", NORM)))

    def _embed(self, name, tokens):
        """Embeddings times sqrt(units), plus positions: (1, length, units)."""
        embedding = self.parameters[name]  # (vocabulary, units)
        units = embedding.shape[1]
        positions = self.positions(len(tokens), units)
        return (embedding[tokens] * np.sqrt(units) + positions)[None]

    def head_weights(self, source, tokens):
        """The weights of the cross-attention, in one pass over a whole translation.

        They are computed with our own parts, whatever parts this model has.

        Parameters
        ----------
        source : list of int, length source_len
        tokens : list of int, length target_len
            The first is ``start``, as in ``logits``.

        Returns
        -------
        weights : array, shape (layers, heads, target_len, source_len)
            Each row sums to 1. Row t is that of the step that predicts the word after
            token t.
        """
        seen = []  # weights of one head, in the order in which they are computed

        def watched_attention(*arguments):
            context, weights = ref.scaled_dot_product_attention(*arguments)
            seen.append(weights[0])
            return context, weights

        ours = TransformerModel(
            self.parameters, scaled_dot_product_attention=watched_attention
        )
        memory = ours.encode(source)
        seen.clear()
        ours.logits(tokens, memory)
        # In each block, the heads of the cross-attention follow those of the other.
        firsts = range(self.heads, len(seen), 2 * self.heads)
        return np.array([seen[first : first + self.heads] for first in firsts])


def generate(model, source):
    """Translate one sentence greedily: the most probable token at each step, until the
    end or ``model.max_length(source)`` tokens.

    Parameters
    ----------
    model : TransformerModel
    source : list of int
        The tokens of the sentence.

    Returns
    -------
    tokens : list of int
        Those of the translation, without the start and the end.
    """
    memory = model.encode(source)
    tokens = [model.start]
    for _ in range(model.max_length(source)):
        logits = model.logits(tokens, memory)  # (1, len(tokens), vocabulary)
        token = int(np.argmax(logits[0, -1]))
        if token == model.end:
            break
        tokens.append(token)
    return tokens[1:]
