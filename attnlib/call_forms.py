"""The ways in which a layer of attention may be called: the book's, and Keras's own.

The book writes ``context, weights = layer(query, values, mask=mask)``. Keras's
attention layers take ``layer([query, values], mask=[query_mask, values_mask])``,
optionally with a third input, with ``return_attention_scores``, and with
``use_causal_mask``. What is here brings every form to the one that the layers' ``call``
has, and refuses what the layers do not have with an error that shows the form to use.

In every form, a call returns the context and the weights, unless
``return_attention_scores=False`` asks for the context alone. The query's mask changes
no number: it goes on with the context, as Keras's masks do. (Keras's own layers also
set the context of a masked query to zero.)
"""

import inspect

import numpy as np

from attnlib.arguments import check_query, check_values
from attnlib.backend import keras

ops = keras.ops


class AttentionLayer(keras.layers.Layer):
    """A layer whose outputs can be described without a call."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def compute_output_spec(self, *args, **kwargs):
        """Return shapes and dtypes of the outputs, from one abstract call, which
        computes nothing. A layer without its weights gets them.
        """
        # Keras itself would take the shapes from compute_output_shape here, without a
        # look at the arguments, and every dtype from the layer's.
        if not self.built:
            count = len(inspect.signature(self.build).parameters)
            self.build(*(tensor.shape for tensor in args[:count]))
        return keras.Operation.compute_output_spec(self, *args, **kwargs)


class BaseAttention(AttentionLayer):
    """What the layers with a query share: the forms of a call, which mask counts, and
    which is passed on.
    """

    #: What a call returns.
    RETURNS = "context, weights"

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self._options = frozenset(inspect.signature(self.call).parameters)

    def __call__(
        self,
        query=None,
        values=None,
        mask=None,
        query_mask=None,
        values_mask=None,
        return_attention_scores=None,
        **options,
    ):
        query, values, mask = self._inputs(query, values, mask)
        if _is_one_per_input(mask):
            query_mask, mask = self._masks(mask, query_mask)
        # Keras takes an argument called `mask` for the mask of the first input, the
        # query. Ours is the source's. It is passed on as `values_mask`, which Keras
        # fills in where it is None, so `call` has one mask and compute_mask gets the
        # query's.
        if mask is not None:
            values_mask = as_tensor(mask)
        # Checked here, before weights are made from wrong shapes.
        check_values(values, values_mask)
        check_query(query, values)
        options = self._known(options, return_attention_scores)
        if query_mask is not None:
            options["query_mask"] = query_mask = as_tensor(query_mask)
            _check_query_mask(query_mask, query)
        if values_mask is not None:
            options["values_mask"] = values_mask
        outputs = super().__call__(query, values, **options)
        if query_mask is not None:  # Keras itself passes on only what `query` carries
            outputs[0]._keras_mask = query_mask
        return outputs[0] if return_attention_scores is False else outputs

    def compute_output_shape(self, query_shape, values_shape=None):
        """Return the shape of each output, in the order in which a call returns them.

        Parameters
        ----------
        query_shape : tuple
            (batch, target_len, query_dim). Or, as Keras writes it, a list of the shapes
            of query and values.
        values_shape : tuple, optional
            (batch, source_len, value_dim).

        Returns
        -------
        context_shape : tuple
            (batch, target_len, value_dim)
        weights_shape : tuple
            (batch, target_len, source_len)
        """
        query_shape, values_shape = two_shapes(query_shape, values_shape)
        *start, _ = query_shape  # (batch, target_len)
        return (*start, values_shape[2]), (*start, values_shape[1])

    def compute_output_spec(self, query, values=None, mask=None, **options):
        """Return shapes and dtypes of the outputs, from one abstract call, which
        computes nothing. A layer without its weights gets them.
        """
        wanted = options.pop("return_attention_scores", None)
        query, values, mask = self._inputs(query, values, mask)
        if _is_one_per_input(mask):
            mask = mask[1]
        if mask is not None:
            options["values_mask"] = mask
        options = self._known(options, wanted)
        outputs = super().compute_output_spec(query, values, **options)
        return outputs[0] if wanted is False else outputs

    def compute_mask(self, inputs, previous_mask=None):
        """Return the query's mask for the context, and None for the weights."""
        return previous_mask, None

    def _check_built(self):
        if not self.built:
            raise ValueError(
                "project needs the layer's weights: call the layer once, or build it,"
                " before"
            )

    def _inputs(self, query, values, mask):
        """Query, values, and mask, from any form of a call."""
        listed = isinstance(query, (list, tuple)) and (
            values is None or all(hasattr(tensor, "shape") for tensor in query)
        )
        if listed:  # Keras's form, in which the mask comes second
            if len(query) not in (2, 3):
                self._refuse(f"a list of {len(query)} inputs")
            if values is not None and mask is not None:
                self._refuse("a list of inputs and values beside it")
            mask = mask if values is None else values
            query, values, *keys = query
            if keys and keys[0] is not values:
                raise ValueError(
                    "the third input should be the second one, because values are the"
                    " keys, too, got another tensor. Once the layer is built,"
                    " layer(query, values, keys=layer.project(keys)) scores other keys"
                )
        elif query is None or values is None:
            self._refuse("no query" if query is None else "no values")
        return query, values, mask

    def _masks(self, masks, query_mask):
        """The masks of query and values, from one mask per input."""
        if len(masks) not in (2, 3):
            self._refuse(f"a list of {len(masks)} masks")
        first, second, *third = masks
        if third and third[0] is not None and third[0] is not second:
            raise ValueError(
                "the third mask should be None or the second one, because values are"
                " the keys, too, got another mask"
            )
        return query_mask if first is None else first, second

    def _known(self, options, return_attention_scores):
        """`options` that ``call`` has, or that are at Keras's default."""
        if not options.get("use_causal_mask", True):
            options = {k: v for k, v in options.items() if k != "use_causal_mask"}
        unknown = sorted(set(options) - self._options - {"training"})
        if unknown:
            self._refuse(f"the argument {unknown[0]}, which it does not have")
        if return_attention_scores and self.RETURNS != BaseAttention.RETURNS:
            self._refuse("return_attention_scores=True, which asks for two outputs")
        return options

    def _refuse(self, what):
        raise TypeError(
            f"{type(self).__name__} should be called as {self.RETURNS} = layer(query,"
            " values, mask=mask) or layer([query, values], mask=[query_mask, mask]),"
            f" got {what}"
        )


def two_shapes(query_shape, values_shape):
    """The shapes of query and values, from Keras's list of them too."""
    if values_shape is None:
        query_shape, values_shape, *_ = query_shape
    return tuple(query_shape), tuple(values_shape)


def as_tensor(mask):
    """`mask`, which may be a list, as something with a dtype and a shape."""
    return mask if hasattr(mask, "dtype") else ops.convert_to_tensor(mask)


def _is_one_per_input(mask):
    """Whether `mask` is Keras's list of masks, not one mask that is written as a list.

    The rows of a mask have one axis; in Keras's list are None and masks of two axes.
    """
    return isinstance(mask, (list, tuple)) and any(
        each is None or _rank(each) > 1 for each in mask
    )


def _rank(mask):
    return len(mask.shape) if hasattr(mask, "shape") else np.ndim(mask)


def _check_query_mask(mask, query):
    dtype = keras.backend.standardize_dtype(mask.dtype)
    if dtype != "bool":
        raise TypeError(
            f"query_mask should be boolean, True = a real position, got {dtype}"
        )
    wanted, shape = tuple(query.shape[:2]), tuple(mask.shape)
    if len(shape) != 2 or any(
        None not in pair and pair[0] != pair[1]
        for pair in zip(wanted, shape, strict=True)
    ):
        raise ValueError(
            f"query_mask should have shape (batch, target_len) = {wanted}, got {shape}"
        )
