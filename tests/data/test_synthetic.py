"""The toy densities: normalized, equal to SciPy's and to the integral they stand for, and what the samples follow."""

import numpy as np
import pytest
from scipy import integrate, special, stats

from jaxgen.data.synthetic import checkerboard, gaussian_grid, gaussian_ring, rings, two_moons, two_spirals


@pytest.mark.parametrize("make", [gaussian_ring, gaussian_grid, two_moons, rings, two_spirals, checkerboard])
def test_density_integrates_to_one_and_samples_follow_it(make):
    density = make()
    assert density.name == make.__name__
    axis = np.arange(-4.78, 4.8, 0.04)  # middles of cells, whose edges are also the squares'
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
    log_p = np.concatenate([density.log_prob(part) for part in np.array_split(grid, 40)])
    mass = np.exp(log_p) * 0.04**2
    np.testing.assert_allclose(mass.sum(), 1, atol=1e-6)
    grid, log_p, mass = (of_cells[mass > 0] for of_cells in (grid, log_p, mass))
    x = density.sample(np.random.default_rng(0), 20_000)
    assert x.dtype == np.float32
    # Moments and the entropy of the samples against those of the density on the grid, within five standard errors.
    for of_samples, of_grid in [(x[:, 0], grid[:, 0]), (x[:, 1], grid[:, 1]), (density.log_prob(x), log_p)]:
        mean = (mass * of_grid).sum()
        std = np.sqrt((mass * (of_grid - mean) ** 2).sum())
        assert abs(of_samples.mean() - mean) <= 5 * std / np.sqrt(len(x)) + 1e-9
        np.testing.assert_allclose(of_samples.std(), std, rtol=0.04, atol=1e-9)
    # And their numbers in squares of side 0.4, but for those that expect fewer than five.
    edges = [np.linspace(-4.8, 4.8, 25)] * 2
    counts, expected = (np.histogram2d(*p.T, edges, weights=w)[0] for p, w in ((x, None), (grid, len(x) * mass)))
    often = expected > 5
    squares = (counts - expected)[often] ** 2 / expected[often]
    assert stats.chi2.sf(squares.sum(), df=often.sum()) > 1e-3


def test_ring_is_scipys_mixture():
    x = np.array([[2.0, 0.0], [0.1, -0.2], [1.5, 1.4]])
    angles = np.arange(8) * np.pi / 4
    p = sum(stats.multivariate_normal([2 * np.cos(a), 2 * np.sin(a)], 0.01).pdf(x) for a in angles) / 8
    np.testing.assert_allclose(gaussian_ring().log_prob(x), np.log(p), rtol=1e-12)


def test_moons_are_the_integral_over_the_arcs():
    points = np.array([[0.0, 1.0], [1.0, 0.05], [0.3, 0.2], [2.0, 0.4], [-1.1, -0.1]])

    def integral(x):
        def blurred(theta):
            arcs = ([np.cos(theta), np.sin(theta)], [1 - np.cos(theta), 0.5 - np.sin(theta)])
            return sum(np.exp(-((x - c) ** 2).sum() / 0.02) / (0.02 * np.pi) for c in np.array(arcs)) / (2 * np.pi)

        return integrate.quad(blurred, 0, np.pi, epsabs=1e-13, limit=200, points=[np.pi / 4, np.pi / 2])[0]

    np.testing.assert_allclose(np.exp(two_moons().log_prob(points)), [integral(x) for x in points], rtol=1e-6)


def test_rings_are_the_integral_over_the_circles():
    radius, std = np.array([1, 2, 3]), 0.1
    for distance in (0.0, 0.9, 1.5, 2.05, 3.2):
        # A circle of radius r blurred by a Gaussian, at a distance d from its centre.
        bessel = special.ive(0, distance * radius / std**2)
        blurred = bessel * np.exp(-((distance - radius) ** 2) / (2 * std**2)) / (2 * np.pi * std**2)
        at = distance * np.array([[np.cos(0.7), np.sin(0.7)]])
        np.testing.assert_allclose(np.exp(rings().log_prob(at)), blurred @ radius / 6, rtol=1e-9)


def test_spirals_are_the_integral_over_the_arms():
    def blurred(theta, x):
        arm = theta / 3 * np.array([np.cos(theta), np.sin(theta)])
        near = sum(np.exp(-((x - c) ** 2).sum() / 0.02) / (0.02 * np.pi) for c in (arm, -arm))
        return near / 2 * theta / (4.5 * np.pi**2)

    points = np.array([[0.0, 0.0], [1.05, 0.1], [-2.0, 0.3], [0.2, -2.5], [-3.1, 0.05]])
    breaks = np.arange(1, 12) * np.pi / 4
    truth = [integrate.quad(blurred, 0, 3 * np.pi, (x,), epsabs=1e-13, limit=400, points=breaks)[0] for x in points]
    np.testing.assert_allclose(np.exp(two_spirals().log_prob(points)), truth, rtol=1e-6)


def test_splits_are_fixed_by_the_seed_and_differ():
    first, again, other = (two_moons().dataset(train=100, test=100, seed=s) for s in (0, 0, 1))
    ids = np.arange(100)
    np.testing.assert_array_equal(first.train[ids]["x"], again.train[ids]["x"])
    assert not np.isin(first.train[ids]["x"], first.test[ids]["x"]).any()
    assert not np.isin(first.train[ids]["x"], other.train[ids]["x"]).any()
    assert first.spec["x"].shape == first.train[ids]["x"].shape[1:]
    assert len(two_moons().dataset().train) == 50_000
