"""What the nearest neighbour says: of an example's class, and of whether it is real."""

import jax
import jax.numpy as jnp

from jaxgen.metrics.distances import by_blocks, nearest, squared_distances
from jaxgen.metrics.memorization import nearest_neighbors
from jaxgen.metrics.wide import in_float64

Array = jax.Array


def neighbor_accuracy(x: Array, labels: Array, training: Array, training_labels: Array) -> Array:
    """Share of rows whose nearest training example is of their class, `[]`: what of classes features tell by distance.

    Args:
      x: features `[rows, features]`.
      labels: int `[rows]`.
      training: features `[examples, features]`.
      training_labels: int `[examples]`.
    """
    _, number = nearest_neighbors(x, training)
    return jnp.mean(jnp.take(jnp.asarray(training_labels), number) == labels)


@in_float64
def two_sample_accuracy(a: Array, b: Array) -> Array:
    """How often the nearest of all other points is of the same set, `[]`: ½ where both sets are of one distribution.

    Leave-one-out, a tie being half right. 1 tells the sets apart; towards 0 the points of one are copies of the
    other's. Lopez-Paz & Oquab, 2017, "Revisiting Classifier Two-Sample Tests"; Xu et al., 2018, "An empirical study on
    evaluation metrics of generative adversarial networks", section 2.

    Args:
      a: features `[rows, features]`, at least two.
      b: as many, `[rows, features]`.
    """
    return (jnp.mean(_among_its_own(a, b)) + jnp.mean(_among_its_own(b, a))) / 2


def _among_its_own(own: Array, other: Array) -> Array:
    """Of each point 1 where its nearest is of its own set, 0 where it is of the other, ½ where both are as near."""
    numbers = jnp.arange(own.shape[0])

    def distance(rows: Array, squares: Array, points: Array) -> Array:
        return jnp.linalg.norm(rows - jnp.take(points, nearest(squares)[1], axis=0), axis=1)  # exactly 0 for a copy

    def block(rows: Array, number: Array) -> Array:
        among = jnp.where(number[:, None] == numbers, jnp.inf, squared_distances(rows, own))
        near = distance(rows, among, own)
        return jnp.sign(distance(rows, squared_distances(rows, other), other) - near)

    return (1 + by_blocks(block, own, numbers)) / 2
