"""Scores, a temperature and a mask, and the weights that a softmax makes of them."""

import numpy as np

from attnlib.interactive.frame import Figure, bar, minus, numbers, shown, tokens
from attnlib.reference import softmax

MOST = 12  # words: more do not fit a screen


def weights(words, scores, temperature=1.0, mask=None, title="From scores to weights"):
    """Sliders for e_j and T, a box for each word: weights_j = exp(e_j / T) / sum_k
    exp(e_k / T), over words ticked.

    words: list of 1 to 12 tokens. scores: (len(words),), between -10 and 10.
    temperature: T, 0.05 to 20.
    mask: (len(words),), boolean, True = may be attended; None lets all be.
    Returns a Figure, which a notebook shows. Its numbers are those of
    ``attnlib.reference.softmax``. TypeError where words are not str, numbers not
    numbers, or the mask not boolean; ValueError where a length or a number is out of
    range.
    """
    words = tokens("words", words)
    if len(words) > MOST:
        raise ValueError(
            f"words should be at most {MOST}, so that all fit a screen, got"
            f" {len(words)}"
        )
    scores = numbers("scores", scores, (len(words),), -10, 10)
    temperature = numbers("temperature", temperature, (), 0.05, 20)
    mask = np.ones(len(words), bool) if mask is None else np.asarray(mask)
    if mask.dtype != bool:
        raise TypeError(
            f"mask should be boolean, True = may be attended, got {mask.dtype}"
        )
    if mask.shape != scores.shape:
        raise ValueError(f"mask should have shape {scores.shape}, got {mask.shape}")
    data = {
        "words": words,
        "scores": scores.tolist(),
        "temperature": float(temperature),
        "mask": mask.tolist(),
    }
    return Figure(
        "weights", title, _table(words, scores, float(temperature), mask), data
    )


def _table(words, scores, temperature, mask):
    """The still form, of which the script makes the living one."""
    rows, shares = [], softmax(scores / temperature, mask)
    for word, score, share, open_ in zip(words, scores, shares, mask, strict=True):
        name = shown(word) if open_ else f"<s>{shown(word)}</s> (masked)"
        rows.append(
            f"<tr><th scope=row>{name}<td>{minus(f'{score:.1f}')}<td>{bar(share)}"
        )
    most = int(mask.sum())
    entropy = -(shares[shares > 0] * np.log(shares[shares > 0])).sum() + 0.0  # not -0
    part = entropy / np.log(most) if most > 1 else 0
    limit = (
        f"at most ln {most} = {np.log(most):.2f}" if most else "nothing to attend to"
    )
    return (
        f"<table><caption>Temperature T = {temperature:.3g}</caption><thead><tr><th"
        " scope=col>word<th scope=col>score<th"
        f" scope=col>weight<tbody>{''.join(rows)}<tfoot><tr><th"
        f" scope=row>sum<td><td>{shares.sum():.3f}<tr><th scope=row>entropy"
        f" (nats)<td>{limit}<td>{bar(part, entropy, '#1b62a5')}</table>"
    )
