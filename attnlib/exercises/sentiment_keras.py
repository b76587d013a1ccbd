"""The exercise of chapter 04 that is a Keras layer, in a module of its own so that the
others do not need TensorFlow.
"""

import inspect
import re
import warnings

import numpy as np

from attnlib.backend import keras
from attnlib.checking import compare, sandbox
from attnlib.checking.exercise import exercise
from attnlib.exercises import _mistakes
from attnlib.exercises._demands import five_masks

ops = keras.ops


class _Example:
    """What a layer is tried on: values, a mask or None, and its parameters w, b, v."""

    def __init__(self, title, values, mask, weights):
        self.title = title
        self.values = np.array(values, "float32")  # (batch, source_len, dim)
        self.mask = mask if mask is None else np.array(mask, bool)
        self.weights = [np.array(weight, "float32") for weight in weights]


def _examples():
    """{units: example}. The units tell the examples apart."""
    rng = np.random.default_rng(0)

    def weights(dim, units):
        return [rng.normal(size=shape) for shape in [(dim, units), (units,), (units,)]]

    masks = np.vstack([np.ones((1, 5), bool), five_masks(5)])
    both = [[True] * 3, [False] * 3]
    one_wide = [[[2.0]], [0.5], [2.0]]
    hidden = 30 * np.array(
        [
            [[1, 0], [1, 1], [1, 1]],
            [[-1, 0], [-1, 1], [1, 0]],
            [[-1, 0], [1, 1], [0, 1]],
        ]
    )
    mask = [[1, 1, 1], [1, 1, 0], [1, 1, 1]]
    # exact scores: a unit is -1, 0, or 1, because its sum is -30, 0, or 30
    exact = np.eye(2, 5), np.zeros(5), [20_000, 1, 0, 0, 0]
    return {
        1: _Example("a word of padding", [[[0], [1], [3]]], [[1, 1, 0]], one_wide),
        2: _Example(
            "a sentence without words", rng.normal(size=(2, 3, 2)), both, weights(2, 2)
        ),
        3: _Example("no mask", rng.normal(size=(3, 3, 3)), None, weights(3, 3)),
        4: _Example("every kind", rng.normal(size=(6, 5, 3)), masks, weights(3, 4)),
        5: _Example("scores of 20,000", hidden, mask, exact),
    }


_IN_A_MODEL = 6  # the units of the layer that is put into a model


def _layer_cases(rng):
    for units, example in _examples().items():
        mask = "None" if example.mask is None else compare.show(example.mask)
        yield (
            f"{example.title}\n  values = {compare.show(example.values)}"
            f"\n  mask = {mask}",
            (units,),
        )
    yield "in a model, behind an Embedding with mask_zero=True", (_IN_A_MODEL,)


_NO_LAYER = (
    "Your class should be a Keras layer: class AttentionLayer(keras.layers.Layer)."
)
_NO_MASK = (
    "call should take the mask, too: call(self, values, mask=None). Keras hands it "
    "over under that name."
)
_PAIR = "call should return two values, context and weights."
_ORDER = (
    "In a model, call should return context (batch, dim) and weights (batch, "
    "source_len), in this order."
)
_MASK_PASSED_ON = (
    "compute_mask should return None, None: the context has no words left to mask."
)
_OTHER_WEIGHTS = "Create w, b, and v with self.add_weight, and no other parameters."
_ONE_LENGTH = (
    "Your layer has seen sentences of one length, and does not take longer ones. Use "
    "nothing in build but the last number of the shape."
)
_ALL_ZERO = (
    "w, b, and v all start at 0. Then every gradient is 0 too, and the layer never "
    "learns. Leave out the initializer of w and v: Keras draws random numbers."
)
_NOT_MOVED = (
    "Trained on two batches, w, b, and v have not moved. Something cuts the gradient, "
    "such as stop_gradient or a detour through NumPy."
)
_SYMBOLIC = (
    "Your layer works on numbers, but not in a model, where neither the numbers nor "
    "the length of the sentences are known beforehand. Use keras.ops in call, not "
    "NumPy or if, and nothing in build but the last number of the shape."
)


def _extract_results(layer, units):
    """What a layer gives for the example of so many units; or, put into a model, "it
    learns".
    """
    if not isinstance(layer, keras.layers.Layer):
        raise sandbox.CheckFailed(_NO_LAYER)
    parameters = inspect.signature(layer.call).parameters.values()
    takes_any = any(each.kind is each.VAR_KEYWORD for each in parameters)
    if not takes_any and all(each.name != "mask" for each in parameters):
        raise sandbox.CheckFailed(_NO_MASK)
    if units == _IN_A_MODEL:
        _put_into_a_model(layer)
        return "it learns"
    example = _examples()[units]
    call = {} if example.mask is None else {"mask": example.mask}
    _called(layer, example.values, **call)  # creates the parameters
    _set_weights(layer, example)
    results = _called(layer, example.values, **call)
    if not _is_pair(results):
        raise sandbox.CheckFailed(_PAIR)
    masks = layer.compute_mask(example.values, example.mask)
    if not _is_pair(masks) or any(each is not None for each in masks):
        raise sandbox.CheckFailed(_MASK_PASSED_ON)
    context, weights = (np.asarray(part) for part in results)
    if weights.shape == example.values.shape[:2]:
        _check_longer(layer, example)
    return context, weights


def _called(layer, values, **call):
    """layer(values), with what Keras wraps around an error taken off."""
    try:
        return layer(values, **call)
    except NotImplementedError:  # a stub's
        raise
    except Exception as error:
        bare = type(type(error).__name__, (Exception,), {})(_bare_text(error))
        raise bare.with_traceback(error.__traceback__) from None


def _bare_text(error):
    """What happened in ``call``, without Keras's frame and colors, and TensorFlow's
    names of nodes.
    """
    text = re.sub(r"\x1b\[[0-9;]*m|{{.*?}} ", "", str(error))
    text = text.partition("\n\nArguments received by")[0]
    for start in (".call().\n\n", "Error encountered:\n\n"):
        text = text.partition(start)[2] or text
    return text


def _set_weights(layer, example):
    names = dict(zip("wbv", example.weights, strict=True))
    for name, value in names.items():
        weight = getattr(layer, name, None)
        got = "none" if weight is None else getattr(weight, "shape", "no shape")
        if weight is None or tuple(weight.shape) != value.shape:
            raise sandbox.CheckFailed(
                f"self.{name} should be a parameter of shape {value.shape}, got {got}."
            )
        if not any(weight is variable for variable in layer.trainable_variables):
            raise sandbox.CheckFailed(f"self.{name} {_why_not_trained(weight)}")
    if len(layer.weights) != len(names):
        raise sandbox.CheckFailed(_OTHER_WEIGHTS)
    for name, value in names.items():
        getattr(layer, name).assign(value)


def _why_not_trained(weight):
    if isinstance(weight, keras.Variable) and not weight.trainable:
        return (
            "is not trainable, so Keras leaves it as it is. Leave out trainable=False."
        )
    is_array = isinstance(weight, np.ndarray)
    kind = "a NumPy array" if is_array else compare.kind(sandbox.plain(weight))
    return f"is {kind}, which Keras does not train. Create it with self.add_weight."


def _check_longer(layer, example):
    """Twice the words: the weights should have that many places."""
    twice = np.concatenate([example.values] * 2, axis=1)  # (batch, 2 source_len, dim)
    shape = twice.shape[:2]
    mask = {"mask": np.ones(shape, bool)}
    try:
        results = layer(twice, **(mask if example.mask is not None else {}))
    except Exception:
        raise sandbox.CheckFailed(_ONE_LENGTH) from None
    if not _is_pair(results) or tuple(results[1].shape) != shape:
        raise sandbox.CheckFailed(_ONE_LENGTH)


def _is_pair(value):
    return isinstance(value, (tuple, list)) and len(value) == 2


# In a model


def _put_into_a_model(layer):
    """Train the layer behind an embedding, on two batches of different lengths."""
    keras.utils.set_random_seed(0)
    tokens = keras.Input((None,), dtype="int32")
    embedded = keras.layers.Embedding(9, 3, mask_zero=True)(tokens)
    try:
        results = layer(embedded)
    except Exception as error:
        lines = f"{type(error).__name__}: {_bare_text(error)}".splitlines()
        raise sandbox.CheckFailed(f"{_SYMBOLIC}\n  {lines[0][:200]}") from None
    if not _is_pair(results):
        raise sandbox.CheckFailed(_PAIR)
    context, weights = results
    if tuple(context.shape) != (None, 3) or len(weights.shape) != 2:
        raise sandbox.CheckFailed(_ORDER)
    model = keras.Model(tokens, [keras.layers.Dense(1)(context), weights])
    model.compile(keras.optimizers.SGD(1.0), loss=["mse", None], run_eagerly=True)
    _train(model, layer)
    _check_weights_in_a_model(model)


def _train(model, layer):
    before = _weights_of(layer)
    rng = np.random.default_rng(0)
    for length in (4, 6):
        tokens = rng.integers(1, 9, (8, length))
        tokens[:4, length // 2 :] = 0
        with warnings.catch_warnings(action="ignore"):  # that no gradient exists
            model.train_on_batch(tokens, rng.normal(size=(8, 1)))
    after = _weights_of(layer)
    unmoved = [name for name in "wbv" if np.array_equal(before[name], after[name])]
    if len(unmoved) == 3 and not any(map(np.any, before.values())):
        raise sandbox.CheckFailed(_ALL_ZERO)
    if len(unmoved) == 3:
        raise sandbox.CheckFailed(_NOT_MOVED)
    if unmoved:
        raise sandbox.CheckFailed(
            f"Trained on two batches, {' and '.join(unmoved)} did not move. Does call "
            "use every parameter, with nothing that cuts its gradient?"
        )
    for name, weight in after.items():
        if not np.isfinite(weight).all():
            raise sandbox.CheckFailed(
                f"Trained on two batches, {name} holds NaN or infinity."
            )


def _weights_of(layer):
    """{name: a copy of its numbers}."""
    return {name: getattr(layer, name).numpy().copy() for name in "wbv"}


def _check_weights_in_a_model(model):
    tokens = np.array([[3, 1, 4, 1, 5, 8, 2], [0, 0, 7, 0, 1, 0, 0], [0] * 7])
    weights = np.asarray(model(tokens)[1])
    real = tokens != 0
    if weights.shape != tokens.shape:
        problem = _ONE_LENGTH
    elif np.any(weights[~real] != 0):
        problem = "In a model, padding gets weight, or is NaN."
    elif not np.allclose(weights.sum(axis=1), real.any(axis=1), atol=1e-5):
        problem = "In a model, the weights of a sentence do not sum to one."
    else:
        return
    shown = compare.show(tokens), compare.show(weights)
    raise sandbox.CheckFailed(
        f"{problem}\n  token IDs {shown[0]}\n  weights   {shown[1]}"
    )


@exercise(
    _layer_cases,
    hints=[
        (
            "Write three methods. `build(self, shape)` creates w, b, and v with "
            "`self.add_weight(shape=..., name=...)`; `call(self, values, mask=None)` "
            "uses them; `compute_mask` returns None, None. All but the mask is as in "
            "the layer of the chapter."
        ),
        (
            "Two things are new: padding has no part in the softmax, and a sentence "
            "without words has nothing to divide by. `masked_softmax` of chapter 01 "
            "solves both with `np.where`. `keras.ops` has `where`, `max`, `exp`, and "
            "`sum` too."
        ),
    ],
    returns=("context", "weights"),
    extract=_extract_results,
    # after a layer is stopped in its call, Keras believes that it is still in it
    cleanup=keras.backend.clear_session,
)
class AttentionLayer(keras.layers.Layer):
    """One vector per sentence: sum_s alpha_s h_s, alpha = softmax(v . tanh(h_s w + b)).

    AttentionLayer(units) has the parameters w (dim, units), and b and v (units,).
    call(values, mask=None): values (batch, source_len, dim), mask (batch, source_len),
    True = a real word; None means all are. Returns context (batch, dim) and weights
    (batch, source_len). Padding gets weight 0, and a sentence without words gets zero
    weights and a zero context. Scores of 1000 must not overflow. The layer works in a
    model, for sentences of any length, and all of its parameters learn there.
    compute_mask(values, mask=None) returns None, None.
    """

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, shape):
        self.w = self.add_weight(shape=(shape[-1], self.units), name="w")
        self.b = self.add_weight(shape=(self.units,), initializer="zeros", name="b")
        self.v = self.add_weight(shape=(self.units,), name="v")

    def call(self, values, mask=None):
        hidden = keras.ops.tanh(keras.ops.matmul(values, self.w) + self.b)
        scores = keras.ops.tensordot(hidden, self.v, axes=1)  # (batch, source_len)
        if mask is not None:
            scores = keras.ops.where(mask, scores, -np.inf)
        highest = keras.ops.max(scores, axis=-1, keepdims=True)  # (batch, 1)
        highest = keras.ops.where(highest == -np.inf, 0.0, highest)
        exponentials = keras.ops.exp(scores - highest)
        total = keras.ops.sum(exponentials, axis=-1, keepdims=True)  # (batch, 1)
        weights = exponentials / keras.ops.where(total == 0, 1.0, total)
        return keras.ops.einsum("bs,bsd->bd", weights, values), weights

    def compute_mask(self, values, mask=None):
        return None, None


_Solution = AttentionLayer.reference_solution


class _InParts(_Solution):
    """The solution, in parts that the wrong answers below replace."""

    def scores(self, values):
        hidden = ops.tanh(ops.matmul(values, self.w) + self.b)
        return ops.tensordot(hidden, self.v, axes=1)  # (batch, source_len)

    def softmax(self, scores, mask):
        """The weights; mask: booleans of the scores' shape."""
        scores = ops.where(mask, scores, -np.inf)
        highest = ops.max(scores, axis=-1, keepdims=True)  # (batch, 1)
        exponentials = ops.exp(scores - ops.where(highest == -np.inf, 0.0, highest))
        total = ops.sum(exponentials, axis=-1, keepdims=True)  # (batch, 1)
        return exponentials / ops.where(total == 0, 1.0, total)

    def call(self, values, mask=None):
        scores = self.scores(values)
        mask = ops.ones_like(scores, "bool") if mask is None else mask
        weights = self.softmax(scores, mask)
        return ops.einsum("bs,bsd->bd", weights, values), weights


@AttentionLayer.known_mistake(_mistakes.IGNORED.replace("function", "layer"))
class MaskIgnored(_InParts):
    def softmax(self, scores, mask):
        return ops.softmax(scores)


@AttentionLayer.known_mistake(_mistakes.INVERTED)
class MaskInverted(_InParts):
    def softmax(self, scores, mask):
        return super().softmax(scores, ops.logical_not(mask))


@AttentionLayer.known_mistake(_mistakes.TIMES_SCORES)
class MaskTimesScores(_InParts):
    def softmax(self, scores, mask):
        return ops.softmax(scores * ops.cast(mask, "float32"))


@AttentionLayer.known_mistake(_mistakes.AFTERWARDS)
class MaskAfterwards(_InParts):
    def softmax(self, scores, mask):
        return ops.softmax(scores) * ops.cast(mask, "float32")


@AttentionLayer.known_mistake(_mistakes.EQUAL_FOR_NOTHING)
class LargeNegative(_InParts):
    def softmax(self, scores, mask):
        return ops.softmax(ops.where(mask, scores, -1e9))


@AttentionLayer.known_mistake(_mistakes.SMALL_CONSTANT)
class SmallConstant(_InParts):
    def softmax(self, scores, mask):
        return ops.softmax(ops.where(mask, scores, -100.0))


@AttentionLayer.known_mistake(_mistakes.NAN_FOR_NOTHING)
class MinusInfinity(_InParts):
    def softmax(self, scores, mask):
        return ops.softmax(ops.where(mask, scores, -np.inf))


@AttentionLayer.known_mistake(_mistakes.OVERFLOWS)
class WithoutShift(_InParts):
    def softmax(self, scores, mask):
        exponentials = ops.exp(scores) * ops.cast(mask, "float32")
        total = ops.sum(exponentials, axis=-1, keepdims=True)  # (batch, 1)
        return exponentials / ops.where(total == 0, 1.0, total)


@AttentionLayer.known_mistake(_mistakes.OVERFLOWS)
class WithoutShiftOrGuard(_InParts):
    def softmax(self, scores, mask):
        exponentials = ops.exp(ops.where(mask, scores, -np.inf))
        return exponentials / ops.sum(exponentials, axis=-1, keepdims=True)


@AttentionLayer.known_mistake(
    "Your weights sum to one over the batch. "
    "They should sum to one over the words, so take the softmax over the last axis."
)
class SoftmaxOverBatch(_InParts):
    def softmax(self, scores, mask):
        return ops.transpose(
            super().softmax(ops.transpose(scores), ops.transpose(mask))
        )


@AttentionLayer.known_mistake(
    "tanh is missing. "
    "Without it, b adds the same number to every score and has no effect."
)
class WithoutTanh(_InParts):
    def scores(self, values):
        return ops.tensordot(ops.matmul(values, self.w) + self.b, self.v, axes=1)


@AttentionLayer.known_mistake("b is missing inside the tanh.")
class WithoutBias(_InParts):
    def scores(self, values):
        return ops.tensordot(ops.tanh(ops.matmul(values, self.w)), self.v, axes=1)


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
        number = ops.maximum(ops.sum(real, axis=-1, keepdims=True), 1.0)  # (batch, 1)
        return ops.einsum("bs,bsd->bd", real / number, values), weights


@AttentionLayer.known_mistake(
    "You take the mean of the weighted words. "
    "The weights already sum to one, so add them up."
)
class MeanOfWeighted(_Solution):
    def call(self, values, mask=None):
        _, weights = super().call(values, mask)
        return ops.mean(weights[:, :, None] * values, axis=1), weights


@AttentionLayer.known_mistake(
    "A weight (batch, source_len) belongs to a whole word. Give the weights an axis of "
    "their own, weights[:, :, None], multiply, and sum over the words; or write "
    'keras.ops.einsum("bs,bsd->bd", weights, values).'
)
class WeightsWithoutAxis(_Solution):
    def call(self, values, mask=None):
        _, weights = super().call(values, mask)
        return ops.matmul(weights, values), weights


@AttentionLayer.known_mistake(_MASK_PASSED_ON)
class MaskPassedOn(_Solution):
    def compute_mask(self, values, mask=None):
        return mask


@AttentionLayer.known_mistake(_MASK_PASSED_ON)
class MaskPassedOnTwice(_Solution):
    def compute_mask(self, values, mask=None):
        return mask, mask


@AttentionLayer.known_mistake(_NOT_MOVED)
class GradientStopped(_Solution):
    def call(self, values, mask=None):
        weights = ops.stop_gradient(super().call(values, mask)[1])
        return ops.einsum("bs,bsd->bd", weights, values), weights


@AttentionLayer.known_mistake(_ALL_ZERO)
class AllZero(_Solution):
    def build(self, shape):
        sizes = {"w": (shape[-1], self.units), "b": (self.units,), "v": (self.units,)}
        for name, size in sizes.items():
            setattr(self, name, self.add_weight(shape=size, initializer="zeros"))


@AttentionLayer.known_mistake(_ONE_LENGTH)
class FirstLengthAlone(_Solution):
    def build(self, shape):
        super().build(shape)
        self.source_len = shape[1]

    def call(self, values, mask=None):
        values = values[:, : self.source_len]
        mask = mask if mask is None else mask[:, : self.source_len]
        return super().call(values, mask)
