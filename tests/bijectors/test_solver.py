"""The root finder against SciPy's, at the edges of what floats hold, and where there is nothing to find."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize

from jaxgen.bijectors.solver import increasing_root, require_converged
from jaxgen.errors import UserError


def bent(t, slope, offset, target):
    return t + slope * jnp.tanh(t + offset) - target


def bent_root(slope, offset, target):
    reach = jnp.abs(slope)
    return increasing_root(lambda t: bent(t, slope, offset, target), target - reach, target + reach)


solved = jax.jit(bent_root)


def cases(dtype):
    """Almost flat at the bend, steep at the bend, and neither, near to it and far from it."""
    slope = np.array([-1 + 1e-6, -0.999, -0.5, 0.0, 1.0, 1e2, 1e4])
    offset, target = np.array([-3.0, 0.0, 50.0]), np.array([-1e3, -1.0, 0.0, 1e-8, 0.7, 1e5])
    return [part.ravel().astype(dtype) for part in np.meshgrid(slope, offset, target)]


def test_roots_are_scipys(x64):
    arguments = cases(np.float64)
    found = np.asarray(solved(*arguments))
    for t, slope, offset, target in zip(found, *arguments, strict=True):
        reach = abs(slope) + 1
        expected = optimize.brentq(bent, target - reach, target + reach, (slope, offset, target), xtol=1e-15)
        # Where the residual is almost flat, a rounding of it moves the root by one over its slope.
        flatness = 1 + slope / np.cosh(np.clip(expected + offset, -300, 300)) ** 2
        assert t == pytest.approx(expected, rel=1e-13, abs=1e-13 * max(1, reach) / flatness)


def test_every_root_is_found_in_float32():
    arguments = cases(np.float32)
    residual = np.asarray(bent(solved(*arguments), *arguments))
    scale = np.abs(arguments[0]) + np.abs(arguments[2]) + 1
    np.testing.assert_array_less(np.abs(residual), 1e-5 * scale)


def test_derivatives_of_both_modes_are_those_of_the_implicit_function(x64):
    slope, offset, target = 2.0, 0.3, 1.7
    t = float(solved(slope, offset, target))
    secant = 1 / np.cosh(t + offset) ** 2
    steepness = 1 + slope * secant
    expected = [-np.tanh(t + offset) / steepness, -slope * secant / steepness, 1 / steepness]
    for derivative in (jax.jacrev, jax.jacfwd):
        actual = jax.jit(derivative(bent_root, (0, 1, 2)))(slope, offset, target)
        np.testing.assert_allclose(actual, expected, rtol=1e-12)


def test_what_is_not_found_is_nan_and_raises_outside_of_jit():
    targets = jnp.array([0.0, 3.0, jnp.nan])
    roots = jax.jit(lambda target: increasing_root(lambda t: t**3 - target, jnp.full(3, -1.0), jnp.ones(3)))(targets)
    np.testing.assert_array_equal(np.isnan(roots), [False, True, True])
    with pytest.raises(UserError, match="2 of 3 examples"):
        require_converged(roots)
    hurried = increasing_root(lambda t: jnp.tanh(5 * t) - 0.9, jnp.zeros(1), jnp.full(1, 1e6), max_iterations=5)
    with pytest.raises(UserError, match="1 of 1"):
        require_converged(hurried)
    np.testing.assert_array_equal(require_converged(roots[:1]), roots[:1])
