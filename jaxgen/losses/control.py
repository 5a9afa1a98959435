"""Decisions in worlds of finitely many states, where every expectation is exact; and the rewards of imitation.

Puterman, 1994, "Markov Decision Processes"; Ziebart, 2010, "Modeling Purposeful Adaptive Behavior with the Principle of
Maximum Causal Entropy"; Ho & Ermon, 2016, "Generative Adversarial Imitation Learning".
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.scipy.special import logsumexp
from jax.typing import ArrayLike

from jaxgen.losses.arrays import at_least_float32


def occupancy(transition: ArrayLike, start: ArrayLike, policy: ArrayLike, discount: float) -> jax.Array:
    """How often a policy is where, doing what: `rho = (1 - gamma) sum_t gamma^t p(s_t, a_t)`, `[states, actions]`.

    The solution of `(I - gamma P_pi^T) rho = (1 - gamma) start`; it sums to one.

    Args:
      transition: probabilities `[states, actions, states]` of what follows.
      start: probabilities `[states]`.
      policy: probabilities `[states, actions]`.
      discount: gamma, below 1.
    """
    transition, start, policy = at_least_float32(transition, start, policy)
    chain = jnp.einsum("sa,sat->st", policy, transition)
    states = jnp.linalg.solve(jnp.eye(len(chain)) - discount * chain.T, (1 - discount) * start)
    return states[:, None] * policy


def action_values(
    transition: ArrayLike, reward: ArrayLike, discount: float, *, steps: int, soft: bool = False
) -> jax.Array:
    """Value iteration: Q `[states, actions]` after so many backups from 0, each of which shrinks the error by gamma.

    Args:
      transition: probabilities `[states, actions, states]` of what follows.
      reward: `[states]`, or `[states, actions]`.
      discount: gamma, below 1.
      steps: how many backups.
      soft: whether the value of a state is `log sum exp` of its actions' instead of their largest, so that the policy
        `softmax(Q)` is the one of most return and entropy together: Ziebart 2010, equation 9.1.
    """
    transition, reward = at_least_float32(transition, reward)
    reward = jnp.broadcast_to(reward if reward.ndim > 1 else reward[:, None], transition.shape[:2])
    best: Callable[..., jax.Array] = logsumexp if soft else jnp.max

    def backup(values: jax.Array, _: None) -> tuple[jax.Array, None]:
        return reward + discount * transition @ best(values, axis=1), None

    return jax.lax.scan(backup, jnp.zeros_like(reward), None, length=steps)[0]


def surviving(logits: ArrayLike) -> jax.Array:
    """`-log(1 - D)`, D the probability that a pair is the expert's, `[batch]`: never negative.

    Where episodes end, whoever earns it wants to live on, whether as the expert does or not.
    """
    (logits,) = at_least_float32(logits)
    return jax.nn.softplus(logits)


def ending(logits: ArrayLike) -> jax.Array:
    """`log D`, `[batch]`: never positive. Where episodes end, whoever earns it wants to be done soon."""
    (logits,) = at_least_float32(logits)
    return -jax.nn.softplus(-logits)


def log_ratio(logits: ArrayLike) -> jax.Array:
    """`log D - log(1 - D)`, `[batch]`, of either sign: at the best D the expert's log-probability less the policy's.

    Its mean under the policy is minus their Kullback-Leibler divergence (Fu et al., 2018, section 4). A critic who
    cannot tell pays nothing, neither for living nor for ending.
    """
    return at_least_float32(logits)[0]
