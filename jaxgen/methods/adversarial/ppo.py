"""Proximal policy optimization: one rollout of many environments, then epochs of clipped steps on it.

Schulman et al., 2017, "Proximal Policy Optimization Algorithms", algorithm 1 and equation 9; advantages as in Schulman
et al., 2016, "High-Dimensional Continuous Control Using Generalized Advantage Estimation", equation 16.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxgen import linen
from jaxgen.core import Array, Aux, Batch, Evaluation, Method, Module, Net, Phase, View
from jaxgen.environment import Environment, Played, play, returns, start
from jaxgen.losses.arrays import at_least_float32
from jaxgen.methods.fits import check_output

Reward = Callable[[View, Played], Array]  # what each step of a rollout earns, `[horizon, environments]`


def ppo(
    actor: Net,
    value: Net,
    world: Environment,
    *,
    environments: int,
    horizon: int,
    limit: int | None = None,
    epochs: int = 4,
    clip: float = 0.2,
    discount: float = 0.99,
    decay: float = 0.95,
    entropy: float = 0.0,
    reward: Reward = lambda view, played: played.reward,
) -> Method:
    """A step is one rollout of all environments, whose states are memory, and `epochs` moves of both networks on it.

    Args:
      actor: module of `observations [batch, features] -> logits [batch, actions]`.
      value: module of `observations [batch, features] -> [batch]`.
      world: the environment.
      environments: how many run side by side, spread over the devices.
      horizon: steps of a rollout.
      limit: steps of an episode at most. One that is cut by time alone is worth what its last state is.
      epochs: moves on one rollout.
      clip: how far from 1 a ratio of probabilities is heard.
      discount: gamma.
      decay: lambda of the advantages.
      entropy: weight of the policy's.
      reward: of a rollout; the world's own.
    """

    def rollout(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        def act(seen: Array, key: Array) -> Array:
            return jax.random.categorical(jax.random.fold_in(key, 1), _acting(view, seen, key)[0])

        episodes, played = play(world, act, view.memory["episodes"], key, steps=horizon, limit=limit)
        metrics = {
            "reward": jnp.mean(played.reward),
            "episode": 1 / jnp.maximum(jnp.mean(played.cut), 1 / played.cut.size),
        }
        return jnp.zeros(()), Aux(metrics, memory={"episodes": episodes, "rollout": played})

    def credit(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        played = view.memory["rollout"]
        earned = reward(view, played)
        values, following = (_over_steps(lambda x: view("value", x), x) for x in (played.observation, played.following))
        advantage = advantages(earned, played.ended, played.cut, values, following, discount, decay)
        credited = {
            "log_p": _taken(_rehearsed(view, played)[0], played.action),
            "advantage": (advantage - jnp.mean(advantage)) / (jnp.std(advantage) + 1e-8),
            "returns": advantage + values,
        }
        return jnp.zeros(()), Aux({"reward": jnp.mean(earned)}, memory={"credit": credited})

    def improve(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        played, credited = view.memory["rollout"], view.memory["credit"]
        training = view.training(key)
        log_p, moved = _rehearsed(view, played)
        ratio = jnp.exp(_taken(log_p, played.action) - credited["log_p"])
        clipped = jnp.clip(ratio, 1 - clip, 1 + clip)
        gain = jnp.mean(jnp.minimum(ratio * credited["advantage"], clipped * credited["advantage"]))
        values = _over_steps(lambda x: training("value", x), played.observation)
        error = jnp.mean(jnp.square(values - credited["returns"])) / 2
        nats = -jnp.mean(jnp.sum(jnp.exp(log_p) * log_p, axis=-1))
        metrics = {"gain": gain, "value_error": error, "entropy": nats, "epoch": jnp.asarray(view.repeat)}
        moved = jax.tree.map(lambda x: jnp.mean(x, axis=0).astype(x.dtype), moved)  # over the rollout's steps
        return error - gain - entropy * nats, Aux(metrics, {**training.moved, "actor": moved})

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        seen = jax.vmap(world.observe)(start(world, key, environments).state)
        keys = jax.random.split(key)
        variables = {n: linen.init(modules[n], k, seen) for n, k in zip(("actor", "value"), keys, strict=True)}
        check_output("the number of actions", (world.actions,), modules["actor"], variables["actor"], seen)
        return variables

    def memory(key: Array, batch: Batch) -> Mapping[str, Any]:
        episodes, zeros = start(world, key, environments), jnp.zeros((horizon, environments))

        def still(seen: Array, key: Array) -> Array:
            return jnp.zeros(environments, int)

        played = jax.eval_shape(lambda key: play(world, still, episodes, key, steps=horizon)[1], key)
        return {
            "episodes": episodes,
            "rollout": jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), played),
            "credit": dict.fromkeys(("log_p", "advantage", "returns"), zeros),
        }

    phases = (
        Phase("rollout", (), rollout),
        Phase("credit", (), credit),
        Phase("improve", ("actor", "value"), improve, repeats=epochs, fresh=False),
    )
    nets = {"actor": actor, "value": value}
    return Method("PPO", nets, phases, init, None, lambda *_: {}, memory=memory, split=("episodes",))


def expected_return(
    world: Environment, *, limit: int, actor: str = "actor", episodes: int = 100, every: int | None = None
) -> Evaluation:
    """What the policy earns in an episode, drawing its actions; beside the untrained one's, drawn and most likely.

    Args:
      world: the environment.
      limit: steps of an episode at most.
      actor: the network of `observations -> logits`.
      episodes: whose mean it is.
      every: steps between evaluations.
    """

    def mean(greedy: bool) -> Callable[[View], Array]:
        def of(view: View) -> Array:
            def act(seen: Array, key: Array) -> Array:
                logits = log_policy(view, seen, actor)
                return jnp.argmax(logits, -1) if greedy else jax.random.categorical(key, logits)

            return jnp.mean(returns(world, act, jax.random.key(0), count=episodes, limit=limit))

        return of

    drawn, likely = mean(False), mean(True)
    return Evaluation(
        "return",
        lambda model, data: {"return": float(model.apply(drawn))},
        every,
        {
            "untrained": lambda model, data: {"return": float(model.apply(drawn))},
            "untrained_argmax": lambda model, data: {"return": float(model.apply(likely))},
        },
    )


def advantages(
    reward: Array, ended: Array, cut: Array, values: Array, following: Array, discount: float, decay: float
) -> Array:
    """Decayed sums of temporal differences, `[horizon, environments]` as all arguments are.

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

    def back(after: Array, now: tuple[Array, Array]) -> tuple[Array, Array]:
        total = now[0] + discount * decay * now[1] * after
        return total, total

    return jax.lax.scan(back, jnp.zeros_like(delta[0]), (delta, 1.0 - cut), reverse=True)[1]


def log_policy(apply: Any, seen: Array, actor: str = "actor") -> Array:
    """Log-probabilities of actions, `[batch, actions]`."""
    return jax.nn.log_softmax(at_least_float32(apply(actor, seen))[0])


def _acting(view: View, seen: Array, key: Array) -> tuple[Array, Any]:
    """Log-probabilities of actions `[batch, actions]` as training draws them, and what moved in the actor."""
    logits, moved = view.train("actor", seen, key=key)
    return jax.nn.log_softmax(at_least_float32(logits)[0]), moved


def _rehearsed(view: View, played: Played) -> tuple[Array, Any]:
    """The same of a whole rollout, `[steps, environments, actions]`, under the noise its actions were drawn with."""
    return jax.vmap(lambda seen, noise: _acting(view, seen, jax.random.key(noise)))(played.observation, played.noise)


def _taken(log_p: Array, action: Array) -> Array:
    return jnp.take_along_axis(log_p, action[..., None], axis=-1)[..., 0]


def _over_steps(function: Callable[[Array], Array], x: Array) -> Array:
    """`function` of `[steps * environments, ...]`, applied to `[steps, environments, ...]`."""
    y = function(x.reshape(-1, *x.shape[2:]))
    return y.reshape(*x.shape[:2], *y.shape[1:])
