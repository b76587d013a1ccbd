"""Is every exercise checked on what life brings? Its cases are read, and wrong answers
are made from its own solution.

A demand that does not fit an exercise is in OPT_OUTS, with the sentence of the
exercise's docstring that allows it.
"""

import functools
import itertools
import re

import numpy as np
import pytest
from test_exercises import EXERCISES, every_exercise

from attnlib import reference as ref
from attnlib.checking import compare
from attnlib.exercises._demands import MASK_KINDS, in_float32, mask_kind
from attnlib.exercises._mistakes import reference_with, with_globals

# (exercise, demand): the words of its docstring that allow it to be left out.
OPT_OUTS = {
    ("masked_weights", "nothing"): "Every sentence has at least one word.",
    ("final_state", "padding first"): "True at words, which come first",
    ("final_state", "a gap"): "True at words, which come first",
    ("final_state", "first_words"): "True at words, which come first",
    ("window_attend", "shifted by one maximum"): "weights of one query",
    ("self_attention_weights", "nothing"): "Every sentence has at least one word.",
    ("self_attention_weights", "-1e9"): "rows of padded queries are not used",
    ("self_attention_weights", "-1e9 added"): "with numbers from -1000 to 1000",
    ("fixed_links_error_rate", "sorted_lists"): "lists of sets",
    ("fixed_links_error_rate", "without_repetition"): "lists of sets",
