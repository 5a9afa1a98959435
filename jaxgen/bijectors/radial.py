"""Radial flow: space contracts or expands around one point."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgen.bijectors.bijector import Bijector, sum_per_example, widen


class Radial(Bijector):
    """x = c + (z - c)·(1 + β̂/(α + r)), r = ‖z - c‖, and z = c + (x - c)·(α + r)/(γ + r), on `[batch, ..., channels]`.

    log|det dx/dz| = Σ (channels - 1)·log((γ + r)/(α + r)) + log((r² + 2αr + αγ)/(α + r)²) and log|det dz/dx| its
    negative, where γ = α + β̂ > 0, by β̂ = -α + softplus(β), keeps the map invertible. The distance s = ‖x - c‖ =
    r·(γ + r)/(α + r) makes r the positive root of r² + (γ - s)·r - αs: a quadratic, so no solver is needed. It starts
    as the identity, α = γ, around a random c. Rezende & Mohamed 2015, equations 13 and 14 and appendix A.2.
    """

    @nn.compact
    def _parameters(self, channels: int) -> tuple[jax.Array, jax.Array, jax.Array]:
        """c `[channels]`, α and γ `[]`, both positive."""
        center = self.param("center", nn.initializers.normal(1.0), (channels,))
        alpha, beta = (self.param(name, nn.initializers.zeros, ()) for name in ("alpha", "beta"))
        return center, nn.softplus(alpha), nn.softplus(beta)

    def _log_det(self, r: jax.Array, alpha: jax.Array, gamma: jax.Array, channels: int) -> jax.Array:
        """Of base to data."""
        along = jnp.log(r**2 + 2 * alpha * r + alpha * gamma) - 2 * jnp.log(alpha + r)
        return sum_per_example((channels - 1) * jnp.log((gamma + r) / (alpha + r)) + along)

    def forward_and_log_det(self, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        z = widen(z)
        center, alpha, gamma = self._parameters(z.shape[-1])
        r = _norm(z - center)
        x = center + (z - center) * ((gamma + r) / (alpha + r))[..., None]
        return x, self._log_det(r, alpha, gamma, z.shape[-1])

    def inverse_and_log_det(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        x = widen(x)
        center, alpha, gamma = self._parameters(x.shape[-1])
        s = _norm(x - center)
        # Of the root's two forms each element takes the one in which nothing cancels.
        half = 0.5 * jnp.abs(s - gamma)
        larger = half + jnp.sqrt(half**2 + alpha * s)
        r = jnp.where(s > gamma, larger, alpha * s / larger)
        z = center + (x - center) * ((alpha + r) / (gamma + r))[..., None]
        return z, -self._log_det(r, alpha, gamma, x.shape[-1])


def _norm(x: jax.Array) -> jax.Array:
    """Length of the last axis's vectors, `[...]`, with gradient 0 at the origin."""
    squared = jnp.sum(x**2, axis=-1)
    return jnp.where(squared > 0, jnp.sqrt(jnp.where(squared > 0, squared, 1.0)), 0.0)
