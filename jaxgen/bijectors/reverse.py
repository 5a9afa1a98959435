"""Turning the order of a vector's elements round."""

import jax
import jax.numpy as jnp

from jaxgen.bijectors.bijector import Bijector, widen


class Reverse(Bijector):
    """z_i = x_(n-1-i) and x_i = z_(n-1-i) over the n channels; both log-dets are 0.

    Between autoregressive layers it lets the elements that were conditioned on least be conditioned on most.
    Papamakarios et al. 2017, section 4.1.
    """

    def forward_and_log_det(self, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        return self.inverse_and_log_det(z)

    def inverse_and_log_det(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        return jnp.flip(x, axis=-1), jnp.zeros(x.shape[:1], widen(x).dtype)
