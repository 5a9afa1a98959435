"""What a decoder's outputs say of the data: p(x|z) as log-probability, mean and samples, one contract for all."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxgen.losses import variational

Array = jax.Array


class Likelihood(NamedTuple):
    """p(x|z) as a function of what the decoder returns, taken apart along its last axis.

    Attributes:
      log_prob: `(x, *outputs) -> [batch]`, nats.
      mean: `(*outputs) -> images` in [-1, 1].
      sample: `(key, *outputs) -> x`, on the values `log_prob` is defined on.
    """

    log_prob: Callable[..., Array]
    mean: Callable[..., Array]
    sample: Callable[..., Array]


bernoulli = Likelihood(
    variational.bernoulli_log_prob,
    lambda logits: jnp.tanh(logits / 2),  # 2 sigmoid - 1
    lambda key, logits: jax.random.bernoulli(key, jax.nn.sigmoid(logits)).astype(logits.dtype),
)


def discretized_logistic(levels: int) -> Likelihood:
    """For images in [-1, 1] on `levels` equally spaced values; outputs are the mean and the log-scale of each pixel."""
    log_prob = functools.partial(variational.discretized_logistic_log_prob, levels=levels)
    sample = functools.partial(variational.discretized_logistic_sample, levels=levels)
    return Likelihood(log_prob, lambda mean, log_scale: jnp.clip(mean, -1, 1), sample)
