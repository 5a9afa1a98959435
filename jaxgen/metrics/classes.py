"""What a classifier says of samples that are to be of a class."""

import jax
import jax.numpy as jnp

from jaxgen.metrics.distances import by_blocks, squared_distances
from jaxgen.metrics.wide import in_float64

Array = jax.Array


def conditional_accuracy(judged: Array, labels: Array) -> Array:
    """Share of samples judged to be of the class they were drawn for, `[]`.

    Args:
      judged: the most probable classes by a classifier that the model has not seen, int `[samples]`.
      labels: the classes asked for, int `[samples]`.
    """
    return jnp.mean(judged == labels)


@in_float64
def intra_class_diversity(features: Array, labels: Array, *, classes: int) -> Array:
    """Mean distance between two different samples of a class, `[classes]`; NaN where it has fewer than two.

    Args:
      features: `[samples, features]`.
      labels: int `[samples]` in 0 ... classes-1.
      classes: how many.
    """
    numbers = jnp.arange(labels.shape[0])

    def block(rows: Array, label: Array, number: Array) -> Array:
        others = (label[:, None] == labels) & (number[:, None] != numbers)
        return jnp.sum(jnp.where(others, jnp.sqrt(squared_distances(rows, features)), 0), axis=1)

    sums = by_blocks(block, features, labels, numbers)
    members = jnp.bincount(labels, length=classes)
    return jnp.bincount(labels, sums, length=classes) / (members * (members - 1))
