"""Which modes of the data a model draws: of a mixture of Gaussians on the plane, or the classes a classifier sees.

The ring and the grid of Gaussians and Stacked-MNIST's 1,000 modes are those of Metz et al., 2017, "Unrolled Generative
Adversarial Networks", and Srivastava et al., 2017, "VEEGAN", section 4.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxgen.metrics.distances import nearest, squared_distances
from jaxgen.metrics.wide import in_float64

Array = jax.Array


def mode_coverage(modes: Array, data: Array, counts: ArrayLike = True) -> Mapping[str, Array]:
    """How the samples spread over the modes.

    Args:
      modes: the mode of each sample, int `[samples]`.
      data: probability of each mode in the data, `[modes]`.
      counts: whether a sample is good enough to have found its mode, `[samples]` or one for all.

    Returns:
      "modes", how many have a sample that counts; "kl", KL(samples ‖ data) of all samples' modes, nats, infinite where
      the data has none of one. Of n samples drawn from the data itself it is about (modes - 1) / 2n. Both `[]`.
    """
    drawn = jnp.bincount(modes, length=data.shape[0]) / modes.shape[0]
    found = jnp.zeros(data.shape, bool).at[modes].max(jnp.broadcast_to(counts, modes.shape))
    return {"modes": jnp.sum(found), "kl": jnp.sum(jax.scipy.special.rel_entr(drawn, data))}


@in_float64
def gaussian_modes(
    samples: Array, centres: Array, std: ArrayLike, weights: ArrayLike | None = None
) -> Mapping[str, Array]:
    """Coverage of a mixture of isotropic Gaussians by samples `[samples, dimensions]`, each counted to its nearest.

    Args:
      samples: of the model.
      centres: `[modes, dimensions]`.
      std: standard deviation of every component.
      weights: of the components, `[modes]`; None is equal ones.

    Returns:
      "high_quality", share of samples within three standard deviations of a centre (exp(-9/2) of the data's own are
      farther, on the plane); "modes", how many have such a sample; "kl" as of `mode_coverage`. All `[]`.
    """
    squares, modes = nearest(squared_distances(samples, centres))
    good = squares <= (3 * jnp.asarray(std)) ** 2
    data = jnp.full(centres.shape[0], 1 / centres.shape[0]) if weights is None else jnp.asarray(weights)
    return {"high_quality": jnp.mean(good), **mode_coverage(modes, data, good)}
