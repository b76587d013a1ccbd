"""The book's data sets: ``numbers``, ``dates``, ``sums``, and ``canvases`` are
generated, ``reviews`` is loaded.
"""
