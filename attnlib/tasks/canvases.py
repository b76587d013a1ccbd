"""Canvases with three handwritten digits, one red, one green, one blue, and a cue that
names a colour.

The task: which digit has the cued colour? The digits are the 1,797 that come with
scikit-learn (8 × 8 pixels, from Alpaydin and Kaynak, 1998). They are split before
canvases are composed, so that a test canvas holds no digit, in any place or colour,
that training has seen.
"""

from typing import NamedTuple

import numpy as np

from attnlib.arguments import integer

COLORS = ("red", "green", "blue")
SIZE, DIGIT, STRIDE = (
    24,
    8,
    2,
)  # pixels: a canvas' side, a digit's and a patch's, and from patch to patch
TRAIN, SPLIT_SEED = (
    1347,
    0,
)  # digits that training may use: three in four, drawn once and for all


class Canvases(NamedTuple):
    """pixels (n, 24, 24, 3), 0 to 1; cues (n,), the color's number; digits (n,), the
    answers; shown (n, 3), all digits by color; corners (n, 3, 2), row and column of the
    upper left pixel of the red, the green and the blue digit.
    """

    pixels: np.ndarray
    cues: np.ndarray
    digits: np.ndarray
    shown: np.ndarray
    corners: np.ndarray

    def targets(self):
        """(n, 24, 24), boolean: True at the pixels of the cued digit's 8 × 8 box."""
        corners = self.corners[np.arange(len(self.cues)), self.cues]  # (n, 2)
        rows, columns = (
            (np.arange(SIZE) >= start[:, None])
            & (np.arange(SIZE) < start[:, None] + DIGIT)
            for start in corners.T
        )  # each (n, 24)
        return rows[:, :, None] & columns[:, None, :]

    def spread(self, weights):
        """Weights of patches, laid over the pixels: each patch shares its weight out
        evenly among its 8 × 8 pixels.

        weights: (n, 81), of patches in rows of 9, two pixels apart. Returns (n, 24,
        24), with the same sum.
        """
        side = (SIZE - DIGIT) // STRIDE + 1  # 9
        weights = np.asarray(weights)
        if weights.shape != (len(self.cues), side * side):
            raise ValueError(
                f"weights should have shape {(len(self.cues), side * side)}, got"
                f" {weights.shape}"
            )
        laid = np.zeros((len(weights), SIZE, SIZE), weights.dtype)
        for patch, column in enumerate(weights.T):
            top, left = STRIDE * (patch // side), STRIDE * (patch % side)
            laid[:, top : top + DIGIT, left : left + DIGIT] += (
                column[:, None, None] / DIGIT**2
            )
        return laid


def pool(part):
    """The indices of scikit-learn's digits that "train" or "test" canvases are made of."""
    order = np.random.default_rng(SPLIT_SEED).permutation(1797)
    parts = {"train": order[:TRAIN], "test": order[TRAIN:]}
    if part not in parts:
        raise ValueError(f"part should be 'train' or 'test', got {part!r}")
    return parts[part]


def load(n, part="train", seed=0):
    """`n` canvases of digits from one part, each with three at random places that do
    not overlap. Returns Canvases.
    """
    from sklearn.datasets import load_digits

    n, allowed = integer("n", n), pool(part)
    images, labels = load_digits(return_X_y=True)
    images = (images / 16).reshape(-1, DIGIT, DIGIT)
    rng = np.random.default_rng(seed)
    chosen, cues = rng.choice(allowed, (n, 3)), rng.integers(3, size=n)
    pixels, corners = np.zeros((n, SIZE, SIZE, 3), "float32"), np.empty((n, 3, 2), int)
    for i in range(n):
        corners[i] = _apart(rng)
        for color, (row, column) in enumerate(corners[i]):
            pixels[i, row : row + DIGIT, column : column + DIGIT, color] = images[
                chosen[i, color]
            ]
    shown = labels[chosen]  # (n, 3)
    return Canvases(pixels, cues, shown[np.arange(n), cues], shown, corners)


def _apart(rng):
    """Three corners whose boxes do not overlap, drawn until they do not."""
    while True:
        corners = rng.integers(0, SIZE - DIGIT + 1, size=(3, 2))
        distances = abs(corners[:, None] - corners).max(-1)  # (3, 3)
        if min(distances[0, 1], distances[0, 2], distances[1, 2]) >= DIGIT:
            return corners
