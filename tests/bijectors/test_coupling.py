"""What a coupling does to the half that moves, element by element."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.bijectors.coupling import Additive, Affine


@pytest.mark.parametrize("bound", [0.5, 3.0])
def test_an_affine_scale_begins_as_what_the_network_says_and_never_leaves_its_bound(x64, bound):
    raw, shift, z = np.array([-1e3, -0.1, 0.0, 1e-6, 2.0, 1e3]), np.arange(6.0), np.linspace(-1, 1, 6)
    numbers = jnp.concatenate([raw, shift])
    x, log_scale = Affine(bound).forward(jnp.asarray(z), numbers)
    np.testing.assert_allclose(log_scale, bound * np.tanh(raw / bound), rtol=1e-12)
    np.testing.assert_allclose(x, z * np.exp(log_scale) + shift, rtol=1e-12)
    assert np.abs(log_scale).max() <= bound
    slopes = jax.vmap(jax.grad(lambda r: Affine(bound).forward(jnp.ones(1), jnp.stack([r, 0.0]))[1][0]))(raw)
    np.testing.assert_allclose(slopes, 1 / np.cosh(np.clip(raw / bound, -300, 300)) ** 2, rtol=1e-6, atol=1e-12)


def test_an_additive_one_moves_and_does_not_stretch():
    x, log_derivative = Additive().forward(jnp.ones(3), jnp.arange(3.0))
    np.testing.assert_array_equal(x, [1, 2, 3])
    np.testing.assert_array_equal(log_derivative, 0)
