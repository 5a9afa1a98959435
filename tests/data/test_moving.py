"""Moving sprites: their centres of mass obey the laws of motion, and clips that do not are told by them."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from jaxgen.data.moving import SPEEDS, appearance_error, centres, disc, drawn, moving, speed, velocity_error, walls

BOUNDS = walls(disc(), 16)


@pytest.fixture(scope="module")
def clips():
    batch = moving(disc()).test[np.arange(200)]
    return {name: np.asarray(x) for name, x in batch.items()}


def test_the_centre_of_mass_is_the_place_and_goes_straight_on_between_walls(clips):
    place = centres(clips["video"])
    np.testing.assert_allclose(place, clips["place"], atol=1e-4)
    assert place.min() >= BOUNDS.low - 1e-4
    assert place.max() <= BOUNDS.high + 1e-4
    assert velocity_error(place, BOUNDS) < 1e-4
    velocity = np.diff(place, axis=1)
    size = np.linalg.norm(velocity, axis=-1)
    assert size.max() <= SPEEDS[1] + 1e-4
    # Bounces turn one part of a velocity around, and leave its size but in the frame of the bounce.
    turns = np.sign(velocity[:, :-1]) * np.sign(velocity[:, 1:]) < 0
    assert 0.05 < turns.any((1, 2)).mean() < 0.95
    away = np.minimum(place - BOUNDS.low, BOUNDS.high - place)[:, 1:-1]
    assert away[turns].max() < SPEEDS[1]
    assert (np.ptp(np.abs(velocity[:, :, 0]), axis=1) < 1e-3).mean() > 0.3  # those that met no wall on the way
    assert speed(place) == pytest.approx(sum(SPEEDS) / 2, abs=0.06)  # a little less, where it bounces


def test_an_interpolated_sprite_is_scipy_s():
    sprite = np.random.default_rng(0).uniform(size=(3, 3)).astype(np.float32)
    found = np.asarray(drawn(jnp.asarray(sprite), jnp.array([3.3, 2.6]), 7))[..., 0]
    padded = np.zeros((7, 7))
    padded[2:5, 2:5] = sprite  # its middle at (3, 3)
    expected = ndimage.shift(padded, (-0.4, 0.3), order=1)
    np.testing.assert_allclose((found + 1) / 2, expected, atol=1e-6)


def test_shuffled_frames_stand_still_and_blur_are_told(clips):
    video = clips["video"]
    order = np.argsort(np.random.default_rng(0).uniform(size=video.shape[:2]), axis=1)
    shuffled = np.take_along_axis(video, order[:, :, None, None, None], axis=1)
    assert velocity_error(centres(shuffled), BOUNDS) >= 1
    still = np.repeat(video[:, :1], 8, axis=1)
    assert velocity_error(centres(still), BOUNDS) == speed(centres(still)) == 0
    assert appearance_error(video, disc()[0]) < 1e-4
    blurred = ndimage.uniform_filter(video, (1, 1, 3, 3, 1), mode="nearest")
    assert appearance_error(blurred, disc()[0]) > 0.1
    assert np.abs(centres(blurred) - clips["place"])[1:-1].mean() < 0.1  # where it is, blur does not hide


def test_training_clips_are_others_and_of_every_sprite():
    sprites = np.stack([disc()[0], np.ones((5, 5), np.float32)])
    data = moving(sprites)
    train, test = (np.asarray(x[np.arange(50)]["video"]) for x in (data.train, data.test))
    assert not np.array_equal(train, test)
    mass = ((train[:, 0] + 1) / 2).sum((1, 2, 3))
    found = np.abs(mass[:, None] - sprites.sum((1, 2))) < 1e-3
    assert (found.sum(0) > 10).all()
    assert found.any(1).all()
