"""Invertible 1x1 convolution in LU form: a learned generalization of permuting the channels."""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype
from jax.lax.linalg import triangular_solve

from jaxgen.bijectors.bijector import Bijector, repeat_over_pixels
from jaxgen.layers.matrix import at_every_pixel

_HIGHEST = jax.lax.Precision.HIGHEST  # an accelerator's default product of float32 matrices is too coarse to invert


class Factors(NamedTuple):
    """W = P·L·(U + diag(s)): `order` int32 `[c]` with (P·m)[i] = m[order[i]], L `[c, c]` unit lower triangular,
    `upper` = U + diag(s) `[c, c]`, and log|s| `[c]`."""

    order: jax.Array
    lower: jax.Array
    upper: jax.Array
    log_scale: jax.Array

    def weight(self) -> jax.Array:
        """W, `[c, c]`."""
        return jnp.matmul(self.lower, self.upper, precision=_HIGHEST)[self.order]


def _random_rotation(key: jax.Array, channels: int) -> dict[str, jax.Array]:
    """LU factors of a random rotation."""
    rotation = nn.initializers.orthogonal()(key, (channels, channels))
    lu, _, order = jax.lax.linalg.lu(rotation)  # rotation[order] = L·U
    scale = jnp.diagonal(lu)
    return {
        "order": jnp.argsort(order).astype(jnp.int32),
        "sign": jnp.sign(scale),
        "lower": jnp.tril(lu, -1),
        "upper": jnp.triu(lu, 1),
        "log_scale": jnp.log(jnp.abs(scale)),
    }


class InvertibleConv(Bijector):
    """z = W·x at every pixel and x = W⁻¹·z, with W = P·L·(U + diag(s)) and W⁻¹ applied as two triangular solves.

    log|det dz/dx| = pixels·Σ log|s|, log|det dx/dz| = -pixels·Σ log|s|. P and the signs of s are drawn once and stay in
    the `constants` collection; L, U and log|s| are learned, from a random rotation. On `[batch, d]` data it is a dense
    linear map. Kingma & Dhariwal 2018, equations 10 and 11.
    """

    @nn.compact
    def factors(self, channels: int) -> Factors:
        """The factors of W, masked to their triangles."""
        if self.is_initializing():
            start = _random_rotation(self.make_rng("params"), channels)
        else:  # Linen asks for the parameters' shapes again
            square = jnp.zeros((channels, channels))
            start = {"lower": square, "upper": square, "log_scale": square[0]}
        order, sign = (
            self.variable("constants", name, lambda name=name: start[name]).value for name in ("order", "sign")
        )
        lower, upper, log_scale = (
            self.param(name, lambda _, name=name: start[name]) for name in ("lower", "upper", "log_scale")
        )
        lower = jnp.tril(lower, -1) + jnp.eye(channels, dtype=lower.dtype)
        return Factors(order, lower, jnp.triu(upper, 1) + jnp.diag(sign * jnp.exp(log_scale)), log_scale)

    def forward_and_log_det(self, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        channels = z.shape[-1]
        order, lower, upper, log_scale = self.factors(channels)
        # Pixels are rows, so z = x·Wᵀ = x·Uᵀ·Lᵀ·Pᵀ: undo the permutation, then solve from the right.
        rows, lower, upper = promote_dtype(z.reshape(-1, channels)[:, jnp.argsort(order)], lower, upper)
        rows = triangular_solve(lower, rows, lower=True, transpose_a=True, unit_diagonal=True)
        rows = triangular_solve(upper, rows, lower=False, transpose_a=True)
        return rows.reshape(z.shape), repeat_over_pixels(-jnp.sum(log_scale), z)

    def inverse_and_log_det(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        factors = self.factors(x.shape[-1])
        z = at_every_pixel(x, factors.weight().T, _HIGHEST)
        return z, repeat_over_pixels(jnp.sum(factors.log_scale), x)
