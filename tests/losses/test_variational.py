"""Log-probabilities against scipy and long decimals; the four forms of the bound on a linear Gaussian model."""

import functools
import math
from decimal import Decimal, localcontext

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats
from scipy.integrate import quad

from jaxgen.errors import UserError
from jaxgen.losses import variational

# Compiled, of a shape once.
gaussian_kl, transformed_gaussian_kl = map(jax.jit, (variational.gaussian_kl, variational.transformed_gaussian_kl))
bernoulli_log_prob, gaussian_log_prob = map(jax.jit, (variational.bernoulli_log_prob, variational.gaussian_log_prob))
discretized_logistic_log_prob = jax.jit(variational.discretized_logistic_log_prob, static_argnames="levels")


@pytest.mark.parametrize(("mean", "log_variance"), [(0.0, 0.0), (0.7, -1.3), (-2.0, 0.9), (0.0, -6.0)])
def test_gaussian_kl_is_the_integral_that_defines_it(x64, mean, log_variance):
    q, p = stats.norm(mean, math.exp(log_variance / 2)), stats.norm()
    expected = quad(lambda z: q.pdf(z) * (q.logpdf(z) - p.logpdf(z)), *q.interval(1 - 1e-15), epsabs=1e-12)[0]
    found = gaussian_kl(np.full((2, 3, 4), mean), np.full((2, 3, 4), log_variance))
    np.testing.assert_allclose(found, np.full(2, 12 * expected), rtol=1e-9, atol=1e-9)


def test_gaussian_kl_golden_values_and_precision_near_the_prior():
    # By hand: variance e, mean 2: (4 + e - 1 - 1) / 2.
    np.testing.assert_allclose(gaussian_kl(np.array([[2.0]]), np.array([[1.0]])), 1 + math.e / 2, rtol=1e-6)
    # exp(v) - 1 - v = v^2 / 2 + v^3 / 6: at v = 1e-2 the plain form keeps three digits in float32.
    found = gaussian_kl(np.array([[0.0]]), np.array([[1e-2]]))
    np.testing.assert_allclose(found, (0.5e-4 + 1e-6 / 6) / 2, rtol=1e-4)


@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (0.5, -1.0), (3.0, 2.0)])
def test_transformed_gaussian_kl_estimates_the_analytic_one_of_an_affine_map(scale, shift):
    mean, log_variance = np.array([0.5, -1.0]), np.array([-1.0, 0.5])
    z_0 = mean + np.exp(log_variance / 2) * np.random.default_rng(0).standard_normal((20_000, 2))
    log_det = np.full(len(z_0), 2 * np.log(scale))
    draws = np.asarray(transformed_gaussian_kl(z_0, mean, log_variance, scale * z_0 + shift, log_det), np.float64)
    (truth,) = np.asarray(gaussian_kl((scale * mean + shift)[None], (log_variance + 2 * np.log(scale))[None]))
    assert abs(draws.mean() - truth) < 4 * draws.std() / np.sqrt(len(draws))


def test_gaussian_kl_is_per_example():
    mean = np.array([[1.0, 0.0], [0.0, 0.0], [3.0, 4.0]])
    np.testing.assert_allclose(gaussian_kl(mean, np.zeros_like(mean)), [0.5, 0.0, 12.5], rtol=1e-6)


def test_free_bits_of_a_batch_are_by_the_mean_of_those_that_are_there():
    # The mean of 2 and 4 is above the minimum, that of all four rows below it.
    kl, there = np.float32([[2.0], [4.0], [0.0], [0.0]]), np.array([True, True, False, False])
    found = jax.jit(functools.partial(variational.free_bits, minimum=2.0))(kl, where=there)
    np.testing.assert_array_equal(found, [2, 4, 0, 0])


def test_bernoulli_and_gaussian_log_prob_match_scipy(x64):
    rng = np.random.default_rng(0)
    logits, mean, log_variance = rng.normal(size=(3, 4, 5, 2)) * 3
    bits = rng.integers(0, 2, (4, 5, 2))
    expected = stats.bernoulli.logpmf(bits, 1 / (1 + np.exp(-logits))).sum((1, 2))
    np.testing.assert_allclose(bernoulli_log_prob(bits, logits), expected, rtol=1e-10)
    np.testing.assert_allclose(bernoulli_log_prob(bits.astype(bool), logits), expected, rtol=1e-10)
    x = rng.normal(size=(4, 5, 2))
    expected = stats.norm.logpdf(x, mean, np.exp(log_variance / 2)).sum((1, 2))
    np.testing.assert_allclose(gaussian_log_prob(x, mean, log_variance), expected, rtol=1e-12)
    expected = stats.norm.logpdf(x, 0.3, math.exp(-0.05)).sum((1, 2))
    np.testing.assert_allclose(gaussian_log_prob(x, 0.3, -0.1), expected, rtol=1e-12)


def test_bernoulli_keeps_its_digits_when_nearly_certain():
    # log sigmoid(20) = -log(1 + e^-20): l - softplus(l) would give exactly zero.
    found = bernoulli_log_prob(np.array([[1.0], [0.0]]), np.array([[20.0], [-20.0]]))
    np.testing.assert_allclose(found, np.full(2, -math.exp(-20)), rtol=1e-5)


def test_the_gradient_of_bernoulli_is_the_sigmoid_s_residual_at_zero_too(x64):
    gradient = jax.grad(lambda logit, x: variational.bernoulli_log_prob(jnp.full(1, x), logit[None])[0])
    derivatives = jax.jit(jax.vmap(jax.value_and_grad(gradient), (0, None)))
    logits = np.array([-30.0, -1.0, 0.0, 0.5, 40.0])
    for x in (0.0, 0.3, 1.0):
        slope, curvature = derivatives(logits, x)
        np.testing.assert_allclose(slope, x - special.expit(logits), rtol=1e-12)
        np.testing.assert_allclose(curvature, -special.expit(logits) * special.expit(-logits), atol=1e-15)


def test_discretized_logistic_golden_values():
    # Three values, bins [-inf, -1/2], [-1/2, 1/2], [1/2, inf]; mean 0, scale 1: s(-1/2), tanh(1/4), s(-1/2).
    edge = -math.log(1 + math.exp(0.5))
    found = discretized_logistic_log_prob(np.array([-1.0, 0.0, 1.0]), 0.0, 0.0, levels=3)
    np.testing.assert_allclose(found, [edge, math.log(math.tanh(0.25)), edge], rtol=1e-6)


@pytest.mark.parametrize("levels", [2, 3, 17, 256])
@pytest.mark.parametrize("log_scale", [-200.0, -9.0, -4.0, 0.0, 5.0, 200.0])
def test_discretized_logistic_sums_to_one(x64, levels, log_scale):
    x = np.linspace(-1, 1, levels)
    for mean in (0.0123, -1.0, 1.7):
        log_prob = discretized_logistic_log_prob(x, mean, log_scale, levels=levels)
        np.testing.assert_allclose(np.exp(log_prob).sum(), 1, rtol=1e-12)


def exact_log_bin(x, mean, log_scale, half):
    """log[F(x + h) - F(x - h)] in 700 digits: 1 - F at 1097 scales, the farthest asked for, starts at the 477th."""
    with localcontext() as context:
        context.prec = 700
        scale = Decimal(log_scale).exp()
        ends = [(Decimal(x) - Decimal(mean) + sign * Decimal(half)) / scale for sign in (1, -1)]
        upper, lower = (1 / (1 + (-end).exp()) for end in ends)
        difference = upper - lower
        context.prec = 50
        return float((+difference).ln())


@pytest.mark.parametrize(
    ("x", "mean", "log_scale"),
    [
        (0.2, 0.2, -4.0),  # on the mean
        (0.6, -0.4, -7.0),  # e^7 = 1097 scales away
        (-0.6, 0.4, -7.0),
        (0.2, 5.0, -5.0),  # a mean outside the range
        (0.2, -0.1, 8.0),  # bins a millionth of a scale wide
        (0.2, -0.1, 30.0),
        (0.2, 0.1, -0.1),
    ],
)
def test_discretized_logistic_is_exact_in_the_bulk_and_the_tails(x64, x, mean, log_scale):
    for levels in (11, 256):
        k = round((x + 1) / 2 * (levels - 1))
        x_level = 2 * k / (levels - 1) - 1
        found = discretized_logistic_log_prob(np.array([x_level]), mean, log_scale, levels=levels)
        expected = exact_log_bin(x_level, mean, log_scale, 1 / (levels - 1))
        np.testing.assert_allclose(found, expected, rtol=1e-11)


def test_discretized_logistic_gradients_match_finite_differences(x64):
    rng = np.random.default_rng(0)
    x = 2 * rng.integers(0, 17, (6, 2)) / 16 - 1
    x[0] = [-1, 1]
    mean, log_scale = rng.normal(size=(2, 6, 2))
    log_scale[1] = [-6.0, 6.0]

    @jax.jit
    @functools.partial(jax.value_and_grad, argnums=(0, 1))
    def total(mean, log_scale):
        return variational.discretized_logistic_log_prob(x, mean, log_scale, levels=17).sum()

    _, gradients = total(mean, log_scale)
    step = 1e-6
    for argument, gradient in enumerate(gradients):
        for index in np.ndindex(mean.shape):
            shift = np.zeros_like(mean)
            shift[index] = step
            above, below = ([mean, log_scale], [mean, log_scale])
            above[argument], below[argument] = above[argument] + shift, below[argument] - shift
            np.testing.assert_allclose(
                gradient[index], (total(*above)[0] - total(*below)[0]) / (2 * step), rtol=1e-6, atol=1e-7
            )


def test_surprise_broadcasts_and_bad_levels_are_refused():
    x = np.zeros((4, 3))
    with pytest.raises(UserError, match="x has shape"):
        variational.bernoulli_log_prob(x, np.zeros((7, 4, 3)))
    with pytest.raises(UserError, match="x has shape"):
        variational.gaussian_log_prob(x, np.zeros((7, 1, 3)), 0.0)
    with pytest.raises(UserError, match="mean has shape"):
        variational.gaussian_kl(x, np.zeros((7, 4, 3)))
    with pytest.raises(UserError, match="levels is 1"):
        variational.discretized_logistic_log_prob(x, 0.0, 0.0, levels=1)


class LinearGaussian:
    """z ~ N(0, I), x | z ~ N(W z + b, s^2 I): all in closed form; q(z) = N(m, diag(v)) is arbitrary."""

    def __init__(self, seed):
        rng = np.random.default_rng(seed)
        self.w, self.b, self.s = rng.normal(size=(3, 2)), rng.normal(size=3), 0.7
        self.x = rng.normal(size=3) * 2
        self.mean, self.log_variance = rng.normal(size=2), rng.normal(size=2)

    def expect(self, function):
        """E_q[function(z)]: a tensor Gauss-Hermite rule, exact for these polynomials of degree two."""
        nodes, weights = np.polynomial.hermite_e.hermegauss(4)
        grid = np.stack(np.meshgrid(nodes, nodes), -1).reshape(-1, 2)
        z = self.mean + grid * np.exp(self.log_variance / 2)
        return np.sum(np.outer(weights, weights).ravel() / (2 * np.pi) * np.asarray(function(z)))

    def log_prior(self, z):
        return gaussian_log_prob(z, np.zeros(2), np.zeros(2))

    def log_likelihood(self, z):
        x = np.broadcast_to(self.x, (len(z), 3))
        return gaussian_log_prob(x, z @ self.w.T + self.b, np.full(3, 2 * math.log(self.s)))

    def log_q(self, z):
        return gaussian_log_prob(z, self.mean, self.log_variance)

    def evidence(self):
        return stats.multivariate_normal(self.b, self.w @ self.w.T + self.s**2 * np.eye(3)).logpdf(self.x)

    def posterior(self):
        covariance = np.linalg.inv(np.eye(2) + self.w.T @ self.w / self.s**2)
        return covariance @ self.w.T @ (self.x - self.b) / self.s**2, covariance

    def kl_to_posterior(self):
        mean, covariance = self.posterior()
        precision, variance, shift = np.linalg.inv(covariance), np.diag(np.exp(self.log_variance)), mean - self.mean
        log_ratio = np.linalg.slogdet(covariance)[1] - self.log_variance.sum()
        return 0.5 * (np.trace(precision @ variance) + shift @ precision @ shift - 2 + log_ratio)


@pytest.mark.parametrize("seed", range(4))
def test_the_four_forms_of_the_bound_agree(x64, seed):
    model = LinearGaussian(seed)
    entropy = stats.multivariate_normal(model.mean, np.diag(np.exp(model.log_variance))).entropy()
    kl = gaussian_kl(model.mean[None], model.log_variance[None])
    log_prior, log_likelihood, log_q = map(model.expect, (model.log_prior, model.log_likelihood, model.log_q))
    forms = {
        "E[log p(x,z)] + H(q)": log_prior + log_likelihood + entropy,
        "E[log p(x|z)] - KL(q||p)": np.asarray(jax.jit(variational.elbo)(np.array([log_likelihood]), kl))[0],
        "log p(x) - KL(q||posterior)": model.evidence() - model.kl_to_posterior(),
        "E[log p(x,z) - log q(z)]": log_prior + log_likelihood - log_q,
    }
    for name, value in forms.items():
        np.testing.assert_allclose(value, forms["log p(x) - KL(q||posterior)"], rtol=1e-10, err_msg=name)
    assert all(value < model.evidence() for value in forms.values())


def test_the_bound_is_tight_at_the_posterior_and_its_maximum_there(x64):
    model = LinearGaussian(0)
    model.w = np.array([[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]])  # orthogonal columns: the posterior is diagonal
    mean, covariance = model.posterior()
    nodes = np.stack(np.meshgrid(*[np.polynomial.hermite_e.hermegauss(4)[0]] * 2), -1).reshape(-1, 2)
    weights = np.outer(*[np.polynomial.hermite_e.hermegauss(4)[1]] * 2).ravel() / (2 * np.pi)

    @jax.jit
    @functools.partial(jax.value_and_grad, argnums=(0, 1))
    def bound(mean, log_variance):
        log_likelihood = weights @ model.log_likelihood(mean + nodes * jnp.exp(log_variance / 2))
        return variational.elbo(log_likelihood, variational.gaussian_kl(mean[None], log_variance[None]))[0]

    value, gradients = bound(mean, np.log(np.diag(covariance)))
    np.testing.assert_allclose(value, model.evidence(), rtol=1e-12)
    np.testing.assert_allclose(gradients, np.zeros((2, 2)), atol=1e-12)
