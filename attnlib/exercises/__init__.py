"""The exercises: one module a chapter, each with its solutions, hints and checks.

from attnlib.exercises import bahdanau as ex
ex.additive_scores.check(additive_scores)     ex.additive_scores.hint()     ex.additive_scores.solution()
"""
