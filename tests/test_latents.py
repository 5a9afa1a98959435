"""Moves of latents against their closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxgen import latents
from jaxgen.errors import UserError

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(("threshold", "std"), [(2, 0.8796), (1, 0.5396), (0.5, 0.2839), (0.04, 0.02309)])
def test_truncated_latents_are_truncated_normal(threshold, std):
    z = jnp.asarray(RNG.standard_normal(100_000), jnp.float32)
    moved = np.asarray(latents.truncate(threshold, z), np.float64)
    assert moved.std() == pytest.approx(std, rel=0.01)
    assert stats.kstest(moved, stats.truncnorm(-threshold, threshold).cdf).pvalue > 1e-3
    assert np.abs(moved).max() <= np.float32(threshold)
    np.testing.assert_array_equal(np.sign(moved), np.sign(z))  # each keeps its place among the others
    extreme = latents.truncate(threshold, jnp.asarray([-40.0, 40.0]))
    np.testing.assert_allclose(extreme, [-threshold, threshold], rtol=1e-6)


def test_between_goes_along_the_circle_at_equal_speed():
    a, b = jnp.asarray([[3.0, 0.0]]), jnp.asarray([[0.0, 3.0]])
    for t in np.linspace(0, 1, 7):
        angle = t * np.pi / 2
        np.testing.assert_allclose(latents.between(t, a, b), [[3 * np.cos(angle), 3 * np.sin(angle)]], atol=1e-6)


@pytest.mark.parametrize("b", [[2.0, 0.0], [-1.0, 0.0], [1.0, 1e-7]])
def test_between_parallel_latents_is_the_line(b):
    a, b = jnp.asarray([[1.0, 0.0]]), jnp.asarray([b])
    np.testing.assert_allclose(latents.between(0.25, a, b), 0.75 * a + 0.25 * b, atol=1e-6)


def test_rows_follow_the_values_and_labels_stay():
    z = {"z": jnp.asarray([[1.0], [2.0]]), "label": jnp.asarray([7, 9])}
    rows = latents.sweep([1.0, 0.5, 0.1], latents.scale, z)
    np.testing.assert_allclose(rows["z"][:, 0], [1, 0.5, 0.1, 2, 1, 0.2], rtol=1e-6)
    np.testing.assert_array_equal(rows["label"], [7, 7, 7, 9, 9, 9])
    direction = latents.combine([-1, 1], [latents.mean(z), jax.tree.map(lambda x: x[1:], z)])
    moved = latents.sweep([0.0, 2.0], latents.shift, z, direction)
    np.testing.assert_allclose(moved["z"][:, 0], [1, 2, 2, 3])  # along 2 - 1.5
    np.testing.assert_array_equal(moved["label"], [7, 7, 9, 9])


def test_keys_have_nothing_between_them():
    keys = jax.random.split(jax.random.key(0), 3)
    with pytest.raises(UserError, match="no real numbers"):
        latents.sweep([0.0, 1.0], latents.between, keys, keys)
