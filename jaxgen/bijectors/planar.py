"""Planar flow: the plane's offset bends space along one direction."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgen.bijectors.bijector import Bijector, sum_per_example, widen
from jaxgen.bijectors.solver import increasing_root


class Planar(Bijector):
    """x = z + û·tanh(wᵀz + b) on the channels of `[batch, ..., channels]`; z = x - û·tanh(a + b), a = wᵀz by a solver.

    log|det dx/dz| = Σ log(1 + wᵀû·(1 - tanh²(wᵀz + b))) by the determinant lemma, log|det dz/dx| = -log|det dx/dz|.
    û = u + (m(wᵀu) - wᵀu)·w/‖w‖² with m(t) = softplus(t) - 1 has wᵀû > -1, so that wᵀx = a + wᵀû·tanh(a + b)
    increases in a, and |tanh| < 1 brackets its one root. Where that does not converge, the inverse is NaN
    (`jaxgen.bijectors.solver`). It starts as the identity, u being where û = 0, with a random w.
    Rezende & Mohamed 2015, equations 10 to 12 and appendix A.1, whose text has ‖w‖ᵢ² for the squared norm.
    """

    @nn.compact
    def _parameters(self, channels: int) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
        """w and û `[channels]`, b `[]`, and 1 + wᵀû `[]`, positive."""
        w = self.param("w", nn.initializers.normal(1.0), (channels,))
        still = jnp.log(jnp.expm1(1.0))  # m(still) = 0
        u = self.param("u", lambda _: still * w / jnp.vdot(w, w))
        b = self.param("b", nn.initializers.zeros, ())
        dot = jnp.vdot(w, u)
        positive = nn.softplus(dot)
        return w, u + (positive - 1 - dot) * w / jnp.vdot(w, w), b, positive

    def _log_det(self, bend: jax.Array, positive: jax.Array) -> jax.Array:
        """Of base to data. 1 + wᵀû·(1 - bend²) = bend² + (1 + wᵀû)·(1 - bend²): a sum that cannot cancel."""
        return sum_per_example(jnp.log(bend**2 + positive * (1 - bend**2)))

    def forward_and_log_det(self, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        z = widen(z)
        w, u, b, positive = self._parameters(z.shape[-1])
        bend = jnp.tanh(z @ w + b)
        return z + u * bend[..., None], self._log_det(bend, positive)

    def inverse_and_log_det(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        x = widen(x)
        w, u, b, positive = self._parameters(x.shape[-1])
        target, slope = x @ w, positive - 1
        reach = jnp.abs(slope)
        a = increasing_root(lambda a: a + slope * jnp.tanh(a + b) - target, target - reach, target + reach)
        bend = jnp.tanh(a + b)
        return x - u * bend[..., None], -self._log_det(bend, positive)
