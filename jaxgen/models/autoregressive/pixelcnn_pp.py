"""PixelCNN++: two streams of gated residual blocks, coarser and finer again, into a mixture of logistics.

Salimans, Karpathy, Chen & Kingma, 2017, "PixelCNN++: Improving the PixelCNN with Discretized Logistic Mixture
Likelihood and Other Modifications", sections 2.1 to 2.5.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax.typing import DTypeLike

from jaxgen.errors import UserError
from jaxgen.layers.causal_conv import Offsets, neighbours
from jaxgen.layers.weight_norm import WeightNormDense
from jaxgen.models.autoregressive.contract import known_class
from jaxgen.models.autoregressive.logistic_mixture import LogisticMixture, concat_elu
from jaxgen.models.autoregressive.pixelcnn import pixels

ABOVE = [(dy, dx) for dy in (-1, 0) for dx in (-1, 0, 1)]  # of a stream that has seen only whole rows
LEFT = [(dy, dx) for dy in (-1, 0) for dx in (-1, 0)]  # and of one that has seen its row so far


class GatedResidual(nn.Module):
    """`x + a·sigmoid(b)`, (a, b) two convolutions of concat_elu away; section 2.5 and the paper's code.

    Attributes:
      offsets: of the neighbours that both convolutions see.
      dropout: rate between them.
      dtype: of the computation; parameters stay float32.
    """

    offsets: Offsets
    dropout: float = 0.0
    dtype: DTypeLike | None = None

    @nn.compact
    def __call__(self, x: jax.Array, beside: jax.Array | None = None, label: jax.Array | None = None) -> jax.Array:
        """`[..., width]` to the same, given what another stream has there and a one-hot class `[batch, classes]`."""
        width, dense = x.shape[-1], functools.partial(WeightNormDense, dtype=self.dtype)
        y = dense(width)(neighbours(concat_elu(x), self.offsets))
        if beside is not None:
            y += dense(width)(concat_elu(beside))
        y = nn.Dropout(self.dropout, deterministic=not self.has_rng("dropout"))(concat_elu(y))
        y = dense(2 * width, scale=0.1)(neighbours(y, self.offsets))
        if label is not None:
            y += nn.Dense(2 * width, use_bias=False, dtype=self.dtype)(label)[:, None, None]
        a, b = jnp.split(y, 2, axis=-1)
        return x + a * nn.sigmoid(b)


class PixelCNNPP(LogisticMixture):
    """Images `[batch, height, width, channels]`; height and width are multiples of 2^(scales - 1).

    u sees the rows above, ul also the row so far. Both go through `scales` resolutions, each `blocks` residual blocks,
    and back; on the way back a block sees what the one at its depth had on the way down. A coarse pixel's neighbours on
    the way back are the four fine ones that it covers.

    Attributes:
      width: channels of both streams.
      blocks: residual blocks of a resolution.
      scales: how many resolutions.
      classes: of the condition; 0 has none.
      dropout: rate in the blocks.
      dtype: of the computation; parameters and the mixture stay float32.
    """

    width: int = 64
    blocks: int = 2
    scales: int = 1
    classes: int = 0
    dropout: float = 0.0
    dtype: DTypeLike | None = None

    @nn.compact
    def raw(self, x: jax.Array, condition: jax.Array | None = None) -> jax.Array:
        side = 2 ** (self.scales - 1)
        if x.shape[1] % side or x.shape[2] % side:
            raise UserError(f"images are {x.shape[1]}x{x.shape[2]}: scales={self.scales} takes multiples of {side}.")
        label = known_class(self.classes, condition)
        dense = functools.partial(WeightNormDense, dtype=self.dtype)

        def conv(y: jax.Array, offsets: Offsets) -> jax.Array:
            return dense(self.width)(neighbours(y, offsets))

        def block(y: jax.Array, offsets: Offsets, beside: jax.Array | None = None) -> jax.Array:
            return GatedResidual(offsets, self.dropout, self.dtype)(y, beside, label)

        us, uls = streams(pixels(x, self.levels, self.dtype), conv)
        us, uls = [us], [uls]
        for scale in range(self.scales):
            if scale:
                us.append(conv(us[-1], ABOVE)[:, ::2, ::2])
                uls.append(conv(uls[-1], LEFT)[:, ::2, ::2])
            for _ in range(self.blocks):
                us.append(block(us[-1], ABOVE))
                uls.append(block(uls[-1], LEFT, us[-1]))
        u, ul = us.pop(), uls.pop()
        for scale in range(self.scales):
            if scale:
                u, ul = (finer(dense(4 * self.width)(y)) for y in (u, ul))
            for _ in range(self.blocks + (scale > 0)):
                u = block(u, ABOVE, us.pop())
                ul = block(ul, LEFT, jnp.concatenate([u, uls.pop()], axis=-1))
        return dense(self.numbers(x))(nn.elu(ul))


def streams(v: jax.Array, conv: Callable[[jax.Array, Offsets], jax.Array]) -> tuple[jax.Array, jax.Array]:
    """What u and ul begin with: of a pixel's neighbours, two rows above; one above and two columns to the left."""
    u = conv(v, [(dy, dx) for dy in (-2, -1) for dx in (-1, 0, 1)])
    return u, conv(v, [(-1, dx) for dx in (-1, 0, 1)]) + conv(v, [(-1, -1), (0, -1)])


def finer(x: jax.Array) -> jax.Array:
    """`[batch, height, width, 4 * channels]` to twice the height and width."""
    batch, height, width, channels = x.shape
    x = x.reshape(batch, height, width, 2, 2, channels // 4).swapaxes(2, 3)
    return x.reshape(batch, 2 * height, 2 * width, channels // 4)
