r"""The attention maps of a Transformer by layer and head, as an interactive figure: a
small picture of each, and the one that is chosen in full.
"""

from attnlib.interactive.attention_map import checked_map, map_data, map_table
from attnlib.interactive.decoder_step import MAX_LENGTH, SPECIAL, checked_text
from attnlib.interactive.frame import Figure, foldable_table
from attnlib.numpy_translators import Translator

MEAN = "mean of all"


def head_maps(translator, text, gold=None, title="Cross-attention by layer and head"):
    r"""The maps of cross-attention in one translation, and their mean.

    In layer :math:`l` and head :math:`h`, output character :math:`i` attends to input
    character :math:`j` with the weight :math:`\alpha^{(l, h)}_{ij} \in [0, 1]`.

    Parameters
    ----------
    translator : attnlib.numpy_translators.Translator
        A Transformer, such as ``Translator.load("dates-transformer")``. If it has
        functions of your own, the figure shows the translation that they write.
    text : str
        The text to translate, of 1 to 60 characters that the translator knows.
    gold : iterable of (int, int), optional
        (target_index, source_index) of the links in the gold alignment of `text`. A
        button shows them, and each map says how much of its weight lies on them.
    title : str or None
        Heading of the figure.

    Returns
    -------
    Figure
        What a notebook displays. In a page of the book, readers can also enter a text
        of their own, which is translated by the model as attnlib brings it.

    Raises
    ------
    TypeError
        If ``translator`` is not a Translator, ``text`` is not a str, or gold links are
        not pairs of integers.
    ValueError
        If the translator has no heads; if the text is empty, too long, or holds
        characters that the translator does not know, in which case the message lists
        those that it knows; or if a gold link leads to no character.

    Notes
    -----
    The weight on gold links is the mean, over all output characters that have any, of
    the sum of their weights on them.
    """
    data, mean = _data_and_mean(translator, text, gold)
    table = foldable_table("The weights of this map as a table", map_table(mean))
    return Figure("head_maps", title, table, data)


def maps_of_heads(translator, text):
    """What the figure draws without gold links, as data that JSON can hold.

    Parameters
    ----------
    translator : attnlib.numpy_translators.Translator
    text : str

    Returns
    -------
    dict
        ``maps``, of the mean and then of each head, layer by layer: each as
        ``attention_map`` has it, with a ``name``, and ``on_gold`` where there are gold
        links; ``heads``, the number of heads of a layer; ``text``; ``known``, the
        characters that the translator knows; and ``longest``, the length of the longest
        text.

    Raises
    ------
    TypeError, ValueError
        As ``head_maps``.
    """
    return _data_and_mean(translator, text, None)[0]


def _data_and_mean(translator, text, gold):
    """What the figure draws, and its first map."""
    known = _checked_translator(translator).source_tokens[SPECIAL:]
    source = checked_text(text, known)
    target, _ = translator(source)
    if not target:
        raise ValueError(f"text should have a translation, got none for {text!r:.60}")
    weights = translator.head_weights[:, :, : len(target)]
    layers, heads = weights.shape[:2]
    named = {MEAN: weights.mean(axis=(0, 1))} | {
        f"layer {layer + 1}, head {head + 1}": weights[layer, head]
        for layer in range(layers)
        for head in range(heads)
    }
    maps = [
        checked_map(source, target, each, gold)._replace(name=name)
        for name, each in named.items()
    ]
    data = {
        "maps": [{**map_data(each), **_on_gold(each)} for each in maps],
        "heads": heads,
        "text": "".join(source),
        "known": "".join(sorted(known)),
        "longest": MAX_LENGTH,
    }
    return data, maps[0]


def _checked_translator(translator):
    if not isinstance(translator, Translator):
        raise TypeError(
            "translator should be a Translator, such as"
            f" Translator.load('dates-transformer'), got {translator!r:.60}"
        )
    if getattr(translator, "head_weights", None) is None:
        raise ValueError(
            "translator should have heads, as Translator.load('dates-transformer')"
            f" has, got {translator.name!r}"
        )
    return translator


def _on_gold(each):
    """{"on_gold": the share of a map's weight on gold links}; empty without links."""
    if not each.gold:
        return {}
    rows = {row for row, _ in each.gold}
    total = sum(each.weights[link] for link in each.gold)
    return {"on_gold": round(float(total / len(rows)), 4)}
