"""Levels of Gaussians against integrals by quadrature."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy import integrate, stats

from jaxgen.losses.levels import Gaussian, Levels, merged

PRIOR, OTHER = (0.3, 0.4), (-1.0, -0.9)  # mean and log-variance


def normal(mean, log_variance):
    return stats.norm(mean, np.exp(log_variance / 2))


def arrays(pair):
    return Gaussian(*(jnp.full((1, 1), value) for value in pair))


def test_merging_is_the_normalized_product(x64):
    p, q = normal(*PRIOR), normal(*OTHER)
    moments = [integrate.quad(lambda z, n=n: z**n * p.pdf(z) * q.pdf(z), -9, 9)[0] for n in range(3)]
    mean = moments[1] / moments[0]
    found = merged(arrays(PRIOR), arrays(OTHER))
    np.testing.assert_allclose(found.mean[0, 0], mean, rtol=1e-8)
    np.testing.assert_allclose(np.exp(found.log_variance[0, 0]), moments[2] / moments[0] - mean**2, rtol=1e-8)


def test_a_level_s_divergence_is_the_integral_and_the_ratio_s_is_of_what_was_drawn(x64):
    p, q = normal(*PRIOR), normal(*OTHER)
    truth = integrate.quad(lambda z: q.pdf(z) * (q.logpdf(z) - p.logpdf(z)), -9, 9)[0]
    noise = np.random.default_rng(0).normal(size=(2, 1, 1))
    levels = Levels(noise)
    first, second = levels(arrays(PRIOR), arrays(OTHER)), levels(arrays(PRIOR))
    np.testing.assert_allclose(np.ravel(levels.kl), [truth, 0], rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(first, q.mean() + q.std() * noise[0])
    np.testing.assert_allclose(second, p.mean() + p.std() * noise[1])
    ratio = (q.logpdf(first) - p.logpdf(first)).item()
    np.testing.assert_allclose(np.ravel(levels.log_ratios), [ratio, 0], rtol=1e-8, atol=1e-12)


def test_merging_is_finite_far_away_and_its_slopes():
    far = [Gaussian(jnp.full(1, 1e4), jnp.full(1, sign * 80.0)) for sign in (-1, 1)]
    slopes = jax.grad(lambda a, b: sum(jnp.sum(x) for x in merged(a, b)), (0, 1))(*far)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((merged(*far), slopes)))
