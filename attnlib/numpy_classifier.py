r"""A classifier of short reviews in NumPy alone, with trained weights: small enough for
a web page, and made of parts that your own functions can replace.

::

    text = "The food was good, the waiter was not."
    classifier = Classifier.load("reviews")
    probability, words, weights = classifier(text)
    relevance = classifier.gradient_times_input(text)

It is the model of chapter 4: an embedding, a bidirectional GRU, attention pooling, and
one linear map to the logit of "positive". One sentence is read at a time, so there is
no padding. A test holds that the Keras model with the same weights gives the same
numbers.

The parts stand on one another. ``classify_sentence`` calls ``attention_pooling``, which
calls ``softmax``. So functions that pass chapter 4's exercises fit in as they are::

    mine = Classifier.load("reviews", attention_pooling=attention_pooling)
    deletion_test(mine.logit, words, weights)

The model was trained on reviews of products, films, and restaurants, and knows the
words that occur in them at least twice, which are listed in ``classifier.vocabulary``.
It reads every other word as <unk>; ``classifier.knows(word)`` tells which.
``attnlib.interactive.own_words`` draws words, weights, and gradients, and in a page of
the book it lets readers enter a sentence of their own.
"""

import numpy as np

from attnlib import reference as ref
from attnlib.arguments import numbers_between, one_of, token_list
from attnlib.numpy_translators import read_weights
from attnlib.numpy_translators._checks import (
    array_of,
    check_parts,
    checked,
    values_of,
)
from attnlib.numpy_translators._models import BidirectionalReader, sigmoid
from attnlib.tokenization import tokens

NAMES = ("reviews",)
PARTS = ("classify_sentence", "attention_pooling", "softmax")
MAX_LENGTH = 100  # words of a sentence
UNKNOWN = 1  # <pad> is 0, and the words come after <unk>
STEP = 1e-3  # by which an embedding is scaled up and down
EXAMPLE = "The food was great."


class PoolingModel(BidirectionalReader):
    r"""The trained parameters of a classifier with attention pooling, and all that it
    computes outside of its attention.

    Parameters
    ----------
    parameters : dict of str to array
        ``embedding``, (vocabulary, embedding_dim); of each GRU, which are ``forward``
        and ``backward``, its ``_kernel``, (embedding_dim, 3 units), its
        ``_recurrent_kernel``, (units, 3 units), and its ``_bias``, (2, 3 units); ``w``,
        ``b``, and ``v``; ``output_kernel``, (2 units, 1), and ``output_bias``, (1,).

    Attributes
    ----------
    w, b, v : arrays, shapes (2 units, size), (size,), and (size,)
        Of the score :math:`v^\top \tanh(W h_s + b)`, with :math:`W` transposed.

    Notes
    -----
    The pooling is that of Yang et al. (2016), eq. 5 to 7. As in
    ``attnlib.layers.AttentionPooling``, :math:`v` is their :math:`u_w`.
    """

    def __init__(self, parameters):
        super().__init__(parameters)
        self.w, self.b, self.v = (self.parameters[name] for name in ("w", "b", "v"))

    def embed(self, numbers):
        """The vectors of words, shape (1, source_len, embedding_dim).

        Parameters
        ----------
        numbers : list of int, length source_len
            The words' places in the vocabulary.
        """
        return self.parameters["embedding"][np.array(numbers, int)][None]

    def logit(self, context):
        """The logit of "positive", (batch,), from the context (batch, 2 units)."""
        kernel = self.parameters["output_kernel"][:, 0]
        return context @ kernel + self.parameters["output_bias"]


def classify_sentence(model, numbers, attention_pooling):
    """Classify one sentence: read it, pool its states into one vector, and map that to
    a probability.

    Parameters
    ----------
    model : PoolingModel
    numbers : list of int, length source_len
        The words' places in the vocabulary.
    attention_pooling : function (values, w, b, v) -> (context, weights)
        As in the exercise of chapter 4.

    Returns
    -------
    probability : float
        Of "positive".
    weights : array, shape (source_len,)
    """
    states = model.read(model.embed(numbers))  # (1, source_len, 2 units)
    context, weights = attention_pooling(states, model.w, model.b, model.v)
    return float(sigmoid(model.logit(context))[0]), weights[0]


def attention_pooling_of(softmax):
    """Attention pooling made of this softmax. Nothing is masked."""

    def attention_pooling(values, w, b, v, mask=None):
        weights = softmax(ref.pooling_scores(values, w, b, v))  # (batch, source_len)
        return np.einsum("bs,bsd->bd", weights, values), weights

    return attention_pooling


class Classifier:
    r"""A trained classifier of short reviews, of which every part may be yours.

    ``Classifier.load(name, **parts)`` makes one, and ``classifier(text)`` classifies.

    Attributes
    ----------
    name : str
        "reviews".
    model : PoolingModel
    vocabulary : list of str
        The words that the model knows, after <pad> and <unk>.
    provenance : dict
        How the weights were made: data and its license, versions, date, and what they
        reach.
    yours : tuple of str
        The parts that were given, from the outermost to the innermost.
    """

    def __init__(self, name, model, description, parts):
        self.name, self.model = name, model
        self.vocabulary = description["vocabulary"]
        self.provenance = description["provenance"]
        self.yours = tuple(part for part in PARTS if part in parts)
        self._numbers = {word: i for i, word in enumerate(self.vocabulary)}
        own = {
            part: checked(part, function)
            for part, function in parts.items()
            if part != "classify_sentence"
        }
        softmax = own.get("softmax", ref.softmax)
        self._pool = own.get("attention_pooling", attention_pooling_of(softmax))
        self._classify = parts.get("classify_sentence", classify_sentence)

    @classmethod
    def load(cls, name="reviews", **parts):
        """A classifier with the weights that attnlib brings.

        Parameters
        ----------
        name : str, optional
            "reviews": whether a sentence of a review praises or complains.
        **parts : functions
            Your own ``softmax``, ``attention_pooling``, and ``classify_sentence``. The
            first two take and return what the exercises of these names say. A part that
            is not given is ours. A part is called by our code alone: your
            ``attention_pooling``, for example, calls whatever softmax it names, and the
            ``softmax`` given here then has nothing to do.

        Returns
        -------
        Classifier

        Raises
        ------
        ValueError
            If there is no model or no part of such a name.
        TypeError
            If a part is not a function.
        FileNotFoundError
            If the weights are not where attnlib is.
        """
        one_of("name", name, NAMES)
        check_parts(parts, name, PARTS, "Classifier.load('reviews', ...)")
        parameters, description = read_weights(name)
        return cls(name, PoolingModel(parameters), description, parts)

    def __call__(self, text):
        r"""Classify one sentence.

        Parameters
        ----------
        text : str
            A sentence in English, of 1 to 100 words and punctuation marks.

        Returns
        -------
        probability : float
            Of "positive"; from 0.5 on, the model takes the sentence for praise.
        words : list of str
            The words of the sentence in lower case, and its punctuation marks, as
            ``attnlib.tokenization.tokens`` finds them. Those that the model does not
            know are here, too, although it reads each of them as <unk>.
        weights : array, shape (words,)
            The attention weights :math:`\alpha_s`.

        Raises
        ------
        TypeError
            If `text` is not a str, or one of your functions returns something else than
            it should.
        ValueError
            If there is no letter in the text, or it is too long.
        """
        words = self._words(text)
        result = self._classify(self.model, self._places(words), self._pool)
        outermost = self.yours[0] if self.yours else "classify_sentence"
        probability, weights = values_of(outermost, result)
        name = f"probability of your {outermost}"
        probability = float(numbers_between(name, probability, (), 0, 1))
        weights = array_of(outermost, "weights", weights, len(words))
        return probability, words, weights

    def gradient_times_input(self, text):
        r"""What each word contributes to the logit, by the gradient.

        .. math::
            g_s = \frac{\partial z}{\partial x_s} \cdot x_s
            = \left.\frac{d}{dt}\, z(\dots, t \, x_s, \dots)\right|_{t = 1}

        with the word's embedding :math:`x_s` and the logit :math:`z` of "positive". The
        right side is how it is computed: by scaling the embedding of one word at a time
        up and down by a thousandth, all words in one batch.

        Parameters
        ----------
        text : str

        Returns
        -------
        relevance : array, shape (words,)
            Above 0 where scaling the word up raises the logit, so that it speaks for
            "positive", and below 0 where it speaks against.

        Raises
        ------
        TypeError, ValueError
            As a call of the classifier does.
        """
        numbers = self._places(self._words(text))
        steps = STEP * np.eye(len(numbers))[:, :, None]
        scales = np.concatenate([1 + steps, 1 - steps])  # (2 words, words, 1)
        logits = self._logits(scales * self.model.embed(numbers))  # (2 words,)
        above, below = np.split(logits, 2)
        return (above - below) / (2 * STEP)

    def logit(self, words):
        r"""The logit of "positive", as ``deletion_test`` of chapter 4 needs it.

        Parameters
        ----------
        words : list of str
            As a call of the classifier returns them. Without any, the context is zero.

        Returns
        -------
        logit : float

        Raises
        ------
        TypeError
            If `words` is not a list of str.
        """
        if len(words) == 0:
            return float(self.model.parameters["output_bias"][0])
        numbers = self._places(token_list("words", words))
        return float(self._logits(self.model.embed(numbers))[0])

    def knows(self, word):
        """Whether the model knows a word, or reads it as <unk>."""
        return self._numbers.get(word, UNKNOWN) > UNKNOWN

    def _logits(self, embedded):
        states = self.model.read(embedded)
        context, _ = self._pool(states, self.model.w, self.model.b, self.model.v)
        return self.model.logit(context)

    def _places(self, words):
        known = [self._numbers.get(word, UNKNOWN) for word in words]
        return [max(number, UNKNOWN) for number in known]

    def _words(self, text):
        """The words of a text, if it is what this model can read."""
        if not isinstance(text, str):
            raise TypeError(
                f"text should be a str such as {EXAMPLE!r}, got {text!r:.60}"
            )
        words = tokens(text)
        if not any(letter.isalpha() for word in words for letter in word):
            raise ValueError(
                f"text should hold a word, as in {EXAMPLE!r}, got {text!r:.60}"
            )
        if len(words) > MAX_LENGTH:
            raise ValueError(
                f"text should have at most {MAX_LENGTH} words and punctuation marks,"
                f" got {len(words)}"
            )
        return words

    def __repr__(self):
        if not self.yours:
            return f"Classifier {self.name!r}: every part is ours"
        return f"Classifier {self.name!r} with your {', '.join(self.yours)}"
