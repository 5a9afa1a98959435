"""Jet: couplings of an image's patches, each conditioned by a vision transformer."""

import flax.linen as nn
import jax
from jax.typing import DTypeLike

from jaxgen.bijectors.bijector import Bijector, check_axes
from jaxgen.bijectors.causal_transformer import Places
from jaxgen.bijectors.compose import Chain, Invert, Memory, Repeat
from jaxgen.bijectors.coupling import Affine, Coupling, Transform
from jaxgen.bijectors.permutation import Permutation
from jaxgen.bijectors.squeeze import Squeeze
from jaxgen.layers.attention_patterns import Everywhere
from jaxgen.layers.transformer import Block


class ViTConditioner(nn.Module):
    """A vision transformer `(x, features) -> [batch, height, width, features]` with a token for every pixel of x.

    Zero at initialization. Kolesnikov et al., 2024, section 3.2, after Dosovitskiy et al., 2021.

    Attributes:
      width: of the transformer.
      layers: its blocks.
      heads: of attention; they divide the width.
      dtype: of the computation; parameters are float32.
    """

    width: int
    layers: int
    heads: int = 1
    dtype: DTypeLike | None = None

    @nn.compact
    def __call__(self, x: jax.Array, features: int) -> jax.Array:
        check_axes(self, x, "batch, height, width, channels")
        batch, height, columns, channels = x.shape
        y = nn.Dense(self.width, dtype=self.dtype)(x.reshape(batch, -1, channels))
        y += Places(self.width)(height * columns).astype(y.dtype)
        for _ in range(self.layers):
            y, _ = Block(self.heads, self.layers, Everywhere(), rotate=False, dtype=self.dtype)(y)
        y = nn.Dense(features, kernel_init=nn.initializers.zeros, dtype=self.dtype)(nn.LayerNorm()(y))
        return y.reshape(batch, height, columns, features)


def jet(
    *,
    patch: int,
    couplings: int,
    width: int,
    layers: int,
    heads: int = 1,
    transform: Transform = Affine(),
    dtype: DTypeLike | None = None,
    memory: Memory = "plain",
) -> Bijector:
    """The bijector between a standard normal z and images x, both `[batch, height, width, channels]`.

    From the data's side: patches, then `couplings` times (a fixed random order of a patch's numbers, half of which then
    move by what a vision transformer makes of the other half, over all patches). Kolesnikov et al., 2024, "Jet: A
    Modern Transformer-Based Normalizing Flow", section 3, with channel-wise splits alone.

    Args:
      patch: side of the square of pixels that makes a token; it divides height and width.
      couplings: how many.
      width: of each one's transformer.
      layers: of each one's transformer.
      heads: of attention; they divide the width.
      transform: what moves a number.
      dtype: of the transformers' computation; the flow's own path and the log-dets run in float32.
      memory: what the gradient keeps of the couplings: `Repeat`'s.
    """
    step = Chain((Permutation(), Coupling(ViTConditioner(width, layers, heads, dtype), transform)))
    return Chain((Squeeze(patch), Repeat(step, couplings, memory), Invert(Squeeze(patch))))
