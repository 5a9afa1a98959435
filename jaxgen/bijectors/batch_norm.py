"""Batch normalization as a layer of a flow."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgen.bijectors.bijector import Bijector, repeat_over_pixels, widen

_EPSILON = 1e-5  # added to variances


class BatchNorm(Bijector):
    """z = exp(l)·(x - m)/√(v + ε) + b and x = √(v + ε)·exp(-l)·(z - b) + m, with m, v the channels' mean and variance.

    log|det dz/dx| = pixels·Σ(l - ½ log(v + ε)) and log|det dx/dz| its negative, m and v counting as constants. Dinh et
    al. 2017, equations 18 to 20; Papamakarios et al. 2017, equation 9.

    In training, which is when the collection `batch_stats` is mutable, the map from data to base takes m and v from its
    batch, over all devices, lets gradients pass through them, and moves the averages kept in the collection towards
    them. Everywhere else m and v are those averages, which initialization sets to the first batch's.

    Attributes:
      momentum: share of the averages that a training step keeps.
    """

    momentum: float = 0.99

    @nn.compact
    def _parameters(self, channels: int, data: jax.Array | None) -> tuple[jax.Array, ...]:
        """m, log √(v + ε), b and l, each `[channels]`."""
        means = self.variable("batch_stats", "mean", jnp.zeros, channels)
        variances = self.variable("batch_stats", "variance", jnp.ones, channels)
        shift = self.param("shift", nn.initializers.zeros, (channels,))
        log_scale = self.param("log_scale", nn.initializers.zeros, (channels,))
        mean, variance = means.value, variances.value
        if data is not None and self.is_mutable_collection("batch_stats"):
            axes = tuple(range(data.ndim - 1))
            mean, variance = jnp.mean(widen(data), axes), jnp.var(widen(data), axes)
            keep = 0.0 if self.is_initializing() else self.momentum
            means.value = keep * means.value + (1.0 - keep) * mean
            variances.value = keep * variances.value + (1.0 - keep) * variance
        return mean, 0.5 * jnp.log(variance + _EPSILON), shift, log_scale

    def forward_and_log_det(self, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        mean, log_std, shift, log_scale = self._parameters(z.shape[-1], None)
        log_scale = log_std - log_scale
        return (z - shift) * jnp.exp(log_scale) + mean, repeat_over_pixels(jnp.sum(log_scale), z)

    def inverse_and_log_det(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        mean, log_std, shift, log_scale = self._parameters(x.shape[-1], x)
        log_scale = log_scale - log_std
        return (x - mean) * jnp.exp(log_scale) + shift, repeat_over_pixels(jnp.sum(log_scale), x)
