"""Distributions of quantized values, element by element: a logistic integrated over bins, and mixtures of such.

Values lie on `levels` equally spaced points of [-1, 1], `2 k / (levels - 1) - 1`. Half a bin is `h = 1 / (levels - 1)`;
the first bin reaches to minus and the last to plus infinity, so that the levels' probabilities sum to one.
"""

import math

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxgen.errors import UserError
from jaxgen.losses.arrays import at_least_float32
from jaxgen.losses.softplus import softplus

# Scales below e^-40 (4e-18) count as e^-40, so that a squared, scaled distance and its gradient still fit in float32.
MIN_LOG_SCALE = -40.0


def logistic_log_prob(x: ArrayLike, mean: ArrayLike, log_scale: ArrayLike, *, levels: int = 256) -> jax.Array:
    """`log[F(x + h) - F(x - h)]`, `F(t) = sigmoid((t - mean) / exp(log_scale))`: Salimans et al. 2017, eq. 2. In nats.

    Args:
      x: `[...]`, on the levels.
      mean: broadcast against `x`.
      log_scale: broadcast against `x`; below -40 it counts as -40.
      levels: number of values, 2 or more.

    Returns:
      The arguments' broadcast shape, at most 0; finite however far x lies in the tails.

    Raises:
      UserError: fewer than 2 levels.
    """
    half = _half(levels)
    x, mean, log_scale = at_least_float32(x, mean, log_scale)
    log_scale = jnp.maximum(log_scale, MIN_LOG_SCALE)
    inverse_scale = jnp.exp(-log_scale)
    upper = (x - mean + half) * inverse_scale
    lower = (x - mean - half) * inverse_scale
    log_below_upper = -softplus(-upper)
    log_above_lower = -softplus(lower)
    # sigmoid(u) - sigmoid(l) = sigmoid(u) sigmoid(-l) (1 - exp(l - u)): no difference of nearly equal numbers.
    inner = log_below_upper + log_above_lower + _log1mexp_of_exp(math.log(2.0 * half) - log_scale)
    log_prob = jnp.where(x > 1.0 - half, log_above_lower, inner)
    return jnp.where(x < half - 1.0, log_below_upper, log_prob)


def logistic_cdf(x: ArrayLike, mean: ArrayLike, log_scale: ArrayLike, *, levels: int = 256) -> jax.Array:
    """`P(X <= x) = F(x + h)`, and 1 at the last level. Arguments and errors as of `logistic_log_prob`."""
    half = _half(levels)
    x, mean, log_scale = at_least_float32(x, mean, log_scale)
    below = jax.nn.sigmoid((x - mean + half) * jnp.exp(-jnp.maximum(log_scale, MIN_LOG_SCALE)))
    return jnp.where(x > 1.0 - half, 1.0, below)


def logistic_sample(key: jax.Array, mean: ArrayLike, log_scale: ArrayLike, *, levels: int = 256) -> jax.Array:
    """Draws of `logistic_log_prob`'s distribution, on the levels; no gradient passes rounding.

    Args:
      key: PRNG key.
      mean: `[...]`.
      log_scale: broadcast against `mean`.
      levels: number of values, 2 or more.

    Returns:
      The shape of `mean` and `log_scale` broadcast.
    """
    half = _half(levels)
    mean, log_scale = jnp.broadcast_arrays(*at_least_float32(mean, log_scale))
    x = mean + jnp.exp(log_scale) * jax.random.logistic(key, mean.shape, mean.dtype)
    return jnp.round((jnp.clip(x, -1.0, 1.0) + 1.0) / (2.0 * half)) * (2.0 * half) - 1.0


def logistic_mixture_log_prob(
    x: ArrayLike, logits: ArrayLike, means: ArrayLike, log_scales: ArrayLike, *, levels: int = 256
) -> jax.Array:
    """`log sum_k softmax(logits)_k P(x | mean_k, scale_k)`: Salimans et al. 2017, eq. 3, one channel. In nats.

    Args:
      x: `[...]`, on the levels.
      logits: of the components, `[..., components]`.
      means: `[..., components]`.
      log_scales: `[..., components]`.
      levels: number of values, 2 or more.

    Returns:
      The shape of `x`.
    """
    x, logits, means, log_scales = at_least_float32(x, logits, means, log_scales)
    components = logistic_log_prob(x[..., None], means, log_scales, levels=levels)
    return jax.nn.logsumexp(jax.nn.log_softmax(logits) + components, -1)


def logistic_mixture_cdf(
    x: ArrayLike, logits: ArrayLike, means: ArrayLike, log_scales: ArrayLike, *, levels: int = 256
) -> jax.Array:
    """`P(X <= x)`, the components' average. Arguments as of `logistic_mixture_log_prob`."""
    x, logits, means, log_scales = at_least_float32(x, logits, means, log_scales)
    components = logistic_cdf(x[..., None], means, log_scales, levels=levels)
    return jnp.where(x > 1.0 - _half(levels), 1.0, jnp.sum(jax.nn.softmax(logits) * components, -1))


def logistic_mixture_sample(
    key: jax.Array, logits: ArrayLike, means: ArrayLike, log_scales: ArrayLike, *, levels: int = 256
) -> jax.Array:
    """Draws `[...]`, on the levels: what a next channel is told must be of the kind that it saw in training."""
    logits, means, log_scales = at_least_float32(logits, means, log_scales)
    of_component, of_value = jax.random.split(key)
    component = jax.random.categorical(of_component, logits)[..., None]
    mean, log_scale = (jnp.take_along_axis(x, component, -1)[..., 0] for x in (means, log_scales))
    return logistic_sample(of_value, mean, log_scale, levels=levels)


def _half(levels: int) -> float:
    if levels < 2:
        raise UserError(f"levels is {levels}: a discretized distribution needs at least 2, e.g. 256 for 8-bit images")
    return 1.0 / (levels - 1)


def _log1mexp_of_exp(log_distance: jax.Array) -> jax.Array:
    """`log(1 - exp(-d))` of `d = exp(log_distance)`, also where d underflows."""
    distance = jnp.exp(log_distance)
    series = log_distance - distance / 2.0 + jnp.square(distance) / 24.0  # next term d^4 / 2880: 2e-16 where it is used
    direct = jnp.log(-jnp.expm1(-jnp.maximum(distance, 1e-4)))
    return jnp.where(log_distance < -7.0, series, direct)
