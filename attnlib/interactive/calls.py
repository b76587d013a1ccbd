"""What a page of the book may ask its Python for, on behalf of a figure and on the
reader's own input.

``FUNCTIONS`` is the whole list. Each function needs NumPy alone, takes arguments and
returns values that JSON can hold, limits the size of its input, and refuses what it
cannot use with a TypeError or a ValueError whose message is for the reader.
"""

from functools import cache

from attnlib.interactive.decoder_step import decoder_steps
from attnlib.interactive.head_maps import maps_of_heads
from attnlib.interactive.heads import head_numbers
from attnlib.interactive.own_words import word_scores
from attnlib.numpy_classifier import Classifier
from attnlib.numpy_translators import Translator


def steps_of_text(name, text):
    """The steps in which a translator that attnlib brings translates a text.

    Parameters
    ----------
    name : str
        As in ``Translator.load``.
    text : str
        As in ``decoder_step``.

    Returns
    -------
    dict
        As ``attnlib.interactive.decoder_step.decoder_steps`` returns it.

    Raises
    ------
    TypeError, ValueError
        If there is no such translator, or if it cannot translate the text.
    """
    return decoder_steps(_translator(name), text)


def maps_of_text(name, text):
    """The attention maps of a text's translation, by layer and head.

    Parameters
    ----------
    name : str
        As in ``Translator.load``.
    text : str
        As in ``head_maps``.

    Returns
    -------
    dict
        As ``attnlib.interactive.head_maps.maps_of_heads`` returns it.

    Raises
    ------
    TypeError, ValueError
        If there is no such translator, or if it cannot translate the text.
    """
    return maps_of_heads(_translator(name), text)


def _translator(name):
    if not isinstance(name, str):
        raise TypeError(f"name should be a str, got {name!r:.60}")
    return _loaded_translator(name)


@cache
def _loaded_translator(name):
    return Translator.load(name)


def scores_of_text(name, text):
    """The words of a text with the numbers that a classifier of attnlib gives them.

    Parameters
    ----------
    name : str
        As in ``Classifier.load``.
    text : str
        As in ``own_words``.

    Returns
    -------
    dict
        As ``attnlib.interactive.own_words.word_scores`` returns it.

    Raises
    ------
    TypeError, ValueError
        If there is no such classifier, or if it cannot read the text.
    """
    if not isinstance(name, str):
        raise TypeError(f"name should be a str, got {name!r:.60}")
    return word_scores(_classifier(name), text)


@cache
def _classifier(name):
    return Classifier.load(name)


FUNCTIONS = {
    "decoder_steps": steps_of_text,
    "head_maps": maps_of_text,
    "heads": head_numbers,
    "word_scores": scores_of_text,
}
