"""Adaptive discriminator augmentation: as many distortions as keep the discriminator from knowing its images by heart.

Karras et al. 2020, "Training Generative Adversarial Networks with Limited Data". Each distortion befalls an image with
probability p. For p < 1 the distribution of distorted images determines that of the images (appendix C), so that a
generator that matches the one has matched the other: nothing leaks. The geometric part is one affine map, sampled once.
"""

import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxgen.core import Array
from jaxgen.errors import UserError

TARGET = 0.6
"""What E[sign D(real)] shall be in a game of logits: their section 3."""


def adjusted(
    p: ArrayLike, signs: ArrayLike, images: ArrayLike, *, target: float = TARGET, speed: float = 500e3
) -> Array:
    """p after it has moved towards where E[sign D(real)] is `target`: up by `images / speed` above, down below.

    Args:
      p: before, `[]`.
      signs: the mean of `sign D(real)` since the last time, over all devices' images, `[]`.
      images: how many real ones were shown since then.
      target: more for games whose logits say less, e.g. 0.6 with logits, 0.2 with a hinge.
      speed: images in which p can go from 0 to 1.

    Returns:
      p, from 0 to 1.
    """
    return jnp.clip(p + jnp.sign(jnp.asarray(signs) - target) * (images / speed), 0.0, 1.0)


Distortion = Callable[[Array, int, Array], Array]  # (key, batch, (height, width)) -> maps [batch, n, n]


def flip(key: Array, batch: int, size: Array) -> Array:
    """Left and right exchanged, or not."""
    return _scales(jnp.ones(batch), jax.random.rademacher(key, (batch,), float))


def quarter_turn(key: Array, batch: int, size: Array) -> Array:
    """By 0, 90, 180 or 270 degrees."""
    turns = jax.random.randint(key, (batch,), 0, 4)
    return _rotations(jnp.array([1.0, 0, -1, 0])[turns], jnp.array([0.0, 1, 0, -1])[turns])


def whole_shift(key: Array, batch: int, size: Array) -> Array:
    """By whole pixels, up to an eighth of the image either way."""
    return _shifts(jnp.round(jax.random.uniform(key, (batch, 2), minval=-0.125, maxval=0.125) * size))


def scale(key: Array, batch: int, size: Array) -> Array:
    """Larger or smaller, by 2^N(0, 0.2^2)."""
    factor = jnp.exp2(0.2 * jax.random.normal(key, (batch,)))
    return _scales(factor, factor)


def rotation(key: Array, batch: int, size: Array) -> Array:
    """By any angle."""
    angle = jax.random.uniform(key, (batch,), minval=-math.pi, maxval=math.pi)
    return _rotations(jnp.cos(angle), jnp.sin(angle))


def stretch(key: Array, batch: int, size: Array) -> Array:
    """Wider and flatter, or the opposite, by 2^N(0, 0.2^2)."""
    factor = jnp.exp2(0.2 * jax.random.normal(key, (batch,)))
    return _scales(factor, 1 / factor)


def shift(key: Array, batch: int, size: Array) -> Array:
    """By N(0, 1/8^2) of the image."""
    return _shifts(0.125 * jax.random.normal(key, (batch, 2)) * size)


def brightness(key: Array, batch: int, size: Array) -> Array:
    """All channels moved by N(0, 0.2^2)."""
    return _colors(batch, jnp.eye(3), 0.2 * jax.random.normal(key, (batch, 1)))


def contrast(key: Array, batch: int, size: Array) -> Array:
    """All channels times 2^N(0, 0.5^2)."""
    return _colors(batch, jnp.exp2(0.5 * jax.random.normal(key, (batch, 1, 1))) * jnp.eye(3))


def luma(key: Array, batch: int, size: Array) -> Array:
    """Light and dark exchanged, or not; hue and saturation stay."""
    return _colors(batch, jnp.eye(3) - 2 * _GREY * jax.random.bernoulli(key, 0.5, (batch, 1, 1)))


def hue(key: Array, batch: int, size: Array) -> Array:
    """Turned about the grey axis by any angle."""
    angle = jax.random.uniform(key, (batch, 1, 1), minval=-math.pi, maxval=math.pi)
    return _colors(batch, _GREY + jnp.cos(angle) * _COLOR + jnp.sin(angle) * _TURN)


def saturation(key: Array, batch: int, size: Array) -> Array:
    """Distances from the grey axis times 2^N(0, 1)."""
    return _colors(batch, _GREY + jnp.exp2(jax.random.normal(key, (batch, 1, 1))) * _COLOR)


GEOMETRY: tuple[Distortion, ...] = (flip, quarter_turn, whole_shift, scale, rotation, stretch, rotation, shift)
COLOR: tuple[Distortion, ...] = (brightness, contrast, luma, hue, saturation)


def augment(
    images: Array,
    key: Array,
    p: ArrayLike,
    *,
    geometry: Sequence[Distortion] = GEOMETRY,
    color: Sequence[Distortion] = COLOR,
) -> Array:
    """Images `[batch, height, width, channels]`, each distorted in its own way; differentiable any number of times.

    What comes from beyond the edge is a reflection. Filters and corruptions of the paper's section 2.3 are left out, as
    its own choice for training leaves them.

    Args:
      images: in [-1, 1], of 1 or 3 channels.
      key: PRNG key.
      p: probability of every distortion, `[]`.
      geometry: distortions of places; none for none. One that stands twice has together the probability p.
      color: distortions of values; of grey images only brightness, contrast and luma show.

    Raises:
      UserError: the channels are neither grey nor red, green and blue.
    """
    channels = images.shape[3]
    if channels not in (1, 3):
        raise UserError(f"images have {channels} channels; adaptive augmentation knows grey (1) and RGB (3) ones.")
    keys = jax.random.split(key)
    if geometry:
        # Where a pixel of the result comes from: the distortions' inverses, so from the first to the last.
        images = _sampled(images, _product(geometry, images, keys[0], p, 3))
    if color:
        maps = _product(color[::-1], images, keys[1], p, 4)
        if channels == 1:  # grey stays on the grey axis
            return images * maps[:, :1, :3].sum(-1)[:, None, None] + maps[:, :1, 3][:, None, None]
        images = jnp.einsum("bhwc,bdc->bhwd", images, maps[:, :3, :3]) + maps[:, None, None, :3, 3]
    return images


_GREY = np.full((3, 3), 1 / 3, np.float32)  # onto the axis of greys
_COLOR = np.eye(3, dtype=np.float32) - _GREY
_TURN = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]], np.float32) / np.float32(
    3**0.5
)  # the cross product with that axis


def _product(distortions: Sequence[Distortion], images: Array, key: Array, p: ArrayLike, n: int) -> Array:
    """The maps `[batch, n, n]` of all distortions that befall each image."""
    total = jnp.eye(n)
    for index, each in enumerate(distortions):
        draw, chance = jax.random.split(jax.random.fold_in(key, index))
        maps = each(draw, images.shape[0], jnp.array(images.shape[1:3]))
        probability = 1 - (1 - jnp.asarray(p)) ** (1 / list(distortions).count(each))
        befalls = jax.random.bernoulli(chance, probability, (images.shape[0], 1, 1))
        total = jnp.matmul(total, jnp.where(befalls, maps, jnp.eye(n)), precision="highest")
    return total


def _rotations(cos: Array, sin: Array) -> Array:
    zero, one = jnp.zeros_like(cos), jnp.ones_like(cos)
    return jnp.stack([cos, -sin, zero, sin, cos, zero, zero, zero, one], -1).reshape(-1, 3, 3)


def _scales(y: Array, x: Array) -> Array:
    return jax.vmap(jnp.diag)(jnp.stack([y, x, jnp.ones_like(x)], -1))


def _shifts(by: Array) -> Array:
    return jnp.broadcast_to(jnp.eye(3), (by.shape[0], 3, 3)).at[:, :2, 2].set(by)


def _colors(batch: int, linear: ArrayLike, offset: ArrayLike = 0.0) -> Array:
    return jnp.tile(jnp.eye(4), (batch, 1, 1)).at[:, :3, :3].set(linear).at[:, :3, 3].set(offset)


def _sampled(images: Array, maps: Array) -> Array:
    """Each image where its map sends the places of the result's pixels, between pixels bilinear."""
    _, height, width, _ = images.shape
    middle = jnp.array([height - 1, width - 1]) / 2
    places = jnp.stack([*jnp.meshgrid(jnp.arange(height), jnp.arange(width), indexing="ij")]).reshape(2, -1)
    places = jnp.concatenate([places - middle[:, None], jnp.ones((1, height * width))])

    def sample(image: Array, mapping: Array) -> Array:
        where = jnp.matmul(mapping[:2], places, precision="highest") + middle[:, None]
        between = jax.vmap(
            lambda plane: jax.scipy.ndimage.map_coordinates(plane, list(where), 1, mode="mirror"), -1, -1
        )
        return between(image).reshape(image.shape)

    return jax.vmap(sample)(images, maps)
