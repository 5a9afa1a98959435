"""What a generator's latents are made of, against their distributions."""

import jax
import numpy as np
import pytest
from scipy.stats import kstest

from jaxgen.errors import UserError
from jaxgen.methods.adversarial import priors

KEY = jax.random.key(0)


def test_parts_have_their_distributions_are_independent_and_come_in_their_order():
    prior = priors.joint(priors.normal(2), priors.uniform(1, "angle"), priors.uniform(1, "size"), priors.categorical(3))
    latents = prior.draw(KEY, 4000)
    z, angle, size, label = (np.asarray(x) for x in prior.inputs(latents))
    assert (z.shape, angle.shape, size.shape, label.shape) == ((4000, 2), (4000, 1), (4000, 1), (4000,))
    assert kstest(z.ravel(), "norm").pvalue > 1e-3
    for x in (angle, size):
        assert kstest(x.ravel(), "uniform", (-1, 2)).pvalue > 1e-3
    np.testing.assert_allclose(np.bincount(label) / 4000, 1 / 3, atol=0.03)
    together = np.concatenate([z, angle, size, label[:, None]], 1)
    np.testing.assert_allclose(np.corrcoef(together.T), np.eye(5), atol=0.06)


def test_two_parts_of_one_name_are_a_sentence():
    with pytest.raises(UserError, match="prior: two parts are named 'z'; name one of them otherwise"):
        priors.joint(priors.normal(2), priors.normal(1)).draw(KEY, 2)
