"""Worlds of discrete actions as pure functions of one state, and playing thousands of them at once."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

Array = jax.Array
Act = Callable[[Array, Array], Array]  # observations [batch, features], key -> actions, int [batch]


class Environment(NamedTuple):
    """A world for one agent; `vmap` makes many of it.

    Attributes:
      reset: `key -> state`, a pytree of arrays.
      step: `(state, action [], key) -> (state, reward [], ended [])`. After an end nothing is earned any more, and who
        plays resets; a limit of time is no end, but a matter of who plays.
      observe: `state -> [features]`.
      actions: how many there are.
    """

    reset: Callable[[Array], Any]
    step: Callable[[Any, Array, Array], tuple[Any, Array, Array]]
    observe: Callable[[Any], Array]
    actions: int


class Played(NamedTuple):
    """Steps `[steps, environments, ...]`: what was seen and done, what it earned, and whether that was the end.

    Attributes:
      observation: before the action.
      action: int.
      noise: seed of the key that the policy drew the actions with, uint32 `[steps]`.
      reward: of the step.
      ended: whether the world ended with it, so that nothing follows.
      cut: whether another episode follows, the world having ended or its time being over.
      following: what is observed after it, before any reset.
    """

    observation: Array
    action: Array
    noise: Array
    reward: Array
    ended: Array
    cut: Array
    following: Array


class Episodes(NamedTuple):
    """Episodes under way: states `[environments, ...]`, and how many steps old each is, int32 `[environments]`."""

    state: Any
    age: Array


def start(world: Environment, key: Array, environments: int) -> Episodes:
    """Environments after a reset."""
    return Episodes(jax.vmap(world.reset)(jax.random.split(key, environments)), jnp.zeros(environments, jnp.int32))


def play(
    world: Environment, act: Act, underway: Episodes, key: Array, *, steps: int, limit: int | None = None
) -> tuple[Episodes, Played]:
    """So many steps of all environments, each of which begins anew where it ends or is `limit` steps old.

    Args:
      world: the environment.
      act: the policy.
      underway: where they begin.
      key: of actions, worlds and resets.
      steps: how many.
      limit: steps of an episode at most; None for no limit.
    """

    def step(underway: Episodes, key: Array) -> tuple[Episodes, Played]:
        count, keys = len(underway.age), jax.random.split(key, 3)
        seen = jax.vmap(world.observe)(underway.state)
        noise = jax.random.bits(keys[0])
        action = act(seen, jax.random.key(noise))
        after, reward, ended = jax.vmap(world.step)(underway.state, action, jax.random.split(keys[1], count))
        age = underway.age + 1
        cut = ended if limit is None else ended | (age >= limit)
        fresh = jax.vmap(world.reset)(jax.random.split(keys[2], count))
        state = jax.tree.map(lambda a, b: jnp.where(cut.reshape(-1, *[1] * (a.ndim - 1)), a, b), fresh, after)
        played = Played(seen, action, noise, reward, ended, cut, jax.vmap(world.observe)(after))
        return Episodes(state, jnp.where(cut, 0, age)), played

    return jax.lax.scan(step, underway, jax.random.split(key, steps))


def unplayed(world: Environment, underway: Episodes, steps: int) -> Played:
    """Zeros, of the shapes that so many steps would have."""

    def still(seen: Array, key: Array) -> Array:
        return jnp.zeros(len(underway.age), int)

    played = jax.eval_shape(lambda key: play(world, still, underway, key, steps=steps)[1], jax.random.key(0))
    return jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), played)


def whole_episodes(world: Environment, act: Act, key: Array, *, count: int, limit: int) -> tuple[Played, Array]:
    """So many episodes from their beginning, and which of their steps belong to them, bool `[limit, count]`."""
    keys = jax.random.split(key)
    _, played = play(world, act, start(world, keys[0], count), keys[1], steps=limit)
    before = jnp.cumsum(played.ended, axis=0) - played.ended
    return played, before == 0


def returns(world: Environment, act: Act, key: Array, *, count: int, limit: int) -> Array:
    """What so many episodes earn, `[count]`."""
    played, alive = whole_episodes(world, act, key, count=count, limit=limit)
    return jnp.sum(jnp.where(alive, played.reward, 0), axis=0)
