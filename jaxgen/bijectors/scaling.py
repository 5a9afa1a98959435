"""A learned scale of every channel."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgen.bijectors.bijector import Bijector, repeat_over_pixels


class Scaling(Bijector):
    """x = exp(l)·z and z = exp(-l)·x, with l one number per channel, 0 at first.

    log|det dx/dz| = pixels·Σl, log|det dz/dx| = -pixels·Σl. Dinh et al. 2014, section 3.3.
    """

    @nn.compact
    def _log_scale(self, channels: int) -> jax.Array:
        return self.param("log_scale", nn.initializers.zeros, (channels,))

    def forward_and_log_det(self, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        log_scale = self._log_scale(z.shape[-1])
        return z * jnp.exp(log_scale), repeat_over_pixels(jnp.sum(log_scale), z)

    def inverse_and_log_det(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        log_scale = self._log_scale(x.shape[-1])
        return x * jnp.exp(-log_scale), repeat_over_pixels(-jnp.sum(log_scale), x)
