"""A rectifier whose gradient looks at its output."""

import jax
import jax.numpy as jnp


@jax.custom_jvp
def relu(x: jax.Array) -> jax.Array:
    """max(x, 0), with `jax.nn.relu`'s values and derivatives.

    That one's derivative asks where x is positive, so x must be kept; this asks where max(x, 0) is. Behind a
    convolution it is then part of it on GPUs, and x is neither written nor read.
    """
    return jnp.maximum(x, 0)


relu.defjvps(lambda tangent, y, x: jnp.where(y > 0, tangent, jnp.zeros_like(tangent)))
