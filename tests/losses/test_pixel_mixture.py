"""The mixture over a pixel's channels against scipy's logistic, component by component and level by level."""

import jax
import numpy as np
import pytest
from scipy import special, stats

from jaxgen.losses.pixel_mixture import conditionals, log_prob, numbers, unpacked

COMPONENTS = 3


@pytest.fixture(autouse=True)
def _float64(x64):
    """Where probabilities sum to one to many places."""


def mixture(channels, seed=0):
    raw = np.random.default_rng(seed).normal(size=numbers(channels, COMPONENTS))
    raw[COMPONENTS * (1 + channels) : COMPONENTS * (1 + 2 * channels)] -= 1.0  # narrower than all of [-1, 1]
    return unpacked(raw, channels, COMPONENTS)


def of_scipy(x, parameters, levels):
    """Probability of one pixel, in loops."""
    total, half = 0.0, 1 / (levels - 1)
    for k, weight in enumerate(special.softmax(parameters.logits)):
        product, index = weight, 0
        for c in range(len(x)):
            mean = parameters.means[c, k]
            for d in range(c):
                mean += parameters.coefficients[index, k] * x[d]
                index += 1
            logistic = stats.logistic(mean, np.exp(parameters.log_scales[c, k]))
            upper = 1.0 if x[c] > 1 - half else logistic.cdf(x[c] + half)
            product *= upper - (0.0 if x[c] < half - 1 else logistic.cdf(x[c] - half))
        total += product
    return total


@pytest.mark.parametrize("levels", [2, 17, 256])
def test_a_pixel_s_probability_is_the_sum_of_products_of_bins(levels):
    parameters = mixture(3)
    x = np.linspace(-1, 1, levels)[np.random.default_rng(1).integers(0, levels, (6, 3))]
    x[0], x[1] = -1, 1
    expected = [of_scipy(pixel, jax.tree.map(np.asarray, parameters), levels) for pixel in x]
    np.testing.assert_allclose(np.exp(log_prob(x, parameters, levels=levels)), expected, rtol=1e-9)


@pytest.mark.parametrize("channels", [1, 2])
def test_all_pixels_of_256_levels_have_probability_one(channels):
    axis = np.linspace(-1, 1, 256)
    pixels = np.stack(np.meshgrid(*[axis] * channels, indexing="ij"), axis=-1)
    assert pixels[..., 0].size == 256**channels
    total = np.exp(jax.jit(log_prob)(pixels, mixture(channels))).sum()
    np.testing.assert_allclose(total, 1, rtol=1e-12)


def test_conditionals_are_quotients_of_the_joint():
    """All pixels of 5 levels by enumeration: P(x_c | x_<c) is the sum over later channels, divided."""
    parameters, axis = mixture(3), np.linspace(-1, 1, 5)
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)
    joint = np.exp(log_prob(grid, parameters, levels=5))
    actual = np.exp(conditionals(grid, parameters, levels=5))
    first = joint.sum((1, 2))
    second = joint.sum(2) / first[:, None]
    third = joint / joint.sum(2, keepdims=True)
    by_hand = [first[None, None, None], second[:, None, None], third[:, :, None]]
    for channel, expected in enumerate(by_hand):
        np.testing.assert_allclose(actual[..., channel, :], np.broadcast_to(expected, (5, 5, 5, 5)), rtol=1e-10)
