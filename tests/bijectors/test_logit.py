import jax
import numpy as np
import pytest
from scipy import special, stats

from jaxgen.bijectors.logit import Logit
from jaxgen.errors import UserError


def test_keeps_its_digits_in_float32_near_both_ends():
    x = np.float32([[0.0, 1e-7, 1e-3, 0.5, 0.999, 1 - 2**-24, 1.0]])
    z, log_det = jax.jit(Logit(alpha=1e-6).apply)({}, x)
    exact = special.logit(1e-6 + (1 - 2e-6) * np.float64(x))
    np.testing.assert_allclose(z, exact, rtol=1e-6, atol=1e-6)
    expected = np.sum(np.log1p(-2e-6) - special.log_expit(exact) - special.log_expit(-exact), axis=1)
    np.testing.assert_allclose(log_det, expected, rtol=1e-6)


def test_a_logistic_base_makes_the_uniform_density():
    x = np.random.default_rng(0).uniform(0.01, 0.99, (4, 3)).astype(np.float32)
    z, log_det = jax.jit(Logit(alpha=0.0).apply)({}, x)
    np.testing.assert_allclose(stats.logistic.logpdf(z).sum(1) + log_det, 0.0, atol=1e-5)


@pytest.mark.parametrize("alpha", [-0.1, 0.5])
def test_an_alpha_that_leaves_no_interval_is_refused(alpha):
    with pytest.raises(UserError, match=f"alpha={alpha}"):
        Logit(alpha=alpha)
