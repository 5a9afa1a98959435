"""The Fréchet distance and its streaming moments, against closed forms, NumPy and SciPy's matrix square root."""

import jax
import numpy as np
import pytest
import scipy.linalg
from jax.sharding import NamedSharding, PartitionSpec

from jaxgen.metrics import frechet
from jaxgen.training.sharding import make_mesh


def moments(x, batch=100, weight=1.0):
    state = frechet.init(x.shape[1])
    for start in range(0, len(x), batch):
        state = UPDATE(state, x[start : start + batch], weight)
    return state


UPDATE = jax.jit(frechet.update)


def gaussian(mean, covariance):
    """The moments of an exact Gaussian."""
    return frechet.Moments(np.array(2.0), np.asarray(mean, float), np.asarray(covariance, float))


def test_moments_are_numpy_s_whatever_the_batches(x64):
    x = np.random.default_rng(0).normal(size=(230, 5)) @ np.random.default_rng(1).normal(size=(5, 5)) + 3
    for batch in (230, 115, 10):
        state = moments(x, batch)
        assert state.count == 230
        np.testing.assert_allclose(state.mean, x.mean(0), rtol=1e-12)
        np.testing.assert_allclose(frechet.covariance(state), np.cov(x.T), rtol=1e-10)
    both = frechet.merge(*(jax.tree.map(np.asarray, moments(part, 10)) for part in (x[:70], x[70:])))
    np.testing.assert_allclose(both.scatter, moments(x, 10).scatter, rtol=1e-10)


def test_rows_that_fill_up_a_batch_do_not_count(x64):
    x = np.random.default_rng(0).normal(size=(100, 5))
    weight = np.arange(100) < 60
    state = moments(np.where(weight[:, None], x, 1e6), weight=weight)
    np.testing.assert_allclose(state.mean, x[:60].mean(0))
    np.testing.assert_allclose(frechet.covariance(state), np.cov(x[:60].T))
    nothing = UPDATE(state, x, np.zeros(100))
    np.testing.assert_array_equal(nothing.scatter, state.scatter)


def test_float32_moments_survive_many_examples_far_from_zero():
    """A sum of squares in float32 would be wrong by the variance itself: 1e6 · 2^-24 · √n."""
    x = np.random.default_rng(0).normal(1000, 1, size=(200_000, 3)).astype(np.float32)
    state = moments(x, 1000)
    assert state.mean.dtype == np.float32
    np.testing.assert_allclose(frechet.covariance(state), np.cov(x.T.astype(np.float64)), atol=2e-5)


def test_batches_spread_over_devices_give_the_same_moments():
    mesh = make_mesh()
    assert mesh.size == 4
    x = np.random.default_rng(0).normal(size=(64, 5)).astype(np.float32)
    spread = jax.device_put(x, NamedSharding(mesh, PartitionSpec(("data", "fsdp"))))
    for a, b in zip(UPDATE(frechet.init(5), spread), UPDATE(frechet.init(5), x), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("features", [1, 4, 20])
def test_distance_is_scipy_s(features):
    rng = np.random.default_rng(features)
    means = rng.normal(size=(2, features))
    first, second = (a @ a.T for a in rng.normal(size=(2, features, features)))
    root = scipy.linalg.sqrtm(first @ second).real
    expected = np.sum((means[0] - means[1]) ** 2) + np.trace(first + second - 2 * root)
    assert frechet.frechet_distance(gaussian(means[0], first), gaussian(means[1], second)) == pytest.approx(expected)


def test_distance_of_gaussians_with_a_closed_form():
    """Of covariances that commute it is ‖μ₁ - μ₂‖² + ‖Σ₁^½ - Σ₂^½‖², here with directions of no variance at all."""
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))[0]
    roots = np.array([[2.0, 1.0, 0.0, 0.0], [1.0, 3.0, 0.5, 0.0]])
    first, second = (turn @ np.diag(r**2) @ turn.T for r in roots)
    expected = 4 * 0.5**2 + np.sum((roots[0] - roots[1]) ** 2)
    a, b = gaussian(np.zeros(4), first), gaussian(np.full(4, 0.5), second)
    assert frechet.frechet_distance(a, b) == pytest.approx(expected)
    assert frechet.frechet_distance(b, a) == pytest.approx(expected)
    assert frechet.frechet_distance(a, a) == pytest.approx(0, abs=1e-6)  # √ of rounding


def test_distance_of_samples_from_float32_moments():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(4000, 8)), rng.normal(1, 2, size=(4000, 8))
    got = frechet.frechet_distance(moments(x.astype(np.float32)), moments(y.astype(np.float32)))
    first, second = np.cov(x.T), np.cov(y.T)
    root = scipy.linalg.sqrtm(first @ second).real
    expected = np.sum((x.mean(0) - y.mean(0)) ** 2) + np.trace(first + second - 2 * root)
    assert got == pytest.approx(expected, rel=1e-5)
    assert got == pytest.approx(8 * (1 + 1), rel=0.1)  # the Gaussians they were drawn from
