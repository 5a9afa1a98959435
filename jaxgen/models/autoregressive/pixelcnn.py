"""PixelCNN: masked convolutions over images, in raster order and channel by channel within a pixel.

Van den Oord, Kalchbrenner & Kavukcuoglu, 2016, "Pixel Recurrent Neural Networks", section 3. Its receptive field has a
blind spot: from the row above a pixel reaches no further to the right than one kernel's half, and so on upward.
`gated_pixelcnn` has none.
"""

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax.typing import DTypeLike

from jaxgen.errors import UserError
from jaxgen.layers.causal_conv import group_mask, neighbours
from jaxgen.layers.made import MaskedDense
from jaxgen.models.autoregressive.contract import AutoregressiveModel


def pixels(x: jax.Array, levels: int, dtype: DTypeLike | None) -> jax.Array:
    """Symbols `[..., height, width, channels]` as numbers in [-1, 1], each beside a one that tells it from the edge.

    A channel's two numbers stand together: `[..., height, width, 2 * channels]`.
    """
    values = x.astype(dtype or float) * (2 / (levels - 1)) - 1
    return jnp.stack([values, jnp.ones_like(values)], axis=-1).reshape(*x.shape[:-1], -1)


def check_groups(width: int, channels: int) -> None:
    """Hidden channels must be shared out evenly among the image's, which see one another in order.

    Raises:
      UserError: they cannot be.
    """
    if width % channels:
        raise UserError(f"width is {width}: make it a multiple of the image's {channels} channels.")


def split_channels(y: jax.Array, channels: int, levels: int) -> jax.Array:
    """`[..., channels * levels]` to logits `[..., channels, levels]`, float32 or wider."""
    y = y.astype(jnp.promote_types(y.dtype, jnp.float32))
    return y.reshape(*y.shape[:-1], channels, levels)


class PixelCNN(AutoregressiveModel):
    """Images `[batch, height, width, channels]`; a residual stack of masked `size` x `size` convolutions.

    Attributes:
      width: hidden channels, a multiple of the image's.
      layers: masked convolutions, the first of them of type A.
      size: side of the kernels, odd.
      dtype: of the computation; parameters stay float32.
    """

    width: int = 32
    layers: int = 6
    size: int = 3
    dtype: DTypeLike | None = None

    @nn.compact
    def logits(self, x: jax.Array, condition: jax.Array | None = None) -> jax.Array:
        channels, reach = x.shape[-1], self.size // 2
        check_groups(self.width, channels)
        before = [(dy, dx) for dy in range(-reach, 1) for dx in range(-reach, reach + 1) if (dy, dx) < (0, 0)]

        def masked(y: jax.Array, features: int, offsets: list[tuple[int, int]], strict: bool = False) -> jax.Array:
            own = group_mask(y.shape[-1], features, channels, strict)
            mask = np.concatenate([np.ones((y.shape[-1] * len(offsets), features), bool), own])
            return MaskedDense(dtype=self.dtype)(neighbours(y, [*offsets, (0, 0)]), mask)

        y = masked(pixels(x, self.levels, self.dtype), self.width, before, strict=True)
        for _ in range(self.layers - 1):
            y += masked(nn.relu(y), self.width, before)
        y = masked(nn.relu(y), self.width, [])
        return split_channels(masked(nn.relu(y), channels * self.levels, []), channels, self.levels)
