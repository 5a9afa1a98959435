"""Pictures that are wrong in a known way: by so many pixels, in so much of a colour, without one leg."""

import numpy as np
import pytest

from jaxgen.data.figures import GARMENTS, PARTS, figures
from jaxgen.data.likeness import likeness, recognised, ssim

PAIRS = figures(32, test=4).test[np.arange(4)]
TRUTH, WORN = PAIRS["target"], PAIRS["target_parts"]


def test_the_truth_is_perfect_and_its_garments_are_recognised():
    found = likeness(TRUTH, TRUTH, WORN)
    assert found == pytest.approx({"miou": 1, "masked_l1": 0, "colour_error": 0, "place_error": 0, "ssim": 1})
    np.testing.assert_array_equal(recognised(TRUTH[0], TRUTH[0], WORN[0]), np.asarray(GARMENTS)[WORN[0]])
    assert [GARMENTS[PARTS.index(part)] for part in ("background", "head", "torso", "left shin")] == [0, 1, 2, 3]


def test_errors_are_as_large_as_they_were_made():
    shifted = np.roll(TRUTH, 1, axis=1)
    edge = np.concatenate([WORN[:, :1], WORN[:, -1:]], axis=1)
    assert (edge == 0).all()  # nobody is cut by the roll
    assert likeness(shifted, TRUTH, WORN)["place_error"] == pytest.approx(1, abs=0.02)
    darker = np.where(WORN[..., None] > 0, TRUTH - 0.01, TRUTH)
    found = likeness(darker, TRUTH, WORN)
    assert found["masked_l1"] == pytest.approx(0.01, rel=1e-3)
    assert found["colour_error"] == pytest.approx(0.01, rel=1e-3)


def test_what_is_missing_is_missed():
    trousers = np.asarray(GARMENTS)[WORN] == 3
    ground = TRUTH[:, :1, :1]
    bare = np.where(trousers[..., None], ground, TRUTH)
    found = likeness(bare, TRUTH, WORN)
    expected = []
    for index in range(4):
        worn = np.asarray(GARMENTS)[WORN[index]]
        ground_share = (worn == 0).sum() / ((worn == 0) | (worn == 3)).sum()
        expected.append((ground_share + 2 + 0) / 4)  # skin and shirt whole, trousers nowhere
    assert found["miou"] == pytest.approx(np.mean(expected))
    assert found["place_error"] == pytest.approx(16 / 3)
    assert found["ssim"] > 0.6  # which hardly sees it


def test_structural_similarity_is_its_equation():
    a, b = np.full((16, 16, 1), 0.2), np.full((16, 16, 1), -0.6)
    u, v = 0.6, 0.2
    assert ssim(a, b) == pytest.approx((2 * u * v + 1e-4) / (u**2 + v**2 + 1e-4))
    rng = np.random.default_rng(0)
    a, b = rng.uniform(-1, 1, (2, 41, 41, 1))
    window = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
    window = np.outer(window, window) / window.sum() ** 2
    total = []
    for row in range(5, 36):
        for column in range(5, 36):
            x, y = ((p[row - 5 : row + 6, column - 5 : column + 6, 0] + 1) / 2 for p in (a, b))
            u, v = (window * x).sum(), (window * y).sum()
            xx, yy, xy = ((window * p).sum() for p in ((x - u) ** 2, (y - v) ** 2, (x - u) * (y - v)))
            total.append((2 * u * v + 1e-4) * (2 * xy + 9e-4) / ((u**2 + v**2 + 1e-4) * (xx + yy + 9e-4)))
    assert ssim(a, b) == pytest.approx(np.mean(total), abs=0.02)  # the edges' windows are no whole ones
