"""Log-probabilities, Kullback-Leibler divergence and the evidence lower bound, in nats, one number per example.

Event axes, all but the first, are summed. The loss to minimise is `-elbo`; a phase takes its mean.
"""

import math

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxgen.errors import UserError
from jaxgen.losses import discretized
from jaxgen.losses.arrays import at_least_float32, only, sum_event_axes, times
from jaxgen.losses.discretized import MIN_LOG_SCALE
from jaxgen.losses.softplus import softplus


def gaussian_kl(mean: ArrayLike, log_variance: ArrayLike) -> jax.Array:
    """`KL(N(mean, diag(exp(log_variance))) || N(0, I))` in nats: Kingma and Welling 2014, appendix B.

    Args:
      mean: `[batch, ...]`.
      log_variance: broadcast against `mean`. Above 88 the divergence itself exceeds float32 and is infinite.

    Returns:
      `[batch]`, not negative.

    Raises:
      UserError: `log_variance` broadcasts `mean` to another shape.
    """
    mean, log_variance = at_least_float32(mean, log_variance)
    # expm1(v) - v, not exp(v) - 1 - v: the difference is second order in v, where an encoder starts.
    excess = jnp.expm1(log_variance) - jnp.minimum(log_variance, 1e4)  # infinite less infinite is none
    return _sum_like("mean", mean, 0.5 * (jnp.square(mean) + excess))


def transformed_gaussian_kl(
    z_0: ArrayLike, mean: ArrayLike, log_variance: ArrayLike, z: ArrayLike, log_det: ArrayLike
) -> jax.Array:
    """`log q(z) - log N(z; 0, I)`, one draw's estimate of `KL(q || N(0, I))`, where z = f(z_0) and z_0 is Gaussian.

    `log q(z) = log N(z_0; mean, exp(log_variance)) - log |det dz/dz_0|`: Rezende and Mohamed 2015, eq. 13.

    Args:
      z_0: drawn from the Gaussian, `[batch, ...]`.
      mean: broadcast against `z_0`.
      log_variance: broadcast against `z_0`.
      z: the draws through f, `[batch, ...]`.
      log_det: of f at `z_0`, `[batch]`.

    Returns:
      `[batch]`; a single draw may be negative, the expectation is not.
    """
    (log_det,) = at_least_float32(log_det)
    return gaussian_log_prob(z_0, mean, log_variance) - log_det - gaussian_log_prob(z, 0.0, 0.0)


def elbo(log_likelihood: ArrayLike, kl: ArrayLike) -> jax.Array:
    """The evidence lower bound `E_q[log p(x|z)] - KL(q(z|x) || p(z))` in nats: Kingma and Welling 2014, eq. 3.

    Args:
      log_likelihood: `log p(x|z)` at one z drawn from q (or its mean over several), `[batch]`.
      kl: divergence of q(z|x) from the prior, `[batch]`.

    Returns:
      `[batch]`, at most `log p(x)` in expectation over z.
    """
    log_likelihood, kl = at_least_float32(log_likelihood, kl)
    return log_likelihood - kl


def iwae(log_weights: ArrayLike, axis: int = 0, *, where: ArrayLike | None = None) -> jax.Array:
    """The importance-weighted bound `log mean_k w_k`, `w_k = p(x, z_k) / q(z_k|x)`, in nats: Burda et al. 2016, eq. 8.

    One draw's is the evidence lower bound of that draw; in expectation it never falls as draws are added, and its limit
    is log p(x). Its gradient by `log_weights` is the normalized weights.

    Args:
      log_weights: `log p(x, z_k) - log q(z_k | x)`, `[..., k, ...]`, k along `axis`.
      axis: of the draws.
      where: which draws there are, broadcast against `log_weights`, at least one an example; None for all.

    Returns:
      The shape of `log_weights` without `axis`.
    """
    (log_weights,) = at_least_float32(log_weights)
    if where is None:
        return jax.nn.logsumexp(log_weights, axis) - math.log(log_weights.shape[axis])
    where = jnp.broadcast_to(where, log_weights.shape)
    draws = jnp.sum(where, axis, dtype=log_weights.dtype)
    return jax.nn.logsumexp(jnp.where(where, log_weights, -jnp.inf), axis) - jnp.log(draws)


def free_bits(kl: ArrayLike, *, minimum: ArrayLike, where: ArrayLike | None = None) -> jax.Array:
    """Divergences of which `minimum` nats a group are free: Kingma et al. 2016, eq. 15.

    Its mean over the batch is `sum_g max(minimum, mean_batch KL_g)`: the mean decides, so that examples may differ, and
    a group below the minimum has no gradient at all.

    Args:
      kl: one divergence a group of latents, `[batch, groups]`.
      minimum: lambda, nats a group, not negative.
      where: which examples there are, `[batch]`; None for all.

    Returns:
      `[batch]`, 0 for those that are not there.

    Raises:
      UserError: `kl` has no axis of groups.
    """
    (kl,) = at_least_float32(kl)
    if kl.ndim != 2:
        raise UserError(f"kl has shape {kl.shape}: free bits are given to groups, so it must be [batch, groups]")
    kl = only(where, kl)
    mean = jnp.mean(kl, 0, where=None if where is None else jnp.asarray(where, bool)[:, None])
    return only(where, jnp.sum(jnp.where(mean > minimum, kl, minimum), axis=1))


def bernoulli_log_prob(x: ArrayLike, logits: ArrayLike) -> jax.Array:
    """`x log s(l) + (1 - x) log(1 - s(l))` with the sigmoid s, summed over the event, in nats.

    Args:
      x: `[batch, ...]`, 0 or 1 (values between give the negative cross-entropy, which is no log-probability).
      logits: l, broadcast against `x`.

    Returns:
      `[batch]`.

    Raises:
      UserError: `logits` broadcast `x` to another shape.
    """
    x, logits = at_least_float32(x, logits)
    return _sum_like("x", x, _bernoulli(x, logits))


@jax.custom_jvp
def _bernoulli(x: jax.Array, logits: jax.Array) -> jax.Array:
    # x log s(l) + (1 - x) log s(-l), each split in a large part, of which x leaves nothing or all, and a small one that
    # both have: exact in the tails, and at infinity.
    large = times(x, jnp.maximum(-logits, 0.0)) + times(1 - x, jnp.maximum(logits, 0.0))
    return -large - softplus(-jnp.abs(logits))


@_bernoulli.defjvp
def _(primals: tuple[jax.Array, jax.Array], tangents: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
    # The whole is smooth, its terms are not: at 0, where a decoder may start, their derivatives are a convention.
    (x, logits), (of_x, of_logits) = primals, tangents
    by_x = jnp.where(jnp.isinf(logits), 0.0, logits)  # data, mostly, and of no interest there
    return _bernoulli(x, logits), by_x * of_x + (x - jax.nn.sigmoid(logits)) * of_logits


def gaussian_log_prob(x: ArrayLike, mean: ArrayLike, log_variance: ArrayLike) -> jax.Array:
    """Log-density of independent normals, summed over the event, in nats.

    Args:
      x: `[batch, ...]`.
      mean: broadcast against `x`.
      log_variance: broadcast against `x`; below -80 it counts as -80.

    Returns:
      `[batch]`.

    Raises:
      UserError: the parameters broadcast `x` to another shape.
    """
    x, mean, log_variance = at_least_float32(x, mean, log_variance)
    log_scale = jnp.maximum(0.5 * log_variance, MIN_LOG_SCALE)
    standardized = (x - mean) * jnp.exp(-log_scale)
    return _sum_like("x", x, -0.5 * (jnp.square(standardized) + math.log(2.0 * math.pi)) - log_scale)


def discretized_logistic_log_prob(
    x: ArrayLike, mean: ArrayLike, log_scale: ArrayLike, *, levels: int = 256
) -> jax.Array:
    """Log-probability of quantized values under a logistic integrated over bins: Salimans et al. 2017, eq. 2.

    With `h = 1 / (levels - 1)`, half a bin, and `s = exp(log_scale)`: `log[F(x + h) - F(x - h)]`, `F(t) =
    sigmoid((t - mean) / s)`; the first bin reaches to minus and the last to plus infinity, so the levels sum to one.

    Args:
      x: `[batch, ...]` in [-1, 1], on the values `2 k / (levels - 1) - 1`, k from 0 to `levels - 1`.
      mean: broadcast against `x`.
      log_scale: broadcast against `x`; below -40 it counts as -40.
      levels: number of values a pixel can take, 2 or more.

    Returns:
      `[batch]`, in nats, at most 0; finite however far x lies in the tails.

    Raises:
      UserError: fewer than 2 levels, or the parameters broadcast `x` to another shape.
    """
    x, mean, log_scale = at_least_float32(x, mean, log_scale)
    return _sum_like("x", x, discretized.logistic_log_prob(x, mean, log_scale, levels=levels))


def _sum_like(name: str, event: jax.Array, values: jax.Array) -> jax.Array:
    """Sums the event axes of `values`, which must have the shape of `event`: a surprise broadcast would change them."""
    if values.shape != event.shape:
        raise UserError(
            f"{name} has shape {event.shape} but the other arguments broadcast it to {values.shape}: "
            f"give them {name}'s shape, or use jax.vmap for several samples"
        )
    return sum_event_axes(values)
