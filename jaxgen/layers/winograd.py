"""Convolution with fewer multiplications: the values of a direct one, by Winograd's minimal filtering.

Two neighbouring outputs of a filter with r taps need r + 1 products, not 2·r: y = A·(G·k ⊙ B·x) with constant A, G, B
of zeros, ones and halves. In the plane the three act along both axes, and the sum over channels makes each product one
of matrices: 9 of them in place of 16 where a window is two strides long, as DCGAN's, 16 in place of 36 where it is
three. A strided filter is one without a stride on blocks of stride x stride pixels, whose pixels become channels.

Winograd 1980, "Arithmetic Complexity of Computations"; Lavin & Gray 2016, "Fast Algorithms for Convolutional Neural
Networks", section 4.
"""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental.xla_metadata import set_xla_metadata

from jaxgen.layers.matrix import at_every_pixel

_OUTPUTS = 2  # of a tile, along an axis


class _Algorithm(NamedTuple):
    """Rows of B `[taps + 1, taps + 1]`, G `[taps + 1, taps]` and A `[2, taps + 1]`."""

    image: Sequence[Sequence[float]]
    kernel: Sequence[Sequence[float]]
    output: Sequence[Sequence[float]]


_BY_TAPS = {
    2: _Algorithm(
        image=((1, -1, 0), (0, 1, 0), (0, -1, 1)),
        kernel=((1, 0), (1, 1), (0, 1)),
        output=((1, 1, 0), (0, 1, 1)),
    ),
    3: _Algorithm(
        image=((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, -1, 0, 1)),
        kernel=((1, 0, 0), (0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0, 0, 1)),
        output=((1, 1, 1, 0), (0, 1, -1, 1)),
    ),
}


def supports(window: Sequence[int], strides: Sequence[int]) -> bool:
    """Whether the window is two strides long along both axes, or three."""
    (height, width), (down, right) = window, strides
    return height % down == 0 and width % right == 0 and height // down == width // right in _BY_TAPS


def convolve(
    x: jax.Array, kernel: jax.Array, strides: tuple[int, ...], padding: tuple[tuple[int, int], ...]
) -> jax.Array:
    """Linear in x and in the kernel, and made of sums and matrix products alone.

    Rounding errors are some three times those of a direct convolution; in bfloat16 that matters.

    Args:
      x: `[batch, height, width, in]`.
      kernel: `[kernel_height, kernel_width, in, out]`, of a size that `supports` these strides.
      strides: of the two image axes.
      padding: (low, high) of each image axis.

    Returns:
      `[batch, height', width', out]`.
    """
    # Left to fuse, XLA:CPU computes what comes before anew for every tile that reads it.
    with set_xla_metadata(inlineable="false"):
        return _convolve(x, kernel, strides, padding)


@functools.partial(jax.jit, static_argnums=(2, 3))
def _convolve(
    x: jax.Array, kernel: jax.Array, strides: tuple[int, ...], padding: tuple[tuple[int, int], ...]
) -> jax.Array:
    (window_height, window_width, channels, features), (down, right) = kernel.shape, strides
    taps = window_height // down
    algorithm = _BY_TAPS[taps]
    batch, image_height, image_width, _ = x.shape
    (top, bottom), (left, end) = padding
    height = (image_height + top + bottom - window_height) // down + 1
    width = (image_width + left + end - window_width) // right + 1
    tile_rows, tile_columns = -(-height // _OUTPUTS), -(-width // _OUTPUTS)
    rows, columns = tile_rows * _OUTPUTS + taps - 1, tile_columns * _OUTPUTS + taps - 1  # of blocks

    below, beside = rows * down - image_height - top, columns * right - image_width - left
    x = lax.pad(x, jnp.zeros((), x.dtype), ((0, 0, 0), (top, below, 0), (left, beside, 0), (0, 0, 0)))
    x = x.reshape(batch, rows, down, columns, right, channels).swapaxes(2, 3).reshape(batch, rows, columns, -1)
    kernel = kernel.reshape(taps, down, taps, right, channels, features).swapaxes(1, 2)

    i_end, j_end = rows - taps, columns - taps
    corners = range(taps + 1)
    tiles = [[x[:, i : i + i_end : _OUTPUTS, j : j + j_end : _OUTPUTS] for j in corners] for i in corners]
    images = _apply(algorithm.image, tiles)
    kernels = _apply(algorithm.kernel, kernel.reshape(taps, taps, -1, features))
    pairs = zip(images, kernels, strict=True)
    products = [[at_every_pixel(*factors) for factors in zip(*pair, strict=True)] for pair in pairs]
    y = jnp.stack([jnp.stack(line, 3) for line in _apply(algorithm.output, products)], 2)
    return y.reshape(batch, tile_rows * _OUTPUTS, tile_columns * _OUTPUTS, features)[:, :height, :width]


def _apply(matrix: Sequence[Sequence[float]], grid: Any) -> list[tuple[jax.Array, ...]]:
    """M·grid·Mᵀ for a grid of arrays."""
    rows = [_combine(matrix, line) for line in grid]
    return list(zip(*(_combine(matrix, column) for column in zip(*rows, strict=True)), strict=True))


def _combine(matrix: Sequence[Sequence[float]], arrays: Sequence[jax.Array]) -> list[jax.Array]:
    """M·arrays, as the few sums it is."""
    terms = (
        [weight * a if weight != 1 else a for weight, a in zip(row, arrays, strict=True) if weight] for row in matrix
    )
    return [sum(rest, first) for first, *rest in terms]
