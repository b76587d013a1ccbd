"""What all attention layers share: checks of what they are given, and which mask counts."""

from numbers import Integral

from attnlib.backend import keras

ops = keras.ops


def known_equal(a, b):
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


def check_tensor(name, tensor, axes):
    """ValueError or TypeError unless `tensor` holds floats and has three axes, the batch and two called `axes`."""
    if not hasattr(tensor, "shape"):
        raise TypeError(f"{name} should be a tensor or an array, got a {type(tensor).__name__}")
    if len(tensor.shape) != 3:
        raise ValueError(f"{name} should have shape (batch, {axes}), got {tuple(tensor.shape)}")
    if not keras.backend.is_float_dtype(tensor.dtype):
        raise TypeError(f"{name} should hold floats, got {keras.backend.standardize_dtype(tensor.dtype)}")


def check_shapes(query, values, mask):
    """ValueError or TypeError where the three cannot belong together; a length unknown as yet fits any."""
    check_tensor("query", query, "target_len, query_dim")
    check_source(values, mask)
    if not known_equal(query.shape[0], values.shape[0]):
        raise ValueError(
            f"query and values should hold the same number of sentences, got shapes {tuple(query.shape)} "
            f"and {tuple(values.shape)}"
        )


def check_source(values, mask):
    """As `check_shapes`, of the source alone."""
    check_tensor("values", values, "source_len, value_dim")
    if mask is None:
        return
    dtype = keras.backend.standardize_dtype(mask.dtype)
    if dtype != "bool":
        raise TypeError(f"mask should be boolean, True = may be attended, got {dtype}")
    if len(mask.shape) != 2 or not all(map(known_equal, mask.shape, values.shape)):
        raise ValueError(
            f"mask should have shape (batch, source_len) = {tuple(values.shape[:2])}, got {tuple(mask.shape)}"
        )


def check_keys(keys, values, key_dim):
    """ValueError where `keys` cannot be what ``project(values)`` gave."""
    expected = (*values.shape[:2], key_dim)
    if len(keys.shape) != 3 or not all(map(known_equal, keys.shape, expected)):
        raise ValueError(
            f"keys should be project(values), (batch, source_len, units) = {expected}, got shape {tuple(keys.shape)}"
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
