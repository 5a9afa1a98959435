"""Proximal policy optimization: advantages by hand, epochs on one rollout, and a walk that learns where it pays."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.core import Net
from jaxgen.environment import Environment
from jaxgen.fitting import fit
from jaxgen.methods.adversarial.ppo import ppo
from jaxgen.training.step import build_step, init_state

KEY = jax.random.key(0)


class Tiny(nn.Module):
    outputs: int
    dropout: float = 0.0

    @nn.compact
    def __call__(self, x, *, train=False):
        x = nn.Dropout(self.dropout, deterministic=not train)(x)
        y = nn.Dense(self.outputs, kernel_init=nn.initializers.zeros)(x)
        return y if self.outputs > 1 else y[:, 0]


def step(state, action, key):
    """Action 1 pays, and every fourth step ends."""
    time = (state + 1) % 4
    return time, action.astype(jnp.float32), time == 0


BANDIT = Environment(lambda key: jnp.zeros((), int), step, lambda state: jax.nn.one_hot(state, 4), 2)


def test_the_value_learns_what_was_earned_and_advantages_are_how_many_deviations_more_that_is():
    """Both episodes of four steps end within the rollout, so that with a decay of 1 nothing is guessed."""
    method = ppo(
        *(Net(Tiny(n), optax.sgd(0.1)) for n in (2, 1)), BANDIT, environments=4, horizon=8, discount=0.9, decay=1.0
    )
    batch = {"x": jnp.zeros((1, 4, 1))}
    state = init_state(method, KEY, {"x": batch["x"][0]})
    guess = jax.tree.map(lambda p: p + 0.7 * jnp.arange(p.size).reshape(p.shape), state.nets["value"].params)
    state.nets["value"] = dataclasses.replace(state.nets["value"], params=guess)
    memory = jax.jit(build_step(method), static_argnums=3)(state, batch, KEY, frozenset({"rollout", "credit"}))[
        0
    ].memory
    reward, earned = np.asarray(memory["rollout"].reward).reshape(2, 4, 4), np.zeros((2, 4, 4))
    for time in (3, 2, 1, 0):
        earned[:, time] = reward[:, time] + (0.9 * earned[:, time + 1] if time < 3 else 0)
    earned = earned.reshape(8, 4)
    np.testing.assert_allclose(memory["credit"]["returns"], earned, atol=1e-5)
    more = earned - 0.7 * (np.arange(8) % 4)[:, None]
    np.testing.assert_allclose(memory["credit"]["advantage"], (more - more.mean()) / more.std(), atol=1e-5)


@pytest.mark.slow
def test_epochs_see_one_rollout_and_what_pays_is_done():
    method = ppo(
        Net(Tiny(2), optax.adam(0.05)), Net(Tiny(1), optax.adam(0.05)), BANDIT, environments=8, horizon=8, epochs=4
    )
    state, history = fit(method, {"x": np.zeros((8, 1), np.float32)}, steps=40, key=KEY, batch_size=4)
    assert history["rollout/reward"][0] < 0.7
    assert history["rollout/reward"][-5:].mean() > 0.95
    assert (history["improve/epoch"] == 3).all()
    assert state.nets["actor"].opt_state[0].count == 160
    # On the rollout's own policy, masks and all, the ratio is 1, and the normalized advantages have no mean.
    actor = Net(Tiny(2, dropout=0.5), optax.adam(0.05), streams=("dropout",))
    once = ppo(actor, Net(Tiny(1), optax.adam(0.05)), BANDIT, environments=8, horizon=8, epochs=1)
    _, history = fit(once, {"x": np.zeros((8, 1), np.float32)}, steps=3, key=KEY, batch_size=4)
    np.testing.assert_allclose(history["improve/gain"], 0.0, atol=1e-5)
