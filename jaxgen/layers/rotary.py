"""Rotary position embedding: queries and keys turned by their positions, so that products know only distances."""

import jax
import jax.numpy as jnp

from jaxgen.errors import UserError


def rotary(x: jax.Array, positions: jax.Array, base: float = 10_000.0) -> jax.Array:
    """Turns features i and i + size/2 of position p by the angle p·base^(-2i/size): Su et al., 2021, equation 15.

    Args:
      x: `[batch, length, heads, size]`, size even.
      positions: `[length]`.
      base: the slowest pair turns once in about 2π·base positions.

    Returns:
      The shape and type of x, each pair's length kept.

    Raises:
      UserError: size is odd.
    """
    size = x.shape[-1]
    if size % 2:
        raise UserError(f"a head has {size} features, which rotary embedding pairs: make width / heads even.")
    angle = positions[:, None] * base ** (-jnp.arange(0, size, 2) / size)
    cos, sin = jnp.cos(angle)[:, None], jnp.sin(angle)[:, None]
    a, b = jnp.split(x.astype(jnp.promote_types(x.dtype, cos.dtype)), 2, axis=-1)
    return jnp.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1).astype(x.dtype)
