"""Posterior regularization: knowledge f(x) moves a model p to q, and q teaches the model. In nats.

Hu et al. 2018, "Deep Generative Models with Learnable Knowledge Constraints", minimise over p and q

    L(p) + KL(q || p) - alpha E_q[f],

where L is the model's own loss on data. The E-step's q* is `posterior`; the M-step fits p to q* (`m_step`, or
`implicit_m_step` for a model whose density is unknown); a constraint with unknown parts is learned from data by
maximum-entropy inverse reinforcement learning (`irl`). Where x cannot be enumerated, samples from p stand for it.
Probabilities of zero are welcome as `log_p = -inf`, and what is forbidden as `f = -inf`; with `alpha = 0` it is not.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.lax import stop_gradient
from jax.nn import log_softmax
from jax.typing import ArrayLike

from jaxgen.errors import UserError
from jaxgen.losses.arrays import at_least_float32, logsumexp, only, times


def posterior(
    log_p: ArrayLike, f: ArrayLike, alpha: ArrayLike, *, axis: int = -1, where: ArrayLike | None = None
) -> jax.Array:
    """The E-step, `log q*(x) = log p(x) + alpha f(x) - log Z`: Hu et al. 2018, eq. 3.

    Args:
      log_p: log-probabilities over an enumerated support, `[..., states]`; a constant added to them changes nothing.
      f: the constraint on the same states, larger where it is better satisfied; broadcast against `log_p`.
      alpha: how much a unit of f is worth, in nats.
      axis: the axis of the states.
      where: which states there are, broadcast against them; None for all. The others have no probability.

    Returns:
      Log-probabilities of q*, the one minimiser of `objective`, `[..., states]`; where all that p allows is forbidden
      alike, f prefers nothing, and q* is p.
    """
    log_p, f = _among(where, log_p, f)
    tilted = _tilt(log_p, f, alpha)
    possible = jnp.any(tilted > -jnp.inf, axis=axis, keepdims=True)
    return log_softmax(jnp.where(possible, tilted, log_p), axis=axis)


class ImportanceWeights(NamedTuple):
    """Samples from p made to stand for q*.

    Attributes:
      weights: of each sample, adding up to one, `[samples, ...]`.
      effective_sample_size: how many samples from q* itself are worth as much, from 1 to `samples`, `[...]`.
    """

    weights: jax.Array
    effective_sample_size: jax.Array


def importance_weights(
    f: ArrayLike, alpha: ArrayLike, *, axis: int = 0, where: ArrayLike | None = None
) -> ImportanceWeights:
    """The E-step on samples x_i from p: `w_i = exp(alpha f(x_i)) / sum_j exp(alpha f(x_j))`: Hu et al. 2018, sec. 4.

    p is its own proposal, so its density is not needed. `sum_i w_i g(x_i)` tends to `E_q*[g]` as samples are added; its
    bias is of the order of one over the effective sample size `1 / sum_i w_i^2` (Kong 1992).

    Args:
      f: the constraint at the samples, `[samples, ...]`.
      alpha: how much a unit of f is worth, in nats.
      axis: the axis of the samples.
      where: which samples there are, broadcast against `f`; None for all. The others weigh 0.
    """
    weights = jnp.exp(posterior(jnp.zeros_like(f), f, alpha, axis=axis, where=where))
    return ImportanceWeights(weights, 1.0 / jnp.sum(jnp.square(weights), axis=axis))


def log_partition(
    log_p: ArrayLike, f: ArrayLike, alpha: ArrayLike, *, axis: int = -1, where: ArrayLike | None = None
) -> jax.Array:
    """`log Z = log E_p[exp(alpha f)]`, `[...]`; arguments as in `posterior`.

    With `log_p = 0` for samples from p, the logarithm of their mean: an estimate from below, in expectation. -inf, with
    no gradient, where all that p allows is forbidden.
    """
    log_p, f = jnp.broadcast_arrays(*_among(where, *at_least_float32(log_p, f)))
    return logsumexp(_tilt(log_p, f, alpha), axis=axis) - logsumexp(log_p, axis=axis)


def objective(
    log_q: ArrayLike,
    log_p: ArrayLike,
    f: ArrayLike,
    alpha: ArrayLike,
    *,
    axis: int = -1,
    where: ArrayLike | None = None,
) -> jax.Array:
    """`KL(q || p) - alpha E_q[f]`: Hu et al. 2018, eq. 2. Its minimum over q is `-log_partition`, at `posterior`.

    Args:
      log_q: log-probabilities over an enumerated support, `[..., states]`.
      log_p: the model's, of the same shape.
      f: the constraint on the same states, broadcast against them.
      alpha: how much a unit of f is worth, in nats.
      axis: the axis of the states.
      where: which states there are, broadcast against them; None for all.

    Returns:
      `[...]`.

    Raises:
      UserError: q and p have different shapes.
    """
    log_q, log_p, f, alpha = at_least_float32(log_q, log_p, f, alpha)
    _same_shape("log_q", log_q, "log_p", log_p)
    log_q, log_p, f = (*_among(where, log_q), *_among(where, log_p, f))
    q, empty = jnp.exp(log_q), jnp.isneginf(log_q)
    ratio = jnp.where(empty, 0.0, log_q) - jnp.where(empty, 0.0, log_p)  # 0 log 0 = 0, also in the gradient
    return jnp.sum(q * (ratio - times(alpha, jnp.where(empty, 0.0, f))), axis=axis)


def m_step(log_p: ArrayLike, q: ArrayLike, *, axis: int = -1, where: ArrayLike | None = None) -> jax.Array:
    """The M-step, `-E_q*[log p]`: Hu et al. 2018, eq. 4. No gradient passes through q.

    Args:
      log_p: the model's log-probabilities (or densities) of all states, or of samples, `[..., states]`.
      q: the probabilities of the states under q*, or the importance weights of the samples, of the same shape.
      axis: the axis of the states or samples.
      where: which of them there are, broadcast against them; None for all.

    Returns:
      `[...]`, at least the entropy of q on an enumerated support.

    Raises:
      UserError: log_p and q have different shapes.
    """
    log_p, q = at_least_float32(log_p, q)
    _same_shape("log_p", log_p, "q", q)
    if where is not None:
        log_p, q = (jnp.where(where, array, 0.0) for array in (log_p, q))
    return -jnp.sum(times(stop_gradient(q), log_p), axis=axis)


def implicit_m_step(f: ArrayLike, alpha: ArrayLike) -> jax.Array:
    """The M-step of a model that can be sampled but not evaluated: `-alpha f(x)`, `[batch]`, at samples x(theta).

    Its mean's gradient, through the samples, is that of the reverse divergence `KL(p_theta || q*)` where q* was made
    from this very p: the divergence's other term, `KL(p_theta || p)`, is at its minimum there (Hu et al. 2018, sec.
    4). A GAN adds it to what its generator hears from the discriminator. It is also the gradient of the constraint
    alone, `-alpha E_p[f]`; `score_function` estimates the same where samples are discrete or f has no gradient.

    Args:
      f: the constraint at samples that are differentiable functions of the model's parameters, `[batch]`.
      alpha: how much a unit of f is worth, in nats.
    """
    f, alpha = at_least_float32(f, alpha)
    return -times(alpha, f)


def score_function(f: ArrayLike, log_p: ArrayLike, alpha: ArrayLike, *, where: ArrayLike | None = None) -> jax.Array:
    """`-alpha f(x)` whose mean's gradient is the log-derivative estimate of `-alpha grad E_p[f]`: Williams 1992.

    The gradient is `-alpha (f_i - b_i) grad log p(x_i)`, unbiased: the baseline b_i is the mean of the other samples'
    f and does not depend on x_i. Nothing is differentiated through f or the samples.

    Args:
      f: the constraint at samples from the model, finite, `[batch]`, two or more.
      log_p: the model's log-probability of the samples, held fixed, `[batch]`.
      alpha: how much a unit of f is worth, in nats.
      where: which samples there are, `[batch]`, two or more; None for all.

    Returns:
      `[batch]`, 0 for those that are not there.

    Raises:
      UserError: f and log_p have different shapes, or there is a single sample and so no baseline.
    """
    f, log_p, alpha = at_least_float32(f, log_p, alpha)
    _same_shape("f", f, "log_p", log_p)
    if f.shape[0] < 2:
        raise UserError("f holds a single sample: the baseline is the mean of the others, so draw two or more")
    f, log_p = stop_gradient(only(where, f)), only(where, log_p)
    count = f.shape[0] if where is None else jnp.sum(where, dtype=f.dtype)
    others = (jnp.sum(f, axis=0) - f) / (count - 1)
    return only(where, -alpha * (f + (f - others) * (log_p - stop_gradient(log_p))))


def irl(
    f_data: ArrayLike,
    f_model: ArrayLike,
    alpha: ArrayLike,
    *,
    log_p: ArrayLike = 0.0,
    where: ArrayLike | None = None,
) -> jax.Array:
    """A constraint's loss by maximum-entropy inverse reinforcement learning: Hu et al. 2018, section 4.

    `-log q*(x) / p(x) = -alpha f(x) + log Z` at data x: q* is fitted to the data by maximum likelihood, so the mean's
    gradient is `-alpha (E_data[grad f] - E_q*[grad f])`. Merely maximising `E_q*[f]` over f would see no data.

    Args:
      f_data: the constraint at the data, `[batch]`.
      f_model: the constraint at samples from the model, or at all states of an enumerated support, `[states]`.
      alpha: how much a unit of f is worth, in nats.
      log_p: the states' log-probabilities under the model; 0 for samples from it.
      where: which samples or states there are, `[states]`; None for all.

    Returns:
      `[batch]`; its mean is below zero if q* explains the data better than p does.
    """
    f_data, f_model, alpha = at_least_float32(f_data, f_model, alpha)
    return -times(alpha, f_data) + log_partition(stop_gradient(log_p), f_model, alpha, axis=0, where=where)


def _among(where: ArrayLike | None, log_p: ArrayLike, *finite: ArrayLike) -> tuple[ArrayLike, ...]:
    """Log-probabilities, -inf where there is no state, and what else is of the states, 0 there."""
    if where is None:
        return log_p, *finite
    return jnp.where(where, log_p, -jnp.inf), *(jnp.where(where, x, 0.0) for x in finite)


def _tilt(log_p: ArrayLike, f: ArrayLike, alpha: ArrayLike) -> jax.Array:
    log_p, f, alpha = at_least_float32(log_p, f, alpha)
    return log_p + times(alpha, f)


def _same_shape(name: str, array: jax.Array, other_name: str, other: jax.Array) -> None:
    if array.shape != other.shape:
        raise UserError(f"{name} has shape {array.shape} but {other_name} has {other.shape}: give them the same shape")
