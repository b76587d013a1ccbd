"""XLA for the loops of training, where it earns its time back, and the few shapes that
it compiles them for.
"""

import functools
from typing import NamedTuple

from attnlib.backend import tf

# lengths are padded to multiples of it: each shape is compiled by itself, and padding
# is computed too
ROUND = 8
# Of a two-core machine; they need not be right, for the numbers that come out are the
# same.
SECONDS_A_SHAPE = 1.0  # to compile a step's loops
SECONDS_SAVED = (
    2e-9  # at least, for each number of a step's (batch, target_len, source_len, units)
)


class Shapes(NamedTuple):
    """What the axes of a batch are padded to multiples of; the padding is masked."""

    rows: int  # even, for one half of a batch runs beside the other
    source_len: int = ROUND
    target_len: int = ROUND

    def halves(self, source, target):
        """The numbers of a batch, (batch, source_len) and (batch, target_len): two
        pairs of half the sentences each.
        """
        both = (
            (source, self.rows, self.source_len),
            (target, self.rows, self.target_len),
        )
        return list(zip(*(tf.split(_padded(*x), 2) for x in both), strict=True))


def _padded(numbers, *multiples):
    missing = [
        -tf.shape(numbers)[axis] % multiple for axis, multiple in enumerate(multiples)
    ]
    return tf.pad(numbers, [(0, n) for n in missing])


def shapes_for(model, batches, epochs, compiled=None):
    """`Shapes` for training `model` on these `Batches`, or None where XLA does not
    compile it.

    compiled: as for ``Seq2Seq.fit``. Raises ValueError where it is True and cannot be.
    """
    # With dropout, halves of a batch would draw other numbers than the whole does.
    possible = (
        model.attention == "additive"
        and not model.dropout
        and not model.jit_compile
        and not model.run_eagerly
    )
    if compiled and not possible:
        raise ValueError(
            "compiled=True needs additive attention, no dropout, and neither"
            f" jit_compile nor run_eagerly, got attention={model.attention!r},"
            f" dropout={model.dropout}, jit_compile={model.jit_compile},"
            f" run_eagerly={model.run_eagerly}"
        )
    if compiled and not available():
        raise ValueError(
            "compiled=True needs a TensorFlow with XLA for the processor, got one"
            " without"
        )
    if compiled is None:
        compiled = possible and worthwhile(batches, epochs, model.units) and available()
    return Shapes(batches.batch_size + batches.batch_size % 2) if compiled else None


def worthwhile(batches, epochs, units):
    """Whether a training is long enough to win back what compiling takes."""
    sizes = [
        [int(lengths[rows].max()) for lengths in batches.lengths]
        for rows in batches.rows
    ]
    shapes = {(-source // ROUND, -(target - 1) // ROUND) for source, target in sizes}
    numbers = (
        epochs
        * units
        * batches.batch_size
        * sum(source * target for source, target in sizes)
    )
    return numbers * SECONDS_SAVED > len(shapes) * SECONDS_A_SHAPE


@functools.cache
def available():
    """Whether this TensorFlow has XLA for the processor."""
    try:
        xla(lambda x: x + 1)(tf.zeros(()))
    except tf.errors.OpError:
        return False
    return True


def xla(function):
    return tf.function(function, jit_compile=True, autograph=False)
