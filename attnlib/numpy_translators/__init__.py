r"""Translators in NumPy alone, with trained weights: small enough for a web page, and
made of parts that your own functions can replace.

::

    translator = Translator.load("dates")
    tokens, weights = translator("Tuesday, March 5, 2024")

One sentence is translated at a time, so the batch axis always has length 1, and there
is no padding. A test holds that each model gives the same tokens and weights as the
same model in Keras.

There are four models. Three are the plain form of ``Seq2Seq``, with one loop over the
source and one over the target. In each of them the parts stand on one another:
``translate_sentence`` calls ``greedy_decode``, which calls the step of the decoder once
per output token.

- "dates-additive", or "dates": ``bahdanau_step`` calls ``additive_scores`` and
  ``attend``, which calls ``softmax``.
- "dates-general": ``luong_step`` calls ``general_scores`` and ``attend``, which calls
  ``softmax``.
- "dates-local-p": ``local_step`` calls ``predicted_center``, ``general_scores``, and
  ``local_attend``, which calls ``softmax``.

The fourth, "dates-transformer", is the plain form of ``Transformer``: ``generate``
runs the whole decoder again for each output token. The model calls ``encoder_block``,
``decoder_block``, ``layer_norm``, ``causal_mask``, and ``sinusoidal_positions``. The
blocks call ``layer_norm``, too, ``feed_forward``, and ``multi_head_attention``, which
calls ``scaled_dot_product_attention`` for each head.
"""

import json
import unicodedata
from pathlib import Path
from typing import NamedTuple

import numpy as np

from attnlib import reference as ref
from attnlib.arguments import one_of
from attnlib.numpy_translators._checks import (
    array_of,
    check_parts,
    checked,
    tokens_of,
    values_of,
)
from attnlib.numpy_translators._models import (
    BahdanauModel,
    LocalModel,
    LuongModel,
    RecurrentModel,
)
from attnlib.numpy_translators._parts import (
    attend_of,
    bahdanau_step_of,
    greedy_decode,
    local_attend_of,
    local_step_of,
    luong_step_of,
    predicted_center,
    translate_sentence,
)
from attnlib.numpy_translators._transformer import TransformerModel, generate

__all__ = [
    "PARTS",
    "BahdanauModel",
    "LocalModel",
    "LuongModel",
    "RecurrentModel",
    "TransformerModel",
    "Translator",
    "generate",
    "greedy_decode",
    "translate_sentence",
]

WEIGHTS = Path(__file__).parent.parent / "weights"
MAX_LENGTH = 200  # tokens of a source


class Kind(NamedTuple):
    """How a model is made, and which parts it has, from the outermost inward."""

    make_model: object  # (parameters, description, the reader's parts) -> model
    make_step: object  # the reader's parts by name -> the step, if it has one
    parts: tuple


def _bahdanau_step(own):
    softmax = own.get("softmax", ref.softmax)
    scores = own.get("additive_scores", ref.additive_scores)
    attend = own.get("attend", attend_of(softmax))
    return own.get("bahdanau_step", bahdanau_step_of(scores, attend))


def _luong_step(own):
    softmax = own.get("softmax", ref.softmax)
    scores = own.get("general_scores", ref.general_scores)
    attend = own.get("attend", attend_of(softmax))
    return own.get("luong_step", luong_step_of(scores, attend))


def _local_step(own):
    softmax = own.get("softmax", ref.softmax)
    scores = own.get("general_scores", ref.general_scores)
    center = own.get("predicted_center", predicted_center)
    attend = own.get("local_attend", local_attend_of(softmax))
    return own.get("local_step", local_step_of(center, scores, attend))


OUTERMOST = ("translate_sentence", "greedy_decode")
KINDS = {
    "dates-additive": Kind(
        lambda parameters, *_: BahdanauModel(parameters),
        _bahdanau_step,
        (*OUTERMOST, "bahdanau_step", "additive_scores", "attend", "softmax"),
    ),
    "dates-general": Kind(
        lambda parameters, *_: LuongModel(parameters),
        _luong_step,
        (*OUTERMOST, "luong_step", "general_scores", "attend", "softmax"),
    ),
    "dates-local-p": Kind(
        lambda parameters, made, _: LocalModel(parameters, made["half_width"]),
        _local_step,
        (
            *(*OUTERMOST, "local_step", "predicted_center", "general_scores"),
            *("local_attend", "softmax"),
        ),
    ),
    "dates-transformer": Kind(
        lambda parameters, _, own: TransformerModel(parameters, **own),
        None,
        (
            *("generate", "decoder_block", "encoder_block", "multi_head_attention"),
            *("scaled_dot_product_attention", "layer_norm", "feed_forward"),
            *("causal_mask", "sinusoidal_positions"),
        ),
    ),
}
NAMES = {"dates": "dates-additive", **{name: name for name in KINDS}}
PARTS = {name: kind.parts for name, kind in KINDS.items()}
"""The names of a model's parts, from the outermost inward."""


class Translator:
    r"""A trained translator, of which every part may be yours.

    ``Translator.load(name, **parts)`` makes one, and ``translator(tokens)`` translates.

    Attributes
    ----------
    name : str
        Such as "dates-additive".
    model : BahdanauModel, LuongModel, LocalModel, or TransformerModel
    source_tokens, target_tokens : list of str
        The vocabularies. The first three are <pad>, <start>, and <end>.
    provenance : dict
        How the weights were made: data, versions, date, and what they reach.
    yours : tuple of str
        The parts that were given, from the outermost to the innermost.
    centers : array, shape (steps,), or None
        For "dates-local-p", :math:`p_t` of each step of the last translation, in source
        positions from 0.
    head_weights : array, shape (layers, heads, steps, source_len), or None
        For "dates-transformer", the weights of the cross-attention in the last
        translation. They are those of our own code, in one pass over the tokens that
        were written.
    """

    def __init__(self, name, parameters, description, parts):
        kind = KINDS[name]
        self.name = name
        self.source_tokens = description["source_vocabulary"]
        self.target_tokens = description["target_vocabulary"]
        self.provenance = description["provenance"]
        self.yours = tuple(part for part in kind.parts if part in parts)
        self.centers = self.head_weights = None
        own = {
            part: checked(part, function)
            for part, function in parts.items()
            if part != "translate_sentence"
        }
        self.model = kind.make_model(parameters, description, own)
        if isinstance(self.model, TransformerModel):
            self._translate = self._by_generating(own.get("generate", generate))
        else:
            whole = parts.get("translate_sentence", translate_sentence)
            decode = own.get("greedy_decode", greedy_decode)
            self._translate = self._in_steps(whole, kind.make_step(own), decode)

    def _in_steps(self, whole, step, decode):
        """source -> tokens and weights, for a model whose decoder has steps."""
        if isinstance(self.model, LocalModel):
            self.centers, step = np.empty(0), self._keep_centers(step)
        model = self.model
        return lambda source: whole(
            model, source, model.max_length(source), step, decode
        )

    def _keep_centers(self, local_step):
        def step(*arguments):
            result = local_step(*arguments)
            self.centers = np.append(self.centers, result[3])
            return result

        return step

    def _by_generating(self, own_generate):
        """source -> tokens and weights, for the Transformer."""
        model = self.model
        self.head_weights = np.empty((model.layers, model.heads, 0, 0))

        def translate(source):
            tokens = own_generate(model, source)
            tokens = tokens_of("generate", tokens, len(self.target_tokens))
            decoder_tokens = [model.start, *tokens]
            if len(tokens) == model.max_length(source):
                decoder_tokens.pop()  # the last token was not followed by a step
            self.head_weights = model.head_weights(source, decoder_tokens)
            return tokens, self.head_weights.mean(axis=(0, 1))

        return translate

    @classmethod
    def load(cls, name="dates", **parts):
        """A translator with the weights that attnlib brings.

        Parameters
        ----------
        name : str, optional
            The models take a date in English, French, German, or Spanish, and write an
            ISO date, character by character: "dates-additive", or "dates" for short,
            with Bahdanau's additive attention; "dates-general" with Luong's global
            attention and the score "general"; "dates-local-p" with the same score and a
            window around a predicted center; "dates-transformer" is a Transformer.
        **parts : functions
            Your own functions, which take and return what the exercises of these names
            say. ``PARTS[name]`` lists their names, such as ``translate_sentence``,
            ``greedy_decode``, ``bahdanau_step``, ``additive_scores``, ``attend``, and
            ``softmax``. A part that is not given is ours. A part is called by our code
            alone: your ``attend``, for example, calls whatever softmax it names, and
            the ``softmax`` given here then has nothing to do.

        Returns
        -------
        Translator

        Raises
        ------
        ValueError
            If there is no model of such a name, or it has no such part.
        TypeError
            If a part is not a function.
        FileNotFoundError
            If the weights are not where attnlib is.
        """
        given, name = name, NAMES[one_of("name", name, tuple(NAMES))]
        check_parts(parts, name, PARTS[name], f"Translator.load({given!r}, ...)")
        parameters, description = read_weights(name)
        return cls(name, parameters, description, parts)

    def __call__(self, tokens):
        r"""Translate one sentence.

        Parameters
        ----------
        tokens : list of str, or str
            The tokens of the sentence. Where tokens are characters, as in dates, a text
            does as well: "March 5, 2024".

        Returns
        -------
        tokens : list of str
            Those of the translation.
        weights : array, shape (steps, source_len)
            Row i holds the weights :math:`\alpha_{ij}` of the step that wrote token i.
            Where the end was written, the last row is that of its step, so there is one
            row more than tokens. For "dates-transformer", they are the means over all
            layers and heads of the cross-attention; ``head_weights`` holds those of
            each head.

        Raises
        ------
        TypeError
            If `tokens` is neither a text nor a list of str, or one of your functions
            returns something else than it should.
        ValueError
            If there are no tokens, too many, or some that the model does not know; the
            message lists those that it knows.
        """
        source = [self.source_tokens.index(token) for token in self._known(tokens)]
        if self.centers is not None:
            self.centers = np.empty(0)
        result = self._translate(source)
        outermost = self.yours[0] if self.yours else PARTS[self.name][0]
        numbers, weights = values_of(outermost, result)
        numbers = tokens_of(outermost, numbers, len(self.target_tokens))
        weights = array_of(outermost, "weights", weights, "steps", len(source))
        return [self.target_tokens[number] for number in numbers], weights

    def _known(self, tokens):
        """The tokens as a list, if they are what this model can read."""
        is_list = isinstance(tokens, (list, tuple))
        if not isinstance(tokens, str) and not (
            is_list and all(isinstance(token, str) for token in tokens)
        ):
            raise TypeError(
                "tokens should be a text or a list of characters, such as 'May 1, 2024'"
                f" or list('May 1, 2024'), got {tokens!r:.60}"
            )
        tokens = list(tokens)
        if not "".join(tokens).strip():
            raise ValueError(
                "tokens should hold a date such as 'May 1, 2024', got nothing to"
                " translate"
            )
        if len(tokens) > MAX_LENGTH:
            raise ValueError(
                f"tokens should be at most {MAX_LENGTH} characters, got {len(tokens)}"
            )
        known = self.source_tokens[3:]
        unknown = [token for token in dict.fromkeys(tokens) if token not in known]
        if unknown:
            raise ValueError(
                f"tokens should hold characters that this model knows, got"
                f" {', '.join(map(_named, unknown[:5]))}"
                f"{' and others' if unknown[5:] else ''}. It knows the space and"
                f" {''.join(known).replace(' ', '')}"
            )
        return tokens

    def __repr__(self):
        if not self.yours:
            return f"Translator {self.name!r}: every part is ours"
        return f"Translator {self.name!r} with your {', '.join(self.yours)}"


def read_weights(name):
    """The parameters of a model that attnlib brings, and its description.

    Parameters
    ----------
    name : str
        Of its files.

    Returns
    -------
    parameters : dict of str to array, float16
    description : dict

    Raises
    ------
    FileNotFoundError
        If the weights are not where attnlib is.
    """
    try:
        with np.load(WEIGHTS / f"{name}.npz") as arrays:
            parameters = dict(arrays)
        text = (WEIGHTS / f"{name}.json").read_text(encoding="utf-8")
    except FileNotFoundError:
        raise FileNotFoundError(
            f"the weights of {name!r} are not beside attnlib: in a page, the cell that"
            " loads them has to be one of the page's own"
        ) from None
    return parameters, json.loads(text)


def _named(token):
    """A token as a message shows it; beyond ASCII, a character with its name, because
    some look alike.
    """
    if len(token) != 1:
        return f"{token!r:.30}, which is no single character"
    name = unicodedata.name(token, "")
    return f"{token!r} ({name})" if name and not token.isascii() else repr(token)
