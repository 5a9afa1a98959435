"""The subscale pixel network: an image as interleaved small images, each a sequence given those before it.

Menick & Kalchbrenner, 2018, "Generating High Fidelity Images with Subscale Pixel Networks and Multidimensional
Upscaling", sections 3.1 and 4.
"""

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax.typing import DTypeLike

from jaxgen.errors import UserError
from jaxgen.layers.attention_patterns import Everywhere
from jaxgen.layers.transformer import Block
from jaxgen.models.autoregressive.contract import AutoregressiveModel, check_class
from jaxgen.models.autoregressive.pixelcnn import pixels
from jaxgen.models.autoregressive.transformer import shifted


class SubscalePixelNetwork(AutoregressiveModel):
    """Images `[batch, height, width, channels]`, height and width multiples of `factor`.

    Slice (i, j) has the pixels (i + factor·y, j + factor·x). Slices come one after the other, (0, 0) first, and each in
    raster order. An encoder sees, at every place of the slice, the pixels of all slices before it, which stand beside
    that place in the image; a causal decoder reads the slice and adds what the encoder makes of its place. All slices
    share both, whose parameters thus do not grow with the image; memory grows with a slice's size squared. Both are
    transformers here; the paper puts convolutions before them.

    Attributes:
      factor: S, so that there are factor² slices.
      width: of both networks, a multiple of heads.
      layers: blocks of each.
      heads: of each block's attention.
      classes: of the condition; 0 has none.
      dropout: rate in the blocks.
      dtype: of the computation; parameters, normalization and logits stay float32.
    """

    factor: int = 2
    width: int = 128
    layers: int = 4
    heads: int = 4
    classes: int = 0
    dropout: float = 0.0
    dtype: DTypeLike | None = None

    def order(self, event: tuple[int, ...]) -> np.ndarray:
        return np.asarray(self._slices(np.arange(np.prod(event)).reshape(1, *event))).ravel()

    def _slices(self, x: jax.Array | np.ndarray) -> jax.Array | np.ndarray:
        """`[batch, height, width, channels]` to `[batch, factor², height / factor, width / factor, channels]`."""
        batch, height, width, channels = x.shape
        f = self.factor
        if height % f or width % f:
            raise UserError(f"images are {height}x{width}: factor={f} takes multiples of {f}.")
        x = x.reshape(batch, height // f, f, width // f, f, channels)
        return x.transpose(0, 2, 4, 1, 3, 5).reshape(batch, f * f, height // f, width // f, channels)

    @nn.compact
    def logits(self, x: jax.Array, condition: jax.Array | None = None) -> jax.Array:
        check_class(self.classes, condition)
        slices = jnp.asarray(self._slices(x))
        batch, count, height, width, channels = slices.shape
        places, init = height * width, nn.initializers.normal(0.02)

        def blocks(y: jax.Array, **settings) -> jax.Array:
            for _ in range(self.layers):
                block = Block(self.heads, self.layers, dropout=self.dropout, dtype=self.dtype, **settings)
                y, _ = block(y)
            return nn.LayerNorm(use_bias=False)(y)

        # Of slice s, at every place, the pixels of slices before s; zeros in the place of the others.
        values = pixels(slices, self.levels, self.dtype).reshape(batch, 1, count, places, -1)
        before = jnp.asarray(np.tri(count, k=-1), values.dtype)[:, :, None, None]
        seen = (values * before).swapaxes(2, 3).reshape(batch, count, places, -1)
        which = self.param("slice", init, (count, 1, self.width)).astype(values.dtype)
        where = self.param("place", init, (places, self.width)).astype(values.dtype)
        context = nn.Dense(self.width, dtype=self.dtype)(seen) + which + where
        if self.classes:
            context += nn.Embed(self.classes, self.width, dtype=self.dtype)(condition)[:, None, None]
        context = blocks(context.reshape(-1, places, self.width), attend=Everywhere(), rotate=False)

        embed = nn.Embed(self.levels, self.width, embedding_init=init, dtype=self.dtype)
        first = self.param("first", init, (self.width,))
        y = shifted(embed(slices.reshape(batch * count, -1)), first)
        y = blocks(y + jnp.repeat(context, channels, axis=1))
        y = nn.Dense(self.levels)(y).reshape(batch, -1, self.levels)
        return y[:, np.argsort(self.order(x.shape[1:]))].reshape(*x.shape, self.levels)
