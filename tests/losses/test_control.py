"""Occupancy by its series, values by every policy there is, soft ones by their fixed point, advantages by hand."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import logsumexp, softmax

from jaxgen.losses.control import (
    action_values,
    advantages,
    clipped_gain,
    ending,
    log_ratio,
    occupancy,
    surviving,
)

RNG = np.random.default_rng(0)
TRANSITION = RNG.dirichlet(np.ones(3), (3, 2))
START, REWARD, GAMMA = np.array([0.7, 0.2, 0.1]), np.array([0.0, 1.0, -0.5]), 0.9
POLICY = RNG.dirichlet(np.ones(2), 3)


def test_occupancy_is_the_discounted_sum_of_what_happens(x64):
    chain, at, expected = np.einsum("sa,sat->st", POLICY, TRANSITION), START, np.zeros((3, 2))
    for t in range(400):
        expected += (1 - GAMMA) * GAMMA**t * at[:, None] * POLICY
        at = at @ chain
    found = occupancy(TRANSITION, START, POLICY, GAMMA)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    np.testing.assert_allclose(found.sum(), 1, atol=1e-12)


def test_value_iteration_finds_the_best_of_all_policies(x64):
    worth = []
    for actions in itertools.product(range(2), repeat=3):
        chain = TRANSITION[np.arange(3), actions]
        worth.append(np.linalg.solve(np.eye(3) - GAMMA * chain, REWARD))
    found = action_values(TRANSITION, REWARD, GAMMA, steps=300)
    np.testing.assert_allclose(found.max(1), np.max(worth, 0), rtol=1e-10)
    # After k backups the error is at most gamma^k times that of the start.
    short = action_values(TRANSITION, REWARD, GAMMA, steps=20)
    assert np.abs(short - found).max() <= GAMMA**20 * np.abs(found).max() * (1 + 1e-9)


def test_soft_values_are_of_most_return_and_entropy_together(x64):
    q = np.asarray(action_values(TRANSITION, REWARD, GAMMA, steps=400, soft=True))

    def objective(policy):
        rho = occupancy(TRANSITION, START, policy, GAMMA)
        return jnp.sum(rho * (REWARD[:, None] - jnp.log(policy))) / (1 - GAMMA)

    best = softmax(q, axis=1)
    assert float(objective(best)) == pytest.approx(float(START @ logsumexp(q, axis=1)), rel=1e-10)
    slope = jax.grad(lambda logits: objective(jax.nn.softmax(logits)))(jnp.asarray(q))
    np.testing.assert_allclose(slope, 0, atol=1e-9)
    assert np.abs(jax.grad(lambda logits: objective(jax.nn.softmax(logits)))(jnp.zeros((3, 2)))).max() > 0.1


def test_the_three_rewards_and_their_bias(x64):
    """At the best D they are functions of the ratio of occupancies alone; two of them prefer lives of some length."""
    expert, policy = (RNG.dirichlet(np.ones(6)) for _ in range(2))
    d = expert / (expert + policy)
    logits = np.log(d / (1 - d))
    np.testing.assert_allclose(surviving(logits), -np.log(1 - d), rtol=1e-12)
    np.testing.assert_allclose(ending(logits), np.log(d), rtol=1e-12)
    np.testing.assert_allclose(policy @ log_ratio(logits), -np.sum(policy * np.log(policy / expert)), rtol=1e-12)
    # A life that may go on (a0) or end (a1), judged by a critic who cannot tell the two: what the best does.
    go_on = np.zeros((2, 2, 2))
    go_on[0, 0, 0] = go_on[0, 1, 1] = go_on[1, :, 1] = 1
    for paid, choice in ((surviving, 0), (ending, 1)):
        earned = np.array([paid(np.zeros(2)), np.zeros(2)])  # nothing is earned after the end
        assert np.argmax(action_values(go_on, earned, 0.9, steps=100)[0]) == choice
    assert not np.any(log_ratio(np.zeros(2)))
    extreme = np.array([-1e4, 1e4])
    assert all(np.isfinite(paid(extreme)).all() for paid in (surviving, ending, log_ratio))


def test_advantages_are_decayed_sums_of_temporal_differences_cut_where_an_episode_ends():
    rng = np.random.default_rng(0)
    reward, values, following = rng.normal(size=(3, 6, 2))
    ended, cut = np.zeros((2, 6, 2))
    ended[2, 0] = cut[2, 0] = cut[3, 1] = 1.0  # the second is over by time alone, and what follows has its worth
    gamma, decay = 0.9, 0.8
    expected = np.zeros((6, 2))
    for env in range(2):
        for t in range(6):
            weight = 1.0
            for s in range(t, 6):
                bootstrap = 0.0 if ended[s, env] else gamma * following[s, env]
                expected[t, env] += weight * (reward[s, env] + bootstrap - values[s, env])
                if cut[s, env]:
                    break
                weight *= gamma * decay
    found = advantages(reward, ended, cut, values, following, gamma, decay)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_clipped_gain_is_never_more_than_the_ratio_s_and_flat_where_it_went_far_enough():
    ratio, advantage = np.meshgrid(np.linspace(0.31, 1.91, 33), [-2.0, 0.5])
    gain, slope = jax.vmap(jax.vmap(jax.value_and_grad(clipped_gain), (0, 0, None)), (0, 0, None))(
        ratio, advantage, 0.2
    )
    far = np.where(advantage > 0, ratio > 1.2, ratio < 0.8)
    np.testing.assert_allclose(slope, np.where(far, 0, advantage), rtol=1e-6)
    assert (gain <= ratio * advantage + 1e-6).all()
    np.testing.assert_allclose(gain[~far], (ratio * advantage)[~far], rtol=1e-6)
