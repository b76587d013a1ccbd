"""Luong et al. (2015), Table 4, in miniature: number words, every score with global and
with local attention.
"""

from experiments._luong import words
from experiments._training import main

MODELS = (
    "location-fed",
    "dot-fed",
    "general-fed",
    "concat-fed",
    "local-m-dot-fed",
    "local-m-general-fed",
    "local-p-dot-fed",
    "local-p-general-fed",
)


def measure(options):
    return {"runs": words(MODELS, options)}


if __name__ == "__main__":
    main("luong_table4", __doc__, measure)
