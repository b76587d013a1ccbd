"""One step of a decoder, and all of them at once when the target is known."""

from attnlib.backend import keras, scan
from attnlib.layers import AdditiveAttention

ops = keras.ops


class BahdanauDecoder(keras.layers.Layer):
    """s_{i-1} -> alpha_i -> c_i -> s_i -> y_i: Bahdanau et al. (2015), eq. 4–6 and appendix A.2.2.

    s_i = GRU([y_{i-1}; c_i], s_{i-1}), and the next word is read from [s_i; c_i; y_{i-1}] by one linear map: s_i as
    in eq. 4 (A.2.2 has s_{i-1}), without the paper's maxout. The GRU is Keras' (reset_after=True), not the paper's.

    attention: "additive", where c_i = sum_j alpha_ij h_j, or "none", where c is the encoder's final state at
    every step, as in the paper's RNNencdec.
    """

    def __init__(self, units, attention="additive", **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.cell = keras.layers.GRUCell(units, name="cell")
        self.first_state = keras.layers.Dense(units, activation="tanh", name="first_state")
        self.attention = AdditiveAttention(units, name="attention") if attention == "additive" else None

    def build(self, word_dim, value_dim, final_dim):
        """word_dim: width of the embedded words. value_dim: of h_j. final_dim: of what s_0 is made from."""
        self.first_state.build((None, final_dim))
        self.cell.build((None, word_dim + value_dim))
        if self.attention is not None:
            self.attention.build((None, None, self.units), (None, None, value_dim))
        self.built = True

    def memory(self, annotations, final, mask):
        """All that depends on the source alone, computed once a sentence.

        annotations: (batch, source_len, value_dim). final: (batch, value_dim). mask: (batch, source_len).
        """
        if self.attention is None:
            return {"context": final}
        return {"values": annotations, "keys": self.attention.project(annotations), "mask": mask}

    def step(self, state, word, memory):
        """One step. state: s_{i-1}, (batch, units). word: y_{i-1} embedded, (batch, word_dim).

        Returns s_i, what the next word is read from, and the weights (batch, source_len) or None.
        """
        if self.attention is None:
            context, weights = memory["context"], None
        else:
            context, weights = self.attention(
                state[:, None, :], memory["values"], mask=memory["mask"], keys=memory["keys"]
            )
            context, weights = context[:, 0], weights[:, 0]  # (batch, value_dim), (batch, source_len)
        state, _ = self.cell(ops.concatenate([word, context], -1), [state])
        return state, ops.concatenate([state, context, word], -1), weights

    def run(self, state, words, memory, return_weights=False):
        """All steps, the target being known: words (batch, target_len, word_dim).

        Returns features (batch, target_len, …) and weights (batch, target_len, source_len) or None.
        """

        def step(state, word):
            state, features, weights = self.step(state, word, memory)
            return state, (features, weights) if return_weights else (features,)

        return_weights = return_weights and self.attention is not None
        _, outputs = scan(step, state, words)
        return outputs if return_weights else (outputs[0], None)
