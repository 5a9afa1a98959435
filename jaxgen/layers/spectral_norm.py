"""Layers whose weights are divided by their largest singular value, as power iteration estimates it.

A weight is a matrix W `[outputs, inputs]`, a convolution's with its window among the inputs. An iteration takes
v = Wᵀu / |Wᵀu| and u = W·v / |W·v|; the layer computes with W / sigma, sigma = uᵀ·W·v. Gradients flow through W and not
through u and v, so that sigma's is the true one, u·vᵀ, once u has converged. A weight of zeros is used as it is, and
leaves u alone.

The collection `spectral` holds u and the sigma it last gave, both float32. A use iterates once where the collection is
mutable, which is for the loss to say: in the phase that moves the weights, not in evaluation or in another's phase.

Miyato et al. 2018, "Spectral Normalization for Generative Adversarial Networks", algorithm 1.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax.linen.dtypes import canonicalize_dtype, promote_dtype
from jax import lax

from jaxgen import parts
from jaxgen.layers.conv import Conv, ConvTranspose
from jaxgen.layers.matrix import at_every_pixel

_HIGHEST = lax.Precision.HIGHEST  # an accelerator's default rounds what float32 is kept for


def normalized(module: nn.Module, weight: jax.Array, output_axis: int = -1) -> jax.Array:
    """W / sigma, for a module's compact `__call__`, which keeps u `[outputs]` and sigma `[]` in its `spectral`.

    Args:
      module: where the variables belong; one weight each.
      weight: float32, of any rank.
      output_axis: W's rows; all other axes are its columns.

    Returns:
      Of the weight's shape; in parts, where devices share work on weights, for `parts.whole`.
    """
    weight = parts.split(weight)
    outputs = output_axis % weight.ndim
    inputs = [axis for axis in range(weight.ndim) if axis != outputs]  # never merged: a part along one would be none
    draw = functools.partial(nn.initializers.normal(), shape=(weight.shape[outputs],), dtype=weight.dtype)
    u = module.variable("spectral", "u", lambda: _unit(draw(module.make_rng("params")), 0.0))
    sigma = module.variable("spectral", "sigma", lambda: jnp.ones((), weight.dtype))
    left = lax.stop_gradient(u.value)
    right = _unit(jnp.tensordot(lax.stop_gradient(weight), left, ([outputs], [0]), precision=_HIGHEST), 0.0)
    image = jnp.tensordot(right, weight, (list(range(len(inputs))), inputs), precision=_HIGHEST)  # W·v
    iterates = module.is_mutable_collection("spectral") and not module.is_initializing()
    if iterates:
        left = _unit(lax.stop_gradient(image), left)
    norm = jnp.vdot(left, image)
    if iterates:
        u.value, sigma.value = left, lax.stop_gradient(norm)
    return weight / jnp.where(norm > 0, norm, 1.0)


def _unit(x: jax.Array, otherwise: jax.Array | float) -> jax.Array:
    """x / |x|, or `otherwise` where x is zero."""
    length = jnp.linalg.norm(x.ravel())
    return jnp.where(length > 0, x / jnp.where(length > 0, length, 1.0), otherwise)


class SpectralConv(Conv):
    """`Conv` with a spectrally normalized kernel; see there for its attributes."""

    def _apply(self, function: Callable, x: jax.Array, kernel: jax.Array) -> jax.Array:
        return super()._apply(function, x, normalized(self, kernel))


class SpectralConvTranspose(ConvTranspose):
    """`ConvTranspose` with a spectrally normalized kernel; see there for its attributes."""

    def _apply(self, function: Callable, x: jax.Array, kernel: jax.Array) -> jax.Array:
        return super()._apply(function, x, normalized(self, kernel, -2))


class SpectralDense(nn.Module):
    """A dense layer with a spectrally normalized kernel: `[..., in]` to `[..., features]`.

    Attributes:
      features: outputs.
      use_bias: whether to add one.
      kernel_init: initializer of `kernel`, `[in, features]`.
      dtype: of the computation; parameters stay float32.
    """

    features: int
    use_bias: bool = True
    kernel_init: Callable = nn.initializers.lecun_normal()
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        kernel = self.param("kernel", self.kernel_init, (x.shape[-1], self.features), jnp.float32)
        bias = self.param("bias", nn.initializers.zeros, (self.features,), jnp.float32) if self.use_bias else None
        dtype = canonicalize_dtype(x, kernel, bias, dtype=self.dtype)
        x, bias = promote_dtype(x, bias, dtype=dtype)
        y = at_every_pixel(x, parts.whole(normalized(self, kernel), dtype))
        return y if bias is None else y + bias


class SpectralEmbed(nn.Module):
    """Rows of a spectrally normalized table: int labels `[...]` to `[..., features]`.

    Attributes:
      classes: rows of the table.
      features: of a row.
      embedding_init: initializer of `embedding`, `[classes, features]`.
      dtype: of the rows; the table stays float32.
    """

    classes: int
    features: int
    embedding_init: Callable = nn.initializers.lecun_normal()
    dtype: Any = None

    @nn.compact
    def __call__(self, labels: jax.Array) -> jax.Array:
        table = self.param("embedding", self.embedding_init, (self.classes, self.features), jnp.float32)
        return parts.whole(normalized(self, table), self.dtype or table.dtype)[labels]
