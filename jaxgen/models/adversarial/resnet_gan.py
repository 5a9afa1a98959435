"""Residual generators and discriminators: SNGAN's at 32x32 by default, and the frame of SAGAN and BigGAN.

Miyato et al. 2018, "Spectral Normalization for Generative Adversarial Networks", table 4: pre-activated residual blocks
that enlarge or pool by two; all of the discriminator's weights are spectrally normalized, and its last map is summed
over pixels. With labels, the generator's batch normalizations depend on them, and the discriminator adds the inner
product of that sum with a vector of the label's own (Miyato & Koyama 2018, "cGANs with Projection Discriminator",
figure 1d). A bias right in front of a batch normalization has no gradient, so there is none.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxgen.errors import UserError
from jaxgen.layers.attention import SelfAttention
from jaxgen.layers.conditional_norm import ConditionalBatchNorm, zero_dense
from jaxgen.layers.conv import doublings
from jaxgen.layers.relu import relu
from jaxgen.layers.resample import ResampledConv, SpectralResampledConv, enlarge, mean_pool
from jaxgen.layers.spectral_norm import SpectralDense, SpectralEmbed

Initializer = Callable[..., jax.Array]


class Layers(NamedTuple):
    """What the blocks of a network are made of.

    Attributes:
      dense: makes a dense layer of `(features, *, use_bias, name)`.
      conv: makes a convolution of `(features, kernel_size, *, use_bias, resample, name)`.
      dtype: of both.
    """

    dense: Callable[..., nn.Module]
    conv: Callable[..., nn.Module]
    dtype: Any


def plain(init: Initializer = nn.initializers.glorot_uniform(), dtype: Any = None) -> Layers:
    """Ordinary layers."""
    settings = {"kernel_init": init, "dtype": dtype}
    return Layers(functools.partial(nn.Dense, **settings), functools.partial(ResampledConv, **settings), dtype)


def spectral(init: Initializer = nn.initializers.glorot_uniform(), dtype: Any = None) -> Layers:
    """Layers with spectrally normalized weights."""
    settings = {"kernel_init": init, "dtype": dtype}
    return Layers(
        functools.partial(SpectralDense, **settings), functools.partial(SpectralResampledConv, **settings), dtype
    )


class UpBlock(nn.Module):
    """norm - ReLU - enlarge - 3x3 - norm - ReLU - 3x3, added to the enlarged 1x1 of its input.

    Attributes:
      features: output channels.
      layers: of which it is made.
      norm_dense: the linear maps of `ConditionalBatchNorm`.
    """

    features: int
    layers: Layers
    norm_dense: Callable[..., nn.Module]

    @nn.compact
    def __call__(self, x: jax.Array, condition: jax.Array | None, train: bool) -> jax.Array:
        """`[batch, height, width, channels]` to `[batch, 2 height, 2 width, features]`."""
        conv, norm = self.layers.conv, functools.partial(ConditionalBatchNorm, self.norm_dense, self.layers.dtype)
        y = nn.relu(norm(name="norm_0")(x, condition, train))
        y = conv(self.features, (3, 3), resample="up", use_bias=False, name="conv_0")(y)
        y = nn.relu(norm(name="norm_1")(y, condition, train))
        y = conv(self.features, (3, 3), name="conv_1")(y)
        return y + enlarge(conv(self.features, (1, 1), name="shortcut")(x))


class DownBlock(nn.Module):
    """ReLU - 3x3 - ReLU - 3x3 - pool, added to the 1x1 of its pooled input.

    Attributes:
      features: output channels.
      layers: of which it is made.
      first: whether the input is an image, which no ReLU cuts.
      pool: whether to halve the map; without, an input of `features` channels is added as it is.
    """

    features: int
    layers: Layers
    first: bool = False
    pool: bool = True

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """`[batch, height, width, channels]` to `[batch, height / 2, width / 2, features]`, or of the same size."""
        conv = self.layers.conv
        y = x if self.first else nn.relu(x)
        y = relu(conv(self.features, (3, 3), name="conv_0")(y))
        y = conv(self.features, (3, 3), resample="down" if self.pool else None, name="conv_1")(y)
        if self.pool:
            x = mean_pool(x)
        if self.pool or x.shape[-1] != self.features:
            x = conv(self.features, (1, 1), name="shortcut")(x)
        return x + y


class Trunk(nn.Module):
    """A generator behind its latents: one vector for the 4x4 map, and a condition for every block that doubles it.

    Attributes:
      image_shape: (height, width, channels); height = width, a power of two from 8 up.
      widths: channels of the 4x4 map and of each larger one.
      layers: of which it is made.
      norm_dense: the linear maps of `ConditionalBatchNorm`.
      attention: side of the map that attends to itself; None for none.
    """

    image_shape: tuple[int, int, int]
    widths: Sequence[int]
    layers: Layers
    norm_dense: Callable[..., nn.Module] = zero_dense
    attention: int | None = None

    @nn.compact
    def __call__(self, z: jax.Array, conditions: Sequence[jax.Array | None], train: bool) -> jax.Array:
        """z `[batch, n]` and as many conditions `[batch, m]` as blocks to images in [-1, 1]."""
        height, width, channels = self.image_shape
        blocks = doublings(height, width) + 1
        if len(self.widths) != blocks:
            raise UserError(f"widths are {len(self.widths)}; {height}x{width} images need {blocks}, from 4x4 up.")
        _check_attention(self.attention, [height >> stage for stage in range(blocks - 1)])
        x = self.layers.dense(16 * self.widths[0], name="project")(z).reshape(-1, 4, 4, self.widths[0])
        for stage, (features, condition) in enumerate(zip(self.widths[1:], conditions, strict=True)):
            x = UpBlock(features, self.layers, self.norm_dense, name=f"up_{stage}")(x, condition, train)
            if x.shape[1] == self.attention:
                x = SelfAttention(self.layers.conv, name="attention")(x)
        x = nn.relu(ConditionalBatchNorm(dtype=self.layers.dtype, name="norm")(x, None, train))
        return nn.tanh(self.layers.conv(channels, (3, 3), name="image")(x))


class Generator(nn.Module):
    """Latents `[batch, latent]` to images `[batch, height, width, channels]` in [-1, 1].

    Attributes:
      image_shape: (height, width, channels); height = width, a power of two from 8 up.
      widths: channels of the 4x4 map and of each larger one.
      classes: how many labels there are; None for a generator without.
      layers: of which it is made.
      attention: side of the map that attends to itself; None for none.
    """

    image_shape: tuple[int, int, int] = (32, 32, 3)
    widths: Sequence[int] = (256, 256, 256, 256)
    classes: int | None = None
    layers: Layers = plain()
    attention: int | None = None

    @nn.compact
    def __call__(self, z: jax.Array, label: jax.Array | None = None, *, train: bool) -> jax.Array:
        """Generates, for labels `[batch]` where there are; `train` normalizes by the batch."""
        condition = None if self.classes is None else jax.nn.one_hot(label, self.classes)
        trunk = Trunk(self.image_shape, self.widths, self.layers, attention=self.attention, name="trunk")
        return trunk(z, [condition] * (len(self.widths) - 1), train)


class Discriminator(nn.Module):
    """Images `[batch, height, width, channels]` to logits `[batch]` of being real, all weights spectrally normalized.

    Attributes:
      widths: channels of each block's result.
      halvings: how many of the blocks, from the first, halve the map.
      classes: how many labels there are; None for a discriminator without.
      attention: side of the map that attends to itself; None for none.
      kernel_init: initializer of all weights.
      dtype: of the computation; parameters stay float32.
    """

    widths: Sequence[int] = (128, 128, 128, 128)
    halvings: int = 2
    classes: int | None = None
    attention: int | None = None
    kernel_init: Initializer = nn.initializers.glorot_uniform()
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array, label: jax.Array | None = None, *, train: bool) -> jax.Array:
        """Judges, given labels `[batch]` where there are; the same in training."""
        layers = spectral(self.kernel_init, self.dtype)
        _check_attention(self.attention, [x.shape[1] >> stage + 1 for stage in range(self.halvings)])
        for stage, features in enumerate(self.widths):
            x = DownBlock(features, layers, stage == 0, stage < self.halvings, name=f"down_{stage}")(x)
            if x.shape[1] == self.attention and stage < self.halvings:
                x = SelfAttention(layers.conv, name="attention")(x)
        x = jnp.sum(nn.relu(x), (1, 2))
        logit = layers.dense(1, name="logit")(x)[:, 0]
        if self.classes is None:
            return logit
        assert label is not None
        embed = SpectralEmbed(
            self.classes, x.shape[-1], embedding_init=self.kernel_init, dtype=self.dtype, name="embed"
        )
        return logit + jnp.sum(embed(label) * x, -1)


def _check_attention(attention: int | None, sides: Sequence[int]) -> None:
    if attention is not None and attention not in sides:
        raise UserError(
            f"attention is {attention}; the maps have sides {', '.join(map(str, sides))}: choose one of them."
        )
