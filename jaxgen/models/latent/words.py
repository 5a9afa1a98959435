"""An encoder to a few vectors, each of which sees the whole image: what a VQ-VAE's words stand for."""

import math
from collections.abc import Sequence
from typing import Any

import jax
from flax import linen as nn

from jaxgen.models.mlp import MLP


class WordEncoder(nn.Module):
    """Images `[batch, ...]` to `[batch, *words, size]`, fully connected.

    Attributes:
      words: how many, in rows and columns, for a prior that reads them in that order.
      size: of a vector.
      hidden: units of the ReLU layers.
      noise: standard deviation of what is added to images in training, from the stream "noise": words that are not
        drawn, as a VAE's latents are, learn small sets by heart.
      dtype: of the computation; parameters stay float32.
    """

    words: Sequence[int]
    size: int
    hidden: Sequence[int] = (256, 256)
    noise: float = 0.0
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
        """The vectors."""
        if train and self.noise:
            x = x + self.noise * jax.random.normal(self.make_rng("noise"), x.shape, x.dtype)
        mlp = MLP(math.prod(self.words) * self.size, tuple(self.hidden), dtype=self.dtype)
        return mlp(x.reshape(x.shape[0], -1)).reshape(-1, *self.words, self.size)


class WordDecoder(nn.Module):
    """Vectors `[batch, *words, size]` to likelihood parameters `[batch, *event_shape, outputs]`, fully connected.

    Attributes:
      event_shape: of one image, e.g. (height, width, channels).
      hidden: units of the ReLU layers.
      outputs: numbers the likelihood needs a pixel.
      dtype: of the computation; parameters stay float32.
    """

    event_shape: Sequence[int]
    hidden: Sequence[int] = (256, 256)
    outputs: int = 1
    dtype: Any = None

    @nn.compact
    def __call__(self, z: jax.Array, *, train: bool = False) -> jax.Array:
        """The parameters; `train` changes nothing."""
        mlp = MLP(math.prod(self.event_shape) * self.outputs, tuple(self.hidden), dtype=self.dtype)
        return mlp(z.reshape(z.shape[0], -1)).reshape(-1, *self.event_shape, self.outputs)
