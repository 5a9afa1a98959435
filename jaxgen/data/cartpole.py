"""CartPole: a pole on a cart that is pushed left or right, and is to stand for as long as it can.

Barto, Sutton & Anderson, 1983, "Neuronlike adaptive elements that can solve difficult learning control problems"; the
constants, and Euler's rule in this order, are those of `CartPole-v1`.
"""

import math

import jax
import jax.numpy as jnp

from jaxgen.environment import Environment

_GRAVITY, _FORCE, _SECONDS = 9.8, 10.0, 0.02
_CART, _POLE, _HALF = 1.0, 0.1, 0.5  # masses in kg, half of the pole's length in m
_TILT, _EDGE = 12 * math.pi / 180, 2.4  # beyond which it ends


def cartpole() -> Environment:
    """State `[4]`: position in m, its rate, the pole's angle in radians, its rate. Every step earns 1."""
    return Environment(
        lambda key: jax.random.uniform(key, (4,), minval=-0.05, maxval=0.05),
        lambda state, action, key: _step(state, action),
        lambda state: state,
        actions=2,
    )


def balance(observation: jax.Array, key: jax.Array) -> jax.Array:
    """A policy that stands for long: the sign of a linear feedback, `[batch, 4]` to int `[batch]`."""
    return (observation @ jnp.array([0.1, 0.5, 8.0, 1.5], observation.dtype) > 0).astype(jnp.int32)


def _step(state: jax.Array, action: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    _, speed, angle, turning = state
    push = _FORCE * (2 * action - 1)
    sine, cosine = jnp.sin(angle), jnp.cos(angle)
    driven = (push + _POLE * _HALF * turning**2 * sine) / (_CART + _POLE)
    bend = (_GRAVITY * sine - cosine * driven) / (_HALF * (4 / 3 - _POLE * cosine**2 / (_CART + _POLE)))
    drive = driven - _POLE * _HALF * bend * cosine / (_CART + _POLE)
    state = state + _SECONDS * jnp.stack([speed, drive, turning, bend])
    ended = (jnp.abs(state[0]) > _EDGE) | (jnp.abs(state[2]) > _TILT)
    return state, jnp.ones((), state.dtype), ended
