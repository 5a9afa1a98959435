"""DVD-GAN's networks, small: a generator that remembers by ConvGRUs, and critics of frames and of motion.

Clark, Donahue & Simonyan, 2019, "Adversarial Video Generation on Complex Datasets", section 3 and figure 1; without
self-attention and batch normalization, at sizes where neither is missed.
"""

import itertools

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax.typing import DTypeLike

from jaxgen.layers.causal_conv import neighbours
from jaxgen.layers.conv import Conv, ConvTranspose, doublings
from jaxgen.layers.conv_gru import ConvGRU
from jaxgen.layers.spectral_norm import SpectralDense
from jaxgen.models.adversarial.dcgan import Discriminator

CUBE = list(itertools.product((-1, 0, 1), repeat=3))


class VideoGenerator(nn.Module):
    """Latents `[batch, latent]` to clips `[batch, time, height, width, channels]` in [-1, 1].

    z is the input of every frame at 4x4. At every resolution a ConvGRU goes through the frames, each of which is then
    doubled by itself.

    Attributes:
      clip_shape: (time, height, width, channels); height = width, a power of two from 8 up.
      width: channels of the last hidden map; each smaller map has twice as many.
      dtype: of the computation; parameters stay float32.
    """

    clip_shape: tuple[int, int, int, int] = (8, 16, 16, 1)
    width: int = 16
    dtype: DTypeLike | None = None

    @nn.compact
    def __call__(self, z: jax.Array) -> jax.Array:
        time, height, columns, channels = self.clip_shape
        stages = doublings(height, columns)
        features = self.width << stages
        x = nn.Dense(16 * features, dtype=self.dtype)(z).reshape(-1, 1, 4, 4, features)
        x = jnp.broadcast_to(x, (len(z), time, 4, 4, features))
        for _ in range(stages):
            x = ConvGRU(features, self.dtype)(x)
            features //= 2
            frames = x.reshape(-1, *x.shape[2:])
            frames = nn.relu(ConvTranspose(features, (4, 4), (2, 2), dtype=self.dtype)(frames))
            x = frames.reshape(len(z), time, *frames.shape[1:])
        return nn.tanh(Conv(channels, (3, 3), dtype=self.dtype)(frames)).reshape(len(z), *self.clip_shape)


class FrameCritic(nn.Module):
    """Clips `[batch, time, height, width, channels]` to logits `[batch]`, each the sum of its frames'.

    Attributes:
      width: of the `Discriminator` that judges a frame, its weights spectrally normalized.
      dtype: of the computation; parameters stay float32.
    """

    width: int = 16
    dtype: DTypeLike | None = None

    @nn.compact
    def __call__(self, clips: jax.Array, *, train: bool) -> jax.Array:
        frames = clips.reshape(-1, *clips.shape[2:])
        logits = Discriminator(self.width, self.dtype, "spectral")(frames, train=train)
        return jnp.sum(logits.reshape(clips.shape[:2]), axis=1)


class MotionCritic(nn.Module):
    """Clips `[batch, time, height, width, channels]` to logits `[batch]`, by convolutions over space and time.

    Each 3x3x3, spectrally normalized, and halved along every axis that is even.

    Attributes:
      width: channels of the first layer; each later one has twice as many.
      layers: how many.
      dtype: of the computation; parameters stay float32.
    """

    width: int = 16
    layers: int = 2
    dtype: DTypeLike | None = None

    @nn.compact
    def __call__(self, clips: jax.Array, *, train: bool) -> jax.Array:
        x = clips
        for layer in range(self.layers):
            x = nn.leaky_relu(SpectralDense(self.width << layer, dtype=self.dtype)(neighbours(x, CUBE)), 0.2)
            window = tuple(2 - size % 2 for size in x.shape[1:4])
            x = nn.avg_pool(x, window, strides=window)
        return SpectralDense(1, dtype=self.dtype)(x.reshape(len(x), -1))[:, 0]
