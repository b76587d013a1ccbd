"""The exercises: one module per chapter, named like its notebook, content only.

Each module holds the chapter's exercises with their solutions, cases, hints, and known
mistakes; ``attnlib.checking`` runs them::

    from attnlib.exercises import bahdanau as ex

    ex.additive_scores.check(additive_scores)
    ex.additive_scores.hint()
    ex.additive_scores.solution()

The exercises that need Keras are in ``sentiment_keras`` and ``bug_hunt_keras``, which
``sentiment`` and ``bug_hunt`` load on first use. What several chapters use is in
``_shared``.
"""
