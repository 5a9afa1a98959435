"""Soft logic: Boolean at the corners, linear between, and rules over every class at once."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.logic import and_, average, implies, not_, or_, truth_values

BOOLEAN = {
    and_: lambda a, b: a and b,
    or_: lambda a, b: a or b,
    implies: lambda a, b: not a or b,
    lambda a, b: not_(and_(a, not_(b))): lambda a, b: not (a and not b),
}


@pytest.mark.parametrize("dtype", [float, int, bool])
@pytest.mark.parametrize("connective", BOOLEAN)
def test_boolean_at_the_corners(connective, dtype):
    for a, b in itertools.product(jnp.arange(2).astype(dtype), repeat=2):
        assert connective(a, b) == float(BOOLEAN[connective](bool(a), bool(b)))


def test_values_between():
    """Worked by hand."""
    np.testing.assert_allclose(and_(0.7, 0.6), 0.3, rtol=1e-6)
    np.testing.assert_allclose(and_(0.9, 0.8, 0.6), 0.3, rtol=1e-6)
    np.testing.assert_allclose(or_(0.3, 0.5), 0.8, rtol=1e-6)
    np.testing.assert_allclose(or_(0.3, 0.5, 0.4), 1.0)
    np.testing.assert_allclose(implies(0.9, 0.2), 0.3, rtol=1e-6)
    np.testing.assert_allclose(implies(0.2, 0.9), 1.0)
    np.testing.assert_allclose(average(1.0, 0.0, 0.5), 0.5)


@pytest.mark.parametrize(("a", "b"), [(0.0, 0.3), (0.4, 0.9), (1.0, 0.2), (0.5, 0.5)])
def test_de_morgan(a, b):
    np.testing.assert_allclose(not_(and_(a, b)), or_(not_(a), not_(b)), atol=1e-6)
    np.testing.assert_allclose(not_(or_(a, b)), and_(not_(a), not_(b)), atol=1e-6)


def test_gradients_are_those_of_the_line():
    assert jax.grad(and_, (0, 1))(0.7, 0.6) == (1.0, 1.0)
    assert jax.grad(and_, (0, 1))(0.2, 0.3) == (0.0, 0.0)  # false already
    assert jax.grad(implies, (0, 1))(0.9, 0.2) == (-1.0, 1.0)


def test_rules_say_something_of_every_class_of_every_example():
    """A sentence with a "but" has the sentiment of what follows it."""

    def but(example, label):
        positive = example["clause"]
        return implies(example["but"], jnp.where(label == 1, positive, not_(positive)))

    def never_class_2(example, label):
        return not_(label == 2)

    inputs = {"clause": jnp.array([0.9, 0.2, 0.9]), "but": jnp.array([1.0, 1.0, 0.0])}
    values = truth_values([but, never_class_2], inputs, classes=3)
    expected = [[0.1, 0.9, 0.1], [0.8, 0.2, 0.8], [1.0, 1.0, 1.0]]
    np.testing.assert_allclose(values[:, :, 0], expected, atol=1e-6)
    np.testing.assert_array_equal(values[:, :, 1], [[1, 1, 0]] * 3)
