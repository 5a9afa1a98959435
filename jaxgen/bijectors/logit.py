"""From bounded data to the whole line."""

import math

import jax
import jax.numpy as jnp

from jaxgen.bijectors.bijector import Bijector, sum_per_example, widen
from jaxgen.errors import UserError


class Logit(Bijector):
    """x = (σ(z) - α)/(1 - 2α) and z = logit(α + (1 - 2α)·x), for x in [0, 1], such as dequantized images.

    log|det dz/dx| = Σ softplus(z) + softplus(-z) + log(1 - 2α), log|det dx/dz| its negative: with this on the data's
    side, a flow's likelihood is still that of x. Dinh et al. 2017, section 4.1; Papamakarios et al. 2017, section 4.3.

    Attributes:
      alpha: how far 0 and 1 are kept from where the logit is infinite. Papers take 1e-6 for MNIST and 0.05 for color
        images; 0 is for data that never reach 0 or 1.
    """

    alpha: float = 1e-6

    def __post_init__(self) -> None:
        if not 0 <= self.alpha < 0.5:
            raise UserError(f"Logit got alpha={self.alpha}: keep it at least 0 and below 0.5, for example 1e-6.")
        super().__post_init__()

    def _log_det(self, z: jax.Array) -> jax.Array:
        """Of data to base."""
        return sum_per_example(jax.nn.softplus(z) + jax.nn.softplus(-z) + math.log(1 - 2 * self.alpha))

    def forward_and_log_det(self, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        z = widen(z)
        return (jax.nn.sigmoid(z) - self.alpha) / (1 - 2 * self.alpha), -self._log_det(z)

    def inverse_and_log_det(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        x = widen(x)
        from_zero, from_one = (self.alpha + (1 - 2 * self.alpha) * distance for distance in (x, 1 - x))
        z = jnp.log(from_zero) - jnp.log(from_one)  # one minus the first would lose all digits of a small second
        return z, self._log_det(z)
