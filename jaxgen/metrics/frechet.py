"""Fréchet distance between Gaussians fitted to two sets of features; on Inception's features it is the FID.

Heusel et al., 2017, "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium", eq. 6:

    d² = ‖μ₁ - μ₂‖² + tr(Σ₁ + Σ₂ - 2 (Σ₁ Σ₂)^½)
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

Array = jax.Array


class Moments(NamedTuple):
    """Mean and scatter of the features seen so far; never a sum of squares, which cancels in float32.

    Attributes:
      count: how many examples, `[]`.
      mean: `[features]`.
      scatter: Σ (x - mean)(x - mean)ᵀ, `[features, features]`.
    """

    count: Array
    mean: Array
    scatter: Array


def init(features: int) -> Moments:
    """The moments of no examples."""
    return Moments(jnp.zeros(()), jnp.zeros(features), jnp.zeros((features, features)))


def update(moments: Moments, x: Array, weight: ArrayLike = 1.0) -> Moments:
    """The moments with a batch added.

    Chan et al., 1983, "Algorithms for Computing the Sample Variance", eq. 2.1. Under `jit` the batch may be spread over
    devices.

    Args:
      moments: of what came before.
      x: features `[batch, features]`.
      weight: 0 for rows that only fill up the batch, else 1; `[batch]` or one for all.
    """
    weight = jnp.broadcast_to(jnp.asarray(weight, moments.mean.dtype), x.shape[:1])
    count = jnp.sum(weight)
    mean = jnp.sum(weight[:, None] * x, axis=0) / jnp.maximum(count, 1)
    deviations = (x - mean) * weight[:, None]
    scatter = jnp.matmul(deviations.T, deviations, precision=jax.lax.Precision.HIGHEST)
    return merge(moments, Moments(count, mean, scatter))


def merge(a: Moments, b: Moments) -> Moments:
    """The moments of two sets together."""
    count = a.count + b.count
    share = b.count / jnp.maximum(count, 1)
    delta = b.mean - a.mean
    scatter = a.scatter + b.scatter + a.count * share * jnp.outer(delta, delta)
    return Moments(count, a.mean + share * delta, scatter)


def covariance(moments: Moments) -> Array:
    """The unbiased covariance `[features, features]` of at least two examples."""
    return moments.scatter / (moments.count - 1)


def frechet_distance(a: Moments, b: Moments) -> float:
    """d², of the squared unit of the features.

    In float64 on the host: the root of an eigenvalue that is zero but for float32's rounding is not small. The trace of
    (Σ₁ Σ₂)^½ is the sum of the roots of the eigenvalues of the symmetric Σ₁^½ Σ₂ Σ₁^½.
    """
    difference = np.asarray(a.mean, np.float64) - np.asarray(b.mean, np.float64)
    first, second = (np.asarray(m.scatter, np.float64) / (float(m.count) - 1) for m in (a, b))
    values, vectors = np.linalg.eigh(first)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    common = np.linalg.eigvalsh(root @ second @ root)
    cross = np.sum(np.sqrt(np.maximum(common, 0)))
    return float(difference @ difference + np.trace(first) + np.trace(second) - 2 * cross)
