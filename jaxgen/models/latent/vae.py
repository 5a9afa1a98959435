"""Encoders and decoders of variational autoencoders: fully connected and convolutional.

An encoder maps images `[batch, *event_shape]` to the mean and log-variance, `[batch, latent]` each, of a diagonal
Gaussian q(z | x) (Kingma & Welling 2014, appendix C). A decoder maps latents `[batch, latent]` to the parameters of
p(x | z), always `[batch, *event_shape, outputs]`: the last axis holds as many numbers a pixel as the likelihood needs,
one for Bernoulli logits, two for the mean and log-scale of a Gaussian or a discretized logistic.
`jnp.unstack(params, axis=-1)` takes them apart.
"""

import math
from collections.abc import Sequence
from typing import Any

import jax
from flax import linen as nn
from jax import numpy as jnp

from jaxgen.layers.conv import Conv, ConvTranspose, doublings


def _mean_and_log_variance(x: jax.Array, latent_size: int, dtype: Any) -> tuple[jax.Array, jax.Array]:
    mean, log_variance = jnp.split(nn.Dense(2 * latent_size, dtype=dtype, name="posterior")(x), 2, axis=-1)
    return mean, log_variance


class MLPEncoder(nn.Module):
    """Fully connected q(z | x), or the start of one that a flow refines.

    Attributes:
      latent_size: dimensions of z.
      hidden: units of the ReLU layers, from the image on.
      dtype: of the computation; parameters stay float32.
      context: length of what is told to a flow besides; 0 tells it nothing.
    """

    latent_size: int
    hidden: Sequence[int] = (400,)
    dtype: Any = None
    context: int = 0

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool = False) -> tuple[jax.Array, ...]:
        """Images `[batch, ...]` to (mean, log_variance), `[batch, latent]` each, and the context `[batch, context]`."""
        x = x.reshape(x.shape[0], -1)
        for layer, units in enumerate(self.hidden):
            x = nn.relu(nn.Dense(units, dtype=self.dtype, name=f"hidden_{layer}")(x))
        context = (nn.Dense(self.context, dtype=self.dtype, name="context")(x),) if self.context else ()
        return *_mean_and_log_variance(x, self.latent_size, self.dtype), *context


class MLPDecoder(nn.Module):
    """Fully connected p(x | z).

    Attributes:
      event_shape: of one image, e.g. (height, width, channels).
      hidden: units of the ReLU layers, from the latent on.
      outputs: numbers the likelihood needs a pixel.
      dtype: of the computation; parameters stay float32.
    """

    event_shape: Sequence[int]
    hidden: Sequence[int] = (400,)
    outputs: int = 1
    dtype: Any = None

    @nn.compact
    def __call__(self, z: jax.Array, *, train: bool = False) -> jax.Array:
        """Latents `[batch, latent]` to likelihood parameters `[batch, *event_shape, outputs]`; the same in training."""
        for layer, units in enumerate(self.hidden):
            z = nn.relu(nn.Dense(units, dtype=self.dtype, name=f"hidden_{layer}")(z))
        size = math.prod(self.event_shape) * self.outputs
        return nn.Dense(size, dtype=self.dtype, name="likelihood")(z).reshape(-1, *self.event_shape, self.outputs)


class ConvEncoder(nn.Module):
    """Convolutional q(z | x): strided 4x4 convolutions down to a 4x4 map.

    Attributes:
      latent_size: dimensions of z.
      width: channels of the first hidden map; each smaller map has twice as many.
      dtype: of the computation; parameters stay float32.
    """

    latent_size: int
    width: int = 32
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool = False) -> tuple[jax.Array, jax.Array]:
        """Images `[batch, height, width, channels]` to (mean, log_variance), `[batch, latent]` each."""
        for stage in range(doublings(*x.shape[1:3])):
            x = nn.relu(Conv(self.width << stage, (4, 4), (2, 2), dtype=self.dtype, name=f"down_{stage}")(x))
        return _mean_and_log_variance(x.reshape(x.shape[0], -1), self.latent_size, self.dtype)


class ConvDecoder(nn.Module):
    """Convolutional p(x | z): the encoder's mirror image.

    Attributes:
      event_shape: (height, width, channels) of one image; height = width, a power of two from 8 up.
      width: channels of the last hidden map; each smaller map has twice as many.
      outputs: numbers the likelihood needs a pixel.
      dtype: of the computation; parameters stay float32.
    """

    event_shape: tuple[int, int, int]
    width: int = 32
    outputs: int = 1
    dtype: Any = None

    @nn.compact
    def __call__(self, z: jax.Array, *, train: bool = False) -> jax.Array:
        """Latents `[batch, latent]` to likelihood parameters `[batch, *event_shape, outputs]`; the same in training."""
        height, width, channels = self.event_shape
        stages = doublings(height, width)
        features = self.width << (stages - 1)
        x = nn.relu(nn.Dense(16 * features, dtype=self.dtype, name="project")(z)).reshape(-1, 4, 4, features)
        for stage in range(stages - 1):
            features //= 2
            x = nn.relu(ConvTranspose(features, (4, 4), (2, 2), dtype=self.dtype, name=f"up_{stage}")(x))
        x = ConvTranspose(channels * self.outputs, (4, 4), (2, 2), dtype=self.dtype, name="likelihood")(x)
        return x.reshape(-1, *self.event_shape, self.outputs)
