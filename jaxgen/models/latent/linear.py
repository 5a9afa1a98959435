"""Linear encoders and decoders: as an autoencoder principal components, as a VAE the probabilistic ones."""

import math
from collections.abc import Sequence
from typing import Any

import jax
from flax import linen as nn
from jax import numpy as jnp


class LinearEncoder(nn.Module):
    """q(z | x) with a mean linear in x and variances that are the same for all x.

    Attributes:
      latent_size: dimensions of z.
      dtype: of the computation; parameters stay float32.
    """

    latent_size: int
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool = False) -> tuple[jax.Array, jax.Array]:
        """`[batch, ...]` to (mean, log_variance), `[batch, latent]` each."""
        mean = nn.Dense(self.latent_size, dtype=self.dtype, name="mean")(x.reshape(x.shape[0], -1))
        log_variance = self.param("log_variance", nn.initializers.zeros, (self.latent_size,))
        return mean, jnp.broadcast_to(log_variance, mean.shape)


class LinearDecoder(nn.Module):
    """p(x | z) with a mean linear in z and one variance for all of x, to go with `likelihoods.gaussian`.

    Attributes:
      event_shape: of one example.
      dtype: of the computation; parameters stay float32.
    """

    event_shape: Sequence[int]
    dtype: Any = None

    @nn.compact
    def __call__(self, z: jax.Array, *, train: bool = False) -> jax.Array:
        """`[batch, latent]` to mean and log-variance, `[batch, *event_shape, 2]`."""
        mean = nn.Dense(math.prod(self.event_shape), dtype=self.dtype, name="mean")(z).reshape(-1, *self.event_shape)
        log_variance = self.param("log_variance", nn.initializers.zeros, ())
        return jnp.stack([mean, jnp.broadcast_to(log_variance, mean.shape).astype(mean.dtype)], -1)
