"""The importance-weighted bound, DReG and free bits against a linear Gaussian model, where all is known."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from jaxgen.errors import UserError
from jaxgen.losses import importance, variational

# z ~ N(0, I) of two dimensions, x | z ~ N(W z + b, s^2 I) of three.
RNG = np.random.default_rng(0)
W, B, S, X = RNG.normal(size=(3, 2)), RNG.normal(size=3), 0.7, RNG.normal(size=(2, 3)) * 2
EVIDENCE = stats.multivariate_normal(B, W @ W.T + S**2 * np.eye(3)).logpdf(X)


@functools.partial(jax.jit, static_argnames=("stop", "double"))
def log_weights(params, noise, *, stop=False, double=False):
    """`[k, batch]` for noise `[k, batch, 2]`; of q N(mean, e^log_variance) and of a decoder's weights."""
    mean, log_variance, w = params
    z = mean + jnp.exp(log_variance / 2) * noise
    z, nothing = importance.doubly_reparametrized(z) if double else (z, 0.0)
    if stop:
        mean, log_variance = jax.lax.stop_gradient((mean, log_variance))

    def of_draw(z):
        log_q = variational.gaussian_log_prob(z, mean, log_variance)
        log_prior = variational.gaussian_log_prob(z, 0.0, 0.0)
        return log_prior + variational.gaussian_log_prob(X, z @ w.T + B, 2 * math.log(S)) - log_q

    return jax.vmap(of_draw)(z) + nothing


def wrong_q():
    rng = np.random.default_rng(1)
    return rng.normal(size=(2, 2)) * 0.5, rng.normal(size=(2, 2)) * 0.3 - 1, W


def noise_of(seed, *shape):
    return np.random.default_rng((2, seed)).normal(size=(*shape, 2, 2))


def posterior_of(w):
    covariance = np.linalg.inv(np.eye(2) + w.T @ w / S**2)
    return (X - B) @ w @ covariance.T / S**2, np.diag(covariance)


def test_one_draw_is_the_evidence_lower_bound_of_that_draw(x64):
    weights = np.asarray(log_weights(wrong_q(), noise_of(0, 4096)))
    found = jax.jit(functools.partial(variational.iwae, axis=1))(weights[:, None])
    np.testing.assert_array_equal(found, weights)


def test_bounds_rise_with_the_draws_towards_the_evidence(x64):
    """Over groups of the same draws the mean of a larger group's bound is never lower, draw for draw (Jensen)."""

    @jax.jit
    def bounds_of(weights):
        return [jnp.mean(variational.iwae(weights.reshape(-1, k, 2), axis=1), 0) for k in (1, 2, 16, 4096)]

    bounds = jax.device_get(bounds_of(log_weights(wrong_q(), noise_of(0, 4096))))
    assert (np.diff(bounds, axis=0) > 0).all()
    np.testing.assert_allclose(bounds[-1], EVIDENCE, atol=0.1)
    assert np.abs(bounds[0] - EVIDENCE).min() > 0.5


def test_weights_of_the_bound_s_gradient_are_normalized_and_extremes_finite(x64):
    log_w = np.array([[-1e4, 3.0], [-1e4 + 1, 3.0], [-2e4, -1e4]])
    gradient = jax.jit(jax.grad(lambda w: variational.iwae(w).sum()))(log_w)
    np.testing.assert_allclose(gradient, [[1 / (1 + math.e), 0.5], [math.e / (1 + math.e), 0.5], [0, 0]], rtol=1e-12)


def plain(params, noise):
    return variational.iwae(log_weights(params, noise)).sum()


def stopped(params, noise):
    return variational.iwae(log_weights(params, noise, stop=True)).sum()


def dreg(params, noise):
    return variational.iwae(log_weights(params, noise, stop=True, double=True)).sum()


@jax.jit
def gradients(params, noise):
    return [jax.grad(bound)(params, noise) for bound in (plain, dreg, stopped)]


def test_dreg_has_the_mean_of_the_plain_gradient_and_the_single_stopped_one_has_not(x64):
    """k = 4, 20,000 times: the encoder's within 5 standard errors; stopping alone is biased, which must be seen."""
    several = jax.jit(jax.vmap(gradients, (None, 0)))
    usual, found, biased = jax.device_get(several(wrong_q(), noise_of(2, 20_000, 4)))

    def z_score(a, b):
        difference = a - b
        return np.abs(difference.mean(0) / (difference.std(0) / np.sqrt(len(difference)))).max()

    for which in (0, 1):
        assert z_score(found[which], usual[which]) < 5
        assert z_score(biased[which], usual[which]) > 20
    # theta as usual, draw for draw
    np.testing.assert_allclose(found[2], usual[2], rtol=1e-9)
    assert found[0].var(0).sum() < usual[0].var(0).sum()


def test_dreg_is_the_paper_s_sum_of_squared_weights(x64):
    """`sum_k w~_k^2 (d log w_k / dz_k) (dz_k / dphi)`, computed from its parts; and with -1/7 of the bound."""
    params, noise = wrong_q(), noise_of(3, 5)
    mean, log_variance, _ = params

    @jax.jit
    def run(params, noise, z):
        by_z = jax.grad(lambda z: log_weights(params, (z - mean) * jnp.exp(-log_variance / 2)).sum())(z)
        return log_weights(params, noise), by_z, jax.grad(lambda p: -dreg(p, noise) / 7)(params)

    weights, by_z, found = jax.device_get(run(params, noise, mean + np.exp(log_variance / 2) * noise))
    weights = special.softmax(weights, 0)
    expected_mean = np.sum(weights[..., None] ** 2 * by_z, 0)
    expected_log_variance = np.sum(weights[..., None] ** 2 * by_z * np.exp(log_variance / 2) / 2 * noise, 0)
    np.testing.assert_allclose(found[0], -expected_mean / 7, rtol=1e-9)
    np.testing.assert_allclose(found[1], -expected_log_variance / 7, rtol=1e-9)


@pytest.mark.parametrize("draws", [1, 4])
def test_at_the_posterior_stopped_gradients_are_zero_and_plain_ones_are_not(x64, draws):
    w = np.array([[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]])  # orthogonal columns: the posterior is diagonal
    mean, variance = posterior_of(w)
    params = mean, np.broadcast_to(np.log(variance), (2, 2)), w
    usual, doubly, once = gradients(params, noise_of(4, draws))
    for stopped_gradient in (once, doubly):
        np.testing.assert_allclose(stopped_gradient[:2], np.zeros((2, 2, 2)), atol=1e-12)
    assert np.abs(usual[1]).max() > 0.01


def test_a_bound_nobody_minimizes_has_no_gradient(x64):
    gradient = jax.jit(jax.grad(lambda p: 0.0 * dreg(p, np.ones((1, 2, 2)))))(wrong_q())
    assert not any(np.any(leaf) for leaf in gradient)


def test_streaming_is_the_same_bound_whatever_the_chunk(x64):
    def log_weight(key):
        return 3 * jax.random.normal(key, (2,))

    key = jax.random.key(5)

    @jax.jit
    def run(key):
        keys = jax.vmap(lambda i: jax.random.fold_in(key, i))(jnp.arange(60))
        streamed = [importance.streamed_iwae(log_weight, key, draws=60, chunk=chunk) for chunk in (1, 15, 60)]
        return variational.iwae(jax.vmap(log_weight)(keys)), streamed

    expected, streamed = run(key)
    for found in streamed:
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    with pytest.raises(UserError, match="draws 61 is not a multiple of chunk 15"):
        importance.streamed_iwae(log_weight, key, draws=61, chunk=15)


def test_memory_of_streaming_does_not_grow_with_the_draws():
    def bytes_of(draws):
        def bound(key):
            z = lambda key: variational.gaussian_log_prob(jax.random.normal(key, (64, 100)), 0.1, 0.0)  # noqa: E731
            return importance.streamed_iwae(z, key, draws=draws, chunk=10)

        return jax.jit(bound).lower(jax.random.key(0)).compile().memory_analysis().temp_size_in_bytes

    assert abs(bytes_of(5000) - bytes_of(20)) < 64


def test_free_bits_are_the_maximum_of_each_group_s_mean_and_stop_its_gradient(x64):
    kl = np.array([[0.1, 3.0, 0.0], [0.5, 1.0, 1.2]])  # means 0.3, 2, 0.6
    found, gradient = jax.jit(jax.value_and_grad(lambda kl: variational.free_bits(kl, minimum=0.5).mean()))(kl)
    np.testing.assert_allclose(found, 0.5 + 2.0 + 0.6, rtol=1e-12)
    np.testing.assert_array_equal(gradient, [[0, 0.5, 0.5], [0, 0.5, 0.5]])
    with pytest.raises(UserError, match="groups"):
        variational.free_bits(kl[0], minimum=0.5)
