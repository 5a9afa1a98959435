"""Sign, units and dequantization of flows, against scipy and against data whose entropy is known."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import kstest, multivariate_normal

from jaxgen.errors import UserError
from jaxgen.losses import flow


def test_log_likelihood_of_a_whitened_gaussian_is_its_log_density(x64):
    rng = np.random.default_rng(0)
    mean, factor = rng.normal(size=6), np.tril(rng.normal(size=(6, 6))) + 3 * np.eye(6)
    x = rng.normal(size=(5, 6)) * 3
    z = np.linalg.solve(factor, (x - mean).T).T
    log_det = np.full(5, -np.log(np.diag(factor)).sum())  # of data to base: the inverse of the factor
    expected = multivariate_normal(mean, factor @ factor.T).logpdf(x)
    np.testing.assert_allclose(flow.log_likelihood(z, log_det), expected, rtol=1e-12)
    np.testing.assert_allclose(flow.log_likelihood(z.reshape(5, 1, 2, 3), log_det), expected, rtol=1e-12)


def test_log_likelihood_golden_value():
    z = jnp.array([[0.0, 0.0], [1.0, 2.0]])
    expected = [-math.log(2 * math.pi) + 1.0, -math.log(2 * math.pi) - 2.5 - 1.0]
    np.testing.assert_allclose(flow.log_likelihood(z, jnp.array([1.0, -1.0])), expected, rtol=1e-6)


@pytest.mark.parametrize("shape", [(), (4, 1), (3,)])
def test_a_log_det_that_is_not_one_per_example_is_refused(shape):
    with pytest.raises(UserError, match="log_det has shape"):
        flow.log_likelihood(jnp.zeros((4, 2)), jnp.zeros(shape))


@pytest.mark.parametrize("levels", [2, 17, 256])
def test_the_uniform_density_costs_log2_levels(levels):
    bits = flow.bits_per_dim(jnp.zeros(3), (8, 8, 1), levels)
    np.testing.assert_array_equal(bits, np.full(3, math.log2(levels), np.float32))


def test_bits_per_dim_does_not_depend_on_the_unit_of_the_density(x64):
    x = np.random.default_rng(0).uniform(size=(4, 3))
    scaled = multivariate_normal(np.full(3, 0.5), 0.04).logpdf(x)  # density of data in [0, 1)
    raw = multivariate_normal(np.full(3, 128.0), 0.04 * 256**2).logpdf(256 * x)  # of the same data in [0, 256)
    np.testing.assert_allclose(flow.bits_per_dim(scaled, (3,)), flow.bits_per_dim(raw, (3,), levels=1), rtol=1e-12)
    np.testing.assert_allclose(flow.bits_per_dim(raw, (3,), levels=1), -raw / 3 / math.log(2), rtol=1e-12)


@pytest.mark.parametrize("levels", [5, 256])
def test_discrete_data_cost_their_cross_entropy_and_never_less_than_their_entropy(levels):
    """A density flat within each cell codes the data at the discrete model's own length, with no slack."""
    rng = np.random.default_rng(levels)
    counts = rng.integers(1, 20, levels)
    images = rng.permutation(np.repeat(np.arange(levels), counts))[:, None]
    frequencies = counts / counts.sum()
    entropy = -np.sum(frequencies * np.log2(frequencies))
    x = flow.dequantize(images, jax.random.key(0), levels)

    def mean_bits(probabilities):
        density = np.array(probabilities * levels)
        return flow.bits_per_dim(np.log(density[np.int32(np.floor(x * levels))]).sum(1), (1,), levels).mean()

    np.testing.assert_allclose(mean_bits(frequencies), entropy, rtol=1e-5)
    other = rng.dirichlet(np.ones(levels))
    np.testing.assert_allclose(mean_bits(other), -np.sum(frequencies * np.log2(other)), rtol=1e-5)
    assert mean_bits(other) > entropy


@pytest.mark.parametrize("levels", [2, 17, 100, 256, 1000])
def test_dequantized_data_stay_in_their_cell_and_fill_it(levels):
    """Adding u in float32 without care rounds into the next cell once in some 2^17 draws, and at the top to 1.0."""
    images = np.resize(np.arange(levels - 4 if levels > 4 else 0, levels), 2**21)
    x = np.asarray(flow.dequantize(images, jax.random.key(levels), levels))
    assert x.dtype == np.float32
    assert x.max() < 1
    np.testing.assert_array_equal(np.floor(x * np.float32(levels)), images)
    within = np.float64(x[:5000]) * levels - images[:5000]
    assert kstest(within, "uniform").pvalue > 1e-3


@pytest.mark.parametrize("levels", [2, 256, 1000])
def test_a_place_at_either_end_stays_in_its_cell(levels):
    images = np.arange(levels)
    for u in (0.0, 0.5, 1.0):
        x = np.asarray(flow.fill_cells(images, np.full(levels, u, np.float32), levels))
        np.testing.assert_array_equal(np.floor(x * np.float32(levels)), images)
        np.testing.assert_allclose(x, (images + u) / levels, rtol=1e-3)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float32, np.float64])
def test_dequantize_keeps_float64_and_gives_float32_else(x64, dtype):
    x = flow.dequantize(np.array([0, 255], dtype), jax.random.key(0))
    assert x.dtype == (np.float64 if dtype is np.float64 else np.float32)
    assert 0 <= x[0] < 1 / 256
    assert 255 / 256 <= x[1] < 1


def test_bad_levels_and_shapes_are_refused():
    with pytest.raises(UserError, match="levels is 0"):
        flow.dequantize(jnp.zeros(2), jax.random.key(0), 0)
    with pytest.raises(UserError, match="levels is 0"):
        flow.bits_per_dim(jnp.zeros(2), (4,), 0)
    with pytest.raises(UserError, match=r"event_shape is \(8, 0\)"):
        flow.bits_per_dim(jnp.zeros(2), (8, 0))
