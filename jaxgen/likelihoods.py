"""What a decoder's outputs say of the data: p(x|z) as log-probability, mean, samples and cdf, one contract for all."""

import dataclasses
import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxgen.fields import SIGNED, Field
from jaxgen.losses import discretized, variational
from jaxgen.losses.arrays import sum_event_axes

Array = jax.Array


class Likelihood(NamedTuple):
    """p(x|z) as a function of what the decoder returns, taken apart along its last axis.

    Attributes:
      log_prob: `(x, *outputs) -> [batch]`, nats.
      mean: `(*outputs) -> images` in [-1, 1].
      sample: `(key, *outputs) -> x`, on the values `log_prob` is defined on.
      outputs: how many numbers a decoder gives for each element of x.
      cdf: `(x, *outputs) -> P(X <= x)`, element by element, in the shape of x; None where x is continuous.
      takes: the values that x has.
    """

    log_prob: Callable[..., Array]
    mean: Callable[..., Array]
    sample: Callable[..., Array]
    outputs: int = 1
    cdf: Callable[..., Array] | None = None
    takes: Field = Field()

    @property
    def images(self) -> Field:
        """`takes`, of images."""
        return dataclasses.replace(self.takes, layout=SIGNED.layout)


bernoulli = Likelihood(
    variational.bernoulli_log_prob,
    lambda logits: jnp.tanh(logits / 2),  # 2 sigmoid - 1
    lambda key, logits: jax.random.bernoulli(key, jax.nn.sigmoid(logits)).astype(logits.dtype),
    outputs=1,
    cdf=lambda x, logits: jnp.where(x < 1, jax.nn.sigmoid(-logits), 1.0),
    takes=Field(0, 1),
)
"""Pixels 0 and 1; the output is the logit of 1."""

gaussian = Likelihood(
    variational.gaussian_log_prob,
    lambda mean, log_variance: mean,
    lambda key, mean, log_variance: mean + jnp.exp(log_variance / 2) * jax.random.normal(key, mean.shape, mean.dtype),
    outputs=2,
)
"""Continuous values; outputs are the mean and the log-variance, so that the variance is learned."""


def discretized_logistic(levels: int) -> Likelihood:
    """For images in [-1, 1] on `levels` equally spaced values; outputs are the mean and the log-scale of each pixel."""
    return Likelihood(
        functools.partial(variational.discretized_logistic_log_prob, levels=levels),
        lambda mean, log_scale: jnp.clip(mean, -1, 1),
        functools.partial(discretized.logistic_sample, levels=levels),
        outputs=2,
        cdf=functools.partial(discretized.logistic_cdf, levels=levels),
        takes=Field(-1, 1, levels),
    )


def logistic_mixture(levels: int, components: int = 10) -> Likelihood:
    """For images in [-1, 1] on `levels` equally spaced values; outputs are the logits, then means, then log-scales."""

    def parts(outputs: tuple[Array, ...]) -> list[Array]:
        return jnp.split(jnp.stack(outputs, -1), 3, -1)

    def log_prob(x: Array, *outputs: Array) -> Array:
        return sum_event_axes(discretized.logistic_mixture_log_prob(x, *parts(outputs), levels=levels))

    def mean(*outputs: Array) -> Array:
        logits, means, _ = parts(outputs)
        return jnp.clip(jnp.sum(jax.nn.softmax(logits) * jnp.clip(means, -1, 1), -1), -1, 1)

    def sample(key: Array, *outputs: Array) -> Array:
        return discretized.logistic_mixture_sample(key, *parts(outputs), levels=levels)

    def cdf(x: Array, *outputs: Array) -> Array:
        return discretized.logistic_mixture_cdf(x, *parts(outputs), levels=levels)

    return Likelihood(log_prob, mean, sample, 3 * components, cdf, Field(-1, 1, levels))


def categorical(levels: int) -> Likelihood:
    """For images in [-1, 1] on `levels` equally spaced values; outputs are the logits of the levels."""
    values = jnp.linspace(-1, 1, levels)

    def index(x: Array) -> Array:
        return jnp.round((x + 1) / 2 * (levels - 1)).astype(int)[..., None]

    def log_prob(x: Array, *logits: Array) -> Array:
        log_probs = jax.nn.log_softmax(jnp.stack(logits, -1))
        return sum_event_axes(jnp.take_along_axis(log_probs, index(x), -1)[..., 0])

    def mean(*logits: Array) -> Array:
        return jnp.sum(jax.nn.softmax(jnp.stack(logits, -1)) * values, -1)

    def sample(key: Array, *logits: Array) -> Array:
        return values[jax.random.categorical(key, jnp.stack(logits, -1))]

    def cdf(x: Array, *logits: Array) -> Array:
        below = jnp.cumsum(jax.nn.softmax(jnp.stack(logits, -1)), -1)
        return jnp.where(x < 1, jnp.take_along_axis(below, index(x), -1)[..., 0], 1.0)

    return Likelihood(log_prob, mean, sample, levels, cdf, Field(-1, 1, levels))
