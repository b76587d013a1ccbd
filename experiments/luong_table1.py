"""Luong et al. (2015), Table 1, in miniature: number words, one thing added at a time."""

from _luong import words
from _training import arguments, save

MODELS = (
    "base",
    "reverse",
    "dropout",
    "location",
    "location-fed",
    "local-p-general-fed",
)


def main():
    options = arguments(__doc__.splitlines()[0])
    runs = words(MODELS, options)
    save(options.output / "luong_table1.json", {"runs": runs})
    print(f"{len(runs)} runs in {options.output / 'luong_table1.json'}")


if __name__ == "__main__":
    main()
