"""Images enlarged and reduced twofold, alone and together with a convolution: no array has more than four axes.

A convolution of an image enlarged by repeating pixels, or one whose result is averaged over 2x2 pixels, is a strided
one with a kernel one pixel larger: summed with itself moved by a pixel along both axes. It takes 4 products for 9 of a
3x3 window, and the large map is neither written nor read.
"""

from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp

from jaxgen.errors import UserError
from jaxgen.layers.conv import Conv, conv, conv_transpose
from jaxgen.layers.spectral_norm import normalized


def enlarge(x: jax.Array) -> jax.Array:
    """`[batch, height, width, channels]` to `[batch, 2 height, 2 width, channels]`, every pixel a block of four."""
    batch, height, width, channels = x.shape
    x = jnp.concatenate([x, x], -1).reshape(batch, height, 2 * width, channels)
    return jnp.concatenate([x, x], 2).reshape(batch, 2 * height, 2 * width, channels)


def mean_pool(x: jax.Array) -> jax.Array:
    """`[batch, height, width, channels]` of even size to half of it, the means of 2x2 pixels; else `UserError`."""
    return _pool(x, jnp.add) / 4


def max_pool(x: jax.Array) -> jax.Array:
    """`[batch, height, width, channels]` of even size to half of it, the maxima of 2x2 pixels; else `UserError`."""
    return _pool(x, jnp.maximum)


def _pool(x: jax.Array, combine: Callable[[jax.Array, jax.Array], jax.Array]) -> jax.Array:
    _check_even(x)
    batch, height, width, channels = x.shape
    x = combine(*jnp.split(x.reshape(batch, height, width // 2, 2 * channels), 2, -1))
    return combine(*jnp.split(x.reshape(batch, height // 2, width, channels), 2, 2))  # two rows side by side


def _check_even(x: jax.Array) -> None:
    height, width = x.shape[1:3]
    if height % 2 or width % 2:
        raise UserError(f"a map of {height}x{width} cannot be halved; pad or resize images so that every map is even.")


def _doubling(kernel: jax.Array) -> jax.Array:
    """Of a kernel `[3, 3, in, out]` the `[4, 4, in, out]` of a transposed convolution that convolves an enlarged image.

    Its last two axes are still to be exchanged, once it is whole: parts along one would become parts along the other.
    """
    return _spread(jnp.flip(kernel, (0, 1)))


def _halving(kernel: jax.Array) -> jax.Array:
    """The strided convolution's kernel `[4, 4, in, out]` that averages a convolution by `[3, 3, in, out]`."""
    return _spread(kernel) / 4


def _spread(kernel: jax.Array) -> jax.Array:
    """The sum of the kernel and of itself moved by a pixel down, right, and both."""
    for axis in (0, 1):
        low, high = [(0, 0)] * 4, [(0, 0)] * 4
        low[axis], high[axis] = (1, 0), (0, 1)
        kernel = jnp.pad(kernel, low) + jnp.pad(kernel, high)
    return kernel


class ResampledConv(Conv):
    """`Conv` with stride 1, of an enlarged image or with pooled results; see there for the other attributes.

    Attributes:
      resample: "up" convolves `enlarge(x)`, "down" gives `mean_pool` of the result, both with a 3x3 kernel and zeros
        around.

    Raises:
      UserError: a map to be pooled is odd.
    """

    resample: Literal["up", "down"] | None = None

    def _apply(self, function: Callable, x: jax.Array, kernel: jax.Array) -> jax.Array:
        if self.resample == "up":
            return super()._apply(
                lambda x, kernel, *_: conv_transpose(x, kernel.swapaxes(2, 3), (2, 2)), x, _doubling(kernel)
            )
        if self.resample == "down":
            _check_even(x)
            return super()._apply(lambda x, kernel, *_: conv(x, kernel, (2, 2)), x, _halving(kernel))
        return super()._apply(function, x, kernel)


class SpectralResampledConv(ResampledConv):
    """`ResampledConv` with a spectrally normalized kernel, the 3x3 one; see there for its attributes."""

    def _apply(self, function: Callable, x: jax.Array, kernel: jax.Array) -> jax.Array:
        return super()._apply(function, x, normalized(self, kernel))
