"""Images blurred, doubled and halved by a short filter along either axis, so that no frequency folds onto another.

Zhang 2019, "Making Convolutional Networks Shift-Invariant Again"; Karras et al. 2019, section 3, and 2020, appendix B.
Pixels outside an image are zero, as in those. Every function is a few shifted sums: linear, cheap, and differentiable
to any order in both modes.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from jaxgen.errors import UserError

BINOMIAL = (1.0, 3.0, 3.0, 1.0)


def blur(
    x: jax.Array, taps: Sequence[float] = BINOMIAL, *, gain: float = 1.0, pad: tuple[int, int] = (2, 1)
) -> jax.Array:
    """`[batch, height, width, channels]` filtered along both axes.

    Args:
      x: images.
      taps: of the filter along an axis; they are divided by their sum.
      gain: what a constant image is multiplied by.
      pad: zeros (before, after) each axis; each loses `len(taps) - 1` pixels in filtering.
    """
    for axis in (1, 2):
        x = _filter(_pad(x, axis, pad), _normalized(taps, gain), axis)
    return x


def double(x: jax.Array, taps: Sequence[float] = BINOMIAL) -> jax.Array:
    """`[batch, height, width, channels]` to twice the height and width: zeros between the pixels, then the filter.

    Constants stay what they are, but at the edge. (1, 3, 3, 1) is bilinear interpolation, (1, 1) repeats pixels.

    Raises:
      UserError: the taps are odd in number.
    """
    # Pixel 2 i sees the taps of one parity, pixel 2 i + 1 those of the other: no product with a zero.
    half = _half(taps)
    even, odd = (_normalized(taps, 4.0)[start::2] for start in (1 - half % 2, half % 2))
    for axis in (1, 2):
        left, right = half // 2, (half - 1) // 2
        first = _filter(_pad(x, axis, (left, right)), even, axis)
        second = _filter(_pad(x, axis, (right, left)), odd, axis)
        shape = list(x.shape)
        shape[axis] *= 2
        x = jnp.stack([first, second], axis + 1).reshape(shape)
    return x


def halve(x: jax.Array, taps: Sequence[float] = BINOMIAL) -> jax.Array:
    """`[batch, height, width, channels]`, of even size, to half the height and width: the filter, every other pixel.

    Constants stay what they are, but at the edge. (1, 1) is the mean of 2x2 pixels.

    Raises:
      UserError: the taps are odd in number.
    """
    half = _half(taps) - 1
    for axis in (1, 2):
        x = _filter(_pad(x, axis, (half, half)), _normalized(taps, 1.0), axis, stride=2)
    return x


def _half(taps: Sequence[float]) -> int:
    if len(taps) % 2:
        raise UserError(
            f"taps are {len(taps)} in number; to double or halve an image give an even number, e.g. 1 3 3 1."
        )
    return len(taps) // 2


def _normalized(taps: Sequence[float], gain: float) -> list[float]:
    """Those of one axis: `gain` is that of both."""
    return [tap * gain**0.5 / sum(taps) for tap in taps]


def _pad(x: jax.Array, axis: int, pad: tuple[int, int]) -> jax.Array:
    return jnp.pad(x, [pad if other == axis else (0, 0) for other in range(4)])


def _filter(x: jax.Array, taps: Sequence[float], axis: int, stride: int = 1) -> jax.Array:
    """A true convolution, the taps reversed, without padding."""
    size = (x.shape[axis] - len(taps)) // stride + 1
    slices = (jax.lax.slice_in_dim(x, j, j + (size - 1) * stride + 1, stride, axis) for j in range(len(taps)))
    return sum((tap * part for tap, part in zip(reversed(taps), slices, strict=True)), jnp.zeros((), x.dtype))
