"""Figures that answer: plain HTML with its script inside, in the page of the book and
in JupyterLab alike.

    weights   scores, temperature and mask → the weights of a softmax
    window    center, half width and sigma → the weights of local attention
    cueing    a cueing experiment that the reader takes

Each stands in a module of the same name behind an underscore, loaded on first use; none
needs TensorFlow.
"""

import importlib

_FIGURES = ("cueing", "weights", "window")


def __getattr__(name):
    if name in _FIGURES:
        return getattr(importlib.import_module(f"attnlib.interactive._{name}"), name)
    raise AttributeError(
        f"module 'attnlib.interactive' has no attribute {name!r}; it has"
        f" {', '.join(_FIGURES)}"
    )


def __dir__():
    return sorted([*globals(), *_FIGURES])
