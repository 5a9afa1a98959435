"""Inception-v3 as the FID uses it: the network that TensorFlow released on 2015-12-05.

Szegedy et al., 2016, "Rethinking the Inception Architecture for Computer Vision", table 1, with that release's traits:
1,008 outputs, averages that leave padding out, and a maximum in the last block where the paper has an average. For
inference: batch normalization is a scale and a shift. Layers are named as in PyTorch's versions of these weights.
"""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

SIDE = 299  # pixels
FEATURES = 2048
CLASSES = 1008


class _Step(NamedTuple):
    """A convolution; the padded ones keep an image's size."""

    features: int
    kernel: tuple[int, int]
    strides: int = 1
    padding: str = "SAME"


_Branches = Mapping[str, tuple[_Step | tuple[_Step, _Step], ...]]  # two steps in one place run side by side


def _half(features: int) -> _Step:
    return _Step(features, (3, 3), 2, "VALID")


def _square(features: int, side: int = 1) -> _Step:
    return _Step(features, (side, side))


def _a(pooled: int) -> _Branches:
    return {
        "branch1x1": (_square(64),),
        "branch5x5": (_square(48), _square(64, 5)),
        "branch3x3dbl": (_square(64), _square(96, 3), _square(96, 3)),
        "branch_pool": (_square(pooled),),
    }


def _c(width: int) -> _Branches:
    row, column = _Step(width, (1, 7)), _Step(width, (7, 1))
    return {
        "branch1x1": (_square(192),),
        "branch7x7": (_square(width), row, _Step(192, (7, 1))),
        "branch7x7dbl": (_square(width), column, row, column, _Step(192, (1, 7))),
        "branch_pool": (_square(192),),
    }


_B: _Branches = {
    "branch3x3": (_half(384),),
    "branch3x3dbl": (_square(64), _square(96, 3), _half(96)),
    "branch_pool": (),
}
_D: _Branches = {
    "branch3x3": (_square(192), _half(320)),
    "branch7x7x3": (_square(192), _Step(192, (1, 7)), _Step(192, (7, 1)), _half(192)),
    "branch_pool": (),
}
_CROSS = (_Step(384, (1, 3)), _Step(384, (3, 1)))
_E: _Branches = {
    "branch1x1": (_square(320),),
    "branch3x3": (_square(384), _CROSS),
    "branch3x3dbl": (_square(448), _square(384, 3), _CROSS),
    "branch_pool": (_square(192),),
}
_STEM = {
    "Conv2d_1a_3x3": _half(32),
    "Conv2d_2a_3x3": _Step(32, (3, 3), 1, "VALID"),
    "Conv2d_2b_3x3": _square(64, 3),
    "": None,  # a maximum over 3x3 pixels, which halves
    "Conv2d_3b_1x1": _square(80),
    "Conv2d_4a_3x3": _Step(192, (3, 3), 1, "VALID"),
}
_MIXED = {
    "Mixed_5b": _a(32), "Mixed_5c": _a(64), "Mixed_5d": _a(64), "Mixed_6a": _B,
    "Mixed_6b": _c(128), "Mixed_6c": _c(160), "Mixed_6d": _c(160), "Mixed_6e": _c(192),
    "Mixed_7a": _D, "Mixed_7b": _E, "Mixed_7c": _E,
}  # fmt: skip


def _halving_maximum(x: jax.Array) -> jax.Array:
    return nn.max_pool(x, (3, 3), (2, 2), "VALID")


class _Conv(nn.Module):
    """Convolution, normalization with fixed statistics, ReLU."""

    step: _Step

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        features, kernel, strides, padding = self.step
        x = nn.Conv(features, kernel, (strides, strides), padding, use_bias=False, name="conv")(x)
        scale = self.param("scale", nn.initializers.ones, (features,))
        return nn.relu(x * scale + self.param("shift", nn.initializers.zeros, (features,)))


class _Mixed(nn.Module):
    """Branches side by side, their outputs joined along the channels."""

    branches: _Branches
    largest: bool

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return jnp.concatenate([self._branch(name, steps, x) for name, steps in self.branches.items()], axis=-1)

    def _branch(self, name: str, steps: tuple, x: jax.Array) -> jax.Array:
        if name == "branch_pool":
            x = self._pool(x, halve=not steps)
        for number, step in enumerate(steps, 1):
            here = f"{name}_{number}" if len(steps) > 1 else name
            if isinstance(step, _Step):
                x = _Conv(step, name=here)(x)
            else:
                x = jnp.concatenate([_Conv(s, name=here + letter)(x) for s, letter in zip(step, "ab", strict=True)], -1)
        return x

    def _pool(self, x: jax.Array, halve: bool) -> jax.Array:
        if halve:
            return _halving_maximum(x)
        if self.largest:
            return nn.max_pool(x, (3, 3), padding="SAME")
        return nn.avg_pool(x, (3, 3), padding="SAME", count_include_pad=False)


class Inception(nn.Module):
    """Images `[batch, height, width, 3]` of levels 0 ... 255 to features `[batch, 2048]` and logits `[batch, 1008]`.

    Logits are without their bias, as the inception score takes them.
    """

    @nn.compact
    def __call__(self, levels: jax.Array) -> tuple[jax.Array, jax.Array]:
        x = (resize(levels, SIDE) - 128) / 128
        for name, step in _STEM.items():
            x = _Conv(step, name=name)(x) if step else _halving_maximum(x)
        x = _halving_maximum(x)
        for name, branches in _MIXED.items():
            x = _Mixed(branches, largest=name == "Mixed_7c", name=name)(x)
        x = jnp.mean(x, axis=(1, 2))
        return x, nn.Dense(CLASSES, use_bias=False, name="fc")(x)


def resize(images: jax.Array, side: int) -> jax.Array:
    """Bilinear, as TensorFlow 1 did it: pixel i of the result is the image at i · size / side, corners not aligned.

    Args:
      images: `[batch, height, width, channels]`.
      side: pixels of the result.
    """
    rows, columns = (_interpolation(size, side) for size in images.shape[1:3])
    return jnp.einsum("yh,bhwc,xw->byxc", rows, images, columns, precision=jax.lax.Precision.HIGHEST)


def _interpolation(size: int, side: int) -> np.ndarray:
    """The matrix `[side, size]` whose rows weigh two neighbouring pixels."""
    place = np.arange(side, dtype=np.float32) * np.float32(size / side)  # rounded as TensorFlow rounds it
    low = place.astype(int)
    matrix = np.zeros((side, size), np.float32)
    matrix[np.arange(side), low] = 1 - (place - low)
    matrix[np.arange(side), np.minimum(low + 1, size - 1)] += place - low
    return matrix
