"""Strided and transposed two-dimensional convolutions whose gradients are fast everywhere.

A convolution C(x, k), its adjoint in the input T(y, k) (the transposed convolution) and its adjoint in the kernel
K(x, y) are one trilinear form, <C(x, k), y> = <x, T(y, k)> = <k, K(x, y)>, so each one's gradients are the other two.
Each is written once below and the three name one another as derivatives. Left to itself, autodiff differentiates
the dilated convolution that a transposed one compiles to, and XLA:CPU has no fast kernel for what comes out.

Reverse mode of any order, `jit` and `vmap` work. Forward mode (`jax.jvp`) works where the three gain nothing by being
written out, in convolutions without strides that Winograd's algorithm does not make faster: `jax.custom_vjp` has none.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax.linen.dtypes import canonicalize_dtype, promote_dtype
from jax import lax

from jaxgen import parts, target
from jaxgen.errors import UserError
from jaxgen.layers import winograd
from jaxgen.layers.matrix import at_every_pixel

Padding = str | Sequence[tuple[int, int]]

_WINOGRAD_DEPTH = 8  # channels in and out of a product
_FEW = 4  # channels, as an image's, with which a GPU's convolutions are slower than products of matrices


class _Geometry(NamedTuple):
    """Static shapes of C: x `[batch, *image, channels]` to y, with a kernel of `window` and explicit padding."""

    image: tuple[int, ...]
    window: tuple[int, ...]
    strides: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]


def _multiplies_less(geometry: _Geometry, kernel: jax.ShapeDtypeStruct | jax.Array) -> bool:
    """Whether Winograd's algorithm is the faster: on CPU, whose products are otherwise as many as they seem.

    With few channels its sums cost more than the products they save. Accelerators have algorithms of their own.
    """
    depth = min(kernel.shape[2] * math.prod(geometry.strides), kernel.shape[3])
    return (
        target.platform() == "cpu"
        and depth >= _WINOGRAD_DEPTH
        and kernel.dtype != jnp.bfloat16
        and winograd.supports(geometry.window, geometry.strides)
    )


def _convolve(geometry: _Geometry, x: jax.Array, kernel: jax.Array) -> jax.Array:
    if _multiplies_less(geometry, kernel):
        return winograd.convolve(x, kernel, geometry.strides, geometry.padding)
    if _is_of_images(kernel.shape[2]):
        return _gather(geometry, x, kernel)
    if _is_of_images(kernel.shape[3]) and geometry.strides == (1, 1):
        return _overlap_add(*_mirrored(geometry, x, kernel))
    return _convolve_directly(geometry, x, kernel)


def _is_of_images(channels: int) -> bool:
    return target.platform() == "gpu" and channels <= _FEW


def _mirrored(geometry: _Geometry, y: jax.Array, kernel: jax.Array) -> tuple[_Geometry, jax.Array, jax.Array]:
    """What makes T(y, k) of stride 1 a C, and the other way about."""
    pads = tuple((k - 1 - a, k - 1 - b) for k, (a, b) in zip(geometry.window, geometry.padding, strict=True))
    image = tuple(
        n + a + b - k + 1 for n, (a, b), k in zip(y.shape[1:3], geometry.padding, geometry.window, strict=True)
    )
    return geometry._replace(image=image, padding=pads), y, jnp.flip(kernel, (0, 1)).swapaxes(2, 3)


def _convolve_directly(geometry: _Geometry, x: jax.Array, kernel: jax.Array) -> jax.Array:
    return lax.conv_general_dilated(
        x, kernel, geometry.strides, geometry.padding, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def _gather(geometry: _Geometry, x: jax.Array, kernel: jax.Array) -> jax.Array:
    """C(x, k) as one matrix product, every window of x a row."""
    (down, right), (rows, columns) = geometry.strides, geometry.window
    around = ((0, 0, 0), *((low, high, 0) for low, high in geometry.padding), (0, 0, 0))
    x = lax.pad(x, jnp.zeros((), x.dtype), around)
    height, width = (x.shape[1] - rows) // down + 1, (x.shape[2] - columns) // right + 1
    pixels = [
        x[:, i : i + (height - 1) * down + 1 : down, j : j + (width - 1) * right + 1 : right]
        for i in range(rows)
        for j in range(columns)
    ]
    return at_every_pixel(jnp.concatenate(pixels, -1), kernel.reshape(-1, kernel.shape[3]))


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _conv(geometry: _Geometry, x: jax.Array, kernel: jax.Array) -> jax.Array:
    """C(x, k)."""
    return _convolve(geometry, x, kernel)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _input_adjoint(geometry: _Geometry, y: jax.Array, kernel: jax.Array) -> jax.Array:
    """T(y, k)."""
    few = _is_of_images(kernel.shape[2])
    if geometry.strides == (1, 1) and not few:
        geometry, y, kernel = _mirrored(geometry, y, kernel)
        return _convolve(geometry._replace(image=y.shape[1:3]), y, kernel)
    # Accelerators have kernels for this; XLA:CPU multiplies mostly zeros of a dilated y.
    if few or (target.platform() == "cpu" and not _multiplies_less(geometry, kernel)):
        return _overlap_add(geometry, y, kernel)
    x = jax.ShapeDtypeStruct((y.shape[0], *geometry.image, kernel.shape[2]), y.dtype)
    return jax.linear_transpose(lambda x: _convolve(geometry, x, kernel), x)(y)[0]


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _kernel_adjoint(geometry: _Geometry, x: jax.Array, y: jax.Array) -> jax.Array:
    """K(x, y)."""
    kernel = jax.ShapeDtypeStruct((*geometry.window, x.shape[3], y.shape[3]), y.dtype)
    convolve = _convolve_directly if target.platform() == "gpu" else _convolve
    return jax.linear_transpose(lambda kernel: convolve(geometry, x, kernel), kernel)(y)[0]


def _overlap_add(geometry: _Geometry, y: jax.Array, kernel: jax.Array) -> jax.Array:
    """T(y, k) as one matrix product, every pixel of y to its whole window, and the sum of overlapping windows.

    Windows are cut into blocks of one stride, so that overlaps are sums of shifted arrays and nothing scatters.
    """
    (sh, sw), (kh, kw) = geometry.strides, geometry.window
    m, n = -(-kh // sh), -(-kw // sw)  # blocks a window spans
    batch, h, w, features = y.shape
    c = kernel.shape[2]
    kernel = jnp.pad(kernel, ((0, m * sh - kh), (0, n * sw - kw), (0, 0), (0, 0)))
    # The kernel stays as it is stored, a transposed factor: moving its axes costs as much as a fifth of the product.
    windows = (y.reshape(-1, features) @ kernel.reshape(-1, features).T).reshape(batch, h, w, m, sh, n, sw, c)
    blocks = jnp.zeros((batch, h + m - 1, w + n - 1, sh, sw, c), windows.dtype)
    for p in range(m):
        for q in range(n):
            around = ((0, 0), (p, m - 1 - p), (q, n - 1 - q), (0, 0), (0, 0), (0, 0))
            blocks += jnp.pad(windows[:, :, :, p, :, q], around)
    height, width = (h + m - 1) * sh, (w + n - 1) * sw
    x = blocks.transpose(0, 1, 3, 2, 4, 5).reshape(batch, height, width, c)
    (top, _), (left, _) = geometry.padding
    crop = ((0, 0, 0), (-top, geometry.image[0] + top - height, 0), (-left, geometry.image[1] + left - width, 0))
    return lax.pad(x, jnp.zeros((), x.dtype), (*crop, (0, 0, 0)))


def _save(function: Callable) -> Callable:
    return lambda geometry, a, b: (function(geometry, a, b), (a, b))


_conv.defvjp(_save(_conv), lambda g, xk, y: (_input_adjoint(g, y, xk[1]), _kernel_adjoint(g, xk[0], y)))
_input_adjoint.defvjp(_save(_input_adjoint), lambda g, yk, x: (_conv(g, x, yk[1]), _kernel_adjoint(g, x, yk[0])))
_kernel_adjoint.defvjp(_save(_kernel_adjoint), lambda g, xy, k: (_input_adjoint(g, xy[1], k), _conv(g, xy[0], k)))


def conv(x: jax.Array, kernel: jax.Array, strides: tuple[int, int] = (1, 1), padding: Padding = "SAME") -> jax.Array:
    """Convolution; the values of `lax.conv_general_dilated`.

    Args:
      x: `[batch, height, width, in]`.
      kernel: `[kernel_height, kernel_width, in, out]`.
      strides: of the two image axes.
      padding: "SAME", "VALID" or (low, high) of each image axis.

    Returns:
      `[batch, height', width', out]`.
    """
    image, window = x.shape[1:3], kernel.shape[:2]
    if isinstance(padding, str):
        padding = lax.padtype_to_pads(image, window, strides, padding)
    pads = tuple((int(low), int(high)) for low, high in padding)
    geometry = _Geometry(image, window, tuple(strides), pads)
    if geometry.strides == (1, 1) and not _multiplies_less(geometry, kernel):
        return _convolve(geometry, x, kernel)  # whose adjoints are convolutions as fast as itself
    return _conv(geometry, x, kernel)


def conv_transpose(
    x: jax.Array, kernel: jax.Array, strides: tuple[int, int] = (1, 1), padding: Padding = "SAME"
) -> jax.Array:
    """Transposed (fractionally strided) convolution; the values of `lax.conv_transpose` with `transpose_kernel=True`.

    Args:
      x: `[batch, height, width, in]`.
      kernel: `[kernel_height, kernel_width, out, in]`, that of the convolution whose adjoint this is.
      strides: how much larger the two image axes become.
      padding: "SAME" (height' = height * stride), "VALID" (all that the windows reach), or, as `lax.conv_transpose`
        counts it, (low, high) of each image axis of the dilated x.

    Returns:
      `[batch, height', width', out]`.
    """
    window = kernel.shape[:2]
    pads, image = [], []
    for axis, (size, k, s) in enumerate(zip(x.shape[1:3], window, strides, strict=True)):
        if not isinstance(padding, str):
            low, high = padding[axis]
        elif padding not in ("SAME", "VALID"):
            raise UserError(f"padding is {padding!r}; choose 'SAME', 'VALID' or (low, high) of each image axis.")
        elif padding == "SAME":
            low = min(k - 1, (k + s - 1) // 2)
            high = k + s - 2 - low
        else:
            low, high = k - 1, max(k, s) - 1
        image.append((size - 1) * s + low + high - k + 2)
        pads.append((k - 1 - low, k - 1 - high))
    return _input_adjoint(_Geometry(tuple(image), window, tuple(strides), tuple(pads)), x, kernel)


def doublings(height: int, width: int) -> int:
    """How often a 4x4 map doubles to become an image: the stages of a strided network.

    Raises:
      UserError: unless the image is square and its side a power of two from 8 up.
    """
    if height != width or height < 8 or height & (height - 1):
        raise UserError(f"image size {height}x{width}: must be a square power of two from 8 up; pad or resize first.")
    return height.bit_length() - 3


class Conv(nn.Module):
    """`conv` as a layer: `[batch, height, width, in]` to `[batch, height', width', features]`.

    Attributes:
      features: output channels.
      kernel_size: of the two image axes.
      strides: of the two image axes.
      padding: see `conv`.
      use_bias: whether to add one; not in front of a normalization, which takes it out again.
      kernel_init: initializer of `kernel`, `[*kernel_size, in, features]`.
      dtype: of the computation; parameters stay float32.
    """

    features: int
    kernel_size: tuple[int, int]
    strides: tuple[int, int] = (1, 1)
    padding: Padding = "SAME"
    use_bias: bool = True
    kernel_init: Callable = nn.initializers.lecun_normal()
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        kernel = self.param("kernel", self.kernel_init, (*self.kernel_size, x.shape[-1], self.features), jnp.float32)
        return self._apply(conv, x, kernel)

    def _apply(self, function: Callable, x: jax.Array, kernel: jax.Array) -> jax.Array:
        bias = self.param("bias", nn.initializers.zeros, (self.features,), jnp.float32) if self.use_bias else None
        dtype = canonicalize_dtype(x, kernel, bias, dtype=self.dtype)
        x, bias = promote_dtype(x, bias, dtype=dtype)
        y = function(x, parts.whole(kernel, dtype), tuple(self.strides), self.padding)
        return y if bias is None else y + bias


class ConvTranspose(Conv):
    """`conv_transpose` as a layer: as `Conv`, but the image axes grow by `strides`.

    Attributes:
      kernel_init: initializer of `transposed_kernel`, `[*kernel_size, features, in]`.
    """

    kernel_init: Callable = nn.initializers.lecun_normal(in_axis=-1, out_axis=-2)

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        shape = (*self.kernel_size, self.features, x.shape[-1])
        kernel = self.param("transposed_kernel", self.kernel_init, shape, jnp.float32)
        return self._apply(conv_transpose, x, kernel)
