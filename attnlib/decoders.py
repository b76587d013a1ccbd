"""One step of a decoder, and all of them at once when the target is known."""

from attnlib.backend import keras, scan, tf
from attnlib.fast import bahdanau as fast_bahdanau
from attnlib.fast.gru import gru
from attnlib.layers import AdditiveAttention, LocalAttention

ops = keras.ops


class BahdanauDecoder(keras.layers.Layer):
    """s_{i-1} -> alpha_i -> c_i -> s_i -> y_i: Bahdanau et al. (2015), eq. 4–6 and
    appendix A.2.2.

    s_i = GRU([y_{i-1}; c_i], s_{i-1}), and the next word is read from [s_i; c_i;
    y_{i-1}] by one linear map: s_i as in eq. 4 (A.2.2 has s_{i-1}), without the paper's
    maxout. The GRU is Keras' (reset_after=True), not the paper's.

    attention: "additive", where c_i = sum_j alpha_ij h_j, or "none", where c is the
    encoder's final state at every step, as in the paper's RNNencdec.
    initial_state: "encoder", s_0 = tanh(W_s h_1), or "zeros", s_0 = 0.
    """

    def __init__(self, units, attention="additive", initial_state="encoder", **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.cell = keras.layers.GRUCell(units, name="cell")
        if initial_state == "encoder":
            self.first_state = keras.layers.Dense(
                units, activation="tanh", name="first_state"
            )
        else:
            self.first_state = lambda final: ops.zeros(
                (ops.shape(final)[0], units), final.dtype
            )
        self.attention = (
            AdditiveAttention(units, name="attention")
            if attention == "additive"
            else None
        )

    def build(self, word_dim, value_dim, final_dim):
        """word_dim: width of the embedded words. value_dim: of h_j. final_dim: of what
        s_0 is made from.
        """
        if isinstance(self.first_state, keras.layers.Dense):
            self.first_state.build((None, final_dim))
        self.cell.build((None, word_dim + value_dim))
        if self.attention is not None:
            self.attention.build((None, None, self.units), (None, None, value_dim))
        self.built = True

    def memory(self, annotations, final, mask):
        """All that depends on the source alone, computed once a sentence.

        annotations: (batch, source_len, value_dim). final: (batch, value_dim). mask:
        (batch, source_len).
        """
        if self.attention is None:
            return {"context": final}
        return {
            "values": annotations,
            "keys": self.attention.project(annotations),
            "mask": mask,
        }

    def step(self, state, word, memory):
        """One step. state: s_{i-1}, (batch, units). word: y_{i-1} embedded, (batch,
        word_dim).

        Returns s_i, what the next word is read from, and the weights (batch,
        source_len) or None.
        """
        if self.attention is None:
            context, weights = memory["context"], None
        else:
            context, weights = self.attention(
                state[:, None, :],
                memory["values"],
                mask=memory["mask"],
                keys=memory["keys"],
            )
            context, weights = (
                context[:, 0],
                weights[:, 0],
            )  # (batch, value_dim), (batch, source_len)
        state, _ = self.cell(ops.concatenate([word, context], -1), [state])
        return state, ops.concatenate([state, context, word], -1), weights

    def run(self, state, words, memory, return_weights=False, compiled=False):
        """All steps, the target being known: words (batch, target_len, word_dim).

        compiled: whether by XLA, where it can.
        Returns features (batch, target_len, …) and weights (batch, target_len,
        source_len) or None.
        """

        def step(state, word):
            state, features, weights = self.step(state, word, memory)
            return state, (features, weights) if return_weights else (features,)

        return_weights = return_weights and self.attention is not None
        if (
            self.attention is not None
            and not return_weights
            and words.dtype == tf.float32
        ):
            return fast_bahdanau.run(self, state, words, memory, compiled), None
        _, outputs = scan(step, state, words)
        return outputs if return_weights else (outputs[0], None)


def over_source(weights, positions, source_len):
    """Local weights put where they belong: (batch, target_len, window) -> (batch,
    target_len, source_len).

    weights, positions: as ``LocalAttention`` returns them.
    """
    batch, target_len = ops.shape(weights)[0], ops.shape(weights)[1]
    rows = ops.reshape(ops.arange(batch * target_len), (batch, target_len, 1))
    inside = (positions >= 0) & (positions < source_len)
    places = ops.where(
        inside, rows * source_len + positions, -1
    )  # what is numbered -1 is left out
    flat = tf.math.unsorted_segment_sum(
        weights, places, batch * target_len * source_len
    )
    return ops.reshape(flat, (batch, target_len, source_len))


class LuongDecoder(keras.layers.Layer):
    """h_t -> a_t -> c_t -> h~_t -> y_t: Luong, Pham and Manning (2015), eq. 5 to 7 and
    section 3.3.

    h_t = GRU([y_{t-1}; h~_{t-1}], h_{t-1}) with input feeding, GRU(y_{t-1}, h_{t-1})
    without; the query is the current h_t; h~_t = tanh(W_c [c_t; h_t]) (eq. 5), and the
    next word is read from h~_t alone (eq. 6). One GRU in place of the paper's four LSTM
    layers. h_0 is the encoder's final state itself, or zeros; h~_0 is zeros.

    attention: a `LuongAttention` or `LocalAttention`. initial_state: "encoder" or
    "zeros".
    """

    def __init__(
        self, units, attention, input_feeding=False, initial_state="encoder", **kwargs
    ):
        super().__init__(**kwargs)
        self.units, self.input_feeding, self.initial_state = (
            units,
            input_feeding,
            initial_state,
        )
        self.cell = keras.layers.GRUCell(units, name="cell")
        self.attention = attention
        self.combine = keras.layers.Dense(
            units, activation="tanh", use_bias=False, name="combine"
        )  # W_c

    def build(self, word_dim, value_dim, final_dim):
        """word_dim: width of the embedded words. value_dim: of h_s. final_dim: of h_0,
        so it is `units` too.
        """
        self.cell.build(
            (None, word_dim + self.units if self.input_feeding else word_dim)
        )
        self.attention.build((None, None, self.units), (None, None, value_dim))
        self.combine.build((None, None, value_dim + self.units))
        self.built = True

    def first_state(self, final):
        """final: (batch, units). A state is h_t, h~_t for input feeding, and t for
        local-m's centre.
        """
        h = final if self.initial_state == "encoder" else ops.zeros_like(final)
        state = {"h": h, "t": ops.zeros_like(final[:, 0], "int32")}
        return {**state, "fed": ops.zeros_like(final)} if self.input_feeding else state

    def memory(self, annotations, final, mask):
        """All that depends on the source alone, computed once a sentence. Shapes as for
        `BahdanauDecoder`.
        """
        return {
            "values": annotations,
            "keys": self.attention.project(annotations),
            "mask": mask,
        }

    def look(self, states, memory, start=0):
        """h~_t (batch, target_len, units) and weights (batch, target_len, source_len),
        for states h_t like h~_t.
        """
        source = {"mask": memory["mask"], "keys": memory["keys"]}
        if isinstance(self.attention, LocalAttention):
            context, weights, positions = self.attention(
                states, memory["values"], start=start, **source
            )
            weights = over_source(weights, positions, ops.shape(memory["values"])[1])
        else:
            context, weights = self.attention(states, memory["values"], **source)
        return self.combine(ops.concatenate([context, states], -1)), weights

    def step(self, state, word, memory):
        """One step, with arguments and returns as for `BahdanauDecoder`."""
        if self.input_feeding:
            word = ops.concatenate([word, state["fed"]], -1)
        h, _ = self.cell(word, [state["h"]])
        features, weights = self.look(h[:, None, :], memory, state["t"])
        features, weights = (
            features[:, 0],
            weights[:, 0],
        )  # (batch, units), (batch, source_len)
        following = {"h": h, "t": state["t"] + 1, "fed": features}
        return {name: following[name] for name in state}, features, weights

    def run(self, state, words, memory, return_weights=False, compiled=False):
        """All steps, with arguments and returns as for `BahdanauDecoder`.

        Without input feeding no step needs the attention of the one before: the GRU
        runs through, and the attention of all steps is one product.
        """
        if not self.input_feeding:
            states = tf.transpose(
                gru(tf.transpose(words, (1, 0, 2)), state["h"], self.cell), (1, 0, 2)
            )
            features, weights = self.look(states, memory, state["t"])
            return features, weights if return_weights else None

        def step(state, word):
            state, features, weights = self.step(state, word, memory)
            return state, (features, weights) if return_weights else (features,)

        _, outputs = scan(step, state, words)
        return outputs if return_weights else (outputs[0], None)
