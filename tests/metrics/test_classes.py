"""Figures by class, against loops."""

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from jaxgen.metrics import distances
from jaxgen.metrics.classes import conditional_accuracy, intra_class_diversity


def test_intra_class_diversity_is_scipy_s_mean_pairwise_distance(monkeypatch, x64):
    monkeypatch.setattr(distances, "BLOCK", 16)
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, size=50)
    x = rng.normal(size=(50, 4)) * (1 + labels[:, None])
    labels[7] = 3  # alone of its class
    got = intra_class_diversity(x, labels, classes=5)
    np.testing.assert_allclose(got[:3], [pdist(x[labels == c]).mean() for c in range(3)])
    assert np.isnan(got[3:]).all()


def test_conditional_accuracy_counts_samples_of_the_class_they_were_asked_for():
    assert conditional_accuracy(np.array([1, 0, 2]), np.array([1, 1, 2])) == pytest.approx(2 / 3)
