"""Rules about neighbours in a sequence: the exact teacher q* of a chain, by dynamic programming. In nats.

With rules r(y_{t-1}, y_t) about bigrams, as those of tags in named-entity recognition, q* is a Markov chain,

    log q*(y) = sum_t log p_t(y_t) - sum_t C lambda (1 - r(y_{t-1}, y_t)) - log Z,

and log Z and every marginal take one pass over the sequence: Hu et al. 2016, "Harnessing Deep Neural Networks with
Logic Rules", section 3.4.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.nn import log_softmax
from jax.typing import ArrayLike

from jaxgen import loops
from jaxgen.errors import UserError
from jaxgen.losses.arrays import at_least_float32, logsumexp, times


def transition_costs(rule_values: ArrayLike, confidences: ArrayLike, strength: ArrayLike) -> jax.Array:
    """`sum_l C lambda_l (1 - r_l(previous, next))`.

    Args:
      rule_values: truth of each rule for each pair of tags, `[tags, tags, rules]`.
      confidences: lambda, `[rules]`, not negative; infinite ones forbid what the rule forbids.
      strength: C, nats.

    Returns:
      `[tags, tags]`.
    """
    rule_values, confidences, strength = at_least_float32(rule_values, confidences, strength)
    # A fully kept rule costs nothing, however confident.
    return jnp.sum(times(1 - rule_values, times(strength, confidences)), axis=-1)


def log_partition(logits: ArrayLike, costs: ArrayLike, mask: ArrayLike) -> jax.Array:
    """log Z of q*, `[batch]`, from below 0: how much of p keeps the rules; -inf where every sequence is forbidden.

    Args:
      logits: the student's, `[batch, length, tags]`; -inf masks a tag.
      costs: `[tags, tags]` from previous to next, as `transition_costs` gives them.
      mask: which positions are there, `[batch, length]`: 1s first, at least one, then 0s.

    Raises:
      UserError: logits and mask have different lengths or batches.
    """
    logits, costs = at_least_float32(logits, costs)
    return _over_sequences(log_softmax(logits), costs, jnp.asarray(mask, bool), logsumexp)


def marginals(logits: ArrayLike, costs: ArrayLike, mask: ArrayLike) -> jax.Array:
    """q*(y_t), `[batch, length, tags]`, the derivative of log Z by the log-probabilities; 0 where the mask is, and of
    a sentence of which every sequence is forbidden.

    Arguments and errors as of `log_partition`.
    """
    return _derivative(logits, costs, mask, logsumexp)


def viterbi(logits: ArrayLike, costs: ArrayLike, mask: ArrayLike) -> jax.Array:
    """The most probable sequence under q*, int `[batch, length]`; 0 where the mask is, or none is possible.

    The derivative of its log-probability by the students' is 1 at its tags and 0 elsewhere. Of equal sequences it is
    one, not a mixture. Arguments and errors as of `log_partition`.
    """
    return jnp.argmax(_derivative(logits, costs, mask, _first_maximum), axis=-1)


def _first_maximum(values: jax.Array, axis: int) -> jax.Array:
    """The maximum, whose gradient goes to one of equals and not to all."""
    best = jnp.argmax(values, axis=axis, keepdims=True)
    return jnp.take_along_axis(values, best, axis=axis).squeeze(axis)


def _derivative(logits: ArrayLike, costs: ArrayLike, mask: ArrayLike, reduce: Callable) -> jax.Array:
    logits, costs = at_least_float32(logits, costs)
    mask = jnp.asarray(mask, bool)
    return jax.grad(lambda log_p: jnp.sum(_over_sequences(log_p, costs, mask, reduce)))(log_softmax(logits))


def _over_sequences(log_p: jax.Array, costs: jax.Array, mask: jax.Array, reduce: Callable) -> jax.Array:
    """The scores of all sequences reduced to one number, `[batch]`; `reduce(values, axis)` must pass through sums."""
    if log_p.shape[:2] != mask.shape:
        raise UserError(f"mask has shape {mask.shape} for logits of shape {log_p.shape}; give it the first two axes.")

    def advance(prefix: jax.Array, position: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        log_p, there = position
        longer = reduce(prefix[:, :, None] - costs, axis=1) + log_p
        return jnp.where(there[:, None], longer, prefix), None

    rest = (log_p[:, 1:].swapaxes(0, 1), mask[:, 1:].T)
    prefix, _ = loops.scan(advance, log_p[:, 0], rest)
    return reduce(prefix, axis=-1)
