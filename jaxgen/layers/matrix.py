"""Products of matrices, in the shape XLA:CPU multiplies and differentiates fastest."""

import jax
import jax.numpy as jnp


def at_every_pixel(x: jax.Array, matrix: jax.Array, precision: jax.lax.PrecisionLike = None) -> jax.Array:
    """`x @ matrix` with all pixels as rows of one product.

    With the image's axes left in place the matrix's gradient sums over several axes, and takes twice as long.

    Args:
      x: `[..., in]`.
      matrix: `[in, out]`.
      precision: of the product, as `jnp.matmul` takes it.

    Returns:
      `[..., out]`.
    """
    rows = jnp.matmul(x.reshape(-1, x.shape[-1]), matrix, precision=precision)
    return rows.reshape(*x.shape[:-1], matrix.shape[-1])
