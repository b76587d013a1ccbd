"""The bug of chapter 10 that is in a Keras layer, in a module of its own so that the
others do not need TensorFlow.
"""

import warnings

import numpy as np

from attnlib.backend import keras
from attnlib.checking import sandbox
from attnlib.checking.exercise import exercise

# Token IDs to try a layer on, with 0 for padding, by the number of tokens that it has.
_EXAMPLES = {
    7: ("two words and one padded position", [[3, 5, 0]]),
    8: ("no padding", [[1, 6, 2, 4], [7, 5, 1, 3]]),
    9: (
        "padding behind, in front, and between; one word; no words",
        [[2, 1, 8, 0], [0, 0, 3, 1], [4, 0, 1, 5], [0, 6, 0, 0], [0, 0, 0, 0]],
    ),
    10: ("one position", [[4], [0]]),
    11: ("in a model, where the token IDs are symbolic", [[2, 0, 7, 10, 0, 0]]),
}
_IN_A_MODEL = 11

_NO_LAYER = (
    "Your class should be a Keras layer: class PositionalEmbedding(keras.layers.Layer)."
)
_WEIGHTS = (
    "After build, the layer should have two weights, the two embeddings. Leave "
    "__init__ and build as they are."
)
_MODEL = (
    "The layer works on arrays of token IDs, but not in a model, where they are "
    "symbolic. Use keras.ops and the methods of Keras layers, not NumPy."
)
_ALL_TRUE = "Your mask is True everywhere, so the next layer attends to padding."
_SUPPORTS_MASKING = (
    "supports_masking passes on the mask that a layer is given, and token IDs have "
    "none. This layer has to make the mask: write compute_mask."
)


def _embedding_cases(rng):
    """The arguments of the layer."""
    for tokens, (title, token_ids) in _EXAMPLES.items():
        yield f"{title}\n  token_ids = {token_ids}", (tokens, 6, 2)


def _embedded_and_attended(layer, vocabulary_size, max_length, units):
    """The layer's result, and the weights of an attention layer that follows, whose
    scores are all equal.
    """
    if not isinstance(layer, keras.layers.Layer):
        raise sandbox.CheckFailed(_NO_LAYER)
    token_ids = np.array(_EXAMPLES[vocabulary_size][1], "int32")
    with warnings.catch_warnings(action="ignore"):
        layer(token_ids)
        _set_weights(layer, (vocabulary_size, units), (max_length, units))
        result = layer(token_ids)
        if result.shape != (*token_ids.shape, units):
            return np.asarray(result), np.zeros(0)
        mask = getattr(result, "_keras_mask", None)
        if mask is None and layer.supports_masking:
            raise sandbox.CheckFailed(_SUPPORTS_MASKING)
        if mask is not None and np.all(mask) and not token_ids.all():
            raise sandbox.CheckFailed(_ALL_TRUE)
        if vocabulary_size == _IN_A_MODEL:
            return _results_in_a_model(layer, token_ids)
        return np.asarray(result), np.asarray(_weights_of_the_next(result))


def _weights_of_the_next(result):
    """(batch, length, length): equal for all words that the next layer may attend to,
    because its scores are all 0.
    """
    attention = keras.layers.MultiHeadAttention(1, 1, kernel_initializer="zeros")
    return attention(result, result, return_attention_scores=True)[1][:, 0]


def _set_weights(layer, *shapes):
    rng = np.random.default_rng(0)
    weights = {shape: rng.normal(size=shape).round(1) for shape in shapes}
    found = [tuple(weight.shape) for weight in layer.weights]
    if sorted(found) != sorted(shapes):
        raise sandbox.CheckFailed(_WEIGHTS)
    layer.set_weights([weights[shape] for shape in found])


def _results_in_a_model(layer, token_ids):
    inputs = keras.Input((None,), dtype="int32")
    try:
        result = layer(inputs)
        model = keras.Model(inputs, [result, _weights_of_the_next(result)])
        return tuple(np.asarray(part) for part in model(token_ids))
    except Exception as error:
        first = f"{type(error).__name__}: {error}".splitlines()[0]
        raise sandbox.CheckFailed(f"{_MODEL}\n  {first[:200]}") from None


@exercise(
    _embedding_cases,
    hints=[
        (
            "An `Embedding` with `mask_zero=True` attaches a mask to its result. What "
            "happens to it when another tensor is added? Look at `_keras_mask` before "
            "and after."
        ),
        (
            "A layer can say itself which mask its result has: "
            "`compute_mask(self, token_ids, mask=None)` returns it. The embedding of "
            "the tokens has such a method, too."
        ),
    ],
    returns=("result", "weights of the next layer"),
    extract=_embedded_and_attended,
    cleanup=keras.backend.clear_session,
)
class PositionalEmbedding(keras.layers.Layer):
    """Embeddings of tokens and of their positions, added, with the mask of the tokens.

    PositionalEmbedding(vocabulary_size, max_length, units). token_ids: (batch, length),
    0 is padding, wherever it stands. Returns (batch, length, units). The mask of the
    result, (batch, length), is True where the token is not 0, in a model as well.
    """

    def __init__(self, vocabulary_size, max_length, units):
        super().__init__()
        self.tokens = keras.layers.Embedding(vocabulary_size, units, mask_zero=True)
        self.positions = keras.layers.Embedding(max_length, units)

    def build(self, shape):
        self.tokens.build(shape)
        self.positions.build(shape)

    def call(self, token_ids):
        positions = keras.ops.arange(keras.ops.shape(token_ids)[1])
        return self.tokens(token_ids) + self.positions(positions)

    def compute_mask(self, token_ids, mask=None):
        return self.tokens.compute_mask(token_ids)


_Solution = PositionalEmbedding.reference_solution


def _starter():
    """In a function, because its source is found by its name."""

    class PositionalEmbedding(keras.layers.Layer):
        """Embeddings of tokens and of their positions, added."""

        def __init__(self, vocabulary_size, max_length, units):
            super().__init__()
            self.tokens = keras.layers.Embedding(vocabulary_size, units, mask_zero=True)
            self.positions = keras.layers.Embedding(max_length, units)

        def build(self, shape):
            self.tokens.build(shape)
            self.positions.build(shape)

        def call(self, token_ids):
            positions = keras.ops.arange(keras.ops.shape(token_ids)[1])
            return self.tokens(token_ids) + self.positions(positions)

    return PositionalEmbedding


PositionalEmbedding.starter_code(
    "The attention layer that follows gives weight to padding."
)(_starter())


def _with_mask(message, compute_mask):
    """Add a layer with another compute_mask, a function of (layer, token_ids)."""

    @PositionalEmbedding.known_mistake(message)
    class Wrong(_Solution):
        def compute_mask(self, token_ids, mask=None):
            return compute_mask(self, token_ids)


_with_mask(
    "Your mask is inverted: in Keras, True means that a position is a word.",
    lambda layer, token_ids: keras.ops.equal(token_ids, 0),
)
_with_mask(
    _ALL_TRUE,
    lambda layer, token_ids: keras.ops.ones_like(token_ids, "bool"),
)
_with_mask(
    "Your mask leaves out token 1 as well. Only 0 is padding.",
    lambda layer, token_ids: keras.ops.greater(token_ids, 1),
)


@PositionalEmbedding.known_mistake(
    "The results at padding are zeros now, but there is still no mask: a vector of "
    "zeros gets weight like any other."
)
class ZerosAtPadding(PositionalEmbedding.starter):
    def call(self, token_ids):
        real = keras.ops.cast(keras.ops.not_equal(token_ids, 0), "float32")
        return super().call(token_ids) * real[:, :, None]


@PositionalEmbedding.known_mistake(_SUPPORTS_MASKING)
class PassesNothingOn(PositionalEmbedding.starter):
    supports_masking = True


@PositionalEmbedding.known_mistake(
    "The positions are gone: every word has the same vector wherever it stands."
)
class WithoutPositions(_Solution):
    def call(self, token_ids):
        return self.tokens(token_ids)
