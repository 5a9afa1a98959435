"""A pendulum to be swung up by a motor too weak to lift it, and held there: episodes have no end but their time.

The constants, and the rule by which time goes on, are those of `Pendulum-v1`; torques are a few chosen ones.
"""

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.environment import Environment

TORQUES = np.array([-2.0, -1.0, -0.5, -0.2, 0.0, 0.2, 0.5, 1.0, 2.0], np.float32)  # N m, of the actions in turn
STEPS = 200  # of an episode
_GRAVITY, _SECONDS, _FASTEST = 10.0, 0.05, 8.0  # of a rod of 1 kg and 1 m


def pendulum() -> Environment:
    """State `[2]`: the angle from upright in radians, its rate. Observed are cosine, sine and rate.

    A step earns `-(angle^2 + 0.1 rate^2 + 0.001 torque^2)`, angles in [-pi, pi).
    """

    def reset(key: jax.Array) -> jax.Array:
        limits = jnp.array([jnp.pi, 1.0])
        return jax.random.uniform(key, (2,), minval=-limits, maxval=limits)

    def observe(state: jax.Array) -> jax.Array:
        return jnp.stack([jnp.cos(state[0]), jnp.sin(state[0]), state[1]])

    def step(state: jax.Array, action: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        angle, rate = state
        torque = jnp.asarray(TORQUES, state.dtype)[action]
        cost = ((angle + jnp.pi) % (2 * jnp.pi) - jnp.pi) ** 2 + 0.1 * rate**2 + 0.001 * torque**2
        rate = rate + (1.5 * _GRAVITY * jnp.sin(angle) + 3 * torque) * _SECONDS
        rate = jnp.clip(rate, -_FASTEST, _FASTEST)
        return jnp.stack([angle + rate * _SECONDS, rate]), -cost, jnp.zeros((), bool)

    return Environment(reset, step, observe, actions=len(TORQUES))


def swing_up(observation: jax.Array, key: jax.Array) -> jax.Array:
    """An expert: with the swing until there is the energy to reach the top, then linear feedback, int `[batch]`.

    Astrom & Furuta, 2000, "Swinging up a pendulum by energy control".
    """
    cosine, sine, rate = observation[:, 0], observation[:, 1], observation[:, 2]
    energy = rate**2 / 6 + _GRAVITY / 2 * (cosine - 1)  # 0 at rest on top; the rod's inertia is 1/3
    swung = jnp.where(energy < 0, 2.0, -2.0) * jnp.sign(jnp.where(rate == 0, 1.0, rate))
    held = -(10 * sine + 3 * rate)
    near = (cosine > 0.85) & (jnp.abs(held) < 6)
    wanted = jnp.where(near, held, swung)
    return jnp.argmin(jnp.abs(wanted[:, None] - jnp.asarray(TORQUES)), axis=1)
