"""Differentiable augmentations, image by image."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxgen.methods.adversarial import augmentation

KEY = jax.random.key(0)
STEP = jnp.zeros((), jnp.int32)
IMAGES = np.random.default_rng(0).uniform(0.1, 1, (64, 16, 24, 3)).astype(np.float32)


def test_color_keeps_what_it_says():
    """Brightness moves the mean by up to a half; saturation and contrast scale what is left without moving it."""
    found = np.asarray(augmentation.color(IMAGES, KEY, STEP))
    moved = found.mean((1, 2, 3)) - IMAGES.mean((1, 2, 3))
    assert -0.5 < moved.min() < -0.4
    assert 0.4 < moved.max() < 0.5
    grey, grey_before = (x.mean(3) - x.mean((1, 2, 3))[:, None, None] for x in (found, IMAGES))
    contrast = (grey * grey_before).sum((1, 2)) / (grey_before**2).sum((1, 2))
    np.testing.assert_allclose(grey, contrast[:, None, None] * grey_before, atol=1e-5)
    assert 0.5 < contrast.min() < 0.6
    assert 1.4 < contrast.max() < 1.5
    hue, hue_before = (x - x.mean(3, keepdims=True) for x in (found, IMAGES))
    saturation = (hue * hue_before).sum((1, 2, 3)) / (hue_before**2).sum((1, 2, 3)) / contrast
    np.testing.assert_allclose(hue, (saturation * contrast)[:, None, None, None] * hue_before, atol=1e-5)
    assert 0 < saturation.min() < 0.2
    assert 1.8 < saturation.max() < 2


def test_translation_moves_every_image_its_own_way_within_an_eighth():
    marked = np.zeros((400, 16, 24, 1))
    marked[:, 8, 12] = 1
    where = np.argwhere(augmentation.translation(marked, KEY, STEP))
    np.testing.assert_array_equal(where[:, 0], np.arange(400))
    assert set(where[:, 1]) == set(range(6, 11))
    assert set(where[:, 2]) == set(range(9, 16))
    edge = np.asarray(augmentation.translation(np.ones((50, 16, 24, 1)), KEY, STEP))
    assert set(np.unique(edge)) == {0, 1}


def test_cutout_blanks_a_rectangle_of_half_of_each_side():
    blank = np.asarray(augmentation.cutout(IMAGES, KEY, STEP)) == 0
    np.testing.assert_array_equal(blank.all(3), blank.any(3))
    for image in blank[..., 0]:
        rows, columns = image.any(1), image.any(0)
        np.testing.assert_array_equal(image, rows[:, None] & columns)
        for side in (rows, columns):
            assert len(side) // 4 <= side.sum() <= len(side) // 2
            assert np.abs(np.diff(side.astype(int))).sum() <= 2
    assert np.abs(np.diff(blank[..., 0].argmax(1))).max() > 0


@pytest.mark.parametrize("name", ["color", "translation", "cutout"])
def test_gradients_reach_the_image(x64, name):
    check_grads(
        lambda x: getattr(augmentation, name)(x, KEY, STEP), (IMAGES[:2, :8, :8].astype(float),), order=1, modes=["rev"]
    )
