"""The exercise of chapter 04 that is a Keras layer, in a module of its own so that the
others do not need TensorFlow.
"""

import numpy as np

from attnlib.backend import keras
from attnlib.checking import sandbox
from attnlib.checking.exercise import exercise

ops = keras.ops


def _layer_cases(rng):
    yield "units = 4", (4,)
    yield "units = 1", (1,)


def _extract_results(layer, units):
    """The layer's results for a padded batch, with and without its mask, after its
    weights are set to known ones.
    """
    rng = np.random.default_rng(units)
    values = rng.normal(size=(2, 5, 3)).astype("float32")
    mask = np.arange(5) < np.array([[5], [2]])
    if not isinstance(layer, keras.layers.Layer):
        raise sandbox.CheckFailed(
            "Your class should be a Keras layer: "
            "class AttentionLayer(keras.layers.Layer)."
        )
    layer(values, mask=mask)  # builds the weights
    _set_weights(layer, units, rng)
    results = [layer(values, mask=mask), layer(values)]
    if not all(map(_is_pair, results)):
        raise sandbox.CheckFailed("call should return two values, context and weights.")
    masks = layer.compute_mask(values, mask)
    if not _is_pair(masks) or any(each is not None for each in masks):
        raise sandbox.CheckFailed(
            "compute_mask should return None, None: "
            "the context has no words left to mask."
        )
    return tuple(np.asarray(part) for result in results for part in result)


def _set_weights(layer, units, rng):
    for name, shape in {"w": (3, units), "b": (units,), "v": (units,)}.items():
        weight = getattr(layer, name, None)
        if weight is None or tuple(weight.shape) != shape:
            got = "none" if weight is None else tuple(weight.shape)
            raise sandbox.CheckFailed(
                f"self.{name} should be a weight of shape {shape}, got {got}."
            )
        weight.assign(rng.normal(size=shape))
    if len(layer.trainable_variables) != 3:
        raise sandbox.CheckFailed(
            "Create w, b, and v with self.add_weight, and no others. "
            "Otherwise Keras does not train them."
        )


def _is_pair(value):
    return isinstance(value, (tuple, list)) and len(value) == 2


@exercise(
    _layer_cases,
    hints=[
        (
            "Write three methods: `build(self, shape)` creates w, b, and v with "
            "`self.add_weight(shape=..., name=...)`, `call(self, values, mask=None)` "
            "uses them, and `compute_mask` returns None, None."
        ),
        (
            "The scores are `ops.tensordot(ops.tanh(ops.matmul(values, "
            "self.w) + self.b), self.v, axes=1)`. Where the mask is False, "
            "replace them by -1e9 with `ops.where` before `ops.softmax`. "
            "`ops.einsum('bs,bsd->bd', weights, values)` is the context."
        ),
    ],
    returns=("context", "weights", "context without a mask", "weights without a mask"),
    extract=_extract_results,
    # after a layer is stopped in its call, Keras believes that it is still in it
    cleanup=keras.backend.clear_session,
)
class AttentionLayer(keras.layers.Layer):
    """One vector per sentence: sum_s alpha_s h_s, alpha = softmax(v . tanh(h_s w + b)).

    call(values, mask=None): values (batch, source_len, dim), mask (batch, source_len).
    Returns context (batch, dim) and weights (batch, source_len).
    """

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.supports_masking = True

    def build(self, shape):
        self.w = self.add_weight(shape=(shape[-1], self.units), name="w")
        self.b = self.add_weight(shape=(self.units,), initializer="zeros", name="b")
        self.v = self.add_weight(shape=(self.units,), name="v")

    def call(self, values, mask=None):
        hidden = keras.ops.tanh(keras.ops.matmul(values, self.w) + self.b)
        scores = keras.ops.tensordot(hidden, self.v, axes=1)  # (batch, source_len)
        if mask is not None:
            scores = keras.ops.where(mask, scores, -1e9)
        weights = keras.ops.softmax(scores)
        return keras.ops.einsum("bs,bsd->bd", weights, values), weights

    def compute_mask(self, values, mask=None):
        return None, None


_Solution = AttentionLayer.reference_solution


@AttentionLayer.known_mistake("Your layer ignores the mask: padding gets weight.")
class MaskIgnored(_Solution):
    def call(self, values, mask=None):
        return super().call(values)


@AttentionLayer.known_mistake(
    "You multiply the weights by the mask after the softmax, "
    "so they no longer sum to one. Mask before it."
)
class MaskAfterwards(_Solution):
    def call(self, values, mask=None):
        _, weights = super().call(values)
        weights = weights if mask is None else weights * ops.cast(mask, "float32")
        return ops.einsum("bs,bsd->bd", weights, values), weights


@AttentionLayer.known_mistake(
    "Your weights sum to one over the batch. "
    "They should sum to one over the words, so take the softmax over the last axis."
)
class SoftmaxOverBatch(_Solution):
    def call(self, values, mask=None):
        hidden = ops.tanh(ops.matmul(values, self.w) + self.b)
        scores = ops.tensordot(hidden, self.v, axes=1)
        scores = scores if mask is None else ops.where(mask, scores, -1e9)
        weights = ops.softmax(scores, axis=0)
        return ops.einsum("bs,bsd->bd", weights, values), weights


@AttentionLayer.known_mistake(
    "tanh is missing. "
    "Without it, b adds the same number to every score and has no effect."
)
class WithoutTanh(_Solution):
    def call(self, values, mask=None):
        scores = ops.tensordot(ops.matmul(values, self.w) + self.b, self.v, axes=1)
        scores = scores if mask is None else ops.where(mask, scores, -1e9)
        weights = ops.softmax(scores)
        return ops.einsum("bs,bsd->bd", weights, values), weights


@AttentionLayer.known_mistake(
    "You return the two in the wrong order. Return the context first, then the weights."
)
class OrderSwapped(_Solution):
    def call(self, values, mask=None):
        return super().call(values, mask)[::-1]


@AttentionLayer.known_mistake(
    "Your context is a plain mean. It should be a mean weighted by the weights."
)
class PlainMean(_Solution):
    def call(self, values, mask=None):
        _, weights = super().call(values, mask)
        real = ops.ones_like(weights) if mask is None else ops.cast(mask, "float32")
        return (
            ops.einsum("bs,bsd->bd", real / ops.sum(real, 1, keepdims=True), values),
            weights,
        )


@AttentionLayer.known_mistake(
    "compute_mask should return None, None: the context has no words left to mask."
)
class MaskPassedOn(_Solution):
    def compute_mask(self, values, mask=None):
        return mask
