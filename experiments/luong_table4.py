"""Luong et al. (2015), Table 4, in miniature: number words, every score with every
reach.
"""

from _luong import words
from _training import arguments, save

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


def main():
    options = arguments(__doc__.splitlines()[0])
    runs = words(MODELS, options)
    save(options.output / "luong_table4.json", {"runs": runs})
    print(f"{len(runs)} runs in {options.output / 'luong_table4.json'}")


if __name__ == "__main__":
    main()
