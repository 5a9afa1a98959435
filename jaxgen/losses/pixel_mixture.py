"""Mixtures of discretized logistics over a pixel's channels, whose means are linear in the channels before.

Of a pixel x `[..., channels]` on `levels` points of [-1, 1], component k has `P_k(x) = Π_c P(x_c | m_ck + Σ_(d<c) a_cdk
x_d, s_ck)`, P the logistic over bins of `losses.discretized`: Salimans et al., 2017, "PixelCNN++", equations 2 and 3.
Channels before are the ones given; samplers that go by `conditionals` therefore round them as they are in training.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxgen.losses.arrays import at_least_float32
from jaxgen.losses.discretized import logistic_log_prob


class PixelMixture(NamedTuple):
    """Parameters of the mixture, any leading axes.

    Attributes:
      logits: of the components, `[..., components]`.
      means: m, `[..., channels, components]`.
      log_scales: log s, `[..., channels, components]`.
      coefficients: a, `[..., channels * (channels - 1) / 2, components]`, of each channel those before it, in order.
    """

    logits: jax.Array
    means: jax.Array
    log_scales: jax.Array
    coefficients: jax.Array


def numbers(channels: int, components: int) -> int:
    """How many parameters a pixel has."""
    return components * (1 + 2 * channels + channels * (channels - 1) // 2)


def unpacked(raw: jax.Array, channels: int, components: int) -> PixelMixture:
    """A network's `[..., numbers(channels, components)]`, float32 or wider; coefficients are within ±1 by tanh."""
    (raw,) = at_least_float32(raw)
    parts = raw.reshape(*raw.shape[:-1], -1, components)
    logits, means, log_scales, coefficients = jnp.split(parts, [1, 1 + channels, 1 + 2 * channels], axis=-2)
    return PixelMixture(logits[..., 0, :], means, log_scales, jnp.tanh(coefficients))


def log_prob(x: ArrayLike, mixture: PixelMixture, *, levels: int = 256) -> jax.Array:
    """`log Σ_k softmax(logits)_k P_k(x)` of whole pixels, nats.

    Args:
      x: `[..., channels]`, on the levels.
      mixture: its parameters.
      levels: number of values, 2 or more.

    Returns:
      `[...]`, at most 0.
    """
    channels = jnp.sum(_own(x, mixture, levels), axis=-2)
    return jax.nn.logsumexp(jax.nn.log_softmax(mixture.logits) + channels, axis=-1)


def conditionals(x: ArrayLike, mixture: PixelMixture, *, levels: int = 256) -> jax.Array:
    """Log-probabilities of each channel's levels, given the channels before it; those sum to `log_prob`. Nats.

    A component weighs by how probable it made the channels before: `P(x_c | x_<c) ∝ Σ_k π_k P_k(x_<c) P_k(x_c | x_<c)`.

    Args:
      x, mixture, levels: as of `log_prob`; channel c's do not depend on x_c and later ones.

    Returns:
      `[..., channels, levels]`.
    """
    (x,) = at_least_float32(x)
    before = jnp.cumsum(_own(x, mixture, levels), axis=-2)[..., :-1, :]
    before = jnp.pad(before, [(0, 0)] * (before.ndim - 2) + [(1, 0), (0, 0)])
    weights = jax.nn.log_softmax(mixture.logits[..., None, :] + before)[..., None, :]
    means, log_scales = (y[..., None, :] for y in (_means(x, mixture), mixture.log_scales))
    values = jnp.linspace(-1, 1, levels, dtype=x.dtype)[:, None]
    return jax.nn.logsumexp(weights + logistic_log_prob(values, means, log_scales, levels=levels), axis=-1)


def _own(x: ArrayLike, mixture: PixelMixture, levels: int) -> jax.Array:
    """`log P_k(x_c | x_<c)`, `[..., channels, components]`."""
    (x,) = at_least_float32(x)
    return logistic_log_prob(x[..., None], _means(x, mixture), mixture.log_scales, levels=levels)


def _means(x: jax.Array, mixture: PixelMixture) -> jax.Array:
    """Of every channel, given those before it."""
    means, start = list(jnp.unstack(mixture.means, axis=-2)), 0
    for channel in range(1, len(means)):
        coefficients = mixture.coefficients[..., start : start + channel, :]
        means[channel] += jnp.einsum("...dk,...d->...k", coefficients, x[..., :channel])
        start += channel
    return jnp.stack(jnp.broadcast_arrays(*means), axis=-2)
