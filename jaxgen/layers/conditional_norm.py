"""Batch normalization with a scale and a shift that depend on a condition.

Dumoulin et al. 2017, "A Learned Representation For Artistic Style", section 2.2; of batches and for labels, Miyato &
Koyama 2018, "cGANs with Projection Discriminator".
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
from flax import linen as nn

zero_dense = functools.partial(nn.Dense, use_bias=False, kernel_init=nn.initializers.zeros)


class ConditionalBatchNorm(nn.Module):
    """y·(1 + W·c) + V·c with y = x normalized by mean and variance over batch and pixels; without c, an ordinary one.

    In training the running averages, in the collection `batch_stats`, which must be mutable, move a tenth of the way.
    A one-hot c gives every label a scale and a shift of its own.

    Attributes:
      dense: makes the linear maps of `(features, *, dtype, name)`; they have no bias.
      dtype: of the computation; parameters and statistics stay float32.
    """

    dense: Callable[..., nn.Module] = zero_dense
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array, condition: jax.Array | None, train: bool) -> jax.Array:
        """x `[batch, ..., channels]` and the condition `[batch, n]` or None; `train` normalizes by the batch."""
        learned = condition is None
        norm = nn.BatchNorm(
            use_running_average=not train, momentum=0.9, epsilon=1e-5, use_scale=learned, use_bias=learned,
            dtype=self.dtype, name="norm",
        )  # fmt: skip
        y = norm(x)
        if learned:
            return y
        one_each = (x.shape[0], *[1] * (x.ndim - 2), x.shape[-1])
        scale, shift = (
            self.dense(x.shape[-1], dtype=self.dtype, name=name)(condition).reshape(one_each)
            for name in ("scale", "shift")
        )
        return y * (1 + scale) + shift
