"""Layers whose weights all learn at one rate: unit normal parameters, scaled by He's rule whenever they run.

Karras et al. 2018, "Progressive Growing of GANs", section 4.1. An optimizer that divides by the gradient's size, as
Adam does, moves every parameter by its rate, so a weight moves by its rate times its own scale; an initializer of the
same scale would give the same network and not the same moves.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax.linen.dtypes import promote_dtype

from jaxgen.layers.conv import Conv, conv


class EqualizedConv(Conv):
    """`Conv` with the kernel `gain / sqrt(fan_in)` times its parameter, which begins as N(0, 1).

    Attributes:
      gain: sqrt(2) in front of a rectifier; 1 where what follows is linear.
    """

    kernel_init: Callable = nn.initializers.normal(1.0)
    gain: float = math.sqrt(2)

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        shape = (*self.kernel_size, x.shape[-1], self.features)
        kernel = self.param("kernel", self.kernel_init, shape, jnp.float32)
        return self._apply(conv, x, kernel * (self.gain / math.sqrt(math.prod(shape[:3]))))


class EqualizedDense(nn.Module):
    """`[..., in]` to `[..., features]` by a matrix `gain * multiplier / sqrt(in)` times its parameter.

    Attributes:
      features: outputs.
      gain: sqrt(2) in front of a rectifier; 1 where what follows is linear.
      multiplier: of the learning rate, of weights and biases: the mapping network of Karras et al. 2019 has 0.01.
      bias: what the biases begin as.
      dtype: of the computation; parameters stay float32.
    """

    features: int
    gain: float = math.sqrt(2)
    multiplier: float = 1.0
    bias: float = 0.0
    dtype: jax.typing.DTypeLike | None = None

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        shape = (x.shape[-1], self.features)
        kernel = self.param("kernel", nn.initializers.normal(1 / self.multiplier), shape, jnp.float32)
        bias = self.param("bias", nn.initializers.constant(self.bias / self.multiplier), (self.features,), jnp.float32)
        kernel = kernel * (self.gain * self.multiplier / math.sqrt(x.shape[-1]))
        x, kernel, bias = promote_dtype(x, kernel, bias * self.multiplier, dtype=self.dtype)
        return x @ kernel + bias


def pixel_norm(x: jax.Array) -> jax.Array:
    """`a / sqrt(mean a^2 + 1e-8)` over channels, the last axis: a mean square of one. Karras et al. 2018, sec. 4.2."""
    wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    return (wide * jax.lax.rsqrt(jnp.mean(jnp.square(wide), -1, keepdims=True) + 1e-8)).astype(x.dtype)
