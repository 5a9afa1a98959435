"""Modes of samples with known answers, and SciPy's relative entropy."""

import jax
import numpy as np
import pytest
from scipy import stats

from jaxgen.data.synthetic import gaussian_ring
from jaxgen.metrics import coverage

gaussian_modes = jax.jit(coverage.gaussian_modes)
mode_coverage = jax.jit(coverage.mode_coverage)


def test_modes_and_divergence_of_a_thousand_modes():
    rng = np.random.default_rng(0)
    data = rng.dirichlet(np.ones(1000))
    modes = rng.integers(0, 700, size=5000)
    figures = mode_coverage(modes, data)
    shares = np.bincount(modes, minlength=1000) / 5000
    assert figures["modes"] == len(set(modes))
    assert figures["kl"] == pytest.approx(stats.entropy(shares, data), rel=1e-4)
    assert mode_coverage(modes, np.where(np.arange(1000) == modes[0], 0, data))["kl"] == np.inf
    good = rng.random(5000) < 0.1
    assert mode_coverage(modes, data, good)["modes"] == len(set(modes[good]))


def test_the_bias_of_the_divergence_is_what_the_docstring_says():
    rng = np.random.default_rng(0)
    kl = [mode_coverage(rng.integers(0, 25, size=1000), np.full(25, 1 / 25))["kl"] for _ in range(40)]
    assert np.mean(kl) == pytest.approx(24 / 2000, rel=0.2)


def test_the_ring_itself_has_eight_modes_and_a_collapsed_model_has_one():
    ring = gaussian_ring()
    own = gaussian_modes(ring.sample(np.random.default_rng(0), 20_000), ring.centres, ring.std)
    assert own["modes"] == 8
    assert own["high_quality"] == pytest.approx(1 - np.exp(-4.5), abs=0.002)
    assert own["kl"] < 1e-3
    near = ring.centres[3] + ring.std * np.array([[2.9, 0], [0, -2.9], [0, 3.1], [0.5, 0.5]])
    near = np.resize(near, (20_000, 2)).astype(np.float32)
    collapsed = gaussian_modes(near, ring.centres, ring.std)
    assert collapsed["modes"] == 1
    assert collapsed["high_quality"] == 0.75
    assert collapsed["kl"] == pytest.approx(np.log(8), rel=1e-5)
    weights = np.where(np.arange(8) == 3, 0.5, 0.5 / 7)
    assert gaussian_modes(near, ring.centres, ring.std, weights)["kl"] == pytest.approx(np.log(2), rel=1e-5)

    stray = ring.centres[6] * 1.4  # nearest to a mode, and too far from it to have found it
    with_stray = gaussian_modes(np.where(np.arange(20_000)[:, None] % 2, near, stray), ring.centres, ring.std)
    assert with_stray["modes"] == 1
    assert with_stray["high_quality"] == 0.5
