"""Convolutions whose weights a style scales, and noise inputs.

Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN", section 2.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax.linen.dtypes import promote_dtype

from jaxgen.layers import fir
from jaxgen.layers.conv import conv, conv_transpose
from jaxgen.layers.equalized import EqualizedDense


class ModulatedConv(nn.Module):
    """`y = conv(x, w'')` with `w'_ijk = s_i w_ijk` and `w'' = w' / sqrt(sum_ik w'^2 + 1e-8)`: their equations 1 and 3.

    The style s, an affine map of w that begins as ones, scales input channels; demodulation gives every output channel
    variance one where the inputs' are independent and one. Scaling the inputs before and the outputs after one shared
    convolution is the same as weights of each example's own, and needs no grouped convolution.

    Attributes:
      features: output channels.
      kernel_size: of either axis.
      demodulate: whether to divide; not at the image.
      up: whether to double the size: a transposed convolution, then the filter `fir.BINOMIAL`.
      dtype: of the computation; parameters, styles and norms stay float32.
    """

    features: int
    kernel_size: int = 3
    demodulate: bool = True
    up: bool = False
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array, w: jax.Array) -> jax.Array:
        """`[batch, height, width, in]` and styles' latents `[batch, n]` to `[batch, height', width', features]`."""
        channels = x.shape[-1]
        shape = (self.kernel_size, self.kernel_size, channels, self.features)
        kernel = self.param("kernel", nn.initializers.normal(1.0), shape, jnp.float32) / math.sqrt(math.prod(shape[:3]))
        style = EqualizedDense(channels, gain=1.0, bias=1.0, name="style")(w.astype(jnp.float32))
        scale = jnp.ones((x.shape[0], self.features))
        if self.demodulate:
            scale = jax.lax.rsqrt(jnp.square(style) @ jnp.sum(jnp.square(kernel), (0, 1)) + 1e-8)
        x, kernel, style, scale = promote_dtype(x, kernel, style, scale, dtype=self.dtype)
        x = x * style[:, None, None]
        if self.up:
            y = conv_transpose(x, kernel.swapaxes(2, 3), (2, 2), "VALID")
            y = fir.blur(y, gain=4.0, pad=(1, 1))
        else:
            y = conv(x, kernel)
        return y * scale[:, None, None]


class Noise(nn.Module):
    """`x + strength * noise`, one image of noise for all channels; the strength begins at zero.

    The noise is drawn from the stream "noise" where that is given, anew for every example. Elsewhere it is the picture
    drawn at initialization, in the collection "constants", the same for every example: Karras et al. 2019, appendix D.
    """

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """`[batch, height, width, channels]` to the same."""
        strength = self.param("strength", nn.initializers.zeros, (), jnp.float32)
        fixed = self.variable(
            "constants", "picture", lambda: jax.random.normal(self.make_rng("params"), (1, *x.shape[1:3], 1))
        )
        noise = fixed.value
        if self.has_rng("noise") and not self.is_initializing():
            noise = jax.random.normal(self.make_rng("noise"), (*x.shape[:3], 1))
        return x + (strength * noise).astype(x.dtype)
