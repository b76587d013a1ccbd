r"""The parts of a translator, which the reader's functions may replace.

Parts that call others are made of them: ``bahdanau_step_of(additive_scores, attend)``
is the step that calls these two.
"""

import numpy as np

from attnlib.numpy_translators._models import sigmoid


def translate_sentence(model, source, max_length, step, greedy_decode):
    """Translate one sentence: encode it, and decode it greedily, step by step.

    Parameters
    ----------
    model : BahdanauModel, LuongModel, or LocalModel
    source : list of int
        The tokens of the sentence.
    max_length : int
        The largest number of tokens of the translation.
    step : function
        ``bahdanau_step``, ``luong_step``, or ``local_step``, as the model has it.
    greedy_decode : function

    Returns
    -------
    tokens : list of int
        Those of the translation, without the end.
    weights : array, shape (steps, source_len)
        One row per step. Where the end was chosen, its step has the last row.
    """
    annotations, state = model.encode(source)
    mask = np.ones((1, len(source)), bool)  # every position is a word
    rows = []

    def next_word(token, state):
        word = model.embed(token)  # (1, embedding_dim)
        state, logits, weights = model.take_step(step, state, word, annotations, mask)
        rows.append(weights[0])
        return logits[0], state

    tokens = greedy_decode(next_word, state, model.start, model.end, max_length)
    return tokens, np.reshape(rows, (-1, len(source)))


def greedy_decode(step, state, start, end, max_length):
    """The most probable token at each step, until the end or `max_length` tokens.

    Parameters
    ----------
    step : function (token, state) -> (logits, new_state)
        With logits of shape (vocabulary,).
    state : the initial state
    start, end : int
        The tokens before the first word and after the last.
    max_length : int

    Returns
    -------
    tokens : list of int
        Without `end`.
    """
    tokens, token = [], start
    for _ in range(max_length):
        logits, state = step(token, state)
        token = int(np.argmax(logits))
        if token == end:
            break
        tokens.append(token)
    return tokens


def bahdanau_step_of(additive_scores, attend):
    r"""The step :math:`s_{i-1} \to \alpha_i \to c_i \to s_i` of Bahdanau's decoder
    (appendix A.2.2), made of these two functions.
    """

    def bahdanau_step(state, word, annotations, mask, w_query, w_keys, v, gru):
        query = state[:, None, :]  # (1, 1, units): the previous state
        scores = additive_scores(query, annotations, w_query, w_keys, v)  # A.1.2
        context, weights = attend(scores, annotations, mask)  # eq. 5 and 6
        context, weights = context[:, 0], weights[:, 0]  # (1, dim), (1, source_len)
        new_state = gru(np.concatenate([word, context], axis=-1), state)
        return new_state, context, weights

    return bahdanau_step


def luong_step_of(general_scores, attend):
    r"""The step :math:`h_t \to a_t \to c_t \to \tilde h_t` of Luong's decoder (section
    3), made of these two functions.
    """

    def luong_step(state, word, source_states, mask, w_a, w_c, gru):
        new_state = gru(word, state)  # (1, units)
        query = new_state[:, None, :]  # (1, 1, units): the current state
        scores = general_scores(query, source_states, w_a)
        context, weights = attend(scores, source_states, mask)
        joined = np.concatenate([context[:, 0], new_state], axis=-1)
        attentional = np.tanh(joined @ w_c)  # eq. 5
        return new_state, attentional, weights[:, 0]

    return luong_step


def local_step_of(predicted_center, general_scores, local_attend):
    r"""The step :math:`h_t \to p_t \to a_t \to c_t \to \tilde h_t` of Luong's decoder
    with local-p, made of these three functions.
    """

    def local_step(
        state, word, source_states, mask, w_a, w_p, v_p, half_width, w_c, gru
    ):
        new_state = gru(word, state)  # (1, units)
        query = new_state[:, None, :]  # (1, 1, units): the current state
        centers = predicted_center(query, w_p, v_p, mask)  # (1, 1)
        scores = general_scores(query, source_states, w_a)
        context, weights = local_attend(
            scores, source_states, centers, half_width, mask
        )
        joined = np.concatenate([context[:, 0], new_state], axis=-1)
        attentional = np.tanh(joined @ w_c)  # eq. 5
        return new_state, attentional, weights[:, 0], centers[:, 0]

    return local_step


def attend_of(softmax):
    """Weights and context, made of this softmax. Nothing is masked."""

    def attend(scores, values, mask=None):
        weights = softmax(scores)  # (1, 1, source_len)
        return weights @ values, weights

    return attend


def predicted_center(query, w_p, v_p, mask):
    r"""The centers :math:`p_t = S \operatorname{sigmoid}(v_p^\top \tanh(W_p h_t))`, of
    shape (1, 1) (eq. 9). Nothing is masked, so S is the number of positions.
    """
    return mask.shape[1] * sigmoid(np.tanh(query @ w_p) @ v_p)


def local_attend_of(softmax):
    r"""Local attention (eq. 10) with this softmax, which gets the scores of the window
    alone. Nothing is masked.
    """

    def local_attend(scores, values, centers, half_width, mask):
        positions = np.arange(scores.shape[-1])
        center = centers[0, 0]  # of one sentence and one query
        inside = abs(positions - np.floor(center)) <= half_width  # (source_len,)
        weights = np.zeros(scores.shape)
        if inside.any():
            weights[..., inside] = softmax(scores[..., inside])
        sigma = half_width / 2
        weights = weights * np.exp(-((positions - center) ** 2) / (2 * sigma**2))
        return weights @ values, weights

    return local_attend
