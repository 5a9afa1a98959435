"""Levels of Gaussian latents, each drawn given those above, by the prior or where there is one by the posterior.

A network of such levels is written once, from the top down, with a function `sample(prior, posterior) -> z` that it
calls for each; what passed says the divergence of every level.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxgen.losses.arrays import at_least_float32
from jaxgen.losses.variational import gaussian_kl, gaussian_log_prob


class Gaussian(NamedTuple):
    """Independent normals: mean and log-variance, `[batch, ...]` each."""

    mean: jax.Array
    log_variance: jax.Array


def merged(prior: Gaussian, evidence: Gaussian) -> Gaussian:
    """The normalized product of the two, whose precisions add up: the ladder's posterior, Sonderby et al. 2016, eq. 10.

    It is the exact posterior where the evidence is what the data say of z, `p(x | z)`, up to a factor.
    """
    both = at_least_float32(*prior, *evidence)
    log_precision = jnp.logaddexp(-both[1], -both[3])
    mean = jnp.exp(-both[1] - log_precision) * both[0] + jnp.exp(-both[3] - log_precision) * both[2]
    return Gaussian(mean, -log_precision)


class Levels:
    """Draws each level from the noise given for it.

    Args:
      noise: standard normal, `[batch, ...]`, for each level in the order in which the network comes to them.

    Attributes:
      kl: of each level that has passed, `KL(q(z_l | z_above, x) || p(z_l | z_above))` at the z above, `[batch]`, nats.
      log_ratios: of each, `log q(z_l | z_above, x) - log p(z_l | z_above)` at z itself, of which `kl` is the mean.
    """

    def __init__(self, noise: Sequence[jax.Array]):
        self._noise = noise
        self.kl: list[jax.Array] = []
        self.log_ratios: list[jax.Array] = []

    def __call__(self, prior: Gaussian, posterior: Gaussian | None = None) -> jax.Array:
        # Small beside the networks' activations, which may be bfloat16, and of differences.
        prior, q = (Gaussian(*at_least_float32(*each)) for each in (prior, prior if posterior is None else posterior))
        z = q.mean + jnp.exp(q.log_variance / 2) * self._noise[len(self.kl)]
        # Shifting and scaling both does not change their divergence: it is that from a standard normal.
        shifted = (q.mean - prior.mean) * jnp.exp(-prior.log_variance / 2)
        self.kl.append(gaussian_kl(shifted, q.log_variance - prior.log_variance))
        self.log_ratios.append(gaussian_log_prob(z, *q) - gaussian_log_prob(z, *prior))
        return z
