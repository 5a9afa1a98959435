"""A learned rotation of the channels."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.lax.linalg import triangular_solve

from jaxgen.bijectors.bijector import Bijector, widen
from jaxgen.layers.matrix import at_every_pixel

_HIGHEST = jax.lax.Precision.HIGHEST  # coarser products of float32 matrices on an accelerator are not orthogonal


class Rotation(Bijector):
    """z = Q·x and x = Qᵀ·z at every pixel of `[batch, ..., channels]`, Q orthogonal; both log-dets are 0.

    Q is the product of as many Householder reflections I - 2vvᵀ/‖v‖² as there are channels c, which reach every
    orthogonal matrix of determinant (-1)ᶜ; the vectors v, random at first, are learned. Unlike `InvertibleConv`, which
    starts as a rotation, it stays one. Tomczak & Welling 2016, equations 10 and 11; the product is formed without a
    loop, I - V·S⁻¹·Vᵀ with S = the strict upper triangle of VᵀV + ½I, as in Joffrain et al. 2006, section 3.
    """

    @nn.compact
    def matrix(self, channels: int) -> jax.Array:
        """Q, `[channels, channels]`."""
        vectors = self.param("vectors", nn.initializers.normal(1.0), (channels, channels))
        v = vectors / jnp.linalg.norm(vectors, axis=0)
        s = jnp.triu(jnp.matmul(v.T, v, precision=_HIGHEST), 1) + 0.5 * jnp.eye(channels, dtype=v.dtype)
        return jnp.eye(channels, dtype=v.dtype) - jnp.matmul(
            v, triangular_solve(s, v.T, left_side=True), precision=_HIGHEST
        )

    def forward_and_log_det(self, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        return self._rotate(z, self.matrix(z.shape[-1]))

    def inverse_and_log_det(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        return self._rotate(x, self.matrix(x.shape[-1]).T)

    def _rotate(self, rows: jax.Array, matrix: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Pixels are rows, so Q·x is x·Qᵀ."""
        return at_every_pixel(rows, matrix, _HIGHEST), jnp.zeros(rows.shape[:1], widen(rows).dtype)
