"""What a discriminator may know of the batch it judges: that the images in it are alike."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn


class MinibatchDiscrimination(nn.Module):
    """Appends to each example how near the others are: o_b(i) = Σ_j exp(-|M_b(i) - M_b(j)|_1), M = x·T.

    The sum includes i itself. Salimans et al. 2016, "Improved Techniques for Training GANs", section 3.2.

    Attributes:
      features: kinds of nearness, b.
      size: of the vectors M_b.
      dtype: of what is returned; distances are computed in float32.
    """

    features: int
    size: int
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """`[batch, n]` to `[batch, n + features]`."""
        shape = (x.shape[-1], self.features * self.size)
        kernel = self.param("kernel", nn.initializers.normal(0.05), shape, jnp.float32)
        rows = (x.astype(jnp.float32) @ kernel).reshape(-1, self.features, self.size)
        distances = jnp.sum(jnp.abs(rows[:, None] - rows), -1)
        nearness = jnp.sum(jnp.exp(-distances), 1)
        return jnp.concatenate([x, nearness], -1).astype(self.dtype or x.dtype)


def append_standard_deviation(x: jax.Array) -> jax.Array:
    """Appends a channel that holds one number: how much the batch varies.

    It is the standard deviation over the batch of every channel at every pixel, averaged over them.
    Karras et al. 2018, "Progressive Growing of GANs", section 3.

    Args:
      x: `[batch, ..., channels]`.

    Returns:
      `[batch, ..., channels + 1]`.
    """
    wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    # The gradient of a root is infinite at zero, where all images are the same.
    deviation = jnp.mean(jnp.sqrt(jnp.var(wide, axis=0) + 1e-8))
    return jnp.concatenate([x, jnp.full((*x.shape[:-1], 1), deviation, x.dtype)], -1)
