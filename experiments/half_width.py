"""Exact match and alignment error rate on dates against D, half the width of the
window, for local-m and local-p.
"""

from _luong import on_dates
from _training import arguments, save

HALF_WIDTHS = (1, 2, 3, 5, 8, 10, 15, 20)
MODELS = tuple(
    f"local-{kind}-{half_width}" for half_width in HALF_WIDTHS for kind in "mp"
)


def main():
    options = arguments(__doc__.splitlines()[0])
    runs = on_dates(MODELS, options, seeds=(0, 1, 2))
    save(options.output / "half_width.json", {"half_widths": HALF_WIDTHS, "runs": runs})
    print(f"{len(runs)} runs in {options.output / 'half_width.json'}")


if __name__ == "__main__":
    main()
