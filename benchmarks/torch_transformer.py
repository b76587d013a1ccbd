"""The baseline of `our_transformer`: the same Transformer, weights, and batches in
eager PyTorch, as one would write it there.
"""

import json

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy, scaled_dot_product_attention

from benchmarks.our_transformer import names
from benchmarks.torch_cases import load_batches, train_epoch
from benchmarks.torch_model import PAD, optimizer

WARM_UP_STEPS = 100
MAX_LENGTH = 256  # of the table of positions


def sinusoidal_positions(length, units):
    """(length, units): sine and cosine of position / 10000^(2i / units) in turn."""
    frequencies = 10000.0 ** (-torch.arange(0, units, 2) / units)
    angles = torch.arange(length)[:, None] * frequencies  # (length, units / 2)
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)


class Attention(nn.Module):
    """Scaled dot-product attention in several heads, without biases."""

    def __init__(self, units, heads):
        super().__init__()
        self.heads = heads
        self.to_query = nn.Linear(units, units, bias=False)
        self.to_keys = nn.Linear(units, units, bias=False)
        self.to_values = nn.Linear(units, units, bias=False)
        self.to_output = nn.Linear(units, units, bias=False)

    def split(self, x):
        """(batch, length, units) -> (batch, heads, length, units / heads)"""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def forward(self, x, source, mask=None, causal=False):
        context = scaled_dot_product_attention(
            self.split(self.to_query(x)),
            self.split(self.to_keys(source)),
            self.split(self.to_values(source)),
            attn_mask=mask,
            is_causal=causal,
        )
        return self.to_output(context.transpose(1, 2).flatten(2))


class Block(nn.Module):
    """What both blocks share. The order is that of Keras's weights."""

    def __init__(self, norms, units, heads, feed_forward):
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(units, eps=1e-3) for _ in range(norms))
        self.attention = Attention(units, heads)
        self.feed_forward = nn.Sequential(
            nn.Linear(units, feed_forward), nn.ReLU(), nn.Linear(feed_forward, units)
        )


class EncoderBlock(Block):
    def __init__(self, *sizes):
        super().__init__(2, *sizes)

    def forward(self, x, mask):
        normed = self.norms[0](x)
        x = x + self.attention(normed, normed, mask)
        return x + self.feed_forward(self.norms[1](x))


class DecoderBlock(Block):
    def __init__(self, units, heads, feed_forward):
        super().__init__(3, units, heads, feed_forward)
        self.cross_attention = Attention(units, heads)

    def forward(self, x, memory, source_mask):
        normed = self.norms[0](x)
        # Padding comes last, so the causal mask hides it from every real word.
        x = x + self.attention(normed, normed, causal=True)
        x = x + self.cross_attention(self.norms[1](x), memory, source_mask)
        return x + self.feed_forward(self.norms[2](x))


class Transformer(nn.Module):
    """Pre-norm, with sinusoidal positions."""

    def __init__(self, source_words, target_words, units, heads, layers, feed_forward):
        super().__init__()
        self.source_embedding = nn.Embedding(source_words, units)
        self.target_embedding = nn.Embedding(target_words, units)
        sizes = units, heads, feed_forward
        self.encoder_blocks = nn.ModuleList(EncoderBlock(*sizes) for _ in range(layers))
        self.decoder_blocks = nn.ModuleList(DecoderBlock(*sizes) for _ in range(layers))
        self.memory_norm = nn.LayerNorm(units, eps=1e-3)
        self.last_norm = nn.LayerNorm(units, eps=1e-3)
        self.output = nn.Linear(units, target_words)
        positions = sinusoidal_positions(MAX_LENGTH, units)
        self.register_buffer("positions", positions, persistent=False)

    def embed(self, token_ids, table):
        words = table(token_ids) * table.embedding_dim**0.5
        return words + self.positions[: token_ids.shape[1]]

    def forward(self, source, decoder_inputs):
        """Logits (batch, target_len, target words), from the true prefixes."""
        mask = (source != PAD)[:, None, None, :]
        memory = self.embed(source, self.source_embedding)
        for block in self.encoder_blocks:
            memory = block(memory, mask)
        memory = self.memory_norm(memory)
        x = self.embed(decoder_inputs, self.target_embedding)
        for block in self.decoder_blocks:
            x = block(x, memory, mask)
        return self.output(self.last_norm(x))

    def loss(self, source, decoder_inputs, targets):
        """Cross-entropy in nats per real token, and how many tokens are correct."""
        logits = self(source, decoder_inputs).flatten(0, 1)  # (tokens, target words)
        targets = targets.flatten()  # (tokens,)
        correct = (logits.argmax(-1) == targets)[targets != PAD].sum()
        return cross_entropy(logits, targets, ignore_index=PAD), correct


def warm_up(step):
    """The factor of the learning rate, which rises, then falls with the root."""
    step += 1
    return min(step / WARM_UP_STEPS, (WARM_UP_STEPS / step) ** 0.5)


def load(folder, task):
    """The model with the weights that `our_transformer` saved, in the same order."""
    model = Transformer(*json.loads((folder / f"{task}.json").read_text()))
    with np.load(folder / f"{task}.weights.npz") as saved, torch.no_grad():
        arrays = [torch.from_numpy(saved[key]) for key in saved.files]
        owners = [
            (module, parameter)
            for module in model.modules()
            for parameter in module.parameters(recurse=False)
        ]
        for (module, parameter), array in zip(owners, arrays, strict=True):
            # Keras's kernels are PyTorch's transposed.
            array = array.T if isinstance(module, nn.Linear) else array
            assert parameter.shape == array.shape
            parameter.copy_(array)
    return model


def cases(folder, threads, quick):
    torch.set_num_threads(threads or torch.get_num_threads())

    def epoch(name, task, _):
        model = load(folder, task)
        adam = optimizer(model)
        schedule = torch.optim.lr_scheduler.LambdaLR(adam, warm_up)
        (batches,) = load_batches(folder, name)
        with torch.no_grad():
            first_loss = float(model.loss(*batches[0])[0])

        def run():
            train_epoch(model, adam, batches, schedule)
            return [first_loss]

        return run

    return {name: epoch(name, *what) for name, what in names(quick).items()}
