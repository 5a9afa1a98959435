"""Classifiers of images: strided convolutions down to a small map, one hidden layer, one product."""

from typing import Any

import jax
from flax import linen as nn

from jaxgen.layers.conv import Conv

SMALLEST = 4  # pixels across the last map


class _Body(nn.Module):
    width: int
    features: int
    dtype: Any

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        width = self.width
        while max(x.shape[1:3]) > SMALLEST:
            x = nn.relu(Conv(width, (4, 4), (2, 2), kernel_init=nn.initializers.he_normal(), dtype=self.dtype)(x))
            width = min(2 * width, 4 * self.width)
        return nn.relu(nn.Dense(self.features, dtype=self.dtype)(x.reshape(x.shape[0], -1)))


class ImageCNN(nn.Module):
    """Images `[batch, height, width, channels]` of any size to logits `[batch, classes]`.

    Attributes:
      classes: how many.
      width: channels of the first map; each smaller one has twice as many, up to four times these.
      features: units of the hidden layer.
      dtype: of the computation; parameters stay float32.
    """

    classes: int
    width: int = 32
    features: int = 64
    dtype: Any = None

    def setup(self) -> None:
        self.body = _Body(self.width, self.features, self.dtype)
        self.output = nn.Dense(self.classes, dtype=self.dtype)

    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Classifies; training does nothing else."""
        return self.output(self.hidden(x))

    def hidden(self, x: jax.Array) -> jax.Array:
        """The hidden layer's units, `[batch, features]`, not negative."""
        return self.body(x)


class PerChannel(nn.Module):
    """Images `[batch, height, width, channels]` to logits `[batch, channels, classes]`: each channel on its own.

    Attributes:
      classifier: of images `[batch, height, width, 1]`, with a method `hidden` to `[batch, features]`.
    """

    classifier: ImageCNN

    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Classifies each channel."""
        return self.classifier(_apart(x), train=train).reshape(x.shape[0], x.shape[3], -1)

    def hidden(self, x: jax.Array) -> jax.Array:
        """The hidden units of all channels, `[batch, channels * features]`."""
        return self.classifier.hidden(_apart(x)).reshape(x.shape[0], -1)


def _apart(x: jax.Array) -> jax.Array:
    """Channels as images of their own, `[batch * channels, height, width, 1]`."""
    return x.transpose(0, 3, 1, 2).reshape(-1, *x.shape[1:3], 1)
