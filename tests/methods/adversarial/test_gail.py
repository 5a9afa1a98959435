"""Imitation: what the policy is paid for, by hand; and a gridworld whose expert is met where it goes."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.core import Net, view_of
from jaxgen.data.demonstrations import demonstrations
from jaxgen.data.gridworld import gridworld, tabular
from jaxgen.environment import Environment
from jaxgen.fitting import fit
from jaxgen.losses.adversarial import jensen_shannon
from jaxgen.losses.control import action_values, log_ratio, occupancy, surviving
from jaxgen.methods.adversarial.gail import gail
from jaxgen.methods.adversarial.policies import expected_return
from jaxgen.models.mlp import MLP, MLPCritic
from jaxgen.training.model import Model
from jaxgen.training.sharding import make_mesh
from jaxgen.training.step import build_step, init_state

KEY = jax.random.key(0)
STILL = Environment(
    lambda key: jax.random.randint(key, (), 0, 3),
    lambda state, action, key: (state, jnp.zeros(()), jnp.zeros((), bool)),
    lambda state: jax.nn.one_hot(state, 3),
    actions=2,
)
# It sees what no rollout does, so that no critic may take the two for each other.
EXPERT = {"observation": -np.eye(3, dtype=np.float32)[[0, 1, 2, 0]], "label": np.ones(4, np.int32)}


class Linear(nn.Module):
    outputs: int = 1

    @nn.compact
    def __call__(self, x):
        y = nn.Dense(self.outputs)(x)
        return y if self.outputs > 1 else y[:, 0]


@pytest.mark.slow
@pytest.mark.parametrize("paid", [surviving, log_ratio])
def test_the_policy_is_paid_what_the_critic_says_of_its_pairs(paid):
    nets = (Net(Linear(n), optax.sgd(0.1)) for n in (2, 1, 1))
    method = gail(*nets, STILL, paid=paid, environments=4, horizon=6, epochs=1)
    state = jax.jit(lambda: init_state(method, KEY, EXPERT))()
    batch = {name: x[None] for name, x in EXPERT.items()}
    step = jax.jit(build_step(method), static_argnums=3)
    after, metrics = step(state, batch, KEY, frozenset({"rollout", "critic", "credit"}))
    kernel, bias = (np.asarray(after.nets["critic"].params["Dense_0"][k]) for k in ("kernel", "bias"))
    played = after.memory["rollout"]
    x = np.concatenate([played.observation, np.eye(2)[np.asarray(played.action)]], axis=-1)
    assert float(metrics["credit/reward"]) == pytest.approx(float(np.mean(paid(x @ kernel[:, 0] + bias))), rel=1e-4)
    # The critic moved towards the expert's pairs and away from those of the rollout.
    view = [view_of(method, s) for s in (state, after)]
    expert = np.concatenate([EXPERT["observation"], np.eye(2)[EXPERT["label"]]], axis=-1)
    gap = [float(v("critic", expert).mean() - v("critic", x.reshape(-1, 5)).mean()) for v in view]
    assert gap[1] > gap[0]


GAMMA = 0.9


@pytest.mark.slow
@pytest.mark.optimized
def test_in_a_gridworld_the_policy_goes_where_the_expert_goes():
    table = gridworld(4)
    world = tabular(table)
    values = action_values(table.transition, table.reward, GAMMA, steps=200, soft=True)
    best = jax.nn.softmax(30 * values)

    def expert(seen, key):
        return jax.random.categorical(key, jnp.log(seen @ best))

    data = demonstrations("grid", world, expert, trajectories=50, limit=100)
    adam = optax.adam(3e-4)  # slower than the critic, or the policy runs ahead of its word
    method = gail(
        Net(MLP(4, (32,)), adam), Net(MLPCritic(hidden=(32,)), adam), Net(MLPCritic(hidden=(32,)), optax.adam(5e-3)),
        world, environments=32, horizon=64, limit=100, discount=GAMMA, entropy=0.02, critic_steps=5,
    )  # fmt: skip
    state, _ = fit(method, data, steps=800, key=KEY, batch_size=256)
    policy = jax.nn.softmax(view_of(method, state)("actor", jnp.eye(16)))

    def apart(policy):
        rho = (occupancy(table.transition, table.start, p, GAMMA).ravel() for p in (policy, best))
        return float(jensen_shannon(*rho))

    assert apart(policy) <= 0.05  # 0.008, 0.025 and 0.002 by three keys; 0.134 for actions at random
    assert apart(np.full((16, 4), 0.25)) > 0.1
    earned = expected_return(world, expert, limit=100)
    model = Model(method, state, make_mesh())
    begin = init_state(method, KEY, {k: x[None] for k, x in data.train.describe().items()})
    reached, untrained = earned.compute(model, None)["return"], model.with_state(begin)
    assert reached > 3 * earned.nulls["untrained"](untrained, None)["return"]
    chain = np.einsum("sa,sat->st", best, table.transition)
    exact = sum(table.start @ np.linalg.matrix_power(chain, t) @ table.reward for t in range(100))
    assert earned.nulls["expert"](model, None)["return"] == pytest.approx(exact, rel=0.03)
