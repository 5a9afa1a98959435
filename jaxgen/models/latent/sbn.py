"""Sigmoid belief networks of any depth and the networks that recognize what they have made: Hinton et al. 1995.

Both come to their layers of bits one after another and ask `sample(logits)` for each, as `losses.ancestral` says.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
from flax import linen as nn
from jax import numpy as jnp

Sample = Callable[[jax.Array], jax.Array]


class SigmoidBeliefNet(nn.Module):
    """p(x, z): the top layer's bits are independent, each other layer's given those above, and the pixels'.

    Attributes:
      hidden: units of each layer of latents, from the data up.
      event_shape: of one image.
      dtype: of the computation; parameters stay float32.
    """

    hidden: Sequence[int]
    event_shape: Sequence[int]
    dtype: Any = None

    @nn.compact
    def __call__(self, *, lead: Sequence[int], sample: Sample) -> jax.Array:
        """Latents `[*lead, units]` from the top, by `sample`; returns the pixels' logits `[*lead, *event_shape]`."""
        top = self.param("prior", nn.initializers.zeros, (self.hidden[-1],))
        z = sample(jnp.broadcast_to(top, (*lead, self.hidden[-1])))
        for layer in reversed(range(len(self.hidden) - 1)):
            z = sample(nn.Dense(self.hidden[layer], dtype=self.dtype, name=f"layer_{layer}")(z))
        logits = nn.Dense(math.prod(self.event_shape), dtype=self.dtype, name="pixels")(z)
        return logits.reshape(*lead, *self.event_shape)


class RecognitionNet(nn.Module):
    """q(z | x): layers of bits from the data up, independent within each given the one below.

    Attributes:
      hidden: units of each layer of latents, from the data up.
      dtype: of the computation; parameters stay float32.
    """

    hidden: Sequence[int]
    dtype: Any = None

    @nn.compact
    def __call__(self, x: jax.Array, *, sample: Sample) -> None:
        """Images `[batch, ...]`; latents from the data up, by `sample`, of logits `[batch, units]` or its own shape."""
        z = x.reshape(x.shape[0], -1)
        for layer, units in enumerate(self.hidden):
            z = sample(nn.Dense(units, dtype=self.dtype, name=f"layer_{layer}")(z))
