"""How much of the samples is real, and how much of the real is sampled, by nearest neighbours in a feature space.

A set is taken to fill the balls around its points that reach to each one's k-th nearest neighbour. A ball has its
surface: a sample exactly as far from a point as that neighbour is in it, as in Kynkäänniemi et al.'s definition; the
`prdc` package of Naeem et al. leaves it out. On data with few levels, and of models that copy, such ties are many.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from jaxgen.metrics.distances import by_blocks, nearest, squared_distances, within
from jaxgen.metrics.wide import in_float64

Array = jax.Array


@in_float64
def squared_radii(x: Array, k: int) -> Array:
    """Squared distance of each of the points `[n, features]` to its k-th nearest other one, `[n]`; k is below n."""
    count = x.shape[0]

    def block(rows: Array, number: Array) -> Array:
        columns = jnp.arange(count)
        distances = jnp.where(number[:, None] == columns, jnp.inf, squared_distances(rows, x))
        for _ in range(k - 1):  # a minimum at a time: of 4,000 points, top_k takes XLA:CPU ten times as long
            _, column = nearest(distances)
            distances = jnp.where(column[:, None] == columns, jnp.inf, distances)
        return jnp.min(distances, axis=1)

    return by_blocks(block, x, jnp.arange(count))


@in_float64
def precision_recall(samples: Array, real: Array, *, k: int = 5) -> Mapping[str, Array]:
    """Four shares of features `[m, features]` of samples and `[n, features]` of real examples.

    Args:
      samples: of the model.
      real: of the data.
      k: which neighbour a ball reaches to, below m and n.

    Returns:
      "precision", share of samples in any real example's ball, and "recall", share of real examples in any sample's
      ball (Kynkäänniemi et al., 2019, "Improved Precision and Recall Metric for Assessing Generative Models", eq. 2,
      with k = 3); "density", how many real examples' balls a sample is in, over k (it may exceed 1), and "coverage",
      share of real examples with a sample in their ball (Naeem et al., 2020, "Reliable Fidelity and Diversity Metrics
      for Generative Models", eq. 3 and 4, with k = 5). All `[]`.
    """
    real_radii, sample_radii = squared_radii(real, k), squared_radii(samples, k)

    def of_samples(rows: Array) -> Array:
        return jnp.sum(within(rows, real, real_radii), axis=1)

    def of_real(rows: Array, radii: Array) -> tuple[Array, Array]:
        return jnp.any(within(rows, samples, sample_radii), axis=1), jnp.any(
            within(rows, samples, radii[:, None]), axis=1
        )

    balls = by_blocks(of_samples, samples)
    recalled, covered = by_blocks(of_real, real, real_radii)
    return {
        "precision": jnp.mean(balls > 0),
        "recall": jnp.mean(recalled),
        "density": jnp.mean(balls) / k,
        "coverage": jnp.mean(covered),
    }
