"""How good a Gaussian q(z|x) can be for each x by itself, and how far below that an encoder stays: amortization's gap.

Cremer et al. 2018, "Inference Suboptimality in Variational Autoencoders", equations 3 to 6:

    log p(x) - L[q] = (log p(x) - L[q*]) + (L[q*] - L[q])

the first what the family cannot express, the second what the encoder does not find, q* being the family's best for x.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from jaxgen.losses.variational import gaussian_log_prob

LogJoint = Callable[[jax.Array], jax.Array]  # z [batch, latent] -> log p(x, z) [batch]


def refine(
    log_joint: LogJoint,
    mean: jax.Array,
    log_variance: jax.Array,
    key: jax.Array,
    *,
    steps: int = 500,
    draws: int = 8,
    learning_rate: float = 0.05,
) -> tuple[jax.Array, jax.Array]:
    """The parameters of q*, `[batch, latent]` each, by Adam, whose step falls along a cosine, from those given.

    With log q of stopped parameters ("sticking the landing") the gradient's noise is gone where q is the posterior.

    Args:
      log_joint: log p(x, z), of the data that the parameters are of.
      mean: of q where it begins, `[batch, latent]`.
      log_variance: of it.
      key: PRNG key.
      steps: of Adam.
      draws: of z in a step.
      learning_rate: at the first step.
    """
    optimizer = optax.adam(optax.cosine_decay_schedule(learning_rate, steps))

    def loss(q: tuple[jax.Array, jax.Array], key: jax.Array) -> jax.Array:
        return -jnp.sum(elbo(log_joint, *q, key, draws=draws, landing=True))

    def step(carry: tuple, key: jax.Array) -> tuple[tuple, None]:
        q, state = carry
        updates, state = optimizer.update(jax.grad(loss)(q, key), state)
        return (optax.apply_updates(q, updates), state), None

    q = mean, log_variance
    (q, _), _ = jax.lax.scan(step, (q, optimizer.init(q)), jax.random.split(key, steps))
    return q


def elbo(
    log_joint: LogJoint, mean: jax.Array, log_variance: jax.Array, key: jax.Array, *, draws: int, landing: bool = False
) -> jax.Array:
    """The evidence lower bound of q, `[batch]`, by the mean of draws; with `landing` q's parameters move z alone."""

    def of_draw(noise: jax.Array) -> jax.Array:
        z = mean + jnp.exp(log_variance / 2) * noise
        q = jax.lax.stop_gradient((mean, log_variance)) if landing else (mean, log_variance)
        return log_joint(z) - gaussian_log_prob(z, *q)

    return jnp.mean(jax.vmap(of_draw)(jax.random.normal(key, (draws, *mean.shape))), 0)
