"""Near neighbours of float32 points against the differences themselves in float64, on sets where squares cancel."""

import jax
import numpy as np
import pytest
from scipy.spatial.distance import cdist, pdist

from jaxgen.metrics.classes import intra_class_diversity
from jaxgen.metrics.coverage import gaussian_modes
from jaxgen.metrics.distances import squared_distances
from jaxgen.metrics.memorization import nearest_neighbors
from jaxgen.metrics.precision_recall import precision_recall, squared_radii

RNG = np.random.default_rng(0)
K = 5


def nearly_blank(count):
    """Nine in ten are ordinary images, one in ten is blank but for a little noise."""
    images = RNG.uniform(-1, 1, (count, 784)).round(1)
    images[: count // 10] = -1 + 1e-3 * RNG.uniform(size=(count // 10, 784))
    return images


def with_a_tight_cluster(count):
    """A third of the points is closer together than the rest by four orders of magnitude, and far from the mean."""
    points = RNG.normal(size=(count, 32))
    points[: count // 3] = 10 + 1e-4 * points[: count // 3]
    return points


def of_few_levels(count):
    """Black and white pixels: most distances tie."""
    return RNG.integers(0, 2, size=(count, 12)) * 2.0 - 1


def copies(count):
    """Every point twice, and an offset as large as float32 bears."""
    return np.tile(300 + RNG.normal(size=(count // 2, 16)), (2, 1))


SETS = {f.__name__: f for f in (nearly_blank, with_a_tight_cluster, of_few_levels, copies)}

# Of one shape all sets share a program: zeros change no distance.
radii, scores = (jax.jit(each, static_argnames="k") for each in (squared_radii, precision_recall))
nearest, diversity = jax.jit(nearest_neighbors), jax.jit(intra_class_diversity, static_argnames="classes")


def drawn(name, count):
    points = SETS[name](count).astype(np.float32)
    return np.pad(points, ((0, 0), (0, 784 - points.shape[1])))


@pytest.fixture(scope="module", params=SETS)
def sets(request):
    """Samples, of which a third are copies, and real points, float32; and all distances of pairs, in float64."""
    samples, real = (drawn(request.param, count) for count in (150, 180))
    samples[::3] = real[:50]
    return samples, real, cdist(samples.astype(float), real.astype(float))


def test_squares_of_float32_are_taken_from_the_mean():
    # From the origin they would be differences of numbers near 2 million, of which float32 keeps an eighth.
    x, y = np.split((300 + np.random.default_rng(1).normal(size=(90, 16))).astype(np.float32), [40])
    expected = cdist(x.astype(float), y.astype(float)) ** 2
    np.testing.assert_allclose(jax.jit(squared_distances)(x, y), expected, rtol=1e-4)


def true_radii(x):
    return np.sort(cdist(x.astype(float), x.astype(float)), axis=1)[:, K]


def test_radii_reach_to_the_true_kth_neighbour(sets):
    for x in sets[:2]:
        found = np.sqrt(radii(x, k=K))
        np.testing.assert_allclose(found, true_radii(x), rtol=1e-5, atol=1e-5 * np.ptp(x) * 1e-2)


def test_precision_recall_density_and_coverage_are_the_true_ones(sets):
    samples, real, between = sets
    inside = between <= true_radii(real) * (1 + 1e-9)
    expected = {
        "precision": inside.any(1).mean(),
        "recall": (between <= true_radii(samples)[:, None] * (1 + 1e-9)).any(0).mean(),
        "density": inside.sum() / (K * len(samples)),
        "coverage": inside.any(0).mean(),
    }
    found = scores(samples, real, k=K)
    assert {name: float(value) for name, value in found.items()} == pytest.approx(expected, rel=1e-6)
    assert all(value.dtype == np.float32 for value in found.values())


def test_the_nearest_example_is_nearest(sets):
    samples, real, between = sets
    distances, which = nearest(samples, real)
    np.testing.assert_allclose(distances, between.min(1), rtol=1e-5, atol=0)
    np.testing.assert_allclose(between[np.arange(len(samples)), which], between.min(1), rtol=1e-5, atol=0)


def test_diversity_is_the_mean_distance_of_pairs(sets):
    _, real, _ = sets
    labels = np.arange(len(real)) * 3 // len(real)  # the cluster is a class of its own
    found = diversity(real, labels, classes=3)
    expected = [pdist(real[labels == c].astype(float)).mean() for c in range(3)]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_modes_closer_than_float32_tells_from_afar_are_told_apart():
    """Eight centres around a point far from the others."""
    angles = 2 * np.pi * np.arange(8) / 8
    centres = np.concatenate([1000 + 1e-2 * np.stack([np.cos(angles), np.sin(angles)], 1), [[-1000.0, -1000.0]]])
    std = 1e-3
    samples = (centres[np.arange(900) % 9] + std * RNG.normal(size=(900, 2))).astype(np.float32)
    found = jax.jit(gaussian_modes)(samples, centres.astype(np.float32), std)
    near = cdist(samples.astype(float), centres.astype(np.float32).astype(float))
    assert found["high_quality"] == pytest.approx((near.min(1) <= 3 * std).mean(), abs=1e-6)
    assert found["modes"] == 9
    shares = np.bincount(near.argmin(1), minlength=9) / 900
    assert found["kl"] == pytest.approx(np.sum(shares * np.log(shares * 9)), abs=1e-6)
