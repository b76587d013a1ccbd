"""Number figures and exercises by chapter: 3.1 is the first of `03_….ipynb`.

Titles carry the chapters' numbers themselves, since the book may hold some chapters and
not others; so Sphinx knows none, and would count through the whole book.
"""


def by_chapter(app, env):
    for page, kinds in env.toc_fignumbers.items():
        chapter = (int(page[:2]),) if page[:2].isdigit() else ()
        for numbers in kinds.values():
            for place, label in enumerate(numbers, start=1):
                numbers[label] = (*chapter, place)
    return []  # no page to read again


def setup(app):
    app.connect(
        "env-get-updated", by_chapter, priority=900
    )  # after Sphinx has counted
    return {"parallel_read_safe": True, "parallel_write_safe": True}
