"""Domain adaptation's pieces: the reversed gradient, and the bound on what aligned features cost, by enumeration."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from jaxgen.losses import adaptation


def test_reversal_is_the_identity_whose_gradient_is_minus_lambda_times_a_finite_difference(x64):
    x = jnp.array([0.3, -1.2, 2.0])

    def head(x):
        return jnp.sum(jnp.sin(x) * x)

    strength, epsilon = 0.7, 1e-6
    np.testing.assert_array_equal(adaptation.gradient_reversal(x, strength), x)
    found = jax.jit(jax.grad(lambda x, s: head(adaptation.gradient_reversal(x, s))))(x, strength)
    steps = epsilon * np.eye(3)
    differences = [(head(x + step) - head(x - step)) / (2 * epsilon) for step in steps]
    np.testing.assert_allclose(found, -strength * np.array(differences), rtol=1e-7)


def test_the_head_behind_a_reversal_descends_as_ever_and_the_strength_is_applied_once(x64):
    """One loss of a head h and features f: the head's gradient does not know lambda, and the strength has none."""

    def loss(f, h, strength):
        return h * adaptation.gradient_reversal(f, strength)

    gradients = jax.grad(loss, (0, 1, 2))(3.0, 5.0, 0.25)
    np.testing.assert_allclose(gradients, (-0.25 * 5, 3, 0))


def test_the_schedule(x64):
    progress = np.linspace(0, 1, 7)
    np.testing.assert_allclose(adaptation.reversal_schedule(progress), 2 / (1 + np.exp(-10 * progress)) - 1, atol=1e-12)


def test_proxy_a_distance_at_its_ends():
    np.testing.assert_allclose(adaptation.proxy_a_distance(np.array([0.5, 0.25, 0.0])), [0, 1, 2])


def test_no_features_and_no_classifier_err_less_than_the_bound(x64):
    """Every map of four inputs to two features, every classifier of them, in random pairs of domains."""
    rng = np.random.default_rng(0)
    closest = np.inf
    for _ in range(60):
        inputs = rng.dirichlet(np.full(4, 0.3), 2)  # p(x) in either domain
        labels = rng.integers(0, 2, size=(2, 4))  # its own labelling of them, too
        shares = np.stack([np.bincount(y, p, 2) for y, p in zip(labels, inputs, strict=True)])
        for features in itertools.product(range(2), repeat=4):
            z = np.stack([np.bincount(features, p, 2) for p in inputs])
            alignment = jensenshannon(*z, base=2)
            bound = float(adaptation.label_shift_bound(*shares, np.nan_to_num(alignment)))
            for classifier in itertools.product(range(2), repeat=2):
                predicted = np.array(classifier)[list(features)]
                errors = (inputs * (labels != predicted)).sum()
                assert errors >= bound - 1e-12
                closest = min(closest, errors - bound)
    assert closest < 0.02  # the bound says something


def test_aligned_features_and_disjoint_labels_err_by_a_half(x64):
    """Everything is of class 0 here and of class 1 there: d is one bit, and one of two answers is always wrong."""
    assert adaptation.label_shift_bound(jnp.array([1.0, 0.0]), jnp.array([0.0, 1.0])) == pytest.approx(0.5)
    assert adaptation.label_shift_bound(jnp.array([0.7, 0.3]), jnp.array([0.7, 0.3])) == 0
    assert adaptation.label_shift_bound(jnp.array([0.7, 0.3]), jnp.array([0.6, 0.4]), 0.9) == 0
