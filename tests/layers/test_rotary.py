import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.errors import UserError
from jaxgen.layers.rotary import rotary


def test_products_depend_on_the_distance_alone_and_lengths_stay(x64):
    rng = np.random.default_rng(0)
    q, k = rng.standard_normal((2, 1, 1, 1, 8))

    def product(p, r):
        return (rotary(q, jnp.array([p])) * rotary(k, jnp.array([r]))).sum()

    np.testing.assert_allclose(product(7, 3), product(104, 100), rtol=1e-9)
    assert abs(product(7, 3) - product(7, 4)) > 1e-3
    np.testing.assert_allclose((rotary(q, jnp.array([9])) ** 2).sum(), (q**2).sum(), rtol=1e-12)


def test_it_turns_pairs_as_complex_numbers(x64):
    x = np.random.default_rng(1).standard_normal((2, 5, 3, 6))
    z = x[..., :3] + 1j * x[..., 3:]
    turned = z * np.exp(1j * np.arange(5)[:, None] * 100.0 ** (-np.arange(3) / 3))[:, None]
    expected = np.concatenate([turned.real, turned.imag], -1)
    np.testing.assert_allclose(rotary(x, jnp.arange(5), base=100.0), expected, rtol=1e-12)


def test_odd_heads_are_refused():
    with pytest.raises(UserError, match="3 features"):
        rotary(jnp.zeros((1, 1, 1, 3)), jnp.arange(1))
