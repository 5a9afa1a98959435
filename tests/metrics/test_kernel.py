"""The kernel distance, against double loops over pairs."""

import jax
import numpy as np
import pytest

from jaxgen.metrics import distances
from jaxgen.metrics.kernel import kernel_distance, squared_mmd


def by_pairs(x, y):
    """The definition, pair by pair."""

    def k(a, b):
        return (a @ b / len(a) + 1) ** 3

    def mean(values):
        return np.mean(list(values))

    within = [mean(k(a, b) for i, a in enumerate(z) for j, b in enumerate(z) if i != j) for z in (x, y)]
    return sum(within) - 2 * mean(k(a, b) for a in x for b in y)


@pytest.fixture(scope="module")
def features():
    rng = np.random.default_rng(0)
    return rng.normal(size=(30, 4)), rng.normal(0.5, 1.5, size=(20, 4))


def test_squared_mmd_is_that_of_a_double_loop(features, monkeypatch, x64):
    monkeypatch.setattr(distances, "BLOCK", 7)
    x, y = features
    assert squared_mmd(x, y) == pytest.approx(by_pairs(x, y), rel=1e-10)
    assert squared_mmd(y, x) == pytest.approx(by_pairs(x, y), rel=1e-10)


def test_distance_is_the_mean_over_blocks_with_its_standard_error(features, x64):
    x, y = features
    values = [by_pairs(x[i * 7 : i * 7 + 7], y[i * 5 : i * 5 + 5]) for i in range(4)]
    mean, error = kernel_distance(x, y, blocks=4)
    assert mean == pytest.approx(np.mean(values))
    assert error == pytest.approx(np.std(values, ddof=1) / 2)


def test_it_is_unbiased_and_its_standard_error_says_how_far_off_it_may_be():
    """Of two sets from one distribution the mean is 0, though each block of 10 has 10 pairs of equals on its diagonal.

    With them, the estimate would be (E k(x, x) - E k(x, x')) · 2/10 = 1.2 too high; its error here is 0.08.
    """
    x, y = np.random.default_rng(0).normal(size=(2, 2000, 4)).astype(np.float32)
    mean, error = jax.jit(kernel_distance, static_argnames="blocks")(x, y, blocks=200)
    assert error < 0.15
    assert abs(mean) < 4 * error


def test_float32_resolves_a_difference_that_is_small_beside_the_kernel():
    rng = np.random.default_rng(0)
    x, y = rng.normal(3, 1, size=(400, 32)), rng.normal(3.02, 1, size=(400, 32))
    exact = np.float64(0)
    k = [(a @ b.T / 32 + 1) ** 3 for a, b in ((x, x), (y, y), (x, y))]
    exact = sum((m.sum() - np.trace(m)) / (400 * 399) for m in k[:2]) - 2 * k[2].mean()
    assert squared_mmd(x.astype(np.float32), y.astype(np.float32)) == pytest.approx(exact, rel=1e-3)
    assert exact < 1e-2 * k[0].mean()
