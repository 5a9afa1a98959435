"""Decisions in worlds of finitely many states, where every expectation is exact; credit; the rewards of imitation.

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


def advantages(
    reward: jax.Array,
    ended: jax.Array,
    cut: jax.Array,
    values: jax.Array,
    following: jax.Array,
    discount: float,
    decay: float,
) -> jax.Array:
    """Decayed sums of temporal differences, `[horizon, environments]` as all arrays are.

    Schulman et al., 2016, "High-Dimensional Continuous Control Using Generalized Advantage Estimation", equation 16.

    Args:
      reward: of a step.
      ended: whether nothing follows it.
      cut: whether another episode follows it, an end of time included, across which nothing is summed.
      values: of the states before.
      following: of the states after, before any reset.
      discount: gamma.
      decay: lambda.
    """
    delta = reward + discount * following * (1.0 - ended) - values

    def back(after: jax.Array, now: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        total = now[0] + discount * decay * now[1] * after
        return total, total

    return jax.lax.scan(back, jnp.zeros_like(delta[0]), (delta, 1.0 - cut), reverse=True)[1]


def clipped_gain(ratio: ArrayLike, advantage: ArrayLike, clip: float) -> jax.Array:
    """`min(ratio A, clip(ratio, 1 - clip, 1 + clip) A)`: no gradient where the ratio went far enough in A's favour.

    Schulman et al., 2017, "Proximal Policy Optimization Algorithms", equation 7.

    Args:
      ratio: of the probabilities of what was done, now and when it was.
      advantage: A, of the same shape.
      clip: how far from 1 a ratio is heard.
    """
    ratio, advantage = at_least_float32(ratio, advantage)
    return jnp.minimum(ratio * advantage, jnp.clip(ratio, 1 - clip, 1 + clip) * advantage)


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
