"""Oscillators by their periodogram, and domains that share nothing but the classes."""

import numpy as np

from jaxgen.data.oscillators import FREQUENCIES, SOURCE, TARGET, Domain, oscillators
from jaxgen.data.synthetic import overlapping_classes, unequal_clusters

IDS = np.arange(1000)


def test_the_class_is_the_frequency():
    x = oscillators(SOURCE, length=200).train[IDS]
    power = np.abs(np.fft.rfft(x["x"][..., 0], 4096, axis=1))
    peak = power[:, 1:].argmax(1) + 1
    found = peak / 4096
    nearest = np.abs(found[:, None] - FREQUENCIES).argmin(1)
    assert (nearest == x["label"]).mean() > 0.99
    assert abs(x["label"].mean() - 0.5) < 4 * 0.5 / np.sqrt(1000)


def test_a_domain_shows_what_it_says():
    still = Domain(offset=2.0, scale=0.5, noise=0.0)
    x = oscillators(still, length=400).test[IDS]["x"]
    np.testing.assert_allclose(x.mean((1, 2)), 2.0, atol=0.05)
    np.testing.assert_allclose(np.sqrt(2) * x.std((1, 2)), 0.5, atol=0.05)
    noisy = oscillators(Domain(scale=0.0, noise=0.3), length=400).test[IDS]["x"]
    np.testing.assert_allclose(noisy.std(), 0.3, rtol=0.01)
    walk = np.diff(oscillators(Domain(scale=0.0, noise=0.0, drift=0.2), length=400).test[IDS]["x"], axis=1)
    np.testing.assert_allclose(walk.std(), 0.2, rtol=0.01)


def test_series_are_fixed_and_domains_and_splits_independent():
    source, target = (oscillators(domain) for domain in (SOURCE, TARGET))
    np.testing.assert_array_equal(source.train[IDS]["x"], oscillators(SOURCE).train[IDS]["x"])
    labels = [data[IDS]["label"] for data in (source.train, source.test, target.train)]
    for other in labels[1:]:
        assert abs((labels[0] == other).mean() - 0.5) < 4 * 0.5 / np.sqrt(1000)


def test_unequal_clusters_have_no_symmetry():
    """No rotation or reflection about any point maps their weighted centres to themselves: all three weights differ."""
    density = unequal_clusters()
    assert len(set(density.weights)) == 3
    sides = sorted(np.linalg.norm(density.centres[i] - density.centres[i - 1]) for i in range(3))
    assert np.diff(sides).min() > 0.3
    x = density.sample(np.random.default_rng(0), 20_000)
    nearest = np.linalg.norm(x[:, None] - density.centres, axis=-1).argmin(1)
    np.testing.assert_allclose(np.bincount(nearest) / 20_000, density.weights, atol=0.015)


def test_overlapping_classes_are_the_gaussians_they_say():
    data = overlapping_classes().train
    x = data[np.arange(len(data))]
    for label, mean in enumerate((-1.0, 0.0, 1.0)):
        of_class = x["x"][x["label"] == label]
        assert abs(of_class.mean() - mean) < 4 * 0.5 / np.sqrt(len(of_class))
        np.testing.assert_allclose(of_class.std(), 0.5, rtol=0.03)
