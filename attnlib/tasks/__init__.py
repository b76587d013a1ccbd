"""The book's data sets: ``numbers``, ``dates``, and ``canvases`` are generated,
``reviews`` is loaded.
"""
