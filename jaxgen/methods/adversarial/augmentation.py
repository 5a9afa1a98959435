"""What real and generated images both go through before a critic sees them: `(images, key, step) -> images`.

The generator hears through it, so it is differentiable; and because both sides go through it, the game still ends where
their distributions agree.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxgen.core import Array


def instance_noise(std: Callable[[Array], ArrayLike]) -> Callable[[Array, Array, Array], Array]:
    """Gaussian noise, so that data and samples on thin, disjoint supports overlap.

    Soenderby et al. 2017, "Amortised MAP Inference for Image Super-resolution", section 3.2; Arjovsky & Bottou 2017.

    Args:
      std: its standard deviation at a step, e.g. `optax.linear_schedule(0.5, 0.0, 10_000)`.
    """
    return lambda images, key, step: images + std(step) * jax.random.normal(key, images.shape, images.dtype)


def color(images: Array, key: Array, step: Array) -> Array:
    """Brightness moved by up to 1/2, saturation times 0 to 2, contrast times 1/2 to 3/2: Zhao et al. 2020, DiffAugment.

    Args:
      images: `[batch, height, width, channels]`.
      key: PRNG key; every image gets numbers of its own.
      step: does not matter.
    """
    shape = (3, images.shape[0], 1, 1, 1)
    brightness, saturation, contrast = jax.random.uniform(key, shape, images.dtype)
    images = images + (brightness - 0.5)
    grey = jnp.mean(images, axis=3, keepdims=True)
    images = grey + (images - grey) * 2 * saturation
    mean = jnp.mean(images, axis=(1, 2, 3), keepdims=True)
    return mean + (images - mean) * (contrast + 0.5)


def translation(images: Array, key: Array, step: Array) -> Array:
    """Moved by up to an eighth of each side, zeros moving in: Zhao et al. 2020. Arguments as in `color`."""
    batch, height, width, channels = images.shape
    reach = (round(height / 8), round(width / 8))
    padded = jnp.pad(images, ((0, 0), *((r, r) for r in reach), (0, 0)))
    starts = jax.random.randint(key, (batch, 2), 0, 2 * jnp.array(reach) + 1)

    def crop(image: Array, start: Array) -> Array:
        return jax.lax.dynamic_slice(image, (start[0], start[1], 0), (height, width, channels))

    return jax.vmap(crop)(padded, starts)


def cutout(images: Array, key: Array, step: Array) -> Array:
    """Zeros in a rectangle of half of each side, its middle anywhere: Zhao et al. 2020. Arguments as in `color`."""
    keep = jnp.ones((), bool)
    for axis, size in ((1, images.shape[1]), (2, images.shape[2])):
        start = jax.random.randint(jax.random.fold_in(key, axis), (images.shape[0], 1), 0, size + 1) - size // 4
        position = jnp.arange(size)
        inside = (position >= start) & (position < start + size // 2)
        keep = jnp.expand_dims(inside, 3 - axis) & keep
    return jnp.where(keep[..., None], 0.0, images).astype(images.dtype)
