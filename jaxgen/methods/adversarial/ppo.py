"""Proximal policy optimization: one rollout of many environments, then epochs of clipped steps on it.

Schulman et al., 2017, "Proximal Policy Optimization Algorithms", algorithm 1 and equation 9; advantages as in Schulman
et al., 2016, "High-Dimensional Continuous Control Using Generalized Advantage Estimation", equation 16.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxgen import linen
from jaxgen.core import Array, Aux, Batch, Method, Module, Net, Phase, View, Weight
from jaxgen.environment import Environment, Played, play, start, unplayed
from jaxgen.losses.control import advantages, clipped_gain
from jaxgen.methods.adversarial.policies import acting, over_steps, rehearsed, taken
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
    entropy: Weight = 0.0,
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
            return jax.random.categorical(jax.random.fold_in(key, 1), acting(view, seen, key)[0])

        episodes, played = play(world, act, view.memory["episodes"], key, steps=horizon, limit=limit)
        metrics = {
            "reward": jnp.mean(played.reward),
            "episode": 1 / jnp.maximum(jnp.mean(played.cut), 1 / played.cut.size),
        }
        return jnp.zeros(()), Aux(metrics, memory={"episodes": episodes, "rollout": played})

    def credit(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        played = view.memory["rollout"]
        earned = reward(view, played)
        values, following = (over_steps(lambda x: view("value", x), x) for x in (played.observation, played.following))
        advantage = advantages(earned, played.ended, played.cut, values, following, discount, decay)
        credited = {
            "log_p": taken(rehearsed(view, played)[0], played.action),
            "advantage": (advantage - jnp.mean(advantage)) / (jnp.std(advantage) + 1e-8),
            "returns": advantage + values,
        }
        return jnp.zeros(()), Aux({"reward": jnp.mean(earned)}, memory={"credit": credited})

    def improve(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        played, credited = view.memory["rollout"], view.memory["credit"]
        training = view.training(key)
        log_p, moved = rehearsed(view, played)
        ratio = jnp.exp(taken(log_p, played.action) - credited["log_p"])
        gain = jnp.mean(clipped_gain(ratio, credited["advantage"], clip))
        values = over_steps(lambda x: training("value", x), played.observation)
        error = jnp.mean(jnp.square(values - credited["returns"])) / 2
        nats = -jnp.mean(jnp.sum(jnp.exp(log_p) * log_p, axis=-1))
        metrics = {"gain": gain, "value_error": error, "entropy": nats, "epoch": jnp.asarray(view.repeat)}
        moved = jax.tree.map(lambda x: jnp.mean(x, axis=0).astype(x.dtype), moved)  # over the rollout's steps
        return error - gain - view.weight(entropy) * nats, Aux(metrics, {**training.moved, "actor": moved})

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        seen = jax.vmap(world.observe)(start(world, key, environments).state)
        keys = jax.random.split(key)
        variables = {n: linen.init(modules[n], k, seen) for n, k in zip(("actor", "value"), keys, strict=True)}
        check_output("the number of actions", (world.actions,), modules["actor"], variables["actor"], seen)
        return variables

    def memory(key: Array, batch: Batch) -> Mapping[str, Any]:
        episodes, zeros = start(world, key, environments), jnp.zeros((horizon, environments))
        credited = dict.fromkeys(("log_p", "advantage", "returns"), zeros)
        return {"episodes": episodes, "rollout": unplayed(world, episodes, horizon), "credit": credited}

    phases = (
        Phase("rollout", (), rollout),
        Phase("credit", (), credit),
        Phase("improve", ("actor", "value"), improve, repeats=epochs, fresh=False),
    )
    nets = {"actor": actor, "value": value}
    return Method("PPO", nets, phases, init, None, lambda *_: {}, memory=memory, split=("episodes",))
