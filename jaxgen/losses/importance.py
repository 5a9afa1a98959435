"""Gradients and figures of the importance-weighted bound, `variational.iwae`: DReG, and any number of draws streamed.

With reparametrized draws `z_k = mean + scale * noise_k` and `log_q` of *stopped* encoder outputs, "sticking the
landing" (Roeder et al. 2017), the encoder learns through z alone, and at the posterior learns nothing, draw by draw.
With more than one draw that is biased until draw k's path is weighted by w~_k squared: `doubly_reparametrized`.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxgen.errors import UserError
from jaxgen.losses.variational import iwae


def doubly_reparametrized(z: jax.Array, axis: int = 0) -> tuple[jax.Array, jax.Array]:
    """Doubly reparametrized gradients (DReG, "IWAE-DReG") of what reaches z: Tucker et al. 2019, eq. 8.

        z, nothing = doubly_reparametrized(mean + jnp.exp(log_variance / 2) * noise)
        bound = variational.iwae(log_p(x, z) - log_q(z, stopped mean, stopped log_variance) + nothing)

    The gradient that comes back through z to draw k's parameters is multiplied by the draw's normalized weight once
    more; gradients of all that was applied to z, the decoder's or the prior's, stay. With one draw this is "sticking
    the landing".

    Args:
      z: draws, `[k, batch, ...]` or `[batch, k, ...]`.
      axis: of the draws, 0 or 1.

    Returns:
      z, and zeros in the shape of its first two axes, to be added to the log-weights: their gradient is the weights.
    """
    weighed: Any = _weighed
    return weighed(z, axis)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def _weighed(z: jax.Array, axis: int) -> tuple[jax.Array, jax.Array]:
    return z, jnp.zeros(z.shape[:2], z.dtype)


def _forward(z: jax.Array, axis: int) -> tuple[tuple[jax.Array, jax.Array], None]:
    return _weighed(z, axis), None


def _backward(axis: int, _: None, cotangents: tuple[jax.Array, jax.Array]) -> tuple[jax.Array]:
    of_z, weights = cotangents
    total = jnp.sum(weights, axis, keepdims=True)  # what the bound is multiplied by, e.g. minus one over the batch
    normalized = weights / jnp.where(total == 0, 1, total)
    return (of_z * normalized.reshape(normalized.shape + (1,) * (of_z.ndim - 2)),)


_weighed.defvjp(_forward, _backward)


def streamed_iwae(log_weight: Callable[[jax.Array], jax.Array], key: jax.Array, *, draws: int, chunk: int) -> jax.Array:
    """`iwae` of so many draws that their log-weights are never in memory together. In nats; not for gradients.

    Args:
      log_weight: `key -> [batch]`, the log-weight of one draw an example.
      key: PRNG key. Draw i depends on it and i alone, so the bound is the same whatever the chunk, but for rounding.
      draws: k.
      chunk: draws computed at once; it divides k.

    Returns:
      `[batch]`.

    Raises:
      UserError: k is not a multiple of the chunk.
    """
    if draws < 1 or chunk < 1 or draws % chunk:
        raise UserError(f"draws {draws} is not a multiple of chunk {chunk}; choose one that is, e.g. {chunk * 50}")

    def add(number: jax.Array, total: jax.Array) -> jax.Array:
        keys = jax.vmap(lambda i: jax.random.fold_in(key, i))(number * chunk + jnp.arange(chunk))
        return jnp.logaddexp(total, iwae(jax.vmap(log_weight)(keys)))

    shape = jax.eval_shape(log_weight, key)
    nothing = jnp.full(shape.shape, -jnp.inf, jnp.promote_types(shape.dtype, jnp.float32))
    return jax.lax.fori_loop(0, draws // chunk, add, nothing) - math.log(draws // chunk)
