r"""Translators in NumPy alone, with trained weights: small enough for a web page, and
made of parts that your own functions can replace.

::

    translator = Translator.load("dates")
    tokens, weights = translator("Tuesday, March 5, 2024")

One sentence is translated at a time, so the batch axis always has length 1, and there
is no padding. The code is the plain form of ``Seq2Seq(attention="additive")`` with one
loop over the source and one over the target; a test holds that both give the same
tokens and weights.

The parts stand on one another. ``translate_sentence`` calls ``greedy_decode``, which
calls ``bahdanau_step`` once per output token, which calls ``additive_scores`` and
``attend``, which calls ``softmax``.
"""

import json
import unicodedata
from pathlib import Path

import numpy as np

from attnlib import reference as ref
from attnlib.arguments import array_of_shape, integer, one_of

WEIGHTS = Path(__file__).parent / "weights"
NAMES = {"dates": "dates-additive", "dates-additive": "dates-additive"}
PARTS = (
    "translate_sentence",
    "greedy_decode",
    "bahdanau_step",
    "additive_scores",
    "attend",
    "softmax",
)
MAX_LENGTH = 200  # tokens of a source


class BahdanauModel:
    r"""The trained parameters of a Bahdanau translator, and all that it computes
    outside of its attention.

    Parameters
    ----------
    parameters : dict of str to array
        ``source_embedding`` and ``target_embedding``, (vocabulary, embedding_dim);
        of each GRU, which are ``forward``, ``backward``, and ``cell``, its
        ``_kernel``, (input_dim, 3 units), its ``_recurrent_kernel``, (units, 3 units),
        and its ``_bias``, (2, 3 units); ``first_state_kernel`` and
        ``first_state_bias``; ``w_query``, ``w_keys``, and ``v``; ``output_kernel`` and
        ``output_bias``.

    Attributes
    ----------
    w_query, w_keys, v : arrays, shapes (units, units), (dim, units), and (units,)
        :math:`W_a` and :math:`U_a`, both transposed, and :math:`v_a`.
    start, end : int
        The tokens before the first word and after the last.

    Notes
    -----
    Bahdanau, Cho, and Bengio (2015). As in ``attnlib.decoders.BahdanauDecoder``, the
    GRU is Keras', and the next word is predicted by one linear map.
    """

    start, end = 1, 2

    def __init__(self, parameters):
        self.parameters = {
            name: np.asarray(array, np.float64) for name, array in parameters.items()
        }
        self.w_query, self.w_keys, self.v = (
            self.parameters[name] for name in ("w_query", "w_keys", "v")
        )

    def encode(self, source):
        r"""Read a sentence in both directions.

        .. math::
            h_j = [\overrightarrow{h}_j ; \overleftarrow{h}_j] \qquad
            s_0 = \tanh(W_s \overleftarrow{h}_1)

        Parameters
        ----------
        source : list of int, length source_len
            The tokens of the sentence.

        Returns
        -------
        annotations : array, shape (1, source_len, dim)
            :math:`h_1, \dots, h_{T_x}` (appendix A.2.1).
        state : array, shape (1, units)
            :math:`s_0` (appendix A.2.2).
        """
        words = self.parameters["source_embedding"][source]
        forward = self._read("forward", words)  # (source_len, dim / 2)
        backward = self._read("backward", words[::-1])[::-1]
        annotations = np.concatenate([forward, backward], axis=-1)[None]
        state = np.tanh(
            backward[:1] @ self.parameters["first_state_kernel"]
            + self.parameters["first_state_bias"]
        )
        return annotations, state

    def _read(self, name, words):
        """The state after each word, (source_len, units)."""
        state = np.zeros((1, len(self.parameters[f"{name}_recurrent_kernel"])))
        states = []
        for j in range(len(words)):
            state = self._gru_step(name, words[j : j + 1], state)
            states.append(state[0])
        return np.stack(states)

    def embed(self, token):
        """The vector of an output token, shape (1, embedding_dim)."""
        return self.parameters["target_embedding"][[token]]

    def gru(self, inputs, state):
        """One step of the decoder's GRU.

        Parameters
        ----------
        inputs : array, shape (1, embedding_dim + dim)
            [word ; context].
        state : array, shape (1, units)

        Returns
        -------
        new_state : array, shape (1, units)
        """
        return self._gru_step("cell", inputs, state)

    def _gru_step(self, name, x, s):
        r"""Keras' GRU, with ``reset_after=True``.

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
        x_z, x_r, x_n = np.split(x @ kernel + bias[0], 3, axis=-1)  # (1, units) each
        s_z, s_r, s_n = np.split(s @ recurrent_kernel + bias[1], 3, axis=-1)
        z = sigmoid(x_z + s_z)
        r = sigmoid(x_r + s_r)
        n = np.tanh(x_n + r * s_n)
        return z * s + (1 - z) * n

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
        features = np.concatenate([state, context, word], axis=-1)
        logits = features @ self.parameters["output_kernel"]
        logits = logits + self.parameters["output_bias"]
        logits[:, : self.end] = -np.inf
        return logits


def sigmoid(x):
    """1 / (1 + exp(-x)), in a form in which exp cannot overflow."""
    return (1 + np.tanh(x / 2)) / 2


def translate_sentence(model, source, max_length, bahdanau_step, greedy_decode):
    """Translate one sentence: encode it, and decode it greedily, step by step.

    Parameters
    ----------
    model : BahdanauModel
    source : list of int
        The tokens of the sentence.
    max_length : int
        The largest number of tokens of the translation.
    bahdanau_step, greedy_decode : functions
        As in the exercises of chapters 3 and 2.

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

    def step(token, state):
        word = model.embed(token)  # (1, embedding_dim)
        state, context, weights = bahdanau_step(
            *(state, word, annotations, mask),
            *(model.w_query, model.w_keys, model.v, model.gru),
        )
        rows.append(weights[0])
        return model.logits(state, context, word)[0], state

    tokens = greedy_decode(step, state, model.start, model.end, max_length)
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
    r"""The decoder's step :math:`s_{i-1} \to \alpha_i \to c_i \to s_i` (appendix
    A.2.2), made of these two functions.
    """

    def bahdanau_step(state, word, annotations, mask, w_query, w_keys, v, gru):
        query = state[:, None, :]  # (1, 1, units): the previous state
        scores = additive_scores(query, annotations, w_query, w_keys, v)  # A.1.2
        context, weights = attend(scores, annotations, mask)  # eq. 5 and 6
        context, weights = context[:, 0], weights[:, 0]  # (1, dim), (1, source_len)
        new_state = gru(np.concatenate([word, context], axis=-1), state)
        return new_state, context, weights

    return bahdanau_step


def attend_of(softmax):
    """Weights and context (eq. 5 and 6), made of this softmax. Nothing is masked."""

    def attend(scores, values, mask=None):
        weights = softmax(scores)  # (1, 1, source_len)
        return weights @ values, weights

    return attend


class Translator:
    r"""A trained translator, of which every part may be yours.

    ``Translator.load(name, **parts)`` makes one, and ``translator(tokens)`` translates.

    Attributes
    ----------
    name : str
        Such as "dates-additive".
    model : BahdanauModel
    source_tokens, target_tokens : list of str
        The vocabularies. The first three are <pad>, <start>, and <end>.
    provenance : dict
        How the weights were made: data, versions, date, and what they reach.
    yours : tuple of str
        The parts that were given, from the outermost to the innermost.
    """

    def __init__(self, name, model, description, parts):
        self.name, self.model = name, model
        self.source_tokens = description["source_vocabulary"]
        self.target_tokens = description["target_vocabulary"]
        self.provenance = description["provenance"]
        self.yours = tuple(part for part in PARTS if part in parts)
        own = {part: _checked(part, parts[part]) for part in CHECKS if part in parts}
        softmax = own.get("softmax", ref.softmax)
        scores = own.get("additive_scores", ref.additive_scores)
        attend = own.get("attend", attend_of(softmax))
        step = own.get("bahdanau_step", bahdanau_step_of(scores, attend))
        decode = own.get("greedy_decode", greedy_decode)
        whole = parts.get("translate_sentence", translate_sentence)
        self._translate = lambda *arguments: whole(*arguments, step, decode)

    @classmethod
    def load(cls, name="dates", **parts):
        """A translator with the weights that attnlib brings.

        Parameters
        ----------
        name : str, optional
            "dates-additive", or "dates" for short: from a date in English, French,
            German, or Spanish to an ISO date, character by character, with Bahdanau's
            additive attention.
        **parts : functions
            Your own ``softmax``, ``additive_scores``, ``attend``, ``bahdanau_step``,
            ``greedy_decode``, and ``translate_sentence``, which take and return what
            the exercises of these names say. A part that is not given is ours. A part
            is called by our code alone: your ``attend``, for example, calls whatever
            softmax it names, and the ``softmax`` given here then has nothing to do.

        Returns
        -------
        Translator

        Raises
        ------
        ValueError
            If there is no model or no part of such a name.
        TypeError
            If a part is not a function.
        FileNotFoundError
            If the weights are not where attnlib is.
        """
        name = NAMES[one_of("name", name, tuple(NAMES))]
        for part, function in parts.items():
            one_of("part", part, PARTS)
            if not callable(function):
                raise TypeError(
                    f"{part} should be a function, got {function!r:.60}: give its name"
                    f" alone, as in Translator.load('dates', {part}={part})"
                )
        parameters, description = _read(name)
        return cls(name, BahdanauModel(parameters), description, parts)

    def __call__(self, tokens):
        r"""Translate one sentence.

        Parameters
        ----------
        tokens : list of str, or str
            The tokens of the sentence. Where tokens are characters, as in dates, a text
            does as well: "March 5, 2024".

        Returns
        -------
        tokens : list of str
            Those of the translation.
        weights : array, shape (steps, source_len)
            Row i holds the weights :math:`\alpha_{ij}` of the step that wrote token i.
            Where the end was written, the last row is that of its step, so there is one
            row more than tokens.

        Raises
        ------
        TypeError
            If `tokens` is neither a text nor a list of str, or one of your functions
            returns something else than it should.
        ValueError
            If there are no tokens, too many, or some that the model does not know; the
            message lists those that it knows.
        """
        source = [self.source_tokens.index(token) for token in self._known(tokens)]
        result = self._translate(self.model, source, 2 * len(source) + 10)
        outermost = self.yours[0] if self.yours else "translate_sentence"
        numbers, weights = _pair(outermost, result)
        numbers = _tokens(outermost, numbers, len(self.target_tokens))
        weights = _array(outermost, "weights", weights, "steps", len(source))
        return [self.target_tokens[number] for number in numbers], weights

    def _known(self, tokens):
        """The tokens as a list, if they are what this model can read."""
        is_list = isinstance(tokens, (list, tuple))
        if not isinstance(tokens, str) and not (
            is_list and all(isinstance(token, str) for token in tokens)
        ):
            raise TypeError(
                "tokens should be a text or a list of characters, such as 'May 1, 2024'"
                f" or list('May 1, 2024'), got {tokens!r:.60}"
            )
        tokens = list(tokens)
        if not "".join(tokens).strip():
            raise ValueError(
                "tokens should hold a date such as 'May 1, 2024', got nothing to"
                " translate"
            )
        if len(tokens) > MAX_LENGTH:
            raise ValueError(
                f"tokens should be at most {MAX_LENGTH} characters, got {len(tokens)}"
            )
        known = self.source_tokens[3:]
        unknown = [token for token in dict.fromkeys(tokens) if token not in known]
        if unknown:
            raise ValueError(
                f"tokens should hold characters that this model knows, got"
                f" {', '.join(map(_named, unknown[:5]))}"
                f"{' and others' if unknown[5:] else ''}. It knows the space and"
                f" {''.join(known).replace(' ', '')}"
            )
        return tokens

    def __repr__(self):
        if not self.yours:
            return f"Translator {self.name!r}: every part is ours"
        return f"Translator {self.name!r} with your {', '.join(self.yours)}"


def _read(name):
    """The parameters of a model, and its description."""
    try:
        with np.load(WEIGHTS / f"{name}.npz") as arrays:
            parameters = dict(arrays)
        text = (WEIGHTS / f"{name}.json").read_text(encoding="utf-8")
    except FileNotFoundError:
        raise FileNotFoundError(
            f"the weights of {name!r} are not beside attnlib: in a page, the cell that"
            " loads them has to be one of the page's own"
        ) from None
    return parameters, json.loads(text)


def _named(token):
    """A token as a message shows it; beyond ASCII, a character with its name, because
    some look alike.
    """
    if len(token) != 1:
        return f"{token!r:.30}, which is no single character"
    name = unicodedata.name(token, "")
    return f"{token!r} ({name})" if name and not token.isascii() else repr(token)


# What the reader's functions return


def _checked(part, function):
    """The reader's function, with a look at what it returns."""

    def checked(*arguments):
        result = function(*arguments)
        if result is None:
            raise TypeError(
                f"your {part} returned None: is it written, and does it end in a"
                " return?"
            )
        return CHECKS[part](result, *arguments)

    return checked


def _check_softmax(weights, scores):
    return _array("softmax", "weights", weights, *scores.shape)


def _check_scores(scores, query, keys, *_):
    shape = query.shape[:2] + keys.shape[1:2]
    return _array("additive_scores", "scores", scores, *shape)


def _check_attend(result, scores, values, *_):
    context, weights = _pair("attend", result)
    shape = *scores.shape[:2], values.shape[2]
    return (
        _array("attend", "context", context, *shape),
        _array("attend", "weights", weights, *scores.shape),
    )


def _check_step(result, state, word, annotations, *_):
    parts = _pair("bahdanau_step", result, 3)
    batch, source_len, dim = annotations.shape
    shapes = state.shape, (batch, dim), (batch, source_len)
    names = "new_state", "context", "weights"
    return tuple(
        _array("bahdanau_step", name, value, *shape)
        for name, value, shape in zip(names, parts, shapes, strict=True)
    )


def _check_decode(tokens, *_):
    return _tokens("greedy_decode", tokens)


CHECKS = {
    "softmax": _check_softmax,
    "additive_scores": _check_scores,
    "attend": _check_attend,
    "bahdanau_step": _check_step,
    "greedy_decode": _check_decode,
}


def _pair(part, result, count=2):
    if not isinstance(result, (tuple, list)) or len(result) != count:
        kind = "None" if result is None else f"a {type(result).__name__}"
        raise TypeError(f"your {part} should return {count} values, got {kind}")
    return result


def _array(part, name, value, *shape):
    """What a part returned, as finite floats of this shape."""
    array = array_of_shape(f"{name} of your {part}", value, *shape)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} of your {part} should be finite, got NaN or inf")
    return array


def _tokens(part, tokens, vocabulary=None):
    """Tokens as ints, each of them a number of the vocabulary."""
    if not isinstance(tokens, (list, tuple, np.ndarray)):
        raise TypeError(f"your {part} should return a list of ints, got {tokens!r:.60}")
    most = None if vocabulary is None else vocabulary - 1
    return [integer(f"a token of your {part}", token, 0, most) for token in tokens]
