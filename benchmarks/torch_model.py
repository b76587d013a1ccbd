"""The same encoder, attention and decoder in eager PyTorch, as one would write it
there: the benchmarks' peer.

`Model` computes what ``attnlib.seq2seq.Seq2Seq(…, attention="additive")`` computes,
from the same weights. What depends on the source alone, U_a h_j, is computed once a
sentence, and the readout of all steps is one product.
"""

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

PAD, START, END = range(3)


class AdditiveAttention(nn.Module):
    """e_ij = v^T tanh(W_a s_{i-1} + U_a h_j), of one query a sentence."""

    def __init__(self, units):
        super().__init__()
        self.w_query = nn.Linear(units, units, bias=False)
        self.w_keys = nn.Linear(units, units, bias=False)
        self.v = nn.Linear(units, 1, bias=False)

    def forward(self, state, values, keys, padding):
        hidden = torch.tanh(
            self.w_query(state)[:, None] + keys
        )  # (batch, source_len, units)
        scores = self.v(hidden)[:, :, 0].masked_fill(
            padding, -torch.inf
        )  # (batch, source_len)
        weights = torch.softmax(scores, -1)
        return torch.bmm(weights[:, None], values)[:, 0], weights


class Model(nn.Module):
    def __init__(self, source_words, target_words, units=128, embedding_dim=32):
        super().__init__()
        self.source_embedding = nn.Embedding(source_words, embedding_dim)
        self.target_embedding = nn.Embedding(target_words, embedding_dim)
        self.encoder = nn.GRU(
            embedding_dim, units // 2, batch_first=True, bidirectional=True
        )
        self.first_state = nn.Linear(units // 2, units)
        self.attention = AdditiveAttention(units)
        self.cell = nn.GRUCell(embedding_dim + units, units)
        self.readout = nn.Linear(2 * units + embedding_dim, target_words)

    def encode(self, source):
        """source: (batch, source_len). Returns the decoder's first state, and values,
        keys and padding.
        """
        padding = source == PAD
        lengths = (~padding).sum(1)
        packed = pack_padded_sequence(
            self.source_embedding(source),
            lengths,
            batch_first=True,
            enforce_sorted=False,
        )
        values, finals = self.encoder(packed)
        values, _ = pad_packed_sequence(
            values, batch_first=True, total_length=source.shape[1]
        )
        state = torch.tanh(
            self.first_state(finals[1])
        )  # from the backward state at the first word
        return state, (values, self.attention.w_keys(values), padding)

    def step(self, state, word, memory):
        context, weights = self.attention(state, *memory)
        state = self.cell(torch.cat([word, context], -1), state)
        return state, torch.cat([state, context, word], -1), weights

    def forward(self, source, before):
        """Logits (batch, target_len, target words), the target being known."""
        state, memory = self.encode(source)
        features = []
        for word in self.target_embedding(before).unbind(1):
            state, feature, _ = self.step(state, word, memory)
            features.append(feature)
        return self.readout(torch.stack(features, 1))

    def loss(self, source, before, after):
        """Cross-entropy in nats a real token, and how many are right."""
        logits = self(source, before).flatten(0, 1)
        after = after.flatten()
        return (
            cross_entropy(logits, after, ignore_index=PAD),
            (logits.argmax(-1) == after)[after != PAD].sum(),
        )

    @torch.inference_mode()
    def greedy(self, source):
        """The likeliest word at every step: tokens (batch, length) and weights (batch,
        length, source_len).
        """
        state, memory = self.encode(source)
        limits = 2 * (source != PAD).sum(1) + 10
        word = torch.full((len(source),), START)
        ended = torch.zeros(len(source), dtype=torch.bool)
        words, looked = [], []
        while not ended.all():
            state, feature, weights = self.step(
                state, self.target_embedding(word), memory
            )
            logits = self.readout(feature)
            logits[:, :END] = -torch.inf  # <pad> and <start> are never written
            word = torch.where(ended, END, logits.argmax(-1))
            words.append(word)
            looked.append(weights)
            ended |= (word == END) | (len(words) >= limits)
        return torch.stack(words, 1), torch.stack(looked, 1)


def optimizer(model, learning_rate=3e-3):
    return torch.optim.Adam(model.parameters(), learning_rate, eps=1e-7, fused=True)


def train_step(model, adam, source, before, after):
    """One step of Adam; the norm of each weight's gradient is held to 1, as Keras'
    clipnorm does.
    """
    adam.zero_grad()
    loss, right = model.loss(source, before, after)
    loss.backward()
    for weight in model.parameters():
        nn.utils.clip_grad_norm_([weight], 1.0)
    adam.step()
    return loss.detach(), right


def copy_weights(model, weights):
    """Keras' weights, {path: array}, into the peer: its kernels are transposed, its
    gates go r, z, n, not z, r, n.
    """
    found = {
        path.replace(".", "/"): torch.tensor(array) for path, array in weights.items()
    }

    def gates(array):
        z, r, n = array.chunk(3, -1)
        return torch.cat([r, z, n], -1)

    def gru(prefix, names):
        kernel, recurrent, bias = (
            gates(found[f"{prefix}/{name}"])
            for name in ("kernel", "recurrent_kernel", "bias")
        )
        return dict(zip(names, (kernel.T, recurrent.T, *bias), strict=True))

    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    encoder = {
        **gru("bidirectional/forward_gru/gru_cell", [f"{name}_l0" for name in names]),
        **gru(
            "bidirectional/backward_gru/gru_cell",
            [f"{name}_l0_reverse" for name in names],
        ),
    }
    decoder = "bahdanau_decoder"
    model.load_state_dict(
        {
            "source_embedding.weight": found["embedding/embeddings"],
            "target_embedding.weight": found["embedding_1/embeddings"],
            **{f"encoder.{name}": array for name, array in encoder.items()},
            **{
                f"cell.{name}": array
                for name, array in gru(f"{decoder}/cell", names).items()
            },
            "first_state.weight": found[f"{decoder}/first_state/kernel"].T,
            "first_state.bias": found[f"{decoder}/first_state/bias"],
            "attention.w_query.weight": found[f"{decoder}/attention/w_query"].T,
            "attention.w_keys.weight": found[f"{decoder}/attention/w_keys"].T,
            "attention.v.weight": found[f"{decoder}/attention/v"][None],
            "readout.weight": found["dense/kernel"].T,
            "readout.bias": found["dense/bias"],
        }
    )
