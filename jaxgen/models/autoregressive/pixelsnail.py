"""PixelSNAIL: blocks of causal convolutions, each followed by attention to all pixels before.

Chen, Mishra, Rohaninejad & Abbeel, 2017, "PixelSNAIL: An Improved Autoregressive Generative Model", figure 2.
"""

import functools

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax.typing import DTypeLike

from jaxgen.layers.causal_conv import Offsets, neighbours
from jaxgen.layers.dot_product import attend
from jaxgen.layers.weight_norm import WeightNormDense
from jaxgen.models.autoregressive.contract import known_class
from jaxgen.models.autoregressive.logistic_mixture import LogisticMixture
from jaxgen.models.autoregressive.pixelcnn import pixels
from jaxgen.models.autoregressive.pixelcnn_pp import LEFT, GatedResidual, streams

HERE = [(0, 0)]


class PixelSNAIL(LogisticMixture):
    """Images `[batch, height, width, channels]`.

    A block: `residuals` gated residual blocks of 2x2 convolutions; keys and values of every pixel with itself, queries
    of what came before it; and one residual block that sees what attention found. A pixel's keys stand one place later
    than the pixel, behind a first of zeros, so that queries see pixels strictly before their own and the first pixel
    has something to attend to.

    Attributes:
      width: channels.
      blocks: how many, with an attention each.
      residuals: residual blocks in each.
      heads: of attention, which divide half the width.
      classes: of the condition; 0 has none.
      dropout: rate in the residual blocks.
      dtype: of the computation; parameters and the mixture stay float32.
    """

    width: int = 64
    blocks: int = 2
    residuals: int = 2
    heads: int = 1
    classes: int = 0
    dropout: float = 0.0
    dtype: DTypeLike | None = None

    @nn.compact
    def raw(self, x: jax.Array, condition: jax.Array | None = None) -> jax.Array:
        batch, height, width, _ = x.shape
        label = known_class(self.classes, condition)
        dense = functools.partial(WeightNormDense, dtype=self.dtype)

        def conv(y: jax.Array, offsets: Offsets) -> jax.Array:
            return dense(self.width)(neighbours(y, offsets))

        def block(y: jax.Array, offsets: Offsets, beside: jax.Array | None = None) -> jax.Array:
            return GatedResidual(offsets, self.dropout, self.dtype)(y, beside, label)

        def heads(y: jax.Array) -> jax.Array:
            return y.reshape(batch, height * width, self.heads, -1)

        def later(y: jax.Array) -> jax.Array:
            return jnp.pad(y, ((0, 0), (1, 0), (0, 0), (0, 0)))[:, :-1]

        v = pixels(x, self.levels, self.dtype)
        grid = jnp.meshgrid(*(jnp.arange(n) / n - 0.5 for n in (height, width)), indexing="ij")
        place = jnp.broadcast_to(jnp.stack(grid, axis=-1), (batch, height, width, 2)).astype(v.dtype)
        _, ul = streams(v, conv)
        for _ in range(self.blocks):
            for _ in range(self.residuals):
                ul = block(ul, LEFT)
            content = dense(self.width)(block(jnp.concatenate([v, ul, place], axis=-1), HERE))
            query = dense(self.width // 2)(block(jnp.concatenate([ul, place], axis=-1), HERE))
            key, value = (later(heads(y)) for y in jnp.split(content, 2, axis=-1))
            found = attend(heads(query), key, value, causal=True)
            ul = block(ul, HERE, found.reshape(batch, height, width, -1))
        return dense(self.numbers(x))(nn.elu(ul))
