"""Transformations of updates by hand, and on the game that gradient descent alone does not solve."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.errors import UserError
from jaxgen.optimizers import clip_weights, historical_averaging, matrices, skip_large


def test_parameters_are_clipped_after_the_update_and_not_before():
    optimizer = optax.chain(optax.sgd(1.0), clip_weights(0.1))
    params = {"a": jnp.array([0.05, 0.0, -0.09, 3.0]), "b": jnp.array(0.1)}
    gradient = {"a": jnp.array([0.02, -0.3, 0.5, 0.0]), "b": jnp.array(0.05)}
    updates, _ = optimizer.update(gradient, optimizer.init(params), params)
    moved = optax.apply_updates(params, updates)
    np.testing.assert_allclose(moved["a"], [0.03, 0.1, -0.1, 0.1], rtol=1e-5)
    np.testing.assert_allclose(moved["b"], 0.05, rtol=1e-6)


def test_a_limit_that_leaves_no_weight_is_refused():
    with pytest.raises(UserError, match="limit is 0"):
        clip_weights(0)


def test_the_pull_is_the_gradient_towards_the_mean_of_all_parameters_so_far():
    optimizer = historical_averaging(0.5)
    state = optimizer.init(jnp.zeros(2))
    seen = np.random.default_rng(0).normal(size=(4, 2)).astype(np.float32)
    for count, params in enumerate(seen, start=1):
        updates, state = optimizer.update(jnp.ones(2), state, params)
        np.testing.assert_allclose(updates, 1 + params - seen[:count].mean(0), rtol=1e-5)


@pytest.mark.parametrize(("weight", "near"), [(0.0, False), (0.1, True)])
def test_averaging_ends_the_chase_around_a_saddle(weight, near):
    """On min_x max_y x y, steps of gradient descent alone move away from (0, 0), by (1 + 0.01)^(1/2) each."""
    optimizer = optax.chain(historical_averaging(weight), optax.sgd(0.1))

    def step(carry, _):
        point, state = carry
        updates, state = optimizer.update(jnp.stack([point[1], -point[0]]), state, point)
        return (optax.apply_updates(point, updates), state), None

    start = jnp.ones(2)
    (end, _), _ = jax.lax.scan(step, (start, optimizer.init(start)), None, 2000)
    radius = float(jnp.linalg.norm(end) / jnp.linalg.norm(start))
    assert (radius < 0.05) if near else radius == pytest.approx(1.01**1000, rel=1e-2)


def test_weight_decay_s_mask_knows_matrices_by_name():
    params = {"dense": {"kernel": 0, "bias": 0}, "norm": {"scale": 0}, "embed": {"embedding": 0}, "first": 0}
    assert matrices(params) == {
        "dense": {"kernel": True, "bias": False},
        "norm": {"scale": False},
        "embed": {"embedding": True},
        "first": False,
    }


def test_large_gradients_are_left_out_but_never_for_good():
    """Of (3, 4), twice too large, every third is taken, scaled to the limit; what is left out leaves no trace."""
    optimizer = skip_large(optax.trace(0.5), 2.5, patience=2)
    state, taken = optimizer.init(jnp.zeros(2)), []
    for gradient in [[0.3, 0.4], [3.0, 4.0], [3.0, 4.0], [3.0, 4.0], [3.0, 4.0], [np.nan, 0.0], [np.inf, 0.0], [1, 0]]:
        updates, state = optimizer.update(jnp.array(gradient), state)
        taken.append(updates)
    third = np.array([1.5, 2.0]) + 0.5 * np.array([0.3, 0.4])
    expected = [[0.3, 0.4], [0, 0], [0, 0], third, [0, 0], [0, 0], [0, 0], np.array([1, 0]) + 0.5 * third]
    np.testing.assert_allclose(taken, expected, rtol=1e-6)
    with pytest.raises(UserError, match="limit is 0"):
        skip_large(optax.sgd(1.0), 0)
