"""The best diagonal Gaussian for a correlated one, whose gap is known, and an encoder that is off it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxgen.quality import refine

COVARIANCE = np.array([[1.0, 0.8], [0.8, 2.0]])
MEAN, LOG_EVIDENCE = np.array([0.5, -1.0]), -3.0
PRECISION = np.linalg.inv(COVARIANCE)


def log_joint(z):
    """Of an x whose posterior is the correlated Gaussian."""
    return LOG_EVIDENCE + jax.scipy.stats.multivariate_normal.logpdf(z, MEAN, COVARIANCE)


def test_refining_finds_the_posterior_s_mean_and_its_precisions_and_the_family_s_gap(x64):
    start = jnp.array([[2.0, 2.0]]), jnp.array([[-2.0, 0.5]])
    mean, log_variance = jax.jit(lambda key: refine.refine(log_joint, *start, key))(jax.random.key(0))
    np.testing.assert_allclose(mean[0], MEAN, atol=0.02)
    np.testing.assert_allclose(np.exp(-log_variance[0]), np.diag(PRECISION), rtol=0.03)
    gap = (np.log(np.diag(PRECISION)).sum() - np.linalg.slogdet(PRECISION)[1]) / 2
    found = refine.elbo(log_joint, mean, log_variance, jax.random.key(1), draws=20_000)[0]
    assert found == pytest.approx(LOG_EVIDENCE - gap, abs=0.02)
    # The encoder's own: KL of the Gaussian where it began from the posterior.
    entropy = stats.multivariate_normal(start[0][0], np.diag(np.exp(start[1][0]))).entropy()
    shift = np.asarray(start[0][0]) - MEAN
    cross = (np.trace(PRECISION @ np.diag(np.exp(start[1][0]))) + shift @ PRECISION @ shift) / 2
    truth = LOG_EVIDENCE + entropy - cross - np.log(2 * np.pi) - np.linalg.slogdet(COVARIANCE)[1] / 2
    unrefined = refine.elbo(log_joint, *start, jax.random.key(2), draws=100_000)[0]
    assert unrefined == pytest.approx(truth, abs=0.05)
