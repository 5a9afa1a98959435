"""Per-channel affine normalization, initialized from the first batch."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgen.bijectors.bijector import Bijector, repeat_over_pixels, widen

_CONSTANT = 1e-6  # standard deviation below which a channel is rounding noise, not to be blown up to unit variance


def channel_moments(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Mean and log standard deviation of each channel of `[..., channels]`, both `[channels]`; log 0 if constant."""
    axes = tuple(range(x.ndim - 1))
    x = widen(x)
    first = x[(0,) * len(axes)]
    x = x - first  # of a constant channel exactly 0, whose mean has no rounding error to be taken for its spread
    std = jnp.std(x, axes)
    return first + jnp.mean(x, axes), jnp.log(jnp.where(std > _CONSTANT, std, 1.0))


class ActNorm(Bijector):
    """x = exp(l)·z + b and z = (x - b)·exp(-l), with b and l one number per channel.

    log|det dx/dz| = pixels·Σl, log|det dz/dx| = -pixels·Σl. Initializing by the inverse on a batch of data sets b and
    l to its mean and log standard deviation, so that z starts with zero mean and unit variance per channel (one that is
    constant over the batch keeps its scale); initializing by the forward map is the identity.
    Kingma & Dhariwal 2018, section 3.1.
    """

    @nn.compact
    def _parameters(self, channels: int, data: jax.Array | None) -> tuple[jax.Array, jax.Array]:
        if self.is_initializing() and data is not None:
            shift, log_scale = channel_moments(data)
        else:
            shift = log_scale = jnp.zeros(channels)
        return self.param("shift", lambda _: shift), self.param("log_scale", lambda _: log_scale)

    def forward_and_log_det(self, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        shift, log_scale = self._parameters(z.shape[-1], None)
        return z * jnp.exp(log_scale) + shift, repeat_over_pixels(jnp.sum(log_scale), z)

    def inverse_and_log_det(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        shift, log_scale = self._parameters(x.shape[-1], x)
        return (x - shift) * jnp.exp(-log_scale), repeat_over_pixels(-jnp.sum(log_scale), x)
