"""Mixtures by the sum over their components, to be raised by gradients or by expectation-maximization. In nats.

A mixture is its components' log-joint `log pi_k + log p_k(x)`, `[batch, components]`, whatever the components are:
log p(x) is its logsumexp, the responsibilities its softmax, and the gradient of the one contains the other.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxgen.losses.arrays import at_least_float32, only


class GaussianMixture(NamedTuple):
    """Components with diagonal covariances.

    Attributes:
      logits: of the weights, `[components]`.
      means: `[components, size]`.
      log_variances: `[components, size]`.
    """

    logits: jax.Array
    means: jax.Array
    log_variances: jax.Array


class CategoricalMixture(NamedTuple):
    """Components under which the elements of x are independent categoricals.

    Attributes:
      logits: of the weights, `[components]`.
      level_logits: `[components, size, levels]`.
    """

    logits: jax.Array
    level_logits: jax.Array


def gaussian_log_joint(x: ArrayLike, mixture: GaussianMixture) -> jax.Array:
    """`log pi_k + log N(x; mean_k, variance_k)`, `[batch, components]`, for x `[batch, size]`."""
    x, logits, means, log_variances = at_least_float32(x, *mixture)
    squared = jnp.square(x[:, None] - means) * jnp.exp(-log_variances)
    log_p = -0.5 * jnp.sum(squared + log_variances + math.log(2 * math.pi), -1)
    return jax.nn.log_softmax(logits) + log_p


def categorical_log_joint(x: ArrayLike, mixture: CategoricalMixture) -> jax.Array:
    """`log pi_k + log p_k(x)`, `[batch, components]`, for integers x `[batch, size]` from 0 to `levels - 1`."""
    one_hot = jax.nn.one_hot(x, mixture.level_logits.shape[-1])
    log_p = jnp.einsum("bsl,ksl->bk", one_hot, jax.nn.log_softmax(mixture.level_logits))
    return jax.nn.log_softmax(mixture.logits) + log_p


def log_prob(log_joint: ArrayLike) -> jax.Array:
    """log p(x), `[batch]`, of the components' log-joint."""
    return jax.nn.logsumexp(jnp.asarray(log_joint), -1)


def responsibilities(log_joint: ArrayLike) -> jax.Array:
    """p(k | x), `[batch, components]`: the E-step."""
    return jax.nn.softmax(jnp.asarray(log_joint), -1)


def gaussian_m_step(
    x: ArrayLike, shares: ArrayLike, *, least_variance: float = 1e-6, where: ArrayLike | None = None
) -> GaussianMixture:
    """The most likely mixture for x `[batch, size]` whose components are shared as `shares` `[batch, components]` say.

    `where` `[batch]` tells which examples there are; None for all. Variances do not fall below `least_variance`, since
    the likelihood of one component on one example has no maximum.
    """
    x, shares = (only(where, array) for array in at_least_float32(x, shares))
    total = jnp.sum(shares, 0)
    means = shares.T @ x / total[:, None]
    variances = jnp.einsum("bk,bks->ks", shares, jnp.square(x[:, None] - means)) / total[:, None]
    return GaussianMixture(jnp.log(total), means, jnp.log(jnp.maximum(variances, least_variance)))


def categorical_m_step(
    x: ArrayLike, shares: ArrayLike, *, levels: int, pseudo_count: float = 0.0, where: ArrayLike | None = None
) -> CategoricalMixture:
    """As `gaussian_m_step`, for integers x; `pseudo_count` more of each level are as good as seen, in each component.

    With a pseudo-count above 0 it is the mode under a Dirichlet prior, which EM raises in the likelihood's place.
    """
    shares = only(where, *at_least_float32(shares))
    counts = jnp.einsum("bk,bsl->ksl", shares, jax.nn.one_hot(x, levels)) + pseudo_count
    return CategoricalMixture(jnp.log(jnp.sum(shares, 0)), jnp.log(counts))
