"""Networks that condition a coupling: `(x, features) -> [..., features]`, zero at initialization."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype
from jax.typing import DTypeLike

from jaxgen.bijectors.actnorm import channel_moments
from jaxgen.bijectors.bijector import check_axes
from jaxgen.layers.matrix import at_every_pixel


def convolve(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Zero-padded convolution of odd size, stride 1, as one matrix product.

    Whichever side has fewer channels is moved over the kernel's window: the input before the product (gather the
    neighbours, multiply) or the output after it (multiply, add up the neighbours). Made of matrix products, it may
    stand in a compiled loop on every backend, where XLA:CPU runs the gradient of a direct convolution slowly.

    Args:
      x: `[batch, height, width, channels]`.
      kernel: `[size, size, channels, features]`.

    Returns:
      `[batch, height, width, features]`.
    """
    size, _, channels, features = kernel.shape
    if size == 1:
        return at_every_pixel(x, kernel[0, 0])
    moves = [(size // 2 - i, size // 2 - j) for i in range(size) for j in range(size)]
    if channels <= features:
        neighbours = jnp.concatenate([_move(x, *move) for move in moves], axis=-1)
        return at_every_pixel(neighbours, kernel.reshape(-1, features))
    products = at_every_pixel(x, kernel.transpose(2, 0, 1, 3).reshape(channels, -1))
    parts = jnp.split(products, len(moves), axis=-1)
    return sum((_move(part, *move) for part, move in zip(parts, moves, strict=True)), jnp.zeros((), x.dtype))


def _move(x: jax.Array, down: int, right: int) -> jax.Array:
    """Images moved by whole pixels, zeros coming in at the edge."""
    return jax.lax.pad(x, jnp.zeros((), x.dtype), ((0, 0, 0), (down, -down, 0), (right, -right, 0), (0, 0, 0)))


class NormalizedConv(nn.Module):
    """Convolution followed by actnorm: y = (k*x - b)·exp(-l) with zero mean and unit variance on the first batch.

    The scale is applied to the kernel, smaller than the activations. Kingma & Dhariwal 2018, appendix B.

    Attributes:
      features: output channels.
      size: side of the kernel, odd.
      dtype: type of the computation; parameters are float32.
    """

    features: int
    size: int
    dtype: DTypeLike | None = None

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        check_axes(self, x, "batch, height, width, channels")
        shape = (self.size, self.size, x.shape[-1], self.features)
        kernel = self.param("kernel", nn.initializers.normal(0.05), shape)
        start = channel_moments(convolve(x, kernel)) if self.is_initializing() else jnp.zeros((2, self.features))
        shift = self.param("shift", lambda _: start[0])
        scale = jnp.exp(-self.param("log_scale", lambda _: start[1]))
        x, kernel, bias = promote_dtype(x, kernel * scale, -shift * scale, dtype=self.dtype)
        return convolve(x, kernel) + bias


class ZeroConv(nn.Module):
    """3x3 convolution that starts at zero: the simplest conditioner, and the last layer of `ConvConditioner`.

    Attributes:
      dtype: type of the computation; parameters are float32.
    """

    dtype: DTypeLike | None = None

    @nn.compact
    def __call__(self, x: jax.Array, features: int) -> jax.Array:
        check_axes(self, x, "batch, height, width, channels")
        kernel = self.param("kernel", nn.initializers.zeros, (3, 3, x.shape[-1], features))
        bias = self.param("bias", nn.initializers.zeros, (features,))
        x, kernel, bias = promote_dtype(x, kernel, bias, dtype=self.dtype)
        return convolve(x, kernel) + bias


class ConvConditioner(nn.Module):
    """3x3 - ReLU - 1x1 - ReLU - 3x3 with a zero last layer, on `[batch, height, width, channels]`.

    Kingma & Dhariwal 2018, section 3.3 and appendix B.

    Attributes:
      width: channels of the two hidden layers.
      dtype: type of the computation; parameters are float32.
      dropout: rate on the hidden layers, active when a `dropout` key is given.
    """

    width: int
    dtype: DTypeLike | None = None
    dropout: float = 0.0

    @nn.compact
    def __call__(self, x: jax.Array, features: int) -> jax.Array:
        for size in (3, 1):
            x = nn.relu(NormalizedConv(self.width, size, self.dtype)(x))
            x = nn.Dropout(self.dropout, deterministic=not self.has_rng("dropout"))(x)
        return ZeroConv(self.dtype)(x, features)


class DenseConditioner(nn.Module):
    """Dense layers with ReLU between and a zero last layer, on `[batch, ..., channels]`.

    Attributes:
      widths: units of the hidden layers.
      dtype: type of the computation; parameters are float32.
    """

    widths: tuple[int, ...]
    dtype: DTypeLike | None = None

    @nn.compact
    def __call__(self, x: jax.Array, features: int) -> jax.Array:
        for width in self.widths:
            x = nn.relu(nn.Dense(width, dtype=self.dtype)(x))
        return nn.Dense(features, dtype=self.dtype, kernel_init=nn.initializers.zeros)(x)
