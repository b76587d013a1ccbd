"""Alignment error rate of every kind of attention on dates: Luong et al. (2015), Table
6, in miniature.

It also shows where local-m gets its correct answers from. With a window of three to
each side it cannot see what it generates, so the encoder's direction and the decoder's
initial state are varied. Local-p is also measured without its Gaussian.
"""

from experiments._luong import on_dates
from experiments._training import main

MODELS = (
    "additive",
    "general",
    "dot",
    "concat",
    "location",
    "local-m-5",
    "local-p-5",
    "local-m-10",
    "local-p-10",
    "local-p-5-flat",
    "local-m-3",
    "local-m-3-zeros",
    "local-m-3-forward",
    "local-m-3-forward-zeros",
)


def measure(options):
    return {"runs": on_dates(MODELS, options)}


if __name__ == "__main__":
    main("alignment_error", __doc__, measure)
