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


def append_standard_deviation(x: jax.Array, group: int | None = None) -> jax.Array:
    """Appends a channel that holds one number a group: how much the examples of the group vary.

    It is the standard deviation over the group of every channel at every pixel, averaged over them.
    Karras et al. 2018, "Progressive Growing of GANs", section 3; in groups Karras et al. 2020, section 4.

    Args:
      x: `[batch, ..., channels]`, examples of the whole batch, however many devices share it.
      group: examples in a group, neighbours; the last has what is left. None for one group of all.

    Returns:
      `[batch, ..., channels + 1]`.
    """
    batch = x.shape[0]
    size = min(group or batch, batch)
    groups = -(-batch // size)
    wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    wide = jnp.pad(wide, ((0, groups * size - batch), *((0, 0),) * (x.ndim - 1))).reshape(groups, size, *x.shape[1:])
    there = (jnp.arange(groups * size) < batch).reshape(groups, size, *[1] * (x.ndim - 1))
    variance = jnp.var(wide, axis=1, where=there)
    # The gradient of a root is infinite at zero, where all images are the same.
    deviation = jnp.mean(jnp.sqrt(variance + 1e-8), axis=range(1, x.ndim))
    each = jnp.repeat(deviation, size)[:batch].reshape(batch, *[1] * (x.ndim - 1))
    return jnp.concatenate([x, jnp.broadcast_to(each, (*x.shape[:-1], 1)).astype(x.dtype)], -1)
