"""Worlds against the equations of others, whole and by energy; the gridworld against simulation; what experts did."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.data import pendulum as swing
from jaxgen.data.cartpole import balance, cartpole
from jaxgen.data.demonstrations import demonstrations
from jaxgen.data.gridworld import gridworld, tabular
from jaxgen.environment import play, returns, start

KEY = jax.random.key(0)


@pytest.mark.parametrize(("name", "make"), [("CartPole-v1", cartpole), ("Pendulum-v1", swing.pendulum)])
def test_a_thousand_random_steps_are_gymnasium_s(name, make, x64):
    gymnasium = pytest.importorskip("gymnasium")
    theirs, ours, rng = gymnasium.make(name).unwrapped, make(), np.random.default_rng(0)
    step = jax.jit(ours.step)
    theirs.reset(seed=0)
    for _ in range(1000):
        state = jnp.asarray(theirs.state, jnp.float64)
        action = int(rng.integers(ours.actions))
        seen, reward, ended, _, _ = theirs.step(action if ours.actions == 2 else swing.TORQUES[[action]].astype(float))
        after, found, over = step(state, action, KEY)
        np.testing.assert_allclose(after, theirs.state, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(ours.observe(after), seen, rtol=1e-6)
        assert (float(found), bool(over)) == (pytest.approx(float(reward), abs=1e-12), ended)
        if ended:
            theirs.reset()


def test_the_cart_obeys_the_equations_of_motion(x64):
    """Newton's for the cart and Euler's for the pole about its pivot, of which the step solves for both."""
    g, force, half, cart, pole = 9.8, 10.0, 0.5, 1.0, 0.1
    for state in np.random.default_rng(0).normal(0, [1, 1, 0.1, 1], (5, 4)):
        for action in (0, 1):
            after, _, _ = cartpole().step(jnp.asarray(state), action, KEY)
            (_, a, _, b), angle, turn = (np.asarray(after) - state) / 0.02, state[2], state[3]
            push = force * (2 * action - 1)
            sideways = (cart + pole) * a + pole * half * (b * np.cos(angle) - turn**2 * np.sin(angle))
            np.testing.assert_allclose(sideways, push, atol=1e-9)
            about = (4 / 3) * half * b + a * np.cos(angle) - g * np.sin(angle)
            np.testing.assert_allclose(about, 0, atol=1e-9)


def test_the_pendulum_keeps_its_energy_but_for_the_length_of_a_step(x64):
    """A rod of 1 kg and 1 m: rate^2 / 6 + 5 cos(angle); the torque's work is what is added."""
    world = swing.pendulum()
    for state in np.random.default_rng(0).normal(0, [2, 2], (5, 2)):
        for action, torque in enumerate(swing.TORQUES):
            after = np.asarray(world.step(jnp.asarray(state), action, KEY)[0])
            energy = [rate**2 / 6 + 5 * math.cos(angle) for angle, rate in (state, after)]
            moved = after - state
            curvature = moved[1] ** 2 / 6 + 5 * moved[0] ** 2  # of the terms of second order in time
            assert abs(energy[1] - energy[0] - torque * moved[0]) < 1.5 * curvature + 1e-6


@pytest.mark.parametrize(
    ("world", "expert", "limit", "at_least", "random_at_most"),
    [(cartpole(), balance, 200, 199.9, 40), (swing.pendulum(), swing.swing_up, swing.STEPS, -260, -900)],
)
def test_experts_are_experts_and_what_is_random_is_not(world, expert, limit, at_least, random_at_most):
    def both(seen, key):  # half of the episodes each
        some = jax.random.randint(key, (len(seen),), 0, world.actions)
        return jnp.where(jnp.arange(len(seen)) < 25, expert(seen, key), some)

    earned = np.asarray(jax.jit(lambda key: returns(world, both, key, count=50, limit=limit))(KEY))
    assert earned[:25].mean() > at_least
    assert earned[25:].mean() < random_at_most


def test_the_grid_s_table_is_what_its_environment_does():
    table = gridworld(3, slip=0.2)
    np.testing.assert_allclose(table.transition.sum(-1), 1)
    world = tabular(table)

    def act(seen, key):
        return jax.random.randint(key, (len(seen),), 0, 4)

    _, played = jax.jit(lambda key: play(world, act, start(world, key, 200), key, steps=200))(KEY)
    here, there = (np.asarray(x).argmax(-1).ravel() for x in (played.observation, played.following))
    counts = np.zeros((9, 4, 9))
    np.add.at(counts, (here, np.asarray(played.action).ravel(), there), 1)
    total = counts.sum(-1, keepdims=True)
    error = np.sqrt(table.transition * (1 - table.transition) / np.maximum(total, 1))
    assert (np.abs(counts / np.maximum(total, 1) - table.transition) < 4.5 * error + 1e-9)[total[..., 0] > 0].all()
    np.testing.assert_array_equal(played.reward, np.asarray(played.observation)[..., -1])
    assert table.transition[4, 1, 7] == pytest.approx(0.8 + 0.2 / 4)  # from the middle, down
    assert table.transition[0, 0, 0] == pytest.approx(0.8 + 0.4 / 4)  # two walls


def test_demonstrations_are_pairs_of_whole_episodes_thinned():
    data = demonstrations("cart", cartpole(), balance, trajectories=3, limit=40, every=10)
    assert data.train.spec["observation"].shape == (4,)
    assert len(data.train) == 3 * 4
    pairs = data.train[np.arange(12)]
    np.testing.assert_array_equal(pairs["label"], balance(pairs["observation"], KEY))
    assert np.abs(pairs["observation"]).max() > 0.05  # not the first steps alone
    # One who lets the pole fall has no pairs of after that.
    falls = demonstrations("cart", cartpole(), lambda seen, key: jnp.zeros(len(seen), int), trajectories=20, limit=40)
    seen = falls.train[np.arange(len(falls.train))]["observation"]
    assert np.abs(seen[:, 2]).max() <= 12 * math.pi / 180
    assert len(falls.train) < 20 * 12
