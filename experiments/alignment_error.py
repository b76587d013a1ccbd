"""Alignment error rate on dates, of every kind of attention: Luong et al. (2015), Table
6, in miniature.

Also where local-m gets its right answers from: with a window of three to each side it
cannot see what it writes, so the encoder's direction and the decoder's first state are
varied. And local-p without its Gaussian.
"""

from _luong import on_dates
from _training import arguments, save

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


def main():
    options = arguments(__doc__.splitlines()[0])
    runs = on_dates(MODELS, options)
    save(options.output / "alignment_error.json", {"runs": runs})
    print(f"{len(runs)} runs in {options.output / 'alignment_error.json'}")


if __name__ == "__main__":
    main()
