"""The concat score as Luong et al. (2015) write it, and as footnote 15 says they ran
it: half of W_a an identity.
"""

from _luong import on_dates, words
from _training import arguments, save


def main():
    options = arguments(__doc__.splitlines()[0])
    runs = words(("concat-fed", "concat-identity-fed"), options) + on_dates(
        ("concat", "concat-identity"), options
    )
    save(options.output / "concat_footnote15.json", {"runs": runs})
    print(f"{len(runs)} runs in {options.output / 'concat_footnote15.json'}")


if __name__ == "__main__":
    main()
