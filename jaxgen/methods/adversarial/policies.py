"""What methods of environments share: a policy that acts, what it was likely to do, and what it earns."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxgen.core import Array, Evaluation, View
from jaxgen.environment import Act, Environment, Played, returns
from jaxgen.losses.arrays import at_least_float32


def log_policy(apply: Any, seen: Array, actor: str = "actor") -> Array:
    """Log-probabilities of actions, `[batch, actions]`."""
    return jax.nn.log_softmax(at_least_float32(apply(actor, seen))[0])


def acting(view: View, seen: Array, key: Array) -> tuple[Array, Any]:
    """Log-probabilities of actions `[batch, actions]` as training draws them, and what moved in the actor."""
    logits, moved = view.train("actor", seen, key=key)
    return jax.nn.log_softmax(at_least_float32(logits)[0]), moved


def rehearsed(view: View, played: Played) -> tuple[Array, Any]:
    """The same of a whole rollout, `[steps, environments, actions]`, under the noise its actions were drawn with."""
    return jax.vmap(lambda seen, noise: acting(view, seen, jax.random.key(noise)))(played.observation, played.noise)


def taken(log_p: Array, action: Array) -> Array:
    """Of log-probabilities `[..., actions]` those of actions `[...]`."""
    return jnp.take_along_axis(log_p, action[..., None], axis=-1)[..., 0]


def over_steps(function: Callable[[Array], Array], x: Array) -> Array:
    """`function` of `[steps * environments, ...]`, applied to `[steps, environments, ...]`."""
    y = function(x.reshape(-1, *x.shape[2:]))
    return y.reshape(*x.shape[:2], *y.shape[1:])


def expected_return(
    world: Environment, expert: Act, *, limit: int, actor: str = "actor", episodes: int = 100, every: int | None = None
) -> Evaluation:
    """What the policy earns in an episode, drawing its actions; beside the expert and the untrained policy, whose
    actions are drawn, or most likely.

    Args:
      world: the environment.
      expert: who is imitated.
      limit: steps of an episode at most.
      actor: the network of `observations -> logits`.
      episodes: whose mean it is.
      every: steps between evaluations.
    """

    def earned(act: Act) -> Array:
        return jnp.mean(returns(world, act, jax.random.key(0), count=episodes, limit=limit))

    def mean(greedy: bool) -> Callable[[View], Array]:
        def of(view: View) -> Array:
            def act(seen: Array, key: Array) -> Array:
                logits = log_policy(view, seen, actor)
                return jnp.argmax(logits, -1) if greedy else jax.random.categorical(key, logits)

            return earned(act)

        return of

    drawn, likely = mean(False), mean(True)
    return Evaluation(
        "return",
        lambda model, data: {"return": float(model.apply(drawn))},
        every,
        {
            "expert": lambda model, data: {"return": float(model.apply(lambda view: earned(expert)))},
            "untrained": lambda model, data: {"return": float(model.apply(drawn))},
            "untrained_argmax": lambda model, data: {"return": float(model.apply(likely))},
        },
    )
