"""Soft logic: rules as plain functions of inputs and a class, with truth values from 0 (false) to 1 (true).

Lukasiewicz's connectives, as probabilistic soft logic has them (Bach et al. 2017, "Hinge-Loss Markov Random Fields and
Probabilistic Soft Logic", section 2.2), and the averaging conjunction of Hu et al. 2016, "Harnessing Deep Neural
Networks with Logic Rules", eq. 1. On 0 and 1 they are Boolean logic; between, piecewise linear and differentiable but
at the kinks, with no gradient where a value is saturated.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

Rule = Callable[[Any, jax.Array], ArrayLike]  # (inputs of one example, class []) -> truth value []


def and_(*values: ArrayLike) -> jax.Array:
    """`max(0, a + b - 1)`, and so on: true only if all are."""
    return functools.reduce(lambda a, b: jnp.maximum(a - not_(b), 0), map(jnp.asarray, values))


def or_(*values: ArrayLike) -> jax.Array:
    """`min(1, a + b)`, and so on."""
    return functools.reduce(lambda a, b: jnp.minimum(a + b, 1), map(jnp.asarray, values))


def not_(value: ArrayLike) -> jax.Array:
    """`1 - a`."""
    return 1 - jnp.asarray(value)


def implies(premise: ArrayLike, conclusion: ArrayLike) -> jax.Array:
    """`min(1, 1 - a + b)`: false by as much as the premise is truer than the conclusion."""
    return or_(not_(premise), conclusion)


def average(*values: ArrayLike) -> jax.Array:
    """`(a + b + ...) / n`: a conjunction that rewards every part that holds."""
    return sum(map(jnp.asarray, values), jnp.zeros(())) / len(values)


def truth_values(rules: Sequence[Rule], inputs: Any, classes: int) -> jax.Array:
    """What every rule says of every class of every example.

    Args:
      rules: each says how true it is that the example has the class. Several groundings of one are several rules.
      inputs: a pytree of arrays `[batch, ...]`.
      classes: how many there are.

    Returns:
      `[batch, classes, rules]`, as `losses.distillation.rule_posterior` takes it.
    """
    labels = jnp.arange(classes)

    def of_example(example: Any) -> jax.Array:
        return jnp.stack([jax.vmap(rule, (None, 0))(example, labels) for rule in rules], axis=-1)

    return jax.vmap(of_example)(inputs)
