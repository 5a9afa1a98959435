"""Softplus against long decimals, and its derivatives against the sigmoid's."""

from decimal import Decimal, localcontext

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import expit

from jaxgen.losses.softplus import softplus

POINTS = np.concatenate([np.linspace(-80, 80, 641), np.geomspace(1e-12, 1, 25), -np.geomspace(1e-12, 1, 25)])


def exact(x):
    with localcontext() as context:
        context.prec = 60  # 1 + exp(-80) has 35 digits
        return float((1 + Decimal(x).exp()).ln())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_it_is_exact_to_rounding_in_the_bulk_and_both_tails(x64, dtype):
    points = POINTS.astype(dtype)
    expected = [exact(float(x)) for x in points]
    found = jax.jit(softplus)(points)
    assert found.dtype == dtype
    np.testing.assert_allclose(np.asarray(found, np.float64), expected, rtol=2 * np.finfo(dtype).eps)


def test_the_derivatives_are_those_of_the_sigmoid_at_zero_too(x64):
    first, second = jax.vmap(jax.grad(softplus)), jax.vmap(jax.grad(jax.grad(softplus)))
    points = np.append(POINTS, 0.0)
    np.testing.assert_allclose(first(points), expit(points), rtol=1e-13)
    np.testing.assert_allclose(second(points), expit(points) * expit(-points), rtol=1e-12, atol=1e-15)


def test_infinity_stays_and_no_number_is_none(x64):
    found = softplus(jnp.array([-np.inf, np.inf, np.nan]))
    np.testing.assert_array_equal(found, [0.0, np.inf, np.nan])
