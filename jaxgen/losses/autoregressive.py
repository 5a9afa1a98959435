"""Log-probabilities of symbols under an autoregressive model's logits."""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxgen.losses.arrays import at_least_float32, sum_event_axes


def categorical_log_prob(x: ArrayLike, logits: ArrayLike) -> jax.Array:
    """`Σ_i log softmax(logits_i)[x_i]` over the event, in nats.

    Args:
      x: integers `[batch, ...]` from 0 to `levels - 1`.
      logits: `[batch, ..., levels]`.

    Returns:
      `[batch]`, at most 0.
    """
    (logits,) = at_least_float32(logits)
    is_x = jnp.asarray(x, jnp.int32)[..., None] == jnp.arange(logits.shape[-1])
    chosen = jnp.sum(jnp.where(is_x, logits, 0), axis=-1)  # a gather's gradient would scatter
    return sum_event_axes(chosen - jax.nn.logsumexp(logits, axis=-1))
