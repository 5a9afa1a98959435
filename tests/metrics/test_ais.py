"""Annealed importance sampling on a linear Gaussian model, whose log p(x) is known; its moves by themselves."""

import jax
import numpy as np
import pytest
from scipy import stats

from jaxgen.losses import ppca, variational
from jaxgen.metrics import ais

MODEL = ppca.PPCA(np.zeros(6), np.random.default_rng(0).normal(size=(6, 3)), np.array(0.3))
CHAINS, BATCH = 64, 4


log_prob, posterior = jax.jit(ppca.log_prob), jax.jit(ppca.posterior)
lower_bound, upper_bound = jax.jit(ais.lower_bound), jax.jit(ais.upper_bound)


@jax.jit
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
        keys, rng = [jax.random.key(seed) for seed in range(3)], np.random.default_rng(1)
        z = rng.normal(size=(BATCH, 3))
        x = z @ MODEL.weights.T + np.sqrt(0.3) * rng.normal(size=(BATCH, 6))
        prior = rng.normal(size=(CHAINS, BATCH, 3))
        exact = np.broadcast_to(z, prior.shape)  # one exact sample, from which independent chains start
        betas = np.asarray(jax.jit(ais.temperatures, static_argnums=0)(500))
        tuned = np.asarray(chains(x, prior, keys[0], betas, np.full((499, BATCH), 0.1), adapt=0.02).step_sizes)
        bounds = {}
        for name, steps in (("tuned", tuned), ("too large", np.full_like(tuned, 2.0))):
            forward = chains(x, prior, keys[1], betas, steps, adapt=0.0)
            backward = chains(x, exact, keys[2], betas[::-1], steps[::-1], adapt=0.0)
            bounds[name] = np.asarray(lower_bound(forward)), np.asarray(upper_bound(backward)), forward
        return x, np.asarray(log_prob(x, MODEL)), jax.device_get(bounds)


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
    mean, covariance = jax.device_get(posterior(x, MODEL))
    noise, triangle = np.random.default_rng(7).normal(size=(4000, BATCH, 3)), np.linalg.cholesky(covariance)
    after = jax.device_get(chains(x, mean + noise @ triangle.T, jax.random.key(8), np.ones(6), 0.1))
    assert 0.5 < after.acceptance.mean() < 0.999
    np.testing.assert_array_equal(after.log_weights, 0)
    whitened = (after.z - mean) @ np.linalg.inv(triangle).T
    assert np.abs(np.corrcoef(whitened[:, 0, 0], noise[:, 0, 0])[0, 1]) < 0.9  # they have moved
    assert min(stats.kstest(whitened[:, b, i], "norm").pvalue for b in range(BATCH) for i in range(3)) > 1e-4
    np.testing.assert_allclose(np.cov(whitened[:, 0].T), np.eye(3), atol=0.1)


def test_rejections_shrink_with_the_square_of_the_step(measured, x64):
    """A leapfrog is off by the square of its step, if the last momentum is of the time of the last position."""
    x = measured[0]
    mean, covariance = jax.device_get(posterior(x, MODEL))
    start = mean + np.random.default_rng(7).normal(size=(4000, BATCH, 3)) @ np.linalg.cholesky(covariance).T
    rejected = [
        1 - np.asarray(chains(x, start, jax.random.key(8), np.ones(6), step).acceptance).mean() for step in (0.2, 0.1)
    ]
    assert rejected[0] / rejected[1] > 3


def test_temperatures_go_from_prior_to_posterior():
    betas = jax.jit(ais.temperatures, static_argnums=0)(50)
    assert betas[0] == 0
    assert betas[-1] == 1
    assert (np.diff(betas) > 0).all()
