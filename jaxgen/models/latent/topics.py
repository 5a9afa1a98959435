"""The topics of a topic model, and the network that reads documents."""

from collections.abc import Sequence
from typing import Any

import jax
from flax import linen as nn
from jax import numpy as jnp


class TopicTable(nn.Module):
    """Logits of words in each topic, `[topics, vocabulary]`.

    Attributes:
      topics: how many.
      vocabulary: words.
    """

    topics: int
    vocabulary: int

    @nn.compact
    def __call__(self) -> jax.Array:
        """The logits."""
        return self.param("logits", nn.initializers.normal(0.5), (self.topics, self.vocabulary))


class DocumentEncoder(nn.Module):
    """Mean and log-variance `[batch, topics]` of the logits of a document's topics, from its words' shares.

    Attributes:
      topics: how many.
      hidden: units of the layers between.
      dtype: of the computation; parameters stay float32.
    """

    topics: int
    hidden: Sequence[int] = (64, 64)
    dtype: Any = None

    @nn.compact
    def __call__(self, counts: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Counts `[batch, vocabulary]`; how long a document is, is told besides."""
        length = jnp.sum(counts, 1, keepdims=True)
        x = jnp.concatenate([counts / jnp.maximum(length, 1), jnp.log1p(length)], 1)
        for layer, units in enumerate(self.hidden):
            x = nn.softplus(nn.Dense(units, dtype=self.dtype, name=f"hidden_{layer}")(x))
        mean, log_variance = jnp.split(nn.Dense(2 * self.topics, dtype=self.dtype, name="posterior")(x), 2, -1)
        return mean, log_variance
