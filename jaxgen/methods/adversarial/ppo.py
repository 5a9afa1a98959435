"""Proximal policy optimization: one rollout of many environments, then epochs of clipped steps on it.

Schulman et al., 2017, "Proximal Policy Optimization Algorithms", algorithm 1 and equation 9; advantages as in Schulman
et al., 2016, "High-Dimensional Continuous Control Using Generalized Advantage Estimation", equation 16.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgen import linen
from jaxgen.core import Array, Aux, Batch, Method, Module, Net, Phase, View
from jaxgen.losses.arrays import at_least_float32


class Environment(NamedTuple):
    """A world of discrete actions as pure functions of one state.

    Attributes:
      reset: `key -> state`, a pytree of arrays.
      step: `(state, action [], key) -> (state, reward [], done [])`; where done, the state is one after a reset.
      observe: `state -> [features]`.
    """

    reset: Callable[[Array], Any]
    step: Callable[[Any, Array, Array], tuple[Any, Array, Array]]
    observe: Callable[[Any], Array]


def ppo(
    actor: Net,
    value: Net,
    world: Environment,
    *,
    environments: int,
    horizon: int,
    epochs: int = 4,
    clip: float = 0.2,
    discount: float = 0.99,
    decay: float = 0.95,
) -> Method:
    """A step is one rollout of all environments, whose states are memory, and `epochs` moves of both networks on it.

    The actor acts in training mode, and is moved under the noise it acted with: ratios of other dropout masks would not
    be 1 at first, and say nothing of the move (Hausknecht & Wagener, 2022, "Consistent Dropout for Policy Gradient
    Reinforcement Learning").

    Args:
      actor: module of `observations [batch, features] -> logits [batch, actions]`.
      value: module of `observations [batch, features] -> [batch]`.
      world: the environment.
      environments: how many run side by side, spread over the devices.
      horizon: steps of a rollout.
      epochs: moves on one rollout.
      clip: how far from 1 a ratio of probabilities is heard.
      discount: gamma.
      decay: lambda of the advantages.
    """

    def rollout(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        def step(states: Any, key: Array) -> tuple[Any, dict[str, Array]]:
            keys = jax.random.split(key)
            noise, seen = jax.random.bits(jax.random.fold_in(key, 2)), jax.vmap(world.observe)(states)
            log_p, _ = _acting(view, seen, noise)
            action = jax.random.categorical(keys[0], log_p)
            states, reward, done = jax.vmap(world.step)(states, action, jax.random.split(keys[1], environments))
            taken = jnp.take_along_axis(log_p, action[:, None], axis=1)[:, 0]
            return states, {
                "seen": seen,
                "action": action,
                "log_p": taken,
                "noise": noise,
                "reward": reward,
                "done": done,
            }

        states, path = jax.lax.scan(step, view.memory["states"], jax.random.split(key, horizon))
        seen = jnp.concatenate([path["seen"], jax.vmap(world.observe)(states)[None]])
        values = view("value", seen.reshape(-1, *seen.shape[2:])).reshape(seen.shape[:2])
        advantage = advantages(path["reward"], path["done"], values, discount, decay)
        kept = {k: path[k] for k in ("seen", "action", "log_p", "noise")} | {
            "advantage": (advantage - jnp.mean(advantage)) / (jnp.std(advantage) + 1e-8),
            "returns": advantage + values[:-1],
        }
        return jnp.zeros(()), Aux({"reward": jnp.mean(path["reward"])}, memory={"states": states, "rollout": kept})

    def improve(view: View, batch: Batch, key: Array) -> tuple[Array, Aux]:
        path, training = view.memory["rollout"], view.training(key)
        log_p, moved = jax.vmap(functools.partial(_acting, view))(path["seen"], path["noise"])
        log_p = jnp.take_along_axis(log_p, path["action"][..., None], axis=-1)[..., 0]
        ratio = jnp.exp(log_p - path["log_p"])
        clipped = jnp.clip(ratio, 1 - clip, 1 + clip)
        gain = jnp.mean(jnp.minimum(ratio * path["advantage"], clipped * path["advantage"]))
        values = training("value", path["seen"].reshape(-1, *path["seen"].shape[2:]))
        error = jnp.mean(jnp.square(values - path["returns"].ravel())) / 2
        metrics = {"gain": gain, "value_error": error, "epoch": jnp.asarray(view.repeat)}
        moved = jax.tree.map(lambda x: jnp.mean(x, axis=0).astype(x.dtype), moved)  # over the rollout's steps
        return error - gain, Aux(metrics, {**training.moved, "actor": moved})

    def init(modules: Mapping[str, Module], key: Array, batch: Batch) -> Mapping[str, Any]:
        seen = jax.vmap(lambda key: world.observe(world.reset(key)))(jax.random.split(key, environments))
        keys = jax.random.split(key)
        return {name: linen.init(modules[name], k, seen) for name, k in zip(("actor", "value"), keys, strict=True)}

    def memory(key: Array, batch: Batch) -> Mapping[str, Any]:
        states = jax.vmap(world.reset)(jax.random.split(key, environments))
        shape = (horizon, environments)
        zeros = {k: jnp.zeros(shape) for k in ("log_p", "advantage", "returns")}
        seen = jax.eval_shape(jax.vmap(world.observe), states)
        return {
            "states": states,
            "rollout": {
                **zeros,
                "action": jnp.zeros(shape, int),
                "noise": jnp.zeros(horizon, jnp.uint32),
                "seen": jnp.zeros((horizon, *seen.shape), seen.dtype),
            },
        }

    phases = (
        Phase("rollout", (), rollout),
        Phase("improve", ("actor", "value"), improve, repeats=epochs, fresh=False),
    )
    nets = {"actor": actor, "value": value}
    return Method("PPO", nets, phases, init, None, lambda *_: {}, memory=memory, split=("states",))


def advantages(reward: Array, done: Array, values: Array, discount: float, decay: float) -> Array:
    """`[horizon, environments]`, of values one step longer: sums of temporal differences, decayed, cut where done."""
    alive = 1.0 - done
    delta = reward + discount * values[1:] * alive - values[:-1]

    def back(after: Array, now: tuple[Array, Array]) -> tuple[Array, Array]:
        total = now[0] + discount * decay * now[1] * after
        return total, total

    return jax.lax.scan(back, jnp.zeros_like(delta[0]), (delta, alive), reverse=True)[1]


def _acting(view: View, seen: Array, noise: Array) -> tuple[Array, Any]:
    """Log-probabilities of the actions at observations `[batch, features]`, and what moved in the actor.

    Args:
      view: the networks.
      seen: the observations.
      noise: seed of the actor's streams, uint32 `[]`.
    """
    logits, moved = view.train("actor", seen, key=jax.random.key(noise))
    return jax.nn.log_softmax(at_least_float32(logits)[0]), moved
