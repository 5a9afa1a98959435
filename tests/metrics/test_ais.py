"""Annealed importance sampling on a linear Gaussian model, whose log p(x) is known; its moves by themselves."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxgen.losses import ppca, variational
from jaxgen.metrics import ais

MODEL = ppca.PPCA(np.zeros(6), np.random.default_rng(0).normal(size=(6, 3)), np.array(0.3))
CHAINS, BATCH = 64, 4


@functools.partial(jax.jit, static_argnames="adapt")
def chains(x, z, key, betas, step_sizes, adapt=0.0):
    def log_likelihood(z):
        of_chain = lambda z: variational.gaussian_log_prob(x, z @ MODEL.weights.T, np.log(MODEL.noise_variance))  # noqa: E731
        return jax.vmap(of_chain)(z)

    log_prior = jax.vmap(lambda z: variational.gaussian_log_prob(z, 0.0, 0.0))
    return ais.anneal(log_prior, log_likelihood, z, key, betas=betas, step_sizes=step_sizes, adapt=adapt)


@pytest.fixture(scope="module")
def measured():
    """Both bounds of four x that the model has drawn, with tuned step sizes and with one that is far too large."""
    with jax.enable_x64(True):
        keys = jax.random.split(jax.random.key(0), 6)
        z = jax.random.normal(keys[0], (BATCH, 3))
        x = z @ MODEL.weights.T + np.sqrt(0.3) * jax.random.normal(keys[1], (BATCH, 6))
        prior = jax.random.normal(keys[2], (CHAINS, BATCH, 3))
        posterior = jnp.broadcast_to(z, prior.shape)  # one exact sample, from which independent chains start
        betas = ais.temperatures(500)
        tuned = chains(x, prior, keys[3], betas, 0.1, adapt=0.02)
        bounds = {}
        for name, steps in (("tuned", tuned.step_sizes), ("too large", jnp.full_like(tuned.step_sizes, 2.0))):
            forward = chains(x, prior, keys[4], betas, steps)
            backward = chains(x, posterior, keys[5], betas[::-1], steps[::-1])
            bounds[name] = np.asarray(ais.lower_bound(forward)), np.asarray(ais.upper_bound(backward)), forward
        return x, np.asarray(ppca.log_prob(x, MODEL)), bounds


def test_the_bounds_bracket_the_evidence_of_each_example_closely(measured):
    _, truth, bounds = measured
    lower, upper, forward = bounds["tuned"]
    assert np.ptp(truth) > 0.5  # or a mean over the wrong axis would pass
    np.testing.assert_allclose(lower, truth, atol=0.2)
    np.testing.assert_allclose(upper, truth, atol=0.2)
    assert abs((upper - lower).mean()) < 0.15
    assert forward.acceptance.mean() > 0.5


def test_steps_that_fail_are_seen_by_the_distance_of_the_bounds_alone(measured):
    _, truth, bounds = measured
    lower, upper, forward = bounds["too large"]
    assert forward.acceptance[-1] < 0.2
    assert (upper - lower).mean() > 1
    assert lower.mean() < truth.mean() < upper.mean()


def test_chains_end_in_the_posterior_and_moves_keep_it(measured, x64):
    """At a constant temperature of 1, from exact samples, 4,000 chains stay where they belong."""
    x = measured[0]
    mean, covariance = ppca.posterior(x, MODEL)
    noise = jax.random.normal(jax.random.key(7), (4000, BATCH, 3))
    start = mean + noise @ jnp.linalg.cholesky(covariance).T
    after = chains(x, start, jax.random.key(8), jnp.ones(6), 0.1)
    assert 0.5 < after.acceptance.mean() < 0.999
    np.testing.assert_array_equal(after.log_weights, 0)
    whitened = np.asarray((after.z - mean) @ jnp.linalg.inv(jnp.linalg.cholesky(covariance)).T)
    assert np.abs(np.corrcoef(whitened[:, 0, 0], noise[:, 0, 0])[0, 1]) < 0.9  # they have moved
    assert min(stats.kstest(whitened[:, b, i], "norm").pvalue for b in range(BATCH) for i in range(3)) > 1e-4
    np.testing.assert_allclose(np.cov(whitened[:, 0].T), np.eye(3), atol=0.1)


def test_rejections_shrink_with_the_square_of_the_step(measured, x64):
    """A leapfrog is off by the square of its step, if the last momentum is of the time of the last position."""
    x = measured[0]
    mean, covariance = ppca.posterior(x, MODEL)
    start = mean + jax.random.normal(jax.random.key(7), (4000, BATCH, 3)) @ jnp.linalg.cholesky(covariance).T
    rejected = [1 - chains(x, start, jax.random.key(8), jnp.ones(6), step).acceptance.mean() for step in (0.2, 0.1)]
    assert rejected[0] / rejected[1] > 3


def test_temperatures_go_from_prior_to_posterior():
    betas = ais.temperatures(50)
    assert betas[0] == 0
    assert betas[-1] == 1
    assert (np.diff(betas) > 0).all()
