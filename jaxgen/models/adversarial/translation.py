"""Networks that turn images into images, and critics of patches of them.

Isola et al. 2017, "Image-to-Image Translation with Conditional Adversarial Networks" (pix2pix), and Zhu et al. 2017,
"Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks" (CycleGAN), section 7 of both.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxgen.errors import UserError
from jaxgen.layers.conv import Conv, ConvTranspose
from jaxgen.layers.instance_norm import InstanceNorm
from jaxgen.layers.resample import ResampledConv

_INIT = nn.initializers.normal(0.02)


class UNet(nn.Module):
    """`[batch, height, width, channels]` to `[batch, height, width, outputs]` in [-1, 1], by halving maps and doubling.

    Every map of the way down is appended to that of its size on the way up, so that what need not change does not have
    to pass through the middle. Where the stream "dropout" is given, in training as in sampling, it is the network's
    only noise.

    Attributes:
      outputs: channels of the result.
      width: channels of the largest map; each smaller one has twice as many, up to eight times these.
      depth: halvings; 8 take 256 pixels to one.
      dropout: how many of the smallest doubled maps drop half of their units.
      norm: makes a normalization; none stands at the largest map and at the smallest.
      dtype: of the computation; parameters stay float32.

    Raises:
      UserError: a side is not a multiple of 2^depth.
    """

    outputs: int
    width: int = 64
    depth: int = 8
    dropout: int = 3
    norm: Callable[..., nn.Module] = InstanceNorm
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
        """Translates; `train` changes nothing."""
        unit = 2**self.depth
        if x.shape[1] % unit or x.shape[2] % unit:
            raise UserError(
                f"images of {x.shape[1]}x{x.shape[2]} pixels cannot be halved depth={self.depth} times; choose a "
                f"smaller depth, or pad both sides to a multiple of {unit}."
            )
        widths = [self.width * min(2**level, 8) for level in range(self.depth)]
        maps = []
        for level, features in enumerate(widths):
            inner = 0 < level < self.depth - 1
            x = nn.leaky_relu(x, 0.2) if level else x
            x = self._layer(Conv, features, inner, f"down_{level}")(x)
            x = self.norm(name=f"down_norm_{level}")(x) if inner else x
            maps.append(x)
        for level in range(self.depth - 1, -1, -1):
            last = level == 0
            x = nn.relu(x)
            x = self._layer(ConvTranspose, self.outputs if last else widths[level - 1], not last, f"up_{level}")(x)
            if not last:
                x = self.norm(name=f"up_norm_{level}")(x)
                if level >= self.depth - self.dropout:
                    x = nn.Dropout(0.5, deterministic=not self.has_rng("dropout"))(x)
                x = jnp.concatenate([x, maps[level - 1]], -1)
        return nn.tanh(x)

    def _layer(self, kind: type[Conv], features: int, normalized: bool, name: str) -> nn.Module:
        return kind(features, (4, 4), (2, 2), use_bias=not normalized, kernel_init=_INIT, dtype=self.dtype, name=name)


class PatchCritic(nn.Module):
    """`[batch, height, width, channels]` to logits `[batch, height', width']`, each of a patch.

    A patch has 16, 34, 70, 142 pixels a side with 1, 2, 3, 4 layers, and is one pixel with none (a PixelGAN); once it
    is larger than the image, a logit in the middle is of the whole.

    Attributes:
      layers: that halve the maps.
      width: channels of the first map; each later one has twice as many, up to eight times these.
      norm: makes a normalization; none stands at the first and at the last layer.
      dtype: of the computation; parameters stay float32.
    """

    layers: int = 3
    width: int = 64
    norm: Callable[..., nn.Module] = InstanceNorm
    dtype: Any = None

    @nn.compact
    def __call__(self, *images: jax.Array, train: bool = False) -> jax.Array:
        """Judges images, or pairs of them, which are appended; `train` changes nothing."""
        x = jnp.concatenate(images, -1)
        window = (4, 4) if self.layers else (1, 1)
        strides = [2] * self.layers + [1] if self.layers else [1, 1]
        for index, stride in enumerate(strides):
            features = self.width * min(2**index, 8)
            x = self._conv(features, window, stride, index == 0, f"conv_{index}")(x)
            x = self.norm(name=f"norm_{index}")(x) if index else x
            x = nn.leaky_relu(x, 0.2)
        return self._conv(1, window, 1, True, "logit")(x)[..., 0]

    def _conv(self, features: int, window: tuple[int, int], stride: int, use_bias: bool, name: str) -> nn.Module:
        pad = ((window[0] // 4, window[0] // 4),) * 2
        return Conv(
            features, window, (stride, stride), pad, use_bias=use_bias, kernel_init=_INIT, dtype=self.dtype, name=name
        )


class ResNetTranslator(nn.Module):
    """`[batch, height, width, channels]` to `[batch, height, width, outputs]` in [-1, 1], by maps of a quarter a side.

    Edges are reflected, so that none appears. Doubling repeats pixels before a convolution: no checkerboard is left.

    Attributes:
      outputs: channels of the result.
      width: channels of the first map.
      blocks: residual ones in the middle: 6 for 128 pixels, 9 for 256.
      dtype: of the computation; parameters stay float32.

    Raises:
      UserError: a side is not a multiple of four.
    """

    outputs: int
    width: int = 64
    blocks: int = 9
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
        """Translates; `train` changes nothing."""
        if x.shape[1] % 4 or x.shape[2] % 4:
            raise UserError(
                f"images of {x.shape[1]}x{x.shape[2]} pixels cannot be halved twice; pad both sides to a multiple of 4."
            )
        x = self._rectified("first", self._reflected("first", self.width, 7)(x))
        for index in range(2):
            down = self._settings(self.width << (index + 1), 3, f"down_{index}")
            x = self._rectified(f"down_{index}", Conv(strides=(2, 2), **down)(x))
        for index in range(self.blocks):
            features = x.shape[-1]
            y = self._rectified(f"block_{index}_a", self._reflected(f"block_{index}_a", features, 3)(x))
            y = self._reflected(f"block_{index}_b", features, 3)(y)
            x = x + InstanceNorm(name=f"block_{index}_b_norm")(y)
        for index in range(2):
            up = self._settings(self.width << (1 - index), 3, f"up_{index}")
            x = self._rectified(f"up_{index}", ResampledConv(resample="up", **up)(x))
        return nn.tanh(self._reflected("image", self.outputs, 7, use_bias=True)(x))

    def _settings(self, features: int, size: int, name: str, use_bias: bool = False) -> dict[str, Any]:
        return {
            "features": features, "kernel_size": (size, size), "use_bias": use_bias, "kernel_init": _INIT,
            "dtype": self.dtype, "name": name,
        }  # fmt: skip

    def _reflected(self, name: str, features: int, size: int, use_bias: bool = False) -> Callable:
        conv, edge = Conv(padding="VALID", **self._settings(features, size, name, use_bias)), (size // 2,) * 2
        return lambda x: conv(jnp.pad(x, [(0, 0), edge, edge, (0, 0)], mode="reflect"))

    def _rectified(self, name: str, x: jax.Array) -> jax.Array:
        return nn.relu(InstanceNorm(name=f"{name}_norm")(x))


class WithNoise(nn.Module):
    """Images and z `[batch, n]` to what a network makes of the images with one channel more, a linear map of z.

    Bousmalis et al. 2017, "Unsupervised Pixel-Level Domain Adaptation with Generative Adversarial Networks", section 4.

    Attributes:
      network: of `(images, *, train)`.
    """

    network: nn.Module

    @nn.compact
    def __call__(self, x: jax.Array, z: jax.Array, *, train: bool = False) -> jax.Array:
        """The network's result."""
        channel = nn.Dense(x.shape[1] * x.shape[2], name="noise")(z).reshape(*x.shape[:3], 1)
        return self.network(jnp.concatenate([x, channel.astype(x.dtype)], -1), train=train)
