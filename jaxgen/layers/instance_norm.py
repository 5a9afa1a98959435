"""Normalization of each map of each image, alone or with a style's mean and scale put in the place of its own.

Ulyanov et al. 2016, "Instance Normalization"; Huang & Belongie 2017, "Arbitrary Style Transfer in Real-time with
Adaptive Instance Normalization", equation 8, as Karras et al. 2019 use it.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxgen.errors import UserError
from jaxgen.layers.equalized import EqualizedDense


def instance_norm(x: jax.Array, *, epsilon: float = 1e-5) -> jax.Array:
    """`(x - mean) / sqrt(variance + epsilon)` over the pixels of every map of `[batch, height, width, channels]`.

    There are no running statistics: what it does to an image is the same in training and after it.

    Raises:
      UserError: a map has one pixel, of which nothing would be left.
    """
    if x.shape[1] * x.shape[2] == 1:
        raise UserError(
            "instance normalization of 1x1 maps leaves zeros; use larger images, fewer stages or no norm there."
        )
    wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    mean = jnp.mean(wide, (1, 2), keepdims=True)
    variance = jnp.var(wide, (1, 2), keepdims=True)
    return ((wide - mean) * jax.lax.rsqrt(variance + epsilon)).astype(x.dtype)


class InstanceNorm(nn.Module):
    """`scale * instance_norm(x) + shift`, learned for every channel."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """`[batch, height, width, channels]` to the same."""
        scale = self.param("scale", nn.initializers.ones, x.shape[-1:], jnp.float32)
        shift = self.param("shift", nn.initializers.zeros, x.shape[-1:], jnp.float32)
        return instance_norm(x) * scale.astype(x.dtype) + shift.astype(x.dtype)


class AdaptiveInstanceNorm(nn.Module):
    """`scale(w) * instance_norm(x) + shift(w)`: affine maps of w, which begin near one and zero.

    Attributes:
      dtype: of what is returned; styles are computed in float32.
    """

    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array, w: jax.Array) -> jax.Array:
        """`[batch, height, width, channels]` and styles' latents `[batch, n]` to the same as x."""
        w = w.astype(jnp.float32)
        scale = EqualizedDense(x.shape[-1], gain=1.0, bias=1.0, name="scale")(w)
        shift = EqualizedDense(x.shape[-1], gain=1.0, name="shift")(w)
        x = x if self.dtype is None else x.astype(self.dtype)
        return instance_norm(x) * scale[:, None, None].astype(x.dtype) + shift[:, None, None].astype(x.dtype)
