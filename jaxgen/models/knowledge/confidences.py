"""How much each rule is trusted."""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import linen as nn


class Confidences(nn.Module):
    """Positive numbers, lambda = exp(parameter), one a rule.

    Attributes:
      initial: what they start from, above 0.
    """

    initial: Sequence[float]

    @nn.compact
    def __call__(self) -> jax.Array:
        """Lambda, `[rules]`."""
        return jnp.exp(self.param("log", lambda key: jnp.array([math.log(value) for value in self.initial])))
