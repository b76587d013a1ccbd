"""The one door for speed.

What stands behind it gives what a plain loop gives, up to rounding, in less time, or
declines by returning None. The caller then runs its plain loop, which stands right
below the call. Nothing outside of this package knows how the faster forms work:

- ``TrainingLoops`` is asked by ``Translator.fit``: will this training be long enough to
  win back what compiling its loops takes? (The rule is ``xla.worthwhile``.)
- ``run_gru`` is called by ``seq2seq.EncoderGRU``: a GRU over a whole sequence.
- ``unroll_bahdanau`` is called by ``decoders.BahdanauDecoder.unroll``: all its steps.
- ``GreedySearch`` is called by ``Translator.decode``: searches that come repeatedly.

The loops of training are compiled by XLA with their gradients written out. Run one
operation at a time, the same loops gain little: most of a step's operations are small,
and starting one costs more than its arithmetic. ``always`` and ``never`` override the
decisions, for tests and benchmarks.
"""

from attnlib.fast.bahdanau import unroll_bahdanau
from attnlib.fast.greedy import GreedySearch
from attnlib.fast.gru import run_gru
from attnlib.fast.xla import TrainingLoops, always, never

__all__ = [
    "GreedySearch",
    "TrainingLoops",
    "always",
    "never",
    "run_gru",
    "unroll_bahdanau",
]
