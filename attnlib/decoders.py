"""The decoders: one step, and all steps at once when the target is known.

A decoder decides what a step computes, and what it takes from the encoder::

    get_initial_state(finals)                 s_0, from the encoder's final states
    prepare_memory(annotations, finals, mask) what depends on the source alone
    step(state, word, memory)                 one step
    unroll(state, words, memory)              all steps, for training

Words are embedded: (batch, embedding_dim) in ``step``, and (batch, target_len,
embedding_dim) in ``unroll``.
``finals`` are the encoder's final states, one per direction: that of the forward GRU,
at the last word, and of a bidirectional encoder also that of the backward GRU, at the
first word. (Where the source is reversed, first and last change places.)
"""

from attnlib import fast
from attnlib.backend import keras, scan, tf
from attnlib.layers import AdditiveAttention, LocalAttention, LuongAttention

ops = keras.ops


class Decoder(keras.layers.Layer):
    """What all decoders share: a GRU cell, and the plain loop over the steps.

    Parameters
    ----------
    units : int
        Size of the state.
    initial_state : "encoder" or "zeros"

    Attributes
    ----------
    feature_dim : int
        Size of what the next word is predicted from.
    max_source_len : int or None
        The longest source that the attention can have; None for any.
    has_attention : bool
    """

    has_attention = True
    max_source_len = None

    def __init__(self, units, initial_state, **kwargs):
        super().__init__(**kwargs)
        self.units, self.initial_state = units, initial_state
        self.cell = keras.layers.GRUCell(units, name="cell")

    def prepare_memory(self, annotations, finals, mask):
        r"""What depends on the source alone, computed once per sentence.

        Parameters
        ----------
        annotations : tensor, shape (batch, source_len, value_dim)
            The encoder's states :math:`h_j`.
        finals : list of tensors, each of shape (batch, dim)
        mask : boolean tensor, shape (batch, source_len)

        Returns
        -------
        dict
            Values, mask, and the keys :math:`U_a h_j`.
        """
        keys = self.attention.project(annotations)  # (batch, source_len, units)
        return {"values": annotations, "keys": keys, "mask": mask}

    def unroll(self, state, words, memory, return_weights=False):
        """All steps, with the true words given.

        Parameters
        ----------
        state : the initial state
        words : tensor, shape (batch, target_len, embedding_dim)
            Embedded, <start> first.
        memory : what ``prepare_memory`` returned
        return_weights : bool

        Returns
        -------
        features : tensor, shape (batch, target_len, feature_dim)
        weights : tensor, shape (batch, target_len, source_len), or None
            None where they are not asked for, or there is no attention.
        """

        return_weights = return_weights and self.has_attention

        def step(state, word):
            state, features, weights = self.step(state, word, memory)
            return state, (features, weights) if return_weights else (features,)

        _, outputs = scan(step, state, words)
        return outputs if return_weights else (outputs[0], None)


class BahdanauDecoder(Decoder):
    r"""The decoder of Bahdanau, Cho, and Bengio (2015), eq. 4 to 6.

    .. math::
        s_{i-1} \to \alpha_i \to c_i \to s_i \to y_i, \qquad
        s_i = \mathrm{GRU}([y_{i-1}; c_i],\, s_{i-1})

    Notes
    -----
    The next word is predicted from :math:`[s_i; c_i; y_{i-1}]` by one linear map: from
    :math:`s_i` as in eq. 4 (appendix A.2.2 has :math:`s_{i-1}`), without the paper's
    maxout. The GRU is Keras's (``reset_after=True``), not the paper's. The initial
    state is :math:`\tanh(W_s h_1)`, from the backward state at the first word
    (A.2.2), or zeros.
    """

    @classmethod
    def from_options(cls, options):
        return cls(options.units, options.initial_state)

    def __init__(self, units, initial_state="encoder", **kwargs):
        super().__init__(units, initial_state, **kwargs)
        if initial_state == "encoder":
            self.first_state = keras.layers.Dense(
                units, activation="tanh", name="first_state"
            )  # W_s
        self.attention = self._make_attention()

    def _make_attention(self):
        return AdditiveAttention(self.units, name="attention")

    def build(self, embedding_dim, value_dim, final_dims):
        """Make the weights, for annotations of size value_dim.

        final_dims are the sizes of the encoder's final states.
        """
        if self.initial_state == "encoder":
            self.first_state.build((None, self._initial_input_dim(final_dims)))
        self.cell.build((None, embedding_dim + value_dim))
        if self.has_attention:
            self.attention.build((None, None, self.units), (None, None, value_dim))
        self.feature_dim = self.units + value_dim + embedding_dim
        self.built = True

    def _initial_input_dim(self, final_dims):
        return final_dims[-1]

    def _initial_input(self, finals):
        return finals[-1]  # of a bidirectional encoder, the backward one

    def get_initial_state(self, finals):
        """The initial state.

        Parameters
        ----------
        finals : list of tensors, each of shape (batch, dim)
            The encoder's final states, one per direction.

        Returns
        -------
        tensor, shape (batch, units)
        """
        if self.initial_state == "zeros":
            return ops.zeros((ops.shape(finals[0])[0], self.units), finals[0].dtype)
        return self.first_state(self._initial_input(finals))

    def attend(self, state, memory):
        """Context (batch, value_dim) and weights (batch, source_len) of one step."""
        query = state[:, None, :]  # (batch, 1, units)
        context, weights = self.attention(
            query, memory["values"], mask=memory["mask"], keys=memory["keys"]
        )
        return context[:, 0], weights[:, 0]

    def step(self, state, word, memory):
        r"""One step.

        Parameters
        ----------
        state : tensor, shape (batch, units)
            :math:`s_{i-1}`.
        word : tensor, shape (batch, embedding_dim)
            :math:`y_{i-1}`, embedded.
        memory : dict
            What ``prepare_memory`` returned.

        Returns
        -------
        state : tensor, shape (batch, units)
            :math:`s_i`.
        features : tensor, shape (batch, feature_dim)
        weights : tensor, shape (batch, source_len), or None
            :math:`\alpha_i`.
        """
        context, weights = self.attend(state, memory)
        state, _ = self.cell(ops.concatenate([word, context], -1), [state])
        return state, ops.concatenate([state, context, word], -1), weights

    def unroll(self, state, words, memory, return_weights=False):
        if not return_weights:
            features = fast.unroll_bahdanau(self, state, words, memory)
            if features is not None:
                return features, None
        return super().unroll(state, words, memory, return_weights)


class FixedContextDecoder(BahdanauDecoder):
    """The encoder–decoder without attention: c is the same at every step.

    Notes
    -----
    The context is the encoder's final state, all of it, as in the RNNencdec of Bahdanau
    et al. (2015), appendix A.2.2, and the initial state is made from all of it too.
    """

    has_attention = False

    @classmethod
    def from_options(cls, options):
        kind = FirstStateDecoder if options.context == "first_state" else cls
        return kind(options.units, options.initial_state)

    def _make_attention(self):
        return None

    def _initial_input_dim(self, final_dims):
        return sum(final_dims)

    def _initial_input(self, finals):
        return ops.concatenate(finals, -1)

    def prepare_memory(self, annotations, finals, mask):
        return {"context": ops.concatenate(finals, -1)}  # (batch, value_dim)

    def attend(self, state, memory):
        return memory["context"], None


class FirstStateDecoder(FixedContextDecoder):
    r"""The encoder–decoder whose context only makes the decoder's initial state.

    .. math::
        s_0 = \tanh(W_s c), \qquad s_i = \mathrm{GRU}(y_{i-1},\, s_{i-1})

    Notes
    -----
    As in Sutskever et al. (2014), and as in the model without attention that Luong et
    al. (2015) start from, no step gets the context: whatever the decoder knows about
    the source is in its state. The next word is predicted from :math:`[s_i; y_{i-1}]`.
    Both papers have LSTMs of four layers, whose states are passed on as they are.
    """

    def build(self, embedding_dim, value_dim, final_dims):
        super().build(embedding_dim, 0, final_dims)  # a step gets no context

    def prepare_memory(self, annotations, finals, mask):
        return {"context": finals[0][:, :0]}  # (batch, 0)


class LuongDecoder(Decoder):
    r"""The decoder of Luong, Pham, and Manning (2015), eq. 5 to 7.

    .. math::
        h_t \to a_t \to c_t \to \tilde h_t \to y_t, \qquad
        \tilde h_t = \tanh(W_c [c_t; h_t])

    The query is the current state h_t, and the next word is predicted from the
    attentional state :math:`\tilde h_t` alone (eq. 6). With input feeding (section
    3.3), that state is an input of the next step.

    Parameters
    ----------
    units : int
    attention : LuongAttention or LocalAttention
    input_feeding : bool
    initial_state : "encoder" or "zeros"

    Notes
    -----
    One GRU stands in place of the paper's four LSTM layers. Its initial state is the
    encoder's final state itself, or zeros; :math:`\tilde h_0` is zeros.
    """

    @classmethod
    def from_options(cls, options):
        attention = luong_attention(options)
        return cls(
            options.units, attention, options.input_feeding, options.initial_state
        )

    def __init__(
        self, units, attention, input_feeding=False, initial_state="encoder", **kwargs
    ):
        super().__init__(units, initial_state, **kwargs)
        self.input_feeding = input_feeding
        self.attention = attention
        self.combine = keras.layers.Dense(
            units, activation="tanh", use_bias=False, name="combine"
        )  # W_c

    @property
    def max_source_len(self):
        return self.attention.max_source_len

    def build(self, embedding_dim, value_dim, final_dims):
        """Make the weights, for annotations of size value_dim.

        The final states together have the size of h_0, which is ``units``.
        """
        fed_dim = self.units if self.input_feeding else 0
        self.cell.build((None, embedding_dim + fed_dim))
        self.attention.build((None, None, self.units), (None, None, value_dim))
        self.combine.build((None, None, value_dim + self.units))
        self.feature_dim = self.units
        self.built = True

    def get_initial_state(self, finals):
        """A dict of h, the GRU's state; t, for local-m's center; and, with input
        feeding, the attentional state that is fed to the next step.
        """
        h = ops.concatenate(finals, -1)  # (batch, units)
        if self.initial_state == "zeros":
            h = ops.zeros_like(h)
        state = {"h": h, "t": ops.zeros_like(h[:, 0], "int32")}
        return {**state, "fed": ops.zeros_like(h)} if self.input_feeding else state

    def attend(self, states, memory, start=0):
        r"""Attentional states and attention weights.

        Parameters
        ----------
        states : tensor, shape (batch, target_len, units)
            :math:`h_t`, the queries.
        memory : dict
            What ``prepare_memory`` returned.
        start : int, or tensor of shape (batch,)
            t of the first of them, for local-m.

        Returns
        -------
        attentional : tensor, shape (batch, target_len, units)
            :math:`\tilde h_t`.
        weights : tensor, shape (batch, target_len, source_len)
        """
        source = {"mask": memory["mask"], "keys": memory["keys"]}
        if isinstance(self.attention, LocalAttention):
            context, weights, positions = self.attention(
                states, memory["values"], start=start, **source
            )
            source_len = ops.shape(memory["values"])[1]
            weights = scatter_to_source(weights, positions, source_len)
        else:
            context, weights = self.attention(states, memory["values"], **source)
        return self.combine(ops.concatenate([context, states], -1)), weights

    def step(self, state, word, memory):
        """One step: the new state, the attentional state, and attention weights."""
        if self.input_feeding:
            word = ops.concatenate([word, state["fed"]], -1)
        h, _ = self.cell(word, [state["h"]])
        features, weights = self.attend(h[:, None, :], memory, state["t"])
        features = features[:, 0]  # (batch, units)
        new_state = {"h": h, "t": state["t"] + 1, "fed": features}
        return {name: new_state[name] for name in state}, features, weights[:, 0]

    def unroll(self, state, words, memory, return_weights=False):
        """Without input feeding, no step needs the attention of the step before it.

        So the GRU runs through, and the attention of all steps is one product.
        """
        if self.input_feeding:
            return super().unroll(state, words, memory, return_weights)
        _, states = scan(self._gru_step, state["h"], words)
        features, weights = self.attend(states, memory, state["t"])
        return features, (weights if return_weights else None)

    def _gru_step(self, h, word):
        h, _ = self.cell(word, [h])
        return h, h


LOCAL_CENTERS = {"local-m": "monotonic", "local-p": "predictive"}


def luong_attention(options):
    """The attention layer of a ``LuongDecoder``, for a model's options."""
    common = {"concat_identity": options.concat_identity, "name": "attention"}
    if options.attention in LOCAL_CENTERS:
        center = LOCAL_CENTERS[options.attention]
        return LocalAttention(
            options.score, center, options.half_width, options.gaussian, **common
        )
    return LuongAttention(
        options.attention, max_source_len=options.max_source_len, **common
    )


def scatter_to_source(weights, positions, source_len):
    """Local weights at their positions in the source, and zero elsewhere.

    Parameters
    ----------
    weights, positions : tensors, shape (batch, target_len, window)
        As ``LocalAttention`` returns them.
    source_len : int

    Returns
    -------
    tensor, shape (batch, target_len, source_len)
    """
    batch, target_len = ops.shape(weights)[0], ops.shape(weights)[1]
    rows = ops.reshape(ops.arange(batch * target_len), (batch, target_len, 1))
    inside = (positions >= 0) & (positions < source_len)
    targets = ops.where(inside, rows * source_len + positions, -1)  # -1 is left out
    count = batch * target_len * source_len
    flat = tf.math.unsorted_segment_sum(weights, targets, count)
    return ops.reshape(flat, (batch, target_len, source_len))


# The attention that a model is asked for, and the decoder that has it.
DECODERS = {
    "none": FixedContextDecoder,
    "additive": BahdanauDecoder,
    "dot": LuongDecoder,
    "general": LuongDecoder,
    "concat": LuongDecoder,
    "location": LuongDecoder,
    "local-m": LuongDecoder,
    "local-p": LuongDecoder,
}

# Options that only some kinds of attention take. The other kinds refuse them.
TAKERS = {
    "context": ["none"],
    "input_feeding": [name for name in DECODERS if DECODERS[name] is LuongDecoder],
    "half_width": list(LOCAL_CENTERS),
    "score": list(LOCAL_CENTERS),
    "gaussian": list(LOCAL_CENTERS),
    "max_source_len": ["location"],
    "concat_identity": ["concat", *LOCAL_CENTERS],
}
