"""Likelihoods of normalizing flows: the library's one definition of sign, units and dequantization.

A flow maps data x to a base variable z; `log_det` is `log |det dz/dx|`, of that direction. Likelihoods are in nats.
"""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxgen.errors import UserError
from jaxgen.losses.arrays import at_least_float32
from jaxgen.losses.variational import gaussian_log_prob


def log_likelihood(z: ArrayLike, log_det: ArrayLike) -> jax.Array:
    """`log p(x) = log N(z; 0, I) + log |det dz/dx|` in nats: Dinh et al. 2017, eq. 3.

    Args:
      z: the base variables of the data, `[batch, ...]`.
      log_det: log-determinant of the map from data to base, `[batch]`.

    Returns:
      `[batch]`.

    Raises:
      UserError: `log_det` is not one number per example.
    """
    z, log_det = at_least_float32(z, log_det)
    if log_det.shape != z.shape[:1]:
        raise UserError(f"log_det has shape {log_det.shape}: z of shape {z.shape} needs one per example, {z.shape[:1]}")
    return gaussian_log_prob(z, 0.0, 0.0) + log_det


def bits_per_dim(log_likelihood: ArrayLike, event_shape: Sequence[int], levels: int = 256) -> jax.Array:
    """Bits to code a dimension of `levels`-valued data, from its density in [0, 1): Theis et al. 2016, section 3.1.

    `-log_likelihood / (D log 2) + log2(levels)`. With uniform dequantization its mean is an upper bound on the bits of
    the discrete model, the density integrated over each cell; the uniform density costs `log2(levels)`.

    Args:
      log_likelihood: log-density of `(pixels + u) / levels`, in nats, `[batch]`.
      event_shape: the shape of one example, D elements.
      levels: number of values a pixel can take; 1 gives the differential figure of data that were never quantized.

    Returns:
      `[batch]`, in bits.

    Raises:
      UserError: an event of no elements, or fewer than 1 level.
    """
    size = math.prod(event_shape)
    if size < 1:
        raise UserError(f"event_shape is {tuple(event_shape)}: bits per dimension needs at least one dimension")
    _check_levels(levels)
    (nats,) = at_least_float32(log_likelihood)
    return -nats / (size * math.log(2.0)) + math.log2(levels)


def dequantize(images: ArrayLike, key: jax.Array, levels: int = 256) -> jax.Array:
    """Uniform dequantization, `(images + u) / levels` with u uniform on [0, 1): Theis et al. 2016, section 3.1.

    Args:
      images: whole numbers 0 to `levels - 1`, `[...]`, of any dtype.
      key: a PRNG key.
      levels: number of values a pixel can take.

    Returns:
      `[...]`, as from `fill_cells`.

    Raises:
      UserError: fewer than 1 level.
    """
    (images,) = at_least_float32(images)
    return fill_cells(images, jax.random.uniform(key, images.shape, images.dtype), levels)


def fill_cells(images: ArrayLike, u: ArrayLike, levels: int = 256) -> jax.Array:
    """`(images + u) / levels`: a place in each pixel's cell of [0, 1).

    With u drawn from any density q(u|images) on the cell, log-density of the result plus `-log q` is in expectation a
    lower bound on the discrete model's log-likelihood: Ho et al. 2019, equation 12.

    Args:
      images: whole numbers 0 to `levels - 1`, `[...]`, of any dtype.
      u: `[...]` in [0, 1].
      levels: number of values a pixel can take.

    Returns:
      `[...]` in [0, 1), one never reached; float32, or float64 for float64 images.

    Raises:
      UserError: fewer than 1 level.
    """
    _check_levels(levels)
    images, u = at_least_float32(images, u)
    # A u closer to one than this would round up into the next cell, from the last one to 1.0 itself.
    largest = 1.0 - 2.0 * levels * float(jnp.finfo(images.dtype).eps)
    return (images + jnp.minimum(u, largest)) / levels


def _check_levels(levels: int) -> None:
    if levels < 1:
        raise UserError(f"levels is {levels}: give the number of values a pixel can take, e.g. 256 for 8-bit images")
