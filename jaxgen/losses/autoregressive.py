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


def layer_weights(step: ArrayLike, layers: int, steps: int) -> jax.Array:
    """How much the predictions of each of a network's layers count: Al-Rfou et al., 2018, section 3.

    Args:
      step: steps done.
      layers: n.
      steps: of the whole training.

    Returns:
      `[layers]`: layer l, counted from 1, 1 before the share l / 2n of the steps is done and 0 from then on; the last
      one always 1.
    """
    layer = jnp.arange(1, layers + 1)
    return jnp.where((layer == layers) | (2 * layers * step < layer * steps), 1.0, 0.0)
