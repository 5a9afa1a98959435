"""R3GAN: residual networks without any normalization, which a good loss allows.

Huang et al. 2024, "The GAN is dead; long live the GAN! A Modern GAN Baseline", section 3: blocks of a 1x1, a grouped
3x3 and a 1x1 convolution, inverted bottlenecks; bilinear resampling; biases in front of rectifiers alone; and
Fix-up-like initialization (Zhang et al. 2019): the last convolution of a block begins as zero, the others are scaled by
the number of blocks L to the power -1/4, so that depth does not make the first updates larger.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxgen.layers import fir
from jaxgen.layers.conv import Conv

_GAIN = (2 / (1 + 0.2**2)) ** 0.5  # of a rectifier that lets a fifth of the negative side through


class Block(nn.Module):
    """`x + 1x1(a(grouped 3x3(a(1x1(x)))))` with `a(x) = rectifier(x + bias)`.

    Attributes:
      groups: of the 3x3 convolution.
      expansion: how many times the channels within.
      blocks: L.
      dtype: of the computation; parameters stay float32.
    """

    groups: int
    expansion: int
    blocks: int
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        inner = self.expansion * x.shape[-1]
        init = nn.initializers.variance_scaling(_GAIN**2 * self.blocks**-0.5, "fan_in", "normal")
        y = self._activated("bias_0", _linear(inner, init, self.dtype, "conv_0")(x))
        middle = nn.Conv(
            inner, (3, 3), feature_group_count=self.groups, use_bias=False, kernel_init=init, dtype=self.dtype,
            name="conv_1",
        )  # fmt: skip
        y = self._activated("bias_1", middle(y))
        return x + _linear(x.shape[-1], nn.initializers.zeros, self.dtype, "conv_2")(y)

    def _activated(self, name: str, x: jax.Array) -> jax.Array:
        bias = self.param(name, nn.initializers.zeros, x.shape[-1:], jnp.float32)
        return nn.leaky_relu(x + bias.astype(x.dtype), 0.2)


class Generator(nn.Module):
    """Latents `[batch, latent]` to images `[batch, size, size, channels]`.

    Attributes:
      features: channels of the maps of 4, 8, ..., size pixels.
      channels: of the image.
      blocks: at each size.
      groups: of the 3x3 convolutions; they divide the channels.
      expansion: of the channels in a block.
      dtype: of the computation; parameters stay float32.
    """

    features: tuple[int, ...]
    channels: int = 1
    blocks: int = 2
    groups: int = 4
    expansion: int = 2
    dtype: Any = None

    @nn.compact
    def __call__(self, z: jax.Array, *, train: bool = False) -> jax.Array:
        """Generates; `train` changes nothing."""
        first = self.features[0]
        basis = self.param("basis", nn.initializers.normal(1.0), (4, 4, first), jnp.float32)
        amounts = nn.Dense(first, use_bias=False, kernel_init=_variance_kept(), dtype=self.dtype, name="amounts")(z)
        x = amounts[:, None, None] * basis.astype(amounts.dtype)
        for stage, features in enumerate(self.features):
            if stage:
                x = fir.double(_changed(x, features, self.dtype, f"change_{stage}"))
            x = _blocks(self, x, stage)
        return _linear(self.channels, _variance_kept(), self.dtype, "image")(x)


class Critic(nn.Module):
    """Images `[batch, size, size, channels]` to logits `[batch]`; the attributes are the generator's."""

    features: tuple[int, ...]
    blocks: int = 2
    groups: int = 4
    expansion: int = 2
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
        """Judges; `train` changes nothing."""
        x = _linear(self.features[-1], _variance_kept(), self.dtype, "image")(x)
        for stage in range(len(self.features) - 1, -1, -1):
            x = _blocks(self, x, stage)
            if stage:
                x = _changed(fir.halve(x), self.features[stage - 1], self.dtype, f"change_{stage}")
        basis = self.param("basis", nn.initializers.normal(0.25), (4, 4, x.shape[-1]), jnp.float32)
        x = jnp.sum(x * basis.astype(x.dtype), (1, 2))
        return nn.Dense(1, use_bias=False, kernel_init=_variance_kept(), dtype=self.dtype, name="logit")(x)[:, 0]


def _blocks(network: Any, x: jax.Array, stage: int) -> jax.Array:
    total = network.blocks * len(network.features)
    for index in range(network.blocks):
        name = f"block_{stage}_{index}"
        x = Block(network.groups, network.expansion, total, network.dtype, name=name)(x)
    return x


def _changed(x: jax.Array, features: int, dtype: Any, name: str) -> jax.Array:
    """Other channels, where they change."""
    return x if x.shape[-1] == features else _linear(features, _variance_kept(), dtype, name)(x)


def _linear(features: int, init: Any, dtype: Any, name: str) -> nn.Module:
    return Conv(features, (1, 1), use_bias=False, kernel_init=init, dtype=dtype, name=name)


def _variance_kept() -> nn.initializers.Initializer:
    return nn.initializers.variance_scaling(1.0, "fan_in", "normal")
