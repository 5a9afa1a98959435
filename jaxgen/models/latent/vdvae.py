"""Very deep variational autoencoders: many levels of latents on grids that become finer, all joined by residual sums.

Child 2021, "Very Deep VAEs Generalize Autoregressive Models and Can Outperform Them on Images", section 3 and figure 3.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
from flax import linen as nn
from jax import numpy as jnp

from jaxgen.layers.conv import Conv
from jaxgen.losses.levels import Gaussian

Sample = Callable[[Gaussian, Gaussian | None], jax.Array]


def _scaled(depth: int) -> nn.initializers.Initializer:
    """Of what is added to a residual sum of `depth` terms, so that their variances add up to one: 1 / sqrt(depth)."""
    return nn.initializers.variance_scaling(1.0 / depth, "fan_in", "truncated_normal")


class _Activated(Conv):
    """A convolution of the GELU of its input, which alone it keeps for the gradient."""

    def __call__(self, x: jax.Array) -> jax.Array:
        return super().__call__(nn.gelu(x))


_ActivatedConv = nn.remat(_Activated)


class Bottleneck(nn.Module):
    """Four convolutions, 1x1 to a quarter of the channels, two of `window`, and 1x1 to `features`, GELUs before each.

    Attributes:
      features: channels of the output.
      width: channels between.
      window: side of the two in the middle, 1 where a grid is smaller than 3.
      depth: how many such blocks are summed; the last convolution begins at 1 / sqrt(depth) of its usual scale.
      dtype: of the computation; parameters stay float32.
    """

    features: int
    width: int
    window: int = 3
    depth: int = 1
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """`[batch, height, width, channels]` to `[batch, height, width, features]`."""
        for layer, side in enumerate((1, self.window, self.window)):
            x = _ActivatedConv(self.width, (side, side), dtype=self.dtype, name=f"conv_{layer}")(x)
        last = _scaled(self.depth)
        return _ActivatedConv(self.features, (1, 1), dtype=self.dtype, kernel_init=last, name="last")(x)


class DeepEncoder(nn.Module):
    """Activations of x on each grid, by residual blocks.

    Attributes:
      sides: of the grids, from the finest, each dividing the one before it; the first is the image's or divides it.
      blocks: residual blocks on each.
      width: channels.
      dtype: of the computation; parameters stay float32.
    """

    sides: Sequence[int]
    blocks: int = 2
    width: int = 64
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array) -> list[jax.Array]:
        """Images `[batch, side, side, channels]` to activations `[batch, side, side, width]`, from the coarsest."""
        x = Conv(self.width, (3, 3), dtype=self.dtype, name="first")(x)
        found, depth = [], self.blocks * len(self.sides)
        for grid, side in enumerate(self.sides):
            if (factor := x.shape[1] // side) > 1:
                x = nn.avg_pool(x, (factor, factor), (factor, factor))
            for block in range(self.blocks):
                window = 3 if side > 2 else 1
                settings = {"depth": depth, "dtype": self.dtype, "name": f"block_{grid}_{block}"}
                x = x + Bottleneck(self.width, self.width // 4, window, **settings)(x)
            found.append(x)
        return found[::-1]


class DeepDecoder(nn.Module):
    """p(x, z) from the top down: a level of latents a block, several blocks on each grid.

    Attributes:
      sides: of the grids, from the finest.
      blocks: levels of latents on each.
      latent_channels: of each level.
      channels: of the image.
      outputs: numbers the likelihood needs a pixel.
      width: channels of the residual sum.
      dtype: of the computation; parameters stay float32.
    """

    sides: Sequence[int]
    blocks: int = 2
    latent_channels: int = 8
    channels: int = 1
    outputs: int = 1
    width: int = 64
    dtype: Any = None

    @property
    def levels(self) -> list[tuple[int, ...]]:
        """The shapes of z from the top down."""
        coarse_first = reversed(self.sides)
        return [(side, side, self.latent_channels) for side in coarse_first for _ in range(self.blocks)]

    @nn.compact
    def __call__(self, evidence: Sequence[jax.Array] | None, *, count: int, sample: Sample) -> jax.Array:
        """Likelihood parameters `[count, side, side, channels, outputs]`; arguments as of `LadderDecoder`."""
        depth, coarsest = len(self.levels), self.sides[-1]
        start = self.param("start", nn.initializers.zeros, (coarsest, coarsest, self.width))
        x = jnp.broadcast_to(start, (count, *start.shape)).astype(self.dtype or start.dtype)
        for grid, side in enumerate(reversed(self.sides)):
            if (factor := side // x.shape[1]) > 1:
                x = jnp.repeat(jnp.repeat(x, factor, 1), factor, 2)
                x = x + self.param(f"grid_{side}", nn.initializers.zeros, (side, side, self.width)).astype(x.dtype)
            for block in range(self.blocks):
                x = self._block(x, None if evidence is None else evidence[grid], sample, f"{side}_{block}", depth)
        x = Conv(self.channels * self.outputs, (1, 1), dtype=self.dtype, name="likelihood")(x)
        return x.reshape(*x.shape[:3], self.channels, self.outputs)

    def _block(self, x: jax.Array, seen: jax.Array | None, sample: Sample, name: str, depth: int) -> jax.Array:
        """A level: prior and posterior of it, its z, and what both add to the sum."""
        window, size = (3 if x.shape[1] > 2 else 1), self.latent_channels
        settings = {"width": self.width // 4, "window": window, "dtype": self.dtype}
        prior = Bottleneck(2 * size + self.width, **settings, depth=depth, name=f"prior_{name}")(x)
        mean, log_variance, residual = jnp.split(prior, (size, 2 * size), axis=-1)
        posterior = None
        if seen is not None:
            found = Bottleneck(2 * size, **settings, name=f"posterior_{name}")(jnp.concatenate([x, seen], -1))
            posterior = Gaussian(*jnp.split(found, 2, axis=-1))
        z = sample(Gaussian(mean, log_variance), posterior)
        added = Conv(self.width, (1, 1), dtype=self.dtype, kernel_init=_scaled(depth), name=f"z_{name}")(z)
        x = x + residual + added
        return x + Bottleneck(self.width, **settings, depth=depth, name=f"block_{name}")(x)
