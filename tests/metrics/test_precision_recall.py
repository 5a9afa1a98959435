"""Precision, recall, density and coverage, against scikit-learn's nearest neighbours and sets with known answers."""

import jax
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec
from sklearn.metrics import pairwise_distances
from sklearn.neighbors import NearestNeighbors

from jaxgen.metrics import distances
from jaxgen.metrics.precision_recall import precision_recall, squared_radii
from jaxgen.training.sharding import make_mesh

FIGURES = jax.jit(precision_recall, static_argnames="k")


def radii(x, k):
    return NearestNeighbors(n_neighbors=k + 1).fit(x).kneighbors(x)[0][:, -1]


def reference(samples, real, k):
    between = pairwise_distances(samples, real)
    inside = between <= radii(real, k)
    return {
        "precision": inside.any(1).mean(),
        "recall": (between <= radii(samples, k)[:, None]).any(0).mean(),
        "density": inside.sum() / (k * len(samples)),
        "coverage": (between.min(0) <= radii(real, k)).mean(),
    }


def test_figures_are_those_of_scikit_learn(monkeypatch, x64):
    monkeypatch.setattr(distances, "BLOCK", 16)
    rng = np.random.default_rng(0)
    samples, real = 5 + rng.normal(0.7, 0.8, size=(90, 3)), 5 + rng.normal(size=(70, 3))
    np.testing.assert_allclose(squared_radii(real, 4), radii(real, 4) ** 2)
    got, expected = FIGURES(samples, real, k=4), reference(samples, real, 4)
    assert len(set(expected.values())) == 4  # not trivial, nor one taken for another
    for name, value in expected.items():
        assert got[name] == pytest.approx(value), name


def test_float32_points_spread_over_devices_agree(monkeypatch):
    monkeypatch.setattr(distances, "BLOCK", 16)
    rng = np.random.default_rng(1)
    samples, real = (rng.normal(shift, 1, size=(64, 8)).astype(np.float32) for shift in (100.3, 100))
    sharding = NamedSharding(make_mesh(), PartitionSpec(("data", "fsdp")))
    figures = FIGURES(jax.device_put(samples, sharding), jax.device_put(real, sharding))
    for name, value in reference(samples.astype(float), real.astype(float), 5).items():
        assert figures[name] == pytest.approx(value, abs=1e-6), name


def test_sets_with_known_answers():
    """Two clusters of real points: samples of one alone are precise and recall half; samples far off are neither."""
    rng = np.random.default_rng(0)
    left, right, other = (rng.normal(centre, 1, size=(100, 2)) for centre in (-50, 50, -50))
    figures = FIGURES(other, np.concatenate([left, right]), k=5)
    assert figures["precision"] > 0.9
    assert 0.4 < figures["recall"] <= 0.5
    assert 0.4 < figures["coverage"] <= 0.5
    assert figures["density"] == pytest.approx(1, abs=0.2)
    far = FIGURES(other + 1000, np.concatenate([left, right]), k=5)
    assert all(value == 0 for value in far.values())
