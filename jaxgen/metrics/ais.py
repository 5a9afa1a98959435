"""Annealed importance sampling: log p(x) of a model of continuous latents, from below and, on its own data, above.

Neal 2001; Wu et al. 2017, "On the Quantitative Analysis of Decoder-Based Generative Models". Chains go from prior to
the posterior through `log p(z) + beta log p(x|z)` by Hamiltonian moves, and the log-weights they gather bound log p(x)
from below in expectation. Chains that go the other way, from an *exact* posterior sample, bound it from above: known
only for x that the model itself has drawn together with its z (bidirectional Monte Carlo, Grosse et al. 2015). There
the distance of the two bounds says how far either can be off, which neither says of itself.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

LogDensity = Callable[[jax.Array], jax.Array]  # z [chains, batch, latent] -> [chains, batch]


class Annealed(NamedTuple):
    """What chains came to.

    Attributes:
      log_weights: `[chains, batch]`, nats.
      acceptance: share of accepted moves at each temperature after the first, `[temperatures - 1]`.
      step_sizes: that were used, `[temperatures - 1, batch]`.
      z: where they ended, `[chains, batch, latent]`.
    """

    log_weights: jax.Array
    acceptance: jax.Array
    step_sizes: jax.Array
    z: jax.Array


def temperatures(count: int) -> jax.Array:
    """beta from 0 to 1, `[count]`, close together at both ends: a sigmoid of equal steps from -4 to 4, stretched."""
    sigmoid = jax.nn.sigmoid(jnp.linspace(-4, 4, count))
    return (sigmoid - sigmoid[0]) / (sigmoid[-1] - sigmoid[0])


def anneal(
    log_prior: LogDensity,
    log_likelihood: LogDensity,
    z: jax.Array,
    key: jax.Array,
    *,
    betas: jax.Array,
    step_sizes: jax.Array | float,
    leapfrogs: int = 10,
    adapt: float = 0.0,
) -> Annealed:
    """Takes chains along `betas`, in the order given: 0 to 1 from prior samples, 1 to 0 from posterior ones.

    Args:
      log_prior: of z.
      log_likelihood: of the data given z.
      z: samples of the distribution at the first beta, `[chains, batch, latent]`.
      key: PRNG key.
      betas: `[temperatures]`.
      step_sizes: of the moves, broadcast to `[temperatures - 1, batch]`.
      leapfrogs: steps of a move.
      adapt: by which share a step size grows where more than 65 % of an example's chains accept and shrinks where fewer
        do. Chains that adapt look ahead of themselves: their weights are wrong and only their step sizes are of use.
    """
    chains, batch, _ = z.shape
    given = jnp.broadcast_to(step_sizes, (len(betas) - 1, batch))

    def move(carry: tuple, at: tuple) -> tuple:
        z, log_weights, factor = carry
        before, beta, step, key = at
        log_weights = log_weights + (beta - before) * log_likelihood(z)
        step = step * factor
        z, accepted = _hamiltonian(lambda z: log_prior(z) + beta * log_likelihood(z), z, key, step, leapfrogs)
        share = jnp.mean(accepted, 0)
        factor = factor * jnp.where(share > 0.65, 1 + adapt, 1 - adapt)
        return (z, log_weights, factor), (jnp.mean(share), step)

    keys = jax.random.split(key, len(betas) - 1)
    start = z, jnp.zeros((chains, batch), z.dtype), jnp.ones(batch, z.dtype)
    (z, log_weights, _), (acceptance, used) = jax.lax.scan(move, start, (betas[:-1], betas[1:], given, keys))
    return Annealed(log_weights, acceptance, used, z)


def lower_bound(forward: Annealed) -> jax.Array:
    """log p(x) from below, `[batch]`, by chains from prior to posterior."""
    return _log_mean_exp(forward.log_weights)


def upper_bound(backward: Annealed) -> jax.Array:
    """log p(x) from above, `[batch]`, by chains from exact posterior samples to the prior."""
    return -_log_mean_exp(backward.log_weights)


def _log_mean_exp(log_weights: jax.Array) -> jax.Array:
    return jax.nn.logsumexp(log_weights, 0) - jnp.log(len(log_weights))


def _hamiltonian(
    log_density: LogDensity, z: jax.Array, key: jax.Array, step: jax.Array, leapfrogs: int
) -> tuple[jax.Array, jax.Array]:
    """One move of every chain that keeps the density: Neal 2011. Which accepted, `[chains, batch]`."""
    of_momentum, of_acceptance = jax.random.split(key)
    momentum = jax.random.normal(of_momentum, z.shape, z.dtype)
    slope = jax.grad(lambda z: jnp.sum(log_density(z)))
    step = step[:, None]

    def leap(_: int, state: tuple) -> tuple:
        z, momentum = state
        z = z + step * momentum
        return z, momentum + step * slope(z)

    half = momentum + step / 2 * slope(z)
    moved, momentum_after = jax.lax.fori_loop(0, leapfrogs, leap, (z, half))
    momentum_after = momentum_after - step / 2 * slope(moved)  # the last full step was half a step too long
    energy = log_density(z) - jnp.sum(jnp.square(momentum), -1) / 2
    energy_after = log_density(moved) - jnp.sum(jnp.square(momentum_after), -1) / 2
    accepted = jnp.log(jax.random.uniform(of_acceptance, energy.shape, energy.dtype)) < energy_after - energy
    return jnp.where(accepted[..., None], moved, z), accepted
