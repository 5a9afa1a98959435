"""What every loss does to its arrays: float32 or better, 0 times infinity is 0, and one number is left per example."""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike


def at_least_float32(*arrays: ArrayLike) -> list[jax.Array]:
    """The arrays in one common dtype: float32 for bfloat16, float16, integers and booleans; float64 stays float64.

    They are cast together, so that a Python scalar beside a float64 array keeps its float64 value.
    """
    dtype = jnp.promote_types(jnp.result_type(*arrays), jnp.float32)
    return [jnp.asarray(array, dtype) for array in arrays]


def sum_event_axes(values: jax.Array) -> jax.Array:
    """Sums every axis but the first: `[batch, ...]` to `[batch]`."""
    return jnp.sum(values, axis=tuple(range(1, values.ndim)))


def mean_absolute(x: jax.Array, y: jax.Array) -> jax.Array:
    """Mean of |x - y| over every axis but the first, `[batch]`."""
    return jnp.mean(jnp.abs(x - y), axis=tuple(range(1, x.ndim)))


def only(where: ArrayLike | None, values: jax.Array, otherwise: ArrayLike = 0.0) -> jax.Array:
    """`values` of the set's members and `otherwise` in the place of padding, whose NaN no gradient meets.

    Args:
      where: which are members, of the first axes of `values`; None for all.
      values: `[*where.shape, ...]`.
      otherwise: what padding becomes.
    """
    if where is None:
        return values
    where = jnp.asarray(where, bool)
    return jnp.where(where.reshape(where.shape + (1,) * (values.ndim - where.ndim)), values, otherwise)


def times(weight: jax.Array, values: jax.Array) -> jax.Array:
    """`weight * values`, broadcast, where 0 times infinity is 0: what has no weight says nothing, in the gradient too.

    Infinite values have no gradient with respect to the weight, which does not change them.
    """
    infinite = jnp.isinf(values)
    at_infinity = jnp.where(weight == 0, 0.0, jax.lax.stop_gradient(weight) * values)
    return jnp.where(infinite, at_infinity, weight * jnp.where(infinite, 0.0, values))


def logsumexp(values: jax.Array, axis: int) -> jax.Array:
    """`jax.nn.logsumexp`, with a gradient of 0 where all are -inf and its own would be 0 / 0."""
    possible = jnp.any(values > -jnp.inf, axis=axis, keepdims=True)
    total = jax.nn.logsumexp(jnp.where(possible, values, 0.0), axis=axis)
    return jnp.where(possible.squeeze(axis), total, -jnp.inf)
