"""Exact match and alignment error rate on dates against D, the half-width of the
window, for local-m and local-p.
"""

from experiments._luong import on_dates
from experiments._training import main

HALF_WIDTHS = (1, 2, 3, 5, 8, 10, 15, 20)
MODELS = tuple(
    f"local-{kind}-{half_width}" for half_width in HALF_WIDTHS for kind in "mp"
)


def measure(options):
    runs = on_dates(MODELS, options, seeds=(0, 1, 2))
    return {"half_widths": HALF_WIDTHS, "runs": runs}


if __name__ == "__main__":
    main("half_width", __doc__, measure)
