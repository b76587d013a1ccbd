"""Canvases with three handwritten digits, one red, one green, one blue, and a cue that
names a color.

The task: which digit has the cued color? The digits are the 1,797 that come with
scikit-learn (8 × 8 pixels, from Alpaydin and Kaynak, 1998). They are split before
canvases are composed, so a test canvas holds no digit, at any position or in any color,
that training has seen.
"""

from typing import NamedTuple

import numpy as np

from attnlib.arguments import integer, one_of

COLORS = ("red", "green", "blue")
SIZE = 24  # pixels per side of a canvas
DIGIT = 8  # pixels per side of a digit, and of a patch
STRIDE = 2  # pixels from one patch to the next
DIGITS = 1797  # in scikit-learn's data set
TRAIN = 1347  # of them that training may use: three in four
SPLIT_SEED = 0  # the split is the same for all canvases


class Canvases(NamedTuple):
    """Canvases with their cues and answers.

    Attributes
    ----------
    pixels : float array, shape (n, 24, 24, 3)
        In 0 … 1, with the channels of ``COLORS``.
    cues : int array, shape (n,)
        The index of the cued color in ``COLORS``.
    digits : int array, shape (n,)
        The answers: the digit in the cued color.
    shown : int array, shape (n, 3)
        The red, the green, and the blue digit.
    corners : int array, shape (n, 3, 2)
        Row and column of the upper left pixel of each of them.
    """

    pixels: np.ndarray
    cues: np.ndarray
    digits: np.ndarray
    shown: np.ndarray
    corners: np.ndarray

    def cued_box(self):
        """Mark the pixels of the cued digit's 8 × 8 box.

        Returns
        -------
        box : boolean array, shape (n, 24, 24)
        """
        corners = self.corners[np.arange(len(self.cues)), self.cues]  # (n, 2)
        offsets = np.arange(SIZE) - corners[:, :, None]  # (n, 2, 24)
        inside = (offsets >= 0) & (offsets < DIGIT)
        return inside[:, 0, :, None] & inside[:, 1, None, :]  # (n, 24, 24)

    def to_pixels(self, weights):
        """Distribute the weights of patches over the pixels of the canvas.

        Each patch shares its weight out evenly among its 8 × 8 pixels.

        Parameters
        ----------
        weights : array, shape (n, 81)
            One weight per patch, in rows of 9 patches that are two pixels apart.

        Returns
        -------
        pixels : array, shape (n, 24, 24)
            With the same sums.

        Raises
        ------
        ValueError
            If the shape does not fit.
        """
        side = (SIZE - DIGIT) // STRIDE + 1  # 9
        weights = np.asarray(weights)
        if weights.dtype.kind in "iub":
            weights = weights.astype(float)
        shape = (len(self.cues), side * side)
        if weights.shape != shape:
            raise ValueError(f"weights should have shape {shape}, got {weights.shape}")
        pixels = np.zeros((len(weights), SIZE, SIZE), weights.dtype)
        for patch, column in enumerate(weights.T):  # column: (n,)
            top = STRIDE * (patch // side)
            left = STRIDE * (patch % side)
            box = pixels[:, top : top + DIGIT, left : left + DIGIT]  # (n, 8, 8)
            box += column[:, None, None] / DIGIT**2
        return pixels


def digit_indices(part):
    """List the digits of scikit-learn that the canvases of one part are made of.

    Parameters
    ----------
    part : {"train", "test"}

    Returns
    -------
    indices : int array
        1,347 for "train" and 450 for "test", without a common one.

    Raises
    ------
    ValueError
        If `part` is another one.
    """
    one_of("part", part, ("train", "test"))
    order = np.random.default_rng(SPLIT_SEED).permutation(DIGITS)
    return order[:TRAIN] if part == "train" else order[TRAIN:]


def load(n, part="train", seed=0):
    """Compose canvases, each of three digits at random positions that do not overlap.

    Parameters
    ----------
    n : int
        Number of canvases, 1 or more.
    part : {"train", "test"}, optional
        Which digits they are made of.
    seed : int, optional
        Seed of NumPy's random generator.

    Returns
    -------
    canvases : Canvases

    Raises
    ------
    TypeError
        If `n` is not an integer.
    ValueError
        If `n` is below 1, or `part` is another one.
    """
    from sklearn.datasets import load_digits

    n = integer("n", n)
    allowed = digit_indices(part)
    images, labels = load_digits(return_X_y=True)
    images = (images / 16).reshape(-1, DIGIT, DIGIT)  # (1797, 8, 8), 0 to 1
    rng = np.random.default_rng(seed)
    chosen = rng.choice(allowed, (n, 3))
    cues = rng.integers(3, size=n)
    pixels = np.zeros((n, SIZE, SIZE, 3), "float32")
    corners = np.empty((n, 3, 2), int)
    for i in range(n):
        corners[i] = _separate_corners(rng)
        for color, (row, column) in enumerate(corners[i]):
            box = pixels[i, row : row + DIGIT, column : column + DIGIT, color]
            box[:] = images[chosen[i, color]]
    shown = labels[chosen]  # (n, 3)
    return Canvases(pixels, cues, shown[np.arange(n), cues], shown, corners)


def _separate_corners(rng):
    """Three corners whose boxes do not overlap, drawn until they do not."""
    while True:
        corners = rng.integers(0, SIZE - DIGIT + 1, size=(3, 2))
        distances = abs(corners[:, None] - corners).max(-1)  # (3, 3)
        if min(distances[0, 1], distances[0, 2], distances[1, 2]) >= DIGIT:
            return corners
