"""Lower bounds of a case's time: its floating-point operations, and the bytes that it
must read and write.

Operations are those of the arithmetic, on real tokens: two for a multiplication with
its addition, one for each addition or function of one number. Backward counts twice the
forward. Bytes are those of inputs and outputs in float32.
"""


def layer(name, kind, batch, target_len, source_len, units):
    """A layer of `our_layers`."""
    scores = batch * target_len * source_len
    product = 2 * batch * units * units  # of one position with a square matrix
    operations = {
        "additive": product * (target_len + source_len) + scores * units * 4,
        "dot": scores * units * 2,
        "general": product * target_len + scores * units * 2,
    }[name]
    operations += scores * (units * 2 + 4)  # context and softmax
    numbers = batch * units * (2 * target_len + source_len)
    if kind == "gradients":
        operations *= 3
        numbers *= 2
    return {"operations": operations, "bytes": 4 * numbers}


def local(batch, queries, units, half_width):
    """Forward and backward of local-p with the general score, without the gradient of
    the values.
    """
    scores = batch * queries * (2 * half_width + 1)
    operations = 2 * (2 * batch * queries * units * units) + scores * (4 * units + 10)
    numbers = 2 * scores * units + 4 * batch * queries * units
    return {"operations": 3 * operations, "bytes": 4 * numbers}


def model(
    pairs, source_words, target_words, units=128, embedding_dim=32, training=True
):
    """`Seq2Seq` with additive attention over `pairs`, each target with its <end>."""
    half = units // 2
    encoder = 2 * (2 * 3 * half * (embedding_dim + half) + 12 * half)  # both directions
    key = 2 * units * units
    per_source_token = encoder + key
    cell = 2 * 3 * units * (embedding_dim + 2 * units) + 12 * units
    query = 2 * units * units
    readout = 2 * (2 * units + embedding_dim) * target_words
    softmax = 4 * target_words
    per_target_token = cell + query + readout + softmax
    per_score = 4 * units + 2 * units + 4  # score, context, softmax
    operations = 0
    for source, target in pairs:
        source_len, target_len = len(source), len(target) + 1
        operations += source_len * per_source_token + target_len * per_target_token
        operations += source_len * target_len * per_score
    return {"operations": operations * (3 if training else 1), "bytes": 0}


def seconds(lower_bound, machine):
    """The longer of the two times on this machine."""
    return max(
        lower_bound["operations"] / machine["products_per_second"],
        lower_bound["bytes"] / machine["bytes_per_second"],
    )
