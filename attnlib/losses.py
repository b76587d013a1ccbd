"""Losses and metrics of a user's own, over the real tokens of sentences alone.

They get token IDs, shape (tokens,), and logits, shape (tokens, target vocabulary), of
every token in a batch that is not padding.
"""

from attnlib.backend import keras, tf
from attnlib.vocabulary import Vocabulary, shorten

ops = keras.ops


def per_token(weights, y):
    """Weights (batch,) or (batch, target_len) as the latter; None stays None."""
    if weights is not None and len(weights.shape) == 1:
        weights = ops.broadcast_to(weights[:, None], ops.shape(y))
    return weights


def real_tokens(y, y_pred, weights):
    """Target IDs (tokens,), logits (tokens, vocabulary), and weights (tokens,) or None:
    those of every token that is not padding.
    """
    real = tf.not_equal(y, Vocabulary.pad)  # (batch, target_len)
    return [
        None if x is None else tf.boolean_mask(x, real) for x in (y, y_pred, weights)
    ]


FOR_TOKENS = (
    "should be computed from token IDs, shape (tokens,), and logits, shape (tokens, "
    "target vocabulary)"
)


def check_loss(loss, loss_weights, size):
    """A loss for ``compile``, whether it takes one-hot vectors, and whether it returns
    one number per token. size: of the target vocabulary.

    Raises
    ------
    ValueError
        If it does not fit logits of that size.
    """
    if loss is None:
        if loss_weights is not None:
            raise ValueError(
                f"loss_weights should be given with a loss, got {loss_weights!r} alone"
            )
        return None, False, True
    given = keras.tree.flatten(loss)
    if len(given) != 1:
        raise ValueError(f"loss should be one loss, got {shorten(loss)}")
    try:
        loss = keras.losses.get(given[0])
    except (TypeError, ValueError):
        loss = None
    if not callable(loss):
        raise ValueError(
            "loss should be None for the cross-entropy, a function of token IDs and "
            "logits, or one of keras.losses that takes from_logits=True, got "
            f"{shorten(given[0])}"
        )
    one_hot = False
    if is_of_keras(loss):
        if not takes_logits(loss):
            raise ValueError(
                f"loss {FOR_TOKENS}, such as keras.losses."
                "SparseCategoricalCrossentropy(from_logits=True), got "
                f"{shorten(given[0])}"
            )
        one_hot = "sparse" not in type(loss).__name__.lower()
    return loss, one_hot, _try_loss(loss, one_hot, size)


def _try_loss(loss, one_hot, size):
    """Whether a loss gives one number per token. Three tokens are enough to see."""
    y = ops.convert_to_tensor([Vocabulary.end, size - 1, size - 1], "int32")
    if one_hot:
        y = ops.one_hot(y, size)  # (3, size)
    compute = loss.call if isinstance(loss, keras.losses.Loss) else loss
    try:
        shape = tuple(ops.shape(compute(y, ops.zeros((3, size)))))
    except Exception as error:
        kind = type(error).__name__
        raise ValueError(f"loss {FOR_TOKENS}, got {kind}: {error}") from error
    if shape not in ((), (3,)):
        raise ValueError(
            "loss should return one number, or one per token, got shape "
            f"{shape} for 3 tokens"
        )
    return shape == (3,)


def check_metrics(metrics):
    """Metrics for ``compile`` as a flat list.

    Raises
    ------
    ValueError
        If one does not take token IDs and logits, or has the name of one of ours.
    """
    metrics = [] if metrics is None else keras.tree.flatten(metrics)
    for metric in metrics:
        if metric in ("accuracy", "acc"):  # Keras takes them for the sparse one
            continue
        try:
            found = keras.metrics.get(metric)
        except (TypeError, ValueError):
            found = None
        name = getattr(found, "name", getattr(found, "__name__", ""))
        fits = callable(found)
        if fits and is_of_keras(found):
            fits = "sparse" in name.lower() or "Sparse" in type(found).__name__
            fits &= "crossentropy" not in name or takes_logits(found)
        if not fits:
            raise ValueError(
                f"metrics {FOR_TOKENS}, such as 'accuracy', keras.metrics."
                "SparseTopKCategoricalAccuracy(k=3), or a function of yours, got "
                f"{shorten(metric)}"
            )
        if name in ("loss", "token_accuracy"):
            raise ValueError(
                f"metrics should not have the name {name!r}, which is measured anyway"
            )
    return metrics


def is_of_keras(loss_or_metric):
    """Whether Keras computes it: a function of the user's may be wrapped by Keras."""
    for attribute in ("fn", "_fn"):
        loss_or_metric = getattr(loss_or_metric, attribute, loss_or_metric)
    module = getattr(loss_or_metric, "__module__", "") or ""
    return module.split(".")[0] == "keras"


def takes_logits(loss_or_metric):
    """Whether a loss or metric of Keras was made with ``from_logits=True``."""
    get_config = getattr(loss_or_metric, "get_config", dict)
    return bool(get_config().get("from_logits"))
