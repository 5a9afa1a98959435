"""Kernel distance between two sets of features; on Inception's features it is the KID.

Bińkowski et al., 2018, "Demystifying MMD GANs", section 4: the squared maximum mean discrepancy (Gretton et al., 2012,
lemma 6, unbiased) with the kernel k(x, y) = (xᵀy / features + 1)³.
"""

import jax
import jax.numpy as jnp

from jaxgen.metrics.distances import by_blocks

Array = jax.Array


def polynomial_kernel(x: Array, y: Array) -> Array:
    """k(x_i, y_j) of features `[rows, features]` and `[columns, features]`, as `[rows, columns]`."""
    return (jnp.matmul(x, y.T, precision=jax.lax.Precision.HIGHEST) / x.shape[1] + 1) ** 3


def squared_mmd(x: Array, y: Array) -> Array:
    """The unbiased estimate, `[]`, from features `[m, features]` and `[n, features]`, at least two of each.

    Mean k(x, x') over pairs of different rows, plus that of k(y, y'), less twice that of k(x, y); it may be negative.
    """

    def excess(a: Array, b: Array) -> Array:
        """How much more alike each row of a is to the others of its set than to those of b, `[rows]`."""
        count = a.shape[0]

        def block(rows: Array, number: Array) -> Array:
            own = number[:, None] == jnp.arange(count)
            within = jnp.sum(jnp.where(own, 0, polynomial_kernel(rows, a)), axis=1) / (count - 1)
            return within - jnp.mean(polynomial_kernel(rows, b), axis=1)

        return by_blocks(block, a, jnp.arange(count))

    # Differences row by row, before the means: the two terms are large and nearly equal.
    return jnp.mean(excess(x, y)) + jnp.mean(excess(y, x))


def kernel_distance(x: Array, y: Array, *, blocks: int = 10) -> tuple[Array, Array]:
    """The mean of `squared_mmd` over disjoint blocks of examples, and its standard error.

    Zaremba et al., 2013, "B-tests": the blocks are independent, so that their spread is an honest one.

    Args:
      x: features `[m, features]` in random order.
      y: features `[n, features]` in random order.
      blocks: how many, at least 2 and at most half of m and of n; a remainder is left out.

    Returns:
      Mean and standard error, `[]` each.
    """

    def cut(features: Array) -> Array:
        size = features.shape[0] // blocks
        return features[: size * blocks].reshape(blocks, size, -1)

    values = jax.lax.map(lambda pair: squared_mmd(*pair), (cut(x), cut(y)))
    return jnp.mean(values), jnp.std(values, ddof=1) / jnp.sqrt(blocks)
