"""Adaptive augmentation: what each distortion does to an image, that nothing leaks, and how p moves."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy.stats import chisquare, kstest

from jaxgen.errors import UserError
from jaxgen.methods.adversarial import adaptive_augmentation as ada

KEY = jax.random.key(0)
IMAGES = np.random.default_rng(0).uniform(-1, 1, (40, 8, 8, 3)).astype(np.float32)


@functools.partial(jax.jit, static_argnames=("geometry", "color"))
def augment(images, key, p, geometry=ada.GEOMETRY, color=ada.COLOR):
    return ada.augment(images, key, p, geometry=geometry, color=color)


def alone(distortions, images=IMAGES):
    """The images after each of some distortions of one kind by itself."""
    kind, other = ("color", "geometry") if distortions[0] in ada.COLOR else ("geometry", "color")
    run = jax.jit(lambda x: [ada.augment(x, KEY, 1.0, **{kind: (each,), other: ()}) for each in distortions])
    return jax.device_get(run(images))


WHOLE = ada.flip, ada.quarter_turn, ada.whole_shift
whole = functools.cache(lambda: dict(zip(WHOLE, alone(WHOLE), strict=True)))


def test_at_zero_nothing_happens():
    np.testing.assert_allclose(augment(IMAGES, KEY, 0.0), IMAGES, atol=1e-5)


@pytest.mark.parametrize("distortion", WHOLE, ids=lambda d: d.__name__)
def test_whole_pixels_are_only_moved(distortion):
    """Each result is one of the images that NumPy makes by moving pixels, and every one of those appears."""
    candidates = {
        ada.flip: lambda x: [x, x[:, ::-1]],
        ada.quarter_turn: lambda x: [np.rot90(x, k) for k in range(4)],
        ada.whole_shift: lambda x: [
            np.pad(x, ((1, 1), (1, 1), (0, 0)), "reflect")[i : i + 8, j : j + 8] for i in range(3) for j in range(3)
        ],
    }[distortion]
    seen = set()
    for before, after in zip(IMAGES, whole()[distortion], strict=True):
        distances = [np.abs(after - each).max() for each in candidates(before)]
        assert min(distances) < 1e-5
        seen.add(int(np.argmin(distances)))
    assert len(seen) == len(candidates(IMAGES[0]))


def test_scales_and_rotations_of_a_plane_are_known():
    """An image whose value is a linear function of its place is one still, with another gradient."""
    rows, columns = np.meshgrid(np.arange(17) - 8, np.arange(17) - 8, indexing="ij")
    ramp = np.stack([rows, columns, 0 * rows], -1).astype(np.float32)
    distortions = ada.scale, ada.rotation, ada.stretch
    for distortion, images in zip(distortions, alone(distortions, np.stack([ramp] * 200)), strict=True):
        after = images[:, 6:11, 6:11, :2]
        slopes = np.stack([(after[:, 3, 2] - after[:, 1, 2]) / 2, (after[:, 2, 3] - after[:, 2, 1]) / 2], -1)
        determinant = np.linalg.det(slopes)
        if distortion is ada.scale:
            np.testing.assert_allclose(slopes, np.eye(2) * slopes[:, :1, :1], atol=1e-4)
            assert kstest(np.log2(slopes[:, 0, 0]) / 0.2, "norm").pvalue > 1e-3
        elif distortion is ada.rotation:
            np.testing.assert_allclose(
                slopes @ slopes.transpose(0, 2, 1), np.broadcast_to(np.eye(2), slopes.shape), atol=1e-4
            )
            np.testing.assert_allclose(determinant, 1, atol=1e-4)
            angle = np.arctan2(slopes[:, 1, 0], slopes[:, 0, 0])
            assert kstest((angle + np.pi) / (2 * np.pi), "uniform").pvalue > 1e-3
        else:
            np.testing.assert_allclose(determinant, 1, rtol=1e-3)
            assert np.log2(slopes[:, 0, 0]).std() == pytest.approx(0.2, rel=0.2)


def test_colors_keep_what_they_say():
    def parts(x):
        grey = x.mean(-1, keepdims=True)
        return grey, np.linalg.norm(x - grey, axis=-1)

    grey, color = parts(IMAGES)
    for distortion, images in zip(ada.COLOR, alone(ada.COLOR), strict=True):
        after, saturation = parts(images)
        if distortion is ada.brightness:
            move = (after - grey)[..., 0]
            np.testing.assert_allclose(move, np.broadcast_to(move[:, :1, :1], move.shape), atol=1e-5)
            assert move[:, 0, 0].std() == pytest.approx(0.2, rel=0.4)
            np.testing.assert_allclose(saturation, color, atol=1e-5)
        elif distortion is ada.contrast:
            np.testing.assert_allclose(
                after / grey, np.broadcast_to((saturation / color)[..., None], grey.shape), rtol=1e-2
            )
        elif distortion is ada.luma:
            sign = np.sign((after * grey).sum((1, 2, 3), keepdims=True))
            np.testing.assert_allclose(after, sign * grey, atol=1e-5)
            np.testing.assert_allclose(saturation, color, atol=1e-5)
            assert set(sign.ravel()) == {-1, 1}
        else:
            np.testing.assert_allclose(after, grey, atol=1e-5)
            ratio = saturation / color
            np.testing.assert_allclose(ratio, np.broadcast_to(ratio[:, :1, :1], ratio.shape), rtol=1e-2)
            assert (np.abs(np.log2(ratio)).max() < 1e-2) == (distortion is ada.hue)
            assert np.abs(images - IMAGES).max() > 0.1


def test_grey_images_are_colored_as_rgb_ones_of_three_equal_channels():
    grey = IMAGES[..., :1]
    three = np.asarray(augment(np.repeat(grey, 3, -1), KEY, 0.7, geometry=()))
    np.testing.assert_allclose(augment(grey, KEY, 0.7, geometry=()), three[..., :1], atol=1e-4)
    with pytest.raises(UserError, match="images have 2 channels"):
        ada.augment(IMAGES[..., :2], KEY, 0.5)


@pytest.mark.parametrize("p", [0.0, 0.4, 0.8])
def test_what_is_seen_of_four_orientations_determines_them(p):
    """Turned images have the masses ((1 - p) I + p / 4 J) m: eigenvalues 1 and 1 - p, so m follows for p < 1 alone."""
    corner = np.zeros((4, 2, 2, 1), np.float32)
    corner[:, 0, 0] = 1
    orientations = np.stack([np.rot90(c, k) for k, c in enumerate(corner)])
    masses = np.array([0.6, 0.25, 0.1, 0.05])
    count = 4000
    shown = np.repeat(orientations, (masses * count).astype(int), 0)
    seen = np.asarray(augment(shown, KEY, p, geometry=(ada.quarter_turn,), color=()))
    found = np.array([np.abs(seen - each).max((1, 2, 3)) < 1e-3 for each in orientations]).sum(1)
    leak = (1 - p) * np.eye(4) + p / 4
    expected = leak @ masses
    assert found.sum() == count
    if p:
        assert chisquare(found, expected * count).pvalue > 1e-3
        assert chisquare(found, np.full(4, count / 4)).pvalue < 1e-6
    np.testing.assert_allclose(np.linalg.solve(leak, found / count), masses, atol=4 * 0.5 / np.sqrt(count) / (1 - p))


def test_at_one_nothing_is_left_to_determine_them():
    corner = np.zeros((4000, 2, 2, 1), np.float32)
    corner[:, 0, 0] = 1
    seen = np.asarray(augment(corner, KEY, 1.0, geometry=(ada.quarter_turn,), color=()))
    counts = seen.reshape(4000, 4).argmax(1)
    assert chisquare(np.bincount(counts, minlength=4)).pvalue > 1e-3


@pytest.mark.parametrize("p", [0.3, 0.9])
def test_every_distortion_befalls_an_image_with_probability_p_the_two_rotations_together(p):
    images = np.repeat(IMAGES[:1, :4, :4], 2000, 0)
    for geometry, color in (((ada.shift,), ()), ((ada.rotation, ada.rotation), ()), ((), (ada.contrast,))):
        after = np.asarray(augment(images, KEY, p, geometry=geometry, color=color))
        share = (np.abs(after - images).max((1, 2, 3)) > 1e-4).mean()
        assert abs(share - p) < 4 * np.sqrt(p * (1 - p) / 2000)


@pytest.mark.slow
def test_gradients_of_both_orders(x64):
    # The sampled places do not depend on the image, so the map is linear in it.
    check_grads(
        lambda x: jnp.sin(ada.augment(x, KEY, 1.0)).sum(), (IMAGES[:2, :5, :5].astype(float),), order=2, modes=["rev"]
    )


def test_p_moves_towards_its_target_and_stays_a_probability():
    assert ada.adjusted(0.5, 0.7, 1000.0) == pytest.approx(0.502)
    assert ada.adjusted(0.5, 0.5, 1000.0) == pytest.approx(0.498)
    assert ada.adjusted(0.5, 0.5, 1000.0, target=0.2, speed=1e4) == pytest.approx(0.6)
    assert ada.adjusted(0.999, 1.0, 5000.0) == 1
    assert ada.adjusted(0.001, -1.0, 5000.0) == 0
