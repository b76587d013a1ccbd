r"""What the trained models compute outside of their attention: the encoder, the
decoder's GRU, and the prediction of the next word.
"""

import numpy as np


class BidirectionalReader:
    r"""Trained parameters, and the two GRUs among them that read a sentence.

    Parameters
    ----------
    parameters : dict of str to array
        Of each GRU, which are ``forward`` and ``backward``, its ``_kernel``,
        (embedding_dim, 3 units), its ``_recurrent_kernel``, (units, 3 units), and its
        ``_bias``, (2, 3 units); and what a model has beside them.
    """

    def __init__(self, parameters):
        self.parameters = {
            name: np.asarray(array, np.float64) for name, array in parameters.items()
        }

    def read(self, embedded):
        r"""Read sentences of one length in both directions.

        .. math::
            h_j = [\overrightarrow{h}_j ; \overleftarrow{h}_j]

        Parameters
        ----------
        embedded : array, shape (batch, source_len, embedding_dim)

        Returns
        -------
        states : array, shape (batch, source_len, 2 units)
        """
        forward = self._read("forward", embedded)  # (batch, source_len, units)
        backward = self._read("backward", embedded[:, ::-1])[:, ::-1]
        return np.concatenate([forward, backward], axis=-1)

    def _read(self, name, embedded):
        """The state after each word, (batch, source_len, units)."""
        units = len(self.parameters[f"{name}_recurrent_kernel"])
        state = np.zeros((len(embedded), units))
        states = np.empty((*embedded.shape[:2], units))
        for j in range(embedded.shape[1]):
            state = states[:, j] = self._gru_step(name, embedded[:, j], state)
        return states

    def _gru_step(self, name, x, s):
        r"""Keras's GRU, with ``reset_after=True``.

        .. math::
            z &= \sigma(x W_z + s U_z + b_z) \\
            r &= \sigma(x W_r + s U_r + b_r) \\
            n &= \tanh(x W_n + b_n + r \odot (s U_n + b'_n)) \\
            s' &= z \odot s + (1 - z) \odot n
        """
        kernel, recurrent_kernel, bias = (
            self.parameters[f"{name}_{part}"]
            for part in ("kernel", "recurrent_kernel", "bias")
        )
        x_z, x_r, x_n = np.split(x @ kernel + bias[0], 3, axis=-1)  # (batch, units)
        s_z, s_r, s_n = np.split(s @ recurrent_kernel + bias[1], 3, axis=-1)
        z = sigmoid(x_z + s_z)
        r = sigmoid(x_r + s_r)
        n = np.tanh(x_n + r * s_n)
        return z * s + (1 - z) * n


class TranslationModel:
    """What all models that translate share.

    Attributes
    ----------
    start, end : int
        The tokens before the first word and after the last.
    """

    start, end = 1, 2

    @staticmethod
    def max_length(source):
        """How many tokens the translation of this list of tokens may have."""
        return 2 * len(source) + 10

    def _predict(self, features):
        """The logits (..., vocabulary), from features (..., feature_dim)."""
        logits = features @ self.parameters["output_kernel"]
        logits = logits + self.parameters["output_bias"]
        logits[..., : self.end] = -np.inf  # <pad> and <start> are no words
        return logits


class RecurrentModel(TranslationModel, BidirectionalReader):
    r"""The trained parameters of a translator with a bidirectional GRU as its encoder
    and a GRU as its decoder.

    Parameters
    ----------
    parameters : dict of str to array
        ``source_embedding`` and ``target_embedding``, (vocabulary, embedding_dim);
        of each GRU, which are ``forward``, ``backward``, and ``cell``, its
        ``_kernel``, (input_dim, 3 units), its ``_recurrent_kernel``, (units, 3 units),
        and its ``_bias``, (2, 3 units); ``output_kernel`` and ``output_bias``; and what
        a model has beside them.
    """

    def encode(self, source):
        r"""Read a sentence in both directions.

        .. math::
            h_j = [\overrightarrow{h}_j ; \overleftarrow{h}_j]

        Parameters
        ----------
        source : list of int, length source_len
            The tokens of the sentence.

        Returns
        -------
        annotations : array, shape (1, source_len, dim)
            The states of the encoder, :math:`h_1, \dots, h_{T_x}`; Luong's
            :math:`\bar h_s`.
        state : array, shape (1, units)
            The decoder's state before the first word.
        """
        annotations = self.read(self.parameters["source_embedding"][source][None])
        forward, backward = np.split(annotations, 2, axis=-1)  # (1, source_len, dim/2)
        return annotations, self._first_state(forward[:, -1], backward[:, 0])

    def embed(self, token):
        """The vector of an output token, shape (1, embedding_dim)."""
        return self.parameters["target_embedding"][[token]]

    def gru(self, inputs, state):
        """One step of the decoder's GRU.

        Parameters
        ----------
        inputs : array, shape (1, input_dim)
            [word ; context] in Bahdanau's decoder, and the word alone in Luong's.
        state : array, shape (1, units)

        Returns
        -------
        new_state : array, shape (1, units)
        """
        return self._gru_step("cell", inputs, state)


class BahdanauModel(RecurrentModel):
    r"""The model of Bahdanau, Cho, and Bengio (2015).

    .. math::
        s_0 = \tanh(W_s \overleftarrow{h}_1)

    Parameters
    ----------
    parameters : dict of str to array
        Those of a ``RecurrentModel``; ``first_state_kernel`` and ``first_state_bias``;
        ``w_query``, ``w_keys``, and ``v``.

    Attributes
    ----------
    w_query, w_keys, v : arrays, shapes (units, units), (dim, units), and (units,)
        :math:`W_a` and :math:`U_a`, both transposed, and :math:`v_a`.

    Notes
    -----
    The first state is that of appendix A.2.2. As in
    ``attnlib.decoders.BahdanauDecoder``, the GRU is Keras', and the next word is
    predicted by one linear map.
    """

    def __init__(self, parameters):
        super().__init__(parameters)
        self.w_query, self.w_keys, self.v = (
            self.parameters[name] for name in ("w_query", "w_keys", "v")
        )

    def _first_state(self, last_forward, first_backward):
        return np.tanh(
            first_backward @ self.parameters["first_state_kernel"]
            + self.parameters["first_state_bias"]
        )

    def take_step(self, bahdanau_step, state, word, annotations, mask):
        """One step of the decoder: new_state, logits, and weights (1, source_len)."""
        new_state, context, weights = bahdanau_step(
            *(state, word, annotations, mask),
            *(self.w_query, self.w_keys, self.v, self.gru),
        )
        return new_state, self.logits(new_state, context, word), weights

    def logits(self, state, context, word):
        r"""The logits of the next word, :math:`y_i`, from
        :math:`[s_i ; c_i ; y_{i-1}]` (eq. 4).

        Parameters
        ----------
        state : array, shape (1, units)
            The new state :math:`s_i`.
        context : array, shape (1, dim)
            :math:`c_i`.
        word : array, shape (1, embedding_dim)
            :math:`y_{i-1}`, embedded.

        Returns
        -------
        logits : array, shape (1, vocabulary)
            -inf for <pad> and <start>, which are no words.
        """
        return self._predict(np.concatenate([state, context, word], axis=-1))


class LuongModel(RecurrentModel):
    r"""The model of Luong, Pham, and Manning (2015) with global attention, the score
    "general", and no input feeding.

    .. math::
        h_0 = [\overrightarrow{h}_{T_x} ; \overleftarrow{h}_1]

    Parameters
    ----------
    parameters : dict of str to array
        Those of a ``RecurrentModel``; ``w_a`` and ``w_c``.

    Attributes
    ----------
    w_a : array, shape (units, dim)
        :math:`W_a` of the score "general".
    w_c : array, shape (dim + units, units)
        :math:`W_c` of eq. 5, transposed; its first rows belong to the context.

    Notes
    -----
    As in ``attnlib.decoders.LuongDecoder``, one GRU stands in place of the paper's four
    LSTM layers.
    """

    def __init__(self, parameters):
        super().__init__(parameters)
        self.w_a, self.w_c = (self.parameters[name] for name in ("w_a", "w_c"))

    def _first_state(self, last_forward, first_backward):
        return np.concatenate([last_forward, first_backward], axis=-1)

    def take_step(self, luong_step, state, word, source_states, mask):
        """One step of the decoder: new_state, logits, and weights (1, source_len)."""
        new_state, attentional, weights = luong_step(
            state, word, source_states, mask, self.w_a, self.w_c, self.gru
        )
        return new_state, self.logits(attentional), weights

    def logits(self, attentional):
        r"""The logits of the next word, :math:`y_t`, from :math:`\tilde h_t` (eq. 6).

        Parameters
        ----------
        attentional : array, shape (1, units)
            :math:`\tilde h_t`.

        Returns
        -------
        logits : array, shape (1, vocabulary)
            -inf for <pad> and <start>, which are no words.
        """
        return self._predict(attentional)


class LocalModel(LuongModel):
    r"""The same with local attention around a predicted center, local-p.

    Parameters
    ----------
    parameters : dict of str to array
        Those of a ``LuongModel``; ``w_p`` and ``v_p``.
    half_width : int
        :math:`D`, in positions.

    Attributes
    ----------
    w_p, v_p : arrays, shapes (units, units) and (units,)
        :math:`W_p`, transposed, and :math:`v_p` (eq. 9).
    half_width : int
    """

    def __init__(self, parameters, half_width):
        super().__init__(parameters)
        self.w_p, self.v_p = (self.parameters[name] for name in ("w_p", "v_p"))
        self.half_width = half_width

    def take_step(self, local_step, state, word, source_states, mask):
        """One step of the decoder: new_state, logits, and weights (1, source_len)."""
        new_state, attentional, weights, _ = local_step(
            *(state, word, source_states, mask, self.w_a, self.w_p, self.v_p),
            *(self.half_width, self.w_c, self.gru),
        )
        return new_state, self.logits(attentional), weights


def sigmoid(x):
    """1 / (1 + exp(-x)), in a form in which exp cannot overflow."""
    return (1 + np.tanh(x / 2)) / 2
