"""Images as vectors."""

import math

import jax
import jax.numpy as jnp

from jaxgen.bijectors.bijector import Bijector, Misfit, widen


class Flatten(Bijector):
    """z `[batch, size]` is x `[batch, *event_shape]` with its elements in a row; both log-dets are 0.

    Attributes:
      event_shape: shape of one example of x.
    """

    event_shape: tuple[int, ...]

    def forward_and_log_det(self, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        if z.shape[1:] != (math.prod(self.event_shape),):
            raise Misfit(
                f"Flatten makes {self.event_shape} of {math.prod(self.event_shape)} numbers; got {z.shape[1:]}."
            )
        return z.reshape(z.shape[0], *self.event_shape), jnp.zeros(z.shape[:1], widen(z).dtype)

    def inverse_and_log_det(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        if x.shape[1:] != tuple(self.event_shape):
            raise Misfit(f"Flatten takes examples of event_shape {self.event_shape}; got {x.shape[1:]}.")
        return x.reshape(x.shape[0], -1), jnp.zeros(x.shape[:1], widen(x).dtype)
