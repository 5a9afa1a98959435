"""What every loss does to its arrays: compute in float32 or better, and leave one number per example."""

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
