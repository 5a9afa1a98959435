"""Classes by the nearest example against scikit-learn, and two sets told apart against all distances of all pairs."""

import jax
import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.neighbors import KNeighborsClassifier

from jaxgen.metrics import distances
from jaxgen.metrics.one_neighbor import neighbor_accuracy, two_sample_accuracy

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(distances, "BLOCK", 16)


apart = jax.jit(two_sample_accuracy)


def test_the_class_of_the_nearest_example_is_scikit_learn_s():
    training, x = (RNG.normal(100, 1, size=(count, 4)).astype(np.float32) for count in (60, 50))
    labels, asked = RNG.integers(0, 3, 60), RNG.integers(0, 3, 50)
    expected = KNeighborsClassifier(1).fit(training, labels).score(x, asked)
    accuracy = jax.jit(neighbor_accuracy)
    assert accuracy(x, asked, training, labels) == pytest.approx(expected, abs=1e-6)
    assert accuracy(training[:50], labels[:50], training, labels) == 1


def leave_one_out(a, b):
    points, kind = np.concatenate([a, b]).astype(float), np.repeat([0, 1], [len(a), len(b)])
    between = cdist(points, points)
    np.fill_diagonal(between, np.inf)
    same = kind[:, None] == kind
    own, other = (np.where(mask, between, np.inf).min(1) for mask in (same, ~same))
    return np.mean((own < other) + (own == other) / 2)


def test_sets_are_told_apart_as_by_all_distances():
    a, b = (RNG.normal(mean, 1, size=(200, 2)).astype(np.float32) for mean in (0, 0.7))
    assert apart(a, b) == pytest.approx(leave_one_out(a, b), abs=1e-6)
    ties = RNG.integers(0, 3, size=(2, 200, 2)).astype(np.float32)
    assert apart(*ties) == pytest.approx(leave_one_out(*ties), abs=1e-6)


def test_far_sets_are_told_apart_copies_never_and_one_distribution_half_of_the_time():
    a, b = RNG.normal(size=(2, 200, 2)).astype(np.float32)
    assert apart(a, b + 100) == 1
    assert apart(a, a[::-1]) == 0
    assert abs(float(apart(a, b)) - 0.5) < 4 / np.sqrt(400)
