"""Images as vectors."""

import jax
import jax.numpy as jnp

from jaxgen.bijectors.bijector import Bijector, widen


class Flatten(Bijector):
    """z `[batch, size]` is x `[batch, *event_shape]` with its elements in a row; both log-dets are 0.

    Attributes:
      event_shape: shape of one example of x.
    """

    event_shape: tuple[int, ...]

    def forward_and_log_det(self, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        return z.reshape(z.shape[0], *self.event_shape), jnp.zeros(z.shape[:1], widen(z).dtype)

    def inverse_and_log_det(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        return x.reshape(x.shape[0], -1), jnp.zeros(x.shape[:1], widen(x).dtype)
