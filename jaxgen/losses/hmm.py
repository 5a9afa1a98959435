"""Hidden Markov models: the sum over all paths by the forward algorithm, and all that follows from its gradient.

In nats. Rabiner 1989, "A Tutorial on Hidden Markov Models". log p(x)'s derivative by the emissions'
log-probabilities is p(z_t | x), and by the log of a transition how often it is expected to be taken, so that there is
no backward algorithm here.
"""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxgen import loops
from jaxgen.errors import UserError
from jaxgen.losses.arrays import at_least_float32, only


def log_prob(
    initial: ArrayLike, transition: ArrayLike, emission: ArrayLike, mask: ArrayLike | None = None
) -> jax.Array:
    """log p(x_1, ..., x_n), `[batch]`.

    Args:
      initial: log p(z_1), `[states]`.
      transition: log p(z_t | z_{t-1}), from rows to columns, `[states, states]`.
      emission: log p(x_t | z_t), `[batch, length, states]`.
      mask: which positions are there, `[batch, length]`: 1s first, at least one, then 0s; None for all.

    Raises:
      UserError: the mask has another batch or length.
    """
    initial, transition, emission = at_least_float32(initial, transition, emission)
    there = jnp.ones(emission.shape[:2], bool) if mask is None else jnp.asarray(mask, bool)
    if there.shape != emission.shape[:2]:
        raise UserError(
            f"mask has shape {there.shape} for emissions of shape {emission.shape}; give it the first two axes."
        )

    def advance(forward: jax.Array, at: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        emitted, there = at
        longer = jax.nn.logsumexp(forward[:, :, None] + transition, axis=1) + emitted
        return jnp.where(there[:, None], longer, forward), None

    rest = jnp.moveaxis(emission[:, 1:], 1, 0), there[:, 1:].T
    start = initial + emission[:, 0]
    forward = start if emission.shape[1] == 1 else loops.scan(advance, start, rest)[0]
    return jax.nn.logsumexp(forward, -1)


def posterior(
    initial: ArrayLike, transition: ArrayLike, emission: ArrayLike, mask: ArrayLike | None = None
) -> jax.Array:
    """p(z_t | x), `[batch, length, states]`, 0 where the mask is. Arguments and errors as of `log_prob`."""
    (emission,) = at_least_float32(emission)
    return jax.grad(lambda emission: jnp.sum(log_prob(initial, transition, emission, mask)))(emission)


def m_step(
    initial: ArrayLike,
    transition: ArrayLike,
    emission: ArrayLike,
    mask: ArrayLike | None = None,
    *,
    where: ArrayLike | None = None,
) -> tuple[jax.Array, jax.Array]:
    """Baum and Welch's new `initial` and `transition`: the expected counts, normalized.

    Arguments as of `log_prob`, and `where`: which sequences there are, `[batch]`; None for all.
    """
    initial, transition, emission = at_least_float32(initial, transition, emission)
    emission = only(where, emission)

    def total(initial: jax.Array, transition: jax.Array) -> jax.Array:
        return jnp.sum(only(where, log_prob(initial, transition, emission, mask)))

    starts, moves = jax.grad(total, (0, 1))(initial, transition)
    return jnp.log(starts / jnp.sum(starts)), jnp.log(moves / jnp.sum(moves, -1, keepdims=True))
