"""A linear map of its own for every example: what makes a full covariance of a diagonal one."""

import jax
import jax.numpy as jnp

from jaxgen.bijectors.bijector import Bijector, check_axes
from jaxgen.errors import UserError


class LowerTriangular(Bijector):
    """`x = L z`, L unit lower triangular; the condition `[batch, size (size - 1) / 2]` is what is below its diagonal.

    `z = L^-1 x`, log-det 0. The linear inverse autoregressive flow (Kingma et al. 2016): of an encoder's diagonal
    Gaussian it makes one of covariance `L diag(variance) L^T`, which every covariance can be written as (Rezende et al.
    2014, section 4.1, by Cholesky).
    """

    conditional = True

    def forward_and_log_det(self, z: jax.Array, condition: jax.Array) -> tuple[jax.Array, jax.Array]:
        """`L z`."""
        return z + jnp.einsum("bij,bj->bi", self._below(z, condition), z), jnp.zeros(z.shape[0], z.dtype)

    def inverse_and_log_det(self, x: jax.Array, condition: jax.Array) -> tuple[jax.Array, jax.Array]:
        """`L^-1 x`."""
        solve = jax.vmap(lambda below, x: jax.scipy.linalg.solve_triangular(below, x, lower=True, unit_diagonal=True))
        return solve(self._below(x, condition), x), jnp.zeros(x.shape[0], x.dtype)

    def _below(self, x: jax.Array, condition: jax.Array) -> jax.Array:
        check_axes(self, x, "batch, size")
        size = x.shape[-1]
        if condition.shape[-1] != size * (size - 1) // 2:
            raise UserError(
                f"LowerTriangular takes a condition of {size * (size - 1) // 2} numbers for {size} dimensions, but got "
                f"{condition.shape[-1]}."
            )
        return jnp.zeros((*x.shape, size), x.dtype).at[:, *jnp.tril_indices(size, -1)].set(condition)
