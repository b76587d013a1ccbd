"""Attention, step by step: the small library behind the book.

Modules load on first use, so ``import attnlib`` costs next to nothing. These need no
TensorFlow, and so are what could run in a web page: ``arguments``, ``checking``,
``exercises`` (but ``*_keras``), ``interactive``, ``metrics``, ``plots``,
``provenance``, ``quiz``, ``reference``, ``results``, ``tasks``, and ``vocabulary``.
"""

import importlib

__version__ = "0.1.0"
_MODULES = (
    "checking",
    "decoders",
    "exercises",
    "interactive",
    "layers",
    "metrics",
    "plots",
    "provenance",
    "quiz",
    "reference",
    "results",
    "scores",
    "search",
    "seq2seq",
    "tasks",
    "translator",
    "vocabulary",
)


def __getattr__(name):
    if name in _MODULES:
        return importlib.import_module(f"attnlib.{name}")
    raise AttributeError(
        f"module 'attnlib' has no attribute {name!r}; its modules are "
        f"{', '.join(_MODULES)}"
    )


def __dir__():
    return sorted([*globals(), *_MODULES])
