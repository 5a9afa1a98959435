"""A fixed random order of the channels."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgen.bijectors.bijector import Bijector, widen


class Permutation(Bijector):
    """z_i = x_order(i) and x_order(i) = z_i over the channels of `[batch, ..., channels]`; both log-dets are 0.

    The order is drawn once, at initialization, and stays in the `constants` collection. Between couplings it decides
    anew which channels move. Dinh et al. 2017, section 3.5, alternates; Kingma & Dhariwal 2018, section 3.2, compares.
    """

    @nn.compact
    def _order(self, channels: int) -> jax.Array:
        return self.variable(
            "constants", "order", lambda: jax.random.permutation(self.make_rng("params"), channels).astype(jnp.int32)
        ).value

    def forward_and_log_det(self, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        return z[..., jnp.argsort(self._order(z.shape[-1]))], jnp.zeros(z.shape[:1], widen(z).dtype)

    def inverse_and_log_det(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        return x[..., self._order(x.shape[-1])], jnp.zeros(x.shape[:1], widen(x).dtype)
