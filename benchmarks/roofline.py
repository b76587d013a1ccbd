"""The least that a case can cost: its floating-point operations, and the bytes that it
must read and write.

Operations are those of the arithmetic, on real tokens: two for a multiplication with
its addition, one for each addition or function of one number. Backward counts twice the
forward. Bytes are of inputs and outputs in float32.
"""


def layer(name, kind, batch, target_len, source_len, width):
    pairs = batch * target_len * source_len
    product = 2 * batch * width * width
    operations = {
        "additive": product * (target_len + source_len) + pairs * width * 4,
        "dot": pairs * width * 2,
        "general": product * target_len + pairs * width * 2,
    }[name] + pairs * (width * 2 + 4)  # and the context and the softmax
    numbers = batch * width * (2 * target_len + source_len)
    if kind == "gradients":
        operations, numbers = 3 * operations, 2 * numbers
    return {"operations": operations, "bytes": 4 * numbers}


def local(batch, queries, width, half_width):
    """Forward and backward of local-p with the general score, without the gradient to
    the values.
    """
    slots = batch * queries * (2 * half_width + 1)
    operations = 2 * (2 * batch * queries * width * width) + slots * (4 * width + 10)
    return {
        "operations": 3 * operations,
        "bytes": 4 * (2 * slots * width + 4 * batch * queries * width),
    }


def model(
    pairs, source_words, target_words, units=128, embedding_dim=32, training=True
):
    """`Seq2Seq` with additive attention over `pairs`, each target with its <end>."""
    half = units // 2
    encoder = 2 * (2 * 3 * half * (embedding_dim + half) + 12 * half)  # both directions
    a_source_token = encoder + 2 * units * units  # and its key
    cell = 2 * 3 * units * (embedding_dim + 2 * units) + 12 * units
    a_target_token = (
        cell
        + 2 * units * units
        + 2 * (2 * units + embedding_dim) * target_words
        + 4 * target_words
    )
    a_pair_of_tokens = 4 * units + 2 * units + 4  # score, context, softmax
    operations = 0
    for source, target in pairs:
        s, t = len(source), len(target) + 1
        operations += s * a_source_token + t * a_target_token + s * t * a_pair_of_tokens
    return {"operations": operations * (3 if training else 1), "bytes": 0}


def seconds(least, machine):
    """The longer of the two, on this machine."""
    return max(
        least["operations"] / machine["products_per_second"],
        least["bytes"] / machine["bytes_per_second"],
    )
