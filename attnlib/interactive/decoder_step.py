r"""A decoder step as an interactive figure: query, scores, weights, context, new state,
and the next character, one output at a time.
"""

import unicodedata

import numpy as np

from attnlib import reference as ref
from attnlib.interactive.frame import (
    Figure,
    bar,
    distinct_names,
    foldable_table,
    minus,
    printable_tokens,
    spoken,
    to_html,
    visible,
)
from attnlib.numpy_translators import BahdanauModel, Translator

MAX_LENGTH = 60  # characters of a source: more do not fit on a screen
MAX_STEPS = 24  # of a translation, which should end after 11
CANDIDATES = 3  # the most probable characters that are shown
SPECIAL = 3  # <pad>, <start>, and <end> stand before the characters of a vocabulary
EXAMPLE = "May 1, 2025"


def decoder_step(translator, text, title="One step of the decoder"):
    r"""The steps of a decoder with attention, to go through forward and back.

    Step :math:`i` takes the previous state :math:`s_{i-1}` as its query:

    .. math::

       e_{ij} &= v_a^\top \tanh(W_a s_{i-1} + U_a h_j)
       & \alpha_{ij} &= \frac{\exp(e_{ij})}{\sum_k \exp(e_{ik})} \\
       c_i &= \sum_j \alpha_{ij} h_j
       & s_i &= f(s_{i-1}, y_{i-1}, c_i)

    and the next character :math:`y_i` is the most probable one given :math:`s_i`,
    :math:`c_i`, and :math:`y_{i-1}`.

    Parameters
    ----------
    translator : attnlib.numpy_translators.Translator
        Such as ``Translator.load("dates")``. The figure uses its weights; the steps
        themselves are computed with ``attnlib.reference``, even where the translator
        was given other functions.
    text : str
        The text to translate, of 1 to 60 characters that the translator knows.
    title : str or None
        Heading of the figure.

    Returns
    -------
    Figure
        What a notebook displays. In a page of the book, readers can also enter a text
        of their own.

    Raises
    ------
    TypeError
        If ``translator`` is not a Translator, or ``text`` is not a str.
    ValueError
        If the text is empty, too long, or holds characters that the translator does not
        know; the message lists those that it knows.

    Notes
    -----
    Bahdanau, Cho, and Bengio (2015), equations 4 to 6 and appendix A.1.2. The loop ends
    with <end>, or after 24 characters.
    """
    data = decoder_steps(translator, text)
    table = _tables(data)
    fallback = foldable_table("The numbers of this step as tables", table)
    return Figure("decoder_step", title, fallback, data)


def decoder_steps(translator, text):
    """What the figure draws, as data that JSON can hold.

    Parameters
    ----------
    translator : attnlib.numpy_translators.Translator
    text : str

    Returns
    -------
    dict
        ``source`` and ``names``, the characters of the text as they are shown and
        spoken; a row per step of ``scores``, ``weights``, and ``contexts``; ``states``,
        with the first state in front, so that row i is the query of step i; and
        ``candidates``, the most probable characters of each step, as [character, name,
        probability], with the chosen one first. ``known`` are the characters that the
        translator knows, and ``longest`` is the length of the longest text.

    Raises
    ------
    TypeError, ValueError
        As ``decoder_step``.
    """
    if not isinstance(translator, Translator):
        raise TypeError(
            "translator should be a Translator, such as Translator.load('dates'), got"
            f" {translator!r:.60}"
        )
    if not isinstance(translator.model, BahdanauModel):
        raise ValueError(
            "translator should have Bahdanau's attention, as Translator.load('dates')"
            f" has, got {translator.name!r}"
        )
    known = translator.source_tokens[SPECIAL:]
    characters = checked_text(text, known)
    source = [translator.source_tokens.index(each) for each in characters]
    steps, states = _decode(translator.model, source)
    return {
        "source": [visible(each) for each in characters],
        "names": distinct_names(characters),
        "states": [_rounded(state, 2) for state in states],
        **{
            name: [_rounded(step[name], digits) for step in steps]
            for name, digits in (("scores", 2), ("weights", 4), ("contexts", 2))
        },
        "candidates": [
            _candidates(step["probabilities"], translator.target_tokens)
            for step in steps
        ],
        "text": "".join(characters),
        "known": "".join(sorted(known)),
        "longest": MAX_LENGTH,
    }


def checked_text(text, known):
    """The characters of a text without the spaces around it."""
    if not isinstance(text, str):
        raise TypeError(f"text should be a str such as {EXAMPLE!r}, got {text!r:.60}")
    characters = list(unicodedata.normalize("NFC", text[: 4 * MAX_LENGTH]).strip())
    if not characters:
        raise ValueError(f"text should hold a date such as {EXAMPLE!r}, got none")
    if len(characters) > MAX_LENGTH or len(text) > 4 * MAX_LENGTH:
        raise ValueError(
            f"text should have at most {MAX_LENGTH} characters, got {len(text)}"
        )
    unknown = [each for each in dict.fromkeys(characters) if each not in known]
    if unknown:
        shown = "".join(sorted(known)).replace(" ", "")
        raise ValueError(
            f"text should hold characters that the model knows, got"
            f" {', '.join(map(repr, unknown[:5]))}. It knows the space and {shown}"
        )
    return printable_tokens("text", characters)


def _decode(model, source):
    """The steps of a greedy search, and the states (len(steps) + 1, each (units,))."""
    annotations, state = model.encode(source)  # (1, source_len, dim), (1, units)
    token, steps, states = model.start, [], [state[0]]
    while token != model.end and len(steps) < MAX_STEPS:
        query, word = state[:, None], model.embed(token)  # (1, 1, units), (1, dim)
        scores = ref.additive_scores(
            query, annotations, model.w_query, model.w_keys, model.v
        )  # (1, 1, source_len)
        weights = ref.softmax(scores)
        context = (weights @ annotations)[:, 0]  # (1, dim)
        state = model.gru(np.concatenate([word, context], axis=-1), state)
        probabilities = ref.softmax(model.logits(state, context, word))[0]
        token = int(np.argmax(probabilities))
        states.append(state[0])
        steps.append(
            {
                "scores": scores[0, 0],
                "weights": weights[0, 0],
                "contexts": context[0],
                "probabilities": probabilities,
            }
        )
    return steps, states


def _rounded(numbers, digits):
    return (np.round(numbers, digits) + 0.0).tolist()  # + 0.0 turns -0 into 0


def _candidates(probabilities, tokens):
    """The most probable tokens as [shown, spoken, probability]."""
    order = np.argsort(-probabilities, kind="stable")[:CANDIDATES]
    return [
        [visible(tokens[k]), spoken(tokens[k]), round(float(probabilities[k]), 4)]
        for k in order.tolist()
    ]


def _tables(data):
    """The static fallback: the first step, which the script keeps up to date."""
    columns = zip(data["source"], data["scores"][0], data["weights"][0], strict=True)
    rows = [
        f"<tr><td>{j}<th scope=row>{to_html(character)}"
        f"<td>{minus(f'{score:.2f}')}<td>{bar(weight)}"
        for j, (character, score, weight) in enumerate(columns, 1)
    ]
    head = "".join(
        f"<th scope=col>{name}" for name in ("j", "character", "score", "weight")
    )
    words = [
        f"<tr><th scope=row>{to_html(shown)}<td>{bar(probability)}"
        for shown, _, probability in data["candidates"][0]
    ]
    count = len(data["candidates"])
    return (
        f"<table><caption>Step 1 of {count}: scores and weights of the input</caption>"
        f"<thead><tr>{head}<tbody>{''.join(rows)}</table>"
        f"<table><caption>The most probable next characters</caption>"
        "<thead><tr><th scope=col>character<th scope=col>probability"
        f"<tbody>{''.join(words)}</table>"
    )
