"""The concat score as Luong et al. (2015) write it, and as footnote 15 says they ran
it: half of W_a is an identity matrix.
"""

from experiments._luong import on_dates, words
from experiments._training import main


def measure(options):
    on_words = words(("concat-fed", "concat-identity-fed"), options)
    return {"runs": on_words + on_dates(("concat", "concat-identity"), options)}


if __name__ == "__main__":
    main("concat_footnote15", __doc__, measure)
