"""The information bound on a channel whose information is known."""

import math

import jax
import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import entr

from jaxgen.losses.information import information_bound


def channel(noise):
    """p(c, x) of a fair bit that is flipped with probability `noise`."""
    return 0.5 * np.array([[1 - noise, noise], [noise, 1 - noise]])


def bound(joint, q):
    """Its mean over the channel; q is `[x, c]`, what is said of c when x is seen."""
    values = information_bound(np.log(q.T).ravel(), np.full(4, math.log(0.5)))
    return float(np.sum(joint.ravel() * values))


@pytest.mark.parametrize("noise", [0.02, 0.1, 0.3, 0.5])
def test_at_the_posterior_it_is_the_information_and_below_it_elsewhere(x64, noise):
    joint = channel(noise)
    information = math.log(2) - float(entr(noise) + entr(1 - noise))
    posterior = (joint / joint.sum(0)).T
    assert bound(joint, posterior) == pytest.approx(information, abs=1e-12)
    rng = np.random.default_rng(0)
    assert all(bound(joint, q) <= information + 1e-12 for q in rng.dirichlet(np.ones(2), (50, 2)))
    assert bound(joint, np.full((2, 2), 0.5)) == pytest.approx(0, abs=1e-12)  # the null: who knows nothing


def test_a_network_that_maximises_it_finds_the_posterior(x64):
    joint, noise = channel(0.1), 0.1

    def objective(logits):
        log_q = jax.nn.log_softmax(logits.reshape(2, 2))
        return -jax.numpy.sum(joint.T * information_bound(log_q, math.log(0.5)))

    found = minimize(jax.jit(jax.value_and_grad(objective)), np.zeros(4), jac=True, tol=1e-12)
    assert -found.fun == pytest.approx(math.log(2) - float(entr(noise) + entr(1 - noise)), abs=1e-9)
    np.testing.assert_allclose(jax.nn.softmax(found.x.reshape(2, 2)), (joint / joint.sum(0)).T, atol=1e-5)


def test_unequal_codes_carry_their_own_entropy(x64):
    """A code read without error gives its entropy, whatever the prior: -log p(c), not the number of codes."""
    p = np.array([0.7, 0.2, 0.1])
    values = information_bound(np.zeros(3), np.log(p))
    assert float(np.sum(p * values)) == pytest.approx(float(entr(p).sum()))
