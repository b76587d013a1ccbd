"""The same encoder, attention, and decoder in eager PyTorch, as one would write them
there: the baseline of the benchmarks.

`Model` computes what ``attnlib.seq2seq.Seq2Seq(…, attention="additive")`` computes,
from the same weights. What depends on the source alone, U_a h_j, is computed once per
sentence, and the readout of all steps is one product.
"""

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

PAD, START, END = range(3)


class AdditiveAttention(nn.Module):
    """e_ij = v^T tanh(W_a s_{i-1} + U_a h_j), of one query per sentence."""

    def __init__(self, units):
        super().__init__()
        self.w_query = nn.Linear(units, units, bias=False)
        self.w_keys = nn.Linear(units, units, bias=False)
        self.v = nn.Linear(units, 1, bias=False)

    def forward(self, state, values, keys, padding):
        query = self.w_query(state)[:, None]  # (batch, 1, units)
        hidden = torch.tanh(query + keys)  # (batch, source_len, units)
        scores = self.v(hidden)[:, :, 0]  # (batch, source_len)
        weights = torch.softmax(scores.masked_fill(padding, -torch.inf), -1)
        context = torch.bmm(weights[:, None], values)[:, 0]  # (batch, value_dim)
        return context, weights


class Model(nn.Module):
    def __init__(self, source_words, target_words, units=128, embedding_dim=32):
        super().__init__()
        self.source_embedding = nn.Embedding(source_words, embedding_dim)
        self.target_embedding = nn.Embedding(target_words, embedding_dim)
        self.encoder = nn.GRU(
            embedding_dim, units // 2, batch_first=True, bidirectional=True
        )
        self.initial_state = nn.Linear(units // 2, units)
        self.attention = AdditiveAttention(units)
        self.cell = nn.GRUCell(embedding_dim + units, units)
        self.readout = nn.Linear(2 * units + embedding_dim, target_words)

    def encode(self, source):
        """source: (batch, source_len). Returns the decoder's initial state, and
        (values, keys, padding).
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
        # From the backward state at the first word.
        state = torch.tanh(self.initial_state(finals[1]))  # (batch, units)
        return state, (values, self.attention.w_keys(values), padding)

    def step(self, state, word, memory):
        context, weights = self.attention(state, *memory)
        state = self.cell(torch.cat([word, context], -1), state)
        return state, torch.cat([state, context, word], -1), weights

    def forward(self, source, decoder_inputs):
        """Logits (batch, target_len, target words), from the true prefixes."""
        state, memory = self.encode(source)
        features = []
        for word in self.target_embedding(decoder_inputs).unbind(1):
            state, feature, _ = self.step(state, word, memory)
            features.append(feature)
        return self.readout(torch.stack(features, 1))

    def loss(self, source, decoder_inputs, targets):
        """Cross-entropy in nats per real token, and how many tokens are correct."""
        logits = self(source, decoder_inputs).flatten(0, 1)  # (tokens, target words)
        targets = targets.flatten()  # (tokens,)
        correct = (logits.argmax(-1) == targets)[targets != PAD].sum()
        return cross_entropy(logits, targets, ignore_index=PAD), correct

    @torch.inference_mode()
    def greedy(self, source):
        """The most probable word at every step: token IDs (batch, length) and attention
        weights (batch, length, source_len).
        """
        state, memory = self.encode(source)
        max_lengths = 2 * (source != PAD).sum(1) + 10
        word = torch.full((len(source),), START)
        ended = torch.zeros(len(source), dtype=torch.bool)
        words = []
        attention_weights = []
        while not ended.all():
            state, feature, weights = self.step(
                state, self.target_embedding(word), memory
            )
            logits = self.readout(feature)
            logits[:, :END] = -torch.inf  # <pad> and <start> are never generated
            word = torch.where(ended, END, logits.argmax(-1))
            words.append(word)
            attention_weights.append(weights)
            ended |= (word == END) | (len(words) >= max_lengths)
        return torch.stack(words, 1), torch.stack(attention_weights, 1)


def optimizer(model, learning_rate=3e-3):
    return torch.optim.Adam(model.parameters(), learning_rate, eps=1e-7, fused=True)


def train_step(model, adam, source, decoder_inputs, targets):
    """One step of Adam. The norm of each weight's gradient is clipped to 1, as Keras'
    clipnorm does.
    """
    adam.zero_grad()
    loss, correct = model.loss(source, decoder_inputs, targets)
    loss.backward()
    for weight in model.parameters():
        nn.utils.clip_grad_norm_([weight], 1.0)
    adam.step()
    return loss.detach(), correct


def copy_weights(model, weights):
    """Copy Keras' weights, {path: array}, into the model.

    Keras' kernels are transposed here, and its gates come in the order z, r, n, not
    r, z, n.
    """
    arrays = {
        path.replace(".", "/"): torch.tensor(array) for path, array in weights.items()
    }

    def reorder_gates(array):
        z, r, n = array.chunk(3, -1)
        return torch.cat([r, z, n], -1)

    def gru(keras_path, torch_path, suffix=""):
        kernel, recurrent, bias = (
            reorder_gates(arrays[f"{keras_path}/{name}"])
            for name in ("kernel", "recurrent_kernel", "bias")
        )
        return {
            f"{torch_path}.weight_ih{suffix}": kernel.T,
            f"{torch_path}.weight_hh{suffix}": recurrent.T,
            f"{torch_path}.bias_ih{suffix}": bias[0],
            f"{torch_path}.bias_hh{suffix}": bias[1],
        }

    encoder, decoder = "bidirectional", "bahdanau_decoder"
    model.load_state_dict(
        {
            "source_embedding.weight": arrays["embedding/embeddings"],
            "target_embedding.weight": arrays["embedding_1/embeddings"],
            **gru(f"{encoder}/forward_gru/gru_cell", "encoder", "_l0"),
            **gru(f"{encoder}/backward_gru/gru_cell", "encoder", "_l0_reverse"),
            **gru(f"{decoder}/cell", "cell"),
            "initial_state.weight": arrays[f"{decoder}/first_state/kernel"].T,
            "initial_state.bias": arrays[f"{decoder}/first_state/bias"],
            "attention.w_query.weight": arrays[f"{decoder}/attention/w_query"].T,
            "attention.w_keys.weight": arrays[f"{decoder}/attention/w_keys"].T,
            "attention.v.weight": arrays[f"{decoder}/attention/v"][None],
            "readout.weight": arrays["dense/kernel"].T,
            "readout.bias": arrays["dense/bias"],
        }
    )
