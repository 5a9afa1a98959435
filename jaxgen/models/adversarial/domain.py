"""The network of domain adaptation's digits: Ganin et al. 2016, "Domain-Adversarial Training", figure 4a."""

from typing import Any

import jax
from flax import linen as nn

from jaxgen.errors import UserError
from jaxgen.layers.conv import Conv


class Features(nn.Module):
    """Images `[batch, height, width, channels]` to features: twice a 5x5 convolution and the largest of 2x2 pixels.

    Attributes:
      widths: channels of the two convolutions.
      dtype: of the computation; parameters stay float32.

    Raises:
      UserError: a side is shorter than 16 pixels.
    """

    widths: tuple[int, int] = (32, 48)
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
        """Sees; `train` changes nothing."""
        height, width, _ = x.shape[1:]
        if min(height, width) < 16:
            raise UserError(f"images are {height}x{width}; Features takes them from 16x16 up: give a size.")
        for width in self.widths:
            x = nn.relu(nn.max_pool(Conv(width, (5, 5), padding="VALID", dtype=self.dtype)(x), (2, 2), (2, 2)))
        return x.reshape(x.shape[0], -1)
