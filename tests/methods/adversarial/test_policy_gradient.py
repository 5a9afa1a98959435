"""Policy gradients on all 27 sequences of three tokens, where every expectation is a sum."""

import itertools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxgen.core import Net, view_of
from jaxgen.methods.adversarial.policy_gradient import drawn, likelihood, log_prob, reinforce
from jaxgen.training.step import init_state

KEY = jax.random.key(0)
ALL = np.array(list(itertools.product(range(3), repeat=3)), np.int32)
REWARD = np.random.default_rng(0).normal(size=27).astype(np.float32)


class Table(nn.Module):
    """Logits that depend on the place and the token before."""

    @nn.compact
    def __call__(self, tokens):
        table = self.param("table", nn.initializers.normal(0.7), (3, 4, 3))
        before = jnp.pad(tokens[:, :-1], ((0, 0), (1, 0)), constant_values=3)
        return table[jnp.arange(3), before]


def reward(tokens):
    return jnp.asarray(REWARD)[tokens @ jnp.array([9, 3, 1])]


def policy(method):
    state = init_state(method, KEY, {"tokens": ALL})
    return view_of(method, state)


def test_log_probabilities_are_those_of_sequences_and_samples_follow_them():
    view = policy(likelihood(Net(Table(), optax.sgd(1.0)), length=3))
    p = np.exp(log_prob(view, ALL))
    np.testing.assert_allclose(p.sum(), 1.0, rtol=1e-5)
    tokens = jax.jit(lambda key: drawn(view, key, 20_000, 3))(KEY)
    seen = np.bincount(np.asarray(tokens) @ [9, 3, 1], minlength=27) / 20_000
    np.testing.assert_allclose(seen, p, atol=5 * np.sqrt(p.max() / 20_000))


def test_the_gradient_s_mean_is_that_of_the_expected_reward():
    method = reinforce(Net(Table(), optax.sgd(1.0)), reward, length=3)
    view = policy(method)
    batch = {"tokens": np.zeros((64, 3), np.int32)}

    def with_table(table):
        return type(view)(**{**vars(view), "params": {"policy": {"table": table}}})

    table = view.params["policy"]["table"]
    exact = jax.grad(lambda t: -jnp.sum(jnp.exp(log_prob(with_table(t), ALL)) * REWARD))(table)
    one = jax.grad(lambda t, key: method.phases[0].loss(with_table(t), batch, key)[0])
    drawn_gradients = jax.jit(jax.vmap(lambda key: one(table, key)))(jax.random.split(KEY, 400))
    mean, error = drawn_gradients.mean(0), drawn_gradients.std(0) / 20
    z = np.abs(mean - exact) / np.maximum(error, 1e-6)
    assert z.max() < 4.5
    assert np.abs(exact).max() > 20 * error.max()  # the test could see a wrong one


class Masked(nn.Module):
    """Logits that dropout decides: of 0, and of 1,000 for tokens that it keeps."""

    @nn.compact
    def __call__(self, tokens, *, train=False):
        scale = self.param("scale", nn.initializers.constant(500.0), ())
        return nn.Dropout(0.5, deterministic=not train)(jnp.broadcast_to(scale, (len(tokens), 3, 3)))


def test_sequences_are_scored_under_the_masks_they_were_drawn_under():
    """Whichever tokens a mask keeps are equally probable under it, at least 1/3 each; under another mask, e^-1000."""
    method = reinforce(Net(Masked(), optax.sgd(1.0), streams=("dropout",)), reward, length=3)
    view, batch = policy(method), {"tokens": np.zeros((64, 3), np.int32)}
    loss, _ = jax.jit(lambda key: method.phases[0].loss(view, batch, key))(KEY)
    assert abs(loss) < 2 * np.abs(REWARD).max() * 3 * np.log(3)
