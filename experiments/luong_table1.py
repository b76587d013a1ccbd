"""Luong et al. (2015), Table 1, in miniature: number words, one thing added per row."""

from experiments._luong import words
from experiments._training import main

MODELS = (
    "base",
    "reverse",
    "dropout",
    "location",
    "location-fed",
    "local-p-general-fed",
)


def measure(options):
    return {"runs": words(MODELS, options)}


if __name__ == "__main__":
    main("luong_table1", __doc__, measure)
