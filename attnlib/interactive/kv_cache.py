"""A cache of keys and values that fills while a text is written, as an interactive
figure: what is kept, what is read, and how many bytes it takes.
"""

from attnlib.arguments import integer, one_of
from attnlib.interactive.frame import (
    Figure,
    distinct_names,
    foldable_table,
    printable_tokens,
    to_html,
    visible,
)

MAX_TOKENS = 16  # more do not fit on a phone
MAX_LAYERS = 3
MAX_HEADS = 8
BYTES = 2  # of a number in bfloat16 or float16

MODEL = {
    "name": "Mistral 7B v0.1",
    "layers": 32,
    "heads": 32,
    "kv_heads": 8,
    "head_dim": 128,
    "window": 4096,
}
"""A well-known model: Jiang et al. (2023), table 1."""


def kv_cache(
    tokens,
    layers=2,
    heads=4,
    kv_heads=4,
    head_dim=16,
    window=None,
    sinks=0,
    title="A cache of keys and values",
):
    r"""A cache that fills token by token, with sliders for what it keeps.

    Each token adds one key and one value per layer and key–value head, and its queries
    read what is kept. With :math:`n` positions, the cache takes

    .. math::

       2 \cdot \text{layers} \cdot \text{key–value heads} \cdot n \cdot
       \text{head\_dim} \cdot 2 \text{ bytes},

    2 for key and value, and 2 bytes per number. A window of :math:`w` and :math:`s`
    sinks keep the last :math:`w` positions and the first :math:`s`.

    Parameters
    ----------
    tokens : list of str
        2 to 16 tokens, which are written one by one.
    layers : int
        Number of layers, 1 to 3.
    heads : int
        Number of query heads, 1 to 8.
    kv_heads : int
        Number of key–value heads that is chosen first, a divisor of ``heads``.
    head_dim : int
        Numbers in a key, and in a value, 1 to 1024.
    window : int, optional
        The window that is chosen first, 1 to ``len(tokens)``. By default there is none.
    sinks : int
        The number of sinks that is chosen first, 0 to 4.
    title : str or None
        Heading of the figure.

    Returns
    -------
    Figure
        What a notebook displays. Below, it counts the cache of ``MODEL`` in the same
        way.

    Raises
    ------
    TypeError
        If tokens are not str, or numbers are not integers.
    ValueError
        If a length or a number is out of range, or ``kv_heads`` is not a divisor of
        ``heads``.

    Notes
    -----
    Fewer key–value heads than query heads: Shazeer (2019) and Ainslie et al. (2023).
    The window: Jiang et al. (2023). Sinks: Xiao et al. (2024).
    """
    tokens = printable_tokens("tokens", tokens, MAX_TOKENS)
    if len(tokens) < 2:
        raise ValueError("tokens should have 2 tokens or more, got 1")
    heads = integer("heads", heads, 1, MAX_HEADS)
    kv_heads = integer("kv_heads", kv_heads, 1, heads)
    one_of("kv_heads", kv_heads, [n for n in range(1, heads + 1) if heads % n == 0])
    if window is not None:
        window = integer("window", window, 1, len(tokens))
    data = {
        "tokens": [visible(token) for token in tokens],
        "names": distinct_names(tokens),
        "layers": integer("layers", layers, 1, MAX_LAYERS),
        "heads": heads,
        "kv_heads": kv_heads,
        "head_dim": integer("head_dim", head_dim, 1, 1024),
        "window": window,
        "sinks": integer("sinks", sinks, 0, 4),
        "model": MODEL,
    }
    return Figure("kv_cache", title, _fallback(data), data)


def kept_positions(position, window=None, sinks=0):
    """The positions that the cache holds once the token at `position` is in it.

    Parameters
    ----------
    position : int
    window : int or None
    sinks : int

    Returns
    -------
    list of int
    """
    first = 0 if window is None else max(position - window + 1, 0)
    return [j for j in range(position + 1) if j < sinks or j >= first]


def cache_bytes(positions, layers, kv_heads, head_dim):
    """The bytes of a cache.

    Parameters
    ----------
    positions, layers, kv_heads, head_dim : int

    Returns
    -------
    int
    """
    keys_and_values = 2 * layers * kv_heads * positions
    return keys_and_values * head_dim * BYTES


def _fallback(data):
    """A table of the small model, which the script keeps up to date, and one of the
    well-known model.
    """
    layers, kv_heads = data["layers"], data["kv_heads"]
    per_position = 2 * layers * kv_heads
    rows = []
    for t, token in enumerate(data["tokens"]):
        kept = len(kept_positions(t, data["window"], data["sinks"]))
        size = cache_bytes(kept, layers, kv_heads, data["head_dim"])
        without = per_position * (t + 1) * (t + 2) // 2
        counts = (kept, size, per_position * (t + 1), without)
        cells = "".join(f"<td>{count:,}" for count in counts)
        rows.append(f"<tr><td>{t}<th scope=row>{to_html(token)}{cells}")
    names = (
        *("position", "token", "positions kept", "bytes in the cache"),
        "keys and values computed so far",
        "without a cache",
    )
    head = "".join(f"<th scope=col>{name}" for name in names)
    window, sinks, dim = (data[name] for name in ("window", "sinks", "head_dim"))
    rule = "every position"
    if window is not None:
        rule = f"the last {_plural(window, 'position')}"
        rule += f" and the first {sinks if sinks > 1 else 'one'}" if sinks else ""
    small = (
        f"<table><caption>{_plural(layers, 'layer')},"
        f" {_plural(data['heads'], 'query head')},"
        f" {_plural(kv_heads, 'key–value head')} of {_plural(dim, 'number')}, {rule}"
        f"</caption><thead><tr>{head}<tbody>{''.join(rows)}</table>"
    )
    return foldable_table("The counts as a table", small) + _model_table(data["model"])


def _model_table(model, tokens=32768):
    """The cache of a well-known model in three forms."""
    head = "".join(f"<th scope=col>{name}" for name in ("what is kept", "cache"))
    rows = "".join(
        f"<tr><th scope=row>{name}<td>{_size(size)}"
        for name, size in model_sizes(model, tokens)
    )
    return (
        f'<table class="kv-model"><caption>{model["name"]} has {model["layers"]}'
        f" layers, {model['heads']} query heads, {model['kv_heads']} key–value heads"
        f" of {model['head_dim']} numbers, and a window of {model['window']:,} (Jiang"
        f" et al., 2023). Its cache after {tokens:,} tokens:</caption>"
        f"<thead><tr>{head}<tbody>{rows}</table>"
    )


def model_sizes(model, tokens):
    """The cache of a model with one key–value head per query head; as built, but
    without its window; and as built.

    Parameters
    ----------
    model : dict
        Such as ``MODEL``.
    tokens : int

    Returns
    -------
    list of (str, int)
        What is kept, in words, and its bytes.
    """
    window, heads, kv_heads = (model[each] for each in ("window", "heads", "kv_heads"))
    rows = (
        (heads, tokens, f"{heads} key–value heads, every position"),
        (kv_heads, tokens, f"{kv_heads} key–value heads, every position"),
        (
            kv_heads,
            min(tokens, window),
            f"{kv_heads} key–value heads, the last {window:,} positions (as built)",
        ),
    )
    return [
        (name, cache_bytes(kept, model["layers"], each, model["head_dim"]))
        for each, kept, name in rows
    ]


def _plural(number, name):
    return f"{number:,} {name}{'' if number == 1 else 's'}"


def _size(number):
    """Bytes in GB, MB, or kB of powers of ten, with three digits."""
    for unit, power in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number >= power:
            shown = number / power
            return f"{shown:.{2 - (shown >= 10) - (shown >= 100)}f} {unit}"
    return f"{number} bytes"
