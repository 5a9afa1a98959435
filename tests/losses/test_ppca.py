"""Probabilistic principal components against scipy, scikit-learn and figures printed elsewhere."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from sklearn.decomposition import PCA

from jaxgen.bijectors.lower_triangular import LowerTriangular
from jaxgen.data.embedded import digits
from jaxgen.errors import UserError
from jaxgen.losses import ppca, variational
from jaxgen.models.latent.linear import LinearDecoder, LinearEncoder

fit, log_prob = jax.jit(ppca.fit, static_argnames="latent_size"), jax.jit(ppca.log_prob)


@pytest.fixture(scope="module")
def splits():
    return [s[np.arange(len(s))]["image"].reshape(-1, 64).astype(float) for s in (digits().train, digits().test)]


@pytest.mark.parametrize(
    ("latent_size", "train", "test"),
    [(2, -177.1668, -178.6335), (8, -162.9021, -164.9053), (16, -153.1118, -155.6493)],
)
def test_digits_have_the_likelihood_that_was_found_elsewhere(x64, splits, latent_size, train, test):
    model = fit(splits[0], latent_size=latent_size)
    of_all = np.split(np.asarray(log_prob(np.concatenate(splits), model)), [len(splits[0])])
    for found, expected in zip(of_all, (train, test), strict=True):
        assert np.mean(found) == pytest.approx(expected, abs=1e-4)


def test_the_fit_is_the_maximum_and_its_density_scipy_s(x64, splits):
    x = splits[0]
    model = jax.device_get(fit(x, latent_size=8))
    covariance = model.weights @ model.weights.T + model.noise_variance * np.eye(64)
    expected = stats.multivariate_normal(x.mean(0), covariance).logpdf(x[:5])

    def mean(model):
        of_each = ppca.log_prob(x, model)
        return jnp.mean(of_each), of_each[:5]

    slope, found = jax.jit(jax.grad(mean, has_aux=True))(model)
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    assert max(np.abs(leaf).max() for leaf in jax.tree.leaves(slope)) < 1e-9


def test_scikit_learn_s_differs_by_its_division_by_n_less_one_alone(x64, splits):
    theirs = PCA(8, svd_solver="full").fit(splits[0])
    ours = jax.device_get(fit(splits[0], latent_size=8))
    n = len(splits[0])
    np.testing.assert_allclose(theirs.noise_variance_ * (n - 1) / n, ours.noise_variance, rtol=1e-10)
    assert abs(theirs.noise_variance_ / ours.noise_variance - 1) > 5e-4


def test_latent_sizes_without_noise_are_refused():
    with pytest.raises(UserError, match="latent_size is 3: .* choose 1 to 2"):
        ppca.fit(np.ones((5, 3)), latent_size=3)


def spread(x, k):
    """The fit, and the same model with W rotated, whose posterior is correlated."""
    model = jax.device_get(fit(x, latent_size=k))
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(k, k)))[0]
    return model, model._replace(weights=model.weights @ rotation)


def log_weights(model, x, z, log_q):
    log_likelihood = variational.gaussian_log_prob(x, z @ model.weights.T + model.mean, jnp.log(model.noise_variance))
    return log_likelihood + variational.gaussian_log_prob(z, 0.0, 0.0) - log_q


def test_linear_networks_reach_the_likelihood_draw_by_draw(x64, splits):
    """With the posterior's parameters every draw's ELBO is log p(x): by the networks themselves."""
    x = splits[1][:7]
    model, _ = spread(splits[0], 8)
    lines, covariance = jax.device_get(jax.jit(ppca.posterior)(np.vstack([np.zeros((1, 64)), np.eye(64)]), model))
    encoder = {"mean": {"kernel": lines[1:] - lines[0], "bias": lines[0]}, "log_variance": np.log(np.diag(covariance))}
    decoder = {"mean": {"kernel": model.weights.T, "bias": model.mean}, "log_variance": np.log(model.noise_variance)}

    @jax.jit
    def run(x, noise, encoder, decoder):
        mean, log_variance = LinearEncoder(8).apply({"params": encoder}, x)
        z = mean + jnp.exp(log_variance / 2) * noise
        outputs = jnp.unstack(LinearDecoder((64,)).apply({"params": decoder}, z), axis=-1)
        bound = variational.gaussian_log_prob(x, *outputs) + variational.gaussian_log_prob(z, 0.0, 0.0)
        return bound - variational.gaussian_log_prob(z, mean, log_variance), ppca.log_prob(x, model)

    bound, truth = run(x, np.random.default_rng(0).normal(size=(7, 8)), encoder, decoder)
    np.testing.assert_allclose(bound, truth, rtol=1e-10)


@pytest.mark.slow
def test_a_diagonal_posterior_s_gap_is_hadamard_s_and_a_full_one_has_none(x64, splits):
    """M = W^T W + s^2 I: the best diagonal q has precision diag(M) / s^2 and loses 1/2 (sum log diag M - log det M)."""
    x = splits[1][:4]
    _, model = spread(splits[0], 8)
    m = np.asarray(model.weights.T @ model.weights + model.noise_variance * np.eye(8))
    gap = 0.5 * (np.log(np.diag(m)).sum() - np.linalg.slogdet(m)[1])
    assert gap > 0.05
    mean, covariance = ppca.posterior(x, model)
    log_variance = jnp.broadcast_to(jnp.log(model.noise_variance / np.diag(m)), mean.shape)
    noise = jax.random.normal(jax.random.key(1), (4000, *mean.shape))
    noise = jnp.concatenate([noise, -noise])
    z = mean + jnp.exp(log_variance / 2) * noise
    diagonal = jax.vmap(lambda z: log_weights(model, x, z, variational.gaussian_log_prob(z, mean, log_variance)))(z)
    loss = ppca.log_prob(x, model) - diagonal
    error = loss.std() / math.sqrt(loss.size)
    assert abs(loss.mean() - gap) < 5 * error
    assert 5 * error < 0.1 * gap

    # L D L^T of the covariance: the flow's triangle and the variances of z_0.
    cholesky = np.linalg.cholesky(covariance)
    triangle = cholesky / np.diag(cholesky)
    context = jnp.broadcast_to(triangle[np.tril_indices(8, -1)], (4, 28))
    mean_0, log_variance = np.linalg.solve(triangle, mean.T).T, 2 * np.log(np.diag(cholesky))
    z_0 = mean_0 + jnp.exp(log_variance / 2) * noise[0]
    z, log_det = LowerTriangular().apply({}, z_0, context, method="forward_and_log_det")
    bound = log_weights(model, x, z, variational.gaussian_log_prob(z_0, mean_0, log_variance) - log_det)
    np.testing.assert_allclose(bound, ppca.log_prob(x, model), rtol=1e-10)


def test_the_triangle_s_covariance_is_l_d_l_transposed(x64):
    context = np.array([[0.5, -1.0, 2.0]])
    z = np.array([[0.3, 0.1, -2.0]])

    def there(z):
        return LowerTriangular().apply({}, z[None], context, method="forward_and_log_det")[0][0]

    @jax.jit
    def run(z):
        return jax.jacobian(there)(z[0]), LowerTriangular().apply({}, there(z[0])[None], context)

    jacobian, (back, log_det) = run(z)
    np.testing.assert_array_equal(jacobian, [[1, 0, 0], [0.5, 1, 0], [-1.0, 2.0, 1]])
    np.testing.assert_allclose(back, z, rtol=1e-12)
    np.testing.assert_array_equal(log_det, [0])


def test_the_best_linear_autoencoder_loses_the_discarded_eigenvalues(x64, splits):
    """What a trained one is held to: 387.318 for 8 units, in squared grey levels an image."""
    x = splits[0] - splits[0].mean(0)
    for k, expected in ((2, 850.888), (8, 387.318), (16, 178.168)):
        directions = np.asarray(fit(splits[0], latent_size=k).weights)
        basis = np.linalg.qr(directions)[0]
        error = np.mean(np.sum((x - x @ basis @ basis.T) ** 2, 1))
        assert error == pytest.approx(expected, abs=1e-3)
