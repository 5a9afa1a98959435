"""The likelihood's gradient is a difference of occupancies, and is zero at the expert's own reward."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.core import Net, view_of
from jaxgen.data.gridworld import gridworld
from jaxgen.losses.adversarial import jensen_shannon
from jaxgen.losses.control import action_values, occupancy
from jaxgen.methods.knowledge.max_entropy_irl import max_entropy_irl
from jaxgen.training.step import build_step, init_state

RNG = np.random.default_rng(0)
TRANSITION, START, GAMMA = RNG.dirichlet(np.ones(3), (3, 2)), np.array([0.5, 0.3, 0.2]), 0.8
PLANTED, GUESS = RNG.normal(size=(2, 3)).astype(np.float32)
PAIRS = {"observation": np.repeat(np.eye(3, dtype=np.float32), 2, 0), "label": np.array([0, 1] * 3, np.int32)}


class Rewards(nn.Module):
    @nn.compact
    def __call__(self, states):
        return states @ self.param("each", nn.initializers.normal(1.0), (3,))


def visits(reward):
    """Occupancy `[states, actions]` of the soft best policy."""
    q = action_values(TRANSITION, reward, GAMMA, steps=300, soft=True)
    return np.asarray(occupancy(TRANSITION, START, jax.nn.softmax(q), GAMMA))


@pytest.mark.parametrize("reward", [GUESS, PLANTED], ids=["of a guess", "of the planted one"])
def test_the_gradient_is_how_much_more_often_the_policy_is_there_than_the_expert(reward):
    method = max_entropy_irl(Net(Rewards(), optax.sgd(1.0)), TRANSITION, discount=GAMMA, backups=100)
    view = view_of(method, jax.jit(lambda: init_state(method, jax.random.key(0), PAIRS))())

    def loss(each, pair):
        held = type(view)(**{**vars(view), "params": {"reward": {"each": each}}})
        batch = jax.tree.map(lambda x: x[None], pair)
        return method.phases[0].loss(held, batch, jax.random.key(0))[0]

    gradients = jax.jit(jax.vmap(jax.grad(loss), (None, 0)))(jnp.asarray(reward), PAIRS)
    expert = visits(PLANTED)
    found = expert.ravel() @ np.asarray(gradients)
    np.testing.assert_allclose(found, (visits(reward) - expert).sum(1), atol=2e-5)
    assert np.abs(visits(GUESS) - expert).max() > 0.01


@pytest.mark.slow
@pytest.mark.optimized
def test_in_a_gridworld_the_policy_of_the_learned_reward_goes_where_the_expert_goes():
    """The expert nearly always takes a best move; its pairs are weighed by its exact occupancy."""
    table, discount = gridworld(4), 0.9
    best = action_values(table.transition, table.reward, discount, steps=200, soft=True)
    expert = jax.nn.softmax(30 * best)
    states, actions = expert.shape
    visited = np.asarray(occupancy(table.transition, table.start, expert, discount))
    drawn = np.random.default_rng(0).choice(visited.size, 20_000, p=visited.ravel() / visited.sum())
    batch = {"observation": np.eye(states, dtype=np.float32)[drawn // actions], "label": np.int32(drawn % actions)}

    class Places(nn.Module):
        @nn.compact
        def __call__(self, x):
            return x @ self.param("each", nn.initializers.zeros, (states,))

    method = max_entropy_irl(Net(Places(), optax.adam(0.3)), table.transition, discount=discount, backups=100)
    step, once = build_step(method), jax.tree.map(lambda x: x[None], batch)
    state = init_state(method, jax.random.key(0), batch)
    run = jax.jit(lambda s: jax.lax.scan(lambda s, _: step(s, once, jax.random.key(1)), s, None, 400)[0])
    reward = view_of(method, run(state))("reward", jnp.eye(states))

    def apart(policy):
        found = occupancy(table.transition, table.start, policy, discount)
        return float(jensen_shannon(found.ravel(), visited.ravel()))

    learned = jax.nn.softmax(action_values(table.transition, reward, discount, steps=200, soft=True))
    assert apart(learned) <= 0.01  # 0.0004
    assert apart(jnp.full_like(expert, 1 / actions)) > 0.1
