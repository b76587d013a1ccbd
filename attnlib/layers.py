"""Attention as Keras 3 layers, over the pure functions of ``attnlib.scores``.

Every layer: ``call(query, values, mask=None, query_mask=None, values_mask=None)``. The source's mask is `mask` where
it is given, else the one that Keras carries along with `values`. The context keeps the query's mask.
"""

from numbers import Integral

from attnlib.backend import keras
from attnlib.scores import additive_scores, attend

ops = keras.ops


def _known_equal(a, b):
    return a is None or b is None or a == b


def whole_number(name, value):
    """`value` as an int of 1 or more, or ValueError."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise ValueError(f"{name} should be a whole number of 1 or more, got {value!r}")
    return int(value)


def check_width(name, tensor, width):
    """ValueError where the last axis is not as long as the layer's weights expect."""
    if tensor.shape[-1] != width:
        raise ValueError(f"{name} should be {width} wide, as the layer was built, got shape {tuple(tensor.shape)}")


def check_shapes(query, values, mask):
    """ValueError or TypeError where the three cannot belong together; a length unknown as yet fits any."""
    for name, tensor, axes in (("query", query, "target_len, query_dim"), ("values", values, "source_len, value_dim")):
        if not hasattr(tensor, "shape"):
            raise TypeError(f"{name} should be a tensor or an array, got a {type(tensor).__name__}")
        if len(tensor.shape) != 3:
            raise ValueError(f"{name} should have shape (batch, {axes}), got {tuple(tensor.shape)}")
        if not keras.backend.is_float_dtype(tensor.dtype):
            raise TypeError(f"{name} should hold floats, got {keras.backend.standardize_dtype(tensor.dtype)}")
    if not _known_equal(query.shape[0], values.shape[0]):
        raise ValueError(
            f"query and values should hold the same number of sentences, got shapes {tuple(query.shape)} "
            f"and {tuple(values.shape)}"
        )
    if mask is None:
        return
    dtype = keras.backend.standardize_dtype(mask.dtype)
    if dtype != "bool":
        raise TypeError(f"mask should be boolean, True = may be attended, got {dtype}")
    if len(mask.shape) != 2 or not all(map(_known_equal, mask.shape, values.shape)):
        raise ValueError(
            f"mask should have shape (batch, source_len) = {tuple(values.shape[:2])}, got {tuple(mask.shape)}"
        )


class Attention(keras.layers.Layer):
    """What all attention layers share: which mask counts, and which mask goes on. Not used by itself."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def __call__(self, query, values, mask=None, query_mask=None, values_mask=None, **kwargs):
        # Keras takes an argument called `mask` for the first input's own; ours is the source's. So it goes on as
        # `values_mask`, and what Keras hands to compute_mask is the query's mask, as it should be.
        if mask is not None:
            values_mask = ops.convert_to_tensor(mask) if not hasattr(mask, "dtype") else mask
        check_shapes(query, values, values_mask)  # here, before the weights are made from wrong shapes
        given = {"query_mask": query_mask, "values_mask": values_mask}
        return super().__call__(query, values, **{k: v for k, v in given.items() if v is not None}, **kwargs)

    def compute_mask(self, inputs, previous_mask=None):
        """The query's mask for the context, None for the weights."""
        return previous_mask, None


@keras.saving.register_keras_serializable("attnlib")
class AdditiveAttention(Attention):
    """Additive attention: e_ij = v^T tanh(W_a s_{i-1} + U_a h_j), Bahdanau et al. (2015), eq. 5, 6 and A.1.2.

    ``context, weights = AdditiveAttention(units)(query, values, mask=mask)``

    units: width of the hidden layer of the score, n' in the paper.
    query: (batch, target_len, query_dim), the decoder's *previous* states s_{i-1}.
    values: (batch, source_len, value_dim), the annotations h_j, which are the keys too.
    mask: (batch, source_len), boolean, True = may be attended. A row with nothing to attend to gets zeros.
    keys: ``project(values)`` computed before, for a decoder that goes step by step.
    Returns context (batch, target_len, value_dim) and weights (batch, target_len, source_len).
    Raises ValueError or TypeError, naming both shapes or types, where the arguments do not fit.

    Keras' own ``AdditiveAttention`` has v (its `scale`) but neither W_a nor U_a.
    """

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = whole_number("units", units)

    def build(self, query_shape, values_shape):
        self.w_query = self.add_weight(shape=(query_shape[-1], self.units), name="w_query")
        self.w_keys = self.add_weight(shape=(values_shape[-1], self.units), name="w_keys")
        self.v = self.add_weight(shape=(self.units,), name="v")
        self.built = True

    def project(self, values):
        """U_a h_j for every j, (batch, source_len, units): it depends on the source alone.

        Raises ValueError before the layer has its weights, or where values are not as wide as they were then.
        """
        if not self.built:
            raise ValueError("project needs the layer's weights: call the layer once, or build it, before")
        check_width("values", values, self.w_keys.shape[0])
        return ops.matmul(values, self.w_keys)

    def call(self, query, values, mask=None, query_mask=None, values_mask=None, keys=None):
        mask = mask if mask is not None else values_mask
        check_width("query", query, self.w_query.shape[0])
        if keys is None:
            keys = self.project(values)
        elif len(keys.shape) != 3 or not all(map(_known_equal, keys.shape, (*values.shape[:2], self.units))):
            raise ValueError(
                f"keys should be project(values), (batch, source_len, units) = {(*values.shape[:2], self.units)}, "
                f"got shape {tuple(keys.shape)}"
            )
        return attend(additive_scores(query, keys, self.w_query, None, self.v), values, mask)

    def get_config(self):
        return {**super().get_config(), "units": self.units}
