"""Canvases of three digits: what is on them, and that test canvases hold nothing that
training has seen.
"""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.datasets import load_digits

from attnlib.tasks import canvases


def box(canvas, color, corner):
    row, column = corner
    return canvas[row : row + 8, column : column + 8, color]


@pytest.mark.parametrize("part", ["train", "test"])
def test_canvases_hold_digits_of_their_part_alone(part):
    images, labels = load_digits(return_X_y=True)
    known = {
        (image / 16).astype("float32").tobytes(): label
        for image, label in zip(images, labels, strict=True)
    }
    allowed = {
        (images[i] / 16).astype("float32").tobytes()
        for i in canvases.digit_indices(part)
    }
    made = canvases.load(50, part, seed=3)
    for pixels, cue, digit, shown, corners in zip(*made, strict=True):
        boxes = [box(pixels, color, corners[color]) for color in range(3)]
        assert all(each.tobytes() in allowed for each in boxes)
        assert [known[each.tobytes()] for each in boxes] == shown.tolist() and shown[
            cue
        ] == digit
        assert pixels.sum() == pytest.approx(sum(each.sum() for each in boxes)), (
            "nothing outside the three"
        )


def test_canvases_parts_share_no_digit():
    train, test = canvases.digit_indices("train"), canvases.digit_indices("test")
    assert not set(train) & set(test) and sorted([*train, *test]) == list(range(1797))
    images = load_digits().images
    assert not {images[i].tobytes() for i in train} & {
        images[i].tobytes() for i in test
    }, "no image twice"


def test_canvases_cued_box_covers_the_cued_digit():
    made = canvases.load(20, seed=1)
    cued = made.cued_box()
    assert cued.shape == (20, 24, 24)
    assert_array_equal(cued.sum((1, 2)), np.full(20, 64))
    for marked, cue, corners in zip(cued, made.cues, made.corners, strict=True):
        row, column = corners[cue]
        assert marked[row : row + 8, column : column + 8].all()


def test_canvases_boxes_do_not_overlap():
    for corners in canvases.load(200, seed=2).corners:
        covered = np.zeros((24, 24), int)
        for row, column in corners:
            covered[row : row + 8, column : column + 8] += 1
        assert covered.max() == 1


def test_canvases_repeat_with_their_seed():
    one, same, other = (canvases.load(5, seed=seed) for seed in (4, 4, 5))
    assert_array_equal(one.pixels, same.pixels)
    assert not np.array_equal(one.pixels, other.pixels)
    assert one.pixels.dtype == np.float32 and one.pixels.max() <= 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0,), "n should be an integer of 1 or more, got 0"),
        ((5, "dev"), "part should be one of 'train', 'test', got 'dev'"),
    ],
)
def test_canvases_refuse_what_they_cannot_make(arguments, message):
    with pytest.raises(ValueError, match=message):
        canvases.load(*arguments)


def test_canvases_to_pixels_distributes_a_patch_over_its_pixels():
    made = canvases.load(2, seed=6)
    weights = np.zeros((2, 81))
    weights[0, 0] = 1  # the patch in the upper left corner
    weights[1, 80] = 0.5  # lower right
    weights[1, 79] = 0.5  # two pixels to its left
    pixels = made.to_pixels(weights)
    assert pixels.sum((1, 2)) == pytest.approx([1, 1])
    assert pixels[0, :8, :8] == pytest.approx(1 / 64)
    assert pixels[1, 20, 15] == pytest.approx(0.5 / 64)
    assert pixels[1, 20, 14] == pytest.approx(0.5 / 64)
    assert pixels[1, 20, 17] == pytest.approx(1 / 64)
    assert pixels[1, 15].sum() == 0
    whole = made.to_pixels(weights[:1].astype(int).repeat(2, axis=0))
    assert whole[1] == pytest.approx(pixels[0])  # whole numbers do not stay whole
    with pytest.raises(ValueError, match=r"shape \(2, 81\), got \(2, 80\)"):
        made.to_pixels(weights[:, :80])
