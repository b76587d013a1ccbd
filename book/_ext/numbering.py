"""Number figures and exercises by chapter: 3.1 is the first in ``03_….ipynb``.

Titles carry the numbers of their chapters, because the book may hold some chapters and
not others. Sphinx knows no chapter numbers, then, and would count through the whole
book.
"""


def by_chapter(app, env):
    for page, kinds in env.toc_fignumbers.items():
        chapter = (int(page[:2]),) if page[:2].isdigit() else ()
        for numbers in kinds.values():
            for position, label in enumerate(numbers, start=1):
                numbers[label] = (*chapter, position)
    return []  # no page has to be read again


def setup(app):
    # Sphinx has counted by then.
    app.connect("env-get-updated", by_chapter, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
