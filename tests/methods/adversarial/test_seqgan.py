"""SeqGAN on all 27 sequences of three symbols, where what a symbol is worth, and the gradient, are sums."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.core import Net, view_of
from jaxgen.methods.adversarial.seqgan import completed, seqgan, symbol_log_probs, values, written
from jaxgen.models.adversarial.sequence import SequenceCritic
from jaxgen.models.autoregressive.lstm import LSTM
from jaxgen.training.step import init_state

KEY = jax.random.key(0)
ALL = np.array(list(itertools.product(range(3), repeat=3)), np.int32)
WORTH = np.random.default_rng(0).normal(size=27).astype(np.float32)


def reward(tokens):
    return jnp.asarray(WORTH)[tokens @ jnp.array([9, 3, 1])]


@pytest.fixture(scope="module")
def game():
    policy = Net(LSTM(3, width=4), optax.sgd(1.0))
    method = seqgan(policy, Net(SequenceCritic(4, (2,), 4), optax.sgd(0.1)), length=3, rollouts=2)
    state = jax.jit(lambda: init_state(method, KEY, {"tokens": ALL}))()
    wide = jax.tree.map(lambda x: 3 * x, state.nets["policy"].params)  # far from uniform
    nets = {**state.nets, "policy": dataclasses.replace(state.nets["policy"], params=wide)}
    return method, view_of(method, dataclasses.replace(state, nets=nets))


def test_what_is_written_follows_the_policy_and_what_is_kept_stays(game):
    _, view = game
    p = np.exp(symbol_log_probs(view, ALL).sum(1))
    np.testing.assert_allclose(p.sum(), 1, rtol=1e-5)
    assert p.max() > 3 / 27

    def draw(key):
        tokens = jnp.tile(jnp.array([[2, 1, 0]], jnp.int32), (4000, 1))
        kept = jnp.repeat(jnp.array([0, 2]), 2000)
        return completed(view, tokens, kept, key)

    found = np.asarray(jax.jit(draw)(KEY))
    free, begun = found[:2000], found[2000:]
    seen = np.bincount(free @ [9, 3, 1], minlength=27) / 2000
    np.testing.assert_allclose(seen, p, atol=4.5 * np.sqrt(p.max() / 2000))
    assert (begun[:, :2] == [2, 1]).all()
    given = p[21:24] / p[21:24].sum()
    np.testing.assert_allclose(np.bincount(begun[:, 2], minlength=3) / 2000, given, atol=4.5 * 0.5 / np.sqrt(2000))
    cold = written(view, KEY, 50, 3, temperature=1e-3)
    assert (np.asarray(cold) == np.asarray(cold)[0]).all()


def test_symbols_are_worth_the_mean_of_what_may_follow(game):
    _, view = game
    p = np.exp(np.asarray(symbol_log_probs(view, ALL)).sum(1)).reshape(3, 3, 3)
    worth = WORTH.reshape(3, 3, 3)
    expected = np.stack(
        [
            np.repeat((p * worth).sum((1, 2)) / p.sum((1, 2)), 9),
            np.repeat(((p * worth).sum(2) / p.sum(2)).ravel(), 3),
            WORTH,
        ],
        axis=1,
    )
    found = np.asarray(jax.jit(lambda key: values(view, jnp.asarray(ALL), reward, key, 400))(KEY))
    np.testing.assert_allclose(found[:, 2], WORTH, rtol=1e-6)
    np.testing.assert_allclose(found, expected, atol=4.5 * np.ptp(WORTH) / 2 / np.sqrt(400))
    assert np.ptp(expected[:, 0]) > 0.1


@pytest.mark.slow
def test_the_gradient_s_mean_is_that_of_the_expected_probability_d(game):
    method, view = game
    batch = {"tokens": np.zeros((64, 3), np.int32)}
    d = np.asarray(jax.nn.sigmoid(view("critic", jax.nn.one_hot(ALL, 3))))

    def of(params):
        return dataclasses.replace(view, params={**view.params, "policy": params})

    exact = jax.grad(lambda p: -jnp.sum(jnp.exp(symbol_log_probs(of(p), ALL).sum(1)) * d))(view.params["policy"])
    loss = method.phases[1].loss
    one = jax.grad(lambda p, key: loss(of(p), batch, key)[0])
    drawn = jax.jit(lambda keys: jax.lax.map(lambda key: one(view.params["policy"], key), keys))(
        jax.random.split(KEY, 300)
    )
    flat, exact = (
        np.concatenate([np.reshape(x, (n, -1)) for x in jax.tree.leaves(tree)], 1)
        for tree, n in ((drawn, 300), (exact, 1))
    )
    error = flat.std(0) / np.sqrt(300)
    assert (np.abs(flat.mean(0) - exact[0]) / np.maximum(error, 1e-8)).max() < 4.5
    assert np.abs(exact).max() > 20 * error.max()  # the test could see a wrong one


def test_all_parameters_of_the_policy_that_completes_lag():
    policy = Net(LSTM(3, width=4), optax.sgd(1.0), ema_decay=0.8)
    method = seqgan(policy, Net(SequenceCritic(4, (1,), 4), optax.sgd(0.1)), length=3, rollouts=50)
    state = jax.jit(lambda: init_state(method, KEY, {"tokens": ALL}))()

    # The policy writes nothing but 0, its average nothing but 2: the average's endings are what is worth something.
    def of(symbol):
        zeros = jax.tree.map(jnp.zeros_like, state.nets["policy"].params)
        return {**zeros, "head": {**zeros["head"], "bias": 50 * jax.nn.one_hot(symbol, 3)}}

    nets = {**state.nets, "policy": dataclasses.replace(state.nets["policy"], params=of(0), ema=of(2))}
    view = view_of(method, dataclasses.replace(state, nets=nets))
    paid = jnp.array([0.0, 0.0, 1.0])
    found = values(view.averaged(), jnp.zeros((1, 3), jnp.int32), lambda tokens: paid[tokens[:, 2]], KEY, 5)
    np.testing.assert_array_equal(found, [[1, 1, 0]])
