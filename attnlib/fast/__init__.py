"""The one door for speed.

What stands behind it gives what a plain loop gives, up to rounding, in less time, or
declines by returning None. The caller then runs its plain loop, which stands right
below the call. Nothing outside of this package knows how the faster forms work:

    TrainingLoops      asked by `Translator.fit`: will this training be long enough to
                       win back what compiling its loops takes? (`xla.worthwhile`)
    run_gru            called by `seq2seq.EncoderGRU`: a GRU over a whole sequence
    unroll_bahdanau    called by `decoders.BahdanauDecoder.unroll`: all decoder steps
    GreedySearch       called by `Translator.decode`: searches that come again and again

The first three are loops compiled by XLA with their gradients written out, because XLA
cannot derive them from TensorFlow's own loops in reasonable time. Run one operation at
a time they gain little: most of a step's operations are small, and starting one costs
more than its arithmetic. `always` and `never` override the decisions.
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
