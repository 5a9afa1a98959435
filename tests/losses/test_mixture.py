"""Mixtures against scipy, scikit-learn and figures found elsewhere; EM and gradients beside each other."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats
from sklearn.mixture import GaussianMixture as Theirs

from jaxgen.data.embedded import digits
from jaxgen.losses import mixture
from jaxgen.losses.mixture import GaussianMixture


@pytest.fixture(scope="module")
def points():
    """The lecture's three Gaussians on the plane."""
    rng = np.random.default_rng(0)
    return np.concatenate([rng.normal(m, s, (200, 2)) for m, s in (((0, 0), 0.5), ((4, 1), (1, 0.3)), ((-2, 3), 0.8))])


START = GaussianMixture(np.zeros(3), np.array([[1.0, 0.0], [2.0, 2.0], [-1.0, 1.0]]), np.zeros((3, 2)))


def test_log_prob_is_scipy_s_and_responsibilities_bayes_s(x64, points):
    random = jax.tree.map(lambda p: p + np.random.default_rng(1).normal(size=p.shape), START)
    weights = np.exp(random.logits) / np.exp(random.logits).sum()
    densities = np.stack(
        [
            weight * stats.multivariate_normal(mean, np.diag(np.exp(log_variance))).pdf(points)
            for weight, mean, log_variance in zip(weights, random.means, random.log_variances, strict=True)
        ],
        axis=1,
    )

    @jax.jit
    def both(points, random):
        joint = mixture.gaussian_log_joint(points, random)
        return mixture.log_prob(joint), mixture.responsibilities(joint)

    log_prob, shares = both(points, random)
    np.testing.assert_allclose(log_prob, np.log(densities.sum(1)), rtol=1e-10)
    np.testing.assert_allclose(shares, densities / densities.sum(1, keepdims=True), rtol=1e-9, atol=1e-14)


@jax.jit
def em_step(x, model):
    joint = mixture.gaussian_log_joint(x, model)
    return jnp.mean(mixture.log_prob(joint)), mixture.gaussian_m_step(x, mixture.responsibilities(joint))


def test_a_component_of_one_example_keeps_the_least_variance(x64):
    x, shares = np.array([[0.0, 1.0], [2.0, 5.0], [4.0, 1.0]]), np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    found = jax.jit(mixture.gaussian_m_step)(x, shares, least_variance=1e-4)
    np.testing.assert_allclose(np.exp(found.log_variances), [[1e-4, 1e-4], [1.0, 4.0]], rtol=1e-12)


def test_em_never_falls_and_ends_where_scikit_learn_s_does(x64, points):
    model, values = START, []
    for _ in range(60):
        value, model = em_step(points, model)
        values.append(float(value))
    assert (np.diff(values) > -1e-12).all()
    theirs = Theirs(3, covariance_type="diag", means_init=START.means, tol=1e-12, max_iter=500, reg_covar=0)
    theirs.fit(points)
    np.testing.assert_allclose(values[-1], theirs.score(points), atol=1e-5)
    model = jax.device_get(model)
    ours, other = np.argsort(model.means[:, 0]), np.argsort(theirs.means_[:, 0])
    np.testing.assert_allclose(model.means[ours], theirs.means_[other], atol=1e-2)
    np.testing.assert_allclose(special.softmax(model.logits)[ours], theirs.weights_[other], atol=1e-3)


def test_gradient_ascent_reaches_what_em_reaches_and_em_s_end_has_no_gradient(x64, points):
    @jax.jit
    @jax.value_and_grad
    def loss(model):
        return -jnp.mean(mixture.log_prob(mixture.gaussian_log_joint(points, model)))

    climbed, model = START, START
    for _ in range(300):
        _, model = em_step(points, model)
    for _ in range(600):
        climbed = jax.tree.map(lambda p, g: p - 0.3 * np.asarray(g), climbed, loss(climbed)[1])
    least, slope = loss(model)
    np.testing.assert_allclose(loss(climbed)[0], least, atol=1e-3)
    assert max(np.abs(leaf).max() for leaf in jax.tree.leaves(slope)) < 1e-6


def test_a_mixture_of_categoricals_has_the_digits_figures_found_elsewhere():
    """Independent pixels 2.4356 bits/dim held out, ten components 2.234: EM, one more of each level than was seen."""
    x, test = (s[np.arange(len(s))]["image"].reshape(-1, 64).astype(int) for s in (digits().train, digits().test))

    @jax.jit
    def m_step(x, shares):
        return mixture.categorical_m_step(x, shares, levels=17, pseudo_count=0.1)

    @jax.jit
    def e_step(x, model):
        return mixture.responsibilities(mixture.categorical_log_joint(x, model))

    @jax.jit
    def bits(x, model):
        return -jnp.mean(mixture.log_prob(mixture.categorical_log_joint(x, model))) / (64 * jnp.log(2))

    for components, low, high in ((1, 2.42, 2.45), (10, 2.20, 2.27)):
        model = m_step(x, np.random.default_rng(0).dirichlet(np.ones(components), len(x)))
        for _ in range(1 if components == 1 else 60):
            model = m_step(x, e_step(x, model))
        assert low < bits(test, model) < high, (components, bits(test, model))


def test_categories_sum_to_one_over_everything(x64):
    rng = np.random.default_rng(0)
    model = mixture.CategoricalMixture(rng.normal(size=2), rng.normal(size=(2, 3, 4)))
    x = np.stack(np.meshgrid(*[np.arange(4)] * 3), -1).reshape(-1, 3)
    log_prob = jax.jit(lambda model: mixture.log_prob(mixture.categorical_log_joint(x, model)))(model)
    np.testing.assert_allclose(np.exp(log_prob).sum(), 1, rtol=1e-12)
