"""The masked autoencoder: one network that computes every conditional of an autoregressive model in one pass."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax.linen.dtypes import promote_dtype
from jax.typing import DTypeLike

from jaxgen.layers.matrix import at_every_pixel


class MaskedDense(nn.Module):
    """Dense layer y = x·(W∘M) + b with a fixed pattern M of the weights that are there.

    Attributes:
      kernel_init: initializer of W.
      dtype: type of the computation; parameters are float32.
    """

    kernel_init: nn.initializers.Initializer = nn.initializers.lecun_normal()
    dtype: DTypeLike | None = None

    @nn.compact
    def __call__(self, x: jax.Array, mask: np.ndarray) -> jax.Array:
        """`[..., in]` through a mask `[in, out]` of true and false to `[..., out]`."""
        kernel = self.param("kernel", self.kernel_init, mask.shape)
        bias = self.param("bias", nn.initializers.zeros, mask.shape[1:])
        x, kernel, bias = promote_dtype(x, jnp.where(mask, kernel, 0.0), bias, dtype=self.dtype)
        return at_every_pixel(x, kernel) + bias


class MADE(nn.Module):
    """Masked autoencoder `(x [batch, size], features) -> [batch, features]`, zero at initialization.

    `features` is a multiple of size: so many numbers for each element, the first one of all elements, then the second.
    Those of element i depend on x_1 … x_(i-1) alone. Input i has degree i and hidden units have degrees below size,
    evenly; a weight is there where the degree does not fall, and into the output where it rises. With no hidden layer
    the conditionals are linear. Germain et al. 2015, equations 12 and 13.

    Attributes:
      widths: units of the hidden ReLU layers.
      dtype: type of the computation; parameters are float32.
    """

    widths: tuple[int, ...]
    dtype: DTypeLike | None = None

    @nn.compact
    def __call__(self, x: jax.Array, features: int, context: jax.Array | None = None) -> jax.Array:
        """All conditionals' numbers at once; `context` `[batch, ...]` has degree 0, so that every element sees it."""
        size = x.shape[-1]
        degrees, lowest = np.arange(size) + 1, 1
        if context is not None:
            x = jnp.concatenate([context, x], axis=-1)
            degrees, lowest = np.concatenate([np.zeros(context.shape[-1], int), degrees]), 0
        for units in self.widths:
            hidden = lowest + np.arange(units) * (size - lowest) // units
            x = nn.relu(MaskedDense(dtype=self.dtype)(x, degrees[:, None] <= hidden))
            degrees = hidden
        outputs = np.tile(np.arange(size) + 1, features // size)
        return MaskedDense(nn.initializers.zeros, self.dtype)(x, degrees[:, None] < outputs)
