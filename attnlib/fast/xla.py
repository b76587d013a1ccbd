"""Where it is decided whether XLA compiles the loops of a training.

XLA compiles each shape by itself, which takes about a second. So lengths are padded to
multiples of 8, so that a training has few shapes, and only a training that is long
enough to win back the time has its loops compiled. What is added is masked, and cut off
again, so it changes no result. (Greedy search decides by itself, in ``fast.greedy``.)
"""

import contextlib
import functools
from contextvars import ContextVar
from typing import NamedTuple

from attnlib.backend import tf
from attnlib.layers import AdditiveAttention

LENGTH_MULTIPLE = 8
# Measured on two cores, with additive attention: 0.7 to 1.2e-8 seconds saved per
# element of the (batch, target_len, source_len, units) array of the score, and 0.7 to 1
# second to compile a shape. Where a large output layer is most of a step, less is saved
# (a 1.05 times faster epoch of 20,000 real pairs, with 5,000 words), but nothing lost.
# Wrong values cost time; the results are the same.
SECONDS_PER_SHAPE = 0.8
SECONDS_SAVED_PER_ELEMENT = 7e-9

_FORCED = ContextVar("forced", default=None)
_ACTIVE = ContextVar("active", default=None)


@contextlib.contextmanager
def always():
    """For a ``fit`` or ``translate`` within: the faster forms, where possible."""
    token = _FORCED.set(True)
    try:
        yield
    finally:
        _FORCED.reset(token)


@contextlib.contextmanager
def never():
    """For a ``fit`` or ``translate`` within: the plain forms."""
    token = _FORCED.set(False)
    try:
        yield
    finally:
        _FORCED.reset(token)


def forced():
    """True within ``always``, False within ``never``, None elsewhere."""
    return _FORCED.get()


class CompiledShapes(NamedTuple):
    """What a batch is padded to: its axes become multiples of these."""

    batch: int  # even: one half of a batch runs beside the other, one per core
    length: int = LENGTH_MULTIPLE


class TrainingLoops:
    """Whether the loops of a model's training are compiled.

    ``plan`` decides, before a training. A training step that is traced within ``with
    loops:`` then gets the loops decided on; evaluation, whose batches have other
    shapes, stays plain.
    """

    def __init__(self):
        self.shapes, self.elements_trained = None, 0

    def plan(self, model, batches, epochs):
        """Decide for a training of so many epochs. A change is traced anew.

        batches: a ``batches.Batches``. Of other ones, the lengths are not known, and
        the loops stay plain.
        """
        shapes, known = None, hasattr(batches, "rows")
        if (
            known
            and self.possible(model)
            and self.chosen(model, batches, epochs)
            and available()
        ):
            shapes = CompiledShapes(batches.batch_size + batches.batch_size % 2)
        if shapes != self.shapes:
            self.shapes, model.train_function = shapes, None

    def possible(self, model):
        """Only additive attention gains enough: the other decoders' loops do little."""
        attention = getattr(getattr(model, "decoder", None), "attention", None)
        graph = not model.jit_compile and not model.run_eagerly
        return graph and isinstance(attention, AdditiveAttention)

    def chosen(self, model, batches, epochs):
        """Whether it would pay, by what is asked for and what was trained so far."""
        self.elements_trained += epochs * count_elements(batches, model.units)
        if forced() is not None:
            return forced()
        return worthwhile(batches, self.elements_trained)

    def __enter__(self):
        self._token = _ACTIVE.set(self.shapes)

    def __exit__(self, *_):
        _ACTIVE.reset(self._token)


def worthwhile(batches, elements):
    """Whether a training over so many elements wins back what compiling takes."""
    shapes = {
        (-source_len // LENGTH_MULTIPLE, -target_len // LENGTH_MULTIPLE)
        for source_len, target_len in batch_lengths(batches)
    }
    seconds = len(shapes) * SECONDS_PER_SHAPE
    return elements * SECONDS_SAVED_PER_ELEMENT > seconds


def count_elements(batches, units):
    """Elements of the score's largest array, over one epoch."""
    areas = (source * target for source, target in batch_lengths(batches))
    return units * batches.batch_size * sum(areas)


def batch_lengths(batches):
    """(source_len, target_len) of every batch. The decoder's input lacks one token."""
    source, target = batches.lengths
    return [(int(source[r].max()), int(target[r].max()) - 1) for r in batches.rows]


def active_shapes():
    """The shapes to compile for, or None where loops stay plain."""
    return _ACTIVE.get()


@functools.cache
def available():
    """Whether this TensorFlow has XLA for the processor."""
    try:
        compiled(lambda x: x + 1)(tf.zeros(()))
    except tf.errors.OpError:
        return False
    return True


def compiled(function):
    return tf.function(function, jit_compile=True, autograph=False)


def in_halves(function, shapes, batch_axes, *arrays):
    """``function(*arrays)``, as two halves of the batch that run side by side.

    batch_axes: of each array, the axis to split; None where both halves get all of it.
    The function returns arrays (time, batch, …).
    """
    batch = next(
        tf.shape(x)[axis]
        for x, axis in zip(arrays, batch_axes, strict=True)
        if axis is not None
    )
    halves = [
        [x, x] if axis is None else _split(x, axis, shapes.batch)
        for x, axis in zip(arrays, batch_axes, strict=True)
    ]
    results = [function(*half) for half in zip(*halves, strict=True)]
    return [
        tf.concat(both, 1)[:, :batch]  # (time, batch, …)
        for both in zip(*results, strict=True)
    ]


def _split(array, axis, multiple):
    return tf.split(pad_to(array, axis, multiple), 2, axis)


def pad_to(array, axis, multiple, value=0):
    """``array`` with an axis padded at its end to the next multiple."""
    missing = -tf.shape(array)[axis] % multiple
    paddings = [(0, missing if i == axis else 0) for i in range(len(array.shape))]
    return tf.pad(array, paddings, constant_values=value)
