"""Every likelihood by one contract: probabilities sum to one and are the cdf's steps; samples and means follow them."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxgen import likelihoods
from jaxgen.fields import Field

LEVELS = 17
# name -> (likelihood, the values a pixel can take)
EIGHT_BITS = {
    "discretized logistic, 256 levels": (likelihoods.discretized_logistic(256), np.linspace(-1, 1, 256)),
    "mixture of logistics, 256 levels": (likelihoods.logistic_mixture(256), np.linspace(-1, 1, 256)),
    "categorical, 256 levels": (likelihoods.categorical(256), np.linspace(-1, 1, 256)),
}
DISCRETE = {
    "bernoulli": (likelihoods.bernoulli, np.array([0.0, 1.0])),
    "discretized logistic": (likelihoods.discretized_logistic(LEVELS), np.linspace(-1, 1, LEVELS)),
    "mixture of logistics": (likelihoods.logistic_mixture(LEVELS, components=3), np.linspace(-1, 1, LEVELS)),
    "categorical": (likelihoods.categorical(LEVELS), np.linspace(-1, 1, LEVELS)),
}


def outputs_of(likelihood, *shape):
    """Random outputs of a decoder, some far out."""
    return list(np.moveaxis(1.5 * np.random.default_rng(1).normal(size=(*shape, likelihood.outputs)), -1, 0))


def probabilities(likelihood, values, outputs):
    """Of every value of one pixel, `[values]`; outputs are scalars."""
    grid = [np.full((len(values), 1), output) for output in outputs]
    return np.exp(jax.jit(likelihood.log_prob)(values[:, None], *grid))


@pytest.mark.parametrize("name", DISCRETE | EIGHT_BITS)
def test_probabilities_sum_to_one_and_the_cdf_adds_them_up(x64, name):
    likelihood, values = (DISCRETE | EIGHT_BITS)[name]
    outputs = [output[0] for output in outputs_of(likelihood, 1)]
    pmf = probabilities(likelihood, values, outputs)
    np.testing.assert_allclose(pmf.sum(), 1, rtol=1e-12)
    found = jax.jit(likelihood.cdf)(values, *(np.full(len(values), output) for output in outputs))
    np.testing.assert_allclose(found, np.cumsum(pmf), rtol=1e-11, atol=1e-14)
    assert found[-1] == 1


@pytest.mark.parametrize("name", DISCRETE | EIGHT_BITS)
def test_what_is_taken_is_what_has_a_probability(name):
    """FAULTS 1."""
    likelihood, values = (DISCRETE | EIGHT_BITS)[name]
    levels = None if name == "bernoulli" else len(values)  # which may be told of a share of draws, too
    assert likelihood.takes == Field(values[0], values[-1], levels)


@pytest.mark.parametrize("name", DISCRETE)
def test_samples_are_on_the_levels_with_their_probabilities(name):
    likelihood, values = DISCRETE[name]
    outputs = [output[0] for output in outputs_of(likelihood, 1)]
    draws = jax.jit(likelihood.sample)(jax.random.key(2), *(np.full(20_000, output) for output in outputs))
    nearest = np.abs(np.asarray(draws)[:, None] - values).argmin(1)
    np.testing.assert_allclose(draws, values[nearest], atol=1e-6)
    expected = 20_000 * probabilities(likelihood, values, outputs).astype(np.float64)
    common = expected > 5
    counts = np.bincount(nearest, minlength=len(values))
    pooled = [np.append(c[common], c[~common].sum() + 1e-9) for c in (counts, expected)]
    assert stats.chisquare(pooled[0], pooled[1] * pooled[0].sum() / pooled[1].sum()).pvalue > 1e-3


@pytest.mark.parametrize("name", DISCRETE)
def test_log_prob_sums_the_event_and_keeps_examples_apart(x64, name):
    likelihood, values = DISCRETE[name]
    outputs = outputs_of(likelihood, 3, 2, 2)
    x = np.random.default_rng(0).choice(values, (3, 2, 2))
    whole = jax.jit(likelihood.log_prob)(x, *outputs)
    flat = jax.jit(likelihood.log_prob)(x.reshape(12, 1), *(output.reshape(12, 1) for output in outputs))
    np.testing.assert_allclose(whole, flat.reshape(3, 4).sum(1), rtol=1e-12)


def test_means_are_expectations_where_they_can_be(x64):
    """Of the Bernoulli and the categorical exactly; images are in [-1, 1] always."""
    for name in ("bernoulli", "categorical"):
        likelihood, values = DISCRETE[name]
        outputs = [output[0] for output in outputs_of(likelihood, 1)]
        signed = 2 * values - 1 if name == "bernoulli" else values
        expected = probabilities(likelihood, values, outputs) @ signed
        np.testing.assert_allclose(likelihood.mean(*outputs), expected, rtol=1e-12)
    for likelihood, _ in DISCRETE.values():
        assert np.abs(jax.jit(likelihood.mean)(*(10 * output for output in outputs_of(likelihood, 50)))).max() <= 1


def test_the_mixture_is_the_sum_by_hand_and_one_component_is_the_logistic(x64):
    values = np.linspace(-1, 1, 256)
    logits, means, log_scales = np.array([0.3, -1.0]), np.array([-0.5, 0.8]), np.array([-3.0, -1.0])
    weights = np.exp(logits) / np.exp(logits).sum()
    upper, lower = (stats.logistic(means, np.exp(log_scales)).cdf(values[:, None] + s / 255) for s in (1, -1))
    upper[-1], lower[0] = 1, 0
    mixture = likelihoods.logistic_mixture(256, components=2)
    found = probabilities(mixture, values, [*logits, *means, *log_scales])
    np.testing.assert_allclose(found, (upper - lower) @ weights, rtol=1e-9)
    alone = probabilities(likelihoods.logistic_mixture(256, components=1), values, [7.0, -0.5, -3.0])
    logistic = probabilities(likelihoods.discretized_logistic(256), values, [-0.5, -3.0])
    np.testing.assert_allclose(alone, logistic, rtol=1e-12)


def test_gaussian_is_scipy_s_and_learns_its_variance(x64):
    x, (mean, log_variance) = np.array([[0.5, -2.0]]), (np.array([[0.1, 0.2]]), np.array([[-1.0, 0.7]]))
    expected = stats.norm.logpdf(x, mean, np.exp(log_variance / 2)).sum()
    np.testing.assert_allclose(likelihoods.gaussian.log_prob(x, mean, log_variance), expected, rtol=1e-12)
    draws = likelihoods.gaussian.sample(jax.random.key(0), jnp.full(20_000, 3.0), jnp.full(20_000, np.log(0.25)))
    assert stats.kstest(draws, stats.norm(3.0, 0.5).cdf).pvalue > 1e-3
    by_variance = jax.grad(lambda v: likelihoods.gaussian.log_prob(x, mean, v)[0])(log_variance)
    np.testing.assert_allclose(by_variance, ((x - mean) ** 2 / np.exp(log_variance) - 1) / 2, rtol=1e-12)


def test_extreme_outputs_have_finite_log_probabilities_and_gradients():
    for likelihood, values in (DISCRETE["mixture of logistics"], DISCRETE["categorical"]):
        extremes = itertools.cycle([-1e4, 0.0, 1e4, 88.0, -88.0])
        outputs = [jnp.full((len(values), 1), next(extremes)) for _ in range(likelihood.outputs)]
        if likelihood.outputs == LEVELS:
            outputs = [jnp.minimum(output, 88.0) for output in outputs]
        loss = lambda outputs, v=values, li=likelihood: li.log_prob(jnp.asarray(v)[:, None], *outputs).sum()  # noqa: E731
        value, gradients = jax.jit(jax.value_and_grad(loss))(outputs)
        assert np.isfinite(value)
        assert all(np.isfinite(gradient).all() for gradient in gradients)
