"""Playing many environments: when they begin anew, what counts as the end, and what an episode earns."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.environment import Environment, play, returns, start

KEY = jax.random.key(0)
# Counts from 10 on by what is done, pays what it counts, and ends at 13.
COUNTER = Environment(
    lambda key: jnp.full((), 10),
    lambda state, action, key: (state + action, (state + action).astype(jnp.float32), state + action >= 13),
    lambda state: jnp.stack([state]),
    actions=3,
)


def test_an_episode_begins_anew_at_its_end_or_when_its_time_is_over():
    def act(seen, key):
        return jnp.array([1, 0])  # the first ends, the second stays

    underway, played = play(COUNTER, act, start(COUNTER, KEY, 2), KEY, steps=7, limit=5)
    np.testing.assert_array_equal(played.observation[:, 0, 0], [10, 11, 12, 10, 11, 12, 10])
    np.testing.assert_array_equal(played.following[:, 0, 0], [11, 12, 13, 11, 12, 13, 11])
    np.testing.assert_array_equal(played.ended.T, [[0, 0, 1, 0, 0, 1, 0], [0] * 7])
    np.testing.assert_array_equal(played.cut.T, [[0, 0, 1, 0, 0, 1, 0], [0, 0, 0, 0, 1, 0, 0]])
    np.testing.assert_array_equal(underway.age, [1, 2])
    again, _ = play(COUNTER, act, underway, KEY, steps=1)
    np.testing.assert_array_equal(again.state, [12, 10])


def test_an_episode_earns_what_it_earns_until_its_end():
    earned = returns(COUNTER, lambda seen, key: jnp.array([1, 2, 0]), KEY, count=3, limit=4)
    np.testing.assert_array_equal(earned, [11 + 12 + 13, 12 + 14, 40])
