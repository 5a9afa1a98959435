"""Parallel multiscale: an image from one pixel to all, every other row and column filled in at once.

Reed, van den Oord, Kalchbrenner et al., 2017, "Parallel Multiscale Autoregressive Density Estimation", section 3.
"""

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax.typing import DTypeLike

from jaxgen.errors import UserError
from jaxgen.layers.causal_conv import neighbours
from jaxgen.models.autoregressive.contract import AutoregressiveModel, check_class
from jaxgen.models.autoregressive.pixelcnn import pixels

CORNERS = ((0, 0), (0, 1), (1, 0), (1, 1))  # of a square of four pixels: the coarse one, right, below, across
AROUND = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]


class ParallelMultiscale(AutoregressiveModel):
    """Square images `[batch, side, side, channels]`, side a power of two.

    The coarsest image is one pixel. Each finer one keeps the coarser's pixels as its upper left corners and adds the
    other three corners of all squares, one group after the other and channel by channel: a group is independent given
    the groups before. So `channels * (1 + 3 log2(side))` passes draw an image, however large (`sampling.jacobi` takes
    one more). A resolution has one residual network, told which pixels are there; the paper has others for each
    corner, and a PixelCNN for a coarsest image of 4x4 or 8x8.

    Attributes:
      width: channels of the networks.
      blocks: residual blocks of each, of 3x3 convolutions.
      classes: of the condition; 0 has none.
      dtype: of the computation; parameters and logits stay float32.
    """

    width: int = 64
    blocks: int = 4
    classes: int = 0
    dtype: DTypeLike | None = None

    def groups(self, event: tuple[int, ...]) -> np.ndarray:
        """Which group every symbol is in, `[side, side, channels]`, from 0 on.

        Raises:
          UserError: the images are not square, or their side no power of two.
        """
        height, width, channels = event
        if height != width or height & (height - 1):
            raise UserError(f"images are {height}x{width}: parallel multiscale takes squares whose side is 2^n.")
        group = np.zeros(event, int)
        doublings = height.bit_length() - 1
        for doubling in range(doublings):
            step = height >> (doubling + 1)
            for corner, (dy, dx) in enumerate(CORNERS[1:]):
                group[dy * step :: 2 * step, dx * step :: 2 * step] = 1 + 3 * doubling + corner
        return channels * group + np.arange(channels)

    def order(self, event: tuple[int, ...]) -> np.ndarray:
        return np.argsort(self.groups(event).ravel(), kind="stable")

    @nn.compact
    def logits(self, x: jax.Array, condition: jax.Array | None = None) -> jax.Array:
        check_class(self.classes, condition)
        batch, side, _, channels = x.shape
        group = self.groups(x.shape[1:])
        logits = jnp.zeros((*x.shape, self.levels))
        for doubling in range(side.bit_length()):
            step = side >> doubling
            at, seen = group[::step, ::step], x[:, ::step, ::step]
            new = np.unique(at[at >= (channels * (1 + 3 * (doubling - 1)) if doubling else 0)])
            known = at < new[:, None, None, None]  # [groups, height, width, channels]
            there = jnp.asarray(known, self.dtype or float)
            values = (pixels(seen, self.levels, self.dtype).reshape(*seen.shape, 2)[..., 0])[:, None] * there
            inputs = jnp.concatenate([values, jnp.broadcast_to(there, values.shape)], axis=-1)
            y = self._network(inputs.reshape(-1, *inputs.shape[2:]), condition, len(new), channels)
            y = y.reshape(batch, len(new), *at.shape, self.levels)
            mine = jnp.asarray(at == new[:, None, None, None])[..., None]
            chosen = jnp.sum(jnp.where(mine, y, 0), axis=1)
            fresh = jnp.asarray(at >= new[0])[..., None]
            logits = logits.at[:, ::step, ::step].set(jnp.where(fresh, chosen, logits[:, ::step, ::step]))
        return logits

    def _network(self, x: jax.Array, condition: jax.Array | None, groups: int, channels: int) -> jax.Array:
        """Logits `[batch * groups, height, width, channels, levels]` of images of which some pixels are there."""

        def conv(y: jax.Array, features: int) -> jax.Array:
            return nn.Dense(features, dtype=self.dtype)(neighbours(y, AROUND))

        y = conv(x, self.width)
        if self.classes:
            label = nn.Embed(self.classes, self.width, dtype=self.dtype)(condition)
            y += jnp.repeat(label, groups, axis=0)[:, None, None]
        for _ in range(self.blocks):
            y += conv(nn.relu(conv(nn.relu(y), self.width)), self.width)
        y = nn.Dense(channels * self.levels)(nn.relu(y))
        return y.reshape(*y.shape[:-1], channels, self.levels)
