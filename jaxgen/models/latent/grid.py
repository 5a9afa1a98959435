"""Encoders to a grid of vectors, half the image's side, and decoders from it: what a VQ-VAE's codes lie on."""

from typing import Any

import jax
from flax import linen as nn

from jaxgen.layers.conv import Conv, ConvTranspose


class GridEncoder(nn.Module):
    """Images `[batch, height, width, channels]`, of even sides, to `[batch, height / 2, width / 2, size]`.

    Attributes:
      size: of a vector.
      width: hidden channels.
      dtype: of the computation; parameters stay float32.
    """

    size: int
    width: int = 64
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = nn.relu(Conv(self.width, (3, 3), dtype=self.dtype, name="wide")(x))
        x = nn.relu(Conv(self.width, (4, 4), (2, 2), dtype=self.dtype, name="down")(x))
        return nn.Dense(self.size, dtype=self.dtype, name="vectors")(x)


class GridDecoder(nn.Module):
    """Vectors `[batch, height, width, size]` to likelihood parameters `[batch, 2 height, 2 width, channels, outputs]`.

    Attributes:
      channels: of the image.
      outputs: numbers the likelihood needs a pixel.
      width: hidden channels.
      dtype: of the computation; parameters stay float32.
    """

    channels: int = 1
    outputs: int = 1
    width: int = 64
    dtype: Any = None

    @nn.compact
    def __call__(self, z: jax.Array) -> jax.Array:
        x = nn.relu(Conv(self.width, (3, 3), dtype=self.dtype, name="wide")(z))
        x = nn.relu(ConvTranspose(self.width, (4, 4), (2, 2), dtype=self.dtype, name="up")(x))
        x = nn.Dense(self.channels * self.outputs, dtype=self.dtype, name="likelihood")(x)
        return x.reshape(*x.shape[:-1], self.channels, self.outputs)
