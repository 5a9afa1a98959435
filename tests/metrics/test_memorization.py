"""Nearest training examples against scikit-learn, and the data-copying statistic against SciPy's."""

import numpy as np
import pytest
from scipy import stats
from sklearn.neighbors import NearestNeighbors

from jaxgen.metrics import distances
from jaxgen.metrics.memorization import data_copying, nearest_neighbors


def test_nearest_neighbors_are_scikit_learn_s_and_copies_are_at_distance_zero(monkeypatch):
    monkeypatch.setattr(distances, "BLOCK", 16)
    rng = np.random.default_rng(0)
    training = rng.normal(100, 1, size=(80, 6)).astype(np.float32)
    x = np.concatenate([training[[5, 70]], rng.normal(100, 1, size=(48, 6)).astype(np.float32)])
    expected, numbers = NearestNeighbors(n_neighbors=1).fit(training).kneighbors(x)
    got, which = nearest_neighbors(x, training)
    np.testing.assert_array_equal(which, numbers[:, 0])
    np.testing.assert_allclose(got, expected[:, 0], rtol=1e-5)
    np.testing.assert_array_equal(got[:2], 0)


def test_data_copying_is_the_mann_whitney_statistic():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 12, size=50).astype(np.float32), rng.integers(3, 15, size=40).astype(np.float32)  # with ties
    u = stats.mannwhitneyu(a, b).statistic
    assert data_copying(a, b) == pytest.approx(u / (50 * 40), rel=1e-5)
    assert data_copying(np.zeros(50), b) == 0
    assert data_copying(a + 100, b) == pytest.approx(1, rel=1e-6)
    assert data_copying(b, b) == pytest.approx(0.5, rel=1e-6)
