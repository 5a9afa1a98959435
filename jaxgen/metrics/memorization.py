"""Whether a model draws its training examples again."""

import jax
import jax.numpy as jnp
from jax.scipy.stats import rankdata

from jaxgen.metrics.distances import by_blocks, nearest, squared_distances
from jaxgen.metrics.wide import in_float64

Array = jax.Array


@in_float64
def nearest_neighbors(x: Array, training: Array) -> tuple[Array, Array]:
    """The nearest training example of each row.

    Args:
      x: features `[rows, features]`.
      training: features `[examples, features]`.

    Returns:
      Its distance, exactly 0 for a copy, and its number, `[rows]` each; of examples equally near, one of them.
    """

    def block(rows: Array) -> tuple[Array, Array]:
        _, number = nearest(squared_distances(rows, training))
        return jnp.linalg.norm(rows - jnp.take(training, number, axis=0), axis=1), number

    return by_blocks(block, x)


def data_copying(samples: Array, held_out: Array) -> Array:
    """P(a sample is farther from the training set than a held-out example is), ties half: the Mann-Whitney U statistic.

    ½ is what new examples of the same kind give, 0 copies of the training set, 1 samples far from all data. Meehan et
    al., 2020, "A Non-Parametric Test to Detect Data-Copying in Generative Models", section 3.1, as a probability.

    Args:
      samples: `nearest_neighbors`' distances of the model's samples, `[m]`.
      held_out: those of held-out examples, `[n]`.
    """
    m, n = samples.shape[0], held_out.shape[0]
    ranks = rankdata(jnp.concatenate([samples, held_out]))[:m]
    # The mean rank, less that of m samples among themselves, before the large numbers meet.
    return (jnp.mean(ranks) - (m + 1) / 2) / n
