"""Probabilistic principal components, x = W z + mean + noise, in closed form: what a linear VAE must reach, exactly.

Tipping and Bishop 1999, "Probabilistic Principal Component Analysis". Its posterior is Gaussian with covariance
`noise_variance (W^T W + noise_variance I)^-1`, so that a VAE with a linear decoder reaches the likelihood if its q can
be that, e.g. a diagonal one where the columns of W are orthogonal: Lucas et al. 2019.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxgen.errors import UserError
from jaxgen.losses.arrays import at_least_float32, only


class PPCA(NamedTuple):
    """z ~ N(0, I), x | z ~ N(W z + mean, noise_variance I).

    Attributes:
      mean: `[size]`.
      weights: W, `[size, latent]`.
      noise_variance: `[]`.
    """

    mean: jax.Array
    weights: jax.Array
    noise_variance: jax.Array


def fit(x: ArrayLike, *, latent_size: int, where: ArrayLike | None = None) -> PPCA:
    """The most likely model of `x` `[n, size]`, its W with orthogonal columns: equations 7 and 8.

    `where` `[n]` tells which examples there are; None for all.

    Raises:
      UserError: `latent_size` is not between 1 and the size less one.
    """
    (x,) = at_least_float32(x)
    if not 1 <= latent_size < x.shape[1]:
        raise UserError(
            f"latent_size is {latent_size}: for data of {x.shape[1]} dimensions choose 1 to {x.shape[1] - 1}"
        )
    count = len(x) if where is None else jnp.sum(where, dtype=x.dtype)
    mean = jnp.sum(only(where, x), 0) / count
    centred = only(where, x - mean)
    variances, directions = jnp.linalg.eigh(centred.T @ centred / count)  # ascending
    noise_variance = jnp.mean(variances[:-latent_size])
    weights = directions[:, -latent_size:] * jnp.sqrt(variances[-latent_size:] - noise_variance)
    return PPCA(mean, weights, noise_variance)


def log_prob(x: ArrayLike, model: PPCA) -> jax.Array:
    """log p(x) `[batch]`, in nats, for `x` `[batch, size]`."""
    (x,) = at_least_float32(x)
    covariance = model.weights @ model.weights.T + model.noise_variance * jnp.eye(x.shape[1])
    return jnp.asarray(jax.scipy.stats.multivariate_normal.logpdf(x, model.mean, covariance))


def posterior(x: ArrayLike, model: PPCA) -> tuple[jax.Array, jax.Array]:
    """Mean `[batch, latent]` and covariance `[latent, latent]`, the same for every x, of p(z|x)."""
    (x,) = at_least_float32(x)
    latent_size = model.weights.shape[1]
    inverse = jnp.linalg.inv(model.weights.T @ model.weights + model.noise_variance * jnp.eye(latent_size))
    return (x - model.mean) @ model.weights @ inverse, model.noise_variance * inverse
